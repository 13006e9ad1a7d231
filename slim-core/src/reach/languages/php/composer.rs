//! Composer's installations: the tables by which its autoloader finds classes, and the packages.
//!
//! The tables are read as `Composer\Autoload\ClassLoader` reads them: `autoload_static.php`, or else
//! `autoload_classmap.php`, `autoload_psr4.php` and `autoload_namespaces.php`; then a class is a file of the class map,
//! of PSR-4, or of PSR-0. `installed.json` says where packages are and which are for development alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;
use tree_sitter::Node;

use crate::cancel::Cancel;
use crate::path::RootPath;
use crate::reach::context::Context;
use crate::reach::languages::php::value::{Scope, Words, last_child};
use crate::reach::languages::syntax_tree::{self, Extent, text};
use crate::reach::resolver::MAX_SOURCE;

/// The largest number of projects that an image may hold.
const MAX_INSTALLATIONS: usize = 256;
/// The largest number of packages that one may have installed.
const MAX_PACKAGES: usize = 5000;
/// The largest number of directories that one prefix may stand for.
const MAX_DIRECTORIES: usize = 64;

/// A directory of packages (`vendor`).
pub(super) struct Installation {
    /// The directory.
    pub(super) vendor: RootPath,
    tables: OnceLock<Tables>,
}

/// The tables of an autoloader: the files of classes.
#[derive(Debug, Default)]
pub(super) struct Tables {
    classes: BTreeMap<Vec<u8>, RootPath>,
    psr4: BTreeMap<Vec<u8>, Vec<RootPath>>,
    psr0: BTreeMap<Vec<u8>, Vec<RootPath>>,
    /// Files that are required with the autoloader, with their lines.
    pub(super) files: Vec<(usize, RootPath)>,
}

/// The files that Composer writes beside its class loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// All of them (`autoload_static.php`).
    Static,
    /// A class map.
    Classes,
    /// Prefixes of namespaces.
    Psr4,
    /// Prefixes of classes' names.
    Psr0,
    /// Files that are always required.
    Files,
    /// The installed packages, for `Composer\InstalledVersions`.
    Installed,
}

impl Table {
    /// The table that `path` is.
    pub(super) fn at_path(path: &RootPath) -> Option<Self> {
        if path.parent()?.name() != Some(b"composer") {
            return None;
        }
        Some(match path.name()? {
            b"autoload_static.php" => Self::Static,
            b"autoload_classmap.php" => Self::Classes,
            b"autoload_psr4.php" => Self::Psr4,
            b"autoload_namespaces.php" => Self::Psr0,
            b"autoload_files.php" => Self::Files,
            b"installed.php" => Self::Installed,
            _ => return None,
        })
    }

    /// The table that a property of `autoload_static.php` is.
    fn of_property(property: &[u8]) -> Option<Self> {
        Some(match property {
            b"$classMap" => Self::Classes,
            b"$prefixDirsPsr4" | b"$fallbackDirsPsr4" => Self::Psr4,
            b"$prefixesPsr0" | b"$fallbackDirsPsr0" => Self::Psr0,
            b"$files" => Self::Files,
            _ => return None,
        })
    }
}

impl Installation {
    /// All of the image, by the file that each has.
    pub(super) fn find_all(context: &Context<'_>) -> Vec<Self> {
        let found = context.rootfs.iter().filter(|(path, entry)| {
            entry.is_file() && path.as_bytes().ends_with(b"/composer/autoload_real.php")
        });
        let vendors = found.filter_map(|(path, _)| path.parent()?.parent());
        let installations = vendors.filter(|vendor| !vendor.is_root()).map(|vendor| Self {
            vendor,
            tables: OnceLock::new(),
        });
        installations.take(MAX_INSTALLATIONS).collect()
    }

    /// The directory of the project that it was installed for.
    pub(super) fn project(&self) -> RootPath {
        self.vendor.parent().unwrap_or_else(RootPath::root)
    }

    /// Returns Composer's own directory in it.
    pub(super) fn composer(&self) -> RootPath {
        self.vendor.child(b"composer")
    }

    /// Returns its tables, read at the first call.
    pub(super) fn tables(&self, context: &Context<'_>) -> &Tables {
        self.tables.get_or_init(|| {
            let directory = self.composer();
            let mut tables = Tables::default();
            let mut read = |name: &str| {
                let Some(found) = context.find_file(&directory, name) else {
                    return false;
                };
                let bytes = context.rootfs.read(&found.path, MAX_SOURCE).unwrap_or_default();
                // A table beyond the bounds counts as far as it was read; the note comes from the kept file itself.
                let _ = tables.read(&found.path, &bytes, context.cancel);
                true
            };
            if !read("autoload_static.php") {
                for name in [
                    "autoload_classmap.php",
                    "autoload_psr4.php",
                    "autoload_namespaces.php",
                ] {
                    read(name);
                }
            }
            tables
        })
    }
}

impl Tables {
    /// Takes what the table in `source`, which stands at `file`, says; how far it was read.
    pub(super) fn read(&mut self, file: &RootPath, source: &[u8], cancel: &Cancel) -> Extent {
        let Some(table) = Table::at_path(file) else {
            return Extent::Whole;
        };
        let directory = file.parent().unwrap_or_else(RootPath::root);
        let mut scope = Scope::new(file, &directory, source);
        let mut current = Some(table).filter(|table| *table != Table::Static);
        // Elements before this byte were read with the one that holds them.
        let mut covered = 0;
        let visit = |node: Node<'_>| match node.kind() {
            "assignment_expression" => scope.learn(node),
            "property_element" if table == Table::Static => {
                let name = node.child_by_field_name("name");
                current = name.and_then(|name| Table::of_property(text(name, source)));
            }
            "array_element_initializer" if node.start_byte() >= covered => {
                if let Some(current) = current
                    && let Some(end) = self.element(current, &mut scope, node)
                {
                    covered = end;
                }
            }
            _ => {}
        };
        syntax_tree::visit(tree_sitter_php::LANGUAGE_PHP, source, cancel, visit)
    }

    /// Takes `KEY => VALUE`; none if it only groups others. Else where it ends.
    fn element(&mut self, table: Table, scope: &mut Scope<'_>, node: Node<'_>) -> Option<usize> {
        let value = last_child(node)?;
        let key = node.named_child(0).filter(|key| *key != value);
        let key = match key {
            Some(key) if key.kind() != "integer" => first_value(scope, key)?,
            _ => Vec::new(),
        };
        let line = syntax_tree::line(node);
        let paths: Vec<Vec<u8>> = if value.kind() == "array_creation_expression" {
            let mut cursor = value.walk();
            let elements = value.named_children(&mut cursor).take(MAX_DIRECTORIES);
            let mut paths = Vec::new();
            for element in elements {
                // `'P' => array('Pimple' => array(…))`
                let key = element
                    .named_child(0)
                    .filter(|_| element.named_child_count() == 2);
                if key.is_some_and(|key| key.kind().ends_with("string")) {
                    return None;
                }
                paths.extend(last_child(element).and_then(|value| first_value(scope, value)));
            }
            paths
        } else {
            first_value(scope, value).into_iter().collect()
        };
        let mut paths = paths
            .iter()
            .filter(|path| path.starts_with(b"/"))
            .map(RootPath::new);
        match table {
            Table::Psr4 => self.psr4.entry(key).or_default().extend(paths),
            Table::Psr0 => self.psr0.entry(key).or_default().extend(paths),
            Table::Classes => self.classes.extend(paths.next().map(|path| (key, path))),
            Table::Files => self.files.extend(paths.next().map(|path| (line, path))),
            Table::Static | Table::Installed => {}
        }
        Some(node.end_byte())
    }

    /// Returns the files that may hold a class, best first.
    pub(super) fn class(&self, class: &[u8]) -> Vec<RootPath> {
        let mut found: Vec<RootPath> = self.classes.get(class).cloned().into_iter().collect();
        found.extend(self.namespace(class).into_iter().map(|path| php(&path)));
        let old = psr0(class);
        for (prefix, directories) in &self.psr0 {
            if class.starts_with(prefix) {
                found.extend(directories.iter().map(|directory| directory.join(&old)));
            }
        }
        found
    }

    /// The directories in which PSR-4 looks for what is in a namespace, without a file's extension.
    pub(super) fn namespace(&self, name: &[u8]) -> Vec<RootPath> {
        let mut found = Vec::new();
        // The longest prefix counts first; the empty one is for all.
        let ends = name
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, b)| **b == b'\\')
            .map(|(at, _)| at + 1);
        for end in ends.chain([0]) {
            let (prefix, rest) = name.split_at(end);
            let rest: Vec<u8> = namespace_path(rest);
            if let Some(directories) = self.psr4.get(prefix) {
                found.extend(directories.iter().map(|directory| directory.join(&rest)));
            }
        }
        found
    }

    /// Returns the directories of classes that stand in the project and not in `vendor`.
    pub(super) fn project_directories<'t>(&'t self, vendor: &'t RootPath) -> BTreeSet<&'t RootPath> {
        let all = self.psr4.values().chain(self.psr0.values()).flatten();
        all.filter(|directory| !directory.starts_with(vendor)).collect()
    }
}

/// The one value of an expression.
fn first_value(scope: &mut Scope<'_>, node: Node<'_>) -> Option<Vec<u8>> {
    let values = scope.values(node, &mut Vec::new());
    values.first().and_then(Words::whole).map(<[u8]>::to_vec)
}

/// Returns the path of a namespace.
fn namespace_path(name: &[u8]) -> Vec<u8> {
    name.iter().map(|&b| if b == b'\\' { b'/' } else { b }).collect()
}

/// The file of a class below the directory of its prefix, as PSR-0 has it: underscores of its own name are directories.
pub(super) fn psr0(class: &[u8]) -> Vec<u8> {
    let name = class.iter().rposition(|&b| b == b'\\').map_or(0, |at| at + 1);
    let mut path = namespace_path(&class[..name]);
    path.extend(class[name..].iter().map(|&b| if b == b'_' { b'/' } else { b }));
    path.extend_from_slice(b".php");
    path
}

/// The same path with a source's extension.
pub(super) fn php(path: &RootPath) -> RootPath {
    RootPath::new([path.as_bytes(), b".php"].concat())
}

/// The directories of the packages that `installed.json`, which stands at `file`, has for production.
pub(super) fn packages(file: &RootPath, source: &[u8]) -> Vec<RootPath> {
    let Ok(document) = serde_json::from_slice::<Value>(source) else {
        return Vec::new();
    };
    let directory = file.parent().unwrap_or_else(RootPath::root);
    let strings = |value: &Value| -> BTreeSet<String> {
        let array = value.as_array().into_iter().flatten();
        array
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let development = strings(&document["dev-package-names"]);
    // Composer 1 wrote the list alone.
    let list = document["packages"].as_array().or(document.as_array());
    let mut found = Vec::new();
    for package in list.into_iter().flatten().take(MAX_PACKAGES) {
        let Some(name) = package["name"]
            .as_str()
            .filter(|name| !development.contains(*name))
        else {
            continue;
        };
        let path = package["install-path"].as_str();
        let path = path.map_or_else(|| format!("../{name}"), str::to_owned);
        found.push(directory.join(path));
    }
    found
}
