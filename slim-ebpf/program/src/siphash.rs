//! The keyed hash that makes records unique.

use aya_ebpf::helpers::generated;
use core::ffi::c_void;

use crate::buffer::Buffer;
use crate::kernel::{SEED, bound};
use crate::shared::{HEAD, PATH_MAX, Unique};

/// Number of words of the longest string.
pub(crate) const WORDS: u32 = PATH_MAX as u32 / 8;

/// SipHash-1-3 with 128 bits (<https://www.aumasson.jp/siphash/siphash.pdf>): nobody who does not know the key can make two
/// records look alike. Of whole words, and without their number, which each kind of record has in its identity.
#[repr(C)]
pub(crate) struct Hash {
    v: [u64; 4],
}

impl Hash {
    /// Returns the hash of nothing.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        // SAFETY: a reference is valid; volatile, since the compiler sees nobody write it.
        let [first, second] = unsafe { (&raw const SEED).read_volatile() };
        Self {
            v: [
                first ^ 0x736f_6d65_7073_6575,
                second ^ 0x646f_7261_6e64_6f6d ^ 0xee,
                first ^ 0x6c79_6765_6e65_7261,
                second ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    #[inline(always)]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32).wrapping_add(d);
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }

    /// Adds a word.
    #[inline(always)]
    pub(crate) fn add(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.v[0] ^= word;
    }

    /// Adds so many bytes of the record in the buffer, from `at` behind the beginning of its head on.
    #[inline(always)]
    pub(crate) fn add_bytes(&mut self, at: u32, length: u32) {
        let mut words = Words {
            hash: Self { v: self.v },
            at: bound(at, 511) + HEAD as u32,
            left: length,
        };
        // SAFETY: the callback takes the words on this stack, which are there until the helper returns.
        unsafe {
            generated::bpf_loop(
                WORDS + 1,
                add_word as *const () as *mut c_void,
                (&raw mut words).cast(),
                0,
            );
        }
        self.v = words.hash.v;
    }

    /// Returns the hash.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> Unique {
        self.v[2] ^= 0xee;
        let a = self.end();
        self.v[1] ^= 0xdd;
        let b = self.end();
        Unique { a, b }
    }

    #[inline(always)]
    fn end(&mut self) -> u64 {
        for _ in 0..3 {
            self.round();
        }
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }
}

/// The state of hashing a string, on the stack.
#[repr(C)]
struct Words {
    hash: Hash,
    /// The position of the next word in the buffer.
    at: u32,
    /// Number of bytes left.
    left: u32,
}

/// Adds one word; 1 ends.
#[inline(never)]
extern "C" fn add_word(_: u64, words: *mut Words) -> u64 {
    // SAFETY: `add_bytes` passes its own words, and touches them only when the helper has returned.
    let words = unsafe { &mut *words };
    let Some(buffer) = Buffer::get() else {
        return 1;
    };
    if words.left == 0 {
        return 1;
    }
    let mut word = buffer.word(words.at).get();
    if words.left < 8 {
        word &= (1 << (words.left * 8)) - 1;
    }
    words.hash.add(word);
    words.at += 8;
    words.left = words.left.saturating_sub(8);
    0
}
