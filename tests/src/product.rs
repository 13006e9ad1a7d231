//! A product that runs: asked again what the original was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use slim_core::digest::Digest;
use slim_core::probe::{BoxError, ExecOutput, Target, replay};
use slim_core::recording::{Bodies, Exchange, ExchangeKind, SocketUse};

use crate::{Container, Image, docker_client, run, slim, wait_until};

/// The time that a product may take until it listens: an emulated machine starts an interpreter in half a minute.
const LISTENS: Duration = Duration::from_secs(120);

/// A container of the product.
#[derive(Debug)]
pub struct Product {
    /// The container.
    pub container: Container,
}

impl Product {
    /// Asks what was asked; the answers by request.
    ///
    /// # Panics
    ///
    /// When it does not listen, or the questions cannot be asked; with the container's log.
    pub fn answers(&self, exchanges: &[Exchange], bodies: &Bodies) -> BTreeMap<String, String> {
        if let [
            Exchange {
                kind: ExchangeKind::Exec(job),
                ..
            },
        ] = exchanges
            && job.command.is_empty()
        {
            let code = self.container.wait();
            let stdout = Command::new(docker_client())
                .args(["logs", self.container.name()])
                .output()
                .expect("the client answered a moment ago")
                .stdout;
            return BTreeMap::from([("exec ".into(), format!("{code} {}", Digest::of(&stdout)))]);
        }
        for exchange in exchanges {
            let port = match &exchange.kind {
                ExchangeKind::Http(http) => http.port,
                ExchangeKind::Tcp(tcp) => tcp.port,
                ExchangeKind::Udp(_) | ExchangeKind::Exec(_) | ExchangeKind::Host(_) => continue,
            };
            let listening = || std::net::TcpStream::connect(self.container.address(port)).is_ok();
            let what = format!("port {port}: {}", self.container.logs());
            wait_until(&what, LISTENS, listening);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime on this thread");
        let asked = runtime.block_on(replay(self, exchanges, bodies));
        let asked = asked.unwrap_or_else(|error| panic!("{error}\n{}", self.container.logs()));
        answers(&asked.exchanges)
    }
}

#[async_trait::async_trait]
impl Target for Product {
    async fn running(&self) -> Result<bool, BoxError> {
        Ok(self.container.inspect("{{.State.Running}}") == "true")
    }

    fn listening(&self) -> Vec<SocketUse> {
        Vec::new()
    }

    fn exposed(&self) -> Vec<(u16, String)> {
        Vec::new()
    }

    async fn endpoint(&self, port: u16) -> Option<SocketAddr> {
        Some(self.container.address(port))
    }

    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError> {
        let output = Command::new(docker_client())
            .arg("exec")
            .arg(self.container.name())
            .args(command)
            .output()?;
        let exit_code = output.status.code().unwrap_or(-1).into();
        Ok(ExecOutput {
            exit_code,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    async fn wait(&self) -> Result<i64, BoxError> {
        // The probe waits for an end beside its questions, and gives up waiting when they are answered.
        let mut command = tokio::process::Command::new(docker_client());
        let output = command
            .args(["wait", self.container.name()])
            .kill_on_drop(true)
            .output()
            .await?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }

    fn first_answer(&self) {}

    async fn interrupted(&self) {
        std::future::pending().await
    }

    fn progress(&self, _: &str) {}
}

/// Status and body of each answer, by request.
pub fn answers(exchanges: &[Exchange]) -> BTreeMap<String, String> {
    let answer = |exchange: &Exchange| match &exchange.kind {
        ExchangeKind::Http(http) => {
            let answer = http.response.as_ref().map_or("no answer".to_owned(), |response| {
                format!("{} {}", response.status, response.body.digest)
            });
            (format!("{} :{}{}", http.method, http.port, http.path), answer)
        }
        ExchangeKind::Tcp(tcp) => (format!("tcp :{}", tcp.port), tcp.received.digest.to_string()),
        ExchangeKind::Udp(udp) => (format!("udp :{}", udp.port), udp.received.digest.to_string()),
        ExchangeKind::Host(host) => (format!("host {}", host.command), host.exit_code.to_string()),
        ExchangeKind::Exec(exec) => (
            format!("exec {}", exec.command.join(" ")),
            format!("{} {}", exec.exit_code, exec.stdout.digest),
        ),
    };
    exchanges.iter().map(answer).collect()
}

/// `slim build` of a sample, with no flag but the tag and those given: its output and its image.
///
/// # Panics
///
/// When it fails.
pub fn build_sample(sample: &str, flags: &[&str]) -> (tempfile::TempDir, Image) {
    let original = Image::sample(sample);
    let product = Image::to_be(sample);
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(slim()
        .args(["build", &original, "--tag", product.tag(), "--output"])
        .arg(directory.path())
        .args(flags));
    (directory, product)
}
