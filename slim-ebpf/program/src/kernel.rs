//! Reading the kernel's structures, by the offsets that the user side resolved.

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use crate::shared::{Config, Offsets};

/// Where members lie. Read with [`off!`] only: the compiler must not take the zeros for granted.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::absent();

/// What the user side fixed.
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config {
    seed: [0; 2],
    secureexec: 0,
    shards: 0,
    alone: 0,
    slots: 0,
    sigreturn: [0; 2],
    exit: [0; 4],
    exec: [0; 4],
    loader: 0,
};

/// The offset of a member.
macro_rules! off {
    ($field:ident) => {
        // A volatile read of a static: the loader replaces its bytes.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::OFFSETS.$field) as u64 }
    };
}
pub(crate) use off;

/// A field of the configuration.
macro_rules! config {
    ($($field:tt)+) => {
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::CONFIG.$($field)+) }
    };
}
pub(crate) use config;

/// A kernel address.
pub type Address = u64;

/// Reads a value from kernel memory; none if the address is not mapped.
#[inline(always)]
pub fn read<T: Copy>(address: Address) -> Option<T> {
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Follows a pointer; none for a null pointer.
#[inline(always)]
pub fn follow(address: Address) -> Option<Address> {
    read::<u64>(address).filter(|&to| to != 0)
}

/// Loads a member behind a pointer whose type the verifier knows: one from [`current`] or [`registers`], or loaded
/// from there in turn. It is one instruction where [`read`] is several calls, and gives 0 where nothing is mapped.
#[inline(always)]
pub fn load<T: Copy>(address: Address) -> T {
    unsafe { core::ptr::read_volatile(address as *const T) }
}

/// Copies kernel memory to a checked place.
#[inline(always)]
pub fn copy(to: *mut u8, length: u32, from: Address) -> bool {
    unsafe { generated::bpf_probe_read_kernel(to.cast(), length, from as *const _) == 0 }
}

/// A number below a power of two, in a way that the verifier can follow: the compiler must not see that it was bounded
/// before.
#[inline(always)]
pub fn bound(number: u32, mask: u32) -> u32 {
    core::hint::black_box(number) & mask
}

/// The running task, of a type that the verifier knows.
#[inline(always)]
pub fn current() -> Address {
    unsafe { generated::bpf_get_current_task_btf() as u64 }
}

/// The registers that the running task came into the kernel with, of a type that the verifier knows.
#[inline(always)]
pub fn registers(current: Address) -> Address {
    unsafe { generated::bpf_task_pt_regs(current as *mut _) as u64 }
}

/// A mount and a dentry in it, as the kernel's `struct path`.
#[derive(Clone, Copy)]
pub struct Place {
    pub mount: Address,
    pub dentry: Address,
}

/// The dentry of a file.
#[inline(always)]
pub fn file_dentry(file: Address) -> Option<Address> {
    follow(file + off!(file_path) + off!(path_dentry))
}

/// Where a file is. Only what `read` reads: the pointer's type is not known.
#[inline(always)]
pub fn file_place(file: Address) -> Option<Place> {
    let path = file + off!(file_path);
    Some(Place {
        mount: read(path + off!(path_mount))?,
        dentry: follow(path + off!(path_dentry))?,
    })
}

/// Loads the place at `member` of the running task's `fs_struct`.
#[inline(always)]
fn fs_place(current: Address, member: u64) -> Place {
    let fs: Address = load(current + off!(task_fs));
    Place {
        mount: load(fs + member + off!(path_mount)),
        dentry: load(fs + member + off!(path_dentry)),
    }
}

/// The running task's root directory.
#[inline(always)]
pub fn task_root(current: Address) -> Place {
    fs_place(current, off!(fs_root))
}

/// The running task's working directory.
#[inline(always)]
pub fn task_pwd(current: Address) -> Place {
    fs_place(current, off!(fs_pwd))
}

/// The file behind one of the running task's descriptors.
#[inline(always)]
pub fn task_file(current: Address, descriptor: u32) -> Option<Address> {
    let files: Address = load(current + off!(task_files));
    let table: Address = load(files + off!(files_table));
    if descriptor >= load::<u32>(table + off!(table_length)) {
        return None;
    }
    let entries: Address = load(table + off!(table_files));
    follow(entries + u64::from(descriptor) * 8)
}

/// What tells a directory from another: its dentry and its inode's number.
#[inline(always)]
pub fn directory_identity(dentry: Address) -> [u64; 2] {
    let inode = follow(dentry + off!(dentry_inode)).unwrap_or(0);
    [dentry, read(inode + off!(inode_number)).unwrap_or(0)]
}

/// The same for a dentry that was loaded.
#[inline(always)]
pub fn loaded_identity(dentry: Address) -> [u64; 2] {
    let inode: Address = load(dentry + off!(dentry_inode));
    [dentry, load(inode + off!(inode_number))]
}

/// What tells a file from another over its being made anew: its parent's dentry and the hash of its name.
#[inline(always)]
pub fn file_identity(dentry: Address) -> [u64; 2] {
    let (parent, hash) = (off!(dentry_parent), off!(dentry_name) + off!(name_hash));
    if hash == parent + 8 {
        // They stand side by side in every kernel so far.
        return read(dentry + parent).unwrap_or([0; 2]);
    }
    [read(dentry + parent).unwrap_or(0), read(dentry + hash).unwrap_or(0)]
}
