//! Repositories of version control: one whose contents were read is data, and kept whole.
//!
//! What a program takes out of one is known only when it is told which revision: the rest of it is read another time. A
//! name of a revision alone is what applications read to print their version, and brings nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Mutex;

use crate::image::Entry;
use crate::path::{RootPath, encode};
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

/// The most bytes of a repository's configuration that are read, and the most URLs that are looked up.
const MAX_CONFIG: u64 = 64 << 10;
const MAX_REMOTES: usize = 100;

/// The extension of hooks that Git puts into every repository and never runs (githooks(5)).
const SAMPLE: &[u8] = b"sample";

/// Keeps repositories whole.
pub(super) struct Repositories<'a> {
    context: &'a Context<'a>,
    /// Repositories whose contents are kept, each with a file among them, until all of it is.
    read: Mutex<BTreeMap<RootPath, RootPath>>,
    /// Those that are kept whole, or too large for it.
    kept: Mutex<BTreeSet<RootPath>>,
}

impl<'a> Repositories<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self {
            context,
            read: Mutex::default(),
            kept: Mutex::default(),
        }
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

    /// Keeps `repository`, whose contents `file` is among or which it names, with what belongs to it in its work tree;
    /// leaves it out and returns false where it is too large.
    fn keep(&self, file: &RootPath, repository: &RootPath, needs: &mut Needs<'_>) -> bool {
        let entries = walk(self.context.rootfs, repository, MAX_ENTRIES, |path, entry| {
            path.extension() != Some(SAMPLE) && application_directory::may_be_kept(entry)
        });
        let bytes: u64 = entries.iter().map(|(_, entry): &(_, &Entry)| entry.size()).sum();
        if entries.len() == MAX_ENTRIES || bytes > MAX_BYTES {
            let why = format!(
                "a repository that was read, with more than {MAX_ENTRIES} files or {MAX_BYTES} bytes"
            );
            needs.leave_out(repository, LeftOutKind::TooLarge, why);
            return false;
        }
        let cause = Place::in_file(file).cause(EdgeKind::Own, "a repository that was read");
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
                path != repository
            });
            for (path, _) in files
                .iter()
                .filter(|(path, entry)| entry.is_file() && belongs(path))
            {
                needs.mark(path, cause.clone());
            }
        }
        true
    }

    /// Adds the repositories of this file system that `repository` fetches from, each with the file that names it.
    fn add_remotes(
        &self,
        repository: &RootPath,
        needs: &mut Needs<'_>,
        todo: &mut Vec<(RootPath, RootPath)>,
    ) {
        let config = repository.child(b"config");
        let remotes = self.remotes(&config).unwrap_or_else(|error| {
            needs.add_note(format!(
                "{config}: could not be read, so what it names is not known: {error}"
            ));
            Vec::new()
        });
        for path in remotes {
            let Some(found) = self.context.find_directory(&RootPath::root(), &path) else {
                continue;
            };
            let inner = found.path.child(b".git");
            let inner = self.context.find_directory(&RootPath::root(), inner.as_bytes());
            for found in inner.into_iter().chain([found]) {
                let (contents, _) = FORMATS[0];
                if self.of(&found.path.child(contents).child(b"pack")).as_ref() == Some(&found.path) {
                    needs.follow(
                        &found,
                        &Place::in_file(&config).cause(EdgeKind::Literal, &encode(&path)),
                    );
                    todo.push((config.clone(), found.path));
                }
            }
        }
    }

    /// Returns the directories that are URLs in a repository's configuration (git-config(1)).
    fn remotes(&self, config: &RootPath) -> io::Result<Vec<Vec<u8>>> {
        let size = match self.context.rootfs.get(config) {
            Some(entry) if entry.is_file() => entry.size().min(MAX_CONFIG),
            _ => return Ok(Vec::new()),
        };
        let text = self.context.rootfs.read_at(config, 0, size as usize)?;
        let values = text.split(|&b| b == b'\n').filter_map(|line| {
            let value = line.trim_ascii().strip_prefix(b"url")?.trim_ascii_start();
            let value = value.strip_prefix(b"=")?.trim_ascii();
            let path = value.strip_prefix(b"file://").unwrap_or(value);
            path.starts_with(b"/").then(|| path.to_vec())
        });
        Ok(values.take(MAX_REMOTES).collect())
    }
}

impl Resolver for Repositories<'_> {
    fn resolve(&self, node: &Node<'_>, _needs: &mut Needs<'_>) -> io::Result<()> {
        if node.entry.is_file()
            && let Some(repository) = self.of(node.path)
            && let Ok(mut read) = self.read.lock()
        {
            // Whatever the order of the threads, the first file by name is the cause.
            let file = read.entry(repository).or_insert_with(|| node.path.clone());
            *file = node.path.min(&*file).clone();
        }
        Ok(())
    }

    fn resolve_together(&self, needs: &mut Needs<'_>) {
        let read = self.read.lock().map(|mut read| std::mem::take(&mut *read));
        let mut todo: Vec<(RootPath, RootPath)> = read
            .unwrap_or_default()
            .into_iter()
            .map(|(repository, file)| (file, repository))
            .collect();
        while let Some((file, repository)) = todo.pop() {
            let first = self
                .kept
                .lock()
                .is_ok_and(|mut kept| kept.insert(repository.clone()));
            if first && self.keep(&file, &repository, needs) {
                self.add_remotes(&repository, needs, &mut todo);
            }
        }
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
            (
                "/app/.git/config",
                b"[submodule \"pots\"]\n\turl = file:///srv/pots\n\turl = /srv/other\n",
            ),
            ("/srv/pots/.git/HEAD", b""),
            ("/srv/pots/.git/refs/", b""),
            ("/srv/pots/.git/objects/a", b""),
            (
                "/srv/pots/.git/config",
                b"[remote \"o\"]\n url=file:///srv/pots\n",
            ),
            ("/srv/other/a", b""),
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
            "/app/.git/config",
            "/app/.git/hooks",
            "/app/.git/objects",
            "/app/.git/objects/pack",
            "/app/.git/objects/pack/a.pack",
            "/app/.git/refs",
            "/app/.git/refs/heads",
            "/app/.git/refs/heads/main",
            "/app/.gitattributes",
            "/app/part/.git",
            "/srv/pots/.git",
            "/srv/pots/.git/HEAD",
            "/srv/pots/.git/config",
            "/srv/pots/.git/objects",
            "/srv/pots/.git/objects/a",
            "/srv/pots/.git/refs",
        ];
        assert_eq!(kept("/app/.git/objects/pack/a.idx"), all);
        assert!(kept("/srv/svn/db/revs/0/1").contains(&"/srv/svn/hooks".to_owned()));
        for other in ["/app/.git/HEAD", "/app/.git/refs/heads/main", "/app/objects/a"] {
            assert_eq!(kept(other), Vec::<String>::new(), "{other}");
        }
    }
}
