//! The constants of machine code, looked through in windows: however long a file is, a part of it is in memory.
//!
//! What is looked for begins somewhere and depends on a bounded number of bytes around that place. So a window shows
//! more than the places that are its own: [`BEHIND`] bytes before them and [`AHEAD`] after, as far as there are any.
//! Every place is one window's own, and what begins there looks the same whatever the windows' length.

use std::collections::BTreeSet;
use std::io;
use std::ops::{ControlFlow, Range};

use memchr::memmem;

use crate::reach::elf::parse::{self, ReadAt};
use crate::reach::resolver::Node;

/// Bytes that are shown before the first place of a window: a name (`NAME_MAX`) and what ends it.
pub(crate) const BEHIND: usize = 256;
/// Bytes that are shown after the last place of a window: a path (`PATH_MAX`).
pub(crate) const AHEAD: usize = 4096;

/// The largest number of bytes of a file's constants that are looked at.
const MAX_CONSTANTS: usize = 64 << 20;
/// The largest number of places that one window has: few enough for the allocator to use the same memory again.
const WINDOW: usize = 64 << 10;

/// The read-only bytes of an ELF file: names, literals and other constants.
pub(crate) struct Constants<'a> {
    read: Box<ReadAt<'a>>,
    /// Their offsets and lengths in the file.
    parts: Vec<(u64, u64)>,
    limit: usize,
    window: usize,
}

/// A part of a file's constants.
pub(crate) struct Window<'w> {
    /// The places of this window, with what stands before and after them.
    pub(crate) bytes: &'w [u8],
    /// The range of its places in the bytes.
    pub(crate) places: Range<usize>,
}

impl<'a> Constants<'a> {
    /// Returns the constants of `node`; none if it is no ELF file.
    ///
    /// # Errors
    /// Those of reading the file.
    pub(crate) fn of_node(node: &'a Node<'_>) -> io::Result<Option<Self>> {
        if !node.entry.is_file() || !node.head()?.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let read = |offset: u64, length: usize| node.rootfs.read_at(node.path, offset, length);
        Self::read(Box::new(read), node.entry.size())
    }

    /// Finds the constants of a file of `size` bytes that `read` gives; none if it is no ELF file that can be loaded.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn read(read: Box<ReadAt<'a>>, size: u64) -> io::Result<Option<Self>> {
        let parts = parse::read_only(&*read)?;
        // Overlapping segments hold nothing new.
        let limit = usize::try_from(size).unwrap_or(usize::MAX).min(MAX_CONSTANTS);
        Ok((!parts.is_empty()).then_some(Self {
            read,
            parts,
            limit,
            window: WINDOW,
        }))
    }

    /// Calls `look` with one window after the other, until it breaks off.
    ///
    /// # Errors
    /// Those of reading the file.
    pub(crate) fn for_each_window(
        &self,
        mut look: impl FnMut(&Window<'_>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut rest = self.parts.iter().copied();
        let mut part = rest.next();
        let mut left = self.limit;
        let mut bytes = Vec::with_capacity(BEHIND + self.window + AHEAD);
        let mut first = 0;
        loop {
            while let Some((offset, length)) = part
                && bytes.len() < first + self.window + AHEAD
            {
                let room = (first + self.window + AHEAD - bytes.len()).min(left);
                let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(room);
                let read = (self.read)(offset, wanted)?;
                bytes.extend_from_slice(&read);
                left -= read.len();
                let length = length - read.len() as u64;
                part = if left == 0 {
                    None
                } else if length > 0 && read.len() == wanted {
                    Some((offset + read.len() as u64, length))
                } else {
                    // What ends one segment does not go on in the next.
                    bytes.push(0);
                    left -= 1;
                    rest.next().filter(|_| left > 0)
                };
            }
            let last = part.is_none() && bytes.len() <= first + self.window;
            let end = bytes.len().min(first + self.window);
            let window = Window {
                bytes: &bytes,
                places: first..end,
            };
            if look(&window).is_break() || last {
                return Ok(());
            }
            bytes.drain(..end.saturating_sub(BEHIND));
            first = end.min(BEHIND);
        }
    }

    /// Returns those of `texts` that the constants hold; each is of at most [`AHEAD`] bytes.
    ///
    /// # Errors
    /// As [`Self::for_each_window`].
    pub(crate) fn find_texts<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t [u8]>,
    ) -> io::Result<BTreeSet<&'t [u8]>> {
        let mut missing: BTreeSet<&[u8]> = texts.into_iter().collect();
        let mut held = BTreeSet::new();
        self.for_each_window(|window| {
            held.extend(missing.extract_if(.., |text| memmem::find(window.bytes, text).is_some()));
            if missing.is_empty() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(held)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reach::elf::parse::tests::write_with;
    use crate::reach::elf::parse::{Elf, ReadAt, slice};

    /// The constants of a program, in windows of so many places.
    pub(crate) fn constants(program: &[u8], window: usize) -> Constants<'_> {
        let found = Constants::read(Box::new(slice(program)), program.len() as u64).unwrap();
        Constants {
            window,
            ..found.expect("an ELF file")
        }
    }

    /// All windows' own places, one behind the other.
    fn all_places(constants: &Constants<'_>) -> Vec<u8> {
        let mut all = Vec::new();
        constants
            .for_each_window(|window| {
                all.extend_from_slice(&window.bytes[window.places.clone()]);
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    }

    fn whole(program: &[u8]) -> Vec<u8> {
        all_places(&constants(program, program.len()))
    }

    fn elf() -> Elf {
        Elf {
            is_64: true,
            machine: 62,
            ..Elf::default()
        }
    }

    proptest! {
        #[test]
        fn every_place_is_in_one_window_with_what_is_around_it(
            text in proptest::collection::vec(any::<u8>(), 0..20_000),
            window in 1usize..30_000,
        ) {
            let program = write_with(&elf(), &text);
            let all = whole(&program);
            prop_assert!(all.ends_with(&text));
            // Windows of a few bytes, and a great many of them, show no more than some do.
            let window = window.max(all.len() / 500);
            let mut at = 0;
            constants(&program, window).for_each_window(|window| {
                let end = at + window.places.len();
                let around = &all[at - window.places.start..all.len().min(end + AHEAD)];
                assert_eq!(window.places.start, at.min(BEHIND));
                assert_eq!(window.bytes, around);
                at = end;
                ControlFlow::Continue(())
            }).unwrap();
            prop_assert_eq!(at, all.len());
        }

        #[test]
        fn what_is_held_is_held_in_any_windows(
            text in proptest::collection::vec(any::<u8>(), 1..9000),
            pieces in proptest::collection::vec((any::<prop::sample::Index>(), 1usize..AHEAD), 0..8),
            any in proptest::collection::vec(any::<u8>(), 1..4),
            window in 20usize..3000,
        ) {
            let program = write_with(&elf(), &text);
            let piece = |(start, length): &(prop::sample::Index, usize)| {
                let rest = &text[start.index(text.len())..];
                &rest[..rest.len().min(*length)]
            };
            let texts: Vec<&[u8]> = pieces.iter().map(piece).chain([any.as_slice()]).collect();
            let all = whole(&program);
            let expected = texts.iter().copied().filter(|text| memmem::find(&all, text).is_some()).collect();
            prop_assert_eq!(constants(&program, window).find_texts(texts).unwrap(), expected);
        }

        #[test]
        fn no_more_is_looked_at_than_the_limit(
            text in proptest::collection::vec(any::<u8>(), 0..9000),
            limit in 0usize..9000,
            window in 100usize..9000,
        ) {
            let program = write_with(&elf(), &text);
            let looked_at = |limit: usize| all_places(&Constants { limit, ..constants(&program, window) });
            let all = looked_at(usize::MAX);
            prop_assert_eq!(looked_at(limit), &all[..limit.min(all.len())]);
        }
    }

    #[test]
    fn parts_are_kept_apart_and_end_with_the_file() {
        for window in 1..9 {
            let parts = vec![(0, 3), (3, 0), (2, 2), (4, 99), (u64::MAX, u64::MAX)];
            let constants = Constants {
                read: Box::new(slice(b"abcdef")),
                parts,
                limit: usize::MAX,
                window,
            };
            assert_eq!(all_places(&constants), b"abc\0\0cd\0ef\0\0");
        }
    }

    #[test]
    fn looking_ends_when_it_is_broken_off() {
        let program = write_with(&elf(), &[1; 50_000]);
        let mut windows = 0;
        constants(&program, 1000)
            .for_each_window(|_| {
                windows += 1;
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(windows, 1);
    }

    #[test]
    fn other_files_have_none() {
        let read: Box<ReadAt<'_>> = Box::new(slice(b"#!/bin/sh\n"));
        assert!(Constants::read(read, 10).unwrap().is_none());
    }
}
