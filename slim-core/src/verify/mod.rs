//! What happened when a product was run: compared with the original, and with what it missed.
//!
//! Everything here is a function of what was seen; [`crate::pipeline`] starts the containers.
//!
//! - [`differences`]: where answers differ, but for what differs between two runs of the original
//! - [`missed()`]: paths, system calls and capabilities that the original had and the product asked for in vain
//! - [`confined`], [`read_only`], [`arbitrary_user`]: what the product's container is given

mod compare;
mod confine;
mod mask;
mod missed;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use compare::{Answers, Difference, alike, differences, not_listening, question};
pub(crate) use confine::described;
pub use confine::{Writable, arbitrary_user, confined, read_only, recorded, under_apparmor, writable};
pub use missed::{Miss, MissKind, Missed, Watched, missed};

/// What is verified of a product.
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
    AppArmor,
    /// It does so with a read-only root file system.
    ReadOnly,
    /// It does so under an arbitrary user id with group 0.
    ArbitraryUid,
}

impl Aspect {
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

    /// Whether a product that fails in it is no product, whatever the user requires.
    pub fn always_required(self) -> bool {
        matches!(self, Self::Image | Self::Seccomp | Self::Capabilities)
    }
}

impl FromStr for Aspect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [
            Self::Image,
            Self::Seccomp,
            Self::Capabilities,
            Self::AppArmor,
            Self::ReadOnly,
            Self::ArbitraryUid,
        ]
        .into_iter()
        .find(|aspect| aspect.name() == text)
        .ok_or_else(|| {
            format!("{text:?} is none of image, seccomp, capabilities, apparmor, read-only, arbitrary-uid")
        })
    }
}

/// What came of verifying an aspect.
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

/// What is known of one aspect of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The aspect.
    pub aspect: Aspect,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in a sentence; empty where it passed and there is nothing to add.
    pub detail: String,
    /// How many questions were asked.
    pub asked: u64,
    /// How many of them were answered as by the original.
    pub alike: u64,
    /// How often it was started.
    pub starts: u32,
    /// How long that took, in milliseconds.
    pub ms: u64,
}

impl Verdict {
    /// That the aspect was not tried, and why.
    pub fn not_checked(aspect: Aspect, detail: String) -> Self {
        Self {
            aspect,
            outcome: Outcome::NotChecked,
            detail,
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
    /// What.
    pub miss: Miss,
}

/// What is known of a product after it was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// One verdict for each aspect.
    pub verdicts: Vec<Verdict>,
    /// What was mended on the way.
    pub healed: Vec<Healed>,
    /// Where the product still answers otherwise.
    pub differences: Vec<Difference>,
    /// What it still misses.
    pub missed: Vec<Miss>,
    /// Why it did not come to answer, where it did not.
    pub error: Option<String>,
    /// The application's last lines, where it failed.
    pub log: Vec<String>,
}

impl Verification {
    /// Whether the product is good: what always counts passed, and so did what is `required`.
    pub fn passed(&self, required: &BTreeSet<Aspect>) -> bool {
        self.failed(required).is_empty()
    }

    /// How it went, in a few words.
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
