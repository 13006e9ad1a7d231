//! Removal of things that killed processes of slim left behind, by what they wrote down.

use std::ffi::OsStr;
use std::fmt;
use std::time::{Duration, Instant};

use super::apparmor;
use crate::engine::{self, Engine};
use crate::owned::{Error, Fate, Kind, Left, Place, State, Thing};

/// As long a watchdog goes on while the engine does not answer or refuses; then it is the next slim's turn.
const PATIENCE: Duration = Duration::from_secs(600);

/// Between a watchdog's attempts, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The result of a clean-up.
#[derive(Debug, Default)]
pub struct Cleaned {
    /// Removed things.
    pub removed: Vec<Removed>,
    /// Things that were not removed, and why; records that are not believed.
    pub warnings: Vec<String>,
}

/// A thing that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The subject.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The process that left it.
    pub pid: u32,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, pid } = self;
        write!(f, "removed {kind} {name}, left by a slim that ended (pid {pid})")
    }
}

/// Removes what dead processes wrote down in `state` as made in `engine` or in the kernel, and their records when nothing is
/// left in them. What was made in other engines stays written there.
pub async fn clean_up(state: &State, engine: &dyn Engine) -> Cleaned {
    let mut cleaned = Cleaned::default();
    let records = state.records().unwrap_or_else(|error| {
        cleaned.warnings.push(error.to_string());
        Vec::new()
    });
    for name in records {
        let closed = match state.left(&name) {
            Ok(None) => continue,
            Ok(Some(mut left)) => {
                remove_left(&mut left, Some(engine), &mut cleaned).await;
                left.close().map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = closed {
            cleaned.warnings.push(error.to_string());
        }
    }
    cleaned
}

/// The work of a watchdog whose owner has ended: removes what it wrote down in the record `name`, and that. An engine is asked
/// for only if something is left in it.
///
/// # Errors
/// The record cannot be used.
pub async fn clean_up_after(state: &State, name: &OsStr) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = PAUSES.0;
    loop {
        if let Some(mut left) = state.left(name)? {
            let mut cleaned = Cleaned::default();
            // Without an engine, what is the kernel's; then what is in each of the engines.
            remove_left(&mut left, None, &mut cleaned).await;
            let mut asked: Vec<Place> = Vec::new();
            for (_, thing) in left.things() {
                if !asked.contains(&thing.place) {
                    if let Some(engine) = engine::at(&thing.place).await {
                        remove_left(&mut left, Some(&*engine), &mut cleaned).await;
                    }
                    asked.push(thing.place);
                }
            }
            if left.close()? {
                return Ok(());
            }
        } else if !state.records()?.iter().any(|record| record == name) {
            // Its owner removed it, or another slim was faster.
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Removes what is in the kernel and in `engine`. What is refused stays written down, for the next attempt.
async fn remove_left(left: &mut Left<'_>, engine: Option<&dyn Engine>, cleaned: &mut Cleaned) {
    let (pid, record) = (left.pid(), left.path());
    for (number, thing) in left.things() {
        let fate = match remove(&thing, engine).await {
            None => continue,
            Some(fate) => fate,
        };
        let stays = |why: &str| format!("{thing}, left by a slim that ended (pid {pid}), stays: {why}");
        match fate {
            Ok(Fate::Removed) => {
                left.done(number);
                cleaned.removed.push(Removed {
                    kind: thing.kind,
                    name: thing.name,
                    pid,
                });
            }
            Ok(Fate::Absent) => {
                if left.settled(&thing) {
                    left.done(number);
                }
            }
            Ok(Fate::InUse) => {
                // It may be what the same slim left that uses it, and could not be removed.
                let containers = left
                    .things()
                    .iter()
                    .any(|(_, other)| other.kind == Kind::Container);
                if thing.kind == Kind::Container || !containers {
                    left.done(number);
                    cleaned.warnings.push(stays("it is in use"));
                }
            }
            Ok(Fate::Another(why)) => {
                left.done(number);
                cleaned.warnings.push(stays(&why));
            }
            Err(why) => {
                let record = record.display();
                cleaned
                    .warnings
                    .push(format!("{} (it is written in {record})", stays(&why)));
            }
        }
    }
}

/// Removes a thing and returns its fate; none if it is not in the kernel or in `engine`.
async fn remove(thing: &Thing, engine: Option<&dyn Engine>) -> Option<Result<Fate, String>> {
    if thing.place == Place::kernel() {
        return Some(match thing.kind {
            Kind::Profile => apparmor::remove_left(thing),
            kind => Ok(Fate::Another(format!("slim makes no {kind} in the kernel"))),
        });
    }
    let engine = engine.filter(|engine| engine.place() == thing.place)?;
    Some(engine.remove_left(thing).await.map_err(|error| error.to_string()))
}
