//! The requests to an HTTP site that the user or an API description names.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::ProbeError;
use super::backoff::Backoff;
use super::file::{Entry, FileRequest};
use super::http::{Answer, Failure, Protocol, REQUEST_TIMEOUT, Request};
use super::openapi::{self, Walk};
use super::ports::list_ports;
use super::requests::{Description, split_port};
use super::session::Session;
use super::transcript::{Requirement, Transcript};
use crate::recording::Origin;

/// The time that an answer may take to a request that slim made up or found by itself.
pub(super) const OPTIONAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A port that speaks HTTP.
#[derive(Clone, Copy)]
pub(super) struct Site {
    pub(super) port: u16,
    pub(super) endpoint: SocketAddr,
    pub(super) protocol: Protocol,
    /// True if `GET /` was answered as gRPC servers answer what is none.
    pub(super) grpc: bool,
}

/// Number of operations of an API description by the class of their answer.
#[derive(Default)]
struct Counts {
    succeeded: usize,
    refused: usize,
    failed: usize,
    unanswered: usize,
}

impl Counts {
    fn all(&self) -> usize {
        self.succeeded + self.refused + self.failed + self.unanswered
    }

    fn add(&mut self, status: Option<u16>) {
        *match status {
            Some(..400) => &mut self.succeeded,
            Some(400..500) => &mut self.refused,
            Some(_) => &mut self.failed,
            None => &mut self.unanswered,
        } += 1;
    }
}

impl Session<'_> {
    /// Sends the requests and runs the commands that the user named.
    pub(super) async fn explicit(
        &self,
        transcript: &mut Transcript,
        sites: &[Site],
        deadline: Instant,
    ) -> Result<(), ProbeError> {
        for path in &self.options.http_paths {
            let (site, path) = find_site(sites, path)?;
            let request = Request::get(&path, site.protocol);
            let answer = self.insist(site, &request, deadline, &below_500).await?;
            let required = Requirement::Required;
            transcript.http(Origin::Flag, site.port, &request, &[], Some(&answer), required);
        }
        for entry in &self.requests.file {
            match entry {
                Entry::Request(request) => {
                    self.file_request(transcript, sites, request, deadline).await?;
                }
                Entry::Command(command, exit) => {
                    self.run_command(transcript, Origin::File, command, *exit, Instant::now())
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn file_request(
        &self,
        transcript: &mut Transcript,
        sites: &[Site],
        named: &FileRequest,
        deadline: Instant,
    ) -> Result<(), ProbeError> {
        let text = match named.port {
            Some(port) => format!(":{port}{}", named.path),
            None => named.path.clone(),
        };
        let (site, path) = find_site(sites, &text)?;
        let request = Request {
            protocol: site.protocol,
            method: named.method.clone(),
            path,
            headers: named.headers.clone(),
            body: named.body.clone(),
            timeout: REQUEST_TIMEOUT,
        };
        let accepts = |status| named.expect.accepts(status);
        let answer = self.insist(site, &request, deadline, &accepts).await?;
        if let Err((expected, got)) = named.expect.check(&answer) {
            return Err(ProbeError::Expectation {
                request: request.display(site.port),
                expected,
                got,
            });
        }
        transcript.http(
            Origin::File,
            site.port,
            &request,
            &named.secret,
            Some(&answer),
            Requirement::Required,
        );
        Ok(())
    }

    /// Sends every operation of the API description once. Their values are made up, so no answer to them is a failure.
    pub(super) async fn openapi(
        &self,
        transcript: &mut Transcript,
        sites: &[Site],
        deadline: Instant,
    ) -> Result<(), ProbeError> {
        let Some(description) = &self.requests.openapi else {
            return Ok(());
        };
        let text = self.options.openapi.as_deref().unwrap_or_default();
        let (site, _) = find_site(sites, "/")?;
        let served;
        let walk = match description {
            Description::File(walk) => walk,
            Description::Served => {
                served = self.served_description(transcript, site, text, deadline).await?;
                &served
            }
        };
        transcript.summary.extend(walk.notes.iter().cloned());
        let mut counts = Counts::default();
        let end = Instant::now() + self.options.job_deadline;
        for (sent, operation) in walk.operations.iter().enumerate() {
            if Instant::now() >= end {
                transcript.summary.push(format!(
                    "{} operations of {text} were not asked within {} s: a longer --job-timeout lets the walk go on",
                    walk.operations.len() - sent,
                    self.options.job_deadline.as_secs()
                ));
                break;
            }
            let request = Request {
                protocol: site.protocol,
                method: operation.method.clone(),
                path: operation.path.clone(),
                headers: operation.headers.clone(),
                body: operation.body.clone(),
                timeout: OPTIONAL_TIMEOUT,
            };
            self.target.progress(&request.display(site.port));
            let answer = self.send(site.endpoint, site.port, &request).await?.ok();
            counts.add(answer.as_ref().map(|answer| answer.response.status));
            let origin = Origin::OpenApi {
                operation: operation.name.clone(),
            };
            let optional = Requirement::Optional;
            transcript.http(origin, site.port, &request, &[], answer.as_ref(), optional);
        }
        transcript.summary.push(format!(
            "{} operations of {text} were asked: {} succeeded, {} were refused (4xx), {} failed (5xx), {} were not answered",
            counts.all(),
            counts.succeeded,
            counts.refused,
            counts.failed,
            counts.unanswered
        ));
        Ok(())
    }

    /// Reads the description that the app serves at `path`.
    async fn served_description(
        &self,
        transcript: &mut Transcript,
        site: Site,
        path: &str,
        deadline: Instant,
    ) -> Result<Walk, ProbeError> {
        let request = Request::get(path, site.protocol);
        let answer = self.insist(site, &request, deadline, &below_500).await?;
        let required = Requirement::Required;
        transcript.http(Origin::Flag, site.port, &request, &[], Some(&answer), required);
        let wrong = |message: String| ProbeError::OpenApi {
            description: request.display(site.port),
            message,
        };
        let status = answer.response.status;
        if !(200..300).contains(&status) {
            return Err(wrong(format!(
                "answered with {status}; pass the path where the app serves it, or a file (none is called {path})"
            )));
        }
        if answer.response.body.size > answer.bytes.len() as u64 {
            return Err(wrong("larger than 1 MiB: save it, and pass the file".into()));
        }
        openapi::walk(&String::from_utf8_lossy(&answer.bytes), path).map_err(wrong)
    }

    /// Sends a request until its status is accepted. A `POST` or `PATCH` is sent again only where the server says that it
    /// did nothing.
    async fn insist(
        &self,
        site: Site,
        request: &Request,
        deadline: Instant,
        accepts: &(dyn Fn(u16) -> bool + Sync),
    ) -> Result<Answer, ProbeError> {
        let repeatable = !matches!(request.method.as_str(), "POST" | "PATCH");
        let mut backoff = Backoff::new();
        let shown = request.display(site.port);
        self.target.progress(&shown);
        loop {
            let result = self.send(site.endpoint, site.port, request).await?;
            let late = Instant::now() >= deadline;
            let seconds = self.options.readiness_deadline.as_secs();
            match result {
                Ok(answer) if accepts(answer.response.status) => return Ok(answer),
                Ok(answer) => {
                    let status = answer.response.status;
                    if late || !(repeatable || matches!(status, 502..=504)) {
                        return Err(ProbeError::StillFailing {
                            request: shown,
                            status,
                            seconds,
                            hint: String::new(),
                        });
                    }
                }
                Err(failure) => {
                    let nothing_done = matches!(failure, Failure::Connect(_));
                    if late || !(repeatable || nothing_done) || matches!(failure, Failure::Request(_)) {
                        return Err(ProbeError::Unanswered {
                            request: shown,
                            seconds,
                            last: failure.to_string(),
                        });
                    }
                }
            }
            self.pause(&mut backoff, || format!("while {shown} was asked"))
                .await?;
        }
    }
}

fn below_500(status: u16) -> bool {
    status < 500
}

/// Returns the site that `:PORT/PATH` or `/PATH` names, and the path.
fn find_site(sites: &[Site], text: &str) -> Result<(Site, String), ProbeError> {
    let named = split_port(text);
    let found = match &named {
        Some((port, _)) => sites.iter().find(|site| site.port == *port),
        None => sites.first(),
    };
    let Some(site) = found else {
        return Err(ProbeError::Options(match named {
            Some((port, _)) => {
                let list: Vec<u16> = sites.iter().map(|site| site.port).collect();
                let list = list_ports(&list);
                format!("{text}: port {port} does not speak HTTP; HTTP is spoken on {list}")
            }
            None => format!("{text}: the container speaks HTTP on no port"),
        }));
    };
    let path = named.map_or_else(|| text.to_owned(), |(_, path)| path);
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok((*site, format!("{slash}{path}")))
}
