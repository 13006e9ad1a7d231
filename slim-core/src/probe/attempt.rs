//! One attempt to find out what a port speaks.

use std::net::SocketAddr;
use std::time::Duration;

use super::http::{Answer, Client, Failure, Protocol, REQUEST_TIMEOUT, Request};
use super::tcp::{self, Banner, Greeting, TcpProbe};
use super::{Mode, Options};

/// The time that the first answers may take before other protocols are tried.
const FIRST_TRY: Duration = Duration::from_secs(3);
/// The time that an HTTP answer may take on a port that answers to nothing else either.
const SECOND_TRY: Duration = Duration::from_secs(10);

/// The protocol of a port, with the first answer.
#[derive(Debug)]
pub(super) enum Spoken {
    /// HTTP, and the answer to `GET /`.
    Http(Protocol, Box<Answer>),
    /// Neither HTTP nor HTTPS.
    Tcp {
        /// The protocol's name, if it is a known one and was recognised.
        name: Option<&'static str>,
        /// The bytes that were sent.
        sent: Option<Vec<u8>>,
        /// The bytes that were received.
        received: Vec<u8>,
    },
}

/// The outcome of one attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The port answered.
    Answered(Spoken),
    /// The port answers `GET /` with 5xx.
    Failing(Protocol, Box<Answer>),
    /// There is no connection.
    Refused(String),
    /// There is a connection, and it ended without an answer, or the server says that it is starting.
    Closed(String),
}

fn classify(protocol: Protocol, answer: Answer) -> Attempt {
    let answer = Box::new(answer);
    if answer.response.status >= 500 {
        Attempt::Failing(protocol, answer)
    } else {
        Attempt::Answered(Spoken::Http(protocol, answer))
    }
}

/// `GET /`.
fn root(protocol: Protocol, timeout: Duration) -> Request {
    Request::get("/", protocol).within(timeout)
}

/// Probes a port once. The protocol usual on a known port is tried first, so that a database does not log garbage; then
/// HTTP, HTTPS, HTTP/2 without TLS, and bytes.
pub(super) async fn attempt(client: &Client, endpoint: SocketAddr, port: u16, options: &Options) -> Attempt {
    let greeting = Greeting::for_port(port).filter(|_| options.tcp_send.is_none());
    if options.mode != Mode::Http
        && let Some(greeting) = greeting
    {
        match greeting.send(endpoint).await {
            TcpProbe::Refused(why) => return Attempt::Refused(why),
            TcpProbe::Open(received) if greeting.is_starting(&received) => {
                return Attempt::Closed(format!("{} is starting", greeting.name));
            }
            TcpProbe::Open(received) if greeting.recognises(&received) => {
                return Attempt::Answered(Spoken::Tcp {
                    name: Some(greeting.name),
                    sent: Some(greeting.message.to_vec()),
                    received,
                });
            }
            TcpProbe::Open(_) | TcpProbe::Closed(_) => {}
        }
    }
    if options.mode == Mode::Tcp {
        return bytes(endpoint, port, options).await;
    }
    let timeout = if options.mode == Mode::Http {
        REQUEST_TIMEOUT
    } else {
        FIRST_TRY
    };
    let failure = match client.send(endpoint, &root(Protocol::Http1, timeout)).await {
        // Servers that speak TLS on this port say so in the clear with 400 (nginx, Apache, Go).
        Ok(answer) if answer.response.status == 400 => {
            return match client.send(endpoint, &root(Protocol::Https, FIRST_TRY)).await {
                Ok(secure) => classify(Protocol::Https, secure),
                Err(_) => classify(Protocol::Http1, answer),
            };
        }
        Ok(answer) => return classify(Protocol::Http1, answer),
        Err(Failure::Connect(why)) => return Attempt::Refused(why),
        Err(failure) => failure,
    };
    for protocol in [Protocol::Https, Protocol::Http2] {
        if let Ok(answer) = client.send(endpoint, &root(protocol, FIRST_TRY)).await {
            return classify(protocol, answer);
        }
    }
    if options.mode == Mode::Http {
        return Attempt::Closed(failure.to_string());
    }
    if matches!(failure, Failure::Silent(_))
        && let Ok(answer) = client.send(endpoint, &root(Protocol::Http1, SECOND_TRY)).await
    {
        return classify(Protocol::Http1, answer);
    }
    bytes(endpoint, port, options).await
}

async fn bytes(endpoint: SocketAddr, port: u16, options: &Options) -> Attempt {
    let message = options
        .tcp_send
        .as_deref()
        .or_else(|| Greeting::for_port(port).map(|greeting| greeting.message));
    match tcp::probe(endpoint, message, Banner::Await).await {
        TcpProbe::Refused(why) => Attempt::Refused(why),
        TcpProbe::Closed(why) => Attempt::Closed(why),
        TcpProbe::Open(received) => Attempt::Answered(Spoken::Tcp {
            name: None,
            sent: message.map(<[u8]>::to_vec),
            received,
        }),
    }
}
