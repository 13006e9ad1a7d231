//! Values of maps and variables, which other CPUs may use at the same time.

use core::borrow::Borrow;
use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::maps::{Array, HashMap, PerCpuArray};

use crate::kernel::masked;
use crate::shared::{ExecEvent, FileEvent, SocketEvent, Unique};
use crate::types::Returned;

/// A type of which any bytes are a value.
///
/// # Safety
/// It is an integer, or made of integers alone.
pub(crate) unsafe trait Integers: Copy {}

macro_rules! integers {
    ($($type:ty),*) => { $(
        // SAFETY: it is one, or a structure whose fields are.
        unsafe impl Integers for $type {}
    )* };
}
integers!(u8, u16, u32, i32, u64, Unique, Returned, FileEvent, ExecEvent, SocketEvent);

// SAFETY: its elements are integers.
unsafe impl<T: Integers, const N: usize> Integers for [T; N] {}

/// A pointer to a value that a map or a variable of this program holds, or to a part of one.
///
/// Such a value is there, aligned and made of plain integers, for as long as the program runs: the kernel frees no value of a
/// map before, not even one that is removed. No reference to it is made, since another CPU may write it at the same time.
pub(crate) struct Value<T>(*mut T);

impl<T> Clone for Value<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Value<T> {}

impl<T> Value<T> {
    /// Returns the value at `pointer`.
    ///
    /// # Safety
    /// It points to a whole `T`, aligned, within a value of a map or variable of this program, and any bytes there are a `T`.
    #[inline(always)]
    pub(crate) const unsafe fn new(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// Returns the pointer.
    #[inline(always)]
    pub(crate) fn pointer(self) -> *mut T {
        self.0
    }

    /// Writes the value.
    #[inline(always)]
    pub(crate) fn set(self, value: T) {
        // SAFETY: the type's promise. Who reads meanwhile gets old or new words, and each is a number.
        unsafe { *self.0 = value }
    }

    /// Writes the value by an instruction that the compiler leaves where it is.
    #[inline(always)]
    pub(crate) fn set_volatile(self, value: T) {
        // SAFETY: as for `set`.
        unsafe { write_volatile(self.0, value) }
    }
}

impl<T: Copy> Value<T> {
    /// Reads the value.
    #[inline(always)]
    pub(crate) fn get(self) -> T {
        // SAFETY: the type's promise. Who writes meanwhile writes words, and any words are a value.
        unsafe { *self.0 }
    }

    /// Reads the value by an instruction that the compiler leaves where it is: one that the user side or another CPU
    /// changes.
    #[inline(always)]
    pub(crate) fn get_volatile(self) -> T {
        // SAFETY: as for `get`.
        unsafe { read_volatile(self.0) }
    }
}

impl<T, const N: usize> Value<[T; N]> {
    /// Returns the element at the lower bits of `at`, as far as `MASK` goes.
    #[inline(always)]
    pub(crate) fn at<const MASK: u32>(self, at: u32) -> Value<T> {
        const { assert!((MASK as usize) < N) };
        // SAFETY: a masked number is at most the mask, which is below the number of elements.
        Value(unsafe { self.0.cast::<T>().add(masked::<MASK>(at)) })
    }

    /// Returns the element at `at`, and the first one in the place of one beyond the end. For positions that the compiler
    /// knows to be within: nothing is left of the comparison.
    #[inline(always)]
    pub(crate) fn element(self, at: usize) -> Value<T> {
        let at = if at < N { at } else { 0 };
        // SAFETY: it is below the number of elements.
        Value(unsafe { self.0.cast::<T>().add(at) })
    }
}

/// A key that stands in a value is looked up where it stands.
impl Borrow<Unique> for Value<Unique> {
    #[inline(always)]
    fn borrow(&self) -> &Unique {
        // SAFETY: keys stand in the buffer of this CPU, which no other one writes; the reference ends with the look-up.
        unsafe { &*self.0 }
    }
}

/// A field of a [`Value`], which is one too.
macro_rules! field {
    ($value:expr, $field:ident) => {{
        let whole = $value.pointer();
        // SAFETY: a field of a whole value lies within it.
        unsafe { $crate::value::Value::new(&raw mut (*whole).$field) }
    }};
}
pub(crate) use field;

/// A variable of this program as a [`Value`].
macro_rules! variable {
    ($name:path) => {
        // SAFETY: a variable is there as long as the program, and is made of integers.
        unsafe { $crate::value::Value::new(&raw mut $name) }
    };
}
pub(crate) use variable;

/// A map whose values are looked up by key.
pub(crate) trait Lookup<K, V> {
    /// Returns the value of `key`.
    fn value(&self, key: impl Borrow<K>) -> Option<Value<V>>;
}

impl<K, V> Lookup<K, V> for HashMap<K, V> {
    #[inline(always)]
    fn value(&self, key: impl Borrow<K>) -> Option<Value<V>> {
        self.get_ptr_mut(key).map(Value)
    }
}

impl<V> Lookup<u32, V> for Array<V> {
    #[inline(always)]
    fn value(&self, key: impl Borrow<u32>) -> Option<Value<V>> {
        self.get_ptr_mut(*key.borrow()).map(Value)
    }
}

impl<V> Lookup<u32, V> for PerCpuArray<V> {
    #[inline(always)]
    fn value(&self, key: impl Borrow<u32>) -> Option<Value<V>> {
        self.get_ptr_mut(*key.borrow()).map(Value)
    }
}
