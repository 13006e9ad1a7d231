//! Capability checks.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use crate::shared::CapabilityKey;

use crate::kernel::{current, load, off};
use crate::maps::CAPABILITIES;
use crate::{calls, scope, tasks};

/// The kernel asked whether somebody has a capability: `(cred, target_ns, capable_ns, cap, ret)`.
#[raw_tracepoint(tracepoint = "cap_capable")]
pub fn cap_capable(ctx: RawTracePointContext) -> i32 {
    let _ = asked(ctx.arg(0), ctx.arg(3), ctx.arg(4));
    0
}

#[inline(always)]
fn asked(cred: u64, capability: i32, result: i32) -> Option<()> {
    let current = current();
    scope::inside(current)?;
    // Not under the credentials that a stacked file system acts with in the task's place.
    if load::<u64>(current + off!(task_cred)) != cred || load::<u64>(current + off!(task_real_cred)) != cred {
        return None;
    }
    let task = tasks::entry(scope::thread())?;
    let (abi, number) = calls::pending(current);
    let key = CapabilityKey {
        slot: tasks::slot(task),
        capability: capability as u32,
        granted: u32::from(result == 0),
        abi,
        number,
    };
    if let Some(count) = CAPABILITIES.get_ptr_mut(key) {
        scope::add(count);
        return Some(());
    }
    const NOEXIST: u64 = 1;
    const EEXIST: i32 = -17;
    match CAPABILITIES.insert(key, 1, NOEXIST) {
        Ok(()) => {}
        Err(EEXIST) => scope::add(CAPABILITIES.get_ptr_mut(key)?),
        Err(_) => scope::lost(|lost| &raw mut lost.map),
    }
    Some(())
}
