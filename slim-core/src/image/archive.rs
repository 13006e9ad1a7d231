//! An image from an archive: `docker save`'s, or an OCI layout in a tar.
//!
//! The stream is spooled to a file without a name, so that memory stays bounded and nothing is left behind; compressed
//! layers are unpacked into files like it. The index remembers where each file's bytes are.
//!
//! A layer's names are hostile. They are made lexically normal, and their directories are then looked up among the
//! layer's own links, as Docker does when it unpacks a layer below a root of its own; nothing is ever unpacked here.
//!
//! Source: OCI image specification, "Image Layer Filesystem Changeset" and "Image Layout"; Docker image specification
//! 1.2, "Combined Image JSON + Filesystem Changeset Format".

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::{Arch, Descriptor, ImageIndex, ImageManifest, Os};
use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::config::MAX_CONFIG;
use super::merge::{Layer, Merged, directory, merge, remove_below};
use super::rootfs::MAX_LINKS;
use super::tar::{Content, ContentReader, Member, Members, Type};
use super::{
    ArchiveFormat, Blobs, Config, Entry, Image, ImageError, Kind, LayerTar, Rootfs, Store, config_from,
};
use crate::digest::Digest;
use crate::machine;
use crate::path::{RawPath, RootPath};

/// Length of the longest path that a system call takes (`PATH_MAX` in `include/uapi/linux/limits.h`).
const MAX_PATH: usize = 4096;

/// Length of the longest name that a file system takes (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// Number of entries of a layer at most: the index is in memory.
const MAX_ENTRIES: usize = 8 << 20;

/// Number of members of the archive around the layers at most.
const MAX_MEMBERS: usize = 1 << 16;

/// An image that was read from an archive.
#[derive(Debug)]
pub struct Archive {
    /// The digest of the config's bytes.
    pub id: Digest,
    /// The config.
    pub config: Config,
    /// The merged file system; its bytes are in the spooled archive.
    pub rootfs: Rootfs,
    /// The names that the archive gives the image (`nginx:1.25`).
    pub tags: Vec<String>,
}

impl Archive {
    /// Returns the image, named as the user names it.
    pub fn into_image(self, reference: impl Into<String>) -> Image {
        Image {
            id: self.id,
            reference: reference.into(),
            config: self.config,
            rootfs: self.rootfs,
        }
    }

    /// Reads the one image in an archive: plain, or compressed with gzip or zstd.
    ///
    /// # Errors
    /// The archive is malformed, holds another number of images than one, a layer's bytes are not those that the
    /// config promises, or the spool files (in `TMPDIR`, or `/var/tmp`) cannot be written.
    pub fn read(reader: impl Read) -> Result<Self, ImageError> {
        Self::read_format(reader, None)
    }

    /// Reads the one image in an archive that must be of `format`, if there is one.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn read_format(reader: impl Read, format: Option<ArchiveFormat>) -> Result<Self, ImageError> {
        let spool = Arc::new(spool(reader)?);
        let size = spool
            .metadata()
            .map_err(ImageError::io("spooled image archive"))?
            .len();
        let outer = Outer::index(&spool, size)?;
        let docker = outer.members.contains_key(&RootPath::new(b"manifest.json"));
        let found = match format {
            Some(ArchiveFormat::Docker) => outer.docker()?,
            Some(ArchiveFormat::Oci) => outer.oci()?,
            None if docker => outer.docker()?,
            None => outer.oci()?,
        };
        let config = config_from(&found.config)?;
        let promised = config.diff_ids()?;
        if promised.len() != found.layers.len() {
            return Err(ImageError::Archive(format!(
                "its config names {} layers and its manifest {}",
                promised.len(),
                found.layers.len()
            )));
        }
        let layers: Vec<ReadLayer> = found
            .layers
            .par_iter()
            .zip(promised)
            .enumerate()
            .map(|(number, (content, diff_id))| read_layer(&spool, content, number, &diff_id))
            .collect::<Result<_, _>>()?;
        let mut contents = Vec::with_capacity(layers.len());
        let mut tars = Vec::with_capacity(layers.len());
        let mut parts = Vec::with_capacity(layers.len());
        for layer in layers {
            parts.push(layer.layer);
            contents.push(layer.contents);
            tars.push(layer.tar);
        }
        let Merged { entries, origins } = merge(parts);
        let places = origins
            .into_iter()
            .map(|(layer, inode)| contents[layer].remove(&inode))
            .collect();
        let blobs = Blobs {
            config: found.config,
            layers: tars,
        };
        Ok(Self {
            id: Digest::of(&blobs.config),
            config,
            rootfs: Rootfs::new(entries, Arc::new(Spooled { blobs, places })),
            tags: found.tags,
        })
    }
}

/// The bytes of a merged image, in its layers' tars.
struct Spooled {
    blobs: Blobs,
    /// The locations by inode number.
    places: Vec<Option<Content>>,
}

impl Spooled {
    fn content(&self, path: &RootPath, entry: &Entry) -> io::Result<ContentReader> {
        let place = usize::try_from(entry.inode)
            .ok()
            .and_then(|inode| self.places.get(inode)?.as_ref());
        match (place, self.blobs.layers.get(entry.layer)) {
            (Some(content), Some(layer)) => Ok(content.open(layer.file.clone())),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{path}: its layer has no bytes for it"),
            )),
        }
    }
}

impl Store for Spooled {
    fn open(&self, path: &RootPath, entry: &Entry) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.content(path, entry)?))
    }

    fn read_at(&self, path: &RootPath, entry: &Entry, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut content = self.content(path, entry)?;
        content.skip_to(offset);
        let mut bytes = Vec::with_capacity(length);
        content.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn blobs(&self) -> Option<&Blobs> {
        Some(&self.blobs)
    }
}

/// A file without a name on a disk (where `/tmp` is memory, an image would fill it).
fn temporary() -> Result<File, ImageError> {
    let directory = match std::env::var_os("TMPDIR") {
        Some(directory) => PathBuf::from(directory),
        None if Path::new("/var/tmp").is_dir() => "/var/tmp".into(),
        None => std::env::temp_dir(),
    };
    tempfile::tempfile_in(&directory).map_err(ImageError::io(format!(
        "spool file in {} (TMPDIR names another directory)",
        directory.display()
    )))
}

fn spool(mut reader: impl Read) -> Result<File, ImageError> {
    let failed = || ImageError::io("spooling the image archive");
    let mut head = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut head).map_err(failed())?;
    let mut plain = decompress(head.clone(), io::Cursor::new(head).chain(reader)).map_err(failed())?;
    let mut file = temporary()?;
    io::copy(&mut plain, &mut file).map_err(failed())?;
    Ok(file)
}

/// Undoes the compression that the first bytes of a stream name.
fn decompress<'a>(head: impl AsRef<[u8]>, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let head = head.as_ref();
    Ok(if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(reader)))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::stream::read::Decoder::new(reader)?)
    } else {
        Box::new(reader)
    })
}

/// The archive around the layers.
struct Outer<'a> {
    file: &'a Arc<File>,
    members: HashMap<RootPath, Place>,
}

enum Place {
    Bytes(Content),
    /// Follows links: Docker writes a layer that it has written already as a link to it.
    Link(RootPath),
}

/// The config and the layers that an archive's manifest names.
struct Found {
    config: Vec<u8>,
    layers: Vec<Content>,
    tags: Vec<String>,
}

/// One element of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

impl<'a> Outer<'a> {
    fn index(file: &'a Arc<File>, size: u64) -> Result<Self, ImageError> {
        let mut members = HashMap::new();
        for member in Members::new(file, 0, size) {
            let member = member?;
            let path = RootPath::new(&member.name);
            let place = match member.kind {
                Type::File => Place::Bytes(member.content),
                Type::Symlink => Place::Link(path.parent().unwrap_or_else(RootPath::root).join(&member.link)),
                Type::HardLink => Place::Link(RootPath::new(&member.link)),
                _ => continue,
            };
            members.insert(path, place);
            if members.len() > MAX_MEMBERS {
                return Err(ImageError::Archive(format!("more than {MAX_MEMBERS} members")));
            }
        }
        Ok(Self { file, members })
    }

    fn find(&self, name: &[u8]) -> Result<Content, ImageError> {
        let mut path = RootPath::new(name);
        for _ in 0..MAX_LINKS {
            match self.members.get(&path) {
                Some(Place::Bytes(content)) => return Ok(content.clone()),
                Some(Place::Link(target)) => path = target.clone(),
                None => return Err(ImageError::Archive(format!("{path} is not in it"))),
            }
        }
        Err(ImageError::Archive(format!("{path} is a loop of links")))
    }

    fn bytes(&self, content: &Content) -> Result<Vec<u8>, ImageError> {
        if content.size > MAX_CONFIG {
            return Err(ImageError::Archive(format!(
                "a document of {} bytes; at most {MAX_CONFIG} are read",
                content.size
            )));
        }
        let mut bytes = Vec::new();
        content
            .open(self.file.clone())
            .read_to_end(&mut bytes)
            .map_err(ImageError::io("spooled image archive"))?;
        Ok(bytes)
    }

    fn docker(&self) -> Result<Found, ImageError> {
        let manifest = self.document("manifest.json", "docker save")?;
        let manifests: Vec<DockerManifest> = json("manifest.json", &manifest)?;
        let [manifest] = manifests.as_slice() else {
            return Err(ImageError::Archive(format!(
                "it holds {} images; save exactly one",
                manifests.len()
            )));
        };
        let layers = manifest.layers.iter().map(|layer| self.find(layer.as_bytes()));
        Ok(Found {
            config: self.bytes(&self.find(manifest.config.as_bytes())?)?,
            layers: layers.collect::<Result<_, _>>()?,
            tags: manifest.repo_tags.clone().unwrap_or_default(),
        })
    }

    /// Returns the document that tells an archive's format.
    fn document(&self, name: &str, format: &str) -> Result<Vec<u8>, ImageError> {
        if !self.members.contains_key(&RootPath::new(name.as_bytes())) {
            return Err(ImageError::Archive(format!(
                "it is not {format}: it holds no {name} (docker save writes manifest.json, an OCI layout has index.json)"
            )));
        }
        self.bytes(&self.find(name.as_bytes())?)
    }

    /// Follows `index.json`, through nested indexes, to the manifest for this machine.
    fn oci(&self) -> Result<Found, ImageError> {
        let mut index: ImageIndex = json("index.json", &self.document("index.json", "an OCI layout")?)?;
        // An index of indexes of indexes is as deep as any tool writes them.
        for _ in 0..4 {
            let one = pick(index.manifests())?;
            let blob = self.blob(one)?;
            let is_index = one.media_type().to_string().ends_with("index.v1+json")
                || one.media_type().to_string().ends_with("manifest.list.v2+json");
            if is_index {
                index = json("an image index", &blob)?;
                continue;
            }
            let manifest: ImageManifest = json("the image manifest", &blob)?;
            let layers = manifest.layers().iter().map(|layer| self.find(&blob_path(layer)));
            let name = one.annotations().as_ref().and_then(|annotations| {
                annotations
                    .get("io.containerd.image.name")
                    .or_else(|| annotations.get("org.opencontainers.image.ref.name"))
            });
            return Ok(Found {
                config: self.blob(manifest.config())?,
                layers: layers.collect::<Result<_, _>>()?,
                tags: name.into_iter().cloned().collect(),
            });
        }
        Err(ImageError::Archive("its indexes are nested too deeply".into()))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        let path = blob_path(descriptor);
        let bytes = self.bytes(&self.find(&path)?)?;
        if Digest::of(&bytes).as_str() != descriptor.digest().to_string() {
            return Err(ImageError::Archive(format!(
                "{} does not have the digest that its name promises",
                crate::path::encode(&path)
            )));
        }
        Ok(bytes)
    }
}

fn blob_path(descriptor: &Descriptor) -> Vec<u8> {
    format!("blobs/{}", descriptor.digest().to_string().replacen(':', "/", 1)).into_bytes()
}

fn json<T: for<'de> Deserialize<'de>>(what: &str, bytes: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|error| ImageError::Archive(format!("{what}: {error}")))
}

/// Returns the only manifest, or the one for this machine; attestations ("unknown" platforms) are passed over.
fn pick(manifests: &[Descriptor]) -> Result<&Descriptor, ImageError> {
    if let [one] = manifests {
        return Ok(one);
    }
    let here = Arch::from(machine::here());
    let mut fitting = manifests.iter().filter(|manifest| {
        manifest
            .platform()
            .as_ref()
            .is_some_and(|platform| *platform.os() == Os::Linux && *platform.architecture() == here)
    });
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(ImageError::Archive(format!(
            "it holds {} images, and not exactly one of them is for linux/{here}",
            manifests.len()
        ))),
    }
}

struct ReadLayer {
    layer: Layer,
    /// The locations by the layer's inode numbers.
    contents: HashMap<u64, Content>,
    tar: LayerTar,
}

fn read_layer(
    spool: &Arc<File>,
    content: &Content,
    number: usize,
    diff_id: &Digest,
) -> Result<ReadLayer, ImageError> {
    let failed = || ImageError::io(format!("spooling layer {number}"));
    let mut head = Vec::new();
    let packed = || content.open(spool.clone());
    packed().take(4).read_to_end(&mut head).map_err(failed())?;
    let mut reader = decompress(&head, packed()).map_err(failed())?;
    let compressed = head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let plain = content.plain().filter(|_| !compressed);
    // Where the plain tar is not a part of the spool as it stands, it gets a file of its own.
    let mut unpacked = if plain.is_some() { None } else { Some(temporary()?) };
    let mut hash = Sha256::new();
    let mut buf = vec![0; 1 << 18];
    loop {
        let n = reader.read(&mut buf).map_err(failed())?;
        if n == 0 {
            break;
        }
        hash.update(&buf[..n]);
        if let Some(file) = &mut unpacked {
            file.write_all(&buf[..n]).map_err(failed())?;
        }
    }
    let digest = Digest::from_sha256(hash);
    if digest != *diff_id {
        return Err(ImageError::Archive(format!(
            "layer {number} has the digest {digest}, but the config promises {diff_id}"
        )));
    }
    let (file, offset, size) = match (unpacked, plain) {
        (None, Some((offset, size))) => (spool.clone(), offset, size),
        (Some(mut file), _) => {
            let size = file.stream_position().map_err(failed())?;
            (Arc::new(file), 0, size)
        }
        (None, None) => unreachable!("a layer that does not lie in the spool has been unpacked"),
    };
    let mut builder = Builder::new(number);
    for member in Members::new(&file, offset, size) {
        builder
            .add(member?)
            .map_err(|reason| ImageError::Archive(format!("layer {number}, {reason}")))?;
    }
    Ok(ReadLayer {
        layer: builder.layer,
        contents: builder.contents,
        tar: LayerTar {
            diff_id: digest,
            file,
            offset,
            size,
        },
    })
}

/// Builds one layer from its members, in their order.
struct Builder {
    number: usize,
    next: u64,
    layer: Layer,
    contents: HashMap<u64, Content>,
}

impl Builder {
    fn new(number: usize) -> Self {
        let mut layer = Layer::default();
        layer.entries.insert(RootPath::root(), directory(number, 0));
        layer.implied.insert(RootPath::root());
        Self {
            number,
            next: 1,
            layer,
            contents: HashMap::new(),
        }
    }

    fn add(&mut self, member: Member) -> Result<(), String> {
        let shown = crate::path::encode(&member.name).into_owned();
        if self.layer.entries.len() >= MAX_ENTRIES {
            return Err(format!("{shown}: more than {MAX_ENTRIES} entries"));
        }
        self.place(member).map_err(|reason| format!("{shown}: {reason}"))
    }

    fn place(&mut self, member: Member) -> Result<(), &'static str> {
        let path = RootPath::new(&member.name);
        if path.as_bytes().len() > MAX_PATH || path.components().any(|name| name.len() > MAX_NAME) {
            return Err("longer than a path can be");
        }
        if path.as_bytes().contains(&0) || member.link.contains(&0) {
            return Err("a name holds a NUL");
        }
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            // The root itself: only a directory can be meant.
            if member.kind == Type::Directory {
                let entry = self.entry(&member, Kind::Directory);
                self.layer.entries.insert(RootPath::root(), entry);
                self.layer.implied.remove(&RootPath::root());
                return Ok(());
            }
            return Err("the root is not a directory");
        };
        let parent = self.parent(parent)?;
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            match hidden {
                b".wh..opq" => {
                    self.layer.opaque.insert(parent);
                }
                // AUFS's own notes.
                _ if hidden.starts_with(b".wh.") => {}
                b"" | b"." | b".." => return Err("a whiteout of nothing"),
                _ => {
                    self.layer.hidden.insert(parent.join(hidden));
                }
            }
            return Ok(());
        }
        let path = parent.child(name);
        let kind = match member.kind {
            Type::Directory => Kind::Directory,
            Type::File => Kind::File {
                size: member.content.size,
            },
            Type::Symlink => Kind::Symlink {
                target: RawPath(member.link.clone()),
            },
            Type::CharDevice => Kind::CharDevice {
                major: member.major,
                minor: member.minor,
            },
            Type::BlockDevice => Kind::BlockDevice {
                major: member.major,
                minor: member.minor,
            },
            Type::Fifo => Kind::Fifo,
            Type::HardLink => return self.link(path, &member.link),
        };
        let entry = self.entry(&member, kind);
        if entry.is_file() {
            self.contents.insert(entry.inode, member.content);
        }
        self.put(path, entry);
        Ok(())
    }

    fn link(&mut self, path: RootPath, target: &[u8]) -> Result<(), &'static str> {
        let target = RootPath::new(target);
        let (Some(parent), Some(name)) = (target.parent(), target.name()) else {
            return Err("a hard link to the root");
        };
        let target = self.follow(&parent)?.join(name);
        if target == path {
            return Err("a hard link to itself");
        }
        match self.layer.entries.get(&target) {
            Some(entry) if entry.is_dir() => Err("a hard link to a directory"),
            Some(entry) => {
                let entry = entry.clone();
                self.put(path, entry);
                Ok(())
            }
            None => Err("a hard link to something that is not before it in the layer"),
        }
    }

    /// An entry replaces what is at its path; a directory over a directory keeps what is in it.
    fn put(&mut self, path: RootPath, entry: Entry) {
        let old_is_directory = self.layer.entries.get(&path).is_some_and(Entry::is_dir);
        if old_is_directory && !entry.is_dir() {
            remove_below(&mut self.layer.entries, &path);
        }
        self.layer.implied.remove(&path);
        self.layer.entries.insert(path, entry);
    }

    fn entry(&mut self, member: &Member, kind: Kind) -> Entry {
        self.next += 1;
        Entry {
            kind,
            uid: member.uid,
            gid: member.gid,
            mode: member.mode,
            mtime: member.mtime,
            xattrs: member.xattrs.clone(),
            inode: self.next,
            layer: self.number,
        }
    }

    /// The directory that `path` leads to in this layer; what is missing on the way is implied.
    fn parent(&mut self, path: RootPath) -> Result<RootPath, &'static str> {
        if self.layer.entries.get(&path).is_some_and(Entry::is_dir) {
            return Ok(path);
        }
        let path = self.follow(&path)?;
        let mut missing = Some(path.clone());
        while let Some(path) = missing {
            if self.layer.entries.contains_key(&path) {
                break;
            }
            missing = path.parent();
            self.next += 1;
            let entry = directory(self.number, self.next);
            self.layer.implied.insert(path.clone());
            self.layer.entries.insert(path, entry);
        }
        Ok(path)
    }

    /// Follows this layer's links on the way to a directory; names that are not there stay as they are.
    fn follow(&self, path: &RootPath) -> Result<RootPath, &'static str> {
        let mut here = RootPath::root();
        let mut links = 0;
        let mut todo: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        while let Some(name) = todo.pop() {
            if name == b".." {
                here = here.parent().unwrap_or(here);
                continue;
            }
            let next = here.child(&name);
            match self.layer.entries.get(&next).map(|entry| &entry.kind) {
                Some(Kind::Symlink { target }) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err("too many symbolic links on the way");
                    }
                    let target = target.as_bytes();
                    if target.starts_with(b"/") {
                        here = RootPath::root();
                    }
                    let names = target.rsplit(|&b| b == b'/');
                    todo.extend(names.filter(|n| !n.is_empty() && *n != b".").map(<[u8]>::to_vec));
                }
                Some(Kind::Directory) | None => here = next,
                Some(_) => return Err("something on the way is not a directory"),
            }
        }
        Ok(here)
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
