//! Whatever happens to slim, the next run leaves nothing behind, and never touches what a living one works with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slim_tests::{Image, docker, run, slim, wait_until};

/// These tests look at the whole machine: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything that slim could leave behind on this machine.
fn left_over() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let label = "label=io.github.slim.owner";
    for (what, words) in [
        ("container", &["ps", "--all", "--quiet", "--filter", label][..]),
        ("volume", &["volume", "ls", "--quiet", "--filter", label]),
        ("network", &["network", "ls", "--quiet", "--filter", label]),
        ("image", &["images", "--all", "--quiet", "--filter", label]),
        // What is verified has a name that no run of another process may leave to it.
        (
            "image",
            &["images", "--quiet", "--filter", "reference=slim-unverified"],
        ),
    ] {
        found.extend(docker(words).lines().map(|id| format!("{what} {id}")));
    }
    let programs = run(Command::new("bpftool").args(["prog", "list"]));
    found.extend(
        programs
            .lines()
            .filter(|line| line.contains("name slim_"))
            .map(|line| format!("program {line}")),
    );
    found
}

fn volumes() -> BTreeSet<String> {
    docker(&["volume", "ls", "--quiet"])
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The cgroups of containers, in every hierarchy: directories that have a container's id in their name.
fn cgroups() -> BTreeSet<PathBuf> {
    let is_container = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let longest = name.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
        longest == Some(64)
    };
    let mut found = BTreeSet::new();
    let mut todo = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = todo.pop() {
        // Somebody else's cgroup may go while this looks.
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                if is_container(&path) {
                    found.insert(path.clone());
                }
                todo.push(path);
            }
        }
    }
    found
}

/// An image with a VOLUME, so that an anonymous volume is made, whose server takes a moment to listen.
fn image() -> Image {
    let server = "select undef, undef, undef, 0.4; \
        my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die; \
        while (my $c = $s->accept) { while (<$c>) { last if /^\\s*$/ } \
        print $c \"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; close $c }\n";
    let dockerfile = "FROM debian:bookworm\nCOPY server.pl /\nVOLUME /data\nEXPOSE 8000\n\
        CMD [\"perl\", \"-MIO::Socket::INET\", \"/server.pl\"]\n";
    Image::from_dockerfile("cleanup", dockerfile, &[("server.pl", server.as_bytes())])
}

/// Waits for the child's end until `limit`.
fn ended(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let _alone = alone();
    let image = image();
    let product = Image::to_be("cleanup-product");
    let output = tempfile::tempdir().unwrap();
    let build = || {
        let mut command = slim();
        command
            .args(["build", image.tag(), "--tag", product.tag(), "--output"])
            .arg(output.path());
        command
    };
    let volumes_before = volumes();
    let cgroups_before = cgroups();
    let mut cgroups_met = 0;
    let before = left_over();
    let clock = Instant::now();
    run(&mut build());
    let whole = clock.elapsed();
    assert_eq!(
        left_over(),
        BTreeSet::new(),
        "a run that ended well left something"
    );

    // Kill at moments spread over the whole run, so that each stage is met.
    let moments = 12;
    let mut met = 0;
    for moment in 1..moments {
        let mut child = build()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = whole * moment / moments;
        if !ended(&mut child, deadline) {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        met += usize::from(left_over() != before);
        cgroups_met += usize::from(cgroups() != cgroups_before);
        run(&mut build());
        assert_eq!(left_over(), before, "killed after {deadline:?}");
        assert_eq!(volumes(), volumes_before, "killed after {deadline:?}");
        assert_eq!(cgroups(), cgroups_before, "killed after {deadline:?}");
    }
    assert!(
        cgroups_met >= 1,
        "no kill left a running container: its cgroup was not tested"
    );
    assert!(
        met >= 2,
        "the kills met no moment at which anything could be left: the test proves nothing"
    );
    let names = std::fs::read_dir(output.path()).unwrap();
    let temporary: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".slim-"))
        .collect();
    assert_eq!(temporary, Vec::<String>::new(), "temporary files of killed runs");
}

#[test]
fn ctrl_c_and_sigterm_remove_everything() {
    let _alone = alone();
    let image = image();
    for signal in ["INT", "TERM"] {
        let directory = tempfile::tempdir().unwrap();
        let mut child = slim()
            .args(["record", image.tag(), "--for", "60s", "--output"])
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mine = format!(":{}:", child.id());
        let exists = |all: &str| {
            let label = "label=io.github.slim.owner";
            docker(&["ps", all, "--filter", label, "--format", "{{.Labels}}"]).contains(&mine)
        };
        wait_until("the container", Duration::from_secs(30), || exists("--all=false"));
        run(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]));
        assert!(
            ended(&mut child, Duration::from_secs(15)),
            "slim did not end on SIG{signal}"
        );
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("interrupted; what was created is removed"),
            "{said}"
        );
        assert!(!exists("--all"));
    }
}

#[test]
fn two_builds_at_once_do_not_clean_each_other_away() {
    let _alone = alone();
    let image = image();
    let build = |number: usize| {
        let product = Image::to_be(&format!("twice-{number}"));
        let output = tempfile::tempdir().unwrap();
        slim()
            .args(["build", image.tag(), "--tag", product.tag(), "--output"])
            .arg(output.path())
            .output()
            .unwrap()
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..2).map(|number| scope.spawn(move || build(number))).collect();
        builds.into_iter().map(|build| build.join().unwrap()).collect()
    });
    for output in results {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
