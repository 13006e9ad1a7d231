//! Reading the kernel's structures, by the offsets that the user side resolved.

use aya_ebpf::helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated};
use crate::shared::{Config, Offsets};

/// Where members lie. Read with [`off!`] only: the compiler must not take the zeros for granted.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::absent();

/// What the user side fixed.
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config {
    seed: [0; 2],
    id: [0; crate::shared::ID],
    secureexec: 0,
    shards: 0,
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

/// The running task.
#[inline(always)]
pub fn current() -> Address {
    unsafe { bpf_get_current_task() }
}

/// A mount and a dentry in it, as the kernel's `struct path`.
#[derive(Clone, Copy)]
pub struct Place {
    pub mount: Address,
    pub dentry: Address,
}

/// Reads a `struct path`.
#[inline(always)]
pub fn place(path: Address) -> Option<Place> {
    let dentry = follow(path + off!(path_dentry))?;
    let mount = read(path + off!(path_mount))?;
    Some(Place { mount, dentry })
}

/// Where a file is.
#[inline(always)]
pub fn file_place(file: Address) -> Option<Place> {
    place(file + off!(file_path))
}

/// The running task's root directory.
#[inline(always)]
pub fn task_root(task: Address) -> Option<Place> {
    place(follow(task + off!(task_fs))? + off!(fs_root))
}

/// The running task's working directory.
#[inline(always)]
pub fn task_pwd(task: Address) -> Option<Place> {
    place(follow(task + off!(task_fs))? + off!(fs_pwd))
}

/// The file behind one of the task's descriptors.
#[inline(always)]
pub fn task_file(task: Address, descriptor: u32) -> Option<Address> {
    let files = follow(task + off!(task_files))?;
    let table = follow(files + off!(files_table))?;
    if descriptor >= read::<u32>(table + off!(table_length))? {
        return None;
    }
    let entries = follow(table + off!(table_files))?;
    follow(entries + u64::from(descriptor) * 8)
}

/// What tells a directory from another: its dentry and its inode's number.
#[inline(always)]
pub fn directory_identity(dentry: Address) -> [u64; 2] {
    let inode = follow(dentry + off!(dentry_inode)).unwrap_or(0);
    [dentry, read(inode + off!(inode_number)).unwrap_or(0)]
}

/// What tells a file from another over its being made anew: its parent's dentry and the hash of its name.
#[inline(always)]
pub fn file_identity(dentry: Address) -> [u64; 2] {
    [
        read(dentry + off!(dentry_parent)).unwrap_or(0),
        read(dentry + off!(dentry_name) + off!(name_hash)).unwrap_or(0),
    ]
}

/// The mode of a dentry's inode, 0 if it has none.
#[inline(always)]
pub fn inode_mode(dentry: Address) -> u16 {
    follow(dentry + off!(dentry_inode))
        .and_then(|inode| read(inode + off!(inode_mode)))
        .unwrap_or(0)
}
