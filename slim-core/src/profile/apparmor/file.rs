//! From what was kept and observed to file rules.

use std::collections::{BTreeMap, BTreeSet};

use super::name;
use super::rule::{Glob, Habits, Pattern, Permissions, Rules};
use crate::image::{Entry, Kind, LastLink, Outcome, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, Plan, recorded_path};
use crate::profile::Calls;
use crate::recording::{Access, Actor, FileUse, MountFact, MountKind, Recording, Run};

/// Number of names made in one directory that show that there will be others.
const MANY: usize = 3;

/// The rules for paths.
pub(super) fn rules(plan: &Plan, recording: &Recording, rootfs: &Rootfs) -> Rules {
    let calls = Calls::new(plan);
    let habits = Habits {
        renames: calls.made(&["rename", "renameat", "renameat2"]),
        links: calls.made(&["link", "linkat"]),
        directories: calls.made(&["mkdir", "mkdirat"]),
    };
    let mut rules = Rules::default();
    kept(&mut rules, plan, rootfs);
    let scripts: BTreeSet<RootPath> = recording
        .runs
        .values()
        .flat_map(|run| &run.programs)
        .filter(|program| program.interpreter.is_some())
        .map(|program| real(&program.path, rootfs))
        .collect();
    let written = Written::of(recording, rootfs);
    for run in recording.runs.values() {
        for used in run.files.iter().filter(|used| used.actor == Actor::App) {
            let path = recorded_path(used, rootfs);
            let mut permissions = Permissions::of(&used.access, habits);
            if scripts.contains(&path) {
                // Its interpreter is mapped, it is read.
                permissions.map = used.access.contains(&Access::Map);
            }
            observed(&mut rules, run, used, &path, permissions, &written, rootfs);
            if habits.directories
                && is_nameless(used)
                && let Some(pattern) = written.pattern(&path, used)
                && let Some(below) = pattern.below()
            {
                // A directory that it made is its own, to be filled another time.
                let filled = Permissions {
                    write: true,
                    ..Permissions::READ
                };
                rules.add(below, filled);
            }
        }
        for program in &run.programs {
            let executed = Permissions::of(&BTreeSet::from([Access::Execute]), habits);
            let path = real(&program.path, rootfs);
            let own = Permissions {
                map: program.interpreter.is_none(),
                ..executed
            };
            rules.add(Pattern::exact(path.as_bytes()), own);
            if let Some(interpreter) = &program.interpreter {
                let path = real(interpreter, rootfs);
                rules.add(Pattern::exact(path.as_bytes()), executed);
            }
        }
    }
    rules.shrink();
    rules
}

/// Rules for what is kept because something needs it.
fn kept(rules: &mut Rules, plan: &Plan, rootfs: &Rootfs) {
    for (path, kept) in &plan.files {
        if rootfs
            .get(path)
            .is_some_and(|entry| matches!(entry.kind, Kind::Symlink { .. } | Kind::Directory))
        {
            // A link is followed before anything is asked; a directory counts only where it was listed.
            continue;
        }
        let mut permissions = Permissions::READ;
        for cause in &kept.causes {
            if let Cause::Edge { edge, .. } = cause {
                permissions.map |=
                    matches!(edge, EdgeKind::Library | EdgeKind::Loader | EdgeKind::Interpreter);
                permissions.execute |= *edge == EdgeKind::Interpreter;
            }
        }
        rules.add(Pattern::exact(path.as_bytes()), permissions);
    }
}

/// The rules for one recorded use of a file.
fn observed(
    rules: &mut Rules,
    run: &Run,
    used: &FileUse,
    path: &RootPath,
    permissions: Permissions,
    written: &Written,
    rootfs: &Rootfs,
) {
    if permissions.is_empty() {
        return;
    }
    let listed = used.access.contains(&Access::List);
    if path.starts_with(&RootPath::new("/proc")) {
        rules.add(in_proc(path, listed), permissions);
        return;
    }
    if path.starts_with(&RootPath::new("/dev/pts")) && path.name().is_some_and(is_number) {
        rules.add(Pattern::exact(b"/dev/pts/").glob(Glob::Number), permissions);
        return;
    }
    if let Some(mount) = mount_of(run, path)
        && *path != mount.target
        && holds_data(mount)
    {
        // What is in a volume is not the image's: other names may be there next time.
        let data = Permissions {
            map: false,
            execute: false,
            ..permissions
        };
        let whole = Pattern::exact(mount.target.as_bytes()).text(b"/");
        rules.add(whole.glob(Glob::AndBelow), data);
        if permissions.map || permissions.execute {
            rules.add(Pattern::exact(path.as_bytes()), permissions);
        }
        return;
    }
    if let Some(pattern) = written.pattern(path, used) {
        rules.add(pattern, permissions);
        return;
    }
    let directory = rootfs.get(path).map_or(listed, Entry::is_dir);
    let slash: &[u8] = if directory && !path.is_root() { b"/" } else { b"" };
    rules.add(Pattern::exact(path.as_bytes()).text(slash), permissions);
}

/// Files that the application made: names that the image does not have, below directories that it has.
struct Written {
    /// By the image's directory: the names made in it, and whether something was made below them.
    made: BTreeMap<RootPath, Directory>,
}

/// A directory of the image that something was made in.
#[derive(Default)]
struct Directory {
    /// Each name, and the names of what was made below it.
    names: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
    /// True if any name may come next: it is a place for temporary files, or empty in the image.
    any: bool,
}

impl Written {
    fn of(recording: &Recording, rootfs: &Rootfs) -> Self {
        let mut made: BTreeMap<RootPath, Directory> = BTreeMap::new();
        for run in recording.runs.values() {
            let by_app = run.files.iter().filter(|used| used.actor == Actor::App);
            for used in by_app.filter(|used| is_making(used)) {
                let path = recorded_path(used, rootfs);
                let outside = path.starts_with(&RootPath::new("/proc"))
                    || mount_of(run, &path).is_some_and(|mount| holds_data(mount) && path != mount.target);
                if outside || rootfs.get(&path).is_some() {
                    continue;
                }
                let Some((base, first, last)) = split(&path, rootfs) else {
                    continue;
                };
                let below = made.entry(base).or_default().names.entry(first).or_default();
                below.extend(last);
            }
        }
        for (base, directory) in &mut made {
            directory.any = !is_shared(base)
                && (is_temporary(rootfs, base) || is_empty(rootfs, base) || directory.names.len() >= MANY);
        }
        Self { made }
    }

    /// The pattern for a path that the application made, or that lies below one; none for any other.
    ///
    /// It is never wider than the image's directory that the name was made in, nor deeper than what was made there.
    fn pattern(&self, path: &RootPath, used: &FileUse) -> Option<Pattern> {
        let (base, directory) = path
            .ancestors()
            .find_map(|base| self.made.get_key_value(base.as_bytes()))?;
        let skip = if base.is_root() { 0 } else { base.as_bytes().len() };
        let mut rest = path.as_bytes()[skip..].splitn(3, |&b| b == b'/').skip(1);
        let first = rest.next()?;
        let below = directory.names.get(first)?;
        let deeper = rest.next().is_some();
        let start = Pattern::exact(&path.as_bytes()[..skip]).text(b"/");
        let digests = name::is_digest_part(first) && below.iter().any(|last| name::is_digest(last));
        let named = if directory.any {
            Pattern::default().glob(Glob::Name)
        } else if digests {
            let digits = first.iter();
            digits.fold(Pattern::default(), |pattern, _| pattern.glob(Glob::HexDigit))
        } else {
            name::changing(first).unwrap_or_else(|| Pattern::exact(first))
        };
        let whole = start.then(named);
        Some(if deeper {
            // The run made the directory, so what is in it is the run's own.
            whole.text(b"/").glob(Glob::Below)
        } else if used.access.contains(&Access::List) || !below.is_empty() {
            whole.text(b"/")
        } else if is_nameless(used) {
            // Made by name alone: a directory looks the same as a node or a link.
            whole.glob(Glob::OrDirectory)
        } else {
            whole
        })
    }
}

/// Returns whether something is made by this use.
fn is_making(used: &FileUse) -> bool {
    used.access.contains(&Access::Create) || used.access.contains(&Access::BindSocket)
}

/// Returns whether this use tells nothing of what kind of file it is.
fn is_nameless(used: &FileUse) -> bool {
    used.access
        .iter()
        .all(|access| matches!(access, Access::Create | Access::Remove | Access::Attributes))
}

/// The deepest directory above `path` that the image has, the name below it, and the last name if that is another one.
fn split(path: &RootPath, rootfs: &Rootfs) -> Option<(RootPath, Vec<u8>, Option<Vec<u8>>)> {
    let base = path.ancestors().find(|base| rootfs.get(base).is_some())?;
    let depth = base.components().count();
    let mut below = path.components().skip(depth);
    let first = below.next()?.to_vec();
    Some((base, first, below.last().map(<[u8]>::to_vec)))
}

/// Returns whether anybody may make files in a directory, and nobody may remove another's: a place for temporary names.
fn is_temporary(rootfs: &Rootfs, directory: &RootPath) -> bool {
    rootfs
        .get(directory)
        .is_some_and(|entry| entry.mode & 0o1002 == 0o1002)
}

/// Returns whether the image has nothing in a directory.
fn is_empty(rootfs: &Rootfs, directory: &RootPath) -> bool {
    rootfs.children(directory).next().is_none()
}

/// Directories of the system, in which an application's new file says nothing about the others there.
fn is_shared(directory: &RootPath) -> bool {
    let names: Vec<&[u8]> = directory.components().collect();
    matches!(
        names.as_slice(),
        [] | [
            b"etc" | b"bin" | b"sbin" | b"lib" | b"lib64" | b"usr" | b"boot" | b"sys",
            ..,
        ] | [b"var" | b"home" | b"root" | b"dev" | b"run"]
            | [b"var", b"lib" | b"cache" | b"log" | b"spool" | b"run"]
    )
}

fn mount_of<'a>(run: &'a Run, path: &RootPath) -> Option<&'a MountFact> {
    let mounts = run.container.mounts.iter();
    mounts
        .filter(|mount| path.starts_with(&mount.target))
        .max_by_key(|mount| mount.target.as_bytes().len())
}

/// Returns whether a mount holds the user's data.
fn holds_data(mount: &MountFact) -> bool {
    match mount.kind {
        MountKind::Bind | MountKind::Volume | MountKind::Tmpfs => true,
        MountKind::System => {
            [RootPath::new("/dev/shm"), RootPath::new("/dev/mqueue")].contains(&mount.target)
        }
    }
}

/// A path in `/proc`, with any process's number in the place of one's.
fn in_proc(path: &RootPath, directory: bool) -> Pattern {
    let mut pattern = Pattern::default();
    let mut of_process = false;
    let mut before: &[u8] = b"";
    for (depth, name) in path.components().enumerate() {
        pattern = pattern.text(b"/");
        // Below a process there are its threads' and descriptors' numbers.
        let process = depth == 1 && (name == b"self" || is_number(name));
        if process || (of_process && before == b"task" && is_number(name)) {
            of_process = true;
            pattern = pattern.glob(Glob::Process);
        } else if of_process && is_number(name) {
            pattern = pattern.glob(Glob::Number);
        } else if depth == 1 && name == b"thread-self" {
            of_process = true;
            pattern = pattern.glob(Glob::Process).text(b"/task/").glob(Glob::Process);
        } else {
            pattern = pattern.text(name);
        }
        before = name;
    }
    if directory {
        pattern = pattern.text(b"/");
    }
    pattern
}

fn is_number(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// Returns where `path` leads in the image; as far as it can be followed where it is not there.
fn real(path: &RootPath, rootfs: &Rootfs) -> RootPath {
    let resolved = rootfs.resolve(path, LastLink::Follow);
    match resolved.outcome {
        Outcome::Found | Outcome::Missing => resolved.path,
        Outcome::NotADirectory | Outcome::TooManyLinks => path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rule::Piece;
    use super::*;

    #[test]
    fn numbers_in_proc_are_everybodys() {
        let proc = |path: &str, directory| in_proc(&RootPath::new(path), directory).quoted();
        assert_eq!(proc("/proc/self/status", false), "/proc/@{pid}/status");
        assert_eq!(
            proc("/proc/12/task/13/stat", false),
            "/proc/@{pid}/task/@{pid}/stat"
        );
        assert_eq!(proc("/proc/12/fd", true), "/proc/@{pid}/fd/");
        assert_eq!(proc("/proc/12/fd/0", false), "/proc/@{pid}/fd/[0-9]*");
        assert_eq!(
            proc("/proc/thread-self/comm", false),
            "/proc/@{pid}/task/@{pid}/comm"
        );
        assert_eq!(proc("/proc/sys/net/1", false), "/proc/sys/net/1");
    }

    /// Returns whether a pattern means a path, as apparmor.d(5) says.
    fn matches(pieces: &[Piece], path: &[u8]) -> bool {
        let Some((first, rest)) = pieces.split_first() else {
            return path.is_empty();
        };
        let some = |test: fn(u8) -> bool, least: usize| {
            let most = path.iter().take_while(|byte| test(**byte)).count();
            (least..=most).any(|length| matches(rest, &path[length..]))
        };
        match first {
            Piece::Text(text) => path
                .strip_prefix(text.as_slice())
                .is_some_and(|path| matches(rest, path)),
            Piece::Glob(Glob::Process) => some(|byte| byte.is_ascii_digit(), 1),
            Piece::Glob(Glob::Number) => {
                path.first().is_some_and(u8::is_ascii_digit) && some(|b| b != b'/', 1)
            }
            Piece::Glob(Glob::Hex) => {
                path.first().is_some_and(u8::is_ascii_hexdigit) && some(|b| b != b'/', 1)
            }
            Piece::Glob(Glob::HexDigit) => {
                path.first().is_some_and(u8::is_ascii_hexdigit) && matches(rest, &path[1..])
            }
            Piece::Glob(Glob::Name) => some(|byte| byte != b'/', 1),
            Piece::Glob(Glob::Below) => some(|_| true, 1),
            Piece::Glob(Glob::AndBelow) => some(|_| true, 0),
            Piece::Glob(Glob::OrDirectory) => {
                matches(rest, path) || path.strip_prefix(b"/").is_some_and(|path| matches(rest, path))
            }
        }
    }

    fn used(path: &RootPath, access: BTreeSet<Access>) -> FileUse {
        FileUse {
            path: path.clone(),
            is_resolved: true,
            requested_path: None,
            base: None,
            access,
            errors: BTreeSet::new(),
            on_root: true,
            no_follow: false,
            phase: crate::recording::Phase::StartUp,
            actor: Actor::App,
            program: None,
        }
    }

    fn any_name() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => prop::sample::select(vec!["a", "etc", "tmp", "app", "ab", "b7f54b2df7773722d382", "x.Xy12Ab", "7"])
                .prop_map(|name| name.as_bytes().to_vec()),
            1 => prop::collection::vec(prop_oneof![Just(b'*'), Just(b'{'), Just(b','), Just(b'"'), Just(b'\n'), 1u8..=255], 1..6),
        ]
    }

    fn any_path() -> impl Strategy<Value = RootPath> {
        prop::collection::vec(any_name(), 1..5).prop_map(|names| RootPath::new(names.join(&b'/')))
    }

    proptest! {
        /// Every recorded use is allowed, and a rule never leaves the image's directory that it was seen in.
        #[test]
        fn a_rule_covers_its_path_and_stays_in_its_directory(
            files in prop::collection::vec(any_path(), 0..6),
            uses in prop::collection::vec((any_path(), prop::sample::subsequence(
                vec![Access::Read, Access::Write, Access::Create, Access::List, Access::BindSocket, Access::Remove], 1..4,
            )), 1..8),
        ) {
            let tree: Vec<(String, &[u8])> = files.iter().filter_map(|path| {
                Some((std::str::from_utf8(path.as_bytes()).ok()?.to_owned(), &b""[..]))
            }).collect();
            let tree: Vec<(&str, &[u8])> = tree.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
            let rootfs = crate::image::memory::tree(&tree);
            let mut run = crate::recording::tests::run(1);
            run.files = uses.iter().map(|(path, access)| used(path, access.iter().copied().collect())).collect();
            let mut recording = Recording::new(run.image.clone());
            recording.insert(run.clone()).unwrap();
            let written = Written::of(&recording, &rootfs);
            for used in run.files.iter().filter(|used| !used.path.starts_with(&RootPath::new("/proc"))) {
                let mut rules = Rules::default();
                let permissions = Permissions::of(&used.access, Habits::default());
                observed(&mut rules, &run, used, &used.path, permissions, &written, &rootfs);
                let (pattern, _) = rules.0.first_key_value().unwrap();
                let path = used.path.as_bytes();
                let directory = [path, b"/"].concat();
                prop_assert!(
                    matches(&pattern.0, path) || matches(&pattern.0, &directory),
                    "{} for {}", pattern.quoted(), used.path
                );
                if pattern.0.len() > 1 {
                    let Some(Piece::Text(text)) = pattern.0.first() else { panic!("{pattern:?}") };
                    let slash = text.iter().rposition(|&b| b == b'/').unwrap();
                    let fixed = RootPath::new(&text[..slash]);
                    let base = used.path.ancestors().find(|base| rootfs.get(base).is_some());
                    prop_assert!(fixed.starts_with(&base.unwrap_or(RootPath::root())), "{}", pattern.quoted());
                }
            }
        }
    }
}
