//! The differences between machines: the ABIs by libseccomp's names.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{COMPAT, NATIVE, X32};

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "slim traces on x86-64 only so far. Another architecture needs a module beside x86_64.rs in slim-core/src/trace/arch and in slim-ebpf/program/src/arch, and the names of its registers in slim_ebpf::Offsets."
);
