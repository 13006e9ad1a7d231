//! The end of the observation, and the exit of a job.

use tokio::time::{Instant, timeout};

use super::session::Session;
use super::transcript::Transcript;
use super::{End, ExecOutput, Kind, ProbeError};
use crate::recording::Origin;

impl Session<'_> {
    /// Observes the container until the end that the options name. Returns the exit code if it exited.
    pub(super) async fn observe(&self, kind: &Kind) -> Result<Option<i64>, ProbeError> {
        match self.options.end {
            End::ProbeDone => Ok(None),
            End::Interrupt => {
                self.target.progress("watching until Ctrl-C");
                tokio::select! {
                    () = self.target.interrupted() => Ok(None),
                    code = self.exit.clone() => code.map(Some).map_err(ProbeError::Target),
                }
            }
            End::Exit => {
                self.target.progress("watching until the container exits");
                let deadline = self.started + self.options.job_deadline;
                let left = deadline.saturating_duration_since(Instant::now());
                match timeout(left, self.exit.clone()).await {
                    Ok(code) => code.map(Some).map_err(ProbeError::Target),
                    Err(_) => Err(self.still_running()),
                }
            }
            End::After(least) => {
                let left = (self.started + least).saturating_duration_since(Instant::now());
                self.target
                    .progress(&format!("watching for another {} s", left.as_secs()));
                match timeout(left, self.exit.clone()).await {
                    Err(_) => Ok(None),
                    Ok(Ok(code)) if code == 0 || *kind == Kind::None => Ok(Some(code)),
                    Ok(Ok(code)) => Err(ProbeError::Exited {
                        code,
                        doing: "while it was watched".into(),
                    }),
                    Ok(Err(message)) => Err(ProbeError::Target(message)),
                }
            }
        }
    }

    /// Records the exit and the output of a job, which must exit as expected.
    pub(super) async fn record_job(&self, transcript: &mut Transcript, code: i64) -> Result<(), ProbeError> {
        // With --exec the expected code is that of the command.
        let expected = match &self.options.exec {
            None => self.options.expect_exit,
            Some(_) => 0,
        };
        if code != expected {
            return Err(ProbeError::Job { code, expected });
        }
        let output = self.job_output(code).await;
        transcript.exec(Origin::Default, &[], &output);
        Ok(())
    }

    /// Waits until the job of a replay exits.
    pub(super) async fn replay_job(&self) -> Result<ExecOutput, ProbeError> {
        self.target.progress("waiting for the job to exit");
        match timeout(self.options.job_deadline, self.exit.clone()).await {
            Ok(code) => Ok(self.job_output(code.map_err(ProbeError::Target)?).await),
            Err(_) => Err(self.still_running()),
        }
    }

    async fn job_output(&self, exit_code: i64) -> ExecOutput {
        ExecOutput {
            exit_code,
            ..self.target.output().await
        }
    }

    fn still_running(&self) -> ProbeError {
        ProbeError::StillRunning {
            seconds: self.options.job_deadline.as_secs(),
        }
    }
}
