//! Java: the class path, and what a kept runtime loads by name.
//!
//! Followed: `Class-Path` in the manifest of a kept jar; the class path, module path and `-jar` that the image's config
//! names, with wildcards; the directory of an application's jar, and the root of the class path that a kept `.class`
//! stands below, where they are the application's own; the libraries in directories of `java.library.path` that the
//! config names (those of the system's directory for them are a family of `libjvm.so`); of a kept runtime its time
//! zones, security data, configuration and the libraries that its modules load by name (`profiles/reach/java.json`);
//! the libraries for images and fonts only from each other; all libraries of a runtime into which modules of the
//! application are linked, as its `release` says; programs that a class which starts some names in a string.
//! Not followed: what classes name otherwise, since jars and the
//! runtime's `modules` are kept whole.
//!
//! Sources: Oracle's "JAR File Specification" (`Class-Path`), the manual page of `java`, chapter 4 of the Java Virtual
//! Machine Specification (the layout of class files).

mod classes;

use std::collections::BTreeSet;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::sync::OnceLock;

use crate::image::Rootfs;
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind};
use crate::reach::application_directory;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file;
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::tables::{JavaFiles, Tables};
use classes::{References, parse_class_name};

/// Size of the largest jar whose manifest is read.
const MAX_JAR: u64 = 1 << 30;
/// The largest number of bytes of a manifest that are read.
const MAX_MANIFEST: u64 = 1 << 20;
/// The largest number of entries of a class path that are followed.
const MAX_CLASS_PATH: usize = 4096;
/// The largest number of entries of a runtime's directory that are looked at.
const MAX_ENTRIES: usize = 4096;
/// Number of bytes of a runtime's `release` that are read.
const MAX_RELEASE: u64 = 64 << 10;
/// The beginnings of the names of modules that builds of the JDK have.
const JDK_MODULES: [&[u8]; 4] = [b"java.", b"jdk.", b"javafx.", b"oracle."];
/// The largest number of directories between a runtime's home and its files.
const MAX_HOME: usize = 5;

/// Size of the largest jar that is read at once.
const MAX_AT_ONCE: u64 = 16 << 20;
/// Directories beside those of the architecture that a runtime searches for libraries.
const LIBRARIES: [&str; 4] = ["/usr/java/packages/lib", "/usr/lib/jni", "/usr/lib64", "/usr/lib"];

/// Java, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Java",
    sample: Sample {
        hostile: &["/app/app.jar", "/app/lib/b.jar"],
        fixed: &[
            ("/usr/lib/jvm/j/lib/server/libjvm.so", "elf"),
            ("/usr/lib/jvm/j/lib/modules", ""),
            ("/usr/lib/jvm/j/bin/java", "elf"),
        ],
    },
    resolver: |context| Box::new(Java::new(context)),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of Java.
pub(super) struct Java<'a> {
    context: &'a Context<'a>,
    /// The directories of runtimes; found when the first class is read.
    homes: OnceLock<Vec<RootPath>>,
}

impl<'a> Java<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let homes = OnceLock::new();
        Self { context, homes }
    }

    /// Returns the directories of the runtimes in the image.
    fn homes(&self) -> &[RootPath] {
        self.homes.get_or_init(|| {
            let machines = self.context.rootfs.iter();
            let machines =
                machines.filter(|(path, entry)| entry.is_file() && path.name() == Some(b"libjvm.so"));
            let homes: BTreeSet<RootPath> = machines.filter_map(|(path, _)| self.find_home(path)).collect();
            homes.into_iter().collect()
        })
    }

    /// Keeps what `references`, of the classes at `file`, load.
    fn keep_references(&self, needs: &mut Needs<'_>, file: &RootPath, references: &References) {
        let place = Place::in_file(file);
        if let Some(class) = &references.desktop {
            let cause = place.cause(EdgeKind::Dlopen, class);
            for directory in self.homes().iter().flat_map(library_directories) {
                // The others are kept from this one.
                if let Some(found) = self.context.find_file(&directory, "libawt.so") {
                    needs.follow(&found, &cause);
                }
            }
        }
        for program in &references.programs {
            self.context.keep_command(needs, program, place);
        }
        if references.libraries.is_empty() {
            return;
        }
        let mut directories = source_file::variable_directories(self.context, "LD_LIBRARY_PATH");
        directories.extend(file.parent());
        directories.extend(self.homes().iter().flat_map(library_directories));
        for architecture in source_file::library_architectures(self.context, "/usr/lib") {
            directories.extend([architecture.join("jni"), architecture]);
        }
        directories.extend(LIBRARIES.map(RootPath::new));
        for word in &references.libraries {
            let cause = place.cause(EdgeKind::Dlopen, &format!("loadLibrary {}", encode(word)));
            let names = [[b"lib", &word[..], b".so"].concat(), word.clone()];
            let names = if memchr::memmem::find(word, b".so").is_some() {
                &names[..]
            } else {
                &names[..1]
            };
            source_file::keep_first(self.context, needs, &directories, names, &cause);
        }
    }

    /// The runtime that `path` is a part of: its directory with `lib/modules`, or `lib/rt.jar` before Java 9.
    fn find_home(&self, path: &RootPath) -> Option<RootPath> {
        path.ancestors().take(MAX_HOME).find(|directory| {
            ["lib/modules", "lib/rt.jar"]
                .iter()
                .any(|file| self.context.find_file(directory, file).is_some())
        })
    }

    /// The files of a runtime at `home` that `groups` name.
    fn keep_runtime_files(
        &self,
        needs: &mut Needs<'_>,
        home: &RootPath,
        groups: &[JavaFiles],
        from: &RootPath,
        why: &str,
    ) {
        let cause = Place::in_file(from).cause(EdgeKind::Family, why);
        for group in groups {
            let Some(directory) = self.context.find_directory(home, &group.directory) else {
                continue;
            };
            let deep = group.names.iter().any(|name| name == "**");
            let mut seen = BTreeSet::new();
            let mut todo = vec![directory];
            let mut entries = 0;
            while let Some(directory) = todo.pop() {
                needs.follow(&directory, &cause);
                if !seen.insert(directory.path.clone()) {
                    continue;
                }
                for (path, entry) in self.context.rootfs.children(&directory.path) {
                    entries += 1;
                    if entries > MAX_ENTRIES {
                        break;
                    }
                    // Distributions link directories of configuration to /etc.
                    if let Some(inner) = self.context.find_directory(&directory.path, path.as_bytes()) {
                        todo.extend(deep.then_some(inner));
                    } else if !entry.is_dir() && (deep || is_name_listed(&group.names, path)) && path != from
                    {
                        needs.mark(path, cause.clone());
                    }
                }
            }
        }
    }

    /// Keeps the libraries of a runtime into which modules of an application are linked, which load them by name: nobody
    /// reads its `modules`.
    fn keep_linked_libraries(&self, needs: &mut Needs<'_>, home: &RootPath, from: &RootPath) {
        let Some(release) = self.context.find_file(home, "release") else {
            return;
        };
        let release = self
            .context
            .rootfs
            .read(&release.path, MAX_RELEASE)
            .unwrap_or_default();
        let Some(module) = linked_module(&release) else {
            return;
        };
        let cause =
            Place::in_file(from).cause(EdgeKind::Family, &format!("{} is linked into it", encode(module)));
        for directory in library_directories(home) {
            for (path, entry) in self.context.rootfs.children(&directory).take(MAX_ENTRIES) {
                let name = path.name().unwrap_or_default();
                if !entry.is_dir() && path != from && memchr::memmem::find(name, b".so").is_some() {
                    needs.mark(path, cause.clone());
                }
            }
        }
    }

    /// The entries of the class path that the image's config gives to a program.
    fn keep_configured_class_path(&self, needs: &mut Needs<'_>) {
        let config = self.context.config;
        let environment = self.context.environment;
        let variable = |name: &str| environment.get(name).map(str::to_owned).into_iter().collect();
        let commands: [(&str, Vec<String>); 4] = [
            ("ENTRYPOINT", [config.entrypoint(), config.cmd()].concat()),
            ("CMD", config.cmd()),
            ("ENV", variable("JAVA_TOOL_OPTIONS")),
            ("ENV", variable("JDK_JAVA_OPTIONS")),
        ];
        for (instruction, words) in commands {
            let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
            let instruction = instruction.to_owned();
            for (number, word) in words.iter().enumerate() {
                let (flag, value) = match word.split_once('=') {
                    Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
                    _ => (*word, words.get(number + 1).copied()),
                };
                let path = matches!(
                    flag,
                    "-cp" | "-classpath" | "--class-path" | "-p" | "--module-path" | "-jar"
                );
                if let Some(value) = word.strip_prefix("-Djava.library.path=") {
                    for directory in value.split(':').filter(|directory| !directory.is_empty()) {
                        self.keep_native_libraries(needs, directory, &instruction);
                    }
                } else if let Some(value) = value.filter(|_| path) {
                    let modules = matches!(flag, "-p" | "--module-path");
                    let cause = Cause::Config {
                        instruction: instruction.clone(),
                    };
                    self.keep_class_path(needs, value.trim_matches(['"', '\'']), modules, &cause);
                }
            }
        }
        if let Some(value) = environment.get("CLASSPATH") {
            let instruction = "ENV".to_owned();
            self.keep_class_path(needs, value, false, &Cause::Config { instruction });
        }
    }

    /// Keeps the libraries in a directory of `java.library.path`, which classes load by name.
    fn keep_native_libraries(&self, needs: &mut Needs<'_>, directory: &str, instruction: &str) {
        let workdir = &self.context.environment.workdir;
        let Some(found) = self.context.find_directory(workdir, directory) else {
            return;
        };
        let cause = Cause::Config {
            instruction: instruction.to_owned(),
        };
        needs.follow(&found, &cause);
        // Where the system's libraries are, they are found by those that need them.
        if application_directory::may_be_own(self.context, &found.path) {
            for (path, entry) in self.context.rootfs.children(&found.path).take(MAX_ENTRIES) {
                let name = path.name().unwrap_or_default();
                if !entry.is_dir() && memchr::memmem::find(name, b".so").is_some() {
                    needs.mark(path, cause.clone());
                }
            }
        }
    }

    fn keep_class_path(&self, needs: &mut Needs<'_>, value: &str, modules: bool, cause: &Cause) {
        let workdir = &self.context.environment.workdir;
        for entry in value
            .split(':')
            .filter(|entry| !entry.is_empty())
            .take(MAX_CLASS_PATH)
        {
            let (directory, jars) = match entry.strip_suffix('*') {
                Some(directory) => (if directory.is_empty() { "." } else { directory }, true),
                None => (entry, modules),
            };
            if let Some(file) = self.context.find_file(workdir, entry) {
                needs.follow(&file, cause);
            } else if let Some(found) = self.context.find_directory(workdir, directory) {
                if jars {
                    let entries = self.context.rootfs.children(&found.path).take(MAX_CLASS_PATH);
                    for (path, _) in entries.filter(|(path, entry)| !entry.is_dir() && is_jar(path)) {
                        needs.mark(path, cause.clone());
                    }
                    needs.follow(&found, cause);
                } else {
                    application_directory::keep(self.context, needs, &found.path, cause);
                }
            }
        }
    }

    /// Keeps what the manifest of the jar `node` names, and its directory.
    fn keep_jar_references(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(directory) = node.path.parent() else {
            return Ok(());
        };
        if self.find_home(node.path).is_some() {
            return Ok(());
        }
        let place = Place::in_file(node.path);
        let cause = place.cause(EdgeKind::Own, "the directory of a jar");
        application_directory::keep(self.context, needs, &directory, &cause);
        let (rootfs, size) = (self.context.rootfs, node.entry.size());
        let mut references = References::default();
        let desktop = &Tables::built_in().java.desktop;
        let cancel = self.context.cancel;
        if size <= MAX_AT_ONCE {
            references.add_archive(Cursor::new(rootfs.read(node.path, size)?), desktop, cancel);
        } else if let Some(bytes) = open_jar(rootfs, node.path, size) {
            references.add_archive(bytes, desktop, cancel);
        }
        self.keep_references(needs, node.path, &references);
        let manifest = read_manifest(rootfs, node.path, size);
        for entry in manifest.as_deref().map(parse_class_path).unwrap_or_default() {
            let cause = place.cause(EdgeKind::Import, &format!("Class-Path: {}", encode(&entry)));
            if let Some(file) = self.context.find_file(&directory, &entry) {
                needs.follow(&file, &cause);
            } else if entry.ends_with(b"/")
                && let Some(found) = self.context.find_directory(&directory, &entry)
            {
                application_directory::keep(self.context, needs, &found.path, &cause);
            }
        }
        Ok(())
    }

    /// Keeps what the class file `node` names, and the root of the class path below which it stands.
    fn keep_class_root(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let bytes = node.source()?;
        let mut references = References::default();
        references.add_class(bytes, &Tables::built_in().java.desktop);
        self.keep_references(needs, node.path, &references);
        let Some(mut name) = parse_class_name(bytes) else {
            return Ok(());
        };
        name.extend_from_slice(b".class");
        let names: Vec<&[u8]> = name.split(|&b| b == b'/').collect();
        let stands = node
            .path
            .components()
            .rev()
            .zip(names.iter().rev())
            .all(|(a, b)| a == *b);
        let root = node.path.ancestors().nth(names.len() - 1);
        if let Some(root) = root.filter(|_| stands) {
            let cause = Place::in_file(node.path).cause(EdgeKind::Own, "the class path it stands on");
            application_directory::keep(self.context, needs, &root, &cause);
        }
        Ok(())
    }
}

impl Resolver for Java<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() {
            return Ok(());
        }
        let tables = &Tables::built_in().java;
        let name = node.path.name().unwrap_or_default();
        if matches!(name, b"libjvm.so" | b"java" | b"modules" | b"rt.jar") {
            if let Some(home) = self.find_home(node.path) {
                self.keep_runtime_files(
                    needs,
                    &home,
                    &tables.runtime,
                    node.path,
                    "the Java runtime reads it by name",
                );
                self.keep_linked_libraries(needs, &home, node.path);
                self.keep_configured_class_path(needs);
            }
        } else if is_name_listed(&tables.desktop.libraries, node.path) {
            if let (Some(home), Some(directory)) = (self.find_home(node.path), node.path.parent()) {
                let why = "Java's libraries for images and fonts load each other";
                for (path, _) in self.context.rootfs.children(&directory).take(MAX_ENTRIES) {
                    if is_name_listed(&tables.desktop.libraries, path) {
                        needs.mark_edge(path, EdgeKind::Family, node.path, Some(why.to_owned()));
                    }
                }
                self.keep_runtime_files(needs, &home, &tables.desktop.data, node.path, why);
            }
        } else if is_jar(node.path) {
            self.keep_jar_references(node, needs)?;
        } else if node.path.extension() == Some(b"class") {
            self.keep_class_root(node, needs)?;
        }
        Ok(())
    }
}

/// Returns the first of the modules that a runtime's `release` names (`MODULES="java.base org.example"`) which is not the
/// JDK's own.
fn linked_module(release: &[u8]) -> Option<&[u8]> {
    let mut lines = release.split(|&b| b == b'\n');
    let modules = lines.find_map(|line| line.strip_prefix(b"MODULES="))?;
    let mut names = modules.split(|b| b.is_ascii_whitespace() || *b == b'"');
    names.find(|name| !name.is_empty() && !JDK_MODULES.iter().any(|start| name.starts_with(start)))
}

fn is_jar(path: &RootPath) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(b"jar") || extension == b"war")
}

/// Returns whether the name of `path` is one of `names`, of which each may have a `*`.
fn is_name_listed(names: &[String], path: &RootPath) -> bool {
    let name = path.name().unwrap_or_default();
    names.iter().any(|pattern| match pattern.split_once('*') {
        Some((start, end)) => {
            name.len() >= start.len() + end.len()
                && name.starts_with(start.as_bytes())
                && name.ends_with(end.as_bytes())
        }
        None => name == pattern.as_bytes(),
    })
}

/// A file of the image that is read where a zip archive's directory says.
struct Bytes<'a> {
    rootfs: &'a Rootfs,
    path: &'a RootPath,
    size: u64,
    at: u64,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.rootfs.read_at(self.path, self.at, buffer.len())?;
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Bytes<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Returns the bytes of the jar at `path`; none of one that is too large.
fn open_jar<'a>(rootfs: &'a Rootfs, path: &'a RootPath, size: u64) -> Option<BufReader<Bytes<'a>>> {
    let bytes = Bytes {
        rootfs,
        path,
        size,
        at: 0,
    };
    (size <= MAX_JAR).then(|| BufReader::with_capacity(1 << 16, bytes))
}

/// The directories of the libraries of the runtime at `home`.
fn library_directories(home: &RootPath) -> [RootPath; 2] {
    ["lib", "lib/amd64"].map(|name| home.join(name))
}

/// The manifest of the jar at `path`; none if that is no archive or has none.
fn read_manifest(rootfs: &Rootfs, path: &RootPath, size: u64) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(open_jar(rootfs, path, size)?).ok()?;
    let mut manifest = Vec::new();
    let file = archive.by_name("META-INF/MANIFEST.MF").ok()?;
    file.take(MAX_MANIFEST).read_to_end(&mut manifest).ok()?;
    Some(manifest)
}

/// The entries of `Class-Path` in the main section: relative URLs, separated by blanks, in lines of 72 bytes that go
/// on behind one blank.
fn parse_class_path(manifest: &[u8]) -> Vec<Vec<u8>> {
    let mut value: Option<Vec<u8>> = None;
    for line in manifest.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (&mut value, line.strip_prefix(b" ")) {
            (Some(value), Some(more)) => value.extend_from_slice(more),
            (Some(_), None) => break,
            (None, _) if line.is_empty() => break,
            (None, _) => {
                let named = line
                    .split_at_checked(11)
                    .filter(|(key, _)| key.eq_ignore_ascii_case(b"class-path:"));
                value = named.map(|(_, rest)| rest.to_vec());
            }
        }
    }
    let value = value.unwrap_or_default();
    let entries = value
        .split(u8::is_ascii_whitespace)
        .filter(|entry| !entry.is_empty());
    entries
        .take(MAX_CLASS_PATH)
        .map(|entry| percent_decode(entry.strip_prefix(b"file:").unwrap_or(entry)))
        .collect()
}

/// Returns a URL's path with its `%` escapes taken off.
fn percent_decode(url: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(url.len());
    let mut rest = url;
    while let [first, after @ ..] = rest {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::classes::tests::{archive, class, class_with_strings};
    use super::*;
    use crate::image::memory::tree;
    use crate::reach::options::{Limits, Options};
    use crate::reach::tests::{image, kept, names, reached_with, used};

    fn jar(manifest: &str) -> Vec<u8> {
        archive(&[("META-INF/MANIFEST.MF", manifest.as_bytes())])
    }

    #[test]
    fn the_class_path_of_a_manifest_is_kept() {
        let app = jar(
            "Manifest-Version: 1.0\r\nclass-path: lib/one.jar lib/tw\r\n o%20two.jar file:/opt/three.jar\r\nX: y\r\n",
        );
        let items: &[(&str, &[u8])] = &[
            ("/srv/app.jar", &app),
            ("/srv/lib/one.jar", b"no zip"),
            (
                "/srv/lib/two two.jar",
                &jar("Class-Path: ../../srv/app.jar ../../../../../etc/x ./\n"),
            ),
            ("/opt/three.jar", b""),
            ("/opt/four.jar", b""),
            ("/etc/x", b""),
        ];
        assert_eq!(
            kept(items, vec![used("/srv/app.jar")]),
            [
                "/etc",
                "/etc/x",
                "/opt",
                "/opt/three.jar",
                "/srv",
                "/srv/app.jar",
                "/srv/lib",
                "/srv/lib/one.jar",
                "/srv/lib/two two.jar"
            ]
        );
    }

    #[test]
    fn a_runtime_keeps_its_data_and_no_desktop() {
        let items: &[(&str, &[u8])] = &[
            ("/usr/lib/jvm/17/bin/java", b"x"),
            ("/usr/lib/jvm/17/bin/keytool", b"x"),
            (
                "/usr/lib/jvm/17/conf/security/java.security",
                b"-> /etc/java/java.security",
            ),
            ("/usr/lib/jvm/17/conf/management", b"-> /etc/java/management"),
            ("/usr/lib/jvm/17/conf/loop", b"-> ../conf"),
            ("/usr/lib/jvm/17/lib/modules", b"x"),
            ("/usr/lib/jvm/17/lib/ct.sym", b"x"),
            ("/usr/lib/jvm/17/lib/tzdb.dat", b"x"),
            ("/usr/lib/jvm/17/lib/libnet.so", b"x"),
            ("/usr/lib/jvm/17/lib/libawt.so", b"x"),
            ("/usr/lib/jvm/17/lib/liblcms.so", b"x"),
            ("/usr/lib/jvm/17/lib/fontconfig.bfc", b"x"),
            (
                "/usr/lib/jvm/17/lib/security/cacerts",
                b"-> /etc/ssl/java/cacerts",
            ),
            ("/usr/lib/jvm/17/lib/server/libjvm.so", b"x"),
            ("/usr/lib/jvm/17/release", b"x"),
            ("/usr/lib/jvm/17/src.zip", b"x"),
            ("/etc/java/java.security", b"x"),
            ("/etc/java/management/x.properties", b"x"),
            ("/etc/ssl/java/cacerts", b"x"),
        ];
        let files = |used_path: &str| -> Vec<String> {
            let found = kept(items, vec![used(used_path)]);
            let written = |path: &String| items.iter().any(|(name, _)| name == path);
            found.into_iter().filter(written).collect()
        };
        let desktop = ["libawt.so", "liblcms.so", "fontconfig.bfc"];
        let aside = |path: &str| {
            path.ends_with("keytool")
                || path.ends_with("ct.sym")
                || path.ends_with("src.zip")
                || desktop.iter().any(|name| path.ends_with(name))
        };
        let mut expected: Vec<&str> = items
            .iter()
            .map(|(path, _)| *path)
            .filter(|path| !aside(path))
            .collect();
        expected.sort_unstable();
        assert_eq!(files("/usr/lib/jvm/17/bin/java"), expected);
        // A program may load the machine without its launcher.
        expected.retain(|path| !path.ends_with("bin/java"));
        assert_eq!(files("/usr/lib/jvm/17/lib/server/libjvm.so"), expected);
        let found = files("/usr/lib/jvm/17/lib/libawt.so");
        assert_eq!(
            found,
            ["fontconfig.bfc", "libawt.so", "liblcms.so"].map(|name| format!("/usr/lib/jvm/17/lib/{name}"))
        );
    }

    #[test]
    fn a_runtime_with_modules_of_an_application_keeps_all_of_its_libraries() {
        for (modules, expected) in [
            ("java.base jdk.unsupported", &["/opt/app/lib/libnet.so"][..]),
            (
                "java.base org.example.app",
                &[
                    "/opt/app/lib/fontconfig.properties",
                    "/opt/app/lib/libawt.so",
                    "/opt/app/lib/libcodes.so",
                    "/opt/app/lib/libnet.so",
                    "/opt/app/lib/psfontj2d.properties",
                ],
            ),
        ] {
            let release = format!("JAVA_VERSION=\"17\"\nMODULES=\"{modules}\"\n");
            let items: &[(&str, &[u8])] = &[
                ("/opt/app/bin/java", b"x"),
                ("/opt/app/lib/modules", b"x"),
                ("/opt/app/lib/libnet.so", b"x"),
                ("/opt/app/lib/libawt.so", b"x"),
                ("/opt/app/lib/libcodes.so", b"x"),
                ("/opt/app/lib/fontconfig.properties", b"x"),
                ("/opt/app/lib/psfontj2d.properties", b"x"),
                ("/opt/app/lib/ct.sym", b"x"),
                ("/opt/app/release", release.as_bytes()),
            ];
            let mut found = kept(items, vec![used("/opt/app/bin/java")]);
            found.retain(|path| path.starts_with("/opt/app/lib/") && !path.ends_with("/modules"));
            let expected: Vec<&str> = expected.to_vec();
            let properties =
                |path: &&String| !path.ends_with(".properties") || expected.contains(&path.as_str());
            assert_eq!(found.iter().filter(properties).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn the_class_path_of_the_config_is_kept() {
        let items: &[(&str, &[u8])] = &[
            ("/jre/bin/java", b"x"),
            ("/jre/lib/modules", b"x"),
            ("/srv/lib/one.jar", b"x"),
            ("/srv/lib/two.JAR", b"x"),
            ("/srv/lib/three.txt", b"x"),
            ("/srv/main.jar", b"x"),
            ("/mods/four.jar", b"x"),
            ("/env.jar", b"x"),
            ("/other.jar", b"x"),
            ("/srv/native/libmine.so.1", b"x"),
            ("/srv/native/notes.txt", b"x"),
            ("/usr/lib/libother.so", b"x"),
        ];
        let config = json!({
            "WorkingDir": "/srv",
            "Entrypoint": ["java", "--module-path=/mods", "-Djava.library.path=native:/usr/lib", "-cp", "main.jar:lib/*"],
            "Env": ["CLASSPATH=/env.jar"],
        });
        // The working directory is not kept whole here.
        let options = Options {
            limits: Limits {
                own_files: 0,
                ..Limits::default()
            },
            ..Options::default()
        };
        let image = image(tree(items), config);
        let found = names(&reached_with(&image, vec![used("/jre/bin/java")], &options));
        let jars: Vec<&String> = found
            .iter()
            .filter(|path| path.to_lowercase().ends_with(".jar"))
            .collect();
        assert_eq!(
            jars,
            [
                "/env.jar",
                "/mods/four.jar",
                "/srv/lib/one.jar",
                "/srv/lib/two.JAR",
                "/srv/main.jar"
            ]
        );
        assert!(found.contains(&"/srv/native/libmine.so.1".to_owned()));
        for nothing in [
            "/srv/lib/three.txt",
            "/srv/native/notes.txt",
            "/usr/lib/libother.so",
        ] {
            assert!(!found.contains(&nothing.to_owned()), "{nothing}");
        }
    }

    #[test]
    fn classes_keep_the_libraries_that_they_load() {
        let native = archive(&[(
            "Native.class",
            &class(&["loadLibrary", "mine", "beside", "libother.so.1", "absent"]),
        )]);
        let picture = archive(&[("Picture.class", &class(&["javax/imageio/ImageIO", "mine"]))]);
        let items: &[(&str, &[u8])] = &[
            ("/usr/share/java/native.jar", &native),
            ("/usr/share/pictures/picture.jar", &picture),
            ("/usr/share/java/libbeside.so", b"x"),
            ("/usr/lib/x86_64-linux-gnu/jni/libmine.so", b"-> libmine.so.2"),
            ("/usr/lib/x86_64-linux-gnu/jni/libmine.so.2", b"x"),
            ("/usr/lib/jni/libmine.so", b"x"),
            ("/usr/lib/libother.so.1", b"x"),
            ("/usr/lib/jvm/17/lib/modules", b"x"),
            ("/usr/lib/jvm/17/lib/server/libjvm.so", b"x"),
            ("/usr/lib/jvm/17/lib/libawt.so", b"x"),
            ("/usr/lib/jvm/17/lib/libjavajpeg.so", b"x"),
        ];
        let libraries = |jar: &str| -> Vec<String> {
            let mut found = kept(items, vec![used(jar)]);
            found.retain(|path| memchr::memmem::find(path.as_bytes(), b".so").is_some());
            found
        };
        assert_eq!(
            libraries("/usr/share/java/native.jar"),
            [
                "/usr/lib/libother.so.1",
                "/usr/lib/x86_64-linux-gnu/jni/libmine.so",
                "/usr/lib/x86_64-linux-gnu/jni/libmine.so.2",
                "/usr/share/java/libbeside.so",
            ]
        );
        assert_eq!(
            libraries("/usr/share/pictures/picture.jar"),
            [
                "/usr/lib/jvm/17/lib/libawt.so",
                "/usr/lib/jvm/17/lib/libjavajpeg.so"
            ]
        );
    }

    #[test]
    fn classes_keep_the_programs_that_they_start() {
        let starts = class_with_strings(
            "java/lang/ProcessBuilder",
            &["cat", "/usr/bin/tar", "absent", "a word"],
        );
        // The name of a method is no program's.
        let other = class(&["java/lang/ProcessBuilder", "sort"]);
        let words = class_with_strings("java/lang/String", &["sort"]);
        let app = archive(&[("A.class", &starts), ("B.class", &other), ("C.class", &words)]);
        let items: &[(&str, &[u8])] = &[
            ("/srv/app.jar", &app),
            ("/usr/bin/cat", b"x"),
            ("/usr/bin/tar", b"x"),
            ("/usr/bin/sort", b"x"),
            ("/usr/bin/a", b"x"),
        ];
        let mut found = kept(items, vec![used("/srv/app.jar")]);
        found.retain(|path| path.starts_with("/usr/bin/"));
        assert_eq!(found, ["/usr/bin/cat", "/usr/bin/tar"]);
    }

    #[test]
    fn malformed_manifests_give_nothing() {
        assert!(parse_class_path(b"").is_empty());
        assert!(parse_class_path(b" x\n\nClass-Path: in-a-section.jar").is_empty());
        assert_eq!(
            parse_class_path(b"Class-Path: %zz % %4"),
            [&b"%zz"[..], b"%", b"%4"]
        );
    }
}
