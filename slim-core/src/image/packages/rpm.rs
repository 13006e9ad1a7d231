//! Headers of RPM packages, as its database holds them.
//!
//! Source: "RPM v4 Package Format" of rpm's documentation, and `lib/header.c`: in the database a header begins with the
//! number of its entries and the size of its data, without the magic of a package's file. Numbers are big-endian.

/// Tags (`include/rpm/rpmtag.h`).
const NAME: u32 = 1000;
const FILE_STATES: u32 = 1029;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
/// Types of data.
const INT32: u32 = 4;
const CHAR: u32 = 1;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
/// States of a file that is not there as the package has it (`rpmfileState` in `include/rpm/rpmfiles.h`).
const NOT_THERE: [u8; 2] = [2, 5];
/// Number of entries of a header (`HEADER_TAGS_MAX`) and of bytes of its data (`HEADER_DATA_MAX`) at most.
const MAX_ENTRIES: usize = 65_535;
const MAX_DATA: usize = 256 << 20;

/// Number of files of a package at most; the largest have some tens of thousands.
const MAX_FILES: usize = 1 << 20;

/// The fields of a package's header.
#[derive(Debug, Default)]
pub(super) struct Package<'a> {
    /// Its name.
    pub(super) name: &'a [u8],
    directories: Vec<&'a [u8]>,
    /// The last names of its files and directories, and for each the number of the directory that it is in.
    names: Vec<&'a [u8]>,
    indexes: &'a [u8],
    states: &'a [u8],
}

impl Package<'_> {
    /// The absolute paths of the files and directories that are there as the package has them.
    pub(super) fn paths(&self) -> impl Iterator<Item = Vec<u8>> {
        self.names.iter().enumerate().filter_map(|(at, name)| {
            let directory = usize::try_from(number(self.indexes, 4 * at)?).ok()?;
            let directory = self.directories.get(directory)?;
            let state = self.states.get(at);
            let there = state.is_none_or(|state| !NOT_THERE.contains(state));
            there.then(|| [directory, *name].concat())
        })
    }
}

/// Reads a header; none if it is malformed, or of no package.
pub(super) fn package(header: &[u8]) -> Option<Package<'_>> {
    let bounded = |at: usize, limit: usize| {
        let number = usize::try_from(number(header, at)?).ok()?;
        (number <= limit).then_some(number)
    };
    let count = bounded(0, MAX_ENTRIES)?;
    let size = bounded(4, MAX_DATA)?;
    let (entries, data) = header.get(8..)?.split_at_checked(16 * count)?;
    let data = data.get(..size)?;
    // The data of an entry up to the end, and how many items it has.
    let find = |tag: u32, kind: u32| {
        let is = |entry: &&[u8]| (number(entry, 0), number(entry, 4)) == (Some(tag), Some(kind));
        let entry = entries.chunks_exact(16).find(is)?;
        let data = data.get(usize::try_from(number(entry, 8)?).ok()?..)?;
        Some((data, usize::try_from(number(entry, 12)?).ok()?))
    };
    let strings = |tag: u32| {
        let (data, count) = find(tag, STRING_ARRAY).unwrap_or_default();
        let ended = data
            .split_inclusive(|&b| b == 0)
            .filter_map(|string| string.strip_suffix(b"\0"));
        ended.take(count.min(MAX_FILES)).collect()
    };
    let (states, known) = find(FILE_STATES, CHAR).unwrap_or_default();
    Some(Package {
        name: find(NAME, STRING)?.0.split(|&b| b == 0).next()?,
        directories: strings(DIRECTORY_NAMES),
        names: strings(BASE_NAMES),
        indexes: find(DIRECTORY_INDEXES, INT32).unwrap_or_default().0,
        states: &states[..known.min(states.len())],
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(field.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header with these entries: tag, type, number of items, data.
    fn header(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let mut index = Vec::new();
        let mut data: Vec<u8> = Vec::new();
        for (tag, kind, count, bytes) in entries {
            for number in [*tag, *kind, u32::try_from(data.len()).unwrap(), *count] {
                index.extend(number.to_be_bytes());
            }
            data.extend_from_slice(bytes);
        }
        let sizes = [entries.len(), data.len()].map(|size| u32::try_from(size).unwrap().to_be_bytes());
        [sizes.concat(), index, data].concat()
    }

    fn full() -> Vec<u8> {
        header(&[
            (NAME, STRING, 1, b"bash\0"),
            (FILE_STATES, CHAR, 4, &[0, 1, 2, 5]),
            (
                DIRECTORY_INDEXES,
                INT32,
                4,
                &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
            ),
            (BASE_NAMES, STRING_ARRAY, 4, b"bash\0profile\0absent\0wrong\0"),
            (DIRECTORY_NAMES, STRING_ARRAY, 2, b"/etc/\0/usr/bin/\0"),
        ])
    }

    #[test]
    fn files_stand_in_the_directories_that_their_numbers_tell() {
        let bytes = full();
        let bash = package(&bytes).unwrap();
        let paths: Vec<Vec<u8>> = bash.paths().collect();
        assert_eq!(
            (bash.name, paths),
            (
                &b"bash"[..],
                vec![b"/usr/bin/bash".to_vec(), b"/etc/profile".to_vec()]
            )
        );
        let empty = header(&[(NAME, STRING, 1, b"meta\0")]);
        assert_eq!(package(&empty).unwrap().paths().count(), 0);
        assert!(package(&header(&[(BASE_NAMES, STRING_ARRAY, 1, b"x\0")])).is_none());
        assert!(package(b"").is_none());
    }

    proptest! {
        #[test]
        fn damage_never_panics(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20), cut: prop::sample::Index) {
            let mut bytes = full();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Some(package) = package(&bytes) {
                prop_assert!(package.paths().count() <= 4);
            }
        }
    }
}
