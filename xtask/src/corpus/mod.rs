//! `cargo xtask corpus`: real applications, each slimmed with no flag beyond what `docker run` needs, and asked what the probe did
//! not ask: plain, and under their profiles.

mod checks;
mod http;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::engine::Docker;
use crate::samples::CORPUS;
use crate::{packages, setup, sh};
use checks::{Application, Half};
use run::Launch;

/// What became of one application.
struct Outcome {
    half: Half,
    checks: usize,
    plain: usize,
    profiled: usize,
    /// Sizes of the images before and after, in bytes.
    sizes: (u64, u64),
    /// The time that slim took.
    slim: Duration,
    /// Failed checks, each with what it answered.
    failures: Vec<String>,
    /// Names of failed checks that are not known to fail.
    unexpected: Vec<String>,
}

/// Runs the applications of these names, or all, with the program at `slim`; prints a table.
///
/// # Errors
///
/// A name that is no application, one that cannot be built or asked, and checks that fail and are not known to.
pub(crate) fn run(names: &[String], slim: Option<PathBuf>) -> Result<()> {
    let docker = setup::run(packages::For::Tests)?;
    let all = CORPUS.all()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no application {unknown:?}; there are {}",
            all.join(", ")
        );
    }
    let slim = match slim {
        Some(slim) => slim,
        None => {
            sh::run(sh::cargo().args(["build", "--package", "slim-cli"]))?;
            sh::target_directory()?.join("debug/slim")
        }
    };
    let names = if names.is_empty() { &all } else { names };
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    let mut broken = Vec::new();
    for name in names {
        let outcome = one(&docker, &slim, name);
        remove(&docker, name);
        match outcome {
            Ok(outcome) => {
                println!("{}", row(name, &outcome));
                for failure in &outcome.failures {
                    println!("    {failure}");
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
                sum(|outcome| outcome.checks),
                sum(|outcome| outcome.plain),
                sum(|outcome| outcome.profiled)
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

fn row(name: &str, outcome: &Outcome) -> String {
    let mb = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    format!(
        "{name}: plain {}/{}, profiled {}/{}, {} MB -> {} MB, {:.1} s",
        outcome.plain,
        outcome.checks,
        outcome.profiled,
        outcome.checks,
        mb(outcome.sizes.0),
        mb(outcome.sizes.1),
        outcome.slim.as_secs_f64()
    )
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

fn one(docker: &Docker, slim: &Path, name: &str) -> Result<Outcome> {
    let folder = sh::workspace().join(CORPUS.folder).join(name);
    let application = Application::load(&folder)?;
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
    let (image, product) = (CORPUS.image(name), product(name));
    let launch = |image, options| Launch {
        image,
        options,
        folder: &folder,
        docker,
    };
    let before = launch(&image, application.options.clone()).answers(&application)?;
    let again = launch(&image, application.options.clone()).answers(&application)?;
    for ((check, first), second) in application.checks.iter().zip(&before).zip(&again) {
        ensure!(
            first == second,
            "check {:?} has two answers from two originals: {}",
            check.name,
            difference(first, second)
        );
    }

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
    let slim = began.elapsed();
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
    let mut outcome = Outcome {
        half: application.half,
        checks: before.len(),
        plain: 0,
        profiled: 0,
        sizes: (size(docker, &image)?, size(docker, &product)?),
        slim,
        failures: Vec::new(),
        unexpected: Vec::new(),
    };
    if !built.status.success() {
        outcome
            .failures
            .push(format!("slim build ended with {}", built.status));
        outcome.unexpected.push("slim build itself".to_owned());
    }
    for (index, check) in application.checks.iter().enumerate() {
        let mut alike = true;
        for (answers, count, how) in [
            (&plain, &mut outcome.plain, "plain"),
            (&profiled, &mut outcome.profiled, "profiled"),
        ] {
            if answers[index] == before[index] {
                *count += 1;
            } else {
                alike = false;
                let text = difference(&before[index], &answers[index]);
                outcome.failures.push(format!("{} ({how}): {text}", check.name));
            }
        }
        if !alike && !application.known.contains_key(&check.name) {
            outcome.unexpected.push(check.name.clone());
        }
    }
    Ok(outcome)
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
    use super::*;

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
