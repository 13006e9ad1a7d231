//! An image of one hostile file, or a few, and the closure over it; a hostile recording, and profiles of it.

pub mod profile;
pub mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use slim_core::digest::Digest;
use slim_core::image::{Config, Entry, Image, Kind, Rootfs, Store, packages};
use slim_core::path::RootPath;
use slim_core::reach::{Options, close};
use slim_core::recording::Recording;

/// What separates the files of one input.
const SEPARATOR: &[u8] = b"\n\xff\n";

struct Memory(BTreeMap<RootPath, Vec<u8>>);

impl Store for Memory {
    fn open(&self, path: &RootPath, _: &Entry) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}

/// A file system of `files`; content that begins with `-> ` is a link's target.
pub fn rootfs(files: impl IntoIterator<Item = (RootPath, Vec<u8>)>) -> Rootfs {
    let mut entries = BTreeMap::new();
    let mut bytes = BTreeMap::new();
    for (number, (path, content)) in files.into_iter().enumerate() {
        let kind = match content.strip_prefix(b"-> ") {
            Some(target) => Kind::Symlink {
                target: target.into(),
            },
            None => Kind::File {
                size: content.len() as u64,
            },
        };
        let entry = Entry {
            kind,
            uid: 0,
            gid: 0,
            mode: 0o755,
            mtime: 0,
            xattrs: BTreeMap::new(),
            inode: number as u64,
            layer: 0,
        };
        entries.insert(path.clone(), entry);
        bytes.insert(path, content);
    }
    Rootfs::new(entries, Arc::new(Memory(bytes)))
}

/// Closes over an image in which `fixed` stands as it is, and the parts of `data` as the content of `hostile`, in their
/// order. All hostile files are kept.
///
/// # Panics
///
/// When the law is broken that only what is in the image is kept.
pub fn close_over(hostile: &[&str], fixed: &[(&str, &str)], data: &[u8]) {
    let mut parts = split(data);
    let mut files: BTreeMap<RootPath, Vec<u8>> = fixed
        .iter()
        .map(|(path, content)| (RootPath::new(path), content.as_bytes().to_vec()))
        .collect();
    for path in hostile {
        files.insert(RootPath::new(path), parts.next().unwrap_or_default().to_vec());
    }
    let image = Image {
        id: Digest::of(b"image"),
        reference: "fuzz".into(),
        config: Config::default(),
        rootfs: rootfs(files),
    };
    let options = Options {
        include: hostile.iter().map(|path| (*path).to_owned()).collect(),
        ..Options::default()
    };
    let owners = packages::owners(&image.rootfs);
    let recording = Recording::new(image.id.clone());
    // A hostile file may be a link by its content, and lead nowhere: then the include is an error.
    if let Ok(reached) = close(
        &image,
        &owners,
        &recording,
        &options,
        &slim_core::cancel::Cancel::default(),
    ) {
        let strangers: BTreeSet<_> = reached
            .files
            .keys()
            .filter(|path| image.rootfs.get(path).is_none())
            .collect();
        assert!(strangers.is_empty(), "{strangers:?} are not in the image");
    }
}

/// The parts of an input.
pub fn split(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let data = rest.take()?;
        match data
            .windows(SEPARATOR.len())
            .position(|window| window == SEPARATOR)
        {
            Some(end) => {
                rest = Some(&data[end + SEPARATOR.len()..]);
                Some(&data[..end])
            }
            None => Some(data),
        }
    })
}
