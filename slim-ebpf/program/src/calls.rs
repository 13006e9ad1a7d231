//! System calls, on their way out: number, arguments and result are in the registers, strings are resident.

use core::hint::cold_path;

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::kernel::{bound, config, current, masked, registers};
use crate::maps::{self, COUNTS, RARE, control};
use crate::shared::{Call, NUMBERS, Rare, RareKey, SOCKET_TYPE, X32_BIT, abi, call};
use crate::{arch, arguments, buffer, counters, files, scope, sockets, tasks};

/// The greatest error number.
const MAX_ERRNO: u64 = 4095;

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
    let (slot, counts) = slot(current, cpu)?;
    let number = arch::system_call_number(regs);
    let compat = arch::is_compat(current);
    let failed = result >= MAX_ERRNO.wrapping_neg();
    let native = number < NUMBERS as u64 && !compat;
    let (abi, number) = if native {
        (abi::NATIVE, number as u32)
    } else {
        cold_path();
        arch::foreign_call(number, compat)
    };
    let row = maps::call(abi, number);
    let kind = if (number as usize) < NUMBERS { kind(row) } else { call::NONE };
    if kind == call::EXECUTE && !failed {
        // Counted when it happened, for the program that asked.
        return None;
    }
    if native {
        count_native(counts, number);
    } else {
        cold_path();
        count(slot, counts, abi, number);
    }
    if kind == call::NONE && !failed {
        // Most calls.
        return None;
    }
    let call = unsafe { &mut *buffer::at_hand()? };
    let [a, b, c, d, e, f] = arch::arguments(regs, abi);
    call.args = [0, a, b, c, d, e, f, result];
    call.what = u64::from(number) | u64::from(slot) << 32;
    call.how = if failed { result.wrapping_neg() } else { 0 } | u64::from(abi) << 16;
    if failed {
        cold_path();
        fail();
        if kind == call::NONE {
            return None;
        }
    }
    // Word by word: the compiler would call a function that goes byte by byte.
    let mut words = [0u32; size_of::<Call>() / 4];
    for (at, word) in words.iter_mut().enumerate() {
        unsafe {
            *word = row.cast::<u32>().add(at).read_volatile();
            (&raw mut call.row).cast::<u32>().add(at).write_volatile(*word);
        }
    }
    let row: Call = unsafe { core::mem::transmute(words) };
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
        // Not from memory, where it was just put: looking at the path waits for this.
        let from = match row.path {
            1 => a,
            2 => b,
            3 => c,
            _ => files::argument(call, row.path),
        };
        files::first(call, current, from);
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

/// The slot that the running task's calls are counted in, and its row of [`COUNTS`]; none if it is not the container's.
#[inline(always)]
fn slot(current: u64, cpu: u32) -> Option<(u32, u32)> {
    let generation = unsafe { core::ptr::read_volatile(&raw const (*maps::state()).generation) };
    let epoch = control!(epoch);
    let last = unsafe { &mut *maps::last(cpu) };
    if cpu < maps::REMEMBERING && last.task == current && last.generation == generation && last.epoch == epoch {
        return Some((last.slot, last.row));
    }
    cold_path();
    scope::inside(current)?;
    let slot = tasks::slot(tasks::entry(scope::thread())?);
    let row = counts(slot, cpu);
    if cpu < maps::REMEMBERING {
        last.task = current;
        last.generation = generation;
        last.epoch = epoch;
        last.slot = slot;
        last.row = row;
    }
    Some((slot, row))
}

/// The row of [`COUNTS`] for a slot on a CPU.
#[inline(always)]
fn counts(slot: u32, cpu: u32) -> u32 {
    let shards = config!(shards);
    slot * (shards + 1) + (cpu & shards)
}

/// Counts a call: in its slot's row, or among the rare ones.
#[inline(always)]
fn count(slot: u32, row: u32, abi: u32, number: u32) {
    if abi == abi::NATIVE && (number as usize) < NUMBERS {
        count_native(row, number);
    } else if let Some(rare) = rare(slot, abi, number) {
        counters::add(unsafe { &raw mut (*rare).count });
    }
}

/// Counts a native call with a number below [`NUMBERS`].
#[inline(always)]
fn count_native(row: u32, number: u32) {
    if let Some(row) = COUNTS.get_ptr_mut(row) {
        let counter = unsafe { row.cast::<u64>().add(masked::<{ NUMBERS as u32 - 1 }>(number)) };
        if config!(alone) == 0 {
            counters::add(counter);
        } else {
            // No other CPU counts in this row, and on this one the program is not interrupted by itself.
            unsafe { core::ptr::write_volatile(counter, core::ptr::read_volatile(counter) + 1) };
        }
    }
}

/// The call at hand has failed: counts that, and keeps the first.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn fail() -> u32 {
    let Some(call) = buffer::at_hand() else {
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
        counters::add(&raw mut (*rare).failed);
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
        counters::lost(|lost| &raw mut lost.map);
    }
    rare
}

/// A task ends: if it is in `exit` or `exit_group`, that is a call too.
#[inline(always)]
pub fn never_returned(slot: u32, current: u64) {
    let row = counts(slot, unsafe { bpf_get_smp_processor_id() });
    let (abi, number) = pending(current);
    match abi {
        abi::COMPAT if number == config!(exit32) || number == config!(exit_group32) => {
            count(slot, row, abi::COMPAT, number);
        }
        abi::NATIVE if number == config!(exit) || number == config!(exit_group) => {
            count(slot, row, abi::NATIVE, number);
        }
        _ => {}
    }
}

/// The ABI and number of the call that the running task is in.
#[inline(always)]
pub fn pending(current: u64) -> (u32, u32) {
    let number = arch::system_call_number(registers(current)) as i64;
    let compat = arch::is_compat(current);
    let abi = if compat { abi::COMPAT } else { abi::NATIVE };
    if number < 0 { (abi, u32::MAX) } else { (abi, number as u32 & !X32_BIT) }
}

/// The running task executes a program: `execve` does not return.
#[inline(always)]
pub fn executed(slot: u32, current: u64) {
    let (abi, number) = pending(current);
    let row = maps::call(abi, number);
    if (number as usize) < NUMBERS && kind(row) == call::EXECUTE {
        count(slot, counts(slot, unsafe { bpf_get_smp_processor_id() }), abi, number);
    }
}
