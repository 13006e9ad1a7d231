//! Why the user's words cannot be read.

use std::path::PathBuf;

/// Why the user's words cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is malformed.
    #[error("--{flag} {value:?}: {problem}")]
    Option {
        /// The option's name without dashes.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
    /// A file that an option names cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}
