//! Walks over the image's directories, downwards and upwards.

use crate::image::{Entry, Rootfs};
use crate::path::RootPath;

/// Number of entries that one walk returns at most, where nothing else bounds it.
pub(super) const MAX_ENTRIES: usize = 20_000;

/// Returns up to `limit` entries below `directory`, sorted within each directory; an entry that `accept` refuses is
/// left out, with everything below it.
pub(super) fn walk<'a>(
    rootfs: &'a Rootfs,
    directory: &RootPath,
    limit: usize,
    mut accept: impl FnMut(&RootPath, &Entry) -> bool,
) -> Vec<(&'a RootPath, &'a Entry)> {
    let mut found = Vec::new();
    let mut todo = vec![directory.clone()];
    while let Some(directory) = todo.pop() {
        for (path, entry) in rootfs.children(&directory) {
            if found.len() == limit {
                return found;
            }
            if !accept(path, entry) {
                continue;
            }
            if entry.is_dir() {
                todo.push(path.clone());
            }
            found.push((path, entry));
        }
    }
    found
}

/// Returns `path` and the directories above it, nearest first.
pub(super) fn with_ancestors(path: &RootPath) -> impl Iterator<Item = RootPath> {
    std::iter::once(path.clone()).chain(path.ancestors())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::memory::tree;

    #[test]
    fn a_walk_is_bounded_and_stays_out_of_what_is_refused() {
        let rootfs = tree(&[("/a/b/1", b""), ("/a/c/2", b""), ("/a/3", b""), ("/d", b"")]);
        let paths = |limit: usize| -> Vec<String> {
            let found = walk(&rootfs, &"/a".into(), limit, |path, _| path.name() != Some(b"b"));
            found.iter().map(|(path, _)| path.to_string()).collect()
        };
        assert_eq!(paths(10), ["/a/3", "/a/c", "/a/c/2"]);
        assert_eq!(paths(2), ["/a/3", "/a/c"]);
    }
}
