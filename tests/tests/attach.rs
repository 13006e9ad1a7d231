//! A container that runs already is recorded as it runs, and goes on undisturbed.
//!
//! Needs root, BPF and a Docker engine on this kernel.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use slim_core::recording::{
    Access, Actor, MountKind, Phase, PhaseMark, Purpose, Recording, Run, SocketAction, SocketUse,
};
use slim_tests::{
    Container, Image, assert_exit, docker, report, require_docker, require_root, run_script, slim,
    try_docker, try_http_get, unique, wait_until,
};

/// `slim record` in a directory of its own.
struct Record {
    directory: tempfile::TempDir,
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Record {
    /// Starts it, and waits until it has attached.
    fn start(words: &[&str]) -> Record {
        require_root();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut child = slim()
            .args(["--verbose", "record", "--output", "."])
            .args(words)
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it is a program");
        let mut log = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut said = String::new();
        while !said.contains("attached to") {
            let read = log.read_line(&mut said).expect("it is text");
            assert!(read > 0, "it ended before it attached: {said}");
        }
        Record {
            directory,
            child,
            log,
        }
    }

    /// Sends it a signal.
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("kill is a program").success());
    }

    /// Waits for its end, which must be a good one, and reads what it recorded.
    fn end(mut self) -> Run {
        let mut said = String::new();
        self.log.read_to_string(&mut said).expect("it is text");
        let status = self.child.wait().expect("it is ours");
        assert_eq!(status.code(), Some(0), "{said}");
        only_run(self.directory.path())
    }
}

fn only_run(directory: &Path) -> Run {
    let recording = Recording::load(directory).expect("a recording");
    let mut runs = recording.runs.into_values();
    let run = runs.next().expect("a run");
    assert!(runs.next().is_none());
    std::sync::Arc::unwrap_or_clone(run)
}

/// `slim record` to its end, which comes soon even where it should not have begun.
fn record(words: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a temporary directory");
    slim()
        .args(["record", "--for", "1s"])
        .args(words)
        .current_dir(directory.path())
        .output()
        .expect("it is a program")
}

/// The nginx sample, running and answering.
fn nginx() -> Container {
    let container = Container::run(&[&Image::sample("nginx")]);
    wait_until("nginx", Duration::from_secs(30), || {
        try_http_get(container.address(80), "/").is_ok()
    });
    container
}

/// The state that would change if somebody touched the container.
fn identity(container: &Container) -> String {
    container.inspect(
        "{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}} {{len .ExecIDs}} {{.Image}}",
    )
}

/// The container's cgroup2 directory.
fn cgroup(container: &Container) -> PathBuf {
    let pid = container.inspect("{{.State.Pid}}");
    let memberships = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
    let inner = memberships.lines().find_map(|line| line.strip_prefix("0::/"));
    cgroup2().join(inner.expect("cgroup2"))
}

fn cgroup2() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let target = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(target))
    });
    mount.expect("cgroup2 is mounted")
}

/// Returns whether the application did this to the path, in the phase.
fn did(run: &Run, path: &str, access: Access, phase: Phase) -> bool {
    run.files.iter().any(|file| {
        file.path.to_string() == path
            && file.access.contains(&access)
            && file.phase == phase
            && file.actor == Actor::App
    })
}

/// Checks an attached run of nginx that was asked for one page.
fn assert_one_request(run: &Run) {
    assert_eq!(run.purpose, Purpose::Attached);
    assert_eq!(run.losses.total(), 0);
    let serving = PhaseMark {
        phase: Phase::Serving,
        at_ms: 0,
    };
    assert_eq!(run.phases, [serving]);
    assert!(did(run, "/srv/site/about.html", Access::Read, Phase::Serving));
    // In use before, and so needed by what follows.
    assert!(did(run, "/usr/sbin/nginx", Access::Execute, Phase::StartUp));
    let read = |path: &str| run.files.iter().any(|file| file.path.to_string() == path);
    assert!(!read("/etc/nginx/nginx.conf"), "that was read while starting");
    assert!(
        run.syscalls
            .iter()
            .all(|call| (call.phase, call.actor) == (Phase::Serving, Actor::App)),
        "start-up was not seen, and nothing was executed in it"
    );
    let listening = |socket: &SocketUse| socket.action == SocketAction::Listen && socket.port == 80;
    assert!(run.sockets.iter().any(listening), "it listened before");
    let calls = |name: &str| run.syscalls.iter().any(|call| call.name == name);
    assert!(calls("accept4") && calls("recvfrom"));
    assert!(!calls("bind") && !calls("listen") && !calls("execve"));
    assert!(!run.outcome.stopped_by_slim && run.outcome.exit_code.is_none());
}

/// Records a request to a running container until a signal ends the recording.
fn until(signal: &str) {
    require_docker();
    let container = nginx();
    let before = identity(&container);
    let attached = Record::start(&["--container", container.name()]);
    let page = try_http_get(container.address(80), "/about.html").expect("it answers");
    assert_eq!(page.status, 200);
    attached.signal(signal);
    let run = attached.end();
    assert_one_request(&run);
    assert_eq!(run.image.to_string(), container.inspect("{{.Image}}"));
    assert_eq!(run.reference, Image::sample("nginx"));
    assert_eq!(run.container.command, ["nginx", "-g", "daemon off;"]);
    assert!(
        run.container.seccomp.is_some(),
        "from the runtime's configuration"
    );
    assert_eq!(run.container.network, "bridge");
    assert!(run.peaks.memory.is_some());
    assert_eq!(identity(&container), before);
    assert!(try_http_get(container.address(80), "/").is_ok());
}

#[test]
fn a_running_container_is_recorded_until_sigterm() {
    until("TERM");
}

#[test]
fn a_running_container_is_recorded_until_ctrl_c() {
    until("INT");
}

#[test]
fn a_running_container_is_recorded_for_a_time() {
    require_root();
    let container = nginx();
    let id = container.inspect("{{.Id}}");
    let before = identity(&container);
    let directory = tempfile::tempdir().unwrap();
    // What an earlier run left there is not of this one.
    std::fs::write(directory.path().join("container.log"), "old").unwrap();
    let manifest = r#"{"version":1,"files":["container.log"]}"#;
    std::fs::write(directory.path().join("slim-manifest.json"), manifest).unwrap();
    let output = slim()
        .args(["record", "--container", &id[..12], "--for", "1s", "--output", "."])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_exit(&output, 0);
    assert_eq!(output.stderr, b"", "no terminal: no progress");
    let said = String::from_utf8(output.stdout).unwrap();
    for word in ["recording.json", "attached", "its start was not seen"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!directory.path().join("container.log").exists());
    let run = only_run(directory.path());
    assert!((1000..20_000).contains(&run.duration_ms), "{}", run.duration_ms);
    assert_eq!(identity(&container), before);
}

/// A container that waits for a line, which the returned function writes; then it reads a file and ends with 3.
fn waiting(options: &[&str]) -> (Container, tempfile::TempDir) {
    let gate = tempfile::tempdir().unwrap();
    let fifo = gate.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let volume = format!("{}:/gate", gate.path().display());
    let script = "read line < /gate/fifo; cat /etc/debian_version; exit 3";
    let command = ["--volume", &volume, "debian:bookworm", "sh", "-c", script];
    (Container::run(&[options, &command].concat()), gate)
}

fn open(gate: &tempfile::TempDir) {
    std::fs::write(gate.path().join("fifo"), "go\n").unwrap();
}

#[test]
fn a_container_may_end_while_it_is_recorded() {
    require_docker();
    let (container, gate) = waiting(&[]);
    let attached = Record::start(&["--container", container.name()]);
    open(&gate);
    let run = attached.end();
    assert!(did(&run, "/etc/debian_version", Access::Read, Phase::Serving));
    assert!(did(&run, "/usr/bin/cat", Access::Execute, Phase::Serving));
    assert_eq!(run.outcome.exit_code, Some(3));
    assert!(!run.outcome.stopped_by_slim);
    let bind = run
        .container
        .mounts
        .iter()
        .find(|mount| mount.target.to_string() == "/gate");
    assert_eq!(bind.map(|mount| mount.kind), Some(MountKind::Bind));
}

#[test]
fn a_container_may_be_gone_at_its_end() {
    require_docker();
    let (container, gate) = waiting(&["--rm"]);
    let attached = Record::start(&["--container", container.name()]);
    open(&gate);
    let run = attached.end();
    assert!(did(&run, "/etc/debian_version", Access::Read, Phase::Serving));
    wait_until("its removal", Duration::from_secs(30), || {
        try_docker(&["inspect", container.name()]).is_err()
    });
}

#[test]
fn the_processes_of_a_cgroup_are_recorded() {
    require_docker();
    let container = nginx();
    let before = identity(&container);
    let directory = cgroup(&container);
    let image = Image::sample("nginx");
    let attached = Record::start(&["--cgroup", &directory.to_string_lossy(), "--image", &image]);
    try_http_get(container.address(80), "/about.html").expect("it answers");
    attached.signal("TERM");
    let run = attached.end();
    assert_one_request(&run);
    assert_eq!(run.image.to_string(), container.inspect("{{.Image}}"));
    assert_eq!(run.reference, image);
    // What /proc tells is what the engine would.
    let capabilities = &run.container.capabilities;
    assert!(
        capabilities.contains(&"CAP_CHOWN".to_owned()) && !capabilities.contains(&"CAP_SYS_ADMIN".to_owned())
    );
    assert!(!run.container.seccomp_unconfined && !run.container.read_only && run.container.user.is_empty());
    assert_eq!(identity(&container), before);
}

#[test]
fn what_cannot_be_attached_to_is_named() {
    require_root();
    let image = Image::sample("nginx");
    let created = unique("created");
    docker(&["create", "--name", &created, &image]);
    let running = nginx();
    let own = cgroup(&running);
    let own = own.to_string_lossy();
    let root = cgroup2();
    let root = root.to_string_lossy();
    let empty = cgroup2().join(unique("empty"));
    std::fs::create_dir(&empty).unwrap();
    let empty_name = empty.to_string_lossy();
    let cases: [(&[&str], i32, &str); 11] = [
        (
            &["--container", "slim-test-no-such"],
            1,
            "has no container \"slim-test-no-such\"",
        ),
        (&["--container", &created], 1, "does not run"),
        (
            &["--cgroup", "/tmp", "--image", &image],
            1,
            "/tmp: not a directory below the cgroup2 mount",
        ),
        (
            &["--cgroup", "/no/such", "--image", &image],
            1,
            "/no/such: not a directory below",
        ),
        (
            &["--cgroup", &root, "--image", &image],
            1,
            "not a directory below the cgroup2 mount",
        ),
        (
            &["--cgroup", &empty_name, "--image", &image],
            1,
            "no process runs there",
        ),
        (
            &["--cgroup", &own, "--image", "slim-test-no-such:none"],
            1,
            "slim-test-no-such:none",
        ),
        (
            &["--cgroup", &own, "--image", "debian:bookworm"],
            1,
            "runs /usr/sbin/nginx, which is not in debian:bookworm",
        ),
        (&["--cgroup", &own], 2, "--image"),
        (
            &["--cgroup", &own, "--image", &image, "--container", "x"],
            2,
            "cannot be used with",
        ),
        (&[&image, "--container", running.name()], 2, "cannot be used with"),
    ];
    let seen: Vec<Output> = cases.iter().map(|(words, ..)| record(words)).collect();
    std::fs::remove_dir(&empty).unwrap();
    docker(&["rm", "--volumes", &created]);
    for ((words, code, what), output) in cases.iter().zip(seen) {
        assert_exit(&output, *code);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(what), "{words:?}: {said}");
        assert_eq!(output.stdout, b"", "{words:?}");
    }
}

#[test]
fn an_engine_on_another_kernel_is_5() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(&stream);
            let _ = reader.read_line(&mut line);
            let body = if line.contains("/version") {
                r#"{"Version":"28.0.0","ApiVersion":"1.48"}"#
            } else {
                r#"{"KernelVersion":"1.0-elsewhere","Name":"elsewhere"}"#
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let host = format!("unix://{}", socket.display());
    let output = record(&["--host", &host, "--container", "web"]);
    assert_exit(&output, 5);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1.0-elsewhere"), "{said}");
}

#[test]
fn what_begins_late_is_not_enough_to_start_from() {
    const NOTE: &str = "no recorded run begins with the container's start";
    require_root();
    let directory = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| slim().args(words).current_dir(directory.path()).output().unwrap();
    let notes = |folder: &str| report(&directory.path().join(folder))["notes"].to_string();
    let image = Image::sample("nginx");
    let container = nginx();
    assert_exit(
        &run(&[
            "record",
            "--container",
            container.name(),
            "--for",
            "1s",
            "--output",
            "late",
        ]),
        0,
    );

    let generated = run(&["generate", "late", "--output", "late"]);
    assert_exit(&generated, 0);
    let said = String::from_utf8(generated.stdout).unwrap();
    assert!(said.contains("no recorded run begins"), "{said}");
    assert!(notes("late").contains(NOTE));

    let product = Image::to_be("late");
    let built = run(&[
        "build",
        &image,
        "--no-record",
        "--recording",
        "late",
        "--tag",
        product.tag(),
        "--output",
        "built",
    ]);
    assert_exit(&built, 3);
    let said = String::from_utf8(built.stdout).unwrap();
    assert!(said.contains("no recorded run can be repeated"), "{said}");
    assert!(
        try_docker(&["image", "inspect", product.tag()]).is_err(),
        "it has no tag"
    );

    // With a run that begins with the start it is enough.
    assert_exit(&run(&["record", &image, "--output", "whole"]), 0);
    assert_exit(&run(&["generate", "late", "whole", "--output", "both"]), 0);
    assert!(!notes("both").contains(NOTE));
}

/// Prints what a container sees of its options; with a word, waits to be stopped then.
const SEES: &str = r#"#!/bin/sh
id -u; id -G
grep -E '^Max (open files|core)' /proc/self/limits
cat /proc/sys/net/core/somaxconn
tr '\0' ' ' < /proc/1/cmdline | cut -d' ' -f1; echo
grep -E ' /(dev/shm|mem|data|host) ' /proc/mounts | cut -d' ' -f2-4 | sort
grep -vE '^#' /etc/resolv.conf; hostname; cat /proc/sys/kernel/domainname
grep extra.example /etc/hosts
stat -c '%n %t:%T' /dev/zero2
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null
cat /proc/self/oom_score_adj
pwd; env | grep -E '^(TOKEN|HOME)='
[ -z "$1" ] || exec sleep 1000
"#;

/// Options of `docker run`, as many as one container can have here.
fn many_options(host: &Path) -> Vec<String> {
    let bind = format!("{}:/host:ro", host.display());
    let words = [
        "--env TOKEN=a --user 1234:99 --group-add 77 --group-add 33 --workdir /tmp --hostname box --domainname example.org",
        "--label purpose=test --tmpfs /mem:size=1m,mode=700,uid=1234,exec --mount type=volume,target=/data",
        "--dns 192.0.2.1 --dns-search example.org --dns-option ndots:3 --add-host extra.example:192.0.2.7",
        "--device /dev/zero:/dev/zero2:r --sysctl net.core.somaxconn=77 --ulimit nofile=512:1024 --ulimit core=0",
        "--memory 256m --memory-reservation 128m --cpu-shares 512 --pids-limit 90 --oom-score-adj 7 --cpuset-cpus 0",
        "--shm-size 2m --init --stop-signal SIGINT --stop-timeout 1 --ipc private --cgroupns host",
        "--publish 127.0.0.1::8080 --expose 9090/udp --health-cmd true --health-interval 30s --health-retries 2",
        "--security-opt label=disable --runtime runc --platform linux/amd64 --network bridge",
    ];
    let words = words.iter().flat_map(|line| line.split(' '));
    words
        .map(str::to_owned)
        .chain(["--volume".to_owned(), bind])
        .collect()
}

/// The engine's settings of a container, but for those that a product's profiles replace.
fn engine_facts(container: &Container) -> serde_json::Value {
    let mut inspected: serde_json::Value =
        serde_json::from_str(&container.inspect("{{json .}}")).expect("it is JSON");
    let host = inspected["HostConfig"].as_object_mut().expect("a map");
    for confinement in [
        "CapAdd",
        "CapDrop",
        "SecurityOpt",
        "ReadonlyRootfs",
        "ContainerIDFile",
        // A volume may be asked for in two ways: what is mounted counts.
        "Mounts",
    ] {
        host.remove(confinement);
    }
    // The product's own memory file systems come on top.
    if let Some(tmpfs) = host["Tmpfs"].as_object_mut() {
        tmpfs.retain(|path, _| path == "/mem");
        for options in tmpfs.values_mut() {
            let mut all: Vec<_> = options.as_str().unwrap_or_default().split(',').collect();
            all.sort_unstable();
            *options = all.join(",").into();
        }
    }
    let mounts = inspected["Mounts"].as_array().into_iter().flatten();
    let mut mounts: Vec<String> = mounts
        .map(|mount| format!("{} {} {}", mount["Type"], mount["Destination"], mount["RW"]))
        .collect();
    mounts.sort();
    let config = &inspected["Config"];
    let keys = [
        "Domainname",
        "Env",
        "Healthcheck",
        "Hostname",
        "StopSignal",
        "User",
        "WorkingDir",
    ];
    let config: Vec<_> = keys.map(|key| config[key].clone()).into();
    serde_json::json!([
        inspected["HostConfig"],
        config,
        inspected["Config"]["Labels"]["purpose"],
        mounts
    ])
}

#[test]
fn every_option_is_the_same_recorded_verified_attached_and_run() {
    require_root();
    let image = Image::from_dockerfile(
        "options",
        "FROM debian:bookworm\nCOPY see /see\nRUN chmod 0755 /see\nENTRYPOINT [\"/see\"]\n",
        &[("see", SEES.as_bytes())],
    );
    let host = tempfile::tempdir().expect("a temporary directory");
    let options = many_options(host.path());
    let product = Image::to_be("options");
    let output = tempfile::tempdir().expect("a temporary directory");
    // Started by slim: recorded, and repeated by verification, which compares what was printed.
    let built = slim()
        .args(["build", image.tag(), "--tag", product.tag(), "--output"])
        .arg(output.path())
        .args(&options)
        .output()
        .expect("it is a program");
    assert_exit(&built, 0);
    let by_slim = only_recorded(output.path());
    assert_eq!(by_slim.container.spec.not_carried, Default::default());
    let report = report(output.path());
    let passed: Vec<&str> = report["verification"]["verdicts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|verdict| verdict["outcome"] == "passed")
        .filter_map(|verdict| verdict["aspect"].as_str())
        .collect();
    assert!(passed.contains(&"image"), "{report}");
    assert!(
        report["verification"]["healed"]
            .as_array()
            .is_some_and(Vec::is_empty),
        "{report}"
    );

    // By the docker client, and by run.sh: they see the same.
    let words: Vec<&str> = options.iter().map(String::as_str).collect();
    let by_docker = Container::run(&[&words[..], &[image.tag()]].concat());
    assert_eq!(by_docker.wait(), 0, "{}", by_docker.logs());
    let mut script = run_script(&output.path().join("run.sh"));
    let name = unique("options");
    script.args(["--detach", "--name", &name]).env("TOKEN", "a");
    let by_script = Container::existing(&name);
    slim_tests::run(&mut script);
    assert_eq!(by_script.wait(), 0, "{}", by_script.logs());
    assert_eq!(by_script.logs(), by_docker.logs());
    for seen in [
        "1234",
        "99 33 77",
        "512 ",
        "77\n",
        "192.0.2.1",
        "extra.example",
        "TOKEN=a",
        "/dev/zero2 1:5",
    ] {
        assert!(
            by_docker.logs().contains(seen),
            "{seen:?} is not in {}",
            by_docker.logs()
        );
    }
    assert_eq!(engine_facts(&by_script), engine_facts(&by_docker));

    // Attached to: the same description is read back, without what an engine takes for its default.
    let running = Container::run(&[&words[..], &[image.tag(), "serve"]].concat());
    let attached = Record::start(&["--container", running.name(), "--for", "1s"]).end();
    let described = |run: &Run| {
        let mut spec = run.container.spec.clone();
        spec.command.clear();
        spec.ulimits.sort_by(|a, b| a.name.cmp(&b.name));
        let mut spec = serde_json::to_value(&spec).expect("it is data");
        for default in [
            "cgroupns",
            "ipc",
            "network",
            "platform",
            "runtime",
            "expose",
            "stop_timeout",
        ] {
            spec.as_object_mut().expect("a map").remove(default);
        }
        spec
    };
    assert_eq!(attached.container.spec.command, ["serve"]);
    // A published port is exposed, too.
    assert!(
        attached
            .container
            .spec
            .expose
            .is_superset(&by_slim.container.spec.expose)
    );
    assert_eq!(described(&attached), described(&by_slim));
}

/// The one run of a recording that is no verification's.
fn only_recorded(directory: &Path) -> Run {
    let recording = Recording::load(directory).expect("a recording");
    let mut runs = recording
        .runs
        .into_values()
        .filter(|run| run.purpose == Purpose::Recorded);
    let run = runs.next().expect("a run");
    assert!(runs.next().is_none());
    std::sync::Arc::unwrap_or_clone(run)
}
