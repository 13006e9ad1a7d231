//! The disks of a virtual machine: a Debian system, the data of its engine with the images that the tests use, and what
//! was built here. The first two are kept in the cache directory, each under a name made of what it was made from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Machine;
use super::guest::Disks;
use crate::engine::Docker;
use crate::{docs, samples, setup, sh};

const MAKE: &str = include_str!("make.sh");
const AGENT: &str = include_str!("agent.sh");
const LOAD: &str = include_str!("load.sh");

/// The packages of every guest: an engine, and what the tests compile their fixtures with.
const PACKAGES: &str = "systemd-sysv,kmod,docker.io,apparmor,iptables,gcc,libc6-dev,libseccomp2,busybox-static,\
                        ca-certificates,xz-utils,linux-image-cloud-amd64";

/// The samples that are slimmed in a guest.
pub(super) const SAMPLES: [&str; 3] = ["nginx", "python-flask", "multi"];

/// The tests that run in a guest.
pub(super) const TESTS: [&str; 2] = ["trace", "enforced"];

/// Makes what is missing.
///
/// # Errors
///
/// When a step fails; the message names the command.
pub(super) fn make(machine: &Machine, docker: &Docker) -> Result<Disks> {
    let cache = sh::cache_directory()?.join("vm");
    std::fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    let system = system(machine, &cache)?;
    let images = images(machine, docker, &system)?;
    let payload = payload(&cache)?;
    Ok(Disks {
        kernel: system.join("kernel"),
        initrd: system.join("initrd"),
        images: [system.join("root.img"), images, payload],
    })
}

/// The folder with the machine's system.
fn system(machine: &Machine, cache: &Path) -> Result<PathBuf> {
    let packages = [&[PACKAGES], machine.packages].concat().join(",");
    let made_from = [MAKE, machine.suite, &packages].join("\n");
    let made = cache.join(format!(
        "{}-{}",
        machine.name,
        &sh::digest(made_from.as_bytes())?[..16]
    ));
    if made.join("root.img").exists() {
        return Ok(made);
    }
    eprintln!(
        "Making the virtual machine {} from Debian's packages (a few minutes, once):",
        machine.name
    );
    remove_older(cache, machine.name)?;
    // Under another name first: a run that was interrupted leaves no half of a machine behind.
    let partial = cache.join(format!("{}.partial", machine.name));
    remove(&partial)?;
    std::fs::create_dir(&partial).with_context(|| partial.display().to_string())?;
    std::fs::write(partial.join("make.sh"), MAKE).context("make.sh")?;
    let mut make = sh::root("sh");
    make.arg(partial.join("make.sh"))
        .args([machine.suite, &setup::mirror(), &packages]);
    sh::run(make.arg(&partial))?;
    std::fs::rename(&partial, &made).with_context(|| made.display().to_string())?;
    Ok(made)
}

/// The disk with the engine's data.
fn images(machine: &Machine, docker: &Docker, system: &Path) -> Result<PathBuf> {
    let mut names = vec![setup::BASE.to_owned()];
    names.extend(SAMPLES.map(samples::image));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids = docker.output(&[&["image", "inspect", "--format", "{{.Id}}"], names.as_slice()].concat())?;
    let key = sh::digest([LOAD, &ids].join("\n").as_bytes())?;
    let disk = system.join(format!("images-{}.img", &key[..16]));
    if disk.exists() {
        return Ok(disk);
    }
    eprintln!("Loading the images into the engine of {}:", machine.name);
    remove_older(system, "images")?;
    let (archive, data) = (system.join("images.tar"), system.join("images.data"));
    sh::run(
        docker
            .command()
            .args(["save", "--output"])
            .arg(&archive)
            .args(names),
    )?;
    std::fs::write(system.join("load.sh"), LOAD).context("load.sh")?;
    let mut load = sh::root("unshare");
    load.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh"]);
    load.arg(system.join("load.sh"))
        .arg(system.join("root"))
        .arg(&archive)
        .arg(&data);
    sh::run(&mut load)?;
    let partial = system.join("images.partial");
    mke2fs(&data, &partial, "6G")?;
    for left in [&archive, &data] {
        remove(left)?;
    }
    std::fs::rename(&partial, &disk).with_context(|| disk.display().to_string())?;
    Ok(disk)
}

/// The disk with the program and its tests as they are built now.
fn payload(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("payload");
    remove(&folder)?;
    std::fs::create_dir_all(folder.join("tests")).with_context(|| folder.display().to_string())?;
    let mut built = vec![("slim".to_owned(), docs::build_slim("dev")?)];
    built.extend(tests()?);
    for (name, program) in built {
        // What a debugger needs is half of it.
        let mut strip = Command::new("strip");
        strip
            .arg("--strip-debug")
            .arg("-o")
            .arg(folder.join(name))
            .arg(program);
        sh::run_quietly(&mut strip)?;
    }
    std::fs::write(folder.join("agent.sh"), AGENT).context("agent.sh")?;
    let fixtures = sh::workspace().join("tests/fixtures");
    sh::run_quietly(
        Command::new("cp")
            .arg("-r")
            .arg(fixtures)
            .arg(folder.join("tests/fixtures")),
    )?;
    let disk = cache.join("payload.img");
    remove(&disk)?;
    mke2fs(&folder, &disk, "1G")?;
    remove(&folder)?;
    Ok(disk)
}

/// The test programs by name.
fn tests() -> Result<Vec<(String, PathBuf)>> {
    let mut build = sh::cargo();
    build.args([
        "test",
        "--package",
        "slim-tests",
        "--no-run",
        "--message-format=json",
        "--quiet",
    ]);
    build.args(TESTS.iter().flat_map(|name| ["--test", name]));
    let messages = sh::output(&mut build)?;
    let mut found = Vec::new();
    for line in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("cargo wrote no JSON")?;
        let name = message["target"]["name"].as_str();
        if let (Some(program), Some(name)) = (message["executable"].as_str(), name) {
            found.push((name.to_owned(), PathBuf::from(program)));
        }
    }
    Ok(found)
}

fn mke2fs(folder: &Path, disk: &Path, size: &str) -> Result<()> {
    let mut command = sh::root("mke2fs");
    command
        .args(["-q", "-t", "ext4", "-d"])
        .arg(folder)
        .arg(disk)
        .arg(size);
    sh::run_quietly(&mut command)
}

/// Removes files and folders whose names begin so.
fn remove_older(folder: &Path, name: &str) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let rest = entry
            .file_name()
            .to_string_lossy()
            .strip_prefix(name)
            .map(str::to_owned);
        // `6.1` is no older `6.1-selinux`: what follows a name is `-`, a digest, and perhaps an ending.
        let digest = rest.as_deref().and_then(|rest| rest.strip_prefix('-'));
        if digest.is_some_and(|rest| rest.len() >= 16 && rest[..16].bytes().all(|b| b.is_ascii_hexdigit())) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes what root made, if it is there.
fn remove(path: &Path) -> Result<()> {
    sh::run_quietly(sh::root("rm").args(["-rf", "--one-file-system"]).arg(path))
}
