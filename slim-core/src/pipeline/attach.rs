//! Records what runs already, from outside: nothing is started, stopped, signalled or executed in it.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::observe::{Ending, Exercise, Live, Observer, Unwatched};
use super::record::{in_short, into_run};
use super::tracer::ActiveTracer;
use super::{Error, Session, Stage};
use crate::engine::{self, Container, Engine};
use crate::image::Image;
use crate::recording::{Outcome, Purpose, Run};
use crate::trace;

/// Period of the checks whether it still runs, and of the engine's word on its end.
const PERIOD: Duration = Duration::from_millis(50);

/// Time that the engine may take to notice that a container has ended.
const NOTICE: Duration = Duration::from_secs(5);

/// The subject of attaching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// A container of the engine.
    Container(Container),
    /// The processes in a cgroup2 directory and below it, which run from the image's files.
    Cgroup(PathBuf),
}

/// Options of attaching.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttachOptions {
    /// The longest time to record; none for as long as it runs.
    pub duration: Option<Duration>,
    /// The tracer's sizes.
    pub trace: trace::Options,
}

/// Records what `running` does, for as long as it runs, the options say, or until the user ends it.
///
/// # Errors
/// See [`Error`]; [`Error::Interrupted`] when the user ended it before recording began.
pub async fn attach(
    session: Session<'_>,
    image: &Image,
    running: &Running,
    options: &AttachOptions,
) -> Result<Run, Error> {
    let progress = session.progress;
    progress.begin(Stage::Attach, &running.name());
    let observer = Observer {
        session,
        loading: Some(session.tracer.load(options.trace)),
        unwatched: Unwatched::Refuse,
        cancelling: 1,
    };
    let exercise = Wait {
        duration: options.duration,
    };
    let (_, observation) = observer.attach(image, running, &exercise).await?.split();
    let run = into_run(session, image, observation, Vec::new(), Purpose::Attached)?;
    progress.end(Stage::Record, &in_short(&run));
    Ok(run)
}

impl Running {
    /// Returns its name.
    fn name(&self) -> String {
        match self {
            Self::Container(container) => container.name.clone(),
            Self::Cgroup(path) => path.display().to_string(),
        }
    }
}

/// Waits until what runs ends, for a time, or until the user ends it.
struct Wait {
    /// The longest time; none for as long as it runs.
    duration: Option<Duration>,
}

/// Why waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitEnd {
    /// The container or cgroup ended.
    Ended,
    /// It goes on: time is up, or the user ended it.
    GoesOn,
}

#[async_trait]
impl Exercise<Running> for Wait {
    type Answers = WaitEnd;

    async fn exercise(&self, live: &Live<'_, Running>) -> Result<WaitEnd, Error> {
        let Session { progress, stop, .. } = live.session;
        let name = live.subject.name();
        progress.end(Stage::Attach, &name);
        tracing::info!("attached to {name}");
        progress.begin(Stage::Record, "until it ends or Ctrl-C");
        Ok(tokio::select! {
            () = ended(live) => WaitEnd::Ended,
            () = stop.signalled(1) => WaitEnd::GoesOn,
            () = passed(self.duration) => WaitEnd::GoesOn,
        })
    }

    fn not_started(&self, error: engine::Error, _log: String) -> Result<WaitEnd, Error> {
        Err(error.into())
    }

    async fn end(&self, live: &Live<'_, Running>, answers: &WaitEnd) -> Result<Ending, Error> {
        let mut ending = Ending::default();
        if let Running::Container(container) = live.subject {
            let engine = live.session.engine;
            ending.peaks = engine.peaks(container).await.unwrap_or_default();
            if *answers == WaitEnd::Ended {
                ending.outcome = end_of(engine, container, live.first_process).await;
            }
        }
        Ok(ending)
    }
}

/// Resolves when no process is left. The kernel is asked and not the engine, which may be restarted meanwhile.
async fn ended(live: &Live<'_, Running>) {
    while live.tracer().is_none_or(ActiveTracer::populated) {
        tokio::time::sleep(PERIOD).await;
    }
}

/// Resolves when `duration` has passed; never without one.
async fn passed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Returns how a container ended whose first process was `pid`. Of one that is removed by then (`docker run --rm`), runs anew or
/// that the engine still takes for running, nobody knows.
async fn end_of(engine: &dyn Engine, container: &Container, pid: Option<u32>) -> Outcome {
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
