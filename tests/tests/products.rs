//! The main job on every sample: build it with no flag but the tag and further formats, then run what came out, under its
//! own profiles, and compare its answers with the original's.

use std::path::Path;

use slim_core::pipeline::load_bodies;
use slim_core::plan::Cause;
use slim_core::recording::{Exchange, Recording};
use slim_core::report::explain;
use slim_core::spec::LaunchSpec;
use slim_core::testing::artifacts::{STARTING, documented, problems};
use slim_tests::{
    Container, FORMATS, Image, Product, answers, assert_exact, build_sample, confined, docker, plan, report,
    run, size, slim, workspace,
};

/// How the product is run.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// As any image.
    Plain,
    /// Under its seccomp profile and its capabilities.
    Confined,
    /// So, and with no-new-privileges.
    NoNewPrivileges,
    /// By `run.sh`.
    RunScript,
}

fn start(image: &str, directory: &Path, mode: Mode) -> Product {
    let container = if matches!(mode, Mode::RunScript) {
        Container::by_script(&directory.join("run.sh"), &[])
    } else {
        let mut words = if matches!(mode, Mode::Plain) {
            Vec::new()
        } else {
            confined(directory)
        };
        if matches!(mode, Mode::NoNewPrivileges) {
            words.push("--security-opt=no-new-privileges".into());
        }
        words.push(image.to_owned());
        Container::run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    Product { container }
}

fn check(sample: &str) {
    let (directory, product) = build_sample(sample, &["--format", FORMATS]);
    let tag = product.tag();
    let recording = Recording::load(directory.path()).unwrap();
    assert_eq!(
        recording.losses().total(),
        0,
        "the recording of {sample} has losses"
    );
    let exchanges: Vec<Exchange> = recording
        .runs
        .values()
        .flat_map(|run| run.exchanges.clone())
        .collect();
    assert!(!exchanges.is_empty(), "nothing was probed");
    let expected = answers(&exchanges);
    let bodies = load_bodies(&recording, directory.path()).unwrap();
    let sizes: Vec<u64> = [Image::sample(sample).as_str(), tag].map(size).into();
    println!(
        "{sample}: {} → {} bytes, {} exchanges",
        sizes[0],
        sizes[1],
        exchanges.len()
    );
    assert!(
        sizes[1] * 2 < sizes[0],
        "{sample} is not even half as large: {sizes:?}"
    );

    every_path_is_explained(sample, directory.path());
    every_format_says_what_was_verified(&Image::sample(sample), directory.path());
    just_what_was_recorded_is_allowed(sample, directory.path(), &recording);
    let needs_gain = report(directory.path())["privilege_gain"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    for mode in [
        Mode::Plain,
        Mode::Confined,
        Mode::NoNewPrivileges,
        Mode::RunScript,
    ] {
        if needs_gain && matches!(mode, Mode::NoNewPrivileges) {
            println!("{sample}: needs privilege gain, so no-new-privileges does not count");
            continue;
        }
        assert_eq!(
            start(tag, directory.path(), mode).answers(&exchanges, &bodies),
            expected,
            "{sample}, {mode:?}"
        );
    }
}

/// The evidence for every kept path leads back to something that is no other kept path: an observation, the config.
fn every_path_is_explained(sample: &str, directory: &Path) {
    let plan = plan(directory);
    assert!(plan.files.len() > 10, "{sample}: {} paths", plan.files.len());
    for path in plan.files.keys() {
        let chain = plan.chain(path);
        let root = chain.last().map(|(_, cause)| *cause);
        assert!(
            root.is_some_and(|cause| !matches!(cause, Cause::Edge { .. })),
            "{sample}: the chain of {path} ends in {root:?}"
        );
        let explained = explain(&plan, &path.to_string());
        assert!(
            explained.allowed && explained.evidence.len() >= chain.len(),
            "{sample}: {path}"
        );
    }
}

/// Each artifact says the launch that passed, or remarks on what it cannot say.
fn every_format_says_what_was_verified(image: &str, directory: &Path) {
    let launch: LaunchSpec = serde_json::from_value(report(directory)["launch"].clone()).unwrap();
    assert!(
        launch.seccomp && !launch.capabilities.is_empty() || launch.is_read_only(),
        "{launch:?}"
    );
    let user = docker(&["image", "inspect", "--format", "{{.Config.User}}", image]);
    let table = documented(&std::fs::read_to_string(workspace().join("docs/formats.md")).unwrap());
    for format in STARTING {
        let file = slim_core::profile::ARTIFACTS
            .iter()
            .find(|artifact| artifact.format() == format)
            .unwrap()
            .file_name();
        let text = std::fs::read_to_string(directory.join(file)).unwrap();
        let problems = problems(format, &text, &launch, user.trim(), &table[format]);
        assert!(problems.is_empty(), "{image}: {problems:#?}\n{text}");
    }
}

/// In both forms, with and without arguments: every recorded call passes the seccomp profile, and no other.
fn just_what_was_recorded_is_allowed(sample: &str, directory: &Path, recording: &Recording) {
    let built = std::fs::read(directory.join("seccomp.json")).unwrap();
    assert_exact(&built, recording, None);
    for arguments in [&[][..], &["--seccomp-args"]] {
        let output = tempfile::tempdir().unwrap();
        run(slim()
            .arg("generate")
            .arg(directory.join("recording.json"))
            .args(["--format", "oci-seccomp", "--output"])
            .arg(output.path())
            .args(arguments));
        let narrowed = (!arguments.is_empty()).then(|| plan(output.path()));
        for form in ["seccomp.json", "oci-seccomp.json"] {
            println!("{sample}: {form} {arguments:?}");
            let profile = std::fs::read(output.path().join(form)).unwrap();
            assert_exact(&profile, recording, narrowed.as_ref());
        }
    }
}

#[test]
fn nginx_answers_as_before() {
    check("nginx");
}

#[test]
fn node_express_answers_as_before() {
    check("node-express");
}

#[test]
fn python_flask_behind_gunicorn_answers_as_before() {
    check("python-flask");
}

#[test]
fn a_batch_job_prints_as_before() {
    check("batch");
}

#[test]
fn several_processes_under_a_shell_answer_as_before() {
    check("multi");
}

#[test]
fn generating_twice_gives_one_digest() {
    let (directory, _product) = build_sample("nginx", &[]);
    let recording = directory.path().join("recording.json");
    let generate = |name: &str| {
        let product = Image::to_be(name);
        let output = tempfile::tempdir().unwrap();
        run(slim()
            .arg("generate")
            .arg(&recording)
            .args(["--tag", product.tag(), "--output"])
            .arg(output.path()));
        product.id()
    };
    assert_eq!(generate("a"), generate("b"));
}
