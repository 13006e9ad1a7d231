//! Repositories of version control: one whose contents were read is data, and kept whole.
//!
//! What a program takes out of one is known only when it is told which revision: the rest of it is read another time. A
//! name of a revision alone is what applications read to print their version, and brings nothing.

use std::io;

use crate::image::Entry;
use crate::path::RootPath;
use crate::plan::{EdgeKind, LeftOutKind};
use crate::reach::application_directory;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::walk::{MAX_ENTRIES, walk};

/// The directory in which a repository has its contents, and what stands beside it.
const FORMATS: [(&[u8], &[&[u8]]); 4] = [
    // gitrepository-layout(5)
    (b"objects", &[b"HEAD", b"refs"]),
    // Mercurial's `requirements` topic
    (b"store", &[b"requires"]),
    // Subversion's working copies, and its repositories
    (b"pristine", &[b"wc.db"]),
    (b"db", &[b"format", b"locks"]),
];
/// The largest number of directories between a repository and a file in it.
const MAX_DEPTH: usize = 8;
/// The most bytes of a repository that is kept.
const MAX_BYTES: u64 = 500_000_000;

/// The extension of hooks that Git puts into every repository and never runs (githooks(5)).
const SAMPLE: &[u8] = b"sample";

/// Keeps repositories whole.
pub(super) struct Repositories<'a> {
    context: &'a Context<'a>,
}

impl<'a> Repositories<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }

    /// Returns the repository whose contents `file` is among.
    fn of(&self, file: &RootPath) -> Option<RootPath> {
        file.ancestors().take(MAX_DEPTH).find_map(|directory| {
            let name = directory.name()?;
            let (_, beside) = FORMATS.iter().find(|(contents, _)| *contents == name)?;
            let repository = directory.parent().filter(|repository| !repository.is_root())?;
            let there = |name: &&[u8]| self.context.rootfs.get(&repository.child(name)).is_some();
            beside.iter().all(there).then_some(repository)
        })
    }
}

impl Resolver for Repositories<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() {
            return Ok(());
        }
        let Some(repository) = self.of(node.path).filter(|found| needs.claim_whole(found)) else {
            return Ok(());
        };
        let entries = walk(self.context.rootfs, &repository, MAX_ENTRIES, |path, entry| {
            path.extension() != Some(SAMPLE) && application_directory::may_be_kept(entry)
        });
        let bytes: u64 = entries.iter().map(|(_, entry): &(_, &Entry)| entry.size()).sum();
        if entries.len() == MAX_ENTRIES || bytes > MAX_BYTES {
            let why = format!(
                "a repository that was read, with more than {MAX_ENTRIES} files or {MAX_BYTES} bytes"
            );
            needs.leave_out(&repository, LeftOutKind::TooLarge, why);
            return Ok(());
        }
        let cause = Place::in_file(node.path).cause(EdgeKind::Own, "a repository that was read");
        for (path, _) in entries {
            needs.mark(path, cause.clone());
        }
        // The work tree has files that belong to version control (`.gitattributes`, a submodule's `.git`).
        let tree = repository.parent().filter(|tree| !tree.is_root());
        if let Some(tree) = tree.filter(|_| repository.name().is_some_and(|name| name.starts_with(b"."))) {
            let belongs = |path: &RootPath| {
                application_directory::left_out(path.name().unwrap_or_default())
                    .is_some_and(|names| names.kind == LeftOutKind::VersionControl)
            };
            let files = walk(self.context.rootfs, &tree, MAX_ENTRIES, |path, _| {
                *path != repository
            });
            for (path, _) in files
                .iter()
                .filter(|(path, entry)| entry.is_file() && belongs(path))
            {
                needs.mark(path, cause.clone());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::languages::source_file::tests::{beside, reached};

    #[test]
    fn a_repository_whose_contents_were_read_is_kept_whole() {
        let items: &[(&str, &[u8])] = &[
            ("/app/.git/HEAD", b"ref: refs/heads/main"),
            ("/app/.git/hooks/update.sample", b"#!/bin/sh"),
            ("/app/.git/objects/pack/a.idx", b""),
            ("/app/.git/objects/pack/a.pack", b""),
            ("/app/.git/refs/heads/main", b""),
            ("/app/objects/a", b""),
            ("/app/other", b""),
            ("/app/.gitattributes", b""),
            ("/app/part/.git", b"gitdir: ../.git/modules/part"),
            ("/srv/svn/db/revs/0/1", b""),
            ("/srv/svn/format", b"5"),
            ("/srv/svn/hooks/", b""),
            ("/srv/svn/locks/db.lock", b""),
        ];
        let kept = |file: &str| {
            let reached = reached(items, &[], &[file], |context| {
                Box::new(Repositories::new(context))
            });
            beside(&reached, &[file])
        };
        let all = [
            "/app/.git/HEAD",
            "/app/.git/hooks",
            "/app/.git/objects",
            "/app/.git/objects/pack",
            "/app/.git/objects/pack/a.pack",
            "/app/.git/refs",
            "/app/.git/refs/heads",
            "/app/.git/refs/heads/main",
            "/app/.gitattributes",
            "/app/part/.git",
        ];
        assert_eq!(kept("/app/.git/objects/pack/a.idx"), all);
        assert!(kept("/srv/svn/db/revs/0/1").contains(&"/srv/svn/hooks".to_owned()));
        for other in ["/app/.git/HEAD", "/app/.git/refs/heads/main", "/app/objects/a"] {
            assert_eq!(kept(other), Vec::<String>::new(), "{other}");
        }
    }
}
