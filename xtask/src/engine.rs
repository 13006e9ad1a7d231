//! The Docker engine that the tasks use: the one that answers, or one started here.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::sh;

/// A Docker client that reaches an engine.
pub(crate) struct Docker {
    client: PathBuf,
    /// The engine's address, where it is not the client's own default.
    host: Option<String>,
}

impl Docker {
    /// A `docker` command.
    pub(crate) fn command(&self) -> Command {
        self.reached_by(sh::root(&self.client))
    }

    /// The command, with this engine as the one that clients in it reach.
    pub(crate) fn reached_by(&self, mut command: Command) -> Command {
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// The same client for the engine at another address.
    pub(crate) fn on(&self, host: String) -> Self {
        Self {
            client: self.client.clone(),
            host: Some(host),
        }
    }

    /// Runs `docker ARGS` and gives what it wrote to stdout.
    ///
    /// # Errors
    ///
    /// When it fails, with what it wrote to stderr.
    pub(crate) fn output(&self, args: &[&str]) -> Result<String> {
        sh::output(self.command().args(args))
    }

    /// The path of the client; tests use the same.
    pub(crate) fn client(&self) -> &Path {
        &self.client
    }
}

/// The time that a started engine may take to answer.
const START: Duration = Duration::from_secs(60);

/// The engine that answers; when none does, one is started and left running.
///
/// # Errors
///
/// When no engine could be started: the message names its log and shows its end.
pub(crate) fn ensure() -> Result<Docker> {
    if let Some(docker) = answering() {
        return Ok(docker);
    }
    let cache = sh::cache_directory()?;
    let log = cache.join("dockerd.log");
    let mut daemon = start(&cache, &log)?;
    let docker = wait_for(&mut daemon, &log, answering)?;
    eprintln!(
        "A Docker engine was started (pid {}, log {}). It goes on running; `cargo xtask stop` ends it.",
        daemon.id(),
        log.display()
    );
    Ok(docker)
}

/// Waits until an engine that was started answers.
///
/// # Errors
///
/// When it ends, or takes too long: the message shows the end of its log.
pub(crate) fn wait_for<T>(
    daemon: &mut Child,
    log: &Path,
    mut answering: impl FnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + START;
    loop {
        if let Some(answer) = answering() {
            return Ok(answer);
        }
        if let Some(status) = daemon.try_wait().context("could not wait for dockerd")? {
            bail!(
                "dockerd ended ({status}); the end of {}:\n{}",
                log.display(),
                tail(log)
            );
        }
        if Instant::now() > deadline {
            bail!(
                "dockerd did not answer within {START:?}; the end of {}:\n{}",
                log.display(),
                tail(log)
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The first client whose engine answers. There may be several: one that is newer than the engine may refuse it.
fn answering() -> Option<Docker> {
    let clients = sh::which_all("docker")
        .into_iter()
        .map(|client| Docker { client, host: None });
    clients.into_iter().find(|docker| {
        sh::output(
            docker
                .command()
                .args(["version", "--format", "{{.Server.Version}}"]),
        )
        .is_ok_and(|version| !version.is_empty())
    })
}

fn start(cache: &Path, log: &Path) -> Result<Child> {
    let dockerd =
        sh::which("dockerd").context("no Docker engine answers, and there is no dockerd to start")?;
    let control_groups = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    if !control_groups.lines().any(|line| {
        line.split(' ')
            .nth(2)
            .is_some_and(|kind| kind.starts_with("cgroup"))
    }) {
        sh::run(sh::root("mount").args(["-t", "cgroup2", "none", "/sys/fs/cgroup"]))?;
    }
    let to_log = File::create(log).with_context(|| format!("could not create {}", log.display()))?;
    // A session of its own: Ctrl-C in this terminal, or its end, is not meant for the engine.
    let mut command = sh::root("setsid");
    command.arg(dockerd).arg("--data-root").arg(cache.join("docker"));
    eprintln!(
        "No Docker engine answers; starting one:\n$ {}",
        sh::show(&command)
    );
    command
        .stdin(Stdio::null())
        .stdout(to_log.try_clone().context("could not share the log")?)
        .stderr(to_log);
    let daemon = command.spawn().context("could not start dockerd")?;
    std::fs::write(pid_file(cache), daemon.id().to_string()).context("could not write dockerd.pid")?;
    Ok(daemon)
}

fn pid_file(cache: &Path) -> PathBuf {
    cache.join("dockerd.pid")
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Ends the engine that [`ensure`] started, and waits until it has ended. Does nothing when there is none.
///
/// # Errors
///
/// When it does not end.
pub(crate) fn stop() -> Result<()> {
    let cache = sh::cache_directory()?;
    let Ok(pid) = std::fs::read_to_string(pid_file(&cache)) else {
        eprintln!("No engine was started by `cargo xtask setup`.");
        return Ok(());
    };
    let pid: u32 = pid
        .trim()
        .parse()
        .context("dockerd.pid does not hold a process's id")?;
    // The number may have passed to another process since: only a process with our data directory is ours.
    let data = cache.join("docker");
    let is_ours = || {
        let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command_line
            .split(|byte| *byte == 0)
            .any(|word| word == data.as_os_str().as_encoded_bytes())
    };
    if is_ours() {
        eprintln!("Ending the Docker engine (pid {pid}).");
        sh::kill(pid)?;
        let deadline = Instant::now() + START;
        while is_ours() {
            if Instant::now() > deadline {
                bail!("dockerd (pid {pid}) did not end within {START:?}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    std::fs::remove_file(pid_file(&cache)).context("could not remove dockerd.pid")
}
