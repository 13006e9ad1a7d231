//! The graph's kept nodes, and the work-list that follows edges until nothing new is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::elf::parse::Elf;
use super::error::Error;
use super::exclude_option::Excluded;
use super::guard::Guard;
use super::resolver::{MAX_LOOK_UPS, Needs, Node, Resolver, Widened};
use crate::cancel::Cancel;
use crate::image::{Entry, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, Kept, LeftOut};

/// The largest number of causes that are kept of one path: a directory has one from every file in it, and few tell more
/// than many.
const MAX_CAUSES: usize = 8;
/// The largest number of notes; a person reads no more.
const MAX_NOTES: usize = 20;
/// The largest number of notes on directories that are kept wide, of all notes.
const MAX_WIDENED: usize = 10;
/// The largest number of things that are named as left out.
const MAX_LEFT_OUT: usize = 10_000;

/// The kept part of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Every kept path with its causes, nearest to an observation first. All of them are entries of the image.
    pub files: BTreeMap<RootPath, Kept>,
    /// Paths that something named and that are left out, sorted.
    pub left_out: Vec<LeftOut>,
    /// Notes for the user, sorted.
    pub notes: Vec<String>,
    /// The kept ELF files, with what a loader reads of them.
    pub objects: BTreeMap<RootPath, Arc<Elf>>,
    /// The programs and scripts of a job that do what its caller says, sorted; none of a service.
    pub told: Vec<RootPath>,
}

/// The kept nodes.
pub(super) struct Graph<'a> {
    rootfs: &'a Rootfs,
    guard: &'a Guard<'a>,
    excluded: &'a Excluded,
    cancel: &'a Cancel,
    kept: BTreeMap<RootPath, Kept>,
    frontier: BTreeSet<RootPath>,
    /// Paths that the guard refused: what is kept later may be a reason to keep them.
    refused: Vec<(RootPath, Cause)>,
    left_out: BTreeSet<LeftOut>,
    notes: BTreeSet<String>,
    /// Directories that are kept wide, each with the first source that computes names in it.
    widened: BTreeMap<RootPath, Widened>,
    told: BTreeSet<RootPath>,
}

impl<'a> Graph<'a> {
    /// Returns a graph that keeps the root and nothing else.
    pub(super) fn new(
        rootfs: &'a Rootfs,
        guard: &'a Guard<'a>,
        excluded: &'a Excluded,
        cancel: &'a Cancel,
    ) -> Self {
        let mut graph = Self {
            rootfs,
            guard,
            excluded,
            cancel,
            refused: Vec::new(),
            left_out: BTreeSet::new(),
            kept: BTreeMap::new(),
            frontier: BTreeSet::new(),
            notes: BTreeSet::new(),
            widened: BTreeMap::new(),
            told: BTreeSet::new(),
        };
        let why = "the root directory".to_owned();
        graph.mark(RootPath::root(), Cause::Always { why });
        graph
    }

    /// Keeps each path for its cause. A path that is not in the image cannot be kept.
    ///
    /// The first cause of a path is the one that it was first reached by, so following first causes always ends.
    pub(super) fn mark_all(&mut self, needs: Needs<'_>) {
        for (path, cause) in needs.marks {
            self.mark(path, cause);
        }
        for left_out in needs.left_out {
            self.leave_out(left_out);
        }
        self.notes.extend(needs.notes);
        self.told.extend(needs.told);
        for widened in needs.widened {
            self.widened.entry(widened.directory.clone()).or_insert(widened);
        }
    }

    fn leave_out(&mut self, left_out: LeftOut) {
        if self.left_out.len() < MAX_LEFT_OUT {
            self.left_out.insert(left_out);
        }
    }

    fn mark(&mut self, path: RootPath, cause: Cause) {
        if self.excluded.contains(&path) && !path.is_root() {
            return;
        }
        // A link on the way to what isn't kept leads nowhere.
        if let Cause::Edge {
            edge: EdgeKind::Link,
            from,
            ..
        } = &cause
            && !self.kept.contains_key(from)
        {
            return;
        }
        if let Some(left_out) = self.guard.refuse(self.rootfs, &self.kept, &path, &cause) {
            self.refused.push((path, cause));
            self.leave_out(left_out);
            return;
        }
        if let Some(kept) = self.kept.get_mut(&path) {
            if kept.causes.len() < MAX_CAUSES && !kept.causes.contains(&cause) {
                kept.causes.push(cause);
            }
        } else if self.rootfs.get(&path).is_some() {
            self.frontier.insert(path.clone());
            self.kept.insert(path, Kept { causes: vec![cause] });
        }
    }

    /// Applies `resolvers` to every kept path until nothing new is reached.
    ///
    /// # Errors
    /// [`Error::Cancelled`], and [`Error::TooSlow`] for the first file in order that takes longer than the bounds
    /// for.
    pub(super) fn close(mut self, resolvers: &[Box<dyn Resolver + '_>]) -> Result<Reached, Error> {
        while !self.frontier.is_empty() {
            let level: Vec<RootPath> = std::mem::take(&mut self.frontier).into_iter().collect();
            let rootfs = self.rootfs;
            let cancel = self.cancel;
            let needs: Vec<(&RootPath, Needs<'_>)> = level
                .par_iter()
                .filter(|_| !cancel.is_cancelled())
                .filter_map(|path| Some((path, visit(rootfs, path, rootfs.get(path)?, resolvers))))
                .collect();
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            for (path, needs) in needs {
                if needs.is_slow {
                    return Err(Error::TooSlow { path: path.clone() });
                }
                self.mark_all(needs);
            }
            if self.frontier.is_empty() {
                for resolver in resolvers {
                    let mut needs = Needs::new(rootfs);
                    resolver.resolve_together(&mut needs);
                    self.mark_all(needs);
                }
                for (path, cause) in std::mem::take(&mut self.refused) {
                    self.mark(path, cause);
                }
            }
        }
        for resolver in resolvers {
            self.notes.extend(resolver.notes(&self.kept));
        }
        self.notes.extend(describe(self.widened.into_values().collect()));
        let more = self.notes.len().saturating_sub(MAX_NOTES);
        let mut notes: Vec<String> = self.notes.into_iter().take(MAX_NOTES).collect();
        if more > 0 {
            notes.push(format!("… and {more} more like these"));
        }
        // What was left out once may have been kept for another reason later: all of it, where it is a directory.
        let (rootfs, kept) = (self.rootfs, &self.kept);
        let missing = |path: &RootPath| {
            !kept.contains_key(path) || rootfs.below(path).any(|(path, _)| !kept.contains_key(path))
        };
        let left_out = self
            .left_out
            .into_iter()
            .filter(|left_out| missing(&left_out.path))
            .collect();
        Ok(Reached {
            objects: BTreeMap::new(),
            files: self.kept,
            left_out,
            notes,
            told: self.told.into_iter().collect(),
        })
    }
}

/// Returns the notes on directories that are kept wide, the largest of them by name.
fn describe(mut widened: Vec<Widened>) -> Vec<String> {
    widened.sort_by_key(|wide| std::cmp::Reverse(wide.bytes));
    let rest = widened.split_off(widened.len().min(MAX_WIDENED));
    let mut notes: Vec<String> = widened
        .iter()
        .map(|wide| {
            // A line stands behind the file's name, as compilers write it.
            let line = wide.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!(
                "{}: kept wide ({} files, {} bytes), since {}{line} names what it loads only when it runs: {}",
                wide.directory, wide.files, wide.bytes, wide.from, wide.words
            )
        })
        .collect();
    if let Some(first) = rest.first() {
        notes.push(format!(
            "{} more directories are kept wide, since sources name what they load only when they run, the largest of them {}",
            rest.len(),
            first.directory
        ));
    }
    notes
}

/// Returns what one kept path needs, by all resolvers in order.
fn visit<'a>(
    rootfs: &'a Rootfs,
    path: &RootPath,
    entry: &Entry,
    resolvers: &[Box<dyn Resolver + '_>],
) -> Needs<'a> {
    let mut needs = Needs::new(rootfs);
    let node = Node::new(rootfs, path, entry);
    for resolver in resolvers {
        if let Err(error) = resolver.resolve(&node, &mut needs) {
            needs.add_note(format!(
                "{path}: could not be read, so what it needs is not known: {error}"
            ));
            break;
        }
    }
    if node.is_too_large() {
        needs.add_note(format!(
            "{path}: too large to be parsed, so what it names is not known"
        ));
    }
    if needs.names_too_many() {
        needs.add_note(format!(
            "{path}: names more than {MAX_LOOK_UPS} things, and the rest of them is not followed"
        ));
    }
    needs
}
