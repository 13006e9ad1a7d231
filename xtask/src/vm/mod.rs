//! `cargo xtask vm`: what this machine's kernel cannot show. Debian's kernels boot under QEMU, without KVM; in each the
//! tracer's tests run, samples are slimmed, and the products run under an enforced profile.
//!
//! The guests have no network: the engine's images come from this machine's engine, the programs are those built here.

mod disk;
mod guest;

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::engine::Docker;
use crate::packages::For;
use crate::{samples, setup, sh};
use disk::SAMPLES;
use guest::Guest;

/// A virtual machine.
struct Machine {
    /// The name on the command line.
    name: &'static str,
    /// The release of Debian.
    suite: &'static str,
    /// The packages that it alone has.
    packages: &'static [&'static str],
    /// The kernel's `lsm=` and what belongs to it.
    modules: &'static str,
    /// The tests of enforcement that are for it.
    enforced: &'static str,
}

const MACHINES: &[Machine] = &[
    Machine {
        name: "6.1",
        suite: "bookworm",
        packages: &[],
        modules: "lsm=landlock,lockdown,yama,apparmor,bpf",
        enforced: "apparmor",
    },
    Machine {
        name: "6.1-selinux",
        suite: "bookworm",
        packages: &["selinux-policy-default", "secilc"],
        modules: "lsm=landlock,lockdown,yama,selinux,bpf enforcing=1",
        enforced: "selinux",
    },
    Machine {
        name: "6.12",
        suite: "trixie",
        packages: &["docker-cli", "podman", "crun"],
        modules: "lsm=landlock,lockdown,yama,apparmor,bpf",
        enforced: "apparmor",
    },
];

/// The document of all machines' results, which stand below a line.
const DOCUMENT: &str = "docs/kernels.md";

/// That line.
const RESULTS: &str = "<!-- What follows is written by `cargo xtask vm test`. -->\n";

/// The beginning of a machine's results.
const SECTION: &str = "\n### ";

/// Number of rounds of a test that repeats itself: a container starts in a second elsewhere, here in ten.
const REPEAT: u32 = 3;

/// The guest's file in which skipped tests are listed, with their reasons.
const SKIPPED: &str = "/root/skipped";

/// The time that all tests of a program may take.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// A selection: one test for each thing that differs between kernels.
const SHORT: &[&str] = &[
    "this_machine_traces",
    "a_cgroup_of_a_containers_name_is_enough",
    "sixteen_processes_lose_none_of_their_files",
    "every_descriptor_leads_to_its_file",
    "odd_uses_are_recorded_and_none_is_a_loss",
    "capabilities_are_told_with_who_asked_for_them",
    "other_abis_and_denied_calls_are_kept_apart",
    "an_execution_that_gains_privilege_is_marked",
    "apparmor_confines_nginx",
    "selinux_confines_nginx",
];

/// The results of a program's tests.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    seconds: u64,
}

/// The results of a machine.
struct Findings {
    name: &'static str,
    /// Kernel, engine, runtimes, security modules.
    facts: Vec<(&'static str, String)>,
    /// By program.
    tests: Vec<(String, Tally)>,
    /// The tests that were not run, with their reasons.
    skipped: Vec<String>,
    /// The lines that the tests of enforcement print for each sample.
    enforced: Vec<String>,
}

/// Runs the tests in the machines named, or in all of them: all tests, which leave their results in the document, or a
/// `short` selection.
///
/// # Errors
///
/// A name that is no machine's, a machine that does not come up, or tests that failed.
pub(crate) fn test(names: &[String], short: bool) -> Result<()> {
    let selection = if short { SHORT } else { &[] };
    let known = || {
        MACHINES
            .iter()
            .map(|machine| machine.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let Some(name) = names
        .iter()
        .find(|name| MACHINES.iter().all(|machine| machine.name != **name))
    {
        bail!("there is no virtual machine {name:?}; there are {}", known());
    }
    let docker = setup::run(For::Tests)?;
    samples::build(&docker, &SAMPLES.map(str::to_owned))?;
    let mut all = Vec::new();
    for machine in MACHINES {
        if names.is_empty() || names.iter().any(|name| name == machine.name) {
            all.push(examine(machine, &docker, selection)?);
        }
    }
    let text = all.iter().map(Findings::markdown).collect::<String>();
    eprintln!("\n{text}");
    if !short {
        let path = sh::workspace().join(DOCUMENT);
        let document = std::fs::read_to_string(&path).context(DOCUMENT)?;
        std::fs::write(&path, with_results(&document, &all)?).context(DOCUMENT)?;
    }
    check(&all)
}

/// The document with these results in the place of the same machines' last ones.
fn with_results(document: &str, all: &[Findings]) -> Result<String> {
    let (above, below) = document
        .split_once(RESULTS)
        .with_context(|| format!("{DOCUMENT} has no line for results"))?;
    let last = |name: &str| {
        let mut sections = below.split(SECTION);
        let section = sections.find(|section| section.lines().next() == Some(name));
        section.map_or(String::new(), |section| format!("{SECTION}{section}"))
    };
    let results: String = MACHINES
        .iter()
        .map(|machine| {
            let new = all.iter().find(|findings| findings.name == machine.name);
            new.map_or_else(|| last(machine.name), Findings::markdown)
        })
        .collect();
    Ok(format!("{above}{RESULTS}{results}"))
}

/// Runs a command in a machine, with its output.
///
/// # Errors
///
/// When it fails, or the machine does not come up.
pub(crate) fn run(name: &str, command: &str) -> Result<()> {
    let machine = MACHINES.iter().find(|machine| machine.name == name);
    let machine = machine.with_context(|| format!("there is no virtual machine {name:?}"))?;
    let docker = setup::run(For::Tests)?;
    samples::build(&docker, &SAMPLES.map(str::to_owned))?;
    let mut guest = boot(machine, &docker)?;
    let code = guest.run(&with_environment(command), LIMIT, |line| println!("{line}"))?;
    if code != 0 {
        bail!("the command ended with {code}");
    }
    Ok(())
}

fn check(all: &[Findings]) -> Result<()> {
    let failed: Vec<String> = all
        .iter()
        .flat_map(|findings| {
            let tests = findings.tests.iter().flat_map(|(_, tally)| &tally.failed);
            tests.map(|test| format!("{} in {}", test, findings.name))
        })
        .collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn boot(machine: &Machine, docker: &Docker) -> Result<Guest> {
    let disks = disk::make(machine, docker)?;
    eprintln!("Booting {}.", machine.name);
    let start = Instant::now();
    let console = sh::cache_directory()?
        .join("vm")
        .join(format!("{}.console", machine.name));
    let mut guest = Guest::boot(&disks, machine.modules, console)?;
    // The tests read their fixtures from the workspace they were built in.
    let workspace = sh::workspace().display();
    guest.output(&format!(
        "mkdir -p {workspace} && mount --bind /payload {workspace}"
    ))?;
    guest.output("docker version > /dev/null 2>&1 || { systemctl status docker; false; }")?;
    eprintln!("Its engine answers after {} s.", start.elapsed().as_secs());
    Ok(guest)
}

/// The command with what the tests and slim are told by the environment.
fn with_environment(command: &str) -> String {
    format!(
        "cd /root; export HOME=/root SLIM_TEST_BINARY=/payload/slim SLIM_TEST_REPEAT={REPEAT} SLIM_TEST_SKIPPED={SKIPPED}; \
         {command}"
    )
}

fn examine(machine: &Machine, docker: &Docker, only: &[&str]) -> Result<Findings> {
    let mut guest = boot(machine, docker)?;
    let facts = [
        ("kernel", "uname -r"),
        ("security modules", "cat /sys/kernel/security/lsm"),
        ("Docker", "docker version --format '{{.Server.Version}}'"),
        ("runc", "runc --version | head -1"),
        ("podman", "podman --version 2> /dev/null || true"),
        ("slim doctor", "/payload/slim doctor"),
    ];
    let mut findings = Findings {
        name: machine.name,
        facts: Vec::new(),
        tests: Vec::new(),
        skipped: Vec::new(),
        enforced: Vec::new(),
    };
    for (name, command) in facts {
        findings
            .facts
            .push((name, guest.output(&with_environment(command))?));
    }
    for (program, arguments) in [
        ("trace", ""),
        ("enforced", &*format!("--ignored {}", machine.enforced)),
    ] {
        let listed = guest.output(&format!("/payload/{program} --list --format terse {arguments}"))?;
        let all: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .collect();
        let chosen = |name: &&&str| only.is_empty() || only.contains(name);
        let names: Vec<&str> = all.iter().filter(chosen).copied().collect();
        let tally = run_tests(&mut guest, program, &names, &mut findings)?;
        findings.tests.push((program.to_owned(), tally));
    }
    Ok(findings)
}

/// Runs tests of a program by name.
fn run_tests(guest: &mut Guest, program: &str, names: &[&str], findings: &mut Findings) -> Result<Tally> {
    let mut tally = Tally::default();
    let start = Instant::now();
    eprintln!("{program}: {} tests", names.len());
    let command = format!(
        "/payload/{program} --include-ignored --exact --show-output {} 2>&1",
        names.join(" ")
    );
    let code = guest.run(&with_environment(&command), LIMIT, |line| {
        eprintln!("{:>5} s  {line}", start.elapsed().as_secs());
        if let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|line| line.split_once(" ... "))
        {
            match outcome {
                "ok" => tally.passed += 1,
                _ => tally.failed.push(name.to_owned()),
            }
        } else if let Some(line) = line.strip_prefix("enforced: ") {
            findings.enforced.push(line.to_owned());
        }
    })?;
    tally.seconds = start.elapsed().as_secs();
    if tally.passed + tally.failed.len() != names.len() || (code != 0) == tally.failed.is_empty() {
        tally.failed.push(format!("{program} ended with {code}"));
    }
    // To the harness they have passed.
    let skipped = guest.output(&format!("touch {SKIPPED}; cat {SKIPPED}; rm {SKIPPED}"))?;
    tally.passed -= skipped.lines().count();
    findings.skipped.extend(skipped.lines().map(str::to_owned));
    Ok(tally)
}

impl Findings {
    fn markdown(&self) -> String {
        let mut text = format!("{SECTION}{}\n\n", self.name);
        for (name, fact) in &self.facts {
            if fact.contains('\n') {
                let _ = writeln!(text, "- {name}:\n\n```\n{fact}\n```");
            } else if !fact.is_empty() {
                let _ = writeln!(text, "- {name}: {fact}");
            }
        }
        text += "\n| tests | passed | failed | seconds |\n|---|---|---|---|\n";
        for (program, tally) in &self.tests {
            let failed = if tally.failed.is_empty() {
                "none".to_owned()
            } else {
                tally.failed.join(", ")
            };
            let _ = writeln!(
                text,
                "| {program} | {} | {failed} | {} |",
                tally.passed, tally.seconds
            );
        }
        for (title, lines) in [("Skipped", &self.skipped), ("Enforced", &self.enforced)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{title}:\n");
            }
            for line in lines {
                let _ = writeln!(text, "- {line}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &'static str, passed: usize) -> Findings {
        let tally = Tally {
            passed,
            ..Tally::default()
        };
        Findings {
            name,
            facts: vec![("kernel", name.to_owned())],
            tests: vec![("trace".to_owned(), tally)],
            skipped: vec!["a_test: this kernel lacks it".to_owned()],
            enforced: Vec::new(),
        }
    }

    #[test]
    fn a_machines_results_take_the_place_of_its_last() {
        let empty = format!("# Kernels\n\n{RESULTS}");
        let both = with_results(&empty, &[findings("6.12", 2), findings("6.1", 1)]).unwrap();
        assert_eq!(with_results(&both, &[]).unwrap(), both);
        let again = with_results(&both, &[findings("6.1", 9)]).unwrap();
        assert_eq!(again, both.replace("| trace | 1 |", "| trace | 9 |"));
        assert_eq!(again.matches("- a_test: this kernel lacks it\n").count(), 2);
        assert!(again.find("### 6.1\n") < again.find("### 6.12\n"));
        assert!(with_results("# Kernels", &[]).is_err());
    }
}
