//! The probe exercises the app.
//!
//! [`run`] waits until the container is ready, sends requests, and returns every request and answer as an [`Exchange`];
//! [`replay()`] sends the same requests again. Both see the container through a [`Target`] only.
//!
//! - `session`: the order of the steps; `quiet`: the silence of a container with nothing to do
//! - `ports`, `attempt`: the wait until the ports answer, and one attempt at a port
//! - `site`, `crawl`, `exec`, `job`: the requests to an HTTP site, its crawl, commands, and the exit of a job
//! - `grpc`: what a gRPC server says of itself
//! - `host`: the user's own tests, beside the container
//! - `replay`: the same requests again
//! - `http`, `tcp`, `udp`: one request and its answer; `backoff`: the pauses between attempts
//! - `requests`, `file`, `openapi`, `links`: the sources of requests
//! - `transcript`: requests and answers as they are recorded

mod attempt;
mod backoff;
mod crawl;
mod error;
mod exec;
#[cfg(test)]
mod fake;
mod file;
mod grpc;
mod host;
mod http;
mod job;
mod links;
mod openapi;
mod ports;
mod questions;
mod quiet;
mod replay;
mod requests;
mod session;
mod site;
mod tcp;
#[cfg(test)]
mod tests;
mod transcript;
mod udp;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::recording::{Bodies, Exchange, ExchangeKind, ExecExchange, Origin, SocketUse};

pub use crate::cgroup::Work;
pub use error::ProbeError;
pub use http::{Answer, Client, Failure, Protocol, Request};
pub use questions::Questions;
pub use replay::{comes_up, replay, replay_within};
pub use session::run;
pub use transcript::Unrecorded;

/// The kind of probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Mode {
    /// HTTP, HTTPS or TCP, as each port speaks; a container that listens nowhere is a job.
    #[default]
    Auto,
    /// HTTP or HTTPS.
    Http,
    /// Bytes over TCP.
    Tcp,
    /// A command run in the container.
    Exec,
    /// None; the container is observed until --for, --until-exit or --until-interrupt ends it.
    None,
}

/// The end of the observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The probe is done. A job has exited by then.
    #[default]
    ProbeDone,
    /// The probe is done, and the container has been observed for this long (`--for`).
    After(Duration),
    /// The container exits by itself (`--until-exit`), within [`Options::job_deadline`].
    Exit,
    /// [`Target::interrupted`] resolves (`--until-interrupt`).
    Interrupt,
}

/// The requests to send, and the time to wait. The defaults are those of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The kind of probe.
    pub mode: Mode,
    /// The end of the observation.
    pub end: End,
    /// Ports that must answer (`--port`).
    pub ports: Vec<u16>,
    /// The time that the app may take until it answers.
    pub readiness_deadline: Duration,
    /// The time that a job may run.
    pub job_deadline: Duration,
    /// Paths to request besides `/` (`--http-path`); `:PORT/PATH` names another port than the first HTTP port.
    pub http_paths: Vec<String>,
    /// Requests to send, as YAML or JSON (`--probe-file`): a list of `path`, `method`, `port`, `headers` (`${NAME}` takes a
    /// value from the environment), one of `json`, `body` and `body-file`, and `expect` (`status`, `body-contains`, `header`).
    pub probe_file: Option<PathBuf>,
    /// An OpenAPI 3 or Swagger 2 description: a file, or where there is none of that name a path on the app
    /// (`--probe-openapi`).
    pub openapi: Option<String>,
    /// The bytes to send to a port that speaks neither HTTP nor HTTPS (`--tcp-send`).
    pub tcp_send: Option<Vec<u8>>,
    /// The datagrams to send to a UDP port in place of a known protocol's, in their order (`--udp-send`).
    pub udp_send: Vec<Datagram>,
    /// The user's own tests, as a shell reads them: run on the host beside the container when everything else is done
    /// (`--run`).
    pub run: Vec<String>,
    /// The time that each of them may take.
    pub run_deadline: Duration,
    /// The command of the exec probe; given with another mode, it is run besides.
    pub exec: Option<Vec<String>>,
    /// Number of links from `/` to the farthest page of the crawl; 0 requests `/` alone.
    pub crawl_depth: u32,
    /// Number of pages that the crawl visits; the parts of a page (scripts, styles, images) are not counted.
    pub crawl_pages: u32,
    /// The exit code that the job, or the exec probe's command, must have.
    pub expect_exit: i64,
}

impl Options {
    /// The default of [`Options::crawl_depth`].
    pub const CRAWL_DEPTH: u32 = 2;
    /// The default of [`Options::crawl_pages`].
    pub const CRAWL_PAGES: u32 = 100;

    /// Checks the options, the probe file and a description in a file, before anything is started.
    ///
    /// # Errors
    /// [`ProbeError::Options`], [`ProbeError::ProbeFile`], [`ProbeError::OpenApi`].
    pub fn check(&self) -> Result<(), ProbeError> {
        requests::Requests::load(self).map(|_| ())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            end: End::ProbeDone,
            ports: Vec::new(),
            readiness_deadline: Duration::from_secs(60),
            job_deadline: Duration::from_secs(600),
            http_paths: Vec::new(),
            probe_file: None,
            openapi: None,
            tcp_send: None,
            udp_send: Vec::new(),
            run: Vec::new(),
            run_deadline: Duration::from_secs(600),
            exec: None,
            crawl_depth: Self::CRAWL_DEPTH,
            crawl_pages: Self::CRAWL_PAGES,
            expect_exit: 0,
        }
    }
}

/// A datagram to send to a UDP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The container's port.
    pub port: u16,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// `PORT=HEX`, an even number of hexadecimal digits, or `PORT=TEXT`; `PORT=text:TEXT` for a text of such digits.
impl FromStr for Datagram {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "expected PORT=HEX or PORT=TEXT, as in 53=736c0100000100000000000000000100010000".to_owned();
        let (port, content) = text.split_once('=').ok_or_else(wrong)?;
        let port = port.strip_suffix("/udp").unwrap_or(port);
        let bytes = match content.strip_prefix("text:") {
            Some(text) => text.as_bytes().to_vec(),
            None => hex::decode(content).unwrap_or_else(|_| content.as_bytes().to_vec()),
        };
        if bytes.len() > MAX_DATAGRAM {
            return Err(format!("a datagram holds at most {MAX_DATAGRAM} bytes"));
        }
        Ok(Self {
            port: port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
            bytes,
        })
    }
}

/// Number of bytes that a datagram over IPv4 holds.
const MAX_DATAGRAM: usize = 65_507;

/// An error of an implementation of [`Target`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The output of a command that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub exit_code: i64,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// The started container, as the probe sees it.
#[async_trait]
pub trait Target: Send + Sync {
    /// Returns true if it still runs.
    async fn running(&self) -> Result<bool, BoxError>;

    /// Returns the sockets that the tracer saw listened on by now.
    fn listening(&self) -> Vec<SocketUse>;

    /// Returns the exposed, published and given ports with their protocol (`tcp`, `udp`, `sctp`).
    fn exposed(&self) -> Vec<(u16, String)>;

    /// Returns the address at which that port of the container is reached from this machine, if it is.
    async fn endpoint(&self, port: u16) -> Option<SocketAddr>;

    /// Returns the address at which that UDP port of the container is reached from this machine, if it is.
    async fn udp_endpoint(&self, port: u16) -> Option<SocketAddr> {
        self.endpoint(port).await
    }

    /// Returns the container's id; empty where it has none.
    fn id(&self) -> String {
        String::new()
    }

    /// Returns the work of its processes; none where nobody can tell. Where this is known, [`Target::listening`] is whole.
    fn work(&self) -> Option<Work> {
        None
    }

    /// Runs a command in the container and waits for its end.
    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError>;

    /// Waits until the container exits. Returns its exit code.
    async fn wait(&self) -> Result<i64, BoxError>;

    /// Returns its output by now; empty where that is not known. The exit code is ignored.
    async fn output(&self) -> ExecOutput {
        ExecOutput::default()
    }

    /// Called once, at the first answer: from here on the app serves.
    fn first_answer(&self);

    /// Resolves when the user asks for [`End::Interrupt`].
    async fn interrupted(&self);

    /// Reports the current step, for display.
    fn progress(&self, message: &str);
}

/// The kind of container that the probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It serves HTTP on these ports, and may serve other protocols on others.
    Http {
        /// The container's ports that speak HTTP or HTTPS.
        ports: Vec<u16>,
    },
    /// It answers on these TCP ports.
    Tcp {
        /// The container's ports.
        ports: Vec<u16>,
    },
    /// It answers on these UDP ports, and on no TCP port.
    Udp {
        /// The container's ports.
        ports: Vec<u16>,
    },
    /// A command was run in it, or a test beside it.
    Exec,
    /// It ran until it exited.
    Job,
    /// It was observed only.
    None,
}

/// The time that a replay waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the first answer.
    pub readiness: Duration,
    /// For the exit of a job.
    pub job: Duration,
}

impl Timeouts {
    /// Three times as long as the original took (`readiness` to its first answer, `whole` to its end), and five seconds.
    pub fn after(readiness: Duration, whole: Duration) -> Self {
        let generous = |time: Duration| time * 3 + Duration::from_secs(5);
        Self {
            readiness: generous(readiness),
            job: generous(whole),
        }
    }
}

impl Default for Timeouts {
    /// The deadlines of [`Options::default`].
    fn default() -> Self {
        let options = Options::default();
        Self {
            readiness: options.readiness_deadline,
            job: options.job_deadline,
        }
    }
}

/// The result of a probe.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Every request and its answer, in the order of sending.
    pub exchanges: Vec<Exchange>,
    /// The bytes of every body that is marked as kept, at most 1 MiB each.
    pub bodies: Bodies,
    /// Notes for the user, a sentence each.
    pub summary: Vec<String>,
    /// The kind of container that the probe found.
    pub kind: Kind,
    /// Its exit code, if it exited.
    pub exit_code: Option<i64>,
    /// The time that a product may take: three times as long as this container took, and five seconds.
    pub patience: Timeouts,
    /// The values that the exchanges leave out and a replay needs; never written anywhere.
    pub unrecorded: Unrecorded,
}

impl Probed {
    /// Adds the outcome of the image's own health check.
    pub fn add_health_check(&mut self, command: &[String], output: &ExecOutput) {
        let sequence = self.exchanges.iter().map(|exchange| exchange.sequence + 1).max();
        let mut keep = |bytes: &[u8]| {
            let body = transcript::body(bytes);
            if body.kept {
                self.bodies
                    .insert(body.digest.clone(), Bytes::copy_from_slice(bytes));
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

    /// Sends the same requests to `target`, with the values that the recording leaves out, and the deadlines of
    /// [`Probed::patience`].
    ///
    /// # Errors
    /// As [`replay()`].
    pub async fn replay(&self, target: &dyn Target) -> Result<Replayed, ProbeError> {
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

/// The result of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// The requests that were sent again, with the answers of this time.
    pub exchanges: Vec<Exchange>,
    /// The bytes of every body that is marked as kept.
    pub bodies: Bodies,
}
