//! x86-64, with the 32-bit ABI of i386 and the x32 one.

use crate::kernel::{Address, config, load};
use crate::shared::{X32_BIT, abi};

/// `TS_COMPAT` of `thread_info.status`: the task entered through a 32-bit entry (arch/x86/include/asm/thread_info.h).
const TS_COMPAT: u32 = 2;

/// Returns whether the running task entered the kernel through the 32-bit ABI.
#[inline(always)]
pub(crate) fn is_compat(current: Address) -> bool {
    load!(current, task_status: u32) & TS_COMPAT != 0
}

/// Returns the number of the system call, as the task passed it.
#[inline(always)]
pub(crate) fn system_call_number(regs: Address) -> u64 {
    load!(regs, regs_number)
}

/// Returns the address at which the task goes on.
#[inline(always)]
pub(crate) fn instruction_pointer(regs: Address) -> Address {
    load!(regs, regs_ip)
}

/// Returns the six arguments, from the registers that the ABI passes them in.
#[inline(always)]
pub(crate) fn arguments(regs: Address, abi: u32) -> [u64; 6] {
    if abi == abi::COMPAT {
        [
            u64::from(load!(regs, regs_bx: u32)),
            u64::from(load!(regs, regs_cx: u32)),
            u64::from(load!(regs, regs_dx: u32)),
            u64::from(load!(regs, regs_si: u32)),
            u64::from(load!(regs, regs_di: u32)),
            u64::from(load!(regs, regs_bp: u32)),
        ]
    } else {
        [
            load!(regs, regs_di),
            load!(regs, regs_si),
            load!(regs, regs_dx),
            load!(regs, regs_r10),
            load!(regs, regs_r8),
            load!(regs, regs_r9),
        ]
    }
}

/// Returns the ABI and number of a call that did not come in as a native one of a usual number.
#[inline(always)]
pub(crate) fn foreign_call(number: u64, compat: bool) -> (u32, u32) {
    if (number as i64) < 0 {
        // A signal handler's return restores the registers, this one to -1.
        if compat { (abi::COMPAT, config!(sigreturn32)) } else { (abi::NATIVE, config!(sigreturn)) }
    } else if compat {
        (abi::COMPAT, number as u32)
    } else if number as u32 & X32_BIT != 0 {
        (abi::X32, number as u32 & !X32_BIT)
    } else {
        (abi::NATIVE, number as u32)
    }
}
