//! Text for POSIX shells.

use std::borrow::Cow;

/// `text` as one word of a shell's command line that means just `text`.
pub fn word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

/// `text` on one line, for a comment: control characters are escaped.
#[cfg(feature = "image")]
pub(crate) fn line(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped: Box<dyn Iterator<Item = char>> = if c.is_control() {
                Box::new(c.escape_default())
            } else {
                Box::new(std::iter::once(c))
            };
            escaped
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn through_a_shell(words: &[String]) -> Vec<u8> {
        let quoted: Vec<_> = words.iter().map(|w| word(w)).collect();
        let script = format!(r"printf '%s\0' {}", quoted.join(" "));
        Command::new("sh").arg("-c").arg(script).output().unwrap().stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_words_survive_a_shell(words in proptest::collection::vec("[^\\x00]*", 1..24)) {
            let expected: Vec<u8> = words.iter().flat_map(|w| w.bytes().chain([0])).collect();
            prop_assert_eq!(through_a_shell(&words), expected);
        }

        #[test]
        fn a_comment_stays_on_its_line(text in any::<String>()) {
            prop_assert!(!line(&text).contains(['\n', '\r']));
        }
    }

    #[test]
    fn simple_words_stay_readable() {
        assert_eq!(word("nginx:1.25"), "nginx:1.25");
        assert_eq!(word(""), "''");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word("~"), "'~'");
    }
}
