//! The pod's and the container's `securityContext`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{container_name, patch, usage};
use crate::plan::Changes;
use crate::profile::{Artifact, Context, Error, user, yaml};
use crate::spec::NetworkMode;

/// The artifact `k8s-security-context.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct SecurityContext;

impl Artifact for SecurityContext {
    fn format(&self) -> &'static str {
        "k8s-security-context"
    }

    fn description(&self) -> &'static str {
        "patch of a Kubernetes pod template: seccomp, AppArmor, capabilities, user, read-only root"
    }

    fn file_name(&self) -> &'static str {
        "k8s-security-context.yaml"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let name = context.profile_name();
        let mut comments = usage(context, self.file_name());
        comments.push(format!(
            "seccomp: formats spo-seccomp, or seccomp.json as /var/lib/kubelet/seccomp/operator/{name}.json on each node."
        ));
        comments.push("AppArmor: formats spo-apparmor, or apparmor.profile loaded on each node.".to_owned());

        let launch = context.launch;
        let started = launch.to_container();
        let mut pod = Map::new();
        if !started.sysctls.is_empty() {
            // ip_unprivileged_port_start and ping_group_range are safe sysctls since Kubernetes 1.22; others need the
            // kubelet's --allowed-unsafe-sysctls.
            let sysctls = started.sysctls.iter();
            pod.insert(
                "sysctls".into(),
                sysctls
                    .map(|(name, value)| json!({"name": name, "value": value}))
                    .collect(),
            );
        }
        let groups: Vec<u32> = started
            .groups
            .iter()
            .filter_map(|group| user::group(group, &context.image.rootfs))
            .collect();
        if !groups.is_empty() {
            pod.insert("supplementalGroups".into(), json!(groups));
        }
        let user = started
            .user
            .clone()
            .unwrap_or_else(|| context.image.config.user().to_owned());
        let user = user.as_str();
        let (uid, gid) = user::ids(user, &context.image.rootfs);
        match uid {
            Some(0) => {
                pod.insert("runAsNonRoot".into(), json!(false));
            }
            Some(uid) => {
                pod.insert("runAsNonRoot".into(), json!(true));
                pod.insert("runAsUser".into(), json!(uid));
                if let Some(gid) = gid {
                    pod.insert("runAsGroup".into(), json!(gid));
                }
            }
            None => comments.push(format!(
                "The user {user:?} is not in the image's /etc/passwd: set runAsUser and runAsNonRoot."
            )),
        }
        pod.insert(
            "seccompProfile".into(),
            json!({"type": "Localhost", "localhostProfile": format!("operator/{name}.json")}),
        );
        if let Some(profile) = &launch.apparmor {
            pod.insert(
                "appArmorProfile".into(),
                json!({"type": "Localhost", "localhostProfile": profile}),
            );
        }

        let mut container = Map::new();
        for path in &launch.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        container.insert(
            "allowPrivilegeEscalation".into(),
            json!(!launch.no_new_privileges()),
        );
        container.insert("privileged".into(), json!(false));
        let mut capabilities = Map::new();
        capabilities.insert("drop".into(), json!(["ALL"]));
        if !launch.capabilities.is_empty() {
            let names = launch
                .capabilities
                .iter()
                .map(|name| name.strip_prefix("CAP_").unwrap_or(name));
            capabilities.insert("add".into(), names.collect());
        }
        container.insert("capabilities".into(), Value::Object(capabilities));
        container.insert("readOnlyRootFilesystem".into(), json!(launch.is_read_only()));
        let mut fields = json!({"securityContext": container});
        let mut template = json!({"securityContext": pod});
        for (name, is_host) in [
            ("hostNetwork", started.network.mode == NetworkMode::Host),
            ("hostPID", started.pid.as_deref() == Some("host")),
            ("hostIPC", started.ipc.as_deref() == Some("host")),
        ] {
            if is_host {
                template[name] = json!(true);
            }
        }
        let volume = |number: usize| format!("{}-written-{number}", short(&container_name(context)));
        let targets: Vec<&str> = launch.tmpfs().map(|tmpfs| tmpfs.target.as_str()).collect();
        if !targets.is_empty() {
            // An emptyDir is root's with mode 0777: its owner and mode are not a pod's to say.
            let mounts = targets.iter().enumerate();
            fields["volumeMounts"] = mounts
                .map(|(number, path)| json!({"name": volume(number), "mountPath": path}))
                .collect();
            template["volumes"] = (0..targets.len())
                .map(|number| json!({"name": volume(number), "emptyDir": {}}))
                .collect();
        }
        if !launch.is_read_only() {
            let changes = Changes::of(context.recording, &context.image.rootfs);
            let rootfs = &context.image.rootfs;
            let changed: BTreeSet<_> = changes
                .files(rootfs)
                .into_iter()
                .chain(changes.directories(rootfs))
                .collect();
            let some: Vec<_> = changed.iter().take(5).map(ToString::to_string).collect();
            comments.push(if some.is_empty() {
                "The root is writable: the application did not behave as before with a read-only one."
                    .to_owned()
            } else {
                format!(
                    "The root is writable: the application changes {}",
                    some.join(", ")
                )
            });
        }
        Ok(yaml::document(&comments, &patch(context, template, fields)))
    }
}

/// As much of a name as leaves room for a suffix in a DNS label.
fn short(name: &str) -> &str {
    name.get(..40).unwrap_or(name).trim_end_matches('-')
}
