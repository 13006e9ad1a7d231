//! One observed execution of an image.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Exchange;
use crate::digest::Digest;
use crate::path::{RawPath, RootPath};
use crate::spec::ContainerSpec;

/// One observed execution: the acts of the container's tasks, their bounds, and the container's end.
///
/// Every list is sorted and free of duplicates, so that equal runs have equal ids.
///
/// A run's id is the digest of its JSON. So a new field, here or below, has a default and is left out of the JSON where it
/// has that (`#[serde(default, skip_serializing_if = …)]`): recordings that lack it keep their ids. An older slim refuses a
/// recording that has it, so the version of the format stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The digest of the image's config.
    pub image: Digest,
    /// The image as the user named it.
    pub reference: String,
    /// The purpose of this run.
    pub purpose: Purpose,
    /// The round of verification that found it, from 1; none for other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// Start of the container, or of an attached run's recording, in seconds since 1970-01-01 UTC.
    pub started: u64,
    /// From then to the container's end (or to the end of recording), in milliseconds.
    pub duration_ms: u64,
    /// The machine.
    pub host: HostFacts,
    /// The engine.
    pub engine: EngineFacts,
    /// The low-level runtime.
    pub runtime: RuntimeFacts,
    /// The bounds of the container.
    pub container: ContainerFacts,
    /// The acts of the container's tasks.
    #[serde(flatten)]
    pub observed: Observed,
    /// The probe's requests and their answers.
    pub exchanges: Vec<Exchange>,
    /// The container's end.
    pub outcome: Outcome,
}

/// The acts of the container's tasks, as the tracer observed them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// The beginnings of the phases, in order.
    pub phases: Vec<PhaseMark>,
    /// System calls.
    pub syscalls: Vec<SyscallUse>,
    /// The arguments of those of [`Observed::syscalls`] that can do very different things; none in recordings of a slim that
    /// did not record them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<ArgumentUse>>,
    /// Files.
    pub files: Vec<FileUse>,
    /// Capabilities that the kernel checked.
    pub capabilities: Vec<CapabilityUse>,
    /// The availability of [`Observed::capabilities`] on this kernel.
    pub capabilities_measured: Measured,
    /// Sockets that were made, listened on and connected.
    pub sockets: Vec<SocketUse>,
    /// Executed programs.
    pub programs: Vec<Program>,
    /// The process tree.
    pub processes: Vec<Process>,
    /// Uses of interfaces that this recording cannot see into.
    pub alarms: BTreeSet<Alarm>,
    /// Numbers of things that the kernel had and slim did not get.
    pub losses: Losses,
    /// Resource peaks.
    pub peaks: Peaks,
}

/// A run is read as what was observed in it.
impl Deref for Run {
    type Target = Observed;

    fn deref(&self) -> &Observed {
        &self.observed
    }
}

impl DerefMut for Run {
    fn deref_mut(&mut self) -> &mut Observed {
        &mut self.observed
    }
}

impl Run {
    /// Returns a recorded run of which nothing is known but its image.
    pub fn new(image: Digest, reference: &str) -> Self {
        Self {
            image,
            reference: reference.to_owned(),
            purpose: Purpose::Recorded,
            round: None,
            started: 0,
            duration_ms: 0,
            host: HostFacts::default(),
            engine: EngineFacts::default(),
            runtime: RuntimeFacts::default(),
            container: ContainerFacts::default(),
            observed: Observed::default(),
            exchanges: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// Returns the digest of the run's canonical (compact) JSON: its id in a recording, and no proof of origin.
    pub fn id(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("a run's maps have string keys"))
    }

    /// Sorts and de-duplicates every list.
    pub fn normalise(&mut self) {
        self.observed.normalise();
        self.exchanges.sort();
    }
}

impl Observed {
    /// Sorts and de-duplicates every list.
    fn normalise(&mut self) {
        fn tidy<T: Ord>(list: &mut Vec<T>) {
            list.sort();
            list.dedup();
        }
        tidy(&mut self.syscalls);
        if let Some(arguments) = &mut self.arguments {
            tidy(arguments);
        }
        tidy(&mut self.files);
        tidy(&mut self.capabilities);
        tidy(&mut self.sockets);
        tidy(&mut self.programs);
        tidy(&mut self.processes);
    }
}

/// The purpose of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// slim started the container and exercised it.
    Recorded,
    /// slim watched a container that was running already.
    Attached,
    /// Verification found what was missed.
    Verification,
}

/// A phase of a container's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// From the first instruction to the first answered probe. In an attached run: what was in use when slim attached.
    StartUp,
    /// From the first answered probe on. In an attached run: all that happened.
    Serving,
    /// From the stop signal on.
    Shutdown,
    /// While the product was verified.
    Verification,
}

/// The owner of a task: the container runtime on its way in, or the application.
///
/// A task is the runtime's from joining the cgroup until it executes a file of the container's root file system, and
/// the application's from then on; so is a task that the engine brings in later (`docker exec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// runc, crun: set-up before the application's first instruction.
    Runtime,
    /// The application.
    App,
}

/// The beginning of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PhaseMark {
    /// The phase.
    pub phase: Phase,
    /// Milliseconds since the container's start.
    pub at_ms: u64,
}

/// The availability of something on a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// It was measured.
    #[default]
    Measured,
    /// This kernel has no event for it; the container's own set stands in.
    NotMeasured,
}

/// The machine that ran the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostFacts {
    /// The kernel's release (`uname -r`).
    pub kernel: String,
    /// The machine's architecture, as `uname -m` names it.
    pub machine: String,
    /// Number of system calls that the kernel of this architecture knows (native ABI), for "n of m".
    pub syscalls_known: u32,
    /// `net.ipv4.ip_unprivileged_port_start` in the container's network name space, if known.
    pub unprivileged_port_start: Option<u16>,
}

/// The engine that ran the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineFacts {
    /// `docker` or `podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The API version spoken.
    pub api: String,
}

/// The low-level runtime that started the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuntimeFacts {
    /// `runc`, `crun`.
    pub name: String,
    /// Its version, if it is known.
    pub version: String,
}

/// The bounds within which a container was observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerFacts {
    /// Entrypoint and command as they ran, without the engine's own init before them.
    pub command: Vec<String>,
    /// `USER` or `--user` as it ran; empty for root.
    pub user: String,
    /// The working directory.
    pub workdir: String,
    /// Mounts into the container, by mount point.
    pub mounts: Vec<MountFact>,
    /// Names of the capabilities in its bounding set (`CAP_CHOWN`), sorted.
    pub capabilities: Vec<String>,
    /// True if it ran with no-new-privileges.
    pub no_new_privileges: bool,
    /// True if its root file system was read-only.
    pub read_only: bool,
    /// The network mode (`bridge`, `host`, `none`, or a network's name).
    pub network: String,
    /// The seccomp filter that it ran under, as the OCI runtime specification's `linux.seccomp`; none if it ran
    /// without a filter or the filter was not readable.
    pub seccomp: Option<serde_json::Value>,
    /// True if the container is known to have run without any filter.
    pub seccomp_unconfined: bool,
    /// Kernel parameters that the engine set by itself in the container's name spaces.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// The description that it was created from: the user's additions to the image's configuration.
    #[serde(default)]
    pub spec: ContainerSpec,
}

/// A mount into the container's root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct MountFact {
    /// The mount point.
    pub target: RootPath,
    /// The kind of mount.
    pub kind: MountKind,
}

/// The kind of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// A directory or file of the host.
    Bind,
    /// A volume; the engine seeds a new one from the image, so the image's file counts as observed.
    Volume,
    /// Memory.
    Tmpfs,
    /// proc, sysfs, devpts and the other mounts that every container gets from its runtime.
    System,
}

/// The ABI of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Abi {
    /// The machine's own.
    Native,
    /// 32-bit compatibility (i386 on x86-64).
    Compat,
    /// x32 on x86-64.
    X32,
}

/// One system call, as often as one program made it in one phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SyscallUse {
    /// The ABI.
    pub abi: Abi,
    /// The number in that ABI (without the x32 bit).
    pub number: u32,
    /// Its name (`openat`), or `#N` if libseccomp has none.
    pub name: String,
    /// The phase.
    pub phase: Phase,
    /// The actor.
    pub actor: Actor,
    /// The executed file; none before the first one and where it is not known.
    pub program: Option<RootPath>,
    /// Number of times that it returned (or never returned, for `exit_group`, or was still blocked at the end).
    pub count: u64,
    /// Number of times that it returned an error.
    pub failed: u64,
    /// The first failure.
    pub first_failure: Option<Failure>,
    /// The path that it was first seen with, as [`FileUse::path`], if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_path: Option<RootPath>,
}

impl SyscallUse {
    /// Returns a call of the machine's own ABI that the application made once, while starting, and that did not fail.
    pub fn once(name: &str, number: u32) -> Self {
        Self {
            abi: Abi::Native,
            number,
            name: name.to_owned(),
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
            count: 1,
            failed: 0,
            first_failure: None,
            first_path: None,
        }
    }
}

/// The deciding arguments of a system call that can do very different things (`socket`, `ioctl`, `prctl`, `personality`,
/// `clone`, `mmap`, `mprotect`), as often as one program passed them in one phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArgumentUse {
    /// The ABI.
    pub abi: Abi,
    /// The call's name.
    pub name: String,
    /// The values; none where there were more different ones than could be kept, so that some are missing.
    pub values: Vec<ArgumentValue>,
    /// The phase.
    pub phase: Phase,
    /// The actor.
    pub actor: Actor,
    /// The executed file.
    pub program: Option<RootPath>,
    /// Number of calls, failures included.
    pub count: u64,
}

impl ArgumentUse {
    /// Returns whether these arguments were passed to `call`: by the same program, in the same phase.
    pub fn is_of(&self, call: &SyscallUse) -> bool {
        (self.abi, &self.name, self.phase, self.actor, &self.program)
            == (call.abi, &call.name, call.phase, call.actor, &call.program)
    }
}

/// Returns the positions and masks of the arguments that decide what the call `name` does: those in
/// [`Observed::arguments`]. Empty for all but a few calls.
pub fn deciding_arguments(name: &str) -> &'static [(u32, u32)] {
    match name {
        // Flags; the option; the persona.
        "clone" | "prctl" | "personality" => &[(0, u32::MAX)],
        // The request.
        "ioctl" => &[(1, u32::MAX)],
        // PROT_READ, PROT_WRITE, PROT_EXEC.
        "mmap" | "mmap2" | "mprotect" | "pkey_mprotect" => &[(2, 7)],
        // The family; the type without SOCK_NONBLOCK and SOCK_CLOEXEC.
        "socket" => &[(0, u32::MAX), (1, 0xf)],
        _ => &[],
    }
}

/// A masked argument of a system call. The kernel takes these arguments as 32-bit numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArgumentValue {
    /// The position of the argument, from 0.
    pub index: u32,
    /// The mask of the bits that decide.
    pub mask: u32,
    /// The values of these bits.
    pub value: u32,
}

/// A failed system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The error number, positive.
    pub errno: u16,
    /// The six argument registers.
    pub args: [u64; 6],
}

/// A way to use a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Opened for reading.
    Read,
    /// Opened for writing, or written through a path (truncate).
    Write,
    /// Opened for writing at its end alone (O_APPEND).
    Append,
    /// Opened with O_PATH.
    OpenPath,
    /// Executed by `execve`.
    Execute,
    /// Loaded by the kernel for an executed file: its script interpreter or ELF loader.
    Interpret,
    /// Mapped with PROT_EXEC.
    Map,
    /// Its attributes were read: the stat family.
    Stat,
    /// Its permissions were checked: the access family.
    Permission,
    /// Its link target was read.
    ReadLink,
    /// Made the working directory or the root.
    ChangeDirectory,
    /// This directory's entries were listed.
    List,
    /// Created: O_CREAT that made it, mkdir, mknod, symlink, link, rename onto it.
    Create,
    /// Its mode, owner, times or extended attributes were changed.
    Attributes,
    /// Removed or renamed away.
    Remove,
    /// A unix socket was bound here.
    BindSocket,
    /// A unix socket here was connected to.
    ConnectSocket,
    /// Advisory lock taken.
    Lock,
}

impl Access {
    /// Returns whether it changes the file's own content or attributes.
    pub fn changes_itself(self) -> bool {
        matches!(self, Self::Write | Self::Append | Self::Attributes)
    }

    /// Returns whether it makes or removes the file's entry in its directory.
    pub fn changes_entry(self) -> bool {
        matches!(self, Self::Create | Self::Remove | Self::BindSocket)
    }

    /// Returns whether it changes anything on the file system.
    pub fn is_change(self) -> bool {
        self.changes_itself() || self.changes_entry()
    }
}

/// One file, as one program used it in one phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FileUse {
    /// The file's path: the kernel's, below the container's root, where a descriptor remained ([`FileUse::is_resolved`]),
    /// otherwise the requested path joined to the directory that it starts at, with links still to be followed in the
    /// image's index. On another mount: mount point and inner path.
    pub path: RootPath,
    /// True if [`FileUse::path`] is the kernel's: all links are followed.
    #[serde(rename = "truth")]
    pub is_resolved: bool,
    /// The path as the program wrote it; none where it was reached through a descriptor.
    #[serde(rename = "asked")]
    pub requested_path: Option<RawPath>,
    /// The directory that a relative [`FileUse::requested_path`] starts at (working directory or directory descriptor), and the
    /// process's root for an absolute one if it is not the container's (chroot).
    pub base: Option<RootPath>,
    /// The accesses, without failures.
    pub access: BTreeSet<Access>,
    /// The error numbers of failed attempts; with 2 (ENOENT) and 20 (ENOTDIR) it was absent.
    pub errors: BTreeSet<u16>,
    /// True if it lies on the container's root file system.
    pub on_root: bool,
    /// True if a final symbolic link was not to be followed (lstat, O_NOFOLLOW, unlink, readlink).
    pub no_follow: bool,
    /// The phase.
    pub phase: Phase,
    /// The actor.
    pub actor: Actor,
    /// The executed file; none where it is not known.
    pub program: Option<RootPath>,
}

/// A capability that the kernel checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CapabilityUse {
    /// The name (`CAP_NET_BIND_SERVICE`).
    pub capability: String,
    /// True if the task had it.
    pub granted: bool,
    /// The phase.
    pub phase: Phase,
    /// The actor.
    pub actor: Actor,
    /// The executed file.
    pub program: Option<RootPath>,
    /// The name of the system call that it was checked in, if any.
    pub syscall: Option<String>,
    /// Number of times.
    pub count: u64,
}

/// A way to use a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SocketAction {
    /// Created.
    Create,
    /// Bound to a local address.
    Bind,
    /// Listened on.
    Listen,
    /// Connected to a peer.
    Connect,
    /// Sent to a peer without a connection.
    Send,
}

/// One kind of use of one kind of socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SocketUse {
    /// The use.
    pub action: SocketAction,
    /// The address family: `inet`, `inet6`, `unix`, `netlink`, `packet`, or its number.
    pub family: String,
    /// The type: `stream`, `dgram`, `raw`, `seqpacket`, or its number; empty if not known.
    pub kind: String,
    /// The protocol number (6 for TCP), 0 for the default.
    pub protocol: u16,
    /// The address, as text (IPv4, IPv6, a unix path; an abstract one starts with `@`); empty if none.
    pub address: String,
    /// The port, 0 if none.
    pub port: u16,
    /// The phase.
    pub phase: Phase,
    /// The actor.
    pub actor: Actor,
    /// The executed file.
    pub program: Option<RootPath>,
}

impl SocketUse {
    /// Returns whether the application waits on it for others: that it listens, or has bound a socket of datagrams.
    pub fn is_awaiting(&self) -> bool {
        let waits = match self.action {
            SocketAction::Listen => true,
            SocketAction::Bind => self.kind == "dgram",
            SocketAction::Create | SocketAction::Connect | SocketAction::Send => false,
        };
        self.actor == Actor::App && waits
    }
}

/// An executed program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// The executed file as the kernel knows it (for a script: the script).
    pub path: RootPath,
    /// The interpreter the kernel ran for it, if it is a script.
    pub interpreter: Option<RootPath>,
    /// True if the execution gained privilege: set-user-id, set-group-id or file capabilities took effect.
    pub privilege_gain: bool,
    /// The phase of the first execution.
    pub phase: Phase,
    /// Number of executions.
    pub count: u64,
}

/// One process of the container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its id on the host.
    pub pid: u32,
    /// Its parent's id if that is a process of the container; none for those the runtime brought in.
    pub parent: Option<u32>,
    /// The programs it executed, in order.
    pub programs: Vec<RootPath>,
}

/// The use of an interface that a recording cannot see into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "alarm", rename_all = "kebab-case")]
pub enum Alarm {
    /// io_uring was used; its file operations are no system calls.
    IoUring {
        /// The program.
        program: Option<RootPath>,
    },
    /// The program opened a file by handle (`open_by_handle_at`).
    FileHandle {
        /// The program.
        program: Option<RootPath>,
    },
}

/// Numbers of things that the kernel had and slim did not get, by cause. All zero in a good run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Failed reservations in the ring buffer. Remedy: `--ring-size`.
    pub ring: u64,
    /// Full maps (files, sockets, programs, tasks). Remedy: `--map-size`.
    pub map: u64,
    /// Paths and strings that the kernel read and the program could not.
    pub string: u64,
    /// Dentry paths deeper or longer than can be walked.
    pub deep_path: u64,
    /// The program's own `recursion_misses`.
    pub recursion: u64,
}

impl Losses {
    /// Returns the number of all losses.
    pub fn total(&self) -> u64 {
        self.ring + self.map + self.string + self.deep_path + self.recursion
    }

    /// Returns the sum of both.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            ring: self.ring + other.ring,
            map: self.map + other.map,
            string: self.string + other.string,
            deep_path: self.deep_path + other.deep_path,
            recursion: self.recursion + other.recursion,
        }
    }
}

/// Resource peaks of a run; none where they are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Peaks {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// CPU, in thousandths of a core, over the busiest sampled interval.
    pub cpu_milli: Option<u64>,
}

impl Peaks {
    /// Returns the greater of each.
    pub fn max(&self, other: &Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            pids: self.pids.max(other.pids),
            cpu_milli: self.cpu_milli.max(other.cpu_milli),
        }
    }
}

/// The end of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Its exit code; none if it was still running when the recording ended, or is not known.
    pub exit_code: Option<i64>,
    /// True if the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// True if slim stopped it, and it did not end by itself.
    pub stopped_by_slim: bool,
    /// True if the stop signal did not end it in time and it was killed.
    pub killed: bool,
    /// True if its first process does nothing at the stop signal, so that it was killed at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignores_signal: bool,
}
