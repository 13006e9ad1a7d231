//! Engine, tracer and probe make one Run.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::observe::{
    Ending, Exercise, Live, Observation, Observer, Unwatched, Watched, cancellable, text_of,
};
use super::target::ProbeTarget;
use super::tracer::Loading;
use super::{Error, Progress, Scenario, Session, Stage, stopping};
use crate::engine::{self, Container, Pull, describe_end};
use crate::image::{Image, ImageName, ImageRef};
use crate::probe::{self, ExecOutput, Probed, Timeouts, Unrecorded};
use crate::reach;
use crate::recording::{Bodies, Exchange, HostFacts, Outcome, Phase, Purpose, Recording, Run};
use crate::spec::ContainerSpec;
use crate::trace;
use crate::verify::Answers;

/// As much of the container's output is shown with an error, in bytes of each stream.
const SHOWN_LOG: usize = 64 << 10;

/// Options of recording.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    /// The description of the container.
    pub container: ContainerSpec,
    /// Options of the probe.
    pub probe: probe::Options,
    /// The tracer's sizes.
    pub trace: trace::Options,
}

/// A finished run and what belongs beside it.
#[derive(Debug)]
pub struct Recorded {
    /// The run.
    pub run: Arc<Run>,
    /// The recording that holds this run alone.
    pub recording: Recording,
    /// Bodies of its exchanges, by digest.
    pub bodies: Bodies,
    /// Sentences on what the probe did.
    pub summary: Vec<String>,
    /// The container's standard output and error.
    pub log: (Vec<u8>, Vec<u8>),
    /// Parts of requests that the exchanges leave out; never written anywhere.
    pub unrecorded: Unrecorded,
    /// Time limits of a product that is to behave as this did.
    pub patience: Timeouts,
}

impl Recorded {
    /// The run, for a product to repeat it; `container` is what its container was given.
    pub fn scenario(&self, container: &ContainerSpec) -> Scenario {
        Scenario {
            original: self.run.clone(),
            container: container.clone(),
            expected: Answers {
                exchanges: self.run.exchanges.clone(),
                bodies: self.bodies.clone(),
            },
            unrecorded: self.unrecorded.clone(),
            patience: self.patience,
        }
    }
}

/// Finds the image in the engine, which may pull it, or in a file, and indexes its file system.
///
/// # Errors
/// [`Error::Engine`]; [`Error::Interrupted`] when the user ended it.
pub async fn image(session: Session<'_>, name: &ImageName, pull: Pull) -> Result<Image, Error> {
    let Session {
        engine,
        stop,
        progress,
        ..
    } = session;
    progress.begin(Stage::Image, &name.to_string());
    let (sender, receiver) = mpsc::unbounded_channel();
    let source = engine::source(name, engine, pull);
    let found = cancellable(stop, 1, source.image(Some(sender)));
    let (image, ()) = tokio::join!(found, show_bytes(receiver, progress));
    let image = image?;
    progress.end(Stage::Image, &format!("{} {}", image.reference, image.id.short()));
    Ok(image)
}

/// Does as [`image`], and loads an image from a file into the engine, so that it can be started. It is removed with the
/// engine object.
///
/// # Errors
/// As [`image`].
pub async fn image_to_start(session: Session<'_>, name: &ImageName, pull: Pull) -> Result<Image, Error> {
    let image = image(session, name, pull).await?;
    if let ImageName::Archive(_) = name {
        let progress = session.progress;
        progress.begin(Stage::Load, &image.reference);
        let (sender, receiver) = mpsc::unbounded_channel();
        let loading = engine::load_from_file(session.engine, &image, Some(sender));
        let loading = cancellable(session.stop, 1, loading);
        let (loaded, ()) = tokio::join!(loading, show_bytes(receiver, progress));
        loaded?;
        progress.end(Stage::Load, image.id.short());
    }
    Ok(image)
}

/// Passes counts of bytes on until their sender is gone.
pub(super) async fn show_bytes(
    mut receiver: mpsc::UnboundedReceiver<(u64, Option<u64>)>,
    progress: &dyn Progress,
) {
    while let Some((done, total)) = receiver.recv().await {
        progress.bytes(done, total);
    }
}

/// Runs a container of `image`, exercises it under the tracer, and says what it did.
///
/// `loading` is the tracer of the sizes in `options`, from [`super::load`]: best begun before the image is looked for.
///
/// The container and its anonymous volumes are gone when this returns, whatever happened.
///
/// # Errors
/// See [`Error`]; [`Error::Interrupted`] when the user ended it.
pub async fn record(
    session: Session<'_>,
    image: &Image,
    options: &RecordOptions,
    loading: Loading,
) -> Result<Recorded, Error> {
    options.probe.check().map_err(|source| Error::Probe {
        source,
        log: String::new(),
    })?;
    let until_interrupt = options.probe.end == probe::End::Interrupt;
    let progress = session.progress;
    progress.begin(Stage::Start, &image.reference);
    let reference = image.to_ref();
    let observer = Observer {
        session,
        loading: Some(loading),
        unwatched: Unwatched::Refuse,
        // The first signal is an order to finish where the user asked to record until Ctrl-C.
        cancelling: if until_interrupt { 2 } else { 1 },
    };
    let exercise = Probe {
        image: &reference,
        options,
    };
    let observation = observer.start(&reference, &options.container, &exercise).await?;
    // What follows is interrupted by the next one.
    if until_interrupt {
        session.stop.obeyed();
    }
    let (probed, mut observation) = observation.split();
    let log = std::mem::take(&mut observation.log);
    let run = into_run(session, image, observation, probed.exchanges, Purpose::Recorded)?;
    progress.end(Stage::Stop, &in_short(&run));
    let mut recording = Recording::new(image.id.clone());
    let id = recording.insert(run)?;
    let recorded = Recorded {
        run: recording.runs[&id].clone(),
        recording,
        bodies: probed.bodies,
        summary: probed.summary,
        log,
        unrecorded: probed.unrecorded,
        patience: probed.patience,
    };
    if !reach::observed_anything(&recorded.recording) {
        let log = text_of(&recorded.log);
        return Err(Error::NothingRan {
            reference: image.reference.clone(),
            log,
        });
    }
    Ok(recorded)
}

/// Asks what there is to ask, and then stops the container in an orderly way.
struct Probe<'a> {
    image: &'a ImageRef,
    options: &'a RecordOptions,
}

#[async_trait]
impl Exercise<Container> for Probe<'_> {
    type Answers = Probed;

    async fn exercise(&self, live: &Live<'_, Container>) -> Result<Probed, Error> {
        let progress = live.session.progress;
        progress.end(Stage::Start, "running under the tracer");
        progress.begin(Stage::Probe, "waiting for the app");
        let target = ProbeTarget {
            live,
            image: self.image,
            spec: &self.options.container,
            answering: Some(Phase::Serving),
        };
        let mut probed = match probe::run(&target, &self.options.probe).await {
            Ok(probed) => probed,
            Err(source) => return Err(probe_failed(live, source).await),
        };
        if let Some((command, output)) = self.check_health(live).await {
            probed.add_health_check(&command, &output);
        }
        let exchanges = format!("{} exchanges", probed.exchanges.len());
        let summary = [vec![exchanges], probed.summary.clone()].concat();
        progress.end(Stage::Probe, &summary.join("; "));
        Ok(probed)
    }

    fn not_started(&self, error: crate::engine::Error, log: String) -> Result<Probed, Error> {
        Err(if log.is_empty() {
            error.into()
        } else {
            Error::Container {
                what: error.to_string(),
                log,
            }
        })
    }

    async fn end(&self, live: &Live<'_, Container>, probed: &Probed) -> Result<Ending, Error> {
        let Session { engine, progress, .. } = live.session;
        let spec = &self.options.container;
        let timeout = spec.stop_timeout.unwrap_or(stopping::TIMEOUT);
        progress.begin(
            Stage::Stop,
            &format!("stopping the container (it has {timeout} s)"),
        );
        let peaks = engine.peaks(live.subject).await.unwrap_or_default();
        let state = engine.state(live.subject).await?;
        if !state.running {
            if state.outcome.oom_killed || probed.exit_code.is_none() {
                return Err(Error::Container {
                    what: describe_end(&state.outcome, b"", b""),
                    log: log_text(live).await,
                });
            }
            let outcome = state.outcome;
            return Ok(Ending { outcome, peaks });
        }
        if let Some(tracer) = live.tracer() {
            tracer.mark(Phase::Shutdown)?;
        }
        let signal = spec
            .stop_signal
            .as_deref()
            .unwrap_or(self.image.config.stop_signal());
        let signal = if signal.is_empty() { "SIGTERM" } else { signal };
        // What it would not see, nobody waits for.
        let ignores_signal = state.pid.is_some_and(|pid| stopping::ignores(pid, signal));
        let timeout = if ignores_signal { 0 } else { timeout };
        let outcome = Outcome {
            stopped_by_slim: true,
            ignores_signal,
            ..engine.stop(live.subject, timeout).await?
        };
        Ok(Ending { outcome, peaks })
    }
}

impl Probe<'_> {
    /// Runs the image's own health check once, as the engine would, so that what it needs is recorded; what it came to
    /// is what a product's must come to, where it was healthy.
    async fn check_health(&self, live: &Live<'_, Container>) -> Option<(Vec<String>, ExecOutput)> {
        let command = health_command(self.image)?;
        let Session { engine, progress, .. } = live.session;
        let state = engine.state(live.subject).await;
        if !state.is_ok_and(|state| state.running) {
            return None;
        }
        progress.waiting("the image's HEALTHCHECK");
        match engine.exec(live.subject, &command).await {
            Ok(result) if result.exit_code == 0 => {
                let output = ExecOutput {
                    exit_code: result.exit_code,
                    stdout: result.stdout,
                    stderr: result.stderr,
                };
                return Some((command, output));
            }
            Ok(result) => progress.warn(&format!(
                "the image's HEALTHCHECK ended with {} while it was recorded: {}",
                result.exit_code,
                crate::report::printable(&String::from_utf8_lossy(&result.stderr)).trim()
            )),
            Err(error) => progress.warn(&format!("the image's HEALTHCHECK could not run: {error}")),
        }
        None
    }
}

async fn probe_failed(live: &Live<'_, Container>, source: probe::ProbeError) -> Error {
    let log = log_text(live).await;
    match live.session.engine.state(live.subject).await {
        Ok(state) if !state.running && state.outcome.oom_killed => Error::Container {
            what: describe_end(&state.outcome, b"", b""),
            log,
        },
        _ => Error::Probe { source, log },
    }
}

async fn log_text(live: &Live<'_, Container>) -> String {
    let log = live.session.engine.logs(live.subject, SHOWN_LOG).await;
    text_of(&log.unwrap_or_default())
}

/// Returns the Run that an observation makes.
///
/// # Errors
/// [`Error::AnotherKernel`] where nothing was watched.
pub(super) fn into_run(
    session: Session<'_>,
    image: &Image,
    observation: Observation<()>,
    exchanges: Vec<Exchange>,
    purpose: Purpose,
) -> Result<Run, Error> {
    let Watched {
        traced,
        container,
        runtime,
    } = observation.watched.ok_or_else(|| Error::AnotherKernel {
        container: image.reference.clone(),
    })?;
    let mut run = Run {
        image: image.id.clone(),
        reference: image.reference.clone(),
        purpose,
        round: None,
        started: observation.started,
        duration_ms: u64::try_from(observation.duration.as_millis()).unwrap_or(u64::MAX),
        host: host_facts(traced.unprivileged_port_start),
        engine: session.engine.facts().clone(),
        runtime,
        container,
        observed: traced.observed,
        exchanges,
        outcome: observation.ending.outcome,
    };
    run.observed.peaks = observation.ending.peaks.max(&run.peaks);
    run.normalise();
    Ok(run)
}

/// Returns what a run holds, in a few words.
pub(super) fn in_short(run: &Run) -> String {
    format!("{} files, {} kinds of call", run.files.len(), run.syscalls.len())
}

/// Returns the name under which the recording's image was recorded; the digest if it holds no run.
pub fn recorded_reference(recording: &Recording) -> String {
    let first = recording.runs.values().next();
    first.map_or_else(|| recording.image.to_string(), |run| run.reference.clone())
}

/// Returns the name by which an engine may know the recording's image. A recording names no file: its word is not enough
/// to read one.
///
/// # Errors
/// [`Error::RecordedName`] if the image was a file, or its name is none.
pub fn recorded_name(recording: &Recording) -> Result<ImageName, Error> {
    let recorded = recorded_reference(recording);
    match recorded.parse() {
        Ok(name @ ImageName::Engine(_)) => Ok(name),
        _ => Err(Error::RecordedName { recorded }),
    }
}

fn host_facts(unprivileged_port_start: Option<u16>) -> HostFacts {
    let uname = nix::sys::utsname::uname().ok();
    let text = |value: Option<&std::ffi::OsStr>| value.unwrap_or_default().to_string_lossy().into_owned();
    HostFacts {
        kernel: text(uname.as_ref().map(nix::sys::utsname::UtsName::release)),
        machine: text(uname.as_ref().map(nix::sys::utsname::UtsName::machine)),
        syscalls_known: trace::known_syscalls(),
        unprivileged_port_start,
    }
}

/// Returns the command that the engine executes for the image's HEALTHCHECK.
fn health_command(image: &ImageRef) -> Option<Vec<String>> {
    let test = image.config.healthcheck()?.test;
    match test.split_first() {
        Some((kind, command)) if kind == "CMD" && !command.is_empty() => Some(command.to_vec()),
        Some((kind, command)) if kind == "CMD-SHELL" && !command.is_empty() => {
            let mut shell = image.config.shell();
            if shell.is_empty() {
                shell = vec!["/bin/sh".into(), "-c".into()];
            }
            Some([shell, vec![command.join(" ")]].concat())
        }
        _ => None,
    }
}
