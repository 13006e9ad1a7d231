//! The product's AppArmor profile in this host's kernel, for as long as the product is verified.
//!
//! A profile is loaded under a name with its owner in it, so that the next run removes what a killed one left loaded.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::engine::docker::Owner;
use crate::profile::apparmor_renamed;

/// Whether this kernel enforces AppArmor.
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
/// The loaded profiles, one a line (`NAME (enforce)`).
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
/// How the names begin that [`Loaded`] gives.
const PREFIX: &str = "slim-verify-";

/// A loaded profile, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Loaded {
    name: String,
    text: String,
}

impl Loaded {
    /// Loads `profile`, which slim wrote under the name `own`, under a name of this process's; any other text is refused.
    ///
    /// # Errors
    /// Why it cannot be enforced here, in words.
    pub(super) fn load(profile: &str, own: &str) -> Result<Self, String> {
        let enabled = std::fs::read_to_string(ENABLED).unwrap_or_default();
        if enabled.trim() != "Y" {
            return Err("this host does not enforce AppArmor".to_owned());
        }
        remove_left_over();
        let name = format!("{PREFIX}{}.0", Owner::current().as_tag());
        let text = apparmor_renamed(profile, own, &name).map_err(|error| error.to_string())?;
        parser("--replace", &text)?;
        Ok(Self { name, text })
    }

    /// The name to run a container under.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Loaded {
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
