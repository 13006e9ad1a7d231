//! From the user's words, in `docker run`'s syntax, to a [`ContainerSpec`].

mod env;
mod mounts;
mod ports;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

#[cfg(feature = "docker")]
pub(crate) use mounts::csv;
pub(crate) use mounts::csv_field;

use super::{
    ContainerOptions, ContainerSpec, Dns, Error, HealthCheck, HostEntry, Limits, Network, NetworkMode,
    SeccompChoice, Security, Ulimit, parse_capability,
};
use crate::signal;

/// A seccomp profile may be this long.
const MAX_SECCOMP: u64 = 4 << 20;

/// The directory in which relative paths start, and the environment that `--env NAME` reads.
pub struct ParseContext<'a> {
    /// The current directory.
    pub directory: &'a Path,
    /// slim's environment.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl ContainerSpec {
    /// Reads the user's words.
    ///
    /// # Errors
    /// [`Error::Option`] with the option that is malformed, [`Error::File`] for a file that an option names.
    pub fn parse(options: &ContainerOptions, context: &ParseContext<'_>) -> Result<Self, Error> {
        let ContainerOptions {
            env,
            env_file,
            volume,
            mount,
            network,
            network_alias,
            ip,
            ip6,
            mac_address,
            publish,
            expose,
            user,
            group_add,
            entrypoint,
            workdir,
            hostname,
            domainname,
            read_only,
            tmpfs,
            shm_size,
            memory,
            memory_swap,
            memory_reservation,
            cpus,
            cpu_shares,
            cpuset_cpus,
            cpuset_mems,
            pids_limit,
            oom_score_adj,
            ulimit,
            cap_add,
            cap_drop,
            security_opt,
            sysctl,
            device,
            device_cgroup_rule,
            gpus,
            init,
            tty,
            stop_signal,
            ipc,
            pid,
            uts,
            userns,
            cgroupns,
            runtime,
            platform,
            dns,
            dns_search,
            dns_option,
            add_host,
            label,
            label_file,
            health_cmd,
            health_interval,
            health_timeout,
            health_start_period,
            health_retries,
            no_healthcheck,
            stop_timeout,
            command,
        } = options;
        let mut mounts = Vec::new();
        for text in volume {
            mounts.push(mounts::volume(text, context.directory)?);
        }
        for text in mount {
            mounts.push(mounts::mount(text, context.directory)?);
        }
        let ports = publish.iter().map(|text| ports::publish(text));
        let expose = expose.iter().map(|text| ports::expose(text));
        let labels = env::label_files(label_file)?
            .into_iter()
            .map(Ok)
            .chain(label.iter().map(|text| env::label(text)));
        if let Some(hostname) = hostname {
            check_hostname("hostname", hostname)?;
        }
        if let Some(domainname) = domainname {
            check_hostname("domainname", domainname)?;
        }
        Ok(Self {
            command: command.clone(),
            entrypoint: entrypoint.clone(),
            env: env::environment(env_file, env, context.lookup)?,
            user: user.as_deref().map(parse_user).transpose()?,
            groups: group_add.clone(),
            workdir: workdir.as_deref().map(parse_workdir).transpose()?,
            hostname: hostname.clone(),
            domainname: domainname.clone(),
            labels: labels.collect::<Result<_, _>>()?,
            mounts,
            tmpfs: tmpfs
                .iter()
                .map(|text| mounts::tmpfs(text))
                .collect::<Result<_, _>>()?,
            read_only: *read_only,
            network: parse_network(
                network.as_deref(),
                network_alias,
                ip.as_deref(),
                ip6.as_deref(),
                mac_address.as_deref(),
            )?,
            ports: ports.collect::<Result<Vec<_>, _>>()?.concat(),
            expose: expose
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect(),
            extra_hosts: add_host
                .iter()
                .map(|text| extra_host(text))
                .collect::<Result<_, _>>()?,
            dns: Dns {
                servers: dns
                    .iter()
                    .map(|text| address("dns", text))
                    .collect::<Result<_, _>>()?,
                search: dns_search.clone(),
                options: dns_option.clone(),
            },
            cap_add: capabilities("cap-add", cap_add)?,
            cap_drop: capabilities("cap-drop", cap_drop)?,
            security: parse_security(security_opt)?,
            devices: device
                .iter()
                .map(|text| mounts::device(text))
                .collect::<Result<_, _>>()?,
            device_cgroup_rules: device_cgroup_rule
                .iter()
                .map(|text| device_rule(text))
                .collect::<Result<_, _>>()?,
            gpus: gpus.as_deref().map(parse_gpus).transpose()?,
            sysctls: sysctl
                .iter()
                .map(|text| parse_sysctl(text))
                .collect::<Result<_, _>>()?,
            ulimits: ulimit
                .iter()
                .map(|text| parse_ulimit(text))
                .collect::<Result<_, _>>()?,
            limits: Limits {
                memory: size("memory", memory.as_deref())?,
                memory_swap: match memory_swap.as_deref() {
                    Some("-1") => Some(-1),
                    other => size("memory-swap", other)?,
                },
                memory_reservation: size("memory-reservation", memory_reservation.as_deref())?,
                nano_cpus: cpus.as_deref().map(parse_cpus).transpose()?,
                cpu_shares: *cpu_shares,
                cpuset_cpus: cpuset_cpus.clone(),
                cpuset_mems: cpuset_mems.clone(),
                pids: *pids_limit,
                oom_score_adj: *oom_score_adj,
            },
            shm_size: size("shm-size", shm_size.as_deref())?.and_then(|size| u64::try_from(size).ok()),
            init: *init,
            tty: *tty,
            stop_signal: stop_signal.as_deref().map(parse_signal).transpose()?,
            stop_timeout: *stop_timeout,
            ipc: one_of(
                "ipc",
                ipc.as_deref(),
                &["none", "private", "shareable", "host"],
                true,
            )?,
            pid: one_of("pid", pid.as_deref(), &["host"], true)?,
            uts: one_of("uts", uts.as_deref(), &["host"], false)?,
            userns: one_of("userns", userns.as_deref(), &["host"], false)?,
            cgroupns: one_of("cgroupns", cgroupns.as_deref(), &["host", "private"], false)?,
            runtime: runtime.clone(),
            platform: platform.clone(),
            health: HealthCheck {
                disabled: *no_healthcheck,
                command: health_cmd.clone(),
                interval: duration("health-interval", health_interval.as_deref())?,
                timeout: duration("health-timeout", health_timeout.as_deref())?,
                start_period: duration("health-start-period", health_start_period.as_deref())?,
                retries: *health_retries,
            },
            not_carried: BTreeSet::new(),
        })
    }
}

fn wrong(flag: &'static str, value: &str, problem: impl Into<String>) -> Error {
    Error::Option {
        flag,
        value: value.to_owned(),
        problem: problem.into(),
    }
}

fn parse_user(user: &str) -> Result<String, Error> {
    if user.is_empty() || user.split(':').count() > 2 {
        return Err(wrong("user", user, "expected NAME|UID[:GROUP|GID]"));
    }
    Ok(user.to_owned())
}

fn parse_workdir(workdir: &str) -> Result<String, Error> {
    if !workdir.starts_with('/') {
        return Err(wrong(
            "workdir",
            workdir,
            "expected an absolute path in the container",
        ));
    }
    Ok(workdir.to_owned())
}

/// A size in bytes, above 0.
fn size(flag: &'static str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let value = bytes(text).filter(|&b| b > 0).ok_or_else(|| {
        wrong(
            flag,
            text,
            "expected a size in bytes, or with a unit as 512m or 1.5g",
        )
    })?;
    Ok(Some(value))
}

/// A number of processors, in billionths.
fn parse_cpus(text: &str) -> Result<i64, Error> {
    let bad = || wrong("cpus", text, "expected a number of processors, as 1.5");
    let number: f64 = text.parse().map_err(|_| bad())?;
    // As many as no machine has: what is more cannot be told exactly in billionths.
    if !(number > 0.0 && number <= 1e6) {
        return Err(bad());
    }
    Ok((number * 1e9).round() as i64)
}

/// A signal by name, with or without `SIG`, or by number.
fn parse_signal(text: &str) -> Result<String, Error> {
    if signal::number(text).is_none() {
        return Err(wrong(
            "stop-signal",
            text,
            "expected a signal's name or number, as SIGQUIT",
        ));
    }
    Ok(text.to_owned())
}

/// One of `words`, or `container:NAME` where that may be.
fn one_of(
    flag: &'static str,
    text: Option<&str>,
    words: &[&str],
    containers: bool,
) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    let container = containers
        && text
            .strip_prefix("container:")
            .is_some_and(|name| !name.is_empty());
    if !container && !words.contains(&text) {
        let more = if containers { " or container:NAME" } else { "" };
        return Err(wrong(flag, text, format!("expected {}{more}", words.join(", "))));
    }
    Ok(Some(text.to_owned()))
}

/// A time as Go writes it, in nanoseconds.
///
/// Source: Go `time.ParseDuration`, without signs.
fn duration(flag: &'static str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let bad = || wrong(flag, text, "expected a time as 30s, 1m30s or 500ms");
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let units = [
            ("ms", 1e6),
            ("us", 1e3),
            ("µs", 1e3),
            ("ns", 1.0),
            ("s", 1e9),
            ("m", 6e10),
            ("h", 3.6e12),
        ];
        let (unit, scale) = units
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))
            .ok_or_else(bad)?;
        rest = &rest[unit.len()..];
        total += number * scale;
    }
    // Above 2^53 a float is no longer exact, and nobody waits a hundred days.
    if text.is_empty() || total >= 9e15 {
        return Err(bad());
    }
    Ok(Some(total as i64))
}

/// The names of `--ulimit`, those of setrlimit(2) in small letters.
pub(crate) const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `NAME=SOFT[:HARD]`; -1 is no limit.
///
/// Source: docker/go-units `ParseUlimit`.
fn parse_ulimit(text: &str) -> Result<Ulimit, Error> {
    let bad = || {
        wrong(
            "ulimit",
            text,
            "expected NAME=SOFT[:HARD], as nofile=1024:4096, with a name of getrlimit(2)",
        )
    };
    let (name, limits) = text.split_once('=').ok_or_else(bad)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= -1).ok_or_else(bad);
    let (soft, hard) = (number(soft)?, number(hard)?);
    if !ULIMITS.contains(&name) {
        return Err(bad());
    }
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(wrong("ulimit", text, "the soft limit is above the hard one"));
    }
    Ok(Ulimit {
        name: name.to_owned(),
        soft,
        hard,
    })
}

/// `NAME=VALUE`.
fn parse_sysctl(text: &str) -> Result<(String, String), Error> {
    let bad = || wrong("sysctl", text, "expected NAME=VALUE, as net.core.somaxconn=1024");
    let (name, value) = text.split_once('=').ok_or_else(bad)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    if name.is_empty() || !name.bytes().all(plain) || value.contains(['\0', '\n']) {
        return Err(bad());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `TYPE MAJOR:MINOR ACCESS`, as the device cgroup takes it.
///
/// Source: docker/cli `cli/command/container/opts.go`, `deviceCgroupRuleRegexp`.
fn device_rule(text: &str) -> Result<String, Error> {
    let number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    let access = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b"rwm".contains(&b));
    let parts: Vec<&str> = text.split(' ').collect();
    let valid = match parts[..] {
        [kind, numbers, allowed] => {
            matches!(kind, "a" | "b" | "c")
                && numbers
                    .split_once(':')
                    .is_some_and(|(major, minor)| number(major) && number(minor))
                && access(allowed)
        }
        _ => false,
    };
    if !valid {
        return Err(wrong(
            "device-cgroup-rule",
            text,
            "expected TYPE MAJOR:MINOR ACCESS, as \"c 42:* rmw\"",
        ));
    }
    Ok(text.to_owned())
}

/// `all`, a number, or `KEY=VALUE` fields.
fn parse_gpus(text: &str) -> Result<String, Error> {
    let fields = mounts::csv(text).unwrap_or_default();
    let known = |field: &String| match field.split_once('=') {
        Some((key, value)) => {
            matches!(key, "count" | "device" | "driver" | "capabilities" | "options") && !value.is_empty()
        }
        None => field == "all" || field.parse::<i64>().is_ok(),
    };
    if fields.is_empty() || !fields.iter().all(known) {
        return Err(wrong(
            "gpus",
            text,
            "expected all, a number, or device=ID[,capabilities=…]",
        ));
    }
    Ok(text.to_owned())
}

fn address(flag: &'static str, text: &str) -> Result<String, Error> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(wrong(flag, text, "expected an IP address")),
    }
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

/// `NAME`, or `name=NETWORK,alias=…,ip=…,ip6=…,mac-address=…`, and the options that say the same apart.
fn parse_network(
    network: Option<&str>,
    aliases: &[String],
    ip: Option<&str>,
    ip6: Option<&str>,
    mac: Option<&str>,
) -> Result<Network, Error> {
    let text = network.unwrap_or_default();
    let bad = |problem: &str| wrong("network", text, problem);
    const EXPECTED: &str =
        "expected a network's name, or name=NETWORK[,alias=NAME][,ip=ADDRESS][,ip6=ADDRESS]";
    let mut found = Network::default();
    if let Some(text) = network {
        let mut name = None;
        if text.contains('=') {
            for field in mounts::csv(text).ok_or_else(|| bad(EXPECTED))? {
                match field.split_once('=') {
                    Some(("name", value)) if !value.is_empty() => name = Some(value.to_owned()),
                    Some(("alias", value)) if !value.is_empty() => found.aliases.push(value.to_owned()),
                    Some(("ip", value)) => found.ipv4 = Some(value.parse().map_err(|_| bad(EXPECTED))?),
                    Some(("ip6", value)) => found.ipv6 = Some(value.parse().map_err(|_| bad(EXPECTED))?),
                    Some(("mac-address", value)) if !value.is_empty() => found.mac = Some(parse_mac(value)?),
                    _ => return Err(bad(EXPECTED)),
                }
            }
        } else {
            name = Some(text.to_owned());
        }
        found.mode = match name.as_deref().ok_or_else(|| bad(EXPECTED))? {
            "" | "container:" => {
                return Err(bad(
                    "expected bridge, host, none, container:NAME or a network's name",
                ));
            }
            "default" => NetworkMode::Default,
            "bridge" => NetworkMode::Bridge,
            "host" => NetworkMode::Host,
            "none" => NetworkMode::None,
            name => match name.strip_prefix("container:") {
                Some(container) => NetworkMode::Container(container.to_owned()),
                None => NetworkMode::Named(name.to_owned()),
            },
        };
    }
    found.aliases.extend(aliases.iter().cloned());
    if let Some(text) = ip {
        let wrong = || wrong("ip", text, "expected an IPv4 address");
        found.ipv4 = Some(text.parse().map_err(|_| wrong())?);
    }
    if let Some(text) = ip6 {
        let wrong = || wrong("ip6", text, "expected an IPv6 address");
        found.ipv6 = Some(text.parse().map_err(|_| wrong())?);
    }
    if let Some(text) = mac {
        found.mac = Some(parse_mac(text)?);
    }
    Ok(found)
}

/// Six pairs of hexadecimal digits between colons.
fn parse_mac(text: &str) -> Result<String, Error> {
    let pair = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    if text.split(':').count() != 6 || !text.split(':').all(pair) {
        return Err(wrong(
            "mac-address",
            text,
            "expected six pairs of digits, as 92:d0:c6:0a:29:33",
        ));
    }
    Ok(text.to_owned())
}

/// As the kernel takes it (`__NEW_UTS_LEN`, 64) and RFC 1123 writes it.
fn check_hostname(flag: &'static str, text: &str) -> Result<(), Error> {
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() > 64 || !text.split('.').all(label) {
        return Err(wrong(
            flag,
            text,
            "expected at most 64 letters, digits, hyphens and dots",
        ));
    }
    Ok(())
}

/// Names with or without `CAP_`, in any case, or `ALL`; as `CAP_NAME` or `ALL`.
fn capabilities(flag: &'static str, names: &[String]) -> Result<BTreeSet<String>, Error> {
    names
        .iter()
        .map(|text| {
            if text.eq_ignore_ascii_case("all") {
                return Ok("ALL".to_owned());
            }
            parse_capability(text).map(str::to_owned).ok_or_else(|| {
                wrong(
                    flag,
                    text,
                    "no such capability; expected ALL or a name as NET_ADMIN (capabilities(7))",
                )
            })
        })
        .collect()
}

/// `no-new-privileges`, `seccomp=FILE|unconfined|builtin`, `apparmor=…`, `label=…`, `systempaths=unconfined`. The client reads the
/// seccomp file: the engine takes its text.
///
/// Source: docker/cli `cli/command/container/opts.go`, `parseSecurityOpts`.
fn parse_security(options: &[String]) -> Result<Security, Error> {
    let mut security = Security::default();
    for text in options {
        let (name, value) = match text.split_once(['=', ':']) {
            Some((name, value)) => (name, Some(value)),
            None => (text.as_str(), None),
        };
        match (name, value) {
            ("no-new-privileges", None | Some("true")) => security.no_new_privileges = Some(true),
            ("no-new-privileges", Some("false")) => security.no_new_privileges = Some(false),
            ("label", Some(value)) => security.labels.push(value.to_owned()),
            ("apparmor", Some(value)) => security.apparmor = Some(value.to_owned()),
            ("seccomp", Some("unconfined")) => security.seccomp = SeccompChoice::Unconfined,
            ("seccomp", Some("builtin")) => security.seccomp = SeccompChoice::Builtin,
            ("seccomp", Some(file)) => security.seccomp = SeccompChoice::Profile(seccomp_file(text, file)?),
            ("systempaths", Some("unconfined")) => security.system_paths_unconfined = true,
            _ => {
                return Err(wrong(
                    "security-opt",
                    text,
                    "expected no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, label=… or systempaths=unconfined",
                ));
            }
        }
    }
    Ok(security)
}

fn seccomp_file(option: &str, path: &str) -> Result<serde_json::Value, Error> {
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
    Ok(profile)
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`; the address may be in brackets, or `host-gateway`.
fn extra_host(text: &str) -> Result<HostEntry, Error> {
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
    Ok(HostEntry {
        name: name.to_owned(),
        address: address.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(options: &ContainerOptions) -> Result<ContainerSpec, Error> {
        ContainerSpec::parse(
            options,
            &ParseContext {
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
        let spec = ask(&ContainerOptions::default()).expect("no options");
        assert_eq!(spec, ContainerSpec::default());
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
    fn times() {
        let nanoseconds = |text| duration("health-interval", Some(text)).ok().flatten();
        for (text, value) in [
            ("30s", Some(30_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("500ms", Some(500_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("30", None),
            ("", None),
            ("s", None),
            ("3 s", None),
            ("9999999h", None),
        ] {
            assert_eq!(nanoseconds(text), value, "{text:?}");
        }
    }

    #[test]
    fn limits_of_processes_have_names_and_order() {
        let parse = |text| {
            parse_ulimit(text)
                .ok()
                .map(|limit| (limit.name, limit.soft, limit.hard))
        };
        assert_eq!(parse("nofile=1024:4096"), Some(("nofile".into(), 1024, 4096)));
        assert_eq!(parse("core=-1"), Some(("core".into(), -1, -1)));
        assert_eq!(parse("core=0"), Some(("core".into(), 0, 0)));
        for bad in [
            "nofile",
            "nofile=2:1",
            "files=1",
            "nofile=-2",
            "nofile=-1:5",
            "nofile=a",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_of_a_flag_is_checked_before_anything_runs() {
        let base = ContainerOptions::default;
        for (options, says) in [
            (
                ContainerOptions {
                    stop_signal: Some("SIGNONE".into()),
                    ..base()
                },
                "--stop-signal",
            ),
            (
                ContainerOptions {
                    ipc: Some("mine".into()),
                    ..base()
                },
                "--ipc",
            ),
            (
                ContainerOptions {
                    pid: Some("container:".into()),
                    ..base()
                },
                "--pid",
            ),
            (
                ContainerOptions {
                    uts: Some("private".into()),
                    ..base()
                },
                "--uts",
            ),
            (
                ContainerOptions {
                    cpus: Some("0".into()),
                    ..base()
                },
                "--cpus",
            ),
            (
                ContainerOptions {
                    dns: list(&["example.org"]),
                    ..base()
                },
                "--dns",
            ),
            (
                ContainerOptions {
                    ip: Some("::1".into()),
                    ..base()
                },
                "--ip",
            ),
            (
                ContainerOptions {
                    mac_address: Some("1:2".into()),
                    ..base()
                },
                "--mac-address",
            ),
            (
                ContainerOptions {
                    gpus: Some("some".into()),
                    ..base()
                },
                "--gpus",
            ),
            (
                ContainerOptions {
                    sysctl: list(&["net.core"]),
                    ..base()
                },
                "--sysctl",
            ),
            (
                ContainerOptions {
                    device_cgroup_rule: list(&["c 1"]),
                    ..base()
                },
                "--device-cgroup-rule",
            ),
            (
                ContainerOptions {
                    shm_size: Some("0".into()),
                    ..base()
                },
                "--shm-size",
            ),
            (
                ContainerOptions {
                    expose: list(&["80/icmp"]),
                    ..base()
                },
                "--expose",
            ),
        ] {
            let error = ask(&options).expect_err(says).to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }

    proptest! {
        #[test]
        fn anything_parses_or_not(text in ".*") {
            let _ = bytes(&text);
            let _ = parse_network(Some(&text), &[], None, None, None);
            let _ = extra_host(&text);
            let _ = check_hostname("hostname", &text);
            let _ = duration("health-interval", Some(&text));
            let _ = parse_ulimit(&text);
            let _ = parse_cpus(&text);
            let _ = parse_gpus(&text);
            let _ = device_rule(&text);
            let _ = capabilities("cap-add", std::slice::from_ref(&text));
        }
    }
}
