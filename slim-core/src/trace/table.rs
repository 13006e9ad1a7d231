//! The arguments by which system calls name files and sockets: the rows that the program follows, and the meaning of its
//! records.

use std::collections::BTreeSet;

use libseccomp::{ScmpArch, ScmpSyscall};
use slim_ebpf::{Call, NUMBERS, PROTECTION, X32_BIT, abi, call};

use super::arch;
use crate::recording::{Abi, Access};

/// The effect of a call on the file that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The open family: the flags decide it.
    Open,
    /// The same in every call.
    Fixed(Access),
}

/// The calls that follow a final symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// All.
    Always,
    /// None.
    Never,
    /// Those without this flag.
    Unless(u64),
    /// Those with this flag.
    If(u64),
}

/// One system call.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyscallSpec {
    /// Its name, as libseccomp has it.
    pub(super) name: &'static str,
    /// The row of the program's table.
    pub(super) call: Call,
    /// The effect on its first path (or descriptor).
    pub(super) effect: Effect,
    /// The effect on its second path.
    pub(super) effect2: Option<Access>,
    /// For its first path; a second one's final link is never followed.
    pub(super) follow: Follow,
}

const O_ACCMODE: u64 = 3;
const O_CREAT: u64 = 0o100;
const O_EXCL: u64 = 0o200;
const O_TRUNC: u64 = 0o1000;
const O_APPEND: u64 = 0o2000;
// These two differ between machines.
const O_DIRECTORY: u64 = nix::libc::O_DIRECTORY as u64;
const O_NOFOLLOW: u64 = nix::libc::O_NOFOLLOW as u64;
const O_PATH: u64 = 0o10_000_000;
const TMPFILE: u64 = 0o20_000_000;
const OPEN: u32 =
    (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECTORY | O_NOFOLLOW | O_PATH | TMPFILE) as u32;

const SYMLINK_NOFOLLOW: u64 = 0x100;
const SYMLINK_FOLLOW: u64 = 0x400;

impl SyscallSpec {
    const fn new(name: &'static str, effect: Effect) -> Self {
        Self {
            name,
            call: Call {
                kind: call::FILE,
                ..Call::nothing()
            },
            effect,
            effect2: None,
            follow: Follow::Always,
        }
    }

    /// A path argument.
    const fn path(name: &'static str, path: u8, access: Access) -> Self {
        let mut row = Self::new(name, Effect::Fixed(access));
        row.call.path = path;
        row
    }

    /// A directory descriptor and a path argument.
    const fn at(name: &'static str, dir: u8, path: u8, access: Access) -> Self {
        let mut row = Self::path(name, path, access);
        row.call.dir = dir;
        row
    }

    /// A descriptor argument.
    const fn fd(name: &'static str, fd: u8, access: Access) -> Self {
        let mut row = Self::new(name, Effect::Fixed(access));
        row.call.fd = fd;
        row
    }

    /// A call that opens: the result is the descriptor.
    const fn open(name: &'static str, dir: u8, path: u8, flags: u8, kind: u8) -> Self {
        let mut row = Self::at(name, dir, path, Access::Read);
        row.effect = Effect::Open;
        row.follow = Follow::Unless(O_NOFOLLOW);
        row.call.kind = kind;
        row.call.fd = call::RESULT;
        row.call.flags = flags;
        row.call.mask = OPEN;
        row
    }

    const fn no_follow(mut self) -> Self {
        self.follow = Follow::Never;
        self
    }

    /// `flags` is the argument with `AT_…` flags; an empty path means the directory descriptor itself.
    const fn flags(mut self, flags: u8) -> Self {
        self.call.flags = flags;
        self.call.mask = (SYMLINK_NOFOLLOW | SYMLINK_FOLLOW) as u32;
        if matches!(self.follow, Follow::Always) {
            self.follow = Follow::Unless(SYMLINK_NOFOLLOW);
        }
        self.call.empty = call::ITSELF;
        self
    }

    const fn empty(mut self) -> Self {
        self.call.empty = call::ITSELF;
        self
    }

    /// The file that an empty path stands for was reported when it was opened.
    const fn known(mut self) -> Self {
        self.call.empty = call::KNOWN;
        self
    }

    const fn path2(mut self, dir: u8, path: u8, access: Access) -> Self {
        self.call.dir2 = dir;
        self.call.path2 = path;
        self.effect2 = Some(access);
        self
    }

    const fn executes(mut self) -> Self {
        self.call.kind = call::EXECUTE;
        self
    }

    /// `fcntl`, for its locks: the command is the second argument.
    const fn fcntl(name: &'static str) -> Self {
        let mut row = Self::fd(name, 1, Access::Lock);
        row.call.kind = call::LOCK;
        row.call.flags = 2;
        row
    }

    /// A call of which the argument at `at`, as far as `mask` goes, decides what it does.
    const fn argument(name: &'static str, at: u8, mask: u32) -> Self {
        let mut row = Self::new(name, Effect::Fixed(Access::Stat));
        row.call.kind = call::ARGUMENT;
        row.call.flags = at;
        row.call.mask = mask;
        row
    }

    /// A socket call: the address's argument and that of its length; `local` to have the local address recorded.
    const fn socket(name: &'static str, kind: u8, address: u8, length: u8, local: u8) -> Self {
        let mut row = Self::new(name, Effect::Fixed(Access::ConnectSocket));
        row.call.kind = kind;
        row.call.path = address;
        row.call.dir = length;
        row.call.flags = local;
        row
    }
}

use Access::{
    Attributes, ChangeDirectory, Create, Execute, List, Lock, Map, Permission, ReadLink, Remove, Stat, Write,
};

/// The calls, of all ABIs.
pub(super) const ROWS: &[SyscallSpec] = &[
    SyscallSpec::open("open", 0, 1, 2, call::FILE),
    SyscallSpec::open("openat", 1, 2, 3, call::FILE),
    SyscallSpec::open("openat2", 1, 2, 3, call::HOW),
    {
        let mut row = SyscallSpec::open("creat", 0, 1, 0, call::FILE);
        row.effect = Effect::Fixed(Write);
        row.follow = Follow::Always;
        row
    },
    SyscallSpec::at("open_tree", 1, 2, Access::OpenPath).flags(3),
    SyscallSpec::path("stat", 1, Stat),
    SyscallSpec::path("stat64", 1, Stat),
    SyscallSpec::path("lstat", 1, Stat).no_follow(),
    SyscallSpec::path("lstat64", 1, Stat).no_follow(),
    SyscallSpec::at("newfstatat", 1, 2, Stat).flags(4).known(),
    SyscallSpec::at("fstatat64", 1, 2, Stat).flags(4).known(),
    SyscallSpec::at("statx", 1, 2, Stat).flags(3).known(),
    SyscallSpec::path("statfs", 1, Stat),
    SyscallSpec::path("statfs64", 1, Stat),
    SyscallSpec::path("access", 1, Permission),
    SyscallSpec::at("faccessat", 1, 2, Permission),
    SyscallSpec::at("faccessat2", 1, 2, Permission).flags(4),
    SyscallSpec::path("readlink", 1, ReadLink).no_follow(),
    SyscallSpec::at("readlinkat", 1, 2, ReadLink).no_follow().empty(),
    SyscallSpec::path("chdir", 1, ChangeDirectory),
    SyscallSpec::fd("fchdir", 1, ChangeDirectory),
    SyscallSpec::path("chroot", 1, ChangeDirectory),
    SyscallSpec::fd("getdents", 1, List),
    SyscallSpec::fd("getdents64", 1, List),
    SyscallSpec::path("execve", 1, Execute).executes(),
    SyscallSpec::at("execveat", 1, 2, Execute).flags(5).executes(),
    SyscallSpec::path("mkdir", 1, Create).no_follow(),
    SyscallSpec::at("mkdirat", 1, 2, Create).no_follow(),
    SyscallSpec::path("mknod", 1, Create).no_follow(),
    SyscallSpec::at("mknodat", 1, 2, Create).no_follow(),
    SyscallSpec::path("rename", 1, Remove)
        .no_follow()
        .path2(0, 2, Create),
    SyscallSpec::at("renameat", 1, 2, Remove)
        .no_follow()
        .path2(3, 4, Create),
    SyscallSpec::at("renameat2", 1, 2, Remove)
        .no_follow()
        .path2(3, 4, Create),
    SyscallSpec::path("link", 1, Stat).no_follow().path2(0, 2, Create),
    {
        let mut row = SyscallSpec::at("linkat", 1, 2, Stat).flags(5).path2(3, 4, Create);
        row.follow = Follow::If(SYMLINK_FOLLOW);
        row
    },
    SyscallSpec::path("symlink", 2, Create).no_follow(),
    SyscallSpec::at("symlinkat", 2, 3, Create).no_follow(),
    SyscallSpec::path("unlink", 1, Remove).no_follow(),
    SyscallSpec::path("rmdir", 1, Remove).no_follow(),
    SyscallSpec::at("unlinkat", 1, 2, Remove).no_follow(),
    SyscallSpec::path("chmod", 1, Attributes),
    SyscallSpec::fd("fchmod", 1, Attributes),
    SyscallSpec::at("fchmodat", 1, 2, Attributes),
    SyscallSpec::at("fchmodat2", 1, 2, Attributes).flags(4),
    SyscallSpec::path("chown", 1, Attributes),
    SyscallSpec::path("chown32", 1, Attributes),
    SyscallSpec::path("lchown", 1, Attributes).no_follow(),
    SyscallSpec::path("lchown32", 1, Attributes).no_follow(),
    SyscallSpec::fd("fchown", 1, Attributes),
    SyscallSpec::fd("fchown32", 1, Attributes),
    SyscallSpec::at("fchownat", 1, 2, Attributes).flags(5),
    SyscallSpec::path("utime", 1, Attributes),
    SyscallSpec::path("utimes", 1, Attributes),
    SyscallSpec::at("futimesat", 1, 2, Attributes).empty(),
    SyscallSpec::at("utimensat", 1, 2, Attributes).flags(4),
    SyscallSpec::at("utimensat_time64", 1, 2, Attributes).flags(4),
    SyscallSpec::path("setxattr", 1, Attributes),
    SyscallSpec::path("lsetxattr", 1, Attributes).no_follow(),
    SyscallSpec::fd("fsetxattr", 1, Attributes),
    SyscallSpec::path("removexattr", 1, Attributes),
    SyscallSpec::path("lremovexattr", 1, Attributes).no_follow(),
    SyscallSpec::fd("fremovexattr", 1, Attributes),
    SyscallSpec::path("getxattr", 1, Stat),
    SyscallSpec::path("lgetxattr", 1, Stat).no_follow(),
    SyscallSpec::path("listxattr", 1, Stat),
    SyscallSpec::path("llistxattr", 1, Stat).no_follow(),
    SyscallSpec::path("truncate", 1, Write),
    SyscallSpec::path("truncate64", 1, Write),
    SyscallSpec::fd("ftruncate", 1, Write),
    SyscallSpec::fd("ftruncate64", 1, Write),
    SyscallSpec::fd("fallocate", 1, Write),
    SyscallSpec::fd("flock", 1, Lock),
    SyscallSpec::fcntl("fcntl"),
    SyscallSpec::fcntl("fcntl64"),
    SyscallSpec::path("inotify_add_watch", 2, Stat),
    SyscallSpec::at("name_to_handle_at", 1, 2, Stat).flags(5),
    SyscallSpec::path("acct", 1, Write),
    SyscallSpec::path("swapon", 1, Write),
    {
        let mut row = SyscallSpec::fd("mmap", 5, Map);
        row.call.kind = call::MAP;
        row.call.flags = 3;
        row.call.mask = 4;
        row
    },
    {
        let mut row = SyscallSpec::fd("mmap2", 5, Map);
        row.call.kind = call::MAP;
        row.call.flags = 3;
        row.call.mask = 4;
        row
    },
    SyscallSpec::socket("socket", call::SOCKET, 0, 0, 0),
    {
        let mut row = SyscallSpec::socket("bind", call::ADDRESS, 2, 3, 0).no_follow();
        row.effect = Effect::Fixed(Access::BindSocket);
        row
    },
    SyscallSpec::socket("listen", call::ADDRESS, 0, 0, 1),
    SyscallSpec::socket("connect", call::ADDRESS, 2, 3, 0),
    SyscallSpec::socket("sendto", call::ADDRESS, 5, 6, 0),
    SyscallSpec::socket("sendmsg", call::MESSAGE, 2, 0, 0),
    SyscallSpec::socket("sendmmsg", call::MESSAGE, 2, 0, 0),
    SyscallSpec::argument("clone", 1, u32::MAX),
    SyscallSpec::argument("ioctl", 2, u32::MAX),
    SyscallSpec::argument("mprotect", 3, PROTECTION),
    SyscallSpec::argument("personality", 1, u32::MAX),
    SyscallSpec::argument("pkey_mprotect", 3, PROTECTION),
    SyscallSpec::argument("prctl", 1, u32::MAX),
];

/// Returns the rows by native and compat number, as the program looks them up.
pub(super) fn by_number() -> Vec<Option<&'static SyscallSpec>> {
    let mut rows = vec![None; 2 * NUMBERS];
    for row in ROWS {
        for (base, architecture) in [(0, arch::NATIVE), (NUMBERS, arch::COMPAT)] {
            // i386's mmap takes a structure; its stat family of old has rows of its own names.
            if base != 0 && row.name == "mmap" {
                continue;
            }
            if let Some(number) = number(row.name, architecture).filter(|&n| n < NUMBERS) {
                rows[base + number] = Some(row);
            }
        }
    }
    rows
}

/// Returns a call's number in an ABI.
pub(super) fn number(name: &str, arch: ScmpArch) -> Option<usize> {
    let call = ScmpSyscall::from_name_by_arch(name, arch).ok()?;
    usize::try_from(i32::from(call)).ok()
}

/// Returns a call's name, `#N` if libseccomp has none.
pub(super) fn name(abi: Abi, number: u32) -> String {
    let (architecture, raw) = match abi {
        Abi::Native => (arch::NATIVE, number),
        Abi::Compat => (arch::COMPAT, number),
        Abi::X32 => (arch::X32, number | X32_BIT),
    };
    i32::try_from(raw)
        .ok()
        .and_then(|raw| ScmpSyscall::from(raw).get_name_by_arch(architecture).ok())
        .unwrap_or_else(|| format!("#{number}"))
}

/// Returns the ABI that a code stands for.
pub(super) fn abi_of(code: u32) -> Abi {
    match code {
        abi::COMPAT => Abi::Compat,
        abi::X32 => Abi::X32,
        _ => Abi::Native,
    }
}

/// Returns the number of system calls of the native ABI that have a name.
pub(super) fn known() -> u32 {
    (0..1024)
        .filter(|&n| !name(Abi::Native, n).starts_with('#'))
        .count() as u32
}

impl SyscallSpec {
    /// Returns the accesses to the path of this side.
    pub(super) fn access(&self, side: u32, flags: u64, created: bool) -> BTreeSet<Access> {
        let mut set = BTreeSet::new();
        if side == 1 {
            set.extend(self.effect2);
            return set;
        }
        match self.effect {
            Effect::Fixed(access) => {
                set.insert(access);
            }
            Effect::Open if flags & O_PATH != 0 => {
                set.insert(Access::OpenPath);
            }
            Effect::Open if flags & TMPFILE != 0 => {
                set.insert(Write);
            }
            Effect::Open => {
                if flags & O_ACCMODE != 1 {
                    set.insert(Access::Read);
                }
                if flags & O_TRUNC != 0 {
                    set.insert(Write);
                } else if flags & O_ACCMODE != 0 {
                    set.insert(if flags & O_APPEND != 0 {
                        Access::Append
                    } else {
                        Write
                    });
                }
            }
        }
        if created {
            set.insert(Create);
        }
        set
    }

    /// Returns whether a final link of the path of this side is not followed.
    pub(super) fn stops_at_link(&self, side: u32, flags: u64) -> bool {
        if side == 1 {
            return true;
        }
        match self.follow {
            Follow::Always => false,
            Follow::Never => true,
            // O_CREAT | O_EXCL does not follow either.
            Follow::Unless(flag) => {
                flags & flag != 0
                    || (self.effect == Effect::Open && flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL)
            }
            Follow::If(flag) => flags & flag == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::deciding_arguments;

    #[test]
    fn rows_stand_at_their_numbers() {
        let rows = by_number();
        let at = |index: usize| rows[index].map(|row| row.name);
        assert_eq!(
            (at(2), at(257), at(437)),
            (Some("open"), Some("openat"), Some("openat2"))
        );
        assert_eq!(
            (at(NUMBERS + 5), at(NUMBERS + 295)),
            (Some("open"), Some("openat"))
        );
        assert_eq!(at(39), None);
    }

    #[test]
    fn every_row_has_a_number() {
        for row in ROWS {
            let known = number(row.name, arch::NATIVE).or(number(row.name, arch::COMPAT));
            assert!(known.is_some_and(|number| number < NUMBERS), "{}", row.name);
        }
    }

    #[test]
    fn the_program_counts_the_arguments_that_recordings_have() {
        for row in ROWS {
            let noted = match row.call.kind {
                call::ARGUMENT => vec![(u32::from(row.call.flags) - 1, row.call.mask)],
                call::SOCKET => vec![(0, u32::MAX), (1, slim_ebpf::SOCKET_TYPE)],
                call::MAP => vec![(u32::from(row.call.flags) - 1, PROTECTION)],
                _ => Vec::new(),
            };
            assert_eq!(deciding_arguments(row.name), noted, "{}", row.name);
        }
    }

    #[test]
    fn flags_decide_the_accesses_of_an_open() {
        let row = ROWS.iter().find(|row| row.name == "openat").unwrap();
        let access = |flags, created| row.access(0, flags, created).into_iter().collect::<Vec<_>>();
        assert_eq!(access(0, false), [Access::Read]);
        assert_eq!(access(1, false), [Write]);
        assert_eq!(access(2 | O_CREAT, true), [Access::Read, Write, Create]);
        assert_eq!(access(O_TRUNC, false), [Access::Read, Write]);
        assert_eq!(access(1 | O_APPEND, false), [Access::Append]);
        assert_eq!(access(1 | O_APPEND | O_TRUNC, false), [Write]);
        assert_eq!(access(O_PATH | O_DIRECTORY, false), [Access::OpenPath]);
        assert_eq!(access(2 | TMPFILE | O_DIRECTORY, false), [Write]);
        assert!(row.stops_at_link(0, O_NOFOLLOW) && row.stops_at_link(0, O_CREAT | O_EXCL));
        assert!(!row.stops_at_link(0, O_CREAT));
    }

    #[test]
    fn calls_have_names() {
        assert_eq!(name(Abi::Native, 0), "read");
        assert_eq!(name(Abi::Compat, 3), "read");
        assert_eq!(name(Abi::X32, 0), "read");
        assert_eq!(name(Abi::Native, 1023), "#1023");
        assert!(known() > 330);
    }
}
