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
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::SystemTime;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fstatat, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::owned::{self, open_own, problem_of};

/// The number of bytes that all results take at most on the disk.
const LIMIT: u64 = 256 << 20;
/// The largest result that is kept.
const LARGEST: u64 = 64 << 20;
/// The build: another one may make something else of the same file. The program's own time and size tell builds apart that
/// have the same sources and other libraries.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let program = std::fs::metadata("/proc/self/exe");
    let program = program.map(|found| (found.len(), found.mtime(), found.mtime_nsec()));
    let text = format!("{} {:?}", env!("SLIM_SOURCES"), program.ok());
    Digest::of(text.as_bytes()).short().to_owned()
});
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

/// What stands in the name of every result, and before that of one that is being written.
const INFIX: &str = ".slim-";
const TEMPORARY: &str = ".slim-new-";

/// A directory of results.
#[derive(Debug)]
pub struct Store {
    directory: OwnedFd,
    limit: u64,
    /// True if something was written there.
    was_written: AtomicBool,
}

impl Drop for Store {
    fn drop(&mut self) {
        if *self.was_written.get_mut() {
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
        // Source: XDG Base Directory Specification: a relative path is ignored.
        let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.filter(|path| path.is_absolute());
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
            was_written: AtomicBool::new(false),
        })
    }

    /// Returns the result of `kind` for the file with a digest, if there is one.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, of: &Digest) -> Option<T> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let name = name(kind, of);
        let mut file = File::from(openat(&self.directory, name.as_os_str(), flags, Mode::empty()).ok()?);
        // Whoever could once write to the directory is not believed later.
        let found = file.metadata().ok()?;
        if !found.is_file() || problem_of(&found).is_some() {
            return None;
        }
        let mut digest = [0; DIGEST];
        file.read_exact(&mut digest).ok()?;
        let mut result = Vec::new();
        (&mut file).take(LARGEST).read_to_end(&mut result).ok()?;
        if hash_of(&name).chain_update(&result).finalize()[..] != digest {
            return None;
        }
        // A use; where it cannot be noted, the result goes sooner.
        let _ = futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_OMIT);
        postcard::from_bytes(&result).ok()
    }

    /// Keeps a result.
    pub fn put<T: Serialize>(&self, kind: &str, of: &Digest, result: &T) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = name(kind, of);
        // Other processes may have the same number, in other containers.
        let temporary = OsString::from(format!(
            "{TEMPORARY}{}-{}-{:x}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed),
            SystemTime::UNIX_EPOCH
                .elapsed()
                .map_or(0, |since| since.as_nanos())
        ));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let Ok(file) = openat(&self.directory, temporary.as_os_str(), flags, mode) else {
            return;
        };
        let there = &self.directory;
        let written = write(File::from(file), &name, result).is_ok()
            && renameat(there, temporary.as_os_str(), there, name.as_os_str()).is_ok();
        if !written {
            self.remove(&temporary);
        }
        self.was_written.fetch_or(written, Ordering::Relaxed);
    }

    fn remove(&self, name: &OsStr) {
        // Another slim may have removed it.
        let _ = unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir);
    }

    /// Removes the results that were not used for longest, until there is room for some more.
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
            if is_own(&name)
                && let Ok(stat) = stat
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

/// Writes the result of this name behind a digest of both.
fn write<T: Serialize>(file: File, name: &OsStr, result: &T) -> std::io::Result<()> {
    let mut file = BufWriter::new(Hashed {
        file,
        hash: hash_of(name),
        left: LARGEST,
    });
    file.get_mut().file.write_all(&[0; DIGEST])?;
    // In pieces: a large result is not in memory twice.
    postcard::to_io(result, &mut file).map_err(std::io::Error::other)?;
    let Hashed { file, hash, .. } = file.into_inner()?;
    file.write_all_at(&hash.finalize(), 0)
}

/// The digest of a result begins with its name, so that no other's stands in for it.
fn hash_of(name: &OsStr) -> Sha256 {
    Sha256::new_with_prefix(name.as_bytes())
}

/// A file, the digest of what was written to it, and the bytes that may follow.
struct Hashed {
    file: File,
    hash: Sha256,
    left: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.file.write(bytes)?;
        let left = self.left.checked_sub(length as u64);
        self.left = left.ok_or(std::io::ErrorKind::FileTooLarge)?;
        self.hash.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The name of a result's file.
fn name(kind: &str, of: &Digest) -> OsString {
    format!("{kind}{INFIX}{}-{}", *BUILD, of.hex()).into()
}

/// Returns whether a file is a result, or was to become one: nothing else that stands in the directory is removed.
fn is_own(name: &OsStr) -> bool {
    let is_hex = |digest: &str| digest.len() == 2 * DIGEST && digest.bytes().all(|b| b.is_ascii_hexdigit());
    name.to_str().is_some_and(|name| {
        let digest = name.rsplit_once('-').map(|(_, digest)| digest);
        name.starts_with(TEMPORARY) || (name.contains(INFIX) && digest.is_some_and(is_hex))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::Duration;

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
    fn no_file_but_a_result_is_removed() {
        let (parent, store) = store(1);
        let own = parent.path().join("slim").join("thesis.tex");
        std::fs::write(&own, [0; 5000]).expect("it is written");
        store.put("calls", &Digest::of(b"a"), &"result");
        store.prune();
        assert!(own.exists());
        assert_eq!(store.get::<String>("calls", &Digest::of(b"a")), None);
    }

    #[test]
    fn a_result_of_another_name_or_that_others_may_write_to_is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let (parent, store) = store(LIMIT);
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        store.put("calls", &a, &"result");
        let at = |of| parent.path().join("slim").join(name("calls", of));
        std::fs::copy(at(&a), at(&b)).expect("it is copied");
        assert_eq!(store.get::<String>("calls", &b), None);
        std::fs::set_permissions(at(&a), std::fs::Permissions::from_mode(0o622)).expect("a mode");
        assert_eq!(store.get::<String>("calls", &a), None);
    }

    #[test]
    fn a_result_that_is_too_large_is_not_kept() {
        let (parent, store) = store(LIMIT);
        let large = vec![1u8; usize::try_from(LARGEST).expect("it fits") + 1];
        store.put("calls", &Digest::of(b"a"), &large);
        let left = std::fs::read_dir(parent.path().join("slim")).expect("a directory");
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(matches!(Store::open(parent.path()), Err(Error::Untrusted { .. })));
    }
}
