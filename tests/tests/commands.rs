//! Every command as a user sees it, as far as it needs neither root nor a container engine: what it prints, and its exit
//! code.

use serde_json::json;
use slim_core::recording::{Phase, SyscallUse};
use slim_tests::{Context, planned, recorded, slim_snapshot, workspace};

/// An engine that never answers.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// A context with `recording.json`, `plan/plan.json`, `wider/plan.json` and two seccomp profiles.
fn context() -> Context {
    let context = Context::new();
    let calls = vec![
        SyscallUse::once("read", 0),
        SyscallUse {
            phase: Phase::Serving,
            ..SyscallUse::once("socket", 41)
        },
    ];
    let recording = recorded(calls, |run| run.host.machine = "x86_64".into());
    context.write("recording.json", recording.to_json());
    let mut plan = planned();
    context.write("plan/plan.json", serde_json::to_vec(&plan).unwrap());
    plan.capabilities.append(&mut plan.refused_capabilities);
    plan.files.pop_first();
    context.write("wider/plan.json", serde_json::to_vec(&plan).unwrap());
    for (name, calls) in [
        ("a.json", &["read", "socket"][..]),
        ("b.json", &["mount", "read", "socket"]),
    ] {
        let rule = json!({"names": calls, "action": "SCMP_ACT_ALLOW"});
        let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]});
        context.write(name, profile.to_string());
    }
    context
}

/// docs/cli.md is the snapshot of every `--help`.
#[test]
fn help() {
    let reference = std::fs::read_to_string(workspace().join("docs/cli.md")).unwrap();
    let context = Context::new();
    let mut commands = 0;
    for section in reference.split("\n## ").skip(1) {
        let (title, help) = section.split_once("\n\n```text\n").unwrap();
        let words: Vec<&str> = title.split(' ').skip(1).chain(["--help"]).collect();
        let output = context.slim(&words).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert_eq!(
            printed.join("\n").trim_end(),
            help.trim_end().trim_end_matches("\n```"),
            "{title}"
        );
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), &b""[..]),
            "{title}"
        );
        commands += 1;
    }
    assert!(commands >= 10, "docs/cli.md has {commands} commands");
    slim_snapshot!(context, "no_command", []);
    slim_snapshot!(context, "short_help", ["-h"]);
    slim_snapshot!(context, "version", ["--version"]);
    slim_snapshot!(context, "help_of_no_command", ["help", "bild"]);
}

#[test]
fn formats() {
    let context = Context::new();
    slim_snapshot!(context, ["--list-formats"]);
    slim_snapshot!(context, "formats_json", ["--list-formats", "--format", "json"]);
}

#[test]
fn explain() {
    let context = context();
    slim_snapshot!(context, "explain_path", ["explain", "plan", "/usr/lib/libz.so.1"]);
    slim_snapshot!(
        context,
        "explain_path_json",
        ["explain", "plan", "/usr/lib/libz.so.1", "--format", "json"]
    );
    slim_snapshot!(
        context,
        "explain_left_out",
        ["explain", "plan", "/app/.git/config"]
    );
    slim_snapshot!(context, "explain_call", ["explain", "plan", "chown"]);
    slim_snapshot!(context, "explain_capability", ["explain", "plan", "CAP_SYS_TIME"]);
    slim_snapshot!(context, "explain_removed", ["explain", "plan", "--removed"]);
    slim_snapshot!(
        context,
        "explain_removed_json",
        ["explain", "plan", "--removed", "--format", "json"]
    );
    slim_snapshot!(context, "explain_phases", ["explain", "plan", "--phases"]);
    slim_snapshot!(context, "explain_nothing", ["explain", "plan"]);
    slim_snapshot!(context, "explain_no_plan", ["explain", "nowhere", "/bin/sh"]);
    context.write("old/plan.json", "{\"version\": 1}");
    slim_snapshot!(context, "explain_old_plan", ["explain", "old", "/bin/sh"]);
}

#[test]
fn diff() {
    let context = context();
    slim_snapshot!(context, "diff_profiles", ["diff", "a.json", "b.json"]);
    slim_snapshot!(context, "diff_plans", ["diff", "plan", "wider"]);
    slim_snapshot!(
        context,
        "diff_plans_json",
        ["diff", "plan", "wider", "--format", "json"]
    );
    slim_snapshot!(context, "diff_same", ["diff", "recording.json", "recording.json"]);
    slim_snapshot!(
        context,
        "diff_sarif",
        ["diff", "a.json", "b.json", "--format", "sarif"]
    );
    slim_snapshot!(
        context,
        "diff_gate",
        ["diff", "a.json", "b.json", "--fail-on", "added-syscall,wider"]
    );
    slim_snapshot!(
        context,
        "diff_gate_passed",
        ["diff", "b.json", "a.json", "--fail-on", "added-syscall"]
    );
    context.write("text", "text\n").write("list.json", "[]");
    slim_snapshot!(context, "diff_no_json", ["diff", "a.json", "text"]);
    slim_snapshot!(context, "diff_other_json", ["diff", "a.json", "list.json"]);
    slim_snapshot!(context, "diff_no_file", ["diff", "a.json", "nowhere"]);
}

#[test]
fn merge() {
    let context = context();
    let more = recorded(vec![SyscallUse::once("write", 1)], |_| {});
    context.write("more/recording.json", more.to_json());
    slim_snapshot!(context, ["merge", "recording.json", "more", "--output", "out"]);
    slim_snapshot!(
        context,
        "merge_json",
        ["merge", "recording.json", "--output", "out", "--format", "json"]
    );
    let key = ["merge", "recording.json", "--verify-key", "key.pem"];
    slim_snapshot!(context, "merge_no_key", key);
}

#[test]
fn profile_check() {
    // The runtimes are those of the tables in profiles/runtime.
    let context = context().filtering(r"(?m)^  runtime .*\n", "");
    let check = |profile| ["profile", "check", profile, "--recording", "recording.json"];
    context.write("c.json", r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#);
    slim_snapshot!(context, "check_passed", check("a.json"));
    slim_snapshot!(context, "check_denied", check("c.json"));
    slim_snapshot!(context, "check_no_recording", ["profile", "check", "a.json"]);
}

#[test]
fn recordings_that_are_none() {
    let context = context();
    context
        .write("broken.json", "{\"version\": 1}")
        .write("new.json", "{\"version\": 99}")
        .write("text.json", "text");
    for file in ["broken.json", "new.json", "text.json", "nowhere.json", "plan"] {
        let name = format!("recording_{}", file.trim_end_matches(".json"));
        slim_snapshot!(context, name, ["generate", file]);
    }
}

#[test]
fn wrong_command_lines() {
    let context = context();
    slim_snapshot!(context, "no_image", ["build"]);
    slim_snapshot!(context, "no_such_command", ["bild", "app"]);
    slim_snapshot!(context, "no_such_option", ["build", "app", "--frobnicate"]);
    slim_snapshot!(context, "no_number", ["build", "app", "--port", "http"]);
    slim_snapshot!(context, "no_time", ["build", "app", "--for", "soon"]);
    slim_snapshot!(context, "no_mode", ["build", "app", "--output-mode", "777"]);
    slim_snapshot!(context, "no_aspect", ["build", "app", "--require", "speed"]);
    slim_snapshot!(context, "no_such_keep", ["build", "app", "--keep", "all"]);
    slim_snapshot!(context, "no_record_alone", ["build", "app", "--no-record"]);
    slim_snapshot!(
        context,
        "no_image_of_cgroup",
        ["record", "--cgroup", "/sys/fs/cgroup/x"]
    );
    slim_snapshot!(
        context,
        "image_without_cgroup",
        ["record", "app", "--image", "other"]
    );
    slim_snapshot!(
        context,
        "attached_and_started",
        ["record", "--container", "web", "--env", "A=1"]
    );
    slim_snapshot!(
        context,
        "profile_format_of_record",
        ["record", "app", "--format", "apparmor"]
    );
    slim_snapshot!(context, "sarif_of_doctor", ["doctor", "--format", "sarif"]);
    slim_snapshot!(
        context,
        "no_such_change",
        ["diff", "a.json", "b.json", "--fail-on", "changes"]
    );
}

#[test]
fn options_of_docker_run_that_are_refused() {
    let context = Context::new();
    slim_snapshot!(context, "refused_privileged", ["build", "app", "--privileged"]);
    slim_snapshot!(
        context,
        "refused_volumes_from",
        ["record", "app", "--volumes-from=other"]
    );
    slim_snapshot!(
        context,
        "refused_label",
        [
            "record",
            "app",
            "--label",
            "io.github.slim.owner=me",
            "--host",
            NO_ENGINE
        ]
    );
    slim_snapshot!(
        context,
        "refused_ulimit",
        ["record", "app", "--ulimit", "nofile=many", "--host", NO_ENGINE]
    );
}

#[test]
fn an_engine_that_does_not_answer() {
    let context = context();
    slim_snapshot!(context, "no_engine_build", ["--host", NO_ENGINE, "build", "app"]);
    slim_snapshot!(
        context,
        "no_engine_record",
        ["--host", NO_ENGINE, "record", "app"]
    );
    slim_snapshot!(
        context,
        "no_engine_generate",
        ["--host", NO_ENGINE, "generate", "recording.json"]
    );
    slim_snapshot!(
        context,
        "no_engine_address",
        ["--host", "ftp://engine", "build", "app"]
    );
}

#[test]
fn slim_toml() {
    let context = context();
    context.write(
        "slim.toml",
        "format = \"json\"\n[diff]\nfail-on = [\"added-syscall\"]\n",
    );
    slim_snapshot!(context, "toml_defaults", ["diff", "a.json", "b.json"]);
    for (name, text) in [
        ("toml_no_flag", "[build]\nprot = 80\n"),
        ("toml_no_command", "[bild]\nport = 80\n"),
        ("toml_no_toml", "port: 80\n"),
        ("toml_no_value", "[build]\nport = 1.5\n"),
    ] {
        context.write("slim.toml", text);
        slim_snapshot!(context, name, ["build", "app"]);
    }
}
