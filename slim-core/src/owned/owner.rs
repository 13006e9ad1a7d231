//! Which process made something.

use std::fmt;
use std::fs;

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process: boot id, process id and start time tell it from every other, and its pid name space from where its id
/// means something. It is told to people, and never decides what is removed: a label or a name can be anybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// The process id in its own pid name space.
    pub pid: u32,
    /// Clock ticks from boot to its start: field 22 of `/proc/PID/stat` (proc_pid_stat(5)).
    pub start: u64,
    /// The inode of its pid name space, 0 if not known.
    pub pid_namespace: u64,
}

impl Owner {
    /// This process. Where /proc cannot be read, what is missing is empty or 0.
    pub fn current() -> Self {
        let pid = Pid::this().as_raw().unsigned_abs();
        Self {
            boot: boot_id(),
            pid,
            start: start_time(pid).unwrap_or(0),
            pid_namespace: own_pid_namespace(),
        }
    }
}

/// As a label: `BOOT-ID:PID:START[:PID-NAME-SPACE]`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.boot, self.pid, self.start)?;
        if self.pid_namespace != 0 {
            write!(f, ":{}", self.pid_namespace)?;
        }
        Ok(())
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

fn own_pid_namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self/ns/pid").map_or(0, |m| m.ino())
}

/// Field 22 of `/proc/PID/stat`; field 2, the name, is in brackets and may hold anything, so count from its end.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind = stat.iter().rposition(|&b| b == b')')? + 1;
    let rest = std::str::from_utf8(&stat[behind..]).ok()?;
    rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known() {
        let me = Owner::current();
        assert!(me.start > 0 && me.pid_namespace > 0 && !me.boot.is_empty());
        assert_eq!(me.pid, std::process::id());
        assert!(me.to_string().contains(&format!(":{}:", me.pid)), "{me}");
    }
}
