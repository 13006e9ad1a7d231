//! The verdicts of a round of verification, as a function of how its trials ended.
//!
//! The checks are tried in the order of [`CHECKS`] for each scenario; [`Findings`] says what each of them starts next,
//! takes what came of it, and gives the verdicts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::verify::TrialVerdict;
use crate::plan::{InMemory, Obstacle};
use crate::recording::Run;
use crate::spec::LaunchSpec;
use crate::verify::{Aspect, Difference, MissKind, Missed, Outcome, Verdict, Verification};

/// Number of the application's last lines that are shown where it failed.
const LAST_LINES: usize = 10;

/// The reason for a verdict on what was not tried since the product does not work anyhow.
const FAILS_OTHERWISE: &str = "the product fails otherwise";

/// The treatment of things that were missed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Healing {
    /// They are added, and the product is made anew.
    On,
    /// They are not: the round evaluates the product as it is.
    Off,
}

/// One way of starting the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// With a read-only root file system.
    ReadOnly,
    /// As often as was asked for.
    Plain,
    /// Under its AppArmor profile.
    AppArmor,
    /// Under an arbitrary user.
    ArbitraryUser,
}

/// The checks in the order of trying. What works without a writable root file system goes on without it.
pub(super) const CHECKS: [Check; 4] = [
    Check::ReadOnly,
    Check::Plain,
    Check::AppArmor,
    Check::ArbitraryUser,
];

/// The state of an aspect while a round goes on.
#[derive(Debug, Default)]
pub(super) enum AspectState {
    /// Nothing was tried.
    #[default]
    Untried,
    /// All that was tried passed.
    Passing(Totals),
    /// It failed.
    Failed {
        /// Why.
        reason: String,
        /// The trials.
        totals: Totals,
    },
    /// It could not be tried, for this reason.
    NotChecked(String),
}

impl AspectState {
    /// Returns whether trying on may tell more.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Untried | Self::Passing(_))
    }

    /// Adds a trial.
    fn add(&mut self, trial: TrialVerdict) {
        let mut totals = match std::mem::take(self) {
            Self::Untried => Totals::default(),
            Self::Passing(totals) => totals,
            settled => {
                *self = settled;
                return;
            }
        };
        totals.add(trial);
        *self = match totals.reason() {
            Some(reason) => Self::Failed { reason, totals },
            None => Self::Passing(totals),
        };
    }

    /// Says that it cannot be tried, unless it has failed already.
    fn not_checked(&mut self, reason: String) {
        if self.is_open() {
            *self = Self::NotChecked(reason);
        }
    }

    /// Returns the verdict; `detail` is what there is to say where it passed, `untried` why it was not tried.
    fn verdict(&self, aspect: Aspect, detail: String, untried: &str) -> Verdict {
        match self {
            Self::Untried => Verdict::not_checked(aspect, untried.to_owned()),
            Self::NotChecked(reason) => Verdict::not_checked(aspect, reason.clone()),
            Self::Passing(totals) => totals.verdict(aspect, Outcome::Passed, detail),
            Self::Failed { reason, totals } => totals.verdict(aspect, Outcome::Failed, reason.clone()),
        }
    }
}

/// The findings of a round so far.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    healing: Healing,
    /// Memory file systems for where the product writes; none if the original is not here to tell.
    memory: Option<&'a InMemory>,
    /// The arbitrary user to run it under, if that was asked for.
    user: Option<String>,
    /// Image, seccomp filter and capabilities: what every trial but those of other aspects counts for.
    main: Totals,
    read_only: AspectState,
    apparmor: AspectState,
    arbitrary_user: AspectState,
}

/// The result of a round.
#[derive(Debug, Default)]
pub(super) struct VerificationRound {
    pub(super) verification: Verification,
    /// Missed things, for the next round.
    pub(super) missed: Missed,
}

impl<'a> Findings<'a> {
    pub(super) fn new(healing: Healing, memory: Option<&'a InMemory>, user: Option<String>) -> Self {
        let told = |memory: &'a InMemory| {
            let mut obstacles = memory.obstacles.iter();
            obstacles.find(|obstacle| matches!(obstacle, Obstacle::Told(_)))
        };
        let read_only = match memory {
            Some(memory) => match told(memory) {
                Some(obstacle) => AspectState::NotChecked(obstacle.to_string()),
                None => AspectState::Untried,
            },
            None => AspectState::NotChecked(
                "the original image is not here to tell what its directories are like".to_owned(),
            ),
        };
        Self {
            healing,
            memory,
            user,
            main: Totals::default(),
            read_only,
            apparmor: AspectState::Untried,
            arbitrary_user: AspectState::Untried,
        }
    }

    /// Says that no recorded run can be repeated: nothing that was run passed.
    pub(super) fn nothing_to_run(&mut self) {
        let what = "no recorded run can be repeated: record one, or do without with --no-verify";
        self.main.error = Some(what.to_owned());
    }

    /// Returns whether the product itself failed, so that no other check tells anything.
    pub(super) fn failed(&self) -> bool {
        self.main.failed()
    }

    /// Returns the user of [`Check::ArbitraryUser`].
    pub(super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns what `check` starts, of a product that is started as `base`; none where there is nothing to try.
    pub(super) fn launch(&self, check: Check, base: &LaunchSpec) -> Option<LaunchSpec> {
        if self.failed() {
            return None;
        }
        let read_only = match self.memory {
            Some(memory) if self.read_only.is_open() => Some(base.with_read_only(&memory.tmpfs)),
            _ => None,
        };
        match check {
            Check::ReadOnly => read_only,
            Check::Plain => Some(read_only.unwrap_or_else(|| base.clone())),
            // The name of its profile is known once that is loaded.
            Check::AppArmor => {
                let open = self.apparmor.is_open();
                open.then(|| read_only.unwrap_or_else(|| base.clone()))
            }
            Check::ArbitraryUser => {
                let user = self.user.as_deref().filter(|_| self.arbitrary_user.is_open());
                user.map(|user| base.under_user(user))
            }
        }
    }

    /// Takes what came of a trial of `check`; says whether the trial counts as one of those that were asked for.
    pub(super) fn add(&mut self, check: Check, trial: TrialVerdict) -> Counts {
        match check {
            Check::ReadOnly => {
                // What was missed is added first: it may be all that is wrong.
                let heals = trial.missed.run.is_some() && self.healing == Healing::On;
                if trial.failed() && !heals {
                    let obstacles = self.memory.into_iter().flat_map(|memory| &memory.obstacles);
                    let why: Vec<String> = obstacles.map(ToString::to_string).chain(trial.reason()).collect();
                    self.read_only = AspectState::Failed {
                        reason: why.join("; "),
                        totals: Totals::default(),
                    };
                    return Counts::No;
                }
                self.read_only = AspectState::Passing(Totals::default());
                self.main.add(trial);
            }
            Check::Plain => self.main.add(trial),
            Check::AppArmor => self.apparmor.add(trial),
            Check::ArbitraryUser => self.arbitrary_user.add(trial),
        }
        Counts::Yes
    }

    /// Says that `check` cannot be made.
    pub(super) fn not_checked(&mut self, check: Check, reason: String) {
        match check {
            Check::ReadOnly => self.read_only.not_checked(reason),
            // It can always be started.
            Check::Plain => {}
            Check::AppArmor => self.apparmor.not_checked(reason),
            Check::ArbitraryUser => self.arbitrary_user.not_checked(reason),
        }
    }

    /// Returns the verdicts.
    pub(super) fn into_round(self) -> VerificationRound {
        let Self {
            mut main,
            memory,
            user,
            read_only,
            apparmor,
            arbitrary_user,
            ..
        } = self;
        let mut verdicts = main.own_verdicts();
        verdicts.push(apparmor.verdict(Aspect::AppArmor, String::new(), FAILS_OTHERWISE));
        verdicts.push(match read_only {
            AspectState::Passing(_) if main.failed() => {
                Verdict::not_checked(Aspect::ReadOnly, FAILS_OTHERWISE.to_owned())
            }
            AspectState::Passing(_) => {
                let memory = memory.cloned().unwrap_or_default();
                let options = memory.tmpfs.iter().map(|value| format!(" --tmpfs {value}"));
                let mut detail = format!("--read-only{}", options.collect::<String>());
                detail.push_str(&refusals(&memory.obstacles));
                Verdict {
                    refused: memory
                        .obstacles
                        .iter()
                        .filter_map(Obstacle::written)
                        .cloned()
                        .collect(),
                    tmpfs: memory.tmpfs,
                    // The trials with it are those of the product itself.
                    ..main.verdict(Aspect::ReadOnly, Outcome::Passed, detail)
                }
            }
            other => other.verdict(Aspect::ReadOnly, String::new(), FAILS_OTHERWISE),
        });
        let untried = match &user {
            Some(_) => FAILS_OTHERWISE,
            None => "ask for it with --verify-user UID",
        };
        let detail = user
            .as_ref()
            .map_or_else(String::new, |user| format!("--user {user}"));
        verdicts.push(Verdict {
            user,
            ..arbitrary_user.verdict(Aspect::ArbitraryUid, detail, untried)
        });
        if let AspectState::Passing(totals) | AspectState::Failed { totals, .. } = arbitrary_user {
            main.missed.extend(totals.missed);
            main.differences.extend(totals.differences);
            main.error = main.error.or(totals.error);
        }
        let missed = unite(main.missed);
        VerificationRound {
            verification: Verification {
                verdicts,
                healed: Vec::new(),
                differences: main.differences,
                missed: missed.list.clone(),
                error: main.error,
                log: main.log,
            },
            missed,
        }
    }
}

/// The contribution of a trial to the number that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// It is one of them.
    Yes,
    /// It only showed that something else does not work.
    No,
}

/// The sums of several trials.
#[derive(Debug, Default)]
pub(super) struct Totals {
    differences: Vec<Difference>,
    missed: Vec<Missed>,
    error: Option<String>,
    log: Vec<String>,
    alike: u64,
    asked: u64,
    starts: u32,
    took: Duration,
}

impl Totals {
    fn add(&mut self, trial: TrialVerdict) {
        if trial.failed() {
            let lines: Vec<&str> = trial.run.log.trim_end().lines().collect();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            self.log = last.iter().map(|line| (*line).to_owned()).collect();
        }
        self.error = self.error.take().or(trial.run.error);
        self.differences.extend(trial.differences);
        self.missed.push(trial.missed);
        self.alike += trial.alike;
        self.asked += trial.asked;
        self.starts += 1;
        self.took += trial.run.took;
    }

    fn failed(&self) -> bool {
        self.error.is_some() || !self.differences.is_empty()
    }

    /// Returns why it failed, in one line; none if it did not.
    fn reason(&self) -> Option<String> {
        reason(self.error.as_deref(), &self.differences)
    }

    /// Returns the verdicts on image, seccomp filter and capabilities: whichever is to blame failed, and the others
    /// were not come to.
    fn own_verdicts(&self) -> Vec<Verdict> {
        [
            (Aspect::Image, self.unexplained()),
            (Aspect::Seccomp, self.misses(MissKind::Syscall)),
            (Aspect::Capabilities, self.misses(MissKind::Capability)),
        ]
        .into_iter()
        .map(|(aspect, blamed)| match blamed {
            _ if !self.failed() => self.verdict(aspect, Outcome::Passed, String::new()),
            Some(detail) => self.verdict(aspect, Outcome::Failed, detail),
            None => {
                let detail = "it did not come to that: see what failed".to_owned();
                self.verdict(aspect, Outcome::NotChecked, detail)
            }
        })
        .collect()
    }

    /// Returns what of this kind was missed, in words.
    fn misses(&self, kind: MissKind) -> Option<String> {
        let of_kind: BTreeSet<String> = self
            .missed
            .iter()
            .flat_map(|missed| &missed.list)
            .filter(|miss| miss.kind == kind)
            .map(ToString::to_string)
            .collect();
        (!of_kind.is_empty()).then(|| of_kind.into_iter().collect::<Vec<_>>().join("; "))
    }

    /// Returns what is wrong with the image, where it is to blame: files are missing, or nothing else explains the
    /// failure.
    fn unexplained(&self) -> Option<String> {
        use MissKind::{Capability, File, Listing, Syscall};
        let files = self.misses(File).or_else(|| self.misses(Listing));
        match files {
            Some(files) => Some(files),
            None if self.misses(Syscall).is_some() || self.misses(Capability).is_some() => None,
            None => self.reason(),
        }
    }

    fn verdict(&self, aspect: Aspect, outcome: Outcome, detail: String) -> Verdict {
        Verdict {
            aspect,
            outcome,
            detail,
            tmpfs: Vec::new(),
            refused: Vec::new(),
            user: None,
            asked: self.asked,
            alike: self.alike,
            starts: self.starts,
            ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Returns the end of a sentence on what a read-only root file system takes from the application although it passed: it may
/// do without, but what it writes there is lost.
fn refusals(obstacles: &[Obstacle]) -> String {
    const MAX_NAMED: usize = 3;
    let Some(first) = obstacles.first() else {
        return String::new();
    };
    let named = obstacles.iter().take(MAX_NAMED).skip(1);
    let named = named.fold(first.to_string(), |text, obstacle| format!("{text}, {obstacle}"));
    match obstacles.len().saturating_sub(MAX_NAMED) {
        0 => format!("; refused, though the answers are alike: {named}"),
        more => format!("; refused, though the answers are alike: {named}, and {more} more"),
    }
}

/// Returns why something failed, in one line; none if it did not.
pub(super) fn reason(error: Option<&str>, differences: &[Difference]) -> Option<String> {
    match error {
        Some(error) => Some(error.lines().next().unwrap_or_default().to_owned()),
        None => differences.first().map(describe),
    }
}

pub(super) fn describe(difference: &Difference) -> String {
    format!(
        "{}: {} was {:?}, not {:?}",
        difference.request, difference.part, difference.got, difference.expected
    )
}

/// Returns all that was missed in a round, as one Run.
fn unite(all: Vec<Missed>) -> Missed {
    let mut list = BTreeSet::new();
    let mut united: Option<Run> = None;
    for missed in all {
        list.extend(missed.list);
        united = match (united, missed.run) {
            (Some(mut run), Some(more)) => {
                run.files.extend(more.observed.files);
                run.syscalls.extend(more.observed.syscalls);
                run.capabilities.extend(more.observed.capabilities);
                run.normalise();
                Some(run)
            }
            (before, after) => before.or(after),
        };
    }
    Missed {
        list: list.into_iter().collect(),
        run: united,
    }
}
