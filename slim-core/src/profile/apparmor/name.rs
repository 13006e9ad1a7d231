//! Names that will be others next time: what of a created name is evidently a number, a digest or random.

use super::rule::{Glob, Pattern};

/// `name` with everything that will differ next time as a glob; none if nothing in it says that it will.
pub(super) fn changing(name: &[u8]) -> Option<Pattern> {
    if is_uuid(name) {
        return Some(Pattern::default().glob(Glob::Hex));
    }
    // What tempfile and mktemp make by default: `tmpa1b2c3d4`, `tmp.AbCdEfGhIj`.
    if name.len() >= 7 && name.starts_with(b"tmp") {
        return Some(Pattern::exact(b"tmp").glob(Glob::Name));
    }
    let words = words(name);
    // `17`, `17.txt`: numbered things.
    let numbered = words
        .first()
        .is_some_and(|word| word.len() < name.len() && name.get(word.len()) == Some(&b'.'))
        || words.len() == 1;
    let mut pattern = Pattern::default();
    let mut changes = false;
    for (number, word) in words.into_iter().enumerate() {
        match variable(word, numbered && number == 0) {
            Some(glob) => {
                pattern = pattern.glob(glob);
                changes = true;
            }
            None => pattern = pattern.text(word),
        }
    }
    changes.then_some(pattern)
}

/// Returns whether a name is a part of a digest, as directories are named after its first letters.
pub(super) fn is_digest_part(name: &[u8]) -> bool {
    name.len() <= 2 && !name.is_empty() && name.iter().all(u8::is_ascii_hexdigit)
}

/// Returns whether a name, up to its extension, is a digest.
pub(super) fn is_digest(name: &[u8]) -> bool {
    let stem = name.split(|&b| b == b'.').next().unwrap_or_default();
    stem.len() >= 16 && stem.iter().all(u8::is_ascii_hexdigit)
}

/// The words of a name and what separates them, all of it in order.
fn words(name: &[u8]) -> Vec<&[u8]> {
    name.chunk_by(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric())
        .collect()
}

/// Returns the pattern for a word that will be another one; none if it stays.
fn variable(word: &[u8], numbered: bool) -> Option<Glob> {
    let all = |test: fn(&u8) -> bool| word.iter().all(test);
    if all(u8::is_ascii_digit) && (word.len() >= 4 || numbered) {
        return Some(Glob::Number);
    }
    if word.len() >= 8 && all(u8::is_ascii_hexdigit) && word.iter().any(u8::is_ascii_digit) {
        return Some(Glob::Hex);
    }
    if word.len() >= 6 && all(u8::is_ascii_alphanumeric) && is_random(word) {
        return Some(Glob::Name);
    }
    None
}

/// Returns whether letters and digits alternate as in no word (`Xy12Ab`, `aB3dEf`).
fn is_random(word: &[u8]) -> bool {
    let class = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let changes = word.windows(2).filter(|pair| class(&pair[0]) != class(&pair[1]));
    let digit_then_letter = word
        .windows(2)
        .any(|pair| pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic());
    changes.count() >= 3 || digit_then_letter
}

fn is_uuid(name: &[u8]) -> bool {
    name.len() == 36
        && name.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(name: &str) -> Option<String> {
        changing(name.as_bytes()).map(|pattern| pattern.quoted())
    }

    #[test]
    fn names_that_will_be_others_are_told_from_those_that_stay() {
        for (name, expected) in [
            ("app.Xy12Ab", "app.*"),
            ("tmpk3_x9ab1", "tmp*"),
            ("tmpabcdwxyz", "tmp*"),
            ("0000000001", "[0-9]*"),
            ("17.txt", "[0-9]*.txt"),
            ("worker-20261125.log", "worker-[0-9]*.log"),
            ("b7f54b2df7773722d382f4809d65029c", "[0-9a-fA-F]*"),
            ("0b6ad4ac-6a0a-4f0b-9d8a-1d2f3a4b5c6d", "[0-9a-fA-F]*"),
            ("sess_b7f54b2df777", "sess_[0-9a-fA-F]*"),
        ] {
            assert_eq!(pattern(name).as_deref(), Some(expected), "{name}");
        }
        for name in [
            "nginx.pid",
            "php8.2-fpm.sock",
            "access.log.1",
            "database.sqlite-journal",
            "config.json",
            "deadbeef",
            "Session1",
            "",
            "...",
        ] {
            assert_eq!(pattern(name), None, "{name}");
        }
    }
}
