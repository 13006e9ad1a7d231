//! A drop-in for a systemd service that runs the application outside of a container, or with `RootDirectory=` or
//! `RootImage=`.
//!
//! systemd's filter knows names, not arguments. What the recorded container was only allowed under conditions (new
//! namespaces, personalities, families of sockets) systemd has settings of its own for.
//!
//! Source: systemd.exec(5), systemd.resource-control(5).

use std::collections::BTreeSet;

use super::apparmor::{self, Piece};
use super::kubernetes::with_headroom;
use super::mounts::data_mounts;
use super::unit::word;
use super::{Artifact, Calls, Context, Error};
use crate::path::RootPath;
use crate::plan::Changes;
use crate::recording::{Abi, Actor};
use crate::spec::shell::line;

/// The artifact `systemd.conf`.
#[derive(Clone, Copy, Debug)]
pub struct Systemd;

impl Artifact for Systemd {
    fn format(&self) -> &'static str {
        "systemd"
    }

    fn description(&self) -> &'static str {
        "drop-in for a systemd service that runs the application"
    }

    fn file_name(&self) -> &'static str {
        "systemd.conf"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let plan = context.plan;
        let launch = context.launch;
        let calls = Calls::of(plan);
        let has = |name: &str| launch.capabilities.contains(name);
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", plan.reference),
            "Put it into /etc/systemd/system/NAME.service.d/, for a service that runs the application;"
                .to_owned(),
            "paths are those in the image (RootDirectory=, RootImage=).".to_owned(),
        ];
        let mut lines = vec!["[Service]".to_owned()];
        let mut set = |key: &str, value: &str| lines.push(format!("{key}={value}"));

        let no_namespaces = !has("CAP_SYS_ADMIN") && !calls.made(&["unshare", "setns"]);
        let mut names: BTreeSet<&str> = plan.syscalls.iter().map(|call| call.name.as_str()).collect();
        if no_namespaces && names.contains("clone") {
            // RestrictNamespaces= answers it as a kernel without it would, which the C library expects.
            names.insert("clone3");
        }
        let names: Vec<&str> = names.into_iter().filter(|name| is_name(name)).collect();
        for names in names.chunks(12) {
            set("SystemCallFilter", &names.join(" "));
        }
        set("SystemCallErrorNumber", "EPERM");
        let compat = plan.syscalls.iter().any(|call| call.abi == Abi::Compat);
        set(
            "SystemCallArchitectures",
            if compat { "native x86" } else { "native" },
        );
        let capabilities: Vec<&str> = launch.capabilities.iter().map(String::as_str).collect();
        set("CapabilityBoundingSet", &capabilities.join(" "));
        for path in &launch.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        let families = families(context);
        let families: Vec<&str> = families.iter().map(String::as_str).collect();
        let families = if families.is_empty() {
            "none".to_owned()
        } else {
            families.join(" ")
        };
        set("RestrictAddressFamilies", &families);
        let writes = |top: &str| {
            let runs = context.recording.runs.values();
            runs.flat_map(|run| &run.files).any(|used| {
                let writes = used.access.iter().any(|access| access.is_change());
                used.actor == Actor::App && writes && used.path.starts_with(&RootPath::new(top))
            })
        };
        for (setting, holds) in [
            ("NoNewPrivileges", launch.no_new_privileges()),
            ("RestrictNamespaces", no_namespaces),
            ("LockPersonality", !calls.made(&["personality"])),
            (
                "RestrictRealtime",
                !calls.made(&["sched_setscheduler", "sched_setattr", "sched_setparam"]),
            ),
            ("ProtectClock", !has("CAP_SYS_TIME") && !has("CAP_WAKE_ALARM")),
            ("ProtectHostname", !calls.made(&["sethostname", "setdomainname"])),
            ("ProtectKernelModules", !has("CAP_SYS_MODULE")),
            (
                "ProtectKernelLogs",
                !has("CAP_SYSLOG") && !calls.made(&["syslog"]),
            ),
            ("ProtectKernelTunables", !writes("/proc/sys") && !writes("/sys")),
            ("ProtectControlGroups", !writes("/sys/fs/cgroup")),
        ] {
            if holds {
                set(setting, "yes");
            }
        }

        let mut unsaid = Vec::new();
        if launch.is_read_only() {
            for tmpfs in launch.tmpfs() {
                match word(tmpfs.to_string().as_bytes()) {
                    Some(text) => set("TemporaryFileSystem", &text),
                    None => unsaid.push(format!("TemporaryFileSystem={tmpfs} cannot be written here.")),
                }
            }
        }
        let mut paths = |key: &str, all: &BTreeSet<RootPath>| {
            for path in all {
                match word(path.as_bytes()) {
                    Some(path) => set(key, &path),
                    None => unsaid.push(format!("{key}={path} cannot be written here.")),
                }
            }
        };
        let root = BTreeSet::from([RootPath::root()]);
        let rootfs = &context.image.rootfs;
        let changes = Changes::of(context.recording, rootfs);
        let mut written = data_mounts(context);
        if !launch.is_read_only() {
            written.extend(changes.files(rootfs));
            written.extend(changes.directories(rootfs));
        }
        if !written.contains(&RootPath::root()) {
            paths("ReadOnlyPaths", &root);
            paths("ReadWritePaths", &written);
        }
        paths("NoExecPaths", &root);
        paths("ExecPaths", &executed(context));
        comments.extend(unsaid);

        let peaks = context.recording.peaks();
        let headroom = context.options.headroom;
        if let Some(memory) = peaks.memory {
            let mebibytes = with_headroom(memory, headroom).div_ceil(1 << 20).max(1);
            lines.push(format!("MemoryMax={mebibytes}M"));
        }
        if let Some(pids) = peaks.pids {
            lines.push(format!("TasksMax={}", with_headroom(pids.max(1), headroom)));
        }
        if peaks.memory.is_some() || peaks.pids.is_some() {
            comments.push(format!(
                "Limits are the highest recorded peaks and {headroom} percent."
            ));
        }
        if let Some(name) = &launch.apparmor {
            // With a hyphen: not where the kernel has no AppArmor or no such profile.
            lines.push(format!("AppArmorProfile=-{}", line(name)));
        }
        let comments = comments.iter().map(|comment| format!("# {}", line(comment)));
        let all: Vec<String> = comments.chain(lines).collect();
        Ok((all.join("\n") + "\n").into_bytes())
    }
}

/// Whether a call has a name, and not just a number.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What is executed or mapped as code: that alone may be.
fn executed(context: &Context<'_>) -> BTreeSet<RootPath> {
    let rules = apparmor::rules(context).0;
    let code = rules.iter().filter(|(_, allowed)| allowed.execute || allowed.map);
    let paths = code.filter_map(|(pattern, _)| match pattern.0.as_slice() {
        [Piece::Text(path)] => Some(RootPath::new(path)),
        _ => None,
    });
    paths.collect()
}

/// The families of sockets that were used, by the names of `socket(2)`.
fn families(context: &Context<'_>) -> BTreeSet<String> {
    let runs = context.recording.runs.values();
    let sockets = runs
        .flat_map(|run| &run.sockets)
        .filter(|socket| socket.actor == Actor::App);
    let mut families: BTreeSet<String> = sockets
        .filter_map(|socket| apparmor::family(&socket.family))
        .map(|family| format!("AF_{}", family.to_uppercase()))
        .collect();
    if Calls::of(context.plan).made(&["socketpair"]) {
        families.insert("AF_UNIX".to_owned());
    }
    families
}
