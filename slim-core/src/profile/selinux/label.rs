//! Labels of paths in a container.
//!
//! The root file system, `/dev` and memory carry the container's own; what the kernel makes is labelled by the policy's
//! `genfscon` statements, and a process's directory in `/proc` as the process is.

use super::{FILE, PROCESS};
use crate::path::RootPath;

/// Labels below `/proc`, the longest first where one begins with another (reference policy, `kernel.te`).
const PROC: [(&str, &str); 19] = [
    ("/proc/sys/vm/overcommit_memory", "sysctl_vm_overcommit_t"),
    ("/proc/sys/kernel/ns_last_pid", "sysctl_kernel_ns_last_pid_t"),
    ("/proc/sys/kernel/modprobe", "sysctl_modprobe_t"),
    ("/proc/sys/kernel/hotplug", "sysctl_hotplug_t"),
    ("/proc/sys/net/unix", "sysctl_net_unix_t"),
    ("/proc/sys/crypto", "sysctl_crypto_t"),
    ("/proc/sys/kernel", "sysctl_kernel_t"),
    ("/proc/sys/net", "sysctl_net_t"),
    ("/proc/sys/dev", "sysctl_dev_t"),
    ("/proc/sys/fs", "sysctl_fs_t"),
    ("/proc/sys/vm", "sysctl_vm_t"),
    ("/proc/sys", "sysctl_t"),
    ("/proc/kallsyms", "system_map_t"),
    ("/proc/mdstat", "proc_mdstat_t"),
    ("/proc/kcore", "proc_kcore_t"),
    ("/proc/kmsg", "proc_kmsg_t"),
    ("/proc/net", "proc_net_t"),
    ("/proc/irq", "sysctl_irq_t"),
    ("/proc", "proc_t"),
];

/// Labels of other file systems of the kernel.
const SYS: [(&str, &str); 6] = [
    ("/sys/devices/system/cpu/online", "cpu_online_t"),
    ("/sys/fs/cgroup", "cgroup_t"),
    ("/sys/fs/bpf", "bpf_t"),
    ("/sys/fs/selinux", "security_t"),
    ("/sys/kernel/debug", "debugfs_t"),
    ("/sys", "sysfs_t"),
];

/// The label of what is at a path.
pub(super) fn of(path: &RootPath) -> &'static str {
    let below = |top: &str| path.starts_with(&RootPath::new(top));
    let mut names = path.components();
    if names.next() == Some(b"proc")
        && let Some(name) = names.next()
        && (matches!(name, b"self" | b"thread-self") || name.iter().all(u8::is_ascii_digit))
    {
        let net = names.any(|name| name == b"net");
        return if net { "proc_net_t" } else { PROCESS };
    }
    let found = PROC.iter().chain(&SYS).find(|(top, _)| below(top));
    found.map_or(FILE, |(_, label)| label)
}

/// Returns whether a path is a device's: those of a container are all in `/dev`, beside directories of memory.
pub(super) fn is_device(path: &RootPath) -> bool {
    let below = |top: &str| path.starts_with(&RootPath::new(top));
    below("/dev") && !below("/dev/shm") && !below("/dev/mqueue")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_kernels_and_the_containers_own() {
        for (path, label) in [
            ("/etc/passwd", FILE),
            ("/dev/urandom", FILE),
            ("/proc/self/status", PROCESS),
            ("/proc/12/net/tcp", "proc_net_t"),
            ("/proc/meminfo", "proc_t"),
            ("/proc/sys/net/core/somaxconn", "sysctl_net_t"),
            ("/proc/sys/vm/overcommit_memory", "sysctl_vm_overcommit_t"),
            ("/sys/fs/cgroup/memory.max", "cgroup_t"),
            ("/sys/block", "sysfs_t"),
            ("/system", FILE),
        ] {
            assert_eq!(of(&RootPath::new(path)), label, "{path}");
        }
    }

    /// As the reference policy labels them.
    #[test]
    fn the_tables_agree_with_the_reference_policy() {
        let Some(policy) = crate::profile::tests::formats::reference_policy() else {
            return;
        };
        for (top, label) in PROC {
            let path = top.strip_prefix("/proc").unwrap();
            let path = if path.is_empty() { "/" } else { path };
            let line = format!("(genfscon proc \"{path}\" (system_u object_r {label} ");
            assert!(policy.contains(&line), "{line}");
        }
        for line in [
            "(genfscon sysfs \"/devices/system/cpu/online\" (system_u object_r cpu_online_t ",
            "(genfscon sysfs \"/\" (system_u object_r sysfs_t ",
            "(genfscon cgroup2 \"/\" (system_u object_r cgroup_t ",
            "(genfscon bpf \"/\" (system_u object_r bpf_t ",
            "(genfscon debugfs \"/\" (system_u object_r debugfs_t ",
        ] {
            assert!(policy.contains(line), "{line}");
        }
    }
}
