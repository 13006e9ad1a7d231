//! The checks that a machine can trace.

use super::load::{CapabilityProbe, Loaded, attach_all, is_initial_pid_namespace};
use super::{Error, Options, btf};
use crate::cgroup;

/// One thing that tracing needs, and whether this machine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The name of the thing.
    pub name: &'static str,
    /// True if it is there.
    pub ok: bool,
    /// True if tracing does without it.
    pub optional: bool,
    /// The version or place that was found, or the reason why it is missing.
    pub found: String,
    /// The remedy; empty where none is needed.
    pub remedy: String,
}

/// The version or place that was found, or the reason why it is missing and the remedy.
type Finding = Result<String, (String, &'static str)>;

impl Check {
    fn new(name: &'static str, finding: Finding) -> Self {
        let (ok, found, remedy) = match finding {
            Ok(found) => (true, found, ""),
            Err((found, remedy)) => (false, found, remedy),
        };
        Self {
            name,
            ok,
            optional: false,
            found,
            remedy: remedy.to_owned(),
        }
    }

    fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }
}

/// Returns what this machine has of what tracing needs, for `slim doctor`.
pub fn check() -> Vec<Check> {
    let mut checks = vec![
        Check::new("kernel", kernel()).optional(),
        Check::new("root", root()).optional(),
        Check::new("pid namespace", pid_namespace()),
        Check::new("cgroup2", cgroup2()),
        Check::new("BTF", types()),
    ];
    let (program, capabilities) = program();
    checks.push(Check::new("eBPF program", program));
    checks.extend(capabilities.map(|finding| Check::new("capabilities", finding).optional()));
    checks
}

fn kernel() -> Finding {
    let release = nix::sys::utsname::uname().map_or_else(
        |_| String::new(),
        |name| name.release().to_string_lossy().into_owned(),
    );
    let mut parts = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 1) {
        Ok(release)
    } else {
        Err((release, "tested on Linux 6.1 and later: use a newer kernel"))
    }
}

fn root() -> Finding {
    if nix::unistd::geteuid().is_root() {
        return Ok("running as root".into());
    }
    Err((
        "not running as root".into(),
        "run slim with sudo, or give it CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE",
    ))
}

fn pid_namespace() -> Finding {
    if is_initial_pid_namespace() {
        return Ok("the host's".into());
    }
    Err((
        "not the host's".into(),
        "run slim on the host itself, or in a container with --pid=host",
    ))
}

fn cgroup2() -> Finding {
    match cgroup::mount() {
        Some(path) => Ok(path.display().to_string()),
        None => Err((
            "not mounted".into(),
            "mount -t cgroup2 none /sys/fs/cgroup/unified",
        )),
    }
}

fn types() -> Finding {
    let bytes = std::fs::read(btf::VMLINUX)
        .map_err(|error| (error.to_string(), "use a kernel built with CONFIG_DEBUG_INFO_BTF"))?;
    match btf::Btf::parse(&bytes).and_then(|btf| btf.offsets()) {
        Ok(_) => Ok(format!("{} members found", slim_ebpf::Offsets::MEMBERS.len())),
        Err(error) => Err((error.to_string(), "use Linux 6.1 or later")),
    }
}

/// Loads and attaches the program, and returns what that shows of the program and of the event for capabilities; none
/// where the program is not even loaded.
fn program() -> (Finding, Option<Finding>) {
    const REMEDY: &str = "run as root on Linux 6.1 or later";
    let attached = Loaded::new(Options::default()).and_then(|mut loaded| attach_all(&mut loaded.ebpf));
    match attached {
        // It has a line of its own.
        Err(Error::PidNamespace) => (Err(("not loaded in a pid namespace".into(), "")), None),
        Err(error) => (Err((error.to_string(), REMEDY)), None),
        Ok(probe) => {
            let capabilities = match probe {
                CapabilityProbe::Tracepoint => Ok("tracepoint cap_capable".into()),
                CapabilityProbe::Kprobe => Ok("kprobe on cap_capable".into()),
                CapabilityProbe::Missing(error) => Err((
                    error.to_string(),
                    "Linux 6.14 has this tracepoint, and kprobes would do; without them the container's own set of \
                     capabilities stands in",
                )),
            };
            (Ok("loads and attaches".into()), Some(capabilities))
        }
    }
}
