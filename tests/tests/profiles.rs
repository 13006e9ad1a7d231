//! Real containers start under generated profiles, and fail under ones that lack what they need.
//!
//! The application here is a static busybox, and what it calls is written down generously: what is tested is the rest
//! of the profile, which must hold everything that the container runtime needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use slim_core::image::{Config, Entry, Image, Rootfs, Store};
use slim_core::path::RootPath;
use slim_core::pipeline;
use slim_core::plan::tables::Tables;
use slim_core::plan::{Plan, Totals, VERSION, syscalls};
use slim_core::profile::{Context, Options};
use slim_core::recording::{Recording, SyscallUse};
use slim_tests::recorded;

/// More than `busybox true` and `busybox sleep` call. What the runtime calls as well is left out on purpose, so that
/// only its table puts it into the profile.
const APP: [&str; 14] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_nanosleep",
    "getuid",
    "ioctl",
    "mprotect",
    "munmap",
    "prlimit64",
    "readlink",
    "rt_sigaction",
    "set_tid_address",
    "uname",
    "writev",
];

/// Number of starts of a container: the runtime's calls differ from start to start.
const STARTS: usize = 20;

const NO_NEW_PRIVILEGES: [&str; 2] = ["--security-opt", "no-new-privileges"];

fn docker(words: &[&str]) -> Output {
    Command::new("docker")
        .args(words)
        .output()
        .expect("this test needs the docker client and a Docker engine: `cargo xtask test` sets both up")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat())
        .trim()
        .to_owned()
}

/// Removes what a test made, failing or not.
struct Remove(Vec<&'static str>, String);

impl Drop for Remove {
    fn drop(&mut self) {
        let words: Vec<&str> = self.0.iter().copied().chain([self.1.as_str()]).collect();
        docker(&words);
    }
}

/// An image of nothing but busybox, named after `test`.
fn busybox(test: &str) -> Remove {
    let dir = tempfile::tempdir().expect("a directory for the image's files");
    let found = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .find(|path| Path::new(path).exists());
    let busybox = found.expect("this test needs a static busybox (package busybox-static)");
    std::fs::copy(busybox, dir.path().join("busybox")).expect("busybox is readable");
    let tar = dir.path().join("image.tar");
    let made = Command::new("tar")
        .arg("-C")
        .arg(dir.path())
        .arg("-cf")
        .arg(&tar)
        .arg("busybox")
        .status();
    assert!(made.expect("tar runs").success());
    let tag = format!("slim-test-profiles-{test}:{}", std::process::id());
    let out = docker(&["import", &tar.to_string_lossy(), &tag]);
    assert!(out.status.success(), "{}", text(&out));
    Remove(vec!["rmi", "--force"], tag)
}

struct Nothing;

impl Store for Nothing {
    fn open(&self, _: &RootPath, _: &Entry) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn recording() -> Recording {
    let uname = |option| text(&Command::new("uname").arg(option).output().expect("uname runs"));
    recorded(APP.map(|name| SyscallUse::once(name, 0)).into(), |run| {
        (run.host.kernel, run.host.machine) = (uname("-r"), uname("-m"));
    })
}

/// Writes the profiles for busybox into `dir`.
fn profiles(dir: &Path, tag: &str) -> PathBuf {
    let recording = recording();
    let plan = Plan {
        version: VERSION,
        image: recording.image.clone(),
        reference: "busybox".into(),
        runs: recording.runs.keys().cloned().collect(),
        rounds: Default::default(),
        left_out: Vec::new(),
        removed: Vec::new(),
        kept_by: Vec::new(),
        files: BTreeMap::new(),
        machine: None,
        syscalls: syscalls::allowed(&recording, Tables::built_in()).0,
        capabilities: vec![],
        refused_capabilities: vec![],
        privilege_gain: vec![],
        told: Vec::new(),
        privileged: vec![],
        notes: vec![],
        before: Totals::default(),
        after: Totals::default(),
    };
    let image = Image {
        id: recording.image.clone(),
        reference: "busybox".into(),
        config: Config::default(),
        rootfs: Rootfs::new(BTreeMap::new(), std::sync::Arc::new(Nothing)),
    };
    let context = Context {
        plan: &plan,
        recording: &recording,
        image: &image,
        launch: &slim_core::spec::LaunchSpec::default(),
        digest: &image.id,
        tags: &[tag.to_owned()],
        options: &Options::default(),
    };
    let output =
        pipeline::Output::open(dir, pipeline::OutputMode::default()).expect("the directory is writable");
    output.write_profiles(&context).expect("profiles are written");
    output.complete();
    dir.join("seccomp.json")
}

/// `docker run` of a busybox applet under a profile.
fn start(profile: &Path, more: &[&str], tag: &str, command: &[&str]) -> Output {
    let seccomp = format!("seccomp={}", profile.display());
    let mut words = vec!["run", "--rm", "--network", "none", "--cap-drop", "ALL"];
    words.extend(["--security-opt", &seccomp]);
    words.extend(more);
    words.extend([tag, "/busybox"]);
    words.extend(command);
    docker(&words)
}

#[test]
fn containers_start_with_and_without_new_privileges() {
    let image = busybox("start");
    let dir = tempfile::tempdir().expect("a directory for the profiles");
    let profile = profiles(dir.path(), &image.1);
    for more in [&[][..], &NO_NEW_PRIVILEGES[..]] {
        for user in ["0:0", "1000:1000"] {
            for number in 0..STARTS / 2 {
                let options = [more, &["--user", user]].concat();
                let out = start(&profile, &options, &image.1, &["true"]);
                assert!(
                    out.status.success(),
                    "start {number} with {options:?}: {}",
                    text(&out)
                );
            }
        }
    }
}

#[test]
fn a_profile_without_fstatfs_starts_nothing() {
    let image = busybox("fstatfs");
    let dir = tempfile::tempdir().expect("a directory for the profiles");
    let profile = profiles(dir.path(), &image.1);
    let whole = std::fs::read_to_string(&profile).expect("the profile is there");
    // From the allowed names to those that are refused.
    let without = whole.replace("\"fstatfs\",", "");
    assert_ne!(whole, without);
    let without = without.replace("\"mount\",", "\"fstatfs\", \"mount\",");
    std::fs::write(&profile, without).expect("the profile is ours");
    for more in [&[][..], &NO_NEW_PRIVILEGES[..]] {
        let out = start(&profile, more, &image.1, &["true"]);
        assert!(!out.status.success(), "runc needs fstatfs");
        assert!(text(&out).contains("operation not permitted"), "{}", text(&out));
    }
}

#[test]
fn what_was_not_recorded_is_refused() {
    let image = busybox("refuse");
    let dir = tempfile::tempdir().expect("a directory for the profiles");
    let profile = profiles(dir.path(), &image.1);
    let out = start(&profile, &[], &image.1, &["mkdir", "/made"]);
    assert!(!out.status.success());
    assert!(text(&out).contains("Operation not permitted"), "{}", text(&out));
}

#[test]
fn a_container_that_run_sh_started_takes_execs() {
    let image = busybox("exec");
    let dir = tempfile::tempdir().expect("a directory for the profiles");
    profiles(dir.path(), &image.1);
    // The image has no command of its own, so give one behind it.
    let script = std::fs::read_to_string(dir.path().join("run.sh")).expect("run.sh is there");
    let script = format!("{} /busybox sleep 60\n", script.trim_end());
    std::fs::write(dir.path().join("run.sh"), script).expect("run.sh is ours");
    for user in ["0:0", "1000:1000"] {
        let name = format!("slim-test-profiles-{}", std::process::id());
        let out = Command::new(dir.path().join("run.sh"))
            .args(["--detach", "--network", "none", "--name", &name, "--user", user])
            // The recording is of no image that the engine has.
            .env("IMAGE", &image.1)
            .output()
            .expect("run.sh runs");
        assert!(out.status.success(), "{}", text(&out));
        let container = Remove(vec!["rm", "--force", "--volumes"], name);
        for number in 0..5 {
            let out = docker(&["exec", &container.1, "/busybox", "true"]);
            assert!(out.status.success(), "exec {number}: {}", text(&out));
        }
    }
}
