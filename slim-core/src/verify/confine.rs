//! What a product's container is given: what the original had, less what the plan found it can do without.

use std::collections::BTreeSet;
use std::path::Path;

use crate::engine::ContainerOptions;
use crate::image::{Config, Entry, Rootfs};
use crate::path::RootPath;
use crate::plan::Plan;
use crate::profile::{recorded_command, recorded_options};
use crate::recording::{Access, Actor, ContainerFacts, FileUse, Recording};

/// More directories than this are not made writable one by one.
const MOST_DIRECTORIES: usize = 32;

/// The options of the original's container under the plan's profiles: its seccomp filter in the file `seccomp`, its
/// capabilities and no more, and no-new-privileges unless something gains privilege.
pub fn confined(original: &ContainerOptions, plan: &Plan, seccomp: &Path) -> ContainerOptions {
    let replaced = |option: &&String| {
        let name = option.split(['=', ':']).next().unwrap_or_default();
        !matches!(name, "seccomp" | "apparmor" | "no-new-privileges")
    };
    let mut security_opt: Vec<String> = original.security_opt.iter().filter(replaced).cloned().collect();
    security_opt.push(format!("seccomp={}", seccomp.display()));
    if plan.privilege_gain.is_empty() {
        security_opt.push("no-new-privileges".to_owned());
    }
    ContainerOptions {
        security_opt,
        cap_drop: vec!["ALL".to_owned()],
        cap_add: plan
            .capabilities
            .iter()
            .map(|capability| capability.name.clone())
            .collect(),
        ..original.clone()
    }
}

/// `options` under a loaded AppArmor profile.
pub fn under_apparmor(options: &ContainerOptions, name: &str) -> ContainerOptions {
    let mut options = options.clone();
    options.security_opt.push(format!("apparmor={name}"));
    options
}

/// `options` with a root file system that is read-only, and memory where the application writes.
pub fn read_only(options: &ContainerOptions, tmpfs: &[String]) -> ContainerOptions {
    ContainerOptions {
        read_only: true,
        tmpfs: [options.tmpfs.as_slice(), tmpfs].concat(),
        ..options.clone()
    }
}

/// `options` under an arbitrary user id with group 0, as OpenShift runs containers.
pub fn arbitrary_user(options: &ContainerOptions, user: u32) -> ContainerOptions {
    ContainerOptions {
        user: Some(format!("{user}:0")),
        ..options.clone()
    }
}

/// The options of `docker run` that a recorded container was created with. Values of `--env` are not recorded: they would
/// be taken from slim's own environment. What they ask of the host needs the user's word
/// ([`crate::spec::privileges::of_recording`]).
pub fn recorded(facts: &ContainerFacts, config: &Config) -> ContainerOptions {
    let recorded = recorded_options(facts);
    ContainerOptions {
        command: recorded_command(facts, &recorded, config),
        ..described(&recorded)
    }
}

/// The options of `docker run` that recorded words mean.
pub(crate) fn described(recorded: &[Vec<String>]) -> ContainerOptions {
    let mut options = ContainerOptions::default();
    for words in recorded {
        let (Some(name), value) = (words.first(), words.get(1).cloned()) else {
            continue;
        };
        match (name.as_str(), value) {
            ("--read-only", _) => options.read_only = true,
            (_, None) => {}
            ("--env", Some(value)) => options.env.push(value),
            ("--volume", Some(value)) => options.volume.push(value),
            ("--mount", Some(value)) => options.mount.push(value),
            ("--network", value) => options.network = value,
            ("--publish", Some(value)) => options.publish.push(value),
            ("--user", value) => options.user = value,
            ("--entrypoint", value) => options.entrypoint = value,
            ("--workdir", value) => options.workdir = value,
            ("--hostname", value) => options.hostname = value,
            ("--tmpfs", Some(value)) => options.tmpfs.push(value),
            ("--memory", value) => options.memory = value,
            ("--security-opt", Some(value)) => options.security_opt.push(value),
            ("--add-host", Some(value)) => options.add_host.push(value),
            ("--label", Some(value)) => options.label.push(value),
            _ => {}
        }
    }
    options
}

/// `--tmpfs` for each directory in which the recording saw something written, with the directory's owner and mode, and
/// `exec` where something below it was executed or mapped as code; never over a kept file.
pub fn writable(plan: &Plan, recording: &Recording, rootfs: &Rootfs) -> Writable {
    let uses = || {
        recording
            .runs
            .values()
            .flat_map(|run| run.files.iter().map(move |file| (run, file)))
            .filter(|(_, file)| file.actor == Actor::App && file.on_root)
    };
    let mut directories: BTreeSet<RootPath> = BTreeSet::new();
    for (run, file) in uses() {
        if !writes(file)
            || run
                .container
                .mounts
                .iter()
                .any(|mount| file.path.starts_with(&mount.target))
        {
            continue;
        }
        let path = rootfs.resolve(&file.path, !file.no_follow).path;
        // Owner and mode of a directory are its own, an entry is its parent's.
        let own = !file.access.contains(&Access::Create) && !file.access.contains(&Access::Remove);
        let inside = match rootfs.get(&path) {
            Some(entry) if own && entry.is_dir() => path,
            _ => path.parent().unwrap_or_else(RootPath::root),
        };
        let directory = std::iter::once(inside.clone())
            .chain(inside.ancestors())
            .find(|above| rootfs.get(above).is_some_and(Entry::is_dir))
            .unwrap_or_else(RootPath::root);
        directories.insert(directory);
    }
    // A memory file system hides the directories below it, which are then made anew in the same way.
    let hidden: Vec<RootPath> = plan
        .files
        .keys()
        .filter(|path| rootfs.get(path).is_some_and(Entry::is_dir))
        .filter(|path| {
            directories
                .iter()
                .any(|above| *path != above && path.starts_with(above))
        })
        .cloned()
        .collect();
    let mut writable = Writable::default();
    let mut covered = BTreeSet::new();
    for directory in directories {
        let beside = plan.files.keys().find(|path| {
            path.starts_with(&directory) && rootfs.get(path).is_some_and(|entry| !entry.is_dir())
        });
        match beside {
            Some(beside) => {
                let written = written_below(uses().map(|(_, file)| file), &directory);
                let reason = format!("it writes {written}, where {beside} is kept");
                writable.beside_kept.push(reason);
            }
            None => {
                covered.insert(directory);
            }
        }
    }
    covered.extend(
        hidden
            .into_iter()
            .filter(|path| covered.iter().any(|above| path.starts_with(above)))
            .collect::<Vec<_>>(),
    );
    if covered.len() > MOST_DIRECTORIES {
        writable
            .beside_kept
            .push(format!("it writes in {} directories", covered.len()));
        return writable;
    }
    let executed: Vec<&RootPath> = uses()
        .filter(|(_, file)| file.access.contains(&Access::Execute) || file.access.contains(&Access::Map))
        .map(|(_, file)| &file.path)
        .collect();
    for directory in covered {
        let (Some(entry), Some(text)) = (rootfs.get(&directory), plain(&directory)) else {
            writable
                .beside_kept
                .push(format!("--tmpfs has no form for {directory}"));
            continue;
        };
        let mode = entry.mode & 0o7777;
        let mut option = format!("{text}:uid={},gid={},mode={mode:o}", entry.uid, entry.gid);
        if executed.iter().any(|path| path.starts_with(&directory)) {
            option.push_str(",exec");
        }
        writable.tmpfs.push(option);
    }
    writable
}

/// What an application writes to under a read-only root file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writable {
    /// Values of `--tmpfs`, by directory.
    pub tmpfs: Vec<String>,
    /// What was seen written that no tmpfs can take, a sentence each: a kept file, or one beside it. It may do without.
    pub beside_kept: Vec<String>,
}

/// A path that stands for itself in `--tmpfs PATH:OPTIONS`.
fn plain(path: &RootPath) -> Option<&str> {
    let text = std::str::from_utf8(path.as_bytes()).ok()?;
    (!path.is_root() && !text.contains([':', ',']) && !text.contains(char::is_control)).then_some(text)
}

fn writes(file: &FileUse) -> bool {
    [
        Access::Write,
        Access::Create,
        Access::Attributes,
        Access::Remove,
        Access::BindSocket,
    ]
    .iter()
    .any(|access| file.access.contains(access))
}

/// The first path that was written in `directory`.
fn written_below<'a>(files: impl Iterator<Item = &'a FileUse>, directory: &RootPath) -> String {
    let paths: BTreeSet<&RootPath> = files
        .filter(|file| writes(file) && file.path.starts_with(directory))
        .map(|file| &file.path)
        .collect();
    paths
        .first()
        .map_or_else(|| directory.to_string(), ToString::to_string)
}
