//! The probe's requests and the container's answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One request and its answer, as verification replays it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Its position in the order of sending, from 0.
    pub sequence: u32,
    /// The reason for the request.
    pub origin: Origin,
    /// Request and answer.
    #[serde(flatten)]
    pub kind: ExchangeKind,
}

impl Exchange {
    /// Returns every body that it names.
    pub fn bodies(&self) -> Vec<&Body> {
        match &self.kind {
            ExchangeKind::Http(http) => http
                .body
                .iter()
                .chain(http.response.as_ref().map(|response| &response.body))
                .collect(),
            ExchangeKind::Tcp(tcp) => tcp.sent.iter().chain(&tcp.then).chain([&tcp.received]).collect(),
            ExchangeKind::Udp(udp) => vec![&udp.sent, &udp.received],
            ExchangeKind::Exec(exec) => vec![&exec.stdout, &exec.stderr],
            ExchangeKind::Host(host) => vec![&host.stdout, &host.stderr],
        }
    }
}

/// The reason for a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The probe sends it by itself: `GET /`, a greeting over TCP or UDP.
    Default,
    /// Found by the crawl in the answer to this path.
    Crawl {
        /// The page that links to it.
        from: String,
    },
    /// Named on the command line (`--http-path`, `--tcp-send`, `--udp-send`, `--run`, the exec probe's command).
    Flag,
    /// Listed in a probe file.
    File,
    /// The image's HEALTHCHECK, run once.
    Health,
    /// An operation of an OpenAPI description.
    OpenApi {
        /// The operation's id, or its method and path template.
        operation: String,
    },
}

/// The protocols.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "protocol", rename_all = "kebab-case")]
pub enum ExchangeKind {
    /// HTTP or HTTPS.
    Http(HttpExchange),
    /// Bytes over TCP.
    Tcp(TcpExchange),
    /// A datagram over UDP.
    Udp(UdpExchange),
    /// A command run in the container through the engine, or the job itself.
    Exec(ExecExchange),
    /// A command of the user's, run on the host beside the container (`--run`).
    Host(HostExchange),
}

/// An HTTP request and its response.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct HttpExchange {
    /// True for a request over TLS.
    pub tls: bool,
    /// The container's port.
    pub port: u16,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The request's headers, credentials by name only.
    pub headers: Vec<Header>,
    /// The request's body.
    pub body: Option<Body>,
    /// The answer; none if the connection ended without one.
    pub response: Option<HttpResponse>,
    /// True if the user demanded success (an explicit request, or `/`).
    pub required: bool,
}

/// The answer to an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1`, `HTTP/2.0`.
    pub version: String,
    /// The headers in the order they came, credentials by name only.
    pub headers: Vec<Header>,
    /// The body, decoded.
    pub body: Body,
    /// True if the body came to its end: not where the connection broke, or where a stream went on and was cut.
    pub complete: bool,
}

/// A header. The value of one that carries credentials (`authorization`, `cookie`, `set-cookie`, `proxy-authorization`,
/// what has token, secret, api-key, password, session or csrf in its name, or one that the probe file takes from the
/// environment) is not kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The name, in lower case.
    pub name: String,
    /// The value; none where it is a credential.
    pub value: Option<String>,
}

/// Bytes sent or received over a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TcpExchange {
    /// The container's port.
    pub port: u16,
    /// The bytes sent, if any.
    pub sent: Option<Body>,
    /// The bytes sent after that, each when the answer to what was sent before has come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Body>,
    /// The bytes received, all of them.
    pub received: Body,
}

/// A datagram and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct UdpExchange {
    /// The container's port.
    pub port: u16,
    /// The datagram sent.
    pub sent: Body,
    /// The first datagram received; empty if none came.
    pub received: Body,
}

/// A command on the host and its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct HostExchange {
    /// The command, as a shell reads it.
    pub command: String,
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub exit_code: i64,
    /// The end of its standard output.
    pub stdout: Body,
    /// The end of its standard error.
    pub stderr: Body,
}

/// A command and its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ExecExchange {
    /// The command; empty for the container's own (a job).
    pub command: Vec<String>,
    /// Its exit code.
    pub exit_code: i64,
    /// Its standard output.
    pub stdout: Body,
    /// Its standard error.
    pub stderr: Body,
}

/// The bytes of bodies, by digest. A clone of the map shares them.
pub type Bodies = BTreeMap<Digest, Bytes>;

/// A body, by its digest. The bytes lie beside the recording in `exchanges/HEX` if they were at most 1 MiB.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    /// The digest of the bytes.
    pub digest: Digest,
    /// Number of bytes.
    pub size: u64,
    /// True if the bytes lie beside the recording.
    pub kept: bool,
}
