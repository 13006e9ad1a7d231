//! Directories that are the application's own: kept whole, within bounds.
//!
//! What an application brings with itself it may come to use: templates, pages, plug-ins, data. So a directory that is
//! named as its own is kept with what is in it. Nobody's own are the directories of the system (a table), what is
//! below those that libraries, caches and package managers use, and files of packages. Version control, caches,
//! editors' files and what may hold a secret are left out and reported, each with the flag that keeps it; the
//! directories of languages' packages (`node_modules`, `site-packages`) are left to the languages' resolvers.

use std::sync::LazyLock;

use globset::GlobSet;

use super::application_content::Content;
use super::command;
use super::context::Context;
use super::pattern::{as_path, name_set};
use super::resolver::Needs;
use super::tables::{LeftOutNames, Tables};
use super::walk::walk;
use crate::image::{Entry, Kind};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, LeftOutKind};

/// The names that are left out, in the order of the table.
static LEFT_OUT: LazyLock<Vec<(&LeftOutNames, GlobSet)>> = LazyLock::new(|| {
    let groups = &Tables::built_in().application.left_out;
    groups
        .iter()
        .map(|group| (group, name_set(&group.names)))
        .collect()
});

/// Returns the row of the table by which an entry of this name is left out of an application's own directory.
pub(super) fn left_out(name: &[u8]) -> Option<&'static LeftOutNames> {
    let found = LEFT_OUT.iter().find(|(_, names)| names.is_match(as_path(name)));
    found.map(|(names, _)| *names)
}

/// Returns whether `directory` may be an application's own, by its path.
pub(super) fn may_be_own(context: &Context<'_>, directory: &RootPath) -> bool {
    let own = &Tables::built_in().application;
    let is = |path: &String| *directory == RootPath::new(path);
    let below = |path: &String| directory.starts_with(&RootPath::new(path));
    !(directory.is_root()
        || own.system.iter().any(is)
        || own.not_below.iter().any(below)
        || context.package_directories.contains(directory))
}

/// Returns whether `file` may be an application's own source or configuration: no package owns it, and it is not where
/// the system or a language keeps what is installed.
pub(super) fn may_be_own_file(context: &Context<'_>, file: &RootPath) -> bool {
    let elsewhere = &Tables::built_in().configuration.not_an_application;
    context.packages.owner(file).is_none()
        && !elsewhere
            .iter()
            .any(|above| file.starts_with(&RootPath::new(above)))
        && !context.package_directories.contains(file)
}

/// Returns whether an entry may be kept with its directory: device nodes are for the runtime to make.
pub(super) fn may_be_kept(entry: &Entry) -> bool {
    !matches!(entry.kind, Kind::CharDevice { .. } | Kind::BlockDevice { .. })
}

fn content(context: &Context<'_>, directory: &RootPath) -> Content {
    let mut content = Content::default();
    let packages = context.package_directories;
    let (left_out_here, owned) = (&mut content.left_out, &mut content.owned);
    let entries = walk(context.rootfs, directory, usize::MAX, |path, entry| {
        if let Some(names) = left_out(path.name().unwrap_or_default()) {
            left_out_here.push((path.clone(), names));
            return false;
        }
        if entry.is_dir() {
            return !packages.is_named(path) && !packages.is_marked(context.rootfs, path);
        }
        let is_owned = context.packages.owner(path).is_some();
        *owned += u64::from(is_owned);
        !is_owned && may_be_kept(entry)
    });
    for (path, entry) in entries {
        if !entry.is_dir() {
            content.files += 1;
            content.bytes += entry.size();
        }
        content.entries.push(path.clone());
    }
    content
}

/// Keeps what is in `directory`, if that is an application's own, because `cause` names it.
///
/// The directory itself is the caller's to keep. One in which packages have all files is theirs. The directories that
/// links in it lead to (a web application linked from outside the web root) are named by it, each with bounds of its
/// own.
pub(super) fn keep(context: &Context<'_>, needs: &mut Needs<'_>, directory: &RootPath, cause: &Cause) {
    let mut todo = vec![(directory.clone(), cause.clone())];
    while let Some((directory, cause)) = todo.pop() {
        if may_be_own(context, &directory) && needs.claim_whole(&directory) {
            keep_one(context, needs, &directory, &cause, &mut todo);
        }
    }
}

/// Keeps what is in one directory, and adds those that links in it lead to.
fn keep_one(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    directory: &RootPath,
    cause: &Cause,
    linked: &mut Vec<(RootPath, Cause)>,
) {
    let content = context.contents.get(directory, || content(context, directory));
    if content.files == 0 && content.owned > 0 {
        return;
    }
    let limits = context.limits;
    if content.files > limits.own_files || content.bytes > limits.own_bytes {
        let why = format!(
            "holds {} files and {:.1} MB, more than --own-files {} and --own-bytes {} allow",
            content.files,
            // Rounded for people; the bound was checked on the number.
            content.bytes as f64 / 1e6,
            limits.own_files,
            limits.own_bytes,
        );
        needs.leave_out(directory, LeftOutKind::TooLarge, why);
        return;
    }
    for (path, names) in &content.left_out {
        let why = format!("left out of the application's own directory: {}", names.why);
        needs.leave_out(path, names.kind, why);
    }
    if content.owned > 0 {
        let why = format!("kept without {} files that packages put there", content.owned);
        needs.leave_out(directory, LeftOutKind::Packaged, why);
    }
    let (from, line, quote) = match cause {
        Cause::Edge {
            from, line, quote, ..
        } => (from, *line, quote.clone()),
        Cause::Config { instruction } => (directory, None, Some(instruction.clone())),
        Cause::Option { flag } => (directory, None, Some(flag.clone())),
        Cause::Observed { .. } | Cause::Always { .. } => (directory, None, None),
    };
    let own = Cause::Edge {
        edge: EdgeKind::Own,
        from: from.clone(),
        line,
        quote,
    };
    needs.mark(directory, cause.clone());
    for path in content.entries.iter().filter(|path| *path != from) {
        needs.mark(path, own.clone());
        if context
            .rootfs
            .get(path)
            .is_some_and(|entry| matches!(entry.kind, Kind::Symlink { .. }))
            && let Some(found) = context.find_directory(&RootPath::root(), path.as_bytes())
            && !found.path.starts_with(directory)
        {
            let cause = Cause::Edge {
                edge: EdgeKind::Target,
                from: path.clone(),
                line: None,
                quote: None,
            };
            needs.follow(&found, &cause);
            linked.push((found.path, cause));
        }
    }
}

/// Keeps what is in `directory`, which the image's config names, also where it is a place in which distributions put
/// nothing (`/media`, `/root`).
fn keep_configured(context: &Context<'_>, needs: &mut Needs<'_>, directory: &RootPath, cause: &Cause) {
    let places = &Tables::built_in().application.places;
    if places.iter().any(|place| *directory == RootPath::new(place)) && needs.claim_whole(directory) {
        let mut linked = Vec::new();
        keep_one(context, needs, directory, cause, &mut linked);
        for (directory, cause) in linked {
            keep(context, needs, &directory, &cause);
        }
    } else {
        keep(context, needs, directory, cause);
    }
}

/// Roots for what the image's config names as the application: WORKDIR, each VOLUME, and the files that the words of ENTRYPOINT
/// and CMD name (a script, an archive, a program by its path) with the directories they stand in, and the directories
/// that they name, in options too. A program that is found along PATH says nothing about its directory, and a home
/// directory is not named by being one.
pub(super) fn roots<'a>(context: &Context<'a>) -> Needs<'a> {
    let mut needs = Needs::new(context.rootfs);
    let workdir = &context.environment.workdir;
    let because = |instruction: &str| Cause::Config {
        instruction: instruction.to_owned(),
    };
    if let Some(found) = context.find_directory(&RootPath::root(), workdir.as_bytes()) {
        needs.follow(&found, &because("WORKDIR"));
        keep_configured(context, &mut needs, &found.path, &because("WORKDIR"));
    }
    // A volume that an engine makes begins with what the image has there.
    for volume in context.config.volumes() {
        if let Some(found) = context.find_directory(&RootPath::root(), volume.as_bytes()) {
            needs.follow(&found, &because("VOLUME"));
            keep_configured(context, &mut needs, &found.path, &because("VOLUME"));
        }
    }
    for (instruction, argv) in [
        ("ENTRYPOINT", context.config.entrypoint()),
        ("CMD", context.config.cmd()),
    ] {
        let cause = because(instruction);
        let separator = |c: char| c.is_whitespace() || ";|&()<>'\"`".contains(c);
        let words = argv.iter().flat_map(|word| word.split(separator));
        let mut base = workdir.clone();
        let mut chdir = false;
        for word in words.filter(|word| !word.is_empty()) {
            let asked = match word.strip_prefix("--chdir") {
                Some("") => {
                    chdir = true;
                    continue;
                }
                Some(value) => {
                    chdir = true;
                    value.trim_start_matches('=')
                }
                None => word,
            };
            if std::mem::take(&mut chdir) {
                if let Some(found) = context.find_directory(&base, asked) {
                    needs.follow(&found, &cause);
                    keep(context, &mut needs, &found.path, &cause);
                    base = found.path;
                }
            } else if !word.starts_with('-')
                && let Some(found) = context.find_file(&base, word)
            {
                needs.follow(&found, &cause);
                let owned = context.packages.owner(&found.path).is_some();
                if let Some(parent) = found.path.parent().filter(|_| !owned) {
                    keep(context, &mut needs, &parent, &cause);
                }
            } else {
                for path in command::absolute_paths(word.as_bytes()) {
                    let root = RootPath::root();
                    if let Some(found) = context.find_directory(&root, path) {
                        needs.follow(&found, &cause);
                        keep(context, &mut needs, &found.path, &cause);
                    } else if let Some(found) = context.find_file(&root, path) {
                        needs.follow(&found, &cause);
                    }
                }
            }
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image::memory::tree;
    use crate::plan::LeftOut;
    use crate::reach::options::{Limits, Options};
    use crate::reach::tests::{image, names, reached_with};

    fn own(
        items: &[(&str, &[u8])],
        config: serde_json::Value,
        limits: Limits,
    ) -> (Vec<String>, Vec<LeftOut>) {
        let options = Options {
            limits,
            ..Options::default()
        };
        let reached = reached_with(&image(tree(items), config), vec![], &options);
        (names(&reached), reached.left_out)
    }

    #[test]
    fn the_working_directory_is_kept_without_secrets_and_packages() {
        let items: &[(&str, &[u8])] = &[
            ("/app/a/b.tmpl", b"x"),
            ("/app/uploads/", b""),
            ("/app/link", b"-> a/b.tmpl"),
            ("/app/.env.local", b"KEY=1"),
            ("/app/.git/HEAD", b""),
            ("/app/tls/server.key", b""),
            ("/app/node_modules/x/index.js", b""),
            ("/app/vendor/bundle/x.rb", b""),
            ("/app/vendor/lib/x.rb", b""),
        ];
        let (kept, left_out) = own(items, json!({ "WorkingDir": "/app" }), Limits::default());
        assert_eq!(
            kept,
            [
                "/app",
                "/app/a",
                "/app/a/b.tmpl",
                "/app/link",
                "/app/tls",
                "/app/uploads",
                "/app/vendor",
                "/app/vendor/lib",
                "/app/vendor/lib/x.rb"
            ]
        );
        let remedies: Vec<&str> = left_out.iter().map(|l| l.remedy.as_str()).collect();
        assert_eq!(
            remedies,
            [
                "--include /app/.env.local",
                "--include /app/.git",
                "--include /app/tls/server.key"
            ]
        );
    }

    #[test]
    fn a_volume_begins_with_what_the_image_has_there() {
        let items: &[(&str, &[u8])] = &[
            ("/srv/files/ann/", b""),
            ("/srv/files/bob/tea", b""),
            ("/srv/other", b""),
        ];
        let (kept, _) = own(
            items,
            json!({ "Volumes": { "/srv/files": {}, "/made": {} } }),
            Limits::default(),
        );
        let expected = [
            "/srv",
            "/srv/files",
            "/srv/files/ann",
            "/srv/files/bob",
            "/srv/files/bob/tea",
        ];
        assert_eq!(kept, expected);
    }

    #[test]
    fn directories_that_links_lead_to_are_the_applications_too() {
        let items: &[(&str, &[u8])] = &[
            ("/srv/www/shop", b"-> /opt/shop/public"),
            ("/srv/www/here", b"-> shop"),
            ("/srv/www/system", b"-> /etc"),
            ("/etc/x", b""),
            ("/opt/shop/public/a.html", b""),
            ("/opt/shop/public/media", b"-> /data"),
            ("/opt/shop/secret/b.html", b""),
            ("/data/c.png", b""),
            ("/data/back", b"-> /srv/www"),
        ];
        let (kept, _) = own(items, json!({ "WorkingDir": "/srv/www" }), Limits::default());
        let files = ["/opt/shop/public/a.html", "/data/c.png"];
        assert!(
            files.iter().all(|file| kept.contains(&(*file).to_owned())),
            "{kept:?}"
        );
        assert!(
            !kept
                .iter()
                .any(|path| path.ends_with("/x") || path.ends_with("b.html")),
            "{kept:?}"
        );
    }

    #[test]
    fn a_large_directory_is_named_and_left_out() {
        let items: &[(&str, &[u8])] = &[("/app/a", b"12345"), ("/app/b", b"12345")];
        for (own_files, own_bytes, whole) in [(2, 10, true), (1, 10, false), (2, 9, false)] {
            let limits = Limits {
                own_files,
                own_bytes,
                ..Limits::default()
            };
            let (kept, left_out) = own(items, json!({ "WorkingDir": "/app" }), limits);
            assert_eq!(kept.len(), if whole { 3 } else { 1 }, "{own_files} {own_bytes}");
            assert_eq!(left_out.len(), usize::from(!whole));
        }
    }

    #[test]
    fn the_system_and_packages_own_theirs() {
        let status = b"Package: web\nStatus: install ok installed\n";
        let items: &[(&str, &[u8])] = &[
            ("/etc/x", b""),
            ("/usr/lib/app/x", b""),
            ("/srv/www/index.html", b"a package's"),
            ("/srv/www/mine.html", b""),
            ("/srv/theirs/x", b""),
            ("/var/lib/dpkg/status", status),
            (
                "/var/lib/dpkg/info/web.list",
                b"/srv/www/index.html\n/srv/theirs/x\n",
            ),
        ];
        for directory in ["/", "/etc", "/usr/lib/app", "/srv/theirs"] {
            let (kept, left_out) = own(items, json!({ "WorkingDir": directory }), Limits::default());
            assert!(
                !kept.iter().any(|path| path.ends_with("/x")),
                "{directory}: {kept:?}"
            );
            assert_eq!(left_out, [], "{directory}");
        }
        let (kept, left_out) = own(items, json!({ "WorkingDir": "/srv/www" }), Limits::default());
        assert!(kept.contains(&"/srv/www/mine.html".to_owned()));
        assert!(!kept.contains(&"/srv/www/index.html".to_owned()));
        assert_eq!(left_out.len(), 1);
    }

    #[test]
    fn options_name_directories_and_a_place_of_nobody_is_own_where_it_is_the_working_directory() {
        let items: &[(&str, &[u8])] = &[
            ("/media/clip.mkv", b"x"),
            ("/srv/site/index.html", b"x"),
            ("/srv/plugins/a.so", b"x"),
            ("/srv/data/b", b"x"),
            ("/srv/other/c", b"x"),
            ("/opt/server.conf", b"x"),
            ("/opt/other", b"x"),
            ("/var/log/d", b"x"),
        ];
        let config = json!({
            "WorkingDir": "/media",
            "Entrypoint": ["server", "--root", "/srv/site", "--plugins=/srv/plugins:/srv/data"],
            "Cmd": ["--config=/opt/server.conf", "--logs=/var/log"],
        });
        let (kept, _) = own(items, config, Limits::default());
        assert_eq!(
            kept,
            [
                "/media",
                "/media/clip.mkv",
                "/opt",
                "/opt/server.conf",
                "/srv",
                "/srv/data",
                "/srv/data/b",
                "/srv/plugins",
                "/srv/plugins/a.so",
                "/srv/site",
                "/srv/site/index.html",
                "/var",
                "/var/log"
            ]
        );
        let (kept, _) = own(items, json!({ "WorkingDir": "/var/log" }), Limits::default());
        assert_eq!(kept, ["/var", "/var/log"]);
    }

    #[test]
    fn words_of_the_command_name_files_and_their_directories() {
        let items: &[(&str, &[u8])] = &[
            ("/app/server.js", b""),
            ("/app/view.html", b""),
            ("/usr/bin/node", b""),
            ("/usr/bin/other", b""),
            ("/entry.sh", b""),
            ("/data/x", b""),
        ];
        let all = |config| own(items, config, Limits::default()).0;
        let expected = [
            "/app",
            "/app/server.js",
            "/app/view.html",
            "/usr",
            "/usr/bin",
            "/usr/bin/node",
        ];
        assert_eq!(all(json!({ "Cmd": ["node", "/app/server.js"] })), expected);
        assert_eq!(
            all(json!({ "Cmd": ["node", "--chdir", "/app", "server.js"] })),
            expected
        );
        assert_eq!(all(json!({ "Cmd": ["node", "--chdir=/app"] })), expected);
        assert_eq!(
            all(json!({ "Cmd": ["/bin/sh", "-c", "exec node '/app/server.js'"] })),
            expected
        );
        assert_eq!(all(json!({ "Entrypoint": ["/entry.sh"] })), ["/entry.sh"]);
        assert_eq!(
            all(json!({ "Entrypoint": ["/entry.sh", "/data"] })),
            ["/data", "/data/x", "/entry.sh"]
        );
    }

    #[test]
    fn every_pattern_of_the_table_is_well_formed() {
        // Reading the table panics at a malformed one.
        assert_eq!(
            left_out(b".env").map(|names| names.kind),
            Some(LeftOutKind::Secret)
        );
        assert!(left_out(b"env.js").is_none());
    }
}
