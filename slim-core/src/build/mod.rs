//! From a plan to a layer and an image.
//!
//! [`build()`] writes the one layer (`files.tar`) and makes the config for it. The same layer serves twice: beside the
//! Dockerfile that [`Built::dockerfile`] holds it is the context that rebuilds the image, and framed by a few headers
//! it is the archive that engines load ([`Built::archive`]); its bytes are on the disk once.

mod change;
mod config;
mod context;
mod layer;
mod totals;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use layer::Layer;
pub use totals::totals;

use crate::digest::Digest;
use crate::image::{ArchiveReader, Blobs, Image, LayerTar, Reference, ReferenceError};
use crate::path::RootPath;
use crate::plan::Plan;

/// The name of the layer's file in the output directory.
pub const LAYER: &str = "files.tar";

/// The name of the image's archive in the output directory, where no engine took it.
pub const ARCHIVE: &str = "image.tar";

/// The user's choices for the product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Edits of the config, one Dockerfile instruction each (`CMD ["serve"]`), as `docker commit --change` takes them.
    pub changes: Vec<String>,
    /// `SOURCE_DATE_EPOCH`, seconds since 1970-01-01 UTC: when the image says that it was made, and the latest time of
    /// an entry. Without it the image keeps the time of the one that it was made from.
    pub source_date_epoch: Option<u64>,
    /// The names that the archive gives the image (`nginx-slim:1.25`); without a tag it is `latest`.
    pub tags: Vec<String>,
}

/// A built image.
#[derive(Clone, Debug)]
pub struct Built {
    /// The digest of the config, which engines call the image's id.
    pub id: Digest,
    /// The config document.
    pub config: Vec<u8>,
    /// The layer.
    pub layer: Layer,
    /// The file that holds the layer.
    pub layer_file: PathBuf,
    /// A Dockerfile that makes the same image from the layer's file.
    pub dockerfile: String,
    /// The names that the archive gives the image.
    pub tags: Vec<Reference>,
}

/// The reason why an image cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The plan keeps something that the image does not have.
    #[error("{0} is to be kept, but the image does not have it: the plan was made for another image")]
    NotInImage(RootPath),
    /// A file's bytes cannot be had.
    #[error("{path}: cannot be read from the image: {source}")]
    Read {
        /// The file.
        path: RootPath,
        /// The error of the storage.
        source: io::Error,
    },
    /// A file has not the length that the index says.
    #[error("{0}: changed in the engine's storage while it was read; was the image removed?")]
    Changed(RootPath),
    /// An entry that a layer's tar has no form for.
    #[error("{path}: {reason}, so no layer can hold it; rename or remove it in the image")]
    Unwritable {
        /// The entry.
        path: RootPath,
        /// The reason.
        reason: String,
    },
    /// The output cannot be written.
    #[error("{path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A `--change` is not an instruction that edits a config.
    #[error("--change {change:?}: {reason}")]
    Change {
        /// The text as the user wrote it.
        change: String,
        /// The reason.
        reason: String,
    },
    /// A tag is no image's name.
    #[error("the product cannot be tagged: {0}")]
    Tag(#[from] ReferenceError),
    /// The work was cancelled.
    #[error("interrupted")]
    Cancelled,
    /// The image's config cannot be carried over.
    #[error(transparent)]
    Config(#[from] crate::image::ImageError),
}

/// Builds the image that `plan` keeps of `image`: writes its layer to `layer_file`, which will be found at `path`, and
/// makes the config and the Dockerfile.
///
/// `progress` hears of content bytes, done and all, and says whether to go on. The result depends on the image, the plan and
/// the options only.
///
/// # Errors
/// See [`BuildError`].
pub fn build(
    image: &Image,
    plan: &Plan,
    options: &Options,
    layer_file: &mut File,
    path: &Path,
    progress: &dyn Fn(u64, u64) -> ControlFlow<()>,
) -> Result<Built, BuildError> {
    // A wrong --change or tag is known before anything is written.
    let config = config::edited(image, plan, options)?;
    let tags = options
        .tags
        .iter()
        .map(|tag| tag.parse())
        .collect::<Result<_, _>>()?;
    let epoch = options
        .source_date_epoch
        .map(|epoch| i64::try_from(epoch).unwrap_or(i64::MAX));
    let layer =
        layer::write(&image.rootfs, plan.files.keys(), epoch, layer_file, progress).map_err(|failure| {
            match failure {
                layer::Failure::Image(error) => error,
                layer::Failure::Output(source) => BuildError::Write {
                    path: path.to_owned(),
                    source,
                },
            }
        })?;
    let instructions = context::instructions(&config);
    let config = config::finish(config, &layer.diff_id, &instructions, options);
    Ok(Built {
        id: Digest::of(&config),
        config,
        layer,
        layer_file: path.to_owned(),
        dockerfile: context::dockerfile(&instructions),
        tags,
    })
}

impl Built {
    /// The `docker save` archive of the image, which is an OCI layout as well: a stream that takes the layer's bytes
    /// from its file.
    ///
    /// # Errors
    /// The layer's file cannot be opened or is no longer what was written.
    pub fn archive(&self) -> Result<ArchiveReader, BuildError> {
        let open = || {
            let file = File::open(&self.layer_file)?;
            if file.metadata()?.len() != self.layer.size {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it is no longer what was built; build again",
                ));
            }
            let layer = LayerTar {
                diff_id: self.layer.diff_id.clone(),
                file: Arc::new(file),
                offset: 0,
                size: self.layer.size,
            };
            let blobs = Blobs {
                config: self.config.clone(),
                layers: vec![layer],
            };
            blobs.archive(&self.tags)
        };
        open().map_err(|source| BuildError::Write {
            path: self.layer_file.clone(),
            source,
        })
    }

    /// Writes [`Built::archive`] to a file, replacing it at the very end.
    ///
    /// # Errors
    /// As [`Built::archive`], and when `path` cannot be written.
    pub fn write_archive(&self, path: &Path) -> Result<(), BuildError> {
        let mut reader = self.archive()?;
        let failed = |source| BuildError::Write {
            path: path.to_owned(),
            source,
        };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut temporary = tempfile::Builder::new()
            .prefix(".image.tar.")
            .tempfile_in(directory)
            .map_err(failed)?;
        io::copy(&mut reader, temporary.as_file_mut()).map_err(failed)?;
        temporary.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
