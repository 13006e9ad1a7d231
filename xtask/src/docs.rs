//! `cargo xtask docs`: the documents that slim writes about itself (`slim internal-docs DIR`) and the table of modules,
//! which is computed from the sources. This keeps docs/ equal to them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{corpus, modules, sh};

/// Writes the generated documents to docs/, or with `check` compares them.
///
/// # Errors
///
/// With `check`, when one differs or is missing; otherwise when one cannot be written.
pub(crate) fn run(check: bool) -> Result<()> {
    let slim = build_slim("dev")?;
    run_with(&slim, check)
}

/// As [`run`], with a program that is built already.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_with(slim: &Path, check: bool) -> Result<()> {
    let scratch = sh::target_directory()?.join("xtask-docs");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)
            .with_context(|| format!("could not empty {}", scratch.display()))?;
    }
    std::fs::create_dir_all(&scratch).with_context(|| format!("could not create {}", scratch.display()))?;
    sh::run(
        std::process::Command::new(slim)
            .arg("internal-docs")
            .arg(&scratch),
    )?;

    let mut documents = vec![
        (
            modules::DOCUMENT.to_owned(),
            modules::document(sh::workspace())?.into_bytes(),
        ),
        (corpus::DOCUMENT.to_owned(), corpus::document()?.into_bytes()),
    ];
    for file in files(&scratch)? {
        let name = file.file_name().context("a generated document has no name")?;
        let fresh = std::fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
        documents.push((format!("docs/{}", name.to_string_lossy()), fresh));
    }

    let mut stale = Vec::new();
    for (name, fresh) in documents {
        let committed = sh::workspace().join(&name);
        if std::fs::read(&committed).is_ok_and(|bytes| bytes == fresh) {
            continue;
        }
        if check {
            stale.push(name);
        } else {
            std::fs::write(&committed, fresh)
                .with_context(|| format!("could not write {}", committed.display()))?;
            eprintln!("wrote {name}");
        }
    }
    if !stale.is_empty() {
        bail!(
            "not up to date: {}; run `cargo xtask docs` and commit the result",
            stale.join(", ")
        );
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(
            entry
                .context("could not read a generated document's name")?
                .path(),
        );
    }
    files.sort();
    if files.is_empty() {
        bail!("`slim internal-docs` wrote nothing");
    }
    Ok(files)
}

/// Builds the program `slim` in a profile (`dev` or `release`) and says where it is.
///
/// # Errors
///
/// When cargo fails.
pub(crate) fn build_slim(profile: &str) -> Result<PathBuf> {
    sh::run(sh::cargo().args(["build", "--package", "slim-cli", "--profile", profile]))?;
    Ok(built(profile)?.join("slim"))
}

/// Returns the directory of the programs of a profile.
///
/// # Errors
///
/// When cargo does not say where its target directory is.
pub(crate) fn built(profile: &str) -> Result<PathBuf> {
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(sh::target_directory()?.join(folder))
}
