//! Descriptions of containers to be started: typed, engine-neutral, parsed once.
//!
//! [`ContainerOptions`] holds the user's words in the syntax of `docker run`; [`ContainerSpec::parse`] reads them. A
//! [`LaunchSpec`] is a [`ContainerSpec`] under a product's profiles. An engine translates either into its own API, an
//! artifact renders it.

mod capability;
mod container;
mod error;
mod launch;
mod options;
mod parse;
mod recorded;
pub(crate) mod shell;
pub mod system_mounts;
mod words;

pub use capability::{
    CAPABILITIES, DEFAULT_CAPABILITIES, capability_name, effective_capabilities, parse_capability,
};
pub use container::{
    BindRecursive, ContainerSpec, Device, Dns, EnvVar, HealthCheck, HostEntry, Limits, Mount, MountSource,
    Network, NetworkMode, PublishedPort, Relabel, SeccompChoice, Security, Tmpfs, Ulimit,
};
pub use error::Error;
pub use launch::LaunchSpec;
pub use options::{ContainerOptions, HEADING, REFUSED, refused};
pub use parse::ParseContext;
#[cfg(feature = "image")]
pub(crate) use parse::ULIMITS;
#[cfg(feature = "docker")]
pub(crate) use parse::{csv, csv_field};
pub use recorded::carried;
pub(crate) use recorded::group;
#[cfg(any(test, feature = "testing"))]
pub(crate) use recorded::is_flag;
pub use shell::word as shell_word;
#[cfg(test)]
pub(crate) use words::tests::{any_spec, full_spec};

/// The beginning of the names of labels that are slim's own. An image may bring them, too: they prove nothing.
pub const SLIM_LABELS: &str = "io.github.slim.";
