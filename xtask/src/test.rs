//! `cargo xtask test`: every check and every test, and at the end what ran, how long it took and what was left out.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::check::{self, cargo_test};
use crate::engine::Docker;
use crate::fuzz::{self, Limit};
use crate::packages::For;
use crate::sh;
use crate::steps::Steps;
use crate::{corpus, ebpf, packages, samples, setup, vm};

/// The time that fuzzing takes, the build of its targets included.
const FUZZING: Duration = Duration::from_secs(7 * 60 + 30);

/// Runs everything; with arguments, only `cargo test ARGUMENTS` after the same set-up.
///
/// # Errors
///
/// When a step failed; the summary names it.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    let mut docker = None;
    let ready = steps.run("set-up", || {
        docker = Some(setup::run(For::Tests)?);
        Ok(())
    });
    // A failure below would not tell a defect from a machine that is not ready.
    let Some(docker) = docker.filter(|_| ready) else {
        return steps.finish();
    };
    if arguments.is_empty() {
        check::add_to(&mut steps);
        steps.run("features", check_features);
        steps.run("examples in the documentation", || {
            sh::run(sh::cargo().args(["test", "--workspace", "--doc", "--quiet"]))
        });
        compare_object(&mut steps);
        check_dependencies(&mut steps);
    }

    // The end-to-end tests run the program as a user would, so it is built with them. All targets at once: what cargo
    // builds for the tests alone has other features of the dependencies, and would be a second build of those.
    let built = steps.run("build of everything", || {
        sh::run(sh::cargo().args(["build", "--workspace", "--all-targets"]))
    });
    let ready = steps.run("samples", || samples::build(&docker, &[])) && built;
    if !ready {
        steps.skip("tests", "what they run could not be built");
    } else if !arguments.is_empty() {
        cargo_test(&mut steps, "tests", arguments, &mut traced_tests(&docker)?);
    } else {
        // Unit tests are among the checks.
        let all = ["--workspace", "--no-fail-fast", "--test", "*"];
        cargo_test(&mut steps, "end-to-end tests", &all, &mut traced_tests(&docker)?);
    }
    if !arguments.is_empty() {
        return steps.finish();
    }

    if ready {
        steps.run("ten applications of the corpus", || {
            corpus::run(corpus::Options::ten())
        });
    } else {
        steps.skip(
            "ten applications of the corpus",
            "what runs them could not be built",
        );
    }
    match packages::install_subcommand("fuzz") {
        Ok(()) => {
            steps.run("fuzzing", || fuzz::run(Limit::InAll(FUZZING)));
        }
        Err(error) => steps.lacks("fuzzing", &format!("{error:#}")),
    }
    // What this kernel cannot show; the machine's disks are kept in the cache directory.
    if !cfg!(target_arch = "x86_64") {
        steps.skip("Linux 6.1", "its virtual machine is an x86-64 one");
    } else if ready {
        steps.run("Linux 6.1", || vm::test(&["6.1".to_owned()], true));
    } else {
        steps.skip("Linux 6.1", "what runs in it could not be built");
    }
    steps.finish()
}

/// The sets of features that the library is checked with beside its default: each alone, and none (the tracer and the
/// recording).
const FEATURES: [&str; 6] = ["", "image", "docker", "probe", "languages", "image,probe"];

/// Checks the library with each set of features.
fn check_features() -> Result<()> {
    for features in FEATURES {
        let mut clippy = sh::cargo();
        clippy.args(["clippy", "--quiet", "--package", "slim-core", "--lib"]);
        clippy.args(["--no-default-features", "--features", features]);
        sh::run(clippy.args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}

/// Compares the eBPF program's source with the committed object.
fn compare_object(steps: &mut Steps) {
    if ebpf::is_possible() {
        steps.run("eBPF object", || ebpf::run(true));
    } else {
        steps.lacks(
            "eBPF object",
            "nothing here compiles for BPF, so source and object were not compared",
        );
    }
}

/// Checks licences, sources and duplicates, which are in the lock file; the advisory database would need the network.
fn check_dependencies(steps: &mut Steps) {
    match packages::install_subcommand("deny") {
        Ok(()) => {
            steps.run("dependencies", || {
                sh::run(sh::cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]))
            });
        }
        Err(error) => steps.lacks("dependencies", &format!("{error:#}")),
    }
}

/// Returns a cargo whose test programs reach the engine and, because tracing needs it, run as root; the compiler does
/// not.
///
/// # Errors
///
/// When rustc does not name its host.
fn traced_tests(docker: &Docker) -> Result<Command> {
    let mut command = sh::cargo();
    command.env("SLIM_TEST_DOCKER", docker.client());
    if !sh::is_root() {
        let triple = sh::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        let variable = format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace('-', "_"));
        command.env(variable, "sudo --preserve-env");
    }
    Ok(command)
}
