//! Shared by the end-to-end tests: the built program, a real engine, and guards that leave nothing behind.
//!
//! Everything here panics with a sentence that says what is missing, because that is how a test says so: a test that
//! cannot run on a machine fails there, it does not pass in silence. `cargo xtask test` prepares what they need.

mod exact;
mod product;
mod recorded;
mod snapshot;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

pub use exact::assert_exact;
pub use product::{Product, answers, build_sample};
pub use recorded::{planned, recorded};
pub use snapshot::{Context, shown};

/// The built program `slim`, which `cargo build -p slim-cli` puts beside the tests' own directory.
///
/// `SLIM_TEST_BINARY` names another one.
///
/// # Panics
///
/// When it has not been built.
pub fn slim() -> Command {
    let mut command = Command::new(slim_binary());
    // What the caller has set for itself must not decide what a test sees.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLIM_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Returns the path of the program `slim`; see [`slim`].
///
/// # Panics
///
/// When it has not been built.
pub fn slim_binary() -> PathBuf {
    let binary = std::env::var_os("SLIM_TEST_BINARY").map_or_else(
        || {
            // target/PROFILE/deps/TEST-HASH → target/PROFILE/slim
            let test = std::env::current_exe().expect("a running program has a path");
            let profile = test
                .ancestors()
                .nth(2)
                .expect("cargo puts tests two folders below its target directory");
            profile.join("slim")
        },
        PathBuf::from,
    );
    assert!(
        binary.is_file(),
        "{} does not exist: run `cargo build -p slim-cli` first (`cargo xtask test` does)",
        binary.display()
    );
    binary
}

/// The formats that start something, but for `run.sh`, which is always written.
pub const FORMATS: &str = "compose,podman,k8s-security-context,systemd";

/// The root of the workspace.
///
/// # Panics
///
/// Never: this crate is a folder of the workspace.
pub fn workspace() -> &'static Path {
    // Cargo says it when it runs this. What was compiled in may be another checkout's: they share a target directory.
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = std::env::var_os("CARGO_MANIFEST_DIR");
        let folder = folder.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        folder
            .parent()
            .expect("this crate is a folder of the workspace")
            .to_owned()
    });
    &ROOT
}

/// Fails the test unless it runs as root, which tracing needs.
///
/// # Panics
///
/// When the effective user is not root.
pub fn require_root() {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let uid = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1));
    assert_eq!(
        uid,
        Some("0"),
        "this test traces containers and must run as root: `cargo xtask test` does that"
    );
}

/// Says that the running test was left out because this kernel lacks something, and why: in its output and in the file
/// that `SLIM_TEST_SKIPPED` names, from which `cargo xtask` tells it in its summary.
///
/// # Panics
///
/// When that file cannot be written to.
pub fn skip(why: &str) {
    // The harness names a test's thread after it.
    let thread = std::thread::current();
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    print!("skipped: {line}");
    if let Some(path) = std::env::var_os("SLIM_TEST_SKIPPED") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.expect("SLIM_TEST_SKIPPED names a file that can be written to");
        file.write_all(line.as_bytes())
            .expect("what was skipped fits on the disk");
    }
}

/// Fails the test unless a Docker engine answers.
///
/// # Panics
///
/// When none does.
pub fn require_docker() {
    docker_client();
}

/// The Docker client whose engine answers: `SLIM_TEST_DOCKER`, else the first on `PATH` that does. (A client that is
/// newer than the engine may refuse it.)
fn docker_client() -> &'static Path {
    static CLIENT: OnceLock<PathBuf> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let named = std::env::var_os("SLIM_TEST_DOCKER").map(PathBuf::from);
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join("docker"))
            .filter(|client| client.is_file());
        let mut clients = named
            .into_iter()
            .chain(found)
            .chain([PathBuf::from("/usr/bin/docker")]);
        let answers = |client: &PathBuf| {
            let output = Command::new(client)
                .args(["version", "--format", "{{.Server.Version}}"])
                .output();
            output.is_ok_and(|output| output.status.success())
        };
        clients
            .find(answers)
            .expect("this test needs a Docker engine and none answers: run `cargo xtask setup` first")
    })
}

/// `sh SCRIPT`, a `run.sh` that starts its container with the client that the tests use: two clients may describe the
/// same container to an engine in different words.
///
/// # Panics
///
/// When no Docker engine answers.
pub fn run_script(script: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg(script).env("DOCKER", docker_client());
    command
}

/// Runs `docker ARGS` and gives what it wrote to stdout, without the last line feed.
///
/// # Panics
///
/// When it fails, with what it wrote to stderr.
pub fn docker(args: &[&str]) -> String {
    match try_docker(args) {
        Ok(text) => text,
        Err(error) => panic!("docker {} failed: {error}", args.join(" ")),
    }
}

/// As [`docker`], for commands that may fail.
///
/// # Errors
///
/// The command's stderr.
pub fn try_docker(args: &[&str]) -> Result<String, String> {
    let output = Command::new(docker_client())
        .args(args)
        .stdin(Stdio::null())
        .output();
    let output = output.expect("the client answered a moment ago");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end_matches('\n')
            .to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// A name that no other test, and no other run of the tests, has: `slim-test-PREFIX-PID-N`.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("slim-test-{prefix}-{}-{number}", std::process::id())
}

/// An image tag that is removed when the test ends, failed or not.
#[derive(Debug)]
pub struct Image {
    tag: String,
}

impl Image {
    /// A tag that does not exist yet, for something (`slim build --tag`) to make; it need not come to exist.
    pub fn to_be(prefix: &str) -> Image {
        Image { tag: unique(prefix) }
    }

    /// An image built from a folder with a Dockerfile.
    ///
    /// # Panics
    ///
    /// When the build fails.
    pub fn build(prefix: &str, folder: &Path) -> Image {
        let image = Image::to_be(prefix);
        docker(&[
            "build",
            "--quiet",
            "--network",
            "host",
            "--tag",
            &image.tag,
            &folder.to_string_lossy(),
        ]);
        image
    }

    /// An image built from the text of a Dockerfile and files beside it (name, content).
    ///
    /// # Panics
    ///
    /// When the build fails.
    pub fn from_dockerfile(prefix: &str, dockerfile: &str, files: &[(&str, &[u8])]) -> Image {
        let folder = tempfile::tempdir().expect("the temporary directory is writable");
        std::fs::write(folder.path().join("Dockerfile"), dockerfile)
            .expect("a temporary directory is writable");
        for (name, content) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a file in a folder has a parent"))
                .expect("as above");
            std::fs::write(file, content).expect("a temporary directory is writable");
        }
        Image::build(prefix, folder.path())
    }

    /// The image of a sample, built when it is not there. It is shared and stays.
    ///
    /// # Panics
    ///
    /// When it has to be built and the build fails.
    pub fn sample(name: &str) -> String {
        let tag = format!("slim-sample-{name}");
        if try_docker(&["image", "inspect", &tag]).is_err() {
            let folder = workspace().join("samples").join(name);
            docker(&[
                "build",
                "--quiet",
                "--network",
                "host",
                "--tag",
                &tag,
                &folder.to_string_lossy(),
            ]);
        }
        tag
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The image's id (`sha256:…`).
    ///
    /// # Panics
    ///
    /// When there is no such image (yet).
    pub fn id(&self) -> String {
        docker(&["image", "inspect", "--format", "{{.Id}}", &self.tag])
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // May never have come to exist.
        let _ = try_docker(&["image", "rm", "--force", &self.tag]);
        // A product of it whose tag went to a later one has no name any more.
        let products = format!("label=org.opencontainers.image.base.name={}", self.tag);
        let _ = try_docker(&["image", "prune", "--force", "--filter", &products]);
    }
}

/// A container that is removed with its anonymous volumes when the test ends, failed or not.
#[derive(Debug)]
pub struct Container {
    name: String,
}

impl Container {
    /// The container that a `run.sh` starts, detached, with further options of `docker run`.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn by_script(script: &Path, options: &[String]) -> Container {
        let container = Container {
            name: unique("container"),
        };
        run(run_script(script)
            .args(["--detach", "--name", &container.name])
            .args(options));
        container
    }

    /// `docker run --detach ARGS`: options, image and command.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn run(args: &[&str]) -> Container {
        let container = Container {
            name: unique("container"),
        };
        let run = ["run", "--detach", "--name", &container.name];
        docker(&[&run, args].concat());
        container
    }

    /// A container that something else has started, by name or id.
    pub fn existing(name: &str) -> Container {
        Container {
            name: name.to_owned(),
        }
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what `docker inspect --format FORMAT` prints for it.
    ///
    /// # Panics
    ///
    /// When the container is gone.
    pub fn inspect(&self, format: &str) -> String {
        docker(&["inspect", "--format", format, &self.name])
    }

    /// Its address on its network, with a port.
    ///
    /// # Panics
    ///
    /// When it has none, as when it has ended; its log is shown.
    pub fn address(&self, port: u16) -> SocketAddr {
        let address = self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
        let Ok(address) = address.parse() else {
            panic!(
                "container {} has no address; its log:\n{}",
                self.name,
                self.logs()
            );
        };
        SocketAddr::new(address, port)
    }

    /// Returns its stdout and stderr.
    ///
    /// # Panics
    ///
    /// When the container is gone.
    pub fn logs(&self) -> String {
        let output = Command::new(docker_client())
            .args(["logs", &self.name])
            .stdin(Stdio::null())
            .output();
        let output = output.expect("the client answered a moment ago");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// Waits until it has ended, and gives its exit code.
    ///
    /// # Panics
    ///
    /// When the container is gone.
    pub fn wait(&self) -> i32 {
        docker(&["wait", &self.name])
            .parse()
            .expect("docker wait prints the exit code")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = try_docker(&["rm", "--force", "--volumes", &self.name]);
    }
}

/// A local TCP port that was free a moment ago.
///
/// # Panics
///
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener
        .local_addr()
        .expect("a bound listener has an address")
        .port()
}

/// Waits until the condition holds, asking every 50 ms.
///
/// # Panics
///
/// When it does not within the time; `what` says what was waited for.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}

/// Waits until there is a value, asking every 50 ms.
///
/// # Panics
///
/// When there is none within the time; `what` says what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut value: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}, in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields by lower-case name; the last one wins.
    pub headers: BTreeMap<String, String>,
    /// The body, with any chunks joined.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One `GET` over HTTP/1.1, 10 s at most.
///
/// # Errors
///
/// When nobody listens, the connection breaks, or what comes is not HTTP.
pub fn try_http_get(address: impl ToSocketAddrs, path: &str) -> std::io::Result<Answer> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let limit = Duration::from_secs(10);
    let address = address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| invalid("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;

    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| invalid("no HTTP status line"))?;
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(invalid("the headers do not end"));
        }
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if headers
        .get("transfer-encoding")
        .is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked"))
    {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let digits = line.trim().split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(digits, 16).map_err(|_| invalid("a chunk without its size"))?;
            if size == 0 {
                break;
            }
            let read = reader.by_ref().take(size).read_to_end(&mut body)?;
            if read as u64 != size {
                return Err(invalid("a chunk is cut short"));
            }
            line.clear();
            reader.read_line(&mut line)?;
        }
    } else if let Some(length) = headers
        .get("content-length")
        .and_then(|length| length.parse::<u64>().ok())
    {
        let read = reader.take(length).read_to_end(&mut body)?;
        if read as u64 != length {
            return Err(invalid("the body is cut short"));
        }
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// As [`try_http_get`], waiting up to 30 s for somebody to answer.
///
/// # Panics
///
/// When nobody does.
pub fn http_get(address: impl ToSocketAddrs + Clone, path: &str) -> Answer {
    wait_for(
        &format!("an answer to GET {path}"),
        Duration::from_secs(30),
        || try_http_get(address.clone(), path).ok(),
    )
}

/// Fails the test unless the command succeeded; shows both its streams if not.
///
/// # Panics
///
/// When the exit code is another.
pub fn assert_exit(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout:\n{}\nstderr:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs a command to its end and returns its standard output.
///
/// # Panics
///
/// When it fails; with what it said on standard error.
pub fn run(command: &mut Command) -> String {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The `report.json` of an output directory.
///
/// # Panics
///
/// When there is none.
pub fn report(output: &Path) -> serde_json::Value {
    let bytes = std::fs::read(output.join("report.json")).expect("slim wrote a report");
    serde_json::from_slice(&bytes).expect("the report is JSON")
}

/// The plan of an output directory.
///
/// # Panics
///
/// When there is none.
pub fn plan(output: &Path) -> slim_core::plan::Plan {
    let bytes = std::fs::read(output.join("plan.json")).expect("slim wrote a plan");
    serde_json::from_slice(&bytes).expect("the plan is one of this version")
}

/// The options of `docker run` that confine a container by the profiles of an output directory.
///
/// # Panics
///
/// When there is no report.
pub fn confined(output: &Path) -> Vec<String> {
    let seccomp = format!("--security-opt=seccomp={}", output.join("seccomp.json").display());
    let report = report(output);
    let granted = report["capabilities"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str());
    [seccomp, "--cap-drop=ALL".into()]
        .into_iter()
        .chain(granted.map(|name| format!("--cap-add={name}")))
        .collect()
}

/// An image's size in bytes.
///
/// # Panics
///
/// When there is no such image.
pub fn size(image: &str) -> u64 {
    docker(&["image", "inspect", "--format", "{{.Size}}", image])
        .parse()
        .expect("a size is a number")
}
