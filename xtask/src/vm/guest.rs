//! A running virtual machine: booted, given commands, ended.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::sh;

/// The guest's memory: a small machine for continuous integration has 8 GiB.
const MEMORY: &str = "3072";

/// Without AVX and fast string instructions, which cost more when they are emulated than what they replace: Debian's
/// code takes its plain paths. Measured: half the time for copying and hashing.
const PROCESSOR: &str = "Nehalem";

/// The time that a guest may take until its engine runs. Alone on 2 processors it takes 20 s.
const BOOT: Duration = Duration::from_secs(300);

/// The disks that [`super::disk`] made.
pub(super) struct Disks {
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    /// The root, `/var/lib/docker` and `/payload`, in this order. They are not written to.
    pub(super) images: [PathBuf; 3],
}

/// A running guest. It ends with this value, and with this process however that ends.
pub(super) struct Guest {
    qemu: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    console: PathBuf,
}

impl Guest {
    /// Boots, and waits until the guest takes commands.
    ///
    /// # Errors
    ///
    /// When it does not come up; with the last lines of its console, which is written to the file `console`.
    pub(super) fn boot(disks: &Disks, modules: &str, console: PathBuf) -> Result<Self> {
        // A killed xtask takes it along.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nice", "qemu-system-x86_64"]);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
        command.args(["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", PROCESSOR]);
        command.args(["-smp", "2", "-m", MEMORY]);
        command
            .arg("-kernel")
            .arg(&disks.kernel)
            .arg("-initrd")
            .arg(&disks.initrd);
        // A panic ends the machine. The emulated time stamp counter is steady, whatever the kernel finds. No refusal is
        // left out of the log for coming soon after others.
        let line = format!(
            "console=ttyS0 panic=-1 sysctl.kernel.printk_ratelimit=0 mitigations=off tsc=reliable systemd.show_status=error {modules}"
        );
        command.args(["-append", &line]);
        for image in &disks.images {
            let image = image.display();
            command.args([
                "-drive",
                &format!("file={image},format=raw,if=virtio,snapshot=on,cache=unsafe"),
            ]);
        }
        command.args(["-serial", &format!("file:{}", console.display())]);
        command.args([
            "-device",
            "virtio-serial-pci",
            "-device",
            "virtserialport,chardev=agent",
        ]);
        command.args(["-chardev", "stdio,id=agent,signal=off"]);
        let mut qemu = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start `{}`", sh::show(&command)))?;
        let commands = qemu.stdin.take().context("qemu has no stdin")?;
        let mut output = BufReader::new(qemu.stdout.take().context("qemu has no stdout")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(text).is_err() {
                    return;
                }
                line.clear();
            }
        });
        let guest = Self {
            qemu,
            commands,
            lines,
            console,
        };
        let start = Instant::now();
        while guest.line("boot", start, BOOT)? != "\u{1}ready" {}
        Ok(guest)
    }

    /// Runs one line of shell as root, hands over what it writes line by line, and gives its exit code.
    ///
    /// # Errors
    ///
    /// When the guest ends or the time is over; with the last lines of its console. The guest is of no use then.
    pub(super) fn run(&mut self, command: &str, limit: Duration, mut said: impl FnMut(&str)) -> Result<i32> {
        assert!(!command.contains('\n'), "one line is one command");
        let start = Instant::now();
        if writeln!(self.commands, "{command}").is_err() {
            bail!("the virtual machine has ended{}", self.last_words());
        }
        loop {
            let line = self.line(command, start, limit)?;
            match line.split_once('\u{1}') {
                None => said(&line),
                Some((text, end)) => {
                    if !text.is_empty() {
                        said(text);
                    }
                    let code = end.strip_prefix("exit ").and_then(|code| code.parse().ok());
                    return code.with_context(|| format!("the guest's agent said {end:?}"));
                }
            }
        }
    }

    /// As [`Guest::run`], for commands that must succeed: what it wrote.
    ///
    /// # Errors
    ///
    /// When it fails, too; with what it wrote.
    pub(super) fn output(&mut self, command: &str) -> Result<String> {
        let mut lines = Vec::new();
        let code = self.run(command, BOOT, |line| lines.push(line.to_owned()))?;
        let text = lines.join("\n");
        if code != 0 {
            bail!("in the virtual machine, `{command}` failed ({code}): {text}");
        }
        Ok(text)
    }

    fn line(&self, what: &str, start: Instant, limit: Duration) -> Result<String> {
        match self.lines.recv_timeout(limit.saturating_sub(start.elapsed())) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!(
                "the virtual machine did not end `{what}` within {} s{}",
                limit.as_secs(),
                self.last_words()
            ),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the virtual machine ended during `{what}`{}", self.last_words())
            }
        }
    }

    /// The end of the console, for an error.
    fn last_words(&self) -> String {
        let text = std::fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(25)..].join("\n");
        format!("; the end of its console:\n{last}")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Its disks are thrown away: there is nothing to end in order.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
