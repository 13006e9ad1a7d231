//! The user's own tests (`--run`): commands on the host, beside the container.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::session::Session;
use super::transcript::Transcript;
use super::{ExecOutput, ProbeError, exec};
use crate::recording::{Exchange, ExchangeKind, SocketAction};

/// The variables that a test has from slim's environment: nothing that could be a credential.
const INHERITED: [&str; 9] = [
    "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER",
];
/// Number of last bytes that are kept of each stream.
const KEPT_OUTPUT: usize = 256 << 10;
/// The time that a stream may stay open after its command has ended: a process that left the group may hold it.
const CLOSING: Duration = Duration::from_millis(500);

/// The end of a test.
pub(super) enum TestEnd {
    /// It ended by itself.
    Ended(ExecOutput),
    /// It was killed at the deadline; its output until then.
    TimedOut(ExecOutput),
}

impl Session<'_> {
    /// Runs the user's tests and records them; each must pass.
    pub(super) async fn run_tests(&self, transcript: &mut Transcript) -> Result<(), ProbeError> {
        for command in &self.options.run {
            let limit = self.options.run_deadline;
            match self.run_test(command, &transcript.exchanges, limit).await? {
                TestEnd::Ended(output) if output.exit_code == 0 => {
                    self.answered();
                    transcript.host(command, &output);
                }
                TestEnd::Ended(output) => {
                    return Err(ProbeError::TestFailed {
                        command: command.clone(),
                        code: output.exit_code,
                        output: exec::tail(last_words(&output)),
                    });
                }
                TestEnd::TimedOut(output) => {
                    return Err(ProbeError::TestTimeout {
                        command: command.clone(),
                        seconds: limit.as_secs(),
                        output: exec::tail(last_words(&output)),
                    });
                }
            }
        }
        Ok(())
    }

    /// Runs one test, unless the container exits. `exchanges` tell the address of the site.
    pub(super) async fn run_test(
        &self,
        command: &str,
        exchanges: &[Exchange],
        limit: Duration,
    ) -> Result<TestEnd, ProbeError> {
        self.target.progress(&format!("running {command:?} on the host"));
        let variables = self.variables(exchanges).await;
        let running = execute(command, &variables, limit);
        let doing = || format!("while {command:?} ran on the host");
        self.unless_exited(doing, running)
            .await?
            .map_err(|source| ProbeError::Test {
                command: command.to_owned(),
                source,
            })
    }

    /// Returns the variables that tell a test where the container is.
    async fn variables(&self, exchanges: &[Exchange]) -> Vec<(String, String)> {
        let mut ports: Vec<u16> = Vec::new();
        let mut url = None;
        for exchange in exchanges {
            match &exchange.kind {
                ExchangeKind::Http(http) => {
                    url.get_or_insert((if http.tls { "https" } else { "http" }, http.port));
                    ports.push(http.port);
                }
                ExchangeKind::Tcp(tcp) => ports.push(tcp.port),
                ExchangeKind::Udp(udp) => ports.push(udp.port),
                ExchangeKind::Exec(_) | ExchangeKind::Host(_) => {}
            }
        }
        let exposed = self.target.exposed();
        let listening = self.target.listening().into_iter();
        let listening = listening.filter(|socket| {
            socket.family.starts_with("inet") && socket.action == SocketAction::Listen && socket.port > 0
        });
        ports.extend(listening.map(|socket| socket.port));
        ports.extend(exposed.iter().map(|(port, _)| *port));
        ports.sort_unstable();
        ports.dedup();
        let mut variables = vec![("SLIM_CONTAINER".to_owned(), self.target.id())];
        let (scheme, main) = match url {
            Some((scheme, port)) => (scheme, Some(port)),
            None => ("http", ports.first().copied()),
        };
        for port in ports {
            let Some(endpoint) = self.target.endpoint(port).await else {
                continue;
            };
            variables.push((format!("SLIM_PORT_{port}"), endpoint.port().to_string()));
            if Some(port) == main {
                variables.push(("SLIM_HOST".to_owned(), endpoint.ip().to_string()));
                variables.push(("SLIM_URL".to_owned(), url_of(scheme, endpoint)));
            }
        }
        variables
    }
}

/// `http://172.17.0.2:8080`.
fn url_of(scheme: &str, endpoint: SocketAddr) -> String {
    format!("{scheme}://{endpoint}")
}

/// Returns the stream that says more about a failure.
pub(super) fn last_words(output: &ExecOutput) -> &[u8] {
    if output.stderr.trim_ascii().is_empty() {
        &output.stdout
    } else {
        &output.stderr
    }
}

/// A process group, killed when this is dropped. Its leader must not have been waited for, so that its number is its own.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // There may be none left but the leader, which has ended.
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

/// Runs a command by the shell, in a process group of its own, which is killed at its end, at the deadline, and when nobody
/// waits any longer.
async fn execute(command: &str, variables: &[(String, String)], limit: Duration) -> std::io::Result<TestEnd> {
    let inherited = INHERITED
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env_clear()
        .envs(inherited)
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let id = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw);
    let id = id.ok_or_else(|| std::io::Error::other("it has no process id"))?;
    let (stdout, stderr) = (Tail::of(child.stdout.take()), Tail::of(child.stderr.take()));
    let group = Group(id);
    // It stays a zombie, so that its group can still be named.
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    let mut ended = tokio::task::spawn_blocking(move || waitid(Id::Pid(id), flags));
    let in_time = timeout(limit, &mut ended).await;
    drop(group);
    let timed_out = in_time.is_err();
    let status = match in_time {
        Ok(status) => status,
        Err(_) => ended.await,
    };
    let exit_code = match status.map_err(std::io::Error::other)?? {
        WaitStatus::Exited(_, code) => i64::from(code),
        WaitStatus::Signaled(_, signal, _) => 128 + i64::from(signal as i32),
        // Not asked for.
        _ => -1,
    };
    child.wait().await?;
    let output = ExecOutput {
        exit_code,
        stdout: stdout.end().await,
        stderr: stderr.end().await,
    };
    Ok(if timed_out {
        TestEnd::TimedOut(output)
    } else {
        TestEnd::Ended(output)
    })
}

/// The last bytes of a stream, which is read until its end.
struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Tail {
    fn of(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let bytes = Arc::default();
        let kept: Arc<Mutex<Vec<u8>>> = Arc::clone(&bytes);
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; 16 << 10];
            let Some(mut stream) = stream else { return };
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..count]);
                let excess = kept.len().saturating_sub(KEPT_OUTPUT);
                kept.drain(..excess);
            }
        });
        Self { bytes, reading }
    }

    /// Returns what came until the stream's end.
    async fn end(mut self) -> Vec<u8> {
        if timeout(CLOSING, &mut self.reading).await.is_err() {
            self.reading.abort();
        }
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    async fn end_of(command: &str) -> ExecOutput {
        match execute(command, &[("SLIM_URL".into(), "http://a".into())], LONG)
            .await
            .unwrap()
        {
            TestEnd::Ended(output) => output,
            TestEnd::TimedOut(_) => panic!("{command} timed out"),
        }
    }

    #[tokio::test]
    async fn a_test_has_its_exit_code_and_output() {
        let output = end_of("echo $SLIM_URL; echo two >&2; exit 3").await;
        let expected = ExecOutput {
            exit_code: 3,
            stdout: b"http://a\n".to_vec(),
            stderr: b"two\n".to_vec(),
        };
        assert_eq!(output, expected);
        assert_eq!(end_of("kill -9 $$").await.exit_code, 137);
        assert_eq!(end_of("cat").await, ExecOutput::default(), "it has no input");
    }

    #[tokio::test]
    async fn of_much_output_the_end_is_kept() {
        let output = end_of("head -c 1000000 /dev/zero; echo end").await;
        assert_eq!(output.stdout.len(), KEPT_OUTPUT);
        assert!(output.stdout.ends_with(b"end\n"));
    }

    #[tokio::test]
    async fn nothing_secret_is_in_its_environment() {
        // Cargo sets some for its tests, which are not among the inherited.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let output = end_of("env").await;
        let text = String::from_utf8(output.stdout).unwrap();
        let own = ["PWD", "OLDPWD", "SHLVL", "_", "SLIM_URL"];
        for name in text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name)
        {
            assert!(INHERITED.contains(&name) || own.contains(&name), "{name}");
        }
    }

    /// Resolves when no process has this id any more; a zombie is none.
    async fn gone(pid: &str) {
        let stat = Path::new("/proc").join(pid.trim()).join("stat");
        let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let began = Instant::now();
        while runs() {
            assert!(began.elapsed() < Duration::from_secs(10), "{pid} goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn its_whole_group_is_killed_at_the_deadline_and_at_its_end() {
        let command = "sleep 1000 & echo $!; wait";
        match execute(command, &[], Duration::from_millis(300)).await.unwrap() {
            TestEnd::TimedOut(output) => gone(std::str::from_utf8(&output.stdout).unwrap()).await,
            TestEnd::Ended(output) => panic!("{output:?}"),
        }
        let output = end_of("sleep 1000 & echo $!").await;
        assert_eq!(output.exit_code, 0);
        gone(std::str::from_utf8(&output.stdout).unwrap()).await;
    }

    #[tokio::test]
    async fn it_is_killed_when_nobody_waits() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let command = format!("echo $$ > {0}.new; mv {0}.new {0}; sleep 1000", file.display());
        let written = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = execute(&command, &[], LONG) => panic!("it ended"),
            () = written => {}
        }
        gone(&std::fs::read_to_string(&file).unwrap()).await;
    }
}
