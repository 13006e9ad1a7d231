//! A file that has no name until it is whole.
//!
//! What a killed run was writing vanishes with it, so that nothing needs to be removed by what its name looks like.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;
use tempfile::{Builder, TempPath};

/// How the name begins that it has on file systems without nameless files, and for the moment in which it replaces another.
const PREFIX: &str = ".slim-";

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: File,
    directory: PathBuf,
    named: Option<TempPath>,
}

impl Unfinished {
    /// One that is to be put where `path` is.
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let nameless = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlag::O_TMPFILE.bits())
            .open(directory);
        let (file, named) = match nameless {
            Ok(file) => (file, None),
            Err(_) => {
                let (file, path) = Builder::new().prefix(PREFIX).tempfile_in(directory)?.into_parts();
                (file, Some(path))
            }
        };
        Ok(Self {
            file,
            directory: directory.to_owned(),
            named,
        })
    }

    /// What is to be written to.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it permissions `mode` and the name `path`, in place of what has it.
    ///
    /// # Errors
    /// What the system refuses; what has the name stays then.
    pub(crate) fn persist(self, path: &Path, mode: u32) -> io::Result<()> {
        self.file.set_permissions(fs::Permissions::from_mode(mode))?;
        let named = match self.named {
            Some(named) => named,
            None => {
                // A link replaces nothing, a rename does; the magic link needs no privilege (open(2), O_TMPFILE).
                let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                let link = |name: &Path| {
                    linkat(AT_FDCWD, own.as_str(), AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW)
                        .map_err(io::Error::from)
                };
                Builder::new()
                    .prefix(PREFIX)
                    .make_in(&self.directory, link)?
                    .into_temp_path()
            }
        };
        named.persist(path).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_has_no_name_until_it_is_whole_and_then_replaces() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "before").expect("a file");
        let mut unfinished = Unfinished::at(&path).expect("it is begun");
        unfinished.file().write_all(b"after").expect("it is written");
        assert_eq!(names(directory.path()), ["file"]);
        assert_eq!(fs::read(&path).expect("a file"), b"before");
        unfinished.persist(&path, 0o644).expect("it is whole");
        assert_eq!(names(directory.path()), ["file"]);
        assert_eq!(fs::read(&path).expect("a file"), b"after");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    #[test]
    fn without_nameless_files_it_has_a_name_of_its_own() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let (file, named) = Builder::new()
            .prefix(PREFIX)
            .tempfile_in(directory.path())
            .expect("a file")
            .into_parts();
        let unfinished = Unfinished {
            file,
            directory: directory.path().to_owned(),
            named: Some(named),
        };
        assert!(names(directory.path())[0].starts_with(PREFIX));
        unfinished.persist(&path, 0o755).expect("it is whole");
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_nothing_else_does() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("taken");
        fs::create_dir(&path).expect("a directory");
        let unfinished = Unfinished::at(&path).expect("it is begun");
        unfinished
            .persist(&path, 0o644)
            .expect_err("a directory is not replaced");
        assert_eq!(names(directory.path()), ["taken"]);
    }
}
