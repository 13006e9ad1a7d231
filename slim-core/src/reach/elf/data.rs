//! Names in machine code: absolute paths among a program's constants, and libraries that it loads by name.
//!
//! A constant of most languages ends with NUL, so a path is read up to its end, and names what is there: a file, or a
//! directory where nothing but a computed name follows (`/srv/pages/%s.html`). Compilers of some (a table) write their
//! constants one behind the other, with lengths elsewhere: there a path is taken for as long as the image has it, and
//! so is the directory of its own that it ends in. What is named so is kept as any literal's is, but of a directory
//! that a package made, the entry alone, what is its data there (`package_data.rs`), and programs called after it, which are kept along PATH too where it holds its name
//! with a hyphen (`hg-`); and programs not for what a package's own files say of them.
//!
//! A file that can call `dlopen` may load the libraries that its constants name (`libfoo.so.1`): they are looked for
//! where the loader would; of a directory of its own that it names, the modules (`modules.rs`). One of the application's that can call `system` or `popen` would run a shell. Names that are
//! computed are not followed, nor is the C library's own data, whose files are families (`file_family.rs`).

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use globset::GlobSet;
use memchr::{memchr_iter, memmem};

use super::Libraries;
use crate::image::{LastLink, PATH_MAX};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::absolute_path;
use crate::reach::application_directory;
use crate::reach::commands;
use crate::reach::context::{Context, Place};
use crate::reach::elf::constants::{Constants, Window};
use crate::reach::elf::modules;
use crate::reach::package_data;
use crate::reach::pattern::{as_path, name_set};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::tables::Tables;

/// The largest number of different names that are looked for from one file.
const MAX_NAMES: usize = 10_000;
/// The longest name (`NAME_MAX` in `include/uapi/linux/limits.h`).
const MAX_NAME: usize = 255;

/// The function that loads a library by its name, and those that run a shell, as they are imported.
const LOADS: &[u8] = b"dlopen\0";
const RUNS: [&[u8]; 2] = [b"\0system\0", b"\0popen\0"];
/// The shell, as a program that starts it itself has it.
const SHELL: &[u8] = b"\0/bin/sh\0";

/// Names of files whose constants are not followed.
static SILENT: LazyLock<GlobSet> = LazyLock::new(|| name_set(&Tables::built_in().constants.silent));

/// Keeps what constants name.
pub(crate) struct Data<'a> {
    context: &'a Context<'a>,
    libraries: &'a Libraries<'a>,
    /// Directories of programs.
    programs: Vec<RootPath>,
    /// The names in them.
    names: BTreeSet<&'a [u8]>,
    /// The names in the root directory at which a path may begin.
    tops: Vec<&'a [u8]>,
}

impl<'a> Data<'a> {
    /// Returns the resolver for the image of `context`, which looks for libraries as `libraries` does.
    pub(crate) fn new(context: &'a Context<'a>, libraries: &'a Libraries<'a>) -> Self {
        let table = Tables::built_in();
        let hidden = |path: &RootPath| {
            table
                .application
                .not_named
                .iter()
                .any(|p| *path == RootPath::new(p))
        };
        let root = RootPath::root();
        let tops = context.rootfs.children(&root).filter(|(path, _)| !hidden(path));
        let tops = tops.filter_map(|(path, _)| path.name()).collect();
        let programs = context.environment.program_directories(context.rootfs);
        let names = programs
            .iter()
            .flat_map(|directory| context.rootfs.children(directory));
        Self {
            context,
            libraries,
            names: names.filter_map(|(path, _)| path.name()).collect(),
            programs,
            tops,
        }
    }
}

impl Data<'_> {
    /// Adds the paths that begin in a window and that the image has; `joined` if constants stand one behind the other.
    fn collect_paths(&self, window: &Window<'_>, joined: bool, found: &mut BTreeSet<Vec<u8>>) {
        let bytes = window.bytes;
        for at in memchr_iter(b'/', &bytes[window.places.clone()]) {
            if found.len() >= MAX_NAMES {
                return;
            }
            let at = window.places.start + at;
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let goes_on = |b: &u8| *b == b'/' || (!joined && (is_word(*b) || b"~})".contains(b)));
            let rest = &bytes[at..bytes.len().min(at + PATH_MAX)];
            if before.is_some_and(goes_on) || !self.tops.iter().any(|top| rest[1..].starts_with(top)) {
                continue;
            }
            found.extend(self.named_path(rest, joined).map(<[u8]>::to_vec));
        }
    }

    /// Returns what the path that `rest` begins with names.
    fn named_path<'s>(&self, rest: &'s [u8], joined: bool) -> Option<&'s [u8]> {
        let rootfs = self.context.rootfs;
        let mut directory = RootPath::root();
        // How much of the path leads to the directory.
        let mut known = 0;
        loop {
            let tail = &rest[known + 1..];
            let end = tail.iter().position(|&b| b == b'/' || is_end(b));
            let (name, next) = match end {
                Some(end) => (&tail[..end], tail[end]),
                None => (tail, 0),
            };
            if name.is_empty() && next == b'/' {
                known += 1;
                continue;
            }
            if name.len() > MAX_NAME && !joined {
                return None;
            }
            let there = !name.is_empty() && rootfs.get(&directory.child(name)).is_some();
            if there && next == b'/' {
                let inner = rootfs.resolve(&directory.child(name), LastLink::Follow);
                if !rootfs.get(&inner.path).is_some_and(|entry| entry.is_dir()) {
                    return None;
                }
                directory = inner.path;
                known += 1 + name.len();
            } else if there && !is_computed(next) {
                return Some(&rest[..=known + name.len()]);
            } else {
                if joined && let Some(longest) = self.longest_entry(&directory, name) {
                    return Some(&rest[..=known + longest]);
                }
                let named = joined || name.is_empty() || is_computed(next);
                let own = application_directory::may_be_own(self.context, &directory)
                    && !self.context.packages.made(&directory);
                let meant = own
                    || package_data::may_be_data(self.context, &directory)
                    || (!joined && next != b'?' && modules::may_hold_modules(self.context, &directory));
                return (named && meant).then_some(&rest[..known]);
            }
        }
    }
}

impl Data<'_> {
    /// Adds the constants of a window that are names of programs.
    fn collect_names(&self, window: &Window<'_>, found: &mut BTreeSet<Vec<u8>>) {
        let bytes = window.bytes;
        for end in memchr_iter(0, &bytes[window.places.clone()]) {
            let before = &bytes[..window.places.start + end];
            let start = before
                .iter()
                .rev()
                .take(MAX_NAME)
                .take_while(|&&b| b != 0)
                .count();
            let name = &before[before.len() - start..];
            if name.len() > 1 && self.names.contains(name) && found.len() < MAX_NAMES {
                found.insert(name.to_vec());
            }
        }
    }

    /// Keeps the programs that are called after `program` (`git-lfs`); of its own package's, which are named as other
    /// ways to call it, only `all`.
    fn keep_called_after(&self, needs: &mut Needs<'_>, program: &RootPath, all: bool) {
        let prefix = [program.name().unwrap_or_default(), b"-"].concat();
        let after = self.names.range(&prefix[..]..);
        let after = after.take_while(|name| name.starts_with(&prefix)).take(MAX_NAMES);
        for name in after.filter(|name| all || self.is_of_another(program, name)) {
            self.context.keep_command(needs, name, Place::in_file(program));
        }
    }

    /// Returns whether the program `name` is of another package than `program`, or of none.
    fn is_of_another(&self, program: &RootPath, name: &[u8]) -> bool {
        let packages = self.context.packages;
        let beside = program.parent().map(|directory| directory.child(name));
        let owner = packages.owner(program);
        owner.is_none() || beside.is_none_or(|path| packages.owner(&path) != owner)
    }

    /// Keeps the programs that the program of a job starts by names in `named`. What stands beside it in its package is
    /// named as another way to call it.
    fn keep_named(&self, needs: &mut Needs<'_>, program: &RootPath, named: &BTreeSet<Vec<u8>>) {
        let tables = &Tables::built_in().programs;
        let other_word = |name: &&[u8]| {
            let mut words = tables.functions.iter().chain(&tables.shells);
            !words.any(|word| word.as_bytes() == *name)
        };
        let named = named.iter().map(Vec::as_slice);
        for name in named.filter(|name| self.is_of_another(program, name) && other_word(name)) {
            self.context.keep_command(needs, name, Place::in_file(program));
        }
    }

    /// Keeps the programs that `program` starts by computed names from `directory`, which it names: those of its own package
    /// that are called after it (`git-remote-https`). Scripts would bring an interpreter and are kept where they ran, but
    /// for the program that a job starts, whose caller may name any.
    fn keep_helpers(
        &self,
        needs: &mut Needs<'_>,
        program: &RootPath,
        directory: &RootPath,
    ) -> io::Result<()> {
        let packages = self.context.packages;
        let (Some(package), Some(name)) = (packages.owner(program), program.name()) else {
            return Ok(());
        };
        if self.programs.contains(directory) {
            return Ok(());
        }
        let told = self.context.job.is_some_and(|job| job.is_told(program));
        let prefix = [name, b"-"].concat();
        for (path, _) in self.context.rootfs.children(directory).take(MAX_NAMES) {
            if !path.name().is_some_and(|name| name.starts_with(&prefix))
                || packages.owner(path) != Some(package)
            {
                continue;
            }
            if let Some(found) = self.context.find_file(&RootPath::root(), path.as_bytes())
                && (told || self.libraries.parse_file(&found.path)?.is_some())
            {
                let words = format!("{}*", encode(&prefix));
                needs.follow(&found, &Place::in_file(program).cause(EdgeKind::Command, &words));
            }
        }
        Ok(())
    }

    /// Returns the length of the longest beginning of `text` that names an entry of `directory`; what is one of the
    /// system's, or of programs with another version behind it (`python3` of `python3.12`), is not meant.
    fn longest_entry(&self, directory: &RootPath, text: &[u8]) -> Option<usize> {
        let rootfs = self.context.rootfs;
        let entry = |end: &usize| rootfs.get(&directory.child(&text[..*end]));
        let longest = (1..=text.len().min(MAX_NAME))
            .rev()
            .find(|end| entry(end).is_some())?;
        let path = rootfs
            .resolve(&directory.child(&text[..longest]), LastLink::Follow)
            .path;
        let version = text.get(longest).is_some_and(|b| b".-_0123456789".contains(b));
        let other = version && rootfs.get(&path).is_some_and(|entry| entry.is_file());
        Some(longest).filter(|_| !other && !is_system(&path))
    }
}

impl Resolver for Data<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(constants) = Constants::of_node(node)? else {
            return Ok(());
        };
        if SILENT.is_match(as_path(node.path.name().unwrap_or_default())) {
            return Ok(());
        }
        let marks = Tables::built_in().constants.joined.iter().map(String::as_bytes);
        let marks: Vec<&[u8]> = marks.collect();
        // How a program names those that are called after it. What runs sources is called so for other reasons.
        let name = node.path.name().unwrap_or_default();
        let is_program = node
            .path
            .parent()
            .is_some_and(|above| self.programs.contains(&above));
        let called = [&b"-\0"[..], b"-%s\0"].map(|end| [&b"\0"[..], name, end].concat());
        let runs_sources = Tables::built_in().programs.is_language(name);
        let called = &called[..if is_program && !runs_sources { 2 } else { 0 }];
        let texts = marks.iter().copied().chain([LOADS, SHELL]).chain(RUNS);
        let held = constants.find_texts(texts.chain(called.iter().map(Vec::as_slice)))?;
        let joined = marks.iter().any(|mark| held.contains(mark));
        let loads = held.contains(LOADS);
        let (mut paths, mut libraries) = (BTreeSet::new(), BTreeSet::new());
        let told = self.context.job.is_some_and(|job| job.is_told(node.path));
        let mut named = BTreeSet::new();
        constants.for_each_window(|window| {
            if told {
                self.collect_names(window, &mut named);
            }
            self.collect_paths(window, joined, &mut paths);
            if loads {
                library_names(window, joined, &mut libraries);
            }
            ControlFlow::Continue(())
        })?;
        // Where its libraries are looked for is no directory that it uses.
        let elf = self.libraries.parse_file(node.path)?;
        let searched = |path: &[u8]| {
            let paths = elf.iter().flat_map(|elf| elf.rpath.iter().chain(&elf.runpath));
            let mut paths = paths.flat_map(|paths| paths.split(|&b| b == b':'));
            paths.any(|searched| searched == path)
        };
        // What a distribution's libraries know of programs (that there are shells, how a script begins) is nothing that
        // they run unasked.
        let owned = self.context.packages.owner(node.path).is_some();
        let program = |path: &[u8]| {
            let file = self.context.find_file(&RootPath::root(), path);
            let parent = file.and_then(|file| file.path.parent());
            owned && parent.is_some_and(|parent| self.programs.contains(&parent))
        };
        paths.retain(|path| !searched(path) && !program(path));
        let place = Place::in_file(node.path);
        let mut parts = BTreeSet::new();
        for path in paths.iter().filter(|_| loads && !joined) {
            if let Some(found) = self.context.find_directory(&RootPath::root(), path) {
                let cause = place.cause(EdgeKind::Dlopen, &encode(path));
                let packages =
                    self.libraries
                        .keep_modules(self.context, needs, node.path, &found.path, &cause)?;
                parts.extend(packages);
            }
        }
        for path in &paths {
            match self.context.find_directory(&RootPath::root(), path) {
                // What a package made is no application's own, whatever its programs call it, but may be their data.
                Some(found) if self.context.packages.made(&found.path) => {
                    let cause = place.cause(EdgeKind::Literal, &encode(path));
                    needs.follow(&found, &cause);
                    package_data::keep(self.context, needs, node.path, &found, &parts, &cause);
                    self.keep_helpers(needs, node.path, &found.path)?;
                }
                _ => absolute_path::keep(self.context, needs, path, place),
            }
        }
        // They run `/bin/sh` (system(3), popen(3)); that an interpreter can is known from its sources.
        let runs = RUNS.iter().any(|call| held.contains(call));
        if (runs && !owned) || (told && (runs || held.contains(SHELL))) {
            let place = Place::in_file(node.path);
            self.context.keep_command(needs, b"sh", place);
            if told {
                commands::keep_utilities(self.context, needs, &place.cause(EdgeKind::Command, "sh"));
            }
        }
        if told {
            needs.told.push(node.path.clone());
            self.keep_named(needs, node.path, &named);
        }
        if told || called.iter().any(|text| held.contains(text.as_slice())) {
            self.keep_called_after(needs, node.path, told);
        }
        for library in &libraries {
            let cause = Place::in_file(node.path).cause(EdgeKind::Dlopen, &encode(library));
            self.libraries
                .keep_named_library(node.path, library, &cause, needs)?;
        }
        Ok(())
    }
}

/// Adds the libraries that a window names, without directories: `libNAME.so` and versions behind it.
fn library_names(window: &Window<'_>, joined: bool, found: &mut BTreeSet<Vec<u8>>) {
    let bytes = window.bytes;
    for dot in memmem::find_iter(&bytes[window.places.start..], b".so") {
        let dot = window.places.start + dot;
        if dot >= window.places.end || found.len() >= MAX_NAMES {
            return;
        }
        let before = &bytes[dot.saturating_sub(MAX_NAME)..dot];
        let word = before.iter().rposition(|&b| !is_word(b) && b != b'+');
        let word = word.map_or(before, |last| &before[last + 1..]);
        let path = bytes[..dot - word.len()].last() == Some(&b'/');
        let start = if joined {
            memmem::rfind(word, b"lib")
        } else {
            (word.starts_with(b"lib") && !path).then_some(0)
        };
        let Some(start) = start else { continue };
        let start = dot - (word.len() - start);
        let name = &bytes[start..bytes.len().min(start + MAX_NAME + 2)];
        let mut end = dot + 3 - start;
        while name.get(end) == Some(&b'.') {
            let digits = name[end + 1..].iter().take_while(|b| b.is_ascii_digit());
            match digits.count() {
                0 => break,
                count => end += 1 + count,
            }
        }
        let goes_on = name.get(end).is_some_and(|&b| is_word(b));
        if (joined || !goes_on) && end <= MAX_NAME {
            found.insert(name[..end].to_vec());
        }
    }
}

/// Returns whether a directory is one of the system, which every text may seem to name.
fn is_system(directory: &RootPath) -> bool {
    let system = &Tables::built_in().application.system;
    system.iter().any(|path| *directory == RootPath::new(path))
}

/// Returns whether a byte is of a word, as names of files are written.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// Returns whether no path that is written as a constant has this byte, or it begins what is computed.
fn is_end(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || b"\"'`:;,()<>|&=".contains(&byte) || is_computed(byte)
}

/// Returns whether a byte begins what a program puts in: of a format, a template, a pattern.
fn is_computed(byte: u8) -> bool {
    b"%*?{$".contains(&byte)
}

#[cfg(test)]
mod tests {
    use crate::reach::environment::Environment;
    use crate::reach::languages::source_file::tests::{beside, reached};
    use crate::reach::options::{Limits, Options};
    use crate::reach::tests::{image, names as kept_names, reached_with, used};
    use proptest::prelude::*;

    use super::*;
    use crate::cancel::Cancel;
    use crate::image::{Config, memory::tree, packages};
    use crate::reach::elf::constants::tests::constants;
    use crate::reach::elf::parse::{Elf, tests::write_with};

    const ELF: Elf = Elf {
        is_64: true,
        big_endian: false,
        machine: 62,
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        auxiliary: Vec::new(),
        rpath: None,
        runpath: None,
        no_default: false,
    };

    /// The names of libraries in `constants`, in windows of so many places.
    fn names(constants: &[u8], joined: bool, window: usize) -> BTreeSet<Vec<u8>> {
        let program = write_with(&ELF, constants);
        let mut found = BTreeSet::new();
        self::constants(&program, window)
            .for_each_window(|window| {
                library_names(window, joined, &mut found);
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    }

    /// Returns what a program with these constants keeps in a tree with these files.
    fn kept(files: &[&str], constants: &[u8]) -> Vec<String> {
        let program = write_with(&ELF, constants);
        let library = write_with(&ELF, b"");
        let mut items: Vec<(&str, &[u8])> = files.iter().map(|path| (*path, &library[..])).collect();
        items.push(("/usr/bin/app", &program));
        let from = ["/usr/bin/app"];
        let reached = reached(&items, &[], &from, |context| {
            // The resolver borrows them for as long as the context lives, which is to the end of this test.
            let environment: &Environment = context.environment;
            let libraries = Box::leak(Box::new(Libraries::new(context.rootfs, environment)));
            Box::new(Data::new(context, libraries))
        });
        beside(&reached, &from)
    }

    #[test]
    fn paths_that_end_are_read_to_their_end() {
        let files = [
            "/etc/app.conf",
            "/etc/app.conf.d/x",
            "/srv/pages/a",
            "/srv/other/b",
            "/usr/bin/python3",
        ];
        for (constants, expected) in [
            (&b"\0/etc/app.conf\0"[..], &["/etc/app.conf"][..]),
            (b"\0open \"/etc/app.conf\": %s\0", &["/etc/app.conf"]),
            (b"\0/etc//app.conf", &["/etc/app.conf"]),
            (b"\0/srv/pages\0", &["/srv/pages", "/srv/pages/a"]),
            (b"\0/srv/pages/\0", &["/srv/pages", "/srv/pages/a"]),
            (b"\0/srv/pages/%s.html\0", &["/srv/pages", "/srv/pages/a"]),
            (b"\0/srv/pages/page-%d\0", &["/srv/pages", "/srv/pages/a"]),
            (
                b"\0/srv/pages/none\0/srv/%s\0",
                &["/srv", "/srv/other", "/srv/other/b", "/srv/pages", "/srv/pages/a"],
            ),
        ] {
            assert_eq!(kept(&files, constants), expected, "{}", encode(constants));
        }
        for nothing in [
            &b"\0/etc/app.config\0/srv/pages/none\0/usr/bin/python3.12\0"[..],
            b"\0share/etc/app.conf\0 $HOME/etc/app.conf ~/etc/app.conf\0",
            b"\0https:///etc/app.conf",
            b"\0/etc/%s\0/etc/",
            b"/",
            b"",
        ] {
            assert_eq!(kept(&files, nothing), Vec::<String>::new(), "{}", encode(nothing));
        }
    }

    #[test]
    fn paths_that_are_joined_are_as_long_as_the_image_has_them() {
        let files = [
            "/etc/app.conf",
            "/data/x",
            "/usr/share/app/pages/a",
            "/usr/bin/python3",
        ];
        let kept = |constants: &[u8]| kept(&files, &[b"\0runtime.goexit\0", constants].concat());
        let pages = ["/usr/share/app/pages", "/usr/share/app/pages/a"];
        assert_eq!(kept(b"not found/etc/app.confread: "), ["/etc/app.conf"]);
        assert_eq!(kept(b"text/usr/share/app/pages/templates/500.html"), pages);
        assert_eq!(kept(b"text/usr/share/app/pagesindex"), pages);
        assert_eq!(kept(b"text/usr/share/app/pages0123"), pages);
        assert_eq!(kept(b"x/dataABORT"), ["/data", "/data/x"]);
        assert_eq!(kept(b"x/usr/bin/python3.12 x/usr/shareabc"), Vec::<String>::new());
    }

    #[test]
    fn what_packages_know_of_programs_brings_none() {
        let program = write_with(&ELF, b"\0/usr/bin/perl\0/usr/lib/tool/helper\0/usr/bin/none\0");
        let items: &[(&str, &[u8])] = &[
            ("/opt/app", &program),
            ("/usr/lib/libmagic.so", &program),
            ("/usr/bin/perl", b"x"),
            ("/usr/lib/tool/helper", b"x"),
            ("/lib/apk/db/installed", b"P:file\nF:usr/lib\nR:libmagic.so\n"),
        ];
        let kept = |from: &[&str]| {
            let reached = reached(items, &[], from, |context| {
                let libraries = Box::leak(Box::new(Libraries::new(context.rootfs, context.environment)));
                Box::new(Data::new(context, libraries))
            });
            beside(&reached, from)
        };
        assert_eq!(kept(&["/opt/app"]), ["/usr/bin/perl", "/usr/lib/tool/helper"]);
        assert_eq!(kept(&["/usr/lib/libmagic.so"]), ["/usr/lib/tool/helper"]);
    }

    #[test]
    fn programs_of_a_packages_own_directory_that_are_called_after_its_program_are_kept() {
        let program = write_with(&ELF, b"\0/usr/lib/tool-core\0/usr/bin\0");
        let other = write_with(&ELF, b"\0");
        let owned =
            b"P:tool\nF:usr/bin\nR:tool\nR:tool-shell\nF:usr/lib/tool-core\nR:tool-fetch\nR:tool-fetch-s\n\
            R:tool-script\nR:toolbox\nR:other\n\n\
            P:tool-mail\nF:usr/lib/tool-core\nR:tool-mail\n\n";
        let items: &[(&str, &[u8])] = &[
            ("/usr/bin/tool", &program),
            ("/usr/bin/tool-shell", &other),
            ("/opt/tool", &program),
            ("/usr/lib/tool-core/tool-fetch", &other),
            ("/usr/lib/tool-core/tool-fetch-s", b"-> tool-fetch"),
            ("/usr/lib/tool-core/tool-script", b"#!/usr/bin/perl\n"),
            ("/usr/lib/tool-core/tool-mail", &other),
            ("/usr/lib/tool-core/toolbox", &other),
            ("/usr/lib/tool-core/other", &other),
            ("/lib/apk/db/installed", owned),
        ];
        let kept = |from: &[&str]| {
            let reached = reached(items, &[], from, |context| {
                let libraries = Box::leak(Box::new(Libraries::new(context.rootfs, context.environment)));
                Box::new(Data::new(context, libraries))
            });
            let mut kept = beside(&reached, from);
            kept.retain(|path| path.contains("tool-core/") || path.ends_with("tool-shell"));
            kept
        };
        assert_eq!(
            kept(&["/usr/bin/tool"]),
            ["/usr/lib/tool-core/tool-fetch", "/usr/lib/tool-core/tool-fetch-s"]
        );
        assert_eq!(kept(&["/opt/tool"]), Vec::<String>::new());
    }

    #[test]
    fn programs_along_path_that_are_called_after_a_program_are_kept_where_it_holds_the_beginning() {
        let other = write_with(&ELF, b"\0");
        for (constants, expected) in [
            (
                &b"\0books-\0"[..],
                &["/usr/bin/books-interest", "/usr/local/bin/books-vat"][..],
            ),
            (
                b"\0books-%s\0",
                &["/usr/bin/books-interest", "/usr/local/bin/books-vat"],
            ),
            (b"\0see books-web\0", &[]),
        ] {
            let program = write_with(&ELF, constants);
            let owned =
                b"P:books\nF:usr/bin\nR:books\nR:books-web\n\nP:interest\nF:usr/bin\nR:books-interest\n\n";
            let items: &[(&str, &[u8])] = &[
                ("/usr/bin/books", &program),
                ("/usr/bin/books-web", &other),
                ("/usr/bin/books-interest", &other),
                ("/usr/bin/bookshelf", &other),
                ("/usr/local/bin/books-vat", b"#!/bin/sh\n"),
                ("/lib/apk/db/installed", owned),
            ];
            let from = ["/usr/bin/books"];
            let reached = reached(items, &[], &from, |context| {
                let libraries = Box::leak(Box::new(Libraries::new(context.rootfs, context.environment)));
                Box::new(Data::new(context, libraries))
            });
            let mut kept = beside(&reached, &from);
            kept.retain(|path| path.contains("/bin/"));
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn what_a_package_has_in_a_directory_its_program_names_is_its_data() {
        let program = write_with(
            &ELF,
            b"\0/usr/share/db\0/usr/share/web/%s/%s.html\0/usr/share/locale\0/usr/share/icons\0",
        );
        let linked = write_with(&ELF, b"\0/usr/share/linked/errors\0");
        let owned = b"P:db\nF:usr/sbin\nR:dbd\nF:usr/share/db/dict\nR:german.stop\nF:usr/share/db\nR:zones\n\
            F:usr/share/db/man\nR:dbd.8\nF:usr/share/locale/de\nR:db.mo\nF:usr/share/locale\n\
            F:usr/share/icons\nR:db.png\n\n\
            P:languages\nF:usr/share/db-languages\nF:usr/share/db-languages/de\nR:404.html\n\
            F:usr/share/db-languages/en\nR:404.html\n\n\
            P:linked\nF:usr/sbin\nR:linked\nF:usr/share/linked\nR:errors\n\n\
            P:db-common\nF:usr/share/web\nF:usr/share/web/en\nR:404.html\n\n\
            P:other\nF:usr/share/db\nR:other\nF:usr/share/icons\nR:a.png\nR:b.png\n\n";
        let files = [
            "/usr/share/db/dict/german.stop",
            "/usr/share/db/man/dbd.8",
            "/usr/share/db/mine",
            "/usr/share/db/other",
            "/usr/share/db-languages/de/404.html",
            "/usr/share/db-languages/en/404.html",
            "/usr/share/db/zones",
            "/usr/share/icons/a.png",
            "/usr/share/icons/b.png",
            "/usr/share/icons/db.png",
            "/usr/share/locale/de/db.mo",
            "/usr/share/locale/de/other.mo",
            "/usr/share/web/en/404.html",
        ];
        let mut items: Vec<(&str, &[u8])> = files.iter().map(|path| (*path, &b"x"[..])).collect();
        items.extend([
            ("/usr/sbin/dbd", &program[..]),
            ("/opt/dbd", &program),
            ("/usr/sbin/linked", &linked),
            ("/usr/share/linked/errors", b"-> ../db-languages"),
            ("/lib/apk/db/installed", owned),
        ]);
        let kept = |from: &[&str]| {
            let reached = reached(&items, &[], from, |context| {
                let libraries = Box::leak(Box::new(Libraries::new(context.rootfs, context.environment)));
                Box::new(Data::new(context, libraries))
            });
            let mut kept = beside(&reached, from);
            kept.retain(|path| files.contains(&path.as_str()));
            kept
        };
        assert_eq!(
            kept(&["/usr/sbin/dbd"]),
            [
                "/usr/share/db/dict/german.stop",
                "/usr/share/db/zones",
                "/usr/share/web/en/404.html",
            ]
        );
        // Translations that are packaged apart, where a link of its own leads to them.
        assert_eq!(
            kept(&["/usr/sbin/linked"]),
            [
                "/usr/share/db-languages/de/404.html",
                "/usr/share/db-languages/en/404.html"
            ]
        );
        // Nobody's program has no package's data.
        assert_eq!(kept(&["/opt/dbd"]), Vec::<String>::new());
    }

    #[test]
    fn modules_are_loaded_from_a_directory_of_its_own() {
        let files = [
            "/usr/lib/db/modules/archive.so",
            "/usr/lib/db/modules/libold.so.1",
            "/usr/lib/db/modules/deep/x.so",
            "/usr/lib/libdirect.so",
            "/usr/lib/x86_64-linux-gnu/gconv/EBCDIC.so",
            "/usr/lib/ruby/3.1.0/date.so",
            "/usr/local/lib/lua/5.4/cjson.so",
        ];
        let modules = ["/usr/lib/db/modules", "/usr/lib/db/modules/archive.so"];
        for constants in [
            &b"dlopen\0/usr/lib/db/modules\0"[..],
            b"dlopen\0/usr/lib/db/modules/\0",
            b"dlopen\0/usr/lib/db/modules/%s.so\0",
        ] {
            assert_eq!(kept(&files, constants), modules, "{}", encode(constants));
        }
        let kept = |constants: &[u8]| {
            let mut kept = kept(&files, constants);
            kept.retain(|path| path.contains(".so"));
            kept
        };
        for nothing in [
            &b"no loader\0/usr/lib/db/modules\0"[..],
            b"dlopen\0/usr/lib\0",
            b"dlopen\0/usr/lib/x86_64-linux-gnu/gconv\0",
            b"dlopen\0/usr/lib/ruby/3.1.0\0",
            b"dlopen\0/usr/local/lib/lua/5.4/?.so\0",
        ] {
            assert_eq!(kept(nothing), Vec::<String>::new(), "{}", encode(nothing));
        }
    }

    #[test]
    fn data_is_kept_with_what_stands_beside_it_as_far_up_as_packages_of_one_name_have_it_alone() {
        let program = write_with(&ELF, b"\0/usr/share/draw/1.0/Init\0/usr/share/paint/brushes\0");
        let owned = b"P:libdraw1\nF:usr/lib\nR:libdraw.so.1\n\n\
            P:libdraw1-common\nF:usr/share/draw/1.0/Init\nR:init.ps\n\n\
            P:libdraw-common\nF:usr/share/color\nF:usr/share/color/draw\nR:a.icc\nF:usr/share/draw\nR:colors\nF:usr/share/draw/1.0\nF:usr/share/draw/1.0/Fonts\nR:a.font\nF:usr/share/paint/brushes\nR:fine\n\n\
            P:paint\nF:usr/share/paint\nF:usr/share/paint/brushes\nF:usr/share/paint/easel\nR:x\n\n";
        let items: &[(&str, &[u8])] = &[
            ("/usr/lib/libdraw.so.1", &program),
            ("/usr/share/draw/1.0/Init/init.ps", b"x"),
            ("/usr/share/draw/1.0/Fonts/a.font", b"x"),
            ("/usr/share/draw/colors", b"-> ../color/draw"),
            ("/usr/share/color/draw/a.icc", b"x"),
            ("/usr/share/paint/brushes/fine", b"x"),
            ("/usr/share/paint/easel/x", b"x"),
            ("/lib/apk/db/installed", owned),
        ];
        let kept = kept_names(&reached_with(
            &image(tree(items), serde_json::json!({})),
            vec![used("/usr/lib/libdraw.so.1")],
            &Options::default(),
        ));
        for (path, expected) in [
            ("/usr/share/draw/1.0/Init/init.ps", true),
            ("/usr/share/draw/1.0/Fonts/a.font", true),
            ("/usr/share/color/draw/a.icc", true),
            ("/usr/share/paint/brushes/fine", true),
            ("/usr/share/paint/easel/x", false),
        ] {
            assert_eq!(kept.contains(&path.to_owned()), expected, "{path}: {kept:?}");
        }
    }

    #[test]
    fn a_module_comes_with_its_package_unless_it_brings_too_much() {
        let program = write_with(&ELF, b"dlopen\0/usr/lib/db\0/usr/share/db/%s.control\0");
        let needs_much = write_with(
            &Elf {
                needed: vec![b"libcompiler.so.1".to_vec()],
                ..ELF
            },
            b"",
        );
        let small = write_with(&ELF, b"");
        let large = [&small[..], &[0; 4000]].concat();
        let owned = b"P:db\nF:usr/bin\nR:dbd\nF:usr/lib/db\nR:jit.so\nF:usr/share/db\nR:core.control\n\n\
            P:db-maps\nF:usr/lib/db\nR:maps.so\nF:usr/share/db\nR:maps.control\n\n\
            P:other\nF:usr/share/db\nR:other.control\n\n";
        let items: &[(&str, &[u8])] = &[
            ("/usr/bin/dbd", &program),
            ("/usr/lib/db/jit.so", &needs_much),
            ("/usr/lib/db/maps.so", &small),
            ("/usr/lib/libcompiler.so.1", &large),
            ("/usr/share/db/core.control", b"x"),
            ("/usr/share/db/maps.control", b"x"),
            ("/usr/share/db/other.control", b"x"),
            ("/lib/apk/db/installed", owned),
        ];
        for (own_bytes, jit) in [(20_000_000, true), (800, false)] {
            let options = Options {
                limits: Limits {
                    own_bytes,
                    ..Limits::default()
                },
                ..Options::default()
            };
            let image = image(tree(items), serde_json::json!({}));
            let reached = reached_with(&image, vec![used("/usr/bin/dbd")], &options);
            let kept = kept_names(&reached);
            let expected = [
                "/usr/lib/db/maps.so",
                "/usr/share/db/core.control",
                "/usr/share/db/maps.control",
            ];
            for path in expected {
                assert!(kept.contains(&path.to_owned()), "{own_bytes}: {path} of {kept:?}");
            }
            assert!(!kept.contains(&"/usr/share/db/other.control".to_owned()));
            assert_eq!(
                kept.contains(&"/usr/lib/db/jit.so".to_owned()),
                jit,
                "{own_bytes}"
            );
            let left_out: Vec<String> = reached.left_out.iter().map(|l| l.path.to_string()).collect();
            assert_eq!(
                left_out.contains(&"/usr/lib/db/jit.so".to_owned()),
                !jit,
                "{own_bytes}"
            );
        }
    }

    #[test]
    fn libraries_are_loaded_by_name() {
        let files = [
            "/usr/lib/libone.so.1",
            "/usr/lib/libtwo.so",
            "/usr/lib/x/libthree.so",
        ];
        let one = ["/usr/lib/libone.so.1"];
        assert_eq!(kept(&files, b"dlopen\0\0libone.so.1\0"), one);
        assert_eq!(
            kept(
                &files,
                b"dlopen\0/usr/local/lib/libone.so.1\0libtwo.so.3\0mylibtwo.so"
            ),
            Vec::<String>::new()
        );
        assert_eq!(kept(&files, b"no loader\0libone.so.1\0"), Vec::<String>::new());
        assert_eq!(
            kept(&files, b"RUST_BACKTRACE dlopen\0failedlibtwo.sofailed"),
            ["/usr/lib/libtwo.so"]
        );
        let files = ["/bin/sh"];
        assert_eq!(
            kept(&files, b"\0system\0 \0popen\0"),
            Vec::<String>::new(),
            "the guard refuses it"
        );
        let files = [
            "/usr/lib/libone.so.1",
            "/usr/lib/libtwo.so",
            "/usr/lib/x/libthree.so",
        ];
        assert_eq!(
            kept(&files, b"dlopen\0/usr/lib/x/libthree.so"),
            ["/usr/lib/x/libthree.so"]
        );
    }

    #[test]
    fn names_stand_in_order_and_end() {
        assert_eq!(
            names(
                b"liba.so liba.so.1.2 liba.so.1. libb.so.x +libc++.so.1",
                false,
                1000
            ),
            [b"liba.so".to_vec(), b"liba.so.1.2".to_vec()].into()
        );
        let many = b"/usr/lib".repeat(10_000);
        assert_eq!(kept(&["/usr/lib/a"], &many), Vec::<String>::new());
        let links: &[(&str, &[u8])] = &[
            ("/a/b", b"-> ."),
            ("/usr/bin/app", &write_with(&ELF, &b"/a".repeat(2000))),
        ];
        let from = ["/usr/bin/app"];
        let reached = reached(links, &[], &from, |context| {
            let libraries = Box::leak(Box::new(Libraries::new(context.rootfs, context.environment)));
            Box::new(Data::new(context, libraries))
        });
        assert_eq!(beside(&reached, &from), Vec::<String>::new());
    }

    /// Constants that are mostly parts of paths and of libraries' names, some of them very long.
    fn any_constants() -> impl Strategy<Value = Vec<u8>> {
        const PARTS: [&[u8]; 16] = [
            b"/",
            b"a",
            b"b",
            b"/a/b",
            b"/etc/app.conf",
            b"/srv/pages/%s",
            b"lib",
            b"libx",
            b".so",
            b".so.1",
            b".12",
            b"-",
            b"+",
            b" ",
            b"\0",
            b"%",
        ];
        let part = prop_oneof![
            20 => proptest::sample::select(&PARTS[..]).prop_map(<[u8]>::to_vec),
            1 => (proptest::sample::select(&PARTS[..]), 1usize..3000).prop_map(|(part, count)| part.repeat(count)),
        ];
        proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn windows_tell_what_the_whole_does(constants in any_constants(), joined: bool, window in 1usize..3000) {
            let program = write_with(&ELF, &constants);
            let window = window.max(program.len() / 500);
            prop_assert_eq!(names(&constants, joined, window), names(&constants, joined, program.len()));
            let tree = tree(&[("/a/b", b""), ("/etc/app.conf", b""), ("/srv/pages/x", b""), ("/b", b"-> /a")]);
            let config = Config::default();
            let environment = Environment::from_config(&tree, &config);
            let (packages, options) = (packages::owners(&tree), Options::default());
            let cancel = Cancel::default();
            let context = Context::new(&tree, &config, &environment, &packages, &options, crate::reach::languages::package_directories(), &cancel);
            let libraries = Libraries::new(&tree, &environment);
            let data = Data::new(&context, &libraries);
            let paths = |window: usize| {
                let mut found = BTreeSet::new();
                let look = |window: &Window<'_>| {
                    data.collect_paths(window, joined, &mut found);
                    ControlFlow::Continue(())
                };
                self::constants(&program, window).for_each_window(look).unwrap();
                found
            };
            prop_assert_eq!(paths(window), paths(program.len()));
        }
    }
}
