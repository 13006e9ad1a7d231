//! Recorded calls that a seccomp profile would have denied.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Error;
use super::simulate::Simulator;
use crate::path::RootPath;
use crate::plan::filter::{Answer, Bound, Container, Filter, architecture};
use crate::plan::syscalls::{Containers, denied};
use crate::plan::tables::Tables;
use crate::recording::{
    Abi, Actor, ArgumentUse, ArgumentValue, Phase, Recording, Run, SyscallUse, deciding_arguments,
};

/// The result of a check of recorded calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Number of calls that were looked at: each call of one program in one phase, by what it was asked for.
    pub calls: usize,
    /// Those that the profile would have denied, sorted by name.
    pub denied: Vec<Denied>,
    /// Those that it allows under conditions on arguments that the recording does not tell, sorted by name.
    pub open: Vec<Denied>,
    /// Names that container runtimes call once they have loaded the profile, and that it denies.
    pub runtimes: Vec<Missing>,
}

/// A recorded call that a profile denies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Denied {
    /// Its name.
    pub name: String,
    /// The ABI.
    pub abi: Abi,
    /// When.
    pub phase: Phase,
    /// The program; none where it is not known.
    pub program: Option<RootPath>,
    /// Number of times.
    pub count: u64,
    /// Its arguments, where they decide (`AF_INET, SOCK_STREAM`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// The error number that it would have got; none where the caller would have been killed, or where the profile's
    /// word is not known.
    pub errno: Option<u16>,
}

/// Calls that a profile lacks for a container to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The runtime and its circumstance (`runc 1.1, with no-new-privileges`).
    pub table: String,
    /// The calls that are denied, sorted.
    pub names: Vec<String>,
}

/// Returns the calls in `recording` that `profile` (Docker's JSON, or an OCI `linux.seccomp`) would have denied.
///
/// Calls that the recorded container's own filter denied are left out: they failed, and the application did without.
///
/// # Errors
/// [`Error::Simulate`] if it is no profile, or libseccomp refuses it.
pub fn check(profile: &[u8], recording: &Recording) -> Result<Checked, Error> {
    let tables = Tables::built_in();
    let value: Value = serde_json::from_slice(profile).map_err(|e| Error::Simulate(e.to_string()))?;
    let (containers, _) = Containers::new(recording, tables);
    let mut checked = Checked::default();
    let mut missing = BTreeSet::new();
    for (run, own) in containers.runs() {
        let container = Container {
            machine: &run.host.machine,
            kernel: &run.host.kernel,
            capabilities: &run.container.capabilities,
        };
        let mut filter =
            Filter::from_engine(&value, container).map_err(|e| Error::Simulate(e.to_string()))?;
        if let (true, Some(own)) = (
            filter.architectures.is_empty(),
            architecture(&run.host.machine, Abi::Native),
        ) {
            filter.architectures.push(own.to_owned());
        }
        let simulator = Simulator::compile(&filter)?;
        let calls = run.syscalls.iter().filter(|call| {
            call.actor == Actor::App
                && call.count > 0
                && !call.name.starts_with('#')
                && !own.is_some_and(|own| denied(own, run, call))
        });
        for call in calls {
            check_call(&mut checked, &filter, &simulator, run, call)?;
        }
        for set in tables.runtimes.iter().flat_map(|table| &table.sets) {
            let refused = |name: &&String| {
                !own.is_some_and(|own| own.bound(name) == Bound::Never) && filter.bound(name) == Bound::Never
            };
            let names: Vec<String> = set.names.iter().filter(refused).cloned().collect();
            if !names.is_empty() {
                missing.insert((set.name.clone(), names));
            }
        }
    }
    checked.denied.sort();
    checked.open.sort();
    let missing = missing.into_iter();
    checked.runtimes = missing.map(|(table, names)| Missing { table, names }).collect();
    Ok(checked)
}

/// Adds a recorded call to `checked`.
fn check_call(
    checked: &mut Checked,
    filter: &Filter,
    simulator: &Simulator,
    run: &Run,
    call: &SyscallUse,
) -> Result<(), Error> {
    let found = |count, values: &[ArgumentValue], errno| Denied {
        name: call.name.clone(),
        abi: call.abi,
        phase: call.phase,
        program: call.program.clone(),
        count,
        arguments: (!values.is_empty()).then(|| Tables::built_in().arguments.describe(&call.name, values)),
        errno,
    };
    let errno = |answer| match answer {
        Answer::Errno(errno) => Some(errno),
        _ => None,
    };
    let asked: Vec<&ArgumentUse> = run
        .arguments
        .iter()
        .flatten()
        .filter(|used| used.is_of(call))
        .collect();
    let known: u64 = asked
        .iter()
        .filter(|used| !used.values.is_empty())
        .map(|used| used.count)
        .sum();
    let conditional = matches!(filter.bound(&call.name), Bound::When(_));
    if !conditional || known < call.count {
        let answer = simulator.answer(&run.host.machine, call.abi, call.number, &[0; 6])?;
        checked.calls += 1;
        if conditional {
            checked.open.push(found(call.count, &[], None));
        } else if answer != Answer::Allow {
            checked.denied.push(found(call.count, &[], errno(answer)));
        }
        return Ok(());
    }
    let decides = |index: u32| deciding_arguments(&call.name).iter().any(|(of, _)| *of == index);
    let told = filter
        .conditions(&call.name)
        .all(|condition| decides(condition.index));
    for used in asked {
        let mut args = [0; 6];
        for value in &used.values {
            if let Some(arg) = args.get_mut(value.index as usize) {
                *arg = u64::from(value.value);
            }
        }
        let answer = simulator.answer(&run.host.machine, call.abi, call.number, &args)?;
        checked.calls += 1;
        if !told {
            checked.open.push(found(used.count, &used.values, None));
        } else if answer != Answer::Allow {
            checked
                .denied
                .push(found(used.count, &used.values, errno(answer)));
        }
    }
    Ok(())
}
