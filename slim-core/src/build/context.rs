//! The Dockerfile that makes the same image from the layer's file.
//!
//! A config's values are any text, and a Dockerfile is parsed by lines and expands variables in some instructions but
//! not in others; so each value is quoted for its place. Lists are written in their JSON form, which no shell reads.
//! Values that a Dockerfile cannot hold (a line break in ENV or LABEL) become comments, never another instruction.
//!
//! Source: Dockerfile reference, "Format", "Environment replacement", "Shell and exec form".

use serde_json::Value;

use super::LAYER;
use crate::image::Config;

/// Length of the longest line that Docker's parser takes (Go's `bufio.MaxScanTokenSize`).
const MAX_LINE: usize = 65_000;

/// One instruction, or the value that a Dockerfile cannot hold and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) text: Result<String, String>,
    pub(super) adds_layer: bool,
}

/// The instructions behind `FROM scratch`.
pub(super) fn instructions(config: &Config) -> Vec<Instruction> {
    let section = config.0.get("config");
    let get = |key: &str| section.and_then(|section| section.get(key));
    let mut lines: Vec<Result<String, String>> = Vec::new();
    for variable in config.env() {
        lines.push(match variable.split_once('=') {
            Some((name, value)) => pair("ENV", name, value),
            None => Err(format!("ENV {}: it has no value", comment(&variable))),
        });
    }
    let mut labels: Vec<(&String, &str)> = get("Labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .collect();
    labels.sort();
    for (name, value) in labels {
        lines.push(pair("LABEL", name, value));
    }
    for port in config.exposed_ports() {
        lines.push(single_value("EXPOSE", &port));
    }
    for volume in config.volumes() {
        // Its words are expanded even in the JSON form.
        let escaped: String = volume
            .chars()
            .flat_map(|c| {
                let special = matches!(c, '\\' | '"' | '\'' | '$');
                special.then_some('\\').into_iter().chain([c])
            })
            .collect();
        lines.push(Ok(format!("VOLUME {}", list(&[escaped]))));
    }
    if !config.user().is_empty() {
        lines.push(single_value("USER", config.user()));
    }
    if !config.workdir().is_empty() {
        lines.push(single_value("WORKDIR", config.workdir()));
    }
    if !config.shell().is_empty() {
        lines.push(Ok(format!("SHELL {}", list(&config.shell()))));
    }
    lines.extend(
        get("Healthcheck")
            .and_then(|value| healthcheck(config, value))
            .map(Ok),
    );
    if !config.stop_signal().is_empty() {
        lines.push(single_value("STOPSIGNAL", config.stop_signal()));
    }
    if !config.entrypoint().is_empty() {
        lines.push(Ok(format!("ENTRYPOINT {}", list(&config.entrypoint()))));
    }
    if !config.cmd().is_empty() {
        lines.push(Ok(format!("CMD {}", list(&config.cmd()))));
    }
    let triggers = get("OnBuild").and_then(Value::as_array);
    for trigger in triggers.into_iter().flatten().filter_map(Value::as_str) {
        lines.push(if is_line(trigger) {
            Ok(format!("ONBUILD {trigger}"))
        } else {
            Err(format!("ONBUILD {}: it is more than a line", comment(trigger)))
        });
    }
    let add = Instruction {
        text: Ok(format!("ADD {LAYER} /")),
        adds_layer: true,
    };
    let rest = lines.into_iter().map(|text| Instruction {
        text: text.and_then(|line| {
            if line.len() <= MAX_LINE {
                return Ok(line);
            }
            let start: String = line.chars().take(40).collect();
            Err(format!("{}...: it is longer than a line can be", comment(&start)))
        }),
        adds_layer: false,
    });
    [add].into_iter().chain(rest).collect()
}

/// The Dockerfile's text.
pub(super) fn dockerfile(instructions: &[Instruction]) -> String {
    let mut text = String::from("FROM scratch\n");
    for instruction in instructions {
        match &instruction.text {
            Ok(line) => text.push_str(line),
            Err(reason) => {
                text.push_str("# Not here, because a Dockerfile cannot say it: ");
                text.push_str(reason);
            }
        }
        text.push('\n');
    }
    text
}

/// Returns text as part of a comment: one line, whatever it contains.
fn comment(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_default).collect()
}

/// Returns true if an instruction can end in `text` as it is.
fn is_line(text: &str) -> bool {
    !text.contains(['\n', '\r']) && !text.ends_with('\\') && text.trim() == text && !text.is_empty()
}

fn pair(instruction: &str, name: &str, value: &str) -> Result<String, String> {
    let reason = if name.is_empty() || name.contains('=') {
        "its name is empty or holds an equals sign"
    } else if name.contains('\n') || value.contains('\n') {
        "it holds a line break"
    } else {
        return Ok(format!("{instruction} {}={}", word(name), word(value)));
    };
    Err(format!("{instruction} {}: {reason}", comment(name)))
}

/// Returns an instruction with one value.
fn single_value(instruction: &str, value: &str) -> Result<String, String> {
    if value.contains('\n') {
        return Err(format!("{instruction} {}: it holds a line break", comment(value)));
    }
    Ok(format!("{instruction} {}", word(value)))
}

/// A word that a Dockerfile's expansion turns into `text`; `text` has no line feed.
fn word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,@%+".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A list in JSON.
fn list(items: &[String]) -> String {
    Value::from(items).to_string()
}

fn healthcheck(config: &Config, value: &Value) -> Option<String> {
    let test: Vec<String> = config.healthcheck()?.test;
    let (kind, rest) = test.split_first()?;
    let command = match (kind.as_str(), rest) {
        ("NONE", _) => return Some("HEALTHCHECK NONE".to_owned()),
        ("CMD", arguments) => list(arguments),
        ("CMD-SHELL", [line]) if is_line(line) && !line.starts_with('[') => line.clone(),
        // What does not go into a line goes to the same shell as an argument.
        ("CMD-SHELL", lines) => {
            let mut shell = config.shell();
            if shell.is_empty() {
                shell = vec!["/bin/sh".to_owned(), "-c".to_owned()];
            }
            shell.extend_from_slice(lines);
            list(&shell)
        }
        _ => return None,
    };
    let mut out = String::from("HEALTHCHECK");
    for (key, flag) in [
        ("Interval", "interval"),
        ("Timeout", "timeout"),
        ("StartPeriod", "start-period"),
        ("StartInterval", "start-interval"),
    ] {
        let nanoseconds = value.get(key).and_then(Value::as_u64).unwrap_or(0);
        if nanoseconds > 0 {
            out.push_str(&format!(" --{flag}={}", duration(nanoseconds)));
        }
    }
    let retries = value.get("Retries").and_then(Value::as_u64).unwrap_or(0);
    if retries > 0 {
        out.push_str(&format!(" --retries={retries}"));
    }
    Some(format!("{out} CMD {command}"))
}

/// Returns a duration as Go writes it, in one unit.
fn duration(nanoseconds: u64) -> String {
    for (unit, name) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us")] {
        if nanoseconds.is_multiple_of(unit) {
            return format!("{}{name}", nanoseconds / unit);
        }
    }
    format!("{nanoseconds}ns")
}
