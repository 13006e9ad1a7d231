//! From the kept files of an image to the system calls that they can make.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read as _;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::graph::{self, File, Gate, Names, Step};
use super::sweep::{self, Part};
use crate::cancel::Cancel;
use crate::digest::Digest;
use crate::image::{Entry, Image, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, Kept, ReachableCalls, ReachedStep};
use crate::reach::elf::parse::Elf;
use crate::reach::{Error, Reached, SeccompReach};
use crate::store::Store;

/// The size above which a file is read while no other such is.
const LARGE: u64 = 8 << 20;
/// The largest file that is read.
const LARGEST: u64 = 512 << 20;
/// The largest source that is looked through for names.
const LARGEST_SOURCE: u64 = 16 << 20;
/// The machine of the one instruction set that is followed, as `uname -m` and as image configurations name it.
const MACHINE: (&str, &str) = ("x86_64", "amd64");

/// The kind of what a [`Store`] holds here.
const KIND: &str = "calls";
/// The size from which a file's part is kept: a smaller file is read as soon as its part.
const KEPT: u64 = 256 << 10;

/// Returns the system calls that the kept files of `image` can make; none for level `Observed` and for other machines. What
/// was found in a file before is taken from `store`.
///
/// # Errors
/// [`Error::Cancelled`] soon after `cancel` says so.
pub fn of_kept(
    image: &Image,
    reached: &Reached,
    level: SeccompReach,
    store: Option<&Store>,
    cancel: &Cancel,
) -> Result<Option<ReachableCalls>, Error> {
    if level == SeccompReach::Observed || image.config.architecture() != MACHINE.1 {
        return Ok(None);
    }
    let rootfs = &image.rootfs;
    let needed: BTreeSet<&[u8]> = reached
        .objects
        .values()
        .flat_map(|elf| &elf.needed)
        .map(Vec::as_slice)
        .collect();
    let in_play = reached.objects.iter().filter(|(path, _)| {
        level == SeccompReach::Static || reached.files.get(*path).is_some_and(is_in_play)
    });
    let size = |path: &RootPath| rootfs.get(path).map_or(0, Entry::size);
    let (large, small): (Vec<_>, Vec<_>) = in_play.partition(|(path, _)| size(path) > LARGE);
    let file = |(path, elf): &(&RootPath, &Arc<Elf>)| {
        let (path, size) = (*path, size(path));
        let is_read = size <= LARGEST && !cancel.is_cancelled();
        let part = is_read.then(|| part(rootfs, path, size, store)).flatten();
        let names = elf.soname.as_deref().into_iter().chain(path.name());
        Ok(File {
            path: path.clone(),
            part: part.ok_or_else(|| path.clone())?,
            is_needed: names.into_iter().any(|name| needed.contains(name)),
        })
    };
    // One large file at a time, beside small ones: memory does not grow with the processors.
    let (large, small): (Vec<Result<File, RootPath>>, Vec<_>) = rayon::join(
        || large.iter().map(file).collect(),
        || small.par_iter().map(file).collect(),
    );
    if cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let mut files = Vec::new();
    let mut unread = BTreeSet::new();
    for read in small.into_iter().chain(large) {
        match read {
            Ok(file) => files.push(file),
            Err(path) => drop(unread.insert(path)),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let names = names_in_sources(rootfs, &reached.files, &files);
    let calls = graph::reach(&files, &names);
    let step = |step: Step| ReachedStep {
        file: step.file,
        function: step.function,
        by_name: step.by_name,
    };
    Ok(Some(ReachableCalls {
        machine: MACHINE.0,
        calls: calls
            .numbers
            .into_iter()
            .map(|(number, chain)| (number, chain.into_iter().map(step).collect()))
            .collect(),
        unresolved: calls.unresolved,
        unread,
        withhold: level != SeccompReach::Static,
    }))
}

/// Returns the part of the graph of a file of `size` bytes.
fn part(rootfs: &Rootfs, path: &RootPath, size: u64, store: Option<&Store>) -> Option<Part> {
    let read = |offset: u64, length: usize| rootfs.read_at(path, offset, length);
    let Some(store) = store.filter(|_| size >= KEPT) else {
        return sweep::part(&read, size);
    };
    let mut hash = Sha256::new();
    let Ok(_) = rootfs
        .open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hash))
    else {
        return sweep::part(&read, size);
    };
    let digest = Digest::from_sha256(hash);
    if let Some(part) = store.get(KIND, &digest) {
        return Some(part);
    }
    let part = sweep::part(&read, size)?;
    store.put(KIND, &digest, &part);
    Some(part)
}

/// Returns the numbers of the system calls that one x86-64 ELF file can make by itself, from all that it exports and where
/// it begins; none if it is no such file.
pub fn numbers_of(bytes: &[u8]) -> Option<BTreeSet<u32>> {
    let file = File {
        path: RootPath::root(),
        part: sweep::part_of(bytes)?,
        is_needed: false,
    };
    Some(
        graph::reach(&[file], &Names::default())
            .numbers
            .into_keys()
            .collect(),
    )
}

/// Returns whether a kept file is more than an entry of a directory or of a package that is kept with the others.
fn is_in_play(kept: &Kept) -> bool {
    let beside = |cause: &Cause| {
        matches!(
            cause,
            Cause::Edge {
                edge: EdgeKind::Listed | EdgeKind::Package,
                ..
            }
        )
    };
    !kept.causes.iter().all(beside)
}

/// Returns the names of tables that kept sources use, for each language that has such tables and sources.
fn names_in_sources(rootfs: &Rootfs, kept: &BTreeMap<RootPath, Kept>, files: &[File]) -> Names {
    let mut names = Names::default();
    for gate in [Gate::Python, Gate::Php] {
        let wanted: HashSet<&str> = files
            .iter()
            .filter(|file| file.part.gate() == Some(gate))
            .flat_map(|file| file.part.names_in_tables())
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let sources: Vec<&RootPath> = kept.keys().filter(|path| is_source(rootfs, path, gate)).collect();
        if sources.is_empty() {
            continue;
        }
        let found = sources
            .into_par_iter()
            .fold(HashSet::new, |mut found, path| {
                let mut bytes = Vec::new();
                if let Ok(file) = rootfs.open(path)
                    && file.take(LARGEST_SOURCE).read_to_end(&mut bytes).is_ok()
                {
                    for word in bytes.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') {
                        if let Ok(word) = std::str::from_utf8(word)
                            && wanted.contains(word)
                            && !found.contains(word)
                        {
                            found.insert(word.to_owned());
                        }
                    }
                }
                found
            })
            .reduce(HashSet::new, |mut all, more| {
                all.extend(more);
                all
            });
        names.set(gate, found);
    }
    names
}

/// Returns whether a path is a source of a language: by its name, or as an executable without an extension, which may be a
/// script.
fn is_source(rootfs: &Rootfs, path: &RootPath, gate: Gate) -> bool {
    let Some(entry) = rootfs.get(path).filter(|entry| entry.is_file()) else {
        return false;
    };
    let extensions: &[&[u8]] = match gate {
        Gate::Python => &[b"py", b"pyw", b"pyx", b"pth"],
        Gate::Php => &[b"php", b"phtml", b"inc", b"module", b"phar"],
    };
    match path.extension() {
        Some(extension) => extensions.contains(&extension),
        None => {
            entry.mode & 0o111 != 0
                && entry.size() < LARGEST_SOURCE
                && rootfs.read_at(path, 0, 2).is_ok_and(|head| head == b"#!")
        }
    }
}
