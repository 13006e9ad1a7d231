//! Resolvers, the kept paths that they see, and what they find needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::bytes::without_numbers;
use super::walk::with_ancestors;
use crate::image::{Entry, Outcome, Resolved, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, Kept, LeftOut, LeftOutKind};

/// The size of the largest file that is read whole: larger ones are generated or data.
pub(super) const MAX_SOURCE: u64 = 4 << 20;
/// The largest number of names that are looked up for one file.
pub(super) const MAX_LOOK_UPS: usize = 20_000;

/// One kind of edge: what a kept path needs beside itself.
///
/// A resolver sees every kept path once, from any thread and in any order, so its result depends on the path and
/// the image alone. Then more observations never keep less.
pub(super) trait Resolver: Sync {
    /// Adds what `node` needs to `needs`.
    ///
    /// # Errors
    /// Those of reading the node's bytes.
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()>;

    /// Adds what all kept paths need together: called whenever nothing new has come, so that what many of them need is
    /// marked once. As in [`Resolver::resolve`] it depends on them and the image alone.
    fn resolve_together(&self, _needs: &mut Needs<'_>) {}

    /// Returns notes that depend on everything kept.
    fn notes(&self, _kept: &BTreeMap<RootPath, Kept>) -> Vec<String> {
        Vec::new()
    }
}

impl<R: Resolver> Resolver for &R {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        (**self).resolve(node, needs)
    }

    fn resolve_together(&self, needs: &mut Needs<'_>) {
        (**self).resolve_together(needs);
    }

    fn notes(&self, kept: &BTreeMap<RootPath, Kept>) -> Vec<String> {
        (**self).notes(kept)
    }
}

/// A kept path with what resolvers read of it.
pub(super) struct Node<'a> {
    /// Its path, without links on the way.
    pub(super) path: &'a RootPath,
    /// Its entry.
    pub(super) entry: &'a Entry,
    /// The image's file system.
    pub(super) rootfs: &'a Rootfs,
    head: OnceLock<Vec<u8>>,
    source: OnceLock<Vec<u8>>,
    too_large: AtomicBool,
}

/// Number of bytes that the kernel reads of a file to see what it executes (`BINPRM_BUF_SIZE` in
/// `include/uapi/linux/binfmts.h`).
pub(super) const HEAD: usize = 256;

/// Names of files that are no code unless they may be executed: their bytes are not looked at.
const NO_CODE: [&[u8]; 30] = [
    b"c", b"conf", b"css", b"csv", b"gif", b"gz", b"h", b"html", b"ico", b"jpg", b"js", b"json", b"map",
    b"md", b"mjs", b"mo", b"pem", b"php", b"pl", b"pm", b"png", b"py", b"pyc", b"rb", b"svg", b"ts", b"txt",
    b"woff2", b"xml", b"yml",
];

impl<'a> Node<'a> {
    /// Returns the node of `entry`, which stands at `path` in `rootfs`.
    pub(super) fn new(rootfs: &'a Rootfs, path: &'a RootPath, entry: &'a Entry) -> Self {
        Self {
            path,
            entry,
            rootfs,
            head: OnceLock::new(),
            source: OnceLock::new(),
            too_large: AtomicBool::new(false),
        }
    }

    /// Returns the first [`HEAD`] bytes (fewer of a shorter file); none for what is no code by its kind or name.
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

    /// Returns all bytes of a regular file of at most [`MAX_SOURCE`] bytes but the numbers inside long lists of numbers, read
    /// once for all resolvers; none of others, and a larger one is reported.
    pub(super) fn source(&self) -> io::Result<&[u8]> {
        if let Some(source) = self.source.get() {
            return Ok(source);
        }
        let source = if self.entry.is_file() && self.entry.size() <= MAX_SOURCE {
            without_numbers(self.rootfs.read(self.path, MAX_SOURCE)?)
        } else {
            self.too_large.store(self.entry.is_file(), Ordering::Relaxed);
            Vec::new()
        };
        Ok(self.source.get_or_init(|| source))
    }

    /// Returns whether [`Node::source`] refused the file for its size.
    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }
}

/// A directory that is kept wide, since a source computes the names of what it loads from there.
pub(super) struct Widened {
    /// The directory.
    pub(super) directory: RootPath,
    /// The source.
    pub(super) from: RootPath,
    /// Its line, from 1.
    pub(super) line: Option<usize>,
    /// The beginning of what stands there, escaped.
    pub(super) words: String,
    /// Number of files that the name may lead to.
    pub(super) files: usize,
    /// Number of bytes in them.
    pub(super) bytes: u64,
}

/// The needs of kept paths, in the order in which they were found.
pub(super) struct Needs<'a> {
    rootfs: &'a Rootfs,
    /// The needed paths, each with its cause.
    pub(super) marks: Vec<(RootPath, Cause)>,
    /// Paths that are named and left out.
    pub(super) left_out: Vec<LeftOut>,
    /// Notes for the user.
    pub(super) notes: Vec<String>,
    /// Directories that computed names widen to.
    pub(super) widened: Vec<Widened>,
    /// True if the file takes longer to read than the bounds on time allow.
    pub(super) is_slow: bool,
    /// Programs of a job that do what its caller says.
    pub(super) told: Vec<RootPath>,
    whole: BTreeSet<RootPath>,
    look_ups: usize,
}

impl<'a> Needs<'a> {
    /// Returns the needs of nothing.
    pub(super) fn new(rootfs: &'a Rootfs) -> Self {
        Self {
            rootfs,
            marks: Vec::new(),
            left_out: Vec::new(),
            notes: Vec::new(),
            widened: Vec::new(),
            is_slow: false,
            told: Vec::new(),
            whole: BTreeSet::new(),
            look_ups: 0,
        }
    }

    /// Returns whether `directory` is claimed as a whole for the first time here.
    pub(super) fn claim_whole(&mut self, directory: &RootPath) -> bool {
        self.whole.insert(directory.clone())
    }

    /// Returns whether one more name may be looked up: a file that names more than [`MAX_LOOK_UPS`] is data.
    pub(super) fn may_look_up(&mut self) -> bool {
        self.look_ups += 1;
        self.look_ups <= MAX_LOOK_UPS
    }

    /// Returns whether more names were to be looked up than one file may have.
    pub(super) fn names_too_many(&self) -> bool {
        self.look_ups > MAX_LOOK_UPS
    }

    /// Returns the needed paths.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = &RootPath> {
        self.marks.iter().map(|(path, _)| path)
    }

    /// Returns the image's file system.
    pub(super) fn rootfs(&self) -> &'a Rootfs {
        self.rootfs
    }

    /// Marks `path` as needed for `cause`.
    pub(super) fn mark(&mut self, path: &RootPath, cause: Cause) {
        self.marks.push((path.clone(), cause));
    }

    /// Marks `path`, an entry of the image, as needed by `from`; `quote` names it there.
    pub(super) fn mark_edge(
        &mut self,
        path: &RootPath,
        edge: EdgeKind,
        from: &RootPath,
        quote: Option<String>,
    ) {
        if path != from {
            let cause = Cause::Edge {
                edge,
                from: from.clone(),
                line: None,
                quote,
            };
            self.mark(path, cause);
        }
    }

    /// Marks what a look-up led to, for `cause`, and every link that it took.
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
                Some(end) => self.mark_edge(link, EdgeKind::Link, end, None),
                None => self.mark(link, cause.clone()),
            }
        }
    }

    /// Returns `path` if it is in the image, else the nearest directory above it that is; not the root, which is always
    /// kept.
    pub(super) fn nearest(&self, path: &RootPath) -> Option<RootPath> {
        with_ancestors(path)
            .find(|path| self.rootfs.get(path).is_some())
            .filter(|path| !path.is_root())
    }

    /// Leaves out `path`, which something names, for a reason of that kind: `why` follows the path in a sentence.
    pub(super) fn leave_out(&mut self, path: &RootPath, kind: LeftOutKind, why: String) {
        self.left_out.push(LeftOut {
            path: path.clone(),
            kind,
            from: None,
            line: None,
            why,
            remedy: format!("--include {path}"),
        });
    }

    /// Adds a note for the user.
    pub(super) fn add_note(&mut self, note: String) {
        self.notes.push(note);
    }
}
