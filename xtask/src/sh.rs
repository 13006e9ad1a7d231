//! Running other programs: said before it is done, with errors that name the command.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

/// A command line as it would be typed, for messages.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted: Vec<String> = words.map(|word| quote(&word.to_string_lossy())).collect();
    quoted.join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // Long values (a certificate, a script) would bury the command.
    if word.len() > 200 || word.contains('\n') {
        let key = word.split_once('=').map_or("", |(key, _)| key);
        return format!("'{key}=…'");
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Prints the command, runs it with this process's streams (stdin closed) and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", show(command));
    run_quietly(command)
}

/// As [`run`], without printing the command.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("could not start `{}`", show(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", show(command));
    }
    Ok(())
}

/// Returns the command's stdout, without the last line feed; fails with its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{}`", show(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` failed ({}): {}",
            show(command),
            output.status,
            stderr.trim()
        );
    }
    let mut text =
        String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote no UTF-8", show(command)))?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> Result<String> {
    let mut command = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start sha256sum")?;
    command
        .stdin
        .take()
        .context("sha256sum has no stdin")?
        .write_all(bytes)?;
    let output = command.wait_with_output()?;
    let digest = String::from_utf8(output.stdout)?;
    let digest = digest.split(' ').next().unwrap_or_default();
    if digest.len() != 64 {
        bail!("sha256sum printed no digest");
    }
    Ok(digest.to_owned())
}

/// Returns whether the command runs and succeeds; it prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Returns whether `CI` is set, as CI services do.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// A program by name on `PATH` or in the system's directories (an ordinary user's `PATH` lacks the `sbin` ones).
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    which_all(name).into_iter().next()
}

/// Every program of that name, in the order of [`which`].
pub(crate) fn which_all(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    .map(PathBuf::from);
    let mut found: Vec<PathBuf> = Vec::new();
    for directory in std::env::split_paths(&path).chain(system) {
        let program = directory.join(name);
        if program.is_file() && !found.contains(&program) {
            found.push(program);
        }
    }
    found
}

/// Returns whether this process is root.
pub(crate) fn is_root() -> bool {
    // Uid: real, effective, saved, file system.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .unwrap_or_default();
    uids.split_whitespace().nth(1) == Some("0")
}

/// A command run as root: directly when this process is root, else through sudo (which may ask for a password).
pub(crate) fn root(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if is_root() {
        Command::new(program)
    } else {
        let mut command = Command::new("sudo");
        command.arg("--preserve-env").arg(program);
        command
    }
}

/// Asks a process to end. The shell's own `kill`: the program is in a package that a small machine lacks.
pub(crate) fn kill(pid: u32) -> Result<()> {
    output(root("sh").args(["-c", "kill \"$1\"", "kill", &pid.to_string()])).map(drop)
}

/// A directory that is removed with all that is in it, whoever wrote it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// One whose name tells the task.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub(crate) fn new(task: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("slim-{task}-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("could not create {}", path.display()))?;
        Ok(Self(path))
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        succeeds(
            root("rm")
                .args(["--recursive", "--force", "--one-file-system"])
                .arg(&self.0),
        );
    }
}

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    // Cargo says it when it runs this. What was compiled in may be another checkout's: they share a target directory.
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = std::env::var_os("CARGO_MANIFEST_DIR");
        let folder = folder.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        folder
            .parent()
            .expect("xtask is a folder of the workspace")
            .to_owned()
    });
    &ROOT
}

/// The cargo that runs this task, at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    // Set by the `cargo run` around this process for xtask's own package. Build scripts that watch them (ring's does)
    // would run again each time xtask and a plain cargo take turns.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo's target directory.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let text = output(cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]))?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).context("cargo metadata did not answer in JSON")?;
    let directory = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(directory.into())
}

/// The directory for what is expensive to make, shared between runs and checkouts: `$XDG_CACHE_HOME/slim` or `~/.cache/slim`.
pub(crate) fn cache_directory() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => {
            let home = std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
            PathBuf::from(home).join(".cache")
        }
    };
    let cache = base.join("slim");
    std::fs::create_dir_all(&cache).with_context(|| format!("could not create {}", cache.display()))?;
    Ok(cache)
}
