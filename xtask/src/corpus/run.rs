//! Asking an application: containers of an image, and their answers to the checks.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::checks::{Application, Check};
use super::http;
use crate::engine::Docker;

/// The time in which a service has to listen.
const START: Duration = Duration::from_secs(90);
/// The time between a service's first listening and the first check, and after a signal.
const SETTLE: Duration = Duration::from_secs(2);
/// The time that one command of a check may take.
const COMMAND: &str = "300";

/// How containers of an image are started.
pub(super) struct Launch<'a> {
    /// The image.
    pub(super) image: &'a str,
    /// The options of `docker run`.
    pub(super) options: Vec<String>,
    /// The application's folder.
    pub(super) folder: &'a Path,
    /// The engine.
    pub(super) docker: &'a Docker,
}

/// A container that is removed with its volumes in the end.
struct Container<'a> {
    id: String,
    docker: &'a Docker,
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // One that is gone already needs no removal.
        let _ = self
            .docker
            .command()
            .args(["rm", "--force", "--volumes", &self.id])
            .output();
    }
}

impl Container<'_> {
    fn inspect(&self, format: &str) -> Result<String> {
        self.docker.output(&["inspect", "--format", format, &self.id])
    }

    fn is_running(&self) -> bool {
        self.inspect("{{.State.Running}}")
            .is_ok_and(|running| running == "true")
    }
}

impl Launch<'_> {
    /// Returns the masked answers to all checks, in their order.
    ///
    /// # Errors
    ///
    /// When the engine does not start a container or a mask is none; what fails inside a check is its answer.
    pub(super) fn answers(&self, application: &Application) -> Result<Vec<Vec<u8>>> {
        let service = if application.is_service() {
            Some(self.start(application)?)
        } else {
            None
        };
        let mut answers = Vec::new();
        for check in &application.checks {
            let place = service
                .as_ref()
                .map(|(container, address)| (container.id.as_str(), *address));
            let answer = self.ask(check, place);
            let mut answer = answer.unwrap_or_else(|error| format!("no answer: {error:#}").into_bytes());
            if let Some((_, address)) = &service {
                answer = replaced(&answer, address.to_string().as_bytes(), b"ADDRESS");
            }
            for mask in application.masks(check)? {
                answer = mask.replace_all(&answer, &b"MASK"[..]).into_owned();
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    fn start(&self, application: &Application) -> Result<(Container<'_>, IpAddr)> {
        let mut command = self.docker.command();
        command
            .args(["run", "--detach"])
            .args(&self.options)
            .arg(self.image)
            .args(&application.command);
        let id = crate::sh::output(&mut command)?;
        let container = Container {
            id,
            docker: self.docker,
        };
        let address = container.inspect("{{.NetworkSettings.IPAddress}}")?;
        let address: IpAddr = address.parse().with_context(|| {
            let logs = self
                .docker
                .command()
                .args(["logs", "--tail", "20", &container.id])
                .output();
            let logs = logs.map_or_else(|_| Vec::new(), |logs| [logs.stdout, logs.stderr].concat());
            format!("the container ended: {}", String::from_utf8_lossy(&logs).trim())
        })?;
        let deadline = Instant::now() + START;
        for (port, protocol) in self.exposed()? {
            let listens =
                || TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(1)).is_ok();
            while protocol == "tcp" && Instant::now() < deadline && container.is_running() && !listens() {
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        std::thread::sleep(SETTLE);
        Ok((container, address))
    }

    /// Returns the exposed ports, each with its protocol.
    fn exposed(&self) -> Result<Vec<(u16, String)>> {
        let text = self.docker.output(&[
            "inspect",
            "--format",
            "{{range $p, $_ := .Config.ExposedPorts}}{{$p}} {{end}}",
            self.image,
        ])?;
        let ports = text.split_whitespace().filter_map(|port| port.split_once('/'));
        ports
            .map(|(port, protocol)| Ok((port.parse()?, protocol.to_owned())))
            .collect()
    }

    /// Returns the answer to one check of the service that runs in the container of this id, at this address.
    ///
    /// # Errors
    ///
    /// When nothing answers.
    pub(super) fn ask(&self, check: &Check, service: Option<(&str, IpAddr)>) -> Result<Vec<u8>> {
        if let Some(words) = &check.arguments {
            let mut command = self.docker.command();
            command
                .args(["run", "--rm", "--interactive"])
                .args(&self.options)
                .arg(self.image)
                .args(words);
            return Ok(shown(&fed(
                &mut command,
                check.stdin.as_deref().unwrap_or_default(),
            )?));
        }
        let (container, address) = service.context("the container does not run")?;
        let exposed = self.exposed()?;
        let first = self.first_port(&exposed);
        if let Some(path) = &check.path {
            let port = check.port.or(first).context("no port is exposed")?;
            let address = SocketAddr::new(address, port);
            let method = check.method.as_deref().unwrap_or("GET");
            return http::ask(address, method, path, &check.headers, check.body.as_deref());
        }
        if let Some(line) = &check.client {
            let mut command = Command::new("timeout");
            command.args([COMMAND, "sh", "-c", line]).current_dir(self.folder);
            command
                .env("HOST", address.to_string())
                .env("CONTAINER", container)
                .env("DIR", self.folder);
            command.env("PORT", first.map_or_else(String::new, |port| port.to_string()));
            for (port, _) in exposed {
                command.env(format!("PORT_{port}"), port.to_string());
            }
            return Ok(shown(&fed(
                self.docker.reached_by(command).stderr(Stdio::null()),
                "",
            )?));
        }
        if let Some(words) = &check.exec {
            let mut command = self.docker.command();
            command.arg("exec").arg(container).args(words);
            return Ok(shown(&fed(&mut command, "")?));
        }
        if let Some(signal) = &check.signal {
            self.docker.output(&["kill", "--signal", signal, container])?;
            std::thread::sleep(SETTLE);
            let format = "running: {{.State.Running}}";
            let running = self.docker.output(&["inspect", "--format", format, container])?;
            return Ok(running.into_bytes());
        }
        bail!("nothing is asked")
    }

    /// Returns the first port that the Dockerfile exposes.
    fn first_port(&self, exposed: &[(u16, String)]) -> Option<u16> {
        let text = std::fs::read_to_string(self.folder.join("Dockerfile")).unwrap_or_default();
        let words = text.lines().filter_map(|line| line.strip_prefix("EXPOSE "));
        let named = words.flat_map(str::split_whitespace).next();
        let port = named.and_then(|word| word.split('/').next()?.parse().ok());
        port.or_else(|| exposed.first().map(|(port, _)| *port))
    }
}

/// Runs a command with `input` as its standard input.
fn fed(command: &mut Command, input: &str) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("could not start `{}`", crate::sh::show(command)))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads none of it has ended its side.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().context("could not wait for a command")
}

/// Returns what is compared of a command.
fn shown(output: &Output) -> Vec<u8> {
    let code = output
        .status
        .code()
        .map_or_else(|| "none".to_owned(), |code| code.to_string());
    [format!("exit {code}\n").as_bytes(), &output.stdout].concat()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend(to);
            rest = after;
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out
}
