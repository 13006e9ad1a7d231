//! What class files name in their constant pools: chapter 4 of the Java Virtual Machine Specification.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek};

use crate::cancel::Cancel;
use crate::reach::bytes::{ByteOrder, number};
use crate::reach::tables::JavaDesktop;

/// The largest number of bytes of a class that are read.
const MAX_CLASS: u64 = 1 << 20;
/// The largest number of bytes of an archive within an archive.
const MAX_INNER: u64 = 64 << 20;
/// The largest number of bytes that are read of one archive and those in it.
const MAX_BYTES: u64 = 256 << 20;
/// The longest name of a library.
const MAX_NAME: usize = 64;
/// The largest number of names that are taken for those of libraries.
const MAX_NAMES: usize = 1000;
/// Names of classes and methods by which a class loads a library: the runtime's, JNA's, and those for foreign functions.
const LOADERS: [&[u8]; 5] = [
    b"loadLibrary",
    b"mapLibraryName",
    b"com/sun/jna/Native",
    b"libraryLookup",
    b"jnr/ffi/LibraryLoader",
];

/// What the classes of an archive, or one class, name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// The class, as it is written, that needs the libraries for images and fonts.
    pub(super) desktop: Option<String>,
    /// Words of classes that load libraries.
    pub(super) libraries: BTreeSet<Vec<u8>>,
    /// Strings of classes that start programs, which may name some.
    pub(super) programs: BTreeSet<Vec<u8>>,
}

impl References {
    /// Adds what the class file `bytes` names; no more where it is malformed.
    pub(super) fn add_class(&mut self, bytes: &[u8], desktop: &JavaDesktop) {
        let (constants, _) = parse_constants(bytes).unwrap_or_default();
        let texts = || constants.iter().filter_map(|at| text_at(bytes, *at));
        if self.desktop.is_none() {
            let starts =
                |text: &[u8], names: &[String]| names.iter().any(|name| text.starts_with(name.as_bytes()));
            let mut names =
                texts().filter(|text| starts(text, &desktop.packages) && !starts(text, &desktop.alone));
            self.desktop = names.next().map(|name| crate::path::encode(name).into_owned());
        }
        if texts().any(|text| LOADERS.contains(&text)) {
            let left = MAX_NAMES.saturating_sub(self.libraries.len());
            let words = texts().filter(|text| is_library_name(text)).take(left);
            self.libraries.extend(words.map(<[u8]>::to_vec));
        }
        let has = |name: &[u8]| texts().any(|text| text == name);
        if has(b"java/lang/ProcessBuilder") || (has(b"java/lang/Runtime") && has(b"exec")) {
            let left = MAX_NAMES.saturating_sub(self.programs.len());
            let strings = constants
                .iter()
                .filter_map(|at| string_at(bytes, &constants, *at));
            let words = strings.filter(|text| is_program_name(text)).take(left);
            self.programs.extend(words.map(<[u8]>::to_vec));
        }
    }

    /// Adds what the classes of the archive `bytes` name, and those of the archives in it.
    pub(super) fn add_archive(&mut self, bytes: impl Read + Seek, desktop: &JavaDesktop, cancel: &Cancel) {
        let mut left = MAX_BYTES;
        self.add_entries(bytes, desktop, cancel, &mut left, true);
    }

    fn add_entries(
        &mut self,
        bytes: impl Read + Seek,
        desktop: &JavaDesktop,
        cancel: &Cancel,
        left: &mut u64,
        outer: bool,
    ) {
        let Ok(mut archive) = zip::ZipArchive::new(bytes) else {
            return;
        };
        let mut buffer = Vec::new();
        for index in 0..archive.len() {
            if cancel.is_cancelled() || *left == 0 {
                return;
            }
            let Ok(file) = archive.by_index(index) else {
                continue;
            };
            let ends = |end: &[u8]| file.name_raw().ends_with(end);
            let (class, inner) = (ends(b".class"), outer && ends(b".jar"));
            let limit = if class { MAX_CLASS } else { MAX_INNER }.min(*left);
            if !(class || inner) || file.size() > limit {
                continue;
            }
            buffer.clear();
            let read = file.take(limit).read_to_end(&mut buffer);
            *left = left.saturating_sub(buffer.len() as u64);
            if read.is_err() {
                continue;
            }
            if class {
                self.add_class(&buffer, desktop);
            } else {
                self.add_entries(Cursor::new(&buffer), desktop, cancel, left, false);
            }
        }
    }
}

/// Returns whether `text` may be the name of a library.
fn is_library_name(text: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text[0] != b'.'
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
}

/// Returns whether `text` may be the name of a program, or its absolute path.
fn is_program_name(text: &[u8]) -> bool {
    match text.strip_prefix(b"/") {
        Some(path) => path.split(|&b| b == b'/').all(is_library_name),
        None => is_library_name(text),
    }
}

/// Returns the name that a class file gives itself (`com/example/Main`).
pub(super) fn parse_class_name(bytes: &[u8]) -> Option<Vec<u8>> {
    let (constants, end) = parse_constants(bytes)?;
    let this = u16_at(bytes, end + 2)?;
    let class = *constants.get(this).filter(|at| **at > 0)?;
    let name = *constants.get(u16_at(bytes, class + 1)?)?;
    (bytes.get(class) == Some(&7))
        .then(|| text_at(bytes, name))?
        .map(<[u8]>::to_vec)
}

/// Returns where each constant of a class file is, and where they end. Numbers count from 1, and wide ones take two:
/// there the places are 0, which is none.
fn parse_constants(bytes: &[u8]) -> Option<(Vec<usize>, usize)> {
    if !bytes.starts_with(b"\xca\xfe\xba\xbe") {
        return None;
    }
    let count = u16_at(bytes, 8)?;
    let mut at = 10;
    let mut constants = vec![0];
    while constants.len() < count {
        constants.push(at);
        if matches!(bytes.get(at), Some(5 | 6)) {
            constants.push(0);
        }
        at += constant_length(bytes, at)?;
    }
    (at <= bytes.len()).then_some((constants, at))
}

/// Returns the length of the constant at `at`, its tag included.
fn constant_length(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        1 => Some(3 + u16_at(bytes, at + 1)?),
        7 | 8 | 16 | 19 | 20 => Some(3),
        15 => Some(4),
        3 | 4 | 9..=12 | 17 | 18 => Some(5),
        5 | 6 => Some(9),
        _ => None,
    }
}

/// Returns the text of the constant at `at`, if it is one.
fn text_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    if at == 0 || bytes.get(at) != Some(&1) {
        return None;
    }
    let length = u16_at(bytes, at + 1)?;
    bytes.get(at + 3..at + 3 + length)
}

/// Returns the text of the string at `at`, if it is one: names of methods and types are texts too, and no strings.
fn string_at<'b>(bytes: &'b [u8], constants: &[usize], at: usize) -> Option<&'b [u8]> {
    let text = (at > 0 && bytes.get(at) == Some(&8)).then(|| u16_at(bytes, at + 1))??;
    text_at(bytes, *constants.get(text)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at, 2, ByteOrder::Big)?).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::reach::tables::Tables;

    /// A class file with these texts in its constant pool.
    pub(in crate::reach::languages::java) fn class(texts: &[&str]) -> Vec<u8> {
        let mut class = b"\xca\xfe\xba\xbe\0\0\0\x3d".to_vec();
        class.extend((u16::try_from(texts.len()).unwrap() + 1).to_be_bytes());
        for text in texts {
            class.push(1);
            class.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            class.extend(text.as_bytes());
        }
        class
    }

    /// A class file with `name`, and these strings among its constants.
    pub(in crate::reach::languages::java) fn class_with_strings(name: &str, strings: &[&str]) -> Vec<u8> {
        let mut class = class(&[&[name], strings].concat());
        let count = u16::try_from(strings.len()).unwrap();
        class[8..10].copy_from_slice(&(2 * count + 2).to_be_bytes());
        for index in 0..count {
            class.push(8);
            class.extend((index + 2).to_be_bytes());
        }
        class
    }

    /// An archive with these files.
    pub(in crate::reach::languages::java) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer
                .start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn references(bytes: &[u8]) -> References {
        let mut references = References::default();
        let desktop = &Tables::built_in().java.desktop;
        references.add_archive(Cursor::new(bytes), desktop, &Cancel::default());
        references
    }

    #[test]
    fn archives_in_archives_name_libraries_and_the_desktop() {
        let native = class(&[
            "loadLibrary",
            "mine-1",
            "a message",
            "java/awt/datatransfer/DataFlavor",
        ]);
        let words = class(&["no-library"]);
        let inner = archive(&[
            ("x/Native.class", &native),
            ("x/Words.class", &words),
            ("deep.jar", &archive(&[])),
        ]);
        let found = references(&archive(&[("lib/inner.jar", &inner), ("a.txt", b"loadLibrary")]));
        assert_eq!(found.desktop, None);
        let libraries: Vec<&[u8]> = found.libraries.iter().map(Vec::as_slice).collect();
        assert_eq!(libraries, [&b"loadLibrary"[..], b"mine-1"]);
        let picture = class(&["java/beans/Introspector", "java/awt/image/BufferedImage"]);
        let found = references(&archive(&[("Picture.class", &picture)]));
        assert_eq!(found.desktop.as_deref(), Some("java/awt/image/BufferedImage"));
    }

    #[test]
    fn malformed_classes_and_archives_name_nothing() {
        let whole = class(&["loadLibrary", "mine"]);
        for length in 0..whole.len() {
            let found = references(&archive(&[("A.class", &whole[..length])]));
            assert_eq!(found, References::default(), "{length}");
        }
        let whole = archive(&[("A.class", &whole)]);
        for length in 0..whole.len() {
            let _ = references(&whole[..length]);
        }
    }

    #[test]
    fn a_class_file_tells_its_name() {
        // A wide constant before the name takes two numbers.
        let mut class =
            b"\xca\xfe\xba\xbe\0\0\0\x3d\0\x05\x05\0\0\0\0\0\0\0\0\x01\0\x03a/B\x07\0\x03\0\x21\0\x04"
                .to_vec();
        assert_eq!(parse_class_name(&class).as_deref(), Some(&b"a/B"[..]));
        for length in 0..class.len() {
            assert_eq!(parse_class_name(&class[..length]), None, "{length}");
        }
        let last = class.len() - 1;
        class[last] = 2;
        assert_eq!(parse_class_name(&class), None);
    }
}
