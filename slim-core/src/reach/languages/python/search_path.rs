//! Where Python looks for modules: the installed interpreters' standard libraries, site directories, virtual
//! environments and what `.pth` files add (the documentation of `sys.path`, `site` and `venv`).

use std::collections::{BTreeMap, BTreeSet};

use crate::path::RootPath;
use crate::reach::context::Context;

/// The largest number of bytes of a `.pth` or `pyvenv.cfg` that are read, and as many lines.
const MAX_SITE_FILE: u64 = 64 << 10;
const MAX_SITE_LINES: usize = 1000;
/// The largest number of directories that a search path has.
const MAX_DIRECTORIES: usize = 200;
/// The largest number of names that stand between dots.
const MAX_NAMES: usize = 32;

/// An interpreter with what it finds: an installation, or a virtual environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// The directory that holds `bin` and `lib`.
    pub(super) prefix: Option<RootPath>,
    /// `3.11`.
    pub(super) version: String,
    /// The standard library and its extension modules.
    pub(super) standard: Vec<RootPath>,
    /// Site directories and what their `.pth` files add.
    pub(super) sites: Vec<RootPath>,
    /// True if this is a virtual environment.
    pub(super) is_virtual: bool,
}

/// The Pythons of an image.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Installations and virtual environments, sorted by prefix.
    pub(super) environments: Vec<Environment>,
    /// Every directory named `site-packages` or `dist-packages`, and those of `.pth` files.
    pub(super) sites: BTreeSet<RootPath>,
    /// Standard libraries.
    pub(super) standard: BTreeSet<RootPath>,
    /// Extension modules by their directory and name without suffixes.
    extensions: BTreeMap<RootPath, Vec<RootPath>>,
    /// Compiled modules in `__pycache__` by the path of their source without its suffix.
    compiled: BTreeMap<RootPath, Vec<RootPath>>,
}

impl Search {
    /// Finds Pythons in the image.
    pub(super) fn read(context: &Context<'_>) -> Self {
        let mut search = Self::default();
        let mut configured = Vec::new();
        for (path, entry) in context.rootfs.iter() {
            let Some(name) = path.name() else { continue };
            let parent = || path.parent().unwrap_or_else(RootPath::root);
            if entry.is_dir() && matches!(name, b"site-packages" | b"dist-packages") {
                search.sites.insert(path.clone());
            } else if entry.is_dir() {
            } else if name == b"pyvenv.cfg" {
                configured.push(parent());
            } else if matches!(name, b"os.py" | b"os.pyc") && version(&parent()).is_some() {
                search.standard.insert(parent());
            } else if name.ends_with(b".so") {
                let stem = name.split(|&b| b == b'.').next().unwrap_or_default();
                let key = parent().child(stem);
                search.extensions.entry(key).or_default().push(path.clone());
            } else if name.ends_with(b".pyc") && parent().name() == Some(b"__pycache__") {
                let stem = name.split(|&b| b == b'.').next().unwrap_or_default();
                if let Some(directory) = parent().parent() {
                    let key = directory.child(stem);
                    search.compiled.entry(key).or_default().push(path.clone());
                }
            }
        }
        search.installations(context);
        search.virtual_environments(context, &configured);
        for environment in &mut search.environments {
            add_pth(context, &mut environment.sites);
            search.sites.extend(environment.sites.iter().cloned());
        }
        search
    }

    /// Adds an installation for every standard library: `PREFIX/lib/pythonX.Y`.
    fn installations(&mut self, context: &Context<'_>) {
        for standard in &self.standard {
            let (Some(version), Some(lib)) = (version(standard), standard.parent()) else {
                continue;
            };
            let prefix = lib.parent().unwrap_or_else(RootPath::root);
            let major = version.split('.').next().unwrap_or_default().to_owned();
            // Debian's own interpreter looks in /usr/local too, and shares the modules of one major version.
            let sites = [
                prefix.join(format!("local/lib/python{version}/dist-packages")),
                standard.child(b"site-packages"),
                standard.child(b"dist-packages"),
                lib.join(format!("python{major}/dist-packages")),
            ];
            let directories = |paths: &[RootPath]| -> Vec<RootPath> {
                let found = paths.iter().filter_map(|path| context.find_directory(path, b"."));
                found.map(|found| found.path).collect()
            };
            self.environments.push(Environment {
                prefix: Some(prefix),
                version,
                standard: directories(&[standard.clone(), standard.child(b"lib-dynload")]),
                sites: directories(&sites),
                is_virtual: false,
            });
        }
    }

    /// Adds an environment for every `pyvenv.cfg` with site directories of its own.
    fn virtual_environments(&mut self, context: &Context<'_>, configured: &[RootPath]) {
        let mut found = Vec::new();
        for prefix in configured {
            let file = prefix.child(b"pyvenv.cfg");
            let text = context.rootfs.read(&file, MAX_SITE_FILE).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let value = |key: &str| {
                let mut lines = text
                    .lines()
                    .take(MAX_SITE_LINES)
                    .filter_map(|line| line.split_once('='));
                lines.find_map(|(name, value)| (name.trim() == key).then(|| value.trim().to_owned()))
            };
            let home = value("home").map(|home| RootPath::new(home.as_bytes()));
            let base = home.and_then(|home| home.parent());
            let system =
                value("include-system-site-packages").is_some_and(|v| v.eq_ignore_ascii_case("true"));
            let lib = prefix.child(b"lib");
            for site in self.sites.iter().filter(|site| site.starts_with(&lib)) {
                let Some(version) = site.parent().as_ref().and_then(self::version) else {
                    continue;
                };
                if site.components().count() != prefix.components().count() + 3 {
                    continue;
                }
                let installed = |e: &&Environment| e.version == version;
                let of_home = self
                    .environments
                    .iter()
                    .filter(installed)
                    .find(|e| e.prefix == base);
                let of_version = of_home.or_else(|| self.environments.iter().find(installed));
                let mut sites = vec![site.clone()];
                if let Some(base) = of_version.filter(|_| system) {
                    sites.extend(base.sites.iter().cloned());
                }
                found.push(Environment {
                    prefix: Some(prefix.clone()),
                    standard: of_version.map(|base| base.standard.clone()).unwrap_or_default(),
                    version,
                    sites,
                    is_virtual: true,
                });
            }
        }
        self.environments.extend(found);
    }

    /// The compiled modules of a source.
    pub(super) fn compiled(&self, source: &RootPath) -> &[RootPath] {
        self.compiled
            .get(&without_suffix(source))
            .map_or(&[], Vec::as_slice)
    }

    /// The site directory or standard library that `path` stands in, the deepest one.
    pub(super) fn library(&self, path: &RootPath) -> Option<RootPath> {
        path.ancestors()
            .find(|directory| self.sites.contains(directory) || self.standard.contains(directory))
    }

    /// Returns what `import NAMES` loads along `directories`: the files of the module and of the packages around it,
    /// and how many of the names lead somewhere.
    ///
    /// As `importlib`'s path finder: in each directory a package, an extension module, a source, a compiled module; a
    /// directory without `__init__` is a portion of a namespace package if there is nothing else of the name.
    pub(super) fn find(
        &self,
        context: &Context<'_>,
        directories: &[RootPath],
        version: &str,
        names: &str,
    ) -> Found {
        let mut found = Found::default();
        let mut directories = directories.to_vec();
        for name in names.split('.').take(MAX_NAMES) {
            if name.is_empty() {
                break;
            }
            let mut inside = Vec::new();
            let mut module = Vec::new();
            for directory in &directories {
                let path = directory.child(name.as_bytes());
                let Some(entry) = context.rootfs.get(&path) else {
                    if module.is_empty() {
                        module = self.module(context, &path, version);
                        if !module.is_empty() {
                            break;
                        }
                    }
                    continue;
                };
                let package = if entry.is_dir() {
                    Some(path.clone())
                } else if entry.is_symlink() {
                    context.find_directory(&path, b".").map(|found| found.path)
                } else {
                    None
                };
                if let Some(package) = package {
                    let mut files = self.module(context, &package.child(b"__init__"), version);
                    if !files.is_empty() {
                        if package != path {
                            files.push(path);
                        }
                        module = files;
                        inside.insert(0, package);
                        break;
                    }
                    inside.push(package);
                }
                module = self.module(context, &path, version);
                if !module.is_empty() {
                    inside.clear();
                    break;
                }
            }
            if module.is_empty() && inside.is_empty() {
                return found;
            }
            found.directories.clone_from(&inside);
            found.files.extend(module);
            found.names += 1;
            directories = inside;
        }
        found.complete = found.names == names.split('.').count();
        found
    }

    /// The files of the module at `path`, which has no suffix yet: all that the interpreter may choose from.
    fn module(&self, context: &Context<'_>, path: &RootPath, version: &str) -> Vec<RootPath> {
        let digits = version.replace('.', "");
        let extensions = self.extensions.get(path).map_or(&[][..], Vec::as_slice);
        let fits = |file: &&RootPath| {
            let name = file.name().unwrap_or_default();
            let mut tags = name.split(|&b| b == b'.').skip(1);
            match tags.next().unwrap_or_default() {
                b"so" | b"abi3" => true,
                tag => match tag.strip_prefix(b"cpython-") {
                    Some(tag) => {
                        digits.is_empty() || tag.split(|&b| b == b'-').next() == Some(digits.as_bytes())
                    }
                    None => tag.starts_with(b"pypy"),
                },
            }
        };
        let mut files: Vec<RootPath> = extensions.iter().filter(fits).cloned().collect();
        for suffix in [&b".py"[..], b".pyc"] {
            let mut file = path.as_bytes().to_vec();
            file.extend_from_slice(suffix);
            let file = RootPath::new(file);
            if context.rootfs.get(&file).is_some_and(|entry| !entry.is_dir()) {
                files.push(file);
                break;
            }
        }
        files
    }
}

/// The result of a look-up of an import.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The files to keep, outermost package first.
    pub(super) files: Vec<RootPath>,
    /// Number of names that lead somewhere.
    pub(super) names: usize,
    /// True if all do.
    pub(super) complete: bool,
    /// The directories of the package that the last name stands for.
    pub(super) directories: Vec<RootPath>,
}

/// Returns `X.Y` of a directory `pythonX.Y`.
fn version(directory: &RootPath) -> Option<String> {
    let version = directory.name()?.strip_prefix(b"python").or_else(|| {
        directory
            .name()
            .and_then(|name| name.strip_prefix(b"pypy".as_slice()))
    })?;
    let version = std::str::from_utf8(version).ok()?;
    let (major, minor) = version.split_once('.')?;
    let number = |text: &str| !text.is_empty() && text.len() < 4 && text.bytes().all(|b| b.is_ascii_digit());
    (number(major) && number(minor)).then(|| version.to_owned())
}

/// Returns `/a/b` of `/a/b.py`.
fn without_suffix(path: &RootPath) -> RootPath {
    match path.extension() {
        Some(extension) => {
            let bytes = path.as_bytes();
            RootPath::new(&bytes[..bytes.len() - extension.len() - 1])
        }
        None => path.clone(),
    }
}

/// Adds the directories that `.pth` files of `sites` name, each one once.
fn add_pth(context: &Context<'_>, sites: &mut Vec<RootPath>) {
    let mut added = Vec::new();
    for site in sites.iter() {
        let files = context
            .rootfs
            .children(site)
            .filter(|(path, entry)| entry.is_file() && path.extension() == Some(b"pth"));
        for (file, _) in files.take(MAX_DIRECTORIES) {
            let bytes = context.rootfs.read(file, MAX_SITE_FILE).unwrap_or_default();
            for line in bytes.split(|&b| b == b'\n').take(MAX_SITE_LINES) {
                let line = line.trim_ascii();
                if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"import") {
                    continue;
                }
                if let Some(found) = context.find_directory(site, line)
                    && !found.path.is_root()
                {
                    added.push(found.path);
                }
            }
        }
    }
    for directory in added {
        if sites.len() < MAX_DIRECTORIES && !sites.contains(&directory) {
            sites.push(directory);
        }
    }
}
