//! Whatever happens to slim, nothing that it made stays, and nothing that it did not make is touched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slim_tests::{Container, Image, docker, run, slim, try_docker, unique, wait_for, wait_until};

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
            .filter(|line| line.contains("name cgroup_mkdir "))
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

/// Everything of the machine that a run could leave behind.
fn everything() -> BTreeSet<String> {
    let mut all = left_over();
    all.extend(volumes().into_iter().map(|name| format!("volume {name}")));
    all.extend(
        cgroups()
            .into_iter()
            .map(|path| format!("cgroup {}", path.display())),
    );
    all
}

#[test]
fn whenever_slim_is_killed_nothing_stays() {
    let _alone = alone();
    let image = image();
    let product = Image::to_be("cleanup-product");
    let output = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let build = || {
        let mut command = slim();
        command
            .env("SLIM_STATE", state.path())
            .args(["build", image.tag(), "--tag", product.tag(), "--output"])
            .arg(output.path());
        command
    };
    let records = || std::fs::read_dir(state.path()).unwrap().count();
    let clock = Instant::now();
    run(&mut build());
    let whole = clock.elapsed();
    assert_eq!(records(), 0, "a run that ended well left a record");

    // Kill at moments spread over the whole run, so that each stage is met.
    let moments = 12;
    let mut met = BTreeSet::new();
    for moment in 1..moments {
        let before = everything();
        let mut child = build()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = whole * moment / moments;
        if ended(&mut child, deadline) {
            continue;
        }
        // Stopped, it can be looked at; its end is then as sudden as any.
        run(Command::new("kill").args(["-STOP", &child.id().to_string()]));
        let made: BTreeSet<String> = everything().difference(&before).cloned().collect();
        met.extend(
            made.iter()
                .filter_map(|what| Some(what.split_once(' ')?.0.to_owned())),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let what = format!("the end of what was there when it was killed after {deadline:?}");
        wait_until(&what, Duration::from_secs(60), || {
            records() == 0 && everything().is_disjoint(&made)
        });
        assert_eq!(container_of(child.id(), ""), None, "killed after {deadline:?}");
        assert_eq!(
            watchdogs(child.id()),
            Vec::<u32>::new(),
            "killed after {deadline:?}"
        );
    }
    for kind in ["container", "volume", "cgroup", "program", "image"] {
        assert!(
            met.contains(kind),
            "the kills met no {kind}: the test proves nothing of it"
        );
    }
    run(&mut build());
    let names = std::fs::read_dir(output.path()).unwrap();
    let temporary: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".slim-"))
        .collect();
    assert_eq!(temporary, Vec::<String>::new(), "temporary files of killed runs");
}

/// A recording that goes on until it is ended, with a state directory of its own.
struct Recording {
    child: Child,
    state: tempfile::TempDir,
    _output: tempfile::TempDir,
}

impl Recording {
    /// Begins one of `image`, and waits for its container.
    fn begin(image: &str, options: &[&str]) -> Recording {
        let state = tempfile::tempdir().unwrap();
        let output = tempfile::tempdir().unwrap();
        let child = slim()
            .env("SLIM_STATE", state.path())
            .args(["record", image, "--for", "120s", "--output"])
            .arg(output.path())
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut recording = Recording {
            child,
            state,
            _output: output,
        };
        wait_until("the recorded container", Duration::from_secs(60), || {
            let ended = recording.child.try_wait().unwrap();
            assert_eq!(ended, None, "slim ended: {}", recording.said());
            recording.container("running").is_some()
        });
        recording
    }

    /// Its container, if there is one in this state (or in any, if that is empty).
    fn container(&self, state: &str) -> Option<String> {
        container_of(self.child.id(), state)
    }

    /// Returns its standard error until it ends.
    fn said(&mut self) -> String {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
        said
    }

    fn signal(&self, signal: &str) {
        run(Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]));
    }

    fn records(&self) -> usize {
        std::fs::read_dir(self.state.path()).unwrap().count()
    }

    /// Waits until everything is as if it had never been, with no other slim run.
    fn assert_nothing_stays(&mut self, how: &str) {
        let limit = Duration::from_secs(20);
        let clock = Instant::now();
        wait_until(&format!("the container's end after {how}"), limit, || {
            self.container("").is_none()
        });
        eprintln!("after {how} the container was gone in {:?}", clock.elapsed());
        wait_until(&format!("the record's end after {how}"), limit, || {
            self.records() == 0
        });
        self.child.wait().unwrap();
        wait_until(&format!("the watchdog's end after {how}"), limit, || {
            watchdogs(self.child.id()).is_empty()
        });
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The watchdog removes the rest, and needs the state directory for it.
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.records() > 0 && !watchdogs(self.child.id()).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn container_of(pid: u32, state: &str) -> Option<String> {
    let mine = format!(":{pid}:");
    let mut words = vec![
        "ps",
        "--all",
        "--no-trunc",
        "--filter",
        "label=io.github.slim.owner",
    ];
    let filter = format!("status={state}");
    if !state.is_empty() {
        words.extend(["--filter", &filter]);
    }
    words.extend(["--format", "{{.ID}} {{.Names}} {{.Labels}}"]);
    let listed = docker(&words);
    // The name is slim's; labels are copied by `docker commit`.
    let mut lines = listed
        .lines()
        .filter(|line| line.contains(&mine) && line.contains(&format!(" slim-{pid}-")));
    Some(lines.next()?.split(' ').next()?.to_owned())
}

/// The processes that watch the slim with this process id; zombies too, which have no command line but a name.
fn watchdogs(slim: u32) -> Vec<u32> {
    let record = format!("internal-watchdog\0{slim}-");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&record) {
            found.push(pid);
        }
    }
    found
}

fn is_running(container: &str) -> bool {
    try_docker(&["inspect", "--format", "{{.State.Running}}", container]).as_deref() == Ok("true")
}

/// A run that creates something and cleans up what it finds; what it said on standard error.
fn another_slim(state: &Path) -> String {
    let output = tempfile::tempdir().unwrap();
    let done = slim()
        .env("SLIM_STATE", state)
        .args(["record", "debian:bookworm", "--until-exit", "--output"])
        .arg(output.path())
        .args(["--", "true"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

#[test]
fn ctrl_c_sigterm_and_sighup_remove_everything() {
    let _alone = alone();
    let image = image();
    for signal in ["INT", "TERM", "HUP"] {
        let mut recording = Recording::begin(image.tag(), &[]);
        assert_eq!(watchdogs(recording.child.id()).len(), 1);
        recording.signal(signal);
        assert!(
            ended(&mut recording.child, Duration::from_secs(15)),
            "slim did not end on SIG{signal}"
        );
        let said = recording.said();
        let status = recording.child.wait().unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(
            said.contains("interrupted; what was created is removed"),
            "{said}"
        );
        // At once, and not by the watchdog: nothing is waited for.
        assert_eq!(recording.container(""), None, "after SIG{signal}");
        assert_eq!(recording.records(), 0, "after SIG{signal}");
        assert_eq!(
            watchdogs(recording.child.id()),
            Vec::<u32>::new(),
            "after SIG{signal}"
        );
    }
}

#[test]
fn what_is_started_with_sighup_ignored_outlives_its_terminal() {
    let _alone = alone();
    let image = image();
    let state = tempfile::tempdir().unwrap();
    let output = tempfile::tempdir().unwrap();
    let mut child = Command::new("nohup")
        .arg(slim().get_program())
        .env("SLIM_STATE", state.path())
        .args(["record", image.tag(), "--for", "3s", "--output"])
        .arg(output.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the container", Duration::from_secs(60), || {
        assert_eq!(child.try_wait().unwrap(), None, "slim ended");
        container_of(child.id(), "running").is_some()
    });
    run(Command::new("kill").args(["-HUP", &child.id().to_string()]));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_killed_slim_is_cleaned_up_after_without_another() {
    let _alone = alone();
    let image = image();
    let volume = unique("killed");
    let mount = format!("{volume}:/kept");
    for how in [&["KILL"][..], &["STOP", "KILL"]] {
        let anonymous = volumes();
        let mut recording = Recording::begin(image.tag(), &["--volume", &mount]);
        assert!(volumes().contains(&volume));
        for signal in how {
            recording.signal(signal);
        }
        recording.assert_nothing_stays(&how.join(" and "));
        assert_eq!(volumes(), anonymous, "named and anonymous volumes are removed");
    }
}

#[test]
fn a_closed_terminal_ends_slim_and_what_it_made() {
    let _alone = alone();
    let image = image();
    let state = tempfile::tempdir().unwrap();
    let output = tempfile::tempdir().unwrap();
    let line = format!(
        "echo $$ > {0}/pid; exec {1} record {2} --for 120s --output {0}/out",
        output.path().display(),
        slim().get_program().display(),
        image.tag()
    );
    // script(1) gives it a terminal, which is closed when script ends.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .env("SLIM_STATE", state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("script is part of util-linux");
    let pid: u32 = wait_for("slim's process id", Duration::from_secs(10), || {
        std::fs::read_to_string(output.path().join("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    });
    wait_until("the container", Duration::from_secs(60), || {
        container_of(pid, "running").is_some()
    });
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    let limit = Duration::from_secs(20);
    wait_until("slim's end", limit, || {
        !Path::new(&format!("/proc/{pid}")).exists()
    });
    wait_until("the container's end", limit, || container_of(pid, "").is_none());
    wait_until("the watchdog's end", limit, || watchdogs(pid).is_empty());
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn what_slim_and_its_watchdog_left_the_next_slim_removes_and_says() {
    let _alone = alone();
    let image = image();
    let mut recording = Recording::begin(image.tag(), &[]);
    let container = recording.container("running").unwrap();
    let name = docker(&["inspect", "--format", "{{.Name}}", &container]);
    let pid = recording.child.id();
    let watchdog = watchdogs(pid);
    assert_eq!(watchdog.len(), 1);
    // Nothing that ends slim ends it.
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        run(Command::new("kill").args([&format!("-{signal}"), &watchdog[0].to_string()]));
    }
    assert_eq!(watchdogs(pid), watchdog);
    let terminal = std::fs::read_to_string(format!("/proc/{}/stat", watchdog[0])).unwrap();
    let fields: Vec<&str> = terminal[terminal.rfind(')').unwrap() + 2..].split(' ').collect();
    assert_eq!(
        fields[3],
        watchdog[0].to_string(),
        "a session of its own: {terminal}"
    );
    assert_eq!(fields[4], "0", "no terminal: {terminal}");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", watchdog[0])).unwrap();
    assert_eq!(descriptors.count(), 3);

    run(Command::new("kill").args(["-KILL", &watchdog[0].to_string()]));
    recording.signal("KILL");
    recording.child.wait().unwrap();
    assert!(is_running(&container), "nobody removed it");
    let said = another_slim(recording.state.path());
    let expected = format!(
        "removed container {}, left by a slim that ended (pid {pid})",
        name.trim_start_matches('/')
    );
    assert!(said.lines().any(|line| line == expected), "{said}");
    assert_eq!(recording.container(""), None);
    assert_eq!(recording.records(), 0);
}

#[test]
fn what_only_looks_like_slims_own_is_left_alone() {
    let _alone = alone();
    // A process that has ended: by its labels, everything here is a dead slim's.
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let owner = format!("{}:{}:1", boot.trim(), ended.id());
    let label = format!("io.github.slim.owner={owner}");
    let dockerfile = format!(
        "FROM debian:bookworm\nLABEL {label} io.github.slim.kind=container io.github.slim.token=0\n\
         VOLUME /anonymous\nCMD [\"sleep\", \"600\"]\n"
    );
    let image = Image::from_dockerfile("stranger", &dockerfile, &[]);
    let volume = unique("stranger");
    let network = unique("stranger");
    let tag = format!("slim-unverified:{}.0", owner.replace(':', "_"));
    docker(&["volume", "create", "--label", &label, &volume]);
    docker(&["network", "create", "--label", &label, &network]);
    docker(&["tag", "debian:bookworm", &tag]);
    let container = Container::run(&["--volume", &format!("{volume}:/kept"), image.tag()]);
    let all = volumes();

    let state = tempfile::tempdir().unwrap();
    let said = another_slim(state.path());
    let kept = [
        is_running(container.name()),
        volumes() == all,
        try_docker(&["network", "inspect", &network]).is_ok(),
        try_docker(&["image", "inspect", image.tag()]).is_ok(),
        try_docker(&["image", "inspect", &tag]).is_ok(),
    ];
    drop(container);
    let _ = try_docker(&["volume", "rm", &volume]);
    let _ = try_docker(&["network", "rm", &network]);
    let _ = try_docker(&["image", "rm", &tag]);
    assert_eq!(kept, [true; 5], "container, volumes, network, image, tag; {said}");
}

#[test]
fn a_commit_of_a_recorded_container_is_its_users() {
    let _alone = alone();
    let image = image();
    let mut recording = Recording::begin(image.tag(), &[]);
    let recorded = recording.container("running").unwrap();
    let labels = |container: &str| {
        let text = docker(&["inspect", "--format", "{{json .Config.Labels}}", container]);
        serde_json::from_str::<std::collections::BTreeMap<String, String>>(&text).unwrap()
    };
    let commit = Image::to_be("committed");
    docker(&[
        "commit",
        "--change",
        "LABEL io.github.slim.odd=1 mine=1",
        &recorded,
        commit.tag(),
    ]);
    let container = Container::run(&[commit.tag()]);
    let (first, inherited) = (labels(&recorded), labels(container.name()));
    assert_eq!(first["io.github.slim.token"].len(), 32);
    for (name, value) in &first {
        assert_eq!(inherited.get(name), Some(value), "docker commit copies {name}");
    }

    // Recorded itself, its labels in slim's name are slim's or empty.
    let again = Recording::begin(commit.tag(), &[]);
    let second = labels(&again.container("running").unwrap());
    assert_eq!(second["io.github.slim.odd"], "");
    assert_eq!(second["mine"], "1");
    assert_ne!(second["io.github.slim.token"], first["io.github.slim.token"]);
    assert!(second["io.github.slim.owner"].contains(&format!(":{}:", again.child.id())));
    drop(again);

    recording.signal("KILL");
    recording.assert_nothing_stays("KILL");
    another_slim(recording.state.path());
    assert!(is_running(container.name()));
}

#[test]
fn a_record_that_others_could_have_written_removes_nothing() {
    let _alone = alone();
    let state = tempfile::tempdir().unwrap();
    let container = Container::run(&["debian:bookworm", "sleep", "600"]);
    let line = |value: serde_json::Value| format!("{value}\n");
    let text = line(serde_json::json!({"owner": {"boot": "b", "pid": 1, "start": 1, "pid_namespace": 1}}))
        + &line(serde_json::json!({"making": {"number": 0, "thing": {
            "kind": "container", "name": container.name(), "token": "0".repeat(32),
            "place": {"docker": {"unix": std::fs::canonicalize("/var/run/docker.sock").unwrap()}},
        }}}))
        + &line(serde_json::json!({"made": {"number": 0, "id": container.inspect("{{.Id}}")}}));
    let path = state.path().join("hostile.owned");
    let broken = state.path().join("broken.owned");
    std::fs::write(&path, &text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    std::fs::write(&broken, text.clone() + "nonsense\n").unwrap();
    let said = another_slim(state.path());
    assert!(is_running(container.name()), "{said}");
    for (path, problem) in [
        (&path, "others than its owner may write to it"),
        (&broken, "line 4 is not what slim writes"),
    ] {
        assert!(path.exists(), "it is kept to be looked at");
        let named = format!("{}: {problem}", path.display());
        assert!(said.contains(&named), "{named}: {said}");
    }
    std::fs::remove_file(&broken).unwrap();
    // An engine that is not the one that slim talks to has other containers.
    let elsewhere = state.path().join("elsewhere.owned");
    let other = serde_json::json!({"tcp": {"authority": "127.0.0.1:1", "tls": null}});
    let here = serde_json::json!({"unix": std::fs::canonicalize("/var/run/docker.sock").unwrap()});
    std::fs::write(&elsewhere, text.replace(&here.to_string(), &other.to_string())).unwrap();
    another_slim(state.path());
    assert!(is_running(container.name()) && elsewhere.exists());
    // The same words, written by this user alone, are believed: it is the place that makes them slim's.
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = another_slim(state.path());
    assert!(!is_running(container.name()) && !path.exists(), "{said}");
}

#[test]
fn a_killed_slim_takes_nothing_of_a_living_one_with_it() {
    let _alone = alone();
    let image = image();
    let state = tempfile::tempdir().unwrap();
    let begin = || {
        let output = tempfile::tempdir().unwrap();
        let mut child = slim()
            .env("SLIM_STATE", state.path())
            .args(["record", image.tag(), "--until-interrupt", "--output"])
            .arg(output.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the container", Duration::from_secs(60), || {
            assert_eq!(child.try_wait().unwrap(), None, "slim ended");
            container_of(child.id(), "running").is_some()
        });
        (child, output)
    };
    let (mut first, _first) = begin();
    let (mut second, _second) = begin();
    let kept = container_of(second.id(), "running").unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    wait_until("the first one's container's end", Duration::from_secs(20), || {
        container_of(first.id(), "").is_none()
    });
    another_slim(state.path());
    assert!(is_running(&kept));
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 1);
    run(Command::new("kill").args(["-INT", &second.id().to_string()]));
    assert!(second.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
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
