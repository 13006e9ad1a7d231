//! The tracer: watches one container from the kernel.
//!
//! # Mechanism
//!
//! A program of raw tracepoints (`slim-ebpf/program`) counts system calls and gathers files, sockets, capabilities and
//! executed programs in the kernel. Only what is new crosses into user space, through one ring buffer. The container is
//! not touched: no sensor, no changed entrypoint, no privilege.
//!
//! - `sys_exit` carries nearly everything: number, arguments, result, strings (resident by then), and where a
//!   descriptor remains the file itself. `sched_process_exec`, `sched_process_exit` and `sched_process_fork` add what
//!   never returns and who descends from whom; `cap_capable` (kernels since 6.14; a kprobe before) the capabilities.
//! - The container is found without a race: its cgroup does not exist before the engine's `start`, and `cgroup_mkdir`
//!   names it after the container's id. Every task in it and below it is watched from its first instruction there.
//! - A task is the runtime's until it executes a file in the container's mounts with another root directory than the
//!   host's; from then on it is the application's, and so is what it forks.
//! - Offsets of kernel structures come from the running kernel's BTF.
//!
//! # Kernel
//!
//! 6.1 or later with BTF (`/sys/kernel/btf/vmlinux`) and a mounted cgroup2, as root (or with CAP_BPF, CAP_PERFMON and
//! CAP_SYS_PTRACE). Older ones miss helpers in tracing programs (`bpf_get_current_ancestor_cgroup_id` 5.14, `bpf_loop`
//! 5.17) and are refused by the verifier, which [`check()`] and [`Tracer::start`] then report.
//!
//! # Another object
//!
//! The compiled program is part of this library. `SLIM_EBPF_OBJECT=FILE` loads another one instead: a rebuilt one, to
//! run the tests on it.

mod arch;
mod attached;
mod btf;
mod check;
mod drain;
mod error;
mod gather;
mod load;
mod maps;
mod object;
mod raw;
mod scope;
mod sockets;
mod table;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aya::Ebpf;
use aya::maps::{Array, MapData};
use slim_ebpf::{Control, State};

pub use attached::{container_facts, programs};
pub use btf::BtfError;
pub use check::{Check, check};
pub use error::Error;
pub use load::Loaded;

use crate::recording::{Measured, Observed, Phase, PhaseMark, SocketUse};
use gather::Gathered;
use maps::lock;

pub use crate::cgroup::{Work, of_container as cgroup_of};

/// Sizes. The error of a recording with losses names the one to raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size of the ring buffer in bytes; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// Number of distinct records (file uses, sockets) that fit; the sizes of other maps follow from it.
    pub map_entries: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            map_entries: 1 << 17,
        }
    }
}

/// The tasks to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The container with this full id (64 digits), whose cgroup is not made yet.
    Container(String),
    /// A cgroup2 directory that exists: its tasks count as the application's, which serves already.
    Cgroup(PathBuf),
}

impl Scope {
    /// Returns the phase in which watching it begins.
    fn first_phase(&self) -> Phase {
        match self {
            Self::Container(_) => Phase::StartUp,
            Self::Cgroup(_) => Phase::Serving,
        }
    }
}

/// The result of tracing a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traced {
    /// The acts of the container's tasks. Phases are timed from [`Tracer::start`] on, and resource peaks are unknown.
    pub observed: Observed,
    /// `net.ipv4.ip_unprivileged_port_start` in the container's network.
    pub unprivileged_port_start: Option<u16>,
}

/// A loaded and attached tracer.
pub struct Tracer {
    ebpf: Ebpf,
    control: Mutex<Array<MapData, Control>>,
    state: Array<MapData, State>,
    shards: u32,
    slots: u32,
    capabilities: Measured,
    attached: Option<PathBuf>,
    mount: PathBuf,
    started: Instant,
    phases: Mutex<Vec<PhaseMark>>,
    gathered: Arc<Mutex<Gathered>>,
    reader: drain::Reader,
}

impl Tracer {
    /// Loads and attaches the program. For [`Scope::Container`], call it before the engine's `start`.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::cannot_trace`] is true of a machine that cannot.
    pub fn start(scope: Scope, options: Options) -> Result<Self, Error> {
        Loaded::new(options)?.watch(scope)
    }

    /// Returns whether the container's cgroup was seen. If not, after the engine's `start`: the engine runs on another kernel.
    pub fn scoped(&self) -> bool {
        self.state.get(&0, 0).is_ok_and(|state| state.cgroup != 0)
    }

    /// Returns whether a program of the application was executed.
    pub fn app_started(&self) -> bool {
        self.state.get(&0, 0).is_ok_and(|state| state.app != 0)
    }

    /// Returns whether a process is left in the container's cgroup.
    pub fn populated(&self) -> bool {
        self.cgroup().is_some_and(|path| crate::cgroup::populated(&path))
    }

    /// Returns the work of the container's processes; none before its cgroup was seen and after it is gone.
    pub fn work(&self) -> Option<Work> {
        crate::cgroup::work(&self.cgroup()?)
    }

    /// Begins a phase.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn mark(&self, phase: Phase) -> Result<(), Error> {
        scope::new_epoch(&mut lock(&self.control), |control| {
            control.phase = gather::phase_number(phase)
        })?;
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        lock(&self.phases).push(PhaseMark { phase, at_ms });
        Ok(())
    }

    /// Returns the sockets that the application listens on by now (UDP: that are bound).
    pub fn listening(&self) -> Vec<SocketUse> {
        let Ok(slots) = self.slot_keys() else {
            return Vec::new();
        };
        let gathered = lock(&self.gathered);
        let slots = gathered.slots(&slots);
        gathered
            .sockets(&slots)
            .into_iter()
            .filter(SocketUse::is_awaiting)
            .collect()
    }

    /// Returns the container's cgroup directory, once it was seen.
    pub fn cgroup(&self) -> Option<PathBuf> {
        if let Some(path) = &self.attached {
            return Some(path.clone());
        }
        let state = self.state.get(&0, 0).ok()?;
        let path = state.path.split(|&b| b == 0).next().filter(|p| !p.is_empty())?;
        let path = std::str::from_utf8(path).ok()?;
        Some(self.mount.join(path.trim_start_matches('/')))
    }
}

/// Returns the number of system calls of this machine's native ABI that have a name.
pub fn known_syscalls() -> u32 {
    table::known()
}
