//! `--list-formats`.

use serde_json::json;
use slim_core::profile::ARTIFACTS;

use crate::args::{Global, Results};
use crate::streams::{out, outln};

pub(crate) fn list(global: &Global) -> anyhow::Result<()> {
    match global.results() {
        Results::Json => {
            let list: Vec<_> = ARTIFACTS
                .iter()
                .map(|artifact| {
                    json!({
                        "format": artifact.format(),
                        "file": artifact.file_name(),
                        "always": artifact.always(),
                        "description": artifact.description(),
                    })
                })
                .collect();
            out!("{}", super::json(&list)?);
        }
        Results::Text => {
            for artifact in ARTIFACTS {
                let mark = if artifact.always() { '*' } else { ' ' };
                outln!(
                    "{mark} {:<20} {:<28} {}",
                    artifact.format(),
                    artifact.file_name(),
                    artifact.description()
                );
            }
            outln!("* is always written; the others where --format names them");
        }
    }
    Ok(())
}
