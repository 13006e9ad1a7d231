//! The names of Linux's capabilities, in one place.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Names by number, with `CAP_` (`include/uapi/linux/capability.h`, Linux 6.18).
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The capabilities of a container that asks for nothing, with `CAP_` (moby `oci/caps/defaults.go`).
pub const DEFAULT_CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Returns the name of the capability `number`, or `#N` where this list has none.
pub fn capability_name(number: u32) -> Cow<'static, str> {
    match CAPABILITIES.get(number as usize) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("#{number}")),
    }
}

/// Returns the canonical name (`CAP_NET_ADMIN`) of `text`, which may lack `CAP_` and be in any case; none where Linux has
/// no such capability.
pub fn parse_capability(text: &str) -> Option<&'static str> {
    let upper = text.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    CAPABILITIES
        .iter()
        .find(|name| name.strip_prefix("CAP_") == Some(bare))
        .copied()
}

/// Returns the bounding set that an engine with Docker's defaults gives for these `--cap-add` and `--cap-drop` (`CAP_NAME`
/// or `ALL`), sorted.
///
/// Source: moby `oci/caps/utils.go`, `TweakCapabilities`.
pub fn effective_capabilities(add: &BTreeSet<String>, drop: &BTreeSet<String>) -> BTreeSet<String> {
    let mut set: BTreeSet<String> = if add.contains("ALL") {
        CAPABILITIES.map(str::to_owned).into()
    } else if drop.contains("ALL") {
        BTreeSet::new()
    } else {
        DEFAULT_CAPABILITIES.map(str::to_owned).into()
    };
    set.retain(|name| !drop.contains(name));
    set.extend(add.iter().filter(|name| *name != "ALL").cloned());
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_numbers_of_the_header() {
        assert_eq!(capability_name(0), "CAP_CHOWN");
        assert_eq!(capability_name(21), "CAP_SYS_ADMIN");
        assert_eq!(capability_name(40), "CAP_CHECKPOINT_RESTORE");
        assert_eq!(capability_name(41), "#41");
    }

    #[test]
    fn names_are_read_in_any_spelling() {
        assert_eq!(parse_capability("net_admin"), Some("CAP_NET_ADMIN"));
        assert_eq!(parse_capability("CAP_BPF"), Some("CAP_BPF"));
        assert_eq!(parse_capability("CAP_FLY"), None);
        assert!(
            DEFAULT_CAPABILITIES
                .iter()
                .all(|name| CAPABILITIES.contains(name))
        );
    }

    #[test]
    fn sets_start_from_dockers() {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(effective_capabilities(&set(&[]), &set(&[])).len(), 14);
        assert_eq!(
            effective_capabilities(&set(&[]), &set(&["CAP_CHOWN", "CAP_KILL"])).len(),
            12
        );
        assert_eq!(
            effective_capabilities(&set(&["CAP_SYS_TIME"]), &set(&["ALL"])),
            set(&["CAP_SYS_TIME"])
        );
        assert_eq!(
            effective_capabilities(&set(&["ALL"]), &set(&["CAP_BPF"])).len(),
            40
        );
    }
}
