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
/// Texts are compared by words and numbers; what is no text byte by byte where the originals have one length, else by the words in
/// it and the bytes between them. Where the originals fail that comparison among themselves (a list in random order), `got` must
/// share as many words with one of them as they share with each other.
pub(super) fn matches(sample: &[u8], others: &[&[u8]], got: &[u8]) -> bool {
    if got == sample || others.contains(&got) {
        return true;
    }
    if others.is_empty() {
        return false;
    }
    masked(sample, others, got) || (is_unpredictable(sample, others) && is_near(sample, others, got))
}

/// Returns whether `got` differs from `sample` in masked places alone.
fn masked(sample: &[u8], others: &[&[u8]], got: &[u8]) -> bool {
    let texts: Option<Vec<&str>> = others.iter().map(|other| text(other)).collect();
    match (text(sample), texts, text(got)) {
        (Some(sample), Some(others), Some(got)) => {
            // Texts too long to be told apart by words are told apart by lines.
            let by_words = tokens_match(sample, &others, got, tokens);
            by_words.or_else(|| tokens_match(sample, &others, got, lines)) == Some(true)
        }
        _ if others.iter().all(|other| other.len() == sample.len()) => bytes_match(sample, others, got),
        _ => tokens_match(sample, others, got, fields) == Some(true),
    }
}

/// Returns whether one of three originals or more would not pass for the others.
fn is_unpredictable(sample: &[u8], others: &[&[u8]]) -> bool {
    others.len() > 1
        && (0..others.len()).any(|index| {
            let mut rest = others.to_vec();
            let other = rest.remove(index);
            other != sample && !rest.contains(&other) && !masked(sample, &rest, other)
        })
}

/// The part of the words that originals share which `got` must share with one of them. They are few, so that their own distance is
/// known no better.
const NEAR: f64 = 0.95;

/// Returns whether `got` shares as many words with one of the originals as those share with each other, whatever their order.
fn is_near(sample: &[u8], others: &[&[u8]], got: &[u8]) -> bool {
    let count = |bytes| {
        let mut count: HashMap<&[u8], usize> = HashMap::new();
        for field in fields(bytes) {
            *count.entry(field).or_default() += 1;
        }
        count
    };
    let originals: Vec<_> = std::iter::once(sample)
        .chain(others.iter().copied())
        .map(count)
        .collect();
    let got = count(got);
    let farthest = (0..originals.len())
        .flat_map(|at| (0..at).map(move |before| (at, before)))
        .map(|(a, b)| shared(&originals[a], &originals[b]))
        .fold(1.0, f64::min);
    originals
        .iter()
        .any(|original| shared(original, &got) >= farthest * NEAR)
}

/// Returns the share of the words of two texts that both have, from 0 to 1.
fn shared(a: &HashMap<&[u8], usize>, b: &HashMap<&[u8], usize>) -> f64 {
    let both: usize = a
        .iter()
        .map(|(word, count)| (*count).min(b.get(word).copied().unwrap_or_default()))
        .sum();
    let all: usize = a.values().sum::<usize>() + b.values().sum::<usize>();
    (2 * both) as f64 / all.max(1) as f64
}

/// Returns the bytes as a text, if they are one.
fn text(bytes: &[u8]) -> Option<&str> {
    let is_text = |text: &&str| {
        !text
            .chars()
            .any(|c| c.is_control() && !c.is_ascii_whitespace() && c != '\x1b')
    };
    std::str::from_utf8(bytes).ok().filter(is_text)
}

/// Bytes between two that vary belong to the same field if they are at most this many: of a random number or a time, some bytes
/// are alike by chance.
const FIELD_GAP: usize = 3;

fn bytes_match(sample: &[u8], others: &[&[u8]], got: &[u8]) -> bool {
    if got.len() != sample.len() {
        return false;
    }
    let varies: Vec<bool> = (0..sample.len())
        .map(|at| others.iter().any(|other| other[at] != sample[at]))
        .collect();
    let mut masked = varies.clone();
    let mut last: Option<usize> = None;
    for at in (0..sample.len()).filter(|at| varies[*at]) {
        let from = last.filter(|last| at - last <= FIELD_GAP + 1).unwrap_or(at);
        masked[from..=at].fill(true);
        last = Some(at);
    }
    // A word that varies for the most part (a random host name) varies in all of its letters.
    let mut start = 0;
    for field in fields(sample) {
        let place = start..start + field.len();
        if varies[place.clone()].iter().filter(|varies| **varies).count() * 2 > field.len() {
            masked[place].fill(true);
        }
        start += field.len();
    }
    (0..sample.len()).all(|at| masked[at] || got[at] == sample[at])
}

/// None if there are too many tokens to tell.
fn tokens_match<'a, T: ?Sized>(
    sample: &'a T,
    others: &[&'a T],
    got: &'a T,
    split: fn(&'a T) -> Vec<&'a [u8]>,
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
    sample: &'a [&'a [u8]],
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
    fn of(tokens: &[&[u8]]) -> Self {
        let mut shape = Self::default();
        for token in tokens {
            let has = |test: fn(&u8) -> bool| token.iter().any(test);
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
    fn new(sample: &'a [&'a [u8]]) -> Self {
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
    fn add(&mut self, other: &[&[u8]]) -> Option<()> {
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

    fn accepts(&self, got: &[&[u8]]) -> Option<bool> {
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
fn differences(old: &[&[u8]], new: &[&[u8]]) -> Option<Vec<DiffOp>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let both = old[start..].iter().rev().zip(new[start..].iter().rev());
    let end = both.take_while(|(a, b)| a == b).count();
    if old.len().max(new.len()) - start - end > MOST_TOKENS {
        return None;
    }
    Some(capture_diff_slices(Algorithm::Myers, old, new))
}

fn lines(text: &str) -> Vec<&[u8]> {
    text.split_inclusive('\n').map(str::as_bytes).collect()
}

/// The words and marks of the printable parts, and every other byte by itself.
fn fields(bytes: &[u8]) -> Vec<&[u8]> {
    let printable = |byte: &u8| (b' '..=b'~').contains(byte);
    let parts = bytes.chunk_by(|a, b| printable(a) && printable(b));
    let of_part = |part| match std::str::from_utf8(part) {
        Ok(text) => tokens(text),
        Err(_) => vec![part],
    };
    parts.flat_map(of_part).collect()
}

/// Words and numbers with what joins them (`2026-11-25T01:02:03Z`, `127.0.0.1:8080`, a UUID), and every other character
/// by itself.
fn tokens(text: &str) -> Vec<&[u8]> {
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
        tokens.push(&text.as_bytes()[start..end]);
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

    fn words(text: &str) -> Vec<&str> {
        let all = tokens(text).into_iter();
        all.map(|token| std::str::from_utf8(token).unwrap()).collect()
    }

    #[test]
    fn dates_numbers_and_ids_are_one_token_each() {
        assert_eq!(
            words("at 2026-11-25T01:02:03Z, id=a1-b2 [7]"),
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
            words("a: b. 127.0.0.1:80"),
            ["a", ":", " ", "b", ".", " ", "127.0.0.1:80"]
        );
        assert_eq!(words("..x"), [".", ".", "x"]);
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
    fn a_list_in_random_order_is_compared_by_its_words() {
        let list = |names: &[&str]| {
            let rows = names.iter().enumerate();
            rows.map(|(index, name)| format!("<task><name>{name}</name><refs>{}</refs></task>\n", index % 3))
                .collect::<String>()
        };
        let originals = [
            list(&["pool", "zone of two", "load", "dump", "pool", "pool"]),
            list(&["zone of two", "pool", "pool", "pool", "load", "dump x"]),
            list(&["dump", "zone of two", "pool", "load", "pool", "zone"]),
        ];
        let others = [originals[1].as_str(), &originals[2]];
        let good = list(&["load", "pool", "pool", "pool", "zone of two", "dump y"]);
        assert!(same(&originals[0], &others, &good));
        assert!(
            !same(&originals[0], &others[..1], &good),
            "two originals do not show it"
        );
        for bad in [
            "",
            "<task></task>",
            "<error>no such file or directory: /etc/tasks</error>",
        ] {
            assert!(!same(&originals[0], &others, bad), "{bad}");
        }
        // What three originals agree about is not excused by what they do not.
        let fixed = "a b c d e f g h i j k l m n o p q r s t";
        let others = [fixed.replace('a', "x1"), fixed.replace('a', "y2")];
        let others = [others[0].as_str(), &others[1]];
        assert!(!same(fixed, &others, &fixed.replace("t", "u")));
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

    #[test]
    fn a_name_in_binary_may_be_of_another_length() {
        // A broker's greeting: its host name with a length before it.
        let greeting = |name: &str, version: &str| {
            let mut bytes = b"\x01\x00\x0a\x0ccluster_nameS\x00\x00\x00".to_vec();
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b"\x07versionS\x00\x00\x00");
            bytes.push(version.len() as u8);
            bytes.extend_from_slice(version.as_bytes());
            bytes.push(0xce);
            bytes
        };
        let sample = greeting("rabbit@3f2a9c", "3.10.8");
        let other = greeting("rabbit@77b10e44", "3.10.8");
        let same = |got: &[u8]| matches(&sample, &[&other], got);
        assert!(same(&greeting("rabbit@00aa11", "3.10.8")));
        assert!(same(&greeting("rabbit@00aa11f", "3.10.8")));
        assert!(!same(&greeting("rabbit@00aa11", "3.10.9")));
        assert!(!same(&greeting("rabbit@00aa11f", "3.10.9")));
        assert!(!same(&sample[..sample.len() - 1]));
        assert!(!matches(&sample, &[], &other));
    }

    #[test]
    fn a_random_name_varies_in_all_of_its_letters() {
        // The first letter and the last are the same by chance.
        let (sample, other) = (b"\xceSrabbit@464e824ffc8f\x00", b"\xceSrabbit@4b70e3412d9f\x00");
        assert!(matches(sample, &[other], b"\xceSrabbit@bbc4fc62a877\x00"));
        assert!(!matches(sample, &[other], b"\xceSrabbot@bbc4fc62a877\x00"));
    }

    #[test]
    fn bytes_that_are_alike_by_chance_are_of_their_field() {
        // Random bytes of which the third is the same in two originals, and a byte far from them that never varies.
        let (sample, other) = (
            b"\x00\x81\x92\x55\xa4\xb5\0\0\0\0\x07",
            b"\x00\x11\x22\x55\x34\x45\0\0\0\0\x07",
        );
        assert!(matches(sample, &[other], b"\x00\x61\x72\x83\x94\xa5\0\0\0\0\x07"));
        assert!(!matches(
            sample,
            &[other],
            b"\x01\x61\x72\x83\x94\xa5\0\0\0\0\x07"
        ));
        assert!(!matches(
            sample,
            &[other],
            b"\x00\x61\x72\x83\x94\xa5\0\0\0\0\x08"
        ));
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
