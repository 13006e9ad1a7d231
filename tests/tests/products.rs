//! The main job on every sample: build it with no flag but the tag and further formats, then run what came out, under its
//! own profiles, and compare its answers with the original's.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use slim_core::digest::Digest;
use slim_core::pipeline::load_bodies;
use slim_core::plan::Cause;
use slim_core::recording::{Exchange, ExchangeKind, Recording};
use slim_core::report::explain;
use slim_core::spec::LaunchSpec;
use slim_core::testing::artifacts::{STARTING, documented, problems, read};
use slim_tests::{
    Container, FORMATS, Image, Product, answers, assert_exact, build_sample, confined, docker, plan, report,
    run, size, skip, slim, try_http_get, unique, wait_for, workspace,
};

/// The ways to run a product.
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
    let report = report(directory);
    let launch: LaunchSpec = serde_json::from_value(report["launch"].clone()).unwrap();
    let verdicts = report["verification"]["verdicts"].as_array().unwrap();
    let read_only = verdicts
        .iter()
        .find(|verdict| verdict["aspect"] == "read-only")
        .unwrap();
    assert_eq!(
        launch.is_read_only(),
        read_only["outcome"] == "passed",
        "{read_only}"
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
        if format == "systemd" {
            systemd_takes(&text);
        }
    }
}

/// systemd knows every setting of a drop-in.
fn systemd_takes(drop_in: &str) {
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("slim-test.service");
    std::fs::write(&unit, format!("{drop_in}\n[Service]\nExecStart=/bin/true\n")).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&unit)
        .output()
        .expect("this test needs systemd-analyze (package systemd)");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // Calls that this systemd's libseccomp does not know are no fault of the unit.
    let wrong = text
        .lines()
        .find(|line| line.contains("slim-test.service:") && !line.contains("System call"));
    assert_eq!(wrong, None, "{drop_in}");
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

/// The exchanges that a sample's build recorded.
fn exchanges(directory: &Path) -> Vec<Exchange> {
    let recording = Recording::load(directory).unwrap();
    let runs = recording.runs.values();
    runs.flat_map(|run| run.exchanges.clone()).collect()
}

/// The engine's settings of a container, as far as a launch decides them.
fn engine_facts(container: &Container) -> BTreeMap<&'static str, serde_json::Value> {
    let inspected: serde_json::Value = serde_json::from_str(&container.inspect("{{json .}}")).unwrap();
    let host = |key: &str| match &inspected["HostConfig"][key] {
        // A client says nothing, the other that there is nothing.
        serde_json::Value::Array(items) if items.is_empty() => serde_json::Value::Null,
        serde_json::Value::Object(map) if map.is_empty() => serde_json::Value::Null,
        serde_json::Value::String(text) if text.is_empty() => serde_json::Value::Null,
        // One client puts CAP_ before a capability, the other does not.
        serde_json::Value::Array(items) if key == "CapAdd" => items
            .iter()
            .map(|name| name.as_str().unwrap().replace("CAP_", ""))
            .collect(),
        value => value.clone(),
    };
    let mut facts: BTreeMap<&str, serde_json::Value> = [
        "CapAdd",
        "CapDrop",
        "GroupAdd",
        "Init",
        "PidMode",
        "ReadonlyRootfs",
        "ShmSize",
        "Sysctls",
        "Tmpfs",
        "UTSMode",
        "Ulimits",
        "UsernsMode",
    ]
    .into_iter()
    .map(|key| (key, host(key)))
    .collect();
    let security = host("SecurityOpt");
    let mut security: Vec<serde_json::Value> = security
        .as_array()
        .into_iter()
        .flatten()
        .map(|option| option.as_str().unwrap())
        // run.sh leaves it out where the host has not loaded it.
        .filter(|option| !option.starts_with("apparmor"))
        .map(
            |option| match option.strip_prefix("seccomp").map(|rest| &rest[1..]) {
                Some(profile) => serde_json::from_str(profile).unwrap(),
                None => option.replace(":true", "").into(),
            },
        )
        .collect();
    security.sort_by_key(ToString::to_string);
    facts.insert("SecurityOpt", security.into());
    for key in ["User", "StopSignal", "Entrypoint", "Cmd"] {
        facts.insert(key, inspected["Config"][key].clone());
    }
    facts
}

/// A project of docker-compose that is taken down at the end.
struct Project<'a> {
    directory: &'a Path,
    name: String,
}

impl Project<'_> {
    fn compose(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        command
            .args(["--project-name", &self.name, "--file", "compose.yaml"])
            .args(words)
            .current_dir(self.directory);
        command
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        // A test that fails has said why.
        let _ = self.compose(&["down", "--volumes"]).output();
    }
}

fn compose_starts(sample: &str) {
    let (directory, _product) = build_sample(sample, &["--format", FORMATS]);
    let exchanges = exchanges(directory.path());
    let recording = Recording::load(directory.path()).unwrap();
    let bodies = load_bodies(&recording, directory.path()).unwrap();
    let project = Project {
        directory: directory.path(),
        name: unique("compose"),
    };
    run(&mut project.compose(&["up", "--detach"]));
    let id = run(&mut project.compose(&["ps", "--quiet"]));
    let by_compose = Product {
        container: Container::existing(id.trim()),
    };
    assert_eq!(
        by_compose.answers(&exchanges, &bodies),
        answers(&exchanges),
        "{sample}"
    );
    let by_script = Container::by_script(&directory.path().join("run.sh"), &[]);
    assert_eq!(
        engine_facts(&by_compose.container),
        engine_facts(&by_script),
        "{sample}"
    );
}

#[test]
fn docker_compose_starts_nginx_as_run_sh_does() {
    compose_starts("nginx");
}

#[test]
fn docker_compose_starts_several_processes_as_run_sh_does() {
    compose_starts("multi");
}

/// Podman with a storage of its own, and no limits of processes: it asks for more than a machine may have.
struct Podman {
    directory: tempfile::TempDir,
}

impl Podman {
    fn new() -> Self {
        let podman = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let program = |path: &Path, text: &str| {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let runtime = podman.directory.path().join("runtime");
        program(
            &runtime,
            "#!/bin/sh\nbefore=\nfor word in \"$@\"; do\n\
             if [ \"$before\" = --bundle ]; then sed -i 's/\"rlimits\":\\[[^]]*\\]/\"rlimits\":[]/' \"$word/config.json\"; fi\n\
             before=$word\ndone\nexec runc \"$@\"\n",
        );
        let storage = |name: &str| podman.directory.path().join(name).display().to_string();
        program(
            &podman.client(),
            &format!(
                "#!/bin/sh\nexec podman --root {} --runroot {} --storage-driver vfs --cgroup-manager cgroupfs \
                 --runtime {} \"$@\"\n",
                storage("root"),
                storage("run"),
                runtime.display()
            ),
        );
        podman
    }

    /// The client as a program.
    fn client(&self) -> PathBuf {
        self.directory.path().join("podman")
    }

    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(self.client());
        command.args(words);
        command
    }

    /// Takes an image over from the Docker engine.
    fn load(&self, image: &str) {
        let archive = self.directory.path().join("image.tar");
        docker(&["save", "--output", &archive.display().to_string(), image]);
        run(&mut self.command(&["load".into(), "--input".into(), archive.display().to_string()]));
    }

    /// True if requests are answered as by the original.
    fn answers(&self, container: &str, exchanges: &[Exchange]) {
        let inspect = ["inspect", "--format", "{{.NetworkSettings.IPAddress}}", container];
        let address = run(&mut self.command(&inspect.map(String::from)));
        let mut asked = 0;
        for exchange in exchanges {
            let ExchangeKind::Http(http) = &exchange.kind else {
                continue;
            };
            let Some(response) = http.response.as_ref().filter(|_| http.method == "GET") else {
                continue;
            };
            let address = format!("{}:{}", address.trim(), http.port);
            let answer = wait_for(&http.path, Duration::from_secs(30), || {
                try_http_get(address.as_str(), &http.path).ok()
            });
            assert_eq!(answer.status, response.status, "{}", http.path);
            assert_eq!(Digest::of(&answer.body), response.body.digest, "{}", http.path);
            asked += 1;
        }
        assert!(asked > 0, "nothing was asked");
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // A test that fails has said why.
        let _ = self
            .command(&["rm", "--force", "--all"].map(String::from))
            .output();
    }
}

#[test]
fn podman_starts_what_its_unit_and_run_sh_say() {
    let podman = Podman::new();
    let (directory, product) = build_sample("nginx", &["--format", FORMATS]);
    podman.load(product.tag());
    let words = ["run", "--detach", product.tag()].map(String::from);
    let plain = podman.command(&words).output();
    let plain = plain.expect("this test needs podman (`cargo xtask setup --tests` installs it)");
    if !plain.status.success() {
        let why = String::from_utf8_lossy(&plain.stderr).into_owned();
        assert!(std::env::var_os("CI").is_none(), "podman starts nothing: {why}");
        skip(&format!("podman starts no container here: {}", why.trim()));
        return;
    }
    let exchanges = exchanges(directory.path());
    let unit = std::fs::read_to_string(directory.path().join("podman.container")).unwrap();
    let unit = read("podman", &unit).unwrap();
    assert_eq!(unit.image, product.tag());
    let own = format!("seccomp={}", directory.path().join("seccomp.json").display());
    let mut words: Vec<String> = vec!["run".into(), "--detach".into()];
    words.extend(
        unit.options
            .into_iter()
            .flatten()
            .map(|word| match word.as_str() {
                "seccomp=seccomp.json" => own.clone(),
                _ => word,
            }),
    );
    words.push(unit.image);
    let by_unit = run(&mut podman.command(&words));
    podman.answers(by_unit.trim(), &exchanges);
    let facts = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.SecurityOpt}} {{.EffectiveCaps}}";
    let facts = ["inspect", "--format", facts, by_unit.trim()].map(String::from);
    let facts = run(&mut podman.command(&facts));
    let report = report(directory.path());
    let launch: LaunchSpec = serde_json::from_value(report["launch"].clone()).unwrap();
    assert!(facts.starts_with(&launch.is_read_only().to_string()), "{facts}");
    assert!(
        facts.contains("no-new-privileges") && facts.contains(&own),
        "{facts}"
    );
    for capability in &launch.capabilities {
        assert!(facts.contains(capability), "{facts}");
    }
    let by_script = run(Command::new("sh")
        .arg(directory.path().join("run.sh"))
        .arg("--detach")
        .env("DOCKER", podman.client())
        .env("IMAGE", product.tag()));
    podman.answers(by_script.trim(), &exchanges);
}
