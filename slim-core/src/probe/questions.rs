//! Questions that are asked beside a recording's own.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::{self, Question};
use super::http::{Dialect, Request};
use super::ready::PATIENCE;
use super::transcript::Transcript;
use super::{Error, ExecOutput, Unrecorded};
use crate::digest::Digest;
use crate::recording::{Exchange, ExchangeKind, Origin};

/// Questions without answers, to be asked by [`super::replay_within`] of whatever is to answer them.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// The questions, numbered after those that they follow.
    pub exchanges: Vec<Exchange>,
    /// Bodies of requests.
    pub bodies: BTreeMap<Digest, Vec<u8>>,
    /// Values that are not to be written anywhere.
    pub unrecorded: Unrecorded,
}

impl Questions {
    /// Reads a probe file as questions that follow `after`. What the file expects of an answer is not looked at: the
    /// original's answer is what is expected.
    ///
    /// A request without a port goes to the first that `after` asked over HTTP, in the way that it was asked.
    ///
    /// # Errors
    /// [`Error::ProbeFile`]; [`Error::Options`] where a request names no port and `after` asked none.
    pub fn load(path: &Path, after: &[Exchange]) -> Result<Self, Error> {
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
        for question in file::load(path)? {
            match question {
                Question::Exec(command, _) => transcript.exec(Origin::File, &command, &ExecOutput::default()),
                Question::Http(asked) => {
                    let port = asked.port.or(site.map(|site| site.port)).ok_or_else(|| {
                        Error::Options(format!(
                            "{}: {} names no port, and the recording has none that speaks HTTP: add port",
                            path.display(),
                            asked.path
                        ))
                    })?;
                    let dialect = match site.filter(|site| site.port == port) {
                        Some(site) if site.tls => Dialect::Tls,
                        _ => Dialect::Plain,
                    };
                    let request = Request {
                        dialect,
                        method: asked.method,
                        path: asked.path,
                        headers: asked.headers,
                        body: asked.body,
                        patience: PATIENCE,
                    };
                    transcript.http(Origin::File, port, &request, &asked.secret, None, true);
                }
            }
        }
        Ok(Self {
            exchanges: transcript.exchanges,
            bodies: transcript.bodies,
            unrecorded: transcript.unrecorded,
        })
    }
}
