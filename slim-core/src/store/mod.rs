//! Results that the same file always gives, kept between runs.
//!
//! A result is known by its kind, the build of slim and the digest of the file that it was made of. It stands in a directory of the user's own,
//! behind its own digest: one that was cut short is no result. The directory is bounded; what was not used for longest goes
//! first, once a run is done with it. Nothing here can fail a run: what cannot be read or written is made again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstatat, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::owned::{self, open_own};

/// The number of bytes that all results take at most on the disk.
const LIMIT: u64 = 256 << 20;
/// The largest result that is read.
const LARGEST: u64 = 64 << 20;
/// The build: another one may make something else of the same file.
const BUILD: &str = env!("SLIM_SOURCES");
/// The length of a SHA-256 digest.
const DIGEST: usize = 32;

/// Why nothing can be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory cannot be made or opened.
    #[error("{}: {source}; slim keeps there what it found in files, and SLIM_STORE names another directory", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Somebody else can write to it.
    #[error("{}: {problem}, so nothing in it is believed; remove it, or name another directory with SLIM_STORE", path.display())]
    Untrusted {
        /// The file or directory.
        path: PathBuf,
        /// The fault.
        problem: &'static str,
    },
}

/// A directory of results.
#[derive(Debug)]
pub struct Store {
    directory: OwnedFd,
    limit: u64,
    /// True if something was put there.
    has_more: AtomicBool,
}

impl Drop for Store {
    fn drop(&mut self) {
        if *self.has_more.get_mut() {
            self.prune();
        }
    }
}

impl Store {
    /// Returns its path: `SLIM_STORE`, or `/var/lib/slim` for root and `slim` in the cache directory of others
    /// (`XDG_CACHE_HOME`, `~/.cache`); none where a user has neither.
    pub fn default_path() -> Option<PathBuf> {
        let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        if let Some(path) = set("SLIM_STORE") {
            return Some(path.into());
        }
        if geteuid().is_root() {
            return Some("/var/lib/slim".into());
        }
        let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(Path::new(&set("HOME")?).join(".cache")))?;
        Some(cache.join("slim"))
    }

    /// Opens the directory, and makes it if need be.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Untrusted`] if others can write to it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let directory = open_own(path).map_err(|error| match error {
            owned::Error::Untrusted { path, problem } => Error::Untrusted { path, problem },
            owned::Error::Io { path, source } => Error::Io { path, source },
            other => Error::Io {
                path: path.to_owned(),
                source: std::io::Error::other(other),
            },
        })?;
        Ok(Self {
            directory,
            limit: LIMIT,
            has_more: AtomicBool::new(false),
        })
    }

    /// Returns the result of `kind` for the file with a digest, if there is one.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, of: &Digest) -> Option<T> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, name(kind, of).as_os_str(), flags, Mode::empty()).ok()?;
        let mut file = File::from(file);
        let mut digest = [0; DIGEST];
        file.read_exact(&mut digest).ok()?;
        let mut result = Vec::new();
        (&mut file).take(LARGEST).read_to_end(&mut result).ok()?;
        if Sha256::digest(&result)[..] != digest {
            return None;
        }
        // A use; where it cannot be noted, the result goes sooner.
        let _ = futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_OMIT);
        postcard::from_bytes(&result).ok()
    }

    /// Keeps a result.
    pub fn put<T: Serialize>(&self, kind: &str, of: &Digest, result: &T) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = OsString::from(format!(".{}-{number}", std::process::id()));
        let written = self.write(&temporary, result).is_ok()
            && renameat(
                &self.directory,
                temporary.as_os_str(),
                &self.directory,
                name(kind, of).as_os_str(),
            )
            .is_ok();
        if !written {
            self.remove(&temporary);
        }
        self.has_more.store(true, Ordering::Relaxed);
    }

    fn write<T: Serialize>(&self, name: &OsStr, result: &T) -> std::io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let mut file = BufWriter::new(Hashed {
            file: File::from(file),
            hash: Sha256::new(),
        });
        file.get_mut().file.write_all(&[0; DIGEST])?;
        // In pieces: a large result is not in memory twice.
        postcard::to_io(result, &mut file).map_err(std::io::Error::other)?;
        let Hashed { file, hash } = file.into_inner()?;
        file.write_all_at(&hash.finalize(), 0)
    }

    fn remove(&self, name: &OsStr) {
        // Another slim may have removed it.
        let _ = unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir);
    }

    /// Removes what was not used for longest, until there is room for some more.
    fn prune(&self) {
        let Ok(mut listing) = Dir::openat(
            &self.directory,
            ".",
            OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        ) else {
            return;
        };
        let mut results = Vec::new();
        for entry in listing.iter().flatten() {
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            let stat = fstatat(&self.directory, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
            if let Ok(stat) = stat
                && stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFREG
            {
                // Source: stat(3type), blocks of 512 bytes.
                let size = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
                results.push(((stat.st_atime, stat.st_atime_nsec), name, size));
            }
        }
        let mut total: u64 = results.iter().map(|(_, _, size)| size).sum();
        if total <= self.limit {
            return;
        }
        results.sort();
        for (_, name, size) in results {
            if total <= self.limit / 4 * 3 {
                break;
            }
            self.remove(&name);
            total -= size;
        }
    }
}

/// A file, and the digest of what was written to it.
struct Hashed {
    file: File,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.hash.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The name of a result's file.
fn name(kind: &str, of: &Digest) -> OsString {
    format!("{kind}-{BUILD}-{}", of.hex()).into()
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// The bytes that a small file takes on the disk.
    const BLOCK: u64 = 4096;

    fn store(limit: u64) -> (tempfile::TempDir, Store) {
        let parent = tempfile::tempdir().expect("a directory");
        let mut store = Store::open(&parent.path().join("slim")).expect("it is made");
        store.limit = limit;
        (parent, store)
    }

    #[test]
    fn a_result_comes_back_for_its_file_and_kind_alone() {
        let (_parent, store) = store(LIMIT);
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        store.put("calls", &a, &"result");
        assert_eq!(store.get("calls", &a), Some("result".to_owned()));
        assert_eq!(store.get::<String>("calls", &b), None);
        assert_eq!(store.get::<String>("other", &a), None);
    }

    #[test]
    fn what_was_cut_short_or_changed_is_no_result() {
        let (parent, store) = store(LIMIT);
        let of = Digest::of(b"a");
        store.put("calls", &of, &"result");
        let path = parent.path().join("slim").join(name("calls", &of));
        let whole = std::fs::read(&path).expect("it is there");
        for damaged in [&whole[..whole.len() - 1], &whole[..10], b""] {
            std::fs::write(&path, damaged).expect("it is written");
            assert_eq!(store.get::<String>("calls", &of), None);
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let (parent, store) = store(4 * BLOCK - 1);
        let of = |n: u8| Digest::of(&[n]);
        for n in 0..4 {
            store.put("calls", &of(n), &[n].repeat(280));
            let file =
                File::open(parent.path().join("slim").join(name("calls", &of(n)))).expect("it is there");
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(n.into());
            file.set_times(FileTimes::new().set_accessed(used))
                .expect("a time");
        }
        assert!(store.get::<Vec<u8>>("calls", &of(0)).is_some(), "used last");
        store.prune();
        let kept: Vec<bool> = (0..4)
            .map(|n| store.get::<Vec<u8>>("calls", &of(n)).is_some())
            .collect();
        assert_eq!(kept, [true, false, false, true]);
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(matches!(Store::open(parent.path()), Err(Error::Untrusted { .. })));
    }
}
