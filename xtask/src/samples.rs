//! `cargo xtask samples`: one image for each folder of samples/. The engine's own build cache decides what is done again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::engine::Docker;
use crate::sh;

/// The directory of certificate authorities that Debian's administrator added.
const LOCAL_AUTHORITIES: &str = "/usr/local/share/ca-certificates";

/// Applications: the folders of a folder, an image each.
pub(crate) struct Applications {
    /// The folder, in the workspace.
    pub(crate) folder: &'static str,
    /// The prefix of an image's name, before the application's.
    prefix: &'static str,
}

/// The samples.
pub(crate) const SAMPLES: Applications = Applications {
    folder: "samples",
    prefix: "slim-sample-",
};

/// The applications of the end-to-end tests, which name the images alike.
pub(crate) const FIXTURES: Applications = Applications {
    folder: "tests/apps",
    prefix: "slim-test-app-",
};

/// The applications of the corpus.
pub(crate) const CORPUS: Applications = Applications {
    folder: "tests/corpus",
    prefix: "slim-corpus-",
};

impl Applications {
    /// The image of one.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Their names: the folders that have a Dockerfile, sorted.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub(crate) fn all(&self) -> Result<Vec<String>> {
        let folder = sh::workspace().join(self.folder);
        let unreadable = || format!("could not read {}", folder.display());
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            if entry.path().join("Dockerfile").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Builds those named.
    ///
    /// # Errors
    ///
    /// A build that fails.
    pub(crate) fn build(&self, docker: &Docker, names: &[String]) -> Result<()> {
        let authorities = local_authorities(Path::new(LOCAL_AUTHORITIES))?;
        for name in names {
            // The host's network: a new engine's bridge may have no way out, and package registries must be reached.
            let mut command = docker.command();
            command
                .current_dir(sh::workspace())
                .args(["build", "--quiet", "--network", "host"])
                // The image's id; stdout is for what a task measures.
                .stdout(std::io::stderr());
            let folder = PathBuf::from(self.folder).join(name);
            let dockerfile = sh::workspace().join(&folder).join("Dockerfile");
            let dockerfile = std::fs::read_to_string(&dockerfile)
                .with_context(|| format!("could not read {}", dockerfile.display()))?;
            if !authorities.is_empty() && dockerfile.contains("ARG CA_CERTS") {
                command.args(["--build-arg", &format!("CA_CERTS={authorities}")]);
            }
            sh::run(command.args(["--tag", &self.image(name)]).arg(&folder))
                .with_context(|| format!("{} could not be built", folder.display()))?;
        }
        Ok(())
    }
}

/// The image of a sample.
pub(crate) fn image(name: &str) -> String {
    SAMPLES.image(name)
}

/// Builds the samples named, or all of them.
///
/// # Errors
///
/// A name that is no sample, or a build that fails.
pub(crate) fn build(docker: &Docker, names: &[String]) -> Result<()> {
    let all = SAMPLES.all()?;
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("there is no sample {unknown:?}; there are {}", all.join(", "));
    }
    SAMPLES.build(docker, if names.is_empty() { &all } else { names })
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
