//! The compiled program before it is loaded: the numbers in it that stand for what this kernel and this run fix.

use std::mem::size_of;

use object::{Object, ObjectSection, SectionKind};
use slim_ebpf::{FIXED, Fixed};

use super::raw;

/// Bytes of an instruction (`struct bpf_insn`, include/uapi/linux/bpf.h): opcode, registers, offset, immediate.
const INSTRUCTION: usize = 8;
/// Moves an immediate to a register, sign-extended (`BPF_ALU64 | BPF_MOV | BPF_K`).
const MOVE: u8 = 0xb7;
/// The same with zeros in the upper half (`BPF_ALU | BPF_MOV | BPF_K`).
const MOVE_32: u8 = 0xb4;
/// Loads 64 bits; the only instruction of two (`BPF_LD | BPF_DW | BPF_IMM`).
const LOAD_64: u8 = 0x18;

/// Puts the words of `fixed` where numbers stand for them in the instructions of `object`, an ELF file; how many such
/// numbers there were.
pub(super) fn fix(object: &mut [u8], fixed: &Fixed) -> Result<usize, object::Error> {
    let words = raw::words(fixed);
    let ranges: Vec<_> = object::File::parse(&*object)?
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
        .filter_map(|section| section.file_range())
        .collect();
    let mut count = 0;
    for (start, length) in ranges {
        let (start, length) = (start as usize, length as usize);
        let Some(code) = start
            .checked_add(length)
            .and_then(|end| object.get_mut(start..end))
        else {
            continue;
        };
        let mut second = false;
        for instruction in code.chunks_exact_mut(INSTRUCTION) {
            if second {
                second = false;
                continue;
            }
            second = instruction[0] == LOAD_64;
            let immediate =
                u32::from_ne_bytes([instruction[4], instruction[5], instruction[6], instruction[7]]);
            if instruction[0] != MOVE || immediate & !0xffff != FIXED {
                continue;
            }
            if let Some(word) = words.get((immediate & 0xffff) as usize) {
                instruction[0] = MOVE_32;
                instruction[4..].copy_from_slice(&word.to_ne_bytes());
                count += 1;
            }
        }
    }
    Ok(count)
}

const _: () = assert!(size_of::<Fixed>() / size_of::<u32>() < 0x1_0000);

#[cfg(test)]
mod tests {
    use super::*;
    use slim_ebpf::{Config, Offsets};

    fn fixed() -> Fixed {
        let mut offsets = Offsets::absent();
        for (at, offset) in offsets.slots().into_iter().enumerate() {
            *offset = 0x1_0000 + at as u32;
        }
        Fixed {
            offsets,
            config: Config {
                secureexec: slim_ebpf::ABSENT,
                ..Config::default()
            },
        }
    }

    #[test]
    fn no_number_that_stands_for_another_is_left() {
        let mut object = slim_ebpf::OBJECT.to_vec();
        assert!(fix(&mut object, &fixed()).unwrap() > 50);
        assert_eq!(fix(&mut object, &fixed()).unwrap(), 0);
        let marked = |bytes: &[u8]| {
            bytes
                .chunks_exact(INSTRUCTION)
                .filter(|bytes| {
                    bytes[4..] == (FIXED | u32::from(bytes[4]) | u32::from(bytes[5]) << 8).to_ne_bytes()
                })
                .count()
        };
        assert!(marked(slim_ebpf::OBJECT) > 50);
        assert_eq!(marked(&object), 0);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert!(fix(&mut b"\x7fELF".to_vec(), &fixed()).is_err());
    }
}
