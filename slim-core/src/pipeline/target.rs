//! The running container, as the probe sees it: the engine for what it does, the tracer for what it listens on.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;

use super::{LOG_LIMIT, Observer, Stop};
use crate::engine::{Container, Engine};
use crate::image::Image;
use crate::probe::{BoxError, ExecOutput, Target};
use crate::recording::{Phase, SocketUse};
use crate::trace::Tracer;

/// A container that the engine runs and, where there is one, a tracer watches.
pub(super) struct Watched<'a> {
    pub(super) engine: &'a dyn Engine,
    pub(super) container: &'a Container,
    pub(super) image: &'a Image,
    pub(super) published: Vec<(u16, String)>,
    pub(super) tracer: Option<Arc<Tracer>>,
    /// Whether the first answer begins the phase in which the app serves.
    pub(super) serving: bool,
    pub(super) observer: &'a dyn Observer,
    pub(super) stop: &'a Stop,
}

#[async_trait]
impl Target for Watched<'_> {
    async fn running(&self) -> Result<bool, BoxError> {
        Ok(self.engine.state(self.container).await?.running)
    }

    fn listening(&self) -> Vec<SocketUse> {
        self.tracer
            .as_ref()
            .map(|tracer| tracer.listening())
            .unwrap_or_default()
    }

    fn exposed(&self) -> Vec<(u16, String)> {
        let exposed = self.image.config.exposed_ports().into_iter().filter_map(|port| {
            let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
            Some((number.parse().ok()?, protocol.to_owned()))
        });
        let mut all: Vec<(u16, String)> = exposed.chain(self.published.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }

    async fn endpoint(&self, port: u16) -> Option<SocketAddr> {
        let state = self.engine.state(self.container).await.ok()?;
        // The container's own address needs no rule of the host's firewall; a published port serves engines elsewhere.
        let own = state
            .addresses
            .first()
            .map(|address| SocketAddr::new(*address, port));
        let published = || {
            state
                .published
                .iter()
                .find(|(inside, kind, _)| *inside == port && kind == "tcp")
                .map(|p| p.2)
        };
        own.or_else(published)
    }

    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError> {
        let result = self.engine.exec(self.container, command).await?;
        Ok(ExecOutput {
            exit_code: result.exit_code,
            stdout: result.stdout,
            stderr: result.stderr,
        })
    }

    async fn wait(&self) -> Result<i64, BoxError> {
        Ok(self
            .engine
            .wait(self.container)
            .await?
            .exit_code
            .unwrap_or_default())
    }

    async fn output(&self) -> ExecOutput {
        let (stdout, stderr) = self
            .engine
            .logs(self.container, LOG_LIMIT)
            .await
            .unwrap_or_default();
        ExecOutput {
            exit_code: 0,
            stdout,
            stderr,
        }
    }

    fn first_answer(&self) {
        if let Some(tracer) = self.tracer.as_ref().filter(|_| self.serving)
            && let Err(error) = tracer.mark(Phase::Serving)
        {
            self.observer
                .warn(&format!("what follows counts as start-up: {error}"));
        }
    }

    async fn interrupted(&self) {
        self.stop.signalled(1).await;
    }

    fn progress(&self, message: &str) {
        self.observer.waiting(message);
    }
}
