//! Shell scripts: what they source, the programs they name and the absolute paths in them.
//!
//! Followed: `.` and `source` of a literal, of a path that begins with `$(dirname "$0")` or `${0%/*}`, and of `$DIR/x`
//! where the script assigns a literal to `DIR`; in scripts of an application, which no package owns, also the programs
//! that stand first in a command, those behind programs that run another one, and absolute paths. A package's own
//! scripts do much that a container never runs, so only what they source is followed. Nothing else is expanded,
//! here-documents are data.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tree_sitter::Node as Syntax;

use crate::image::PATH_MAX;
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::bytes::is_word;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::syntax_tree::{self, line, text};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::{absolute_path, application_directory};

/// The largest number of commands of one script that are looked up.
const MAX_COMMANDS: usize = 2000;
/// The largest number of variables of one script that are known.
const MAX_VARIABLES: usize = 256;
/// Programs that run the program that their arguments name.
const RUNNERS: [&[u8]; 14] = [
    b"command", b"env", b"exec", b"gosu", b"ionice", b"nice", b"nohup", b"setsid", b"stdbuf", b"su-exec",
    b"sudo", b"time", b"tini", b"xargs",
];

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
        // Parts of longer words: none is a path by itself.
        let mut parts = BTreeSet::new();
        let visit = |syntax: Syntax<'_>| match syntax.kind() {
            "variable_assignment" => script.assign(syntax),
            "command" if commands < MAX_COMMANDS => {
                commands += 1;
                self.follow_command(needs, node.path, &script, syntax, is_unowned);
            }
            "word" | "raw_string" | "string" | "concatenation" if literals => {
                if syntax.kind() == "concatenation" {
                    let mut cursor = syntax.walk();
                    parts.extend(syntax.children(&mut cursor).map(|part| part.id()));
                }
                if parts.remove(&syntax.id()) {
                    return;
                }
                if let Some(path) = script.value(syntax)
                    && path.starts_with(b"/")
                    && commands < MAX_COMMANDS
                {
                    commands += 1;
                    absolute_path::keep(
                        self.context,
                        needs,
                        &path,
                        Place::on_line(node.path, line(syntax)),
                    );
                }
            }
            _ => {}
        };
        let extent = syntax_tree::visit(tree_sitter_bash::LANGUAGE, source, self.context.cancel, visit);
        extent.report_limits(self.context, needs, node.path, source);
        Ok(())
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
        is_unowned: bool,
    ) {
        let place = Place::on_line(path, line(syntax));
        let mut cursor = syntax.walk();
        let mut words = syntax
            .children(&mut cursor)
            .filter(|child| {
                !matches!(
                    child.kind(),
                    "variable_assignment" | "file_redirect" | "herestring_redirect"
                )
            })
            .map(|child| script.value(child));
        let Some(Some(mut name)) = words.next() else {
            return;
        };
        if matches!(name.as_slice(), b"." | b"source") {
            if let Some(Some(file)) = words.next()
                && let Some(found) = self.context.find_file(&script.directory, &file)
            {
                needs.follow(&found, &place.cause(EdgeKind::Import, &encode(&file)));
            }
            return;
        }
        if !is_unowned {
            return;
        }
        self.context.keep_command(needs, &name, place);
        // Behind a runner stand its options and assignments, then the program; `gosu` takes a user first.
        while RUNNERS.contains(&name.rsplit(|&b| b == b'/').next().unwrap_or_default()) {
            let user = matches!(name.as_slice(), b"gosu" | b"su-exec");
            let behind = words
                .by_ref()
                .flatten()
                .filter(|word| !word.starts_with(b"-") && !word.contains(&b'='))
                .nth(usize::from(user));
            let Some(next) = behind else { break };
            self.context.keep_command(needs, &next, place);
            name = next;
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
        let word = text(syntax, self.source);
        if word.len() > PATH_MAX || word.contains(&b'\n') {
            return None;
        }
        if syntax.kind() == "raw_string" {
            return Some(word.iter().copied().filter(|&b| b != b'\'').collect());
        }
        let mut out = Vec::new();
        let mut rest = word;
        let here = [
            &b"$(dirname \"$0\")"[..],
            b"$(dirname $0)",
            b"$(dirname -- \"$0\")",
            b"$(dirname \"${BASH_SOURCE[0]}\")",
            b"${0%/*}",
            b"${BASH_SOURCE%/*}",
        ];
        while let Some(&byte) = rest.first() {
            if let Some(form) = here.iter().find(|form| rest.starts_with(form)) {
                out.extend_from_slice(self.directory.as_bytes());
                rest = &rest[form.len()..];
            } else if byte == b'$' {
                let braced = rest.get(1) == Some(&b'{');
                let start = 1 + usize::from(braced);
                let name = rest[start..].iter().take_while(|b| is_word(**b)).count();
                let end = start + name;
                if name == 0 || (braced && rest.get(end) != Some(&b'}')) {
                    return None;
                }
                out.extend_from_slice(self.variables.get(&rest[start..end])?);
                rest = &rest[end + usize::from(braced)..];
            } else if byte == b'`' || out.len() > PATH_MAX {
                return None;
            } else {
                if byte != b'"' && byte != b'\'' {
                    out.push(byte);
                }
                rest = &rest[1..];
            }
        }
        Some(out)
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
}
