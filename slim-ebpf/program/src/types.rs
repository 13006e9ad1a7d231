//! The values that only the program keeps: in its maps, and in the buffer of the call at hand.

use crate::shared::Call;

/// A task of the container, and where its calls are counted. A task makes many calls in a row: remembering it spares
/// looking it up. (One that left the container's cgroup would be missed only from the next exec or exit on; none does.)
#[repr(C, align(64))]
pub struct Last {
    pub task: u64,
    pub generation: u32,
    pub epoch: u32,
    pub slot: u32,
    /// The row of [`COUNTS`] for that slot on this CPU.
    pub row: u32,
}

impl Last {
    pub const fn none() -> Self {
        Self {
            task: 0,
            generation: 0,
            epoch: 0,
            slot: 0,
            row: 0,
        }
    }
}

/// One call that returned.
#[repr(C)]
pub struct Returned {
    /// Nothing, the six arguments, the result: as rows name them.
    pub args: [u64; 8],
    /// The flags that matter.
    pub flags: u64,
    /// Number, and from bit 32 on the slot.
    pub what: u64,
    /// Error number, and from bit 16 on the ABI.
    pub how: u64,
    pub row: Call,
}

impl Returned {
    #[inline(always)]
    pub fn number(&self) -> u32 {
        self.what as u32
    }

    #[inline(always)]
    pub fn slot(&self) -> u32 {
        (self.what >> 32) as u32
    }

    #[inline(always)]
    pub fn errno(&self) -> u32 {
        self.how as u32 & 0xffff
    }

    #[inline(always)]
    pub fn abi(&self) -> u32 {
        (self.how >> 16) as u32
    }
}

/// Words of [`Says`].
pub const SAYS: usize = 8;

/// Which of them tell the file.
pub const FILE: usize = SAYS - 2;

/// What a record says beside the asked string, whose length is in it: the beginning of its head.
pub type Says = [u64; SAYS];

/// Whole words of the asked string that [`Recent`] has room for.
pub const SHORT: u32 = 22;

/// Something that was told. Two CPUs may write one at once: the sum is of one of them then, and of what stands there
/// of neither.
#[repr(C, align(64))]
pub struct Recent {
    /// The sum of all that it says.
    pub sum: u64,
    /// What it says beside the string.
    pub says: Says,
    /// The last word of the string.
    pub last: u64,
    /// The whole words of the string.
    pub asked: [u64; SHORT as usize],
}
