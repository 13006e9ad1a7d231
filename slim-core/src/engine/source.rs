//! Sources of images: an engine, or a file.

use async_trait::async_trait;

use super::{Archive, ByteCounts, Engine, Error, Pull};
use crate::digest::Digest;
use crate::image::{ArchiveFile, Image, ImageName};

/// A place that one image comes from.
#[async_trait]
pub trait ImageSource: Send + Sync {
    /// Returns the image with its file system indexed.
    ///
    /// # Errors
    /// The image is not there, or cannot be read.
    async fn image(&self, progress: Option<ByteCounts>) -> Result<Image, Error>;
}

/// An image that an engine has, or pulls.
struct EngineImage<'a> {
    engine: &'a dyn Engine,
    reference: String,
    pull: Pull,
}

#[async_trait]
impl ImageSource for EngineImage<'_> {
    async fn image(&self, progress: Option<ByteCounts>) -> Result<Image, Error> {
        self.engine.image(&self.reference, self.pull, progress).await
    }
}

#[async_trait]
impl ImageSource for ArchiveFile {
    async fn image(&self, _: Option<ByteCounts>) -> Result<Image, Error> {
        let file = self.clone();
        let reference = ImageName::Archive(file.clone()).to_string();
        let read = tokio::task::spawn_blocking(move || file.read()).await;
        let archive = read.map_err(|error| Error::ImageUnreadable {
            reference: reference.clone(),
            reason: error.to_string(),
        })??;
        Ok(Image {
            id: archive.id,
            reference,
            config: archive.config,
            rootfs: archive.rootfs,
        })
    }
}

/// Returns the source of the image `name`; `engine` and `pull` count for what is in no file.
pub fn source<'a>(name: &ImageName, engine: &'a dyn Engine, pull: Pull) -> Box<dyn ImageSource + 'a> {
    match name {
        ImageName::Engine(reference) => Box::new(EngineImage {
            engine,
            reference: reference.to_string(),
            pull,
        }),
        ImageName::Archive(file) => Box::new(file.clone()),
    }
}

/// Loads `image` into `engine` if it came from a file and the engine does not have it, under a temporary name that is
/// removed with the rest of what this process made.
///
/// # Errors
/// The image is for another platform, or the engine's message.
pub async fn load_from_file(
    engine: &dyn Engine,
    image: &Image,
    progress: Option<ByteCounts>,
) -> Result<(), Error> {
    let Some(blobs) = image.rootfs.blobs() else {
        return Ok(());
    };
    super::check_platform(&image.reference, image.config.os(), image.config.architecture())?;
    if engine.has_image(&image.id).await? {
        return Ok(());
    }
    let unreadable = |error: &dyn std::fmt::Display| Error::ImageUnreadable {
        reference: image.reference.clone(),
        reason: error.to_string(),
    };
    let name = engine.temporary_tag()?;
    let tag = name.parse().map_err(|error| unreadable(&error))?;
    let reader = blobs.archive(&[tag]).map_err(|error| unreadable(&error))?;
    let archive = Archive {
        id: Digest::of(&blobs.config),
        size: reader.size(),
        bytes: Box::new(reader),
    };
    engine.load(archive, &[], progress).await?;
    Ok(())
}
