//! The running container, as the probe sees it: the engine for what it does, the tracer for what it listens on.

use std::net::SocketAddr;

use async_trait::async_trait;

use super::observe::Live;
use super::{LOG_LIMIT, Session};
use crate::engine::Container;
use crate::image::ImageRef;
use crate::probe::{BoxError, ExecOutput, Target, Work};
use crate::recording::{Phase, SocketUse};
use crate::spec::ContainerSpec;

/// A container that the engine runs and, where there is one, a tracer watches.
pub(super) struct ProbeTarget<'a> {
    pub(super) live: &'a Live<'a, Container>,
    pub(super) image: &'a ImageRef,
    pub(super) spec: &'a ContainerSpec,
    /// The phase that the first answer begins, if it begins one.
    pub(super) answering: Option<Phase>,
}

impl ProbeTarget<'_> {
    fn session(&self) -> Session<'_> {
        self.live.session
    }

    fn container(&self) -> &Container {
        self.live.subject
    }

    /// Returns the address at which a port is reached.
    async fn address(&self, port: u16, protocol: &str) -> Option<SocketAddr> {
        let state = self.session().engine.state(self.container()).await.ok()?;
        // The container's own address needs no rule of the host's firewall; a published port serves engines elsewhere.
        let own = state
            .addresses
            .first()
            .map(|address| SocketAddr::new(*address, port));
        let published = || {
            state
                .published
                .iter()
                .find(|(inside, kind, _)| *inside == port && kind == protocol)
                .map(|p| p.2)
        };
        own.or_else(published)
    }
}

#[async_trait]
impl Target for ProbeTarget<'_> {
    async fn running(&self) -> Result<bool, BoxError> {
        Ok(self.session().engine.state(self.container()).await?.running)
    }

    fn listening(&self) -> Vec<SocketUse> {
        self.live
            .tracer()
            .map(|tracer| tracer.listening())
            .unwrap_or_default()
    }

    fn work(&self) -> Option<Work> {
        self.live.tracer()?.work()
    }

    fn exposed(&self) -> Vec<(u16, String)> {
        let exposed = self.image.config.exposed_ports().into_iter().filter_map(|port| {
            let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
            Some((number.parse().ok()?, protocol.to_owned()))
        });
        let published = self.spec.ports.iter();
        let published = published.map(|port| (port.container, port.protocol.clone()));
        let mut all: Vec<(u16, String)> = exposed.chain(published).collect();
        all.sort();
        all.dedup();
        all
    }

    async fn endpoint(&self, port: u16) -> Option<SocketAddr> {
        self.address(port, "tcp").await
    }

    async fn udp_endpoint(&self, port: u16) -> Option<SocketAddr> {
        self.address(port, "udp").await
    }

    fn id(&self) -> String {
        self.container().id.clone()
    }

    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError> {
        let result = self.session().engine.exec(self.container(), command).await?;
        Ok(ExecOutput {
            exit_code: result.exit_code,
            stdout: result.stdout,
            stderr: result.stderr,
        })
    }

    async fn wait(&self) -> Result<i64, BoxError> {
        Ok(self
            .session()
            .engine
            .wait(self.container())
            .await?
            .exit_code
            .unwrap_or_default())
    }

    async fn output(&self) -> ExecOutput {
        let (stdout, stderr) = self
            .session()
            .engine
            .logs(self.container(), LOG_LIMIT)
            .await
            .unwrap_or_default();
        ExecOutput {
            exit_code: 0,
            stdout,
            stderr,
        }
    }

    fn first_answer(&self) {
        if let (Some(tracer), Some(phase)) = (self.live.tracer(), self.answering)
            && let Err(error) = tracer.mark(phase)
        {
            let progress = self.session().progress;
            progress.warn(&format!("what follows counts as start-up: {error}"));
        }
    }

    async fn interrupted(&self) {
        self.session().stop.signalled(1).await;
    }

    fn progress(&self, message: &str) {
        self.session().progress.waiting(message);
    }
}
