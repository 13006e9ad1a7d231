//! The pod's and the container's `securityContext`.

use serde_json::{Map, Value, json};

use super::{container_name, patch, usage};
use crate::profile::given::{Changed, facts, unprivileged_port};
use crate::profile::{Artifact, Context, Error, user, yaml};

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
        let plan = context.plan;
        let name = context.profile_name();
        let mut comments = usage(context, self.file_name());
        comments.push(format!(
            "seccomp: formats spo-seccomp, or seccomp.json as /var/lib/kubelet/seccomp/operator/{name}.json on each node."
        ));
        comments.push("AppArmor: formats spo-apparmor, or apparmor.profile loaded on each node.".to_owned());

        let mut pod = Map::new();
        if let Some(port) = unprivileged_port(context) {
            // A safe sysctl since Kubernetes 1.22.
            pod.insert(
                "sysctls".into(),
                json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": port.to_string()}]),
            );
        }
        let user = facts(context.recording).map_or("", |facts| facts.user.as_str());
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
        pod.insert(
            "appArmorProfile".into(),
            json!({"type": "Localhost", "localhostProfile": name}),
        );

        let mut container = Map::new();
        let gains = !plan.privilege_gain.is_empty();
        for path in &plan.privilege_gain {
            comments.push(format!("needs privilege gain: {path}"));
        }
        container.insert("allowPrivilegeEscalation".into(), json!(gains));
        container.insert("privileged".into(), json!(false));
        let mut capabilities = Map::new();
        capabilities.insert("drop".into(), json!(["ALL"]));
        if !plan.capabilities.is_empty() {
            let names = plan
                .capabilities
                .iter()
                .map(|c| c.name.trim_start_matches("CAP_"));
            capabilities.insert("add".into(), names.collect());
        }
        container.insert("capabilities".into(), Value::Object(capabilities));

        let changed = Changed::of(context);
        let memory = changed.in_memory(context);
        container.insert("readOnlyRootFilesystem".into(), json!(memory.is_some()));
        let mut fields = json!({"securityContext": container});
        let mut template = json!({"securityContext": pod});
        match memory {
            Some(directories) if !directories.is_empty() => {
                let volume = |number: usize| format!("{}-written-{number}", short(&container_name(context)));
                // A path that is no text cannot be mounted over by name.
                let paths: Vec<_> = directories.keys().map(|path| path.to_string()).collect();
                let mounts = paths.iter().enumerate();
                fields["volumeMounts"] = mounts
                    .map(|(number, path)| json!({"name": volume(number), "mountPath": path}))
                    .collect();
                template["volumes"] = (0..paths.len())
                    .map(|number| json!({"name": volume(number), "emptyDir": {}}))
                    .collect();
            }
            Some(_) => {}
            None => {
                let paths = changed.files.iter().chain(&changed.directories);
                let some: Vec<_> = paths.take(5).map(ToString::to_string).collect();
                comments.push(format!(
                    "The root cannot be read-only: the application changes {}",
                    some.join(", ")
                ));
            }
        }
        Ok(yaml::document(&comments, &patch(context, template, fields)))
    }
}

/// As much of a name as leaves room for a suffix in a DNS label.
fn short(name: &str) -> &str {
    name.get(..40).unwrap_or(name).trim_end_matches('-')
}
