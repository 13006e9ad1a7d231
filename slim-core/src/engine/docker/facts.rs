//! Facts about the engine's host, its runtimes and its containers.

use std::time::Duration;

use bollard::query_parameters as query;
use futures_util::StreamExt;

use super::cgroup::{self, Sampler};
use super::{Address, Docker, bundle, describe};
use crate::engine::{Container, Engine as _, Error};
use crate::recording::{ContainerFacts, Peaks, RuntimeFacts};

impl Docker {
    pub(super) fn check_kernel(&self) -> Result<(), Error> {
        let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
        let (kernel, host) = nix::sys::utsname::uname()
            .map(|u| (text(u.release()), text(u.nodename())))
            .unwrap_or_default();
        let theirs = &self.0.description;
        let over_network = matches!(self.0.address, Address::Tcp { .. });
        if theirs.kernel == kernel && (!over_network || theirs.host_name == host) {
            return Ok(());
        }
        Err(Error::OtherKernel {
            address: self.0.address.to_string(),
            theirs: format!("{} on {:?}", theirs.kernel, theirs.host_name),
            ours: format!("{kernel} on {host:?}"),
        })
    }

    /// The first port that the container may bind without CAP_NET_BIND_SERVICE
    /// (`net.ipv4.ip_unprivileged_port_start` in its network name space), if it is known.
    ///
    /// # Errors
    /// As [`Engine::state`](crate::engine::Engine::state).
    pub async fn unprivileged_port_start(&self, container: &Container) -> Result<Option<u16>, Error> {
        Ok(bundle::unprivileged_port_start(
            &self.inspect(&container.id).await?,
        ))
    }

    pub(super) async fn facts_of(
        &self,
        container: &Container,
    ) -> Result<(ContainerFacts, RuntimeFacts), Error> {
        let found = self.inspect(&container.id).await?;
        let mut facts = bundle::facts(&found, self.0.description.seccomp);
        let own = self
            .created()
            .containers
            .get(&container.name)
            .map(|owned| owned.spec.clone());
        facts.spec = match own {
            Some(own) => own,
            None => {
                let name = found.image.clone().unwrap_or_default();
                let image = self.inspect_image(&name).await.ok().and_then(|i| i.config);
                describe::describe(
                    &found,
                    &image.unwrap_or_default(),
                    self.0.description.private_cgroupns,
                )
            }
        };
        let runtime = found
            .host_config
            .and_then(|h| h.runtime)
            .filter(|r| !r.is_empty());
        let name = runtime.unwrap_or_else(|| self.0.description.default_runtime.clone());
        Ok((facts, self.runtime(&name).await))
    }

    /// Name and version of a runtime (`runc`, `io.containerd.runc.v2`, a path).
    async fn runtime(&self, name: &str) -> RuntimeFacts {
        let description = &self.0.description;
        let short = match name {
            "io.containerd.runc.v2" | "io.containerd.runtime.v1.linux" => "runc",
            other => other.rsplit('/').next().unwrap_or(other),
        };
        let mut version = description.components.get(short).cloned();
        if version.is_none() && self.same_kernel().is_ok() {
            let program = description.runtime_paths.get(name).map_or(short, String::as_str);
            let asked = tokio::process::Command::new(program)
                .arg("--version")
                .kill_on_drop(true)
                .output();
            if let Ok(Ok(output)) = tokio::time::timeout(Duration::from_secs(5), asked).await {
                version = parse_runtime_version(&String::from_utf8_lossy(&output.stdout));
            }
        }
        RuntimeFacts {
            name: short.to_owned(),
            version: version.unwrap_or_default(),
        }
    }

    pub(super) async fn peaks_of(&self, container: &Container) -> Result<Peaks, Error> {
        let sampled = self
            .created()
            .containers
            .get(&container.name)
            .and_then(|owned| owned.sampler.as_ref().map(Sampler::peaks));
        if let Some(peaks) = sampled {
            return Ok(peaks);
        }
        let state = self.state(container).await?;
        match cgroup::Files::find(&container.id, state.pid) {
            Some(files) => Ok(files.peaks()),
            None if state.running => self.stats(container).await,
            None => Ok(Peaks::default()),
        }
    }

    /// Peaks by the engine's own statistics, where the cgroup is out of reach.
    async fn stats(&self, container: &Container) -> Result<Peaks, Error> {
        let options = query::StatsOptionsBuilder::default()
            .stream(false)
            .one_shot(true)
            .build();
        let mut stream = std::pin::pin!(self.client().stats(&container.id, Some(options)));
        let Some(stats) = stream.next().await else {
            return Ok(Peaks::default());
        };
        let stats = stats.map_err(|e| self.container_error("read the statistics", container, e))?;
        let memory = stats.memory_stats.unwrap_or_default();
        Ok(Peaks {
            memory: memory.max_usage.or(memory.usage),
            pids: stats.pids_stats.and_then(|p| p.current),
            cpu_milli: None,
        })
    }
}

/// `runc version 1.1.5+ds1` or `crun version 1.8.1`, on the first line.
fn parse_runtime_version(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    let (_, version) = line.split_once("version ")?;
    Some(version.trim().to_owned())
}
