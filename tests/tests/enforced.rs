//! Products under profiles that the kernel enforces: they answer as the original, and what the profile must stop is tried
//! and is stopped.
//!
//! This needs a kernel with AppArmor, which `cargo xtask vm test` boots; elsewhere the tests are listed as ignored.

use std::path::{Path, PathBuf};
use std::process::Command;

use slim_core::pipeline::load_bodies;
use slim_core::recording::{Exchange, Recording};
use slim_tests::{Container, Image, Product, answers, build_sample, run, size, workspace};

/// What the fixture tries, in its order.
const TRIED: [&str; 4] = [
    "read /etc/shadow",
    "write /usr/escaped",
    "execute /new",
    "raw socket",
];

/// A loaded AppArmor profile, which is unloaded at the end.
struct Loaded<'a> {
    file: &'a Path,
    name: String,
}

impl<'a> Loaded<'a> {
    fn new(file: &'a Path) -> Self {
        run(Command::new("apparmor_parser").arg("--replace").arg(file));
        let name = run(Command::new("apparmor_parser").arg("--names").arg(file));
        Self {
            file,
            name: name.trim().to_owned(),
        }
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        let _ = Command::new("apparmor_parser")
            .arg("--remove")
            .arg(self.file)
            .status();
    }
}

/// What the kernel logged of refusals under a profile.
fn refusals(name: &str) -> String {
    let log = run(&mut Command::new("dmesg"));
    let of_it = format!("profile=\"{name}\"");
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("apparmor=\"DENIED\"") && line.contains(&of_it))
        .collect();
    lines.join("\n")
}

/// The fixture, compiled.
fn attempt(directory: &Path) -> PathBuf {
    let program = directory.join("attempt");
    run(Command::new("gcc")
        .args(["-O1", "-static", "-o"])
        .arg(&program)
        .arg(workspace().join("tests/fixtures/attempt.c")));
    program
}

/// What comes of the attempts in the place of a program of the original image, as root and under Docker's default
/// capabilities, so that nothing but the profile can be what stops them.
fn tried(image: &str, place: &str, program: &Path, profile: &str) -> Vec<String> {
    let container = Container::run(&[
        "--user=0:0",
        "--network=none",
        "--security-opt=seccomp=unconfined",
        &format!("--security-opt=apparmor={profile}"),
        &format!("--volume={}:{place}:ro", program.display()),
        &format!("--volume={}:/new:ro", program.display()),
        &format!("--entrypoint={place}"),
        image,
    ]);
    let code = container.wait();
    let log = container.logs();
    assert_eq!(code, 0, "{log}");
    log.lines().map(str::to_owned).collect()
}

/// The file that runs as the application: of a script, its interpreter.
fn program(recording: &Recording) -> String {
    let programs = recording.runs.values().flat_map(|run| &run.programs);
    let most = programs
        .max_by_key(|program| program.count)
        .expect("a program was executed");
    most.interpreter.as_ref().unwrap_or(&most.path).to_string()
}

fn apparmor_confines(sample: &str) {
    let (output, image) = build_sample(sample, &[]);
    let recording = Recording::load(output.path()).unwrap();
    assert_eq!(recording.losses().total(), 0);
    let exchanges: Vec<Exchange> = recording
        .runs
        .values()
        .flat_map(|run| run.exchanges.clone())
        .collect();
    let bodies = load_bodies(&recording, output.path()).unwrap();
    let original = Image::sample(sample);

    let file = output.path().join("apparmor.profile");
    let profile = Loaded::new(&file);
    let product = Product {
        container: Container::by_script(&output.path().join("run.sh")),
    };
    assert_eq!(product.container.inspect("{{.AppArmorProfile}}"), profile.name);
    let pid = product.container.inspect("{{.State.Pid}}");
    let confined = std::fs::read_to_string(format!("/proc/{pid}/attr/current")).unwrap();
    assert_eq!(confined.trim(), format!("{} (enforce)", profile.name));
    let given = product.answers(&exchanges, &bodies);
    assert_eq!(given, answers(&exchanges), "{}", refusals(&profile.name));
    let refused = refusals(&profile.name);
    drop(product);

    let scratch = tempfile::tempdir().unwrap();
    let (attempt, place) = (attempt(scratch.path()), program(&recording));
    let outcomes = |outcome: &str| TRIED.map(|what| format!("{what}: {outcome}"));
    assert_eq!(tried(&original, &place, &attempt, "unconfined"), outcomes("done"));
    assert_eq!(
        tried(&original, &place, &attempt, &profile.name),
        outcomes("EACCES")
    );

    let megabytes = |image: &str| size(image) as f64 / 1e6;
    println!(
        "enforced: {sample}: {:.1} → {:.1} MB; {} questions answered as before under AppArmor in enforce mode; in the place \
         of {place}, stopped: {}; {} other refusals were logged",
        megabytes(&original),
        megabytes(image.tag()),
        given.len(),
        TRIED.join(", "),
        refused.lines().count(),
    );
    println!("{refused}");
}

#[test]
#[ignore = "needs a kernel that enforces AppArmor: cargo xtask vm test"]
fn apparmor_confines_nginx() {
    apparmor_confines("nginx");
}

#[test]
#[ignore = "needs a kernel that enforces AppArmor: cargo xtask vm test"]
fn apparmor_confines_python_flask() {
    apparmor_confines("python-flask");
}

#[test]
#[ignore = "needs a kernel that enforces AppArmor: cargo xtask vm test"]
fn apparmor_confines_multi() {
    apparmor_confines("multi");
}
