//! Modules that are named in Python's machine code and data: imports from C in an extension module or the interpreter
//! itself, and the classes of pickled objects.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::ops::ControlFlow;

use flate2::read::ZlibDecoder;
use flate2::{Decompress, FlushDecompress};

use crate::path::RootPath;
use crate::reach::bytes::{contains, is_word};
use crate::reach::elf::constants::Constants;
use crate::reach::languages::python::expression::is_dotted;
use crate::reach::languages::source_file::base_name;
use crate::reach::resolver::Node;

/// The longest name, and the largest number of them that are taken from one file.
const MAX_NAME: usize = 100;
const MAX_NAMES: usize = 20_000;
/// The beginning of the name of the function by which the interpreter begins an extension module.
const BEGINS: &[u8] = b"\0PyInit_";
/// The beginning of names that Cython makes.
const CYTHON: &[u8] = b"__pyx_";
/// The largest number of bytes of a file in which a compressed table is looked for, of one stream, and of its text.
const MAX_CODE: u64 = 64 << 20;
const MAX_STREAM: usize = 256 << 10;
const MAX_TABLE: u64 = 2 << 20;
/// The largest number of streams that are tried, and the sizes of what is read at once and of their beginnings.
const MAX_TRIES: usize = 200;
const CHUNK: usize = 1 << 20;
const HEADER: usize = 256;

/// Returns whether a file may be an extension module or the interpreter, by its name.
pub(super) fn is_python(path: &RootPath) -> bool {
    path.extension() == Some(b"so") || is_interpreter(path)
}

/// Returns whether a file may be the interpreter or its library, by its name.
pub(super) fn is_interpreter(path: &RootPath) -> bool {
    let name = path.name().unwrap_or_default();
    name.starts_with(b"libpython") || base_name(name) == b"python"
}

/// Returns the texts among the constants of Python's machine code that may be names of modules: those with dots, and
/// of others those of an extension module, and of the interpreter the private ones (`_strptime`). It has the names of
/// all modules that it can do without.
pub(super) fn names(node: &Node<'_>) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let Some(constants) = Constants::of_node(node)? else {
        return Ok(found);
    };
    let interpreter = is_interpreter(node.path);
    // A tag says it; the symbols' names need not be among the constants (patchelf moves them).
    let name = node.path.name().unwrap_or_default();
    let tagged = contains(name, b".cpython-") || contains(name, b".abi3.");
    if !interpreter && !tagged && constants.find_texts([BEGINS])?.is_empty() {
        return Ok(found);
    }
    constants.for_each_window(|window| {
        for at in memchr::memchr_iter(0, &window.bytes[window.places.clone()]) {
            // What ends here.
            let end = window.places.start + at;
            let before = &window.bytes[end.saturating_sub(MAX_NAME + 1)..end];
            let Some(start) = before.iter().rposition(|b| !(is_word(*b) || *b == b'.')) else {
                continue;
            };
            let name = std::str::from_utf8(&before[start + 1..]).unwrap_or_default();
            let wanted = !interpreter || name.contains('.') || name.starts_with('_');
            if before[start] == 0 && name.len() > 2 && wanted && is_dotted(name) && found.len() < MAX_NAMES {
                found.insert(name.to_owned());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Returns the table of texts of a module that Cython 3.1 or later compiled: compressed by zlib, one text behind the
/// other without an end.
pub(super) fn joined(node: &Node<'_>) -> io::Result<Vec<u8>> {
    let Some(constants) = Constants::of_node(node)? else {
        return Ok(Vec::new());
    };
    if is_interpreter(node.path) || constants.find_texts([CYTHON])?.is_empty() {
        return Ok(Vec::new());
    }
    let mut offset = 0;
    let (mut tries, mut table) = (0, Vec::new());
    while offset < node.entry.size().min(MAX_CODE) && tries < MAX_TRIES {
        let chunk = node.rootfs.read_at(node.path, offset, CHUNK + HEADER)?;
        for at in memchr::memchr_iter(0x78, &chunk[..chunk.len().min(CHUNK)]) {
            let header = &chunk[at..chunk.len().min(at + HEADER)];
            if tries == MAX_TRIES
                || !matches!(header, [_, 0x01 | 0x5e | 0x9c | 0xda, ..])
                || is_broken(header)
            {
                continue;
            }
            tries += 1;
            let stream = node.rootfs.read_at(node.path, offset + at as u64, MAX_STREAM)?;
            let mut text = Vec::new();
            // Whatever is no stream to its end and its checksum is none.
            let whole = ZlibDecoder::new(&stream[..])
                .take(MAX_TABLE)
                .read_to_end(&mut text)
                .is_ok();
            if whole && text.len() > table.len() {
                table = text;
            }
        }
        offset += CHUNK as u64;
    }
    Ok(table)
}

/// Returns whether the beginning of a compressed stream shows that it is none.
fn is_broken(header: &[u8]) -> bool {
    let mut text = [0; 4 * HEADER];
    let decoded = Decompress::new(true).decompress(header, &mut text, FlushDecompress::None);
    decoded.is_err()
}

/// Returns the modules whose classes a pickle is made of (the opcodes `GLOBAL` and `SHORT_BINUNICODE` of `pickletools`);
/// none of what is no pickle.
pub(super) fn pickled(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if !matches!(bytes, [0x80, 2..=5, ..]) {
        return found;
    }
    for at in memchr::memchr2_iter(b'c', 0x8c, bytes) {
        let rest = &bytes[at + 1..bytes.len().min(at + MAX_NAME)];
        let name = match (bytes[at], rest) {
            (b'c', rest) => rest.split(|&b| b == b'\n').next(),
            (_, [length, rest @ ..]) => rest.get(..usize::from(*length)),
            _ => None,
        };
        let name = std::str::from_utf8(name.unwrap_or_default()).unwrap_or_default();
        if name.contains('.') && is_dotted(name) && found.len() < MAX_NAMES {
            found.insert(name.to_owned());
        }
    }
    found
}
