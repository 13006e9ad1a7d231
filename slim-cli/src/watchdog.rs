//! The process that slim leaves behind to clean up when slim is killed: this program, started with a reserved first word.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use slim_core::{owned, pipeline};

use crate::exit;

/// The reserved first word; the name of a record follows.
const WORD: &str = "internal-watchdog";

/// Has this program started as watchdog of its own process when that first creates something.
pub(crate) fn arrange() {
    // Not by its path: the program may be replaced while it runs.
    owned::watch_with(vec!["/proc/self/exe".into(), WORD.into()]);
}

/// The record to watch, where that is what this process was started for.
pub(crate) fn asked() -> Option<OsString> {
    let mut words = std::env::args_os().skip(1);
    let first = words.next()?;
    (first == WORD).then(|| words.next()).flatten()
}

/// Waits for slim's end, and removes what it left. Nobody reads what is printed here.
pub(crate) fn run(record: &OsStr) -> ExitCode {
    let cleaned = owned::outlive().is_ok() && clean_up_after(record).is_some();
    ExitCode::from(if cleaned { 0 } else { exit::FAILED })
}

fn clean_up_after(record: &OsStr) -> Option<()> {
    let state = owned::State::open(&owned::State::default_path().ok()?).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(pipeline::clean_up_after(&state, record)).ok()
}
