//! The encoding of values in URLs, headers and forms.

use std::fmt::Write as _;

use serde_json::Value;

/// Separates the parts of a form; the same each time, so that requests are.
const BOUNDARY: &str = "slim-probe-7d1f0c5a";

/// Returns a value as text: strings without quotes, others as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a value as one text (the style "simple"): lists and objects joined.
pub(super) fn join(value: &Value, separator: &str) -> String {
    match value {
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(separator),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| format!("{key}{separator}{}", text(value)))
            .collect::<Vec<_>>()
            .join(separator),
        other => text(other),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Returns the text without control characters, which a header's value cannot have.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A field of a form.
pub(super) struct FormField {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) is_file: bool,
}

/// The encoding of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FormEncoding {
    /// `application/x-www-form-urlencoded`.
    Url,
    /// `multipart/form-data`.
    Multipart,
}

/// Returns a form's type and bytes.
pub(super) fn encode_form(fields: &[FormField], encoding: FormEncoding) -> (String, Vec<u8>) {
    if encoding == FormEncoding::Url {
        let pairs: Vec<String> = fields
            .iter()
            .map(|field| format!("{}={}", encode(&field.name), encode(&join(&field.value, ","))))
            .collect();
        return (
            "application/x-www-form-urlencoded".into(),
            pairs.join("&").into_bytes(),
        );
    }
    let mut body = String::new();
    for field in fields {
        let name = printable(&field.name).replace('"', "%22");
        let file = if field.is_file {
            "; filename=\"slim.txt\"\r\ncontent-type: text/plain"
        } else {
            ""
        };
        let _ = write!(
            body,
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{}\r\n",
            text(&field.value)
        );
    }
    let _ = write!(body, "--{BOUNDARY}--\r\n");
    (
        format!("multipart/form-data; boundary={BOUNDARY}"),
        body.into_bytes(),
    )
}
