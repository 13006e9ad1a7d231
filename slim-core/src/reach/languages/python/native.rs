//! Modules that are named in Python's machine code and data: imports from C in an extension module or the interpreter
//! itself, and the classes of pickled objects.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;

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

/// Returns whether a file may be an extension module or the interpreter, by its name.
pub(super) fn is_python(path: &RootPath) -> bool {
    path.extension() == Some(b"so") || is_interpreter(path)
}

fn is_interpreter(path: &RootPath) -> bool {
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
