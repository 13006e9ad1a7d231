//! Where loaders look for libraries.

use std::collections::{BTreeMap, BTreeSet};

use globset::Glob;

use super::cache::{self, Cached};
use crate::image::{LastLink, Rootfs};
use crate::path::RootPath;
use crate::reach::bytes::contains;
use crate::reach::elf::parse::Elf;

/// Bounds for what an image's own configuration can make this do.
const MAX_CONFIG: u64 = 1024 * 1024;
const MAX_CACHE: u64 = 16 * 1024 * 1024;
const MAX_CONFIG_FILES: usize = 1000;
const MAX_DIRECTORIES: usize = 1000;

/// The part of a search that is the same for every object of an image.
#[derive(Default)]
pub(super) struct System {
    cache: BTreeMap<Vec<u8>, Vec<Cached>>,
    configured: Vec<Vec<u8>>,
    musl: bool,
}

impl System {
    /// Reads `ld.so.cache`, `ld.so.conf` and what it includes, and musl's `ld-musl-*.path`.
    pub(super) fn new(rootfs: &Rootfs) -> Self {
        let mut system = Self::default();
        if let Some(bytes) = read(rootfs, &RootPath::new("/etc/ld.so.cache"), MAX_CACHE) {
            system.cache = cache::parse(&bytes);
        }
        let mut files = BTreeSet::new();
        configured(
            rootfs,
            &RootPath::new("/etc/ld.so.conf"),
            &mut files,
            &mut system.configured,
        );
        let names = |directory: &str, prefix: &[u8], suffix: &[u8]| -> Vec<RootPath> {
            let directory = rootfs.resolve(&RootPath::new(directory), LastLink::Follow).path;
            let fits = |name: &[u8]| name.starts_with(prefix) && name.ends_with(suffix);
            rootfs
                .children(&directory)
                .filter(|(path, _)| path.name().is_some_and(fits))
                .map(|(path, _)| path.clone())
                .collect()
        };
        system.musl = !names("/lib", b"ld-musl-", b".so.1").is_empty();
        if system.musl {
            let written = names("/etc", b"ld-musl-", b".path")
                .first()
                .and_then(|path| read(rootfs, path, MAX_CONFIG));
            let path = written.unwrap_or_else(|| b"/lib:/usr/local/lib:/usr/lib".to_vec());
            let directories = path
                .split(|b| matches!(b, b':' | b'\n'))
                .filter(|d| d.starts_with(b"/"));
            system
                .configured
                .extend(directories.take(MAX_DIRECTORIES).map(<[u8]>::to_vec));
        }
        system
    }

    /// Returns what the loader's cache has for a name, best first.
    pub(super) fn cached(&self, name: &[u8]) -> &[Cached] {
        self.cache.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the configured directories, in order.
    pub(super) fn directories(&self) -> impl Iterator<Item = &[u8]> {
        self.configured.iter().map(Vec::as_slice)
    }

    /// Returns whether the image has musl's loader.
    pub(super) fn is_musl(&self) -> bool {
        self.musl
    }

    /// Returns whether the loader itself is that library (musl's `load_library` knows these by their beginnings).
    pub(super) fn is_built_in(&self, name: &[u8]) -> bool {
        const RESERVED: [&[u8]; 7] = [
            b"libc.",
            b"libpthread.",
            b"librt.",
            b"libm.",
            b"libdl.",
            b"libutil.",
            b"libxnet.",
        ];
        self.musl && RESERVED.iter().any(|start| name.starts_with(start))
    }
}

fn read(rootfs: &Rootfs, path: &RootPath, limit: u64) -> Option<Vec<u8>> {
    rootfs
        .read(&rootfs.resolve(path, LastLink::Follow).path, limit)
        .ok()
}

/// Adds the directories of one `ld.so.conf` and of what it includes (glibc's `elf/ldconfig.c`, `parse_conf`).
fn configured(rootfs: &Rootfs, path: &RootPath, files: &mut BTreeSet<RootPath>, out: &mut Vec<Vec<u8>>) {
    // Each once: one may include itself.
    if files.len() >= MAX_CONFIG_FILES || !files.insert(path.clone()) {
        return;
    }
    let Some(text) = read(rootfs, path, MAX_CONFIG) else {
        return;
    };
    for line in text.split(|&b| b == b'\n') {
        let line = line.split(|&b| b == b'#').next().unwrap_or(&[]).trim_ascii();
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        match words.next() {
            None | Some(b"hwcap") => {}
            Some(b"include") => {
                for pattern in words {
                    let pattern = path.parent().unwrap_or_else(RootPath::root).join(pattern);
                    for file in matching(rootfs, &pattern) {
                        configured(rootfs, &file, files, out);
                    }
                }
            }
            Some(_) => {
                // A directory may carry a type behind "=" (libc5, libc6).
                let directory = line.split(|&b| b == b'=').next().unwrap_or(&[]).trim_ascii();
                if directory.starts_with(b"/")
                    && out.len() < MAX_DIRECTORIES
                    && !out.iter().any(|d| d == directory)
                {
                    out.push(directory.to_vec());
                }
            }
        }
    }
}

/// The files whose names match the last name of `pattern`, sorted.
fn matching(rootfs: &Rootfs, pattern: &RootPath) -> Vec<RootPath> {
    let (Some(parent), Some(name)) = (pattern.parent(), pattern.name()) else {
        return Vec::new();
    };
    let Some(glob) = std::str::from_utf8(name)
        .ok()
        .and_then(|name| Glob::new(name).ok())
    else {
        return Vec::new();
    };
    let glob = glob.compile_matcher();
    let parent = rootfs.resolve(&parent, LastLink::Follow).path;
    let fits = |path: &RootPath| {
        path.name()
            .and_then(|name| std::str::from_utf8(name).ok())
            .is_some_and(|name| glob.is_match(name))
    };
    rootfs
        .children(&parent)
        .filter(|(path, _)| fits(path))
        .map(|(path, _)| path.clone())
        .collect()
}

/// Returns the directories that loaders have built in, for one kind of object: Debian's by machine, others' by class.
pub(super) fn default_directories(elf: &Elf) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    for library in libraries(elf.machine, elf.is_64) {
        for above in ["/", "/usr/"] {
            directories.push(format!("{above}{library}").into_bytes());
        }
    }
    directories
}

/// The names of library directories for a machine, most particular first.
fn libraries(machine: u16, is_64: bool) -> Vec<&'static str> {
    // `e_machine` in `include/uapi/linux/elf-em.h`; Debian's multiarch tuples.
    let mut names = match (machine, is_64) {
        (62, true) => vec!["lib/x86_64-linux-gnu"],
        (62, false) => vec!["lib/x86_64-linux-gnux32", "libx32"],
        (3, _) => vec!["lib/i386-linux-gnu"],
        (183, _) => vec!["lib/aarch64-linux-gnu"],
        (40, _) => vec!["lib/arm-linux-gnueabihf", "lib/arm-linux-gnueabi"],
        (243, _) => vec!["lib/riscv64-linux-gnu"],
        (21, _) => vec!["lib/powerpc64le-linux-gnu", "lib/powerpc64-linux-gnu"],
        (22, true) => vec!["lib/s390x-linux-gnu"],
        (258, _) => vec!["lib/loongarch64-linux-gnu"],
        (8, true) => vec!["lib/mips64el-linux-gnuabi64"],
        (8, false) => vec!["lib/mipsel-linux-gnu"],
        _ => vec![],
    };
    names.push(if is_64 { "lib64" } else { "lib32" });
    names.push("lib");
    names
}

/// The elements of a search path with `$ORIGIN`, `$LIB` and `$PLATFORM` filled in. What `$LIB` and `$PLATFORM` stand
/// for was decided when the loader was built, so every known value is one element.
pub(super) fn expand(path: &[u8], origin: &RootPath, machine: u16, separators: &[u8]) -> Vec<Vec<u8>> {
    let platforms: &[&str] = match machine {
        62 => &["x86_64", "haswell", "xeon_phi"],
        3 => &["i686", "i586", "i486", "i386"],
        183 => &["aarch64"],
        40 => &["v7l", "v6l"],
        22 => &[
            "z900", "z990", "z9-109", "z10", "z196", "zEC12", "z13", "z14", "z15", "z16",
        ],
        21 => &["power8", "power9", "power10"],
        _ => &[],
    };
    let is_64 = !matches!(machine, 3 | 40);
    let mut out = Vec::new();
    for element in path.split(|b| separators.contains(b)) {
        if path.is_empty() {
            break;
        }
        let with_origin = replace(element, "ORIGIN", origin.as_bytes());
        let with_lib: Vec<Vec<u8>> = if mentions(&with_origin, "LIB") {
            libraries(machine, is_64)
                .iter()
                .map(|lib| replace(&with_origin, "LIB", lib.as_bytes()))
                .collect()
        } else {
            vec![with_origin]
        };
        for element in with_lib {
            if mentions(&element, "PLATFORM") {
                out.extend(
                    platforms
                        .iter()
                        .map(|name| replace(&element, "PLATFORM", name.as_bytes())),
                );
            } else {
                out.push(element);
            }
        }
    }
    out
}

fn tokens(name: &str) -> [Vec<u8>; 2] {
    [
        format!("${{{name}}}").into_bytes(),
        format!("${name}").into_bytes(),
    ]
}

fn mentions(bytes: &[u8], name: &str) -> bool {
    tokens(name).iter().any(|token| contains(bytes, token))
}

fn replace(bytes: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let tokens = tokens(name);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        match tokens
            .iter()
            .find_map(|token| rest.strip_prefix(token.as_slice()))
        {
            Some(behind) => {
                out.extend_from_slice(value);
                rest = behind;
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::memory::tree;

    #[test]
    fn tokens_are_filled_in() {
        let expand = |path: &str| -> Vec<String> {
            let elements = expand(path.as_bytes(), &RootPath::new("/opt/app/bin"), 62, b":");
            elements
                .into_iter()
                .map(|e| String::from_utf8(e).unwrap())
                .collect()
        };
        assert_eq!(
            expand("$ORIGIN/../lib:${ORIGIN}:/x"),
            ["/opt/app/bin/../lib", "/opt/app/bin", "/x"]
        );
        assert_eq!(
            expand("/usr/$LIB"),
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"]
        );
        assert_eq!(
            expand("/p/${PLATFORM}"),
            ["/p/x86_64", "/p/haswell", "/p/xeon_phi"]
        );
        assert_eq!(expand(""), Vec::<String>::new());
        assert_eq!(expand("/a::/b"), ["/a", "", "/b"]);
    }

    #[test]
    fn configuration_includes_and_never_loops() {
        let rootfs = tree(&[
            (
                "/etc/ld.so.conf",
                b"# first\ninclude ld.so.conf.d/*.conf\ninclude /etc/ld.so.conf\n/last # why\n",
            ),
            ("/etc/ld.so.conf.d/b.conf", b"/b\n/shared=libc6\n"),
            (
                "/etc/ld.so.conf.d/a.conf",
                b"/a\n/shared\nhwcap 1 nosegneg\nrelative\n",
            ),
            ("/etc/ld.so.conf.d/a.txt", b"/not\n"),
        ]);
        let system = System::new(&rootfs);
        let directories: Vec<_> = system
            .directories()
            .map(|d| String::from_utf8_lossy(d).into_owned())
            .collect();
        assert_eq!(directories, ["/a", "/shared", "/b", "/last"]);
        assert!(!system.is_musl());
    }

    #[test]
    fn musl_has_a_path_of_its_own() {
        let alpine = tree(&[
            ("/lib/ld-musl-x86_64.so.1", b""),
            ("/etc/ld-musl-x86_64.path", b"/lib\n/opt/lib:/x"),
        ]);
        let system = System::new(&alpine);
        assert_eq!(
            system.directories().collect::<Vec<_>>(),
            [&b"/lib"[..], b"/opt/lib", b"/x"]
        );
        assert!(system.is_built_in(b"libc.musl-x86_64.so.1") && !system.is_built_in(b"libcrypto.so.3"));
    }
}
