//! The granted capabilities, each with its reasons, and the executions that gain privilege.

use std::collections::{BTreeMap, BTreeSet};

use super::{AllowedCapability, Privileged, Reason};
use crate::image::{Entry, LastLink, Outcome, Rootfs};
use crate::path::RootPath;
use crate::recording::{Actor, CapabilityUse, Measured, Purpose, Recording, Run, SocketAction};
use crate::spec::CAPABILITIES;

/// The capability that binding to a low port may need.
const BIND: &str = "CAP_NET_BIND_SERVICE";

/// Linux's first port that anybody may bind to, unless the network name space says otherwise
/// (`net.ipv4.ip_unprivileged_port_start`).
const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// Granted capabilities, sorted by name: what the application was seen to use of its container's set, and what
/// executed files carry as file capabilities.
///
/// A capability that the runtime uses while it sets the container up (switching to `USER`, mounting) is not the application's.
/// If the kernel could not measure, the container's own set stands in.
pub fn granted(recording: &Recording, rootfs: &Rootfs) -> Vec<AllowedCapability> {
    // A Run of verification tells what the product was refused and the original was not.
    let mut all = collect(recording, |run, used| {
        (used.granted || run.purpose == Purpose::Verification) && has(run, &used.capability)
    });
    for run in recording.runs.values() {
        if run.capabilities_measured == Measured::NotMeasured {
            for name in &run.container.capabilities {
                let why = "the recorded container had it, and its kernel could not tell whether it was used";
                all.entry(name.clone())
                    .or_default()
                    .insert(Reason::Assumed { why: why.into() });
            }
        }
        if run.container.no_new_privileges {
            continue;
        }
        for (path, names) in file_capabilities(run, rootfs) {
            for name in names.into_iter().filter(|name| has(run, name)) {
                let why = format!(
                    "{path} carries it as a file capability, and is not executed where the container lacks it"
                );
                all.entry(name).or_default().insert(Reason::Assumed { why });
            }
        }
    }
    list(all)
}

/// Capabilities that the application asked for and was refused, and that are not granted; sorted by name.
pub fn refused(recording: &Recording, rootfs: &Rootfs) -> Vec<AllowedCapability> {
    let mut all = collect(recording, |run, used| {
        (!used.granted || !has(run, &used.capability)) && !is_memory_accounting(used)
    });
    for capability in granted(recording, rootfs) {
        all.remove(&capability.name);
    }
    list(all)
}

/// Returns whether the kernel asked on its own account: every allocation of address space asks for CAP_SYS_ADMIN, to decide
/// whether the last of the memory may be used, and nothing fails for want of it (`cap_vm_enough_memory` in
/// `security/commoncap.c`; the tracepoint does not tell that the check is not audited).
pub(crate) fn is_memory_accounting(used: &CapabilityUse) -> bool {
    const ALLOCATING: [&str; 13] = [
        "brk", "clone", "clone3", "execve", "execveat", "fork", "mmap", "mmap2", "mprotect", "mremap",
        "munmap", "shmat", "vfork",
    ];
    used.capability == "CAP_SYS_ADMIN"
        && used
            .syscall
            .as_deref()
            .is_none_or(|name| ALLOCATING.contains(&name))
}

/// Executed files that gained privilege, sorted; no-new-privileges would break them.
pub fn privilege_gain(recording: &Recording) -> Vec<RootPath> {
    let programs = recording.runs.values().flat_map(|run| &run.programs);
    let paths: BTreeSet<_> = programs
        .filter(|p| p.privilege_gain)
        .map(|p| p.path.clone())
        .collect();
    paths.into_iter().collect()
}

/// Returns what the user should know about the granted capabilities; sorted.
pub fn notes(recording: &Recording, granted: &[AllowedCapability]) -> Vec<String> {
    let mut notes = BTreeSet::new();
    for run in recording.runs.values() {
        if run.capabilities_measured == Measured::NotMeasured {
            notes.insert(
                "this kernel has no event for capability checks, so the recorded container's own set is granted: \
                 record on Linux 6.14 or later for a smaller one"
                    .to_owned(),
            );
        }
        let start = run
            .host
            .unprivileged_port_start
            .unwrap_or(FIRST_UNPRIVILEGED_PORT);
        for socket in &run.sockets {
            let inet = matches!(socket.family.as_str(), "inet" | "inet6");
            let low = (1..FIRST_UNPRIVILEGED_PORT).contains(&socket.port) && socket.port >= start;
            if inet
                && low
                && socket.actor == Actor::App
                && socket.action == SocketAction::Bind
                && granted.iter().all(|c| c.name != BIND)
            {
                notes.insert(format!(
                    "it binds to port {} without {BIND}, because the recorded container's \
                     net.ipv4.ip_unprivileged_port_start is {start} (Docker's choice): elsewhere set that sysctl, or \
                     add NET_BIND_SERVICE",
                    socket.port
                ));
            }
        }
    }
    notes.into_iter().collect()
}

fn has(run: &Run, capability: &str) -> bool {
    run.container.capabilities.iter().any(|c| c == capability)
}

fn collect(
    recording: &Recording,
    wanted: impl Fn(&Run, &CapabilityUse) -> bool,
) -> BTreeMap<String, BTreeSet<Reason>> {
    let mut all: BTreeMap<String, BTreeSet<Reason>> = BTreeMap::new();
    for (id, run) in &recording.runs {
        for used in run
            .capabilities
            .iter()
            .filter(|c| c.actor == Actor::App && wanted(run, c))
        {
            all.entry(used.capability.clone())
                .or_default()
                .insert(Reason::Observed {
                    run: id.clone(),
                    phase: used.phase,
                    actor: used.actor,
                    program: used.program.clone(),
                    count: used.count,
                    failed: if used.granted { 0 } else { used.count },
                    syscall: used.syscall.clone(),
                    path: path_of(run, used),
                });
        }
    }
    all
}

/// The path that the call which asked for a capability was first seen with, if it asked every time.
fn path_of(run: &Run, used: &CapabilityUse) -> Option<RootPath> {
    let call = run.syscalls.iter().find(|call| {
        (Some(&call.name), call.phase, call.actor, &call.program)
            == (used.syscall.as_ref(), used.phase, used.actor, &used.program)
    })?;
    (call.count <= used.count).then(|| call.first_path.clone())?
}

fn list(all: BTreeMap<String, BTreeSet<Reason>>) -> Vec<AllowedCapability> {
    all.into_iter()
        .map(|(name, reasons)| AllowedCapability {
            name,
            reasons: reasons.into_iter().collect(),
        })
        .collect()
}

/// The executed files of `run` that have file capabilities in the image, and which.
fn file_capabilities(run: &Run, rootfs: &Rootfs) -> BTreeMap<RootPath, Vec<String>> {
    let mut all = BTreeMap::new();
    for program in &run.programs {
        let resolved = rootfs.resolve(&program.path, LastLink::Follow);
        if resolved.outcome != Outcome::Found {
            continue;
        }
        let names = rootfs.get(&resolved.path).map(carried).unwrap_or_default();
        if !names.is_empty() {
            all.insert(resolved.path, names);
        }
    }
    all
}

/// The permitted file capabilities of an entry.
fn carried(entry: &Entry) -> Vec<String> {
    let attribute = entry.xattrs.get(b"security.capability".as_slice());
    attribute.map(|bytes| permitted(bytes)).unwrap_or_default()
}

/// Those of `paths` that give privilege to whoever executes them, in their order.
pub fn privileged<'a>(rootfs: &Rootfs, paths: impl Iterator<Item = &'a RootPath>) -> Vec<Privileged> {
    const SET_USER_ID: u32 = 0o4000;
    const SET_GROUP_ID: u32 = 0o2000;
    const EXECUTE: u32 = 0o111;
    // Without the group's x, that bit asks for mandatory locks.
    const GROUP_EXECUTE: u32 = 0o010;
    let mut all = Vec::new();
    for path in paths {
        let file = rootfs.get(path).filter(|entry| entry.is_file());
        let Some(entry) = file.filter(|entry| entry.mode & EXECUTE != 0) else {
            continue;
        };
        let group = entry.mode & SET_GROUP_ID != 0 && entry.mode & GROUP_EXECUTE != 0;
        let found = Privileged {
            path: path.clone(),
            user: (entry.mode & SET_USER_ID != 0).then_some(entry.uid),
            group: group.then_some(entry.gid),
            capabilities: carried(entry),
        };
        if found.user.is_some() || found.group.is_some() || !found.capabilities.is_empty() {
            all.push(found);
        }
    }
    all
}

/// The permitted set of a `security.capability` attribute; empty if it is malformed.
///
/// Source: `struct vfs_ns_cap_data` in `include/uapi/linux/capability.h`: a little-endian word with the revision in
/// its highest byte, then pairs of permitted and inheritable words, one pair in revision 1 and two later.
fn permitted(attribute: &[u8]) -> Vec<String> {
    let word = |at: usize| {
        let bytes = attribute.get(at * 4..at * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let bits = match word(0).map(|magic| magic >> 24) {
        Some(1) => word(1).map(u64::from),
        Some(2 | 3) => word(1)
            .zip(word(3))
            .map(|(low, high)| u64::from(low) | u64::from(high) << 32),
        _ => None,
    };
    let bits = bits.unwrap_or(0);
    CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, &name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::Arc;

    use super::*;
    use crate::image::{Kind, Store};
    use crate::recording::{Phase, Program, SocketUse, tests::run};

    struct Nothing;

    impl Store for Nothing {
        fn open(&self, _: &RootPath, _: &Entry) -> io::Result<Box<dyn io::Read + Send>> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// cap_net_raw+ep, as `setcap` writes it.
    const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    fn rootfs() -> Rootfs {
        let entry = Entry {
            kind: Kind::File { size: 0 },
            uid: 0,
            gid: 0,
            mode: 0o755,
            mtime: 0,
            xattrs: BTreeMap::from([(b"security.capability".to_vec(), NET_RAW.to_vec())]),
            inode: 1,
            layer: 0,
        };
        Rootfs::new(
            BTreeMap::from([(RootPath::new("/bin/ping"), entry)]),
            Arc::new(Nothing),
        )
    }

    fn used(name: &str, granted: bool, actor: Actor) -> CapabilityUse {
        CapabilityUse {
            capability: name.into(),
            granted,
            phase: Phase::StartUp,
            actor,
            program: None,
            syscall: None,
            count: 1,
        }
    }

    fn recorded(change: impl FnOnce(&mut Run)) -> Recording {
        let mut run = run(1);
        run.container.capabilities = vec!["CAP_CHOWN".into(), "CAP_NET_RAW".into()];
        change(&mut run);
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        recording
    }

    fn names(list: &[AllowedCapability]) -> Vec<&str> {
        list.iter().map(|c| c.name.as_str()).collect()
    }

    #[test]
    fn an_allocation_asks_for_sys_admin_and_nothing_fails() {
        let asked = |syscall: Option<&str>| {
            let used = CapabilityUse {
                syscall: syscall.map(str::to_owned),
                ..used("CAP_SYS_ADMIN", false, Actor::App)
            };
            names(&refused(
                &recorded(|run| run.capabilities = vec![used]),
                &rootfs(),
            ))
            .len()
        };
        // A page fault that grows the stack is in no system call.
        assert_eq!(
            [asked(Some("mmap")), asked(None), asked(Some("mount"))],
            [0, 0, 1]
        );
    }

    #[test]
    fn only_what_the_application_used_of_the_containers_set_is_granted() {
        let recording = recorded(|run| {
            run.capabilities = vec![
                used("CAP_CHOWN", true, Actor::App),
                used("CAP_SETUID", true, Actor::Runtime),
                CapabilityUse {
                    syscall: Some("mount".into()),
                    ..used("CAP_SYS_ADMIN", false, Actor::App)
                },
                used("CAP_SYS_PTRACE", true, Actor::App),
            ];
        });
        assert_eq!(names(&granted(&recording, &rootfs())), ["CAP_CHOWN"]);
        assert_eq!(
            names(&refused(&recording, &rootfs())),
            ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]
        );
    }

    #[test]
    fn what_could_not_be_measured_is_the_containers_own_set() {
        let recording = recorded(|run| run.capabilities_measured = Measured::NotMeasured);
        let granted = granted(&recording, &rootfs());
        assert_eq!(names(&granted), ["CAP_CHOWN", "CAP_NET_RAW"]);
        assert!(matches!(granted[0].reasons[..], [Reason::Assumed { .. }]));
        assert!(notes(&recording, &granted)[0].contains("6.14"));
    }

    #[test]
    fn file_capabilities_of_executed_programs_stay_in_the_bounding_set() {
        let ping = Program {
            path: "/bin/ping".into(),
            interpreter: None,
            privilege_gain: true,
            phase: Phase::Serving,
            count: 1,
        };
        let recording = recorded(|run| run.programs = vec![ping.clone()]);
        assert_eq!(names(&granted(&recording, &rootfs())), ["CAP_NET_RAW"]);
        assert_eq!(privilege_gain(&recording), [RootPath::new("/bin/ping")]);
        // The container itself did not have it: never more than that.
        let recording = recorded(|run| {
            run.programs = vec![ping];
            run.container.capabilities.clear();
        });
        assert!(granted(&recording, &rootfs()).is_empty());
    }

    #[test]
    fn a_low_port_that_nobody_checks_is_noted() {
        let recording = recorded(|run| {
            run.host.unprivileged_port_start = Some(0);
            run.sockets = vec![SocketUse {
                action: SocketAction::Bind,
                family: "inet".into(),
                kind: "stream".into(),
                protocol: 0,
                address: "0.0.0.0".into(),
                port: 80,
                phase: Phase::StartUp,
                actor: Actor::App,
                program: None,
            }];
        });
        let notes = notes(&recording, &[]);
        assert!(
            notes[0].contains("port 80 without CAP_NET_BIND_SERVICE"),
            "{notes:?}"
        );
    }

    #[test]
    fn files_that_give_privilege_are_named() {
        let entry = |mode, attribute: &[u8]| Entry {
            kind: Kind::File { size: 0 },
            uid: 0,
            gid: 42,
            mode,
            mtime: 0,
            xattrs: if attribute.is_empty() {
                BTreeMap::new()
            } else {
                BTreeMap::from([(b"security.capability".to_vec(), attribute.to_vec())])
            },
            inode: 1,
            layer: 0,
        };
        let entries = [
            ("/bin/chage", entry(0o2755, &[])),
            ("/bin/data", entry(0o4644, &[])),
            ("/bin/ls", entry(0o755, &[])),
            ("/bin/ping", entry(0o755, &NET_RAW)),
            ("/bin/su", entry(0o4755, &[])),
        ];
        let rootfs = Rootfs::new(
            entries
                .into_iter()
                .map(|(path, entry)| (RootPath::new(path), entry))
                .collect(),
            Arc::new(Nothing),
        );
        let found = privileged(&rootfs, rootfs.iter().map(|(path, _)| path));
        let told: Vec<_> = found
            .iter()
            .map(|file| {
                (
                    file.path.to_string(),
                    file.user,
                    file.group,
                    file.capabilities.len(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("/bin/chage".into(), None, Some(42), 0),
                ("/bin/ping".into(), None, None, 1),
                ("/bin/su".into(), Some(0), None, 0),
            ]
        );
    }

    #[test]
    fn a_malformed_attribute_names_nothing() {
        assert!(permitted(&[]).is_empty());
        assert!(permitted(&[1, 0, 0, 9, 255, 255, 255, 255]).is_empty());
        assert!(permitted(&NET_RAW[..10]).is_empty());
        assert_eq!(permitted(&NET_RAW), ["CAP_NET_RAW"]);
    }
}
