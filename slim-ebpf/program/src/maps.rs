//! The maps. Their sizes are set by the user side before they are created.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};

use crate::kernel::masked;
use crate::shared::{
    ArgumentKey, BUFFER, Call, Calls, CapabilityKey, Control, Counts, ID, NUMBERS, Rare, RareKey, SlotKey, State, Task, Unique, abi,
};
use crate::types::{Last, Recent};

/// What the user side says while the program runs. Not a map but a variable, which is a map of one value to the user
/// side: it is reached without a look-up. To be read with [`control!`] only: the compiler sees nobody write it.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.control")]
pub static mut CONTROL: Control = Control {
    phase: 0,
    epoch: 0,
    wanted: 0,
    unused: 0,
    id: [0; ID],
};

/// What the program found out. A variable for the same reason.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.state")]
static mut STATE: State = State::nothing();

/// A field of [`CONTROL`].
macro_rules! control {
    ($field:ident) => {
        unsafe { core::ptr::read_volatile(&raw const $crate::maps::CONTROL.$field) }
    };
}
pub(crate) use control;

/// [`STATE`].
#[inline(always)]
pub fn state() -> *mut State {
    &raw mut STATE
}

/// How each call names its files. A variable, too.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.calls")]
static mut CALLS: Calls = [Call::nothing(); 2 * NUMBERS];

/// The row of a call with a number below [`NUMBERS`] in [`CALLS`]. To be read volatile: the compiler sees nobody write it.
#[inline(always)]
pub fn call(abi: u32, number: u32) -> *const Call {
    let row = number.wrapping_add(if abi == abi::COMPAT { NUMBERS as u32 } else { 0 });
    unsafe { (&raw const CALLS).cast::<Call>().add(masked::<{ 2 * NUMBERS as u32 - 1 }>(row)) }
}

/// The container's tasks, by thread id.
#[map]
pub static TASKS: HashMap<u32, Task> = HashMap::with_max_entries(1, 0);

/// Programs, by identity.
#[map]
pub static PROGRAMS: HashMap<Unique, u32> = HashMap::with_max_entries(1, 0);

/// Slots, by what they stand for.
#[map]
pub static SLOTS: HashMap<SlotKey, u32> = HashMap::with_max_entries(1, 0);

/// Calls of the native ABI, by slot and shard.
#[map]
pub static COUNTS: Array<Counts> = Array::with_max_entries(1, 0);

/// Failed calls, and calls of other ABIs.
#[map]
pub static RARE: HashMap<RareKey, Rare> = HashMap::with_max_entries(1, 0);

/// How often calls that can do very different things were asked for each of them.
#[map]
pub static ARGUMENTS: HashMap<ArgumentKey, u64> = HashMap::with_max_entries(1, 0);

/// Which of these calls, numbered as in [`CALLS`], were asked for more than [`ARGUMENTS`] holds.
#[map]
pub static UNBOUNDED: Array<u32> = Array::with_max_entries(1024, 0);

/// Capability checks.
#[map]
pub static CAPABILITIES: HashMap<CapabilityKey, u64> = HashMap::with_max_entries(1, 0);

/// What was told already.
#[map]
pub static TOLD: HashMap<Unique, u8> = HashMap::with_max_entries(1, 0);

/// How many entries [`RECENT`] has, a power of two.
pub const RECENT_ENTRIES: u32 = 8192;

/// Some of what was told already: one value, so that looking it up does not wait for which entry is meant. (No variable:
/// the loader would hold it in memory too.)
#[map]
static RECENT: Array<[Recent; RECENT_ENTRIES as usize]> = Array::with_max_entries(1, 0);

/// An entry of [`RECENT`].
#[inline(always)]
pub fn recent(at: u64) -> Option<*mut Recent> {
    let entries = RECENT.get_ptr_mut(0)?.cast::<Recent>();
    Some(unsafe { entries.add(masked::<{ RECENT_ENTRIES - 1 }>(at as u32)) })
}

/// What is new.
#[map]
pub static RING: RingBuf = RingBuf::with_byte_size(4096, 0);

/// CPUs that [`LAST`] has room for; calls on others are looked up one by one.
pub const REMEMBERING: u32 = 256;

/// The last task that made a call on each CPU. A variable, too.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.last")]
static mut LAST: [Last; REMEMBERING as usize] = [const { Last::none() }; REMEMBERING as usize];

/// [`LAST`] of a CPU, which has a cache line of its own.
#[inline(always)]
pub fn last(cpu: u32) -> *mut Last {
    unsafe { (&raw mut LAST).cast::<Last>().add(masked::<{ REMEMBERING - 1 }>(cpu)) }
}

/// Where records are built, and where the call at hand stands.
#[map]
pub static BUFFERS: PerCpuArray<[u8; BUFFER]> = PerCpuArray::with_max_entries(1, 0);
