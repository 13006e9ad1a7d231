//! The seccomp profile, in Docker's JSON.
//!
//! It lists `architectures` rather than Docker's `archMap`, so that the same file is an OCI `linux.seccomp` and works
//! with Docker, Podman, containerd and CRI-O. A name is allowed on every listed architecture.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Artifact, Context, Error};
use crate::plan::filter::{Condition, architecture};
use crate::plan::syscalls::{answered, default_errno};
use crate::plan::tables::Tables;
use crate::plan::{AllowedSyscall, Reason};
use crate::recording::{Abi, Actor};

/// The name of the profile's file in the output directory.
pub const SECCOMP_FILE: &str = "seccomp.json";

/// The artifact `seccomp.json`.
#[derive(Clone, Copy, Debug)]
pub struct Seccomp;

/// Why a call is in the profile: the strongest of its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    App,
    Runtime,
    Family,
}

impl Group {
    fn of(call: &AllowedSyscall) -> Self {
        let group = |reason: &Reason| match reason {
            Reason::Observed {
                actor: Actor::App, ..
            }
            | Reason::Assumed { .. } => Self::App,
            Reason::Observed {
                actor: Actor::Runtime,
                ..
            }
            | Reason::Runtime { .. } => Self::Runtime,
            Reason::Family { .. } => Self::Family,
        };
        call.reasons.iter().map(group).min().unwrap_or(Self::App)
    }

    fn comment(self) -> &'static str {
        match self {
            Self::App => "app: the recording saw it",
            Self::Runtime => "runtime: the container runtime calls it after it has loaded this filter",
            Self::Family => "family: made in the place of a recorded call, or along with it",
        }
    }
}

/// What a name is allowed, all ABIs together.
struct Allowed {
    group: Group,
    only: Option<BTreeSet<Vec<Condition>>>,
}

impl Artifact for Seccomp {
    fn format(&self) -> &'static str {
        "seccomp"
    }

    fn description(&self) -> &'static str {
        "seccomp profile, in the JSON of Docker and Podman"
    }

    fn file_name(&self) -> &'static str {
        SECCOMP_FILE
    }

    fn always(&self) -> bool {
        true
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let tables = Tables::built_in();
        let calls = &context.plan.syscalls;
        let allowed = by_name(calls);

        let mut rules = Vec::new();
        for group in [Group::App, Group::Runtime, Group::Family] {
            let of_group = || allowed.iter().filter(move |(_, a)| a.group == group);
            let always: Vec<&str> = of_group()
                .filter(|(_, a)| a.only.is_none())
                .map(|(name, _)| *name)
                .collect();
            if !always.is_empty() {
                rules.push(json!({
                    "names": always, "action": "SCMP_ACT_ALLOW", "comment": group.comment(),
                }));
            }
            for (name, entry) in of_group() {
                for conditions in entry.only.iter().flatten() {
                    rules.push(json!({
                        "names": [name], "action": "SCMP_ACT_ALLOW", "args": conditions,
                        "comment": format!("{}; only as the recorded container might", group.comment()),
                    }));
                }
            }
        }
        let default_errno = default_errno(context.recording, tables);
        for answer in answered(context.recording, tables) {
            let open = allowed
                .get(answer.name.as_str())
                .is_some_and(|a| a.only.is_none());
            if open || answer.errno == default_errno {
                continue;
            }
            let mut rule = Map::new();
            rule.insert("names".into(), json!([answer.name]));
            rule.insert("action".into(), json!("SCMP_ACT_ERRNO"));
            rule.insert("errnoRet".into(), json!(answer.errno));
            if !answer.when.is_empty() {
                rule.insert("args".into(), json!(answer.when));
            }
            rule.insert(
                "comment".into(),
                json!("refused with the error that the recorded container got"),
            );
            rules.push(Value::Object(rule));
        }

        let profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": default_errno,
            "architectures": architectures(context)?,
            "syscalls": rules,
        });
        let mut bytes = serde_json::to_vec_pretty(&profile).expect("a JSON value's keys are strings");
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn by_name(calls: &[AllowedSyscall]) -> BTreeMap<&str, Allowed> {
    let mut all: BTreeMap<&str, Allowed> = BTreeMap::new();
    for call in calls {
        let only = (!call.only.is_empty()).then(|| call.only.iter().cloned().collect::<BTreeSet<_>>());
        let group = Group::of(call);
        all.entry(&call.name)
            .and_modify(|entry| {
                entry.group = entry.group.min(group);
                entry.only = match (entry.only.take(), only.clone()) {
                    (Some(a), Some(b)) => Some(&a | &b),
                    _ => None,
                };
            })
            .or_insert(Allowed { group, only });
    }
    all
}

/// The machine's own architecture, and those of compatibility calls where such were recorded.
fn architectures(context: &Context<'_>) -> Result<Vec<&'static str>, Error> {
    let mut all = Vec::new();
    let abis: BTreeSet<Abi> = context
        .plan
        .syscalls
        .iter()
        .map(|call| call.abi)
        .chain([Abi::Native])
        .collect();
    let machines: BTreeSet<&str> = context
        .recording
        .runs
        .values()
        .map(|run| run.host.machine.as_str())
        .collect();
    for machine in machines {
        for abi in &abis {
            match (architecture(machine, *abi), abi) {
                (Some(name), _) => all.push(name),
                (None, Abi::Native) => {
                    return Err(Error::Machine {
                        machine: machine.to_owned(),
                    });
                }
                (None, _) => {}
            }
        }
    }
    Ok(all)
}
