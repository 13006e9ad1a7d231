//! The differences between machines: which registers a system call passes its number and arguments in, and how a task
//! of another ABI is recognised. The names of the registers are in [`Offsets`](crate::shared::Offsets).

#[cfg(bpf_target_arch = "x86_64")]
mod x86_64;
#[cfg(bpf_target_arch = "x86_64")]
pub(crate) use x86_64::{arguments, foreign_call, instruction_pointer, is_compat, system_call_number};

#[cfg(not(bpf_target_arch = "x86_64"))]
compile_error!(
    "slim's eBPF program knows the registers of x86-64 only. Another architecture needs a module beside x86_64.rs in slim-ebpf/program/src/arch and in slim-core/src/trace/arch."
);
