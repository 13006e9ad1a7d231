//! Absolute paths named in kept sources, scripts and configuration.

use super::context::{Context, Place};
use super::graph::Needs;
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;

/// `path` is named at `place`: keeps the file that stands there, or the application's own directory.
pub(super) fn named(context: &Context<'_>, needs: &mut Needs<'_>, path: &[u8], place: Place<'_>) {
    if !path.starts_with(b"/") {
        return;
    }
    let cause = place.cause(EdgeKind::Literal, &encode(path));
    let root = RootPath::root();
    if let Some(file) = context.file(&root, path) {
        needs.follow(&file, &cause);
    } else if let Some(directory) = context.directory(&root, path) {
        context.own_directory(needs, &directory.path, &cause);
    }
}
