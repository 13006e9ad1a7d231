//! PHP: the files that a kept source includes, the classes that it names, and Composer's installations.
//!
//! Followed in PHP (`.php` and its like, and whatever begins as PHP), function bodies included:
//! * `include`, `require` and their `_once`: strings put together of literals, `__DIR__`, `dirname(__FILE__)`, variables and
//!   constants that the source itself assigns (`value`). What is relative is looked for as PHP does along `include_path`
//!   (`settings`), and, as the directory of the script that a request enters by is not known, in the directories above the
//!   source and WORKDIR. Of a path with an unknown part, what lies in the directory before that part and ends as the
//!   path does;
//! * classes named by `use`, `new`, `::`, types, `extends`, attributes and strings with a backslash: by Composer's tables
//!   (`composer`), along `include_path` as PSR-0 has it, or by the namespace of the source itself. Of a class
//!   whose name is known in part, the classes of that namespace;
//! * paths that start at `__DIR__`; programs that `exec`, `system`, `proc_open`, backticks and the like name: all but
//!   a list of words for `proc_open` are lines for `/bin/sh`;
//! * in the application's own source also absolute paths, files that literals name from there, and directories that are
//!   listed or handed over (template engines);
//! * `session_start`: the directory that sessions are written to.
//!
//! A kept autoloader of Composer keeps the files that it always requires, the list of what is installed, and within
//! bounds the project's own directories of classes. A kept package keeps its `composer.json` and its data, and
//! configuration of a project or package (YAML, XML, NEON, JSON) the classes that it names. Extensions are followed in
//! configuration.
//!
//! Not followed: constants that another source defines, names that are known only when the program runs, archives
//! (`phar`), `mail()`, PHP inside `.html`, annotations in comments, packages for development.
//!
//! Sources: PHP's manual (include, include_path, Strings, Program execution Functions), PSR-0 and PSR-4, Composer's
//! `ClassLoader` and its documentation of the schema and of autoloader optimisation.

mod composer;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tree_sitter::Node as Syntax;

use crate::image::Entry;
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind};
use crate::reach::absolute_path;
use crate::reach::application_directory;
use crate::reach::bytes::{contains, is_word};
use crate::reach::configuration::php_settings::Settings;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::{self, SourceKind};
use crate::reach::languages::syntax_tree::{self, line, text};
use crate::reach::pattern::is_pattern;
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::walk::{MAX_ENTRIES, walk};
use crate::reach::widening::{TREE, widen};
use composer::{Installation, Table, Tables};
use value::{Scope, Words, arguments, function_name};

const PHP: SourceKind = SourceKind {
    extensions: &[
        b"php", b"phtml", b"inc", b"ctp", b"php3", b"php4", b"php5", b"php7", b"php8",
    ],
    interpreters: &[b"php"],
};
/// The largest number of different names that are taken from one source.
const MAX_NAMES: usize = 4000;
/// Length of the longest name that is looked up.
const MAX_NAME: usize = 512;
/// The largest number of directories that one source may add to `include_path`.
const MAX_MEMBERS: usize = 16;
/// The largest number of bytes of a configuration file that are searched for classes.
const MAX_DATA: u64 = 1 << 20;
/// Configuration that may name classes.
const DATA: [&[u8]; 5] = [b"json", b"neon", b"xml", b"yaml", b"yml"];
/// Directories of a package that no program needs.
const ASIDE: [&[u8]; 7] = [
    b"doc",
    b"docs",
    b"example",
    b"examples",
    b"test",
    b"tests",
    b"Tests",
];
/// Files of a package that are for its developers.
const DEVELOPMENT: [&[u8]; 7] = [b"cff", b"dist", b"lock", b"md", b"neon", b"rst", b"sh"];
/// Functions that hand a line to `/bin/sh` (`popen(3)`).
const SHELLS: [&[u8]; 5] = [b"exec", b"passthru", b"popen", b"shell_exec", b"system"];
/// Functions that take a directory, or a pattern of one's entries.
const LISTING: [&[u8]; 5] = [b"chdir", b"dir", b"glob", b"opendir", b"scandir"];

/// PHP, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "PHP",
    sample: Sample {
        hostile: &[
            "/app/index.php",
            "/app/src/Kernel.php",
            "/app/vendor/composer/autoload_static.php",
            "/app/vendor/composer/installed.json",
            "/app/config/services.yaml",
            "/etc/php/8.2/cli/php.ini",
        ],
        fixed: &[
            ("/usr/bin/php", "elf"),
            ("/app/templates/page.php", "<?= $page ?>"),
            (
                "/app/vendor/autoload.php",
                "<?php require __DIR__ . '/composer/autoload_real.php';",
            ),
            (
                "/app/vendor/composer/autoload_real.php",
                "<?php require __DIR__ . '/autoload_static.php';",
            ),
            ("/app/vendor/a/a/composer.json", "{}"),
            (
                "/app/vendor/a/a/src/A.php",
                "<?php namespace A; class A extends B {}",
            ),
            (
                "/app/vendor/a/a/src/B.php",
                "<?php namespace A; class B extends A {}",
            ),
            ("/usr/lib/php/20220829/own.so", "elf"),
            (
                "/usr/share/php/Mail.php",
                "<?php require_once 'Mail/' . $driver . '.php';",
            ),
            ("/usr/share/php/Mail/smtp.php", "<?php require_once 'Mail.php';"),
        ],
    },
    resolver: |context| Box::new(Php::new(context)),
    package_directories: &[],
    package_markers: &["composer/autoload_real.php"],
};

/// The resolver of PHP.
pub(super) struct Php<'a> {
    context: &'a Context<'a>,
    settings: Settings,
    installations: Vec<Installation>,
}

impl<'a> Php<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let mut settings = Settings::read(context);
        settings.include_path.retain(|directory| {
            context
                .find_directory(&RootPath::root(), directory.as_bytes())
                .is_some()
        });
        Self {
            context,
            settings,
            installations: Installation::find_all(context),
        }
    }

    /// Returns what Composer installed, nearest to `file` first.
    fn nearest_installations(&self, file: &RootPath) -> Vec<&Installation> {
        let distance = |installation: &&Installation| {
            let project = installation.project();
            let depth = project.components().count();
            (!file.starts_with(&project), usize::MAX - depth)
        };
        let mut near: Vec<&Installation> = self.installations.iter().collect();
        near.sort_by_key(distance);
        near
    }

    /// The installation in whose directory of packages `path` is.
    fn installation_of(&self, path: &RootPath) -> Option<&Installation> {
        let all = self.installations.iter();
        all.filter(|installation| path.starts_with(&installation.vendor))
            .max_by_key(|installation| installation.vendor.as_bytes().len())
    }

    /// Returns whether `file` belongs to a project that Composer installed packages for, or to one of them.
    fn is_of_project(&self, file: &RootPath) -> bool {
        let mut all = self.installations.iter();
        all.any(|installation| file.starts_with(&installation.project()))
    }

    /// The directory of the package that `path` belongs to: `vendor/NAME/PACKAGE`.
    fn package_of(&self, path: &RootPath) -> Option<RootPath> {
        let vendor = &self.installation_of(path)?.vendor;
        let rest = path.components().skip(vendor.components().count());
        let mut names = rest.take(2);
        let package = vendor.child(names.next()?).child(names.next()?);
        (package != *path).then_some(package)
    }

    /// Keeps the class `class`, seen from `file`; false if none is found where Composer or PHP look.
    fn keep_class(&self, needs: &mut Needs<'_>, file: &RootPath, class: &[u8], cause: &Cause) -> bool {
        let root = RootPath::root();
        for installation in self.nearest_installations(file) {
            for path in installation.tables(self.context).class(class) {
                if let Some(found) = self.context.find_file(&root, path.as_bytes()) {
                    needs.follow(&found, cause);
                    return true;
                }
            }
        }
        let name = [composer::psr0(class)];
        source_file::keep_first(self.context, needs, &self.settings.include_path, &name, cause)
    }

    /// Keeps what a part of Composer's autoloader needs beside what it includes.
    fn keep_autoloader(&self, needs: &mut Needs<'_>, node: &Node<'_>) -> io::Result<()> {
        let file = node.path;
        let mut tables = Tables::default();
        match Table::at_path(file) {
            Some(Table::Static | Table::Files) => {
                let source = node.source()?;
                let extent = tables.read(file, source, self.context.cancel);
                extent.report_limits(self.context, needs, file, source);
            }
            Some(_) => return Ok(()),
            None => {}
        }
        for (line, path) in &tables.files {
            if let Some(found) = self.context.find_file(&RootPath::root(), path.as_bytes()) {
                needs.follow(
                    &found,
                    &Place::on_line(file, *line).cause(EdgeKind::Import, "autoload.files"),
                );
            }
        }
        let Some(installation) = self
            .installation_of(file)
            .filter(|_| file.name() == Some(b"autoload_real.php"))
        else {
            return Ok(());
        };
        let project = installation.project();
        for name in ["installed.json", "installed.php"] {
            if let Some(found) = self.context.find_file(&installation.composer(), name) {
                needs.follow(&found, &Place::in_file(file).cause(EdgeKind::Distribution, name));
            }
        }
        if let Some(found) = self.context.find_file(&project, "composer.json") {
            needs.follow(
                &found,
                &Place::in_file(file).cause(EdgeKind::Distribution, "composer.json"),
            );
        }
        let cause = Place::in_file(file).cause(EdgeKind::Own, "autoload");
        for directory in installation
            .tables(self.context)
            .project_directories(&installation.vendor)
        {
            if let Some(found) = self
                .context
                .find_directory(&RootPath::root(), directory.as_bytes())
            {
                needs.follow(&found, &cause);
                application_directory::keep(self.context, needs, &found.path, &cause);
            }
        }
        Ok(())
    }

    /// The data of the package whose `composer.json` is at `manifest`: what is neither source nor for its developers.
    fn keep_data(&self, needs: &mut Needs<'_>, manifest: &RootPath) {
        let Some(package) = self
            .package_of(manifest)
            .filter(|package| manifest.parent().as_ref() == Some(package))
        else {
            return;
        };
        let files = self
            .package_entries(&package)
            .into_iter()
            .filter(|(path, entry)| {
                let name = path.name().unwrap_or_default();
                let extension = path.extension().unwrap_or_default();
                let hidden = name.starts_with(b".");
                !(entry.is_dir() || hidden || extension == b"php" || DEVELOPMENT.contains(&extension))
                    && application_directory::may_be_kept(entry)
            });
        let cause = Place::in_file(manifest).cause(EdgeKind::Distribution, "data of the package");
        let files: Vec<_> = files.collect();
        self.context.keep_files(needs, &package, &files, &cause);
    }

    /// Returns what is below `directory` but for directories that no program needs, sorted within each.
    fn package_entries(&self, directory: &RootPath) -> Vec<(&'a RootPath, &'a Entry)> {
        walk(self.context.rootfs, directory, MAX_ENTRIES, |path, entry| {
            let name = path.name().unwrap_or_default();
            !entry.is_dir() || !(name.starts_with(b".") || ASIDE.contains(&name))
        })
    }

    /// Keeps the classes that configuration names: words with backslashes, doubled or not.
    fn follow_configured_classes(&self, needs: &mut Needs<'_>, node: &Node<'_>) -> io::Result<()> {
        let mut seen = BTreeSet::new();
        for (number, line) in node.source()?.split(|&b| b == b'\n').enumerate() {
            for word in line.split(|&b| !(is_name_byte(b) || b == b'\\')) {
                if !word.contains(&b'\\') || word.len() > MAX_NAME || seen.len() == MAX_NAMES {
                    continue;
                }
                if let Some(class) = class_name(word).filter(|class| seen.insert(class.clone())) {
                    let cause =
                        Place::on_line(node.path, number + 1).cause(EdgeKind::Import, &encode(&class));
                    self.keep_class(needs, node.path, &class, &cause);
                }
            }
        }
        Ok(())
    }

    fn follow_source(&self, needs: &mut Needs<'_>, node: &Node<'_>, bytes: &[u8]) {
        let (context, file) = (self.context, node.path);
        let Some(directory) = file.parent() else { return };
        if let Some(package) = self.package_of(file)
            && let Some(manifest) = context.find_file(&package, "composer.json")
        {
            let cause = Place::in_file(file).cause(EdgeKind::Distribution, "its composer.json");
            needs.follow(&manifest, &cause);
        }
        let vendors = self.installations.iter().map(|installation| &installation.vendor);
        let libraries = self.settings.include_path.iter().chain(vendors);
        let mut near = source_file::directories_above(context, file);
        near.push(context.environment.workdir.clone());
        let mut reader = Reader {
            php: self,
            needs,
            scope: Scope::new(file, &directory, bytes),
            application: source_file::is_application(context, file, libraries),
            library: self
                .settings
                .include_path
                .iter()
                .any(|path| file.starts_with(path)),
            near,
            include_path: Vec::new(),
            aliases: BTreeMap::new(),
            seen: BTreeSet::new(),
            read: BTreeSet::new(),
        };
        // Another thread may be about to parse them, and would wait for the room that this source takes.
        for installation in &self.installations {
            let _ = installation.tables(context);
        }
        let visit = |node: Syntax<'_>| reader.visit(node);
        let extent = syntax_tree::visit(tree_sitter_php::LANGUAGE_PHP, bytes, context.cancel, visit);
        extent.report_limits(context, needs, file, bytes);
    }
}

impl Resolver for Php<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() {
            return Ok(());
        }
        let installed = self.installation_of(node.path);
        let composer = installed.is_some_and(|all| node.path.parent() == Some(all.composer()));
        if composer && node.path.name() == Some(b"installed.json") {
            let cause = Place::in_file(node.path).cause(EdgeKind::Distribution, "an installed package");
            for package in composer::packages(node.path, node.source()?) {
                if let Some(manifest) = self.context.find_file(&package, "composer.json") {
                    needs.follow(&manifest, &cause);
                }
            }
            return Ok(());
        }
        if node.path.name() == Some(b"composer.json") {
            self.keep_data(needs, node.path);
        }
        let data = node.path.extension().is_some_and(|e| DATA.contains(&e));
        if data && node.entry.size() <= MAX_DATA && self.is_of_project(node.path) {
            return self.follow_configured_classes(needs, node);
        }
        if composer {
            self.keep_autoloader(needs, node)?;
            if Table::at_path(node.path).is_some() {
                return Ok(());
            }
        }
        let bytes = match PHP.read(node)? {
            Some(source) => source.bytes,
            None if is_php(node.head()?) => node.source()?,
            None => return Ok(()),
        };
        self.follow_source(needs, node, bytes);
        Ok(())
    }
}

/// Returns whether a file that begins like this is PHP, whatever its name.
fn is_php(head: &[u8]) -> bool {
    contains(head, b"<?php") || contains(head, b"<?=")
}

/// Returns whether a byte may stand in a name of PHP.
fn is_name_byte(byte: u8) -> bool {
    is_word(byte) || byte >= 0x80
}

/// The class that a text names, if it has a namespace: `A\B`, `\A\B`, `A\\B`, and what stands before `::` or `@`.
fn class_name(text: &[u8]) -> Option<Vec<u8>> {
    let end = text
        .iter()
        .position(|b| matches!(b, b':' | b'@'))
        .unwrap_or(text.len());
    let names: Vec<&[u8]> = text[..end]
        .split(|&b| b == b'\\')
        .filter(|name| !name.is_empty())
        .collect();
    let name = |name: &&[u8]| name.iter().all(|&b| is_name_byte(b)) && !name[0].is_ascii_digit();
    let ends = !text[..end].ends_with(b"\\");
    (names.len() > 1 && ends && names.iter().all(name)).then(|| names.join(&b'\\'))
}

/// Returns whether a text may be the relative path of a file.
fn may_be_path(text: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text.iter().all(|&b| b > b' ' && !b"<>|\"';{}\\".contains(&b))
        && !contains(text, b"://")
        && text.iter().any(|b| matches!(b, b'.' | b'/'))
        && text.iter().any(|b| b.is_ascii_alphanumeric())
}

/// The use that a source makes of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PathUse {
    /// `include` or `require` reads it.
    Include,
    /// It is the value of an expression.
    Value,
}

/// Reads one source.
struct Reader<'r, 'a, 's, 'n> {
    php: &'r Php<'a>,
    needs: &'r mut Needs<'n>,
    scope: Scope<'s>,
    /// True if it is the application's: neither a package's nor below the directories of libraries.
    application: bool,
    /// True if it stands where PHP looks for libraries.
    library: bool,
    /// Directories in which a relative path may begin.
    near: Vec<RootPath>,
    /// Directories that the source adds to `include_path`.
    include_path: Vec<RootPath>,
    /// Imported classes by the names they go by here, in lower case.
    aliases: BTreeMap<Vec<u8>, Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
    /// Expressions that were read as a part of a larger one.
    read: BTreeSet<usize>,
}

impl Reader<'_, '_, '_, '_> {
    fn visit(&mut self, node: Syntax<'_>) {
        self.scope.learn(node);
        match node.kind() {
            "namespace_definition" => {
                let name = node.child_by_field_name("name");
                self.scope.namespace = name.map(|name| self.text(name).to_vec()).unwrap_or_default();
                self.aliases.clear();
            }
            "namespace_use_declaration" => self.follow_imports(node),
            "object_creation_expression" => self.follow_construction(node),
            "base_clause" | "class_interface_clause" | "use_declaration" => {
                let mut cursor = node.walk();
                for name in node.named_children(&mut cursor) {
                    self.follow_class_name(name);
                }
            }
            "named_type" | "attribute" | "class_constant_access_expression" => {
                if let Some(name) = node.named_child(0) {
                    self.follow_class_name(name);
                }
            }
            "scoped_call_expression" | "scoped_property_access_expression" => {
                if let Some(scope) = node.child_by_field_name("scope") {
                    self.follow_class_name(scope);
                }
            }
            "include_expression"
            | "include_once_expression"
            | "require_expression"
            | "require_once_expression" => {
                if let Some(path) = node.named_child(0) {
                    for words in self.values(path) {
                        self.follow_include(&words, node);
                    }
                }
            }
            "function_call_expression" => self.follow_function_call(node),
            "member_call_expression" => self.follow_method_call(node),
            "shell_command_expression" => {
                for words in self.values(node) {
                    self.follow_command_line(&words, node);
                }
            }
            "binary_expression" | "string" | "encapsed_string" => self.follow_expression(node),
            "name" if matches!(self.text(node), b"__DIR__") => self.follow_expression(node),
            _ => {}
        }
    }

    fn text(&self, node: Syntax<'_>) -> &[u8] {
        text(node, self.scope.source)
    }

    fn values(&mut self, node: Syntax<'_>) -> Vec<Words> {
        let mut read = Vec::new();
        let values = self.scope.values(node, &mut read);
        self.read.extend(read);
        values
    }

    fn cause(&self, edge: EdgeKind, node: Syntax<'_>) -> Cause {
        Place::on_line(self.scope.file, line(node)).cause(edge, &source_file::quote(self.text(node)))
    }

    /// Returns whether `kind` and `words` come for the first time, and not too many came before.
    fn is_new(&mut self, kind: u8, words: &[u8]) -> bool {
        self.seen.len() < MAX_NAMES && self.seen.insert([&[kind], words].concat())
    }

    /// Follows `use A\B, C as D`, `use A\{B, C}`; functions and constants are not loaded by their names.
    fn follow_imports(&mut self, node: Syntax<'_>) {
        if node.child_by_field_name("type").is_some() {
            return;
        }
        let mut prefix = Vec::new();
        let mut clauses = Vec::new();
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            match child.kind() {
                "namespace_name" => prefix = [self.text(child), b"\\"].concat(),
                "namespace_use_clause" => clauses.push(child),
                "namespace_use_group" => {
                    let mut cursor = child.walk();
                    clauses.extend(child.named_children(&mut cursor));
                }
                _ => {}
            }
        }
        for clause in clauses {
            let Some(name) = clause
                .named_child(0)
                .filter(|_| clause.child_by_field_name("type").is_none())
            else {
                continue;
            };
            let name = self.text(name);
            let class = [&prefix, name.strip_prefix(b"\\").unwrap_or(name)].concat();
            let alias = clause.child_by_field_name("alias").map(|alias| self.text(alias));
            let alias = alias
                .unwrap_or_else(|| value::last_name(&class))
                .to_ascii_lowercase();
            if self.aliases.len() < MAX_NAMES {
                self.aliases.insert(alias, class.clone());
            }
            self.keep_class(&class, clause);
        }
    }

    /// Follows a name in the place of a class.
    fn follow_class_name(&mut self, name: Syntax<'_>) {
        if !matches!(name.kind(), "name" | "qualified_name" | "relative_name") {
            return;
        }
        let text = self.text(name);
        // A name that the parser missed is an empty one.
        if matches!(text, b"" | b"self" | b"static" | b"parent") {
            return;
        }
        let end = text.iter().position(|&b| b == b'\\').unwrap_or(text.len());
        let class = if name.kind() == "relative_name" {
            [&self.scope.namespace, &text[end..]].concat()
        } else if let Some(class) = text.strip_prefix(b"\\") {
            class.to_vec()
        } else if let Some(import) = self.aliases.get(&text[..end].to_ascii_lowercase()) {
            [import, &text[end..]].concat()
        } else if self.scope.namespace.is_empty() {
            text.to_vec()
        } else {
            [&self.scope.namespace, &b"\\"[..], text].concat()
        };
        self.keep_class(&class, name);
    }

    /// Keeps the class of that name.
    fn keep_class(&mut self, class: &[u8], node: Syntax<'_>) {
        if class.len() > MAX_NAME || !self.is_new(b'c', class) {
            return;
        }
        let cause = Place::on_line(self.scope.file, line(node)).cause(EdgeKind::Import, &encode(class));
        let context = self.php.context;
        if self.php.keep_class(self.needs, self.scope.file, class, &cause) {
            return;
        }
        if let Some(path) = self.psr4_sibling(class)
            && let Some(found) = context.find_file(&RootPath::root(), path.as_bytes())
        {
            self.needs.follow(&found, &cause);
            return;
        }
        source_file::keep_first(context, self.needs, &self.near, &[composer::psr0(class)], &cause);
    }

    /// Returns the file of a class if namespaces are directories, as PSR-4 has it, and the source itself stands in its
    /// own: whatever loads classes here need not be read for that.
    fn psr4_sibling(&self, class: &[u8]) -> Option<RootPath> {
        let split =
            |name: &[u8]| -> Vec<Vec<u8>> { name.split(|&b| b == b'\\').map(<[u8]>::to_vec).collect() };
        let (own, class) = (split(&self.scope.namespace), split(class));
        let common = own
            .iter()
            .zip(&class)
            .take_while(|(own, class)| own == class)
            .count();
        if common == 0 || common == class.len() {
            return None;
        }
        let mut directory = self.scope.directory.clone();
        for name in own[common..].iter().rev() {
            if directory.name() != Some(name) {
                return None;
            }
            directory = directory.parent()?;
        }
        Some(composer::php(&directory.join(class[common..].join(&b'/'))))
    }

    /// The classes of a namespace whose names begin and end as `words` do.
    fn keep_namespace_classes(&mut self, words: &Words, node: Syntax<'_>) {
        let head = words.head();
        let Some(end) = head.iter().rposition(|&b| b == b'\\').map(|at| at + 1) else {
            return;
        };
        let namespace = head[..end].strip_prefix(b"\\").unwrap_or(&head[..end]);
        let name = |name: &[u8]| name.iter().all(|&b| is_name_byte(b));
        if namespace.is_empty()
            || namespace.len() > MAX_NAME
            || !namespace.split(|&b| b == b'\\').all(name)
            || !name(&head[end..])
            || !self.is_new(b'n', head)
        {
            return;
        }
        let mut directories = Vec::new();
        for installation in self.php.nearest_installations(self.scope.file) {
            directories.extend(installation.tables(self.php.context).namespace(namespace));
        }
        let path: Vec<u8> = namespace
            .iter()
            .map(|&b| if b == b'\\' { b'/' } else { b })
            .collect();
        directories.extend(
            self.php
                .settings
                .include_path
                .iter()
                .map(|directory| directory.join(&path)),
        );
        directories.extend(
            self.psr4_sibling(&[namespace, b"x"].concat())
                .and_then(|class| class.parent()),
        );
        let tail = if words.whole().is_some() {
            b""
        } else {
            words.tail()
        };
        let tail: Vec<u8> = tail.iter().map(|&b| if b == b'\\' { b'/' } else { b }).collect();
        let tail = [&tail[..], b".php"].concat();
        let cause = self.cause(EdgeKind::Import, node);
        let mut seen = BTreeSet::new();
        for directory in directories {
            if let Some(found) = self
                .php
                .context
                .find_directory(&RootPath::root(), directory.as_bytes())
                && seen.insert(found.path.clone())
            {
                self.needs.follow(&found, &cause);
                self.keep_inside(&found.path, &head[end..], &tail, node);
            }
        }
    }

    /// Follows an included path.
    fn follow_include(&mut self, words: &Words, node: Syntax<'_>) {
        let context = self.php.context;
        let cause = self.cause(EdgeKind::Import, node);
        let Some(path) = words.whole() else {
            self.follow_partial_path(words, PathUse::Include, node, &cause);
            return;
        };
        if path.is_empty() || contains(path, b"://") || !self.is_new(b'i', path) {
            return;
        }
        if path.starts_with(b"/") {
            if let Some(found) = context.find_file(&RootPath::root(), path) {
                self.needs.follow(&found, &cause);
            }
            return;
        }
        let include_path = self.include_path.iter().chain(&self.php.settings.include_path);
        let names = [path.to_vec()];
        source_file::keep_first(context, self.needs, include_path, &names, &cause);
        for directory in &self.near {
            if let Some(found) = context.find_file(directory, path) {
                self.needs.follow(&found, &cause);
            }
        }
    }

    /// Follows a path with an unknown part.
    fn follow_partial_path(&mut self, words: &Words, used: PathUse, node: Syntax<'_>, cause: &Cause) {
        let context = self.php.context;
        let (head, tail) = (words.head(), words.tail());
        let include = used == PathUse::Include;
        let key = words.pieces().join(&b'\0');
        if !(words.placed || include || self.application) || !self.is_new(b'p', &key) {
            return;
        }
        if head.starts_with(b"/") {
            // What is unknown behind a directory goes on with a slash.
            let (directory, start) = match head.iter().rposition(|&b| b == b'/') {
                Some(slash) if context.find_directory(&RootPath::root(), head).is_none() => {
                    (&head[..=slash], &head[slash + 1..])
                }
                _ => (head, &b""[..]),
            };
            if let Some(found) = context.find_directory(&RootPath::root(), directory) {
                self.needs.follow(&found, cause);
                self.keep_inside(&found.path, start, tail, node);
            }
            return;
        }
        // The beginning is computed, or it is relative: then what is known may lie in a directory above.
        let known = if head.is_empty() {
            words.pieces().get(1).map_or(&[][..], Vec::as_slice)
        } else {
            head
        };
        let known = known.strip_prefix(b"/").unwrap_or(known);
        let last = head.is_empty() && words.pieces().len() == 2;
        if last && may_be_path(known) && known.first() != Some(&b'.') {
            let near = self.near.clone();
            if !source_file::keep_first(context, self.needs, &near, &[known.to_vec()], cause) && include {
                let include_path = &self.php.settings.include_path;
                source_file::keep_first(context, self.needs, include_path, &[known.to_vec()], cause);
            }
        } else if let Some(slash) = known.iter().rposition(|&b| b == b'/').filter(|_| !last)
            && may_be_path(&known[..=slash])
        {
            let found = self
                .near
                .iter()
                .find_map(|near| context.find_directory(near, &known[..=slash]));
            if let Some(found) = found {
                self.needs.follow(&found, cause);
                self.keep_inside(&found.path, &known[slash + 1..], tail, node);
            }
        }
    }

    /// Keeps what is in `directory` and of which the path begins with `start` and ends with `tail`.
    ///
    /// A directory of the application's own is kept whole, of another one what a name at `node` can lead to; beside and
    /// above the source that names it, files of the directory itself.
    fn keep_inside(&mut self, directory: &RootPath, start: &[u8], tail: &[u8], node: Syntax<'_>) {
        if self.owns(directory) {
            let cause = self.cause(EdgeKind::Own, node);
            application_directory::keep(self.php.context, self.needs, directory, &cause);
            return;
        }
        let above = self.scope.file.starts_with(directory);
        if directory.is_root() || (above && start.is_empty() && tail.is_empty()) {
            return;
        }
        let accept = |path: &RootPath, _: &Entry| {
            let rest = path.as_bytes().get(directory.as_bytes().len() + 1..);
            rest.is_some_and(|rest| rest.starts_with(start) && rest.ends_with(tail))
        };
        let place = Place::on_line(self.scope.file, line(node));
        let words = source_file::quote(text(node, self.scope.source));
        let depth = if above { 1 } else { TREE };
        widen(
            self.php.context,
            self.needs,
            directory,
            depth,
            place,
            &words,
            accept,
        );
    }

    /// Keeps what is in `directory`, which a source names as a whole, unless it is the source's own.
    fn keep_named(&mut self, directory: &RootPath, node: Syntax<'_>) {
        let cause = self.cause(EdgeKind::Literal, node);
        if self.owns(directory) {
            application_directory::keep(self.php.context, self.needs, directory, &cause);
        } else if !directory.is_root() && !self.scope.file.starts_with(directory) {
            let files = self.php.package_entries(directory);
            let files: Vec<_> = files.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
            self.php.context.keep_files(self.needs, directory, &files, &cause);
        }
    }

    /// Returns whether `directory` may be the own one of the application that this source is of.
    fn owns(&self, directory: &RootPath) -> bool {
        self.application
            && application_directory::may_be_own(self.php.context, directory)
            && self.php.installation_of(directory).is_none()
    }

    /// Follows an expression that may be a path from here, a class, or a string of the application's.
    fn follow_expression(&mut self, node: Syntax<'_>) {
        if self.read.contains(&node.id()) {
            return;
        }
        for words in self.values(node) {
            let cause = self.cause(EdgeKind::Literal, node);
            let Some(text) = words.whole() else {
                if words.head().contains(&b'\\') {
                    self.keep_namespace_classes(&words, node);
                } else {
                    self.follow_partial_path(&words, PathUse::Value, node, &cause);
                }
                continue;
            };
            if text.is_empty() || text.len() >= MAX_NAME * 8 {
                continue;
            }
            if words.placed {
                self.keep_placed(text, node);
            } else if text.contains(&b'\\') {
                if let Some(class) = class_name(text) {
                    self.keep_class(&class, node);
                } else if self.application && text.ends_with(b"\\") {
                    // A prefix that something is put behind elsewhere.
                    self.keep_namespace_classes(&words, node);
                }
            } else if self.application && self.is_new(b'l', text) {
                if text.starts_with(b"/") {
                    let place = Place::on_line(self.scope.file, line(node));
                    absolute_path::keep(self.php.context, self.needs, text, place);
                } else if may_be_path(text) {
                    source_file::keep_first(
                        self.php.context,
                        self.needs,
                        &self.near,
                        &[text.to_vec()],
                        &cause,
                    );
                }
            }
        }
    }

    /// Keeps what stands at a path that starts at the place of the source.
    fn keep_placed(&mut self, path: &[u8], node: Syntax<'_>) {
        if !self.is_new(b'p', path) {
            return;
        }
        let context = self.php.context;
        let root = RootPath::root();
        let cause = self.cause(EdgeKind::Literal, node);
        if let Some(file) = context.find_file(&root, path) {
            self.needs.follow(&file, &cause);
        } else if let Some(found) = context.find_directory(&root, path) {
            self.needs.follow(&found, &cause);
            self.keep_named(&found.path, node);
        } else if is_pattern(path) {
            for path in context.find_matches(path).into_iter().take(MAX_ENTRIES) {
                if let Some(found) = context.find_file(&root, path.as_bytes()) {
                    self.needs.follow(&found, &cause);
                }
            }
        }
    }

    /// Follows `new X(…)`: the class, and the arguments of template engines and processes.
    fn follow_construction(&mut self, node: Syntax<'_>) {
        let Some(class) = node.named_child(0) else { return };
        self.follow_class_name(class);
        let arguments = arguments(node);
        if self.text(class).ends_with(b"Process")
            && let Some(&array) = arguments.first()
        {
            self.keep_program(array, node);
        }
        for argument in arguments {
            self.keep_directory(argument);
        }
    }

    /// Follows `$x->setTemplateDir('…')` and the like.
    fn follow_method_call(&mut self, node: Syntax<'_>) {
        let name = node
            .child_by_field_name("name")
            .map(|name| self.text(name).to_ascii_lowercase());
        let tells = name.is_some_and(|name| {
            [&b"dir"[..], b"folder", b"path", b"template", b"view"]
                .iter()
                .any(|word| contains(&name, word))
        });
        if tells {
            for argument in arguments(node) {
                self.keep_directory(argument);
            }
        }
    }

    /// Keeps an argument that is a directory of the application's, or a pattern of what is in one.
    fn keep_directory(&mut self, argument: Syntax<'_>) {
        if !self.application || !matches!(argument.kind(), "string" | "encapsed_string") {
            return;
        }
        let context = self.php.context;
        for words in self.scope.values(argument, &mut Vec::new()) {
            let Some(path) = words.whole().filter(|path| !path.starts_with(b"/")) else {
                continue;
            };
            if path.is_empty() || path.len() > MAX_NAME || !self.is_new(b'd', path) {
                continue;
            }
            if is_pattern(path) {
                let near = self.near.iter().map(|near| near.join(path));
                for pattern in near.collect::<BTreeSet<_>>() {
                    let place = Place::on_line(self.scope.file, line(argument));
                    absolute_path::keep(context, self.needs, pattern.as_bytes(), place);
                }
                continue;
            }
            let cause = self.cause(EdgeKind::Literal, argument);
            let found = self
                .near
                .iter()
                .find_map(|near| context.find_directory(near, path));
            if let Some(found) = found.filter(|found| self.owns(&found.path)) {
                self.needs.follow(&found, &cause);
                application_directory::keep(context, self.needs, &found.path, &cause);
            }
        }
    }

    /// Follows the call of a function.
    fn follow_function_call(&mut self, node: Syntax<'_>) {
        let Some(function) = node.child_by_field_name("function") else {
            return;
        };
        let name = function_name(function, self.scope.source);
        let arguments = arguments(node);
        if name == b"session_start" {
            let cause = self.cause(EdgeKind::Literal, node);
            let directories = self.php.settings.sessions.iter();
            for path in directories.flat_map(|path| {
                self.php
                    .context
                    .find_directory(&RootPath::root(), path.as_bytes())
            }) {
                self.needs.follow(&path, &cause);
            }
        }
        let Some(&first) = arguments.first() else { return };
        match name {
            _ if SHELLS.contains(&name) => {
                for words in self.values(first) {
                    self.follow_command_line(&words, node);
                }
            }
            b"proc_open" if first.kind() == "array_creation_expression" => self.keep_program(first, node),
            b"proc_open" => {
                for words in self.values(first) {
                    self.follow_command_line(&words, node);
                }
            }
            b"pcntl_exec" => self.keep_program(first, node),
            b"set_include_path" => self.extend_include_path(first),
            b"ini_set"
                if self
                    .text(first)
                    .get(1..)
                    .is_some_and(|name| name.starts_with(b"include_path")) =>
            {
                arguments
                    .get(1)
                    .into_iter()
                    .for_each(|path| self.extend_include_path(*path));
            }
            b"dirname" | b"realpath" | b"rtrim" | b"sprintf" | b"implode" | b"join" => {
                self.follow_expression(node)
            }
            _ if LISTING.contains(&name) => self.keep_directory(first),
            _ => {}
        }
    }

    /// Adds the directories that `path` is made of to the search path of later includes; an application's own are kept
    /// whole.
    fn extend_include_path(&mut self, path: Syntax<'_>) {
        let cause = self.cause(EdgeKind::Literal, path);
        for words in self.scope.values(path, &mut Vec::new()) {
            let members = words
                .pieces()
                .iter()
                .flat_map(|piece| piece.split(|&b| b == b':'));
            for member in members
                .filter(|member| member.starts_with(b"/"))
                .take(MAX_MEMBERS)
            {
                let found = self.php.context.find_directory(&RootPath::root(), member);
                let Some(found) = found.filter(|_| self.include_path.len() < MAX_MEMBERS) else {
                    continue;
                };
                self.needs.follow(&found, &cause);
                if self.owns(&found.path) {
                    application_directory::keep(self.php.context, self.needs, &found.path, &cause);
                }
                self.include_path.push(found.path);
            }
        }
    }

    /// Follows a line for `/bin/sh`.
    fn follow_command_line(&mut self, words: &Words, node: Syntax<'_>) {
        // Libraries beside the interpreter run programs only in rare cases.
        if self.library {
            return;
        }
        let place = Place::on_line(self.scope.file, line(node));
        let context = self.php.context;
        context.keep_command(self.needs, b"sh", place);
        // A byte that no program is named by stands for what is not known.
        let known = words.pieces().join(&b'\x01');
        if self.is_new(b'x', &known) {
            source_file::keep_command_line(context, self.needs, &known, place);
        }
    }

    /// Keeps a program that is run without a shell, alone or before its arguments.
    fn keep_program(&mut self, words: Syntax<'_>, node: Syntax<'_>) {
        if self.library {
            return;
        }
        let element = words
            .named_child(0)
            .filter(|_| words.kind() == "array_creation_expression");
        let program = element.map_or(Some(words), value::last_child);
        let Some(program) = program else { return };
        let place = Place::on_line(self.scope.file, line(node));
        for words in self.scope.values(program, &mut Vec::new()) {
            if let Some(name) = words.whole() {
                self.php.context.keep_command(self.needs, name, place);
            }
        }
    }
}
