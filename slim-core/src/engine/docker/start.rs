//! What the engine's messages mean, and what to do.

use crate::engine::{Error, State};
use crate::recording::Outcome;

/// As many lines of a container's log are shown.
const LINES: usize = 20;

/// Why a container did not start. Known messages are named; the engine's own is kept.
pub(super) fn explain(message: &str) -> Error {
    let message = shorten(message);
    let has = |text: &str| message.contains(text);
    let (what, advice) =
        if has("executable file not found") || (has("exec: ") && has("no such file or directory")) {
            (
                "its entrypoint or command is not in the image",
                "check ENTRYPOINT and CMD of the image, --entrypoint and the command after --",
            )
        } else if has("unable to apply caps") || has("operation not permitted: unknown") && has("caps") {
            (
                "the engine cannot give it the capabilities that were asked for",
                "this machine lacks one of them: name those that are needed instead of --cap-add ALL",
            )
        } else if has("exec format error") {
            (
                "its program is for another architecture, or a script without #! line",
                "check the image's platform and the entrypoint's first line",
            )
        } else if has("permission denied") && has("exec: ") {
            (
                "its entrypoint is not executable",
                "check the file's mode, and that it is not a directory",
            )
        } else if has("address already in use") || has("port is already allocated") {
            (
                "a published port is in use on this machine",
                "end what listens there, or publish another port (--publish PORT alone takes a free one)",
            )
        } else if has("unable to find user")
            || has("unable to find group")
            || has("no matching entries in passwd")
        {
            (
                "its user is not in the image's /etc/passwd or /etc/group",
                "use a numeric --user UID:GID, or one that the image has",
            )
        } else if has("not a directory") && has("mount") {
            (
                "a mount's source and target are not of one kind",
                "a directory cannot be mounted onto a file; check --volume and --mount",
            )
        } else if has("read-only file system") {
            (
                "something has to be written where the file system is read-only",
                "mount points must exist in an image that runs with --read-only",
            )
        } else if has("network") && has("not found") {
            (
                "its network does not exist",
                "create it, or name another with --network",
            )
        } else if has("cannot allocate memory") || has("no space left on device") {
            ("the machine is out of memory or disk", "free some and try again")
        } else {
            ("the engine reports an error", "the message says more")
        };
    Error::Start {
        what: what.to_owned(),
        advice: advice.to_owned(),
        message,
    }
}

/// Takes the layers of "failed to" off the engine's messages.
pub(super) fn shorten(message: &str) -> String {
    let mut text = message.trim();
    for prefix in [
        "failed to create task for container: ",
        "failed to create shim task: ",
        "OCI runtime create failed: ",
        "OCI runtime exec failed: ",
        "runc create failed: ",
        "unable to start container process: ",
        "exec failed: ",
        "unable to start container process: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.strip_suffix(": unknown").unwrap_or(text).to_owned()
}

/// What is to be said of a container that the engine restarts again and again; none if it does not.
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

/// What is to be said of the end of a container that was not to end: how, and its last lines of output. Safe to print:
/// control characters of the output are replaced.
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
    fn common_failures_have_names() {
        let runc = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
        let cases = [
            format!("{runc}exec: \"nope\": executable file not found in $PATH: unknown"),
            format!("{runc}exec: \"/nope\": stat /nope: no such file or directory: unknown"),
            format!("{runc}exec: \"/bin\": permission denied: unknown"),
            format!("{runc}unable to apply caps: operation not permitted: unknown"),
            format!("{runc}exec /x: exec format error: unknown"),
            "driver failed programming external connectivity on endpoint x: listen tcp4 0.0.0.0:80: bind: address already in use".to_owned(),
            "unable to find user nobody: no matching entries in passwd file".to_owned(),
            "network xyz not found".to_owned(),
            "something new".to_owned(),
        ];
        let text: Vec<String> = cases.iter().map(|c| explain(c).to_string()).collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn ends_are_described() {
        let end = |exit_code, oom_killed, killed| Outcome {
            exit_code,
            oom_killed,
            stopped_by_slim: killed,
            killed,
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
