//! A process that outlives slim, and removes what slim made when it is killed.
//!
//! It is started before anything is made. Its standard input is a pipe whose other end slim alone holds: the kernel closes
//! it when slim ends, however that happens.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;

use super::Error;

/// Milliseconds that it may take to begin.
const BEGIN_MS: u16 = 30_000;

/// The time that it may take to end when nothing is left.
const END: Duration = Duration::from_secs(5);

/// The line that it writes when nothing that ends slim ends it any more.
const READY: &[u8] = b"ready\n";

/// A running watchdog.
#[derive(Debug)]
pub(super) struct Watchdog(Child);

impl Watchdog {
    /// Starts `program` with the record's name as its last word, and waits until it watches.
    pub(super) fn start(program: &[OsString], record: &OsStr) -> Result<Self, Error> {
        let started = || -> io::Result<Self> {
            let (first, rest) = program
                .split_first()
                .ok_or_else(|| io::Error::other("it has no program"))?;
            let mut command = Command::new(first);
            command
                .arg0("slim")
                .args(rest)
                .arg(record)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            // A process begins with the mask of the thread that starts it, so there is no moment at which a Ctrl-C that
            // is meant for slim ends the watchdog.
            let before = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
            let child = command.spawn();
            before.thread_set_mask()?;
            let mut watchdog = Self(child?);
            let said = watchdog.first_words();
            if let Ok(READY) = said.as_deref() {
                return Ok(watchdog);
            }
            watchdog.stop();
            said?;
            Err(io::Error::other("it ended before it was ready"))
        };
        started().map_err(Error::Watchdog)
    }

    fn first_words(&mut self) -> io::Result<Vec<u8>> {
        let mut said = Vec::new();
        if let Some(output) = self.0.stdout.take() {
            use std::os::fd::AsFd as _;
            let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::from(BEGIN_MS))? == 0 {
                return Err(io::Error::other("it did not begin in time"));
            }
            output.take(READY.len() as u64).read_to_end(&mut said)?;
        }
        Ok(said)
    }

    /// Tells it that slim ends. Where nothing is left, it is waited for, so that no process outlives slim; else it goes on.
    pub(super) fn let_go(mut self, nothing_left: bool) {
        drop(self.0.stdin.take());
        if !nothing_left {
            return;
        }
        let deadline = Instant::now() + END;
        while let Ok(None) = self.0.try_wait() {
            if Instant::now() >= deadline {
                tracing::warn!("slim's watchdog (pid {}) has not ended yet", self.0.id());
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn stop(&mut self) {
        // It is this process's own child, and has ended or is of no use.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes this process, which slim has started as its watchdog and which has no other thread yet, one that nothing ends
/// which ends slim: in a session of its own, without a terminal, signals and inherited descriptors. Returns when slim has
/// ended.
///
/// # Errors
/// The system refuses.
pub fn outlive() -> io::Result<()> {
    SigSet::all().thread_block()?;
    // Whoever is the first process of its session already needs none of its own.
    let _ = nix::unistd::setsid();
    let mut inherited: Vec<i32> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        inherited.extend(number.filter(|&number: &i32| number > 2));
    }
    for number in inherited {
        // The directory's own, which was among them, is closed by now.
        let _ = nix::unistd::close(number);
    }
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    nix::unistd::dup2_stdout(std::fs::File::options().write(true).open("/dev/null")?)?;
    let mut input = io::stdin().lock();
    let mut buffer = [0; 64];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
