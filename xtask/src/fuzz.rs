//! `cargo xtask fuzz`: every fuzz target for a while (`language` for each language), from the seeds in `fuzz/seeds/` and what
//! earlier runs found.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::sh;

/// Megabytes that one target may use: a file that makes slim take more is a defect.
const MEMORY: u32 = 2048;
/// Seconds that one input may take.
const PATIENCE: u32 = 10;

/// Installs cargo-fuzz when it is missing.
///
/// # Errors
///
/// When cargo fails to install it.
pub(crate) fn install() -> Result<()> {
    if sh::succeeds(Command::new("cargo").args(["fuzz", "--version"])) {
        return Ok(());
    }
    eprintln!("cargo-fuzz is missing and will be built (half a minute):");
    sh::run(
        sh::cargo()
            .args(["install", "--quiet", "--locked", "cargo-fuzz"])
            .env_remove("CARGO_TARGET_DIR"),
    )
}

/// Runs each target for so many seconds, as many at once as there are processors.
///
/// # Errors
///
/// When a target cannot be built, or an input makes one fail: the message names the input's file.
pub(crate) fn run(seconds: u32) -> Result<()> {
    install()?;
    let directory = sh::workspace().join("fuzz");
    let targets = targets(&directory)?;
    // Its flags would rebuild everything in the workspace's own directory again and again.
    let built = sh::target_directory()?.join("fuzz");
    let fuzz = |subcommand: &str| {
        let mut command = sh::cargo();
        // Coverage flags for the compiler are unstable ones.
        command
            .current_dir(sh::workspace())
            .env("RUSTC_BOOTSTRAP", "1")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .args(["fuzz", subcommand, "--fuzz-dir", "fuzz", "--sanitizer", "none"])
            .arg("--target-dir")
            .arg(&built);
        command
    };
    sh::run(&mut fuzz("build"))?;
    let corpus = sh::cache_directory()?.join("fuzz");
    let left = Mutex::new(VecDeque::from(targets));
    let failed = Mutex::new(Vec::new());
    let lock =
        |left: &Mutex<VecDeque<String>>| left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = lock(&left) {
                    let found = corpus.join(&target);
                    // A folder of seeds in a target's own is a language's.
                    let (binary, language) = match target.split_once('/') {
                        Some((binary, language)) => (binary, Some(language)),
                        None => (target.as_str(), None),
                    };
                    let mut command = fuzz("run");
                    command
                        .envs(language.map(|language| ("SLIM_FUZZ_LANGUAGE", language)))
                        .arg(binary)
                        .arg(&found)
                        .arg(directory.join("seeds").join(&target))
                        .arg("--")
                        .args([
                            format!("-max_total_time={seconds}"),
                            format!("-rss_limit_mb={MEMORY}"),
                            format!("-timeout={PATIENCE}"),
                            "-max_len=16384".to_owned(),
                            "-verbosity=0".to_owned(),
                            "-print_final_stats=1".to_owned(),
                        ]);
                    let done = std::fs::create_dir_all(&found)
                        .with_context(|| format!("could not make {}", found.display()))
                        .and_then(|()| sh::run(&mut command));
                    if let Err(error) = done {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push(format!("{target}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        bail!("{}; the inputs are in fuzz/artifacts", failed.join("; "));
    }
    Ok(())
}

/// Returns the names of the targets, sorted; `language/NAME` for each language that has a folder of seeds.
fn targets(directory: &Path) -> Result<Vec<String>> {
    let mut names = stems(&directory.join("fuzz_targets"))?;
    names.retain(|name| name != "language");
    for language in stems(&directory.join("seeds/language"))? {
        names.push(format!("language/{language}"));
    }
    names.sort();
    Ok(names)
}

/// Returns the names in a directory, without extensions.
fn stems(directory: &Path) -> Result<Vec<String>> {
    let unread = || format!("could not read {}", directory.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(unread)? {
        let path: PathBuf = entry.with_context(unread)?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    Ok(names)
}
