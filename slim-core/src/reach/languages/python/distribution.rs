//! Distributions in site directories: their metadata and entry points (the specification of recorded projects and of
//! entry points, packaging.python.org).

use std::collections::BTreeMap;

use crate::path::RootPath;
use crate::reach::context::Context;
use crate::reach::languages::python::expression::is_dotted;

/// The largest number of bytes of a file list that are read, and as many of its lines.
const MAX_LIST: u64 = 4 << 20;
const MAX_FILES: usize = 50_000;
/// The largest number of distributions that are read.
const MAX_DISTRIBUTIONS: usize = 3000;

/// Which distribution a file belongs to.
#[derive(Debug, Default)]
pub(super) struct Distributions {
    /// The metadata's directory, or its only file, by a file of the distribution.
    files: BTreeMap<RootPath, RootPath>,
    /// The same by a package's directory, where there is no list of files.
    packages: BTreeMap<RootPath, RootPath>,
}

impl Distributions {
    /// Reads the file lists of what stands in `sites`.
    pub(super) fn read<'s>(context: &Context<'_>, sites: impl Iterator<Item = &'s RootPath>) -> Self {
        let mut found = Self::default();
        let metadata =
            sites.flat_map(|site| context.rootfs.children(site).map(move |(path, _)| (site, path)));
        let metadata =
            metadata.filter(|(_, path)| matches!(path.extension(), Some(b"dist-info" | b"egg-info")));
        for (site, path) in metadata.take(MAX_DISTRIBUTIONS) {
            let read = |name: &[u8]| {
                context
                    .rootfs
                    .read(&path.child(name), MAX_LIST)
                    .unwrap_or_default()
            };
            if path.extension() == Some(b"dist-info") {
                for name in recorded_names(&read(b"RECORD")) {
                    found.files.insert(site.join(name), path.clone());
                }
            } else {
                let listed = read(b"top_level.txt");
                let own = path.name().unwrap_or_default();
                let own = own.split(|&b| b == b'-' || b == b'.').next().unwrap_or_default();
                let own = own.to_ascii_lowercase();
                let names = listed
                    .split(|&b| b == b'\n')
                    .map(<[u8]>::trim_ascii)
                    .take(MAX_FILES);
                let mut names: Vec<&[u8]> = names.filter(|name| !name.is_empty()).collect();
                if names.is_empty() {
                    names.push(&own);
                }
                for name in names {
                    let package = site.child(name);
                    let mut module = package.as_bytes().to_vec();
                    module.extend_from_slice(b".py");
                    found.files.insert(RootPath::new(module), path.clone());
                    found.packages.insert(package, path.clone());
                }
            }
        }
        found
    }

    /// The metadata of the distribution that `path` belongs to.
    pub(super) fn metadata(&self, path: &RootPath) -> Option<&RootPath> {
        let listed = self.files.get(path);
        listed.or_else(|| {
            path.ancestors()
                .find_map(|directory| self.packages.get(&directory))
        })
    }
}

/// Returns the paths, seen from the site directory, of what a `RECORD` installed; not those in quotes.
fn recorded_names(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = record.split(|&b| b == b'\n').take(MAX_FILES).map(|line| {
        let end = line.iter().position(|&b| b == b',').unwrap_or(line.len());
        line[..end].trim_ascii()
    });
    names.filter(|name| !name.is_empty() && !name.starts_with(b"\""))
}

/// Returns the paths, seen from the site directory, of what a `RECORD` installed elsewhere as data (`../../../share/x`): no
/// programs, headers and pages of a manual.
pub(super) fn data_elsewhere(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    recorded_names(record).filter(|name| {
        let mut inside = *name;
        while let Some(rest) = inside.strip_prefix(b"../") {
            inside = rest;
        }
        let others: [&[u8]; 6] = [
            b"bin/",
            b"include/",
            b"lib",
            b"share/man/",
            b"share/doc/",
            b"src/",
        ];
        inside.len() < name.len() && !others.iter().any(|other| inside.starts_with(other))
    })
}

/// Returns the modules that lists in a document name to be run (`["python", "-m", "x"]`).
pub(super) fn run_modules(document: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo: Vec<serde_json::Value> = serde_json::from_slice(document).into_iter().collect();
    while let Some(value) = todo.pop() {
        match value {
            serde_json::Value::Array(items) => {
                let words: Vec<&str> = items
                    .iter()
                    .map(|item| item.as_str().unwrap_or_default())
                    .collect();
                let named = words
                    .iter()
                    .position(|word| *word == "-m")
                    .and_then(|at| words.get(at + 1));
                found.extend(
                    named
                        .filter(|module| is_dotted(module))
                        .map(|module| (*module).to_owned()),
                );
                todo.extend(items);
            }
            serde_json::Value::Object(fields) => todo.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    found
}

/// The modules that an `entry_points.txt` names for others to load, with their lines; not its commands, which are
/// files of their own.
pub(super) fn entry_points(bytes: &[u8]) -> Vec<(usize, String)> {
    let mut modules = Vec::new();
    let mut plugins = false;
    for (number, line) in bytes.split(|&b| b == b'\n').take(MAX_FILES).enumerate() {
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let line = line.trim();
        if let Some(group) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            plugins = !matches!(group.trim(), "console_scripts" | "gui_scripts");
        } else if plugins && let Some((_, object)) = line.split_once('=') {
            let module = object.split([':', '[', ' ']).find(|word| !word.is_empty());
            modules.extend(module.map(|module| (number + 1, module.to_owned())));
        }
    }
    modules
}
