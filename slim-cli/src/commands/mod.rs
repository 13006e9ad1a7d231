//! One function a command: from flags to the library and to what is printed.

mod build;
mod check;
mod diff;
mod docs;
mod doctor;
mod explain;
mod formats;
mod generate;
mod merge;
mod record;
mod verify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use slim_core::engine::{self, Engine, NoEngine};
use slim_core::image::ImageName;
use slim_core::owned;
use slim_core::pipeline::{self, Output, Product, Session, Stop};
use slim_core::plan::privileges::{self, Words};
use slim_core::plan::{self, Plan};
use slim_core::recording::Recording;
use slim_core::recording::signature::PublicKey;
use slim_core::report;
use slim_core::store::{self, Store};
use slim_core::verify::{Aspect, Verification};

use crate::args::{Command, Global, Results};
use crate::progress::{self, Progress};
use crate::streams::out;
use crate::{exit, memory};

pub(crate) use formats::list as list_formats;

/// An end with an exit code of its own; what led to it is printed by then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Outcome {
    /// This machine cannot trace.
    #[error("this machine cannot trace: see what is marked missing above")]
    CannotTrace,
    /// A product did not behave as the original in these aspects.
    #[error("the product does not behave as the original: {0} did not pass; the lines above say why")]
    Differs(String),
    /// A gate found what it is there to find.
    #[error("{0}")]
    Gate(String),
}

impl Outcome {
    /// Returns the exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::CannotTrace => exit::CANNOT_TRACE,
            Self::Differs(_) => exit::DIFFERS,
            Self::Gate(_) => exit::GATE,
        }
    }

    /// Fails if `verification` did not pass in an aspect that counts.
    fn check(verification: Option<&Verification>, required: &BTreeSet<Aspect>) -> Result<(), Self> {
        let failed: Vec<&str> = verification
            .into_iter()
            .flat_map(|verification| verification.failed(required))
            .map(|verdict| verdict.aspect.name())
            .collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Self::Differs(failed.join(", ")))
        }
    }
}

pub(crate) async fn run(global: Global, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Build(args) => build::build(&global, args).await,
        Command::Profile(args) => build::profile(&global, args).await,
        Command::Record(args) => record::run(&global, args).await,
        Command::Generate(args) => generate::run(&global, args).await,
        Command::Verify(args) => verify::run(&global, &args).await,
        Command::Merge(args) => merge::run(&global, &args),
        Command::Explain(args) => explain::run(&global, &args),
        Command::Diff(args) => diff::run(&global, &args),
        Command::Doctor => doctor::run(&global).await,
        Command::InternalDocs { directory } => docs::run(&directory),
    }
}

/// A [`Stop`] that Ctrl-C, SIGTERM and a terminal that is closed (SIGHUP) signal. One more than that ends slim at once,
/// whatever it is at.
fn stop_on_signals() -> anyhow::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = Stop::default();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    // Under nohup it is ignored, and stays so.
    let mut hang_up = if ignores_hang_up() {
        None
    } else {
        Some(signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?)
    };
    let signalled = stop.clone();
    tokio::spawn(async move {
        loop {
            let hung_up = async {
                match &mut hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            let signals = tokio::select! {
                Some(()) = interrupt.recv() => 1,
                // These never mean "go on until you are told".
                Some(()) = terminate.recv() => 2,
                Some(()) = hung_up => 2,
                else => break,
            };
            if signalled.is_ending() {
                crate::progress::say("error: ended at once; slim's watchdog removes what was created");
                std::process::exit(i32::from(exit::FAILED));
            }
            for _ in 0..signals {
                signalled.signal();
            }
        }
    });
    Ok(stop)
}

/// Returns whether SIGHUP was ignored when this process was started: bit 0 of `SigIgn` in `/proc/self/status` (proc_pid_status(5)).
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Connects to the engine for work that starts nothing. An image in a file needs none; a product of it is `loads`ed into
/// one that answers.
async fn connect_for(global: &Global, image: &ImageName, loads: bool) -> anyhow::Result<Box<dyn Engine>> {
    match image {
        ImageName::Archive(_) if !loads => Ok(Box::new(NoEngine::default())),
        ImageName::Archive(_) => match connect(global).await {
            Err(error) if is_unreachable(&error) => {
                tracing::warn!("{error}: the image is written to {}", slim_core::build::ARCHIVE);
                Ok(Box::new(NoEngine::default()))
            }
            other => other,
        },
        ImageName::Engine(_) => connect(global).await,
    }
}

/// Returns true for the error of an engine that does not answer.
fn is_unreachable(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(pipeline::Error::Engine(engine::Error::Unreachable { .. }))
    )
}

/// Connects to the engine, removes what dead runs left behind in it, and says so.
async fn connect(global: &Global) -> anyhow::Result<Box<dyn Engine>> {
    let engine = engine::connect(global.host.as_deref())
        .await
        .map_err(pipeline::Error::from)?;
    let state = owned::State::default_path().and_then(|path| owned::State::existing(&path));
    match state {
        Ok(None) => {}
        Ok(Some(state)) => {
            let cleaned = pipeline::clean_up(&state, engine.as_ref()).await;
            for removed in cleaned.removed {
                progress::say(&report::printable(&removed.to_string()));
            }
            for warning in cleaned.warnings {
                tracing::warn!("{}", report::printable(&warning));
            }
        }
        // To create something is refused then; what creates nothing goes on.
        Err(error) => tracing::warn!("{error}"),
    }
    Ok(engine)
}

fn open_output(
    global: &Global,
    directory: Option<&PathBuf>,
    image: &ImageName,
) -> Result<Output, pipeline::Error> {
    let default = || pipeline::default_directory(&image.reference().to_string());
    Output::open(&directory.cloned().unwrap_or_else(default), global.output_mode)
}

/// Fails if a recording from a file needs privileges that are not allowed, unless it is signed.
fn check_recorded(
    recording: &Recording,
    engine: &dyn Engine,
    words: &Words,
    signed: bool,
) -> Result<(), pipeline::Error> {
    if signed {
        return Ok(());
    }
    words.check(privileges::of_recording(recording, engine.facts()))?;
    Ok(())
}

/// Records, and keeps the container's own log whatever came of it.
async fn recorded(
    session: Session<'_>,
    image: &slim_core::image::Image,
    options: &pipeline::RecordOptions,
    loading: pipeline::Loading,
    output: &Output,
) -> anyhow::Result<pipeline::Recorded> {
    let result = pipeline::record(session, image, options, loading).await;
    let log = match &result {
        Ok(recorded) => [recorded.log.0.as_slice(), recorded.log.1.as_slice()].concat(),
        Err(error) => error.log().unwrap_or_default().as_bytes().to_vec(),
    };
    if result.is_ok() || !log.is_empty() {
        output.write("container.log", &log)?;
    }
    Ok(result?)
}

/// Completes the report with times, writes it, and prints it.
fn finish(
    global: &Global,
    mut product: Product,
    probe: Vec<String>,
    required: Option<&BTreeSet<Aspect>>,
    output: &Output,
    progress: Progress,
    began: Instant,
) -> anyhow::Result<()> {
    product.report.stages = progress.times();
    product.report.total_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    product.report.peak_memory = memory::peak();
    if !probe.is_empty() {
        product.report.probe = probe;
    }
    let document = json(&product.report)?;
    output.write(pipeline::REPORT_FILE, document.as_bytes())?;
    drop(progress);
    match global.results() {
        Results::Text => out!("{}", report::summary(&product.report)),
        Results::Json => out!("{document}"),
    }
    let none = BTreeSet::new();
    let checked = Outcome::check(product.report.verification.as_ref(), required.unwrap_or(&none));
    // What did not pass leaves its report, and nothing that somebody could start by mistake; unless it was asked for.
    if checked.is_ok()
        || product
            .report
            .product
            .as_ref()
            .is_some_and(|image| !image.tags.is_empty())
    {
        output.complete();
    }
    Ok(checked?)
}

/// The plan in an output directory.
fn load_plan(directory: &Path) -> anyhow::Result<Plan> {
    let path = directory.join(pipeline::PLAN_FILE);
    let bytes = std::fs::read(&path).with_context(|| {
        format!(
            "{}: no plan there; name the output directory of slim build or generate",
            path.display()
        )
    })?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{}: not a plan of version {}", path.display(), plan::VERSION))
}

fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// The time that `SOURCE_DATE_EPOCH` sets.
fn source_date_epoch() -> anyhow::Result<Option<u64>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => Ok(Some(text.parse().with_context(|| {
            format!("SOURCE_DATE_EPOCH is {text:?}: expected seconds since 1970-01-01")
        })?)),
        Err(_) => Ok(None),
    }
}

/// Reads recordings, all of them signed if there is a key, and unites them, with the bodies that lie beside them.
fn load_recordings(
    paths: &[PathBuf],
    key: Option<&PublicKey>,
) -> anyhow::Result<(Recording, pipeline::Bodies)> {
    let mut bodies = pipeline::Bodies::new();
    let recording = unite(paths, key, |path, recording| {
        let directory = if path.is_dir() {
            path
        } else {
            path.parent().unwrap_or(Path::new("."))
        };
        bodies.extend(pipeline::load_bodies(recording, directory)?);
        Ok(())
    })?;
    Ok((recording, bodies))
}

/// Reads recordings and unites them; `with` sees each of them and where it is.
fn unite(
    paths: &[PathBuf],
    key: Option<&PublicKey>,
    mut with: impl FnMut(&Path, &Recording) -> anyhow::Result<()>,
) -> anyhow::Result<Recording> {
    let mut united: Option<Recording> = None;
    for path in paths {
        let recording = Recording::load_signed(path, key)?;
        with(path, &recording)?;
        united = Some(match united {
            Some(others) => others.merge(recording)?,
            None => recording,
        });
    }
    united.context("no recording is named")
}

/// Opens the store of what was found in files before; none, with a line in the log, where it cannot be used.
fn store() -> Option<Arc<Store>> {
    let path = Store::default_path()?;
    match Store::open(&path) {
        Ok(store) => Some(Arc::new(store)),
        // Without it slim is slower and nothing else, unless somebody could have put something there.
        Err(error @ store::Error::Untrusted { .. }) => {
            tracing::warn!("nothing is kept between runs: {error}");
            None
        }
        Err(error) => {
            tracing::debug!("nothing is kept between runs: {error}");
            None
        }
    }
}
