//! The Debian packages that the tasks need, and their installation.

use std::process::Command;

use anyhow::{Result, bail};

use crate::sh;

/// The purpose that a machine is prepared for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Building slim and running it on a sample.
    Demo,
    /// That, and everything the tests and benchmarks compare with.
    Tests,
}

/// Package, what it is for.
const DEMO: &[(&str, &str)] = &[
    ("gcc", "linking, and the C parts of slim's dependencies"),
    ("libc6-dev", "linking"),
    ("libseccomp-dev", "building slim"),
    ("pkg-config", "finding libseccomp"),
    ("docker.io", "the engine and its client"),
    ("iptables", "the engine's network"),
    ("ca-certificates", "pulling images"),
    (
        "debootstrap",
        "making debian:bookworm where no registry can be reached",
    ),
];

/// Package, what it is for.
const TESTS: &[(&str, &str)] = &[
    ("apparmor", "its parser checks generated profiles"),
    ("attr", "extended attributes in test images"),
    ("bpftool", "tests look for BPF programs left behind"),
    ("busybox-static", "a small static program for test images"),
    ("bzip2", "unpacks the SELinux reference policy"),
    ("crun", "the container runtime beside Docker's own"),
    (
        "docker-compose",
        "reads generated compose files, and starts what they say",
    ),
    ("libcap2-bin", "file capabilities in test images"),
    ("e2fsprogs", "disks of virtual machines"),
    ("openssl", "tests make certificates with it"),
    ("podman", "starts what generated units and scripts say"),
    ("qemu-system-x86", "other kernels in virtual machines"),
    ("secilc", "compiles generated SELinux modules"),
    (
        "selinux-policy-default",
        "the reference policy that those are compiled with",
    ),
    ("setools", "tests look into compiled SELinux policies with it"),
    ("skopeo", "tests read the written archives with it"),
    ("strace", "benchmarks compare with it"),
    ("systemd", "its analyzer checks generated units"),
    ("wrk", "benchmarks load nginx with it"),
];

/// Package, what it is for. Debian's security suite has these; a machine whose apt does not know it does without.
const EBPF: &[(&str, &str)] = &[
    (
        "rustc-web",
        "compiling the eBPF program (a Rust that has core for BPF)",
    ),
    ("cargo-web", "compiling the eBPF program"),
    ("libstd-rust-web-dev-bpf", "compiling the eBPF program"),
    ("llvm-22-dev", "linking the eBPF program"),
    ("libpolly-22-dev", "linking the eBPF program"),
    ("zlib1g-dev", "building bpf-linker"),
    ("g++", "building bpf-linker"),
];

/// Installs what is missing, saying so first.
///
/// # Errors
///
/// Not on Debian or a system with its package tools, or when apt-get fails: the message lists the packages.
pub(crate) fn install(purpose: For) -> Result<()> {
    let mut wanted = DEMO.to_vec();
    if purpose == For::Tests {
        wanted.extend(TESTS);
        wanted.extend(EBPF);
    }
    if sh::which("dpkg-query").is_none() || sh::which("apt-get").is_none() {
        let list: Vec<String> = wanted
            .iter()
            .map(|(name, why)| format!("  {name}: {why}"))
            .collect();
        bail!(
            "this machine has no apt-get; install the equivalents of these Debian packages, then run the commands of \
             CONTRIBUTING.md by hand:\n{}",
            list.join("\n")
        );
    }
    let mut missing: Vec<_> = wanted
        .into_iter()
        .filter(|(name, _)| !is_installed(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let apt = || {
        let mut command = sh::root("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["--yes", "--quiet=2"]);
        command
    };
    eprintln!(
        "{} Debian packages are missing. What apt knows may be old:",
        missing.len()
    );
    sh::run(apt().arg("update"))?;
    if missing
        .iter()
        .any(|package| EBPF.contains(package) && !is_known(package.0))
    {
        eprintln!("apt knows no compiler for eBPF (Debian 12's security suite has one): doing without it.");
        missing.retain(|package| !EBPF.contains(package));
    }
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("These will be installed:");
    for (name, why) in &missing {
        eprintln!("  {name}: {why}");
    }
    sh::run(
        apt()
            .args(["install", "--no-install-recommends"])
            .args(missing.iter().map(|(name, _)| name)),
    )
}

/// Returns whether apt could install it.
fn is_known(package: &str) -> bool {
    sh::succeeds(Command::new("apt-cache").args(["show", "--quiet=2", package]))
}

fn is_installed(package: &str) -> bool {
    let status =
        sh::output(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]));
    status.is_ok_and(|status| status == "installed")
}

/// Builds `cargo-SUBCOMMAND` from crates.io when it is missing; cargo keeps it in its home.
///
/// # Errors
///
/// When cargo fails to install it.
pub(crate) fn install_subcommand(subcommand: &str) -> Result<()> {
    if sh::succeeds(Command::new("cargo").args([subcommand, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{subcommand}");
    eprintln!("{package} is missing and will be built (a minute or more):");
    let mut command = sh::cargo();
    command.args(["install", "--quiet", "--locked", &package]);
    // What is left in the target directory of this workspace would be scanned by its own builds.
    sh::run(command.env_remove("CARGO_TARGET_DIR"))
}

/// The version of bpf-linker that links the committed object.
const BPF_LINKER: &str = "0.13.0";

/// Builds bpf-linker when it is missing and there is an LLVM to link it with.
///
/// # Errors
///
/// When cargo fails to install it.
pub(crate) fn install_bpf_linker() -> Result<()> {
    if sh::which("bpf-linker").is_some() || !EBPF.iter().all(|(name, _)| is_installed(name)) {
        return Ok(());
    }
    eprintln!("bpf-linker is missing and will be built (about a minute):");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = sh::cargo();
    command.args([
        "install",
        "--quiet",
        "--locked",
        "bpf-linker",
        "--version",
        BPF_LINKER,
    ]);
    command.args(["--no-default-features", "--features", "llvm-22"]);
    // Its build script finds LLVM by `llvm-config`. The target directory of this workspace would be scanned by its own
    // build otherwise.
    command
        .env("PATH", format!("/usr/lib/llvm-22/bin:{path}"))
        .env_remove("CARGO_TARGET_DIR");
    sh::run(&mut command)
}
