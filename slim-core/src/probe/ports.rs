//! The wait until the container's ports answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::attempt::{Attempt, Spoken};
use super::backoff::Backoff;
use super::http::{Protocol, Request};
use super::quiet::Meter;
use super::session::Session;
use super::transcript::Transcript;
use super::udp::{Hello, UdpAttempt, UdpSpoken};
use super::{End, Mode, ProbeError, Target};
use crate::recording::{SocketAction, SocketUse};

/// The time to wait for exposed ports that nobody listens on once another port has answered.
const GRACE: Duration = Duration::from_secs(1);
/// The same where the tracer saw the answering port listened on: it would have seen the others, too.
const TRACED_GRACE: Duration = Duration::from_millis(300);
/// The time to wait for a port that accepts connections without an answer, once another port has answered, and for a
/// container that listens on its own loopback address only.
const DOUBT: Duration = Duration::from_secs(5);
/// The idle time of the container after which the former is over.
const IDLE_DOUBT: Duration = Duration::from_millis(800);
/// The time to wait for exposed ports while the container works without a pause: it may still be starting.
const STARTING: Duration = Duration::from_secs(20);
/// From this number on, the kernel chooses ports (`ip_local_port_range`): who is bound to one asks others.
const EPHEMERAL: u16 = 32768;

/// Number of ports that are attempted at the same time: an image may expose all there are.
const PARALLEL: usize = 64;
/// Number of ports that a message names.
const NAMED: usize = 16;

/// The ports of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// The ports that may be probed.
    pub(super) ports: BTreeSet<u16>,
    /// Those that the tracer saw listened on.
    pub(super) listening: BTreeSet<u16>,
    /// The ports listened on at an address that only the container itself reaches, with that address.
    pub(super) loopback: BTreeMap<u16, String>,
    /// The UDP ports that may be probed.
    pub(super) udp: BTreeSet<u16>,
    /// True if the tracer sees who listens where: then nobody else does.
    traced: bool,
}

impl Candidates {
    /// Returns the ports known by now; `required` are those that must answer, `spoken_to` the UDP ports that the user named.
    pub(super) async fn find(
        target: &dyn Target,
        required: &BTreeSet<u16>,
        spoken_to: &BTreeSet<u16>,
    ) -> Self {
        let mut ports = required.clone();
        let mut loopback: BTreeMap<u16, String> = BTreeMap::new();
        let mut listening: BTreeSet<u16> = BTreeSet::new();
        let mut udp = spoken_to.clone();
        for (port, protocol) in target.exposed() {
            match protocol.to_ascii_lowercase().as_str() {
                "tcp" => drop(ports.insert(port)),
                "udp" => drop(udp.insert(port)),
                _ => {}
            }
        }
        let traced = target.work().is_some();
        let sockets = target.listening();
        let bound = bound_udp(&sockets);
        if traced {
            udp.retain(|port| bound.contains(port));
        }
        udp.extend(bound.into_iter().filter(|port| Hello::for_port(*port).is_some()));
        for socket in sockets {
            let stream = matches!(socket.family.as_str(), "inet" | "inet6")
                && !matches!(socket.kind.as_str(), "dgram" | "raw" | "seqpacket");
            if socket.action != SocketAction::Listen || !stream || socket.port == 0 {
                continue;
            }
            let is_loopback = socket
                .address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback());
            let host_network = is_loopback
                && target
                    .endpoint(socket.port)
                    .await
                    .is_some_and(|endpoint| endpoint.ip().is_loopback());
            if is_loopback && !host_network {
                loopback.insert(socket.port, socket.address);
            } else {
                listening.insert(socket.port);
            }
        }
        for port in &listening {
            loopback.remove(port);
            ports.insert(*port);
        }
        Self {
            ports,
            listening,
            loopback,
            udp,
            traced,
        }
    }

    /// Returns whether nobody listens on the port, as far as the tracer sees.
    fn is_unbound(&self, port: u16) -> bool {
        self.traced && !self.listening.contains(&port)
    }
}

/// Returns the UDP ports that others can send to and somebody is bound to.
fn bound_udp(sockets: &[SocketUse]) -> BTreeSet<u16> {
    let reachable = |socket: &&SocketUse| {
        socket.action == SocketAction::Bind
            && socket.kind == "dgram"
            && matches!(socket.family.as_str(), "inet" | "inet6")
            && (1..EPHEMERAL).contains(&socket.port)
            && !socket
                .address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback())
    };
    sockets
        .iter()
        .filter(reachable)
        .map(|socket| socket.port)
        .collect()
}

/// The first answers of ports.
#[derive(Default)]
pub(super) struct Answers {
    /// Those of TCP ports.
    pub(super) tcp: BTreeMap<u16, Spoken>,
    /// What was said to UDP ports, answered or not.
    pub(super) udp: BTreeMap<u16, UdpSpoken>,
}

impl Answers {
    /// Returns true if no port has answered.
    fn is_empty(&self) -> bool {
        self.tcp.is_empty() && !self.udp.values().any(UdpSpoken::answered)
    }
}

/// The end of the wait.
pub(super) enum Readiness {
    /// The ports that must answer do; these are the first answers.
    Ready(Answers),
    /// The container exited, which a job may.
    Exited(i64),
    /// No port came to be listened on in the time that the user gave.
    NoPort,
}

/// The state of the wait.
struct Wait {
    /// The first answers.
    answers: Answers,
    /// The last failed attempt at each other port.
    failures: BTreeMap<u16, Attempt>,
    /// The time since which a port answers with the same 5xx.
    failing_since: BTreeMap<u16, Instant>,
    /// The UDP ports that are bound and silent.
    silent: BTreeSet<u16>,
    /// The idle time since the last answer.
    meter: Meter,
    /// The time at which a port was first known.
    first_known: Option<Instant>,
    last_answer: Instant,
    /// True once a connection was made.
    connected: bool,
    /// The last progress message.
    reported: String,
}

/// The ports at one moment.
struct PortStates {
    candidates: Candidates,
    /// The ports that have not answered by now.
    missing: Vec<u16>,
    /// The UDP ports that were not spoken to by now.
    missing_udp: Vec<u16>,
}

impl Wait {
    fn new() -> Self {
        Self {
            answers: Answers::default(),
            failures: BTreeMap::new(),
            failing_since: BTreeMap::new(),
            silent: BTreeSet::new(),
            meter: Meter::default(),
            first_known: None,
            last_answer: Instant::now(),
            connected: false,
            reported: String::new(),
        }
    }

    /// Adds the outcome of one attempt.
    fn add(&mut self, port: u16, attempt: Attempt) {
        self.connected |= !matches!(attempt, Attempt::Refused(_));
        match attempt {
            Attempt::Answered(spoken) => {
                self.failures.remove(&port);
                self.note_answer();
                self.answers.tcp.insert(port, spoken);
            }
            failure => {
                let status = |attempt: Option<&Attempt>| match attempt {
                    Some(Attempt::Failing(_, answer)) => Some(answer.response.status),
                    _ => None,
                };
                let before = status(self.failures.get(&port));
                if before.is_none() || before != status(Some(&failure)) {
                    self.failing_since.insert(port, Instant::now());
                }
                self.failures.insert(port, failure);
            }
        }
    }

    /// Takes what ports still answer for their answers: the same 5xx all the time.
    fn take_steady(&mut self, transcript: &mut Transcript) {
        let failures = std::mem::take(&mut self.failures);
        for (port, failure) in failures {
            if let Attempt::Failing(protocol, answer) = failure {
                let status = answer.response.status;
                transcript.summary.push(format!(
                    "port {port} answers / with {status} all the time: taken for its answer"
                ));
                self.answers.tcp.insert(port, Spoken::Http(protocol, answer));
            } else {
                self.failures.insert(port, failure);
            }
        }
    }

    /// Adds the outcome of speaking to a UDP port.
    fn add_udp(&mut self, port: u16, attempt: UdpAttempt) {
        match attempt {
            UdpAttempt::Spoken(spoken) => {
                if spoken.answered() {
                    self.note_answer();
                }
                self.answers.udp.insert(port, spoken);
            }
            UdpAttempt::Silent => drop(self.silent.insert(port)),
            UdpAttempt::Refused => drop(self.silent.remove(&port)),
        }
    }

    fn note_answer(&mut self) {
        self.last_answer = Instant::now();
        self.meter.reset();
    }

    /// Returns true if what does not answer by now need not be waited for any longer.
    fn is_over(&mut self, session: &Session<'_>, look: &PortStates) -> bool {
        let required = &session.requests.ports;
        let steady = DOUBT.min(session.options.readiness_deadline / 4);
        let idle = self.meter.look(session.target).unwrap_or_default();
        let streak = self.meter.streak();
        if self.answers.is_empty() {
            // A server that does not answer by nature, where there is no other.
            let PortStates {
                candidates, missing, ..
            } = look;
            let unbound = missing
                .iter()
                .all(|port| candidates.is_unbound(*port) && !required.contains(port));
            return !self.answers.udp.is_empty() && unbound && candidates.loopback.is_empty();
        }
        let listening = &look.candidates.listening;
        let traced = self.answers.tcp.keys().all(|port| listening.contains(port));
        let grace = if traced { TRACED_GRACE } else { GRACE };
        let waited = self.last_answer.elapsed();
        look.missing.iter().all(|port| {
            !required.contains(port)
                && match self.failures.get(port) {
                    // It may be starting, and then it works; one that nobody can look into has longer.
                    Some(Attempt::Failing(..)) => self.failing_since.get(port).is_some_and(|since| {
                        let so_far = since.elapsed();
                        so_far >= STARTING || (so_far >= steady && idle >= IDLE_DOUBT.min(steady))
                    }),
                    Some(Attempt::Closed(_)) => waited >= DOUBT || idle >= IDLE_DOUBT,
                    // It may still be about to listen there.
                    _ if look.candidates.is_unbound(*port) => waited >= STARTING || streak >= TRACED_GRACE,
                    _ => waited >= grace,
                }
        }) && look
            .missing_udp
            .iter()
            .all(|port| self.silent.contains(port) || waited >= grace)
    }

    /// Fails where every port is one that only the container itself reaches.
    fn check_loopback(&self, look: &PortStates) -> Result<(), ProbeError> {
        let loopback = &look.candidates.loopback;
        let doubtful = self.first_known.is_some_and(|since| since.elapsed() >= DOUBT);
        let all = look.missing.iter().all(|port| loopback.contains_key(port));
        match look.missing.first() {
            Some(port) if doubtful && all && self.answers.is_empty() => Err(ProbeError::LoopbackOnly {
                address: loopback[port].clone(),
                port: *port,
            }),
            _ => Ok(()),
        }
    }

    /// Adds the ports that were not probed to the summary.
    fn summarise_missing(&self, transcript: &mut Transcript, look: &PortStates) {
        let candidates = &look.candidates;
        let spoken_of =
            |port: &&u16| !candidates.is_unbound(**port) || candidates.loopback.contains_key(*port);
        let missing = look.missing.iter().filter(spoken_of);
        let missing: Vec<u16> = missing
            .filter(|port| !self.answers.tcp.contains_key(port))
            .copied()
            .collect();
        for port in missing.iter().take(NAMED) {
            let message = match (candidates.loopback.get(port), self.failures.get(port)) {
                (Some(address), _) => {
                    format!("port {port} is listened on at {address} only, so it was not probed")
                }
                (None, Some(Attempt::Closed(why))) => {
                    format!("port {port} accepts connections but does not answer ({why}): not probed")
                }
                _ if candidates.listening.contains(port) => {
                    format!("port {port} is no longer listened on: not probed")
                }
                _ => format!("port {port} is exposed, but nothing listens on it: not probed"),
            };
            transcript.summary.push(message);
        }
        for port in look.missing_udp.iter().take(NAMED) {
            transcript.summary.push(format!(
                "port {port}/udp does not answer: not probed; --udp-send {port}=HEX says something it knows"
            ));
        }
        if let more @ 1.. = missing.len().saturating_sub(NAMED) {
            transcript
                .summary
                .push(format!("{more} more ports were not probed"));
        }
    }

    /// The progress message.
    fn progress(&self, waiting_for: &[u16]) -> Option<String> {
        if self.first_known.is_none() {
            return Some("nothing listens yet: waiting for a port, or for the exit of a job".to_owned());
        }
        let state = |port: &u16| match self.failures.get(port) {
            Some(Attempt::Failing(_, answer)) => format!("{port} (answers {})", answer.response.status),
            Some(Attempt::Closed(why)) => format!("{port} ({why})"),
            _ => port.to_string(),
        };
        let mut list: Vec<String> = waiting_for.iter().take(NAMED).map(state).collect();
        if let more @ 1.. = waiting_for.len().saturating_sub(NAMED) {
            list.push(format!("… and {more} more"));
        }
        (!list.is_empty()).then(|| format!("waiting for port {}", list.join(", ")))
    }
}

impl Session<'_> {
    /// Waits until the ports answer, or it is clear that none will.
    pub(super) async fn wait_for_ports(&self, transcript: &mut Transcript) -> Result<Readiness, ProbeError> {
        let required = &self.requests.ports;
        let mut wait = Wait::new();
        let mut backoff = Backoff::new();
        loop {
            let look = match self.inspect_ports(&mut wait).await {
                Ok(look) => look,
                Err((candidates, ProbeError::Exited { code, doing })) => {
                    return self.exited(transcript, code, doing, &wait, &candidates);
                }
                Err((_, error)) => return Err(error),
            };
            if wait.is_over(self, &look) {
                wait.take_steady(transcript);
                wait.summarise_missing(transcript, &look);
                return Ok(Readiness::Ready(wait.answers));
            }
            if look.candidates.ports.is_empty()
                && matches!(self.options.end, End::After(least) if self.started.elapsed() >= least)
            {
                let message = "the container listens on no TCP port: it was watched, not asked";
                transcript.summary.push(message.to_owned());
                return Ok(Readiness::NoPort);
            }
            wait.check_loopback(&look)?;
            // Where no port must answer, Ctrl-C ends the wait.
            let endless = self.options.end == End::Interrupt && required.is_empty();
            if Instant::now() >= self.wait_deadline(&wait) && !endless {
                return Err(self.not_ready(&look.candidates, &look.missing, &wait.failures));
            }
            match self.pause(&mut backoff, || while_waiting(&look.missing)).await {
                Ok(()) => {}
                Err(ProbeError::Exited { code, doing }) => {
                    return self.exited(transcript, code, doing, &wait, &look.candidates);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Finds the ports and attempts those that have not answered. An error comes with the ports known by then.
    async fn inspect_ports(&self, wait: &mut Wait) -> Result<PortStates, (Candidates, ProbeError)> {
        let candidates = self.candidates().await;
        if wait.first_known.is_none() && !(candidates.ports.is_empty() && candidates.udp.is_empty()) {
            wait.first_known = Some(Instant::now());
        }
        let open: Vec<u16> = candidates
            .ports
            .iter()
            .filter(|port| !wait.answers.tcp.contains_key(port))
            .copied()
            .collect();
        let open_udp: Vec<u16> = candidates
            .udp
            .iter()
            .filter(|port| !wait.answers.udp.contains_key(port))
            .copied()
            .collect();
        let attempted: Vec<u16> = open
            .iter()
            .filter(|port| !candidates.is_unbound(**port) || self.requests.ports.contains(port))
            .copied()
            .collect();
        if let Some(message) = wait.progress(&open)
            && message != wait.reported
        {
            self.target.progress(&message);
            wait.reported = message;
        }
        let deadline = self.wait_deadline(wait);
        let attempts = join(
            self.attempt_all(&attempted, deadline),
            self.attempt_all_udp(&open_udp),
        );
        let (attempts, udp) = match self.unless_exited(|| while_waiting(&open), attempts).await {
            Ok(attempts) => attempts,
            Err(error) => return Err((candidates, error)),
        };
        for (port, attempt) in attempted.iter().zip(attempts) {
            wait.add(*port, attempt);
        }
        for (port, attempt) in open_udp.iter().zip(udp) {
            wait.add_udp(*port, attempt);
        }
        let missing = open
            .into_iter()
            .filter(|port| !wait.answers.tcp.contains_key(port))
            .collect();
        let missing_udp = open_udp
            .into_iter()
            .filter(|port| !wait.answers.udp.contains_key(port))
            .collect();
        Ok(PortStates {
            candidates,
            missing,
            missing_udp,
        })
    }

    /// Returns the ports known by now.
    pub(super) async fn candidates(&self) -> Candidates {
        Candidates::find(self.target, &self.requests.ports, &self.requests.udp).await
    }

    /// Speaks to all of these UDP ports, a bounded number at a time, unless only TCP was asked for. The outcomes are in their
    /// order.
    async fn attempt_all_udp(&self, ports: &[u16]) -> Vec<UdpAttempt> {
        let attempt = async |port| {
            let named = self.requests.udp.contains(&port);
            if self.options.mode != Mode::Auto && !named {
                return UdpAttempt::Silent;
            }
            let Some(endpoint) = self.target.udp_endpoint(port).await else {
                return UdpAttempt::Refused;
            };
            let attempt = self.speak_udp(endpoint, port).await;
            if matches!(&attempt, UdpAttempt::Spoken(spoken) if spoken.answered()) {
                self.answered();
            }
            attempt
        };
        stream::iter(ports.to_vec())
            .map(attempt)
            .buffered(PARALLEL)
            .collect()
            .await
    }

    /// The time at which the wait fails.
    fn wait_deadline(&self, wait: &Wait) -> Instant {
        let options = self.options;
        match wait.first_known {
            Some(_) if options.end == End::Exit && self.requests.ports.is_empty() => {
                self.started + options.job_deadline
            }
            Some(since) => since + options.readiness_deadline,
            None if options.mode == Mode::Auto => self.started + options.job_deadline,
            None => self.started + options.readiness_deadline,
        }
    }

    /// Attempts all of `ports`, a bounded number at a time. The outcomes are in their order.
    async fn attempt_all(&self, ports: &[u16], deadline: Instant) -> Vec<Attempt> {
        stream::iter(ports.to_vec())
            .map(|port| self.attempt(port, deadline))
            .buffered(PARALLEL)
            .collect()
            .await
    }

    async fn attempt(&self, port: u16, deadline: Instant) -> Attempt {
        let Some(endpoint) = self.target.endpoint(port).await else {
            return Attempt::Refused("not reached from this machine".into());
        };
        let shortest = Backoff::new().longest();
        let left = deadline.saturating_duration_since(Instant::now()).max(shortest);
        let attempting = self.attempt_once(endpoint, port);
        let attempt = match timeout(left, attempting).await {
            Ok(Attempt::Failing(protocol, answer))
                if self.requests.expects_of_root(port, answer.response.status) =>
            {
                Attempt::Answered(Spoken::Http(protocol, answer))
            }
            Ok(attempt) => attempt,
            Err(_) => Attempt::Closed("connected, but no answer".into()),
        };
        if matches!(attempt, Attempt::Answered(_)) {
            self.answered();
        }
        attempt
    }

    /// The container exited during the wait: it is a job, or it failed.
    fn exited(
        &self,
        transcript: &mut Transcript,
        code: i64,
        doing: String,
        wait: &Wait,
        candidates: &Candidates,
    ) -> Result<Readiness, ProbeError> {
        let options = self.options;
        let listened = wait.connected || !candidates.listening.is_empty();
        let job =
            options.end == End::Exit || (wait.answers.is_empty() && !listened && options.mode == Mode::Auto);
        if !job || !self.requests.ports.is_empty() {
            return Err(ProbeError::Exited { code, doing });
        }
        if !candidates.ports.is_empty() && options.end != End::Exit {
            // Its image exposes a port, so a failure is that of a server.
            if code != options.expect_exit {
                return Err(ProbeError::Exited { code, doing });
            }
            transcript.summary.push(format!(
                "{} exposed, but the container exited with {code} without listening: taken for a job",
                list_ports(&candidates.ports.iter().copied().collect::<Vec<_>>())
            ));
        }
        Ok(Readiness::Exited(code))
    }

    /// The error of a wait that came to its deadline.
    pub(super) fn not_ready(
        &self,
        candidates: &Candidates,
        missing: &[u16],
        failures: &BTreeMap<u16, Attempt>,
    ) -> ProbeError {
        let options = self.options;
        if options.end == End::Exit && self.requests.ports.is_empty() {
            return ProbeError::StillRunning {
                seconds: options.job_deadline.as_secs(),
            };
        }
        let seconds = options.readiness_deadline.as_secs();
        // The failure that says most comes first: an answer, then a connection, then neither.
        for port in missing {
            if let Some(Attempt::Failing(protocol, answer)) = failures.get(port) {
                return ProbeError::StillFailing {
                    request: Request::get("/", *protocol).display(*port),
                    status: answer.response.status,
                    seconds,
                    hint: ", or exercise it with --probe exec or --for".into(),
                };
            }
        }
        for port in missing {
            if let Some(Attempt::Closed(why)) = failures.get(port) {
                return ProbeError::Unanswered {
                    request: match options.mode {
                        Mode::Http => Request::get("/", Protocol::Http1).display(*port),
                        _ => format!("port {port} accepts connections"),
                    },
                    seconds,
                    last: why.clone(),
                };
            }
        }
        if let Some((port, address)) = candidates.loopback.first_key_value() {
            return ProbeError::LoopbackOnly {
                address: address.clone(),
                port: *port,
            };
        }
        if let (true, Some(port)) = (candidates.ports.is_empty(), candidates.udp.first()) {
            return ProbeError::NotReady {
                ports: format!("port {port}/udp"),
                seconds,
                last: "no answer".into(),
                remedy: format!(
                    "say something that it answers with --udp-send {port}=HEX, or see the container's log"
                ),
            };
        }
        if candidates.ports.is_empty() {
            if options.mode == Mode::Auto {
                return ProbeError::Neither {
                    seconds: options.job_deadline.as_secs(),
                };
            }
            return ProbeError::NotReady {
                ports: "any port".into(),
                seconds,
                last: "the container listens on no TCP port, and its image exposes none".into(),
                remedy: "name one with --port, or see the container's log".into(),
            };
        }
        let last = match missing.first().and_then(|port| failures.get(port)) {
            Some(Attempt::Refused(why)) => why.clone(),
            _ => "no connection".into(),
        };
        ProbeError::NotReady {
            ports: list_ports(missing),
            seconds,
            last,
            remedy: "see the container's log; if it listens elsewhere, name the port with --port; if it is a job, pass \
                     --until-exit; if it is only slow, pass a longer --ready-timeout"
                .into(),
        }
    }

    /// Returns the answers of ports that are listened on by now and were not before; each is attempted once.
    pub(super) async fn late_ports(
        &self,
        known: &BTreeSet<u16>,
    ) -> Result<BTreeMap<u16, Spoken>, ProbeError> {
        let candidates = self.candidates().await;
        let fresh: Vec<u16> = candidates.listening.difference(known).copied().collect();
        let deadline = Instant::now() + DOUBT;
        let attempts = self.attempt_all(&fresh, deadline);
        let attempts = self.unless_exited(|| while_waiting(&fresh), attempts).await?;
        Ok(fresh
            .iter()
            .zip(attempts)
            .filter_map(|(port, attempt)| match attempt {
                Attempt::Answered(spoken) => Some((*port, spoken)),
                _ => None,
            })
            .collect())
    }
}

/// `while port 80 was waited for`.
pub(super) fn while_waiting(ports: &[u16]) -> String {
    if ports.is_empty() {
        "before it listened anywhere".into()
    } else {
        format!("while {} was waited for", list_ports(ports))
    }
}

/// `port 80` or `ports 80, 443`.
pub(super) fn list_ports(ports: &[u16]) -> String {
    let mut list: Vec<String> = ports.iter().take(NAMED).map(u16::to_string).collect();
    if let more @ 1.. = ports.len().saturating_sub(NAMED) {
        list.push(format!("… and {more} more"));
    }
    let plural = if ports.len() == 1 { "" } else { "s" };
    format!("port{plural} {}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::fake::Fake;
    use super::super::{Options, run};
    use super::*;

    #[tokio::test]
    async fn many_ports_are_attempted_some_at_a_time() {
        let fake = Fake {
            exposed: (1..=2000).collect(),
            ..Fake::default()
        };
        let options = Options {
            readiness_deadline: Duration::from_millis(100),
            ..Options::default()
        };
        let error = run(&fake, &options).await.unwrap_err().to_string();
        assert!(error.contains(", 16, … and 1984 more within"), "{error}");
        assert_eq!(fake.most_active.load(Ordering::Relaxed), PARALLEL);
    }

    #[test]
    fn ports_are_listed() {
        assert_eq!(list_ports(&[80]), "port 80");
        assert_eq!(list_ports(&[80, 443]), "ports 80, 443");
    }
}
