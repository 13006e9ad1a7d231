//! The main job on every sample: build it with no flag but the tag, then run what came out, under its own profiles,
//! and compare its answers with the original's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use slim_core::digest::Digest;
use slim_core::pipeline::load_bodies;
use slim_core::plan::Cause;
use slim_core::probe::{BoxError, ExecOutput, Target, replay};
use slim_core::recording::{Exchange, ExchangeKind, Recording, SocketUse};
use slim_core::report::explain;
use slim_tests::{Container, Image, confined, plan, report, run, size, slim, wait_until};

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

/// A container of the product.
struct Product(Container);

impl Product {
    fn start(image: &str, directory: &Path, mode: Mode) -> Self {
        let container = if matches!(mode, Mode::RunScript) {
            Container::by_script(&directory.join("run.sh"))
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
        Self(container)
    }
}

#[async_trait::async_trait]
impl Target for Product {
    async fn running(&self) -> Result<bool, BoxError> {
        Ok(self.0.inspect("{{.State.Running}}") == "true")
    }

    fn listening(&self) -> Vec<SocketUse> {
        Vec::new()
    }

    fn exposed(&self) -> Vec<(u16, String)> {
        Vec::new()
    }

    async fn endpoint(&self, port: u16) -> Option<SocketAddr> {
        Some(self.0.address(port))
    }

    async fn exec(&self, command: &[String]) -> Result<ExecOutput, BoxError> {
        let output = Command::new("docker")
            .arg("exec")
            .arg(self.0.name())
            .args(command)
            .output()?;
        let exit_code = output.status.code().unwrap_or(-1).into();
        Ok(ExecOutput {
            exit_code,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    async fn wait(&self) -> Result<i64, BoxError> {
        // The probe waits for an end beside its questions, and gives up waiting when they are answered.
        let mut command = tokio::process::Command::new("docker");
        let output = command
            .args(["wait", self.0.name()])
            .kill_on_drop(true)
            .output()
            .await?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }

    fn first_answer(&self) {}

    async fn interrupted(&self) {
        std::future::pending().await
    }

    fn progress(&self, _: &str) {}
}

/// Status and body of each answer, by request.
fn answers(exchanges: &[Exchange]) -> BTreeMap<String, String> {
    let answer = |exchange: &Exchange| match &exchange.kind {
        ExchangeKind::Http(http) => {
            let answer = http.response.as_ref().map_or("no answer".to_owned(), |response| {
                format!("{} {}", response.status, response.body.digest)
            });
            (format!("{} :{}{}", http.method, http.port, http.path), answer)
        }
        ExchangeKind::Tcp(tcp) => (format!("tcp :{}", tcp.port), tcp.received.digest.to_string()),
        ExchangeKind::Exec(exec) => (
            format!("exec {}", exec.command.join(" ")),
            format!("{} {}", exec.exit_code, exec.stdout.digest),
        ),
    };
    exchanges.iter().map(answer).collect()
}

fn build(sample: &str) -> (tempfile::TempDir, Image) {
    let original = Image::sample(sample);
    let product = Image::to_be(sample);
    let directory = tempfile::tempdir().unwrap();
    run(slim()
        .args(["build", &original, "--tag", product.tag(), "--output"])
        .arg(directory.path()));
    (directory, product)
}

fn check(sample: &str) {
    let (directory, product) = build(sample);
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
            replayed(tag, directory.path(), mode, &exchanges, &bodies),
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

fn replayed(
    tag: &str,
    directory: &Path,
    mode: Mode,
    exchanges: &[Exchange],
    bodies: &BTreeMap<Digest, Vec<u8>>,
) -> BTreeMap<String, String> {
    let product = Product::start(tag, directory, mode);
    if let [
        Exchange {
            kind: ExchangeKind::Exec(job),
            ..
        },
    ] = exchanges
        && job.command.is_empty()
    {
        let code = product.0.wait();
        let stdout = Command::new("docker")
            .args(["logs", product.0.name()])
            .output()
            .unwrap()
            .stdout;
        return BTreeMap::from([("exec ".into(), format!("{code} {}", Digest::of(&stdout)))]);
    }
    for exchange in exchanges {
        let port = match &exchange.kind {
            ExchangeKind::Http(http) => http.port,
            ExchangeKind::Tcp(tcp) => tcp.port,
            ExchangeKind::Exec(_) => continue,
        };
        let listening = || std::net::TcpStream::connect(product.0.address(port)).is_ok();
        wait_until(
            &format!("port {port} ({mode:?}): {}", product.0.logs()),
            Duration::from_secs(30),
            listening,
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = runtime.block_on(replay(&product, exchanges, bodies));
    let asked = asked.unwrap_or_else(|error| panic!("{mode:?}: {error}\n{}", product.0.logs()));
    answers(&asked.exchanges)
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
    let (directory, _product) = build("nginx");
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
