//! Which system calls are allowed, and why.
//!
//! What the application was seen to call, within what the filter of its container let through; what the container
//! runtime calls once it has loaded the filter; and calls that stand in for the observed ones.

use std::collections::{BTreeMap, BTreeSet};

use libseccomp::{ScmpArch, ScmpSyscall};

use super::filter::{Answer, Bound, Condition, Filter, architecture};
use super::tables::Tables;
use super::{AllowedSyscall, Reason};
use crate::recording::{Abi, Actor, Purpose, Recording, Run, SyscallUse};

/// A call that the container's filter answered with an error number of its own choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    /// Its name.
    pub name: String,
    /// The error number.
    pub errno: u16,
    /// Conditions on its arguments that must all hold; empty for none.
    pub when: Vec<Condition>,
}

#[derive(Default)]
struct Entry {
    reasons: BTreeSet<Reason>,
    bound: Option<Bound>,
}

impl Entry {
    fn add(&mut self, reason: Reason, bound: Bound) {
        self.reasons.insert(reason);
        self.bound = Some(match self.bound.take() {
            Some(before) => before.or(bound),
            None => bound,
        });
    }
}

/// The allowed calls, sorted by ABI and name, and what the user should know.
///
/// A call is allowed where the application made it and the container's own filter did not deny it. The filter does
/// not show in a result (EPERM may be the kernel's), so it is asked here, about the name and about the first failing
/// arguments.
pub fn allowed(recording: &Recording, tables: &Tables) -> (Vec<AllowedSyscall>, Vec<String>) {
    let mut calls: BTreeMap<(Abi, String), Entry> = BTreeMap::new();
    let mut notes = BTreeSet::new();
    let mut refused = BTreeSet::new();
    let filters: Vec<(&Run, Option<Filter>)> = recording
        .runs
        .values()
        .map(|run| (run, noted_filter(run, tables, &mut notes)))
        .collect();

    for ((id, run), (_, filter)) in recording.runs.iter().zip(&filters) {
        for call in run
            .syscalls
            .iter()
            // A Run of verification holds calls of the runtime where they were refused to it.
            .filter(|call| call.actor == Actor::App || run.purpose == Purpose::Verification)
            .filter(|call| call.count > 0)
        {
            if call.name.starts_with('#') {
                notes.insert(format!(
                    "call number {} has no name in this machine's libseccomp, so a profile cannot allow it: install \
                     a newer libseccomp",
                    call.number
                ));
                continue;
            }
            let bound = match filter {
                Some(filter) if denied(filter, run, call) => {
                    if !plays_old(filter, &call.name) {
                        refused.insert(call.name.clone());
                    }
                    continue;
                }
                Some(filter) => filter.bound(&call.name),
                None => Bound::Always,
            };
            let reason = Reason::Observed {
                run: id.clone(),
                phase: call.phase,
                actor: call.actor,
                program: call.program.clone(),
                count: call.count,
                failed: call.failed,
            };
            calls
                .entry((call.abi, call.name.clone()))
                .or_default()
                .add(reason, bound);
        }
    }

    let any_bound = |name: &str| {
        filters
            .iter()
            .map(|(_, filter)| filter.as_ref().map_or(Bound::Always, |f| f.bound(name)))
            .reduce(Bound::or)
            .unwrap_or(Bound::Always)
    };
    for run in recording.runs.values() {
        for set in tables.runtime(&run.runtime.name) {
            for name in &set.names {
                let bound = any_bound(name);
                if bound != Bound::Never {
                    let reason = Reason::Runtime {
                        table: set.name.clone(),
                    };
                    calls
                        .entry((Abi::Native, name.clone()))
                        .or_default()
                        .add(reason, bound);
                }
            }
        }
    }

    let machines: BTreeSet<&str> = recording
        .runs
        .values()
        .map(|run| run.host.machine.as_str())
        .collect();
    let exists = |abi, name: &str| machines.iter().any(|machine| exists(machine, abi, name));
    let mut todo: Vec<(Abi, String)> = calls.keys().cloned().collect();
    while let Some((abi, of)) = todo.pop() {
        for family in tables.families.iter().filter(|family| family.of.contains(&of)) {
            for name in family
                .allow
                .iter()
                .filter(|name| **name != of && exists(abi, name))
            {
                let bound = any_bound(name);
                if bound == Bound::Never {
                    continue;
                }
                let key = (abi, name.clone());
                // One that is allowed already needs no further reason.
                if let std::collections::btree_map::Entry::Vacant(vacant) = calls.entry(key.clone()) {
                    vacant
                        .insert(Entry::default())
                        .add(Reason::Family { of: of.clone() }, bound);
                    todo.push(key);
                }
            }
        }
    }

    refused.retain(|name: &String| !calls.keys().any(|(_, allowed)| allowed == name));
    if !refused.is_empty() {
        let names: Vec<_> = refused.into_iter().collect();
        notes.insert(format!(
            "not allowed, because the filter of the recorded container refused them: {}",
            names.join(", ")
        ));
    }
    let calls = calls
        .into_iter()
        .map(|((abi, name), entry)| AllowedSyscall {
            abi,
            name,
            only: match entry.bound {
                Some(Bound::When(alternatives)) => alternatives,
                _ => Vec::new(),
            },
            reasons: entry.reasons.into_iter().collect(),
        })
        .collect();
    (calls, notes.into_iter().collect())
}

/// What the recorded containers' filters answered with an error number of their choice; sorted.
///
/// A profile keeps these answers, since C libraries choose their way by them.
pub fn answered(recording: &Recording, tables: &Tables) -> Vec<Answered> {
    let mut ignored = BTreeSet::new();
    let all: BTreeSet<Answered> = recording
        .runs
        .values()
        .filter_map(|run| noted_filter(run, tables, &mut ignored))
        .flat_map(|filter| filter.chosen_errors())
        .map(|(name, errno, when)| Answered { name, errno, when })
        .collect();
    all.into_iter().collect()
}

/// The error number that a call gets which is not allowed: what the recorded containers' filters answered, EPERM (1)
/// where they differ or there is none.
pub fn default_errno(recording: &Recording, tables: &Tables) -> u16 {
    let mut ignored = BTreeSet::new();
    let errors: BTreeSet<u16> = recording
        .runs
        .values()
        .filter_map(|run| match noted_filter(run, tables, &mut ignored)?.default {
            Answer::Errno(errno) => Some(errno),
            _ => None,
        })
        .collect();
    match errors.first() {
        Some(errno) if errors.len() == 1 => *errno,
        _ => 1,
    }
}

/// The filter that `run` was under: its own, or its engine's default where it could not be read; none without one.
pub fn filter(run: &Run, tables: &Tables) -> Option<Filter> {
    noted_filter(run, tables, &mut BTreeSet::new())
}

fn noted_filter(run: &Run, tables: &Tables, notes: &mut BTreeSet<String>) -> Option<Filter> {
    if run.container.seccomp_unconfined {
        notes.insert(
            "the container was recorded without a seccomp filter, so the profile is bounded by what was seen alone"
                .to_owned(),
        );
        return None;
    }
    if let Some(value) = &run.container.seccomp {
        match Filter::from_oci(value) {
            Ok(filter) => return Some(filter),
            Err(error) => {
                notes.insert(format!("the recorded container's filter is unreadable ({error})"));
            }
        }
    }
    let filter = tables.default_filter(run);
    let engine = format!("{} {}", run.engine.name, run.engine.version);
    notes.insert(if filter.is_some() {
        format!(
            "the filter of the recorded container could not be read; the published default of {engine} stands in"
        )
    } else {
        format!(
            "the filter of the recorded container could not be read and no default of {engine} is known, so the \
             profile is bounded by what was seen alone"
        )
    });
    filter
}

fn denied(filter: &Filter, run: &Run, call: &SyscallUse) -> bool {
    if !filter.knows(&run.host.machine, call.abi) || filter.bound(&call.name) == Bound::Never {
        return true;
    }
    // Allowed under conditions, and never seen to succeed: was it the filter that failed it?
    call.failed >= call.count
        && call
            .first_failure
            .is_some_and(|failure| filter.answer(&call.name, &failure.args) == Answer::Errno(failure.errno))
}

/// Whether the filter plays an old kernel (ENOSYS) to the call `name`, which is not worth a note.
fn plays_old(filter: &Filter, name: &str) -> bool {
    const ENOSYS: u16 = 38;
    let errors = filter.chosen_errors();
    errors.iter().any(|(n, errno, _)| n == name && *errno == ENOSYS)
}

/// Whether `machine` has the call `name` in `abi`.
fn exists(machine: &str, abi: Abi, name: &str) -> bool {
    let arch = match architecture(machine, abi) {
        Some("SCMP_ARCH_X86_64") => ScmpArch::X8664,
        Some("SCMP_ARCH_X86") => ScmpArch::X86,
        Some("SCMP_ARCH_X32") => ScmpArch::X32,
        Some("SCMP_ARCH_AARCH64") => ScmpArch::Aarch64,
        Some("SCMP_ARCH_ARM") => ScmpArch::Arm,
        _ => return true,
    };
    // Names that an architecture lacks have negative stand-ins.
    ScmpSyscall::from_name_by_arch(name, arch).is_ok_and(|call| call.as_raw_syscall() >= 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::recording::{Failure, Phase, tests};

    fn call(name: &str, count: u64, failure: Option<(u16, u64)>) -> SyscallUse {
        SyscallUse {
            abi: Abi::Native,
            number: 0,
            name: name.into(),
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
            count,
            failed: if failure.is_some() { count } else { 0 },
            first_failure: failure.map(|(errno, first)| Failure {
                errno,
                args: [first, 0, 0, 0, 0, 0],
            }),
            first_path: None,
        }
    }

    fn recorded(calls: Vec<SyscallUse>, seccomp: Option<serde_json::Value>) -> Recording {
        let mut run = tests::run(1);
        run.host.machine = "x86_64".into();
        run.runtime.name = "runc".into();
        run.syscalls = calls;
        run.container.seccomp_unconfined = seccomp.is_none();
        run.container.seccomp = seccomp;
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        recording
    }

    fn docker_like() -> serde_json::Value {
        json!({
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [
                {"names": ["read", "write", "openat", "close", "execve", "exit", "exit_group", "bind"], "action": "SCMP_ACT_ALLOW"},
                {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
                {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2_114_060_288, "op": "SCMP_CMP_MASKED_EQ"}]},
                {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
            ]
        })
    }

    fn find<'a>(calls: &'a [AllowedSyscall], name: &str) -> Option<&'a AllowedSyscall> {
        calls.iter().find(|c| c.name == name)
    }

    #[test]
    fn what_the_containers_filter_denied_is_not_granted() {
        let recording = recorded(
            vec![
                call("bind", 1, Some((13, 3))),
                call("keyctl", 3, Some((1, 0))),
                call("socket", 2, Some((1, 40))),
                call("clone3", 1, Some((38, 0))),
            ],
            Some(docker_like()),
        );
        let (calls, notes) = allowed(&recording, Tables::built_in());
        assert!(
            find(&calls, "bind").is_some(),
            "the kernel failed it, not the filter"
        );
        for name in ["keyctl", "socket", "clone3"] {
            assert_eq!(find(&calls, name), None, "{name}");
        }
        assert_eq!(
            notes,
            ["not allowed, because the filter of the recorded container refused them: keyctl, socket"]
        );
        let answered = answered(&recording, Tables::built_in());
        assert_eq!(
            answered,
            [Answered {
                name: "clone3".into(),
                errno: 38,
                when: vec![]
            }]
        );
    }

    #[test]
    fn conditions_of_the_containers_filter_are_carried_over() {
        let recording = recorded(
            vec![call("socket", 1, None), call("clone", 1, None)],
            Some(docker_like()),
        );
        let (calls, _) = allowed(&recording, Tables::built_in());
        assert_eq!(find(&calls, "socket").unwrap().only.len(), 1);
        assert_eq!(find(&calls, "clone").unwrap().only[0][0].value, 2_114_060_288);
        // The runtime's own are bounded as well: this filter does not let prctl through.
        assert_eq!(find(&calls, "prctl"), None);
        assert!(find(&calls, "execve").unwrap().only.is_empty());
    }

    #[test]
    fn without_a_filter_what_was_seen_is_granted_and_said() {
        let recording = recorded(vec![call("keyctl", 1, None), call("clone3", 1, None)], None);
        let (calls, notes) = allowed(&recording, Tables::built_in());
        assert!(find(&calls, "keyctl").is_some());
        assert_eq!(
            find(&calls, "clone").unwrap().reasons,
            [Reason::Family { of: "clone3".into() }]
        );
        assert!(notes[0].contains("without a seccomp filter"), "{notes:?}");
        assert!(calls.is_sorted());
    }

    #[test]
    fn compat_calls_are_kept_apart_and_get_their_own_family() {
        let mut compat = call("rt_sigaction", 1, None);
        compat.abi = Abi::Compat;
        let (calls, _) = allowed(&recorded(vec![compat], None), Tables::built_in());
        let compat: Vec<_> = calls
            .iter()
            .filter(|c| c.abi == Abi::Compat)
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(compat, ["rt_sigaction", "rt_sigreturn", "sigreturn"]);
        assert_eq!(find(&calls, "sigreturn").unwrap().abi, Abi::Compat);
    }

    #[test]
    fn an_unreadable_filter_is_replaced_by_the_engines_default() {
        let mut recording = recorded(vec![call("keyctl", 1, None), call("clone", 1, None)], None);
        let mut run = recording.runs.pop_first().unwrap().1;
        run.container.seccomp_unconfined = false;
        run.engine.name = "docker".into();
        run.engine.version = "20.10.24+dfsg1".into();
        run.host.kernel = "6.18.44".into();
        recording.insert(run).unwrap();
        let (calls, notes) = allowed(&recording, Tables::built_in());
        assert_eq!(find(&calls, "keyctl"), None);
        assert_eq!(find(&calls, "clone").unwrap().only.len(), 1);
        assert!(
            notes
                .iter()
                .any(|n| n.contains("published default of docker 20.10")),
            "{notes:?}"
        );
    }
}
