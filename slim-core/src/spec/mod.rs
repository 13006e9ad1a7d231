//! What a container is started with: one typed description, engine-neutral, parsed once.
//!
//! [`ContainerOptions`] holds the user's words in the syntax of `docker run`; [`ContainerSpec::parse`] reads them. A
//! [`LaunchSpec`] is a [`ContainerSpec`] under a product's profiles. An engine translates either into its own API, an
//! artifact renders it.

mod capability;
mod container;
mod launch;

pub use capability::{CAPABILITIES, DEFAULT_CAPABILITIES, capability_name, parse_capability};
pub use container::{
    BindRecursive, ContainerSpec, Device, Dns, EnvVar, HealthCheck, HostEntry, Limits, Mount, MountSource,
    Network, NetworkMode, PublishedPort, Relabel, SeccompChoice, Security, Tmpfs, Ulimit,
};
pub use launch::LaunchSpec;
