//! The things that slim made and has not removed yet, written down where only its own user can write.
//!
//! Nothing else says what slim may remove: labels and names can be brought by an image, by `docker commit` or by a user.
//! Each process has a record in the [`State`] directory, locked for as long as it lives. It writes what it is about to
//! create, then the id that it got, then that it is gone. Whoever gets the lock of a record knows that its owner has
//! ended, and removes what is still written there: the process's own watchdog, or the next slim.
//!
//! The kinds of things stand here. Containers, volumes, networks and images are removed by their engine
//! (`Engine::remove_left`), AppArmor profiles by `pipeline/apparmor.rs`; `pipeline/cleanup.rs` decides which.
//!
//! - `directory`: the state directory
//! - `record`: what stands in a record, and its two sides: [`Ledger`] of the living, [`Left`] of the dead
//! - `owner`: which process, for people
//! - `watchdog`: the process that outlives slim

mod directory;
mod owner;
mod record;
mod watchdog;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

pub use directory::State;
#[cfg(feature = "image")]
pub(crate) use directory::{open_own, problem_of};
pub use owner::Owner;
pub use record::{Claim, Ledger, Left};
pub use watchdog::outlive;

/// Why nothing can be written down, or a record is not acted on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no place for a state directory.
    #[error(
        "there is no directory to write down what slim creates: XDG_RUNTIME_DIR is not set; set SLIM_STATE to a \
         directory of your own"
    )]
    NoDirectory,
    /// The state directory, or a record in it, cannot be used.
    #[error("{}: {source}; slim writes down there what it creates, and SLIM_STATE names another directory", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Somebody else can write to it.
    #[error("{}: {problem}, so what it says is not believed and nothing is removed by it; remove it, or name another \
             directory with SLIM_STATE", path.display())]
    Untrusted {
        /// The file or directory.
        path: PathBuf,
        /// The fault.
        problem: &'static str,
    },
    /// A record is not one.
    #[error("{}: line {line} is not what slim writes ({problem}), so nothing is removed by it; look at what it names, \
             then remove it", path.display())]
    Malformed {
        /// The record.
        path: PathBuf,
        /// The number of its line.
        line: usize,
        /// The fault.
        problem: String,
    },
    /// The watchdog does not run.
    #[error("cannot start the watchdog that removes what slim creates when slim is killed: {0}")]
    Watchdog(std::io::Error),
}

/// The kind of a thing, in the order in which they are removed, since one may use those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A container, with its anonymous volumes.
    Container,
    /// A named volume.
    Volume,
    /// A name of an image, and the image if it has no other.
    Image,
    /// An AppArmor profile in the kernel.
    Profile,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Image => "image",
            Self::Profile => "AppArmor profile",
        })
    }
}

/// The place of a thing: an engine, which describes itself in words of its own, or [`Place::kernel`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(pub serde_json::Value);

impl Place {
    /// This machine's kernel.
    pub fn kernel() -> Self {
        Self("kernel".into())
    }
}

/// A thing that was made, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// The kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// 128 random bits in hexadecimal, that nobody else knew when it was made: in a label of it, or in its name.
    pub token: String,
    /// The place.
    pub place: Place,
    /// The engine's answer when it was made; none while it has not, or for what has no id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The fate of a thing that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was removed.
    Removed,
    /// It is not there.
    Absent,
    /// It is used by what slim did not make, and stays.
    InUse,
    /// Another thing has its name now, and stays; in words.
    Another(String),
}

/// This process's record, once it has one.
static CURRENT: Mutex<Option<Arc<Ledger>>> = Mutex::new(None);

/// The program that is to be started as watchdog.
static WATCHDOG: OnceLock<Vec<OsString>> = OnceLock::new();

/// Has `program`, given as words, started as watchdog when this process first makes something; the record's name is added
/// as its last word. It is to call [`outlive`], and then to remove what the record says.
pub fn watch_with(program: Vec<OsString>) {
    // A second call changes nothing.
    let _ = WATCHDOG.set(program);
}

/// This process's record, which is begun with the first call.
///
/// # Errors
/// See [`Error`].
pub fn ledger() -> Result<Arc<Ledger>, Error> {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ledger) = &*current {
        return Ok(Arc::clone(ledger));
    }
    let ledger = Ledger::begin(
        State::open(&State::default_path()?)?,
        WATCHDOG.get().map(Vec::as_slice),
    )?;
    *current = Some(Arc::clone(&ledger));
    Ok(ledger)
}

/// Ends this process's record: it is removed if nothing is left in it, and else the watchdog's from now on.
pub fn end() {
    let ledger = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(ledger) = ledger {
        ledger.end();
    }
}
