//! One HTTP request and its answer.
//!
//! Every request names the host `localhost` whatever address reaches the container: answers that repeat the host are
//! then equal for the original and the product, and hosts that frameworks refuse by default are not named. Each goes
//! over a connection of its own, so that a server that handles one at a time is never kept busy by an idle one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Version, redirect};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};

use crate::digest::Digest;
use crate::recording::{Body, Header, HttpResponse};

/// Bodies up to this many bytes are kept; of longer ones only the digest.
pub(super) const KEPT: usize = 1 << 20;
/// Bodies are read up to this many bytes.
const READ: u64 = 256 << 20;
/// A body that sends nothing for this long counts as an endless stream, and is cut.
const IDLE: Duration = Duration::from_secs(5);
/// The same for a body of type `text/event-stream`.
const IDLE_EVENTS: Duration = Duration::from_secs(1);
/// The time that a connection may take: the peer is on this machine or as good as.
const CONNECT: Duration = Duration::from_secs(5);
/// The time that a request may take once the port is known to speak HTTP.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The header that says what browsers accept, in short.
const ACCEPT: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

/// The variant of HTTP that a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1 without TLS.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge (RFC 9113, section 3.3), as gRPC servers speak it.
    Http2,
    /// HTTPS, with HTTP/2 or HTTP/1.1 by ALPN; any certificate is accepted.
    Https,
}

impl Protocol {
    /// The scheme of its URLs.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Http1 | Self::Http2 => "http",
            Self::Https => "https",
        }
    }
}

/// A request, with the values of its credentials.
#[derive(Clone)]
pub struct Request {
    /// The variant of HTTP.
    pub protocol: Protocol,
    /// The method.
    pub method: String,
    /// Path and query; starts with `/`.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The time that the whole answer may take.
    pub timeout: Duration,
}

impl Request {
    /// `GET` of a path, as a browser sends it.
    pub(super) fn get(path: &str, protocol: Protocol) -> Self {
        Self {
            protocol,
            method: "GET".into(),
            path: path.into(),
            headers: vec![(ACCEPT.0.into(), ACCEPT.1.into())],
            body: None,
            timeout: REQUEST_TIMEOUT,
        }
    }

    /// The same request with another timeout.
    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// `GET http://localhost:8080/path`, for messages.
    pub(super) fn display(&self, port: u16) -> String {
        let scheme = self.protocol.scheme();
        format!("{} {scheme}://localhost:{port}{}", self.method, self.path)
    }
}

/// An answer as it is recorded, and the first MiB of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The recorded part.
    pub response: HttpResponse,
    /// The body, decoded, at most 1 MiB.
    pub bytes: Vec<u8>,
}

/// The reason why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// A connection, but no answer in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The connection ended without an answer, or what came is not HTTP.
    #[error("{0}")]
    Broken(String),
    /// The request cannot be sent as it is.
    #[error("not a request: {0}")]
    Request(String),
}

/// The HTTP client of a probe. What a site needs (TLS settings, a resolver) is made once for each endpoint and protocol.
#[derive(Debug, Default)]
pub struct Client {
    sites: Mutex<BTreeMap<(SocketAddr, Protocol), reqwest::Client>>,
}

impl Client {
    /// Sends `request` to `endpoint` and reads the answer. Redirects are not followed, proxies not used.
    ///
    /// # Errors
    /// [`Failure`] where not even a status line came. A body that breaks off or does not end is no failure: the answer is
    /// then marked as not complete.
    pub async fn send(&self, endpoint: SocketAddr, request: &Request) -> Result<Answer, Failure> {
        let client = self.site(endpoint, request.protocol)?;
        let builder = prepare(&client, request)?;
        let deadline = Instant::now() + request.timeout;
        let response = match timeout_at(deadline, builder.send()).await {
            Err(_) => return Err(Failure::Silent(request.timeout)),
            Ok(Err(error)) if error.is_connect() => return Err(Failure::Connect(innermost(&error))),
            Ok(Err(error)) => return Err(Failure::Broken(innermost(&error))),
            Ok(Ok(response)) => response,
        };
        Ok(receive(response, deadline).await)
    }

    fn site(&self, endpoint: SocketAddr, protocol: Protocol) -> Result<reqwest::Client, Failure> {
        // The map is whole after every statement, so a panic elsewhere left it so.
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = sites.get(&(endpoint, protocol)) {
            return Ok(client.clone());
        }
        let client = connect(endpoint, protocol).map_err(|error| Failure::Request(innermost(&error)))?;
        sites.insert((endpoint, protocol), client.clone());
        Ok(client)
    }
}

fn connect(endpoint: SocketAddr, protocol: Protocol) -> reqwest::Result<reqwest::Client> {
    // The first caller decides; all of them would decide the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .user_agent(concat!("slim/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        // The container is who it is by its address; this machine's certificates need not be read for that.
        .tls_danger_accept_invalid_certs(true)
        // Without a port in the URL the connector takes the one given here.
        .resolve("localhost", endpoint);
    match protocol {
        Protocol::Http1 => client.http1_only(),
        Protocol::Http2 => client.http2_prior_knowledge(),
        Protocol::Https => client,
    }
    .build()
}

/// Returns the request as the client sends it.
fn prepare(client: &reqwest::Client, request: &Request) -> Result<reqwest::RequestBuilder, Failure> {
    let scheme = request.protocol.scheme();
    // The path begins with a slash, so whatever follows cannot be taken for another host.
    let slash = if request.path.starts_with('/') { "" } else { "/" };
    let url = reqwest::Url::parse(&format!("{scheme}://localhost{slash}{}", request.path))
        .map_err(|error| Failure::Request(format!("{:?}: {error}", request.path)))?;
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| Failure::Request(format!("{:?} is not a method", request.method)))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Failure::Request(format!("{name:?} is not a header's name")))?;
        // The value may be a credential, so the message does not repeat it.
        let value = HeaderValue::from_str(value)
            .map_err(|_| Failure::Request(format!("the value of header {name} has control characters")))?;
        headers.append(name, value);
    }
    let mut builder = client.request(method, url).headers(headers);
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    Ok(builder)
}

/// Reads the answer to its end or to `deadline`.
async fn receive(response: reqwest::Response, deadline: Instant) -> Answer {
    let status = response.status().as_u16();
    let version = match response.version() {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    };
    let headers: Vec<Header> = response
        .headers()
        .iter()
        .map(|(name, value)| header(name.as_str(), &String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let events = headers.iter().any(|header| {
        header.name == "content-type"
            && header
                .value
                .as_deref()
                .is_some_and(|value| value.starts_with("text/event-stream"))
    });
    let (body, bytes, complete) = read(response, deadline, if events { IDLE_EVENTS } else { IDLE }).await;
    Answer {
        response: HttpResponse {
            status,
            version: version.to_owned(),
            headers,
            body,
            complete,
        },
        bytes,
    }
}

/// Reads a body until its end, the deadline, a pause longer than `idle`, or the bound.
async fn read(response: reqwest::Response, deadline: Instant, idle: Duration) -> (Body, Vec<u8>, bool) {
    let mut stream = response.bytes_stream();
    let mut hash = Sha256::new();
    let mut size = 0u64;
    let mut bytes = Vec::new();
    let complete = loop {
        match timeout_at(deadline.min(Instant::now() + idle), stream.next()).await {
            Ok(None) => break true,
            Ok(Some(Ok(chunk))) => {
                hash.update(&chunk);
                size += chunk.len() as u64;
                bytes.extend_from_slice(&chunk[..chunk.len().min(KEPT - bytes.len())]);
                if size > READ {
                    break false;
                }
            }
            Ok(Some(Err(_))) | Err(_) => break false,
        }
    };
    let body = Body {
        digest: Digest::from_sha256(hash),
        size,
        kept: size <= KEPT as u64,
    };
    (body, bytes, complete)
}

/// Returns a header as it is recorded: credentials by name only.
pub(super) fn header(name: &str, value: &str) -> Header {
    let name = name.to_ascii_lowercase();
    let value = (!is_credential(&name)).then(|| value.to_owned());
    Header { name, value }
}

/// Returns true if headers of this (lower-case) name carry credentials.
pub(super) fn is_credential(name: &str) -> bool {
    const NAMES: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
    const PARTS: [&str; 7] = [
        "token", "secret", "api-key", "apikey", "password", "session", "csrf",
    ];
    NAMES.contains(&name) || PARTS.iter().any(|part| name.contains(part))
}

/// Returns the message at the bottom of a chain of errors: `Connection refused (os error 111)` rather than `error sending request`.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_kept_by_name_only() {
        for name in [
            "Authorization",
            "cookie",
            "Set-Cookie",
            "X-API-Key",
            "X-Auth-Token",
            "x-csrf",
        ] {
            assert_eq!(header(name, "hidden").value, None, "{name}");
        }
        for name in ["content-type", "location", "www-authenticate"] {
            assert_eq!(header(name, "shown").value.as_deref(), Some("shown"), "{name}");
        }
    }
}
