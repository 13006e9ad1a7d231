//! `slim doctor`.

use serde_json::json;
use slim_core::{engine, trace};

use super::Outcome;
use crate::args::{Global, Results};
use crate::progress::paint;
use crate::streams::{out, outln};

/// One line of the report.
struct Check {
    name: String,
    ok: bool,
    needed: bool,
    what: String,
}

pub(crate) async fn run(global: &Global) -> anyhow::Result<()> {
    let mut checks: Vec<Check> = tokio::task::spawn_blocking(trace::check)
        .await?
        .into_iter()
        .map(|check| Check {
            name: check.name.to_owned(),
            ok: check.ok,
            needed: !check.optional,
            what: if check.remedy.is_empty() {
                check.found
            } else {
                format!("{}; {}", check.found, check.remedy)
            },
        })
        .collect();
    let can_trace = checks.iter().all(|check| check.ok || !check.needed);
    checks.push(check_engine(global).await);
    match global.results() {
        Results::Json => {
            let list: Vec<_> = checks
                .iter()
                .map(|c| json!({"check": c.name, "ok": c.ok, "needed": c.needed, "detail": c.what}))
                .collect();
            out!(
                "{}",
                super::json(&json!({"checks": list, "can_trace": can_trace}))?
            );
        }
        Results::Text => {
            use std::io::IsTerminal as _;
            let colour = std::io::stdout().is_terminal() && crate::progress::colour(global);
            for check in &checks {
                let mark = match (check.ok, check.needed) {
                    (true, _) => paint(colour, "32", "ok     "),
                    (false, true) => paint(colour, "1;31", "missing"),
                    (false, false) => paint(colour, "33", "without"),
                };
                outln!("  {mark} {:<20} {}", check.name, check.what);
            }
        }
    }
    if can_trace {
        Ok(())
    } else {
        Err(Outcome::CannotTrace.into())
    }
}

async fn check_engine(global: &Global) -> Check {
    let name = "container engine".to_owned();
    match engine::connect(global.host.as_deref()).await {
        Ok(engine) => {
            let facts = engine.facts();
            let same = engine.same_kernel();
            let what = match &same {
                Ok(()) => format!("{} {}, API {}", facts.name, facts.version, facts.api),
                Err(error) => error.to_string(),
            };
            Check {
                name,
                ok: same.is_ok(),
                needed: true,
                what,
            }
        }
        Err(error) => Check {
            name,
            ok: false,
            needed: true,
            what: error.to_string(),
        },
    }
}
