//! The product's AppArmor profile in this host's kernel, for as long as the product is verified.
//!
//! A profile is loaded under a random name that is written down before, so that what a killed run left loaded is known
//! from there, and not by what a name looks like.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::owned::{self, Claim, Fate, Kind, Place, Thing};
use crate::profile::apparmor_renamed;

/// The file in which the kernel says that it enforces AppArmor.
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
/// The loaded profiles, one a line (`NAME (enforce)`).
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
/// The prefix of names that [`KernelAppArmor`] gives; a token follows.
const PREFIX: &str = "slim-verify-";

/// Loads AppArmor profiles into a kernel.
pub trait AppArmor: Send + Sync {
    /// Loads `profile`, which slim wrote under the name `own`, under a name of this process's; any other text is refused.
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
        let claim = owned::ledger()
            .and_then(|ledger| {
                ledger.claim(Kind::Profile, Place::kernel(), |token| format!("{PREFIX}{token}"))
            })
            .map_err(|error| NotEnforced(error.to_string()))?;
        let name = claim.thing().name.clone();
        let text = match apparmor_renamed(profile, own, &name) {
            Ok(text) => text,
            Err(error) => {
                claim.gone();
                return Err(NotEnforced(error.to_string()));
            }
        };
        // Adding, unlike replacing, fails where there is one already.
        match parser("--add", &text) {
            Ok(()) => Ok(Box::new(InKernel {
                claim: Some(claim),
                name,
                text,
            })),
            Err(error) => {
                claim.gone();
                Err(NotEnforced(error))
            }
        }
    }
}

/// A profile in this machine's kernel.
struct InKernel {
    claim: Option<Claim>,
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
        match parser("--remove", &self.text) {
            Ok(()) => self.claim.take().into_iter().for_each(Claim::gone),
            Err(error) => tracing::warn!("the AppArmor profile {} stays loaded: {error}", self.name),
        }
    }
}

/// Removes a profile that a dead owner wrote down.
///
/// # Errors
/// Why it stays loaded, in words.
pub(super) fn remove_left(thing: &Thing) -> Result<Fate, String> {
    if thing.name != format!("{PREFIX}{}", thing.token) {
        return Ok(Fate::Another("slim gives its profiles other names".to_owned()));
    }
    let enabled = std::fs::read_to_string(ENABLED).unwrap_or_default();
    let loaded = std::fs::read_to_string(LOADED);
    if enabled.trim() != "Y" || loaded.is_ok_and(|loaded| !is_loaded(&loaded, &thing.name)) {
        return Ok(Fate::Absent);
    }
    parser("--remove", &format!("profile {} {{ }}\n", thing.name)).map(|()| Fate::Removed)
}

/// Returns whether `name` is in the list of loaded profiles.
fn is_loaded(list: &str, name: &str) -> bool {
    list.lines().any(|line| line.split(' ').next() == Some(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_slim_gives_is_removed() {
        let token = "0123456789abcdef0123456789abcdef";
        let thing = |name: &str| Thing {
            kind: Kind::Profile,
            name: name.to_owned(),
            token: token.to_owned(),
            place: Place::kernel(),
            id: None,
        };
        for name in [
            "docker-default",
            "slim-verify-",
            "slim-verify-0123",
            "slim-verify-x { } profile docker-default",
        ] {
            assert!(
                matches!(remove_left(&thing(name)), Ok(Fate::Another(_))),
                "{name}"
            );
        }
        assert_eq!(remove_left(&thing(&format!("{PREFIX}{token}"))), Ok(Fate::Absent));
    }

    #[test]
    fn a_loaded_profile_is_found_by_its_whole_name() {
        let list = "docker-default (enforce)\nslim-verify-12 (enforce)\n";
        assert!(is_loaded(list, "slim-verify-12"));
        assert!(!is_loaded(list, "slim-verify-1"));
        assert!(!is_loaded(list, "(enforce)"));
    }
}
