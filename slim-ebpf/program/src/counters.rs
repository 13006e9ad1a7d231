//! Counters that several CPUs add to at once.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use crate::maps::state;
use crate::shared::Lost;
use crate::value::{Value, field};

/// Adds one to a counter of losses.
#[inline(always)]
pub(crate) fn lost(which: impl FnOnce(Value<Lost>) -> Value<u64>) {
    add(which(field!(state(), lost)));
}

/// Adds one, atomically.
#[inline(always)]
pub(crate) fn add(counter: Value<u64>) {
    // SAFETY: a `Value` is there, aligned and of integers, and others may use it at the same time.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter.pointer(), 1) };
}

/// Adds one, and returns the number before. (`core::sync::atomic` has no `fetch_add` for a target without
/// compare-and-swap.) LLVM 22 turns a relaxed one into the instruction that returns nothing, used or not.
#[inline(always)]
pub(crate) fn fetch_add(counter: Value<u32>) -> u32 {
    // SAFETY: as in `add`.
    unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::AcqRel }>(counter.pointer(), 1) }
}
