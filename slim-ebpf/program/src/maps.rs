//! The maps. Their sizes are set by the user side before they are created.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use crate::calls::{Last, Returned};
use crate::shared::{
    ArgumentKey, BUFFER, Call, CapabilityKey, Control, Counts, Rare, RareKey, SlotKey, State, Task, Unique,
};

/// What the user side says while the program runs.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// What the program found out.
#[map]
pub static STATE: Array<State> = Array::with_max_entries(1, 0);

/// How each call names its files: 512 rows of the native ABI, 512 of the compat one.
#[map]
pub static CALLS: Array<Call> = Array::with_max_entries(1024, 0);

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

/// Some of what was told already, by the low bits of its key.
#[map]
pub static RECENT: Array<Unique> = Array::with_max_entries(RECENT_ENTRIES, 0);

/// What is new.
#[map]
pub static RING: RingBuf = RingBuf::with_byte_size(4096, 0);

/// The last task that made a call on each CPU.
#[map]
pub static LAST: PerCpuArray<Last> = PerCpuArray::with_max_entries(1, 0);

/// The call at hand. Functions that the verifier looks at on their own share it.
#[map]
pub static AT_HAND: PerCpuArray<Returned> = PerCpuArray::with_max_entries(1, 0);

/// Where records are built.
#[map]
pub static BUFFERS: PerCpuArray<[u8; BUFFER]> = PerCpuArray::with_max_entries(1, 0);
