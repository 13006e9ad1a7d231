//! The commands' work: engine, tracer and probe make a recording; plan, profiles and image follow from it.
//!
//! Everything that takes long tells a [`Progress`]; everything that may take forever ends when [`Stop`] says so.

mod apparmor;
mod attach;
mod cleanup;
mod findings;
mod observe;
mod output;
mod produce;
mod record;
#[cfg(test)]
mod scripted;
mod stopping;
mod target;
mod tracer;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::recording::Losses;
use crate::{build, engine, probe, profile, reach, recording, trace};

pub use apparmor::{AppArmor, KernelAppArmor, LoadedProfile, NotEnforced};
pub use attach::{AttachOptions, Running, attach};
pub use cleanup::{Cleaned, Removed, clean_up, clean_up_after};
pub use output::{
    Bodies, Output, OutputMode, PLAN_FILE, PartialFile, REPORT_FILE, default_directory, load_bodies,
};
pub use produce::{Product, ProductBuilder, ProductOptions, plan};
pub use record::{RecordOptions, Recorded, image, image_to_start, record, recorded_name, recorded_reference};
pub use tracer::{ActiveTracer, KernelTracer, LoadedTracer, Loading, Tracer, load};
pub use verify::{ARBITRARY_USER, ExistingProduct, Scenario, VerifyOptions};

/// As much of the container's output as is kept, in bytes of each stream.
const LOG_LIMIT: usize = 4 << 20;

/// A step of the work, for progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Finding, perhaps pulling, and indexing the image.
    Image,
    /// Starting the container under the tracer.
    Start,
    /// Setting the tracer on what runs already.
    Attach,
    /// Watching it.
    Record,
    /// Exercising the app.
    Probe,
    /// Stopping it and draining the tracer.
    Stop,
    /// Closing the set of files and planning.
    Plan,
    /// Writing profiles and reports.
    Profiles,
    /// Writing the layer.
    Layer,
    /// Loading the image into the engine.
    Load,
    /// Running the product.
    Verify,
}

impl Stage {
    /// Its name in reports (`start`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Start => "start",
            Self::Attach => "attach",
            Self::Record => "record",
            Self::Probe => "probe",
            Self::Stop => "stop",
            Self::Plan => "plan",
            Self::Profiles => "profiles",
            Self::Layer => "layer",
            Self::Load => "load",
            Self::Verify => "verify",
        }
    }
}

/// The receiver of the work's progress.
pub trait Progress: Send + Sync {
    /// A stage began.
    fn begin(&self, stage: Stage, what: &str);
    /// Shows the thing that the current stage waits for, or that it goes on with.
    fn waiting(&self, what: &str);
    /// Much memory was freed within a stage.
    fn freed(&self) {}
    /// Bytes done, and of how many if that is known.
    fn bytes(&self, done: u64, total: Option<u64>);
    /// A stage ended; `what` is its result in a few words.
    fn end(&self, stage: Stage, what: &str);
    /// Something the user should know.
    fn warn(&self, what: &str);
}

/// The user's signals to end what runs.
///
/// The first signal ends a recording that was asked to go on until Ctrl-C; otherwise, and the second time, it cancels.
#[derive(Clone)]
pub struct Stop {
    signals: Arc<watch::Sender<u32>>,
    ending: Cancel,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signals: Arc::new(watch::Sender::new(0)),
            ending: Cancel::default(),
        }
    }
}

impl Stop {
    /// One more signal came.
    pub fn signal(&self) {
        self.signals.send_modify(|count| *count += 1);
    }

    /// The signals so far ended what they were to end.
    pub(crate) fn obeyed(&self) {
        self.signals.send_modify(|count| *count = 0);
    }

    /// Something was interrupted.
    pub(crate) fn end(&self) {
        self.ending.cancel();
    }

    /// Returns whether the signals so far leave nothing to wait for: one more means that the user waits no longer.
    pub fn is_ending(&self) -> bool {
        self.ending.is_cancelled() || *self.signals.borrow() > 1
    }

    /// Resolves when `count` signals have come.
    pub async fn signalled(&self, count: u32) {
        // The sender lives in `self`, so waiting cannot fail before the condition holds.
        let _ = self.signals.subscribe().wait_for(|seen| *seen >= count).await;
    }
}

/// The engine, tracer and signals that every step of the work uses.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// The tracer.
    pub tracer: &'a dyn Tracer,
    /// The loader of AppArmor profiles.
    pub apparmor: &'a dyn AppArmor,
    /// The user's signals.
    pub stop: &'a Stop,
    /// The receiver of progress.
    pub progress: &'a dyn Progress,
}

impl<'a> Session<'a> {
    /// Returns one whose containers run on this machine's kernel.
    pub fn new(engine: &'a dyn Engine, stop: &'a Stop, progress: &'a dyn Progress) -> Self {
        Self {
            engine,
            tracer: &KernelTracer,
            apparmor: &KernelAppArmor,
            stop,
            progress,
        }
    }
}

/// Why the work failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The tracer.
    #[error(transparent)]
    Trace(#[from] trace::Error),
    /// The container runs, but on no kernel that the tracer watches.
    #[error(
        "the container {container} runs, but not on this kernel: the engine runs elsewhere (another host or a \
         virtual machine). Run slim on the engine's own host, or point DOCKER_HOST at an engine on this one"
    )]
    AnotherKernel {
        /// The container's short id.
        container: String,
    },
    /// A container that was to be attached to does not run.
    #[error("the container {container} does not run: start it, or record its image with `slim record IMAGE`")]
    NotRunning {
        /// The container's name.
        container: String,
    },
    /// A cgroup that was to be attached to has no process.
    #[error("{}: no process runs there", path.display())]
    Empty {
        /// Its directory.
        path: PathBuf,
    },
    /// A running container is not of the image that it is said to be of.
    #[error(
        "{} runs {program}, which is not in {reference}: name the image that its processes run from",
        path.display()
    )]
    OtherRoot {
        /// The cgroup's directory.
        path: PathBuf,
        /// A program that runs there.
        program: crate::path::RootPath,
        /// The image.
        reference: String,
    },
    /// The probe.
    #[error("{source}{}", last_lines(log))]
    Probe {
        /// The cause.
        source: probe::ProbeError,
        /// The last lines of the container's log.
        log: String,
    },
    /// The container ended when it should have gone on, or not as expected.
    #[error("{what}{}", last_lines(log))]
    Container {
        /// The event and the remedy.
        what: String,
        /// The last lines of the container's log.
        log: String,
    },
    /// The run is not complete.
    #[error("the recording is not complete: {}", describe_losses(.0))]
    Losses(Losses),
    /// The container ran, and nothing of it was the application.
    #[error(
        "nothing of {reference} was seen to run: no program of the image was executed. Give it a command after `--`, \
         or see its log{}",
        last_lines(log)
    )]
    NothingRan {
        /// The image.
        reference: String,
        /// The last lines of the container's log.
        log: String,
    },
    /// The recording is of another image than the one at hand.
    #[error(
        "the recording is of image {recorded}, but {reference} is now {found}: record again, or name the recorded image"
    )]
    OtherImage {
        /// The recorded image's digest.
        recorded: String,
        /// The reference that was looked up.
        reference: String,
        /// The digest found.
        found: String,
    },
    /// A recording says that its image was a file.
    #[error("the recording was made of {recorded:?}, which no engine knows: name the image with --image")]
    RecordedName {
        /// The recorded name.
        recorded: String,
    },
    /// The user ended it.
    #[error("interrupted; what was created is removed")]
    Interrupted,
    /// The recording.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// Recorded data asks for what the user did not allow.
    #[error(transparent)]
    NotAllowed(#[from] crate::plan::privileges::NotAllowed),
    /// A finished product's files are not of its recording, or not as slim writes them.
    #[error("{}: {problem}", path.display())]
    NotOfRecording {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The image.
    #[error(transparent)]
    Image(#[from] crate::image::ImageError),
    /// The closure.
    #[error(transparent)]
    Reach(#[from] reach::Error),
    /// The profiles.
    #[error(transparent)]
    Profile(#[from] profile::Error),
    /// The product.
    #[error(transparent)]
    Build(#[from] build::BuildError),
    /// A file of the output.
    #[error("{}: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another slim writes to the directory.
    #[error("{}: another slim is writing there; wait for it, or name another directory with --output", path.display())]
    OutputInUse {
        /// The directory.
        path: PathBuf,
    },
    /// Something that slim did not write stands where it would write.
    #[error(
        "{}: slim did not write this, and does not replace it; remove it, or name another directory with --output",
        path.display()
    )]
    Foreign {
        /// The file in the way.
        path: PathBuf,
    },
    /// A worker ended without a result.
    #[error("a worker of slim ended early: {0}; this is a defect of slim, please report it")]
    Worker(#[from] tokio::task::JoinError),
}

impl Error {
    /// The log of the container that it is about, if there is one.
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::Probe { log, .. } | Self::Container { log, .. } | Self::NothingRan { log, .. } => Some(log),
            _ => None,
        }
    }

    /// Returns whether it means that this machine cannot trace (exit code 5).
    pub fn cannot_trace(&self) -> bool {
        match self {
            Self::AnotherKernel { .. } => true,
            Self::Trace(error) => error.cannot_trace(),
            Self::Engine(error) => error.cannot_trace(),
            _ => false,
        }
    }
}

fn last_lines(log: &str) -> String {
    if log.trim().is_empty() {
        return String::new();
    }
    let lines: Vec<&str> = log.trim_end().lines().collect();
    let tail = &lines[lines.len().saturating_sub(10)..];
    let tail: Vec<String> = tail
        .iter()
        .map(|line| format!("  | {}", crate::report::printable(line)))
        .collect();
    format!("\nthe container's last lines:\n{}", tail.join("\n"))
}

fn describe_losses(losses: &Losses) -> String {
    let causes = [
        (
            losses.ring,
            "records did not fit in the ring buffer (a larger --ring-size helps)",
        ),
        (
            losses.map,
            "things did not fit in a map (a larger --map-size helps)",
        ),
        (
            losses.string,
            "strings could not be read (recording again usually helps)",
        ),
        (
            losses.deep_path,
            "paths are deeper or longer than the kernel side can walk (use shorter ones)",
        ),
        (
            losses.recursion,
            "events came while another was handled (recording again usually helps)",
        ),
    ];
    let said: Vec<String> = causes
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_name_their_remedy() {
        let losses = Losses {
            ring: 3,
            map: 1,
            ..Losses::default()
        };
        assert_eq!(
            Error::Losses(losses).to_string(),
            "the recording is not complete: 3 records did not fit in the ring buffer (a larger --ring-size helps); \
             1 things did not fit in a map (a larger --map-size helps)"
        );
    }

    #[tokio::test]
    async fn a_stop_counts_its_signals() {
        let stop = Stop::default();
        stop.signal();
        stop.signalled(1).await;
        let second = stop.clone();
        let waiting = tokio::spawn(async move { second.signalled(2).await });
        stop.signal();
        waiting.await.unwrap();
    }
}
