//! Connecting to an engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};

use super::answer::reason;
use super::{Address, ClientEnv, Docker, DropGuard, Inner};
use crate::engine::Error;
use crate::recording::EngineFacts;

/// The oldest API that is spoken: Docker 20.10's.
const OLDEST_API: (usize, usize) = (1, 41);

/// Time that the engine may take to begin an answer. Starting a container on a busy machine takes seconds.
const ANSWER: Duration = Duration::from_secs(300);

/// The parts of the engine's description of itself that are used.
#[derive(Clone, Debug, Default)]
pub(super) struct Description {
    pub(super) kernel: String,
    pub(super) host_name: String,
    pub(super) root_directory: PathBuf,
    pub(super) driver: String,
    pub(super) default_runtime: String,
    pub(super) runtime_paths: BTreeMap<String, String>,
    pub(super) logging_driver: String,
    pub(super) rootless: bool,
    /// Files of images lie on disk with other owners or other overlay marks than a mount by this process would show.
    pub(super) remapped: bool,
    pub(super) seccomp: bool,
    /// Containers get a cgroup name space of their own unless they ask for the host's.
    pub(super) private_cgroupns: bool,
    pub(super) components: BTreeMap<String, String>,
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

/// This process's environment and home directory.
pub(super) fn client_env() -> ClientEnv<'static> {
    ClientEnv {
        variable: &|name| std::env::var(name).ok(),
        home: std::env::home_dir(),
    }
}

impl Docker {
    /// Connects to the engine at `host`, or where docker's own command line would: `DOCKER_HOST` with its certificates,
    /// the docker context, the default socket.
    ///
    /// # Errors
    /// The address cannot be used, nobody answers there, or the engine is too old.
    pub async fn connect(host: Option<&str>) -> Result<Self, Error> {
        Self::connect_to(client_env().address(host)?).await
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
        let client = pin_api(client, api);
        let inner = Arc::new(Inner {
            client,
            address,
            facts,
            description,
            created: Mutex::default(),
            names: Mutex::default(),
        });
        let last = Arc::new(DropGuard(Arc::clone(&inner)));
        Ok(Self(inner, Some(last)))
    }
}

/// Returns the client with every request made in version `api`, whatever the engine's newest is.
fn pin_api(client: bollard::Docker, api: (usize, usize)) -> bollard::Docker {
    // The client leaves the version out of its requests, which then mean the engine's newest.
    let prefix = format!("/v{}.{}/", api.0, api.1);
    client.with_request_modifier(move |mut request| {
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
        if let Some(Ok(value)) = credentials.map(|text| text.replace('+', "-").replace('/', "_").parse()) {
            request.headers_mut().insert("x-registry-auth", value);
        }
        request
    })
}

/// `1.41`.
pub(super) fn parse_api(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
