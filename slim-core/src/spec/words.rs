//! From a [`ContainerSpec`] back to options of `docker run`.

use super::parse::csv_field;
use super::{
    BindRecursive, ContainerSpec, Dns, HealthCheck, HostEntry, Limits, Mount, MountSource, Network,
    NetworkMode, Relabel, SeccompChoice, Security, Ulimit,
};

/// Options as names and values.
#[derive(Default)]
struct Words(Vec<Vec<String>>);

impl Words {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(vec![format!("--{name}"), value.into()]);
    }

    fn add_all<T: ToString>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.add(name, value.to_string());
        }
    }

    fn add_if(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.0.push(vec![format!("--{name}")]);
        }
    }
}

impl ContainerSpec {
    /// Returns the options of `docker run` that describe this, each as its name and, unless it is a flag, its value; not
    /// quoted. The command is not among them; variables are there by name only; a seccomp profile's text is not, since
    /// the option names a file.
    ///
    /// [`ContainerSpec::parse`] reads the same description back, but for values of variables and that profile.
    pub fn to_words(&self) -> Vec<Vec<String>> {
        let Self {
            command: _,
            entrypoint,
            env,
            user,
            groups,
            workdir,
            hostname,
            domainname,
            labels,
            mounts,
            tmpfs,
            read_only,
            network,
            ports,
            expose,
            extra_hosts,
            dns,
            cap_add,
            cap_drop,
            security,
            devices,
            device_cgroup_rules,
            gpus,
            sysctls,
            ulimits,
            limits,
            shm_size,
            init,
            tty,
            stop_signal,
            stop_timeout,
            ipc,
            pid,
            uts,
            userns,
            cgroupns,
            runtime,
            platform,
            health,
            // What cannot be said is said by whoever renders the words.
            not_carried: _,
        } = self;
        let mut words = Words::default();
        words.add_all("cap-drop", cap_drop.iter().map(|name| bare(name)));
        words.add_all("cap-add", cap_add.iter().map(|name| bare(name)));
        add_security(&mut words, security);
        words.add_if("read-only", *read_only);
        words.add_all("tmpfs", tmpfs);
        words.add_all(
            "sysctl",
            sysctls.iter().map(|(name, value)| format!("{name}={value}")),
        );
        words.add_all("env", env.iter().map(|variable| &variable.name));
        for mount in mounts {
            let (name, value) = mount_words(mount);
            words.add(name, value);
        }
        add_network(&mut words, network);
        words.add_all("publish", ports);
        words.add_all("expose", expose);
        words.add_all("user", user);
        words.add_all("group-add", groups);
        words.add_all("entrypoint", entrypoint);
        words.add_all("workdir", workdir);
        words.add_all("hostname", hostname);
        words.add_all("domainname", domainname);
        add_limits(&mut words, limits);
        words.add_all("shm-size", shm_size);
        for Ulimit { name, soft, hard } in ulimits {
            words.add("ulimit", format!("{name}={soft}:{hard}"));
        }
        words.add_all("device", devices);
        words.add_all("device-cgroup-rule", device_cgroup_rules);
        words.add_all("gpus", gpus);
        words.add_if("init", *init);
        words.add_if("tty", *tty);
        words.add_all("stop-signal", stop_signal);
        words.add_all("stop-timeout", stop_timeout);
        words.add_all("ipc", ipc);
        words.add_all("pid", pid);
        words.add_all("uts", uts);
        words.add_all("userns", userns);
        words.add_all("cgroupns", cgroupns);
        words.add_all("runtime", runtime);
        words.add_all("platform", platform);
        let Dns {
            servers,
            search,
            options,
        } = dns;
        words.add_all("dns", servers);
        words.add_all("dns-search", search);
        words.add_all("dns-option", options);
        for HostEntry { name, address } in extra_hosts {
            words.add("add-host", format!("{name}:{address}"));
        }
        words.add_all(
            "label",
            labels.iter().map(|(name, value)| format!("{name}={value}")),
        );
        add_health(&mut words, health);
        words.0
    }
}

/// A capability as the option takes it, without `CAP_`.
fn bare(name: &str) -> &str {
    name.strip_prefix("CAP_").unwrap_or(name)
}

fn add_security(words: &mut Words, security: &Security) {
    let Security {
        no_new_privileges,
        seccomp,
        apparmor,
        labels,
        system_paths_unconfined,
    } = security;
    let mut add = |value: String| words.add("security-opt", value);
    match no_new_privileges {
        Some(true) => add("no-new-privileges".to_owned()),
        Some(false) => add("no-new-privileges=false".to_owned()),
        None => {}
    }
    match seccomp {
        SeccompChoice::Default | SeccompChoice::Profile(_) => {}
        SeccompChoice::Builtin => add("seccomp=builtin".to_owned()),
        SeccompChoice::Unconfined => add("seccomp=unconfined".to_owned()),
    }
    if let Some(profile) = apparmor {
        add(format!("apparmor={profile}"));
    }
    for label in labels {
        add(format!("label={label}"));
    }
    if *system_paths_unconfined {
        add("systempaths=unconfined".to_owned());
    }
}

fn add_network(words: &mut Words, network: &Network) {
    let Network {
        mode,
        aliases,
        ipv4,
        ipv6,
        mac,
    } = network;
    match mode {
        NetworkMode::Default => {}
        NetworkMode::Bridge => words.add("network", "bridge"),
        NetworkMode::Host => words.add("network", "host"),
        NetworkMode::None => words.add("network", "none"),
        NetworkMode::Container(name) => words.add("network", format!("container:{name}")),
        NetworkMode::Named(name) => words.add("network", name),
    }
    words.add_all("network-alias", aliases);
    words.add_all("ip", ipv4);
    words.add_all("ip6", ipv6);
    words.add_all("mac-address", mac);
}

fn add_limits(words: &mut Words, limits: &Limits) {
    let Limits {
        memory,
        memory_swap,
        memory_reservation,
        nano_cpus,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        pids,
        oom_score_adj,
    } = limits;
    words.add_all("memory", memory);
    words.add_all("memory-swap", memory_swap);
    words.add_all("memory-reservation", memory_reservation);
    if let Some(nano) = nano_cpus {
        let (whole, part) = (nano / 1_000_000_000, nano % 1_000_000_000);
        let part = format!("{part:09}");
        let part = part.trim_end_matches('0');
        let dot = if part.is_empty() { "" } else { "." };
        words.add("cpus", format!("{whole}{dot}{part}"));
    }
    words.add_all("cpu-shares", cpu_shares);
    words.add_all("cpuset-cpus", cpuset_cpus);
    words.add_all("cpuset-mems", cpuset_mems);
    words.add_all("pids-limit", pids);
    words.add_all("oom-score-adj", oom_score_adj);
}

fn add_health(words: &mut Words, health: &HealthCheck) {
    let HealthCheck {
        disabled,
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = health;
    words.add_if("no-healthcheck", *disabled);
    words.add_all("health-cmd", command);
    let nanoseconds = |time: &i64| format!("{time}ns");
    words.add_all("health-interval", interval.iter().map(nanoseconds));
    words.add_all("health-timeout", timeout.iter().map(nanoseconds));
    words.add_all("health-start-period", start_period.iter().map(nanoseconds));
    words.add_all("health-retries", retries);
}

impl Mount {
    /// Returns the option (`volume`, or `mount` where that does not say all of it) and its value.
    pub fn to_words(&self) -> (&'static str, String) {
        mount_words(self)
    }
}

/// A mount as `--volume`, where that says all of it, or as `--mount`.
pub(super) fn mount_words(mount: &Mount) -> (&'static str, String) {
    let Mount {
        target,
        source,
        read_only,
        consistency,
    } = mount;
    let mut fields: Vec<String> = Vec::new();
    let mut options: Vec<String> = Vec::new();
    options.extend(read_only.then(|| "ro".to_owned()));
    options.extend(consistency.iter().cloned());
    let letter = |relabel: &Relabel| match relabel {
        Relabel::Shared => "z".to_owned(),
        Relabel::Private => "Z".to_owned(),
    };
    match source {
        MountSource::Bind {
            source,
            create,
            propagation,
            recursive,
            relabel,
        } => {
            if *create || relabel.is_some() {
                options.extend(relabel.as_ref().map(letter));
                options.extend(propagation.iter().cloned());
                return ("volume", volume(Some(source), target, &options));
            }
            fields.push("type=bind".to_owned());
            fields.push(format!("source={source}"));
            fields.extend(propagation.iter().map(|p| format!("bind-propagation={p}")));
            fields.extend(recursive.map(|recursive| match recursive {
                BindRecursive::Disabled => "bind-recursive=disabled".to_owned(),
                BindRecursive::Writable => "bind-recursive=writable".to_owned(),
                BindRecursive::Readonly => "bind-recursive=readonly".to_owned(),
            }));
        }
        MountSource::Volume {
            name,
            no_copy,
            subpath,
            labels,
            driver,
            driver_options,
            relabel,
        } => {
            let simple = subpath.is_none()
                && labels.is_empty()
                && driver.is_none()
                && driver_options.is_empty()
                // An anonymous volume has no options in the short form.
                && (name.is_some() || (options.is_empty() && !no_copy));
            if simple {
                options.extend(relabel.as_ref().map(letter));
                options.extend(no_copy.then(|| "nocopy".to_owned()));
                return ("volume", volume(name.as_deref(), target, &options));
            }
            fields.push("type=volume".to_owned());
            fields.extend(name.iter().map(|name| format!("source={name}")));
            fields.extend(no_copy.then(|| "volume-nocopy".to_owned()));
            fields.extend(subpath.iter().map(|subpath| format!("volume-subpath={subpath}")));
            fields.extend(
                labels
                    .iter()
                    .map(|(name, value)| format!("volume-label={name}={value}")),
            );
            fields.extend(driver.iter().map(|driver| format!("volume-driver={driver}")));
            let options = driver_options.iter();
            fields.extend(options.map(|(name, value)| format!("volume-opt={name}={value}")));
        }
        MountSource::Tmpfs { size, mode } => {
            fields.push("type=tmpfs".to_owned());
            fields.extend(size.map(|size| format!("tmpfs-size={size}")));
            fields.extend(mode.map(|mode| format!("tmpfs-mode={mode:o}")));
        }
    }
    fields.push(format!("target={target}"));
    fields.extend(read_only.then(|| "readonly".to_owned()));
    fields.extend(consistency.iter().map(|c| format!("consistency={c}")));
    let fields: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
    ("mount", fields.join(","))
}

/// `[SOURCE:]TARGET[:OPTIONS]`.
fn volume(source: Option<&str>, target: &str, options: &[String]) -> String {
    let options = (!options.is_empty()).then(|| options.join(","));
    let parts = [source, Some(target), options.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    parts.join(":")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::spec::{Device, EnvVar, PublishedPort, Tmpfs};

    pub(crate) fn parse(words: &[Vec<String>], command: &[String]) -> ContainerSpec {
        ContainerSpec::from_words(words, command)
    }

    fn text() -> impl Strategy<Value = String> {
        "[ -~é]{1,12}"
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-z][a-z0-9_.-]{1,8}"
    }

    fn path() -> impl Strategy<Value = String> {
        "/[a-z][a-z0-9 ,\"'$]{0,8}"
    }

    fn mount() -> impl Strategy<Value = Mount> {
        let relabel = || prop::option::of(prop::sample::select(vec![Relabel::Shared, Relabel::Private]));
        let bind = ("/[a-z]{1,8}", any::<bool>(), relabel()).prop_map(|(source, create, relabel)| {
            MountSource::Bind {
                source,
                create: create || relabel.is_some(),
                propagation: None,
                recursive: None,
                relabel,
            }
        });
        let volume = (
            prop::option::of(name()),
            any::<bool>(),
            prop::option::of(name()),
            prop::collection::btree_map(name(), text(), 0..2),
        )
            .prop_map(|(name, no_copy, driver, driver_options)| MountSource::Volume {
                name,
                no_copy,
                subpath: None,
                labels: BTreeMap::new(),
                driver,
                driver_options,
                relabel: None,
            });
        let tmpfs = (prop::option::of(1u64..1 << 40), prop::option::of(0u32..0o10000))
            .prop_map(|(size, mode)| MountSource::Tmpfs { size, mode });
        (path(), prop_oneof![bind, volume, tmpfs], any::<bool>()).prop_map(|(target, source, read_only)| {
            Mount {
                target,
                source,
                read_only,
                consistency: None,
            }
        })
    }

    fn network() -> impl Strategy<Value = Network> {
        let mode = prop_oneof![
            Just(NetworkMode::Default),
            Just(NetworkMode::Bridge),
            Just(NetworkMode::Host),
            Just(NetworkMode::None),
            name().prop_map(NetworkMode::Container),
            "net-[a-z]{1,5}".prop_map(NetworkMode::Named),
        ];
        (
            mode,
            prop::collection::vec(name(), 0..3),
            any::<Option<[u8; 4]>>(),
        )
            .prop_map(|(mode, aliases, ip)| Network {
                mode,
                aliases,
                ipv4: ip.map(Into::into),
                ipv6: None,
                mac: None,
            })
    }

    /// Any description that the options of `docker run` can say.
    pub(crate) fn any_spec() -> impl Strategy<Value = ContainerSpec> {
        let identity = (
            prop::collection::vec(text(), 0..3),
            prop::option::of(text()),
            prop::collection::vec(name(), 0..3),
            prop::option::of(name()),
            prop::collection::vec(name(), 0..2),
            prop::option::of(path()),
            prop::collection::btree_map(name(), text(), 0..3),
        );
        let files = (
            prop::collection::vec(mount(), 0..3),
            prop::option::of((path(), prop::option::of(any::<u32>()), any::<bool>())),
            any::<bool>(),
        );
        let rest = (
            network(),
            prop::collection::vec(
                (
                    1u16..,
                    prop::sample::select(vec!["tcp", "udp"]),
                    any::<Option<[u8; 16]>>(),
                ),
                0..3,
            ),
            prop::collection::btree_set(prop::sample::select(crate::spec::CAPABILITIES.to_vec()), 0..3),
            prop::option::of(1i64..1 << 40),
            prop::option::of(1i64..1_000_000_000_000),
            (any::<bool>(), any::<bool>(), any::<Option<bool>>()),
            prop::collection::btree_map(name(), name(), 0..2),
        );
        (identity, files, rest).prop_map(|(identity, files, rest)| {
            let (command, entrypoint, env, user, groups, workdir, labels) = identity;
            let (mounts, tmpfs, read_only) = files;
            let (network, ports, capabilities, memory, nano_cpus, (init, tty, no_new_privileges), sysctls) =
                rest;
            ContainerSpec {
                command,
                entrypoint,
                env: env.into_iter().map(EnvVar::named).collect(),
                user,
                groups,
                workdir,
                labels,
                mounts,
                tmpfs: tmpfs
                    .into_iter()
                    .map(|(target, uid, exec)| Tmpfs {
                        target,
                        uid,
                        exec,
                        ..Tmpfs::default()
                    })
                    .collect(),
                read_only,
                network,
                ports: ports
                    .into_iter()
                    .map(|(container, protocol, address)| PublishedPort {
                        container,
                        protocol: protocol.to_owned(),
                        address: address.map(Into::into),
                        host: Some((container, container)),
                    })
                    .collect(),
                cap_add: capabilities.iter().map(|&name| name.to_owned()).collect(),
                cap_drop: BTreeSet::from(["ALL".to_owned()]),
                security: Security {
                    no_new_privileges,
                    ..Security::default()
                },
                limits: Limits {
                    memory,
                    nano_cpus,
                    ..Limits::default()
                },
                init,
                tty,
                sysctls,
                ..ContainerSpec::default()
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn words_are_read_back(mut spec in any_spec()) {
            // Mounts of either form are read in their order.
            spec.mounts.sort_by_key(|mount| mount_words(mount).0 == "mount");
            prop_assert_eq!(parse(&spec.to_words(), &spec.command), spec);
        }
    }

    /// A description with a value in almost every field.
    pub(crate) fn full_spec() -> ContainerSpec {
        ContainerSpec {
            domainname: Some("example".into()),
            hostname: Some("box".into()),
            expose: BTreeSet::from(["80/tcp".to_owned()]),
            extra_hosts: vec![HostEntry {
                name: "db".into(),
                address: "10.0.0.1".into(),
            }],
            dns: Dns {
                servers: vec!["10.0.0.2".into()],
                search: vec!["example.org".into()],
                options: vec!["ndots:2".into()],
            },
            security: Security {
                no_new_privileges: Some(true),
                seccomp: SeccompChoice::Unconfined,
                apparmor: Some("mine".into()),
                labels: vec!["disable".into()],
                system_paths_unconfined: true,
            },
            devices: vec![Device {
                host: "/dev/fuse".into(),
                container: "/dev/fuse".into(),
                permissions: "rwm".into(),
            }],
            device_cgroup_rules: vec!["c 42:* rmw".into()],
            gpus: Some("all".into()),
            ulimits: vec![Ulimit {
                name: "nofile".into(),
                soft: 1,
                hard: 2,
            }],
            limits: Limits {
                memory: Some(1 << 30),
                nano_cpus: Some(500_000_000),
                memory_swap: Some(-1),
                memory_reservation: Some(1),
                cpu_shares: Some(2),
                cpuset_cpus: Some("0".into()),
                cpuset_mems: Some("0".into()),
                pids: Some(-1),
                oom_score_adj: Some(-5),
            },
            shm_size: Some(1 << 20),
            stop_signal: Some("SIGQUIT".into()),
            stop_timeout: Some(30),
            ipc: Some("host".into()),
            pid: Some("host".into()),
            uts: Some("host".into()),
            userns: Some("host".into()),
            cgroupns: Some("private".into()),
            runtime: Some("runc".into()),
            platform: Some("linux/amd64".into()),
            health: HealthCheck {
                disabled: true,
                command: Some("true".into()),
                interval: Some(1),
                timeout: Some(2),
                start_period: Some(3),
                retries: Some(4),
            },
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn every_option_is_said() {
        let full = full_spec();
        assert_eq!(parse(&full.to_words(), &[]), full);
    }
}
