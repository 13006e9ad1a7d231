//! `cargo xtask samples`: one image for each folder of samples/. The engine's own build cache decides what is done again.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::engine::Docker;
use crate::sh;

/// Where Debian keeps certificate authorities that the administrator added.
const LOCAL_AUTHORITIES: &str = "/usr/local/share/ca-certificates";

/// The image of a sample.
pub(crate) fn image(name: &str) -> String {
    format!("slim-sample-{name}")
}

/// The names of the samples: the folders that have a Dockerfile, sorted.
fn all() -> Result<Vec<String>> {
    let folder = sh::workspace().join("samples");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))? {
        let entry = entry.context("could not read samples/")?;
        if entry.path().join("Dockerfile").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The samples named, or all of them.
///
/// # Errors
///
/// A name that is no sample.
pub(crate) fn named(names: &[String]) -> Result<Vec<String>> {
    let all = all()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("there is no sample {unknown:?}; there are {}", all.join(", "));
    }
    Ok(if names.is_empty() { all } else { names.to_vec() })
}

/// Builds the samples named, or all of them, as `slim-sample-NAME`.
///
/// # Errors
///
/// A name that is no sample, or a build that fails.
pub(crate) fn build(docker: &Docker, names: &[String]) -> Result<()> {
    let names = named(names)?;
    let authorities = local_authorities(Path::new(LOCAL_AUTHORITIES))?;
    for name in &names {
        // The host's network: a new engine's bridge may have no way out, and package registries must be reached.
        let mut command = docker.command();
        command
            .current_dir(sh::workspace())
            .args(["build", "--quiet", "--network", "host"])
            // The image's id; stdout is for what a task measures.
            .stdout(std::io::stderr());
        let dockerfile = sh::workspace().join("samples").join(name).join("Dockerfile");
        let dockerfile =
            std::fs::read_to_string(&dockerfile).context("could not read a sample's Dockerfile")?;
        if !authorities.is_empty() && dockerfile.contains("ARG CA_CERTS") {
            command.args(["--build-arg", &format!("CA_CERTS={authorities}")]);
        }
        sh::run(command.args(["--tag", &image(name), &format!("samples/{name}")]))
            .with_context(|| format!("the sample {name} could not be built"))?;
    }
    Ok(())
}

/// The certificate authorities added to this machine, as one PEM text: a network that inspects TLS needs them in builds
/// too.
fn local_authorities(folder: &Path) -> Result<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(String::new());
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "crt"));
    files.sort();
    let mut text = String::new();
    for file in files {
        text +=
            &std::fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        text.push('\n');
    }
    Ok(text)
}

/// Builds an image from the text of a Dockerfile that needs nothing beside it.
///
/// # Errors
///
/// When Docker cannot be run, or the build fails.
pub(crate) fn from_dockerfile(docker: &Docker, tag: &str, dockerfile: &str) -> Result<()> {
    let mut command = docker.command();
    let mut child = command
        .args(["build", "--quiet", "--tag", tag, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("could not run docker")?;
    let mut stdin = child.stdin.take().context("a pipe was asked for")?;
    stdin
        .write_all(dockerfile.as_bytes())
        .context("docker build took no Dockerfile")?;
    drop(stdin);
    ensure!(
        child.wait().context("docker build")?.success(),
        "{tag} could not be built"
    );
    Ok(())
}
