//! The verdicts of a verification, as text.

use std::fmt::Write as _;

use super::printable;
use crate::verify::{Outcome, Verification};

/// Number of differences, misses and healed misses that are named, each.
const LINES: usize = 8;

/// Returns a line for each verdict, and the evidence for those that did not pass.
pub fn verdicts(verification: &Verification) -> String {
    let mut out = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<13} {}", printable(value));
    };
    for verdict in &verification.verdicts {
        let outcome = match verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotChecked => "not checked",
        };
        let name = verdict.aspect.name();
        let mut text = outcome.to_owned();
        if verdict.starts > 0 {
            let starts = if verdict.starts == 1 { "start" } else { "starts" };
            let _ = write!(
                text,
                ", {} of {} answers alike in {} {starts}, {}.{} s",
                verdict.alike,
                verdict.asked,
                verdict.starts,
                verdict.ms / 1000,
                verdict.ms % 1000 / 100
            );
        }
        if !verdict.detail.is_empty() {
            let _ = write!(text, ": {}", verdict.detail);
        }
        row(name, &text);
    }
    for healed in verification.healed.iter().take(LINES) {
        row("healed", &format!("{} (round {})", healed.miss, healed.round));
    }
    let more = |list: usize| list.checked_sub(LINES).filter(|more| *more > 0);
    if let Some(more) = more(verification.healed.len()) {
        row("healed", &format!("… and {more} more"));
    }
    for difference in verification.differences.iter().take(LINES) {
        row(
            "differs",
            &format!(
                "{}, {}: expected {:?}, got {:?}",
                difference.request, difference.part, difference.expected, difference.got
            ),
        );
    }
    if let Some(more) = more(verification.differences.len()) {
        row("differs", &format!("… and {more} more"));
    }
    if let Some(error) = &verification.error {
        for line in error.lines() {
            row("error", line);
        }
    }
    for miss in verification.missed.iter().take(LINES) {
        row("missed", &miss.to_string());
    }
    if let Some(more) = more(verification.missed.len()) {
        row("missed", &format!("… and {more} more"));
    }
    for line in &verification.log {
        row("log", line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Aspect, Difference, Healed, Miss, MissKind, Verdict};

    #[test]
    fn what_failed_is_explained() {
        let miss = |kind, what: &str| Miss {
            kind,
            what: what.into(),
            program: Some(crate::path::RootPath::new("/usr/bin/gunicorn")),
        };
        let verification = Verification {
            verdicts: vec![
                Verdict {
                    aspect: Aspect::Image,
                    outcome: Outcome::Failed,
                    detail: "/app/data.json is missing, asked for by /usr/bin/gunicorn".into(),
                    asked: 5,
                    alike: 4,
                    starts: 2,
                    ms: 1250,
                    ..Verdict::not_checked(Aspect::Image, String::new())
                },
                Verdict::not_checked(
                    Aspect::AppArmor,
                    "the engine's host does not enforce AppArmor".into(),
                ),
            ],
            healed: vec![Healed {
                round: 1,
                miss: miss(MissKind::Syscall, "mlock"),
            }],
            differences: vec![Difference {
                sequence: Some(1),
                request: "GET :8000/data".into(),
                part: "status".into(),
                expected: "200".into(),
                got: "500".into(),
            }],
            missed: vec![miss(MissKind::File, "/app/data.json")],
            error: None,
            log: vec!["FileNotFoundError: \u{1b}[31mdata.json".into()],
        };
        insta::assert_snapshot!(verdicts(&verification));
    }
}
