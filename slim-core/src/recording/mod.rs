//! The Recording: observed executions of one image, as a file.
//!
//! A [`Recording`] is a set of [`Run`]s keyed by the digest of each run's canonical JSON. Merging is set union, so it
//! is associative, commutative and idempotent, and replicas, test runs and nodes combine in any order. Totals and
//! peaks are computed from the set, never stored. The digests are an integrity check and no proof of origin: a
//! [`signature`] is one.
//!
//! The JSON Schema in `docs/recording.schema.json` is generated from these types (`cargo xtask docs`).

mod exchange;
mod run;
pub mod signature;
mod v1;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use exchange::{
    Bodies, Body, Exchange, ExchangeKind, ExecExchange, Header, HttpExchange, HttpResponse, Origin,
    TcpExchange,
};
pub use run::{
    Abi, Access, Actor, Alarm, ArgumentUse, ArgumentValue, CapabilityUse, ContainerFacts, EngineFacts,
    Failure, FileUse, HostFacts, Losses, Measured, MountFact, MountKind, Observed, Outcome, Peaks, Phase,
    PhaseMark, Process, Program, Purpose, Run, RuntimeFacts, SocketAction, SocketUse, SyscallUse,
    deciding_arguments,
};

use crate::digest::Digest;

/// The version of the file format that this library writes; it reads the first one, too.
pub const VERSION: u32 = 2;

/// A set of observed runs of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The format's version: [`VERSION`].
    pub version: u32,
    /// The digest of the image's config, which all runs share.
    pub image: Digest,
    /// The runs, by the digest of their canonical JSON: an integrity check, and no proof of origin. Clones share them.
    #[serde(with = "shared")]
    #[schemars(with = "BTreeMap<Digest, Run>")]
    pub runs: BTreeMap<Digest, Arc<Run>>,
}

/// Shared runs as the runs themselves.
mod shared {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        runs: &BTreeMap<Digest, Arc<Run>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(runs.iter().map(|(id, run)| (id, run.as_ref())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Digest, Arc<Run>>, D::Error> {
        let runs = BTreeMap::<Digest, Run>::deserialize(deserializer)?;
        Ok(runs.into_iter().map(|(id, run)| (id, Arc::new(run))).collect())
    }
}

/// Why a recording could not be read, written or merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file is not a recording.
    #[error("{}: not a recording: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The position and the reason.
        source: serde_json::Error,
    },
    /// The file was written in a format that this version does not know.
    #[error(
        "{}: format version {found}, but this slim reads versions 1 to {VERSION}: record again, or use the slim that wrote it",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it names.
        found: u32,
    },
    /// A run's key is not the digest of its content: the file was edited or damaged.
    #[error("{}: run {key} does not have that digest: the file was changed after it was written", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The key whose run differs.
        key: Digest,
    },
    /// The container's options in a run of the first format give no description of the container.
    #[error(
        "{}: the container's options in run {key} cannot be read ({reason}), and without them nothing would be verified as it was \
         recorded: record again",
        path.display()
    )]
    Options {
        /// The file.
        path: PathBuf,
        /// The run's key.
        key: Digest,
        /// The reason.
        reason: String,
    },
    /// It is not signed by whom the user trusts.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// Runs of different images do not merge.
    #[error("recordings of different images do not merge: {ours} and {theirs}; record each image on its own")]
    DifferentImages {
        /// The first image.
        ours: Digest,
        /// The other one.
        theirs: Digest,
    },
}

impl Recording {
    /// Returns an empty recording of `image` (its config's digest).
    pub fn new(image: Digest) -> Self {
        Self {
            version: VERSION,
            image,
            runs: BTreeMap::new(),
        }
    }

    /// Adds one run and returns its id.
    ///
    /// # Errors
    /// [`Error::DifferentImages`] if the run is of another image.
    pub fn insert(&mut self, mut run: Run) -> Result<Digest, Error> {
        if run.image != self.image {
            return Err(Error::DifferentImages {
                ours: self.image.clone(),
                theirs: run.image,
            });
        }
        run.normalise();
        let id = run.id();
        self.runs.insert(id.clone(), Arc::new(run));
        Ok(id)
    }

    /// Returns the union of both sets of runs.
    ///
    /// # Errors
    /// [`Error::DifferentImages`].
    pub fn merge(mut self, other: Self) -> Result<Self, Error> {
        if self.image != other.image {
            return Err(Error::DifferentImages {
                ours: self.image,
                theirs: other.image,
            });
        }
        self.runs.extend(other.runs);
        Ok(self)
    }

    /// Returns the container's facts: of the earliest recorded run, else of an attached one, else of one of verification.
    /// None where there is no run.
    pub fn container(&self) -> Option<&ContainerFacts> {
        let rank = |purpose| match purpose {
            Purpose::Recorded => 0,
            Purpose::Attached => 1,
            Purpose::Verification => 2,
        };
        let first = self
            .runs
            .iter()
            .min_by_key(|(id, run)| (rank(run.purpose), run.started, *id));
        first.map(|(_, run)| &run.container)
    }

    /// Returns the losses of all runs, added up.
    pub fn losses(&self) -> Losses {
        self.runs
            .values()
            .fold(Losses::default(), |sum, run| sum.plus(&run.losses))
    }

    /// Returns the highest peaks of all runs.
    pub fn peaks(&self) -> Peaks {
        self.runs
            .values()
            .fold(Peaks::default(), |max, run| max.max(&run.peaks))
    }

    /// Reads a recording, or the `recording.json` in a directory, and checks each run against its key, which proves that
    /// it is whole and not whose it is ([`Recording::load_signed`]).
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Json`], [`Error::Version`], [`Error::Damaged`], [`Error::Options`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_signed(path, None)
    }

    /// As [`Recording::load`], but where there is a key, only what its owner signed: nothing else is parsed.
    ///
    /// A run's key is an integrity check: it proves that the run is whole, and nothing of its origin.
    ///
    /// # Errors
    /// As [`Recording::load`], and [`Error::Signature`].
    pub fn load_signed(path: &Path, key: Option<&signature::PublicKey>) -> Result<Self, Error> {
        let path = if path.is_dir() {
            path.join("recording.json")
        } else {
            path.to_owned()
        };
        let bytes = std::fs::read(&path).map_err(|source| Error::Io {
            path: path.clone(),
            source,
        })?;
        if let Some(key) = key {
            key.verify(&path, &bytes)?;
        }
        Self::parse(&bytes, &path)
    }

    /// Parses a recording's bytes; `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Version`], [`Error::Damaged`], [`Error::Options`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let json = |source| Error::Json {
            path: path.to_owned(),
            source,
        };
        let found = serde_json::from_slice::<Versioned>(bytes).map_err(json)?.version;
        if found == v1::VERSION_1 {
            return v1::parse(bytes, path);
        }
        if found != VERSION {
            return Err(Error::Version {
                path: path.to_owned(),
                found,
            });
        }
        let recording: Self = serde_json::from_slice(bytes).map_err(json)?;
        for (key, run) in &recording.runs {
            if run.id() != *key {
                return Err(Error::Damaged {
                    path: path.to_owned(),
                    key: key.clone(),
                });
            }
            if run.image != recording.image {
                return Err(Error::DifferentImages {
                    ours: recording.image,
                    theirs: run.image.clone(),
                });
            }
        }
        Ok(recording)
    }

    /// Returns the file's bytes: indented JSON and a newline. Equal recordings give equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a recording's maps have string keys");
        bytes.push(b'\n');
        bytes
    }
}

/// Returns the JSON Schema of a recording, as `docs/recording.schema.json` holds it.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Recording).to_value()
}

#[cfg(test)]
pub(crate) mod tests;
