//! Tcl: packages, files and commands that a kept source names.
//!
//! Words are read after Tcl(n), but flat: a brace or bracket begins a command of its own, so bodies are read without
//! knowing which words are code. `source`, `load` and `file join` with literals are looked for beside the source;
//! `package require` finds the `pkgIndex.tcl` that provides the package along `auto_path` (library(n)), in the
//! directories that an index adds to it, and in those above an application's source, or a module (tm(n)) in the
//! directories of upstream and Debian. An index keeps all the files it names. `init.tcl` keeps what its library loads
//! by name. Computed names widen: `package require x::$y` to the packages that begin so, `source $dir/x/$y.tcl` and
//! `file join` with a directory to what is directly in it. `auto_path` as a script sets it otherwise is not followed.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::absolute_path;
use crate::reach::bytes::contains;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::{self, SourceKind};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::widening::widen;

const TCL: SourceKind = SourceKind {
    extensions: &[b"tcl", b"tm", b"tk", b"exp"],
    interpreters: &[b"tclsh", b"wish", b"expect"],
};
/// The largest number of indices that are read, and files as one library loads by name.
const MAX_FILES: usize = 2000;
/// The largest number of bytes of an index that are read.
const MAX_INDEX: u64 = 1 << 20;
/// The largest number of words that are taken of one command.
const MAX_WORDS: usize = 64;

/// Which indices provide a package, each with those that lead to it.
type Indices = BTreeMap<Vec<u8>, Vec<RootPath>>;

/// Tcl, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Tcl",
    sample: Sample {
        hostile: &[
            "/app/main.tcl",
            "/usr/share/tcltk/tcl8.6/init.tcl",
            "/usr/share/tcltk/p/pkgIndex.tcl",
            "/usr/share/tcltk/p/tclIndex",
        ],
        fixed: &[
            ("/usr/bin/tclsh", "elf"),
            ("/usr/share/tcltk/p/p.tcl", "package require p"),
        ],
    },
    resolver: |context| Box::new(Tcl::new(context)),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of Tcl.
pub(super) struct Tcl<'a> {
    context: &'a Context<'a>,
    auto_path: Vec<RootPath>,
    /// The directories in which modules stand, or directories of theirs for a namespace.
    modules: Vec<RootPath>,
    /// The packages of `auto_path`; read when the first source is met.
    indices: OnceLock<Indices>,
}

impl<'a> Tcl<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let mut auto_path = source_file::variable_directories(context, "TCLLIBPATH");
        let fixed = [
            "/usr/share/tcltk",
            "/usr/lib/tcltk",
            "/usr/local/lib",
            "/usr/lib",
            "/usr/local/share/tcltk",
            "/usr/share",
            "/usr/lib64",
        ];
        auto_path.extend(fixed.map(RootPath::new));
        for architecture in source_file::library_architectures(context, "/usr/lib") {
            auto_path.push(architecture.join("tcltk"));
        }
        Self {
            modules: module_directories(context, &auto_path),
            context,
            auto_path,
            indices: OnceLock::new(),
        }
    }

    /// Returns every package of the indices in `tops` and the directories in them.
    fn read_indices(&self, tops: &[RootPath]) -> Indices {
        let mut found = Indices::new();
        let mut read = 0;
        // A directory, the index that led to it, and whether its directories are searched too.
        let mut todo: Vec<(RootPath, Option<RootPath>, bool)> =
            tops.iter().rev().map(|top| (top.clone(), None, true)).collect();
        while let Some((directory, above, deep)) = todo.pop() {
            let inner = |above: &Option<RootPath>| -> Vec<(RootPath, Option<RootPath>, bool)> {
                let inner = source_file::child_directories(self.context, &[&directory.to_string()], |_| true);
                inner
                    .into_iter()
                    .map(|inner| (inner, above.clone(), false))
                    .collect()
            };
            if deep {
                todo.extend(inner(&above));
            }
            let Some(index) = self.context.find_file(&directory, "pkgIndex.tcl") else {
                continue;
            };
            read += 1;
            if read > MAX_FILES {
                break;
            }
            let bytes = self
                .context
                .rootfs
                .read(&index.path, MAX_INDEX)
                .unwrap_or_default();
            for command in parse_commands(&bytes) {
                match command.words[..] {
                    [b"package", b"ifneeded", name, ..] => {
                        let indices = found.entry(name.to_vec()).or_default();
                        indices.extend(above.iter().cloned().chain([index.path.clone()]));
                    }
                    [b"lappend", b"auto_path" | b"::auto_path", b"$dir"] if !deep => {
                        todo.extend(inner(&Some(index.path.clone())));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// Keeps what `package require` finds for `name`.
    fn keep_package(&self, needs: &mut Needs<'_>, nearby: &OnceLock<Indices>, name: &[u8], place: Place<'_>) {
        let cause = place.cause(EdgeKind::Import, &format!("package require {}", encode(name)));
        let installed = self.indices.get_or_init(|| self.read_indices(&self.auto_path));
        let nearby = nearby
            .get_or_init(|| self.read_indices(&source_file::directories_above(self.context, place.file)));
        for index in [installed, nearby]
            .into_iter()
            .filter_map(|indices| indices.get(name))
            .flatten()
        {
            needs.mark(index, cause.clone());
        }
        let path = String::from_utf8_lossy(name).replace("::", "/");
        let (parent, stem) = path.rsplit_once('/').unwrap_or((".", &path));
        for directory in &self.modules {
            let Some(directory) = self.context.find_directory(directory, parent) else {
                continue;
            };
            for (module, _) in self.context.rootfs.children(&directory.path) {
                let name = module.name().unwrap_or_default();
                let version = name
                    .strip_prefix(stem.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"-"));
                if version.is_some_and(|v| v.ends_with(b".tm") && v[0].is_ascii_digit()) {
                    needs.mark(module, cause.clone());
                }
            }
        }
    }

    /// Keeps the packages whose names begin with `beginning`.
    fn keep_packages(
        &self,
        needs: &mut Needs<'_>,
        nearby: &OnceLock<Indices>,
        beginning: &[u8],
        place: Place<'_>,
    ) {
        let installed = self.indices.get_or_init(|| self.read_indices(&self.auto_path));
        let names = installed.keys().filter(|name| name.starts_with(beginning));
        for name in names.take(MAX_FILES) {
            self.keep_package(needs, nearby, name, place);
        }
    }

    /// Keeps what is directly in `directory`, which `words` name beside the source.
    fn keep_directory(&self, needs: &mut Needs<'_>, directory: &[u8], place: Place<'_>, words: &[u8]) {
        let from = place.file.parent().unwrap_or_else(RootPath::root);
        if let Some(found) = self.context.find_directory(&from, directory)
            && !directory.is_empty()
            && !place.file.starts_with(&found.path)
        {
            let words = String::from_utf8_lossy(words);
            widen(self.context, needs, &found.path, 1, place, &words, |_, _| true);
        }
    }

    /// Keeps what the library of a kept `init.tcl` loads by name.
    fn keep_library(&self, needs: &mut Needs<'_>, file: &RootPath) {
        let Some(parent) = file.parent() else { return };
        let data = [&b"encoding/"[..], b"msgs/", b"tzdata/"];
        let wanted = |path: &RootPath| {
            let rest = path
                .as_bytes()
                .get(parent.as_bytes().len() + 1..)
                .unwrap_or_default();
            let code = !rest.contains(&b'/') && (rest.ends_with(b".tcl") || rest == b"tclIndex");
            code || data.iter().any(|directory| rest.starts_with(directory))
        };
        let below = self
            .context
            .rootfs
            .below(&parent)
            .filter(|(path, entry)| !entry.is_dir() && wanted(path));
        for (path, _) in below.take(MAX_FILES) {
            needs.mark_edge(path, EdgeKind::Family, file, Some("library".to_owned()));
        }
    }
}

impl Resolver for Tcl<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let (context, file) = (self.context, node.path);
        let bytes = if node.entry.is_file() && file.name() == Some(b"tclIndex") {
            node.source()?
        } else if let Some(source) = TCL.read(node)? {
            source.bytes
        } else if node.entry.is_file() && contains(node.head()?, b"exec tclsh") {
            node.source()?
        } else {
            return Ok(());
        };
        if file.name() == Some(b"init.tcl") {
            self.keep_library(needs, file);
        }
        let from = file.parent().unwrap_or_else(RootPath::root);
        let application = source_file::is_application(context, file, self.auto_path.iter());
        // What is installed finds its packages where it is installed.
        let nearby = OnceLock::new();
        if !application {
            nearby.get_or_init(Indices::new);
        }
        let mut seen = source_file::SeenNames::default();
        for Command { line, words } in parse_commands(bytes) {
            let place = Place::on_line(file, line);
            if application {
                for word in words.iter().filter(|word| word.starts_with(b"/")) {
                    absolute_path::keep(context, needs, word, place);
                }
            }
            match words.strip_prefix(&[&b"list"[..]]).unwrap_or(&words) {
                [b"package", b"require", b"-exact", name, ..] | [b"package", b"require", name, ..]
                    if seen.insert(b"package", name) =>
                {
                    match name.iter().position(|&b| b == b'$') {
                        Some(end) if name[..end].ends_with(b"::") => {
                            self.keep_packages(needs, &nearby, &name[..end], place);
                        }
                        _ => self.keep_package(needs, &nearby, name, place),
                    }
                }
                [b"source" | b"load", rest @ ..] => {
                    for word in rest {
                        let name = without_variable(word).to_vec();
                        if let Some(end) = name.iter().position(|&b| b == b'$') {
                            let slash = name[..end].iter().rposition(|&b| b == b'/');
                            self.keep_directory(needs, &name[..slash.unwrap_or_default()], place, word);
                            continue;
                        }
                        let cause = place.cause(EdgeKind::Import, &format!("source {}", encode(word)));
                        source_file::keep_first(
                            context,
                            needs,
                            [&from, &context.environment.workdir],
                            &[name],
                            &cause,
                        );
                    }
                }
                [b"file", b"join", rest @ ..] => {
                    let parts: Vec<&[u8]> = rest
                        .iter()
                        .copied()
                        .filter(|word| !word.starts_with(b"$"))
                        .collect();
                    let name = parts.join(&b'/');
                    let cause = place.cause(EdgeKind::Import, &format!("file join {}", encode(&name)));
                    if !source_file::keep_first(context, needs, [&from], std::slice::from_ref(&name), &cause)
                    {
                        let words = [&b"file join "[..], &rest.join(&b' ')].concat();
                        self.keep_directory(needs, &name, place, &words);
                    }
                }
                [b"exec", rest @ ..] => {
                    for part in rest.split(|word| matches!(*word, b"|" | b"|&")) {
                        // Options of `exec` itself stand first.
                        let options = part.iter().take_while(|word| word.starts_with(b"-")).count();
                        context.keep_argv(needs, &part[options..], place);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The directories of modules: `tcl8/8.N` beside a version's library (tm(n)), and `tcl8` in it (Debian).
fn module_directories(context: &Context<'_>, auto_path: &[RootPath]) -> Vec<RootPath> {
    let mut found = Vec::new();
    let directories = |parent: RootPath, start: &'static [u8]| {
        source_file::child_directories(context, &[&parent.to_string()], move |name| {
            name.starts_with(start)
        })
    };
    for top in auto_path {
        for major in ["tcl8", "tcl9"] {
            found.extend(directories(top.join(major), b""));
        }
        for library in directories(top.clone(), b"tcl") {
            for major in ["tcl8", "tcl9"] {
                let modules = library.join(major);
                found.extend(directories(modules.clone(), b"8."));
                found.push(modules);
            }
        }
    }
    for (major, minors) in [(8, 4..=7), (9, 0..=1)] {
        for minor in minors {
            found.extend(source_file::variable_directories(
                context,
                &format!("TCL{major}_{minor}_TM_PATH"),
            ));
            found.extend(source_file::variable_directories(
                context,
                &format!("TCL{major}.{minor}_TM_PATH"),
            ));
        }
    }
    found
}

/// Returns a word without the variable that it begins with (`$dir/x.tcl` stands beside the source).
fn without_variable(word: &[u8]) -> &[u8] {
    let slash = word.iter().position(|&b| b == b'/');
    match slash {
        Some(slash) if word.starts_with(b"$") => &word[slash + 1..],
        _ => word,
    }
}

/// A command: its line and its words up to the first nested command.
struct Command<'s> {
    line: usize,
    words: Vec<&'s [u8]>,
}

/// The commands of a source, nested ones behind those they stand in.
fn parse_commands(bytes: &[u8]) -> Vec<Command<'_>> {
    let mut found = Vec::new();
    let (mut line, mut at) = (1, 0);
    let mut command = Command {
        line,
        words: Vec::new(),
    };
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'\\' if bytes.get(at) == Some(&b'\n') => {
                line += 1;
                at += 1;
            }
            b'\n' | b';' | b'{' | b'}' | b'[' | b']' => {
                line += usize::from(byte == b'\n');
                let next = Command {
                    line,
                    words: Vec::new(),
                };
                let last = std::mem::replace(&mut command, next);
                if !last.words.is_empty() {
                    found.push(last);
                }
            }
            b'#' if command.words.is_empty() => {
                let end = bytes[at..].iter().position(|&b| b == b'\n');
                at = end.map_or(bytes.len(), |end| at + end);
            }
            b'"' | b' ' | b'\t' | b'\r' => {}
            _ => {
                let ends = |b: &u8| b.is_ascii_whitespace() || b"\";{}[]\\".contains(b);
                at = bytes[at..]
                    .iter()
                    .position(ends)
                    .map_or(bytes.len(), |end| at + end);
                if command.words.len() < MAX_WORDS {
                    command.words.push(&bytes[start..at]);
                }
            }
        }
    }
    if !command.words.is_empty() {
        found.push(command);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::languages::source_file::tests::{beside, reached};

    fn kept(items: &[(&str, &[u8])], from: &[&str]) -> Vec<String> {
        let reached = reached(items, &[], from, |context| Box::new(Tcl::new(context)));
        beside(&reached, from)
    }

    #[test]
    fn packages_files_and_commands() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main",
                b"#!/usr/bin/env tclsh\npackage require opt 0.4\nproc f {} { source [file join $dir lib x.tcl] }\n\
                  # source no.tcl\nif {1} { package require -exact a::b 1; exec ls -l | wc }\nset c [open /etc/app.conf]",
            ),
            ("/app/lib/x.tcl", b"source $dir/y.tcl"),
            ("/app/lib/y.tcl", b""),
            ("/app/no.tcl", b""),
            ("/etc/app.conf", b""),
            ("/usr/bin/ls", b""),
            ("/usr/bin/wc", b""),
            (
                "/usr/share/tcltk/opt0.4/pkgIndex.tcl",
                b"package ifneeded opt 0.4.8 [list source [file join $dir optparse.tcl]]",
            ),
            ("/usr/share/tcltk/opt0.4/optparse.tcl", b""),
            ("/usr/share/tcltk/tcl8/8.6/a/b-1.0.tm", b""),
            ("/usr/share/tcltk/tcl8/8.6/a/bc-1.0.tm", b""),
        ];
        assert_eq!(
            kept(items, &["/app/main"]),
            [
                "/app/lib/x.tcl",
                "/app/lib/y.tcl",
                "/etc/app.conf",
                "/usr/bin/ls",
                "/usr/bin/wc",
                "/usr/share/tcltk/opt0.4/optparse.tcl",
                "/usr/share/tcltk/opt0.4/pkgIndex.tcl",
                "/usr/share/tcltk/tcl8/8.6/a/b-1.0.tm",
            ]
        );
    }

    #[test]
    fn computed_names_widen() {
        let items: &[(&str, &[u8])] = &[
            (
                "/usr/share/tcltk/own/own.tcl",
                b"package require mime::$kind\nsource $dir/parts/$x.tcl\n\
                  foreach f [glob -directory [file join $dir plugins] *.tcl] { source $f }\nfile join $dir",
            ),
            ("/usr/share/tcltk/own/parts/a.tcl", b""),
            ("/usr/share/tcltk/own/parts/deep/b.tcl", b""),
            ("/usr/share/tcltk/own/plugins/c.tcl", b""),
            ("/usr/share/tcltk/own/other/d.tcl", b""),
            (
                "/usr/share/tcltk/mime/pkgIndex.tcl",
                b"package ifneeded mime::text 1 [list source [file join $dir text.tcl]]",
            ),
            ("/usr/share/tcltk/mime/text.tcl", b""),
            (
                "/usr/share/tcltk/mimes/pkgIndex.tcl",
                b"package ifneeded mimes 1 {}",
            ),
        ];
        assert_eq!(
            kept(items, &["/usr/share/tcltk/own/own.tcl"]),
            [
                "mime/pkgIndex.tcl",
                "mime/text.tcl",
                "own/parts/a.tcl",
                "own/plugins/c.tcl"
            ]
            .map(|name| format!("/usr/share/tcltk/{name}"))
        );
    }

    #[test]
    fn packages_that_an_index_adds_and_modules_in_the_library() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main.tcl",
                b"package require json; package require msgcat; package require own; package require a::b",
            ),
            (
                "/app/lib/own/pkgIndex.tcl",
                b"package ifneeded own 1 [list source [file join $dir own.tcl]]",
            ),
            ("/app/lib/own/own.tcl", b""),
            (
                "/usr/share/tcltk/tcllib1.21/pkgIndex.tcl",
                b"if {[lsearch -exact $::auto_path $dir] == -1} {\n    lappend ::auto_path $dir\n}",
            ),
            (
                "/usr/share/tcltk/tcllib1.21/json/pkgIndex.tcl",
                b"package ifneeded json 1.3.4 [list source [file join $dir json.tcl]]",
            ),
            ("/usr/share/tcltk/tcllib1.21/json/json.tcl", b""),
            (
                "/usr/share/tcltk/tcllib1.21/other/pkgIndex.tcl",
                b"package ifneeded other 1 {}",
            ),
            ("/usr/share/tcltk/closed/pkgIndex.tcl", b""),
            (
                "/usr/share/tcltk/closed/json/pkgIndex.tcl",
                b"package ifneeded json 1 {}",
            ),
            ("/usr/share/tcltk/tcl8.6/tcl8/msgcat-1.6.1.tm", b""),
            ("/usr/lib/tcl8/8.5/a/b-2.tm", b""),
        ];
        assert_eq!(
            kept(items, &["/app/main.tcl"]),
            [
                "/app/lib/own/own.tcl",
                "/app/lib/own/pkgIndex.tcl",
                "/usr/lib/tcl8/8.5/a/b-2.tm",
                "/usr/share/tcltk/tcl8.6/tcl8/msgcat-1.6.1.tm",
                "/usr/share/tcltk/tcllib1.21/json/json.tcl",
                "/usr/share/tcltk/tcllib1.21/json/pkgIndex.tcl",
                "/usr/share/tcltk/tcllib1.21/pkgIndex.tcl",
            ]
        );
    }

    #[test]
    fn the_library_of_init() {
        let items: &[(&str, &[u8])] = &[
            ("/usr/share/tcltk/tcl8.6/init.tcl", b""),
            ("/usr/share/tcltk/tcl8.6/tclIndex", b""),
            ("/usr/share/tcltk/tcl8.6/encoding/koi8-r.enc", b""),
            ("/usr/share/tcltk/tcl8.6/other/x.tcl", b""),
        ];
        assert_eq!(
            kept(items, &["/usr/share/tcltk/tcl8.6/init.tcl"]),
            [
                "/usr/share/tcltk/tcl8.6/encoding/koi8-r.enc",
                "/usr/share/tcltk/tcl8.6/tclIndex"
            ]
        );
    }

    #[test]
    fn hostile_sources_end() {
        let deep = b"[{\"source b.tcl ".repeat(50_000);
        let items: &[(&str, &[u8])] = &[
            (
                "/a/a.tcl",
                b"source b.tcl; source ../../../etc/x; package require",
            ),
            ("/a/b.tcl", b"source a.tcl"),
            ("/a/deep.tcl", &deep),
            ("/a/bad.tcl", b"\xff\0 source\\"),
        ];
        assert_eq!(
            kept(items, &["/a/a.tcl", "/a/deep.tcl", "/a/bad.tcl"]),
            ["/a/b.tcl"]
        );
    }
}
