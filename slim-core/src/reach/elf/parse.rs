//! What a dynamic loader reads of an ELF file, from bytes that may be hostile.
//!
//! Sources: System V ABI, "Object Files" and "Program Loading and Dynamic Linking"; `include/uapi/linux/elf.h`.
//! Only headers, the dynamic section and the strings it names are read, each within a bound, by offset: section
//! headers are neither needed by a loader nor trusted here.

use std::io;

use crate::reach::bytes::{self, ByteOrder};

/// Program headers beyond this are no real file's (the kernel takes at most 64 KiB of them).
const MAX_HEADERS: usize = 1024;
/// Bytes of the dynamic section: 4096 entries of a 64-bit file.
const MAX_DYNAMIC: u64 = 64 * 1024;
/// The longest name, `PATH_MAX`.
const MAX_NAME: u64 = 4096;
/// Strings that lie together are read at once up to this many bytes, and one by one beyond.
const MAX_STRINGS: u64 = 1024 * 1024;

/// Reads up to so many bytes (second) at an offset (first): fewer where the file ends.
pub type ReadAt<'a> = dyn Fn(u64, usize) -> io::Result<Vec<u8>> + 'a;

/// The fields of an ELF file that the loader and the linker read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// True if it is for a 64-bit machine.
    pub is_64: bool,
    /// True if it is big-endian.
    pub big_endian: bool,
    /// `e_machine`: 62 is x86-64, 183 AArch64.
    pub machine: u16,
    /// `PT_INTERP`: its loader's path.
    pub interpreter: Option<Vec<u8>>,
    /// `DT_SONAME`: the name it is known by once loaded.
    pub soname: Option<Vec<u8>>,
    /// `DT_NEEDED` and `DT_FILTER`: the libraries without which it doesn't load.
    pub needed: Vec<Vec<u8>>,
    /// `DT_AUXILIARY`: libraries that are used if they are there.
    pub auxiliary: Vec<Vec<u8>>,
    /// `DT_RPATH`: directories for its own libraries and for what those need.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`: directories for its own libraries.
    pub runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`: the default directories are not searched.
    pub no_default: bool,
}

/// The numbers of one class and byte order.
#[derive(Clone, Copy)]
struct Layout {
    is_64: bool,
    big_endian: bool,
}

impl Layout {
    /// The unsigned number of `width` bytes at `at`, 0 beyond the end.
    fn number(self, bytes: &[u8], at: usize, width: usize) -> u64 {
        let order = if self.big_endian {
            ByteOrder::Big
        } else {
            ByteOrder::Little
        };
        bytes::number(bytes, at, width, order).unwrap_or(0)
    }

    /// The word (address, offset) at one of two places: in a 64-bit or in a 32-bit structure.
    fn word(self, bytes: &[u8], at_64: usize, at_32: usize) -> u64 {
        if self.is_64 {
            self.number(bytes, at_64, 8)
        } else {
            self.number(bytes, at_32, 4)
        }
    }
}

/// A loaded segment: where its bytes are in memory and in the file.
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const PF_X: u64 = 1;
const PF_W: u64 = 2;

const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;
const DF_1_NODEFLIB: u64 = 0x800;

/// One program header.
struct Header {
    kind: u64,
    flags: u64,
    address: u64,
    /// Its bytes in the file: offset and length.
    offset: u64,
    size: u64,
}

/// The program headers of a file that a kernel or a loader would take.
struct Headers {
    layout: Layout,
    machine: u64,
    list: Vec<Header>,
}

/// Reads the program headers; none if `read` gives no ELF file that can be loaded.
fn headers(read: &ReadAt<'_>) -> io::Result<Option<Headers>> {
    let head = read(0, 4096)?;
    let (Some(ident), true) = (head.get(..16), head.len() >= 52) else {
        return Ok(None);
    };
    let layout = match ident {
        [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] => Layout {
            is_64: *class == 2,
            big_endian: *order == 2,
        },
        _ => return Ok(None),
    };
    let kind = layout.number(&head, 16, 2);
    let table = layout.word(&head, 32, 28);
    let (entry_at, count_at, entry_size) = if layout.is_64 { (54, 56, 56) } else { (42, 44, 32) };
    let count = usize::try_from(layout.number(&head, count_at, 2)).unwrap_or(usize::MAX);
    // ET_EXEC and ET_DYN are what can be loaded; an object file or a core dump needs nothing.
    if !matches!(kind, 2 | 3)
        || count == 0
        || count > MAX_HEADERS
        || layout.number(&head, entry_at, 2) != entry_size as u64
    {
        return Ok(None);
    }
    let length = count * entry_size;
    let inside = usize::try_from(table)
        .ok()
        .and_then(|start| head.get(start..start.checked_add(length)?));
    let bytes = match inside {
        Some(bytes) => bytes.to_vec(),
        None => read(table, length)?,
    };
    let header = |bytes: &[u8]| Header {
        kind: layout.number(bytes, 0, 4),
        flags: layout.number(bytes, if layout.is_64 { 4 } else { 24 }, 4),
        address: layout.word(bytes, 16, 8),
        offset: layout.word(bytes, 8, 4),
        size: layout.word(bytes, 32, 16),
    };
    Ok(Some(Headers {
        layout,
        machine: layout.number(&head, 18, 2),
        list: bytes.chunks_exact(entry_size).map(header).collect(),
    }))
}

/// Parses what `read` gives; none if it is no ELF file that a kernel or a loader would take.
///
/// # Errors
/// Those of `read`; contents are never an error.
pub fn parse(read: &ReadAt<'_>) -> io::Result<Option<Elf>> {
    let Some(Headers {
        layout,
        machine,
        list,
    }) = headers(read)?
    else {
        return Ok(None);
    };
    let mut elf = Elf {
        is_64: layout.is_64,
        big_endian: layout.big_endian,
        machine: u16::try_from(machine).unwrap_or(0),
        ..Elf::default()
    };
    let mut segments = Vec::new();
    let mut dynamic = None;
    for header in list {
        let Header { offset, size, .. } = header;
        match header.kind {
            PT_LOAD => segments.push(Segment {
                address: header.address,
                offset,
                size,
            }),
            PT_DYNAMIC => dynamic = dynamic.or(Some((offset, size.min(MAX_DYNAMIC)))),
            PT_INTERP if elf.interpreter.is_none() => {
                let bytes = read(offset, usize::try_from(size.min(MAX_NAME)).unwrap_or(0))?;
                elf.interpreter = Some(until_nul(&bytes)).filter(|path| !path.is_empty());
            }
            _ => {}
        }
    }
    if let Some((offset, size)) = dynamic {
        let section = read(offset, usize::try_from(size).unwrap_or(0))?;
        read_dynamic(&mut elf, layout, &section, &segments, read)?;
    }
    Ok(Some(elf))
}

/// Returns where the segments that are loaded without write permission are in the file: names, literals and other
/// constants, as offsets and lengths, which may lie beyond its end. Machine code is left out where constants have
/// segments of their own, which older linkers did not give them. Empty if `read` gives no ELF file.
///
/// # Errors
/// Those of `read`.
pub(super) fn read_only(read: &ReadAt<'_>) -> io::Result<Vec<(u64, u64)>> {
    let Some(headers) = headers(read)? else {
        return Ok(Vec::new());
    };
    let loaded = |header: &&Header| header.kind == PT_LOAD && header.flags & PF_W == 0;
    let constants: Vec<&Header> = headers.list.iter().filter(loaded).collect();
    let alone = constants.iter().any(|header| header.flags & PF_X == 0);
    let wanted = constants
        .into_iter()
        .filter(|header| !alone || header.flags & PF_X == 0);
    Ok(wanted.map(|header| (header.offset, header.size)).collect())
}

/// Reads the dynamic section's entries and the strings that they name into `elf`.
fn read_dynamic(
    elf: &mut Elf,
    layout: Layout,
    section: &[u8],
    segments: &[Segment],
    read: &ReadAt<'_>,
) -> io::Result<()> {
    let width = if layout.is_64 { 8 } else { 4 };
    let mut table = None;
    let mut table_size = 0;
    let mut names = Vec::new();
    for entry in section.chunks_exact(2 * width) {
        let value = layout.number(entry, width, width);
        match layout.number(entry, 0, width) {
            DT_NULL => break,
            DT_STRTAB => table = Some(value),
            DT_STRSZ => table_size = value,
            DT_FLAGS_1 => elf.no_default = value & DF_1_NODEFLIB != 0,
            tag @ (DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH | DT_AUXILIARY | DT_FILTER) => {
                names.push((tag, value));
            }
            _ => {}
        }
    }
    let Some(strings) = table.and_then(|address| file_offset(segments, address)) else {
        return Ok(());
    };
    names.retain(|(_, index)| *index < table_size);
    let (Some(first), Some(last)) = (
        names.iter().map(|(_, index)| *index).min(),
        names.iter().map(|(_, index)| *index).max(),
    ) else {
        return Ok(());
    };
    // At most `size` bytes of the table from `index` on.
    let region = |index: u64, size: u64| {
        let size = size.min(table_size - index);
        match strings.checked_add(index) {
            Some(offset) => read(offset, usize::try_from(size).unwrap_or(0)),
            None => Ok(Vec::new()),
        }
    };
    let together = if last - first < MAX_STRINGS {
        Some(region(first, last - first + MAX_NAME)?)
    } else {
        None
    };
    for (tag, index) in names {
        let name = match &together {
            Some(bytes) => usize::try_from(index - first)
                .ok()
                .and_then(|start| bytes.get(start..))
                .map(until_nul),
            None => Some(until_nul(&region(index, MAX_NAME)?)),
        };
        let Some(name) = name.filter(|name| !name.is_empty() && name.len() < MAX_NAME as usize) else {
            continue;
        };
        match tag {
            DT_SONAME => elf.soname = Some(name),
            DT_RPATH => elf.rpath = Some(name),
            DT_RUNPATH => elf.runpath = Some(name),
            DT_AUXILIARY => elf.auxiliary.push(name),
            _ => elf.needed.push(name),
        }
    }
    Ok(())
}

/// Returns the offset in the file of the byte at `address`.
fn file_offset(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let inner = address.checked_sub(segment.address)?;
        (inner < segment.size).then(|| segment.offset.checked_add(inner))?
    })
}

/// The bytes before the first NUL, or all.
fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|&byte| byte == 0).next().unwrap_or(&[]).to_vec()
}

/// Reads from bytes in memory.
pub(crate) fn slice(bytes: &[u8]) -> impl Fn(u64, usize) -> io::Result<Vec<u8>> + '_ {
    move |offset, length| {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes the ELF file that `elf` describes: headers, dynamic section and strings, nothing to run.
    pub(crate) fn write(elf: &Elf) -> Vec<u8> {
        write_with(elf, b"")
    }

    /// As [`write`], with constants.
    pub(crate) fn write_with(elf: &Elf, constants: &[u8]) -> Vec<u8> {
        let number = |value: u64, width: usize| {
            let mut bytes = value.to_le_bytes()[..width].to_vec();
            if elf.big_endian {
                bytes.reverse();
            }
            bytes
        };
        let word = if elf.is_64 { 8 } else { 4 };
        let (header, entry) = if elf.is_64 { (64, 56) } else { (52, 32) };
        let mut strings = vec![0];
        let mut tags = Vec::new();
        let mut name = |tag: u64, name: &[u8]| {
            tags.push((tag, strings.len() as u64));
            strings.extend_from_slice(name);
            strings.push(0);
        };
        elf.needed.iter().for_each(|n| name(DT_NEEDED, n));
        elf.auxiliary.iter().for_each(|n| name(DT_AUXILIARY, n));
        elf.soname.iter().for_each(|n| name(DT_SONAME, n));
        elf.rpath.iter().for_each(|n| name(DT_RPATH, n));
        elf.runpath.iter().for_each(|n| name(DT_RUNPATH, n));
        if elf.no_default {
            tags.push((DT_FLAGS_1, DF_1_NODEFLIB));
        }
        let mut interpreter = elf.interpreter.clone().unwrap_or_default();
        interpreter.push(0);
        let interp_at = header + 3 * entry;
        let strings_at = interp_at + interpreter.len();
        let dynamic_at = strings_at + strings.len();
        // Addresses differ from offsets, as they do in real files.
        let base = 0x40_0000;
        tags.push((DT_STRTAB, (base + strings_at) as u64));
        tags.push((DT_STRSZ, strings.len() as u64));
        tags.push((DT_NULL, 0));
        let dynamic_size = tags.len() * 2 * word;
        let size = dynamic_at + dynamic_size + constants.len();

        let mut out = vec![
            0x7f,
            b'E',
            b'L',
            b'F',
            if elf.is_64 { 2 } else { 1 },
            if elf.big_endian { 2 } else { 1 },
            1,
        ];
        out.resize(16, 0);
        out.extend(number(3, 2));
        out.extend(number(u64::from(elf.machine), 2));
        out.extend(number(1, 4));
        out.extend(number(0, word));
        out.extend(number(header as u64, word));
        out.extend(number(0, word));
        out.extend(number(0, 4));
        for field in [header, entry, 3, 0, 0, 0] {
            out.extend(number(field as u64, 2));
        }
        assert_eq!(out.len(), header);
        let interp_kind = if elf.interpreter.is_some() { PT_INTERP } else { 0 };
        for (kind, offset, length) in [
            (PT_LOAD, 0, size),
            (interp_kind, interp_at, interpreter.len()),
            (PT_DYNAMIC, dynamic_at, dynamic_size),
        ] {
            let start = out.len();
            out.extend(number(kind, 4));
            if elf.is_64 {
                out.extend(number(4, 4));
            }
            out.extend(number(offset as u64, word));
            out.extend(number((base + offset) as u64, word));
            out.extend(number(0, word));
            out.extend(number(length as u64, word));
            out.extend(number(length as u64, word));
            if !elf.is_64 {
                out.extend(number(4, 4));
            }
            out.extend(number(4096, word));
            assert_eq!(out.len() - start, entry);
        }
        out.extend(interpreter);
        out.extend(strings);
        for (tag, value) in tags {
            out.extend(number(tag, word));
            out.extend(number(value, word));
        }
        out.extend_from_slice(constants);
        out
    }

    fn name() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(1u8..=255, 1..20)
    }

    prop_compose! {
        fn any_elf()(
            is_64: bool,
            big_endian: bool,
            machine: u16,
            no_default: bool,
            interpreter in proptest::option::of(name()),
            soname in proptest::option::of(name()),
            rpath in proptest::option::of(name()),
            runpath in proptest::option::of(name()),
            needed in proptest::collection::vec(name(), 0..8),
            auxiliary in proptest::collection::vec(name(), 0..3),
        ) -> Elf {
            Elf { is_64, big_endian, machine, interpreter, soname, needed, auxiliary, rpath, runpath, no_default }
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(elf in any_elf()) {
            prop_assert_eq!(parse(&slice(&write(&elf))).unwrap(), Some(elf));
        }

        #[test]
        fn damage_never_panics(elf in any_elf(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40), cut: prop::sample::Index) {
            let mut bytes = write(&elf);
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = parse(&slice(&bytes));
            let _ = read_only(&slice(&bytes));
        }

        #[test]
        fn a_damaged_real_file_never_panics(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..100)) {
            // What is read of it: headers at the start, and the dynamic section and its strings, wherever they are.
            let mut bytes = std::fs::read("/bin/true").unwrap();
            let size = bytes.len();
            for (n, (place, byte)) in damage.into_iter().enumerate() {
                let place = place.index(if n % 2 == 0 { 4096.min(size) } else { size });
                bytes[place] = byte;
            }
            if let Some(elf) = parse(&slice(&bytes)).unwrap() {
                prop_assert!(elf.needed.len() <= 4096);
            }
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut elf = b"\x7fELF\x02\x01".to_vec();
            elf.extend(bytes);
            let _ = parse(&slice(&elf));
        }
    }

    #[test]
    fn this_test_itself_is_an_elf_file() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let elf = parse(&slice(&bytes)).unwrap().unwrap();
        assert!(
            elf.needed.iter().any(|name| name.starts_with(b"libc.")),
            "{elf:?}"
        );
        assert!(elf.interpreter.is_some());
        assert_eq!(parse(&slice(b"#!/bin/sh\n")).unwrap(), None);
        assert_eq!(parse(&slice(b"")).unwrap(), None);
    }
}
