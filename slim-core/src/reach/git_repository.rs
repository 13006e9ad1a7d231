//! Repositories of Git: objects are found by digests that stand in other objects, so one that was read needs the others.
//!
//! A directory is a repository by its layout (gitrepository-layout(5)): `HEAD`, `objects` and `refs`. One of which nothing
//! but names of versions were read is no database for the application, and what was never read is version control that
//! came along with its sources (`application_directory.rs`).

use std::io;

use crate::image::Entry;
use crate::path::RootPath;
use crate::plan::EdgeKind;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::walk::{MAX_ENTRIES, walk};

/// The directory of packed objects.
const PACKS: &[u8] = b"pack";
/// The reason that is given.
const WORDS: &str = "objects of a repository are found by their digests";

/// Keeps repositories whole of which objects are kept.
pub(super) struct Repositories<'a> {
    context: &'a Context<'a>,
}

impl<'a> Repositories<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }
}

impl Resolver for Repositories<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(objects) = node.path.parent().filter(|_| node.entry.is_dir()) else {
            return Ok(());
        };
        let Some(repository) = objects.parent().filter(|_| objects.name() == Some(b"objects")) else {
            return Ok(());
        };
        if self.context.find_file(&repository, "HEAD").is_none()
            || self.context.find_directory(&repository, "refs").is_none()
        {
            return Ok(());
        }
        let place = Place::in_file(node.path);
        // Whoever looks for an object looks in this one too, so that one directory alone brings all.
        if node.path.name() != Some(PACKS) {
            if let Some(packs) = self.context.find_directory(&objects, PACKS) {
                needs.follow(&packs, &place.cause(EdgeKind::Computed, WORDS));
            }
            return Ok(());
        }
        let rootfs = self.context.rootfs;
        let all = walk(rootfs, &repository, MAX_ENTRIES, |path, _| !is_sample(path));
        let files: Vec<(&RootPath, &Entry)> = all
            .into_iter()
            .filter(|(_, entry)| entry.is_file() || entry.is_dir())
            .collect();
        let cause = place.cause(EdgeKind::Computed, WORDS);
        self.context.keep_files(needs, &repository, &files, &cause);
        Ok(())
    }
}

/// Returns whether `path` is one of the hooks that Git puts into every repository and never runs.
fn is_sample(path: &RootPath) -> bool {
    path.extension() == Some(b"sample")
}

#[cfg(test)]
mod tests {
    use crate::reach::tests::{kept, used};

    const REPOSITORY: [&str; 9] = [
        "HEAD",
        "config",
        "hooks/commit-msg",
        "modules/a/HEAD",
        "objects/12/3456",
        "objects/ab/cdef",
        "objects/pack/pack-1.pack",
        "refs/heads/main",
        "refs/tags/",
    ];

    fn kept_of(read: &str, lacking: &str) -> Vec<String> {
        let mut paths: Vec<String> = REPOSITORY
            .iter()
            .map(|name| format!("/home/git/x/.git/{name}"))
            .collect();
        paths.push("/home/git/x/.git/hooks/commit-msg.sample".to_owned());
        paths.push("/home/git/x/tea.txt".to_owned());
        paths.retain(|path| lacking.is_empty() || !path.ends_with(lacking));
        let items: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), &b"x"[..])).collect();
        let mut found = kept(&items, vec![used(&format!("/home/git/x/{read}"))]);
        let written = |path: &String| paths.iter().any(|written| written.trim_end_matches('/') == path);
        found.retain(written);
        found
    }

    #[test]
    fn a_repository_of_which_an_object_was_read_is_whole() {
        let all: Vec<String> = REPOSITORY
            .iter()
            .map(|name| format!("/home/git/x/.git/{}", name.trim_end_matches('/')))
            .collect();
        assert_eq!(kept_of(".git/objects/ab/cdef", ""), all);
        assert_eq!(kept_of(".git/objects/pack/pack-1.pack", ""), all);
    }

    #[test]
    fn a_repository_of_which_only_names_were_read_and_what_is_none_are_not() {
        assert_eq!(kept_of(".git/HEAD", ""), ["/home/git/x/.git/HEAD"]);
        assert_eq!(
            kept_of(".git/refs/heads/main", ""),
            ["/home/git/x/.git/refs/heads/main"]
        );
        let alone = ["/home/git/x/.git/objects/ab/cdef"];
        assert_eq!(kept_of(".git/objects/ab/cdef", "x/.git/HEAD"), alone);
    }
}
