//! The report on system calls: the phases in which they are made, and the calls that are kept out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::printable;
use crate::plan::filter::Bound;
use crate::plan::syscalls::known;
use crate::plan::tables::Tables;
use crate::plan::{Plan, Reason};
use crate::recording::{Abi, Actor, Phase, Recording};

/// The calls that the application made, by phase; each name is in one list, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPhases {
    /// Only until the first answer: a filter that is loaded after start-up could leave them out.
    pub start_up: Vec<String>,
    /// While serving, and perhaps before and after.
    pub serving: Vec<String>,
    /// When stopping, and perhaps when starting.
    pub shutdown: Vec<String>,
}

/// The calls that another profile lets through and this one does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOut {
    /// The engine of that profile (`Docker 20.10`).
    pub baseline: String,
    /// Number of names that it lets through.
    pub of: u64,
    /// The names that are kept out, sorted.
    pub names: Vec<String>,
    /// The calls among them that published exploits of the kernel needed, sorted by name.
    pub exploited: Vec<Exploited>,
}

/// A call that published exploits of the kernel needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exploited {
    /// Its name.
    pub name: String,
    /// The flaws, sorted (`CVE-2022-0847`).
    pub flaws: Vec<String>,
}

/// Returns the calls of `plan` by phase; none where none was made while serving.
pub fn phases(plan: &Plan) -> Option<CallPhases> {
    let mut phases = CallPhases::default();
    let names: BTreeSet<&str> = plan.syscalls.iter().map(|call| call.name.as_str()).collect();
    for name in names {
        let calls = plan.syscalls.iter().filter(|call| call.name == name);
        let seen: BTreeSet<Phase> = calls
            .flat_map(|call| &call.reasons)
            .filter_map(|reason| match reason {
                Reason::Observed {
                    actor: Actor::App,
                    phase,
                    ..
                } => Some(*phase),
                _ => None,
            })
            .collect();
        let list = if seen.contains(&Phase::Serving) || seen.contains(&Phase::Verification) {
            &mut phases.serving
        } else if seen.contains(&Phase::Shutdown) {
            &mut phases.shutdown
        } else if seen.contains(&Phase::StartUp) {
            &mut phases.start_up
        } else {
            continue;
        };
        list.push(name.to_owned());
    }
    (!phases.serving.is_empty()).then_some(phases)
}

impl CallPhases {
    /// Returns the text for the terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (title, names) in [
            ("only while starting", &self.start_up),
            ("while serving", &self.serving),
            ("when stopping", &self.shutdown),
        ] {
            let _ = writeln!(out, "{} {title}", names.len());
            if !names.is_empty() {
                let _ = writeln!(out, "  {}", printable(&names.join(", ")));
            }
        }
        out
    }
}

/// Returns the machine's calls that Docker's default profile lets through and `plan` does not.
pub(super) fn kept_out(plan: &Plan, recording: &Recording) -> Option<KeptOut> {
    let tables = Tables::built_in();
    let run = recording.runs.values().next()?;
    let (baseline, filter) = tables.dockers_filter(run)?;
    let machine = plan.machine.as_deref().unwrap_or(&run.host.machine);
    let through = |name: &String| filter.bound(name) != Bound::Never;
    let through: BTreeSet<String> = known(machine, Abi::Native).into_iter().filter(through).collect();
    let of = through.len() as u64;
    let allowed: BTreeSet<&str> = plan.syscalls.iter().map(|call| call.name.as_str()).collect();
    let kept: Vec<String> = through
        .into_iter()
        .filter(|name| !allowed.contains(name.as_str()))
        .collect();
    let exploited = kept
        .iter()
        .filter_map(|name| {
            let exploits = tables
                .exploits
                .iter()
                .filter(|exploit| exploit.calls.contains(name));
            let flaws: BTreeSet<String> = exploits.map(|exploit| exploit.cve.clone()).collect();
            (!flaws.is_empty()).then(|| Exploited {
                name: name.clone(),
                flaws: flaws.into_iter().collect(),
            })
        })
        .collect();
    Some(KeptOut {
        baseline: baseline.to_owned(),
        of,
        names: kept,
        exploited,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::plan::AllowedSyscall;
    use crate::plan::syscalls::allowed;
    use crate::recording::{SyscallUse, tests::run};

    fn made(name: &str, phases: &[Phase]) -> Vec<SyscallUse> {
        let call = |&phase| SyscallUse {
            phase,
            ..SyscallUse::once(name, 0)
        };
        phases.iter().map(call).collect()
    }

    fn recorded(calls: Vec<SyscallUse>) -> (Plan, Recording) {
        let mut run = run(1);
        run.host.machine = "x86_64".into();
        run.host.kernel = "6.1".into();
        run.engine.name = "docker".into();
        run.engine.version = "20.10.24".into();
        run.syscalls = calls;
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        let mut plan = super::super::explain::tests::plan();
        plan.syscalls = crate::plan::syscalls::allowed(&recording, Tables::built_in()).0;
        (plan, recording)
    }

    #[test]
    fn each_call_of_the_app_is_in_one_list() {
        use Phase::{Serving, Shutdown, StartUp};
        let calls = [
            made("bind", &[StartUp]),
            made("read", &[StartUp, Serving, Shutdown]),
            made("unlink", &[StartUp, Shutdown]),
        ]
        .concat();
        let (plan, _) = recorded(calls);
        insta::assert_snapshot!(phases(&plan).unwrap().text(), @r"
        1 only while starting
          bind
        1 while serving
          read
        1 when stopping
          unlink
        ");
        let (job, _) = recorded(made("bind", &[StartUp]));
        assert_eq!(phases(&job), None);
    }

    /// The calls of each run: their number by phase.
    type Made = BTreeMap<u64, BTreeMap<(&'static str, Phase), u64>>;

    fn runs() -> impl Strategy<Value = Made> {
        let name = proptest::sample::select(vec!["bind", "chmod", "fork", "read", "unlink"]);
        let phase = proptest::sample::select(vec![Phase::StartUp, Phase::Serving, Phase::Shutdown]);
        let calls = proptest::collection::btree_map((name, phase), 1u64..100, 0..8);
        proptest::collection::btree_map(0u64..6, calls, 1..4)
    }

    fn recording(all: &Made) -> Recording {
        let mut recording = Recording::new(run(0).image);
        for (seed, calls) in all {
            let mut run = run(*seed);
            run.host.machine = "x86_64".into();
            run.container.seccomp_unconfined = true;
            run.syscalls = calls
                .iter()
                .map(|((name, phase), count)| SyscallUse {
                    count: *count,
                    ..made(name, &[*phase])[0].clone()
                })
                .collect();
            recording.insert(run).unwrap();
        }
        recording
    }

    /// The evidence by call: run, phase and count.
    fn evidence(recording: &Recording) -> BTreeSet<(String, Digest, Phase, u64)> {
        let (calls, _) = allowed(recording, Tables::built_in());
        let of_call = |call: &AllowedSyscall| {
            let observed = call.reasons.iter().filter_map(|reason| match reason {
                Reason::Observed {
                    run, phase, count, ..
                } => Some((call.name.clone(), run.clone(), *phase, *count)),
                _ => None,
            });
            observed.collect::<Vec<_>>()
        };
        calls.iter().flat_map(of_call).collect()
    }

    proptest! {
        /// United recordings tell what each of them tells: every run's counts, and of a call that it is only start-up's
        /// where no run made it later.
        #[test]
        fn nothing_is_forgotten_in_a_union(a in runs(), b in runs()) {
            // Runs of one seed are one run in two recordings.
            let b: Made = b.into_iter().map(|(seed, calls)| (seed, a.get(&seed).cloned().unwrap_or(calls))).collect();
            let (one, other) = (recording(&a), recording(&b));
            let united = one.clone().merge(other.clone()).unwrap();
            let both: BTreeSet<_> = evidence(&one).union(&evidence(&other)).cloned().collect();
            prop_assert_eq!(&evidence(&united), &both);

            let all: Made = a.into_iter().chain(b).collect();
            let mut counts: BTreeMap<(String, Phase), u64> = BTreeMap::new();
            for ((name, phase), count) in all.values().flatten() {
                *counts.entry(((*name).to_owned(), *phase)).or_default() += count;
            }
            let mut told = BTreeMap::new();
            for (name, _, phase, count) in both {
                *told.entry((name, phase)).or_default() += count;
            }
            prop_assert_eq!(&told, &counts);

            let mut plan = super::super::explain::tests::plan();
            plan.syscalls = allowed(&united, Tables::built_in()).0;
            let later = |name: &str| counts.keys().any(|(of, phase)| of == name && *phase != Phase::StartUp);
            let expected: BTreeSet<String> = counts
                .keys()
                .map(|(name, _)| name.clone())
                .filter(|name| !later(name))
                .collect();
            match phases(&plan) {
                Some(phases) => prop_assert_eq!(phases.start_up.into_iter().collect::<BTreeSet<_>>(), expected),
                None => prop_assert!(counts.keys().all(|(_, phase)| *phase != Phase::Serving)),
            }
        }
    }

    #[test]
    fn what_docker_lets_through_and_nobody_made_is_kept_out() {
        let (plan, recording) = recorded(made("bind", &[Phase::StartUp]));
        let kept_out = kept_out(&plan, &recording).unwrap();
        assert_eq!(kept_out.baseline, "Docker 20.10");
        assert!((280..360).contains(&kept_out.of), "{}", kept_out.of);
        let out = |name: &str| kept_out.names.iter().any(|out| out == name);
        assert!(out("splice") && out("io_uring_setup"));
        assert!(!out("bind"), "it was made");
        assert!(!out("bpf"), "Docker keeps it out too");
        let splice = kept_out.exploited.iter().find(|call| call.name == "splice");
        assert_eq!(splice.unwrap().flaws, ["CVE-2022-0847"]);
    }
}
