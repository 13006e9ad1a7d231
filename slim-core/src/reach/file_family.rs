//! Families of files that programs and libraries load by name when they are used: time zones, name services, character
//! sets, locales, providers of OpenSSL, certificate authorities.
//!
//! Which they are is data: `profiles/reach/families.json`, with its sources. A family comes with a library of a certain
//! name, with a program in machine code that holds a certain text (the name of a function that it imports, a path), or
//! with static programs, which carry what would be a library elsewhere. The text of a script brings none: languages
//! have resolvers of their own.

use std::collections::BTreeSet;
use std::io;
use std::sync::LazyLock;

use globset::GlobSet;

use crate::image::{LastLink, Outcome, Resolved};
use crate::path::RootPath;
use crate::plan::EdgeKind;
use crate::reach::context::{Context, Place};
use crate::reach::elf::constants::Constants;
use crate::reach::elf::parse;
use crate::reach::pattern::{as_path, name_set};
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::tables::Tables;

/// The largest number of files that a family brings from one directory.
const MAX_FILES: usize = 5000;

/// Names of libraries that bring a family, and of those that never do, for each of the table.
static NAMES: LazyLock<Vec<(GlobSet, GlobSet)>> = LazyLock::new(|| {
    let families = Tables::built_in().families.families.iter();
    families
        .map(|family| (name_set(&family.of), name_set(&family.not)))
        .collect()
});

/// One family, ready to be matched.
struct Family {
    why: &'static str,
    of: &'static GlobSet,
    not: &'static GlobSet,
    contains: &'static [String],
    is_static: bool,
    /// The files of it that the image has.
    brings: Vec<Resolved>,
}

/// Keeps families.
pub(super) struct Families<'a> {
    context: &'a Context<'a>,
    families: Vec<Family>,
}

impl<'a> Families<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let families = Tables::built_in().families.families.iter();
        let families = families
            .zip(NAMES.iter())
            .map(|(family, (of, not))| Family {
                why: &family.why,
                of,
                not,
                contains: &family.contains,
                is_static: family.is_static,
                brings: family
                    .brings
                    .iter()
                    .flat_map(|pattern| find_files(context, pattern))
                    .collect(),
            })
            .filter(|family| !family.brings.is_empty())
            .collect();
        Self { context, families }
    }
}

/// Returns what the image has of `pattern`: files, links and, for `/**` at the end, everything below the directories
/// before it.
fn find_files(context: &Context<'_>, pattern: &str) -> Vec<Resolved> {
    let rootfs = context.rootfs;
    let (pattern, below) = match pattern.strip_suffix("/**") {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut paths: Vec<RootPath> = Vec::new();
    // Many links may lead to one directory.
    let mut seen = BTreeSet::new();
    for path in context.find_matches(pattern.as_bytes()) {
        let real = rootfs.resolve(&path, LastLink::Follow);
        let is_directory = rootfs.get(&real.path).is_some_and(|entry| entry.is_dir());
        if is_directory && below {
            if !seen.insert(real.path.clone()) {
                continue;
            }
            let files = rootfs.below(&real.path).filter(|(_, entry)| !entry.is_dir());
            paths.extend(files.take(MAX_FILES).map(|(path, _)| path.clone()));
        } else if !below && (!is_directory || rootfs.get(&path).is_some_and(|entry| entry.is_symlink())) {
            paths.push(path);
        }
    }
    let resolved = paths.iter().map(|path| rootfs.resolve(path, LastLink::Follow));
    resolved
        .filter(|resolved| resolved.outcome == Outcome::Found)
        .collect()
}

impl Resolver for Families<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() || !node.head()?.starts_with(b"\x7fELF") {
            return Ok(());
        }
        let rootfs = self.context.rootfs;
        let name = as_path(node.path.name().unwrap_or_default());
        let elf = parse::parse(&|offset, length| rootfs.read_at(node.path, offset, length))?;
        let is_static = node.entry.mode & 0o111 != 0
            && elf.is_some_and(|elf| {
                elf.interpreter.is_none() && elf.needed.is_empty() && elf.soname.is_none()
            });
        let open = self.families.iter().filter(|family| !family.not.is_match(name));
        let texts = open.clone().flat_map(|family| family.contains);
        let held = match Constants::of_node(node)? {
            Some(constants) => constants.find_texts(texts.map(String::as_bytes))?,
            None => BTreeSet::new(),
        };
        for family in open {
            let holds = |text: &String| held.contains(text.as_bytes());
            let comes = family.of.is_match(name)
                || (is_static && family.is_static)
                || family.contains.iter().any(holds);
            if comes {
                for resolved in &family.brings {
                    let cause = Place::in_file(node.path).cause(EdgeKind::Family, family.why);
                    needs.follow(resolved, &cause);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image::memory::tree;
    use crate::plan::Cause;
    use crate::reach::elf::parse::{Elf, tests::write_with};
    use crate::reach::tests::{image, names as kept_names, reached, used};

    fn kept(path: &str, elf: &Elf, text: &[u8]) -> Vec<String> {
        let program = write_with(elf, text);
        let rootfs = tree(&[
            (path, program.as_slice()),
            ("/usr/share/zoneinfo/UTC", b"tz"),
            ("/usr/share/zoneinfo/Asia/Tokyo", b"tz"),
            ("/usr/share/zoneinfo/Pacific/Fiji", b"tz"),
            ("/usr/share/zoneinfo/posix/Asia/Tokyo", b"tz"),
            ("/usr/share/zoneinfo/right/UTC", b"tz"),
            ("/etc/localtime", b"-> /usr/share/zoneinfo/UTC"),
            ("/etc/services", b"http 80/tcp"),
            ("/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", b"so"),
            ("/usr/lib/x86_64-linux-gnu/gconv/IBM037.so", b"so"),
            ("/etc/ssl/certs/ca-certificates.crt", b"pem"),
        ]);
        let reached = reached(&image(rootfs, json!({})), vec![used(path)]);
        let names = kept_names(&reached);
        let files = names.into_iter().filter(|name| {
            reached.files[&RootPath::new(name)].causes.iter().any(|cause| {
                matches!(
                    cause,
                    Cause::Edge {
                        edge: EdgeKind::Family,
                        ..
                    }
                )
            })
        });
        files.collect()
    }

    #[test]
    fn the_c_library_brings_time_zones_and_services_but_not_their_copies() {
        let library = Elf {
            is_64: true,
            machine: 62,
            soname: Some(b"libc.so.6".to_vec()),
            ..Elf::default()
        };
        let kept = kept("/usr/lib/x86_64-linux-gnu/libc.so.6", &library, b"\0iconv_open\0");
        assert_eq!(
            kept,
            [
                "/etc/services",
                "/usr/share/zoneinfo/Asia/Tokyo",
                "/usr/share/zoneinfo/Pacific/Fiji",
                "/usr/share/zoneinfo/UTC"
            ]
        );
    }

    #[test]
    fn what_draws_text_brings_fonts_and_fontconfig_alone_does_not() {
        let fonts = |name: &str| {
            let library = Elf {
                is_64: true,
                machine: 62,
                soname: Some(name.as_bytes().to_vec()),
                ..Elf::default()
            };
            let path = format!("/usr/lib/x86_64-linux-gnu/{name}");
            let bytes = write_with(&library, b"\0");
            let rootfs = tree(&[
                (path.as_str(), bytes.as_slice()),
                ("/usr/share/fonts/truetype/a/A.ttf", b"font"),
                ("/usr/share/fonts/type1/b.t1", b"-> ../../b/b.t1"),
                ("/usr/share/b/b.t1", b"font"),
                ("/usr/share/fontconfig/conf.avail/10.conf", b"conf"),
            ]);
            let reached = reached(&image(rootfs, json!({})), vec![used(&path)]);
            let mut names = kept_names(&reached);
            names.retain(|name| name.ends_with(".ttf") || name.ends_with(".t1"));
            names
        };
        let all = [
            "/usr/share/b/b.t1",
            "/usr/share/fonts/truetype/a/A.ttf",
            "/usr/share/fonts/type1/b.t1",
        ];
        for draws in [
            "libpangoft2-1.0.so.0",
            "libMagickCore-6.Q16.so.6",
            "libfontmanager.so",
            "libQt5Gui.so.5",
        ] {
            assert_eq!(fonts(draws), all, "{draws}");
        }
        assert!(fonts("libfontconfig.so.1").is_empty());
    }

    #[test]
    fn what_a_program_imports_or_names_brings_its_family() {
        let program = Elf {
            is_64: true,
            machine: 62,
            needed: vec![b"libc.so.6".to_vec()],
            ..Elf::default()
        };
        assert_eq!(
            kept("/app/convert", &program, b"\0iconv_open\0"),
            ["/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"]
        );
        assert_eq!(
            kept("/app/fetch", &program, b"see /etc/ssl/certs/ca-certificates.crt"),
            ["/etc/ssl/certs/ca-certificates.crt"]
        );
        assert_eq!(kept("/app/other", &program, b""), Vec::<String>::new());
        let alone = Elf {
            is_64: true,
            machine: 62,
            ..Elf::default()
        };
        assert!(kept("/app/static", &alone, b"").contains(&"/usr/share/zoneinfo/UTC".to_owned()));
    }
}
