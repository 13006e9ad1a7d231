//! `cargo xtask fuzz`: every fuzz target for a while (`language` for each language), from the seeds in `fuzz/seeds/` and what
//! earlier runs found.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{packages, sh};

/// Megabytes that one target may use: a file that makes slim take more is a defect.
const MEMORY: u32 = 2048;
/// Seconds that one input may take.
const INPUT_SECONDS: u32 = 10;

/// The time that targets run.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// Each for so many seconds.
    Each(u64),
    /// All of them together, their build included.
    InAll(Duration),
}

/// Seconds that a target runs at least, even when the build took all the time there was.
const LEAST: u64 = 5;
/// Seconds between a target's start and end in which it fuzzes nothing: cargo, and the seeds.
const OVERHEAD: u64 = 2;

/// Runs each target, as many at once as there are processors.
///
/// # Errors
///
/// When a target cannot be built, or an input makes one fail: the message names the input's file.
pub(crate) fn run(limit: Limit) -> Result<()> {
    let start = Instant::now();
    packages::install_subcommand("fuzz")?;
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
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let seconds = match limit {
        Limit::Each(seconds) => seconds,
        Limit::InAll(time) => share(time.saturating_sub(start.elapsed()), targets.len(), workers),
    };
    let corpus = sh::cache_directory()?.join("fuzz");
    let left = Mutex::new(VecDeque::from(targets));
    let failed = Mutex::new(Vec::new());
    let lock =
        |left: &Mutex<VecDeque<String>>| left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
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
                            format!("-timeout={INPUT_SECONDS}"),
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

/// Returns the seconds that each target may run so that all of them end in time.
fn share(time: Duration, targets: usize, workers: usize) -> u64 {
    let rounds = targets.div_ceil(workers).max(1) as u64;
    (time.as_secs() / rounds).saturating_sub(OVERHEAD).max(LEAST)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_seeds() {
        let directory = sh::workspace().join("fuzz");
        for target in targets(&directory).expect("the targets are readable") {
            let seeds = stems(&directory.join("seeds").join(&target)).unwrap_or_default();
            assert!(!seeds.is_empty(), "fuzz/seeds/{target} holds nothing");
        }
    }

    #[test]
    fn targets_share_the_time() {
        for (seconds, targets, workers) in [(450, 19, 2), (450, 19, 64), (400, 1, 1), (300, 20, 3)] {
            let each = share(Duration::from_secs(seconds), targets, workers) + OVERHEAD;
            let rounds = targets.div_ceil(workers) as u64;
            assert!(each * rounds <= seconds && (each + 1) * rounds > seconds);
        }
        assert_eq!(share(Duration::ZERO, 19, 2), LEAST);
    }
}
