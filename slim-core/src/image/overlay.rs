//! An image's index from the directories of the overlay2 storage driver.
//!
//! Each layer is a directory (`diff`) with overlayfs's own marks: a character device 0:0, or an empty file with
//! `trusted.overlay.whiteout`, hides a name; a directory with `trusted.overlay.opaque` hides what lower layers have in
//! it. The kernel takes `user.overlay.*` for marks on a mount with `userxattr` alone: elsewhere they are attributes that
//! any image can bring, and hide nothing. Every look-up starts at the layer's own descriptor and follows no link.
//!
//! Source: Linux `Documentation/filesystems/overlayfs.rst`, "whiteouts and opaque directories".

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, major, minor};
use rayon::prelude::*;
use xattr::FileExt;

use super::merge::{Layer, merge};
use super::{Entry, ImageError, Kind, Rootfs, Store, keeps_xattr};
use crate::path::{RawPath, RootPath};

/// Indexes the merged file system of `layers`, the storage driver's `diff` directories, lowest first, as a mount without
/// `userxattr` shows it.
///
/// # Errors
/// A directory cannot be read, or uses overlayfs features that only a mount can undo ([`ImageError::Unsupported`]); the
/// image is then to be read as an archive.
pub fn index(layers: &[PathBuf]) -> Result<Rootfs, ImageError> {
    let mut roots = Vec::with_capacity(layers.len());
    for path in layers {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(path, flags, Mode::empty()).map_err(|errno| ImageError::Io {
            what: format!("layer directory {}", path.display()),
            source: errno.into(),
        })?;
        roots.push(root);
    }
    let mut parts: Vec<Layer> = roots.iter().map(|_| Layer::default()).collect();
    // One level of all layers after the other: as deep as a hostile image may be, no stack grows with it.
    let mut level: Vec<(usize, RootPath)> = (0..roots.len()).map(|layer| (layer, RootPath::root())).collect();
    while !level.is_empty() {
        let listings: Vec<Listing> = level
            .par_iter()
            .with_min_len(16)
            .map(|(layer, path)| list(&roots[*layer], *layer, path))
            .collect::<Result<_, _>>()?;
        let mut next = Vec::new();
        for ((layer, path), listing) in level.into_iter().zip(listings) {
            let part = &mut parts[layer];
            if listing.opaque {
                part.opaque.insert(path);
            }
            part.entries.extend(listing.entries);
            part.hidden.extend(listing.hidden);
            next.extend(listing.directories.into_iter().map(|path| (layer, path)));
        }
        level = next;
    }
    Ok(Rootfs::new(merge(parts).entries, Arc::new(Directories { roots })))
}

/// The content of one directory of one layer.
#[derive(Default)]
struct Listing {
    /// The directory itself and what is in it, but for directories.
    entries: Vec<(RootPath, Entry)>,
    hidden: Vec<RootPath>,
    opaque: bool,
    directories: Vec<RootPath>,
}

/// Opens `path` in a layer's directory; no link is followed and no mount is crossed.
fn open_in(root: &OwnedFd, path: &RootPath, flags: OFlag) -> io::Result<File> {
    let relative: &[u8] = if path.is_root() { b"." } else { path.relative() };
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW)
        .resolve(
            ResolveFlag::RESOLVE_IN_ROOT
                | ResolveFlag::RESOLVE_NO_MAGICLINKS
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_XDEV,
        );
    Ok(openat2(root, OsStr::from_bytes(relative), how)?.into())
}

fn list(root: &OwnedFd, layer: usize, path: &RootPath) -> Result<Listing, ImageError> {
    let failed = |source: io::Error| ImageError::Io {
        what: format!("layer {layer}, directory {path}"),
        source,
    };
    let file = open_in(root, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(failed)?;
    let stat = fstat(&file).map_err(|errno| failed(errno.into()))?;
    let mut marks = Marks::default();
    let names = file.list_xattr().map_err(failed)?;
    let xattrs = marks.read(names, |name| file.get_xattr(name)).map_err(failed)?;
    marks.check(layer, path)?;
    let mut listing = Listing {
        opaque: marks.opaque,
        ..Listing::default()
    };
    let entry = entry_of(layer, &stat, Kind::Directory, xattrs);
    listing.entries.push((path.clone(), entry));

    let fd = file.as_raw_fd();
    let mut directory = Dir::from_fd(file.into()).map_err(|errno| failed(errno.into()))?;
    let mut names: Vec<Vec<u8>> = Vec::new();
    for item in directory.iter() {
        let item = item.map_err(|errno| failed(errno.into()))?;
        let name = item.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    for name in names {
        let path = path.child(&name);
        let failed = |source: io::Error| ImageError::Io {
            what: format!("layer {layer}, {path}"),
            source,
        };
        let name = OsStr::from_bytes(&name);
        let stat =
            fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|errno| failed(errno.into()))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let (major, minor) = (number(major(stat.st_rdev)), number(minor(stat.st_rdev)));
        let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFDIR => {
                listing.directories.push(path);
                continue;
            }
            SFlag::S_IFREG => Kind::File { size },
            SFlag::S_IFLNK => {
                let target = readlinkat(&directory, name).map_err(|errno| failed(errno.into()))?;
                Kind::Symlink {
                    target: RawPath(target.as_bytes().to_vec()),
                }
            }
            SFlag::S_IFCHR if (major, minor) == (0, 0) => {
                listing.hidden.push(path);
                continue;
            }
            SFlag::S_IFCHR => Kind::CharDevice { major, minor },
            SFlag::S_IFBLK => Kind::BlockDevice { major, minor },
            SFlag::S_IFIFO => Kind::Fifo,
            // A socket is nothing without the process that bound it; layers do not carry them.
            _ => continue,
        };
        let mut xattrs = BTreeMap::new();
        if let Kind::File { size } = kind {
            // There is no llistxattrat before Linux 6.13: name the file through the directory's own descriptor.
            let mut through = PathBuf::from(format!("/proc/self/fd/{fd}"));
            through.push(name);
            let mut marks = Marks::default();
            let names = xattr::list(&through).map_err(failed)?;
            xattrs = marks
                .read(names, |name| xattr::get(&through, name))
                .map_err(failed)?;
            marks.check(layer, &path)?;
            if marks.whiteout && size == 0 {
                listing.hidden.push(path);
                continue;
            }
        }
        let entry = entry_of(layer, &stat, kind, xattrs);
        listing.entries.push((path, entry));
    }
    Ok(listing)
}

/// Device numbers are 12 and 20 bits wide (`include/linux/kdev_t.h`).
fn number(part: u64) -> u32 {
    u32::try_from(part).unwrap_or(u32::MAX)
}

fn entry_of(layer: usize, stat: &FileStat, kind: Kind, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Entry {
    Entry {
        kind,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        mtime: stat.st_mtime,
        xattrs,
        inode: stat.st_ino,
        layer,
    }
}

/// The marks of overlayfs on a file or a directory.
#[derive(Default)]
struct Marks {
    opaque: bool,
    whiteout: bool,
    unsupported: Option<&'static str>,
}

impl Marks {
    /// Takes overlayfs's marks from a file's attributes, and returns those that are the image's.
    fn read(
        &mut self,
        names: xattr::XAttrs,
        get: impl Fn(&OsStr) -> io::Result<Option<Vec<u8>>>,
    ) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut kept = BTreeMap::new();
        for name in names {
            let bytes = name.as_bytes();
            match bytes.strip_prefix(b"trusted.overlay.") {
                // "x" says that empty files with the whiteout attribute are in it, and hides nothing by itself.
                Some(b"opaque") => self.opaque = get(&name)?.as_deref() == Some(b"y"),
                Some(b"whiteout") => self.whiteout = true,
                Some(b"redirect") => self.unsupported = Some("redirect"),
                Some(b"metacopy") => self.unsupported = Some("metacopy"),
                Some(_) => {}
                None if keeps_xattr(bytes) => {
                    if let Some(value) = get(&name)? {
                        kept.insert(bytes.to_vec(), value);
                    }
                }
                None => {}
            }
        }
        Ok(kept)
    }

    fn check(&self, layer: usize, path: &RootPath) -> Result<(), ImageError> {
        match self.unsupported {
            Some(feature) => Err(ImageError::Unsupported {
                layer,
                path: path.clone(),
                feature,
            }),
            None => Ok(()),
        }
    }
}

/// The layers' directories.
struct Directories {
    roots: Vec<OwnedFd>,
}

impl Directories {
    fn file(&self, path: &RootPath, entry: &Entry) -> io::Result<File> {
        let root = self.roots.get(entry.layer).ok_or(io::ErrorKind::NotFound)?;
        // A pipe put there since the index was made must not block.
        let file = open_in(root, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{path}: no longer a regular file in the layer's directory"),
            ));
        }
        Ok(file)
    }
}

impl Store for Directories {
    fn open(&self, path: &RootPath, entry: &Entry) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.file(path, entry)?))
    }

    fn read_at(&self, path: &RootPath, entry: &Entry, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = self.file(path, entry)?;
        file.seek(io::SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(rootfs: &Rootfs) -> Vec<String> {
        rootfs.iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn layers_are_merged_and_read() {
        let low = tempfile::tempdir().unwrap();
        let high = tempfile::tempdir().unwrap();
        fs::create_dir(low.path().join("d")).unwrap();
        fs::write(low.path().join("d/one"), "low").unwrap();
        fs::write(low.path().join("d/two"), "low").unwrap();
        fs::hard_link(low.path().join("d/two"), low.path().join("d/three")).unwrap();
        fs::create_dir(high.path().join("d")).unwrap();
        fs::set_permissions(high.path().join("d"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(high.path().join("d/one"), "high").unwrap();
        symlink("/etc/passwd", high.path().join("link")).unwrap();

        let rootfs = index(&[low.path().into(), high.path().into()]).unwrap();
        assert_eq!(
            names(&rootfs),
            ["/", "/d", "/d/one", "/d/three", "/d/two", "/link"]
        );
        assert_eq!(rootfs.read(&"/d/one".into(), 99).unwrap(), b"high");
        assert_eq!(rootfs.read(&"/d/two".into(), 99).unwrap(), b"low");
        assert_eq!(rootfs.read_at(&"/d/one".into(), 1, 2).unwrap(), b"ig");
        assert_eq!(rootfs.read_at(&"/d/one".into(), 9, 2).unwrap(), b"");
        let get = |path: &str| rootfs.get(&path.into()).unwrap();
        assert_eq!(get("/d").mode, 0o1777);
        assert_eq!(get("/d/two").inode, get("/d/three").inode);
        assert_ne!(get("/d/two").inode, get("/d/one").inode);
        assert!(
            rootfs.open(&"/link".into()).is_err(),
            "a link is never followed to the host"
        );
    }

    #[test]
    fn attributes_that_any_image_can_bring_hide_nothing() {
        let low = tempfile::tempdir().unwrap();
        let high = tempfile::tempdir().unwrap();
        for layer in [&low, &high] {
            fs::create_dir(layer.path().join("d")).unwrap();
        }
        fs::write(low.path().join("d/hidden"), "").unwrap();
        fs::write(high.path().join("d/gone"), "").unwrap();
        xattr::set(high.path().join("d"), "user.overlay.opaque", b"y").unwrap();
        xattr::set(high.path().join("d/gone"), "user.overlay.whiteout", b"y").unwrap();
        xattr::set(high.path().join("d/gone"), "user.overlay.redirect", b"/x").unwrap();
        let rootfs = index(&[low.path().into(), high.path().into()]).unwrap();
        assert_eq!(names(&rootfs), ["/", "/d", "/d/gone", "/d/hidden"]);
    }

    #[test]
    fn a_directory_that_became_a_link_is_not_followed() {
        let layer = tempfile::tempdir().unwrap();
        fs::create_dir(layer.path().join("etc")).unwrap();
        fs::write(layer.path().join("etc/passwd"), "image").unwrap();
        let rootfs = index(&[layer.path().into()]).unwrap();
        fs::remove_dir_all(layer.path().join("etc")).unwrap();
        symlink("/etc", layer.path().join("etc")).unwrap();
        assert!(rootfs.open(&"/etc/passwd".into()).is_err());
    }

    #[test]
    fn a_missing_layer_is_named() {
        let error = index(&["/nowhere/diff".into()]).unwrap_err().to_string();
        assert!(error.contains("/nowhere/diff"), "{error}");
    }
}
