//! Building a record and sending it if it says something new.
//!
//! A record is built in one buffer around its head, which stands at [`HEAD`]: paths are walked from their end to
//! their beginning, so they grow downwards in front of it; the string that the application asked for stands behind.

use aya_ebpf::helpers::generated;
use aya_ebpf::helpers::bpf_probe_read_user_str_bytes;
use core::ffi::c_void;
use crate::shared::{BUFFER, HEAD, HEADED, PATH_MAX, Unique, mark};

use crate::kernel::{Address, Place, bound, config, copy, follow, off, read};
use crate::maps::{BUFFERS, RECENT, RING, TOLD};
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
        Some(Self {
            buffer: BUFFERS.get_ptr_mut(0)?.cast(),
            start: HEAD as u32,
            head: size_of::<T>() as u32,
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

    /// Adds the asked string of `asked` bytes to a hash.
    #[inline(always)]
    pub fn hash_asked(&mut self, hash: &mut Hash, asked: u32) {
        let text = self.asked().cast::<[u64; 2]>();
        let whole = asked / 16;
        // Most paths end here; the verifier walks a loop of its own through each step, so the long ones take another.
        let mut i = 0u32;
        while i < SHORT {
            if i >= whole {
                break;
            }
            let [first, second] = unsafe { *text.add(i as usize) };
            hash.add(first, second);
            i += 1;
        }
        if whole > SHORT {
            let mut pairs = Pairs {
                a: hash.a,
                b: hash.b,
                head: self.head,
                at: SHORT,
                end: whole,
                unused: 0,
            };
            unsafe {
                generated::bpf_loop(
                    (PATH_MAX / 16) as u32,
                    add_pair as *const () as *mut c_void,
                    (&raw mut pairs).cast(),
                    0,
                );
            }
            hash.a = pairs.a;
            hash.b = pairs.b;
        }
        let rest = asked & 15;
        if rest != 0 && whole < (PATH_MAX / 16) as u32 {
            let [first, second] = unsafe { *text.add((whole & 255) as usize) };
            let mask = (1u64 << (rest & 7) * 8) - 1;
            if rest < 8 {
                hash.add(first & mask, 0);
            } else {
                hash.add(first, second & mask);
            }
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
pub fn send_plain<T>(record: &T) -> bool {
    let sent = unsafe {
        generated::bpf_ringbuf_output(
            &raw const RING as *mut c_void,
            (record as *const T).cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if sent != 0 {
        scope::lost(|lost| &raw mut lost.ring);
    }
    sent == 0
}

/// Whether this was told before.
#[inline(always)]
pub fn told(unique: &Unique) -> bool {
    // What happens again and again is found without a call. An entry that two CPUs write at once is a mixture of two
    // keys, and equals none.
    let recent = RECENT.get_ptr_mut(unique.a as u32 & (crate::maps::RECENT_ENTRIES - 1));
    if let Some(recent) = recent {
        let recent = unsafe { &mut *recent };
        if recent.a == unique.a && recent.b == unique.b {
            return true;
        }
        if TOLD.get_ptr(unique).is_some() {
            *recent = *unique;
            return true;
        }
    }
    false
}

/// Claims the telling of it; false if another CPU was faster, or there is no room, which is a loss.
#[inline(always)]
pub fn claim(unique: &Unique) -> bool {
    const NOEXIST: u64 = 1;
    const EEXIST: i32 = -17;
    match TOLD.insert(unique, 1, NOEXIST) {
        Ok(()) => true,
        Err(EEXIST) => false,
        Err(_) => {
            scope::lost(|lost| &raw mut lost.map);
            false
        }
    }
}

/// Takes a claim back: it could not be told.
#[inline(always)]
pub fn unclaim(unique: &Unique) {
    let _ = TOLD.remove(unique);
}

/// A hash of two 64-bit lanes, keyed with a secret: what makes the first collide depends on the secret, so who is watched
/// cannot; the second makes it unlikely by chance.
pub struct Hash {
    a: u64,
    b: u64,
}

impl Hash {
    #[inline(always)]
    pub fn new() -> Self {
        Self {
            a: config!(seed[0]),
            b: config!(seed[1]),
        }
    }

    /// Adds two words: their multiplications do not wait for each other.
    #[inline(always)]
    pub fn add(&mut self, first: u64, second: u64) {
        let second = second ^ config!(seed[2]);
        self.a = (self.a ^ first).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ second.wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.a ^= self.a >> 32;
        self.b = self.b.wrapping_add(first).wrapping_mul(0xc2b2_ae3d_27d4_eb4f).wrapping_add(second);
        self.b ^= self.b >> 29;
    }

    #[inline(always)]
    pub fn finish(self) -> Unique {
        Unique { a: self.a, b: self.b }
    }
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

/// Where [`walk_path`] finds mount, dentry and root.
const PLACE: usize = BUFFER - 24;

const WALKED_INSIDE: u32 = 1 << 16;
const WALKED_ON_ROOT: u32 = 1 << 17;
const WALKED_DEEP: u32 = 1 << 18;

/// Walks from the place in the buffer to its root, and writes the path so that it ends at `begin`; its length and marks.
///
/// Not static, so that the verifier looks at it once and on its own; so are the other functions of this kind.
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

/// Pairs of words of a string that are hashed one by one.
const SHORT: u32 = 6;

/// The state of hashing a long string, on the stack.
#[repr(C)]
struct Pairs {
    a: u64,
    b: u64,
    head: u32,
    at: u32,
    end: u32,
    unused: u32,
}

/// Adds one pair; 1 ends.
#[inline(never)]
extern "C" fn add_pair(_: u64, pairs: *mut Pairs) -> u64 {
    let pairs = unsafe { &mut *pairs };
    if pairs.at >= pairs.end {
        return 1;
    }
    let Some(buffer) = BUFFERS.get_ptr_mut(0) else {
        return 1;
    };
    let at = (HEAD as u32).wrapping_add(pairs.head).wrapping_add(pairs.at * 16) & MASK;
    let mut hash = Hash {
        a: pairs.a,
        b: pairs.b,
    };
    let [first, second] = unsafe { *buffer.cast::<u8>().add(at as usize).cast::<[u64; 2]>() };
    hash.add(first, second);
    pairs.a = hash.a;
    pairs.b = hash.b;
    pairs.at += 1;
    0
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
    let name = dentry + off!(dentry_name);
    let (Some(length), Some(bytes)) = (
        read::<u32>(name + off!(name_length)),
        follow(name + off!(name_bytes)),
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
const _: () = assert!(HEAD >= 2 * PATH_MAX + 512);
