//! Signals as command lines and images write them.

use nix::sys::signal::Signal;

/// The first and the last real-time signal, as engines count them (signal(7)).
const REAL_TIME: (u8, u8) = (34, 64);
/// The farthest that a real-time signal is counted from either end.
const MAX_COUNTED: u8 = 30;

/// Returns the number of a signal: a number, a name with or without `SIG`, or a real-time signal counted from either end
/// (`RTMIN+3`); none of what is no signal.
pub(crate) fn number(text: &str) -> Option<u8> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let distance = |text: &str| text.parse().ok().filter(|distance: &u8| *distance <= MAX_COUNTED);
    let counted = |end: u8, rest: &str| {
        if rest.is_empty() {
            Some(end)
        } else if let Some(up) = rest.strip_prefix('+') {
            Some(end + distance(up)?)
        } else {
            Some(end - distance(rest.strip_prefix('-')?)?)
        }
    };
    if let Ok(number) = text.parse() {
        (1..=REAL_TIME.1).contains(&number).then_some(number)
    } else if let Some(rest) = name.strip_prefix("RTMIN") {
        counted(REAL_TIME.0, rest)
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        counted(REAL_TIME.1, rest)
    } else {
        let signal: Signal = format!("SIG{name}").parse().ok()?;
        u8::try_from(signal as i32).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_numbers_and_names() {
        for (signal, expected) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("SIGKILL", Some(9)),
            ("3", Some(3)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("SIGRTMIN", Some(34)),
            ("0", None),
            ("65", None),
            ("RTMIN+x", None),
            ("RTMIN+4294967295", None),
            ("RTMINé", None),
            ("RTMAX-99", None),
            ("", None),
        ] {
            assert_eq!(number(signal), expected, "{signal}");
        }
    }
}
