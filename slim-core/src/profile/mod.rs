//! From a plan to security profiles and the command line that applies them.
//!
//! An [`Artifact`] is one output format: one module, one function of the plan and what it was made from. Recorded
//! text is hostile, and is escaped where it becomes a profile or a shell line.

mod apparmor;
pub mod capabilities;
mod run_sh;
mod seccomp;
mod shell;
pub mod simulate;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub use apparmor::{AppArmor, escape as apparmor_escape};
pub use run_sh::RunSh;
pub use seccomp::Seccomp;
pub use shell::word as shell_word;

use crate::image::Image;
use crate::plan::Plan;
use crate::recording::Recording;

/// What the user chose about the profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The AppArmor profile's name; [`profile_name`] of the image's where it is empty.
    pub profile_name: String,
    /// The slim image's tags; the first one is run. Empty where only profiles were made: then the image itself is run.
    pub tags: Vec<String>,
}

/// What artifacts are made from.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What is kept and allowed.
    pub plan: &'a Plan,
    /// What it follows from.
    pub recording: &'a Recording,
    /// The image before.
    pub image: &'a Image,
    /// What the user chose.
    pub options: &'a Options,
}

impl Context<'_> {
    /// The AppArmor profile's name, if it means just itself in profiles and on command lines.
    fn profile_name(&self) -> Result<String, Error> {
        let name = match self.options.profile_name.as_str() {
            "" => profile_name(&self.plan.reference),
            name => name.to_owned(),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain) {
            Ok(name)
        } else {
            Err(Error::ProfileName(name))
        }
    }
}

/// One output format.
pub trait Artifact {
    /// Its name for people (`seccomp profile`).
    fn name(&self) -> &'static str;

    /// The name of its file in the output directory.
    fn file_name(&self) -> &'static str;

    /// Whether the file is a program.
    fn executable(&self) -> bool {
        false
    }

    /// The file's bytes. Equal contexts give equal bytes.
    ///
    /// # Errors
    /// What the plan holds cannot be written in this format.
    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error>;
}

/// Every artifact that [`write_all`] writes.
pub const ARTIFACTS: [&dyn Artifact; 3] = [&Seccomp, &AppArmor, &RunSh];

/// Why a profile could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be written.
    #[error("{}: cannot write it: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The recording is of a machine whose architecture has no name in seccomp profiles.
    #[error("no seccomp profile for machine {machine:?}: x86_64 and aarch64 are known")]
    Machine {
        /// As `uname -m` names it.
        machine: String,
    },
    /// A text has a byte that no format can hold.
    #[error("{what} holds a NUL byte, which no command line can carry: {text:?}")]
    Nul {
        /// What it is.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// The profile's name means more than itself to some tool.
    #[error(
        "AppArmor profile name {0:?}: it must be letters, digits, '.', '_' and '-', and start with a letter or digit"
    )]
    ProfileName(String),
    /// A profile cannot be simulated.
    #[error("cannot simulate the seccomp profile: {0}")]
    Simulate(String),
}

/// Writes every artifact into `dir`, which exists, and returns their paths.
///
/// # Errors
/// See [`Error`].
pub fn write_all(
    plan: &Plan,
    recording: &Recording,
    image: &Image,
    dir: &Path,
    options: &Options,
) -> Result<Vec<PathBuf>, Error> {
    let context = Context {
        plan,
        recording,
        image,
        options,
    };
    let rendered: Vec<_> = ARTIFACTS
        .iter()
        .map(|artifact| Ok((artifact, artifact.render(&context)?)))
        .collect::<Result<_, Error>>()?;
    let mut paths = Vec::new();
    for (artifact, bytes) in rendered {
        let path = dir.join(artifact.file_name());
        write(&path, &bytes, artifact.executable()).map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })?;
        paths.push(path);
    }
    Ok(paths)
}

/// Replaces the file in one step, so that nobody reads half of it.
fn write(path: &Path, bytes: &[u8], executable: bool) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    // The name tells the next run in this directory what a killed one left unfinished.
    let mut file = tempfile::Builder::new().prefix(".slim-").tempfile_in(dir)?;
    file.write_all(bytes)?;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(file.path(), fs::Permissions::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}

/// A profile's name from an image's: `slim-` and what of it every tool takes in a name.
pub fn profile_name(reference: &str) -> String {
    let kept = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    let name: String = reference.chars().take(128).map(kept).collect();
    format!("slim-{name}")
}

#[cfg(test)]
mod tests;
