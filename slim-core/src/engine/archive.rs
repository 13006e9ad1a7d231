//! Images on their way to an engine.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;

use crate::digest::Digest;

/// An image's config may be this long.
const MAX_CONFIG: u64 = 16 << 20;

/// An image in the format of `docker save`, as a stream: what is loaded need not lie on a disk first.
pub struct ArchiveStream {
    /// The digest of the image's config.
    pub id: Digest,
    /// The length in bytes.
    pub size: u64,
    /// The bytes.
    pub bytes: Box<dyn Read + Send>,
}

impl std::fmt::Debug for ArchiveStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveStream")
            .field("id", &self.id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl ArchiveStream {
    /// The archive in a file, whose `manifest.json` names the config.
    ///
    /// Source: Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
    ///
    /// # Errors
    /// The file cannot be read, or does not hold exactly one image.
    pub fn open(path: &Path) -> io::Result<Self> {
        #[derive(serde::Deserialize)]
        struct Item {
            #[serde(rename = "Config")]
            config: String,
        }
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut file = File::open(path)?;
        let manifest =
            entry(&mut file, "manifest.json")?.ok_or_else(|| wrong("the archive has no manifest.json"))?;
        let items: Vec<Item> = serde_json::from_slice(&manifest)?;
        let [item] = &items[..] else {
            return Err(wrong("the archive does not hold exactly one image"));
        };
        let config =
            entry(&mut file, &item.config)?.ok_or_else(|| wrong("the archive lacks its image's config"))?;
        file.rewind()?;
        Ok(Self {
            id: Digest::of(&config),
            size: file.metadata()?.len(),
            bytes: Box::new(file),
        })
    }
}

/// The content of one small file of a tar archive.
fn entry(file: &mut File, name: &str) -> io::Result<Option<Vec<u8>>> {
    file.rewind()?;
    for found in tar::Archive::new(file).entries_with_seek()? {
        let found = found?;
        if found.path_bytes().as_ref() == name.as_bytes() {
            let mut bytes = Vec::new();
            found.take(MAX_CONFIG).read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, &str)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut builder = tar::Builder::new(file.as_file());
        for (name, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, name, text.as_bytes())
                .expect("an entry");
        }
        builder.finish().expect("an archive");
        drop(builder);
        file
    }

    #[test]
    fn the_archives_config_is_found() {
        let manifest = r#"[{"Config":"c.json","RepoTags":null,"Layers":[]}]"#;
        let file = archive(&[("c.json", "{}"), ("manifest.json", manifest)]);
        assert_eq!(
            ArchiveStream::open(file.path()).ok().map(|archive| archive.id),
            Some(Digest::of(b"{}"))
        );
        for entries in [
            &[("c.json", "{}")][..],
            &[("manifest.json", manifest)],
            &[("manifest.json", "[]")],
            &[("manifest.json", "nonsense")],
        ] {
            assert!(
                ArchiveStream::open(archive(entries).path()).is_err(),
                "{entries:?}"
            );
        }
    }
}
