//! Words of systemd's unit files.
//!
//! Source: systemd.syntax(7), systemd.unit(5) for specifiers.

/// `text` as one word of a setting that takes paths or names, which just means `text`; none if no word can: such
/// settings know no escapes for control characters.
pub(super) fn word(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Some(text.to_owned());
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            c => out.push(c),
        }
    }
    out.push('"');
    Some(out)
}

/// `text` as one word of a command line, which just means `text`.
pub(super) fn argument(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '$' => out.push_str("$$"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_themselves() {
        assert_eq!(word(b"/usr/bin/app"), Some("/usr/bin/app".into()));
        assert_eq!(word("/a b/ü\"%h\\".as_bytes()), Some(r#""/a b/ü\"%%h\\""#.into()));
        assert_eq!(word(b"/a\nb"), None);
        assert_eq!(word(b"/caf\xff"), None);
        assert_eq!(argument("$HOME\n%i"), r#""$$HOME\x0a%%i""#);
        assert_eq!(argument(""), "\"\"");
    }
}
