//! The data of a packaged program: a directory below `/usr/share` that it names and that its own package fills.
//!
//! A server has its share directory compiled in and opens what is there by names that it computes (dictionaries, time
//! zones, error pages, character sets). So the files are kept that the program's package put there, and those of the
//! parts that distributions split off for all architectures (`NAME-common`, `NAME-data`), that bring modules for it, or
//! that a link of these leads to (translations that are packaged apart), within the bounds of an
//! application's own directory, and as far above that directory as these packages have it alone. Directories below
//! `/usr/share` alone: elsewhere packages keep libraries and programs, which are needed by name.

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
/// The largest number of directories that are kept for one that a program names.
const MAX_LINKED: usize = 100;
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

/// Returns the names of the packages that may hold the data of `package`: a library's has versions behind its name, which
/// that of its data may lack in part (`libx11-6`, `libx11-data`, `libx-common`).
fn parts_of(package: &str) -> BTreeSet<String> {
    let is_version = |letter: char| letter.is_ascii_digit() || letter == '.';
    let mut parts = BTreeSet::new();
    let mut name = package.strip_suffix("t64").unwrap_or(package);
    for name in [package, name] {
        parts.extend(PARTS.map(|part| format!("{name}{part}")));
    }
    while package.starts_with("lib") {
        let shorter = match name.trim_end_matches(is_version) {
            same if same == name => name.trim_end_matches('-'),
            shorter => shorter,
        };
        if shorter == name || shorter.is_empty() {
            break;
        }
        name = shorter;
        parts.extend(PARTS.map(|part| format!("{name}{part}")));
    }
    parts
}

/// Returns the directory highest above `directory` in which no other packages than `parts` have files: what a program
/// finds from one of its directories by `..` is there, too.
fn top_of(context: &Context<'_>, directory: &RootPath, package: &str, parts: &BTreeSet<String>) -> RootPath {
    let is_own = |above: &RootPath| {
        let all = walk(context.rootfs, above, MAX_ENTRIES, |_, _| true);
        let files = || all.iter().filter(|(_, entry)| !entry.is_dir());
        let bytes: u64 = files().map(|(_, entry)| entry.size()).sum();
        let limits = context.limits;
        all.len() < MAX_ENTRIES
            && files().count() as u64 <= limits.own_files
            && bytes <= limits.own_bytes
            && files().all(|(path, _)| {
                context
                    .packages
                    .owner(path)
                    .is_none_or(|owner| parts.contains(owner))
            })
    };
    let mut top = directory.clone();
    while let Some(above) = top.parent().filter(|above| may_be_data(context, above)) {
        let key = (above.clone(), package.to_owned());
        let known = context.tops.lock().ok().and_then(|tops| tops.get(&key).copied());
        let verdict = known.unwrap_or_else(|| is_own(&above));
        if known.is_none()
            && let Ok(mut tops) = context.tops.lock()
        {
            tops.insert(key, verdict);
        }
        if !verdict {
            break;
        }
        top = above;
    }
    top
}

/// Keeps what the package of `program`, and those that bring `modules` for it, have in the directory that was
/// `found`, which `cause` says that the program names, and in those that links in it lead to.
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
    let data = ProgramData {
        context,
        program,
        package,
        modules,
        cause,
    };
    let mut todo = vec![found.clone()];
    for _ in 0..MAX_LINKED {
        let Some(found) = todo.pop() else { return };
        todo.extend(data.keep(needs, &found));
    }
}

/// The data of a program.
struct ProgramData<'d> {
    context: &'d Context<'d>,
    program: &'d RootPath,
    /// The package of the program.
    package: &'d str,
    /// Packages that bring modules for it.
    modules: &'d BTreeSet<&'d str>,
    cause: &'d Cause,
}

impl ProgramData<'_> {
    /// Keeps what is in one directory, and returns those that links in it lead to.
    fn keep(&self, needs: &mut Needs<'_>, found: &Resolved) -> Vec<Resolved> {
        let ProgramData { context, package, .. } = *self;
        if !may_be_data(context, &found.path) {
            return Vec::new();
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
            return Vec::new();
        }
        let directory = &top_of(context, &found.path, package, &parts);
        if *directory != found.path && !needs.claim_whole(directory) {
            return Vec::new();
        }
        parts.extend(self.modules.iter().map(|part| (*part).to_owned()));
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
        let owned =
            |path: &RootPath, entry: &Entry| !entry.is_dir() && context.packages.owner(path).is_some();
        let count = all
            .iter()
            .filter(|(path, entry)| owned(path, entry) && is_data(path))
            .count();
        if files.len() * 2 < count {
            return Vec::new();
        }
        let bytes: u64 = files.iter().map(|(_, entry)| entry.size()).sum();
        let limits = context.limits;
        // A link is no file more: what it leads to is counted.
        let count = files.iter().filter(|(_, entry)| entry.is_file()).count() as u64;
        if count > limits.own_files || bytes > limits.own_bytes {
            let why = format!(
                "{} may open its package's data in it by names that it computes, and {count} files with {bytes} bytes \
             are more than --own-files and --own-bytes allow",
                self.program
            );
            needs.leave_out(directory, LeftOutKind::TooLarge, why);
            return Vec::new();
        }
        for (path, _) in &files {
            needs.mark(path, self.cause.clone());
        }
        let links = files.iter().filter(|(_, entry)| entry.is_symlink());
        let linked = links.map(|(path, _)| context.rootfs.resolve(path, LastLink::Follow));
        linked
            .filter(|linked| context.rootfs.get(&linked.path).is_some_and(Entry::is_dir))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::parts_of;

    #[test]
    fn the_data_of_a_library_may_lack_its_version() {
        for (package, data) in [
            ("server", "server-common"),
            ("libdraw10", "libdraw10-common"),
            ("libdraw10", "libdraw-common"),
            ("libx11-6", "libx11-data"),
            ("libglib2.0-0t64", "libglib2.0-data"),
        ] {
            assert!(parts_of(package).contains(data), "{package}");
        }
        assert!(!parts_of("python3.11").contains("python-common"));
        assert!(parts_of("lib1").len() < 20);
    }
}
