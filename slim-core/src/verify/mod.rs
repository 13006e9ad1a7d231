//! The evaluation of a product's run: compared with the original's, and with what it missed.
//!
//! Everything here is a function of what was seen; [`crate::pipeline`] starts the containers.
//!
//! - [`differences`]: where answers differ, but for what differs between two runs of the original
//! - [`missed()`]: paths, system calls and capabilities that the original had and the product asked for in vain
//! - [`Verification::launch`]: what the product was started with when it passed

mod compare;
mod mask;
mod missed;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use compare::{Answers, Difference, alike, differences, not_listening, question};
pub use missed::{Miss, MissKind, Missed, Watched, missed};

use crate::path::RootPath;
use crate::spec::{LaunchSpec, Tmpfs};

/// An aspect of a product that is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// The image answers as the original.
    Image,
    /// It does so under its seccomp filter.
    Seccomp,
    /// It does so with its capabilities alone.
    Capabilities,
    /// It does so under its AppArmor profile.
    #[serde(rename = "apparmor", alias = "app-armor")]
    AppArmor,
    /// It does so with a read-only root file system.
    ReadOnly,
    /// It does so under an arbitrary user id with group 0.
    ArbitraryUid,
}

impl Aspect {
    /// Every aspect.
    pub const ALL: [Self; 6] = [
        Self::Image,
        Self::Seccomp,
        Self::Capabilities,
        Self::AppArmor,
        Self::ReadOnly,
        Self::ArbitraryUid,
    ];

    /// Its name in reports and flags (`read-only`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Seccomp => "seccomp",
            Self::Capabilities => "capabilities",
            Self::AppArmor => "apparmor",
            Self::ReadOnly => "read-only",
            Self::ArbitraryUid => "arbitrary-uid",
        }
    }

    /// Returns whether a product that fails in it is no product, whatever the user requires.
    pub fn always_required(self) -> bool {
        matches!(self, Self::Image | Self::Seccomp | Self::Capabilities)
    }
}

impl FromStr for Aspect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|aspect| aspect.name() == text)
            .ok_or_else(|| format!("{text:?} is none of {}", names()))
    }
}

/// The outcome of verifying an aspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It behaves as the original.
    Passed,
    /// It does not.
    Failed,
    /// It was not tried, or could not be.
    NotChecked,
}

/// The verdict on one aspect of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The aspect.
    pub aspect: Aspect,
    /// The outcome.
    pub outcome: Outcome,
    /// Why, in a sentence; empty where it passed and there is nothing to add.
    pub detail: String,
    /// The memory file systems beside the read-only root file system that it passed with; empty for other aspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tmpfs: Vec<Tmpfs>,
    /// The changes of the recorded application that the read-only root file system refuses and no memory file system can
    /// take, though the answers are alike without them; empty for other aspects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RootPath>,
    /// The user (`UID:GID`) that it was run under; none for other aspects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Number of requests.
    pub asked: u64,
    /// Number of requests that were answered as by the original.
    pub alike: u64,
    /// Number of starts.
    pub starts: u32,
    /// Duration in milliseconds.
    pub ms: u64,
}

impl Verdict {
    /// That the aspect was not tried, and why.
    pub fn not_checked(aspect: Aspect, detail: String) -> Self {
        Self {
            aspect,
            outcome: Outcome::NotChecked,
            detail,
            tmpfs: Vec::new(),
            refused: Vec::new(),
            user: None,
            asked: 0,
            alike: 0,
            starts: 0,
            ms: 0,
        }
    }
}

/// Something that the first run had not shown, that a verification run missed, and that is in the product now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healed {
    /// In which round it was missed, from 1.
    pub round: u32,
    /// The missed thing.
    pub miss: Miss,
}

/// The result of running a product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// One verdict for each aspect.
    pub verdicts: Vec<Verdict>,
    /// Missed things that were added on the way.
    pub healed: Vec<Healed>,
    /// Answers of the product that still differ.
    pub differences: Vec<Difference>,
    /// Things that it still misses.
    pub missed: Vec<Miss>,
    /// Why it did not come to answer, where it did not.
    pub error: Option<String>,
    /// The application's last lines, where it failed.
    pub log: Vec<String>,
}

impl Verification {
    /// Returns what the product was started with when it passed: `base`, with a read-only root file system where that
    /// passed, and under the AppArmor profile unless it failed under it (where the host enforces none, it is one that
    /// another host may enforce).
    pub fn launch(&self, base: &LaunchSpec, memory: &[Tmpfs], apparmor: &str) -> LaunchSpec {
        let outcome = |aspect| {
            let mut verdicts = self.verdicts.iter();
            verdicts
                .find(|verdict| verdict.aspect == aspect)
                .map(|verdict| verdict.outcome)
        };
        let mut launch = base.clone();
        if outcome(Aspect::ReadOnly) == Some(Outcome::Passed) {
            launch = launch.with_read_only(memory);
        }
        if outcome(Aspect::AppArmor) != Some(Outcome::Failed) {
            launch = launch.under_apparmor(apparmor);
        }
        launch
    }

    /// Returns whether the product is good: what always counts passed, and so did what is `required`.
    pub fn passed(&self, required: &BTreeSet<Aspect>) -> bool {
        self.failed(required).is_empty()
    }

    /// Returns a summary in a few words.
    pub fn in_short(&self) -> String {
        let named = |outcome| {
            let all = self.verdicts.iter().filter(|verdict| verdict.outcome == outcome);
            all.map(|verdict| verdict.aspect.name())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (passed, failed) = (named(Outcome::Passed), named(Outcome::Failed));
        match (passed.is_empty(), failed.is_empty()) {
            (false, true) => format!("passed: {passed}"),
            (true, _) => format!("failed: {failed}"),
            (false, false) => format!("passed: {passed}; failed: {failed}"),
        }
    }

    /// The aspects that count and did not pass.
    pub fn failed(&self, required: &BTreeSet<Aspect>) -> Vec<&Verdict> {
        self.verdicts
            .iter()
            .filter(|verdict| match verdict.outcome {
                Outcome::Passed => false,
                Outcome::Failed => verdict.aspect.always_required() || required.contains(&verdict.aspect),
                Outcome::NotChecked => required.contains(&verdict.aspect),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verification(read_only: Outcome, apparmor: Outcome) -> Verification {
        let verdict = |aspect, outcome| Verdict {
            outcome,
            ..Verdict::not_checked(aspect, String::new())
        };
        Verification {
            verdicts: vec![
                verdict(Aspect::Image, Outcome::Passed),
                verdict(Aspect::AppArmor, apparmor),
                verdict(Aspect::ReadOnly, read_only),
            ],
            ..Verification::default()
        }
    }

    #[test]
    fn what_passed_is_what_it_is_started_with() {
        let memory = [Tmpfs {
            target: "/run".to_owned(),
            ..Tmpfs::default()
        }];
        let base = LaunchSpec::default();
        for (read_only, apparmor, starts_read_only, starts_confined) in [
            (Outcome::Passed, Outcome::Passed, true, true),
            (Outcome::Passed, Outcome::NotChecked, true, true),
            (Outcome::Passed, Outcome::Failed, true, false),
            (Outcome::Failed, Outcome::Passed, false, true),
            (Outcome::NotChecked, Outcome::NotChecked, false, true),
        ] {
            let launch = verification(read_only, apparmor).launch(&base, &memory, "slim-app");
            assert_eq!(launch.read_only.is_some(), starts_read_only, "{read_only:?}");
            assert_eq!(
                launch.apparmor.as_deref() == Some("slim-app"),
                starts_confined,
                "{apparmor:?}"
            );
        }
    }

    #[test]
    fn an_aspect_has_one_name() {
        for aspect in Aspect::ALL {
            assert_eq!(serde_json::to_value(aspect).unwrap(), aspect.name());
            assert_eq!(aspect.name().parse(), Ok(aspect));
        }
        // As reports of earlier versions have it.
        let old: Aspect = serde_json::from_str("\"app-armor\"").unwrap();
        assert_eq!(old, Aspect::AppArmor);
    }
}
