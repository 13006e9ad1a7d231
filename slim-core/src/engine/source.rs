//! Sources of images: an engine, or a file.

use async_trait::async_trait;

use super::{ArchiveStream, ByteCounts, Engine, Error, Pull};
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
        Ok(archive.into_image(reference))
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
    let archive = ArchiveStream {
        id: Digest::of(&blobs.config),
        size: reader.size(),
        bytes: Box::new(reader),
    };
    engine.load(archive, &[], progress).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::engine::NoEngine;
    use crate::image::{ArchiveFormat, Blobs, LayerTar};
    use crate::machine;
    use crate::testing::{Behaviour, FakeEngine};

    /// A file with an image of one empty layer for `architecture`.
    fn saved(architecture: &str) -> (tempfile::NamedTempFile, ImageName) {
        let tar = [0; 1024];
        let mut layer = tempfile::tempfile().unwrap();
        layer.write_all(&tar).unwrap();
        let diff_id = Digest::of(&tar);
        let config = serde_json::json!({
            "os": "linux",
            "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let blobs = Blobs {
            config: config.to_string().into_bytes(),
            layers: vec![LayerTar {
                diff_id,
                file: Arc::new(layer),
                offset: 0,
                size: 1024,
            }],
        };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::copy(&mut blobs.archive(&[]).unwrap(), &mut file).unwrap();
        let name = ImageName::Archive(ArchiveFile {
            format: ArchiveFormat::Oci,
            path: file.path().to_owned(),
        });
        (file, name)
    }

    #[tokio::test]
    async fn an_image_from_a_file_is_loaded_once_and_only_to_be_started() {
        let engine = FakeEngine::new(|_| Behaviour::default());
        let (_file, name) = saved(machine::here());
        // Without an engine it is as good.
        for engine in [&engine as &dyn Engine, &NoEngine::default()] {
            let image = source(&name, engine, Pull::Always).image(None).await.unwrap();
            assert_eq!(image.reference, name.to_string());
        }
        assert_eq!(engine.loaded(), 0);
        let image = source(&name, &engine, Pull::Never).image(None).await.unwrap();
        for _ in 0..2 {
            load_from_file(&engine, &image, None).await.unwrap();
            assert_eq!((engine.loaded(), engine.names().len()), (1, 1));
        }
        let error = load_from_file(&NoEngine::default(), &image, None)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Absent { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_image_for_another_machine_is_read_and_not_loaded() {
        let engine = FakeEngine::new(|_| Behaviour::default());
        let (_file, name) = saved("s390x");
        let image = source(&name, &engine, Pull::Never).image(None).await.unwrap();
        let error = load_from_file(&engine, &image, None).await.unwrap_err();
        assert!(matches!(error, Error::Platform { .. }), "{error}");
        assert_eq!(engine.loaded(), 0);
    }

    #[tokio::test]
    async fn what_is_in_no_file_is_the_engines() {
        let name = "app:1".parse().unwrap();
        let error = source(&name, &NoEngine::default(), Pull::Never)
            .image(None)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Absent { .. }), "{error}");
    }
}
