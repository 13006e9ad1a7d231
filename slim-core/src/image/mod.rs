//! Images: a config and an index of the merged file system, wherever they come from.
//!
//! An [`Image`] is read once and never written; bytes of files stay where they are (a layer's directory or tar) until
//! [`Rootfs::open`] asks for them. The storage behind it is one [`Store`].

mod config;
mod rootfs;

pub use config::{Config, Healthcheck};
pub use rootfs::{Entry, Kind, Outcome, Resolved, Rootfs, Store};

use crate::digest::Digest;

/// An image: its config and its merged file system.
#[derive(Debug)]
pub struct Image {
    /// The digest of the config, which engines call the image's id.
    pub id: Digest,
    /// The image as the user named it (`nginx:1.25`).
    pub reference: String,
    /// The config.
    pub config: Config,
    /// The merged file system.
    pub rootfs: Rootfs,
}
