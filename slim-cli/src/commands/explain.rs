//! `slim explain`.

use anyhow::Context as _;
use slim_core::report;

use super::json;
use crate::args::{Explain, Global, Results};
use crate::streams::out;

/// Number of packages and directories that are listed for people.
const REMOVED_LINES: usize = 20;

pub(crate) fn run(global: &Global, args: &Explain) -> anyhow::Result<()> {
    let plan = super::load_plan(&args.directory)?;
    if args.phases {
        let phases = report::phases(&plan).context(
            "no answer was recorded, so that all of it is start-up: there are no phases to tell apart",
        )?;
        match global.results() {
            Results::Text => out!("{}", phases.text()),
            Results::Json => out!("{}", json(&phases)?),
        }
        return Ok(());
    }
    let Some(what) = &args.what else {
        let overview = report::overview(&plan);
        match global.results() {
            Results::Text => out!("{}", overview.text(REMOVED_LINES)),
            Results::Json => out!("{}", json(&overview)?),
        }
        return Ok(());
    };
    anyhow::ensure!(
        report::may_be_explained(what),
        "{what:?} is neither a system call nor a capability of Linux, and no path: that begins with /"
    );
    let explained = report::explain(&plan, what);
    match global.results() {
        Results::Text => out!("{}", explained.text()),
        Results::Json => out!("{}", json(&explained)?),
    }
    Ok(())
}
