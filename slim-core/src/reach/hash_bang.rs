//! Interpreters: the interpreter that the kernel runs for `#!`, and the one that `env` looks for.

use std::io;

use crate::image::{LastLink, Outcome};
use crate::path::encode;
use crate::plan::EdgeKind;
use crate::reach::context::Place;
use crate::reach::environment::Environment;
use crate::reach::package_directories::PackageDirectories;
use crate::reach::resolver::{HEAD, Needs, Node, Resolver};

/// Keeps the interpreters of scripts that may be executed.
pub(super) struct Interpreters<'a> {
    environment: &'a Environment,
    package_directories: &'a PackageDirectories,
}

impl<'a> Interpreters<'a> {
    /// Looks for interpreters in `environment`; what stands in one of `package_directories` is loaded and not executed.
    pub(super) fn new(environment: &'a Environment, package_directories: &'a PackageDirectories) -> Self {
        Self {
            environment,
            package_directories,
        }
    }
}

impl Resolver for Interpreters<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() || node.entry.mode & 0o111 == 0 {
            return Ok(());
        }
        let Some(line) = parse_hash_bang(node.head()?) else {
            return Ok(());
        };
        let detail = format!("#!{}", encode(line.text));
        let cause = Place::in_file(node.path).cause(EdgeKind::Interpreter, &detail);
        let rootfs = needs.rootfs();
        let interpreter = rootfs.resolve_from(&self.environment.workdir, line.interpreter, LastLink::Follow);
        if interpreter.outcome != Outcome::Found {
            if self.package_directories.contains(node.path) {
                return Ok(());
            }
            needs.add_note(format!(
                "{}: its interpreter is not in the image ({detail})",
                node.path
            ));
            return Ok(());
        }
        needs.follow(&interpreter, &cause);
        let Some(argument) = line.argument else {
            return Ok(());
        };
        if line.interpreter.rsplit(|&b| b == b'/').next() == Some(b"env") {
            let called = parse_env_argument(argument);
            if let Some(program) = called.command
                && let Some(found) = self
                    .environment
                    .find_program(rootfs, &program, called.path.as_deref())
            {
                needs.follow(&found, &cause);
            }
        } else if argument.starts_with(b"/") {
            let file = rootfs.resolve_from(&self.environment.workdir, argument, LastLink::Follow);
            if file.outcome == Outcome::Found {
                needs.follow(&file, &cause);
            }
        }
        Ok(())
    }
}

/// The first line of a script.
#[derive(Debug, PartialEq, Eq)]
struct HashBang<'a> {
    /// All behind `#!`, without white space around it.
    text: &'a [u8],
    /// The interpreter's path.
    interpreter: &'a [u8],
    /// The rest, which the kernel hands over as one argument.
    argument: Option<&'a [u8]>,
}

/// Reads a script's first line as `load_script` in the kernel's `fs/binfmt_script.c` does: a path that does not end
/// within the buffer is no interpreter, an argument that doesn't is cut.
fn parse_hash_bang(head: &[u8]) -> Option<HashBang<'_>> {
    let head = &head[..head.len().min(HEAD)];
    let rest = head.strip_prefix(b"#!")?;
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let end = rest.iter().position(|b| matches!(b, b'\n' | 0));
    let text = trim(&rest[..end.unwrap_or(rest.len())], blank);
    let (interpreter, argument) = match text.iter().position(blank) {
        Some(gap) => (&text[..gap], Some(trim(&text[gap..], blank))),
        None if end.is_none() && head.len() == HEAD => return None,
        None => (text, None),
    };
    (!interpreter.is_empty()).then_some(HashBang {
        text,
        interpreter,
        argument: argument.filter(|argument| !argument.is_empty()),
    })
}

fn trim(bytes: &[u8], blank: impl Fn(&u8) -> bool) -> &[u8] {
    let start = bytes.iter().position(|b| !blank(b)).unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|b| !blank(b))
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The program that `env` would run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Called {
    command: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
}

/// Reads `env`'s single argument: a name, or options with `-S STRING` (coreutils' `env`; `-S` splits the rest, which
/// the kernel has not).
fn parse_env_argument(argument: &[u8]) -> Called {
    let split = [&b"-S"[..], b"-vS", b"-iS", b"--split-string=", b"--split-string"]
        .iter()
        .find_map(|option| argument.strip_prefix(*option));
    let Some(split) = split else {
        // Without -S the whole argument is the name, blanks included.
        let command = (!argument.starts_with(b"-") && !argument.contains(&b'=')).then(|| argument.to_vec());
        return Called { command, path: None };
    };
    let mut called = Called::default();
    let mut words = split
        .split(|b| b.is_ascii_whitespace())
        .map(|word| trim(word, |b| matches!(b, b'"' | b'\'')))
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if let Some(path) = word.strip_prefix(b"PATH=") {
            called.path = Some(path.to_vec());
        } else if matches!(word, b"-u" | b"-C") {
            words.next();
        } else if !word.starts_with(b"-") && !word.contains(&b'=') {
            called.command = Some(word.to_vec());
            break;
        }
    }
    called
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(head: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
        parse_hash_bang(head).map(|line| (line.interpreter, line.argument))
    }

    #[test]
    fn first_lines_as_the_kernel_reads_them() {
        assert_eq!(line(b"#!/bin/sh\necho"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(
            line(b"#! \t/bin/sh -e -u \t\nx"),
            Some((&b"/bin/sh"[..], Some(&b"-e -u"[..])))
        );
        assert_eq!(line(b"#!/bin/sh"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(line(b"#!\n/bin/sh"), None);
        assert_eq!(line(b"#!"), None);
        assert_eq!(line(b"/bin/sh"), None);
        let mut long = b"#!/".to_vec();
        long.resize(400, b'x');
        assert_eq!(line(&long), None, "a path cut at 256 bytes is not run");
        long[100] = b' ';
        assert_eq!(line(&long).map(|(_, a)| a.map(<[u8]>::len)), Some(Some(155)));
    }

    #[test]
    fn env_finds_names_and_splits_only_when_told() {
        let command = |argument: &[u8]| parse_env_argument(argument).command;
        assert_eq!(command(b"python3").as_deref(), Some(&b"python3"[..]));
        assert_eq!(command(b"python3 -u").as_deref(), Some(&b"python3 -u"[..]));
        assert_eq!(command(b"-S python3 -u").as_deref(), Some(&b"python3"[..]));
        assert_eq!(
            command(b"-S -i -u HOME A=b 'node' --x").as_deref(),
            Some(&b"node"[..])
        );
        assert_eq!(command(b"--split-string=perl -w").as_deref(), Some(&b"perl"[..]));
        assert_eq!(
            parse_env_argument(b"-S PATH=/opt/bin x").path.as_deref(),
            Some(&b"/opt/bin"[..])
        );
        assert_eq!(command(b"-i"), None);
    }
}
