//! Building a record, and sending it if it is new.
//!
//! A record is built in one buffer around its head, which stands at [`HEAD`]: paths are walked from their end to
//! their beginning, so they grow downwards in front of it; the string that the application requested stands behind.

use aya_ebpf::helpers::bpf_probe_read_user_str_bytes;
use aya_ebpf::helpers::generated;
use core::ffi::c_void;

use crate::buffer::{Buffer, CALL, FRONT, MASK, PLACE, UNIQUE, set_place};
use crate::counters;
use crate::dedup::{Text, key, last_word, place_of, reserve, sum_of_file};
use crate::kernel::{Address, Place, copy, masked};
use crate::maps::{self, RING, SEEN};
use crate::shared::{HEAD, HEADED, PATH_MAX, Unique};
use crate::types::{FILE, IDENTITY_WORDS, Identity, Returned, SHORT};
use crate::value::{Integers, Value, field};
use crate::walk::{Walked, walk_to};

/// A record that is being built.
pub(crate) struct Record {
    buffer: Buffer,
    /// The position of its first byte.
    start: u32,
    /// Size of its head.
    head: u32,
}

impl Record {
    /// Starts one with a head of type `T`.
    #[inline(always)]
    pub(crate) fn new<T>() -> Option<Self> {
        Self::with_head(size_of::<T>())
    }

    /// Starts one in the buffer that the call at hand stands in.
    #[inline(always)]
    pub(crate) fn around<T>(call: Value<Returned>) -> Self {
        Self {
            buffer: Buffer::around(call),
            start: HEAD as u32,
            head: size_of::<T>() as u32,
        }
    }

    /// Starts one with a head of so many bytes, whole words.
    #[inline(always)]
    pub(crate) fn with_head(size: usize) -> Option<Self> {
        Some(Self {
            buffer: Buffer::get()?,
            start: HEAD as u32,
            head: size as u32,
        })
    }

    /// Returns the head.
    #[inline(always)]
    pub(crate) fn head<T: Integers>(&mut self) -> Value<T> {
        self.buffer.value::<T, HEAD>()
    }

    /// Returns the requested string.
    #[inline(always)]
    fn text(&mut self) -> Text {
        self.buffer.text(self.head)
    }

    /// Reads the application's string at `from`, and returns its length without the NUL.
    #[inline(always)]
    pub(crate) fn read_requested(&mut self, from: u64) -> Result<u32, ()> {
        // SAFETY: the buffer has so many bytes there, which nobody else uses meanwhile.
        let to = unsafe { core::slice::from_raw_parts_mut(self.text().pointer().cast(), PATH_MAX) };
        // SAFETY: the helper reads any address of the application, and fails where nothing is mapped.
        let text = unsafe { bpf_probe_read_user_str_bytes(from as *const u8, to) }.map_err(drop)?;
        Ok(text.len() as u32)
    }

    /// Reads a string of the kernel at `from`, and returns its length without the NUL.
    #[inline(always)]
    pub(crate) fn read_kernel(&mut self, from: Address) -> Result<u32, ()> {
        let to = self.text().pointer().cast();
        // SAFETY: the buffer has so many bytes there; the helper fails where nothing is mapped at `from`.
        let read = unsafe { generated::bpf_probe_read_kernel_str(to, PATH_MAX as u32, from as *const c_void) };
        if read < 1 { Err(()) } else { Ok(read as u32 - 1) }
    }

    /// Returns the first byte of the requested string.
    #[inline(always)]
    pub(crate) fn first(&mut self) -> u8 {
        self.buffer.byte(HEAD as u32 + self.head).get()
    }

    /// Reserves the record for this CPU to send, and returns whether it is new: neither sent nor reserved before.
    /// [`Record::release`] takes that back.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, identity: &Identity, requested: u32) -> bool {
        // What happens again and again is found here, by comparing all of it: that takes less time than a hash that can
        // be relied on. What costs time here is what has to be waited for: so where to look does not depend on what is
        // known last, the file that a path led to, and identities are compared by branches, whose outcome the processor
        // guesses.
        let text = self.text();
        let whole = requested / 8;
        let last = last_word(text, requested);
        let mut place = last;
        for (i, word) in identity.iter().enumerate().take(FILE) {
            place = place.wrapping_add(word.wrapping_mul(key(i)));
        }
        let mut i = 0;
        while i < SHORT {
            if i >= whole {
                break;
            }
            place = (place ^ text.element(i as usize).get()).wrapping_mul(key(IDENTITY_WORDS));
            i += 1;
        }
        let file = sum_of_file([identity[FILE], identity[FILE + 1]]);
        if requested == 0 {
            place = place.wrapping_add(file);
        }
        let sum = place.wrapping_add(file);
        // Anew, lest the verifier follow each length through both loops.
        let whole = masked::<{ PATH_MAX as u32 - 1 }>(requested) as u32 / 8;
        if whole <= SHORT
            && let Some(recent) = maps::recent(place_of(place))
            && recent.matches(identity, text, whole, last, sum)
        {
            return false;
        }
        let head = self.head::<Identity>();
        for (i, word) in identity.iter().enumerate() {
            head.element(i).set_volatile(*word);
        }
        reserve(self.head, requested, place) != 0
    }

    /// Takes the reservation back: the record could not be sent.
    #[inline(always)]
    pub(crate) fn release(&mut self) {
        let _ = SEEN.remove(self.buffer.value::<Unique, UNIQUE>());
    }

    /// Returns the call at hand.
    #[inline(always)]
    pub(crate) fn call(&mut self) -> Value<Returned> {
        self.buffer.value::<Returned, CALL>()
    }

    /// Returns a pointer as a number: see [`number`](crate::buffer::number).
    #[inline(always)]
    pub(crate) fn number(&mut self, pointer: Address) -> u64 {
        let place = self.buffer.value::<u64, PLACE>();
        place.set_volatile(pointer);
        place.get_volatile()
    }

    /// Returns the place that [`set_place`] left, in numbers.
    #[inline(always)]
    pub(crate) fn place(&mut self) -> Option<Place> {
        let mount = self.buffer.value::<u64, PLACE>().get();
        let dentry = self.buffer.value::<u64, { PLACE + 8 }>().get();
        (dentry != 0).then_some(Place { mount, dentry })
    }

    /// Puts the path of `place` in front of what stands there already. It ends at the dentry `root`.
    #[inline(always)]
    pub(crate) fn walk(&mut self, place: Place, root: Address) -> Walked {
        // Through memory, since the verifier takes no pointers for arguments.
        set_place(place.mount, place.dentry);
        self.buffer.value::<u64, { PLACE + 16 }>().set_volatile(root);
        let walked = walk_to(self.start);
        self.start = self.start.wrapping_sub(walked.length) & MASK;
        walked
    }

    /// Sends the record, and returns whether the ring had room for it.
    #[inline(always)]
    pub(crate) fn send(&mut self, requested: u32) -> bool {
        let distance = u64::from((HEAD as u32).wrapping_sub(self.start)) | u64::from(HEADED) << 32;
        let start = self.start.wrapping_sub(FRONT) & MASK;
        let to = self.buffer.byte(start);
        if !copy(to, 8, &raw const distance as u64) {
            return false;
        }
        let length = (HEAD as u32)
            .wrapping_sub(start)
            .wrapping_add(self.head)
            .wrapping_add(requested)
            .wrapping_add(1)
            & MASK;
        // SAFETY: the verifier refuses the program unless so many bytes are in the buffer from there on.
        let sent = unsafe {
            generated::bpf_ringbuf_output(&raw const RING as *mut c_void, to.pointer().cast(), u64::from(length), 0)
        };
        if sent != 0 {
            counters::lost(|lost| field!(lost, ring));
        }
        sent == 0
    }
}

/// Sends a record without paths, and returns whether the ring had room for it.
#[inline(always)]
pub(crate) fn send_plain<T>(record: *const T) -> bool {
    // SAFETY: the helper copies a whole `T`, and the verifier refuses the program unless that many bytes are readable there.
    let sent = unsafe {
        generated::bpf_ringbuf_output(
            &raw const RING as *mut c_void,
            record.cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if sent != 0 {
        counters::lost(|lost| field!(lost, ring));
    }
    sent == 0
}
