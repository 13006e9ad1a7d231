//! The Docker engine, with real containers.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use slim_core::digest::Digest;
use slim_core::engine::docker::{Docker, OWNER_LABEL, Owner, describe_end};
use slim_core::engine::{Container, ContainerOptions, Engine, Error, Pull};
use slim_core::image::Image;
use slim_core::path::RootPath;
use slim_core::recording::MountKind;

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
        import(
            IMAGE,
            &[
                "CMD [\"/bin/sleep\",\"1000\"]",
                "EXPOSE 80",
                "VOLUME /data",
                "ENV FROM=image GONE=soon",
            ],
        )
    });
}

fn import(name: &str, changes: &[&str]) {
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
        .write_all(&busybox_root())
        .expect("the archive is taken");
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

fn sh(script: &str) -> ContainerOptions {
    ContainerOptions {
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        ..ContainerOptions::default()
    }
}

/// Runs a container to its end; gives its exit code, standard output and standard error.
async fn run(docker: &Docker, image: &Image, options: &ContainerOptions) -> (i64, String, String) {
    let container = docker.create(image, options).await.expect("it is created");
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
        .create(&image, &ContainerOptions::default())
        .await
        .expect("it is created");
    let state = docker.state(&container).await.expect("a state");
    assert!(!state.running && state.outcome.exit_code.is_none());
    docker.start(&container).await.expect("it starts");
    let state = docker.state(&container).await.expect("a state");
    assert!(state.running && state.pid > 0 && state.addresses.len() == 1 && state.published.is_empty());
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
