//! The cgroup directories of containers, and the tasks in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::mountinfo::{self, Mount};

/// Returns where the whole cgroup2 hierarchy is mounted.
pub(crate) fn mount() -> Option<PathBuf> {
    let mounts = mountinfo::of_self()?;
    let unified = mounts
        .into_iter()
        .find(|mount| mount.kind == "cgroup2" && is_whole(mount))?;
    Some(unified.point)
}

/// Returns whether a mount shows its hierarchy from the root on.
fn is_whole(mount: &Mount) -> bool {
    mount.root == Path::new("/")
}

/// Returns the cgroup2 directory of the container `id`, which `pid` is a process of; none if no process of this kernel is.
pub fn of_container(id: &str, pid: u32) -> Option<PathBuf> {
    let memberships = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    Some(mount()?.join(member(id, &memberships, |names| names.is_empty())?))
}

/// A container's directory in one hierarchy.
#[cfg(feature = "docker")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The directory.
    pub(crate) directory: PathBuf,
    /// True for the hierarchy of cgroup2, which has every controller.
    pub(crate) unified: bool,
    /// The file system's options, which name the controllers of one of version 1.
    options: String,
}

#[cfg(feature = "docker")]
impl Membership {
    /// Returns whether this hierarchy may have the files of a controller.
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.unified || self.options.split(',').any(|option| option == controller)
    }
}

/// Returns the directories of the container `id`, in the order of the mounts: those that one of its processes is in (the
/// text of `/proc/PID/cgroup`), else those that engines use.
#[cfg(feature = "docker")]
pub(crate) fn memberships(id: &str, mounts: &[Mount], memberships: &str) -> Vec<Membership> {
    let usual = [
        format!("docker/{id}"),
        format!("system.slice/docker-{id}.scope"),
        format!("machine.slice/libpod-{id}.scope"),
    ];
    let hierarchies = mounts
        .iter()
        .filter(|mount| matches!(mount.kind.as_str(), "cgroup" | "cgroup2") && is_whole(mount));
    hierarchies
        .filter_map(|mount| {
            let unified = mount.kind == "cgroup2";
            let mut found = Membership {
                directory: PathBuf::new(),
                unified,
                options: mount.super_options.clone(),
            };
            let is_this = |names: &str| match names {
                "" => unified,
                names => !unified && names.split(',').all(|name| found.has(name)),
            };
            let member = member(id, memberships, is_this).into_iter();
            found.directory = member
                .chain(usual.iter().map(Path::new))
                .map(|path| mount.point.join(path))
                .find(|directory| directory.is_dir())?;
            Some(found)
        })
        .collect()
}

/// Returns the directory that is named after `id`, below its hierarchy's mount: of the line `ID:NAMES:PATH` (proc(5),
/// cgroups(7)) whose names `is_this` accepts. The process may be further down, where its container has cgroups of its own.
fn member<'a>(id: &str, memberships: &'a str, is_this: impl Fn(&str) -> bool) -> Option<&'a Path> {
    let path = memberships.lines().find_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (names, path) = line.split_once(":/")?;
        is_this(names).then_some(path)
    })?;
    let is_named = |path: &&Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().contains(id)
    };
    Path::new(path).ancestors().find(is_named)
}

/// Returns the directory of a cgroup and those below it.
fn tree(top: &Path) -> Vec<PathBuf> {
    let mut all = vec![top.to_owned()];
    let mut next = 0;
    while next < all.len() && all.len() < 10_000 {
        if let Ok(entries) = std::fs::read_dir(&all[next]) {
            all.extend(
                entries
                    .flatten()
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
        }
        next += 1;
    }
    all
}

fn numbers(top: &Path, file: &str) -> BTreeSet<u32> {
    tree(top)
        .iter()
        .filter_map(|directory| std::fs::read_to_string(directory.join(file)).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| line.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// Returns the processes in a cgroup and below it.
pub(crate) fn processes(top: &Path) -> BTreeSet<u32> {
    numbers(top, "cgroup.procs")
}

/// Returns the threads in a cgroup and below it, each with its process.
pub(crate) fn threads(top: &Path) -> BTreeSet<(u32, u32)> {
    processes(top)
        .into_iter()
        .flat_map(|pid| {
            std::fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(move |entry| Some((pid, entry.file_name().to_str()?.parse().ok()?)))
        })
        .collect()
}

/// The work of a container's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The processor time that they have used so far.
    pub processor: Duration,
    /// True if one of them runs at this moment, waits for a processor or for a disk.
    pub runnable: bool,
}

/// Returns the work of the processes in a cgroup2 directory and below it; none if it is gone.
pub(crate) fn work(top: &Path) -> Option<Work> {
    let stat = std::fs::read_to_string(top.join("cpu.stat")).ok()?;
    let used = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
    let runs = |(pid, thread): (u32, u32)| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat"));
        stat.is_ok_and(|stat| is_runnable(&stat))
    };
    Some(Work {
        processor: Duration::from_micros(used.parse().ok()?),
        runnable: threads(top).into_iter().take(MOST_THREADS).any(runs),
    })
}

/// Number of threads whose state is looked at.
const MOST_THREADS: usize = 512;

/// Returns whether the state in a `/proc/PID/stat` is R (running) or D (waiting for a disk); the name before it may hold
/// anything.
fn is_runnable(stat: &str) -> bool {
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|rest| rest.starts_with(['R', 'D']))
}

/// Returns whether any process is left in a cgroup or below it.
pub(crate) fn populated(top: &Path) -> bool {
    std::fs::read_to_string(top.join("cgroup.events"))
        .is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
}

/// Returns the number of the system call that a thread is blocked in; none if it runs or is gone.
pub(crate) fn blocked(pid: u32, thread: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall")).ok()?;
    text.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_state_follows_the_name() {
        assert!(super::is_runnable("12 (a) R 1 12"));
        assert!(super::is_runnable("12 (a) S (b) D 1 12"));
        assert!(!super::is_runnable("12 (a) R) S 1 12"));
    }

    #[test]
    fn a_containers_directory_has_its_id_in_its_name() {
        let member = |memberships| super::member("abc", memberships, |names| names.is_empty());
        let scope = Path::new("system.slice/docker-abc.scope");
        assert_eq!(member("0::/docker/abc\n"), Some(Path::new("docker/abc")));
        assert_eq!(
            member("3:pids:/x\n0::/system.slice/docker-abc.scope\n"),
            Some(scope)
        );
        assert_eq!(
            member("0::/system.slice/docker-abc.scope/init.scope\n"),
            Some(scope)
        );
        assert_eq!(member("0::/docker/xyz\n"), None);
        assert_eq!(member("3:pids:/docker/abc\n"), None);
    }
}
