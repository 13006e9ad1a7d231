//! `cargo xtask test`: every check and every test, and at the end what ran, how long it took and what was left out.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::engine::Docker;
use crate::packages::For;
use crate::sh::{self, Scratch};
use crate::{docs, ebpf, fuzz, samples, setup, vm};

/// Seconds that each fuzz target runs.
const FUZZED: u32 = 60;

/// What became of a step.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs the steps in order, all of them even when one fails.
struct Steps {
    done: Vec<(String, Duration, Outcome)>,
}

impl Steps {
    fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> bool {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = match step() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("xtask: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.done.push((name.to_owned(), start.elapsed(), outcome));
        passed
    }

    fn skip(&mut self, name: &str, why: &str) {
        self.done
            .push((name.to_owned(), Duration::ZERO, Outcome::Skipped(why.to_owned())));
    }

    /// Prints the table and fails if a step did.
    fn finish(self) -> Result<()> {
        eprintln!("\n== summary");
        let mut failed = Vec::new();
        let width = self.done.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        for (name, time, outcome) in &self.done {
            let outcome = match outcome {
                Outcome::Passed => "passed".to_owned(),
                Outcome::Skipped(why) => format!("skipped: {why}"),
                Outcome::Failed(error) => {
                    failed.push(name.as_str());
                    format!("FAILED: {}", error.lines().next().unwrap_or_default())
                }
            };
            eprintln!("{:>7.1} s  {name:<width$}  {outcome}", time.as_secs_f64());
        }
        if failed.is_empty() {
            Ok(())
        } else {
            bail!("failed: {}", failed.join(", "))
        }
    }
}

/// Runs everything; with arguments, only `cargo test ARGUMENTS` after the same set-up.
///
/// # Errors
///
/// When a step failed; the summary has said which.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut steps = Steps { done: Vec::new() };
    let mut docker = None;
    let ready = steps.run("set-up", || {
        docker = Some(setup::run(For::Tests)?);
        Ok(())
    });
    // Nothing below can be told apart from a machine that is not ready.
    let Some(docker) = docker.filter(|_| ready) else {
        return steps.finish();
    };

    // The end-to-end tests run the program as a user would, so it is built with them. All targets at once: what cargo
    // builds for the tests alone has other features of the dependencies, and would be a second build of those.
    let built = steps.run("build", || {
        sh::run(sh::cargo().args(["build", "--workspace", "--all-targets"]))
    });
    let sampled = steps.run("samples", || samples::build(&docker, &[]));
    let all = ["--workspace".to_owned(), "--no-fail-fast".to_owned()];
    let tests = |steps: &mut Steps, arguments: &[String]| {
        if built && sampled {
            let mut skipped = Vec::new();
            steps.run("tests", || cargo_test(&docker, arguments, &mut skipped));
            for (test, why) in &skipped {
                steps.skip(test, why);
            }
        } else {
            steps.skip("tests", "what they run could not be built");
        }
    };
    if !arguments.is_empty() {
        tests(&mut steps, arguments);
        return steps.finish();
    }

    steps.run("format", || {
        sh::run(sh::cargo().args(["fmt", "--all", "--check"]))
    });
    steps.run("lints", || {
        sh::run(sh::cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ]))
    });
    steps.run("documentation", || {
        let mut doc = sh::cargo();
        doc.args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--quiet",
        ]);
        sh::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    });
    steps.run("generated documents", || {
        docs::run_with(&docs::built("dev")?.join("slim"), true)
    });
    if ebpf::is_possible() {
        steps.run("eBPF object", || ebpf::run(true));
    } else {
        steps.skip(
            "eBPF object",
            "nothing here compiles for BPF, so source and object were not compared",
        );
    }
    if sh::succeeds(Command::new("cargo").args(["deny", "--version"])) {
        // Licences, sources and duplicates are in the lock file; the advisory database needs the network.
        steps.run("dependencies", || {
            sh::run(sh::cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]))
        });
    } else {
        steps.skip(
            "dependencies",
            "cargo-deny is not installed (cargo install cargo-deny)",
        );
    }
    tests(&mut steps, &all);
    match fuzz::install() {
        Ok(()) => {
            steps.run("fuzzing", || fuzz::run(FUZZED));
        }
        Err(_) => steps.skip("fuzzing", "cargo-fuzz could not be installed"),
    }
    // What this kernel cannot show; the machine's disks are kept in the cache directory.
    if !cfg!(target_arch = "x86_64") {
        steps.skip("Linux 6.1", "its virtual machine is an x86-64 one");
    } else if built && sampled {
        steps.run("Linux 6.1", || vm::test(&["6.1".to_owned()], true));
    } else {
        steps.skip("Linux 6.1", "what runs in it could not be built");
    }
    steps.finish()
}

/// Runs tests, and adds those that left themselves out, with their reasons.
fn cargo_test(docker: &Docker, arguments: &[String], skipped: &mut Vec<(String, String)>) -> Result<()> {
    let scratch = Scratch::new("test")?;
    let told = scratch.path().join("skipped");
    let mut command = sh::cargo();
    command
        .arg("test")
        .args(arguments)
        .env("SLIM_TEST_DOCKER", docker.client())
        .env("SLIM_TEST_SKIPPED", &told);
    if !sh::is_root() {
        // Tracing needs root: the test programs run as root, the compiler does not.
        let triple = sh::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        let variable = format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace('-', "_"));
        command.env(variable, "sudo --preserve-env");
    }
    let result = sh::run(&mut command);
    // Nothing was skipped where there is no file.
    let told = std::fs::read_to_string(told).unwrap_or_default();
    let lines = told.lines().filter_map(|line| line.split_once(": "));
    skipped.extend(lines.map(|(test, why)| (test.to_owned(), why.to_owned())));
    result
}
