//! Products under profiles that the kernel enforces: they answer as the original, and what the profile must stop is tried
//! and is stopped.
//!
//! This needs a kernel with AppArmor or SELinux, which `cargo xtask vm test` boots; elsewhere the tests are listed as
//! ignored.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use slim_core::pipeline::load_bodies;
use slim_core::recording::{Exchange, Recording};
use slim_tests::{Container, Image, Product, answers, build_sample, run, size, try_docker, workspace};

/// The attempts of the fixture, in its order.
const TRIED: [&str; 4] = [
    "read /etc/shadow",
    "write /usr/escaped",
    "execute /new",
    "raw socket",
];

/// A security module of the kernel.
struct Module {
    name: &'static str,
    /// The options that `slim build` needs.
    flags: &'static [&'static str],
    /// Loads the profile in an output directory.
    load: fn(&Path) -> Loaded,
    /// Options that keep the profile out of a container, before one is loaded.
    free: &'static [&'static str],
    /// True if it tells the host's files from the image's, and not one path from another.
    by_label: bool,
}

/// A loaded profile.
struct Loaded {
    /// Options that put a container under it.
    options: Vec<String>,
    /// The beginning of a confined process's `/proc/PID/attr/current`.
    label: String,
    /// The text in every line of the kernel's log on a refusal under it.
    refusal: [String; 2],
    /// Undoes the loading.
    _unload: Unload,
}

/// A command for the end, failed or not.
struct Unload(Command);

impl Drop for Unload {
    fn drop(&mut self) {
        let _ = self.0.status();
    }
}

impl Loaded {
    /// The kernel's log of refusals.
    fn refusals(&self) -> Vec<String> {
        let log = run(&mut Command::new("dmesg"));
        let lines = log.lines();
        let refused = lines.filter(|line| self.refusal.iter().all(|word| line.contains(word)));
        refused.map(str::to_owned).collect()
    }
}

const APPARMOR: Module = Module {
    name: "AppArmor",
    flags: &[],
    load: apparmor,
    free: &["--security-opt=apparmor=unconfined"],
    by_label: false,
};

fn apparmor(output: &Path) -> Loaded {
    let file = output.join("apparmor.profile");
    run(Command::new("apparmor_parser").arg("--replace").arg(&file));
    let name = run(Command::new("apparmor_parser").arg("--names").arg(&file));
    let name = name.trim();
    let mut unload = Command::new("apparmor_parser");
    unload.arg("--remove").arg(&file);
    Loaded {
        options: vec![format!("--security-opt=apparmor={name}")],
        label: format!("{name} (enforce)"),
        refusal: ["apparmor=\"DENIED\"".into(), format!("profile=\"{name}\"")],
        _unload: Unload(unload),
    }
}

const SELINUX: Module = Module {
    name: "SELinux",
    flags: &["--format", "selinux"],
    load: selinux,
    free: &[],
    by_label: true,
};

/// Debian's engine labels nothing unless it is told to, and then starts no container without both types: its policy
/// lacks the ones that the engine takes by default.
fn selinux(output: &Path) -> Loaded {
    let module = output.join("selinux.cil");
    compiled(&module);
    // Fails where the engine has settings of its own.
    std::fs::create_dir_all("/etc/docker").unwrap();
    let mut settings = File::create_new("/etc/docker/daemon.json").unwrap();
    let mut unload = Command::new("sh");
    unload.args([
        "-c",
        "rm /etc/docker/daemon.json; systemctl restart docker; semodule --remove selinux",
    ]);
    let unload = Unload(unload);
    settings.write_all(br#"{"selinux-enabled": true}"#).unwrap();
    run(Command::new("systemctl").args(["restart", "docker"]));
    run(Command::new("semodule").arg("--install").arg(&module));

    let untyped = try_docker(&["run", "--rm", "--network=none", "debian:bookworm", "true"]);
    let said = untyped.map_or_else(|error| error, |_| "nothing: it started".to_owned());
    let said = said.lines().next().unwrap_or_default();
    println!("enforced: to a container without the two types, the engine with labels said: `{said}`");

    let text = std::fs::read_to_string(&module).unwrap();
    let block = text
        .lines()
        .find_map(|line| line.strip_prefix("(block "))
        .unwrap();
    let label = format!("system_u:system_r:{block}.process:s0");
    Loaded {
        options: vec![
            format!("--security-opt=label=type:{block}.process"),
            format!("--security-opt=label=filetype:{block}.file"),
        ],
        refusal: ["avc:  denied".into(), format!(" scontext={label}")],
        label,
        _unload: unload,
    }
}

/// Compiles a module with those of the policy that is loaded.
fn compiled(module: &Path) {
    let modules = Path::new("/var/lib/selinux/default/active/modules/100");
    let scratch = tempfile::tempdir().unwrap();
    let mut extract = Command::new("semodule");
    extract.current_dir(scratch.path()).arg("--cil");
    for entry in std::fs::read_dir(modules).unwrap() {
        extract.arg("--extract").arg(entry.unwrap().file_name());
    }
    run(&mut extract);
    let mut compile = Command::new("secilc");
    compile.args(["--output", "/dev/null", "--filecontext", "/dev/null"]);
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        compile.arg(entry.unwrap().path());
    }
    run(compile.arg(module));
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

/// The results of the attempts in the place of a program of the original image, as root and under Docker's default
/// capabilities, so that nothing but the profile can be what stops them.
fn tried(image: &str, place: &str, program: &Path, options: &[String]) -> Vec<String> {
    // It gets the container's label, where there are labels.
    let volume = format!("--volume={}:{place}:ro,Z", program.display());
    let entrypoint = format!("--entrypoint={place}");
    let mut arguments = vec![
        "--user=0:0",
        "--network=none",
        "--security-opt=seccomp=unconfined",
        &volume,
        &entrypoint,
    ];
    arguments.extend(options.iter().map(String::as_str));
    arguments.push(image);
    let container = Container::run(&arguments);
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

fn confines(module: &Module, sample: &str) {
    let (output, image) = build_sample(sample, module.flags);
    let recording = Recording::load(output.path()).unwrap();
    assert_eq!(recording.losses().total(), 0);
    let exchanges: Vec<Exchange> = recording
        .runs
        .values()
        .flat_map(|run| run.exchanges.clone())
        .collect();
    let bodies = load_bodies(&recording, output.path()).unwrap();
    let original = Image::sample(sample);

    let scratch = tempfile::tempdir().unwrap();
    let (attempt, place) = (attempt(scratch.path()), program(&recording));
    let outcomes = |outcome: &str| TRIED.map(|what| format!("{what}: {outcome}"));
    let new = scratch.path().join("new");
    std::fs::copy(&attempt, &new).unwrap();
    let mut mounted = vec![format!("--volume={}:/new:ro", new.display())];
    if module.by_label {
        let escaped = scratch.path().join("escaped");
        std::fs::write(&escaped, "").unwrap();
        mounted.push("--volume=/etc/shadow:/etc/shadow:ro".into());
        mounted.push(format!("--volume={}:/usr/escaped", escaped.display()));
    }
    let free: Vec<String> = module.free.iter().map(ToString::to_string).collect();
    let options = [mounted.clone(), free].concat();
    assert_eq!(tried(&original, &place, &attempt, &options), outcomes("done"));

    let profile = (module.load)(output.path());
    let product = Product {
        container: Container::by_script(&output.path().join("run.sh"), &profile.options),
    };
    let pid = product.container.inspect("{{.State.Pid}}");
    let confined = std::fs::read_to_string(format!("/proc/{pid}/attr/current"));
    let confined = confined.unwrap_or_else(|_| format!("ended: {}", profile.refusals().join("\n")));
    assert!(confined.starts_with(&profile.label), "{confined}");
    let given = product.answers(&exchanges, &bodies);
    assert_eq!(given, answers(&exchanges), "{}", profile.refusals().join("\n"));
    drop(product);
    let refused = profile.refusals();

    let options = [mounted, profile.options.clone()].concat();
    assert_eq!(tried(&original, &place, &attempt, &options), outcomes("EACCES"));
    let stopped = profile.refusals().split_off(refused.len());
    assert!(stopped.len() >= TRIED.len(), "{}", stopped.join("\n"));

    let megabytes = |image: &str| size(image) as f64 / 1e6;
    println!(
        "enforced: {sample}: {:.1} → {:.1} MB; {} questions answered as before under {} in enforce mode, {} refusals logged; in \
         the place of {place}, stopped{}: {}, {} refusals logged",
        megabytes(&original),
        megabytes(image.tag()),
        given.len(),
        module.name,
        refused.len(),
        if module.by_label {
            " (the files are the host's, mounted there)"
        } else {
            ""
        },
        TRIED.join(", "),
        stopped.len(),
    );
    println!("{}\n{}", refused.join("\n"), stopped.join("\n"));
}

#[test]
#[ignore = "needs a kernel that enforces AppArmor: cargo xtask vm test"]
fn apparmor_confines_nginx() {
    confines(&APPARMOR, "nginx");
}

#[test]
#[ignore = "needs a kernel that enforces AppArmor: cargo xtask vm test"]
fn apparmor_confines_python_flask() {
    confines(&APPARMOR, "python-flask");
}

#[test]
#[ignore = "needs a kernel that enforces AppArmor: cargo xtask vm test"]
fn apparmor_confines_multi() {
    confines(&APPARMOR, "multi");
}

#[test]
#[ignore = "needs a kernel that enforces SELinux: cargo xtask vm test"]
fn selinux_confines_nginx() {
    confines(&SELINUX, "nginx");
}
