//! `cargo xtask runtime-calls`: what container runtimes call between loading a container's filter and executing its
//! program. A profile that lacks one of those does not start.
//!
//! Containers are created and started in two steps, as engines do it. strace shows each thread's calls in their order, so
//! the moment at which a thread carries the filter is exact; slim's own recording begins earlier, at the container's
//! control group.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::packages::{self, For};
use crate::runtime::{self, Runtime};
use crate::sh::{self, Scratch};

/// The container's user: root, or one whose capabilities are gone before the program starts.
const USERS: [u32; 2] = [0, 1000];

/// The time that a runtime may take to create a container.
const START: Duration = Duration::from_secs(30);

/// The capabilities that Docker grants a container.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// A circumstance in which a runtime starts a program.
#[derive(Clone, Copy)]
struct Circumstance {
    /// In a container that runs already (a health check does this).
    exec: bool,
    no_new_privileges: bool,
}

const CIRCUMSTANCES: [Circumstance; 4] = [
    Circumstance::new(false, true),
    Circumstance::new(false, false),
    Circumstance::new(true, true),
    Circumstance::new(true, false),
];

impl Circumstance {
    const fn new(exec: bool, no_new_privileges: bool) -> Self {
        Self {
            exec,
            no_new_privileges,
        }
    }

    fn describe(self) -> String {
        format!(
            "{}, {} no-new-privileges",
            if self.exec { "exec" } else { "run" },
            if self.no_new_privileges { "with" } else { "without" }
        )
    }
}

/// Measures the programs named, or the installed ones, and writes `profiles/runtime/`; prints a Markdown table on stdout.
///
/// # Errors
///
/// When a runtime does not start a container, or a file cannot be written.
pub(crate) fn run(programs: &[PathBuf], runs: usize) -> Result<()> {
    ensure!(runs > 0, "--runs must be at least 1");
    ensure!(sh::is_root(), "starting a runtime without an engine takes root");
    packages::install(For::Tests)?;
    let installed = if programs.is_empty() {
        runtime::installed()?
    } else {
        Vec::new()
    };
    let grantable = grantable()?;
    println!("| runtime | circumstance | calls | not yet in profiles/runtime |");
    println!("|---|---|---|---|");
    for program in programs.iter().chain(&installed) {
        let scratch = Scratch::new("runtime-calls")?;
        let runtime = Runtime::inspect(program, scratch.path())?;
        let mut table = Table::read(runtime.name)?;
        let known = table.calls();
        for circumstance in CIRCUMSTANCES {
            let bundle = Bundle::new(scratch.path(), &runtime)?;
            let mut calls = BTreeSet::new();
            for user in USERS {
                for _ in 0..runs {
                    calls.extend(bundle.measure(circumstance, user).with_context(|| {
                        format!(
                            "{} {}, {}",
                            runtime.name,
                            runtime.version,
                            circumstance.describe()
                        )
                    })?);
                }
            }
            calls.retain(|name| grantable.contains(name));
            let new: Vec<&str> = calls.difference(&known).map(String::as_str).collect();
            println!(
                "| {} {} | {} | {} | {} |",
                runtime.name,
                runtime.version,
                circumstance.describe(),
                calls.len(),
                new.join(", ")
            );
            if !new.is_empty() {
                table.add(&runtime, circumstance, &calls);
            }
        }
        table.measured(&runtime)?;
        table.write()?;
    }
    Ok(())
}

/// The calls that Docker's default filter lets through: a runtime works without what it is refused there (`open_tree`, which runc 1.3
/// tries), and no profile grants it.
fn grantable() -> Result<BTreeSet<String>> {
    let path = sh::workspace().join("profiles/seccomp/docker-28.json");
    let filter: Value =
        serde_json::from_slice(&std::fs::read(&path)?).with_context(|| format!("{}", path.display()))?;
    let rules = filter["syscalls"].as_array().into_iter().flatten();
    let allowed = rules
        .filter(|rule| rule["action"] == "SCMP_ACT_ALLOW" && rule["includes"]["caps"].as_array().is_none());
    Ok(allowed.flat_map(|rule| strings(&rule["names"])).collect())
}

fn strings(list: &Value) -> impl Iterator<Item = String> + '_ {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned)
}

/// The bundle that a runtime starts a container from; the container is removed with it.
struct Bundle<'a> {
    runtime: &'a Runtime,
    path: PathBuf,
    /// The container's name.
    id: String,
}

impl<'a> Bundle<'a> {
    fn new(scratch: &Path, runtime: &'a Runtime) -> Result<Self> {
        let path = scratch.join("bundle");
        let programs = path.join("rootfs/bin");
        std::fs::create_dir_all(&programs)
            .with_context(|| format!("could not create {}", programs.display()))?;
        let busybox = sh::which("busybox").context("busybox is not installed")?;
        std::fs::copy(&busybox, programs.join("busybox")).context("could not copy busybox")?;
        let id = format!("slim-runtime-calls-{}", std::process::id());
        Ok(Self { runtime, path, id })
    }

    /// Starts a program once; what the runtime called under the filter.
    fn measure(&self, circumstance: Circumstance, user: u32) -> Result<BTreeSet<String>> {
        let traces = self.path.join("traces");
        std::fs::create_dir(&traces).with_context(|| format!("could not create {}", traces.display()))?;
        let mut strace = sh::root("strace");
        strace
            .args(["--follow-forks", "--output-separately", "--output"])
            .arg(traces.join("of"))
            .arg(&self.runtime.program);
        let traced = if circumstance.exec {
            self.trace_exec(&mut strace, circumstance, user)
        } else {
            self.trace_start(&mut strace, circumstance, user)
        };
        self.remove();
        traced?;
        let calls = under_the_filter(&traces)?;
        std::fs::remove_dir_all(&traces).with_context(|| format!("could not remove {}", traces.display()))?;
        Ok(calls)
    }

    /// Starts a container in two steps, as engines do: between them it waits under the filter.
    fn trace_start(&self, strace: &mut Command, circumstance: Circumstance, user: u32) -> Result<()> {
        self.write("config.json", &config(&process(circumstance, user, &["true"])))?;
        strace.args(["create", "--bundle"]).arg(&self.path).arg(&self.id);
        let mut traced = strace
            .stdin(Stdio::null())
            .spawn()
            .context("could not start strace")?;
        let started = self
            .wait_until_created(&mut traced)
            .and_then(|()| sh::run_quietly(sh::root(&self.runtime.program).args(["start", &self.id])));
        if started.is_err() {
            self.remove();
        }
        // strace follows the container's program to its end.
        let status = traced.wait().context("could not wait for strace")?;
        started?;
        ensure!(status.success(), "strace ended with {status}");
        Ok(())
    }

    fn wait_until_created(&self, traced: &mut Child) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let state =
                sh::output(sh::root(&self.runtime.program).args(["state", &self.id])).unwrap_or_default();
            if serde_json::from_str(&state).is_ok_and(|state: Value| state["status"] == "created") {
                return Ok(());
            }
            let ended = traced.try_wait().context("could not wait for strace")?.is_some();
            ensure!(!ended && Instant::now() < deadline, "no container was created");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a second program in a container.
    fn trace_exec(&self, strace: &mut Command, circumstance: Circumstance, user: u32) -> Result<()> {
        self.write(
            "config.json",
            &config(&process(circumstance, user, &["sleep", "600"])),
        )?;
        self.write("process.json", &process(circumstance, user, &["true"]))?;
        let mut run = sh::root(&self.runtime.program);
        run.args(["run", "--detach", "--bundle"])
            .arg(&self.path)
            .arg(&self.id);
        sh::run_quietly(&mut run)?;
        strace
            .args(["exec", "--process"])
            .arg(self.path.join("process.json"))
            .arg(&self.id);
        sh::run_quietly(strace)
    }

    fn write(&self, name: &str, value: &Value) -> Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, value.to_string())
            .with_context(|| format!("could not write {}", path.display()))
    }

    /// Removes the container, if there is one.
    fn remove(&self) {
        sh::succeeds(sh::root(&self.runtime.program).args(["delete", "--force", &self.id]));
    }
}

impl Drop for Bundle<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The process of an OCI bundle, as Docker describes it.
fn process(circumstance: Circumstance, user: u32, busybox: &[&str]) -> Value {
    let command = [&["/bin/busybox"], busybox].concat();
    let effective: &[&str] = if user == 0 { &CAPABILITIES } else { &[] };
    json!({
        "user": {"uid": user, "gid": user},
        "args": command,
        "env": ["PATH=/bin"],
        "cwd": "/",
        "capabilities": {"bounding": CAPABILITIES, "permitted": effective, "effective": effective},
        "noNewPrivileges": circumstance.no_new_privileges,
    })
}

/// The configuration of an OCI bundle. Its filter denies something that nobody calls, since one without rules may not be
/// loaded.
fn config(process: &Value) -> Value {
    let namespaces = ["ipc", "mount", "network", "pid", "uts"].map(|kind| json!({"type": kind}));
    json!({
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        ],
        "linux": {
            "namespaces": namespaces,
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["kcmp"], "action": "SCMP_ACT_ERRNO"}],
            },
        },
    })
}

/// Returns the calls of threads that carry a filter until they executed a program. `traces` holds a file for each thread, named after
/// it.
fn under_the_filter(traces: &Path) -> Result<BTreeSet<String>> {
    let mut calls = BTreeSet::new();
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir(traces).context("could not read the traces")? {
        let text = read_trace(&entry.context("could not read the traces")?.path())?;
        let mut lines = text.lines();
        if let Some(loading) = lines.find(|line| loads_a_filter(line)) {
            // The other threads of its process would carry it from here on, and their traces do not say so.
            ensure!(
                !loading.contains("FLAG_TSYNC"),
                "a filter for all threads is not followed: {loading}"
            );
            inherited.extend(until_execution(lines, &mut calls));
        }
    }
    ensure!(!calls.is_empty(), "no filter was loaded");
    while let Some(thread) = inherited.pop() {
        let text = read_trace(&traces.join(format!("of.{thread}")))?;
        inherited.extend(until_execution(text.lines(), &mut calls));
    }
    Ok(calls)
}

fn read_trace(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn loads_a_filter(line: &str) -> bool {
    let loads = line.starts_with("seccomp(SECCOMP_SET_MODE_FILTER,")
        || line.starts_with("prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,");
    loads && result(line) == Some("0")
}

/// Notes the calls up to a successful execve; the threads that were started meanwhile.
fn until_execution<'a>(lines: impl Iterator<Item = &'a str>, calls: &mut BTreeSet<String>) -> Vec<String> {
    let mut threads = Vec::new();
    for line in lines {
        // A signal's or an end's line has no name before a parenthesis.
        let Some((name, _)) = line.split_once('(').filter(|(name, _)| is_name(name)) else {
            continue;
        };
        calls.insert(name.to_owned());
        match (name, result(line)) {
            ("execve" | "execveat", Some("0")) => break,
            ("clone" | "clone3" | "fork" | "vfork", Some(thread)) if !thread.starts_with('-') => {
                threads.push(thread.to_owned());
            }
            _ => (),
        }
    }
    threads
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The result of a call, as strace prints it.
fn result(line: &str) -> Option<&str> {
    line.rsplit_once(" = ")?.1.split(' ').next()
}

/// A file of `profiles/runtime/`.
struct Table {
    path: PathBuf,
    content: Value,
}

impl Table {
    fn read(runtime: &str) -> Result<Self> {
        let path = sh::workspace().join(format!("profiles/runtime/{runtime}.json"));
        let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let content = serde_json::from_slice(&bytes).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path, content })
    }

    /// The calls of all sets: a profile carries them together, since nobody knows which runtime will start it.
    fn calls(&self) -> BTreeSet<String> {
        let sets = self.content["sets"].as_array().into_iter().flatten();
        sets.flat_map(|set| strings(&set["names"])).collect()
    }

    /// Adds what was measured as a set of its own, in the place of an earlier one of the same version.
    fn add(&mut self, runtime: &Runtime, circumstance: Circumstance, calls: &BTreeSet<String>) {
        let name = format!(
            "{} {}, {}",
            runtime.name,
            runtime.version,
            circumstance.describe()
        );
        self.replace("sets", "name", json!({"name": name, "names": calls}));
    }

    /// Notes that this version was measured today.
    fn measured(&mut self, runtime: &Runtime) -> Result<()> {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").context("no kernel release")?;
        let kernel: Vec<&str> = kernel.split('.').take(2).collect();
        let date = sh::output(Command::new("date").args(["--utc", "+%F"]))?;
        let entry = json!({"version": runtime.version, "kernel": kernel.join("."), "date": date});
        self.replace("measured", "version", entry);
        Ok(())
    }

    /// Puts an entry into a list, in the place of that with an equal `key`.
    fn replace(&mut self, list: &str, key: &str, entry: Value) {
        let entries = self.content[list].as_array().into_iter().flatten();
        let mut entries: Vec<Value> = entries
            .filter(|other| other[key] != entry[key])
            .cloned()
            .collect();
        entries.push(entry);
        self.content[list] = entries.into();
    }

    /// Writes it, each list of calls in one line.
    fn write(&self) -> Result<()> {
        let entries = |list: &str, keys: &[&str], indent: &str| {
            let entries = self.content[list].as_array().into_iter().flatten();
            let entries: Vec<String> = entries.map(|entry| object(entry, keys, indent)).collect();
            entries.join(",\n    ")
        };
        let text = format!(
            "{{\n  \"runtime\": {},\n  \"source\": {},\n  \"measured\": [\n    {}\n  ],\n  \"sets\": [\n    {}\n  ]\n}}\n",
            self.content["runtime"],
            self.content["source"],
            entries("measured", &["version", "date", "kernel"], ""),
            entries("sets", &["name", "names", "arguments"], "\n      "),
        );
        std::fs::write(&self.path, text).with_context(|| format!("could not write {}", self.path.display()))
    }
}

/// An object in JSON with these keys, as far as it has them, each after `indent`.
fn object(value: &Value, keys: &[&str], indent: &str) -> String {
    let fields = keys.iter().filter(|key| !value[**key].is_null());
    let fields: Vec<String> = fields
        .map(|key| format!("{indent}\"{key}\": {}", line(&value[*key])))
        .collect();
    // The brace stands one step further out than the fields, or right behind them.
    let separator = if indent.is_empty() { ", " } else { "," };
    let end = indent.strip_suffix("  ").unwrap_or_default();
    format!("{{{}{end}}}", fields.join(separator))
}

/// JSON in one line, with a space after each comma of a list.
fn line(value: &Value) -> String {
    let Some(list) = value.as_array() else {
        return value.to_string();
    };
    let list: Vec<String> = list.iter().map(line).collect();
    format!("[{}]", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_count_from_the_filter_to_the_execution_and_in_threads_started_between() {
        let scratch = Scratch::new("runtime-calls").unwrap();
        let trace = |thread: u32, lines: &[&str]| {
            std::fs::write(scratch.path().join(format!("of.{thread}")), lines.join("\n")).unwrap();
        };
        trace(
            10,
            &[
                "openat(AT_FDCWD, \"/\", O_RDONLY) = 3",
                "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, NULL) = -1 EFAULT (Bad address)",
                "prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {len=9, filter=0xc00008ec80}) = 0",
                "--- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=10, si_uid=0} ---",
                "clone(child_stack=0xc000070000, flags=CLONE_VM|CLONE_THREAD) = 11",
                "execve(\"/a\", [\"a\"], 0xc000013608 /* 2 vars */) = -1 ENOENT (No such file or directory)",
                "close(3) = 0",
                "execve(\"/b\", [\"b\"], 0xc000013608 /* 2 vars */) = 0",
                "brk(NULL) = 0x55c0bd3ed710",
            ],
        );
        trace(
            11,
            &[
                "futex(0x1, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>) = ?",
                "+++ killed by SIGKILL +++",
            ],
        );
        trace(12, &["read(0, \"\", 1) = 0", "+++ exited with 0 +++"]);
        let calls = under_the_filter(scratch.path()).unwrap();
        assert_eq!(
            calls,
            ["clone", "close", "execve", "futex"].map(str::to_owned).into()
        );
    }
}
