//! slim's eBPF program, which gathers what a container's tasks do, and sends each thing once.
//!
//! Raw tracepoints only (`sys_exit` in its typed form), since those work on every supported kernel. The offsets of
//! members of the kernel's structures come from the user side ([`crate::shared::Offsets`]), which reads the running kernel's BTF.
#![no_std]
#![no_main]
#![feature(core_intrinsics, asm_experimental_arch)]
#![allow(internal_features, reason = "the one atomic addition that BPF has is no method of its atomic types")]

mod arch;
mod arguments;
mod buffer;
mod calls;
mod capabilities;
mod counters;
mod dedup;
mod files;
mod kernel;
mod lifecycle;
mod maps;
mod record;
mod scope;
mod siphash;
mod sockets;
mod tasks;
mod types;
mod value;
mod walk;

// By path and not as a dependency: a package outside of this workspace would bring its place on the disk into the bytes.
#[path = "../../src/lib.rs"]
#[allow(unused_attributes, dead_code, unreachable_pub, reason = "it is the root of a crate of its own, and serves the user side too")]
mod shared;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing here can panic; the verifier would refuse the loop.
    loop {}
}

/// Some helpers are for programs under a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
