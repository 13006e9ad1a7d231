//! Any other configuration: the absolute paths that it names.

use super::directive::is_below_any;
use crate::path::RootPath;
use crate::reach::application_directory;
use crate::reach::context::Context;
use crate::reach::tables::Tables;

/// Returns whether `path` is read for absolute paths: by its extension where an application stands, and below `/etc`
/// whatever its extension, but those of sources, certificates and what is for people to read.
pub(super) fn matches_path(context: &Context<'_>, path: &RootPath) -> bool {
    let table = &Tables::built_in().configuration;
    let etc = path.starts_with(&RootPath::new("/etc")) || path.starts_with(&RootPath::new("/usr/local/etc"));
    let is_one_of = |extensions: &[String], extension: &[u8]| {
        extensions.iter().any(|known| known.as_bytes() == extension)
    };
    let known = match path.extension() {
        Some(extension) if etc => !is_one_of(&table.other_extensions, extension),
        Some(extension) => is_one_of(&table.extensions, extension),
        None => etc || path.name() == Some(b".env"),
    };
    known
        && !is_below_any(&table.ignored, path)
        && (etc || application_directory::may_be_own_file(context, path))
}
