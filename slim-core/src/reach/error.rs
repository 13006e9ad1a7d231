//! The errors of the closure.

use crate::path::RootPath;

/// Why the kept set could not be computed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An included path is not absolute.
    #[error("--include {path}: paths in the image are absolute; write /{path}")]
    RelativeInclude {
        /// The path.
        path: String,
    },
    /// An included pattern has a syntax error.
    #[error("--include {pattern}: {reason}; write \\ before a character that is meant as it is")]
    InvalidInclude {
        /// The pattern.
        pattern: String,
        /// The reason.
        reason: String,
    },
    /// An excluded path is not absolute.
    #[error(
        "--exclude {path}: paths in the image are absolute; write /{path}, or /**/{path} for any directory"
    )]
    RelativeExclude {
        /// The path.
        path: String,
    },
    /// An excluded pattern has a syntax error.
    #[error("--exclude {pattern}: {reason}; write \\ before a character that is meant as it is")]
    InvalidExclude {
        /// The pattern.
        pattern: String,
        /// The reason.
        reason: String,
    },
    /// A package to keep is not in the image's databases.
    #[error("--keep-package {name}: the image has no package of that name{}", similar.as_ref().map(|s| format!("; did you mean {s}?")).unwrap_or_default())]
    MissingPackage {
        /// The name.
        name: String,
        /// One that is there and looks like it.
        similar: Option<String>,
    },
    /// A file that no bound on steps ended in time.
    #[error(
        "{path}: it takes too long to find out what it names; leave it out of the image, or of what is kept \
         (--exclude {path})"
    )]
    TooSlow {
        /// The file.
        path: RootPath,
    },
    /// The work was cancelled.
    #[error("interrupted")]
    Cancelled,
    /// An included path is not in the image.
    #[error("--include {path}: not in the image{}", link.as_ref().map(|l| format!(" (it leads to {l}, which is not there)")).unwrap_or_default())]
    MissingInclude {
        /// The path or pattern.
        path: String,
        /// The end of the links on the way, if that is elsewhere.
        link: Option<RootPath>,
    },
}
