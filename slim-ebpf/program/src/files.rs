//! Files that calls name: the requested path, the directory that it starts at, and where a descriptor remains the file
//! itself.

use core::ffi::c_void;
use core::hint::cold_path;
use core::mem::offset_of;

use aya_ebpf::helpers::generated;

use crate::kernel::{
    Place, current, directory_identity, file_identity, file_place, load, loaded_identity, off, opened, read,
    read_user, registers, task_file, task_pwd, task_root,
};
use crate::record::Record;
use crate::shared::{ABSENT, FileEvent, LOADER, PROTECTION, call, event, mark};
use crate::types::{Identity, Returned};
use crate::value::{Value, field};
use crate::{arch, arguments, buffer, counters, maps, scope, walk};

/// No descriptor.
const NONE: u32 = u32::MAX;
/// No place.
const NOWHERE: Place = Place { mount: 0, dentry: 0 };
const AT_FDCWD: u32 = -100i32 as u32;
const O_CREAT: u64 = 0o100;
/// The bit that sets `O_TMPFILE` apart from `O_DIRECTORY`.
const TMPFILE: u64 = 0o20_000_000;
const PROT_EXEC: u64 = 4;
const F_SETLK: u64 = 6;
const F_SETLKW: u64 = 7;
const F_OFD_SETLK: u64 = 37;
const F_OFD_SETLKW: u64 = 38;
const MAP_ANONYMOUS: u64 = 0x20;
/// `FMODE_CREATED` of `file.f_mode` (include/linux/fs.h): this open made the file.
const FMODE_CREATED: u32 = 0x10_0000;
const EPERM: u32 = 1;
const EBADF: u32 = 9;
const EFAULT: u32 = 14;
const EINVAL: u32 = 22;
const ENAMETOOLONG: u32 = 36;
const ENOSYS: u32 = 38;

/// Returns whether the files that a returned call names are recorded, and keeps the flags that matter.
#[inline(always)]
pub(crate) fn is_recorded(call: Value<Returned>) -> bool {
    let row = field!(call, row).get();
    let mut flags = call.argument(row.flags);
    match row.kind {
        call::FILE | call::EXECUTE => {}
        call::MAP => {
            arguments::count_argument(flags as u32 & PROTECTION, 0);
            if flags & PROT_EXEC == 0 || field!(call, args).element(4).get() & MAP_ANONYMOUS != 0 || call.errno() != 0 {
                return false;
            }
        }
        call::LOCK => {
            if call.errno() != 0 || !matches!(flags, F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW) {
                return false;
            }
        }
        call::HOW => flags = read_user(flags).unwrap_or(0),
        _ => return false,
    }
    field!(call, flags).set(flags & u64::from(row.mask));
    call.errno() != ENAMETOOLONG
}

/// Records the first (0) or second (1) path of the call at hand, or its descriptor.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn record_file(side: u32) -> u32 {
    let Some(mut record) = Record::new::<FileEvent>() else {
        return 0;
    };
    let call = record.call();
    let row = field!(call, row);
    let path = if side == 0 { field!(row, path) } else { field!(row, path2) };
    let from = call.argument(path.get());
    u32::from(record_path(record, current(), side, from).is_some())
}

/// Records the first path, which stands at `from`, where the buffer and the task are known.
#[inline(always)]
pub(crate) fn record_first_file(call: Value<Returned>, current: u64, from: u64) {
    let _ = record_path(Record::around::<FileEvent>(call), current, 0, from);
}

#[inline(always)]
fn record_path(mut record: Record, current: u64, side: u32, from: u64) -> Option<()> {
    let call = record.call();
    let row = field!(call, row);
    let state = maps::state();
    let (path, dir) = if side == 0 {
        (field!(row, path).get(), field!(row, dir).get())
    } else {
        (field!(row, path2).get(), field!(row, dir2).get())
    };
    // An Option's other half would be left undefined, which the verifier does not like to see copied.
    let mut descriptor = NONE;
    if side == 0 && field!(row, fd).get() != 0 {
        descriptor = call.argument(field!(row, fd).get()) as u32;
    }
    let flags = field!(call, flags).get();
    if flags & TMPFILE != 0 && field!(row, fd).get() == call::RESULT {
        // It has no name: its directory, which was requested, is recorded.
        descriptor = NONE;
    }
    let mut marks = 0;
    let mut requested = 0;
    let directory = match dir {
        0 => AT_FDCWD,
        at => call.argument(at) as u32,
    };
    let mut relative = false;
    if path != 0 {
        match record.read_requested(from) {
            Ok(0) | Err(()) if field!(row, empty).get() != 0 && directory != AT_FDCWD => {
                cold_path();
                if field!(row, empty).get() == call::KNOWN {
                    return None;
                }
                // The descriptor itself is meant.
                descriptor = directory;
            }
            // An abstract address.
            Ok(0) if field!(row, kind).get() == call::ADDRESS => return None,
            Ok(length) => {
                marks |= mark::REQUESTED;
                requested = length;
                relative = length == 0 || record.first() != b'/';
            }
            Err(()) => {
                // The kernel read it if it looked the path up; these say that it may not have come so far.
                cold_path();
                if !matches!(call.errno(), EFAULT | EPERM | EINVAL | ENOSYS | EBADF) {
                    counters::lost(|lost| field!(lost, string));
                }
                return None;
            }
        }
    }

    // The file itself.
    let mut file = 0;
    let mut identity = [0; 2];
    if descriptor != NONE
        && call.errno() == 0
        && let Some((open, known)) = opened(current, descriptor, |pointer| record.number(pointer))
    {
        identity = known;
        if flags & O_CREAT != 0 && read::<u32>(open + off!(file_mode)).unwrap_or(0) & FMODE_CREATED != 0 {
            marks |= mark::CREATED;
        }
        file = open;
    }
    if marks & mark::REQUESTED == 0 && file == 0 {
        return None;
    }

    // The directory that the requested path starts at.
    let root = task_root(current).dentry;
    if root == field!(state, host).get() {
        // The runtime, before it enters the container.
        return None;
    }
    let end = scope::container_root(state, root);
    let mut start = NOWHERE;
    let mut identity_start = [0; 2];
    if marks & mark::REQUESTED != 0 {
        if !relative {
            if root != end {
                cold_path();
                start = task_root(current);
                identity_start = loaded_identity(start.dentry);
            }
        } else if directory == AT_FDCWD {
            start = task_pwd(current);
            identity_start = loaded_identity(start.dentry);
        } else if let Some(place) = task_file(current, directory).and_then(file_place) {
            start = place;
            identity_start = directory_identity(start.dentry);
        }
    }

    let (what, how) = (field!(call, what).get(), field!(call, how).get() | u64::from(side) << 24);
    let identity = identity_of(marks, what, how, requested, flags, identity_start, identity);
    if !record.reserve(&identity, requested) {
        return None;
    }
    let head = record.head::<FileEvent>();
    let mut kernel_path = 0;
    if file != 0
        && let Some(place) = file_place(file)
    {
        let walked = record.walk(place, end);
        marks |= walk::file_marks(&walked);
        kernel_path = walked.length;
    }
    let mut base = 0;
    if start.dentry != 0 {
        let walked = record.walk(start, end);
        marks |= walk::base_marks(&walked);
        base = walked.length;
    }
    field!(head, marks).set(marks);
    field!(head, kernel_path).set(kernel_path);
    field!(head, base).set(base);
    if !record.send(requested) {
        record.release();
    }
    Some(())
}

/// Returns the identity of a [`FileEvent`] beside the requested path: its beginning, in words.
#[inline(always)]
fn identity_of(marks: u32, what: u64, how: u64, requested: u32, flags: u64, start: [u64; 2], file: [u64; 2]) -> Identity {
    [
        u64::from(event::FILE) | u64::from(marks) << 32,
        what,
        how | u64::from(requested) << 32,
        flags,
        if start[0] == 0 { 0 } else { buffer::number(start[0]) },
        start[1],
        file[0],
        file[1],
    ]
}

const _: () = assert!(size_of::<Identity>() == offset_of!(FileEvent, kernel_path));

/// The running task has executed `binary`, which runs in `slot` from now on: records the loader that the kernel
/// mapped with it. Execution goes on there, and not in the binary itself, if it has one.
#[inline(always)]
pub(crate) fn record_loader(current: u64, binary: u64, slot: u32, end: u64) -> Option<()> {
    let mut record = Record::new::<FileEvent>()?;
    buffer::set_place(0, 0);
    let ip = arch::instruction_pointer(registers(current));
    let mut unused = 0u64;
    // SAFETY: the verifier takes a task of a type that it knows alone; the callback leaves its context alone.
    unsafe {
        generated::bpf_find_vma(
            current as *mut _,
            ip,
            mapped as *const () as *mut c_void,
            (&raw mut unused).cast(),
            0,
        );
    }
    let file = record.place()?.dentry;
    let place = file_place(file)?;
    // What overlayfs maps is the file of a lower layer, behind which newer kernels keep the path that the user sees.
    let seen = match off!(backing_dentry) as u32 {
        ABSENT => NOWHERE,
        _ => Place {
            mount: read(file + off!(backing_mount)).unwrap_or(0),
            dentry: read(file + off!(backing_dentry)).unwrap_or(0),
        },
    };
    if place.dentry == binary || seen.dentry == binary {
        return None;
    }
    let what = u64::from(LOADER) | u64::from(slot) << 32;
    let identity = identity_of(0, what, 0, 0, 0, [0; 2], file_identity(place.dentry));
    if !record.reserve(&identity, 0) {
        return None;
    }
    let head = record.head::<FileEvent>();
    field!(head, base).set(0);
    let mut walked = record.walk(place, end);
    if !walked.inside {
        // Of any other file it is not a path, and does not lead here.
        record = Record::new::<FileEvent>()?;
        walked = record.walk(seen, end);
    }
    if walked.inside {
        field!(head, marks).set(walk::file_marks(&walked));
        field!(head, kernel_path).set(walked.length);
        if !record.send(0) {
            record.release();
        }
    }
    Some(())
}

/// Leaves the mapped file in the buffer, where [`Record::place`] finds it.
#[inline(never)]
extern "C" fn mapped(_: u64, vma: u64, _: u64) -> u64 {
    buffer::set_place(0, load!(vma, vma_file));
    0
}
