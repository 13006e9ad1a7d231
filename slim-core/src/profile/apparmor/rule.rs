//! File rules: what is allowed on the paths that a pattern means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::recording::Access;

/// Permissions on a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    pub(crate) read: bool,
    pub(crate) append: bool,
    pub(crate) write: bool,
    pub(crate) lock: bool,
    pub(crate) link: bool,
    pub(crate) map: bool,
    pub(crate) execute: bool,
}

/// Habits of a program beside its accesses to a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    /// It renames: that reads the old name.
    pub(super) renames: bool,
    /// It makes hard links.
    pub(super) links: bool,
    /// It makes directories.
    pub(super) directories: bool,
}

impl Permissions {
    pub(super) const READ: Self = Self {
        read: true,
        append: false,
        write: false,
        lock: false,
        link: false,
        map: false,
        execute: false,
    };

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            append: self.append || other.append,
            write: self.write || other.write,
            lock: self.lock || other.lock,
            link: self.link || other.link,
            map: self.map || other.map,
            execute: self.execute || other.execute,
        }
    }

    /// As letters of a file rule.
    ///
    /// Who executes a file stays under this profile (`ix`). Nothing gets `px`: leaving the profile for another would
    /// be a wider grant, and the kernel refuses it under no-new-privileges.
    pub(crate) fn letters(self) -> String {
        let all = [
            (self.map, "m"),
            (self.read, "r"),
            // The parser refuses both in one rule.
            (self.append && !self.write, "a"),
            (self.write, "w"),
            (self.lock, "k"),
            (self.link, "l"),
            (self.execute, "ix"),
        ];
        all.iter()
            .filter(|(set, _)| *set)
            .map(|(_, letters)| *letters)
            .collect()
    }

    /// Returns the permissions that the recorded accesses to a path need.
    pub(super) fn of(accesses: &BTreeSet<Access>, habits: Habits) -> Self {
        let mut all = Self::default();
        for access in accesses {
            match access {
                Access::Read | Access::List => all.read = true,
                Access::Append => all.append = true,
                Access::Write | Access::Attributes => all.write = true,
                Access::Remove => {
                    all.write = true;
                    all.read |= habits.renames;
                }
                Access::Create => {
                    all.write = true;
                    all.link |= habits.links;
                }
                Access::BindSocket | Access::ConnectSocket => {
                    all.read = true;
                    all.write = true;
                }
                Access::Lock => {
                    all.read = true;
                    all.lock = true;
                }
                Access::Map | Access::Interpret => {
                    all.read = true;
                    all.map = true;
                }
                Access::Execute => {
                    all.read = true;
                    all.map = true;
                    all.execute = true;
                }
                Access::OpenPath
                | Access::Stat
                | Access::Permission
                | Access::ReadLink
                | Access::ChangeDirectory => {}
            }
        }
        all
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A pattern that stands for more than one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Glob {
    /// A process's or thread's number.
    Process,
    /// A name that begins with a digit.
    Number,
    /// A name that begins with a hexadecimal digit.
    Hex,
    /// One hexadecimal digit.
    HexDigit,
    /// Any name, or the rest of one.
    Name,
    /// Everything below a directory.
    Below,
    /// A directory and everything below it.
    AndBelow,
    /// The file or the directory of that name.
    OrDirectory,
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    /// These bytes alone.
    Text(Vec<u8>),
    /// More than one name.
    Glob(Glob),
}

/// A set of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern(pub(crate) Vec<Piece>);

impl Pattern {
    /// Just this path.
    pub(super) fn exact(path: &[u8]) -> Self {
        Self::default().text(path)
    }

    pub(super) fn text(mut self, bytes: &[u8]) -> Self {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.extend_from_slice(bytes),
            _ => self.0.push(Piece::Text(bytes.to_vec())),
        }
        self
    }

    pub(super) fn glob(mut self, glob: Glob) -> Self {
        self.0.push(Piece::Glob(glob));
        self
    }

    /// Returns the pattern of everything below it, if it may be a directory.
    pub(super) fn below(&self) -> Option<Self> {
        let (last, start) = self.0.split_last()?;
        let directory = Self(start.to_vec());
        (*last == Piece::Glob(Glob::OrDirectory)).then(|| directory.text(b"/").glob(Glob::Below))
    }

    /// This pattern, then another one.
    pub(super) fn then(self, other: Self) -> Self {
        other.0.into_iter().fold(self, |pattern, piece| match piece {
            Piece::Text(text) => pattern.text(&text),
            Piece::Glob(glob) => pattern.glob(glob),
        })
    }

    /// The inside of a quoted pattern.
    pub(super) fn quoted(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => escape(text),
            Piece::Glob(glob) => match glob {
                Glob::Process => "@{pid}",
                Glob::Number => "[0-9]*",
                Glob::Hex => "[0-9a-fA-F]*",
                Glob::HexDigit => "[0-9a-fA-F]",
                Glob::Name => "*",
                Glob::Below => "**",
                Glob::AndBelow => "{,**}",
                Glob::OrDirectory => "{,/}",
            }
            .to_owned(),
        });
        pieces.collect()
    }
}

/// `path` as the inside of a quoted pattern that means just this path.
///
/// Every byte but the plainest is written in octal; the parser takes an octal byte that is special in patterns for
/// itself (`processquoted` in `parser/parser_misc.c`).
pub fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"/._-+=:~%".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\{byte:03o}");
        }
    }
    out
}

/// Rules by pattern.
#[derive(Debug, Default)]
pub(crate) struct Rules(pub(crate) BTreeMap<Pattern, Permissions>);

/// The largest size of the rules, as nodes of a tree of their characters.
///
/// The parser makes a state of nearly every node, kernels take at most 65,535 of them, and the time to compile grows
/// faster than their number. Measured with `apparmor_parser` 3.0.8 on paths of a Debian system: 16,500 nodes give 11,700
/// states in 1.3 s, 31,000 give 20,000 in 3 s, 68,000 give 39,000 in 13 s.
const MOST_NODES: usize = 30_000;

/// Number of rules below one directory from which on they are joined.
const WORTH_JOINING: usize = 8;

impl Rules {
    pub(super) fn add(&mut self, pattern: Pattern, permissions: Permissions) {
        if !permissions.is_empty() {
            let entry = self.0.entry(pattern).or_default();
            *entry = entry.and(permissions);
        }
    }

    /// The inside of each rule's quotes, and its permissions; sorted.
    pub(super) fn quoted(&self) -> BTreeMap<String, Permissions> {
        let rules = self.0.iter();
        rules
            .map(|(pattern, permissions)| (pattern.quoted(), *permissions))
            .collect()
    }

    fn nodes(&self) -> usize {
        let mut before: &[u8] = b"";
        let mut nodes = 0;
        let quoted = self.quoted();
        for pattern in quoted.keys().map(String::as_bytes) {
            nodes += pattern.len() - pattern.iter().zip(before).take_while(|(a, b)| a == b).count();
            before = pattern;
        }
        nodes
    }

    /// Joins rules that only read into one for their directory, deep directories first, until the rules are small
    /// enough. In a slim image this grants nothing: the files that no rule named are not there.
    pub(super) fn shrink(&mut self) {
        let plain = |pattern: &Pattern, permissions: &Permissions| match pattern.0.as_slice() {
            [Piece::Text(text)] if *permissions == Permissions::READ => Some(text.clone()),
            _ => None,
        };
        let depth = |path: &[u8]| path.iter().filter(|&&b| b == b'/').count();
        let read = |rules: &Self| -> Vec<Vec<u8>> {
            let all = rules.0.iter();
            all.filter_map(|(pattern, permissions)| plain(pattern, permissions))
                .collect()
        };
        let deepest = read(self).iter().map(|path| depth(path)).max().unwrap_or(0);
        for level in (3..=deepest).rev() {
            if self.nodes() <= MOST_NODES {
                return;
            }
            // The directory that holds the name at this level, for every rule that only reads and is as deep.
            let directory = |path: &[u8]| {
                let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
                let end = slashes.map(|(at, _)| at).nth(level - 1)?;
                (path.len() > end + 1).then(|| path[..end].to_vec())
            };
            let mut count: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            for directory in read(self).iter().filter_map(|path| directory(path)) {
                *count.entry(directory).or_default() += 1;
            }
            count.retain(|_, rules| *rules >= WORTH_JOINING);
            self.0.retain(|pattern, permissions| {
                let directory = plain(pattern, permissions).and_then(|path| directory(&path));
                directory.is_none_or(|directory| !count.contains_key(&directory))
            });
            for directory in count.into_keys() {
                let pattern = Pattern::exact(&directory).text(b"/").glob(Glob::Below);
                self.add(pattern, Permissions::READ);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_rules_become_few() {
        let mut rules = Rules::default();
        for number in 0..5000u32 {
            let hash = number.wrapping_mul(2_654_435_761);
            let path = format!("/usr/lib/node_modules/{:x}/{hash:08x}{hash:08x}.js", number % 200);
            rules.add(Pattern::exact(path.as_bytes()), Permissions::READ);
        }
        rules.add(
            Pattern::exact(b"/usr/lib/node_modules/a/addon.node"),
            Permissions {
                map: true,
                ..Permissions::READ
            },
        );
        rules.add(Pattern::exact(b"/etc/passwd"), Permissions::READ);
        assert!(rules.nodes() > MOST_NODES);
        rules.shrink();
        assert!(rules.nodes() <= MOST_NODES);
        let rules = rules.quoted();
        assert_eq!(rules["/usr/lib/node_modules/a/**"], Permissions::READ);
        assert!(rules["/usr/lib/node_modules/a/addon.node"].map);
        assert!(rules.contains_key("/etc/passwd") && !rules.contains_key("/usr/lib/**"));
    }

    #[test]
    fn appending_is_part_of_writing() {
        let letters = |accesses: &[Access]| {
            let accesses = accesses.iter().copied().collect();
            Permissions::of(&accesses, Habits::default()).letters()
        };
        assert_eq!(letters(&[Access::Append]), "a");
        assert_eq!(letters(&[Access::Append, Access::Attributes]), "w");
        assert_eq!(letters(&[Access::Execute]), "mrix");
        assert_eq!(letters(&[Access::Stat]), "");
    }
}
