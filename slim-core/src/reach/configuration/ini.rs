//! `KEY = VALUE` files: `php.ini` and what it scans, PHP-FPM's pools, supervisord.

use super::directive::{MAX_DIRECTIVES, keep_included, keep_named, keep_served};
use super::php_settings::{Settings, parse_setting};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::absolute_path;
use crate::reach::bytes::contains;
use crate::reach::command;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::Needs;
use crate::reach::tables::Tables;

/// The largest number of directories of extensions that are looked in.
const MAX_DIRECTORIES: usize = 64;

/// Returns whether one of the names of `path` begins with `php`.
fn is_php(path: &RootPath) -> bool {
    path.components().any(|name| name.starts_with(b"php"))
}

/// Keeps each `.ini` in a kept directory that PHP scans when it starts (`PHP_INI_SCAN_DIR`).
pub(super) fn keep_scanned_directory(_: &Context<'_>, needs: &mut Needs<'_>, path: &RootPath) {
    if path.name() == Some(b"conf.d") && is_php(path) {
        keep_included(needs, path, b"*.ini", Place::in_file(path));
    }
}

/// Follows the settings of PHP, PHP-FPM or supervisord; nothing for other files.
pub(super) fn follow_directives(
    context: &Context<'_>,
    settings: &Settings,
    needs: &mut Needs<'_>,
    path: &RootPath,
    source: &[u8],
) {
    let table = &Tables::built_in().configuration;
    let php = is_php(path);
    let supervisord = contains(source, b"[supervisord]") || contains(source, b"[program:");
    if !php && !supervisord {
        return;
    }
    let base = path.parent().unwrap_or_else(RootPath::root);
    if path.name() == Some(b"php.ini") {
        keep_included(needs, &base, b"conf.d/*.ini", Place::in_file(path));
    }
    let bases = [base.clone()];
    for (index, line) in source.split(|&b| b == b'\n').enumerate().take(MAX_DIRECTIVES) {
        let Some((key, value)) = parse_setting(line.trim_ascii()) else {
            continue;
        };
        let place = Place::on_line(path, index + 1);
        let is = |keys: &[String]| keys.iter().any(|known| known.as_bytes() == key);
        match key {
            b"extension" | b"zend_extension" if php => keep_extension(context, settings, needs, value, place),
            b"include" if php => keep_included(needs, &base, value, place),
            b"include_path" if php => {
                for directory in value.split(|&b| b == b':').filter(|part| part.starts_with(b"/")) {
                    keep_named(needs, &bases, directory, place);
                }
            }
            b"user" | b"group" => {
                for database in ["/etc/passwd", "/etc/group"] {
                    if let Some(file) = context.find_file(&base, database) {
                        needs.follow(&file, &place.cause(EdgeKind::User, &encode(value)));
                    }
                }
            }
            b"files" if supervisord => {
                for pattern in value
                    .split(u8::is_ascii_whitespace)
                    .filter(|word| !word.is_empty())
                {
                    keep_included(needs, &base, pattern, place);
                }
            }
            b"command" if supervisord => {
                let words = command::split_words(value);
                context.keep_argv(needs, &words, place);
                for word in words.iter().skip(1).filter(|word| word.starts_with(b"/")) {
                    absolute_path::keep(context, needs, word, place);
                }
            }
            b"directory" if supervisord => keep_served(context, needs, &bases, value, place),
            _ if value.starts_with(b"/")
                && ((php && is(&table.php)) || (supervisord && is(&table.supervisord))) =>
            {
                keep_named(needs, &bases, value, place);
            }
            _ => {}
        }
    }
}

/// Keeps an extension by its name, with or without `.so`, in `extension_dir` and every directory that PHP may have been
/// built to look in.
fn keep_extension(
    context: &Context<'_>,
    settings: &Settings,
    needs: &mut Needs<'_>,
    name: &[u8],
    place: Place<'_>,
) {
    let root = RootPath::root();
    if name.starts_with(b"/") {
        absolute_path::keep(context, needs, name, place);
        return;
    }
    if name.is_empty() || name.contains(&b'/') {
        return;
    }
    let mut file = name.to_vec();
    if !file.ends_with(b".so") {
        file.extend_from_slice(b".so");
    }
    let cause = place.cause(EdgeKind::Dlopen, &encode(name));
    let mut directories = settings.extensions.clone();
    for above in &Tables::built_in().configuration.php_extensions {
        let Some(above) = context.find_directory(&root, above) else {
            continue;
        };
        let below = context
            .rootfs
            .children(&above.path)
            .filter(|(_, entry)| entry.is_dir());
        directories.extend(std::iter::once(above.path.clone()).chain(below.map(|(path, _)| path.clone())));
    }
    for directory in directories.iter().take(MAX_DIRECTORIES) {
        if let Some(found) = context.find_file(directory, &file) {
            needs.follow(&found, &cause);
        }
    }
}
