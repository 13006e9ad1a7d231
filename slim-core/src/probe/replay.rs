//! The replay: the recorded requests, sent to another container.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::host::TestEnd;
use super::http::{Answer, Request};
use super::ports::{list_ports, while_waiting};
use super::requests::Requests;
use super::session::Session;
use super::tcp::{Banner, Greeting, NOTHING, TcpProbe};
use super::transcript::Bodies;
use super::udp::SENDS;
use super::{Options, ProbeError, Replayed, Target, Timeouts, Unrecorded, transcript};
use crate::recording::{
    self, Exchange, ExchangeKind, ExecExchange, HostExchange, HttpExchange, SocketAction, SocketUse,
    TcpExchange, UdpExchange,
};

/// Sends the requests of `exchanges` to `target`, in their order, once it answers at all; the answers are in the same order
/// under the same sequence numbers. An exchange that the recording does not hold in full (a credential's value, a body that
/// was not kept) is left out. An unanswered request has no response; an unanswered TCP exchange has received nothing.
///
/// # Errors
/// [`ProbeError::Exited`], [`ProbeError::NotReady`] where a port accepts no connection, [`ProbeError::StillRunning`] for a job.
pub async fn replay(
    target: &dyn Target,
    exchanges: &[Exchange],
    bodies: &recording::Bodies,
) -> Result<Replayed, ProbeError> {
    let unrecorded = Unrecorded::default();
    replay_within(target, exchanges, bodies, &unrecorded, Timeouts::default()).await
}

/// [`replay()`] with the values that the recording leaves out, and with deadlines.
///
/// # Errors
/// As [`replay()`].
pub async fn replay_within(
    target: &dyn Target,
    exchanges: &[Exchange],
    bodies: &recording::Bodies,
    unrecorded: &Unrecorded,
    patience: Timeouts,
) -> Result<Replayed, ProbeError> {
    let options = options_within(patience);
    let requests = Requests::default();
    let session = Session::new(target, &options, &requests);
    let mut replayed = Vec::new();
    let mut kept = Bodies::default();
    let mut accepting: BTreeSet<u16> = BTreeSet::new();
    for exchange in exchanges {
        let kind = match &exchange.kind {
            ExchangeKind::Http(http) => {
                let Some(request) = transcript::request(http, exchange.sequence, bodies, unrecorded) else {
                    continue;
                };
                let endpoint = session.reachable(http.port, &mut accepting).await?;
                let recorded = http.response.as_ref().map(|response| response.status);
                let answer = session
                    .replay_http(endpoint, &request, http.port, recorded)
                    .await?;
                let response = answer.map(|Answer { mut response, bytes }| {
                    response.body = kept.keep_as(response.body, &bytes);
                    response
                });
                ExchangeKind::Http(HttpExchange {
                    response,
                    ..http.clone()
                })
            }
            ExchangeKind::Tcp(tcp) => {
                let sent = tcp.sent.iter().chain(&tcp.then);
                let Some(sent) = sent
                    .map(|body| bodies.get(&body.digest))
                    .collect::<Option<Vec<_>>>()
                else {
                    continue;
                };
                let endpoint = session.reachable(tcp.port, &mut accepting).await?;
                let received = session.replay_tcp(endpoint, tcp.port, &sent).await?;
                ExchangeKind::Tcp(TcpExchange {
                    received: kept.keep(&received),
                    ..tcp.clone()
                })
            }
            ExchangeKind::Udp(udp) => {
                let Some(sent) = bodies.get(&udp.sent.digest) else {
                    continue;
                };
                let received = session.replay_udp(udp, sent).await?;
                ExchangeKind::Udp(UdpExchange {
                    received: kept.keep(&received),
                    ..udp.clone()
                })
            }
            ExchangeKind::Host(host) => {
                let limit = session.options.job_deadline;
                let output = match session.run_test(&host.command, exchanges, limit).await? {
                    TestEnd::Ended(output) => output,
                    TestEnd::TimedOut(mut output) => {
                        let late = format!("\nkilled after {} s\n", limit.as_secs());
                        output.stderr.extend_from_slice(late.as_bytes());
                        output
                    }
                };
                ExchangeKind::Host(HostExchange {
                    command: host.command.clone(),
                    exit_code: output.exit_code,
                    stdout: kept.keep(&output.stdout),
                    stderr: kept.keep(&output.stderr),
                })
            }
            ExchangeKind::Exec(exec) => {
                let output = if exec.command.is_empty() {
                    session.replay_job().await?
                } else {
                    session.replay_command(&exec.command, exec.exit_code).await?
                };
                ExchangeKind::Exec(ExecExchange {
                    command: exec.command.clone(),
                    exit_code: output.exit_code,
                    stdout: kept.keep(&output.stdout),
                    stderr: kept.keep(&output.stderr),
                })
            }
        };
        replayed.push(Exchange {
            sequence: exchange.sequence,
            origin: exchange.origin.clone(),
            kind,
        });
    }
    Ok(Replayed {
        exchanges: replayed,
        bodies: kept.into_map(),
    })
}

/// Waits until `target` listens on the ports of `sockets`, those that the original listened on, where no request was
/// recorded. If there are none, or nobody traces the container, it must be running.
///
/// # Errors
/// [`ProbeError::Exited`]; [`ProbeError::NotReady`].
pub async fn comes_up(
    target: &dyn Target,
    sockets: &[SocketUse],
    patience: Timeouts,
) -> Result<(), ProbeError> {
    let options = options_within(patience);
    let requests = Requests::default();
    let session = Session::new(target, &options, &requests);
    let ports: BTreeSet<u16> = sockets
        .iter()
        .filter(|socket| socket.action == SocketAction::Listen && socket.family.starts_with("inet"))
        .map(|socket| socket.port)
        .collect();
    let deadline = Instant::now() + patience.readiness;
    let mut backoff = Backoff::new();
    loop {
        session.check_running().await?;
        let listening: BTreeSet<u16> = target.listening().iter().map(|socket| socket.port).collect();
        let missing: Vec<u16> = ports.difference(&listening).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(session.no_connection(&missing, "nobody listens".into()));
        }
        session.pause(&mut backoff, || while_waiting(&missing)).await?;
    }
}

fn options_within(patience: Timeouts) -> Options {
    Options {
        readiness_deadline: patience.readiness,
        job_deadline: patience.job,
        ..Options::default()
    }
}

impl Session<'_> {
    /// Returns true if an answer of a replay is final. Until the first answer of all, one that is worse than the recorded
    /// one counts as starting, and the request is sent again.
    pub(super) fn is_final(&self, good: bool, deadline: Instant) -> bool {
        good || self.ready_after.get().is_some() || Instant::now() >= deadline
    }

    async fn check_running(&self) -> Result<(), ProbeError> {
        let failed = |error: super::BoxError| ProbeError::Target(error.to_string());
        if self.target.running().await.map_err(failed)? {
            return Ok(());
        }
        Err(ProbeError::Exited {
            code: self.target.wait().await.map_err(failed)?,
            doing: "although the original went on running".into(),
        })
    }

    fn no_connection(&self, ports: &[u16], last: String) -> ProbeError {
        ProbeError::NotReady {
            ports: list_ports(ports),
            seconds: self.options.readiness_deadline.as_secs(),
            last,
            remedy: "see the container's log".into(),
        }
    }

    /// Returns the port's address, once the port accepts connections; each port is tried until it has accepted one.
    async fn reachable(&self, port: u16, accepting: &mut BTreeSet<u16>) -> Result<SocketAddr, ProbeError> {
        let mut backoff = Backoff::new();
        let deadline = Instant::now() + self.options.readiness_deadline;
        let doing = || while_waiting(&[port]);
        loop {
            let last = match self.target.endpoint(port).await {
                None => "not reached from this machine".to_owned(),
                Some(endpoint) if accepting.contains(&port) => return Ok(endpoint),
                Some(endpoint) => {
                    let probing = self.converse(endpoint, NOTHING, Banner::Skip);
                    match self.unless_exited(doing, probing).await? {
                        TcpProbe::Open(_) => {
                            accepting.insert(port);
                            return Ok(endpoint);
                        }
                        TcpProbe::Refused(why) | TcpProbe::Closed(why) => why,
                    }
                }
            };
            if Instant::now() >= deadline {
                return Err(self.no_connection(&[port], last));
            }
            self.pause(&mut backoff, doing).await?;
        }
    }

    async fn replay_http(
        &self,
        endpoint: SocketAddr,
        request: &Request,
        port: u16,
        recorded: Option<u16>,
    ) -> Result<Option<Answer>, ProbeError> {
        let mut backoff = Backoff::new();
        let deadline = self.started + self.options.readiness_deadline;
        let shown = request.display(port);
        self.target.progress(&shown);
        loop {
            let answer = self.send(endpoint, port, request).await?.ok();
            let status = answer.as_ref().map(|answer| answer.response.status);
            let good = status == recorded || status.is_some_and(|status| status < 500);
            if self.is_final(good, deadline) {
                if status.is_some() {
                    self.answered();
                }
                return Ok(answer);
            }
            self.pause(&mut backoff, || format!("while {shown} was asked"))
                .await?;
        }
    }

    async fn replay_tcp(
        &self,
        endpoint: SocketAddr,
        port: u16,
        messages: &[&bytes::Bytes],
    ) -> Result<Vec<u8>, ProbeError> {
        let mut backoff = Backoff::new();
        let deadline = self.started + self.options.readiness_deadline;
        let doing = || while_waiting(&[port]);
        self.target.progress(&format!("asking {}", list_ports(&[port])));
        // As the original was asked, where its protocol is a known one.
        let known = Greeting::for_port(port).filter(|greeting| {
            let sent = messages.iter().map(AsRef::as_ref);
            sent.eq(greeting.messages.iter().copied())
        });
        let banner = known.map_or(Banner::Await, |greeting| greeting.first);
        loop {
            let probing = self.converse(endpoint, messages, banner);
            let received = match self.unless_exited(doing, probing).await? {
                TcpProbe::Open(received) => Some(received),
                TcpProbe::Refused(_) | TcpProbe::Closed(_) => None,
            };
            let starting =
                |bytes: &[u8]| Greeting::for_port(port).is_some_and(|greeting| greeting.is_starting(bytes));
            let good = received.as_deref().is_some_and(|bytes| !starting(bytes));
            if self.is_final(good, deadline) {
                if good {
                    self.answered();
                }
                return Ok(received.unwrap_or_default());
            }
            self.pause(&mut backoff, doing).await?;
        }
    }
    /// Sends a datagram, again and again until it is answered where the original answered; where that did not, once somebody is
    /// bound to the port.
    async fn replay_udp(&self, udp: &UdpExchange, sent: &[u8]) -> Result<Vec<u8>, ProbeError> {
        let mut backoff = Backoff::new();
        let deadline = self.started + self.options.readiness_deadline;
        let doing = || while_waiting(&[udp.port]);
        self.target
            .progress(&format!("asking {}/udp", list_ports(&[udp.port])));
        let silent = udp.received.size == 0;
        loop {
            let late = Instant::now() >= deadline;
            let bound = self.target.work().is_none() || is_bound(self.target, udp.port);
            let answer = match self.target.udp_endpoint(udp.port).await {
                Some(endpoint) if bound => {
                    let asking = self.datagram(endpoint, sent, if silent { 1 } else { SENDS });
                    self.unless_exited(doing, asking).await?.ok()
                }
                _ => None,
            };
            match answer {
                Some(received) if silent || !received.is_empty() => {
                    self.answered();
                    return Ok(received);
                }
                _ if late => return Ok(Vec::new()),
                // It is up, has nothing to do, and is silent.
                Some(_) if self.ready_after.get().is_some() => return Ok(Vec::new()),
                _ => {}
            }
            self.pause(&mut backoff, doing).await?;
        }
    }
}

/// Returns true if the tracer saw a process bound to this UDP port.
fn is_bound(target: &dyn Target, port: u16) -> bool {
    let mut sockets = target.listening().into_iter();
    sockets.any(|socket| socket.kind == "dgram" && socket.port == port)
}
