//! Files, calls and capabilities that a product was seen to lack.
//!
//! Missed is what the original image or its container had and the product did not: a path that was looked for in vain, a
//! directory that was listed and is not whole, a system call that the product's filter refused and the original's
//! would not, a capability that was asked for. What the original lacked too is no miss.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::modules;
use crate::image::Image;
use crate::path::RootPath;
use crate::plan::filter::{Answer, Filter};
use crate::plan::tables::Tables;
use crate::plan::{Plan, capabilities, syscalls};
use crate::reach;
use crate::recording::{
    Actor, CapabilityUse, ContainerFacts, FileUse, Observed, Phase, PhaseMark, Purpose, Recording, Run,
    SyscallUse,
};

/// The error number of what is not there (`errno.h`).
const ENOENT: u16 = 2;

/// One thing that was missed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Miss {
    /// The kind.
    pub kind: MissKind,
    /// The path, the system call's or the capability's name.
    pub what: String,
    /// The program that asked for it, where it is known.
    pub program: Option<RootPath>,
}

/// The kinds of things that can be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissKind {
    /// A path that was looked for in vain.
    File,
    /// A directory of which entries are missing, that was listed.
    Listing,
    /// A system call that the filter refused.
    Syscall,
    /// A capability that was not granted.
    Capability,
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            MissKind::File => write!(f, "{} is missing", self.what)?,
            MissKind::Listing => write!(f, "entries of {} are missing", self.what)?,
            MissKind::Syscall => write!(f, "the system call {} was denied", self.what)?,
            MissKind::Capability => write!(f, "the capability {} was refused", self.what)?,
        }
        match &self.program {
            Some(program) => write!(f, ", asked for by {program}"),
            None => Ok(()),
        }
    }
}

/// A watched run of a product.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// Its observed calls and files.
    pub observed: &'a Observed,
    /// The facts of its container.
    pub container: &'a ContainerFacts,
    /// The beginning of what it wrote: an interpreter names a module there that it found in no listing.
    pub log: &'a str,
    /// The filter that it ran under.
    pub filter: &'a Filter,
    /// True if the application ran; if not, the calls of the runtime count too.
    pub started: bool,
}

/// Missed things, and a Run of phase verification that holds them: united with the recording, a plan follows that has it.
#[derive(Clone, Debug, Default)]
pub struct Missed {
    /// Everything, sorted.
    pub list: Vec<Miss>,
    /// The Run; none if nothing was missed.
    pub run: Option<Run>,
}

/// Returns what the product of `plan` missed while it was `watched`, compared with the `original` run of `image`.
pub fn missed(
    watched: Watched<'_>,
    image: &Image,
    plan: &Plan,
    recording: &Recording,
    original: &Run,
    round: u32,
) -> Missed {
    let mut run = verification(original, round);
    let mut list = BTreeSet::new();
    let mut product = run.clone();
    product.container = watched.container.clone();
    product.files = watched.observed.files.clone();

    for look in reach::missed(&image.rootfs, &product, recording, &plan.files) {
        let kind = match look.listed {
            true => MissKind::Listing,
            false => MissKind::File,
        };
        list.insert(Miss {
            kind,
            what: look.path.to_string(),
            program: look.file.program.clone(),
        });
        run.files.push(FileUse {
            phase: Phase::Verification,
            ..look.file.clone()
        });
    }
    for (path, listing) in modules::missing(watched.log, &image.rootfs, &product.files, &plan.files) {
        list.insert(Miss {
            kind: MissKind::File,
            what: path.to_string(),
            program: listing.program.clone(),
        });
        run.files.push(FileUse {
            path,
            requested_path: None,
            base: None,
            access: BTreeSet::new(),
            errors: BTreeSet::from([ENOENT]),
            phase: Phase::Verification,
            ..listing.clone()
        });
    }
    let filter = syscalls::filter(original, Tables::built_in());
    for call in &watched.observed.syscalls {
        if (call.actor == Actor::App || !watched.started)
            && refused(call, watched.filter)
            && filter
                .as_ref()
                .is_none_or(|filter| allows(call, filter, original))
        {
            list.insert(Miss {
                kind: MissKind::Syscall,
                what: call.name.clone(),
                program: call.program.clone(),
            });
            run.syscalls.push(SyscallUse {
                phase: Phase::Verification,
                ..call.clone()
            });
        }
    }
    if may_use_capabilities(watched.container, plan) {
        for used in &watched.observed.capabilities {
            let granted = |name: &str| plan.capabilities.iter().any(|granted| granted.name == name);
            if used.actor == Actor::App
                && !used.granted
                && !granted(&used.capability)
                && original.container.capabilities.contains(&used.capability)
                && !capabilities::is_memory_accounting(used)
            {
                list.insert(Miss {
                    kind: MissKind::Capability,
                    what: used.capability.clone(),
                    program: used.program.clone(),
                });
                run.capabilities.push(CapabilityUse {
                    phase: Phase::Verification,
                    ..used.clone()
                });
            }
        }
    }
    run.normalise();
    Missed {
        run: (!list.is_empty()).then_some(run),
        list: list.into_iter().collect(),
    }
}

/// An empty Run of phase verification under the bounds of the original: what production denies stays denied.
fn verification(original: &Run, round: u32) -> Run {
    // What calls were asked for is not known of one that was refused, so a filter does not narrow it.
    Run {
        purpose: Purpose::Verification,
        round: Some(round),
        started: original.started,
        host: original.host.clone(),
        engine: original.engine.clone(),
        runtime: original.runtime.clone(),
        container: original.container.clone(),
        observed: Observed {
            phases: vec![PhaseMark {
                phase: Phase::Verification,
                at_ms: 0,
            }],
            losses: original.losses,
            ..Observed::default()
        },
        ..Run::new(original.image.clone(), &original.reference)
    }
}

/// Returns whether the call failed first with what the product's filter answers to it.
fn refused(call: &SyscallUse, filter: &Filter) -> bool {
    call.first_failure
        .is_some_and(|failure| filter.answer(&call.name, &failure.args) == Answer::Errno(failure.errno))
}

fn allows(call: &SyscallUse, filter: &Filter, original: &Run) -> bool {
    filter.knows(&original.host.machine, call.abi)
        && call
            .first_failure
            .is_some_and(|failure| filter.answer(&call.name, &failure.args) == Answer::Allow)
}

/// Returns whether a task of the container can have a capability at all: as root, or by executing a file that gains privilege.
fn may_use_capabilities(container: &ContainerFacts, plan: &Plan) -> bool {
    let user = container.user.split(':').next().unwrap_or_default();
    matches!(user, "" | "0" | "root") || !plan.privilege_gain.is_empty()
}
