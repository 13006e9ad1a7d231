//! What the recorded container was given, for the formats that start one.

use std::collections::BTreeSet;

use super::Context;
use super::shell::plain;
use crate::image::Config;
use crate::path::RootPath;
use crate::recording::{ContainerFacts, MountKind};

/// Options that describe the container; what it may do is the profiles' to say.
const DESCRIPTIVE: [&str; 13] = [
    "--add-host",
    "--entrypoint",
    "--env",
    "--hostname",
    "--label",
    "--memory",
    "--mount",
    "--network",
    "--publish",
    "--tmpfs",
    "--user",
    "--volume",
    "--workdir",
];

/// The user's own options as name and value, without those that the profiles replace and those that are unknown.
///
/// They were recorded as words of a shell, but a recording may come from anywhere: they are read as such, to be quoted
/// anew, and nothing among them is taken for the image or for a privilege.
pub fn recorded_options(facts: &ContainerFacts) -> Vec<Vec<String>> {
    let mut words = facts.options.iter().map(|word| plain(word).into_owned());
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None if word == "--read-only" => (word, None),
            None => (word, words.next()),
        };
        let security = value.as_deref().and_then(|value| value.split(['=', ':']).next());
        let wanted = match name.as_str() {
            // A flag: a word behind it would be taken for the image.
            "--read-only" => value.is_none(),
            "--security-opt" => matches!(security, Some("label" | "systempaths")),
            name => DESCRIPTIVE.contains(&name) && value.is_some(),
        };
        if wanted {
            options.push([Some(name), value].into_iter().flatten().collect());
        }
    }
    options
}

/// The values of an option, by its name.
pub(super) fn values<'a>(options: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let named = options.iter().filter(|option| option[0] == name);
    named
        .filter_map(|option| option.get(1).map(String::as_str))
        .collect()
}

/// The command to give after the image: what ran, behind the entrypoint, where the image's own `CMD` would differ.
pub fn recorded_command(facts: &ContainerFacts, options: &[Vec<String>], config: &Config) -> Vec<String> {
    let entrypoint = options.iter().find_map(|option| match option.as_slice() {
        [name, value] if name == "--entrypoint" => Some(value),
        _ => None,
    });
    let (before, default) = match entrypoint {
        // An entrypoint of the user's own resets the image's command.
        Some(entrypoint) => (vec![entrypoint.clone()], Vec::new()),
        None => (config.entrypoint(), config.cmd()),
    };
    match facts.command.strip_prefix(before.as_slice()) {
        Some(rest) if rest != default => rest.to_vec(),
        _ => Vec::new(),
    }
}

/// Mount points that hold the user's data.
pub(super) fn data_mounts(context: &Context<'_>) -> BTreeSet<RootPath> {
    let runs = context.recording.runs.values();
    let mounts = runs.flat_map(|run| &run.container.mounts);
    mounts
        .filter(|mount| matches!(mount.kind, MountKind::Bind | MountKind::Volume | MountKind::Tmpfs))
        .map(|mount| mount.target.clone())
        .collect()
}
