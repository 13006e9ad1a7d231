//! The output directory: one build's files, private to their owner; everything else in it is left alone.
//!
//! slim runs as root and the directory may be anybody's, so nothing in it is trusted: files are made and removed below a
//! directory descriptor, links are never followed, and only what the manifest (`slim-manifest.json`, written before each
//! file that it names) lists is replaced or removed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::digest::Digest;
use crate::profile;
use crate::recording::signature::SigningKey;
use crate::recording::{self, Recording};

pub use crate::recording::Bodies;

/// The name of the plan's file.
pub const PLAN_FILE: &str = "plan.json";

/// The name of the report's file. It is the last one that a build writes.
pub const REPORT_FILE: &str = "report.json";

/// The list of slim's files in the directory.
const MANIFEST: &str = "slim-manifest.json";

/// The directory with the bodies of exchanges.
const EXCHANGES: &str = "exchanges";

/// A longer manifest was not written by slim.
const MAX_MANIFEST: u64 = 64 << 20;

/// Files that a build that fails leaves: the recording, the plan, which `slim explain` reads, the container's log and the report.
const KEPT_ON_FAILURE: [&str; 5] = [RECORDING, SIGNATURE, PLAN_FILE, "container.log", REPORT_FILE];

/// The recording's name.
const RECORDING: &str = "recording.json";

/// Its signature's, as [`recording::signature::beside`] has it.
const SIGNATURE: &str = "recording.json.sig";

/// No body that is kept is longer.
const LONGEST_BODY: u64 = 1 << 20;

/// Reads the bodies that lie in `directory/exchanges` beside a recording. One that is missing or was changed is left
/// out: replaying then compares digests alone.
///
/// # Errors
/// [`Error::Output`] if a body is there and cannot be read.
pub fn load_bodies(recording: &Recording, directory: &Path) -> Result<Bodies, Error> {
    let mut bodies = Bodies::new();
    let exchanges = recording.runs.values().flat_map(|run| &run.exchanges);
    for body in exchanges
        .flat_map(|exchange| exchange.bodies())
        .filter(|body| body.kept)
    {
        let path = directory.join(EXCHANGES).join(body.digest.hex());
        match read_body(&path, body.size) {
            Ok(bytes) if Digest::of(&bytes) == body.digest => {
                bodies.insert(body.digest.clone(), bytes.into());
            }
            Ok(_) => tracing::warn!("{}: not the body that was recorded; left out", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Output { path, source }),
        }
    }
    Ok(bodies)
}

/// Reads a body of `size` bytes, and at most one more. Neither it nor its directory may be a link: a recording from
/// elsewhere is not to have other files sent to a container.
fn read_body(path: &Path, size: u64) -> std::io::Result<Vec<u8>> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let open = || {
        std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
    };
    if !std::fs::symlink_metadata(directory)?.is_dir() {
        return Err(std::io::Error::other("exchanges is a link, and is not followed"));
    }
    let file = open()?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(size.min(LONGEST_BODY).saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The permissions of the files of an output directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputMode(u32);

impl Default for OutputMode {
    /// For the owner alone: bodies of answers may hold tokens, `files.tar` holds the image's private files.
    fn default() -> Self {
        Self(0o600)
    }
}

impl OutputMode {
    /// Returns the mode of files, `0o600` or wider; none where the owner could not read and write them, where anybody
    /// but the owner could write them, or where it is no mode.
    pub fn new(mode: u32) -> Option<Self> {
        (mode & 0o600 == 0o600 && mode & !0o644 == 0).then_some(Self(mode))
    }

    fn file(self, executable: bool) -> u32 {
        if executable { self.searchable() } else { self.0 }
    }

    /// The mode of directories and programs: execute permission for everybody who may read.
    fn searchable(self) -> u32 {
        self.0 | (self.0 & 0o444) >> 2
    }
}

/// The list of slim's files.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    files: BTreeSet<String>,
}

/// A directory that results are written to, and that no other slim writes to meanwhile.
///
/// Dropping it before [`Output::complete`] removes what belongs to an unfinished product.
#[derive(Debug)]
pub struct Output {
    directory: PathBuf,
    handle: Flock<File>,
    mode: OutputMode,
    manifest: Mutex<Manifest>,
    complete: AtomicBool,
    /// The directories that were not there before, the innermost first.
    made: Vec<PathBuf>,
    /// The key that signs recordings.
    key: Option<SigningKey>,
}

/// The default for `image`: `slim-out/NAME`, where the name is the reference with everything but letters, digits,
/// `.`, `_` and `-` replaced.
pub fn default_directory(reference: &str) -> PathBuf {
    let name: String = reference
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let name = name.trim_start_matches('.');
    Path::new("slim-out").join(if name.is_empty() { "image" } else { name })
}

impl Output {
    /// Opens `directory`, making it if need be, and removes what an earlier build left there but for what it recorded:
    /// the directory holds one build.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::OutputInUse`] if another slim writes to it, [`Error::Foreign`] where its manifest is
    /// not slim's.
    pub fn open(directory: &Path, mode: OutputMode) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Output {
            path: directory.to_owned(),
            source,
        };
        let made = directory.ancestors().take_while(|above| !above.exists());
        let made = made.map(Path::to_owned).collect();
        if let Some(parent) = directory.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let permissions = Mode::from_bits_truncate(mode.searchable());
        match nix::unistd::mkdir(directory, permissions) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let handle = match open(directory, flags, Mode::empty()) {
            Ok(handle) => File::from(handle),
            // With both flags the kernel says ENOTDIR of a link, too (open(2)).
            Err(Errno::ELOOP | Errno::ENOTDIR) => return Err(foreign(directory)),
            Err(errno) => return Err(failed(errno.into())),
        };
        // The kernel lets go of the lock when its owner dies, however that happens.
        let handle =
            Flock::lock(handle, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
                Errno::EWOULDBLOCK => Error::OutputInUse {
                    path: directory.to_owned(),
                },
                errno => failed(errno.into()),
            })?;
        let output = Self {
            directory: directory.to_owned(),
            manifest: Mutex::new(read_manifest(handle.as_fd(), directory)?),
            handle,
            mode,
            complete: AtomicBool::new(false),
            made,
            key: None,
        };
        // First of all: a reader must not take yesterday's report for this build's.
        output.remove(REPORT_FILE)?;
        output.remove(PLAN_FILE)?;
        output.remove_product()?;
        Ok(output)
    }

    /// Returns it with a key that signs every recording which is written.
    pub fn signing(mut self, key: Option<SigningKey>) -> Self {
        self.key = key;
        self
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns where `name` is written, from the root directory.
    ///
    /// # Errors
    /// [`Error::Output`] where the current directory is gone.
    pub fn absolute(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        std::path::absolute(&path).map_err(|source| Error::Output { path, source })
    }

    /// Returns where `name` is written.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Says that everything of the build is written: nothing is removed when this is dropped.
    pub fn complete(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    /// Writes `name` whole or not at all.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Foreign`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        self.write_as(name, bytes, false)
    }

    fn write_as(&self, name: &str, bytes: &[u8], executable: bool) -> Result<PathBuf, Error> {
        let mut file = self.create_as(name, executable)?;
        file.write_all(bytes)
            .map_err(|source| self.failed(name, source))?;
        file.commit()
    }

    /// Begins the file `name`, which replaces an earlier one at [`PartialFile::commit`].
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Foreign`] where something that slim did not write is in the way.
    pub fn create(&self, name: &str) -> Result<PartialFile<'_>, Error> {
        self.create_as(name, false)
    }

    fn create_as(&self, name: &str, executable: bool) -> Result<PartialFile<'_>, Error> {
        let listed = self.manifest().files.contains(name);
        let partial = partial(name);
        let parent = self.parent(name)?;
        for name in [name, partial.as_str()] {
            match fstatat(&parent, base(name), AtFlags::AT_SYMLINK_NOFOLLOW) {
                // What slim wrote is a regular file.
                Ok(found) if listed && is(found.st_mode, SFlag::S_IFREG) => {}
                Ok(_) => return Err(foreign(&self.path(name))),
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(self.failed(name, errno.into())),
            }
        }
        if !listed {
            self.manifest().files.insert(name.to_owned());
            self.write_manifest()?;
        }
        // What a killed run left of it.
        self.unlink(&partial)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let mode = self.mode.file(executable);
        let file = openat(&parent, base(&partial), flags, Mode::from_bits_truncate(mode))
            .map(File::from)
            .map_err(|errno| self.failed(name, errno.into()))?;
        // Whatever the umask is.
        file.set_permissions(std::fs::Permissions::from_mode(mode))
            .map_err(|source| self.failed(name, source))?;
        Ok(PartialFile {
            file,
            parent,
            name: name.to_owned(),
            output: self,
            committed: false,
        })
    }

    /// Writes the profiles that `context` asks for, and removes those of an earlier run that it does not: what is in
    /// the directory is of one recording.
    ///
    /// # Errors
    /// [`Error::Profile`], [`Error::Output`].
    pub fn write_profiles(&self, context: &profile::Context<'_>) -> Result<Vec<PathBuf>, Error> {
        self.write_rendered(&profile::render(context)?)
    }

    /// Writes the profiles that the product is verified under, and removes every other one: what starts the product is
    /// written when it is known how.
    ///
    /// # Errors
    /// [`Error::Profile`], [`Error::Output`].
    pub fn write_confinement(&self, context: &profile::Context<'_>) -> Result<(), Error> {
        self.write_rendered(&profile::render_confinement(context)?)?;
        Ok(())
    }

    /// Writes these, and removes what an earlier run left of the others.
    fn write_rendered(&self, rendered: &[profile::Rendered]) -> Result<Vec<PathBuf>, Error> {
        let is_stale = |name: &str| {
            let mut artifacts = profile::ARTIFACTS.iter();
            artifacts.any(|artifact| artifact.file_name() == name)
                && rendered.iter().all(|file| file.file_name != name)
        };
        self.remove_all(is_stale)?;
        rendered
            .iter()
            .map(|file| self.write_as(file.file_name, &file.bytes, file.executable))
            .collect()
    }

    /// Writes a recording, the bodies of its exchanges beside it, and its signature if there is a key.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Foreign`], [`Error::Recording`] where it cannot be signed.
    pub fn write_recording(&self, recording: &Recording, bodies: &Bodies) -> Result<PathBuf, Error> {
        if !bodies.is_empty() {
            self.make_exchanges()?;
        }
        let names: Vec<(String, &[u8])> = bodies
            .iter()
            .map(|(digest, body)| (format!("{EXCHANGES}/{}", digest.hex()), body.as_ref()))
            .collect();
        self.remove_all(|name| name.starts_with(EXCHANGES) && names.iter().all(|(new, _)| new != name))?;
        // One manifest for all of them.
        self.manifest()
            .files
            .extend(names.iter().map(|(name, _)| name.clone()));
        self.write_manifest()?;
        for (name, body) in names {
            self.write(&name, body)?;
        }
        let bytes = recording.to_json();
        let path = self.write(RECORDING, &bytes)?;
        match &self.key {
            Some(key) => {
                let signature = key.sign(&bytes).map_err(recording::Error::from)?;
                self.write(SIGNATURE, &signature)?;
            }
            // That of an earlier one is of no use.
            None => self.remove(SIGNATURE)?,
        }
        Ok(path)
    }

    /// Makes the directory of bodies, or sees that it is one and no link.
    fn make_exchanges(&self) -> Result<(), Error> {
        let mode = Mode::from_bits_truncate(self.mode.searchable());
        match mkdirat(self.handle.as_fd(), EXCHANGES, mode) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.failed(EXCHANGES, errno.into())),
        }
        self.parent(&format!("{EXCHANGES}/")).map(|_| ())
    }

    /// Opens the directory that `name` is in: this one, or the one of its bodies.
    fn parent(&self, name: &str) -> Result<OwnedFd, Error> {
        let directory = name.rsplit_once('/').map_or(".", |(directory, _)| directory);
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        openat(self.handle.as_fd(), directory, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ELOOP | Errno::ENOTDIR => foreign(&self.path(directory)),
            errno => self.failed(directory, errno.into()),
        })
    }

    /// Removes `name` if slim wrote it.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        self.remove_all(|known| known == name)
    }

    /// Removes every file of slim's own whose name is `unwanted`, and writes the manifest once.
    fn remove_all(&self, unwanted: impl Fn(&str) -> bool) -> Result<(), Error> {
        let files = self.manifest().files.clone();
        let unwanted: Vec<String> = files.into_iter().filter(|name| unwanted(name)).collect();
        if unwanted.is_empty() {
            return Ok(());
        }
        for name in &unwanted {
            self.unlink(&partial(name))?;
            self.unlink(name)?;
        }
        self.manifest().files.retain(|name| !unwanted.contains(name));
        self.write_manifest()
    }

    /// Removes everything but what was recorded, the plan, the log and the report.
    fn remove_product(&self) -> Result<(), Error> {
        self.remove_all(|name| !KEPT_ON_FAILURE.contains(&name) && !name.starts_with(EXCHANGES))
    }

    /// Removes a name, never what it leads to; one that is gone is no error.
    fn unlink(&self, name: &str) -> Result<(), Error> {
        if name.contains('/') && !self.path(EXCHANGES).exists() {
            return Ok(());
        }
        let parent = self.parent(name)?;
        match unlinkat(&parent, base(name), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.failed(name, errno.into())),
        }
    }

    /// Replaces the manifest in one step.
    fn write_manifest(&self) -> Result<(), Error> {
        let mut manifest = self.manifest();
        manifest.version = 1;
        let mut bytes = serde_json::to_vec_pretty(&*manifest).expect("a set of texts is JSON");
        bytes.push(b'\n');
        drop(manifest);
        let partial = partial(MANIFEST);
        self.unlink(&partial)?;
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let directory = self.handle.as_fd();
        let write = || -> io::Result<()> {
            let file = openat(
                directory,
                partial.as_str(),
                flags,
                Mode::from_bits_truncate(self.mode.0),
            )?;
            File::from(file).write_all(&bytes)?;
            Ok(renameat(directory, partial.as_str(), directory, MANIFEST)?)
        };
        write().map_err(|source| self.failed(MANIFEST, source))
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        // Nothing is done under the lock that could leave it half-changed.
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, name: &str, source: io::Error) -> Error {
        Error::Output {
            path: self.path(name),
            source,
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.complete.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.remove_product() {
            tracing::warn!("an unfinished build's files are left: {error}");
        } else if !self.made.is_empty() && self.manifest().files.is_empty() {
            // Nothing came of it, and nobody needs a directory that says so.
            let removed = self.unlink(MANIFEST).is_ok();
            let _ = removed && self.made.iter().all(|made| std::fs::remove_dir(made).is_ok());
        }
    }
}

/// A file of the output directory that has its name only when it is whole.
#[derive(Debug)]
pub struct PartialFile<'a> {
    file: File,
    parent: OwnedFd,
    name: String,
    output: &'a Output,
    committed: bool,
}

impl PartialFile<'_> {
    /// The open file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name, in place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn commit(mut self) -> Result<PathBuf, Error> {
        let partial = partial(&self.name);
        renameat(&self.parent, base(&partial), &self.parent, base(&self.name))
            .map_err(|errno| self.output.failed(&self.name, errno.into()))?;
        self.committed = true;
        Ok(self.output.path(&self.name))
    }
}

impl io::Write for PartialFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartialFile<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // What cannot be removed now is in the manifest, and goes with the next build.
            let _ = self.output.unlink(&partial(&self.name));
        }
    }
}

/// The name of a file while it is written: in the same directory, so that a rename makes it whole.
fn partial(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, name)) => format!("{directory}/.{name}.partial"),
        None => format!(".{name}.partial"),
    }
}

/// The last component of a name.
fn base(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

fn is(mode: nix::sys::stat::mode_t, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == kind
}

fn foreign(path: &Path) -> Error {
    Error::Foreign {
        path: path.to_owned(),
    }
}

/// Reads the manifest of an earlier build; an empty one where there is none.
fn read_manifest(directory: BorrowedFd<'_>, path: &Path) -> Result<Manifest, Error> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(directory, MANIFEST, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return Ok(Manifest::default()),
        Err(Errno::ELOOP) => return Err(foreign(&path.join(MANIFEST))),
        Err(errno) => {
            return Err(Error::Output {
                path: path.join(MANIFEST),
                source: errno.into(),
            });
        }
    };
    let mut bytes = Vec::new();
    file.take(MAX_MANIFEST)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Output {
            path: path.join(MANIFEST),
            source,
        })?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| foreign(&path.join(MANIFEST)))?;
    // A manifest from elsewhere must not make slim remove what it never writes.
    let is_slims = |name: &String| {
        let own = ["plan.json", "Dockerfile", "files.tar"];
        let body = |hex: &str| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        KEPT_ON_FAILURE.contains(&name.as_str())
            || own.contains(&name.as_str())
            || profile::ARTIFACTS
                .iter()
                .any(|artifact| artifact.file_name() == name)
            || name
                .strip_prefix(EXCHANGES)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(body)
    };
    if manifest.version != 1 || !manifest.files.iter().all(is_slims) {
        return Err(foreign(&path.join(MANIFEST)));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn opened(directory: &Path) -> Output {
        Output::open(directory, OutputMode::default()).unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn bodies() -> Bodies {
        Bodies::from([(Digest::of(b"body"), "body".into())])
    }

    fn recording() -> Recording {
        Recording::new(Digest::of(b"image"))
    }

    #[test]
    fn other_files_are_left_alone_and_own_ones_replaced() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["mine.txt", ".slim-notes", ".files.tar.abc"] {
            fs::write(directory.path().join(name), "mine").unwrap();
        }
        let output = opened(directory.path());
        output.write("plan.json", b"1").unwrap();
        output.write("plan.json", b"2").unwrap();
        output.remove("report.json").unwrap();
        assert_eq!(fs::read(output.path("plan.json")).unwrap(), b"2");
        output.complete();
        drop(output);
        assert_eq!(
            names(directory.path()),
            [".files.tar.abc", ".slim-notes", "mine.txt", "plan.json", MANIFEST]
        );
    }

    #[test]
    fn a_directory_has_one_writer() {
        let directory = tempfile::tempdir().unwrap();
        let first = opened(directory.path());
        assert!(matches!(
            Output::open(directory.path(), OutputMode::default()),
            Err(Error::OutputInUse { .. })
        ));
        drop(first);
        opened(directory.path());
    }

    #[test]
    fn files_are_the_owners_alone_unless_it_is_said() {
        let parent = tempfile::tempdir().unwrap();
        for (mode, file, directory) in [
            (0o600, 0o600, 0o700),
            (0o640, 0o640, 0o750),
            (0o644, 0o644, 0o755),
        ] {
            let path = parent.path().join(format!("{mode:o}"));
            let output = Output::open(&path, OutputMode::new(mode).unwrap()).unwrap();
            output.write_recording(&recording(), &bodies()).unwrap();
            let body = output.path(&format!("{EXCHANGES}/{}", Digest::of(b"body").hex()));
            let mode_of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode_of(&body), file);
            assert_eq!(mode_of(&output.path("recording.json")), file);
            assert_eq!(mode_of(&output.path(EXCHANGES)), directory);
            assert_eq!(mode_of(&path), directory);
        }
        for mode in [0o400, 0o666, 0o620, 0o1600, 0o755] {
            assert_eq!(OutputMode::new(mode), None, "{mode:o}");
        }
    }

    #[test]
    fn a_planted_link_is_an_error_and_nothing_is_written_through_it() {
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("target");
        fs::write(&target, "mine").unwrap();
        for name in ["recording.json", ".recording.json.partial"] {
            let directory = tempfile::tempdir().unwrap();
            symlink(&target, directory.path().join(name)).unwrap();
            let output = opened(directory.path());
            let error = output.write_recording(&recording(), &bodies()).unwrap_err();
            assert!(matches!(error, Error::Foreign { .. }), "{error}");
        }
        let directory = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), directory.path().join(EXCHANGES)).unwrap();
        let error = opened(directory.path())
            .write_recording(&recording(), &bodies())
            .unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
        assert_eq!(names(elsewhere.path()), ["target"]);
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        let link = directory.path().join("link");
        symlink(elsewhere.path(), &link).unwrap();
        let error = Output::open(&link, OutputMode::default()).unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }

    #[test]
    fn a_file_of_somebody_elses_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("plan.json"), "mine").unwrap();
        let error = opened(directory.path()).write("plan.json", b"1").unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
        assert_eq!(fs::read(directory.path().join("plan.json")).unwrap(), b"mine");
    }

    #[test]
    fn a_manifest_that_names_what_slim_never_writes_is_not_slims() {
        for files in [
            r#"["/etc/passwd"]"#,
            r#"["../x"]"#,
            r#"["mine.txt"]"#,
            r#"["exchanges/../mine.txt"]"#,
        ] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("mine.txt"), "mine").unwrap();
            let manifest = format!(r#"{{"version":1,"files":{files}}}"#);
            fs::write(directory.path().join(MANIFEST), manifest).unwrap();
            let error = Output::open(directory.path(), OutputMode::default()).unwrap_err();
            assert!(matches!(error, Error::Foreign { .. }), "{error}");
            assert_eq!(fs::read(directory.path().join("mine.txt")).unwrap(), b"mine");
        }
    }

    #[test]
    fn an_unfinished_build_leaves_what_was_recorded_and_nothing_that_starts() {
        let directory = tempfile::tempdir().unwrap();
        let output = opened(directory.path());
        output.write_recording(&recording(), &bodies()).unwrap();
        output.write("container.log", b"log").unwrap();
        output.write_as("run.sh", b"#!/bin/sh", true).unwrap();
        output.write(REPORT_FILE, b"{}").unwrap();
        output.complete();
        drop(output);
        // Yesterday's report is gone before anything else happens, and so is yesterday's product.
        let output = opened(directory.path());
        let left = ["container.log", EXCHANGES, "recording.json", MANIFEST];
        assert_eq!(names(directory.path()), left);
        output.write("seccomp.json", b"{}").unwrap();
        output.write(PLAN_FILE, b"{}").unwrap();
        drop(output);
        let left = ["container.log", EXCHANGES, PLAN_FILE, "recording.json", MANIFEST];
        assert_eq!(names(directory.path()), left);
    }

    #[test]
    fn a_failure_before_anything_is_written_leaves_no_directory() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("slim-out/app");
        let output = opened(&inner);
        output.write("seccomp.json", b"{}").unwrap();
        drop(output);
        assert_eq!(names(directory.path()), Vec::<String>::new());
        // One that was there stays.
        fs::create_dir_all(&inner).unwrap();
        drop(opened(&inner));
        assert!(inner.exists());
        let output = opened(&inner.join("next"));
        output.write("container.log", b"log").unwrap();
        drop(output);
        assert!(inner.join("next/container.log").exists());
    }

    #[test]
    fn a_killed_writers_half_file_goes_with_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let output = opened(directory.path());
        let mut half = output.create("files.tar").unwrap();
        half.write_all(b"half").unwrap();
        std::mem::forget(half);
        output.complete();
        drop(output);
        assert!(names(directory.path()).contains(&".files.tar.partial".to_owned()));
        opened(directory.path());
        assert_eq!(names(directory.path()), [MANIFEST]);
    }

    #[test]
    fn a_reference_never_leaves_the_output_directory() {
        assert_eq!(
            default_directory("registry:5000/team/app:1.2"),
            Path::new("slim-out/registry_5000_team_app_1.2")
        );
        assert_eq!(default_directory("../../etc"), Path::new("slim-out/_.._etc"));
        assert_eq!(default_directory(".."), Path::new("slim-out/image"));
    }
}
