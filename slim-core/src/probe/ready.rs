//! Which ports there are, and what is spoken on each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::http::{Answer, Dialect, Failure, Request, ask};
use super::tcp::{Hello, Talk, greet, talk};
use super::{Mode, Options, Target};
use crate::recording::SocketAction;

/// How long the first answers may take before other protocols are tried.
const FIRST_TRY: Duration = Duration::from_secs(3);
/// How long an HTTP answer is waited for on a port that stays silent whatever it is told.
const SECOND_TRY: Duration = Duration::from_secs(10);
/// How long a request may take once the port is known to speak HTTP.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// What browsers accept, in short.
pub(super) const ACCEPT: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// The ports of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// What may be asked, and whether the tracer saw it listened on.
    pub(super) ports: BTreeMap<u16, bool>,
    /// Ports listened on at an address that only the container itself reaches, with that address.
    pub(super) inside: BTreeMap<u16, String>,
}

impl Candidates {
    /// What is known by now; `given` are those that must answer.
    pub(super) async fn of(target: &dyn Target, given: &BTreeSet<u16>) -> Self {
        let mut known: BTreeMap<u16, bool> = BTreeMap::new();
        let mut inside: BTreeMap<u16, String> = BTreeMap::new();
        let mut outside: BTreeSet<u16> = BTreeSet::new();
        for port in given {
            known.insert(*port, false);
        }
        for (port, protocol) in target.exposed() {
            if protocol.eq_ignore_ascii_case("tcp") {
                known.insert(port, false);
            }
        }
        for socket in target.listening() {
            let stream = matches!(socket.family.as_str(), "inet" | "inet6")
                && !matches!(socket.kind.as_str(), "dgram" | "raw" | "seqpacket");
            if socket.action != SocketAction::Listen || !stream || socket.port == 0 {
                continue;
            }
            let loopback = socket
                .address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback());
            let shared = loopback
                && target
                    .endpoint(socket.port)
                    .await
                    .is_some_and(|endpoint| endpoint.ip().is_loopback());
            if loopback && !shared {
                inside.insert(socket.port, socket.address);
            } else {
                outside.insert(socket.port);
            }
        }
        for port in &outside {
            inside.remove(port);
            known.insert(*port, true);
        }
        Self { ports: known, inside }
    }
}

/// What a port turned out to speak, with the first answer.
#[derive(Debug)]
pub(super) enum Speaks {
    /// HTTP: how, and the answer to `GET /`.
    Http(Dialect, Box<Answer>),
    /// Neither HTTP nor HTTPS.
    Tcp {
        /// The protocol, if it is a known one and was recognised.
        name: Option<&'static str>,
        /// What was sent.
        sent: Option<Vec<u8>>,
        /// Everything received.
        received: Vec<u8>,
    },
}

/// What came of asking a port once.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It answered.
    Answered(Speaks),
    /// `GET /` is answered with 5xx.
    Failing(Dialect, Box<Answer>),
    /// There is no connection.
    Refused(String),
    /// There is a connection, and it ended without an answer, or the server says that it is starting.
    Closed(String),
}

/// `GET /`.
pub(super) fn root(dialect: Dialect, patience: Duration) -> Request {
    Request {
        dialect,
        method: "GET".into(),
        path: "/".into(),
        headers: vec![(ACCEPT.0.into(), ACCEPT.1.into())],
        body: None,
        patience,
    }
}

fn judge(dialect: Dialect, answer: Answer) -> Attempt {
    let answer = Box::new(answer);
    if answer.response.status >= 500 {
        Attempt::Failing(dialect, answer)
    } else {
        Attempt::Answered(Speaks::Http(dialect, answer))
    }
}

/// Asks a port once. The protocol usual on a known port is tried first, so that a database does not log garbage; then HTTP,
/// HTTPS, HTTP/2 in the clear, and bytes.
pub(super) async fn attempt(endpoint: SocketAddr, port: u16, options: &Options) -> Attempt {
    let known = Hello::of(port).filter(|_| options.tcp_send.is_none());
    if options.mode != Mode::Http
        && let Some(hello) = known
    {
        match greet(endpoint, hello).await {
            Talk::Refused(why) => return Attempt::Refused(why),
            Talk::Open(received) if hello.is_starting(&received) => {
                return Attempt::Closed(format!("{} is starting", hello.name));
            }
            Talk::Open(received) if hello.recognises(&received) => {
                return Attempt::Answered(Speaks::Tcp {
                    name: Some(hello.name),
                    sent: Some(hello.say.to_vec()),
                    received,
                });
            }
            Talk::Open(_) | Talk::Closed(_) => {}
        }
    }
    if options.mode == Mode::Tcp {
        return bytes(endpoint, port, options).await;
    }
    let patience = if options.mode == Mode::Http {
        PATIENCE
    } else {
        FIRST_TRY
    };
    let plain = match ask(endpoint, &root(Dialect::Plain, patience)).await {
        // Servers that speak TLS on this port say so in the clear with 400 (nginx, Apache, Go).
        Ok(answer) if answer.response.status == 400 => {
            return match ask(endpoint, &root(Dialect::Tls, FIRST_TRY)).await {
                Ok(secure) => judge(Dialect::Tls, secure),
                Err(_) => judge(Dialect::Plain, answer),
            };
        }
        Ok(answer) => return judge(Dialect::Plain, answer),
        Err(Failure::Connect(why)) => return Attempt::Refused(why),
        Err(failure) => failure,
    };
    for dialect in [Dialect::Tls, Dialect::PlainHttp2] {
        if let Ok(answer) = ask(endpoint, &root(dialect, FIRST_TRY)).await {
            return judge(dialect, answer);
        }
    }
    if options.mode == Mode::Http {
        return Attempt::Closed(plain.to_string());
    }
    if matches!(plain, Failure::Silent(_))
        && let Ok(answer) = ask(endpoint, &root(Dialect::Plain, SECOND_TRY)).await
    {
        return judge(Dialect::Plain, answer);
    }
    bytes(endpoint, port, options).await
}

async fn bytes(endpoint: SocketAddr, port: u16, options: &Options) -> Attempt {
    let hello = options
        .tcp_send
        .as_deref()
        .or_else(|| Hello::of(port).map(|hello| hello.say));
    match talk(endpoint, hello, true).await {
        Talk::Refused(why) => Attempt::Refused(why),
        Talk::Closed(why) => Attempt::Closed(why),
        Talk::Open(received) => Attempt::Answered(Speaks::Tcp {
            name: None,
            sent: hello.map(<[u8]>::to_vec),
            received,
        }),
    }
}
