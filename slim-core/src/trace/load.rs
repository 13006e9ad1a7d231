//! Loading the program into the kernel.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use aya::maps::{Array, MapData};
use aya::programs::{self as probes, KProbe};
use aya::{Ebpf, EbpfLoader};
use slim_ebpf::{Config, Fixed, State};

use super::maps::{STATE, lock, map_error};
use super::{Error, Options, arch, btf, object, raw, table};
use crate::cgroup;
use crate::recording::Measured;

/// The tracepoints and the programs of the same names. The one that finds the container's cgroup is attached last, when all
/// the others are in place.
const TRACEPOINTS: &[&str] = &[
    "sys_exit",
    "sched_process_fork",
    "sched_process_exec",
    "sched_process_exit",
    CAPABLE,
    "cgroup_mkdir",
];

/// The program that is run once, before the others.
const FIND_HOST: &str = "find_host";

/// The tracepoint of capability checks, which kernels before 6.14 do not have.
const CAPABLE: &str = "cap_capable";

/// The kprobe that stands in for [`CAPABLE`] there, if the kernel has kprobes.
const CAPABLE_ENTRY: &str = "cap_capable_entry";

/// The program, in the kernel and attached to nothing yet: what takes longest of [`Tracer::start`](super::Tracer::start), and
/// can be done before it is known what to watch.
pub struct Loaded {
    pub(super) ebpf: Ebpf,
    /// The mount point of cgroup2.
    pub(super) mount: PathBuf,
    /// Number of rows of call counts per slot.
    pub(super) shards: u32,
    /// Number of slots.
    pub(super) slots: u32,
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
    /// See [`Error`]; [`Error::cannot_trace`] is true of a machine that cannot.
    pub fn new(options: Options) -> Result<Self, Error> {
        if !is_initial_pid_namespace() {
            return Err(Error::PidNamespace);
        }
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
}

/// Returns whether this process is in the host's pid namespace, whose process ids the kernel's events carry. Where `/proc`
/// is not readable it is taken for that one.
///
/// Source: `PROC_PID_INIT_INO` in include/linux/proc_ns.h.
pub(super) fn is_initial_pid_namespace() -> bool {
    const INITIAL: u64 = 0xefff_fffc;
    std::fs::metadata("/proc/self/ns/pid").map_or(true, |namespace| namespace.ino() == INITIAL)
}

/// The loader of all tracers. To make one reads all of the kernel's types into memory, of which the object needs none, so
/// it is made once and at the very beginning, when little else is in memory.
static LOADER: LazyLock<Mutex<EbpfLoader<'static>>> = LazyLock::new(|| {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    Mutex::new(loader)
});

/// Loads the object with its sizes and with the offsets of the running kernel's types. Returns it with the types by which
/// its programs are loaded; nothing is attached yet.
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
        .map_err(|error| rejected("types", &error))?;
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
            single_writer: u32::from(cpus <= shards as usize),
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
    object::fix(&mut object, &fixed).map_err(|error| rejected("object", &error))?;
    let ring = options.ring_bytes.clamp(4096, 1 << 30).next_power_of_two();
    // The loader keeps a reference to it, and lives as long as this process: 16 bytes for each tracer.
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
        .map_max_entries("SEEN", entries)
        .map_max_entries("RING", ring);
    let ebpf = loader.load(&object).map_err(|error| rejected("maps", &error))?;
    drop(loader);
    let loaded = Loaded {
        ebpf,
        mount,
        shards,
        slots,
    };
    Ok((loaded, types))
}

/// Returns the error for a part of the object that the kernel or aya rejected, with all of its causes.
fn rejected(what: &str, error: &dyn std::error::Error) -> Error {
    // The verifier's log is long; its end has the objection.
    fn shortened(text: &str) -> String {
        let lines: Vec<_> = text.lines().collect();
        match lines.as_slice() {
            [first, .., _] if lines.len() > 24 => {
                let first: String = first.chars().take(160).collect();
                format!("{first} … {}", lines[lines.len() - 20..].join("\n"))
            }
            _ => text.to_owned(),
        }
    }
    let mut reason = shortened(&error.to_string());
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason.push_str(": ");
        reason.push_str(&shortened(&inner.to_string()));
        cause = inner.source();
    }
    Error::Rejected {
        what: what.to_owned(),
        reason,
    }
}

/// Returns a program of the object.
fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut probes::Program, Error> {
    ebpf.program_mut(name)
        .ok_or_else(|| unfit(name, "the object has no such program"))
}

/// Returns the error for an object that is not slim's.
fn unfit(program: &str, reason: &str) -> Error {
    Error::Rejected {
        what: program.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Loads a program into the kernel. A typed one is named after its tracepoint; a raw one gets it when it is attached.
fn load_program(ebpf: &mut Ebpf, name: &str, types: &aya::Btf) -> Result<(), Error> {
    match program(ebpf, name)? {
        probes::Program::RawTracePoint(raw) => raw.load(),
        probes::Program::BtfTracePoint(typed) => typed.load(name, types),
        _ => return Err(unfit(name, "it is not for a tracepoint")),
    }
    .map_err(|error| rejected(name, &error))
}

/// Attaches a program that was loaded.
fn attach(ebpf: &mut Ebpf, name: &str, tracepoint: &str) -> Result<(), Error> {
    match program(ebpf, name)? {
        probes::Program::RawTracePoint(raw) => raw.attach(tracepoint).map(drop),
        probes::Program::BtfTracePoint(typed) => typed.attach().map(drop),
        _ => return Err(unfit(name, "it is not for a tracepoint")),
    }
    .map_err(|error| rejected(name, &error))
}

/// The source of capability checks that a kernel has.
pub(super) enum CapabilityProbe {
    /// The tracepoint.
    Tracepoint,
    /// A kprobe on the function's entry.
    Kprobe,
    /// Neither, and the reason why the tracepoint is not.
    Missing(Error),
}

impl CapabilityProbe {
    /// Returns whether a recording with this source has capabilities.
    pub(super) fn measured(&self) -> Measured {
        match self {
            Self::Tracepoint | Self::Kprobe => Measured::Measured,
            Self::Missing(_) => Measured::NotMeasured,
        }
    }
}

/// Attaches every program but [`FIND_HOST`]'s.
pub(super) fn attach_all(ebpf: &mut Ebpf) -> Result<CapabilityProbe, Error> {
    let mut probe = CapabilityProbe::Tracepoint;
    for &name in TRACEPOINTS {
        match attach(ebpf, name, name) {
            Ok(()) => {}
            Err(_) if name == CAPABLE && attach_capable_entry(ebpf) => probe = CapabilityProbe::Kprobe,
            Err(error) if name == CAPABLE => probe = CapabilityProbe::Missing(error),
            Err(error) => return Err(error),
        }
    }
    Ok(probe)
}

/// Attaches to the function of capability checks, where their tracepoint is missing, and returns whether that is possible.
fn attach_capable_entry(ebpf: &mut Ebpf) -> bool {
    ebpf.program_mut(CAPABLE_ENTRY)
        .and_then(|program| <&mut KProbe>::try_from(program).ok())
        .is_some_and(|probe| probe.load().and_then(|()| probe.attach(CAPABLE, 0)).is_ok())
}

/// Unloads every program that [`attach_all`] attached, and returns how often one was skipped because it was running.
pub(super) fn detach_all(ebpf: &mut Ebpf) -> Result<u64, Error> {
    let mut recursion = 0;
    for &name in TRACEPOINTS {
        let Some(program) = ebpf.program_mut(name) else {
            continue;
        };
        if let Ok(fd) = program.fd() {
            recursion += raw::recursion_misses(fd.as_fd()).map_err(|error| Error::Map {
                map: "program info",
                reason: error.to_string(),
            })?;
            unload(program);
        }
    }
    if let Some(program) = ebpf.program_mut(CAPABLE_ENTRY)
        && let Ok(program) = <&mut KProbe>::try_from(program)
        && program.fd().is_ok()
    {
        let _ = program.unload();
    }
    Ok(recursion)
}

/// Unloads a tracepoint's program. One that is not loaded needs nothing.
fn unload(program: &mut probes::Program) {
    let _ = match program {
        probes::Program::RawTracePoint(raw) => raw.unload(),
        probes::Program::BtfTracePoint(typed) => typed.unload(),
        _ => Ok(()),
    };
}

/// Lets the program see the root directory of process 1, through a system call of this process.
pub(super) fn find_host(ebpf: &mut Ebpf, state: &Array<MapData, State>) -> Result<(), Error> {
    attach(ebpf, FIND_HOST, "sys_exit")?;
    let _ = nix::unistd::getppid();
    let found = state.get(&0, 0).map_err(map_error(STATE))?.host != 0;
    unload(program(ebpf, FIND_HOST)?);
    if found {
        Ok(())
    } else {
        Err(Error::ProgramDidNotRun)
    }
}

/// Returns a random key for the program's hashes.
fn seed() -> Result<[u64; 2], Error> {
    use std::io::Read;
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Error::Reader(format!("/dev/urandom: {error}")))?;
    Ok(zerocopy::transmute!(bytes))
}
