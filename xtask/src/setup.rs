//! `cargo xtask setup`: packages, engine, base image. Each step looks first and does nothing when there is nothing to do.

use std::process::Command;

use anyhow::{Context, Result};

use crate::engine::{self, Docker};
use crate::packages::{self, For};
use crate::sh;

/// The base image of every sample.
pub(crate) const BASE: &str = "debian:bookworm";

/// Seconds that a pull of the base image may take before it is made here instead.
const PULL_SECONDS: &str = "90";

/// Prepares this machine.
///
/// # Errors
///
/// When a step fails; the message names the command.
pub(crate) fn run(purpose: For) -> Result<Docker> {
    packages::install(purpose)?;
    if purpose == For::Tests {
        packages::install_bpf_linker()?;
        // Without them the checks that they make are left out, except where CI is set.
        for subcommand in ["deny", "fuzz"] {
            if let Err(error) = packages::install_subcommand(subcommand) {
                eprintln!("xtask: {error:#}; doing without it");
            }
        }
    }
    let docker = engine::ensure()?;
    base_image(&docker)?;
    Ok(docker)
}

fn base_image(docker: &Docker) -> Result<()> {
    if docker.output(&["image", "inspect", BASE]).is_ok() {
        return Ok(());
    }
    eprintln!("There is no {BASE} here; pulling it:");
    let mut pull = Command::new("timeout");
    let docker_pull = docker.command();
    pull.arg(PULL_SECONDS)
        .arg(docker_pull.get_program())
        .args(docker_pull.get_args());
    if sh::run(pull.args(["pull", "--quiet", BASE])).is_ok() {
        return Ok(());
    }
    eprintln!("No registry has it; making it from Debian packages (a minute or two):");
    let architecture = sh::output(Command::new("dpkg").arg("--print-architecture"))?;
    let tarball = sh::cache_directory()?.join(format!("debian-bookworm-{architecture}.tar"));
    if !tarball.exists() {
        // Written under another name first: a run that was interrupted leaves no half of an image behind.
        let partial = tarball.with_extension("partial");
        let script = r#"
            set -e
            root=$(mktemp -d)
            trap 'rm -rf --one-file-system "$root"' EXIT
            debootstrap --variant=minbase bookworm "$root/image" "$1" > "$2.log" || { tail -20 "$2.log"; exit 1; }
            chroot "$root/image" apt-get clean
            rm -rf "$root"/image/var/lib/apt/lists/* "$root/image/var/log/bootstrap.log"
            tar --numeric-owner --sort=name -C "$root/image" -cf "$2" .
        "#;
        let mut debootstrap = sh::root("sh");
        debootstrap
            .args(["-c", script, "debootstrap", &mirror()])
            .arg(&partial);
        eprintln!("$ debootstrap --variant=minbase bookworm … {}", mirror());
        sh::run_quietly(&mut debootstrap)?;
        std::fs::rename(&partial, &tarball)
            .context("could not move the base image's tarball to its place")?;
    }
    sh::run(
        docker
            .command()
            .args(["import", "--change", r#"CMD ["bash"]"#])
            .arg(&tarball)
            .arg(BASE),
    )
}

/// The mirror that this machine's own apt uses for Debian.
pub(crate) fn mirror() -> String {
    let listing = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(LABEL)",
            "Created-By: Packages",
        ])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let debian = listing.lines().find_map(|line| line.strip_suffix(" Debian"));
    debian.unwrap_or("http://deb.debian.org/debian").to_owned()
}
