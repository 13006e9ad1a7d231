//! Containers from their creation to their end.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::{ContainerInspectResponse, PortBinding, PortMap};
use bollard::query_parameters as query;
use futures_util::StreamExt;

use super::answer::{check_name, refused, status};
use super::cgroup::Sampler;
use super::cleanup::OwnedContainer;
use super::connect::parse_api;
use super::{Docker, start, translate};
use crate::engine::{Container, Engine as _, Error, State};
use crate::image::ImageRef;
use crate::owned::Kind;
use crate::recording::Outcome;
use crate::spec::ContainerSpec;

impl Docker {
    pub(super) async fn find_container(&self, name_or_id: &str) -> Result<Container, Error> {
        check_name("find a container", name_or_id)?;
        let found = self.inspect(name_or_id).await.map_err(|error| match error {
            Error::Gone { container: name } => Error::NoContainer { name },
            other => other,
        })?;
        Ok(Container {
            id: found.id.unwrap_or_default(),
            name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        })
    }

    pub(super) async fn create_container(
        &self,
        image: &ImageRef,
        spec: &ContainerSpec,
    ) -> Result<Container, Error> {
        self.check(spec)?;
        let request = translate::request(spec);
        let pid = std::process::id();
        let claim = self.claim(Kind::Container, |token| format!("slim-{pid}-{}", &token[..12]))?;
        let name = claim.thing().name.clone();
        let mut body = request.body;
        body.image = Some(self.name_of(&image.id));
        body.labels
            .get_or_insert_default()
            .extend(self.container_labels(image, &claim));
        self.created().containers.insert(
            name.clone(),
            OwnedContainer {
                claim,
                creating: true,
                volumes: request.volumes.iter().filter_map(|v| v.name.clone()).collect(),
                spec: spec.clone(),
                sampler: None,
            },
        );
        let host = body.host_config.get_or_insert_default();
        if !["json-file", "local", "journald"].contains(&self.0.description.logging_driver.as_str()) {
            // The other drivers cannot give the log back.
            host.log_config.get_or_insert_default().typ = Some("json-file".to_owned());
        }
        let network = host.network_mode.as_deref().unwrap_or("bridge");
        if self.0.description.rootless
            && network != "host"
            && network != "none"
            && !network.starts_with("container:")
        {
            // Addresses of a rootless engine's containers are in a name space of its own.
            let ports = host.port_bindings.get_or_insert_default();
            for port in image.config.exposed_ports() {
                ports.entry(port).or_insert_with(|| {
                    Some(vec![PortBinding {
                        host_ip: Some("127.0.0.1".to_owned()),
                        host_port: Some(String::new()),
                    }])
                });
            }
        }
        let made = async {
            self.make_volumes(request.volumes).await?;
            let query = query::CreateContainerOptionsBuilder::default().name(&name);
            let query = match &request.platform {
                Some(platform) => query.platform(platform).build(),
                None => query.build(),
            };
            self.client()
                .create_container(Some(query), body)
                .await
                .map_err(|e| refused(&format!("create a container of {}", image.reference), e))
        }
        .await;
        if let Some(owned) = self.created().containers.get_mut(&name) {
            owned.creating = false;
            if let Ok(made) = &made {
                owned.claim.made(&made.id);
            }
        }
        let found = Container {
            id: made.as_ref().map_or(&name, |m| &m.id).clone(),
            name,
        };
        match made {
            Ok(_) => Ok(found),
            Err(error) => {
                let _ = self.remove(&found).await;
                Err(error)
            }
        }
    }

    /// Refuses what this engine's API cannot say, rather than leaving it out.
    fn check(&self, spec: &ContainerSpec) -> Result<(), Error> {
        /// The first API with the MAC address of an endpoint (Docker 25.0).
        const MAC_ADDRESS: (usize, usize) = (1, 44);
        let api = parse_api(&self.0.facts.api).unwrap_or_default();
        if spec.network.mac.is_some() && api < MAC_ADDRESS {
            return Err(Error::Refused {
                action: "set --mac-address".to_owned(),
                message: format!(
                    "it speaks API {}, and that is in 1.44 (Docker 25.0)",
                    self.0.facts.api
                ),
            });
        }
        Ok(())
    }

    pub(super) async fn start_container(&self, container: &Container) -> Result<(), Error> {
        self.client()
            .start_container(&container.id, None)
            .await
            .map_err(|error| match error {
                ApiError::DockerResponseServerError {
                    status_code: 404,
                    message,
                } if message == format!("No such container: {}", container.id) => Error::Gone {
                    container: container.name.clone(),
                },
                ApiError::DockerResponseServerError { message, .. } => start::explain(&message),
                other => refused(&format!("start the container {}", container.name), other),
            })?;
        if let Ok(state) = self.state(container).await {
            let sampler = Sampler::start(&container.id, state.pid);
            if let Some(owned) = self.created().containers.get_mut(&container.name) {
                owned.sampler = sampler;
            }
        }
        Ok(())
    }

    pub(super) async fn container_state(&self, container: &Container) -> Result<State, Error> {
        let found = self.inspect(&container.id).await?;
        let mut addresses = addresses(&found);
        let mode = found.host_config.as_ref().and_then(|h| h.network_mode.as_deref());
        if let Some(other) = mode.and_then(|m| m.strip_prefix("container:")) {
            addresses = self::addresses(&self.inspect(other).await?);
        }
        if self.0.description.rootless && mode != Some("host") {
            addresses.clear();
        }
        let ports = found.network_settings.as_ref().and_then(|n| n.ports.as_ref());
        let published = ports.map(published).unwrap_or_default();
        let restarts = found.restart_count.unwrap_or(0).unsigned_abs();
        let state = found.state.unwrap_or_default();
        let running = state.running.unwrap_or(false);
        let never_started = state.started_at.as_deref().is_none_or(|t| t.starts_with("0001"));
        Ok(State {
            running,
            outcome: Outcome {
                exit_code: state.exit_code.filter(|_| !running && !never_started),
                oom_killed: state.oom_killed.unwrap_or(false),
                ..Outcome::default()
            },
            restarts,
            pid: state
                .pid
                .and_then(|pid| u32::try_from(pid).ok())
                .filter(|&pid| pid != 0),
            addresses,
            published,
        })
    }

    pub(super) async fn wait_for_end(&self, container: &Container) -> Result<Outcome, Error> {
        let options = query::WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        let mut stream = std::pin::pin!(self.client().wait_container(&container.id, Some(options)));
        match stream.next().await {
            None | Some(Ok(_) | Err(ApiError::DockerContainerWaitError { .. })) => {}
            Some(Err(error)) => return Err(self.container_error("wait for the end", container, error)),
        }
        Ok(self.state(container).await?.outcome)
    }

    pub(super) async fn stop_container(&self, container: &Container, seconds: u32) -> Result<Outcome, Error> {
        let found = self.inspect(&container.id).await?;
        let mut by_slim = Outcome::default();
        if found.state.and_then(|s| s.running).unwrap_or(false) {
            by_slim.stopped_by_slim = true;
            if seconds > 0 {
                let signal = found.config.and_then(|c| c.stop_signal).filter(|s| !s.is_empty());
                self.signal(container, signal.as_deref().unwrap_or("SIGTERM"))
                    .await?;
            }
            let limit = Duration::from_secs(seconds.into());
            if seconds == 0 || tokio::time::timeout(limit, self.wait(container)).await.is_err() {
                by_slim.killed = true;
                self.signal(container, "SIGKILL").await?;
            }
        }
        let outcome = self.wait(container).await?;
        Ok(Outcome {
            stopped_by_slim: by_slim.stopped_by_slim,
            // Ending just before the kill is its own end.
            killed: by_slim.killed && outcome.exit_code == Some(137),
            ..outcome
        })
    }

    async fn signal(&self, container: &Container, signal: &str) -> Result<(), Error> {
        let options = query::KillContainerOptionsBuilder::default()
            .signal(signal)
            .build();
        match self.client().kill_container(&container.id, Some(options)).await {
            Ok(()) => Ok(()),
            // It does not run: it ended by itself meanwhile.
            Err(error) if status(&error) == Some(409) => Ok(()),
            Err(error) => Err(self.container_error("end the processes", container, error)),
        }
    }

    pub(super) async fn inspect(&self, container: &str) -> Result<ContainerInspectResponse, Error> {
        self.client()
            .inspect_container(container, None)
            .await
            .map_err(|error| match status(&error) {
                Some(404) => Error::Gone {
                    container: container.to_owned(),
                },
                _ => refused(&format!("inspect the container {container}"), error),
            })
    }

    pub(super) fn container_error(&self, action: &str, container: &Container, error: ApiError) -> Error {
        match status(&error) {
            Some(404) => Error::Gone {
                container: container.name.clone(),
            },
            _ => refused(&format!("{action} of the container {}", container.name), error),
        }
    }
}

/// The container's addresses on its networks, or loopback on the host's.
fn addresses(found: &ContainerInspectResponse) -> Vec<IpAddr> {
    let mode = found.host_config.as_ref().and_then(|h| h.network_mode.as_deref());
    if mode == Some("host") {
        return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    let networks = found.network_settings.as_ref().and_then(|n| n.networks.as_ref());
    let mut list: Vec<IpAddr> = networks
        .into_iter()
        .flat_map(HashMap::values)
        .flat_map(|n| [n.ip_address.as_deref(), n.global_ipv6_address.as_deref()])
        .flatten()
        .filter_map(|text| text.parse().ok())
        .collect();
    list.sort();
    list.dedup();
    list
}

/// Published ports, as they are reached from this host.
fn published(ports: &PortMap) -> Vec<(u16, String, SocketAddr)> {
    let mut list = Vec::new();
    for (port, bindings) in ports {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        for binding in bindings.iter().flatten() {
            let host = binding.host_port.as_deref().and_then(|p| p.parse::<u16>().ok());
            let address = match binding.host_ip.as_deref().map(str::parse::<IpAddr>) {
                Some(Ok(ip)) if !ip.is_unspecified() => ip,
                Some(Ok(IpAddr::V6(_))) => Ipv6Addr::LOCALHOST.into(),
                _ => Ipv4Addr::LOCALHOST.into(),
            };
            if let (Ok(number), Some(host)) = (number.parse(), host) {
                list.push((number, protocol.to_owned(), SocketAddr::new(address, host)));
            }
        }
    }
    list.sort();
    list
}
