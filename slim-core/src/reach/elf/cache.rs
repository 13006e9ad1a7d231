//! `ld.so.cache`: what `ldconfig` found when the image was built, and the loader trusts.
//!
//! Source: glibc's `sysdeps/generic/dl-cache.h` (`struct cache_file_new`), with or without the old format before it.

use std::collections::BTreeMap;

use crate::image::PATH_MAX;
use crate::path::RootPath;
use crate::reach::bytes::{self, ByteOrder};

/// One entry of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cached {
    /// The path of the library.
    pub(super) path: RootPath,
    /// True if it is for any CPU of its architecture.
    pub(super) any_cpu: bool,
}

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const HEADER: usize = 48;
const ENTRY: usize = 24;
const MAX_ENTRIES: usize = 100_000;

/// The entries by library name, in the cache's order; empty if it is not one of a little-endian machine.
pub(super) fn parse(bytes: &[u8]) -> BTreeMap<Vec<u8>, Vec<Cached>> {
    let mut all: BTreeMap<Vec<u8>, Vec<Cached>> = BTreeMap::new();
    let cache = if bytes.starts_with(OLD_MAGIC) {
        // The new one stands behind the old one's entries, aligned.
        let old = number(bytes, 12, 4).saturating_mul(12).saturating_add(16);
        old.checked_next_multiple_of(8)
            .and_then(|start| bytes.get(start..))
            .unwrap_or(&[])
    } else {
        bytes
    };
    if !cache.starts_with(MAGIC) {
        return all;
    }
    let count = number(cache, 20, 4).min(MAX_ENTRIES);
    let entries = cache.get(HEADER..).unwrap_or(&[]);
    for entry in entries.chunks_exact(ENTRY).take(count) {
        let name = text(cache, number(entry, 4, 4));
        let path = text(cache, number(entry, 8, 4));
        if !name.is_empty() && path.starts_with(b"/") {
            all.entry(name.to_vec()).or_default().push(Cached {
                path: RootPath::new(path),
                any_cpu: number(entry, 16, 8) == 0,
            });
        }
    }
    all
}

/// Returns the number of `width` bytes at `at`, 0 beyond the end.
fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    let number = bytes::number(bytes, at, width, ByteOrder::Little).unwrap_or(0);
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The string at an offset, at most a path long.
fn text(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or(&[]);
    let rest = &rest[..rest.len().min(PATH_MAX)];
    rest.split(|&byte| byte == 0).next().unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn this_machines_cache_names_its_c_library() {
        let path = "/etc/ld.so.cache";
        let Ok(bytes) = std::fs::read(path) else {
            panic!("{path}: not there; run ldconfig");
        };
        let cache = parse(&bytes);
        let hits = &cache[b"libc.so.6".as_slice()];
        assert!(
            hits.iter()
                .any(|hit| hit.any_cpu && std::path::Path::new(&*hit.path.display()).exists()),
            "{hits:?}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), old: bool) {
            let mut cache = if old { OLD_MAGIC.to_vec() } else { MAGIC.to_vec() };
            cache.extend(bytes);
            parse(&cache);
        }
    }
}
