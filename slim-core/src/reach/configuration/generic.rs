//! Any other configuration: the absolute paths that it names.

use super::directive::is_below_any;
use crate::path::RootPath;
use crate::reach::application_directory;
use crate::reach::context::Context;
use crate::reach::tables::Tables;

/// Returns whether `path` is read for absolute paths: by its extension below `/etc` or where an application stands, and
/// without one below `/etc`.
pub(super) fn matches_path(context: &Context<'_>, path: &RootPath) -> bool {
    let table = &Tables::built_in().configuration;
    let etc = path.starts_with(&RootPath::new("/etc")) || path.starts_with(&RootPath::new("/usr/local/etc"));
    let known = match path.extension() {
        Some(extension) => table.extensions.iter().any(|known| known.as_bytes() == extension),
        None => etc || path.name() == Some(b".env"),
    };
    known
        && !is_below_any(&table.ignored, path)
        && (etc || application_directory::may_be_own_file(context, path))
}
