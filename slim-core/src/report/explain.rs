//! Why something is kept or allowed: a path, a system call or a capability, and the evidence for it.

use std::fmt::Write as _;

use serde::Serialize;

use super::printable;
use crate::path::RootPath;
use crate::plan::{Cause, Plan, Reason};
use crate::recording::{Access, Actor, Phase};

/// What is known of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What was asked about.
    pub what: String,
    /// Whether it is kept or allowed.
    pub allowed: bool,
    /// The evidence, nearest first, one sentence each.
    pub evidence: Vec<String>,
}

impl Explained {
    /// The text for people.
    pub fn text(&self, plan: &Plan) -> String {
        let mut out = String::new();
        let state = match (self.allowed, self.what.starts_with('/')) {
            (true, true) => "is kept",
            (true, false) => "is allowed",
            (false, true) => "is not kept",
            (false, false) => "is not allowed",
        };
        let _ = writeln!(out, "{} {state}", printable(&self.what));
        for line in &self.evidence {
            let _ = writeln!(out, "  {}", printable(line));
        }
        if !self.allowed {
            let _ = writeln!(
                out,
                "  nothing in {} run(s) of {} asks for it",
                plan.runs.len(),
                plan.reference
            );
        }
        out
    }
}

/// The evidence in `plan` for `what`: a path if it starts with `/`, otherwise a system call or a capability by name
/// (with or without `CAP_`, in any case).
pub fn explain(plan: &Plan, what: &str) -> Explained {
    if what.starts_with('/') {
        path(plan, what)
    } else {
        name(plan, what)
    }
}

fn path(plan: &Plan, what: &str) -> Explained {
    let path = crate::path::decode(what).map_or_else(|| RootPath::new(what), RootPath::new);
    let chain = plan.chain(&path);
    let mut evidence: Vec<String> = chain
        .iter()
        .map(|(path, cause)| format!("{path}: {}", describe_cause(cause)))
        .collect();
    if let Some(kept) = plan.files.get(&path) {
        evidence.extend(
            kept.causes
                .iter()
                .skip(1)
                .map(|cause| format!("also {}", describe_cause(cause))),
        );
    }
    Explained {
        what: what.to_owned(),
        allowed: !chain.is_empty(),
        evidence,
    }
}

fn name(plan: &Plan, what: &str) -> Explained {
    let call = what.to_ascii_lowercase();
    let capability = what.to_ascii_uppercase();
    let capability = if capability.starts_with("CAP_") {
        capability
    } else {
        format!("CAP_{capability}")
    };
    let calls = plan
        .syscalls
        .iter()
        .filter(|allowed| allowed.name == call)
        .flat_map(|allowed| &allowed.reasons);
    let capabilities = plan
        .capabilities
        .iter()
        .filter(|allowed| allowed.name == capability)
        .flat_map(|allowed| &allowed.reasons);
    let mut evidence: Vec<String> = calls.chain(capabilities).map(describe_reason).collect();
    let allowed = !evidence.is_empty();
    let refused = plan
        .refused_capabilities
        .iter()
        .filter(|refused| refused.name == capability);
    evidence.extend(
        refused
            .flat_map(|refused| &refused.reasons)
            .map(|reason| format!("asked for without having it: {}", describe_reason(reason))),
    );
    Explained {
        what: what.to_owned(),
        allowed,
        evidence,
    }
}

fn describe_cause(cause: &Cause) -> String {
    match cause {
        Cause::Observed {
            phase,
            actor,
            program,
            access,
            asked,
            ..
        } => {
            let access: Vec<&str> = access.iter().copied().map(describe_access).collect();
            let who = describe_who(*actor, program.as_ref());
            let how = if access.is_empty() {
                "looked for".to_owned()
            } else {
                access.join(", ")
            };
            let asked = asked
                .as_ref()
                .map(|asked| format!(" as {:?}", asked.to_string()))
                .unwrap_or_default();
            format!("{how} by {who}{asked} {}", describe_phase(*phase))
        }
        Cause::Edge { edge, from, detail } => {
            let edge = serde_json::to_value(edge)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default();
            let detail = detail
                .as_ref()
                .map(|detail| format!(" ({detail})"))
                .unwrap_or_default();
            format!("{edge} of {from}{detail}")
        }
        Cause::Config { instruction } => format!("named by the image's {instruction}"),
        Cause::Option { flag } => format!("asked for with {flag}"),
        Cause::Always { why } => why.clone(),
    }
}

fn describe_reason(reason: &Reason) -> String {
    match reason {
        Reason::Observed {
            phase,
            actor,
            program,
            count,
            failed,
            ..
        } => {
            let failed = if *failed > 0 {
                format!(", {failed} failed")
            } else {
                String::new()
            };
            let who = describe_who(*actor, program.as_ref());
            format!("{count} times by {who} {}{failed}", describe_phase(*phase))
        }
        Reason::Runtime { table } => {
            format!("the container runtime calls it after the filter is loaded ({table})")
        }
        Reason::Assumed { why } => why.clone(),
        Reason::Family { of } => format!("a C library may call it in place of {of}"),
    }
}

fn describe_who(actor: Actor, program: Option<&RootPath>) -> String {
    match (actor, program) {
        (_, Some(program)) => program.to_string(),
        (Actor::Runtime, None) => "the container runtime".into(),
        (Actor::App, None) => "the app".into(),
    }
}

fn describe_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::StartUp => "while starting",
        Phase::Serving => "while serving",
        Phase::Shutdown => "while stopping",
        Phase::Verification => "in verification",
    }
}

fn describe_access(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "written",
        Access::OpenPath => "opened as a path",
        Access::Execute => "executed",
        Access::Interpret => "loaded as an interpreter",
        Access::Map => "mapped as code",
        Access::Stat => "asked about",
        Access::Permission => "permissions asked",
        Access::ReadLink => "link read",
        Access::ChangeDirectory => "entered",
        Access::List => "listed",
        Access::Create => "created",
        Access::Attributes => "attributes changed",
        Access::Remove => "removed",
        Access::BindSocket => "bound as a socket",
        Access::ConnectSocket => "connected to",
        Access::Lock => "locked",
    }
}
