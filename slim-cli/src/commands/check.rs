//! `slim profile check`.

use anyhow::Context as _;
use slim_core::profile::check;
use slim_core::report;

use super::{Outcome, json, unite};
use crate::args::{Check, Global, Results};
use crate::streams::out;

pub(crate) fn run(global: &Global, args: &Check) -> anyhow::Result<()> {
    let recording = unite(&args.recording, args.signed.key()?.as_ref(), |_, _| Ok(()))?;
    let file = args.profile.display();
    let profile = std::fs::read(&args.profile).with_context(|| file.to_string())?;
    let checked = check::check(&profile, &recording).with_context(|| file.to_string())?;
    match global.results() {
        Results::Text => out!("{}", report::checked(&checked)),
        Results::Json => out!("{}", json(&checked)?),
    }
    match checked.denied.len() {
        0 => Ok(()),
        denied => Err(Outcome::Gate(format!("{file} would have denied {denied} recorded calls")).into()),
    }
}
