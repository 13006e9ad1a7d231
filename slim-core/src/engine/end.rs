//! The end of a container, in words.

use super::State;
use crate::recording::Outcome;

/// Number of lines of a container's log that are shown.
const LINES: usize = 20;

/// Returns a sentence about a container that the engine restarts again and again; none if it does not.
pub fn crash_loop(state: &State) -> Option<String> {
    (state.restarts > 0).then(|| {
        let code = state
            .outcome
            .exit_code
            .map_or_else(String::new, |c| format!(", last with exit code {c}"));
        format!(
            "it crashes again and again: the engine restarted it {} times{code}",
            state.restarts
        )
    })
}

/// Describes the end of a container that was not to end, with its last lines of output. Safe to print: control characters
/// of the output are replaced.
pub fn describe_end(outcome: &Outcome, stdout: &[u8], stderr: &[u8]) -> String {
    let mut text = match outcome {
        Outcome { oom_killed: true, .. } => {
            "the kernel killed it for want of memory (OOM): give it more with --memory".to_owned()
        }
        Outcome { killed: true, .. } => {
            "slim killed it, as it did not end on its stop signal in time".to_owned()
        }
        Outcome { exit_code: None, .. } => "it still runs".to_owned(),
        Outcome {
            exit_code: Some(0), ..
        } => "it ended by itself with exit code 0".to_owned(),
        Outcome {
            exit_code: Some(code),
            ..
        } => {
            let meaning = match code {
                125 => " (the engine could not run it)".to_owned(),
                126 => " (a command could not be executed)".to_owned(),
                127 => " (a command was not found)".to_owned(),
                129..=192 => {
                    let number = code - 128;
                    let name = i32::try_from(number)
                        .ok()
                        .and_then(|n| nix::sys::signal::Signal::try_from(n).ok());
                    name.map_or_else(
                        || format!(" (signal {number})"),
                        |signal| format!(" ({})", signal.as_str()),
                    )
                }
                _ => String::new(),
            };
            format!("it ended with exit code {code}{meaning}")
        }
    };
    for (name, output) in [("standard output", stdout), ("standard error", stderr)] {
        let output = String::from_utf8_lossy(output);
        let lines: Vec<&str> = output.lines().filter(|l| !l.trim().is_empty()).collect();
        if lines.is_empty() {
            continue;
        }
        text += &format!("\nits last lines on {name}:");
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            text += "\n  ";
            // What the app prints is shown to a terminal: nothing in it may command one.
            text.extend(line.chars().take(400).map(|c| {
                if c.is_control() && c != '\t' {
                    '\u{fffd}'
                } else {
                    c
                }
            }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_described() {
        let end = |exit_code, oom_killed, killed| Outcome {
            exit_code,
            oom_killed,
            stopped_by_slim: killed,
            killed,
            ignores_signal: false,
        };
        let text = [
            describe_end(&end(Some(0), false, false), b"", b""),
            describe_end(&end(Some(139), false, false), b"", b"panic: \x1b[31mred\n\n"),
            describe_end(&end(Some(137), true, false), b"", b""),
            describe_end(&end(Some(137), false, true), b"", b""),
            describe_end(&end(Some(127), false, false), b"out\n", b"sh: nope: not found\n"),
        ];
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        let log: String = (0..100).map(|i| format!("line {i}\n")).collect();
        let text = describe_end(&Outcome::default(), log.as_bytes(), b"");
        assert!(text.contains("line 99") && text.contains("line 80") && !text.contains("line 79"));
    }
}
