//! The AppArmor profile.
//!
//! A rule for each path that was seen used or is kept because something needs it, the capabilities, the kinds of
//! sockets, and signals among the container's own processes. It includes no other file, so that it means the same
//! under every host's policy. AppArmor asks when a file is opened, executed, mapped, created, changed or removed; it
//! does not ask for `stat`, `access`, `readlink` or `chdir`.
//!
//! Source: apparmor.d(5); `security/apparmor/lsm.c` of Linux.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::shell::line;
use super::{Artifact, Context, Error};
use crate::image::{Kind, Outcome, Rootfs};
use crate::path::RootPath;
use crate::plan::capabilities::is_known;
use crate::plan::{Cause, EdgeKind, Plan};
use crate::recording::{Access, Actor, FileUse, MountFact, MountKind, Recording, Run};

/// The artifact `apparmor.profile`.
#[derive(Clone, Copy, Debug)]
pub struct AppArmor;

/// What is allowed on a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Permissions {
    read: bool,
    write: bool,
    lock: bool,
    link: bool,
    map: bool,
    execute: bool,
}

impl Permissions {
    const READ: Self = Self {
        read: true,
        write: false,
        lock: false,
        link: false,
        map: false,
        execute: false,
    };
    const CREATE: Self = Self {
        read: true,
        write: true,
        lock: true,
        link: true,
        map: false,
        execute: false,
    };

    fn and(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
            lock: self.lock || other.lock,
            link: self.link || other.link,
            map: self.map || other.map,
            execute: self.execute || other.execute,
        }
    }

    /// As letters of a file rule. Who may execute a file stays under this profile (`ix`).
    fn letters(self) -> String {
        let all = [
            (self.map, "m"),
            (self.read, "r"),
            (self.write, "w"),
            (self.lock, "k"),
            (self.link, "l"),
            (self.execute, "ix"),
        ];
        all.iter()
            .filter(|(set, _)| *set)
            .map(|(_, letters)| *letters)
            .collect()
    }

    /// What the recorded accesses to a path need.
    fn of(accesses: &BTreeSet<Access>) -> Self {
        let mut all = Self::default();
        for access in accesses {
            match access {
                Access::Read | Access::List => all.read = true,
                // Files that are written are usually locked, too, but not in every run.
                Access::Write | Access::Attributes | Access::Remove => {
                    all.write = true;
                    all.lock = true;
                }
                Access::Create | Access::BindSocket => all = all.and(Self::CREATE),
                Access::ConnectSocket => {
                    all.read = true;
                    all.write = true;
                }
                Access::Lock => {
                    all.read = true;
                    all.lock = true;
                }
                Access::Map => {
                    all.read = true;
                    all.map = true;
                }
                Access::Execute | Access::Interpret => {
                    all.read = true;
                    all.map = true;
                    all.execute = true;
                }
                Access::OpenPath
                | Access::Stat
                | Access::Permission
                | Access::ReadLink
                | Access::ChangeDirectory => {}
            }
        }
        all
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Rules by pattern: the text between the quotes.
#[derive(Default)]
struct Rules(BTreeMap<String, Permissions>);

/// How large the rules may be, as nodes of a tree of their characters.
///
/// The parser makes a state of nearly every node, kernels take at most 65,535 of them, and the time to compile grows
/// faster than their number. Measured with `apparmor_parser` 3.0.8 on paths of a Debian system: 16,500 nodes give 11,700
/// states in 1.3 s, 31,000 give 20,000 in 3 s, 68,000 give 39,000 in 13 s.
const MOST_NODES: usize = 30_000;

/// How many rules below one directory are worth being one.
const WORTH_JOINING: usize = 8;

impl Rules {
    fn add(&mut self, pattern: String, permissions: Permissions) {
        if !permissions.is_empty() {
            let entry = self.0.entry(pattern).or_default();
            *entry = entry.and(permissions);
        }
    }

    fn nodes(&self) -> usize {
        let mut before: &[u8] = b"";
        let mut nodes = 0;
        for pattern in self.0.keys().map(String::as_bytes) {
            nodes += pattern.len() - pattern.iter().zip(before).take_while(|(a, b)| a == b).count();
            before = pattern;
        }
        nodes
    }

    /// Joins rules that only read into one for their directory, deep directories first, until the rules are small
    /// enough. In a slim image this grants nothing: the files that no rule named are not there.
    fn shrink(&mut self) {
        let depth = |pattern: &str| pattern.bytes().filter(|&b| b == b'/').count();
        let deepest = self.0.keys().map(|pattern| depth(pattern)).max().unwrap_or(0);
        for level in (3..=deepest).rev() {
            if self.nodes() <= MOST_NODES {
                return;
            }
            // The directory that holds the name at this level, for every rule that only reads and is as deep.
            let directory = |pattern: &str, permissions: &Permissions| {
                let end = pattern.match_indices('/').nth(level - 1)?.0;
                let plain = *permissions == Permissions::READ && pattern.len() > end + 1;
                plain.then(|| pattern[..end].to_owned())
            };
            let mut count: BTreeMap<String, usize> = BTreeMap::new();
            for (pattern, permissions) in &self.0 {
                if let Some(directory) = directory(pattern, permissions) {
                    *count.entry(directory).or_default() += 1;
                }
            }
            count.retain(|_, rules| *rules >= WORTH_JOINING);
            self.0.retain(|pattern, permissions| {
                directory(pattern, permissions).is_none_or(|directory| !count.contains_key(&directory))
            });
            for directory in count.into_keys() {
                self.add(format!("{directory}/**"), Permissions::READ);
            }
        }
    }
}

impl Artifact for AppArmor {
    fn format(&self) -> &'static str {
        "apparmor"
    }

    fn description(&self) -> &'static str {
        "AppArmor profile, for apparmor_parser"
    }

    fn file_name(&self) -> &'static str {
        "apparmor.profile"
    }

    fn always(&self) -> bool {
        true
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let name = context.profile_name();
        let (plan, recording) = (context.plan, context.recording);
        let mut out = String::new();
        let mut say = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        say(&format!(
            "# What {} was seen to need, and no more.",
            line(&plan.reference)
        ));
        say("# Load it with: apparmor_parser -r apparmor.profile");
        for path in &plan.privilege_gain {
            say(&line(&format!("# needs privilege gain: {path}")));
        }
        say(&format!(
            "profile {name} flags=(attach_disconnected,mediate_deleted) {{"
        ));

        let capabilities = plan.capabilities.iter().filter(|c| is_known(&c.name));
        let capabilities: Vec<String> = capabilities
            .map(|c| c.name.trim_start_matches("CAP_").to_lowercase())
            .collect();
        for capability in &capabilities {
            say(&format!("  capability {capability},"));
        }
        for rule in network(recording) {
            say(&format!("  {rule},"));
        }
        say(
            "  # The engine and its runtimes stop the container; its processes signal and look at each other.",
        );
        for peer in ["unconfined", "runc", "crun"] {
            say(&format!("  signal (receive) peer={peer},"));
        }
        say(&format!("  signal (send, receive) peer={name},"));
        let calls = |name: &str| plan.syscalls.iter().any(|call| call.name == name);
        let trace = if calls("ptrace") { "trace, tracedby, " } else { "" };
        say(&format!("  ptrace ({trace}read, readby) peer={name},"));
        if calls("mount") && capabilities.iter().any(|c| c == "sys_admin") {
            say("  mount,");
            say("  umount,");
        }

        say("  # The terminal and the null device that the engine hands in.");
        for device in ["/dev/console", "/dev/null", "/dev/pts/[0-9]*"] {
            say(&format!("  \"{device}\" rw,"));
        }
        say("  # Files: m to map as code, ix to execute under this same profile.");
        for (pattern, permissions) in files(plan, recording, &context.image.rootfs).0 {
            say(&format!("  \"{pattern}\" {},", permissions.letters()));
        }
        say("}");
        Ok(out.into_bytes())
    }
}

/// `path` as the inside of a quoted pattern that means just this path.
///
/// Every byte but the plainest is written in octal; the parser takes an octal byte that is special in patterns for
/// itself (`processquoted` in `parser/parser_misc.c`).
pub fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"/._-+=:~%".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\{byte:03o}");
        }
    }
    out
}

/// The rules for paths.
fn files(plan: &Plan, recording: &Recording, rootfs: &Rootfs) -> Rules {
    let mut rules = Rules::default();
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
        rules.add(escape(path.as_bytes()), permissions);
    }
    for run in recording.runs.values() {
        for used in run.files.iter().filter(|used| used.actor == Actor::App) {
            observed(&mut rules, run, used, rootfs);
        }
        for program in &run.programs {
            for path in [Some(&program.path), program.interpreter.as_ref()]
                .into_iter()
                .flatten()
            {
                let path = real(path, true, rootfs);
                rules.add(
                    escape(path.as_bytes()),
                    Permissions::of(&BTreeSet::from([Access::Execute])),
                );
            }
        }
    }
    rules.shrink();
    rules
}

/// The rules for one recorded use of a file.
fn observed(rules: &mut Rules, run: &Run, used: &FileUse, rootfs: &Rootfs) {
    let permissions = Permissions::of(&used.access);
    if permissions.is_empty() {
        return;
    }
    let path = if used.truth {
        used.path.clone()
    } else {
        real(&used.path, !used.no_follow, rootfs)
    };
    let mount = run
        .container
        .mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.target))
        .max_by_key(|mount| mount.target.as_bytes().len());

    if path.starts_with(&RootPath::new("/proc")) {
        rules.add(in_proc(&path, permissions_on_directory(used)), permissions);
        return;
    }
    if let Some(mount) = mount
        && path != mount.target
        && holds_data(mount)
    {
        // What is in a volume is not the image's: other names may be there next time.
        let data = Permissions {
            map: false,
            execute: false,
            ..permissions
        };
        rules.add(format!("{}/{{,**}}", escape(mount.target.as_bytes())), data);
        if permissions.map || permissions.execute {
            rules.add(escape(path.as_bytes()), permissions);
        }
        return;
    }
    if path.starts_with(&RootPath::new("/dev/pts")) && path.name().is_some_and(is_number) {
        rules.add("/dev/pts/[0-9]*".to_owned(), permissions);
        return;
    }
    let entry = rootfs.get(&path);
    let directory = entry.map_or(permissions_on_directory(used), |entry| entry.is_dir());
    let slash = if directory && !path.is_root() { "/" } else { "" };
    rules.add(format!("{}{slash}", escape(path.as_bytes())), permissions);
    if used.access.contains(&Access::Create) && entry.is_none() {
        created(rules, &path, rootfs);
    }
}

/// Rules for a file or directory that the application made: the next run may give it another name.
fn created(rules: &mut Rules, path: &RootPath, rootfs: &Rootfs) {
    let Some(directory) = path.ancestors().find(|dir| rootfs.get(dir).is_some()) else {
        return;
    };
    if is_shared(&directory) {
        // Next to everybody else's files: only what was seen, and what is below it.
        rules.add(
            format!("{}/{{,**}}", escape(path.as_bytes())),
            Permissions::CREATE,
        );
    } else {
        rules.add(
            format!("{}/**", escape(directory.as_bytes())),
            Permissions::CREATE,
        );
    }
}

/// Directories of the system, in which an application's new file says nothing about the others there.
fn is_shared(directory: &RootPath) -> bool {
    let names: Vec<&[u8]> = directory.components().collect();
    match names.as_slice() {
        [] => true,
        [b"tmp" | b"run" | b"srv" | b"opt" | b"mnt" | b"media" | b"app" | b"data"] => false,
        [
            b"etc" | b"bin" | b"sbin" | b"lib" | b"lib64" | b"usr" | b"boot" | b"sys",
            ..,
        ] => true,
        [b"var" | b"home" | b"root" | b"dev"] => true,
        [b"var", b"lib" | b"cache" | b"log" | b"spool"] => true,
        _ => false,
    }
}

/// Whether a mount holds the user's data.
fn holds_data(mount: &MountFact) -> bool {
    match mount.kind {
        MountKind::Bind | MountKind::Volume | MountKind::Tmpfs => true,
        MountKind::System => {
            [RootPath::new("/dev/shm"), RootPath::new("/dev/mqueue")].contains(&mount.target)
        }
    }
}

/// Whether the accesses are those to a directory.
fn permissions_on_directory(used: &FileUse) -> bool {
    used.access.contains(&Access::List)
}

/// A path in `/proc`, with every process's number in the place of one's.
fn in_proc(path: &RootPath, directory: bool) -> String {
    let mut out = String::new();
    let mut of_process = false;
    for (depth, name) in path.components().enumerate() {
        out.push('/');
        let link = depth == 1 && matches!(name, b"self" | b"thread-self");
        // Below a process there are its threads' and descriptors' numbers.
        if link || ((depth == 1 || of_process) && is_number(name)) {
            of_process = true;
            out.push_str(if name == b"thread-self" {
                "[0-9]*/task/[0-9]*"
            } else {
                "[0-9]*"
            });
        } else {
            out.push_str(&escape(name));
        }
    }
    if directory {
        out.push('/');
    }
    out
}

fn is_number(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// Where `path` leads in the image; as far as it can be followed where it is not there.
fn real(path: &RootPath, follow: bool, rootfs: &Rootfs) -> RootPath {
    let resolved = rootfs.resolve(path, follow);
    match resolved.outcome {
        Outcome::Found | Outcome::Missing => resolved.path,
        Outcome::NotADirectory | Outcome::TooManyLinks => path.clone(),
    }
}

/// Rules for the kinds of sockets that were used.
fn network(recording: &Recording) -> BTreeSet<String> {
    let sockets = recording.runs.values().flat_map(|run| &run.sockets);
    sockets
        .filter(|socket| socket.actor == Actor::App)
        .filter_map(|socket| {
            let family = family(&socket.family)?;
            Some(match (family, socket.kind.as_str()) {
                ("unix", _) => "unix".to_owned(),
                (family, kind @ ("stream" | "dgram" | "seqpacket" | "rdm" | "raw" | "packet")) => {
                    format!("network {family} {kind}")
                }
                (family, _) => format!("network {family}"),
            })
        })
        .collect()
}

/// The parser's name for an address family, by name or number (`include/linux/socket.h`).
fn family(name: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 17] = [
        ("unix", "1"),
        ("inet", "2"),
        ("ax25", "3"),
        ("ipx", "4"),
        ("appletalk", "5"),
        ("x25", "9"),
        ("inet6", "10"),
        ("key", "15"),
        ("netlink", "16"),
        ("packet", "17"),
        ("can", "29"),
        ("tipc", "30"),
        ("bluetooth", "31"),
        ("alg", "38"),
        ("nfc", "39"),
        ("vsock", "40"),
        ("xdp", "44"),
    ];
    NAMES
        .iter()
        .find(|(n, number)| *n == name || *number == name)
        .map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_proc_are_everybodys() {
        let proc = |path: &str, directory| in_proc(&RootPath::new(path), directory);
        assert_eq!(proc("/proc/self/status", false), "/proc/[0-9]*/status");
        assert_eq!(
            proc("/proc/12/task/13/stat", false),
            "/proc/[0-9]*/task/[0-9]*/stat"
        );
        assert_eq!(proc("/proc/12/fd", true), "/proc/[0-9]*/fd/");
        assert_eq!(
            proc("/proc/thread-self/comm", false),
            "/proc/[0-9]*/task/[0-9]*/comm"
        );
        assert_eq!(proc("/proc/sys/net/1", false), "/proc/sys/net/1");
    }

    #[test]
    fn too_many_rules_become_few() {
        let mut rules = Rules::default();
        for number in 0..5000u32 {
            let hash = number.wrapping_mul(2_654_435_761);
            let path = format!("/usr/lib/node_modules/{:x}/{hash:08x}{hash:08x}.js", number % 200);
            rules.add(path, Permissions::READ);
        }
        rules.add(
            "/usr/lib/node_modules/a/addon.node".into(),
            Permissions {
                map: true,
                ..Permissions::READ
            },
        );
        rules.add("/etc/passwd".into(), Permissions::READ);
        assert!(rules.nodes() > MOST_NODES);
        rules.shrink();
        assert!(rules.nodes() <= MOST_NODES);
        assert_eq!(rules.0["/usr/lib/node_modules/a/**"], Permissions::READ);
        assert!(rules.0["/usr/lib/node_modules/a/addon.node"].map);
        assert!(rules.0.contains_key("/etc/passwd") && !rules.0.contains_key("/usr/lib/**"));
    }

    /// The names that the parser understood, in its own form: what is special in a pattern has a backslash.
    fn parsed(paths: &[Vec<u8>]) -> Vec<u8> {
        use std::io::Write as _;
        let mut profile = String::from("profile test {\n");
        for path in paths {
            profile.push_str(&format!("  \"{}\" r,\n", escape(path)));
        }
        profile.push_str("}\n");
        let mut parser = Command::new("apparmor_parser")
            .args(["-Q", "-K", "-d"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        parser
            .stdin
            .take()
            .unwrap()
            .write_all(profile.as_bytes())
            .unwrap();
        let out = parser.wait_with_output().unwrap();
        assert!(
            out.status.success(),
            "{}\n{profile}",
            String::from_utf8_lossy(&out.stderr)
        );
        out.stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Any bytes that a name may have become a rule for just that name.
        #[test]
        fn any_path_survives_the_parser(
            names in proptest::collection::vec(proptest::collection::vec(1u8..=255, 1..40), 1..60)
        ) {
            if Command::new("apparmor_parser").arg("--version").output().is_err() {
                eprintln!("not checked: apparmor_parser is not installed (package apparmor)");
                return Ok(());
            }
            let paths: Vec<Vec<u8>> = names.iter().map(|n| RootPath::new(n).as_bytes().to_vec()).collect();
            let dump = parsed(&paths);
            for path in &paths {
                let mut expected = b"Name:\t(".to_vec();
                for &byte in path {
                    if b"*?[]{}^,\\".contains(&byte) {
                        expected.push(b'\\');
                    }
                    expected.push(byte);
                }
                expected.extend(b")\n");
                prop_assert!(
                    dump.windows(expected.len()).any(|window| window == expected),
                    "{}\nin\n{}", escape(path), String::from_utf8_lossy(&dump)
                );
            }
        }
    }
}
