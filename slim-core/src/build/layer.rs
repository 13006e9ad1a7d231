//! The one layer: a tar of the kept paths that is the same whenever the image and the paths are.
//!
//! Entries are sorted by path, so that parents come before what is in them. Owners are numbers without names. Content,
//! owner, mode, extended attributes and hard links are the image's.
//!
//! Times of entries are the image's too, in whole seconds: they are as deterministic as its bytes, and some programs
//! compare them (Python a module with its `.pyc`). Where `SOURCE_DATE_EPOCH` is given, later ones are set to it, as
//! reproducible-builds.org asks for.
//!
//! Sparse files are written in full. Docker refuses GNU tar's form ("unhandled tar header type 83"), and it unpacks
//! PAX's but cannot give such a layer back ("could not verify layer data" from `docker save`, 20.10): tar-split restores
//! a layer's bytes from the unpacked files. On disk the zeros cost nothing: the layer's file gets holes for them.
//!
//! Source: POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Interchange Format"; OCI image specification,
//! "Image Layer Filesystem Changeset".

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::BuildError;
use crate::digest::Digest;
use crate::image::{Entry, Kind, Rootfs};
use crate::path::RootPath;

/// A tar's unit.
const BLOCK: usize = 512;

/// Length of a header's name and of its prefix.
const MAX_NAME: usize = 100;
const MAX_PREFIX: usize = 155;

/// The largest numbers of seven and of eleven octal digits.
const MAX_ID: u64 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;

/// Number of bytes that are copied at once.
const CHUNK: usize = 1 << 18;

static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// A layer that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the tar.
    pub diff_id: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// The reason why a layer cannot be written: an entry of the image, or the output file.
pub(super) enum Failure {
    Image(BuildError),
    Output(io::Error),
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::Image(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Writes `paths` of `rootfs`, and the directories they stand in, to the empty file `out`.
///
/// `epoch` is `SOURCE_DATE_EPOCH`; `progress` hears of content bytes, done and all, and says whether to go on.
///
/// # Errors
/// A path is not in the image, its bytes cannot be read or changed meanwhile, or `out` cannot be written.
pub(super) fn write<'a>(
    rootfs: &Rootfs,
    paths: impl IntoIterator<Item = &'a RootPath>,
    epoch: Option<i64>,
    out: &mut File,
    progress: &dyn Fn(u64, u64) -> ControlFlow<()>,
) -> Result<Layer, Failure> {
    let mut kept: BTreeSet<RootPath> = BTreeSet::new();
    for path in paths {
        for ancestor in path.ancestors() {
            // Where one is known, those above it are.
            if !kept.insert(ancestor) {
                break;
            }
        }
        kept.insert(path.clone());
    }
    let mut entries = Vec::with_capacity(kept.len());
    let mut total = 0;
    let mut inodes = BTreeSet::new();
    for path in &kept {
        let entry = rootfs
            .get(path)
            .ok_or_else(|| BuildError::NotInImage(path.clone()))?;
        if entry.is_file() && inodes.insert(entry.inode) {
            total += entry.size();
        }
        entries.push((path, entry));
    }
    let mut sink = Sink {
        out,
        hash: Sha256::new(),
        len: 0,
    };
    let mut first: HashMap<u64, &RootPath> = HashMap::new();
    let mut done = 0;
    let mut buf = vec![0; CHUNK];
    for (path, entry) in entries {
        if path.is_root() && is_plain(entry) {
            continue;
        }
        if path.name().is_some_and(|name| name.starts_with(b".wh.")) {
            return Err(BuildError::Unwritable {
                path: path.clone(),
                reason: "in a layer such a name is a whiteout".to_owned(),
            }
            .into());
        }
        let link = match first.get(&entry.inode) {
            Some(first) if entry.is_file() => Some(*first),
            _ => None,
        };
        let header = header(path, entry, link, epoch)?;
        sink.put(&header)?;
        if link.is_some() || !entry.is_file() {
            continue;
        }
        first.insert(entry.inode, path);
        copy(rootfs, path, entry.size(), &mut sink, &mut buf, &mut |n| {
            done += n;
            progress(done, total)
        })?;
    }
    // Two empty blocks end a tar.
    sink.zeros(2 * BLOCK)?;
    Ok(sink.finish()?)
}

/// Returns true for a root directory as engines make it themselves.
fn is_plain(entry: &Entry) -> bool {
    (entry.uid, entry.gid, entry.mode) == (0, 0, 0o755) && entry.xattrs.is_empty()
}

fn copy(
    rootfs: &Rootfs,
    path: &RootPath,
    size: u64,
    sink: &mut Sink<'_>,
    buf: &mut [u8],
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let failed = |source| BuildError::Read {
        path: path.clone(),
        source,
    };
    let mut reader = rootfs.open(path).map_err(failed)?;
    let mut left = size;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let n = fill(&mut reader, &mut buf[..want]).map_err(failed)?;
        if n == 0 {
            return Err(BuildError::Changed(path.clone()).into());
        }
        let chunk = &buf[..n];
        if chunk == &ZEROS[..n] {
            sink.zeros(n)?;
        } else {
            sink.put(chunk)?;
        }
        left -= n as u64;
        if progress(n as u64).is_break() {
            return Err(BuildError::Cancelled.into());
        }
    }
    if reader.read(&mut buf[..1]).map_err(failed)? != 0 {
        return Err(BuildError::Changed(path.clone()).into());
    }
    Ok(sink.pad()?)
}

/// Reads until `buf` is full or the reader ends.
fn fill(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buf.len() {
        match reader.read(&mut buf[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

/// The tar's output file: it hashes the bytes, and writes runs of zeros as holes.
struct Sink<'a> {
    out: &'a mut File,
    hash: Sha256,
    len: u64,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn zeros(&mut self, count: usize) -> io::Result<()> {
        self.hash.update(&ZEROS[..count]);
        self.len += count as u64;
        self.out.seek(SeekFrom::Start(self.len)).map(drop)
    }

    fn pad(&mut self) -> io::Result<()> {
        let over = usize::try_from(self.len % BLOCK as u64).unwrap_or(0);
        self.zeros((BLOCK - over) % BLOCK)
    }

    fn finish(self) -> io::Result<Layer> {
        self.out.set_len(self.len)?;
        Ok(Layer {
            diff_id: Digest::from_sha256(self.hash),
            size: self.len,
        })
    }
}

/// The headers of one entry, with a PAX header before it if it needs one.
fn header(
    path: &RootPath,
    entry: &Entry,
    link: Option<&RootPath>,
    epoch: Option<i64>,
) -> Result<Vec<u8>, BuildError> {
    let mut pax = Pax::default();
    let mut header = Header::new_ustar();
    let (kind, size) = match (&entry.kind, link) {
        (_, Some(_)) => (EntryType::Link, 0),
        (Kind::File { size }, _) => (EntryType::Regular, *size),
        (Kind::Directory, _) => (EntryType::Directory, 0),
        (Kind::Symlink { .. }, _) => (EntryType::Symlink, 0),
        (Kind::CharDevice { .. }, _) => (EntryType::Char, 0),
        (Kind::BlockDevice { .. }, _) => (EntryType::Block, 0),
        (Kind::Fifo, _) => (EntryType::Fifo, 0),
    };
    header.set_entry_type(kind);
    header.set_mode(entry.mode);

    let mut name = path.relative().to_vec();
    if name.is_empty() {
        name.push(b'.');
    }
    if entry.is_dir() {
        name.push(b'/');
    }
    match split(&name) {
        Some((prefix, name)) => {
            let ustar = header.as_ustar_mut().expect("made as ustar");
            ustar.prefix[..prefix.len()].copy_from_slice(prefix);
            ustar.name[..name.len()].copy_from_slice(name);
        }
        None => {
            pax.add(b"path", &name);
            header.as_old_mut().name.copy_from_slice(&name[..MAX_NAME]);
        }
    }
    let target = match (link, &entry.kind) {
        (Some(link), _) => link.relative(),
        (None, Kind::Symlink { target }) => target.as_bytes(),
        _ => b"",
    };
    let short = &target[..target.len().min(MAX_NAME)];
    header.as_old_mut().linkname[..short.len()].copy_from_slice(short);
    if short.len() < target.len() {
        pax.add(b"linkpath", target);
    }
    header.set_size(pax.fit(b"size", size, MAX_SIZE));
    header.set_uid(pax.fit(b"uid", entry.uid.into(), MAX_ID));
    header.set_gid(pax.fit(b"gid", entry.gid.into(), MAX_ID));
    let mtime = epoch.map_or(entry.mtime, |epoch| entry.mtime.min(epoch));
    match u64::try_from(mtime) {
        Ok(mtime) => header.set_mtime(pax.fit(b"mtime", mtime, MAX_SIZE)),
        Err(_) => {
            pax.add(b"mtime", mtime.to_string().as_bytes());
            header.set_mtime(0);
        }
    }
    let (major, minor) = match entry.kind {
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => (major, minor),
        _ => (0, 0),
    };
    let number = |value: u32| {
        if u64::from(value) <= MAX_ID {
            Ok(value)
        } else {
            Err(BuildError::Unwritable {
                path: path.clone(),
                reason: format!("a tar holds no device {major}:{minor}"),
            })
        }
    };
    let (major, minor) = (number(major)?, number(minor)?);
    let ustar = header.as_ustar_mut().expect("made as ustar");
    ustar.set_device_major(major);
    ustar.set_device_minor(minor);
    if link.is_none() {
        for (key, value) in &entry.xattrs {
            // The PAX key ends at the first "=", and no engine undoes an escape there.
            if key.contains(&b'=') {
                return Err(BuildError::Unwritable {
                    path: path.clone(),
                    reason: format!(
                        "a tar holds no extended attribute named {:?}",
                        crate::path::encode(key)
                    ),
                });
            }
            pax.add(&[b"SCHILY.xattr.".as_slice(), key].concat(), value);
        }
    }
    header.set_cksum();
    let mut out = pax.blocks();
    out.extend_from_slice(header.as_bytes());
    Ok(out)
}

/// A name as a header's prefix and name; none if it fits only into a PAX header.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= MAX_NAME {
        return Some((b"", name));
    }
    // The slash between them is not stored; a directory's last one is a part of its name.
    let first = name.len().checked_sub(MAX_NAME + 1)?;
    let last = name.len().saturating_sub(2).min(MAX_PREFIX);
    let slash = (first..=last).find(|&i| i > 0 && name.get(i) == Some(&b'/'))?;
    Some((&name[..slash], &name[slash + 1..]))
}

/// The records of a PAX header, sorted by key.
#[derive(Default)]
struct Pax(Vec<(Vec<u8>, Vec<u8>)>);

impl Pax {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.0.push((key.to_vec(), value.to_vec()));
    }

    /// `value` if the header's field holds it, else 0 there and the value here.
    fn fit(&mut self, key: &[u8], value: u64, most: u64) -> u64 {
        if value <= most {
            return value;
        }
        self.add(key, value.to_string().as_bytes());
        0
    }

    /// The header and its records; nothing if there are none.
    fn blocks(mut self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.0.sort();
        let mut records = Vec::new();
        for (key, value) in &self.0 {
            // The length counts itself.
            let rest = key.len() + value.len() + 3;
            let mut len = rest + 1;
            while len != rest + len.to_string().len() {
                len = rest + len.to_string().len();
            }
            records.extend_from_slice(len.to_string().as_bytes());
            records.push(b' ');
            records.extend_from_slice(key);
            records.push(b'=');
            records.extend_from_slice(value);
            records.push(b'\n');
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.as_old_mut().name[..9].copy_from_slice(b"PaxHeader");
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(records.len() as u64);
        header.set_cksum();
        let mut out = header.as_bytes().to_vec();
        out.append(&mut records);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }
}
