//! The AppArmor profile.
//!
//! A rule for each path that was seen used or is kept because something needs it, the capabilities, the kinds of
//! sockets, signals, and what else was recorded. It includes no other file, so that it means the same under every
//! host's policy. AppArmor asks when a file is opened, executed, mapped, created, changed or removed; it does not ask
//! for `stat`, `access`, `readlink` or `chdir`.
//!
//! A pattern stands for more than what was seen only where names evidently change: numbers of processes, temporary
//! names, digests, what a directory that the image has empty is filled with, and volumes. It never leaves the directory
//! that it was seen in.
//!
//! Source: apparmor.d(5); `security/apparmor/lsm.c` of Linux.

mod file;
mod name;
mod own;
mod rule;

use std::collections::BTreeSet;

use super::{Artifact, Calls, Context, Error};
use crate::recording::{Actor, Recording, SocketAction, SocketUse};
use crate::spec::CAPABILITIES;
use crate::spec::shell::line;

pub use own::{NotOwn, renamed};
pub use rule::escape;
pub(super) use rule::{Glob, Pattern, Piece, Rules};

/// The name of the profile's file in the output directory.
pub const APPARMOR_FILE: &str = "apparmor.profile";

/// The artifact `apparmor.profile`.
#[derive(Clone, Copy, Debug)]
pub struct AppArmor;

/// The kernel's reaction to accesses that a profile does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Mode {
    /// It refuses it.
    #[default]
    Enforce,
    /// It logs it.
    Complain,
}

/// Numbers of processes and threads, as the kernel counts them (at most 4,194,304).
const PID: &str = "@{pid}={[1-9],[1-9][0-9],[1-9][0-9][0-9],[1-9][0-9][0-9][0-9],[1-9][0-9][0-9][0-9][0-9],\
[1-9][0-9][0-9][0-9][0-9][0-9],[1-9][0-9][0-9][0-9][0-9][0-9][0-9]}";

/// The rules for files.
pub(super) fn rules(context: &Context<'_>) -> Rules {
    file::rules(context.plan, context.recording, &context.image.rootfs)
}

/// The names of the granted capabilities as AppArmor has them (`chown`).
pub(super) fn capabilities(context: &Context<'_>) -> Vec<String> {
    let known = context
        .plan
        .capabilities
        .iter()
        .filter(|c| CAPABILITIES.contains(&c.name.as_str()));
    known
        .map(|c| c.name.trim_start_matches("CAP_").to_lowercase())
        .collect()
}

impl Artifact for AppArmor {
    fn format(&self) -> &'static str {
        "apparmor"
    }

    fn description(&self) -> &'static str {
        "AppArmor profile, for apparmor_parser"
    }

    fn file_name(&self) -> &'static str {
        APPARMOR_FILE
    }

    fn always(&self) -> bool {
        true
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let name = context.profile_name();
        let plan = context.plan;
        let calls = Calls::new(plan);
        let rules = rules(context);
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
        let of_process = |pattern: &Pattern| pattern.0.contains(&Piece::Glob(Glob::Process));
        if rules.0.keys().any(of_process) {
            say(PID);
        }
        let mode = match context.options.apparmor_mode {
            Mode::Enforce => "",
            Mode::Complain => "complain,",
        };
        say(&format!(
            "profile {name} flags=({mode}attach_disconnected,mediate_deleted) {{"
        ));

        let capabilities = capabilities(context);
        for capability in &capabilities {
            say(&format!("  capability {capability},"));
        }
        for rule in network(context.recording)
            .into_iter()
            .chain(unix(context.recording, &calls, &name))
        {
            say(&format!("  {rule},"));
        }
        say("  # The engine and its runtimes stop the container.");
        for peer in ["unconfined", "runc", "crun"] {
            say(&format!("  signal (receive) peer={peer},"));
        }
        // A process that gives itself up sends itself a signal, and AppArmor tells no process of a profile from another.
        say(&format!("  signal (send, receive) peer={name},"));
        if let Some(access) = ptrace(&calls, &rules) {
            say(&format!("  ptrace ({access}) peer={name},"));
        }
        if capabilities.iter().any(|c| c == "sys_admin") {
            for (rule, made) in [
                ("mount", &["mount", "move_mount", "fsmount"][..]),
                ("umount", &["umount", "umount2"]),
                ("pivot_root", &["pivot_root"]),
            ] {
                if calls.made(made) {
                    say(&format!("  {rule},"));
                }
            }
        }

        say("  # The terminal and the null device that the engine hands in.");
        for device in ["/dev/console", "/dev/null", "/dev/pts/[0-9]*"] {
            say(&format!("  \"{device}\" rw,"));
        }
        say("  # Files: m to map as code, ix to execute under this same profile, k to lock, l to link.");
        for (pattern, permissions) in rules.quoted() {
            say(&format!("  \"{pattern}\" {},", permissions.letters()));
        }
        say("}");
        Ok(out.into_bytes())
    }
}

/// Returns the access of the container's processes to each other, if they were seen to use it.
fn ptrace(calls: &Calls<'_>, rules: &Rules) -> Option<&'static str> {
    if calls.made(&["ptrace"]) {
        return Some("trace, tracedby, read, readby");
    }
    let in_proc = |pattern: &Pattern| matches!(pattern.0.get(1), Some(Piece::Glob(Glob::Process)));
    let reads = calls.made(&["kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev"]);
    (reads || rules.0.keys().any(in_proc)).then_some("read, readby")
}

fn sockets(recording: &Recording) -> impl Iterator<Item = &SocketUse> {
    let all = recording.runs.values().flat_map(|run| &run.sockets);
    all.filter(|socket| socket.actor == Actor::App)
}

/// The parser's name for a type of socket; none for a number that it has no name for.
fn kind(socket: &SocketUse) -> Option<&str> {
    const KINDS: [&str; 6] = ["stream", "dgram", "seqpacket", "rdm", "raw", "packet"];
    let kind = socket.kind.as_str();
    KINDS.contains(&kind).then_some(kind)
}

/// Rules for the kinds of sockets that were used, but those of unix.
fn network(recording: &Recording) -> BTreeSet<String> {
    let rules = sockets(recording).filter_map(|socket| {
        let family = family(&socket.family).filter(|family| *family != "unix")?;
        Some(match kind(socket) {
            Some(kind) => format!("network {family} {kind}"),
            None => format!("network {family}"),
        })
    });
    rules.collect()
}

/// Rules for unix sockets: those that the container's processes hold among themselves, and abstract names of others.
/// A socket with a path is a file. A kernel that does not tell unix sockets apart takes them for `network unix`.
fn unix(recording: &Recording, calls: &Calls<'_>, name: &str) -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    let unix = || sockets(recording).filter(|socket| family(&socket.family) == Some("unix"));
    let mut types: BTreeSet<String> = unix()
        .map(|socket| kind(socket).map_or_else(String::new, |kind| format!(" type={kind}")))
        .collect();
    if calls.made(&["socketpair"]) {
        // Which type a pair is of is not recorded.
        types = BTreeSet::from([String::new()]);
    }
    let did = |action| unix().any(|socket| socket.action == action);
    let (bind, accept) = match (did(SocketAction::Bind), did(SocketAction::Listen)) {
        (_, true) => ("bind, listen, ", "accept, "),
        (true, false) => ("bind, ", ""),
        (false, false) => ("", ""),
    };
    for kind in types {
        rules.insert(format!(
            "unix (create, {bind}shutdown, getattr, setattr, getopt, setopt){kind}"
        ));
        rules.insert(format!(
            "unix ({accept}connect, send, receive){kind} peer=(label={name})"
        ));
    }
    for socket in unix() {
        let out = matches!(socket.action, SocketAction::Connect | SocketAction::Send);
        if out && socket.address.starts_with('@') {
            let kind = kind(socket).map_or_else(String::new, |kind| format!(" type={kind}"));
            // The recording writes what is no text as the JSON of paths does.
            let address =
                crate::path::decode(&socket.address).unwrap_or_else(|| socket.address.as_bytes().to_vec());
            rules.insert(format!(
                "unix (connect, send, receive){kind} peer=(addr=\"@{}\")",
                escape(&address[1..])
            ));
        }
    }
    rules
}

/// The parser's name for an address family, by name or number (`include/linux/socket.h`).
pub(super) fn family(name: &str) -> Option<&'static str> {
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
    use crate::path::RootPath;
    use crate::test_tools::tool;

    /// The names that the parser understood, in its own form: what is special in a pattern has a backslash.
    fn parsed(mut parser: Command, profile: &str) -> Vec<u8> {
        use std::io::Write as _;
        let mut parser = parser
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

    /// A name as the parser prints one that means just itself.
    fn name(path: &[u8]) -> Vec<u8> {
        let mut name = b"Name:\t(".to_vec();
        for &byte in path {
            if b"*?[]{}^,\\".contains(&byte) {
                name.push(b'\\');
            }
            name.push(byte);
        }
        name.extend(b")\n");
        name
    }

    fn has(dump: &[u8], name: &[u8]) -> bool {
        dump.windows(name.len()).any(|window| window == name)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever the names in a recording, the whole profile parses, and each name means itself.
        #[test]
        fn any_recording_survives_the_parser(
            names in proptest::collection::vec(proptest::collection::vec(1u8..=255, 1..40), 1..30),
            address in "@[^\\x00]{0,20}",
            kind in "[a-z0-9]{0,9}",
        ) {
            let Some(parser) = tool("apparmor_parser", "apparmor") else {
                return Ok(());
            };
            let paths: Vec<RootPath> = names.iter().map(RootPath::new).filter(|path| !path.is_root()).collect();
            let dump = parsed(parser, &crate::profile::tests::recorded_profile(&paths, &address, &kind));
            for path in &paths {
                prop_assert!(has(&dump, &name(path.as_bytes())), "{}", String::from_utf8_lossy(&dump));
            }
        }

        /// Any bytes that a name may have become a rule for just that name.
        #[test]
        fn any_path_survives_the_parser(
            names in proptest::collection::vec(proptest::collection::vec(1u8..=255, 1..40), 1..60)
        ) {
            let Some(parser) = tool("apparmor_parser", "apparmor") else {
                return Ok(());
            };
            let paths: Vec<Vec<u8>> = names.iter().map(|n| RootPath::new(n).as_bytes().to_vec()).collect();
            let mut profile = String::from("profile test {\n");
            for path in &paths {
                profile.push_str(&format!("  \"{}\" r,\n", escape(path)));
            }
            profile.push_str("}\n");
            let dump = parsed(parser, &profile);
            for path in &paths {
                prop_assert!(has(&dump, &name(path)), "{}\nin\n{}", escape(path), String::from_utf8_lossy(&dump));
            }
        }
    }
}
