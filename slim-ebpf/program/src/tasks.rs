//! The container's tasks: their entries, and the slots that their calls are counted in.

use crate::counters;
use crate::kernel::config;
use crate::maps::{self, SLOTS, TASKS, control};
use crate::shared::{NO_PHASE, SlotKey, Task, actor};
use crate::value::{Lookup, Value, field};

/// Inserts only a key that is not there (`BPF_NOEXIST`).
pub(crate) const NOEXIST: u64 = 1;

/// The key is there: another CPU was faster.
pub(crate) const EEXIST: i32 = -17;

/// Returns the running task's entry. A task without one has joined the cgroup: the runtime brought it in.
#[inline(always)]
pub(crate) fn entry(thread: u32) -> Option<Value<Task>> {
    if let Some(task) = TASKS.value(thread) {
        return Some(task);
    }
    let new = Task {
        slot: 0,
        phase: NO_PHASE,
        actor: actor::RUNTIME,
        program: 0,
    };
    if TASKS.insert(thread, new, NOEXIST).is_err() {
        counters::lost(|lost| field!(lost, map));
    }
    TASKS.value(thread)
}

/// Returns the slot of a task in the present phase.
#[inline(always)]
pub(crate) fn slot(task: Value<Task>) -> u32 {
    let phase = control!(phase);
    if field!(task, phase).get() != phase {
        let slot = slot_of(field!(task, program).get(), phase, field!(task, actor).get());
        field!(task, slot).set(slot);
        field!(task, phase).set(phase);
    }
    field!(task, slot).get()
}

/// Returns the slot for these three: the one they have, or a new one.
#[inline(never)]
fn slot_of(program: u32, phase: u32, actor: u32) -> u32 {
    let key = SlotKey { program, phase, actor };
    if let Some(slot) = SLOTS.value(key) {
        return slot.get();
    }
    let next = counters::fetch_add(field!(maps::state(), slots));
    if next >= config!(slots) {
        counters::lost(|lost| field!(lost, map));
        return 0;
    }
    let _ = SLOTS.insert(key, next, NOEXIST);
    // Another CPU may have been faster.
    match SLOTS.value(key) {
        Some(slot) => slot.get(),
        None => {
            counters::lost(|lost| field!(lost, map));
            0
        }
    }
}
