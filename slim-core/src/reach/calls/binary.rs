//! What the reach of system calls reads of an ELF file: sections, symbols, relocations, starts of functions.
//!
//! Programs are large, and several are read at a time: tables are in memory while they are read, instructions in windows
//! ([`Code`]), and data in blocks ([`Data`]).
//!
//! Sources: System V ABI, "Object Files" and "Relocation" (x86-64 psABI); the Linux Standard Base, "Exception Frames", for
//! `.eh_frame`; Go's `src/internal/abi/symtab.go` and `src/debug/gosym/pclntab.go` for `.gopclntab`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection as _};
use object::LittleEndian as Little;
use object::ReadRef;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _, Rela as _, SectionHeader as _, Sym as _};
use serde::{Deserialize, Serialize};

use crate::reach::elf::parse::ReadAt;

/// The largest number of symbols, relocations and functions that are read of one file.
const MOST: usize = 4_000_000;
/// The highest address of a section: mentions of addresses need the two bits above.
const HIGHEST: u64 = 1 << 62;
/// The number of bytes that are read of a file at once: few enough for the allocator to use the same memory again.
const PIECE: usize = 64 << 10;
/// The number of bytes of instructions that are in memory; more for a longer function.
const WINDOW: u64 = 256 << 10;
/// The number of bytes of a block of data, and of blocks that are in memory.
const BLOCK: u64 = 64 << 10;
const BLOCKS: usize = 32;

/// What a slot in memory holds once the loader is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    /// An address in the file.
    Local(u64),
    /// A symbol of whichever file has it: an index into [`Binary::names`].
    Import(u32),
}

/// Names, each up to a NUL: a file's tables of strings as they are, and what is added.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    bytes: Vec<u8>,
}

impl Names {
    /// Adds a name, and returns its place.
    pub(super) fn push(&mut self, name: &str) -> u32 {
        let place = number(self.bytes.len());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        place
    }

    /// Adds a table of strings that stands at `offset` in a file of `size` bytes, and returns its place; none if the file
    /// ends before it.
    fn add_table(&mut self, read: &ReadAt<'_>, size: u64, offset: u64, length: u64) -> Option<u32> {
        let (place, length) = (self.bytes.len(), within(size, offset, length)?);
        self.bytes.reserve_exact(length + 1);
        self.bytes.resize(place + length, 0);
        read_into(read, offset, &mut self.bytes[place..])?;
        self.bytes.push(0);
        u32::try_from(place).ok()
    }

    /// Returns the number of bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the name at a place; an empty one where there is none, and for one that is not UTF-8.
    pub(super) fn get(&self, place: u32) -> &str {
        let rest = self.bytes.get(place as usize..).unwrap_or_default();
        let end = memchr::memchr(0, rest).unwrap_or(0);
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }
}

/// Returns a number of 32 bits, the largest for one that has more.
pub(super) fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A section.
#[derive(Debug)]
pub(super) struct Section {
    /// The addresses.
    pub(super) range: Range<u64>,
    /// The place in the file, and the number of bytes there: none where all is zero.
    stored: (u64, u64),
    /// True for a table of jumps to imports.
    pub(super) is_plt: bool,
}

/// The parts of a file that are read, by their offsets.
struct Parts {
    length: u64,
    parts: BTreeMap<u64, Vec<u8>>,
    /// Number of bytes that may still be read: sections of a program do not overlap.
    left: u64,
}

impl Parts {
    /// Reads a part; none if there is more than the file holds.
    fn add(&mut self, read: &ReadAt<'_>, (offset, length): (u64, u64)) -> Option<()> {
        self.left = self.left.checked_sub(length)?;
        let mut bytes = vec![0; within(self.length, offset, length)?];
        read_into(read, offset, &mut bytes)?;
        let there = self.parts.entry(offset).or_default();
        if there.len() < bytes.len() {
            *there = bytes;
        }
        Some(())
    }

    /// Returns what is read from `offset` on.
    fn from(&self, offset: u64) -> Option<&[u8]> {
        let (start, bytes) = self.parts.range(..=offset).next_back()?;
        bytes.get(usize::try_from(offset - start).ok()?..)
    }
}

impl<'a> ReadRef<'a> for &'a Parts {
    fn len(self) -> Result<u64, ()> {
        Ok(self.length)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        let size = usize::try_from(size).map_err(drop)?;
        self.from(offset).and_then(|bytes| bytes.get(..size)).ok_or(())
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let bytes = self.from(range.start).ok_or(())?;
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(length)];
        Ok(&bytes[..memchr::memchr(delimiter, bytes).ok_or(())?])
    }
}

/// Returns the length of a part of a file of `size` bytes; none if the file ends before it.
fn within(size: u64, offset: u64, length: u64) -> Option<usize> {
    let end = offset.checked_add(length)?;
    usize::try_from(length).ok().filter(|_| end <= size)
}

/// A file of which parts are read.
type PartialElf<'a> = ElfFile64<'a, Little, &'a Parts>;

/// Fills `bytes` with those at `offset`.
fn read_into(read: &ReadAt<'_>, mut offset: u64, bytes: &mut [u8]) -> Option<()> {
    for piece in bytes.chunks_mut(PIECE) {
        piece.copy_from_slice(read(offset, piece.len()).ok()?.get(..piece.len())?);
        offset = offset.checked_add(piece.len() as u64)?;
    }
    Some(())
}

/// The sections that list functions.
#[derive(Default)]
struct Lists<'t> {
    /// `.eh_frame` and its address.
    frames: Option<(u64, &'t [u8])>,
    /// `.gopclntab`.
    lines: Option<&'t [u8]>,
}

/// The data of a file, of which some blocks are in memory.
pub(super) struct Data<'a> {
    read: &'a ReadAt<'a>,
    blocks: HashMap<u64, Vec<u8>>,
    /// The blocks in memory, the oldest first.
    order: VecDeque<u64>,
}

impl<'a> Data<'a> {
    /// The data of the file that `read` gives.
    pub(super) fn new(read: &'a ReadAt<'a>) -> Self {
        Self {
            read,
            blocks: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Returns the bytes of a section from `address` on: at most `most`, and as many as the file has.
    fn bytes(&mut self, section: &Section, address: u64, most: usize) -> Vec<u8> {
        let (offset, length) = section.stored;
        let Some(into) = address.checked_sub(section.range.start) else {
            return Vec::new();
        };
        let wanted = usize::try_from(length.saturating_sub(into)).map_or(most, |left| left.min(most));
        let mut found = Vec::with_capacity(wanted);
        while found.len() < wanted {
            let at = offset.saturating_add(into).saturating_add(found.len() as u64);
            let block = self.block(at / BLOCK);
            let from = block.get((at % BLOCK) as usize..).unwrap_or_default();
            if from.is_empty() {
                break;
            }
            found.extend_from_slice(&from[..from.len().min(wanted - found.len())]);
        }
        found
    }

    fn block(&mut self, index: u64) -> &[u8] {
        let Self { read, blocks, order } = self;
        if !blocks.contains_key(&index) {
            if order.len() == BLOCKS
                && let Some(oldest) = order.pop_front()
            {
                blocks.remove(&oldest);
            }
            order.push_back(index);
        }
        blocks
            .entry(index)
            .or_insert_with(|| read(index.saturating_mul(BLOCK), BLOCK as usize).unwrap_or_default())
    }

    /// Returns the word at `address` in a section.
    fn word(&mut self, section: &Section, address: u64) -> Option<u64> {
        let bytes = self.bytes(section, address, 8);
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// The instructions of a file, of which a window is in memory.
pub(super) struct Code<'a> {
    read: &'a ReadAt<'a>,
    addresses: Range<u64>,
    bytes: Vec<u8>,
}

impl<'a> Code<'a> {
    /// The instructions of the file that `read` gives.
    pub(super) fn new(read: &'a ReadAt<'a>) -> Self {
        Self {
            read,
            addresses: 0..0,
            bytes: Vec::new(),
        }
    }

    /// Returns the instructions at `addresses` in a section; none if the file has none there.
    pub(super) fn bytes(&mut self, section: &Section, addresses: &Range<u64>) -> &[u8] {
        let section_end = section.range.start.saturating_add(section.stored.1);
        let end = addresses.end.min(section_end);
        if addresses.start >= end {
            return &[];
        }
        if addresses.start < self.addresses.start || end > self.addresses.end {
            let window = addresses.start..end.max(addresses.start.saturating_add(WINDOW)).min(section_end);
            let offset = section.stored.0 + (window.start - section.range.start);
            self.bytes
                .resize(usize::try_from(window.end - window.start).unwrap_or(0), 0);
            self.addresses = match read_into(self.read, offset, &mut self.bytes) {
                Some(()) => window,
                None => 0..0,
            };
        }
        let at = |address: u64| usize::try_from(address - self.addresses.start).unwrap_or(usize::MAX);
        let found = self
            .addresses
            .contains(&addresses.start)
            .then(|| at(addresses.start)..at(end));
        found.and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }
}

/// A symbol that the file defines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// The name: an index into [`Binary::names`].
    pub(super) name: u32,
    /// The address.
    pub(super) address: u64,
    /// True if others can use it.
    pub(super) exported: bool,
    /// True if the data there is an object's, and no function.
    pub(super) is_data: bool,
}

/// An x86-64 ELF file.
#[derive(Debug, Default)]
pub(super) struct Binary {
    /// Sections of instructions, by address.
    pub(super) code: Vec<Section>,
    /// Sections of data, by address.
    pub(super) data: Vec<Section>,
    /// Pointers that the loader fills in, by the address of the slot.
    pub(super) pointers: Vec<(u64, Pointer)>,
    /// Names of symbols.
    pub(super) names: Names,
    /// Defined symbols.
    pub(super) symbols: Vec<Symbol>,
    /// Starts of functions, as far as tables name them; sorted.
    pub(super) starts: Vec<u64>,
    /// True if `.eh_frame` or `.gopclntab` names the functions.
    pub(super) has_starts: bool,
    /// Where execution begins: the entry point, `DT_INIT`, `DT_FINI`.
    pub(super) entries: Vec<u64>,
    /// Arrays of functions that the loader calls.
    pub(super) arrays: Vec<Range<u64>>,
    /// True if addresses are fixed: constants can be addresses.
    pub(super) is_fixed: bool,
    /// True if the file names a loader or is a program without one.
    pub(super) is_program: bool,
}

impl Binary {
    /// Reads a file of `size` bytes; none if it is no x86-64 ELF file or a damaged one.
    pub(super) fn parse(read: &ReadAt<'_>, size: u64) -> Option<Self> {
        let mut parts = Parts {
            length: size,
            parts: BTreeMap::new(),
            left: size.checked_mul(2)?,
        };
        parts.add(read, (0, size_of::<elf::FileHeader64<Little>>() as u64))?;
        let header = elf::FileHeader64::<Little>::parse(&parts).ok()?;
        if header.e_machine(Little) != elf::EM_X86_64 {
            return None;
        }
        let each = |size: u16, count: u16| u64::from(size) * u64::from(count);
        let programs = each(header.e_phentsize(Little), header.e_phnum(Little));
        let sections = each(header.e_shentsize(Little), header.e_shnum(Little));
        let headers = [
            (header.e_phoff(Little), programs),
            (header.e_shoff(Little), sections),
        ];
        for place in headers {
            parts.add(read, place)?;
        }
        if let Some(names) = section_names(&parts)? {
            parts.add(read, names)?;
        }
        for table in tables(&parts)? {
            parts.add(read, table)?;
        }
        let file = PartialElf::parse(&parts).ok()?;
        let header = file.elf_header();
        let kind = header.e_type(Little);
        if kind != elf::ET_EXEC && kind != elf::ET_DYN {
            return None;
        }
        let mut binary = Self {
            is_fixed: kind == elf::ET_EXEC,
            ..Self::default()
        };
        let lists = binary.read_sections(&file, &parts);
        // Sections of a program stand in its file, and do not overlap.
        let mut left = size;
        for section in binary.code.iter().chain(&binary.data) {
            let (offset, length) = section.stored;
            left = left.checked_sub(length)?;
            within(size, offset, length)?;
        }
        let imports = binary.read_symbols(&file, read, size)?;
        binary.read_pointers(&file, &parts, imports, &mut Data::new(read));
        binary.entries.push(header.e_entry(Little));
        binary.entries.retain(|&address| address != 0);
        binary.is_program = kind == elf::ET_EXEC
            || file
                .elf_program_headers()
                .iter()
                .any(|header| header.p_type.get(Little) == elf::PT_INTERP);
        if let Some((address, content)) = lists.frames {
            binary.read_frames(address, content);
        }
        if let Some(content) = lists.lines {
            binary.read_lines(content);
        }
        binary.has_starts = binary.starts.len() > 1;
        binary.add_other_starts();
        Some(binary)
    }

    /// Adds the starts of functions that symbols, pointers, entries and sections give to those of the tables.
    fn add_other_starts(&mut self) {
        let symbols = self.symbols.iter().filter(|symbol| !symbol.is_data);
        self.starts.extend(symbols.map(|symbol| symbol.address));
        self.starts.extend(&self.entries);
        let local = self.pointers.iter().filter_map(|(_, pointer)| match pointer {
            Pointer::Local(address) => Some(*address),
            Pointer::Import(_) => None,
        });
        self.starts.extend(local);
        self.starts
            .extend(self.code.iter().map(|section| section.range.start));
        let code = &self.code;
        self.starts.retain(|&address| find(code, address).is_some());
        self.starts.sort_unstable();
        self.starts.dedup();
        self.starts.shrink_to_fit();
    }

    /// Notes the sections; returns those that list functions.
    fn read_sections<'t>(&mut self, file: &PartialElf<'t>, bytes: &'t Parts) -> Lists<'t> {
        let table = file.elf_section_table();
        let mut lists = Lists::default();
        for section in table.iter() {
            let flags = section.sh_flags(Little).0;
            let start = section.sh_addr(Little);
            let range = start..start.saturating_add(section.sh_size(Little));
            if flags & elf::SHF_ALLOC.0 == 0 || range.end > HIGHEST {
                continue;
            }
            let name = table.section_name(Little, section).unwrap_or_default();
            let kind = section.sh_type(Little);
            let noted = Section {
                range: range.clone(),
                stored: section.file_range(Little).unwrap_or_default(),
                is_plt: name.starts_with(b".plt"),
            };
            let is_array = matches!(
                kind,
                elf::SHT_INIT_ARRAY | elf::SHT_FINI_ARRAY | elf::SHT_PREINIT_ARRAY
            );
            match name {
                b".eh_frame" => lists.frames = Some((start, section.data(Little, bytes).unwrap_or_default())),
                b".gopclntab" => lists.lines = Some(section.data(Little, bytes).unwrap_or_default()),
                b".gosymtab" | b".gcc_except_table" | b".eh_frame_hdr" | b".interp" => {}
                _ if flags & elf::SHF_EXECINSTR.0 != 0 => self.code.push(noted),
                _ if is_array || matches!(kind, elf::SHT_PROGBITS | elf::SHT_NOBITS) => {
                    if is_array {
                        self.arrays.push(range);
                    }
                    // Thread-local templates share their addresses with what follows.
                    if flags & elf::SHF_TLS.0 == 0 || kind != elf::SHT_NOBITS {
                        self.data.push(Section {
                            is_plt: false,
                            ..noted
                        });
                    }
                }
                _ => {}
            }
        }
        self.code.sort_by_key(|section| section.range.start);
        self.data.sort_by_key(|section| section.range.start);
        lists
    }

    /// Reads the symbols; returns the place of the names of dynamic ones.
    fn read_symbols(&mut self, file: &PartialElf<'_>, read: &ReadAt<'_>, size: u64) -> Option<u32> {
        let mut dynamic = 0;
        for (table, exported) in [
            (file.elf_dynamic_symbol_table(), true),
            (file.elf_symbol_table(), false),
        ] {
            let strings = file.elf_section_table().section(table.string_section()).ok();
            let Some((offset, length)) = strings.and_then(|strings| strings.file_range(Little)) else {
                continue;
            };
            let names = self.names.add_table(read, size, offset, length)?;
            if exported {
                dynamic = names;
            }
            for symbol in table.iter().take(MOST) {
                let kind = symbol.st_type();
                if symbol.is_undefined(Little)
                    || !matches!(
                        kind,
                        elf::STT_FUNC | elf::STT_GNU_IFUNC | elf::STT_OBJECT | elf::STT_NOTYPE
                    )
                    || symbol.st_shndx(Little).0 >= elf::SHN_LORESERVE
                {
                    continue;
                }
                let address = symbol.st_value(Little);
                let name = names.saturating_add(symbol.st_name(Little));
                if address == 0 || self.names.get(name).is_empty() {
                    continue;
                }
                self.symbols.push(Symbol {
                    name,
                    address,
                    exported: exported && symbol.st_bind() != elf::STB_LOCAL,
                    is_data: kind == elf::STT_OBJECT || find(&self.code, address).is_none(),
                });
            }
        }
        Some(dynamic)
    }

    /// Reads the pointers that the loader fills in; the names of imports stand at `names`.
    fn read_pointers(&mut self, file: &PartialElf<'_>, bytes: &Parts, names: u32, data: &mut Data<'_>) {
        let table = file.elf_section_table();
        let symbols = file.elf_dynamic_symbol_table();
        for section in table.iter() {
            if let Ok(Some((relocations, link))) = section.rela(Little, bytes) {
                // Static programs have relocations without symbols.
                let dynamic = link.0 == 0 || link == symbols.section();
                if section.sh_flags(Little).0 & elf::SHF_ALLOC.0 == 0 || !dynamic {
                    continue;
                }
                for relocation in relocations.iter().take(MOST) {
                    let slot = relocation.r_offset(Little);
                    let addend = relocation.r_addend(Little).cast_unsigned();
                    let pointer = match relocation.r_type(Little, false) {
                        elf::R_X86_64_RELATIVE | elf::R_X86_64_IRELATIVE => Pointer::Local(addend),
                        elf::R_X86_64_64
                        | elf::R_X86_64_GLOB_DAT
                        | elf::R_X86_64_JUMP_SLOT
                        | elf::R_X86_64_COPY => {
                            let index = relocation.r_sym(Little, false);
                            let Ok(symbol) = symbols.symbol(object::SymbolIndex(index as usize)) else {
                                continue;
                            };
                            if !symbol.is_undefined(Little) && symbol.st_value(Little) != 0 {
                                Pointer::Local(symbol.st_value(Little).wrapping_add(addend))
                            } else {
                                Pointer::Import(names.saturating_add(symbol.st_name(Little)))
                            }
                        }
                        _ => continue,
                    };
                    self.pointers.push((slot, pointer));
                }
            }
            if section.sh_type(Little) == elf::SHT_RELR {
                self.read_relr(section.data(Little, bytes).unwrap_or_default(), data);
            }
        }
        self.pointers.sort_by_key(|(slot, _)| *slot);
        self.pointers.shrink_to_fit();
    }

    /// Packed relative relocations: the word at each slot is the address. Source: the ELF gABI's proposal "RELR".
    fn read_relr(&mut self, content: &[u8], data: &mut Data<'_>) {
        let mut base = 0_u64;
        for entry in content.as_chunks::<8>().0.iter().take(MOST) {
            let entry = u64::from_le_bytes(*entry);
            if entry & 1 == 0 {
                self.push_relative(entry, data);
                base = entry.wrapping_add(8);
            } else {
                for bit in 0..63 {
                    if entry >> (bit + 1) & 1 == 1 {
                        self.push_relative(base.wrapping_add(bit * 8), data);
                    }
                }
                base = base.wrapping_add(63 * 8);
            }
        }
    }

    fn push_relative(&mut self, slot: u64, data: &mut Data<'_>) {
        if let Some(address) = find(&self.data, slot).and_then(|section| data.word(section, slot)) {
            self.pointers.push((slot, Pointer::Local(address)));
        }
    }

    fn read_frames(&mut self, address: u64, content: &[u8]) {
        let bases = BaseAddresses::default().set_eh_frame(address);
        let frames = EhFrame::new(content, LittleEndian);
        let mut entries = frames.entries(&bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let Ok(frame) = partial.parse(EhFrame::cie_from_offset) else {
                continue;
            };
            // glibc lets the frame of a signal's return begin one byte early, so that unwinders find it.
            let early = u64::from(frame.cie().is_signal_trampoline());
            self.starts.push(frame.initial_address().saturating_add(early));
            if self.starts.len() > MOST {
                break;
            }
        }
    }

    /// The functions of Go's table, for versions 1.18 and later.
    fn read_lines(&mut self, content: &[u8]) {
        let word = |at: usize| {
            let bytes = content.get(at..at.checked_add(8)?)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let half = |at: usize| {
            let bytes = content.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let Some(0xffff_fff0 | 0xffff_fff1) = half(0) else {
            return;
        };
        let (Some(count), Some(text), Some(table)) = (word(8), word(24), word(64)) else {
            return;
        };
        let (Ok(count), Ok(table)) = (usize::try_from(count), usize::try_from(table)) else {
            return;
        };
        let text = if text == 0 {
            self.code
                .iter()
                .find(|code| !code.is_plt)
                .map_or(0, |code| code.range.start)
        } else {
            text
        };
        for index in 0..count.min(MOST) {
            let Some(offset) = table.checked_add(index * 8).and_then(half) else {
                return;
            };
            self.starts.push(text.saturating_add(u64::from(offset)));
        }
    }

    /// Returns the pointer that the loader puts at `slot`.
    pub(super) fn pointer(&self, slot: u64) -> Option<Pointer> {
        let index = self.pointers.partition_point(|(other, _)| *other < slot);
        let (found, pointer) = self.pointers.get(index)?;
        (*found == slot).then_some(*pointer)
    }

    /// Returns whether `address` is an instruction's.
    pub(super) fn is_code(&self, address: u64) -> bool {
        find(&self.code, address).is_some()
    }

    /// Returns whether `address` is in a section of data.
    pub(super) fn is_data(&self, address: u64) -> bool {
        find(&self.data, address).is_some()
    }

    /// Returns the text at `address`, up to its NUL, if it is printable ASCII of at most 255 bytes.
    pub(super) fn text(&self, data: &mut Data<'_>, address: u64) -> Option<String> {
        let mut bytes = data.bytes(find(&self.data, address)?, address, 256);
        bytes.truncate(memchr::memchr(0, &bytes)?);
        let is_text = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
        String::from_utf8(bytes).ok().filter(|_| is_text)
    }

    /// Returns the pointers in `range`: those that the loader fills in, and in a file of fixed addresses the aligned
    /// words that lead to one of the functions' `starts` or to data.
    pub(super) fn pointers_in(
        &self,
        data: &mut Data<'_>,
        range: Range<u64>,
        starts: &[u64],
    ) -> Vec<(u64, Pointer)> {
        let from = self.pointers.partition_point(|(slot, _)| *slot < range.start);
        let to = self.pointers.partition_point(|(slot, _)| *slot < range.end);
        let mut found = self.pointers.get(from..to).unwrap_or_default().to_vec();
        if self.is_fixed
            && let Some(section) = find(&self.data, range.start)
        {
            let mut slot = range.start.next_multiple_of(8);
            while slot < range.end {
                let left = usize::try_from((range.end - slot).next_multiple_of(8)).unwrap_or(usize::MAX);
                let bytes = data.bytes(section, slot, left.min(BLOCK as usize));
                let words = bytes.as_chunks::<8>().0;
                if words.is_empty() {
                    break;
                }
                for word in words {
                    let word = u64::from_le_bytes(*word);
                    if starts.binary_search(&word).is_ok() || self.is_data(word) {
                        found.push((slot, Pointer::Local(word)));
                    }
                    slot += 8;
                }
            }
            found.sort_by_key(|(slot, _)| *slot);
        }
        found
    }
}

/// Returns the place of the names of sections, if there are any, in a file whose headers are read.
fn section_names(parts: &Parts) -> Option<Option<(u64, u64)>> {
    let header = elf::FileHeader64::<Little>::parse(parts).ok()?;
    let sections = header.section_headers(Little, parts).ok()?;
    let names = header.section_strings_index(Little, parts).ok()?;
    Some(sections.get(names.0).and_then(|names| names.file_range(Little)))
}

/// Returns the places of symbols, relocations that the loader applies, and lists of functions, in a file whose headers and
/// names of sections are read.
fn tables(parts: &Parts) -> Option<Vec<(u64, u64)>> {
    let header = elf::FileHeader64::<Little>::parse(parts).ok()?;
    let table = header.sections(Little, parts).ok()?;
    let is_read = |section: &&elf::SectionHeader64<Little>| match section.sh_type(Little) {
        elf::SHT_SYMTAB | elf::SHT_DYNSYM | elf::SHT_RELR => true,
        elf::SHT_RELA => section.sh_flags(Little).0 & elf::SHF_ALLOC.0 != 0,
        _ => matches!(
            table.section_name(Little, section),
            Ok(b".eh_frame" | b".gopclntab")
        ),
    };
    let read = table.iter().filter(is_read);
    Some(read.filter_map(|section| section.file_range(Little)).collect())
}

/// Returns the section that holds `address`.
pub(super) fn find(sections: &[Section], address: u64) -> Option<&Section> {
    let index = sections.partition_point(|section| section.range.start <= address);
    let section = sections.get(index.checked_sub(1)?)?;
    section.range.contains(&address).then_some(section)
}
