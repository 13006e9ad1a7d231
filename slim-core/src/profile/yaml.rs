//! Documents in YAML.

use serde_json::Value;

use crate::spec::shell::line;

/// A document: comments, then `value` in block style.
///
/// Strings that YAML 1.1 or 1.2 would take for something else are quoted. Keys are slim's own, never recorded text.
pub(super) fn document(comments: &[String], value: &Value) -> Vec<u8> {
    let mut out = comment(comments);
    out.push_str(&body(value));
    out.into_bytes()
}

/// Lines of comments.
pub(super) fn comment(comments: &[String]) -> String {
    comments
        .iter()
        .map(|comment| format!("# {}\n", line(comment)))
        .collect()
}

fn body(value: &Value) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut body =
        serde_saphyr::to_string_with_options(value, options).expect("a JSON value has a YAML form");
    if !body.ends_with('\n') {
        body.push('\n');
    }
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[-:#{}\\[\\],&*!|>'\"%@`?~ \n\t0-9a-e_.+]{0,12}",
            prop::sample::select(vec![
                "yes",
                "on",
                "null",
                "~",
                "1:30",
                "0o17",
                "1e3",
                "<<",
                "---",
                "2001-01-01"
            ])
            .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn any_text_survives(texts in prop::collection::vec(any_text(), 0..6), comment in any::<String>()) {
            let value = json!({"texts": texts, "nested": [{"text": texts.first()}]});
            let document = document(&[comment], &value);
            let read: Value = serde_saphyr::from_str(std::str::from_utf8(&document).unwrap()).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
