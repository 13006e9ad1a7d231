//! `cargo xtask matrix`: whether products start and answer under their profiles with each runtime, with and without
//! no-new-privileges. Each is run by its own `run.sh`, as a user would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::engine::Docker;
use crate::packages::For;
use crate::runtime::{self, Runtime};
use crate::samples::{FIXTURES, SAMPLES};
use crate::scratch_engine::ScratchEngine;
use crate::sh::{self, Scratch};
use crate::{docs, samples, setup};

/// The time that a product may take to answer everything as the original did.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the products in these directories, or without any of the samples named (or all), with `fixtures` of the
/// end-to-end tests' applications too, and prints a Markdown table on stdout.
///
/// # Errors
///
/// When one does not answer as its original; the reasons stand under the table.
pub(crate) fn run(names: &[String], fixtures: bool, directories: &[PathBuf]) -> Result<()> {
    let docker = setup::run(For::Tests)?;
    let mut rows: Vec<(String, Result<Product>)> = Vec::new();
    for directory in directories {
        let name = directory.file_name().unwrap_or(directory.as_os_str());
        rows.push((name.to_string_lossy().into_owned(), Product::read(directory)));
    }
    // They go when this function ends.
    let mut images = Vec::new();
    if directories.is_empty() {
        let slim = docs::build_slim("dev")?;
        let samples = if names.is_empty() {
            SAMPLES.all()?
        } else {
            names.to_vec()
        };
        let fixtures = if fixtures { FIXTURES.all()? } else { Vec::new() };
        samples::build(&docker, names)?;
        FIXTURES.build(&docker, &fixtures)?;
        let of = |group, names: Vec<String>| names.into_iter().map(move |name| (group, name));
        for (group, name) in of(&SAMPLES, samples).chain(of(&FIXTURES, fixtures)) {
            let original = group.image(&name);
            let image = Image::to_be(&docker, &original);
            rows.push((
                format!("{}/{name}", group.folder),
                Product::build(&slim, &original, &image.tag),
            ));
            images.push(image);
        }
    }

    let scratch = Scratch::new("matrix")?;
    let programs = runtime::installed()?;
    let runtimes: Vec<Runtime> = programs
        .iter()
        .map(|program| Runtime::inspect(program, scratch.path()))
        .collect::<Result<_>>()?;
    let engine = ScratchEngine::start(&docker, &runtimes, scratch)?;
    let columns: Vec<Column> = runtimes
        .iter()
        .flat_map(|runtime| {
            [false, true].map(|no_new_privileges| Column {
                runtime,
                no_new_privileges,
            })
        })
        .collect();
    let titles: Vec<String> = columns.iter().map(Column::title).collect();
    println!("| product | {} |", titles.join(" | "));
    println!("|---|{}", "---|".repeat(titles.len()));
    let mut failed = Vec::new();
    for (name, product) in rows {
        let loaded = product.and_then(|product| engine.load(&docker, &product.image).map(|()| product));
        let cells: Vec<String> = match loaded {
            Ok(product) => columns
                .iter()
                .map(|column| {
                    product.check(&engine, column).unwrap_or_else(|error| {
                        failed.push(format!("{name}, {}: {error:#}", column.title()));
                        "FAILED".to_owned()
                    })
                })
                .collect(),
            Err(error) => {
                failed.push(format!("{name}: {error:#}"));
                vec!["not run".to_owned(); columns.len()]
            }
        };
        println!("| {name} | {} |", cells.join(" | "));
    }
    if !failed.is_empty() {
        println!();
        for reason in &failed {
            // One line of a list each, whatever a program wrote.
            let words: Vec<&str> = reason.split_whitespace().collect();
            println!("- {}", words.join(" "));
        }
        bail!("{} did not answer as their originals", failed.len());
    }
    Ok(())
}

/// A way to run products.
struct Column<'a> {
    runtime: &'a Runtime,
    no_new_privileges: bool,
}

impl Column<'_> {
    fn title(&self) -> String {
        let more = if self.no_new_privileges { " + nnp" } else { "" };
        format!("{} {}{more}", self.runtime.name, self.runtime.version)
    }
}

/// The image that a build makes for the matrix; it is removed with this.
struct Image<'a> {
    docker: &'a Docker,
    tag: String,
}

impl<'a> Image<'a> {
    fn to_be(docker: &'a Docker, original: &str) -> Self {
        Self {
            docker,
            tag: format!("{original}-matrix"),
        }
    }
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        let _ = self.docker.output(&["image", "rm", &self.tag]);
    }
}

/// The output of `slim build`.
struct Product {
    directory: PathBuf,
    image: String,
    needs_privilege_gain: bool,
    /// The requests to the original, and its answers.
    exchanges: Vec<Value>,
}

impl Product {
    fn build(slim: &Path, original: &str, tag: &str) -> Result<Self> {
        let directory = sh::target_directory()?.join("matrix").join(original);
        let mut build = sh::root(slim);
        build.args(["build", original, "--tag", tag, "--output"]);
        sh::output(build.arg(&directory))?;
        Self::read(&directory)
    }

    fn read(directory: &Path) -> Result<Self> {
        let json = |name: &str| -> Result<Value> {
            let path = directory.join(name);
            let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
            serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", path.display()))
        };
        let (report, recording) = (json("report.json")?, json("recording.json")?);
        let image = report["product"]["tags"][0].as_str();
        let image = image.with_context(|| format!("{} has no image with a tag", directory.display()))?;
        let exchanges: Vec<Value> = elements(&recording["runs"])
            .flat_map(|run| elements(&run["exchanges"]))
            .cloned()
            .collect();
        ensure!(!exchanges.is_empty(), "the original was asked nothing");
        Ok(Self {
            directory: directory.to_owned(),
            image: image.to_owned(),
            needs_privilege_gain: elements(&report["privilege_gain"]).next().is_some(),
            exchanges,
        })
    }

    /// Runs it; what the table says of that.
    fn check(&self, engine: &ScratchEngine, column: &Column<'_>) -> Result<String> {
        if self.needs_privilege_gain && column.no_new_privileges {
            return Ok("needs privilege gain".to_owned());
        }
        let container = Container::start(engine, &self.directory, column)?;
        let deadline = Instant::now() + LIMIT;
        for exchange in &self.exchanges {
            container
                .answers_alike(exchange, deadline)
                .with_context(|| container.state())?;
        }
        Ok(format!("{0} of {0} alike", self.exchanges.len()))
    }
}

/// The elements of a list, or the values of an object.
fn elements(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(object) => Box::new(object.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// A container of a product; it is removed with this.
struct Container<'a> {
    engine: &'a ScratchEngine,
    id: String,
}

impl<'a> Container<'a> {
    fn start(engine: &'a ScratchEngine, directory: &Path, column: &Column<'_>) -> Result<Self> {
        // The name is known before there is a container: one that was created and did not start is removed too.
        let id = format!("slim-matrix-{}", std::process::id());
        let mut run = sh::root("sh");
        run.env("DOCKER", engine.docker().client());
        run.arg(directory.join("run.sh"));
        run.args(["--detach", "--name", &id, "--runtime", column.runtime.name]);
        // The last one counts: `run.sh` asks for it by itself where it can.
        let no_new_privileges = format!("no-new-privileges={}", column.no_new_privileges);
        run.args(["--security-opt", &no_new_privileges]);
        let container = Self { engine, id };
        sh::output(&mut engine.docker().reached_by(run)).map(|_| container)
    }

    fn inspect(&self, format: &str) -> Result<String> {
        self.engine
            .docker()
            .output(&["inspect", "--format", format, &self.id])
    }

    /// Repeats a question until the answer is the recorded one.
    fn answers_alike(&self, exchange: &Value, deadline: Instant) -> Result<()> {
        let (question, expected) = match exchange["protocol"].as_str() {
            Some("http") if exchange["tls"] == false && exchange["body"].is_null() => (
                format!("{} {}", text(&exchange["method"]), text(&exchange["path"])),
                format!(
                    "{} {}",
                    exchange["response"]["status"],
                    text(&exchange["response"]["body"]["digest"])
                ),
            ),
            Some("exec") => (
                format!("exec {}", exchange["command"]),
                format!(
                    "{} {}",
                    exchange["exit_code"],
                    text(&exchange["stdout"]["digest"])
                ),
            ),
            _ => bail!("this command does not ask again what it was asked: {exchange}"),
        };
        loop {
            let answer = if exchange["protocol"] == "http" {
                self.http(exchange)
            } else {
                self.exec(exchange)
            };
            let difference = match answer {
                Ok(answer) if answer == expected => return Ok(()),
                Ok(answer) => format!("{question}: expected {expected}, got {answer}"),
                Err(error) => format!("{question}: {error:#}"),
            };
            let running = self.inspect("{{.State.Running}}")? == "true";
            ensure!(running && Instant::now() < deadline, "{difference}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Status and digest of the answer.
    fn http(&self, exchange: &Value) -> Result<String> {
        let address = self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")?;
        let port = exchange["port"].as_u64().context("a request without a port")?;
        // HTTP/1.0: the body is all that comes until the connection is closed.
        let mut request = format!(
            "{} {} HTTP/1.0\r\nHost: {address}:{port}\r\n",
            text(&exchange["method"]),
            text(&exchange["path"])
        );
        for header in elements(&exchange["headers"]) {
            request += &format!("{}: {}\r\n", text(&header["name"]), text(&header["value"]));
        }
        let answer = self.engine.ask(&address, port, &(request + "\r\n"))?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.context("no answer in HTTP")? + 4);
        let head = String::from_utf8_lossy(head);
        let status = head.split(' ').nth(1).context("no status")?;
        Ok(format!("{status} sha256:{}", sh::digest(body)?))
    }

    /// Exit code and digest of the output of a command, or without one of the container's own program.
    fn exec(&self, exchange: &Value) -> Result<String> {
        let docker = self.engine.docker();
        let command: Vec<&str> = elements(&exchange["command"]).filter_map(Value::as_str).collect();
        let (code, output) = if command.is_empty() {
            let code = docker.output(&["wait", &self.id])?;
            let logs = docker.command().args(["logs", &self.id]).output();
            (code, logs.context("could not run docker")?)
        } else {
            let output = docker.command().args(["exec", &self.id]).args(command).output();
            let output = output.context("could not run docker")?;
            (output.status.code().unwrap_or(-1).to_string(), output)
        };
        Ok(format!("{code} sha256:{}", sh::digest(&output.stdout)?))
    }

    /// Its state, for an error.
    fn state(&self) -> String {
        let state = self
            .inspect("{{.State.Status}}, exit code {{.State.ExitCode}}")
            .unwrap_or_default();
        let mut logs: Command = self.engine.docker().command();
        let logs = logs.args(["logs", "--tail", "3", &self.id]).output();
        let stderr = logs.map(|logs| String::from_utf8_lossy(&logs.stderr).trim().replace('\n', "; "));
        format!("{state}, its log: {:?}", stderr.unwrap_or_default())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self
            .engine
            .docker()
            .output(&["rm", "--force", "--volumes", &self.id]);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
