//! The counts of a file system, before and after.

use std::collections::HashSet;

use crate::image::Rootfs;
use crate::image::packages::Packages;
use crate::path::RootPath;
use crate::plan::Totals;

/// Counts `paths` of `rootfs`: all of them (`rootfs.iter()`) for the image before, the plan's for the one after.
pub fn totals<'a>(
    rootfs: &Rootfs,
    packages: &Packages,
    paths: impl IntoIterator<Item = &'a RootPath>,
) -> Totals {
    let paths: Vec<&RootPath> = paths.into_iter().collect();
    let mut totals = Totals {
        packages: packages.count(paths.iter().copied()),
        ..Totals::default()
    };
    let mut inodes = HashSet::new();
    for entry in paths.iter().filter_map(|path| rootfs.get(path)) {
        if entry.is_dir() {
            continue;
        }
        totals.files += 1;
        if entry.is_file() && inodes.insert(entry.inode) {
            totals.bytes += entry.size();
        }
    }
    totals
}
