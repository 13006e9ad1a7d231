//! The allowed system calls, each with its reasons.
//!
//! The calls that the application made, as far as the filter of its container let them through; those that container runtimes
//! make once they have loaded the filter; and calls that stand in for the observed ones.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};

use libseccomp::{ScmpArch, ScmpSyscall};

use super::filter::{Answer, Bound, Condition, Filter, architecture};
use super::tables::Tables;
use super::{AllowedSyscall, ReachableCalls, Reason, SeenArguments};
use crate::path::RootPath;
use crate::recording::{Abi, Actor, ArgumentValue, Purpose, Recording, Run, SyscallUse, deciding_arguments};

/// `EPERM` and `ENOSYS` of `include/uapi/asm-generic/errno-base.h` and `errno.h`.
const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// More different arguments than these are nothing that a filter should list.
const MOST_ARGUMENTS: usize = 16;

/// The filters that the recorded containers were under: what they let through, and what they said to the rest.
#[derive(Clone, Debug)]
pub struct Containers<'a> {
    runs: Vec<(&'a Run, Option<Filter>)>,
}

/// The answers of a profile to calls that it does not allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// The error number for what it does not name: ENOSYS, so that calls which are newer than the profile look absent
    /// and C libraries fall back.
    pub default: u16,
    /// Known calls by the other error numbers that they get: EPERM, so that they look forbidden, or what the recorded
    /// containers' filters answered.
    pub known: BTreeMap<u16, Vec<String>>,
    /// Error numbers for what is refused of calls that are allowed under conditions.
    pub partial: Vec<Answered>,
}

/// A call that is answered with an error number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    /// Its name.
    pub name: String,
    /// The error number.
    pub errno: u16,
    /// Conditions on its arguments that must all hold.
    pub when: Vec<Condition>,
}

impl<'a> Containers<'a> {
    /// The filters of the runs of `recording`, and what the user should know about them.
    pub fn new(recording: &'a Recording, tables: &Tables) -> (Self, Vec<String>) {
        let mut notes = BTreeSet::new();
        let runs = recording.runs.values();
        let runs = runs
            .map(|run| (run.as_ref(), noted_filter(run, tables, &mut notes)))
            .collect();
        (Self { runs }, notes.into_iter().collect())
    }

    /// The runs, each with the filter that its container was under, if any.
    pub fn runs(&self) -> impl Iterator<Item = (&'a Run, Option<&Filter>)> {
        self.runs.iter().map(|(run, filter)| (*run, filter.as_ref()))
    }

    /// Returns what at least one container might do of the call `name`.
    pub fn bound(&self, name: &str) -> Bound {
        let bounds = self.runs.iter().map(|(_, filter)| match filter {
            Some(filter) => filter.bound(name),
            None => Bound::Always,
        });
        bounds.reduce(Bound::or).unwrap_or(Bound::Always)
    }

    /// Returns whether a container was under no filter.
    pub fn unconfined(&self) -> bool {
        self.runs.iter().any(|(_, filter)| filter.is_none())
    }

    /// The error number that the call `name` gets which a profile refuses: EPERM where a container might make it or
    /// containers differ, what their filters answered otherwise.
    fn answer(&self, name: &str) -> u16 {
        let answers: BTreeSet<u16> = self
            .runs
            .iter()
            .map(|(_, filter)| match filter {
                Some(filter) if filter.bound(name) == Bound::Never => match filter.answer(name, &[0; 6]) {
                    Answer::Errno(errno) => errno,
                    _ => EPERM,
                },
                _ => EPERM,
            })
            .collect();
        match answers.first() {
            Some(errno) if answers.len() == 1 => *errno,
            _ => EPERM,
        }
    }

    /// Returns whether a filter names what it answers to the call `name`.
    fn chose(&self, name: &str) -> bool {
        let filters = self.runs.iter().filter_map(|(_, filter)| filter.as_ref());
        filters
            .flat_map(Filter::chosen_errors)
            .any(|(of, _, when)| of == name && when.is_empty())
    }

    /// Returns what filters chose to answer to the call `name` under conditions.
    fn partial(&self, name: &str) -> BTreeSet<(u16, Vec<Condition>)> {
        let filters = self.runs.iter().filter_map(|(_, filter)| filter.as_ref());
        filters
            .flat_map(Filter::chosen_errors)
            .filter(|(of, _, when)| of == name && !when.is_empty())
            .map(|(_, errno, when)| (errno, when))
            .collect()
    }
}

/// An allowed call while it is put together.
struct Entry {
    reasons: BTreeSet<Reason>,
    bound: Bound,
    /// Its arguments; none where they are not known for every reason.
    arguments: Option<Asked>,
}

/// The arguments that a call was seen with, and by whom.
type Asked = BTreeMap<Vec<ArgumentValue>, BTreeSet<Reason>>;

/// The allowed calls while they are put together.
struct Calls<'a> {
    containers: &'a Containers<'a>,
    tables: &'a Tables,
    /// The machines whose calls are meant.
    machines: BTreeSet<&'a str>,
    /// True if that is another machine than the recorded one.
    elsewhere: bool,
    entries: BTreeMap<(Abi, String), Entry>,
    /// Calls that the other machine has no name for, and what stands in.
    translated: BTreeMap<String, BTreeSet<String>>,
}

impl Calls<'_> {
    /// Allows a call for a reason, as far as `bound` lets it through; on another machine, what stands for it there.
    fn add(&mut self, abi: Abi, name: &str, reason: &Reason, bound: Bound, arguments: Option<Asked>) {
        if !self.elsewhere {
            self.insert(abi, name, reason, bound, arguments);
            return;
        }
        if abi != Abi::Native {
            self.translated.entry(name.to_owned()).or_default();
            return;
        }
        let older = &self.tables.architectures.calls;
        let mut others: Vec<&String> = Vec::new();
        if self.exists(abi, name) {
            self.insert(abi, name, reason, bound, arguments);
            if older.values().flatten().any(|instead| instead == name) {
                let has = older
                    .iter()
                    .filter(|(_, instead)| instead.iter().any(|n| n == name));
                others.extend(has.map(|(old, _)| old).filter(|old| self.exists(abi, old)));
            }
        } else {
            others.extend(older.get(name).into_iter().flatten());
            let stand_ins = others.iter().map(|other| (*other).clone());
            self.translated
                .entry(name.to_owned())
                .or_default()
                .extend(stand_ins);
        }
        for other in others {
            let bound = self.containers.bound(other);
            let place = Reason::Architecture { of: name.to_owned() };
            self.insert(abi, other, &place, bound.clone(), None);
            self.insert(abi, other, reason, bound, None);
        }
    }

    fn insert(&mut self, abi: Abi, name: &str, reason: &Reason, bound: Bound, arguments: Option<Asked>) {
        if bound == Bound::Never {
            return;
        }
        match self.entries.entry((abi, name.to_owned())) {
            MapEntry::Vacant(vacant) => {
                vacant.insert(Entry {
                    reasons: BTreeSet::from([reason.clone()]),
                    bound,
                    arguments,
                });
            }
            MapEntry::Occupied(mut occupied) => {
                let entry = occupied.get_mut();
                entry.reasons.insert(reason.clone());
                entry.bound = std::mem::replace(&mut entry.bound, Bound::Never).or(bound);
                match (&mut entry.arguments, arguments) {
                    (Some(all), Some(more)) => {
                        for (values, reasons) in more {
                            all.entry(values).or_default().extend(reasons);
                        }
                    }
                    (all, _) => *all = None,
                }
            }
        }
    }

    fn exists(&self, abi: Abi, name: &str) -> bool {
        self.machines.iter().any(|machine| exists(machine, abi, name))
    }

    /// Adds the calls of the application, with those of the runtime that a product was refused; returns the names that
    /// the containers' filters refused.
    fn add_observed(&mut self, recording: &Recording, notes: &mut BTreeSet<String>) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        for ((id, run), (_, filter)) in recording.runs.iter().zip(&self.containers.runs) {
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
                        if filter.answer(&call.name, &[0; 6]) != Answer::Errno(ENOSYS) {
                            refused.insert(call.name.clone());
                        }
                        continue;
                    }
                    Some(filter) => filter.bound(&call.name),
                    None => Bound::Always,
                };
                let observed = |count, failed| Reason::Observed {
                    run: id.clone(),
                    phase: call.phase,
                    actor: call.actor,
                    program: call.program.clone(),
                    count,
                    failed,
                    syscall: None,
                    path: call.first_path.clone(),
                };
                let asked = recorded_arguments(run, call, |count| observed(count, 0));
                let reason = observed(call.count, call.failed);
                self.add(call.abi, &call.name, &reason, bound, asked);
            }
        }
        refused
    }

    /// Adds the calls of container runtimes.
    fn add_runtimes(&mut self) {
        for set in self.tables.runtimes.iter().flat_map(|table| &table.sets) {
            let reason = Reason::Runtime {
                table: set.name.clone(),
            };
            for name in &set.names {
                let asked = set.arguments.get(name).and_then(|values| {
                    let (index, mask) = *deciding_arguments(name).first()?;
                    let asked = values.iter().map(|&value| {
                        let values = vec![ArgumentValue { index, mask, value }];
                        (values, BTreeSet::from([reason.clone()]))
                    });
                    Some(asked.collect())
                });
                self.add(Abi::Native, name, &reason, self.containers.bound(name), asked);
            }
        }
    }

    /// Adds the calls that every program needs on another machine.
    fn add_needed_on(&mut self, machine: &str) {
        for name in self
            .tables
            .architectures
            .always
            .get(machine)
            .into_iter()
            .flatten()
        {
            let why = format!("every program needs it on {machine}");
            let bound = self.containers.bound(name);
            self.insert(Abi::Native, name, &Reason::Assumed { why }, bound, None);
        }
    }

    /// Adds what stands in for the calls so far.
    fn close(&mut self) {
        let mut todo: Vec<(Abi, String)> = self.entries.keys().cloned().collect();
        let tables = self.tables;
        while let Some((abi, of)) = todo.pop() {
            for name in tables.families.iter().flat_map(|family| family.allowed_with(&of)) {
                let bound = self.containers.bound(name);
                let key = (abi, name.clone());
                // One that is allowed already needs no further reason.
                if self.exists(abi, name) && bound != Bound::Never && !self.entries.contains_key(&key) {
                    self.insert(abi, name, &Reason::Family { of: of.clone() }, bound, None);
                    todo.push(key);
                }
            }
        }
    }
}

impl Calls<'_> {
    /// Adds the calls that kept code can make, as far as the recorded containers might make them; those that are there
    /// already keep their reasons and arguments. Returns the sensitive ones that are withheld, with the file of each.
    fn add_reachable(
        &mut self,
        reachable: &ReachableCalls,
        recording: &Recording,
    ) -> BTreeMap<String, String> {
        let mut withheld = BTreeMap::new();
        // Where no filter bounds the recorded container, the newest of Docker's does.
        let outer = self.containers.unconfined().then(|| {
            let run = recording.runs.values().next()?;
            self.tables.dockers_filter(run)
        });
        for (number, chain) in &reachable.calls {
            let Some(name) = name_of(reachable.machine, *number) else {
                continue;
            };
            if self.entries.contains_key(&(Abi::Native, name.clone())) {
                continue;
            }
            let mut bound = self.containers.bound(&name);
            if let Some(Some((_, filter))) = &outer {
                bound = filter.bound(&name);
            }
            if bound == Bound::Never {
                continue;
            }
            if reachable.withhold
                && self
                    .tables
                    .sensitive
                    .iter()
                    .any(|group| group.calls.contains(&name))
            {
                let file = chain
                    .first()
                    .map_or_else(String::new, |step| step.file.to_string());
                withheld.insert(name, file);
                continue;
            }
            let reason = Reason::Reached { chain: chain.clone() };
            self.insert(Abi::Native, &name, &reason, bound, None);
        }
        withheld
    }
}

/// Returns the name of a call of `machine` by its number.
fn name_of(machine: &str, number: u32) -> Option<String> {
    let arch = libseccomp_architecture(machine, Abi::Native)?;
    let number = i32::try_from(number).ok()?;
    ScmpSyscall::from(number).get_name_by_arch(arch).ok()
}

/// The allowed calls, sorted by ABI and name, and what the user should know.
///
/// A call is allowed where the application made it and the container's own filter did not deny it. The filter does
/// not show in a result (EPERM may be the kernel's), so it is asked here, about the name and about the first failing
/// arguments.
pub fn allowed(recording: &Recording, tables: &Tables) -> (Vec<AllowedSyscall>, Vec<String>) {
    allowed_on(recording, tables, None, None)
}

/// As [`allowed`], for another `machine` than the recorded one (as `uname -m` names it): calls that it lacks are
/// replaced by those that C libraries make there. What kept code can call beyond the recording is `reachable`.
pub fn allowed_on(
    recording: &Recording,
    tables: &Tables,
    machine: Option<&str>,
    reachable: Option<&ReachableCalls>,
) -> (Vec<AllowedSyscall>, Vec<String>) {
    let (containers, notes) = Containers::new(recording, tables);
    let mut notes: BTreeSet<String> = notes.into_iter().collect();
    let recorded = machines(recording);
    let elsewhere = machine.filter(|machine| recorded.iter().any(|other| other != machine));
    let mut calls = Calls {
        containers: &containers,
        tables,
        machines: machine.map_or_else(|| recorded.clone(), |machine| BTreeSet::from([machine])),
        elsewhere: elsewhere.is_some(),
        entries: BTreeMap::new(),
        translated: BTreeMap::new(),
    };

    let mut refused = calls.add_observed(recording, &mut notes);
    if !recording.runs.is_empty() {
        calls.add_runtimes();
    }
    if let Some(machine) = elsewhere {
        calls.add_needed_on(machine);
        notes.extend(translation(machine, &calls.translated));
    }
    calls.close();
    let reachable =
        reachable.filter(|reachable| calls.machines.iter().all(|machine| *machine == reachable.machine));
    if let Some(reachable) = reachable {
        let withheld = calls.add_reachable(reachable, recording);
        if !withheld.is_empty() {
            let names: Vec<String> = withheld
                .iter()
                .map(|(name, file)| format!("{name} ({file})"))
                .collect();
            notes.insert(format!(
                "kept code could also call these, which are sensitive and were not seen, so that they are not allowed: {}; \
                 --seccomp-reach static allows them",
                names.join(", ")
            ));
        }
        if !reachable.unread.is_empty() {
            notes.insert(format!(
                "of kept programs and libraries that are damaged, too large or for another instruction set ({}: {}) only \
                 those system calls are allowed that were seen",
                reachable.unread.len(),
                first_of(reachable.unread.iter().map(RootPath::to_string))
            ));
        }
        if !reachable.unresolved.is_empty() {
            let functions = reachable.unresolved.iter();
            notes.insert(format!(
                "{} functions of kept files make system calls whose number is computed, so that it is known only where \
                 it was seen: {}",
                reachable.unresolved.len(),
                first_of(functions.map(|(file, function)| format!("{function} of {file}")))
            ));
        }
    }

    let Calls { entries, .. } = calls;
    refused.retain(|name: &String| !entries.keys().any(|(_, allowed)| allowed == name));
    if !refused.is_empty() {
        let names: Vec<_> = refused.into_iter().collect();
        notes.insert(format!(
            "not allowed, because the filter of the recorded container refused them: {}",
            names.join(", ")
        ));
    }
    let calls = entries
        .into_iter()
        .map(|((abi, name), entry)| AllowedSyscall {
            arguments: seen_arguments(&name, entry.arguments),
            abi,
            name,
            only: match entry.bound {
                Bound::When(alternatives) => alternatives,
                _ => Vec::new(),
            },
            reasons: entry.reasons.into_iter().collect(),
        })
        .collect();
    (calls, notes.into_iter().collect())
}

/// The machines of the recorded runs.
pub(crate) fn machines(recording: &Recording) -> BTreeSet<&str> {
    let runs = recording.runs.values();
    runs.map(|run| run.host.machine.as_str()).collect()
}

/// Returns the first of `names` for a note, and whether there are more.
fn first_of(names: impl ExactSizeIterator<Item = String>) -> String {
    const MAX_NAMED: usize = 3;
    let more = if names.len() > MAX_NAMED { ", …" } else { "" };
    let first: Vec<String> = names.take(MAX_NAMED).collect();
    format!("{}{more}", first.join(", "))
}

/// Returns what `call` was asked for, if the recording knows all of it; `reason` makes the evidence from a count.
fn recorded_arguments(run: &Run, call: &SyscallUse, reason: impl Fn(u64) -> Reason) -> Option<Asked> {
    let of_call = run.arguments.iter().flatten().filter(|used| used.is_of(call));
    let mut all = Asked::new();
    let mut count = 0;
    for used in of_call {
        if used.values.is_empty() {
            return None;
        }
        count += used.count;
        let reasons = all.entry(used.values.clone()).or_default();
        reasons.insert(reason(used.count));
    }
    // A call that is blocked at the end is counted, and its arguments are not seen.
    (count >= call.count).then_some(all)
}

fn seen_arguments(name: &str, asked: Option<Asked>) -> Vec<SeenArguments> {
    let asked = asked.unwrap_or_default();
    if deciding_arguments(name).is_empty() || asked.len() > MOST_ARGUMENTS {
        return Vec::new();
    }
    asked
        .into_iter()
        .map(|(values, reasons)| SeenArguments {
            values,
            reasons: reasons.into_iter().collect(),
        })
        .collect()
}

fn translation(machine: &str, translated: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let (none, some): (Vec<_>, Vec<_>) = translated.iter().partition(|(_, others)| others.is_empty());
    let mut parts: Vec<String> = some
        .into_iter()
        .map(|(name, others)| {
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            format!("{name} → {}", others.join(", "))
        })
        .collect();
    if !none.is_empty() {
        let names: Vec<&str> = none.into_iter().map(|(name, _)| name.as_str()).collect();
        parts.push(format!("nothing for {}", names.join(", ")));
    }
    (!parts.is_empty()).then(|| {
        format!(
            "the profile is for {machine}, and was not recorded there; what stands for calls that it lacks: {}",
            parts.join("; ")
        )
    })
}

/// Returns what a profile that allows `allowed` on `machines` says to the rest.
///
/// Answers of the recorded containers' filters are kept, since C libraries choose their way by them.
pub fn refusals(
    containers: &Containers<'_>,
    allowed: &[AllowedSyscall],
    machines: &BTreeSet<&str>,
) -> Refusals {
    let mut refusals = Refusals {
        default: ENOSYS,
        ..Refusals::default()
    };
    let abis: BTreeSet<Abi> = allowed.iter().map(|call| call.abi).chain([Abi::Native]).collect();
    let names: BTreeSet<String> = machines
        .iter()
        .flat_map(|machine| abis.iter().map(move |abi| (machine, abi)))
        .flat_map(|(machine, abi)| known(machine, *abi))
        .collect();
    let mut conditional = BTreeSet::new();
    for name in names {
        let of_name: Vec<&AllowedSyscall> = allowed.iter().filter(|call| call.name == name).collect();
        if of_name.iter().any(|call| !call.only.is_empty()) {
            conditional.insert(name);
        } else if of_name.is_empty() {
            let errno = containers.answer(&name);
            // Docker before 23.0 does not hand the default on: what a filter chose to answer is named.
            if errno != refusals.default || containers.chose(&name) {
                refusals.known.entry(errno).or_default().push(name);
            }
        }
    }
    for name in conditional {
        let mut partial = containers.partial(&name);
        if partial.is_empty() {
            let alternatives = allowed.iter().filter(|call| call.name == name);
            let alternatives: BTreeSet<_> = alternatives.flat_map(|call| &call.only).collect();
            if let (Some(all), 1) = (alternatives.first(), alternatives.len()) {
                let opposites = all.iter().flat_map(Condition::opposites);
                partial.extend(opposites.map(|condition| (EPERM, vec![condition])));
            }
        }
        let other = partial
            .into_iter()
            .filter(|(errno, _)| *errno != refusals.default);
        refusals.partial.extend(other.map(|(errno, when)| Answered {
            name: name.clone(),
            errno,
            when,
        }));
    }
    refusals
}

/// Returns whether some architecture has a system call of that name.
pub fn is_call(name: &str) -> bool {
    // A call of another architecture has a number of libseccomp's own (seccomp_syscall_resolve_name(3)).
    !name.contains('\0') && ScmpSyscall::from_name(name).is_ok()
}

/// Every name that `machine` has in `abi`, as far as libseccomp knows it.
pub fn known(machine: &str, abi: Abi) -> Vec<String> {
    const NUMBERS: i32 = 1024;
    const X32_BIT: i32 = 0x4000_0000;
    let Some(arch) = libseccomp_architecture(machine, abi) else {
        return Vec::new();
    };
    let bit = if abi == Abi::X32 { X32_BIT } else { 0 };
    (0..NUMBERS)
        .filter_map(|number| ScmpSyscall::from(number | bit).get_name_by_arch(arch).ok())
        .collect()
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

/// Returns whether the filter of `run` was what failed `call`, every time.
pub(crate) fn denied(filter: &Filter, run: &Run, call: &SyscallUse) -> bool {
    if !filter.knows(&run.host.machine, call.abi) || filter.bound(&call.name) == Bound::Never {
        return true;
    }
    // Allowed under conditions, and never seen to succeed: was it the filter that failed it?
    call.failed >= call.count
        && call
            .first_failure
            .is_some_and(|failure| filter.answer(&call.name, &failure.args) == Answer::Errno(failure.errno))
}

/// Returns whether `machine` has the call `name` in `abi`.
fn exists(machine: &str, abi: Abi, name: &str) -> bool {
    let Some(arch) = libseccomp_architecture(machine, abi) else {
        return true;
    };
    // Names that an architecture lacks have negative stand-ins.
    ScmpSyscall::from_name_by_arch(name, arch).is_ok_and(|call| call.as_raw_syscall() >= 0)
}

fn libseccomp_architecture(machine: &str, abi: Abi) -> Option<ScmpArch> {
    architecture(machine, abi)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::recording::{ArgumentUse, Failure, Phase, tests};

    fn call(name: &str, count: u64, failure: Option<(u16, u64)>) -> SyscallUse {
        SyscallUse {
            count,
            failed: if failure.is_some() { count } else { 0 },
            first_failure: failure.map(|(errno, first)| Failure {
                errno,
                args: [first, 0, 0, 0, 0, 0],
            }),
            ..SyscallUse::once(name, 0)
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
        let refusals = refused(&recording, &calls);
        assert_eq!(
            refusals.default, 38,
            "what nobody names looks absent, as clone3 did"
        );
        let known = &refusals.known[&1];
        for name in ["keyctl", "mount", "socket", "openat2"] {
            assert!(known.contains(&name.to_owned()), "{name}");
        }
        assert!(!known.contains(&"bind".to_owned()));
        assert_eq!(
            refusals.known[&38],
            ["clone3"],
            "as the container's filter answered"
        );
        assert_eq!(refusals.known.len(), 2);
    }

    fn refused(recording: &Recording, calls: &[AllowedSyscall]) -> Refusals {
        let (containers, _) = Containers::new(recording, Tables::built_in());
        refusals(&containers, calls, &machines(recording))
    }

    #[test]
    fn what_is_left_of_a_condition_looks_forbidden() {
        let recording = recorded(
            vec![call("socket", 1, None), call("clone", 1, None)],
            Some(docker_like()),
        );
        let (calls, _) = allowed(&recording, Tables::built_in());
        let partial = refused(&recording, &calls).partial;
        let answer = |name: &str, first: u64| {
            let args = [first, 0, 0, 0, 0, 0];
            let rules = partial.iter().filter(|rule| rule.name == name);
            let holding = rules.filter(|rule| rule.when.iter().all(|condition| condition.holds(&args)));
            holding.map(|rule| rule.errno).collect::<Vec<_>>()
        };
        assert_eq!(answer("socket", 40), [1]);
        assert!(answer("socket", 2).is_empty());
        assert_eq!(answer("clone", 0x1000_0000), [1], "CLONE_NEWUSER");
        assert!(answer("clone", 0x0120_0011).is_empty());
    }

    #[test]
    fn another_machine_gets_what_its_c_libraries_call() {
        let recording = recorded(
            ["open", "arch_prctl", "dup2", "read", "sysfs"]
                .map(|name| call(name, 1, None))
                .into(),
            None,
        );
        let (calls, notes) = allowed_on(&recording, Tables::built_in(), Some("aarch64"), None);
        let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        for name in ["dup3", "fcntl", "openat", "read"] {
            assert!(names.contains(&name), "{name}");
        }
        for name in [
            "open",
            "arch_prctl",
            "dup2",
            "epoll_wait",
            "stat",
            "fork",
            "sysfs",
        ] {
            assert!(!names.contains(&name), "{name}");
        }
        let reasons = &find(&calls, "dup3").unwrap().reasons;
        assert!(reasons.contains(&Reason::Architecture { of: "dup2".into() }));
        assert!(
            reasons
                .iter()
                .any(|reason| matches!(reason, Reason::Observed { .. }))
        );
        let said = notes.iter().find(|note| note.contains("aarch64")).unwrap();
        assert!(said.contains("dup2 → dup3, fcntl; open → openat"), "{said}");
        assert!(said.contains("nothing for arch_prctl, sysfs"), "{said}");
        // And the recorded machine is no other one.
        assert_eq!(
            allowed_on(&recording, Tables::built_in(), Some("x86_64"), None),
            allowed(&recording, Tables::built_in())
        );
    }

    #[test]
    fn a_recording_from_arm_serves_x86() {
        let recording = recorded(vec![call("ppoll", 1, None), call("newfstatat", 1, None)], None);
        let mut run = std::sync::Arc::unwrap_or_clone(recording.runs.into_values().next().unwrap());
        run.host.machine = "aarch64".into();
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        let (calls, _) = allowed_on(&recording, Tables::built_in(), Some("x86_64"), None);
        for name in ["arch_prctl", "poll", "ppoll", "stat", "newfstatat"] {
            assert!(find(&calls, name).is_some(), "{name}");
        }
    }

    fn used(name: &str, values: &[u32], count: u64) -> ArgumentUse {
        let deciding = deciding_arguments(name).iter();
        ArgumentUse {
            abi: Abi::Native,
            name: name.into(),
            values: deciding
                .zip(values)
                .map(|(&(index, mask), &value)| ArgumentValue { index, mask, value })
                .collect(),
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
            count,
        }
    }

    #[test]
    fn arguments_count_where_all_of_them_are_known() {
        let seen = |calls: Vec<SyscallUse>, arguments: Option<Vec<ArgumentUse>>, name: &str| {
            let mut recording = recorded(calls, None);
            let mut run = std::sync::Arc::unwrap_or_clone(recording.runs.pop_first().unwrap().1);
            run.arguments = arguments;
            recording.insert(run).unwrap();
            let (calls, _) = allowed(&recording, Tables::built_in());
            let arguments = &find(&calls, name).unwrap().arguments;
            arguments
                .iter()
                .map(|seen| seen.values.iter().map(|value| value.value).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let calls = |name: &str, count| vec![call(name, count, None)];
        let known = Some(vec![used("socket", &[2, 1], 3), used("socket", &[10, 2], 1)]);
        assert_eq!(
            seen(calls("socket", 4), known.clone(), "socket"),
            [vec![2, 1], vec![10, 2]]
        );
        assert!(
            seen(calls("socket", 5), known, "socket").is_empty(),
            "one was not seen"
        );
        assert!(
            seen(calls("socket", 4), None, "socket").is_empty(),
            "nobody looked"
        );
        let unbounded = vec![used("ioctl", &[], 9)];
        assert!(seen(calls("ioctl", 9), Some(unbounded), "ioctl").is_empty());
        let many = (0..20).map(|request| used("ioctl", &[request], 1)).collect();
        assert!(
            seen(calls("ioctl", 20), Some(many), "ioctl").is_empty(),
            "too many"
        );
        // What a family brings was not seen with any.
        assert!(seen(calls("fork", 1), Some(vec![]), "clone").is_empty());
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
    fn files_that_could_not_be_followed_are_said() {
        let unread = ["/a", "/b", "/c", "/d"].map(RootPath::new);
        let reachable = ReachableCalls {
            machine: "x86_64",
            unread: unread.into(),
            ..ReachableCalls::default()
        };
        let recording = recorded(vec![call("read", 1, None)], None);
        let (_, notes) = allowed_on(&recording, Tables::built_in(), None, Some(&reachable));
        assert!(
            notes
                .iter()
                .any(|note| note.contains("instruction set (4: /a, /b, /c, …) only")),
            "{notes:?}"
        );
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
        let mut run = std::sync::Arc::unwrap_or_clone(recording.runs.pop_first().unwrap().1);
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
