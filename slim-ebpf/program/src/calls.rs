//! System calls, on their way out: number, arguments and result are in the registers, strings are resident.

use core::hint::cold_path;

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::kernel::{bound, config, current, registers};
use crate::maps::{self, COUNTS, RARE, control};
use crate::tasks::NOEXIST;
use crate::value::{Lookup, Value, field};
use crate::shared::{Call, NUMBERS, Rare, RareKey, SOCKET_TYPE, X32_BIT, abi, call};
use crate::{arch, arguments, buffer, counters, files, scope, sockets, tasks};

/// The greatest error number.
const MAX_ERRNO: u64 = 4095;

/// Every system call passes here. Its tracepoint is a typed one: of its registers the verifier knows that they are
/// there, and to load one is a single instruction.
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    let _ = returned(ctx.arg(0), ctx.arg(1));
    0
}

#[inline(always)]
fn returned(regs: u64, result: u64) -> Option<()> {
    let current = current();
    let cpu = cpu();
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
        // Counted when it happened, for the program that called it.
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
    let call = buffer::call_at_hand()?;
    let [a, b, c, d, e, f] = arch::arguments(regs, abi);
    field!(call, args).set([0, a, b, c, d, e, f, result]);
    field!(call, what).set(u64::from(number) | u64::from(slot) << 32);
    field!(call, how).set(if failed { result.wrapping_neg() } else { 0 } | u64::from(abi) << 16);
    if failed {
        cold_path();
        count_failure();
        if kind == call::NONE {
            return None;
        }
    }
    let row = copy_row(row, field!(call, row));
    if row.kind >= call::SOCKET {
        if row.kind == call::ARGUMENT {
            arguments::count_argument(call.argument(row.flags) as u32 & row.mask, 0);
            return Some(());
        }
        if row.kind == call::SOCKET {
            arguments::count_argument(a as u32, b as u32 & SOCKET_TYPE);
        }
        if sockets::record_socket() == 0 || row.kind != call::ADDRESS {
            return Some(());
        }
        // A unix socket's path is a file's, behind the address's family.
        let kept = field!(call, row);
        field!(kept, dir).set(0);
        field!(kept, flags).set(0);
        field!(call, flags).set(0);
        let address = field!(call, args).at::<7>(bound(u32::from(row.path), 7));
        address.set(address.get().wrapping_add(2));
        files::record_file(0);
    } else if files::is_recorded(call) {
        // Not from memory, where it was just put: looking at the path waits for this.
        let from = match row.path {
            1 => a,
            2 => b,
            3 => c,
            _ => call.argument(row.path),
        };
        files::record_first_file(call, current, from);
        if row.path2 != 0 {
            files::record_file(1);
        }
    }
    Some(())
}

/// Copies a row of the table word by word, and returns it: for a whole one the compiler would call a function that goes byte
/// by byte.
#[inline(always)]
fn copy_row(from: Value<Call>, to: Value<Call>) -> Call {
    let words = |row: Value<Call>| {
        let pointer = row.pointer().cast::<[u32; size_of::<Call>() / 4]>();
        // SAFETY: a row is made of integers without padding and aligned for its word, `mask`: it is as many words.
        unsafe { Value::new(pointer) }
    };
    let [first, paths, mask] = [0, 1, 2].map(|at| {
        let word = words(from).element(at).get_volatile();
        words(to).element(at).set_volatile(word);
        word
    });
    let [kind, path, dir, path2] = first.to_ne_bytes();
    let [dir2, fd, flags, empty] = paths.to_ne_bytes();
    Call {
        kind,
        path,
        dir,
        path2,
        dir2,
        fd,
        flags,
        empty,
        mask,
    }
}

const _: () = assert!(size_of::<Call>() == 12 && core::mem::offset_of!(Call, dir2) == 4 && core::mem::offset_of!(Call, mask) == 8);

/// Returns the program's treatment of a call, by its row.
#[inline(always)]
fn kind(row: Value<Call>) -> u8 {
    field!(row, kind).get_volatile()
}

/// Returns the number of the CPU that the program runs on.
#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: the helper takes nothing.
    unsafe { bpf_get_smp_processor_id() }
}

/// Returns the slot that the running task's calls are counted in, and its row of [`COUNTS`]; none if it is not the container's.
#[inline(always)]
fn slot(current: u64, cpu: u32) -> Option<(u32, u32)> {
    let generation = maps::generation().get_volatile();
    let epoch = control!(epoch);
    let last = maps::last_task(cpu);
    if cpu < maps::REMEMBERING
        && field!(last, task).get() == current
        && field!(last, generation).get() == generation
        && field!(last, epoch).get() == epoch
    {
        return Some((field!(last, slot).get(), field!(last, row).get()));
    }
    cold_path();
    scope::inside(current)?;
    let slot = tasks::slot(tasks::entry(scope::thread())?);
    let row = counts(slot, cpu);
    if cpu < maps::REMEMBERING {
        field!(last, task).set(current);
        field!(last, generation).set(generation);
        field!(last, epoch).set(epoch);
        field!(last, slot).set(slot);
        field!(last, row).set(row);
    }
    Some((slot, row))
}

/// Returns the row of [`COUNTS`] for a slot on a CPU.
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
        counters::add(field!(rare, count));
    }
}

/// Counts a native call with a number below [`NUMBERS`].
#[inline(always)]
fn count_native(row: u32, number: u32) {
    if let Some(row) = COUNTS.value(row) {
        let counter = row.at::<{ NUMBERS as u32 - 1 }>(number);
        if config!(single_writer) == 0 {
            counters::add(counter);
        } else {
            // No other CPU counts in this row, and on this one the program is not interrupted by itself.
            counter.set_volatile(counter.get_volatile() + 1);
        }
    }
}

/// Counts a failure of the call at hand, and keeps the arguments of the first.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn count_failure() -> u32 {
    let Some(call) = buffer::call_at_hand() else {
        return 0;
    };
    let Some(rare) = rare(call.slot(), call.abi(), call.number()) else {
        return 0;
    };
    if field!(rare, failed).get() == 0 {
        field!(rare, errno).set(u64::from(call.errno()));
        for at in 0..6 {
            field!(rare, args).element(at).set_volatile(field!(call, args).element(1 + at).get());
        }
    }
    counters::add(field!(rare, failed));
    1
}

/// Returns the entry among the rare calls. A function, so that its new entry does not stand on every call's stack.
#[inline(never)]
fn rare(slot: u32, abi: u32, number: u32) -> Option<Value<Rare>> {
    let key = RareKey { slot, abi, number };
    if let Some(rare) = RARE.value(key) {
        return Some(rare);
    }
    let none = Rare {
        count: 0,
        failed: 0,
        errno: 0,
        args: [0; 6],
    };
    let _ = RARE.insert(key, none, NOEXIST);
    let rare = RARE.value(key);
    if rare.is_none() {
        counters::lost(|lost| field!(lost, map));
    }
    rare
}

/// A task ends: if it is in `exit` or `exit_group`, that is a call too.
#[inline(always)]
pub(crate) fn never_returned(slot: u32, current: u64) {
    let row = counts(slot, cpu());
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

/// Returns the ABI and number of the call that the running task is in.
#[inline(always)]
pub(crate) fn pending(current: u64) -> (u32, u32) {
    let number = arch::system_call_number(registers(current)) as i64;
    let compat = arch::is_compat(current);
    let abi = if compat { abi::COMPAT } else { abi::NATIVE };
    if number < 0 { (abi, u32::MAX) } else { (abi, number as u32 & !X32_BIT) }
}

/// The running task executes a program: `execve` does not return.
#[inline(always)]
pub(crate) fn executed(slot: u32, current: u64) {
    let (abi, number) = pending(current);
    let row = maps::call(abi, number);
    if (number as usize) < NUMBERS && kind(row) == call::EXECUTE {
        count(slot, counts(slot, cpu()), abi, number);
    }
}
