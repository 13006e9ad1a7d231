//! Packages of the distribution that are kept whole.

use std::io;

use crate::plan::{Cause, EdgeKind};
use crate::reach::context::Context;
use crate::reach::error::Error;
use crate::reach::resolver::{Needs, Node, Resolver};

/// Roots for `--keep-package`: all files of each package.
///
/// # Errors
/// No package has that name.
pub(super) fn roots<'a>(context: &Context<'a>, names: &[String]) -> Result<Needs<'a>, Error> {
    let mut needs = Needs::new(context.rootfs);
    for name in names {
        let Some(files) = context.packages.files(name) else {
            return Err(Error::MissingPackage {
                name: name.clone(),
                similar: similar(context, name),
            });
        };
        for path in files {
            let flag = format!("--keep-package {name}");
            needs.mark(path, Cause::Option { flag });
        }
    }
    Ok(needs)
}

/// Returns the notes on the databases of packages.
pub(super) fn notes<'a>(context: &Context<'a>) -> Needs<'a> {
    let mut needs = Needs::new(context.rootfs);
    for note in context.packages.notes() {
        needs.add_note(note.clone());
    }
    needs
}

/// Returns a package whose name begins as `name` does, holds it, or is held by it: the shortest, first by name.
fn similar(context: &Context<'_>, name: &str) -> Option<String> {
    let near = |other: &&str| other.contains(name) || (other.len() > 2 && name.contains(*other));
    let found = context.packages.names().filter(near);
    found
        .min_by_key(|other| other.len().abs_diff(name.len()))
        .map(str::to_owned)
}

/// Keeps the whole package of every kept file.
pub(super) struct WholePackages<'a> {
    context: &'a Context<'a>,
}

impl<'a> WholePackages<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }
}

impl Resolver for WholePackages<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let packages = self.context.packages;
        let Some(name) = packages.owner(node.path) else {
            return Ok(());
        };
        let files = packages.files(name).unwrap_or_default();
        // Every file brings the first, and the first brings all, so that a package costs its files once.
        let wanted = match files.first() {
            Some(first) if first == node.path => files,
            Some(first) => std::slice::from_ref(first),
            None => return Ok(()),
        };
        for path in wanted {
            needs.mark_edge(path, EdgeKind::Package, node.path, Some(name.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image::memory::tree;
    use crate::reach::options::{Keep, Options};
    use crate::reach::tests::{image, names, reached_with, used};

    const ITEMS: &[(&str, &[u8])] = &[
        ("/usr/bin/a", b""),
        ("/usr/bin/b", b""),
        ("/usr/bin/c", b""),
        ("/usr/bin/d", b""),
        (
            "/lib/apk/db/installed",
            b"P:abc\nF:usr/bin\nR:a\nR:b\nR:c\n\nP:libd\nF:usr/bin\nR:d\n\n",
        ),
    ];

    #[test]
    fn a_package_is_kept_whole_from_any_of_its_files() {
        let options = Options {
            keep: Keep::Package,
            ..Options::default()
        };
        for file in ["/usr/bin/a", "/usr/bin/c"] {
            let reached = reached_with(&image(tree(ITEMS), json!({})), vec![used(file)], &options);
            assert_eq!(
                names(&reached),
                ["/usr", "/usr/bin", "/usr/bin/a", "/usr/bin/b", "/usr/bin/c"]
            );
        }
    }

    #[test]
    fn packages_are_kept_by_name() {
        let image = image(tree(ITEMS), json!({}));
        let packages = crate::image::packages::owners(&image.rootfs);
        let close = |name: &str| {
            let options = Options {
                keep: Keep::Observed,
                keep_package: vec![name.to_owned()],
                ..Options::default()
            };
            let recording = crate::reach::tests::recording(crate::reach::tests::run(vec![]));
            crate::reach::close(
                &image,
                &packages,
                &recording,
                &options,
                &crate::cancel::Cancel::default(),
            )
        };
        assert_eq!(names(&close("libd").unwrap()), ["/usr", "/usr/bin", "/usr/bin/d"]);
        let missing = |name: &str, similar: Option<&str>| {
            let similar = similar.map(str::to_owned);
            assert_eq!(
                close(name),
                Err(Error::MissingPackage {
                    name: name.to_owned(),
                    similar
                })
            );
        };
        missing("libd2", Some("libd"));
        missing("d", Some("libd"));
        missing("zzz", None);
    }
}
