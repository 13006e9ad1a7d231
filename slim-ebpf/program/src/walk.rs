//! Paths from dentries: from the last name up to the root, over mounts.

use aya_ebpf::helpers::generated;
use core::ffi::c_void;

use crate::buffer::{Buffer, FRONT, MASK, PLACE};
use crate::counters;
use crate::kernel::{Address, bound, copy, follow, off, read};
use crate::shared::{PATH_MAX, mark};
use crate::value::field;

/// The most steps of a walk: names and mounts.
const STEPS: u32 = 4200;

/// The result of a walk.
pub(crate) struct Walked {
    /// Length of the path, 0 if there is none.
    pub length: u32,
    /// True if it ended at the container's root.
    pub inside: bool,
    /// True if it never left the root's file system.
    pub on_root: bool,
    /// True if it was too deep.
    pub deep: bool,
}

/// The state of a walk, on the stack.
#[repr(C)]
struct Walk {
    dentry: Address,
    mount: Address,
    mount_root: Address,
    root: Address,
    at: u32,
    floor: u32,
    mounts: u32,
    end: u32,
}

const GOING: u32 = 0;
const INSIDE: u32 = 1;
const TOP: u32 = 2;
const DEEP: u32 = 3;

/// Walks from the place in the buffer to its root, and writes the path so that it ends at `begin`.
#[inline(always)]
pub(crate) fn walk_to(begin: u32) -> Walked {
    let result = walk_path(begin);
    Walked {
        length: result & MASK,
        inside: result & WALKED_INSIDE != 0,
        on_root: result & WALKED_ON_ROOT != 0,
        deep: result & WALKED_DEEP != 0,
    }
}

/// Marks of [`walk_path`]'s result beside the length.
const WALKED_INSIDE: u32 = 1 << 16;
const WALKED_ON_ROOT: u32 = 1 << 17;
const WALKED_DEEP: u32 = 1 << 18;

/// Walks from the place in the buffer to its root, and writes the path so that it ends at `begin`. Returns its length and
/// marks.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_path(begin: u32) -> u32 {
    let Some(buffer) = Buffer::get() else {
        return 0;
    };
    let begin = bound(begin, MASK);
    let mount = buffer.value::<u64, PLACE>().get();
    let dentry = buffer.value::<u64, { PLACE + 8 }>().get();
    let root = buffer.value::<u64, { PLACE + 16 }>().get();
    // Within its file system first: what was bound elsewhere is still a file of the root.
    let mut walk = Walk {
        dentry,
        mount: 0,
        mount_root: 0,
        root,
        at: begin,
        floor: begin.saturating_sub(PATH_MAX as u32).max(FRONT),
        mounts: 0,
        end: GOING,
    };
    run(&mut walk);
    let mut marks = 0;
    if walk.end == INSIDE {
        marks = WALKED_ON_ROOT;
    }
    if walk.end == TOP {
        walk.dentry = dentry;
        walk.mount = mount.wrapping_sub(off!(mount_inner));
        walk.mount_root = read(mount + off!(mount_root)).unwrap_or(0);
        walk.at = begin;
        walk.mounts = 1;
        walk.end = GOING;
        run(&mut walk);
    }
    if walk.end == INSIDE {
        marks |= WALKED_INSIDE;
    }
    if walk.end == DEEP || walk.end == GOING {
        return WALKED_DEEP;
    }
    begin.wrapping_sub(walk.at) & MASK | marks
}

#[inline(always)]
fn run(walk: &mut Walk) {
    // SAFETY: the callback takes the walk on the caller's stack, which is there until the helper returns.
    unsafe {
        generated::bpf_loop(
            STEPS,
            step as *const () as *mut c_void,
            (walk as *mut Walk).cast(),
            0,
        );
    }
}

/// One step upwards; 1 ends the walk.
#[inline(never)]
extern "C" fn step(_: u64, walk: *mut Walk) -> u64 {
    // SAFETY: `run` passes its own walk, and touches it only when the helper has returned.
    let walk = unsafe { &mut *walk };
    let end = climb(walk);
    walk.end = end;
    u64::from(end != GOING)
}

#[inline(always)]
fn climb(walk: &mut Walk) -> u32 {
    let dentry = walk.dentry;
    if dentry == walk.root {
        return INSIDE;
    }
    let Some(parent) = read::<u64>(dentry + off!(dentry_parent)) else {
        return TOP;
    };
    if walk.mounts != 0 && dentry == walk.mount_root {
        let Some(up) = read::<u64>(walk.mount + off!(mount_parent)) else {
            return TOP;
        };
        if up == walk.mount || up == 0 {
            return TOP;
        }
        let (Some(point), Some(root)) = (
            read(walk.mount + off!(mount_point)),
            read(up + off!(mount_inner) + off!(mount_root)),
        ) else {
            return TOP;
        };
        walk.dentry = point;
        walk.mount_root = root;
        walk.mount = up;
        return GOING;
    }
    if parent == dentry {
        return TOP;
    }
    let (Some(length), Some(bytes)) = (
        read::<u32>(dentry + off!(dentry_length)),
        follow(dentry + off!(dentry_name)),
    ) else {
        return TOP;
    };
    let length = length & 0xff;
    if walk.at < walk.floor + length + 1 {
        return DEEP;
    }
    let Some(buffer) = Buffer::get() else {
        return TOP;
    };
    let at = walk.at.wrapping_sub(length) & MASK;
    if !copy(buffer.byte(at), length, bytes) {
        return TOP;
    }
    let at = at.wrapping_sub(1) & MASK;
    buffer.byte(at).set(b'/');
    walk.at = at;
    walk.dentry = parent;
    GOING
}

/// Returns the marks of a walk from the file itself.
#[inline(always)]
pub(crate) fn file_marks(walked: &Walked) -> u32 {
    if walked.deep {
        counters::lost(|lost| field!(lost, deep));
        return mark::DEEP;
    }
    let mut marks = mark::RESOLVED;
    if !walked.inside {
        marks |= mark::OUTSIDE;
    }
    if walked.on_root {
        marks |= mark::ON_ROOT;
    }
    marks
}

/// Returns the marks of a walk from the directory that the requested path starts at.
#[inline(always)]
pub(crate) fn base_marks(walked: &Walked) -> u32 {
    if walked.deep {
        counters::lost(|lost| field!(lost, deep));
        return mark::DEEP;
    }
    if walked.inside { mark::BASE } else { mark::BASE | mark::BASE_OUTSIDE }
}
