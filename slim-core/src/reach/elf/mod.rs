//! ELF files: the loader that the kernel starts, and the libraries that the loader looks for.
//!
//! Source: ld.so(8) and glibc's `elf/dl-load.c`; musl's `ldso/dynlink.c`. What a loader would find depends on the
//! machine in one way: directories for CPU levels (`glibc-hwcaps`). All that are there are kept.

mod cache;
pub(super) mod constants;
pub(super) mod data;
mod modules;
pub mod parse;
mod search;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::image::{LastLink, Outcome, Resolved, Rootfs};
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind, Kept};
use crate::reach::bytes::contains;
use crate::reach::context::Place;
use crate::reach::environment::Environment;
use crate::reach::resolver::{Needs, Node, Resolver};
use parse::Elf;
use search::System;

/// The largest number of objects that one inherited search path is followed through.
const MAX_OBJECTS: usize = 4096;

/// Keeps loaders and libraries.
pub(super) struct Libraries<'a> {
    rootfs: &'a Rootfs,
    workdir: &'a RootPath,
    library_path: &'a [u8],
    system: System,
    files: Mutex<HashMap<RootPath, Option<Arc<Elf>>>>,
    /// The results of the search behind an object's own paths.
    common: Mutex<HashMap<Wanted, Vec<Resolved>>>,
    found: Mutex<BTreeSet<(RootPath, Vec<u8>)>>,
    missing: Mutex<BTreeSet<(RootPath, Vec<u8>)>>,
}

/// A library for one kind of object.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted {
    name: Vec<u8>,
    is_64: bool,
    big_endian: bool,
    machine: u16,
    no_default: bool,
}

/// An object as a loader has it: found under a name, for another one.
struct Object {
    /// Its path, links followed.
    path: RootPath,
    /// The directory that it was found in, which is `$ORIGIN`.
    origin: RootPath,
    elf: Arc<Elf>,
    /// Who needed it: an index into the list of objects.
    loader: Option<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is complete after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Libraries<'a> {
    /// Looks in `rootfs` as its loaders would in `environment`.
    pub(super) fn new(rootfs: &'a Rootfs, environment: &'a Environment) -> Self {
        Self {
            rootfs,
            workdir: &environment.workdir,
            library_path: environment.get("LD_LIBRARY_PATH").unwrap_or("").as_bytes(),
            system: System::new(rootfs),
            files: Mutex::default(),
            common: Mutex::default(),
            found: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// The file at `path`, parsed once; none if it is no ELF file.
    fn parse_file(&self, path: &RootPath) -> io::Result<Option<Arc<Elf>>> {
        if let Some(elf) = lock(&self.files).get(path) {
            return Ok(elf.clone());
        }
        let elf = if self.rootfs.get(path).is_some_and(|entry| entry.size() >= 52) {
            parse::parse(&|offset, length| self.rootfs.read_at(path, offset, length))?.map(Arc::new)
        } else {
            None
        };
        lock(&self.files).insert(path.clone(), elf.clone());
        Ok(elf)
    }

    /// Returns the ELF files among `kept`, links followed.
    pub(super) fn objects(&self, kept: &BTreeMap<RootPath, Kept>) -> BTreeMap<RootPath, Arc<Elf>> {
        let files = lock(&self.files);
        let objects = files.iter().filter(|(path, _)| kept.contains_key(*path));
        objects
            .filter_map(|(path, elf)| Some((path.clone(), elf.clone()?)))
            .collect()
    }

    /// Keeps what the object at `path` needs, and what its libraries need because of it.
    fn keep_libraries(&self, path: &RootPath, elf: Arc<Elf>, needs: &mut Needs<'_>) -> io::Result<()> {
        let origin = path.parent().unwrap_or_else(RootPath::root);
        let mut seen = BTreeSet::from([(path.clone(), origin.clone())]);
        let mut objects = vec![Object {
            path: path.clone(),
            origin,
            elf,
            loader: None,
        }];
        // In the loader's order, breadth first: who needs a library first decides where it is looked for.
        let mut next = 0;
        while next < objects.len() {
            let elf = objects[next].elf.clone();
            let names = elf.needed.iter().map(|name| (name, true));
            for (name, required) in names.chain(elf.auxiliary.iter().map(|name| (name, false))) {
                let hits = self.find_library(&objects, next, name)?;
                let wanted = || (objects[next].path.clone(), name.clone());
                if !hits.is_empty() {
                    lock(&self.found).insert(wanted());
                } else if required {
                    lock(&self.missing).insert(wanted());
                }
                for (hit, origin) in hits {
                    needs.follow(
                        &hit,
                        &Place::in_file(&objects[next].path)
                            .cause(EdgeKind::Library, &format!("NEEDED {}", encode(name))),
                    );
                    let Some(elf) = self.parse_file(&hit.path)? else {
                        continue;
                    };
                    // Without these it finds what it finds on its own, when its turn comes.
                    let moved = uses_origin(&elf) && hit.path.parent().as_ref() != Some(&origin);
                    if (moved || self.hands_down(&objects, next))
                        && objects.len() < MAX_OBJECTS
                        && seen.insert((hit.path.clone(), origin.clone()))
                    {
                        objects.push(Object {
                            path: hit.path,
                            origin,
                            elf,
                            loader: Some(next),
                        });
                    }
                }
            }
            next += 1;
        }
        Ok(())
    }

    /// Keeps the library `name` that the object at `path` may load while it runs, if the image has it.
    fn keep_named_library(
        &self,
        path: &RootPath,
        name: &[u8],
        cause: &Cause,
        needs: &mut Needs<'_>,
    ) -> io::Result<()> {
        let Some(elf) = self.parse_file(path)? else {
            return Ok(());
        };
        if elf.needed.iter().chain(&elf.soname).any(|known| known == name) {
            return Ok(());
        }
        let objects = [Object {
            path: path.clone(),
            origin: path.parent().unwrap_or_else(RootPath::root),
            elf,
            loader: None,
        }];
        for (hit, _) in self.find_library(&objects, 0, name)? {
            needs.follow(&hit, cause);
        }
        Ok(())
    }

    /// Returns whether the libraries of an object are also looked for where it, or who needed it, says.
    fn hands_down(&self, objects: &[Object], index: usize) -> bool {
        chain(objects, index).any(|object| self.inherited(&object.elf).is_some())
    }

    /// The search path that libraries inherit: musl makes no difference between RPATH and RUNPATH.
    fn inherited<'e>(&self, elf: &'e Elf) -> Option<&'e Vec<u8>> {
        match &elf.runpath {
            Some(runpath) => Some(runpath).filter(|_| self.system.is_musl()),
            None => elf.rpath.as_ref(),
        }
    }

    /// Returns where the loader finds `name` for an object: the file, its variants for newer CPUs, and the directory
    /// that each was found in.
    fn find_library(
        &self,
        objects: &[Object],
        index: usize,
        name: &[u8],
    ) -> io::Result<Vec<(Resolved, RootPath)>> {
        let Object { elf, origin, .. } = &objects[index];
        let mut hits = Vec::new();
        let with_origin = |hits: Vec<Resolved>, place: &RootPath| -> Vec<(Resolved, RootPath)> {
            hits.into_iter().map(|hit| (hit, place.clone())).collect()
        };
        if name.contains(&b'/') {
            for file in search::expand(name, origin, elf.machine, &[]) {
                let hit = self.rootfs.resolve_from(self.workdir, &file, LastLink::Follow);
                if self.fits(&hit, elf)? {
                    let place = self.workdir.join(&file).parent().unwrap_or_else(RootPath::root);
                    return Ok(vec![(hit, self.rootfs.resolve(&place, LastLink::Follow).path)]);
                }
            }
            return Ok(hits);
        }
        let mut own: Vec<Vec<u8>> = Vec::new();
        if elf.runpath.is_none() || self.system.is_musl() {
            for object in chain(objects, index) {
                if let Some(path) = self.inherited(&object.elf) {
                    own.extend(search::expand(path, &object.origin, elf.machine, b":"));
                }
            }
        }
        own.extend(search::expand(self.library_path, origin, elf.machine, b":;"));
        if let Some(path) = &elf.runpath {
            own.extend(search::expand(path, origin, elf.machine, b":"));
        }
        for directory in own {
            let place = self
                .rootfs
                .resolve_from(self.workdir, &directory, LastLink::Follow);
            let (more, done) = self.in_directory(&directory, name, elf)?;
            hits.extend(with_origin(more, &place.path));
            if done {
                return Ok(hits);
            }
        }
        for hit in self.find_in_common_directories(name, elf)? {
            let place = hit
                .links
                .iter()
                .rev()
                .find(|link| link.name() == Some(name))
                .unwrap_or(&hit.path);
            let place = place.parent().unwrap_or_else(RootPath::root);
            hits.push((hit, place));
        }
        Ok(hits)
    }

    /// Returns what the loader finds for any object: its cache, configured and default directories.
    fn find_in_common_directories(&self, name: &[u8], elf: &Elf) -> io::Result<Vec<Resolved>> {
        let wanted = Wanted {
            name: name.to_vec(),
            is_64: elf.is_64,
            big_endian: elf.big_endian,
            machine: elf.machine,
            no_default: elf.no_default,
        };
        if let Some(hits) = lock(&self.common).get(&wanted) {
            return Ok(hits.clone());
        }
        let mut hits = Vec::new();
        let mut done = false;
        let default = search::default_directories(elf);
        for cached in self.system.cached(name) {
            let hit = self.rootfs.resolve(&cached.path, LastLink::Follow);
            let directory = cached.path.parent().unwrap_or_else(RootPath::root);
            let refused = elf.no_default && default.iter().any(|d| *d == directory.as_bytes());
            // The cache has one entry for any CPU, and others for newer ones.
            let served = cached.any_cpu && done;
            if !refused && !served && self.fits(&hit, elf)? {
                done |= cached.any_cpu;
                hits.push(hit);
            }
        }
        let default = default.iter().map(Vec::as_slice).filter(|_| !elf.no_default);
        for directory in self.system.directories().chain(default) {
            if done {
                break;
            }
            let (more, base) = self.in_directory(directory, name, elf)?;
            hits.extend(more);
            done = base;
        }
        lock(&self.common).insert(wanted, hits.clone());
        Ok(hits)
    }

    /// Returns `name` in one directory: variants for newer CPUs, and whether it is there for any CPU, which ends the
    /// search.
    fn in_directory(&self, directory: &[u8], name: &[u8], elf: &Elf) -> io::Result<(Vec<Resolved>, bool)> {
        let mut hits = Vec::new();
        let place = self
            .rootfs
            .resolve_from(self.workdir, directory, LastLink::Follow);
        if !self.rootfs.get(&place.path).is_some_and(|entry| entry.is_dir()) {
            return Ok((hits, false));
        }
        let join = |names: &[&[u8]]| [&[directory], names].concat().join(&b'/');
        let levels = self
            .rootfs
            .resolve(&place.path.join("glibc-hwcaps"), LastLink::Follow);
        if levels.outcome == Outcome::Found {
            for (level, _) in self.rootfs.children(&levels.path) {
                let file = join(&[b"glibc-hwcaps", level.name().unwrap_or_default(), name]);
                let hit = self.rootfs.resolve_from(self.workdir, &file, LastLink::Follow);
                if self.fits(&hit, elf)? {
                    hits.push(hit);
                }
            }
        }
        let hit = self
            .rootfs
            .resolve_from(self.workdir, &join(&[name]), LastLink::Follow);
        let base = self.fits(&hit, elf)?;
        if base {
            hits.push(hit);
        }
        Ok((hits, base))
    }

    /// Returns whether a loader would take this file for `elf`: it goes on looking where class or machine differ.
    fn fits(&self, hit: &Resolved, elf: &Elf) -> io::Result<bool> {
        if hit.outcome != Outcome::Found {
            return Ok(false);
        }
        Ok(self.parse_file(&hit.path)?.is_some_and(|other| {
            (other.is_64, other.big_endian, other.machine) == (elf.is_64, elf.big_endian, elf.machine)
        }))
    }
}

/// Returns an object, the one that needed it, and so on.
fn chain(objects: &[Object], index: usize) -> impl Iterator<Item = &Object> {
    std::iter::successors(objects.get(index), |object| objects.get(object.loader?))
}

/// Returns whether the place of an object says where its libraries are.
fn uses_origin(elf: &Elf) -> bool {
    let paths = elf.rpath.iter().chain(&elf.runpath).chain(&elf.needed);
    paths
        .into_iter()
        .any(|path| contains(path, b"$ORIGIN") || contains(path, b"${ORIGIN"))
}

impl Resolver for Libraries<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if !node.entry.is_file() || !node.head()?.starts_with(b"\x7fELF") {
            return Ok(());
        }
        let Some(elf) = self.parse_file(node.path)? else {
            return Ok(());
        };
        if let Some(loader) = &elf.interpreter {
            let resolved = self.rootfs.resolve_from(self.workdir, loader, LastLink::Follow);
            if resolved.outcome == Outcome::Found {
                needs.follow(
                    &resolved,
                    &Place::in_file(node.path)
                        .cause(EdgeKind::Loader, &format!("PT_INTERP {}", encode(loader))),
                );
            } else if node.entry.mode & 0o111 != 0 {
                needs.add_note(format!(
                    "{}: its loader {} is not in the image",
                    node.path,
                    encode(loader)
                ));
            }
        }
        self.keep_libraries(node.path, elf, needs)
    }

    fn notes(&self, kept: &BTreeMap<RootPath, Kept>) -> Vec<String> {
        let missing = lock(&self.missing);
        let found = lock(&self.found);
        let files = lock(&self.files);
        // A library that is loaded already serves by its name, wherever it was found.
        let loaded: BTreeSet<&[u8]> = kept
            .keys()
            .filter_map(|path| Some((path, files.get(path)?.as_ref()?)))
            .flat_map(|(path, elf)| elf.soname.as_deref().into_iter().chain(path.name()))
            .collect();
        let reason = "is not in the image where a loader looks for it";
        missing
            .difference(&found)
            .filter(|(path, _)| kept.contains_key(path))
            .filter(|(_, name)| !loaded.contains(name.as_slice()) && !self.system.is_built_in(name))
            .map(|(path, name)| format!("{path}: its library {} {reason}", encode(name)))
            .collect()
    }
}
