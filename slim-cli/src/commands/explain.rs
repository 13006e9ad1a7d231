//! `slim explain`.

use anyhow::Context as _;
use slim_core::plan::{Plan, VERSION};
use slim_core::report;

use super::json;
use crate::args::{Explain, Global, Results};

/// As many packages and directories as a person looks at.
const REMOVED_LINES: usize = 20;

pub(crate) fn run(global: &Global, args: &Explain) -> anyhow::Result<()> {
    let path = args.directory.join("plan.json");
    let bytes = std::fs::read(&path).with_context(|| {
        format!(
            "{}: no plan there; name the output directory of slim build or generate",
            path.display()
        )
    })?;
    let plan: Plan = serde_json::from_slice(&bytes)
        .with_context(|| format!("{}: not a plan of version {VERSION}", path.display()))?;
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
