//! Watches one container while something exercises it: recording, attaching and verifying are this with other exercises.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::attach::Running;
use super::tracer::{ActiveTracer, Loading};
use super::{Error, LOG_LIMIT, Session, Stop};
use crate::cancel::Cancel;
use crate::engine::{self, Container};
use crate::image::{Image, ImageRef};
use crate::recording::{ContainerFacts, Outcome, Peaks, RuntimeFacts, SocketUse};
use crate::spec::ContainerSpec;
use crate::trace::{Scope, Traced};

/// Time that work may take to end after a signal.
const PATIENCE: Duration = Duration::from_millis(700);

/// An exercise of a container while it is watched.
#[async_trait]
pub(super) trait Exercise<C: Sync>: Sync {
    /// The answers.
    type Answers: Send;

    /// Exercises what runs.
    async fn exercise(&self, live: &Live<'_, C>) -> Result<Self::Answers, Error>;

    /// Says what it means that the container could not be started; `log` is what it wrote all the same.
    fn not_started(&self, error: engine::Error, log: String) -> Result<Self::Answers, Error>;

    /// Ends what runs, where that is to be watched too.
    async fn end(&self, _live: &Live<'_, C>, _answers: &Self::Answers) -> Result<Ending, Error> {
        Ok(Ending::default())
    }
}

/// The state of a container at its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// The outcome; the default if it goes on.
    pub(super) outcome: Outcome,
    /// The peaks of its resources before.
    pub(super) peaks: Peaks,
}

/// A running container that is watched: one that was started for it, or what ran already.
pub(super) struct Live<'a, C> {
    pub(super) session: Session<'a>,
    pub(super) subject: &'a C,
    /// None where it is not watched.
    pub(super) tracer: Option<Box<dyn ActiveTracer>>,
    /// The first process of a container that ran already.
    pub(super) first_process: Option<u32>,
}

impl<C> Live<'_, C> {
    pub(super) fn tracer(&self) -> Option<&dyn ActiveTracer> {
        self.tracer.as_deref()
    }
}

/// The result of observing.
#[derive(Debug)]
pub(super) struct Observation<A> {
    pub(super) answers: A,
    /// When it began, in seconds since 1970-01-01 UTC.
    pub(super) started: u64,
    pub(super) duration: Duration,
    /// The observation and the facts of the container; none if it was not watched.
    pub(super) watched: Option<Watched>,
    /// The sockets that it listened on at last; none if it was not watched.
    pub(super) listening: Option<Vec<SocketUse>>,
    pub(super) ending: Ending,
    /// Standard output and error of a container that was started for it.
    pub(super) log: (Vec<u8>, Vec<u8>),
}

impl<A> Observation<A> {
    /// Takes the answers out.
    pub(super) fn split(self) -> (A, Observation<()>) {
        let Self {
            answers,
            started,
            duration,
            watched,
            listening,
            ending,
            log,
        } = self;
        let rest = Observation {
            answers: (),
            started,
            duration,
            watched,
            listening,
            ending,
            log,
        };
        (answers, rest)
    }
}

/// The observation of a container and its facts.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) traced: Traced,
    pub(super) container: ContainerFacts,
    pub(super) runtime: RuntimeFacts,
}

/// The treatment of a container that runs on another kernel than the tracer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwatched {
    /// Nothing: what is not seen is of no use.
    Refuse,
    /// Exercise it all the same.
    GoOn,
}

/// Observes one container.
pub(super) struct Observer<'a> {
    pub(super) session: Session<'a>,
    /// The tracer; none to go without.
    pub(super) loading: Option<Loading>,
    pub(super) unwatched: Unwatched,
    /// Number of signals that cancel it.
    pub(super) cancelling: u32,
}

/// An observation whose tracer is still to be drained.
struct Exercised<A> {
    observation: Observation<A>,
    tracer: Option<Box<dyn ActiveTracer>>,
    facts: (ContainerFacts, RuntimeFacts),
}

impl Observer<'_> {
    /// Creates the container of `image` that `spec` describes, starts it under the tracer, exercises it and removes it,
    /// whatever happened.
    ///
    /// # Errors
    /// [`Error::Losses`] where something was not seen; [`Error::Interrupted`]; what the exercise makes one.
    pub(super) async fn start<X: Exercise<Container>>(
        self,
        image: &ImageRef,
        spec: &ContainerSpec,
        exercise: &X,
    ) -> Result<Observation<X::Answers>, Error> {
        let (Session { engine, stop, .. }, cancelling) = (self.session, self.cancelling);
        let container = cancellable(stop, cancelling, engine.create(image, spec)).await?;
        let ran = cancellable(stop, cancelling, self.run(&container, exercise)).await;
        // Removing ends what still runs, so that the tracer sees its end.
        let removed = engine.remove(&container).await;
        let ran = ran?;
        removed?;
        cancellable(stop, cancelling, ran.finish()).await
    }

    async fn run<X: Exercise<Container>>(
        self,
        container: &Container,
        exercise: &X,
    ) -> Result<Exercised<X::Answers>, Error> {
        let (session, unwatched) = (self.session, self.unwatched);
        let engine = session.engine;
        let scope = Scope::Container(container.id.clone());
        let mut live = Live {
            session,
            subject: container,
            tracer: watch(self.loading, scope).await?,
            first_process: None,
        };
        let (started, clock) = (now(), Instant::now());
        let mut facts = Ok(Default::default());
        let mut ending = Ending::default();
        let answers = match engine.start(container).await {
            Ok(()) => {
                if live.tracer().is_some_and(|tracer| !tracer.scoped()) {
                    live.tracer = not_on_this_kernel(session, container, unwatched)?;
                }
                if live.tracer.is_some() {
                    facts = engine.container_facts(container).await;
                }
                let answers = exercise.exercise(&live).await?;
                ending = exercise.end(&live, &answers).await?;
                answers
            }
            Err(error) => {
                let log = engine.logs(container, LOG_LIMIT).await.unwrap_or_default();
                exercise.not_started(error, text_of(&log))?
            }
        };
        let duration = clock.elapsed();
        let log = engine.logs(container, LOG_LIMIT).await.unwrap_or_default();
        Ok(Exercised {
            observation: Observation {
                answers,
                started,
                duration,
                watched: None,
                listening: live.tracer().map(ActiveTracer::listening),
                ending,
                log,
            },
            tracer: live.tracer,
            facts: facts?,
        })
    }

    /// Watches what runs already, from outside, until the exercise ends.
    ///
    /// # Errors
    /// [`Error::NotRunning`], [`Error::Empty`], [`Error::OtherRoot`], [`Error::AnotherKernel`]; [`Error::Losses`];
    /// [`Error::Interrupted`] when the user ended it before it was watched.
    pub(super) async fn attach<X: Exercise<Running>>(
        self,
        image: &Image,
        running: &Running,
        exercise: &X,
    ) -> Result<Observation<X::Answers>, Error> {
        let (stop, cancelling) = (self.session.stop, self.cancelling);
        let (live, facts) = cancellable(stop, cancelling, self.attached(image, running)).await?;
        let (started, clock) = (now(), Instant::now());
        let answers = exercise.exercise(&live).await?;
        let duration = clock.elapsed();
        let ending = exercise.end(&live, &answers).await?;
        let exercised = Exercised {
            observation: Observation {
                answers,
                started,
                duration,
                watched: None,
                listening: live.tracer().map(ActiveTracer::listening),
                ending,
                log: Default::default(),
            },
            tracer: live.tracer,
            facts,
        };
        exercised.finish().await
    }

    async fn attached<'r>(
        self,
        image: &Image,
        running: &'r Running,
    ) -> Result<(Live<'r, Running>, (ContainerFacts, RuntimeFacts)), Error>
    where
        Self: 'r,
    {
        let session = self.session;
        let Session { engine, tracer, .. } = session;
        let (cgroup, facts, first_process) = match running {
            Running::Container(container) => {
                let state = engine.state(container).await?;
                let Some(pid) = state.pid.filter(|_| state.running) else {
                    return Err(not_running(container));
                };
                let cgroup = tracer.cgroup_of(&container.id, pid);
                let cgroup = cgroup.ok_or_else(|| another_kernel(container))?;
                (cgroup, engine.container_facts(container).await?, Some(pid))
            }
            Running::Cgroup(path) => {
                let facts = tracer.container_facts(path).unwrap_or_default();
                (path.clone(), (facts, RuntimeFacts::default()), None)
            }
        };
        let active = watch(self.loading, Scope::Cgroup(cgroup.clone())).await?;
        let populated = active.as_ref().is_none_or(|active| active.populated());
        match running {
            // It may have ended, and even begun anew in another cgroup, before the tracer was there.
            Running::Container(container) => {
                let state = engine.state(container).await?;
                if state.pid != first_process || !populated {
                    return Err(not_running(container));
                }
            }
            Running::Cgroup(_) if !populated => return Err(Error::Empty { path: cgroup }),
            Running::Cgroup(path) => {
                let programs = tracer.programs(path);
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
        let live = Live {
            session,
            subject: running,
            tracer: active,
            first_process,
        };
        Ok((live, facts))
    }
}

impl<A> Exercised<A> {
    /// Drains the tracer.
    async fn finish(self) -> Result<Observation<A>, Error> {
        let mut observation = self.observation;
        if let Some(tracer) = self.tracer {
            let traced = tokio::task::spawn_blocking(move || tracer.finish()).await??;
            let losses = traced.observed.losses;
            if losses.total() > 0 {
                return Err(Error::Losses(losses));
            }
            let (container, runtime) = self.facts;
            observation.watched = Some(Watched {
                traced,
                container,
                runtime,
            });
        }
        Ok(observation)
    }
}

/// Sets the tracer, if there is one, on `scope`.
async fn watch(loading: Option<Loading>, scope: Scope) -> Result<Option<Box<dyn ActiveTracer>>, Error> {
    let Some(loading) = loading else {
        return Ok(None);
    };
    let loaded = loading.await??;
    Ok(Some(
        tokio::task::spawn_blocking(move || loaded.watch(scope)).await??,
    ))
}

/// Says what becomes of a container that the tracer does not see.
fn not_on_this_kernel(
    session: Session<'_>,
    container: &Container,
    unwatched: Unwatched,
) -> Result<Option<Box<dyn ActiveTracer>>, Error> {
    match unwatched {
        Unwatched::Refuse => Err(another_kernel(container)),
        Unwatched::GoOn => {
            session
                .progress
                .warn("the engine runs on another kernel, so what the product misses is not seen");
            Ok(None)
        }
    }
}

fn another_kernel(container: &Container) -> Error {
    Error::AnotherKernel {
        container: container.id.chars().take(12).collect(),
    }
}

fn not_running(container: &Container) -> Error {
    Error::NotRunning {
        container: container.name.clone(),
    }
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

/// Returns what `work` returns on a thread of its own, or [`Error::Interrupted`] as soon as a signal has come.
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

/// Seconds since 1970-01-01 UTC.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

pub(super) fn text_of((stdout, stderr): &(Vec<u8>, Vec<u8>)) -> String {
    let mut text = String::from_utf8_lossy(stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(stderr));
    text
}
