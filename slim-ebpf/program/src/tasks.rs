//! The container's tasks: their entries, and the slots that their calls are counted in.

use crate::kernel::config;
use crate::maps::{self, SLOTS, TASKS, control};
use crate::shared::{NO_PHASE, SlotKey, Task, actor};
use crate::counters;

/// Inserts only a key that is not there (`BPF_NOEXIST`).
pub const NOEXIST: u64 = 1;

/// The running task's entry. A task without one has joined the cgroup: the runtime brought it in.
#[inline(always)]
pub fn entry(thread: u32) -> Option<*mut Task> {
    if let Some(task) = TASKS.get_ptr_mut(thread) {
        return Some(task);
    }
    let new = Task {
        slot: 0,
        phase: NO_PHASE,
        actor: actor::RUNTIME,
        program: 0,
    };
    if TASKS.insert(thread, new, NOEXIST).is_err() {
        counters::lost(|lost| &raw mut lost.map);
    }
    TASKS.get_ptr_mut(thread)
}

/// The slot of a task in the phase that it is.
#[inline(always)]
pub fn slot(task: *mut Task) -> u32 {
    let phase = control!(phase);
    unsafe {
        if (*task).phase != phase {
            (*task).slot = slot_of((*task).program, phase, (*task).actor);
            (*task).phase = phase;
        }
        (*task).slot
    }
}

/// The slot for these three: the one they have, or a new one.
#[inline(never)]
fn slot_of(program: u32, phase: u32, actor: u32) -> u32 {
    let key = SlotKey { program, phase, actor };
    if let Some(slot) = SLOTS.get_ptr(key) {
        return unsafe { *slot };
    }
    let next = counters::fetch_add(unsafe { &raw mut (*maps::state()).slots });
    if next >= config!(slots) {
        counters::lost(|lost| &raw mut lost.map);
        return 0;
    }
    let _ = SLOTS.insert(key, next, NOEXIST);
    // Another CPU may have been faster.
    match SLOTS.get_ptr(key) {
        Some(slot) => unsafe { *slot },
        None => {
            counters::lost(|lost| &raw mut lost.map);
            0
        }
    }
}
