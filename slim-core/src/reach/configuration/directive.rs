//! Values of directives: the files, directories and includes that they name.

use globset::GlobBuilder;

use crate::image::{LastLink, Outcome, PATH_MAX, Rootfs};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::Needs;
use crate::reach::served_directory;

/// The largest number of bytes of a configuration file that are read: more is data.
pub(super) const MAX_FILE: u64 = 1 << 20;
/// The largest number of files that one wildcard brings.
pub(super) const MAX_MATCHES: usize = 1000;
/// The largest number of directives of one file that are followed.
pub(super) const MAX_DIRECTIVES: usize = 5000;

/// Returns whether `name` is one of the path's names.
pub(super) fn has_component(path: &RootPath, name: &[u8]) -> bool {
    path.components().any(|component| component == name)
}

/// Returns whether one of `paths` is `path` or stands above it.
pub(super) fn is_below_any(paths: &[String], path: &RootPath) -> bool {
    paths.iter().any(|above| path.starts_with(&RootPath::new(above)))
}

/// Keeps the file or directory `value` of a directive as an entry, seen from the first of `bases` that
/// has it. What is missing everywhere keeps the directory that it would come to stand in below the first.
pub(super) fn keep_named(needs: &mut Needs<'_>, bases: &[RootPath], value: &[u8], place: Place<'_>) {
    if value.is_empty() || value.len() > PATH_MAX || value.contains(&b'$') {
        return;
    }
    let cause = place.cause(EdgeKind::Literal, &encode(value));
    let rootfs = needs.rootfs();
    let mut resolved = bases
        .iter()
        .map(|base| rootfs.resolve_from(base, value, LastLink::Follow));
    let found = resolved.find(|resolved| resolved.outcome == Outcome::Found);
    if let Some(found) = found {
        needs.follow(&found, &cause);
    } else if value.starts_with(b"/") {
        let missing = rootfs.resolve(&RootPath::new(value), LastLink::Follow);
        needs.follow(&missing, &cause);
    }
}

/// Keeps the directory `value` of a directive as an application's own; of one with variables, what stands before.
pub(super) fn keep_served(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    bases: &[RootPath],
    value: &[u8],
    place: Place<'_>,
) {
    let literal = match value.iter().position(|&b| b == b'$') {
        Some(at) => {
            let slash = value[..at].iter().rposition(|&b| b == b'/').unwrap_or(0);
            &value[..slash]
        }
        None => value,
    };
    if literal.is_empty() || literal.len() > PATH_MAX {
        return;
    }
    keep_named(needs, bases, literal, place);
    let mut found = bases
        .iter()
        .filter_map(|base| context.find_directory(base, literal));
    if let Some(directory) = found.next() {
        let cause = place.cause(EdgeKind::Literal, &encode(value));
        served_directory::keep(context, needs, &directory.path, &cause);
    }
}

/// Keeps the files of an include of `pattern`, with the wildcards of `glob(3)`, seen from `base`.
pub(super) fn keep_included(needs: &mut Needs<'_>, base: &RootPath, pattern: &[u8], place: Place<'_>) {
    let cause = place.cause(EdgeKind::Literal, &encode(pattern));
    let rootfs = needs.rootfs();
    let matches = expand_pattern(rootfs, base, pattern);
    for path in matches {
        let resolved = rootfs.resolve(&path, LastLink::Follow);
        if resolved.outcome == Outcome::Found {
            needs.follow(&resolved, &cause);
        }
    }
    // A directory without a match goes on being there and empty.
    let wild = pattern
        .iter()
        .position(|b| b"*?[".contains(b))
        .unwrap_or(pattern.len());
    if let Some(slash) = pattern[..wild].iter().rposition(|&b| b == b'/') {
        keep_named(needs, std::slice::from_ref(base), &pattern[..=slash], place);
    }
}

/// The paths that `pattern` matches from `base`: sorted, at most [`MAX_MATCHES`], hidden ones only for a pattern that
/// begins with a dot.
fn expand_pattern(rootfs: &Rootfs, base: &RootPath, pattern: &[u8]) -> Vec<RootPath> {
    if pattern.len() > PATH_MAX {
        return Vec::new();
    }
    let start = if pattern.starts_with(b"/") {
        RootPath::root()
    } else {
        base.clone()
    };
    let mut paths = vec![start];
    for name in pattern.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
        // A pattern may have thousands of names, and each costs a machine of its own.
        if paths.is_empty() {
            return paths;
        }
        if !name.iter().any(|b| b"*?[".contains(b)) {
            paths = paths.iter().map(|path| path.child(name)).collect();
            continue;
        }
        let Some(glob) = std::str::from_utf8(name)
            .ok()
            .and_then(|name| GlobBuilder::new(name).literal_separator(true).build().ok())
        else {
            return Vec::new();
        };
        let matcher = glob.compile_matcher();
        let hidden = name.starts_with(b".");
        let mut next = Vec::new();
        for path in &paths {
            let directory = rootfs.resolve(path, LastLink::Follow);
            let names = rootfs
                .children(&directory.path)
                .filter_map(|(child, _)| child.name());
            let matching = names
                .filter(|name| hidden || !name.starts_with(b"."))
                .filter(|name| std::str::from_utf8(name).is_ok_and(|name| matcher.is_match(name)));
            next.extend(
                matching
                    .take(MAX_MATCHES - next.len())
                    .map(|name| path.child(name)),
            );
            if next.len() == MAX_MATCHES {
                break;
            }
        }
        paths = next;
    }
    paths
}
