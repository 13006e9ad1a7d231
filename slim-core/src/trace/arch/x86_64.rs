//! x86-64, with the 32-bit ABI of i386 and the x32 one.

use libseccomp::ScmpArch;

/// The machine's own ABI.
pub(in crate::trace) const NATIVE: ScmpArch = ScmpArch::X8664;

/// The 32-bit compatibility ABI.
pub(in crate::trace) const COMPAT: ScmpArch = ScmpArch::X86;

/// The x32 ABI: the native numbers with a bit of their own.
pub(in crate::trace) const X32: ScmpArch = ScmpArch::X32;
