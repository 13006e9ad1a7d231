//! System calls, on their way out: number, arguments and result are in the registers, strings are resident.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, generated};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use crate::shared::{Call, NUMBERS, Rare, RareKey, X32_BIT, abi, call};

use crate::kernel::{config, current, off, read};
use crate::maps::{AT_HAND, CALLS, COUNTS, RARE};
use crate::{files, scope, sockets, tasks};

/// The greatest error number.
const MAX_ERRNO: u64 = 4095;

/// `TS_COMPAT` of `thread_info.status`: the task entered through a 32-bit entry (arch/x86/include/asm/thread_info.h).
const TS_COMPAT: u32 = 2;

/// One call that returned.
#[repr(C)]
pub struct Returned {
    pub task: u64,
    /// Nothing, the six arguments, the result: as rows name them.
    pub args: [u64; 8],
    /// The flags that matter.
    pub flags: u64,
    pub slot: u32,
    pub abi: u32,
    pub number: u32,
    pub errno: u32,
    pub row: Call,
}

/// Every system call passes here.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn sys_exit(ctx: RawTracePointContext) -> i32 {
    let _ = returned(ctx.arg(0), ctx.arg(1));
    0
}

#[inline(always)]
fn returned(regs: u64, result: u64) -> Option<()> {
    scope::inside()?;
    let task = tasks::entry(scope::thread())?;
    let slot = tasks::slot(task);
    let task = current();
    let number = read::<i64>(regs + off!(regs_number))?;
    let compat = read::<u32>(task + off!(task_status))? & TS_COMPAT != 0;
    let (abi, number) = if number < 0 {
        // A signal handler's return restores the registers, this one to -1.
        let abi = if compat { abi::COMPAT } else { abi::NATIVE };
        (abi, config!(sigreturn[abi as usize]))
    } else if compat {
        (abi::COMPAT, number as u32)
    } else if number as u32 & X32_BIT != 0 {
        (abi::X32, number as u32 & !X32_BIT)
    } else {
        (abi::NATIVE, number as u32)
    };
    let failed = result >= MAX_ERRNO.wrapping_neg();
    if !failed && executes(abi, number) {
        // Counted when it happened, for the program that asked.
        return None;
    }
    if failed {
        let args = arguments(regs, abi)?;
        count(slot, abi, number);
        fail(slot, abi, number, (result as u32).wrapping_neg(), args);
    } else {
        count(slot, abi, number);
    }
    if number as usize >= NUMBERS {
        return None;
    }
    let row = CALLS.get_ptr(number + if abi == abi::COMPAT { NUMBERS as u32 } else { 0 })?;
    let row = unsafe { &*row };
    if row.kind == call::NONE {
        return None;
    }
    let call = unsafe { &mut *AT_HAND.get_ptr_mut(0)? };
    call.task = task;
    let [a, b, c, d, e, f] = arguments(regs, abi)?;
    call.args = [0, a, b, c, d, e, f, result];
    call.slot = slot;
    call.abi = abi;
    call.number = number;
    call.errno = if failed { (result as u32).wrapping_neg() } else { 0 };
    call.row = *row;
    if row.kind >= call::SOCKET {
        sockets::used();
        return Some(());
    }
    if files::used(call) {
        files::one(0);
        if row.path2 != 0 {
            files::one(1);
        }
    }
    Some(())
}

/// The six arguments, from the registers that the ABI passes them in.
#[inline(always)]
fn arguments(regs: u64, abi: u32) -> Option<[u64; 6]> {
    Some(if abi == abi::COMPAT {
        [
            u64::from(read::<u32>(regs + off!(regs_bx))?),
            u64::from(read::<u32>(regs + off!(regs_cx))?),
            u64::from(read::<u32>(regs + off!(regs_dx))?),
            u64::from(read::<u32>(regs + off!(regs_si))?),
            u64::from(read::<u32>(regs + off!(regs_di))?),
            u64::from(read::<u32>(regs + off!(regs_bp))?),
        ]
    } else {
        [
            read(regs + off!(regs_di))?,
            read(regs + off!(regs_si))?,
            read(regs + off!(regs_dx))?,
            read(regs + off!(regs_r10))?,
            read(regs + off!(regs_r8))?,
            read(regs + off!(regs_r9))?,
        ]
    })
}

#[inline(always)]
fn executes(abi: u32, number: u32) -> bool {
    match abi {
        abi::NATIVE => number == config!(exec[0]) || number == config!(exec[1]),
        abi::COMPAT => number == config!(exec[2]) || number == config!(exec[3]),
        _ => false,
    }
}

/// Counts a call: in its slot's row, or among the rare ones.
#[inline(always)]
fn count(slot: u32, abi: u32, number: u32) {
    if abi == abi::NATIVE && (number as usize) < NUMBERS {
        let shards = config!(shards);
        let row = slot * (shards + 1) + (unsafe { bpf_get_smp_processor_id() } & shards);
        if let Some(row) = COUNTS.get_ptr_mut(row) {
            let counters = row.cast::<u64>();
            scope::add(unsafe { counters.add((number & (NUMBERS as u32 - 1)) as usize) });
        }
    } else if let Some(rare) = rare(slot, abi, number) {
        scope::add(unsafe { &raw mut (*rare).count });
    }
}

/// Counts a failure, and keeps the first.
#[inline(always)]
fn fail(slot: u32, abi: u32, number: u32, errno: u32, args: [u64; 6]) {
    let Some(rare) = rare(slot, abi, number) else {
        return;
    };
    unsafe {
        if (*rare).failed == 0 {
            (*rare).errno = u64::from(errno);
            (*rare).args = args;
        }
        scope::add(&raw mut (*rare).failed);
    }
}

/// The entry among the rare calls.
#[inline(always)]
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
pub fn never_returned(slot: u32, number: i64) {
    if number < 0 {
        return;
    }
    let number = number as u32;
    match abi() {
        abi::COMPAT if number == config!(exit[2]) || number == config!(exit[3]) => {
            count(slot, abi::COMPAT, number);
        }
        abi::NATIVE if number == config!(exit[0]) || number == config!(exit[1]) => {
            count(slot, abi::NATIVE, number);
        }
        _ => {}
    }
}

/// The ABI and number of the call that the running task is in.
#[inline(always)]
pub fn pending() -> (u32, u32) {
    let regs = unsafe { generated::bpf_task_pt_regs(generated::bpf_get_current_task_btf()) } as u64;
    match read::<i64>(regs + off!(regs_number)) {
        Some(number) if number >= 0 => (abi(), number as u32 & !X32_BIT),
        _ => (abi::NATIVE, u32::MAX),
    }
}

/// The running task executes a program: `execve` does not return.
#[inline(always)]
pub fn executed(slot: u32) {
    let regs = unsafe { generated::bpf_task_pt_regs(generated::bpf_get_current_task_btf()) } as u64;
    let Some(number) = read::<i64>(regs + off!(regs_number)) else {
        return;
    };
    let abi = abi();
    if number >= 0 && executes(abi, number as u32) {
        count(slot, abi, number as u32);
    }
}

/// The ABI that the running task entered through.
#[inline(always)]
fn abi() -> u32 {
    match read::<u32>(current() + off!(task_status)) {
        Some(status) if status & TS_COMPAT != 0 => abi::COMPAT,
        _ => abi::NATIVE,
    }
}
