//! De-duplication of records: a cache of recent ones, compared word by word, before a map of keyed hashes.

use crate::buffer::{Buffer, UNIQUE};
use crate::counters;
use crate::kernel::bound;
use crate::maps::{self, RECENT_ENTRIES, SEEN};
use crate::shared::{HEAD, PATH_MAX, Unique};
use crate::siphash::{Hash, WORDS};
use crate::tasks::{EEXIST, NOEXIST};
use crate::types::{FILE, IDENTITY_WORDS, Identity, Recent, SHORT};
use crate::value::{Lookup, Value, field};

/// The requested string behind a head, in words.
pub(crate) type Text = Value<[u64; WORDS as usize]>;

impl Value<Recent> {
    /// Returns whether it is a record of this identity, with a string of so many whole words and the `last` one.
    #[inline(always)]
    pub(crate) fn matches(self, identity: &Identity, text: Text, whole: u32, last: u64, sum: u64) -> bool {
        // Volatile, lest the compiler make one comparison of them all.
        for (at, word) in identity.iter().enumerate() {
            if field!(self, identity).element(at).get_volatile() != *word {
                return false;
            }
        }
        if field!(self, last).get_volatile() != last || field!(self, sum).get_volatile() != sum {
            return false;
        }
        let mut differs = 0;
        let mut i = 0;
        while i < SHORT {
            if i >= whole {
                break;
            }
            differs |= field!(self, requested).element(i as usize).get() ^ text.element(i as usize).get();
            i += 1;
        }
        differs == 0
    }
}

/// Returns the position in [`maps::recent`] of what has this sum.
#[inline(always)]
pub(crate) fn place_of(sum: u64) -> u64 {
    sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - RECENT_ENTRIES.trailing_zeros())
}

/// Returns the part of a sum that the words of the file add.
#[inline(always)]
pub(crate) fn sum_of_file(words: [u64; 2]) -> u64 {
    let [parent, name] = words;
    parent.wrapping_mul(key(FILE)).wrapping_add(name.wrapping_mul(key(FILE + 1)))
}

/// Returns the factor of the word at `at` in a sum: some odd number (the steps of splitmix64) that fits an instruction.
pub(crate) const fn key(at: usize) -> u64 {
    let mut key = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (key ^ key >> 31) >> 33 | 1
}

/// Returns what remains of a string behind its whole words, in one filled up with zeros.
#[inline(always)]
pub(crate) fn last_word(text: Text, length: u32) -> u64 {
    let word = text.at::<{ WORDS - 1 }>(length / 8).get();
    word & ((1 << ((length & 7) * 8)) - 1)
}

/// Reserves the record in the buffer, which was not found among the recent ones, for this CPU to send. Returns 1, and leaves
/// its key in the buffer, if it is new. Where the map is full, that is a loss. `place` is its sum as far as that decides
/// where it is remembered.
///
/// Not static, so that the verifier looks at it once and on its own; so are the other functions of this kind.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn reserve(head: u32, requested: u32, place: u64) -> u32 {
    let Some(buffer) = Buffer::get() else {
        return 0;
    };
    let requested = bound(requested, PATH_MAX as u32 - 1);
    let identity = buffer.value::<Identity, HEAD>();
    let mut hash = Hash::new();
    hash.add_bytes(0, size_of::<Identity>() as u32);
    hash.add_bytes(head, requested);
    let unique = buffer.value::<Unique, UNIQUE>();
    unique.set(hash.finish());
    if SEEN.value(unique).is_none() {
        match SEEN.insert(unique, 1, NOEXIST) {
            Ok(()) => return 1,
            // Another CPU was faster.
            Err(EEXIST) => {}
            Err(_) => counters::lost(|lost| field!(lost, map)),
        }
        return 0;
    }
    let whole = requested / 8;
    if whole <= SHORT
        && let Some(recent) = maps::recent(place_of(place))
    {
        let text = buffer.text(bound(head, 511));
        let file = [identity.element(FILE).get(), identity.element(FILE + 1).get()];
        field!(recent, sum).set(place.wrapping_add(sum_of_file(file)));
        for at in 0..IDENTITY_WORDS {
            field!(recent, identity).element(at).set_volatile(identity.element(at).get());
        }
        field!(recent, last).set(last_word(text, requested));
        let mut i = 0;
        while i < SHORT {
            if i >= whole {
                break;
            }
            field!(recent, requested).element(i as usize).set(text.element(i as usize).get());
            i += 1;
        }
    }
    0
}
