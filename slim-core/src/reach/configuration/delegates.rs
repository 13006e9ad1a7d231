//! Programs that ImageMagick and GraphicsMagick start for formats which they cannot read or write themselves: `delegates.xml`,
//! `delegates.mgk`.

use std::borrow::Cow;

use super::directive::MAX_DIRECTIVES;
use crate::path::RootPath;
use crate::reach::bytes::contains;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::Needs;

/// Characters that XML has names for, as they stand in an attribute.
const ESCAPED: [(&str, &str); 5] = [
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&amp;", "&"),
];

/// Returns whether `path` is a table of delegates.
pub(super) fn matches_path(path: &RootPath) -> bool {
    matches!(path.name(), Some(b"delegates.xml" | b"delegates.mgk"))
        && path.components().any(|name| contains(name, b"Magick"))
}

/// Keeps the programs of the commands that delegates name, as far as the image has them.
pub(super) fn follow_directives(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    path: &RootPath,
    source: &[u8],
) {
    for (index, line) in source.split(|&b| b == b'\n').enumerate().take(MAX_DIRECTIVES) {
        let line = String::from_utf8_lossy(line.trim_ascii());
        let command = line
            .strip_prefix("<delegate ")
            .and_then(|line| line.split_once(" command="))
            .and_then(|(_, value)| {
                let quote = value.chars().next().filter(|quote| "\"'".contains(*quote))?;
                value[1..].split(quote).next()
            });
        if let Some(command) = command {
            let mut command = Cow::Borrowed(command);
            for (escaped, character) in ESCAPED {
                if command.contains(escaped) {
                    command = command.replace(escaped, character).into();
                }
            }
            context.keep_line(needs, command.as_bytes(), Place::on_line(path, index + 1));
        }
    }
}
