//! Python: the modules that a kept source imports, function bodies included, and the files of a kept module.
//!
//! Modules are looked for as the interpreter would, along a search path that follows from the image ([`search_path`]):
//! a module of a standard library or of a site directory looks in its own interpreter or virtual environment; an
//! application's looks beside itself, in WORKDIR and PYTHONPATH, then in the virtual environments and in the
//! interpreter of PATH. Beside modules these come along: `__pycache__`, the metadata and entry points of distributions
//! ([`distribution`]), data files in packages, and what some modules look for at run time
//! (`profiles/reach/python.json`).
//!
//! Not followed, since nearly nothing in production needs it and much hangs on it: imports for type checkers
//! (`if TYPE_CHECKING:`) and for other operating systems (`if sys.platform == "darwin":`), a library's blocks for running it as a program (`if __name__ == "__main__":`, and in the
//! standard library functions such as `main` and `_test`), and developers' tools (`pydoc`, `unittest`, …) that the
//! standard library's functions import: those come where an application or a distribution imports them. Target installs
//! and builds distributions (setuptools, pip) comes only where an application imports it, or a module at its top.
//!
//! A name that is computed widens to the package that its constant beginning, or the source's own, names
//! ([`expression`]). A dotted text (`"pkg.loaders.Loader"`, `"pkg.mod:attr"`) is an import where it leads to a module
//! of a distribution that is kept; so are the texts among the constants of extension modules ([`native`]). `__all__`
//! for `import *` is not known.

mod distribution;
mod expression;
mod native;
mod references;
mod search_path;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::image::Entry;
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind, LeftOutKind};
use crate::reach::bytes::{contains, is_word};
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::syntax_tree::Extent;
use crate::reach::options::PACKAGED;
use crate::reach::resolver::{Needs, Node, Resolver, Widened};
use crate::reach::tables::Tables;
use crate::reach::walk::walk;
use crate::reach::widening::{TREE, widen};
use crate::reach::{absolute_path, application_directory};
use distribution::Distributions;
use expression::{Base, Computed, DataPath};
use references::{Origin, Reference, Target, references};
use search_path::{Environment, Search};

/// The largest number of entries below a package or a data directory that are looked at.
const MAX_BELOW: usize = 50_000;
/// The length of the shortest name of a module beside an extension module, and of the standard library, that is looked
/// for among texts without ends; and the largest number of names of the same distribution there.
const MIN_SIBLING: usize = 4;
const MIN_STANDARD: usize = 6;
const MAX_JOINED: usize = 200;
/// The size from which what a source names is kept between runs: a smaller one is parsed as soon.
const KEPT: usize = 1024;
/// The size of the largest document in which commands are looked for.
const MAX_DOCUMENT: u64 = 64 << 10;
/// The size of the largest pickle that is looked through.
const MAX_PICKLE: u64 = 1 << 20;
/// The largest number of files of a directory of data that are kept.
const MAX_DATA: usize = 20_000;
/// Extensions of files in a package that nothing reads at run time, or that are modules.
const NO_DATA: [&[u8]; 12] = [
    b"py", b"pyc", b"pyo", b"pyi", b"pyx", b"pxd", b"c", b"cc", b"cpp", b"h", b"hpp", b"pyw",
];

/// Python, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Python",
    sample: Sample {
        hostile: &[
            "/app/main.py",
            "/usr/lib/python3/dist-packages/x.pth",
            "/usr/lib/python3/dist-packages/d-1.dist-info/entry_points.txt",
            "/usr/lib/python3/dist-packages/d-1.dist-info/RECORD",
            "/app/pyvenv.cfg",
            "/usr/lib/python3/dist-packages/e.cpython-311-x86_64-linux-gnu.so",
            "/usr/lib/python3/dist-packages/d.dat",
        ],
        fixed: &[
            ("/usr/bin/python3", "-> python3.11"),
            ("/usr/bin/python3.11", "elf"),
            ("/usr/lib/python3.11/os.py", "import a"),
            ("/usr/lib/python3.11/a/__init__.py", "from . import b"),
            ("/usr/lib/python3.11/a/b.py", "import os, main"),
            ("/usr/lib/python3/dist-packages/d.py", "import os"),
        ],
    },
    resolver: |context| Box::new(Python::new(context)),
    package_directories: &[
        "site-packages",
        "dist-packages",
        "__pycache__",
        "python2.*",
        "python3.*",
    ],
    package_markers: &[],
};

/// The resolver of Python.
pub(super) struct Python<'a> {
    context: &'a Context<'a>,
    search: Search,
    distributions: Distributions,
    /// The interpreter that PATH leads to: its prefix.
    first: Option<RootPath>,
    seen: Mutex<Seen>,
}

/// The distributions that are kept, and what texts name in others.
#[derive(Default)]
struct Seen {
    /// The outermost packages and modules of kept sources.
    tops: BTreeSet<RootPath>,
    /// Modules that texts name, each with its outermost package, which must be kept for another reason.
    named: BTreeSet<(RootPath, RootPath, Cause)>,
}

/// The search path of a kept file: one path for each environment that it may run in.
struct Paths<'e> {
    beside: Vec<RootPath>,
    environments: Vec<(&'e Environment, bool)>,
}

impl<'a> Python<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let search = Search::read(context);
        let distributions = Distributions::read(context, search.sites.iter());
        let program = |name: &[u8]| context.environment.find_program(context.rootfs, name, None);
        let first = program(b"python3").or_else(|| program(b"python"));
        // A virtual environment's interpreter is a link in it; the nearest one is the environment that runs.
        let first = first.and_then(|found| {
            let ends = found.links.iter().chain([&found.path]);
            let prefixes = ends.filter_map(|path| path.parent()?.parent());
            let mut prefixes: Vec<RootPath> = prefixes.collect();
            prefixes.retain(|prefix| {
                let known = search.environments.iter();
                known
                    .clone()
                    .any(|environment| environment.prefix.as_ref() == Some(prefix))
            });
            prefixes.into_iter().next()
        });
        Self {
            context,
            search,
            distributions,
            first,
            seen: Mutex::default(),
        }
    }

    /// Returns the owner of the source `path`.
    fn origin_of(&self, path: &RootPath) -> Origin {
        match self.search.library(path) {
            Some(library) if self.search.standard.contains(&library) => Origin::Standard,
            None if self.context.packages.owner(path).is_none()
                && self.distributions.metadata(path).is_none() =>
            {
                Origin::Application
            }
            _ => Origin::Library,
        }
    }

    /// Returns the directories in which the source at `path` looks for modules; `interpreter` is what its first line
    /// names.
    fn search_paths(&self, path: &RootPath, interpreter: Option<&[u8]>) -> Paths<'_> {
        let all = &self.search.environments;
        if let Some(library) = self.search.library(path) {
            let standard = self.search.standard.contains(&library);
            let holds = |e: &&Environment| {
                let directories = if standard { &e.standard } else { &e.sites };
                directories.contains(&library)
            };
            let mut environments: Vec<_> = all.iter().filter(holds).collect();
            if standard {
                environments.retain(|environment| !environment.is_virtual);
            } else if environments.iter().any(|e| !e.is_virtual) {
                environments.retain(|e| !e.is_virtual);
            }
            return Paths {
                beside: vec![library],
                environments: environments.into_iter().map(|e| (e, !standard)).collect(),
            };
        }
        let mut beside = Vec::new();
        let mut add = |directory: RootPath| {
            if !beside.contains(&directory) {
                beside.push(directory);
            }
        };
        let package = |directory: &RootPath| {
            let init = directory.child(b"__init__.py");
            self.context.rootfs.get(&init).is_some()
        };
        // A module's own directory is on the path if it is a script's; a package's is the one that it stands in.
        path.ancestors()
            .find(|directory| !package(directory))
            .into_iter()
            .for_each(&mut add);
        add(self.context.environment.workdir.clone());
        let listed = self.context.environment.get("PYTHONPATH").unwrap_or_default();
        for directory in listed
            .split(':')
            .filter(|directory| !directory.is_empty())
            .take(100)
        {
            let workdir = &self.context.environment.workdir;
            if let Some(found) = self.context.find_directory(workdir, directory) {
                add(found.path);
            }
        }
        let prefix = interpreter.and_then(|interpreter| RootPath::new(interpreter).parent()?.parent());
        let named: Vec<_> = all
            .iter()
            .filter(|e| prefix.is_some() && e.prefix == prefix)
            .collect();
        let mut environments = named;
        if environments.is_empty() {
            let active = |e: &&Environment| e.is_virtual || (e.prefix.is_some() && e.prefix == self.first);
            environments = all.iter().filter(active).collect();
        }
        if environments.is_empty() {
            environments = all.iter().collect();
        }
        Paths {
            beside,
            environments: environments.into_iter().map(|e| (e, true)).collect(),
        }
    }

    /// Returns what `import NAMES` leads to in each environment of `paths`.
    fn find_modules(&self, paths: &Paths<'_>, names: &str) -> Vec<search_path::Found> {
        let mut all: Vec<search_path::Found> = Vec::new();
        let none = Environment::default();
        let alone = [(&none, true)];
        let environments = if paths.environments.is_empty() {
            &alone[..]
        } else {
            &paths.environments
        };
        for (environment, sites) in environments {
            let mut directories = paths.beside.clone();
            directories.extend(environment.standard.iter().cloned());
            if *sites {
                directories.extend(environment.sites.iter().cloned());
            }
            let found = self
                .search
                .find(self.context, &directories, &environment.version, names);
            if found.names > 0 && !all.contains(&found) {
                all.push(found);
            }
        }
        all
    }

    /// Keeps what `import` (relative to `path` by `level` dots) leads to.
    fn keep_import(
        &self,
        needs: &mut Needs<'_>,
        paths: &Paths<'_>,
        place: Place<'_>,
        import: (usize, &str, &[String]),
    ) {
        let (level, module, names) = import;
        let dots = ".".repeat(level.min(20));
        let words = if names.is_empty() {
            format!("import {dots}{module}")
        } else {
            format!("from {dots}{module} import {}", names.join(", "))
        };
        let words: String = words.chars().take(120).collect();
        let cause = place.cause(EdgeKind::Import, &words);
        let relative;
        let paths = if level > 0 {
            let Some(directory) = place.file.ancestors().nth(level - 1) else {
                return;
            };
            relative = Paths {
                beside: vec![directory],
                environments: Vec::new(),
            };
            &relative
        } else {
            paths
        };
        let mut keep = |name: &str, whole: bool| {
            for found in self.find_modules(paths, name) {
                if whole && !found.complete {
                    continue;
                }
                for file in found.files.iter().filter(|file| *file != place.file) {
                    needs.mark(file, cause.clone());
                }
            }
        };
        if !module.is_empty() {
            keep(module, false);
        }
        for name in names.iter().filter(|name| !name.contains('*')) {
            if module.is_empty() {
                keep(name, true);
            } else {
                keep(&format!("{module}.{name}"), true);
            }
        }
    }

    /// Keeps what `source` names.
    fn follow_source(
        &self,
        needs: &mut Needs<'_>,
        paths: &Paths<'_>,
        path: &RootPath,
        origin: Origin,
        source: &[u8],
    ) {
        let found = self.references(needs, path, origin, source);
        self.follow_references(needs, paths, path, origin, &found);
    }

    /// Returns what `source` names, and notes what could not be read of it.
    fn references(
        &self,
        needs: &mut Needs<'_>,
        path: &RootPath,
        origin: Origin,
        source: &[u8],
    ) -> Vec<Reference> {
        let store = self.context.store.filter(|_| source.len() >= KEPT);
        let key = store.map(|store| (store, origin.kind(), Digest::of(source)));
        if let Some((store, kind, digest)) = &key
            && let Some(found) = store.get(kind, digest)
        {
            return found;
        }
        let (extent, found) = references(source, origin, self.context.cancel);
        extent.report_limits(self.context, needs, path, source);
        if let Some((store, kind, digest)) = &key
            && extent == Extent::Whole
        {
            store.put(kind, digest, &found);
        }
        found
    }

    /// Keeps what a source names.
    fn follow_references(
        &self,
        needs: &mut Needs<'_>,
        paths: &Paths<'_>,
        path: &RootPath,
        origin: Origin,
        named: &[Reference],
    ) {
        let table = &Tables::built_in().python;
        for Reference { line, what, inner } in named {
            let place = Place::on_line(path, *line);
            match what {
                Target::Import { level, module, names } => {
                    let top = module.split('.').next().unwrap_or_default();
                    let is_in = |names: &[String]| *level == 0 && names.iter().any(|name| name == top);
                    let tool = is_in(&table.tools) && origin == Origin::Standard;
                    let build_tool = is_in(&table.build_tools) && origin != Origin::Application;
                    if !(*inner && (tool || build_tool)) {
                        self.keep_import(needs, paths, place, (*level, module, names));
                    }
                }
                Target::Computed(computed) => self.keep_computed(needs, paths, place, computed),
                Target::Template(computed) => {
                    // Whose texts name another distribution may log under its name.
                    let same = |directory: &RootPath| {
                        origin == Origin::Application || self.top(directory) == self.top(path)
                    };
                    if self.packages_of(paths, path, &computed.base, "").iter().all(same) {
                        self.keep_computed(needs, paths, place, computed);
                    }
                }
                Target::Data(data) => self.keep_data(needs, paths, place, origin, data),
                Target::Dotted(name) => self.keep_named(needs, paths, place, origin, name),
                Target::Name(name) => {
                    let markers = &Tables::built_in().python.application_markers;
                    for directory in self.packages_of(paths, path, &Base::Named(name.clone()), "") {
                        let is_marked = |marker| needs.rootfs().get(&directory.join(marker)).is_some();
                        if self.top(&directory).is_some() && markers.iter().any(is_marked) {
                            widen(self.context, needs, &directory, TREE, place, name, is_module);
                        }
                    }
                }
                Target::Command(words) => self.context.keep_argv(needs, words, place),
                Target::Shell(line) => {
                    self.context.keep_command(needs, b"sh", place);
                    self.context.keep_line(needs, line.as_bytes(), place);
                }
                Target::Path(named) => absolute_path::keep(self.context, needs, named, place),
            }
        }
    }

    /// Returns the outermost package or module that `path` belongs to, if it stands in a library.
    fn top(&self, path: &RootPath) -> Option<RootPath> {
        let library = self.search.library(path)?;
        let name = path.components().nth(library.components().count())?;
        Some(library.child(name))
    }

    /// Returns the directories of the package `below` of `base`, as the source at `path` means it.
    fn packages_of(&self, paths: &Paths<'_>, path: &RootPath, base: &Base, below: &str) -> Vec<RootPath> {
        let own = match base {
            Base::Own(level) => path.ancestors().nth(level.saturating_sub(1)),
            Base::Top => self.top(path).filter(|top| top != path),
            Base::Named(name) => {
                let separator = if below.is_empty() { "" } else { "." };
                let found = self.find_modules(paths, &format!("{name}{separator}{below}"));
                let found = found.into_iter().filter(|found| found.complete);
                return found.flat_map(|found| found.directories).collect();
            }
        };
        let own = own.map(|own| own.join(below.replace('.', "/")));
        let is_package = |directory: &RootPath| {
            let is_directory = self.context.rootfs.get(directory).is_some_and(Entry::is_dir);
            is_directory
                && !self.search.sites.contains(directory)
                && !self.search.standard.contains(directory)
        };
        own.into_iter().filter(is_package).collect()
    }

    /// Keeps the modules that a computed name may lead to.
    fn keep_computed(&self, needs: &mut Needs<'_>, paths: &Paths<'_>, place: Place<'_>, computed: &Computed) {
        for directory in self.packages_of(paths, place.file, &computed.base, &computed.below) {
            // A package in it is a directory with its first module.
            let depth = if computed.is_deep { TREE } else { 2 };
            let above = directory.components().count();
            let fits = |path: &RootPath, entry: &Entry| {
                let mut inside = path.components().skip(above);
                let first = inside.next().unwrap_or_default();
                let stem = |name: &[u8]| name.split(|&b| b == b'.').next().unwrap_or_default().to_vec();
                let is_init = path.name().is_some_and(|name| name.starts_with(b"__init__."));
                let parent = path.parent();
                let name = match is_init {
                    true => parent.as_ref().and_then(RootPath::name),
                    false => path.name(),
                };
                let through = format!("/{}/", computed.through.replace('.', "/"));
                is_module(path, entry)
                    && (computed.through.is_empty() || contains(path.as_bytes(), through.as_bytes()))
                    && (computed.is_deep || inside.next().is_none() || is_init)
                    && first.starts_with(computed.stem.as_bytes())
                    && (computed.last.is_empty()
                        || name.map(stem) == Some(computed.last.clone().into_bytes()))
            };
            widen(
                self.context,
                needs,
                &directory,
                depth,
                place,
                &computed.words,
                fits,
            );
        }
    }

    /// Keeps the module that a text names, if its distribution is kept for another reason: at once where that is the
    /// text's own, or the text is the application's.
    fn keep_named(
        &self,
        needs: &mut Needs<'_>,
        paths: &Paths<'_>,
        place: Place<'_>,
        origin: Origin,
        name: &str,
    ) {
        let cause = place.cause(EdgeKind::Import, name);
        for found in self.find_modules(paths, name) {
            let Some(top) = found.files.last().map(|file| self.top(file)) else {
                continue;
            };
            // The standard library knows itself by tables of old and new names too.
            let same = top == self.top(place.file);
            if found.names < 2 || (origin == Origin::Standard && !same) {
                continue;
            }
            let at_once = origin == Origin::Application || top.is_none() || same;
            for file in found.files.iter().filter(|file| *file != place.file) {
                match &top {
                    Some(top) if !at_once => {
                        let named = (top.clone(), file.clone(), cause.clone());
                        self.seen().named.insert(named);
                    }
                    _ => needs.mark(file, cause.clone()),
                }
            }
            // Who is handed a package by its name loads modules of it by convention.
            let packages = found
                .directories
                .iter()
                .filter(|_| found.complete && top.is_some());
            for directory in packages.filter(|_| origin == Origin::Application) {
                widen(self.context, needs, directory, TREE, place, name, is_module);
            }
        }
    }

    /// Keeps the module that machine code names without a dot: one of the same package, or of the standard library but
    /// for developers' tools.
    fn keep_single(&self, needs: &mut Needs<'_>, paths: &Paths<'_>, place: Place<'_>, name: &str) {
        let cause = place.cause(EdgeKind::Import, name);
        let own = place.file.parent().filter(|own| self.top(own).is_some());
        let beside = Paths {
            beside: own.into_iter().collect(),
            environments: Vec::new(),
        };
        for found in self.find_modules(&beside, name) {
            for file in found.files.iter().filter(|file| *file != place.file) {
                needs.mark(file, cause.clone());
            }
        }
        if Tables::built_in().python.tools.iter().any(|tool| tool == name) {
            return;
        }
        for found in self.find_modules(paths, name) {
            // What the interpreter names of extension modules is a list of all that there are.
            let interpreter = native::is_interpreter(place.file);
            let is_standard = |file: &&RootPath| {
                let library = self.search.library(file);
                library.is_some_and(|library| self.search.standard.contains(&library))
                    && !(interpreter && file.extension() == Some(b"so"))
            };
            for file in found.files.iter().filter(is_standard) {
                needs.mark(file, cause.clone());
            }
        }
    }

    /// Keeps the modules that a table of texts without ends names: of the same package and of the standard library by
    /// their names, of the same distribution by the names of their packages before that.
    fn keep_joined(&self, needs: &mut Needs<'_>, paths: &Paths<'_>, place: Place<'_>, table: &[u8]) {
        let (Some(top), Some(own)) = (self.top(place.file), place.file.parent()) else {
            return;
        };
        let mut directories = vec![(own, MIN_SIBLING)];
        let standard = paths.environments.iter().flat_map(|(e, _)| &e.standard);
        directories.extend(standard.map(|directory| (directory.clone(), MIN_STANDARD)));
        for (directory, length) in directories.iter().filter(|_| !table.is_empty()) {
            let mut names = BTreeSet::new();
            for (path, entry) in self.context.rootfs.children(directory) {
                let name = path.name().unwrap_or_default();
                let stem = name.split(|&b| b == b'.').next().unwrap_or_default();
                let named = stem.len() >= *length && contains(table, stem);
                if named && (entry.is_dir() || is_module(path, entry)) {
                    names.extend(std::str::from_utf8(stem).ok().map(str::to_owned));
                }
            }
            for name in names {
                self.keep_single(needs, paths, place, &name);
            }
        }
        let mut prefix = top.name().unwrap_or_default().to_vec();
        prefix.push(b'.');
        for at in memchr::memmem::find_iter(table, &prefix).take(MAX_JOINED) {
            let rest = &table[at..table.len().min(at + 100)];
            let end = rest
                .iter()
                .position(|b| !(is_word(*b) || *b == b'.'))
                .unwrap_or(rest.len());
            let names = (prefix.len() + 1..=end).rev();
            let mut names = names.filter_map(|end| std::str::from_utf8(&rest[..end]).ok());
            if let Some(name) = names.find(|name| self.find_modules(paths, name).iter().any(|f| f.complete)) {
                self.keep_named(needs, paths, place, Origin::Library, name);
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // What is behind this lock is complete after every statement.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what stands at a path that begins where a package or the source is.
    fn keep_data(
        &self,
        needs: &mut Needs<'_>,
        paths: &Paths<'_>,
        place: Place<'_>,
        origin: Origin,
        data: &DataPath,
    ) {
        if data.base == Base::Own(0) {
            return;
        }
        let mut words = data.names.join("/");
        if let Base::Named(package) = &data.base {
            self.keep_import(needs, paths, place, (0, package, &[]));
            words = format!("{package}: {words}");
        }
        let cause = place.cause(EdgeKind::Distribution, &words);
        for directory in self.packages_of(paths, place.file, &data.base, "") {
            let inside = data.names.join("/");
            if !data.is_open
                && let Some(file) = self.context.find_file(&directory, &inside)
            {
                needs.follow(&file, &cause);
            } else if let Some(found) = self.context.find_directory(&directory, format!("./{inside}")) {
                let is_tree = data.is_tree || !data.names.is_empty();
                if !data.names.is_empty() {
                    needs.follow(&found, &cause);
                }
                if self.top(&found.path).is_none() && !data.names.is_empty() {
                    application_directory::keep(self.context, needs, &found.path, &cause);
                } else if self.top(&found.path).is_some() && origin != Origin::Standard {
                    self.keep_data_of(needs, place, &found.path, is_tree, &cause, &words);
                }
            }
        }
    }

    /// Keeps the data in `directory`, or all below it, because somebody reads it by names that are not constant.
    fn keep_data_of(
        &self,
        needs: &mut Needs<'_>,
        place: Place<'_>,
        directory: &RootPath,
        is_tree: bool,
        cause: &Cause,
        words: &str,
    ) {
        if !needs.claim_whole(directory) {
            return;
        }
        let entries = walk(needs.rootfs(), directory, MAX_DATA, |path, entry| {
            match entry.is_dir() {
                true => is_tree && !is_no_data_directory(self.context, path),
                false => is_data(path) && application_directory::may_be_kept(entry),
            }
        });
        let files: Vec<_> = entries.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
        for (path, _) in &files {
            needs.mark(path, cause.clone());
        }
        let bytes = files.iter().map(|(_, entry)| entry.size()).sum();
        if files.len() as u64 > self.context.limits.own_files || bytes > self.context.limits.own_bytes {
            needs.widened.push(Widened {
                directory: directory.clone(),
                from: place.file.clone(),
                line: place.line,
                words: words.to_owned(),
                files: files.len(),
                bytes,
            });
        }
    }

    /// Keeps what belongs to the module at `path`: the package's own `__init__`, compiled forms, and what the table
    /// says.
    fn keep_module_files(&self, needs: &mut Needs<'_>, path: &RootPath, origin: Origin) {
        let optimised = self
            .context
            .environment
            .get("PYTHONOPTIMIZE")
            .is_some_and(|value| !value.is_empty());
        for compiled in self.search.compiled(path) {
            let plain = !contains(compiled.as_bytes(), b".opt-");
            if plain || optimised {
                let quote = Some("compiled".to_owned());
                needs.mark_edge(compiled, EdgeKind::Distribution, path, quote);
            }
        }
        let Some(directory) = path.parent() else { return };
        let is_init = path.name().is_some_and(|name| name.starts_with(b"__init__."));
        let package = if is_init {
            directory.parent()
        } else {
            Some(directory.clone())
        };
        if let Some(init) = package.map(|package| package.child(b"__init__.py"))
            && needs.rootfs().get(&init).is_some()
        {
            needs.mark_edge(&init, EdgeKind::Import, path, Some("its package".to_owned()));
        }
        if let Some(library) = self.search.library(path) {
            self.keep_table_data(needs, path, &library);
        }
        if is_init && origin != Origin::Standard && !self.search.sites.contains(&directory) {
            self.keep_package_data(needs, path, &directory);
        }
    }

    /// Keeps what the table says of a library's module.
    fn keep_table_data(&self, needs: &mut Needs<'_>, path: &RootPath, library: &RootPath) {
        let inside = path
            .as_bytes()
            .get(library.as_bytes().len() + 1..)
            .unwrap_or_default();
        let Ok(inside) = std::str::from_utf8(inside) else {
            return;
        };
        let stem = inside.split('.').next().unwrap_or_default().replace('/', ".");
        let name = stem.strip_suffix(".__init__").unwrap_or(&stem);
        let table = &Tables::built_in().python;
        if table.whole.iter().any(|whole| whole == name)
            && let Some(directory) = path.parent().filter(|directory| directory != library)
        {
            self.keep_below(needs, path, &directory, "loaded by name");
        }
        for rule in table
            .data
            .iter()
            .filter(|rule| rule.modules.iter().any(|module| module == name))
        {
            let place = Place::in_file(path);
            let cause = place.cause(EdgeKind::Family, name);
            let root = RootPath::root();
            for data in &rule.paths {
                if let Some(file) = self.context.find_file(&root, data) {
                    needs.follow(&file, &cause);
                } else if let Some(directory) = self.context.find_directory(&root, data) {
                    needs.follow(&directory, &cause);
                    self.keep_below(needs, path, &directory.path, name);
                }
            }
            // Looked up as an application would: a standard library does not know who uses it.
            let paths = self.search_paths(&RootPath::new("/-"), None);
            for import in &rule.imports {
                for found in self.find_modules(&paths, import) {
                    found
                        .files
                        .iter()
                        .for_each(|file| needs.mark(file, cause.clone()));
                }
            }
        }
    }

    /// Keeps all that is below `directory`, but for other versions' compiled modules.
    fn keep_below(&self, needs: &mut Needs<'_>, from: &RootPath, directory: &RootPath, why: &str) {
        let rootfs = needs.rootfs();
        for (path, entry) in rootfs.below(directory).take(MAX_DATA) {
            if !entry.is_dir() && path.extension() != Some(b"pyc") {
                needs.mark_edge(path, EdgeKind::Family, from, Some(why.to_owned()));
            }
        }
    }

    /// Keeps the files beside a package's modules that are its data, unless they are too many: then who reads them
    /// decides ([`Python::keep_data`]).
    fn keep_package_data(&self, needs: &mut Needs<'_>, init: &RootPath, directory: &RootPath) {
        let rootfs = needs.rootfs();
        let entries = walk(rootfs, directory, MAX_BELOW, |path, entry| {
            if entry.is_dir() {
                // What is below a package is its own.
                return rootfs.get(&path.child(b"__init__.py")).is_none()
                    && !is_no_data_directory(self.context, path);
            }
            is_data(path)
        });
        let data: Vec<_> = entries.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
        let bytes: u64 = data.iter().map(|(_, entry)| entry.size()).sum();
        if data.len() as u64 > self.context.limits.own_files || bytes > self.context.limits.own_bytes {
            let why = format!(
                "the data of this package, {} files with {bytes} bytes, is more than --own-files and --own-bytes \
                 allow, so only what kept sources read of it is kept",
                data.len()
            );
            needs.leave_out(directory, LeftOutKind::TooLarge, why);
            return;
        }
        for (path, _) in data {
            let quote = Some("data of the package".to_owned());
            needs.mark_edge(path, EdgeKind::Distribution, init, quote);
        }
    }

    /// Keeps what the distribution whose `RECORD` is at `path` installed as data outside of the site directory.
    fn keep_data_elsewhere(&self, needs: &mut Needs<'_>, path: &RootPath, record: &[u8]) {
        let metadata = path
            .parent()
            .filter(|parent| parent.extension() == Some(b"dist-info"));
        let Some(site) = metadata.and_then(|metadata| metadata.parent()) else {
            return;
        };
        let rootfs = self.context.rootfs;
        let files = distribution::data_elsewhere(record).map(|name| site.join(name));
        let size = |path: &RootPath| rootfs.get(path).filter(|entry| !entry.is_dir()).map(Entry::size);
        let files: Vec<(RootPath, u64)> = files
            .filter_map(|path| size(&path).map(|size| (path, size)))
            .collect();
        let bytes: u64 = files.iter().map(|(_, size)| size).sum();
        if !self.context.limits.hold_packaged(files.len() as u64, bytes) {
            let why = format!(
                "names {} files of data outside of its directory with {bytes} bytes, more than {PACKAGED} times \
                 --own-files and --own-bytes allow",
                files.len()
            );
            needs.leave_out(path, LeftOutKind::TooLarge, why);
            return;
        }
        for (file, _) in files {
            let quote = Some("data of the distribution".to_owned());
            needs.mark_edge(&file, EdgeKind::Distribution, path, quote);
        }
    }

    /// Keeps the metadata of the distribution that `path` belongs to.
    fn keep_distribution(&self, needs: &mut Needs<'_>, path: &RootPath) {
        let Some(metadata) = self.distributions.metadata(path) else {
            return;
        };
        let name = metadata.name().map(encode).unwrap_or_default().into_owned();
        let rootfs = needs.rootfs();
        needs.mark_edge(metadata, EdgeKind::Distribution, path, Some(name.clone()));
        for (file, entry) in rootfs.children(metadata).take(200) {
            if !entry.is_dir() {
                needs.mark_edge(file, EdgeKind::Distribution, path, Some(name.clone()));
            }
        }
    }
}

impl Resolver for Python<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() {
            return Ok(());
        }
        let path = node.path;
        self.keep_distribution(needs, path);
        if let Some(top) = self.top(path) {
            self.seen().tops.insert(top);
        }
        match path.extension() {
            Some(b"py" | b"pyw") => {
                let origin = self.origin_of(path);
                self.keep_module_files(needs, path, origin);
                let source = node.source()?;
                let paths = self.search_paths(path, interpreter(source));
                self.follow_source(needs, &paths, path, origin, source);
            }
            Some(b"pyc") if path.parent().is_some_and(|p| p.name() != Some(b"__pycache__")) => {
                self.keep_module_files(needs, path, self.origin_of(path));
            }
            Some(b"pth")
                if path
                    .parent()
                    .is_some_and(|site| self.search.sites.contains(&site)) =>
            {
                let paths = self.search_paths(path, None);
                for (number, line) in node.source()?.split(|&b| b == b'\n').take(1000).enumerate() {
                    if line.starts_with(b"import ") || line.starts_with(b"import\t") {
                        let (extent, mut found) = references(line, Origin::Library, self.context.cancel);
                        extent.report_limits(self.context, needs, path, line);
                        found.iter_mut().for_each(|named| named.line += number);
                        self.follow_references(needs, &paths, path, Origin::Library, &found);
                    }
                }
            }
            Some(b"txt") if path.name() == Some(b"entry_points.txt") => {
                let paths = self.search_paths(path, None);
                let build_tools = &Tables::built_in().python.build_tools;
                for (line, module) in distribution::entry_points(node.source()?) {
                    let top = module.split('.').next().unwrap_or_default();
                    if build_tools.iter().any(|tool| tool == top) {
                        continue;
                    }
                    self.keep_import(needs, &paths, Place::on_line(path, line), (0, &module, &[]));
                }
            }
            None if path.name() == Some(b"RECORD") => self.keep_data_elsewhere(needs, path, node.source()?),
            Some(b"json") if node.entry.size() <= MAX_DOCUMENT && contains(node.source()?, b"\"-m\"") => {
                let (paths, place) = (self.search_paths(path, None), Place::in_file(path));
                for module in distribution::run_modules(node.source()?) {
                    self.keep_import(needs, &paths, place, (0, &module, &["__main__".to_owned()]));
                }
            }
            _ if native::is_python(path) => {
                let paths = self.search_paths(path, None);
                let place = Place::in_file(path);
                for name in native::names(node)? {
                    match name.contains('.') {
                        true => self.keep_named(needs, &paths, place, Origin::Library, &name),
                        false => self.keep_single(needs, &paths, place, &name),
                    }
                }
                self.keep_joined(needs, &paths, place, &native::joined(node)?);
            }
            // Pickled objects bring their classes.
            _ if self.top(path).is_some()
                && node.entry.size() <= MAX_PICKLE
                && node.head()?.first() == Some(&0x80) =>
            {
                let paths = self.search_paths(path, None);
                for name in native::pickled(node.source()?) {
                    self.keep_named(needs, &paths, Place::in_file(path), Origin::Library, &name);
                }
            }
            _ if node.entry.mode & 0o111 != 0 => {
                if let Some(interpreter) = interpreter(node.head()?).map(<[u8]>::to_vec) {
                    let origin = self.origin_of(path);
                    let paths = self.search_paths(path, Some(&interpreter));
                    self.follow_source(needs, &paths, path, origin, node.source()?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn resolve_together(&self, needs: &mut Needs<'_>) {
        let mut seen = self.seen();
        let Seen { tops, named } = &mut *seen;
        for (_, file, cause) in named.extract_if(.., |(top, ..)| tops.contains(top)) {
            needs.mark(&file, cause);
        }
    }
}

/// Returns whether a file is a module that an import may load.
fn is_module(path: &RootPath, _: &Entry) -> bool {
    let cached = || {
        path.parent()
            .is_some_and(|parent| parent.name() == Some(b"__pycache__"))
    };
    match path.extension() {
        Some(b"py" | b"so") => true,
        Some(b"pyc") => !cached(),
        _ => false,
    }
}

/// Returns whether a file beside modules is data by its name.
fn is_data(path: &RootPath) -> bool {
    let name = path.name().unwrap_or_default();
    let no_data = path
        .extension()
        .is_some_and(|extension| NO_DATA.contains(&extension));
    let module = contains(name, b".cpython-") || name.ends_with(b".abi3.so");
    let hidden = name.starts_with(b".") || application_directory::left_out(name).is_some();
    !(no_data || module || hidden)
}

/// Returns whether a directory in a package holds tests, or packages of others, or nobody's data.
fn is_no_data_directory(context: &Context<'_>, path: &RootPath) -> bool {
    let name = path.name().unwrap_or_default();
    matches!(name, b"tests" | b"test" | b"testing" | b"__pycache__")
        || name.starts_with(b".")
        || context.package_directories.is_named(path)
}

/// The Python that a script's first line names: its path, or its name behind `env`.
fn interpreter(source: &[u8]) -> Option<&[u8]> {
    let line = source.strip_prefix(b"#!")?;
    let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
    let mut words = line.get(..line.len().min(256))?.split(u8::is_ascii_whitespace);
    words.find(|word| {
        let name = word.rsplit(|&b| b == b'/').next().unwrap_or_default();
        name.starts_with(b"python") || name.starts_with(b"pypy")
    })
}
