//! Roots: the paths that the recording saw used.
//!
//! - A path that is there is kept as it is in the image: a file with its content, a directory as an entry alone.
//! - A path that is not there (the run created it, or looked for it in vain) keeps the directory in which it was
//!   created or missing, so that it can be created, or go on missing with the same error.
//! - A failed look-up of something that is there keeps it: the same error needs the same entry.
//! - Links on the way come from the path as the program wrote it, followed in the index, even where the kernel gave the end.
//! - What was removed or replaced was there before, and will be there again.
//! - Below a mount the image was hidden: the mount point alone is kept. A volume is seeded from the image, so there
//!   the image's file counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::image::{Entry, LastLink, Outcome, Rootfs};
use crate::path::{RawPath, RootPath};
use crate::plan::{Cause, EdgeKind, Kept, last_link, recorded_path, requested_path};
use crate::reach::resolver::Needs;
use crate::reach::walk::with_ancestors;
use crate::recording::{Access, Actor, FileUse, MountKind, Phase, Recording, Run};
use crate::spec::system_mounts;

/// Returns whether the recording saw an application at work: a program of the container was executed, and files were
/// used.
pub fn observed_anything(recording: &Recording) -> bool {
    recording.runs.values().any(|run| {
        !run.programs.is_empty()
            && run
                .files
                .iter()
                .any(|file| file.actor == Actor::App && file.on_root && !file.access.is_empty())
    })
}

/// Roots for everything that the recording saw.
pub(crate) fn roots<'a>(rootfs: &'a Rootfs, recording: &Recording) -> Needs<'a> {
    let mut seen = Seen::default();
    for (id, run) in &recording.runs {
        let mounts = Mounts::of_run(run);
        for file in &run.files {
            Look {
                rootfs,
                mounts: &mounts,
                run: id,
                file,
            }
            .observe(&mut seen);
        }
        for program in &run.programs {
            let executed = [(&program.path, Access::Execute)];
            let interpreted = program.interpreter.as_ref().map(|path| (path, Access::Interpret));
            for (path, access) in executed.into_iter().chain(interpreted) {
                // The file uses say the same with more detail, unless the kernel could not.
                if !seen
                    .files
                    .contains_key(&rootfs.resolve(path, LastLink::Follow).path)
                {
                    let file = executed_file(path, access, program.phase);
                    Look {
                        rootfs,
                        mounts: &mounts,
                        run: id,
                        file: &file,
                    }
                    .observe(&mut seen);
                }
            }
        }
    }
    seen.into_needs(rootfs)
}

/// The directories of the image whose entries the application listed.
pub(crate) fn listed(rootfs: &Rootfs, recording: &Recording) -> BTreeSet<RootPath> {
    let mut listed = BTreeSet::new();
    for (id, run) in &recording.runs {
        let mounts = Mounts::of_run(run);
        let by_app = |file: &&FileUse| file.actor == Actor::App && file.access.contains(&Access::List);
        for file in run.files.iter().filter(by_app) {
            let look = Look {
                rootfs,
                mounts: &mounts,
                run: id,
                file,
            };
            // What a mount hid was not the image's, nor was a directory that the run made.
            let path = look.end();
            if look.kept_path(&path).as_ref() == Some(&path)
                && mounts.hides(&path).is_none()
                && rootfs.get(&path).is_some_and(Entry::is_dir)
            {
                listed.insert(path);
            }
        }
    }
    listed
}

/// A look of a product's run at something that the image has and the product lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedLook<'a> {
    /// The use.
    pub file: &'a FileUse,
    /// The path in the image that it leads to.
    pub path: RootPath,
    /// True if a directory was listed of which entries are missing, rather than a path looked for in vain.
    pub listed: bool,
}

/// The look-ups of `run`, a run of the product that keeps `kept`, that would have met something in the image; and the
/// directories that it listed, that `recording` did not, and that are not whole in the product.
pub fn missed<'a>(
    rootfs: &Rootfs,
    run: &'a Run,
    recording: &Recording,
    kept: &BTreeMap<RootPath, Kept>,
) -> Vec<MissedLook<'a>> {
    const ABSENT: [u16; 2] = [2, 20];
    let listed_before = listed(rootfs, recording);
    let mounts = Mounts::of_run(run);
    let id = Digest::of(b"");
    let mut all = Vec::new();
    // What a runtime looks for before it has entered the root file system is the host's.
    for file in run
        .files
        .iter()
        .filter(|file| file.on_root || file.actor == Actor::App)
    {
        let look = Look {
            rootfs,
            mounts: &mounts,
            run: &id,
            file,
        };
        let absent = ABSENT.iter().any(|errno| file.errors.contains(errno));
        let listed = file.actor == Actor::App && file.access.contains(&Access::List);
        if !absent && !listed {
            continue;
        }
        let path = look.end();
        if mounts.hides(&path).is_some() {
            continue;
        }
        if absent && rootfs.get(&path).is_some() && !kept.contains_key(&path) {
            all.push(MissedLook {
                file,
                path,
                listed: false,
            });
        } else if listed
            && !listed_before.contains(&path)
            && rootfs.children(&path).any(|(child, _)| !kept.contains_key(child))
        {
            all.push(MissedLook {
                file,
                path,
                listed: true,
            });
        }
    }
    all
}

/// The use that executing a program makes of a file.
fn executed_file(path: &RootPath, access: Access, phase: Phase) -> FileUse {
    FileUse {
        path: path.clone(),
        is_resolved: false,
        requested_path: None,
        base: None,
        access: BTreeSet::from([access]),
        errors: BTreeSet::new(),
        on_root: true,
        no_follow: false,
        phase,
        actor: Actor::App,
        program: None,
    }
}

/// One observer of a path; the order is that of the evidence: the application before the runtime, early before late.
type Observer = (Reverse<Actor>, Phase, Digest, Option<RootPath>, Option<RawPath>);

/// The accesses of an observer, and the error numbers of failed ones.
type Done = (BTreeSet<Access>, BTreeSet<u16>);

/// The uses that recordings hold.
#[derive(Default)]
struct Seen {
    files: BTreeMap<RootPath, BTreeMap<Observer, Done>>,
    /// A link, and what it led to.
    links: BTreeSet<(RootPath, RootPath)>,
}

impl Seen {
    fn into_needs(self, rootfs: &Rootfs) -> Needs<'_> {
        let mut needs = Needs::new(rootfs);
        for (path, observers) in self.files {
            for ((Reverse(actor), phase, run, program, asked), (access, errors)) in observers {
                needs.mark(
                    &path,
                    Cause::Observed {
                        run,
                        phase,
                        actor,
                        program,
                        access,
                        errors,
                        asked,
                    },
                );
            }
        }
        for (link, end) in self.links {
            needs.mark_edge(&link, EdgeKind::Link, &end, None);
        }
        needs
    }
}

/// One file use, looked at in the image.
struct Look<'a> {
    rootfs: &'a Rootfs,
    mounts: &'a Mounts,
    run: &'a Digest,
    file: &'a FileUse,
}

impl Look<'_> {
    fn observe(&self, seen: &mut Seen) {
        let asked = requested_path(self.file, self.rootfs);
        if !self.file.is_resolved {
            let resolved =
                asked.unwrap_or_else(|| self.rootfs.resolve(&self.file.path, last_link(self.file)));
            let end = self.keep(&resolved.path, resolved.outcome != Outcome::TooManyLinks, seen);
            self.keep_links(&resolved.links, end.as_ref(), seen);
            return;
        }
        let end = self.keep(&self.file.path, true, seen);
        if let Some(asked) = asked {
            self.keep_links(&asked.links, end.as_ref(), seen);
        }
    }

    /// The path that was used, by the kernel or else by the index.
    fn end(&self) -> RootPath {
        recorded_path(self.file, self.rootfs)
    }

    /// Keeps what stands for `path` in the image, and says what that is.
    fn keep(&self, path: &RootPath, exists: bool, seen: &mut Seen) -> Option<RootPath> {
        if !exists {
            return None;
        }
        let place = self.kept_path(path)?;
        let differs = |asked: &&RawPath| asked.as_bytes() != place.as_bytes();
        let observer = (
            Reverse(self.file.actor),
            self.file.phase,
            self.run.clone(),
            self.file.program.clone(),
            self.file.requested_path.as_ref().filter(differs).cloned(),
        );
        let (access, errors) = seen
            .files
            .entry(place.clone())
            .or_default()
            .entry(observer)
            .or_default();
        access.extend(&self.file.access);
        errors.extend(&self.file.errors);
        Some(place)
    }

    /// Returns the path that is kept for `path`: itself, the mount point above it, or the nearest directory that is
    /// there.
    fn kept_path(&self, path: &RootPath) -> Option<RootPath> {
        let FileUse {
            is_resolved, on_root, ..
        } = *self.file;
        if !(is_resolved && on_root) {
            if let Some(mount) = self.mounts.hides(path) {
                return self.rootfs.get(mount).map(|_| mount.clone());
            }
            let volume = self.mounts.covers(path).is_some();
            // A mount that is not listed hides the image; so does the host's own root, which a runtime leaves.
            if !on_root && !volume && (is_resolved || self.file.actor == Actor::Runtime) {
                return self
                    .nearest(path)
                    .filter(|path| self.rootfs.get(path).is_some_and(|e| e.is_dir()));
            }
        }
        self.nearest(path)
    }

    fn nearest(&self, path: &RootPath) -> Option<RootPath> {
        Needs::new(self.rootfs).nearest(path)
    }

    fn keep_links(&self, links: &[RootPath], end: Option<&RootPath>, seen: &mut Seen) {
        for link in links {
            match end {
                // A link that a mount hid was not followed.
                Some(end) if self.mounts.hides(link).is_none() => {
                    seen.links.insert((link.clone(), end.clone()));
                }
                Some(_) => {}
                None => {
                    self.keep(link, true, seen);
                }
            }
        }
    }
}

/// The mounts over the image.
struct Mounts(BTreeMap<RootPath, MountKind>);

impl Mounts {
    fn of_run(run: &Run) -> Self {
        // For recordings that list none.
        let system = system_mounts::outermost().map(|path| (RootPath::new(path), MountKind::System));
        let listed = run.container.mounts.iter().map(|m| (m.target.clone(), m.kind));
        Self(
            system
                .into_iter()
                .chain(listed)
                .filter(|(path, _)| !path.is_root())
                .collect(),
        )
    }

    /// The innermost mount point that `path` is or lies below.
    fn covers(&self, path: &RootPath) -> Option<(&RootPath, MountKind)> {
        with_ancestors(path)
            .find_map(|above| self.0.get_key_value(&above))
            .map(|(path, kind)| (path, *kind))
    }

    /// The mount point under which `path` of the image was not seen.
    fn hides(&self, path: &RootPath) -> Option<&RootPath> {
        self.covers(path)
            .filter(|(_, kind)| *kind != MountKind::Volume)
            .map(|(path, _)| path)
    }
}
