//! Directories in which languages keep installed packages: their resolvers decide what of them is needed.

use globset::GlobSet;

use super::pattern::{as_path, name_set};
use super::walk::with_ancestors;
use crate::image::Rootfs;
use crate::path::RootPath;

/// The names of directories of packages, and the files that mark others.
#[derive(Debug)]
pub(super) struct PackageDirectories {
    names: GlobSet,
    markers: Vec<&'static str>,
}

impl PackageDirectories {
    /// Returns a matcher of `names` (a pattern with a slash stands for the path's last two names) and of directories
    /// that hold one of the files `markers`.
    pub(super) fn new<'n>(
        names: impl IntoIterator<Item = &'n str>,
        markers: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self {
            names: name_set(names),
            markers: markers.into_iter().collect(),
        }
    }

    /// Returns whether `directory` bears the name of a directory of packages.
    pub(super) fn is_named(&self, directory: &RootPath) -> bool {
        let name = directory.name().unwrap_or_default();
        let parent = directory.parent();
        let above = parent.as_ref().and_then(RootPath::name).unwrap_or_default();
        self.names.is_match(as_path(name)) || self.names.is_match(as_path(&[above, b"/", name].concat()))
    }

    /// Returns whether `path` or a directory above it bears such a name.
    pub(super) fn contains(&self, path: &RootPath) -> bool {
        with_ancestors(path).any(|path| self.is_named(&path))
    }

    /// Returns whether `directory` holds a file that marks a directory of packages.
    pub(super) fn is_marked(&self, rootfs: &Rootfs, directory: &RootPath) -> bool {
        self.markers
            .iter()
            .any(|marker| rootfs.get(&directory.join(marker)).is_some())
    }
}
