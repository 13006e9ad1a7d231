//! Images of the engine: found, pulled, read and loaded.

use std::io::Read;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use bollard::models::ImageInspect;
use bollard::query_parameters as query;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::answer::{check_name, parse_reference, reason, refused, status};
use super::{Docker, connect, credentials};
use crate::digest::Digest;
use crate::engine::{self, ByteCounts, Container, Error, LoadedImage, Pull, check_platform};
use crate::image::{Archive, Config, Image, overlay};

/// Length of the longest config that is read.
const MAX_CONFIG: u64 = 16 << 20;

/// Number of bytes of an archive that are read at a time.
const CHUNK: usize = 256 << 10;

/// Time that the engine may take to begin its answer to an image that is loaded.
const LOAD_ANSWER: Duration = Duration::from_secs(3600);

impl Docker {
    /// [`crate::engine::Engine::image`].
    pub(super) async fn read_image(
        &self,
        reference: &str,
        pull: Pull,
        progress: Option<ByteCounts>,
    ) -> Result<Image, Error> {
        let found = match pull {
            Pull::Always => {
                self.pull(reference, progress).await?;
                self.inspect_image(reference).await?
            }
            Pull::Never => self.inspect_image(reference).await?,
            Pull::Missing => match self.inspect_image(reference).await {
                Err(Error::NoImage { .. }) => {
                    self.pull(reference, progress).await?;
                    self.inspect_image(reference).await?
                }
                other => other?,
            },
        };
        let unreadable = |reason: String| Error::ImageUnreadable {
            reference: reference.to_owned(),
            reason,
        };
        check_platform(
            reference,
            found.os.as_deref().unwrap_or(""),
            found.architecture.as_deref().unwrap_or(""),
        )?;
        let name = found.id.clone().unwrap_or_default();
        // The fast path: config and layers lie open on this machine.
        if !self.0.description.remapped
            && let (Ok(id), Some(layers)) = (name.parse::<Digest>(), layers(&found))
            && let Some(config) = self.stored_config(&id)
        {
            let index = tokio::task::spawn_blocking(move || overlay::index(&layers)).await;
            match index.map_err(|e| unreadable(e.to_string()))? {
                Ok(rootfs) => {
                    return Ok(Image {
                        id,
                        reference: reference.to_owned(),
                        config,
                        rootfs,
                    });
                }
                Err(error) => tracing::debug!("{error}; reading the image through the engine"),
            }
        }
        let archive = self.read_archive(reference).await?;
        if archive.id.as_str() != name {
            let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.insert(archive.id.clone(), name);
        }
        Ok(archive.into_image(reference))
    }

    /// [`crate::engine::Engine::image_id`].
    pub(super) async fn id_of_image(&self, reference: &str) -> Result<Digest, Error> {
        let name = self.inspect_image(reference).await?.id.unwrap_or_default();
        let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.iter().find(|(_, known)| **known == name);
        let id = known.map(|(id, _)| id.clone()).or_else(|| name.parse().ok());
        id.ok_or_else(|| Error::ImageUnreadable {
            reference: reference.to_owned(),
            reason: format!("its id is no digest: {name:?}"),
        })
    }

    /// The image through the engine, as `docker save` gives it.
    async fn read_archive(&self, reference: &str) -> Result<Archive, Error> {
        let unreadable = |reason: String| Error::ImageUnreadable {
            reference: reference.to_owned(),
            reason,
        };
        let (sender, receiver) = mpsc::channel(16);
        let reader = tokio::task::spawn_blocking(move || {
            Archive::read(Received {
                receiver,
                chunk: Bytes::new(),
            })
        });
        let mut stream = std::pin::pin!(self.client().export_image(reference));
        while let Some(part) = stream.next().await {
            let part = part.map_err(|e| std::io::Error::other(reason(&e)));
            let last = part.is_err();
            // The reader has an error, or all that it needs.
            if sender.send(part).await.is_err() || last {
                break;
            }
        }
        drop(sender);
        let archive = reader.await.map_err(|e| unreadable(e.to_string()))?;
        archive.map_err(|e| unreadable(e.to_string()))
    }

    /// Returns the engine's description of an image.
    pub(super) async fn inspect_image(&self, reference: &str) -> Result<ImageInspect, Error> {
        let action = format!("inspect the image {reference}");
        check_name(&action, reference)?;
        self.client()
            .inspect_image(reference)
            .await
            .map_err(|error| match status(&error) {
                Some(404) => Error::NoImage {
                    reference: reference.to_owned(),
                },
                _ => refused(&action, error),
            })
    }

    /// The engine's name of an image: its config's digest, unless it stores images under another one.
    pub(super) fn name_of(&self, id: &Digest) -> String {
        let names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    async fn pull(&self, reference: &str, progress: Option<ByteCounts>) -> Result<(), Error> {
        let fail = |reason: String| Error::Pull {
            reference: reference.to_owned(),
            reason,
        };
        let name = parse_reference(&format!("pull {reference}"), reference)?;
        let options = query::CreateImageOptionsBuilder::default();
        let options = match name.digest() {
            Some(_) => options.from_image(reference),
            None => options.from_image(&name.name()).tag(name.tag_or_latest()),
        };
        let directory = connect::client_env().config_directory();
        let credentials = match directory {
            Some(directory) => credentials::find(&directory, &name).await?,
            None => None,
        };
        let mut stream = std::pin::pin!(
            self.client()
                .create_image(Some(options.build()), None, credentials)
        );
        // Every layer reports for itself; what is shown is their sum.
        let mut layers = std::collections::BTreeMap::new();
        while let Some(step) = stream.next().await {
            let step = step.map_err(|e| fail(reason(&e)))?;
            if let Some(error) = step.error_detail {
                return Err(fail(error.message.unwrap_or_default()));
            }
            if let (Some(progress), Some(layer), Some(detail), Some("Downloading")) =
                (&progress, step.id, step.progress_detail, step.status.as_deref())
                && let (Some(done), Some(total)) = (detail.current, detail.total)
            {
                layers.insert(layer, (done.unsigned_abs(), total.unsigned_abs()));
                let done = layers.values().map(|l| l.0).sum();
                let total = layers.values().map(|l| l.1).sum();
                // Nobody watches any more: that is no reason to stop.
                let _ = progress.send((done, Some(total)));
            }
        }
        Ok(())
    }

    /// The config where the engine stores it, if that is on this machine and its digest is right.
    fn stored_config(&self, id: &Digest) -> Option<Config> {
        let description = &self.0.description;
        let path = description
            .root_directory
            .join("image")
            .join(&description.driver)
            .join("imagedb/content/sha256")
            .join(id.hex());
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .ok()?
            .take(MAX_CONFIG)
            .read_to_end(&mut bytes)
            .ok()?;
        if Digest::of(&bytes) != *id {
            return None;
        }
        serde_json::from_slice(&bytes).map(Config).ok()
    }

    /// [`crate::engine::Engine::load`].
    pub(super) async fn load_archive(
        &self,
        archive: engine::ArchiveStream,
        tags: &[String],
        progress: Option<ByteCounts>,
    ) -> Result<LoadedImage, Error> {
        let engine::ArchiveStream {
            id: config,
            size,
            mut bytes,
        } = archive;
        let action = format!("load the image {}", config.short());
        for tag in tags {
            parse_reference(&action, tag)?;
        }
        let (sender, receiver) = mpsc::channel(2);
        let reading = tokio::task::spawn_blocking(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = match bytes.read(&mut chunk) {
                    Ok(0) => return Ok(()),
                    Ok(read) => read,
                    Err(error) => return Err(error),
                };
                chunk.truncate(read);
                if sender.blocking_send(Bytes::from(chunk)).is_err() {
                    return Ok(());
                }
            }
        });
        let chunks = futures_util::stream::unfold((receiver, 0u64), move |(mut receiver, done)| {
            let progress = progress.clone();
            async move {
                let chunk = receiver.recv().await?;
                let done = done + chunk.len() as u64;
                if let Some(progress) = &progress {
                    let _ = progress.send((done, Some(size)));
                }
                Some((Ok::<_, std::io::Error>(chunk), (receiver, done)))
            }
        });
        let client = self.client().clone().with_timeout(LOAD_ANSWER);
        let options = query::ImportImageOptionsBuilder::default().quiet(true).build();
        let mut answers = std::pin::pin!(client.import_image_stream(options, chunks, None));
        let mut said = String::new();
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|e| refused(&action, e))?;
            if let Some(error) = answer.error_detail {
                return Err(Error::Refused {
                    action,
                    message: error.message.unwrap_or_default(),
                });
            }
            said += &answer.stream.unwrap_or_default();
        }
        reading
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|error| Error::Broken {
                action: action.clone(),
                reason: format!("the archive cannot be read: {error}"),
            })?;
        self.note_loaded().await;
        // Engines that store images by manifest know it by that digest: "Loaded image ID: …" or "Loaded image: …".
        let mut name = config.to_string();
        if let Err(Error::NoImage { .. }) = self.inspect_image(&name).await {
            name = said
                .lines()
                .find_map(|l| {
                    l.split_once("Loaded image ID: ")
                        .or_else(|| l.split_once("Loaded image: "))
                })
                .map(|(_, name)| name.trim().to_owned())
                .ok_or_else(|| Error::Broken {
                    action: action.clone(),
                    reason: format!("it does not say what it loaded: {said:?}"),
                })?;
            let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.insert(config.clone(), name.clone());
        }
        for tag in tags {
            self.add_tag(&name, tag).await?;
        }
        Ok(LoadedImage { id: config })
    }

    /// [`Engine::tag`](crate::engine::Engine::tag) by a name that this engine knows.
    pub(super) async fn add_tag(&self, reference: &str, tag: &str) -> Result<(), Error> {
        let action = format!("tag {reference} as {tag}");
        check_name(&action, reference)?;
        let tag = parse_reference(&action, tag)?;
        let options = query::TagImageOptionsBuilder::default()
            .repo(&tag.name())
            .tag(tag.tag_or_latest())
            .build();
        self.client()
            .tag_image(reference, Some(options))
            .await
            .map_err(|e| refused(&action, e))
    }

    /// Removes the name `reference`, and the image if it was the last one. One that is gone already is no error.
    ///
    /// # Errors
    /// The engine's message.
    pub async fn remove_image(&self, reference: &str) -> Result<(), Error> {
        let action = format!("remove the image {reference}");
        check_name(&action, reference)?;
        match self
            .client()
            .remove_image(reference, None::<query::RemoveImageOptions>, None)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(refused(&action, error)),
        }
    }

    /// The size of an image in bytes, as the engine counts it.
    ///
    /// # Errors
    /// [`Error::NoImage`], or the engine's message.
    pub async fn image_size(&self, reference: &str) -> Result<u64, Error> {
        let image = self.inspect_image(reference).await?;
        Ok(image.size.unwrap_or(0).unsigned_abs())
    }

    pub(super) async fn knows_image(&self, id: &Digest) -> Result<bool, Error> {
        match self.inspect_image(&self.name_of(id)).await {
            Ok(_) => Ok(true),
            Err(Error::NoImage { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn image_of_container(&self, container: &Container) -> Result<String, Error> {
        let found = self.inspect(&container.id).await?;
        let id = found.image.unwrap_or_default();
        let named = found.config.and_then(|c| c.image).filter(|name| !name.is_empty());
        Ok(match named {
            Some(name)
                if self
                    .inspect_image(&name)
                    .await
                    .is_ok_and(|now| now.id.as_ref() == Some(&id)) =>
            {
                name
            }
            _ => id,
        })
    }
}

/// The bytes that arrive in a channel, as a reader for a thread that may wait.
struct Received {
    receiver: mpsc::Receiver<std::io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(chunk) => self.chunk = chunk?,
            }
        }
        let length = buffer.len().min(self.chunk.len());
        buffer[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}

/// The layers' directories, lowest first, where the storage driver is overlay2.
fn layers(found: &ImageInspect) -> Option<Vec<PathBuf>> {
    let driver = found.graph_driver.as_ref().filter(|d| d.name == "overlay2")?;
    let upper = driver.data.get("UpperDir")?;
    let lower = driver
        .data
        .get("LowerDir")
        .map(String::as_str)
        .unwrap_or_default();
    let mut list: Vec<PathBuf> = lower
        .split(':')
        .filter(|d| !d.is_empty())
        .rev()
        .map(PathBuf::from)
        .collect();
    list.push(upper.into());
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::DriverData;

    #[test]
    fn layers_are_lowest_first() {
        let data = [("LowerDir", "/c:/b:/a"), ("UpperDir", "/d"), ("MergedDir", "/m")];
        let mut image = ImageInspect {
            graph_driver: Some(DriverData {
                name: "overlay2".to_owned(),
                data: data.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            }),
            ..ImageInspect::default()
        };
        assert_eq!(
            layers(&image),
            Some(["/a", "/b", "/c", "/d"].map(PathBuf::from).to_vec())
        );
        image
            .graph_driver
            .as_mut()
            .expect("a driver")
            .data
            .remove("LowerDir");
        assert_eq!(layers(&image), Some(vec![PathBuf::from("/d")]));
        image.graph_driver.as_mut().expect("a driver").name = "vfs".to_owned();
        assert_eq!(layers(&image), None);
    }

    #[test]
    fn chunks_are_read_in_order_and_errors_come_through() {
        let (sender, receiver) = mpsc::channel(4);
        for part in ["ab", "", "cde"] {
            sender.try_send(Ok(Bytes::from(part))).expect("room");
        }
        sender
            .try_send(Err(std::io::Error::other("broken")))
            .expect("room");
        drop(sender);
        let mut reader = Received {
            receiver,
            chunk: Bytes::new(),
        };
        let mut five = [0; 5];
        reader.read_exact(&mut five).expect("five bytes");
        assert_eq!(&five, b"abcde");
        assert!(reader.read(&mut five).is_err());
        assert_eq!(reader.read(&mut five).ok(), Some(0));
    }
}
