//! The closure over real files: a Debian image with git and python, against what `ldd` says in a container of it, and
//! against the loader itself in a container of nothing but what the closure keeps.
//!
//! Needs Docker, and `debian:bookworm` (`cargo xtask demo` makes it).

// Helpers of tests fail the test.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use slim_core::cancel::Cancel;
use slim_core::image::{Archive, Config, Image, Kind, LastLink, packages};
use slim_core::path::RootPath;
use slim_core::plan::EdgeKind;
use slim_core::reach::{Keep, Options, Reached, close};
use slim_core::recording::Recording;

const TAG: &str = "slim-test-reach";

/// Runs docker and gives its standard output; a failure fails the test with what docker said.
fn docker(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("docker")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("docker must be installed: this test compares with real containers");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", output.status);
    output.stdout
}

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let dockerfile = "FROM debian:bookworm\n\
        RUN apt-get update && apt-get install -y --no-install-recommends git python3 && rm -rf /var/lib/apt/lists/*\n";
    docker(
        &["build", "--network", "host", "-t", TAG, "-"],
        dockerfile.as_bytes(),
    );
    let mut save = Command::new("docker")
        .args(["save", TAG])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let archive = Archive::read(save.stdout.take().unwrap()).unwrap();
    assert!(save.wait().unwrap().success());
    Image {
        id: archive.id,
        reference: TAG.into(),
        // Without CMD, which would bring bash and its libraries.
        config: Config::default(),
        rootfs: archive.rootfs,
    }
});

/// The closure over one path that nobody ran.
fn reached(path: &str) -> Reached {
    let options = Options {
        include: vec![path.into()],
        keep: Keep::Observed,
        ..Options::default()
    };
    let packages = packages::owners(&IMAGE.rootfs);
    let recording = Recording::new(IMAGE.id.clone());
    close(&IMAGE, &packages, &recording, &options, &Cancel::default()).unwrap()
}

/// The output of `ldd` in a container: each file's libraries as the loader names them, and whether all were found.
fn ldd() -> BTreeMap<String, BTreeSet<String>> {
    LazyLock::force(&IMAGE);
    let script = r#"find / -xdev -type f \( -perm /111 -o -name '*.so*' \) | sort | while read -r file; do
        [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] || continue
        echo "FILE $file"; ldd "$file" 2>/dev/null
    done"#;
    let text = docker(
        &["run", "--rm", "--network", "none", TAG, "/bin/sh", "-c", script],
        b"",
    );
    let mut all = BTreeMap::new();
    let mut file = String::new();
    for line in String::from_utf8(text).unwrap().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["FILE", path] => {
                file = (*path).to_owned();
                all.insert(file.clone(), BTreeSet::new());
            }
            [_, "=>", path, ..] | [path, _] if path.starts_with('/') => {
                all.get_mut(&file).unwrap().insert((*path).to_owned());
            }
            _ => {}
        }
    }
    all
}

#[test]
fn every_library_that_ldd_names_is_kept_and_no_other() {
    let all = ldd();
    assert!(all.len() > 300, "{} ELF files", all.len());
    let mut compared = 0;
    for (file, libraries) in &all {
        let reached = reached(file);
        let kept: BTreeSet<String> = reached.files.keys().map(ToString::to_string).collect();
        let mut expected = BTreeSet::new();
        for library in libraries {
            let resolved = IMAGE.rootfs.resolve(&RootPath::new(library), LastLink::Follow);
            // ldd names the loader as it started it itself, which need not be how the file asks for it.
            let loader = library.contains("/ld-linux");
            for path in resolved.links.iter().chain([&resolved.path]) {
                let is_kept = kept.contains(&path.to_string()) || (loader && *path != resolved.path);
                assert!(is_kept, "{file}: {path} for {library} is not kept");
                expected.insert(path.to_string());
                compared += 1;
            }
        }
        let surplus: Vec<_> = reached
            .files
            .iter()
            .filter(|(path, kept)| {
                kept.causes.iter().all(|cause| {
                    matches!(
                        cause,
                        slim_core::plan::Cause::Edge {
                            edge: EdgeKind::Library | EdgeKind::Loader,
                            ..
                        }
                    )
                }) && path.to_string() != *file
                    && !expected.contains(&path.to_string())
            })
            .collect();
        assert!(surplus.is_empty(), "{file}: ldd doesn't name {surplus:?}");
        let notes: Vec<_> = reached
            .notes
            .iter()
            .filter(|note| note.contains("library"))
            .collect();
        assert!(notes.is_empty(), "{file}: {notes:?}");
    }
    println!("{} files, {compared} libraries and links", all.len());
}

/// Writes what is kept into a directory.
fn write(reached: &Reached, directory: &Path) {
    for path in reached.files.keys() {
        let to = directory.join(path.to_relative_os());
        let entry = IMAGE.rootfs.get(path).unwrap();
        match &entry.kind {
            Kind::Directory => fs::create_dir_all(&to).unwrap(),
            Kind::Symlink { target } => symlink(std::ffi::OsStr::from_bytes(target.as_bytes()), &to).unwrap(),
            Kind::File { .. } => {
                fs::write(&to, IMAGE.rootfs.read(path, u64::MAX).unwrap()).unwrap();
                fs::set_permissions(&to, fs::Permissions::from_mode(entry.mode)).unwrap();
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn a_program_starts_with_nothing_but_its_closure() {
    // A plain one, one with many libraries, one found through links and alternatives, and a script's interpreter.
    for (include, command, says) in [
        ("/bin/ls", vec!["/bin/ls", "/"], "usr"),
        ("/usr/bin/git", vec!["/usr/bin/git", "--version"], "git version"),
        (
            "/usr/lib/git-core/git-remote-https",
            vec!["/usr/lib/git-core/git-remote-https"],
            "",
        ),
        (
            "/usr/bin/awk",
            vec!["/usr/bin/awk", "BEGIN { print 6 * 7 }"],
            "42",
        ),
        ("/usr/bin/ldd", vec!["/usr/bin/ldd", "--version"], "ldd ("),
    ] {
        let reached = reached(include);
        let directory = tempfile::tempdir().unwrap();
        write(&reached, directory.path());
        let tar = Command::new("tar")
            .args(["-c", "--numeric-owner", "-C"])
            .arg(directory.path())
            .arg(".")
            .output()
            .unwrap();
        assert!(tar.status.success());
        let id = docker(&["import", "-"], &tar.stdout);
        let id = String::from_utf8(id).unwrap().trim().to_owned();
        let mut args = vec!["run", "--rm", "--network", "none", id.as_str()];
        args.extend(&command);
        let output = Command::new("docker").args(&args).output().unwrap();
        docker(&["rmi", &id], b"");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(says), "{include}: {output:?}");
        // git-remote-https without arguments fails, but only after its libraries are loaded.
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !error.contains("shared libraries") && !matches!(output.status.code(), Some(126 | 127)),
            "{include}: {output:?}"
        );
        assert!(
            reached.files.len() < 120,
            "{include}: {} entries",
            reached.files.len()
        );
    }
}
