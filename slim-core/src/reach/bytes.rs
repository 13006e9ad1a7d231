//! Bytes of hostile files: searches and numbers that never fail.

/// Returns whether `part` stands somewhere in `bytes`.
pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

/// Returns whether `byte` is an ASCII letter, a digit or `_`, as names in most languages are written.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// The most significant byte first.
    Big,
    /// The least significant byte first.
    Little,
}

/// Returns the unsigned number of `width` bytes at `at`; none beyond the end.
pub(super) fn number(bytes: &[u8], at: usize, width: usize, order: ByteOrder) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(match order {
        ByteOrder::Big => field.iter().fold(0, add),
        ByteOrder::Little => field.iter().rev().fold(0, add),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_the_bytes_do() {
        let bytes = [1, 2, 3];
        assert_eq!(number(&bytes, 1, 2, ByteOrder::Big), Some(0x0203));
        assert_eq!(number(&bytes, 1, 2, ByteOrder::Little), Some(0x0302));
        assert_eq!(number(&bytes, 2, 2, ByteOrder::Big), None);
        assert_eq!(number(&bytes, usize::MAX, 2, ByteOrder::Big), None);
        assert!(contains(b"abc", b"bc") && !contains(b"abc", b"d"));
    }
}
