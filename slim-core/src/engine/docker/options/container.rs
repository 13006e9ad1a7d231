//! From a container that somebody else created back to the options of `docker run` that would create it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{ContainerInspectResponse, ImageConfig, Mount, MountType};

use super::Words;
use crate::engine::docker::cleanup::LABELS;

/// Names of the variables that `found` has beyond its image's, and the options as words for a shell, as in
/// [`super::Request::words`].
pub(in crate::engine::docker) fn of_container(
    found: &ContainerInspectResponse,
    image: &ImageConfig,
) -> (Vec<String>, Vec<String>) {
    let mut words = Words::default();
    let config = found.config.clone().unwrap_or_default();
    let host = found.host_config.clone().unwrap_or_default();

    let inherited: BTreeSet<&String> = image.env.iter().flatten().collect();
    let names: BTreeSet<String> = config
        .env
        .iter()
        .flatten()
        .filter(|e| !inherited.contains(e))
        .map(|e| e.split('=').next().unwrap_or_default().to_owned())
        .collect();
    for name in &names {
        words.add("env", name);
    }
    let declared: BTreeSet<&String> = image.volumes.iter().flatten().collect();
    for target in config.volumes.iter().flatten().filter(|v| !declared.contains(v)) {
        words.add("volume", target);
    }
    for bind in host.binds.iter().flatten() {
        words.add("volume", bind);
    }
    for mount in host.mounts.iter().flatten() {
        if let Some(text) = mount_text(mount) {
            words.add("mount", &text);
        }
    }
    for (target, settings) in sorted(host.tmpfs.as_ref()) {
        if settings.is_empty() {
            words.add("tmpfs", target);
        } else {
            words.add("tmpfs", &format!("{target}:{settings}"));
        }
    }
    if let Some(network) = host.network_mode.as_deref()
        && !matches!(network, "" | "default" | "bridge")
    {
        words.add("network", network);
    }
    for (port, bindings) in sorted(host.port_bindings.as_ref()) {
        for binding in bindings.iter().flatten() {
            let address = binding
                .host_ip
                .as_deref()
                .filter(|a| !a.is_empty() && *a != "0.0.0.0");
            let host = binding.host_port.as_deref().unwrap_or_default();
            words.add(
                "publish",
                &match address {
                    Some(address) if address.contains(':') => format!("[{address}]:{host}:{port}"),
                    Some(address) => format!("{address}:{host}:{port}"),
                    None if host.is_empty() => port.clone(),
                    None => format!("{host}:{port}"),
                },
            );
        }
    }
    let changed = |now: &Option<String>, before: &Option<String>| {
        now.clone()
            .filter(|v| !v.is_empty() && before.as_ref() != Some(v))
    };
    if let Some(user) = changed(&config.user, &image.user) {
        words.add("user", &user);
    }
    if config.entrypoint.as_deref().unwrap_or_default() != image.entrypoint.as_deref().unwrap_or_default() {
        // What follows its first word was the command line's, and is in the command.
        let entrypoint = config.entrypoint.iter().flatten().next();
        words.add("entrypoint", entrypoint.map_or("", String::as_str));
    }
    if let Some(workdir) = changed(&config.working_dir, &image.working_dir) {
        words.add("workdir", &workdir);
    }
    let id = found.id.as_deref().unwrap_or_default();
    if let Some(hostname) = &config.hostname
        && !hostname.is_empty()
        && !id.starts_with(hostname.as_str())
        && host.network_mode.as_deref() != Some("host")
    {
        words.add("hostname", hostname);
    }
    if host.readonly_rootfs == Some(true) {
        words.0.push("--read-only".to_owned());
    }
    if let Some(memory) = host.memory.filter(|&m| m > 0) {
        words.add("memory", &memory.to_string());
    }
    for option in host
        .security_opt
        .iter()
        .flatten()
        .filter(|o| !o.starts_with("seccomp"))
    {
        words.add("security-opt", option);
    }
    for name in host.extra_hosts.iter().flatten() {
        words.add("add-host", name);
    }
    for (name, value) in sorted(config.labels.as_ref()) {
        let inherited = image.labels.as_ref().and_then(|l| l.get(name)) == Some(value);
        if !inherited && !name.starts_with(LABELS) {
            words.add("label", &format!("{name}={value}"));
        }
    }
    (names.into_iter().collect(), words.0)
}

fn sorted<V>(map: Option<&HashMap<String, V>>) -> BTreeMap<&String, &V> {
    map.into_iter().flatten().collect()
}

/// `type=…,source=…,target=…`; none for kinds that the command line does not have.
fn mount_text(mount: &Mount) -> Option<String> {
    let kind = match mount.typ? {
        MountType::BIND => "bind",
        MountType::VOLUME => "volume",
        MountType::TMPFS => "tmpfs",
        _ => return None,
    };
    let mut fields = vec![format!("type={kind}")];
    fields.extend(
        mount
            .source
            .as_ref()
            .filter(|s| !s.is_empty())
            .map(|s| format!("source={s}")),
    );
    fields.push(format!("target={}", mount.target.as_deref()?));
    if mount.read_only == Some(true) {
        fields.push("readonly".to_owned());
    }
    if let Some(options) = &mount.tmpfs_options {
        fields.extend(
            options
                .size_bytes
                .filter(|&s| s > 0)
                .map(|s| format!("tmpfs-size={s}")),
        );
        fields.extend(
            options
                .mode
                .filter(|&m| m > 0)
                .map(|m| format!("tmpfs-mode={m:o}")),
        );
    }
    Some(
        fields
            .iter()
            .map(|f| super::mounts::csv_field(f))
            .collect::<Vec<_>>()
            .join(","),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ContainerOptions;
    use std::path::Path;

    /// A container as the engine describes it, made of what it was asked for.
    fn describe(options: &ContainerOptions) -> (ContainerInspectResponse, Vec<String>) {
        let here = super::super::Here {
            directory: Path::new("/here"),
            lookup: &|_| None,
        };
        let request = super::super::request(options, &here).expect("options");
        let body = serde_json::to_value(&request.body).expect("JSON");
        let found = ContainerInspectResponse {
            config: serde_json::from_value(body).ok(),
            host_config: request.body.host_config,
            ..ContainerInspectResponse::default()
        };
        (found, request.words)
    }

    #[test]
    fn the_options_come_back() {
        let list = |items: &[&str]| items.iter().map(|&i| i.to_owned()).collect::<Vec<_>>();
        let options = ContainerOptions {
            env: list(&["A=secret", "B=2"]),
            volume: list(&["/anon", "data:/data", "/conf:/etc/conf:ro"]),
            mount: list(&[
                "type=bind,source=/a,\"target=/x,y\",readonly",
                "type=tmpfs,target=/t,tmpfs-mode=1770",
            ]),
            tmpfs: list(&["/run", "/scratch:size=1m"]),
            network: Some("net".into()),
            publish: list(&["53/udp", "8080:80/tcp", "127.0.0.1::80/tcp", "[::1]:81:80/tcp"]),
            user: Some("1000:1000".into()),
            entrypoint: Some("/bin/app".into()),
            workdir: Some("/srv".into()),
            hostname: Some("box".into()),
            read_only: true,
            memory: Some("67108864".into()),
            security_opt: list(&["no-new-privileges", "seccomp=unconfined"]),
            add_host: list(&["db:10.0.0.1"]),
            label: list(&["a=it's", "b="]),
            ..ContainerOptions::default()
        };
        let (found, words) = describe(&options);
        let (names, again) = of_container(&found, &ImageConfig::default());
        assert_eq!(again, words);
        assert_eq!(names, ["A", "B"]);
        assert!(!again.join(" ").contains("secret"));
    }

    #[test]
    fn what_the_image_says_is_no_option() {
        let (found, _) = describe(&ContainerOptions {
            env: vec!["A=1".into(), "B=2".into()],
            user: Some("app".into()),
            entrypoint: Some("/bin/app".into()),
            label: vec!["a=1".into()],
            ..ContainerOptions::default()
        });
        let image = ImageConfig {
            env: Some(vec!["A=1".into()]),
            user: Some("app".into()),
            entrypoint: Some(vec!["/bin/app".into()]),
            labels: Some([("a".to_owned(), "1".to_owned())].into()),
            ..ImageConfig::default()
        };
        let (names, words) = of_container(&found, &image);
        assert_eq!(
            (names, words),
            (vec!["B".to_owned()], vec!["--env".to_owned(), "B".to_owned()])
        );
    }
}
