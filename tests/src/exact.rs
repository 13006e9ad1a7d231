//! A seccomp profile held against the recording it was made of, call by call and without a kernel: what was recorded
//! passes, and nothing passes that is in neither the recording nor a table.

use std::collections::BTreeSet;

use slim_core::plan::filter::Answer;
use slim_core::plan::syscalls;
use slim_core::plan::tables::{RuntimeSet, Tables};
use slim_core::plan::{AllowedSyscall, Plan};
use slim_core::profile::simulate::Simulator;
use slim_core::recording::{
    Abi, Actor, ArgumentUse, ArgumentValue, Purpose, Recording, Run, SyscallUse, deciding_arguments,
};

/// The registers of a call.
type Args = [u64; 6];

/// More numbers than an architecture has calls: the last of them is nobody's.
const NUMBERS: u32 = 1024;

const EPERM: u16 = 1;
const ENOSYS: u16 = 38;

/// `PROT_WRITE | PROT_EXEC`.
const WRITABLE_CODE: u64 = 2 | 4;

/// First arguments that Docker's default filter treats each in its own way: nothing, a persona, `AF_VSOCK`,
/// `CLONE_NEWUSER`, the question for the persona.
const FIRST: [u64; 5] = [0, 8, 40, 0x1000_0000, 0xffff_ffff];

/// The profile, and the filters that its recording's containers were under, compiled.
struct Exact<'a> {
    machine: &'a str,
    given: Simulator,
    /// None where a container was under no filter.
    own: Vec<Option<Simulator>>,
}

impl<'a> Exact<'a> {
    fn new(profile: &[u8], recording: &'a Recording) -> Self {
        let runs = || recording.runs.values();
        let machines: BTreeSet<&str> = runs().map(|run| run.host.machine.as_str()).collect();
        assert_eq!(machines.len(), 1, "all was recorded on one machine");
        let compiled = |run: &Run| {
            let filter = syscalls::filter(run, Tables::built_in())?;
            Some(Simulator::compile(&filter).expect("a container ran under it"))
        };
        Self {
            machine: machines.first().expect("there is one"),
            given: Simulator::new(profile).expect("a profile that libseccomp takes"),
            own: runs().map(|run| compiled(run)).collect(),
        }
    }

    /// The profile's answer to a call of the machine's own ABI.
    fn given(&self, name: &str, args: &Args) -> Answer {
        self.answer_by(&self.given, name, args)
    }

    fn answer_by(&self, filter: &Simulator, name: &str, args: &Args) -> Answer {
        filter
            .call(self.machine, Abi::Native, name, args)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn by_number(&self, filter: &Simulator, abi: Abi, number: u32, args: &Args) -> Answer {
        filter
            .answer(self.machine, abi, number, args)
            .unwrap_or_else(|error| panic!("{abi:?} {number}: {error}"))
    }

    /// The answers of the containers' filters.
    fn own(&self, name: &str, args: &Args) -> BTreeSet<Answer> {
        let of = |own: &Option<Simulator>| {
            own.as_ref()
                .map_or(Answer::Allow, |own| self.answer_by(own, name, args))
        };
        self.own.iter().map(of).collect()
    }

    /// Returns whether one of the containers might make the call.
    fn might(&self, name: &str, args: &Args) -> bool {
        self.own(name, args).contains(&Answer::Allow)
    }

    /// The answer to a call that the profile does not have: it looks forbidden, unless the containers' filters agreed on
    /// another error number.
    fn promised(&self, name: &str) -> Answer {
        let answers = self.own(name, &[0; 6]);
        match answers.first() {
            Some(answer @ Answer::Errno(_)) if answers.len() == 1 => *answer,
            _ => Answer::Errno(EPERM),
        }
    }

    /// The names and ABIs of what passes.
    fn passes_what_was_recorded(&self, recording: &Recording) -> (BTreeSet<String>, BTreeSet<Abi>) {
        let (mut names, mut abis) = (BTreeSet::new(), BTreeSet::new());
        for (run, own) in recording.runs.values().zip(&self.own) {
            for call in run.syscalls.iter().filter(|call| is_granted(run, call)) {
                let passes = |filter: &Simulator, args: &Args| {
                    self.by_number(filter, call.abi, call.number, args) == Answer::Allow
                };
                for args in recorded_arguments(run, call) {
                    // What the container's own filter refused is not granted.
                    if own.as_ref().is_none_or(|own| passes(own, &args)) {
                        assert!(
                            passes(&self.given, &args),
                            "recorded, and refused: {} {args:x?} by {:?}",
                            call.name,
                            call.program
                        );
                        names.insert(call.name.clone());
                        abis.insert(call.abi);
                    }
                }
            }
        }
        (names, abis)
    }

    /// The names that runtimes call.
    fn passes_what_runtimes_call(&self) -> BTreeSet<String> {
        let known = self.known();
        let mut names = BTreeSet::new();
        for set in Tables::built_in().runtimes.iter().flat_map(|table| &table.sets) {
            for name in set.names.iter().filter(|name| known.contains(*name)) {
                for args in runtimes_arguments(set, name) {
                    assert!(
                        !self.might(name, &args) || self.given(name, &args) == Answer::Allow,
                        "{} calls it, and it is refused: {name} {args:x?}",
                        set.name
                    );
                }
                names.insert(name.clone());
            }
        }
        names
    }

    /// Every call that libseccomp knows and that is not in `named` gets the promised answer, and none passes that no
    /// container might make.
    fn passes_no_other_name(&self, named: &BTreeSet<String>) {
        let known = self.known();
        assert!(known.len() > named.len(), "every call is in a table");
        for name in &known {
            for first in FIRST {
                let args = [first, 0, 0, 0, 0, 0];
                let given = self.given(name, &args);
                if !named.contains(name) {
                    assert_eq!(given, self.promised(name), "in no table: {name} {args:x?}");
                }
                assert!(
                    given != Answer::Allow || self.might(name, &args),
                    "more than the container had: {name} {args:x?}"
                );
            }
        }
    }

    /// A number that nobody knows looks absent, and nothing passes of an ABI that was not recorded.
    fn passes_nothing_unknown(&self, recorded: &BTreeSet<Abi>) {
        let given = |abi, number| self.by_number(&self.given, abi, number, &[0; 6]);
        let last = NUMBERS - 1;
        assert_eq!(given(Abi::Native, last), Answer::Errno(ENOSYS), "{last}");
        for abi in [Abi::Compat, Abi::X32]
            .into_iter()
            .filter(|abi| !recorded.contains(abi))
        {
            for number in 0..NUMBERS {
                assert_ne!(given(abi, number), Answer::Allow, "{abi:?} {number}");
            }
        }
    }

    /// Of calls whose arguments are all known just those pass.
    fn passes_arguments_as_seen(&self, plan: &Plan) {
        let told = |call: &&AllowedSyscall| call.abi == Abi::Native && !call.arguments.is_empty();
        let mut refused = 0;
        for call in plan.syscalls.iter().filter(told) {
            let name = &call.name;
            let seen: Vec<Args> = call
                .arguments
                .iter()
                .map(|seen| registers(&seen.values))
                .collect();
            let is_code = |args: &Args| args[2] & WRITABLE_CODE == WRITABLE_CODE;
            let (index, mask) = deciding_arguments(name)[0];
            for value in (0..64).chain(FIRST) {
                let mut args = seen[0];
                args[index as usize] = value;
                let was_seen = if mask == u32::MAX {
                    seen.contains(&args)
                } else {
                    // Protections of memory are narrowed by this alone.
                    !is_code(&args) || seen.iter().any(is_code)
                };
                let expected = was_seen && self.might(name, &args);
                assert_eq!(
                    self.given(name, &args) == Answer::Allow,
                    expected,
                    "{name} {args:x?}, where {seen:x?} were seen"
                );
                refused += u32::from(!expected);
            }
        }
        assert!(refused > 0, "no call was narrowed");
    }

    /// The names that libseccomp knows.
    fn known(&self) -> BTreeSet<String> {
        syscalls::known(self.machine, Abi::Native).into_iter().collect()
    }
}

/// Asserts that `profile` (Docker's JSON, or a `linux.seccomp`) allows every call of `recording` that its container's own
/// filter let through, with the arguments that were recorded, and every call that a container runtime makes under it;
/// and that it answers every other call with the error number that profiles promise.
///
/// With a `plan`, the profile was made with `--seccomp-args`, and refuses of the calls whose arguments the plan
/// tells what was not seen.
///
/// # Panics
///
/// When it does not, or is no profile; with the call and its arguments.
pub fn assert_exact(profile: &[u8], recording: &Recording, plan: Option<&Plan>) {
    let exact = Exact::new(profile, recording);
    let (mut named, abis) = exact.passes_what_was_recorded(recording);
    assert!(!named.is_empty(), "nothing was recorded");
    named.extend(exact.passes_what_runtimes_call());
    exact.passes_no_other_name(&with_families(named));
    exact.passes_nothing_unknown(&abis);
    if let Some(plan) = plan {
        exact.passes_arguments_as_seen(plan);
    }
}

/// The calls that a profile is made for: calls of the application, and those of a runtime that verification saw refused. (The
/// runtime's others come before it has loaded the filter, too; those after are in a table.)
fn is_granted(run: &Run, call: &SyscallUse) -> bool {
    (call.actor == Actor::App || run.purpose == Purpose::Verification)
        && call.count > 0
        && !call.name.starts_with('#')
}

/// With which arguments a call was recorded; where they do not decide, with those of its first failure or none.
fn recorded_arguments(run: &Run, call: &SyscallUse) -> Vec<Args> {
    let of_call = |used: &&ArgumentUse| used.is_of(call);
    let uses = run.arguments.iter().flatten().filter(of_call);
    let mut all: Vec<Args> = uses.map(|used| registers(&used.values)).collect();
    if all.is_empty() {
        all.push(call.first_failure.map_or([0; 6], |failure| failure.args));
    }
    all
}

/// With which arguments a runtime makes a call.
fn runtimes_arguments(set: &RuntimeSet, name: &str) -> Vec<Args> {
    match (set.arguments.get(name), deciding_arguments(name).first()) {
        (Some(values), Some(&(index, mask))) => values
            .iter()
            .map(|&value| registers(&[ArgumentValue { index, mask, value }]))
            .collect(),
        _ => vec![[0; 6]],
    }
}

fn registers(values: &[ArgumentValue]) -> Args {
    let mut args = [0; 6];
    for value in values {
        args[value.index as usize] = value.value.into();
    }
    args
}

/// The names, and whatever a family has in their places.
fn with_families(mut names: BTreeSet<String>) -> BTreeSet<String> {
    let families = &Tables::built_in().families;
    loop {
        let more: BTreeSet<String> = names
            .iter()
            .flat_map(|of| families.iter().flat_map(|family| family.allowed_with(of)))
            .filter(|name| !names.contains(*name))
            .cloned()
            .collect();
        if more.is_empty() {
            return names;
        }
        names.extend(more);
    }
}
