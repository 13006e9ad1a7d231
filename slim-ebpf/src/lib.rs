//! The layout of maps and of the records in the ring buffer, which slim's eBPF program and its user side share.
//!
//! Everything is `repr(C)` and in the machine's byte order. On the user side the compiler refuses a structure with
//! padding: `zerocopy::IntoBytes` cannot be derived for one.
#![no_std]

/// Number of system call numbers that one row of [`COUNTS`](Counts) holds; higher ones are counted in the map of rare calls.
pub const NUMBERS: usize = 512;

/// Call counts of one slot, by native system call number.
pub type Counts = [u64; NUMBERS];

/// The number that an x32 call carries beside its own.
pub const X32_BIT: u32 = 0x4000_0000;

/// Longest string that is copied from the application, with its NUL: `PATH_MAX`.
pub const PATH_MAX: usize = 4096;

/// Size of a buffer that a record is built in: the greatest value that a per-CPU array takes.
pub const BUFFER: usize = 32768;

/// The position of a record's head in its buffer. Walked paths grow downwards from here, the requested string upwards
/// behind the head. Such a record starts with two words: the distance from behind them to its head, and [`HEADED`].
pub const HEAD: usize = 8704;

/// The second word of a record whose head does not stand at its beginning.
pub const HEADED: u32 = u32::MAX;

/// ABI codes: a call's [`Key::abi`](RareKey::abi).
pub mod abi {
    /// The machine's own.
    pub const NATIVE: u32 = 0;
    /// 32-bit compatibility.
    pub const COMPAT: u32 = 1;
    /// x32.
    pub const X32: u32 = 2;
}

/// Actor codes.
pub mod actor {
    /// The container runtime.
    pub const RUNTIME: u32 = 0;
    /// The application.
    pub const APP: u32 = 1;
}

/// Record kinds: the first word of every record's head.
pub mod event {
    /// A [`FileEvent`](super::FileEvent).
    pub const FILE: u32 = 1;
    /// An [`ExecEvent`](super::ExecEvent).
    pub const EXEC: u32 = 2;
    /// A [`ForkEvent`](super::ForkEvent).
    pub const FORK: u32 = 3;
    /// A [`SocketEvent`](super::SocketEvent).
    pub const SOCKET: u32 = 4;
}

/// Flags of a record's head about the paths around it.
pub mod mark {
    /// There is a walked path of the file itself: the kernel's, with all links followed.
    pub const RESOLVED: u32 = 1;
    /// The file lies on the container's root file system.
    pub const ON_ROOT: u32 = 2;
    /// The file's path does not end at the container's root (a pipe, a memfd, a file of the host).
    pub const OUTSIDE: u32 = 4;
    /// There is a walked path of the directory that the requested path starts at.
    pub const BASE: u32 = 8;
    /// That directory does not lie below the container's root.
    pub const BASE_OUTSIDE: u32 = 16;
    /// A walked path was too deep, and is left out.
    pub const DEEP: u32 = 32;
    /// There is a requested path.
    pub const REQUESTED: u32 = 64;
    /// The file was created by this call.
    pub const CREATED: u32 = 128;
    /// An executed file was a script: the walked path is its interpreter's.
    pub const SCRIPT: u32 = 256;
    /// The execution gained privilege.
    pub const GAIN: u32 = 512;
}

/// The number of a [`FileEvent`] that is no call's: the kernel loaded the ELF loader of an executed file.
pub const LOADER: u32 = u32::MAX;

/// The arguments by which a call names its files: a row of the table that the user side writes and the program follows.
///
/// Argument positions count from 1; 0 is none.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program's treatment of it: [`call`].
    pub kind: u8,
    /// Argument with the path.
    pub path: u8,
    /// Argument with the directory that a relative path starts at; none: the working directory.
    pub dir: u8,
    /// Argument with the second path (`rename`, `link`).
    pub path2: u8,
    /// Argument with the directory of the second path.
    pub dir2: u8,
    /// Argument with the descriptor of the file itself; [`call::RESULT`]: the result.
    pub fd: u8,
    /// Argument with flags.
    pub flags: u8,
    /// The meaning of an empty or NULL path: [`call::ITSELF`], [`call::KNOWN`] or neither.
    pub empty: u8,
    /// Mask of the bits of the flags that matter.
    pub mask: u32,
}

impl Call {
    /// The row of a call that is only counted.
    pub const fn nothing() -> Self {
        Self {
            kind: call::NONE,
            path: 0,
            dir: 0,
            path2: 0,
            dir2: 0,
            fd: 0,
            flags: 0,
            empty: 0,
            mask: 0,
        }
    }
}

/// The rows of all calls: those of the native ABI, then those of the compat one.
pub type Calls = [Call; 2 * NUMBERS];

/// Values of [`Call`].
pub mod call {
    /// An empty path means the descriptor in [`Call::dir`](super::Call::dir).
    pub const ITSELF: u8 = 1;
    /// As [`ITSELF`], and the file was reported when it was opened.
    pub const KNOWN: u8 = 2;
    /// The result is the descriptor.
    pub const RESULT: u8 = 7;
    /// Counted only.
    pub const NONE: u8 = 0;
    /// Paths and descriptors in the arguments of the row.
    pub const FILE: u8 = 1;
    /// The flags are the first word behind the pointer in the flags argument (`openat2`).
    pub const HOW: u8 = 2;
    /// `mmap`: only with `PROT_EXEC` and a file.
    pub const MAP: u8 = 3;
    /// `fcntl`: only the commands that lock.
    pub const LOCK: u8 = 4;
    /// `execve`: as [`FILE`], where it failed. One that did not is counted when it happens, for the program that called it.
    pub const EXECUTE: u8 = 5;
    /// `socket`.
    pub const SOCKET: u8 = 6;
    /// A socket call with a descriptor first, and an address at `path` whose length is at `dir`, if any.
    pub const ADDRESS: u8 = 7;
    /// A socket call with a descriptor first, and a message header at `path`.
    pub const MESSAGE: u8 = 8;
    /// Only the masked argument in [`Call::flags`](super::Call::flags), which decides what the call does.
    pub const ARGUMENT: u8 = 9;
}

/// The settings that the user side changes while the program runs.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The phase's number.
    pub phase: u32,
    /// Counts up when what was remembered of tasks is stale: with the phase, and when tasks were entered from outside.
    pub epoch: u32,
    /// 1 while the container's cgroup is waited for.
    pub wanted: u32,
    /// Padding: the id begins at a multiple of eight.
    pub unused: u32,
    /// The id that its cgroup is named after.
    pub id: [u8; ID],
}

/// The length of an engine's container id.
pub const ID: usize = 64;

/// The program's state, which the user side reads.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The container's cgroup; 0 as long as it was not seen.
    pub cgroup: u64,
    /// The depth of the cgroup.
    pub level: u32,
    /// 1 once a program of the application was executed.
    pub app: u32,
    /// The dentry of the container's root directory; 0 as long as it is not known.
    pub root: u64,
    /// The dentry of the host's root directory.
    pub host: u64,
    /// The id of the next program. 0 stands for none.
    pub programs: u32,
    /// The next free slot. 0 is where counts go when there is none left.
    pub slots: u32,
    /// `net.ipv4.ip_unprivileged_port_start` of the container, plus one; 0 if not known.
    pub unprivileged_port_start: u32,
    /// Counts up when a task executes a program or ends: what was remembered of tasks is stale.
    pub generation: u32,
    /// Numbers of losses.
    pub lost: Lost,
    /// The cgroup's path as `cgroup_mkdir` named it, NUL-terminated.
    pub path: [u8; 512],
}

impl State {
    /// The state at the beginning. Program and slot 0 stand for none.
    pub const fn nothing() -> Self {
        Self {
            cgroup: 0,
            level: 0,
            app: 0,
            root: 0,
            host: 0,
            programs: 1,
            slots: 1,
            unprivileged_port_start: 0,
            generation: 0,
            lost: Lost {
                ring: 0,
                map: 0,
                string: 0,
                deep: 0,
            },
            path: [0; 512],
        }
    }
}

/// Numbers of losses, by cause.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Ring-buffer reservations that failed.
    pub ring: u64,
    /// Insertions that failed.
    pub map: u64,
    /// Strings that the kernel read and the program could not.
    pub string: u64,
    /// Paths too deep to be walked.
    pub deep: u64,
}

/// A task of the container.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Task {
    /// The slot that its calls are counted in during [`Task::phase`].
    pub slot: u32,
    /// The phase that the slot belongs to; [`NO_PHASE`] before the first call.
    pub phase: u32,
    /// Runtime or app.
    pub actor: u32,
    /// The program it runs, 0 before the first execution that was seen.
    pub program: u32,
}

/// No phase yet.
pub const NO_PHASE: u32 = u32::MAX;

/// The program, phase and actor that a slot stands for.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotKey {
    /// The program.
    pub program: u32,
    /// The phase.
    pub phase: u32,
    /// The actor.
    pub actor: u32,
}

/// Key of the map of rare calls: failed ones and those of another ABI.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RareKey {
    /// The slot.
    pub slot: u32,
    /// The ABI.
    pub abi: u32,
    /// The number, without the x32 bit.
    pub number: u32,
}

/// Value of the map of rare calls.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Rare {
    /// Number of calls, where it is not counted by slot (another ABI, a high number).
    pub count: u64,
    /// Number of failures.
    pub failed: u64,
    /// The first error number.
    pub errno: u64,
    /// The arguments of the first failure.
    pub args: [u64; 6],
}

/// Key of the map of arguments: the values that decide what a call does that can do very different things (`socket`, `ioctl`,
/// `prctl`, `mmap` and the like; other calls are not in it).
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArgumentKey {
    /// The slot.
    pub slot: u32,
    /// The ABI.
    pub abi: u32,
    /// The number, without the x32 bit.
    pub number: u32,
    /// The argument that decides, as far as it matters: the family of `socket`, the protection of `mmap`
    /// ([`PROTECTION`]), that in [`Call::flags`] of [`call::ARGUMENT`].
    pub value: u32,
    /// The type of `socket` ([`SOCKET_TYPE`]); 0 for the others.
    pub value2: u32,
}

/// The bits of a protection for reading, writing and executing.
pub const PROTECTION: u32 = 7;

/// The bits of a socket's type without `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
pub const SOCKET_TYPE: u32 = 0xf;

/// Key of the map of capabilities.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CapabilityKey {
    /// The slot.
    pub slot: u32,
    /// The capability's number.
    pub capability: u32,
    /// 1 if it was granted.
    pub granted: u32,
    /// The ABI of the call.
    pub abi: u32,
    /// The number of the call; [`u32::MAX`] outside of one.
    pub number: u32,
}

/// The key that makes a record unique: a keyed hash of its identity.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The first half.
    pub a: u64,
    /// The second half.
    pub b: u64,
}

/// A file was used. Before the head: the path of the directory that the requested one starts at, then the kernel's
/// path of the file; behind it: the requested path, NUL-terminated.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FileEvent {
    /// [`event::FILE`].
    pub kind: u32,
    /// [`mark`].
    pub marks: u32,
    /// The call's number.
    pub number: u32,
    /// The slot.
    pub slot: u32,
    /// The error number, 0 for success.
    pub errno: u16,
    /// The ABI.
    pub abi: u8,
    /// 0 for the call's first path, 1 for its second.
    pub side: u8,
    /// Length of the requested path.
    pub requested: u32,
    /// The flags that matter.
    pub flags: u64,
    /// Identity of the directory that the requested path starts at.
    pub start: [u64; 2],
    /// Identity of the file: parent, and hash of its name. The record's identity ends here.
    pub file: [u64; 2],
    /// Length of the walked path of the file.
    pub kernel_path: u32,
    /// Length of the walked path of the directory.
    pub base: u32,
}

/// A program was executed. Before the head: the working directory, then the executed file (for a script its
/// interpreter); behind it: the requested path, NUL-terminated.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ExecEvent {
    /// [`event::EXEC`].
    pub kind: u32,
    /// 1 for a script.
    pub script: u32,
    /// Identity of the working directory, for a script.
    pub start: [u64; 2],
    /// Identity of the file.
    pub file: [u64; 2],
    /// The process.
    pub pid: u32,
    /// The program's id.
    pub program: u32,
    /// The slot of the task before.
    pub slot: u32,
    /// The actor from now on.
    pub actor: u32,
    /// [`mark`].
    pub marks: u32,
    /// Length of the requested path.
    pub requested: u32,
    /// Length of the walked path of the file.
    pub kernel_path: u32,
    /// Length of the walked path of the directory.
    pub base: u32,
    /// The phase.
    pub phase: u32,
    /// The interpreter as the script names it, NUL-terminated.
    pub interpreter: [u8; 256],
    /// Padding: the size is a multiple of eight.
    pub unused: u32,
}

/// A process was made.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ForkEvent {
    /// [`event::FORK`].
    pub kind: u32,
    /// Its parent.
    pub parent: u32,
    /// The process.
    pub pid: u32,
    /// The parent's program.
    pub program: u32,
}

/// A socket was used.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct SocketEvent {
    /// [`event::SOCKET`].
    pub kind: u32,
    /// The call's number.
    pub number: u32,
    /// The ABI.
    pub abi: u32,
    /// The slot.
    pub slot: u32,
    /// The error number, 0 for success.
    pub errno: u32,
    /// The address family.
    pub family: u32,
    /// The type.
    pub socket: u32,
    /// The protocol.
    pub protocol: u32,
    /// The local port.
    pub port: u32,
    /// Number of bytes of [`SocketEvent::address`] that the application passed.
    pub length: u32,
    /// The local address, IPv4 in the first word.
    pub local: [u32; 4],
    /// Padding.
    pub unused: [u32; 2],
    /// The address as the application passed it (`struct sockaddr`).
    pub address: [u8; 112],
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident: $structure:literal $path:literal,)*) => {
        /// The offsets of members in the running kernel's structures, in bytes.
        #[cfg_attr(feature = "user", derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout))]
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Offsets { $($(#[$doc])* pub $field: u32,)* }

        impl Offsets {
            /// Each member: its name here, the structure and the path to it.
            pub const MEMBERS: &[(&str, &str, &str)] = &[$((stringify!($field), $structure, $path),)*];

            /// All absent.
            pub const fn absent() -> Self {
                Self { $($field: ABSENT,)* }
            }

            /// The offsets, in the order of [`Self::MEMBERS`].
            pub fn slots(&mut self) -> [&mut u32; Self::MEMBERS.len()] {
                [$(&mut self.$field,)*]
            }
        }
    };
}

/// The offset of a member that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

offsets! {
    /// The set of cgroups it is in.
    task_cgroups: "task_struct" "cgroups",
    /// The cgroup2 one of them.
    cgroups_default: "css_set" "dfl_cgrp",
    /// Flags of the entry, the compat one among them.
    task_status: "task_struct" "thread_info.status",
    /// Thread id.
    task_pid: "task_struct" "pid",
    /// Process id.
    task_tgid: "task_struct" "tgid",
    /// Parent process.
    task_parent: "task_struct" "real_parent",
    /// Open files.
    task_files: "task_struct" "files",
    /// Root and working directory.
    task_fs: "task_struct" "fs",
    /// The credentials it acts under.
    task_cred: "task_struct" "cred",
    /// Its own credentials.
    task_real_cred: "task_struct" "real_cred",
    /// Name spaces.
    task_nsproxy: "task_struct" "nsproxy",
    /// The network's.
    nsproxy_net: "nsproxy" "net_ns",
    /// First port for everybody.
    net_ports: "net" "ipv4.sysctl_ip_prot_sock",
    /// The table of descriptors.
    files_table: "files_struct" "fdt",
    /// The table that a process starts with.
    files_first: "files_struct" "fdtab",
    /// Its entries.
    files_array: "files_struct" "fd_array",
    /// Its length.
    table_length: "fdtable" "max_fds",
    /// Its entries.
    table_files: "fdtable" "fd",
    /// A file's mount.
    file_mount: "file" "f_path.mnt",
    /// A file's dentry.
    file_dentry: "file" "f_path.dentry",
    /// The mode that it is open in.
    file_mode: "file" "f_mode",
    /// A socket's file holds the socket here.
    file_private: "file" "private_data",
    /// The mount of the path that the user sees of a stacked file system's file.
    backing_mount: "backing_file" "user_path.mnt",
    /// Its dentry.
    backing_dentry: "backing_file" "user_path.dentry",
    /// The root directory's mount.
    root_mount: "fs_struct" "root.mnt",
    /// Its dentry.
    root_dentry: "fs_struct" "root.dentry",
    /// The working directory's mount.
    pwd_mount: "fs_struct" "pwd.mnt",
    /// Its dentry.
    pwd_dentry: "fs_struct" "pwd.dentry",
    /// The directory.
    dentry_parent: "dentry" "d_parent",
    /// The hash of its name, and in the upper half the length.
    dentry_hash: "dentry" "d_name.hash_len",
    /// The length of its name.
    dentry_length: "dentry" "d_name.len",
    /// Its name.
    dentry_name: "dentry" "d_name.name",
    /// The inode.
    dentry_inode: "dentry" "d_inode",
    /// The inode's number.
    inode_number: "inode" "i_ino",
    /// A mount's root.
    mount_root: "vfsmount" "mnt_root",
    /// The part of a mount that paths point to.
    mount_inner: "mount" "mnt",
    /// The mount it is mounted on.
    mount_parent: "mount" "mnt_parent",
    /// The dentry of the mount point.
    mount_point: "mount" "mnt_mountpoint",
    /// The executed file.
    exec_file: "linux_binprm" "file",
    /// The requested path.
    exec_name: "linux_binprm" "filename",
    /// The interpreter's path.
    exec_interpreter: "linux_binprm" "interp",
    /// The file of a mapping.
    vma_file: "vm_area_struct" "vm_file",
    /// The capabilities in effect.
    cred_effective: "cred" "cap_effective",
    /// A cgroup's node.
    cgroup_node: "cgroup" "kn",
    /// A cgroup's depth.
    cgroup_level: "cgroup" "level",
    /// A cgroup's hierarchy.
    cgroup_root: "cgroup" "root",
    /// 0 for cgroup2.
    hierarchy: "cgroup_root" "hierarchy_id",
    /// A node's number.
    node_id: "kernfs_node" "id",
    /// A node's name.
    node_name: "kernfs_node" "name",
    /// Registers: the instruction pointer.
    regs_ip: "pt_regs" "ip",
    /// Registers: the system call's number.
    regs_number: "pt_regs" "orig_ax",
    /// Registers.
    regs_di: "pt_regs" "di",
    /// Registers.
    regs_si: "pt_regs" "si",
    /// Registers.
    regs_dx: "pt_regs" "dx",
    /// Registers.
    regs_r10: "pt_regs" "r10",
    /// Registers.
    regs_r8: "pt_regs" "r8",
    /// Registers.
    regs_r9: "pt_regs" "r9",
    /// Registers.
    regs_bx: "pt_regs" "bx",
    /// Registers.
    regs_cx: "pt_regs" "cx",
    /// Registers.
    regs_bp: "pt_regs" "bp",
    /// A socket's protocol part.
    socket_sock: "socket" "sk",
    /// Address family.
    sock_family: "sock" "__sk_common.skc_family",
    /// Local port, in the machine's order.
    sock_port: "sock" "__sk_common.skc_num",
    /// Local address.
    sock_local: "sock" "__sk_common.skc_rcv_saddr",
    /// Local IPv6 address.
    sock_local6: "sock" "__sk_common.skc_v6_rcv_saddr",
    /// Type.
    sock_type: "sock" "sk_type",
    /// Protocol.
    sock_protocol: "sock" "sk_protocol",
}

/// The upper half of a number in an instruction of the object that stands for a word of [`Fixed`]: the lower half is the word's
/// position.
pub const FIXED: u32 = 0x5eb7_0000;

/// The offset in a load of the object that stands for a member's: plus the position of its word in [`Fixed`].
pub const MEMBER: i16 = i16::MIN;

/// The words that the user side puts into the program's instructions before it is loaded, in the place of such numbers.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    /// The offsets of members.
    pub offsets: Offsets,
    /// The rest.
    pub config: Config,
}

/// The words beside the offsets. [`u32::MAX`] stands for the number of a call that does not exist.
#[cfg_attr(
    feature = "user",
    derive(
        zerocopy::FromBytes,
        zerocopy::IntoBytes,
        zerocopy::Immutable,
        zerocopy::KnownLayout
    )
)]
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Config {
    /// Bit offset of `linux_binprm.secureexec`; [`ABSENT`] if this kernel has none.
    pub secureexec: u32,
    /// Rows of [`Counts`] per slot, less one; a power of two less one.
    pub shards: u32,
    /// 1 if each CPU has a row of its own, so that no other one writes there.
    pub single_writer: u32,
    /// Number of slots.
    pub slots: u32,
    /// `rt_sigreturn`.
    pub sigreturn: u32,
    /// `rt_sigreturn` of the compat ABI.
    pub sigreturn32: u32,
    /// `exit`.
    pub exit: u32,
    /// `exit_group`.
    pub exit_group: u32,
    /// `exit` of the compat ABI.
    pub exit32: u32,
    /// `exit_group` of the compat ABI.
    pub exit_group32: u32,
    /// The id of the process that loads the program, in the initial pid namespace.
    pub loader: u32,
}

/// The shared types in aya's maps: plain data, any bytes are valid.
#[cfg(feature = "user")]
mod pod {
    use super::*;

    /// Compiles for plain data only: integers without padding between or behind them.
    const fn assert_plain<
        T: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + Copy + 'static,
    >() {
    }

    macro_rules! pod {
        ($($type:ty),*) => { $(
            // SAFETY: any bytes are a value of it and all of its bytes are initialised, as the assertion beside this
            // makes the compiler prove; it is `Copy` and has no pointers.
            unsafe impl aya::Pod for $type {}
            const _: () = assert_plain::<$type>();
        )* };
    }
    pod!(
        Call,
        Control,
        State,
        Task,
        SlotKey,
        RareKey,
        Rare,
        ArgumentKey,
        CapabilityKey,
        Unique,
        FileEvent,
        ExecEvent,
        ForkEvent,
        SocketEvent
    );
}

/// The compiled program, as committed (`slim.bpf.o`; `cargo xtask ebpf` makes it).
#[cfg(feature = "user")]
pub static OBJECT: &[u8] = aya::include_bytes_aligned!("../slim.bpf.o");
