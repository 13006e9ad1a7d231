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
//!   names it after the container's id. Every task in it and below it is looked at from its first instruction there.
//! - A task is the runtime's until it executes a file in the container's mounts with another root directory than the
//!   host's; from then on it is the application's, and so is what it forks.
//! - Offsets of kernel structures come from the running kernel's BTF.
//!
//! # Kernel
//!
//! 6.1 or later with BTF (`/sys/kernel/btf/vmlinux`) and a mounted cgroup2, as root (or with CAP_BPF, CAP_PERFMON and
//! CAP_SYS_PTRACE). Older ones miss helpers in tracing programs (`bpf_get_current_ancestor_cgroup_id` 5.14, `bpf_loop`
//! 5.17) and are refused by the verifier, which [`check`] and [`Tracer::start`] then say.
//!
//! # Another object
//!
//! The compiled program is part of this library. `SLIM_EBPF_OBJECT=FILE` loads another one instead: a rebuilt one, to
//! run the tests on it.

mod arch;
mod attached;
mod btf;
mod cgroup;
mod gather;
mod object;
mod raw;
mod sockets;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aya::maps::{Array, HashMap, MapData, RingBuf};
use aya::programs::{self as probes, KProbe};
use aya::{Ebpf, EbpfLoader};
use slim_ebpf::{
    ArgumentKey, CapabilityKey, Config, Control, Counts, Fixed, ID, Rare, RareKey, SlotKey, State, Task,
    actor,
};

pub use attached::{given, programs};
pub use btf::BtfError;
pub use cgroup::of_container;

use crate::path::RootPath;
use crate::recording::{
    Abi, Actor, Alarm, ArgumentUse, ArgumentValue, CapabilityUse, Failure, FileUse, Losses, Measured, Peaks,
    Phase, PhaseMark, Process, Program, SocketAction, SocketUse, SyscallUse, deciding_arguments,
};
use gather::{Gathered, Slot};
use table::Row;

/// Sizes. A recording with losses says which one to raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size of the ring buffer in bytes; rounded up to a power of two of pages.
    pub ring_bytes: u32,
    /// How many distinct records (file uses, sockets) fit; other maps are sized after it.
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

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The container with this full id (64 digits), whose cgroup is not made yet.
    Container(String),
    /// A cgroup2 directory that exists: its tasks count as the application's, which serves already.
    Cgroup(PathBuf),
}

impl Scope {
    /// The phase in which watching it begins.
    fn first_phase(&self) -> Phase {
        match self {
            Self::Container(_) => Phase::StartUp,
            Self::Cgroup(_) => Phase::Serving,
        }
    }
}

/// Why tracing is not possible or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel publishes no type information.
    #[error(
        "{}: {source}; a kernel built with CONFIG_DEBUG_INFO_BTF is needed",
        btf::VMLINUX
    )]
    NoBtf {
        /// What the system said.
        source: std::io::Error,
    },
    /// The kernel's structures are not as needed.
    #[error("{0}; slim supports Linux 6.1 and later")]
    Btf(#[from] BtfError),
    /// There is no cgroup2.
    #[error("no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified")]
    NoCgroup2,
    /// The object of `SLIM_EBPF_OBJECT` could not be read.
    #[error("{}: {source} (named by SLIM_EBPF_OBJECT)", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The kernel refused to load maps or the program.
    #[error(
        "the kernel refused the eBPF program ({what}): {reason}; run as root (or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE) on Linux 6.1 or later"
    )]
    Refused {
        /// What was refused.
        what: String,
        /// What it said.
        reason: String,
    },
    /// The host's root directory was not found.
    #[error("the eBPF program loaded but did not run; slim's own root directory was not seen")]
    Silent,
    /// The id is not an engine's full id.
    #[error("{0:?} is not a full container id (64 hexadecimal digits)")]
    NotAnId(String),
    /// The directory is not a cgroup2 directory.
    #[error("{}: not a directory below the cgroup2 mount {}", path.display(), mount.display())]
    NotACgroup {
        /// The directory.
        path: PathBuf,
        /// The mount.
        mount: PathBuf,
    },
    /// A map could not be read or written.
    #[error("reading the eBPF map {map}: {reason}")]
    Map {
        /// Its name.
        map: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// Program and user side do not fit together.
    #[error("{0} records of the eBPF program were not understood: the loaded object is not of this version")]
    Strange(u64),
    /// The thread that reads the ring buffer failed.
    #[error("the reader of the ring buffer failed: {0}")]
    Reader(String),
}

impl Error {
    /// Whether this machine cannot trace at all (exit code 5), rather than something having gone wrong this time.
    pub fn cannot_trace(&self) -> bool {
        matches!(
            self,
            Self::NoBtf { .. } | Self::Btf(_) | Self::NoCgroup2 | Self::Refused { .. } | Self::Silent
        )
    }
}

/// One thing that tracing needs, and whether this machine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Whether tracing does without it.
    pub optional: bool,
    /// What was found, or what is wrong.
    pub found: String,
    /// What to do about it; empty if nothing.
    pub remedy: String,
}

/// What a container did.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// System calls.
    pub syscalls: Vec<SyscallUse>,
    /// What those of them were asked for that can do very different things.
    pub arguments: Vec<ArgumentUse>,
    /// Files.
    pub files: Vec<FileUse>,
    /// Capabilities that were asked for.
    pub capabilities: Vec<CapabilityUse>,
    /// Whether they could be measured.
    pub capabilities_measured: Measured,
    /// Sockets.
    pub sockets: Vec<SocketUse>,
    /// Executed programs.
    pub programs: Vec<Program>,
    /// The process tree.
    pub processes: Vec<Process>,
    /// What this recording cannot see into.
    pub alarms: BTreeSet<Alarm>,
    /// What was lost.
    pub losses: Losses,
    /// When each phase began, since [`Tracer::start`].
    pub phases: Vec<PhaseMark>,
    /// Resource peaks, as far as the tracer knows them.
    pub peaks: Peaks,
    /// `net.ipv4.ip_unprivileged_port_start` in the container's network.
    pub unprivileged_port_start: Option<u16>,
}

/// A call of one program in one phase: ABI, number, phase, actor and program.
type CallKey = (Abi, u32, Phase, Actor, Option<RootPath>);

/// Where a call's row stands in the program's tables.
fn row_of(abi: u32, number: u32) -> usize {
    number as usize
        + if abi == slim_ebpf::abi::COMPAT {
            slim_ebpf::NUMBERS
        } else {
            0
        }
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
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<Result<(), String>>>,
}

/// The program's variables, as maps of one value.
const CONTROL: &str = ".data.control";
const STATE: &str = ".data.state";
const CALLS: &str = ".data.calls";

/// The tracepoints and their programs; the container's cgroup is looked for last, when everything else is in place.
const TRACEPOINTS: &[&str] = &[
    "sys_exit",
    "sched_process_fork",
    "sched_process_exec",
    "sched_process_exit",
    "cap_capable",
    "cgroup_mkdir",
];

/// The program that is run once, before the others.
const FIND_HOST: &str = "find_host";

/// A tracepoint that older kernels do not have.
const CAPABLE: &str = "cap_capable";

/// What stands in for it there, if the kernel has kprobes.
const CAPABLE_ENTRY: &str = "cap_capable_entry";

/// The program, in the kernel and attached to nothing yet: what takes longest of [`Tracer::start`], which can be done
/// before it is known what to watch.
pub struct Loaded {
    ebpf: Ebpf,
    mount: PathBuf,
    shards: u32,
    slots: u32,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// Loads the program.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::cannot_trace`] tells a machine that cannot.
    pub fn new(options: Options) -> Result<Self, Error> {
        let mount = cgroup::mount().ok_or(Error::NoCgroup2)?;
        let (mut loaded, types) = load(options, mount)?;
        for name in TRACEPOINTS.iter().copied().chain([FIND_HOST]) {
            match load_program(&mut loaded.ebpf, name, &types) {
                // A kernel without it shows when it is attached.
                Err(_) if name == CAPABLE => {}
                other => other?,
            }
        }
        Ok(loaded)
    }

    /// Attaches it. For [`Scope::Container`], call it before the engine's `start`.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub fn watch(self, scope: Scope) -> Result<Tracer, Error> {
        let id = match &scope {
            Scope::Container(id) => container_id(id)?,
            Scope::Cgroup(_) => [0; ID],
        };
        let Self {
            mut ebpf,
            mount,
            shards,
            slots,
        } = self;

        let rows = table::by_number();
        let mut calls = [slim_ebpf::Call::nothing(); 2 * slim_ebpf::NUMBERS];
        for (call, row) in calls.iter_mut().zip(&rows) {
            if let Some(row) = row {
                *call = row.call;
            }
        }
        let mut map: Array<&mut MapData, slim_ebpf::Calls> = borrow_mut(&mut ebpf, CALLS)?;
        map.set(0, calls, 0).map_err(map_error(CALLS))?;
        let mut control: Array<MapData, Control> = take(&mut ebpf, CONTROL)?;
        let mut state: Array<MapData, State> = take(&mut ebpf, STATE)?;
        let mut initial = State::nothing();
        let mut attached = None;
        if let Scope::Cgroup(path) = &scope {
            let (path, number, level) = existing(path, &mount)?;
            (initial.cgroup, initial.level) = (number, level);
            attached = Some(path);
        }
        state.set(0, initial, 0).map_err(map_error(STATE))?;
        find_host(&mut ebpf, &state)?;
        let wanted = u32::from(matches!(scope, Scope::Container(_)));
        let phase = scope.first_phase();
        control
            .set(
                0,
                Control {
                    phase: gather::phase_number(phase),
                    wanted,
                    id,
                    epoch: 0,
                    unused: 0,
                },
                0,
            )
            .map_err(map_error(CONTROL))?;

        let mut gathered = Gathered::default();
        if let Some(path) = &attached {
            let existing = attached::existing(path);
            let programs = gathered.seed(&existing);
            initial.programs += programs.len() as u32;
            state
                .set(
                    0,
                    State {
                        host: state.get(&0, 0).map_err(map_error(STATE))?.host,
                        ..initial
                    },
                    0,
                )
                .map_err(map_error(STATE))?;
            enter(&mut ebpf, &existing, &programs)?;
        }

        let ring: RingBuf<MapData> = take(&mut ebpf, "RING")?;
        let gathered = Arc::new(Mutex::new(gathered));
        let stop = Arc::new(AtomicBool::new(false));
        let reader = std::thread::Builder::new()
            .name("slim-ring".into())
            .spawn({
                let (gathered, stop) = (gathered.clone(), stop.clone());
                move || read_ring(ring, &rows, &gathered, &stop)
            })
            .map_err(|error| Error::Reader(error.to_string()))?;

        let mut capabilities = Measured::Measured;
        for &name in TRACEPOINTS {
            match attach(&mut ebpf, name, name) {
                Ok(()) => {}
                Err(_) if name == CAPABLE => capabilities = attach_capable_entry(&mut ebpf),
                Err(error) => return Err(error),
            }
        }
        if let Some(path) = &attached {
            // Threads that were made between the first look and the attaching.
            let existing = attached::existing(path);
            let programs = lock(&gathered).seed(&existing);
            enter(&mut ebpf, &existing, &programs)?;
            new_epoch(&mut control, |_| {})?;
        }
        Ok(Tracer {
            ebpf,
            control: Mutex::new(control),
            state,
            shards,
            slots,
            capabilities,
            attached,
            mount,
            started: Instant::now(),
            phases: Mutex::new(vec![PhaseMark { phase, at_ms: 0 }]),
            gathered,
            stop,
            reader: Some(reader),
        })
    }
}

impl Tracer {
    /// Loads and attaches the program. For [`Scope::Container`], call it before the engine's `start`.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::cannot_trace`] tells a machine that cannot.
    pub fn start(scope: Scope, options: Options) -> Result<Self, Error> {
        Loaded::new(options)?.watch(scope)
    }

    /// Whether the container's cgroup was seen. If not, after the engine's `start`: the engine runs on another kernel.
    pub fn scoped(&self) -> bool {
        self.state.get(&0, 0).is_ok_and(|state| state.cgroup != 0)
    }

    /// Whether a program of the application was executed.
    pub fn app_started(&self) -> bool {
        self.state.get(&0, 0).is_ok_and(|state| state.app != 0)
    }

    /// Whether a process is left in the container's cgroup.
    pub fn populated(&self) -> bool {
        self.cgroup().is_some_and(|path| cgroup::populated(&path))
    }

    /// Says that a phase begins.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn mark(&self, phase: Phase) -> Result<(), Error> {
        new_epoch(&mut lock(&self.control), |control| {
            control.phase = gather::phase_number(phase)
        })?;
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        lock(&self.phases).push(PhaseMark { phase, at_ms });
        Ok(())
    }

    /// What the application listens on by now (UDP: is bound to).
    pub fn listening(&self) -> Vec<SocketUse> {
        let Ok(slots) = self.slot_keys() else {
            return Vec::new();
        };
        let gathered = lock(&self.gathered);
        let slots = gathered.slots(&slots);
        gathered
            .sockets(&slots)
            .into_iter()
            .filter(|socket| {
                socket.actor == Actor::App
                    && (socket.action == SocketAction::Listen
                        || (socket.action == SocketAction::Bind && socket.kind == "dgram"))
            })
            .collect()
    }

    fn slot_keys(&self) -> Result<Vec<(SlotKey, u32)>, Error> {
        let map: HashMap<&MapData, SlotKey, u32> = borrow(&self.ebpf, "SLOTS")?;
        entries(&map, "SLOTS")
    }

    /// The container's cgroup directory, once it was seen.
    pub fn cgroup(&self) -> Option<PathBuf> {
        if let Some(path) = &self.attached {
            return Some(path.clone());
        }
        let state = self.state.get(&0, 0).ok()?;
        let path = state.path.split(|&b| b == 0).next().filter(|p| !p.is_empty())?;
        let path = std::str::from_utf8(path).ok()?;
        Some(self.mount.join(path.trim_start_matches('/')))
    }

    /// Detaches, drains everything, and adds it up. Call it after the container has ended; of one that goes on running,
    /// the calls that its threads are blocked in are read from `/proc`.
    ///
    /// # Errors
    /// [`Error::Map`], [`Error::Reader`], [`Error::Strange`].
    pub fn finish(mut self) -> Result<Observed, Error> {
        let cgroup = self.cgroup();
        if let (Some(cgroup), None) = (&cgroup, &self.attached) {
            // The engine says that a container has ended when its first process has; the others are on their way.
            let deadline = Instant::now() + Duration::from_secs(1);
            while cgroup::populated(cgroup) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let tasks: std::collections::HashMap<u32, Task> = {
            let map: HashMap<&MapData, u32, Task> = borrow(&self.ebpf, "TASKS")?;
            entries(&map, "TASKS")?.into_iter().collect()
        };
        let blocked: Vec<(Task, u32)> = cgroup
            .iter()
            .flat_map(|path| cgroup::threads(path))
            .filter_map(|(pid, thread)| Some((*tasks.get(&thread)?, cgroup::blocked(pid, thread)?)))
            .collect();

        let mut losses = self.detach()?;
        self.stop.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            reader
                .join()
                .map_err(|_| Error::Reader("it panicked".into()))?
                .map_err(Error::Reader)?;
        }
        let state = self.state.get(&0, 0).map_err(map_error(STATE))?;
        losses.ring = state.lost.ring;
        losses.map = state.lost.map;
        losses.string = state.lost.string;
        losses.deep_path = state.lost.deep;

        let keys = self.slot_keys()?;
        let gathered = std::mem::take(&mut *lock(&self.gathered));
        if gathered.strange != 0 {
            return Err(Error::Strange(gathered.strange));
        }
        let slots = gathered.slots(&keys);
        let phase = lock(&self.phases)
            .last()
            .map_or(Phase::StartUp, |mark| mark.phase);
        let blocked: Vec<_> = blocked
            .into_iter()
            .map(|(task, number)| (gathered.slot(task.program, phase, task.actor), number))
            .collect();
        let syscalls = self.syscalls(&slots, &blocked, gathered.first_paths(&slots))?;
        let arguments = self.arguments(&slots)?;
        let alarms = alarms(&syscalls);
        let capabilities = self.capabilities(&slots)?;
        let mounts = gathered.mounts();
        let phases = std::mem::take(&mut *lock(&self.phases));
        Ok(Observed {
            alarms,
            capabilities,
            capabilities_measured: self.capabilities,
            files: gathered.files(&slots, |path| !mounts.iter().any(|mount| path.starts_with(mount))),
            sockets: gathered.sockets(&slots),
            programs: gathered.executed(),
            processes: gathered.processes(),
            syscalls,
            arguments,
            losses,
            phases,
            peaks: Peaks::default(),
            unprivileged_port_start: state
                .unprivileged_port_start
                .checked_sub(1)
                .and_then(|port| u16::try_from(port).ok()),
        })
    }

    /// Unloads every program, and says how often one was skipped because it was running.
    fn detach(&mut self) -> Result<Losses, Error> {
        let mut losses = Losses::default();
        for &name in TRACEPOINTS {
            let Some(program) = self.ebpf.program_mut(name) else {
                continue;
            };
            if let Ok(fd) = program.fd() {
                losses.recursion += raw::recursion_misses(fd.as_fd()).map_err(|error| Error::Map {
                    map: "program info",
                    reason: error.to_string(),
                })?;
                unload(program);
            }
        }
        if let Some(program) = self.ebpf.program_mut(CAPABLE_ENTRY)
            && let Ok(program) = <&mut KProbe>::try_from(program)
            && program.fd().is_ok()
        {
            let _ = program.unload();
        }
        Ok(losses)
    }

    fn syscalls(
        &self,
        slots: &std::collections::HashMap<u32, Slot>,
        blocked: &[(Slot, u32)],
        mut first_paths: BTreeMap<CallKey, RootPath>,
    ) -> Result<Vec<SyscallUse>, Error> {
        let mut uses = BTreeMap::<CallKey, (u64, u64, Option<Failure>)>::new();
        let unknown = Slot {
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
        };
        let key = |slot: u32, abi: Abi, number: u32| -> CallKey {
            let slot = slots.get(&slot).unwrap_or(&unknown);
            (abi, number, slot.phase, slot.actor, slot.program.clone())
        };
        let counts: Array<&MapData, Counts> = borrow(&self.ebpf, "COUNTS")?;
        let used = self
            .state
            .get(&0, 0)
            .map_err(map_error(STATE))?
            .slots
            .min(self.slots);
        for slot in 0..used {
            for shard in 0..self.shards {
                let row = counts
                    .get(&(slot * self.shards + shard), 0)
                    .map_err(map_error("COUNTS"))?;
                for (number, &count) in (0u32..).zip(&row) {
                    if count != 0 {
                        uses.entry(key(slot, Abi::Native, number)).or_default().0 += count;
                    }
                }
            }
        }
        let rare: HashMap<&MapData, RareKey, Rare> = borrow(&self.ebpf, "RARE")?;
        let mut rare = entries(&rare, "RARE")?;
        rare.sort_by_key(|(key, _)| *key);
        for (rare_key, rare) in rare {
            let abi = table::abi_of(rare_key.abi);
            let entry = uses.entry(key(rare_key.slot, abi, rare_key.number)).or_default();
            entry.0 += rare.count;
            entry.1 += rare.failed;
            if rare.failed != 0 && entry.2.is_none() {
                entry.2 = Some(Failure {
                    errno: u16::try_from(rare.errno).unwrap_or(u16::MAX),
                    args: rare.args,
                });
            }
        }
        for (slot, number) in blocked {
            let key = (Abi::Native, *number, slot.phase, slot.actor, slot.program.clone());
            uses.entry(key).or_default().0 += 1;
        }
        Ok(uses
            .into_iter()
            .map(|(key, (count, failed, first_failure))| {
                let first_path = first_paths.remove(&key);
                let (abi, number, phase, actor, program) = key;
                SyscallUse {
                    abi,
                    number,
                    name: table::name(abi, number),
                    phase,
                    actor,
                    program,
                    count,
                    failed,
                    first_failure,
                    first_path,
                }
            })
            .collect())
    }

    fn arguments(&self, slots: &std::collections::HashMap<u32, Slot>) -> Result<Vec<ArgumentUse>, Error> {
        let rows = table::by_number();
        let unbounded: Array<&MapData, u32> = borrow(&self.ebpf, "UNBOUNDED")?;
        let map: HashMap<&MapData, ArgumentKey, u64> = borrow(&self.ebpf, "ARGUMENTS")?;
        let mut uses = BTreeMap::<_, u64>::new();
        for (key, count) in entries(&map, "ARGUMENTS")? {
            let (Some(slot), Some(Some(row))) = (slots.get(&key.slot), rows.get(row_of(key.abi, key.number)))
            else {
                continue;
            };
            let all_kept = unbounded
                .get(&(row_of(key.abi, key.number) as u32), 0)
                .map_err(map_error("UNBOUNDED"))?
                == 0;
            let values: Vec<ArgumentValue> = deciding_arguments(row.name)
                .iter()
                .zip([key.value, key.second])
                .filter(|_| all_kept)
                .map(|(&(index, mask), value)| ArgumentValue { index, mask, value })
                .collect();
            let use_of = (
                table::abi_of(key.abi),
                key.number,
                values,
                slot.phase,
                slot.actor,
                slot.program.clone(),
            );
            *uses.entry(use_of).or_default() += count;
        }
        Ok(uses
            .into_iter()
            .map(
                |((abi, number, values, phase, actor, program), count)| ArgumentUse {
                    abi,
                    name: table::name(abi, number),
                    values,
                    phase,
                    actor,
                    program,
                    count,
                },
            )
            .collect())
    }

    fn capabilities(
        &self,
        slots: &std::collections::HashMap<u32, Slot>,
    ) -> Result<Vec<CapabilityUse>, Error> {
        let map: HashMap<&MapData, CapabilityKey, u64> = borrow(&self.ebpf, "CAPABILITIES")?;
        let mut uses = BTreeMap::<_, u64>::new();
        for (key, count) in entries(&map, "CAPABILITIES")? {
            let Some(slot) = slots.get(&key.slot) else {
                continue;
            };
            let syscall = (key.number != u32::MAX).then(|| table::name(table::abi_of(key.abi), key.number));
            *uses
                .entry((
                    table::capability(key.capability),
                    key.granted != 0,
                    slot.phase,
                    slot.actor,
                    slot.program.clone(),
                    syscall,
                ))
                .or_default() += count;
        }
        Ok(uses
            .into_iter()
            .map(
                |((capability, granted, phase, actor, program, syscall), count)| CapabilityUse {
                    capability,
                    granted,
                    phase,
                    actor,
                    program,
                    syscall,
                    count,
                },
            )
            .collect())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            // It ends at its next look at the flag; what it gathered is not wanted any more.
            let _ = reader.join();
        }
    }
}

/// What this machine has of what tracing needs, for `slim doctor`.
pub fn check() -> Vec<Check> {
    let mut checks = Vec::new();
    let mut check = |name, optional, result: Result<String, (String, &str)>| {
        let (ok, found, remedy) = match result {
            Ok(found) => (true, found, String::new()),
            Err((found, remedy)) => (false, found, remedy.to_owned()),
        };
        checks.push(Check {
            name,
            ok,
            optional,
            found,
            remedy,
        });
    };
    let release = nix::sys::utsname::uname().map_or_else(
        |_| String::new(),
        |name| name.release().to_string_lossy().into_owned(),
    );
    let mut parts = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    check(
        "kernel",
        true,
        if version >= (6, 1) {
            Ok(release)
        } else {
            Err((release, "tested on Linux 6.1 and later: use a newer kernel"))
        },
    );
    check(
        "root",
        true,
        if nix::unistd::geteuid().is_root() {
            Ok("running as root".into())
        } else {
            Err((
                "not running as root".into(),
                "run slim with sudo, or give it CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE",
            ))
        },
    );
    check(
        "cgroup2",
        false,
        match cgroup::mount() {
            Some(path) => Ok(path.display().to_string()),
            None => Err((
                "not mounted".into(),
                "mount -t cgroup2 none /sys/fs/cgroup/unified",
            )),
        },
    );
    check(
        "BTF",
        false,
        match std::fs::read(btf::VMLINUX) {
            Err(error) => Err((error.to_string(), "use a kernel built with CONFIG_DEBUG_INFO_BTF")),
            Ok(bytes) => match btf::Btf::parse(&bytes).and_then(|btf| btf.offsets()) {
                Ok(_) => Ok(format!("{} members found", slim_ebpf::Offsets::MEMBERS.len())),
                Err(error) => Err((error.to_string(), "use Linux 6.1 or later")),
            },
        },
    );
    match Loaded::new(Options::default()) {
        Err(error) => check(
            "eBPF program",
            false,
            Err((error.to_string(), "run as root on Linux 6.1 or later")),
        ),
        Ok(mut loaded) => {
            let mut refused = None;
            let mut capable = Ok(format!("tracepoint {CAPABLE}"));
            for &name in TRACEPOINTS {
                match attach(&mut loaded.ebpf, name, name) {
                    Ok(()) => {}
                    Err(error) if name == CAPABLE => {
                        capable = match attach_capable_entry(&mut loaded.ebpf) {
                            Measured::Measured => Ok("kprobe on cap_capable".to_owned()),
                            Measured::NotMeasured => Err((
                                error.to_string(),
                                "Linux 6.14 has this tracepoint, and kprobes would do; without them the container's own \
                                 set of capabilities stands in",
                            )),
                        };
                    }
                    Err(error) => {
                        refused.get_or_insert(error.to_string());
                    }
                }
            }
            check(
                "eBPF program",
                false,
                match refused {
                    None => Ok("loads and attaches".into()),
                    Some(error) => Err((error, "run as root on Linux 6.1 or later")),
                },
            );
            check("capabilities", true, capable);
        }
    }
    checks
}

/// How many system calls the native ABI of this machine has names for.
pub fn known_syscalls() -> u32 {
    table::known()
}

/// The loader of all tracers. To make one reads all of the kernel's types into memory, of which the object needs none, so
/// it is made once and at the very beginning, when little else is in memory.
static LOADER: LazyLock<Mutex<EbpfLoader<'static>>> = LazyLock::new(|| {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    Mutex::new(loader)
});

/// Loads the object with sizes and the offsets that the types of the running kernel tell; nothing is attached yet. Also
/// tells the types by which its programs are loaded.
fn load(options: Options, mount: PathBuf) -> Result<(Loaded, aya::Btf), Error> {
    LazyLock::force(&LOADER);
    let kernel = std::fs::read(btf::VMLINUX).map_err(|source| Error::NoBtf { source })?;
    let btf = btf::Btf::parse(&kernel)?;
    let offsets = btf.offsets()?;
    let secureexec = btf
        .bit_offset("linux_binprm", "secureexec")
        .unwrap_or(slim_ebpf::ABSENT);
    let tracepoints = btf.tracepoints()?;
    drop(btf);
    drop(kernel);
    let types = aya::Btf::parse(&tracepoints, aya::Endianness::default())
        .map_err(|error| refused("types", &error))?;
    drop(tracepoints);

    // Counters are spread over CPUs so that they do not fight for one cache line.
    let cpus = aya::util::nr_cpus().unwrap_or(usize::MAX);
    let shards = cpus.min(8).next_power_of_two() as u32;
    let entries = options.map_entries.max(64);
    let slots = (entries / 128).clamp(16, 4096);
    let number = |name, abi| {
        table::number(name, abi)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(u32::MAX)
    };
    let native = |name| number(name, arch::NATIVE);
    let compat = |name| number(name, arch::COMPAT);
    let fixed = Fixed {
        offsets,
        config: Config {
            secureexec,
            shards: shards - 1,
            alone: u32::from(cpus <= shards as usize),
            slots,
            sigreturn: native("rt_sigreturn"),
            sigreturn32: compat("rt_sigreturn"),
            exit: native("exit"),
            exit_group: native("exit_group"),
            exit32: compat("exit"),
            exit_group32: compat("exit_group"),
            loader: std::process::id(),
        },
    };
    let mut object = match std::env::var_os("SLIM_EBPF_OBJECT") {
        None => slim_ebpf::OBJECT.to_vec(),
        Some(path) => {
            let path = PathBuf::from(path);
            std::fs::read(&path).map_err(|source| Error::Object { path, source })?
        }
    };
    object::fix(&mut object, &fixed).map_err(|error| refused("object", &error))?;
    let ring = options.ring_bytes.clamp(4096, 1 << 30).next_power_of_two();
    // What the loader is told must live as long as it does: 16 bytes for each tracer.
    let seed = &*Box::leak(Box::new(seed()?));
    let mut loader = lock(&LOADER);
    loader
        .override_global("SEED", seed, true)
        .map_max_entries("TASKS", (entries / 4).max(1024))
        .map_max_entries("PROGRAMS", (entries / 16).max(64))
        .map_max_entries("SLOTS", slots)
        .map_max_entries("COUNTS", slots * shards)
        .map_max_entries("RARE", (entries / 8).max(64))
        .map_max_entries("ARGUMENTS", (entries / 16).max(64))
        .map_max_entries("CAPABILITIES", (entries / 16).max(64))
        .map_max_entries("TOLD", entries)
        .map_max_entries("RING", ring);
    let ebpf = loader.load(&object).map_err(|error| refused("maps", &error))?;
    drop(loader);
    let loaded = Loaded {
        ebpf,
        mount,
        shards,
        slots,
    };
    Ok((loaded, types))
}

fn refused(what: &str, error: &dyn std::error::Error) -> Error {
    // The verifier's log is long; its end says what it objects to.
    fn ends(text: &str) -> String {
        let lines: Vec<_> = text.lines().collect();
        match lines.as_slice() {
            [first, .., _] if lines.len() > 24 => {
                let first: String = first.chars().take(160).collect();
                format!("{first} … {}", lines[lines.len() - 20..].join("\n"))
            }
            _ => text.to_owned(),
        }
    }
    let mut reason = ends(&error.to_string());
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason.push_str(": ");
        reason.push_str(&ends(&inner.to_string()));
        cause = inner.source();
    }
    Error::Refused {
        what: what.to_owned(),
        reason,
    }
}

/// A program of the object.
fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut probes::Program, Error> {
    ebpf.program_mut(name)
        .ok_or_else(|| unfit(name, "the object has no such program"))
}

fn unfit(program: &str, reason: &str) -> Error {
    Error::Refused {
        what: program.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Loads a program into the kernel. A typed one is named after its tracepoint; a raw one learns it when it is attached.
fn load_program(ebpf: &mut Ebpf, name: &str, types: &aya::Btf) -> Result<(), Error> {
    match program(ebpf, name)? {
        probes::Program::RawTracePoint(raw) => raw.load(),
        probes::Program::BtfTracePoint(typed) => typed.load(name, types),
        _ => return Err(unfit(name, "it is not for a tracepoint")),
    }
    .map_err(|error| refused(name, &error))
}

/// Attaches a program that was loaded.
fn attach(ebpf: &mut Ebpf, name: &str, tracepoint: &str) -> Result<(), Error> {
    match program(ebpf, name)? {
        probes::Program::RawTracePoint(raw) => raw.attach(tracepoint).map(drop),
        probes::Program::BtfTracePoint(typed) => typed.attach().map(drop),
        _ => return Err(unfit(name, "it is not for a tracepoint")),
    }
    .map_err(|error| refused(name, &error))
}

/// Takes a tracepoint's program out of the kernel. One that is not in it needs nothing.
fn unload(program: &mut probes::Program) {
    let _ = match program {
        probes::Program::RawTracePoint(raw) => raw.unload(),
        probes::Program::BtfTracePoint(typed) => typed.unload(),
        _ => Ok(()),
    };
}

/// Attaches to the function where its tracepoint is missing; whether capabilities are measured so.
fn attach_capable_entry(ebpf: &mut Ebpf) -> Measured {
    let attached = ebpf
        .program_mut(CAPABLE_ENTRY)
        .and_then(|program| <&mut KProbe>::try_from(program).ok())
        .is_some_and(|probe| probe.load().and_then(|()| probe.attach(CAPABLE, 0)).is_ok());
    if attached {
        Measured::Measured
    } else {
        Measured::NotMeasured
    }
}

/// Enters the threads of a container that runs already: they are the application's.
fn enter(
    ebpf: &mut Ebpf,
    existing: &[attached::Existing],
    programs: &BTreeMap<RootPath, u32>,
) -> Result<(), Error> {
    // Borrowed: a map taken out is closed at the end of its scope, and programs that are loaded later name it.
    let mut tasks: HashMap<&mut MapData, u32, Task> = borrow_mut(ebpf, "TASKS")?;
    for process in existing {
        let program = process.program.as_ref().and_then(|path| programs.get(path));
        for thread in &process.threads {
            if tasks.get(thread, 0).is_ok_and(|task| task.actor == actor::APP) {
                continue;
            }
            let task = Task {
                slot: 0,
                phase: slim_ebpf::NO_PHASE,
                actor: actor::APP,
                program: program.copied().unwrap_or(0),
            };
            tasks.insert(thread, task, 0).map_err(map_error("TASKS"))?;
        }
    }
    Ok(())
}

/// Changes what the program is told, and makes it look tasks up anew.
fn new_epoch(map: &mut Array<MapData, Control>, change: impl FnOnce(&mut Control)) -> Result<(), Error> {
    let mut control = map.get(&0, 0).map_err(map_error(CONTROL))?;
    change(&mut control);
    control.epoch = control.epoch.wrapping_add(1);
    map.set(0, control, 0).map_err(map_error(CONTROL))
}

/// Lets the program see the root directory of process 1, through a call of this process.
fn find_host(ebpf: &mut Ebpf, state: &Array<MapData, State>) -> Result<(), Error> {
    attach(ebpf, FIND_HOST, "sys_exit")?;
    let _ = nix::unistd::getppid();
    let found = state.get(&0, 0).map_err(map_error(STATE))?.host != 0;
    unload(program(ebpf, FIND_HOST)?);
    if found { Ok(()) } else { Err(Error::Silent) }
}

fn container_id(id: &str) -> Result<[u8; ID], Error> {
    id.as_bytes()
        .try_into()
        .ok()
        .filter(|id: &[u8; ID]| id.iter().all(u8::is_ascii_hexdigit))
        .ok_or_else(|| Error::NotAnId(id.to_owned()))
}

/// An existing cgroup's directory, number and depth.
fn existing(path: &Path, mount: &Path) -> Result<(PathBuf, u64, u32), Error> {
    let not = || Error::NotACgroup {
        path: path.to_owned(),
        mount: mount.to_owned(),
    };
    let path = path.canonicalize().map_err(|_| not())?;
    let inner = path.strip_prefix(mount).map_err(|_| not())?;
    let metadata = path.metadata().map_err(|_| not())?;
    let level = u32::try_from(inner.components().count()).map_err(|_| not())?;
    // The root holds whatever is in no other, slim among it.
    if level == 0 || !path.join("cgroup.procs").exists() {
        return Err(not());
    }
    Ok((path.clone(), metadata.ino(), level))
}

fn seed() -> Result<[u64; 2], Error> {
    use std::io::Read;
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Error::Reader(format!("/dev/urandom: {error}")))?;
    Ok(zerocopy::transmute!(bytes))
}

fn map_error<E: std::fmt::Display>(map: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::Map {
        map,
        reason: error.to_string(),
    }
}

fn take<T: TryFrom<aya::maps::Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, Error> {
    ebpf.take_map(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or_else(|| Error::Map {
            map: name,
            reason: "the object has no such map".into(),
        })
}

fn borrow_mut<'a, T: TryFrom<&'a mut aya::maps::Map>>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<T, Error> {
    ebpf.map_mut(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or_else(|| Error::Map {
            map: name,
            reason: "the object has no such map".into(),
        })
}

fn borrow<'a, T: TryFrom<&'a aya::maps::Map>>(ebpf: &'a Ebpf, name: &'static str) -> Result<T, Error> {
    ebpf.map(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or_else(|| Error::Map {
            map: name,
            reason: "the object has no such map".into(),
        })
}

fn entries<K: aya::Pod, V: aya::Pod>(
    map: &HashMap<&MapData, K, V>,
    name: &'static str,
) -> Result<Vec<(K, V)>, Error> {
    map.iter().collect::<Result<_, _>>().map_err(map_error(name))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A reader that panicked left whole records only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes records until told to stop, and then what is left.
fn read_ring(
    mut ring: RingBuf<MapData>,
    rows: &[Option<&'static Row>],
    gathered: &Mutex<Gathered>,
    stop: &AtomicBool,
) -> Result<(), String> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    loop {
        // Looked at before draining: what was told before the stop is still taken.
        let last = stop.load(Ordering::Acquire);
        {
            let mut gathered = lock(gathered);
            while let Some(record) = ring.next() {
                gathered.take(&record, rows);
            }
        }
        if last {
            return Ok(());
        }
        let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(50u8)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// What the calls say that a recording cannot see into.
fn alarms(syscalls: &[SyscallUse]) -> BTreeSet<Alarm> {
    syscalls
        .iter()
        .filter(|call| call.actor == Actor::App && call.count > call.failed)
        .filter_map(|call| match call.name.as_str() {
            "io_uring_setup" => Some(Alarm::IoUring {
                program: call.program.clone(),
            }),
            "open_by_handle_at" => Some(Alarm::FileHandle {
                program: call.program.clone(),
            }),
            _ => None,
        })
        .collect()
}
