//! From what a container was started with to what its product is started with.

use std::collections::BTreeMap;

use super::{InMemory, Plan};
use crate::image::Config;
use crate::recording::{Actor, ContainerFacts, Recording, Run, SocketAction, SocketUse};
use crate::spec::{ContainerSpec, LaunchSpec, NetworkMode, Tmpfs};

/// `net.ipv4.ip_unprivileged_port_start`: the first port that needs no capability to be bound.
const PORT_START: &str = "net.ipv4.ip_unprivileged_port_start";

/// `net.ipv4.ping_group_range`: the groups that may open an ICMP socket without CAP_NET_RAW.
const PING_GROUPS: &str = "net.ipv4.ping_group_range";

/// Returns the description of a recorded container of an image with this configuration, command included: recordings of
/// the first format, and of containers that somebody else created, have the command as it ran, behind its entrypoint.
pub fn recorded_container(facts: &ContainerFacts, config: &Config) -> ContainerSpec {
    let mut spec = facts.spec.clone();
    if spec.command.is_empty() {
        let (before, default) = match &spec.entrypoint {
            // An entrypoint of the user's own resets the image's command.
            Some(entrypoint) => (vec![entrypoint.clone()], Vec::new()),
            None => (config.entrypoint(), config.cmd()),
        };
        let rest = facts.command.strip_prefix(before.as_slice());
        if let Some(rest) = rest.filter(|rest| *rest != default) {
            spec.command = rest.to_vec();
        }
    }
    spec
}

/// Returns what a product of `plan` is started with in place of `container`: its own seccomp profile, its capabilities
/// and no more, and no-new-privileges unless something gains privilege.
pub fn confine(container: &ContainerSpec, plan: &Plan, recording: &Recording) -> LaunchSpec {
    let own_network = !matches!(
        container.network.mode,
        NetworkMode::Host | NetworkMode::Container(_)
    );
    LaunchSpec {
        container: container.clone(),
        capabilities: plan.capabilities.iter().map(|c| c.name.clone()).collect(),
        seccomp: true,
        apparmor: None,
        privilege_gain: plan.privilege_gain.iter().cloned().collect(),
        read_only: None,
        // In a network name space of somebody else's they are that one's to set.
        sysctls: if own_network {
            relied_sysctls(plan, recording)
        } else {
            BTreeMap::new()
        },
    }
}

/// Returns what a product that nobody ran is started with: under an AppArmor profile, and with a read-only root file
/// system where everything that the recording saw written can go to memory.
pub fn unverified(base: &LaunchSpec, memory: &InMemory, apparmor: &str) -> LaunchSpec {
    let launch = base.under_apparmor(apparmor);
    if memory.obstacles.is_empty() {
        launch.with_read_only(&memory.tmpfs)
    } else {
        launch
    }
}

impl LaunchSpec {
    /// Returns it with a root file system that is read-only, and memory where the application writes.
    pub fn with_read_only(&self, tmpfs: &[Tmpfs]) -> Self {
        Self {
            read_only: Some(tmpfs.to_vec()),
            ..self.clone()
        }
    }

    /// Returns it under the AppArmor profile `name`.
    pub fn under_apparmor(&self, name: &str) -> Self {
        Self {
            apparmor: Some(name.to_owned()),
            ..self.clone()
        }
    }

    /// Returns it under another user (`UID[:GID]`).
    pub fn under_user(&self, user: &str) -> Self {
        let mut launch = self.clone();
        launch.container.user = Some(user.to_owned());
        launch
    }
}

/// Returns the kernel parameters that an engine sets by itself and that the application relied on, with values that are
/// enough for it: it binds a low port without CAP_NET_BIND_SERVICE, or sends pings without CAP_NET_RAW.
pub fn relied_sysctls(plan: &Plan, recording: &Recording) -> BTreeMap<String, String> {
    let granted = |name: &str| plan.capabilities.iter().any(|capability| capability.name == name);
    let mut sysctls = BTreeMap::new();
    if !granted("CAP_NET_BIND_SERVICE")
        && let Some(port) = recording
            .runs
            .values()
            .filter_map(|run| lowest_unprivileged_port(run))
            .min()
    {
        sysctls.insert(PORT_START.to_owned(), port.to_string());
    }
    if !granted("CAP_NET_RAW") && recording.runs.values().any(|run| opens_ping_socket(run)) {
        // Docker's own value; the bounds are inclusive (Documentation/networking/ip-sysctl.rst).
        sysctls.insert(PING_GROUPS.to_owned(), "0 2147483647".to_owned());
    }
    sysctls
}

/// The lowest port below 1024 that the application bound and that the run's `ip_unprivileged_port_start` allowed.
fn lowest_unprivileged_port(run: &Run) -> Option<u16> {
    let start = run.host.unprivileged_port_start.unwrap_or(1024);
    by_app(run)
        .filter(|socket| {
            socket.action == SocketAction::Bind
                && is_internet(socket)
                && (1..1024).contains(&socket.port)
                && socket.port >= start
        })
        .map(|socket| socket.port)
        .min()
}

/// Returns whether the application made a datagram socket for ICMP (1) or ICMPv6 (58).
fn opens_ping_socket(run: &Run) -> bool {
    by_app(run)
        .any(|socket| is_internet(socket) && socket.kind == "dgram" && matches!(socket.protocol, 1 | 58))
}

fn by_app(run: &Run) -> impl Iterator<Item = &SocketUse> {
    run.sockets.iter().filter(|socket| socket.actor == Actor::App)
}

fn is_internet(socket: &SocketUse) -> bool {
    matches!(socket.family.as_str(), "inet" | "inet6")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::changes::tests::plan;
    use crate::plan::{AllowedCapability, Obstacle};
    use crate::recording::Phase;
    use crate::recording::tests::run;
    use crate::spec::Network;

    fn socket(kind: &str, protocol: u16, action: SocketAction, port: u16) -> SocketUse {
        SocketUse {
            action,
            family: "inet".into(),
            kind: kind.into(),
            protocol,
            address: String::new(),
            port,
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
        }
    }

    fn recorded(sockets: Vec<SocketUse>) -> Recording {
        let mut run = run(1);
        run.host.unprivileged_port_start = Some(0);
        run.sockets = sockets;
        let mut recording = Recording::new(run.image.clone());
        recording.insert(run).unwrap();
        recording
    }

    #[test]
    fn what_the_engine_set_and_the_application_relied_on_is_said() {
        let recording = recorded(vec![
            socket("stream", 6, SocketAction::Bind, 443),
            socket("stream", 6, SocketAction::Bind, 80),
            socket("dgram", 1, SocketAction::Create, 0),
        ]);
        let mut plan = plan(&recording, &[]);
        let sysctls = |plan: &Plan| confine(&ContainerSpec::default(), plan, &recording).sysctls;
        let expected = BTreeMap::from([
            (PORT_START.to_owned(), "80".to_owned()),
            (PING_GROUPS.to_owned(), "0 2147483647".to_owned()),
        ]);
        assert_eq!(sysctls(&plan), expected);
        // With the capabilities it needs neither.
        plan.capabilities = ["CAP_NET_BIND_SERVICE", "CAP_NET_RAW"]
            .map(|name| AllowedCapability {
                name: name.into(),
                reasons: Vec::new(),
            })
            .to_vec();
        assert_eq!(sysctls(&plan), BTreeMap::new());
    }

    #[test]
    fn a_network_of_somebody_elses_is_left_as_it_is() {
        let recording = recorded(vec![socket("stream", 6, SocketAction::Bind, 80)]);
        let container = ContainerSpec {
            network: Network {
                mode: NetworkMode::Host,
                ..Network::default()
            },
            ..ContainerSpec::default()
        };
        assert!(
            confine(&container, &plan(&recording, &[]), &recording)
                .sysctls
                .is_empty()
        );
    }

    #[test]
    fn nobody_knows_that_an_obstacle_does_not_matter_before_it_was_run() {
        let base = LaunchSpec::default();
        let mut memory = InMemory::default();
        assert_eq!(unverified(&base, &memory, "slim-app").read_only, Some(Vec::new()));
        memory.obstacles.push(Obstacle::TooMany(40));
        let launch = unverified(&base, &memory, "slim-app");
        assert_eq!(launch.read_only, None);
        assert_eq!(launch.apparmor.as_deref(), Some("slim-app"));
    }
}
