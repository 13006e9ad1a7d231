//! A service for Docker Compose.
//!
//! Source: the Compose specification. A `$` is doubled, since Compose puts variables in.

use serde_json::{Map, Value, json};

use super::given::{Changed, facts, recorded_command, recorded_options, unprivileged_port, values};
use super::kubernetes::{container_name, with_headroom};
use super::{AppArmor, Artifact, Context, Error, Seccomp, yaml};

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
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", plan.reference),
            format!(
                "It reads {} beside it; where the host has AppArmor, load {} first.",
                Seccomp.file_name(),
                AppArmor.file_name()
            ),
        ];
        for path in &plan.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        let mut service = Map::new();
        let mut set = |key: &str, mut value: Value| {
            // Compose takes no item of a list twice; in a command each word counts.
            if let Some(list) = value.as_array_mut().filter(|_| key != "command") {
                *list = distinct(std::mem::take(list));
            }
            let empty =
                value.as_array().is_some_and(Vec::is_empty) || value.as_str().is_some_and(str::is_empty);
            if !empty {
                service.insert(key.to_owned(), value);
            }
        };
        let facts = facts(context.recording);
        let own = facts.map(recorded_options).unwrap_or_default();
        let last = |name: &str| values(&own, name).last().map_or("", |value| value).to_owned();
        set("image", json!(context.image_name()));
        let entrypoint = last("--entrypoint");
        if !entrypoint.is_empty() {
            set("entrypoint", json!([entrypoint]));
        }
        let command = facts.map(|facts| recorded_command(facts, &own, &context.image.config));
        set("command", json!(command.unwrap_or_default()));
        for (option, key) in [
            ("--user", "user"),
            ("--workdir", "working_dir"),
            ("--hostname", "hostname"),
        ] {
            set(key, json!(last(option)));
        }
        for (option, key) in [
            ("--env", "environment"),
            ("--publish", "ports"),
            ("--add-host", "extra_hosts"),
            ("--label", "labels"),
        ] {
            set(key, json!(values(&own, option)));
        }

        set("cap_drop", json!(["ALL"]));
        let names = plan
            .capabilities
            .iter()
            .map(|c| c.name.trim_start_matches("CAP_"));
        set("cap_add", names.collect());
        let mut security = vec![
            format!("seccomp:./{}", Seccomp.file_name()),
            format!("apparmor:{}", context.profile_name()),
        ];
        if plan.privilege_gain.is_empty() {
            security.insert(0, "no-new-privileges:true".to_owned());
        }
        security.extend(values(&own, "--security-opt").into_iter().map(str::to_owned));
        set("security_opt", json!(security));

        let mut tmpfs: Vec<String> = values(&own, "--tmpfs").into_iter().map(str::to_owned).collect();
        let memory = Changed::of(context).in_memory(context);
        if memory.is_some() || own.iter().any(|option| option[0] == "--read-only") {
            set("read_only", json!(true));
        }
        for (path, owner) in memory.into_iter().flatten() {
            match std::str::from_utf8(path.as_bytes()) {
                Ok(path) if !path.contains([':', ',']) => tmpfs.push(format!("{path}:{}", owner.options())),
                _ => comments.push(format!(
                    "Mount a tmpfs at {path}: its name cannot be written here."
                )),
            }
        }
        set("tmpfs", json!(tmpfs));
        if let Some(port) = unprivileged_port(context) {
            set(
                "sysctls",
                json!({"net.ipv4.ip_unprivileged_port_start": port.to_string()}),
            );
        }
        let peaks = context.recording.peaks();
        let headroom = context.options.headroom;
        let limit = last("--memory");
        if !limit.is_empty() {
            set("mem_limit", json!(limit));
        } else if let Some(memory) = peaks.memory {
            let mebibytes = with_headroom(memory, headroom).div_ceil(1 << 20).max(6);
            set("mem_limit", json!(format!("{mebibytes}m")));
        }
        if let Some(pids) = peaks.pids {
            set("pids_limit", json!(with_headroom(pids.max(1), headroom)));
        }
        if peaks.memory.is_some() || peaks.pids.is_some() {
            comments.push(format!(
                "Limits are the highest recorded peaks and {headroom} percent."
            ));
        }

        let mut document = Map::new();
        let mounts = mounts(&own, &mut comments);
        let network = last("--network");
        set("volumes", json!(mounts.list));
        match network.as_str() {
            "" => {}
            "bridge" | "host" | "none" => set("network_mode", json!(network)),
            name if name.starts_with("container:") => {
                comments.push(format!("not carried over: --network {name}"));
            }
            name => {
                document.insert(
                    "networks".to_owned(),
                    json!({"default": {"name": literal(&json!(name)), "external": true}}),
                );
            }
        }
        let service = literal(&Value::Object(service));
        document.insert("services".to_owned(), json!({container_name(context): service}));
        if !mounts.named.is_empty() {
            document.insert("volumes".to_owned(), Value::Object(mounts.named));
        }
        Ok(yaml::document(&comments, &Value::Object(document)))
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

#[derive(Default)]
struct Mounts {
    /// As a service lists them.
    list: Vec<Value>,
    /// Volumes with names of their own.
    named: Map<String, Value>,
}

/// The user's own volumes and mounts.
fn mounts(own: &[Vec<String>], comments: &mut Vec<String>) -> Mounts {
    let mut mounts = Mounts::default();
    for option in own {
        let [name, value] = option.as_slice() else {
            continue;
        };
        let mount = match name.as_str() {
            "--volume" => volume(value, &mut mounts.named),
            "--mount" => mount(value),
            _ => continue,
        };
        match mount {
            Some(mount) => mounts.list.push(mount),
            None => comments.push(format!("not carried over: {name} {value}")),
        }
    }
    mounts
}

/// `[SOURCE:]TARGET[:OPTIONS]`; a source that is no path is a volume, and is added to `named`.
fn volume(value: &str, named: &mut Map<String, Value>) -> Option<Value> {
    if let Some((source, _)) = value.split_once(':')
        && !source.starts_with('/')
    {
        // As engines want names, without those that YAML takes for something else.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let special = [
            "yes", "no", "on", "off", "y", "n", "true", "false", "null", "nan", "inf",
        ];
        if !source.starts_with(|c: char| c.is_ascii_alphabetic())
            || !source.chars().all(plain)
            || special.contains(&source.to_ascii_lowercase().as_str())
        {
            return None;
        }
        named.insert(source.to_owned(), json!({}));
    }
    Some(json!(value))
}

/// `type=…,source=…,target=…[,readonly]`.
fn mount(value: &str) -> Option<Value> {
    let mut out = Map::new();
    for field in value.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, "true"));
        let (key, value) = match key {
            "type" if matches!(value, "bind" | "tmpfs") => ("type", json!(value)),
            "source" | "src" => ("source", json!(value)),
            "target" | "dst" | "destination" => ("target", json!(value)),
            "readonly" | "ro" => (
                "read_only",
                json!(value.parse::<bool>().ok().or((value == "1").then_some(true))?),
            ),
            _ => return None,
        };
        out.insert(key.to_owned(), value);
    }
    (out.contains_key("type") && out.contains_key("target") && !value.contains('"'))
        .then_some(Value::Object(out))
}

/// The items in their order, each once.
fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}
