//! A Quadlet unit: a container that podman runs as a service of systemd.
//!
//! Source: podman-systemd.unit(5). `podman run` itself takes what `run.sh` has: `DOCKER=podman ./run.sh`.

use super::given::{Changed, Owner, facts, recorded_command, recorded_options, unprivileged_port};
use super::kubernetes::with_headroom;
use super::shell::line;
use super::unit::{argument, word};
use super::{AppArmor, Artifact, Context, Error, Seccomp};

/// The artifact `podman.container`.
#[derive(Clone, Copy, Debug)]
pub struct Podman;

impl Artifact for Podman {
    fn format(&self) -> &'static str {
        "podman"
    }

    fn description(&self) -> &'static str {
        "Quadlet unit for podman; podman run takes run.sh, with DOCKER=podman"
    }

    fn file_name(&self) -> &'static str {
        "podman.container"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let plan = context.plan;
        let name = context.profile_name();
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", plan.reference),
            format!(
                "Put it into /etc/containers/systemd, and {} into /etc/slim/{name}; then systemctl daemon-reload.",
                Seccomp.file_name()
            ),
            format!(
                "Needs podman 4.5. Where the host has AppArmor, load {}.",
                AppArmor.file_name()
            ),
        ];
        let mut lines = vec!["[Container]".to_owned()];
        let mut set = |key: &str, value: &str| lines.push(format!("{key}={value}"));
        set(
            "Image",
            &nul_free(context.image_name(), "the image's name").map(argument)?,
        );
        set(
            "SeccompProfile",
            &format!("/etc/slim/{name}/{}", Seccomp.file_name()),
        );
        set("DropCapability", "all");
        let names: Vec<&str> = plan.capabilities.iter().map(|c| c.name.as_str()).collect();
        if !names.is_empty() {
            set("AddCapability", &names.join(" "));
        }
        for path in &plan.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        if plan.privilege_gain.is_empty() {
            set("NoNewPrivileges", "true");
        }
        let facts = facts(context.recording);
        let own = facts.map(recorded_options).unwrap_or_default();
        let memory = Changed::of(context).in_memory(context);
        if let Some(directories) = &memory {
            set("ReadOnly", "true");
            for (path, owner) in directories {
                let plain = !path.as_bytes().contains(&b':') && !path.as_bytes().contains(&b',');
                match word(path.as_bytes()).filter(|_| plain) {
                    Some(path) if !path.starts_with('"') => {
                        set("Tmpfs", &format!("{path}:{}", tmpfs(*owner)))
                    }
                    _ => comments.push(format!(
                        "Mount a tmpfs at {path}: its name cannot be written here."
                    )),
                }
            }
        }
        let mut more = |words: &[&str]| -> Result<(), Error> {
            let words: Result<Vec<String>, Error> = words
                .iter()
                .map(|text| nul_free(text, "an option").map(argument))
                .collect();
            lines.push(format!("PodmanArgs={}", words?.join(" ")));
            Ok(())
        };
        if let Some(port) = unprivileged_port(context) {
            more(&["--sysctl", &format!("net.ipv4.ip_unprivileged_port_start={port}")])?;
        }
        let peaks = context.recording.peaks();
        let headroom = context.options.headroom;
        if let Some(pids) = peaks.pids {
            more(&["--pids-limit", &with_headroom(pids.max(1), headroom).to_string()])?;
        }
        let limited = own.iter().any(|option| option[0] == "--memory");
        if let (Some(memory), false) = (peaks.memory, limited) {
            let mebibytes = with_headroom(memory, headroom).div_ceil(1 << 20).max(6);
            more(&["--memory", &format!("{mebibytes}m")])?;
        }
        if peaks.pids.is_some() || peaks.memory.is_some() {
            comments.push(format!(
                "Limits are the highest recorded peaks and {headroom} percent."
            ));
        }
        for option in &own {
            let words: Vec<&str> = option.iter().map(String::as_str).collect();
            if words == ["--read-only"] && memory.is_some() {
                continue;
            }
            more(&words)?;
        }
        let command = facts.map(|facts| recorded_command(facts, &own, &context.image.config));
        let command = command.unwrap_or_default();
        if !command.is_empty() {
            let words: Result<Vec<String>, Error> = command
                .iter()
                .map(|text| nul_free(text, "the command").map(argument))
                .collect();
            lines.push(format!("Exec={}", words?.join(" ")));
        }
        // podman refuses a profile where the kernel has no AppArmor.
        lines.push(format!("#PodmanArgs=--security-opt apparmor={name}"));
        lines.extend(["", "[Install]", "WantedBy=default.target"].map(str::to_owned));
        let comments = comments.iter().map(|comment| format!("# {}", line(comment)));
        let all: Vec<String> = comments.chain(lines).collect();
        Ok((all.join("\n") + "\n").into_bytes())
    }
}

/// Options of podman's tmpfs, which belongs to root: anybody may write to it where the directory is not root's.
fn tmpfs(owner: Owner) -> String {
    let mode = if owner.uid == 0 { owner.mode } else { 0o1777 };
    format!("mode={mode:04o}")
}

fn nul_free<'a>(text: &'a str, what: &'static str) -> Result<&'a str, Error> {
    if text.contains('\0') {
        return Err(Error::Nul {
            what,
            text: text.to_owned(),
        });
    }
    Ok(text)
}
