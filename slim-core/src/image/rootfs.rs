//! The index of an image's merged file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};
use std::ops::Bound;
use std::sync::Arc;

use super::Blobs;
use crate::path::{RawPath, RootPath};

/// Number of symbolic links that Linux follows in one look-up (`MAXSYMLINKS` in `include/linux/namei.h`).
pub(super) const MAX_LINKS: usize = 40;
/// The length from which on Linux takes no path (`PATH_MAX` in `include/uapi/linux/limits.h`).
pub(crate) const PATH_MAX: usize = 4096;

/// The type of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Its target, as stored.
        target: RawPath,
    },
    /// A character device.
    CharDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// One entry of the merged file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its type.
    pub kind: Kind,
    /// The numeric owner.
    pub uid: u32,
    /// The numeric group.
    pub gid: u32,
    /// Permission, set-id and sticky bits (`07777`).
    pub mode: u32,
    /// Seconds since 1970-01-01 UTC.
    pub mtime: i64,
    /// Extended attributes (file capabilities are `security.capability`), without the storage driver's own.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Entries with the same number are hard links to one file. Meaningful within one index only.
    pub inode: u64,
    /// The layer that holds it, 0 for the lowest.
    pub layer: usize,
}

impl Entry {
    /// The length of a regular file, 0 for everything else.
    pub fn size(&self) -> u64 {
        if let Kind::File { size } = self.kind {
            size
        } else {
            0
        }
    }

    /// Returns true for a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// Returns true for a regular file.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File { .. })
    }

    /// Returns true for a symbolic link.
    pub fn is_symlink(&self) -> bool {
        matches!(self.kind, Kind::Symlink { .. })
    }
}

/// The storage of the files' bytes.
pub trait Store: Send + Sync {
    /// Opens the content of the regular file `entry` at `path`. Never follows a link out of the image.
    ///
    /// # Errors
    /// The error of the storage.
    fn open(&self, path: &RootPath, entry: &Entry) -> io::Result<Box<dyn Read + Send>>;

    /// Reads up to `length` bytes at `offset` of the regular file `entry` at `path`: fewer at its end, none beyond it.
    ///
    /// Storage that can seek should override it; the default reads up to `offset`.
    ///
    /// # Errors
    /// As [`Store::open`].
    fn read_at(&self, path: &RootPath, entry: &Entry, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut reader = self.open(path, entry)?;
        let mut bytes = Vec::new();
        if io::copy(&mut reader.by_ref().take(offset), &mut io::sink())? == offset {
            reader.take(length as u64).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Returns the image's blobs as they came, if the storage has them.
    fn blobs(&self) -> Option<&Blobs> {
        None
    }
}

/// The merged file system of an image: path to entry, and a store for the bytes. Clones share both.
#[derive(Clone)]
pub struct Rootfs {
    entries: Arc<BTreeMap<RootPath, Entry>>,
    store: Arc<dyn Store>,
}

impl fmt::Debug for Rootfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rootfs")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// The result of a path look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The path behind all links; if it is missing, as far as it could be followed.
    pub path: RootPath,
    /// Every symbolic link on the way, in the order it was followed.
    pub links: Vec<RootPath>,
    /// The end of the look-up.
    pub outcome: Outcome,
}

/// The treatment of a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLink {
    /// It is followed, as `open` and `stat` do.
    Follow,
    /// It is what is looked up, as for `lstat` and `O_NOFOLLOW`.
    Keep,
}

/// The end of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The entry exists.
    Found,
    /// The entry does not exist (ENOENT), or the path is longer than any that Linux takes (ENAMETOOLONG).
    Missing,
    /// A component of the path is not a directory (ENOTDIR).
    NotADirectory,
    /// More than 40 links (ELOOP).
    TooManyLinks,
}

/// Returns the prefix of all paths in `directory`.
fn inside(directory: &RootPath) -> Vec<u8> {
    let mut start = directory.as_bytes().to_vec();
    if !directory.is_root() {
        start.push(b'/');
    }
    start
}

impl Rootfs {
    /// An index over `entries` whose bytes are in `store`. Missing parents are added as root-owned directories (0755).
    pub fn new(mut entries: BTreeMap<RootPath, Entry>, store: Arc<dyn Store>) -> Self {
        let mut missing = BTreeSet::new();
        for path in entries.keys().chain([&RootPath::root().join("x")]) {
            let above = path.ancestors().take_while(|path| !entries.contains_key(path));
            // Where one is known to be missing, those above it are known too.
            for path in above {
                if !missing.insert(path) {
                    break;
                }
            }
        }
        for path in missing {
            let inode = u64::MAX - entries.len() as u64;
            entries.entry(path).or_insert(Entry {
                kind: Kind::Directory,
                uid: 0,
                gid: 0,
                mode: 0o755,
                mtime: 0,
                xattrs: BTreeMap::new(),
                inode,
                layer: 0,
            });
        }
        let entries = Arc::new(entries);
        Self { entries, store }
    }

    /// Returns the image's blobs as they came, if the storage has them: that of an archive does.
    pub fn blobs(&self) -> Option<&Blobs> {
        self.store.blobs()
    }

    /// Returns the entry at exactly `path`; links are not followed.
    pub fn get(&self, path: &RootPath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Returns every path and its entry, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&RootPath, &Entry)> {
        self.entries.iter()
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there is nothing but the root.
    pub fn is_empty(&self) -> bool {
        self.entries.len() <= 1
    }

    /// Returns everything below `directory` (not itself), sorted.
    pub fn below<'a>(&'a self, directory: &'a RootPath) -> impl Iterator<Item = (&'a RootPath, &'a Entry)> {
        let start = inside(directory);
        let from: Bound<&[u8]> = Bound::Excluded(&start);
        let entries = self.entries.range::<[u8], _>((from, Bound::Unbounded));
        entries.take_while(move |(path, _)| path.as_bytes().starts_with(&start))
    }

    /// Returns the direct entries of `directory`, sorted. The cost is some look-ups for each, whatever is below them.
    pub fn children<'a>(&'a self, directory: &RootPath) -> impl Iterator<Item = (&'a RootPath, &'a Entry)> {
        let start = inside(directory);
        let mut from = Bound::Excluded(start.clone());
        std::iter::from_fn(move || {
            loop {
                let bounds = (from.as_ref().map(Vec::as_slice), Bound::Unbounded);
                let (path, entry) = self.entries.range::<[u8], _>(bounds).next()?;
                let name = path.as_bytes().strip_prefix(start.as_slice())?;
                match name.iter().position(|&b| b == b'/') {
                    None => {
                        from = Bound::Excluded(path.as_bytes().to_vec());
                        return Some((path, entry));
                    }
                    // All that is below an entry stands before its name followed by the byte after '/'.
                    Some(slash) => {
                        let mut past = path.as_bytes()[..start.len() + slash].to_vec();
                        past.push(b'/' + 1);
                        from = Bound::Included(past);
                    }
                }
            }
        })
    }

    /// Follows `path` as the kernel would: every link on the way, and the one at its end as `last` has it.
    pub fn resolve(&self, path: &RootPath, last: LastLink) -> Resolved {
        self.resolve_from(&RootPath::root(), path.as_bytes(), last)
    }

    /// Follows `path` (any bytes a program wrote, `..` included) from the directory `base`, which is itself resolved.
    pub fn resolve_from(&self, base: &RootPath, path: &[u8], last: LastLink) -> Resolved {
        self.resolve_within(&RootPath::root(), base, path, last)
    }

    /// As [`Rootfs::resolve_from`] for a process whose root is the directory `root` (chroot; taken as it is, without
    /// following links in it): absolute paths, absolute link targets and `..` stay below it, `base` is a path of the
    /// whole image.
    pub fn resolve_within(&self, root: &RootPath, base: &RootPath, path: &[u8], last: LastLink) -> Resolved {
        let mut links = Vec::new();
        let mut here = root.clone();
        // The names still to walk, last first.
        let mut todo: Vec<&[u8]> = Vec::new();
        fn push<'p>(todo: &mut Vec<&'p [u8]>, path: &'p [u8]) {
            todo.extend(path.rsplit(|&b| b == b'/').filter(|name| !name.is_empty()));
        }
        let too_long = |path: &[u8]| path.len() >= PATH_MAX;
        if too_long(path) {
            return Resolved {
                path: here,
                links,
                outcome: Outcome::Missing,
            };
        }
        push(&mut todo, path);
        if !path.starts_with(b"/") {
            match base.as_bytes().strip_prefix(root.as_bytes()) {
                Some(inner) if base.starts_with(root) => push(&mut todo, inner),
                // A directory outside of its root that the process kept open.
                _ => here = base.clone(),
            }
        }
        let must_be_directory = path.ends_with(b"/");
        while let Some(name) = todo.pop() {
            match name {
                b"." => continue,
                b".." => {
                    if here != *root {
                        here = here.parent().unwrap_or(here);
                    }
                    continue;
                }
                _ => {}
            }
            let next = here.child(name);
            let Some(entry) = self.entries.get(&next) else {
                // Keep what is left of the name, so that the caller sees what was asked for.
                todo.reverse();
                let path = if todo.is_empty() {
                    next
                } else {
                    next.join(todo.join(&b'/'))
                };
                return Resolved {
                    path,
                    links,
                    outcome: Outcome::Missing,
                };
            };
            match &entry.kind {
                Kind::Symlink { target }
                    if !todo.is_empty() || last == LastLink::Follow || must_be_directory =>
                {
                    if too_long(target.as_bytes()) {
                        return Resolved {
                            path: next,
                            links,
                            outcome: Outcome::Missing,
                        };
                    }
                    if links.len() == MAX_LINKS {
                        return Resolved {
                            path: next,
                            links,
                            outcome: Outcome::TooManyLinks,
                        };
                    }
                    links.push(next);
                    if target.as_bytes().starts_with(b"/") {
                        here = root.clone();
                    }
                    push(&mut todo, target.as_bytes());
                }
                kind if kind != &Kind::Directory && !todo.is_empty() => {
                    return Resolved {
                        path: next,
                        links,
                        outcome: Outcome::NotADirectory,
                    };
                }
                _ => here = next,
            }
        }
        Resolved {
            path: here,
            links,
            outcome: Outcome::Found,
        }
    }

    /// Opens the content of the regular file at exactly `path`.
    ///
    /// # Errors
    /// `NotFound` if there is none, `InvalidInput` if it is not a regular file, and what the storage says.
    pub fn open(&self, path: &RootPath) -> io::Result<Box<dyn Read + Send>> {
        self.store.open(path, self.regular(path)?)
    }

    fn regular(&self, path: &RootPath) -> io::Result<&Entry> {
        let entry = self
            .entries
            .get(path)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{path}: not in the image")))?;
        if !entry.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{path}: not a regular file"),
            ));
        }
        Ok(entry)
    }

    /// Reads up to `length` bytes at `offset` of the regular file at exactly `path`: fewer at its end.
    ///
    /// # Errors
    /// As [`Rootfs::open`].
    pub fn read_at(&self, path: &RootPath, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let entry = self.regular(path)?;
        let left = usize::try_from(entry.size().saturating_sub(offset)).unwrap_or(usize::MAX);
        self.store.read_at(path, entry, offset, length.min(left))
    }

    /// Reads the regular file at exactly `path`, at most `limit` bytes of it.
    ///
    /// # Errors
    /// As [`Rootfs::open`].
    pub fn read(&self, path: &RootPath, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

/// A store in memory, for trees that tests write down.
#[cfg(test)]
pub(crate) mod memory {
    use super::*;

    struct Memory(BTreeMap<RootPath, Vec<u8>>);

    impl Store for Memory {
        fn open(&self, path: &RootPath, _: &Entry) -> io::Result<Box<dyn Read + Send>> {
            let bytes = self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(io::Cursor::new(bytes)))
        }
    }

    /// A tree from `(path, content)`: `dir/` is a directory (its content an octal mode, or nothing), `-> target` a link,
    /// everything else a file (mode 0755).
    pub(crate) fn tree(items: &[(&str, &[u8])]) -> Rootfs {
        let mut entries = BTreeMap::new();
        let mut bytes = BTreeMap::new();
        for (number, (path, content)) in items.iter().enumerate() {
            let kind = if path.ends_with('/') {
                Kind::Directory
            } else if let Some(target) = content.strip_prefix(b"-> ") {
                Kind::Symlink {
                    target: target.into(),
                }
            } else {
                Kind::File {
                    size: content.len() as u64,
                }
            };
            let mode = std::str::from_utf8(content)
                .ok()
                .and_then(|text| u32::from_str_radix(text, 8).ok());
            let mode = mode.filter(|_| kind == Kind::Directory).unwrap_or(0o755);
            let path = RootPath::new(path);
            bytes.insert(path.clone(), content.to_vec());
            let inode = number as u64;
            let entry = Entry {
                kind,
                uid: 0,
                gid: 0,
                mode,
                mtime: 0,
                xattrs: BTreeMap::new(),
                inode,
                layer: 0,
            };
            entries.insert(path, entry);
        }
        Rootfs::new(entries, Arc::new(Memory(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::memory::tree;
    use super::*;

    fn resolve(rootfs: &Rootfs, path: &str) -> (String, Vec<String>, Outcome) {
        let resolved = rootfs.resolve(&RootPath::new(path), LastLink::Follow);
        let links = resolved.links.iter().map(ToString::to_string).collect();
        (resolved.path.to_string(), links, resolved.outcome)
    }

    #[test]
    fn links_are_followed_everywhere() {
        let rootfs = tree(&[
            ("/usr/lib/libc.so.6", b"elf"),
            ("/lib", b"-> usr/lib"),
            ("/usr/lib/libc.so", b"-> /lib/libc.so.6"),
            ("/out", b"-> ../../../lib/libc.so"),
        ]);
        let (path, links, outcome) = resolve(&rootfs, "/out");
        assert_eq!((path.as_str(), outcome), ("/usr/lib/libc.so.6", Outcome::Found));
        assert_eq!(links, ["/out", "/lib", "/usr/lib/libc.so", "/lib"]);
    }

    #[test]
    fn loops_files_on_the_way_and_absent_names_end_it() {
        let rootfs = tree(&[("/a", b"-> b"), ("/b", b"-> a"), ("/file", b"")]);
        assert_eq!(resolve(&rootfs, "/a").2, Outcome::TooManyLinks);
        assert_eq!(resolve(&rootfs, "/file/x").2, Outcome::NotADirectory);
        let (path, _, outcome) = resolve(&rootfs, "/none/of/it");
        assert_eq!((path.as_str(), outcome), ("/none/of/it", Outcome::Missing));
    }

    #[test]
    fn dot_dot_after_a_link_is_the_targets_parent() {
        let rootfs = tree(&[("/data/deep/x", b""), ("/data/y", b""), ("/l", b"-> /data/deep")]);
        let resolved = rootfs.resolve_from(&RootPath::root(), b"l/../y", LastLink::Follow);
        assert_eq!(resolved.path, RootPath::new("/data/y"));
    }

    #[test]
    fn a_changed_root_is_not_left() {
        let rootfs = tree(&[
            ("/jail/etc/passwd", b""),
            ("/jail/abs", b"-> /etc/passwd"),
            ("/jail/up", b"-> ../../../etc/passwd"),
            ("/etc/passwd", b""),
        ]);
        let jail = RootPath::new("/jail");
        for asked in ["/abs", "/up", "/../etc/passwd", "etc/../../etc/passwd"] {
            let resolved = rootfs.resolve_within(&jail, &jail, asked.as_bytes(), LastLink::Follow);
            assert_eq!(resolved.path, RootPath::new("/jail/etc/passwd"), "{asked}");
        }
        let outside = rootfs.resolve_within(&jail, &RootPath::new("/etc"), b"passwd", LastLink::Follow);
        assert_eq!(outside.path, RootPath::new("/etc/passwd"));
    }

    #[test]
    fn a_region_ends_with_the_file() {
        let rootfs = tree(&[("/f", b"0123456789")]);
        let read = |offset, length| rootfs.read_at(&"/f".into(), offset, length).unwrap();
        assert_eq!(read(2, 3), b"234");
        assert_eq!(read(8, 9), b"89");
        assert_eq!(read(11, 1), b"");
        assert!(rootfs.read_at(&RootPath::root(), 0, 1).is_err());
    }

    #[test]
    fn a_sibling_with_a_longer_name_is_not_below() {
        let rootfs = tree(&[
            ("/a/x", b""),
            ("/a-b", b""),
            ("/a.d/y", b""),
            ("/a0", b""),
            ("/a/y/z", b""),
        ]);
        let below: Vec<_> = rootfs.below(&"/a".into()).map(|(p, _)| p.to_string()).collect();
        assert_eq!(below, ["/a/x", "/a/y", "/a/y/z"]);
        let children: Vec<_> = rootfs
            .children(&"/a".into())
            .map(|(p, _)| p.to_string())
            .collect();
        assert_eq!(children, ["/a/x", "/a/y"]);
        assert_eq!(rootfs.children(&RootPath::root()).count(), 4);
    }
}
