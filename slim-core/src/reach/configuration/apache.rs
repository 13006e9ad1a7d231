//! Apache's httpd: directives that name files, after the documentation of its core and standard modules.

use std::collections::BTreeMap;

use super::directive::{MAX_DIRECTIVES, MAX_FILE, has_component, keep_included, keep_named, keep_served};
use crate::path::RootPath;
use crate::reach::absolute_path;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::Needs;
use crate::reach::tables::Tables;

/// The largest number of pages of one file that are looked for, in as many document roots.
const MAX_PAGES: usize = 128;

/// Returns whether `path` is Apache's by its name.
pub(super) fn matches_path(path: &RootPath) -> bool {
    let server = has_component(path, b"apache2") || has_component(path, b"httpd");
    let name = matches!(path.name(), Some(b".htaccess" | b"httpd.conf" | b"apache2.conf"));
    name || (server && matches!(path.extension(), Some(b"conf" | b"load")))
}

/// Returns the words of a directive: quotes taken off, nothing else.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while let Some(&first) = rest.first() {
        let quote = matches!(first, b'"' | b'\'');
        let body = if quote { &rest[1..] } else { rest };
        let ends = |b: &u8| {
            if quote {
                *b == first
            } else {
                b.is_ascii_whitespace()
            }
        };
        let end = body.iter().position(ends).unwrap_or(body.len());
        words.push(body[..end].to_vec());
        rest = body.get(end + 1..).unwrap_or_default().trim_ascii_start();
    }
    words
}

/// Variables for `${…}`: those of the image's config, of Debian's `envvars`, and those that the file defines.
struct Variables<'a> {
    context: &'a Context<'a>,
    set: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<'a> Variables<'a> {
    fn new(context: &'a Context<'a>, server_root: &RootPath) -> Self {
        let mut set = BTreeMap::new();
        let envvars = context.find_file(server_root, "envvars");
        let source = envvars
            .and_then(|file| context.rootfs.read(&file.path, MAX_FILE).ok())
            .unwrap_or_default();
        for line in source.split(|&b| b == b'\n') {
            let Some(assignment) = line.trim_ascii().strip_prefix(b"export ") else {
                continue;
            };
            if let Some(equals) = assignment.iter().position(|&b| b == b'=') {
                let value = &assignment[equals + 1..];
                // `$SUFFIX` is empty unless several servers run.
                let end = value.iter().position(|&b| b == b'$').unwrap_or(value.len());
                let value = value[..end].trim_ascii();
                set.insert(assignment[..equals].to_vec(), value.to_vec());
            }
        }
        Self { context, set }
    }

    /// Returns `word` with its variables; one that is not known stays.
    fn expand(&self, word: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = word;
        while let Some(start) = rest.windows(2).position(|two| two == b"${") {
            let Some(end) = rest[start..].iter().position(|&b| b == b'}') else {
                break;
            };
            let name = &rest[start + 2..start + end];
            out.extend_from_slice(&rest[..start]);
            let ours = self.set.get(name).map(Vec::as_slice);
            let environment = || {
                Some(
                    self.context
                        .environment
                        .get(std::str::from_utf8(name).ok()?)?
                        .as_bytes(),
                )
            };
            out.extend_from_slice(ours.or_else(environment).unwrap_or(&rest[start..=start + end]));
            rest = &rest[start + end + 1..];
        }
        out.extend_from_slice(rest);
        out
    }
}

/// Follows Apache's directives.
pub(super) fn follow_directives(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    path: &RootPath,
    source: &[u8],
) {
    let home = |directory: &RootPath| matches!(directory.name(), Some(b"apache2" | b"httpd"));
    let mut base = path
        .ancestors()
        .find(home)
        .or_else(|| path.parent())
        .unwrap_or_else(RootPath::root);
    let mut variables = Variables::new(context, &base);
    let files = &Tables::built_in().configuration.apache;
    let mut roots: Vec<Vec<u8>> = Vec::new();
    let mut pages: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut before: Vec<u8> = Vec::new();
    for (index, line) in source.split(|&b| b == b'\n').enumerate().take(MAX_DIRECTIVES) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(part) = line.strip_suffix(b"\\") {
            before.extend_from_slice(part);
            continue;
        }
        let line = [std::mem::take(&mut before), line.to_vec()].concat();
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            continue;
        }
        let place = Place::on_line(path, index + 1);
        let line = line
            .strip_prefix(b"<")
            .map_or(line, |section| section.strip_suffix(b">").unwrap_or(section));
        let words: Vec<Vec<u8>> = words(line).iter().map(|word| variables.expand(word)).collect();
        let Some((name, values)) = words.split_first() else {
            continue;
        };
        let (Some(value), Some(last)) = (values.first(), values.last()) else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        let bases = [base.clone()];
        match name.as_slice() {
            b"serverroot" => {
                keep_named(needs, &bases, value, place);
                base = base.join(value);
            }
            b"define" => {
                variables
                    .set
                    .insert(value.clone(), values.get(1).cloned().unwrap_or_default());
            }
            b"include" | b"includeoptional" => keep_included(needs, &base, value, place),
            b"loadmodule" => keep_named(needs, &bases, last, place),
            b"documentroot" | b"virtualdocumentroot" => {
                keep_served(context, needs, &bases, value, place);
                roots.push(value.clone());
            }
            b"alias" | b"scriptalias" | b"scriptaliasmatch" | b"wsgiscriptalias" => {
                keep_named(needs, &bases, last, place);
                keep_served(context, needs, &bases, last, place);
                if name.as_slice() != b"alias" {
                    absolute_path::keep_programs(context, needs, last, place, true);
                }
            }
            b"directory" if !value.contains(&b'*') && value.len() > 1 => {
                keep_named(needs, &bases, value, place)
            }
            b"errordocument" => pages.push((index + 1, last.clone())),
            b"directoryindex" => pages.extend(values.iter().map(|page| (index + 1, page.clone()))),
            name if files.iter().any(|file| file.as_bytes() == name) && !value.starts_with(b"|") => {
                keep_named(needs, &bases, value, place);
            }
            _ => {}
        }
    }
    if path.name() == Some(b".htaccess") {
        roots.extend(path.parent().map(|directory| directory.as_bytes().to_vec()));
    }
    roots.truncate(MAX_PAGES);
    pages.truncate(MAX_PAGES);
    for (line, page) in pages {
        for root in &roots {
            let file = [root.as_slice(), page.as_slice()].join(&b'/');
            if context.find_file(&base, &file).is_some() {
                keep_named(
                    needs,
                    std::slice::from_ref(&base),
                    &file,
                    Place::on_line(path, line),
                );
            }
        }
    }
}
