//! A product keeps of its original: capabilities, hard links, users, health checks, pristine bytes.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use slim_tests::{Container, Image, confined, docker, run, size, slim, wait_until};

/// The product of an image made from a Dockerfile.
struct Built {
    product: Image,
    output: tempfile::TempDir,
    said: String,
}

fn build(name: &str, dockerfile: &str, words: &[&str]) -> Built {
    let image = Image::from_dockerfile(name, dockerfile, &[]);
    let product = Image::to_be(name);
    let output = tempfile::tempdir().unwrap();
    let mut command = slim();
    command
        .args(["build", image.tag(), "--tag", product.tag(), "--output"])
        .arg(output.path())
        .args(words);
    let said = run(&mut command);
    Built {
        product,
        output,
        said,
    }
}

/// The regular files of an image with their bytes.
fn contents(image: &str) -> BTreeMap<String, Vec<u8>> {
    let id = docker(&["create", image, "none"]);
    let mut export = Command::new("docker")
        .args(["export", id.trim()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut archive = tar::Archive::new(export.stdout.take().unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().to_string_lossy().into_owned(), bytes);
        }
    }
    export.wait().unwrap();
    docker(&["rm", "--volumes", id.trim()]);
    files
}

#[test]
fn a_file_capability_and_a_user_without_an_entry_survive() {
    let built = build(
        "setcap",
        "FROM debian:bookworm\n\
         RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin\n\
         RUN cp /bin/cat /usr/local/bin/reader && setcap cap_dac_override+ep /usr/local/bin/reader \\\n\
          && echo classified > /secret && chmod 0600 /secret\n\
         USER 4242:4343\n\
         CMD [\"/usr/local/bin/reader\", \"/secret\"]\n",
        &[],
    );
    assert!(
        built.said.contains("needs privilege gain: /usr/local/bin/reader"),
        "{}",
        built.said
    );
    let script = std::fs::read_to_string(built.output.path().join("run.sh")).unwrap();
    assert!(
        script.contains("needs privilege gain: /usr/local/bin/reader"),
        "{script}"
    );
    assert_eq!(docker(&["run", "--rm", built.product.tag()]), "classified");
    let options = confined(built.output.path());
    let mut words = vec!["run", "--rm"];
    words.extend(options.iter().map(String::as_str));
    words.push(built.product.tag());
    assert_eq!(docker(&words), "classified");
    // With no-new-privileges the file's capability is without effect, in the original as in the product.
    words.insert(1, "--security-opt=no-new-privileges");
    assert!(
        !Command::new("docker")
            .args(&words)
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn a_hard_link_farm_stays_small() {
    let built = build(
        "farm",
        "FROM debian:bookworm\n\
         RUN mkdir /farm && head -c 8000000 /dev/urandom > /farm/0 \\\n\
          && for i in $(seq 1 200); do ln /farm/0 /farm/$i; done\n\
         CMD [\"sh\", \"-c\", \"cat /farm/* | wc -c\"]\n",
        &[],
    );
    assert_eq!(
        docker(&["run", "--rm", built.product.tag()]).trim(),
        (201 * 8_000_000).to_string()
    );
    assert!(
        size(built.product.tag()) < 20_000_000,
        "{} bytes",
        size(built.product.tag())
    );
}

#[test]
fn writes_of_the_run_are_not_baked_in() {
    let built = build(
        "pristine",
        "FROM debian:bookworm\n\
         RUN mkdir /data && echo original > /data/changed && echo kept > /data/deleted && echo old > /data/replaced\n\
         CMD [\"sh\", \"-c\", \"echo new > /data/created; echo more >> /data/changed; cat /data/changed; rm /data/deleted; \
         echo young > /data/.tmp; mv /data/.tmp /data/replaced\"]\n",
        &[],
    );
    let files = contents(built.product.tag());
    assert_eq!(
        files.get("data/changed").map(Vec::as_slice),
        Some(&b"original\n"[..])
    );
    assert_eq!(files.get("data/deleted").map(Vec::as_slice), Some(&b"kept\n"[..]));
    assert_eq!(files.get("data/replaced").map(Vec::as_slice), Some(&b"old\n"[..]));
    assert_eq!(files.get("data/created"), None);
    assert_eq!(docker(&["run", "--rm", built.product.tag()]), "original\nmore");
}

#[test]
fn a_health_check_works_under_the_profiles() {
    let product = Image::to_be("health");
    let output = tempfile::tempdir().unwrap();
    run(slim()
        .args([
            "build",
            &Image::sample("multi"),
            "--tag",
            product.tag(),
            "--output",
        ])
        .arg(output.path()));
    let options = confined(output.path());
    let mut words = vec!["--health-interval=1s"];
    words.extend(options.iter().map(String::as_str));
    words.push(product.tag());
    let container = Container::run(&words);
    wait_until("the container to be healthy", Duration::from_secs(60), || {
        let health = container.inspect("{{json .State.Health}}");
        assert!(!health.contains("\"Status\":\"unhealthy\""), "{health}");
        health.contains("\"Status\":\"healthy\"")
    });
}

#[test]
fn an_included_directory_is_kept_whole() {
    let built = build(
        "include",
        "FROM debian:bookworm\nRUN mkdir -p /opt/extra/deep && echo a > /opt/extra/a && echo b > /opt/extra/deep/b\n\
         CMD [\"true\"]\n",
        &["--include", "/opt/extra", "--change", "LABEL team=ledger"],
    );
    let files = contents(built.product.tag());
    assert!(
        files.contains_key("opt/extra/a") && files.contains_key("opt/extra/deep/b"),
        "{:?}",
        files.keys()
    );
    let label = docker(&[
        "image",
        "inspect",
        "--format",
        "{{index .Config.Labels \"team\"}}",
        built.product.tag(),
    ]);
    assert_eq!(label.trim(), "ledger");
    let explained = run(slim()
        .arg("explain")
        .arg(built.output.path())
        .arg("/opt/extra/deep/b"));
    assert!(
        explained.contains("asked for with --include /opt/extra"),
        "{explained}"
    );
}

#[test]
fn an_image_without_anything_to_leave_out_is_said_to_gain_nothing() {
    let dockerfile = "FROM debian:bookworm AS tools\n\
        RUN apt-get update && apt-get install -y --no-install-recommends busybox-static\n\
        FROM scratch\nCOPY --from=tools /bin/busybox /busybox\nCMD [\"/busybox\", \"echo\", \"hello\"]\n";
    let image = Image::from_dockerfile("whole", dockerfile, &[]);
    let product = Image::to_be("whole");
    let output = tempfile::tempdir().unwrap();
    let result = slim()
        .args(["build", image.tag(), "--tag", product.tag(), "--output"])
        .arg(output.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.success(), "{said}");
    assert!(said.contains("warning: nothing is gained"), "{said}");
    assert!(output.path().join("seccomp.json").exists());
    let mut words: Vec<String> = vec!["run".into(), "--rm".into()];
    words.extend(confined(output.path()));
    words.push(product.tag().into());
    assert_eq!(
        docker(&words.iter().map(String::as_str).collect::<Vec<_>>()),
        "hello"
    );
}
