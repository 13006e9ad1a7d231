//! The engine's address: an explicit one, `DOCKER_HOST`, a docker context, or the default socket.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::Error;

/// Docker's own socket.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The files that docker's configuration may hold are small; more than this is not one of them.
const MAX_CONFIG: u64 = 4 << 20;

/// The address of an engine and its protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP, `HOST:PORT`.
    Tcp {
        /// `HOST:PORT`.
        authority: String,
        /// Certificates; none for plain HTTP.
        tls: Option<Tls>,
    },
}

/// The files of a TLS connection with client certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate authority that signed the engine's certificate.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { authority, .. } => write!(f, "tcp://{authority}"),
        }
    }
}

/// The sources of an address: environment variables and docker's configuration directory.
pub struct ClientEnv<'a> {
    /// An environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
}

impl ClientEnv<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// `DOCKER_CONFIG` or `~/.docker`.
    pub(super) fn config_directory(&self) -> Option<PathBuf> {
        self.variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| Some(self.home.as_ref()?.join(".docker")))
    }

    /// The address, as the docker command line finds it: explicit, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current
    /// context of `config.json`, the default socket.
    ///
    /// # Errors
    /// [`Error::Address`] and [`Error::File`].
    pub fn address(&self, explicit: Option<&str>) -> Result<Address, Error> {
        if let Some(host) = explicit {
            return self.host("the given host", host);
        }
        if let Some(host) = self.variable("DOCKER_HOST") {
            return self.host("DOCKER_HOST", &host);
        }
        let context = match self.variable("DOCKER_CONTEXT") {
            Some(name) => Some(name),
            None => self.current_context()?,
        };
        match context.as_deref() {
            None | Some("default") => Ok(Address::Unix(DEFAULT_SOCKET.into())),
            Some(name) => self.context(name),
        }
    }

    /// A host with the environment's certificates.
    fn host(&self, source: &str, host: &str) -> Result<Address, Error> {
        // As docker does: DOCKER_TLS_VERIFY counts if it is not empty, whatever it says.
        let tls = if self.variable("DOCKER_TLS_VERIFY").is_some() {
            let directory = match self.variable("DOCKER_CERT_PATH") {
                Some(path) => Some(PathBuf::from(path)),
                None => self.config_directory(),
            };
            directory.map(|d| Tls {
                ca: d.join("ca.pem"),
                cert: d.join("cert.pem"),
                key: d.join("key.pem"),
            })
        } else {
            None
        };
        parse(source, host, tls)
    }

    fn current_context(&self) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct ConfigFile {
            #[serde(rename = "currentContext")]
            current_context: Option<String>,
        }
        let Some(path) = self.config_directory().map(|d| d.join("config.json")) else {
            return Ok(None);
        };
        let config: Option<ConfigFile> = read_json(&path)?;
        Ok(config
            .and_then(|c| c.current_context)
            .filter(|name| !name.is_empty()))
    }

    /// The context `name`: its directories are named by the SHA-256 of its name.
    ///
    /// Source: docker/cli, `cli/context/store`.
    fn context(&self, name: &str) -> Result<Address, Error> {
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "Endpoints")]
            endpoints: Endpoints,
        }
        #[derive(Deserialize)]
        struct Endpoints {
            docker: Option<Endpoint>,
        }
        #[derive(Deserialize)]
        struct Endpoint {
            #[serde(rename = "Host", default)]
            host: String,
            #[serde(rename = "SkipTLSVerify", default)]
            skip_tls_verify: bool,
        }
        let source = format!("the docker context {name:?}");
        let wrong = |value: &str, problem: &str| Error::Address {
            source_name: source.clone(),
            value: value.to_owned(),
            problem: problem.to_owned(),
        };
        let directory = self
            .config_directory()
            .ok_or_else(|| wrong(name, "there is no home directory to look for it in"))?
            .join("contexts");
        let id = hex::encode(Sha256::digest(name));
        let meta: Meta = read_json(&directory.join("meta").join(&id).join("meta.json"))?
            .ok_or_else(|| wrong(name, "there is no such context; \"docker context ls\" lists them"))?;
        let endpoint = meta
            .endpoints
            .docker
            .filter(|e| !e.host.is_empty())
            .ok_or_else(|| wrong(name, "it has no docker endpoint"))?;
        let files = directory.join("tls").join(&id).join("docker");
        let tls = files.join("ca.pem").exists().then(|| Tls {
            ca: files.join("ca.pem"),
            cert: files.join("cert.pem"),
            key: files.join("key.pem"),
        });
        if endpoint.skip_tls_verify {
            return Err(wrong(
                &endpoint.host,
                "it skips the check of the engine's certificate, which slim does not; give the context a CA",
            ));
        }
        parse(&source, &endpoint.host, tls)
    }
}

/// Reads a JSON file; none if it does not exist.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    use std::io::{self, Read};
    let fail = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_CONFIG).read_to_end(&mut text).map_err(fail)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|e| fail(e.into()))
}

/// `unix://PATH`, `tcp://HOST[:PORT]`, `http://`, `https://`; `ssh://` is refused.
fn parse(source: &str, host: &str, tls: Option<Tls>) -> Result<Address, Error> {
    let wrong = |problem: &str| Error::Address {
        source_name: source.to_owned(),
        value: host.to_owned(),
        problem: problem.to_owned(),
    };
    let expected = "expected unix:///PATH/TO/SOCKET or tcp://HOST:PORT";
    let (scheme, rest) = host.split_once("://").ok_or_else(|| wrong(expected))?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Address::Unix(rest.into())),
        "tcp" | "http" | "https" => {
            let authority = rest.trim_end_matches('/');
            if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
                return Err(wrong(expected));
            }
            if scheme == "https" && tls.is_none() {
                return Err(wrong(
                    "TLS needs certificates: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH to the directory of ca.pem, cert.pem and key.pem",
                ));
            }
            if let Some(tls) = &tls {
                for file in [&tls.ca, &tls.cert, &tls.key] {
                    if let Err(error) = fs::metadata(file) {
                        return Err(wrong(&format!(
                            "TLS needs {}: {error}; DOCKER_CERT_PATH names the directory of ca.pem, cert.pem and key.pem",
                            file.display()
                        )));
                    }
                }
            }
            // A bare IPv6 address has its colons in brackets.
            let has_port = authority
                .rsplit_once(':')
                .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
            let port = if tls.is_some() { 2376 } else { 2375 };
            let authority = if has_port {
                authority.to_owned()
            } else {
                format!("{authority}:{port}")
            };
            Ok(Address::Tcp { authority, tls })
        }
        "ssh" => Err(wrong(
            "slim traces containers of this machine's kernel, so it does not use engines over ssh; run slim on that machine",
        )),
        _ => Err(wrong(expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn find(
        explicit: Option<&str>,
        variables: &[(&str, &str)],
        home: Option<&Path>,
    ) -> Result<Address, Error> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        ClientEnv {
            variable: &|name| variables.get(name).map(|&v| v.to_owned()),
            home: home.map(Path::to_owned),
        }
        .address(explicit)
    }

    fn certificates(directory: &Path) {
        fs::create_dir_all(directory).expect("a directory");
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            fs::write(directory.join(name), "").expect("a file");
        }
    }

    #[test]
    fn explicit_then_environment_then_socket() {
        let vars = [("DOCKER_HOST", "tcp://10.0.0.1:4000")];
        let explicit = find(Some("unix:///run/x.sock"), &vars, None).expect("an address");
        assert_eq!(explicit.to_string(), "unix:///run/x.sock");
        assert_eq!(
            find(None, &vars, None).expect("an address").to_string(),
            "tcp://10.0.0.1:4000"
        );
        let empty = find(None, &[("DOCKER_HOST", "")], None).expect("an address");
        assert_eq!(empty, Address::Unix(DEFAULT_SOCKET.into()));
    }

    #[test]
    fn ports_default_by_tls() {
        let plain = find(Some("tcp://engine"), &[], None).expect("an address");
        assert_eq!(plain.to_string(), "tcp://engine:2375");
        let six = find(Some("tcp://[::1]"), &[], None).expect("an address");
        assert_eq!(six.to_string(), "tcp://[::1]:2375");
        let dir = tempfile::tempdir().expect("a directory");
        certificates(dir.path());
        let path = dir.path().to_str().expect("UTF-8");
        let vars = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", path)];
        let tls = find(Some("tcp://engine"), &vars, None).expect("an address");
        assert!(matches!(&tls, Address::Tcp { authority, tls: Some(t) }
            if authority == "engine:2376" && t.ca == dir.path().join("ca.pem")));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_str().expect("UTF-8");
        for (host, vars, says) in [
            ("ssh://me@there", &[][..], "run slim on that machine"),
            ("npipe:////./pipe/docker", &[], "expected unix:///"),
            ("localhost:2375", &[], "expected unix:///"),
            ("unix://relative", &[], "expected unix:///"),
            ("tcp://a/b", &[], "tcp://HOST:PORT"),
            ("https://engine", &[], "DOCKER_TLS_VERIFY=1"),
            (
                "tcp://engine",
                &[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", path)],
                "ca.pem",
            ),
        ] {
            let error = find(Some(host), vars, None).expect_err(host).to_string();
            assert!(error.contains(says) && error.contains(host), "{error}");
        }
    }

    #[test]
    fn contexts() {
        let home = tempfile::tempdir().expect("a directory");
        let docker = home.path().join(".docker");
        let id = hex::encode(Sha256::digest("far"));
        let meta = docker.join("contexts/meta").join(&id);
        fs::create_dir_all(&meta).expect("a directory");
        fs::write(
            docker.join("config.json"),
            r#"{"currentContext":"far","auths":{}}"#,
        )
        .expect("a file");
        let write = |host: &str, skip: bool| {
            let json = format!(
                r#"{{"Name":"far","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#
            );
            fs::write(meta.join("meta.json"), json).expect("a file");
        };
        write("unix:///run/far.sock", false);
        let found = find(None, &[], Some(home.path())).expect("an address");
        assert_eq!(found.to_string(), "unix:///run/far.sock");
        // DOCKER_HOST wins over the context, and DOCKER_CONTEXT over the current one.
        let host = find(None, &[("DOCKER_HOST", "unix:///x")], Some(home.path())).expect("an address");
        assert_eq!(host.to_string(), "unix:///x");
        let default = find(None, &[("DOCKER_CONTEXT", "default")], Some(home.path())).expect("an address");
        assert_eq!(default, Address::Unix(DEFAULT_SOCKET.into()));
        let missing =
            find(None, &[("DOCKER_CONTEXT", "nope")], Some(home.path())).expect_err("no such context");
        assert!(missing.to_string().contains("docker context ls"), "{missing}");
        // Certificates lie beside it.
        write("tcp://far:2376", false);
        certificates(&docker.join("contexts/tls").join(&id).join("docker"));
        let tls = find(None, &[], Some(home.path())).expect("an address");
        assert!(matches!(tls, Address::Tcp { tls: Some(_), .. }));
        write("tcp://far:2376", true);
        assert!(find(None, &[], Some(home.path())).is_err());
        // A broken file is an error, not a default.
        fs::write(docker.join("config.json"), "{").expect("a file");
        assert!(matches!(
            find(None, &[], Some(home.path())),
            Err(Error::File { .. })
        ));
    }
}
