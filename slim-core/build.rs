//! Tells the crate what it is made of: `SLIM_SOURCES` is a digest of its sources and of the versions of its libraries, by
//! which results of one build are told from those of another.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut files = BTreeSet::new();
    add_sources(&root.join("src"), &mut files)?;
    files.extend(Some(root.join("../Cargo.lock")).filter(|lock| lock.exists()));
    let mut hasher = DefaultHasher::new();
    for file in &files {
        let bytes = fs::read(file)?;
        let name = file.strip_prefix(&root).unwrap_or(file);
        hasher.write(name.as_os_str().as_encoded_bytes());
        hasher.write_usize(bytes.len());
        hasher.write(&bytes);
        println!("cargo::rerun-if-changed={}", file.display());
    }
    // A file that is new.
    println!("cargo::rerun-if-changed={}", root.join("src").display());
    println!("cargo::rustc-env=SLIM_SOURCES={:016x}", hasher.finish());
    Ok(())
}

fn add_sources(directory: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            add_sources(&path, files)?;
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path);
        }
    }
    Ok(())
}
