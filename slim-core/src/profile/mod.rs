//! From a plan to security profiles and the command line that applies them.
//!
//! An [`Artifact`] is one output format: one module, one function of the plan and what it was made from. Recorded
//! text is hostile, and is escaped where it becomes a profile or a shell line.

mod apparmor;
pub mod capabilities;
pub mod check;
mod compose;
mod kubernetes;
mod mounts;
mod podman;
pub(crate) mod remark;
mod run_sh;
pub mod seccomp;
mod selinux;
pub mod simulate;
mod systemd;
mod unit;
mod user;
mod yaml;

use std::collections::BTreeSet;

pub use crate::spec::shell_word;
pub use apparmor::{
    APPARMOR_FILE, AppArmor, Mode as AppArmorMode, NotOwn, escape as apparmor_escape,
    renamed as apparmor_renamed,
};
pub use compose::Compose;
pub use kubernetes::{NetworkPolicy, OperatorAppArmor, OperatorSeccomp, Resources, SecurityContext};
pub use podman::Podman;
pub use run_sh::RunSh;
pub use seccomp::{OciSeccomp, SECCOMP_FILE, Seccomp};
pub use selinux::Selinux;
pub use systemd::Systemd;

use crate::digest::Digest;
use crate::image::Image;
use crate::plan::Plan;
use crate::recording::Recording;
use crate::spec::LaunchSpec;

/// The user's choices about profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Formats to write beside those that are always written, by [`Artifact::format`].
    pub formats: Vec<String>,
    /// The kernel's reaction to accesses that the AppArmor profile does not allow.
    pub apparmor_mode: AppArmorMode,
    /// Distance of limits of resources from the measured peaks, in percent of the peaks.
    pub headroom: u32,
    /// Options of seccomp profiles.
    pub seccomp: seccomp::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            formats: Vec::new(),
            apparmor_mode: AppArmorMode::Enforce,
            headroom: 50,
            seccomp: seccomp::Options::default(),
        }
    }
}

/// The input of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The recording that it follows from.
    pub recording: &'a Recording,
    /// The image before.
    pub image: &'a Image,
    /// The launch of the product, as it was verified.
    pub launch: &'a LaunchSpec,
    /// The digest of the config of the image that is run: the product's, or the original's where only profiles were made.
    pub digest: &'a Digest,
    /// The slim image's tags; the first one is run. Empty where only profiles were made: then the image itself is run.
    pub tags: &'a [String],
    /// The user's choices.
    pub options: &'a Options,
}

impl Context<'_> {
    /// The image that the profiles are for, as the user names it.
    fn image_name(&self) -> &str {
        self.tags.first().unwrap_or(&self.plan.reference)
    }

    /// The name under which a profile is loaded, `slim-` and the image's.
    fn profile_name(&self) -> String {
        profile_name(self.image_name())
    }
}

/// The calls that the application made, or is taken to make.
struct Calls<'a>(BTreeSet<&'a str>);

impl<'a> Calls<'a> {
    fn new(plan: &'a Plan) -> Self {
        let own = plan.syscalls.iter().filter(|call| call.is_of_app());
        Self(own.map(|call| call.name.as_str()).collect())
    }

    /// Returns whether it made one of these.
    fn made(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains(name))
    }
}

/// One output format.
pub trait Artifact: Sync {
    /// The name that users choose it by (`--format seccomp`).
    fn format(&self) -> &'static str;

    /// Describes it and who takes it, in a few words.
    fn description(&self) -> &'static str;

    /// The name of its file in the output directory.
    fn file_name(&self) -> &'static str;

    /// Returns whether the file is a program.
    fn executable(&self) -> bool {
        false
    }

    /// Returns whether it is made without being asked for.
    fn always(&self) -> bool {
        false
    }

    /// The file's bytes. Equal contexts give equal bytes.
    ///
    /// # Errors
    /// A part of the plan cannot be written in this format.
    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error>;
}

/// Every format, those first that are always made.
pub const ARTIFACTS: &[&dyn Artifact] = &[
    &Seccomp,
    &AppArmor,
    &RunSh,
    &OciSeccomp,
    &Selinux,
    &OperatorSeccomp,
    &OperatorAppArmor,
    &SecurityContext,
    &Resources,
    &NetworkPolicy,
    &Compose,
    &Podman,
    &Systemd,
];

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its name in the output directory.
    pub file_name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// True if it is a program.
    pub executable: bool,
}

/// Why a profile could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No artifact has that format.
    #[error("{0:?} is no format of profiles: --list-formats lists them")]
    Format(String),
    /// The recording is of a machine whose architecture has no name in seccomp profiles.
    #[error("no seccomp profile for machine {machine:?}: x86_64 and aarch64 are known")]
    Machine {
        /// As `uname -m` names it.
        machine: String,
    },
    /// A text has a byte that no format can hold.
    #[error("{what} holds a NUL byte, which no command line can carry: {text:?}")]
    Nul {
        /// The subject.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// A profile cannot be simulated.
    #[error("cannot simulate the seccomp profile: {0}")]
    Simulate(String),
}

/// The files of every format that is always made or was asked for, in the order of [`ARTIFACTS`].
///
/// # Errors
/// See [`Error`].
pub fn render(context: &Context<'_>) -> Result<Vec<Rendered>, Error> {
    let formats = &context.options.formats;
    if let Some(unknown) = formats
        .iter()
        .find(|name| ARTIFACTS.iter().all(|artifact| artifact.format() != *name))
    {
        return Err(Error::Format(unknown.clone()));
    }
    let wanted = ARTIFACTS
        .iter()
        .filter(|artifact| artifact.always() || formats.iter().any(|name| name == artifact.format()));
    wanted.map(|artifact| render_one(*artifact, context)).collect()
}

/// The files that a product is confined with while it is verified: its seccomp and its AppArmor profile.
///
/// # Errors
/// See [`Error`].
pub fn render_confinement(context: &Context<'_>) -> Result<Vec<Rendered>, Error> {
    let confining: [&dyn Artifact; 2] = [&Seccomp, &AppArmor];
    confining
        .into_iter()
        .map(|artifact| render_one(artifact, context))
        .collect()
}

fn render_one(artifact: &dyn Artifact, context: &Context<'_>) -> Result<Rendered, Error> {
    Ok(Rendered {
        file_name: artifact.file_name(),
        bytes: artifact.render(context)?,
        executable: artifact.executable(),
    })
}

/// As long as a DNS label may be.
const LONGEST_LABEL: usize = 63;

/// Returns a profile's name from an image's: `slim-` and the image's as a DNS label (RFC 1123), which AppArmor, SELinux,
/// Kubernetes and command lines all take for just that name.
///
/// Different images have different names: one that is more than small letters and digits ends in a part of its digest.
pub fn profile_name(reference: &str) -> String {
    let label = label(reference);
    if label == reference && !label.is_empty() && !label.contains('-') && label.len() <= LONGEST_LABEL - 5 {
        return format!("slim-{label}");
    }
    let start = match label.get(..44).unwrap_or(&label).trim_end_matches('-') {
        "" => "image",
        start => start,
    };
    format!("slim-{start}-{}", Digest::of(reference.as_bytes()).short())
}

/// Returns the part of a text that a DNS label can hold: small letters and digits with single hyphens between them.
fn label(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let label = words.join("-");
    label
        .get(..LONGEST_LABEL)
        .map_or(label.clone(), |start| start.trim_end_matches('-').to_owned())
}

#[cfg(test)]
mod tests;
