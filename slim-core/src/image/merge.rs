//! The merge of layers.
//!
//! Source: OCI image specification, "Image Layer Filesystem Changeset"; Linux `Documentation/filesystems/overlayfs.rst`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use super::{Entry, Kind};
use crate::path::RootPath;

/// The entries that a layer adds, and those that it hides.
///
/// An entry's `inode` is the layer's own numbering here, and every entry's parents are entries too.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The entries that it adds.
    pub(super) entries: BTreeMap<RootPath, Entry>,
    /// The directories that it implies by their content only: where a lower layer has one, that one's metadata stays.
    pub(super) implied: BTreeSet<RootPath>,
    /// The paths of lower layers that it removes (whiteouts).
    pub(super) hidden: BTreeSet<RootPath>,
    /// The directories whose content in lower layers it hides (opaque).
    pub(super) opaque: BTreeSet<RootPath>,
}

/// The merged entries, and for each `inode` number the layer and the number that it had there.
pub(super) struct Merged {
    pub(super) entries: BTreeMap<RootPath, Entry>,
    pub(super) origins: Vec<(usize, u64)>,
}

/// A root-owned directory (0755) of layer `layer`.
pub(super) fn directory(layer: usize, inode: u64) -> Entry {
    Entry {
        kind: Kind::Directory,
        uid: 0,
        gid: 0,
        mode: 0o755,
        mtime: 0,
        xattrs: BTreeMap::new(),
        inode,
        layer,
    }
}

/// Merges layers, lowest first. Inodes are numbered by the least path that leads to each, so that the numbers do not
/// tell where the index came from.
pub(super) fn merge(layers: Vec<Layer>) -> Merged {
    let mut entries = BTreeMap::new();
    for layer in layers {
        apply(&mut entries, layer);
    }
    let mut origins = Vec::new();
    let mut numbers = HashMap::new();
    for entry in entries.values_mut() {
        let origin = (entry.layer, entry.inode);
        entry.inode = *numbers.entry(origin).or_insert_with(|| {
            origins.push(origin);
            origins.len() as u64 - 1
        });
    }
    // Every layer's directory has a root, made by the storage when it unpacked the layer: neither its time nor its
    // layer is the image's.
    if let Some(root) = entries.get_mut(&RootPath::root()) {
        root.mtime = 0;
        root.layer = 0;
    }
    Merged { entries, origins }
}

fn apply(merged: &mut BTreeMap<RootPath, Entry>, layer: Layer) {
    if merged.is_empty() {
        *merged = layer.entries;
        return;
    }
    for path in &layer.hidden {
        remove_below(merged, path);
        merged.remove(path);
    }
    for path in &layer.opaque {
        remove_below(merged, path);
    }
    for (path, entry) in layer.entries {
        let covers_directory = merged.get(&path).is_some_and(Entry::is_dir);
        if covers_directory && entry.is_dir() && layer.implied.contains(&path) {
            continue;
        }
        if covers_directory && !entry.is_dir() {
            remove_below(merged, &path);
        }
        merged.insert(path, entry);
    }
}

/// Removes everything below `directory`.
pub(super) fn remove_below(entries: &mut BTreeMap<RootPath, Entry>, directory: &RootPath) {
    let gone: Vec<RootPath> = entries
        .range::<RootPath, _>((Bound::Excluded(directory), Bound::Unbounded))
        .map(|(path, _)| path)
        // "/a-b" sorts between "/a" and "/a/b".
        .take_while(|path| path.as_bytes().starts_with(directory.as_bytes()))
        .filter(|path| path.starts_with(directory))
        .cloned()
        .collect();
    for path in gone {
        entries.remove(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(number: usize, paths: &[&str]) -> Layer {
        let mut layer = Layer::default();
        for (inode, path) in paths.iter().enumerate() {
            let mut entry = directory(number, inode as u64);
            if !path.ends_with('/') {
                entry.kind = Kind::File { size: number as u64 };
            }
            layer.entries.insert(RootPath::new(path), entry);
        }
        layer
    }

    fn names(merged: &Merged) -> Vec<String> {
        merged
            .entries
            .iter()
            .map(|(path, entry)| format!("{path}@{}", entry.layer))
            .collect()
    }

    #[test]
    fn a_whiteout_hides_a_tree_but_not_its_longer_namesakes() {
        let low = layer(0, &["/", "/a/", "/a/b", "/a-b", "/a.c"]);
        let mut high = layer(1, &["/"]);
        high.hidden.insert("/a".into());
        assert_eq!(names(&merge(vec![low, high])), ["/@0", "/a-b@0", "/a.c@0"]);
    }

    #[test]
    fn an_opaque_directory_shows_its_own_layer_only() {
        let low = layer(0, &["/", "/a/", "/a/b", "/a/c"]);
        let mut high = layer(1, &["/", "/a/", "/a/c"]);
        high.opaque.insert("/a".into());
        assert_eq!(names(&merge(vec![low, high])), ["/@0", "/a@1", "/a/c@1"]);
    }

    #[test]
    fn a_file_over_a_directory_and_a_directory_over_a_file() {
        let low = layer(0, &["/", "/a/", "/a/b", "/f"]);
        let high = layer(1, &["/", "/a", "/f/", "/f/x"]);
        assert_eq!(names(&merge(vec![low, high])), ["/@0", "/a@1", "/f@1", "/f/x@1"]);
    }

    #[test]
    fn an_implied_directory_keeps_the_lower_ones_metadata() {
        let low = layer(0, &["/", "/a/", "/f"]);
        let mut high = layer(1, &["/", "/a/", "/a/x", "/f/"]);
        high.implied.extend(["/a".into(), "/f".into()]);
        assert_eq!(names(&merge(vec![low, high])), ["/@0", "/a@0", "/a/x@1", "/f@1"]);
    }

    #[test]
    fn the_same_number_in_two_layers_is_two_files() {
        let merged = merge(vec![layer(0, &["/", "/x"]), layer(1, &["/", "/y"])]);
        let inodes: Vec<_> = merged.entries.values().map(|e| e.inode).collect();
        assert_eq!(inodes, [0, 1, 2]);
        assert_eq!(merged.origins, [(1, 0), (0, 1), (1, 1)]);
    }
}
