//! The security-profiles-operator's resources.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::profile::apparmor::{self, Glob, Pattern, Piece};
use crate::profile::{AppArmorMode, Artifact, Context, Error, Seccomp, yaml};
use crate::recording::Actor;

const API_VERSION: &str = "security-profiles-operator.x-k8s.io/v1";

/// EPERM: the operator's profiles have no other answer to what they do not name.
const EPERM: u64 = 1;

/// The artifact `spo-seccomp.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct OperatorSeccomp;

impl Artifact for OperatorSeccomp {
    fn format(&self) -> &'static str {
        "spo-seccomp"
    }

    fn description(&self) -> &'static str {
        "SeccompProfile of the security-profiles-operator (v1)"
    }

    fn file_name(&self) -> &'static str {
        "spo-seccomp.yaml"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let profile: Value = serde_json::from_slice(&Seccomp.render(context)?).unwrap_or_default();
        let mut comments = about(context, self.file_name());
        let default = profile.get("defaultErrnoRet").and_then(Value::as_u64);
        if default.is_some_and(|errno| errno != EPERM) {
            comments.push(
                "What is not named is refused with EPERM: the operator has no other answer.".to_owned(),
            );
        }
        let rules = profile.get("syscalls").and_then(Value::as_array);
        let rules: Vec<Value> = rules.into_iter().flatten().filter_map(rule).collect();
        let mut spec = Map::new();
        for key in ["defaultAction", "architectures", "flags"] {
            if let Some(value) = profile.get(key) {
                spec.insert(key.into(), value.clone());
            }
        }
        spec.insert("syscalls".into(), Value::Array(rules));
        Ok(yaml::document(
            &comments,
            &resource("SeccompProfile", context, spec),
        ))
    }
}

/// A rule without what the operator does not know; none if it cannot say an argument, or answers so anyway.
fn rule(rule: &Value) -> Option<Value> {
    if rule.get("errnoRet").and_then(Value::as_u64) == Some(EPERM) {
        return None;
    }
    let mut out = Map::new();
    for key in ["action", "names", "errnoRet", "args"] {
        if let Some(value) = rule.get(key).filter(|value| !value.is_null()) {
            out.insert(key.into(), value.clone());
        }
    }
    // Its numbers have a sign.
    let arguments = rule.get("args").and_then(Value::as_array).into_iter().flatten();
    let large = |argument: &Value| {
        ["value", "valueTwo"].iter().any(|key| {
            argument
                .get(key)
                .is_some_and(|value| value.as_u64().is_none_or(|v| i64::try_from(v).is_err()))
        })
    };
    (!arguments.into_iter().any(large)).then_some(Value::Object(out))
}

/// The artifact `spo-apparmor.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct OperatorAppArmor;

/// The operator's lists, by what they grant.
#[derive(Default)]
struct Lists(BTreeMap<&'static str, Vec<String>>);

impl Lists {
    fn add(&mut self, list: &'static str, paths: &[String]) {
        let list = self.0.entry(list).or_default();
        for path in paths {
            if !list.contains(path) {
                list.push(path.clone());
            }
        }
    }

    /// Returns those of the named lists that hold something.
    fn non_empty(&self, names: &[&str]) -> Map<String, Value> {
        let named = names
            .iter()
            .filter_map(|name| Some((name, self.0.get(name).filter(|list| !list.is_empty())?)));
        named
            .map(|(name, paths)| ((*name).to_owned(), json!(paths)))
            .collect()
    }
}

impl Artifact for OperatorAppArmor {
    fn format(&self) -> &'static str {
        "spo-apparmor"
    }

    fn description(&self) -> &'static str {
        "AppArmorProfile of the security-profiles-operator (v1); coarser than apparmor"
    }

    fn file_name(&self) -> &'static str {
        "spo-apparmor.yaml"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let mut comments = about(context, self.file_name());
        comments.push(
            "The operator adds its base abstraction, and lets a file that may be written be locked and linked."
                .to_owned(),
        );
        let mut lists = Lists::default();
        let mut inexact = false;
        for (pattern, allowed) in &apparmor::rules(context).0 {
            inexact |= pattern
                .0
                .iter()
                .any(|piece| matches!(piece, Piece::Text(text) if !text.iter().all(is_plain)));
            let paths = spellings(pattern);
            if allowed.execute {
                lists.add("allowedExecutables", &paths);
            }
            if allowed.map {
                lists.add("allowedLibraries", &paths);
            }
            match (
                allowed.read,
                allowed.write || allowed.append || allowed.lock || allowed.link,
            ) {
                (true, true) => lists.add("readWritePaths", &paths),
                // What may be executed or mapped may not be denied writing here: that list denies locks, too.
                (true, false) if !allowed.execute && !allowed.map => lists.add("readOnlyPaths", &paths),
                (false, true) => lists.add("readWritePaths", &paths),
                _ => {}
            }
        }
        // What only reads is denied writing, and that wins over every list: what may meet a written path goes there.
        let read_write = lists.0.get("readWritePaths").cloned().unwrap_or_default();
        let meets = |path: &String| {
            let fixed = path.split(['*', '?', '@']).next().unwrap_or_default();
            let other = |written: &String| {
                written
                    .split(['*', '?', '@'])
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            };
            let globs = fixed.len() < path.len();
            read_write.iter().any(|written| {
                let start = other(written);
                *written == *path
                    || (globs && written.starts_with(fixed))
                    || (start.len() < written.len() && path.starts_with(&start))
            })
        };
        let read_only = lists.0.remove("readOnlyPaths").unwrap_or_default();
        let (met, read_only): (Vec<_>, Vec<_>) = read_only.into_iter().partition(meets);
        lists.add("readWritePaths", &met);
        lists.add("readOnlyPaths", &read_only);
        if inexact {
            comments.push(
                "A ? stands for one character that the operator has no way to write; such a rule is wider than what was seen."
                    .to_owned(),
            );
        }

        let mut rules = Map::new();
        let executable = lists.non_empty(&["allowedExecutables", "allowedLibraries"]);
        if !executable.is_empty() {
            rules.insert("executable".into(), Value::Object(executable));
        }
        let files = lists.non_empty(&["readOnlyPaths", "readWritePaths"]);
        if !files.is_empty() {
            rules.insert("filesystem".into(), Value::Object(files));
        }
        if let Some(network) = network(context) {
            rules.insert("network".into(), network);
        }
        let capabilities = apparmor::capabilities(context);
        if !capabilities.is_empty() {
            rules.insert("capability".into(), json!({"allowedCapabilities": capabilities}));
        }
        let mode = match context.options.apparmor_mode {
            AppArmorMode::Enforce => "Enforce",
            AppArmorMode::Complain => "Complain",
        };
        let mut spec = Map::new();
        spec.insert("mode".into(), json!(mode));
        spec.insert("abstract".into(), Value::Object(rules));
        Ok(yaml::document(
            &comments,
            &resource("AppArmorProfile", context, spec),
        ))
    }
}

/// The kinds of sockets that the operator tells apart.
fn network(context: &Context<'_>) -> Option<Value> {
    let runs = context.recording.runs.values();
    let sockets: Vec<_> = runs
        .flat_map(|run| &run.sockets)
        .filter(|socket| socket.actor == Actor::App)
        .collect();
    let inet = |kind: &str| {
        sockets
            .iter()
            .any(|socket| matches!(socket.family.as_str(), "inet" | "inet6") && socket.kind == kind)
    };
    let raw = sockets.iter().any(|socket| socket.kind == "raw");
    let (tcp, udp) = (inet("stream"), inet("dgram"));
    let mut network = Map::new();
    if raw {
        network.insert("allowRaw".into(), json!(true));
    }
    if tcp || udp {
        network.insert(
            "allowedProtocols".into(),
            json!({"allowTcp": tcp, "allowUdp": udp}),
        );
    }
    (!network.is_empty()).then_some(Value::Object(network))
}

/// Returns whether a byte means itself in the operator's patterns, and may stand there.
fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./+- ".contains(byte)
}

/// A pattern in the operator's words, in which only `*`, `**`, `?` and variables are more than themselves.
fn spellings(pattern: &Pattern) -> Vec<String> {
    let mut all = vec![String::new()];
    for piece in &pattern.0 {
        let alternatives: Vec<String> = match piece {
            Piece::Text(text) => {
                let plain = text
                    .iter()
                    .map(|byte| if is_plain(byte) { char::from(*byte) } else { '?' });
                vec![plain.collect()]
            }
            Piece::Glob(glob) => match glob {
                Glob::Process => vec!["@{pid}".to_owned()],
                Glob::Number | Glob::Hex | Glob::Name => vec!["*".to_owned()],
                Glob::HexDigit => vec!["?".to_owned()],
                Glob::Below => vec!["**".to_owned()],
                Glob::AndBelow => vec![String::new(), "**".to_owned()],
                Glob::OrDirectory => vec![String::new(), "/".to_owned()],
            },
        };
        all = all
            .iter()
            .flat_map(|start| alternatives.iter().map(move |end| format!("{start}{end}")))
            .collect();
    }
    all
}

fn about(context: &Context<'_>, file: &str) -> Vec<String> {
    vec![
        format!("What {} was seen to need, and no more.", context.plan.reference),
        format!("kubectl apply -f {file}"),
    ]
}

fn resource(kind: &str, context: &Context<'_>, spec: Map<String, Value>) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": context.profile_name()},
        "spec": spec,
    })
}
