//! The compiled program before it is loaded: the numbers in it that stand for what this kernel and this run fix.

use std::mem::size_of;

use object::{Object, ObjectSection, SectionKind};
use slim_ebpf::{FIXED, Fixed, MEMBER};

use super::raw;

/// Bytes of an instruction (`struct bpf_insn`, include/uapi/linux/bpf.h): opcode, registers, offset, immediate.
const INSTRUCTION: usize = 8;
/// Moves an immediate to a register, sign-extended (`BPF_ALU64 | BPF_MOV | BPF_K`).
const MOVE: u8 = 0xb7;
/// The same with zeros in the upper half (`BPF_ALU | BPF_MOV | BPF_K`).
const MOVE_32: u8 = 0xb4;
/// The opcode of loads from memory to a register, of each size (`BPF_LDX | BPF_MEM`), and the bits that do not depend on the
/// size.
const LOAD: u8 = 0x61;
const LOADS: u8 = 0xe7;
/// Loads a constant of 64 bits; the only instruction of two (`BPF_LD | BPF_DW | BPF_IMM`).
const CONSTANT_64: u8 = 0x18;

/// Why an object cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It is not an ELF file.
    #[error(transparent)]
    Format(#[from] object::Error),
    /// A member lies further behind the beginning of its structure than an instruction can hold.
    #[error(
        "a member of this kernel's structures lies {offset} bytes behind their beginning: too far for an instruction"
    )]
    Far {
        /// In bytes.
        offset: u32,
    },
}

/// Returns the position of the word that the number in this instruction stands for.
fn fixed_word(instruction: &[u8]) -> Option<usize> {
    let immediate = u32::from_ne_bytes(instruction.get(4..8)?.try_into().ok()?);
    (instruction[0] == MOVE && immediate & !0xffff == FIXED).then_some((immediate & 0xffff) as usize)
}

/// Returns the position of the word that the offset in this instruction stands for.
fn member_word(instruction: &[u8]) -> Option<usize> {
    let offset = i16::from_ne_bytes(instruction.get(2..4)?.try_into().ok()?);
    (instruction[0] & LOADS == LOAD && offset < MEMBER + WORDS).then(|| offset.abs_diff(MEMBER).into())
}

/// Words of [`Fixed`].
const WORDS: i16 = (size_of::<Fixed>() / size_of::<u32>()) as i16;

/// Puts the words of `fixed` where numbers stand for them in the instructions of `object`, an ELF file, and returns the number
/// of such places.
pub(super) fn fix(object: &mut [u8], fixed: &Fixed) -> Result<usize, Error> {
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
        let mut is_continued = false;
        for instruction in code.chunks_exact_mut(INSTRUCTION) {
            if is_continued {
                is_continued = false;
                continue;
            }
            is_continued = instruction[0] == CONSTANT_64;
            if let Some(&word) = fixed_word(instruction).and_then(|at| words.get(at)) {
                instruction[0] = MOVE_32;
                instruction[4..].copy_from_slice(&word.to_ne_bytes());
                count += 1;
            } else if let Some(&offset) = member_word(instruction).and_then(|at| words.get(at)) {
                let offset = i16::try_from(offset).map_err(|_| Error::Far { offset })?;
                instruction[2..4].copy_from_slice(&offset.to_ne_bytes());
                count += 1;
            }
        }
    }
    Ok(count)
}

const _: () = assert!(size_of::<Fixed>() / size_of::<u32>() < 0x100);

#[cfg(test)]
mod tests {
    use super::*;
    use slim_ebpf::{Config, Offsets};

    fn fixed() -> Fixed {
        let mut offsets = Offsets::absent();
        for (at, offset) in offsets.slots().into_iter().enumerate() {
            *offset = 0x4000 + at as u32;
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
        let immediates = |bytes: &[u8]| {
            bytes
                .chunks_exact(INSTRUCTION)
                .filter(|bytes| {
                    bytes[4..] == (FIXED | u32::from(bytes[4]) | u32::from(bytes[5]) << 8).to_ne_bytes()
                })
                .count()
        };
        assert!(immediates(slim_ebpf::OBJECT) > 50);
        assert_eq!(immediates(&object), 0);
        let loads = |text: &[u8], near: u8| {
            text.chunks_exact(INSTRUCTION)
                .filter(|bytes| [0x61, 0x79].contains(&bytes[0]) && bytes[3] == near)
                .count()
        };
        let [marked, fixed] = [slim_ebpf::OBJECT, &object].map(|bytes| {
            let file = object::File::parse(bytes).unwrap();
            let text = file.section_by_name("tp_btf/sys_exit").unwrap().data().unwrap();
            (loads(text, MEMBER.to_be_bytes()[0]), loads(text, 0x40))
        });
        assert!(marked.0 > 20, "{marked:?}");
        assert_eq!(fixed, (0, marked.0));
    }

    #[test]
    fn an_offset_that_no_instruction_holds_is_an_error() {
        let mut far = fixed();
        far.offsets.task_fs = 0x8000;
        let error = fix(&mut slim_ebpf::OBJECT.to_vec(), &far).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a member of this kernel's structures lies 32768 bytes behind their beginning: too far for an instruction"
        );
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert!(fix(&mut b"\x7fELF".to_vec(), &fixed()).is_err());
    }
}
