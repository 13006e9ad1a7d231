//! The mounts that every container has, whoever made it.

use crate::path::RootPath;

/// File systems of the kernel's that a runtime mounts, parents first.
///
/// Sources: OCI runtime specification, `config-linux.md`, "Default Filesystems" (`/proc`, `/sys`, `/dev/pts`, `/dev/shm`);
/// moby `oci/defaults.go` adds `/dev`, `/dev/mqueue` and `/sys/fs/cgroup`, as podman and containerd do.
pub const FILE_SYSTEMS: [&str; 7] = [
    "/proc",
    "/dev",
    "/dev/pts",
    "/dev/shm",
    "/dev/mqueue",
    "/sys",
    "/sys/fs/cgroup",
];

/// Files that an engine binds from its own store.
///
/// Source: moby `daemon/container_operations_unix.go` and `container/container_unix.go`, `NetworkMounts`.
pub const FILES: [&str; 3] = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

/// Returns every mount point.
pub fn all() -> impl Iterator<Item = &'static str> {
    FILE_SYSTEMS.into_iter().chain(FILES)
}

/// Returns the mount points that lie in no other.
pub fn outermost() -> impl Iterator<Item = &'static str> {
    all().filter(|path| path.rfind('/') == Some(0) || FILES.contains(path))
}

/// Returns true for a path on one of the mounts.
pub fn contain(path: &RootPath) -> bool {
    outermost().any(|mount| path.starts_with(&RootPath::new(mount)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_hold_all_and_none_holds_another() {
        let outermost: Vec<_> = outermost().map(RootPath::new).collect();
        for path in all() {
            let above = outermost
                .iter()
                .filter(|mount| RootPath::new(path).starts_with(mount));
            assert_eq!(above.count(), 1, "{path}");
            assert!(contain(&RootPath::new(path).join("x")), "{path}");
        }
        for path in ["/", "/etc", "/etc/hosts.allow", "/devices", "/srv/proc"] {
            assert!(!contain(&RootPath::new(path)), "{path}");
        }
    }
}
