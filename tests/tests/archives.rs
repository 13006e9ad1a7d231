//! Images from files: the same plans as from an engine, and a container where one is to be started.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use slim_core::image::Archive;
use slim_tests::{Image, docker, require_docker, require_root, run, slim, try_docker};

/// A job of one file and a shell.
const DOCKERFILE: &str = "FROM debian:bookworm\nRUN echo data > /srv-data\nCMD [\"sh\", \"-c\", \"read l < /srv-data; echo $l\"]\n";

/// An address where no engine is.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// The names that slim gives images for a time.
fn temporary_names() -> String {
    docker(&[
        "images",
        "--format",
        "{{.Repository}}:{{.Tag}}",
        "slim-unverified",
    ])
}

fn skopeo(from: &str, to: &str) {
    run(Command::new("skopeo").args(["copy", "--quiet", from, to]));
}

fn plan_of(directory: &Path) -> Value {
    let text = std::fs::read(directory.join("plan.json")).unwrap();
    let mut plan: Value = serde_json::from_slice(&text).unwrap();
    // The name is the user's.
    plan.as_object_mut().unwrap().remove("reference");
    plan
}

#[test]
fn an_archive_needs_no_engine_and_gives_the_engines_plan() {
    require_root();
    require_docker();
    let image = Image::from_dockerfile("archive", DOCKERFILE, &[]);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    run(slim()
        .args(["record", image.tag(), "--output"])
        .arg(path("recorded")));
    docker(&[
        "save",
        "--output",
        path("docker.tar").to_str().unwrap(),
        image.tag(),
    ]);
    let saved = Archive::read(File::open(path("docker.tar")).unwrap()).unwrap();
    let mut written = saved.rootfs.blobs().unwrap().archive(&[]).unwrap();
    std::io::copy(&mut written, &mut File::create(path("oci.tar")).unwrap()).unwrap();

    let generate = |name: &str, words: &[&str]| {
        run(slim()
            .arg("generate")
            .arg(path("recorded"))
            .args(["--image", name])
            .args(words)
            .arg("--output")
            .arg(path("out")));
        plan_of(&path("out"))
    };
    let expected = generate(image.tag(), &[]);
    assert!(expected["files"].as_object().unwrap().len() > 5, "{expected}");
    for name in ["docker-archive:docker.tar", "oci-archive:oci.tar"] {
        let (scheme, file) = name.split_once(':').unwrap();
        let name = format!("{scheme}:{}", path(file).display());
        assert_eq!(generate(&name, &["--host", NO_ENGINE]), expected, "{name}");
    }
}

#[test]
fn a_product_without_an_engine_is_an_archive() {
    require_root();
    require_docker();
    let image = Image::from_dockerfile("archive", DOCKERFILE, &[]);
    let product = Image::to_be("archive");
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    run(slim()
        .args(["record", image.tag(), "--output"])
        .arg(path("recorded")));
    docker(&["save", "--output", path("app.tar").to_str().unwrap(), image.tag()]);
    let saved = format!("docker-archive:{}", path("app.tar").display());
    run(slim()
        .args([
            "build",
            &saved,
            "--host",
            NO_ENGINE,
            "--no-record",
            "--no-verify",
            "--recording",
        ])
        .arg(path("recorded"))
        .args(["--tag", product.tag(), "--output"])
        .arg(path("out")));
    docker(&["load", "--input", path("out/image.tar").to_str().unwrap()]);
    assert_eq!(docker(&["run", "--rm", product.tag()]), "data");
    assert_eq!(
        image_id(product.tag()),
        slim_tests::report(&path("out"))["product"]["digest"]
    );
    // What is to be started needs an engine, and says so.
    let output = slim()
        .args(["build", &saved, "--host", NO_ENGINE, "--output"])
        .arg(path("out"))
        .output()
        .unwrap();
    slim_tests::assert_exit(&output, 1);
    assert!(String::from_utf8(output.stderr).unwrap().contains(NO_ENGINE));
}

fn image_id(tag: &str) -> String {
    docker(&["image", "inspect", "--format", "{{.Id}}", tag])
}

#[test]
fn an_archive_is_loaded_for_as_long_as_it_is_started_from() {
    require_root();
    require_docker();
    let image = Image::from_dockerfile("archive", DOCKERFILE, &[]);
    let product = Image::to_be("archive");
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let saved = format!("docker-archive:{}", path("docker.tar").display());
    let oci = format!("oci-archive:{}", path("oci.tar").display());
    docker(&[
        "save",
        "--output",
        path("docker.tar").to_str().unwrap(),
        image.tag(),
    ]);
    // The other tool writes a config of its own, so this is an image that the engine does not have.
    skopeo(&saved, &oci);
    let before = temporary_names();
    let id = Archive::read(File::open(path("oci.tar")).unwrap())
        .unwrap()
        .id
        .to_string();
    assert!(
        try_docker(&["image", "inspect", &id]).is_err(),
        "{id} is there before"
    );
    for name in [&saved, &oci] {
        run(slim()
            .args(["build", name, "--tag", product.tag(), "--output"])
            .arg(path("out")));
        assert_eq!(docker(&["run", "--rm", product.tag()]), "data", "{name}");
        let verified = run(slim().arg("verify").arg(path("out")).args(["--image", name]));
        assert!(verified.contains("seccomp       passed"), "{verified}");
    }
    assert_eq!(temporary_names(), before);
    assert!(try_docker(&["image", "inspect", &id]).is_err(), "{id} is left");
    // What the engine had before stays.
    docker(&["image", "inspect", image.tag()]);
}

#[test]
fn a_file_that_is_no_archive_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.tar");
    let recording = slim_core::recording::Recording::new(slim_core::digest::Digest::of(b""));
    let path = directory.path().join("recording.json");
    std::fs::write(&path, recording.to_json()).unwrap();
    for content in [None, Some("no archive"), Some("")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        for scheme in ["oci-archive", "docker-archive"] {
            let image = format!("{scheme}:{}", file.display());
            let output = slim()
                .args(["--host", NO_ENGINE, "generate", path.to_str().unwrap()])
                .args(["--image", &image, "--output"])
                .arg(directory.path().join("out"))
                .output()
                .unwrap();
            slim_tests::assert_exit(&output, 1);
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(error.contains(file.to_str().unwrap()), "{error}");
        }
    }
}
