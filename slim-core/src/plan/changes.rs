//! The changes of an application to its root file system, and the memory file systems with which the rest can be read-only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Plan;
use super::paths::recorded_path;
use crate::image::{Entry, Rootfs};
use crate::path::RootPath;
use crate::recording::{Access, Actor, Recording};
use crate::spec::Tmpfs;

/// The greatest number of directories that are made writable one by one.
const MAX_DIRECTORIES: usize = 32;

/// The changes of the application to its root file system, outside of mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The accesses to each path that was changed, by its path in the image.
    paths: BTreeMap<RootPath, BTreeSet<Access>>,
    /// The accesses to each path that was read, executed or mapped.
    used: BTreeMap<RootPath, BTreeSet<Access>>,
}

impl Changes {
    /// Returns what the application changed in any run of the recording.
    pub fn new(recording: &Recording, rootfs: &Rootfs) -> Self {
        let mut changes = Self::default();
        for run in recording.runs.values() {
            let mounted = |path: &RootPath| run.container.mounts.iter().any(|m| path.starts_with(&m.target));
            let by_app = run
                .files
                .iter()
                .filter(|used| used.actor == Actor::App && used.on_root);
            for used in by_app {
                let path = recorded_path(used, rootfs);
                // A link may lead from the root file system into a mount.
                if mounted(&used.path) || mounted(&path) {
                    continue;
                }
                let changed = used.access.iter().any(|access| access.is_change());
                let place = if changed {
                    &mut changes.paths
                } else {
                    &mut changes.used
                };
                place.entry(path).or_default().extend(&used.access);
            }
        }
        changes
    }

    /// Returns the files of the image that were written to, or whose attributes were changed, sorted.
    pub fn files(&self, rootfs: &Rootfs) -> BTreeSet<RootPath> {
        self.paths
            .iter()
            .filter(|(path, access)| {
                rootfs.get(path).is_some() && access.iter().any(|access| access.changes_itself())
            })
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Returns the directories of the image in which something was made or removed, sorted.
    pub fn directories(&self, rootfs: &Rootfs) -> BTreeSet<RootPath> {
        self.paths
            .iter()
            .filter(|(path, access)| {
                rootfs.get(path).is_none() || access.iter().any(|access| access.changes_entry())
            })
            .filter_map(|(path, _)| path.ancestors().find(|above| is_directory(rootfs, above)))
            .collect()
    }

    /// Returns a memory file system for each directory in which something changes, with the directory's owner and mode,
    /// and `exec` where something below it was executed or mapped as code; never over a kept file that is read. So have
    /// directories that are there for anybody's temporary files (`/tmp`): a way that nobody exercised may need them.
    pub fn in_memory(&self, plan: &Plan, rootfs: &Rootfs) -> InMemory {
        let mut directories: BTreeSet<RootPath> = BTreeSet::new();
        for (path, access) in &self.paths {
            // Owner and mode of a directory are its own, an entry is its parent's.
            let own = !access.iter().any(|access| access.changes_entry());
            let inside = if own && is_directory(rootfs, path) {
                Some(path.clone())
            } else {
                path.ancestors().find(|above| is_directory(rootfs, above))
            };
            directories.insert(inside.unwrap_or_else(RootPath::root));
        }
        let shared = plan.files.keys().filter(|path| is_for_everybody(rootfs, path));
        let shared: BTreeSet<RootPath> = shared
            .filter(|path| !directories.contains(*path))
            .cloned()
            .collect();
        directories.extend(shared.iter().cloned());
        // Each kept file is looked at once, from its own directory up: directories may be many.
        let mut beside: BTreeMap<RootPath, &RootPath> = BTreeMap::new();
        for path in plan.files.keys() {
            let is_file = rootfs.get(path).is_some_and(|entry| !entry.is_dir());
            if is_file && !self.only_written(path) {
                for above in path.ancestors().filter(|above| directories.contains(above)) {
                    beside.entry(above).or_insert(path);
                }
            }
        }
        let mut result = InMemory::default();
        if let Some(program) = plan.told.first() {
            result.obstacles.push(Obstacle::Told(program.clone()));
        }
        let mut covered = BTreeSet::new();
        for directory in &directories {
            match beside.get(directory) {
                Some(_) if shared.contains(directory) => {}
                Some(&kept) => result.obstacles.push(Obstacle::BesideKept {
                    written: first_below(self.paths.keys(), directory),
                    kept: kept.clone(),
                }),
                None => {
                    covered.insert(directory.clone());
                }
            }
        }
        // A memory file system hides the directories below it, which are then made anew in the same way.
        let hidden: Vec<RootPath> = plan
            .files
            .keys()
            .filter(|path| is_directory(rootfs, path))
            .filter(|path| path.ancestors().any(|above| covered.contains(&above)))
            .cloned()
            .collect();
        covered.extend(hidden);
        if covered.len() > MAX_DIRECTORIES {
            result.obstacles.push(Obstacle::TooMany(covered.len()));
            return result;
        }
        for directory in covered {
            let (Some(entry), Some(target)) = (rootfs.get(&directory), plain(&directory)) else {
                result.obstacles.push(Obstacle::NoForm(directory));
                continue;
            };
            result.tmpfs.push(Tmpfs {
                target: target.to_owned(),
                // A memory file system is root's unless it is said to be another's; Podman has no word for either.
                uid: (entry.uid != 0).then_some(entry.uid),
                gid: (entry.gid != 0).then_some(entry.gid),
                mode: Some(entry.mode & 0o7777),
                exec: self.executes_below(&directory),
                options: Vec::new(),
            });
        }
        result
    }

    /// Returns whether the application only ever wrote to a file of the image, so that it does not miss what is in it: a log.
    fn only_written(&self, path: &RootPath) -> bool {
        let reads = |access: &Access| {
            matches!(
                access,
                Access::Read | Access::Execute | Access::Interpret | Access::Map | Access::ReadLink
            )
        };
        let reads_in = |map: &BTreeMap<RootPath, BTreeSet<Access>>| {
            map.get(path).is_some_and(|access| access.iter().any(reads))
        };
        self.paths.contains_key(path) && !reads_in(&self.paths) && !reads_in(&self.used)
    }

    fn executes_below(&self, directory: &RootPath) -> bool {
        self.paths.iter().chain(&self.used).any(|(path, access)| {
            path.starts_with(directory)
                && (access.contains(&Access::Execute) || access.contains(&Access::Map))
        })
    }
}

/// Returns the first of the sorted `paths` that is `directory` or below it; `directory` where none is.
fn first_below<'a>(mut paths: impl Iterator<Item = &'a RootPath>, directory: &RootPath) -> RootPath {
    let first = paths.find(|path| path.starts_with(directory));
    first.unwrap_or(directory).clone()
}

/// The memory file systems with which an application can do under a read-only root file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InMemory {
    /// One for each directory in which it writes, sorted by mount point.
    pub tmpfs: Vec<Tmpfs>,
    /// Changes that no memory file system can take. The application may do without.
    pub obstacles: Vec<Obstacle>,
}

/// Why a change cannot go to a memory file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is made in a directory, or to a file, that holds what the application needs of the image.
    BesideKept {
        /// The written path.
        written: RootPath,
        /// The kept path.
        kept: RootPath,
    },
    /// What this program of a job does is its caller's word: the next command may write where none did before.
    Told(RootPath),
    /// It writes in more directories than are made writable one by one.
    TooMany(usize),
    /// `--tmpfs` has no form for a directory's name.
    NoForm(RootPath),
}

impl Obstacle {
    /// Returns the path that cannot be written any more, where it is one.
    pub fn written(&self) -> Option<&RootPath> {
        match self {
            Self::BesideKept { written, .. } => Some(written),
            Self::NoForm(directory) => Some(directory),
            Self::Told(_) | Self::TooMany(_) => None,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BesideKept { written, kept } => write!(f, "it writes {written}, where {kept} is kept"),
            Self::Told(program) => write!(
                f,
                "another command of {program} may write where this one did not; build with --read-only if none does"
            ),
            Self::TooMany(count) => write!(f, "it writes in {count} directories"),
            Self::NoForm(path) => write!(f, "--tmpfs has no form for {path}"),
        }
    }
}

fn is_directory(rootfs: &Rootfs, path: &RootPath) -> bool {
    rootfs.get(path).is_some_and(Entry::is_dir)
}

/// Returns whether anybody may write in the directory at `path`, and nobody remove what is another's.
fn is_for_everybody(rootfs: &Rootfs, path: &RootPath) -> bool {
    let entry = rootfs.get(path).filter(|entry| entry.is_dir());
    entry.is_some_and(|entry| entry.mode & 0o1777 == 0o1777)
}

/// A path that stands for itself in `--tmpfs PATH:OPTIONS`.
fn plain(path: &RootPath) -> Option<&str> {
    let text = std::str::from_utf8(path.as_bytes()).ok()?;
    (!path.is_root() && !text.contains([':', ',']) && !text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::image::memory::tree;
    use crate::plan::{Kept, Totals};
    use crate::recording::tests::run;
    use crate::recording::{FileUse, MountFact, MountKind, Phase};

    fn used(path: &str, access: &[Access]) -> FileUse {
        FileUse {
            path: path.into(),
            is_resolved: false,
            requested_path: None,
            base: None,
            access: access.iter().copied().collect(),
            errors: BTreeSet::new(),
            on_root: true,
            no_follow: false,
            phase: Phase::Serving,
            actor: Actor::App,
            program: None,
        }
    }

    pub(in super::super) fn plan(recording: &Recording, kept_paths: &[&str]) -> Plan {
        let kept = |path: &&str| (RootPath::from(*path), Kept { causes: Vec::new() });
        Plan {
            version: crate::plan::VERSION,
            image: recording.image.clone(),
            reference: "app:1".into(),
            runs: Vec::new(),
            rounds: BTreeMap::new(),
            files: kept_paths.iter().map(kept).collect(),
            left_out: Vec::new(),
            kept_by: Vec::new(),
            removed: Vec::new(),
            machine: None,
            syscalls: Vec::new(),
            capabilities: Vec::new(),
            refused_capabilities: Vec::new(),
            privilege_gain: Vec::new(),
            told: Vec::new(),
            privileged: Vec::new(),
            notes: Vec::new(),
            before: Totals::default(),
            after: Totals::default(),
        }
    }

    /// A recording of one run that used `files`, and a plan that keeps `kept`.
    fn recorded(files: &[(&str, &[Access])], kept: &[&str]) -> (Recording, Plan) {
        let mut run = run(1);
        run.container.mounts = vec![MountFact {
            target: "/data".into(),
            kind: MountKind::Volume,
        }];
        run.files = files.iter().map(|(path, access)| used(path, access)).collect();
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        let plan = plan(&recording, kept);
        (recording, plan)
    }

    fn in_memory(
        rootfs: &[(&str, &[u8])],
        files: &[(&str, &[Access])],
        kept: &[&str],
    ) -> (Vec<String>, Vec<String>) {
        let rootfs = tree(rootfs);
        let (recording, plan) = recorded(files, kept);
        let memory = Changes::new(&recording, &rootfs).in_memory(&plan, &rootfs);
        (
            memory.tmpfs.iter().map(ToString::to_string).collect(),
            memory.obstacles.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn what_is_made_goes_to_the_nearest_directory_of_the_image() {
        let (tmpfs, obstacles) = in_memory(
            &[
                ("/run/", b""),
                ("/run/lock/", b""),
                ("/etc/", b""),
                ("/etc/app.conf", b""),
            ],
            &[("/run/app/new/pid", &[Access::Create, Access::Write])],
            &["/run", "/run/lock", "/etc", "/etc/app.conf"],
        );
        // A kept directory below it is made anew.
        assert_eq!(tmpfs, ["/run:mode=755", "/run/lock:mode=755"]);
        assert!(obstacles.is_empty());
    }

    #[test]
    fn a_job_whose_caller_says_what_it_does_may_write_anywhere() {
        let rootfs = tree(&[("/run/", b"")]);
        let (recording, mut plan) = recorded(&[("/run/pid", &[Access::Create])], &["/run"]);
        let changes = Changes::new(&recording, &rootfs);
        assert_eq!(changes.in_memory(&plan, &rootfs).obstacles, []);
        plan.told = vec!["/usr/bin/tool".into()];
        let memory = changes.in_memory(&plan, &rootfs);
        assert_eq!(memory.obstacles, [Obstacle::Told("/usr/bin/tool".into())]);
        assert_eq!(memory.tmpfs.len(), 1);
    }

    #[test]
    fn directories_for_temporary_files_are_memory_unless_something_kept_is_there() {
        let image: &[(&str, &[u8])] = &[
            ("/tmp/", b"1777"),
            ("/var/tmp/", b"1777"),
            ("/var/tmp/data", b""),
            ("/srv/", b"777"),
        ];
        let kept = ["/tmp", "/var/tmp", "/var/tmp/data", "/srv"];
        let (tmpfs, obstacles) = in_memory(image, &[("/var/tmp/data", &[Access::Read])], &kept);
        assert_eq!(tmpfs, ["/tmp:mode=1777"]);
        assert!(obstacles.is_empty(), "{obstacles:?}");
    }

    #[test]
    fn a_log_that_is_appended_to_needs_its_directory() {
        let image: &[(&str, &[u8])] = &[("/var/log/", b""), ("/var/log/app.log", b"old lines")];
        let kept = ["/var/log", "/var/log/app.log"];
        let (tmpfs, obstacles) = in_memory(image, &[("/var/log/app.log", &[Access::Append])], &kept);
        assert_eq!(tmpfs, ["/var/log:mode=755"]);
        assert!(obstacles.is_empty());
        // One that is read, too, is data.
        let read = [
            ("/var/log/app.log", [Access::Append].as_slice()),
            ("/var/log/app.log", &[Access::Read]),
        ];
        let (tmpfs, obstacles) = in_memory(image, &read, &kept);
        assert!(tmpfs.is_empty());
        assert_eq!(
            obstacles,
            ["it writes /var/log/app.log, where /var/log/app.log is kept"]
        );
    }

    #[test]
    fn a_directory_with_other_kept_files_is_not_hidden() {
        let (tmpfs, obstacles) = in_memory(
            &[("/app/", b""), ("/app/main.py", b""), ("/app-data/", b"")],
            &[
                ("/app/cache.db", &[Access::Create]),
                ("/app-data/x", &[Access::Create]),
            ],
            &["/app", "/app/main.py", "/app-data"],
        );
        assert_eq!(tmpfs, ["/app-data:mode=755"]);
        assert_eq!(obstacles, ["it writes /app/cache.db, where /app/main.py is kept"]);
    }

    #[test]
    fn mounts_are_not_the_root_file_system_even_through_a_link() {
        let (tmpfs, obstacles) = in_memory(
            &[("/data/", b""), ("/srv", b"-> /data")],
            &[("/data/a", &[Access::Create]), ("/srv/b", &[Access::Create])],
            &[],
        );
        assert!(
            tmpfs.is_empty() && obstacles.is_empty(),
            "{tmpfs:?} {obstacles:?}"
        );
    }

    #[test]
    fn what_is_executed_in_memory_may_be() {
        let (tmpfs, _) = in_memory(
            &[("/tmp/", b"")],
            &[
                ("/tmp/jit.so", &[Access::Create, Access::Write]),
                ("/tmp/jit.so", &[Access::Map]),
            ],
            &["/tmp"],
        );
        assert_eq!(tmpfs, ["/tmp:mode=755,exec"]);
    }

    #[test]
    fn more_directories_than_can_be_listed_are_an_obstacle() {
        let names: Vec<String> = (0..40).map(|n| format!("/d{n}/")).collect();
        let image: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), b"".as_slice())).collect();
        let files: Vec<String> = (0..40).map(|n| format!("/d{n}/f")).collect();
        let used: Vec<(&str, &[Access])> = files
            .iter()
            .map(|f| (f.as_str(), [Access::Create].as_slice()))
            .collect();
        let (tmpfs, obstacles) = in_memory(&image, &used, &[]);
        assert!(tmpfs.is_empty());
        assert_eq!(obstacles, ["it writes in 40 directories"]);
    }

    #[test]
    fn files_and_directories_that_change_are_told_apart() {
        let rootfs = tree(&[("/etc/app.conf", b""), ("/run/", b"")]);
        let (recording, _) = recorded(
            &[
                ("/etc/app.conf", &[Access::Write]),
                ("/run/pid", &[Access::Create]),
            ],
            &[],
        );
        let changes = Changes::new(&recording, &rootfs);
        assert_eq!(changes.files(&rootfs), BTreeSet::from(["/etc/app.conf".into()]));
        assert_eq!(changes.directories(&rootfs), BTreeSet::from(["/run".into()]));
    }
}
