//! What the recorded container was given, for the formats that start one.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::shell::plain;
use crate::image::Config;
use crate::path::RootPath;
use crate::recording::{Access, Actor, ContainerFacts, FileUse, MountKind, Purpose, Recording, SocketAction};

/// What the container was given: the earliest recorded run's word.
pub(super) fn facts(recording: &Recording) -> Option<&ContainerFacts> {
    let rank = |purpose| match purpose {
        Purpose::Recorded => 0,
        Purpose::Attached => 1,
        Purpose::Verification => 2,
    };
    let first = recording
        .runs
        .iter()
        .min_by_key(|(id, run)| (rank(run.purpose), run.started, *id));
    first.map(|(_, run)| &run.container)
}

/// Options that describe the container; what it may do is the profiles' to say.
const DESCRIPTIVE: [&str; 13] = [
    "--add-host",
    "--entrypoint",
    "--env",
    "--hostname",
    "--label",
    "--memory",
    "--mount",
    "--network",
    "--publish",
    "--tmpfs",
    "--user",
    "--volume",
    "--workdir",
];

/// The user's own options as name and value, without those that the profiles replace and those that are unknown.
///
/// They were recorded as words of a shell, but a recording may come from anywhere: they are read as such, to be quoted
/// anew, and nothing among them is taken for the image or for a privilege.
pub fn recorded_options(facts: &ContainerFacts) -> Vec<Vec<String>> {
    let mut words = facts.options.iter().map(|word| plain(word).into_owned());
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None if word == "--read-only" => (word, None),
            None => (word, words.next()),
        };
        let security = value.as_deref().and_then(|value| value.split(['=', ':']).next());
        let wanted = match name.as_str() {
            // A flag: a word behind it would be taken for the image.
            "--read-only" => value.is_none(),
            "--security-opt" => matches!(security, Some("label" | "systempaths")),
            name => DESCRIPTIVE.contains(&name) && value.is_some(),
        };
        if wanted {
            options.push([Some(name), value].into_iter().flatten().collect());
        }
    }
    options
}

/// The values of an option, by its name.
pub(super) fn values<'a>(options: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let named = options.iter().filter(|option| option[0] == name);
    named
        .filter_map(|option| option.get(1).map(String::as_str))
        .collect()
}

/// The command to give after the image: what ran, behind the entrypoint, where the image's own `CMD` would differ.
pub fn recorded_command(facts: &ContainerFacts, options: &[Vec<String>], config: &Config) -> Vec<String> {
    let entrypoint = options.iter().find_map(|option| match option.as_slice() {
        [name, value] if name == "--entrypoint" => Some(value),
        _ => None,
    });
    let (before, default) = match entrypoint {
        // An entrypoint of the user's own resets the image's command.
        Some(entrypoint) => (vec![entrypoint.clone()], Vec::new()),
        None => (config.entrypoint(), config.cmd()),
    };
    match facts.command.strip_prefix(before.as_slice()) {
        Some(rest) if rest != default => rest.to_vec(),
        _ => Vec::new(),
    }
}

/// The lowest port below 1024 that the application binds to without CAP_NET_BIND_SERVICE: the recorded container's
/// `net.ipv4.ip_unprivileged_port_start` let it, and elsewhere that must be set too.
pub(super) fn unprivileged_port(context: &Context<'_>) -> Option<u16> {
    let granted = context
        .plan
        .capabilities
        .iter()
        .any(|capability| capability.name == "CAP_NET_BIND_SERVICE");
    let runs = context.recording.runs.values();
    let low = runs.flat_map(|run| {
        let start = run.host.unprivileged_port_start.unwrap_or(1024);
        let bound = run.sockets.iter().filter(move |socket| {
            socket.actor == Actor::App
                && socket.action == SocketAction::Bind
                && matches!(socket.family.as_str(), "inet" | "inet6")
                && (1..1024).contains(&socket.port)
                && socket.port >= start
        });
        bound.map(|socket| socket.port)
    });
    low.min().filter(|_| !granted)
}

/// What the application changed on its root file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Files of the image that were written to, or whose attributes were changed.
    pub(super) files: BTreeSet<RootPath>,
    /// Directories of the image in which something was made or removed.
    pub(super) directories: BTreeSet<RootPath>,
}

impl Changed {
    /// What was changed outside of mounts, by the application.
    pub(super) fn of(context: &Context<'_>) -> Self {
        let rootfs = &context.image.rootfs;
        let mut changed = Self::default();
        for run in context.recording.runs.values() {
            let mounted = |path: &RootPath| run.container.mounts.iter().any(|m| path.starts_with(&m.target));
            let by_app = run.files.iter().filter(|used| used.actor == Actor::App);
            for used in by_app.filter(|used| is_change(used)) {
                let path = if used.truth {
                    used.path.clone()
                } else {
                    rootfs.resolve(&used.path, !used.no_follow).path
                };
                if mounted(&path)
                    || ["/proc", "/sys", "/dev"]
                        .iter()
                        .any(|top| path.starts_with(&RootPath::new(top)))
                {
                    continue;
                }
                let exists = rootfs.get(&path).is_some();
                if exists && used.access.iter().any(changes_itself) {
                    changed.files.insert(path.clone());
                }
                if !exists || used.access.iter().any(changes_directory) {
                    let directory = path.ancestors().find(|directory| rootfs.get(directory).is_some());
                    changed.directories.extend(directory);
                }
            }
        }
        changed
    }

    /// The directories to mount memory over for the rest to be read-only; none where that would hide or lose
    /// something: a file of the image that is written to, or the other files of a directory.
    pub(super) fn in_memory(&self, context: &Context<'_>) -> Option<BTreeMap<RootPath, Owner>> {
        let rootfs = &context.image.rootfs;
        let mut all = BTreeMap::new();
        if !self.files.iter().all(|path| self.directories.contains(path)) {
            return None;
        }
        for directory in self.directories.iter().filter(|directory| {
            // What is below another one is in it.
            directory
                .ancestors()
                .all(|above| !self.directories.contains(&above))
        }) {
            let entry = rootfs.get(directory)?;
            if directory.is_root() || rootfs.children(directory).next().is_some() {
                return None;
            }
            all.insert(
                directory.clone(),
                Owner {
                    uid: entry.uid,
                    gid: entry.gid,
                    mode: entry.mode & 0o7777,
                },
            );
        }
        Some(all)
    }
}

/// Whose a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

impl Owner {
    /// As options of a tmpfs.
    pub(super) fn options(self) -> String {
        format!("uid={},gid={},mode={:04o}", self.uid, self.gid, self.mode)
    }
}

fn changes_itself(access: &Access) -> bool {
    matches!(access, Access::Write | Access::Append | Access::Attributes)
}

fn changes_directory(access: &Access) -> bool {
    matches!(access, Access::Create | Access::Remove | Access::BindSocket)
}

fn is_change(used: &FileUse) -> bool {
    used.access
        .iter()
        .any(|access| changes_itself(access) || changes_directory(access))
}

/// Mount points that hold the user's data.
pub(super) fn data_mounts(context: &Context<'_>) -> BTreeSet<RootPath> {
    let runs = context.recording.runs.values();
    let mounts = runs.flat_map(|run| &run.container.mounts);
    mounts
        .filter(|mount| matches!(mount.kind, MountKind::Bind | MountKind::Volume | MountKind::Tmpfs))
        .map(|mount| mount.target.clone())
        .collect()
}
