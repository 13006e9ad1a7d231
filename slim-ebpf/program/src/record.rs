//! Building a record and sending it if it says something new.
//!
//! A record is built in one buffer around its head, which stands at [`HEAD`]: paths are walked from their end to
//! their beginning, so they grow downwards in front of it; the string that the application asked for stands behind.

use aya_ebpf::helpers::bpf_probe_read_user_str_bytes;
use aya_ebpf::helpers::generated;
use core::ffi::c_void;

use crate::buffer::{CALL, FRONT, MASK, PLACE, UNIQUE, set_place};
use crate::counters;
use crate::dedup::{key, last_word, place_of, reserve, sum_of_file};
use crate::kernel::{Address, Place, copy, masked};
use crate::maps::{self, BUFFERS, RING, TOLD};
use crate::shared::{HEAD, HEADED, PATH_MAX, Unique};
use crate::types::{FILE, Returned, SAYS, SHORT, Says};
use crate::walk::{Walked, walk_to};

/// A record that is being built.
pub struct Record {
    buffer: *mut u8,
    /// Where its first byte stands.
    start: u32,
    /// Size of its head.
    head: u32,
}

impl Record {
    /// Starts one with a head of type `T`.
    #[inline(always)]
    pub fn new<T>() -> Option<Self> {
        Self::with_head(size_of::<T>())
    }

    /// Starts one in the buffer that the call at hand stands in.
    #[inline(always)]
    pub fn around<T>(call: *mut Returned) -> Self {
        Self {
            buffer: unsafe { call.cast::<u8>().sub(CALL) },
            start: HEAD as u32,
            head: size_of::<T>() as u32,
        }
    }

    /// Starts one with a head of so many bytes, whole words.
    #[inline(always)]
    pub fn with_head(size: usize) -> Option<Self> {
        Some(Self {
            buffer: BUFFERS.get_ptr_mut(0)?.cast(),
            start: HEAD as u32,
            head: size as u32,
        })
    }

    /// The head.
    #[inline(always)]
    pub fn head<T>(&mut self) -> *mut T {
        unsafe { self.buffer.add(HEAD).cast() }
    }

    /// Where the asked string stands.
    #[inline(always)]
    fn asked(&mut self) -> *mut u8 {
        unsafe { self.buffer.add(HEAD + self.head as usize) }
    }

    /// Reads the application's string at `from`; its length without the NUL.
    #[inline(always)]
    pub fn ask(&mut self, from: u64) -> Result<u32, ()> {
        let to = unsafe { core::slice::from_raw_parts_mut(self.asked(), PATH_MAX) };
        let text = unsafe { bpf_probe_read_user_str_bytes(from as *const u8, to) }.map_err(drop)?;
        Ok(text.len() as u32)
    }

    /// Reads a string of the kernel at `from`; its length without the NUL.
    #[inline(always)]
    pub fn ask_kernel(&mut self, from: Address) -> Result<u32, ()> {
        let read = unsafe {
            generated::bpf_probe_read_kernel_str(self.asked().cast(), PATH_MAX as u32, from as *const c_void)
        };
        if read < 1 { Err(()) } else { Ok(read as u32 - 1) }
    }

    /// The first byte of the asked string.
    #[inline(always)]
    pub fn first(&mut self) -> u8 {
        unsafe { *self.asked() }
    }

    /// Claims to tell what it says, unless that was told before. [`Record::release`] gives the last claim back.
    #[inline(always)]
    pub fn reserve(&mut self, says: &Says, asked: u32) -> bool {
        // What happens again and again is found here, by comparing all of it: that takes less time than a hash that can
        // be relied on. What costs time here is what has to be waited for: so where to look does not depend on what is
        // known last, the file that a path led to, and what is said is compared by branches, whose outcome the processor
        // guesses.
        let text = self.asked().cast::<u64>();
        let whole = asked / 8;
        let last = last_word(text, asked);
        let mut place = last;
        for (i, word) in says.iter().enumerate().take(FILE) {
            place = place.wrapping_add(word.wrapping_mul(key(i)));
        }
        let mut i = 0;
        while i < SHORT {
            if i >= whole {
                break;
            }
            place = (place ^ unsafe { *text.add(i as usize) }).wrapping_mul(key(SAYS));
            i += 1;
        }
        let file = sum_of_file([says[FILE], says[FILE + 1]]);
        if asked == 0 {
            place = place.wrapping_add(file);
        }
        let sum = place.wrapping_add(file);
        // Anew, lest the verifier follow each length through both loops.
        let whole = masked::<{ PATH_MAX as u32 - 1 }>(asked) as u32 / 8;
        if whole <= SHORT
            && let Some(recent) = maps::recent(place_of(place))
            && unsafe { &*recent }.matches(says, text, whole, last, sum)
        {
            return false;
        }
        let head = self.head::<u64>();
        for (i, word) in says.iter().enumerate() {
            unsafe { head.add(i).write_volatile(*word) };
        }
        reserve(self.head, asked, place) != 0
    }

    /// Takes the claim back: it could not be told.
    #[inline(always)]
    pub fn release(&mut self) {
        let _ = TOLD.remove(unsafe { &*self.buffer.add(UNIQUE).cast::<Unique>() });
    }

    /// The call at hand.
    #[inline(always)]
    pub fn call(&mut self) -> *mut Returned {
        unsafe { self.buffer.add(CALL).cast() }
    }

    /// A pointer as a number: the verifier takes none for arithmetic, but what comes out of a map is a number to it.
    #[inline(always)]
    pub fn number(&mut self, pointer: Address) -> u64 {
        let place = unsafe { self.buffer.add(PLACE).cast::<u64>() };
        unsafe {
            core::ptr::write_volatile(place, pointer);
            core::ptr::read_volatile(place)
        }
    }

    /// What [`set_place`] left, as numbers.
    #[inline(always)]
    pub fn place(&mut self) -> Option<Place> {
        let place = unsafe { self.buffer.add(PLACE).cast::<u64>() };
        let (mount, dentry) = unsafe { (*place, *place.add(1)) };
        (dentry != 0).then_some(Place { mount, dentry })
    }

    /// Puts the path of `place` in front of what stands there already. It ends at the dentry `root`.
    #[inline(always)]
    pub fn walk(&mut self, place: Place, root: Address) -> Walked {
        // Through memory, since the verifier takes no pointers for arguments.
        set_place(place.mount, place.dentry);
        let to = unsafe { self.buffer.add(PLACE + 16).cast::<u64>() };
        unsafe { core::ptr::write_volatile(to, root) };
        let walked = walk_to(self.start);
        self.start = self.start.wrapping_sub(walked.length) & MASK;
        walked
    }

    /// Sends the record.
    #[inline(always)]
    pub fn send(&mut self, asked: u32) -> bool {
        let distance = u64::from((HEAD as u32).wrapping_sub(self.start)) | u64::from(HEADED) << 32;
        let start = self.start.wrapping_sub(FRONT) & MASK;
        let to = unsafe { self.buffer.add(start as usize) };
        if !copy(to, 8, &raw const distance as u64) {
            return false;
        }
        let length = (HEAD as u32)
            .wrapping_sub(start)
            .wrapping_add(self.head)
            .wrapping_add(asked)
            .wrapping_add(1)
            & MASK;
        let sent = unsafe {
            generated::bpf_ringbuf_output(&raw const RING as *mut c_void, to.cast(), u64::from(length), 0)
        };
        if sent != 0 {
            counters::lost(|lost| &raw mut lost.ring);
        }
        sent == 0
    }
}

/// Sends a record without paths.
#[inline(always)]
pub fn send_plain<T>(record: *const T) -> bool {
    let sent = unsafe {
        generated::bpf_ringbuf_output(
            &raw const RING as *mut c_void,
            record.cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if sent != 0 {
        counters::lost(|lost| &raw mut lost.ring);
    }
    sent == 0
}
