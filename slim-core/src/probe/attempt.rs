//! One attempt to find out what a port speaks.

use std::future::Ready;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::Mode;
use super::http::{Answer, Failure, Protocol, REQUEST_TIMEOUT, Request};
use super::session::Session;
use super::tcp::{Banner, Greeting, TcpProbe};

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
        /// The messages that were sent.
        sent: Vec<Vec<u8>>,
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

impl Attempt {
    /// Returns true for a connection over which nothing came.
    fn is_silent(&self) -> bool {
        matches!(self, Self::Answered(Spoken::Tcp { received, .. }) if received.is_empty())
    }
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

/// The idle times after which the first HTTP request is not answered, after which HTTPS and HTTP/2 are not, and after which a
/// port says nothing at all. Together with a wait for a banner they are less than a second.
const SILENT: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(200),
    Duration::from_millis(200),
];

impl Session<'_> {
    /// Probes a port once. The protocol usual on a known port is tried first, so that a database does not log garbage; then
    /// HTTP, HTTPS, HTTP/2 without TLS, and bytes. A port that is silent costs about a second in which the container is idle;
    /// one whose container works has the time that it takes.
    pub(super) async fn attempt_once(&self, endpoint: SocketAddr, port: u16) -> Attempt {
        let options = self.options;
        let greeting = Greeting::for_port(port).filter(|_| options.tcp_send.is_none());
        if options.mode != Mode::Http
            && let Some(greeting) = greeting
        {
            match greeting.send(self, endpoint).await {
                TcpProbe::Refused(why) => return Attempt::Refused(why),
                TcpProbe::Open(received) if greeting.is_starting(&received) => {
                    return Attempt::Closed(format!("{} is starting", greeting.name));
                }
                TcpProbe::Open(received) if greeting.recognises(&received) => {
                    return Attempt::Answered(Spoken::Tcp {
                        name: Some(greeting.name),
                        sent: greeting.messages.iter().map(|message| message.to_vec()).collect(),
                        received,
                    });
                }
                TcpProbe::Open(_) | TcpProbe::Closed(_) => {}
            }
        }
        match options.mode {
            Mode::Tcp => self.bytes(endpoint, port).await,
            Mode::Http => self.http(endpoint, REQUEST_TIMEOUT, None::<Ready<Attempt>>).await,
            _ => {
                let bytes = self.bytes(endpoint, port);
                self.http(endpoint, SECOND_TRY, Some(bytes)).await
            }
        }
    }

    /// Sends `GET /` by HTTP; by HTTPS and HTTP/2 where the port is silent or did not understand; then `bytes`. A first request
    /// that is not answered goes on meanwhile, and once more: its answer may only be late.
    async fn http(
        &self,
        endpoint: SocketAddr,
        limit: Duration,
        bytes: Option<impl Future<Output = Attempt>>,
    ) -> Attempt {
        let request = root(Protocol::Http1, limit);
        let mut asked = FuturesUnordered::from_iter([self.client.send(endpoint, &request)]);
        let failure = tokio::select! {
            Some(answer) = asked.next() => match answer {
                Ok(answer) => return self.in_the_clear(endpoint, answer).await,
                Err(Failure::Connect(why)) => return Attempt::Refused(why),
                Err(failure) => failure,
            },
            _ = timeout(FIRST_TRY, self.quiet(SILENT[0], FIRST_TRY)) => Failure::Silent(FIRST_TRY),
        };
        let silent = matches!(failure, Failure::Silent(_));
        let other = tokio::select! {
            Some(answer) = first_answer(&mut asked) => return self.in_the_clear(endpoint, answer).await,
            other = self.other_http(endpoint) => other,
        };
        if let Some(attempt) = other {
            return attempt;
        }
        let Some(bytes) = bytes else {
            return match first_answer(&mut asked).await {
                Some(answer) => self.in_the_clear(endpoint, answer).await,
                None => Attempt::Closed(failure.to_string()),
            };
        };
        if silent {
            asked.push(self.client.send(endpoint, &request));
        }
        let attempt = tokio::select! {
            Some(answer) = first_answer(&mut asked) => return self.in_the_clear(endpoint, answer).await,
            attempt = bytes => attempt,
        };
        if asked.is_empty() || !attempt.is_silent() {
            return attempt;
        }
        let late = tokio::select! {
            answer = first_answer(&mut asked) => answer,
            () = self.quiet(SILENT[2], SECOND_TRY) => None,
        };
        match late {
            Some(answer) => self.in_the_clear(endpoint, answer).await,
            None => attempt,
        }
    }

    /// Sends `GET /` by HTTPS and by HTTP/2; none if neither is answered.
    async fn other_http(&self, endpoint: SocketAddr) -> Option<Attempt> {
        let protocols = [Protocol::Https, Protocol::Http2].into_iter();
        let mut asked: FuturesUnordered<_> = protocols
            .map(async |protocol| {
                let answer = self.client.send(endpoint, &root(protocol, FIRST_TRY)).await;
                answer.map(|answer| (protocol, answer))
            })
            .collect();
        let (protocol, answer) = tokio::select! {
            answer = first_answer(&mut asked) => answer?,
            () = self.quiet(SILENT[1], FIRST_TRY) => return None,
        };
        Some(classify(protocol, answer))
    }

    /// Classifies an answer to a request in the clear.
    async fn in_the_clear(&self, endpoint: SocketAddr, answer: Answer) -> Attempt {
        // Servers that speak TLS on this port say so in the clear with 400 (nginx, Apache, Go).
        if answer.response.status == 400
            && let Ok(secure) = self
                .client
                .send(endpoint, &root(Protocol::Https, FIRST_TRY))
                .await
        {
            return classify(Protocol::Https, secure);
        }
        classify(Protocol::Http1, answer)
    }

    async fn bytes(&self, endpoint: SocketAddr, port: u16) -> Attempt {
        let sent: Vec<Vec<u8>> = match (&self.options.tcp_send, Greeting::for_port(port)) {
            (Some(message), _) => vec![message.clone()],
            (None, Some(greeting)) => greeting.messages.iter().map(|message| message.to_vec()).collect(),
            (None, None) => Vec::new(),
        };
        match self.converse(endpoint, &sent, Banner::Await).await {
            TcpProbe::Refused(why) => Attempt::Refused(why),
            TcpProbe::Closed(why) => Attempt::Closed(why),
            TcpProbe::Open(received) => Attempt::Answered(Spoken::Tcp {
                name: None,
                sent,
                received,
            }),
        }
    }
}

/// Returns the first good answer; none if there is none.
async fn first_answer<T>(
    asked: &mut FuturesUnordered<impl Future<Output = Result<T, Failure>>>,
) -> Option<T> {
    while let Some(answer) = asked.next().await {
        if let Ok(answer) = answer {
            return Some(answer);
        }
    }
    None
}
