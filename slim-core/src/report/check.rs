//! The recorded calls that a seccomp profile would have denied, as text.

use std::fmt::Write as _;

use super::explain::{describe_phase, describe_times, describe_who};
use super::printable;
use crate::profile::check::{Checked, Denied};
use crate::recording::Actor;

/// Returns a line for each call that the profile would or might have denied, and a line with their number.
pub fn checked(checked: &Checked) -> String {
    let mut out = String::new();
    let mut list = |title: &str, calls: &[Denied], outcome: fn(&Denied) -> String| {
        for call in calls {
            let what = match &call.arguments {
                Some(arguments) => format!("{}({arguments})", call.name),
                None => call.name.clone(),
            };
            let line = format!(
                "{} by {} {}, {}",
                describe_times(call.count),
                describe_who(Actor::App, call.program.as_ref()),
                describe_phase(call.phase),
                outcome(call)
            );
            let _ = writeln!(out, "  {title:<9} {what:<28} {}", printable(&line));
        }
    };
    list("denied", &checked.denied, |call| match call.errno {
        Some(errno) => format!("with {}", errno_name(errno)),
        None => "and killed for it".into(),
    });
    list("open", &checked.open, |_| {
        "allowed under conditions on arguments that were not recorded".into()
    });
    for missing in &checked.runtimes {
        let _ = writeln!(
            out,
            "  runtime   {} lacks {}",
            missing.table,
            missing.names.join(", ")
        );
    }
    let (denied, open) = (checked.denied.len(), checked.open.len());
    let _ = writeln!(
        out,
        "  {} of {} recorded calls are allowed, {denied} denied, {open} open",
        checked.calls - denied - open,
        checked.calls
    );
    out
}

/// Returns the name of an errno: `EPERM` of 1.
fn errno_name(number: u16) -> String {
    match nix::errno::Errno::from_raw(number.into()) {
        nix::errno::Errno::UnknownErrno => format!("error {number}"),
        known => format!("{known:?}"),
    }
}
