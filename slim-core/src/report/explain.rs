//! The evidence for a path, a system call or a capability: the reason why it is kept or allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::printable;
use crate::digest::Digest;
use crate::path::{RootPath, encode};
use crate::plan::tables::{Exploit, Tables};
use crate::plan::{Cause, EdgeKind, LeftOut, Plan, ReachedStep, Reason, Removed, syscalls};
use crate::recording::{Access, Actor, Phase};
use crate::spec::parse_capability;

/// The evidence for one path, call or capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The name that the user gave.
    pub what: String,
    /// True if it is kept or allowed.
    pub allowed: bool,
    /// The evidence, nearest first, one sentence each.
    pub evidence: Vec<String>,
}

impl Explained {
    /// Returns the text for the terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let state = match (self.allowed, self.what.starts_with('/')) {
            (true, true) => "is kept",
            (true, false) => "is allowed",
            (false, true) => "is not kept",
            (false, false) => "is not allowed",
        };
        let _ = writeln!(out, "{} {state}", printable(&self.what));
        for line in &self.evidence {
            let _ = writeln!(out, "  {}", printable(line));
        }
        out
    }
}

/// The largest number of links that are followed to a path, as in Linux.
const MAX_LINKS: usize = 40;

/// Returns whether [`explain`] can say anything of `what`: a path, a system call of some architecture or a capability.
pub fn may_be_explained(what: &str) -> bool {
    what.starts_with('/') || syscalls::is_call(&what.to_ascii_lowercase()) || parse_capability(what).is_some()
}

/// Returns the evidence in `plan` for `what`: a path if it starts with `/`, otherwise a system call or a capability by name
/// (with or without `CAP_`, in any case).
pub fn explain(plan: &Plan, what: &str) -> Explained {
    if what.starts_with('/') {
        path(plan, what)
    } else {
        name(plan, what)
    }
}

fn path(plan: &Plan, what: &str) -> Explained {
    let named = crate::path::decode(what).map_or_else(|| RootPath::new(what), RootPath::new);
    let (path, mut evidence) = behind_links(plan, &named);
    let chain = plan.chain(&path);
    evidence.extend(
        chain
            .iter()
            .map(|(path, cause)| format!("{path}: {}", describe_cause(plan, cause))),
    );
    if let Some(kept) = plan.files.get(&path) {
        evidence.extend(
            kept.causes
                .iter()
                .skip(1)
                .map(|cause| format!("also {}", describe_cause(plan, cause))),
        );
    }
    if chain.is_empty() {
        evidence.extend(what_would_keep(plan, &path));
    }
    Explained {
        what: what.to_owned(),
        allowed: !chain.is_empty(),
        evidence,
    }
}

/// Returns the path that `path` leads to by way of kept links to directories, and a sentence on each.
fn behind_links(plan: &Plan, path: &RootPath) -> (RootPath, Vec<String>) {
    let mut path = path.clone();
    let mut followed = Vec::new();
    while !plan.files.contains_key(&path) && followed.len() < MAX_LINKS {
        let target = |link: &RootPath| {
            let is_target = |cause: &Cause| matches!(cause, Cause::Edge { edge: EdgeKind::Target, from, .. } if from == link);
            let mut kept = plan.files.iter();
            let (target, _) = kept.find(|(_, kept)| kept.causes.iter().any(is_target))?;
            Some(target)
        };
        let above = path.ancestors().filter(|above| plan.files.contains_key(above));
        let Some((link, target)) = above
            .map(|above| (target(&above), above))
            .find_map(|(target, above)| Some((above, target?)))
        else {
            break;
        };
        followed.push(format!("{link} is a link to {target}"));
        path = target.join(&path.as_bytes()[link.as_bytes().len() + 1..]);
    }
    (path, followed)
}

/// Returns the reasons why a path is not kept, as far as the plan has them, and the flag that keeps it.
fn what_would_keep(plan: &Plan, path: &RootPath) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .left_out
        .iter()
        .filter(|left_out| path.starts_with(&left_out.path))
        .map(
            |LeftOut {
                 path, why, remedy, ..
             }| format!("left out, {path}: {why}; {remedy} keeps it"),
        )
        .collect();
    let owner = plan
        .removed
        .iter()
        .find(|removed| removed.largest.iter().any(|(large, _)| large == path));
    if let Some(package) = owner.and_then(|removed| removed.package.as_ref()) {
        lines.push(format!(
            "of the package {package}: --keep-package {package} keeps all of it"
        ));
    }
    if lines.is_empty() {
        lines.push(format!(
            "nothing in {} run(s) of {} asks for it; --include {path} keeps it",
            plan.runs.len(),
            plan.reference
        ));
    }
    lines
}

/// The removed packages and directories, and the paths that are left out although something names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview<'a> {
    /// The removed packages and directories, most bytes first.
    pub removed: &'a [Removed],
    /// The paths that are named and left out.
    pub left_out: &'a [LeftOut],
}

/// Returns the paths that `plan` removes.
pub fn overview(plan: &Plan) -> Overview<'_> {
    Overview {
        removed: &plan.removed,
        left_out: &plan.left_out,
    }
}

impl Overview<'_> {
    /// Returns the text for the terminal: the `lines` packages and directories that save most, with their largest files.
    pub fn text(&self, lines: usize) -> String {
        let mut out = String::new();
        for removed in self.removed.iter().take(lines) {
            let part = match removed.kept_files {
                0 => String::new(),
                kept => format!(", {} kept", super::count(kept)),
            };
            let name = match &removed.package {
                Some(package) => format!("package {package}"),
                None => removed.name(),
            };
            let _ = writeln!(
                out,
                "{:>9}  {} ({} files{part})",
                super::bytes(removed.bytes),
                printable(&name),
                super::count(removed.files)
            );
            for (path, size) in removed.largest.iter().take(3) {
                let _ = writeln!(
                    out,
                    "{:>9}    {:>9}  {}",
                    "",
                    super::bytes(*size),
                    printable(&path.to_string())
                );
            }
        }
        if let more @ 1.. = self.removed.len().saturating_sub(lines) {
            let rest: u64 = self.removed.iter().skip(lines).map(|removed| removed.bytes).sum();
            let _ = writeln!(
                out,
                "{:>9}  {more} more packages and directories",
                super::bytes(rest)
            );
        }
        if !self.left_out.is_empty() {
            let _ = writeln!(out, "\nnamed, and left out:");
        }
        for LeftOut {
            path, why, remedy, ..
        } in self.left_out
        {
            let _ = writeln!(
                out,
                "  {}",
                printable(&format!("{path}: {why} ({remedy} keeps it)"))
            );
        }
        out
    }
}

fn name(plan: &Plan, what: &str) -> Explained {
    let call = what.to_ascii_lowercase();
    let capability = what.to_ascii_uppercase();
    let capability = if capability.starts_with("CAP_") {
        capability
    } else {
        format!("CAP_{capability}")
    };
    let mut evidence = Vec::new();
    for allowed in plan.syscalls.iter().filter(|allowed| allowed.name == call) {
        let lines = describe_reasons(plan, &allowed.reasons);
        evidence.extend(lines.into_iter().map(|line| format!("system call: {line}")));
        for seen in &allowed.arguments {
            let values = Tables::built_in().arguments.describe(&call, &seen.values);
            let lines = describe_reasons(plan, &seen.reasons);
            evidence.extend(lines.into_iter().map(|line| format!("{call}({values}): {line}")));
        }
        evidence.extend(allowed.only.iter().map(|all| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!("only as the recorded container might: {}", all.join(" and "))
        }));
    }
    for granted in plan
        .capabilities
        .iter()
        .filter(|granted| granted.name == capability)
    {
        let lines = describe_reasons(plan, &granted.reasons);
        evidence.extend(lines.into_iter().map(|line| format!("capability: {line}")));
    }
    let allowed = !evidence.is_empty();
    for refused in plan
        .refused_capabilities
        .iter()
        .filter(|refused| refused.name == capability)
    {
        let lines = describe_reasons(plan, &refused.reasons);
        evidence.extend(
            lines
                .into_iter()
                .map(|line| format!("asked for without having it: {line}")),
        );
    }
    if evidence.is_empty() {
        evidence.push(format!(
            "nothing in {} run(s) of {} asks for it",
            plan.runs.len(),
            plan.reference
        ));
    }
    let exploits = Tables::built_in().exploits.iter();
    for exploit in exploits.filter(|exploit| exploit.calls.contains(&call)) {
        let Exploit {
            cve, what, source, ..
        } = exploit;
        evidence.push(format!("has been exploited: {cve}, {what} ({source})"));
    }
    Explained {
        what: what.to_owned(),
        allowed,
        evidence,
    }
}

fn describe_cause(plan: &Plan, cause: &Cause) -> String {
    match cause {
        Cause::Observed {
            run, actor, program, ..
        } if plan.rounds.contains_key(run) => {
            let who = describe_who(*actor, program.as_ref());
            format!(
                "missing in verification round {}, asked for by {who}",
                plan.rounds[run]
            )
        }
        Cause::Observed {
            phase,
            actor,
            program,
            access,
            asked,
            ..
        } => {
            let access: Vec<&str> = access.iter().copied().map(describe_access).collect();
            let who = describe_who(*actor, program.as_ref());
            let how = if access.is_empty() {
                "looked for".to_owned()
            } else {
                access.join(", ")
            };
            let asked = asked
                .as_ref()
                .map(|asked| format!(" as {:?}", asked.to_string()))
                .unwrap_or_default();
            format!("{how} by {who}{asked} {}", describe_phase(*phase))
        }
        Cause::Edge { edge, from, .. } => {
            let edge = describe_edge(*edge);
            let detail = cause
                .detail()
                .map(|detail| format!(" ({detail})"))
                .unwrap_or_default();
            format!("{edge} {from}{detail}")
        }
        Cause::Config { instruction } => format!("named by the image's {instruction}"),
        Cause::Option { flag } => format!("asked for with {flag}"),
        Cause::Always { why } => why.clone(),
    }
}

fn describe_edge(edge: EdgeKind) -> &'static str {
    match edge {
        EdgeKind::Directory => "the directory of",
        EdgeKind::Link => "a link on the way to",
        EdgeKind::Target => "the target of",
        EdgeKind::Interpreter => "the interpreter of",
        EdgeKind::Loader => "the ELF loader of",
        EdgeKind::Library => "a library of",
        EdgeKind::User => "users and groups for",
        EdgeKind::Import => "imported by",
        EdgeKind::Distribution => "part of the package of",
        EdgeKind::Dlopen => "a library loaded by name by",
        EdgeKind::Family => "loaded when needed by",
        EdgeKind::Literal => "named in",
        EdgeKind::Command => "run by",
        EdgeKind::Own => "in the application's own directory, named by",
        EdgeKind::Listed => "in a directory that was listed,",
        EdgeKind::Package => "in the same package as",
        EdgeKind::Computed => {
            "in a directory from which names are loaded that are known only at run time, by"
        }
    }
}

/// The calls of one program in one phase, in all runs.
#[derive(Default)]
struct Sum<'a> {
    count: u64,
    failed: u64,
    runs: BTreeSet<&'a Digest>,
    syscalls: BTreeSet<&'a str>,
    path: Option<&'a RootPath>,
}

/// Reasons in sentences: what was observed first, in the order of phases and programs, each program's runs together.
fn describe_reasons(plan: &Plan, reasons: &[Reason]) -> Vec<String> {
    let all_runs = plan.runs.len().saturating_sub(plan.rounds.len());
    let mut observed: BTreeMap<(Phase, Actor, Option<&RootPath>), Sum<'_>> = BTreeMap::new();
    let mut others = Vec::new();
    for reason in reasons {
        match reason {
            Reason::Observed {
                run, actor, program, ..
            } if plan.rounds.contains_key(run) => others.push(format!(
                "refused in verification round {}, asked for by {}",
                plan.rounds[run],
                describe_who(*actor, program.as_ref())
            )),
            Reason::Observed {
                run,
                phase,
                actor,
                program,
                count,
                failed,
                syscall,
                path,
            } => {
                let sum = observed.entry((*phase, *actor, program.as_ref())).or_default();
                sum.count += count;
                sum.failed += failed;
                sum.runs.insert(run);
                sum.syscalls.extend(syscall.as_deref());
                sum.path = match (sum.path, path) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other.as_ref()),
                };
            }
            Reason::Runtime { table } => others.push(format!(
                "the container runtime calls it after the filter is loaded ({table})"
            )),
            Reason::Family { of } => others.push(format!("a C library may call it in place of {of}")),
            Reason::Architecture { of } => {
                others.push(format!(
                    "the machine lacks {of}, and a C library calls it instead"
                ));
            }
            Reason::Reached { chain } => {
                others.push(format!("kept code can call it: {}", describe_chain(chain)))
            }
            Reason::Assumed { why } => others.push(why.clone()),
        }
    }
    let observed = observed.into_iter().map(|((phase, actor, program), sum)| {
        let who = describe_who(actor, program);
        let mut line = format!("{} by {who} {}", describe_times(sum.count), describe_phase(phase));
        if sum.failed > 0 {
            let _ = write!(line, ", {} failed", super::count(sum.failed));
        }
        if !sum.syscalls.is_empty() {
            let calls: Vec<&str> = sum.syscalls.into_iter().collect();
            let _ = write!(line, ", in {}", calls.join(", "));
        }
        if let Some(path) = sum.path {
            let _ = write!(line, ", first with {path}");
        }
        if all_runs > 1 {
            let _ = write!(line, ", in {} of {all_runs} runs", sum.runs.len());
        }
        line
    });
    observed.chain(others).collect()
}

/// Returns the functions on the way to a system call, the one that makes it first.
fn describe_chain(chain: &[ReachedStep]) -> String {
    let mut last: Option<&RootPath> = None;
    let steps = chain.iter().map(|step| {
        let file = step.file.name().map(encode).unwrap_or_default();
        let name = step
            .by_name
            .as_ref()
            .map(|name| format!(" [{name}]"))
            .unwrap_or_default();
        let text = if last == Some(&step.file) {
            format!("{}{name}", step.function)
        } else {
            format!("{file}:{}{name}", step.function)
        };
        last = Some(&step.file);
        text
    });
    steps.collect::<Vec<_>>().join(" <- ")
}

pub(super) fn describe_who(actor: Actor, program: Option<&RootPath>) -> String {
    match (actor, program) {
        (_, Some(program)) => program.to_string(),
        (Actor::Runtime, None) => "the container runtime".into(),
        (Actor::App, None) => "the app".into(),
    }
}

pub(super) fn describe_times(count: u64) -> String {
    match count {
        1 => "once".into(),
        _ => format!("{} times", super::count(count)),
    }
}

pub(super) fn describe_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::StartUp => "while starting",
        Phase::Serving => "while serving",
        Phase::Shutdown => "while stopping",
        Phase::Verification => "in verification",
    }
}

fn describe_access(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "written",
        Access::Append => "appended to",
        Access::OpenPath => "opened as a path",
        Access::Execute => "executed",
        Access::Interpret => "loaded as an interpreter",
        Access::Map => "mapped as code",
        Access::Stat => "asked about",
        Access::Permission => "permissions asked",
        Access::ReadLink => "link read",
        Access::ChangeDirectory => "entered",
        Access::List => "listed",
        Access::Create => "created",
        Access::Attributes => "attributes changed",
        Access::Remove => "removed",
        Access::BindSocket => "bound as a socket",
        Access::ConnectSocket => "connected to",
        Access::Lock => "locked",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::{AllowedCapability, AllowedSyscall, Kept, Totals, VERSION};
    use crate::recording::Abi;

    pub(in super::super) fn plan() -> Plan {
        let run = Digest::of(b"run");
        let program = Some(RootPath::new("/usr/sbin/nginx"));
        let observed = Cause::Observed {
            run: run.clone(),
            phase: Phase::StartUp,
            actor: Actor::App,
            program: program.clone(),
            access: BTreeSet::from([Access::Read, Access::Map]),
            errors: BTreeSet::new(),
            asked: Some(b"/lib/libz.so.1"[..].into()),
        };
        let linked = Cause::Edge {
            edge: EdgeKind::Link,
            from: RootPath::new("/usr/lib/libz.so.1.2"),
            line: None,
            quote: None,
        };
        let reason = Reason::Observed {
            run: run.clone(),
            phase: Phase::Serving,
            actor: Actor::App,
            program,
            count: 5,
            failed: 1,
            syscall: None,
            path: None,
        };
        Plan {
            version: VERSION,
            image: Digest::of(b"image"),
            reference: "nginx:1".into(),
            runs: vec![run],
            rounds: Default::default(),
            left_out: Vec::new(),
            removed: Vec::new(),
            kept_by: Vec::new(),
            files: BTreeMap::from([
                (RootPath::new("/usr/lib/libz.so.1"), Kept { causes: vec![linked] }),
                (
                    RootPath::new("/usr/lib/libz.so.1.2"),
                    Kept {
                        causes: vec![observed],
                    },
                ),
            ]),
            machine: None,
            syscalls: vec![AllowedSyscall {
                abi: Abi::Native,
                name: "chown".into(),
                only: vec![],
                arguments: vec![],
                reasons: vec![
                    reason.clone(),
                    Reason::Runtime {
                        table: "runc 1.1".into(),
                    },
                ],
            }],
            capabilities: vec![AllowedCapability {
                name: "CAP_CHOWN".into(),
                reasons: vec![reason.clone()],
            }],
            refused_capabilities: vec![AllowedCapability {
                name: "CAP_SYS_TIME".into(),
                reasons: vec![reason],
            }],
            privilege_gain: vec![],
            told: Vec::new(),
            privileged: vec![],
            notes: vec![],
            before: Totals::default(),
            after: Totals::default(),
        }
    }

    fn text(what: &str) -> String {
        let plan = plan();
        explain(&plan, what).text()
    }

    #[test]
    fn a_path_has_a_chain_back_to_what_was_seen() {
        insta::assert_snapshot!(text("/usr/lib/libz.so.1"), @r#"
        /usr/lib/libz.so.1 is kept
          /usr/lib/libz.so.1: a link on the way to /usr/lib/libz.so.1.2
          /usr/lib/libz.so.1.2: read, mapped as code by /usr/sbin/nginx as "/lib/libz.so.1" while starting
        "#);
    }

    #[test]
    fn a_path_below_a_link_is_that_of_its_target() {
        let mut plan = plan();
        let keep = |plan: &mut Plan, path: &str, edge, from: &str| {
            let cause = Cause::Edge {
                edge,
                from: RootPath::new(from),
                line: None,
                quote: None,
            };
            let causes = vec![cause];
            plan.files.insert(RootPath::new(path), Kept { causes });
        };
        keep(&mut plan, "/lib", EdgeKind::Link, "/usr/lib/libz.so.1.2");
        keep(&mut plan, "/usr/lib", EdgeKind::Target, "/lib");
        keep(&mut plan, "/old", EdgeKind::Link, "/lib");
        if let Some(lib) = plan.files.get_mut(&RootPath::new("/lib")) {
            let cause = Cause::Edge {
                edge: EdgeKind::Target,
                from: RootPath::new("/old"),
                line: None,
                quote: None,
            };
            lib.causes.push(cause);
        }
        insta::assert_snapshot!(explain(&plan, "/old/libz.so.1.2").text(), @r#"
        /old/libz.so.1.2 is kept
          /old is a link to /lib
          /lib is a link to /usr/lib
          /usr/lib/libz.so.1.2: read, mapped as code by /usr/sbin/nginx as "/lib/libz.so.1" while starting
        "#);
        insta::assert_snapshot!(explain(&plan, "/lib/none").text(), @r"
        /lib/none is not kept
          /lib is a link to /usr/lib
          nothing in 1 run(s) of nginx:1 asks for it; --include /usr/lib/none keeps it
        ");
        // Links in a circle end.
        keep(&mut plan, "/a", EdgeKind::Target, "/a");
        assert!(!explain(&plan, "/a/x").allowed);
    }

    #[test]
    fn what_is_neither_path_nor_call_nor_capability_has_no_evidence() {
        for what in [
            "/x",
            "accept4",
            "ACCEPT4",
            "cap_chown",
            "net_raw",
            "arm_fadvise64_64",
        ] {
            assert!(may_be_explained(what), "{what}");
        }
        for what in ["", "frobnicate", "etc/passwd", "CAP_FLY"] {
            assert!(!may_be_explained(what), "{what}");
        }
    }

    #[test]
    fn what_is_not_kept_says_what_would_have_kept_it() {
        let mut plan = plan();
        plan.left_out = vec![LeftOut {
            path: RootPath::new("/app/.git"),
            kind: crate::plan::LeftOutKind::VersionControl,
            from: None,
            line: None,
            why: "version control in /app".into(),
            remedy: "--include /app/.git".into(),
        }];
        plan.removed = vec![Removed {
            package: Some("perl".into()),
            directory: None,
            files: 2,
            bytes: 3_000_000,
            kept_files: 1,
            largest: vec![(RootPath::new("/usr/bin/perl"), 3_000_000)],
        }];
        let text = |what| explain(&plan, what).text();
        insta::assert_snapshot!(text("/app/.git/config"), @r"
        /app/.git/config is not kept
          left out, /app/.git: version control in /app; --include /app/.git keeps it
        ");
        insta::assert_snapshot!(text("/usr/bin/perl"), @r"
        /usr/bin/perl is not kept
          of the package perl: --keep-package perl keeps all of it
        ");
        insta::assert_snapshot!(text("/opt/x"), @r"
        /opt/x is not kept
          nothing in 1 run(s) of nginx:1 asks for it; --include /opt/x keeps it
        ");
        insta::assert_snapshot!(overview(&plan).text(20), @r"
           3.0 MB  package perl (2 files, 1 kept)
                        3.0 MB  /usr/bin/perl

        named, and left out:
          /app/.git: version control in /app (--include /app/.git keeps it)
        ");
    }

    #[test]
    fn a_name_may_be_a_call_and_a_capability() {
        insta::assert_snapshot!(text("chown"), @r"
        chown is allowed
          system call: 5 times by /usr/sbin/nginx while serving, 1 failed
          system call: the container runtime calls it after the filter is loaded (runc 1.1)
          capability: 5 times by /usr/sbin/nginx while serving, 1 failed
        ");
    }

    #[test]
    fn what_is_not_there_is_said_so() {
        insta::assert_snapshot!(text("/etc/shadow"), @r"
        /etc/shadow is not kept
          nothing in 1 run(s) of nginx:1 asks for it; --include /etc/shadow keeps it
        ");
        insta::assert_snapshot!(text("sys_time"), @r"
        sys_time is not allowed
          asked for without having it: 5 times by /usr/sbin/nginx while serving, 1 failed
        ");
    }
}
