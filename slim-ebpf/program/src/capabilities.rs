//! Capability checks.

use aya_ebpf::macros::{kprobe, raw_tracepoint};
use aya_ebpf::programs::{ProbeContext, RawTracePointContext};

use crate::kernel::{current, load, off, read};
use crate::maps::CAPABILITIES;
use crate::shared::CapabilityKey;
use crate::tasks::{EEXIST, NOEXIST};
use crate::value::{Lookup, field};
use crate::{calls, counters, scope, tasks};

/// The kernel checks a capability: `(cred, target_ns, capable_ns, cap, ret)`.
#[raw_tracepoint(tracepoint = "cap_capable")]
pub(crate) fn cap_capable(ctx: RawTracePointContext) -> i32 {
    let result: i32 = ctx.arg(4);
    let _ = checked(ctx.arg(0), ctx.arg(3), result == 0);
    0
}

/// The same where that tracepoint is missing, on the function's entry: `(cred, targ_ns, cap, opts)`. The verdict is not
/// known there, and taken from the capabilities in effect.
#[kprobe(function = "cap_capable")]
pub(crate) fn cap_capable_entry(ctx: ProbeContext) -> u32 {
    let _ = entered(&ctx);
    0
}

#[inline(always)]
fn entered(ctx: &ProbeContext) -> Option<()> {
    let (cred, capability, options): (u64, u32, u32) = (ctx.arg(0)?, ctx.arg(2)?, ctx.arg(3)?);
    if options & CAP_OPT_NOAUDIT != 0 {
        return None;
    }
    // Two words before 6.3, one from then on: the same bits.
    let effective = read::<u64>(cred + off!(cred_effective))?;
    checked(cred, capability as i32, effective >> (capability & 63) & 1 == 1)
}

/// `CAP_OPT_NOAUDIT` (include/linux/security.h): the check is not for the audit log.
const CAP_OPT_NOAUDIT: u32 = 2;

#[inline(always)]
fn checked(cred: u64, capability: i32, granted: bool) -> Option<()> {
    let current = current();
    scope::inside(current)?;
    // Not under the credentials that a stacked file system acts with in the task's place.
    if load!(current, task_cred) != cred || load!(current, task_real_cred) != cred {
        return None;
    }
    let task = tasks::entry(scope::thread())?;
    let (abi, number) = calls::pending(current);
    let key = CapabilityKey {
        slot: tasks::slot(task),
        capability: capability as u32,
        granted: u32::from(granted),
        abi,
        number,
    };
    if let Some(count) = CAPABILITIES.value(key) {
        counters::add(count);
        return Some(());
    }
    match CAPABILITIES.insert(key, 1, NOEXIST) {
        Ok(()) => {}
        Err(EEXIST) => counters::add(CAPABILITIES.value(key)?),
        Err(_) => counters::lost(|lost| field!(lost, map)),
    }
    Some(())
}
