//! A drop-in for a systemd service that runs the application outside of a container, or with `RootDirectory=` or
//! `RootImage=`.
//!
//! systemd's filter knows names, not arguments. What the recorded container was only allowed under conditions (new
//! namespaces, personalities, families of sockets) systemd has settings of its own for.
//!
//! Source: systemd.exec(5), systemd.resource-control(5).

use std::collections::BTreeSet;

use super::apparmor::{self, Piece};
use super::kubernetes::suggestion;
use super::mounts::data_mounts;
use super::unit::word;
use super::{Artifact, Calls, Context, Error, remark, user};
use crate::path::RootPath;
use crate::plan::Changes;
use crate::recording::{Abi, Actor};
use crate::spec::shell::line;
use crate::spec::{ContainerSpec, NetworkMode, Tmpfs, ULIMITS, Ulimit};

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
        let mut unit = DropIn::new(context);
        if context.launch.seccomp {
            unit.add_system_calls();
        }
        unit.add_privileges();
        for (setting, holds) in SWITCHES {
            if holds(&unit) {
                unit.set(setting, "yes");
            }
        }
        unit.add_files();
        unit.add_options();
        unit.comments.extend(suggestion(
            context,
            |bytes| format!("MemoryMax={}M", bytes >> 20),
            |pids| format!("TasksMax={pids}"),
        ));
        if let Some(name) = &context.launch.apparmor {
            // With a hyphen: not where the kernel has no AppArmor or no such profile.
            unit.set("AppArmorProfile", &format!("-{}", line(name)));
        }
        let mut comments = unit.comments;
        comments.extend(remark::rest(&unit.rest));
        let comments = comments.iter().map(|comment| format!("# {}", line(comment)));
        let all: Vec<String> = comments.chain(unit.lines).collect();
        Ok((all.join("\n") + "\n").into_bytes())
    }
}

/// A drop-in that is being written.
struct DropIn<'a> {
    context: &'a Context<'a>,
    calls: Calls<'a>,
    comments: Vec<String>,
    lines: Vec<String>,
    /// The options of the launch that no setting says yet.
    rest: ContainerSpec,
}

/// A setting that is either on or not there, and whether the application does without what it forbids.
type Switch = (&'static str, fn(&DropIn<'_>) -> bool);

const SWITCHES: &[Switch] = &[
    ("NoNewPrivileges", |unit| unit.context.launch.no_new_privileges()),
    ("RestrictNamespaces", |unit| unit.has_no_namespaces()),
    ("LockPersonality", |unit| !unit.calls.made(&["personality"])),
    ("RestrictRealtime", |unit| {
        !unit
            .calls
            .made(&["sched_setscheduler", "sched_setattr", "sched_setparam"])
    }),
    ("ProtectClock", |unit| {
        !unit.has("CAP_SYS_TIME") && !unit.has("CAP_WAKE_ALARM")
    }),
    ("ProtectHostname", |unit| {
        !unit.calls.made(&["sethostname", "setdomainname"])
    }),
    ("ProtectKernelModules", |unit| !unit.has("CAP_SYS_MODULE")),
    ("ProtectKernelLogs", |unit| {
        !unit.has("CAP_SYSLOG") && !unit.calls.made(&["syslog"])
    }),
    ("ProtectKernelTunables", |unit| {
        !unit.writes("/proc/sys") && !unit.writes("/sys")
    }),
    ("ProtectControlGroups", |unit| !unit.writes("/sys/fs/cgroup")),
];

/// A setting, and its value from the options of a launch, out of which it takes what it says.
type OptionSetting = (&'static str, fn(&mut ContainerSpec) -> Option<String>);

const OPTIONS: &[OptionSetting] = &[
    ("WorkingDirectory", |rest| {
        take_plain(&mut rest.workdir, |path| path.starts_with('/'))
    }),
    ("KillSignal", |rest| take_plain(&mut rest.stop_signal, |_| true)),
    ("TimeoutStopSec", |rest| {
        rest.stop_timeout.take().map(|seconds| seconds.to_string())
    }),
    ("PrivateNetwork", |rest| match rest.network.mode {
        NetworkMode::None => {
            rest.network.mode = NetworkMode::Default;
            Some("yes".to_owned())
        }
        NetworkMode::Host => {
            rest.network.mode = NetworkMode::Default;
            Some("no".to_owned())
        }
        _ => None,
    }),
    ("OOMScoreAdjust", |rest| {
        rest.limits.oom_score_adj.take().map(|score| score.to_string())
    }),
    ("AllowedCPUs", |rest| {
        take_plain(&mut rest.limits.cpuset_cpus, |_| true)
    }),
    ("AllowedMemoryNodes", |rest| {
        take_plain(&mut rest.limits.cpuset_mems, |_| true)
    }),
    ("CPUQuota", |rest| {
        // Hundredths of a percent are the least that it takes.
        let hundredths = rest.limits.nano_cpus.filter(|nano| nano % 100_000 == 0)? / 100_000;
        rest.limits.nano_cpus = None;
        Some(format!("{}.{:02}%", hundredths / 100, hundredths % 100))
    }),
    ("MemoryMax", |rest| {
        rest.limits.memory.take().map(|bytes| bytes.to_string())
    }),
    ("TasksMax", |rest| rest.limits.pids.take().map(limit)),
];

impl<'a> DropIn<'a> {
    fn new(context: &'a Context<'a>) -> Self {
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", context.plan.reference),
            "Put it into /etc/systemd/system/NAME.service.d/, for a service that runs the application;"
                .to_owned(),
            "paths are those in the image (RootDirectory=, RootImage=).".to_owned(),
        ];
        let privilege_gain = context.launch.privilege_gain.iter();
        comments.extend(privilege_gain.map(|path| format!("needs privilege gain: {path}")));
        Self {
            context,
            calls: Calls::new(context.plan),
            comments,
            lines: vec!["[Service]".to_owned()],
            rest: context.launch.to_container(),
        }
    }

    fn set(&mut self, setting: &str, value: &str) {
        self.lines.push(format!("{setting}={value}"));
    }

    /// Sets a path or a name; says so where it cannot be written.
    fn set_word(&mut self, setting: &str, text: &[u8]) -> bool {
        let word = word(text);
        match &word {
            Some(word) => self.set(setting, word),
            None => {
                let text = RootPath::new(text);
                self.comments
                    .push(format!("{setting}={text} cannot be written here."));
            }
        }
        word.is_some()
    }

    fn has(&self, capability: &str) -> bool {
        self.context.launch.capabilities.contains(capability)
    }

    fn has_no_namespaces(&self) -> bool {
        !self.has("CAP_SYS_ADMIN") && !self.calls.made(&["unshare", "setns"])
    }

    /// Returns whether the application wrote below `top`.
    fn writes(&self, top: &str) -> bool {
        let runs = self.context.recording.runs.values();
        runs.flat_map(|run| &run.files).any(|used| {
            let writes = used.access.iter().any(|access| access.is_change());
            used.actor == Actor::App && writes && used.path.starts_with(&RootPath::new(top))
        })
    }

    fn add_system_calls(&mut self) {
        let plan = self.context.plan;
        let mut names: BTreeSet<&str> = plan.syscalls.iter().map(|call| call.name.as_str()).collect();
        if self.has_no_namespaces() && names.contains("clone") {
            // RestrictNamespaces= answers it as a kernel without it would, which the C library expects.
            names.insert("clone3");
        }
        let names: Vec<&str> = names.into_iter().filter(|name| is_name(name)).collect();
        for names in names.chunks(12) {
            self.set("SystemCallFilter", &names.join(" "));
        }
        self.set("SystemCallErrorNumber", "EPERM");
        let compat = plan.syscalls.iter().any(|call| call.abi == Abi::Compat);
        self.set(
            "SystemCallArchitectures",
            if compat { "native x86" } else { "native" },
        );
    }

    /// Capabilities, user, groups and families of sockets.
    fn add_privileges(&mut self) {
        let launch = self.context.launch;
        let capabilities: Vec<&str> = launch.capabilities.iter().map(String::as_str).collect();
        self.set("CapabilityBoundingSet", &capabilities.join(" "));
        self.rest.cap_drop.clear();
        self.rest.cap_add.clear();
        self.rest.security.no_new_privileges = None;

        let numbers = user::take_numbers(&mut self.rest, self.context.image);
        self.comments.extend(numbers.remarks);
        if let Some((uid, gid)) = numbers.user {
            self.set("User", &uid.to_string());
            if let Some(gid) = gid {
                self.set("Group", &gid.to_string());
            }
        }
        if !numbers.groups.is_empty() {
            let groups: Vec<String> = numbers.groups.iter().map(u32::to_string).collect();
            self.set("SupplementaryGroups", &groups.join(" "));
        }

        let families = families(self.context);
        let families: Vec<&str> = families.iter().map(String::as_str).collect();
        let families = if families.is_empty() {
            "none".to_owned()
        } else {
            families.join(" ")
        };
        self.set("RestrictAddressFamilies", &families);
    }

    /// Adds the paths that it may write to and execute.
    fn add_files(&mut self) {
        let launch = self.context.launch;
        self.rest.read_only = false;
        let mut unsaid = Vec::new();
        for tmpfs in std::mem::take(&mut self.rest.tmpfs) {
            let plain = !tmpfs.target.contains([':', '%']);
            if !plain || !self.set_word("TemporaryFileSystem", temporary(&tmpfs).as_bytes()) {
                unsaid.push(tmpfs);
            }
        }
        self.rest.tmpfs = unsaid;
        let rootfs = &self.context.image.rootfs;
        let changes = Changes::new(self.context.recording, rootfs);
        let mut written = data_mounts(self.context);
        if !launch.is_read_only() {
            written.extend(changes.files(rootfs));
            written.extend(changes.directories(rootfs));
        }
        if !written.contains(&RootPath::root()) {
            self.set("ReadOnlyPaths", "/");
            for path in &written {
                self.set_word("ReadWritePaths", path.as_bytes());
            }
        }
        self.set("NoExecPaths", "/");
        for path in executed(self.context) {
            self.set_word("ExecPaths", path.as_bytes());
        }
    }

    /// Options that a setting says as they are.
    fn add_options(&mut self) {
        for (setting, take) in OPTIONS {
            if let Some(value) = take(&mut self.rest) {
                self.set(setting, &value);
            }
        }
        let (env, other): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rest.env)
                .into_iter()
                .partition(|variable| {
                    let name = &variable.name;
                    is_name(name) && !name.starts_with(|c: char| c.is_ascii_digit())
                });
        self.rest.env = other;
        for variable in env {
            self.set("PassEnvironment", &variable.name);
        }
        // systemd has a setting for each of them; a recording from elsewhere may name others.
        let (known, other): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rest.ulimits)
            .into_iter()
            .partition(|ulimit| ULIMITS.contains(&ulimit.name.as_str()));
        self.rest.ulimits = other;
        for Ulimit { name, soft, hard } in known {
            let value = format!("{}:{}", limit(soft), limit(hard));
            self.set(&format!("Limit{}", name.to_uppercase()), &value);
        }
    }
}

/// A limit as systemd writes it.
fn limit(number: i64) -> String {
    if number < 0 {
        "infinity".to_owned()
    } else {
        number.to_string()
    }
}

/// Takes a text that a setting without quotes and escapes can hold.
fn take_plain(text: &mut Option<String>, is_right: fn(&str) -> bool) -> Option<String> {
    let plain = |text: &str| word(text.as_bytes()).as_deref() == Some(text);
    if text.as_deref().is_some_and(|text| plain(text) && is_right(text)) {
        text.take()
    } else {
        None
    }
}

/// A memory file system as Docker mounts it, where systemd's own defaults differ.
fn temporary(tmpfs: &Tmpfs) -> String {
    let mut all = tmpfs.clone();
    all.mode.get_or_insert(0o1777);
    let sized = all.options.iter().any(|option| option.starts_with("size="));
    let defaults = ["nosuid", "nodev"].into_iter();
    let defaults = defaults
        .chain((!all.exec).then_some("noexec"))
        .chain((!sized).then_some("size=50%"));
    format!(
        "{}:{},{}",
        all.target,
        defaults.collect::<Vec<_>>().join(","),
        all.options_text()
    )
}

/// Returns whether a call has a name, and not just a number.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns what is executed or mapped as code: that alone may be.
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
    if Calls::new(context.plan).made(&["socketpair"]) {
        families.insert("AF_UNIX".to_owned());
    }
    families
}
