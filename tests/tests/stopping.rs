//! How a recorded container ends: as its engine would end it, so that what it does then is recorded.

use slim_core::recording::Recording;
use slim_tests::{Image, assert_exit, require_docker, require_root, slim};

/// An application that serves nothing and lives until it is told to end, with `commands` in place of its end.
fn dockerfile(commands: &str) -> String {
    format!(
        "FROM debian:bookworm\nRUN printf '%s\\n' '#!/bin/bash' \"{commands}\" 'while :; do sleep 0.1; done' > /app \
         && chmod +x /app && echo draining > /srv-end\nCMD [\"/app\"]\n"
    )
}

/// Records an image for a moment, and returns the run's outcome, the files that it used and what was said.
fn record(
    name: &str,
    commands: &str,
    words: &[&str],
) -> (slim_core::recording::Outcome, Vec<String>, String) {
    require_root();
    require_docker();
    let image = Image::from_dockerfile(name, &dockerfile(commands), &[]);
    let directory = tempfile::tempdir().unwrap();
    let output = slim()
        .args([
            "record",
            image.tag(),
            "--probe",
            "none",
            "--for",
            "1s",
            "--output",
        ])
        .arg(directory.path())
        .args(words)
        .output()
        .unwrap();
    assert_exit(&output, 0);
    let recording = Recording::load(directory.path()).unwrap();
    let run = recording.runs.values().next().unwrap();
    let files = run.files.iter().map(|file| file.path.to_string()).collect();
    (
        run.outcome.clone(),
        files,
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn an_application_that_drains_is_seen_to_its_end() {
    let drains = "trap 'sleep 3; read l < /srv-end; exit 7' TERM";
    let (outcome, files, _) = record("stopping-drains", drains, &[]);
    assert_eq!(outcome.exit_code, Some(7));
    assert!(!outcome.killed && !outcome.ignores_signal, "{outcome:?}");
    assert!(files.iter().any(|file| file == "/srv-end"), "{files:?}");
}

#[test]
fn an_application_that_takes_too_long_is_killed() {
    let drains = "trap 'sleep 30' TERM";
    let (outcome, ..) = record("stopping-late", drains, &["--stop-timeout", "1"]);
    assert_eq!(outcome.exit_code, Some(137));
    assert!(outcome.killed && !outcome.ignores_signal, "{outcome:?}");
}

#[test]
fn an_application_that_ignores_the_signal_is_killed_at_once() {
    // With a minute to stop, the test ends in time only if nobody waits for it.
    let began = std::time::Instant::now();
    let (outcome, ..) = record("stopping-ignores", "true", &["--stop-timeout", "60"]);
    assert!(outcome.killed && outcome.ignores_signal, "{outcome:?}");
    assert!(began.elapsed().as_secs() < 60);
}
