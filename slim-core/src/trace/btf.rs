//! The offsets of members in the running kernel's structures, from its own type information.
//!
//! Source: Documentation/bpf/btf.rst, "BTF Type and String Encoding". Only structures are looked into; members of
//! anonymous members count as the outer structure's own.

use std::collections::HashMap;

use slim_ebpf::{ABSENT, Offsets};

/// The file in which the kernel publishes its types.
pub(super) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Members that a kernel may lack: whatever they serve is then not measured.
const OPTIONAL: &[&str] = &[
    "task_nsproxy",
    "nsproxy_net",
    "net_ports",
    "backing_mount",
    "backing_dentry",
];

const MAGIC: u16 = 0xeb9f;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_FWD: u32 = 7;
const KIND_TYPEDEF: u32 = 8;
/// The prefix of the names of tracepoints' types (`TRACE_EVENT` in `include/trace/bpf_probe.h`).
const TRACEPOINT: &[u8] = b"btf_trace_";
/// Bytes of a header, and of a type that has nothing but a name and what it refers to.
const HEADER: usize = 24;
const PLAIN: usize = 12;
/// The greatest depth of nested anonymous members and type qualifiers.
const DEPTH: u32 = 16;

/// Why the kernel's type information is of no use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BtfError {
    /// It is not BTF, or ends within a type.
    #[error("{VMLINUX} is not BTF in this machine's byte order (damaged at byte {0})")]
    Format(usize),
    /// A member is missing.
    #[error("this kernel's BTF has no member {member} in struct {structure}")]
    Missing {
        /// The structure.
        structure: String,
        /// The path to the member.
        member: String,
    },
}

/// Parsed type information: where each type's record begins.
pub(super) struct Btf<'a> {
    bytes: &'a [u8],
    /// Start of the record of each type; type 0 is void.
    types: Vec<usize>,
    strings: &'a [u8],
    structures: HashMap<&'a [u8], u32>,
}

impl<'a> Btf<'a> {
    /// Indexes the types.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        if bytes.len() < HEADER || u16::from_ne_bytes([bytes[0], bytes[1]]) != MAGIC {
            return Err(BtfError::Format(0));
        }
        let word = |at: usize| word(bytes, at);
        let head = word(4)? as usize;
        let section = |offset: usize, length: usize| {
            let from = head.checked_add(offset)?;
            bytes.get(from..from.checked_add(length)?).map(|_| from)
        };
        let (types_at, types_length) = (word(8)? as usize, word(12)? as usize);
        let (strings_at, strings_length) = (word(16)? as usize, word(20)? as usize);
        let from = section(types_at, types_length).ok_or(BtfError::Format(8))?;
        let strings = section(strings_at, strings_length).ok_or(BtfError::Format(16))?;
        let mut btf = Self {
            bytes,
            types: vec![0],
            strings: &bytes[strings..strings + strings_length],
            structures: HashMap::new(),
        };
        let end = from + types_length;
        let mut at = from;
        while at < end {
            let info = word(at + 4)?;
            let (kind, members) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            let id = u32::try_from(btf.types.len()).map_err(|_| BtfError::Format(at))?;
            btf.types.push(at);
            if kind == KIND_STRUCT {
                let name = btf.text(word(at)?);
                if !name.is_empty() {
                    btf.structures.entry(name).or_insert(id);
                }
            }
            at += PLAIN
                + match kind {
                    // INT, VAR, DECL_TAG
                    1 | 14 | 17 => 4,
                    // ARRAY
                    3 => 12,
                    KIND_STRUCT | KIND_UNION => members * 12,
                    // ENUM, FUNC_PROTO
                    6 | 13 => members * 8,
                    // DATASEC, ENUM64
                    15 | 19 => members * 12,
                    // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
                    2 | 7..=12 | 16 | 18 => 0,
                    _ => return Err(BtfError::Format(at)),
                };
        }
        Ok(btf)
    }

    fn text(&self, at: u32) -> &'a [u8] {
        let rest = self.strings.get(at as usize..).unwrap_or_default();
        rest.split(|&b| b == 0).next().unwrap_or_default()
    }

    /// Returns the types of the tracepoints alone, under the numbers that the kernel knows them by: every other type is an empty
    /// one. A loader that keeps all types in memory keeps a small part of what it would of the whole.
    pub(super) fn tracepoints(&self) -> Result<Vec<u8>, BtfError> {
        let mut types = Vec::with_capacity(PLAIN * self.types.len());
        let mut strings = vec![0];
        for &at in &self.types[1..] {
            let (name, info, refers) = (
                word(self.bytes, at)?,
                word(self.bytes, at + 4)?,
                word(self.bytes, at + 8)?,
            );
            let mut plain = [0, KIND_FWD << 24, 0];
            if info >> 24 & 0x1f == KIND_TYPEDEF && self.text(name).starts_with(TRACEPOINT) {
                plain = [length(&strings)?, info, refers];
                strings.extend_from_slice(self.text(name));
                strings.push(0);
            }
            types.extend_from_slice(plain.map(u32::to_ne_bytes).as_flattened());
        }
        let mut all = Vec::with_capacity(HEADER + types.len() + strings.len());
        all.extend_from_slice(&MAGIC.to_ne_bytes());
        // The version, and no flags.
        all.extend_from_slice(&[1, 0]);
        let (types_length, strings_length) = (length(&types)?, length(&strings)?);
        let header = [HEADER as u32, 0, types_length, types_length, strings_length];
        all.extend_from_slice(header.map(u32::to_ne_bytes).as_flattened());
        all.append(&mut types);
        all.append(&mut strings);
        Ok(all)
    }

    /// Returns the bit offset of the member that `path` (names joined by dots) leads to from a structure.
    pub(super) fn bit_offset(&self, structure: &str, path: &str) -> Result<u32, BtfError> {
        let missing = || BtfError::Missing {
            structure: structure.to_owned(),
            member: path.to_owned(),
        };
        let mut id = *self.structures.get(structure.as_bytes()).ok_or_else(missing)?;
        let mut bits = 0u32;
        for name in path.split('.') {
            let (offset, inner) = self.member(id, name.as_bytes(), 0)?.ok_or_else(missing)?;
            bits = bits.checked_add(offset).ok_or_else(missing)?;
            id = inner;
        }
        Ok(bits)
    }

    /// Returns a member's bit offset and type, also of a member of anonymous members.
    fn member(&self, id: u32, name: &[u8], depth: u32) -> Result<Option<(u32, u32)>, BtfError> {
        let Some(at) = self.structure(id)? else {
            return Ok(None);
        };
        if depth > DEPTH {
            return Ok(None);
        }
        let info = word(self.bytes, at + 4)?;
        let bitfields = info >> 31 == 1;
        for i in 0..(info & 0xffff) as usize {
            let record = at + 12 + i * 12;
            let (member, inner, offset) = (
                self.text(word(self.bytes, record)?),
                word(self.bytes, record + 4)?,
                word(self.bytes, record + 8)?,
            );
            let offset = if bitfields { offset & 0xff_ffff } else { offset };
            if member == name {
                return Ok(Some((offset, inner)));
            }
            if member.is_empty()
                && let Some((further, found)) = self.member(inner, name, depth + 1)?
            {
                return Ok(Some((offset + further, found)));
            }
        }
        Ok(None)
    }

    /// Returns the record of the structure or union that a type is, through names and qualifiers.
    fn structure(&self, mut id: u32) -> Result<Option<usize>, BtfError> {
        for _ in 0..DEPTH {
            let Some(&at) = self.types.get(id as usize).filter(|_| id != 0) else {
                return Ok(None);
            };
            match word(self.bytes, at + 4)? >> 24 & 0x1f {
                KIND_STRUCT | KIND_UNION => return Ok(Some(at)),
                // TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG
                8..=11 | 18 => id = word(self.bytes, at + 8)?,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns the offsets of all members that the program needs.
    ///
    /// # Errors
    /// [`BtfError::Missing`] for the first that this kernel lacks.
    pub(super) fn offsets(&self) -> Result<Offsets, BtfError> {
        let mut offsets = Offsets::absent();
        for ((field, structure, path), slot) in Offsets::MEMBERS.iter().zip(offsets.slots()) {
            match self.bit_offset(structure, path) {
                Ok(bits) => *slot = bits / 8,
                Err(BtfError::Missing { .. }) if OPTIONAL.contains(field) => *slot = ABSENT,
                Err(error) => return Err(error),
            }
        }
        Ok(offsets)
    }
}

fn length(bytes: &[u8]) -> Result<u32, BtfError> {
    u32::try_from(bytes.len()).map_err(|_| BtfError::Format(0))
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_ne_bytes)
        .ok_or(BtfError::Format(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// struct outer { int a; union { struct { int b; inner_t c; }; long d; }; unsigned e:1, f:1; };
    /// typedef const struct inner { int x; int y; } inner_t; typedef struct outer btf_trace_call;
    fn example() -> Vec<u8> {
        let mut strings = vec![0u8];
        let mut name = |text: &str| {
            let at = strings.len() as u32;
            strings.extend(text.bytes());
            strings.push(0);
            at
        };
        let mut types = Vec::<u32>::new();
        let int = name("int");
        types.extend([int, 1 << 24, 4, 32]); // 1
        let (inner, x, y) = (name("inner"), name("x"), name("y"));
        types.extend([inner, 4 << 24 | 2, 8, x, 1, 0, y, 1, 32]); // 2
        types.extend([0, 10 << 24, 2]); // 3: const
        types.extend([name("inner_t"), 8 << 24, 3]); // 4
        let (b, c) = (name("b"), name("c"));
        types.extend([0, 4 << 24 | 2, 12, b, 1, 0, c, 4, 32]); // 5: anonymous struct
        let d = name("d");
        types.extend([0, 5 << 24 | 2, 12, 0, 5, 0, d, 1, 0]); // 6: anonymous union
        let (outer, a, e, f) = (name("outer"), name("a"), name("e"), name("f"));
        types.extend([
            outer,
            1 << 31 | 4 << 24 | 4,
            24,
            a,
            1,
            0,
            0,
            6,
            32,
            e,
            1,
            1 << 24 | 128,
            f,
            1,
            1 << 24 | 129,
        ]); // 7
        types.extend([name("btf_trace_call"), 8 << 24, 7]); // 8
        let types: Vec<u8> = types.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let mut out = Vec::new();
        out.extend(MAGIC.to_ne_bytes());
        out.extend([1, 0]);
        for w in [24, 0, types.len(), types.len(), strings.len()] {
            out.extend((w as u32).to_ne_bytes());
        }
        out.extend(types);
        out.extend(strings);
        out
    }

    #[test]
    fn anonymous_members_and_bit_fields_are_found() {
        let bytes = example();
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.bit_offset("outer", "a"), Ok(0));
        assert_eq!(btf.bit_offset("outer", "b"), Ok(32));
        assert_eq!(btf.bit_offset("outer", "c.y"), Ok(32 + 32 + 32));
        assert_eq!(btf.bit_offset("outer", "d"), Ok(32));
        assert_eq!(btf.bit_offset("outer", "f"), Ok(129));
    }

    #[test]
    fn tracepoints_keep_their_numbers() {
        let bytes = example();
        let all = Btf::parse(&bytes).unwrap();
        let bytes = all.tracepoints().unwrap();
        let some = Btf::parse(&bytes).unwrap();
        assert_eq!(some.types.len(), all.types.len());
        let record = |btf: &Btf<'_>, id: usize| {
            let field = |at: usize| word(btf.bytes, btf.types[id] + at).unwrap();
            (btf.text(field(0)).to_vec(), field(4), field(8))
        };
        assert_eq!(record(&some, 8), (b"btf_trace_call".to_vec(), 8 << 24, 7));
        assert_eq!(record(&some, 8), record(&all, 8));
        for id in 1..8 {
            assert_eq!(record(&some, id), (Vec::new(), KIND_FWD << 24, 0));
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        let bytes = example();
        let error = Btf::parse(&bytes)
            .unwrap()
            .bit_offset("outer", "c.z")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "this kernel's BTF has no member c.z in struct outer"
        );
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = example();
        assert_eq!(Btf::parse(&[]).err(), Some(BtfError::Format(0)));
        for length in 0..bytes.len() {
            let _ = Btf::parse(&bytes[..length]).map(|btf| btf.bit_offset("outer", "c.y"));
        }
        for i in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[i] ^= 0xff;
            let _ = Btf::parse(&bytes).map(|btf| (btf.bit_offset("outer", "c.y"), btf.tracepoints()));
        }
    }
}
