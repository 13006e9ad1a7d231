//! A second Docker engine, for what the machine's own must not be changed for: other runtimes.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};

use crate::engine::{self, Docker};
use crate::runtime::Runtime;
use crate::sh::{self, Scratch};

/// The engine. It ends, and all that it has is removed, with this.
pub(crate) struct ScratchEngine {
    docker: Docker,
    daemon: Child,
    scratch: Scratch,
}

impl ScratchEngine {
    /// Starts one that knows these runtimes by their names, in network and mount name spaces of its own, so that the
    /// machine's bridges, rules and mounts stay as they are.
    ///
    /// # Errors
    ///
    /// When it does not answer: the message shows the end of its log.
    pub(crate) fn start(first: &Docker, runtimes: &[Runtime], scratch: Scratch) -> Result<Self> {
        let dockerd = sh::which("dockerd").context("there is no dockerd to start")?;
        let at = |name: &str| scratch.path().join(name);
        let log = File::create(at("log")).context("could not create a log")?;
        let socket = format!("unix://{}", at("socket").display());
        let mut command = sh::root("unshare");
        command.args(["--net", "--mount"]).arg(dockerd);
        command.arg("--data-root").arg(at("data"));
        command.arg("--exec-root").arg(at("exec"));
        command.arg("--pidfile").arg(at("pid"));
        command.args(["--host", &socket]);
        // Nothing in it needs a way out.
        command.args(["--iptables=false", "--ip-forward=false", "--ip-masq=false"]);
        for runtime in runtimes.iter().filter(|runtime| runtime.name != "runc") {
            let runtime = format!("{}={}", runtime.name, runtime.program.display());
            command.args(["--add-runtime", &runtime]);
        }
        let daemon = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("could not start dockerd")?;
        let mut engine = Self {
            docker: first.on(socket),
            daemon,
            scratch,
        };
        let log = engine.scratch.path().join("log");
        let docker = &engine.docker;
        engine::wait_for(&mut engine.daemon, &log, || docker.output(&["version"]).ok())?;
        Ok(engine)
    }

    /// The client that reaches it.
    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Takes an image over from another engine.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub(crate) fn load(&self, first: &Docker, image: &str) -> Result<()> {
        let archive = self.scratch.path().join("image.tar");
        sh::output(
            first
                .command()
                .args(["save", "--output"])
                .arg(&archive)
                .arg(image),
        )?;
        sh::output(self.docker.command().args(["load", "--input"]).arg(&archive))?;
        sh::output(sh::root("rm").arg(&archive)).map(drop)
    }

    /// Returns what a TCP port of a container sends back to `request` until it closes the connection.
    ///
    /// # Errors
    ///
    /// When nothing listens there, or it does not close the connection within some seconds.
    pub(crate) fn ask(&self, address: &str, port: u64, request: &str) -> Result<Vec<u8>> {
        // From where the containers are: the shell can connect, and nothing else needs to be installed.
        let script = "exec 3<>\"/dev/tcp/$0/$1\" && printf %s \"$2\" >&3 && exec cat <&3";
        let mut shell = sh::root("timeout");
        shell.args(["20", "nsenter", "--net", "--target"]);
        shell.arg(self.pid()?.to_string());
        shell.args(["bash", "-c", script, address, &port.to_string(), request]);
        let output = shell
            .stdin(Stdio::null())
            .output()
            .context("could not start a shell")?;
        ensure!(output.status.success(), "port {port} does not answer");
        Ok(output.stdout)
    }

    /// The engine's process; with sudo, the started one is sudo.
    fn pid(&self) -> Result<u32> {
        let file: PathBuf = self.scratch.path().join("pid");
        let pid = std::fs::read_to_string(&file).context("dockerd has written no pid file")?;
        pid.trim().parse().context("dockerd's pid file holds no number")
    }
}

impl Drop for ScratchEngine {
    fn drop(&mut self) {
        // SIGTERM lets it end its containerd too.
        let ended = self.pid().and_then(sh::kill);
        if ended.is_err() {
            let _ = self.daemon.kill();
        }
        let _ = self.daemon.wait();
    }
}
