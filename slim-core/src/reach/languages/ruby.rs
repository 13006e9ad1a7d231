//! Ruby: files that a kept source requires, gems with their specifications, Bundler, and commands.
//!
//! `require`, `require_relative`, `load`, `autoload` and `gem` with literals are looked for as Ruby's Kernel and
//! RubyGems do: the source's own directories, RUBYLIB, `-I`, the interpreter's library, and the `require_paths` of
//! every installed gem (GEM_HOME, GEM_PATH, and where Debian, upstream's images and Bundler install). Several versions
//! of a gem are all kept: which one is activated is decided at run time. An extension that can call `rb_require` keeps
//! the files that its constants name by a path (`psych/syntax_error`).
//!
//! A kept file of a gem keeps the gem's specification, and that keeps the specifications and entry files of the gems
//! that it depends on at run time. A kept `Gemfile.lock` keeps the entry files of its gems, but for those that are
//! not installed.
//!
//! A text that is the path of a feature (`register 'tilt/haml'`) is required where its source belongs to a gem or to the
//! application. A computed name (`require "#{x}/y"`, `File.join('digest', name)`, `Dir[File.join(__dir__, '*.rb')]`) widens
//! to the directory that its constant part names; one without such a part is not followed (Zeitwerk's constants are
//! files of the application's own directory), nor are commands of the interpreter's own library.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use tree_sitter::Node as Syntax;

use crate::cancel::Cancel;
use crate::image::{Entry, LastLink};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::absolute_path;
use crate::reach::context::{Context, Place};
use crate::reach::elf::constants::Constants;
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::{self, SourceKind};
use crate::reach::languages::syntax_tree;
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::widening::{TREE, widen};

const RUBY: SourceKind = SourceKind {
    extensions: &[b"rb", b"ru", b"rake", b"gemspec"],
    interpreters: &[b"ruby", b"jruby", b"rackup"],
};
/// The longest name that an extension requires.
const MAX_FEATURE: usize = 128;
/// The largest number of gems that are looked at.
const MAX_GEMS: usize = 2000;
/// The largest number of files that one family has.
const MAX_FILES: usize = 2000;
/// The largest number of bytes of a specification that are read.
const MAX_SPECIFICATION: u64 = 256 << 10;
/// The largest number of levels of directories that an installation has above its gems (`ruby/3.1.0/gems`).
const DEPTH: usize = 4;

/// An installed gem.
struct Gem {
    name: Vec<u8>,
    /// Its directory; none for a gem of which only the specification is there (Debian, default gems).
    directory: Option<RootPath>,
    specification: RootPath,
    /// Directories of its built extensions.
    extensions: Vec<RootPath>,
    /// Directories from which its files are required, extensions included; read when something is required.
    load_path: OnceLock<Vec<RootPath>>,
}

/// Ruby, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Ruby",
    sample: Sample {
        hostile: &[
            "/app/main.rb",
            "/app/Gemfile",
            "/app/Gemfile.lock",
            "/var/lib/gems/3.1.0/specifications/g-1.0.gemspec",
        ],
        fixed: &[
            ("/usr/bin/ruby", "elf"),
            ("/usr/lib/ruby/3.1.0/set.rb", "require \"json\""),
            ("/usr/lib/ruby/3.1.0/json.rb", "require \"set\""),
            ("/var/lib/gems/3.1.0/gems/g-1.0/lib/g.rb", ""),
        ],
    },
    resolver: |context| Box::new(Ruby::new(context)),
    package_directories: &["gems", "vendor/bundle"],
    package_markers: &[],
};

/// The resolver of Ruby.
pub(super) struct Ruby<'a> {
    context: &'a Context<'a>,
    /// The load path but for what a source adds.
    load_path: Vec<RootPath>,
    /// Directories of the interpreter's own library, links followed.
    standard: Vec<RootPath>,
    gems: Vec<Gem>,
}

/// A call with the names in it.
struct Call<'s> {
    method: &'s [u8],
    receiver: &'s [u8],
    /// The literals among its arguments.
    words: Vec<&'s [u8]>,
    arguments: usize,
    line: usize,
}

impl<'a> Ruby<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let standard = library_directories(context);
        let mut load_path = source_file::variable_directories(context, "RUBYLIB");
        load_path.extend(standard.iter().cloned());
        let resolved = |directory: &RootPath| context.rootfs.resolve(directory, LastLink::Follow).path;
        Self {
            context,
            load_path,
            standard: standard
                .iter()
                .filter(|directory| !is_site_directory(directory))
                .map(resolved)
                .collect(),
            gems: find_gems(context),
        }
    }

    /// Keeps what `require` finds for `name`.
    fn keep_feature(&self, needs: &mut Needs<'_>, search: &[RootPath], name: &[u8], place: Place<'_>) {
        let cause = place.cause(EdgeKind::Import, &format!("require {}", encode(name)));
        let names = feature_files(name);
        let search = search
            .iter()
            .filter(|directory| !is_in(place.file, directory, &names));
        source_file::keep_first(self.context, needs, search, &names, &cause);
        for gem in &self.gems {
            source_file::keep_first(self.context, needs, self.load_path(gem), &names, &cause);
        }
    }

    /// Keeps the file that a text names as `require` would, or where its source `lists` directories those in the directory
    /// that it names.
    fn follow_text(
        &self,
        needs: &mut Needs<'_>,
        search: &[RootPath],
        word: &[u8],
        lists: bool,
        place: Place<'_>,
    ) {
        let cause = place.cause(EdgeKind::Import, &encode(word));
        let names = [[word, b".rb"].concat(), [word, b".so"].concat()];
        let gems = self.gems.iter().flat_map(|gem| self.load_path(gem));
        let search = search.iter().chain(gems);
        let search: Vec<&RootPath> = search
            .filter(|directory| !is_in(place.file, directory, &names))
            .collect();
        source_file::keep_first(self.context, needs, search.iter().copied(), &names, &cause);
        if lists {
            for directory in search {
                if let Some(found) = self.context.find_directory(directory, word) {
                    widen(
                        self.context,
                        needs,
                        &found.path,
                        TREE,
                        place,
                        &encode(word),
                        is_code,
                    );
                }
            }
        }
    }

    /// Keeps what a computed name can lead to; returns the directories in which it is looked for.
    fn follow_computed(
        &self,
        needs: &mut Needs<'_>,
        file: &RootPath,
        from: &RootPath,
        search: &[RootPath],
        name: &Computed,
    ) -> BTreeSet<RootPath> {
        let place = Place::on_line(file, name.line);
        let beside = [from.clone()];
        let gems = self.gems.iter().flat_map(|gem| self.load_path(gem));
        let directories: Vec<&RootPath> = if name.placed {
            beside.iter().collect()
        } else {
            beside.iter().chain(search).chain(gems).collect()
        };
        let mut seen = BTreeSet::new();
        for directory in directories {
            if let Some(found) = self.context.find_directory(directory, &name.directory)
                && seen.insert(found.path.clone())
            {
                let (depth, all) = if name.lists { (TREE, true) } else { (1, false) };
                let accept = |path: &RootPath, entry: &Entry| all || is_code(path, entry);
                widen(
                    self.context,
                    needs,
                    &found.path,
                    depth,
                    place,
                    &name.words,
                    accept,
                );
            }
        }
        seen
    }

    /// Returns the directories from which the files of `gem` are required; none if its directory is not there.
    fn load_path<'g>(&self, gem: &'g Gem) -> &'g [RootPath] {
        gem.load_path.get_or_init(|| {
            let Some(directory) = &gem.directory else {
                return Vec::new();
            };
            let found = self.context.rootfs.resolve(&gem.specification, LastLink::Follow);
            let specification = self.context.rootfs.read(&found.path, MAX_SPECIFICATION);
            let paths = require_paths(&specification.unwrap_or_default(), self.context.cancel);
            let paths = paths.iter().map(|path| directory.join(path));
            paths.chain(gem.extensions.iter().cloned()).collect()
        })
    }

    /// Keeps what an extension of the interpreter's library or of a gem may require.
    fn follow_extension(&self, needs: &mut Needs<'_>, node: &Node<'_>) -> io::Result<()> {
        let file = node.path;
        let mut gems = self
            .gems
            .iter()
            .flat_map(|gem| gem.directory.iter().chain(&gem.extensions));
        let installed = |directory: &RootPath| file.starts_with(directory);
        if file.extension() != Some(b"so") || !(self.load_path.iter().any(installed) || gems.any(installed)) {
            return Ok(());
        }
        let Some(constants) = Constants::of_node(node)? else {
            return Ok(());
        };
        if constants.find_texts([b"rb_require".as_slice()])?.is_empty() {
            return Ok(());
        }
        for name in named_features(&constants)? {
            self.keep_feature(needs, &self.load_path, &name, Place::in_file(file));
        }
        Ok(())
    }

    /// Keeps the gems of that name: their specifications, and the files by which they are required.
    fn keep_gem(&self, needs: &mut Needs<'_>, search: &[RootPath], name: &[u8], place: Place<'_>) {
        let cause = place.cause(EdgeKind::Distribution, &format!("gem {}", encode(name)));
        let path: Vec<u8> = name.iter().map(|&b| if b == b'-' { b'/' } else { b }).collect();
        let names: Vec<Vec<u8>> = [feature_files(name), feature_files(&path)].concat();
        for gem in self.gems.iter().filter(|gem| gem.name == name) {
            needs.mark(&gem.specification, cause.clone());
            match &gem.directory {
                Some(_) => source_file::keep_first(self.context, needs, self.load_path(gem), &names, &cause),
                None => source_file::keep_first(self.context, needs, search, &names, &cause),
            };
        }
    }

    /// Keeps what belongs to the gem that `file` is of: its specification and its built extensions' marks.
    fn keep_gem_metadata(&self, needs: &mut Needs<'_>, file: &RootPath) {
        for gem in &self.gems {
            let Some(directory) = &gem.directory else {
                let path = String::from_utf8_lossy(&gem.name).replace('-', "/");
                let entry = |path: &str| file.as_bytes().ends_with(format!("/{path}.rb").as_bytes());
                let installed = self.load_path.iter().any(|directory| file.starts_with(directory));
                if installed && (entry(&path) || entry(&String::from_utf8_lossy(&gem.name))) {
                    needs.mark_edge(&gem.specification, EdgeKind::Distribution, file, None);
                }
                continue;
            };
            if !std::iter::once(directory)
                .chain(&gem.extensions)
                .any(|directory| file.starts_with(directory))
            {
                continue;
            }
            needs.mark_edge(&gem.specification, EdgeKind::Distribution, file, None);
            for extensions in &gem.extensions {
                let built = self.context.rootfs.below(extensions);
                let wanted = built.filter(|(path, _)| {
                    path.extension() == Some(b"so") || path.name() == Some(b"gem.build_complete")
                });
                for (path, _) in wanted.take(MAX_FILES) {
                    needs.mark_edge(path, EdgeKind::Distribution, file, None);
                }
            }
        }
    }

    /// Keeps what the interpreter's library loads by name: encodings, and RubyGems with the default specifications.
    fn keep_library_families(&self, needs: &mut Needs<'_>, file: &RootPath) {
        let rootfs = self.context.rootfs;
        let mark =
            |needs: &mut Needs<'_>, directory: &RootPath, name: &str, wanted: &dyn Fn(&RootPath) -> bool| {
                let Some(found) = self.context.find_directory(directory, name) else {
                    return;
                };
                let below = rootfs
                    .below(&found.path)
                    .filter(|(path, entry)| entry.is_file() && wanted(path));
                for (path, _) in below.take(MAX_FILES) {
                    needs.mark_edge(path, EdgeKind::Family, file, Some(name.to_owned()));
                }
            };
        if file.name() == Some(b"rubygems.rb") {
            let parent = file.parent().unwrap_or_else(RootPath::root);
            let code = |path: &RootPath| path.extension() == Some(b"rb");
            mark(needs, &parent, "rubygems", &code);
            for gem in &self.gems {
                let parent = gem.specification.parent();
                if parent.is_some_and(|parent| parent.name() == Some(b"default")) {
                    needs.mark_edge(
                        &gem.specification,
                        EdgeKind::Family,
                        file,
                        Some("default gems".to_owned()),
                    );
                }
            }
            for directory in &self.standard {
                mark(needs, directory, "enc", &|path| path.extension() == Some(b"so"));
            }
        }
    }
}

impl Resolver for Ruby<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let (context, file) = (self.context, node.path);
        if !node.entry.is_file() {
            return Ok(());
        }
        self.keep_gem_metadata(needs, file);
        self.follow_extension(needs, node)?;
        if file.name() == Some(b"Gemfile.lock") || file.name() == Some(b"gems.locked") {
            for (line, name) in locked_gems(node.source()?) {
                self.keep_gem(needs, &self.load_path, name, Place::on_line(file, line));
            }
            return Ok(());
        }
        let gemfile = matches!(file.name(), Some(b"Gemfile" | b"gems.rb" | b"Rakefile"));
        let read = if gemfile { None } else { RUBY.read(node)? };
        let (bytes, include) = match read {
            Some(source) => (source.bytes, source.include),
            None if gemfile => (node.source()?, Vec::new()),
            None => return Ok(()),
        };
        self.keep_library_families(needs, file);
        let mut calls = Vec::new();
        let mut absolute = Vec::new();
        let mut command_lines = Vec::new();
        let mut features = Vec::new();
        let mut computed = Vec::new();
        let mut lists = false;
        let extent = syntax_tree::visit(tree_sitter_ruby::LANGUAGE, bytes, context.cancel, |syntax| {
            calls.extend(parse_call(syntax, bytes));
            computed.extend(Computed::parse(syntax, bytes));
            lists |= is_listing(syntax, bytes);
            let line = syntax_tree::line(syntax);
            if syntax.kind() == "subshell" {
                let content = syntax
                    .named_child(0)
                    .filter(|child| child.kind() == "string_content");
                command_lines.extend(content.map(|content| (line, syntax_tree::text(content, bytes))));
            } else if let Some(word) = string_literal(syntax, bytes) {
                if word.starts_with(b"/") {
                    absolute.push((line, word));
                } else if is_feature(word) {
                    features.push((line, word));
                }
            }
        });
        extent.report_limits(context, needs, file, bytes);
        let workdir = &context.environment.workdir;
        let from = file.parent().unwrap_or_else(RootPath::root);
        let mut search: Vec<RootPath> = include.iter().map(|directory| workdir.join(directory)).collect();
        search.extend(source_file::directories_above(context, file));
        search.extend(self.load_path.iter().cloned());
        search.push(workdir.clone());
        let standard = self.standard.iter().any(|directory| file.starts_with(directory));
        let installed = self.gems.iter().filter_map(|gem| gem.directory.as_ref());
        let application = source_file::is_application(context, file, self.standard.iter().chain(installed));

        if application {
            for directory in [&from, workdir] {
                for name in ["Gemfile", "Gemfile.lock", "gems.rb", "gems.locked"] {
                    if let Some(found) = context.find_file(directory, name) {
                        needs.follow(&found, &Place::in_file(file).cause(EdgeKind::Distribution, name));
                    }
                }
            }
            for (line, word) in absolute {
                absolute_path::keep(context, needs, word, Place::on_line(file, line));
            }
        }
        let mut seen = source_file::SeenNames::default();
        for call in &calls {
            let place = Place::on_line(file, call.line);
            let Some(&word) = call.words.first() else { continue };
            match call.method {
                b"require" | b"require_dependency" if seen.insert(b"require", word) => {
                    self.keep_feature(needs, &search, word, place);
                }
                b"autoload" | b"load" => {
                    let name = call.words.last().copied().unwrap_or(word);
                    if seen.insert(b"require", name) {
                        self.keep_feature(needs, &search, name, place);
                    }
                }
                b"require_relative" => {
                    seen.insert(b"require", word);
                    let cause = place.cause(EdgeKind::Import, &format!("require_relative {}", encode(word)));
                    source_file::keep_first(context, needs, [&from], &feature_files(word), &cause);
                }
                b"gem" | b"add_runtime_dependency" | b"add_dependency" if seen.insert(b"gem", word) => {
                    self.keep_gem(needs, &search, word, place);
                }
                b"join" | b"expand_path" if matches!(call.receiver, b"File") => {
                    let path = call.words.join(&b'/');
                    let cause = place.cause(EdgeKind::Import, &encode(&path));
                    source_file::keep_first(context, needs, [&from], &feature_files(&path), &cause);
                }
                b"system" | b"exec" | b"spawn" | b"popen" | b"capture2" | b"capture2e" | b"capture3"
                | b"popen2" | b"popen2e" | b"popen3" | b"pipeline"
                    if !standard =>
                {
                    if call.arguments == 1 {
                        source_file::keep_command_line(context, needs, word, place);
                    } else {
                        context.keep_command(needs, word, place);
                    }
                }
                _ => {}
            }
        }
        // The rest of a computed name may be a path, which the same source tends to hold (`load_file 'formatters/html'`).
        let mut widened = BTreeSet::new();
        for name in &computed {
            widened.extend(self.follow_computed(needs, file, &from, &search, name));
        }
        search.extend(widened);
        if !standard {
            for (line, word) in features {
                if seen.insert(b"require", word) {
                    self.follow_text(needs, &search, word, lists, Place::on_line(file, line));
                }
            }
            for (line, command) in command_lines {
                source_file::keep_command_line(context, needs, command, Place::on_line(file, line));
            }
        }
        Ok(())
    }
}

/// Returns whether `file` is what `directory` has of these names: a source does not require itself, so that the name is a library's.
fn is_in(file: &RootPath, directory: &RootPath, names: &[Vec<u8>]) -> bool {
    names.iter().any(|name| directory.join(name) == *file)
}

/// Returns whether a file is one that Ruby loads.
fn is_code(path: &RootPath, _: &Entry) -> bool {
    matches!(path.extension(), Some(b"rb" | b"so"))
}

/// A name that is known only when the source runs, but for the directory that it begins with.
struct Computed {
    /// The directory, without the slash at its end; empty for the source's.
    directory: Vec<u8>,
    /// True if that is seen from the source's own directory alone.
    placed: bool,
    /// True if files are listed, whatever they are.
    lists: bool,
    line: usize,
    /// The beginning of how it is written.
    words: String,
}

impl Computed {
    /// Returns the computed name that `node` loads or lists, if it has a constant directory.
    fn parse(node: Syntax<'_>, bytes: &[u8]) -> Option<Self> {
        let text = |node| syntax_tree::text(node, bytes);
        let (argument, lists, relative) = match node.kind() {
            "element_reference" if node.child_by_field_name("object").map(text) == Some(b"Dir") => {
                (node.named_child(1)?, true, false)
            }
            "call" => {
                let first = || node.child_by_field_name("arguments")?.named_child(0);
                let receiver = node.child_by_field_name("receiver").map(text);
                match (receiver, text(node.child_by_field_name("method")?)) {
                    (None | Some(b"Kernel"), b"require" | b"load" | b"require_dependency") => {
                        (first()?, false, false)
                    }
                    (None, b"require_relative") => (first()?, false, true),
                    (Some(b"Dir"), b"glob" | b"[]" | b"children" | b"each_child" | b"entries") => {
                        (first()?, true, false)
                    }
                    (Some(b"File"), b"join") => (node, false, false),
                    _ => return None,
                }
            }
            _ => return None,
        };
        if !lists && string_literal(argument, bytes).is_some() {
            return None;
        }
        let mut parts = Parts::default();
        parts.add(argument, bytes, 8);
        let end = parts.text.iter().position(|b| b"*?[{".contains(b));
        let whole = end.is_none() && parts.whole;
        if whole && !lists {
            return None;
        }
        let constant = &parts.text[..end.unwrap_or(parts.text.len())];
        let slash = constant.iter().rposition(|&b| b == b'/');
        let directory = if whole {
            constant
        } else {
            &constant[..slash.unwrap_or(0)]
        };
        let directory = directory.strip_prefix(b"/").unwrap_or(directory);
        let placed = parts.placed || relative;
        // Nothing constant stands for everything, and so does a way up.
        let own = placed && lists && matches!(directory, b"" | b".");
        if !(own || names_directory(directory)) || constant.starts_with(b"/") && !parts.placed {
            return None;
        }
        // A list that does not begin at the source begins where the program runs.
        if lists && !placed {
            return None;
        }
        Some(Self {
            directory: directory.to_vec(),
            placed,
            lists,
            line: syntax_tree::line(node),
            words: source_file::quote(text(node)),
        })
    }
}

/// The constant beginning of a text.
struct Parts {
    text: Vec<u8>,
    /// True as long as all is constant.
    whole: bool,
    /// True if it begins with the source's own directory.
    placed: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            whole: true,
            placed: false,
        }
    }
}

impl Parts {
    /// Adds what `node` is worth, as far as nothing before it was computed.
    fn add(&mut self, node: Syntax<'_>, bytes: &[u8], depth: usize) {
        let text = syntax_tree::text(node, bytes);
        if !self.whole || depth == 0 || self.text.len() > MAX_FEATURE {
            self.whole = false;
            return;
        }
        let mut cursor = node.walk();
        match node.kind() {
            "string_content" => self.text.extend(text),
            "string" | "interpolation" | "argument_list" | "parenthesized_statements" => {
                for child in node.named_children(&mut cursor) {
                    self.add(child, bytes, depth - 1);
                }
            }
            "binary" => {
                for side in ["left", "right"] {
                    if let Some(side) = node.child_by_field_name(side) {
                        self.add(side, bytes, depth - 1);
                    }
                }
            }
            "identifier" | "call"
                if matches!(text, b"__dir__" | b"File.dirname(__FILE__)") && self.text.is_empty() =>
            {
                self.placed = true;
            }
            "call" => {
                let method = node
                    .child_by_field_name("method")
                    .map(|method| syntax_tree::text(method, bytes));
                let arguments = node.child_by_field_name("arguments");
                match (method, arguments) {
                    (Some(b"join"), Some(arguments)) => {
                        for (number, child) in arguments.named_children(&mut cursor).enumerate() {
                            // A directory that a constant or a variable holds is often the source's own.
                            let base = number == 0 && matches!(child.kind(), "constant" | "identifier");
                            if base && syntax_tree::text(child, bytes) != b"__dir__" {
                                continue;
                            }
                            if self.whole && number > 0 && (self.placed || !self.text.is_empty()) {
                                self.text.push(b'/');
                            }
                            self.add(child, bytes, depth - 1);
                        }
                    }
                    (Some(b"expand_path"), Some(arguments)) => {
                        self.placed = arguments.named_child(1).is_some_and(|base| {
                            matches!(
                                syntax_tree::text(base, bytes),
                                b"__dir__" | b"File.dirname(__FILE__)"
                            )
                        });
                        match arguments.named_child(0).filter(|_| self.placed) {
                            Some(path) => self.add(path, bytes, depth - 1),
                            None => self.whole = false,
                        }
                    }
                    _ => self.whole = false,
                }
            }
            _ => self.whole = false,
        }
    }
}

/// Returns whether `node` lists a directory.
fn is_listing(node: Syntax<'_>, bytes: &[u8]) -> bool {
    let named = |field| {
        node.child_by_field_name(field)
            .map(|child| syntax_tree::text(child, bytes))
    };
    match node.kind() {
        "element_reference" => named("object") == Some(b"Dir"),
        "call" => {
            matches!(
                named("method"),
                Some(b"glob" | b"each_child" | b"children" | b"entries")
            ) && matches!(named("receiver"), Some(b"Dir" | b"Pathname"))
        }
        _ => false,
    }
}

/// Returns whether a text may be a name to require: the path of a file below one of the directories that are searched.
fn is_feature(word: &[u8]) -> bool {
    let path = word
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    let mut components = word.split(|&b| b == b'/');
    path && word.len() < MAX_FEATURE
        && word.contains(&b'/')
        && !word.starts_with(b"/")
        && !components.any(|component| matches!(component, b"." | b".."))
}

/// Returns whether a relative path names a directory, and does not only lead to one above.
fn names_directory(path: &[u8]) -> bool {
    path.split(|&b| b == b'/')
        .next_back()
        .is_some_and(|last| !matches!(last, b"" | b"." | b".."))
}

/// The call that `node` is, if it has a literal.
fn parse_call<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<Call<'s>> {
    if node.kind() != "call" {
        return None;
    }
    let method = syntax_tree::text(node.child_by_field_name("method")?, bytes);
    let receiver = node.child_by_field_name("receiver");
    let mut list = node.child_by_field_name("arguments")?;
    // `IO.popen(["a", "b"])`
    if let Some(array) = list.named_child(0).filter(|child| child.kind() == "array") {
        list = array;
    }
    let mut cursor = list.walk();
    let mut words = Vec::new();
    let mut arguments = 0;
    for argument in list.named_children(&mut cursor) {
        // Options and redirections are no arguments of the command.
        arguments += usize::from(!matches!(argument.kind(), "pair" | "hash" | "comment"));
        // `"json".freeze`
        let value = argument.child_by_field_name("receiver").unwrap_or(argument);
        words.extend(string_literal(value, bytes));
    }
    Some(Call {
        method,
        receiver: receiver
            .map(|receiver| syntax_tree::text(receiver, bytes))
            .unwrap_or_default(),
        words,
        arguments,
        line: syntax_tree::line(node),
    })
}

/// Returns a string's content, if nothing in it is computed or escaped.
fn string_literal<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<&'s [u8]> {
    if !matches!(node.kind(), "string" | "bare_string") || node.named_child_count() != 1 {
        return None;
    }
    let content = node
        .named_child(0)
        .filter(|child| child.kind() == "string_content")?;
    Some(syntax_tree::text(content, bytes))
}

/// The directories that a gem's files are required from, seen from the gem's: `lib` unless its specification names
/// others.
fn require_paths(specification: &[u8], cancel: &Cancel) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    // One that is not read to its end names what it names so far.
    let _ = syntax_tree::visit(tree_sitter_ruby::LANGUAGE, specification, cancel, |node| {
        if let Some(list) = assigned_value(node, b"require_paths", specification) {
            let mut cursor = list.walk();
            for path in list.named_children(&mut cursor) {
                // `"lib".freeze`
                let path = path.child_by_field_name("receiver").unwrap_or(path);
                found.extend(string_literal(path, specification).map(<[u8]>::to_vec));
            }
        }
    });
    if found.is_empty() {
        found.push(b"lib".to_vec());
    }
    found
}

/// Returns what is assigned to an attribute of that name, if `node` is an assignment to one.
fn assigned_value<'t>(node: Syntax<'t>, name: &[u8], bytes: &[u8]) -> Option<Syntax<'t>> {
    let left = node
        .child_by_field_name("left")
        .filter(|_| node.kind() == "assignment")?;
    let method = left.child_by_field_name("method")?;
    (syntax_tree::text(method, bytes) == name).then(|| node.child_by_field_name("right"))?
}

/// The words of an extension's constants that may be names to require: whole strings with a directory in them.
fn named_features(constants: &Constants<'_>) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut features = BTreeSet::new();
    constants.for_each_window(|window| {
        let begins = |at: &usize| window.bytes[..*at].last().is_none_or(|&before| before == 0);
        for start in window.places.clone().filter(begins) {
            let word = window.bytes[start..]
                .split(|&b| b == 0)
                .next()
                .unwrap_or_default();
            if features.len() < MAX_FILES && is_feature(word) {
                features.insert(word.to_vec());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(features)
}

/// The files that `require` of a name may mean.
fn feature_files(name: &[u8]) -> Vec<Vec<u8>> {
    if name.ends_with(b".rb") || name.ends_with(b".so") {
        return vec![name.to_vec()];
    }
    vec![[name, b".rb"].concat(), [name, b".so"].concat(), name.to_vec()]
}

/// The gems of a lock file with their lines: names under `specs:` that are indented by four (Bundler's lock file
/// does not tell groups; those that were not installed are not in the image).
fn locked_gems(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let lines = bytes.split(|&b| b == b'\n').enumerate();
    lines
        .filter_map(|(number, line)| {
            let rest = line
                .strip_prefix(b"    ")
                .filter(|rest| rest.first() != Some(&b' '))?;
            let name = rest.split(|&b| b == b' ').next()?;
            rest.ends_with(b")").then_some((number + 1, name))
        })
        .take(MAX_GEMS)
        .collect()
}

fn version(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_digit)
}

/// The directories of the interpreter's own library, in the order of its load path.
fn library_directories(context: &Context<'_>) -> Vec<RootPath> {
    let mut found = Vec::new();
    let architectures = source_file::library_architectures(context, "/usr/lib");
    let mut roots: Vec<String> = [
        "/usr/local/lib/ruby",
        "/usr/lib/ruby",
        "/usr/lib64/ruby",
        "/usr/share/ruby",
    ]
    .map(str::to_owned)
    .into();
    roots.extend(architectures.iter().map(|directory| format!("{directory}/ruby")));
    for root in roots {
        for kind in ["site_ruby", "vendor_ruby", "."] {
            let parent = RootPath::new(&root).join(kind);
            for directory in source_file::child_directories(context, &[&parent.to_string()], version) {
                // The architecture's directory is the one with the interpreter's `rbconfig.rb` or libraries.
                let platforms = source_file::child_directories(context, &[&directory.to_string()], |name| {
                    name.windows(5).any(|part| part == b"linux")
                });
                found.push(directory);
                found.extend(platforms);
            }
            if kind != "." {
                found.push(parent);
            }
        }
    }
    found.push(RootPath::new("/usr/share/rubygems"));
    found
}

/// Returns whether a directory of the load path is for what is installed beside the interpreter.
fn is_site_directory(directory: &RootPath) -> bool {
    directory
        .components()
        .any(|name| matches!(name, b"site_ruby" | b"vendor_ruby"))
}

/// All installed gems, found by directories `gems` and `specifications` beside each other.
fn find_gems(context: &Context<'_>) -> Vec<Gem> {
    let mut tops: Vec<RootPath> = [
        "/usr/share/rubygems-integration",
        "/var/lib/gems",
        "/usr/local/lib/ruby/gems",
        "/usr/lib/ruby/gems",
        "/usr/share/gems",
        "/usr/local/bundle",
    ]
    .map(RootPath::new)
    .into();
    for architecture in source_file::library_architectures(context, "/usr/lib") {
        tops.push(architecture.join("ruby/gems"));
        tops.push(architecture.join("rubygems-integration"));
    }
    for variable in ["GEM_HOME", "GEM_PATH", "BUNDLE_PATH"] {
        tops.extend(source_file::variable_directories(context, variable));
    }
    tops.push(context.environment.workdir.join("vendor/bundle"));
    let mut homes = BTreeSet::new();
    for top in tops {
        let Some(top) = context.find_directory(&RootPath::root(), top.as_bytes()) else {
            continue;
        };
        let mut level = vec![top.path];
        for _ in 0..DEPTH {
            let mut next = Vec::new();
            for directory in level {
                if context.find_directory(&directory, "specifications").is_some() {
                    homes.insert(directory);
                } else {
                    let children = context
                        .rootfs
                        .children(&directory)
                        .filter(|(_, entry)| entry.is_dir());
                    next.extend(children.take(64).map(|(path, _)| path.clone()));
                }
            }
            next.truncate(256);
            level = next;
        }
    }
    let mut found = Vec::new();
    for home in homes {
        let platforms =
            source_file::child_directories(context, &[&home.join("extensions").to_string()], |_| true);
        let extensions: Vec<RootPath> = platforms
            .iter()
            .flat_map(|platform| source_file::child_directories(context, &[&platform.to_string()], |_| true))
            .collect();
        for specifications in ["specifications", "specifications/default"] {
            let directory = home.join(specifications);
            for (path, entry) in context.rootfs.children(&directory) {
                let name = path.name().and_then(|name| name.strip_suffix(b".gemspec"));
                let Some(full) = name.filter(|_| !entry.is_dir() && found.len() < MAX_GEMS) else {
                    continue;
                };
                let directory = context.find_directory(&home, [b"gems/", full].concat());
                let built = extensions.iter().map(|directory| directory.join(full));
                let built = built
                    .filter(|directory| context.rootfs.get(directory).is_some())
                    .collect();
                found.push(Gem {
                    name: gem_name(full).to_vec(),
                    directory: directory.map(|directory| directory.path),
                    specification: path.clone(),
                    extensions: built,
                    load_path: OnceLock::new(),
                });
            }
        }
    }
    found
}

/// The name of a gem in `NAME-VERSION` or `NAME-VERSION-PLATFORM`: all before the first hyphen that a digit follows.
fn gem_name(full: &[u8]) -> &[u8] {
    let hyphen = full
        .windows(2)
        .position(|pair| pair[0] == b'-' && pair[1].is_ascii_digit());
    &full[..hyphen.unwrap_or(full.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::elf::parse::{Elf, tests::write_with};
    use crate::reach::languages::source_file::tests::{beside, reached};

    fn kept(items: &[(&str, &[u8])], env: &[&str], from: &[&str]) -> Vec<String> {
        let reached = reached(items, env, from, |context| Box::new(Ruby::new(context)));
        beside(&reached, from)
    }

    #[test]
    fn files_along_the_load_path() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main",
                b"#!/usr/bin/env ruby\nrequire 'json'\nrequire_relative 'sub/x'\nautoload :Foo, 'foo/bar'\n\
                  def f; require 'own'; end\nload 'y.rb'\nrequire \"a#{b}\"\n",
            ),
            ("/app/sub/x.rb", b""),
            ("/app/lib/own.rb", b""),
            ("/app/y.rb", b""),
            ("/opt/rb/foo/bar.rb", b""),
            ("/usr/lib/ruby/3.1.0/json.rb", b"require 'json/ext'; system('ls')"),
            ("/usr/lib/x86_64-linux-gnu/ruby/3.1.0/json/ext.so", b""),
            ("/usr/lib/ruby/3.1.0/unused.rb", b""),
            ("/usr/bin/ls", b""),
        ];
        assert_eq!(
            kept(items, &["RUBYLIB=/opt/rb"], &["/app/main"]),
            [
                "/app/lib/own.rb",
                "/app/sub/x.rb",
                "/app/y.rb",
                "/opt/rb/foo/bar.rb",
                "/usr/lib/ruby/3.1.0/json.rb",
                "/usr/lib/x86_64-linux-gnu/ruby/3.1.0/json/ext.so",
            ]
        );
    }

    #[test]
    fn texts_that_are_features_and_the_directories_of_computed_ones() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main",
                b"#!/usr/bin/env ruby\nrequire 'views'\nrequire 'sums'\n\
                  Dir[File.join(__dir__, 'plugins', '*.rb')].each { |f| require f }\n\
                  require File.expand_path(\"jobs/#{name}\", __dir__)\nrequire name\nDir['*'].size\n\
                  Dir[File.join(__dir__, '..', '*')]\nFile.join('.', name)\nrequire_relative '../lib/one'\nx = '../..'\n",
            ),
            ("/lib/one.rb", b""),
            ("/lib/one/two.rb", b""),
            ("/app/plugins/store.rb", b"require 'store'\nload File.join(BASE, \"parts/#{x}.rb\")"),
            ("/app/plugins/parts/four.rb", b""),
            ("/usr/lib/ruby/3.1.0/store.rb", b""),
            ("/usr/lib/ruby/3.1.0/three.rb", b""),
            ("/app/plugins/a.rb", b""),
            ("/app/plugins/deep/b.rb", b""),
            ("/app/jobs/mail.rb", b""),
            ("/app/jobs/deep/c.rb", b""),
            ("/app/other/d.rb", b""),
            (
                "/usr/lib/ruby/vendor_ruby/views.rb",
                b"register :Haml, 'views/haml'\nload_all Pathname.glob(x), 'views/lexers'\nrequire \"views/#{kind}/base\"\n'views/none'\nload_part 'text/plain'",
            ),
            ("/usr/lib/ruby/vendor_ruby/views/haml.rb", b""),
            ("/usr/lib/ruby/vendor_ruby/views/erb.rb", b""),
            ("/usr/lib/ruby/vendor_ruby/views/text/plain.rb", b""),
            ("/usr/lib/ruby/vendor_ruby/views/lexers/c.rb", b""),
            ("/usr/lib/ruby/3.1.0/sums.rb", b"def x(key) path = File.join('sums', key); require path end\n'views/erb'"),
            ("/usr/lib/ruby/3.1.0/sums/md5.rb", b""),
            ("/usr/lib/x86_64-linux-gnu/ruby/3.1.0/sums/sha.so", b""),
        ];
        let found = kept(items, &[], &["/app/main"]);
        for path in [
            "/app/plugins/a.rb",
            "/app/plugins/parts/four.rb",
            "/usr/lib/ruby/3.1.0/store.rb",
            "/app/jobs/mail.rb",
            "/usr/lib/ruby/vendor_ruby/views/haml.rb",
            "/usr/lib/ruby/vendor_ruby/views/lexers/c.rb",
            "/usr/lib/ruby/vendor_ruby/views/text/plain.rb",
            "/usr/lib/ruby/3.1.0/sums/md5.rb",
            "/usr/lib/x86_64-linux-gnu/ruby/3.1.0/sums/sha.so",
        ] {
            assert!(
                found.iter().any(|found| found == path),
                "{path} is not in {found:?}"
            );
        }
        for path in [
            "/app/jobs/deep/c.rb",
            "/app/other/d.rb",
            "/lib/one/two.rb",
            "/usr/lib/ruby/3.1.0/three.rb",
        ] {
            assert!(!found.iter().any(|found| found == path), "{path} is in {found:?}");
        }
    }

    #[test]
    fn gems_their_specifications_and_lock_files() {
        let home = "/usr/local/bundle";
        let path = |name: &str| format!("{home}/{name}");
        let files: Vec<(String, &[u8])> = vec![
            ("/app/app.rb".into(), b"require 'rack'"),
            ("/app/Gemfile.lock".into(), b"GEM\n  specs:\n    puma-x (1.0)\n      rack (>= 1)\n    gone (2)\n"),
            (path("gems/rack-2.0/lib/rack.rb"), b""),
            (path("specifications/rack-2.0.gemspec"), b"s.add_runtime_dependency(%q<nio4r>.freeze, [\"~> 1\".freeze])\ns.add_development_dependency 'dev'"),
            (path("gems/nio4r-2.5/lib/nio4r.rb"), b""),
            (path("specifications/nio4r-2.5.gemspec"), b""),
            (path("extensions/x86_64-linux/3.1.0/nio4r-2.5/nio4r_ext.so"), b""),
            (path("gems/puma-x-1.0/lib/puma/x.rb"), b""),
            (path("specifications/puma-x-1.0.gemspec"), b""),
            (path("gems/dev-1/lib/dev.rb"), b""),
            (path("specifications/dev-1.gemspec"), b""),
        ];
        let items: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), *bytes))
            .collect();
        let mut expected: Vec<&str> = files[1..9].iter().map(|(path, _)| path.as_str()).collect();
        expected.sort_unstable();
        assert_eq!(kept(&items, &[], &["/app/app.rb"]), expected);
    }

    #[test]
    fn gems_say_where_their_files_are_and_extensions_what_they_require() {
        let extension = write_with(
            &Elf::default(),
            b"\0rb_require\0psych/syntax_error\0set\0/etc/x\0",
        );
        let home = "/usr/local/bundle";
        let path = |name: &str| format!("{home}/{name}");
        let files: Vec<(String, &[u8])> = vec![
            ("/app/app.rb".into(), b"require 'concurrent'; require 'psych'"),
            (path("gems/concurrent-1.1/lib/concurrent-ruby/concurrent.rb"), b""),
            (path("gems/concurrent-1.1/lib/concurrent.rb"), b""),
            (
                path("specifications/concurrent-1.1.gemspec"),
                b"Gem::Specification.new do |s|\n s.require_paths = [\"lib/concurrent-ruby\".freeze]\nend",
            ),
            ("/usr/lib/ruby/3.1.0/psych/syntax_error.rb".into(), b""),
            ("/usr/lib/ruby/3.1.0/set.rb".into(), b""),
            ("/usr/lib/x86_64-linux-gnu/ruby/3.1.0/psych.so".into(), &extension),
        ];
        let items: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), *bytes))
            .collect();
        let expected = [1, 3, 4, 6].map(|at: usize| files[at].0.as_str());
        let mut kept = kept(&items, &[], &["/app/app.rb"]);
        kept.sort_by_key(|path| files.iter().position(|(file, _)| file == path));
        assert_eq!(kept, expected);
    }

    #[test]
    fn literals_commands_and_families() {
        let items: &[(&str, &[u8])] = &[
            ("/app/a.rb", b"File.read('/etc/app.conf'); system('ls', '-l'); `date #{x}`; IO.popen(['du', 'x'])\nOpen3.capture2e('gzip -c | wc')"),
            ("/etc/app.conf", b""),
            ("/usr/bin/date", b""),
            ("/usr/bin/du", b""),
            ("/usr/bin/gzip", b""),
            ("/usr/bin/ls", b""),
            ("/usr/bin/wc", b""),
            ("/bin/sh", b""),
            ("/usr/local/lib/ruby/3.3.0/rubygems.rb", b""),
            ("/usr/local/lib/ruby/3.3.0/rubygems/x.rb", b""),
            ("/usr/local/lib/ruby/3.3.0/x86_64-linux/enc/trans/t.so", b""),
            ("/usr/local/lib/ruby/gems/3.3.0/specifications/default/json-2.gemspec", b""),
        ];
        let from = ["/app/a.rb", "/usr/local/lib/ruby/3.3.0/rubygems.rb"];
        let reached = reached(items, &[], &from, |context| Box::new(Ruby::new(context)));
        assert_eq!(
            beside(&reached, &from),
            [
                "/etc/app.conf",
                "/usr/bin/date",
                "/usr/bin/du",
                "/usr/bin/gzip",
                "/usr/bin/ls",
                "/usr/bin/wc",
                "/usr/local/lib/ruby/3.3.0/rubygems/x.rb",
                "/usr/local/lib/ruby/3.3.0/x86_64-linux/enc/trans/t.so",
                "/usr/local/lib/ruby/gems/3.3.0/specifications/default/json-2.gemspec",
            ]
        );
        assert_eq!(reached.left_out.len(), 1, "the shell, for a pipe");
    }

    #[test]
    fn hostile_sources_end() {
        let deep = b"([{ require 'b' ".repeat(5_000);
        let items: &[(&str, &[u8])] = &[
            (
                "/a/a.rb",
                b"require_relative 'b'; require '../../../etc/x'; require ''",
            ),
            ("/a/b.rb", b"require_relative 'a'"),
            ("/a/deep.rb", &deep),
            ("/a/bad.rb", b"\xff\0require 'b'\n%q("),
        ];
        assert_eq!(
            kept(items, &[], &["/a/deep.rb", "/a/a.rb", "/a/bad.rb"]),
            ["/a/b.rb"]
        );
    }
}
