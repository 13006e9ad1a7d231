//! Privileges of a container beyond those of every container, and the user's word for them.
//!
//! A recording, a plan or an output directory may come from anywhere. What it asks for that reaches beyond an
//! unprivileged container on the engine's default network (the host's files, other people's volumes, slim's own
//! environment, ports, capabilities, …) is a set of [`Privilege`]s, and each of them needs a word of the user's: [`Words`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::plan::filter::{Answer, Bound, Compare, Condition, Filter};
use crate::plan::tables::Tables;
use crate::recording::{EngineFacts, ExchangeKind, Purpose, Recording, Run};
use crate::spec::{
    ContainerSpec, DEFAULT_CAPABILITIES, Device, Mount, MountSource, NetworkMode, SeccompChoice, Security,
    shell_word,
};

/// The kind of a privilege: the option of `docker run` that gives it, but for [`Kind::Run`] and
/// [`Kind::Syscall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A directory of the host, or a named volume.
    Volume,
    /// The same, or a volume with a driver's options.
    Mount,
    /// A network that is not the engine's default one.
    Network,
    /// A port of the host.
    Publish,
    /// A variable whose value comes from slim's own environment.
    Env,
    /// A capability that the engine does not give by default.
    CapAdd,
    /// Less confinement than by default.
    SecurityOpt,
    /// A label, by which other tools may act.
    Label,
    /// A device of the host.
    Device,
    /// A rule of the device cgroup.
    DeviceCgroupRule,
    /// Devices by a driver.
    Gpus,
    /// Somebody else's process ids.
    Pid,
    /// Somebody else's shared memory.
    Ipc,
    /// The host's name.
    Uts,
    /// The host's user ids.
    Userns,
    /// The host's cgroups.
    Cgroupns,
    /// A cgroup to be below.
    CgroupParent,
    /// A kernel parameter.
    Sysctl,
    /// Another low-level runtime.
    Runtime,
    /// All of it.
    Privileged,
    /// Another container's volumes.
    VolumesFrom,
    /// A command on the host (`--run`).
    Run,
    /// A system call that the engine's default filter denies.
    Syscall,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 23] = [
        Self::Volume,
        Self::Mount,
        Self::Network,
        Self::Publish,
        Self::Env,
        Self::CapAdd,
        Self::SecurityOpt,
        Self::Label,
        Self::Device,
        Self::DeviceCgroupRule,
        Self::Gpus,
        Self::Pid,
        Self::Ipc,
        Self::Uts,
        Self::Userns,
        Self::Cgroupns,
        Self::CgroupParent,
        Self::Sysctl,
        Self::Runtime,
        Self::Privileged,
        Self::VolumesFrom,
        Self::Run,
        Self::Syscall,
    ];

    /// Its name in `--allow-recorded` (`cap-add`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Mount => "mount",
            Self::Network => "network",
            Self::Publish => "publish",
            Self::Env => "env",
            Self::CapAdd => "cap-add",
            Self::SecurityOpt => "security-opt",
            Self::Label => "label",
            Self::Device => "device",
            Self::DeviceCgroupRule => "device-cgroup-rule",
            Self::Gpus => "gpus",
            Self::Pid => "pid",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Userns => "userns",
            Self::Cgroupns => "cgroupns",
            Self::CgroupParent => "cgroup-parent",
            Self::Sysctl => "sysctl",
            Self::Runtime => "runtime",
            Self::Privileged => "privileged",
            Self::VolumesFrom => "volumes-from",
            Self::Run => "run",
            Self::Syscall => "syscall",
        }
    }
}

/// Something that a container is given beyond what every container has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Privilege {
    /// The kind.
    pub kind: Kind,
    /// The value, in the words of `docker run`.
    pub value: String,
}

impl Privilege {
    fn new(kind: Kind, value: impl Into<String>) -> Self {
        Self {
            kind,
            value: value.into(),
        }
    }
}

/// `cap-add SYS_ADMIN`.
impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), one_line(&self.value))
    }
}

/// `text` with its control characters escaped, so that it stays on its line.
fn one_line(text: &str) -> String {
    let escaped = text.chars().map(|c| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    });
    escaped.collect()
}

/// Returns what the container that `spec` describes is given beyond what every container has.
///
/// A variable without a value is one whose value would come from slim's own environment. What takes something away
/// (`--cap-drop`, `--read-only`, `--memory`) and what stays inside the container (`--user`, `--tmpfs`, `--add-host`, its
/// command) is no privilege.
pub fn of(spec: &ContainerSpec) -> BTreeSet<Privilege> {
    let ContainerSpec {
        // These stay inside the container, or take something away.
        command: _,
        entrypoint: _,
        user: _,
        groups: _,
        workdir: _,
        hostname: _,
        domainname: _,
        tmpfs: _,
        read_only: _,
        expose: _,
        extra_hosts: _,
        dns: _,
        cap_drop: _,
        ulimits: _,
        limits: _,
        shm_size: _,
        init: _,
        tty: _,
        stop_signal: _,
        stop_timeout: _,
        platform: _,
        health: _,
        // These are not carried to a container at all.
        not_carried: _,
        env,
        labels,
        mounts,
        network,
        ports,
        cap_add,
        security,
        devices,
        device_cgroup_rules,
        gpus,
        sysctls,
        ipc,
        pid,
        uts,
        userns,
        cgroupns,
        runtime,
    } = spec;
    let mut all = BTreeSet::new();
    let mut add = |kind, value: String| {
        all.insert(Privilege { kind, value });
    };
    for variable in env.iter().filter(|variable| variable.value().is_none()) {
        add(Kind::Env, variable.name.clone());
    }
    for (name, value) in labels {
        add(Kind::Label, format!("{name}={value}"));
    }
    for mount in mounts.iter().filter(|mount| is_shared(mount)) {
        match mount.to_words() {
            ("volume", value) => add(Kind::Volume, value),
            (_, value) => add(Kind::Mount, value),
        }
    }
    match &network.mode {
        NetworkMode::Default | NetworkMode::Bridge | NetworkMode::None => {}
        NetworkMode::Host => add(Kind::Network, "host".to_owned()),
        NetworkMode::Container(name) => add(Kind::Network, format!("container:{name}")),
        NetworkMode::Named(name) => add(Kind::Network, name.clone()),
    }
    for port in ports {
        add(Kind::Publish, port.to_string());
    }
    let added: Vec<String> = cap_add.iter().cloned().collect();
    for name in beyond_default(&added) {
        add(Kind::CapAdd, name);
    }
    for Device {
        host,
        container,
        permissions,
    } in devices
    {
        add(Kind::Device, format!("{host}:{container}:{permissions}"));
    }
    for rule in device_cgroup_rules {
        add(Kind::DeviceCgroupRule, rule.clone());
    }
    for (name, value) in sysctls {
        add(Kind::Sysctl, format!("{name}={value}"));
    }
    let texts = [
        (Kind::Gpus, gpus, [""; 3]),
        (Kind::Ipc, ipc, ["none", "private", "shareable"]),
        (Kind::Pid, pid, [""; 3]),
        (Kind::Uts, uts, [""; 3]),
        (Kind::Userns, userns, [""; 3]),
        (Kind::Cgroupns, cgroupns, ["private", "", ""]),
        (Kind::Runtime, runtime, [""; 3]),
    ];
    for (kind, text, ordinary) in texts {
        if let Some(text) = text.as_ref().filter(|text| !ordinary.contains(&text.as_str())) {
            add(kind, text.clone());
        }
    }
    let Security {
        no_new_privileges: _,
        seccomp,
        apparmor,
        labels,
        system_paths_unconfined,
    } = security;
    if let Some(profile) = apparmor {
        add(Kind::SecurityOpt, format!("apparmor={profile}"));
    }
    for label in labels {
        add(Kind::SecurityOpt, format!("label={label}"));
    }
    if *system_paths_unconfined {
        add(Kind::SecurityOpt, "systempaths=unconfined".to_owned());
    }
    match seccomp {
        SeccompChoice::Default | SeccompChoice::Builtin => {}
        SeccompChoice::Unconfined => add(Kind::SecurityOpt, "seccomp=unconfined".to_owned()),
        SeccompChoice::Profile(profile) => match Filter::from_oci(profile) {
            Ok(filter) => all.extend(of_filter(&filter, &defaults(&EngineFacts::default(), &added))),
            Err(_) => add(Kind::SecurityOpt, "seccomp=PROFILE".to_owned()),
        },
    }
    all
}

/// Returns whether a mount shows what is not the container's own: a directory of the host, a named volume, what a driver mounts.
fn is_shared(mount: &Mount) -> bool {
    match &mount.source {
        MountSource::Bind { .. } => true,
        MountSource::Tmpfs { .. } => false,
        MountSource::Volume {
            name,
            driver,
            driver_options,
            ..
        } => name.is_some() || driver.is_some() || !driver_options.is_empty(),
    }
}

/// The capabilities among `names` that engines do not give by default, without `CAP_`.
fn beyond_default(names: &[String]) -> impl Iterator<Item = String> {
    let bare = names.iter().map(|name| {
        let upper = name.to_ascii_uppercase();
        upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
    });
    bare.filter(|name| !DEFAULT_CAPABILITIES.contains(&format!("CAP_{name}").as_str()))
}

/// Returns the capabilities among `names` that are privileges.
pub fn of_capabilities(names: &[String]) -> BTreeSet<Privilege> {
    beyond_default(names)
        .map(|name| Privilege::new(Kind::CapAdd, name))
        .collect()
}

/// Returns the calls that `filter` lets through and none of the engines' default filters in `defaults` does.
pub fn of_filter(filter: &Filter, defaults: &[Filter]) -> BTreeSet<Privilege> {
    if filter.default == Answer::Allow {
        return BTreeSet::from([Privilege::new(Kind::SecurityOpt, "seccomp=unconfined")]);
    }
    let names: BTreeSet<&String> = filter.rules.iter().flat_map(|rule| &rule.names).collect();
    let wider = |name: &&&String| {
        let bound = filter.bound(name);
        !defaults
            .iter()
            .any(|default| is_within(&bound, &default.bound(name)))
    };
    names
        .iter()
        .filter(wider)
        .map(|name| Privilege::new(Kind::Syscall, name.as_str()))
        .collect()
}

/// Returns whether all that `bound` lets through, `other` does, as far as that can be told.
fn is_within(bound: &Bound, other: &Bound) -> bool {
    match (bound, other) {
        (Bound::Never, _) | (_, Bound::Always) => true,
        (_, Bound::Never) | (Bound::Always, _) => false,
        (Bound::When(these), Bound::When(those)) => these.iter().all(|these| {
            let meets = |that: &Condition| these.iter().any(|this| implies(this, that));
            those.iter().any(|those| those.iter().all(meets))
        }),
    }
}

/// Returns whether `that` holds wherever `this` does, as far as that can be told.
fn implies(this: &Condition, that: &Condition) -> bool {
    // What bits of the argument are known to be.
    let (mask, value) = match this.op {
        Compare::Eq => (u64::MAX, this.value),
        Compare::MaskedEq => (this.value, this.value_two),
        _ => (0, 0),
    };
    this == that
        || this.index == that.index
            && match that.op {
                Compare::Eq => mask == u64::MAX && value == that.value,
                Compare::MaskedEq => that.value & !mask == 0 && value & that.value == that.value_two,
                Compare::Ne => value != that.value & mask,
                _ => false,
            }
}

/// Returns the filters that a container with `capabilities` may be under without having asked: that of `engine`, and
/// Docker's newest known one.
pub fn defaults(engine: &EngineFacts, capabilities: &[String]) -> Vec<Filter> {
    let tables = Tables::built_in();
    let mut run = Run::new(crate::digest::Digest::of(b""), "");
    run.host.machine = std::env::consts::ARCH.to_owned();
    // No kernel lacks what a default filter asks for (4.8).
    run.host.kernel = "99.0".to_owned();
    let by_default = DEFAULT_CAPABILITIES.iter().map(|name| (*name).to_owned());
    run.container.capabilities = by_default.chain(capabilities.iter().cloned()).collect();
    let newest = tables.dockers_filter(&run).map(|(_, filter)| filter);
    run.engine = engine.clone();
    newest.into_iter().chain(tables.default_filter(&run)).collect()
}

/// Returns the commands that repeating `run` would execute on the host.
fn of_commands(run: &Run) -> impl Iterator<Item = Privilege> {
    run.exchanges.iter().filter_map(|exchange| match &exchange.kind {
        ExchangeKind::Host(host) => Some(Privilege::new(Kind::Run, &host.command)),
        _ => None,
    })
}

/// Returns what the containers are given that repeat the runs of `recording` under `engine`, and what may come to be
/// granted while they are repeated: no more than the recorded containers had.
pub fn of_recording(recording: &Recording, engine: &EngineFacts) -> BTreeSet<Privilege> {
    let mut all = BTreeSet::new();
    for run in recording.runs.values() {
        let container = &run.container;
        if run.purpose == Purpose::Recorded {
            all.extend(of(&container.spec));
            all.extend(of_commands(run));
        }
        all.extend(of_capabilities(&container.capabilities));
        let filter = container
            .seccomp
            .as_ref()
            .and_then(|value| Filter::from_oci(value).ok());
        match filter {
            Some(filter) if !container.seccomp_unconfined => {
                all.extend(of_filter(&filter, &defaults(engine, &container.capabilities)));
            }
            _ if container.seccomp_unconfined => {
                all.insert(Privilege::new(Kind::SecurityOpt, "seccomp=unconfined"));
            }
            // An engine that is not known has no default: the profile is then bounded by what was seen alone.
            _ => {
                let tables = Tables::built_in();
                if tables.default_filter(run).is_none() {
                    all.insert(Privilege::new(Kind::SecurityOpt, "seccomp=unconfined"));
                }
            }
        }
    }
    all
}

/// A value of `--allow-recorded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Everything.
    All,
    /// All of a kind.
    Kind(Kind),
    /// One privilege.
    One(Kind, String),
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if text == "all" {
            return Ok(Self::All);
        }
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) else {
            let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
            return Err(format!(
                "expected all, KIND or KIND=VALUE with one of {}",
                names.join(", ")
            ));
        };
        Ok(match value {
            Some(value) => Self::One(kind, value.to_owned()),
            None => Self::Kind(kind),
        })
    }
}

/// The user's words: what recorded data may ask for.
#[derive(Clone, Debug, Default)]
pub struct Words {
    all: bool,
    kinds: BTreeSet<Kind>,
    exact: BTreeSet<Privilege>,
    /// Variables that the user gave himself: what to hand on in place of a recorded name.
    variables: BTreeMap<String, String>,
}

impl Words {
    /// Takes the values of `--allow-recorded`, and `again`, the options that the user gave again; both are read as the options are.
    pub fn new(allowed: &[Allowed], again: &ContainerSpec) -> Self {
        let mut words = Self {
            exact: of(again),
            ..Self::default()
        };
        for variable in &again.env {
            words.exact.insert(Privilege::new(Kind::Env, &variable.name));
            if let Some(value) = variable.value() {
                words.variables.insert(variable.name.clone(), value.to_owned());
            }
        }
        for allowed in allowed {
            match allowed {
                Allowed::All => words.all = true,
                Allowed::Kind(kind) => drop(words.kinds.insert(*kind)),
                Allowed::One(kind, value) => {
                    let option = vec![format!("--{}", kind.name()), value.clone()];
                    words.exact.extend(of(&ContainerSpec::from_words(&[option], &[])));
                    // What no option says, and what reads the same in any form.
                    words.exact.insert(Privilege::new(*kind, value));
                }
            }
        }
        words
    }

    /// And these commands on the host, which the user gave again.
    #[must_use]
    pub fn and_commands(mut self, commands: &[String]) -> Self {
        let commands = commands.iter().map(|command| Privilege::new(Kind::Run, command));
        self.exact.extend(commands);
        self
    }

    /// Returns whether the user allowed it.
    pub fn allow(&self, privilege: &Privilege) -> bool {
        self.all || self.kinds.contains(&privilege.kind) || self.exact.contains(privilege)
    }

    /// An error with each of `asked` that the user did not allow.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn check(&self, asked: BTreeSet<Privilege>) -> Result<(), NotAllowed> {
        let missing: BTreeSet<Privilege> = asked.into_iter().filter(|asked| !self.allow(asked)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(NotAllowed(missing))
        }
    }

    /// Returns the value that the user gave a variable himself.
    pub fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// Recorded data asks for what the user did not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed(pub BTreeSet<Privilege>);

impl std::error::Error for NotAllowed {}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Number of privileges that are listed of a kind.
        const MOST: usize = 20;
        writeln!(
            f,
            "what was recorded asks for more than a container has by default, and a recording may come from anywhere:"
        )?;
        for kind in Kind::ALL {
            let of_kind: Vec<&Privilege> = self.0.iter().filter(|privilege| privilege.kind == kind).collect();
            for privilege in of_kind.iter().take(MOST) {
                let value = format!("{}={}", kind.name(), one_line(&privilege.value));
                let value = shell_word(&value);
                writeln!(f, "  {privilege}: allow it with --allow-recorded {value}")?;
            }
            if of_kind.len() > MOST {
                let more = of_kind.len() - MOST;
                writeln!(
                    f,
                    "  and {more} more of {0}: allow all of them with --allow-recorded {0}",
                    kind.name()
                )?;
            }
        }
        write!(
            f,
            "nothing was started. Allow each, or give the same option again, or have a signature checked with \
             --verify-key; a recording's digests say that it is whole, not whose it is"
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::{ContainerOptions, ParseContext};

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    /// Returns what the words say; variables without a value stay so.
    fn parsed(options: &ContainerOptions) -> ContainerSpec {
        let context = ParseContext {
            directory: std::path::Path::new("/here"),
            lookup: &|_| None,
        };
        ContainerSpec::parse(options, &context).unwrap()
    }

    fn asked(options: &ContainerOptions) -> Vec<String> {
        of(&parsed(options)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_recorded_command_on_the_host_is_a_privilege() {
        let body = crate::recording::Body {
            digest: crate::digest::Digest::of(b""),
            size: 0,
            kept: true,
        };
        let mut run = Run::new(crate::digest::Digest::of(b"image"), "app");
        run.exchanges = vec![crate::recording::Exchange {
            sequence: 0,
            origin: crate::recording::Origin::Flag,
            kind: ExchangeKind::Host(crate::recording::HostExchange {
                command: "rm -rf / # A=1".into(),
                exit_code: 0,
                stdout: body.clone(),
                stderr: body,
            }),
        }];
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        let mut asked = of_recording(&recording, &EngineFacts::default());
        asked.retain(|privilege| privilege.kind == Kind::Run);
        let names: Vec<String> = asked.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["run rm -rf / # A=1"]);
        let check = |allowed: &[&str], again: &[&str]| {
            let allowed: Vec<Allowed> = allowed.iter().map(|text| text.parse().unwrap()).collect();
            let words = Words::new(&allowed, &ContainerSpec::default()).and_commands(&list(again));
            words.check(asked.clone())
        };
        let refused = check(&[], &["rm -rf /"]).unwrap_err().to_string();
        assert!(
            refused.contains("--allow-recorded 'run=rm -rf / # A=1'"),
            "{refused}"
        );
        assert_eq!(check(&[], &["rm -rf / # A=1"]), Ok(()));
        assert_eq!(check(&["run=rm -rf / # A=1"], &[]), Ok(()));
        assert_eq!(check(&["run"], &[]), Ok(()));
        assert!(check(&["env", "volume"], &[]).is_err());
    }

    #[test]
    fn what_stays_inside_the_container_is_no_privilege() {
        let options = ContainerOptions {
            env: list(&["A=1"]),
            volume: list(&["/anonymous"]),
            mount: list(&["type=tmpfs,target=/t", "type=volume,target=/v"]),
            network: Some("none".into()),
            user: Some("0:0".into()),
            entrypoint: Some("/bin/sh".into()),
            workdir: Some("/".into()),
            hostname: Some("h".into()),
            read_only: true,
            tmpfs: list(&["/tmp:exec"]),
            memory: Some("1g".into()),
            cap_add: list(&["CHOWN", "CAP_KILL"]),
            cap_drop: list(&["ALL"]),
            security_opt: list(&["no-new-privileges"]),
            add_host: list(&["db:10.0.0.1"]),
            command: list(&["rm", "-rf", "/"]),
            ..ContainerOptions::default()
        };
        assert_eq!(asked(&options), [""; 0]);
        assert_eq!(asked(&ContainerOptions::default()), [""; 0]);
    }

    #[test]
    fn everything_that_reaches_out_of_it_is_one() {
        let options = ContainerOptions {
            env: list(&["AWS_SECRET"]),
            volume: list(&["/etc:/host:ro", "db:/db"]),
            mount: list(&[
                "target=/a,source=/,type=bind",
                "type=volume,target=/v,volume-opt=device=/,volume-opt=type=none,volume-opt=o=bind,volume-driver=local",
            ]),
            network: Some("container:other".into()),
            publish: list(&["22:22", "127.0.0.1:80:80"]),
            cap_add: list(&["sys_admin", "ALL"]),
            security_opt: list(&[
                "apparmor=unconfined",
                "label:disable",
                "systempaths=unconfined",
                "seccomp=unconfined",
            ]),
            label: list(&["traefik.enable=true"]),
            ..ContainerOptions::default()
        };
        insta::assert_snapshot!(asked(&options).join("\n"));
    }

    #[test]
    fn name_spaces_devices_and_the_runtime_are_some_too() {
        let host = || Some("host".to_owned());
        let options = ContainerOptions {
            pid: host(),
            ipc: host(),
            uts: host(),
            userns: host(),
            cgroupns: host(),
            runtime: Some("other".into()),
            gpus: Some("all".into()),
            device: list(&["/dev/sda"]),
            device_cgroup_rule: list(&["a *:* rwm"]),
            sysctl: list(&["net.ipv4.ip_forward=1"]),
            ..ContainerOptions::default()
        };
        insta::assert_snapshot!(asked(&options).join("\n"));
    }

    #[test]
    fn words_allow_what_they_say_in_any_form() {
        let options = ContainerOptions {
            volume: list(&["/etc:/host"]),
            mount: list(&["type=bind,source=/a,target=/b"]),
            cap_add: list(&["CAP_NET_ADMIN"]),
            env: list(&["TOKEN"]),
            ..ContainerOptions::default()
        };
        let all = of(&parsed(&options));
        assert_eq!(all.len(), 4);
        let words = |allowed: &[&str], again: &ContainerOptions| {
            let allowed: Vec<Allowed> = allowed.iter().map(|text| text.parse().unwrap()).collect();
            Words::new(&allowed, &parsed(again))
        };
        let none = ContainerOptions::default();
        assert_eq!(words(&[], &none).check(all.clone()), Err(NotAllowed(all.clone())));
        let each = [
            "volume=/etc:/host",
            "mount=target=/b,type=bind,src=/a",
            "cap-add=net_admin",
            "env=TOKEN",
        ];
        words(&each, &none).check(all.clone()).unwrap();
        words(&["all"], &none).check(all.clone()).unwrap();
        words(&["volume", "mount", "cap-add", "env"], &none)
            .check(all.clone())
            .unwrap();
        let again = ContainerOptions {
            env: list(&["TOKEN=mine"]),
            ..options.clone()
        };
        let again = words(&[], &again);
        again.check(all.clone()).unwrap();
        assert_eq!(again.value("TOKEN").as_deref(), Some("mine"));
        // A word for a part is none for the whole, nor is one that reads only for one that writes.
        for (part, whole) in [
            ("source=vol,target=/v,volume-subpath=a", "source=vol,target=/v"),
            (
                "type=bind,source=/,target=/h,bind-nonrecursive",
                "type=bind,source=/,target=/h",
            ),
            (
                "type=bind,source=/,target=/h,readonly",
                "type=bind,source=/,target=/h",
            ),
        ] {
            let whole = ContainerOptions {
                mount: list(&[whole]),
                ..ContainerOptions::default()
            };
            let asked = of(&parsed(&whole));
            let part = words(&[&format!("mount={part}")], &none);
            part.check(asked).unwrap_err();
        }
        // Another value of the same kind is another privilege.
        let other = words(&["volume=/etc:/host:ro", "cap-add=SYS_ADMIN"], &none);
        assert_eq!(other.check(all.clone()).unwrap_err().0.len(), 4);
        assert!("everything".parse::<Allowed>().is_err());
        insta::assert_snapshot!(NotAllowed(all));
    }

    #[test]
    fn a_filter_is_held_to_the_defaults() {
        let filter = |value| Filter::from_oci(&value).unwrap();
        let default = defaults(&EngineFacts::default(), &[]);
        let named = |filter: &Filter, defaults: &[Filter]| {
            let all = of_filter(filter, defaults);
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            named(
                &filter(serde_json::json!({"defaultAction": "SCMP_ACT_LOG"})),
                &default
            ),
            "security-opt seccomp=unconfined"
        );
        let wide = filter(
            serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
                {"names": ["read", "mount", "bpf", "clone"], "action": "SCMP_ACT_ALLOW"},
            ]}),
        );
        assert_eq!(named(&wide, &default), "syscall bpf syscall clone syscall mount");
        let privileged = defaults(&EngineFacts::default(), &list(&["CAP_SYS_ADMIN"]));
        assert_eq!(named(&wide, &privileged), "");
        // Conditions: the default's own, a narrower one, and one that holds always.
        let socket = |op: &str, value: u64| {
            filter(
                serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
                    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": value, "op": op}]},
                ]}),
            )
        };
        assert_eq!(named(&socket("SCMP_CMP_NE", 40), &default), "");
        assert_eq!(named(&socket("SCMP_CMP_EQ", 2), &default), "");
        assert_eq!(named(&socket("SCMP_CMP_EQ", 40), &default), "syscall socket");
        assert_eq!(named(&socket("SCMP_CMP_GE", 0), &default), "syscall socket");
        for default in &default {
            assert_eq!(named(default, std::slice::from_ref(default)), "");
        }
    }

    /// An option of some kind, distinct by `number` from all others.
    fn option(kind: u8, number: usize, options: &mut ContainerOptions) {
        match kind {
            0 => options.env.push(format!("N{number}")),
            1 => options.env.push(format!("V{number}=1")),
            2 => options.volume.push(format!("/h{number}:/c{number}")),
            3 => options.volume.push(format!("v{number}:/c{number}")),
            4 => options.volume.push(format!("/c{number}")),
            5 => options
                .mount
                .push(format!("type=bind,source=/h{number},target=/c{number}")),
            6 => options.tmpfs.push(format!("/c{number}")),
            7 => options.publish.push(format!("{}:80", number + 1000)),
            8 => options
                .cap_add
                .push(["SYS_ADMIN", "CHOWN", "ALL", "BPF"][number % 4].to_owned()),
            9 => options
                .cap_drop
                .push(["SYS_ADMIN", "CHOWN", "ALL", "BPF"][number % 4].to_owned()),
            10 => options
                .security_opt
                .push(["apparmor=x", "no-new-privileges", "systempaths=unconfined"][number % 3].to_owned()),
            11 => options.label.push(format!("l{number}=1")),
            12 => options.add_host.push(format!("h{number}:10.0.0.1")),
            13 => options.read_only = true,
            _ => options.network = options.network.take().or(Some("host".to_owned())),
        }
    }

    proptest! {
        /// An option more never makes the set smaller.
        #[test]
        fn options_only_add(kinds in proptest::collection::vec(0u8..15, 0..12)) {
            let mut options = ContainerOptions::default();
            let mut before = BTreeSet::new();
            for (number, kind) in kinds.into_iter().enumerate() {
                option(kind, number, &mut options);
                let after = of(&parsed(&options));
                prop_assert!(after.is_superset(&before), "{before:?} {after:?}");
                before = after;
            }
        }

        #[test]
        fn any_word_is_read_or_not(text in ".*") {
            if let Ok(allowed) = text.parse::<Allowed>() {
                let _ = Words::new(&[allowed], &ContainerSpec::default());
            }
        }
    }
}
