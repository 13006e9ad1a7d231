//! The reason why an option cannot be read.

use std::path::PathBuf;

/// The reason why an option cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is malformed.
    #[error("--{flag} {value:?}: {problem}")]
    Option {
        /// The option's name without dashes.
        flag: &'static str,
        /// The value as it was written.
        value: String,
        /// The problem, and what is expected.
        problem: String,
    },
    /// A file that an option names cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
