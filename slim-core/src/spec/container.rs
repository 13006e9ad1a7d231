//! The description of a container to be started, typed and engine-neutral.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The user's additions to an image's own configuration: what a container is started with beyond it.
///
/// Every field is empty, false or none where the user said nothing. Values of environment variables are not serialised.
/// A new field makes the compiler name each place that has to say what becomes of it: those places destructure this
/// struct without `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerSpec {
    /// The command's words; empty for the image's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The entrypoint in place of the image's; an empty word resets it. None for the image's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
    /// Environment variables, in the order in which later ones win.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// `NAME|UID[:GROUP|GID]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Supplementary groups, by name or number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The NIS domain name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Labels of the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Bind mounts, volumes, and memory file systems in the form of mounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Memory file systems, by mount point.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tmpfs: Vec<Tmpfs>,
    /// The root file system is mounted read-only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// The network.
    #[serde(skip_serializing_if = "Network::is_default")]
    pub network: Network,
    /// Ports published on the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PublishedPort>,
    /// Ports declared beside the image's, as `PORT/PROTOCOL`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub expose: BTreeSet<String>,
    /// Additional lines of `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_hosts: Vec<HostEntry>,
    /// Name resolution in place of the host's.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// Capabilities added (`CAP_NAME`, or `ALL`).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub cap_add: BTreeSet<String>,
    /// Capabilities dropped (`CAP_NAME`, or `ALL`).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub cap_drop: BTreeSet<String>,
    /// Security options.
    #[serde(skip_serializing_if = "Security::is_default")]
    pub security: Security,
    /// Devices of the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Rules of the device cgroup, as the kernel writes them (`c 42:* rmw`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_cgroup_rules: Vec<String>,
    /// `--gpus`: `all`, a number, or `device=…` and further keys, as docker takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<String>,
    /// Kernel parameters of the container's name spaces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// Resource limits of processes (`setrlimit(2)`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<Ulimit>,
    /// Limits of the container's cgroup.
    #[serde(skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// Size of `/dev/shm` in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<u64>,
    /// The engine's init is PID 1.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub init: bool,
    /// A pseudo-terminal is allocated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tty: bool,
    /// The signal that stops the container, by name or number, in place of the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Seconds between the stop signal and SIGKILL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// The IPC name space: `none`, `private`, `shareable`, `host` or `container:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// The PID name space: `host` or `container:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// The UTS name space: `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uts: Option<String>,
    /// The user name space: `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userns: Option<String>,
    /// The cgroup name space: `host` or `private`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroupns: Option<String>,
    /// The low-level runtime by its name in the engine's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The image's platform, as `linux/amd64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The health check in place of the image's.
    #[serde(skip_serializing_if = "HealthCheck::is_default")]
    pub health: HealthCheck,
    /// Options of a container that somebody else created which this description cannot say, as `--name value`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub not_carried: BTreeSet<String>,
}

impl ContainerSpec {
    /// Returns the description with a value for each variable that has none and that `lookup` knows.
    pub fn with_values(mut self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        for variable in self.env.iter_mut().filter(|variable| variable.value.is_none()) {
            variable.value = lookup(&variable.name);
        }
        self
    }
}

/// An environment variable. Its value is used where a container is created, and is neither serialised nor printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EnvVar {
    /// The name.
    pub name: String,
    #[serde(skip)]
    value: Option<String>,
}

impl EnvVar {
    /// A variable with a value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }

    /// A variable whose value is not known, as in a recording; an engine takes it as one to unset.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: None,
        }
    }

    /// The value, for the engine alone; none where it is not known.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// `NAME=VALUE`, or `NAME` where there is no value.
    pub fn assignment(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.clone(),
        }
    }
}

impl fmt::Debug for EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map(|_| "…");
        f.debug_struct("EnvVar")
            .field("name", &self.name)
            .field("value", &value)
            .finish()
    }
}

/// A mount that is not a plain `--tmpfs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// The mount point.
    pub target: String,
    /// The source.
    #[serde(flatten)]
    pub source: MountSource,
    /// The mount is read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// `consistent`, `cached` or `delegated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<String>,
}

/// The source of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MountSource {
    /// A directory or file of the host.
    Bind {
        /// Its absolute path on the host.
        source: String,
        /// The engine makes a directory where there is none (`--volume` does, `--mount` does not).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        create: bool,
        /// `private`, `rprivate`, `shared`, `rshared`, `slave` or `rslave`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        propagation: Option<String>,
        /// The treatment of mounts below the source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recursive: Option<BindRecursive>,
        /// The change of SELinux labels for the container (`z`, `Z`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relabel: Option<Relabel>,
    },
    /// A volume of the engine.
    Volume {
        /// Its name; none for an anonymous one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// A new one is left empty instead of being seeded from the image.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        no_copy: bool,
        /// The directory in the volume that is mounted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subpath: Option<String>,
        /// Labels of a new one.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        /// The driver of a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        driver: Option<String>,
        /// Options for the driver of a new one.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        driver_options: BTreeMap<String, String>,
        /// The change of SELinux labels for the container (`z`, `Z`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relabel: Option<Relabel>,
    },
    /// Memory, with docker's defaults.
    Tmpfs {
        /// Size in bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Mode of its root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
}

/// The treatment of mounts below a bind mount's source (`bind-recursive`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BindRecursive {
    /// They are left out.
    Disabled,
    /// They stay writable below a read-only mount.
    Writable,
    /// They must become read-only too.
    Readonly,
}

/// For whom SELinux labels of a mount's source are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relabel {
    /// For all containers (`z`).
    Shared,
    /// For this container alone (`Z`).
    Private,
}

/// A memory file system: `--tmpfs TARGET[:OPTIONS]`. Without options it is root's, with mode 1777 and `noexec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tmpfs {
    /// The mount point.
    pub target: String,
    /// Owner of its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group of its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Mode of its root, permission bits with set-user-id, set-group-id and sticky.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Files below it may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exec: bool,
    /// Further options of the kernel's tmpfs and mount flags (`size=64m`, `nr_inodes=1k`, `nosuid`), as they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Tmpfs {
    /// The options of the mount, comma-separated (`uid=33,gid=33,mode=755,exec`); empty where there are none.
    pub fn options_text(&self) -> String {
        let Self {
            target: _,
            uid,
            gid,
            mode,
            exec,
            options,
        } = self;
        let mut all = Vec::new();
        all.extend(uid.map(|uid| format!("uid={uid}")));
        all.extend(gid.map(|gid| format!("gid={gid}")));
        all.extend(mode.map(|mode| format!("mode={mode:o}")));
        all.extend(exec.then(|| "exec".to_owned()));
        all.extend(options.iter().cloned());
        all.join(",")
    }
}

impl fmt::Display for Tmpfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options_text();
        f.write_str(&self.target)?;
        if options.is_empty() {
            return Ok(());
        }
        write!(f, ":{options}")
    }
}

/// The network of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The network.
    pub mode: NetworkMode,
    /// Further names of the container on a network of the user's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Its IPv4 address there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// Its MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

impl Network {
    /// Returns true if no option was given for it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The network that a container is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// The engine's default.
    #[default]
    Default,
    /// The engine's bridge, by name.
    Bridge,
    /// The host's own.
    Host,
    /// Loopback alone.
    None,
    /// That of another container, by name or id.
    Container(String),
    /// A network of the user's, by name.
    Named(String),
}

/// A port of the container that is published on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedPort {
    /// The container's port.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The host's address; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The host's first and last port to choose from; none for any free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<(u16, u16)>,
}

/// `[ADDRESS:][HOST:]CONTAINER/PROTOCOL`, as `--publish` takes it.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            container,
            protocol,
            address,
            host,
        } = self;
        match address {
            Some(address) if address.is_ipv6() => write!(f, "[{address}]:")?,
            Some(address) => write!(f, "{address}:")?,
            None => {}
        }
        match host {
            Some((first, last)) if first == last => write!(f, "{first}:")?,
            Some((first, last)) => write!(f, "{first}-{last}:")?,
            None if address.is_some() => f.write_str(":")?,
            None => {}
        }
        write!(f, "{container}/{protocol}")
    }
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// The name.
    pub name: String,
    /// Its IP address, or `host-gateway`.
    pub address: String,
}

/// Name resolution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// Search domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Options of `resolv.conf(5)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Dns {
    /// Returns true if no option was given for it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Security options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// No-new-privileges: true where execve(2) gains no privilege, none for the engine's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privileges: Option<bool>,
    /// The seccomp filter.
    #[serde(skip_serializing_if = "SeccompChoice::is_default")]
    pub seccomp: SeccompChoice,
    /// The AppArmor profile by name, or `unconfined`; none for the engine's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor: Option<String>,
    /// SELinux label options (`disable`, `type:…`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The masked and read-only paths of `/proc` and `/sys` are left open.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub system_paths_unconfined: bool,
}

impl Security {
    /// Returns true if no option was given for it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The seccomp filter that a container is started under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompChoice {
    /// The engine's default.
    #[default]
    Default,
    /// The engine's built-in one, by name.
    Builtin,
    /// None.
    Unconfined,
    /// This profile, in Docker's JSON.
    Profile(serde_json::Value),
}

impl SeccompChoice {
    /// Returns true for the engine's default.
    pub fn is_default(&self) -> bool {
        matches!(self, Self::Default)
    }
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its path on the host, or a CDI name (`vendor.com/class=name`).
    pub host: String,
    /// Its path in the container.
    pub container: String,
    /// The permissions: `r`, `w`, `m`.
    pub permissions: String,
}

/// `HOST[:CONTAINER:PERMISSIONS]`, as `--device` takes it: the name of a device in the container device interface stands
/// alone.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            container,
            permissions,
        } = self;
        f.write_str(host)?;
        for part in [container, permissions] {
            if !part.is_empty() {
                write!(f, ":{part}")?;
            }
        }
        Ok(())
    }
}

/// A resource limit of processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ulimit {
    /// Its name without `RLIMIT_`, in small letters (`nofile`).
    pub name: String,
    /// The soft limit; -1 for none.
    pub soft: i64,
    /// The hard limit; -1 for none.
    pub hard: i64,
}

/// Limits of a container's cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Memory and swap together in bytes; -1 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<i64>,
    /// Memory below which nothing is reclaimed, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<i64>,
    /// Processor time in billionths of a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nano_cpus: Option<i64>,
    /// Relative weight of processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<i64>,
    /// Processors, as `0-2,4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes, as `0,1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_mems: Option<String>,
    /// Processes and threads; -1 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
    /// The score by which the kernel chooses what to kill for want of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
}

impl Limits {
    /// Returns true if no option was given for it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A health check in place of the image's. Times are in nanoseconds, as in an image's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// The image's is switched off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// A command for the image's shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Time between two checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Time that one check may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Time in which failures do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    /// Number of failures in a row after which it is unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
}

impl HealthCheck {
    /// Returns true if no option was given for it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_neither_written_nor_printed() {
        let spec = ContainerSpec {
            env: vec![EnvVar::new("TOKEN", "s3cret")],
            ..ContainerSpec::default()
        };
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(json, r#"{"env":["TOKEN"]}"#);
        assert!(!format!("{spec:?}").contains("s3cret"));
        let read: ContainerSpec = serde_json::from_str(&json).unwrap();
        assert_eq!(read.env, [EnvVar::named("TOKEN")]);
    }

    #[test]
    fn nothing_said_is_nothing_written() {
        assert_eq!(serde_json::to_string(&ContainerSpec::default()).unwrap(), "{}");
    }
}
