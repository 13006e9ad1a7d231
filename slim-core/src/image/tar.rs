//! The members of a tar file, with the place of each one's bytes.
//!
//! The fields of a header are the `tar` crate's business. What is around them is here, because an index needs what
//! that crate does not give: where the bytes are, sparse maps (GNU's and PAX's), PAX values that are binary (file
//! capabilities hold line feeds), and bounds.
//!
//! Source: POSIX.1-2017 `pax`, "pax Interchange Format"; GNU tar manual, "Tar Internals".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::ImageError;

const BLOCK: u64 = 512;

/// Number of bytes that Go's `archive/tar`, which engines use, reads of a PAX header or a long name.
const MAX_SPECIAL: u64 = 1 << 20;

/// Number of pieces of a sparse file at most.
const MAX_PIECES: usize = 1 << 20;

/// The type of a member, by its type flag in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// One member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) kind: Type,
    /// A link's target.
    pub(super) link: Vec<u8>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) mtime: i64,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) content: Content,
}

/// The location of a regular file's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// The length of the file.
    pub(super) size: u64,
    /// The offset of its stored bytes in the tar file.
    offset: u64,
    /// The pieces of a sparse file as (offset, length), sorted; they are stored one after the other.
    pieces: Option<Arc<[(u64, u64)]>>,
}

impl Content {
    /// The bytes, from the file that the member was read from.
    pub(super) fn open(&self, file: Arc<File>) -> ContentReader {
        ContentReader {
            file,
            content: self.clone(),
            position: 0,
            piece: 0,
            stored: self.offset,
        }
    }

    /// Returns the offset of the bytes in the file, if they are stored as they are.
    pub(super) fn plain(&self) -> Option<(u64, u64)> {
        self.pieces.is_none().then_some((self.offset, self.size))
    }
}

/// Reads one member's bytes; holes are zeros.
pub(super) struct ContentReader {
    file: Arc<File>,
    content: Content,
    /// The position in the file.
    position: u64,
    /// The first piece that does not end before the position.
    piece: usize,
    /// The offset of that piece's stored bytes.
    stored: u64,
}

impl ContentReader {
    /// Continues at `position`, which only grows.
    pub(super) fn skip_to(&mut self, position: u64) {
        self.position = position.clamp(self.position, self.content.size);
    }
}

impl Read for ContentReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.content.size - self.position;
        let want = left.min(buf.len() as u64);
        if want == 0 {
            return Ok(0);
        }
        let Some(pieces) = self.content.pieces.clone() else {
            let at = self.content.offset + self.position;
            let n = self.file.read_at(cut(buf, want), at)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.position += n as u64;
            return Ok(n);
        };
        while let Some((start, len)) = pieces.get(self.piece)
            && self.position >= start + len
        {
            self.stored += len;
            self.piece += 1;
        }
        let n = match pieces.get(self.piece) {
            Some((start, len)) if self.position >= *start => {
                let inside = self.position - start;
                let n = self
                    .file
                    .read_at(cut(buf, want.min(len - inside)), self.stored + inside)?;
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                n as u64
            }
            next => {
                let hole = next.map_or(left, |(start, _)| start - self.position);
                let zeros = cut(buf, want.min(hole));
                zeros.fill(0);
                zeros.len() as u64
            }
        };
        self.position += n;
        Ok(usize::try_from(n).unwrap_or(buf.len()))
    }
}

/// The first `len` bytes of `buf`, or all of it.
fn cut(buf: &mut [u8], len: u64) -> &mut [u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(buf.len());
    &mut buf[..len]
}

/// The members of a tar that lies in a part of a file.
pub(super) struct Members<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    done: bool,
}

/// The fields of a member that headers before it set.
#[derive(Default)]
struct Pending {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
    /// PAX 0.0 repeats these two keys for each piece.
    pieces: Vec<(u64, u64)>,
}

impl Pending {
    /// Returns the value of a PAX record.
    fn record(&self, key: &str) -> Option<&[u8]> {
        self.pax.get(key.as_bytes()).map(Vec::as_slice)
    }
}

/// The length of a sparse file, and its pieces: (offset, length).
type SparseMap = (u64, Vec<(u64, u64)>);

const MALFORMED_MAP: &str = "a sparse map is malformed";

impl<'a> Members<'a> {
    /// The members of the tar in `file` from `offset`, `size` bytes long.
    pub(super) fn new(file: &'a File, offset: u64, size: u64) -> Self {
        Self {
            file,
            at: offset,
            end: offset.saturating_add(size),
            done: false,
        }
    }

    fn wrong(&self, what: &str) -> ImageError {
        ImageError::Archive(format!("{what} (before byte {})", self.at))
    }

    /// Takes `len` bytes from the stream.
    fn take(&mut self, len: u64) -> Result<Vec<u8>, ImageError> {
        if len > self.end.saturating_sub(self.at) {
            return Err(self.wrong("it ends within a member"));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| self.wrong("a header is too large"))?];
        self.file
            .read_exact_at(&mut bytes, self.at)
            .map_err(ImageError::io("spooled image archive"))?;
        self.at += len;
        Ok(bytes)
    }

    /// Takes a special member's data.
    fn special(&mut self, size: u64) -> Result<Vec<u8>, ImageError> {
        if size > MAX_SPECIAL {
            return Err(self.wrong("a header of more than 1 MiB"));
        }
        let bytes = self.take(size)?;
        self.skip_padding(size)?;
        Ok(bytes)
    }

    fn skip_padding(&mut self, size: u64) -> Result<(), ImageError> {
        self.at += size.next_multiple_of(BLOCK) - size;
        // The padding of the very last member may be cut off.
        self.at = self.at.min(self.end);
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Member>, ImageError> {
        let mut pending = Pending::default();
        loop {
            if self.at == self.end {
                return Ok(None);
            }
            let block = self.take(BLOCK)?;
            if block.iter().all(|&b| b == 0) {
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block).clone();
            let sum: u32 = block
                .iter()
                .enumerate()
                .map(|(i, &b)| u32::from(if (148..156).contains(&i) { b' ' } else { b }))
                .sum();
            if header.cksum().ok() != Some(sum) {
                return Err(self.wrong("a header's checksum is wrong"));
            }
            let size = match pending.pax.get(b"size".as_slice()) {
                Some(size) => decimal(size).ok_or_else(|| self.wrong("a PAX size is not a number"))?,
                None => self.field(&header.as_old().size, header.entry_size())?,
            };
            match header.entry_type().as_byte() {
                b'x' => self.pax(size, &mut pending)?,
                // Global defaults: engines ignore them, `git archive` writes a comment.
                b'g' => drop(self.special(size)?),
                b'L' => pending.name = Some(until_nul(self.special(size)?)),
                b'K' => pending.link = Some(until_nul(self.special(size)?)),
                flag => return self.member(&header, flag, size, pending).map(Some),
            }
        }
    }

    /// A header's number; one left blank is 0.
    fn field<T: Default>(&self, raw: &[u8], value: io::Result<T>) -> Result<T, ImageError> {
        match value {
            Ok(value) => Ok(value),
            Err(_) if raw.iter().all(|b| matches!(b, 0 | b' ')) => Ok(T::default()),
            Err(error) => Err(self.wrong(&error.to_string())),
        }
    }

    /// Reads PAX records: length, blank, key, `=`, value, line feed. The length counts all of it; values are any bytes.
    fn pax(&mut self, size: u64, pending: &mut Pending) -> Result<(), ImageError> {
        let bytes = self.special(size)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() && rest[0] != 0 {
            let record = (|| {
                let blank = rest.iter().position(|&b| b == b' ')?;
                let len = usize::try_from(decimal(&rest[..blank])?).ok()?;
                let record = rest.get(blank + 1..len)?.strip_suffix(b"\n")?;
                let equals = record.iter().position(|&b| b == b'=')?;
                Some((len, &record[..equals], &record[equals + 1..]))
            })();
            let Some((len, key, value)) = record else {
                return Err(self.wrong("a PAX record is malformed"));
            };
            match key {
                b"GNU.sparse.offset" => {
                    let offset = decimal(value).ok_or_else(|| self.wrong("a sparse map is malformed"))?;
                    pending.pieces.push((offset, 0));
                }
                b"GNU.sparse.numbytes" => match (pending.pieces.last_mut(), decimal(value)) {
                    (Some(piece), Some(len)) => piece.1 = len,
                    _ => return Err(self.wrong(MALFORMED_MAP)),
                },
                // An empty value takes back the value of an earlier record.
                _ if value.is_empty() && !key.starts_with(b"SCHILY.xattr.") => {
                    pending.pax.remove(key);
                }
                _ => {
                    pending.pax.insert(key.to_vec(), value.to_vec());
                }
            }
            rest = &rest[len..];
        }
        Ok(())
    }

    fn member(
        &mut self,
        header: &Header,
        flag: u8,
        size: u64,
        mut pending: Pending,
    ) -> Result<Member, ImageError> {
        let mut take = |key: &[u8]| pending.pax.remove(key);
        let name = take(b"GNU.sparse.name").or_else(|| take(b"path"));
        let name = name
            .or(pending.name.take())
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = take(b"linkpath")
            .or(pending.link.take())
            .or_else(|| header.link_name_bytes().map(Cow::into_owned))
            .unwrap_or_default();
        let (uid, gid, mtime) = (take(b"uid"), take(b"gid"), take(b"mtime"));
        let kind = match flag {
            b'0' | 0 | b'7' if !name.ends_with(b"/") => Type::File,
            b'S' => Type::File,
            b'1' => Type::HardLink,
            b'2' => Type::Symlink,
            b'3' => Type::CharDevice,
            b'4' => Type::BlockDevice,
            // Before POSIX, a directory was a file whose name ends in a slash.
            b'5' | b'0' | 0 | b'7' => Type::Directory,
            b'6' => Type::Fifo,
            flag => return Err(self.wrong(&format!("a member of the unknown type {:?}", char::from(flag)))),
        };
        let old = header.as_old();
        let owner = |pax: Option<Vec<u8>>, raw: &[u8], value: io::Result<u64>| match pax {
            Some(text) => decimal(&text).ok_or_else(|| self.wrong("a PAX owner is not a number")),
            None => self.field(raw, value),
        };
        let narrow = |id: u64| u32::try_from(id).map_err(|_| self.wrong("an owner of more than 32 bits"));
        let uid = narrow(owner(uid, &old.uid, header.uid())?)?;
        let gid = narrow(owner(gid, &old.gid, header.gid())?)?;
        let mtime = match mtime {
            Some(text) => seconds(&text).ok_or_else(|| self.wrong("a PAX time is not a number"))?,
            // Negative times are written in base 256, which the crate hands out as they are.
            None => self.field(&old.mtime, header.mtime())?.cast_signed(),
        };
        let mode = self.field(&old.mode, header.mode())? & 0o7777;
        let (mut major, mut minor) = (0, 0);
        if matches!(kind, Type::CharDevice | Type::BlockDevice) {
            let ustar = header.as_ustar().map(|h| (&h.dev_major, &h.dev_minor));
            let gnu = header.as_gnu().map(|h| (&h.dev_major, &h.dev_minor));
            if let Some((raw_major, raw_minor)) = ustar.or(gnu) {
                major = self.field(raw_major, header.device_major())?.unwrap_or(0);
                minor = self.field(raw_minor, header.device_minor())?.unwrap_or(0);
            }
        }
        let xattrs = pending
            .pax
            .iter()
            .filter_map(|(key, value)| {
                let name = key.strip_prefix(b"SCHILY.xattr.")?;
                super::keeps_xattr(name).then(|| (name.to_vec(), value.clone()))
            })
            .collect();
        // Only regular files have data; for the others a size is noise.
        let stored = if kind == Type::File { size } else { 0 };
        let content = self.content(header, flag, stored, &pending)?;
        Ok(Member {
            name,
            kind,
            link,
            uid,
            gid,
            mode,
            mtime,
            major,
            minor,
            xattrs,
            content,
        })
    }

    /// Finds a member's data, in whichever form a sparse file is stored, and skips it.
    fn content(
        &mut self,
        header: &Header,
        flag: u8,
        stored: u64,
        pending: &Pending,
    ) -> Result<Content, ImageError> {
        let start = self.at;
        let sparse = if flag == b'S' {
            Some(self.gnu_map(header)?)
        } else if pending.record("GNU.sparse.major") == Some(b"1") {
            let list = self.map_in_data()?;
            Some((self.real_size(pending)?, list))
        } else if let Some(map) = pending.record("GNU.sparse.map") {
            let numbers: Option<Vec<u64>> = map.split(|&b| b == b',').map(decimal).collect();
            let numbers = numbers.ok_or_else(|| self.wrong(MALFORMED_MAP))?;
            Some((self.real_size(pending)?, pairs(&numbers)))
        } else if !pending.pieces.is_empty() {
            Some((self.real_size(pending)?, pending.pieces.clone()))
        } else {
            None
        };
        // GNU's own form has its map in headers, which do not count as data.
        let map = if flag == b'S' { 0 } else { self.at - start };
        let data = stored.checked_sub(map).ok_or_else(|| self.wrong(MALFORMED_MAP))?;
        let offset = self.at;
        if data > self.end - self.at {
            return Err(self.wrong("it ends within a member"));
        }
        self.at += data;
        self.skip_padding(data)?;
        let Some((size, mut list)) = sparse else {
            return Ok(Content {
                size: data,
                offset,
                pieces: None,
            });
        };
        list.retain(|(_, len)| *len > 0);
        self.check_pieces(&list, size, data)?;
        Ok(Content {
            size,
            offset,
            pieces: Some(list.into()),
        })
    }

    /// Returns the length of a sparse file as PAX records give it.
    fn real_size(&self, pending: &Pending) -> Result<u64, ImageError> {
        pending
            .record("GNU.sparse.realsize")
            .or_else(|| pending.record("GNU.sparse.size"))
            .and_then(decimal)
            .ok_or_else(|| self.wrong(MALFORMED_MAP))
    }

    /// Reads the map of GNU's own form: in the header and in the blocks after it.
    fn gnu_map(&mut self, header: &Header) -> Result<SparseMap, ImageError> {
        let gnu = header.as_gnu().ok_or_else(|| self.wrong(MALFORMED_MAP))?;
        let mut list = Vec::new();
        self.gnu_pieces(&gnu.sparse, &mut list)?;
        let mut more = gnu.is_extended();
        while more {
            let block = self.take(BLOCK)?;
            let mut extension = GnuExtSparseHeader::new();
            extension.as_mut_bytes().copy_from_slice(&block);
            self.gnu_pieces(extension.sparse(), &mut list)?;
            more = extension.is_extended();
        }
        let size = gnu.real_size().map_err(|e| self.wrong(&e.to_string()))?;
        Ok((size, list))
    }

    /// Reads the map of PAX form 1.0, which stands before the data: decimal numbers, each on a line, of which the first is
    /// the number of pieces.
    fn map_in_data(&mut self) -> Result<Vec<(u64, u64)>, ImageError> {
        let mut numbers = Vec::new();
        let mut text = Vec::new();
        let mut want = 1;
        while numbers.len() < want {
            for byte in self.take(BLOCK)? {
                if byte != b'\n' {
                    text.push(byte);
                    continue;
                }
                let number = decimal(&text).ok_or_else(|| self.wrong(MALFORMED_MAP))?;
                text.clear();
                if numbers.is_empty() {
                    let count = usize::try_from(number).unwrap_or(usize::MAX);
                    if count > MAX_PIECES {
                        return Err(self.wrong(MALFORMED_MAP));
                    }
                    want = 1 + 2 * count;
                }
                if numbers.len() < want {
                    numbers.push(number);
                }
            }
            if text.len() > 32 && numbers.len() < want {
                return Err(self.wrong(MALFORMED_MAP));
            }
        }
        Ok(pairs(&numbers[1..]))
    }

    /// Checks that pieces follow one another within a file of `size` bytes and that `data` bytes fill them.
    fn check_pieces(&self, list: &[(u64, u64)], size: u64, data: u64) -> Result<(), ImageError> {
        let mut end = 0;
        let mut sum = 0;
        for (start, len) in list {
            if *start < end {
                return Err(self.wrong(MALFORMED_MAP));
            }
            end = start.checked_add(*len).ok_or_else(|| self.wrong(MALFORMED_MAP))?;
            sum += len;
        }
        if end > size || sum != data || i64::try_from(size).is_err() {
            return Err(self.wrong(MALFORMED_MAP));
        }
        Ok(())
    }

    fn gnu_pieces(&self, headers: &[GnuSparseHeader], list: &mut Vec<(u64, u64)>) -> Result<(), ImageError> {
        for header in headers.iter().take_while(|header| !header.is_empty()) {
            match (header.offset(), header.length()) {
                (Ok(offset), Ok(len)) if list.len() < MAX_PIECES => list.push((offset, len)),
                _ => return Err(self.wrong(MALFORMED_MAP)),
            }
        }
        Ok(())
    }
}

impl Iterator for Members<'_> {
    type Item = Result<Member, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let member = self.read().transpose();
        self.done = !matches!(member, Some(Ok(_)));
        member
    }
}

fn pairs(numbers: &[u64]) -> Vec<(u64, u64)> {
    numbers.as_chunks::<2>().0.iter().map(|[a, b]| (*a, *b)).collect()
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(nul) = bytes.iter().position(|&b| b == 0) {
        bytes.truncate(nul);
    }
    bytes
}

/// A plain decimal number.
fn decimal(text: &[u8]) -> Option<u64> {
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A PAX time's whole seconds, rounded down as engines do (`-1.5` is -2).
fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && fraction.bytes().any(|b| b != b'0');
    Some(if below { seconds.checked_sub(1)? } else { seconds })
}
