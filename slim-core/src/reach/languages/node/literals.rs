//! Names in a source that cannot be parsed: bundles are larger than a parser is given, and name what was left outside them.

use memchr::memmem::Finder;

/// The longest name.
const MAX_NAME: usize = 256;

/// How the source treats a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It loads or finds the module.
    Module,
    /// It is a place beside the source (`new URL(…, import.meta.url)`, `new Worker(…)`).
    Place,
    /// It is a path from the source itself (`path.join(import.meta.url, "../…")`).
    Beside,
}

/// Words before a name in quotation marks.
const WORDS: [(&[u8], Named); 10] = [
    (b"require(", Named::Module),
    (b"require.resolve(", Named::Module),
    (b"import(", Named::Module),
    (b"from", Named::Module),
    (b"import", Named::Module),
    (b"new URL(", Named::Place),
    (b"__dirname,", Named::Place),
    (b"__dirname+", Named::Place),
    (b"__dirname +", Named::Place),
    (b"import.meta.url,", Named::Beside),
];

/// Returns the names in quotation marks behind `require(`, `import(`, `from`, `import`, `new URL(`, `new Worker(` and the source's own
/// place, each with the byte that it begins at, in the order of the words.
pub(super) fn names(source: &[u8]) -> Vec<(usize, Named, &[u8])> {
    let workers = [(&b"Worker("[..], Named::Place)];
    let mut found = Vec::new();
    for (word, named) in WORDS.into_iter().chain(workers) {
        for at in Finder::new(word).find_iter(source) {
            let before = at.checked_sub(1).and_then(|before| source.get(before));
            if before.is_some_and(|byte| byte.is_ascii_alphanumeric() && word != b"Worker(") {
                continue;
            }
            let after = at + word.len();
            let Some(rest) = source.get(after..) else { continue };
            let blank = rest
                .iter()
                .take(8)
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
            let Some(&quote @ (b'"' | b'\'' | b'`')) = rest.get(blank) else {
                continue;
            };
            let text = &rest[blank + 1..];
            let Some(end) = memchr::memchr(quote, &text[..text.len().min(MAX_NAME)]) else {
                continue;
            };
            let mut text = &text[..end];
            if named == Named::Beside {
                let Some(inside) = text.strip_prefix(b"../") else {
                    continue;
                };
                text = inside;
            } else if word.starts_with(b"__dirname") {
                text = text.strip_prefix(b"/").unwrap_or(text);
            }
            if !text.is_empty() && !text.iter().any(|byte| matches!(byte, b'\\' | b'$' | b'\n' | 0)) {
                found.push((after, named, text));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_behind_words_and_in_quotation_marks() {
        let source = b"a=require(\"one\");b=import('two');import{x}from\"./three.js\";import \"four\";\
            new URL(\"./five.wasm\",import.meta.url);new Worker(`./six.js`);required(\"no\");require(name);\
            require(`${x}`);c=require.resolve('seven');join(__dirname,'eight.ttf');__dirname + \"/nine.wasm\";\
            join(import.meta.url,'../ten.bin');import(\"";
        let mut found: Vec<&str> = names(source)
            .into_iter()
            .map(|(_, _, name)| std::str::from_utf8(name).unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "./five.wasm",
                "./six.js",
                "./three.js",
                "eight.ttf",
                "four",
                "nine.wasm",
                "one",
                "seven",
                "ten.bin",
                "two"
            ]
        );
    }
}
