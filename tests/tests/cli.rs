//! What a user sees when things are wrong: the sentence, the exit code, and nothing on standard output.

use slim_tests::{require_docker, slim};

struct Seen {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn seen(words: &[&str]) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let output = slim().args(words).current_dir(directory.path()).output().unwrap();
    Seen {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn an_absent_image_is_named() {
    require_docker();
    let seen = seen(&["build", "slim-test-no-such-image:none", "--pull", "never"]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("slim-test-no-such-image:none"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_command_that_is_not_in_the_image_is_named() {
    require_docker();
    let seen = seen(&["build", "debian:bookworm", "--", "/no/such/program"]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("/no/such/program"), "{}", seen.stderr);
}

#[test]
fn a_job_that_fails_shows_its_last_lines() {
    require_docker();
    let seen = seen(&[
        "build",
        "debian:bookworm",
        "--",
        "sh",
        "-c",
        "echo 'cannot find the ledger' >&2; exit 3",
    ]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("  | cannot find the ledger"),
        "{}",
        seen.stderr
    );
    assert!(seen.stderr.contains('3'), "{}", seen.stderr);
    assert!(seen.stderr.contains("--expect-exit"), "{}", seen.stderr);
}

#[test]
fn a_job_may_be_expected_to_fail() {
    require_docker();
    let words = [
        "profile",
        "debian:bookworm",
        "--expect-exit",
        "3",
        "--format",
        "json",
        "--",
        "sh",
        "-c",
        "exit 3",
    ];
    let seen = seen(&words);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let report: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(seen.stderr, "", "no terminal: no progress");
}

#[test]
fn a_recording_with_losses_is_an_error_that_names_the_flag() {
    require_docker();
    let seen = seen(&[
        "record",
        "debian:bookworm",
        "--map-size",
        "64",
        "--",
        "find",
        "/usr/share",
    ]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert!(
        seen.stderr.contains("the recording is not complete"),
        "{}",
        seen.stderr
    );
    assert!(seen.stderr.contains("--map-size"), "{}", seen.stderr);
}

#[test]
fn a_mistake_in_a_probe_file_is_found_before_anything_starts() {
    require_docker();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("probe.yaml");
    std::fs::write(&file, "- {method: GET, pfad: /}\n").unwrap();
    let seen = seen(&["build", "debian:bookworm", "--probe-file", file.to_str().unwrap()]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("pfad"), "{}", seen.stderr);
}

#[test]
fn a_user_who_may_not_trace_gets_5() {
    let binary = slim_tests::slim_binary();
    let directory = tempfile::tempdir().unwrap();
    // The build directory may be closed to others.
    let copy = directory.path().join("slim");
    std::fs::copy(binary, &copy).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .arg("doctor")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("this machine cannot trace"), "{said}");
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(found.contains("missing"), "{found}");
}
