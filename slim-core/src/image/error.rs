use std::io;
use std::path::PathBuf;

use crate::path::RootPath;

/// The reason why an image cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Something of the host: a storage directory, a spool file.
    #[error("{what}: {source}")]
    Io {
        /// The failed operation and its path.
        what: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A layer's directory uses an overlayfs feature that only a mount can undo. The image can still be read through
    /// the engine, as an archive.
    #[error("layer {layer}, {path}: the directory uses overlayfs's {feature}, which only a mount can undo")]
    Unsupported {
        /// The layer, 0 for the lowest.
        layer: usize,
        /// The path in the layer.
        path: RootPath,
        /// The feature (`redirect`, `metacopy`).
        feature: &'static str,
    },
    /// An archive or a layer in it breaks its format, or a bound that no real image comes near.
    #[error("the image archive is malformed: {0}")]
    Archive(String),
    /// An image archive of the user's cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<ImageError>,
    },
    /// The image's config is not what the OCI image specification describes.
    #[error("the image's config is malformed: {0}")]
    Config(String),
}

impl ImageError {
    /// Wraps an error of the system during `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
