//! Results of the corpus: the first runs, written once and never again; the latest, replaced by each run; and the document that
//! shows both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::checks::{Application, Half};
use crate::samples::CORPUS;
use crate::sh;

/// The document, in the workspace.
pub(crate) const DOCUMENT: &str = "docs/corpus.md";
/// The latest run of each application.
const LATEST: &str = "tests/corpus/latest-runs.toml";
/// The first run of each application of the unseen half.
const FIRST: &str = "tests/corpus/first-runs.toml";

/// One run of one application.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Latest {
    /// The application.
    pub(super) app: String,
    /// The day.
    pub(super) date: String,
    /// The commit of slim.
    pub(super) commit: String,
    /// Checks.
    pub(super) checks: usize,
    /// Checks answered as by the original, in the plain image.
    pub(super) plain: usize,
    /// The same under the profile.
    pub(super) profiled: usize,
    /// Sizes of the images before and after, and of one that the checks need, in bytes.
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) needed: u64,
    /// Calls that the profile allows, and those that the checks need.
    pub(super) calls: usize,
    pub(super) calls_needed: usize,
    /// Needed calls that the profile lacks.
    pub(super) lacking: Vec<String>,
    /// Milliseconds of each stage, and of all.
    pub(super) stages: BTreeMap<String, u64>,
    pub(super) milliseconds: u64,
    /// The most memory that slim took, in bytes.
    pub(super) memory: u64,
    /// Names of checks that failed, each with how.
    pub(super) failed: Vec<String>,
}

impl Latest {
    /// Returns the bytes that are kept for each that is needed.
    pub(super) fn kept_by_needed(&self) -> f64 {
        self.after as f64 / self.needed.max(1) as f64
    }

    /// Returns the calls that are allowed for each that is needed.
    pub(super) fn calls_by_needed(&self) -> f64 {
        self.calls as f64 / self.calls_needed.max(1) as f64
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct AllLatest {
    #[serde(default)]
    run: Vec<Latest>,
}

#[derive(Debug, Deserialize)]
struct First {
    app: String,
    date: String,
    commit: String,
    plain: String,
    profiled: String,
}

#[derive(Debug, Default, Deserialize)]
struct AllFirst {
    #[serde(default)]
    run: Vec<First>,
}

/// Puts a run in the place of the latest of its application.
///
/// # Errors
///
/// When the file cannot be read or written.
pub(super) fn keep(latest: Latest) -> Result<()> {
    let mut all: AllLatest = read(LATEST)?;
    all.run.retain(|run| run.app != latest.app);
    all.run.push(latest);
    all.run.sort_by(|a, b| a.app.cmp(&b.app));
    let text = format!(
        "# The latest run of each application: written by `cargo xtask corpus --keep`.\n\n{}",
        toml::to_string(&all)?
    );
    std::fs::write(sh::workspace().join(LATEST), text).with_context(|| LATEST.to_owned())
}

/// Returns the applications that have a latest run.
///
/// # Errors
///
/// When the file cannot be read.
pub(super) fn known() -> Result<BTreeSet<String>> {
    let all: AllLatest = read(LATEST)?;
    Ok(all.run.into_iter().map(|run| run.app).collect())
}

fn read<T: Default + for<'de> Deserialize<'de>>(name: &str) -> Result<T> {
    let path: PathBuf = sh::workspace().join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).with_context(|| name.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error).with_context(|| name.to_owned()),
    }
}

/// Returns the document.
///
/// # Errors
///
/// When results or an application cannot be read.
pub(crate) fn document() -> Result<String> {
    let latest: AllLatest = read(LATEST)?;
    let first: AllFirst = read(FIRST)?;
    let mut text = INTRODUCTION.to_owned();
    for half in [Half::Unseen, Half::Tuned] {
        let mut of = Vec::new();
        for run in &latest.run {
            let application = load(&run.app)?;
            if application.half == half {
                of.push((run, application));
            }
        }
        if !of.is_empty() {
            table(&mut text, half, &of)?;
        }
    }
    text.push_str(
        "\n## First runs\n\nOf applications that nobody who wrote rules had seen, before anything was mended.\n\n\
         | application | date | commit | plain | profiled |\n|---|---|---|---|---|\n",
    );
    let mut sums = [(0, 0); 2];
    for run in &first.run {
        let commit = &run.commit[..run.commit.len().min(7)];
        writeln!(
            text,
            "| {} | {} | {commit} | {} | {} |",
            run.app, run.date, run.plain, run.profiled
        )?;
        for (sum, ratio) in sums.iter_mut().zip([&run.plain, &run.profiled]) {
            let (of, all) = ratio.split_once('/').with_context(|| run.app.clone())?;
            sum.0 += of.parse::<usize>()?;
            sum.1 += all.parse::<usize>()?;
        }
    }
    let [plain, profiled] = sums.map(|(of, all)| share(of, all));
    writeln!(text, "| {} in all | | | {plain} | {profiled} |", first.run.len())?;
    failures(&mut text, &latest.run)?;
    Ok(text)
}

const INTRODUCTION: &str = "# Corpus

Generated by `cargo xtask docs` from `tests/corpus/first-runs.toml` and `tests/corpus/latest-runs.toml`, which
`cargo xtask corpus --keep` writes.

`tests/corpus/` holds applications as people run them, from public packages, each with checks that slim's probe does not do: other
routes, locales, error pages, uploads, commands, second protocols, reloads. `cargo xtask corpus [NAME…]` builds each, slims it with no
flag beyond what `docker run` needs, and asks two originals, the slim image, and the slim image under its profile.

- *plain*, *profiled*: checks answered as by the original, in the slim image and under its seccomp profile, capabilities and the rest
  of `run.sh`.
- *kept / needed*: bytes of the slim image beside those of one made from a recording in which every check ran, with `--keep observed`.
- *calls*: names that the profile allows beside those that such a recording's `observed` profile allows; *lacking* are names of the
  second that the first has not.
- *build*: the time of `slim build` and that of planning alone, with the release program, on a machine
  that had other work; *memory*: its most.
";

fn load(app: &str) -> Result<Application> {
    Application::load(&sh::workspace().join(CORPUS.folder).join(app))
}

fn share(of: usize, all: usize) -> String {
    let tenths = (of * 1000).checked_div(all).unwrap_or_default();
    format!("{of}/{all} ({}.{} %)", tenths / 10, tenths % 10)
}

fn table(text: &mut String, half: Half, runs: &[(&Latest, Application)]) -> Result<()> {
    let title = match half {
        Half::Unseen => "Unseen half",
        Half::Tuned => "Tuned half",
    };
    writeln!(
        text,
        "\n## {title}\n\n| application | date | plain | profiled | image, MB | kept / needed | calls | lacking | build, s (plan) | memory, MB |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    )?;
    for (run, _) in runs {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        writeln!(
            text,
            "| {} | {} | {}/{} | {}/{} | {:.0} → {:.0} | {:.2} | {} / {} = {:.2} | {} | {:.1} ({:.1}) | {:.0} |",
            run.app,
            run.date,
            run.plain,
            run.checks,
            run.profiled,
            run.checks,
            mb(run.before),
            mb(run.after),
            run.kept_by_needed(),
            run.calls,
            run.calls_needed,
            run.calls_by_needed(),
            run.lacking.join(" "),
            run.milliseconds as f64 / 1e3,
            run.stages.get("plan").copied().unwrap_or_default() as f64 / 1e3,
            mb(run.memory)
        )?;
    }
    let sum = |of: fn(&Latest) -> usize| runs.iter().map(|(run, _)| of(run)).sum::<usize>();
    let checks = sum(|run| run.checks);
    writeln!(
        text,
        "\n{} applications: {} plain, {} under the profile; geometric means: kept / needed {:.2}, calls allowed / needed {:.2}.",
        runs.len(),
        share(sum(|run| run.plain), checks),
        share(sum(|run| run.profiled), checks),
        mean(runs.iter().map(|(run, _)| run.kept_by_needed())),
        mean(runs.iter().map(|(run, _)| run.calls_by_needed()))
    )?;
    Ok(())
}

/// Returns the geometric mean.
fn mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = ratios.map(f64::ln).collect();
    (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp()
}

/// Lists failed checks, each with the reason that its application's file gives.
fn failures(text: &mut String, runs: &[Latest]) -> Result<()> {
    let failing: Vec<&Latest> = runs.iter().filter(|run| !run.failed.is_empty()).collect();
    if failing.is_empty() {
        return Ok(());
    }
    text.push_str("\n## What fails\n\n");
    for run in failing {
        let known = load(&run.app)?.known;
        for failed in &run.failed {
            let reason = known
                .iter()
                .find_map(|(name, reason)| failed.starts_with(name.as_str()).then_some(reason.as_str()));
            writeln!(
                text,
                "- {}: {failed}: {}",
                run.app,
                reason.unwrap_or("not explained")
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        assert!((mean([2.0, 0.5].into_iter()) - 1.0).abs() < 1e-9);
        assert!((mean([4.0, 1.0].into_iter()) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn shares_have_one_decimal() {
        assert_eq!(share(999, 1000), "999/1000 (99.9 %)");
        assert_eq!(share(0, 0), "0/0 (0.0 %)");
    }
}
