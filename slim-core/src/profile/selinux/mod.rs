//! A SELinux policy module in CIL, as udica makes them: a type of the container's own for its processes, another one for
//! its files, and what was seen to be done to what carries which label.
//!
//! It stands on the reference policy's names alone (`domain`, `file_type`, types of `/proc`, `/sys` and ports). What a
//! policy may lack (an engine's type, a port's) is in a block of its own that is left out there.
//!
//! Sources: the CIL reference guide; `policy/flask/access_vectors` and `policy/modules/kernel` of the reference policy;
//! `security/selinux/hooks.c` of Linux for which check is made when.

mod label;
mod port;

use std::collections::{BTreeMap, BTreeSet};

use super::{Artifact, Calls, Context, Error};
use crate::plan::recorded_path;
use crate::recording::{Access, Actor, FileUse, SocketAction, SocketUse};
use crate::spec::CAPABILITIES;
use crate::spec::shell::line;

/// The artifact `selinux.cil`.
#[derive(Clone, Copy, Debug)]
pub struct Selinux;

/// The container's own types, within the block.
const PROCESS: &str = "process";
const FILE: &str = "file";

/// Types that engines and their helpers run as, in the policies that know them.
const ENGINES: [&str; 8] = [
    "conmon_t",
    "container_engine_t",
    "container_runtime_t",
    "dockerd_t",
    "initrc_t",
    "podman_t",
    "unconfined_service_t",
    "unconfined_t",
];

/// Types of the image's files where the engine keeps them, in the policies that know these types.
const STORAGE: [&str; 3] = ["container_ro_file_t", "container_var_lib_t", "var_lib_t"];

/// Permissions of the container's processes, by target's type and class.
#[derive(Default)]
struct Allowed(BTreeMap<(String, &'static str), BTreeSet<&'static str>>);

impl Allowed {
    fn add(&mut self, target: &str, class: &'static str, permissions: &[&'static str]) {
        let entry = self.0.entry((target.to_owned(), class)).or_default();
        entry.extend(permissions);
    }
}

impl Artifact for Selinux {
    fn format(&self) -> &'static str {
        "selinux"
    }

    fn description(&self) -> &'static str {
        "SELinux policy module in CIL, for semodule"
    }

    fn file_name(&self) -> &'static str {
        "selinux.cil"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let block = context.profile_name().replace('-', "_");
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", context.plan.reference),
            format!("semodule --install {}", self.file_name()),
            format!(
                "docker run --security-opt label=type:{block}.{PROCESS} --security-opt label=filetype:{block}.{FILE} …"
            ),
            "Mount the host's directories with :Z, so that they get the container's label.".to_owned(),
        ];
        for path in &context.plan.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        let mut out = String::new();
        let mut say = |depth: usize, text: &str| {
            out.push_str(&"    ".repeat(depth));
            out.push_str(text);
            out.push('\n');
        };
        let calls = Calls::new(context.plan);
        let mut allowed = Allowed::default();
        own(&mut allowed, &calls);
        files(&mut allowed, context, &calls);
        let guessed = sockets(&mut allowed, context, &calls);
        if !guessed.is_empty() {
            let ports: Vec<&str> = guessed.iter().take(10).map(String::as_str).collect();
            comments.push(format!(
                "Ports taken for their range's, unless semanage port --list says otherwise: {}",
                ports.join(", ")
            ));
        }
        for refused in capabilities(&mut allowed, context) {
            comments.push(format!(
                "{refused} is not granted: the reference policy never allows it."
            ));
        }

        for comment in &comments {
            say(0, &format!("; {}", line(comment)));
        }
        say(0, &format!("(block {block}"));
        for statement in [
            format!("(type {PROCESS})"),
            format!("(type {FILE})"),
            format!("(roletype system_r {PROCESS})"),
            format!("(roletype object_r {FILE})"),
            format!("(typeattributeset domain ({PROCESS}))"),
            format!("(typeattributeset file_type ({FILE}))"),
            // Files: in an overlay, in memory, and as the file system itself where it is mounted with this label.
            format!("(allow {FILE} {FILE} (filesystem (associate)))"),
            format!("(allow {FILE} fs_t (filesystem (associate)))"),
            format!("(allow {FILE} tmpfs_t (filesystem (associate)))"),
        ] {
            say(1, &statement);
        }
        say(1, "; Categories keep two containers of one type apart.");
        say(1, "(optional categories");
        say(
            2,
            &format!("(typeattributeset mcs_constrained_type ({PROCESS})))"),
        );
        if allowed.0.contains_key(&(PROCESS.to_owned(), "capability"))
            && allowed.0[&(PROCESS.to_owned(), "capability")].contains("sys_module")
        {
            say(1, "(optional modules");
            say(2, &format!("(typeattributeset can_load_kernmodule ({PROCESS})))"));
        }

        say(1, "; What the container's processes were seen to do.");
        let mut optional: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((target, class), permissions) in &allowed.0 {
            let permissions: Vec<&str> = permissions.iter().copied().collect();
            let rule = format!("(allow {PROCESS} {target} ({class} ({})))", permissions.join(" "));
            if [PROCESS, FILE].contains(&target.as_str()) {
                say(1, &rule);
            } else {
                optional.entry(target).or_default().push(rule);
            }
        }
        for (target, rules) in optional {
            say(1, &format!("(optional to_{target}"));
            for (number, rule) in rules.iter().enumerate() {
                let end = if number + 1 == rules.len() { ")" } else { "" };
                say(2, &format!("{rule}{end}"));
            }
        }
        say(1, "; What starts, stops and serves them.");
        for engine in ENGINES {
            say(1, &format!("(optional by_{engine}"));
            let rules = engine_rules(engine);
            for (number, rule) in rules.iter().enumerate() {
                let end = if number + 1 == rules.len() { ")" } else { "" };
                say(2, &format!("{rule}{end}"));
            }
        }
        say(0, ")");
        Ok(out.into_bytes())
    }
}

/// The calls that send signals.
const SIGNALLING: [&str; 6] = [
    "kill",
    "pidfd_send_signal",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "tgkill",
    "tkill",
];

/// Allows every process's accesses to itself and its like.
fn own(allowed: &mut Allowed, calls: &Calls<'_>) {
    // Signals: what a process sends itself when it aborts, and SIGIO, which one process's writing sends to another.
    // That memory becomes code is not recorded where no file is mapped; just-in-time compilers do it.
    let mut process = vec!["fork", "sigchld", "getattr", "getrlimit", "execmem", "signal"];
    for (permissions, made) in [
        (&["sigkill", "signull", "sigstop"][..], &SIGNALLING[..]),
        (
            &["getsched"],
            &[
                "getpriority",
                "ioprio_get",
                "sched_getaffinity",
                "sched_getattr",
                "sched_getparam",
                "sched_getscheduler",
            ],
        ),
        (
            &["setsched"],
            &[
                "ioprio_set",
                "sched_setaffinity",
                "sched_setattr",
                "sched_setparam",
                "sched_setscheduler",
                "setpriority",
            ],
        ),
        (&["getpgid"], &["getpgid", "getpgrp"]),
        (&["setpgid"], &["setpgid", "setsid"]),
        (&["getsession"], &["getsid"]),
        (&["getcap"], &["capget"]),
        (&["setcap"], &["capset"]),
        (&["setrlimit"], &["prlimit64", "setrlimit"]),
        (&["ptrace"], &["ptrace", "process_vm_readv", "process_vm_writev"]),
    ] {
        if calls.made(made) {
            process.extend(permissions);
        }
    }
    allowed.add(PROCESS, "process", &process);
    allowed.add(PROCESS, "fd", &["use"]);
    allowed.add(
        PROCESS,
        "fifo_file",
        &["append", "getattr", "ioctl", "lock", "open", "read", "write"],
    );
    for (class, made) in [("shm", "shmget"), ("sem", "semget"), ("msgq", "msgget")] {
        if calls.made(&[made]) {
            let all = [
                "associate",
                "create",
                "destroy",
                "getattr",
                "read",
                "setattr",
                "unix_read",
                "unix_write",
                "write",
            ];
            allowed.add(PROCESS, class, &all);
            match class {
                "shm" => allowed.add(PROCESS, class, &["lock"]),
                "msgq" => allowed.add(PROCESS, class, &["enqueue"]),
                _ => {}
            }
        }
    }
    if calls.made(&["add_key", "keyctl", "request_key"]) {
        allowed.add(
            PROCESS,
            "key",
            &["create", "link", "read", "search", "setattr", "view", "write"],
        );
    }
}

/// Allows the accesses to files, by the label that they carry in a container.
fn files(allowed: &mut Allowed, context: &Context<'_>, calls: &Calls<'_>) {
    // The executed file, its libraries, and the terminal and devices that the engine makes under the same label.
    allowed.add(
        FILE,
        "file",
        &[
            "entrypoint",
            "execute",
            "execute_no_trans",
            "getattr",
            "ioctl",
            "map",
            "open",
            "read",
        ],
    );
    // What overlayfs maps is the file below, and `mprotect` is checked against that one's label: a dynamic linker calls it.
    // Without `open`, no file of that label is read which the container has only by a mount.
    for target in STORAGE {
        allowed.add(target, "file", &["execute", "read"]);
    }
    allowed.add(FILE, "dir", &["getattr", "open", "search"]);
    allowed.add(FILE, "lnk_file", &["getattr", "read"]);
    allowed.add(
        FILE,
        "chr_file",
        &["append", "getattr", "ioctl", "open", "read", "write"],
    );
    allowed.add(
        "devpts_t",
        "chr_file",
        &["append", "getattr", "ioctl", "open", "read", "write"],
    );
    let rootfs = &context.image.rootfs;
    for run in context.recording.runs.values() {
        for used in run.files.iter().filter(|used| used.actor == Actor::App) {
            let path = recorded_path(used, rootfs);
            let directory = rootfs.get(&path).map(crate::image::Entry::is_dir);
            let target = label::of(&path);
            if target != FILE {
                allowed.add(target, "dir", &["getattr", "open", "search"]);
            }
            file(allowed, target, used, directory, calls);
        }
    }
    if calls.made(&["statfs", "fstatfs", "statvfs"]) {
        for target in [
            FILE, "fs_t", "tmpfs_t", "proc_t", "sysfs_t", "cgroup_t", "devpts_t",
        ] {
            allowed.add(target, "filesystem", &["getattr"]);
        }
    }
}

/// One use of a file; whether it is a directory, if the image has it.
fn file(allowed: &mut Allowed, target: &str, used: &FileUse, directory: Option<bool>, calls: &Calls<'_>) {
    let made = |names: &[&str]| calls.made(names);
    let is_directory = directory.unwrap_or(used.access.contains(&Access::List));
    let class = if is_directory {
        "dir"
    } else if label::is_device(&used.path) {
        "chr_file"
    } else if used.access.contains(&Access::BindSocket) || used.access.contains(&Access::ConnectSocket) {
        "sock_file"
    } else {
        "file"
    };
    for access in &used.access {
        match access {
            Access::List => allowed.add(target, "dir", &["ioctl", "read"]),
            Access::Read if is_directory => allowed.add(target, "dir", &["ioctl", "read"]),
            // A file that is read is as well mapped.
            Access::Read if class == "file" => {
                allowed.add(target, class, &["getattr", "ioctl", "map", "open", "read"]);
            }
            Access::Read => allowed.add(target, class, &["getattr", "ioctl", "open", "read"]),
            Access::Write => allowed.add(target, class, &["append", "getattr", "ioctl", "open", "write"]),
            Access::Append => allowed.add(target, class, &["append", "getattr", "ioctl", "open"]),
            Access::Lock => allowed.add(target, class, &["lock"]),
            Access::Map | Access::Interpret | Access::Execute => {
                allowed.add(target, "file", &["execute", "getattr", "map", "open", "read"]);
            }
            Access::Attributes => {
                // Of a name that the image does not have, it is not known what it is.
                allowed.add(target, class, &["setattr"]);
                if directory.is_none() && class == "file" {
                    allowed.add(target, "dir", &["setattr"]);
                }
            }
            Access::BindSocket => {
                allowed.add(target, "sock_file", &["create", "getattr", "setattr"]);
                allowed.add(target, "dir", &["add_name", "write"]);
            }
            Access::ConnectSocket => allowed.add(target, "sock_file", &["write"]),
            Access::Create => {
                allowed.add(target, "dir", &["add_name", "write"]);
                allowed.add(target, "file", &["create", "getattr"]);
                for (class, permissions, names) in [
                    ("dir", &["create"][..], &["mkdir", "mkdirat"][..]),
                    ("lnk_file", &["create"], &["symlink", "symlinkat"]),
                    ("file", &["link"], &["link", "linkat"]),
                    (
                        "fifo_file",
                        &["create", "getattr", "open", "read", "write"],
                        &["mknod", "mknodat"],
                    ),
                ] {
                    if made(names) {
                        allowed.add(target, class, permissions);
                    }
                }
            }
            Access::Remove => {
                allowed.add(target, "dir", &["remove_name", "write"]);
                if made(&["unlink", "unlinkat"]) {
                    for class in ["file", "lnk_file", "sock_file"] {
                        allowed.add(target, class, &["unlink"]);
                    }
                }
                if made(&["rmdir", "unlinkat"]) {
                    allowed.add(target, "dir", &["rmdir"]);
                }
                if made(&["rename", "renameat", "renameat2"]) {
                    allowed.add(target, "file", &["rename", "unlink"]);
                    allowed.add(target, "dir", &["rename", "reparent"]);
                }
            }
            Access::OpenPath
            | Access::Stat
            | Access::Permission
            | Access::ChangeDirectory
            | Access::ReadLink => {
                allowed.add(target, class, &["getattr"]);
            }
        }
    }
    if made(&["inotify_add_watch"]) && used.access.contains(&Access::Stat) && target == FILE {
        allowed.add(target, class, &["watch"]);
    }
}

/// Allows the uses of sockets and ports; returns the ports whose label is that of their range.
fn sockets(allowed: &mut Allowed, context: &Context<'_>, calls: &Calls<'_>) -> BTreeSet<String> {
    let mut guessed = BTreeSet::new();
    const BASE: [&str; 8] = [
        "create", "getattr", "getopt", "ioctl", "read", "setopt", "shutdown", "write",
    ];
    let runs = context.recording.runs.values();
    let sockets = runs
        .flat_map(|run| &run.sockets)
        .filter(|socket| socket.actor == Actor::App);
    for socket in sockets {
        let Some(class) = class(socket) else { continue };
        allowed.add(PROCESS, class, &BASE);
        match socket.action {
            SocketAction::Create | SocketAction::Send => {}
            SocketAction::Bind => allowed.add(PROCESS, class, &["bind"]),
            SocketAction::Listen => allowed.add(PROCESS, class, &["accept", "listen"]),
            SocketAction::Connect => allowed.add(PROCESS, class, &["connect"]),
        }
        match class {
            "unix_stream_socket" => allowed.add(PROCESS, class, &["connectto"]),
            "unix_dgram_socket" => allowed.add(PROCESS, class, &["sendto"]),
            "netlink_route_socket" => allowed.add(PROCESS, class, &["nlmsg_read"]),
            "tcp_socket" | "udp_socket" | "sctp_socket" => {
                // Where packets and peers carry labels, they pass; whose they are is a network policy's to say.
                allowed.add("netif_t", "netif", &["egress", "ingress"]);
                allowed.add("node_t", "node", &["recvfrom", "sendto"]);
                if socket.action == SocketAction::Bind {
                    allowed.add("node_t", class, &["node_bind"]);
                }
                if socket.port == 0 {
                    continue;
                }
                let permission = match socket.action {
                    SocketAction::Bind => "name_bind",
                    SocketAction::Connect if class != "udp_socket" => "name_connect",
                    _ => continue,
                };
                for target in port::labels(class, socket.port) {
                    allowed.add(target, class, &[permission]);
                }
                if port::known(class, socket.port).is_none() {
                    guessed.insert(format!("{} {}", class.trim_end_matches("_socket"), socket.port));
                }
            }
            _ => {}
        }
    }
    if calls.made(&["socketpair"]) {
        allowed.add(PROCESS, "unix_stream_socket", &BASE);
        allowed.add(PROCESS, "unix_dgram_socket", &BASE);
    }
    guessed
}

/// The class of a socket, with the policy capability `extended_socket_class`; none for one without a class of its own.
fn class(socket: &SocketUse) -> Option<&'static str> {
    // IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP
    Some(
        match (socket.family.as_str(), socket.kind.as_str(), socket.protocol) {
            ("inet" | "inet6", "stream" | "seqpacket", 132) => "sctp_socket",
            ("inet" | "inet6", "stream", _) => "tcp_socket",
            ("inet" | "inet6", "dgram", 1 | 58) => "icmp_socket",
            ("inet" | "inet6", "dgram", _) => "udp_socket",
            ("inet" | "inet6", _, _) => "rawip_socket",
            ("unix", "dgram", _) => "unix_dgram_socket",
            ("unix", _, _) => "unix_stream_socket",
            ("packet", _, _) => "packet_socket",
            ("netlink", _, 0) => "netlink_route_socket",
            ("netlink", _, 4) => "netlink_tcpdiag_socket",
            ("netlink", _, 6) => "netlink_xfrm_socket",
            ("netlink", _, 9) => "netlink_audit_socket",
            ("netlink", _, 10) => "netlink_fib_lookup_socket",
            ("netlink", _, 11) => "netlink_connector_socket",
            ("netlink", _, 12) => "netlink_netfilter_socket",
            ("netlink", _, 15) => "netlink_kobject_uevent_socket",
            ("netlink", _, 16) => "netlink_generic_socket",
            ("netlink", _, 21) => "netlink_crypto_socket",
            ("netlink", _, _) => "netlink_socket",
            ("15", _, _) => "key_socket",
            ("38", _, _) => "alg_socket",
            ("40", _, _) => "vsock_socket",
            _ => return None,
        },
    )
}

/// Grants the plan's capabilities; those that no policy may grant.
fn capabilities(allowed: &mut Allowed, context: &Context<'_>) -> Vec<String> {
    /// Those with numbers from 32 on are of a class of their own.
    const SECOND: [&str; 9] = [
        "audit_read",
        "block_suspend",
        "bpf",
        "checkpoint_restore",
        "mac_admin",
        "mac_override",
        "perfmon",
        "syslog",
        "wake_alarm",
    ];
    let mut refused = Vec::new();
    for capability in context
        .plan
        .capabilities
        .iter()
        .filter(|c| CAPABILITIES.contains(&c.name.as_str()))
    {
        let name = capability.name.trim_start_matches("CAP_").to_lowercase();
        if name == "mac_override" {
            refused.push(capability.name.clone());
            continue;
        }
        match SECOND.iter().find(|second| **second == name) {
            Some(second) => {
                allowed.add(PROCESS, "capability2", &[second]);
                allowed.add(PROCESS, "cap2_userns", &[second]);
            }
            None => {
                let Some(first) = FIRST.iter().find(|first| **first == name) else {
                    continue;
                };
                allowed.add(PROCESS, "capability", &[first]);
                // The same, where the container has a user name space.
                allowed.add(PROCESS, "cap_userns", &[first]);
            }
        }
    }
    refused
}

/// Capabilities with numbers below 32, by name.
const FIRST: [&str; 32] = [
    "audit_control",
    "audit_write",
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "ipc_lock",
    "ipc_owner",
    "kill",
    "lease",
    "linux_immutable",
    "mknod",
    "net_admin",
    "net_bind_service",
    "net_broadcast",
    "net_raw",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_admin",
    "sys_boot",
    "sys_chroot",
    "sys_module",
    "sys_nice",
    "sys_pacct",
    "sys_ptrace",
    "sys_rawio",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
];

/// Allows the engine's accesses to its container, and those to what the engine gives the container: its start (also under
/// no-new-privileges), signals, standard streams (which images open once more, as `/dev/stdout`), the files of the image.
fn engine_rules(engine: &str) -> Vec<String> {
    let all = "append create getattr ioctl link lock map mounton open read relabelfrom relabelto rename setattr unlink write";
    vec![
        format!(
            "(allow {engine} {PROCESS} (process (getattr getpgid getsched noatsecure rlimitinh setrlimit setsched share \
             sigchld siginh sigkill signal signull sigstop transition)))"
        ),
        format!("(allow {engine} {PROCESS} (process2 (nnp_transition nosuid_transition)))"),
        format!("(allow {engine} {PROCESS} (dir (getattr open read search)))"),
        format!("(allow {engine} {PROCESS} (file (getattr open read write)))"),
        format!("(allow {engine} {PROCESS} (lnk_file (getattr read)))"),
        format!("(allow {engine} {PROCESS} (fd (use)))"),
        format!("(allow {engine} {PROCESS} (key (create link read search setattr view write)))"),
        format!("(allow {engine} {PROCESS} (unix_stream_socket (connectto)))"),
        format!("(allow {engine} {FILE} (filesystem (getattr mount relabelfrom relabelto remount unmount)))"),
        format!(
            "(allow {engine} {FILE} (dir (add_name create getattr ioctl link lock mounton open read relabelfrom relabelto \
             remove_name rename reparent rmdir search setattr unlink write)))"
        ),
        format!("(allow {engine} {FILE} (file (execute {all})))"),
        format!("(allow {engine} {FILE} (lnk_file ({all})))"),
        format!("(allow {engine} {FILE} (chr_file ({all})))"),
        format!("(allow {engine} {FILE} (fifo_file ({all})))"),
        format!("(allow {engine} {FILE} (sock_file ({all})))"),
        format!("(allow {PROCESS} {engine} (fd (use)))"),
        format!("(allow {PROCESS} {engine} (fifo_file (append getattr ioctl open read write)))"),
        format!("(allow {PROCESS} {engine} (unix_stream_socket (getattr getopt ioctl read write)))"),
        format!("(allow {PROCESS} {engine} (process (sigchld)))"),
    ]
}
