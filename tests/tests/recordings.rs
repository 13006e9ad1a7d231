//! A recording is data that may come from elsewhere: what it asks of the host needs the user's word, and a signature says
//! whose it is.

use std::path::{Path, PathBuf};
use std::process::Output;

use slim_core::recording::{ContainerFacts, Recording};
use slim_core::spec::ContainerSpec;
use slim_tests::{Image, assert_exit, require_docker, require_root, run, slim};

/// A job of one file and a shell.
const DOCKERFILE: &str = "FROM debian:bookworm\nRUN echo data > /srv-data\nCMD [\"sh\", \"-c\", \"read l < /srv-data; echo $l\"]\n";

/// The command of the edited recordings: the same answer, and a file on what may be the host.
const WRITES: &str = "read l < /srv-data; echo $l; if [ -d /host ]; then echo owned > /host/owned; fi";

/// An image and its recording.
struct Recorded {
    image: Image,
    product: Image,
    directory: tempfile::TempDir,
}

impl Recorded {
    fn new(name: &str) -> Self {
        require_root();
        require_docker();
        let recorded = Self {
            image: Image::from_dockerfile(name, DOCKERFILE, &[]),
            product: Image::to_be(name),
            directory: tempfile::tempdir().unwrap(),
        };
        run(slim()
            .args(["record", recorded.image.tag(), "--output"])
            .arg(recorded.directory.path()));
        recorded
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The recording with its one run's container edited and its digests made right again, beside the bodies.
    fn edited(&self, edit: impl FnOnce(&mut ContainerFacts)) -> PathBuf {
        let recording = Recording::load(self.directory.path()).unwrap();
        let mut run = std::sync::Arc::unwrap_or_clone(recording.runs.into_values().next().unwrap());
        edit(&mut run.container);
        let mut edited = Recording::new(recording.image);
        edited.insert(run).unwrap();
        let path = self.path("edited.json");
        std::fs::write(&path, edited.to_json()).unwrap();
        path
    }

    fn with_options(&self, options: &[&str]) -> PathBuf {
        self.edited(|container| container.spec = described(options))
    }

    /// `slim build --recording FILE --no-record` into `out`, with further words.
    fn replay(&self, recording: &Path, words: &[&str]) -> Output {
        slim()
            .args([
                "build",
                self.image.tag(),
                "--tag",
                self.product.tag(),
                "--no-record",
            ])
            .arg("--recording")
            .arg(recording)
            .arg("--output")
            .arg(self.path("out"))
            .args(words)
            .output()
            .unwrap()
    }
}

/// The description that options give, as a recording from elsewhere may hold it: each a name and, unless it is a flag, a value.
fn described(options: &[&str]) -> ContainerSpec {
    let mut words: Vec<Vec<String>> = Vec::new();
    for &option in options {
        match words.last_mut() {
            Some(last) if !option.starts_with("--") => last.push(option.to_owned()),
            _ => words.push(vec![option.to_owned()]),
        }
    }
    ContainerSpec::from_words(&words, &[])
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_edited_recording_mounts_nothing_of_the_host_without_a_word() {
    let recorded = Recorded::new("recdata-mount");
    let host = tempfile::tempdir().unwrap();
    let volume = format!("{}:/host", host.path().display());
    let recording = recorded.edited(|container| {
        container.spec = described(&["--volume", &volume]);
        container.command = vec!["sh".to_owned(), "-c".to_owned(), WRITES.to_owned()];
    });
    let output = recorded.replay(&recording, &[]);
    assert!(
        !host.path().join("owned").exists(),
        "a recording wrote to the host as root"
    );
    assert_exit(&output, 1);
    assert!(
        said(&output).contains(&format!("--allow-recorded volume={volume}")),
        "{}",
        said(&output)
    );
    assert!(!recorded.path("out").exists(), "something was written");

    // By the same flag given again, by a word, and by a word for all of the kind.
    let word = format!("volume={volume}");
    for words in [
        &["--volume", &volume][..],
        &["--allow-recorded", &word],
        &["--allow-recorded", "volume"],
        &["--allow-recorded", "all"],
    ] {
        let output = recorded.replay(&recording, words);
        assert_exit(&output, 0);
        assert!(host.path().join("owned").exists(), "{words:?}");
        std::fs::remove_file(host.path().join("owned")).unwrap();
    }
}

#[test]
fn every_kind_of_privilege_needs_a_word() {
    let recorded = Recorded::new("recdata-kinds");
    let refused = |recording: &Path, words: &[&str]| {
        let output = recorded.replay(recording, words);
        assert_exit(&output, 1);
        assert!(!recorded.path("out").exists(), "something was written");
        said(&output)
    };
    for (option, value, word) in [
        ("--volume", "/etc:/host:ro", "volume=/etc:/host:ro"),
        ("--volume", "others:/data", "volume=others:/data"),
        (
            "--mount",
            "type=bind,source=/,target=/host",
            "mount=type=bind,source=/,target=/host",
        ),
        (
            "--mount",
            "type=volume,target=/v,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",
            "mount=type=volume,volume-driver=local,volume-opt=device=/,volume-opt=o=bind,volume-opt=type=none,target=/v",
        ),
        ("--cap-add", "ALL", "cap-add=ALL"),
        ("--device", "/dev/null:/dev/x", "device=/dev/null:/dev/x:rwm"),
        ("--pid", "host", "pid=host"),
        ("--sysctl", "net.core.somaxconn=1", "sysctl=net.core.somaxconn=1"),
        ("--network", "host", "network=host"),
        ("--network", "container:other", "network=container:other"),
        ("--publish", "0.0.0.0:22:22", "publish=0.0.0.0:22:22/tcp"),
        ("--env", "SLIM_TEST_SECRET", "env=SLIM_TEST_SECRET"),
        (
            "--security-opt",
            "systempaths=unconfined",
            "security-opt=systempaths=unconfined",
        ),
        ("--security-opt", "label=disable", "security-opt=label=disable"),
        ("--label", "traefik.enable=true", "label=traefik.enable=true"),
    ] {
        let recording = recorded.with_options(&[option, value]);
        let said = refused(&recording, &[]);
        assert!(
            said.contains(&format!("--allow-recorded {word}")),
            "{word}: {said}"
        );
        // A word for something else is none for this.
        refused(&recording, &["--allow-recorded", "cap-add=SYS_ADMIN"]);
    }

    // What a plan could come to grant while it is verified is no more than the recorded container had.
    for (edit, word) in [
        (
            (|container: &mut ContainerFacts| container.capabilities.push("CAP_SYS_ADMIN".into()))
                as fn(&mut ContainerFacts),
            "cap-add=SYS_ADMIN",
        ),
        (
            |container| container.seccomp_unconfined = true,
            "security-opt=seccomp=unconfined",
        ),
        (
            |container| {
                container.seccomp = Some(
                    serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
                        {"names": ["read", "bpf"], "action": "SCMP_ACT_ALLOW"},
                    ]}),
                );
            },
            "syscall=bpf",
        ),
    ] {
        let said = refused(&recorded.edited(edit), &[]);
        assert!(
            said.contains(&format!("--allow-recorded {word}")),
            "{word}: {said}"
        );
    }

    // Options that this slim never replays are still not replayed, and what is no privilege needs no word.
    let harmless = recorded.with_options(&["--privileged", "--read-only", "--hostname", "box", "--init"]);
    assert_exit(&recorded.replay(&harmless, &[]), 0);
}

#[test]
fn a_variable_is_taken_from_the_environment_by_word_alone() {
    let recorded = Recorded::new("recdata-env");
    let host = tempfile::tempdir().unwrap();
    let recording = recorded.edited(|container| {
        let volume = format!("{}:/host", host.path().display());
        container.spec = described(&["--volume", &volume, "--env", "SLIM_TEST_SECRET"]);
        let script = "read l < /srv-data; echo $l; echo secret:$SLIM_TEST_SECRET > /host/told";
        container.command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
    });
    let replay = |words: &[&str]| {
        let output = slim()
            .args([
                "build",
                recorded.image.tag(),
                "--tag",
                recorded.product.tag(),
                "--no-record",
                "--allow-recorded",
                "volume",
            ])
            .arg("--recording")
            .arg(&recording)
            .arg("--output")
            .arg(recorded.path("out"))
            .args(words)
            .env("SLIM_TEST_SECRET", "hunter2")
            .output()
            .unwrap();
        let told = std::fs::read_to_string(host.path().join("told")).unwrap_or_default();
        (output.status.code().unwrap(), told)
    };
    assert_eq!(replay(&[]), (1, String::new()));
    let own = (0, "secret:hunter2\n".to_owned());
    assert_eq!(replay(&["--allow-recorded", "env=SLIM_TEST_SECRET"]), own);
    // Given again with a value, that value is what counts.
    let given = (0, "secret:other\n".to_owned());
    assert_eq!(replay(&["--env", "SLIM_TEST_SECRET=other"]), given);
}

#[test]
fn signed_recordings_need_no_words_and_others_are_not_read() {
    let recorded = Recorded::new("recdata-signed");
    let openssl = |line: &str| {
        run(std::process::Command::new("openssl")
            .args(line.split(' '))
            .current_dir(recorded.directory.path()))
    };
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key");
    openssl("pkey -in key -pubout -out key.pub");
    let (key, public) = (recorded.path("key"), recorded.path("key.pub"));
    let (key, public) = (key.to_str().unwrap(), public.to_str().unwrap());
    let recording = recorded.with_options(&["--label", "a=b"]);
    let verified = ["--verify-key", public];

    let output = recorded.replay(&recording, &verified);
    assert_exit(&output, 1);
    assert!(said(&output).contains("not signed"), "{}", said(&output));

    openssl("dgst -sha256 -sign key -out edited.json.sig edited.json");
    let out = [&verified[..], &["--sign-key", key]].concat();
    assert_exit(&recorded.replay(&recording, &out), 0);

    // What build signed, openssl and slim verify; without the key a word is needed.
    run(std::process::Command::new("sh")
        .args(["-c", "base64 -d out/recording.json.sig > raw"])
        .current_dir(recorded.directory.path()));
    openssl("dgst -sha256 -verify key.pub -signature raw out/recording.json");
    let verify = |words: &[&str]| {
        let directory = recorded.path("out");
        slim().arg("verify").arg(directory).args(words).output().unwrap()
    };
    assert_exit(&verify(&verified), 0);
    let output = verify(&[]);
    assert_exit(&output, 1);
    assert!(
        said(&output).contains("--allow-recorded label=a=b"),
        "{}",
        said(&output)
    );
    assert_exit(&verify(&["--allow-recorded", "label=a=b"]), 0);

    // The signature is not of the plan and the profiles beside the recording: they are held to it.
    let edit = |name: &str, edit: &dyn Fn(&str) -> String, says: &str| {
        let path = recorded.path("out").join(name);
        let before = std::fs::read_to_string(&path).unwrap();
        let after = edit(&before);
        assert_ne!(before, after);
        std::fs::write(&path, after).unwrap();
        let output = verify(&verified);
        assert_exit(&output, 1);
        assert!(said(&output).contains(says), "{}", said(&output));
        std::fs::write(&path, before).unwrap();
    };
    edit(
        "plan.json",
        &|text| {
            let grant = r#""capabilities": [{"name": "CAP_SYS_ADMIN", "reasons": []}],"#;
            text.replacen(r#""capabilities": [],"#, grant, 1)
        },
        "cap-add=SYS_ADMIN",
    );
    edit(
        "seccomp.json",
        &|text| text.replacen(r#""SCMP_ACT_ERRNO""#, r#""SCMP_ACT_ALLOW""#, 1),
        "seccomp=unconfined",
    );
    edit(
        "apparmor.profile",
        &|text| text.replacen(" flags=", " /usr/bin/** flags=", 1),
        "is not as slim writes it",
    );
    edit(
        "apparmor.profile",
        &|text| format!("{text}profile docker-default {{ file, }}\n"),
        "is not as slim writes it",
    );

    // Tampered with after it was signed.
    let path = recorded.path("out").join("recording.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let tampered = text.replace("\"a\": \"b\"", "\"a\": \"c\"");
    assert_ne!(tampered, text);
    std::fs::write(&path, tampered).unwrap();
    let output = verify(&verified);
    assert_exit(&output, 1);
    assert!(
        said(&output).contains("the file was changed"),
        "{}",
        said(&output)
    );
    assert_exit(&verify(&[]), 1);

    // slim merge and slim record sign, too; a recording that is written without a key has no signature of an earlier one.
    let merged = recorded.path("merged");
    let merge = |words: &[&str]| {
        run(slim()
            .arg("merge")
            .arg(&recording)
            .args(words)
            .arg("--output")
            .arg(&merged));
        merged.join("recording.json.sig").exists()
    };
    assert!(merge(&["--verify-key", public, "--sign-key", key]));
    run(slim()
        .arg("merge")
        .arg(&merged)
        .args(["--verify-key", public])
        .arg("--output")
        .arg(recorded.path("again")));
    assert!(!merge(&[]));
}

#[test]
fn bodies_are_no_way_to_other_files() {
    let recorded = Recorded::new("recdata-bodies");
    let digest = {
        let recording = Recording::load(recorded.directory.path()).unwrap();
        let exchanges = recording.runs.values().flat_map(|run| &run.exchanges);
        let mut kept = exchanges
            .flat_map(|exchange| exchange.bodies())
            .filter(|body| body.kept && body.size > 0);
        kept.next().unwrap().digest.clone()
    };
    let body = recorded.path("exchanges").join(digest.hex());
    let outside = recorded.path("outside");
    std::fs::rename(&body, &outside).unwrap();
    let recording = recorded.path("recording.json");
    for target in [outside.as_path(), Path::new("/dev/zero")] {
        std::os::unix::fs::symlink(target, &body).unwrap();
        let output = recorded.replay(&recording, &[]);
        assert_exit(&output, 1);
        assert!(said(&output).contains(&digest.hex()[..12]), "{}", said(&output));
        std::fs::remove_file(&body).unwrap();
    }
    std::fs::rename(&outside, &body).unwrap();
    assert_exit(&recorded.replay(&recording, &[]), 0);
}
