//! Erlang and Elixir: applications of the code server.
//!
//! A node in interactive mode loads a module when it is first called, by its name in a directory `ebin` (code(3)), so a
//! kept module or resource file brings all modules of its application, its resource file (app(4)) and what it keeps in
//! `priv`. A resource file names the applications that are started before or with it; they are looked for beside it,
//! along `ERL_LIBS`, and where distributions put Erlang's own.

use std::io;

use crate::image::{Entry, Resolved};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::bytes::is_word;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::variable_directories;
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::walk::{MAX_ENTRIES, walk};

/// Directories of Erlang's own applications.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/erlang/lib",
    "/usr/local/lib/erlang/lib",
    "/usr/lib/elixir/lib",
];
/// Keys of a resource file that name applications.
const KEYS: [&[u8]; 3] = [
    b"applications",
    b"included_applications",
    b"optional_applications",
];
/// The largest number of applications of one resource file.
const MAX_APPLICATIONS: usize = 500;

/// Erlang, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Erlang",
    sample: Sample {
        hostile: &["/app/lib/a-1/ebin/a.app"],
        fixed: &[
            ("/app/lib/a-1/ebin/a.beam", "FOR1"),
            ("/app/lib/b-2/ebin/b.app", "{application,b,[{applications,[a]}]}."),
        ],
    },
    resolver: |context| Box::new(Erlang { context }),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of Erlang.
struct Erlang<'a> {
    context: &'a Context<'a>,
}

impl Resolver for Erlang<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let resource = node.path.extension() == Some(b"app");
        if !node.entry.is_file() || !(resource || node.path.extension() == Some(b"beam")) {
            return Ok(());
        }
        let Some(ebin) = node.path.parent().filter(|ebin| ebin.name() == Some(b"ebin")) else {
            return Ok(());
        };
        let Some(home) = ebin.parent() else { return Ok(()) };
        let place = Place::in_file(node.path);
        if !resource {
            // The resource file then brings the rest, once.
            let mut has_resource = false;
            for (path, _) in self.context.rootfs.children(&ebin) {
                if path.extension() == Some(b"app") {
                    has_resource = true;
                    needs.mark(
                        path,
                        place.cause(EdgeKind::Distribution, "the module's application"),
                    );
                }
            }
            if has_resource {
                return Ok(());
            }
        }
        let module = |path: &RootPath, entry: &Entry| entry.is_dir() || path.extension() == Some(b"beam");
        for (directory, words) in [
            (ebin, "a module of the application"),
            (home.child(b"priv"), "its priv directory"),
        ] {
            let is_priv = directory.name() == Some(b"priv");
            let found = walk(self.context.rootfs, &directory, MAX_ENTRIES, |path, entry| {
                is_priv || module(path, entry)
            });
            let files: Vec<_> = found.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
            let cause = place.cause(EdgeKind::Distribution, words);
            if !files.is_empty() {
                self.context.keep_files(needs, &directory, &files, &cause);
            }
        }
        if !resource {
            return Ok(());
        }
        let mut libraries: Vec<RootPath> = home.parent().into_iter().collect();
        libraries.extend(variable_directories(self.context, "ERL_LIBS"));
        libraries.extend(LIBRARIES.iter().map(RootPath::new));
        for name in applications(node.source()?) {
            if let Some(file) = self.find(needs, &libraries, name) {
                needs.follow(&file, &place.cause(EdgeKind::Import, &encode(name)));
            }
        }
        Ok(())
    }
}

impl Erlang<'_> {
    /// The resource file of the application `name` in the first of `libraries` that has it, with a version or without.
    fn find(&self, needs: &mut Needs<'_>, libraries: &[RootPath], name: &[u8]) -> Option<Resolved> {
        libraries
            .iter()
            .filter(|_| needs.may_look_up())
            .find_map(|library| {
                let library = self
                    .context
                    .find_directory(&RootPath::root(), library.as_bytes())?
                    .path;
                let is = |child: &RootPath| {
                    let rest = child.name().and_then(|child| child.strip_prefix(name));
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
                };
                let file = [b"ebin/", name, b".app"].concat();
                let mut children = self
                    .context
                    .rootfs
                    .children(&library)
                    .filter(|(child, _)| is(child));
                children.find_map(|(child, _)| self.context.find_file(child, &file))
            })
    }
}

/// The applications that a resource file names.
fn applications(source: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for tuple in source.split(|&b| b == b'{') {
        let tuple = tuple.trim_ascii_start();
        let length = tuple.iter().take_while(|&&b| is_word(b)).count();
        if !KEYS.contains(&&tuple[..length]) {
            continue;
        }
        let Some(open) = tuple.iter().position(|&b| b == b'[') else {
            continue;
        };
        let list = tuple[open + 1..].split(|&b| b == b']').next().unwrap_or_default();
        found.extend(
            list.split(|&b| !is_word(b))
                .filter(|name| !name.is_empty())
                .take(MAX_APPLICATIONS),
        );
    }
    found.truncate(MAX_APPLICATIONS);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::languages::source_file::tests::{beside, reached};

    #[test]
    fn a_module_brings_its_application_and_those_that_it_is_started_with() {
        let items: &[(&str, &[u8])] = &[
            ("/o/lib/a-1.0/ebin/a.beam", b""),
            ("/o/lib/a-1.0/ebin/a_late.beam", b""),
            (
                "/o/lib/a-1.0/ebin/a.app",
                b"{application,a,[{modules,[a,a_late]},\n {applications, [kernel,\n 'b']}, {registered,[c]}]}.",
            ),
            ("/o/lib/a-1.0/priv/x.so", b""),
            ("/o/lib/a-1.0/src/a.erl", b""),
            ("/o/lib/b/ebin/b.app", b"{application,b,[{included_applications,[]}]}."),
            ("/o/lib/b/ebin/b.beam", b""),
            ("/o/lib/c/ebin/c.app", b""),
            ("/usr/lib/erlang/lib/kernel-8/ebin/kernel.app", b""),
        ];
        let from = ["/o/lib/a-1.0/ebin/a.beam"];
        let reached = reached(items, &[], &from, LANGUAGE.resolver);
        assert_eq!(
            beside(&reached, &from),
            [
                "/o/lib/a-1.0/ebin/a.app",
                "/o/lib/a-1.0/ebin/a_late.beam",
                "/o/lib/a-1.0/priv/x.so",
                "/o/lib/b/ebin/b.app",
                "/o/lib/b/ebin/b.beam",
                "/usr/lib/erlang/lib/kernel-8/ebin/kernel.app",
            ]
        );
    }
}
