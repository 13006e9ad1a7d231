//! Commands in the container.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::backoff::Backoff;
use super::host::last_words;
use super::ports::{list_ports, while_waiting};
use super::session::Session;
use super::tcp::{Banner, NOTHING, TcpProbe};
use super::transcript::Transcript;
use super::{ExecOutput, ProbeError};
use crate::recording::Origin;

/// The time for which a failing command is tried again where no port shows that the app is ready.
const RETRIES: Duration = Duration::from_secs(10);

impl Session<'_> {
    /// The exec probe: runs its command once a port accepts connections if there are ports, else at once.
    pub(super) async fn probe_by_command(&self, transcript: &mut Transcript) -> Result<(), ProbeError> {
        let command = self.options.exec.as_deref().unwrap_or_default();
        let retry_by = if self.wait_for_a_connection().await? {
            Instant::now()
        } else {
            self.retry_by()
        };
        let expected = self.options.expect_exit;
        self.run_command(transcript, Origin::Flag, command, expected, retry_by)
            .await
    }

    /// Waits until one port accepts connections. Returns false if no port is known.
    pub(super) async fn wait_for_a_connection(&self) -> Result<bool, ProbeError> {
        let mut backoff = Backoff::new();
        let deadline = self.started + self.options.readiness_deadline;
        loop {
            let candidates = self.candidates().await;
            let mut known: Vec<u16> = candidates.ports.iter().copied().collect();
            known.extend(candidates.loopback.keys());
            if known.is_empty() {
                return Ok(false);
            }
            let seen = !candidates.loopback.is_empty() || !candidates.listening.is_empty();
            let accepts = self.accepts(candidates.ports.iter().copied());
            if seen || self.unless_exited(|| while_waiting(&known), accepts).await? {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(&candidates, &known, &BTreeMap::new()));
            }
            self.target.progress(&format!(
                "waiting for {} before the command is run",
                list_ports(&known)
            ));
            self.pause(&mut backoff, || while_waiting(&known)).await?;
        }
    }

    /// Returns true if one of the ports accepts connections.
    async fn accepts(&self, ports: impl Iterator<Item = u16>) -> bool {
        for port in ports {
            if let Some(endpoint) = self.target.endpoint(port).await
                && matches!(
                    self.converse(endpoint, NOTHING, Banner::Skip).await,
                    TcpProbe::Open(_)
                )
            {
                return true;
            }
        }
        false
    }

    /// Runs a command in the container and records it; one that fails is run again until `retry_by`.
    pub(super) async fn run_command(
        &self,
        transcript: &mut Transcript,
        origin: Origin,
        command: &[String],
        expected: i64,
        retry_by: Instant,
    ) -> Result<(), ProbeError> {
        let shown = command.join(" ");
        let mut backoff = Backoff::for_commands();
        loop {
            let result = self.execute(command, &shown).await?;
            let last = Instant::now() + backoff.next() >= retry_by;
            match result {
                Ok(output) if output.exit_code == expected => {
                    self.answered();
                    transcript.exec(origin, command, &output);
                    return Ok(());
                }
                Ok(output) if last => {
                    return Err(ProbeError::ExecFailed {
                        command: shown,
                        code: output.exit_code,
                        expected,
                        output: tail(last_words(&output)),
                    });
                }
                Err(error) if last => return Err(error),
                Ok(_) | Err(_) => {}
            }
            self.pause(&mut backoff, || while_running(&shown)).await?;
        }
    }

    /// Runs a recorded command again; one that ends otherwise than recorded is repeated while the app is starting.
    pub(super) async fn replay_command(
        &self,
        command: &[String],
        recorded: i64,
    ) -> Result<ExecOutput, ProbeError> {
        let shown = command.join(" ");
        let mut backoff = Backoff::for_commands();
        let by = self.retry_by();
        loop {
            let result = self.execute(command, &shown).await?;
            let good = result.as_ref().is_ok_and(|output| output.exit_code == recorded);
            if self.is_final(good, by) {
                self.answered();
                return result;
            }
            self.pause(&mut backoff, || while_running(&shown)).await?;
        }
    }

    /// Runs a command once. The outer error ends the probe; after the inner one the command may be tried again.
    async fn execute(
        &self,
        command: &[String],
        shown: &str,
    ) -> Result<Result<ExecOutput, ProbeError>, ProbeError> {
        self.target
            .progress(&format!("running {shown:?} in the container"));
        let limit = self.options.job_deadline;
        let running = timeout(limit, self.target.exec(command));
        match self.unless_exited(|| while_running(shown), running).await? {
            Ok(result) => Ok(result.map_err(|source| ProbeError::Exec {
                command: shown.to_owned(),
                source,
            })),
            Err(_) => Err(ProbeError::ExecTimeout {
                command: shown.to_owned(),
                seconds: limit.as_secs(),
            }),
        }
    }

    fn retry_by(&self) -> Instant {
        self.started + self.options.readiness_deadline.min(RETRIES)
    }
}

fn while_running(command: &str) -> String {
    format!("while {command:?} ran in it")
}

/// Returns the last lines that a command wrote, for a message.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1000)..]).into_owned();
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    match clean.trim() {
        "" => "it wrote nothing".into(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::{Mode, Options, ProbeError, run};
    use super::*;

    #[tokio::test]
    async fn a_command_that_does_not_end_is_an_error() {
        let options = Options {
            mode: Mode::Exec,
            exec: Some(vec!["sleep".into(), "inf".into()]),
            job_deadline: Duration::from_secs(1),
            ..Options::default()
        };
        let fake = Fake::default();
        let running = timeout(Duration::from_secs(10), run(&fake, &options));
        let error = running.await.unwrap().unwrap_err();
        assert!(
            matches!(error, ProbeError::ExecTimeout { seconds: 1, .. }),
            "{error}"
        );
    }
}
