//! The requests that the user names.

use std::collections::BTreeSet;
use std::path::Path;

use super::file::{self, Entry};
use super::openapi::{self, Walk};
use super::{End, Mode, Options, ProbeError};

/// The requests of the options, read from their files.
#[derive(Default)]
pub(super) struct Requests {
    /// The entries of the probe file.
    pub(super) file: Vec<Entry>,
    /// The API description.
    pub(super) openapi: Option<Description>,
    /// The ports that must answer: those of `--port`, and those that requests name.
    pub(super) ports: BTreeSet<u16>,
    /// The UDP ports of `--udp-send`.
    pub(super) udp: BTreeSet<u16>,
}

/// The source of an API description.
pub(super) enum Description {
    /// A file, already read.
    File(Walk),
    /// A path on the app.
    Served,
}

impl Requests {
    /// Reads the files that `options` name.
    ///
    /// # Errors
    /// [`ProbeError::Options`] where the options contradict each other, [`ProbeError::ProbeFile`], [`ProbeError::OpenApi`].
    pub(super) fn load(options: &Options) -> Result<Self, ProbeError> {
        let wrong = |message: &str| Err(ProbeError::Options(message.to_owned()));
        if options.mode == Mode::Exec && options.exec.as_ref().is_none_or(Vec::is_empty) {
            return wrong("--probe exec needs the command to run in the container: --exec COMMAND");
        }
        if options.mode == Mode::None && options.end == End::ProbeDone && options.run.is_empty() {
            return wrong(
                "--probe none needs an end: --for 30s, --until-exit, or --until-interrupt to stop with Ctrl-C; or a --run",
            );
        }
        let named =
            !options.http_paths.is_empty() || options.probe_file.is_some() || options.openapi.is_some();
        if named && !matches!(options.mode, Mode::Auto | Mode::Http) {
            return wrong("--http-path, --probe-file and --probe-openapi need --probe auto or http");
        }
        let file = match &options.probe_file {
            Some(path) => file::load(path)?,
            None => Vec::new(),
        };
        let openapi = options.openapi.as_deref().map(describe).transpose()?;
        let paths = options.http_paths.iter();
        let ports = options
            .ports
            .iter()
            .copied()
            .chain(file.iter().filter_map(|entry| entry.request()?.port))
            .chain(paths.filter_map(|path| split_port(path).map(|(port, _)| port)))
            .collect();
        let udp = options.udp_send.iter().map(|datagram| datagram.port).collect();
        Ok(Self {
            file,
            openapi,
            ports,
            udp,
        })
    }

    /// Returns true if the user expects this status of `GET /`.
    pub(super) fn expects_of_root(&self, port: u16, status: u16) -> bool {
        self.file.iter().filter_map(Entry::request).any(|request| {
            request.method == "GET"
                && request.path == "/"
                && request.port.is_none_or(|named| named == port)
                && request.expect.status.contains(&status)
        })
    }
}

/// Reads the description, unless `text` is a path on the app.
fn describe(text: &str) -> Result<Description, ProbeError> {
    if text.starts_with('/') && !Path::new(text).is_file() {
        return Ok(Description::Served);
    }
    let wrong = |message: String| ProbeError::OpenApi {
        description: text.to_owned(),
        message,
    };
    let bytes = file::read(Path::new(text)).map_err(wrong)?;
    let walk = openapi::walk(&String::from_utf8_lossy(&bytes), "/").map_err(wrong)?;
    Ok(Description::File(walk))
}

/// Splits `:PORT/PATH`.
pub(super) fn split_port(text: &str) -> Option<(u16, String)> {
    let (port, path) = text.strip_prefix(':')?.split_once('/')?;
    Some((port.parse().ok()?, format!("/{path}")))
}
