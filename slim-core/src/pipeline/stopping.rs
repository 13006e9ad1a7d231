//! Stopping a recorded container as its engine would: what it does at its end is recorded too.

use std::str::FromStr as _;

use nix::sys::signal::Signal;

/// Seconds between the stop signal and SIGKILL, unless the container is started with others (docker-run(1), `--stop-timeout`).
pub(super) const TIMEOUT: u32 = 10;
/// The first and the last real-time signal, as engines count them (signal(7)).
const REAL_TIME: (u32, u32) = (34, 64);

/// Returns whether process `pid` does nothing at `signal`, so that its container is killed after the timeout, whatever that
/// is: the first process of a pid name space that neither catches nor blocks a signal never sees it (`pid_namespaces(7)`).
pub(super) fn ignores(pid: u32, signal: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| number(signal).is_some_and(|signal| is_ignored(&status, signal)))
}

/// Returns whether the process with this `/proc/PID/status` does nothing at `signal`.
fn is_ignored(status: &str, signal: u32) -> bool {
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

/// Returns the number of a signal that is written as a number or as a name, with or without `SIG`; none of SIGKILL and
/// SIGSTOP, which nothing ignores, and of what is no signal.
fn number(signal: &str) -> Option<u32> {
    let upper = signal.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |rest: &str| match rest {
        "" => Some(0),
        _ => rest.get(1..)?.parse().ok(),
    };
    let number = if let Ok(number) = name.parse() {
        number
    } else if let Some(rest) = name.strip_prefix("RTMIN") {
        REAL_TIME.0.checked_add(real_time(rest)?)?
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        REAL_TIME.1.checked_sub(real_time(rest)?)?
    } else {
        u32::try_from(Signal::from_str(&format!("SIG{name}")).ok()? as i32).ok()?
    };
    let always = [Signal::SIGKILL as u32, Signal::SIGSTOP as u32];
    ((1..=REAL_TIME.1).contains(&number) && !always.contains(&number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_numbers_and_names() {
        for (signal, expected) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("3", Some(3)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("SIGRTMIN", Some(34)),
            ("SIGKILL", None),
            ("0", None),
            ("65", None),
            ("RTMIN+x", None),
            ("RTMIN+4294967295", None),
            ("RTMAX-99", None),
            ("", None),
        ] {
            assert_eq!(number(signal), expected, "{signal}");
        }
    }

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
