//! Perl: modules that a kept source uses, what belongs to them, files that it runs, and commands.
//!
//! `use`, `no`, `require`, `do FILE`, `use parent`/`base`, `use lib`, and modules named in strings (for Module::Load,
//! roles, plug-ins and `eval`) are looked for along `@INC` (perlvar, perlrun): `-I`, PERL5LIB, `use lib`, the
//! directories above the source, and those that Debian, Fedora, Alpine and upstream's installation compile in. A kept
//! module keeps its `auto` directory (XSLoader, DynaLoader, AutoLoader).
//!
//! What perl loads by itself is kept beside a source that is not perl's own: handles' methods (IO::File), in-memory
//! files and layers (PerlIO, PerlIO::scalar), `%!` (Errno), `%+` (Tie::Hash::NamedCapture) and `glob` (File::Glob);
//! PerlIO::encoding and `_charnames` where the source has a layer or a character's name. Character properties are
//! compiled in since Perl 5.32; their tables (`unicore`) are kept for `utf8_heavy.pl` before that and for Unicode::UCD.
//!
//! A word in a string may be a module of the source's own namespace (`implementations => ['XS', 'PP']`), and is kept if
//! there is one. Computed names widen: one that begins with a namespace and goes on with a variable
//! (`"DateTime::TimeZone::$zone"`, `__PACKAGE__ . "::$x"`) to that namespace, a path (`require "Foo/$x.pl"`) to its
//! directory, a class of Locale::Maketext's to its own. A source that lists modules (`find_modules`, Module::Find, Module::Pluggable) or puts names together of
//! two variables and loads them has its namespaces in strings; each that has a directory is kept wide.
//!
//! Data: the `auto/share` directories (File::ShareDir) of the distributions that a source is or names, and what is
//! named on a line from the source's own place (`__FILE__`, `FindBin`, `sibling`).
//!
//! Names that are computed otherwise, source filters' output and what perl's own modules run in rare cases are not
//! followed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tree_sitter::Node as Syntax;

use crate::image::{Entry, LastLink};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::absolute_path;
use crate::reach::bytes::{contains, is_word};
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::{self, SourceKind};
use crate::reach::languages::syntax_tree;
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::widening::{TREE, widen};

const PERL: SourceKind = SourceKind {
    extensions: &[b"pl", b"pm", b"t", b"psgi", b"cgi", b"al"],
    interpreters: &[b"perl"],
};
/// The largest number of directories that one source may add to the search.
const MAX_LIB: usize = 16;
/// The largest number of packages of one source that may have modules of their own.
const MAX_PACKAGES: usize = 16;
/// The largest number of files of one module's `auto` directory, or of the tables that are kept.
const MAX_FILES: usize = 4000;
/// The largest number of strings that are parts of one path.
const MAX_PARTS: usize = 8;
/// The largest number of times that a source is searched for the ends of here-documents.
const MAX_SEARCHES: usize = 16;
/// The largest number of bytes of a here-document that is parsed.
const MAX_HERE_DOCUMENT: usize = 4096;
/// Number of blanks between a word and its argument, at most.
const MAX_BLANK: usize = 64;
/// Modules that perl loads by itself for what any source may do.
const IMPLICIT: [&[u8]; 6] = [
    b"Errno",
    b"File::Glob",
    b"IO::File",
    b"PerlIO",
    b"PerlIO::scalar",
    b"Tie::Hash::NamedCapture",
];
/// Functions that load the module they are given.
const LOADERS: [&[u8]; 10] = [
    b"autoload",
    b"autouse",
    b"base",
    b"extends",
    b"load",
    b"load_class",
    b"parent",
    b"require_module",
    b"use_module",
    b"with",
];

/// The class of those that have their texts in modules of their own namespace (Locale::Maketext, "Lexicons").
const LEXICONS: &[u8] = b"Locale::Maketext";
/// Words of a source that lists the modules of a namespace.
const LISTERS: [&[u8]; 6] = [
    b"Module::Find",
    b"Module::Pluggable",
    b"find_modules",
    b"find_packages",
    b"findallmod",
    b"findsubmod",
];
/// Words of a source that loads a module by a computed name.
const COMPUTED_LOADERS: [&[u8]; 7] = [
    b"require $",
    b"\"require ",
    b"Class::Load",
    b"Module::Load",
    b"Module::Runtime",
    b"load_class",
    b"require_module",
];
/// Words of a line that names a file by the place of its source.
const PLACES: [&[u8]; 4] = [b"__FILE__", b"$FindBin::", b"$Bin", b"sibling("];

/// Perl, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Perl",
    sample: Sample {
        hostile: &["/app/main.pl", "/usr/share/perl5/A.pm"],
        fixed: &[
            ("/usr/bin/perl", "elf"),
            ("/usr/share/perl5/B.pm", "package B; use A;"),
            ("/usr/share/perl/5.36/strict.pm", "1"),
            ("/usr/lib/x86_64-linux-gnu/perl/5.36/auto/A/A.so", "elf"),
        ],
    },
    resolver: |context| Box::new(Perl::new(context)),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of Perl.
pub(super) struct Perl<'a> {
    context: &'a Context<'a>,
    /// `@INC` but for what a source adds.
    inc: Vec<RootPath>,
    /// Directories of the interpreter's own modules, links followed.
    standard: Vec<RootPath>,
    /// Names of the distributions and modules that have a directory of data, each with that directory.
    shared: BTreeMap<Vec<u8>, Vec<RootPath>>,
}

/// The names in one source, each with its line.
#[derive(Default)]
struct Named<'s> {
    modules: Vec<(usize, &'s [u8])>,
    files: Vec<(usize, &'s [u8])>,
    programs: Vec<(usize, &'s [u8])>,
    command_lines: Vec<(usize, &'s [u8])>,
    strings: Vec<(usize, &'s [u8])>,
    /// Namespaces that a computed name begins with, each with how it is written.
    namespaces: Vec<(usize, &'s [u8], &'s [u8])>,
    /// Computed names behind the source's own package.
    own_namespaces: Vec<(usize, &'s [u8])>,
    /// Directories of computed paths, each with how the path is written.
    directories: Vec<(usize, &'s [u8], &'s [u8])>,
    /// A module's name that is put together of nothing but variables.
    composed: Option<(usize, &'s [u8])>,
    lib: Vec<&'s [u8]>,
    packages: Vec<&'s [u8]>,
    /// True if the string before was the mode of a pipe.
    piped: bool,
    /// The word before the list of words that is read.
    list: &'s [u8],
    /// The end of the `use parent` that is read.
    parent_end: usize,
    /// True if the grammar met an error.
    broken: bool,
}

impl<'a> Perl<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let standard = standard_directories(context);
        let mut inc = source_file::variable_directories(context, "PERL5LIB");
        inc.extend(site_directories(context));
        inc.extend(standard.iter().cloned());
        let resolved = |directory: &RootPath| context.rootfs.resolve(directory, LastLink::Follow).path;
        let standard = standard.iter().map(resolved).collect();
        let shared = shared_directories(context, &inc);
        Self {
            context,
            inc,
            standard,
            shared,
        }
    }

    /// Keeps the module, by the first directory that has it.
    fn keep_module(&self, needs: &mut Needs<'_>, search: &[RootPath], module: &[u8], place: Place<'_>) {
        let cause = place.cause(EdgeKind::Import, &format!("use {}", encode(module)));
        let name = [&module_path(module)[..], b".pm"].concat();
        source_file::keep_first(self.context, needs, search, &[name], &cause);
    }

    /// Keeps all modules of a namespace, where a directory of the search has some.
    fn keep_namespace(
        &self,
        needs: &mut Needs<'_>,
        search: &[RootPath],
        namespace: &[u8],
        place: Place<'_>,
        words: &[u8],
    ) {
        let mut seen = BTreeSet::new();
        for directory in search {
            if let Some(found) = self.context.find_directory(directory, module_path(namespace))
                && seen.insert(found.path.clone())
            {
                let module = |path: &RootPath, _: &Entry| path.extension() == Some(b"pm");
                let words = String::from_utf8_lossy(words);
                widen(self.context, needs, &found.path, TREE, place, &words, module);
            }
        }
    }

    /// Keeps the modules that a source lists, or loads by names that begin with a variable: those of each namespace that
    /// stands in one of its strings, and of the default of Module::Pluggable.
    fn keep_listed_namespaces(
        &self,
        needs: &mut Needs<'_>,
        search: &[RootPath],
        file: &RootPath,
        bytes: &[u8],
        named: &Named<'_>,
    ) {
        let lists = LISTERS.iter().any(|word| contains(bytes, word));
        let loads = named.composed.is_some() && COMPUTED_LOADERS.iter().any(|word| contains(bytes, word));
        if !(lists || loads) {
            return;
        }
        for (line, string) in &named.strings {
            if contains(string, b"::") && is_module(string) {
                let (line, words) = named.composed.unwrap_or((*line, string));
                self.keep_namespace(needs, search, string, Place::on_line(file, line), words);
            }
        }
        if contains(bytes, b"Module::Pluggable") {
            for package in named.packages.iter().take(MAX_PACKAGES) {
                let namespace = [package, &b"::Plugin"[..]].concat();
                self.keep_namespace(
                    needs,
                    search,
                    &namespace,
                    Place::in_file(file),
                    b"Module::Pluggable",
                );
            }
        }
    }

    /// Keeps the data of the distribution or module `name`.
    fn keep_shared(&self, needs: &mut Needs<'_>, name: &[u8], place: Place<'_>) {
        for directory in self.shared.get(name).into_iter().flatten() {
            let words = format!("{}: data that it finds by name", encode(name));
            widen(self.context, needs, directory, TREE, place, &words, |_, _| true);
        }
    }

    /// Keeps the files and directories that a line names by the place of its source.
    fn keep_placed(&self, needs: &mut Needs<'_>, file: &RootPath, bytes: &[u8], named: &Named<'_>) {
        let Some(directory) = file
            .parent()
            .filter(|_| PLACES.iter().any(|word| contains(bytes, word)))
        else {
            return;
        };
        let mut by_line: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
        for (line, string) in &named.strings {
            by_line.entry(*line).or_default().push(string);
        }
        for (number, line) in bytes.split(|&b| b == b'\n').enumerate() {
            let number = number + 1;
            let Some(strings) = by_line
                .get(&number)
                .filter(|_| PLACES.iter().any(|word| contains(line, word)))
            else {
                continue;
            };
            let place = Place::on_line(file, number);
            // The parts of one path, of which the last may be what is done with it.
            for length in (1..=strings.len().min(MAX_PARTS)).rev() {
                let path = strings[..length].join(&b'/');
                let path = path.strip_prefix(b"/").unwrap_or(&path);
                if let Some(found) = self.context.find_file(&directory, path) {
                    needs.follow(&found, &place.cause(EdgeKind::Literal, &encode(path)));
                } else if let Some(found) = self.context.find_directory(&directory, path)
                    && !file.starts_with(&found.path)
                {
                    let words = source_file::quote(line.trim_ascii());
                    widen(self.context, needs, &found.path, TREE, place, &words, |_, _| true);
                } else {
                    continue;
                }
                break;
            }
        }
    }

    /// Keeps what stands in the module's `auto` directories: its library, and subroutines that load when called.
    fn keep_auto_files(&self, needs: &mut Needs<'_>, search: &[RootPath], file: &RootPath, package: &[u8]) {
        let path = module_path(package);
        if !file.as_bytes().ends_with(&[b"/", &path[..], b".pm"].concat()) {
            return;
        }
        let cause = Place::in_file(file).cause(EdgeKind::Distribution, &format!("auto/{}", encode(&path)));
        for directory in search {
            let Some(auto) = self
                .context
                .find_directory(directory, [b"auto/", &path[..]].concat())
            else {
                continue;
            };
            let children = self.context.rootfs.children(&auto.path);
            for (child, _) in children.filter(|(_, entry)| !entry.is_dir()).take(MAX_FILES) {
                let name = child.name().unwrap_or_default();
                let file = [b"auto/", &path[..], b"/", name].concat();
                if let Some(found) = self.context.find_file(directory, file) {
                    needs.follow(&found, &cause);
                }
            }
        }
    }

    /// Keeps perl's tables of characters beside a kept file that reads them by name.
    fn keep_tables(&self, needs: &mut Needs<'_>, file: &RootPath) {
        let cause = Place::in_file(file).cause(EdgeKind::Family, "unicore");
        for directory in &self.inc {
            if let Some(tables) = self.context.find_directory(directory, "unicore") {
                let below = self.context.rootfs.below(&tables.path);
                for (path, _) in below.filter(|(_, entry)| entry.is_file()).take(MAX_FILES) {
                    needs.mark(path, cause.clone());
                }
            }
        }
    }
}

impl Resolver for Perl<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(source) = PERL.read(node)? else {
            return Ok(());
        };
        let (context, file, bytes) = (self.context, node.path, source.bytes);
        let code = Code::of(bytes);
        let mut named = Named::default();
        let extent = syntax_tree::visit(
            tree_sitter_perl::LANGUAGE,
            &code.bytes,
            context.cancel,
            |syntax| named.add(syntax, &code),
        );
        extent.report_limits(context, needs, file, bytes);
        if named.broken || extent != syntax_tree::Extent::Whole {
            named.add_lines(bytes);
        }
        let workdir = &context.environment.workdir;
        let lib = named.lib.iter().take(MAX_LIB).chain(&source.include);
        let mut search: Vec<RootPath> = lib.map(|directory| workdir.join(directory)).collect();
        let above = source_file::directories_above(context, file);
        search.extend(above.iter().cloned());
        search.extend(above.iter().map(|directory| directory.join("lib/perl5")));
        search.extend(above.iter().map(|directory| directory.join("local/lib/perl5")));
        search.extend(self.inc.iter().cloned());
        search.push(workdir.clone());
        search.retain(|directory| context.find_directory(directory, ".").is_some());

        let at = |line| Place::on_line(file, line);
        let mut seen = source_file::SeenNames::default();
        named.modules.retain(|(_, module)| seen.insert(b"use", module));
        named.files.retain(|(_, name)| seen.insert(b"require", name));
        named
            .strings
            .retain(|(_, string)| string.starts_with(b"/") || seen.insert(b"", string));
        for (line, module) in &named.modules {
            self.keep_module(needs, &search, module, at(*line));
        }
        for (line, namespace, words) in &named.namespaces {
            if seen.insert(b"namespace", namespace) {
                self.keep_namespace(needs, &search, namespace, at(*line), words);
            }
        }
        // Lexicons stand below the class that inherits from it, and are loaded for the languages that somebody asks for.
        let lexicons = named.modules.iter().filter(|(_, module)| *module == LEXICONS);
        let lexicons = lexicons.map(|(line, module)| (*line, *module));
        for (line, words) in lexicons.chain(named.own_namespaces.iter().copied()) {
            for package in named.packages.iter().take(MAX_PACKAGES) {
                if seen.insert(b"namespace", package) {
                    self.keep_namespace(needs, &search, package, at(line), words);
                }
            }
        }
        let mut directories = BTreeSet::new();
        for (line, directory, words) in &named.directories {
            let found = search
                .iter()
                .find_map(|above| context.find_directory(above, directory));
            if let Some(found) = found.filter(|found| directories.insert(found.path.clone())) {
                let words = String::from_utf8_lossy(words);
                widen(context, needs, &found.path, 1, at(*line), &words, is_code);
            }
        }
        self.keep_listed_namespaces(needs, &search, file, &code.bytes, &named);
        self.keep_placed(needs, file, bytes, &named);
        for (line, name) in &named.files {
            let cause = at(*line).cause(EdgeKind::Import, &format!("require {}", encode(name)));
            source_file::keep_first(context, needs, &search, &[name.to_vec()], &cause);
        }
        for (line, string) in &named.strings {
            self.keep_shared(needs, string, at(*line));
        }
        for package in named.packages.iter().take(MAX_PACKAGES) {
            self.keep_auto_files(needs, &search, file, package);
            let path = [b"/", &module_path(package)[..], b".pm"].concat();
            if file.as_bytes().ends_with(&path) {
                let name = module_path(package)
                    .iter()
                    .map(|&b| if b == b'/' { b'-' } else { b })
                    .collect::<Vec<u8>>();
                self.keep_shared(needs, &name, Place::in_file(file));
            }
            let words = named.strings.iter().filter(|(_, string)| is_identifier(string));
            for (line, word) in words {
                let module = [package, &b"::"[..], word].concat();
                self.keep_module(needs, &search, &module, at(*line));
            }
        }
        if file.name() == Some(b"utf8_heavy.pl") || file.as_bytes().ends_with(b"/Unicode/UCD.pm") {
            self.keep_tables(needs, file);
        }
        if file.name() == Some(b"Encode.pm") {
            for module in [
                &b"Encode::Byte"[..],
                b"Encode::Symbol",
                b"Encode::Unicode",
                b"Encode::MIME::Header",
            ] {
                self.keep_module(needs, &search, module, Place::in_file(file));
            }
        }
        if self.standard.iter().any(|directory| file.starts_with(directory)) {
            return Ok(());
        }
        for module in IMPLICIT {
            self.keep_module(needs, &search, module, Place::in_file(file));
        }
        if contains(&code.bytes, b"encoding(") {
            self.keep_module(needs, &search, b"PerlIO::encoding", Place::in_file(file));
            self.keep_module(needs, &search, b"Encode", Place::in_file(file));
        }
        if contains(&code.bytes, b"\\N{") {
            self.keep_module(needs, &search, b"_charnames", Place::in_file(file));
        }
        let application = source_file::is_application(context, file, self.inc.iter());
        for (line, string) in named.strings {
            if string.starts_with(b"/") {
                if application {
                    absolute_path::keep(context, needs, string, at(line));
                }
            } else if let Some(driver) = driver(string) {
                self.keep_module(needs, &search, &driver, at(line));
            } else if contains(string, b"::") && is_module(string) {
                self.keep_module(needs, &search, string, at(line));
            }
        }
        for (line, program) in named.programs {
            context.keep_command(needs, program, at(line));
        }
        for (line, command) in named.command_lines {
            source_file::keep_command_line(context, needs, command, at(line));
        }
        Ok(())
    }
}

impl<'s> Named<'s> {
    /// Takes what one node of the tree names.
    fn add(&mut self, node: Syntax<'_>, code: &'s Code<'_>) {
        let bytes: &'s [u8] = &code.bytes;
        let line = code.source_line(syntax_tree::line(node));
        let text = syntax_tree::text(node, bytes);
        let kind = node.kind();
        if kind == "ERROR" {
            self.broken = true;
        } else if kind.starts_with("use_") || kind == "require_statement" {
            self.modules.extend(loaded(text).map(|module| (line, module)));
            if kind == "use_parent_statement" {
                self.parent_end = node.end_byte();
            }
        } else if kind == "package_statement" {
            let name = text
                .strip_prefix(b"package")
                .unwrap_or_default()
                .trim_ascii_start();
            self.packages.push(identifier(name));
        } else if kind == "call_expression_with_bareword" {
            if keyword(bytes, node.start_byte()) == b"require" && is_module(text) {
                self.modules.push((line, text));
            }
        } else if matches!(kind, "backtick_quoted" | "command_qx_quoted") {
            self.command_lines
                .extend(quoted(node, bytes).map(|command| (line, command)));
        } else if kind == "word_list_qw" {
            self.list = keyword(bytes, node.start_byte());
        } else if kind == "list_item" {
            self.word(self.list, text, line, b"");
        } else if kind.starts_with("string_")
            && let Some(computed) = computed(node, bytes)
        {
            match computed {
                Computed::Namespace(namespace) => self.namespaces.push((line, namespace, text)),
                Computed::Own => self.own_namespaces.push((line, text)),
                Computed::Directory(directory) => self.directories.push((line, directory, text)),
                Computed::Composed => self.composed = self.composed.or(Some((line, text))),
            }
        } else if kind.starts_with("string_")
            && let Some(string) = quoted(node, bytes)
        {
            let mut word = keyword(bytes, node.start_byte());
            if node.start_byte() < self.parent_end {
                word = b"parent";
            }
            let rest = bytes.get(node.end_byte()..).unwrap_or_default();
            self.word(word, string, line, rest);
        }
    }

    /// Takes a string that stands behind `keyword` and before `rest`.
    fn word(&mut self, keyword: &[u8], string: &'s [u8], line: usize, rest: &[u8]) {
        let single = !rest
            .get(..MAX_BLANK.min(rest.len()))
            .unwrap_or_default()
            .trim_ascii_start()
            .starts_with(b",");
        let piped = std::mem::replace(&mut self.piped, matches!(string, b"-|" | b"|-"));
        let open = keyword == b"open" || contains(string, b" |") || string.starts_with(b"| ");
        if piped || matches!(keyword, b"system" | b"exec" | b"readpipe") {
            let to = if single {
                &mut self.command_lines
            } else {
                &mut self.programs
            };
            to.push((line, string));
        } else if open && single && (string.ends_with(b"|") || string.starts_with(b"|")) {
            let command = string.strip_prefix(b"|").unwrap_or(string);
            self.command_lines
                .push((line, command.strip_suffix(b"|").unwrap_or(command)));
        } else if matches!(keyword, b"require" | b"do") {
            self.files.push((line, string));
        } else if keyword == b"lib" {
            self.lib.push(string);
        } else if LOADERS.contains(&keyword) && is_module(string) {
            self.modules.push((line, string));
        } else if keyword == b"eval" {
            self.modules.extend(loaded(string).map(|module| (line, module)));
        } else {
            self.strings.push((line, string));
        }
    }

    /// Takes what lines begin with, where the grammar met an error; not those of documentation, nor behind the end.
    fn add_lines(&mut self, bytes: &'s [u8]) {
        let mut documentation = false;
        for (number, line) in bytes.split(|&b| b == b'\n').enumerate() {
            if matches!(line.trim_ascii_end(), b"__END__" | b"__DATA__") {
                return;
            }
            if line.first() == Some(&b'=') && line.get(1).is_some_and(u8::is_ascii_alphabetic) {
                documentation = !line.starts_with(b"=cut");
            } else if !documentation {
                self.modules
                    .extend(loaded(line.trim_ascii_start()).map(|module| (number + 1, module)));
            }
        }
    }
}

/// A source without what only costs time to parse: documentation, long here-documents (tables of a megabyte, for which
/// the grammar takes time by the square of their lengths), and what is behind the end.
struct Code<'s> {
    bytes: Cow<'s, [u8]>,
    /// Before which line of the code how many lines of the source are missing, in order.
    cuts: Vec<(usize, usize)>,
}

impl<'s> Code<'s> {
    /// Returns the code of `source`.
    fn of(source: &'s [u8]) -> Self {
        let mut code: Vec<u8> = Vec::with_capacity(source.len());
        let mut cuts = Vec::new();
        let (mut at, mut line) = (0, 1);
        let mut searched = 0;
        while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
            let length = rest
                .iter()
                .position(|&b| b == b'\n')
                .map_or(rest.len(), |end| end + 1);
            let (text, behind) = rest.split_at(length);
            if text.trim_ascii_end() == b"__END__" {
                break;
            }
            if text.first() == Some(&b'=') && text.get(1).is_some_and(u8::is_ascii_alphabetic) {
                let end = memchr::memmem::find(rest, b"\n=cut").map_or(rest.len(), |end| end + 1);
                let cut = rest[end..]
                    .iter()
                    .position(|&b| b == b'\n')
                    .map_or(rest.len(), |n| end + n + 1);
                cuts.push((line, count_lines(&rest[..cut])));
                at += cut;
                continue;
            }
            code.extend_from_slice(text);
            line += 1;
            at += length;
            if searched > source.len().saturating_mul(MAX_SEARCHES)
                || memchr::memmem::find(text, b"<<").is_none()
            {
                continue;
            }
            let body = here_document(text, behind);
            searched += body.unwrap_or(behind.len());
            if let Some(body) = body.filter(|body| *body > MAX_HERE_DOCUMENT) {
                cuts.push((line, count_lines(&behind[..body])));
                at += body;
            }
        }
        let bytes = if code.len() == source.len() {
            Cow::Borrowed(source)
        } else {
            Cow::Owned(code)
        };
        Self { bytes, cuts }
    }

    /// Returns the line of the source for one of the code.
    fn source_line(&self, line: usize) -> usize {
        let before = self.cuts.iter().take_while(|(at, _)| *at <= line);
        line + before.map(|(_, lines)| lines).sum::<usize>()
    }
}

fn count_lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

/// Returns the length of the here-document that `line` begins and that `behind` begins with; its last line is none of
/// it.
fn here_document(line: &[u8], behind: &[u8]) -> Option<usize> {
    let begin = memchr::memmem::find(line, b"<<")? + 2;
    let rest = &line[begin..];
    let rest = rest.strip_prefix(b"~").unwrap_or(rest);
    let quote = rest.first().filter(|b| matches!(b, b'\'' | b'"'));
    let rest = &rest[usize::from(quote.is_some())..];
    let end = match quote {
        Some(quote) => rest.iter().position(|b| b == quote)?,
        None => identifier(rest).len(),
    };
    let tag = &rest[..end];
    if tag.is_empty() {
        return None;
    }
    let mut at = 0;
    for text in behind.split(|&b| b == b'\n') {
        if text.trim_ascii() == tag {
            return Some(at);
        }
        at += text.len() + 1;
    }
    None
}

/// The module that a statement loads (`use X::Y 1.2 qw(a)`).
fn loaded(statement: &[u8]) -> Option<&[u8]> {
    let rest = [&b"use"[..], b"no", b"require"]
        .iter()
        .find_map(|word| statement.strip_prefix(*word))?;
    if !rest.first()?.is_ascii_whitespace() {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let module = identifier(rest);
    if module == b"if" || module == b"autouse" {
        // `use if CONDITION, 'Module'`: the grammar has the name among the strings, or behind a comma.
        let behind = rest.iter().position(|&b| b == b',')?;
        let name = rest[behind + 1..].trim_ascii_start();
        let name = name
            .strip_prefix(b"'")
            .or(name.strip_prefix(b"\""))
            .unwrap_or(name);
        return Some(identifier(name)).filter(|name| is_module(name));
    }
    is_module(module).then_some(module)
}

/// The identifier, with its packages, that `text` begins with.
fn identifier(text: &[u8]) -> &[u8] {
    let end = text
        .iter()
        .position(|&b| !(is_word(b) || b == b':'))
        .unwrap_or(text.len());
    &text[..end]
}

/// The word before `at`, at most a parenthesis between them.
fn keyword(bytes: &[u8], at: usize) -> &[u8] {
    let before = bytes.get(at.saturating_sub(MAX_BLANK)..at).unwrap_or_default();
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"(").unwrap_or(before).trim_ascii_end();
    let start = before
        .iter()
        .rposition(|&b| !is_word(b))
        .map_or(0, |last| last + 1);
    &before[start..]
}

/// Returns what stands between the quotes, up to the first thing that is computed; nothing of a string that begins with
/// it.
fn quoted<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<&'s [u8]> {
    let text = syntax_tree::text(node, bytes);
    let mut start = 1;
    if matches!(
        node.kind(),
        "string_q_quoted" | "string_qq_quoted" | "command_qx_quoted"
    ) {
        start = text.iter().position(|&b| !is_word(b))? + 1;
    }
    let command = matches!(node.kind(), "backtick_quoted" | "command_qx_quoted");
    let computed = text.iter().position(|&b| matches!(b, b'$' | b'@' | b'\\'));
    let raw = matches!(node.kind(), "string_single_quoted" | "string_q_quoted");
    let end = match computed {
        Some(at) if !raw && command => at,
        Some(_) if !raw => return None,
        _ => text.len().checked_sub(1)?,
    };
    text.get(start..end).filter(|string| !string.is_empty())
}

/// A string with a computed part that names modules.
#[derive(Debug, PartialEq, Eq)]
enum Computed<'s> {
    /// `"A::B::$c"`, `'A::B::' . $c`.
    Namespace(&'s [u8]),
    /// `__PACKAGE__ . "::$c"`.
    Own,
    /// `"A/B/$c.pm"`.
    Directory(&'s [u8]),
    /// `"${a}::$b"`, `$a . '::' . $b`, `join '::', $a, $b`.
    Composed,
}

/// The modules or files that a string with a computed part may name.
fn computed<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<Computed<'s>> {
    let text = syntax_tree::text(node, bytes);
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    let inner = match node.kind() {
        "string_q_quoted" | "string_qq_quoted" => &inner[inner.iter().position(|&b| !is_word(b))? + 1..],
        _ => inner,
    };
    let raw = matches!(node.kind(), "string_single_quoted" | "string_q_quoted");
    let behind = bytes.get(node.end_byte()..).unwrap_or_default();
    let behind = behind[..MAX_BLANK.min(behind.len())].trim_ascii_start();
    let before = &bytes[node.start_byte().saturating_sub(MAX_BLANK)..node.start_byte()];
    let before = before.trim_ascii_end();
    let goes_on = behind.starts_with(b".") && !behind.starts_with(b"..");
    let prefix = match inner.iter().position(|&b| b == b'$') {
        Some(at) if !raw => {
            let rest = without_variable(&inner[at..]);
            if matches!(rest, b".pm" | b".pl") {
                let directory = inner[..at].strip_suffix(b"/")?;
                return (!directory.is_empty()).then_some(Computed::Directory(directory));
            }
            let symbol =
                before.ends_with(b"{") && before.len() > 1 && b"*&@%$".contains(&before[before.len() - 2]);
            let rest = rest.strip_prefix(b"\\").unwrap_or(rest);
            if at == 0 && !symbol && rest.starts_with(b"::$") && without_variable(&rest[2..]).is_empty() {
                return Some(Computed::Composed);
            }
            (rest.is_empty() || rest.starts_with(b"::")).then_some(&inner[..at])?
        }
        None if inner == b"::" && keyword(bytes, node.start_byte()) == b"join" => {
            return Some(Computed::Composed);
        }
        _ => goes_on.then_some(inner)?,
    };
    let prefix = prefix.strip_suffix(b"::")?;
    if prefix.is_empty() {
        let before = before.strip_suffix(b".")?.trim_ascii_end();
        let own = before.ends_with(b"__PACKAGE__");
        return Some(if own { Computed::Own } else { Computed::Composed });
    }
    is_module(prefix).then_some(Computed::Namespace(prefix))
}

/// Returns what stands behind the variable that `text` begins with (`$x`, `${x}`).
fn without_variable(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"$").unwrap_or(text);
    let braced = text.strip_prefix(b"{");
    let name = braced.unwrap_or(text);
    let rest = &name[name.iter().position(|&b| !is_word(b)).unwrap_or(name.len())..];
    rest.strip_prefix(b"}")
        .filter(|_| braced.is_some())
        .unwrap_or(rest)
}

/// Returns whether `path` may be loaded.
fn is_code(path: &RootPath, _: &Entry) -> bool {
    matches!(path.extension(), Some(b"pm" | b"pl"))
}

/// The directories of data that File::ShareDir finds along `inc`, by the name of the distribution or, with hyphens, of
/// the module.
fn shared_directories(context: &Context<'_>, inc: &[RootPath]) -> BTreeMap<Vec<u8>, Vec<RootPath>> {
    let mut found: BTreeMap<Vec<u8>, Vec<RootPath>> = BTreeMap::new();
    for kind in ["auto/share/dist", "auto/share/module"] {
        let tops: Vec<String> = inc
            .iter()
            .map(|directory| directory.join(kind).to_string())
            .collect();
        let tops: Vec<&str> = tops.iter().map(String::as_str).collect();
        for directory in source_file::child_directories(context, &tops, |_| true) {
            let name = directory.name().unwrap_or_default().to_vec();
            found.entry(name).or_default().push(directory);
        }
    }
    found
}

/// The database driver that DBI loads for a data source (`dbi:SQLite:dbname=x`).
fn driver(string: &[u8]) -> Option<Vec<u8>> {
    let rest = string.strip_prefix(b"dbi:").or(string.strip_prefix(b"DBI:"))?;
    let name = identifier(rest).split(|&b| b == b':').next()?;
    Some([b"DBD::", name].concat()).filter(|name| is_module(name))
}

/// Returns whether `name` is one of a module: words with `::` between them.
fn is_module(name: &[u8]) -> bool {
    let starts = name
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    starts && name.len() < 256 && name.iter().all(|&b| is_word(b) || b == b':') && !name.ends_with(b":")
}

/// Returns whether `name` is one word of a module's name.
fn is_identifier(name: &[u8]) -> bool {
    is_module(name) && !name.contains(&b':')
}

/// Returns the path of a module's name (`X/Y` of `X::Y`).
fn module_path(module: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(module).replace("::", "/").into_bytes()
}

fn version(name: &[u8]) -> bool {
    name.first() == Some(&b'5') && name.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// Directories for what is installed beside perl, in the order of Debian's `@INC`.
fn site_directories(context: &Context<'_>) -> Vec<RootPath> {
    let mut found = vec![RootPath::new("/etc/perl")];
    let find = |parents: &[String]| {
        let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
        source_file::child_directories(context, &parents, version)
    };
    let within = |parent: &str, name: &str| -> Vec<String> {
        let architectures = source_file::library_architectures(context, parent);
        architectures
            .iter()
            .map(|directory| format!("{directory}/{name}"))
            .collect()
    };
    found.extend(find(&within("/usr/local/lib", "perl")));
    found.extend(find(&["/usr/local/share/perl".to_owned()]));
    found.extend(find(&within("/usr/lib", "perl5")));
    found.extend(within("/usr/lib", "perl5").iter().map(RootPath::new));
    for lib in [
        "/usr/local/lib/perl5",
        "/usr/local/lib64/perl5",
        "/usr/local/share/perl5",
        "/usr/lib/perl5",
        "/usr/lib64/perl5",
        "/usr/share/perl5",
    ] {
        for kind in ["site_perl", "vendor_perl"] {
            let parent = format!("{lib}/{kind}");
            found.extend(versions(context, &parent));
            found.push(RootPath::new(parent));
        }
    }
    found.push(RootPath::new("/usr/share/perl5"));
    found.push(RootPath::new("/usr/local/lib/site_perl"));
    found
}

/// Directories of the modules that come with perl.
fn standard_directories(context: &Context<'_>) -> Vec<RootPath> {
    let mut found = Vec::new();
    let architectures = source_file::library_architectures(context, "/usr/lib");
    found.extend(architectures.iter().map(|directory| directory.join("perl-base")));
    for architecture in &architectures {
        found.extend(source_file::child_directories(
            context,
            &[&format!("{architecture}/perl")],
            version,
        ));
    }
    found.extend(source_file::child_directories(
        context,
        &["/usr/share/perl"],
        version,
    ));
    found.extend(versions(context, "/usr/local/lib/perl5"));
    found.extend(
        [
            "/usr/lib/perl5/core_perl",
            "/usr/share/perl5/core_perl",
            "/usr/lib64/perl5",
        ]
        .map(RootPath::new),
    );
    found
}

/// The directories of versions in `parent`, each behind those of its architectures.
fn versions(context: &Context<'_>, parent: &str) -> Vec<RootPath> {
    let mut found = Vec::new();
    for directory in source_file::child_directories(context, &[parent], version) {
        found.extend(source_file::library_architectures(
            context,
            &directory.to_string(),
        ));
        found.push(directory);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::languages::source_file::tests::{beside, reached};

    fn kept(items: &[(&str, &[u8])], env: &[&str], from: &[&str]) -> Vec<String> {
        let reached = reached(items, env, from, |context| Box::new(Perl::new(context)));
        beside(&reached, from)
    }

    #[test]
    fn modules_along_inc() {
        let main = b"#!/usr/bin/perl -w -I/opt/inc\nuse strict; use parent -norequire, 'None';\nuse lib '/app/own';\n\
            use Own; use base qw(Base One::Two);\nsub f { require Lazy::Mod; eval { require Other } || 1 }\n\
            use if $] > 5, 'Cond::Mod';\nmy $dbh = DBI->connect('dbi:SQLite:x');\nmy %p = (a => 'My::Plugin');\n\
            eval 'use Str::Mod; 1';\nrequire \"x.pl\"; do './y.pl';\n=head1 X\n\nuse Pod;\n\n=cut\n__END__\nuse After;\n";
        let items: &[(&str, &[u8])] = &[
            ("/app/main", main),
            ("/app/own/Own.pm", b""),
            ("/app/lib/Base.pm", b""),
            ("/app/x.pl", b""),
            ("/app/y.pl", b""),
            ("/opt/inc/One/Two.pm", b""),
            ("/opt/perl5lib/Other.pm", b""),
            ("/usr/share/perl5/Other.pm", b""),
            ("/usr/share/perl5/Lazy/Mod.pm", b""),
            ("/usr/share/perl5/Cond/Mod.pm", b""),
            ("/usr/share/perl5/DBD/SQLite.pm", b""),
            ("/usr/share/perl5/My/Plugin.pm", b""),
            ("/usr/share/perl5/Str/Mod.pm", b""),
            ("/usr/share/perl5/Pod.pm", b""),
            ("/usr/share/perl5/After.pm", b""),
            ("/usr/share/perl/5.36", b"-> 5.36.0"),
            ("/usr/share/perl/5.36.0/strict.pm", b""),
        ];
        assert_eq!(
            kept(items, &["PERL5LIB=/opt/perl5lib"], &["/app/main"]),
            [
                "/app/lib/Base.pm",
                "/app/own/Own.pm",
                "/app/x.pl",
                "/app/y.pl",
                "/opt/inc/One/Two.pm",
                "/opt/perl5lib/Other.pm",
                "/usr/share/perl/5.36",
                "/usr/share/perl/5.36.0/strict.pm",
                "/usr/share/perl5/Cond/Mod.pm",
                "/usr/share/perl5/DBD/SQLite.pm",
                "/usr/share/perl5/Lazy/Mod.pm",
                "/usr/share/perl5/My/Plugin.pm",
                "/usr/share/perl5/Str/Mod.pm",
            ]
        );
    }

    #[test]
    fn computed_names_widen_to_what_they_can_lead_to() {
        let items: &[(&str, &[u8])] = &[
            ("/usr/share/perl5/Lists.pm", b"package Lists; use My::Finder; my @n = ('Lists::Command'); find_modules($_) for @n; 'Lists::None';"),
            ("/usr/share/perl5/Lists/Command/a.pm", b""),
            ("/usr/share/perl5/Lists/Command/deep/b.pm", b""),
            ("/usr/share/perl5/Lists/Other/c.pm", b""),
            ("/usr/share/perl5/Loads.pm", b"package Loads; has n => sub { ['Loads::Plugin'] }; load_class \"${_}::$x\";"),
            ("/usr/share/perl5/Loads/Plugin/d.pm", b""),
            ("/usr/share/perl5/Loads/Plugin/note.txt", b""),
            ("/usr/share/perl5/Joins.pm", b"package Joins; require_module(join '::', $n, $x); my $n = \"Joins::Role\";"),
            ("/usr/share/perl5/Joins/Role/k.pm", b""),
            ("/usr/share/perl5/Aliases.pm", b"package Aliases; require $x; my @a = 'Aliases::Type'; *{\"${x}::$y\"} = 1;"),
            ("/usr/share/perl5/Aliases/Type/e.pm", b""),
            ("/usr/share/perl5/Plugs.pm", b"package Plugs; use Module::Pluggable;"),
            ("/usr/share/perl5/Plugs/Plugin/f.pm", b""),
            ("/usr/share/perl5/Own.pm", b"package Own; my $c = __PACKAGE__ . '::' . $x;"),
            ("/usr/share/perl5/Texts.pm", b"package Texts; use parent ('Locale::Maketext'); 1;"),
            ("/usr/share/perl5/Texts/de_de.pm", b"package Texts::de_de; 1;"),
            ("/usr/share/perl5/Plain.pm", b"package Plain; use Locale::Other; 1;"),
            ("/usr/share/perl5/Plain/de.pm", b"package Plain::de; 1;"),
            ("/usr/share/perl5/Own/g.pm", b""),
            ("/usr/share/perl5/Path.pm", b"package Path; require \"Path/of/$x.pl\"; open my $f, \"Path/of/$x.txt\";"),
            ("/usr/share/perl5/Path/of/h.pl", b""),
            ("/usr/share/perl5/Path/of/deep/i.pl", b""),
            ("/usr/share/perl5/Path/of/j.txt", b""),
        ];
        let from = [
            "Lists", "Loads", "Joins", "Aliases", "Plugs", "Own", "Path", "Texts", "Plain",
        ];
        let from: Vec<String> = from
            .iter()
            .map(|name| format!("/usr/share/perl5/{name}.pm"))
            .collect();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        assert_eq!(
            kept(items, &[], &from),
            [
                "Joins/Role/k.pm",
                "Lists/Command/a.pm",
                "Lists/Command/deep/b.pm",
                "Loads/Plugin/d.pm",
                "Own/g.pm",
                "Path/of/h.pl",
                "Plugs/Plugin/f.pm",
                "Texts/de_de.pm",
            ]
            .map(|name| format!("/usr/share/perl5/{name}"))
        );
    }

    #[test]
    fn documentation_and_tables_are_not_parsed() {
        let table = b"12\nA NAME\n\n".repeat(100_000);
        let source = [
            &b"use A;\n=head1 X\n\nuse B;\n\n=cut\nreturn <<'END' . <<x;\n"[..],
            &table,
            b"END\nuse C;\n1 << x;\n__END__\nuse D;",
        ]
        .concat();
        let code = Code::of(&source);
        assert_eq!(
            String::from_utf8_lossy(&code.bytes),
            "use A;\nreturn <<'END' . <<x;\nEND\nuse C;\n1 << x;\n"
        );
        assert_eq!(
            [1, 2, 3, 4].map(|line| code.source_line(line)),
            [1, 7, 300_008, 300_009]
        );
        let source = b"print <<EOT;\nshort\nEOT\n=cut";
        assert_eq!(Code::of(source).cuts, [(4, 0)]);
        for source in [&b"=x"[..], b"<<", b"<<'", b"<<~\"A\nA", b"=begin\n=cut\n\n"] {
            let _ = Code::of(source);
        }
        // Without that, the grammar takes many seconds.
        let items: &[(&str, &[u8])] = &[
            ("/app/main.pl", b"require 'big.pl';"),
            (
                "/app/big.pl",
                &[&b"return <<'END';\n"[..], &table, b"END\nuse Own;"].concat(),
            ),
            ("/app/lib/Own.pm", b""),
        ];
        assert_eq!(
            kept(items, &[], &["/app/main.pl"]),
            ["/app/big.pl", "/app/lib/Own.pm"]
        );
    }

    #[test]
    fn data_of_a_distribution_and_beside_a_source() {
        let items: &[(&str, &[u8])] = &[
            ("/usr/share/perl5/My/Locale.pm", b"package My::Locale; my $f = dist_file('Other-Data', 'x');"),
            ("/usr/share/perl5/auto/share/dist/My-Locale/ja.pl", b""),
            ("/usr/share/perl5/auto/share/dist/My-Locale/deep/fr.pl", b""),
            ("/usr/share/perl5/auto/share/dist/Other-Data/x.txt", b""),
            ("/usr/share/perl5/auto/share/dist/Unused/x.txt", b""),
            ("/usr/share/perl5/auto/share/module/My-Locale/y.txt", b""),
            ("/usr/share/perl5/Pages.pm", b"package Pages;\nmy $p = curfile->sibling('pages', 'public');\nmy $q = catfile(dirname(__FILE__), 'one.txt');\nmy $r = 'two.txt';"),
            ("/usr/share/perl5/pages/public/a.css", b""),
            ("/usr/share/perl5/pages/b.css", b""),
            ("/usr/share/perl5/one.txt", b""),
            ("/usr/share/perl5/two.txt", b""),
        ];
        assert_eq!(
            kept(
                items,
                &[],
                &["/usr/share/perl5/My/Locale.pm", "/usr/share/perl5/Pages.pm"]
            ),
            [
                "auto/share/dist/My-Locale/deep/fr.pl",
                "auto/share/dist/My-Locale/ja.pl",
                "auto/share/dist/Other-Data/x.txt",
                "auto/share/module/My-Locale/y.txt",
                "one.txt",
                "pages/public/a.css",
            ]
            .map(|name| format!("/usr/share/perl5/{name}"))
        );
    }

    #[test]
    fn modules_of_a_namespace_that_is_chosen_from_by_name() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main.pl",
                b"my $c = \"My::Zone::$name\"; eval { require_module($c) };\nmy $d = 'My::Driver::' . ucfirst $x;\n\
                  die \"My::Other::$x went wrong\"; print \"$y\"; print 'a::$b'; my $l = qq{My::Qq::${z}};",
            ),
            ("/app/lib/My/Zone/Asia/Tokyo.pm", b"use My::Base;"),
            ("/app/lib/My/Zone/notes.txt", b""),
            ("/app/lib/My/Base.pm", b"package My::Base; load(implementations => ['XS', qw(PP)]);"),
            ("/app/lib/My/Base/XS.pm", b""),
            ("/app/lib/My/Base/PP.pm", b""),
            ("/app/lib/My/Base/Other.pm", b""),
            ("/usr/share/perl5/My/Driver/X.pm", b""),
            ("/usr/share/perl5/My/Other/No.pm", b""),
            ("/usr/share/perl5/My/Qq/Y.pm", b""),
        ];
        assert_eq!(
            kept(items, &[], &["/app/main.pl"]),
            [
                "/app/lib/My/Base.pm",
                "/app/lib/My/Base/PP.pm",
                "/app/lib/My/Base/XS.pm",
                "/app/lib/My/Zone/Asia/Tokyo.pm",
                "/usr/share/perl5/My/Driver/X.pm",
                "/usr/share/perl5/My/Qq/Y.pm",
            ]
        );
    }

    #[test]
    fn libraries_and_tables_of_modules() {
        let items: &[(&str, &[u8])] = &[
            ("/usr/share/perl5/X/Y.pm", b"package X::Y;\nrequire XSLoader;"),
            ("/usr/lib/x86_64-linux-gnu/perl5/5.36/auto/X/Y/Y.so", b""),
            ("/usr/lib/x86_64-linux-gnu/perl5/5.36/auto/X/Y/sub.al", b""),
            ("/usr/lib/x86_64-linux-gnu/perl5/5.36/auto/X/Z/Z.so", b""),
            ("/usr/share/perl/5.36.0/Unicode/UCD.pm", b"package Unicode::UCD;"),
            ("/usr/share/perl/5.36.0/unicore/lib/Gc/L.pl", b""),
            ("/usr/share/perl/5.36.0/Errno.pm", b""),
        ];
        let from = ["/usr/share/perl5/X/Y.pm", "/usr/share/perl/5.36.0/Unicode/UCD.pm"];
        assert_eq!(
            kept(items, &[], &from),
            [
                "/usr/lib/x86_64-linux-gnu/perl5/5.36/auto/X/Y/Y.so",
                "/usr/lib/x86_64-linux-gnu/perl5/5.36/auto/X/Y/sub.al",
                "/usr/share/perl/5.36.0/Errno.pm",
                "/usr/share/perl/5.36.0/unicore/lib/Gc/L.pl",
            ]
        );
    }

    #[test]
    fn literals_and_commands() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/a.pl",
                b"my $c = '/etc/app.conf'; system('ls', '-l'); my $x = `date $y`;\nmy $q = qx{uptime};\n\
                  open(my $p, '-|', 'gzip', '-dc') or die; exec 'wc | sort';\nif (open my $o, '-|', 'du') {}\n\
                  open(F, \"df -h |\"); print 'id'; my $d = q{/etc/q.conf};",
            ),
            ("/etc/app.conf", b""),
            ("/etc/q.conf", b""),
            ("/usr/bin/ls", b""),
            ("/usr/bin/date", b""),
            ("/usr/bin/uptime", b""),
            ("/usr/bin/gzip", b""),
            ("/usr/bin/wc", b""),
            ("/usr/bin/sort", b""),
            ("/usr/bin/du", b""),
            ("/usr/bin/df", b""),
            ("/usr/bin/id", b""),
            ("/bin/sh", b""),
        ];
        let from = ["/app/a.pl"];
        let reached = reached(items, &[], &from, |context| Box::new(Perl::new(context)));
        let names = ["date", "df", "du", "gzip", "ls", "sort", "uptime", "wc"];
        let mut expected = vec!["/etc/app.conf".to_owned(), "/etc/q.conf".to_owned()];
        expected.extend(names.map(|name| format!("/usr/bin/{name}")));
        assert_eq!(beside(&reached, &from), expected);
        assert_eq!(reached.left_out.len(), 1, "the shell, for a pipe");
    }

    #[test]
    fn hostile_sources_end() {
        let deep = b"((({{{ use A; ".repeat(5_000);
        let blank = [&b"require"[..], &b" ".repeat(100_000), b"'x.pl'"].concat();
        let items: &[(&str, &[u8])] = &[
            (
                "/a/A.pm",
                b"package A; use B; use A::; require '../../../etc/x'; q",
            ),
            ("/a/B.pm", b"package B; use A;"),
            ("/a/deep.pl", &deep),
            ("/a/blank.pl", &blank),
            ("/a/bad.pl", b"\xff\0use B; qq"),
        ];
        let from = ["/a/deep.pl", "/a/blank.pl", "/a/bad.pl"];
        assert_eq!(kept(items, &[], &from), ["/a/A.pm", "/a/B.pm"]);
    }
}
