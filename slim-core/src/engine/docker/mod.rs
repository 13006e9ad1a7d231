//! Docker, and what speaks its API, through that API.

mod address;
mod bundle;
mod cgroup;
mod cleanup;
mod credentials;
mod describe;
mod image;
mod start;
mod translate;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use bollard::exec::StartExecResults;
use bollard::models::{
    ContainerInspectResponse, ExecConfig, PortBinding, PortMap, SystemInfo, SystemInfoCgroupVersionEnum,
    SystemVersion,
};
use bollard::query_parameters as query;
use futures_util::StreamExt;

pub use address::{Address, Surroundings, Tls};
pub use cleanup::{KIND_LABEL, OWNER_LABEL, TOKEN_LABEL};

use super::{Archive, ByteCounts, Container, Engine, Error, ExecResult, Loaded, Pull, State};
use crate::digest::Digest;
use crate::image::{Image, ImageRef, Reference, ReferenceError};
use crate::owned::{Fate, Kind, Place, Thing};
use crate::recording::{ContainerFacts, EngineFacts, Outcome, Peaks, RuntimeFacts};
use crate::spec::ContainerSpec;
use cgroup::Sampler;
use cleanup::{Created, Mine};

/// The oldest API that is spoken: Docker 20.10's.
const OLDEST_API: (usize, usize) = (1, 41);

/// How long the engine may take to begin an answer. Starting a container on a busy machine takes seconds.
const ANSWER: Duration = Duration::from_secs(300);

/// How long it may take to begin the answer to an image that is loaded.
const LOAD_ANSWER: Duration = Duration::from_secs(3600);

/// As much of a command's standard output and of its standard error is kept.
const MAX_EXEC_OUTPUT: usize = 16 << 20;

/// The parts of the engine's description of itself that are used.
#[derive(Clone, Debug, Default)]
struct Description {
    kernel: String,
    host_name: String,
    root_directory: PathBuf,
    driver: String,
    default_runtime: String,
    runtime_paths: BTreeMap<String, String>,
    logging_driver: String,
    rootless: bool,
    /// Files of images lie on disk with other owners or other overlay marks than a mount by this process would show.
    remapped: bool,
    seccomp: bool,
    /// Whether containers get a cgroup name space of their own unless they ask for the host's.
    private_cgroupns: bool,
    components: BTreeMap<String, String>,
}

impl Description {
    fn new(info: SystemInfo, version: &SystemVersion) -> Self {
        let security = info.security_options.unwrap_or_default();
        let has = |name: &str| {
            security
                .iter()
                .any(|o| o.split(',').any(|part| part == format!("name={name}")))
        };
        // Overlay mounts of an engine in a user name space: their marks are `user.overlay.*`, which the index does not read.
        let user_marks = info.driver_status.iter().flatten().any(|pair| {
            pair.first().is_some_and(|n| n == "userxattr") && pair.get(1).is_some_and(|v| v == "true")
        });
        Self {
            kernel: info.kernel_version.unwrap_or_default(),
            host_name: info.name.unwrap_or_default(),
            root_directory: info.docker_root_dir.unwrap_or_default().into(),
            driver: info.driver.unwrap_or_default(),
            default_runtime: info.default_runtime.unwrap_or_default(),
            runtime_paths: info
                .runtimes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(name, runtime)| Some((name, runtime.path?)))
                .collect(),
            logging_driver: info.logging_driver.unwrap_or_default(),
            rootless: has("rootless"),
            remapped: has("rootless") || has("userns") || user_marks,
            seccomp: has("seccomp"),
            // moby `daemon/config.DefaultCgroupNamespaceMode`, and what replaces it under cgroup v1.
            private_cgroupns: info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_2),
            components: version
                .components
                .iter()
                .flatten()
                .map(|c| (c.name.clone(), c.version.clone()))
                .collect(),
        }
    }
}

#[derive(Debug)]
struct Inner {
    client: bollard::Docker,
    address: Address,
    facts: EngineFacts,
    description: Description,
    created: Mutex<Created>,
    /// Images by the digest of their config, where the engine knows them by another name.
    names: Mutex<BTreeMap<Digest, String>>,
}

/// This process's environment and home directory.
fn surroundings() -> Surroundings<'static> {
    Surroundings {
        variable: &|name| std::env::var(name).ok(),
        home: std::env::home_dir(),
    }
}

/// A Docker engine. Cloning is cheap; clones share everything. When the last one is dropped, what they created and did
/// not remove is removed: an interrupted task leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Docker(
    Arc<Inner>,
    #[expect(dead_code, reason = "it is there to be dropped")] Option<Arc<Last>>,
);

/// Dropped with the last clone.
#[derive(Debug)]
struct Last(Arc<Inner>);

impl Drop for Last {
    fn drop(&mut self) {
        remove_in_destructor(Docker(Arc::clone(&self.0), None));
    }
}

impl Docker {
    /// Connects to the engine at `host`, or where docker's own command line would: `DOCKER_HOST` with its certificates,
    /// the docker context, the default socket.
    ///
    /// # Errors
    /// The address cannot be used, nobody answers there, or the engine is too old.
    pub async fn connect(host: Option<&str>) -> Result<Self, Error> {
        Self::connect_to(surroundings().address(host)?).await
    }

    /// Connects to the engine at `address`.
    ///
    /// # Errors
    /// As [`Docker::connect`].
    pub async fn connect_to(address: Address) -> Result<Self, Error> {
        let unreachable = |error: &ApiError| Error::Unreachable {
            address: address.to_string(),
            reason: reason(error),
        };
        let newest = bollard::API_DEFAULT_VERSION;
        let seconds = ANSWER.as_secs();
        let client = match &address {
            Address::Unix(path) => {
                bollard::Docker::connect_with_unix(&path.to_string_lossy(), seconds, newest)
            }
            Address::Tcp { authority, tls: None } => {
                bollard::Docker::connect_with_http(authority, seconds, newest)
            }
            Address::Tcp {
                authority,
                tls: Some(tls),
            } => {
                // An error means that one is installed already.
                let _ = rustls::crypto::ring::default_provider().install_default();
                bollard::Docker::connect_with_ssl(authority, &tls.key, &tls.cert, &tls.ca, seconds, newest)
            }
        }
        .map_err(|e| unreachable(&e))?;
        // A wrong address often swallows packets; do not wait for an engine as long as for its work.
        let asked = tokio::time::timeout(Duration::from_secs(20), async {
            let version = client.version().await?;
            Ok((version, client.info().await?))
        });
        let (version, info) = match asked.await {
            Ok(answer) => answer.map_err(|e: ApiError| unreachable(&e))?,
            Err(_) => return Err(unreachable(&ApiError::RequestTimeoutError)),
        };
        let description = Description::new(info, &version);
        let newest = (newest.major_version, newest.minor_version);
        let theirs = version.api_version.clone().unwrap_or_default();
        let api = match parse_api(&theirs) {
            Some(api) if api >= OLDEST_API => api.min(newest),
            _ => {
                return Err(Error::TooOld {
                    address: address.to_string(),
                    version: version.version.unwrap_or_default(),
                    api: theirs,
                });
            }
        };
        let podman = description.components.contains_key("Podman Engine");
        let facts = EngineFacts {
            name: if podman { "podman" } else { "docker" }.to_owned(),
            version: version.version.unwrap_or_default(),
            api: format!("{}.{}", api.0, api.1),
        };
        // The client leaves the version out of its requests, which then mean the engine's newest: pin it.
        let prefix = format!("/v{}.{}/", api.0, api.1);
        let client = client.with_request_modifier(move |mut request| {
            let uri = request.uri().to_string();
            let path_at = uri.find("://").map_or(0, |i| i + 3);
            if let Some(slash) = uri[path_at..].find('/').map(|i| i + path_at)
                && !uri[slash..].starts_with("/v1.")
                && let Ok(versioned) = format!("{}{prefix}{}", &uri[..slash], &uri[slash + 1..]).parse()
            {
                *request.uri_mut() = versioned;
            }
            // Credentials are to be in base64's alphabet for URLs; the client uses the other one.
            let credentials = request
                .headers()
                .get("x-registry-auth")
                .and_then(|v| v.to_str().ok());
            if let Some(Ok(value)) = credentials.map(|text| text.replace('+', "-").replace('/', "_").parse())
            {
                request.headers_mut().insert("x-registry-auth", value);
            }
            request
        });
        let inner = Arc::new(Inner {
            client,
            address,
            facts,
            description,
            created: Mutex::default(),
            names: Mutex::default(),
        });
        let last = Arc::new(Last(Arc::clone(&inner)));
        Ok(Self(inner, Some(last)))
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// The first port that the container may bind without CAP_NET_BIND_SERVICE
    /// (`net.ipv4.ip_unprivileged_port_start` in its network name space), if it is known.
    ///
    /// # Errors
    /// As [`Engine::state`].
    pub async fn unprivileged_port_start(&self, container: &Container) -> Result<Option<u16>, Error> {
        Ok(bundle::unprivileged_port_start(
            &self.inspect(&container.id).await?,
        ))
    }

    /// [`Engine::tag`] by a name that this engine knows.
    async fn add_tag(&self, reference: &str, tag: &str) -> Result<(), Error> {
        let action = format!("tag {reference} as {tag}");
        check_name(&action, reference)?;
        let tag = parse_reference(&action, tag)?;
        let options = query::TagImageOptionsBuilder::default()
            .repo(&tag.name())
            .tag(tag.tag_or_latest())
            .build();
        self.client()
            .tag_image(reference, Some(options))
            .await
            .map_err(|e| refused(&action, e))
    }

    /// Removes the name `reference`, and the image if it was the last one. One that is gone already is no error.
    ///
    /// # Errors
    /// The engine's message.
    pub async fn remove_image(&self, reference: &str) -> Result<(), Error> {
        let action = format!("remove the image {reference}");
        check_name(&action, reference)?;
        match self
            .client()
            .remove_image(reference, None::<query::RemoveImageOptions>, None)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(refused(&action, error)),
        }
    }

    /// The size of an image in bytes, as the engine counts it.
    ///
    /// # Errors
    /// [`Error::NoImage`], or the engine's message.
    pub async fn image_size(&self, reference: &str) -> Result<u64, Error> {
        let image = self.inspect_image(reference).await?;
        Ok(image.size.unwrap_or(0).unsigned_abs())
    }

    /// Removes what this engine object created when it is dropped, so that no way out of a function leaves anything
    /// behind, panics included.
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    fn client(&self) -> &bollard::Docker {
        &self.0.client
    }

    async fn inspect(&self, container: &str) -> Result<ContainerInspectResponse, Error> {
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

    fn container_error(&self, action: &str, container: &Container, error: ApiError) -> Error {
        match status(&error) {
            Some(404) => Error::Gone {
                container: container.name.clone(),
            },
            _ => refused(&format!("{action} of the container {}", container.name), error),
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
}

/// Removes what an engine object created when it is dropped: [`Docker::guard`].
#[derive(Debug)]
pub struct Guard(Docker);

impl Drop for Guard {
    fn drop(&mut self) {
        remove_in_destructor(self.0.clone());
    }
}

/// Removes what is left. A destructor may run inside an async task, where it cannot wait: another thread can.
fn remove_in_destructor(docker: Docker) {
    if docker.created().is_empty() {
        return;
    }
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let work = async { tokio::time::timeout(Duration::from_secs(30), docker.remove_all_mine()).await };
        match runtime.block_on(work) {
            Ok(Err(error)) => tracing::warn!("{error}"),
            Ok(Ok(())) => {}
            Err(_) => {
                tracing::warn!(
                    "the engine did not remove what slim created in time; the watchdog, or the next run, will"
                )
            }
        }
        Ok::<(), std::io::Error>(())
    });
    let _ = thread.join();
}

#[async_trait]
impl Engine for Docker {
    fn facts(&self) -> &EngineFacts {
        &self.0.facts
    }

    async fn image(&self, reference: &str, pull: Pull, progress: Option<ByteCounts>) -> Result<Image, Error> {
        self.read_image(reference, pull, progress).await
    }

    async fn has_image(&self, id: &Digest) -> Result<bool, Error> {
        match self.inspect_image(&self.name_of(id)).await {
            Ok(_) => Ok(true),
            Err(Error::NoImage { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn same_kernel(&self) -> Result<(), Error> {
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

    async fn find(&self, name_or_id: &str) -> Result<Container, Error> {
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

    async fn image_of(&self, container: &Container) -> Result<String, Error> {
        let found = self.inspect(&container.id).await?;
        let id = found.image.unwrap_or_default();
        let named = found.config.and_then(|c| c.image).filter(|name| !name.is_empty());
        Ok(match named {
            Some(name)
                if self
                    .inspect_image(&name)
                    .await
                    .is_ok_and(|now| now.id.as_ref() == Some(&id)) =>
            {
                name
            }
            _ => id,
        })
    }

    async fn create(&self, image: &ImageRef, spec: &ContainerSpec) -> Result<Container, Error> {
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
            Mine {
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
        if let Some(mine) = self.created().containers.get_mut(&name) {
            mine.creating = false;
            if let Ok(made) = &made {
                mine.claim.made(&made.id);
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

    async fn start(&self, container: &Container) -> Result<(), Error> {
        self.client()
            .start_container(&container.id, None)
            .await
            .map_err(|error| match error {
                ApiError::DockerResponseServerError {
                    status_code: 404,
                    message,
                } if message.starts_with("No such container") => Error::Gone {
                    container: container.name.clone(),
                },
                ApiError::DockerResponseServerError { message, .. } => start::explain(&message),
                other => refused(&format!("start the container {}", container.name), other),
            })?;
        if let Ok(state) = self.state(container).await {
            let sampler = Sampler::start(&container.id, state.pid);
            if let Some(mine) = self.created().containers.get_mut(&container.name) {
                mine.sampler = sampler;
            }
        }
        Ok(())
    }

    async fn state(&self, container: &Container) -> Result<State, Error> {
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

    async fn container_facts(&self, container: &Container) -> Result<(ContainerFacts, RuntimeFacts), Error> {
        let found = self.inspect(&container.id).await?;
        let mut facts = bundle::facts(&found, self.0.description.seccomp);
        let own = self
            .created()
            .containers
            .get(&container.name)
            .map(|mine| mine.spec.clone());
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

    async fn wait(&self, container: &Container) -> Result<Outcome, Error> {
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

    async fn stop(&self, container: &Container, seconds: u32) -> Result<Outcome, Error> {
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

    async fn logs(&self, container: &Container, limit: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let options = query::LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let mut stream = std::pin::pin!(self.client().logs(&container.id, Some(options)));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(part) = stream.next().await {
            let (list, bytes) = match part.map_err(|e| self.container_error("read the log", container, e))? {
                LogOutput::StdErr { message } => (&mut err, message),
                other => (&mut out, other.into_bytes()),
            };
            list.extend_from_slice(&bytes);
            if list.len() > limit.saturating_mul(2) {
                list.drain(..list.len() - limit);
            }
        }
        for list in [&mut out, &mut err] {
            list.drain(..list.len().saturating_sub(limit));
        }
        Ok((out, err))
    }

    async fn exec(&self, container: &Container, command: &[String]) -> Result<ExecResult, Error> {
        let shown = command.join(" ");
        let failed = |reason: String| Error::Exec {
            command: shown.clone(),
            reason,
        };
        if command.is_empty() {
            return Err(failed("there is no command".to_owned()));
        }
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..ExecConfig::default()
        };
        let explain = |error: ApiError| match status(&error) {
            Some(404) => Error::Gone {
                container: container.name.clone(),
            },
            Some(409) => failed(format!("the container does not run ({})", reason(&error))),
            _ => failed(reason(&error)),
        };
        let id = self
            .client()
            .create_exec(&container.id, config)
            .await
            .map_err(explain)?
            .id;
        let started = self.client().start_exec(&id, None).await.map_err(explain)?;
        let mut result = ExecResult::default();
        let mut console = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(part) = output.next().await {
                let (list, bytes) = match part.map_err(|e| failed(reason(&e)))? {
                    LogOutput::StdErr { message } => (&mut result.stderr, message),
                    LogOutput::Console { message } => (&mut console, message),
                    other => (&mut result.stdout, other.into_bytes()),
                };
                let room = MAX_EXEC_OUTPUT - list.len();
                list.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        // The output's end and the command's end are reported apart.
        let mut pause = Duration::from_millis(1);
        let ended = Instant::now() + Duration::from_secs(10);
        let exit_code = loop {
            let state = self.client().inspect_exec(&id).await.map_err(explain)?;
            match state.exit_code {
                Some(code) if state.running != Some(true) => break code,
                _ if Instant::now() > ended => {
                    return Err(failed(
                        "it closed its output, but the engine does not say how it ended".to_owned(),
                    ));
                }
                _ => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_millis(200));
        };
        // The runtime's own words come without a stream's header, or as the command's output.
        for text in [&console, &result.stdout, &result.stderr] {
            let text = String::from_utf8_lossy(text);
            if matches!(exit_code, 126 | 127) && text.starts_with("OCI runtime exec failed") {
                return Err(failed(start::shorten(&text)));
            }
        }
        result.stdout.extend(console);
        result.exit_code = exit_code;
        Ok(result)
    }

    async fn peaks(&self, container: &Container) -> Result<Peaks, Error> {
        let sampled = self
            .created()
            .containers
            .get(&container.name)
            .and_then(|mine| mine.sampler.as_ref().map(Sampler::peaks));
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

    async fn remove(&self, container: &Container) -> Result<(), Error> {
        self.remove_mine(container).await
    }

    async fn load(
        &self,
        archive: Archive,
        tags: &[String],
        progress: Option<ByteCounts>,
    ) -> Result<Loaded, Error> {
        self.load_archive(archive, tags, progress).await
    }

    fn temporary_tag(&self) -> Result<String, Error> {
        self.claim_tag()
    }

    async fn tag(&self, reference: &str, tag: &str) -> Result<(), Error> {
        // An id is the digest of the config, by which not every engine knows the image.
        let name = match reference.parse::<Digest>() {
            Ok(id) => self.name_of(&id),
            Err(_) => reference.to_owned(),
        };
        self.add_tag(&name, tag).await
    }

    async fn untag(&self, reference: &str) -> Result<(), Error> {
        self.remove_tag(reference).await
    }

    fn place(&self) -> Place {
        self.own_place()
    }

    async fn remove_left(&self, thing: &Thing) -> Result<Fate, Error> {
        self.remove_thing(thing).await
    }
}

impl Docker {
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

/// `1.41`.
fn parse_api(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Parses the name of an image before the engine sees it.
fn parse_reference(action: &str, text: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error: ReferenceError| Error::Refused {
        action: action.to_owned(),
        message: error.to_string(),
    })
}

/// Names go into the path of a request: only what a reference, a name or an id is made of.
fn check_name(action: &str, name: &str) -> Result<(), Error> {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"_.-/:@".contains(&b);
    let dots = name
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..");
    if name.is_empty() || name.len() > 512 || !name.bytes().all(harmless) || dots {
        return Err(Error::Refused {
            action: action.to_owned(),
            message: format!("{name:?} is not a valid name"),
        });
    }
    Ok(())
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

fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What happened, in words: the engine's message, or the whole chain of causes.
fn reason(error: &ApiError) -> String {
    match error {
        ApiError::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        ApiError::DockerStreamError { error } => error.trim().to_owned(),
        ApiError::RequestTimeoutError => "no answer in time".to_owned(),
        ApiError::SocketNotFoundError(path) => format!("there is no socket {path}"),
        other => {
            let mut text = other.to_string();
            let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(other);
            while let Some(inner) = cause {
                let more = inner.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                cause = inner.source();
            }
            if text.contains("Permission denied") {
                text += " (run slim as root)";
            }
            text
        }
    }
}

/// The engine's refusal, or a broken connection.
fn refused(action: &str, error: ApiError) -> Error {
    match error {
        ApiError::DockerResponseServerError { .. } | ApiError::DockerStreamError { .. } => Error::Refused {
            action: action.to_owned(),
            message: reason(&error),
        },
        other => Error::Broken {
            action: action.to_owned(),
            reason: reason(&other),
        },
    }
}
