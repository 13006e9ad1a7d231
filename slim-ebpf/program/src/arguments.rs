//! The arguments that decide what a call does, for the few calls that can do very different things.

use crate::maps::{ARGUMENTS, UNBOUNDED};
use crate::shared::{ArgumentKey, NUMBERS, abi};
use crate::tasks::{EEXIST, NOEXIST};
use crate::value::Lookup;
use crate::{buffer, counters};

/// Counts the call at hand by its deciding arguments. More different values than fit are no loss: the call then counts as
/// one that may be called with any.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn count_argument(value: u32, value2: u32) -> u32 {
    u32::from(count(value, value2).is_some())
}

#[inline(always)]
fn count(value: u32, value2: u32) -> Option<()> {
    let call = buffer::call_at_hand()?;
    let key = ArgumentKey {
        slot: call.slot(),
        abi: call.abi(),
        number: call.number(),
        value,
        value2,
    };
    if let Some(count) = ARGUMENTS.value(key) {
        counters::add(count);
        return Some(());
    }
    match ARGUMENTS.insert(key, 1, NOEXIST) {
        Ok(()) => {}
        Err(EEXIST) => counters::add(ARGUMENTS.value(key)?),
        Err(_) => {
            let row = call.number() + if call.abi() == abi::COMPAT { NUMBERS as u32 } else { 0 };
            UNBOUNDED.value(row)?.set(1);
        }
    }
    Some(())
}
