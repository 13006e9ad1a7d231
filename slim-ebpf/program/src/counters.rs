//! Counters that several CPUs add to at once.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use crate::maps::state;
use crate::shared::Lost;

/// Adds one to a counter of losses.
#[inline(always)]
pub fn lost(which: impl FnOnce(&mut Lost) -> *mut u64) {
    add(which(unsafe { &mut (*state()).lost }));
}

/// Adds one, whoever else does.
#[inline(always)]
pub fn add(counter: *mut u64) {
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, 1) };
}

/// Adds one, and returns what it was. (`core::sync::atomic` has no `fetch_add` for a target without compare-and-swap.)
/// LLVM 22 turns a relaxed one into the instruction that returns nothing, whether the result is used or not.
#[inline(always)]
pub fn fetch_add<T: Copy + From<u8>>(counter: *mut T) -> T {
    unsafe { atomic_xadd::<T, T, { AtomicOrdering::AcqRel }>(counter, T::from(1)) }
}
