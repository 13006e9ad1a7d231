//! The values that only the program keeps: in its maps, and in the buffer of the call at hand.

use crate::shared::Call;
use crate::value::{Value, field};

/// A task of the container, and the place that its calls are counted in. A task makes many calls in a row: remembering it
/// spares looking it up. (One that left the container's cgroup would be missed only from the next exec or exit on; none does.)
#[repr(C, align(64))]
pub(crate) struct LastTask {
    /// The address of its `task_struct`.
    pub task: u64,
    /// The generation of tasks that it was remembered in.
    pub generation: u32,
    /// The epoch of the settings that it was remembered in.
    pub epoch: u32,
    /// Its slot.
    pub slot: u32,
    /// The row of [`COUNTS`](crate::maps::COUNTS) for that slot on this CPU.
    pub row: u32,
}

impl LastTask {
    /// No task.
    pub(crate) const fn none() -> Self {
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
#[derive(Clone, Copy)]
pub(crate) struct Returned {
    /// Nothing, the six arguments, the result: in the order that rows number them.
    pub args: [u64; 8],
    /// The flags that matter.
    pub flags: u64,
    /// Number, and from bit 32 on the slot.
    pub what: u64,
    /// Error number, and from bit 16 on the ABI.
    pub how: u64,
    /// Its row of the table of calls.
    pub row: Call,
}

impl Value<Returned> {
    /// Returns the call's number.
    #[inline(always)]
    pub(crate) fn number(self) -> u32 {
        field!(self, what).get() as u32
    }

    /// Returns the slot that it is counted in.
    #[inline(always)]
    pub(crate) fn slot(self) -> u32 {
        (field!(self, what).get() >> 32) as u32
    }

    /// Returns the error number, 0 for success.
    #[inline(always)]
    pub(crate) fn errno(self) -> u32 {
        field!(self, how).get() as u32 & 0xffff
    }

    /// Returns the ABI.
    #[inline(always)]
    pub(crate) fn abi(self) -> u32 {
        (field!(self, how).get() >> 16) as u32
    }

    /// Returns argument number `at`, from 1; 0 for none, and the result for [`call::RESULT`](crate::shared::call::RESULT).
    #[inline(always)]
    pub(crate) fn argument(self, at: u8) -> u64 {
        field!(self, args).at::<7>(u32::from(at)).get()
    }
}

/// Words of an [`Identity`].
pub(crate) const IDENTITY_WORDS: usize = 8;

/// The position of the words of the file in an [`Identity`].
pub(crate) const FILE: usize = IDENTITY_WORDS - 2;

/// The part of a record's head that makes it unique, beside the requested string, whose length is in it: its beginning.
pub(crate) type Identity = [u64; IDENTITY_WORDS];

/// Number of whole words of a requested string that [`Recent`] holds.
pub(crate) const SHORT: u32 = 22;

/// A record that was sent. Two CPUs may write one at once: the sum is of one of them then, and the rest of neither.
#[repr(C, align(64))]
pub(crate) struct Recent {
    /// The sum of its identity and string.
    pub sum: u64,
    /// Its identity.
    pub identity: Identity,
    /// The last word of the string.
    pub last: u64,
    /// The whole words of the string.
    pub requested: [u64; SHORT as usize],
}
