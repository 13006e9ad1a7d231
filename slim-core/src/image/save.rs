//! Writes the archive that engines load: `docker save`'s `manifest.json` and an OCI layout over the same blobs.
//!
//! Source: OCI image specification, "Image Layout"; Docker image specification 1.2.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Reference;
use crate::digest::Digest;

/// The unit of a tar.
const BLOCK: usize = 512;

/// The bytes of an image: its config and the tar of each layer.
#[derive(Clone, Debug)]
pub struct Blobs {
    /// The config document.
    pub config: Vec<u8>,
    /// The layers, lowest first.
    pub layers: Vec<LayerTar>,
}

/// A layer's tar, not compressed, as a part of a file.
#[derive(Clone, Debug)]
pub struct LayerTar {
    /// The digest of the tar.
    pub diff_id: Digest,
    /// The file.
    pub file: Arc<File>,
    /// The first byte of the tar in the file.
    pub offset: u64,
    /// The length of the tar in bytes.
    pub size: u64,
}

impl Blobs {
    /// Returns the archive of the image under the names `tags`, as a stream that takes the layers' bytes from their
    /// files.
    ///
    /// # Errors
    /// The config is not JSON.
    pub fn archive(&self, tags: &[Reference]) -> io::Result<ArchiveReader> {
        let config: Value = serde_json::from_slice(&self.config)?;
        let config_id = Digest::of(&self.config);
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                json!({
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": layer.diff_id,
                    "size": layer.size,
                })
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_id,
                "size": self.config.len(),
            },
            "layers": layers,
        })
        .to_string();
        let manifest_id = Digest::of(manifest.as_bytes());
        let descriptor = |annotations: Option<Value>| {
            let mut descriptor = json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": manifest_id,
                "size": manifest.len(),
            });
            if let (Some(architecture), Some(os)) = (config["architecture"].as_str(), config["os"].as_str()) {
                descriptor["platform"] = json!({"architecture": architecture, "os": os});
            }
            if let Some(annotations) = annotations {
                descriptor["annotations"] = annotations;
            }
            descriptor
        };
        let mut manifests: Vec<Value> = tags
            .iter()
            .map(|tag| {
                descriptor(Some(json!({
                    "io.containerd.image.name": tag.canonical(),
                    "org.opencontainers.image.ref.name": tag.tag_or_latest(),
                })))
            })
            .collect();
        if manifests.is_empty() {
            manifests.push(descriptor(None));
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        let names: Vec<String> = tags.iter().map(Reference::tagged).collect();
        let layers: Vec<String> = self.layers.iter().map(|layer| blob(&layer.diff_id)).collect();
        let docker = json!([{
            "Config": blob(&config_id),
            "RepoTags": names,
            "Layers": layers,
        }]);
        let mut out = ArchiveReader::default();
        let layout = br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec();
        out.document("oci-layout", layout);
        out.document("index.json", index.to_string().into_bytes());
        out.document("manifest.json", docker.to_string().into_bytes());
        out.document(&blob(&manifest_id), manifest.into_bytes());
        out.document(&blob(&config_id), self.config.clone());
        let mut written = Vec::new();
        for layer in &self.layers {
            // Layers may be equal; one blob stands for all of them.
            if !written.contains(&&layer.diff_id) {
                out.layer(layer);
                written.push(&layer.diff_id);
            }
        }
        // Two empty blocks end a tar.
        out.push(vec![0; 2 * BLOCK]);
        Ok(out)
    }
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A part of an archive.
enum Part {
    Bytes(io::Cursor<Vec<u8>>),
    File { file: Arc<File>, offset: u64, left: u64 },
}

/// The bytes of an archive, in order.
#[derive(Default)]
pub struct ArchiveReader {
    parts: VecDeque<Part>,
    size: u64,
}

impl ArchiveReader {
    /// Returns the number of bytes of the whole archive.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.size += bytes.len() as u64;
        self.parts.push_back(Part::Bytes(io::Cursor::new(bytes)));
    }

    fn document(&mut self, name: &str, mut content: Vec<u8>) {
        self.push(header(name, content.len() as u64));
        content.resize(content.len().next_multiple_of(BLOCK), 0);
        self.push(content);
    }

    fn layer(&mut self, layer: &LayerTar) {
        self.push(header(&blob(&layer.diff_id), layer.size));
        self.size += layer.size;
        self.parts.push_back(Part::File {
            file: Arc::clone(&layer.file),
            offset: layer.offset,
            left: layer.size,
        });
        // Most tars are whole blocks, and not all.
        let over = usize::try_from(layer.size % BLOCK as u64).unwrap_or_default();
        self.push(vec![0; over.next_multiple_of(BLOCK) - over]);
    }
}

impl Read for ArchiveReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.front_mut() {
            let read = match part {
                Part::Bytes(bytes) => bytes.read(buf)?,
                Part::File { left: 0, .. } => 0,
                Part::File { file, offset, left } => {
                    let length = buf.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let read = file.read_at(&mut buf[..length], *offset)?;
                    if read == 0 && length > 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    *offset += read as u64;
                    *left -= read as u64;
                    read
                }
            };
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            self.parts.pop_front();
        }
        Ok(0)
    }
}

/// Returns the header of a regular file of root's.
fn header(name: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    // The names of an image's documents and blobs are shorter than a header's field.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}
