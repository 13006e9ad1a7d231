//! The data of a packaged program: a directory below `/usr/share` that it names and that its own package fills.
//!
//! A server has its share directory compiled in and opens what is there by names that it computes (dictionaries, time
//! zones, error pages, character sets). So the files are kept that the program's package put there, and those of the
//! parts that distributions split off for all architectures (`NAME-common`, `NAME-data`), that bring modules for it, or
//! that a link of these leads to (translations that are packaged apart), within the bounds of an
//! application's own directory. Directories below `/usr/share` alone: elsewhere packages keep libraries and programs,
//! which are needed by name.

use std::collections::BTreeSet;

use super::application_directory;
use super::context::Context;
use super::resolver::Needs;
use super::tables::Tables;
use super::walk::{MAX_ENTRIES, walk, with_ancestors};
use crate::image::{Entry, LastLink, Resolved};
use crate::path::RootPath;
use crate::plan::{Cause, LeftOutKind};

/// The directory of data that is alike for all architectures.
const SHARE: &str = "/usr/share";
/// Suffixes of the packages that hold a package's data.
const PARTS: [&str; 3] = ["", "-common", "-data"];
/// Names of directories that are for people to read, and of translations, which are families of files.
const NOT_DATA: [&[u8]; 4] = [b"man", b"doc", b"info", b"locale"];

/// Returns whether packages may keep a program's data in `directory`.
pub(super) fn may_be_data(context: &Context<'_>, directory: &RootPath) -> bool {
    let not_named = &Tables::built_in().application.not_named;
    let share = RootPath::new(SHARE);
    *directory != share
        && directory.starts_with(&share)
        && context.packages.made(directory)
        && !context.package_directories.contains(directory)
        && !not_named
            .iter()
            .any(|above| directory.starts_with(&RootPath::new(above)))
}

/// Returns the names of the packages that may hold the data of `package`: a library's has its version behind it, which
/// that of its data may lack (`libx10`, `libx10-common`, `libx-common`).
fn parts_of(package: &str) -> BTreeSet<String> {
    let name = package.strip_suffix("t64").unwrap_or(package);
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '-'));
    let of = |name: &str| PARTS.map(|part| format!("{name}{part}"));
    let mut parts: BTreeSet<String> = of(package).into();
    if package.starts_with("lib") && !name.is_empty() {
        parts.extend(of(name));
    }
    parts
}

/// Returns the directory highest above `directory` in which `parts` alone have files: what a program finds from one of
/// its directories by `..` is there, too.
fn top_of(context: &Context<'_>, directory: &RootPath, parts: &BTreeSet<String>) -> RootPath {
    let own = |path: &RootPath| {
        context
            .packages
            .owner(path)
            .is_none_or(|owner| parts.contains(owner))
    };
    let mut top = directory.clone();
    while let Some(above) = top.parent().filter(|above| may_be_data(context, above)) {
        let all = walk(context.rootfs, &above, MAX_ENTRIES, |_, _| true);
        if !all.iter().all(|(path, entry)| entry.is_dir() || own(path)) {
            break;
        }
        top = above;
    }
    top
}

/// Keeps what the package of `program`, and those that bring `modules` for it, have in the directory that was
/// `found`, which `cause` says that the program names.
pub(super) fn keep(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    program: &RootPath,
    found: &Resolved,
    modules: &BTreeSet<&str>,
    cause: &Cause,
) {
    let Some(package) = context.packages.owner(program) else {
        return;
    };
    if !may_be_data(context, &found.path) {
        return;
    }
    let share = RootPath::new(SHARE);
    let is_data = |path: &RootPath| {
        let inner = with_ancestors(path).take_while(|path| path != &share);
        !inner
            .into_iter()
            .any(|path| path.name().is_some_and(|name| NOT_DATA.contains(&name)))
    };
    let mut files: Vec<(&RootPath, &Entry)> = Vec::new();
    let mut parts = parts_of(package);
    if !needs.claim_whole(&found.path) {
        return;
    }
    let directory = &top_of(context, &found.path, &parts);
    if *directory != found.path && !needs.claim_whole(directory) {
        return;
    }
    parts.extend(modules.iter().map(|part| (*part).to_owned()));
    let all = walk(context.rootfs, directory, MAX_ENTRIES, |_, _| true);
    let linked = |link: &RootPath| {
        context
            .packages
            .owner(link)
            .is_some_and(|owner| parts.contains(owner))
    };
    if found.links.iter().any(linked) {
        let owners = all.iter().filter_map(|(path, _)| context.packages.owner(path));
        parts.extend(owners.map(str::to_owned));
    }
    for part in &parts {
        let all = context.packages.files(part).unwrap_or_default();
        // They are sorted, so those below the directory stand one behind the other.
        let first = all.partition_point(|path| path < directory);
        let below = all[first..].iter().filter(|path| path.starts_with(directory));
        for path in below.filter(|path| is_data(path)) {
            if let Some(names) = application_directory::left_out(path.name().unwrap_or_default()) {
                let why = format!("left out of a program's data: {}", names.why);
                needs.leave_out(path, names.kind, why);
            } else if let Some(entry) = context.rootfs.get(path)
                && application_directory::may_be_kept(entry)
            {
                files.push((path, entry));
            }
        }
    }
    // A directory that others fill is shared, and no program reads all of it.
    let owned = |path: &RootPath, entry: &Entry| !entry.is_dir() && context.packages.owner(path).is_some();
    let count = all
        .iter()
        .filter(|(path, entry)| owned(path, entry) && is_data(path))
        .count();
    if files.len() * 2 < count {
        return;
    }
    let bytes: u64 = files.iter().map(|(_, entry)| entry.size()).sum();
    let limits = context.limits;
    // A link is no file more: what it leads to is counted.
    let count = files.iter().filter(|(_, entry)| entry.is_file()).count() as u64;
    if count > limits.own_files || bytes > limits.own_bytes {
        let why = format!(
            "{program} may open its package's data in it by names that it computes, and {count} files with {bytes} bytes \
             are more than --own-files and --own-bytes allow"
        );
        return needs.leave_out(directory, LeftOutKind::TooLarge, why);
    }
    for (path, entry) in files {
        needs.mark(path, cause.clone());
        if entry.is_symlink() {
            let linked = context.rootfs.resolve(path, LastLink::Follow);
            if context.rootfs.get(&linked.path).is_some_and(Entry::is_dir) {
                keep(context, needs, program, &linked, modules, cause);
            }
        }
    }
}
