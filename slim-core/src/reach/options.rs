//! The options of the closure.

use std::sync::Arc;

use crate::store::Store;

/// The level up to which files are kept beyond the observed ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Keep {
    /// The observed files, and what they need to start: links, loaders, libraries, interpreters.
    Observed,
    /// That, and what the kept things may come to need: modules, plug-ins, data, the application's own directories.
    #[default]
    Closure,
    /// That, and the whole of every package that something kept belongs to.
    Package,
}

/// The system calls that are allowed beyond the recorded ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum SeccompReach {
    /// None but those that stand in for recorded ones.
    Observed,
    /// Those that kept programs and the libraries and modules which they load can make, apart from sensitive ones.
    #[default]
    Closure,
    /// Those that any kept file can make, sensitive ones too.
    Static,
}

/// Bounds for what is kept whole because of where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--own-files`: files in one directory of the application's own.
    pub own_files: u64,
    /// `--own-bytes`: bytes in it.
    pub own_bytes: u64,
    /// `--listed-files`: entries of a directory that was listed and is not the application's own.
    pub listed_files: u64,
}

/// The number of times that what packages have somewhere may have the bounds of an application's own directory: nobody
/// put more there by mistake.
pub(super) const PACKAGED: u64 = 4;

impl Limits {
    /// Returns whether so many files and bytes of packages are within the bounds.
    pub(super) fn hold_packaged(&self, files: u64, bytes: u64) -> bool {
        files <= self.own_files.saturating_mul(PACKAGED) && bytes <= self.own_bytes.saturating_mul(PACKAGED)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            own_files: 2000,
            own_bytes: 20_000_000,
            listed_files: 50,
        }
    }
}

/// The user's options.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--keep`.
    pub keep: Keep,
    /// `--exclude`: absolute paths and patterns in the image; each stands for everything below it too, and wins over
    /// every reason to keep.
    pub exclude: Vec<String>,
    /// `--include-shell`: shells are kept, also where they are only named.
    pub include_shell: bool,
    /// `--keep-package`: packages of the distribution that are kept whole.
    pub keep_package: Vec<String>,
    /// Bounds for what is kept whole.
    pub limits: Limits,
    /// `--include`: absolute paths in the image; a directory means everything below it, and `*`, `?`, `[…]`, `{…}`
    /// match as in a shell (`**` over directories too).
    pub include: Vec<String>,
    /// What was found in files before, if that is kept; it makes no other closure.
    pub store: Option<Arc<Store>>,
}
