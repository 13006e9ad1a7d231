//! The report on a product and its profiles, as text and as JSON.

mod calls;
mod check;
mod diff;
mod explain;
mod summary;
mod verdicts;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::path::RootPath;
use crate::plan::{AllowedSyscall, KeptBy, LeftOut, Plan, Privileged, Reason, Totals};
use crate::recording::{ExchangeKind, Recording};
use crate::spec::LaunchSpec;
use crate::verify::Verification;

pub use calls::{CallPhases, Exploited, KeptOut, phases};
pub use check::checked;
pub use diff::{Change, ChangeKind, Diff, Side, diff};
pub use explain::{Explained, Overview, explain, may_be_explained, overview};
pub use summary::{bytes, count, printable, summary};
pub use verdicts::verdicts;

/// The version of `report.json`.
pub const VERSION: u32 = 1;

/// The report. `report.json` is this document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The format's version: [`VERSION`].
    pub version: u32,
    /// The version of slim.
    pub slim: String,
    /// The image as the user named it.
    pub reference: String,
    /// The digest of its config.
    pub image: Digest,
    /// The slim image, if one was made.
    pub product: Option<ProductImage>,
    /// The verification of the product; none if it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The launch of the product: the one that passed, where it was verified.
    #[serde(default)]
    pub launch: LaunchSpec,
    /// The image before.
    pub before: Totals,
    /// The image after.
    pub after: Totals,
    /// The bytes that each kind of reason keeps, most first.
    pub kept_by: Vec<KeptBy>,
    /// The paths that something names and that are left out all the same.
    pub left_out: Vec<LeftOut>,
    /// Packages of which some files are kept and some are not.
    pub packages_in_part: Vec<String>,
    /// Number of allowed system calls.
    pub syscalls: SyscallCounts,
    /// The application's calls by phase; none without an answered request (a job has one phase).
    pub phases: Option<CallPhases>,
    /// The calls that Docker's default profile lets through and this one does not.
    pub kept_out: Option<KeptOut>,
    /// Granted capabilities.
    pub capabilities: Vec<String>,
    /// Capabilities asked for, refused, and not granted.
    pub refused_capabilities: Vec<String>,
    /// Programs that gain privilege when executed.
    pub privilege_gain: Vec<RootPath>,
    /// Kept files that give privilege to whoever executes them, executed or not.
    pub privileged: Vec<Privileged>,
    /// The runs, by id.
    pub runs: Vec<Digest>,
    /// Number of requests, connections and commands in the runs.
    pub exchanges: u64,
    /// The same by protocol.
    #[serde(default)]
    pub exchange_counts: ExchangeCounts,
    /// The same in sentences.
    pub probe: Vec<String>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The time of each stage.
    pub stages: Vec<StageTime>,
    /// The time from the start to the end, in milliseconds.
    pub total_ms: u64,
    /// The peak memory of slim itself, in bytes; 0 if it is not known.
    #[serde(default)]
    pub peak_memory: u64,
    /// The directory of the files.
    pub output: PathBuf,
}

/// The image that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductImage {
    /// The digest of its config.
    pub digest: Digest,
    /// Its tags.
    pub tags: Vec<String>,
    /// The size of its layer's tar, in bytes.
    pub layer_bytes: u64,
}

/// Numbers of system calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyscallCounts {
    /// Number of allowed names.
    pub allowed: u64,
    /// Number of those that the application made.
    pub app: u64,
    /// Number of those that kept code can make, though no recording saw it do so.
    #[serde(default)]
    pub reached: u64,
    /// Number of the others: the runtime makes them, or a library may in the place of a recorded one.
    pub other: u64,
    /// Number of names that this kernel's architecture knows.
    pub known: u64,
}

/// Numbers of exchanges by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeCounts {
    /// Number of HTTP requests.
    pub http: u64,
    /// Number of those with a status below 400.
    pub http_below_400: u64,
    /// Number of TCP connections.
    pub tcp: u64,
    /// Number of UDP datagrams.
    #[serde(default)]
    pub udp: u64,
    /// Number of commands in the container, a job's own included.
    pub commands: u64,
    /// Number of the user's tests on the host (`--run`).
    #[serde(default)]
    pub tests: u64,
}

/// The time of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTime {
    /// The name of the stage.
    pub stage: String,
    /// The time in milliseconds.
    pub ms: u64,
}

impl Report {
    /// Returns the report on `plan`. The caller fills in times, product and directory.
    pub fn new(plan: &Plan, recording: &Recording) -> Self {
        let by_app = plan.syscalls.iter().filter(|call| call.is_of_app()).count() as u64;
        let is_reached =
            |call: &&AllowedSyscall| call.reasons.iter().all(|r| matches!(r, Reason::Reached { .. }));
        let reached = plan.syscalls.iter().filter(is_reached).count() as u64;
        let allowed = plan.syscalls.len() as u64;
        let known = recording
            .runs
            .values()
            .map(|run| u64::from(run.host.syscalls_known))
            .max()
            .unwrap_or_default();
        let counts = ExchangeCounts::of_recording(recording);
        let names = |list: &[crate::plan::AllowedCapability]| list.iter().map(|c| c.name.clone()).collect();
        Self {
            version: VERSION,
            slim: env!("CARGO_PKG_VERSION").to_owned(),
            reference: plan.reference.clone(),
            image: plan.image.clone(),
            product: None,
            verification: None,
            launch: LaunchSpec::default(),
            before: plan.before,
            after: plan.after,
            kept_by: plan.kept_by.clone(),
            left_out: plan.left_out.clone(),
            packages_in_part: packages_in_part(plan),
            syscalls: SyscallCounts {
                allowed,
                app: by_app,
                reached,
                other: allowed - by_app - reached,
                known,
            },
            phases: phases(plan),
            kept_out: calls::kept_out(plan, recording),
            capabilities: names(&plan.capabilities),
            refused_capabilities: names(&plan.refused_capabilities),
            privilege_gain: plan.privilege_gain.clone(),
            privileged: plan.privileged.clone(),
            runs: plan.runs.clone(),
            exchanges: counts.all(),
            exchange_counts: counts,
            probe: counts.sentences(),
            notes: plan.notes.clone(),
            stages: Vec::new(),
            total_ms: 0,
            peak_memory: 0,
            output: PathBuf::new(),
        }
    }
}

/// Returns the sorted names of the packages that are kept in part.
fn packages_in_part(plan: &Plan) -> Vec<String> {
    let partly = plan.removed.iter().filter(|removed| removed.kept_files > 0);
    let mut names: Vec<String> = partly.filter_map(|removed| removed.package.clone()).collect();
    names.sort();
    names
}

impl ExchangeCounts {
    /// Number of all exchanges.
    fn all(&self) -> u64 {
        self.http + self.tcp + self.udp + self.commands + self.tests
    }

    /// Counts the exchanges of all runs.
    fn of_recording(recording: &Recording) -> Self {
        let mut counts = Self::default();
        for exchange in recording.runs.values().flat_map(|run| &run.exchanges) {
            match &exchange.kind {
                ExchangeKind::Http(http) => {
                    let good = http
                        .response
                        .as_ref()
                        .is_some_and(|response| response.status < 400);
                    counts.http += 1;
                    counts.http_below_400 += u64::from(good);
                }
                ExchangeKind::Tcp(_) => counts.tcp += 1,
                ExchangeKind::Udp(_) => counts.udp += 1,
                ExchangeKind::Exec(_) => counts.commands += 1,
                ExchangeKind::Host(_) => counts.tests += 1,
            }
        }
        counts
    }

    /// Returns a sentence for each protocol.
    fn sentences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.http > 0 {
            let number = number_of(self.http, "HTTP request");
            lines.push(format!("{number}, {} answered below 400", self.http_below_400));
        }
        if self.tcp > 0 {
            lines.push(number_of(self.tcp, "TCP connection"));
        }
        if self.udp > 0 {
            lines.push(number_of(self.udp, "UDP datagram"));
        }
        if self.commands > 0 {
            lines.push(number_of(self.commands, "command"));
        }
        if self.tests > 0 {
            lines.push(format!("{} on the host", number_of(self.tests, "test")));
        }
        lines
    }
}

/// `1 command`, `2 commands`.
fn number_of(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_are_counted_in_sentences() {
        let counts = ExchangeCounts {
            http: 2,
            http_below_400: 1,
            tcp: 0,
            udp: 1,
            commands: 1,
            tests: 2,
        };
        assert_eq!(counts.all(), 6);
        assert_eq!(
            counts.sentences(),
            [
                "2 HTTP requests, 1 answered below 400",
                "1 UDP datagram",
                "1 command",
                "2 tests on the host"
            ]
        );
    }
}
