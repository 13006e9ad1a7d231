//! The buffer of each CPU: where a record is built, and where the call at hand stands.

use crate::kernel::Address;
use crate::maps::BUFFERS;
use crate::shared::{BUFFER, HEAD, PATH_MAX, Unique};
use crate::types::Returned;

/// Positions in the buffer are below this, lengths too.
pub const MASK: u32 = 0x3fff;

/// Room kept in front of the walked paths.
pub const FRONT: u32 = 8;

/// Leaves a place in the buffer.
#[inline(always)]
pub fn set_place(mount: Address, dentry: Address) {
    if let Some(buffer) = BUFFERS.get_ptr_mut(0) {
        let place = unsafe { buffer.cast::<u8>().add(PLACE).cast::<u64>() };
        unsafe {
            core::ptr::write_volatile(place, mount);
            core::ptr::write_volatile(place.add(1), dentry);
        }
    }
}

/// A pointer as a number: the verifier takes none for arithmetic, but what comes out of a map is a number to it.
#[inline(always)]
pub fn number(pointer: Address) -> u64 {
    set_place(0, pointer);
    match BUFFERS.get_ptr(0) {
        Some(buffer) => unsafe { core::ptr::read_volatile(buffer.cast::<u8>().add(PLACE + 8).cast::<u64>()) },
        None => 0,
    }
}

/// The call at hand. Functions that the verifier looks at on their own share it.
#[inline(always)]
pub fn at_hand() -> Option<*mut Returned> {
    Some(unsafe { BUFFERS.get_ptr_mut(0)?.cast::<u8>().add(CALL).cast() })
}

/// Where [`walk_path`] finds mount, dentry and root.
pub const PLACE: usize = BUFFER - 24;

/// Where [`reserve`] leaves its key.
pub const UNIQUE: usize = PLACE - size_of::<Unique>();

/// Where the call at hand stands.
pub const CALL: usize = UNIQUE - size_of::<Returned>();

const _: () = assert!(2 * (MASK as usize) < BUFFER);
const _: () = assert!(CALL > MASK as usize + 256 && CALL.is_multiple_of(8));
const _: () = assert!(HEAD >= 2 * PATH_MAX + 512);
