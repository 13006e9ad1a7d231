//! Tables of an SQLite database file, read from bytes that may be hostile.
//!
//! Source: "Database File Format" of SQLite's documentation. Only what a table scan takes is read: the schema on the
//! first page, table b-trees and overflow pages. Every page is read at most once, so the work is bounded by the file.

/// One column of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// NULL, a number that is not whole, or a type that is reserved.
    Other,
    /// A whole number.
    Integer(i64),
    /// Text or bytes.
    Bytes(&'a [u8]),
}

/// The file is no database, or the table is not in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Error {
    /// The header is not SQLite's.
    #[error("it is no SQLite database")]
    NotADatabase,
    /// The schema names no such table.
    #[error("it has no table {0}")]
    NoTable(&'static str),
    /// Pages, cells or records are not where others say, or not what they should be.
    #[error("it is damaged")]
    Damaged,
}

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The header of the first page's b-tree stands behind the file's header.
const FILE_HEADER: usize = 100;
/// Kinds of pages.
const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

/// Calls `row` with the columns of every row of the table `name`, in the order of its keys.
///
/// # Errors
/// See [`Error`]; the callback has had the rows before the damage.
pub(super) fn rows(bytes: &[u8], name: &'static str, mut row: impl FnMut(&[Value<'_>])) -> Result<(), Error> {
    let mut file = File::new(bytes)?;
    let mut root = None;
    file.scan(1, &mut |columns| {
        if let [
            Value::Bytes(b"table"),
            Value::Bytes(table),
            _,
            Value::Integer(page),
            ..,
        ] = columns
            && *table == name.as_bytes()
        {
            root = usize::try_from(*page).ok();
        }
    })?;
    file.scan(root.ok_or(Error::NoTable(name))?, &mut row)
}

/// A database file.
struct File<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// Number of bytes of a page that are the database's.
    usable: usize,
    /// The pages that were read.
    read: Vec<bool>,
}

impl<'a> File<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = bytes.get(..FILE_HEADER).ok_or(Error::NotADatabase)?;
        if !header.starts_with(MAGIC) {
            return Err(Error::NotADatabase);
        }
        // 65536 does not fit, and is written as 1.
        let page_size = match number(header, 16, 2) {
            Some(1) => 65536,
            Some(size @ 512..=32768) if size.is_power_of_two() => size,
            _ => return Err(Error::NotADatabase),
        };
        let usable = page_size - usize::from(header[20]);
        if usable < 480 {
            return Err(Error::NotADatabase);
        }
        Ok(Self {
            bytes,
            page_size,
            usable,
            read: vec![false; bytes.len() / page_size + 1],
        })
    }

    /// The page with that number, counted from 1: once.
    fn page(&mut self, number: usize) -> Result<&'a [u8], Error> {
        let index = number.checked_sub(1).ok_or(Error::Damaged)?;
        let read = self.read.get_mut(index).ok_or(Error::Damaged)?;
        if std::mem::replace(read, true) {
            return Err(Error::Damaged);
        }
        let start = index * self.page_size;
        self.bytes.get(start..start + self.usable).ok_or(Error::Damaged)
    }

    /// Calls the callback with the rows of the b-tree with its root at `root`.
    fn scan(&mut self, root: usize, row: &mut impl FnMut(&[Value<'_>])) -> Result<(), Error> {
        // Deepest and leftmost last.
        let mut todo = vec![root];
        while let Some(number) = todo.pop() {
            let page = self.page(number)?;
            let start = if number == 1 { FILE_HEADER } else { 0 };
            let kind = *page.get(start).ok_or(Error::Damaged)?;
            let cells = self::number(page, start + 3, 2).ok_or(Error::Damaged)?;
            let cell = |index: usize, header: usize| {
                let at = self::number(page, start + header + 2 * index, 2)?;
                page.get(at..)
            };
            match kind {
                INTERIOR => {
                    todo.push(self::number(page, start + 8, 4).ok_or(Error::Damaged)?);
                    for index in (0..cells).rev() {
                        let child = cell(index, 12).and_then(|cell| self::number(cell, 0, 4));
                        todo.push(child.ok_or(Error::Damaged)?);
                    }
                }
                LEAF => {
                    for index in 0..cells {
                        let cell = cell(index, 8).ok_or(Error::Damaged)?;
                        let record = self.payload(cell).ok_or(Error::Damaged)?;
                        row(&columns(&record).ok_or(Error::Damaged)?);
                    }
                }
                _ => return Err(Error::Damaged),
            }
        }
        Ok(())
    }

    /// The record of a leaf's cell, with what of it is on overflow pages.
    fn payload(&mut self, cell: &[u8]) -> Option<Vec<u8>> {
        let (size, cell) = varint(cell)?;
        let (_row, cell) = varint(cell)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= self.bytes.len())?;
        let most = self.usable - 35;
        let here = if size <= most {
            size
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let fitting = least + (size - least) % (self.usable - 4);
            if fitting <= most { fitting } else { least }
        };
        let mut record = cell.get(..here)?.to_vec();
        let mut next = if here < size { number(cell, here, 4)? } else { 0 };
        while record.len() < size {
            let page = self.page(next).ok()?;
            next = number(page, 0, 4)?;
            let content = page.get(4..)?;
            record.extend_from_slice(&content[..content.len().min(size - record.len())]);
        }
        Some(record)
    }
}

/// The columns of a record.
fn columns(record: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header, mut types) = varint(record)?;
    let header = usize::try_from(header).ok()?;
    types = types.get(..header.checked_sub(record.len() - types.len())?)?;
    let mut content = record.get(header..)?;
    let mut columns = Vec::new();
    while !types.is_empty() {
        let (kind, rest) = varint(types)?;
        types = rest;
        let size = match kind {
            0 | 8..=11 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let (value, rest) = content.split_at_checked(size)?;
        content = rest;
        columns.push(match kind {
            1..=6 => {
                // Two's complement: the sign is that of the first bit.
                let sign = if value.first().is_some_and(|b| *b >= 0x80) {
                    -1
                } else {
                    0
                };
                Value::Integer(value.iter().fold(sign, |sum, byte| sum << 8 | i64::from(*byte)))
            }
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            0 | 7 | 10 | 11 => Value::Other,
            _ => Value::Bytes(value),
        });
    }
    Some(columns)
}

/// A number of up to nine bytes, seven bits a byte, all of the ninth; and what is behind it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for index in 0..9 {
        let byte = *bytes.get(index)?;
        if index == 8 {
            return Some((value << 8 | u64::from(byte), &bytes[9..]));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// The unsigned number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::rpmdb;
    use super::*;

    #[test]
    fn numbers_of_variable_length() {
        assert_eq!(varint(b"\x00x"), Some((0, &b"x"[..])));
        assert_eq!(varint(b"\x81\x00"), Some((128, &b""[..])));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, &b""[..])));
        assert_eq!(varint(&[0xff; 8]), None);
        assert_eq!(varint(b""), None);
    }

    #[test]
    fn columns_of_every_type() {
        let record = b"\x09\x00\x01\x02\x08\x09\x07\x12\x0f\xff\x01\x00********abcx";
        use Value::{Bytes, Integer, Other};
        assert_eq!(
            columns(record).unwrap(),
            [
                Other,
                Integer(-1),
                Integer(256),
                Integer(0),
                Integer(1),
                Other,
                Bytes(b"abc"),
                Bytes(b"x")
            ]
        );
        assert_eq!(columns(&record[..record.len() - 1]), None);
        assert_eq!(columns(b"\x03\x01"), None);
        assert_eq!(columns(b"\x00"), None);
    }

    #[test]
    fn rows_are_read_over_all_kinds_of_pages() {
        let mut keys = 0;
        let mut long = 0;
        rows(&rpmdb(), "Packages", |columns| {
            let [_, Value::Bytes(blob)] = columns else {
                panic!("{columns:?}")
            };
            keys += 1;
            long += usize::from(blob.len() > 4096);
        })
        .unwrap();
        assert_eq!((keys, long), (23, 1));
        assert_eq!(rows(&rpmdb(), "None", |_| ()), Err(Error::NoTable("None")));
        assert_eq!(
            rows(b"SQLite format 3", "Packages", |_| ()),
            Err(Error::NotADatabase)
        );
    }

    proptest! {
        #[test]
        fn damage_ends(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60), cut: prop::sample::Index) {
            let mut bytes = rpmdb();
            for (n, (place, byte)) in damage.into_iter().enumerate() {
                // Half of it where pages and cells are told.
                let place = place.index(bytes.len());
                bytes[if n % 2 == 0 { place / 4096 * 4096 + place % 16 } else { place }] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            let mut size = 0;
            let _ = rows(&bytes, "Packages", |columns| {
                for column in columns {
                    size += if let Value::Bytes(bytes) = column { bytes.len() } else { 0 };
                }
            });
            prop_assert!(size <= 2 * bytes.len());
        }
    }
}
