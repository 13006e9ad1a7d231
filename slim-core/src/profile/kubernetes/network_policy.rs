//! The network policy: who may be talked to, from the observed sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::container_name;
use crate::profile::{Artifact, Context, Error, yaml};
use crate::recording::{Actor, SocketAction, SocketUse};
use crate::spec::NetworkMode;

/// The artifact `k8s-network-policy.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct NetworkPolicy;

/// The port of name servers.
const DNS: u16 = 53;

/// The first port that the kernel gives to whoever asks for none (`net.ipv4.ip_local_port_range`).
const FIRST_EPHEMERAL: u16 = 32768;

/// A protocol and a port, with the addresses that were seen.
type Ports = BTreeMap<(&'static str, u16), BTreeSet<String>>;

impl Artifact for NetworkPolicy {
    fn format(&self) -> &'static str {
        "k8s-network-policy"
    }

    fn description(&self) -> &'static str {
        "Kubernetes NetworkPolicy from the observed sockets"
    }

    fn file_name(&self) -> &'static str {
        "k8s-network-policy.yaml"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let name = container_name(context);
        let (served, mut asked) = ports(context);
        let mut comments = vec![
            format!("What {} was seen to need, and no more.", context.plan.reference),
            format!("It selects pods labelled app.kubernetes.io/name={name}: write your own labels there."),
        ];
        if context.launch.container.network.mode == NetworkMode::Host {
            comments.push(
                "The recorded container had the host's network; a policy does not hold for such pods.".into(),
            );
        }
        for ((protocol, port), addresses) in &asked {
            let some: Vec<&str> = addresses.iter().take(5).map(String::as_str).collect();
            let more = addresses.len().saturating_sub(some.len());
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            comments.push(format!(
                "It went out to {protocol} port {port} of {}{more}.",
                some.join(", ")
            ));
        }
        if !asked.is_empty() {
            comments.push(
                "A container's peers have other addresses in a cluster: add \"to\" where you know them."
                    .to_owned(),
            );
        }
        if asked.contains_key(&("UDP", DNS)) {
            // A long answer comes over TCP.
            asked.entry(("TCP", DNS)).or_default();
        }
        let rules = |ports: &Ports| -> Value {
            let list = ports
                .keys()
                .map(|(protocol, port)| json!({"protocol": protocol, "port": port}));
            let list: Vec<Value> = list.collect();
            if list.is_empty() {
                json!([])
            } else {
                json!([{"ports": list}])
            }
        };
        let policy = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": context.profile_name()},
            "spec": {
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": name}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": rules(&served),
                "egress": rules(&asked),
            },
        });
        Ok(yaml::document(&comments, &policy))
    }
}

/// Returns the ports that were listened on, and those that were connected to.
fn ports(context: &Context<'_>) -> (Ports, Ports) {
    let (mut served, mut asked) = (Ports::new(), Ports::new());
    let runs = context.recording.runs.values();
    let sockets: Vec<&SocketUse> = runs
        .flat_map(|run| &run.sockets)
        .filter(|socket| socket.actor == Actor::App && matches!(socket.family.as_str(), "inet" | "inet6"))
        .collect();
    let streams: BTreeSet<u16> = sockets
        .iter()
        .filter(|socket| socket.action == SocketAction::Connect && protocol(socket) == Some("TCP"))
        .map(|socket| socket.port)
        .collect();
    for socket in sockets {
        let Some(protocol) = protocol(socket) else {
            continue;
        };
        if socket.port == 0 {
            continue;
        }
        let address = socket.address.parse::<IpAddr>();
        let inside = address.is_ok_and(|address| address.to_canonical().is_loopback());
        let entry = |ports: &mut Ports| {
            let addresses = ports.entry((protocol, socket.port)).or_default();
            addresses.insert(socket.address.clone());
        };
        match socket.action {
            SocketAction::Listen if !inside => entry(&mut served),
            // A datagram socket that is bound to a port of its own choice is a client's.
            SocketAction::Bind if protocol == "UDP" && !inside && socket.port < FIRST_EPHEMERAL => {
                entry(&mut served)
            }
            // The C library connects a datagram socket to each address of a name, to sort them, and sends nothing.
            SocketAction::Connect if protocol == "UDP" && streams.contains(&socket.port) => {}
            // An engine's own resolver listens inside; a cluster's does not.
            SocketAction::Connect | SocketAction::Send if !inside || socket.port == DNS => entry(&mut asked),
            _ => {}
        }
    }
    (served, asked)
}

/// The protocol as a policy names it; none for those that it has no word for.
fn protocol(socket: &SocketUse) -> Option<&'static str> {
    match (socket.kind.as_str(), socket.protocol) {
        // IPPROTO_SCTP
        ("stream" | "seqpacket", 132) => Some("SCTP"),
        ("stream", _) => Some("TCP"),
        ("dgram", 0 | 17) => Some("UDP"),
        _ => None,
    }
}
