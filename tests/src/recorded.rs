//! Recordings and plans that nobody made: tests are about what follows from one.

use std::collections::{BTreeMap, BTreeSet};

use slim_core::digest::Digest;
use slim_core::path::RootPath;
use slim_core::plan::{
    AllowedCapability, AllowedSyscall, Cause, EdgeKind, Kept, LeftOut, LeftOutKind, Plan, Reason, Removed,
    Totals, VERSION,
};
use slim_core::recording::{
    Abi, Access, Actor, EngineFacts, Observed, Phase, Recording, Run, RuntimeFacts, SyscallUse,
};

/// A recording of one run, in which a container under the default filter of Docker 20.10 made these calls; `change` says
/// what else is known.
///
/// # Panics
///
/// Never: the run is of the recording's image.
pub fn recorded(calls: Vec<SyscallUse>, change: impl FnOnce(&mut Run)) -> Recording {
    let image = Digest::of(b"image");
    let mut run = Run {
        engine: EngineFacts {
            name: "docker".into(),
            version: "20.10".into(),
            api: String::new(),
        },
        runtime: RuntimeFacts {
            name: "runc".into(),
            version: String::new(),
        },
        observed: Observed {
            syscalls: calls,
            ..Observed::default()
        },
        ..Run::new(image.clone(), "app:1")
    };
    change(&mut run);
    let mut recording = Recording::new(image);
    recording.insert(run).expect("the run is of this image");
    recording
}

/// Returns a plan with one of everything that `slim explain` shows.
pub fn planned() -> Plan {
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
    let reason = |phase| Reason::Observed {
        run: run.clone(),
        phase,
        actor: Actor::App,
        program: program.clone(),
        count: 5,
        failed: 1,
        syscall: None,
        path: None,
    };
    let call = |name: &str, reasons| AllowedSyscall {
        abi: Abi::Native,
        name: name.into(),
        only: vec![],
        arguments: vec![],
        reasons,
    };
    let capability = |name: &str| AllowedCapability {
        name: name.into(),
        reasons: vec![reason(Phase::Serving)],
    };
    let kept = |cause| Kept { causes: vec![cause] };
    let runtime = Reason::Runtime {
        table: "runc 1.1".into(),
    };
    Plan {
        version: VERSION,
        image: Digest::of(b"image"),
        reference: "nginx:1".into(),
        runs: vec![run.clone()],
        rounds: Default::default(),
        left_out: vec![LeftOut {
            path: RootPath::new("/app/.git"),
            kind: LeftOutKind::VersionControl,
            from: None,
            line: None,
            why: "version control in /app".into(),
            remedy: "--include /app/.git".into(),
        }],
        removed: vec![Removed {
            package: Some("perl".into()),
            directory: None,
            files: 2,
            bytes: 3_000_000,
            kept_files: 1,
            largest: vec![(RootPath::new("/usr/bin/perl"), 3_000_000)],
        }],
        kept_by: Vec::new(),
        files: BTreeMap::from([
            (RootPath::new("/usr/lib/libz.so.1"), kept(linked)),
            (RootPath::new("/usr/lib/libz.so.1.2"), kept(observed)),
        ]),
        machine: None,
        syscalls: vec![
            call("chown", vec![reason(Phase::StartUp), runtime]),
            call("read", vec![reason(Phase::Serving)]),
        ],
        capabilities: vec![capability("CAP_CHOWN")],
        refused_capabilities: vec![capability("CAP_SYS_TIME")],
        privilege_gain: vec![],
        told: Vec::new(),
        privileged: vec![],
        notes: vec![],
        before: Totals::default(),
        after: Totals::default(),
    }
}
