//! Any other configuration: the absolute paths that it names.

use super::{MAX_PATH, application, listed};
use crate::path::RootPath;
use crate::reach::context::{Context, Place};
use crate::reach::graph::Needs;
use crate::reach::tables::Tables;

/// As many paths of one file as are looked up.
const MAX_LITERALS: usize = 2000;

/// Whether `path` is read for absolute paths: by its extension below `/etc` or where an application stands, and
/// without one below `/etc`.
pub(super) fn is(context: &Context<'_>, path: &RootPath) -> bool {
    let table = &Tables::built_in().configuration;
    let etc = path.starts_with(&RootPath::new("/etc")) || path.starts_with(&RootPath::new("/usr/local/etc"));
    let known = match path.extension() {
        Some(extension) => table.extensions.iter().any(|known| known.as_bytes() == extension),
        None => etc || path.name() == Some(b".env"),
    };
    known && !listed(&table.ignored, path) && (etc || application(context, path))
}

/// Looks up the absolute paths of at least two names that stand as words in `source`, comments left out.
pub(super) fn follow(context: &Context<'_>, needs: &mut Needs<'_>, path: &RootPath, source: &[u8]) {
    let mut literals = 0;
    for (index, line) in source.split(|&b| b == b'\n').enumerate() {
        let line = line.trim_ascii_start();
        if [&b"#"[..], b";", b"//", b"<!--"]
            .iter()
            .any(|mark| line.starts_with(mark))
        {
            continue;
        }
        for word in line.split(|b| b.is_ascii_whitespace() || b"\"'`=,;:()<>[]{}|".contains(b)) {
            // Behind `http:` stands a host.
            let host = word.starts_with(b"//") && !word.starts_with(b"///");
            if !word.starts_with(b"/") || host || word.len() > MAX_PATH {
                continue;
            }
            if RootPath::new(word).components().nth(1).is_some() {
                context.literal(needs, word, Place::at(path, index + 1));
                literals += 1;
                if literals == MAX_LITERALS {
                    return;
                }
            }
        }
    }
}
