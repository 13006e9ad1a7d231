//! The summary that people see on the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Report;
use crate::plan::{LeftOut, Privileged};

/// Returns bytes in decimal units, as engines print image sizes (`9.9 MB`).
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

/// Returns a number with its thousands apart (`12,345`).
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

/// Returns text from an image or an app for a terminal: control characters are shown instead of taking effect.
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

/// Number of left out paths that the table names.
const LEFT_OUT_LINES: usize = 5;
/// Number of kinds of reasons that the table names.
const KEPT_BY: usize = 5;
/// Number of system calls that the table names.
const CALLS: usize = 8;

/// Returns the table that ends a command.
pub fn summary(report: &Report) -> String {
    let mut table = Table::default();
    image(&mut table, report);
    syscalls(&mut table, report);
    capabilities(&mut table, report);
    privileges(&mut table, report);
    verification(&mut table, report);
    time(&mut table, report);
    table.row("output", report.output.display().to_string());
    left_out(&mut table, report);
    for note in &report.notes {
        table.row("note", note.clone());
    }
    let mut out = table.text;
    if let Some(verification) = &report.verification {
        out.push('\n');
        out.push_str(&super::verdicts(verification));
    }
    out
}

/// Rows of a name and a value.
#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn row(&mut self, name: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.text, "  {name:<13} {}", printable(value.as_ref()));
    }
}

/// The image before and after.
fn image(table: &mut Table, report: &Report) {
    let (before, after) = (report.before, report.after);
    let Some(product) = &report.product else {
        table.row("image", &report.reference);
        return;
    };
    let name = match product.tags.as_slice() {
        [] => product.digest.short().to_string(),
        tags => tags.join(", "),
    };
    table.row("image", format!("{} → {name}", report.reference));
    #[expect(clippy::cast_precision_loss, reason = "a ratio with one digit")]
    let times = before.bytes as f64 / after.bytes.max(1) as f64;
    let (from, to) = (bytes(before.bytes), bytes(after.bytes));
    table.row("size", format!("{from} → {to} ({times:.1} times smaller)"));
    table.row(
        "files",
        format!("{} → {}", count(before.files), count(after.files)),
    );
    if before.packages > 0 {
        let (from, to) = (count(before.packages), count(after.packages));
        let partly = match report.packages_in_part.len() {
            0 => String::new(),
            number => format!(" ({} of them in part)", count(number as u64)),
        };
        table.row("packages", format!("{from} → {to}{partly}"));
    }
    if !report.kept_by.is_empty() {
        table.row("kept as", kept_by(report));
    }
}

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

/// The allowed system calls, by phase and against Docker's default.
fn syscalls(table: &mut Table, report: &Report) {
    let calls = report.syscalls;
    table.row(
        "syscalls",
        format!(
            "{} of {} allowed ({} by the app, {}{} for the runtime)",
            calls.allowed,
            calls.known,
            calls.app,
            if calls.reached > 0 {
                format!("{} that kept code can make, ", calls.reached)
            } else {
                String::new()
            },
            calls.other
        ),
    );
    if let Some(phases) = &report.phases
        && !phases.start_up.is_empty()
    {
        let names = list(phases.start_up.iter().map(String::as_str));
        let number = phases.start_up.len();
        table.row(
            "start-up",
            format!("{number} of the app's calls only while starting: {names}"),
        );
    }
    if let Some(kept_out) = &report.kept_out {
        let exploited = match kept_out.exploited.len() {
            0 => String::new(),
            number => format!(
                ", {number} of them with published kernel exploits: {}",
                list(kept_out.exploited.iter().map(|call| call.name.as_str()))
            ),
        };
        let (number, of) = (kept_out.names.len(), kept_out.of);
        table.row(
            "kept out",
            format!(
                "{number} of {of} calls that {}'s default profile lets through{exploited}",
                kept_out.baseline
            ),
        );
    }
}

/// Returns the first names, and the number of the others.
fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(CALLS);
    let mut named: Vec<String> = names.take(CALLS).map(str::to_owned).collect();
    if more > 0 {
        named.push(format!("… and {more} more"));
    }
    named.join(", ")
}

fn capabilities(table: &mut Table, report: &Report) {
    let short = |names: &[String]| {
        names
            .iter()
            .map(|name| name.strip_prefix("CAP_").unwrap_or(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match report.capabilities.as_slice() {
        [] => table.row("capabilities", "none"),
        names => table.row("capabilities", short(names)),
    }
    if !report.refused_capabilities.is_empty() {
        let names = short(&report.refused_capabilities);
        table.row(
            "refused",
            format!("{names} (asked for without having, not granted)"),
        );
    }
}

/// The programs that gain privilege, and the files that give it.
fn privileges(table: &mut Table, report: &Report) {
    for path in &report.privilege_gain {
        table.row("privilege", format!("needs privilege gain: {path}"));
    }
    for file in &report.privileged {
        let why = privilege(file);
        table.row("privileged", format!("{} stays ({why})", file.path));
    }
}

/// The attributes by which a file gives privilege.
fn privilege(file: &Privileged) -> String {
    let mut why = Vec::new();
    why.extend(file.user.map(|id| format!("set-user-id {id}")));
    why.extend(file.group.map(|id| format!("set-group-id {id}")));
    why.extend(file.capabilities.iter().cloned());
    why.join(", ")
}

/// The probe, and whether a product that was made was verified and tagged.
fn verification(table: &mut Table, report: &Report) {
    if !report.probe.is_empty() {
        table.row("probed", report.probe.join(", "));
    }
    let Some(product) = &report.product else {
        return;
    };
    if report.verification.is_none() {
        let output = report.output.display();
        table.row("verified", format!("no; slim verify {output} runs it"));
    }
    if product.tags.is_empty() {
        table.row(
            "tagged",
            "no, since it did not pass (--tag-unverified tags it all the same)",
        );
    }
}

fn time(table: &mut Table, report: &Report) {
    if report.total_ms == 0 {
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds with one digit")]
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let stages: Vec<String> = report
        .stages
        .iter()
        .map(|stage| format!("{} {:.1}", stage.stage, seconds(stage.ms)))
        .collect();
    let total = seconds(report.total_ms);
    table.row("time", format!("{total:.1} s ({})", stages.join(", ")));
}

fn left_out(table: &mut Table, report: &Report) {
    for left_out in report.left_out.iter().take(LEFT_OUT_LINES) {
        let LeftOut {
            path, why, remedy, ..
        } = left_out;
        table.row("left out", format!("{path}: {why} ({remedy} keeps it)"));
    }
    if let more @ 1.. = report.left_out.len().saturating_sub(LEFT_OUT_LINES) {
        let more = count(more as u64);
        table.row(
            "left out",
            format!("… and {more} more; slim explain DIR --removed lists them"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::path::RootPath;
    use crate::plan::{KeptBy, Totals};
    use crate::report::{
        CallPhases, ExchangeCounts, Exploited, KeptOut, ProductImage, StageTime, SyscallCounts,
    };

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

    fn report() -> Report {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let totals = |bytes, files, packages| Totals {
            bytes,
            files,
            packages,
        };
        let kept_by = |(reason, bytes): (&str, u64)| KeptBy {
            reason: reason.into(),
            files: 1,
            bytes,
        };
        let kinds = [
            ("own", 6),
            ("elf", 5),
            ("config", 4),
            ("link", 3),
            ("shell", 2),
            ("rest", 1),
        ];
        Report {
            version: 1,
            slim: "0.0.0".into(),
            reference: "app:1.0".into(),
            image: Digest::of(b"app"),
            product: Some(ProductImage {
                digest: Digest::of(b"product"),
                tags: Vec::new(),
                layer_bytes: 1,
            }),
            launch: crate::spec::LaunchSpec::default(),
            verification: None,
            before: totals(100_000_000, 12_345, 107),
            after: totals(5_000_000, 40, 11),
            kept_by: kinds.map(kept_by).to_vec(),
            left_out: (0..7)
                .map(|number| LeftOut {
                    path: RootPath::new(format!("/left/{number}")),
                    kind: crate::plan::LeftOutKind::Unspecified,
                    from: None,
                    line: None,
                    why: "a test says so".into(),
                    remedy: format!("--include /left/{number}"),
                })
                .collect(),
            packages_in_part: names(&["libc6"]),
            syscalls: SyscallCounts {
                allowed: 94,
                app: 59,
                reached: 20,
                other: 15,
                known: 368,
            },
            phases: Some(CallPhases {
                start_up: names(&["bind", "listen", "socket", "d", "e", "f", "g", "h", "i"]),
                ..CallPhases::default()
            }),
            kept_out: Some(KeptOut {
                baseline: "Docker 20.10".into(),
                of: 292,
                names: names(&["splice", "tee"]),
                exploited: vec![Exploited {
                    name: "splice".into(),
                    flaws: names(&["CVE-2022-0847"]),
                }],
            }),
            capabilities: names(&["CAP_CHOWN", "CAP_SETUID"]),
            refused_capabilities: names(&["CAP_SYS_NICE"]),
            privilege_gain: vec![RootPath::new("/bin/su")],
            privileged: vec![Privileged {
                path: RootPath::new("/bin/ping"),
                user: Some(0),
                group: Some(5),
                capabilities: names(&["CAP_NET_RAW"]),
            }],
            runs: Vec::new(),
            exchanges: 6,
            exchange_counts: ExchangeCounts::default(),
            probe: names(&["5 HTTP requests, 5 answered below 400", "1 TCP connection"]),
            notes: names(&["a \u{1b}[31mnote"]),
            stages: vec![StageTime {
                stage: "plan".into(),
                ms: 1250,
            }],
            total_ms: 2500,
            peak_memory: 0,
            output: "slim-out/app".into(),
        }
    }

    #[test]
    fn the_summary_has_a_row_for_each_fact() {
        let made = report();
        let tagged = Report {
            product: made.product.clone().map(|product| ProductImage {
                tags: vec!["app-slim:1.0".into(), "app-slim:latest".into()],
                ..product
            }),
            ..made.clone()
        };
        let bare = Report {
            product: None,
            phases: None,
            kept_out: None,
            capabilities: Vec::new(),
            refused_capabilities: Vec::new(),
            privilege_gain: Vec::new(),
            privileged: Vec::new(),
            left_out: Vec::new(),
            total_ms: 0,
            probe: Vec::new(),
            notes: Vec::new(),
            ..made.clone()
        };
        let texts = [made, tagged, bare].map(|report| summary(&report));
        insta::assert_snapshot!(texts.join("---\n"));
    }
}
