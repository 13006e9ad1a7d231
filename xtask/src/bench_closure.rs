//! `cargo xtask bench closure`: how long the closure takes in an image of 1 GB and 30,000 files that nobody uses, at first
//! and when slim has seen its files before.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::engine::Docker;
use crate::packages::For;
use crate::{docs, samples, setup, sh};

/// The most that the closure may take, in seconds.
const BOUND: f64 = 2.0;
/// The image that is closed over.
const IMAGE: &str = "slim-bench-closure";

/// Measures, and prints a Markdown table on stdout.
///
/// # Errors
///
/// When something cannot be run, or the closure takes too long.
pub(crate) fn run(runs: usize, profile: &str) -> Result<()> {
    ensure!(runs > 0, "--runs must be at least 1");
    let docker = setup::run(For::Demo)?;
    samples::build(&docker, &["python-flask".to_owned()])?;
    let mut build = sh::cargo();
    sh::run(build.args(["build", "--package", "slim-cli", "--profile", profile]))?;
    let slim = docs::built(profile)?.join("slim");
    fat_image(&docker)?;

    let directory = tempfile()?;
    let output = directory.join("out");
    let store = directory.join("store");
    let (mut first, mut again) = (Vec::new(), Vec::new());
    let mut report = slim_json(&slim, &["build", IMAGE], &output, &store)?;
    let recording = output.join("recording.json");
    let recording = recording.to_string_lossy().into_owned();
    for _ in 0..runs {
        empty(&store)?;
        for times in [&mut first, &mut again] {
            report = slim_json(
                &slim,
                &["generate", &recording, "--image", IMAGE],
                &output,
                &store,
            )?;
            times.push(stage(&report, "plan").context("the report has no stage plan")?);
        }
    }
    std::fs::remove_dir_all(&directory)
        .with_context(|| format!("could not remove {}", directory.display()))?;
    let (first, again) = (median(&mut first), median(&mut again));
    println!("| image | files | kept | index | closure, median of {runs} | again | target |");
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {:.1} GB | {} | {} | {:.2} s | {first:.2} s | {again:.2} s | {BOUND} s |",
        report["before"]["bytes"].as_f64().unwrap_or_default() / 1e9,
        report["before"]["files"],
        report["after"]["files"],
        stage(&report, "image").unwrap_or_default(),
    );
    ensure!(
        first <= BOUND,
        "the closure takes {first:.2} s, more than {BOUND} s"
    );
    Ok(())
}

/// The flask sample with a gigabyte in 30,000 more files.
fn fat_image(docker: &Docker) -> Result<()> {
    samples::from_dockerfile(
        docker,
        IMAGE,
        "FROM slim-sample-python-flask\n\
        RUN python3 -c \"import os; [(os.makedirs(f'/opt/fat/{d}'), [open(f'/opt/fat/{d}/{n}', 'wb').write(os.urandom(30000)) \
        for n in range(100)]) for d in range(300)]\"\n",
    )
}

fn tempfile() -> Result<std::path::PathBuf> {
    let directory = sh::target_directory()?.join("bench/closure");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("could not create {}", directory.display()))?;
    Ok(directory)
}

/// Removes what slim has found in files before.
pub(crate) fn empty(store: &Path) -> Result<()> {
    sh::output(sh::root("rm").args(["-r", "-f", "--"]).arg(store)).map(drop)
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the report of slim with `words`, which keeps what it finds in files in `store`.
pub(crate) fn slim_json(slim: &Path, words: &[&str], output: &Path, store: &Path) -> Result<Value> {
    let mut command = sh::root(slim);
    command
        .args(words)
        .args(["--format", "json", "--output"])
        .arg(output)
        .env("SLIM_STORE", store);
    let text = sh::output(&mut command)?;
    serde_json::from_str(&text).context("slim printed no report")
}

/// Seconds of a stage.
pub(crate) fn stage(report: &Value, name: &str) -> Option<f64> {
    let stages = report["stages"].as_array()?;
    let stage = stages.iter().find(|stage| stage["stage"] == name)?;
    Some(stage["ms"].as_f64()? / 1000.0)
}
