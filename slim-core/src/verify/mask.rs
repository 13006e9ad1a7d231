//! Comparison of a text with a sample, without the places in which other samples of the same original differ.
//!
//! Times, random ids, host names and ports change from one run of an original to the next. What two runs of it answer
//! shows where: those places are masked, and only those. What stands in a masked place must still look like what the
//! originals had there, so that an error message does not pass for a number.

use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices};

/// Beyond this many tokens that differ, whole lines are compared instead.
const MOST_TOKENS: usize = 20_000;

/// Returns whether `got` is `sample` but for the places in which one of `others` differs from `sample`.
///
/// Texts are compared by words and numbers, everything else byte by byte at equal lengths.
pub(super) fn matches(sample: &[u8], others: &[&[u8]], got: &[u8]) -> bool {
    if got == sample || others.contains(&got) {
        return true;
    }
    let texts: Option<Vec<&str>> = others
        .iter()
        .map(|other| std::str::from_utf8(other).ok())
        .collect();
    match (std::str::from_utf8(sample), texts, std::str::from_utf8(got)) {
        (Ok(sample), Some(others), Ok(got)) => {
            // Texts too long to be told apart by words are told apart by lines.
            let by_words = text_matches(sample, &others, got, tokens);
            by_words.or_else(|| text_matches(sample, &others, got, lines)) == Some(true)
        }
        (Err(_), _, _) => bytes_match(sample, others, got),
        _ => false,
    }
}

fn bytes_match(sample: &[u8], others: &[&[u8]], got: &[u8]) -> bool {
    let alike = |other: &&[u8]| other.len() == sample.len();
    alike(&got)
        && others.iter().all(alike)
        && (0..sample.len())
            .all(|at| got[at] == sample[at] || others.iter().any(|other| other[at] != sample[at]))
}

/// None if there are too many tokens to tell.
fn text_matches<'a>(
    sample: &'a str,
    others: &[&'a str],
    got: &'a str,
    split: fn(&'a str) -> Vec<&'a str>,
) -> Option<bool> {
    let sample = split(sample);
    let mut mask = Mask::new(&sample);
    for other in others {
        mask.add(&split(other))?;
    }
    mask.accepts(&split(got))
}

/// The places of a sample that vary.
struct Mask<'a> {
    sample: &'a [&'a str],
    /// Accepted shapes in the place of each token: none where it does not vary.
    places: Vec<Option<Shape>>,
    /// Accepted shapes before each token, and behind the last one.
    gaps: HashMap<usize, Shape>,
    /// True if every other sample has as many tokens.
    aligned: bool,
}

/// The samples' texts in a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// Words with letters.
    letters: bool,
    /// Numbers, dates and times.
    digits: bool,
    /// Characters that belong to no word.
    marks: bool,
    /// The length of all of it, in bytes.
    length: usize,
}

impl Shape {
    fn of(tokens: &[&str]) -> Self {
        let mut shape = Self::default();
        for token in tokens {
            let has = |test: fn(&u8) -> bool| token.bytes().any(|byte| test(&byte));
            let letters = has(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
            let digits = has(u8::is_ascii_digit);
            shape.letters |= letters;
            shape.digits |= digits;
            shape.marks |= !letters && !digits;
            shape.length += token.len();
        }
        shape
    }

    fn or(self, other: Self) -> Self {
        Self {
            letters: self.letters || other.letters,
            digits: self.digits || other.digits,
            marks: self.marks || other.marks,
            length: self.length.max(other.length),
        }
    }

    /// Returns whether `other` is of the same kind and of a comparable length. A hexadecimal number may have letters or not.
    fn accepts(self, other: Self) -> bool {
        (self.letters || !other.letters)
            && (self.digits || self.letters || !other.digits)
            && (self.marks || !other.marks)
            && other.length <= self.length * 2 + 8
    }
}

impl<'a> Mask<'a> {
    fn new(sample: &'a [&'a str]) -> Self {
        Self {
            sample,
            places: vec![None; sample.len()],
            gaps: HashMap::new(),
            aligned: true,
        }
    }

    fn vary(&mut self, place: Range<usize>, shape: Shape) {
        for at in place {
            let own = Shape::of(&self.sample[at..=at]);
            let before = self.places[at].unwrap_or(own);
            self.places[at] = Some(before.or(shape));
        }
    }

    /// Masks what differs in another sample; none if there are too many tokens to tell.
    fn add(&mut self, other: &[&str]) -> Option<()> {
        if other.len() == self.sample.len() {
            for (at, token) in other.iter().enumerate() {
                if *token != self.sample[at] {
                    self.vary(at..at + 1, Shape::of(&[token]));
                }
            }
            return Some(());
        }
        self.aligned = false;
        for operation in differences(self.sample, other)? {
            let (tag, old, new) = operation.as_tag_tuple();
            let shape = Shape::of(&other[new]);
            match tag {
                DiffTag::Equal => {}
                DiffTag::Insert => {
                    let gap = self.gaps.entry(old.start).or_default();
                    *gap = gap.or(shape);
                }
                DiffTag::Delete | DiffTag::Replace => self.vary(old, shape),
            }
        }
        Some(())
    }

    fn accepts(&self, got: &[&str]) -> Option<bool> {
        if self.aligned && got.len() == self.sample.len() {
            let same = got.iter().enumerate().all(|(at, token)| {
                *token == self.sample[at]
                    || self.places[at].is_some_and(|shape| shape.accepts(Shape::of(&[token])))
            });
            return Some(same);
        }
        let operations = differences(self.sample, got)?;
        let same = operations.into_iter().all(|operation| {
            let (tag, old, new) = operation.as_tag_tuple();
            if tag == DiffTag::Equal {
                return true;
            }
            let shape = Shape::of(&got[new]);
            let places: Option<Vec<Shape>> = self.places[old.clone()].iter().copied().collect();
            let Some(places) = places else { return false };
            let mut allowed = places.into_iter().fold(Shape::default(), |all, place| Shape {
                length: all.length + place.length,
                ..all.or(place)
            });
            for edge in [old.start, old.end] {
                if let Some(gap) = self.gaps.get(&edge) {
                    allowed = allowed.or(*gap);
                } else if old.is_empty() {
                    return false;
                }
            }
            allowed.accepts(shape)
        });
        Some(same)
    }
}

/// Returns the edits that turn one list of tokens into the other; none if the middle, between what both begin and end with, is too long.
fn differences(old: &[&str], new: &[&str]) -> Option<Vec<DiffOp>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let both = old[start..].iter().rev().zip(new[start..].iter().rev());
    let end = both.take_while(|(a, b)| a == b).count();
    if old.len().max(new.len()) - start - end > MOST_TOKENS {
        return None;
    }
    Some(capture_diff_slices(Algorithm::Myers, old, new))
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Words and numbers with what joins them (`2026-11-25T01:02:03Z`, `127.0.0.1:8080`, a UUID), and every other character
/// by itself.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((start, first)) = characters.next() {
        let mut end = start + first.len_utf8();
        let mut last = first;
        while let Some(&(at, next)) = characters.peek() {
            let after = text[at + next.len_utf8()..].chars().next();
            let joins = last.is_alphanumeric()
                && match next {
                    ':' => last.is_ascii_digit() && after.is_some_and(|c| c.is_ascii_digit()),
                    '.' | '-' | '_' | '+' => after.is_some_and(char::is_alphanumeric),
                    _ => next.is_alphanumeric(),
                };
            let inside =
                next.is_alphanumeric() && matches!(last, ':' | '.' | '-' | '_' | '+') && end > start + 1;
            if !joins && !inside {
                break;
            }
            characters.next();
            end = at + next.len_utf8();
            last = next;
        }
        tokens.push(&text[start..end]);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(sample: &str, others: &[&str], got: &str) -> bool {
        let others: Vec<&[u8]> = others.iter().map(|other| other.as_bytes()).collect();
        matches(sample.as_bytes(), &others, got.as_bytes())
    }

    #[test]
    fn dates_numbers_and_ids_are_one_token_each() {
        assert_eq!(
            tokens("at 2026-11-25T01:02:03Z, id=a1-b2 [7]"),
            [
                "at",
                " ",
                "2026-11-25T01:02:03Z",
                ",",
                " ",
                "id",
                "=",
                "a1-b2",
                " ",
                "[",
                "7",
                "]"
            ]
        );
        assert_eq!(
            tokens("a: b. 127.0.0.1:80"),
            ["a", ":", " ", "b", ".", " ", "127.0.0.1:80"]
        );
        assert_eq!(tokens("..x"), [".", ".", "x"]);
    }

    #[test]
    fn what_varies_between_originals_may_vary() {
        let sample = r#"{"now":"2026-11-25 10:00:01","id":"3f2a9c","items":3}"#;
        let other = r#"{"now":"2026-11-25 10:00:05","id":"77b10e","items":3}"#;
        assert!(same(
            sample,
            &[other],
            r#"{"now":"2026-11-25 10:01:00","id":"00aa11","items":3}"#
        ));
        assert!(!same(
            sample,
            &[other],
            r#"{"now":"2026-11-25 10:01:00","id":"00aa11","items":4}"#
        ));
    }

    #[test]
    fn nothing_varies_without_another_sample() {
        assert!(!same("at 10:00:01", &[], "at 10:00:02"));
        assert!(!same("at 10:00:01", &["at 10:00:01"], "at 10:00:02"));
    }

    #[test]
    fn an_error_is_no_number() {
        assert!(same("load 17", &["load 23"], "load 9"));
        assert!(!same("load 17", &["load 23"], "load unknown"));
        assert!(!same("load 17", &["load 23"], "load 170000000000000000"));
        assert!(!same("load 17", &["load 23"], "Internal Server Error"));
    }

    #[test]
    fn what_comes_and_goes_may_come_and_go() {
        let (short, long) = ("peers: a1\nend\n", "peers: a1, b2, c3\nend\n");
        assert!(same(short, &[long], "peers: a1, d4\nend\n"));
        assert!(same(long, &[short], "peers: a1, b2\nend\n"));
        assert!(!same(short, &[long], "peers: a1\nfin\n"));
    }

    #[test]
    fn bytes_vary_in_their_places_only() {
        assert!(matches(b"\xff1abc", &[b"\xff2abc"], b"\xff3abc"));
        assert!(!matches(b"\xff1abc", &[b"\xff2abc"], b"\xff3abd"));
        assert!(!matches(b"\xff1abc", &[b"\xff2abc"], b"\xff33abc"));
    }

    proptest::proptest! {
        #[test]
        fn a_sample_matches_itself_and_every_other_one(sample in ".{0,80}", other in ".{0,80}") {
            assert!(same(&sample, &[&other], &sample));
            assert!(same(&sample, &[&other], &other));
        }

        #[test]
        fn equal_originals_mask_nothing(sample in "[a-z0-9 :.-]{0,60}", got in "[a-z0-9 :.-]{0,60}") {
            assert_eq!(same(&sample, &[&sample], &got), sample == got);
        }
    }
}
