//! Configuration files: what nginx, Apache and others include and serve.
//!
//! A kept file is recognised by its path, or by its shape where one is included from elsewhere. Followed are the
//! directives that the servers' own documentation gives file names to, includes with wildcards, and in any file that
//! looks like configuration the absolute paths it names. Document roots are an application's own directories.
//! Conditions (`if`, `<IfModule>`) are taken as met; values with variables of a request are followed as far as they
//! are literal.

mod apache;
mod delegates;
mod directive;
mod generic;
mod ini;
mod modules;
mod nginx;
pub(super) mod php_settings;
mod starters;
#[cfg(test)]
mod tests;

use std::io;

use crate::path::RootPath;
use crate::reach::absolute_path;
use crate::reach::context::{Context, Place};
use crate::reach::environment::shell_commands;
use crate::reach::resolver::{Needs, Node, Resolver};
use directive::{MAX_DIRECTIVES, MAX_FILE};
use php_settings::Settings;

/// Configuration files: what nginx, Apache and others include and serve.
pub(super) struct Configuration<'a> {
    context: &'a Context<'a>,
    php_settings: Settings,
}

impl<'a> Configuration<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let php_settings = Settings::read(context);
        Self {
            context,
            php_settings,
        }
    }
}

impl Resolver for Configuration<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let path = node.path;
        if node.entry.is_dir() {
            ini::keep_scanned_directory(self.context, needs, path);
            return Ok(());
        }
        if !node.entry.is_file() || node.entry.size() > MAX_FILE {
            return Ok(());
        }
        if starters::follow(self.context, needs, node)? {
            return Ok(());
        }
        let generic = generic::matches_path(self.context, path);
        let nginx = nginx::matches_path(path);
        let apache = apache::matches_path(path);
        let cron = is_cron(path);
        let modules = modules::matches_path(path);
        let delegates = delegates::matches_path(path);
        if !(generic || nginx || apache || cron || modules || delegates) {
            return Ok(());
        }
        let source = node.source()?;
        if source.contains(&0) {
            return Ok(());
        }
        if nginx || (path.extension() == Some(b"conf") && nginx::looks_like_nginx(source)) {
            nginx::follow_directives(self.context, needs, path, source);
        } else if apache {
            apache::follow_directives(self.context, needs, path, source);
        } else if modules {
            modules::follow_directives(self.context, needs, path, source);
        } else if delegates {
            delegates::follow_directives(self.context, needs, path, source);
        } else if cron {
            follow_crontab(self.context, needs, path, source);
        } else {
            ini::follow_directives(self.context, &self.php_settings, needs, path, source);
        }
        if generic {
            absolute_path::keep_words(self.context, needs, path, source);
        }
        Ok(())
    }
}

/// Returns whether `path` is a table of cron: the system's, or a user's.
fn is_cron(path: &RootPath) -> bool {
    path.as_bytes() == b"/etc/crontab"
        || ["/etc/cron.d", "/var/spool/cron", "/etc/crontabs"]
            .iter()
            .any(|directory| path.starts_with(&RootPath::new(directory)))
}

/// Keeps the commands of a crontab (`crontab(5)`): five fields or `@word`, in the system's tables the user, then the
/// command.
fn follow_crontab(context: &Context<'_>, needs: &mut Needs<'_>, path: &RootPath, source: &[u8]) {
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
            context.keep_command(needs, name.as_bytes(), Place::on_line(path, index + 1));
        }
        let directories = command
            .iter()
            .any(|word| word.rsplit('/').next() == Some("run-parts"));
        for word in command.iter().filter(|word| word.starts_with('/')) {
            absolute_path::keep(context, needs, word.as_bytes(), Place::on_line(path, index + 1));
            if directories {
                absolute_path::keep_programs(
                    context,
                    needs,
                    word.as_bytes(),
                    Place::on_line(path, index + 1),
                    true,
                );
            }
        }
    }
}
