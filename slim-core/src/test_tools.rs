//! The helpers that unit tests share: the programs of others that they compare with.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// A program that a test compares with, out of a Debian package.
///
/// # Panics
///
/// As [`missing`], when it is not installed.
pub(crate) fn tool(program: &str, package: &str) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The `PATH` of an ordinary user lacks the `sbin` directories.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file());
    if found.is_none() {
        missing(&format!("{program} is not installed (package {package})"));
    }
    found.map(Command::new)
}

/// Says that the running test leaves something out because this machine lacks it: in its output and in the file that
/// `SLIM_TEST_SKIPPED` names, from which `cargo xtask` tells it in its summary.
///
/// # Panics
///
/// Where `CI` is set: a machine that is there to test has everything, or the test fails.
pub(crate) fn missing(why: &str) {
    let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    assert!(
        !ci,
        "{why}, and where CI is set nothing is left out: `cargo xtask setup --tests` installs it"
    );
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
