//! The Plan: what is kept and what is allowed, each with the reason.
//!
//! A plan holds one node of the evidence graph per kept path: its [`Cause`]s. An edge names the path that it comes
//! from, so the chain back to an observation is found by following causes ([`Plan::chain`]).

pub mod capabilities;
mod changes;
mod confine;
pub mod filter;
mod paths;
pub mod privileges;
mod removed;
pub mod syscalls;
pub mod tables;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use changes::{Changes, InMemory, Obstacle};
pub use confine::{confine, recorded_container, relied_sysctls, unverified};
pub(crate) use paths::last_link;
pub use paths::{recorded_path, requested_path};
pub use removed::{Removed, removed};

use crate::digest::Digest;
use crate::image::Rootfs;
use crate::path::{RawPath, RootPath};
use crate::recording::{Abi, Access, Actor, ArgumentValue, Phase};

/// The version of `plan.json`.
pub const VERSION: u32 = 1;

/// The files that are kept of an image, and the calls and capabilities that its container is allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The format's version: [`VERSION`].
    pub version: u32,
    /// The digest of the image's config.
    pub image: Digest,
    /// The image as the user named it.
    pub reference: String,
    /// The runs that this follows from, sorted.
    pub runs: Vec<Digest>,
    /// The round of verification that added a run, for those that verification added.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rounds: BTreeMap<Digest, u32>,
    /// Kept paths, sorted.
    pub files: BTreeMap<RootPath, Kept>,
    /// Named files that are left out, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The cost of each kind of reason, most bytes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_by: Vec<KeptBy>,
    /// The removed files by package, most bytes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Removed>,
    /// The machine that the calls are meant for (as `uname -m` names it), where it is not the recorded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Allowed system calls, sorted by ABI and name.
    pub syscalls: Vec<AllowedSyscall>,
    /// Granted capabilities, sorted by name.
    pub capabilities: Vec<AllowedCapability>,
    /// Capabilities that were asked for and refused; not granted, sorted by name.
    pub refused_capabilities: Vec<AllowedCapability>,
    /// Executed files that gained privilege (set-user-id, file capabilities): no-new-privileges would break them.
    pub privilege_gain: Vec<RootPath>,
    /// The programs and scripts of a job that do what its caller says, sorted: the next command may do what none did before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<RootPath>,
    /// Kept files that give privilege to whoever executes them, executed or not; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileged: Vec<Privileged>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The image before.
    pub before: Totals,
    /// The image after.
    pub after: Totals,
}

/// A file that gives privilege to whoever executes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privileged {
    /// The file.
    pub path: RootPath,
    /// The user that it runs as, if it is set-user-id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// The group that it runs as, if it is set-group-id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
    /// Its permitted file capabilities (`CAP_NET_RAW`), sorted by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// Counts of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Bytes of regular files, a hard-linked one counted once.
    pub bytes: u64,
    /// Entries that are not directories.
    pub files: u64,
    /// Packages of the distribution's database that have a file in it.
    pub packages: u64,
}

/// The files that are kept for one kind of reason: of several reasons, the nearest to an observation counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptBy {
    /// The kind ([`Cause::kind`]).
    pub reason: String,
    /// Files and links.
    pub files: u64,
    /// Bytes of regular files, a hard-linked one counted once.
    pub bytes: u64,
}

/// Returns what each kind of reason keeps of `rootfs`, most bytes first.
pub fn kept_by(rootfs: &Rootfs, kept: &BTreeMap<RootPath, Kept>) -> Vec<KeptBy> {
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut inodes = BTreeSet::new();
    for (path, kept) in kept {
        let (Some(entry), Some(cause)) = (rootfs.get(path), kept.causes.first()) else {
            continue;
        };
        if entry.is_dir() {
            continue;
        }
        let (files, bytes) = kinds.entry(cause.kind()).or_default();
        *files += 1;
        if inodes.insert(entry.inode) {
            *bytes += entry.size();
        }
    }
    let mut all: Vec<KeptBy> = kinds
        .into_iter()
        .map(|(reason, (files, bytes))| KeptBy {
            reason: reason.to_owned(),
            files,
            bytes,
        })
        .collect();
    all.sort_by_key(|kind| std::cmp::Reverse((kind.bytes, kind.files)));
    all
}

/// Why a path is kept; the first cause is the nearest to an observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The reasons, never empty.
    pub causes: Vec<Cause>,
}

/// One reason to keep a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Cause {
    /// The recording saw it used.
    Observed {
        /// The run.
        run: Digest,
        /// When.
        phase: Phase,
        /// By whom.
        actor: Actor,
        /// The program.
        program: Option<RootPath>,
        /// The kinds of access.
        access: BTreeSet<Access>,
        /// The error numbers of failed attempts; 2 (ENOENT) and 20 (ENOTDIR) where something below it was looked for
        /// in vain.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        errors: BTreeSet<u16>,
        /// As the program wrote it, where that differs from the path.
        asked: Option<RawPath>,
    },
    /// Something kept needs it.
    Edge {
        /// The kind of need.
        edge: EdgeKind,
        /// The file that needs it.
        from: RootPath,
        /// The line of the file that names it, counted from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        /// The words that name it there (`NEEDED libc.so.6`, `#!/bin/sh`); in older plans with the line before them.
        #[serde(default, alias = "detail", skip_serializing_if = "Option::is_none")]
        quote: Option<String>,
    },
    /// The image's config names it.
    Config {
        /// The instruction (`WORKDIR`, `USER`, `HEALTHCHECK`).
        instruction: String,
    },
    /// The user asked for it.
    Option {
        /// The flag and its value (`--include /etc/ssl`).
        flag: String,
    },
    /// Every image needs it.
    Always {
        /// Why.
        why: String,
    },
}

/// The kinds of edges of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EdgeKind {
    /// The directory that something kept stands in.
    Directory,
    /// A symbolic link on the way to something kept.
    Link,
    /// A kept symbolic link's target.
    Target,
    /// A script's interpreter.
    Interpreter,
    /// An ELF file's loader (`PT_INTERP`).
    Loader,
    /// An ELF file's library (`DT_NEEDED`).
    Library,
    /// The data by which a kept thing finds users and groups.
    User,
    /// A module, package or source file that a kept source names (`import`, `require`, `use`).
    Import,
    /// A file of a kept package of a language: its metadata, data and native add-ons.
    Distribution,
    /// A library that a kept ELF file loads by a name in its data (`dlopen`).
    Dlopen,
    /// One of the files that a kept library or runtime loads by name when it is used: name services, character sets,
    /// crypto providers, time zones, certificates.
    Family,
    /// An absolute path, or a pattern of them, named in a kept configuration, script or program.
    Literal,
    /// A program that a kept source names to run it.
    Command,
    /// A file of a directory that is the application's own.
    Own,
    /// An entry of a directory that the application listed.
    Listed,
    /// A file of a package that is kept whole.
    Package,
    /// A file that a kept source may load, by a name that is known only when it runs.
    Computed,
}

/// Something of the image that was named and is left out all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The path; a directory stands for what is in it.
    pub path: RootPath,
    /// The reason.
    #[serde(default)]
    pub kind: LeftOutKind,
    /// The kept file that names it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RootPath>,
    /// The line of that file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The reason, in words that follow the path.
    pub why: String,
    /// The flag and value that keep it (`--include /app/.env`).
    pub remedy: String,
}

/// Reasons to leave something out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LeftOutKind {
    /// A shell that is only named.
    Shell,
    /// A package manager that is only named.
    PackageManager,
    /// Version control in an application's own directory.
    VersionControl,
    /// A cache in one.
    Cache,
    /// A file in one that may hold a secret.
    Secret,
    /// An editor's file in one.
    Editor,
    /// More files or bytes than `--own-files`, `--own-bytes` or `--listed-files` allow.
    TooLarge,
    /// Files of an application's own directory that packages put there.
    Packaged,
    /// The entries of a directory of the system.
    System,
    /// The reason of a plan from before reasons were recorded.
    #[default]
    Unspecified,
}

/// An allowed system call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedSyscall {
    /// The ABI.
    pub abi: Abi,
    /// Its name.
    pub name: String,
    /// The alternatives of conditions on its arguments under which the recorded container might make it; empty if
    /// under any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Vec<filter::Condition>>,
    /// Everything it was asked for, where its arguments decide what it does, all of them are known and they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<SeenArguments>,
    /// The reasons, never empty.
    pub reasons: Vec<Reason>,
}

impl AllowedSyscall {
    /// Returns whether the application made it, or is taken to make it.
    pub fn is_of_app(&self) -> bool {
        self.reasons.iter().any(Reason::is_of_app)
    }
}

/// The arguments of a system call that decide what it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenArguments {
    /// The arguments that decide what it does.
    pub values: Vec<ArgumentValue>,
    /// The reasons, never empty.
    pub reasons: Vec<Reason>,
}

/// Why a system call or a capability is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Reason {
    /// The recording saw it.
    Observed {
        /// The run.
        run: Digest,
        /// When.
        phase: Phase,
        /// By whom.
        actor: Actor,
        /// The program.
        program: Option<RootPath>,
        /// Number of times.
        count: u64,
        /// Number of failures.
        failed: u64,
        /// For a capability, the system call that asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        syscall: Option<String>,
        /// For a system call, the path that it was first seen with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<RootPath>,
    },
    /// The container runtime calls it after the filter is loaded.
    Runtime {
        /// The table (`runc 1.1, no-new-privileges`).
        table: String,
    },
    /// A C library may take this path instead of a recorded one.
    Family {
        /// The recorded call.
        of: String,
    },
    /// The machine that the profile is for lacks a recorded call, and this one is made there instead.
    Architecture {
        /// The recorded call.
        of: String,
    },
    /// Kept code can call it, though no recording saw it do so.
    Reached {
        /// The functions from the one that makes the call to where execution begins, the shortest way.
        chain: Vec<ReachedStep>,
    },
    /// It could not be observed, and is needed for all that is known.
    Assumed {
        /// Why.
        why: String,
    },
}

/// A function on the way to a system call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachedStep {
    /// The file that has it.
    pub file: RootPath,
    /// Its name where a symbol gives it, its address in the file otherwise.
    pub function: String,
    /// The name in a table through which the next one calls it (`fork`, which Python calls `posix.fork`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
}

/// The system calls that kept code can make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachableCalls {
    /// The machine whose numbers these are (as `uname -m` names it).
    pub machine: &'static str,
    /// The shortest way to each call, by its number.
    pub calls: BTreeMap<u32, Vec<ReachedStep>>,
    /// Functions that make a system call whose number is not known: the file and the function.
    pub unresolved: BTreeSet<(RootPath, String)>,
    /// Programs and libraries that could not be followed: damaged, too large or for another instruction set.
    pub unread: BTreeSet<RootPath>,
    /// True if sensitive calls are allowed only where they were observed.
    pub withhold: bool,
}

impl Reason {
    /// Returns whether it is something that the application did, or is taken to do.
    pub fn is_of_app(&self) -> bool {
        match self {
            Self::Observed { actor, .. } => *actor == Actor::App,
            Self::Assumed { .. } => true,
            Self::Runtime { .. } | Self::Family { .. } | Self::Architecture { .. } | Self::Reached { .. } => {
                false
            }
        }
    }
}

/// A capability with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedCapability {
    /// The name (`CAP_CHOWN`).
    pub name: String,
    /// The reasons, never empty.
    pub reasons: Vec<Reason>,
}

impl Cause {
    /// Returns the line and the words of an edge as one text (`line 12: import yaml`).
    pub fn detail(&self) -> Option<String> {
        let Self::Edge { line, quote, .. } = self else {
            return None;
        };
        let line = line.map(|line| format!("line {line}"));
        let parts: Vec<String> = line.into_iter().chain(quote.clone()).collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }

    /// Its kind in a word or two, as the report counts by it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Observed { .. } => "observed",
            Self::Edge { edge, .. } => edge.name(),
            Self::Config { .. } => "config",
            Self::Option { .. } => "option",
            Self::Always { .. } => "always",
        }
    }
}

impl EdgeKind {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Link => "link",
            Self::Target => "target",
            Self::Interpreter => "interpreter",
            Self::Loader => "loader",
            Self::Library => "library",
            Self::User => "user",
            Self::Import => "import",
            Self::Distribution => "distribution",
            Self::Dlopen => "dlopen",
            Self::Family => "family",
            Self::Literal => "literal",
            Self::Command => "command",
            Self::Own => "own",
            Self::Listed => "listed",
            Self::Package => "package",
            Self::Computed => "computed",
        }
    }
}

impl Plan {
    /// Returns whether this keeps and allows what `other` does, and nothing beyond it.
    pub fn allows_as_much_as(&self, other: &Self) -> bool {
        let calls = |plan: &Self| -> Vec<_> {
            let all = plan.syscalls.iter();
            all.map(|call| (call.abi, call.name.clone(), call.only.clone()))
                .collect()
        };
        let capabilities =
            |plan: &Self| -> Vec<_> { plan.capabilities.iter().map(|c| c.name.clone()).collect() };
        self.files.keys().eq(other.files.keys())
            && calls(self) == calls(other)
            && capabilities(self) == capabilities(other)
    }

    /// The chain of reasons from `path` back to where it starts: an observation, the config or an option.
    ///
    /// Each element is a path and the cause that keeps it; empty if the path is not kept.
    pub fn chain(&self, path: &RootPath) -> Vec<(&RootPath, &Cause)> {
        let mut chain: Vec<(&RootPath, &Cause)> = Vec::new();
        let mut next = self.files.get_key_value(path);
        while let Some((path, kept)) = next {
            let Some(cause) = kept.causes.first() else { break };
            if chain.iter().any(|(seen, _)| *seen == path) {
                break;
            }
            chain.push((path, cause));
            next = match cause {
                Cause::Edge { from, .. } => self.files.get_key_value(from),
                _ => None,
            };
        }
        chain
    }
}
