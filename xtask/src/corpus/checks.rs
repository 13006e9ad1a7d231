//! `checks.toml` of an application.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use regex::bytes::Regex;
use serde::Deserialize;

/// An application of the corpus and what it is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    /// The half that it belongs to.
    pub(super) half: Half,
    /// The application in a sentence.
    pub(super) about: String,
    /// Options of `docker run`, for `slim build` and every container.
    #[serde(default)]
    pub(super) options: Vec<String>,
    /// Words after the image.
    #[serde(default)]
    pub(super) command: Vec<String>,
    /// Further options of `slim build`.
    #[serde(default)]
    pub(super) build: Vec<String>,
    /// Debian packages that checks need on this machine.
    #[serde(default)]
    pub(super) packages: Vec<String>,
    /// Regular expressions of what differs by itself.
    #[serde(default)]
    mask: Vec<String>,
    /// Checks that are known to fail, with the reason of each.
    #[serde(default)]
    pub(super) known: BTreeMap<String, String>,
    /// The checks, in their order.
    #[serde(rename = "check")]
    pub(super) checks: Vec<Check>,
}

/// Halves of the corpus.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Half {
    /// Rules of the closure were made while its results were seen.
    Tuned,
    /// Nobody who wrote rules saw it before its first run.
    Unseen,
}

/// One check: exactly one of `path`, `client`, `arguments`, `exec` and `signal`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    /// Its name, unique in the application.
    pub(super) name: String,
    /// The port of a request; the first exposed one by default.
    pub(super) port: Option<u16>,
    /// The method of a request; GET by default.
    pub(super) method: Option<String>,
    /// The path of a request.
    pub(super) path: Option<String>,
    /// Header fields of a request.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// The body of a request.
    pub(super) body: Option<String>,
    /// A line for the shell of this machine.
    pub(super) client: Option<String>,
    /// Words after the image, in a container of its own.
    pub(super) arguments: Option<Vec<String>>,
    /// Standard input of that.
    pub(super) stdin: Option<String>,
    /// A program in the container.
    pub(super) exec: Option<Vec<String>>,
    /// A signal for the container's first process.
    pub(super) signal: Option<String>,
    /// Regular expressions of what differs by itself.
    #[serde(default)]
    mask: Vec<String>,
}

impl Application {
    /// Reads `checks.toml` in `folder`.
    ///
    /// # Errors
    ///
    /// When there is none, or it is not of this form.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        let file = folder.join("checks.toml");
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        let application: Self = toml::from_str(&text).with_context(|| file.display().to_string())?;
        for check in &application.checks {
            let kinds = [
                check.path.is_some(),
                check.client.is_some(),
                check.arguments.is_some(),
                check.exec.is_some(),
                check.signal.is_some(),
            ];
            ensure!(
                kinds.into_iter().filter(|kind| *kind).count() == 1,
                "{}: check {:?} is not one of path, client, arguments, exec and signal",
                file.display(),
                check.name
            );
            application.masks(check)?;
        }
        for name in application.known.keys() {
            ensure!(
                application.checks.iter().any(|check| check.name == *name),
                "{}: there is no check {name:?} to be known to fail",
                file.display()
            );
        }
        Ok(application)
    }

    /// Returns what is ignored in answers to `check`.
    ///
    /// # Errors
    ///
    /// When an expression is none.
    pub(super) fn masks(&self, check: &Check) -> Result<Vec<Regex>> {
        let all = self.mask.iter().chain(&check.mask);
        all.map(|mask| Regex::new(mask).with_context(|| format!("{:?}: mask {mask:?}", check.name)))
            .collect()
    }

    /// Returns whether any check asks one container that goes on running.
    pub(super) fn is_service(&self) -> bool {
        self.checks.iter().any(|check| check.arguments.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sh;

    #[test]
    fn every_application_can_be_read_and_has_eight_checks_at_least() {
        let folder = sh::workspace().join("tests/corpus");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let application = Application::load(&path).unwrap();
                assert!(application.checks.len() >= 8, "{}", path.display());
                assert!(!application.about.is_empty());
                count += 1;
            }
        }
        assert!(count >= 20, "{count}");
    }
}
