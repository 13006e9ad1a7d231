//! The archive that engines load: `docker save`'s `manifest.json` and an OCI layout over the same blobs.
//!
//! Source: OCI image specification, "Image Layout"; Docker image specification 1.2.

use std::fs::File;
use std::io::{self, Cursor, Read};

use serde_json::{Value, json};

use super::{Built, layer};
use crate::digest::Digest;

/// The headers and documents of the archive.
type Frame = Cursor<Vec<u8>>;

/// The archive's bytes, in order.
pub struct Reader {
    inner: io::Chain<io::Chain<Frame, io::Take<File>>, Frame>,
    size: u64,
}

impl Reader {
    /// Number of bytes of the archive.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf)
    }
}

/// `name` with the tag `latest` if it has none.
pub(super) fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// A tagged name with its registry, as containerd wants it.
fn full_name(name: &str) -> String {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

pub(super) fn reader(built: &Built) -> io::Result<Reader> {
    let file = File::open(&built.layer_file)?;
    if file.metadata()?.len() != built.layer.size {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is no longer what was built; build again",
        ));
    }
    let config: Value = serde_json::from_slice(&built.config)?;
    let (head, tail) = frame(built, &config);
    let size = (head.len() + tail.len()) as u64 + built.layer.size;
    Ok(Reader {
        inner: Cursor::new(head)
            .chain(file.take(built.layer.size))
            .chain(Cursor::new(tail)),
        size,
    })
}

/// The bytes before and after those of the layer.
fn frame(built: &Built, config: &Value) -> (Vec<u8>, Vec<u8>) {
    let diff_id = &built.layer.diff_id;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": built.id,
            "size": built.config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": diff_id,
            "size": built.layer.size,
        }],
    })
    .to_string();
    let manifest_id = Digest::of(manifest.as_bytes());
    let descriptor = |annotations: Option<Value>| {
        let mut descriptor = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest_id,
            "size": manifest.len(),
            "platform": {"architecture": config["architecture"], "os": config["os"]},
        });
        if let Some(annotations) = annotations {
            descriptor["annotations"] = annotations;
        }
        descriptor
    };
    let mut manifests: Vec<Value> = built
        .tags
        .iter()
        .map(|tag| {
            let short = tag.rsplit(':').next().unwrap_or(tag);
            descriptor(Some(json!({
                "io.containerd.image.name": full_name(tag),
                "org.opencontainers.image.ref.name": short,
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
    let docker = json!([{
        "Config": blob(&built.id),
        "RepoTags": built.tags,
        "Layers": [blob(diff_id)],
    }]);
    let mut head = Vec::new();
    let documents = [
        (
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
        ),
        ("index.json".to_owned(), index.to_string().into_bytes()),
        ("manifest.json".to_owned(), docker.to_string().into_bytes()),
        (blob(&manifest_id), manifest.into_bytes()),
        (blob(&built.id), built.config.clone()),
    ];
    for (name, bytes) in documents {
        head.extend(layer::member(&name, bytes.len() as u64));
        head.extend(bytes);
        head.resize(head.len().next_multiple_of(layer::BLOCK), 0);
    }
    head.extend(layer::member(&blob(diff_id), built.layer.size));
    // A layer's length is a multiple of a block, being a tar itself; two empty blocks end the archive.
    (head, vec![0; 2 * layer::BLOCK])
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
