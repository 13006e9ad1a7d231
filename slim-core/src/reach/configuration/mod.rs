//! Configuration files: what nginx, Apache and others include and serve.
//!
//! A kept file is recognised by its path, or by its shape where one is included from elsewhere. Followed are the
//! directives that the servers' own documentation gives file names to, includes with wildcards, and in any file that
//! looks like configuration the absolute paths it names. Document roots are an application's own directories.
//! Conditions (`if`, `<IfModule>`) are taken as met; values with variables of a request are followed as far as they
//! are literal.

mod apache;
mod generic;
mod ini;
mod modules;
mod nginx;
#[cfg(test)]
mod tests;

use std::io;

use globset::GlobBuilder;

use super::context::{Context, Place};
use super::graph::{Needs, Node, Resolver};
use super::programs::shell_commands;
use super::tables::Tables;
use super::{literal, php};
use crate::image::{Outcome, Rootfs};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;

/// As much of a configuration file as is read: more is data.
const MAX_FILE: u64 = 1 << 20;
/// As many files as one wildcard brings.
const MAX_MATCHES: usize = 1000;
/// As many directives of one file as are followed.
const MAX_DIRECTIVES: usize = 5000;
/// As long as a path may be (`PATH_MAX` in the kernel's `limits.h`).
const MAX_PATH: usize = 4096;

/// Configuration files: what nginx, Apache and others include and serve.
pub(super) struct Configuration<'a> {
    context: &'a Context<'a>,
    php: php::Settings,
}

impl<'a> Configuration<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let php = php::Settings::of(context);
        Self { context, php }
    }
}

impl Resolver for Configuration<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let path = node.path;
        if node.entry.is_dir() {
            ini::scanned(self.context, needs, path);
            return Ok(());
        }
        if !node.entry.is_file() || node.entry.size() > MAX_FILE {
            return Ok(());
        }
        let generic = generic::is(self.context, path);
        let nginx = nginx::is(path);
        let apache = apache::is(path);
        let cron = is_cron(path);
        let modules = modules::is(path);
        if !(generic || nginx || apache || cron || modules) {
            return Ok(());
        }
        let source = node.source()?;
        if source.contains(&0) {
            return Ok(());
        }
        if nginx || (path.extension() == Some(b"conf") && nginx::shaped(source)) {
            nginx::follow(self.context, needs, path, source);
        } else if apache {
            apache::follow(self.context, needs, path, source);
        } else if modules {
            modules::follow(self.context, needs, path, source);
        } else if cron {
            crontab(self.context, needs, path, source);
        } else {
            ini::follow(self.context, &self.php, needs, path, source);
        }
        if generic {
            literal::scan(self.context, needs, path, source);
        }
        Ok(())
    }
}

/// Whether `name` is one of the path's names.
fn below(path: &RootPath, name: &[u8]) -> bool {
    path.components().any(|component| component == name)
}

/// Whether one of `paths` is `path` or stands above it.
fn listed(paths: &[String], path: &RootPath) -> bool {
    paths.iter().any(|above| path.starts_with(&RootPath::new(above)))
}

/// Whether `path` may hold an application's own source or configuration: no package owns it, and it is not where the
/// system or a language keeps what is installed.
pub(super) fn application(context: &Context<'_>, path: &RootPath) -> bool {
    let tables = Tables::built_in();
    let languages = &tables.own.languages;
    context.packages.owner(path).is_none()
        && !listed(&tables.configuration.not_an_application, path)
        && !path
            .components()
            .any(|name| languages.iter().any(|language| language.as_bytes() == name))
}

/// A directive names `value`: the file or directory there is needed as an entry, seen from the first of `bases` that
/// has it. What is missing everywhere keeps the directory that it would come to stand in below the first.
fn named(needs: &mut Needs<'_>, bases: &[RootPath], value: &[u8], place: Place<'_>) {
    if value.is_empty() || value.len() > MAX_PATH || value.contains(&b'$') {
        return;
    }
    let cause = place.cause(EdgeKind::Literal, &encode(value));
    let rootfs = needs.rootfs();
    let mut resolved = bases.iter().map(|base| rootfs.resolve_from(base, value, true));
    let found = resolved.find(|resolved| resolved.outcome == Outcome::Found);
    if let Some(found) = found {
        needs.follow(&found, &cause);
    } else if value.starts_with(b"/") {
        let missing = rootfs.resolve(&RootPath::new(value), true);
        needs.follow(&missing, &cause);
    }
}

/// A directive names `value` as a directory of the application's own. Of one with variables it is what stands before.
fn served(context: &Context<'_>, needs: &mut Needs<'_>, bases: &[RootPath], value: &[u8], place: Place<'_>) {
    let literal = match value.iter().position(|&b| b == b'$') {
        Some(at) => {
            let slash = value[..at].iter().rposition(|&b| b == b'/').unwrap_or(0);
            &value[..slash]
        }
        None => value,
    };
    if literal.is_empty() || literal.len() > MAX_PATH {
        return;
    }
    named(needs, bases, literal, place);
    let mut found = bases.iter().filter_map(|base| context.directory(base, literal));
    if let Some(directory) = found.next() {
        let cause = place.cause(EdgeKind::Literal, &encode(value));
        context.own_directory(needs, &directory.path, &cause);
    }
}

/// An include of `pattern`, with the wildcards of `glob(3)`, seen from `base`.
fn included(needs: &mut Needs<'_>, base: &RootPath, pattern: &[u8], place: Place<'_>) {
    let cause = place.cause(EdgeKind::Literal, &encode(pattern));
    let rootfs = needs.rootfs();
    let matches = expand(rootfs, base, pattern);
    for path in matches {
        let resolved = rootfs.resolve(&path, true);
        if resolved.outcome == Outcome::Found {
            needs.follow(&resolved, &cause);
        }
    }
    // A directory without a match goes on being there and empty.
    let wild = pattern
        .iter()
        .position(|b| b"*?[".contains(b))
        .unwrap_or(pattern.len());
    if let Some(slash) = pattern[..wild].iter().rposition(|&b| b == b'/') {
        named(needs, std::slice::from_ref(base), &pattern[..=slash], place);
    }
}

/// The paths that `pattern` matches from `base`: sorted, at most [`MAX_MATCHES`], hidden ones only where asked for.
fn expand(rootfs: &Rootfs, base: &RootPath, pattern: &[u8]) -> Vec<RootPath> {
    if pattern.len() > MAX_PATH {
        return Vec::new();
    }
    let start = if pattern.starts_with(b"/") {
        RootPath::root()
    } else {
        base.clone()
    };
    let mut paths = vec![start];
    for name in pattern.split(|&b| b == b'/').filter(|name| !name.is_empty()) {
        if !name.iter().any(|b| b"*?[".contains(b)) {
            paths = paths.iter().map(|path| path.child(name)).collect();
            continue;
        }
        let Some(glob) = std::str::from_utf8(name)
            .ok()
            .and_then(|name| GlobBuilder::new(name).literal_separator(true).build().ok())
        else {
            return Vec::new();
        };
        let matcher = glob.compile_matcher();
        let hidden = name.starts_with(b".");
        let mut next = Vec::new();
        for path in &paths {
            let directory = rootfs.resolve(path, true);
            let names = rootfs
                .children(&directory.path)
                .filter_map(|(child, _)| child.name());
            let matching = names
                .filter(|name| hidden || !name.starts_with(b"."))
                .filter(|name| std::str::from_utf8(name).is_ok_and(|name| matcher.is_match(name)));
            next.extend(
                matching
                    .take(MAX_MATCHES - next.len())
                    .map(|name| path.child(name)),
            );
            if next.len() == MAX_MATCHES {
                break;
            }
        }
        paths = next;
    }
    paths
}

/// Tables of cron: the system's and those of users.
fn is_cron(path: &RootPath) -> bool {
    path.as_bytes() == b"/etc/crontab"
        || ["/etc/cron.d", "/var/spool/cron", "/etc/crontabs"]
            .iter()
            .any(|directory| path.starts_with(&RootPath::new(directory)))
}

/// Commands of a crontab (`crontab(5)`): five fields or `@word`, in the system's tables the user, then the command.
fn crontab(context: &Context<'_>, needs: &mut Needs<'_>, path: &RootPath, source: &[u8]) {
    let system = path.as_bytes() == b"/etc/crontab" || path.starts_with(&RootPath::new("/etc/cron.d"));
    for (index, line) in source.split(|&b| b == b'\n').enumerate().take(MAX_DIRECTIVES) {
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let line = line.trim();
        let Some(first) = line.split_whitespace().next() else {
            continue;
        };
        if first.starts_with('#') || (first.contains('=') && !first.starts_with(['*', '@'])) {
            continue;
        }
        let fields = if first.starts_with('@') { 1 } else { 5 } + usize::from(system);
        let command: Vec<&str> = line.split_whitespace().skip(fields).collect();
        for name in shell_commands(&command.join(" ")).into_iter().take(32) {
            context.command(needs, name.as_bytes(), Place::at(path, index + 1));
        }
        for word in command.iter().filter(|word| word.starts_with('/')) {
            context.literal(needs, word.as_bytes(), Place::at(path, index + 1));
        }
    }
}
