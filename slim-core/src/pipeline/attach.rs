//! Records what runs already, from outside: nothing is started, stopped, signalled or executed in it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::record::{Loading, Watch, cancellable, load, now};
use super::{Error, Observer, Stage, Stop};
use crate::engine::{self, Container, Engine};
use crate::image::Image;
use crate::recording::{ContainerFacts, Outcome, Peaks, Purpose, Run, RuntimeFacts};
use crate::trace::{self, Scope, Tracer};

/// How often is looked whether it still runs, and what the engine says of its end.
const PERIOD: Duration = Duration::from_millis(50);

/// How long the engine may take to notice that a container has ended.
const NOTICE: Duration = Duration::from_secs(5);

/// What runs already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// A container of the engine.
    Container(Container),
    /// The processes in a cgroup2 directory and below it, which run from the image's files.
    Cgroup(PathBuf),
}

/// How to attach.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttachOptions {
    /// How long to record at most; none for as long as it runs.
    pub duration: Option<Duration>,
    /// The tracer's sizes.
    pub trace: trace::Options,
}

/// Records what `running` does, for as long as it runs, the options say, or until `stop` is signalled.
///
/// # Errors
/// See [`Error`]; [`Error::Interrupted`] when `stop` was signalled before recording began.
pub async fn attach(
    engine: &dyn Engine,
    image: &Image,
    running: &Running,
    options: &AttachOptions,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Run, Error> {
    observer.begin(Stage::Attach, &running.name());
    let loading = load(options.trace);
    let attaching = Attached::new(engine, image, running, loading);
    let attached = cancellable(stop, 1, attaching).await?;
    observer.end(Stage::Attach, &running.name());
    tracing::info!("attached to {}", running.name());

    let (started, clock) = (now(), Instant::now());
    observer.begin(Stage::Record, "until it ends or Ctrl-C");
    let ended = tokio::select! {
        () = attached.ended() => true,
        () = stop.signalled(1) => false,
        () = passed(options.duration) => false,
    };
    let duration = clock.elapsed();
    let Attached {
        tracer, given, pid, ..
    } = attached;
    let mut outcome = Outcome::default();
    let mut peaks = Peaks::default();
    if let Running::Container(container) = running {
        peaks = engine.peaks(container).await.unwrap_or_default();
        if ended {
            outcome = end_of(engine, container, pid).await;
        }
    }
    let observed = tokio::task::spawn_blocking(move || tracer.finish()).await??;
    if observed.losses.total() > 0 {
        return Err(Error::Losses(observed.losses));
    }
    observer.end(
        Stage::Record,
        &format!(
            "{} files, {} kinds of call",
            observed.files.len(),
            observed.syscalls.len()
        ),
    );
    let watch = Watch {
        started,
        duration,
        given,
        observed,
        peaks,
        exchanges: Vec::new(),
        outcome,
    };
    Ok(watch.into_run(engine, image, Purpose::Attached))
}

impl Running {
    /// What it is called.
    fn name(&self) -> String {
        match self {
            Self::Container(container) => container.name.clone(),
            Self::Cgroup(path) => path.display().to_string(),
        }
    }
}

/// A tracer on what runs, and what that was given.
struct Attached {
    tracer: Tracer,
    given: (ContainerFacts, RuntimeFacts),
    /// The container's first process; 0 where the engine knows of none.
    pid: i64,
}

impl Attached {
    async fn new(
        engine: &dyn Engine,
        image: &Image,
        running: &Running,
        loading: Loading,
    ) -> Result<Self, Error> {
        let (cgroup, given, pid) = match running {
            Running::Container(container) => {
                let state = engine.state(container).await?;
                if !state.running {
                    return Err(not_running(container));
                }
                let process = u32::try_from(state.pid).unwrap_or_default();
                let cgroup = trace::of_container(&container.id, process);
                let cgroup = cgroup.ok_or_else(|| Error::AnotherKernel {
                    container: container.name.clone(),
                })?;
                (cgroup, engine.container_facts(container).await?, state.pid)
            }
            Running::Cgroup(path) => {
                let facts = trace::given(path).unwrap_or_default();
                (path.clone(), (facts, RuntimeFacts::default()), 0)
            }
        };
        let loaded = loading.await??;
        let scope = Scope::Cgroup(cgroup.clone());
        let tracer = tokio::task::spawn_blocking(move || loaded.watch(scope)).await??;
        match running {
            // It may have ended, and even begun anew in another cgroup, before the tracer was there.
            Running::Container(container) => {
                let state = engine.state(container).await?;
                if state.pid != pid || !tracer.populated() {
                    return Err(not_running(container));
                }
            }
            Running::Cgroup(path) => {
                if !tracer.populated() {
                    return Err(Error::Empty { path: cgroup });
                }
                let programs = trace::programs(path);
                let is_there = |program| image.rootfs.get(program).is_some();
                if let Some(program) = programs.first()
                    && !programs.iter().any(is_there)
                {
                    return Err(Error::OtherRoot {
                        path: cgroup,
                        program: program.clone(),
                        reference: image.reference.clone(),
                    });
                }
            }
        }
        Ok(Self { tracer, given, pid })
    }

    /// Resolves when no process is left. The kernel is asked and not the engine, which may be restarted meanwhile.
    async fn ended(&self) {
        while self.tracer.populated() {
            tokio::time::sleep(PERIOD).await;
        }
    }
}

fn not_running(container: &Container) -> Error {
    Error::NotRunning {
        container: container.name.clone(),
    }
}

/// Resolves when `duration` has passed; never without one.
async fn passed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// How a container ended whose first process was `pid`. Of one that is removed by then (`docker run --rm`), runs anew or
/// that the engine still takes for running, nobody knows.
async fn end_of(engine: &dyn Engine, container: &Container, pid: i64) -> Outcome {
    let noticed = async {
        loop {
            match engine.state(container).await {
                Ok(state) if state.pid == pid => tokio::time::sleep(PERIOD).await,
                Ok(state) => return Ok::<_, engine::Error>(state.outcome),
                Err(error) => return Err(error),
            }
        }
    };
    let known = tokio::time::timeout(NOTICE, noticed).await;
    known.unwrap_or(Ok(Outcome::default())).unwrap_or_default()
}
