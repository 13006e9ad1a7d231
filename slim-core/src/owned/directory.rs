//! The directory that the records are in.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::Error;
use super::record::Left;

/// The end of the names of records.
pub(super) const SUFFIX: &str = ".owned";

/// A record is not longer; a living owner's is emptied whenever nothing is left in it.
const MAX_RECORD: u64 = 16 << 20;

/// Nobody but the user writes to it.
const OTHERS_WRITE: u32 = 0o022;

/// The directory of this user's records: `SLIM_STATE`, or `/run/slim` for root and `$XDG_RUNTIME_DIR/slim` for others.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    directory: OwnedFd,
}

impl State {
    /// Returns its path.
    ///
    /// # Errors
    /// [`Error::NoDirectory`].
    pub fn default_path() -> Result<PathBuf, Error> {
        let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        if let Some(path) = set("SLIM_STATE") {
            return Ok(path.into());
        }
        if geteuid().is_root() {
            return Ok("/run/slim".into());
        }
        let runtime = set("XDG_RUNTIME_DIR").ok_or(Error::NoDirectory)?;
        Ok(Path::new(&runtime).join("slim"))
    }

    /// Opens it, and makes it if need be.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Untrusted`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            directory: open_own(path)?,
        })
    }

    /// Opens it; none if it is not there, as when nothing was ever made.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn existing(path: &Path) -> Result<Option<Self>, Error> {
        match open_existing(path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(directory) => Ok(Some(Self {
                path: path.to_owned(),
                directory,
            })),
        }
    }

    /// The path of what is called `name` in it, for people.
    pub(super) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a record and locks it.
    pub(super) fn create(&self, name: &OsStr) -> Result<Flock<File>, Error> {
        let fail = |error| failed(&self.path_of(name), error);
        loop {
            let flags = OFlag::O_RDWR
                | OFlag::O_APPEND
                | OFlag::O_CREAT
                | OFlag::O_EXCL
                | OFlag::O_NOFOLLOW
                | OFlag::O_CLOEXEC;
            let mode = Mode::S_IRUSR | Mode::S_IWUSR;
            let file = openat(&self.directory, name, flags, mode).map_err(|errno| fail(errno.into()))?;
            let file = Flock::lock(File::from(file), FlockArg::LockExclusive)
                .map_err(|(_, errno)| fail(errno.into()))?;
            // Another slim may have taken the empty file for a dead one's before it was locked.
            if file.metadata().map_err(fail)?.nlink() > 0 {
                return Ok(file);
            }
        }
    }

    /// Removes a record.
    pub(super) fn remove(&self, name: &OsStr) -> Result<(), Error> {
        match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(failed(&self.path_of(name), errno.into())),
        }
    }

    /// The names of all records, of the living and of the dead.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn records(&self) -> Result<Vec<OsString>, Error> {
        let fail = |errno: Errno| failed(&self.path, errno.into());
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory = Dir::openat(&self.directory, ".", flags, Mode::empty()).map_err(fail)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(fail)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name.as_bytes().ends_with(SUFFIX.as_bytes()) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Returns what a dead owner left; none where the owner lives, or the record is gone.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Untrusted`], [`Error::Malformed`]; nothing is removed by such a record.
    pub fn left(&self, name: &OsStr) -> Result<Option<Left<'_>>, Error> {
        let path = self.path_of(name);
        let untrusted = |problem| Error::Untrusted {
            path: path.clone(),
            problem,
        };
        // Opening a pipe must not wait for its other end.
        let flags =
            OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(untrusted("it is a symbolic link")),
            Err(errno) => return Err(failed(&path, errno.into())),
        };
        let metadata = file.metadata().map_err(|error| failed(&path, error))?;
        if !metadata.is_file() {
            return Err(untrusted("it is not a file"));
        }
        check_owner(&path, &metadata)?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(failed(&path, errno.into())),
        };
        let metadata = file.metadata().map_err(|error| failed(&path, error))?;
        match metadata.nlink() {
            // Somebody else had the lock before, and is done with it.
            0 => return Ok(None),
            1 => {}
            _ => return Err(untrusted("it has a second name")),
        }
        let mut bytes = Vec::new();
        (&mut *file)
            .take(MAX_RECORD + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| failed(&path, error))?;
        if bytes.len() as u64 > MAX_RECORD {
            return Err(untrusted("it is longer than 16 MiB"));
        }
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        Left::read(self, name, file, &bytes, age.unwrap_or_default()).map(Some)
    }
}

/// Opens a directory of this user's own, and makes it if need be.
pub(crate) fn open_own(path: &Path) -> Result<OwnedFd, Error> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        // What is there instead is told when it is opened.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => open_existing(path),
    }
}

fn open_existing(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = match nix::fcntl::open(path, flags, Mode::empty()) {
        Err(Errno::ELOOP | Errno::ENOTDIR) => {
            return Err(Error::Untrusted {
                path: path.to_owned(),
                problem: "it is not a directory",
            });
        }
        other => other.map_err(|errno| failed(path, errno.into()))?,
    };
    // Looked at through the descriptor: what the path means may change.
    let file = File::from(directory);
    check_owner(path, &file.metadata().map_err(|error| failed(path, error))?)?;
    Ok(file.into())
}

/// Only this user may write to it.
fn check_owner(path: &Path, metadata: &std::fs::Metadata) -> Result<(), Error> {
    problem_of(metadata).map_or(Ok(()), |problem| {
        Err(Error::Untrusted {
            path: path.to_owned(),
            problem,
        })
    })
}

/// Returns why others than this user may have written to a file or directory; none if they may not.
pub(crate) fn problem_of(metadata: &std::fs::Metadata) -> Option<&'static str> {
    if metadata.uid() != geteuid().as_raw() {
        Some("it belongs to another user")
    } else if metadata.mode() & OTHERS_WRITE != 0 {
        Some("others than its owner may write to it")
    } else {
        None
    }
}

pub(super) fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Ledger, Place};
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> &'static str {
        match result.expect_err("it is refused") {
            Error::Untrusted { problem, .. } => problem,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn it_is_made_for_its_user_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("slim");
        assert!(State::existing(&path).expect("no error").is_none());
        let state = State::open(&path).expect("it is made");
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o700);
        assert!(state.records().expect("none").is_empty());
        State::open(&path).expect("it is opened again");
    }

    #[test]
    fn one_that_others_can_change_is_refused() {
        let parent = tempfile::tempdir().expect("a directory");
        let path = parent.path().join("slim");
        fs::create_dir(&path).expect("a directory");
        let link = parent.path().join("link");
        symlink(&path, &link).expect("a link");
        assert_eq!(problem(State::open(&link)), "it is not a directory");
        for mode in [0o770, 0o707, 0o722] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            assert_eq!(
                problem(State::open(&path)),
                "others than its owner may write to it",
                "{mode:o}"
            );
        }
        if geteuid().is_root() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a mode");
            nix::unistd::chown(&path, Some(65534.into()), None).expect("root gives it away");
            assert_eq!(problem(State::open(&path)), "it belongs to another user");
        }
    }

    #[test]
    fn a_record_that_others_can_change_is_refused_and_stays() {
        let parent = tempfile::tempdir().expect("a directory");
        let state = State::open(parent.path()).expect("a state directory");
        let ledger = Ledger::begin(State::open(parent.path()).expect("it again"), None).expect("a record");
        ledger
            .claim(Kind::Volume, Place::kernel(), |_| "v".to_owned())
            .expect("it is written");
        drop(ledger);
        let name = state.records().expect("a list").pop().expect("one record");
        let path = state.path_of(&name);
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("a mode");
        assert_eq!(
            problem(state.left(&name)),
            "others than its owner may write to it"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        fs::hard_link(&path, parent.path().join("second")).expect("a link");
        assert_eq!(problem(state.left(&name)), "it has a second name");
        fs::remove_file(parent.path().join("second")).expect("it goes");
        symlink(&path, parent.path().join("link.owned")).expect("a link");
        assert_eq!(
            problem(state.left("link.owned".as_ref())),
            "it is a symbolic link"
        );
        nix::unistd::mkfifo(&parent.path().join("pipe.owned"), Mode::S_IRWXU).expect("a pipe");
        assert_eq!(problem(state.left("pipe.owned".as_ref())), "it is not a file");
        let long = fs::File::create(parent.path().join("long.owned")).expect("a file");
        long.set_len(MAX_RECORD + 1).expect("a hole");
        assert_eq!(
            problem(state.left("long.owned".as_ref())),
            "it is longer than 16 MiB"
        );

        assert_eq!(state.records().expect("a list").len(), 4, "nothing was removed");
        let left = state.left(&name).expect("it is believed").expect("it is dead");
        assert_eq!(left.things().len(), 1);
    }
}
