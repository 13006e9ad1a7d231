//! From the user's options, in `docker run`'s syntax, to what the engine is asked for.

mod container;
mod env;
mod mounts;
mod ports;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, MountType, NetworkingConfig,
    PortBinding, VolumeCreateRequest,
};

pub(super) use container::of_container;
pub(crate) use mounts::csv_field;

use super::owner::{KIND_LABEL, OWNER_LABEL};
use crate::engine::{ContainerOptions, Error};

/// A seccomp profile may be this long.
const MAX_SECCOMP: u64 = 4 << 20;

/// The capabilities that Linux knows (`include/uapi/linux/capability.h`, 6.18), without `CAP_`.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// What Docker gives a container that asks for nothing (moby `oci/caps/defaults.go`), without `CAP_`.
pub(crate) const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What the options say, ready for the engine.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// What the container is created with; the caller adds image and labels of its own.
    pub body: ContainerCreateBody,
    /// Named volumes that it mounts: they are made beforehand, with an owner, if they do not exist.
    pub volumes: Vec<VolumeCreateRequest>,
    /// Names of the variables that the user added, sorted.
    pub env_names: Vec<String>,
    /// The options as words for a shell: `--env` by name only, and without `--cap-add`, `--cap-drop` and
    /// `--security-opt seccomp=…`, for which the profiles stand.
    pub words: Vec<String>,
}

/// Where relative paths start, and the environment that `--env NAME` reads.
pub(super) struct Here<'a> {
    /// The current directory.
    pub directory: &'a Path,
    /// slim's environment.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads the options.
///
/// # Errors
/// [`Error::Option`] with the option that is malformed, [`Error::File`] for a file that an option names.
pub(super) fn request(options: &ContainerOptions, here: &Here<'_>) -> Result<Request, Error> {
    let mut request = Request::default();
    let mut host = HostConfig::default();
    let mut words = Words::default();
    let body = &mut request.body;

    let environment = env::environment(&options.env_file, &options.env, here.lookup)?;
    let names: BTreeSet<&str> = environment
        .iter()
        .map(|e| e.split_once('=').map_or(e.as_str(), |(name, _)| name))
        .collect();
    request.env_names = names.iter().map(|&n| n.to_owned()).collect();
    for name in &request.env_names {
        words.add("env", name);
    }
    body.env = some(environment);

    let mut binds = Vec::new();
    let mut anonymous = Vec::new();
    for text in &options.volume {
        match mounts::volume(text, here.directory)? {
            mounts::Volume::Anonymous(target) => {
                words.add("volume", &target);
                anonymous.push(target);
            }
            mounts::Volume::Bind(bind) => {
                words.add("volume", &bind);
                binds.push(bind);
            }
            mounts::Volume::Named { name, bind } => {
                words.add("volume", &bind);
                binds.push(bind);
                request.volumes.push(VolumeCreateRequest {
                    name: Some(name),
                    ..VolumeCreateRequest::default()
                });
            }
        }
    }
    body.volumes = some(anonymous);
    host.binds = some(binds);

    let mut list = Vec::new();
    for text in &options.mount {
        let mount = mounts::mount(text, here.directory)?;
        if mount.typ == Some(MountType::VOLUME)
            && let Some(name) = &mount.source
        {
            let settings = mount.volume_options.as_ref();
            let driver = settings.and_then(|v| v.driver_config.as_ref());
            request.volumes.push(VolumeCreateRequest {
                name: Some(name.clone()),
                driver: driver.and_then(|d| d.name.clone()),
                driver_opts: driver.and_then(|d| d.options.clone()),
                labels: settings.and_then(|v| v.labels.clone()),
                ..VolumeCreateRequest::default()
            });
        }
        words.add("mount", &mounts::with_source(text, mount.source.as_deref()));
        list.push(mount);
    }
    host.mounts = some(list);

    let mut tmpfs = HashMap::new();
    for text in &options.tmpfs {
        let (target, settings) = mounts::tmpfs(text)?;
        words.add("tmpfs", text);
        tmpfs.insert(target, settings);
    }
    host.tmpfs = (!tmpfs.is_empty()).then_some(tmpfs);

    if let Some(text) = &options.network {
        let (mode, endpoint) = network(text)?;
        words.add("network", text);
        body.networking_config = endpoint.map(|e| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(mode.clone(), e)])),
        });
        host.network_mode = Some(mode);
    }

    let mut exposed = BTreeSet::new();
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for text in &options.publish {
        for published in ports::publish(text)? {
            exposed.insert(published.container.clone());
            let list = bindings.entry(published.container).or_default();
            list.get_or_insert_default().push(PortBinding {
                host_ip: published.address,
                host_port: Some(published.host),
            });
        }
        words.add("publish", text);
    }
    body.exposed_ports = some(exposed.into_iter().collect());
    host.port_bindings = (!bindings.is_empty()).then_some(bindings);

    if let Some(user) = &options.user {
        if user.is_empty() || user.split(':').count() > 2 {
            return Err(wrong("user", user, "expected NAME|UID[:GROUP|GID]"));
        }
        words.add("user", user);
        body.user = Some(user.clone());
    }
    if let Some(entrypoint) = &options.entrypoint {
        words.add("entrypoint", entrypoint);
        // One empty string resets the image's, as docker run's `--entrypoint ""`.
        body.entrypoint = Some(vec![entrypoint.clone()]);
    }
    if let Some(workdir) = &options.workdir {
        if !workdir.starts_with('/') {
            return Err(wrong(
                "workdir",
                workdir,
                "expected an absolute path in the container",
            ));
        }
        words.add("workdir", workdir);
        body.working_dir = Some(workdir.clone());
    }
    if let Some(hostname) = &options.hostname {
        check_hostname(hostname)?;
        words.add("hostname", hostname);
        body.hostname = Some(hostname.clone());
    }
    if options.read_only {
        words.0.push("--read-only".to_owned());
        host.readonly_rootfs = Some(true);
    }
    if let Some(memory) = &options.memory {
        let value = bytes(memory).filter(|&b| b > 0).ok_or_else(|| {
            wrong(
                "memory",
                memory,
                "expected a size in bytes, or with a unit as 512m or 1.5g",
            )
        })?;
        words.add("memory", memory);
        host.memory = Some(value);
    }
    host.cap_add = some(capabilities("cap-add", &options.cap_add)?);
    host.cap_drop = some(capabilities("cap-drop", &options.cap_drop)?);
    security(&options.security_opt, &mut host, &mut words)?;

    let mut hosts = Vec::new();
    for text in &options.add_host {
        hosts.push(extra_host(text)?);
        words.add("add-host", text);
    }
    host.extra_hosts = some(hosts);

    let mut labels = HashMap::new();
    for text in &options.label {
        let (name, value) = env::label(text)?;
        words.add("label", text);
        labels.insert(name, value);
    }
    body.labels = (!labels.is_empty()).then_some(labels);
    body.cmd = some(options.command.clone());
    body.host_config = Some(host);
    request.words = words.0;
    Ok(request)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn wrong(flag: &'static str, value: &str, problem: impl Into<String>) -> Error {
    Error::Option {
        flag,
        value: value.to_owned(),
        problem: problem.into(),
    }
}

/// `--name value` pairs, quoted for a shell.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn add(&mut self, flag: &str, value: &str) {
        self.0.push(format!("--{flag}"));
        self.0.push(shell_word(value));
    }
}

/// The word as a POSIX shell takes it: in single quotes unless every character is harmless.
pub(super) fn shell_word(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A size with docker's units: `b k m g t p`, with or without `i` and `b`, all by 1024, decimals allowed.
///
/// Source: docker/go-units `RAMInBytes`.
fn bytes(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| number.parse().ok())??;
    let power = match unit.trim_start() {
        "" | "b" => 0,
        unit => {
            let prefix = unit.strip_suffix('b').unwrap_or(unit);
            let prefix = prefix.strip_suffix('i').unwrap_or(prefix);
            ["k", "m", "g", "t", "p"].iter().position(|&p| p == prefix)? as i32 + 1
        }
    };
    let value = number * 1024f64.powi(power);
    // Above 2^53 a float is no longer exact, and nobody has that much memory.
    (value < 9e15).then_some(value as i64)
}

/// `NAME`, or `name=NETWORK,alias=…,ip=…,ip6=…`.
fn network(text: &str) -> Result<(String, Option<EndpointSettings>), Error> {
    let bad = |problem: &str| wrong("network", text, problem);
    if text.is_empty() || text == "container:" {
        return Err(bad(
            "expected bridge, host, none, container:NAME or a network's name",
        ));
    }
    if !text.contains('=') {
        return Ok((text.to_owned(), None));
    }
    const EXPECTED: &str =
        "expected a network's name, or name=NETWORK[,alias=NAME][,ip=ADDRESS][,ip6=ADDRESS]";
    let (mut name, mut aliases) = (None, Vec::new());
    let mut ipam = EndpointIpamConfig::default();
    for field in mounts::csv(text).ok_or_else(|| bad(EXPECTED))? {
        match field.split_once('=') {
            Some(("name", value)) if !value.is_empty() => name = Some(value.to_owned()),
            Some(("alias", value)) if !value.is_empty() => aliases.push(value.to_owned()),
            Some(("ip", value)) if value.parse::<std::net::Ipv4Addr>().is_ok() => {
                ipam.ipv4_address = Some(value.to_owned());
            }
            Some(("ip6", value)) if value.parse::<std::net::Ipv6Addr>().is_ok() => {
                ipam.ipv6_address = Some(value.to_owned());
            }
            _ => return Err(bad(EXPECTED)),
        }
    }
    let endpoint = EndpointSettings {
        aliases: some(aliases),
        ipam_config: (ipam != EndpointIpamConfig::default()).then_some(ipam),
        ..EndpointSettings::default()
    };
    Ok((name.ok_or_else(|| bad(EXPECTED))?, Some(endpoint)))
}

/// As the kernel takes it (`__NEW_UTS_LEN`, 64) and RFC 1123 writes it.
fn check_hostname(text: &str) -> Result<(), Error> {
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() > 64 || !text.split('.').all(label) {
        return Err(wrong(
            "hostname",
            text,
            "expected at most 64 letters, digits, hyphens and dots",
        ));
    }
    Ok(())
}

/// Names with or without `CAP_`, in any case, or `ALL`; as `CAP_NAME` or `ALL`.
fn capabilities(flag: &'static str, names: &[String]) -> Result<Vec<String>, Error> {
    names
        .iter()
        .map(|text| {
            let upper = text.to_ascii_uppercase();
            let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if bare == "ALL" {
                Ok("ALL".to_owned())
            } else if CAPABILITIES.contains(&bare) {
                Ok(format!("CAP_{bare}"))
            } else {
                Err(wrong(
                    flag,
                    text,
                    "no such capability; expected ALL or a name as NET_ADMIN (capabilities(7))",
                ))
            }
        })
        .collect()
}

/// The bounding set that an engine with Docker's defaults gives for these `--cap-add` and `--cap-drop`, sorted.
///
/// Source: moby `oci/caps/utils.go`, `TweakCapabilities`.
pub(super) fn effective_capabilities(add: &[String], drop: &[String]) -> Vec<String> {
    let bare = |name: &String| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
    let add: BTreeSet<String> = add.iter().map(bare).collect();
    let drop: BTreeSet<String> = drop.iter().map(bare).collect();
    let mut set: BTreeSet<String> = if add.contains("ALL") {
        CAPABILITIES.map(str::to_owned).into()
    } else if drop.contains("ALL") {
        BTreeSet::new()
    } else {
        DEFAULT_CAPABILITIES.map(str::to_owned).into()
    };
    set.retain(|name| !drop.contains(name));
    set.extend(add.into_iter().filter(|name| name != "ALL"));
    set.into_iter().map(|name| format!("CAP_{name}")).collect()
}

/// `no-new-privileges`, `seccomp=FILE|unconfined|builtin`, `apparmor=…`, `label=…`, `systempaths=unconfined`. The client reads the
/// seccomp file: the engine takes its text.
///
/// Source: docker/cli `cli/command/container/opts.go`, `parseSecurityOpts`.
fn security(options: &[String], host: &mut HostConfig, words: &mut Words) -> Result<(), Error> {
    const FLAG: &str = "security-opt";
    let mut list = Vec::new();
    for text in options {
        let (name, value) = match text.split_once(['=', ':']) {
            Some((name, value)) => (name, Some(value)),
            None => (text.as_str(), None),
        };
        match (name, value) {
            ("no-new-privileges", None | Some("true" | "false")) | ("label" | "apparmor", Some(_)) => {
                words.add(FLAG, text);
                list.push(match value {
                    Some(value) => format!("{name}={value}"),
                    None => name.to_owned(),
                });
            }
            ("seccomp", Some("unconfined" | "builtin")) => list.push(text.replacen(':', "=", 1)),
            ("seccomp", Some(file)) => list.push(format!("seccomp={}", seccomp_file(text, file)?)),
            ("systempaths", Some("unconfined")) => {
                words.add(FLAG, text);
                host.masked_paths = Some(Vec::new());
                host.readonly_paths = Some(Vec::new());
            }
            _ => {
                return Err(wrong(
                    FLAG,
                    text,
                    "expected no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, label=… or systempaths=unconfined",
                ));
            }
        }
    }
    host.security_opt = some(list);
    Ok(())
}

fn seccomp_file(option: &str, path: &str) -> Result<String, Error> {
    use std::io::Read;
    let fail = |source| Error::File {
        path: path.into(),
        source,
    };
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(fail)?;
    file.take(MAX_SECCOMP).read_to_end(&mut text).map_err(fail)?;
    let profile: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|e| wrong("security-opt", option, format!("{path} is not JSON: {e}")))?;
    if !profile.is_object() {
        return Err(wrong(
            "security-opt",
            option,
            format!("{path} is not a seccomp profile: expected a JSON object"),
        ));
    }
    Ok(profile.to_string())
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`; the address may be in brackets, or `host-gateway`.
fn extra_host(text: &str) -> Result<String, Error> {
    let bad = || {
        wrong(
            "add-host",
            text,
            "expected NAME:ADDRESS, with an IP address or host-gateway",
        )
    };
    let (name, address) = text.split_once(['=', ':']).ok_or_else(bad)?;
    let address = address
        .strip_prefix('[')
        .and_then(|a| a.strip_suffix(']'))
        .unwrap_or(address);
    let harmless = |b: u8| b.is_ascii_graphic() && b != b'#';
    if name.is_empty() || !name.bytes().all(harmless) {
        return Err(bad());
    }
    if address != "host-gateway" && address.parse::<IpAddr>().is_err() {
        return Err(bad());
    }
    Ok(format!("{name}:{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(options: &ContainerOptions) -> Result<Request, Error> {
        request(
            options,
            &Here {
                directory: Path::new("/here"),
                lookup: &|_| None,
            },
        )
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|&i| i.to_owned()).collect()
    }

    #[test]
    fn nothing_asked_is_nothing_set() {
        let request = ask(&ContainerOptions::default()).expect("no options");
        let host_config = Some(HostConfig::default());
        assert_eq!(
            request.body,
            ContainerCreateBody {
                host_config,
                ..Default::default()
            }
        );
        assert!(request.words.is_empty() && request.volumes.is_empty());
    }

    #[test]
    fn everything_asked_is_set() {
        let dir = tempfile::tempdir().expect("a directory");
        let profile = dir.path().join("p.json");
        fs::write(&profile, "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }").expect("a file");
        let seccomp = format!("seccomp={}", profile.display());
        let options = ContainerOptions {
            env: list(&["A=secret", "B=2"]),
            volume: list(&["/anon", "data:/data", "./conf:/etc/conf:ro"]),
            mount: list(&["type=volume,source=more,target=/more", "type=tmpfs,target=/t"]),
            network: Some("name=net,alias=web,ip=10.0.0.9".into()),
            publish: list(&["8080:80", "127.0.0.1::80", "53/udp"]),
            user: Some("1000:1000".into()),
            entrypoint: Some(String::new()),
            workdir: Some("/srv".into()),
            hostname: Some("box.example".into()),
            read_only: true,
            tmpfs: list(&["/run:size=1m"]),
            memory: Some("64m".into()),
            cap_add: list(&["net_admin"]),
            cap_drop: list(&["all"]),
            security_opt: list(&["no-new-privileges", &seccomp, "label:disable"]),
            add_host: list(&["db:10.0.0.1", "v6=[::1]", "gw:host-gateway"]),
            label: list(&["a=it's"]),
            command: list(&["serve", "now"]),
            ..ContainerOptions::default()
        };
        let request = ask(&options).expect("options");
        let (body, host) = (
            request.body.clone(),
            request.body.host_config.expect("a host configuration"),
        );
        assert_eq!(body.cmd, Some(options.command));
        assert_eq!(body.entrypoint, Some(vec![String::new()]));
        assert_eq!(body.volumes, Some(list(&["/anon"])));
        assert_eq!(body.exposed_ports, Some(list(&["53/udp", "80/tcp"])));
        assert_eq!(host.binds, Some(list(&["data:/data", "/here/conf:/etc/conf:ro"])));
        assert_eq!(host.network_mode.as_deref(), Some("net"));
        assert_eq!(host.memory, Some(64 << 20));
        assert_eq!(host.cap_add, Some(list(&["CAP_NET_ADMIN"])));
        assert_eq!(host.cap_drop, Some(list(&["ALL"])));
        assert_eq!(host.privileged, None);
        assert_eq!(
            host.security_opt,
            Some(list(&[
                "no-new-privileges",
                "seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
                "label=disable"
            ]))
        );
        assert_eq!(
            host.extra_hosts,
            Some(list(&["db:10.0.0.1", "v6:::1", "gw:host-gateway"]))
        );
        let ports = host.port_bindings.expect("ports");
        let eighty = ports["80/tcp"].as_ref().expect("bindings");
        assert_eq!(eighty.len(), 2);
        let names: Vec<_> = request.volumes.iter().filter_map(|v| v.name.as_deref()).collect();
        assert_eq!(names, ["data", "more"]);
        // What run.sh gets: no value of a variable, nothing that the profiles stand for, quoted where needed.
        let line = request.words.join(" ");
        assert_eq!(
            line,
            "--env A --env B --volume /anon --volume data:/data --volume /here/conf:/etc/conf:ro \
             --mount type=volume,source=more,target=/more --mount type=tmpfs,target=/t --tmpfs /run:size=1m \
             --network name=net,alias=web,ip=10.0.0.9 --publish 8080:80 --publish 127.0.0.1::80 --publish 53/udp \
             --user 1000:1000 --entrypoint '' --workdir /srv --hostname box.example --read-only --memory 64m \
             --security-opt no-new-privileges --security-opt label:disable --add-host db:10.0.0.1 \
             --add-host 'v6=[::1]' --add-host gw:host-gateway --label 'a=it'\\''s'"
        );
    }

    #[test]
    fn errors_name_the_flag_and_what_is_expected() {
        let base = ContainerOptions::default;
        let cases = [
            ContainerOptions {
                user: Some("a:b:c".into()),
                ..base()
            },
            ContainerOptions {
                workdir: Some("srv".into()),
                ..base()
            },
            ContainerOptions {
                hostname: Some("-x".into()),
                ..base()
            },
            ContainerOptions {
                memory: Some("lots".into()),
                ..base()
            },
            ContainerOptions {
                cap_add: list(&["CAP_FLY"]),
                ..base()
            },
            ContainerOptions {
                security_opt: list(&["foo=x"]),
                ..base()
            },
            ContainerOptions {
                security_opt: list(&["seccomp=/dev/null"]),
                ..base()
            },
            ContainerOptions {
                add_host: list(&["db:nowhere"]),
                ..base()
            },
            ContainerOptions {
                network: Some(String::new()),
                ..base()
            },
            ContainerOptions {
                network: Some("name=a,b".into()),
                ..base()
            },
        ];
        let mut text = String::new();
        for case in cases {
            text += &format!("{}\n", ask(&case).expect_err("malformed"));
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn sizes() {
        for (text, value) in [
            ("64m", Some(64 << 20)),
            ("64MB", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2 KiB", Some(2048)),
            ("100b", Some(100)),
            ("100", Some(100)),
            ("1i", None),
            ("m", None),
            (".5m", None),
            ("-1", None),
            ("1x", None),
            ("1e3", None),
            ("99999999p", None),
        ] {
            assert_eq!(bytes(text), value, "{text:?}");
        }
    }

    #[test]
    fn capability_sets() {
        assert_eq!(effective_capabilities(&[], &[]).len(), 14);
        assert_eq!(
            effective_capabilities(&[], &list(&["CAP_CHOWN", "kill"])).len(),
            12
        );
        assert_eq!(
            effective_capabilities(&list(&["SYS_TIME"]), &list(&["ALL"])),
            ["CAP_SYS_TIME"]
        );
        assert_eq!(
            effective_capabilities(&list(&["ALL"]), &list(&["CAP_BPF"])).len(),
            40
        );
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_word_back(text in "[^\0]{0,30}") {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", shell_word(&text))])
                .output()
                .expect("a shell");
            prop_assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), text);
        }

        #[test]
        fn anything_parses_or_not(text in ".*") {
            let _ = bytes(&text);
            let _ = network(&text);
            let _ = extra_host(&text);
            let _ = check_hostname(&text);
            let _ = capabilities("cap-add", std::slice::from_ref(&text));
        }
    }
}
