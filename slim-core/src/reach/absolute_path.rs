//! Absolute paths named in kept sources, scripts and configuration.
//!
//! A file that is named is kept, a directory as an entry, and with what is in it if it is the application's own. A
//! path with `*`, `?` or `[…]` names what it matches. Not kept for being named: device nodes, what the runtime mounts,
//! documentation, caches and the databases of package managers (a table), and shells and package managers (the guard).

use super::application_directory;
use super::bytes::contains;
use super::context::{Context, Place};
use super::pattern::is_pattern;
use super::resolver::Needs;
use super::tables::Tables;
use crate::image::PATH_MAX;
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind, LeftOut, LeftOutKind};

/// The largest number of programs of one directory that are kept for being handed to execution.
const MAX_PROGRAMS: usize = 1000;
/// The most paths of one file that are looked up where its words are all that is known.
const MAX_WORDS: usize = 2000;

/// Keeps what stands at `path`, which is named at `place`.
pub(super) fn keep(context: &Context<'_>, needs: &mut Needs<'_>, path: &[u8], place: Place<'_>) {
    if !path.starts_with(b"/") || path.len() >= PATH_MAX || !needs.may_look_up() {
        return;
    }
    let cause = place.cause(EdgeKind::Literal, &encode(path));
    if !keep_one(context, needs, path, &cause) && is_pattern(path) {
        keep_matches(context, needs, path, &cause);
    }
}

/// Keeps the absolute paths of at least two names that stand as words in `source`, comments left out, and of directories
/// the programs that no package owns.
pub(super) fn keep_words(context: &Context<'_>, needs: &mut Needs<'_>, file: &RootPath, source: &[u8]) {
    let mut words = 0;
    for (index, line) in source.split(|&b| b == b'\n').enumerate() {
        let line = line.trim_ascii_start();
        if [&b"#"[..], b";", b"//", b"<!--"]
            .iter()
            .any(|mark| line.starts_with(mark))
        {
            continue;
        }
        for word in line.split(|b| b.is_ascii_whitespace() || b"\"'`=,;:()<>[]{}|".contains(b)) {
            // Behind `http:` stands a host.
            let host = word.starts_with(b"//") && !word.starts_with(b"///");
            if !word.starts_with(b"/") || host || word.len() >= PATH_MAX {
                continue;
            }
            if RootPath::new(word).components().nth(1).is_some() {
                keep(context, needs, word, Place::on_line(file, index + 1));
                keep_programs(context, needs, word, Place::on_line(file, index + 1), false);
                words += 1;
                if words == MAX_WORDS {
                    return;
                }
            }
        }
    }
}

/// Keeps the programs that stand directly in the directory `path`, from which a server or a scheduler runs what it is
/// told to (CGI, `run-parts`), of packages too if they are `packaged`. Of a path with variables, what stands before.
pub(super) fn keep_programs(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    path: &[u8],
    place: Place<'_>,
    packaged: bool,
) {
    if !path.starts_with(b"/") {
        return;
    }
    let root = RootPath::root();
    let literal = path.split(|&b| b == b'$').next().unwrap_or_default();
    let Some(directory) = context.find_directory(&root, literal).map(|found| found.path) else {
        return;
    };
    let rootfs = context.rootfs;
    let system = |path: &String| directory == RootPath::new(path);
    if Tables::built_in().application.system.iter().any(system)
        || context.package_directories.contains(&directory)
        || context
            .environment
            .program_directories(rootfs)
            .contains(&directory)
    {
        return;
    }
    let cause = place.cause(EdgeKind::Command, &encode(path));
    for (path, _) in rootfs.children(&directory).take(MAX_PROGRAMS) {
        let is_library = path.name().is_some_and(|name| contains(name, b".so"));
        let is_program = |path: &RootPath| rootfs.get(path).is_some_and(|entry| entry.mode & 0o111 != 0);
        if !is_library
            && (packaged || context.packages.owner(path).is_none())
            && let Some(file) = context.find_file(&root, path.as_bytes())
            && is_program(&file.path)
        {
            needs.follow(&file, &cause);
        }
    }
}

/// Keeps what stands at `path`, and returns whether something does; a file is kept if a name alone may keep it.
fn keep_one(context: &Context<'_>, needs: &mut Needs<'_>, path: &[u8], cause: &Cause) -> bool {
    let root = RootPath::root();
    if let Some(file) = context.find_file(&root, path) {
        let never = &Tables::built_in().application.not_named;
        if !never
            .iter()
            .any(|never| file.path.starts_with(&RootPath::new(never)))
        {
            needs.follow(&file, cause);
        }
        return true;
    }
    let Some(directory) = context.find_directory(&root, path) else {
        return false;
    };
    needs.follow(&directory, cause);
    application_directory::keep(context, needs, &directory.path, cause);
    true
}

/// Keeps what a pattern matches. One that would take the whole of a directory of the system, or more than an
/// application's own directory may hold, is too wide to be meant.
fn keep_matches(context: &Context<'_>, needs: &mut Needs<'_>, pattern: &[u8], cause: &Cause) {
    let names: Vec<&[u8]> = pattern.split(|&b| b == b'/').collect();
    let fixed = names
        .iter()
        .position(|name| is_pattern(name))
        .unwrap_or(names.len());
    let directory = RootPath::new(names[..fixed].join(&b'/'));
    let all = names
        .get(fixed)
        .is_some_and(|name| name.iter().all(|b| b"*?".contains(b)));
    let system = |path: &String| RootPath::new(path) == directory;
    if directory.is_root() || (all && Tables::built_in().application.system.iter().any(system)) {
        return;
    }
    let found = context.find_matches(pattern);
    if found.len() as u64 > context.limits.own_files {
        let words = encode(pattern);
        if context.rootfs.get(&directory).is_some() {
            let why = format!(
                "{} of its entries are named by {words}, more than --own-files allows",
                found.len()
            );
            needs.left_out.push(LeftOut {
                path: directory,
                kind: LeftOutKind::TooLarge,
                from: None,
                line: None,
                why,
                remedy: format!("--include {words}"),
            });
        }
        return;
    }
    for path in found {
        keep_one(context, needs, path.as_bytes(), cause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::image::memory::tree;
    use crate::image::{Config, packages};
    use crate::reach::environment::Environment;
    use crate::reach::options::Options;

    /// Returns what naming `path` in /conf marks.
    fn marked(items: &[(&str, &[u8])], path: &str) -> Vec<String> {
        let rootfs = tree(items);
        let config = Config::default();
        let environment = Environment::from_config(&rootfs, &config);
        let packages = packages::owners(&rootfs);
        let options = Options::default();
        let cancel = Cancel::default();
        let context = Context::new(
            &rootfs,
            &config,
            &environment,
            &packages,
            &options,
            crate::reach::languages::package_directories(),
            &cancel,
        );
        let mut needs = Needs::new(&rootfs);
        keep(
            &context,
            &mut needs,
            path.as_bytes(),
            Place::on_line(&"/conf".into(), 3),
        );
        let mut paths: Vec<String> = needs.paths().map(ToString::to_string).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    #[test]
    fn files_directories_and_patterns_are_named() {
        let items: &[(&str, &[u8])] = &[
            ("/data", b"-> srv/data"),
            ("/srv/data/a.txt", b""),
            ("/srv/data/b.bin", b""),
            ("/etc/app.d/1.conf", b""),
            ("/etc/app.d/2.txt", b""),
            ("/etc/one.conf", b""),
            ("/etc/shadow", b""),
            ("/usr/share/doc/app/readme", b""),
            ("/var/cache/app/x", b""),
        ];
        assert_eq!(marked(items, "/data/a.txt"), ["/data", "/srv/data/a.txt"]);
        assert_eq!(
            marked(items, "/srv/data"),
            ["/srv/data", "/srv/data/a.txt", "/srv/data/b.bin"]
        );
        assert_eq!(marked(items, "/etc/app.d/*.conf"), ["/etc/app.d/1.conf"]);
        assert_eq!(marked(items, "/etc/*.conf"), ["/etc/one.conf"]);
        assert_eq!(marked(items, "/etc"), ["/etc"]);
        assert_eq!(marked(items, "/var/cache/app"), ["/var/cache/app"]);
        for nothing in [
            "/etc/*",
            "/*",
            "/usr/share/doc/app/readme",
            "/var/cache/app/x",
            "data",
            "/gone",
            "/",
        ] {
            assert_eq!(marked(items, nothing), Vec::<String>::new(), "{nothing}");
        }
    }
}
