//! `slim explain`.

use slim_core::report;

use super::json;
use crate::args::{Explain, Global, Results};

/// As many packages and directories as a person looks at.
const REMOVED_LINES: usize = 20;

pub(crate) fn run(global: &Global, args: &Explain) -> anyhow::Result<()> {
    let plan = super::load_plan(&args.directory)?;
    let Some(what) = &args.what else {
        let overview = report::overview(&plan);
        match global.results() {
            Results::Text => print!("{}", overview.text(REMOVED_LINES)),
            Results::Json => print!("{}", json(&overview)?),
        }
        return Ok(());
    };
    let explained = report::explain(&plan, what);
    match global.results() {
        Results::Text => print!("{}", explained.text(&plan)),
        Results::Json => print!("{}", json(&explained)?),
    }
    Ok(())
}
