//! The description of a product to be started.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ContainerSpec, SeccompChoice, Tmpfs};
use crate::path::RootPath;

/// The description of a product to be started: the recorded container's less what was found unneeded, under its profiles.
///
/// Verification starts exactly this, and every artifact that starts something says exactly this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LaunchSpec {
    /// The user's own options. Their capabilities, seccomp filter, AppArmor profile and no-new-privileges are replaced by
    /// the fields below.
    pub container: ContainerSpec,
    /// The whole set of capabilities (`CAP_NAME`): all others are dropped.
    pub capabilities: BTreeSet<String>,
    /// The product is started under its own seccomp profile.
    pub seccomp: bool,
    /// The name of the AppArmor profile that it is started under; none where the host enforces none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor: Option<String>,
    /// The executed files that gain privilege, for which no-new-privileges stays off; it is on where there are none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub privilege_gain: BTreeSet<RootPath>,
    /// The memory file systems where it writes under a read-only root file system; none where the root file system is
    /// writable (or read-only by [`ContainerSpec::read_only`], the user's own word).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<Vec<Tmpfs>>,
    /// Kernel parameters that the engine gave the recorded container by itself and the application relied on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
}

impl LaunchSpec {
    /// No-new-privileges is on.
    pub fn no_new_privileges(&self) -> bool {
        self.privilege_gain.is_empty()
    }

    /// The root file system is read-only.
    pub fn is_read_only(&self) -> bool {
        self.read_only.is_some() || self.container.read_only
    }

    /// Every memory file system: the user's own, and those for what is written.
    pub fn tmpfs(&self) -> impl Iterator<Item = &Tmpfs> {
        self.container.tmpfs.iter().chain(self.read_only.iter().flatten())
    }

    /// Returns the description of the container that an engine creates; `seccomp` is the product's profile in Docker's JSON.
    pub fn confined(&self, seccomp: &serde_json::Value) -> ContainerSpec {
        let mut spec = self.to_container();
        if self.seccomp {
            spec.security.seccomp = SeccompChoice::Profile(seccomp.clone());
        }
        spec.security.apparmor.clone_from(&self.apparmor);
        spec
    }

    /// Returns the same without its seccomp and AppArmor profiles, for formats that name them in their own way.
    pub fn to_container(&self) -> ContainerSpec {
        let Self {
            container,
            capabilities,
            seccomp: _,
            apparmor: _,
            privilege_gain: _,
            read_only: _,
            sysctls,
        } = self;
        let mut spec = container.clone();
        spec.cap_drop = BTreeSet::from(["ALL".to_owned()]);
        spec.cap_add.clone_from(capabilities);
        spec.security.no_new_privileges = self.no_new_privileges().then_some(true);
        spec.security.seccomp = SeccompChoice::Default;
        spec.security.apparmor = None;
        spec.read_only = self.is_read_only();
        spec.tmpfs = self.tmpfs().cloned().collect();
        for (name, value) in sysctls {
            spec.sysctls.entry(name.clone()).or_insert_with(|| value.clone());
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Security;

    #[test]
    fn the_products_own_confinement_replaces_the_users() {
        let launch = LaunchSpec {
            container: ContainerSpec {
                cap_add: BTreeSet::from(["CAP_SYS_ADMIN".to_owned()]),
                security: Security {
                    no_new_privileges: Some(false),
                    seccomp: SeccompChoice::Unconfined,
                    apparmor: Some("unconfined".to_owned()),
                    labels: vec!["disable".to_owned()],
                    system_paths_unconfined: true,
                },
                tmpfs: vec![Tmpfs {
                    target: "/mine".to_owned(),
                    ..Tmpfs::default()
                }],
                sysctls: BTreeMap::from([("a".to_owned(), "mine".to_owned())]),
                ..ContainerSpec::default()
            },
            capabilities: BTreeSet::from(["CAP_CHOWN".to_owned()]),
            seccomp: true,
            read_only: Some(vec![Tmpfs {
                target: "/run".to_owned(),
                ..Tmpfs::default()
            }]),
            sysctls: BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]),
            ..LaunchSpec::default()
        };
        let started = launch.to_container();
        assert_eq!(started.cap_drop, BTreeSet::from(["ALL".to_owned()]));
        assert_eq!(started.cap_add, BTreeSet::from(["CAP_CHOWN".to_owned()]));
        assert_eq!(started.security.no_new_privileges, Some(true));
        assert_eq!(started.security.seccomp, SeccompChoice::Default);
        assert_eq!(started.security.apparmor, None);
        // What no profile says stays the user's.
        assert!(started.security.system_paths_unconfined && started.security.labels == ["disable"]);
        assert!(started.read_only);
        let targets: Vec<_> = started.tmpfs.iter().map(|tmpfs| tmpfs.target.as_str()).collect();
        assert_eq!(targets, ["/mine", "/run"]);
        assert_eq!(started.sysctls["a"], "mine");
        assert_eq!(started.sysctls["b"], "2");
    }

    #[test]
    fn a_program_that_gains_privilege_keeps_it() {
        let launch = LaunchSpec {
            privilege_gain: BTreeSet::from([RootPath::new("/bin/su")]),
            ..LaunchSpec::default()
        };
        assert_eq!(launch.to_container().security.no_new_privileges, None);
        assert!(!launch.to_container().read_only);
    }
}
