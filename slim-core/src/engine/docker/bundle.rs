//! Facts about a container: from the runtime's own configuration where it can be read, else from the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bollard::models::{ContainerInspectResponse, HostConfig};
use serde::Deserialize;
use serde_json::Value;

use crate::path::RootPath;
use crate::recording::{ContainerFacts, MountFact, MountKind};
use crate::spec::{effective_capabilities, parse_capability, system_mounts};

/// A bundle's configuration is some ten kilobytes; more than this is not one.
const MAX_CONFIG: u64 = 16 << 20;

/// Directories in which containerd keeps the bundles of Docker's containers: the system's and the one that dockerd starts.
const BUNDLES: [&str; 2] = [
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
];

/// The parts of `config.json` that are used.
///
/// Source: OCI runtime specification, `config.md` and `config-linux.md`.
#[derive(Debug, Default, Deserialize)]
struct Bundle {
    #[serde(default)]
    process: Process,
    #[serde(default)]
    root: Root,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    linux: Linux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    cwd: String,
    #[serde(default)]
    capabilities: Option<Capabilities>,
    #[serde(default)]
    no_new_privileges: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Capabilities {
    #[serde(default)]
    bounding: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Root {
    #[serde(default)]
    readonly: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Mount {
    destination: String,
}

#[derive(Debug, Default, Deserialize)]
struct Linux {
    #[serde(default)]
    seccomp: Option<Value>,
    #[serde(default)]
    sysctl: Option<BTreeMap<String, String>>,
}

/// Returns the facts about `found`. `seccomp_default` is true if the engine has a default filter.
pub(super) fn facts(found: &ContainerInspectResponse, seccomp_default: bool) -> ContainerFacts {
    let id = found.id.as_deref().unwrap_or_default();
    let pid = found.state.as_ref().and_then(|s| s.pid).unwrap_or(0);
    combine(found, read(id, pid), seccomp_default)
}

/// `net.ipv4.ip_unprivileged_port_start` in the container's network name space, if it runs and says so; a name space of
/// its own that nothing was set in begins with 1024 (`PROT_SOCK`).
pub(super) fn unprivileged_port_start(found: &ContainerInspectResponse) -> Option<u16> {
    const NAME: &str = "net.ipv4.ip_unprivileged_port_start";
    let mode = found
        .host_config
        .as_ref()?
        .network_mode
        .as_deref()
        .unwrap_or_default();
    if mode == "host" {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?;
        return text.trim().parse().ok();
    }
    if mode.starts_with("container:") {
        return None;
    }
    let bundle = read(found.id.as_deref()?, found.state.as_ref()?.pid?)?;
    match bundle.linux.sysctl.as_ref().and_then(|s| s.get(NAME)) {
        Some(text) => text.trim().parse().ok(),
        None => Some(1024),
    }
}

/// The bundle of a running container: where containerd keeps it, or where its shim, the parent of its PID 1, works.
fn read(id: &str, pid: i64) -> Option<Bundle> {
    if id.len() != 64 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut directories: Vec<PathBuf> = BUNDLES.iter().map(|d| Path::new(d).join(id)).collect();
    if pid > 0
        && let Some(shim) = parent(pid)
        && let Ok(directory) = fs::read_link(format!("/proc/{shim}/cwd"))
        && directory.ends_with(id)
    {
        directories.push(directory);
    }
    directories
        .iter()
        .find_map(|d| read_config(&d.join("config.json")))
}

fn parent(pid: i64) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|l| l.strip_prefix("PPid:"))?
        .trim()
        .parse()
        .ok()
}

fn read_config(path: &Path) -> Option<Bundle> {
    let file = fs::File::open(path).ok()?;
    let mut text = Vec::new();
    file.take(MAX_CONFIG + 1).read_to_end(&mut text).ok()?;
    if text.len() as u64 > MAX_CONFIG {
        tracing::warn!("{} is too long to be a container's configuration", path.display());
        return None;
    }
    match serde_json::from_slice(&text) {
        Ok(bundle) => Some(bundle),
        Err(error) => {
            tracing::warn!("{}: {error}", path.display());
            None
        }
    }
}

fn combine(
    found: &ContainerInspectResponse,
    bundle: Option<Bundle>,
    seccomp_default: bool,
) -> ContainerFacts {
    let empty = HostConfig::default();
    let host = found.host_config.as_ref().unwrap_or(&empty);
    let config = found.config.clone().unwrap_or_default();
    let mut facts = ContainerFacts {
        command: found
            .path
            .iter()
            .chain(found.args.iter().flatten())
            .cloned()
            .collect(),
        user: config.user.unwrap_or_default(),
        workdir: config.working_dir.unwrap_or_default(),
        mounts: mounts(found, bundle.as_ref()).into_iter().collect(),
        network: match host.network_mode.as_deref() {
            None | Some("" | "default") => "bridge".to_owned(),
            Some(mode) => mode.to_owned(),
        },
        ..ContainerFacts::default()
    };
    match bundle {
        Some(bundle) => add_from_bundle(&mut facts, bundle, host),
        None => add_from_inspection(&mut facts, host, seccomp_default),
    }
    if facts.workdir.is_empty() {
        facts.workdir = "/".to_owned();
    }
    facts.capabilities.sort();
    facts.capabilities.dedup();
    facts
}

/// Adds the facts in the runtime's configuration.
fn add_from_bundle(facts: &mut ContainerFacts, bundle: Bundle, host: &HostConfig) {
    if !bundle.process.args.is_empty() {
        facts.command = without_init(bundle.process.args, &facts.mounts);
    }
    facts.workdir = bundle.process.cwd;
    facts.capabilities = bundle.process.capabilities.unwrap_or_default().bounding;
    facts.no_new_privileges = bundle.process.no_new_privileges;
    facts.read_only = bundle.root.readonly;
    let asked = host.sysctls.clone().unwrap_or_default();
    let given = bundle.linux.sysctl.unwrap_or_default();
    facts.sysctls = given
        .into_iter()
        .filter(|(name, _)| !asked.contains_key(name))
        .collect();
    facts.seccomp_unconfined = bundle.linux.seccomp.is_none();
    facts.seccomp = bundle.linux.seccomp;
}

/// Adds what follows from the engine's description, where the runtime's configuration is out of reach.
fn add_from_inspection(facts: &mut ContainerFacts, host: &HostConfig, seccomp_default: bool) {
    let security = host.security_opt.as_deref().unwrap_or_default();
    let privileged = host.privileged.unwrap_or(false);
    let unconfined = privileged
        || security
            .iter()
            .any(|o| matches!(o.as_str(), "seccomp=unconfined" | "seccomp:unconfined"));
    let own_filter = security.iter().any(|o| o.starts_with("seccomp"));
    let names = |names: &Option<Vec<String>>| -> BTreeSet<String> {
        let names = names.iter().flatten();
        names
            .map(|name| parse_capability(name).map_or_else(|| name.to_ascii_uppercase(), str::to_owned))
            .collect()
    };
    let effective = effective_capabilities(&names(&host.cap_add), &names(&host.cap_drop));
    facts.capabilities = effective.into_iter().collect();
    facts.no_new_privileges = security.iter().any(|o| {
        matches!(
            o.as_str(),
            "no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true"
        )
    });
    facts.read_only = host.readonly_rootfs.unwrap_or(false);
    facts.seccomp_unconfined = unconfined || (!seccomp_default && !own_filter);
}

/// Returns what is mounted in a container: the user's own and, from the bundle where there is one, the runtime's.
fn mounts(found: &ContainerInspectResponse, bundle: Option<&Bundle>) -> BTreeSet<MountFact> {
    let mut kinds = BTreeMap::new();
    for mount in found.mounts.iter().flatten() {
        let kind = match mount.typ.as_deref() {
            Some("bind") => MountKind::Bind,
            Some("volume") => MountKind::Volume,
            Some("tmpfs") => MountKind::Tmpfs,
            _ => MountKind::System,
        };
        kinds.insert(mount.destination.clone().unwrap_or_default(), kind);
    }
    let host = found.host_config.as_ref();
    for target in host
        .and_then(|host| host.tmpfs.as_ref())
        .into_iter()
        .flatten()
        .map(|(target, _)| target)
    {
        kinds.insert(target.clone(), MountKind::Tmpfs);
    }
    let system: Vec<String> = match bundle {
        Some(bundle) => bundle.mounts.iter().map(|m| m.destination.clone()).collect(),
        None => system_mounts::all().map(str::to_owned).collect(),
    };
    for target in system {
        // The user's own have a kind already, as they were written: compare without a trailing slash.
        let known = kinds
            .keys()
            .any(|k| k.trim_end_matches('/') == target.trim_end_matches('/'));
        if !known {
            kinds.insert(target, MountKind::System);
        }
    }
    kinds
        .into_iter()
        .map(|(target, kind)| MountFact {
            target: RootPath::new(target.into_bytes()),
            kind,
        })
        .collect()
}

/// Returns a container's own command: with `--init`, the engine mounts an init of its own and starts the command as
/// `/sbin/docker-init -- COMMAND…`.
fn without_init(mut args: Vec<String>, mounts: &[MountFact]) -> Vec<String> {
    let is_init = matches!(&args[..], [init, dashes, ..] if dashes == "--" && mounts
        .iter()
        .any(|mount| mount.kind == MountKind::System && mount.target.as_bytes() == init.as_bytes()));
    if is_init { args.split_off(2) } else { args }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerConfig, MountPoint};

    fn found() -> ContainerInspectResponse {
        let mount = |kind: &str, target: &str| MountPoint {
            typ: Some(kind.to_owned()),
            destination: Some(target.to_owned()),
            ..MountPoint::default()
        };
        ContainerInspectResponse {
            path: Some("/bin/app".to_owned()),
            args: Some(vec!["serve".to_owned()]),
            mounts: Some(vec![mount("bind", "/etc/app"), mount("volume", "/data")]),
            config: Some(ContainerConfig {
                user: Some("app".to_owned()),
                ..ContainerConfig::default()
            }),
            host_config: Some(HostConfig {
                tmpfs: Some([("/run/".to_owned(), String::new())].into()),
                cap_drop: Some(vec!["CAP_CHOWN".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                network_mode: Some("default".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerInspectResponse::default()
        }
    }

    fn kind(facts: &ContainerFacts, path: &str) -> Option<MountKind> {
        let path = RootPath::from(path);
        facts.mounts.iter().find(|m| m.target == path).map(|m| m.kind)
    }

    #[test]
    fn the_runtimes_word_counts() {
        let bundle = serde_json::json!({
            "process": {
                "args": ["/bin/app", "serve"], "cwd": "/srv", "noNewPrivileges": true,
                "capabilities": {"bounding": ["CAP_KILL", "CAP_BPF"]}, "unknown": 1
            },
            "root": {"path": "rootfs", "readonly": true},
            "mounts": [{"destination": "/proc"}, {"destination": "/run"}, {"destination": "/data", "type": "bind"}],
            "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [], "x": [1]}}
        });
        let facts = combine(&found(), serde_json::from_value(bundle).ok(), true);
        assert_eq!(facts.command, ["/bin/app", "serve"]);
        assert_eq!(
            (
                facts.user.as_str(),
                facts.workdir.as_str(),
                facts.network.as_str()
            ),
            ("app", "/srv", "bridge")
        );
        assert_eq!(facts.capabilities, ["CAP_BPF", "CAP_KILL"]);
        assert!(facts.no_new_privileges && facts.read_only && !facts.seccomp_unconfined);
        assert_eq!(facts.seccomp.expect("a filter")["x"][0], 1);
        let facts = combine(&found(), serde_json::from_str("{}").ok(), true);
        assert!(facts.seccomp_unconfined && facts.seccomp.is_none());
    }

    #[test]
    fn the_engines_init_is_no_part_of_the_command() {
        let bundle = |mounts: serde_json::Value| {
            let bundle = serde_json::json!({
                "process": {"args": ["/sbin/docker-init", "--", "/bin/app", "--", "serve"]}, "mounts": mounts
            });
            combine(&found(), serde_json::from_value(bundle).ok(), true).command
        };
        let init = serde_json::json!([{"destination": "/sbin/docker-init", "type": "bind"}]);
        assert_eq!(bundle(init), ["/bin/app", "--", "serve"]);
        // An image's own of that name is what the user runs.
        assert_eq!(bundle(serde_json::json!([])).len(), 5);
    }

    #[test]
    fn without_it_the_engines_defaults() {
        let facts = combine(&found(), None, true);
        assert_eq!(facts.capabilities.len(), 13);
        assert!(facts.no_new_privileges && !facts.read_only);
        assert!(facts.seccomp.is_none() && !facts.seccomp_unconfined);
        assert_eq!(kind(&facts, "/etc/app"), Some(MountKind::Bind));
        assert_eq!(kind(&facts, "/data"), Some(MountKind::Volume));
        assert_eq!(kind(&facts, "/run"), Some(MountKind::Tmpfs));
        assert_eq!(kind(&facts, "/proc"), Some(MountKind::System));
        // An engine without a filter, a container that asked for none.
        assert!(combine(&found(), None, false).seccomp_unconfined);
        let mut open = found();
        let host = open.host_config.as_mut().expect("a host configuration");
        host.security_opt = Some(vec!["seccomp=unconfined".to_owned()]);
        assert!(combine(&open, None, true).seccomp_unconfined);
    }

    #[test]
    fn a_broken_or_endless_configuration_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("config.json");
        assert!(read_config(&path).is_none());
        fs::write(&path, "[").expect("a file");
        assert!(read_config(&path).is_none());
        fs::write(&path, vec![b' '; MAX_CONFIG as usize + 1]).expect("a file");
        assert!(read_config(&path).is_none());
        assert!(read("../../etc", 1).is_none());
    }
}
