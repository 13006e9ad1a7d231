//! `cargo xtask check`: every check that needs neither root nor a container engine nor the eBPF toolchain.

use std::process::Command;

use anyhow::Result;

use crate::docs;
use crate::sh::{self, Scratch};
use crate::steps::Steps;

/// The files of `tests/tests/` that need neither root nor an engine.
const WITHOUT_ENGINE: [&str; 4] = ["--test", "commands", "--test", "check"];

/// Runs the checks.
///
/// # Errors
///
/// When one failed; the summary names it.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::default();
    add_to(&mut steps);
    steps.finish()
}

/// Runs the checks as steps of a longer list.
pub(crate) fn add_to(steps: &mut Steps) {
    steps.run("format", || {
        sh::run(sh::cargo().args(["fmt", "--all", "--check"]))
    });
    steps.run("lints", || {
        let mut clippy = sh::cargo();
        clippy.args(["clippy", "--workspace", "--all-targets", "--quiet"]);
        sh::run(clippy.args(["--", "--deny", "warnings"]))
    });
    // The program that those tests run. Built together with tests, since cargo enables features of development
    // dependencies only then, and would build the dependencies a second time.
    let built = steps.run("build", || {
        sh::run(
            sh::cargo()
                .args(["build", "--workspace", "--bins"])
                .args(WITHOUT_ENGINE),
        )
    });
    if built {
        cargo_test(
            steps,
            "unit tests",
            &[&["--workspace", "--lib", "--bins"], &WITHOUT_ENGINE[..]].concat(),
            &mut sh::cargo(),
        );
        steps.run("generated documents", || {
            docs::run_with(&docs::built("dev")?.join("slim"), true)
        });
    } else {
        steps.skip("unit tests", "they could not be built");
        steps.skip("generated documents", "what writes them could not be built");
    }
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
}

/// Runs `cargo test ARGUMENTS` as a step, with `cargo` as the command to start from, and notes the tests that left
/// themselves out.
pub(crate) fn cargo_test<S: AsRef<str>>(steps: &mut Steps, name: &str, arguments: &[S], cargo: &mut Command) {
    let mut skipped = Vec::new();
    steps.run(name, || {
        let scratch = Scratch::new("test")?;
        let list = scratch.path().join("skipped");
        cargo
            .arg("test")
            .args(arguments.iter().map(AsRef::as_ref))
            .env("SLIM_TEST_SKIPPED", &list);
        let result = sh::run(cargo);
        // Without a file nothing was skipped.
        let list = std::fs::read_to_string(list).unwrap_or_default();
        let lines = list.lines().filter_map(|line| line.split_once(": "));
        skipped.extend(lines.map(|(test, why)| (test.to_owned(), why.to_owned())));
        result
    });
    for (test, why) in &skipped {
        steps.skip(test, why);
    }
}
