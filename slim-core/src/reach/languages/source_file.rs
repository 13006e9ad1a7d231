//! Source files of scripting languages: how they are recognised, and how the files that they name are found.

use std::collections::BTreeSet;
use std::io;

use crate::image::PATH_MAX;
use crate::path::{RootPath, encode};
use crate::plan::Cause;
use crate::reach::context::{Context, Place};
use crate::reach::environment::shell_commands;
use crate::reach::resolver::{Needs, Node};

/// The largest number of commands that are taken from one line for a shell.
const MAX_COMMANDS: usize = 64;
/// The largest number of directories above a source that are searched for what it names.
const MAX_ABOVE: usize = 32;
/// The largest number of different names that are looked for from one source.
const MAX_NAMES: usize = 1000;
/// The longest quotation of a source.
const MAX_QUOTE: usize = 60;
/// Bytes by which a command in one string becomes a shell's.
const SHELL: &[u8] = b"*?{}[]<>()~&|\\$;'`\"\n#=%";

/// The names by which source of a language differs from other files.
pub(super) struct SourceKind {
    /// Its files' extensions.
    pub(super) extensions: &'static [&'static [u8]],
    /// Its interpreters, without version numbers.
    pub(super) interpreters: &'static [&'static [u8]],
}

/// A file of source.
pub(super) struct Source<'n> {
    /// All of it.
    pub(super) bytes: &'n [u8],
    /// Directories that its first line adds to the search (`-I`).
    pub(super) include: Vec<&'n [u8]>,
}

impl SourceKind {
    /// The source that `node` is, by its extension or by the interpreter that its first line names.
    ///
    /// The file need not be executable: a script may be handed to its interpreter.
    pub(super) fn read<'n>(&self, node: &'n Node<'_>) -> io::Result<Option<Source<'n>>> {
        if !node.entry.is_file() {
            return Ok(None);
        }
        let named = node
            .path
            .extension()
            .is_some_and(|e| self.extensions.contains(&e));
        if !named && !self.names_interpreter(node.head()?) {
            return Ok(None);
        }
        let bytes = node.source()?;
        let first = first_line(bytes).unwrap_or_default();
        let include = split_words(first).filter_map(|word| word.strip_prefix(b"-I"));
        let include = include.filter(|directory| !directory.is_empty()).collect();
        Ok(Some(Source { bytes, include }))
    }

    /// Returns whether the first line names one of the interpreters, through `env` or not.
    fn names_interpreter(&self, head: &[u8]) -> bool {
        first_line(head)
            .is_some_and(|line| split_words(line).any(|word| self.interpreters.contains(&base_name(word))))
    }
}

/// The names that a source had already: a second look-up finds the same.
#[derive(Default)]
pub(super) struct SeenNames<'s>(BTreeSet<(&'s [u8], &'s [u8])>);

impl<'s> SeenNames<'s> {
    /// Returns whether `how` names `name` for the first time, and few enough names came before.
    pub(super) fn insert(&mut self, how: &'s [u8], name: &'s [u8]) -> bool {
        self.0.len() < MAX_NAMES && self.0.insert((how, name))
    }
}

/// Returns the beginning of the first line of `text`, escaped, as reasons quote it.
pub(super) fn quote(text: &[u8]) -> String {
    let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let short = &first[..first.len().min(MAX_QUOTE)];
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", encode(short))
}

/// Returns the rest of the first line behind `#!`.
fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()
}

fn split_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The last component of a program's path, without its version (`/usr/bin/lua5.4` is `lua`).
pub(super) fn base_name(program: &[u8]) -> &[u8] {
    let name = program.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let version = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let end = name.iter().rposition(|b| !version(b)).map_or(0, |last| last + 1);
    &name[..end]
}

/// The directories above `file`, nearest first, and the `lib` in each; not the root.
///
/// A program adds its own directories to a search path by computation (`File.expand_path`, `FindBin`), and its modules
/// do not repeat that. What they name stands in a directory above them, or in a `lib` beside one.
pub(super) fn directories_above(context: &Context<'_>, file: &RootPath) -> Vec<RootPath> {
    let mut directories = Vec::new();
    for directory in file.ancestors().filter(|d| !d.is_root()).take(MAX_ABOVE) {
        let lib = directory.child(b"lib");
        directories.push(directory);
        if context.rootfs.get(&lib).is_some() {
            directories.push(lib);
        }
    }
    directories
}

/// Keeps the first of `names` that is a file, in the first of `directories` that has one; false if none has.
pub(super) fn keep_first<'d>(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    directories: impl IntoIterator<Item = &'d RootPath>,
    names: &[Vec<u8>],
    cause: &Cause,
) -> bool {
    if names.iter().any(|name| name.len() >= PATH_MAX) {
        return false;
    }
    for directory in directories {
        if !needs.may_look_up() {
            return false;
        }
        for name in names {
            if let Some(found) = context.find_file(directory, name) {
                needs.follow(&found, cause);
                return true;
            }
        }
    }
    false
}

/// The directories that `parents` lead to and that `accept` their names, in order.
pub(super) fn child_directories(
    context: &Context<'_>,
    parents: &[&str],
    accept: impl Fn(&[u8]) -> bool,
) -> Vec<RootPath> {
    let mut found = Vec::new();
    for parent in parents {
        let Some(parent) = context.find_directory(&RootPath::root(), parent) else {
            continue;
        };
        let children = context.rootfs.children(&parent.path);
        found.extend(
            children
                .filter(|(path, entry)| !entry.is_file() && path.name().is_some_and(&accept))
                .map(|(path, _)| path.clone()),
        );
    }
    found
}

/// The directories of the machine's own libraries: `/usr/lib` and what stands in it for an architecture (Debian's
/// multiarch names, `x86_64-linux-gnu`).
pub(super) fn library_architectures(context: &Context<'_>, parent: &str) -> Vec<RootPath> {
    child_directories(context, &[parent], |name| {
        let name = String::from_utf8_lossy(name);
        name.contains("-linux-gnu") || name.contains("-linux-musl")
    })
}

/// The directories of a variable like PATH, seen from WORKDIR; empty members are none.
pub(super) fn variable_directories(context: &Context<'_>, variable: &str) -> Vec<RootPath> {
    let value = context.environment.get(variable).unwrap_or_default();
    let members = value.split(':').filter(|member| !member.is_empty());
    let directories = members.map(|member| context.environment.workdir.join(member));
    directories.collect()
}

/// Returns whether `file` is the application's: neither a package's nor below one of `libraries`.
pub(super) fn is_application<'d>(
    context: &Context<'_>,
    file: &RootPath,
    mut libraries: impl Iterator<Item = &'d RootPath>,
) -> bool {
    context.packages.owner(file).is_none() && !libraries.any(|directory| file.starts_with(directory))
}

/// Keeps the programs of a command in one string, which is run directly if it is plain words, else by a shell.
pub(super) fn keep_command_line(context: &Context<'_>, needs: &mut Needs<'_>, line: &[u8], place: Place<'_>) {
    if line.iter().any(|b| SHELL.contains(b)) {
        context.keep_command(needs, b"sh", place);
    }
    let commands = shell_commands(&String::from_utf8_lossy(line));
    for command in commands.iter().take(MAX_COMMANDS) {
        context.keep_command(needs, command.as_bytes(), place);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::cancel::Cancel;
    use crate::image::{Config, memory::tree, packages};
    use crate::path::RootPath;
    use crate::reach::environment::Environment;
    use crate::reach::exclude_option::Excluded;
    use crate::reach::graph::Graph;
    use crate::reach::graph::Reached;
    use crate::reach::guard::Guard;
    use crate::reach::options::Options;
    use crate::reach::resolver::Resolver;

    /// Returns what a resolver alone keeps of a tree when `from` are kept.
    pub(crate) fn reached(
        items: &[(&str, &[u8])],
        env: &[&str],
        from: &[&str],
        resolver: impl for<'a> FnOnce(&'a Context<'a>) -> Box<dyn Resolver + 'a>,
    ) -> Reached {
        let rootfs = tree(items);
        let document = json!({ "config": { "Env": env } });
        let config = Config(document.as_object().unwrap().clone());
        let environment = Environment::from_config(&rootfs, &config);
        let packages = packages::owners(&rootfs);
        let (options, cancel) = (Options::default(), Cancel::default());
        let context = Context::new(
            &rootfs,
            &config,
            &environment,
            &packages,
            &options,
            crate::reach::languages::package_directories(),
            &cancel,
        );
        let guard = Guard::new(&rootfs, &environment, &packages, None, false);
        let excluded = Excluded::parse(&[]).unwrap();
        let mut graph = Graph::new(&rootfs, &guard, &excluded, &cancel);
        let mut roots = Needs::new(&rootfs);
        for path in from {
            let flag = "--include".to_owned();
            roots.mark(&RootPath::new(path), Cause::Option { flag });
        }
        graph.mark_all(roots);
        let resolver = resolver(&context);
        graph.close(&[resolver]).unwrap()
    }

    /// The files among what is kept beside `from`.
    pub(crate) fn beside(reached: &Reached, from: &[&str]) -> Vec<String> {
        let paths = reached.files.keys().filter(|path| !path.is_root());
        let names = paths.map(ToString::to_string);
        names.filter(|path| !from.contains(&path.as_str())).collect()
    }

    #[test]
    fn interpreters_by_first_line() {
        let lua = SourceKind {
            extensions: &[b"lua"],
            interpreters: &[b"lua"],
        };
        assert!(lua.names_interpreter(b"#!/usr/bin/lua5.4 -W\n"));
        assert!(lua.names_interpreter(b"#!/usr/bin/env lua\n"));
        assert!(!lua.names_interpreter(b"#!/usr/bin/luac\nlua"));
        assert!(!lua.names_interpreter(b"lua"));
        assert_eq!(base_name(b"perl5.36.0"), b"perl");
        assert_eq!(base_name(b"/"), b"");
    }
}
