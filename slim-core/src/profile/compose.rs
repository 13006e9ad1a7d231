//! A service for Docker Compose.
//!
//! Source: the Compose specification. A `$` is doubled, since Compose puts variables in.

use serde_json::{Map, Value, json};

use super::kubernetes::{container_name, suggestion};
use super::{AppArmor, Artifact, Context, Error, Seccomp, remark, yaml};
use crate::spec::{
    BindRecursive, ContainerSpec, HealthCheck, Limits, Mount, MountSource, NetworkMode, Relabel, Security,
};

/// The artifact `compose.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct Compose;

impl Artifact for Compose {
    fn format(&self) -> &'static str {
        "compose"
    }

    fn description(&self) -> &'static str {
        "service for Docker Compose"
    }

    fn file_name(&self) -> &'static str {
        "compose.yaml"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let plan = context.plan;
        let launch = context.launch;
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", plan.reference),
            format!(
                "It reads {} beside it; where the host has AppArmor, load {} first.",
                Seccomp.file_name(),
                AppArmor.file_name()
            ),
        ];
        for path in &launch.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        let mut service = Service::new(&launch.to_container());
        service.set("image", json!(context.image_name()));
        if launch.seccomp {
            let profile = format!("seccomp:./{}", Seccomp.file_name());
            service.security.push(profile);
        }
        service
            .security
            .extend(launch.apparmor.iter().map(|name| format!("apparmor:{name}")));
        comments.extend(suggestion(
            context,
            |bytes| format!("mem_limit: {}m", bytes >> 20),
            |pids| format!("pids_limit: {pids}"),
        ));
        comments.append(&mut service.remarks);
        Ok(yaml::document(
            &comments,
            &service.document(&container_name(context)),
        ))
    }
}

/// A service, and what belongs beside it in the document.
#[derive(Default)]
struct Service {
    fields: Map<String, Value>,
    security: Vec<String>,
    /// Volumes with names of their own, at the document's top.
    volumes: Map<String, Value>,
    /// The network of the user's, at the document's top.
    network: Option<Value>,
    /// Remarks on options that Compose has no key for.
    remarks: Vec<String>,
}

impl Service {
    /// Returns the service that starts what `spec` describes.
    fn new(spec: &ContainerSpec) -> Self {
        let ContainerSpec {
            command,
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
            not_carried,
        } = spec;
        let mut service = Self {
            remarks: not_carried
                .iter()
                .map(|option| remark::not_carried(option))
                .collect(),
            ..Self::default()
        };
        service.set("entrypoint", json!(entrypoint.iter().collect::<Vec<_>>()));
        service.set("command", json!(command));
        let named = [
            ("user", user),
            ("working_dir", workdir),
            ("hostname", hostname),
            ("domainname", domainname),
            ("stop_signal", stop_signal),
            ("ipc", ipc),
            ("pid", pid),
            ("uts", uts),
            ("userns_mode", userns),
            ("cgroup", cgroupns),
            ("runtime", runtime),
            ("platform", platform),
        ];
        for (key, value) in named {
            service.set(key, json!(value.as_deref().unwrap_or_default()));
        }
        match gpus.as_deref() {
            Some("all") => service.set("gpus", json!("all")),
            Some(request) => service.remark("gpus", request),
            None => {}
        }
        service.set_distinct("group_add", groups.iter().map(|group| json!(group)));
        let names: Vec<&str> = env.iter().map(|variable| variable.name.as_str()).collect();
        service.set_distinct("environment", names.iter().map(|name| json!(name)));
        // Compose puts variables in a map's values alone; in a list it takes the whole.
        let labels = labels
            .iter()
            .map(|(name, value)| json!(format!("{name}={value}")));
        service.set_distinct("labels", labels);
        service.set_distinct("ports", ports.iter().map(|port| json!(port.to_string())));
        service.set("expose", json!(expose));
        let hosts = extra_hosts
            .iter()
            .map(|host| json!(format!("{}:{}", host.name, host.address)));
        service.set_distinct("extra_hosts", hosts);
        service.set_distinct("dns", dns.servers.iter().map(|server| json!(server)));
        service.set_distinct("dns_search", dns.search.iter().map(|domain| json!(domain)));
        service.set_distinct("dns_opt", dns.options.iter().map(|option| json!(option)));
        service.set("cap_drop", json!(bare(cap_drop)));
        service.set("cap_add", json!(bare(cap_add)));
        service.add_security(security);
        service.set_distinct("devices", devices.iter().map(|device| json!(device.to_string())));
        service.set_distinct(
            "device_cgroup_rules",
            device_cgroup_rules.iter().map(|rule| json!(rule)),
        );
        service.set_if("read_only", *read_only);
        service.set_if("init", *init);
        service.set_if("tty", *tty);
        service.set_distinct("tmpfs", tmpfs.iter().map(|tmpfs| json!(tmpfs.to_string())));
        service.set("sysctls", json!(sysctls));
        let ulimits: Map<String, Value> = ulimits
            .iter()
            .map(|limit| {
                let value = json!({"soft": limit.soft, "hard": limit.hard});
                (limit.name.clone(), value)
            })
            .collect();
        service.set("ulimits", Value::Object(ulimits));
        service.add_limits(limits);
        if let Some(size) = shm_size {
            service.set("shm_size", json!(size));
        }
        if let Some(seconds) = stop_timeout {
            service.set("stop_grace_period", json!(format!("{seconds}s")));
        }
        service.add_health(health);
        let mounts: Vec<Value> = mounts.iter().filter_map(|mount| service.mount(mount)).collect();
        service.set_distinct("volumes", mounts.into_iter());
        service.add_network(network);
        service
    }

    /// Says that an option is left out.
    fn remark(&mut self, option: &str, value: &str) {
        self.remarks
            .push(remark::not_carried(&format!("--{option} {value}")));
    }

    /// Sets a key, unless its value is empty.
    fn set(&mut self, key: &str, value: Value) {
        let empty = match &value {
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Null => true,
            Value::Bool(_) | Value::Number(_) => false,
        };
        if !empty {
            self.fields.insert(key.to_owned(), value);
        }
    }

    fn set_if(&mut self, key: &str, is_set: bool) {
        if is_set {
            self.set(key, json!(true));
        }
    }

    /// Sets a list whose items Compose takes once each.
    fn set_distinct(&mut self, key: &str, items: impl Iterator<Item = Value>) {
        let mut distinct: Vec<Value> = Vec::new();
        for item in items {
            if !distinct.contains(&item) {
                distinct.push(item);
            }
        }
        self.set(key, Value::Array(distinct));
    }

    /// Adds the options that a service's own profiles leave to the user.
    fn add_security(&mut self, security: &Security) {
        let Security {
            no_new_privileges,
            // The caller's own profiles stand in their place.
            seccomp: _,
            apparmor: _,
            labels,
            system_paths_unconfined,
        } = security;
        if let Some(on) = no_new_privileges {
            self.security.push(format!("no-new-privileges:{on}"));
        }
        self.security
            .extend(labels.iter().map(|label| format!("label:{label}")));
        if *system_paths_unconfined {
            self.security.push("systempaths=unconfined".to_owned());
        }
    }

    fn add_limits(&mut self, limits: &Limits) {
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
        let numbers = [
            ("mem_limit", memory),
            ("memswap_limit", memory_swap),
            ("mem_reservation", memory_reservation),
            ("cpu_shares", cpu_shares),
            ("pids_limit", pids),
            ("oom_score_adj", oom_score_adj),
        ];
        for (key, value) in numbers {
            self.set(key, json!(value));
        }
        if let Some(nano) = nano_cpus {
            self.set("cpus", json!(billionths(*nano)));
        }
        self.set("cpuset", json!(cpuset_cpus));
        if let Some(nodes) = cpuset_mems {
            self.remark("cpuset-mems", nodes);
        }
    }

    fn add_health(&mut self, health: &HealthCheck) {
        let HealthCheck {
            disabled,
            command,
            interval,
            timeout,
            start_period,
            retries,
        } = health;
        let mut check = Map::new();
        if *disabled {
            check.insert("disable".to_owned(), json!(true));
        }
        if let Some(command) = command {
            check.insert("test".to_owned(), json!(["CMD-SHELL", command]));
        }
        for (key, time) in [
            ("interval", interval),
            ("timeout", timeout),
            ("start_period", start_period),
        ] {
            if let Some(time) = time {
                check.insert(key.to_owned(), json!(duration(*time)));
            }
        }
        if let Some(retries) = retries {
            check.insert("retries".to_owned(), json!(retries));
        }
        self.set("healthcheck", Value::Object(check));
    }

    /// Returns a mount in the long form, and declares the volume that it names; none where Compose has no form for it.
    fn mount(&mut self, mount: &Mount) -> Option<Value> {
        let Mount {
            target,
            source,
            read_only,
            consistency,
        } = mount;
        let mut out = Map::new();
        let (option, value) = mount.to_words();
        match source {
            MountSource::Bind {
                source,
                create,
                propagation,
                recursive,
                relabel,
            } => {
                if *create || relabel.is_some() {
                    // The short form makes the source where there is none, as --volume does.
                    let options = [
                        read_only.then_some("ro"),
                        relabel.map(letter),
                        propagation.as_deref(),
                        consistency.as_deref(),
                    ];
                    let options: Vec<&str> = options.into_iter().flatten().collect();
                    let options = if options.is_empty() {
                        String::new()
                    } else {
                        format!(":{}", options.join(","))
                    };
                    return Some(json!(format!("{source}:{target}{options}")));
                }
                out.insert("type".to_owned(), json!("bind"));
                out.insert("source".to_owned(), json!(source));
                let mut bind = Map::new();
                if let Some(propagation) = propagation {
                    bind.insert("propagation".to_owned(), json!(propagation));
                }
                if let Some(recursive) = recursive {
                    let word = match recursive {
                        BindRecursive::Disabled => "disabled",
                        BindRecursive::Writable => "writable",
                        BindRecursive::Readonly => "readonly",
                    };
                    bind.insert("recursive".to_owned(), json!(word));
                }
                if !bind.is_empty() {
                    out.insert("bind".to_owned(), Value::Object(bind));
                }
            }
            MountSource::Volume {
                name,
                no_copy,
                subpath,
                labels,
                driver,
                driver_options,
                relabel: _,
            } => {
                out.insert("type".to_owned(), json!("volume"));
                if let Some(name) = name {
                    if !is_plain_name(name) {
                        self.remark(option, &value);
                        return None;
                    }
                    out.insert("source".to_owned(), json!(name));
                    let mut volume = Map::new();
                    // Without a name of its own Compose prefixes the project's.
                    volume.insert("name".to_owned(), json!(name));
                    if let Some(driver) = driver {
                        volume.insert("driver".to_owned(), json!(driver));
                    }
                    if !driver_options.is_empty() {
                        volume.insert("driver_opts".to_owned(), json!(driver_options));
                    }
                    if !labels.is_empty() {
                        volume.insert("labels".to_owned(), json!(labels));
                    }
                    self.volumes.insert(name.clone(), Value::Object(volume));
                }
                let mut volume = Map::new();
                if *no_copy {
                    volume.insert("nocopy".to_owned(), json!(true));
                }
                if let Some(subpath) = subpath {
                    volume.insert("subpath".to_owned(), json!(subpath));
                }
                if !volume.is_empty() {
                    out.insert("volume".to_owned(), Value::Object(volume));
                }
                let said = without_unsaid(mount);
                if said != *mount {
                    let (other_option, other) = said.to_words();
                    self.remarks.push(remark::replaced(
                        &format!("--{option} {value}"),
                        &format!("--{other_option} {other}"),
                    ));
                }
            }
            MountSource::Tmpfs { size, mode } => {
                out.insert("type".to_owned(), json!("tmpfs"));
                let mut tmpfs = Map::new();
                if let Some(size) = size {
                    tmpfs.insert("size".to_owned(), json!(size));
                }
                if let Some(mode) = mode {
                    tmpfs.insert("mode".to_owned(), json!(mode));
                }
                if !tmpfs.is_empty() {
                    out.insert("tmpfs".to_owned(), Value::Object(tmpfs));
                }
            }
        }
        out.insert("target".to_owned(), json!(target));
        if *read_only {
            out.insert("read_only".to_owned(), json!(true));
        }
        if let Some(consistency) = consistency {
            out.insert("consistency".to_owned(), json!(consistency));
        }
        Some(Value::Object(out))
    }

    fn add_network(&mut self, network: &crate::spec::Network) {
        let crate::spec::Network {
            mode,
            aliases,
            ipv4,
            ipv6,
            mac,
        } = network;
        self.set("mac_address", json!(mac));
        if !matches!(mode, NetworkMode::Named(_)) {
            // Only a network of the user's has names and addresses to choose.
            for alias in aliases {
                self.remark("network-alias", alias);
            }
            for (option, address) in [
                ("ip", ipv4.map(|address| address.to_string())),
                ("ip6", ipv6.map(|address| address.to_string())),
            ] {
                if let Some(address) = address {
                    self.remark(option, &address);
                }
            }
        }
        match mode {
            NetworkMode::Default => {}
            NetworkMode::Bridge => self.set("network_mode", json!("bridge")),
            NetworkMode::Host => self.set("network_mode", json!("host")),
            NetworkMode::None => self.set("network_mode", json!("none")),
            NetworkMode::Container(name) => self.set("network_mode", json!(format!("container:{name}"))),
            NetworkMode::Named(name) => {
                let mut settings = Map::new();
                if !aliases.is_empty() {
                    settings.insert("aliases".to_owned(), json!(aliases));
                }
                if let Some(address) = ipv4 {
                    settings.insert("ipv4_address".to_owned(), json!(address));
                }
                if let Some(address) = ipv6 {
                    settings.insert("ipv6_address".to_owned(), json!(address));
                }
                if !settings.is_empty() {
                    self.set("networks", json!({"default": settings}));
                }
                self.network = Some(json!({"default": {"name": name, "external": true}}));
            }
        }
    }

    /// Returns the document that holds the service under `name`.
    fn document(mut self, name: &str) -> Value {
        let security = std::mem::take(&mut self.security);
        self.set_distinct("security_opt", security.into_iter().map(Value::String));
        let mut document = Map::new();
        if let Some(network) = &self.network {
            document.insert("networks".to_owned(), literal(network));
        }
        let service = literal(&Value::Object(self.fields));
        document.insert("services".to_owned(), json!({name: service}));
        if !self.volumes.is_empty() {
            document.insert("volumes".to_owned(), literal(&Value::Object(self.volumes)));
        }
        Value::Object(document)
    }
}

/// Names of capabilities as Compose files have them, without `CAP_`.
fn bare(names: &std::collections::BTreeSet<String>) -> Vec<&str> {
    let bare = names.iter().map(|name| name.strip_prefix("CAP_").unwrap_or(name));
    bare.collect()
}

fn letter(relabel: Relabel) -> &'static str {
    match relabel {
        Relabel::Shared => "z",
        Relabel::Private => "Z",
    }
}

/// Returns a mount of a volume as Compose has it: without labels of SELinux, and without what describes a new volume
/// where that has no name to describe it by.
fn without_unsaid(mount: &Mount) -> Mount {
    let mut mount = mount.clone();
    if let MountSource::Volume {
        name,
        labels,
        driver,
        driver_options,
        relabel,
        ..
    } = &mut mount.source
    {
        *relabel = None;
        if name.is_none() {
            labels.clear();
            driver_options.clear();
            *driver = None;
        }
    }
    mount
}

/// Returns whether a volume's name is a key that YAML and Compose take for a text.
fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let special = [
        "yes", "no", "on", "off", "y", "n", "true", "false", "null", "nan", "inf",
    ];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain)
        && !special.contains(&name.to_ascii_lowercase().as_str())
}

/// Billionths of a processor as a decimal number of processors.
fn billionths(nano: i64) -> f64 {
    nano as f64 / 1e9
}

/// A time in nanoseconds as Compose writes it.
fn duration(nanoseconds: i64) -> String {
    if nanoseconds % 1_000_000_000 == 0 {
        format!("{}s", nanoseconds / 1_000_000_000)
    } else if nanoseconds % 1_000_000 == 0 {
        format!("{}ms", nanoseconds / 1_000_000)
    } else {
        format!("{}us", nanoseconds as f64 / 1e3)
    }
}

/// Every text in `value` as Compose takes it for itself.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('$', "$$")),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), literal(value)))
            .collect(),
        other => other.clone(),
    }
}
