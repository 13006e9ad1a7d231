//! Engine, tracer and probe make one Run.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::target::Watched;
use super::{Error, LOG_LIMIT, Observer, Scenario, Stage, Stop};
use crate::cancel::Cancel;
use crate::digest::Digest;
use crate::engine::docker::describe_end;
use crate::engine::{Container, Engine, Pull};
use crate::image::Image;
use crate::probe::{self, ExecOutput, Patience, Probed, Unrecorded};
use crate::reach;
use crate::recording::{
    ContainerFacts, Exchange, HostFacts, Outcome, Peaks, Phase, Purpose, Recording, Run, RuntimeFacts,
};
use crate::spec::ContainerSpec;
use crate::trace::{self, Observed, Scope, Tracer};
use crate::verify::Answers;

/// How to record.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    /// What the container gets.
    pub container: ContainerSpec,
    /// How it is exercised.
    pub probe: probe::Options,
    /// The tracer's sizes.
    pub trace: trace::Options,
    /// How long the container may take to stop before it is killed, in seconds.
    pub stop_timeout: u32,
}

/// A finished run and what belongs beside it.
#[derive(Debug)]
pub struct Recorded {
    /// The run.
    pub run: Run,
    /// Bodies of its exchanges, by digest.
    pub bodies: BTreeMap<Digest, Vec<u8>>,
    /// What the probe did, in sentences.
    pub summary: Vec<String>,
    /// The container's standard output and error.
    pub log: (Vec<u8>, Vec<u8>),
    /// What the exchanges leave out; never written anywhere.
    pub unrecorded: Unrecorded,
    /// How long a product may take that is to behave as this did.
    pub patience: Patience,
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

    /// The recording that holds this run alone.
    ///
    /// # Errors
    /// None in practice: the run names its own image.
    pub fn recording(&self) -> Result<Recording, Error> {
        let mut recording = Recording::new(self.run.image.clone());
        recording.insert(self.run.clone())?;
        Ok(recording)
    }
}

/// Finds the image, pulling it if asked, and indexes its file system.
///
/// # Errors
/// [`Error::Engine`]; [`Error::Interrupted`] when `stop` was signalled before the end.
pub async fn image(
    engine: &dyn Engine,
    reference: &str,
    pull: Pull,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Image, Error> {
    observer.begin(Stage::Image, reference);
    let (sender, receiver) = mpsc::unbounded_channel();
    let found = cancellable(stop, 1, engine.image(reference, pull, Some(sender)));
    let (image, ()) = tokio::join!(found, show_bytes(receiver, observer));
    let image = image?;
    observer.end(Stage::Image, &format!("{} {}", image.reference, image.id.short()));
    Ok(image)
}

/// The tracer on its way into the kernel, which takes a while that other things can fill.
pub type Loading = tokio::task::JoinHandle<Result<trace::Loaded, trace::Error>>;

/// Begins to load the tracer.
pub fn load(sizes: trace::Options) -> Loading {
    tokio::task::spawn_blocking(move || trace::Loaded::new(sizes))
}

/// Passes counts of bytes on until their sender is gone.
pub(super) async fn show_bytes(
    mut receiver: mpsc::UnboundedReceiver<(u64, Option<u64>)>,
    observer: &dyn Observer,
) {
    while let Some((done, total)) = receiver.recv().await {
        observer.bytes(done, total);
    }
}

/// Runs a container of `image`, exercises it under the tracer, and says what it did.
///
/// `loading` is the tracer of the sizes in `options`, from [`load`]: best begun before the image is looked for.
///
/// The container and its anonymous volumes are gone when this returns, whatever happened.
///
/// # Errors
/// See [`Error`]; [`Error::Interrupted`] when `stop` was signalled before the end.
pub async fn record(
    engine: &dyn Engine,
    image: &Image,
    options: &RecordOptions,
    loading: Loading,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Recorded, Error> {
    // The first signal is an order to finish where the user asked to record until Ctrl-C.
    let cancelling = if options.probe.end == probe::End::Interrupt {
        2
    } else {
        1
    };
    options.probe.check().map_err(|source| Error::Probe {
        source,
        log: String::new(),
    })?;
    observer.begin(Stage::Start, &image.reference);
    let container = cancellable(stop, cancelling, engine.create(image, &options.container)).await?;
    let session = Session {
        engine,
        image,
        options,
        stop,
        observer,
        container: &container,
    };
    let recorded = cancellable(stop, cancelling, session.run(loading)).await;
    let removed = engine.remove(&container).await;
    let recorded = recorded?;
    removed?;
    // What follows is interrupted by the next one.
    if options.probe.end == probe::End::Interrupt {
        stop.obeyed();
    }
    Ok(recorded)
}

/// `work`, or [`Error::Interrupted`] as soon as `count` signals have come.
pub(super) async fn cancellable<T, E: Into<Error>>(
    stop: &Stop,
    count: u32,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done.map_err(Into::into),
        () = stop.signalled(count) => {
            stop.end();
            Err(Error::Interrupted)
        }
    }
}

/// What `work` returns on a thread of its own, or [`Error::Interrupted`] as soon as a signal has come.
///
/// It is asked to end then, and left to end with the process where it does not within [`PATIENCE`].
pub(super) async fn interruptible<T: Send + 'static>(
    stop: &Stop,
    work: impl FnOnce(&Cancel) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let cancel = Cancel::default();
    let polled = cancel.clone();
    let mut working = tokio::task::spawn_blocking(move || work(&polled));
    tokio::select! {
        done = &mut working => done?,
        () = stop.signalled(1) => {
            stop.end();
            cancel.cancel();
            let _ = tokio::time::timeout(PATIENCE, working).await;
            Err(Error::Interrupted)
        }
    }
}

/// How long work that was asked to end may take to do so.
const PATIENCE: Duration = Duration::from_millis(700);

struct Session<'a> {
    engine: &'a dyn Engine,
    image: &'a Image,
    options: &'a RecordOptions,
    stop: &'a Stop,
    observer: &'a dyn Observer,
    container: &'a Container,
}

impl Session<'_> {
    async fn run(&self, loading: Loading) -> Result<Recorded, Error> {
        let scope = Scope::Container(self.container.id.clone());
        let loaded = loading.await??;
        let tracer = Arc::new(tokio::task::spawn_blocking(move || loaded.watch(scope)).await??);
        let started = now();
        let clock = Instant::now();
        if let Err(error) = self.engine.start(self.container).await {
            return Err(self.start_failed(error).await);
        }
        if !tracer.scoped() {
            return Err(Error::AnotherKernel {
                container: self.container.id.chars().take(12).collect(),
            });
        }
        let facts = self.engine.container_facts(self.container).await;
        self.observer.end(Stage::Start, "running under the tracer");

        self.observer.begin(Stage::Probe, "waiting for the app");
        let target = Watched {
            engine: self.engine,
            container: self.container,
            image: self.image,
            published: published_ports(&self.options.container),
            tracer: Some(tracer.clone()),
            serving: true,
            observer: self.observer,
            stop: self.stop,
        };
        let probed = probe::run(&target, &self.options.probe).await;
        drop(target);
        let mut probed = match probed {
            Ok(probed) => probed,
            Err(source) => return Err(self.probe_failed(source).await),
        };
        if let Some((command, output)) = self.check_health().await {
            probed.add_health_check(&command, &output);
        }
        let said = [
            vec![format!("{} exchanges", probed.exchanges.len())],
            probed.summary.clone(),
        ]
        .concat();
        self.observer.end(Stage::Probe, &said.join("; "));

        self.observer.begin(Stage::Stop, "stopping the container");
        let peaks = self.engine.peaks(self.container).await.unwrap_or_default();
        let outcome = self.end(&tracer, &probed).await?;
        let duration = clock.elapsed();
        let log = self
            .engine
            .logs(self.container, LOG_LIMIT)
            .await
            .unwrap_or_default();
        let tracer = Arc::into_inner(tracer).expect("the probe's target, the only other holder, is dropped");
        let observed = tokio::task::spawn_blocking(move || tracer.finish()).await??;
        self.observer.end(
            Stage::Stop,
            &format!(
                "{} files, {} kinds of call",
                observed.files.len(),
                observed.syscalls.len()
            ),
        );

        if observed.losses.total() > 0 {
            return Err(Error::Losses(observed.losses));
        }
        let run = Watch {
            started,
            duration,
            given: facts?,
            observed,
            peaks,
            exchanges: probed.exchanges,
            outcome,
        };
        let recorded = Recorded {
            run: run.into_run(self.engine, self.image, Purpose::Recorded),
            bodies: probed.bodies,
            summary: probed.summary,
            log,
            unrecorded: probed.unrecorded,
            patience: probed.patience,
        };
        if !reach::observed_anything(&recorded.recording()?) {
            let log = text_of(&recorded.log);
            return Err(Error::NothingRan {
                reference: self.image.reference.clone(),
                log,
            });
        }
        Ok(recorded)
    }

    /// Runs the image's own health check once, as the engine would, so that what it needs is recorded; what it came to
    /// is what a product's must come to, where it was healthy.
    async fn check_health(&self) -> Option<(Vec<String>, ExecOutput)> {
        let command = health_command(self.image)?;
        if !self
            .engine
            .state(self.container)
            .await
            .is_ok_and(|state| state.running)
        {
            return None;
        }
        self.observer.waiting("the image's HEALTHCHECK");
        match self.engine.exec(self.container, &command).await {
            Ok(result) if result.exit_code == 0 => {
                let output = ExecOutput {
                    exit_code: result.exit_code,
                    stdout: result.stdout,
                    stderr: result.stderr,
                };
                return Some((command, output));
            }
            Ok(result) => self.observer.warn(&format!(
                "the image's HEALTHCHECK ended with {} while it was recorded: {}",
                result.exit_code,
                crate::report::printable(&String::from_utf8_lossy(&result.stderr)).trim()
            )),
            Err(error) => self
                .observer
                .warn(&format!("the image's HEALTHCHECK could not run: {error}")),
        }
        None
    }

    async fn end(&self, tracer: &Tracer, probed: &Probed) -> Result<Outcome, Error> {
        let state = self.engine.state(self.container).await?;
        if !state.running {
            if state.outcome.oom_killed || probed.exit_code.is_none() {
                let log = self.log_text().await;
                return Err(Error::Container {
                    what: describe_end(&state.outcome, b"", b""),
                    log,
                });
            }
            return Ok(state.outcome);
        }
        tracer.mark(Phase::Shutdown)?;
        Ok(Outcome {
            stopped_by_slim: true,
            ..self
                .engine
                .stop(self.container, self.options.stop_timeout)
                .await?
        })
    }

    async fn start_failed(&self, error: crate::engine::Error) -> Error {
        let log = self.log_text().await;
        if log.is_empty() {
            error.into()
        } else {
            Error::Container {
                what: error.to_string(),
                log,
            }
        }
    }

    async fn probe_failed(&self, source: probe::ProbeError) -> Error {
        let log = self.log_text().await;
        match self.engine.state(self.container).await {
            Ok(state) if !state.running && state.outcome.oom_killed => Error::Container {
                what: describe_end(&state.outcome, b"", b""),
                log,
            },
            _ => Error::Probe { source, log },
        }
    }

    async fn log_text(&self) -> String {
        text_of(
            &self
                .engine
                .logs(self.container, 64 << 10)
                .await
                .unwrap_or_default(),
        )
    }
}

/// What a Run is made of.
pub(super) struct Watch {
    pub(super) started: u64,
    pub(super) duration: Duration,
    pub(super) given: (ContainerFacts, RuntimeFacts),
    pub(super) observed: Observed,
    pub(super) peaks: Peaks,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) outcome: Outcome,
}

impl Watch {
    pub(super) fn into_run(self, engine: &dyn Engine, image: &Image, purpose: Purpose) -> Run {
        let (container, runtime) = self.given;
        let observed = self.observed;
        let mut run = Run {
            image: image.id.clone(),
            reference: image.reference.clone(),
            purpose,
            round: None,
            started: self.started,
            duration_ms: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            host: host_facts(observed.unprivileged_port_start),
            engine: engine.facts().clone(),
            runtime,
            container,
            phases: observed.phases,
            syscalls: observed.syscalls,
            arguments: Some(observed.arguments),
            files: observed.files,
            capabilities: observed.capabilities,
            capabilities_measured: observed.capabilities_measured,
            sockets: observed.sockets,
            programs: observed.programs,
            processes: observed.processes,
            alarms: observed.alarms,
            losses: observed.losses,
            peaks: self.peaks.max(&observed.peaks),
            exchanges: self.exchanges,
            outcome: self.outcome,
        };
        run.normalise();
        run
    }
}

/// Seconds since 1970-01-01 UTC.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The name under which the recording's image was recorded; the digest if it holds no run.
pub fn recorded_reference(recording: &Recording) -> String {
    let first = recording.runs.values().next();
    first.map_or_else(|| recording.image.to_string(), |run| run.reference.clone())
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

pub(super) fn text_of((stdout, stderr): &(Vec<u8>, Vec<u8>)) -> String {
    let mut text = String::from_utf8_lossy(stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(stderr));
    text
}

pub(super) fn published_ports(spec: &ContainerSpec) -> Vec<(u16, String)> {
    spec.ports
        .iter()
        .map(|port| (port.container, port.protocol.clone()))
        .collect()
}

/// What the engine executes for the image's HEALTHCHECK.
fn health_command(image: &Image) -> Option<Vec<String>> {
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
