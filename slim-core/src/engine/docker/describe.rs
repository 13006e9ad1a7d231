//! From a container that somebody else created back to its description.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, DeviceMapping, DeviceRequest, HealthConfig, HostConfig,
    HostConfigCgroupnsModeEnum, ImageConfig, Mount, MountType, PortMap, ResourcesUlimits,
};

use crate::spec::{ContainerSpec, SLIM_LABELS, SeccompChoice};

/// Options as words, and what no option of slim's says.
#[derive(Default)]
struct Words {
    words: Vec<Vec<String>>,
    not_carried: BTreeSet<String>,
}

impl Words {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        self.words.push(vec![format!("--{name}"), value.into()]);
    }

    fn add_all<T: ToString>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.add(name, value.to_string());
        }
    }

    fn add_if(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.words.push(vec![format!("--{name}")]);
        }
    }

    /// Notes an option that is set and that slim does not carry.
    fn leave<T: std::fmt::Debug>(&mut self, name: &str, values: Option<&[T]>) {
        for value in values.into_iter().flatten() {
            self.not_carried.insert(format!("--{name} {value:?}"));
        }
    }

    /// Notes a number that is set and that slim does not carry.
    fn leave_number(&mut self, name: &str, value: Option<i64>, default: i64) {
        if let Some(value) = value.filter(|value| *value != default) {
            self.not_carried.insert(format!("--{name} {value}"));
        }
    }

    fn leave_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.not_carried.insert(format!("--{name} {value}"));
        }
    }

    fn leave_if(&mut self, name: &str, is_set: Option<bool>) {
        if is_set == Some(true) {
            self.not_carried.insert(format!("--{name}"));
        }
    }
}

/// Returns the description of `found`: what it has beyond `image`'s configuration. Values of variables are left out.
/// `private_cgroupns` is true if containers get a cgroup name space of their own by default.
pub(super) fn describe(
    found: &ContainerInspectResponse,
    image: &ImageConfig,
    private_cgroupns: bool,
) -> ContainerSpec {
    let mut words = Words::default();
    let mut config = found.config.clone().unwrap_or_default();
    let host = found.host_config.clone().unwrap_or_default();
    let id = found.id.as_deref().unwrap_or_default();
    let host_network = host.network_mode.as_deref() == Some("host");
    let is_own_name = |name: &String| name.is_empty() || id.starts_with(name.as_str()) || host_network;
    config.hostname = config.hostname.filter(|name| !is_own_name(name));
    let entrypoint_before = image.entrypoint.clone().unwrap_or_default();
    let command = match (&config.entrypoint, &config.cmd) {
        // What follows its first word was the command line's, and is in the command.
        (Some(entrypoint), command) if *entrypoint != entrypoint_before => {
            let rest = entrypoint.iter().skip(1);
            rest.chain(command.iter().flatten()).cloned().collect()
        }
        (_, Some(command)) if Some(command) != image.cmd.as_ref() => command.clone(),
        _ => Vec::new(),
    };
    let seccomp = host.security_opt.iter().flatten().find_map(|option| {
        let profile = option.strip_prefix("seccomp=")?;
        serde_json::from_str(profile).ok().map(SeccompChoice::Profile)
    });
    // The engine exposes what is published, too.
    let published = host.port_bindings.iter().flatten().map(|(port, _)| port);
    for port in published {
        config
            .exposed_ports
            .iter_mut()
            .for_each(|exposed| exposed.retain(|name| name != port));
    }
    add_config(&mut words, config, image);
    add_host(&mut words, host, private_cgroupns);
    let endpoints = found.network_settings.as_ref().and_then(|n| n.networks.as_ref());
    let own_network = found
        .host_config
        .as_ref()
        .and_then(|host| host.network_mode.clone())
        .filter(|mode| !matches!(mode.as_str(), "" | "default"))
        .unwrap_or_else(|| "bridge".to_owned());
    for (name, endpoint) in sorted(endpoints) {
        if *name != own_network {
            // A container is started on one network; others are joined later.
            words.not_carried.insert(format!("--network {name}"));
            continue;
        }
        // The engine gives every container its id's beginning as an alias.
        let aliases = endpoint.aliases.iter().flatten();
        words.add_all(
            "network-alias",
            aliases.filter(|alias| !id.starts_with(alias.as_str())),
        );
        let ipam = endpoint.ipam_config.clone().unwrap_or_default();
        words.add_all("ip", ipam.ipv4_address.filter(|address| !address.is_empty()));
        words.add_all("ip6", ipam.ipv6_address.filter(|address| !address.is_empty()));
        for address in ipam.link_local_ips.iter().flatten() {
            words.not_carried.insert(format!("--link-local-ip {address}"));
        }
        for link in endpoint.links.iter().flatten() {
            words.not_carried.insert(format!("--link {link}"));
        }
    }
    let mut spec = ContainerSpec::from_words(&words.words, &command);
    spec.not_carried.extend(words.not_carried);
    if let Some(seccomp) = seccomp {
        spec.security.seccomp = seccomp;
    }
    spec
}

/// Reads what the container's own configuration has beyond the image's.
fn add_config(words: &mut Words, config: ContainerConfig, image: &ImageConfig) {
    let ContainerConfig {
        hostname,
        domainname,
        user,
        // How the client was attached says nothing about the container.
        attach_stdin: _,
        attach_stdout: _,
        attach_stderr: _,
        exposed_ports,
        tty,
        open_stdin,
        stdin_once: _,
        env,
        // The caller's.
        cmd: _,
        healthcheck,
        args_escaped: _,
        image: _,
        volumes,
        working_dir,
        entrypoint,
        network_disabled,
        on_build: _,
        labels,
        stop_signal,
        stop_timeout,
        shell: _,
    } = config;
    let inherited: BTreeSet<&String> = image.env.iter().flatten().collect();
    let names: BTreeSet<String> = env
        .iter()
        .flatten()
        .filter(|variable| !inherited.contains(variable))
        .map(|variable| variable.split('=').next().unwrap_or_default().to_owned())
        .collect();
    words.add_all("env", names);
    let declared: BTreeSet<&String> = image.volumes.iter().flatten().collect();
    words.add_all(
        "volume",
        volumes
            .iter()
            .flatten()
            .filter(|volume| !declared.contains(volume)),
    );
    let declared: BTreeSet<&String> = image.exposed_ports.iter().flatten().collect();
    words.add_all(
        "expose",
        exposed_ports
            .iter()
            .flatten()
            .filter(|port| !declared.contains(port)),
    );
    let changed = |now: Option<String>, before: &Option<String>| {
        now.filter(|value| !value.is_empty() && before.as_ref() != Some(value))
    };
    words.add_all("user", changed(user, &image.user));
    if entrypoint.clone().unwrap_or_default() != image.entrypoint.clone().unwrap_or_default() {
        let first = entrypoint.into_iter().flatten().next();
        words.add("entrypoint", first.unwrap_or_default());
    }
    words.add_all("workdir", changed(working_dir, &image.working_dir));
    words.add_all("hostname", hostname);
    words.add_all("domainname", domainname.filter(|name| !name.is_empty()));
    words.add_if("tty", tty == Some(true));
    words.leave_if("interactive", open_stdin);
    words.add_all("stop-signal", changed(stop_signal, &image.stop_signal));
    words.add_all("stop-timeout", stop_timeout);
    if network_disabled == Some(true) {
        words.add("network", "none");
    }
    add_health(
        words,
        healthcheck.filter(|health| image.healthcheck.as_ref() != Some(health)),
    );
    for (name, value) in sorted(labels.as_ref()) {
        let inherited = image.labels.as_ref().and_then(|l| l.get(name)) == Some(value);
        if !inherited && !name.starts_with(SLIM_LABELS) {
            words.add("label", format!("{name}={value}"));
        }
    }
}

fn add_health(words: &mut Words, health: Option<HealthConfig>) {
    let Some(health) = health else { return };
    let HealthConfig {
        test,
        interval,
        timeout,
        retries,
        start_period,
        start_interval,
    } = health;
    match test.as_deref() {
        None | Some([]) => {}
        Some([kind]) if kind == "NONE" => words.add_if("no-healthcheck", true),
        Some([kind, command]) if kind == "CMD-SHELL" => words.add("health-cmd", command),
        Some(other) => {
            words.not_carried.insert(format!("--health-cmd {other:?}"));
        }
    }
    let set = |time: Option<i64>| time.filter(|time| *time != 0).map(|time| format!("{time}ns"));
    words.add_all("health-interval", set(interval));
    words.add_all("health-timeout", set(timeout));
    words.add_all("health-start-period", set(start_period));
    words.add_all("health-retries", retries.filter(|retries| *retries != 0));
    words.leave_number("health-start-interval", start_interval, 0);
}

/// Reads the host's part of the container's configuration. An option says each field, or it is noted as not carried.
fn add_host(words: &mut Words, host: HostConfig, private_cgroupns: bool) {
    let HostConfig {
        cpu_shares,
        memory,
        cgroup_parent,
        blkio_weight,
        blkio_weight_device,
        blkio_device_read_bps,
        blkio_device_write_bps,
        blkio_device_read_iops,
        blkio_device_write_iops,
        cpu_period,
        cpu_quota,
        cpu_realtime_period,
        cpu_realtime_runtime,
        cpuset_cpus,
        cpuset_mems,
        devices,
        device_cgroup_rules,
        device_requests,
        memory_reservation,
        memory_swap,
        memory_swappiness,
        nano_cpus,
        oom_kill_disable,
        init,
        pids_limit,
        ulimits,
        cpu_count,
        cpu_percent,
        io_maximum_iops,
        io_maximum_bandwidth,
        binds,
        // These are about the client, the log, and what becomes of the container after its end.
        container_id_file: _,
        log_config: _,
        restart_policy: _,
        auto_remove: _,
        console_size: _,
        network_mode,
        port_bindings,
        volume_driver,
        volumes_from,
        mounts,
        annotations,
        cap_add,
        cap_drop,
        cgroupns_mode,
        dns,
        dns_options,
        dns_search,
        extra_hosts,
        group_add,
        ipc_mode,
        cgroup,
        links,
        oom_score_adj,
        pid_mode,
        privileged,
        publish_all_ports,
        readonly_rootfs,
        security_opt,
        storage_opt,
        tmpfs,
        uts_mode,
        userns_mode,
        shm_size,
        sysctls,
        runtime,
        // Windows's.
        isolation: _,
        masked_paths,
        readonly_paths,
    } = host;
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    words.add_all("volume", binds.into_iter().flatten());
    for mount in mounts.iter().flatten() {
        match mount_text(mount) {
            Some(text) => words.add("mount", text),
            None => {
                let target = mount.target.as_deref().unwrap_or_default();
                words.not_carried.insert(format!("--mount at {target}"));
            }
        }
    }
    for (target, settings) in sorted(tmpfs.as_ref()) {
        if settings.is_empty() {
            words.add("tmpfs", target);
        } else {
            words.add("tmpfs", format!("{target}:{settings}"));
        }
    }
    if let Some(network) = network_mode.as_deref()
        && !matches!(network, "" | "default" | "bridge")
    {
        words.add("network", network);
    }
    add_ports(words, port_bindings.as_ref());
    words.add_if("read-only", readonly_rootfs == Some(true));
    let positive = |number: Option<i64>| number.filter(|number| *number > 0);
    words.add_all("memory", positive(memory));
    // Twice the memory is what the engine sets by itself.
    let by_itself = memory.map(|memory| memory.saturating_mul(2));
    words.add_all(
        "memory-swap",
        memory_swap.filter(|swap| *swap != 0 && Some(*swap) != by_itself),
    );
    words.add_all("memory-reservation", positive(memory_reservation));
    if let Some(nano) = positive(nano_cpus) {
        words.add(
            "cpus",
            format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000),
        );
    }
    words.add_all("cpu-shares", positive(cpu_shares));
    words.add_all("cpuset-cpus", text(cpuset_cpus));
    words.add_all("cpuset-mems", text(cpuset_mems));
    words.add_all("pids-limit", pids_limit.filter(|limit| *limit != 0));
    words.add_all("oom-score-adj", oom_score_adj.filter(|score| *score != 0));
    for ResourcesUlimits { name, soft, hard } in ulimits.into_iter().flatten() {
        let (soft, hard) = (soft.unwrap_or(-1), hard.unwrap_or(-1));
        words.add("ulimit", format!("{}={soft}:{hard}", name.unwrap_or_default()));
    }
    // The engine's own size of /dev/shm (moby `daemon/config.DefaultShmSize`).
    words.add_all("shm-size", positive(shm_size).filter(|size| *size != 64 << 20));
    words.add_all("cap-add", cap_add.into_iter().flatten());
    words.add_all("cap-drop", cap_drop.into_iter().flatten());
    let security = security_opt.into_iter().flatten();
    // A profile's text is no word: the caller has it.
    words.add_all(
        "security-opt",
        security.filter(|option| !option.starts_with("seccomp=") || option.ends_with("unconfined")),
    );
    let open = |paths: &Option<Vec<String>>| paths.as_ref().is_some_and(Vec::is_empty);
    if open(&masked_paths) && open(&readonly_paths) && privileged != Some(true) {
        words.add("security-opt", "systempaths=unconfined");
    }
    for (name, value) in sorted(sysctls.as_ref()) {
        words.add("sysctl", format!("{name}={value}"));
    }
    for DeviceMapping {
        path_on_host,
        path_in_container,
        cgroup_permissions,
    } in devices.into_iter().flatten()
    {
        let parts = [path_on_host, path_in_container, cgroup_permissions];
        words.add("device", parts.map(Option::unwrap_or_default).join(":"));
    }
    words.add_all("device-cgroup-rule", device_cgroup_rules.into_iter().flatten());
    for request in device_requests.into_iter().flatten() {
        match gpus(&request) {
            Some(text) => words.add("gpus", text),
            None => {
                words
                    .not_carried
                    .insert(format!("--device {:?}", request.device_ids.unwrap_or_default()));
            }
        }
    }
    words.add_if("init", init == Some(true));
    words.add_all("group-add", group_add.into_iter().flatten());
    // Without a word an engine makes it private or shareable, as it is set up.
    words.add_all(
        "ipc",
        text(ipc_mode).filter(|mode| !matches!(mode.as_str(), "private" | "shareable")),
    );
    words.add_all("pid", text(pid_mode));
    words.add_all("uts", text(uts_mode));
    words.add_all("userns", text(userns_mode));
    match cgroupns_mode {
        Some(HostConfigCgroupnsModeEnum::HOST) if private_cgroupns => words.add("cgroupns", "host"),
        Some(HostConfigCgroupnsModeEnum::PRIVATE) if !private_cgroupns => words.add("cgroupns", "private"),
        _ => {}
    }
    words.add_all("runtime", text(runtime).filter(|runtime| runtime != "runc"));
    words.add_all("dns", dns.into_iter().flatten());
    words.add_all("dns-search", dns_search.into_iter().flatten());
    words.add_all("dns-option", dns_options.into_iter().flatten());
    words.add_all("add-host", extra_hosts.into_iter().flatten());

    words.leave_if("privileged", privileged);
    words.leave_if("publish-all", publish_all_ports);
    words.leave_if("oom-kill-disable", oom_kill_disable);
    words.leave_text("cgroup-parent", cgroup_parent.as_deref());
    words.leave_text("volume-driver", volume_driver.as_deref());
    words.leave_text("cgroup", cgroup.as_deref());
    words.leave("volumes-from", volumes_from.as_deref());
    words.leave("link", links.as_deref());
    words.leave("blkio-weight-device", blkio_weight_device.as_deref());
    words.leave("device-read-bps", blkio_device_read_bps.as_deref());
    words.leave("device-write-bps", blkio_device_write_bps.as_deref());
    words.leave("device-read-iops", blkio_device_read_iops.as_deref());
    words.leave("device-write-iops", blkio_device_write_iops.as_deref());
    words.leave_number("blkio-weight", blkio_weight.map(i64::from), 0);
    words.leave_number("cpu-period", cpu_period, 0);
    words.leave_number("cpu-quota", cpu_quota, 0);
    words.leave_number("cpu-rt-period", cpu_realtime_period, 0);
    words.leave_number("cpu-rt-runtime", cpu_realtime_runtime, 0);
    words.leave_number("memory-swappiness", memory_swappiness, -1);
    words.leave_number("cpu-count", cpu_count, 0);
    words.leave_number("cpu-percent", cpu_percent, 0);
    words.leave_number("io-maxiops", io_maximum_iops, 0);
    words.leave_number("io-maxbandwidth", io_maximum_bandwidth, 0);
    for (name, value) in sorted(annotations.as_ref()) {
        words.not_carried.insert(format!("--annotation {name}={value}"));
    }
    for (name, value) in sorted(storage_opt.as_ref()) {
        words.not_carried.insert(format!("--storage-opt {name}={value}"));
    }
}

fn add_ports(words: &mut Words, bindings: Option<&PortMap>) {
    for (port, bindings) in sorted(bindings) {
        for binding in bindings.iter().flatten() {
            let address = binding
                .host_ip
                .as_deref()
                .filter(|a| !a.is_empty() && *a != "0.0.0.0");
            let host = binding.host_port.as_deref().unwrap_or_default();
            words.add(
                "publish",
                match address {
                    Some(address) if address.contains(':') => format!("[{address}]:{host}:{port}"),
                    Some(address) => format!("{address}:{host}:{port}"),
                    None if host.is_empty() => port.clone(),
                    None => format!("{host}:{port}"),
                },
            );
        }
    }
}

/// A request for GPUs as the option says it; none for other devices.
fn gpus(request: &DeviceRequest) -> Option<String> {
    let DeviceRequest {
        driver,
        count,
        device_ids,
        capabilities,
        options,
    } = request;
    let is_gpu = capabilities.iter().flatten().flatten().any(|name| name == "gpu");
    let plain = driver.as_deref().unwrap_or_default().is_empty() && options.iter().flatten().next().is_none();
    if !is_gpu || !plain {
        return None;
    }
    match (count, device_ids.as_deref()) {
        (_, Some([_, ..])) => {
            let ids = device_ids.iter().flatten().cloned().collect::<Vec<_>>().join(",");
            Some(format!("\"device={ids}\""))
        }
        (Some(-1), _) => Some("all".to_owned()),
        (count, _) => Some(count.unwrap_or(1).to_string()),
    }
}

fn sorted<V>(map: Option<&HashMap<String, V>>) -> BTreeMap<&String, &V> {
    map.into_iter().flatten().collect()
}

/// `type=…,source=…,target=…`; none for kinds that the command line does not have.
fn mount_text(mount: &Mount) -> Option<String> {
    let kind = match mount.typ? {
        MountType::BIND => "bind",
        MountType::VOLUME => "volume",
        MountType::TMPFS => "tmpfs",
        _ => return None,
    };
    let mut fields = vec![format!("type={kind}")];
    fields.extend(
        mount
            .source
            .as_ref()
            .filter(|s| !s.is_empty())
            .map(|s| format!("source={s}")),
    );
    fields.push(format!("target={}", mount.target.as_deref()?));
    if mount.read_only == Some(true) {
        fields.push("readonly".to_owned());
    }
    if let Some(consistency) = mount
        .consistency
        .as_deref()
        .filter(|c| !c.is_empty() && *c != "default")
    {
        fields.push(format!("consistency={consistency}"));
    }
    if let Some(options) = &mount.bind_options {
        let propagation = options.propagation.filter(|p| !p.to_string().is_empty());
        fields.extend(propagation.map(|p| format!("bind-propagation={p}")));
        let flag = |name: &str, is_set: Option<bool>| {
            (is_set == Some(true)).then(|| format!("bind-recursive={name}"))
        };
        fields.extend(flag("disabled", options.non_recursive));
        fields.extend(flag("writable", options.read_only_non_recursive));
        fields.extend(flag("readonly", options.read_only_force_recursive));
    }
    if let Some(options) = &mount.volume_options {
        fields.extend((options.no_copy == Some(true)).then(|| "volume-nocopy".to_owned()));
        fields.extend(
            options
                .subpath
                .iter()
                .filter(|s| !s.is_empty())
                .map(|s| format!("volume-subpath={s}")),
        );
        for (name, value) in sorted(options.labels.as_ref()) {
            if !name.starts_with(SLIM_LABELS) {
                fields.push(format!("volume-label={name}={value}"));
            }
        }
        if let Some(driver) = &options.driver_config {
            fields.extend(
                driver
                    .name
                    .iter()
                    .filter(|n| !n.is_empty())
                    .map(|n| format!("volume-driver={n}")),
            );
            for (name, value) in sorted(driver.options.as_ref()) {
                fields.push(format!("volume-opt={name}={value}"));
            }
        }
    }
    if let Some(options) = &mount.tmpfs_options {
        fields.extend(
            options
                .size_bytes
                .filter(|&s| s > 0)
                .map(|s| format!("tmpfs-size={s}")),
        );
        fields.extend(
            options
                .mode
                .filter(|&m| m > 0)
                .map(|m| format!("tmpfs-mode={m:o}")),
        );
    }
    Some(
        fields
            .iter()
            .map(|f| crate::spec::csv_field(f))
            .collect::<Vec<_>>()
            .join(","),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::docker::translate::request;
    use crate::spec::{EnvVar, MountSource, NetworkMode, any_spec, full_spec};

    /// Returns a container as the engine describes it, from the request that made it.
    fn inspect(spec: &ContainerSpec) -> ContainerInspectResponse {
        let request = request(spec);
        let body = serde_json::to_value(&request.body).expect("JSON");
        ContainerInspectResponse {
            config: serde_json::from_value(body).ok(),
            host_config: request.body.host_config,
            network_settings: request.body.networking_config.map(|networking| {
                let networks = networking.endpoints_config;
                bollard::models::NetworkSettings {
                    networks,
                    ..Default::default()
                }
            }),
            ..ContainerInspectResponse::default()
        }
    }

    /// Returns the same description in the form that an engine gives back: sets are sorted, synonyms are one.
    fn settled(mut spec: ContainerSpec) -> ContainerSpec {
        let names: BTreeSet<String> = spec.env.iter().map(|variable| variable.name.clone()).collect();
        spec.env = names.into_iter().map(EnvVar::named).collect();
        let key = |port: &crate::spec::PublishedPort| (port.container.to_string(), port.protocol.clone());
        spec.ports.sort_by_key(key);
        for port in &spec.ports {
            spec.expose
                .remove(&format!("{}/{}", port.container, port.protocol));
        }
        if spec.network.mode == NetworkMode::Bridge {
            spec.network.mode = NetworkMode::Default;
        }
        // Anonymous volumes, then binds, then mounts.
        let rank = |mount: &crate::spec::Mount| match &mount.source {
            MountSource::Volume {
                name: None,
                no_copy: false,
                driver: None,
                driver_options,
                ..
            } if driver_options.is_empty() && !mount.read_only => 0,
            MountSource::Bind { create: true, .. } => 1,
            _ => 2,
        };
        spec.mounts.sort_by_key(rank);
        spec
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn the_description_comes_back(spec in any_spec()) {
            // The engine's own: one endpoint for a network by name.
            let again = describe(&inspect(&spec), &ImageConfig::default(), true);
            prop_assert_eq!(again, settled(spec));
        }
    }

    #[test]
    fn every_limit_comes_back() {
        let limits = full_spec().limits;
        let spec = ContainerSpec {
            limits: limits.clone(),
            ..ContainerSpec::default()
        };
        let again = describe(&inspect(&spec), &ImageConfig::default(), true);
        assert_eq!(again.limits, limits);
    }

    #[test]
    fn what_the_image_says_is_no_option() {
        let found = inspect(&ContainerSpec {
            env: vec![EnvVar::new("A", "1"), EnvVar::new("B", "2")],
            user: Some("app".into()),
            entrypoint: Some("/bin/app".into()),
            labels: BTreeMap::from([("a".into(), "1".into())]),
            stop_signal: Some("SIGQUIT".into()),
            ..ContainerSpec::default()
        });
        let image = ImageConfig {
            env: Some(vec!["A=1".into()]),
            user: Some("app".into()),
            entrypoint: Some(vec!["/bin/app".into()]),
            labels: Some([("a".to_owned(), "1".to_owned())].into()),
            stop_signal: Some("SIGQUIT".into()),
            ..ImageConfig::default()
        };
        let expected = ContainerSpec {
            env: vec![EnvVar::named("B")],
            ..ContainerSpec::default()
        };
        assert_eq!(describe(&found, &image, true), expected);
    }

    #[test]
    fn what_no_option_says_is_named() {
        let mut found = inspect(&ContainerSpec::default());
        found.host_config = Some(HostConfig {
            privileged: Some(true),
            volumes_from: Some(vec!["other".into()]),
            cgroup_parent: Some("/mine".into()),
            blkio_weight: Some(500),
            storage_opt: Some([("size".to_owned(), "1G".to_owned())].into()),
            ..HostConfig::default()
        });
        let spec = describe(&found, &ImageConfig::default(), true);
        let names: Vec<&str> = spec.not_carried.iter().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "--blkio-weight 500",
                "--cgroup-parent /mine",
                "--privileged",
                "--storage-opt size=1G",
                "--volumes-from \"other\""
            ]
        );
    }
}
