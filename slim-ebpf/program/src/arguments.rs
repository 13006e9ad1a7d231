//! The arguments that decide what a call does, for the few calls that can do very different things.

use crate::maps::{ARGUMENTS, UNBOUNDED};
use crate::shared::{ArgumentKey, NUMBERS, abi};
use crate::{buffer, counters};

/// The call at hand was asked for this. More different values than there is room for are no loss: the call counts as
/// one that may be asked for anything.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn asked(value: u32, second: u32) -> u32 {
    u32::from(note(value, second).is_some())
}

#[inline(always)]
fn note(value: u32, second: u32) -> Option<()> {
    let call = unsafe { &*buffer::at_hand()? };
    let key = ArgumentKey {
        slot: call.slot(),
        abi: call.abi(),
        number: call.number(),
        value,
        second,
    };
    if let Some(count) = ARGUMENTS.get_ptr_mut(key) {
        counters::add(count);
        return Some(());
    }
    const NOEXIST: u64 = 1;
    const EEXIST: i32 = -17;
    match ARGUMENTS.insert(key, 1, NOEXIST) {
        Ok(()) => {}
        Err(EEXIST) => counters::add(ARGUMENTS.get_ptr_mut(key)?),
        Err(_) => {
            let row = call.number() + if call.abi() == abi::COMPAT { NUMBERS as u32 } else { 0 };
            unsafe { *UNBOUNDED.get_ptr_mut(row)? = 1 };
        }
    }
    Some(())
}
