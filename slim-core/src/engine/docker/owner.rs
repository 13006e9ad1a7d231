//! Whose a container, volume, network or image is.
//!
//! Everything that slim creates in an engine carries a label with its owner, so that the next run removes what a killed
//! one left behind, and only that.

use std::fmt;
use std::fs;
use std::str::FromStr;

use nix::unistd::Pid;

/// The label with the owner.
pub const OWNER_LABEL: &str = "io.github.slim.owner";

/// The label with what the object is for (`container`, `volume`).
pub const KIND_LABEL: &str = "io.github.slim.kind";

/// A process: boot id, process id and start time tell it from every other, and its pid name space from where its id
/// means something. As a label: `BOOT-ID:PID:START[:PID-NAME-SPACE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Whether the process is known to have ended: the machine was booted since, or no process has this id and start
    /// time. One from another pid name space of this boot may live.
    pub fn is_dead(&self) -> bool {
        if self.boot != boot_id() {
            return true;
        }
        if self.pid_namespace != 0 && self.pid_namespace != own_pid_namespace() {
            return false;
        }
        start_time(self.pid) != Some(self.start)
    }
}

impl Owner {
    /// As the beginning of an image's tag, which has no colons.
    pub fn as_tag(&self) -> String {
        self.to_string().replace(':', "_")
    }

    /// The owner in a tag that begins with [`Owner::as_tag`] and a full stop.
    ///
    /// # Errors
    /// The tag begins otherwise.
    pub fn from_tag(tag: &str) -> Result<Self, NotAnOwner> {
        let (owner, _) = tag.split_once('.').ok_or(NotAnOwner)?;
        owner.replace('_', ":").parse()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.boot, self.pid, self.start)?;
        if self.pid_namespace != 0 {
            write!(f, ":{}", self.pid_namespace)?;
        }
        Ok(())
    }
}

/// The label is not one that slim writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnOwner;

impl FromStr for Owner {
    type Err = NotAnOwner;

    fn from_str(text: &str) -> Result<Self, NotAnOwner> {
        let fields: Vec<&str> = text.split(':').collect();
        let (boot, pid, start, namespace) = match fields[..] {
            [boot, pid, start] => (boot, pid, start, "0"),
            [boot, pid, start, namespace] => (boot, pid, start, namespace),
            _ => return Err(NotAnOwner),
        };
        if boot.is_empty() {
            return Err(NotAnOwner);
        }
        Ok(Self {
            boot: boot.to_owned(),
            pid: pid.parse().map_err(|_| NotAnOwner)?,
            start: start.parse().map_err(|_| NotAnOwner)?,
            pid_namespace: namespace.parse().map_err(|_| NotAnOwner)?,
        })
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
    use proptest::prelude::*;

    #[test]
    fn an_owner_survives_in_a_tag() {
        let owner = Owner::current();
        assert_eq!(Owner::from_tag(&format!("{}.7", owner.as_tag())), Ok(owner));
        assert_eq!(Owner::from_tag("latest"), Err(NotAnOwner));
        assert_eq!(Owner::from_tag("1.2"), Err(NotAnOwner));
    }

    #[test]
    fn this_process_lives() {
        let me = Owner::current();
        assert!(me.start > 0 && me.pid_namespace > 0 && !me.boot.is_empty());
        assert!(!me.is_dead());
        assert_eq!(me.to_string().parse(), Ok(me));
    }

    #[test]
    fn another_boot_another_start_and_an_ended_process_are_dead() {
        let me = Owner::current();
        let boot = "00000000-0000-0000-0000-000000000000".to_owned();
        assert!(Owner { boot, ..me.clone() }.is_dead());
        let start = me.start + 1;
        assert!(Owner { start, ..me.clone() }.is_dead());
        let mut child = std::process::Command::new("true").spawn().expect("true runs");
        let (pid, start) = (child.id(), start_time(child.id()).unwrap_or(0));
        child.wait().expect("it ends");
        assert!(Owner { pid, start, ..me }.is_dead());
    }

    #[test]
    fn a_process_of_another_name_space_counts_as_living() {
        let me = Owner::current();
        let elsewhere = Owner {
            pid: u32::MAX,
            pid_namespace: me.pid_namespace + 1,
            ..me
        };
        assert!(!elsewhere.is_dead());
    }

    proptest! {
        #[test]
        fn labels_round_trip(boot in "[0-9a-f-]{1,36}", pid: u32, start: u64, pid_namespace: u64) {
            let owner = Owner { boot, pid, start, pid_namespace };
            prop_assert_eq!(owner.to_string().parse(), Ok(owner));
        }

        #[test]
        fn any_text_parses_or_not(text in ".*") {
            let _ = text.parse::<Owner>();
        }
    }
}
