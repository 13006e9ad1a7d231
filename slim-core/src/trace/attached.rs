//! The state of a container that runs already when the tracer attaches, from `/proc`: its programs, the files that they
//! map, their open files and working directories.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::sockets;
use crate::cgroup;
use crate::mountinfo::{self, Mount};
use crate::path::RootPath;
use crate::recording::{Access, Actor, ContainerFacts, FileUse, MountFact, MountKind, Phase, SocketUse};
use crate::spec::capability_name;
use crate::spec::system_mounts;

/// Returns the programs of the processes in a cgroup2 directory.
pub fn programs(cgroup: &Path) -> BTreeSet<RootPath> {
    let running = cgroup::processes(cgroup).into_iter();
    running.filter_map(|pid| link(pid, "exe")).collect()
}

/// Returns the bounds of the first process in a cgroup2 directory, as far as `/proc` has them; none where there is no
/// process.
///
/// The options behind them, the variables that the user added and the rules of a seccomp filter are not in `/proc`; the
/// command line may have been changed by the process, and is not taken for the command.
pub fn container_facts(cgroup: &Path) -> Option<ContainerFacts> {
    let processes = cgroup::processes(cgroup);
    let read = |pid: u32, name: &str| std::fs::read(format!("/proc/{pid}/{name}")).ok();
    processes.iter().find_map(|&pid| {
        let status = String::from_utf8_lossy(&read(pid, "status")?).into_owned();
        // The others descend from it.
        let parent = field(&status, "PPid")?.parse().ok()?;
        if processes.contains(&parent) {
            return None;
        }
        let real_id = |name| {
            let ids = field(&status, name).unwrap_or_default();
            ids.split_whitespace().next().unwrap_or_default().to_owned()
        };
        let bounding = u64::from_str_radix(field(&status, "CapBnd")?, 16).ok()?;
        let (mounts, read_only) = mount_facts(&mountinfo::of_process(pid)?);
        Some(ContainerFacts {
            user: match (real_id("Uid"), real_id("Gid")) {
                (user, group) if user == "0" && group == "0" => String::new(),
                (user, group) => format!("{user}:{group}"),
            },
            workdir: link(pid, "cwd").map(|path| path.to_string()).unwrap_or_default(),
            mounts,
            capabilities: (0..u64::BITS)
                .filter(|bit| bounding >> bit & 1 == 1)
                .map(|bit| capability_name(bit).into_owned())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            no_new_privileges: field(&status, "NoNewPrivs") == Some("1"),
            read_only,
            seccomp_unconfined: field(&status, "Seccomp") == Some("0"),
            ..ContainerFacts::default()
        })
    })
}

/// Returns a field of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// Returns the mounts in a process's root directory, and whether the root itself is read-only.
fn mount_facts(all: &[Mount]) -> (Vec<MountFact>, bool) {
    let mut read_only = false;
    let mut mounts = BTreeSet::new();
    for mount in all {
        let target = RootPath::new(mount.point.as_os_str().as_bytes());
        if target == RootPath::new("/") {
            read_only = mount.has_option("ro");
            continue;
        }
        let kind = match mount.kind.as_str() {
            _ if system_mounts::contain(&target) => MountKind::System,
            "tmpfs" => MountKind::Tmpfs,
            _ => MountKind::Bind,
        };
        mounts.insert(MountFact { target, kind });
    }
    (mounts.into_iter().collect(), read_only)
}

/// Returns the mount points inside a process's root directory, without `/`; none if it has ended.
pub(super) fn mount_points(pid: u32) -> Option<Vec<RootPath>> {
    let mounts = mountinfo::of_process(pid)?.into_iter();
    let points = mounts.map(|mount| RootPath::new(mount.point.as_os_str().as_bytes()));
    Some(points.filter(|point| *point != RootPath::new("/")).collect())
}

/// One process.
pub(super) struct Existing {
    /// Its id.
    pub(super) pid: u32,
    /// Its threads.
    pub(super) threads: Vec<u32>,
    /// The executed file.
    pub(super) program: Option<RootPath>,
    /// The files in use.
    pub(super) files: Vec<FileUse>,
    /// The sockets that it listens on or that are connected.
    pub(super) sockets: BTreeSet<SocketUse>,
}

/// Returns the processes in a cgroup.
pub(super) fn existing(cgroup: &Path) -> Vec<Existing> {
    let mut processes = BTreeMap::<u32, Vec<u32>>::new();
    for (pid, thread) in cgroup::threads(cgroup) {
        processes.entry(pid).or_default().push(thread);
    }
    processes
        .into_iter()
        .map(|(pid, threads)| {
            let program = link(pid, "exe");
            Existing {
                pid,
                threads,
                files: files(pid, program.as_ref()),
                sockets: sockets::process_sockets(pid, program.as_ref()),
                program,
            }
        })
        .collect()
}

fn files(pid: u32, program: Option<&RootPath>) -> Vec<FileUse> {
    let mut uses = BTreeMap::<RootPath, BTreeSet<Access>>::new();
    let mut add = |path: Option<RootPath>, access: Access| {
        if let Some(path) = path {
            uses.entry(path).or_default().insert(access);
        }
    };
    add(program.cloned(), Access::Execute);
    add(link(pid, "cwd"), Access::ChangeDirectory);
    for (path, executable) in mapped(&std::fs::read(format!("/proc/{pid}/maps")).unwrap_or_default()) {
        add(Some(path), if executable { Access::Map } else { Access::Read });
    }
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"));
    for entry in descriptors.into_iter().flatten().flatten() {
        let name = entry.file_name();
        add(link(pid, &format!("fd/{}", name.to_string_lossy())), Access::Read);
    }
    let mounts = mount_points(pid).unwrap_or_default();
    uses.into_iter()
        .map(|(path, access)| FileUse {
            is_resolved: true,
            requested_path: None,
            base: None,
            access,
            errors: BTreeSet::new(),
            on_root: !mounts.iter().any(|mount| path.starts_with(mount)),
            no_follow: false,
            phase: Phase::StartUp,
            actor: Actor::App,
            program: program.cloned(),
            path,
        })
        .collect()
}

/// Returns the target of one of the process's links, which the kernel gives below the process's root; none for what has no
/// path.
fn link(pid: u32, name: &str) -> Option<RootPath> {
    let target = std::fs::read_link(format!("/proc/{pid}/{name}")).ok()?;
    path(target.as_os_str().as_bytes())
}

/// Returns a path that the kernel wrote, if it is one (and not `pipe:[1]`) and is still there.
fn path(text: &[u8]) -> Option<RootPath> {
    (text.starts_with(b"/") && !text.ends_with(b" (deleted)") && !text.starts_with(b"/memfd:"))
        .then(|| RootPath::new(text))
}

/// Returns the files in `/proc/PID/maps`, each with true if it is mapped to be executed.
fn mapped(text: &[u8]) -> BTreeSet<(RootPath, bool)> {
    text.split(|&b| b == b'\n')
        .filter_map(|line| {
            // address permissions offset device inode, and the path from column 73 on or one blank further.
            let mut rest = line;
            let mut permissions = &b""[..];
            for field in 0..5 {
                let end = rest.iter().position(|&b| b == b' ')?;
                if field == 1 {
                    permissions = &rest[..end];
                }
                rest = &rest[end + 1..];
            }
            let begin = rest.iter().position(|&b| b != b' ')?;
            Some((path(&rest[begin..])?, permissions.get(2) == Some(&b'x')))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_files_have_the_access_of_their_mapping() {
        let text = b"\
55d0-55d1 r--p 00000000 00:1b 42                         /usr/bin/a b\n\
55d1-55d2 r-xp 00001000 00:1b 42                         /usr/bin/a b\n\
7f00-7f01 rw-p 00000000 00:00 0 \n\
7f01-7f02 r--p 00000000 00:1b 43                         /tmp/x (deleted)\n\
7ffd-7ffe rw-p 00000000 00:00 0                          [stack]\n";
        let found: Vec<_> = mapped(text)
            .into_iter()
            .map(|(path, x)| (path.to_string(), x))
            .collect();
        assert_eq!(
            found,
            [
                ("/usr/bin/a b".to_owned(), false),
                ("/usr/bin/a b".to_owned(), true)
            ]
        );
    }

    #[test]
    fn mounts_are_sorted_by_target_and_type() {
        let text = "\
1 0 0:1 / / ro,relatime - overlay overlay rw
2 1 0:2 / /proc rw - proc proc rw
3 2 0:2 /sys /proc/sys ro - proc proc rw
4 1 0:3 / /run rw - tmpfs tmpfs rw
5 1 8:1 /x/hosts /etc/hosts rw - ext4 /dev/sda1 rw
6 1 8:1 /data /a\\040b rw shared:1 - ext4 /dev/sda1 rw
";
        let (mounts, read_only) = mount_facts(&mountinfo::parse(text.as_bytes()));
        assert!(read_only);
        let seen: Vec<_> = mounts.iter().map(|m| (m.target.to_string(), m.kind)).collect();
        assert_eq!(
            seen,
            [
                ("/a b".to_owned(), MountKind::Bind),
                ("/etc/hosts".to_owned(), MountKind::System),
                ("/proc".to_owned(), MountKind::System),
                ("/proc/sys".to_owned(), MountKind::System),
                ("/run".to_owned(), MountKind::Tmpfs),
            ]
        );
    }

    #[test]
    fn a_process_has_its_bounds_in_proc() {
        // This one, in a cgroup that a directory of the same form stands in for.
        let cgroup = tempfile::tempdir().expect("a directory");
        std::fs::write(
            cgroup.path().join("cgroup.procs"),
            format!("{}\n", std::process::id()),
        )
        .expect("a file");
        let facts = container_facts(cgroup.path()).expect("it runs");
        let here = std::env::current_dir().expect("a directory");
        assert_eq!(facts.workdir, here.to_string_lossy());
        assert!(!facts.mounts.is_empty() && facts.capabilities.is_sorted());
        let program = std::env::current_exe().expect("it has a path");
        assert_eq!(
            programs(cgroup.path()),
            BTreeSet::from([RootPath::new(program.as_os_str().as_bytes())])
        );
    }

    #[test]
    fn only_paths_are_paths() {
        assert_eq!(path(b"pipe:[1]"), None);
        assert_eq!(path(b"/memfd:x (deleted)"), None);
        assert_eq!(path(b"/a"), Some("/a".into()));
    }
}
