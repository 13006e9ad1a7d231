//! Stopping a recorded container as its engine would: what it does at its end is recorded too.

use nix::sys::signal::Signal;

use crate::signal;

/// Seconds between the stop signal and SIGKILL, unless the container is started with others (docker-run(1), `--stop-timeout`).
pub(super) const TIMEOUT: u32 = 10;
/// The signals that nothing ignores.
const ALWAYS_SEEN: [u8; 2] = [Signal::SIGKILL as u8, Signal::SIGSTOP as u8];

/// Returns whether process `pid` does nothing at `signal`, so that its container is killed after the timeout, whatever that
/// is: the first process of a pid name space that neither catches nor blocks a signal never sees it (`pid_namespaces(7)`).
pub(super) fn ignores(pid: u32, signal: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let signal = signal::number(signal).filter(|signal| !ALWAYS_SEEN.contains(signal));
    status.is_ok_and(|status| signal.is_some_and(|signal| is_ignored(&status, signal)))
}

/// Returns whether the process with this `/proc/PID/status` does nothing at `signal`.
fn is_ignored(status: &str, signal: u8) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let is_first = field("NSpid:").is_some_and(|pids| {
        let mut pids = pids.split_whitespace();
        pids.next().is_some() && pids.last() == Some("1")
    });
    let reacts = |name| {
        let mask = field(name).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
    };
    is_first && !reacts("SigCgt:") && !reacts("SigBlk:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_process_ignores_what_it_neither_catches_nor_blocks() {
        let status = |pids: &str, blocked: u64, caught: u64| {
            format!(
                "Name:\tapp\nNSpid:\t{pids}\nSigBlk:\t{blocked:016x}\nSigIgn:\t0\nSigCgt:\t{caught:016x}\n"
            )
        };
        let term = 1 << 14;
        assert!(is_ignored(&status("812\t1", 0, !term), 15));
        assert!(is_ignored(&status("812\t40\t1", 0, 0), 15));
        assert!(!is_ignored(&status("812\t1", 0, term), 15));
        assert!(!is_ignored(&status("812\t1", term, 0), 15));
        // It ends at the signal: it is not the first of its name space, or of the machine's.
        assert!(!is_ignored(&status("812\t7", 0, 0), 15));
        assert!(!is_ignored(&status("1", 0, 0), 15));
        assert!(!is_ignored("", 15));
    }
}
