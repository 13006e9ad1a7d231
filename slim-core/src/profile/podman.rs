//! A Quadlet unit: a container that podman runs as a service of systemd.
//!
//! Source: podman-systemd.unit(5). `podman run` itself takes what `run.sh` has: `DOCKER=podman ./run.sh`.

use super::kubernetes::suggestion;
use super::unit::argument;
use super::{AppArmor, Artifact, Context, Error, Seccomp, remark};
use crate::spec::shell::line;
use crate::spec::{ContainerSpec, Tmpfs};

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
        let mut container = launch.to_container();
        comments.extend(remark::rest(&take_unknown(&mut container)));
        for tmpfs in &mut container.tmpfs {
            let (docker, podman) = (tmpfs.to_string(), for_podman(tmpfs));
            comments.push(remark::replaced(
                &format!("--tmpfs {docker}"),
                &format!("--tmpfs {podman}"),
            ));
            *tmpfs = podman;
        }
        if let Some(name) = &launch.apparmor {
            comments.push(remark::not_carried(&format!("--security-opt apparmor={name}")));
            comments.push(
                "podman refuses that where the kernel has no AppArmor: take the # away below where it has."
                    .to_owned(),
            );
        }
        let mut lines = vec!["[Container]".to_owned()];
        let mut set = |key: &str, value: &str| lines.push(format!("{key}={value}"));
        set(
            "Image",
            &nul_free(context.image_name(), "the image's name").map(argument)?,
        );
        if launch.seccomp {
            set(
                "SeccompProfile",
                &format!("/etc/slim/{name}/{}", Seccomp.file_name()),
            );
        }
        let mut more = |words: &[&str]| -> Result<(), Error> {
            let words: Result<Vec<String>, Error> = words
                .iter()
                .map(|text| nul_free(text, "an option").map(argument))
                .collect();
            lines.push(format!("PodmanArgs={}", words?.join(" ")));
            Ok(())
        };
        for words in container.to_words() {
            more(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        comments.extend(suggestion(
            context,
            |bytes| format!("--memory {}m", bytes >> 20),
            |pids| format!("--pids-limit {pids}"),
        ));
        if !container.command.is_empty() {
            let words: Result<Vec<String>, Error> = container
                .command
                .iter()
                .map(|text| nul_free(text, "the command").map(argument))
                .collect();
            lines.push(format!("Exec={}", words?.join(" ")));
        }
        if let Some(name) = &launch.apparmor {
            lines.push(format!("#PodmanArgs=--security-opt apparmor={}", line(name)));
        }
        lines.extend(["", "[Install]", "WantedBy=default.target"].map(str::to_owned));
        let comments = comments.iter().map(|comment| format!("# {}", line(comment)));
        let all: Vec<String> = comments.chain(lines).collect();
        Ok((all.join("\n") + "\n").into_bytes())
    }
}

/// Takes out what `podman run` has no option for: `--runtime` is one of podman itself.
fn take_unknown(container: &mut ContainerSpec) -> ContainerSpec {
    ContainerSpec {
        domainname: container.domainname.take(),
        runtime: container.runtime.take(),
        not_carried: std::mem::take(&mut container.not_carried),
        ..ContainerSpec::default()
    }
}

/// Returns the nearest that podman has. It knows neither an owner of a memory file system, which belongs to root there
/// (anybody may write to it where the directory is not root's), nor most options of the kernel's (podman-run(1)); and
/// unless told otherwise it lets files be executed, and copies the image's into it.
fn for_podman(tmpfs: &Tmpfs) -> Tmpfs {
    let Tmpfs {
        target,
        uid,
        gid: _,
        mode,
        exec,
        options,
    } = tmpfs;
    let known = |option: &&String| {
        let flags = ["nosuid", "suid", "nodev", "dev", "ro", "rw"];
        option.starts_with("size=") || flags.contains(&option.as_str())
    };
    let defaults = (!exec).then_some("noexec").into_iter().chain(["notmpcopyup"]);
    Tmpfs {
        target: target.clone(),
        mode: if uid.is_some_and(|uid| uid != 0) {
            Some(0o1777)
        } else {
            *mode
        },
        exec: *exec,
        options: defaults
            .map(str::to_owned)
            .chain(options.iter().filter(known).cloned())
            .collect(),
        ..Tmpfs::default()
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
