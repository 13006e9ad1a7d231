//! Engines, which run containers.
//!
//! An [`Engine`] creates containers from an image's own configuration plus what the user asks for, by the names of
//! `docker run`'s options, and touches nothing else: nothing is injected, nothing is privileged.

mod absent;
mod archive;
#[cfg(feature = "docker")]
pub mod docker;
mod end;
mod source;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use absent::NoEngine;
pub use archive::ArchiveStream;
pub use end::{crash_loop, describe_end};
pub use source::{ImageSource, load_from_file, source};

use crate::digest::Digest;
use crate::image::{Image, ImageError, ImageRef};
use crate::machine;
use crate::owned::{self, Fate, Place, Thing};
use crate::recording::{ContainerFacts, EngineFacts, Outcome, Peaks, RuntimeFacts};
use crate::spec::ContainerSpec;

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// Even if it is there.
    Always,
    /// If it is not there.
    #[default]
    Missing,
    /// Never.
    Never,
}

/// A container that this process created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The engine's full id, 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The state of a container as seen from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// It runs.
    pub running: bool,
    /// Its end, if it has ended.
    pub outcome: Outcome,
    /// Number of times that the engine restarted it.
    pub restarts: u64,
    /// The process id of its PID 1 on the engine's host; none if it does not run.
    pub pid: Option<u32>,
    /// Addresses that reach the container from this host: its own on its networks, or loopback with `--network host`.
    pub addresses: Vec<std::net::IpAddr>,
    /// Published ports: (container port, protocol, where it is reached from this host).
    pub published: Vec<(u16, String, std::net::SocketAddr)>,
}

/// A command that ended in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecResult {
    /// Its exit code.
    pub exit_code: i64,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// A loaded image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedImage {
    /// The digest of its config.
    pub id: Digest,
}

/// Bytes done and, if known, of how many.
pub type ByteCounts = mpsc::UnboundedSender<(u64, Option<u64>)>;

/// An engine, which runs containers.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Returns the engine's name and version.
    fn facts(&self) -> &EngineFacts;

    /// Finds the image, pulls it where `pull` says so, and indexes its file system.
    ///
    /// # Errors
    /// The image is not there and cannot be pulled, is for another platform, or cannot be read.
    async fn image(&self, reference: &str, pull: Pull, progress: Option<ByteCounts>) -> Result<Image, Error>;

    /// Returns true if there is an engine: one that can load images and run containers.
    fn is_present(&self) -> bool {
        true
    }

    /// Returns true if the engine has the image whose config has the digest `id`.
    ///
    /// # Errors
    /// The engine does not answer.
    async fn has_image(&self, id: &Digest) -> Result<bool, Error>;

    /// Returns the digest of the config of the image that the engine has under the name `reference`.
    ///
    /// # Errors
    /// [`Error::NoImage`] if there is none.
    async fn image_id(&self, reference: &str) -> Result<Digest, Error> {
        Ok(self.image(reference, Pull::Never, None).await?.id)
    }

    /// Checks that its containers run on this machine's kernel, as far as can be seen from outside. The tracer decides,
    /// when it sees a container begin.
    ///
    /// # Errors
    /// [`Error::OtherKernel`].
    fn same_kernel(&self) -> Result<(), Error>;

    /// Finds a container of anybody's by name or id.
    ///
    /// # Errors
    /// [`Error::NoContainer`] if there is none.
    async fn find(&self, name_or_id: &str) -> Result<Container, Error>;

    /// Returns the name of the image that a container was made of, or its digest where the name means another one by now.
    ///
    /// # Errors
    /// [`Error::Gone`].
    async fn image_of(&self, container: &Container) -> Result<String, Error>;

    /// Creates (does not start) the container of `image` that `spec` describes, which is written down before as this
    /// process's own.
    ///
    /// # Errors
    /// The engine refuses.
    async fn create(&self, image: &ImageRef, spec: &ContainerSpec) -> Result<Container, Error>;

    /// Starts it.
    ///
    /// # Errors
    /// The engine's message, with what it means where that is known.
    async fn start(&self, container: &Container) -> Result<(), Error>;

    /// Returns the container's state.
    ///
    /// # Errors
    /// The container is gone or the engine does not answer.
    async fn state(&self, container: &Container) -> Result<State, Error>;

    /// Returns the container's mounts, its capabilities and the seccomp filter as the runtime got it. Call while it runs.
    ///
    /// # Errors
    /// As [`Engine::state`].
    async fn container_facts(&self, container: &Container) -> Result<(ContainerFacts, RuntimeFacts), Error>;

    /// Waits for its end.
    ///
    /// # Errors
    /// As [`Engine::state`].
    async fn wait(&self, container: &Container) -> Result<Outcome, Error>;

    /// Sends its stop signal, and kills it after `seconds`.
    ///
    /// # Errors
    /// As [`Engine::state`]; one that has ended already is no error.
    async fn stop(&self, container: &Container, seconds: u32) -> Result<Outcome, Error>;

    /// Returns its output so far: (stdout, stderr), at most `limit` bytes of each, the last ones.
    ///
    /// # Errors
    /// As [`Engine::state`].
    async fn logs(&self, container: &Container, limit: usize) -> Result<(Vec<u8>, Vec<u8>), Error>;

    /// Runs a command in it and waits for its end.
    ///
    /// # Errors
    /// The container does not run, or the command cannot be executed.
    async fn exec(&self, container: &Container, command: &[String]) -> Result<ExecResult, Error>;

    /// Returns the peaks of its resources so far.
    ///
    /// # Errors
    /// As [`Engine::state`].
    async fn peaks(&self, container: &Container) -> Result<Peaks, Error>;

    /// Removes it and its anonymous volumes, running or not, if this process created it.
    ///
    /// # Errors
    /// The engine's message; one that is gone already is no error.
    async fn remove(&self, container: &Container) -> Result<(), Error>;

    /// Loads an image and tags it.
    ///
    /// # Errors
    /// The engine's message; one of `archive`'s reader, with which nothing is tagged.
    async fn load(
        &self,
        archive: ArchiveStream,
        tags: &[String],
        progress: Option<ByteCounts>,
    ) -> Result<LoadedImage, Error>;

    /// Returns a name for an image that is not to stay: random, and written down as this process's own.
    ///
    /// # Errors
    /// [`Error::Owned`].
    fn temporary_tag(&self) -> Result<String, Error>;

    /// Gives the image `reference` (a name or an id) another name.
    ///
    /// # Errors
    /// The engine's message.
    async fn tag(&self, reference: &str, tag: &str) -> Result<(), Error>;

    /// Removes a name that [`Engine::temporary_tag`] gave, and the image if it was the last one. Any other stays.
    ///
    /// # Errors
    /// The engine's message; one that is gone already is no error.
    async fn untag(&self, reference: &str) -> Result<(), Error>;

    /// Returns the engine's identity in written records: equal for those that are the same engine.
    fn place(&self) -> Place;

    /// Removes what a dead process wrote down as made here, if it is still that: by the engine's id of it, or where the
    /// engine's answer was not written down any more, by its token.
    ///
    /// # Errors
    /// The engine's message.
    async fn remove_left(&self, thing: &Thing) -> Result<Fate, Error>;
}

/// Connects to the engine at `address`, or where docker's own command line would (`DOCKER_HOST`, the context, the default
/// socket). So far each address means Docker's API, which Podman speaks too.
///
/// # Errors
/// The address cannot be used, nobody answers there, or the engine is too old.
#[cfg(feature = "docker")]
pub async fn connect(address: Option<&str>) -> Result<Box<dyn Engine>, Error> {
    Ok(Box::new(docker::Docker::connect(address).await?))
}

/// Returns the engine that calls itself `place`; none if there is no such one, or it does not answer.
#[cfg_attr(
    not(feature = "docker"),
    expect(unused_variables, reason = "no engine is built in")
)]
pub async fn at(place: &Place) -> Option<Box<dyn Engine>> {
    #[cfg(feature = "docker")]
    if let Some(docker) = docker::Docker::at(place).await {
        return Some(Box::new(docker));
    }
    None
}

/// Checks that an image is for this machine; `architecture` is Go's name of it.
fn check_platform(reference: &str, os: &str, architecture: &str) -> Result<(), Error> {
    let ours = machine::here();
    if (os, architecture) == ("linux", ours) {
        return Ok(());
    }
    Err(Error::Platform {
        reference: reference.to_owned(),
        theirs: format!("{os}/{architecture}"),
        ours: format!("linux/{ours}"),
    })
}

/// The reason why an engine could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No engine answers.
    #[error("no container engine answers at {address}: {reason}; start it, or name another with DOCKER_HOST")]
    Unreachable {
        /// The address.
        address: String,
        /// The cause.
        reason: String,
    },
    /// The engine's address cannot be used.
    #[error("{source_name} names an engine that slim cannot use, {value:?}: {problem}")]
    Address {
        /// The origin of the address (`DOCKER_HOST`, a context).
        source_name: String,
        /// The address.
        value: String,
        /// The problem, and what is expected.
        problem: String,
    },
    /// The engine is too old.
    #[error(
        "the engine at {address} ({version}) speaks API {api}; slim needs 1.41 (Docker 20.10) or later: update the engine"
    )]
    TooOld {
        /// The address.
        address: String,
        /// The engine's version.
        version: String,
        /// Its API version.
        api: String,
    },
    /// The engine's containers run on another kernel than slim.
    #[error(
        "the engine at {address} runs its containers on another kernel ({theirs}) than slim ({ours}), so they cannot be \
         traced from here: run slim on the engine's own machine"
    )]
    OtherKernel {
        /// The address.
        address: String,
        /// The engine's kernel.
        theirs: String,
        /// This machine's kernel.
        ours: String,
    },
    /// The image is not there.
    #[error("the engine has no image {reference:?}: check the name, or let it be pulled with --pull missing")]
    NoImage {
        /// The image as it was named.
        reference: String,
    },
    /// The image could not be pulled.
    #[error(
        "cannot pull {reference:?}: {reason}; check the name and the network (\"docker pull {reference}\" shows more), \
         or use an image that is there with --pull never"
    )]
    Pull {
        /// The image as it was named.
        reference: String,
        /// The engine's message.
        reason: String,
    },
    /// The image is for another platform.
    #[error(
        "{reference} is an image for {theirs}; this machine runs {ours}: build or pull it for that platform"
    )]
    Platform {
        /// The image as it was named.
        reference: String,
        /// The image's platform.
        theirs: String,
        /// This machine's.
        ours: String,
    },
    /// The image's config or layers cannot be read.
    #[error("cannot read the image {reference}: {reason}")]
    ImageUnreadable {
        /// The image as it was named.
        reference: String,
        /// The cause.
        reason: String,
    },
    /// An image's file cannot be read.
    #[error(transparent)]
    ImageFile(#[from] ImageError),
    /// There is no engine.
    #[error("slim cannot {action} without a container engine")]
    Absent {
        /// The work.
        action: &'static str,
    },
    /// The container did not start.
    #[error("the container did not start: {what}; {advice} (the engine says: {message})")]
    Start {
        /// The problem.
        what: String,
        /// The remedy.
        advice: String,
        /// The engine's message.
        message: String,
    },
    /// There is no such container.
    #[error("the engine has no container {name:?}: check the name (\"docker ps\" lists what runs)")]
    NoContainer {
        /// The container as it was named.
        name: String,
    },
    /// The container is gone.
    #[error("the container {container} is gone: it was removed while slim worked with it")]
    Gone {
        /// Its name or id.
        container: String,
    },
    /// A command could not be executed in the container.
    #[error("cannot execute {command:?} in the container: {reason}")]
    Exec {
        /// The command.
        command: String,
        /// The cause.
        reason: String,
    },
    /// The engine refused something.
    #[error("the engine cannot {action}: {message}")]
    Refused {
        /// The action that was requested.
        action: String,
        /// Its message.
        message: String,
    },
    /// The connection to the engine broke, or it answered what it should not.
    #[error("the engine did not answer as expected while slim wanted to {action}: {reason}")]
    Broken {
        /// The action that was requested.
        action: String,
        /// The cause.
        reason: String,
    },
    /// The record of what is about to be created cannot be written.
    #[error(transparent)]
    Owned(#[from] owned::Error),
    /// A file of this machine cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns true if this machine cannot trace the engine's containers (exit code 5).
    pub fn cannot_trace(&self) -> bool {
        matches!(self, Self::OtherKernel { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_for_one_platform() {
        let ours = machine::here();
        assert!(check_platform("x", "linux", ours).is_ok());
        for (os, architecture) in [("windows", ours), ("linux", "s390x"), ("", "")] {
            let error = check_platform("x", os, architecture).expect_err("another platform");
            let platform = format!("{os}/{architecture}");
            assert!(error.to_string().contains(&platform), "{error}");
        }
    }
}
