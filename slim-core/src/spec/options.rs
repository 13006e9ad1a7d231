//! The options of `docker run` that slim takes, as the user writes them, and those that it refuses.

use serde::{Deserialize, Serialize};

/// The user's additions to the image's own configuration, in the words and the syntax of `docker run`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::Args), command(next_help_heading = HEADING))]
#[serde(default, rename_all = "kebab-case")]
pub struct ContainerOptions {
    /// Set an environment variable (NAME alone takes slim's own)
    #[cfg_attr(
        feature = "clap",
        arg(long, short = 'e', value_name = "NAME=VALUE", env = "SLIM_ENV")
    )]
    pub env: Vec<String>,
    /// Read environment variables from a file
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", env = "SLIM_ENV_FILE"))]
    pub env_file: Vec<String>,
    /// Mount a volume or a directory of the host
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "[SOURCE:]TARGET[:OPTIONS]", env = "SLIM_VOLUME")
    )]
    pub volume: Vec<String>,
    /// Mount a file system
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "type=…,source=…,target=…", env = "SLIM_MOUNT")
    )]
    pub mount: Vec<String>,
    /// The network
    #[cfg_attr(feature = "clap", arg(long, value_name = "NETWORK", env = "SLIM_NETWORK"))]
    pub network: Option<String>,
    /// A further name of the container on its network
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", env = "SLIM_NETWORK_ALIAS"))]
    pub network_alias: Vec<String>,
    /// The container's IPv4 address on its network
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS", env = "SLIM_IP"))]
    pub ip: Option<String>,
    /// The container's IPv6 address on its network
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS", env = "SLIM_IP6"))]
    pub ip6: Option<String>,
    /// The container's MAC address
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS", env = "SLIM_MAC_ADDRESS"))]
    pub mac_address: Option<String>,
    /// Publish a port on the host
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "[IP:][HOST:]PORT[/PROTOCOL]", env = "SLIM_PUBLISH")
    )]
    pub publish: Vec<String>,
    /// Declare a port beside the image's
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "PORT[-LAST][/PROTOCOL]", env = "SLIM_EXPOSE")
    )]
    pub expose: Vec<String>,
    /// The user
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAME|UID[:GROUP|GID]", env = "SLIM_USER")
    )]
    pub user: Option<String>,
    /// A supplementary group
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME|GID", env = "SLIM_GROUP_ADD"))]
    pub group_add: Vec<String>,
    /// Replace the image's ENTRYPOINT
    #[cfg_attr(feature = "clap", arg(long, value_name = "COMMAND", env = "SLIM_ENTRYPOINT"))]
    pub entrypoint: Option<String>,
    /// The working directory
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", env = "SLIM_WORKDIR"))]
    pub workdir: Option<String>,
    /// The host name
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", env = "SLIM_HOSTNAME"))]
    pub hostname: Option<String>,
    /// The NIS domain name
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", env = "SLIM_DOMAINNAME"))]
    pub domainname: Option<String>,
    /// Make the root file system read-only
    #[cfg_attr(feature = "clap", arg(long, env = "SLIM_READ_ONLY"))]
    pub read_only: bool,
    /// Mount a tmpfs
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "TARGET[:OPTIONS]", env = "SLIM_TMPFS")
    )]
    pub tmpfs: Vec<String>,
    /// The size of /dev/shm
    #[cfg_attr(feature = "clap", arg(long, value_name = "BYTES", env = "SLIM_SHM_SIZE"))]
    pub shm_size: Option<String>,
    /// Limit memory
    #[cfg_attr(feature = "clap", arg(long, value_name = "BYTES", env = "SLIM_MEMORY"))]
    pub memory: Option<String>,
    /// Limit memory and swap together; -1 for no limit
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            allow_hyphen_values = true,
            value_name = "BYTES",
            env = "SLIM_MEMORY_SWAP"
        )
    )]
    pub memory_swap: Option<String>,
    /// Memory below which nothing is reclaimed
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "BYTES", env = "SLIM_MEMORY_RESERVATION")
    )]
    pub memory_reservation: Option<String>,
    /// Limit processor time
    #[cfg_attr(feature = "clap", arg(long, value_name = "NUMBER", env = "SLIM_CPUS"))]
    pub cpus: Option<String>,
    /// Relative weight of processor time
    #[cfg_attr(feature = "clap", arg(long, value_name = "NUMBER", env = "SLIM_CPU_SHARES"))]
    pub cpu_shares: Option<i64>,
    /// The processors to run on (0-2,4)
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST", env = "SLIM_CPUSET_CPUS"))]
    pub cpuset_cpus: Option<String>,
    /// The memory nodes to use (0,1)
    #[cfg_attr(feature = "clap", arg(long, value_name = "LIST", env = "SLIM_CPUSET_MEMS"))]
    pub cpuset_mems: Option<String>,
    /// Limit processes and threads; -1 for no limit
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            allow_negative_numbers = true,
            value_name = "NUMBER",
            env = "SLIM_PIDS_LIMIT"
        )
    )]
    pub pids_limit: Option<i64>,
    /// The score by which the kernel chooses what to kill for want of memory
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            allow_negative_numbers = true,
            value_name = "NUMBER",
            env = "SLIM_OOM_SCORE_ADJ"
        )
    )]
    pub oom_score_adj: Option<i64>,
    /// Limit a resource of processes
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAME=SOFT[:HARD]", env = "SLIM_ULIMIT")
    )]
    pub ulimit: Vec<String>,
    /// Add a capability
    #[cfg_attr(feature = "clap", arg(long, value_name = "CAPABILITY", env = "SLIM_CAP_ADD"))]
    pub cap_add: Vec<String>,
    /// Drop a capability
    #[cfg_attr(feature = "clap", arg(long, value_name = "CAPABILITY", env = "SLIM_CAP_DROP"))]
    pub cap_drop: Vec<String>,
    /// A security option
    #[cfg_attr(feature = "clap", arg(long, value_name = "OPTION", env = "SLIM_SECURITY_OPT"))]
    pub security_opt: Vec<String>,
    /// Set a kernel parameter of the container's name spaces
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME=VALUE", env = "SLIM_SYSCTL"))]
    pub sysctl: Vec<String>,
    /// Add a device of the host
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "HOST[:CONTAINER][:PERMISSIONS]", env = "SLIM_DEVICE")
    )]
    pub device: Vec<String>,
    /// Add a rule of the device cgroup
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "RULE", env = "SLIM_DEVICE_CGROUP_RULE")
    )]
    pub device_cgroup_rule: Vec<String>,
    /// Add GPUs
    #[cfg_attr(feature = "clap", arg(long, value_name = "GPUS", env = "SLIM_GPUS"))]
    pub gpus: Option<String>,
    /// Run the engine's init as PID 1
    #[cfg_attr(feature = "clap", arg(long, env = "SLIM_INIT"))]
    pub init: bool,
    /// Allocate a pseudo-terminal
    #[cfg_attr(feature = "clap", arg(long, env = "SLIM_TTY"))]
    pub tty: bool,
    /// The signal that stops the container
    #[cfg_attr(feature = "clap", arg(long, value_name = "SIGNAL", env = "SLIM_STOP_SIGNAL"))]
    pub stop_signal: Option<String>,
    /// The IPC name space: none, private, shareable, host, container:NAME
    #[cfg_attr(feature = "clap", arg(long, value_name = "MODE", env = "SLIM_IPC"))]
    pub ipc: Option<String>,
    /// The PID name space: host, container:NAME
    #[cfg_attr(feature = "clap", arg(long, value_name = "MODE", env = "SLIM_PID"))]
    pub pid: Option<String>,
    /// The UTS name space: host
    #[cfg_attr(feature = "clap", arg(long, value_name = "MODE", env = "SLIM_UTS"))]
    pub uts: Option<String>,
    /// The user name space: host
    #[cfg_attr(feature = "clap", arg(long, value_name = "MODE", env = "SLIM_USERNS"))]
    pub userns: Option<String>,
    /// The cgroup name space: host, private
    #[cfg_attr(feature = "clap", arg(long, value_name = "MODE", env = "SLIM_CGROUPNS"))]
    pub cgroupns: Option<String>,
    /// The low-level runtime
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", env = "SLIM_RUNTIME"))]
    pub runtime: Option<String>,
    /// The image's platform
    #[cfg_attr(feature = "clap", arg(long, value_name = "OS/ARCH", env = "SLIM_PLATFORM"))]
    pub platform: Option<String>,
    /// A name server
    #[cfg_attr(feature = "clap", arg(long, value_name = "ADDRESS", env = "SLIM_DNS"))]
    pub dns: Vec<String>,
    /// A search domain
    #[cfg_attr(feature = "clap", arg(long, value_name = "DOMAIN", env = "SLIM_DNS_SEARCH"))]
    pub dns_search: Vec<String>,
    /// An option of resolv.conf(5)
    #[cfg_attr(feature = "clap", arg(long, value_name = "OPTION", env = "SLIM_DNS_OPTION"))]
    pub dns_option: Vec<String>,
    /// Add a host name to /etc/hosts
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAME:ADDRESS", env = "SLIM_ADD_HOST")
    )]
    pub add_host: Vec<String>,
    /// Label the recorded container
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME=VALUE", env = "SLIM_LABEL"))]
    pub label: Vec<String>,
    /// Read labels from a file
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", env = "SLIM_LABEL_FILE"))]
    pub label_file: Vec<String>,
    /// The health check's command, in place of the image's
    #[cfg_attr(feature = "clap", arg(long, value_name = "COMMAND", env = "SLIM_HEALTH_CMD"))]
    pub health_cmd: Option<String>,
    /// Time between two health checks
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "TIME", env = "SLIM_HEALTH_INTERVAL")
    )]
    pub health_interval: Option<String>,
    /// Time that a health check may take
    #[cfg_attr(feature = "clap", arg(long, value_name = "TIME", env = "SLIM_HEALTH_TIMEOUT"))]
    pub health_timeout: Option<String>,
    /// Time in which failed health checks do not count
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "TIME", env = "SLIM_HEALTH_START_PERIOD")
    )]
    pub health_start_period: Option<String>,
    /// Number of failed health checks in a row that make it unhealthy
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NUMBER", env = "SLIM_HEALTH_RETRIES")
    )]
    pub health_retries: Option<i64>,
    /// Switch the image's health check off
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            env = "SLIM_NO_HEALTHCHECK",
            conflicts_with_all = ["health_cmd", "health_interval", "health_timeout", "health_start_period", "health_retries"]
        )
    )]
    pub no_healthcheck: bool,
    /// Seconds between the stop signal and SIGKILL; without it the engine's default of 10 s
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "SECONDS", env = "SLIM_STOP_TIMEOUT")
    )]
    pub stop_timeout: Option<u32>,
    /// The command in place of the image's, behind its entrypoint; empty for the image's own
    #[cfg_attr(feature = "clap", arg(skip))]
    pub command: Vec<String>,
}

/// The heading of these options in a program's help.
pub const HEADING: &str = "Container (as docker run has them)";

/// Options of `docker run` that slim does not take: the name, why, and what to do.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "privileged",
        "slim never runs a container privileged, since its profiles would have to allow everything: name what it needs with --cap-add, --device and --security-opt",
    ),
    (
        "cgroup-parent",
        "the tracer finds the container by the cgroup that the engine gives it: leave it out while recording",
    ),
    (
        "volumes-from",
        "name the volumes with --volume or --mount, so that the product can have them too",
    ),
    (
        "volume-driver",
        "name it with the volume: --mount type=volume,volume-driver=…",
    ),
    (
        "link",
        "links are obsolete: use a network of your own (--network)",
    ),
    (
        "link-local-ip",
        "slim cannot repeat it: use --ip on a network of your own",
    ),
    (
        "publish-all",
        "name the ports with --publish; exposed ones are probed without it",
    ),
    (
        "blkio-weight",
        "slim does not carry limits of block devices: leave it out while recording",
    ),
    (
        "blkio-weight-device",
        "slim does not carry limits of block devices: leave it out while recording",
    ),
    (
        "device-read-bps",
        "slim does not carry limits of block devices: leave it out while recording",
    ),
    (
        "device-read-iops",
        "slim does not carry limits of block devices: leave it out while recording",
    ),
    (
        "device-write-bps",
        "slim does not carry limits of block devices: leave it out while recording",
    ),
    (
        "device-write-iops",
        "slim does not carry limits of block devices: leave it out while recording",
    ),
    ("cpu-period", "use --cpus"),
    ("cpu-quota", "use --cpus"),
    (
        "cpu-rt-period",
        "slim does not carry real-time limits: leave it out while recording",
    ),
    (
        "cpu-rt-runtime",
        "slim does not carry real-time limits: leave it out while recording",
    ),
    ("cpu-count", "it is Windows's"),
    ("cpu-percent", "it is Windows's"),
    ("io-maxbandwidth", "it is Windows's"),
    ("io-maxiops", "it is Windows's"),
    ("isolation", "it is Windows's"),
    ("kernel-memory", "kernels no longer have it: use --memory"),
    (
        "memory-swappiness",
        "slim does not carry it: leave it out while recording",
    ),
    (
        "oom-kill-disable",
        "slim does not carry it: leave it out while recording",
    ),
    (
        "storage-opt",
        "slim does not carry options of the storage driver: leave it out while recording",
    ),
    (
        "log-driver",
        "slim reads the container's log through the engine: leave it out while recording",
    ),
    (
        "log-opt",
        "slim reads the container's log through the engine: leave it out while recording",
    ),
    (
        "annotation",
        "slim does not carry annotations: leave it out while recording",
    ),
    (
        "use-api-socket",
        "it hands the engine's socket to the container: mount it with --volume, if it must be",
    ),
    (
        "interactive",
        "nobody is there to type: a recorded container has no standard input",
    ),
    ("attach", "slim keeps the container's output in container.log"),
    ("detach", "slim runs the container and waits for it"),
    ("detach-keys", "slim runs the container and waits for it"),
    ("sig-proxy", "Ctrl-C ends slim, which stops the container"),
    (
        "name",
        "slim names its containers itself, so that they never stand in for one of yours",
    ),
    ("rm", "slim removes its containers itself"),
    (
        "restart",
        "slim watches one life of a container: a crash is to be seen",
    ),
    ("cidfile", "slim names its containers itself: see --output"),
    (
        "disable-content-trust",
        "slim pulls through the engine, whose settings hold",
    ),
    (
        "health-start-interval",
        "slim runs the health check once while recording: leave it out",
    ),
];

/// Returns why slim does not take an option of `docker run`, and what to do; none where it is no such option, or one that
/// slim takes.
pub fn refused(name: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == name)
        .map(|(_, why)| *why)
}
