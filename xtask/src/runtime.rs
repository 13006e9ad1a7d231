//! The container runtimes that profiles are made for, and how they are started on this machine.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::sh;

/// The runtimes, as Debian's packages and programs name them.
pub(crate) const NAMES: [&str; 2] = ["runc", "crun"];

/// A container runtime.
pub(crate) struct Runtime {
    /// Its name, one of [`NAMES`].
    pub(crate) name: &'static str,
    /// The version that it prints.
    pub(crate) version: String,
    /// The command that starts it: the program, or a script in front of it.
    pub(crate) program: PathBuf,
}

impl Runtime {
    /// The runtime that is this program; a script in front of it, where one is needed, is written into `scratch`.
    ///
    /// # Errors
    ///
    /// When the program does not run, or is none of [`NAMES`].
    pub(crate) fn inspect(program: &Path, scratch: &Path) -> Result<Self> {
        // runc version 1.1.5+ds1
        let text = sh::output(Command::new(program).arg("--version"))?;
        let mut words = text.lines().next().unwrap_or_default().split(' ');
        let (first, last) = (words.next().unwrap_or_default(), words.next_back());
        let name = NAMES.into_iter().find(|name| *name == first);
        let (name, version) = name
            .zip(last)
            .with_context(|| format!("{} is none of {}", program.display(), NAMES.join(", ")))?;
        let program = match second_hierarchy() {
            Some(hierarchy) if name == "crun" => without(&hierarchy, program, scratch)?,
            _ => program.to_owned(),
        };
        Ok(Self {
            name,
            version: version.to_owned(),
            program,
        })
    }
}

/// The programs of [`NAMES`] that are installed.
///
/// # Errors
///
/// When one is not.
pub(crate) fn installed() -> Result<Vec<PathBuf>> {
    let find = |name| sh::which(name).with_context(|| format!("{name} is not installed"));
    NAMES.into_iter().map(find).collect()
}

/// The mount point of cgroup2 where cgroup v1 is mounted too.
fn second_hierarchy() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut mounts = mounts.lines().map(|line| {
        let mut words = line.split(' ').skip(1);
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    });
    let both = mounts.clone().any(|(_, kind)| kind == "cgroup");
    let (path, _) = mounts.find(|(_, kind)| *kind == "cgroup2")?;
    both.then(|| path.to_owned())
}

/// Writes a script that starts a program where `hierarchy` is not mounted: crun refuses control groups of both versions.
fn without(hierarchy: &str, program: &Path, scratch: &Path) -> Result<PathBuf> {
    let script = scratch.join("crun.sh");
    let text = format!(
        "#!/bin/sh\n\
        exec unshare --mount --propagation private sh -c 'umount \"$0\" && exec \"$@\"' '{hierarchy}' '{}' \"$@\"\n",
        program.display()
    );
    std::fs::write(&script, text).with_context(|| format!("could not write {}", script.display()))?;
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755))
        .with_context(|| format!("could not make {} executable", script.display()))?;
    Ok(script)
}
