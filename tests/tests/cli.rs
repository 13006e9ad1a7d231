//! Every command that needs an engine as a user sees it: what it prints, and its exit code.

use slim_tests::{Context, Image, assert_exit, slim_snapshot};

/// A job of one file.
const DOCKERFILE: &str = "FROM debian:bookworm\nRUN echo data > /srv-data\nCMD [\"cat\", \"/srv-data\"]\n";

#[test]
fn a_product_from_its_recording_to_its_verification() {
    let context = Context::with_engine();
    let (image, product) = (
        Image::from_dockerfile("cli", DOCKERFILE, &[]),
        Image::to_be("cli-product"),
    );
    let (image, product) = (image.tag(), product.tag());
    slim_snapshot!(context, "record", ["record", image, "--output", "recorded"]);
    slim_snapshot!(
        context,
        "build",
        ["build", image, "--output", "built", "--tag", product]
    );
    slim_snapshot!(context, "verify", ["verify", "built"]);
    slim_snapshot!(
        context,
        "profile",
        ["profile", image, "--no-verify", "--output", "profiles"]
    );
    slim_snapshot!(
        context,
        "generate",
        ["generate", "recorded", "--output", "generated"]
    );
    slim_snapshot!(
        context,
        "check",
        [
            "profile",
            "check",
            "built/seccomp.json",
            "--recording",
            "recorded"
        ]
    );
    slim_snapshot!(context, "explain", ["explain", "built", "/srv-data"]);
    slim_snapshot!(context, "verify_no_product", ["verify", "recorded"]);
    // What the image has now is not what was recorded.
    slim_snapshot!(
        context,
        "verify_fails",
        [
            "verify",
            "built",
            "--product",
            "debian:bookworm",
            "--require",
            "arbitrary-uid"
        ]
    );
    let files = |name: &str| {
        let entries = std::fs::read_dir(context.path(name)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.join("\n")
    };
    insta::assert_snapshot!("files_of_record", files("recorded"));
    insta::assert_snapshot!("files_of_build", files("built"));
    insta::assert_snapshot!("files_of_profile", files("profiles"));
}

#[test]
fn doctor() {
    // Not every kernel that can trace has the tracepoint.
    let context = Context::with_engine().filtering("without (capabilities)", "ok      $1");
    slim_snapshot!(context, ["doctor"]);
    slim_snapshot!(
        context,
        "doctor_without_engine",
        ["doctor", "--host", "unix:///nonexistent/docker.sock"]
    );
}

#[test]
fn what_cannot_be_recorded() {
    let context = Context::with_engine()
        .filtering(r"\d+ things", "[N] things")
        .filtering(r" \(the engine says: .*\)", "");
    let absent = ["build", "slim-test-no-such-image:none", "--pull", "never"];
    slim_snapshot!(context, "absent_image", absent);
    slim_snapshot!(
        context,
        "absent_command",
        ["build", "debian:bookworm", "--", "/no/such/program"]
    );
    slim_snapshot!(
        context,
        "absent_container",
        ["record", "--container", "slim-test-no-such-container"]
    );
    slim_snapshot!(
        context,
        "absent_cgroup",
        ["record", "--cgroup", "/nonexistent", "--image", "debian:bookworm"]
    );
    let fails = [
        "build",
        "debian:bookworm",
        "--",
        "sh",
        "-c",
        "echo 'cannot find the ledger' >&2; exit 3",
    ];
    slim_snapshot!(context, "job_fails", fails);
    let losses = [
        "record",
        "debian:bookworm",
        "--map-size",
        "64",
        "--",
        "find",
        "/usr/share",
    ];
    slim_snapshot!(context, "losses", losses);
    let endless = ["record", "debian:bookworm", "--probe", "none", "--", "true"];
    slim_snapshot!(context, "no_end", endless);
    context.write("probe.yaml", "- {method: GET, pfad: /}\n");
    slim_snapshot!(
        context,
        "probe_file",
        ["build", "debian:bookworm", "--probe-file", "probe.yaml"]
    );
}

#[test]
fn a_job_may_be_expected_to_fail() {
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
    let output = Context::with_engine().slim(&words).output().unwrap();
    assert_exit(&output, 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["version"], 1);
    assert!(output.stderr.is_empty(), "no terminal: no progress");
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
