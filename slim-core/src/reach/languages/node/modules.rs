//! How Node.js finds a module: relative files, directories, `node_modules`, `exports` and `imports`.
//!
//! After Node's documentation, "Modules: CommonJS modules", "Modules: ECMAScript modules" and "Modules: Packages".
//! Loaders are not told apart: a specifier leads to all that either of them, under any condition that Node
//! itself sets, may select.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::image::Resolved;
use crate::path::RootPath;
use crate::reach::context::Context;
use crate::reach::walk::with_ancestors;

/// The largest number of bytes of a package.json that are read.
const MAX_MANIFEST: u64 = 1 << 20;
/// The largest number of entries of `exports` that one name known in part stands for.
const MAX_EXPORTS: usize = 2000;
/// The part of a name that is known only when the program runs: no file's name has it.
const UNKNOWN: char = '\0';
/// The largest number of targets that one entry of `exports` gives.
const MAX_TARGETS: usize = 64;
/// The largest number of dependencies that one package has.
const MAX_DEPENDENCIES: usize = 2000;
/// The extensions that are tried for a name without one, in this order; the last two for sources that a loader
/// compiles.
const EXTENSIONS: [&[u8]; 5] = [b".js", b".json", b".node", b".mjs", b".cjs"];
/// The conditions that Node itself sets.
const CONDITIONS: [&str; 6] = [
    "default",
    "import",
    "module-sync",
    "node",
    "node-addons",
    "require",
];
/// Modules that are built in (`module.builtinModules`); those with a `/` have one of these before it.
const BUILT_IN: [&[u8]; 42] = [
    b"assert",
    b"async_hooks",
    b"buffer",
    b"child_process",
    b"cluster",
    b"console",
    b"constants",
    b"crypto",
    b"dgram",
    b"diagnostics_channel",
    b"dns",
    b"domain",
    b"events",
    b"fs",
    b"http",
    b"http2",
    b"https",
    b"inspector",
    b"module",
    b"net",
    b"os",
    b"path",
    b"perf_hooks",
    b"process",
    b"punycode",
    b"querystring",
    b"readline",
    b"repl",
    b"stream",
    b"string_decoder",
    b"sys",
    b"timers",
    b"tls",
    b"trace_events",
    b"tty",
    b"url",
    b"util",
    b"v8",
    b"vm",
    b"wasi",
    b"worker_threads",
    b"zlib",
];

/// The fields of a package.json that are of use; those of a malformed one are empty.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    name: String,
    main: String,
    exports: Value,
    imports: Value,
    /// `dependencies` and `optionalDependencies`.
    pub(super) dependencies: Vec<String>,
    /// `devDependencies` that are no dependencies.
    pub(super) development: Vec<String>,
    /// `peerDependencies` and those of `peerDependenciesMeta`.
    pub(super) peers: Vec<String>,
}

impl Manifest {
    fn parse(bytes: &[u8]) -> Self {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else {
            return Self::default();
        };
        let text = |fields: &Map<String, Value>, key: &str| {
            fields
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let names = |fields: &Map<String, Value>, keys: [&str; 2]| {
            let maps = keys
                .iter()
                .filter_map(|key| fields.get(*key).and_then(Value::as_object));
            let mut names: Vec<String> = maps.flat_map(Map::keys).take(MAX_DEPENDENCIES).cloned().collect();
            names.sort();
            names.dedup();
            names
        };
        let dependencies = names(&fields, ["dependencies", "optionalDependencies"]);
        let mut development = names(&fields, ["devDependencies", "devDependencies"]);
        development.retain(|name| !dependencies.contains(name));
        Self {
            name: text(&fields, "name"),
            main: text(&fields, "main"),
            dependencies,
            development,
            peers: names(&fields, ["peerDependencies", "peerDependenciesMeta"]),
            exports: fields.remove("exports").unwrap_or_default(),
            imports: fields.remove("imports").unwrap_or_default(),
        }
    }
}

/// The modules of an image.
pub(super) struct Modules<'a> {
    context: &'a Context<'a>,
    /// Directories in which names are looked up that no `node_modules` has.
    global: Vec<RootPath>,
    manifests: Mutex<BTreeMap<RootPath, Arc<Manifest>>>,
}

impl<'a> Modules<'a> {
    /// The modules that programs find with the environment of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let environment = context.environment;
        let mut global: Vec<RootPath> = environment
            .get("NODE_PATH")
            .unwrap_or_default()
            .split(':')
            .filter(|path| !path.is_empty())
            .map(|path| environment.workdir.join(path))
            .collect();
        let home = RootPath::new(environment.get("HOME").unwrap_or("/root"));
        global.extend([home.join(".node_modules"), home.join(".node_libraries")]);
        let triplet = match context.config.architecture() {
            "arm64" => "/usr/lib/aarch64-linux-gnu/nodejs",
            _ => "/usr/lib/x86_64-linux-gnu/nodejs",
        };
        // Debian's Node looks into the first three, and `npm install -g` writes to the others.
        let fixed = [
            triplet,
            "/usr/share/nodejs",
            "/usr/lib/nodejs",
            "/usr/local/lib/node",
            "/usr/local/lib/node_modules",
            "/usr/lib/node_modules",
        ];
        global.extend(fixed.map(RootPath::new));
        Self {
            context,
            global,
            manifests: Mutex::default(),
        }
    }

    /// The root of the package that `path` belongs to, if that stands where packages are installed: directly, or in
    /// a scope, in a `node_modules` or one of the directories of the whole system.
    pub(super) fn package(&self, path: &RootPath) -> Option<RootPath> {
        let mut root = None;
        let mut inner: Vec<RootPath> = Vec::new();
        for directory in path.ancestors() {
            let installs =
                directory.name() == Some(&b"node_modules"[..]) || self.global[..].contains(&directory);
            if installs {
                root = inner.pop();
                if root
                    .as_ref()
                    .and_then(RootPath::name)
                    .is_some_and(|n| n.starts_with(b"@"))
                {
                    root = inner.pop();
                }
                break;
            }
            inner.push(directory);
        }
        root
    }

    /// Returns whether `path` stands where packages are installed.
    pub(super) fn installed(&self, path: &RootPath) -> bool {
        path.components().any(|name| name == b"node_modules")
            || self.global.iter().any(|place| path.starts_with(place))
    }

    /// Returns the package.json files that decide what the source `path` is: every one above it within its package.
    pub(super) fn scopes(&self, path: &RootPath) -> Vec<Resolved> {
        let package = self.package(path);
        let mut found = Vec::new();
        for directory in path.ancestors() {
            if directory.name() == Some(&b"node_modules"[..]) {
                break;
            }
            found.extend(self.context.find_file(&directory, "package.json"));
            if package.as_ref() == Some(&directory) {
                break;
            }
        }
        found
    }

    /// The directory of the nearest package.json above `path`, and what it says.
    pub(super) fn scope(&self, path: &RootPath) -> Option<(RootPath, Arc<Manifest>)> {
        let nearest = self.scopes(path).into_iter().next()?;
        let directory = nearest.path.parent()?;
        Some((directory, self.manifest(&nearest.path)))
    }

    /// Returns the package.json at `path`, parsed once.
    pub(super) fn manifest(&self, path: &RootPath) -> Arc<Manifest> {
        let manifests = || self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manifest) = manifests().get(path) {
            return manifest.clone();
        }
        let bytes = self.context.rootfs.read(path, MAX_MANIFEST).unwrap_or_default();
        let manifest = Arc::new(Manifest::parse(&bytes));
        manifests().insert(path.clone(), manifest.clone());
        manifest
    }

    /// Returns what `specifier`, named by a source at `from`, leads to: modules, and the package.json files that say
    /// so.
    pub(super) fn resolve(&self, from: &RootPath, specifier: &[u8]) -> Vec<Resolved> {
        let Some(directory) = from.parent() else {
            return Vec::new();
        };
        let specifier = specifier.strip_prefix(b"file://").unwrap_or(specifier);
        if specifier.is_empty() || specifier.contains(&0) {
            Vec::new()
        } else if is_path(specifier) {
            self.at(&directory, specifier)
        } else if specifier.starts_with(b"#") {
            self.internal(from, specifier)
        } else {
            self.bare(from, &directory, specifier)
        }
    }

    /// Returns a file, one with an extension added, or a directory's module.
    pub(super) fn at(&self, base: &RootPath, path: &[u8]) -> Vec<Resolved> {
        let directory_only =
            path.ends_with(b"/") || path.ends_with(b"/.") || path.ends_with(b"..") || path == b".";
        if !directory_only && let Some(file) = self.file(base, path) {
            return vec![file];
        }
        let Some(directory) = self.context.find_directory(base, path) else {
            return Vec::new();
        };
        let mut found = self.main(&directory.path);
        if let Some(first) = found.first_mut() {
            first.links.splice(0..0, directory.links);
        }
        found
    }

    fn file(&self, base: &RootPath, path: &[u8]) -> Option<Resolved> {
        self.context.find_file(base, path).or_else(|| {
            let with = |extension: &&[u8]| self.context.find_file(base, [path, extension].concat());
            EXTENSIONS.iter().find_map(with)
        })
    }

    /// Returns a directory's module: `main` of package.json, or `index`.
    fn main(&self, directory: &RootPath) -> Vec<Resolved> {
        let mut found = Vec::new();
        if let Some(manifest) = self.context.find_file(directory, "package.json") {
            let main = &self.manifest(&manifest.path).main;
            found.push(manifest);
            if !main.is_empty() {
                let inner = [main.as_bytes(), b"/index"].concat();
                // A main that starts with a slash is below the package all the same.
                let of = |path: &[u8]| {
                    self.file(
                        directory,
                        path.trim_ascii_start().strip_prefix(b"/").unwrap_or(path),
                    )
                };
                if let Some(file) = of(main.as_bytes()).or_else(|| of(&inner)) {
                    found.push(file);
                    return found;
                }
            }
        }
        found.extend(self.file(directory, b"index"));
        found
    }

    /// Returns a package by name: the one that names it, one in a `node_modules` above, or one of the system.
    fn bare(&self, from: &RootPath, directory: &RootPath, specifier: &[u8]) -> Vec<Resolved> {
        let first = specifier.split(|&b| b == b'/').next().unwrap_or_default();
        // `punycode/` with the slash is the package.
        let module = specifier.strip_suffix(b"/").unwrap_or(specifier);
        if specifier.starts_with(b"node:") || (BUILT_IN.contains(&first) && module == specifier) {
            return Vec::new();
        }
        let Some((name, inner)) = split(module) else {
            return Vec::new();
        };
        if let Some((scope, manifest)) = self.scope(from)
            && manifest.name.as_bytes() == name
            && !manifest.exports.is_null()
        {
            let found = self.exported(&scope, &manifest, inner);
            if !found.is_empty() {
                return found;
            }
        }
        let local = with_ancestors(directory)
            .filter(|above| above.name() != Some(b"node_modules"))
            .map(|above| above.child(b"node_modules"));
        for place in local.chain(self.global.iter().cloned()) {
            let found = self.installed_as(&place, name, inner);
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The package `name` of the directory `place`, and its module `inner`.
    fn installed_as(&self, place: &RootPath, name: &[u8], inner: &[u8]) -> Vec<Resolved> {
        let Some(package) = self.context.find_directory(place, name) else {
            // Single files are modules too.
            return if inner.is_empty() {
                self.file(place, name).into_iter().collect()
            } else {
                Vec::new()
            };
        };
        let root = &package.path;
        let mut found = Vec::new();
        if let Some(manifest) = self.context.find_file(root, "package.json") {
            let parsed = self.manifest(&manifest.path);
            found.push(manifest);
            found.extend(self.exported(root, &parsed, inner));
        }
        // Also where `exports` leads nowhere: versions of Node that do not read it go this way.
        if found.len() < 2 {
            let path = if inner.is_empty() { &b"."[..] } else { inner };
            found.extend(self.at(root, path));
        }
        if let Some(first) = found.first_mut() {
            first.links.splice(0..0, package.links);
        }
        found
    }

    /// Returns what `exports` of the package at `root` gives for `inner` (empty for the package itself).
    fn exported(&self, root: &RootPath, manifest: &Manifest, inner: &[u8]) -> Vec<Resolved> {
        let key = if inner.is_empty() {
            ".".to_owned()
        } else {
            format!("./{}", String::from_utf8_lossy(inner))
        };
        let targets = match &manifest.exports {
            Value::Object(map) if map.keys().any(|key| key.starts_with('.')) => matched(map, &key),
            exports if inner.is_empty() => select(exports, ""),
            _ => Vec::new(),
        };
        let files = targets.iter().filter(|target| is_inside(target));
        files
            .filter_map(|target| self.context.find_file(root, target.as_bytes()))
            .collect()
    }

    /// Returns where a name in the package at `root` leads that is known to begin with `inner` and a slash: the directory
    /// there, and what `exports` gives for such a name; none if there is neither.
    pub(super) fn below(&self, root: &RootPath, inner: &[u8]) -> Option<Below> {
        let mut below = Below::default();
        let path = if inner.is_empty() { &b"."[..] } else { inner };
        below.directories.extend(self.context.find_directory(root, path));
        let manifest = self.context.find_file(root, "package.json");
        let manifest = manifest.map(|manifest| self.manifest(&manifest.path));
        if let Some(Value::Object(map)) = manifest.as_ref().map(|manifest| &manifest.exports)
            && !inner.is_empty()
        {
            let start = format!("./{}/", String::from_utf8_lossy(inner));
            for target in matched(map, &format!("{start}{UNKNOWN}")) {
                let known = target.split(UNKNOWN).next().unwrap_or_default();
                let directory = known.rfind('/').map_or("", |slash| &known[..slash]);
                if is_inside(&target) {
                    below
                        .directories
                        .extend(self.context.find_directory(root, directory.as_bytes()));
                }
            }
            let named = map
                .iter()
                .filter(|(key, _)| key.starts_with(&start) && !key.contains('*'));
            let targets = named.take(MAX_EXPORTS).flat_map(|(_, target)| select(target, ""));
            let targets = targets.filter(|target| is_inside(target));
            below
                .files
                .extend(targets.filter_map(|target| self.context.find_file(root, target.as_bytes())));
        }
        (!below.directories.is_empty() || !below.files.is_empty()).then_some(below)
    }

    /// Returns what `imports` of the nearest package.json gives for `#name`.
    fn internal(&self, from: &RootPath, specifier: &[u8]) -> Vec<Resolved> {
        let Some((root, manifest)) = self.scope(from) else {
            return Vec::new();
        };
        let Value::Object(map) = &manifest.imports else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for target in matched(map, &String::from_utf8_lossy(specifier)) {
            if target.starts_with("./") {
                found.extend(self.context.find_file(&root, target.as_bytes()));
            } else if !target.starts_with(['#', '.', '/']) {
                found.extend(self.bare(from, &root, target.as_bytes()));
            }
        }
        found
    }
}

/// Where a name that is known in part leads in a package.
#[derive(Default)]
pub(super) struct Below {
    /// The directories of which it names a file.
    pub(super) directories: Vec<Resolved>,
    /// The files that the package exports one by one.
    pub(super) files: Vec<Resolved>,
}

/// Returns whether a target of `exports` is a path in its package.
fn is_inside(target: &str) -> bool {
    target.starts_with("./") && !target.split('/').any(|name| name == "..")
}

/// Returns whether a specifier is a path and no name.
pub(super) fn is_path(specifier: &[u8]) -> bool {
    specifier.starts_with(b"/")
        || specifier.starts_with(b"./")
        || specifier.starts_with(b"../")
        || matches!(specifier, b"." | b"..")
}

/// Returns a package's name, scope included, and the module in it; none if that is no name of a package.
pub(super) fn split(specifier: &[u8]) -> Option<(&[u8], &[u8])> {
    let slashes = usize::from(specifier.starts_with(b"@")) + 1;
    let mut ends = specifier.iter().enumerate().filter(|(_, b)| **b == b'/');
    let end = ends.nth(slashes - 1).map_or(specifier.len(), |(at, _)| at);
    let (name, inner) = specifier.split_at(end);
    let named =
        !name.is_empty() && !name.starts_with(b".") && !name.split(|&b| b == b'/').any(<[u8]>::is_empty);
    named.then(|| (name, inner.strip_prefix(b"/").unwrap_or_default()))
}

/// The targets of the entry of `exports` or `imports` that `key` matches best: itself, or the longest pattern.
fn matched(map: &Map<String, Value>, key: &str) -> Vec<String> {
    if let Some(target) = map.get(key) {
        return select(target, "");
    }
    let pattern = |(pattern, target): (&'_ String, &'_ Value)| -> Option<(usize, String, Value)> {
        let (before, after) = match pattern.split_once('*') {
            Some(parts) => parts,
            // `"./lib/": "./lib/"` of older packages stands for what is below.
            None if pattern.ends_with('/') => (pattern.as_str(), ""),
            None => return None,
        };
        let star = key.strip_prefix(before)?.strip_suffix(after)?;
        (!star.is_empty()).then(|| (before.len(), star.to_owned(), target.clone()))
    };
    let best = map.iter().filter_map(pattern).max_by_key(|(length, ..)| *length);
    best.map(|(_, star, target)| select(&target, &star))
        .unwrap_or_default()
}

/// The targets that Node's conditions can select, with `star` for `*` (behind a folder's slash).
fn select(target: &Value, star: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut todo = vec![target];
    while let Some(target) = todo.pop() {
        match target {
            Value::String(text) if targets.len() < MAX_TARGETS => {
                targets.push(if text.ends_with('/') {
                    format!("{text}{star}")
                } else {
                    text.replace('*', star)
                });
            }
            Value::Array(all) => todo.extend(all.iter().rev()),
            Value::Object(conditions) => {
                let known = conditions
                    .iter()
                    .filter(|(key, _)| CONDITIONS.contains(&key.as_str()));
                let known: Vec<&Value> = known.map(|(_, target)| target).collect();
                todo.extend(known.into_iter().rev());
            }
            _ => {}
        }
    }
    targets
}
