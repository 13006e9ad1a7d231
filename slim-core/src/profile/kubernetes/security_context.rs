//! The pod's and the container's `securityContext`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{container_name, patch, usage};
use crate::plan::Changes;
use crate::profile::{Artifact, Context, Error, label, remark, user, yaml};
use crate::spec::{ContainerSpec, NetworkMode, Tmpfs};

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
        let privilege_gain = context.launch.privilege_gain.iter();
        comments.extend(privilege_gain.map(|path| format!("needs privilege gain: {path}")));
        let mut template = Template {
            context,
            comments,
            pod: Map::new(),
            container: Map::new(),
            volumes: Vec::new(),
            volume_mounts: Vec::new(),
            rest: context.launch.to_container(),
        };
        template.add_pod_security();
        template.add_container_security();
        template.add_namespaces();
        template.add_memory();
        template.add_process();
        template.add_names();
        template.add_limits();
        Ok(template.into_document())
    }
}

/// A pod template that is being written.
struct Template<'a> {
    context: &'a Context<'a>,
    comments: Vec<String>,
    /// Fields of the pod.
    pod: Map<String, Value>,
    /// Fields of the container.
    container: Map<String, Value>,
    volumes: Vec<Value>,
    volume_mounts: Vec<Value>,
    /// The options of the launch that no field says yet.
    rest: ContainerSpec,
}

impl Template<'_> {
    /// Kernel parameters, user, groups and profiles.
    fn add_pod_security(&mut self) {
        let launch = self.context.launch;
        let mut security = Map::new();
        let sysctls = std::mem::take(&mut self.rest.sysctls);
        if !sysctls.is_empty() {
            // ip_unprivileged_port_start and ping_group_range are safe sysctls since Kubernetes 1.22; others need the
            // kubelet's --allowed-unsafe-sysctls.
            let sysctls = sysctls.iter();
            security.insert(
                "sysctls".into(),
                sysctls
                    .map(|(name, value)| json!({"name": name, "value": value}))
                    .collect(),
            );
        }
        let numbers = user::take_numbers(&mut self.rest, self.context.image);
        self.comments.extend(numbers.remarks);
        if !numbers.groups.is_empty() {
            security.insert("supplementalGroups".into(), json!(numbers.groups));
        }
        match (numbers.user, &self.rest.user) {
            (Some((uid, gid)), _) => {
                security.insert("runAsNonRoot".into(), json!(uid != 0));
                security.insert("runAsUser".into(), json!(uid));
                if let Some(gid) = gid {
                    security.insert("runAsGroup".into(), json!(gid));
                }
            }
            (None, None) => {
                security.insert("runAsNonRoot".into(), json!(false));
            }
            (None, Some(user)) => self.comments.push(format!(
                "The user {user:?} is not in the image's /etc/passwd: set runAsUser and runAsNonRoot."
            )),
        }
        if launch.seccomp {
            let profile = format!("operator/{}.json", self.context.profile_name());
            security.insert(
                "seccompProfile".into(),
                json!({"type": "Localhost", "localhostProfile": profile}),
            );
        }
        if let Some(profile) = &launch.apparmor {
            security.insert(
                "appArmorProfile".into(),
                json!({"type": "Localhost", "localhostProfile": profile}),
            );
        }
        self.pod.insert("securityContext".into(), Value::Object(security));
    }

    /// Capabilities, no-new-privileges and the read-only root file system.
    fn add_container_security(&mut self) {
        let launch = self.context.launch;
        let mut capabilities = Map::new();
        capabilities.insert("drop".into(), json!(["ALL"]));
        if !launch.capabilities.is_empty() {
            let names = launch
                .capabilities
                .iter()
                .map(|name| name.strip_prefix("CAP_").unwrap_or(name));
            capabilities.insert("add".into(), names.collect());
        }
        self.rest.cap_drop.clear();
        self.rest.cap_add.clear();
        self.rest.security.no_new_privileges = None;
        self.rest.read_only = false;
        self.container.insert(
            "securityContext".into(),
            json!({
                "allowPrivilegeEscalation": !launch.no_new_privileges(),
                "privileged": false,
                "capabilities": capabilities,
                "readOnlyRootFilesystem": launch.is_read_only(),
            }),
        );
        if launch.is_read_only() {
            return;
        }
        let rootfs = &self.context.image.rootfs;
        let changes = Changes::new(self.context.recording, rootfs);
        let changed: BTreeSet<_> = changes
            .files(rootfs)
            .into_iter()
            .chain(changes.directories(rootfs))
            .collect();
        let some: Vec<_> = changed.iter().take(5).map(ToString::to_string).collect();
        self.comments.push(if some.is_empty() {
            "The root is writable: the application did not behave as before with a read-only one.".to_owned()
        } else {
            format!(
                "The root is writable: the application changes {}",
                some.join(", ")
            )
        });
    }

    /// Name spaces of the host.
    fn add_namespaces(&mut self) {
        if self.rest.network.mode == NetworkMode::Host {
            self.rest.network.mode = NetworkMode::Default;
            self.pod.insert("hostNetwork".into(), json!(true));
        }
        for (field, namespace) in [
            ("hostPID", &mut self.rest.pid),
            ("hostIPC", &mut self.rest.ipc),
            ("hostUsers", &mut self.rest.userns),
        ] {
            if namespace.as_deref() == Some("host") {
                *namespace = None;
                self.pod.insert(field.into(), json!(true));
            }
        }
    }

    /// Memory file systems. A pod cannot say their owner, their mode and that nothing may be executed.
    fn add_memory(&mut self) {
        for tmpfs in std::mem::take(&mut self.rest.tmpfs) {
            let pods = Tmpfs {
                target: tmpfs.target.clone(),
                mode: Some(0o777),
                exec: true,
                ..Tmpfs::default()
            };
            if tmpfs != pods {
                self.comments.push(remark::replaced(
                    &format!("--tmpfs {tmpfs}"),
                    &format!("--tmpfs {pods}"),
                ));
            }
            self.add_volume(&tmpfs.target, json!({"medium": "Memory"}));
        }
        if let Some(size) = self.rest.shm_size.take() {
            let directory = json!({"medium": "Memory", "sizeLimit": size.to_string()});
            self.add_volume("/dev/shm", directory);
        }
    }

    fn add_volume(&mut self, path: &str, directory: Value) {
        let name = container_name(self.context);
        let name = format!("{}-written-{}", short(&name), self.volumes.len());
        self.volumes.push(json!({"name": name, "emptyDir": directory}));
        self.volume_mounts.push(json!({"name": name, "mountPath": path}));
    }

    /// The command and where it runs.
    fn add_process(&mut self) {
        // Kubernetes puts variables in for $(NAME).
        let literal = |text: &String| json!(text.replace('$', "$$"));
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                self.container.insert(field.to_owned(), value);
            }
        };
        let own = |entrypoint: &String| !entrypoint.is_empty();
        if self.rest.entrypoint.as_ref().is_some_and(own) {
            let entrypoint = self.rest.entrypoint.take();
            set("command", Some(entrypoint.iter().map(literal).collect()));
        }
        let command = std::mem::take(&mut self.rest.command);
        let words = command.iter().map(literal);
        set("args", (!command.is_empty()).then(|| words.collect()));
        set(
            "workingDir",
            self.rest.workdir.take().map(|directory| json!(directory)),
        );
        let tty = std::mem::take(&mut self.rest.tty);
        set("tty", tty.then(|| json!(true)));
        if let Some(seconds) = self.rest.stop_timeout.take() {
            self.pod
                .insert("terminationGracePeriodSeconds".into(), json!(seconds));
        }
    }

    /// The host name, and how other names are looked up.
    fn add_names(&mut self) {
        let is_label = |name: &String| label(name) == *name && !name.is_empty();
        if let Some(name) = self.rest.hostname.take_if(|name| is_label(name)) {
            self.pod.insert("hostname".into(), json!(name));
        }
        let (hosts, other): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rest.extra_hosts)
            .into_iter()
            .partition(|host| host.address.parse::<IpAddr>().is_ok());
        self.rest.extra_hosts = other;
        let aliases = hosts
            .iter()
            .map(|host| json!({"ip": host.address, "hostnames": [host.name]}));
        if !hosts.is_empty() {
            self.pod.insert("hostAliases".into(), aliases.collect());
        }
        if self.rest.dns.servers.is_empty() {
            return;
        }
        let dns = std::mem::take(&mut self.rest.dns);
        let options = dns.options.iter().map(|option| match option.split_once(':') {
            Some((name, value)) => json!({"name": name, "value": value}),
            None => json!({"name": option}),
        });
        let options: Vec<Value> = options.collect();
        self.pod.insert("dnsPolicy".into(), json!("None"));
        self.pod.insert(
            "dnsConfig".into(),
            json!({"nameservers": dns.servers, "searches": dns.search, "options": options}),
        );
    }

    /// Limits of the launch; those from the recorded peaks are in a patch of their own.
    fn add_limits(&mut self) {
        let limits = &mut self.rest.limits;
        let mut all = Map::new();
        if let Some(bytes) = limits.memory.take() {
            all.insert("memory".into(), json!(bytes.to_string()));
        }
        // Thousandths of a processor are the least that it takes.
        if let Some(nano) = limits.nano_cpus.take_if(|nano| *nano % 1_000_000 == 0) {
            all.insert("cpu".into(), json!(format!("{}m", nano / 1_000_000)));
        }
        if !all.is_empty() {
            self.container.insert("resources".into(), json!({"limits": all}));
        }
    }

    fn into_document(mut self) -> Vec<u8> {
        if !self.volumes.is_empty() {
            self.container
                .insert("volumeMounts".into(), Value::Array(self.volume_mounts));
            self.pod.insert("volumes".into(), Value::Array(self.volumes));
        }
        self.comments.extend(remark::rest(&self.rest));
        let patch = patch(
            self.context,
            Value::Object(self.pod),
            Value::Object(self.container),
        );
        yaml::document(&self.comments, &patch)
    }
}

/// As much of a name as leaves room for a suffix in a DNS label.
fn short(name: &str) -> &str {
    name.get(..40).unwrap_or(name).trim_end_matches('-')
}
