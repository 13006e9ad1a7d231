//! What exercises the app.
//!
//! [`run`] waits until the container is ready, asks it what there is to ask, and hands back every request and answer as
//! an [`Exchange`]; [`replay`] asks the same again. Both see the container through a [`Target`] only.
//!
//! - `ready`: which ports there are, and what is spoken on each
//! - [`ask`] (`http`), `tcp`: one question and its answer
//! - `crawl`: what a page links to; `file`, `openapi`: what the user and a description name
//! - `session`: the order of asking, and what fails the run

mod crawl;
mod file;
mod http;
mod openapi;
mod questions;
mod ready;
mod session;
mod tcp;
mod transcript;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::digest::Digest;
use crate::recording::{Body, Exchange, ExchangeKind, ExecExchange, Origin, SocketUse};

pub use http::{Answer, Dialect, Failure, Request, ask};
pub use questions::Questions;
pub use session::{comes_up, replay, replay_within, run};
pub use transcript::Unrecorded;

/// How the container is exercised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Whatever it turns out to speak; a container that listens nowhere is a job.
    #[default]
    Auto,
    /// HTTP or HTTPS.
    Http,
    /// Bytes over TCP.
    Tcp,
    /// A command run in the container.
    Exec,
    /// Not at all: it is watched for a time, until it exits, or until an interrupt.
    None,
}

/// What to ask, and how long to wait.
#[derive(Clone, Debug)]
pub struct Options {
    /// How.
    pub mode: Mode,
    /// Ports that must answer (`--port`).
    pub ports: Vec<u16>,
    /// Watch at least that long (`--for`).
    pub min_duration: Option<Duration>,
    /// Watch until the container exits by itself.
    pub until_exit: bool,
    /// Watch until [`Target::interrupted`].
    pub until_interrupt: bool,
    /// How long the app may take until it answers.
    pub readiness_deadline: Duration,
    /// How long a job may run.
    pub job_deadline: Duration,
    /// Paths to ask besides `/` (`--http-path`); `:PORT/PATH` names another than the first HTTP port.
    pub http_paths: Vec<String>,
    /// Requests to send, as YAML or JSON (`--probe-file`): a list of `path`, `method`, `port`, `headers` (`${NAME}` takes a
    /// value from the environment), one of `json`, `body` and `body-file`, and `expect` (`status`, `body-contains`, `header`).
    pub probe_file: Option<PathBuf>,
    /// An OpenAPI 3 or Swagger 2 description: a file, or where there is none of that name a path on the app
    /// (`--probe-openapi`).
    pub openapi: Option<String>,
    /// What to send to a port that speaks neither HTTP nor HTTPS (`--tcp-send`).
    pub tcp_send: Option<Vec<u8>>,
    /// The command of the exec probe; given with another mode, it is run besides.
    pub exec: Option<Vec<String>>,
    /// How many links away from `/` the crawl goes; 0 asks for `/` alone.
    pub crawl_depth: u32,
    /// How many pages the crawl visits; what belongs to a page (scripts, styles, images) is not counted.
    pub crawl_pages: u32,
    /// The exit code of the job or of the exec probe's command; 0 if not given.
    pub expect_exit: Option<i64>,
}

impl Options {
    /// Finds what is wrong with the options, the probe file and a description in a file before anything is started.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::ProbeFile`], [`Error::OpenApi`].
    pub fn check(&self) -> Result<(), Error> {
        session::Plan::of(self).map(|_| ())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            ports: Vec::new(),
            min_duration: None,
            until_exit: false,
            until_interrupt: false,
            readiness_deadline: Duration::from_secs(60),
            job_deadline: Duration::from_secs(300),
            http_paths: Vec::new(),
            probe_file: None,
            openapi: None,
            tcp_send: None,
            exec: None,
            crawl_depth: 2,
            crawl_pages: 64,
            expect_exit: None,
        }
    }
}

/// An error of whoever implements [`Target`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A command that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub exit_code: i64,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// What the probe sees of the started container.
#[async_trait]
pub trait Target: Send + Sync {
    /// Whether it still runs.
    async fn running(&self) -> Result<bool, BoxError>;

    /// What the tracer saw listened on by now.
    fn listening(&self) -> Vec<SocketUse>;

    /// Exposed, published and given ports with their protocol (`tcp`, `udp`, `sctp`).
    fn exposed(&self) -> Vec<(u16, String)>;

    /// Where that port of the container is reached from here; none if nowhere.
    async fn endpoint(&self, port: u16) -> Option<SocketAddr>;

    /// Runs a command in it and waits for its end.
    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError>;

    /// Waits for its end; its exit code.
    async fn wait(&self) -> Result<i64, BoxError>;

    /// What it has written by now; empty where that is not known. The exit code is not looked at.
    async fn output(&self) -> ExecOutput {
        ExecOutput::default()
    }

    /// Called once, at the first answered probe: from here on it serves.
    fn first_answer(&self);

    /// Resolves when the user asks for the end of [`Options::until_interrupt`].
    async fn interrupted(&self);

    /// What is done or waited for now, for whoever looks on.
    fn progress(&self, message: &str);
}

/// What the container turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It serves HTTP (and maybe other things) on these ports.
    Http {
        /// The container's ports that speak HTTP or HTTPS.
        ports: Vec<u16>,
    },
    /// It answers on these TCP ports.
    Tcp {
        /// The container's ports.
        ports: Vec<u16>,
    },
    /// A command was run in it.
    Exec,
    /// It ran until it exited.
    Job,
    /// It was watched only.
    None,
}

/// How long a replay waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the first answer.
    pub readiness: Duration,
    /// For the exit of a job.
    pub job: Duration,
}

impl Timeouts {
    /// For a product whose original took `readiness` to its first answer and `whole` to its end: three times as long,
    /// and five seconds.
    pub fn after(readiness: Duration, whole: Duration) -> Self {
        let generous = |time: Duration| time * 3 + Duration::from_secs(5);
        Self {
            readiness: generous(readiness),
            job: generous(whole),
        }
    }
}

impl Default for Timeouts {
    /// That of [`Options::default`].
    fn default() -> Self {
        let options = Options::default();
        Self {
            readiness: options.readiness_deadline,
            job: options.job_deadline,
        }
    }
}

/// What came of a probe.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Every question and its answer, in the order of asking.
    pub exchanges: Vec<Exchange>,
    /// The bytes of every body that is marked as kept, at most 1 MiB each.
    pub bodies: BTreeMap<Digest, Vec<u8>>,
    /// What the user should know, a sentence each.
    pub summary: Vec<String>,
    /// What the container turned out to be.
    pub kind: Kind,
    /// Its exit code, if it exited.
    pub exit_code: Option<i64>,
    /// How long a product may take that is to behave as this did: three times as long as it took, and five seconds.
    pub patience: Timeouts,
    /// What the exchanges leave out and a replay needs; never written anywhere.
    pub unrecorded: Unrecorded,
}

impl Probed {
    /// Adds what the image's own health check came to.
    pub fn add_health_check(&mut self, command: &[String], output: &ExecOutput) {
        let sequence = self.exchanges.iter().map(|exchange| exchange.sequence + 1).max();
        let mut keep = |bytes: &[u8]| {
            let body = transcript::body(bytes);
            if body.kept {
                self.bodies.insert(body.digest.clone(), bytes.to_vec());
            }
            body
        };
        let kind = ExchangeKind::Exec(ExecExchange {
            command: command.to_vec(),
            exit_code: output.exit_code,
            stdout: keep(&output.stdout),
            stderr: keep(&output.stderr),
        });
        self.exchanges.push(Exchange {
            sequence: sequence.unwrap_or(0),
            origin: Origin::Health,
            kind,
        });
    }

    /// Asks `target` the same again, with what the recording leaves out, and no more patience than the original needed.
    ///
    /// # Errors
    /// As [`replay`].
    pub async fn replay(&self, target: &dyn Target) -> Result<Replayed, Error> {
        replay_within(
            target,
            &self.exchanges,
            &self.bodies,
            &self.unrecorded,
            self.patience,
        )
        .await
    }
}

/// What came of asking again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The questions that were asked again, with what was answered this time.
    pub exchanges: Vec<Exchange>,
    /// The bytes of every body that is marked as kept.
    pub bodies: BTreeMap<Digest, Vec<u8>>,
}

impl Replayed {
    fn keep(&mut self, body: &Body, bytes: &[u8]) {
        if body.kept {
            self.bodies
                .entry(body.digest.clone())
                .or_insert_with(|| bytes.to_vec());
        }
    }

    fn body(&mut self, bytes: &[u8]) -> Body {
        let body = transcript::body(bytes);
        self.keep(&body, bytes);
        body
    }
}

/// Why a probe failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The container ended while it should have answered.
    #[error(
        "the container exited with {code} {}; see its log; if it is a job, pass --until-exit",
        doing
    )]
    Exited {
        /// Its exit code.
        code: i64,
        /// `while …`.
        doing: String,
    },
    /// A job exited with another code than expected.
    #[error(
        "the job exited with {code}, expected {expected}; see its log, or pass --expect-exit {code} if that is right"
    )]
    Job {
        /// Its exit code.
        code: i64,
        /// The expected one.
        expected: i64,
    },
    /// It neither listens nor exits.
    #[error(
        "the container listens on no TCP port and did not exit within {} s; choose what exercises it: --port PORT if it is to \
         listen, --until-exit with a longer --job-timeout for a job, --probe exec to run a command in it, --for 30s to \
         watch it for a time, or --until-interrupt to watch it until Ctrl-C",
        seconds
    )]
    Neither {
        /// How long was waited.
        seconds: u64,
    },
    /// It is to run until it exits, and does not.
    #[error(
        "the container did not exit within {seconds} s; pass a longer --job-timeout, or --for 30s to watch it for a time"
    )]
    StillRunning {
        /// How long was waited.
        seconds: u64,
    },
    /// No port answered.
    #[error("nothing answered on {ports} within {seconds} s ({last}); {remedy}")]
    NotReady {
        /// `port 80` or `ports 80, 443`.
        ports: String,
        /// How long was waited.
        seconds: u64,
        /// What happened last.
        last: String,
        /// What to do.
        remedy: String,
    },
    /// It listens where only itself can connect.
    #[error(
        "the container listens on {address} port {port}, which is reached from inside the container only; make the app listen \
         on 0.0.0.0, run it with --network host, or exercise it with --probe exec"
    )]
    LoopbackOnly {
        /// The address.
        address: String,
        /// The port.
        port: u16,
    },
    /// A request that must succeed is still answered with 5xx.
    #[error("{request}: still {status} after {seconds} s; see the container's log{hint}")]
    StillFailing {
        /// The request.
        request: String,
        /// The last status.
        status: u16,
        /// How long was tried.
        seconds: u64,
        /// What else to do.
        hint: String,
    },
    /// A request that must succeed has no answer.
    #[error("{request}: no answer after {seconds} s: {last}; see the container's log")]
    Unanswered {
        /// The request.
        request: String,
        /// How long was tried.
        seconds: u64,
        /// What happened last.
        last: String,
    },
    /// An answer is not what the probe file says.
    #[error("{request}: expected {expected}, got {got}")]
    Expectation {
        /// The request.
        request: String,
        /// What the probe file says.
        expected: String,
        /// What came.
        got: String,
    },
    /// The command of the exec probe failed.
    #[error("{command:?} in the container exited with {code}, expected {expected}: {output}")]
    ExecFailed {
        /// The command.
        command: String,
        /// Its exit code.
        code: i64,
        /// The expected one.
        expected: i64,
        /// The end of what it wrote.
        output: String,
    },
    /// The command could not be run.
    #[error("{command:?} could not be run in the container: {source}")]
    Exec {
        /// The command.
        command: String,
        /// The engine's message.
        source: BoxError,
    },
    /// The probe file cannot be read or is not one.
    #[error("{}: {message}", path.display())]
    ProbeFile {
        /// The file.
        path: PathBuf,
        /// Which request, and what is wrong with it.
        message: String,
    },
    /// The API description cannot be read or is not one.
    #[error("{description}: no OpenAPI or Swagger description: {message}")]
    OpenApi {
        /// The file, or the path on the app.
        description: String,
        /// What is wrong with it.
        message: String,
    },
    /// The options do not say what to do.
    #[error("{0}")]
    Options(String),
    /// The container cannot be watched any more.
    #[error("the container's state: {0}")]
    Target(String),
}
