//! `cargo xtask corpus`: real applications, each slimmed with no flag beyond what `docker run` needs, and asked what the probe did
//! not ask: plain, and under their profiles.

mod checks;
mod http;
mod needed;
mod results;
#[cfg(test)]
mod rules;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::engine::Docker;
use crate::samples::CORPUS;
use crate::{docs, packages, setup, sh};
use checks::{Application, Half};
pub(crate) use results::{DOCUMENT, document};
use run::Launch;

/// What is run of the corpus, and how.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Only these folders of tests/corpus
    names: Vec<String>,
    /// This program instead of the one of this tree
    #[arg(long, value_name = "PATH")]
    slim: Option<PathBuf>,
    /// Do not measure what the checks need
    #[arg(long)]
    quick: bool,
    /// Only build them and ask two originals, which have to answer alike
    #[arg(long, conflicts_with_all = ["slim", "quick", "keep"])]
    originals: bool,
    /// Write the results, of the release program, to tests/corpus/latest-runs.toml
    #[arg(long, conflicts_with = "quick")]
    keep: bool,
    /// As many applications as this, chosen at random among those that have a latest run
    #[arg(long, value_name = "N", conflicts_with = "names")]
    random: Option<usize>,
    /// The seed of that; the commit by default
    #[arg(long, requires = "random")]
    seed: Option<String>,
    /// Begin no further application after so many minutes
    #[arg(long, value_name = "MINUTES")]
    limit: Option<u64>,
}

impl Options {
    /// Ten applications in a quarter of an hour, not measured.
    pub(crate) fn ten() -> Self {
        Self {
            quick: true,
            random: Some(10),
            limit: Some(13),
            ..Self::default()
        }
    }
}

/// What became of one application.
struct Outcome {
    half: Half,
    run: results::Latest,
    /// Failed checks, each with what it answered.
    failures: Vec<String>,
    /// Names of failed checks that are not known to fail.
    unexpected: Vec<String>,
}

/// Runs applications of the corpus; prints a line for each and what failed.
///
/// # Errors
///
/// A name that is no application, one that cannot be built or asked, and checks that fail and are not known to.
pub(crate) fn run(options: Options) -> Result<()> {
    let docker = setup::run(packages::For::Tests)?;
    let Options {
        mut names,
        slim,
        quick,
        originals,
        keep,
        random,
        seed,
        limit,
    } = options;
    let all = CORPUS.all()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no application {unknown:?}; there are {}",
            all.join(", ")
        );
    }
    if originals {
        return ask_originals(&docker, if names.is_empty() { &all } else { &names });
    }
    let slim = match slim {
        Some(slim) => slim,
        None => docs::build_slim(if keep { "release" } else { "dev" })?,
    };
    if let Some(number) = random {
        let seed = seed.unwrap_or_else(commit);
        // What fails of the others is not known yet.
        let known = results::known()?;
        let among: Vec<String> = all.iter().filter(|name| known.contains(*name)).cloned().collect();
        names = chosen(&among, number, &seed)?;
        println!("seed {seed}: {}", names.join(" "));
    } else if names.is_empty() {
        names.clone_from(&all);
    }
    let began = Instant::now();
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    let mut broken = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if limit.is_some_and(|limit| began.elapsed() > Duration::from_secs(limit * 60)) {
            println!("left out, as the time was over: {}", names[index..].join(" "));
            break;
        }
        let outcome = one(&docker, &slim, name, !quick);
        remove(&docker, name);
        match outcome {
            Ok(mut outcome) => {
                println!("{}", row(&outcome.run));
                for failure in &outcome.failures {
                    println!("    {failure}");
                }
                if keep {
                    outcome.run.date = sh::output(std::process::Command::new("date").arg("+%F"))?;
                    outcome.run.commit = commit();
                    results::keep(outcome.run.clone())?;
                }
                outcomes.insert(name, outcome);
            }
            Err(error) => {
                println!("{name}: {error:#}");
                broken.push(name.clone());
            }
        }
    }
    for half in [Half::Tuned, Half::Unseen] {
        let of: Vec<&Outcome> = outcomes.values().filter(|outcome| outcome.half == half).collect();
        if !of.is_empty() {
            let sum = |count: fn(&Outcome) -> usize| of.iter().map(|outcome| count(outcome)).sum::<usize>();
            println!(
                "{half:?}: {} applications, {} checks: {} as before plain, {} under the profile",
                of.len(),
                sum(|outcome| outcome.run.checks),
                sum(|outcome| outcome.run.plain),
                sum(|outcome| outcome.run.profiled)
            );
        }
    }
    let unexpected: Vec<String> = outcomes
        .iter()
        .filter(|(_, outcome)| !outcome.unexpected.is_empty())
        .map(|(name, outcome)| format!("{name}: {}", outcome.unexpected.join(", ")))
        .collect();
    ensure!(broken.is_empty(), "not run to the end: {}", broken.join(", "));
    ensure!(
        unexpected.is_empty(),
        "checks fail that `known` in checks.toml does not name: {}",
        unexpected.join("; ")
    );
    Ok(())
}

/// Returns the commit of this checkout; "unknown" where it has none or git does not trust its owner.
fn commit() -> String {
    let mut git = std::process::Command::new("git");
    git.current_dir(sh::workspace())
        .args(["rev-parse", "--short=12", "HEAD"]);
    sh::output(&mut git).unwrap_or_else(|_| "unknown".to_owned())
}

/// Returns `number` of the names, in an order that the seed decides.
///
/// # Errors
///
/// When digests cannot be computed.
fn chosen(all: &[String], number: usize, seed: &str) -> Result<Vec<String>> {
    let mut keyed = Vec::new();
    for name in all {
        keyed.push((sh::digest(format!("{seed} {name}").as_bytes())?, name.clone()));
    }
    keyed.sort();
    Ok(keyed.into_iter().take(number).map(|(_, name)| name).collect())
}

/// Returns the line that says what became of an application.
fn row(run: &results::Latest) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let mut line = format!(
        "{}: plain {}/{}, profiled {}/{}, {:.1} MB -> {:.1} MB, {} calls, {:.1} s, {:.0} MB of memory",
        run.app,
        run.plain,
        run.checks,
        run.profiled,
        run.checks,
        mb(run.before),
        mb(run.after),
        run.calls,
        run.milliseconds as f64 / 1e3,
        mb(run.memory)
    );
    for (stage, milliseconds) in &run.stages {
        line.push_str(&format!(", {stage} {:.1} s", *milliseconds as f64 / 1e3));
    }
    if run.needed > 0 {
        line.push_str(&format!(
            "; needed {:.1} MB ({:.2}), {} calls ({:.2}), lacking: {}",
            mb(run.needed),
            run.kept_by_needed(),
            run.calls_needed,
            run.calls_by_needed(),
            if run.lacking.is_empty() {
                "none".to_owned()
            } else {
                run.lacking.join(" ")
            }
        ));
    }
    line
}

/// The tag of the slim image.
fn product(name: &str) -> String {
    format!("{}-slim:corpus", CORPUS.image(name))
}

/// Removes the images of an application; what was not made needs no removal.
fn remove(docker: &Docker, name: &str) {
    for image in [product(name), CORPUS.image(name)] {
        let _ = docker.command().args(["image", "rm", &image]).output();
    }
}

/// Builds the applications of these names and prints what their originals answer to each check.
///
/// # Errors
///
/// When one cannot be built or asked, or two of its originals answer differently.
fn ask_originals(docker: &Docker, names: &[String]) -> Result<()> {
    for name in names {
        let folder = folder(name);
        let application = Application::load(&folder)?;
        let answers = prepare(docker, name, &folder, &application);
        remove(docker, name);
        for (check, answer) in application
            .checks
            .iter()
            .zip(answers.with_context(|| name.clone())?)
        {
            let start = &answer[..answer.len().min(100)];
            println!(
                "{name}: {}: {} bytes, {:?}",
                check.name,
                answer.len(),
                String::from_utf8_lossy(start)
            );
        }
    }
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    sh::workspace().join(CORPUS.folder).join(name)
}

/// Builds an application's image, and returns what two originals answer to each check.
///
/// # Errors
///
/// When it cannot be built or asked, or the two answer differently.
fn prepare(docker: &Docker, name: &str, folder: &Path, application: &Application) -> Result<Vec<Vec<u8>>> {
    eprintln!("{name}: {}", application.about);
    let lacking: Vec<&String> = application
        .packages
        .iter()
        .filter(|package| !sh::succeeds(std::process::Command::new("dpkg").args(["--status", package])))
        .collect();
    if !lacking.is_empty() {
        sh::run(
            sh::root("apt-get")
                .args(["install", "--yes", "--no-install-recommends"])
                .args(lacking),
        )?;
    }
    CORPUS.build(docker, &[name.to_owned()])?;
    let image = CORPUS.image(name);
    let launch = Launch {
        image: &image,
        options: application.options.clone(),
        folder,
        docker,
    };
    let before = launch.answers(application)?;
    let again = launch.answers(application)?;
    for ((check, first), second) in application.checks.iter().zip(&before).zip(&again) {
        ensure!(
            first == second,
            "check {:?} has two answers from two originals: {}",
            check.name,
            difference(first, second)
        );
    }
    Ok(before)
}

fn one(docker: &Docker, slim: &Path, name: &str, measure: bool) -> Result<Outcome> {
    let folder = folder(name);
    let application = Application::load(&folder)?;
    let before = prepare(docker, name, &folder, &application)?;
    let (image, product) = (CORPUS.image(name), product(name));
    let launch = |image, options| Launch {
        image,
        options,
        folder: &folder,
        docker,
    };

    let output = std::env::temp_dir().join(format!("slim-corpus-{name}-{}", std::process::id()));
    let _removed = Removed(&output);
    let mut command = docker.reached_by(sh::root(slim));
    command
        .args(["build", &image, "--tag", &product, "--tag-unverified", "--output"])
        .arg(&output);
    command.args(&application.options).args(&application.build);
    if !application.command.is_empty() {
        command.arg("--").args(&application.command);
    }
    let began = Instant::now();
    let built = command.output().context("could not start slim")?;
    let elapsed = began.elapsed();
    ensure!(
        docker
            .output(&["image", "inspect", "--format", "{{.Id}}", &product])
            .is_ok(),
        "slim made no image ({}): {}",
        built.status,
        String::from_utf8_lossy(&built.stderr)
            .lines()
            .last()
            .unwrap_or_default()
    );

    let plain = launch(&product, application.options.clone()).answers(&application)?;
    let profiled =
        launch(&product, profiled_options(&output, &application.options)?).answers(&application)?;
    let calls = needed::allowed(&output.join("seccomp.json"))?;
    let mut outcome = Outcome {
        half: application.half,
        run: results::Latest {
            app: name.to_owned(),
            checks: before.len(),
            before: size(docker, &image)?,
            after: size(docker, &product)?,
            calls: calls.len(),
            milliseconds: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            ..results::Latest::default()
        },
        failures: Vec::new(),
        unexpected: Vec::new(),
    };
    cost(&output.join("report.json"), &mut outcome.run);
    if measure {
        let original = launch(&image, application.options.clone());
        let needed = needed::of(&original, &application, &before, slim, &output)?;
        outcome.run.needed = needed.bytes;
        outcome.run.calls_needed = needed.calls.len();
        outcome.run.lacking = needed.calls.difference(&calls).cloned().collect();
    }
    if !built.status.success() {
        outcome
            .failures
            .push(format!("slim build ended with {}", built.status));
        outcome.unexpected.push("slim build itself".to_owned());
    }
    for (index, check) in application.checks.iter().enumerate() {
        let mut alike = true;
        for (answers, count, how) in [
            (&plain, &mut outcome.run.plain, "plain"),
            (&profiled, &mut outcome.run.profiled, "profiled"),
        ] {
            if answers[index] == before[index] {
                *count += 1;
            } else {
                alike = false;
                let text = difference(&before[index], &answers[index]);
                outcome.failures.push(format!("{} ({how}): {text}", check.name));
                outcome.run.failed.push(format!("{} ({how})", check.name));
            }
        }
        if !alike && !application.known.contains_key(&check.name) {
            outcome.unexpected.push(check.name.clone());
        }
    }
    Ok(outcome)
}

/// Reads the stages and the memory of a build from its report, which a build that failed early has not.
fn cost(report: &Path, run: &mut results::Latest) {
    let Some(report) = std::fs::read(report)
        .ok()
        .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok())
    else {
        return;
    };
    run.memory = report["peak_memory"].as_u64().unwrap_or_default();
    for stage in report["stages"].as_array().into_iter().flatten() {
        if let (Some(name), Some(milliseconds)) = (stage["stage"].as_str(), stage["ms"].as_u64()) {
            *run.stages.entry(name.to_owned()).or_default() += milliseconds;
        }
    }
}

/// A directory that is removed in the end.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        // It may not have been made.
        let _ = std::fs::remove_dir_all(self.0);
    }
}

fn size(docker: &Docker, image: &str) -> Result<u64> {
    let size = docker.output(&["image", "inspect", "--format", "{{.Size}}", image])?;
    size.parse().context("a size is a number")
}

/// Returns the options that run.sh starts the product with: its words up to the image. Values of variables, which a recording
/// does not hold, are those of `options`.
fn profiled_options(output: &Path, options: &[String]) -> Result<Vec<String>> {
    let variables = options
        .windows(2)
        .filter(|pair| matches!(pair[0].as_str(), "--env" | "-e"));
    let variables: Vec<(&str, &str)> = variables.filter_map(|pair| pair[1].split_once('=')).collect();
    let run = output.join("run.sh");
    let client = output.join("words");
    std::fs::write(&client, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n")?;
    sh::run_quietly(std::process::Command::new("chmod").arg("+x").arg(&client))?;
    let words = sh::output(
        std::process::Command::new("sh")
            .arg(&run)
            .env("DOCKER", &client)
            .env("IMAGE", "THE-IMAGE")
            .envs(variables.iter().copied()),
    )?;
    let words = words.split('\0').skip(1).take_while(|word| *word != "THE-IMAGE");
    let values = variables
        .iter()
        .flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]);
    Ok(words.map(str::to_owned).chain(values).collect())
}

/// Returns the two texts from where they differ on, shortened.
fn difference(first: &[u8], second: &[u8]) -> String {
    let at = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    let part = |text: &[u8]| {
        let rest = text.get(at.saturating_sub(20)..).unwrap_or_default();
        format!("{:?}", String::from_utf8_lossy(&rest[..rest.len().min(200)]))
    };
    format!("before {} after {}", part(first), part(second))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_chooses_the_same_names_again() {
        let all: Vec<String> = (0..40).map(|number| format!("app-{number}")).collect();
        let first = chosen(&all, 10, "a").unwrap();
        assert_eq!(first.len(), 10);
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 10);
        assert_eq!(first, chosen(&all, 10, "a").unwrap());
        assert_ne!(first, chosen(&all, 10, "b").unwrap());
    }

    #[test]
    fn a_difference_begins_where_the_texts_differ() {
        let text = difference(
            b"0123456789012345678901234567890 a",
            b"0123456789012345678901234567890 b",
        );
        assert_eq!(
            text,
            r#"before "2345678901234567890 a" after "2345678901234567890 b""#
        );
    }
}
