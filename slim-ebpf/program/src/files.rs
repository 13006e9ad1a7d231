//! Files that calls name: the path as asked, where it starts, and where a descriptor remains the file itself.

use aya_ebpf::helpers::bpf_probe_read_user;
use crate::shared::{FileEvent, call, event, mark};

use crate::calls::Returned;
use crate::emit::{self, Record};
use crate::kernel::{
    Place, bound, current, directory_identity, file_identity, file_place, loaded_identity, off, read, task_file, task_pwd,
    task_root,
};
use crate::maps::{AT_HAND, STATE};
use crate::{scope, tasks};

/// No descriptor.
const NONE: u32 = u32::MAX;
/// No place.
const NOWHERE: Place = Place { mount: 0, dentry: 0 };
const AT_FDCWD: u32 = -100i32 as u32;
const PROT_EXEC: u64 = 4;
const MAP_ANONYMOUS: u64 = 0x20;
/// `FMODE_CREATED` of `file.f_mode` (include/linux/fs.h): this open made the file.
const FMODE_CREATED: u32 = 0x10_0000;

const EPERM: u32 = 1;
const EBADF: u32 = 9;
const EFAULT: u32 = 14;
const EINVAL: u32 = 22;
const ENAMETOOLONG: u32 = 36;
const ENOSYS: u32 = 38;

/// A call that names files has returned: whether they are looked at.
#[inline(always)]
pub fn used(call: &mut Returned) -> bool {
    let row = call.row;
    let mut flags = argument(call, row.flags);
    if row.kind == call::MAP {
        if flags & PROT_EXEC == 0 || call.args[4] & MAP_ANONYMOUS != 0 || call.errno != 0 {
            return false;
        }
    }
    if row.kind == call::HOW {
        flags = unsafe { bpf_probe_read_user(flags as *const u64) }.unwrap_or(0);
    }
    call.flags = flags & u64::from(row.mask);
    call.errno != ENAMETOOLONG
}

/// Argument number `at`, from 1; 0 for none, and the result for [`call::RESULT`].
#[inline(always)]
pub fn argument(call: &Returned, at: u8) -> u64 {
    unsafe { *call.args.as_ptr().add(bound(u32::from(at), 7) as usize) }
}

/// The first (0) or second (1) path of the call at hand, or its descriptor.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn one(side: u32) -> u32 {
    u32::from(look(side).is_some())
}

#[inline(always)]
fn look(side: u32) -> Option<()> {
    let call = unsafe { &*AT_HAND.get_ptr(0)? };
    let row = &call.row;
    let state = STATE.get_ptr_mut(0)?;
    let current = current();
    let (path, dir) = if side == 0 { (row.path, row.dir) } else { (row.path2, row.dir2) };
    // An Option's other half would be left undefined, which the verifier does not like to see copied.
    let mut descriptor = NONE;
    if side == 0 && row.fd != 0 {
        descriptor = argument(call, row.fd) as u32;
    }
    let flags = call.flags;
    let mut record = Record::new::<FileEvent>()?;
    let mut marks = 0;
    let mut asked = 0;
    let directory = match dir {
        0 => AT_FDCWD,
        at => argument(call, at) as u32,
    };
    let mut relative = false;
    if path != 0 {
        let from = argument(call, path);
        match record.ask(from) {
            Ok(0) | Err(()) if row.empty != 0 && directory != AT_FDCWD => {
                if row.empty == call::KNOWN {
                    return None;
                }
                // The descriptor itself is meant.
                descriptor = directory;
            }
            Ok(length) => {
                marks |= mark::ASKED;
                asked = length;
                relative = length == 0 || record.first() != b'/';
            }
            Err(()) => {
                // The kernel read it if it looked the path up; these say that it may not have come so far.
                if !matches!(call.errno, EFAULT | EPERM | EINVAL | ENOSYS | EBADF) {
                    scope::lost(|lost| &raw mut lost.string);
                }
                return None;
            }
        }
    }

    // The file itself.
    let mut file = NOWHERE;
    let mut identity = [0; 2];
    if descriptor != NONE
        && call.errno == 0
        && let Some(open) = task_file(current, descriptor)
        && let Some(place) = file_place(open)
    {
        identity = file_identity(place.dentry);
        if row.fd == call::RESULT && read::<u32>(open + off!(file_mode)).unwrap_or(0) & FMODE_CREATED != 0 {
            marks |= mark::CREATED;
        }
        file = place;
    }
    if marks & mark::ASKED == 0 && file.dentry == 0 {
        return None;
    }

    // Where the asked path starts.
    let root = task_root(current);
    if root.dentry == unsafe { (*state).host } {
        // The runtime, before it enters the container.
        return None;
    }
    let end = tasks::container_root(state, root.dentry);
    let mut start = NOWHERE;
    let mut identity_start = [0; 2];
    if marks & mark::ASKED != 0 {
        if !relative {
            if root.dentry != end {
                start = root;
                identity_start = loaded_identity(root.dentry);
            }
        } else if directory == AT_FDCWD {
            start = task_pwd(current);
            identity_start = loaded_identity(start.dentry);
        } else if let Some(place) = task_file(current, directory).and_then(file_place) {
            start = place;
            identity_start = directory_identity(start.dentry);
        }
    }

    let head = record.head::<FileEvent>();
    unsafe {
        (*head).kind = event::FILE;
        (*head).number = call.number;
        (*head).abi = call.abi;
        (*head).side = side;
        (*head).slot = call.slot;
        (*head).errno = call.errno;
        (*head).flags = flags;
        (*head).marks = marks;
        (*head).asked = asked;
        (*head).truth = 0;
        (*head).base = 0;
        (*head).start = identity_start;
        (*head).file = identity;
    }
    let unique = emit::unique(size_of::<FileEvent>(), size_of::<FileEvent>(), asked);
    if emit::told(&unique) || !emit::claim(&unique) {
        return None;
    }
    let mut truth = 0;
    if file.dentry != 0 {
        let walked = record.walk(file, end);
        marks |= emit::truth_marks(&walked);
        truth = walked.length;
    }
    let mut base = 0;
    if start.dentry != 0 {
        let walked = record.walk(start, end);
        marks |= emit::base_marks(&walked);
        base = walked.length;
    }
    unsafe {
        (*head).marks = marks;
        (*head).truth = truth;
        (*head).base = base;
    }
    if !record.send(asked) {
        emit::unclaim(&unique);
    }
    Some(())
}
