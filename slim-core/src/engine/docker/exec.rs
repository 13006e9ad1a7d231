//! Commands in containers, and what containers print.

use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bollard::query_parameters as query;
use futures_util::StreamExt;

use super::answer::{reason, status};
use super::{Docker, start};
use crate::engine::{Container, Error, ExecResult};

/// Number of bytes of a command's standard output, and of its standard error, that are kept.
const MAX_EXEC_OUTPUT: usize = 16 << 20;

impl Docker {
    pub(super) async fn read_logs(
        &self,
        container: &Container,
        limit: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let options = query::LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let mut stream = std::pin::pin!(self.client().logs(&container.id, Some(options)));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(part) = stream.next().await {
            let (list, bytes) = match part.map_err(|e| self.container_error("read the log", container, e))? {
                LogOutput::StdErr { message } => (&mut err, message),
                other => (&mut out, other.into_bytes()),
            };
            list.extend_from_slice(&bytes);
            if list.len() > limit.saturating_mul(2) {
                list.drain(..list.len() - limit);
            }
        }
        for list in [&mut out, &mut err] {
            list.drain(..list.len().saturating_sub(limit));
        }
        Ok((out, err))
    }

    pub(super) async fn exec_command(
        &self,
        container: &Container,
        command: &[String],
    ) -> Result<ExecResult, Error> {
        let shown = command.join(" ");
        let failed = |reason: String| Error::Exec {
            command: shown.clone(),
            reason,
        };
        if command.is_empty() {
            return Err(failed("there is no command".to_owned()));
        }
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..ExecConfig::default()
        };
        let explain = |error: ApiError| match status(&error) {
            Some(404) => Error::Gone {
                container: container.name.clone(),
            },
            Some(409) => failed(format!("the container does not run ({})", reason(&error))),
            _ => failed(reason(&error)),
        };
        let id = self
            .client()
            .create_exec(&container.id, config)
            .await
            .map_err(explain)?
            .id;
        let started = self.client().start_exec(&id, None).await.map_err(explain)?;
        let mut result = ExecResult::default();
        let mut console = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(part) = output.next().await {
                let (list, bytes) = match part.map_err(|e| failed(reason(&e)))? {
                    LogOutput::StdErr { message } => (&mut result.stderr, message),
                    LogOutput::Console { message } => (&mut console, message),
                    other => (&mut result.stdout, other.into_bytes()),
                };
                let room = MAX_EXEC_OUTPUT - list.len();
                list.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        // The output's end and the command's end are reported apart.
        let mut pause = Duration::from_millis(1);
        let ended = Instant::now() + Duration::from_secs(10);
        let exit_code = loop {
            let state = self.client().inspect_exec(&id).await.map_err(explain)?;
            match state.exit_code {
                Some(code) if state.running != Some(true) => break code,
                _ if Instant::now() > ended => {
                    return Err(failed(
                        "it closed its output, but the engine does not say how it ended".to_owned(),
                    ));
                }
                _ => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_millis(200));
        };
        // The runtime's own words come without a stream's header, or as the command's output.
        for text in [&console, &result.stdout, &result.stderr] {
            let text = String::from_utf8_lossy(text);
            if matches!(exit_code, 126 | 127) && text.starts_with("OCI runtime exec failed") {
                return Err(failed(start::shorten(&text)));
            }
        }
        result.stdout.extend(console);
        result.exit_code = exit_code;
        Ok(result)
    }
}
