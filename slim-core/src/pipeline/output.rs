//! The output directory: slim's own files in it are replaced, everything else is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::Error;
use crate::digest::Digest;
use crate::profile;
use crate::recording::signature::SigningKey;
use crate::recording::{self, Recording};

/// No body that is kept is longer.
const LONGEST_BODY: u64 = 1 << 20;

/// Bodies of exchanges, by digest.
pub type Bodies = BTreeMap<Digest, Vec<u8>>;

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
        let path = directory.join("exchanges").join(body.digest.hex());
        match read_body(&path, body.size) {
            Ok(bytes) if Digest::of(&bytes) == body.digest => {
                bodies.insert(body.digest.clone(), bytes);
            }
            Ok(_) => tracing::warn!("{}: not the body that was recorded; left out", path.display()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
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
        fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
    };
    if !fs::symlink_metadata(directory)?.is_dir() {
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

/// A directory that results are written to, and that no other slim writes to meanwhile.
#[derive(Debug)]
pub struct Output {
    directory: PathBuf,
    _lock: Flock<fs::File>,
    /// What signs the recordings that are written.
    key: Option<SigningKey>,
}

/// The recording's name.
const RECORDING: &str = "recording.json";
/// Its signature's, as [`recording::signature::beside`] has it.
const SIGNATURE: &str = "recording.json.sig";

/// How the names of unfinished files begin, wherever in slim they are made.
const TEMPORARY: [&str; 3] = [".slim-", ".files.tar.", ".image.tar."];

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
    /// Opens `directory`, making it if need be, and removes unfinished files that a killed run left there.
    ///
    /// # Errors
    /// [`Error::Output`], and [`Error::OutputInUse`] if another slim writes to it.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Output {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let handle = fs::File::open(directory).map_err(failed)?;
        // The kernel lets go of the lock when its owner dies, however that happens.
        let lock =
            Flock::lock(handle, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
                Errno::EWOULDBLOCK => Error::OutputInUse {
                    path: directory.to_owned(),
                },
                errno => failed(errno.into()),
            })?;
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if TEMPORARY
                .iter()
                .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
            {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            _lock: lock,
            key: None,
        })
    }

    /// Returns it with a key that signs every recording which is written.
    pub fn signing(self, key: Option<SigningKey>) -> Self {
        Self { key, ..self }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where `name` is written, from the root directory.
    ///
    /// # Errors
    /// [`Error::Output`] where the current directory is gone.
    pub fn absolute(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path(name);
        std::path::absolute(&path).map_err(|source| Error::Output { path, source })
    }

    /// Where `name` is written.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes `name` whole or not at all.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        self.write_with_mode(name, bytes, 0o644)
    }

    /// Writes `name` with permissions `mode`, whole or not at all.
    fn write_with_mode(&self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, Error> {
        let path = self.path(name);
        write_whole(&path, bytes, mode).map_err(|source| Error::Output {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// Writes the profiles that `context` asks for, and removes those of an earlier run that it does not: what is in
    /// the directory is of one recording.
    ///
    /// # Errors
    /// [`Error::Profile`], [`Error::Output`].
    pub fn write_profiles(&self, context: &profile::Context<'_>) -> Result<Vec<PathBuf>, Error> {
        let rendered = profile::render(context)?;
        for artifact in profile::ARTIFACTS {
            if rendered.iter().all(|file| file.file_name != artifact.file_name()) {
                self.remove(artifact.file_name())?;
            }
        }
        rendered
            .iter()
            .map(|file| {
                let mode = if file.executable { 0o755 } else { 0o644 };
                self.write_with_mode(file.file_name, &file.bytes, mode)
            })
            .collect()
    }

    /// Writes a recording, the bodies of its exchanges beside it, and its signature if there is a key.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Recording`] where it cannot be signed.
    pub fn write_recording(&self, recording: &Recording, bodies: &Bodies) -> Result<PathBuf, Error> {
        for (digest, body) in bodies {
            let path = self.path("exchanges");
            fs::create_dir_all(&path).map_err(|source| Error::Output { path, source })?;
            self.write(&format!("exchanges/{}", digest.hex()), body)?;
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

    /// Removes `name` if an earlier run left it and this one makes none.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Output { path, source })
            }
            _ => Ok(()),
        }
    }
}

/// Replaces the file in one step, so that nobody reads half of it.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".slim-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_left_alone_and_own_ones_replaced() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("mine.txt"), "mine").unwrap();
        let output = Output::open(directory.path()).unwrap();
        output.write("plan.json", b"1").unwrap();
        output.write("plan.json", b"2").unwrap();
        output.remove("report.json").unwrap();
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["mine.txt", "plan.json"]);
        assert_eq!(fs::read(output.path("plan.json")).unwrap(), b"2");
    }

    #[test]
    fn a_directory_has_one_writer_and_unfinished_files_go() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".files.tar.abc"), "half").unwrap();
        let first = Output::open(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(matches!(
            Output::open(directory.path()),
            Err(Error::OutputInUse { .. })
        ));
        drop(first);
        Output::open(directory.path()).unwrap();
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
