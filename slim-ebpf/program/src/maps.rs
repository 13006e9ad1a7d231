//! The maps. Their sizes are set by the user side before they are created.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};

use crate::shared::{
    ArgumentKey, BUFFER, Call, Calls, CapabilityKey, Control, Counts, ID, NUMBERS, Rare, RareKey, SlotKey, State, Task, Unique, abi,
};
use crate::types::{LastTask, Recent};
use crate::value::{Lookup, Value, field, variable};

/// The settings that the user side changes while the program runs. Not a map but a variable, which is a map of one value to
/// the user side: it is reached without a look-up. To be read with [`control!`] only: the compiler sees nobody write it.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.control")]
pub(crate) static mut CONTROL: Control = Control {
    phase: 0,
    epoch: 0,
    wanted: 0,
    unused: 0,
    id: [0; ID],
};

/// The program's state. A variable for the same reason.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.state")]
static mut STATE: State = State::nothing();

/// Returns [`CONTROL`].
#[inline(always)]
pub(crate) fn settings() -> Value<Control> {
    variable!(CONTROL)
}

/// Reads a field of [`CONTROL`].
macro_rules! control {
    ($field:ident) => {
        $crate::value::field!($crate::maps::settings(), $field).get_volatile()
    };
}
pub(crate) use control;

/// Returns [`STATE`].
#[inline(always)]
pub(crate) fn state() -> Value<State> {
    variable!(STATE)
}

/// The arguments by which each call names its files. A variable, too.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.calls")]
static mut CALLS: Calls = [Call::nothing(); 2 * NUMBERS];

/// Returns the row of a call with a number below [`NUMBERS`] in [`CALLS`]. To be read volatile: the compiler sees nobody
/// write it.
#[inline(always)]
pub(crate) fn call(abi: u32, number: u32) -> Value<Call> {
    let row = number.wrapping_add(if abi == abi::COMPAT { NUMBERS as u32 } else { 0 });
    variable!(CALLS).at::<{ 2 * NUMBERS as u32 - 1 }>(row)
}

/// The container's tasks, by thread id.
#[map]
pub(crate) static TASKS: HashMap<u32, Task> = HashMap::with_max_entries(1, 0);

/// Programs, by identity.
#[map]
pub(crate) static PROGRAMS: HashMap<Unique, u32> = HashMap::with_max_entries(1, 0);

/// Slots, by what they stand for.
#[map]
pub(crate) static SLOTS: HashMap<SlotKey, u32> = HashMap::with_max_entries(1, 0);

/// Calls of the native ABI, by slot and shard.
#[map]
pub(crate) static COUNTS: Array<Counts> = Array::with_max_entries(1, 0);

/// Failed calls, and calls of other ABIs.
#[map]
pub(crate) static RARE: HashMap<RareKey, Rare> = HashMap::with_max_entries(1, 0);

/// Counts of calls that can do very different things, by the arguments that decide which.
#[map]
pub(crate) static ARGUMENTS: HashMap<ArgumentKey, u64> = HashMap::with_max_entries(1, 0);

/// 1 for those of these calls, numbered as in [`CALLS`], that were made with more arguments than [`ARGUMENTS`] holds.
#[map]
pub(crate) static UNBOUNDED: Array<u32> = Array::with_max_entries(1024, 0);

/// Capability checks.
#[map]
pub(crate) static CAPABILITIES: HashMap<CapabilityKey, u64> = HashMap::with_max_entries(1, 0);

/// The records that were sent already, by the hash of their identity.
#[map]
pub(crate) static SEEN: HashMap<Unique, u8> = HashMap::with_max_entries(1, 0);

/// Number of entries of [`RECENT`], a power of two.
pub(crate) const RECENT_ENTRIES: u32 = 8192;

/// Some of the records that were sent: one value, so that looking it up does not wait for the position of the entry. (No variable:
/// the loader would hold it in memory too.)
#[map]
static RECENT: Array<[Recent; RECENT_ENTRIES as usize]> = Array::with_max_entries(1, 0);

/// Returns an entry of [`RECENT`].
#[inline(always)]
pub(crate) fn recent(at: u64) -> Option<Value<Recent>> {
    Some(RECENT.value(0)?.at::<{ RECENT_ENTRIES - 1 }>(at as u32))
}

/// The records on their way to the user side.
#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Number of CPUs that [`LAST`] remembers a task for; the tasks of others are looked up at every call.
pub(crate) const REMEMBERING: u32 = 256;

/// The last task that made a call on each CPU. A variable, too.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.last")]
static mut LAST: [LastTask; REMEMBERING as usize] = [const { LastTask::none() }; REMEMBERING as usize];

/// Returns the last task of a CPU, which has a cache line of its own.
#[inline(always)]
pub(crate) fn last_task(cpu: u32) -> Value<LastTask> {
    variable!(LAST).at::<{ REMEMBERING - 1 }>(cpu)
}

/// Returns the number of generations of tasks so far, as of now.
#[inline(always)]
pub(crate) fn generation() -> Value<u32> {
    field!(state(), generation)
}

/// The buffers that records are built in, and that the calls at hand stand in.
#[map]
pub(crate) static BUFFERS: PerCpuArray<[u8; BUFFER]> = PerCpuArray::with_max_entries(1, 0);
