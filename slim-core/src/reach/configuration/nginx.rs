//! nginx: its configuration's syntax and the directives that name files, after the documentation of its modules.

use super::directive::{MAX_DIRECTIVES, has_component, keep_included, keep_named, keep_served};
use crate::path::RootPath;
use crate::reach::absolute_path;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::Needs;
use crate::reach::tables::Tables;

/// The largest number of document roots of one file that its pages are looked for in.
const MAX_ROOTS: usize = 64;
/// The largest number of pages of one file that are looked for.
const MAX_PAGES: usize = 256;

/// Returns whether `path` is nginx's by its name.
pub(super) fn matches_path(path: &RootPath) -> bool {
    let server = has_component(path, b"nginx") || has_component(path, b"openresty");
    let place = path.starts_with(&RootPath::new("/etc"))
        || has_component(path, b"conf")
        || has_component(path, b"conf.d");
    path.name() == Some(b"nginx.conf") || (server && (place || path.extension() == Some(b"conf")))
}

/// Returns whether `source` looks like nginx's: a block of a server or of what is in one.
pub(super) fn looks_like_nginx(source: &[u8]) -> bool {
    let blocks = [
        &b"server"[..],
        b"http",
        b"location",
        b"upstream",
        b"events",
        b"stream",
    ];
    parse_statements(source)
        .iter()
        .any(|statement| statement.block && blocks.contains(&statement.words[0].as_slice()))
}

/// A directive.
struct Statement {
    line: usize,
    words: Vec<Vec<u8>>,
    /// It ends in `{`.
    block: bool,
}

/// Reads directives as `ngx_conf_read_token` does; blocks are flattened, which no depth can exhaust.
fn parse_statements(source: &[u8]) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&byte) = source.get(at) {
        at += 1;
        match byte {
            b'\n' => line += 1,
            b' ' | b'\t' | b'\r' => {}
            b'#' => {
                while source.get(at).is_some_and(|&b| b != b'\n') {
                    at += 1;
                }
            }
            b';' | b'{' | b'}' => {
                let words = std::mem::take(&mut words);
                if !words.is_empty() && byte != b'}' {
                    let block = byte == b'{';
                    statements.push(Statement { line, words, block });
                }
                if statements.len() == MAX_DIRECTIVES {
                    break;
                }
            }
            _ => {
                let quote = matches!(byte, b'"' | b'\'').then_some(byte);
                let mut word = if quote.is_some() { Vec::new() } else { vec![byte] };
                while let Some(&byte) = source.get(at) {
                    let variable = byte == b'{' && word.last() == Some(&b'$');
                    let end = match quote {
                        Some(quote) => byte == quote,
                        None => (byte.is_ascii_whitespace() || b";{".contains(&byte)) && !variable,
                    };
                    if end {
                        at += usize::from(quote.is_some());
                        break;
                    }
                    at += 1;
                    line += usize::from(byte == b'\n');
                    if byte == b'\\' && source.get(at).is_some() {
                        word.push(source[at]);
                        line += usize::from(source[at] == b'\n');
                        at += 1;
                    } else {
                        word.push(byte);
                    }
                }
                words.push(word);
            }
        }
    }
    statements
}

/// The directories that relative paths may start at: that of the main configuration, and those nginx is built with.
fn base_directories(path: &RootPath) -> Vec<RootPath> {
    let main = |directory: &RootPath| matches!(directory.name(), Some(b"nginx" | b"openresty"));
    let mut prefixes: Vec<RootPath> = Vec::new();
    if let Some(prefix) = path.ancestors().find(main) {
        let conf = prefix.join("conf");
        if path.starts_with(&conf) {
            prefixes.push(conf);
        }
        prefixes.push(prefix);
    } else if path.name() == Some(b"nginx.conf") {
        prefixes.extend(path.parent());
    }
    prefixes.extend(
        Tables::built_in()
            .configuration
            .nginx_prefixes
            .iter()
            .map(RootPath::new),
    );
    prefixes
}

/// Follows nginx's directives.
pub(super) fn follow_directives(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    path: &RootPath,
    source: &[u8],
) {
    let bases = base_directories(path);
    let files = &Tables::built_in().configuration.nginx;
    let mut roots: Vec<Vec<u8>> = Vec::new();
    let mut pages: Vec<(usize, Vec<u8>)> = Vec::new();
    for Statement { line, words, .. } in &parse_statements(source) {
        let place = Place::on_line(path, *line);
        let Some((name, values)) = words.split_first() else {
            continue;
        };
        let Some(value) = values.first() else { continue };
        match name.as_slice() {
            b"include" => keep_included(needs, &bases[0], value, place),
            b"root" | b"alias" => {
                keep_served(context, needs, &bases, value, place);
                if roots.len() < MAX_ROOTS {
                    roots.push(value.clone());
                }
            }
            b"error_page" => pages.extend(values.last().map(|page| (*line, page.clone()))),
            b"index" | b"try_files" => pages.extend(values.iter().map(|page| (*line, page.clone()))),
            b"lua_package_path" | b"lua_package_cpath" => {
                for pattern in value.split(|&b| b == b';') {
                    let end = pattern.iter().position(|&b| b == b'?').unwrap_or(pattern.len());
                    keep_served(context, needs, &bases, &pattern[..end], place);
                }
            }
            b"fastcgi_param" if value == b"SCRIPT_FILENAME" => {
                let script = values.last().unwrap_or(value);
                keep_served(context, needs, &bases, script, place);
                absolute_path::keep_programs(context, needs, script, place, true);
            }
            b"js_import" => keep_named(needs, &bases, values.last().unwrap_or(value), place),
            name if files.iter().any(|file| file.as_bytes() == name) => {
                keep_named(needs, &bases, value, place)
            }
            _ => {}
        }
    }
    if roots.is_empty() {
        // What nginx serves where no root is given.
        roots.push(b"html".to_vec());
    }
    pages.truncate(MAX_PAGES);
    for (line, page) in pages {
        let page = page.strip_prefix(b"/").unwrap_or(&page);
        if page.is_empty() || page.starts_with(b"@") || page.starts_with(b"=") {
            continue;
        }
        for root in &roots {
            let file = [root.as_slice(), page].join(&b'/');
            let found =
                !file.contains(&b'$') && bases.iter().any(|base| context.find_file(base, &file).is_some());
            if found {
                keep_named(needs, &bases, &file, Place::on_line(path, line));
            }
        }
    }
}
