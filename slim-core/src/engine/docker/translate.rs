//! From a description to Docker's API.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigCgroupnsModeEnum, Mount as ApiMount, MountBindOptions,
    MountBindOptionsPropagationEnum as Propagation, MountTmpfsOptions, MountType, MountVolumeOptions,
    MountVolumeOptionsDriverConfig, NetworkingConfig, PortBinding, ResourcesUlimits, VolumeCreateRequest,
};

use crate::spec::{
    BindRecursive, ContainerSpec, Device, Dns, HealthCheck, HostEntry, Limits, Mount, MountSource, Network,
    NetworkMode, PublishedPort, Relabel, SeccompChoice, Security, Ulimit,
};

/// The requests that make a container.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The container's description; the caller adds image and labels of its own.
    pub(super) body: ContainerCreateBody,
    /// Named volumes that it mounts: they are made beforehand, with an owner, if they do not exist.
    pub(super) volumes: Vec<VolumeCreateRequest>,
    /// The platform of the image, for the query.
    pub(super) platform: Option<String>,
}

/// Returns the requests that create the container that `spec` describes.
pub(super) fn request(spec: &ContainerSpec) -> Request {
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
        // What a container of somebody else's had and nothing here can say.
        not_carried: _,
    } = spec;
    let mut exposed: Vec<String> = expose.iter().cloned().collect();
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for PublishedPort {
        container,
        protocol,
        address,
        host,
    } in ports
    {
        let name = format!("{container}/{protocol}");
        if !exposed.contains(&name) {
            exposed.push(name.clone());
        }
        let list = bindings.entry(name).or_default();
        list.get_or_insert_default().push(PortBinding {
            host_ip: address.map(|address| address.to_string()),
            host_port: Some(match host {
                None => String::new(),
                Some((first, last)) if first == last => first.to_string(),
                Some((first, last)) => format!("{first}-{last}"),
            }),
        });
    }
    exposed.sort();
    let mut host = HostConfig {
        readonly_rootfs: read_only.then_some(true),
        port_bindings: (!bindings.is_empty()).then_some(bindings),
        cap_add: non_empty(cap_add.iter().cloned().collect()),
        cap_drop: non_empty(cap_drop.iter().cloned().collect()),
        extra_hosts: non_empty(
            extra_hosts
                .iter()
                .map(|HostEntry { name, address }| format!("{name}:{address}"))
                .collect(),
        ),
        group_add: non_empty(groups.clone()),
        device_cgroup_rules: non_empty(device_cgroup_rules.clone()),
        sysctls: map(sysctls),
        shm_size: shm_size.and_then(|size| i64::try_from(size).ok()),
        init: init.then_some(true),
        ipc_mode: ipc.clone(),
        pid_mode: pid.clone(),
        uts_mode: uts.clone(),
        userns_mode: userns.clone(),
        cgroupns_mode: cgroupns.as_deref().map(|mode| match mode {
            "host" => HostConfigCgroupnsModeEnum::HOST,
            _ => HostConfigCgroupnsModeEnum::PRIVATE,
        }),
        runtime: runtime.clone(),
        ulimits: non_empty(
            ulimits
                .iter()
                .map(|Ulimit { name, soft, hard }| ResourcesUlimits {
                    name: Some(name.clone()),
                    soft: Some(*soft),
                    hard: Some(*hard),
                })
                .collect(),
        ),
        tmpfs: (!tmpfs.is_empty()).then(|| {
            let pairs = tmpfs
                .iter()
                .map(|tmpfs| (tmpfs.target.clone(), tmpfs.options_text()));
            pairs.collect()
        }),
        ..HostConfig::default()
    };
    let Dns {
        servers,
        search,
        options,
    } = dns;
    host.dns = non_empty(servers.clone());
    host.dns_search = non_empty(search.clone());
    host.dns_options = non_empty(options.clone());
    set_limits(&mut host, limits);
    set_security(&mut host, security);
    set_devices(&mut host, devices, gpus.as_deref());
    let mut request = Request {
        platform: platform.clone(),
        ..Request::default()
    };
    let mut anonymous = Vec::new();
    for mount in mounts {
        add_mount(mount, &mut host, &mut anonymous, &mut request.volumes);
    }
    let (mode, networking_config) = networking(network);
    host.network_mode = mode;
    request.body = ContainerCreateBody {
        cmd: non_empty(command.clone()),
        // One empty string resets the image's, as docker run's `--entrypoint ""`.
        entrypoint: entrypoint.clone().map(|word| vec![word]),
        env: non_empty(env.iter().map(crate::spec::EnvVar::assignment).collect()),
        user: user.clone(),
        working_dir: workdir.clone(),
        hostname: hostname.clone(),
        domainname: domainname.clone(),
        labels: map(labels),
        exposed_ports: non_empty(exposed),
        volumes: non_empty(anonymous),
        tty: tty.then_some(true),
        stop_signal: stop_signal.clone(),
        stop_timeout: stop_timeout.map(i64::from),
        healthcheck: health_config(health),
        networking_config,
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    request
}

fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn map(from: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!from.is_empty()).then(|| from.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn set_limits(host: &mut HostConfig, limits: &Limits) {
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
    host.memory = *memory;
    host.memory_swap = *memory_swap;
    host.memory_reservation = *memory_reservation;
    host.nano_cpus = *nano_cpus;
    host.cpu_shares = *cpu_shares;
    host.cpuset_cpus.clone_from(cpuset_cpus);
    host.cpuset_mems.clone_from(cpuset_mems);
    host.pids_limit = *pids;
    host.oom_score_adj = *oom_score_adj;
}

fn set_security(host: &mut HostConfig, security: &Security) {
    let Security {
        no_new_privileges,
        seccomp,
        apparmor,
        labels,
        system_paths_unconfined,
    } = security;
    let mut options = Vec::new();
    match no_new_privileges {
        // As the command line says it; engines read it without a value, too.
        Some(true) => options.push("no-new-privileges".to_owned()),
        Some(false) => options.push("no-new-privileges=false".to_owned()),
        None => {}
    }
    match seccomp {
        SeccompChoice::Default => {}
        SeccompChoice::Builtin => options.push("seccomp=builtin".to_owned()),
        SeccompChoice::Unconfined => options.push("seccomp=unconfined".to_owned()),
        // The engine takes the profile's text.
        SeccompChoice::Profile(profile) => options.push(format!("seccomp={profile}")),
    }
    options.extend(apparmor.iter().map(|profile| format!("apparmor={profile}")));
    options.extend(labels.iter().map(|label| format!("label={label}")));
    host.security_opt = non_empty(options);
    if *system_paths_unconfined {
        host.masked_paths = Some(Vec::new());
        host.readonly_paths = Some(Vec::new());
    }
}

fn set_devices(host: &mut HostConfig, devices: &[Device], gpus: Option<&str>) {
    let mut mappings = Vec::new();
    let mut requests = Vec::new();
    for Device {
        host,
        container,
        permissions,
    } in devices
    {
        if container.is_empty() {
            // A name of the container device interface.
            requests.push(DeviceRequest {
                driver: Some("cdi".to_owned()),
                device_ids: Some(vec![host.clone()]),
                ..DeviceRequest::default()
            });
        } else {
            mappings.push(DeviceMapping {
                path_on_host: Some(host.clone()),
                path_in_container: Some(container.clone()),
                cgroup_permissions: Some(permissions.clone()),
            });
        }
    }
    requests.extend(gpus.map(gpu_request));
    host.devices = non_empty(mappings);
    host.device_requests = non_empty(requests);
}

/// `all`, a number, or `device=…` and further keys.
///
/// Source: docker/cli `opts/gpus.go`.
fn gpu_request(text: &str) -> DeviceRequest {
    let mut request = DeviceRequest {
        driver: Some(String::new()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    };
    let list = |value: &str| value.split(',').map(str::to_owned).collect::<Vec<_>>();
    let count = |value: &str| {
        if value == "all" {
            Some(-1)
        } else {
            value.parse().ok()
        }
    };
    for field in crate::spec::csv(text).unwrap_or_default() {
        match field.split_once('=') {
            None => request.count = count(&field),
            Some(("count", value)) => request.count = count(value),
            Some(("device", value)) => request.device_ids = Some(list(value)),
            Some(("driver", value)) => request.driver = Some(value.to_owned()),
            Some(("capabilities", value)) => {
                let mut names = list(value);
                if !names.iter().any(|name| name == "gpu") {
                    names.push("gpu".to_owned());
                }
                request.capabilities = Some(vec![names]);
            }
            Some(("options", value)) => {
                let options = list(value);
                let pairs = options.iter().filter_map(|option| option.split_once('='));
                request.options = Some(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
            }
            // The parser lets no other through.
            Some(_) => {}
        }
    }
    if request.count.is_none() && request.device_ids.is_none() {
        request.count = Some(1);
    }
    request
}

fn add_mount(
    mount: &Mount,
    host: &mut HostConfig,
    anonymous: &mut Vec<String>,
    volumes: &mut Vec<VolumeCreateRequest>,
) {
    let Mount {
        target,
        source,
        read_only,
        consistency,
    } = mount;
    let mut made = ApiMount {
        target: Some(target.clone()),
        read_only: Some(*read_only),
        consistency: consistency.clone(),
        ..ApiMount::default()
    };
    let mut bind = |source: &str, options: Vec<String>| {
        let mut text = format!("{source}:{target}");
        if !options.is_empty() {
            text = format!("{text}:{}", options.join(","));
        }
        host.binds.get_or_insert_default().push(text);
    };
    let letter = |relabel: &Option<Relabel>| match relabel {
        Some(Relabel::Shared) => Some("z".to_owned()),
        Some(Relabel::Private) => Some("Z".to_owned()),
        None => None,
    };
    let common = || {
        read_only
            .then(|| "ro".to_owned())
            .into_iter()
            .chain(consistency.clone())
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
                // The form that makes the source where there is none.
                let options = common().chain(letter(relabel)).chain(propagation.clone());
                bind(source, options.collect());
                return;
            }
            made.typ = Some(MountType::BIND);
            made.source = Some(source.clone());
            let options = MountBindOptions {
                propagation: propagation.as_deref().map(|propagation| match propagation {
                    "private" => Propagation::PRIVATE,
                    "shared" => Propagation::SHARED,
                    "rshared" => Propagation::RSHARED,
                    "slave" => Propagation::SLAVE,
                    "rslave" => Propagation::RSLAVE,
                    _ => Propagation::RPRIVATE,
                }),
                non_recursive: (*recursive == Some(BindRecursive::Disabled)).then_some(true),
                read_only_non_recursive: (*recursive == Some(BindRecursive::Writable)).then_some(true),
                read_only_force_recursive: (*recursive == Some(BindRecursive::Readonly)).then_some(true),
                ..MountBindOptions::default()
            };
            made.bind_options = (options != MountBindOptions::default()).then_some(options);
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
            if let Some(name) = name {
                volumes.push(VolumeCreateRequest {
                    name: Some(name.clone()),
                    driver: driver.clone(),
                    driver_opts: map(driver_options),
                    labels: map(labels),
                    ..VolumeCreateRequest::default()
                });
            }
            match name {
                None if !no_copy && !*read_only && driver.is_none() && driver_options.is_empty() => {
                    anonymous.push(target.clone());
                    return;
                }
                Some(name) if relabel.is_some() => {
                    let no_copy = no_copy.then(|| "nocopy".to_owned());
                    bind(name, common().chain(letter(relabel)).chain(no_copy).collect());
                    return;
                }
                _ => {}
            }
            made.typ = Some(MountType::VOLUME);
            made.source.clone_from(name);
            made.volume_options = Some(MountVolumeOptions {
                no_copy: no_copy.then_some(true),
                labels: map(labels),
                driver_config: (driver.is_some() || !driver_options.is_empty()).then(|| {
                    MountVolumeOptionsDriverConfig {
                        name: driver.clone(),
                        options: map(driver_options),
                    }
                }),
                subpath: subpath.clone(),
            });
        }
        MountSource::Tmpfs { size, mode } => {
            made.typ = Some(MountType::TMPFS);
            made.tmpfs_options = Some(MountTmpfsOptions {
                size_bytes: size.and_then(|size| i64::try_from(size).ok()),
                mode: mode.map(i64::from),
                ..MountTmpfsOptions::default()
            });
        }
    }
    host.mounts.get_or_insert_default().push(made);
}

/// The network's name, and the container's place in it.
fn networking(network: &Network) -> (Option<String>, Option<NetworkingConfig>) {
    let Network {
        mode,
        aliases,
        ipv4,
        ipv6,
        mac,
    } = network;
    let name = match mode {
        NetworkMode::Default => None,
        NetworkMode::Bridge => Some("bridge".to_owned()),
        NetworkMode::Host => Some("host".to_owned()),
        NetworkMode::None => Some("none".to_owned()),
        NetworkMode::Container(container) => Some(format!("container:{container}")),
        NetworkMode::Named(name) => Some(name.clone()),
    };
    let ipam = EndpointIpamConfig {
        ipv4_address: ipv4.map(|address| address.to_string()),
        ipv6_address: ipv6.map(|address| address.to_string()),
        ..EndpointIpamConfig::default()
    };
    let endpoint = EndpointSettings {
        aliases: non_empty(aliases.clone()),
        ipam_config: (ipam != EndpointIpamConfig::default()).then_some(ipam),
        mac_address: mac.clone(),
        ..EndpointSettings::default()
    };
    let config = (endpoint != EndpointSettings::default()).then(|| NetworkingConfig {
        endpoints_config: Some(HashMap::from([(
            name.clone().unwrap_or_else(|| "bridge".to_owned()),
            endpoint,
        )])),
    });
    (name, config)
}

fn health_config(health: &HealthCheck) -> Option<HealthConfig> {
    if health.is_default() {
        return None;
    }
    let HealthCheck {
        disabled,
        command,
        interval,
        timeout,
        start_period,
        retries,
    } = health;
    Some(HealthConfig {
        test: if *disabled {
            Some(vec!["NONE".to_owned()])
        } else {
            command
                .as_ref()
                .map(|command| vec!["CMD-SHELL".to_owned(), command.clone()])
        },
        interval: *interval,
        timeout: *timeout,
        start_period: *start_period,
        retries: *retries,
        ..HealthConfig::default()
    })
}
