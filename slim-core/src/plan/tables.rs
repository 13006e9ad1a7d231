//! Tables that are data: what container runtimes call after they have loaded a filter, which calls stand in for
//! others, and the default filters of engines. They are files in `profiles/`, built in.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::filter::{Container, Filter};
use crate::recording::{EngineFacts, Run};

/// All tables.
#[derive(Clone, Debug)]
pub struct Tables {
    /// One per container runtime.
    pub runtimes: Vec<RuntimeTable>,
    /// Families of calls.
    pub families: Vec<Family>,
    /// Default filters of engines.
    pub filters: Vec<EngineFilter>,
}

/// What a container runtime calls after it has loaded the container's filter, until it executes the application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeTable {
    /// The runtime's name (`runc`).
    pub runtime: String,
    /// How it was measured.
    pub source: String,
    /// The calls, by circumstance.
    pub sets: Vec<RuntimeSet>,
}

/// The calls of a runtime under one circumstance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeSet {
    /// The circumstance (`runc 1.1.5, with no-new-privileges`).
    pub name: String,
    /// The calls, sorted.
    pub names: Vec<String>,
}

/// Calls that may be made in the place of an observed one, or along with it, on another day or another kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Where one of these is allowed,
    pub of: Vec<String>,
    /// these are too.
    pub allow: Vec<String>,
    /// Why.
    pub why: String,
    /// Who says so.
    pub source: String,
}

/// The default filter of an engine, from a version on.
#[derive(Clone, Debug)]
pub struct EngineFilter {
    /// The engine's name.
    pub engine: &'static str,
    /// The first version it is meant for: (major, minor).
    pub since: (u32, u32),
    /// The profile as the engine's project publishes it.
    pub profile: Value,
}

static BUILT_IN: LazyLock<Tables> = LazyLock::new(|| {
    let checked = "a table in profiles/ is read by a test of this module";
    let filter = |engine, since, text| EngineFilter {
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
        filters: vec![
            filter(
                "docker",
                (0, 0),
                include_str!("../../../profiles/seccomp/docker-20.10.json"),
            ),
            filter(
                "docker",
                (26, 0),
                include_str!("../../../profiles/seccomp/docker-26.json"),
            ),
            filter(
                "docker",
                (28, 0),
                include_str!("../../../profiles/seccomp/docker-28.json"),
            ),
            filter(
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

    /// The sets of the runtime that `name` names; those of all known ones where it names none of them.
    pub fn runtime(&self, name: &str) -> Vec<&RuntimeSet> {
        let known = |table: &&RuntimeTable| {
            std::path::Path::new(name)
                .file_name()
                .is_some_and(|n| n == table.runtime.as_str())
        };
        let named: Vec<&RuntimeTable> = self.runtimes.iter().filter(known).collect();
        let tables = if named.is_empty() {
            self.runtimes.iter().collect()
        } else {
            named
        };
        tables.into_iter().flat_map(|table| &table.sets).collect()
    }

    /// The default filter of the engine that made `run`, as it resolves it for that container; none for an engine
    /// that is not known.
    pub fn default_filter(&self, run: &Run) -> Option<Filter> {
        let version = version(&run.engine);
        let newest = self
            .filters
            .iter()
            .filter(|f| f.engine == run.engine.name && f.since <= version)
            .max_by_key(|f| f.since)?;
        let container = Container {
            machine: &run.host.machine,
            kernel: &run.host.kernel,
            capabilities: &run.container.capabilities,
        };
        Filter::from_engine(&newest.profile, container).ok()
    }
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
        for name in runtimes.chain(families) {
            let known =
                |arch| ScmpSyscall::from_name_by_arch(name, arch).is_ok_and(|s| s.as_raw_syscall() >= 0);
            assert!(
                known(ScmpArch::X8664) || known(ScmpArch::X86) || NEWER.contains(&name.as_str()),
                "{name} is no system call"
            );
        }
        for set in tables.runtimes.iter().flat_map(|t| &t.sets) {
            assert!(set.names.is_sorted(), "{}", set.name);
        }
    }

    #[test]
    fn an_unknown_runtime_gets_the_sets_of_all() {
        let tables = Tables::built_in();
        assert!(
            tables
                .runtime("/usr/bin/runc")
                .iter()
                .all(|s| s.name.contains("runc 1") || s.name.contains("Go"))
        );
        assert_eq!(
            tables.runtime("youki").len(),
            tables.runtime("runc").len() + tables.runtime("crun").len()
        );
    }
}
