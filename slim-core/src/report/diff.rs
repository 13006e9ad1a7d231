//! The changes between two results: plans, recordings or seccomp profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::{explain, printable};
use crate::plan::filter::{Answer, Bound, Condition, Filter};
use crate::plan::tables::Tables;
use crate::plan::{Plan, syscalls};
use crate::recording::{Actor, Recording};

/// One side of a comparison: the allowed calls and capabilities and the kept paths, each with its reason.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Its name in messages: the path as the user gave it.
    pub name: String,
    syscalls: BTreeMap<String, Allowed>,
    /// None if the side does not list capabilities.
    capabilities: Option<BTreeMap<String, String>>,
    /// None if the side does not list files.
    paths: Option<BTreeMap<String, String>>,
    /// True if calls that it does not name are allowed.
    open: bool,
}

/// An allowed system call.
#[derive(Clone, Debug, Default)]
struct Allowed {
    /// The alternatives of conditions; empty for any arguments.
    only: BTreeSet<Vec<Condition>>,
    why: String,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A system call that only the second side allows.
    AddedSyscall,
    /// A system call that only the first side allows.
    RemovedSyscall,
    /// A capability that only the second side grants.
    AddedCapability,
    /// A capability that only the first side grants.
    RemovedCapability,
    /// A path that only the second side keeps or uses.
    AddedPath,
    /// A path that only the first side keeps or uses.
    RemovedPath,
    /// A system call that both allow, the second one under fewer conditions; or all calls that are not named. As what
    /// fails a gate, every added system call and capability, too.
    Wider,
    /// A system call that both allow, the second one under more conditions.
    Narrower,
}

impl ChangeKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::AddedSyscall,
        Self::RemovedSyscall,
        Self::AddedCapability,
        Self::RemovedCapability,
        Self::AddedPath,
        Self::RemovedPath,
        Self::Wider,
        Self::Narrower,
    ];

    /// Returns its name on the command line and in documents (`added-syscall`).
    pub fn name(self) -> &'static str {
        match self {
            Self::AddedSyscall => "added-syscall",
            Self::RemovedSyscall => "removed-syscall",
            Self::AddedCapability => "added-capability",
            Self::RemovedCapability => "removed-capability",
            Self::AddedPath => "added-path",
            Self::RemovedPath => "removed-path",
            Self::Wider => "wider",
            Self::Narrower => "narrower",
        }
    }

    /// Returns true if a gate on `kinds` is exceeded by such a change: what adds a call or a capability makes the profile
    /// wider, too.
    fn is_among(self, kinds: &[Self]) -> bool {
        let widens = matches!(self, Self::AddedSyscall | Self::AddedCapability);
        kinds.contains(&self) || (widens && kinds.contains(&Self::Wider))
    }

    /// Returns true if the second side may do more because of it.
    fn loosens(self) -> bool {
        matches!(
            self,
            Self::AddedSyscall | Self::AddedCapability | Self::AddedPath | Self::Wider
        )
    }
}

impl std::str::FromStr for ChangeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("{text:?} is none of {}", names()))
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Its kind.
    pub kind: ChangeKind,
    /// The system call, the capability or the path.
    pub what: String,
    /// The reason on the side that has it; empty if that side gives none.
    pub why: String,
}

/// The changes from one side to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first side's name.
    pub from: String,
    /// The second side's name.
    pub to: String,
    /// The changes, sorted.
    pub changes: Vec<Change>,
}

impl Side {
    /// The calls and capabilities that a plan allows, and the paths that it keeps.
    pub fn of_plan(name: &str, plan: &Plan) -> Self {
        let why = |what: &str| {
            explain(plan, what)
                .evidence
                .first()
                .map(|evidence| {
                    let own = format!("{what}: ");
                    evidence.strip_prefix(&own).unwrap_or(evidence).to_owned()
                })
                .unwrap_or_default()
        };
        let mut calls: BTreeMap<String, Allowed> = BTreeMap::new();
        for call in &plan.syscalls {
            let entry = calls.entry(call.name.clone()).or_insert_with(|| Allowed {
                only: BTreeSet::new(),
                why: why(&call.name),
            });
            entry.only.extend(call.only.iter().cloned());
        }
        Self {
            name: name.to_owned(),
            syscalls: calls,
            capabilities: Some(
                plan.capabilities
                    .iter()
                    .map(|capability| (capability.name.clone(), why(&capability.name)))
                    .collect(),
            ),
            paths: Some(
                plan.files
                    .keys()
                    .map(|path| {
                        let text = path.to_string();
                        let why = why(&text);
                        (text, why)
                    })
                    .collect(),
            ),
            open: false,
        }
    }

    /// The allowed calls, used capabilities and used paths of a recording, without its image.
    pub fn of_recording(name: &str, recording: &Recording) -> Self {
        let (allowed, _) = syscalls::allowed(recording, Tables::built_in());
        let mut calls: BTreeMap<String, Allowed> = BTreeMap::new();
        for call in allowed {
            let entry = calls.entry(call.name).or_default();
            entry.only.extend(call.only);
        }
        let runs = recording.runs.values();
        let by_app = runs.clone().flat_map(|run| &run.capabilities);
        let capabilities = by_app
            .filter(|used| used.granted && used.actor == Actor::App)
            .map(|used| (used.capability.clone(), who(used.program.as_ref())));
        let files = runs.flat_map(|run| &run.files);
        let paths = files
            .filter(|file| file.actor == Actor::App && file.on_root && !file.access.is_empty())
            .map(|file| (file.path.to_string(), who(file.program.as_ref())));
        Self {
            name: name.to_owned(),
            syscalls: calls,
            capabilities: Some(capabilities.collect()),
            paths: Some(paths.collect()),
            open: false,
        }
    }

    /// The calls that a seccomp profile allows, in Docker's JSON or the OCI runtime specification's.
    ///
    /// # Errors
    /// It is no seccomp profile.
    pub fn of_profile(name: &str, profile: &Value) -> Result<Self, crate::plan::filter::Error> {
        let filter = Filter::from_oci(profile)?;
        let names: BTreeSet<&String> = filter.rules.iter().flat_map(|rule| &rule.names).collect();
        let calls = names.into_iter().filter_map(|call| {
            let only = match filter.bound(call) {
                Bound::Never => return None,
                Bound::Always => BTreeSet::new(),
                Bound::When(alternatives) => alternatives.into_iter().collect(),
            };
            let why = String::new();
            Some((call.clone(), Allowed { only, why }))
        });
        Ok(Self {
            name: name.to_owned(),
            syscalls: calls.collect(),
            capabilities: None,
            paths: None,
            open: filter.default == Answer::Allow,
        })
    }
}

fn who(program: Option<&crate::path::RootPath>) -> String {
    program.map_or_else(String::new, |program| format!("used by {program}"))
}

/// Compares `from` with `to`. Capabilities or paths that one of them does not list are not compared.
pub fn diff(from: &Side, to: &Side) -> Diff {
    let mut changes = Vec::new();
    let mut add = |kind, what: &str, why: &str| {
        changes.push(Change {
            kind,
            what: what.to_owned(),
            why: why.to_owned(),
        });
    };
    for (name, allowed) in &to.syscalls {
        match from.syscalls.get(name) {
            None => add(ChangeKind::AddedSyscall, name, &allowed.why),
            Some(before) if before.only == allowed.only => {}
            Some(before) if is_wider(&before.only, &allowed.only) => {
                add(ChangeKind::Wider, name, &allowed.why);
            }
            Some(_) => add(ChangeKind::Narrower, name, &allowed.why),
        }
    }
    for (name, allowed) in &from.syscalls {
        if !to.syscalls.contains_key(name) {
            add(ChangeKind::RemovedSyscall, name, &allowed.why);
        }
    }
    match (from.open, to.open) {
        (false, true) => add(
            ChangeKind::Wider,
            "every system call that is not named",
            "the default action",
        ),
        (true, false) => add(
            ChangeKind::Narrower,
            "every system call that is not named",
            "the default action",
        ),
        _ => {}
    }
    let kinds = [
        (
            &from.capabilities,
            &to.capabilities,
            ChangeKind::AddedCapability,
            ChangeKind::RemovedCapability,
        ),
        (
            &from.paths,
            &to.paths,
            ChangeKind::AddedPath,
            ChangeKind::RemovedPath,
        ),
    ];
    for (from, to, added, removed) in kinds {
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        for (what, why) in to.iter().filter(|(what, _)| !from.contains_key(*what)) {
            add(added, what, why);
        }
        for (what, why) in from.iter().filter(|(what, _)| !to.contains_key(*what)) {
            add(removed, what, why);
        }
    }
    changes.sort();
    Diff {
        from: from.name.clone(),
        to: to.name.clone(),
        changes,
    }
}

/// Returns true if the new alternatives may allow more calls. A new alternative in place of an old one counts as wider:
/// the set of allowed calls has changed, and need not be a subset.
fn is_wider(before: &BTreeSet<Vec<Condition>>, after: &BTreeSet<Vec<Condition>>) -> bool {
    after.is_empty() || (!before.is_empty() && !after.is_subset(before))
}

impl Diff {
    /// The changes that a gate on these kinds finds.
    pub fn of_kinds(&self, kinds: &[ChangeKind]) -> Vec<&Change> {
        self.changes
            .iter()
            .filter(|change| change.kind.is_among(kinds))
            .collect()
    }

    /// The text for people: a line for each change, what is added with a plus, what is removed with a minus.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} → {}", printable(&self.from), printable(&self.to));
        if self.changes.is_empty() {
            out.push_str("  nothing changed\n");
        }
        for Change { kind, what, why } in &self.changes {
            let sign = if kind.loosens() { '+' } else { '-' };
            let kind = kind.name();
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(" ({why})")
            };
            let _ = writeln!(out, "{sign} {kind:<18} {}{}", printable(what), printable(&why));
        }
        out
    }

    /// The changes that loosen anything, as a SARIF 2.1.0 log for code scanning; `failing` are errors, the others notes.
    ///
    /// Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
    pub fn sarif(&self, failing: &[ChangeKind]) -> Value {
        let rules: Vec<Value> = ChangeKind::ALL
            .into_iter()
            .filter(|kind| kind.loosens())
            .map(|kind| {
                let text = match kind {
                    ChangeKind::AddedSyscall => "A system call is allowed that was not",
                    ChangeKind::AddedCapability => "A capability is granted that was not",
                    ChangeKind::AddedPath => "A path is kept that was not",
                    _ => "More is allowed of a system call than was",
                };
                json!({"id": kind.name(), "shortDescription": {"text": text}})
            })
            .collect();
        let results: Vec<Value> = self
            .changes
            .iter()
            .filter(|change| change.kind.loosens())
            .map(|change| {
                let why = if change.why.is_empty() {
                    String::new()
                } else {
                    format!(": {}", change.why)
                };
                json!({
                    "ruleId": change.kind.name(),
                    "level": if change.kind.is_among(failing) { "error" } else { "note" },
                    "message": {"text": format!("{}{why}", change.what)},
                    "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&self.to)}}}],
                    "partialFingerprints": {"change/v1": format!("{} {}", change.kind.name(), change.what)},
                })
            })
            .collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "slim",
                    "version": env!("CARGO_PKG_VERSION"),
                    "informationUri": env!("CARGO_PKG_REPOSITORY"),
                    "rules": rules,
                }},
                "results": results,
            }],
        })
    }
}

/// A path as a relative reference of RFC 3986.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(calls: &[&str], more: Value) -> Side {
        let mut rules = vec![json!({"names": calls, "action": "SCMP_ACT_ALLOW"})];
        rules.extend(more.as_array().cloned().unwrap_or_default());
        let document = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules});
        Side::of_profile("a b/seccomp.json", &document).unwrap()
    }

    fn kinds(diff: &Diff) -> Vec<(ChangeKind, &str)> {
        diff.changes
            .iter()
            .map(|change| (change.kind, change.what.as_str()))
            .collect()
    }

    #[test]
    fn calls_come_and_go() {
        let found = diff(
            &profile(&["read", "write"], json!([])),
            &profile(&["read", "mount"], json!([])),
        );
        assert_eq!(
            kinds(&found),
            [
                (ChangeKind::AddedSyscall, "mount"),
                (ChangeKind::RemovedSyscall, "write")
            ]
        );
        assert_eq!(
            found
                .of_kinds(&[ChangeKind::AddedSyscall, ChangeKind::Wider])
                .len(),
            1
        );
        insta::assert_snapshot!(found.text());
    }

    #[test]
    fn a_gate_on_wider_finds_every_kind_of_it() {
        let found = diff(
            &profile(&["read", "write"], json!([])),
            &profile(&["read", "mount"], json!([])),
        );
        let gate = |kind| found.of_kinds(&[kind]).len();
        assert_eq!(gate(ChangeKind::Wider), 1);
        assert_eq!(gate(ChangeKind::Narrower), 0);
        assert_eq!(gate(ChangeKind::AddedCapability), 0);
        let log = found.sarif(&[ChangeKind::Wider]);
        assert_eq!(log["runs"][0]["results"][0]["level"], "error");
    }

    #[test]
    fn fewer_conditions_are_wider() {
        let under = |value: u64| {
            json!([{"names": ["socket"], "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]}])
        };
        let (unix, inet, any) = (
            profile(&[], under(1)),
            profile(&[], under(2)),
            profile(&["socket"], json!([])),
        );
        assert_eq!(kinds(&diff(&unix, &any)), [(ChangeKind::Wider, "socket")]);
        assert_eq!(kinds(&diff(&any, &unix)), [(ChangeKind::Narrower, "socket")]);
        assert_eq!(kinds(&diff(&unix, &inet)), [(ChangeKind::Wider, "socket")]);
        assert_eq!(kinds(&diff(&unix, &unix)), []);
    }

    #[test]
    fn a_profile_that_allows_what_it_does_not_name_is_wider() {
        let open = json!({"defaultAction": "SCMP_ACT_ALLOW"});
        let open = Side::of_profile("open", &open).unwrap();
        let found = diff(&profile(&[], json!([])), &open);
        assert_eq!(
            kinds(&found),
            [(ChangeKind::Wider, "every system call that is not named")]
        );
    }

    #[test]
    fn sarif_marks_what_fails() {
        let found = diff(
            &profile(&["read"], json!([])),
            &profile(&["read", "mount"], json!([])),
        );
        let log = found.sarif(&[ChangeKind::AddedSyscall]);
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["level"], "error");
        let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(uri, "a%20b/seccomp.json");
        assert_eq!(found.sarif(&[])["runs"][0]["results"][0]["level"], "note");
    }
}
