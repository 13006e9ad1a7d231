//! The words of a record as plain data, and the one system call that aya has no function for.

use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use slim_ebpf::Fixed;
use zerocopy::FromBytes;

/// Returns the plain data at `at`; none beyond the end.
pub(super) fn read<T: FromBytes>(bytes: &[u8], at: usize) -> Option<T> {
    let (value, _) = T::read_from_prefix(bytes.get(at..)?).ok()?;
    Some(value)
}

/// Returns the words of what is fixed, in their order.
pub(super) fn words(fixed: &Fixed) -> &[u32] {
    let words: &[u32; size_of::<Fixed>() / size_of::<u32>()] = zerocopy::transmute_ref!(fixed);
    words
}

/// `struct bpf_prog_info` (include/uapi/linux/bpf.h) up to `recursion_misses`.
#[repr(C)]
struct ProgramInfo {
    before: [u8; RECURSION_MISSES],
    recursion_misses: u64,
}

/// The position of `recursion_misses`; the structure only grows at its end.
const RECURSION_MISSES: usize = 208;

/// `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoByFd {
    fd: u32,
    length: u32,
    info: u64,
}

const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;

/// Returns the number of times that a program was not run because it was running already on that CPU.
pub(super) fn recursion_misses(program: BorrowedFd<'_>) -> std::io::Result<u64> {
    let mut info = ProgramInfo {
        before: [0; RECURSION_MISSES],
        recursion_misses: 0,
    };
    let mut attr = InfoByFd {
        fd: program.as_raw_fd() as u32,
        length: size_of::<ProgramInfo>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the attribute has the layout and size that this command reads; `info` names writable memory of `length`
    // bytes that outlives the call, and the kernel writes no more than that.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_OBJ_GET_INFO_BY_FD,
            &raw mut attr,
            size_of::<InfoByFd>(),
        )
    };
    if result == 0 {
        Ok(info.recursion_misses)
    } else {
        Err(std::io::Error::last_os_error())
    }
}
