//! Requests that are sent besides the recorded ones.

use std::path::Path;

use super::file::{self, Entry};
use super::http::{Protocol, REQUEST_TIMEOUT, Request};
use super::transcript::{Requirement, Transcript};
use super::{ExecOutput, ProbeError, Unrecorded};
use crate::recording::{Bodies, Exchange, ExchangeKind, Origin};

/// Requests and commands without answers, to be sent by [`super::replay_within`].
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// The requests, numbered after those that they follow.
    pub exchanges: Vec<Exchange>,
    /// The bodies of the requests.
    pub bodies: Bodies,
    /// Values that must not be written anywhere.
    pub unrecorded: Unrecorded,
}

impl Questions {
    /// Reads a probe file as requests that follow `after`. The file's expectations are ignored: the original's answers
    /// are the expected ones.
    ///
    /// A request without a port goes to the port and protocol of the first HTTP exchange of `after`.
    ///
    /// # Errors
    /// [`ProbeError::ProbeFile`]; [`ProbeError::Options`] where a request names no port and `after` has no HTTP exchange.
    pub fn load(path: &Path, after: &[Exchange]) -> Result<Self, ProbeError> {
        let first = after
            .iter()
            .map(|exchange| exchange.sequence + 1)
            .max()
            .unwrap_or(0);
        let site = after.iter().find_map(|exchange| match &exchange.kind {
            ExchangeKind::Http(http) => Some(http),
            _ => None,
        });
        let mut transcript = Transcript::starting_at(first);
        for entry in file::load(path)? {
            match entry {
                Entry::Command(command, _) => transcript.exec(Origin::File, &command, &ExecOutput::default()),
                Entry::Request(request) => {
                    let port = request.port.or(site.map(|site| site.port)).ok_or_else(|| {
                        ProbeError::Options(format!(
                            "{}: {} names no port, and the recording has none that speaks HTTP: add port",
                            path.display(),
                            request.path
                        ))
                    })?;
                    let protocol = match site.filter(|site| site.port == port) {
                        Some(site) if site.tls => Protocol::Https,
                        _ => Protocol::Http1,
                    };
                    let sent = Request {
                        protocol,
                        method: request.method,
                        path: request.path,
                        headers: request.headers,
                        body: request.body,
                        timeout: REQUEST_TIMEOUT,
                    };
                    transcript.http(
                        Origin::File,
                        port,
                        &sent,
                        &request.secret,
                        None,
                        Requirement::Required,
                    );
                }
            }
        }
        Ok(Self {
            exchanges: transcript.exchanges,
            bodies: transcript.bodies.into_map(),
            unrecorded: transcript.unrecorded,
        })
    }
}
