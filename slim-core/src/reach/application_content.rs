//! What an application's own directories hold, walked once however often a directory is named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::tables::LeftOutNames;
use crate::path::RootPath;

/// The content of one directory, as far as that is the application's own.
#[derive(Default)]
pub(super) struct Content {
    /// Files, links and directories to keep.
    pub(super) entries: Vec<RootPath>,
    /// Number of those that are no directories.
    pub(super) files: u64,
    /// Number of bytes in them.
    pub(super) bytes: u64,
    /// Entries that are left out, with the row of the table that says why.
    pub(super) left_out: Vec<(RootPath, &'static LeftOutNames)>,
    /// Number of files that a package owns.
    pub(super) owned: u64,
}

/// The contents of directories that were walked.
#[derive(Default)]
pub(super) struct ContentCache(Mutex<BTreeMap<RootPath, Arc<Content>>>);

impl ContentCache {
    /// Returns the content of `directory`, which `walk` finds the first time.
    pub(super) fn get(&self, directory: &RootPath, walk: impl FnOnce() -> Content) -> Arc<Content> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(directory) {
            return Arc::clone(known);
        }
        let content = Arc::new(walk());
        lock().insert(directory.clone(), Arc::clone(&content));
        content
    }
}
