//! Images as users name them: by a name that an engine knows, or as an archive.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Archive, ImageError, Reference, ReferenceError};

/// The formats of image archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// An OCI image layout in a tar.
    Oci,
    /// The format of `docker save`.
    Docker,
}

impl ArchiveFormat {
    const ALL: [Self; 2] = [Self::Oci, Self::Docker];

    /// Returns the word before the colon in an image's name.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Oci => "oci-archive",
            Self::Docker => "docker-archive",
        }
    }
}

/// A file that holds one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    /// The format.
    pub format: ArchiveFormat,
    /// The file.
    pub path: PathBuf,
}

impl ArchiveFile {
    /// Reads the image.
    ///
    /// # Errors
    /// [`ImageError::File`].
    pub fn read(&self) -> Result<Archive, ImageError> {
        let failed = |source| ImageError::File {
            path: self.path.clone(),
            source: Box::new(source),
        };
        let open = || {
            // A pipe without a writer is never opened, and a device never ends.
            let metadata = std::fs::metadata(&self.path).map_err(ImageError::io("the image archive"))?;
            if !metadata.is_file() {
                let found = if metadata.is_dir() {
                    "a directory"
                } else {
                    "no regular file"
                };
                return Err(ImageError::Archive(format!(
                    "it is {found}; write the image to a file with tar or docker save"
                )));
            }
            let file = std::fs::File::open(&self.path).map_err(ImageError::io("the image archive"))?;
            Archive::read_format(file, Some(self.format))
        };
        open().map_err(failed)
    }
}

/// An image as a user names it: `nginx:1.25`, `oci-archive:app.tar`, `docker-archive:app.tar`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// A name or an id that an engine knows.
    Engine(Reference),
    /// A file.
    Archive(ArchiveFile),
}

/// The reason why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageNameError {
    /// It is no name that an engine could know.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// It names no file.
    #[error("{0}: names no file; write {0}:PATH")]
    NoFile(&'static str),
}

impl ImageName {
    /// Returns the name of the image in an engine, which for a file is made from the file's name.
    pub fn reference(&self) -> Reference {
        match self {
            Self::Engine(reference) => reference.clone(),
            Self::Archive(file) => {
                let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
                let words = stem.split(|c: char| !c.is_ascii_alphanumeric());
                let words: Vec<String> = words
                    .filter(|word| !word.is_empty())
                    .map(str::to_ascii_lowercase)
                    .collect();
                let name = words.join("-").parse();
                name.unwrap_or_else(|_| "image".parse().expect("a word is a name"))
            }
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(reference) => reference.fmt(f),
            Self::Archive(file) => write!(f, "{}:{}", file.format.scheme(), file.path.display()),
        }
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        for format in ArchiveFormat::ALL {
            let scheme = format.scheme();
            match text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':')) {
                Some("") => return Err(ImageNameError::NoFile(scheme)),
                Some(path) => {
                    let path = path.into();
                    return Ok(Self::Archive(ArchiveFile { format, path }));
                }
                None => {}
            }
        }
        Ok(Self::Engine(text.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_a_pipe_and_a_directory_are_no_archives() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [std::path::Path::new("/dev/zero"), &pipe, directory.path()] {
            let file = ArchiveFile {
                format: ArchiveFormat::Docker,
                path: path.to_owned(),
            };
            let error = file.read().unwrap_err().to_string();
            assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_scheme_names_a_file_and_nothing_else_does() {
        for (text, format, path) in [
            ("oci-archive:app.tar", ArchiveFormat::Oci, "app.tar"),
            (
                "docker-archive:/a b/App:1.tar",
                ArchiveFormat::Docker,
                "/a b/App:1.tar",
            ),
        ] {
            let name: ImageName = text.parse().unwrap();
            let path = path.into();
            assert_eq!(name, ImageName::Archive(ArchiveFile { format, path }));
            assert_eq!(name.to_string(), text);
        }
        for text in [
            "nginx",
            "oci-archive",
            "docker-archives:1",
            "host:5000/oci-archive:1",
        ] {
            assert!(matches!(text.parse(), Ok(ImageName::Engine(_))), "{text}");
        }
        for text in ["oci-archive:", "docker-archive:", "Nginx", ""] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_gives_its_image_a_name() {
        for (text, reference) in [
            ("oci-archive:/x/My App_1.0.tar", "my-app-1-0"),
            ("oci-archive:..", "image"),
            ("oci-archive:--.tar", "image"),
            ("nginx:1", "nginx:1"),
        ] {
            let name: ImageName = text.parse().unwrap();
            assert_eq!(name.reference().to_string(), reference);
        }
    }
}
