//! The files that a plan removes, by the package that they belong to.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::image::Rootfs;
use crate::image::packages::Packages;
use crate::path::RootPath;

/// Number of the largest removed files that are named of each package.
const LARGEST: usize = 5;
/// Number of leading names of a path that group files which no package owns.
const PLACE_DEPTH: usize = 3;

/// The removed files of one package, or of one directory of files that no package owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// The package; none for files that no package owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The directory that the files are in, where no package owns them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<RootPath>,
    /// Files removed.
    pub files: u64,
    /// Bytes removed, a hard-linked file counted once.
    pub bytes: u64,
    /// Files of it that are kept: above zero, it is kept in part.
    pub kept_files: u64,
    /// The largest removed files with their sizes in bytes, largest first.
    pub largest: Vec<(RootPath, u64)>,
}

impl Removed {
    /// The package, or where the files are.
    pub fn name(&self) -> String {
        match (&self.package, &self.directory) {
            (Some(package), _) => package.clone(),
            (None, Some(directory)) => directory.to_string(),
            (None, None) => "/".to_owned(),
        }
    }
}

/// Returns what of `rootfs` is not in `kept`, most bytes first.
pub fn removed(rootfs: &Rootfs, packages: &Packages, kept: &BTreeMap<RootPath, Kept>) -> Vec<Removed> {
    let mut all: BTreeMap<(Option<&str>, Option<RootPath>), Removed> = BTreeMap::new();
    let mut inodes = HashSet::new();
    for path in kept.keys() {
        inodes.extend(rootfs.get(path).map(|entry| entry.inode));
    }
    for (path, entry) in rootfs.iter().filter(|(_, entry)| !entry.is_dir()) {
        let package = packages.owner(path);
        let directory = package.is_none().then(|| place(path));
        let group = all
            .entry((package, directory.clone()))
            .or_insert_with(|| Removed {
                package: package.map(str::to_owned),
                directory,
                files: 0,
                bytes: 0,
                kept_files: 0,
                largest: Vec::new(),
            });
        if kept.contains_key(path) {
            group.kept_files += 1;
            continue;
        }
        group.files += 1;
        if entry.is_file() && inodes.insert(entry.inode) {
            group.bytes += entry.size();
            let rank = group.largest.partition_point(|(_, size)| *size >= entry.size());
            if rank < LARGEST {
                group.largest.insert(rank, (path.clone(), entry.size()));
                group.largest.truncate(LARGEST);
            }
        }
    }
    let mut all: Vec<Removed> = all.into_values().filter(|group| group.files > 0).collect();
    all.sort_by(|a, b| {
        (b.bytes, b.files)
            .cmp(&(a.bytes, a.files))
            .then_with(|| a.name().cmp(&b.name()))
    });
    all
}

/// The directory that stands for a path in an overview.
fn place(path: &RootPath) -> RootPath {
    let parent = path.parent().unwrap_or_else(RootPath::root);
    let names: Vec<&[u8]> = parent.components().take(PLACE_DEPTH).collect();
    RootPath::new(names.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::memory::tree;
    use crate::image::packages;
    use crate::plan::Cause;

    #[test]
    fn what_is_removed_is_counted_by_package_and_place() {
        let rootfs = tree(&[
            ("/usr/bin/tool", b"123456"),
            ("/usr/share/tool/data", b"1234567890"),
            ("/app/src/deep/down/a", b"12"),
            ("/app/src/deep/b", b"123"),
            ("/app/kept", b"1"),
            (
                "/var/lib/dpkg/status",
                b"Package: tool\nStatus: install ok installed\n",
            ),
            (
                "/var/lib/dpkg/info/tool.list",
                b"/usr/bin/tool\n/usr/share/tool/data\n",
            ),
        ]);
        let why = "a test".to_owned();
        let cause = Kept {
            causes: vec![Cause::Always { why }],
        };
        let kept = [
            "/usr/bin/tool",
            "/app/kept",
            "/var/lib/dpkg/status",
            "/var/lib/dpkg/info/tool.list",
        ]
        .map(|path| (RootPath::new(path), cause.clone()));
        let removed = removed(&rootfs, &packages::owners(&rootfs), &BTreeMap::from(kept));
        let short: Vec<_> = removed
            .iter()
            .map(|r| (r.name(), r.files, r.bytes, r.kept_files))
            .collect();
        assert_eq!(
            short,
            [
                ("tool".to_owned(), 1, 10, 1),
                ("/app/src/deep".to_owned(), 2, 5, 0)
            ]
        );
        assert_eq!(removed[1].largest[0], (RootPath::new("/app/src/deep/b"), 3));
    }
}
