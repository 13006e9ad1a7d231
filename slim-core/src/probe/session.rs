//! The order of asking, and what fails the run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use tokio::time::{Instant, sleep, timeout};

use super::crawl::{Role, links};
use super::file::{self, Question};
use super::http::{Answer, Dialect, Failure, Request, ask};
use super::openapi::{self, Walk};
use super::ready::{ACCEPT, Attempt, Candidates, PATIENCE, Speaks, attempt};
use super::tcp::{Hello, Talk, talk};
use super::transcript::{self, Transcript};
use super::{
    BoxError, Error, ExecOutput, Kind, Mode, Options, Probed, Replayed, Target, Timeouts, Unrecorded,
};
use crate::digest::Digest;
use crate::recording::{
    Exchange, ExchangeKind, ExecExchange, HttpExchange, Origin, SocketAction, SocketUse, TcpExchange,
};

/// The first and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));
/// How long ports that nobody listens on are waited for once another has answered.
const GRACE: Duration = Duration::from_secs(1);
/// The same where the tracer saw the other one listened on, so that it would have seen these, too.
const TRACED_GRACE: Duration = Duration::from_millis(300);
/// How long a port is given that accepts connections without an answer, once another has answered, and how long a
/// container that listens for itself only.
const DOUBT: Duration = Duration::from_secs(5);
/// A crawl asks for at most this many parts per page that it may visit.
const PARTS_PER_PAGE: usize = 16;
/// How long a crawled answer may take.
const CRAWL_PATIENCE: Duration = Duration::from_secs(10);
/// How long a failing exec probe is tried again where no port shows that the app is ready.
const EXEC_RETRIES: Duration = Duration::from_secs(10);
/// An explicit request is tried for at least this long, however late the app was ready.
const AT_LEAST: Duration = Duration::from_secs(5);

/// Waits until the container is ready, exercises it, and watches it for as long as `options` say.
///
/// # Errors
/// [`Error`]: it exits, does not answer in time, or answers an explicit request otherwise than expected.
pub async fn run(target: &dyn Target, options: &Options) -> Result<Probed, Error> {
    let plan = Plan::of(options)?;
    let session = Session::new(target, options, &plan);
    let mut transcript = Transcript::default();
    let probing = session.probe(&mut transcript);
    let (mut kind, mut exit_code, interrupted) = tokio::select! {
        end = probing => match end {
            Ok((kind, code)) => (kind, code, false),
            // It may exit when it has done its work, asked or not.
            Err(Error::Exited { code, .. }) if options.until_exit => (Kind::Job, Some(code), false),
            Err(error) => return Err(error),
        },
        () = target.interrupted(), if options.until_interrupt => (Kind::None, None, true),
    };
    if exit_code.is_none() && !interrupted {
        exit_code = session.watch(&kind).await?;
        if exit_code.is_some() && kind == Kind::None && transcript.exchanges.is_empty() {
            kind = Kind::Job;
        }
    }
    if let Some(code) = exit_code
        && (kind == Kind::Job || options.until_exit)
    {
        let expected = match (&options.exec, options.expect_exit) {
            (None, Some(code)) => code,
            _ => 0,
        };
        if code != expected {
            return Err(Error::Job { code, expected });
        }
        let output = ExecOutput {
            exit_code: code,
            ..target.output().await
        };
        transcript.exec(Origin::Default, &[], &output);
    }
    let took = session.ready_after.get().copied();
    let patience = Timeouts::after(took.unwrap_or(Duration::ZERO), session.started.elapsed());
    Ok(Probed {
        patience,
        exchanges: transcript.exchanges,
        bodies: transcript.bodies,
        summary: transcript.summary,
        kind,
        exit_code,
        unrecorded: transcript.unrecorded,
    })
}

/// What there is to ask besides what the probe finds by itself.
#[derive(Default)]
pub(super) struct Plan {
    asked: Vec<Question>,
    openapi: Option<Description>,
    /// Ports that must answer: the given ones, and those that requests name.
    ports: BTreeSet<u16>,
}

enum Description {
    File(Walk),
    /// A path on the app.
    Served,
}

impl Plan {
    pub(super) fn of(options: &Options) -> Result<Self, Error> {
        let wrong = |message: &str| Err(Error::Options(message.to_owned()));
        if options.mode == Mode::Exec && options.exec.as_ref().is_none_or(Vec::is_empty) {
            return wrong("--probe exec needs the command to run in the container: --exec COMMAND");
        }
        let ends = options.min_duration.is_some() || options.until_exit || options.until_interrupt;
        if options.mode == Mode::None && !ends {
            return wrong(
                "--probe none needs an end: --for 30s, --until-exit, or --until-interrupt to stop with Ctrl-C",
            );
        }
        let requests =
            !options.http_paths.is_empty() || options.probe_file.is_some() || options.openapi.is_some();
        if requests && !matches!(options.mode, Mode::Auto | Mode::Http) {
            return wrong("--http-path, --probe-file and --probe-openapi need --probe auto or http");
        }
        let asked = match &options.probe_file {
            Some(path) => file::load(path)?,
            None => Vec::new(),
        };
        let openapi = match &options.openapi {
            None => None,
            Some(text) if !text.starts_with('/') || Path::new(text).is_file() => {
                let wrong = |message: String| Error::OpenApi {
                    description: text.clone(),
                    message,
                };
                let bytes = std::fs::read(text).map_err(|error| wrong(error.to_string()))?;
                let walk = openapi::walk(&String::from_utf8_lossy(&bytes), "/").map_err(wrong)?;
                Some(Description::File(walk))
            }
            Some(_) => Some(Description::Served),
        };
        let paths = options.http_paths.iter();
        let ports = options
            .ports
            .iter()
            .copied()
            .chain(asked.iter().filter_map(|asked| asked.http()?.port))
            .chain(paths.filter_map(|path| port_and_path(path).map(|(port, _)| port)))
            .collect();
        Ok(Self {
            asked,
            openapi,
            ports,
        })
    }

    /// Whether the user expects this status of `GET /`.
    fn expects_of_root(&self, port: u16, status: u16) -> bool {
        self.asked.iter().filter_map(Question::http).any(|asked| {
            asked.method == "GET"
                && asked.path == "/"
                && asked.port.is_none_or(|asked| asked == port)
                && asked.expect.status.contains(&status)
        })
    }
}

type Exit<'a> = Shared<BoxFuture<'a, Result<i64, String>>>;

struct Session<'a> {
    target: &'a dyn Target,
    options: &'a Options,
    plan: &'a Plan,
    started: Instant,
    exit: Exit<'a>,
    /// When the first answer came.
    ready_after: OnceLock<Duration>,
}

/// What waiting for the ports came to.
enum Ready {
    /// These ports answer.
    Ports(BTreeMap<u16, Speaks>),
    /// It exited, and that is fine.
    Job(i64),
    /// It was watched for long enough.
    Nothing,
}

/// Where an explicit or crawled request goes.
#[derive(Clone, Copy)]
struct Site {
    port: u16,
    endpoint: SocketAddr,
    dialect: Dialect,
}

impl<'a> Session<'a> {
    fn new(target: &'a dyn Target, options: &'a Options, plan: &'a Plan) -> Self {
        let exit = async move { target.wait().await.map_err(|error: BoxError| error.to_string()) };
        Self {
            target,
            options,
            plan,
            started: Instant::now(),
            exit: exit.boxed().shared(),
            ready_after: OnceLock::new(),
        }
    }

    async fn probe(&self, transcript: &mut Transcript) -> Result<(Kind, Option<i64>), Error> {
        let options = self.options;
        if options.mode == Mode::None {
            return Ok((Kind::None, None));
        }
        if options.mode == Mode::Exec {
            return self.only_exec(transcript).await;
        }
        let mut settled = match self.ready(transcript, &BTreeSet::new()).await? {
            Ready::Ports(settled) => settled,
            Ready::Job(code) => return Ok((Kind::Job, Some(code))),
            Ready::Nothing => return Ok((Kind::None, None)),
        };
        let mut http = Vec::new();
        let mut tcp = Vec::new();
        let mut all = BTreeSet::new();
        let ready_by = self.started + options.readiness_deadline;
        let deadline = ready_by.max(Instant::now() + AT_LEAST.min(options.readiness_deadline));
        // Twice: what only began to listen when it was used is found by the second look.
        for round in 0..2 {
            all.extend(settled.keys().copied());
            let sites = self.record_first(transcript, settled, &mut tcp).await;
            http.extend(sites.iter().map(|site| site.port));
            if round == 0 {
                self.explicit(transcript, &sites, deadline).await?;
            }
            for site in &sites {
                self.crawl(transcript, *site).await?;
            }
            if round == 0 {
                // Last, as it also deletes.
                self.openapi(transcript, &sites, deadline).await?;
            }
            if round == 1 {
                break;
            }
            settled = self.late(&all).await?;
        }
        if let Some(command) = &options.exec {
            self.exec(transcript, Origin::Flag, command, 0, Instant::now())
                .await?;
        }
        let kind = if http.is_empty() {
            Kind::Tcp { ports: tcp }
        } else {
            Kind::Http { ports: http }
        };
        Ok((kind, None))
    }

    /// Runs `work`, unless the container ends before it does.
    async fn unless_exited<T>(
        &self,
        doing: impl FnOnce() -> String,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            value = work => Ok(value),
            code = self.exit.clone() => match code {
                Ok(code) => Err(Error::Exited { code, doing: doing() }),
                Err(message) => Err(Error::Target(message)),
            },
        }
    }

    fn serving(&self) {
        if self.ready_after.set(self.started.elapsed()).is_ok() {
            self.target.first_answer();
        }
    }

    /// Waits until the ports answer, or it is clear that none will.
    async fn ready(&self, transcript: &mut Transcript, skip: &BTreeSet<u16>) -> Result<Ready, Error> {
        let options = self.options;
        let mut settled: BTreeMap<u16, Speaks> = BTreeMap::new();
        let mut last: BTreeMap<u16, Attempt> = BTreeMap::new();
        let mut first_seen: Option<Instant> = None;
        let mut last_settled = Instant::now();
        let mut connected = false;
        let mut told = String::new();
        let mut pause = PAUSES.0;
        loop {
            let candidates = Candidates::of(self.target, &self.plan.ports).await;
            let open: Vec<u16> = candidates
                .ports
                .keys()
                .filter(|port| !settled.contains_key(port) && !skip.contains(port))
                .copied()
                .collect();
            if first_seen.is_none() && !candidates.ports.is_empty() {
                first_seen = Some(Instant::now());
            }
            let deadline = match first_seen {
                Some(_) if options.until_exit && self.plan.ports.is_empty() => {
                    self.started + options.job_deadline
                }
                Some(seen) => seen + options.readiness_deadline,
                None if options.mode == Mode::Auto => self.started + options.job_deadline,
                None => self.started + options.readiness_deadline,
            };
            self.tell(&mut told, &open, &last, first_seen.is_none());
            let asking = join_all(open.iter().map(|port| self.attempt(*port, deadline)));
            let attempts = match self.unless_exited(|| waiting(&open), asking).await {
                Ok(attempts) => attempts,
                Err(Error::Exited { code, doing }) => {
                    return self.exited(transcript, code, doing, &settled, &candidates, connected);
                }
                Err(error) => return Err(error),
            };
            for (port, attempt) in open.iter().zip(attempts) {
                connected |= !matches!(attempt, Attempt::Refused(_));
                match attempt {
                    Attempt::Answered(speaks) => {
                        last.remove(port);
                        last_settled = Instant::now();
                        settled.insert(*port, speaks);
                    }
                    other => {
                        last.insert(*port, other);
                    }
                }
            }
            let missing: Vec<u16> = open
                .iter()
                .filter(|port| !settled.contains_key(port))
                .copied()
                .collect();
            if !settled.is_empty() {
                let traced = settled
                    .keys()
                    .all(|port| candidates.ports.get(port) == Some(&true));
                let waited = last_settled.elapsed();
                let enough = |port: &u16| {
                    !self.plan.ports.contains(port)
                        && match last.get(port) {
                            Some(Attempt::Failing(..)) => false,
                            Some(Attempt::Closed(_)) => waited >= DOUBT,
                            _ => waited >= if traced { TRACED_GRACE } else { GRACE },
                        }
                };
                if missing.iter().all(enough) {
                    self.tell_missing(transcript, &missing, &last, &candidates);
                    return Ok(Ready::Ports(settled));
                }
            }
            if candidates.ports.is_empty()
                && options
                    .min_duration
                    .is_some_and(|least| self.started.elapsed() >= least)
            {
                let message = "the container listens on no TCP port: it was watched, not asked";
                transcript.summary.push(message.to_owned());
                return Ok(Ready::Nothing);
            }
            self.only_inside(&candidates, &missing, first_seen, &settled)?;
            // Where nothing was given that must answer, Ctrl-C ends the watching.
            let patient = options.until_interrupt && self.plan.ports.is_empty();
            if Instant::now() >= deadline && !patient {
                return Err(self.not_ready(&candidates, &missing, &last));
            }
            let rest = sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
            match self.unless_exited(|| waiting(&missing), rest).await {
                Ok(()) => {}
                Err(Error::Exited { code, doing }) => {
                    return self.exited(transcript, code, doing, &settled, &candidates, connected);
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&self, port: u16, deadline: Instant) -> Attempt {
        let Some(endpoint) = self.target.endpoint(port).await else {
            return Attempt::Refused("not reached from this machine".into());
        };
        let left = deadline.saturating_duration_since(Instant::now()).max(PAUSES.1);
        let attempt = match timeout(left, attempt(endpoint, port, self.options)).await {
            Ok(Attempt::Failing(dialect, answer))
                if self.plan.expects_of_root(port, answer.response.status) =>
            {
                Attempt::Answered(Speaks::Http(dialect, answer))
            }
            Ok(attempt) => attempt,
            Err(_) => Attempt::Closed("connected, but no answer".into()),
        };
        if matches!(attempt, Attempt::Answered(_)) {
            self.serving();
        }
        attempt
    }

    /// The container ended while its ports were waited for: a job, or a failure.
    fn exited(
        &self,
        transcript: &mut Transcript,
        code: i64,
        doing: String,
        settled: &BTreeMap<u16, Speaks>,
        candidates: &Candidates,
        connected: bool,
    ) -> Result<Ready, Error> {
        let options = self.options;
        let listened = connected || candidates.ports.values().any(|seen| *seen);
        let job = options.until_exit || (settled.is_empty() && !listened && options.mode == Mode::Auto);
        let expected = options.expect_exit.unwrap_or(0);
        if !job || !self.plan.ports.is_empty() {
            return Err(Error::Exited { code, doing });
        }
        if !candidates.ports.is_empty() && !options.until_exit {
            // It was to serve, so a failure is that of a server.
            if code != expected {
                return Err(Error::Exited { code, doing });
            }
            transcript.summary.push(format!(
                "{} exposed, but the container exited with {code} without listening: taken for a job",
                ports(&candidates.ports.keys().copied().collect::<Vec<_>>())
            ));
        }
        Ok(Ready::Job(code))
    }

    /// Fails where every port is one that only the container itself reaches.
    fn only_inside(
        &self,
        candidates: &Candidates,
        missing: &[u16],
        first_seen: Option<Instant>,
        settled: &BTreeMap<u16, Speaks>,
    ) -> Result<(), Error> {
        let doubtful = first_seen.is_some_and(|seen| seen.elapsed() >= DOUBT);
        let all = missing.iter().all(|port| candidates.inside.contains_key(port));
        match missing.first() {
            Some(port) if doubtful && all && settled.is_empty() => Err(Error::LoopbackOnly {
                address: candidates.inside[port].clone(),
                port: *port,
            }),
            _ => Ok(()),
        }
    }

    fn not_ready(&self, candidates: &Candidates, missing: &[u16], last: &BTreeMap<u16, Attempt>) -> Error {
        let options = self.options;
        if options.until_exit && self.plan.ports.is_empty() {
            return Error::StillRunning {
                seconds: options.job_deadline.as_secs(),
            };
        }
        let seconds = options.readiness_deadline.as_secs();
        // The most telling one: an answer, then a connection, then nothing.
        for port in missing {
            if let Some(Attempt::Failing(dialect, answer)) = last.get(port) {
                return Error::StillFailing {
                    request: name(&Request::get("/", *dialect), *port),
                    status: answer.response.status,
                    seconds,
                    hint: ", or exercise it with --probe exec or --for".into(),
                };
            }
        }
        for port in missing {
            if let Some(Attempt::Closed(why)) = last.get(port) {
                let dialect = Dialect::Plain;
                return Error::Unanswered {
                    request: match options.mode {
                        Mode::Http => name(&Request::get("/", dialect), *port),
                        _ => format!("port {port} accepts connections"),
                    },
                    seconds,
                    last: why.clone(),
                };
            }
        }
        if let Some((port, address)) = candidates.inside.first_key_value() {
            return Error::LoopbackOnly {
                address: address.clone(),
                port: *port,
            };
        }
        if candidates.ports.is_empty() {
            if options.mode == Mode::Auto {
                return Error::Neither {
                    seconds: options.job_deadline.as_secs(),
                };
            }
            return Error::NotReady {
                ports: "any port".into(),
                seconds,
                last: "the container listens on no TCP port, and its image exposes none".into(),
                remedy: "name one with --port, or see the container's log".into(),
            };
        }
        let why = match missing.first().and_then(|port| last.get(port)) {
            Some(Attempt::Refused(why)) => why.clone(),
            _ => "no connection".into(),
        };
        Error::NotReady {
            ports: ports(missing),
            seconds,
            last: why,
            remedy: "see the container's log; if it listens elsewhere, name the port with --port; if it is a job, pass \
                     --until-exit; if it is only slow, pass a longer --ready-timeout"
                .into(),
        }
    }

    /// Says what is waited for, when that has changed.
    fn tell(&self, told: &mut String, open: &[u16], last: &BTreeMap<u16, Attempt>, nothing: bool) {
        let message = if nothing {
            "nothing listens yet: waiting for a port, or for the exit of a job".to_owned()
        } else if open.is_empty() {
            return;
        } else {
            let state = |port: &u16| match last.get(port) {
                Some(Attempt::Failing(_, answer)) => format!("{port} (answers {})", answer.response.status),
                Some(Attempt::Closed(why)) => format!("{port} ({why})"),
                _ => port.to_string(),
            };
            let list: Vec<String> = open.iter().map(state).collect();
            format!("waiting for port {}", list.join(", "))
        };
        if message != *told {
            self.target.progress(&message);
            *told = message;
        }
    }

    fn tell_missing(
        &self,
        transcript: &mut Transcript,
        missing: &[u16],
        last: &BTreeMap<u16, Attempt>,
        candidates: &Candidates,
    ) {
        for port in missing {
            let message = match (candidates.inside.get(port), last.get(port)) {
                (Some(address), _) => {
                    format!("port {port} is listened on at {address} only, so it was not probed")
                }
                (None, Some(Attempt::Closed(why))) => {
                    format!("port {port} accepts connections but does not answer ({why}): not probed")
                }
                _ => format!("port {port} is exposed, but nothing listens on it: not probed"),
            };
            transcript.summary.push(message);
        }
    }

    /// Ports that are listened on by now and were not before; each is asked once.
    async fn late(&self, known: &BTreeSet<u16>) -> Result<BTreeMap<u16, Speaks>, Error> {
        let candidates = Candidates::of(self.target, &self.plan.ports).await;
        let fresh: Vec<u16> = candidates
            .ports
            .iter()
            .filter(|(port, seen)| **seen && !known.contains(port))
            .map(|(port, _)| *port)
            .collect();
        let deadline = Instant::now() + DOUBT;
        let asking = join_all(fresh.iter().map(|port| self.attempt(*port, deadline)));
        let attempts = self.unless_exited(|| waiting(&fresh), asking).await?;
        Ok(fresh
            .iter()
            .zip(attempts)
            .filter_map(|(port, attempt)| match attempt {
                Attempt::Answered(speaks) => Some((*port, speaks)),
                _ => None,
            })
            .collect())
    }

    /// Records the answers that showed that the ports are ready; the HTTP ones come back, the main one first: a given
    /// port, else an exposed one, else the lowest.
    async fn record_first(
        &self,
        transcript: &mut Transcript,
        settled: BTreeMap<u16, Speaks>,
        tcp: &mut Vec<u16>,
    ) -> Vec<Site> {
        let exposed: BTreeSet<u16> = self.target.exposed().into_iter().map(|(port, _)| port).collect();
        let mut sites = Vec::new();
        for (port, speaks) in settled {
            match speaks {
                Speaks::Http(dialect, answer) => {
                    let request = super::ready::root(dialect, PATIENCE);
                    transcript.http(Origin::Default, port, &request, &[], Some(&answer), true);
                    if let Some(endpoint) = self.target.endpoint(port).await {
                        sites.push(Site {
                            port,
                            endpoint,
                            dialect,
                        });
                    }
                }
                Speaks::Tcp { name, sent, received } => {
                    let origin = match self.options.tcp_send {
                        Some(_) => Origin::Flag,
                        None => Origin::Default,
                    };
                    transcript.tcp(origin, port, sent.as_deref(), &received);
                    tcp.push(port);
                    if self.options.mode != Mode::Tcp {
                        transcript.summary.push(match name {
                            Some(name) => format!("port {port} speaks {name}: probed as TCP"),
                            None => format!("port {port} speaks neither HTTP nor HTTPS: probed as TCP"),
                        });
                    }
                }
            }
        }
        let rank = |site: &Site| {
            let given = self.options.ports.iter().position(|port| *port == site.port);
            (
                given.unwrap_or(usize::MAX),
                !exposed.contains(&site.port),
                site.port,
            )
        };
        sites.sort_by_key(rank);
        sites
    }

    /// The requests that the user named.
    async fn explicit(
        &self,
        transcript: &mut Transcript,
        sites: &[Site],
        deadline: Instant,
    ) -> Result<(), Error> {
        for path in &self.options.http_paths {
            let (site, path) = self.site(sites, path)?;
            let request = Request::get(&path, site.dialect);
            let fine = |status| status < 500;
            let answer = self.insist(site, &request, deadline, &fine).await?;
            transcript.http(Origin::Flag, site.port, &request, &[], Some(&answer), true);
        }
        for question in &self.plan.asked {
            let asked = match question {
                Question::Http(asked) => asked,
                Question::Exec(command, exit) => {
                    self.exec(transcript, Origin::File, command, *exit, Instant::now())
                        .await?;
                    continue;
                }
            };
            let named = match asked.port {
                Some(port) => format!(":{port}{}", asked.path),
                None => asked.path.clone(),
            };
            let (site, path) = self.site(sites, &named)?;
            let request = Request {
                dialect: site.dialect,
                method: asked.method.clone(),
                path,
                headers: asked.headers.clone(),
                body: asked.body.clone(),
                patience: PATIENCE,
            };
            let fine = |status| asked.expect.accepts(status);
            let answer = self.insist(site, &request, deadline, &fine).await?;
            if let Err((expected, got)) = asked.expect.judge(&answer) {
                return Err(Error::Expectation {
                    request: name(&request, site.port),
                    expected,
                    got,
                });
            }
            transcript.http(
                Origin::File,
                site.port,
                &request,
                &asked.secret,
                Some(&answer),
                true,
            );
        }
        Ok(())
    }

    /// Asks every operation of the API description once. Their values are made up, so no answer to them is a failure.
    async fn openapi(
        &self,
        transcript: &mut Transcript,
        sites: &[Site],
        deadline: Instant,
    ) -> Result<(), Error> {
        let Some(description) = &self.plan.openapi else {
            return Ok(());
        };
        let text = self.options.openapi.as_deref().unwrap_or_default();
        let (site, path) = self.site(sites, "/").map(|(site, _)| (site, text.to_owned()))?;
        let served;
        let walk = match description {
            Description::File(walk) => walk,
            Description::Served => {
                let request = Request::get(&path, site.dialect);
                let answer = self
                    .insist(site, &request, deadline, &|status| status < 500)
                    .await?;
                transcript.http(Origin::Flag, site.port, &request, &[], Some(&answer), true);
                let wrong = |message: String| Error::OpenApi {
                    description: name(&request, site.port),
                    message,
                };
                let status = answer.response.status;
                if !(200..300).contains(&status) {
                    return Err(wrong(format!(
                        "answered with {status}; pass the path where the app serves it, or a file (none is called {text})"
                    )));
                }
                if answer.response.body.size > answer.bytes.len() as u64 {
                    return Err(wrong("larger than 1 MiB: save it, and pass the file".into()));
                }
                served = openapi::walk(&String::from_utf8_lossy(&answer.bytes), &path).map_err(wrong)?;
                &served
            }
        };
        transcript.summary.extend(walk.notes.iter().cloned());
        let mut counts = [0usize; 4];
        for operation in &walk.operations {
            let request = Request {
                dialect: site.dialect,
                method: operation.method.clone(),
                path: operation.path.clone(),
                headers: operation.headers.clone(),
                body: operation.body.clone(),
                patience: CRAWL_PATIENCE,
            };
            let shown = name(&request, site.port);
            self.target.progress(&shown);
            let asking = ask(site.endpoint, &request);
            let answer = self
                .unless_exited(|| format!("while {shown} was asked"), asking)
                .await?
                .ok();
            let status = answer.as_ref().map(|answer| answer.response.status);
            counts[match status {
                Some(..400) => 0,
                Some(400..500) => 1,
                Some(_) => 2,
                None => 3,
            }] += 1;
            let origin = Origin::OpenApi {
                operation: operation.name.clone(),
            };
            transcript.http(origin, site.port, &request, &[], answer.as_ref(), false);
        }
        let [good, refused, failed, silent] = counts;
        transcript.summary.push(format!(
            "{} operations of {text} were asked: {good} succeeded, {refused} were refused (4xx), {failed} failed (5xx), {silent} \
             were not answered",
            walk.operations.len()
        ));
        Ok(())
    }

    /// The site that `:PORT/PATH` or `/PATH` names, and the path.
    fn site(&self, sites: &[Site], text: &str) -> Result<(Site, String), Error> {
        let named = port_and_path(text);
        let found = match &named {
            Some((port, _)) => sites.iter().find(|site| site.port == *port),
            None => sites.first(),
        };
        let Some(site) = found else {
            return Err(Error::Options(match named {
                Some((port, _)) => {
                    format!("{text}: port {port} does not speak HTTP; HTTP is spoken on {}", {
                        let list: Vec<u16> = sites.iter().map(|site| site.port).collect();
                        ports(&list)
                    })
                }
                None => format!("{text}: the container speaks HTTP on no port"),
            }));
        };
        let path = named.map_or_else(|| text.to_owned(), |(_, path)| path);
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok((*site, format!("{slash}{path}")))
    }

    /// Asks until the answer's status is fine, 5xx being what passes. What may not be repeated is asked again only where the server says that it did
    /// nothing.
    async fn insist(
        &self,
        site: Site,
        request: &Request,
        deadline: Instant,
        fine: &(dyn Fn(u16) -> bool + Sync),
    ) -> Result<Answer, Error> {
        let repeatable = !matches!(request.method.as_str(), "POST" | "PATCH");
        let mut pause = PAUSES.0;
        let shown = name(request, site.port);
        self.target.progress(&shown);
        loop {
            let asked = self
                .unless_exited(|| format!("while {shown} was asked"), ask(site.endpoint, request))
                .await?;
            let late = Instant::now() >= deadline;
            let seconds = self.options.readiness_deadline.as_secs();
            match asked {
                Ok(answer) if fine(answer.response.status) => return Ok(answer),
                Ok(answer) => {
                    let status = answer.response.status;
                    if late || !(repeatable || matches!(status, 502..=504)) {
                        return Err(Error::StillFailing {
                            request: shown,
                            status,
                            seconds,
                            hint: String::new(),
                        });
                    }
                }
                Err(failure) => {
                    let nothing_done = matches!(failure, Failure::Connect(_));
                    if late || !(repeatable || nothing_done) || matches!(failure, Failure::Request(_)) {
                        return Err(Error::Unanswered {
                            request: shown,
                            seconds,
                            last: failure.to_string(),
                        });
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Follows the links of what was answered so far, breadth first.
    async fn crawl(&self, transcript: &mut Transcript, site: Site) -> Result<(), Error> {
        let tls = site.dialect == Dialect::Tls;
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut queue: VecDeque<(String, Role, u32, String)> = VecDeque::new();
        let depth = self.options.crawl_depth;
        for exchange in &transcript.exchanges {
            if let ExchangeKind::Http(http) = &exchange.kind
                && http.port == site.port
                && http.method == "GET"
            {
                asked.insert(http.path.clone());
                if let Some(response) = &http.response
                    && depth > 0
                {
                    let bytes = transcript.bodies.get(&response.body.digest);
                    let found = links(&http.path, tls, site.port, response, bytes.map_or(&[], |b| b));
                    queue.extend(
                        found
                            .into_iter()
                            .map(|link| (link.path, link.role, 1, http.path.clone())),
                    );
                }
            }
        }
        let mut pages = self.options.crawl_pages as usize;
        let mut parts = pages.saturating_mul(PARTS_PER_PAGE);
        while let Some((path, role, level, from)) = queue.pop_front() {
            let left = match role {
                Role::Page => &mut pages,
                Role::Part => &mut parts,
            };
            if *left == 0 || !asked.insert(path.clone()) {
                continue;
            }
            *left -= 1;
            let mut request = Request::get(&path, site.dialect);
            request.patience = CRAWL_PATIENCE;
            let shown = name(&request, site.port);
            self.target.progress(&shown);
            let asking = ask(site.endpoint, &request);
            let answer = self
                .unless_exited(|| format!("while {shown} was asked"), asking)
                .await?
                .ok();
            // What belongs to a page is as far away as the page.
            let next = |role: Role| level + u32::from(role == Role::Page);
            if let Some(answer) = &answer {
                let found = links(&path, tls, site.port, &answer.response, &answer.bytes);
                queue.extend(
                    found
                        .into_iter()
                        .filter(|link| next(link.role) <= depth)
                        .map(|link| (link.path, link.role, next(link.role), path.clone())),
                );
            }
            let origin = Origin::Crawl { from };
            transcript.http(origin, site.port, &request, &[], answer.as_ref(), false);
        }
        Ok(())
    }

    /// The exec probe: once a port accepts connections if there are ports, else at once.
    async fn only_exec(&self, transcript: &mut Transcript) -> Result<(Kind, Option<i64>), Error> {
        let command = self.options.exec.as_deref().unwrap_or_default();
        let mut pause = PAUSES.0;
        let deadline = self.started + self.options.readiness_deadline;
        let mut retry_by = self.started + self.options.readiness_deadline.min(EXEC_RETRIES);
        loop {
            let candidates = Candidates::of(self.target, &self.plan.ports).await;
            let mut known: Vec<u16> = candidates.ports.keys().copied().collect();
            known.extend(candidates.inside.keys());
            if known.is_empty() {
                break;
            }
            let seen = !candidates.inside.is_empty() || candidates.ports.values().any(|seen| *seen);
            let accepts = async {
                for port in candidates.ports.keys() {
                    if let Some(endpoint) = self.target.endpoint(*port).await
                        && matches!(talk(endpoint, None, false).await, Talk::Open(_))
                    {
                        return true;
                    }
                }
                false
            };
            if seen || self.unless_exited(|| waiting(&known), accepts).await? {
                retry_by = Instant::now();
                break;
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(&candidates, &known, &BTreeMap::new()));
            }
            self.target.progress(&format!(
                "waiting for {} before the command is run",
                ports(&known)
            ));
            self.unless_exited(|| waiting(&known), sleep(pause)).await?;
            pause = (pause * 2).min(PAUSES.1);
        }
        let expected = self.options.expect_exit.unwrap_or(0);
        self.exec(transcript, Origin::Flag, command, expected, retry_by)
            .await?;
        Ok((Kind::Exec, None))
    }

    /// Runs a command in the container; one that fails is run again until `retry_by`.
    async fn exec(
        &self,
        transcript: &mut Transcript,
        origin: Origin,
        command: &[String],
        expected: i64,
        retry_by: Instant,
    ) -> Result<(), Error> {
        let shown = command.join(" ");
        let mut pause = PAUSES.1;
        loop {
            self.target
                .progress(&format!("running {shown:?} in the container"));
            let ran = self
                .unless_exited(|| format!("while {shown:?} ran in it"), self.target.exec(command))
                .await?;
            let late = Instant::now() + pause >= retry_by;
            match ran {
                Ok(output) if output.exit_code == expected => {
                    self.serving();
                    transcript.exec(origin, command, &output);
                    return Ok(());
                }
                Ok(output) if late => {
                    let text = if output.stderr.is_empty() {
                        &output.stdout
                    } else {
                        &output.stderr
                    };
                    return Err(Error::ExecFailed {
                        command: shown,
                        code: output.exit_code,
                        expected,
                        output: tail(text),
                    });
                }
                Err(source) if late => {
                    return Err(Error::Exec {
                        command: shown,
                        source,
                    });
                }
                Ok(_) | Err(_) => {}
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// Watches on for as long as the options say; the exit code if it exited.
    async fn watch(&self, kind: &Kind) -> Result<Option<i64>, Error> {
        let options = self.options;
        if options.until_interrupt {
            self.target.progress("watching until Ctrl-C");
            let ended = tokio::select! {
                () = self.target.interrupted() => None,
                code = self.exit.clone() => Some(code.map_err(Error::Target)?),
            };
            return Ok(ended);
        }
        if options.until_exit {
            self.target.progress("watching until the container exits");
            let left = (self.started + options.job_deadline).saturating_duration_since(Instant::now());
            return match timeout(left, self.exit.clone()).await {
                Ok(code) => Ok(Some(code.map_err(Error::Target)?)),
                Err(_) => Err(Error::StillRunning {
                    seconds: options.job_deadline.as_secs(),
                }),
            };
        }
        let Some(least) = options.min_duration else {
            return Ok(None);
        };
        let left = (self.started + least).saturating_duration_since(Instant::now());
        self.target
            .progress(&format!("watching for another {} s", left.as_secs()));
        match timeout(left, self.exit.clone()).await {
            Err(_) => Ok(None),
            Ok(Ok(code)) if code == 0 || *kind == Kind::None => Ok(Some(code)),
            Ok(Ok(code)) => Err(Error::Exited {
                code,
                doing: "while it was watched".into(),
            }),
            Ok(Err(message)) => Err(Error::Target(message)),
        }
    }
}

impl Request {
    /// `GET` of a path.
    pub(super) fn get(path: &str, dialect: Dialect) -> Self {
        Self {
            dialect,
            method: "GET".into(),
            path: path.into(),
            headers: vec![(ACCEPT.0.into(), ACCEPT.1.into())],
            body: None,
            patience: PATIENCE,
        }
    }
}

/// The parts of `:PORT/PATH`.
fn port_and_path(text: &str) -> Option<(u16, String)> {
    let (port, path) = text.strip_prefix(':')?.split_once('/')?;
    Some((port.parse().ok()?, format!("/{path}")))
}

fn waiting(ports_: &[u16]) -> String {
    if ports_.is_empty() {
        "before it listened anywhere".into()
    } else {
        format!("while {} was waited for", ports(ports_))
    }
}

fn ports(ports: &[u16]) -> String {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    let plural = if ports.len() == 1 { "" } else { "s" };
    format!("port{plural} {}", list.join(", "))
}

/// `GET http://localhost:8080/path`.
fn name(request: &Request, port: u16) -> String {
    let scheme = if request.dialect == Dialect::Tls {
        "https"
    } else {
        "http"
    };
    format!("{} {scheme}://localhost:{port}{}", request.method, request.path)
}

/// The last lines of what a command wrote, for a message.
fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1000)..]).into_owned();
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    match clean.trim() {
        "" => "it wrote nothing".into(),
        text => text.to_owned(),
    }
}

/// Asks `target` what `exchanges` asked, in their order, once it answers at all; the answers are in the same order under the
/// same sequence numbers. An exchange that cannot be asked again from what is recorded (a credential's value, a request's
/// body was not kept) is left out. An unanswered request has no response; an unanswered TCP exchange has received nothing.
///
/// # Errors
/// [`Error::Exited`], [`Error::NotReady`] where a port accepts no connection, [`Error::StillRunning`] for a job.
pub async fn replay(
    target: &dyn Target,
    exchanges: &[Exchange],
    bodies: &BTreeMap<Digest, Vec<u8>>,
) -> Result<Replayed, Error> {
    let unrecorded = Unrecorded::default();
    replay_within(target, exchanges, bodies, &unrecorded, Timeouts::default()).await
}

/// [`replay`] with what the recording leaves out, and with deadlines.
///
/// # Errors
/// As [`replay`].
pub async fn replay_within(
    target: &dyn Target,
    exchanges: &[Exchange],
    bodies: &BTreeMap<Digest, Vec<u8>>,
    unrecorded: &Unrecorded,
    patience: Timeouts,
) -> Result<Replayed, Error> {
    let options = Options {
        readiness_deadline: patience.readiness,
        job_deadline: patience.job,
        ..Options::default()
    };
    let plan = Plan::default();
    let session = Session::new(target, &options, &plan);
    let mut again = Replayed::default();
    let mut accepting: BTreeSet<u16> = BTreeSet::new();
    for exchange in exchanges {
        let kind = match &exchange.kind {
            ExchangeKind::Http(http) => {
                let Some(request) =
                    transcript::request(http, exchange.sequence, bodies, unrecorded, PATIENCE)
                else {
                    continue;
                };
                let endpoint = session.reachable(http.port, &mut accepting).await?;
                let recorded = http.response.as_ref().map(|response| response.status);
                let answer = session.ask_again(endpoint, &request, http.port, recorded).await?;
                let response = answer.map(|answer| {
                    again.keep(&answer.response.body, &answer.bytes);
                    answer.response
                });
                ExchangeKind::Http(HttpExchange {
                    response,
                    ..http.clone()
                })
            }
            ExchangeKind::Tcp(tcp) => {
                let sent = match &tcp.sent {
                    None => None,
                    Some(body) => match bodies.get(&body.digest) {
                        Some(bytes) => Some(bytes.as_slice()),
                        None => continue,
                    },
                };
                let endpoint = session.reachable(tcp.port, &mut accepting).await?;
                let received = session.talk_again(endpoint, tcp.port, sent).await?;
                ExchangeKind::Tcp(TcpExchange {
                    received: again.body(&received),
                    ..tcp.clone()
                })
            }
            ExchangeKind::Exec(exec) => {
                let output = if exec.command.is_empty() {
                    session.exit_again().await?
                } else {
                    session.exec_again(&exec.command, exec.exit_code).await?
                };
                ExchangeKind::Exec(ExecExchange {
                    command: exec.command.clone(),
                    exit_code: output.exit_code,
                    stdout: again.body(&output.stdout),
                    stderr: again.body(&output.stderr),
                })
            }
        };
        again.exchanges.push(Exchange {
            sequence: exchange.sequence,
            origin: exchange.origin.clone(),
            kind,
        });
    }
    Ok(again)
}

/// Waits until `target` listens on what `sockets` say that the original listened on, in a container that was watched and
/// asked nothing. Where it listened on nothing, or nobody watches what it does, it must be running.
///
/// # Errors
/// [`Error::Exited`]; [`Error::NotReady`].
pub async fn comes_up(target: &dyn Target, sockets: &[SocketUse], patience: Timeouts) -> Result<(), Error> {
    let options = Options {
        readiness_deadline: patience.readiness,
        ..Options::default()
    };
    let plan = Plan::default();
    let session = Session::new(target, &options, &plan);
    let ports: BTreeSet<u16> = sockets
        .iter()
        .filter(|socket| socket.action == SocketAction::Listen && socket.family.starts_with("inet"))
        .map(|socket| socket.port)
        .collect();
    let deadline = Instant::now() + patience.readiness;
    let mut pause = PAUSES.0;
    loop {
        if !target
            .running()
            .await
            .map_err(|error| Error::Target(error.to_string()))?
        {
            let code = target
                .wait()
                .await
                .map_err(|error| Error::Target(error.to_string()))?;
            return Err(Error::Exited {
                code,
                doing: "although the original went on running".into(),
            });
        }
        let listening: BTreeSet<u16> = target.listening().iter().map(|socket| socket.port).collect();
        let missing: Vec<u16> = ports.difference(&listening).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Error::NotReady {
                ports: self::ports(&missing),
                seconds: patience.readiness.as_secs(),
                last: "nobody listens".into(),
                remedy: "see the container's log".into(),
            });
        }
        session.unless_exited(|| waiting(&missing), sleep(pause)).await?;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Until the first answer of all, one that is worse than the recorded one counts as starting and is asked for again.
impl Session<'_> {
    /// Whether to take an answer as it is.
    fn takes(&self, fine: bool, by: Instant) -> bool {
        fine || self.ready_after.get().is_some() || Instant::now() >= by
    }

    /// Waits until the port accepts connections, once for each.
    async fn reachable(&self, port: u16, accepting: &mut BTreeSet<u16>) -> Result<SocketAddr, Error> {
        let mut pause = PAUSES.0;
        let deadline = Instant::now() + self.options.readiness_deadline;
        loop {
            let last = match self.target.endpoint(port).await {
                None => "not reached from this machine".to_owned(),
                Some(endpoint) if accepting.contains(&port) => return Ok(endpoint),
                Some(endpoint) => {
                    let talking = self.unless_exited(|| waiting(&[port]), talk(endpoint, None, false));
                    match talking.await? {
                        Talk::Open(_) => {
                            accepting.insert(port);
                            return Ok(endpoint);
                        }
                        Talk::Refused(why) | Talk::Closed(why) => why,
                    }
                }
            };
            if Instant::now() >= deadline {
                return Err(Error::NotReady {
                    ports: ports(&[port]),
                    seconds: self.options.readiness_deadline.as_secs(),
                    last,
                    remedy: "see the container's log".into(),
                });
            }
            self.unless_exited(|| waiting(&[port]), sleep(pause)).await?;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn ask_again(
        &self,
        endpoint: SocketAddr,
        request: &Request,
        port: u16,
        recorded: Option<u16>,
    ) -> Result<Option<Answer>, Error> {
        let mut pause = PAUSES.0;
        let by = self.started + self.options.readiness_deadline;
        let shown = name(request, port);
        self.target.progress(&shown);
        loop {
            let asking = ask(endpoint, request);
            let asked = self
                .unless_exited(|| format!("while {shown} was asked"), asking)
                .await?;
            let answer = asked.ok();
            let status = answer.as_ref().map(|answer| answer.response.status);
            let fine = status == recorded || status.is_some_and(|status| status < 500);
            if self.takes(fine, by) {
                if status.is_some() {
                    self.serving();
                }
                return Ok(answer);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn talk_again(
        &self,
        endpoint: SocketAddr,
        port: u16,
        sent: Option<&[u8]>,
    ) -> Result<Vec<u8>, Error> {
        let mut pause = PAUSES.0;
        let by = self.started + self.options.readiness_deadline;
        self.target.progress(&format!("asking {}", ports(&[port])));
        loop {
            let talking = talk(endpoint, sent, true);
            let talked = self.unless_exited(|| waiting(&[port]), talking).await?;
            let received = match talked {
                Talk::Open(received) => Some(received),
                Talk::Refused(_) | Talk::Closed(_) => None,
            };
            let starting = |bytes: &[u8]| Hello::of(port).is_some_and(|hello| hello.is_starting(bytes));
            let fine = received.as_deref().is_some_and(|bytes| !starting(bytes));
            if self.takes(fine, by) {
                if fine {
                    self.serving();
                }
                return Ok(received.unwrap_or_default());
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn exec_again(&self, command: &[String], recorded: i64) -> Result<ExecOutput, Error> {
        let shown = command.join(" ");
        let mut pause = PAUSES.1;
        let by = self.started + self.options.readiness_deadline.min(EXEC_RETRIES);
        self.target
            .progress(&format!("running {shown:?} in the container"));
        loop {
            let running = self.target.exec(command);
            let ran = self
                .unless_exited(|| format!("while {shown:?} ran in it"), running)
                .await?;
            let fine = ran.as_ref().is_ok_and(|output| output.exit_code == recorded);
            if self.takes(fine, by) {
                self.serving();
                return ran.map_err(|source| Error::Exec {
                    command: shown,
                    source,
                });
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// The end of a job.
    async fn exit_again(&self) -> Result<ExecOutput, Error> {
        self.target.progress("waiting for the job to exit");
        match timeout(self.options.job_deadline, self.exit.clone()).await {
            Ok(code) => Ok(ExecOutput {
                exit_code: code.map_err(Error::Target)?,
                ..self.target.output().await
            }),
            Err(_) => Err(Error::StillRunning {
                seconds: self.options.job_deadline.as_secs(),
            }),
        }
    }
}
