//! The order of the probe's steps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::attempt::Spoken;
use super::backoff::Backoff;
use super::grpc;
use super::http::{Client, Request};
use super::ports::{Answers, Readiness};
use super::requests::Requests;
use super::site::Site;
use super::transcript::{Requirement, Transcript};
use super::{BoxError, End, Kind, Mode, Options, ProbeError, Probed, Target, Timeouts};
use crate::recording::Origin;

/// An explicit request is tried for at least this long, however late the app was ready.
const EXPLICIT_RETRIES: Duration = Duration::from_secs(5);

/// Waits until the container is ready, exercises it, and observes it until `options.end`.
///
/// # Errors
/// [`ProbeError`]: it exits, does not answer in time, or answers an explicit request otherwise than expected.
pub async fn run(target: &dyn Target, options: &Options) -> Result<Probed, ProbeError> {
    let requests = Requests::load(options)?;
    let session = Session::new(target, options, &requests);
    let mut transcript = Transcript::default();
    let probing = session.probe(&mut transcript);
    let (mut kind, mut exit_code, interrupted) = tokio::select! {
        end = probing => match end {
            Ok((kind, code)) => (kind, code, false),
            // It may exit when it has done its work, probed or not.
            Err(ProbeError::Exited { code, .. }) if options.end == End::Exit => (Kind::Job, Some(code), false),
            Err(error) => return Err(error),
        },
        () = target.interrupted(), if options.end == End::Interrupt => (Kind::None, None, true),
    };
    if exit_code.is_none() && !interrupted {
        exit_code = session.observe(&kind).await?;
        if exit_code.is_some() && kind == Kind::None && transcript.exchanges.is_empty() {
            kind = Kind::Job;
        }
    }
    if let Some(code) = exit_code
        && (kind == Kind::Job || options.end == End::Exit)
    {
        session.record_job(&mut transcript, code).await?;
    }
    let ready_after = session.ready_after.get().copied();
    let patience = Timeouts::after(ready_after.unwrap_or(Duration::ZERO), session.started.elapsed());
    Ok(Probed {
        patience,
        exchanges: transcript.exchanges,
        bodies: transcript.bodies.into_map(),
        summary: transcript.summary,
        kind,
        exit_code,
        unrecorded: transcript.unrecorded,
    })
}

type Exit<'a> = Shared<BoxFuture<'a, Result<i64, String>>>;

/// A probe of one container, or a replay of one.
pub(super) struct Session<'a> {
    pub(super) target: &'a dyn Target,
    pub(super) options: &'a Options,
    pub(super) requests: &'a Requests,
    pub(super) client: Client,
    pub(super) started: Instant,
    pub(super) exit: Exit<'a>,
    /// The time from the start to the first answer.
    pub(super) ready_after: OnceLock<Duration>,
}

impl<'a> Session<'a> {
    pub(super) fn new(target: &'a dyn Target, options: &'a Options, requests: &'a Requests) -> Self {
        let exit = async move { target.wait().await.map_err(|error: BoxError| error.to_string()) };
        Self {
            target,
            options,
            requests,
            client: Client::default(),
            started: Instant::now(),
            exit: exit.boxed().shared(),
            ready_after: OnceLock::new(),
        }
    }

    async fn probe(&self, transcript: &mut Transcript) -> Result<(Kind, Option<i64>), ProbeError> {
        let options = self.options;
        match options.mode {
            Mode::None if options.run.is_empty() => return Ok((Kind::None, None)),
            Mode::None => {
                self.wait_for_a_connection().await?;
                self.run_tests(transcript).await?;
                return Ok((Kind::Exec, None));
            }
            Mode::Exec => {
                self.probe_by_command(transcript).await?;
                self.run_tests(transcript).await?;
                return Ok((Kind::Exec, None));
            }
            Mode::Auto | Mode::Http | Mode::Tcp => {}
        }
        let mut answers = match self.wait_for_ports(transcript).await? {
            Readiness::Ready(answers) => answers,
            Readiness::Exited(code) if options.run.is_empty() => return Ok((Kind::Job, Some(code))),
            Readiness::Exited(code) => {
                let doing = "before the first --run could be run".to_owned();
                return Err(ProbeError::Exited { code, doing });
            }
            Readiness::NoPort if options.run.is_empty() => return Ok((Kind::None, None)),
            Readiness::NoPort => {
                self.run_tests(transcript).await?;
                return Ok((Kind::Exec, None));
            }
        };
        let mut http = Vec::new();
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        let mut known = BTreeSet::new();
        let ready_by = self.started + options.readiness_deadline;
        let deadline = ready_by.max(Instant::now() + EXPLICIT_RETRIES.min(options.readiness_deadline));
        // Twice: the second look finds ports that the app began to listen on when it was used.
        for round in 0..2 {
            known.extend(answers.tcp.keys().copied());
            self.record_udp(transcript, &answers, &mut udp);
            let sites = self.record_first(transcript, answers.tcp, &mut tcp).await;
            http.extend(sites.iter().map(|site| site.port));
            if round == 0 {
                self.explicit(transcript, &sites, deadline).await?;
            }
            for site in &sites {
                self.crawl(transcript, *site).await?;
                self.grpc(transcript, *site).await?;
            }
            if round == 0 {
                // Last, as it also deletes.
                self.openapi(transcript, &sites, deadline).await?;
            }
            if round == 1 {
                break;
            }
            answers = Answers {
                tcp: self.late_ports(&known).await?,
                ..Answers::default()
            };
        }
        if let Some(command) = &options.exec {
            self.run_command(transcript, Origin::Flag, command, 0, Instant::now())
                .await?;
        }
        self.run_tests(transcript).await?;
        let kind = match (http.is_empty(), tcp.is_empty()) {
            (false, _) => Kind::Http { ports: http },
            (true, true) if !udp.is_empty() => Kind::Udp { ports: udp },
            (true, _) => Kind::Tcp { ports: tcp },
        };
        Ok((kind, None))
    }

    /// Records what was said to UDP ports.
    fn record_udp(&self, transcript: &mut Transcript, answers: &Answers, ports: &mut Vec<u16>) {
        for (port, spoken) in &answers.udp {
            let origin = match self.requests.udp.contains(port) {
                true => Origin::Flag,
                false => Origin::Default,
            };
            for (sent, received) in &spoken.exchanges {
                transcript.udp(origin.clone(), *port, sent, received);
            }
            ports.push(*port);
            let name = spoken.name.map(|name| format!(" as {name}")).unwrap_or_default();
            let silent = match spoken.answered() {
                true => "",
                false => ", without an answer",
            };
            transcript
                .summary
                .push(format!("port {port}/udp was asked{name}{silent}"));
        }
    }

    /// Records the answers that showed that the ports are ready. Returns the HTTP sites, the main one first: that of a
    /// given port, else of an exposed one, else of the lowest.
    async fn record_first(
        &self,
        transcript: &mut Transcript,
        answers: BTreeMap<u16, Spoken>,
        tcp: &mut Vec<u16>,
    ) -> Vec<Site> {
        let exposed: BTreeSet<u16> = self.target.exposed().into_iter().map(|(port, _)| port).collect();
        let mut sites = Vec::new();
        for (port, spoken) in answers {
            match spoken {
                Spoken::Http(protocol, answer) => {
                    let request = Request::get("/", protocol);
                    let required = Requirement::Required;
                    transcript.http(Origin::Default, port, &request, &[], Some(&answer), required);
                    if let Some(endpoint) = self.target.endpoint(port).await {
                        sites.push(Site {
                            port,
                            endpoint,
                            protocol,
                            grpc: grpc::speaks(&answer),
                        });
                    }
                }
                Spoken::Tcp { name, sent, received } => {
                    let origin = match self.options.tcp_send {
                        Some(_) => Origin::Flag,
                        None => Origin::Default,
                    };
                    transcript.tcp(origin, port, &sent, &received);
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

    /// Runs `work`, unless the container exits before it is done.
    pub(super) async fn unless_exited<T>(
        &self,
        doing: impl FnOnce() -> String,
        work: impl Future<Output = T>,
    ) -> Result<T, ProbeError> {
        tokio::select! {
            biased;
            value = work => Ok(value),
            code = self.exit.clone() => match code {
                Ok(code) => Err(ProbeError::Exited { code, doing: doing() }),
                Err(message) => Err(ProbeError::Target(message)),
            },
        }
    }

    /// Waits for the next pause, unless the container exits.
    pub(super) async fn pause(
        &self,
        backoff: &mut Backoff,
        doing: impl FnOnce() -> String,
    ) -> Result<(), ProbeError> {
        self.unless_exited(doing, backoff.pause()).await
    }

    /// Sends a request once, unless the container exits.
    pub(super) async fn send(
        &self,
        endpoint: SocketAddr,
        port: u16,
        request: &Request,
    ) -> Result<Result<super::http::Answer, super::http::Failure>, ProbeError> {
        let doing = || format!("while {} was asked", request.display(port));
        self.unless_exited(doing, self.client.send(endpoint, request))
            .await
    }

    /// Notes the first answer: from here on the app serves.
    pub(super) fn answered(&self) {
        if self.ready_after.set(self.started.elapsed()).is_ok() {
            self.target.first_answer();
        }
    }
}
