//! What the reach of system calls reads of an ELF file: sections, symbols, relocations, starts of functions.
//!
//! Sources: System V ABI, "Object Files" and "Relocation" (x86-64 psABI); the Linux Standard Base, "Exception Frames", for
//! `.eh_frame`; Go's `src/internal/abi/symtab.go` and `src/debug/gosym/pclntab.go` for `.gopclntab`.

use std::collections::HashMap;
use std::ops::Range;

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection as _};
use object::LittleEndian as Little;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _, Rela as _, SectionHeader as _, Sym as _};

/// The largest number of symbols, relocations and functions that are read of one file.
const MOST: usize = 4_000_000;

/// What a slot in memory holds once the loader is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pointer {
    /// An address in the file.
    Local(u64),
    /// A symbol of whichever file has it: an index into [`Binary::imports`].
    Import(u32),
}

/// A section with bytes.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// The addresses.
    pub(super) range: Range<u64>,
    /// The bytes; fewer than addresses where the rest is zero.
    pub(super) bytes: &'a [u8],
    /// True for a table of jumps to imports.
    pub(super) is_plt: bool,
}

impl Section<'_> {
    /// Returns the word at `address`.
    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.range.start)?).ok()?;
        let word = self.bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(word.try_into().ok()?))
    }
}

/// A symbol that the file defines.
#[derive(Clone, Debug)]
pub(super) struct Symbol {
    /// The name.
    pub(super) name: String,
    /// The address.
    pub(super) address: u64,
    /// True if others can use it.
    pub(super) exported: bool,
    /// True if the data there is an object's, and no function.
    pub(super) is_data: bool,
}

/// An x86-64 ELF file.
#[derive(Debug, Default)]
pub(super) struct Binary<'a> {
    /// Sections of instructions, by address.
    pub(super) code: Vec<Section<'a>>,
    /// Sections of data, by address.
    pub(super) data: Vec<Section<'a>>,
    /// Pointers that the loader fills in, by the address of the slot.
    pub(super) pointers: Vec<(u64, Pointer)>,
    /// Names of symbols that other files define.
    pub(super) imports: Vec<String>,
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

impl<'a> Binary<'a> {
    /// Reads a file; none if it is no x86-64 ELF file or a damaged one.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let file = ElfFile64::<Little>::parse(bytes).ok()?;
        let header = file.elf_header();
        if header.e_machine(Little) != elf::EM_X86_64 {
            return None;
        }
        let kind = header.e_type(Little);
        if kind != elf::ET_EXEC && kind != elf::ET_DYN {
            return None;
        }
        let mut binary = Self {
            is_fixed: kind == elf::ET_EXEC,
            ..Self::default()
        };
        let table = file.elf_section_table();
        let mut frames = None;
        let mut lines = None;
        for section in table.iter() {
            let flags = section.sh_flags(Little).0;
            if flags & elf::SHF_ALLOC.0 == 0 {
                continue;
            }
            let name = table.section_name(Little, section).unwrap_or_default();
            let start = section.sh_addr(Little);
            let range = start..start.saturating_add(section.sh_size(Little));
            let kind = section.sh_type(Little);
            let content = section.data(Little, bytes).unwrap_or_default();
            match name {
                b".eh_frame" => frames = Some((start, content)),
                b".gopclntab" => lines = Some(content),
                b".gosymtab" | b".gcc_except_table" | b".eh_frame_hdr" | b".interp" => {}
                _ if flags & elf::SHF_EXECINSTR.0 != 0 => binary.code.push(Section {
                    range,
                    bytes: content,
                    is_plt: name.starts_with(b".plt"),
                }),
                _ if matches!(
                    kind,
                    elf::SHT_PROGBITS
                        | elf::SHT_NOBITS
                        | elf::SHT_INIT_ARRAY
                        | elf::SHT_FINI_ARRAY
                        | elf::SHT_PREINIT_ARRAY
                ) =>
                {
                    if matches!(
                        kind,
                        elf::SHT_INIT_ARRAY | elf::SHT_FINI_ARRAY | elf::SHT_PREINIT_ARRAY
                    ) {
                        binary.arrays.push(range.clone());
                    }
                    // Thread-local templates share their addresses with what follows.
                    if flags & elf::SHF_TLS.0 == 0 || kind != elf::SHT_NOBITS {
                        binary.data.push(Section {
                            range,
                            bytes: content,
                            is_plt: false,
                        });
                    }
                }
                _ => {}
            }
        }
        binary.code.sort_by_key(|section| section.range.start);
        binary.data.sort_by_key(|section| section.range.start);
        binary.read_symbols(&file);
        binary.read_pointers(&file, bytes);
        binary.entries.push(header.e_entry(Little));
        binary.entries.retain(|&address| address != 0);
        binary.is_program = kind == elf::ET_EXEC
            || file
                .elf_program_headers()
                .iter()
                .any(|header| header.p_type.get(Little) == elf::PT_INTERP);
        if let Some((address, content)) = frames {
            binary.read_frames(address, content);
        }
        if let Some(content) = lines {
            binary.read_lines(content);
        }
        binary.has_starts = binary.starts.len() > 1;
        for symbol in &binary.symbols {
            if !symbol.is_data {
                binary.starts.push(symbol.address);
            }
        }
        binary.starts.extend(&binary.entries);
        let code = std::mem::take(&mut binary.code);
        let local = binary.pointers.iter().filter_map(|(_, pointer)| match pointer {
            Pointer::Local(address) => Some(*address),
            Pointer::Import(_) => None,
        });
        binary.starts.extend(local);
        binary
            .starts
            .extend(code.iter().map(|section| section.range.start));
        binary.code = code;
        let code = &binary.code;
        binary.starts.retain(|&address| find(code, address).is_some());
        binary.starts.sort_unstable();
        binary.starts.dedup();
        Some(binary)
    }

    fn read_symbols(&mut self, file: &ElfFile64<'a, Little>) {
        for (table, exported) in [
            (file.elf_dynamic_symbol_table(), true),
            (file.elf_symbol_table(), false),
        ] {
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
                let Ok(name) = table.symbol_name(Little, symbol) else {
                    continue;
                };
                if name.is_empty() || address == 0 {
                    continue;
                }
                self.symbols.push(Symbol {
                    name: String::from_utf8_lossy(name).into_owned(),
                    address,
                    exported: exported && symbol.st_bind() != elf::STB_LOCAL,
                    is_data: kind == elf::STT_OBJECT || find(&self.code, address).is_none(),
                });
            }
        }
    }

    fn read_pointers(&mut self, file: &ElfFile64<'a, Little>, bytes: &'a [u8]) {
        let table = file.elf_section_table();
        let symbols = file.elf_dynamic_symbol_table();
        let mut known: HashMap<u32, u32> = HashMap::new();
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
                                let Ok(name) = symbols.symbol_name(Little, symbol) else {
                                    continue;
                                };
                                let next = u32::try_from(self.imports.len()).unwrap_or(u32::MAX);
                                let import = *known.entry(index).or_insert(next);
                                if import == next {
                                    self.imports.push(String::from_utf8_lossy(name).into_owned());
                                }
                                Pointer::Import(import)
                            }
                        }
                        _ => continue,
                    };
                    self.pointers.push((slot, pointer));
                }
            }
            if section.sh_type(Little) == elf::SHT_RELR {
                self.read_relr(section.data(Little, bytes).unwrap_or_default());
            }
        }
        self.pointers.sort_by_key(|(slot, _)| *slot);
    }

    /// Packed relative relocations: the word at each slot is the address. Source: the ELF gABI's proposal "RELR".
    fn read_relr(&mut self, content: &[u8]) {
        let mut base = 0_u64;
        for entry in content.as_chunks::<8>().0.iter().take(MOST) {
            let entry = u64::from_le_bytes(*entry);
            if entry & 1 == 0 {
                self.push_relative(entry);
                base = entry.wrapping_add(8);
            } else {
                for bit in 0..63 {
                    if entry >> (bit + 1) & 1 == 1 {
                        self.push_relative(base.wrapping_add(bit * 8));
                    }
                }
                base = base.wrapping_add(63 * 8);
            }
        }
    }

    fn push_relative(&mut self, slot: u64) {
        if let Some(address) = find(&self.data, slot).and_then(|section| section.word(slot)) {
            self.pointers.push((slot, Pointer::Local(address)));
        }
    }

    fn read_frames(&mut self, address: u64, content: &'a [u8]) {
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
    pub(super) fn text(&self, address: u64) -> Option<&'a str> {
        let section = find(&self.data, address)?;
        let at = usize::try_from(address - section.range.start).ok()?;
        let bytes = section.bytes.get(at..)?;
        let end = memchr::memchr(0, &bytes[..bytes.len().min(256)])?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
    }

    /// Returns the pointers in `range`: those that the loader fills in, and in a file of fixed addresses the aligned
    /// words that lead to a function's start or to data.
    pub(super) fn pointers_in(&self, range: Range<u64>) -> Vec<(u64, Pointer)> {
        let from = self.pointers.partition_point(|(slot, _)| *slot < range.start);
        let to = self.pointers.partition_point(|(slot, _)| *slot < range.end);
        let mut found = self.pointers.get(from..to).unwrap_or_default().to_vec();
        if self.is_fixed
            && let Some(section) = find(&self.data, range.start)
        {
            let mut slot = range.start.next_multiple_of(8);
            while slot < range.end {
                let Some(word) = section.word(slot) else { break };
                if self.starts.binary_search(&word).is_ok() || self.is_data(word) {
                    found.push((slot, Pointer::Local(word)));
                }
                slot += 8;
            }
            found.sort_by_key(|(slot, _)| *slot);
        }
        found
    }
}

/// Returns the section that holds `address`.
pub(super) fn find<'s, 'a>(sections: &'s [Section<'a>], address: u64) -> Option<&'s Section<'a>> {
    let index = sections.partition_point(|section| section.range.start <= address);
    let section = sections.get(index.checked_sub(1)?)?;
    section.range.contains(&address).then_some(section)
}
