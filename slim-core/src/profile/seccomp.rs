//! The seccomp profile, in Docker's JSON and as an OCI `linux.seccomp`.
//!
//! Docker's lists `architectures` rather than an `archMap`, as an OCI runtime does, so that it works with Docker, Podman,
//! containerd and CRI-O. A name is allowed on every listed architecture.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Artifact, Context, Error};
use crate::plan::filter::{Bound, Compare, Condition, architecture};
use crate::plan::syscalls::{Containers, known, machines, refusals};
use crate::plan::tables::Tables;
use crate::plan::{AllowedSyscall, Reason};
use crate::recording::{Abi, ArgumentValue};

/// The name of the profile's file in the output directory.
pub const SECCOMP_FILE: &str = "seccomp.json";

/// The artifact `seccomp.json`.
#[derive(Clone, Copy, Debug)]
pub struct Seccomp;

/// The artifact `oci-seccomp.json`: the same without what the runtime specification does not know.
#[derive(Clone, Copy, Debug)]
pub struct OciSeccomp;

/// Options of seccomp profiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// True if calls that can do very different things are allowed only as they were seen (`socket` by family and
    /// type, `ioctl` by request, `mmap` not both writable and executable), where all of that is known.
    pub arguments: bool,
    /// The answer to calls that are not allowed.
    pub mode: Mode,
}

/// The answer to calls that are not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Mode {
    /// They fail.
    #[default]
    Enforce,
    /// They are logged, and allowed as far as the recorded container might make them; their arguments are free.
    Log,
}

const ALLOW: &str = "SCMP_ACT_ALLOW";
const LOG: &str = "SCMP_ACT_LOG";
const ERRNO: &str = "SCMP_ACT_ERRNO";

/// `PROT_WRITE | PROT_EXEC` of `include/uapi/asm-generic/mman-common.h`.
const WRITABLE_CODE: u32 = 2 | 4;

/// Why a call is in the profile: the strongest of its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    App,
    Runtime,
    Family,
    Reached,
}

impl Group {
    const ALL: [Self; 4] = [Self::App, Self::Runtime, Self::Family, Self::Reached];

    fn of(call: &AllowedSyscall) -> Self {
        let group = |reason: &Reason| match reason {
            reason if reason.is_of_app() => Self::App,
            Reason::Family { .. } | Reason::Architecture { .. } => Self::Family,
            Reason::Reached { .. } => Self::Reached,
            _ => Self::Runtime,
        };
        call.reasons.iter().map(group).min().unwrap_or(Self::App)
    }

    fn comment(self) -> &'static str {
        match self {
            Self::App => "app: the recording saw it",
            Self::Runtime => "runtime: runc or crun calls it after it has loaded this filter",
            Self::Family => "family: made in the place of a recorded call, or along with it",
            Self::Reached => "reached: kept code can call it, though the recording did not see it",
        }
    }
}

/// A profile before it is JSON.
struct Profile {
    default: &'static str,
    errno: Option<u16>,
    architectures: Vec<&'static str>,
    rules: Vec<Rule>,
}

struct Rule {
    names: Vec<String>,
    action: &'static str,
    errno: Option<u16>,
    when: Vec<Condition>,
    comment: String,
}

/// A name with the permissions of all ABIs together.
struct Allowed {
    group: Group,
    /// The alternatives of conditions that the recorded container had; none for any use.
    only: Option<BTreeSet<Vec<Condition>>>,
    /// The narrower ones under which it was seen, if they are asked for and known.
    seen: Option<Vec<Seen>>,
}

/// Conditions under which a call was seen, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    when: Vec<Condition>,
    evidence: String,
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
        Ok(json(&profile(context)?, true))
    }
}

impl Artifact for OciSeccomp {
    fn format(&self) -> &'static str {
        "oci-seccomp"
    }

    fn description(&self) -> &'static str {
        "seccomp profile, as linux.seccomp of an OCI runtime's config.json"
    }

    fn file_name(&self) -> &'static str {
        "oci-seccomp.json"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        Ok(json(&profile(context)?, false))
    }
}

fn json(profile: &Profile, comments: bool) -> Vec<u8> {
    let rules: Vec<Value> = profile
        .rules
        .iter()
        .map(|rule| {
            let mut object = Map::new();
            object.insert("names".into(), json!(rule.names));
            object.insert("action".into(), json!(rule.action));
            if let Some(errno) = rule.errno {
                object.insert("errnoRet".into(), json!(errno));
            }
            if !rule.when.is_empty() {
                object.insert("args".into(), json!(rule.when));
            }
            if comments {
                object.insert("comment".into(), json!(rule.comment));
            }
            Value::Object(object)
        })
        .collect();
    let mut object = Map::new();
    object.insert("defaultAction".into(), json!(profile.default));
    if let Some(errno) = profile.errno {
        object.insert("defaultErrnoRet".into(), json!(errno));
    }
    object.insert("architectures".into(), json!(profile.architectures));
    object.insert("syscalls".into(), json!(rules));
    let mut bytes = serde_json::to_vec_pretty(&object).expect("a JSON value's keys are strings");
    bytes.push(b'\n');
    bytes
}

fn profile(context: &Context<'_>) -> Result<Profile, Error> {
    let options = context.options.seccomp;
    let calls = &context.plan.syscalls;
    let (containers, _) = Containers::new(context.recording, Tables::built_in());
    let machines = match &context.plan.machine {
        Some(machine) => BTreeSet::from([machine.as_str()]),
        None => machines(context.recording),
    };
    let architectures = architectures(calls, &machines)?;
    // What is logged is what the recorded container might do: nothing is narrower than that.
    let allowed = by_name(calls, options.arguments && options.mode == Mode::Enforce);
    let mut rules = allow(&allowed);
    if options.mode == Mode::Log && containers.unconfined() {
        return Ok(Profile {
            default: LOG,
            errno: None,
            architectures,
            rules,
        });
    }
    let mut logged = BTreeSet::new();
    if options.mode == Mode::Log {
        let more = log(&allowed, &containers, &machines);
        logged.extend(more.iter().flat_map(|rule| rule.names.iter().cloned()));
        rules.extend(more);
    }

    let refusals = refusals(&containers, calls, &machines);
    for (errno, names) in refusals.known {
        let names: Vec<String> = names.into_iter().filter(|name| !logged.contains(name)).collect();
        if !names.is_empty() {
            rules.push(Rule {
                names,
                action: ERRNO,
                errno: Some(errno),
                when: Vec::new(),
                comment: "refused, as known calls that are not there for this container".into(),
            });
        }
    }
    let narrowed = allowed.iter().filter(|(_, allowed)| allowed.seen.is_some());
    let narrowed: BTreeSet<&str> = narrowed.map(|(name, _)| *name).collect();
    for answer in refusals.partial {
        rules.push(Rule {
            names: vec![answer.name],
            action: ERRNO,
            errno: Some(answer.errno),
            when: answer.when,
            comment: "refused with the error that the recorded container got".into(),
        });
    }
    rules.extend(narrowed.into_iter().filter_map(refuse_writable_code));
    Ok(Profile {
        default: ERRNO,
        errno: Some(refusals.default),
        architectures,
        rules,
    })
}

fn allow(allowed: &BTreeMap<&str, Allowed>) -> Vec<Rule> {
    let mut rules = Vec::new();
    let rule = |names: Vec<String>, when: Vec<Condition>, comment: String| Rule {
        names,
        action: ALLOW,
        errno: None,
        when,
        comment,
    };
    for group in Group::ALL {
        let of_group = || allowed.iter().filter(move |(_, a)| a.group == group);
        let always: Vec<String> = of_group()
            .filter(|(_, a)| a.only.is_none() && a.seen.is_none())
            .map(|(name, _)| (*name).to_owned())
            .collect();
        if !always.is_empty() {
            rules.push(rule(always, Vec::new(), group.comment().into()));
        }
        for (name, entry) in of_group() {
            let names = || vec![(*name).to_owned()];
            if let Some(seen) = &entry.seen {
                rules.extend(seen.iter().map(|seen| {
                    let comment = format!("{}; only as seen: {}", group.comment(), seen.evidence);
                    rule(names(), seen.when.clone(), comment)
                }));
                continue;
            }
            rules.extend(entry.only.iter().flatten().map(|when| {
                let comment = format!("{}; only as the recorded container might", group.comment());
                rule(names(), when.clone(), comment)
            }));
        }
    }
    rules
}

/// Returns what the recorded containers might do beyond `allowed`, to be logged.
fn log(
    allowed: &BTreeMap<&str, Allowed>,
    containers: &Containers<'_>,
    machines: &BTreeSet<&str>,
) -> Vec<Rule> {
    let rule = |names: Vec<String>, when: Vec<Condition>| Rule {
        names,
        action: LOG,
        errno: None,
        when,
        comment: "logged: not recorded, and the recorded container might make it".into(),
    };
    let names: BTreeSet<String> = machines
        .iter()
        .flat_map(|machine| known(machine, Abi::Native))
        .collect();
    let mut always = Vec::new();
    let mut rules = Vec::new();
    for name in names
        .into_iter()
        .filter(|name| !allowed.contains_key(name.as_str()))
    {
        match containers.bound(&name) {
            Bound::Always => always.push(name),
            Bound::When(alternatives) => {
                rules.extend(
                    alternatives
                        .into_iter()
                        .map(|when| rule(vec![name.clone()], when)),
                );
            }
            Bound::Never => {}
        }
    }
    if !always.is_empty() {
        rules.insert(0, rule(always, Vec::new()));
    }
    rules
}

fn by_name(calls: &[AllowedSyscall], arguments: bool) -> BTreeMap<&str, Allowed> {
    let mut all: BTreeMap<&str, Allowed> = BTreeMap::new();
    for call in calls {
        let only = (!call.only.is_empty()).then(|| call.only.iter().cloned().collect::<BTreeSet<_>>());
        let seen = if arguments { seen(call) } else { None };
        let group = Group::of(call);
        all.entry(&call.name)
            .and_modify(|entry| {
                entry.group = entry.group.min(group);
                entry.only = match (entry.only.take(), only.clone()) {
                    (Some(a), Some(b)) => Some(&a | &b),
                    _ => None,
                };
                entry.seen = match (entry.seen.take(), seen.clone()) {
                    (Some(mut a), Some(b)) => {
                        a.extend(
                            b.into_iter()
                                .filter(|b| a.iter().all(|a| a.when != b.when))
                                .collect::<Vec<_>>(),
                        );
                        Some(a)
                    }
                    _ => None,
                };
            })
            .or_insert(Allowed { group, only, seen });
    }
    all
}

/// The conditions under which a call was seen, within those of the recorded container; none where they are not known
/// or narrow nothing.
fn seen(call: &AllowedSyscall) -> Option<Vec<Seen>> {
    if call.arguments.is_empty() {
        return None;
    }
    if is_protection(&call.name) {
        let writable_code = |value: &ArgumentValue| value.value & WRITABLE_CODE == WRITABLE_CODE;
        if !call.only.is_empty()
            || call
                .arguments
                .iter()
                .any(|seen| seen.values.iter().any(writable_code))
        {
            return None;
        }
        let evidence = format!(
            "never both writable and executable ({})",
            evidence(call.arguments.iter().flat_map(|seen| &seen.reasons))
        );
        let protections = [0, 2, 4].map(|value| Seen {
            when: vec![masked(&ArgumentValue {
                index: 2,
                mask: WRITABLE_CODE,
                value,
            })],
            evidence: evidence.clone(),
        });
        return Some(protections.into());
    }
    let mut all = Vec::new();
    for seen in &call.arguments {
        let described = Tables::built_in().arguments.describe(&call.name, &seen.values);
        let evidence = format!("{described} ({})", evidence(seen.reasons.iter()));
        let own: Vec<Condition> = seen.values.iter().map(masked).collect();
        // The container's conditions on these arguments hold or do not; a runtime takes a second condition on an
        // argument for an alternative, so they cannot stand beside.
        let alternatives = if call.only.is_empty() {
            vec![Vec::new()]
        } else {
            call.only
                .iter()
                .filter_map(|all| left(all, &seen.values))
                .collect()
        };
        for rest in alternatives {
            let when = own.iter().copied().chain(rest).collect();
            if all.iter().all(|seen: &Seen| seen.when != when) {
                all.push(Seen {
                    when,
                    evidence: evidence.clone(),
                });
            }
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Those of the conditions that say nothing about `values`, where the others hold.
fn left(conditions: &[Condition], values: &[ArgumentValue]) -> Option<Vec<Condition>> {
    let mut rest = Vec::new();
    for condition in conditions {
        match values.iter().find(|value| value.index == condition.index) {
            None => rest.push(*condition),
            Some(value) => {
                let mut args = [0; 6];
                *args.get_mut(value.index as usize)? = u64::from(value.value);
                if value.mask != u32::MAX || !condition.holds(&args) {
                    return None;
                }
            }
        }
    }
    Some(rest)
}

/// The kernel takes these arguments as 32-bit numbers; C libraries leave anything in the upper half.
fn masked(value: &ArgumentValue) -> Condition {
    Condition {
        index: value.index,
        value: value.mask.into(),
        value_two: value.value.into(),
        op: Compare::MaskedEq,
    }
}

fn is_protection(name: &str) -> bool {
    matches!(name, "mmap" | "mmap2" | "mprotect" | "pkey_mprotect")
}

/// Memory that is both writable and executable looks forbidden, and not as if the call were absent.
fn refuse_writable_code(name: &str) -> Option<Rule> {
    is_protection(name).then(|| Rule {
        names: vec![name.to_owned()],
        action: ERRNO,
        errno: Some(1),
        when: vec![masked(&ArgumentValue {
            index: 2,
            mask: WRITABLE_CODE,
            value: WRITABLE_CODE,
        })],
        comment: "refused: memory that is both writable and executable was not seen".into(),
    })
}

/// Returns by whom something was seen, with the count.
fn evidence<'a>(reasons: impl Iterator<Item = &'a Reason>) -> String {
    let mut counts = 0;
    let mut by = BTreeSet::new();
    for reason in reasons {
        match reason {
            Reason::Observed { count, program, .. } => {
                counts += count;
                by.insert(program.as_ref().map_or("the app".to_owned(), ToString::to_string));
            }
            Reason::Runtime { table } => {
                by.insert(table.clone());
            }
            Reason::Family { of } | Reason::Architecture { of } => {
                by.insert(of.clone());
            }
            Reason::Reached { chain } => {
                by.extend(chain.first().map(|step| step.file.to_string()));
            }
            Reason::Assumed { why } => {
                by.insert(why.clone());
            }
        }
    }
    let by: Vec<String> = by.into_iter().collect();
    let times = if counts > 0 {
        format!("{counts} times by ")
    } else {
        String::new()
    };
    times + &by.join(", ")
}

/// The machines' own architectures, and those of compatibility calls where such were recorded.
fn architectures(calls: &[AllowedSyscall], machines: &BTreeSet<&str>) -> Result<Vec<&'static str>, Error> {
    let mut all = Vec::new();
    let abis: BTreeSet<Abi> = calls.iter().map(|call| call.abi).chain([Abi::Native]).collect();
    for machine in machines {
        for abi in &abis {
            match (architecture(machine, *abi), abi) {
                (Some(name), _) => all.push(name),
                (None, Abi::Native) => {
                    return Err(Error::Machine {
                        machine: (*machine).to_owned(),
                    });
                }
                (None, _) => {}
            }
        }
    }
    Ok(all)
}
