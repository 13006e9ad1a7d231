//! Shell scripts: what they source, the programs they name and the absolute paths in them.
//!
//! Followed: `.` and `source` of a literal, of a path below the script's own directory, however it finds that
//! (`$(dirname "$0")`, `$(cd … && pwd)`), and of `$DIR/x` where the script assigns a literal to `DIR`; a name that is
//! known in part widens to the directory that it begins with. In scripts that no package owns also the programs of each
//! command, those that it runs by its arguments among them; in an application's also absolute paths. A package's own
//! scripts do much that a container never runs, so only what they source is followed, but in the image of a job. Nothing
//! else is expanded, here-documents are data.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tree_sitter::Node as Syntax;

use crate::image::{Entry, PATH_MAX};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::bytes::is_word;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::syntax_tree::{self, line, text};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::tables::Tables;
use crate::reach::widening::widen;
use crate::reach::{absolute_path, application_directory, command};

/// The largest number of commands of one script that are looked up.
const MAX_COMMANDS: usize = 2000;
/// The largest number of variables of one script that are known.
const MAX_VARIABLES: usize = 256;
/// The largest number of programs of one package that are kept for a script that runs its arguments.
const MAX_PROGRAMS: usize = 100;
/// All arguments of a script, quotes taken off.
const ALL: &[u8] = b"$@";
/// What stands in their place where a command is read.
const ARGUMENTS: &[u8] = b"arguments-of-the-script";
/// Shell scripts, as the closure follows them.
pub(super) const LANGUAGE: Language = Language {
    name: "shell",
    sample: Sample {
        hostile: &["/app/run.sh", "/app/env"],
        fixed: &[
            ("/bin/sh", "elf"),
            ("/usr/bin/tool", "elf"),
            ("/app/lib.sh", ". ./run.sh"),
        ],
    },
    resolver: |context| Box::new(Shell::new(context)),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of shell scripts.
pub(super) struct Shell<'a> {
    context: &'a Context<'a>,
}

impl<'a> Shell<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { context }
    }
}

impl Resolver for Shell<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() || !(node.path.extension() == Some(b"sh") || is_shell(node.head()?)) {
            return Ok(());
        }
        let source = node.source()?;
        let is_unowned = self.context.packages.owner(node.path).is_none();
        let literals = application_directory::may_be_own_file(self.context, node.path)
            || (is_unowned && node.entry.mode & 0o111 != 0);
        let mut script = Script {
            directory: node.path.parent().unwrap_or_else(RootPath::root),
            variables: BTreeMap::new(),
            source,
        };
        let mut commands = 0;
        // A package's script that a job keeps is there to be run.
        let follows = is_unowned || self.context.job.is_some();
        let mut arguments = Arguments::default();
        // Parts of longer words: none is a path by itself.
        let mut parts = BTreeSet::new();
        let visit = |syntax: Syntax<'_>| match syntax.kind() {
            "variable_assignment" => script.assign(syntax),
            "command" if commands < MAX_COMMANDS => {
                commands += 1;
                self.follow_command(needs, node.path, &script, syntax, follows, &mut arguments);
            }
            "word" | "raw_string" | "string" | "concatenation" if literals => {
                if syntax.kind() == "concatenation" {
                    let mut cursor = syntax.walk();
                    parts.extend(syntax.children(&mut cursor).map(|part| part.id()));
                }
                if parts.remove(&syntax.id()) {
                    return;
                }
                let word = script.value(syntax).unwrap_or_default();
                for path in command::absolute_paths(&word) {
                    if commands < MAX_COMMANDS {
                        commands += 1;
                        absolute_path::keep(
                            self.context,
                            needs,
                            path,
                            Place::on_line(node.path, line(syntax)),
                        );
                    }
                }
            }
            _ => {}
        };
        let extent = syntax_tree::visit(tree_sitter_bash::LANGUAGE, source, self.context.cancel, visit);
        extent.report_limits(self.context, needs, node.path, source);
        if let Some(job) = self.context.job.filter(|job| job.starts(node.path)) {
            if arguments.run_at.is_some() || !arguments.handed_to.is_empty() {
                needs.told.push(node.path.clone());
            }
            if let Some(line) = arguments.run_at {
                let programs = job.programs().chain(&arguments.handed_to);
                keep_siblings(self.context, needs, programs, Place::on_line(node.path, line));
            }
        }
        Ok(())
    }
}

/// What a script does with its arguments.
#[derive(Default)]
struct Arguments {
    /// The line where it runs them as a command, counted from 1.
    run_at: Option<usize>,
    /// The programs that it hands them to.
    handed_to: BTreeSet<RootPath>,
}

impl Arguments {
    /// Learns from the words of a command.
    fn add(&mut self, context: &Context<'_>, words: &[Vec<u8>], line: usize) {
        let command = match words.split_first() {
            Some((first, rest)) if first == b"exec" => rest,
            _ => words,
        };
        if !command.iter().any(|word| word == ALL) {
            return;
        }
        // A word in their place tells whether they are what a program (`gosu app "$@"`) runs.
        let stands = |word: &Vec<u8>| {
            if word == ALL {
                ARGUMENTS.to_vec()
            } else {
                word.clone()
            }
        };
        let programs = command::programs_of_argv(&command.iter().map(stands).collect::<Vec<_>>());
        if programs.iter().any(|program| program == ARGUMENTS) {
            self.run_at.get_or_insert(line);
        } else if let Some(program) = programs.last() {
            let found = context.environment.find_program(context.rootfs, program, None);
            self.handed_to.extend(found.map(|found| found.path));
        }
    }
}

impl Shell<'_> {
    /// Follows one command: a file that is sourced, or the programs that are run.
    fn follow_command(
        &self,
        needs: &mut Needs<'_>,
        path: &RootPath,
        script: &Script<'_>,
        syntax: Syntax<'_>,
        follows: bool,
        arguments: &mut Arguments,
    ) {
        let place = Place::on_line(path, line(syntax));
        let mut cursor = syntax.walk();
        let (mut words, mut nodes): (Vec<Vec<u8>>, Vec<Syntax<'_>>) = (Vec::new(), Vec::new());
        for child in syntax.children(&mut cursor) {
            if matches!(
                child.kind(),
                "variable_assignment" | "file_redirect" | "herestring_redirect"
            ) {
                continue;
            }
            // What is known only in part is given as it stands: an argument, or a line with something to expand.
            let word = script.value(child).unwrap_or_else(|| {
                let text = text(child, script.source);
                let quoted = |mark: &[u8]| text.strip_prefix(mark)?.strip_suffix(mark);
                quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(text).to_vec()
            });
            words.push(word);
            nodes.push(child);
        }
        let Some(name) = words.first() else { return };
        arguments.add(self.context, &words, line(syntax));
        if matches!(name.as_slice(), b"." | b"source") {
            if let (Some(file), Some(&child)) = (words.get(1), nodes.get(1)) {
                if script.value(child).is_none() {
                    self.widen(needs, script, child, place, false);
                } else if let Some(found) = self.context.find_file(&script.directory, file) {
                    needs.follow(&found, &place.cause(EdgeKind::Import, &encode(file)));
                }
            }
        } else if follows {
            self.context.keep_argv(needs, &words, place);
            let program = if name.as_slice() == b"exec" { 1 } else { 0 };
            if let Some(&child) = nodes.get(program)
                && script.value(child).is_none()
            {
                self.widen(needs, script, child, place, true);
            }
        }
    }

    /// Keeps what a file's or program's name that is known in part may lead to (`. lib/$2.sh`, `"$HERE/bin/$1"`): the
    /// files below the directory in which it begins to be unknown, with the end that is known. Directories of the
    /// system and those of programs stand for too much.
    fn widen(
        &self,
        needs: &mut Needs<'_>,
        script: &Script<'_>,
        syntax: Syntax<'_>,
        place: Place<'_>,
        is_program: bool,
    ) {
        let Some((start, end, levels)) = script.known_parts(syntax) else {
            return;
        };
        let Some(slash) = start.iter().rposition(|&b| b == b'/') else {
            return;
        };
        let (directory, prefix) = (&start[..=slash], &start[slash + 1..]);
        let bases = [&script.directory, &self.context.environment.workdir];
        let mut found = bases
            .iter()
            .filter_map(|base| self.context.find_directory(base, directory));
        let Some(directory) = found.next().map(|found| found.path) else {
            return;
        };
        let table = &Tables::built_in().application;
        let is = |paths: &[String]| paths.iter().any(|path| path.as_bytes() == directory.as_bytes());
        let programs = self.context.environment.program_directories(self.context.rootfs);
        if is(&table.system) || is(&table.not_below) || programs.contains(&directory) {
            return;
        }
        let words = String::from_utf8_lossy(text(syntax, script.source)).into_owned();
        let below = directory.components().count();
        widen(
            self.context,
            needs,
            &directory,
            levels,
            place,
            &words,
            |path: &RootPath, entry: &Entry| {
                let first = path.components().nth(below).unwrap_or_default();
                (!is_program || entry.mode & 0o111 != 0)
                    && first.starts_with(prefix)
                    && path.name().is_some_and(|name| name.ends_with(&end))
            },
        );
    }
}

/// Keeps the programs of the packages that `programs` are of, for a starting script that runs its arguments.
fn keep_siblings<'p>(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    programs: impl Iterator<Item = &'p RootPath>,
    place: Place<'_>,
) {
    let packages = context.packages;
    let directories: BTreeSet<RootPath> = context
        .environment
        .program_directories(context.rootfs)
        .into_iter()
        .collect();
    let is_program = |path: &RootPath| path.parent().is_some_and(|above| directories.contains(&above));
    // One of each package, which says why the others are kept.
    let named: BTreeMap<&str, &RootPath> = programs
        .filter(|program| is_program(program))
        .filter_map(|program| Some((packages.owner(program)?, program)))
        .collect();
    for (package, program) in named {
        let files = packages.files(package).unwrap_or_default().iter();
        let siblings: Vec<&RootPath> = files.filter(|path| is_program(path)).collect();
        if siblings.len() > MAX_PROGRAMS {
            continue;
        }
        let words = format!("\"$@\", beside {}", encode(program.name().unwrap_or_default()));
        for path in siblings {
            if let Some(found) = context
                .environment
                .find_program(context.rootfs, path.as_bytes(), None)
            {
                needs.follow(&found, &place.cause(EdgeKind::Command, &words));
            }
        }
    }
}

/// Returns whether a first line names a shell of the Bourne family.
fn is_shell(head: &[u8]) -> bool {
    let Some(first) = head
        .strip_prefix(b"#!")
        .and_then(|rest| rest.split(|&b| b == b'\n').next())
    else {
        return false;
    };
    first
        .split(|b| b.is_ascii_whitespace())
        .filter_map(|word| word.rsplit(|&b| b == b'/').next())
        .take(4)
        .any(|name| matches!(name, b"sh" | b"bash" | b"dash" | b"ash" | b"ksh"))
}

/// The known values in a script.
struct Script<'s> {
    directory: RootPath,
    variables: BTreeMap<Vec<u8>, Vec<u8>>,
    source: &'s [u8],
}

impl Script<'_> {
    /// Learns `NAME=literal`; the first assignment counts.
    fn assign(&mut self, syntax: Syntax<'_>) {
        let name = syntax
            .child_by_field_name("name")
            .map(|name| text(name, self.source).to_vec());
        let value = syntax
            .child_by_field_name("value")
            .and_then(|value| self.value(value));
        if let (Some(name), Some(value)) = (name, value)
            && self.variables.len() < MAX_VARIABLES
        {
            self.variables.entry(name).or_insert(value);
        }
    }

    /// The word's text, quotes taken off; none if a part of it is known only when the script runs.
    fn value(&self, syntax: Syntax<'_>) -> Option<Vec<u8>> {
        match self.parts(syntax)?.as_slice() {
            [whole] => Some(whole.clone()),
            _ => None,
        }
    }

    /// What is known of a word before its first unknown part, the known end of its last name, and the number of names
    /// from the first unknown part on; none if all is known.
    fn known_parts(&self, syntax: Syntax<'_>) -> Option<(Vec<u8>, Vec<u8>, usize)> {
        let parts = self.parts(syntax)?;
        let [start, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let last = rest.last()?;
        let levels = 1 + rest.iter().flatten().filter(|&&b| b == b'/').count();
        let end = last.rsplit(|&b| b == b'/').next().unwrap_or_default();
        Some((start.clone(), end.to_vec(), levels))
    }

    /// The known parts of a word, quotes taken off, with an unknown one between each two.
    fn parts(&self, syntax: Syntax<'_>) -> Option<Vec<Vec<u8>>> {
        let word = text(syntax, self.source);
        if word.len() > PATH_MAX || word.contains(&b'\n') {
            return None;
        }
        if syntax.kind() == "raw_string" {
            return Some(vec![word.iter().copied().filter(|&b| b != b'\'').collect()]);
        }
        let mut parts = Vec::new();
        let mut out = Vec::new();
        let mut rest = word;
        while let Some(&byte) = rest.first() {
            let here = [&b"${0%/*}"[..], b"${BASH_SOURCE%/*}", b"${BASH_SOURCE[0]%/*}"];
            if let Some(form) = here.iter().find(|form| rest.starts_with(form)) {
                out.extend_from_slice(self.directory.as_bytes());
                rest = &rest[form.len()..];
            } else if let Some(inner) = rest.strip_prefix(b"$(") {
                let length = command::closing(inner);
                match self.own_directory(&inner[..length]) {
                    Some(directory) => out.extend_from_slice(&directory),
                    None => parts.push(std::mem::take(&mut out)),
                }
                rest = inner.get(length + 1..).unwrap_or_default();
            } else if byte == b'$' {
                let braced = rest.get(1) == Some(&b'{');
                let start = 1 + usize::from(braced);
                let name = rest[start..].iter().take_while(|b| is_word(**b)).count();
                let end = start + name;
                let plain = name > 0 && (!braced || rest.get(end) == Some(&b'}'));
                match self.variables.get(&rest[start..end]).filter(|_| plain) {
                    Some(value) => out.extend_from_slice(value),
                    None => parts.push(std::mem::take(&mut out)),
                }
                let closed = rest.iter().position(|&b| b == b'}').filter(|_| braced);
                // Without a name it is one sign (`$@`).
                let end = closed.map_or(end.max(2).min(rest.len()), |at| at + 1);
                rest = &rest[end..];
            } else if byte == b'`' {
                parts.push(std::mem::take(&mut out));
                let inner = &rest[1..];
                let length = inner.iter().position(|&b| b == b'`').unwrap_or(inner.len());
                rest = inner.get(length + 1..).unwrap_or_default();
            } else {
                if byte != b'"' && byte != b'\'' {
                    out.push(byte);
                }
                rest = &rest[1..];
            }
            if out.len() > PATH_MAX {
                return None;
            }
        }
        parts.push(out);
        Some(parts)
    }

    /// The directory that a command finds from the script's own name, if it does nothing else:
    /// `dirname "$0"`, `cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd`, `dirname "$(readlink -f "$0")"`.
    fn own_directory(&self, command: &[u8]) -> Option<Vec<u8>> {
        let mut out = self.directory.as_bytes().to_vec();
        let mut above = 0_usize;
        let mut named = false;
        let words = command.split(|b| b.is_ascii_whitespace() || b"\"'()&;".contains(b));
        for word in words.filter(|word| !word.is_empty()) {
            match word {
                b"dirname" => above += 1,
                b"$0" | b"${0}" | b"$BASH_SOURCE" | b"${BASH_SOURCE}" | b"${BASH_SOURCE[0]}" => named = true,
                b"$" | b"cd" | b"pwd" | b"readlink" | b"realpath" | b"-f" | b"-e" | b"-P" | b"-L" | b"--"
                | b">/dev/null" | b">" | b"/dev/null" | b"2>" | b"1" => {}
                _ if word.starts_with(b"/..") && word.iter().all(|b| b"/.".contains(b)) => {
                    above += word.split(|&b| b == b'/').filter(|name| *name == b"..").count();
                }
                _ => return None,
            }
        }
        out.extend(b"/..".repeat(above.checked_sub(1)?));
        named.then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use crate::reach::tests::{kept, used};

    fn files(items: &[(&str, &[u8])], path: &str) -> Vec<String> {
        let mut kept = kept(items, vec![used(path)]);
        kept.retain(|kept| kept != path && items.iter().any(|(name, _)| name == kept));
        kept
    }

    #[test]
    fn sources_and_assigned_directories() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/run.sh",
                b"DIR=/app/lib\n. \"$DIR/a.sh\"\nsource \"$(dirname \"$0\")/b.sh\"\n# . /app/c.sh\ncat <<E\n. /app/c.sh\nE\n. $X/c.sh",
            ),
            ("/app/lib/a.sh", b""),
            ("/app/b.sh", b""),
            ("/app/c.sh", b""),
            ("/c.sh", b""),
        ];
        assert_eq!(files(items, "/app/run.sh"), ["/app/b.sh", "/app/lib/a.sh"]);
        assert!(!super::is_shell(b"#!/usr/bin/python3\nsh"));
        assert!(super::is_shell(b"#!/usr/bin/env bash\n"));
    }

    #[test]
    fn scripts_find_their_own_directory_in_many_ways() {
        for form in [
            "$(cd \"$(dirname \"$0\")\" && pwd)",
            "$(cd $(dirname $0); pwd -P)",
            "$(dirname \"$(readlink -f \"$0\")\")",
            "$(cd \"$(dirname \"${BASH_SOURCE[0]}\")/..\" >/dev/null 2>&1 && pwd)/bin",
            "$(dirname \"$(dirname \"$0\")\")/bin",
            "$(dirname -- \"${0}\")",
            "${0%/*}",
        ] {
            let script = format!("HERE=\"{form}\"\n. \"$HERE/a.sh\"");
            let items: &[(&str, &[u8])] = &[("/app/bin/run.sh", script.as_bytes()), ("/app/bin/a.sh", b"")];
            assert_eq!(files(items, "/app/bin/run.sh"), ["/app/bin/a.sh"], "{form}");
        }
    }

    #[test]
    fn computed_names_widen_to_the_directory() {
        let items: &[(&str, &[u8])] = &[
            (
                "/opt/x/libexec/run.sh",
                b". ../lib/$2.sh\n. \"$X/b.sh\"\nexec \"$(dirname \"$0\")/cmd-$1\" \"$@\"\n. /usr/lib/$1\n",
            ),
            ("/opt/x/lib/a.sh", b""),
            ("/opt/x/lib/b.sh", b""),
            ("/opt/x/lib/b.txt", b""),
            ("/opt/x/lib/sub/c.sh", b""),
            ("/opt/x/libexec/cmd-a", b"#!elf"),
            ("/opt/x/libexec/other", b"#!elf"),
            ("/usr/lib/x", b""),
        ];
        assert_eq!(
            files(items, "/opt/x/libexec/run.sh"),
            ["/opt/x/lib/a.sh", "/opt/x/lib/b.sh", "/opt/x/libexec/cmd-a"]
        );
    }

    #[test]
    fn options_name_directories() {
        let items: &[(&str, &[u8])] = &[
            (
                "/start.sh",
                b"#!/bin/sh\nexec server -Dplugins=/opt/plug-ins:/srv/more --data=\"/srv/data\" -x=relative --log=/none\n",
            ),
            ("/opt/plug-ins/a.jar", b""),
            ("/srv/more/b.jar", b""),
            ("/srv/data/c", b""),
            ("/srv/other/d", b""),
        ];
        assert_eq!(
            files(items, "/start.sh"),
            ["/opt/plug-ins/a.jar", "/srv/data/c", "/srv/more/b.jar"]
        );
    }

    #[test]
    fn programs_that_others_run() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/run.sh",
                b"exec gosu \"$USER\" server\ntimeout 5 xargs prog\nsu app -c \"inner $X\"\nfind . -exec each {} +\n",
            ),
            ("/usr/bin/gosu", b""),
            ("/usr/bin/server", b""),
            ("/usr/bin/prog", b""),
            ("/usr/bin/inner", b""),
            ("/usr/bin/each", b""),
            ("/usr/bin/other", b""),
        ];
        assert_eq!(
            files(items, "/app/run.sh"),
            [
                "/usr/bin/each",
                "/usr/bin/gosu",
                "/usr/bin/inner",
                "/usr/bin/prog",
                "/usr/bin/server"
            ]
        );
    }
}
