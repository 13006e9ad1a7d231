//! Node.js: the modules that a kept source requires and imports, and the files of installed packages.
//!
//! Followed in JavaScript (`.js`, `.cjs`, `.mjs`, `.jsx`, and programs whose first line names node), function bodies
//! included:
//! * `require`, `require.resolve`, `createRequire(…)`, `import`, `export … from`, `import()` of a known name, found as
//!   Node does (`modules`); of a name whose beginning is a known directory, or one of an installed package
//!   (`"dayjs/plugin/" + name`), all modules below it; of an unknown name,
//!   all modules of the package that names it, and from an application what its package.json depends on;
//! * paths that start at `__dirname`, `import.meta` or `process.cwd()`; `new Worker`, `fork`;
//! * programs started through `child_process`;
//! * in the application's own source also absolute paths, files named from WORKDIR, directories that are served or
//!   listed, and strings that are the name of a dependency (view engines and other plug-ins go by name).
//!
//! A kept package keeps its package.json, what that depends on in production, and its native add-ons for this
//! machine. Not followed: TypeScript, `devDependencies`, names that are known only when the program runs.
//!
//! What build tools list as needed by what they built (`NAME.js.nft.json`, `required-server-files.json`) comes with it.
//! Where Yarn keeps packages in archives (Plug'n'Play), those that the project depends on in production (`pnp`).
//!
//! Of a source that is too large to be parsed, names in quotation marks behind the same words (`literals`).
//!
//! Sources: the chapters "Modules" of Node's documentation and "Child process" and "Worker threads" of its API; npm's
//! documentation of package.json; Express' of `app.set`.

mod literals;
mod modules;
mod pnp;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use tree_sitter::Node as Syntax;

use crate::image::Entry;
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind};
use crate::reach::absolute_path;
use crate::reach::application_directory;
use crate::reach::bytes::contains;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file;
use crate::reach::languages::syntax_tree::{self, Extent, line, text};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::walk::{MAX_ENTRIES, walk};
use crate::reach::widening::{TREE, widen};
use literals::Named;
use modules::{Modules, is_path, split};
use value::{Here, Words};

/// The largest number of different names that are taken from one source.
const MAX_NAMES: usize = 10_000;
/// The largest part of a bundle that is looked through for names.
const MAX_BUNDLE: u64 = 64 << 20;
/// The size of the largest list of a build tool, and the largest number of directories above a source that have one.
const MAX_LIST: u64 = 4 << 20;
const MAX_ABOVE: usize = 16;
/// The longest name that a function or module of `child_process` goes by.
const MAX_RUNNER: usize = 60;
/// The largest number of arguments of a program that are looked at.
const MAX_ARGUMENTS: usize = 64;
/// Extensions of modules.
const MODULES: [&[u8]; 4] = [b"js", b"cjs", b"mjs", b"json"];
/// Words of which every source that names something has one.
const SIGNS: [&[u8]; 5] = [b"require", b"import", b"from", b"__dirname", b"__filename"];

/// JavaScript, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "JavaScript",
    sample: Sample {
        hostile: &[
            "/app/server.js",
            "/app/package.json",
            "/app/node_modules/m/package.json",
            "/app/node_modules/m/index.js",
        ],
        fixed: &[
            ("/usr/bin/node", "elf"),
            ("/app/lib/a.js", "require(\"./b\")"),
            ("/app/lib/b.js", "require(\"./a\")"),
            ("/app/node_modules/m/lib/x.js", ""),
            (
                "/app/node_modules/@s/p/package.json",
                "{\"exports\":{\"./*\":\"./*.js\"}}",
            ),
            ("/app/node_modules/@s/p/a.js", ""),
        ],
    },
    resolver: |context| Box::new(NodeJs::new(context)),
    package_directories: &["node_modules", "bower_components"],
    package_markers: &[],
};

/// The resolver of JavaScript.
pub(super) struct NodeJs<'a> {
    context: &'a Context<'a>,
    modules: Modules<'a>,
    /// What sources need as a whole, with the least of the places that name it, and whether it is kept already.
    wholes: Mutex<BTreeMap<Whole, (Naming, bool)>>,
}

/// A place that names something, and the words there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Naming {
    file: RootPath,
    line: Option<usize>,
    words: String,
}

impl Naming {
    fn place(&self) -> Place<'_> {
        let Self { file, line, .. } = self;
        Place { file, line: *line }
    }
}

/// Files that many sources may need as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whole {
    /// All modules of the package at this root.
    Package(RootPath),
    /// All modules below this directory whose paths in it begin like this.
    Modules(RootPath, Vec<u8>),
    /// All files below this directory of a package.
    Data(RootPath),
    /// The dependencies in the package.json above this application's source.
    Dependencies(RootPath),
}

impl<'a> NodeJs<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self {
            context,
            modules: Modules::new(context),
            wholes: Mutex::default(),
        }
    }

    fn follow_source(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(directory) = node.path.parent() else {
            return Ok(());
        };
        let cause = Place::in_file(node.path).cause(EdgeKind::Distribution, "its package.json");
        for manifest in self.modules.scopes(node.path) {
            needs.follow(&manifest, &cause);
        }
        self.follow_lists(node.path, &directory, needs);
        let source = node.source()?;
        if node.is_too_large() {
            let source = self.context.rootfs.read(node.path, MAX_BUNDLE)?;
            self.follow_literals(node.path, &directory, &source, needs);
        }
        let installed = self.modules.installed(node.path);
        if installed && !SIGNS.iter().any(|sign| contains(source, sign)) {
            return Ok(());
        }
        let application = if installed {
            None
        } else {
            self.modules.scope(node.path)
        };
        let plugins = application.map(|(_, manifest)| manifest.dependencies.iter().cloned().collect());
        let mut reader = Reader {
            js: self,
            needs,
            here: Here {
                file: node.path,
                directory: &directory,
                workdir: &self.context.environment.workdir,
                source,
            },
            installed,
            plugins: plugins.unwrap_or_default(),
            starts_programs: [&b"child_process"[..], b"execa", b"cross-spawn"]
                .iter()
                .any(|name| contains(source, name)),
            runners: BTreeMap::new(),
            seen: BTreeSet::new(),
            covered: 0,
        };
        let visit = |node: Syntax<'_>| reader.visit(node);
        let extent = syntax_tree::visit(
            tree_sitter_javascript::LANGUAGE,
            source,
            self.context.cancel,
            visit,
        );
        if extent == Extent::TooComplex {
            self.follow_literals(node.path, &directory, source, needs);
        }
        extent.report_limits(self.context, needs, node.path, source);
        Ok(())
    }

    /// The files in the lists that build tools write for what they built: those of one source in `NAME.nft.json`, as
    /// `@vercel/nft` has it, and those of a server in `required-server-files.json` of the directory that they are in.
    fn follow_lists(&self, file: &RootPath, directory: &RootPath, needs: &mut Needs<'_>) {
        let own = [file.as_bytes(), b".nft.json"].concat();
        let own = self.context.find_file(directory, own);
        let own = own.into_iter().map(|list| (list.path, directory.clone()));
        let application = (!self.modules.installed(file)).then(|| {
            let above = file.ancestors().take(MAX_ABOVE);
            let lists = above.filter_map(|above| {
                let list = self.context.find_file(&above, "required-server-files.json")?;
                // Its paths begin with the name of its directory.
                Some((list.path, above.parent()?))
            });
            lists.collect::<Vec<_>>()
        });
        for (list, base) in own.chain(application.into_iter().flatten()) {
            let cause = Place::in_file(file).cause(EdgeKind::Distribution, &format!("listed in {list}"));
            let bytes = self.context.rootfs.read(&list, MAX_LIST).unwrap_or_default();
            let list: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let files = list["files"].as_array().map(Vec::as_slice).unwrap_or_default();
            for name in files.iter().take(MAX_NAMES).filter_map(|name| name.as_str()) {
                let found = self.context.find_file(&base, name);
                if let Some(found) = found.or_else(|| self.context.find_directory(&base, name)) {
                    needs.follow(&found, &cause);
                }
            }
        }
    }

    /// The modules and places that a source names which cannot be parsed.
    fn follow_literals(&self, file: &RootPath, directory: &RootPath, source: &[u8], needs: &mut Needs<'_>) {
        let mut seen = BTreeSet::new();
        for (_, named, name) in literals::names(source) {
            if seen.len() >= MAX_NAMES || !seen.insert((named == Named::Module, name)) {
                continue;
            }
            let cause = Place::in_file(file).cause(EdgeKind::Import, &encode(name));
            let found = match named {
                Named::Module => self.modules.resolve(file, name),
                Named::Place | Named::Beside => self.modules.at(directory, name),
            };
            for found in found {
                needs.follow(&found, &cause);
            }
        }
    }

    /// The package.json of an installed package: what it depends on, and its native add-ons.
    fn follow_manifest(&self, node: &Node<'_>, needs: &mut Needs<'_>) {
        let Some(root) = self.modules.package(node.path) else {
            return;
        };
        if node.path.parent().as_ref() != Some(&root) {
            return;
        }
        let manifest = self.modules.manifest(node.path);
        self.keep_dependencies(needs, node.path, &manifest.dependencies);
        let inside = |path: &RootPath, entry: &Entry| {
            let name = path.name().unwrap_or_default();
            !entry.is_dir() || !(name == b"node_modules" || name.starts_with(b".git"))
        };
        for (path, entry) in walk(self.context.rootfs, &root, MAX_ENTRIES, inside) {
            if path.extension() == Some(b"node") && entry.is_file() && self.is_for_this_machine(path) {
                let quote = Some("a native add-on of the package".to_owned());
                needs.mark_edge(path, EdgeKind::Distribution, node.path, quote);
            }
        }
    }

    /// The archives and directories of packages in a file of Plug'n'Play.
    fn follow_locations(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(directory) = node.path.parent() else {
            return Ok(());
        };
        let source = self.context.rootfs.read(node.path, MAX_BUNDLE)?;
        let development = |location: &str| {
            let manifest = self
                .context
                .find_file(&directory, format!("{location}package.json"));
            manifest.map_or_else(Vec::new, |found| {
                self.modules.manifest(&found.path).development.clone()
            })
        };
        for location in pnp::locations(&source, development) {
            let archive = location.find(".zip/").map(|at| &location[..at + 4]);
            let words = archive.unwrap_or(&location);
            let naming = Naming {
                file: node.path.clone(),
                line: None,
                words: encode(words.as_bytes()).into_owned(),
            };
            if let Some(found) = archive.and_then(|archive| self.context.find_file(&directory, archive)) {
                needs.follow(
                    &found,
                    &naming.place().cause(EdgeKind::Distribution, &naming.words),
                );
            } else if let Some(found) = self.context.find_directory(&directory, &location) {
                self.request_whole(Whole::Data(found.path), naming);
            }
        }
        Ok(())
    }

    /// The packages of these names, seen from `from`.
    fn keep_dependencies(&self, needs: &mut Needs<'_>, from: &RootPath, names: &[String]) {
        // Type declarations are for compilers.
        for name in names.iter().filter(|name| !name.starts_with("@types/")) {
            let cause = Place::in_file(from).cause(
                EdgeKind::Distribution,
                &format!("depends on {}", encode(name.as_bytes())),
            );
            if is_path(name.as_bytes()) || name.starts_with('#') {
                continue;
            }
            for found in self.modules.resolve(from, name.as_bytes()) {
                needs.follow(&found, &cause);
            }
        }
    }

    /// Returns whether the add-on at `path` is for this image's processor and C library.
    fn is_for_this_machine(&self, path: &RootPath) -> bool {
        let (machine, musl) = match self.context.config.architecture() {
            "arm64" => (183, "/lib/ld-musl-aarch64.so.1"),
            _ => (62, "/lib/ld-musl-x86_64.so.1"),
        };
        if contains(path.as_bytes(), b"musl") && self.context.find_file(&RootPath::root(), musl).is_none() {
            return false;
        }
        let head = self.context.rootfs.read(path, 20).unwrap_or_default();
        head.starts_with(b"\x7fELF\x02\x01") && head.get(18..20) == Some(&u16::to_le_bytes(machine)[..])
    }

    /// Notes that a source needs `whole`, for the next [`Resolver::resolve_together`].
    fn request_whole(&self, whole: Whole, naming: Naming) {
        let mut wholes = self.wholes.lock().unwrap_or_else(PoisonError::into_inner);
        let (least, is_kept) = wholes.entry(whole).or_insert_with(|| (naming.clone(), false));
        if !*is_kept && naming < *least {
            *least = naming;
        }
    }
}

impl Resolver for NodeJs<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() {
            return Ok(());
        }
        if node.path.name() == Some(b"package.json") {
            self.follow_manifest(node, needs);
        } else if matches!(node.path.name(), Some(b".pnp.cjs" | b".pnp.data.json")) {
            self.follow_locations(node, needs)?;
        } else if is_source(node)? {
            self.follow_source(node, needs)?;
        }
        Ok(())
    }

    fn resolve_together(&self, needs: &mut Needs<'_>) {
        let new: Vec<(Whole, Naming)> = {
            let mut wholes = self.wholes.lock().unwrap_or_else(PoisonError::into_inner);
            let new = wholes.iter_mut().filter(|(_, (_, is_kept))| !is_kept);
            new.map(|(whole, (naming, is_kept))| {
                *is_kept = true;
                (whole.clone(), naming.clone())
            })
            .collect()
        };
        let is_module = |path: &RootPath, _: &Entry| path.extension().is_some_and(|e| MODULES.contains(&e));
        for (whole, naming) in new {
            let (place, words) = (naming.place(), naming.words.as_str());
            let cause = place.cause(EdgeKind::Computed, words);
            match &whole {
                Whole::Package(root) => {
                    widen(self.context, needs, root, TREE, place, words, is_module);
                    // A package that requires what its user chose requires its peers.
                    if let Some(manifest) = self.context.find_file(root, "package.json") {
                        let peers = &self.modules.manifest(&manifest.path).peers;
                        self.keep_dependencies(needs, &manifest.path, peers);
                        needs.follow(&manifest, &cause);
                    }
                }
                Whole::Modules(directory, start) => {
                    let separator: &[u8] = if directory.is_root() { b"" } else { b"/" };
                    let start = [directory.as_bytes(), separator, start].concat();
                    let fits = |path: &RootPath, entry: &Entry| {
                        let module = is_module(path, entry) || path.extension() == Some(b"node");
                        module && path.as_bytes().starts_with(&start)
                    };
                    widen(self.context, needs, directory, TREE, place, words, fits);
                }
                Whole::Data(directory) => {
                    widen(self.context, needs, directory, TREE, place, words, |_, _| true)
                }
                Whole::Dependencies(root) => {
                    if let Some(manifest) = self.context.find_file(root, "package.json") {
                        let names = &self.modules.manifest(&manifest.path).dependencies;
                        needs.follow(&manifest, &cause);
                        self.keep_dependencies(needs, &manifest.path, names);
                    }
                }
            }
        }
    }
}

/// Returns whether this is JavaScript: by its name, or because node runs it.
fn is_source(node: &Node<'_>) -> io::Result<bool> {
    if let Some(extension) = node.path.extension() {
        return Ok(matches!(extension, b"js" | b"cjs" | b"mjs" | b"jsx"));
    }
    if node.entry.mode & 0o111 == 0 {
        return Ok(false);
    }
    let head = node.head()?;
    let first = head.split(|&b| b == b'\n').next().unwrap_or_default();
    Ok(first.starts_with(b"#!") && contains(first, b"node"))
}

/// The kind of a function's first argument in `child_process`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    /// A line for a shell.
    Shell,
    /// A program.
    Program,
    /// A module.
    Module,
}

impl Runner {
    fn from_function(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"exec" | b"execSync" => Self::Shell,
            b"spawn" | b"spawnSync" | b"execFile" | b"execFileSync" | b"execa" | b"execaSync" => {
                Self::Program
            }
            b"fork" => Self::Module,
            _ => return None,
        })
    }
}

/// Returns whether `node` is the value that a function returns or a module exports: others read what it leads to.
fn is_handed(node: Syntax<'_>, source: &[u8]) -> bool {
    let mut node = node;
    while let Some(parent) = node.parent() {
        let is_value = |field| parent.child_by_field_name(field) == Some(node);
        match parent.kind() {
            "return_statement" | "export_statement" => return true,
            "arrow_function" => return is_value("body"),
            // `module.exports = …`, `exports.path = …`, `exports.default = …`.
            "assignment_expression" => {
                let Some(mut left) = parent.child_by_field_name("left") else {
                    return false;
                };
                while let Some(object) = left.child_by_field_name("object") {
                    left = object;
                }
                return is_value("right") && matches!(text(left, source), b"module" | b"exports");
            }
            "parenthesized_expression" => node = parent,
            _ => return false,
        }
    }
    false
}

/// Reads one source.
struct Reader<'r, 'a, 'n> {
    js: &'r NodeJs<'a>,
    needs: &'r mut Needs<'n>,
    here: Here<'r>,
    /// True if it belongs to a package, and not to the application.
    installed: bool,
    /// Names that are packages wherever the application says them.
    plugins: BTreeSet<String>,
    starts_programs: bool,
    /// The names that the source gives to functions of `child_process`; none for the module itself.
    runners: BTreeMap<Vec<u8>, Option<Runner>>,
    seen: BTreeSet<Vec<u8>>,
    /// Expressions before this byte were taken as a part of a larger one.
    covered: usize,
}

impl Reader<'_, '_, '_> {
    fn visit(&mut self, node: Syntax<'_>) {
        match node.kind() {
            "import_statement" | "export_statement" => {
                if let Some(source) = node.child_by_field_name("source") {
                    let words = self.here.words(source);
                    self.import_names(node, &words.text);
                    self.keep_required(&words, source);
                    self.covered = source.end_byte().max(self.covered);
                }
            }
            "import_specifier" | "pair_pattern" if self.starts_programs => self.renamed(node),
            "variable_declarator" if self.starts_programs => self.learn_declaration(node),
            "call_expression" => self.follow_call(node),
            "new_expression" => self.follow_construction(node),
            "pair" => {
                let key = node.child_by_field_name("key").map(|key| self.text(key));
                if let Some(value) = node.child_by_field_name("value")
                    && matches!(
                        key,
                        Some(b"root" | b"dir" | b"directory" | b"views" | b"templates")
                    )
                {
                    self.keep_served(value);
                }
            }
            "identifier" if self.text(node) == b"__dirname" && is_handed(node, self.here.source) => {
                self.follow_expression(node)
            }
            "binary_expression" | "template_string" | "string" if node.start_byte() >= self.covered => {
                self.follow_expression(node);
            }
            _ => {}
        }
    }

    fn text(&self, node: Syntax<'_>) -> &[u8] {
        text(node, self.here.source)
    }

    fn cause(&self, edge: EdgeKind, node: Syntax<'_>, words: &str) -> Cause {
        Place::on_line(self.here.file, line(node)).cause(edge, words)
    }

    fn naming(&self, node: Syntax<'_>) -> Naming {
        Naming {
            file: self.here.file.clone(),
            line: Some(line(node)),
            words: self.quote(node),
        }
    }

    /// The beginning of what `node` says, for a reason.
    fn quote(&self, node: Syntax<'_>) -> String {
        source_file::quote(self.text(node))
    }

    /// Returns whether `kind` and `words` come for the first time, and not too many came before.
    fn is_new(&mut self, kind: u8, words: &[u8]) -> bool {
        self.seen.len() < MAX_NAMES && self.seen.insert([&[kind], words].concat())
    }

    fn follow_call(&mut self, node: Syntax<'_>) {
        let (Some(function), Some(arguments)) = (value::callee(node), node.child_by_field_name("arguments"))
        else {
            return;
        };
        let mut cursor = arguments.walk();
        let mut arguments = arguments
            .named_children(&mut cursor)
            .filter(|argument| argument.kind() != "comment");
        let Some(argument) = arguments.next() else {
            return;
        };
        let second = arguments.next();
        let name = self.text(function);
        let last = name.rsplit(|&b| b == b'.').next().unwrap_or_default();
        if self.is_require(function) {
            for value in value::alternatives(argument) {
                let words = self.here.words(value);
                self.keep_required(&words, node);
            }
            self.covered = argument.end_byte().max(self.covered);
            return;
        }
        match last {
            b"join" | b"resolve" | b"dirname" | b"normalize" if node.start_byte() >= self.covered => {
                self.follow_expression(node);
            }
            b"set" if !self.installed => {
                if let Some(value) = second {
                    self.follow_setting(argument, value);
                }
            }
            b"static" | b"serveStatic" | b"readdir" | b"readdirSync" | b"opendir" | b"opendirSync" => {
                self.keep_served(argument);
            }
            _ => {}
        }
        if self.starts_programs
            && let Some(runner) = self.runner(function)
        {
            self.follow_run(runner, argument, second);
        }
    }

    /// Returns whether calling `function` loads or finds the module that its argument names.
    fn is_require(&self, function: Syntax<'_>) -> bool {
        let name = self.text(function);
        match function.kind() {
            "import" => true,
            "identifier" => matches!(
                name,
                b"require" | b"__require" | b"nodeRequire" | b"__non_webpack_require__"
            ),
            "member_expression" => {
                name == b"import.meta.resolve"
                    || name.ends_with(b"require.resolve")
                    || name.ends_with(b".require")
            }
            "call_expression" => function
                .child_by_field_name("function")
                .is_some_and(|inner| self.text(inner).ends_with(b"createRequire")),
            _ => false,
        }
    }

    /// Keeps the module of the name `words`.
    fn keep_required(&mut self, words: &Words, node: Syntax<'_>) {
        let file = self.here.file;
        if words.whole {
            if self.is_new(b'm', &words.text) {
                let cause = self.cause(EdgeKind::Import, node, &self.quote(node));
                for found in self.js.modules.resolve(file, &words.text) {
                    self.needs.follow(&found, &cause);
                }
            }
            return;
        }
        let naming = self.naming(node);
        let slash = words.text.iter().rposition(|&b| b == b'/');
        if let Some(slash) = slash
            && is_path(&words.text)
        {
            let directory = self.here.directory.join(&words.text[..=slash]);
            let start = words.text[slash + 1..].to_vec();
            self.js.request_whole(Whole::Modules(directory, start), naming);
        } else if let Some(slash) = slash
            && let Some((name, inner)) = split(&words.text[..slash])
            && let Some(package) = file.ancestors().find_map(|above| {
                let installed = above.join("node_modules");
                self.js.context.find_directory(&installed, name)
            })
            && let Some(below) = self.js.modules.below(&package.path, inner)
        {
            let start = words.text[slash + 1..].to_vec();
            let cause = naming.place().cause(EdgeKind::Import, &naming.words);
            for manifest in self.js.modules.scopes(&package.path.child(b"index.js")) {
                self.needs.follow(&manifest, &cause);
            }
            self.needs.follow(&package, &cause);
            for file in &below.files {
                self.needs.follow(file, &cause);
            }
            for directory in below.directories {
                self.needs.follow(&directory, &cause);
                self.js
                    .request_whole(Whole::Modules(directory.path, start.clone()), naming.clone());
            }
        } else if let Some(package) = self.js.modules.package(file) {
            self.js.request_whole(Whole::Package(package), naming);
        } else if let Some((scope, _)) = self.js.modules.scope(file) {
            let cause = naming.place().cause(EdgeKind::Import, &naming.words);
            application_directory::keep(self.js.context, self.needs, &scope, &cause);
            self.js.request_whole(Whole::Dependencies(scope), naming);
        }
    }

    fn follow_construction(&mut self, node: Syntax<'_>) {
        let (Some(constructor), Some(arguments)) = (
            node.child_by_field_name("constructor"),
            node.child_by_field_name("arguments"),
        ) else {
            return;
        };
        let Some(argument) = arguments.named_child(0) else {
            return;
        };
        match self.text(constructor) {
            b"URL" => {
                let words = self.here.words(node);
                if words.placed && words.whole {
                    self.keep_placed(&words, node);
                    self.covered = node.end_byte().max(self.covered);
                }
            }
            name if name.ends_with(b"Worker") => self.follow_run(Runner::Module, argument, None),
            _ => {}
        }
    }

    /// Follows an expression that may be a path from here, or a string of the application's.
    fn follow_expression(&mut self, node: Syntax<'_>) {
        let words = self.here.words(node);
        if words.placed {
            self.keep_placed(&words, node);
            self.covered = node.end_byte().max(self.covered);
        } else if words.whole && !self.installed && node.kind() != "call_expression" {
            self.follow_literal(&words.text, node);
            if node.kind() == "binary_expression" {
                self.covered = node.end_byte().max(self.covered);
            }
        }
    }

    /// The path `words`, which starts at the source's own place.
    fn keep_placed(&mut self, words: &Words, node: Syntax<'_>) {
        let handed = words.whole && is_handed(node, self.here.source);
        if !self.is_new(if handed { b'h' } else { b'p' }, &words.text) {
            return;
        }
        let context = self.js.context;
        let root = RootPath::root();
        let cause = self.cause(EdgeKind::Literal, node, &self.quote(node));
        if words.whole
            && let Some(file) = context.find_file(&root, &words.text)
        {
            self.needs.follow(&file, &cause);
            return;
        }
        let directory = match words.text.iter().rposition(|&b| b == b'/') {
            Some(slash) if !words.whole => &words.text[..=slash],
            _ => &words.text[..],
        };
        let Some(found) = context.find_directory(&root, directory) else {
            return;
        };
        match self.js.modules.package(self.here.file) {
            // A package that reads something beside its source needs nothing more for that.
            Some(package) => {
                let above = self.here.file.starts_with(&found.path);
                if found.path.starts_with(&package) && (!above || handed) {
                    let naming = self.naming(node);
                    self.js.request_whole(Whole::Data(found.path), naming);
                }
            }
            None => application_directory::keep(context, self.needs, &found.path, &cause),
        }
    }

    /// Follows a string of the application's own source.
    fn follow_literal(&mut self, text: &[u8], node: Syntax<'_>) {
        if text.is_empty() || !self.is_new(b'l', text) {
            return;
        }
        let context = self.js.context;
        let place = Place::on_line(self.here.file, line(node));
        if text.starts_with(b"/") {
            absolute_path::keep(context, self.needs, text, place);
        } else if std::str::from_utf8(text).is_ok_and(|text| self.plugins.contains(text)) {
            let words = Words {
                text: text.to_vec(),
                whole: true,
                placed: false,
            };
            self.keep_required(&words, node);
        } else if text.contains(&b'.') || text.contains(&b'/') {
            // A name that begins with a dot is mostly a secret's or a tool's.
            let hidden = text.starts_with(b".") && !is_path(text);
            if !hidden && let Some(file) = context.find_file(self.here.workdir, text) {
                let cause = place.cause(EdgeKind::Literal, &encode(text));
                self.needs.follow(&file, &cause);
            }
        }
    }

    /// Follows `app.set('view engine', …)` and `app.set('views', …)`.
    fn follow_setting(&mut self, name: Syntax<'_>, value: Syntax<'_>) {
        match &self.here.words(name).text[..] {
            b"view engine" => {
                let words = self.here.words(value);
                if words.whole {
                    let text = words.text.strip_prefix(b".").unwrap_or(&words.text).to_vec();
                    let cause =
                        self.cause(EdgeKind::Import, value, &format!("view engine {}", encode(&text)));
                    for found in self.js.modules.resolve(self.here.file, &text) {
                        self.needs.follow(&found, &cause);
                    }
                }
                self.keep_directory(b"views", value);
            }
            b"views" => self.keep_served(value),
            _ => {}
        }
    }

    /// Keeps a directory that the application's own source serves or lists, named from WORKDIR.
    fn keep_served(&mut self, value: Syntax<'_>) {
        let words = self.here.words(value);
        if words.whole && !words.placed && !words.text.starts_with(b"/") {
            self.keep_directory(&words.text, value);
        }
    }

    fn keep_directory(&mut self, path: &[u8], node: Syntax<'_>) {
        if self.installed || path.is_empty() {
            return;
        }
        if let Some(directory) = self.js.context.find_directory(self.here.workdir, path) {
            let cause = self.cause(EdgeKind::Literal, node, &encode(path));
            application_directory::keep(self.js.context, self.needs, &directory.path, &cause);
        }
    }

    /// Learns the names in `import * as cp from 'child_process'`.
    fn import_names(&mut self, node: Syntax<'_>, module: &[u8]) {
        if !self.starts_programs || module.strip_prefix(b"node:").unwrap_or(module) != b"child_process" {
            return;
        }
        let mut cursor = node.walk();
        let clause = node
            .named_children(&mut cursor)
            .find(|child| child.kind() == "import_clause");
        let name = clause
            .and_then(|clause| clause.named_child(0))
            .and_then(|child| match child.kind() {
                "identifier" => Some(child),
                "namespace_import" => child.named_child(0),
                _ => None,
            });
        if let Some(name) = name {
            self.name_runner(self.text(name).to_vec(), None);
        }
    }

    /// Learns `{ exec: run }` and `{ exec as run }`.
    fn renamed(&mut self, node: Syntax<'_>) {
        let fields = if node.kind() == "pair_pattern" {
            ["key", "value"]
        } else {
            ["name", "alias"]
        };
        if let [Some(name), Some(alias)] = fields.map(|field| node.child_by_field_name(field))
            && let Some(runner) = Runner::from_function(self.text(name))
        {
            self.name_runner(self.text(alias).to_vec(), Some(runner));
        }
    }

    /// Learns `const cp = require('child_process')` and `const run = promisify(exec)`.
    fn learn_declaration(&mut self, node: Syntax<'_>) {
        let (Some(name), Some(value)) = (
            node.child_by_field_name("name"),
            node.child_by_field_name("value"),
        ) else {
            return;
        };
        let (name, value) = (self.text(name).to_vec(), self.text(value));
        let short = &value[..value.len().min(MAX_RUNNER)];
        if short.starts_with(b"require") && contains(short, b"child_process") && !short.ends_with(b".") {
            let property = short.rsplit(|&b| b == b'.').next().unwrap_or_default();
            let runner = Runner::from_function(property);
            self.name_runner(name, runner);
        } else if contains(short, b"promisify(") {
            let inner = short.split(|&b| b == b'(').next_back().unwrap_or_default();
            let inner = inner.split(|&b| b == b')').next().unwrap_or_default();
            let function = inner
                .rsplit(|&b| b == b'.')
                .next()
                .unwrap_or_default()
                .trim_ascii();
            if let Some(runner) = Runner::from_function(function) {
                self.name_runner(name, Some(runner));
            }
        }
    }

    fn name_runner(&mut self, name: Vec<u8>, runner: Option<Runner>) {
        if self.runners.len() < MAX_NAMES && name.len() <= MAX_RUNNER {
            self.runners.insert(name, runner);
        }
    }

    /// Returns what calling `function` runs, if it is one of `child_process`.
    fn runner(&self, function: Syntax<'_>) -> Option<Runner> {
        let name = self.text(function);
        if function.kind() == "identifier" {
            return self
                .runners
                .get(name)
                .copied()
                .flatten()
                .or_else(|| Runner::from_function(name));
        }
        let property = function.child_by_field_name("property")?;
        let object = self.text(function.child_by_field_name("object")?);
        let runner = Runner::from_function(self.text(property))?;
        // Regular expressions have an `exec` too.
        let known = self.runners.contains_key(object)
            || matches!(object, b"child_process" | b"childProcess" | b"cp")
            || (object.starts_with(b"require(")
                && object.len() < MAX_RUNNER
                && contains(object, b"child_process"));
        (known || runner == Runner::Program).then_some(runner)
    }

    /// Keeps the programs of `argument`, which is run with the list `second`.
    fn follow_run(&mut self, runner: Runner, argument: Syntax<'_>, second: Option<Syntax<'_>>) {
        let words = self.here.words(argument);
        if words.text.is_empty() || (!words.whole && runner != Runner::Shell) {
            return;
        }
        let mut argv = vec![words.text.clone()];
        if let Some(list) = second.filter(|list| list.kind() == "array" && runner == Runner::Program) {
            let mut cursor = list.walk();
            let items = list.named_children(&mut cursor).take(MAX_ARGUMENTS);
            argv.extend(items.map(|item| match self.here.words(item) {
                words if words.whole => words.text,
                _ => b"$".to_vec(),
            }));
        }
        if !self.is_new(b'r', &argv.join(&b' ')) {
            return;
        }
        let context = self.js.context;
        let place = Place::on_line(self.here.file, line(argument));
        match runner {
            Runner::Program => context.keep_argv(self.needs, &argv, place),
            Runner::Shell => {
                context.keep_command(self.needs, b"sh", place);
                context.keep_line(self.needs, &words.text, place);
            }
            Runner::Module => {
                let cause = self.cause(EdgeKind::Import, argument, &self.quote(argument));
                // Seen from where the program runs; programs that mean their own directory mostly run there.
                for base in [self.here.workdir, self.here.directory] {
                    for found in self.js.modules.at(base, &words.text) {
                        self.needs.follow(&found, &cause);
                    }
                }
            }
        }
    }
}
