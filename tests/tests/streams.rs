//! Standard streams that take nothing: no panic, and the exit code still says what became of the command.

use std::fs::File;
use std::io::pipe;
use std::process::{Command, Output, Stdio};

use slim_tests::{assert_exit, slim, workspace};

/// Commands that print results and need no engine, with their exit codes.
fn commands() -> Vec<(Vec<String>, i32)> {
    let recording = |name: &str| {
        workspace()
            .join("slim-core/testdata/recordings")
            .join(name)
            .display()
            .to_string()
    };
    let (one, other) = (recording("v1-started.json"), recording("v1-attached.json"));
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    vec![
        (words(&["--list-formats"]), 0),
        (words(&["--list-formats", "--format", "json"]), 0),
        (words(&["--help"]), 0),
        (words(&["diff", &one, &one]), 0),
        (words(&["diff", &one, &other, "--format", "json"]), 0),
        (
            words(&[
                "diff",
                &one,
                &other,
                "--format",
                "sarif",
                "--fail-on",
                "wider,narrower,added-path,removed-path",
            ]),
            4,
        ),
    ]
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full")
        .into()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn command(words: &[String]) -> Command {
    let mut command = slim();
    command.args(words).stderr(Stdio::piped());
    command
}

#[test]
fn a_full_disk_is_an_error() {
    for (words, _) in commands() {
        // clap prints its help itself, and leaves out that it could not.
        if words == ["--help"] {
            continue;
        }
        let output = command(&words).stdout(full()).output().expect("slim runs");
        assert!(
            text(&output).contains("standard output: No space left on device"),
            "{words:?}: {}",
            text(&output)
        );
        assert_exit(&output, 1);
    }
}

#[test]
fn a_reader_that_went_away_changes_no_exit_code() {
    for (words, code) in commands() {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = command(&words).stdout(writer).output().expect("slim runs");
        assert!(
            !text(&output).contains("panicked"),
            "{words:?}: {}",
            text(&output)
        );
        assert_exit(&output, code);
    }
}

#[test]
fn an_error_that_cannot_be_told_keeps_its_exit_code() {
    for (words, code) in [
        (["diff", "/nowhere", "/nowhere"], 1),
        (["explain", "--nonsense", "x"], 2),
    ] {
        let output = slim()
            .args(words)
            .stdout(Stdio::piped())
            .stderr(full())
            .output()
            .expect("slim runs");
        assert_exit(&output, code);
    }
}
