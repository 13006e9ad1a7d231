//! Directories that a server serves and that packages have: a packaged web application.
//!
//! What an application's author put there is the application's own (`application_directory.rs`). Of what a package put
//! there strangers may ask for any file, too, and its sources find each other by conventions of their own.

use std::collections::BTreeSet;

use super::application_directory;
use super::context::Context;
use super::options::PACKAGED;
use super::resolver::Needs;
use super::walk::{MAX_ENTRIES, walk};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, LeftOutKind};

/// The largest number of directories that links in a served one lead to.
const MAX_LINKED: usize = 100;

/// Keeps what packages have in `directory`, which `cause` serves, and what is in the directories that links in it lead to.
pub(super) fn keep(context: &Context<'_>, needs: &mut Needs<'_>, directory: &RootPath, cause: &Cause) {
    let (packages, rootfs) = (context.packages, context.rootfs);
    let mut todo = vec![(directory.clone(), cause.clone())];
    let mut seen = BTreeSet::new();
    while let Some((directory, cause)) = todo.pop() {
        if !application_directory::may_be_own(context, &directory)
            || seen.len() > MAX_LINKED
            || !seen.insert(directory.clone())
        {
            continue;
        }
        application_directory::keep(context, needs, &directory, &cause);
        let entries = walk(rootfs, &directory, MAX_ENTRIES, |path, entry| {
            let named = context.package_directories;
            let is_others = entry.is_dir() && (named.is_named(path) || named.is_marked(rootfs, path));
            !is_others
                && application_directory::left_out(path.name().unwrap_or_default()).is_none()
                && (entry.is_dir() || packages.owner(path).is_some())
        });
        let files: Vec<_> = entries.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
        let bytes: u64 = files.iter().map(|(_, entry)| entry.size()).sum();
        if !context.limits.hold_packaged(files.len() as u64, bytes) {
            let why = format!(
                "is served, and has {} files with {bytes} bytes of packages, more than {PACKAGED} times --own-files and \
                 --own-bytes allow",
                files.len()
            );
            needs.leave_out(&directory, LeftOutKind::TooLarge, why);
            continue;
        }
        for (path, entry) in files {
            needs.mark(path, cause.clone());
            if entry.is_symlink()
                && let Some(found) = context.find_directory(&RootPath::root(), path.as_bytes())
                && !found.path.starts_with(&directory)
            {
                let target = Cause::Edge {
                    edge: EdgeKind::Target,
                    from: path.clone(),
                    line: None,
                    quote: None,
                };
                needs.follow(&found, &target);
                todo.push((found.path, target));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::image::memory::tree;
    use crate::reach::options::{Limits, Options};
    use crate::reach::tests::{image, names, reached_with, used};

    fn kept(own_files: u64) -> (Vec<String>, Vec<String>) {
        let items: &[(&str, &[u8])] = &[
            ("/etc/nginx/nginx.conf", b"http { server { root /usr/share/wiki; } }"),
            ("/usr/share/wiki/index.php", b"<?php"),
            ("/usr/share/wiki/inc/page.php", b"<?php"),
            ("/usr/share/wiki/conf", b"-> /etc/wiki"),
            ("/usr/share/wiki/plugins", b"-> /var/lib/wiki/plugins"),
            ("/usr/share/wiki/up", b"-> ../other"),
            ("/usr/share/other/x", b""),
            ("/etc/wiki/users", b""),
            ("/var/lib/wiki/plugins/own.php", b"<?php"),
            ("/var/lib/wiki/plugins/packaged.php", b"<?php"),
            (
                "/var/lib/dpkg/status",
                b"Package: wiki\nStatus: install ok installed\n\n",
            ),
            (
                "/var/lib/dpkg/info/wiki.list",
                b"/usr/share/wiki\n/usr/share/wiki/index.php\n/usr/share/wiki/inc/page.php\n/usr/share/wiki/conf\n\
                  /usr/share/wiki/plugins\n/etc/wiki/users\n/var/lib/wiki/plugins/packaged.php\n",
            ),
        ];
        let options = Options {
            limits: Limits {
                own_files,
                ..Limits::default()
            },
            ..Options::default()
        };
        let image = image(tree(items), serde_json::json!({}));
        let reached = reached_with(&image, vec![used("/etc/nginx/nginx.conf")], &options);
        let files = names(&reached)
            .into_iter()
            .filter(|path| path.contains("wiki") && path.contains('.'));
        (
            files.collect(),
            reached
                .left_out
                .into_iter()
                .map(|left| left.path.to_string())
                .collect(),
        )
    }

    #[test]
    fn a_packaged_application_that_is_served_is_kept_with_what_its_links_lead_to() {
        let (files, _) = kept(100);
        assert_eq!(
            files,
            [
                "/usr/share/wiki/inc/page.php",
                "/usr/share/wiki/index.php",
                "/var/lib/wiki/plugins/own.php",
                "/var/lib/wiki/plugins/packaged.php"
            ]
        );
        let (files, left_out) = kept(0);
        assert!(
            !files.contains(&"/usr/share/wiki/inc/page.php".to_owned()),
            "{files:?}"
        );
        assert!(left_out.contains(&"/usr/share/wiki".to_owned()), "{left_out:?}");
    }
}
