//! Images: a config and an index of the merged file system, wherever they come from.
//!
//! An [`Image`] is read once and never written; bytes of files stay where they are (a layer's directory or tar) until
//! [`Rootfs::open`] asks for them. The storage behind it is one [`Store`].

pub mod archive;
mod config;
mod error;
mod merge;
mod name;
pub mod overlay;
pub mod packages;
mod reference;
mod rootfs;
mod save;
mod tar;

pub use archive::Archive;
pub use config::{Config, Healthcheck, config_from};
pub use error::ImageError;
pub use name::{ArchiveFile, ArchiveFormat, ImageName, ImageNameError};
pub use reference::{Reference, ReferenceError};
pub(crate) use rootfs::PATH_MAX;
#[cfg(test)]
pub(crate) use rootfs::memory;
pub use rootfs::{Entry, Kind, LastLink, Outcome, Resolved, Rootfs, Store};
pub use save::{ArchiveReader, Blobs, LayerTar};

use crate::digest::Digest;

/// An image: its config and its merged file system.
#[derive(Clone, Debug)]
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

/// An image as an engine knows it: all that starting a container takes.
#[derive(Clone, Debug)]
pub struct ImageRef {
    /// The digest of the config, which engines call the image's id.
    pub id: Digest,
    /// A name of the image.
    pub reference: String,
    /// The config.
    pub config: Config,
}

impl Image {
    /// Returns the image without its file system.
    pub fn to_ref(&self) -> ImageRef {
        ImageRef {
            id: self.id.clone(),
            reference: self.reference.clone(),
            config: self.config.clone(),
        }
    }
}

/// Returns true if an extended attribute belongs to the image: file capabilities, the user's own and POSIX access lists.
///
/// The others (`trusted.*`, security labels, integrity hashes) are the host's or the storage driver's.
fn keeps_xattr(name: &[u8]) -> bool {
    name == b"security.capability"
        || name.starts_with(b"system.posix_acl_")
        || (name.starts_with(b"user.")
            && !name.starts_with(b"user.overlay.")
            && !name.starts_with(b"user.containers."))
}
