//! Requests and answers as they are recorded.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::http::{self, Answer, KEPT, Protocol, Request};
use crate::digest::Digest;
use crate::recording::{
    self, Body, Exchange, ExchangeKind, ExecExchange, Header, HostExchange, HttpExchange, Origin,
    TcpExchange, UdpExchange,
};

use super::ExecOutput;

/// All kept bodies together are at most this many bytes; of further ones the digest is kept.
const ALL_BODIES: usize = 128 << 20;

/// The parts of requests that a recording leaves out and a replay in the same process needs: the values of credential
/// headers, and bodies that are too large to keep. It is not serialised, and `Debug` shows none of it.
#[derive(Clone, Default)]
pub struct Unrecorded {
    /// Header values by the exchange's sequence number and the header's place in it.
    headers: BTreeMap<(u32, usize), String>,
    /// Request bodies.
    bodies: recording::Bodies,
}

impl Unrecorded {
    /// Returns the union of both, whose exchanges have different sequence numbers.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.headers.extend(other.headers.clone());
        self.bodies.extend(other.bodies.clone());
        self
    }
}

impl fmt::Debug for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Unrecorded({} values, {} bodies)",
            self.headers.len(),
            self.bodies.len()
        )
    }
}

/// The bytes of bodies, up to a bound of all together.
#[derive(Debug)]
pub(super) struct Bodies {
    bytes: recording::Bodies,
    size: usize,
    limit: usize,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::within(ALL_BODIES)
    }
}

impl Bodies {
    fn within(limit: usize) -> Self {
        Self {
            bytes: recording::Bodies::new(),
            size: 0,
            limit,
        }
    }

    /// The bytes of a body, if they are kept.
    pub(super) fn get(&self, digest: &Digest) -> Option<&[u8]> {
        self.bytes.get(digest).map(AsRef::as_ref)
    }

    /// Keeps the bytes if they are few enough. Returns their record.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Body {
        self.keep_as(body(bytes), bytes)
    }

    /// Keeps the bytes of `body` if they are few enough. Returns the record, changed if they are not.
    pub(super) fn keep_as(&mut self, mut body: Body, bytes: &[u8]) -> Body {
        if body.kept && !self.bytes.contains_key(&body.digest) {
            body.kept = self.size + bytes.len() <= self.limit;
            if body.kept {
                self.size += bytes.len();
                self.bytes
                    .insert(body.digest.clone(), Bytes::copy_from_slice(bytes));
            }
        }
        body
    }

    /// Returns all bytes that are kept, by digest.
    pub(super) fn into_map(self) -> recording::Bodies {
        self.bytes
    }
}

/// The run fails, or does not, when a request gets no good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requirement {
    /// The user named the request, or it showed that the app is ready: it must succeed.
    Required,
    /// slim found the request by itself: any answer is recorded.
    Optional,
}

/// The exchanges so far.
#[derive(Default)]
pub(super) struct Transcript {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) bodies: Bodies,
    pub(super) unrecorded: Unrecorded,
    pub(super) summary: Vec<String>,
    first: u32,
}

impl Transcript {
    /// An empty transcript whose exchanges are numbered from `first`.
    pub(super) fn starting_at(first: u32) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    fn push(&mut self, origin: Origin, kind: ExchangeKind) {
        self.exchanges.push(Exchange {
            sequence: self.next(),
            origin,
            kind,
        });
    }

    fn next(&self) -> u32 {
        let count = u32::try_from(self.exchanges.len()).unwrap_or(u32::MAX);
        self.first.saturating_add(count)
    }

    /// Records a request and its answer. The headers whose value came from the environment are in `secret`.
    pub(super) fn http(
        &mut self,
        origin: Origin,
        port: u16,
        request: &Request,
        secret: &[usize],
        answer: Option<&Answer>,
        requirement: Requirement,
    ) {
        let sequence = self.next();
        let mut headers = Vec::new();
        for (place, (name, value)) in request.headers.iter().enumerate() {
            let mut header = http::header(name, value);
            if secret.contains(&place) {
                header.value = None;
            }
            if header.value.is_none() {
                let key = (sequence, place);
                self.unrecorded.headers.insert(key, value.clone());
            }
            headers.push(header);
        }
        let body = request.body.as_ref().map(|bytes| {
            let body = self.bodies.keep(bytes);
            if !body.kept {
                let bytes = Bytes::copy_from_slice(bytes);
                self.unrecorded.bodies.insert(body.digest.clone(), bytes);
            }
            body
        });
        let response = answer.map(|answer| {
            let mut response = answer.response.clone();
            response.body = self.bodies.keep_as(response.body, &answer.bytes);
            response
        });
        self.push(
            origin,
            ExchangeKind::Http(HttpExchange {
                tls: request.protocol == Protocol::Https,
                port,
                method: request.method.clone(),
                path: request.path.clone(),
                headers,
                body,
                response,
                required: requirement == Requirement::Required,
            }),
        );
    }

    /// Records a TCP exchange: the messages in their order, and all that was received.
    pub(super) fn tcp(&mut self, origin: Origin, port: u16, sent: &[Vec<u8>], received: &[u8]) {
        let mut sent = sent.iter().filter(|sent| !sent.is_empty());
        let kind = TcpExchange {
            port,
            sent: sent.next().map(|sent| self.bodies.keep(sent)),
            then: sent.map(|sent| self.bodies.keep(sent)).collect(),
            received: self.bodies.keep(received),
        };
        self.push(origin, ExchangeKind::Tcp(kind));
    }

    /// Records a datagram and the answer to it.
    pub(super) fn udp(&mut self, origin: Origin, port: u16, sent: &[u8], received: &[u8]) {
        let sent = self.bodies.keep(sent);
        let received = self.bodies.keep(received);
        self.push(origin, ExchangeKind::Udp(UdpExchange { port, sent, received }));
    }

    /// Records a test of the user's.
    pub(super) fn host(&mut self, command: &str, output: &ExecOutput) {
        let kind = HostExchange {
            command: command.to_owned(),
            exit_code: output.exit_code,
            stdout: self.bodies.keep(&output.stdout),
            stderr: self.bodies.keep(&output.stderr),
        };
        self.push(Origin::Flag, ExchangeKind::Host(kind));
    }

    /// Records a command, or the job itself.
    pub(super) fn exec(&mut self, origin: Origin, command: &[String], output: &ExecOutput) {
        let stdout = self.bodies.keep(&output.stdout);
        let stderr = self.bodies.keep(&output.stderr);
        self.push(
            origin,
            ExchangeKind::Exec(ExecExchange {
                command: command.to_vec(),
                exit_code: output.exit_code,
                stdout,
                stderr,
            }),
        );
    }
}

/// Returns the record of these bytes, kept if they are few enough.
pub(super) fn body(bytes: &[u8]) -> Body {
    Body {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        kept: bytes.len() <= KEPT,
    }
}

/// Returns the request of a recorded exchange, to be sent again; none if a part that the recording leaves out is not at
/// hand.
pub(super) fn request(
    exchange: &HttpExchange,
    sequence: u32,
    bodies: &recording::Bodies,
    unrecorded: &Unrecorded,
) -> Option<Request> {
    let value = |(place, header): (usize, &Header)| {
        let value = header
            .value
            .as_ref()
            .or_else(|| unrecorded.headers.get(&(sequence, place)))?;
        Some((header.name.clone(), value.clone()))
    };
    let headers = exchange
        .headers
        .iter()
        .enumerate()
        .map(value)
        .collect::<Option<_>>()?;
    let body = match &exchange.body {
        None => None,
        Some(body) => Some(
            bodies
                .get(&body.digest)
                .or_else(|| unrecorded.bodies.get(&body.digest))?
                .to_vec(),
        ),
    };
    let version = exchange
        .response
        .as_ref()
        .map(|response| response.version.as_str());
    let protocol = match (exchange.tls, version) {
        (true, _) => Protocol::Https,
        (false, Some("HTTP/2.0")) => Protocol::Http2,
        (false, _) => Protocol::Http1,
    };
    Some(Request {
        protocol,
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        headers,
        body,
        timeout: http::REQUEST_TIMEOUT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_kept_up_to_a_bound() {
        let mut bodies = Bodies::within(10);
        assert!(bodies.keep(b"12345678").kept);
        assert!(bodies.keep(b"12345678").kept, "the same costs nothing");
        assert!(!bodies.keep(b"abc").kept);
        assert!(bodies.keep(b"ab").kept);
        assert_eq!(bodies.get(&Digest::of(b"abc")), None);
        assert_eq!(bodies.into_map().len(), 2);
    }
}
