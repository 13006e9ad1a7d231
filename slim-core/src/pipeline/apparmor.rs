//! The product's AppArmor profile in this host's kernel, for as long as the product is verified.
//!
//! A profile is loaded under a name with its owner in it, so that the next run removes what a killed one left loaded.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::engine::docker::Owner;

/// Whether this kernel enforces AppArmor.
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
/// The loaded profiles, one a line (`NAME (enforce)`).
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
/// How the names begin that [`KernelAppArmor`] gives.
const PREFIX: &str = "slim-verify-";

/// Loads AppArmor profiles into a kernel.
pub trait AppArmor: Send + Sync {
    /// Loads `profile`, which calls itself `own`, under a name of this process's.
    ///
    /// # Errors
    /// [`NotEnforced`] where it cannot be enforced here.
    fn load(&self, profile: &str, own: &str) -> Result<Box<dyn LoadedProfile>, NotEnforced>;
}

/// A loaded profile, which goes when this is dropped.
pub trait LoadedProfile: Send + Sync {
    /// Returns the name to run a container under.
    fn name(&self) -> &str;
}

/// Why an AppArmor profile cannot be enforced here, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotEnforced(pub String);

/// The AppArmor of this machine's kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelAppArmor;

impl AppArmor for KernelAppArmor {
    fn load(&self, profile: &str, own: &str) -> Result<Box<dyn LoadedProfile>, NotEnforced> {
        let enabled = std::fs::read_to_string(ENABLED).unwrap_or_default();
        if enabled.trim() != "Y" {
            return Err(NotEnforced("this host does not enforce AppArmor".to_owned()));
        }
        remove_left_over();
        let name = format!("{PREFIX}{}.0", Owner::current().as_tag());
        let text = profile.replace(&format!("profile {own} "), &format!("profile {name} "));
        parser("--replace", &text).map_err(NotEnforced)?;
        Ok(Box::new(InKernel { name, text }))
    }
}

/// A profile in this machine's kernel.
struct InKernel {
    name: String,
    text: String,
}

impl LoadedProfile for InKernel {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for InKernel {
    fn drop(&mut self) {
        if let Err(error) = parser("--remove", &self.text) {
            tracing::warn!("the AppArmor profile {} stays loaded: {error}", self.name);
        }
    }
}

/// Removes the profiles that dead runs left loaded.
fn remove_left_over() {
    let loaded = std::fs::read_to_string(LOADED).unwrap_or_default();
    let names = loaded.lines().filter_map(|line| line.split(' ').next());
    for name in names {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|tag| Owner::from_tag(tag).ok());
        if owner.is_some_and(|owner| owner.is_dead())
            && let Err(error) = parser("--remove", &format!("profile {name} {{ }}\n"))
        {
            tracing::warn!("the AppArmor profile {name} of an earlier run stays loaded: {error}");
        }
    }
}

/// Hands a profile to `apparmor_parser`, which is where the distribution has it.
fn parser(action: &str, text: &str) -> Result<(), String> {
    let program = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .ok_or("apparmor_parser is not installed: install the package apparmor")?;
    let mut child = Command::new(program)
        .args([action, "--skip-cache"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(text.as_bytes()),
        None => Ok(()),
    };
    let output = child
        .wait_with_output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return written.map_err(|error| format!("{program}: {error}"));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} refused the profile: {}", said.trim()))
}
