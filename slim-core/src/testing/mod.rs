//! An engine, a tracer and an AppArmor that do what a script says, for tests that need neither root nor a container.
//!
//! A script says for each container that is started how it behaves ([`Behaviour`]): what it answers to commands, how it
//! ends, what the tracer sees of it. What goes wrong with the engine itself is said by [`FakeEngine::at`].

pub mod artifacts;
mod engine;
mod kernel;

use std::collections::BTreeMap;

use crate::engine::{Error, ExecResult};
use crate::recording::{Observed, Outcome};
use crate::spec::ContainerSpec;

pub use engine::{Call, FakeEngine, Fault};
pub use kernel::{FakeAppArmor, FakeTracer};

/// A container that is about to start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The loaded image that it is of, counted from 1; none for one that was there before.
    pub product: Option<usize>,
    /// The description that it was created with.
    pub spec: ContainerSpec,
    /// Number of containers that were started before it.
    pub number: usize,
}

/// The behaviour of a container.
#[derive(Debug)]
pub struct Behaviour {
    /// Why it does not start, if it does not.
    pub refuses: Option<Error>,
    /// The outcome, if it ended at once.
    pub ended: Option<Outcome>,
    /// Its standard output.
    pub output: Vec<u8>,
    /// Results of commands in it; any other exits with 127.
    pub commands: BTreeMap<Vec<String>, ExecResult>,
    /// True if the tracer's kernel is the one that it runs on.
    pub scoped: bool,
    /// The tracer's observation of it.
    pub observed: Observed,
}

impl Default for Behaviour {
    /// That of a container that runs, answers nothing and is not seen to do anything.
    fn default() -> Self {
        Self {
            refuses: None,
            ended: None,
            output: Vec::new(),
            commands: BTreeMap::new(),
            scoped: true,
            observed: nothing_observed(),
        }
    }
}

impl Behaviour {
    /// Returns one that answers `command` with `stdout`.
    #[must_use]
    pub fn answering(mut self, command: &str, stdout: &str) -> Self {
        let words = command.split(' ').map(str::to_owned).collect();
        let result = ExecResult {
            stdout: stdout.as_bytes().to_vec(),
            ..ExecResult::default()
        };
        self.commands.insert(words, result);
        self
    }
}

/// Returns what a tracer saw of a container that did nothing.
pub fn nothing_observed() -> Observed {
    Observed {
        arguments: Some(Vec::new()),
        ..Observed::default()
    }
}
