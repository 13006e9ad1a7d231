//! The graph's kept nodes, and the work-list that follows edges until nothing new is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::elf::constants::Constants;
use super::exclude::Excluded;
use super::guard::Guard;
use super::syntax::MAX_SOURCE;
use super::{Error, Reached};
use crate::cancel::Cancel;
use crate::image::{Entry, Outcome, Resolved, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, Kept, LeftOut};

/// As many causes as are kept of one path: a directory has one from every file in it, and few tell more than many.
const MAX_CAUSES: usize = 8;
/// As many notes as a person reads.
const MAX_NOTES: usize = 20;
/// As many things as are named as left out.
const MAX_LEFT_OUT: usize = 10_000;

/// The most names that are looked up for one file.
const MAX_LOOK_UPS: usize = 20_000;

/// One kind of edge: what a kept path needs beside itself.
///
/// A resolver sees every kept path once, from any thread and in any order, so what it answers depends on the path and
/// the image alone. Then more observations never keep less.
pub(super) trait Resolver: Sync {
    /// Adds what `node` needs to `needs`.
    ///
    /// # Errors
    /// Those of reading the node's bytes.
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()>;

    /// What all kept so far needs together: asked whenever nothing new has come, so that what many of them need is
    /// marked once. As in [`Resolver::resolve`] it depends on them and the image alone.
    fn settled(&self, _needs: &mut Needs<'_>) {}

    /// What can be said only when everything kept is known.
    fn notes(&self, _kept: &BTreeMap<RootPath, Kept>) -> Vec<String> {
        Vec::new()
    }
}

/// A kept path with what resolvers ask about it.
pub(super) struct Node<'a> {
    /// Its path, without links on the way.
    pub(super) path: &'a RootPath,
    /// Its entry.
    pub(super) entry: &'a Entry,
    rootfs: &'a Rootfs,
    head: OnceLock<Vec<u8>>,
    source: OnceLock<Vec<u8>>,
    too_large: AtomicBool,
}

/// As much as the kernel reads of a file to see what it executes (`BINPRM_BUF_SIZE` in `include/uapi/linux/binfmts.h`).
pub(super) const HEAD: usize = 256;

/// Names of files that are no code unless they may be executed: their bytes are not looked at.
const NO_CODE: [&[u8]; 30] = [
    b"c", b"conf", b"css", b"csv", b"gif", b"gz", b"h", b"html", b"ico", b"jpg", b"js", b"json", b"map",
    b"md", b"mjs", b"mo", b"pem", b"php", b"pl", b"pm", b"png", b"py", b"pyc", b"rb", b"svg", b"ts", b"txt",
    b"woff2", b"xml", b"yml",
];

impl Node<'_> {
    /// The first [`HEAD`] bytes (fewer of a shorter file); none for what is no code by its kind or name.
    pub(super) fn head(&self) -> io::Result<&[u8]> {
        if let Some(head) = self.head.get() {
            return Ok(head);
        }
        let executable = self.entry.mode & 0o111 != 0;
        let data = self.path.extension().is_some_and(|e| NO_CODE.contains(&e));
        let head = if self.entry.size() == 0 || (data && !executable) {
            Vec::new()
        } else {
            self.rootfs.read(self.path, HEAD as u64)?
        };
        Ok(self.head.get_or_init(|| head))
    }

    /// All bytes of a regular file of at most [`MAX_SOURCE`] bytes, read once for all resolvers; none of others,
    /// and a larger one is reported.
    pub(super) fn source(&self) -> io::Result<&[u8]> {
        if let Some(source) = self.source.get() {
            return Ok(source);
        }
        let source = if self.entry.is_file() && self.entry.size() <= MAX_SOURCE {
            self.rootfs.read(self.path, MAX_SOURCE)?
        } else {
            self.too_large.store(self.entry.is_file(), Ordering::Relaxed);
            Vec::new()
        };
        Ok(self.source.get_or_init(|| source))
    }

    /// What is read-only of an ELF file; none of other files.
    pub(super) fn constants(&self) -> io::Result<Option<Constants<'_>>> {
        if !self.entry.is_file() || !self.head()?.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        let read = |offset: u64, length: usize| self.rootfs.read_at(self.path, offset, length);
        Constants::of(Box::new(read), self.entry.size())
    }
}

/// What is needed, in the order it was found.
pub(super) struct Needs<'a> {
    rootfs: &'a Rootfs,
    marks: Vec<(RootPath, Cause)>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
    whole: BTreeSet<RootPath>,
    look_ups: usize,
    slow: bool,
}

impl<'a> Needs<'a> {
    /// Nothing yet.
    pub(super) fn new(rootfs: &'a Rootfs) -> Self {
        Self {
            rootfs,
            marks: Vec::new(),
            left_out: Vec::new(),
            notes: Vec::new(),
            whole: BTreeSet::new(),
            look_ups: 0,
            slow: false,
        }
    }

    /// Whether `directory` is asked for as a whole for the first time here.
    pub(super) fn first_whole(&mut self, directory: &RootPath) -> bool {
        self.whole.insert(directory.clone())
    }

    /// Whether one more name may be looked up: a file that names more than [`MAX_LOOK_UPS`] is data.
    pub(super) fn may_look_up(&mut self) -> bool {
        self.look_ups += 1;
        self.look_ups <= MAX_LOOK_UPS
    }

    /// The file takes longer to read than anybody waits for.
    pub(super) fn fail_slow(&mut self) {
        self.slow = true;
    }

    /// The needed paths.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = &RootPath> {
        self.marks.iter().map(|(path, _)| path)
    }

    /// The image's file system.
    pub(super) fn rootfs(&self) -> &'a Rootfs {
        self.rootfs
    }

    /// `path` is needed.
    pub(super) fn mark(&mut self, path: &RootPath, cause: Cause) {
        self.marks.push((path.clone(), cause));
    }

    /// `path`, an entry of the image, is needed by `from`.
    pub(super) fn edge(&mut self, path: &RootPath, edge: EdgeKind, from: &RootPath, detail: Option<String>) {
        if path != from {
            let from = from.clone();
            self.mark(path, Cause::Edge { edge, from, detail });
        }
    }

    /// What a look-up led to is needed, for `cause`, and every link that it took.
    ///
    /// If it led nowhere, what stands on the way is: the directory in which a name is missing, the file that is taken
    /// for a directory, the links that never end. So it goes on leading nowhere, with the same error.
    pub(super) fn follow(&mut self, resolved: &Resolved, cause: &Cause) {
        let end = match resolved.outcome {
            Outcome::TooManyLinks => None,
            _ => self.nearest(&resolved.path),
        };
        let asking = |path: &RootPath| matches!(cause, Cause::Edge { from, .. } if from == path);
        if let Some(end) = end.as_ref().filter(|end| !asking(end)) {
            self.mark(end, cause.clone());
        }
        for link in resolved.links.iter().filter(|link| !asking(link)) {
            match &end {
                Some(end) => self.edge(link, EdgeKind::Link, end, None),
                None => self.mark(link, cause.clone()),
            }
        }
    }

    /// `path` if it is in the image, else the nearest directory above it that is; not the root, which is always kept.
    pub(super) fn nearest(&self, path: &RootPath) -> Option<RootPath> {
        std::iter::once(path.clone())
            .chain(path.ancestors())
            .find(|path| self.rootfs.get(path).is_some())
            .filter(|path| !path.is_root())
    }

    /// `path` is named, and left out: `why` follows the path in a sentence, `remedy` is the flag that keeps it.
    pub(super) fn leave_out(&mut self, path: &RootPath, why: String, remedy: String) {
        let path = path.clone();
        self.left_out.push(LeftOut { path, why, remedy });
    }

    /// Something that the user should know.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }
}

/// The kept nodes.
pub(super) struct Graph<'a> {
    rootfs: &'a Rootfs,
    guard: &'a Guard,
    excluded: &'a Excluded,
    cancel: &'a Cancel,
    kept: BTreeMap<RootPath, Kept>,
    frontier: BTreeSet<RootPath>,
    /// What the guard refused: what is kept later may ask for it rightly.
    refused: Vec<(RootPath, Cause)>,
    left_out: BTreeSet<LeftOut>,
    notes: BTreeSet<String>,
}

impl<'a> Graph<'a> {
    /// A graph that keeps the root and nothing else.
    pub(super) fn new(
        rootfs: &'a Rootfs,
        guard: &'a Guard,
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
        if let Some(left_out) = self.guard.refuses(self.rootfs, &self.kept, &path, &cause) {
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
    /// [`Error::Cancelled`], and [`Error::TooSlow`] for the first file in order that takes longer than anybody waits
    /// for.
    pub(super) fn close(mut self, resolvers: &[&dyn Resolver]) -> Result<Reached, Error> {
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
                if needs.slow {
                    return Err(Error::TooSlow { path: path.clone() });
                }
                self.mark_all(needs);
            }
            if self.frontier.is_empty() {
                for resolver in resolvers {
                    let mut needs = Needs::new(rootfs);
                    resolver.settled(&mut needs);
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
            files: self.kept,
            left_out,
            notes,
        })
    }
}

/// What one kept path needs, by all resolvers in order.
fn visit<'a>(rootfs: &'a Rootfs, path: &RootPath, entry: &Entry, resolvers: &[&dyn Resolver]) -> Needs<'a> {
    let mut needs = Needs::new(rootfs);
    let node = Node {
        path,
        entry,
        rootfs,
        head: OnceLock::new(),
        source: OnceLock::new(),
        too_large: AtomicBool::new(false),
    };
    for resolver in resolvers {
        if let Err(error) = resolver.resolve(&node, &mut needs) {
            needs.note(format!(
                "{path}: could not be read, so what it needs is not known: {error}"
            ));
            break;
        }
    }
    if node.too_large.load(Ordering::Relaxed) {
        needs.note(format!(
            "{path}: too large to be parsed, so what it names is not known"
        ));
    }
    if needs.look_ups > MAX_LOOK_UPS {
        needs.note(format!(
            "{path}: names more than {MAX_LOOK_UPS} things, and the rest of them is not followed"
        ));
    }
    needs
}
