//! System calls, on their way out: number, arguments and result are in the registers, strings are resident.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use crate::shared::{Call, NUMBERS, Rare, RareKey, SOCKET_TYPE, X32_BIT, abi, call};

use crate::kernel::{bound, config, current, load, masked, off, registers};
use crate::maps::{self, COUNTS, RARE, control};
use crate::{arguments, emit, files, scope, sockets, tasks};

/// The greatest error number.
const MAX_ERRNO: u64 = 4095;

/// `TS_COMPAT` of `thread_info.status`: the task entered through a 32-bit entry (arch/x86/include/asm/thread_info.h).
const TS_COMPAT: u32 = 2;

/// A task of the container, and where its calls are counted. A task makes many calls in a row: remembering it spares
/// looking it up. (One that left the container's cgroup would be missed only from the next exec or exit on; none does.)
#[repr(C, align(64))]
pub struct Last {
    pub task: u64,
    pub generation: u32,
    pub epoch: u32,
    pub slot: u32,
}

impl Last {
    pub const fn none() -> Self {
        Self {
            task: 0,
            generation: 0,
            epoch: 0,
            slot: 0,
        }
    }
}

/// One call that returned.
#[repr(C)]
pub struct Returned {
    /// Nothing, the six arguments, the result: as rows name them.
    pub args: [u64; 8],
    /// The flags that matter.
    pub flags: u64,
    /// Number, and from bit 32 on the slot.
    pub what: u64,
    /// Error number, and from bit 16 on the ABI.
    pub how: u64,
    pub row: Call,
}

impl Returned {
    #[inline(always)]
    pub fn number(&self) -> u32 {
        self.what as u32
    }

    #[inline(always)]
    pub fn slot(&self) -> u32 {
        (self.what >> 32) as u32
    }

    #[inline(always)]
    pub fn errno(&self) -> u32 {
        self.how as u32 & 0xffff
    }

    #[inline(always)]
    pub fn abi(&self) -> u32 {
        (self.how >> 16) as u32
    }
}

/// Every system call passes here. Its tracepoint is a typed one: of its registers the verifier knows that they are
/// there, and to load one is a single instruction.
#[btf_tracepoint(function = "sys_exit")]
pub fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    let _ = returned(ctx.arg(0), ctx.arg(1));
    0
}

#[inline(always)]
fn returned(regs: u64, result: u64) -> Option<()> {
    let current = current();
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let slot = slot(current, cpu)?;
    let number: u64 = load(regs + off!(regs_number));
    let compat = load::<u32>(current + off!(task_status)) & TS_COMPAT != 0;
    let failed = result >= MAX_ERRNO.wrapping_neg();
    if number < NUMBERS as u64 && !compat && !failed && kind(maps::call(number as u32)) == call::NONE {
        // Most calls.
        count(slot, abi::NATIVE, number as u32, cpu);
        return None;
    }
    let (abi, number) = if (number as i64) < 0 {
        // A signal handler's return restores the registers, this one to -1.
        if compat { (abi::COMPAT, config!(sigreturn32)) } else { (abi::NATIVE, config!(sigreturn)) }
    } else if compat {
        (abi::COMPAT, number as u32)
    } else if number as u32 & X32_BIT != 0 {
        (abi::X32, number as u32 & !X32_BIT)
    } else {
        (abi::NATIVE, number as u32)
    };
    let row = maps::call(number + if abi == abi::COMPAT { NUMBERS as u32 } else { 0 });
    let plain = number as usize >= NUMBERS || kind(row) == call::NONE;
    if !plain && !failed && executes(abi, number) {
        // Counted when it happened, for the program that asked.
        return None;
    }
    count(slot, abi, number, cpu);
    if plain && !failed {
        return None;
    }
    let call = unsafe { &mut *emit::at_hand()? };
    let [a, b, c, d, e, f] = arguments(regs, abi);
    call.args = [0, a, b, c, d, e, f, result];
    call.what = u64::from(number) | u64::from(slot) << 32;
    call.how = if failed { result.wrapping_neg() } else { 0 } | u64::from(abi) << 16;
    if failed {
        fail();
    }
    if plain {
        return None;
    }
    // Word by word: the compiler would call a function that goes byte by byte.
    for word in 0..size_of::<Call>() / 4 {
        unsafe {
            let word_of = row.cast::<u32>().add(word).read_volatile();
            (&raw mut call.row).cast::<u32>().add(word).write_volatile(word_of);
        }
    }
    let row = call.row;
    if row.kind >= call::SOCKET {
        if row.kind == call::ARGUMENT {
            arguments::asked(files::argument(call, row.flags) as u32 & row.mask, 0);
            return Some(());
        }
        if row.kind == call::SOCKET {
            arguments::asked(call.args[1] as u32, call.args[2] as u32 & SOCKET_TYPE);
        }
        if sockets::used() == 0 || row.kind != call::ADDRESS {
            return Some(());
        }
        // A unix socket's path is a file's, behind the address's family.
        call.row.dir = 0;
        call.row.flags = 0;
        call.flags = 0;
        let at = bound(u32::from(row.path), 7) as usize;
        call.args[at] = call.args[at].wrapping_add(2);
        files::one(0);
    } else if files::used(call) {
        files::first(call, current);
        if row.path2 != 0 {
            files::one(1);
        }
    }
    Some(())
}

/// What is done with a call, by its row.
#[inline(always)]
fn kind(row: *const Call) -> u8 {
    unsafe { (&raw const (*row).kind).read_volatile() }
}

/// Where the running task's calls are counted; none if it is not the container's.
#[inline(always)]
fn slot(current: u64, cpu: u32) -> Option<u32> {
    let generation = unsafe { core::ptr::read_volatile(&raw const (*maps::state()).generation) };
    let epoch = control!(epoch);
    let last = unsafe { &mut *maps::last(cpu) };
    if cpu < maps::REMEMBERING && last.task == current && last.generation == generation && last.epoch == epoch {
        return Some(last.slot);
    }
    scope::inside(current)?;
    let slot = tasks::slot(tasks::entry(scope::thread())?);
    if cpu < maps::REMEMBERING {
        last.task = current;
        last.generation = generation;
        last.epoch = epoch;
        last.slot = slot;
    }
    Some(slot)
}

/// The six arguments, from the registers that the ABI passes them in.
#[inline(always)]
fn arguments(regs: u64, abi: u32) -> [u64; 6] {
    if abi == abi::COMPAT {
        [
            u64::from(load::<u32>(regs + off!(regs_bx))),
            u64::from(load::<u32>(regs + off!(regs_cx))),
            u64::from(load::<u32>(regs + off!(regs_dx))),
            u64::from(load::<u32>(regs + off!(regs_si))),
            u64::from(load::<u32>(regs + off!(regs_di))),
            u64::from(load::<u32>(regs + off!(regs_bp))),
        ]
    } else {
        [
            load(regs + off!(regs_di)),
            load(regs + off!(regs_si)),
            load(regs + off!(regs_dx)),
            load(regs + off!(regs_r10)),
            load(regs + off!(regs_r8)),
            load(regs + off!(regs_r9)),
        ]
    }
}

#[inline(always)]
fn executes(abi: u32, number: u32) -> bool {
    match abi {
        abi::NATIVE => number == config!(execve) || number == config!(execveat),
        abi::COMPAT => number == config!(execve32) || number == config!(execveat32),
        _ => false,
    }
}

/// Counts a call: in its slot's row, or among the rare ones.
#[inline(always)]
fn count(slot: u32, abi: u32, number: u32, cpu: u32) {
    if abi == abi::NATIVE && (number as usize) < NUMBERS {
        let shards = config!(shards);
        let row = slot * (shards + 1) + (cpu & shards);
        if let Some(row) = COUNTS.get_ptr_mut(row) {
            let counters = row.cast::<u64>();
            let counter = unsafe { counters.add(masked::<{ NUMBERS as u32 - 1 }>(number)) };
            if config!(alone) == 0 {
                scope::add(counter);
            } else {
                // No other CPU counts in this row, and on this one the program is not interrupted by itself.
                unsafe { core::ptr::write_volatile(counter, core::ptr::read_volatile(counter) + 1) };
            }
        }
    } else if let Some(rare) = rare(slot, abi, number) {
        scope::add(unsafe { &raw mut (*rare).count });
    }
}

/// The call at hand has failed: counts that, and keeps the first.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn fail() -> u32 {
    let Some(call) = emit::at_hand() else {
        return 0;
    };
    let call = unsafe { &*call };
    let Some(rare) = rare(call.slot(), call.abi(), call.number()) else {
        return 0;
    };
    unsafe {
        if (*rare).failed == 0 {
            (*rare).errno = u64::from(call.errno());
            for at in 0..6 {
                (&raw mut (*rare).args[at]).write_volatile(call.args[1 + at]);
            }
        }
        scope::add(&raw mut (*rare).failed);
    }
    1
}

/// The entry among the rare calls. A function, so that its new entry does not stand on every call's stack.
#[inline(never)]
fn rare(slot: u32, abi: u32, number: u32) -> Option<*mut Rare> {
    let key = RareKey { slot, abi, number };
    if let Some(rare) = RARE.get_ptr_mut(key) {
        return Some(rare);
    }
    const NOEXIST: u64 = 1;
    let none = Rare {
        count: 0,
        failed: 0,
        errno: 0,
        args: [0; 6],
    };
    let _ = RARE.insert(key, none, NOEXIST);
    let rare = RARE.get_ptr_mut(key);
    if rare.is_none() {
        scope::lost(|lost| &raw mut lost.map);
    }
    rare
}

/// A task ends: if it is in `exit` or `exit_group`, that is a call too.
#[inline(always)]
pub fn never_returned(slot: u32, current: u64) {
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let (abi, number) = pending(current);
    match abi {
        abi::COMPAT if number == config!(exit32) || number == config!(exit_group32) => {
            count(slot, abi::COMPAT, number, cpu);
        }
        abi::NATIVE if number == config!(exit) || number == config!(exit_group) => {
            count(slot, abi::NATIVE, number, cpu);
        }
        _ => {}
    }
}

/// The ABI and number of the call that the running task is in.
#[inline(always)]
pub fn pending(current: u64) -> (u32, u32) {
    let number: i64 = load(registers(current) + off!(regs_number));
    let compat = load::<u32>(current + off!(task_status)) & TS_COMPAT != 0;
    let abi = if compat { abi::COMPAT } else { abi::NATIVE };
    if number < 0 { (abi, u32::MAX) } else { (abi, number as u32 & !X32_BIT) }
}

/// The running task executes a program: `execve` does not return.
#[inline(always)]
pub fn executed(slot: u32, current: u64) {
    let (abi, number) = pending(current);
    if executes(abi, number) {
        count(slot, abi, number, unsafe { bpf_get_smp_processor_id() });
    }
}
