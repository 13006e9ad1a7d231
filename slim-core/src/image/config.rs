//! The image's config, as ordered JSON: what this code does not know is kept.

use serde_json::{Map, Value};

use super::ImageError;
use crate::digest::Digest;

/// No real config comes near this many bytes.
pub(super) const MAX_CONFIG: u64 = 8 << 20;

/// Reads a config document, keeping its order and the fields that this code does not know. The image's id is the
/// digest of `bytes`.
///
/// # Errors
/// It is larger than 8 MiB, not JSON, or not an object.
pub fn config_from(bytes: &[u8]) -> Result<Config, ImageError> {
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(ImageError::Config(format!(
            "{} bytes; at most {MAX_CONFIG} are read",
            bytes.len()
        )));
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(Config(map)),
        Ok(_) => Err(ImageError::Config("it is not a JSON object".into())),
        Err(error) => Err(ImageError::Config(error.to_string())),
    }
}

/// The image's config document (`application/vnd.oci.image.config.v1+json`, with Docker's additions).
///
/// Source: OCI image specification, "Image Configuration"; Docker adds `Healthcheck`, `Shell` and `OnBuild`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config(pub Map<String, Value>);

/// A container's health check.
///
/// Source: Docker Engine API, `HealthConfig`; times are nanoseconds there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", "…"]`, `["NONE"]`, or empty to inherit.
    pub test: Vec<String>,
}

impl Config {
    fn section(&self) -> Option<&Map<String, Value>> {
        self.0.get("config")?.as_object()
    }

    fn text(&self, key: &str) -> &str {
        self.section()
            .and_then(|c| c.get(key))
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    fn list(&self, key: &str) -> Vec<String> {
        let items = self.section().and_then(|c| c.get(key)).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    }

    fn keys(&self, key: &str) -> Vec<String> {
        let map = self.section().and_then(|c| c.get(key)).and_then(Value::as_object);
        let mut keys: Vec<String> = map.into_iter().flat_map(|m| m.keys().cloned()).collect();
        keys.sort();
        keys
    }

    /// `ENTRYPOINT`; empty if unset.
    pub fn entrypoint(&self) -> Vec<String> {
        self.list("Entrypoint")
    }

    /// `CMD`; empty if unset.
    pub fn cmd(&self) -> Vec<String> {
        self.list("Cmd")
    }

    /// `ENV`, as `NAME=VALUE`.
    pub fn env(&self) -> Vec<String> {
        self.list("Env")
    }

    /// `USER`; empty for root.
    pub fn user(&self) -> &str {
        self.text("User")
    }

    /// `WORKDIR`; empty for `/`.
    pub fn workdir(&self) -> &str {
        self.text("WorkingDir")
    }

    /// `STOPSIGNAL`; empty for SIGTERM.
    pub fn stop_signal(&self) -> &str {
        self.text("StopSignal")
    }

    /// `VOLUME`s, sorted.
    pub fn volumes(&self) -> Vec<String> {
        self.keys("Volumes")
    }

    /// `EXPOSE`d ports as `PORT/PROTOCOL`, sorted.
    pub fn exposed_ports(&self) -> Vec<String> {
        self.keys("ExposedPorts")
    }

    /// The names of its `LABEL`s, sorted.
    pub fn label_names(&self) -> Vec<String> {
        self.keys("Labels")
    }

    /// `SHELL`; empty if unset.
    pub fn shell(&self) -> Vec<String> {
        self.list("Shell")
    }

    /// `HEALTHCHECK`, if the image has one.
    pub fn healthcheck(&self) -> Option<Healthcheck> {
        let test = self.section()?.get("Healthcheck")?.get("Test")?.as_array()?;
        Some(Healthcheck {
            test: test
                .iter()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect(),
        })
    }

    /// The digests of the layers' tars, lowest first.
    ///
    /// # Errors
    /// `rootfs.diff_ids` is missing or holds something else than SHA-256 digests.
    pub fn diff_ids(&self) -> Result<Vec<Digest>, ImageError> {
        let list = self.0.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids"));
        let list = match list {
            // An image without layers.
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(list) => list.as_array(),
        };
        let wrong = || ImageError::Config("rootfs.diff_ids is not a list of sha256 digests".into());
        list.ok_or_else(wrong)?
            .iter()
            .map(|id| id.as_str().and_then(|id| id.parse().ok()).ok_or_else(wrong))
            .collect()
    }

    /// The machine architecture in Go's names (`amd64`).
    pub fn architecture(&self) -> &str {
        self.0.get("architecture").and_then(Value::as_str).unwrap_or("")
    }

    /// The operating system (`linux`).
    pub fn os(&self) -> &str {
        self.0.get("os").and_then(Value::as_str).unwrap_or("")
    }
}
