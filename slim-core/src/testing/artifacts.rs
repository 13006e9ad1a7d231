//! Reads artifacts back, strictly, and compares what they say with the launch that was verified.
//!
//! Every format is read into the options of `docker run` that it stands for. What a reader does not know is a defect of
//! the renderer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::profile::remark;
use crate::spec::shell::line;
use crate::spec::{BindRecursive, LaunchSpec, Mount, MountSource};

/// The formats that start something.
pub const STARTING: [&str; 5] = ["run.sh", "compose", "podman", "k8s-security-context", "systemd"];

/// An option of `docker run`: its name and, unless it is a flag, its value. The command is one named [`COMMAND`].
pub type Words = Vec<String>;

/// The name of the command among the options.
pub const COMMAND: &str = "the command";

/// An artifact, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The image.
    pub image: String,
    /// The options.
    pub options: BTreeSet<Words>,
    /// The comments.
    pub remarks: Vec<String>,
}

impl Read {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        self.options.insert(vec![format!("--{name}"), value.into()]);
    }

    fn add_flag(&mut self, name: &str) {
        self.options.insert(vec![format!("--{name}")]);
    }

    fn add_command(&mut self, words: impl IntoIterator<Item = String>) {
        let words = [COMMAND.to_owned()].into_iter().chain(words);
        self.options.insert(words.collect());
    }
}

/// A row of docs/formats.md: the options that a format cannot say, by name.
#[derive(Clone, Debug, Default)]
pub struct Documented {
    /// Options that are left out.
    pub not_carried: BTreeSet<String>,
    /// Options that others stand for.
    pub replaced: BTreeSet<String>,
    /// Options that the launch does not have.
    pub added: BTreeSet<String>,
}

/// Returns the table of docs/formats.md, by format.
pub fn documented(text: &str) -> BTreeMap<String, Documented> {
    let mut table = BTreeMap::new();
    let rows = text
        .split("\n## ")
        .find(|section| section.starts_with("The verified launch\n"));
    for row in rows
        .unwrap_or_default()
        .lines()
        .filter(|row| row.starts_with("| `"))
    {
        let cells: Vec<BTreeSet<String>> = row
            .split('|')
            .map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect())
            .collect();
        if let [_, format, not_carried, replaced, added, _] = cells.as_slice() {
            let documented = Documented {
                not_carried: not_carried.clone(),
                replaced: replaced.clone(),
                added: added.clone(),
            };
            table.extend(format.iter().map(|format| (format.clone(), documented.clone())));
        }
    }
    table
}

/// Returns how an option is named in docs/formats.md.
pub fn name_of(option: &[String]) -> String {
    match option {
        [name, value, ..] if name == "--security-opt" => {
            let key = value.split(['=', ':']).next().unwrap_or(value);
            format!("{name} {key}")
        }
        [name, ..] => name.clone(),
        [] => String::new(),
    }
}

/// Returns the options that start `launch`, of an image whose own user is `image_user`.
pub fn expected(format: &str, launch: &LaunchSpec, image_user: &str) -> BTreeSet<Words> {
    let container = launch.to_container();
    let mut expected = Read {
        options: container.to_words().into_iter().collect(),
        ..Read::default()
    };
    if launch.seccomp {
        expected.add("security-opt", "seccomp=seccomp.json");
    }
    if let Some(name) = &launch.apparmor {
        expected.add("security-opt", format!("apparmor={name}"));
    }
    // Formats that do not start the image itself name its user.
    let names_user = matches!(format, "k8s-security-context" | "systemd");
    if names_user && container.user.is_none() && !image_user.is_empty() {
        expected.add("user", image_user);
    }
    if !container.command.is_empty() {
        expected.add_command(container.command);
    }
    expected.options
}

/// Returns where an artifact differs from the launch without a remark of its own and a word in docs/formats.md: nothing
/// if it says exactly the launch.
pub fn problems(
    format: &str,
    text: &str,
    launch: &LaunchSpec,
    image_user: &str,
    documented: &Documented,
) -> Vec<String> {
    let read = match read(format, text) {
        Ok(read) => read,
        Err(error) => return vec![format!("{format} cannot be read: {error}")],
    };
    let expected = expected(format, launch, image_user);
    let canonical: BTreeMap<Words, &Words> = read
        .options
        .iter()
        .map(|option| (canonical(format, option), option))
        .collect();
    let has = |remark: String| read.remarks.contains(&line(&remark));
    let mut problems = Vec::new();
    let mut stand_for_others = BTreeSet::new();
    for option in &expected {
        let (text, name) = (option.join(" "), name_of(option));
        let not_carried = has(remark::not_carried(&text));
        let by = read
            .options
            .iter()
            .find(|by| has(remark::replaced(&text, &by.join(" "))));
        let said = canonical.contains_key(&self::canonical(format, option));
        match (said, by, not_carried) {
            (true, None, false) => {}
            (false, Some(by), false) if documented.replaced.contains(&name) => {
                stand_for_others.insert(by);
            }
            (false, None, true) if documented.not_carried.contains(&name) => {}
            (false, None, false) => problems.push(format!("{format} does not say {text}")),
            (true, ..) => problems.push(format!("{format} says {text}, and remarks that it does not")),
            (false, ..) => problems.push(format!(
                "{format} does not say {text}, which docs/formats.md does not know of"
            )),
        }
    }
    for option in &launch.container.not_carried {
        if !has(remark::not_carried(option)) {
            problems.push(format!("{format} does not remark on {option}"));
        }
    }
    let expected: BTreeSet<Words> = expected
        .iter()
        .map(|option| self::canonical(format, option))
        .collect();
    for (canonical, option) in &canonical {
        let known = expected.contains(canonical)
            || stand_for_others.contains(option)
            || documented.added.contains(&name_of(option));
        if !known {
            problems.push(format!("{format} adds {}", option.join(" ")));
        }
    }
    problems
}

/// Returns an option in the one form that stands for all that mean the same.
fn canonical(format: &str, option: &[String]) -> Words {
    match option {
        [name, value] if name == "--tmpfs" && format == "systemd" => {
            let (target, options) = value.split_once(':').unwrap_or((value, ""));
            // systemd's own defaults are others, so the drop-in has those of Docker in words.
            let defaults = ["", "nosuid", "nodev", "noexec", "mode=1777", "size=50%"];
            let options: BTreeSet<&str> = options
                .split(',')
                .filter(|option| !defaults.contains(option))
                .collect();
            vec![
                name.clone(),
                format!("{target}:{}", Vec::from_iter(options).join(",")),
            ]
        }
        other => other.to_vec(),
    }
}

/// Reads an artifact.
///
/// # Errors
/// The part that its reader does not know.
pub fn read(format: &str, text: &str) -> Result<Read, String> {
    let mut read = match format {
        "run.sh" => run_sh(text)?,
        "compose" => compose(text)?,
        "podman" => podman(text)?,
        "k8s-security-context" => kubernetes(text)?,
        "systemd" => systemd(text)?,
        other => return Err(format!("{other} starts nothing")),
    };
    let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    read.remarks = comments.map(str::to_owned).collect();
    Ok(read)
}

/// The script as a shell runs it on a host that has loaded the AppArmor profile, with a client that prints its words.
fn run_sh(text: &str) -> Result<Read, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = directory.path().join("run.sh");
    let write = |path: &Path, text: &str| std::fs::write(path, text).map_err(|error| error.to_string());
    write(&script, text)?;
    // The client is a shell: `run`, the first of its words, is a script beside it.
    write(&directory.path().join("run"), "printf '%s\\0' \"$@\"\n")?;
    let output = Command::new("sh")
        .args(["-c", "grep() { return 0; }; . \"$0\""])
        .arg(&script)
        .env("DOCKER", "sh")
        .env_remove("IMAGE")
        .current_dir(directory.path())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let mut words = text.split_terminator('\0').map(str::to_owned);
    let own = format!("seccomp={}/seccomp.json", directory.path().display());
    let mut read = Read::default();
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            read.image = word;
            break;
        }
        let option = docker_option(word, &mut words)?;
        let is_own = option.get(1) == Some(&own);
        if is_own {
            read.add("security-opt", "seccomp=seccomp.json");
        } else {
            read.options.insert(option);
        }
    }
    let command: Vec<String> = words.collect();
    if !command.is_empty() {
        read.add_command(command);
    }
    Ok(read)
}

/// An option whose name is `name`, with its value from `words` unless it is a flag.
fn docker_option(name: String, words: &mut impl Iterator<Item = String>) -> Result<Words, String> {
    if crate::spec::is_flag(&name) {
        return Ok(vec![name]);
    }
    let value = words.next().ok_or(format!("{name} has no value"))?;
    Ok(vec![name, value])
}

/// The settings of a unit file by section.
fn unit(text: &str) -> Result<Vec<(&str, &str, &str)>, String> {
    let mut settings = Vec::new();
    let mut section = "";
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(format!("no setting: {line:?}"))?;
        if value.ends_with('\\') {
            return Err(format!("it goes on in the next line: {line:?}"));
        }
        settings.push((section, key, value));
    }
    Ok(settings)
}

/// The words of a setting as systemd reads them (systemd.syntax(7)); `command` where it knows the escapes of C, and `$`
/// for variables.
fn unit_words(value: &str, command: bool) -> Result<Vec<String>, String> {
    let wrong = || format!("not a list of words: {value:?}");
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quoted = false;
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        let mut meant = c;
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
                continue;
            }
            ' ' if !quoted => {
                words.extend(word.take());
                continue;
            }
            '\'' if !quoted => return Err(wrong()),
            '\\' => {
                meant = chars.next().ok_or_else(wrong)?;
                if meant == 'x' && command {
                    let hex: String = chars.by_ref().take(2).collect();
                    let byte = u8::from_str_radix(&hex, 16).map_err(|_| wrong())?;
                    word.get_or_insert_default().push(byte);
                    continue;
                }
                if !matches!(meant, '"' | '\\') {
                    return Err(wrong());
                }
            }
            '%' if chars.next() != Some('%') => return Err(wrong()),
            '$' if command && chars.next() != Some('$') => return Err(wrong()),
            _ => {}
        }
        let mut bytes = [0; 4];
        word.get_or_insert_default()
            .extend(meant.encode_utf8(&mut bytes).bytes());
    }
    words.extend(word);
    if quoted {
        return Err(wrong());
    }
    let words = words.into_iter().map(String::from_utf8);
    words.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn podman(text: &str) -> Result<Read, String> {
    let mut read = Read::default();
    for (section, key, value) in unit(text)? {
        match (section, key) {
            ("Container", "Image") => read.image = unit_words(value, true)?.concat(),
            ("Container", "SeccompProfile") if value.ends_with("/seccomp.json") => {
                read.add("security-opt", "seccomp=seccomp.json");
            }
            ("Container", "PodmanArgs") => {
                let mut words = unit_words(value, true)?.into_iter();
                let name = words.next().ok_or("PodmanArgs= has no words")?;
                read.options.insert(docker_option(name, &mut words)?);
                if words.next().is_some() {
                    return Err(format!("two options: {value}"));
                }
            }
            ("Container", "Exec") => read.add_command(unit_words(value, true)?),
            ("Install", "WantedBy") => {}
            _ => return Err(format!("[{section}] {key}={value}")),
        }
    }
    Ok(read)
}

/// Settings that forbid what the application does not do, beside the launch's options.
const HARDENING: [&str; 17] = [
    "ExecPaths",
    "LockPersonality",
    "NoExecPaths",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ReadWritePaths",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "Group",
    "ReadOnlyPaths",
];

fn systemd(text: &str) -> Result<Read, String> {
    let mut read = Read::default();
    let settings = unit(text)?;
    let group = settings
        .iter()
        .find(|(_, key, _)| *key == "Group")
        .map(|(_, _, value)| *value);
    for &(section, key, value) in &settings {
        if section != "Service" {
            return Err(format!("[{section}] {key}={value}"));
        }
        if let Some(limit) = key.strip_prefix("Limit") {
            let value = value.replace("infinity", "-1");
            read.add("ulimit", format!("{}={value}", limit.to_lowercase()));
            continue;
        }
        match key {
            "SystemCallFilter" => read.add("security-opt", "seccomp=seccomp.json"),
            "CapabilityBoundingSet" => {
                read.add("cap-drop", "ALL");
                for name in value.split_whitespace() {
                    read.add("cap-add", name.strip_prefix("CAP_").ok_or(name)?);
                }
            }
            "NoNewPrivileges" if value == "yes" => read.add("security-opt", "no-new-privileges"),
            "AppArmorProfile" => {
                let name = value.strip_prefix('-').ok_or("a profile that must be there")?;
                read.add("security-opt", format!("apparmor={name}"));
            }
            "User" => {
                let group = group.map_or(String::new(), |group| format!(":{group}"));
                read.add("user", format!("{value}{group}"));
            }
            "SupplementaryGroups" => {
                for group in value.split(' ') {
                    read.add("group-add", group);
                }
            }
            "TemporaryFileSystem" => {
                let words = unit_words(value, false)?;
                let [text] = words.as_slice() else {
                    return Err(format!("{key}={value}"));
                };
                let (target, options) = text.split_once(':').ok_or(value)?;
                let exec = options.split(',').all(|option| option != "noexec");
                read.add(
                    "tmpfs",
                    format!("{target}:{options}{}", if exec { ",exec" } else { "" }),
                );
            }
            "ReadOnlyPaths" if value == "/" => read.add_flag("read-only"),
            "PassEnvironment" => read.add("env", value),
            "WorkingDirectory" => read.add("workdir", value),
            "KillSignal" => read.add("stop-signal", value),
            "TimeoutStopSec" => read.add("stop-timeout", value),
            "OOMScoreAdjust" => read.add("oom-score-adj", value),
            "AllowedCPUs" => read.add("cpuset-cpus", value),
            "AllowedMemoryNodes" => read.add("cpuset-mems", value),
            "MemoryMax" => read.add("memory", value),
            "TasksMax" => read.add("pids-limit", value.replace("infinity", "-1")),
            "PrivateNetwork" => read.add("network", if value == "yes" { "none" } else { "host" }),
            "CPUQuota" => {
                let percent = value.strip_suffix('%').ok_or(value)?;
                let (whole, part) = percent.split_once('.').ok_or(value)?;
                let number: i64 = format!("{whole}{part}").parse().map_err(|_| value)?;
                read.add("cpus", cpus(number, 10_000));
            }
            key if HARDENING.contains(&key) => {}
            _ => return Err(format!("{key}={value}")),
        }
    }
    Ok(read)
}

/// `number` parts of a processor, `whole` of which are one, as `--cpus` takes it.
fn cpus(number: i64, whole: i64) -> String {
    let part = format!("{:09}", number % whole * (1_000_000_000 / whole));
    let part = part.trim_end_matches('0');
    let dot = if part.is_empty() { "" } else { "." };
    format!("{}{dot}{part}", number / whole)
}

/// A map of YAML whose keys are taken one by one; what is left over is an error.
struct Fields {
    what: String,
    fields: Map<String, Value>,
}

impl Fields {
    fn new(what: impl Into<String>, value: Value) -> Result<Self, String> {
        let what = what.into();
        match value {
            Value::Object(fields) => Ok(Self { what, fields }),
            other => Err(format!("{what} is no map: {other}")),
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.fields.remove(key)
    }

    fn map(&mut self, key: &str) -> Result<Option<Self>, String> {
        self.take(key).map(|value| Self::new(key, value)).transpose()
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        self.take(key).map(text).transpose()
    }

    fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        self.list(key)?.into_iter().map(text).collect()
    }

    fn list(&mut self, key: &str) -> Result<Vec<Value>, String> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(format!("{key} is no list: {other}")),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool, String> {
        match self.take(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(format!("{key} is no boolean: {other}")),
        }
    }

    fn end(self) -> Result<(), String> {
        if self.fields.is_empty() {
            Ok(())
        } else {
            Err(format!("{} has unknown keys: {:?}", self.what, self.fields))
        }
    }
}

/// A text or a number as a text.
fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("no text: {other}")),
    }
}

fn document(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// Every text in `value` with `$$` as `$`; an error where a variable would be put in.
fn without_variables(value: Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => {
            if text.replace("$$", "").contains('$') {
                return Err(format!("a variable in {text:?}"));
            }
            Value::String(text.replace("$$", "$"))
        }
        Value::Array(items) => Value::Array(
            items
                .into_iter()
                .map(without_variables)
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| Ok((key, without_variables(value)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other,
    })
}

fn compose(yaml: &str) -> Result<Read, String> {
    let mut file = Fields::new("the file", without_variables(document(yaml)?)?)?;
    let mut services = file.map("services")?.ok_or("no services")?.fields.into_iter();
    let (Some((name, service)), None) = (services.next(), services.next()) else {
        return Err("not one service".to_owned());
    };
    let volumes = file
        .map("volumes")?
        .map(|volumes| volumes.fields)
        .unwrap_or_default();
    let networks = file.map("networks")?;
    file.end()?;
    let mut service = Fields::new(name, service)?;
    let mut read = Read {
        image: service.text("image")?.ok_or("no image")?,
        ..Read::default()
    };
    for (key, option) in [
        ("user", "user"),
        ("working_dir", "workdir"),
        ("hostname", "hostname"),
        ("domainname", "domainname"),
        ("stop_signal", "stop-signal"),
        ("ipc", "ipc"),
        ("pid", "pid"),
        ("uts", "uts"),
        ("userns_mode", "userns"),
        ("cgroup", "cgroupns"),
        ("runtime", "runtime"),
        ("platform", "platform"),
        ("gpus", "gpus"),
        ("mac_address", "mac-address"),
        ("network_mode", "network"),
        ("mem_limit", "memory"),
        ("memswap_limit", "memory-swap"),
        ("mem_reservation", "memory-reservation"),
        ("cpu_shares", "cpu-shares"),
        ("pids_limit", "pids-limit"),
        ("oom_score_adj", "oom-score-adj"),
        ("cpuset", "cpuset-cpus"),
        ("shm_size", "shm-size"),
    ] {
        if let Some(value) = service.text(key)? {
            read.add(option, value);
        }
    }
    for (key, option) in [
        ("entrypoint", "entrypoint"),
        ("group_add", "group-add"),
        ("environment", "env"),
        ("labels", "label"),
        ("ports", "publish"),
        ("expose", "expose"),
        ("extra_hosts", "add-host"),
        ("dns", "dns"),
        ("dns_search", "dns-search"),
        ("dns_opt", "dns-option"),
        ("cap_drop", "cap-drop"),
        ("cap_add", "cap-add"),
        ("devices", "device"),
        ("device_cgroup_rules", "device-cgroup-rule"),
        ("tmpfs", "tmpfs"),
    ] {
        for value in service.texts(key)? {
            read.add(option, value);
        }
    }
    for (key, option) in [("read_only", "read-only"), ("init", "init"), ("tty", "tty")] {
        if service.flag(key)? {
            read.add_flag(option);
        }
    }
    for value in service.texts("security_opt")? {
        let value = match value.split_once(':') {
            Some(("no-new-privileges", "true")) => "no-new-privileges".to_owned(),
            Some(("seccomp", file)) => format!("seccomp={}", file.strip_prefix("./").ok_or(file)?),
            Some((key @ ("label" | "apparmor"), value)) => format!("{key}={value}"),
            None if value == "systempaths=unconfined" => value,
            _ => return Err(value),
        };
        read.add("security-opt", value);
    }
    let command = service.texts("command")?;
    if !command.is_empty() {
        read.add_command(command);
    }
    if let Some(Value::Number(number)) = service.take("cpus") {
        let nano = number.as_f64().ok_or("cpus is no number")? * 1e9;
        read.add("cpus", cpus(nano.round() as i64, 1_000_000_000));
    }
    if let Some(time) = service.text("stop_grace_period")? {
        read.add("stop-timeout", time.strip_suffix('s').ok_or(time.clone())?);
    }
    if let Some(map) = service.map("sysctls")? {
        for (name, value) in map.fields {
            read.add("sysctl", format!("{name}={}", text(value)?));
        }
    }
    if let Some(map) = service.map("ulimits")? {
        for (name, value) in map.fields {
            let mut limit = Fields::new(&name, value)?;
            let (soft, hard) = (limit.text("soft")?, limit.text("hard")?);
            read.add(
                "ulimit",
                format!("{name}={}:{}", soft.ok_or("no soft")?, hard.ok_or("no hard")?),
            );
            limit.end()?;
        }
    }
    if let Some(check) = service.map("healthcheck")? {
        health(&mut read, check)?;
    }
    for mount in service.list("volumes")? {
        let (option, value) = match mount {
            Value::String(short) => ("volume", short),
            long => compose_mount(Fields::new("a mount", long)?, &volumes)?.to_words(),
        };
        read.add(option, value);
    }
    let mut settings = service.map("networks")?;
    if let Some(mut networks) = networks {
        let mut network = networks.map("default")?.ok_or("no default network")?;
        read.add("network", network.text("name")?.ok_or("a network without name")?);
        if !network.flag("external")? {
            return Err("a network that Compose makes".to_owned());
        }
        network.end()?;
        networks.end()?;
    }
    if let Some(settings) = &mut settings {
        let mut own = settings.map("default")?.ok_or("no settings of the network")?;
        for alias in own.texts("aliases")? {
            read.add("network-alias", alias);
        }
        for (key, option) in [("ipv4_address", "ip"), ("ipv6_address", "ip6")] {
            if let Some(address) = own.text(key)? {
                read.add(option, address);
            }
        }
        own.end()?;
    }
    service.end()?;
    Ok(read)
}

fn health(read: &mut Read, mut check: Fields) -> Result<(), String> {
    if check.flag("disable")? {
        read.add_flag("no-healthcheck");
    }
    match check.texts("test")?.as_slice() {
        [] => {}
        [kind, command] if kind == "CMD-SHELL" => read.add("health-cmd", command),
        other => return Err(format!("{other:?}")),
    }
    for (key, option) in [
        ("interval", "health-interval"),
        ("timeout", "health-timeout"),
        ("start_period", "health-start-period"),
    ] {
        if let Some(time) = check.text(key)? {
            let units = [("us", 1e3), ("ms", 1e6), ("s", 1e9)];
            let read_as = |(unit, factor): (&str, f64)| {
                let number: f64 = time.strip_suffix(unit)?.parse().ok()?;
                Some((number * factor).round() as i64)
            };
            let nanoseconds = units.into_iter().find_map(read_as).ok_or(time.clone())?;
            read.add(option, format!("{nanoseconds}ns"));
        }
    }
    if let Some(retries) = check.text("retries")? {
        read.add("health-retries", retries);
    }
    check.end()
}

/// A mount in the long form.
fn compose_mount(mut mount: Fields, volumes: &Map<String, Value>) -> Result<Mount, String> {
    let number = |fields: &mut Option<Fields>, key: &str| -> Result<Option<u64>, String> {
        let value = fields.as_mut().and_then(|fields| fields.take(key));
        Ok(value.map(|value| value.as_u64().ok_or(key)).transpose()?)
    };
    let source = mount.text("source")?;
    let kind = mount.text("type")?.ok_or("a mount without a type")?;
    let mut bind = mount.map("bind")?;
    let mut volume = mount.map("volume")?;
    let mut tmpfs = mount.map("tmpfs")?;
    let text = |fields: &mut Option<Fields>, key: &str| match fields {
        Some(fields) => fields.text(key),
        None => Ok(None),
    };
    let result = match kind.as_str() {
        "bind" => MountSource::Bind {
            source: source.ok_or("a bind mount without source")?,
            create: false,
            propagation: text(&mut bind, "propagation")?,
            recursive: match text(&mut bind, "recursive")?.as_deref() {
                None => None,
                Some("disabled") => Some(BindRecursive::Disabled),
                Some("writable") => Some(BindRecursive::Writable),
                Some("readonly") => Some(BindRecursive::Readonly),
                Some(other) => return Err(other.to_owned()),
            },
            relabel: None,
        },
        "volume" => {
            let declared = source.as_ref().map(|name| {
                let declared = volumes
                    .get(name)
                    .cloned()
                    .ok_or(format!("{name} is not declared"))?;
                Fields::new(name, declared)
            });
            let mut declared = declared.transpose()?;
            if text(&mut declared, "name")? != source {
                return Err(format!("{source:?} has another name"));
            }
            let mut map = |key: &str| -> Result<BTreeMap<String, String>, String> {
                let Some(fields) = &mut declared else {
                    return Ok(BTreeMap::new());
                };
                let map = fields.map(key)?.map(|map| map.fields).unwrap_or_default();
                map.into_iter()
                    .map(|(name, value)| Ok((name, self::text(value)?)))
                    .collect()
            };
            let (labels, driver_options) = (map("labels")?, map("driver_opts")?);
            let driver = text(&mut declared, "driver")?;
            declared.map_or(Ok(()), Fields::end)?;
            MountSource::Volume {
                name: source,
                no_copy: match &mut volume {
                    Some(volume) => volume.flag("nocopy")?,
                    None => false,
                },
                subpath: text(&mut volume, "subpath")?,
                labels,
                driver,
                driver_options,
                relabel: None,
            }
        }
        "tmpfs" => MountSource::Tmpfs {
            size: number(&mut tmpfs, "size")?,
            mode: number(&mut tmpfs, "mode")?.and_then(|mode| u32::try_from(mode).ok()),
        },
        other => return Err(other.to_owned()),
    };
    for fields in [bind, volume, tmpfs].into_iter().flatten() {
        fields.end()?;
    }
    let target = mount.text("target")?.ok_or("a mount without target")?;
    let (read_only, consistency) = (mount.flag("read_only")?, mount.text("consistency")?);
    mount.end()?;
    Ok(Mount {
        target,
        source: result,
        read_only,
        consistency,
    })
}

fn kubernetes(yaml: &str) -> Result<Read, String> {
    let mut spec = Fields::new("the patch", document(yaml)?)?;
    for key in ["spec", "template", "spec"] {
        let inner = spec.map(key)?.ok_or(key)?;
        spec.end()?;
        spec = inner;
    }
    let mut read = Read::default();
    let mut container = match spec.list("containers")?.as_slice() {
        [container] => Fields::new("the container", container.clone())?,
        _ => return Err("not one container".to_owned()),
    };
    container.take("name");
    pod_security(
        &mut read,
        spec.map("securityContext")?.ok_or("no securityContext")?,
    )?;
    container_security(
        &mut read,
        container.map("securityContext")?.ok_or("no securityContext")?,
    )?;
    for (key, option) in [
        ("hostNetwork", "network"),
        ("hostPID", "pid"),
        ("hostIPC", "ipc"),
        ("hostUsers", "userns"),
    ] {
        if spec.flag(key)? {
            read.add(option, "host");
        }
    }
    let literal = |word: String| -> Result<String, String> {
        if word.replace("$$", "").contains('$') {
            return Err(format!("a variable in {word:?}"));
        }
        Ok(word.replace("$$", "$"))
    };
    for word in container.texts("command")? {
        read.add("entrypoint", literal(word)?);
    }
    let args: Vec<String> = container.texts("args")?;
    if !args.is_empty() {
        read.add_command(args.into_iter().map(literal).collect::<Result<Vec<_>, _>>()?);
    }
    if let Some(directory) = container.text("workingDir")? {
        read.add("workdir", directory);
    }
    if container.flag("tty")? {
        read.add_flag("tty");
    }
    if let Some(seconds) = spec.text("terminationGracePeriodSeconds")? {
        read.add("stop-timeout", seconds);
    }
    if let Some(name) = spec.text("hostname")? {
        read.add("hostname", name);
    }
    for alias in spec.list("hostAliases")? {
        let mut alias = Fields::new("an alias", alias)?;
        let address = alias.text("ip")?.ok_or("no ip")?;
        for name in alias.texts("hostnames")? {
            read.add("add-host", format!("{name}:{address}"));
        }
        alias.end()?;
    }
    if let Some(mut dns) = spec.map("dnsConfig")? {
        if spec.text("dnsPolicy")?.as_deref() != Some("None") {
            return Err("the cluster's name servers are added".to_owned());
        }
        for (key, option) in [("nameservers", "dns"), ("searches", "dns-search")] {
            for value in dns.texts(key)? {
                read.add(option, value);
            }
        }
        for option in dns.list("options")? {
            let mut option = Fields::new("an option", option)?;
            let name = option.text("name")?.ok_or("no name")?;
            let value = option
                .text("value")?
                .map_or(String::new(), |value| format!(":{value}"));
            read.add("dns-option", format!("{name}{value}"));
            option.end()?;
        }
        dns.end()?;
    }
    if let Some(mut resources) = container.map("resources")? {
        let mut limits = resources.map("limits")?.ok_or("no limits")?;
        if let Some(bytes) = limits.text("memory")? {
            read.add("memory", bytes);
        }
        if let Some(milli) = limits.text("cpu")? {
            let milli = milli.strip_suffix('m').and_then(|milli| milli.parse().ok());
            read.add("cpus", cpus(milli.ok_or("no thousandths")?, 1000));
        }
        limits.end()?;
        resources.end()?;
    }
    volumes(&mut read, spec.list("volumes")?, container.list("volumeMounts")?)?;
    container.end()?;
    spec.end()?;
    Ok(read)
}

fn pod_security(read: &mut Read, mut security: Fields) -> Result<(), String> {
    for sysctl in security.list("sysctls")? {
        let mut sysctl = Fields::new("a sysctl", sysctl)?;
        let (name, value) = (sysctl.text("name")?, sysctl.text("value")?);
        read.add(
            "sysctl",
            format!("{}={}", name.ok_or("no name")?, value.ok_or("no value")?),
        );
        sysctl.end()?;
    }
    for group in security.texts("supplementalGroups")? {
        read.add("group-add", group);
    }
    let not_root = security.take("runAsNonRoot");
    if let Some(uid) = security.text("runAsUser")? {
        if not_root != Some(Value::Bool(uid != "0")) {
            return Err(format!("runAsNonRoot is {not_root:?} for user {uid}"));
        }
        let group = security
            .text("runAsGroup")?
            .map_or(String::new(), |gid| format!(":{gid}"));
        read.add("user", format!("{uid}{group}"));
    }
    if let Some(mut profile) = security.map("seccompProfile")? {
        let name = profile.text("localhostProfile")?.ok_or("no profile")?;
        if profile.text("type")?.as_deref() != Some("Localhost") || !name.starts_with("operator/slim-") {
            return Err(name);
        }
        read.add("security-opt", "seccomp=seccomp.json");
        profile.end()?;
    }
    if let Some(mut profile) = security.map("appArmorProfile")? {
        let name = profile.text("localhostProfile")?.ok_or("no profile")?;
        if profile.text("type")?.as_deref() != Some("Localhost") {
            return Err(name);
        }
        read.add("security-opt", format!("apparmor={name}"));
        profile.end()?;
    }
    security.end()
}

fn container_security(read: &mut Read, mut security: Fields) -> Result<(), String> {
    if !security.flag("allowPrivilegeEscalation")? {
        read.add("security-opt", "no-new-privileges");
    }
    if security.flag("privileged")? {
        read.add_flag("privileged");
    }
    if security.flag("readOnlyRootFilesystem")? {
        read.add_flag("read-only");
    }
    let mut capabilities = security.map("capabilities")?.ok_or("no capabilities")?;
    for (key, option) in [("drop", "cap-drop"), ("add", "cap-add")] {
        for name in capabilities.texts(key)? {
            read.add(option, name);
        }
    }
    capabilities.end()?;
    security.end()
}

/// Directories in memory: `/dev/shm`, and memory file systems that are root's, with mode 777.
fn volumes(read: &mut Read, volumes: Vec<Value>, mounts: Vec<Value>) -> Result<(), String> {
    let mut directories = BTreeMap::new();
    for volume in volumes {
        let mut volume = Fields::new("a volume", volume)?;
        let mut directory = volume.map("emptyDir")?.ok_or("another volume than emptyDir")?;
        if directory.text("medium")?.as_deref() != Some("Memory") {
            return Err("a directory on the disk".to_owned());
        }
        directories.insert(volume.text("name")?, directory.text("sizeLimit")?);
        directory.end()?;
        volume.end()?;
    }
    for mount in mounts {
        let mut mount = Fields::new("a mount", mount)?;
        let path = mount.text("mountPath")?.ok_or("no path")?;
        match directories.remove(&mount.text("name")?) {
            Some(Some(size)) if path == "/dev/shm" => read.add("shm-size", size),
            Some(None) => read.add("tmpfs", format!("{path}:mode=777,exec")),
            _ => return Err(format!("{path} has no volume")),
        }
        mount.end()?;
    }
    if directories.is_empty() {
        Ok(())
    } else {
        Err(format!("volumes that are not mounted: {directories:?}"))
    }
}
