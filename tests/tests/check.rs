//! `slim profile check`, as a user and a gate in continuous integration see it.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use slim_core::recording::{Abi, Actor, ArgumentUse, ArgumentValue, Phase, SyscallUse};
use slim_tests::{assert_exit, recorded, slim, workspace};

/// A program that reads, makes directories, and opens a TCP and a packet socket; the container's own filter refused it
/// `keyctl`.
fn write_recording(directory: &Path) -> PathBuf {
    let by = |call: SyscallUse, count| SyscallUse {
        program: Some("/usr/sbin/app".into()),
        count,
        ..call
    };
    let calls = vec![
        by(SyscallUse::once("read", 0), 7),
        by(SyscallUse::once("mkdir", 83), 1),
        by(SyscallUse::once("socket", 41), 3),
        by(SyscallUse::once("uname", 63), 2),
        SyscallUse {
            failed: 4,
            ..by(SyscallUse::once("keyctl", 250), 4)
        },
        SyscallUse {
            phase: Phase::Serving,
            ..by(SyscallUse::once("mkdir", 83), 1200)
        },
    ];
    let socket = |family: u32, kind: u32, count| ArgumentUse {
        abi: Abi::Native,
        name: "socket".into(),
        values: [(0, u32::MAX, family), (1, 0xf, kind)]
            .map(|(index, mask, value)| ArgumentValue { index, mask, value })
            .into(),
        phase: Phase::StartUp,
        actor: Actor::App,
        program: Some("/usr/sbin/app".into()),
        count,
    };
    let recording = recorded(calls, |run| {
        run.host.machine = "x86_64".into();
        run.host.kernel = "6.1.0".into();
        run.container.capabilities = vec!["CAP_SYS_CHROOT".into()];
        run.arguments = Some(vec![socket(2, 1, 2), socket(17, 3, 1)]);
    });
    let path = directory.join("recording.json");
    std::fs::write(&path, recording.to_json()).unwrap();
    path
}

/// Checks a profile; what came of it.
fn check(profile: &str, more: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    write_recording(directory.path());
    std::fs::write(directory.path().join("seccomp.json"), profile).unwrap();
    let words = [
        "profile",
        "check",
        "seccomp.json",
        "--recording",
        "recording.json",
    ];
    let mut slim = slim();
    slim.current_dir(directory.path()).args(words).args(more);
    slim.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An OCI runtime's profile that allows these names, and sockets of the internet alone.
fn oci(names: &[&str]) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            {"names": names, "action": "SCMP_ACT_ALLOW"},
            {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            {"names": ["uname"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 0, "op": "SCMP_CMP_NE"}]},
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]},
        ],
    })
}

#[test]
fn what_it_would_have_denied_is_told_to_people() {
    let output = check(&oci(&["read"]).to_string(), &[]);
    assert_exit(&output, 4);
    let said = text(&output.stdout);
    // Which runtimes there are is a table's matter.
    let (runtimes, calls): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line.starts_with("  runtime "));
    insta::assert_snapshot!(calls.join("\n"), @r"
      denied    mkdir                        once by /usr/sbin/app while starting, with EPERM
      denied    mkdir                        1,200 times by /usr/sbin/app while serving, with EPERM
      denied    socket(AF_PACKET, SOCK_RAW)  once by /usr/sbin/app while starting, with ENOSYS
      open      uname                        2 times by /usr/sbin/app while starting, allowed under conditions on arguments that were not recorded
      2 of 6 recorded calls are allowed, 3 denied, 1 open
    ");
    let runc = runtimes
        .iter()
        .find(|line| line.contains("runc 1.1, with no-new-privileges"));
    assert!(runc.is_some_and(|line| line.contains("fstatfs")), "{said}");
    assert_eq!(
        text(&output.stderr),
        "error: seccomp.json would have denied 3 recorded calls\n"
    );
}

#[test]
fn what_it_would_have_denied_is_told_to_programs() {
    let output = check(&oci(&["read"]).to_string(), &["--format", "json"]);
    assert_exit(&output, 4);
    let mut said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runtimes = said.as_object_mut().unwrap().remove("runtimes").unwrap();
    let runc = |missing: &Value| missing["table"] == "runc 1.1, with no-new-privileges";
    let runc = runtimes.as_array().unwrap().iter().find(|missing| runc(missing));
    assert!(
        runc.unwrap()["names"]
            .as_array()
            .unwrap()
            .contains(&json!("fstatfs"))
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&said).unwrap(), @r#"
    {
      "calls": 6,
      "denied": [
        {
          "name": "mkdir",
          "abi": "native",
          "phase": "start-up",
          "program": "/usr/sbin/app",
          "count": 1,
          "errno": 1
        },
        {
          "name": "mkdir",
          "abi": "native",
          "phase": "serving",
          "program": "/usr/sbin/app",
          "count": 1200,
          "errno": 1
        },
        {
          "name": "socket",
          "abi": "native",
          "phase": "start-up",
          "program": "/usr/sbin/app",
          "count": 1,
          "arguments": "AF_PACKET, SOCK_RAW",
          "errno": 38
        }
      ],
      "open": [
        {
          "name": "uname",
          "abi": "native",
          "phase": "start-up",
          "program": "/usr/sbin/app",
          "count": 2,
          "errno": null
        }
      ]
    }
    "#);
}

#[test]
fn a_profile_that_allows_everything_recorded_passes() {
    let mut profile = oci(&["read", "mkdir"]);
    let rules = profile["syscalls"].as_array_mut().unwrap();
    rules.truncate(1);
    rules.push(json!({"names": ["socket", "uname"], "action": "SCMP_ACT_ALLOW"}));
    let output = check(&profile.to_string(), &[]);
    assert_exit(&output, 0);
    assert!(
        text(&output.stdout).ends_with("  5 of 5 recorded calls are allowed, 0 denied, 0 open\n"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(text(&output.stderr), "");
}

/// Docker's own words: architectures by map, and rules for capabilities, machines and kernels. Each alternative is held
/// against the machine, the kernel and the capabilities that the recording names.
#[test]
fn a_profile_in_dockers_words_means_what_docker_makes_of_it() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        ],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "5.10"}},
            {"names": ["mkdir"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["s390x"]}},
            {"names": ["uname"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
        ],
    });
    assert_exit(&check(&profile.to_string(), &[]), 0);
    for (rule, limits, denied) in [
        (0, json!({"includes": {"minKernel": "6.2"}}), "read"),
        (1, json!({"includes": {"caps": ["CAP_SYS_ADMIN"]}}), "mkdir"),
        (2, json!({"excludes": {"caps": ["CAP_SYS_CHROOT"]}}), "socket"),
        (3, json!({"includes": {"arches": ["arm64"]}}), "uname"),
    ] {
        let mut profile = profile.clone();
        let name = profile["syscalls"][rule]["names"].clone();
        let mut changed = json!({"names": name, "action": "SCMP_ACT_ALLOW"});
        changed
            .as_object_mut()
            .unwrap()
            .extend(limits.as_object().unwrap().clone());
        profile["syscalls"][rule] = changed;
        let output = check(&profile.to_string(), &[]);
        assert_exit(&output, 4);
        let said = text(&output.stdout);
        let lines = said.lines().filter_map(|line| line.strip_prefix("  denied "));
        let names: Vec<&str> = lines
            .filter_map(|line| line.trim_start().split([' ', '(']).next())
            .collect();
        assert!(
            !names.is_empty() && names.iter().all(|name| *name == denied),
            "{said}"
        );
    }
}

/// The container's own default filter allows what the container did, and its runtime.
#[test]
fn dockers_default_profile_passes() {
    for file in ["docker-20.10.json", "docker-28.json"] {
        let path = workspace().join("profiles/seccomp").join(file);
        let output = check(&std::fs::read_to_string(path).unwrap(), &[]);
        assert_exit(&output, 0);
        let said = text(&output.stdout);
        assert!(!said.contains("  runtime "), "{said}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let no_profile = |profile: &str| {
        let output = check(profile, &[]);
        assert_exit(&output, 1);
        assert_eq!(text(&output.stdout), "");
        text(&output.stderr)
    };
    insta::assert_snapshot!(
        [
            no_profile("{"),
            no_profile("[]"),
            no_profile(r#"{"syscalls": []}"#),
            no_profile(r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_PDP11"]}"#),
        ]
        .concat(),
        @r"
    error: seccomp.json: cannot simulate the seccomp profile: EOF while parsing an object at line 1 column 1
    error: seccomp.json: cannot simulate the seccomp profile: not a seccomp filter of the OCI runtime specification: invalid length 0, expected an object with a defaultAction
    error: seccomp.json: cannot simulate the seccomp profile: not a seccomp filter of the OCI runtime specification: missing field `defaultAction`
    error: seccomp.json: cannot simulate the seccomp profile: SCMP_ARCH_PDP11: Error while parsing 'SCMP_ARCH_PDP11'
    "
    );

    let directory = tempfile::tempdir().unwrap();
    let recording = write_recording(directory.path());
    let profile = directory.path().join("seccomp.json");
    let words = || {
        let mut slim = slim();
        slim.current_dir(directory.path());
        slim.args([
            "profile",
            "check",
            "seccomp.json",
            "--recording",
            "recording.json",
        ]);
        slim
    };
    let missing = words().output().unwrap();
    assert_exit(&missing, 1);
    assert!(
        text(&missing.stderr).starts_with("error: seccomp.json: "),
        "{}",
        text(&missing.stderr)
    );
    std::fs::write(&profile, oci(&["read"]).to_string()).unwrap();
    let edited = std::fs::read_to_string(&recording)
        .unwrap()
        .replace("1200", "1201");
    std::fs::write(&recording, edited).unwrap();
    let damaged = words().output().unwrap();
    assert_exit(&damaged, 1);
    assert!(
        text(&damaged.stderr).contains("recording.json: run sha256:"),
        "{}",
        text(&damaged.stderr)
    );
    let output = slim()
        .args(["profile", "check", "seccomp.json"])
        .output()
        .unwrap();
    assert_exit(&output, 2);
}
