//! The Docker engine, with real containers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use slim_core::digest::Digest;
use slim_core::engine::describe_end;
use slim_core::engine::docker::{Docker, TOKEN_LABEL};
use slim_core::engine::{self, Container, Engine, Error, Pull};
use slim_core::image::Image;
use slim_core::owned::{Claim, Fate, Kind, Ledger, State, Thing};
use slim_core::path::RootPath;
use slim_core::pipeline;
use slim_core::recording::MountKind;
use slim_core::spec::{self, ContainerOptions, ContainerSpec, ParseContext};

/// The image that the tests run: a static busybox, with a volume, a port and variables.
const IMAGE: &str = "slim-test-engine:1";

/// The docker command line, for what the engine under test is not to be trusted with.
fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("the docker command runs");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// An archive of a root file system with busybox in it.
fn busybox_root() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let bin = directory.path().join("bin");
    std::fs::create_dir_all(&bin).expect("a directory");
    std::fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox-static is installed");
    for applet in [
        "sh", "sleep", "cat", "env", "id", "hostname", "mount", "touch", "head", "tail", "yes", "seq", "nc",
        "ls",
    ] {
        std::os::unix::fs::symlink("busybox", bin.join(applet)).expect("a link");
    }
    std::fs::create_dir_all(directory.path().join("etc")).expect("a directory");
    std::fs::write(
        directory.path().join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
    )
    .expect("a file");
    let output = Command::new("tar")
        .args(["-C", directory.path().to_str().expect("UTF-8"), "-cf", "-", "."])
        .output()
        .expect("tar runs");
    output.stdout
}

fn make_image() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // Every import makes another image, as it holds the time: keep the one that is there.
        if docker(&["images", "--quiet", IMAGE]).is_empty() {
            let changes = [
                "CMD [\"/bin/sleep\",\"1000\"]",
                "EXPOSE 80",
                "VOLUME /data",
                "ENV FROM=image GONE=soon",
            ];
            import(IMAGE, &changes);
        }
        remove_at_exit(IMAGE);
    });
}

/// Removes an image that all tests share when the process with them ends, however it does: the shell's input ends then.
#[expect(
    clippy::zombie_processes,
    reason = "the shell outlives this process, which is what it waits for"
)]
fn remove_at_exit(image: &str) {
    static INPUT: std::sync::OnceLock<std::process::ChildStdin> = std::sync::OnceLock::new();
    let shell = Command::new("sh")
        .args(["-c", "read -r _; docker image rm \"$0\"", image])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell runs");
    INPUT.set(shell.stdin.expect("a pipe")).expect("once");
}

fn import(name: &str, changes: &[&str]) {
    // Before docker runs: an end without input would be an empty image.
    let root = busybox_root();
    let mut command = Command::new("docker");
    command.arg("import");
    for change in changes {
        command.args(["-c", change]);
    }
    let mut child = command
        .args(["-", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the docker command runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(&root)
        .expect("the archive is taken");
    assert!(child.wait().expect("it ends").success());
}

/// Builds an image upon the tests' own; `docker import` does not take every instruction.
fn build(name: &str, instructions: &str) {
    let mut child = Command::new("docker")
        .args(["build", "--quiet", "--tag", name, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the docker command runs");
    let text = format!("FROM {IMAGE}\n{instructions}");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(text.as_bytes())
        .expect("it is taken");
    assert!(child.wait().expect("it ends").success());
}

async fn connect() -> (Docker, Image) {
    make_image();
    let docker = Docker::connect(None).await.expect("an engine answers");
    let image = docker
        .image(IMAGE, Pull::Never, None)
        .await
        .expect("the image is there");
    (docker, image)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// The description that the options give in the test's own directory and environment.
fn parsed(options: &ContainerOptions) -> ContainerSpec {
    let context = ParseContext {
        directory: &std::env::current_dir().expect("a directory"),
        lookup: &|name| std::env::var(name).ok(),
    };
    ContainerSpec::parse(options, &context).expect("options")
}

fn sh(script: &str) -> ContainerOptions {
    ContainerOptions {
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        ..ContainerOptions::default()
    }
}

/// Runs a container to its end; gives its exit code, standard output and standard error.
async fn run(docker: &Docker, image: &Image, options: &ContainerOptions) -> (i64, String, String) {
    let container = docker
        .create(&image.to_ref(), &parsed(options))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    let outcome = docker.wait(&container).await.expect("it ends");
    let (out, err) = docker.logs(&container, 1 << 20).await.expect("it has a log");
    docker.remove(&container).await.expect("it is removed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (outcome.exit_code.expect("a code"), text(out), text(err))
}

async fn exec(docker: &Docker, container: &Container, command: &str) -> String {
    let result = docker.exec(container, &words(command)).await.expect("it runs");
    assert_eq!(result.exit_code, 0, "{}", String::from_utf8_lossy(&result.stderr));
    String::from_utf8(result.stdout).expect("UTF-8").trim().to_owned()
}

#[tokio::test]
async fn a_containers_life() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    assert!(image.rootfs.get(&RootPath::from("/bin/busybox")).is_some());
    assert_eq!(image.config.env(), ["FROM=image", "GONE=soon"]);
    docker.same_kernel().expect("a local engine");
    let container = docker
        .create(&image.to_ref(), &parsed(&ContainerOptions::default()))
        .await
        .expect("it is created");
    let state = docker.state(&container).await.expect("a state");
    assert!(!state.running && state.outcome.exit_code.is_none());
    docker.start(&container).await.expect("it starts");
    let state = docker.state(&container).await.expect("a state");
    assert!(state.running && state.pid.is_some() && state.addresses.len() == 1 && state.published.is_empty());
    let (facts, runtime) = docker.container_facts(&container).await.expect("facts");
    assert_eq!(facts.command, ["/bin/sleep", "1000"]);
    assert_eq!(facts.capabilities.len(), 14);
    assert!(facts.capabilities.contains(&"CAP_CHOWN".to_owned()));
    assert!(!facts.no_new_privileges && !facts.read_only && !facts.seccomp_unconfined);
    assert_eq!(
        facts.seccomp.expect("a filter")["defaultAction"],
        "SCMP_ACT_ERRNO"
    );
    let kind = |path: &str| {
        facts
            .mounts
            .iter()
            .find(|m| m.target == RootPath::from(path))
            .map(|m| m.kind)
    };
    assert_eq!(kind("/data"), Some(MountKind::Volume));
    assert_eq!(kind("/proc"), Some(MountKind::System));
    assert_eq!(kind("/etc/hosts"), Some(MountKind::System));
    assert_eq!((facts.network.as_str(), facts.workdir.as_str()), ("bridge", "/"));
    assert!(
        runtime.name == "runc" && runtime.version.starts_with("1."),
        "{runtime:?}"
    );
    assert_eq!(exec(&docker, &container, "/bin/cat /proc/1/comm").await, "sleep");
    let peaks = docker.peaks(&container).await.expect("peaks");
    assert!(
        peaks.memory.is_some_and(|m| m > 0) && peaks.pids.is_some_and(|p| p > 0),
        "{peaks:?}"
    );
    // sleep has no handler for SIGTERM as PID 1, so it has to be killed.
    let outcome = docker.stop(&container, 1).await.expect("it ends");
    assert!(
        outcome.killed && outcome.stopped_by_slim && outcome.exit_code == Some(137),
        "{outcome:?}"
    );
    docker.remove(&container).await.expect("it is removed");
    docker.remove(&container).await.expect("twice is no error");
    assert!(matches!(docker.state(&container).await, Err(Error::Gone { .. })));
}

#[tokio::test]
async fn what_is_asked_arrives() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let here = tempfile::tempdir().expect("a directory");
    std::fs::write(here.path().join("file"), "from the host").expect("a file");
    std::fs::write(here.path().join("env"), "# comment\nFILE=1 \nBOTH=file\n").expect("a file");
    let bind = format!("{}:/host:ro", here.path().display());
    let mount = format!(
        "type=bind,source={}/file,target=/one,readonly",
        here.path().display()
    );
    let list = |items: &[&str]| items.iter().map(|&i| i.to_owned()).collect::<Vec<_>>();
    let options = ContainerOptions {
        env: list(&["BOTH=option", "GONE", "SPACE=a b"]),
        env_file: vec![here.path().join("env").display().to_string()],
        volume: vec![bind, "/anonymous".to_owned()],
        mount: vec![
            mount,
            "type=tmpfs,target=/mem,tmpfs-size=1m,tmpfs-mode=0700".to_owned(),
        ],
        user: Some("app".to_owned()),
        workdir: Some("/host".to_owned()),
        hostname: Some("box".to_owned()),
        read_only: true,
        tmpfs: list(&["/scratch:size=2m"]),
        memory: Some("64m".to_owned()),
        cap_drop: list(&["all"]),
        cap_add: list(&["chown", "CAP_KILL"]),
        security_opt: list(&["no-new-privileges"]),
        add_host: list(&["db:10.1.2.3"]),
        label: list(&["purpose=test"]),
        publish: list(&["127.0.0.1::80", "53/udp"]),
        entrypoint: Some("/bin/sleep".to_owned()),
        command: list(&["999"]),
        ..ContainerOptions::default()
    };
    let container = docker
        .create(&image.to_ref(), &parsed(&options))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    let environment = exec(&docker, &container, "/bin/cat /proc/1/environ").await;
    let environment: Vec<&str> = environment.split('\0').collect();
    for expected in ["FROM=image", "FILE=1 ", "BOTH=option", "SPACE=a b"] {
        assert!(environment.contains(&expected), "{expected}: {environment:?}");
    }
    assert!(
        !environment.iter().any(|e| e.starts_with("GONE")),
        "{environment:?}"
    );
    assert_eq!(
        exec(&docker, &container, "/bin/cat /proc/1/cmdline").await,
        "/bin/sleep\0999\0"
    );
    assert_eq!(exec(&docker, &container, "/bin/id -u").await, "1000");
    assert_eq!(exec(&docker, &container, "/bin/hostname").await, "box");
    assert_eq!(exec(&docker, &container, "/bin/cat file").await, "from the host");
    assert_eq!(exec(&docker, &container, "/bin/cat /one").await, "from the host");
    assert!(
        exec(&docker, &container, "/bin/cat /etc/hosts")
            .await
            .contains("10.1.2.3\tdb")
    );
    let mounts = exec(&docker, &container, "/bin/cat /proc/mounts").await;
    let mounted = |at: &str| {
        mounts
            .lines()
            .find(|l| l.split(' ').nth(1) == Some(at))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(mounted("/").contains(" ro,"), "{}", mounted("/"));
    assert!(mounted("/host").contains(" ro,"), "{}", mounted("/host"));
    assert!(mounted("/scratch").starts_with("tmpfs") && mounted("/scratch").contains("size=2048k"));
    assert!(mounted("/mem").contains("mode=700") && mounted("/mem").contains("size=1024k"));
    let status = exec(&docker, &container, "/bin/cat /proc/1/status").await;
    // CAP_CHOWN is bit 0, CAP_KILL bit 5.
    assert!(
        status.contains("CapBnd:\t0000000000000021") && status.contains("NoNewPrivs:\t1"),
        "{status}"
    );
    assert!(
        status.contains("Seccomp:\t2"),
        "the default filter is kept: {status}"
    );

    let state = docker.state(&container).await.expect("a state");
    let ports: Vec<_> = state
        .published
        .iter()
        .map(|(port, protocol, _)| (*port, protocol.as_str()))
        .collect();
    assert_eq!(ports.first(), Some(&(53, "udp")));
    assert_eq!(ports.last(), Some(&(80, "tcp")));
    let (_, _, address) = state.published.last().expect("a port");
    assert!(address.ip().is_loopback() && address.port() > 0);

    let (facts, _) = docker.container_facts(&container).await.expect("facts");
    assert_eq!(facts.capabilities, ["CAP_CHOWN", "CAP_KILL"]);
    assert!(facts.read_only && facts.no_new_privileges && facts.seccomp.is_some());
    assert_eq!((facts.user.as_str(), facts.workdir.as_str()), ("app", "/host"));
    // Values of variables stay out of what is written.
    let written = serde_json::to_string(&facts.spec).expect("JSON");
    assert_eq!(
        serde_json::to_value(&facts.spec).expect("JSON")["env"],
        serde_json::json!(["FILE", "BOTH", "GONE", "SPACE"])
    );
    assert!(
        !written.contains("a b") && !written.contains("\"option\""),
        "{written}"
    );
    let kind = |path: &str| {
        facts
            .mounts
            .iter()
            .find(|m| m.target == RootPath::from(path))
            .map(|m| m.kind)
    };
    assert_eq!(kind("/host"), Some(MountKind::Bind));
    assert_eq!(kind("/mem"), Some(MountKind::Tmpfs));
    assert_eq!(kind("/scratch"), Some(MountKind::Tmpfs));
    assert_eq!(kind("/anonymous"), Some(MountKind::Volume));
    assert_eq!(
        docker.unprivileged_port_start(&container).await.expect("it runs"),
        Some(0)
    );

    let limit = self::docker(&[
        "inspect",
        "-f",
        "{{.HostConfig.Memory}} {{index .Config.Labels \"purpose\"}} {{.HostConfig.Privileged}}",
        &container.id,
    ]);
    assert_eq!(limit, "67108864 test false");
}

#[tokio::test]
async fn networks() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let with = |network: &str| ContainerOptions {
        network: Some(network.to_owned()),
        ..ContainerOptions::default()
    };
    let none = docker
        .create(&image.to_ref(), &parsed(&with("none")))
        .await
        .expect("it is created");
    docker.start(&none).await.expect("it starts");
    assert!(docker.state(&none).await.expect("a state").addresses.is_empty());
    let host = docker
        .create(&image.to_ref(), &parsed(&with("host")))
        .await
        .expect("it is created");
    docker.start(&host).await.expect("it starts");
    assert!(
        docker
            .state(&host)
            .await
            .expect("a state")
            .addresses
            .iter()
            .all(|a| a.is_loopback())
    );
    let bridge = docker
        .create(&image.to_ref(), &parsed(&ContainerOptions::default()))
        .await
        .expect("it is created");
    docker.start(&bridge).await.expect("it starts");
    let shared = docker
        .create(
            &image.to_ref(),
            &parsed(&with(&format!("container:{}", bridge.name))),
        )
        .await
        .expect("it is created");
    docker.start(&shared).await.expect("it starts");
    let addresses = docker.state(&bridge).await.expect("a state").addresses;
    assert_eq!(addresses.len(), 1);
    assert_eq!(docker.state(&shared).await.expect("a state").addresses, addresses);
    // The address is reached from here.
    let server = ["/bin/nc", "-l", "-p", "8080", "-e", "/bin/cat", "/etc/passwd"].map(str::to_owned);
    let (engine, inside) = (docker.clone(), bridge.clone());
    let serving = tokio::spawn(async move { engine.exec(&inside, &server).await });
    let mut text = String::new();
    for _ in 0..200 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect((addresses[0], 8080)).await {
            tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text)
                .await
                .expect("an answer");
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(text.contains("app:x:1000"), "{text:?}");
    serving.await.expect("no panic").expect("it ran");
    let error = docker
        .create(&image.to_ref(), &parsed(&with("no-such-network")))
        .await;
    let error = match error {
        Ok(container) => docker.start(&container).await.expect_err("no such network"),
        Err(error) => error,
    };
    assert!(error.to_string().contains("no-such-network"), "{error}");
}

#[tokio::test]
async fn entrypoint_and_command_are_docker_runs() {
    make_image();
    import(
        "slim-test-engine-entry:1",
        &["ENTRYPOINT [\"/bin/busybox\",\"echo\"]", "CMD [\"image\"]"],
    );
    let docker = Docker::connect(None).await.expect("an engine answers");
    let _guard = docker.guard();
    let image = docker
        .image("slim-test-engine-entry:1", Pull::Missing, None)
        .await
        .expect("the image is there");
    let options = |entrypoint: Option<&str>, command: &[&str]| ContainerOptions {
        entrypoint: entrypoint.map(str::to_owned),
        command: command.iter().map(|&c| c.to_owned()).collect(),
        ..ContainerOptions::default()
    };
    assert_eq!(run(&docker, &image, &options(None, &[])).await.1, "image\n");
    assert_eq!(
        run(&docker, &image, &options(None, &["mine", "too"])).await.1,
        "mine too\n"
    );
    // An entrypoint of one's own resets the image's command.
    assert_eq!(
        run(&docker, &image, &options(Some("/bin/id"), &[])).await.1,
        "uid=0(root) gid=0 groups=0\n"
    );
    assert_eq!(
        run(
            &docker,
            &image,
            &options(Some(""), &["/bin/busybox", "echo", "bare"])
        )
        .await
        .1,
        "bare\n"
    );
    let error = docker
        .create(&image.to_ref(), &parsed(&options(Some(""), &[])))
        .await
        .expect_err("nothing to run");
    assert!(error.to_string().contains("o command specified"), "{error}");
    self::docker(&["rmi", "slim-test-engine-entry:1"]);
}

#[tokio::test]
async fn a_seccomp_file_is_sent_as_its_text() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("seccomp.json");
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["sethostname","mkdirat","mkdir"],"action":"SCMP_ACT_ERRNO"}]}"#;
    std::fs::write(&file, profile).expect("a file");
    let mut options = sh("/bin/busybox mkdir /x || exit 7; /bin/sleep 1000");
    options.security_opt = vec![format!("seccomp={}", file.display())];
    let (code, _, error) = run(&docker, &image, &options).await;
    assert!(
        code == 7 && error.contains("Operation not permitted"),
        "{code} {error}"
    );
    let options = ContainerOptions {
        security_opt: vec!["seccomp=unconfined".to_owned()],
        ..ContainerOptions::default()
    };
    let container = docker
        .create(&image.to_ref(), &parsed(&options))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    let (facts, _) = docker.container_facts(&container).await.expect("facts");
    assert!(facts.seccomp.is_none() && facts.seccomp_unconfined);
}

#[tokio::test]
async fn ends_are_told_apart() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    assert_eq!(
        run(&docker, &image, &sh("echo out; echo err >&2; exit 3")).await,
        (3, "out\n".to_owned(), "err\n".to_owned())
    );

    // A crash.
    let (code, _, _) = run(&docker, &image, &sh("kill -SEGV $$")).await;
    // A PID 1 ignores signals that it has no handler for, even its own.
    assert_eq!(code, 0);
    let (code, out, err) = run(&docker, &image, &sh("/bin/sh -c 'kill -SEGV $$'; exit $?")).await;
    assert_eq!(code, 139);
    let outcome = slim_core::recording::Outcome {
        exit_code: Some(code),
        ..Default::default()
    };
    assert!(describe_end(&outcome, out.as_bytes(), err.as_bytes()).contains("SIGSEGV"));

    // Out of memory.
    let mut options = sh("echo hungry; exec /bin/tail /dev/zero");
    options.memory = Some("20m".to_owned());
    let container = docker
        .create(&image.to_ref(), &parsed(&options))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    let outcome = docker.wait(&container).await.expect("it ends");
    assert!(
        outcome.oom_killed && outcome.exit_code == Some(137) && !outcome.killed,
        "{outcome:?}"
    );
    let peaks = docker.peaks(&container).await.expect("peaks");
    assert!(peaks.memory.is_none_or(|m| m <= 20 << 20), "{peaks:?}");
    let (out, err) = docker.logs(&container, 4096).await.expect("a log");
    let text = describe_end(&outcome, &out, &err);
    assert!(
        text.contains("OOM") && text.contains("--memory") && text.contains("hungry"),
        "{text}"
    );

    // One that ends on its stop signal, and is not killed.
    let script = "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done";
    build(
        "slim-test-engine-stop:1",
        &format!("STOPSIGNAL SIGUSR1\nCMD [\"/bin/sh\",\"-c\",\"{script}\"]\n"),
    );
    let stopping = docker
        .image("slim-test-engine-stop:1", Pull::Never, None)
        .await
        .expect("the image is there");
    let container = docker
        .create(&stopping.to_ref(), &parsed(&ContainerOptions::default()))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    while docker.logs(&container, 100).await.expect("a log").0.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let outcome = docker.stop(&container, 20).await.expect("it ends");
    assert!(
        outcome.stopped_by_slim && !outcome.killed && outcome.exit_code == Some(5),
        "{outcome:?}"
    );
    // Stopping what has ended is no error, and was not slim's doing.
    let outcome = docker.stop(&container, 1).await.expect("it has ended");
    assert!(
        !outcome.stopped_by_slim && outcome.exit_code == Some(5),
        "{outcome:?}"
    );
    docker.remove(&container).await.expect("it is removed");
    self::docker(&["rmi", "slim-test-engine-stop:1"]);
}

#[tokio::test]
async fn failures_to_start_are_named() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = busy.local_addr().expect("an address").port();
    let with = |change: &dyn Fn(&mut ContainerOptions)| {
        let mut options = ContainerOptions::default();
        change(&mut options);
        options
    };
    for (options, says) in [
        (with(&|o| o.command = words("/bin/nope")), "not in the image"),
        (with(&|o| o.command = words("nope")), "not in the image"),
        (with(&|o| o.command = words("/etc/passwd")), "not executable"),
        (with(&|o| o.user = Some("nobody".into())), "/etc/passwd"),
        (
            with(&|o| o.publish = vec![format!("127.0.0.1:{port}:80")]),
            "in use",
        ),
    ] {
        let container = docker
            .create(&image.to_ref(), &parsed(&options))
            .await
            .expect("it is created");
        let error = docker.start(&container).await.expect_err(says);
        assert!(
            matches!(&error, Error::Start { what, .. } if what.contains(says)),
            "{says}: {error}"
        );
        docker.remove(&container).await.expect("it is removed");
    }
}

#[tokio::test]
async fn output_is_bounded_to_its_last_bytes() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let container = docker
        .create(&image.to_ref(), &parsed(&sh("seq 1 20000; echo last >&2")))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    docker.wait(&container).await.expect("it ends");
    let (out, err) = docker.logs(&container, 12).await.expect("a log");
    assert_eq!((&out[..], &err[..]), (&b"19999\n20000\n"[..], &b"last\n"[..]));
}

#[tokio::test]
async fn commands_in_a_container() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let container = docker
        .create(&image.to_ref(), &parsed(&ContainerOptions::default()))
        .await
        .expect("it is created");
    let result = docker.exec(&container, &words("/bin/id")).await;
    assert!(
        matches!(result, Err(Error::Exec { .. })),
        "it does not run yet: {result:?}"
    );
    docker.start(&container).await.expect("it starts");
    let script = ["/bin/sh", "-c", "echo out; echo err >&2; exit 42"].map(str::to_owned);
    let result = docker.exec(&container, &script).await.expect("it runs");
    assert_eq!(
        (result.exit_code, &result.stdout[..], &result.stderr[..]),
        (42, &b"out\n"[..], &b"err\n"[..])
    );
    let many = ["/bin/sh", "-c", "yes | head -c 20000000"].map(str::to_owned);
    let result = docker.exec(&container, &many).await.expect("it runs");
    assert_eq!((result.exit_code, result.stdout.len()), (0, 16 << 20));
    let error = docker
        .exec(&container, &words("/bin/nope"))
        .await
        .expect_err("no such program");
    assert!(
        matches!(&error, Error::Exec { .. }) && error.to_string().contains("/bin/nope"),
        "{error}"
    );
    // A program that ends with 127 itself has run.
    let own = ["/bin/sh", "-c", "exit 127"].map(str::to_owned);
    assert_eq!(
        docker.exec(&container, &own).await.expect("it runs").exit_code,
        127
    );
}

#[tokio::test]
async fn peaks_are_measured_while_it_runs() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let script = "head -c 30000000 /dev/zero | tail -c 30000000 >/dev/null; while :; do :; done";
    let container = docker
        .create(&image.to_ref(), &parsed(&sh(script)))
        .await
        .expect("it is created");
    docker.start(&container).await.expect("it starts");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let peaks = docker.peaks(&container).await.expect("peaks");
        if peaks.memory >= Some(30_000_000) && peaks.pids >= Some(3) && peaks.cpu_milli >= Some(200) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{peaks:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let outcome = docker.stop(&container, 0).await.expect("it ends");
    assert!(outcome.killed && outcome.stopped_by_slim);
    let after = docker.peaks(&container).await.expect("peaks of one that ended");
    assert!(after.memory >= Some(30_000_000), "{after:?}");
}

#[tokio::test]
async fn everything_is_removed_with_its_container() {
    let (docker, image) = connect().await;
    let volume = format!("slim-test-{}", std::process::id());
    let options = ContainerOptions {
        volume: vec!["/more".to_owned(), format!("{volume}:/named")],
        ..ContainerOptions::default()
    };
    let volumes_of = |container: &Container| {
        let format = "{{range .Mounts}}{{.Name}} {{end}}";
        words(&self::docker(&["inspect", "-f", format, &container.id]))
    };
    let exists = |volume: &str| {
        let list = self::docker(&["volume", "ls", "-q"]);
        list.lines().any(|l| l == volume)
    };
    let (first, second) = {
        let _guard = docker.guard();
        let first = docker
            .create(&image.to_ref(), &parsed(&options))
            .await
            .expect("it is created");
        docker.start(&first).await.expect("it starts");
        let volumes = volumes_of(&first);
        // /data of the image, /more and the named one.
        assert_eq!(volumes.len(), 3, "{volumes:?}");
        let second = docker
            .create(&image.to_ref(), &parsed(&options))
            .await
            .expect("it is created");
        docker.remove(&first).await.expect("it is removed while it runs");
        for name in volumes {
            assert_eq!(exists(&name), name == volume, "the named one is in use: {name}");
        }
        (volumes_of(&second), second)
    };
    // The guard removed the second, and the volume that both used.
    assert!(matches!(docker.state(&second).await, Err(Error::Gone { .. })));
    for name in first {
        assert!(!exists(&name), "{name}");
    }
    // What the user had before stays.
    self::docker(&["volume", "create", &volume]);
    let third = docker
        .create(&image.to_ref(), &parsed(&options))
        .await
        .expect("it is created");
    docker.remove(&third).await.expect("it is removed");
    assert!(exists(&volume));
    self::docker(&["volume", "rm", &volume]);
}

#[tokio::test]
async fn what_dead_owners_wrote_down_is_removed_and_nothing_else() {
    let (docker, _) = connect().await;
    let directory = tempfile::tempdir().expect("a directory");
    let state = || State::open(directory.path()).expect("a state directory");
    let ledger = || Ledger::begin(state(), None).expect("a record");
    let suffix = std::process::id();
    let name = |what: &str| format!("slim-test-{what}-{suffix}");
    let claim = |ledger: &std::sync::Arc<Ledger>, kind, what: &str| {
        let claim = ledger.claim(kind, docker.place(), |_| name(what));
        claim.expect("it is written")
    };
    let create = |claim: Option<&Claim>, what: &str, options: &[&str]| {
        let token = claim.map_or("0", |claim| &claim.thing().token);
        let label = format!("{TOKEN_LABEL}={token}");
        let name = name(what);
        let named = ["create", "--label", &label, "--name", &name];
        self::docker(&[&named, options, &[IMAGE, "sleep", "600"]].concat())
    };
    let volume = |claim: Option<&Claim>, what: &str| {
        let label = format!(
            "{TOKEN_LABEL}={}",
            claim.map_or("0", |claim| &claim.thing().token)
        );
        self::docker(&["volume", "create", "--label", &label, &name(what)]);
    };

    let (dead, living) = (ledger(), ledger());
    // The living one's, written down in full.
    let mut alive = claim(&living, Kind::Container, "alive");
    alive.made(&create(Some(&alive), "alive", &[]));
    // A volume and a container that the engine's answer is known of, or not.
    let kept = claim(&dead, Kind::Volume, "kept");
    volume(Some(&kept), "kept");
    let mut answered = claim(&dead, Kind::Container, "answered");
    let mount = format!("{}:/named", name("kept"));
    answered.made(&create(
        None,
        "answered",
        &["--volume", &mount, "--volume", "/anonymous"],
    ));
    self::docker(&["start", &name("answered")]);
    let unanswered = claim(&dead, Kind::Container, "unanswered");
    create(Some(&unanswered), "unanswered", &[]);
    // Somebody else's, under names that were written down.
    claim(&dead, Kind::Container, "taken").made(&"0".repeat(64));
    create(None, "taken", &[]);
    claim(&dead, Kind::Container, "guessed");
    create(None, "guessed", &[]);
    let mut renamed = claim(&dead, Kind::Container, "named");
    renamed.made(&create(Some(&renamed), "named", &[]));
    self::docker(&["rename", &name("named"), &name("renamed")]);
    claim(&dead, Kind::Volume, "theirs");
    volume(None, "theirs");
    let used = claim(&dead, Kind::Volume, "used");
    volume(Some(&used), "used");
    create(None, "user", &["--volume", &format!("{}:/used", name("used"))]);
    // Temporary names of images: one that is as it was written, one that means another image by now, one that slim would
    // not give.
    let tag = |ledger: &std::sync::Arc<Ledger>| {
        let claim = ledger.claim(Kind::Image, docker.place(), |token| {
            format!("slim-unverified:{token}")
        });
        let claim = claim.expect("it is written");
        self::docker(&["tag", IMAGE, &claim.thing().name]);
        claim
    };
    let id = self::docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    let mut loaded = tag(&dead);
    loaded.made(&id);
    let mut moved = tag(&dead);
    moved.made(&format!("sha256:{}", "0".repeat(64)));
    let odd = claim(&dead, Kind::Image, "odd");
    self::docker(&["tag", IMAGE, &odd.thing().name]);

    let names = [&loaded, &moved, &odd].map(|claim| claim.thing().name.clone());
    drop((
        kept, answered, unanswered, renamed, used, loaded, moved, odd, dead,
    ));
    let cleaned = pipeline::clean_up(&state(), &docker).await;
    let mut removed: Vec<String> = cleaned.removed.iter().map(|r| r.name.clone()).collect();
    removed.sort();
    let mut expected = vec![
        name("answered"),
        name("unanswered"),
        name("kept"),
        names[0].clone(),
    ];
    expected.sort();
    assert_eq!(removed, expected, "{cleaned:?}");
    let said = cleaned.removed[0].to_string();
    assert!(
        said.ends_with(&format!("left by a slim that ended (pid {suffix})")),
        "{said}"
    );
    // The one whose id is gone is not missed; nor is who has its name now looked at.
    assert_eq!(cleaned.warnings.len(), 6, "{:?}", cleaned.warnings);
    for what in ["guessed", "named", "theirs", "used", "odd"] {
        let of = format!(" {}, left by", name(what));
        assert!(
            cleaned.warnings.iter().any(|w| w.contains(&of)),
            "{what}: {cleaned:?}"
        );
    }
    assert_eq!(state().records().expect("a list").len(), 1, "the living one's");

    let containers = self::docker(&["ps", "-a", "--format", "{{.Names}}"]);
    for (what, stays) in [
        ("answered", false),
        ("unanswered", false),
        ("alive", true),
        ("taken", true),
        ("guessed", true),
        ("renamed", true),
        ("user", true),
    ] {
        assert_eq!(containers.lines().any(|l| l == name(what)), stays, "{what}");
    }
    let volumes = self::docker(&["volume", "ls", "-q"]);
    for (what, stays) in [("kept", false), ("theirs", true), ("used", true)] {
        assert_eq!(volumes.lines().any(|l| l == name(what)), stays, "{what}");
    }
    for (at, stays) in [(0, false), (1, true), (2, true)] {
        assert_eq!(
            self::docker(&["images", "-q", &names[at]]).is_empty(),
            !stays,
            "{}",
            names[at]
        );
    }
    for what in ["alive", "taken", "guessed", "renamed", "user"] {
        self::docker(&["rm", "-f", "-v", &name(what)]);
    }
    self::docker(&["volume", "rm", &name("theirs"), &name("used")]);
    self::docker(&["rmi", &names[1], &names[2]]);
}

#[tokio::test]
async fn what_may_still_come_into_being_stays_written_down() {
    let (docker, _) = connect().await;
    let directory = tempfile::tempdir().expect("a directory");
    let state = State::open(directory.path()).expect("a state directory");
    let ledger = Ledger::begin(State::open(directory.path()).expect("it again"), None).expect("a record");
    let name = format!("slim-test-late-{}", std::process::id());
    let claim = ledger
        .claim(Kind::Container, docker.place(), |_| name.clone())
        .expect("it is written");
    let token = format!("{TOKEN_LABEL}={}", claim.thing().token);
    drop((claim, ledger));
    let cleaned = pipeline::clean_up(&state, &docker).await;
    assert!(
        cleaned.removed.is_empty() && cleaned.warnings.is_empty(),
        "{cleaned:?}"
    );
    assert_eq!(state.records().expect("a list").len(), 1);
    // The engine answers late.
    self::docker(&["create", "--name", &name, "--label", &token, IMAGE]);
    let cleaned = pipeline::clean_up(&state, &docker).await;
    assert_eq!(cleaned.removed.len(), 1, "{cleaned:?}");
    assert!(state.records().expect("a list").is_empty());
}

#[tokio::test]
async fn what_this_process_did_not_make_is_not_its_to_remove() {
    let (docker, image) = connect().await;
    let _guard = docker.guard();
    let other = Docker::connect(None).await.expect("an engine answers");
    let container = docker
        .create(&image.to_ref(), &parsed(&ContainerOptions::default()))
        .await
        .expect("it is created");
    let state = State::existing(&State::default_path().expect("a path")).expect("a state directory");
    pipeline::clean_up(&state.expect("it was made"), &other).await;
    other.remove_all_created().await.expect("it has none");
    other.remove(&container).await.expect("it is not its own");
    other.untag(IMAGE).await.expect("it is not its own");
    docker.state(&container).await.expect("it is still there");
    self::docker(&["image", "inspect", IMAGE]);
    let thing = Thing {
        kind: Kind::Profile,
        name: "docker-default".to_owned(),
        token: "0".repeat(32),
        place: docker.place(),
        id: None,
    };
    let fate = other.remove_left(&thing).await.expect("it is not asked");
    assert!(matches!(fate, Fate::Another(_)), "{fate:?}");
}

/// The archive in a file.
fn opened(path: &Path) -> engine::ArchiveStream {
    engine::ArchiveStream::open(path).expect("an archive")
}

#[tokio::test]
async fn images_are_loaded_tagged_and_removed() {
    let (docker, image) = connect().await;
    let dir = tempfile::tempdir().expect("a directory");
    let archive = dir.path().join("image.tar");
    self::docker(&["save", "-o", archive.to_str().expect("UTF-8"), IMAGE]);
    let tags = ["slim-test-loaded:1", "slim-test-loaded:other"].map(str::to_owned);
    let (progress, mut steps) = tokio::sync::mpsc::unbounded_channel();
    let loaded = docker
        .load(opened(&archive), &tags, Some(progress))
        .await
        .expect("it is loaded");
    assert_eq!(loaded.id, image.id);
    let mut last = (0, None);
    while let Some(step) = steps.recv().await {
        assert!(step.0 > last.0);
        last = step;
    }
    let length = std::fs::metadata(&archive).expect("a file").len();
    assert_eq!(last, (length, Some(length)));
    for tag in &tags {
        assert!(docker.image_size(tag).await.expect("it is there") > 1_000_000);
        docker.remove_image(tag).await.expect("it is removed");
        docker.remove_image(tag).await.expect("twice is no error");
        assert!(matches!(docker.image_size(tag).await, Err(Error::NoImage { .. })));
    }
    // The archive says what the directories say.
    let through =
        slim_core::image::Archive::read(std::fs::File::open(&archive).expect("a file")).expect("an image");
    assert_eq!((&through.id, &through.config), (&image.id, &image.config));
    assert!(
        through
            .rootfs
            .iter()
            .map(|(p, e)| (p, e.mode, e.size()))
            .eq(image.rootfs.iter().map(|(p, e)| (p, e.mode, e.size())))
    );
    std::fs::write(&archive, "no archive").expect("a file");
    let nonsense = engine::ArchiveStream {
        id: image.id.clone(),
        size: 10,
        bytes: Box::new(std::io::Cursor::new("no archive")),
    };
    assert!(docker.load(nonsense, &[], None).await.is_err());
}

#[tokio::test]
async fn an_image_that_is_not_there() {
    let docker = Docker::connect(None).await.expect("an engine answers");
    let error = docker
        .image("slim-test-nothing:1", Pull::Never, None)
        .await
        .expect_err("not there");
    assert!(matches!(error, Error::NoImage { .. }), "{error}");
    // Nobody listens on port 1.
    let error = docker
        .image("127.0.0.1:1/nothing:1", Pull::Missing, None)
        .await
        .expect_err("no registry");
    assert!(
        matches!(error, Error::Pull { .. }) && error.to_string().contains("--pull never"),
        "{error}"
    );
    for odd in ["", "../../containers/x", "a?b", "a b", "a//b"] {
        assert!(docker.image(odd, Pull::Never, None).await.is_err(), "{odd:?}");
    }
}

#[tokio::test]
async fn a_container_of_somebody_else_is_found() {
    let (docker, _) = connect().await;
    let run = [
        "run",
        "-d",
        "--network",
        "none",
        "--env",
        "MORE=secret",
        "--read-only",
        "--tmpfs",
        "/x",
        IMAGE,
    ];
    let id = self::docker(&run);
    let container = docker.find(&id[..12]).await.expect("it is there");
    assert_eq!(container.id, id);
    assert_eq!(docker.image_of(&container).await.expect("an image"), IMAGE);
    let (facts, _) = docker.container_facts(&container).await.expect("facts");
    assert_eq!(facts.network, "none");
    assert_eq!(
        serde_json::to_value(&facts.spec).expect("JSON"),
        serde_json::json!({"env": ["MORE"], "tmpfs": [{"target": "/x"}], "read_only": true, "network": {"mode": "none"}})
    );
    self::docker(&["rm", "-fv", &id]);
    assert!(matches!(docker.find(&id).await, Err(Error::NoContainer { .. })));
}

#[tokio::test]
async fn a_container_has_its_image_whatever_the_name_means_now() {
    let (docker, _) = connect().await;
    let name = slim_tests::Image::from_dockerfile("moved", &format!("FROM {IMAGE}\nLABEL now=before\n"), &[]);
    let made_of = name.id();
    let container = slim_tests::Container::run(&["--network", "none", name.tag(), "sleep", "60"]);
    let found = docker.find(container.name()).await.expect("it is there");
    assert_eq!(docker.image_of(&found).await.expect("an image"), name.tag());
    self::docker(&["tag", IMAGE, name.tag()]);
    assert_eq!(docker.image_of(&found).await.expect("an image"), made_of);
}

/// An engine that answers `/version` and `/info` with what a test wants, over a unix socket.
async fn pretend(version: &'static str, info: &'static str) -> (tempfile::TempDir, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("engine.sock");
    let listener = tokio::net::UnixListener::bind(&socket).expect("a socket");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let first = String::from_utf8_lossy(&request[..read])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            let body = if first.contains("/version") { version } else { info };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let host = format!("unix://{}", socket.display());
    (dir, host)
}

#[tokio::test]
async fn engines_that_cannot_be_used_say_why() {
    let missing = Docker::connect(Some("unix:///nonexistent.sock"))
        .await
        .expect_err("nobody there");
    assert!(missing.to_string().contains("DOCKER_HOST"), "{missing}");
    let closed = Docker::connect(Some("tcp://127.0.0.1:1"))
        .await
        .expect_err("nobody there");
    assert!(matches!(closed, Error::Unreachable { .. }), "{closed}");
    let ssh = Docker::connect(Some("ssh://me@far")).await.expect_err("no ssh");
    assert!(ssh.to_string().contains("run slim on that machine"), "{ssh}");

    let (_dir, host) = pretend(r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#, "{}").await;
    let old = Docker::connect(Some(&host)).await.expect_err("too old");
    assert!(
        matches!(old, Error::TooOld { .. }) && old.to_string().contains("1.41"),
        "{old}"
    );

    let (_dir, host) = pretend(
        r#"{"Version":"27.0.0","ApiVersion":"1.99"}"#,
        r#"{"KernelVersion":"6.6.12-linuxkit","Name":"docker-desktop"}"#,
    )
    .await;
    let desktop = Docker::connect(Some(&host)).await.expect("it answers");
    assert!(
        desktop.facts().api.starts_with("1.5"),
        "not newer than what is known: {:?}",
        desktop.facts()
    );
    let error = desktop.same_kernel().expect_err("another kernel");
    assert!(
        error.cannot_trace() && error.to_string().contains("linuxkit"),
        "{error}"
    );
}

/// A second engine, with TLS, another storage driver and no network; it ends with this value.
struct Second {
    child: std::process::Child,
    dir: tempfile::TempDir,
    port: u16,
}

impl Drop for Second {
    fn drop(&mut self) {
        // SIGTERM lets it end its containerd too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn certificates(dir: &std::path::Path) {
    let script = r#"
        set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca-key.pem -out ca.pem
        for who in server client; do
            name=$who; [ $who = client ] && name=
            openssl req -newkey rsa:2048 -nodes -subj /CN=$who -keyout $name${name:+-}key.pem -out $who.csr
            echo "subjectAltName=IP:127.0.0.1" > $who.ext
            [ $who = client ] && echo "extendedKeyUsage=clientAuth" > $who.ext
            openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile $who.ext -out $name${name:+-}cert.pem
        done
    "#;
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output()
        .expect("a shell");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Starts it in network and mount name spaces of its own, so that the machine's bridges, rules and mounts stay as they
/// are; its listening socket is made outside and handed in, as systemd does (sd_listen_fds(3)).
fn second_engine() -> Second {
    let dir = tempfile::tempdir().expect("a directory");
    certificates(dir.path());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let script = r#"
        exec 3<&0 </dev/null
        export LISTEN_FDS=1 LISTEN_PID=$$
        exec unshare --net --mount dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host fd:// \
            --storage-driver vfs --bridge=none --iptables=false --ip-forward=false --ip-masq=false \
            --tlsverify --tlscacert "$1/ca.pem" --tlscert "$1/server-cert.pem" --tlskey "$1/server-key.pem"
    "#;
    let log = std::fs::File::create(dir.path().join("log")).expect("a file");
    let child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(dir.path())
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("a shell");
    Second { child, dir, port }
}

#[tokio::test]
async fn over_tls_and_without_the_storage_drivers_directories() {
    use slim_core::engine::docker::{Address, Tls};
    let (local, local_image) = connect().await;
    let second = second_engine();
    let file = |name: &str| second.dir.path().join(name);
    let tls = Tls {
        ca: file("ca.pem"),
        cert: file("cert.pem"),
        key: file("key.pem"),
    };
    let authority = format!("127.0.0.1:{}", second.port);
    let address = Address::Tcp {
        authority: authority.clone(),
        tls: Some(tls.clone()),
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(90);
    let docker = loop {
        match Docker::connect_to(address.clone()).await {
            Ok(docker) => break docker,
            Err(error) if std::time::Instant::now() > deadline => {
                panic!(
                    "{error}\n{}",
                    std::fs::read_to_string(file("log")).unwrap_or_default()
                )
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    // Without certificates it does not let us in; with a wrong one it is not trusted.
    let plain = Docker::connect_to(Address::Tcp {
        authority: authority.clone(),
        tls: None,
    })
    .await;
    assert!(matches!(plain, Err(Error::Unreachable { .. })), "{plain:?}");
    let others = tempfile::tempdir().expect("a directory");
    certificates(others.path());
    let wrong = Tls {
        ca: others.path().join("ca.pem"),
        ..tls
    };
    let wrong = Docker::connect_to(Address::Tcp {
        authority,
        tls: Some(wrong),
    })
    .await;
    assert!(
        matches!(&wrong, Err(Error::Unreachable { reason, .. }) if reason.contains("ertificate")),
        "{wrong:?}"
    );

    docker.same_kernel().expect("it is this machine");
    let archive = file("image.tar");
    self::docker(&["save", "-o", archive.to_str().expect("UTF-8"), IMAGE]);
    docker
        .load(opened(&archive), &["slim-test-second:1".to_owned()], None)
        .await
        .expect("it is loaded");
    let image = docker
        .image("slim-test-second:1", Pull::Never, None)
        .await
        .expect("it is there");
    assert_eq!((&image.id, &image.config), (&local_image.id, &local_image.config));
    assert!(
        image
            .rootfs
            .iter()
            .map(|(p, e)| (p, e.mode, e.size()))
            .eq(local_image.rootfs.iter().map(|(p, e)| (p, e.mode, e.size())))
    );
    let options = ContainerOptions {
        network: Some("host".to_owned()),
        ..sh("echo over TLS")
    };
    assert_eq!(
        run(&docker, &image, &options).await,
        (0, "over TLS\n".to_owned(), String::new())
    );
    drop(local);
}

/// A registry on loopback that holds one image, `team/app:1`, for `me` with the password `~~~???>>>`.
async fn registry() -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const BASIC: &str = "Basic bWU6fn5+Pz8/Pj4+";
    let layer = busybox_root();
    let config = format!(
        r#"{{"architecture":"{}","os":"linux","config":{{"Cmd":["/bin/id"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        if cfg!(target_arch = "x86_64") {
            "amd64"
        } else {
            "arm64"
        },
        Digest::of(&layer)
    );
    let descriptor = |kind: &str, bytes: &[u8]| {
        format!(
            r#"{{"mediaType":"application/vnd.docker.{kind}","size":{},"digest":"{}"}}"#,
            bytes.len(),
            Digest::of(bytes)
        )
    };
    let manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{manifest_type}","config":{},"layers":[{}]}}"#,
        descriptor("container.image.v1+json", config.as_bytes()),
        descriptor("image.rootfs.diff.tar.gzip", &layer)
    );
    let contents = [config.into_bytes(), layer, manifest.into_bytes()];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16 << 10];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let last = path.rsplit('/').next().unwrap_or_default();
            let found = match path {
                "/v2/" => Some(&b"{}"[..]),
                "/v2/team/app/manifests/1" => Some(&contents[2][..]),
                _ => contents
                    .iter()
                    .find(|c| Digest::of(c).as_str() == last)
                    .map(Vec::as_slice),
            };
            let (status, body) = match found {
                _ if !request.contains(BASIC) => ("401 Unauthorized", &b"{}"[..]),
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", &b"{}"[..]),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=\"slim\"\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
                 Content-Type: {manifest_type}\r\nDocker-Content-Digest: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                Digest::of(body),
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            if !request.starts_with("HEAD") {
                let _ = stream.write_all(body).await;
            }
        }
    });
    port
}

#[tokio::test]
async fn images_are_pulled_with_the_users_credentials() {
    const PORT: &str = "SLIM_TEST_REGISTRY_PORT";
    let Ok(port) = std::env::var(PORT) else {
        // Credentials are found through the environment, which a test does not change under its neighbours: this test
        // runs itself again, with one of its own.
        let port = registry().await.to_string();
        let home = tempfile::tempdir().expect("a directory");
        let auths = format!(r#"{{"auths":{{"127.0.0.1:{port}":{{"auth":"bWU6fn5+Pz8/Pj4+"}}}}}}"#);
        std::fs::write(home.path().join("config.json"), auths).expect("a file");
        let child = tokio::process::Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "images_are_pulled_with_the_users_credentials",
                "--nocapture",
            ])
            .env(PORT, &port)
            .env("DOCKER_CONFIG", home.path())
            .output();
        let output = child.await.expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        // Without them it is refused, and the message says by whom and what to do.
        let docker = Docker::connect(None).await.expect("an engine answers");
        let error = docker
            .image(&format!("127.0.0.1:{port}/team/app:1"), Pull::Missing, None)
            .await;
        let error = error.expect_err("no credentials").to_string();
        assert!(
            error.contains("unauthorized") || error.contains("no basic auth"),
            "{error}"
        );
        return;
    };
    let docker = Docker::connect(None).await.expect("an engine answers");
    let reference = format!("127.0.0.1:{port}/team/app:1");
    let missing = docker.image(&reference, Pull::Never, None).await;
    assert!(matches!(missing, Err(Error::NoImage { .. })), "{missing:?}");
    let (progress, mut steps) = tokio::sync::mpsc::unbounded_channel();
    let image = docker
        .image(&reference, Pull::Missing, Some(progress))
        .await
        .expect("it is pulled");
    assert_eq!(image.config.cmd(), ["/bin/id"]);
    assert!(image.rootfs.get(&RootPath::from("/bin/busybox")).is_some());
    while let Some((done, total)) = steps.recv().await {
        assert!(total.is_some_and(|total| done <= total), "{done} of {total:?}");
    }
    docker
        .image(&reference, Pull::Always, None)
        .await
        .expect("it is pulled again");
    docker.remove_image(&reference).await.expect("it is removed");
}

#[tokio::test]
async fn an_interrupted_creation_leaves_nothing() {
    let (docker, image) = connect().await;
    let volume = format!("slim-test-interrupted-{}", std::process::id());
    let options = ContainerOptions {
        volume: vec![format!("{volume}:/named")],
        label: vec![format!("interrupted={volume}")],
        ..ContainerOptions::default()
    };
    // Cut off at many points, from before the first request to after the last.
    for milliseconds in (0..60).step_by(3) {
        let limit = Duration::from_millis(milliseconds);
        let _ = tokio::time::timeout(limit, docker.create(&image.to_ref(), &parsed(&options))).await;
    }
    drop(docker);
    let left = self::docker(&["ps", "-aq", "--filter", &format!("label=interrupted={volume}")]);
    assert_eq!(left, "");
    assert_eq!(
        self::docker(&["volume", "ls", "-q", "--filter", &format!("name={volume}")]),
        ""
    );
}

/// An option that a newer client brings is in neither list until somebody has decided.
#[test]
fn every_option_of_docker_run_is_carried_or_refused() {
    /// Options that are not about the container: slim has them itself.
    const OWN: [&str; 3] = ["help", "pull", "quiet"];
    let help = slim_tests::docker(&["run", "--help"]);
    let words = help.lines().filter_map(|line| {
        let word = line.split_whitespace().find(|word| word.starts_with("--"))?;
        // In front of an option there is at most its letter.
        let before = line.split("--").next()?;
        (before.trim().len() <= 3).then(|| word.trim_start_matches("--"))
    });
    let mut options = 0;
    for name in words {
        let lists = [
            spec::carried().any(|carried| carried == name),
            spec::refused(name).is_some(),
            OWN.contains(&name),
        ];
        assert_eq!(
            lists.iter().filter(|is_in| **is_in).count(),
            1,
            "--{name}: {lists:?}"
        );
        options += 1;
    }
    assert!(options > 90, "the client lists {options} options:\n{help}");
}
