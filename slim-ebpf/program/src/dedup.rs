//! Which records say something new: a cache of recent ones, compared word by word, before a map of keyed hashes.

use crate::buffer::UNIQUE;
use crate::counters;
use crate::kernel::{bound, masked};
use crate::maps::{self, BUFFERS, RECENT_ENTRIES, TOLD};
use crate::shared::{HEAD, PATH_MAX, Unique};
use crate::siphash::{Hash, WORDS};
use crate::types::{FILE, Recent, SHORT, Says};

impl Recent {
    /// Whether it is this: what is said, and a string of so many whole words and the `last` one.
    #[inline(always)]
    pub fn matches(&self, says: &Says, text: *const u64, whole: u32, last: u64, sum: u64) -> bool {
        // Volatile, lest the compiler make one comparison of them all.
        let known = |word: &u64| unsafe { (&raw const *word).read_volatile() };
        for (at, word) in says.iter().enumerate() {
            if known(&self.says[at]) != *word {
                return false;
            }
        }
        if known(&self.last) != last || known(&self.sum) != sum {
            return false;
        }
        let mut differs = 0;
        let mut i = 0;
        while i < SHORT {
            if i >= whole {
                break;
            }
            differs |= self.asked[i as usize] ^ unsafe { *text.add(i as usize) };
            i += 1;
        }
        differs == 0
    }
}

/// The entry of [`maps::recent`] for what has this sum.
#[inline(always)]
pub fn place_of(sum: u64) -> u64 {
    sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - RECENT_ENTRIES.trailing_zeros())
}

/// What the words that tell the file add to a sum.
#[inline(always)]
pub fn sum_of_file(words: [u64; 2]) -> u64 {
    let [first, second] = words;
    first.wrapping_mul(key(FILE)).wrapping_add(second.wrapping_mul(key(FILE + 1)))
}

/// What the word at `at` is multiplied with in a sum: some odd number (the steps of splitmix64) that fits an instruction.
pub const fn key(at: usize) -> u64 {
    let mut key = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (key ^ key >> 31) >> 33 | 1
}

/// What remains of a string behind its whole words, in one filled up with zeros.
#[inline(always)]
pub fn last_word(text: *const u64, length: u32) -> u64 {
    let word = unsafe { *text.add(masked::<{ WORDS - 1 }>(length / 8)) };
    word & ((1 << ((length & 7) * 8)) - 1)
}

/// Claims to tell what the record in the buffer says, which was not found among what is recent: 1, and its key in the
/// buffer, if it is new. Where there is no room for a claim, that is a loss. `place` is its sum as far as that decides
/// where it is remembered.
///
/// Not static, so that the verifier looks at it once and on its own; so are the other functions of this kind.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn reserve(head: u32, asked: u32, place: u64) -> u32 {
    const NOEXIST: u64 = 1;
    const EEXIST: i32 = -17;
    let Some(buffer) = BUFFERS.get_ptr_mut(0) else {
        return 0;
    };
    let buffer = buffer.cast::<u8>();
    let asked = bound(asked, PATH_MAX as u32 - 1);
    let says = unsafe { buffer.add(HEAD).cast::<u64>() };
    let mut hash = Hash::new();
    hash.add_bytes(0, size_of::<Says>() as u32);
    hash.add_bytes(head, asked);
    let unique = unsafe { &mut *buffer.add(UNIQUE).cast::<Unique>() };
    *unique = hash.finish();
    if TOLD.get_ptr(&*unique).is_none() {
        match TOLD.insert(&*unique, 1, NOEXIST) {
            Ok(()) => return 1,
            // Another CPU was faster.
            Err(EEXIST) => {}
            Err(_) => counters::lost(|lost| &raw mut lost.map),
        }
        return 0;
    }
    let whole = asked / 8;
    if whole <= SHORT
        && let Some(recent) = maps::recent(place_of(place))
    {
        let text = unsafe { buffer.add(HEAD + bound(head, 511) as usize).cast::<u64>() };
        let recent = unsafe { &mut *recent };
        recent.sum = place.wrapping_add(sum_of_file(unsafe { [*says.add(FILE), *says.add(FILE + 1)] }));
        for (i, word) in recent.says.iter_mut().enumerate() {
            unsafe { (&raw mut *word).write_volatile(*says.add(i)) };
        }
        recent.last = last_word(text, asked);
        let mut i = 0;
        while i < SHORT {
            if i >= whole {
                break;
            }
            recent.asked[i as usize] = unsafe { *text.add(i as usize) };
            i += 1;
        }
    }
    0
}
