//! R: packages of a library, and the packages and files that kept scripts name.
//!
//! An installed package is a directory with a `DESCRIPTION`; its code and data stand in data bases that are read lazily
//! (`R/x.rdb`, `lazyLoad`), and `system.file` finds the rest by name. A kept file of one brings all of the package but
//! documentation, tests and headers, the packages that its `DESCRIPTION` imports, and of those that it suggests the ones
//! that its code names (`requireNamespace("x")` in a function). Scripts name packages by
//! `library`, `require`, `requireNamespace`, `loadNamespace` and `x::y`, and other scripts by `source`. A kept interpreter keeps what it reads by name in its
//! own directory (`R.home()`): its modules (linear algebra, the network), settings, and the packages that any session
//! may load without naming them.

use std::collections::BTreeSet;
use std::io::{self, Read};

use memchr::memmem;

use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::{SourceKind, variable_directories};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::walk::{MAX_ENTRIES, walk};

const R: SourceKind = SourceKind {
    extensions: &[b"R", b"r"],
    interpreters: &[b"Rscript", b"R", b"r", b"littler"],
};
/// Libraries of R as upstream and Debian install it.
const LIBRARIES: [&str; 6] = [
    "/usr/local/lib/R/site-library",
    "/usr/lib/R/site-library",
    "/usr/lib/R/library",
    "/usr/local/lib/R/library",
    "/usr/lib64/R/library",
    "/usr/share/R/library",
];
/// Directories of a package that it runs without.
const NOT_RUN: [&[u8]; 7] = [
    b"doc",
    b"help",
    b"html",
    b"tests",
    b"include",
    b"demo",
    b"tinytest",
];
/// Directories of the interpreter's own files, each with the end of their paths: modules that it loads by name, settings,
/// names of encodings, and the programs by which a session starts others (`makeCluster`, `R.home("bin")`).
const HOME: [(&str, &[u8]); 5] = [
    ("modules", b".so"),
    ("etc", b""),
    ("share/encodings", b""),
    ("bin", b"/R"),
    ("bin", b"/Rscript"),
];
/// Packages that a session loads without being told to: the compiler of functions that are called often, and what
/// functions of the default packages call.
const SESSION: [&[u8]; 9] = [
    b"base",
    b"compiler",
    b"datasets",
    b"grDevices",
    b"graphics",
    b"methods",
    b"stats",
    b"tools",
    b"utils",
];
/// The largest number of directories between an interpreter's library and its home.
const MAX_HOME: usize = 3;
/// Functions whose first argument is a package.
const LOADERS: [&[u8]; 4] = [b"library", b"require", b"requireNamespace", b"loadNamespace"];
/// The largest number of packages that one file names.
const MAX_PACKAGES: usize = 1000;
/// Number of bytes of a package's code at most: as it is stored, and of all its parts together.
const MAX_CODE: u64 = 32 << 20;
const MAX_PARTS: u64 = 128 << 20;

/// R, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "R",
    sample: Sample {
        hostile: &["/app/main.R", "/usr/lib/R/library/p/DESCRIPTION"],
        fixed: &[
            ("/usr/lib/R/library/p/R/p.rdb", "rdb"),
            ("/usr/lib/R/library/q/DESCRIPTION", "Package: q\nImports: p"),
        ],
    },
    resolver: |context| Box::new(Scripts::new(context)),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of R.
struct Scripts<'a> {
    context: &'a Context<'a>,
    libraries: Vec<RootPath>,
}

impl<'a> Scripts<'a> {
    /// Returns the resolver for the image of `context`.
    fn new(context: &'a Context<'a>) -> Self {
        let mut libraries = variable_directories(context, "R_LIBS");
        libraries.extend(variable_directories(context, "R_LIBS_SITE"));
        libraries.extend(LIBRARIES.iter().map(RootPath::new));
        let root = RootPath::root();
        let found = libraries
            .iter()
            .filter_map(|library| context.find_directory(&root, library.as_bytes()));
        let libraries = found.map(|found| found.path).collect();
        Self { context, libraries }
    }

    /// Keeps what the interpreter whose library or program is `file` reads by name.
    fn keep_home(&self, needs: &mut Needs<'_>, file: &RootPath) {
        let mut homes = file.ancestors().take(MAX_HOME);
        let Some(home) =
            homes.find(|home| self.context.find_file(home, "library/base/DESCRIPTION").is_some())
        else {
            return;
        };
        let place = Place::in_file(file);
        let cause = place.cause(EdgeKind::Family, "R reads it by name");
        for (directory, end) in HOME {
            let Some(found) = self.context.find_directory(&home, directory) else {
                continue;
            };
            for (path, entry) in self.context.rootfs.children(&found.path).take(MAX_ENTRIES) {
                if !entry.is_dir() && path.as_bytes().ends_with(end) {
                    needs.mark(path, cause.clone());
                }
            }
        }
        for name in SESSION {
            self.keep_package(needs, name, place);
        }
    }

    /// Keeps those packages of `suggested` that are installed and that the code of `package` names.
    fn keep_suggested(
        &self,
        needs: &mut Needs<'_>,
        package: &RootPath,
        name: &[u8],
        suggested: &[Vec<u8>],
        place: Place<'_>,
    ) {
        let is_installed = |name: &&Vec<u8>| {
            let mut libraries = self.libraries.iter();
            libraries.any(|library| self.context.rootfs.get(&library.child(name)).is_some())
        };
        let installed: BTreeSet<&[u8]> = suggested.iter().filter(is_installed).map(Vec::as_slice).collect();
        if installed.is_empty() {
            return;
        }
        let code = package.join([b"R/".as_slice(), name, b".rdb"].concat());
        let code = self.context.rootfs.read(&code, MAX_CODE);
        for name in named_in_code(&code.unwrap_or_default(), installed) {
            self.keep_package(needs, name, place);
        }
    }

    /// Keeps the description of the package `name`, which brings the package.
    fn keep_package(&self, needs: &mut Needs<'_>, name: &[u8], place: Place<'_>) {
        let file = [name, b"/DESCRIPTION"].concat();
        let mut found = self
            .libraries
            .iter()
            .filter_map(|library| self.context.find_file(library, &file));
        if needs.may_look_up()
            && let Some(found) = found.next()
        {
            needs.follow(&found, &place.cause(EdgeKind::Import, &encode(name)));
        }
    }
}

impl Resolver for Scripts<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() {
            return Ok(());
        }
        let place = Place::in_file(node.path);
        if matches!(node.path.name(), Some(b"libR.so" | b"R")) {
            self.keep_home(needs, node.path);
        }
        let library = self
            .libraries
            .iter()
            .find(|library| node.path.starts_with(library));
        if let Some(library) = library {
            let Some(name) = node.path.components().nth(library.components().count()) else {
                return Ok(());
            };
            let package = library.child(name);
            let description = package.child(b"DESCRIPTION");
            if self.context.rootfs.get(&description).is_none() {
                return Ok(());
            }
            if *node.path != description {
                needs.mark(
                    &description,
                    place.cause(EdgeKind::Distribution, "the package's description"),
                );
                return Ok(());
            }
            let below = package.components().count();
            let found = walk(self.context.rootfs, &package, MAX_ENTRIES, |path, _| {
                let first = path.components().nth(below).unwrap_or_default();
                !NOT_RUN.contains(&first)
            });
            let files: Vec<_> = found.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
            let cause = place.cause(EdgeKind::Distribution, "a file of the package");
            self.context.keep_files(needs, &package, &files, &cause);
            let source = node.source()?;
            for name in described(source, &[b"Depends:", b"Imports:"]) {
                self.keep_package(needs, &name, place);
            }
            self.keep_suggested(
                needs,
                &package,
                name,
                &described(source, &[b"Suggests:", b"Enhances:"]),
                place,
            );
            return Ok(());
        }
        let Some(source) = R.read(node)? else {
            return Ok(());
        };
        let directory = node.path.parent().unwrap_or_else(RootPath::root);
        let bases = [&directory, &self.context.environment.workdir];
        for named in named(source.bytes) {
            match named {
                Named::Package(name) => self.keep_package(needs, name, place),
                Named::Source(file) => {
                    let mut found = bases.iter().filter_map(|base| self.context.find_file(base, file));
                    if let Some(found) = found.next() {
                        needs.follow(&found, &place.cause(EdgeKind::Import, &encode(file)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns those of `names` that a package's code has as texts or symbols. The code is a data base for `lazyLoad`: parts
/// one behind the other, each the length that it unpacks to, as four bytes, and a zlib stream of a value in R's
/// format (R Internals, "Serialization Formats"). Parts in another compression end the search.
fn named_in_code<'n>(code: &[u8], mut names: BTreeSet<&'n [u8]>) -> BTreeSet<&'n [u8]> {
    let mut found = BTreeSet::new();
    let mut left = MAX_PARTS;
    let mut rest = code;
    while let Some((_, packed)) = rest.split_at_checked(4).filter(|_| left > 0 && !names.is_empty()) {
        let mut decoder = flate2::bufread::ZlibDecoder::new(packed);
        let mut part = Vec::new();
        let read = decoder.by_ref().take(left).read_to_end(&mut part);
        left = left.saturating_sub(part.len() as u64);
        let text = |name: &&[u8]| {
            [
                &u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes()[..],
                *name,
            ]
            .concat()
        };
        found.extend(names.extract_if(.., |name| memmem::find(&part, &text(name)).is_some()));
        let used = usize::try_from(decoder.total_in()).unwrap_or(usize::MAX);
        match packed.get(used..) {
            Some(behind) if read.is_ok() && used > 0 => rest = behind,
            _ => break,
        }
    }
    found
}

/// The packages that a description names in the fields `keys`.
fn described(description: &[u8], keys: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut relevant = false;
    for line in description.split(|&b| b == b'\n') {
        let mut value = line;
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let rest = keys.iter().find_map(|key| line.strip_prefix(*key));
            relevant = rest.is_some();
            value = rest.unwrap_or_default();
        }
        if relevant {
            let items = value.split(|&b| b == b',').map(<[u8]>::trim_ascii_start);
            let items = items.map(|item| &item[..name_length(item)]);
            names.extend(
                items
                    .filter(|name| !name.is_empty() && *name != b"R")
                    .map(<[u8]>::to_vec),
            );
        }
    }
    names.truncate(MAX_PACKAGES);
    names
}

/// The length of the name that `text` begins with.
fn name_length(text: &[u8]) -> usize {
    text.iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
        .count()
}

/// A thing that a script names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named<'s> {
    Package(&'s [u8]),
    Source(&'s [u8]),
}

/// The packages and scripts that a script names; comments and texts are skipped.
fn named(source: &[u8]) -> BTreeSet<Named<'_>> {
    let mut found = BTreeSet::new();
    let mut at = 0;
    while let Some(&byte) = source.get(at) {
        let rest = &source[at..];
        match byte {
            b'#' => at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
            b'"' | b'\'' | b'`' => at += text_length(rest),
            _ if byte.is_ascii_alphabetic() || byte == b'.' => {
                let name = &rest[..name_length(rest)];
                at += name.len();
                let behind = &source[at..];
                if behind.starts_with(b"::") {
                    found.insert(Named::Package(name));
                } else if let Some(argument) = behind.trim_ascii_start().strip_prefix(b"(") {
                    let argument = argument.trim_ascii_start();
                    let quoted = argument.first().is_some_and(|b| matches!(b, b'"' | b'\''));
                    let text = if quoted {
                        let length = text_length(argument);
                        argument.get(1..length.saturating_sub(1)).unwrap_or_default()
                    } else {
                        &argument[..name_length(argument)]
                    };
                    if LOADERS.contains(&name) && !text.is_empty() && name_length(text) == text.len() {
                        found.insert(Named::Package(text));
                    } else if quoted && matches!(name, b"source" | b"sys.source") {
                        found.insert(Named::Source(text));
                    }
                }
            }
            _ => at += 1,
        }
        if found.len() >= MAX_PACKAGES {
            break;
        }
    }
    found
}

/// The length of the text with which `source` begins, marks included.
fn text_length(source: &[u8]) -> usize {
    let mark = source.first();
    let mut at = 1;
    while let Some(byte) = source.get(at) {
        at += 1;
        if *byte == b'\\' {
            at += 1;
        } else if Some(byte) == mark {
            break;
        }
    }
    at.min(source.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reach::languages::source_file::tests::{beside, reached};

    /// A data base for `lazyLoad` with a part for each of `values`.
    fn data_base(values: &[&[u8]]) -> Vec<u8> {
        let mut code = Vec::new();
        for value in values {
            code.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            let mut encoder = flate2::write::ZlibEncoder::new(code, flate2::Compression::default());
            std::io::Write::write_all(&mut encoder, value).unwrap();
            code = encoder.finish().unwrap();
        }
        code
    }

    #[test]
    fn of_suggested_packages_those_that_the_code_names_are_kept() {
        let code = data_base(&[
            b"X\n\0\0\0\x01b",
            b"\0\0\0\x04shed, \0\0\0\x03net\0\0\0\x06netted",
        ]);
        let description = b"Package: a\nSuggests: b, net (>= 2), shed,\n  netted, ted, gone\n";
        let items: &[(&str, &[u8])] = &[
            ("/usr/lib/R/library/a/DESCRIPTION", description),
            ("/usr/lib/R/library/a/R/a.rdb", &code),
            ("/usr/lib/R/library/b/DESCRIPTION", b""),
            ("/usr/lib/R/library/net/DESCRIPTION", b""),
            ("/usr/lib/R/library/netted/DESCRIPTION", b""),
            ("/usr/lib/R/library/she/DESCRIPTION", b""),
            ("/usr/lib/R/library/ted/DESCRIPTION", b""),
        ];
        let from = ["/usr/lib/R/library/a/R/a.rdb"];
        assert_eq!(
            beside(&reached(items, &[], &from, LANGUAGE.resolver), &from),
            [
                "/usr/lib/R/library/a/DESCRIPTION",
                "/usr/lib/R/library/b/DESCRIPTION",
                "/usr/lib/R/library/net/DESCRIPTION",
                "/usr/lib/R/library/netted/DESCRIPTION",
            ]
        );
    }

    proptest! {
        #[test]
        fn damaged_code_names_no_more(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            cut: prop::sample::Index,
        ) {
            let mut code = data_base(&[b"\0\0\0\x01b", b"\0\0\0\x01c"]);
            for (at, byte) in damage {
                let at = at.index(code.len());
                code[at] = byte;
            }
            code.truncate(cut.index(code.len() + 1));
            let names = BTreeSet::from([&b"b"[..], b"c"]);
            prop_assert!(named_in_code(&code, names.clone()).is_subset(&names));
        }
    }

    #[test]
    fn scripts_bring_packages_and_those_that_they_import() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main.R",
                b"library(a)\n# library(no)\nx <- 'library(no)'\nif (requireNamespace(\"b\", quietly=TRUE)) c::f()\nsource('lib.R')\n",
            ),
            ("/app/lib.R", b""),
            ("/usr/lib/R/library/a/DESCRIPTION", b"Package: a\nImports: d (>= 1.0),\n  e\nSuggests: no\nDepends: R (>= 3)\n"),
            ("/usr/lib/R/library/a/R/a.rdb", b""),
            ("/usr/lib/R/library/a/help/a.rdb", b""),
            ("/usr/lib/R/library/a/extdata/t.csv", b""),
            ("/usr/lib/R/site-library/b/DESCRIPTION", b""),
            ("/usr/lib/R/library/c/DESCRIPTION", b""),
            ("/usr/lib/R/library/d/DESCRIPTION", b""),
            ("/usr/lib/R/library/e/DESCRIPTION", b""),
            ("/usr/lib/R/library/no/DESCRIPTION", b""),
        ];
        let from = ["/app/main.R"];
        assert_eq!(
            beside(&reached(items, &[], &from, LANGUAGE.resolver), &from),
            [
                "/app/lib.R",
                "/usr/lib/R/library/a/DESCRIPTION",
                "/usr/lib/R/library/a/R/a.rdb",
                "/usr/lib/R/library/a/extdata/t.csv",
                "/usr/lib/R/library/c/DESCRIPTION",
                "/usr/lib/R/library/d/DESCRIPTION",
                "/usr/lib/R/library/e/DESCRIPTION",
                "/usr/lib/R/site-library/b/DESCRIPTION",
            ]
        );
        let from = ["/usr/lib/R/library/a/R/a.rdb"];
        let reached = reached(items, &[], &from, LANGUAGE.resolver);
        assert_eq!(beside(&reached, &from)[0], "/usr/lib/R/library/a/DESCRIPTION");
    }

    #[test]
    fn an_interpreter_keeps_what_it_reads_by_name() {
        let items: &[(&str, &[u8])] = &[
            ("/usr/lib/R/lib/libR.so", b""),
            ("/usr/lib/R/bin/libtool", b""),
            ("/usr/lib/R/bin/Rscript", b""),
            ("/usr/lib/R/modules/lapack.so", b""),
            ("/usr/lib/R/etc/Renviron", b""),
            ("/usr/lib/R/library/base/DESCRIPTION", b""),
            ("/usr/lib/R/library/compiler/DESCRIPTION", b""),
            ("/usr/lib/R/library/tcltk/DESCRIPTION", b""),
        ];
        let from = ["/usr/lib/R/lib/libR.so"];
        assert_eq!(
            beside(&reached(items, &[], &from, LANGUAGE.resolver), &from),
            [
                "/usr/lib/R/bin/Rscript",
                "/usr/lib/R/etc/Renviron",
                "/usr/lib/R/library/base/DESCRIPTION",
                "/usr/lib/R/library/compiler/DESCRIPTION",
                "/usr/lib/R/modules/lapack.so",
            ]
        );
    }

    #[test]
    fn unfinished_texts_end() {
        for source in ["library('", "library(\"a\\", "'", "a::", "source(\"", "#"] {
            let _ = named(source.as_bytes());
        }
        assert!(named(b"require ( pkg )").contains(&Named::Package(b"pkg")));
    }
}
