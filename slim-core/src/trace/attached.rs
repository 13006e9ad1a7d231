//! What a container that runs already has in use when the tracer attaches: its programs, what they map, and their open
//! files and working directories, from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::path::RootPath;
use crate::recording::{Access, Actor, FileUse, Phase};

/// One process.
pub(super) struct Existing {
    /// Its id.
    pub(super) pid: u32,
    /// Its threads.
    pub(super) threads: Vec<u32>,
    /// What it runs.
    pub(super) program: Option<RootPath>,
    /// What it has in use.
    pub(super) files: Vec<FileUse>,
}

/// The processes in a cgroup.
pub(super) fn existing(cgroup: &Path) -> Vec<Existing> {
    let mut processes = BTreeMap::<u32, Vec<u32>>::new();
    for (pid, thread) in super::cgroup::threads(cgroup) {
        processes.entry(pid).or_default().push(thread);
    }
    processes
        .into_iter()
        .map(|(pid, threads)| {
            let program = link(pid, "exe");
            let files = files(pid, program.as_ref());
            Existing {
                pid,
                threads,
                program,
                files,
            }
        })
        .collect()
}

fn files(pid: u32, program: Option<&RootPath>) -> Vec<FileUse> {
    let mut uses = BTreeMap::<RootPath, BTreeSet<Access>>::new();
    let mut used = |path: Option<RootPath>, access: Access| {
        if let Some(path) = path {
            uses.entry(path).or_default().insert(access);
        }
    };
    used(program.cloned(), Access::Execute);
    used(link(pid, "cwd"), Access::ChangeDirectory);
    for (path, executable) in mapped(&std::fs::read(format!("/proc/{pid}/maps")).unwrap_or_default()) {
        used(Some(path), if executable { Access::Map } else { Access::Read });
    }
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"));
    for entry in descriptors.into_iter().flatten().flatten() {
        let name = entry.file_name();
        used(link(pid, &format!("fd/{}", name.to_string_lossy())), Access::Read);
    }
    let mounts: Vec<RootPath> = super::cgroup::mount_points(pid)
        .iter()
        .map(RootPath::new)
        .collect();
    uses.into_iter()
        .map(|(path, access)| FileUse {
            truth: true,
            asked: None,
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

/// Where one of the process's links leads, as the kernel says it below the process's root; none for what has no path.
fn link(pid: u32, name: &str) -> Option<RootPath> {
    let target = std::fs::read_link(format!("/proc/{pid}/{name}")).ok()?;
    path(target.as_os_str().as_bytes())
}

/// A path that the kernel wrote, if it is one (and not `pipe:[1]`) and is still there.
fn path(text: &[u8]) -> Option<RootPath> {
    (text.starts_with(b"/") && !text.ends_with(b" (deleted)") && !text.starts_with(b"/memfd:"))
        .then(|| RootPath::new(text))
}

/// The files in `/proc/PID/maps`, and whether they are mapped to be executed.
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
    fn mapped_files_are_told_by_how_they_are_mapped() {
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
    fn only_paths_are_paths() {
        assert_eq!(path(b"pipe:[1]"), None);
        assert_eq!(path(b"/memfd:x (deleted)"), None);
        assert_eq!(path(b"/a"), Some("/a".into()));
    }
}
