//! Commands that need neither root nor a container engine, as a user sees them.

use slim_tests::slim;

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
fn a_wrong_command_line_is_2() {
    for words in [
        &["build"][..],
        &["bild", "x"],
        &["build", "x", "--port", "http"],
        &["build", "x", "--for", "soon"],
    ] {
        let seen = seen(words);
        assert_eq!(seen.code, Some(2), "{words:?}: {}", seen.stderr);
        assert_eq!(seen.stdout, "");
    }
}

#[test]
fn an_engine_that_does_not_answer_is_named() {
    let seen = seen(&[
        "--host",
        "unix:///nonexistent/docker.sock",
        "build",
        "debian:bookworm",
    ]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr.contains("unix:///nonexistent/docker.sock"),
        "{}",
        seen.stderr
    );
    assert!(seen.stderr.starts_with("error: "), "{}", seen.stderr);
    assert_eq!(seen.stdout, "");
}

#[test]
fn a_damaged_recording_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording.json");
    std::fs::write(&path, "{\"version\": 1}").unwrap();
    let seen = seen(&["generate", path.to_str().unwrap()]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stderr
            .contains("recording.json: not a recording: missing field"),
        "{}",
        seen.stderr
    );
}

#[test]
fn slim_toml_sets_defaults_and_its_mistakes_are_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("slim.toml"), "[build]\nprot = 80\n").unwrap();
    let output = slim()
        .args(["build", "x"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: slim.toml: \"prot\" is no flag of slim build\n");
}

#[test]
fn a_wider_profile_is_4_where_a_gate_asks() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, calls: &[&str]| {
        let rule = serde_json::json!({"names": calls, "action": "SCMP_ACT_ALLOW"});
        let profile = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]});
        let path = directory.path().join(name);
        std::fs::write(&path, profile.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (a, b) = (write("a.json", &["read"]), write("b.json", &["mount", "read"]));
    let plain = seen(&["diff", &a, &b]);
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
    assert!(
        plain.stdout.contains("+ added-syscall      mount"),
        "{}",
        plain.stdout
    );
    let gated = seen(&["diff", &a, &b, "--fail-on", "added-syscall,wider"]);
    assert_eq!(gated.code, Some(4), "{}", gated.stderr);
    assert!(
        gated
            .stderr
            .contains("1 changes that --fail-on names: added-syscall"),
        "{}",
        gated.stderr
    );
    assert_eq!(
        seen(&["diff", &b, &a, "--fail-on", "added-syscall"]).code,
        Some(0)
    );
    let sarif = seen(&["diff", &a, &b, "--format", "sarif"]);
    let log: serde_json::Value = serde_json::from_str(&sarif.stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "added-syscall");
    assert_eq!(seen(&["doctor", "--format", "sarif"]).code, Some(2));
    assert_eq!(seen(&["diff", &a, "/etc/hostname"]).code, Some(1));
}
