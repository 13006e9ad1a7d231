//! The report as a table for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Report;
use crate::plan::{LeftOut, Privileged};

/// Bytes in decimal units, as engines print image sizes (`9.9 MB`).
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would print as 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A count with its thousands apart (`12,345`).
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text from an image or an app for a terminal: control characters become visible instead of taking effect.
pub fn printable(text: &str) -> Cow<'_, str> {
    let hostile = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(hostile) {
        let escaped = text.chars().map(|c| {
            if hostile(c) {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        });
        Cow::Owned(escaped.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// As many left out things as the table names.
const LEFT_OUT_LINES: usize = 5;
/// As many kinds of reasons as the table names.
const KEPT_BY: usize = 5;

/// The kinds of reasons that keep most bytes.
fn kept_by(report: &Report) -> String {
    let kinds = report.kept_by.iter().filter(|kind| kind.bytes > 0);
    let named: Vec<String> = kinds
        .clone()
        .take(KEPT_BY)
        .map(|kind| format!("{} {}", kind.reason, bytes(kind.bytes)))
        .collect();
    let rest: u64 = kinds.skip(KEPT_BY).map(|kind| kind.bytes).sum();
    let rest = if rest > 0 {
        format!(", other {}", bytes(rest))
    } else {
        String::new()
    };
    named.join(", ") + &rest
}

/// As many system calls as the table names.
const CALLS: usize = 8;

/// Names, as far as the table lists them.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(CALLS);
    let mut named: Vec<String> = names.take(CALLS).map(str::to_owned).collect();
    if more > 0 {
        named.push(format!("… and {more} more"));
    }
    named.join(", ")
}

/// What makes a file give privilege.
fn gives(file: &Privileged) -> String {
    let mut why = Vec::new();
    why.extend(file.user.map(|id| format!("set-user-id {id}")));
    why.extend(file.group.map(|id| format!("set-group-id {id}")));
    why.extend(file.capabilities.iter().cloned());
    why.join(", ")
}

/// The table that ends a command.
pub fn summary(report: &Report) -> String {
    let mut out = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(out, "  {name:<13} {}", printable(&value));
    };
    let (before, after) = (report.before, report.after);
    if let Some(product) = &report.product {
        row(
            "image",
            match product.tags.as_slice() {
                [] => format!("{} → {}", report.reference, product.digest.short()),
                tags => format!("{} → {}", report.reference, tags.join(", ")),
            },
        );
        #[expect(clippy::cast_precision_loss, reason = "a ratio with one digit")]
        let times = before.bytes as f64 / after.bytes.max(1) as f64;
        row(
            "size",
            format!(
                "{} → {} ({times:.1} times smaller)",
                bytes(before.bytes),
                bytes(after.bytes)
            ),
        );
        row(
            "files",
            format!("{} → {}", count(before.files), count(after.files)),
        );
        if before.packages > 0 {
            let partly = match report.packages_in_part.len() {
                0 => String::new(),
                number => format!(" ({} of them in part)", count(number as u64)),
            };
            row(
                "packages",
                format!("{} → {}{partly}", count(before.packages), count(after.packages)),
            );
        }
        if !report.kept_by.is_empty() {
            row("kept as", kept_by(report));
        }
    } else {
        row("image", report.reference.clone());
    }
    let calls = report.syscalls;
    row(
        "syscalls",
        format!(
            "{} of {} allowed ({} by the app, {} for the runtime)",
            calls.allowed, calls.known, calls.app, calls.other
        ),
    );
    if let Some(phases) = &report.phases
        && !phases.start_up.is_empty()
    {
        row(
            "start-up",
            format!(
                "{} of the app's calls only while starting: {}",
                phases.start_up.len(),
                some(phases.start_up.iter().map(String::as_str))
            ),
        );
    }
    if let Some(kept_out) = &report.kept_out {
        let exploited = match kept_out.exploited.len() {
            0 => String::new(),
            number => format!(
                ", {number} of them with published kernel exploits: {}",
                some(kept_out.exploited.iter().map(|call| call.name.as_str()))
            ),
        };
        row(
            "kept out",
            format!(
                "{} of {} calls that {}'s default profile lets through{exploited}",
                kept_out.names.len(),
                kept_out.of,
                kept_out.baseline
            ),
        );
    }
    let short = |names: &[String]| {
        names
            .iter()
            .map(|name| name.strip_prefix("CAP_").unwrap_or(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    row(
        "capabilities",
        if report.capabilities.is_empty() {
            "none".into()
        } else {
            short(&report.capabilities)
        },
    );
    if !report.refused_capabilities.is_empty() {
        row(
            "refused",
            format!(
                "{} (asked for without having, not granted)",
                short(&report.refused_capabilities)
            ),
        );
    }
    for path in &report.privilege_gain {
        row("privilege", format!("needs privilege gain: {path}"));
    }
    for file in &report.privileged {
        row("privileged", format!("{} stays ({})", file.path, gives(file)));
    }
    if !report.probe.is_empty() {
        row("probed", report.probe.join(", "));
    }
    if report.verification.is_none() && report.product.is_some() {
        row(
            "verified",
            format!("no; slim verify {} runs it", report.output.display()),
        );
    }
    if let Some(product) = &report.product
        && product.tags.is_empty()
    {
        row(
            "tagged",
            "no, since it did not pass (--tag-unverified tags it all the same)".into(),
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds with one digit")]
    let seconds = |ms: u64| ms as f64 / 1000.0;
    if report.total_ms > 0 {
        let stages: Vec<String> = report
            .stages
            .iter()
            .map(|stage| format!("{} {:.1}", stage.stage, seconds(stage.ms)))
            .collect();
        row(
            "time",
            format!("{:.1} s ({})", seconds(report.total_ms), stages.join(", ")),
        );
    }
    row("output", report.output.display().to_string());
    for left_out in report.left_out.iter().take(LEFT_OUT_LINES) {
        let LeftOut { path, why, remedy } = left_out;
        row("left out", format!("{path}: {why} ({remedy} keeps it)"));
    }
    if let more @ 1.. = report.left_out.len().saturating_sub(LEFT_OUT_LINES) {
        row(
            "left out",
            format!(
                "… and {} more; slim explain DIR --removed lists them",
                count(more as u64)
            ),
        );
    }
    for note in &report.notes {
        row("note", note.clone());
    }
    if let Some(verification) = &report.verification {
        out.push('\n');
        out.push_str(&super::verdicts(verification));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        let shown: Vec<_> = [0, 999, 1000, 9_870_000, 999_949, 999_951, 3_000_000_000]
            .map(bytes)
            .into();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "9.9 MB", "999.9 kB", "1.0 MB", "3.0 GB"]
        );
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\tc"), "a\\u{1b}[31mb\tc");
        assert_eq!(printable("plain"), "plain");
    }
}
