//! Python's modules that an import looked for in vain.
//!
//! The interpreter lists the directories of its search path once and opens only what it has found in a listing, so a
//! module that is missing is no failed look-up that could be seen. It says so in an exception, whose text is the
//! interpreter's own (`ModuleNotFoundError` and `ImportError`).

use std::collections::{BTreeMap, BTreeSet};

use crate::image::Rootfs;
use crate::path::RootPath;
use crate::plan::Kept;
use crate::recording::{Access, Actor, FileUse};

/// The largest number of different modules that are looked for.
const MAX_MODULES: usize = 200;
/// The largest number of names that stand between dots.
const MAX_NAMES: usize = 32;

/// Returns the modules that exceptions in `log` name as missing.
fn named(log: &str) -> BTreeSet<String> {
    let quoted = |text: &str| Some(text.strip_prefix('\'')?.split_once('\'')?.0.to_owned());
    let modules = log.split("No module named ").skip(1).filter_map(quoted);
    let names = log.split("cannot import name ").skip(1).filter_map(|text| {
        let (_, module) = text.lines().next()?.split_once(" from ")?;
        Some(format!("{}.{}", quoted(module)?, quoted(text)?))
    });
    let word = |name: &String| {
        name.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
    };
    modules.chain(names).filter(word).take(MAX_MODULES).collect()
}

/// Returns the files of modules that `log` names as missing, that the image has below a directory that one of `files`
/// listed and that are not `kept`; each with the use that listed.
pub(super) fn missing<'a>(
    log: &str,
    rootfs: &Rootfs,
    files: &'a [FileUse],
    kept: &BTreeMap<RootPath, Kept>,
) -> Vec<(RootPath, &'a FileUse)> {
    let names = named(log);
    let mut listings: BTreeMap<&RootPath, &FileUse> = BTreeMap::new();
    let listing = |file: &&FileUse| file.actor == Actor::App && file.access.contains(&Access::List);
    for file in files.iter().filter(listing).filter(|_| !names.is_empty()) {
        listings.entry(&file.path).or_insert(file);
    }
    let mut found = BTreeMap::new();
    for name in &names {
        let names: Vec<&str> = name
            .split('.')
            .filter(|name| !name.is_empty())
            .take(MAX_NAMES)
            .collect();
        for (directory, listing) in &listings {
            // The directory is one of the search path, or that of a package by its name.
            for known in 0..names.len() {
                let (above, below) = names.split_at(known);
                let parts: Vec<&[u8]> = directory.components().collect();
                if !parts.ends_with(&above.iter().map(|name| name.as_bytes()).collect::<Vec<_>>()) {
                    continue;
                }
                let path = directory.join(below.join("/"));
                for file in module_files(rootfs, &path) {
                    if !kept.contains_key(&file) {
                        found.entry(file).or_insert(*listing);
                    }
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Returns the files of the module at `path`, which has no suffix yet.
fn module_files(rootfs: &Rootfs, path: &RootPath) -> Vec<RootPath> {
    let Some(directory) = path.parent() else {
        return Vec::new();
    };
    let init = path.child(b"__init__.py");
    let mut found: Vec<RootPath> = rootfs.get(&init).map(|_| init).into_iter().collect();
    let is_module = |name: &[u8]| {
        let rest = name.strip_prefix(path.name().unwrap_or_default());
        rest.is_some_and(|rest| {
            matches!(rest, b".py" | b".pyc") || (rest.starts_with(b".") && rest.ends_with(b".so"))
        })
    };
    let beside = rootfs.children(&directory).map(|(path, _)| path);
    found.extend(beside.filter(|path| path.name().is_some_and(is_module)).cloned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::memory::tree;
    use crate::recording::Phase;

    #[test]
    fn a_module_that_an_exception_names_is_found_below_what_was_listed() {
        let rootfs = tree(&[
            ("/site/a/__init__.py", b""),
            ("/site/a/b.py", b""),
            ("/site/a/fast.cpython-311-x86_64-linux-gnu.so", b""),
            ("/site/a/c/__init__.py", b""),
            ("/site/a/kept.py", b""),
            ("/other/a/b.py", b""),
        ]);
        let listed = |path: &str| FileUse {
            path: path.into(),
            is_resolved: true,
            requested_path: None,
            base: None,
            access: BTreeSet::from([Access::List]),
            errors: BTreeSet::new(),
            on_root: true,
            no_follow: false,
            phase: Phase::Serving,
            actor: Actor::App,
            program: None,
        };
        let files = [listed("/site"), listed("/site/a")];
        let kept = BTreeMap::from([(RootPath::new("/site/a/kept.py"), Kept { causes: Vec::new() })]);
        let missing = |log: &str| -> Vec<String> {
            let found = missing(log, &rootfs, &files, &kept);
            found.iter().map(|(path, _)| path.to_string()).collect()
        };
        assert_eq!(
            missing("ModuleNotFoundError: No module named 'a.b'\n"),
            ["/site/a/b.py"]
        );
        assert_eq!(
            missing("ImportError: cannot import name 'fast' from 'a' (/site/a/__init__.py)"),
            ["/site/a/fast.cpython-311-x86_64-linux-gnu.so"]
        );
        assert_eq!(missing("No module named 'a.c'"), ["/site/a/c/__init__.py"]);
        assert_eq!(
            missing("No module named 'a.kept'\nNo module named 'a.gone'\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            missing("No module named '....'; No module named b"),
            Vec::<String>::new()
        );
    }
}
