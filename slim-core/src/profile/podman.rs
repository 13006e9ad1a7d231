//! A Quadlet unit: a container that podman runs as a service of systemd.
//!
//! Source: podman-systemd.unit(5). `podman run` itself takes what `run.sh` has: `DOCKER=podman ./run.sh`.

use super::kubernetes::with_headroom;
use super::unit::argument;
use super::{AppArmor, Artifact, Context, Error, Seccomp};
use crate::spec::Tmpfs;
use crate::spec::shell::line;

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
        let launch = context.launch;
        let name = context.profile_name();
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", context.plan.reference),
            format!(
                "Put it into /etc/containers/systemd, and {} into /etc/slim/{name}; then systemctl daemon-reload.",
                Seccomp.file_name()
            ),
            format!(
                "Needs podman 4.5. Where the host has AppArmor, load {}.",
                AppArmor.file_name()
            ),
        ];
        for path in &launch.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        for option in &launch.container.not_carried {
            comments.push(format!("not carried over: {option}"));
        }
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
        let mut more = |words: &[&str]| -> Result<(), Error> {
            let words: Result<Vec<String>, Error> = words
                .iter()
                .map(|text| nul_free(text, "an option").map(argument))
                .collect();
            lines.push(format!("PodmanArgs={}", words?.join(" ")));
            Ok(())
        };
        let mut container = launch.to_container();
        for tmpfs in &mut container.tmpfs {
            for_podman(tmpfs);
        }
        for words in container.to_words() {
            more(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        let peaks = context.recording.peaks();
        let headroom = context.options.headroom;
        let mut limited = false;
        if let (Some(pids), None) = (peaks.pids, container.limits.pids) {
            more(&["--pids-limit", &with_headroom(pids.max(1), headroom).to_string()])?;
            limited = true;
        }
        if let (Some(memory), None) = (peaks.memory, container.limits.memory) {
            let mebibytes = with_headroom(memory, headroom).div_ceil(1 << 20).max(6);
            more(&["--memory", &format!("{mebibytes}m")])?;
            limited = true;
        }
        if limited {
            comments.push(format!(
                "Limits are the highest recorded peaks and {headroom} percent."
            ));
        }
        if !container.command.is_empty() {
            let words: Result<Vec<String>, Error> = container
                .command
                .iter()
                .map(|text| nul_free(text, "the command").map(argument))
                .collect();
            lines.push(format!("Exec={}", words?.join(" ")));
        }
        if let Some(name) = &launch.apparmor {
            // podman refuses a profile where the kernel has no AppArmor.
            lines.push(format!("#PodmanArgs=--security-opt apparmor={}", line(name)));
        }
        lines.extend(["", "[Install]", "WantedBy=default.target"].map(str::to_owned));
        let comments = comments.iter().map(|comment| format!("# {}", line(comment)));
        let all: Vec<String> = comments.chain(lines).collect();
        Ok((all.join("\n") + "\n").into_bytes())
    }
}

/// Podman knows no `uid=` and `gid=` of a tmpfs (podman-run(1)), which belongs to root there: anybody may write to it
/// where the directory is not root's.
fn for_podman(tmpfs: &mut Tmpfs) {
    let owner = (tmpfs.uid.take(), tmpfs.gid.take());
    if owner.0.is_some_and(|uid| uid != 0) {
        tmpfs.mode = Some(0o1777);
    }
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
