//! Tables that are data: what container runtimes call after they have loaded a filter, which calls stand in for
//! others, the default filters of engines, and which calls have been exploited. They are files in `profiles/`, built in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::filter::{Container, Filter};
use crate::recording::{ArgumentValue, EngineFacts, Run};

/// All tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// One per container runtime.
    pub runtimes: Vec<RuntimeTable>,
    /// Families of calls.
    pub families: Vec<Family>,
    /// Calls that only some architectures have.
    pub architectures: Architectures,
    /// Names of arguments.
    pub arguments: ArgumentNames,
    /// Published exploits of the kernel, by CVE.
    pub exploits: Vec<Exploit>,
    /// Calls that are allowed only where they were observed, unless the user wants all that kept code can make.
    pub sensitive: Vec<Sensitive>,
    /// Default filters of engines.
    pub filters: Vec<EngineFilter>,
}

/// The calls of a container runtime after it has loaded the container's filter, until it executes the application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeTable {
    /// The runtime's name (`runc`).
    pub runtime: String,
    /// The way it was measured.
    pub source: String,
    /// The versions that `cargo xtask runtime-calls` has measured, and the date.
    #[serde(default)]
    pub measured: Vec<Measured>,
    /// The calls, by circumstance.
    pub sets: Vec<RuntimeSet>,
}

/// A version of a runtime whose calls were measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// As the runtime says it.
    pub version: String,
    /// The day.
    pub date: String,
    /// The kernel's version.
    pub kernel: String,
}

/// The calls of a runtime under one circumstance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeSet {
    /// The circumstance (`runc 1.1.5, with no-new-privileges`).
    pub name: String,
    /// The calls, sorted.
    pub names: Vec<String>,
    /// Names of the values of arguments that decide what a call does
    /// ([`deciding_arguments`](crate::recording::deciding_arguments); the first of them).
    #[serde(default)]
    pub arguments: BTreeMap<String, Vec<u32>>,
}

/// Calls that may be made in the place of an observed one, or along with it, on another day or another kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Calls; if one of them is allowed,
    pub of: Vec<String>,
    /// these are too; where none is named, the others of [`Family::of`].
    #[serde(default)]
    pub allow: Vec<String>,
    /// Why.
    pub why: String,
    /// The source.
    pub source: String,
}

/// Calls that only some architectures have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architectures {
    /// The source.
    pub source: String,
    /// Calls that newer architectures lack, and those that C libraries make there instead, if any.
    pub calls: BTreeMap<String, Vec<String>>,
    /// Calls that every program needs on a machine (as `uname -m` names it), whatever was seen elsewhere.
    pub always: BTreeMap<String, Vec<String>>,
}

/// A flaw of the kernel with a published exploit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploit {
    /// Its number (`CVE-2022-0847`).
    pub cve: String,
    /// The calls that the exploit cannot do without: refusing one of them stops it.
    pub calls: Vec<String>,
    /// The subject.
    pub what: String,
    /// The address of the exploit or its analysis.
    pub source: String,
}

/// Names of those arguments that decide what a call does: by call, by the argument's position, by number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentNames {
    /// The source.
    pub source: String,
    /// Names of values.
    pub values: BTreeMap<String, BTreeMap<u32, BTreeMap<u32, String>>>,
    /// Names of single bits.
    pub bits: BTreeMap<String, BTreeMap<u32, BTreeMap<u32, String>>>,
}

impl ArgumentNames {
    /// Returns what the call `name` was asked for, as a programmer writes it (`AF_INET, SOCK_STREAM`).
    pub fn describe(&self, name: &str, values: &[ArgumentValue]) -> String {
        let named = |value: &ArgumentValue| {
            let of = |table: &BTreeMap<String, BTreeMap<u32, BTreeMap<u32, String>>>| {
                table.get(name).and_then(|of| of.get(&value.index)).cloned()
            };
            if let Some(bits) = of(&self.bits) {
                return flags(&bits, value.value);
            }
            let known = of(&self.values).and_then(|names| names.get(&value.value).cloned());
            known.unwrap_or_else(|| format!("{:#x}", value.value))
        };
        let named: Vec<String> = values.iter().map(named).collect();
        named.join(", ")
    }
}

/// The names of the set bits, and what is left as a number.
fn flags(names: &BTreeMap<u32, String>, value: u32) -> String {
    let mut left = value;
    let mut parts: Vec<String> = Vec::new();
    for (bit, name) in names.iter().filter(|(bit, _)| value & *bit != 0) {
        parts.push(name.clone());
        left &= !bit;
    }
    if left != 0 || parts.is_empty() {
        parts.push(format!("{left:#x}"));
    }
    parts.join("|")
}

impl Family {
    /// Returns what is allowed where `name` is; empty if it is not of this family.
    pub fn allowed_with<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        let list = if self.allow.is_empty() {
            &self.of
        } else {
            &self.allow
        };
        let member = self.of.iter().any(|of| of == name);
        list.iter().filter(move |other| member && *other != name)
    }
}

/// System calls that do more than most programs need, and that attacks do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitive {
    /// What they do.
    pub about: String,
    /// Where that is said.
    pub source: String,
    /// Their names.
    pub calls: std::collections::BTreeSet<String>,
}

/// The default filter of an engine, from a version on.
#[derive(Clone, Debug)]
pub struct EngineFilter {
    /// Its name for people (`Docker 28`).
    pub name: &'static str,
    /// The engine's name.
    pub engine: &'static str,
    /// The first version it is meant for: (major, minor).
    pub since: (u32, u32),
    /// The profile as the engine's project publishes it.
    pub profile: Value,
}

static BUILT_IN: LazyLock<Tables> = LazyLock::new(|| {
    let checked = "a table in profiles/ is read by a test of this module";
    let filter = |name, engine, since, text| EngineFilter {
        name,
        engine,
        since,
        profile: serde_json::from_str(text).expect(checked),
    };
    Tables {
        runtimes: [
            include_str!("../../../profiles/runtime/runc.json"),
            include_str!("../../../profiles/runtime/crun.json"),
        ]
        .iter()
        .map(|text| serde_json::from_str(text).expect(checked))
        .collect(),
        families: serde_json::from_str(include_str!("../../../profiles/families.json")).expect(checked),
        architectures: serde_json::from_str(include_str!("../../../profiles/architectures.json"))
            .expect(checked),
        arguments: serde_json::from_str(include_str!("../../../profiles/arguments.json")).expect(checked),
        sensitive: serde_json::from_str(include_str!("../../../profiles/sensitive.json")).expect(checked),
        exploits: serde_json::from_str(include_str!("../../../profiles/exploits.json")).expect(checked),
        filters: vec![
            filter(
                "Docker 20.10",
                "docker",
                (0, 0),
                include_str!("../../../profiles/seccomp/docker-20.10.json"),
            ),
            filter(
                "Docker 26",
                "docker",
                (26, 0),
                include_str!("../../../profiles/seccomp/docker-26.json"),
            ),
            filter(
                "Docker 28",
                "docker",
                (28, 0),
                include_str!("../../../profiles/seccomp/docker-28.json"),
            ),
            filter(
                "Podman 4",
                "podman",
                (0, 0),
                include_str!("../../../profiles/seccomp/podman-4.json"),
            ),
        ],
    }
});

impl Tables {
    /// The tables of `profiles/`.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The default filter of the engine that made `run`, as it resolves it for that container; none for an engine
    /// that is not known.
    pub fn default_filter(&self, run: &Run) -> Option<Filter> {
        resolve(self.newest(&run.engine.name, version(&run.engine))?, run)
    }

    /// Docker's default filter, as it resolves it for the container of `run`, and its name: that of the version that
    /// made it, the newest known one where another engine did.
    pub fn dockers_filter(&self, run: &Run) -> Option<(&'static str, Filter)> {
        let at_most = if run.engine.name == DOCKER {
            version(&run.engine)
        } else {
            (u32::MAX, 0)
        };
        let newest = self.newest(DOCKER, at_most)?;
        Some((newest.name, resolve(newest, run)?))
    }

    fn newest(&self, engine: &str, at_most: (u32, u32)) -> Option<&EngineFilter> {
        let of_engine = self.filters.iter().filter(|f| f.engine == engine);
        of_engine.filter(|f| f.since <= at_most).max_by_key(|f| f.since)
    }
}

const DOCKER: &str = "docker";

fn resolve(filter: &EngineFilter, run: &Run) -> Option<Filter> {
    let container = Container {
        machine: &run.host.machine,
        kernel: &run.host.kernel,
        capabilities: &run.container.capabilities,
    };
    Filter::from_engine(&filter.profile, container).ok()
}

fn version(engine: &EngineFacts) -> (u32, u32) {
    let mut numbers = engine
        .version
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use libseccomp::{ScmpArch, ScmpSyscall};

    use super::*;

    /// Newer than the library that knows the names.
    const NEWER: &[&str] = &["fchmodat2"];

    #[test]
    fn every_table_can_be_read_and_names_real_calls() {
        let tables = Tables::built_in();
        let runtimes = tables
            .runtimes
            .iter()
            .flat_map(|t| &t.sets)
            .flat_map(|s| &s.names);
        let families = tables.families.iter().flat_map(|f| f.of.iter().chain(&f.allow));
        let older = tables.architectures.calls.iter();
        let older = older.flat_map(|(name, instead)| instead.iter().chain([name]));
        let exploited = tables.exploits.iter().flat_map(|exploit| &exploit.calls);
        let sensitive = tables.sensitive.iter().flat_map(|table| &table.calls);
        for name in runtimes
            .chain(families)
            .chain(older)
            .chain(exploited)
            .chain(sensitive)
        {
            let known =
                |arch| ScmpSyscall::from_name_by_arch(name, arch).is_ok_and(|s| s.as_raw_syscall() >= 0);
            assert!(
                [ScmpArch::X8664, ScmpArch::X86, ScmpArch::Ppc]
                    .into_iter()
                    .any(known)
                    || NEWER.contains(&name.as_str()),
                "{name} is no system call"
            );
        }
        for set in tables.runtimes.iter().flat_map(|t| &t.sets) {
            assert!(set.names.is_sorted(), "{}", set.name);
        }
    }

    #[test]
    fn what_an_architecture_lacks_stands_in_the_table() {
        let calls = &Tables::built_in().architectures.calls;
        let on = |name: &str, arch| {
            ScmpSyscall::from_name_by_arch(name, arch).is_ok_and(|s| s.as_raw_syscall() >= 0)
        };
        for (name, instead) in calls {
            assert!(
                on(name, ScmpArch::X8664) && !on(name, ScmpArch::Aarch64),
                "{name}"
            );
            assert!(instead.iter().all(|name| on(name, ScmpArch::Aarch64)), "{name}");
        }
    }

    #[test]
    fn arguments_have_names() {
        let value = |index, value| ArgumentValue {
            index,
            mask: u32::MAX,
            value,
        };
        let names = &Tables::built_in().arguments;
        for (call, values, shown) in [
            ("socket", vec![value(0, 10), value(1, 2)], "AF_INET6, SOCK_DGRAM"),
            ("socket", vec![value(0, 4242), value(1, 2)], "0x1092, SOCK_DGRAM"),
            ("prctl", vec![value(0, 38)], "PR_SET_NO_NEW_PRIVS"),
            ("mprotect", vec![value(2, 5)], "PROT_READ|PROT_EXEC"),
            ("mprotect", vec![value(2, 0)], "0x0"),
            (
                "clone",
                vec![value(0, 0x0120_0011)],
                "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|0x11",
            ),
            ("personality", vec![value(0, u32::MAX)], "query"),
        ] {
            assert_eq!(names.describe(call, &values), shown);
        }
    }
}
