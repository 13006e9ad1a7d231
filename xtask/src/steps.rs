//! The steps of `cargo xtask check` and `cargo xtask test`: each is timed, all run even when one fails, and a summary
//! names what failed and what was left out.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::sh;

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// The steps that are done.
#[derive(Default)]
pub(crate) struct Steps(Vec<(String, Duration, Outcome)>);

impl Steps {
    /// Runs a step; returns whether it passed.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> bool {
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
        self.0.push((name.to_owned(), start.elapsed(), outcome));
        passed
    }

    /// Notes a step that does not apply to this machine.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        self.0
            .push((name.to_owned(), Duration::ZERO, Outcome::Skipped(why.to_owned())));
    }

    /// Notes a step whose tool is missing. Where `CI` is set that is a failure: a check that never runs there runs
    /// nowhere.
    pub(crate) fn lacks(&mut self, name: &str, why: &str) {
        let outcome = if sh::is_ci() {
            Outcome::Failed
        } else {
            Outcome::Skipped
        };
        self.0
            .push((name.to_owned(), Duration::ZERO, outcome(why.to_owned())));
    }

    /// Prints the summary.
    ///
    /// # Errors
    ///
    /// When a step failed.
    pub(crate) fn finish(self) -> Result<()> {
        eprintln!("\n== summary");
        let mut failed = Vec::new();
        let width = self.0.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        for (name, time, outcome) in &self.0 {
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
        let total: Duration = self.0.iter().map(|(_, time, _)| *time).sum();
        eprintln!("{:>7.1} s  in all", total.as_secs_f64());
        if failed.is_empty() {
            Ok(())
        } else {
            bail!("failed: {}", failed.join(", "))
        }
    }
}
