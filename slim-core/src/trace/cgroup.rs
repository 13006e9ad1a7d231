//! The container's cgroup directory, and the tasks in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where cgroup2 is mounted.
pub(super) fn mount() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        // One that shows the hierarchy from its root.
        let (root, target) = (left.next()?, left.next()?);
        (right.starts_with("cgroup2 ") && root == "/").then(|| PathBuf::from(target.replace("\\040", " ")))
    })
}

/// The cgroup2 directory of the container `id`, which `pid` is a process of; none if no process of this kernel is.
pub fn of_container(id: &str, pid: u32) -> Option<PathBuf> {
    let memberships = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    Some(mount()?.join(named(id, &memberships)?))
}

/// The directory that is named after `id`. The process may be further down, where its container has cgroups of its own.
fn named<'a>(id: &str, memberships: &'a str) -> Option<&'a Path> {
    let path = memberships.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let is_named = |path: &&Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().contains(id)
    };
    Path::new(path).ancestors().find(is_named)
}

/// The directories of a cgroup and of those below it.
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

/// The processes in a cgroup and below it.
pub(super) fn processes(top: &Path) -> BTreeSet<u32> {
    numbers(top, "cgroup.procs")
}

/// The threads in a cgroup and below it, of each process.
pub(super) fn threads(top: &Path) -> BTreeSet<(u32, u32)> {
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

/// Whether any process is left in it.
pub(super) fn populated(top: &Path) -> bool {
    std::fs::read_to_string(top.join("cgroup.events"))
        .is_ok_and(|text| text.lines().any(|line| line == "populated 1"))
}

/// The number of the system call that a thread is blocked in; none if it runs or is gone.
pub(super) fn blocked(pid: u32, thread: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall")).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Mount points inside a process's root, without `/`.
pub(super) fn mount_points(pid: u32) -> Vec<Vec<u8>> {
    let Ok(text) = std::fs::read(format!("/proc/{pid}/mountinfo")) else {
        return Vec::new();
    };
    text.split(|&b| b == b'\n')
        .filter_map(|line| line.split(|&b| b == b' ').nth(4))
        .filter(|target| *target != b"/")
        .map(unescape)
        .collect()
}

/// `\040` and its like, as the kernel writes blanks in a table.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\'
            && let Some(digits) = tail.get(..3)
            && let Some(byte) = std::str::from_utf8(digits)
                .ok()
                .and_then(|d| u8::from_str_radix(d, 8).ok())
        {
            out.push(byte);
            rest = &tail[3..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_containers_directory_has_its_id_in_its_name() {
        let named = |memberships| super::named("abc", memberships);
        let scope = Path::new("system.slice/docker-abc.scope");
        assert_eq!(named("0::/docker/abc\n"), Some(Path::new("docker/abc")));
        assert_eq!(
            named("3:pids:/x\n0::/system.slice/docker-abc.scope\n"),
            Some(scope)
        );
        assert_eq!(
            named("0::/system.slice/docker-abc.scope/init.scope\n"),
            Some(scope)
        );
        assert_eq!(named("0::/docker/xyz\n"), None);
        assert_eq!(named("3:pids:/docker/abc\n"), None);
    }

    #[test]
    fn mount_points_are_unescaped() {
        assert_eq!(super::unescape(b"/a\\040b\\134c"), b"/a b\\c");
        assert_eq!(super::unescape(b"/a\\04"), b"/a\\04");
    }
}
