//! Directories that the application listed.
//!
//! What lists a directory acts on what it finds there (migrations, plug-ins, locales), so an entry that is missing is
//! missed without an error. The files and links of a listed directory are kept, and its directories as entries, if it
//! is the application's own or small. Else it is named as left out; nothing is ever put in an entry's place.

use std::collections::BTreeSet;

use crate::image::Entry;
use crate::path::RootPath;
use crate::plan::{EdgeKind, LeftOutKind};
use crate::reach::application_directory;
use crate::reach::context::Context;
use crate::reach::resolver::Needs;
use crate::reach::tables::Tables;

/// Roots for the entries of the `listed` directories, which are observed.
///
/// The directories of languages' packages are listed by every start of an interpreter to find modules, and are left to
/// the languages' resolvers; so are, as a recording does not hold them, those that a runtime mounts.
pub(crate) fn roots<'a>(context: &Context<'a>, listed: &BTreeSet<RootPath>) -> Needs<'a> {
    let mut needs = Needs::new(context.rootfs);
    // A directory of programs is listed to find one.
    let programs = context.environment.program_directories(context.rootfs);
    for directory in listed.iter().filter(|directory| !programs.contains(directory)) {
        if !directory.is_root() && !context.package_directories.contains(directory) {
            keep_entries(context, &mut needs, directory);
        }
    }
    needs
}

fn keep_entries(context: &Context<'_>, needs: &mut Needs<'_>, directory: &RootPath) {
    let table = &Tables::built_in().application;
    let below = |path: &String| directory.starts_with(&RootPath::new(path));
    if table.not_named.iter().any(below) {
        return;
    }
    let found: Vec<(&RootPath, &Entry)> = context.rootfs.children(directory).collect();
    let count = found.len() as u64;
    let owned = found
        .iter()
        .any(|(path, _)| context.packages.owner(path).is_some());
    let own = application_directory::may_be_own(context, directory) && !owned;
    let bytes: u64 = found.iter().map(|(_, entry)| entry.size()).sum();
    let limits = context.limits;
    let (bound, flag) = if own {
        (limits.own_files, "--own-files")
    } else {
        (limits.listed_files, "--listed-files")
    };
    if table.system.iter().any(|path| *directory == RootPath::new(path)) {
        let why = "was listed, and is a directory of the system".to_owned();
        return needs.leave_out(directory, LeftOutKind::System, why);
    }
    if count > bound {
        let why = format!("was listed, and has {count} entries with {bytes} bytes, more than {flag} {bound}");
        return needs.leave_out(directory, LeftOutKind::TooLarge, why);
    }
    if bytes > limits.own_bytes {
        let bound = limits.own_bytes;
        let why = format!("was listed, and has {bytes} bytes, more than --own-bytes {bound}");
        return needs.leave_out(directory, LeftOutKind::TooLarge, why);
    }
    for (path, entry) in found {
        if let Some(names) = application_directory::left_out(path.name().unwrap_or_default()) {
            let why = format!("left out of a listed directory: {}", names.why);
            needs.leave_out(path, names.kind, why);
        } else if application_directory::may_be_kept(entry)
            && !(entry.is_dir() && context.package_directories.is_named(path))
        {
            needs.mark_edge(path, EdgeKind::Listed, directory, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image::memory::tree;
    use crate::reach::graph::Reached;
    use crate::reach::options::{Limits, Options};
    use crate::reach::tests::{image, names, reached_with, used};
    use crate::recording::{Access, Actor, FileUse};

    fn listed(items: &[(&str, &[u8])], path: &str, limits: Limits) -> Reached {
        let options = Options {
            limits,
            ..Options::default()
        };
        let list = FileUse {
            access: BTreeSet::from([Access::List]),
            ..used(path)
        };
        reached_with(&image(tree(items), json!({})), vec![list], &options)
    }

    #[test]
    fn entries_of_small_and_own_directories_are_kept() {
        let items: &[(&str, &[u8])] = &[
            ("/app/m/1.sql", b""),
            ("/app/m/2.sql", b""),
            ("/app/m/sub/3.sql", b""),
            ("/app/m/.env", b""),
            ("/usr/lib/app/a.so", b"12345"),
            ("/usr/lib/app/b.so", b""),
        ];
        let own = listed(items, "/app/m", Limits::default());
        assert_eq!(
            names(&own),
            ["/app", "/app/m", "/app/m/1.sql", "/app/m/2.sql", "/app/m/sub"]
        );
        assert_eq!(own.left_out[0].path, "/app/m/.env".into());
        assert_eq!(names(&listed(items, "/usr/lib/app", Limits::default())).len(), 5);
        let few = Limits {
            listed_files: 1,
            ..Limits::default()
        };
        let large = listed(items, "/usr/lib/app", few);
        assert_eq!(names(&large), ["/usr", "/usr/lib", "/usr/lib/app"]);
        assert_eq!(large.left_out[0].remedy, "--include /usr/lib/app");
        assert_eq!(
            large.left_out[0].why,
            "was listed, and has 2 entries with 5 bytes, more than --listed-files 1"
        );
    }

    #[test]
    fn the_system_languages_and_runtimes_listings_keep_nothing() {
        let items: &[(&str, &[u8])] = &[
            ("/etc/x", b""),
            ("/app/site-packages/p/x", b""),
            ("/usr/share/doc/p/x", b""),
            ("/proc/x", b""),
            ("/x", b""),
        ];
        for path in [
            "/",
            "/etc",
            "/app/site-packages",
            "/app/site-packages/p",
            "/usr/share/doc/p",
            "/proc",
        ] {
            let reached = listed(items, path, Limits::default());
            assert!(!names(&reached).iter().any(|path| path.ends_with("/x")), "{path}");
        }
        let runtime = FileUse {
            access: BTreeSet::from([Access::List]),
            actor: Actor::Runtime,
            ..used("/app")
        };
        let image = image(tree(&[("/app/x", b"")]), json!({}));
        assert_eq!(
            names(&reached_with(&image, vec![runtime], &Options::default())),
            ["/app"]
        );
    }
}
