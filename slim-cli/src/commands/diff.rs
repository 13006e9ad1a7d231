//! `slim diff`.

use std::path::Path;

use anyhow::Context as _;
use slim_core::recording::Recording;
use slim_core::report::{self, ChangeKind, Side};

use super::{Outcome, json};
use crate::args::{Diff, Global, Results};
use crate::streams::out;

pub(crate) fn run(global: &Global, args: &Diff) -> anyhow::Result<()> {
    let diff = report::diff(&side(&args.from)?, &side(&args.to)?);
    if global.sarif() {
        out!("{}", json(&diff.sarif(&args.fail_on))?);
    } else {
        match global.results() {
            Results::Text => out!("{}", diff.text()),
            Results::Json => out!("{}", json(&diff)?),
        }
    }
    let failing = diff.of_kinds(&args.fail_on);
    if failing.is_empty() {
        return Ok(());
    }
    let kinds: Vec<&str> = ChangeKind::ALL
        .into_iter()
        .filter(|kind| failing.iter().any(|change| change.kind == *kind))
        .map(ChangeKind::name)
        .collect();
    Err(Outcome::Gate(format!(
        "{} changes that --fail-on names: {}",
        failing.len(),
        kinds.join(", ")
    ))
    .into())
}

/// Reads what a path names: an output directory, a plan, a recording, or a seccomp profile.
fn side(path: &Path) -> anyhow::Result<Side> {
    let name = path.display().to_string();
    if path.is_dir() {
        if !path.join(slim_core::pipeline::PLAN_FILE).exists() {
            return Ok(Side::of_recording(&name, &Recording::load(path)?));
        }
        return Ok(Side::of_plan(&name, &super::load_plan(path)?));
    }
    let bytes = std::fs::read(path).with_context(|| name.clone())?;
    let what = "expected an output directory, or a recording.json, plan.json or seccomp profile";
    let document: serde_json::Value =
        serde_json::from_slice(&bytes).with_context(|| format!("{name}: not JSON; {what}"))?;
    let has = |key: &str| document.get(key).is_some();
    if has("defaultAction") {
        return Side::of_profile(&name, &document).with_context(|| name.clone());
    }
    if has("files") && has("syscalls") {
        let plan = serde_json::from_value(document).with_context(|| format!("{name}: not a plan"))?;
        return Ok(Side::of_plan(&name, &plan));
    }
    if has("runs") {
        return Ok(Side::of_recording(&name, &Recording::parse(&bytes, path)?));
    }
    anyhow::bail!("{name}: {what}")
}
