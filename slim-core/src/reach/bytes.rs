//! Bytes of hostile files: searches and numbers that never fail.

/// Returns whether `part` stands somewhere in `bytes`.
pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

/// Returns whether `byte` is an ASCII letter, a digit or `_`, as names in most languages are written.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The least bytes of numbers in a row that [`without_numbers`] takes out.
const MIN_NUMBERS: usize = 256;

/// Returns `source` without the numbers inside long lists of numbers, as generated parsers, fonts and tables of characters have
/// them: they name nothing, and parsing them would take most of the time. Lines stay where they are, and so do the first and
/// the last item of each list.
///
/// A file with a NUL is no source: its parts may have lengths.
pub(super) fn without_numbers(source: Vec<u8>) -> Vec<u8> {
    if memchr::memchr(0, &source).is_some() {
        return source;
    }
    let space = |at: usize| {
        let rest = source.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
    };
    let mut kept = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b',', &source[at..]) {
        let first = at + found;
        let mut last = first;
        while let Some(end) = number_end(&source, space(last + 1))
            && let comma = space(end)
            && source.get(comma) == Some(&b',')
        {
            last = comma;
        }
        at = last + 1;
        if last - first >= MIN_NUMBERS {
            kept.extend_from_slice(&source[copied..=first]);
            kept.extend(source[first..last].iter().filter(|&&b| b == b'\n'));
            copied = at;
        }
    }
    if copied == 0 {
        return source;
    }
    kept.extend_from_slice(&source[copied..]);
    kept
}

/// Returns where the number at `at` ends, in any base and notation (`-1`, `0x1F`, `1_000`, `2.5e3`); none if there is none.
fn number_end(source: &[u8], at: usize) -> Option<usize> {
    let rest = source.get(at..)?;
    let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
    rest.get(sign)?.is_ascii_digit().then_some(())?;
    let is_part = |b: &&u8| is_word(**b) || **b == b'.';
    let number = &rest[sign..][..rest[sign..].iter().take_while(is_part).count()];
    let is_digit = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b'_' | b'.' | b'x' | b'o' | b'n');
    number.iter().all(is_digit).then_some(at + sign + number.len())
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
    fn long_lists_of_numbers_are_left_out() {
        let numbers: String = (0..200).map(|n| format!("{n:#x}, -{n}.5,\n")).collect();
        let source = format!("a = f(x, {numbers}y)\nb = [{numbers}]\nc = [1, 2, 3]\nrequire 'c'\n");
        let less = without_numbers(source.clone().into_bytes());
        let less = String::from_utf8(less).expect("it is text");
        assert!(less.len() < 700, "{less}");
        assert!(less.ends_with("c = [1, 2, 3]\nrequire 'c'\n"), "{less}");
        assert_eq!(less.lines().count(), source.lines().count());
        let words: String = less.split_whitespace().collect();
        assert!(words.starts_with("a=f(x,y)b=[0x0,]"), "{words}");
        let names: String = (0..100).map(|n| format!("{n}.html,")).collect();
        let binary = format!("\0[{numbers}]");
        for other in ["", ",", ",1", "f(1, 2, 3)", &names, &binary] {
            assert_eq!(without_numbers(other.into()), other.as_bytes());
        }
    }

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
