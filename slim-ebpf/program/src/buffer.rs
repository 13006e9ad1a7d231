//! The buffer of each CPU: where a record is built, and where the call at hand stands.

use crate::kernel::{Address, bound};
use crate::maps::BUFFERS;
use crate::shared::{BUFFER, HEAD, PATH_MAX, Unique};
use crate::types::Returned;
use crate::value::{Integers, Lookup, Value};

/// Mask of positions in the buffer, and of lengths.
pub(crate) const MASK: u32 = 0x3fff;

/// Bytes kept free in front of the walked paths.
pub(crate) const FRONT: u32 = 8;

/// The buffer of this CPU.
#[derive(Clone, Copy)]
pub(crate) struct Buffer(Value<[u8; BUFFER]>);

impl Buffer {
    /// Returns the buffer of the CPU that the program runs on. No two programs use it at once: one is not interrupted by
    /// another of this object on the same CPU.
    #[inline(always)]
    pub(crate) fn get() -> Option<Self> {
        BUFFERS.value(0).map(Self)
    }

    /// Returns the buffer that the call at hand stands in.
    #[inline(always)]
    pub(crate) fn around(call: Value<Returned>) -> Self {
        // SAFETY: the only call at hand is the one at this position of a buffer.
        Self(unsafe { Value::new(call.pointer().cast::<u8>().sub(CALL).cast()) })
    }

    /// Returns the value of type `T` at the constant position `AT`.
    #[inline(always)]
    pub(crate) fn value<T: Integers, const AT: usize>(self) -> Value<T> {
        const { assert!(AT + size_of::<T>() <= BUFFER && AT.is_multiple_of(align_of::<T>())) };
        // SAFETY: it lies within the buffer and is aligned, as just asserted, and any bytes are a `T`.
        unsafe { Value::new(self.0.pointer().cast::<u8>().add(AT).cast()) }
    }

    /// Returns the byte at `at`, a position that is bounded by [`MASK`] in a way that the verifier follows. Behind it are
    /// as many bytes at least.
    #[inline(always)]
    pub(crate) fn byte(self, at: u32) -> Value<u8> {
        // SAFETY: the verifier refuses the program unless `at` is within the buffer.
        unsafe { Value::new(self.0.pointer().cast::<u8>().add(at as usize)) }
    }

    /// Returns the string behind a head of `head` bytes, whole words, in words.
    #[inline(always)]
    pub(crate) fn text(self, head: u32) -> Value<[u64; PATH_MAX / 8]> {
        // SAFETY: as in `byte`; a head has at most 512 bytes, and `HEAD` leaves the longest string behind it.
        unsafe { Value::new(self.0.pointer().cast::<u8>().add(HEAD + head as usize).cast()) }
    }

    /// Returns the word at `at`, a position whose lower bits are ignored and which is bounded here.
    #[inline(always)]
    pub(crate) fn word(self, at: u32) -> Value<u64> {
        // SAFETY: the bound is below the size of the buffer, and a multiple of eight.
        unsafe { Value::new(self.0.pointer().cast::<u8>().add(bound(at, MASK & !7) as usize).cast()) }
    }
}

/// Leaves a place in the buffer.
#[inline(always)]
pub(crate) fn set_place(mount: Address, dentry: Address) {
    if let Some(buffer) = Buffer::get() {
        buffer.value::<u64, PLACE>().set_volatile(mount);
        buffer.value::<u64, { PLACE + 8 }>().set_volatile(dentry);
    }
}

/// Returns a pointer as a number: the verifier refuses arithmetic on pointers, but what comes out of a map is a number to it.
#[inline(always)]
pub(crate) fn number(pointer: Address) -> u64 {
    set_place(0, pointer);
    match Buffer::get() {
        Some(buffer) => buffer.value::<u64, { PLACE + 8 }>().get_volatile(),
        None => 0,
    }
}

/// Returns the call at hand. Functions that the verifier looks at on their own share it.
#[inline(always)]
pub(crate) fn call_at_hand() -> Option<Value<Returned>> {
    Some(Buffer::get()?.value::<Returned, CALL>())
}

/// The position of mount, dentry and root for `walk_path`.
pub(crate) const PLACE: usize = BUFFER - 24;

/// The position of the key that `reserve` makes.
pub(crate) const UNIQUE: usize = PLACE - size_of::<Unique>();

/// The position of the call at hand.
pub(crate) const CALL: usize = UNIQUE - size_of::<Returned>();

const _: () = assert!(2 * (MASK as usize) < BUFFER);
const _: () = assert!(CALL > MASK as usize + 256 && CALL.is_multiple_of(8));
const _: () = assert!(HEAD >= 2 * PATH_MAX + 512);
