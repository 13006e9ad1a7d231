//! Reading the kernel's structures, by the offsets that the user side resolved.

use aya_ebpf::helpers::{bpf_probe_read_kernel, bpf_probe_read_user, generated};
use core::arch::asm;
use core::hint::cold_path;

use crate::shared::{FIXED, MEMBER};
use crate::value::{Integers, Value};

/// A random key, so that nobody can make two records look alike. Written by the user side before the program is loaded.
#[unsafe(no_mangle)]
pub(crate) static SEED: [u64; 2] = [0; 2];

/// Returns the word at `AT` of [`Fixed`](crate::shared::Fixed). It is no load but a number in the instruction, which stands for
/// that word until the user side puts it there: this program reads some twenty of them for a call that names a file.
#[inline(always)]
pub(crate) fn fixed<const AT: u32>() -> u64 {
    let word: u64;
    // SAFETY: it moves a constant to a register.
    unsafe {
        asm!("{word} = {at}", word = out(reg) word, at = const FIXED | AT, options(pure, nomem, nostack, preserves_flags));
    }
    word
}

/// The offset of a member.
macro_rules! off {
    ($field:ident) => {
        $crate::kernel::fixed::<{ core::mem::offset_of!($crate::shared::Fixed, offsets.$field) as u32 / 4 }>()
    };
}
pub(crate) use off;

/// A word of the configuration.
macro_rules! config {
    ($($field:tt)+) => {
        $crate::kernel::fixed::<{ core::mem::offset_of!($crate::shared::Fixed, config.$($field)+) as u32 / 4 }>() as u32
    };
}
pub(crate) use config;

/// Defines a function that loads the member whose offset is the word at `AT` of [`Fixed`](crate::shared::Fixed): see [`load!`].
macro_rules! member {
    ($name:ident: $type:ident) => {
        /// Loads a member by the position of its offset.
        #[inline(always)]
        pub(crate) fn $name<const AT: i16>(base: Address) -> $type {
            let value: u64;
            // SAFETY: one load. The verifier takes it from a pointer whose type it knows alone, and the kernel gives 0 where
            // nothing is mapped.
            unsafe {
                asm!(
                    concat!("{value} = *(", stringify!($type), " *)({base} - {at})"),
                    value = out(reg) value,
                    base = in(reg) base,
                    at = const (MEMBER + AT).unsigned_abs(),
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
            value as $type
        }
    };
}
member!(member: u64);
member!(member32: u32);

/// Loads a member behind a pointer whose type the verifier knows: one from [`current`] or [`registers`], or loaded
/// from there in turn. It is one instruction where [`read`] is several calls, and gives 0 where nothing is mapped.
macro_rules! load {
    ($base:expr, $field:ident) => {
        $crate::kernel::member::<{ core::mem::offset_of!($crate::shared::Fixed, offsets.$field) as i16 / 4 }>($base)
    };
    ($base:expr, $field:ident: u32) => {
        $crate::kernel::member32::<{ core::mem::offset_of!($crate::shared::Fixed, offsets.$field) as i16 / 4 }>($base)
    };
}
pub(crate) use load;

/// A kernel address.
pub(crate) type Address = u64;

/// Reads a value from kernel memory; none if the address is not mapped.
#[inline(always)]
pub(crate) fn read<T: Integers>(address: Address) -> Option<T> {
    // SAFETY: the helper reads any address, and fails where nothing is mapped; any bytes are a `T`.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Reads a value from the application's memory; none if the address is not mapped.
#[inline(always)]
pub(crate) fn read_user<T: Integers>(address: u64) -> Option<T> {
    // SAFETY: as in `read`.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// Follows a pointer; none for a null pointer.
#[inline(always)]
pub(crate) fn follow(address: Address) -> Option<Address> {
    read::<u64>(address).filter(|&to| to != 0)
}

/// Copies kernel memory to a value, and returns whether it could be read.
#[inline(always)]
pub(crate) fn copy(to: Value<u8>, length: u32, from: Address) -> bool {
    // SAFETY: the verifier refuses the program unless so many bytes are within the value; the helper fails where nothing is
    // mapped at `from`.
    unsafe { generated::bpf_probe_read_kernel(to.pointer().cast(), length, from as *const _) == 0 }
}

/// Returns a number below a power of two, in a way that the verifier can follow: the compiler must not see that it was bounded
/// before.
#[inline(always)]
pub(crate) fn bound(number: u32, mask: u32) -> u32 {
    core::hint::black_box(number) & mask
}

/// The same in one instruction. (The other one forgets more of the number, which some places need lest the verifier
/// follow each of its values.)
#[inline(always)]
pub(crate) fn masked<const MASK: u32>(number: u32) -> usize {
    let mut number = u64::from(number);
    // SAFETY: it changes a register.
    unsafe {
        asm!("{number} &= {mask}", number = inout(reg) number, mask = const MASK, options(pure, nomem, nostack, preserves_flags));
    }
    number as usize
}

/// Returns the running task, of a type that the verifier knows.
#[inline(always)]
pub(crate) fn current() -> Address {
    // SAFETY: the helper takes nothing.
    unsafe { generated::bpf_get_current_task_btf() as u64 }
}

/// Returns the registers that the running task came into the kernel with, of a type that the verifier knows.
#[inline(always)]
pub(crate) fn registers(current: Address) -> Address {
    // SAFETY: the verifier refuses any argument but a task of a type that it knows.
    unsafe { generated::bpf_task_pt_regs(current as *mut _) as u64 }
}

/// A mount and a dentry in it, as the kernel's `struct path`.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The mount.
    pub mount: Address,
    /// The dentry.
    pub dentry: Address,
}

/// Returns the dentry of a file.
#[inline(always)]
pub(crate) fn file_dentry(file: Address) -> Option<Address> {
    follow(file + off!(file_dentry))
}

/// Returns the place of a file. Only with `read`: the pointer's type is not known.
#[inline(always)]
pub(crate) fn file_place(file: Address) -> Option<Place> {
    Some(Place {
        mount: read(file + off!(file_mount))?,
        dentry: file_dentry(file)?,
    })
}

/// Returns a task's root directory.
#[inline(always)]
pub(crate) fn task_root(task: Address) -> Place {
    let fs = load!(task, task_fs);
    Place {
        mount: load!(fs, root_mount),
        dentry: load!(fs, root_dentry),
    }
}

/// Returns the running task's working directory.
#[inline(always)]
pub(crate) fn task_pwd(current: Address) -> Place {
    let fs = load!(current, task_fs);
    Place {
        mount: load!(fs, pwd_mount),
        dentry: load!(fs, pwd_dentry),
    }
}

/// Returns the file behind one of the running task's descriptors.
#[inline(always)]
pub(crate) fn task_file(current: Address, descriptor: u32) -> Option<Address> {
    let table = load!(load!(current, task_files), files_table);
    if descriptor >= load!(table, table_length: u32) {
        return None;
    }
    let entries = load!(table, table_files);
    follow(entries + u64::from(descriptor) * 8)
}

/// Returns the file behind one of the running task's descriptors, and its [`file_identity`]; `number` makes a pointer a number.
/// In the table that a process starts with, all of it is loaded: three helper calls less.
#[inline(always)]
pub(crate) fn opened(current: Address, descriptor: u32, number: impl FnOnce(Address) -> u64) -> Option<(Address, [u64; 2])> {
    let files = load!(current, task_files);
    if load!(files, files_table) == files + off!(files_first) {
        let file = entry(files, descriptor)?;
        let dentry = load!(file, file_dentry);
        let parent = load!(dentry, dentry_parent);
        // In two: to 6.1 they are members of their own and not one of 64 bits.
        let (hash, length) = (load!(dentry, dentry_hash: u32), load!(dentry, dentry_length: u32));
        let hash = u64::from(hash) | u64::from(length) << 32;
        return (dentry != 0).then(|| (file, [number(parent), hash]));
    }
    cold_path();
    let file = task_file(current, descriptor)?;
    Some((file, file_identity(file_dentry(file)?)))
}

/// Returns an entry of the array that every process's files begin in, of a type that the verifier knows: it takes no offset that
/// varies, so each of them has an instruction of its own.
#[inline(always)]
fn entry(files: Address, at: u32) -> Option<Address> {
    let mut array = files;
    // The compiler must not take the other pointer that is known to be the same: to the verifier it has no type.
    // SAFETY: it adds to a register.
    unsafe {
        asm!(
            "{array} += {offset}",
            array = inout(reg) array,
            offset = in(reg) off!(files_array),
            options(pure, nomem, nostack)
        );
    }
    macro_rules! entries {
        ($($at:literal)*) => {
            match at {
                $($at => {
                    let file: Address;
                    // SAFETY: as in `member!`; the verifier checks that the offset is in the array.
                    unsafe {
                        asm!(
                            "{file} = *(u64 *)({array} + {offset})",
                            file = out(reg) file,
                            array = in(reg) array,
                            offset = const $at * 8,
                            options(readonly, nostack, preserves_flags)
                        );
                    }
                    Some(file)
                })*
                _ => None,
            }
        };
    }
    entries!(
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36
        37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    )
}

/// Returns the identity of a directory: its dentry and its inode's number.
#[inline(always)]
pub(crate) fn directory_identity(dentry: Address) -> [u64; 2] {
    let inode = follow(dentry + off!(dentry_inode)).unwrap_or(0);
    [dentry, read(inode + off!(inode_number)).unwrap_or(0)]
}

/// Returns the same for a dentry that was loaded.
#[inline(always)]
pub(crate) fn loaded_identity(dentry: Address) -> [u64; 2] {
    [dentry, load!(load!(dentry, dentry_inode), inode_number)]
}

/// Returns the identity of a file, which it keeps when it is made anew: its parent's dentry and the hash of its name.
#[inline(always)]
pub(crate) fn file_identity(dentry: Address) -> [u64; 2] {
    let (parent, hash) = (off!(dentry_parent), off!(dentry_hash));
    if hash == parent + 8 {
        // They stand side by side in every kernel so far.
        return read(dentry + parent).unwrap_or([0; 2]);
    }
    [read(dentry + parent).unwrap_or(0), read(dentry + hash).unwrap_or(0)]
}
