//! Building a record and sending it if it says something new.
//!
//! A record is built in one buffer around its head, which stands at [`HEAD`]: paths are walked from their end to
//! their beginning, so they grow downwards in front of it; the string that the application asked for stands behind.

use aya_ebpf::helpers::generated;
use aya_ebpf::helpers::bpf_probe_read_user_str_bytes;
use core::ffi::c_void;
use crate::shared::{BUFFER, HEAD, HEADED, PATH_MAX, Unique, mark};

use crate::calls::Returned;
use crate::kernel::{Address, Place, SEED, bound, copy, follow, masked, off, read};
use crate::maps::{self, BUFFERS, RECENT_ENTRIES, RING, TOLD};
use crate::scope;

/// Positions in the buffer are below this, lengths too.
const MASK: u32 = 0x3fff;

/// Room kept in front of the walked paths.
const FRONT: u32 = 8;

/// The most steps of a walk: names and mounts.
const STEPS: u32 = 4200;

/// A record that is being built.
pub struct Record {
    buffer: *mut u8,
    /// Where its first byte stands.
    start: u32,
    /// Size of its head.
    head: u32,
}

/// What a walk found.
pub struct Walked {
    /// Length of the path, 0 if there is none.
    pub length: u32,
    /// Whether it ended at the container's root.
    pub inside: bool,
    /// Whether it never left the root's file system.
    pub on_root: bool,
    /// Whether it was too deep.
    pub deep: bool,
}

/// The state of a walk, on the stack.
#[repr(C)]
struct Walk {
    dentry: Address,
    mount: Address,
    mount_root: Address,
    root: Address,
    at: u32,
    floor: u32,
    mounts: u32,
    end: u32,
}

const GOING: u32 = 0;
const INSIDE: u32 = 1;
const TOP: u32 = 2;
const DEEP: u32 = 3;

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

    /// Claims to tell what it says, unless that was told before. [`Record::unclaim`] gives the last claim back.
    #[inline(always)]
    pub fn claim(&mut self, says: &Says, asked: u32) -> bool {
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
            && unsafe { &*recent }.tells(says, text, whole, last, sum)
        {
            return false;
        }
        let head = self.head::<u64>();
        for (i, word) in says.iter().enumerate() {
            unsafe { head.add(i).write_volatile(*word) };
        }
        claim(self.head, asked, place) != 0
    }

    /// Takes the claim back: it could not be told.
    #[inline(always)]
    pub fn unclaim(&mut self) {
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
        let result = walk_path(self.start);
        let walked = Walked {
            length: result & MASK,
            inside: result & WALKED_INSIDE != 0,
            on_root: result & WALKED_ON_ROOT != 0,
            deep: result & WALKED_DEEP != 0,
        };
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
            scope::lost(|lost| &raw mut lost.ring);
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
        scope::lost(|lost| &raw mut lost.ring);
    }
    sent == 0
}

/// Words of [`Says`].
const SAYS: usize = 8;

/// Which of them tell the file.
const FILE: usize = SAYS - 2;

/// What a record says beside the asked string, whose length is in it: the beginning of its head.
pub type Says = [u64; SAYS];

/// Whole words of the asked string that [`Recent`] has room for.
const SHORT: u32 = 22;

/// Something that was told. Two CPUs may write one at once: the sum is of one of them then, and of what stands there
/// of neither.
#[repr(C, align(64))]
pub struct Recent {
    sum: u64,
    says: Says,
    last: u64,
    asked: [u64; SHORT as usize],
}

impl Recent {
    /// Whether it is this: what is said, and a string of so many whole words and the `last` one.
    #[inline(always)]
    fn tells(&self, says: &Says, text: *const u64, whole: u32, last: u64, sum: u64) -> bool {
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
fn place_of(sum: u64) -> u64 {
    sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - RECENT_ENTRIES.trailing_zeros())
}

/// What the words that tell the file add to a sum.
#[inline(always)]
fn sum_of_file(words: [u64; 2]) -> u64 {
    let [first, second] = words;
    first.wrapping_mul(key(FILE)).wrapping_add(second.wrapping_mul(key(FILE + 1)))
}

/// What the word at `at` is multiplied with in a sum: some odd number (the steps of splitmix64) that fits an instruction.
const fn key(at: usize) -> u64 {
    let mut key = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (key ^ key >> 31) >> 33 | 1
}

/// What remains of a string behind its whole words, in one filled up with zeros.
#[inline(always)]
fn last_word(text: *const u64, length: u32) -> u64 {
    let word = unsafe { *text.add(masked::<{ WORDS - 1 }>(length / 8)) };
    word & ((1 << ((length & 7) * 8)) - 1)
}

/// Words of the longest string.
const WORDS: u32 = PATH_MAX as u32 / 8;

/// Claims to tell what the record in the buffer says, which was not found among what is recent: 1, and its key in the
/// buffer, if it is new. Where there is no room for a claim, that is a loss. `place` is its sum as far as that decides
/// where it is remembered.
///
/// Not static, so that the verifier looks at it once and on its own; so are the other functions of this kind.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn claim(head: u32, asked: u32, place: u64) -> u32 {
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
            Err(_) => scope::lost(|lost| &raw mut lost.map),
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

/// SipHash-1-3 with 128 bits (<https://www.aumasson.jp/siphash/siphash.pdf>): nobody who does not know the key can make two
/// records look alike. Of whole words, and without their number: each kind of record says how many there are.
#[repr(C)]
pub struct Hash {
    v: [u64; 4],
}

impl Hash {
    #[inline(always)]
    pub fn new() -> Self {
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
    pub fn add(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.v[0] ^= word;
    }

    /// Adds so many bytes of the record in the buffer, from `at` behind the beginning of its head on.
    #[inline(always)]
    pub fn add_bytes(&mut self, at: u32, length: u32) {
        let mut words = Words {
            hash: Self { v: self.v },
            at: bound(at, 511) + HEAD as u32,
            left: length,
        };
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

    #[inline(always)]
    pub fn finish(mut self) -> Unique {
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
    /// Where the next word stands in the buffer.
    at: u32,
    /// How many bytes are left.
    left: u32,
}

/// Adds one word; 1 ends.
#[inline(never)]
extern "C" fn add_word(_: u64, words: *mut Words) -> u64 {
    let words = unsafe { &mut *words };
    let Some(buffer) = BUFFERS.get_ptr(0) else {
        return 1;
    };
    if words.left == 0 {
        return 1;
    }
    let text = unsafe { buffer.cast::<u8>().add(bound(words.at, MASK & !7) as usize).cast::<u64>() };
    let mut word = unsafe { *text };
    if words.left < 8 {
        word &= (1 << (words.left * 8)) - 1;
    }
    words.hash.add(word);
    words.at += 8;
    words.left = words.left.saturating_sub(8);
    0
}

/// Leaves a place in the buffer.
#[inline(always)]
pub fn set_place(mount: Address, dentry: Address) {
    if let Some(buffer) = BUFFERS.get_ptr_mut(0) {
        let place = unsafe { buffer.cast::<u8>().add(PLACE).cast::<u64>() };
        unsafe {
            core::ptr::write_volatile(place, mount);
            core::ptr::write_volatile(place.add(1), dentry);
        }
    }
}

/// A pointer as a number: the verifier takes none for arithmetic, but what comes out of a map is a number to it.
#[inline(always)]
pub fn number(pointer: Address) -> u64 {
    set_place(0, pointer);
    match BUFFERS.get_ptr(0) {
        Some(buffer) => unsafe { core::ptr::read_volatile(buffer.cast::<u8>().add(PLACE + 8).cast::<u64>()) },
        None => 0,
    }
}

/// The call at hand. Functions that the verifier looks at on their own share it.
#[inline(always)]
pub fn at_hand() -> Option<*mut Returned> {
    Some(unsafe { BUFFERS.get_ptr_mut(0)?.cast::<u8>().add(CALL).cast() })
}

/// Where [`walk_path`] finds mount, dentry and root.
const PLACE: usize = BUFFER - 24;

/// Where [`claim`] leaves its key.
const UNIQUE: usize = PLACE - size_of::<Unique>();

/// Where the call at hand stands.
const CALL: usize = UNIQUE - size_of::<Returned>();

const WALKED_INSIDE: u32 = 1 << 16;
const WALKED_ON_ROOT: u32 = 1 << 17;
const WALKED_DEEP: u32 = 1 << 18;

/// Walks from the place in the buffer to its root, and writes the path so that it ends at `begin`; its length and marks.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_path(begin: u32) -> u32 {
    let Some(buffer) = BUFFERS.get_ptr(0) else {
        return 0;
    };
    let begin = bound(begin, MASK);
    let place = unsafe { buffer.cast::<u8>().add(PLACE).cast::<u64>() };
    let (mount, dentry, root) = unsafe { (*place, *place.add(1), *place.add(2)) };
    // Within its file system first: what was bound elsewhere is still a file of the root.
    let mut walk = Walk {
        dentry,
        mount: 0,
        mount_root: 0,
        root,
        at: begin,
        floor: begin.saturating_sub(PATH_MAX as u32).max(FRONT),
        mounts: 0,
        end: GOING,
    };
    run(&mut walk);
    let mut marks = 0;
    if walk.end == INSIDE {
        marks = WALKED_ON_ROOT;
    }
    if walk.end == TOP {
        walk.dentry = dentry;
        walk.mount = mount.wrapping_sub(off!(mount_inner));
        walk.mount_root = read(mount + off!(mount_root)).unwrap_or(0);
        walk.at = begin;
        walk.mounts = 1;
        walk.end = GOING;
        run(&mut walk);
    }
    if walk.end == INSIDE {
        marks |= WALKED_INSIDE;
    }
    if walk.end == DEEP || walk.end == GOING {
        return WALKED_DEEP;
    }
    begin.wrapping_sub(walk.at) & MASK | marks
}

#[inline(always)]
fn run(walk: &mut Walk) {
    unsafe {
        generated::bpf_loop(
            STEPS,
            step as *const () as *mut c_void,
            (walk as *mut Walk).cast(),
            0,
        );
    }
}

/// One step upwards; 1 ends the walk.
#[inline(never)]
extern "C" fn step(_: u64, walk: *mut Walk) -> u64 {
    let walk = unsafe { &mut *walk };
    let end = climb(walk);
    walk.end = end;
    u64::from(end != GOING)
}

#[inline(always)]
fn climb(walk: &mut Walk) -> u32 {
    let dentry = walk.dentry;
    if dentry == walk.root {
        return INSIDE;
    }
    let Some(parent) = read::<u64>(dentry + off!(dentry_parent)) else {
        return TOP;
    };
    if walk.mounts != 0 && dentry == walk.mount_root {
        let Some(up) = read::<u64>(walk.mount + off!(mount_parent)) else {
            return TOP;
        };
        if up == walk.mount || up == 0 {
            return TOP;
        }
        let (Some(point), Some(root)) = (
            read(walk.mount + off!(mount_point)),
            read(up + off!(mount_inner) + off!(mount_root)),
        ) else {
            return TOP;
        };
        walk.dentry = point;
        walk.mount_root = root;
        walk.mount = up;
        return GOING;
    }
    if parent == dentry {
        return TOP;
    }
    let (Some(length), Some(bytes)) = (
        read::<u32>(dentry + off!(dentry_length)),
        follow(dentry + off!(dentry_name)),
    ) else {
        return TOP;
    };
    let length = length & 0xff;
    if walk.at < walk.floor + length + 1 {
        return DEEP;
    }
    let Some(buffer) = BUFFERS.get_ptr_mut(0) else {
        return TOP;
    };
    let buffer = buffer.cast::<u8>();
    let at = walk.at.wrapping_sub(length) & MASK;
    if !copy(unsafe { buffer.add(at as usize) }, length, bytes) {
        return TOP;
    }
    let at = at.wrapping_sub(1) & MASK;
    unsafe { *buffer.add(at as usize) = b'/' };
    walk.at = at;
    walk.dentry = parent;
    GOING
}

/// What a walk says about the file itself.
#[inline(always)]
pub fn truth_marks(walked: &Walked) -> u32 {
    if walked.deep {
        scope::lost(|lost| &raw mut lost.deep);
        return mark::DEEP;
    }
    let mut marks = mark::TRUTH;
    if !walked.inside {
        marks |= mark::OUTSIDE;
    }
    if walked.on_root {
        marks |= mark::ON_ROOT;
    }
    marks
}

/// What a walk says about the directory that the asked path starts at.
#[inline(always)]
pub fn base_marks(walked: &Walked) -> u32 {
    if walked.deep {
        scope::lost(|lost| &raw mut lost.deep);
        return mark::DEEP;
    }
    if walked.inside { mark::BASE } else { mark::BASE | mark::BASE_OUTSIDE }
}

const _: () = assert!(2 * (MASK as usize) < BUFFER);
const _: () = assert!(CALL > MASK as usize + 256 && CALL.is_multiple_of(8));
const _: () = assert!(HEAD >= 2 * PATH_MAX + 512);
