//! Modules that a program loads from a directory of its own, by names that are data.
//!
//! A database loads the extension that a statement names, a proxy the module that a request asks for: `dlopen` of a
//! literal directory and a name from elsewhere. So a program that can load libraries and names a directory in which no
//! loader looks for any has the modules there (`NAME.so`), with the libraries that they need. Those with the fewest
//! bytes beside the program's own libraries come first, up to a bound, so that one that would bring a compiler stays
//! out and is reported. Directories whose modules are chosen otherwise are left to those who know: families of files
//! (`file_family.rs`), and languages, whose sources say what they load (a table).

use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;

use globset::GlobSet;

use super::{Libraries, MAX_OBJECTS, search};
use crate::image::{LastLink, Outcome};
use crate::path::RootPath;
use crate::plan::{Cause, LeftOutKind};
use crate::reach::context::Context;
use crate::reach::pattern::{as_path, path_set};
use crate::reach::resolver::Needs;
use crate::reach::tables::Tables;

/// The bytes of modules with their libraries, in shares of `--own-bytes`: libraries are larger than data, and others may need them too.
const SHARES: u64 = 4;

/// Paths of directories whose modules are chosen otherwise.
static OTHERS: LazyLock<GlobSet> = LazyLock::new(|| {
    let tables = Tables::built_in();
    let brought = tables.families.families.iter().flat_map(|family| &family.brings);
    // Not those in which loaders look, one for each architecture (`/usr/lib/*/libNAME.so.1`).
    let families = brought.filter_map(|pattern| {
        let (directory, file) = pattern.rsplit_once('/')?;
        (file.contains(".so") || file == "*").then_some(directory)
    });
    let families = families.filter(|directory| !directory.ends_with("/*"));
    path_set(families.chain(tables.constants.languages.iter().map(String::as_str)))
});

/// Returns whether `directory` has a module in it, by its entries' names.
pub(super) fn may_hold_modules(context: &Context<'_>, directory: &RootPath) -> bool {
    context
        .rootfs
        .children(directory)
        .any(|(path, _)| path.extension() == Some(b"so"))
}

impl Libraries<'_> {
    /// Keeps the modules in `directory`, which `cause` says that `program` names; returns the packages that they are of.
    pub(super) fn keep_modules<'p>(
        &self,
        context: &Context<'p>,
        needs: &mut Needs<'_>,
        program: &RootPath,
        directory: &RootPath,
        cause: &Cause,
    ) -> io::Result<BTreeSet<&'p str>> {
        let mut packages = BTreeSet::new();
        if !may_hold_modules(context, directory)
            || context.package_directories.contains(directory)
            || OTHERS.is_match(as_path(directory.as_bytes()))
            || self.is_searched(program, directory)?
        {
            return Ok(packages);
        }
        let own = self.closure(program)?;
        let mut modules: Vec<(u64, RootPath, BTreeSet<RootPath>)> = Vec::new();
        for (path, _) in self.rootfs.children(directory).take(MAX_OBJECTS) {
            let found = self.rootfs.resolve(path, LastLink::Follow);
            if path.extension() == Some(b"so")
                && found.outcome == Outcome::Found
                && self.is_module(&found.path)?
            {
                let brought = &self.closure(&found.path)? - &own;
                modules.push((self.bytes(&brought), path.clone(), brought));
            }
        }
        modules.sort();
        let mut all: BTreeSet<RootPath> = BTreeSet::new();
        for (bytes, path, brought) in modules {
            let with = &all | &brought;
            if self.bytes(&with) > context.limits.own_bytes * SHARES {
                let why = format!(
                    "{program} may load it by a name that is known only when it runs, and with its libraries ({bytes} bytes) the \
                     modules are more than {SHARES} times --own-bytes"
                );
                needs.leave_out(&path, LeftOutKind::TooLarge, why);
                continue;
            }
            all = with;
            let found = self.rootfs.resolve(&path, LastLink::Follow);
            packages.extend(context.packages.owner(&found.path));
            needs.follow(&found, cause);
        }
        Ok(packages)
    }

    /// Returns whether a loader looks for the libraries of `program` in `directory`.
    fn is_searched(&self, program: &RootPath, directory: &RootPath) -> io::Result<bool> {
        let Some(elf) = self.parse_file(program)? else {
            return Ok(true);
        };
        let default = search::default_directories(&elf);
        let mut all = self.system.directories().chain(default.iter().map(Vec::as_slice));
        Ok(all.any(|path| {
            self.rootfs
                .resolve_from(self.workdir, path, LastLink::Follow)
                .path
                == *directory
        }))
    }

    /// Returns whether `path` is a shared object and no program.
    fn is_module(&self, path: &RootPath) -> io::Result<bool> {
        Ok(self
            .parse_file(path)?
            .is_some_and(|elf| elf.interpreter.is_none()))
    }

    /// Returns an object and the libraries that it needs, and they in turn.
    fn closure(&self, object: &RootPath) -> io::Result<BTreeSet<RootPath>> {
        let mut all = BTreeSet::from([object.clone()]);
        let mut todo = vec![object.clone()];
        while let Some(path) = todo.pop() {
            let Some(elf) = self.parse_file(&path)?.filter(|_| all.len() < MAX_OBJECTS) else {
                continue;
            };
            let mut needs = Needs::new(self.rootfs);
            self.keep_libraries(&path, elf, &mut needs)?;
            let files = needs.marks.into_iter().map(|(path, _)| path);
            let files = files.filter(|path| self.rootfs.get(path).is_some_and(|entry| entry.is_file()));
            todo.extend(files.filter(|path| all.insert(path.clone())));
        }
        Ok(all)
    }

    fn bytes(&self, files: &BTreeSet<RootPath>) -> u64 {
        let sizes = files.iter().filter_map(|path| self.rootfs.get(path));
        sizes.map(crate::image::Entry::size).sum()
    }
}
