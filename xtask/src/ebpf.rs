//! `cargo xtask ebpf`: builds the eBPF object that `slim-ebpf` embeds.
//!
//! The object is committed, so that building slim needs neither nightly nor LLVM. Beside it, `slim.bpf.txt` names the
//! compilers and a digest of the sources. Under those compilers a rebuild has the same bytes, wherever the checkout and
//! cargo's home are; under others the tracer's tests must pass on the rebuilt object.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::sh;

/// The committed object, and the text beside it.
const OBJECT: &str = "slim-ebpf/slim.bpf.o";
const ABOUT: &str = "slim-ebpf/slim.bpf.txt";

/// The sources of the object: the program's crate, and the types that it shares.
const SOURCES: &[&str] = &[
    "slim-ebpf/src",
    "slim-ebpf/program/src",
    "slim-ebpf/program/Cargo.toml",
    "slim-ebpf/program/Cargo.lock",
];

const TARGET: &str = "bpfel-unknown-none";

/// A Rust that can compile for BPF.
struct Toolchain {
    cargo: Command,
    /// `rustc -vV`.
    rustc: String,
    sysroot: String,
    linker: PathBuf,
    /// `bpf-linker --version`.
    linker_version: String,
    strip: PathBuf,
}

/// Rebuilds the object and the text beside it; with `check`, compares and writes neither.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = sh::workspace();
    let sources = digest(root)?;
    let about = std::fs::read_to_string(root.join(ABOUT)).unwrap_or_default();
    if check && !about.contains(&sources) {
        bail!(
            "{OBJECT} was not built from these sources ({ABOUT} names another digest): run cargo xtask ebpf"
        );
    }
    if check {
        lint(root)?;
    }
    let mut toolchain = toolchain()?;
    let object = build(&mut toolchain)?;
    let built = std::fs::read(&object).with_context(|| object.display().to_string())?;
    let now = format!(
        "slim.bpf.o, built by `cargo xtask ebpf`.\n\n{}\n{}\nsources: {sources}\n",
        toolchain.rustc, toolchain.linker_version
    );
    if !check {
        std::fs::write(root.join(OBJECT), &built).with_context(|| OBJECT.to_owned())?;
        std::fs::write(root.join(ABOUT), now).with_context(|| ABOUT.to_owned())?;
        eprintln!("{OBJECT}: {} bytes", built.len());
        return Ok(());
    }
    if now == about {
        let committed = std::fs::read(root.join(OBJECT)).with_context(|| OBJECT.to_owned())?;
        if committed != built {
            bail!(
                "{OBJECT} is not what its sources give ({} and {} bytes, rebuilt at {}): run cargo xtask ebpf",
                committed.len(),
                built.len(),
                object.display()
            );
        }
        eprintln!("{OBJECT} is what its sources give");
        return Ok(());
    }
    eprintln!("{OBJECT} was built by other compilers than these; testing the rebuilt one:\n{now}");
    sh::run(
        sh::cargo()
            .args(["test", "--package", "slim-tests", "--test", "trace"])
            .env("SLIM_EBPF_OBJECT", &object),
    )
}

/// Lints the program's crate, which is not in the workspace: each unsafe block has its reason. It is checked for this machine,
/// since clippy has no core for BPF; checking ends before instructions are assembled.
fn lint(root: &Path) -> Result<()> {
    sh::run(
        sh::cargo()
            .current_dir(root.join("slim-ebpf/program"))
            .args(["clippy", "--locked", "--target-dir"])
            .arg(sh::target_directory()?.join("ebpf-clippy"))
            .args(["--", "-Dwarnings"])
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "--cfg=bpf_target_arch=\"x86_64\"")
            .env_remove("CARGO_TARGET_DIR"),
    )
}

/// Builds the program and returns the stripped object.
fn build(toolchain: &mut Toolchain) -> Result<PathBuf> {
    let root = sh::workspace();
    let target = sh::target_directory()?.join("ebpf");
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?)
            .join(".cargo"),
    };
    // The paths of this machine must not be in the bytes.
    let flags = [
        format!("-Clinker={}", toolchain.linker.display()),
        "-Cpanic=abort".into(),
        "--cfg=bpf_target_arch=\"x86_64\"".into(),
        "-Clink-arg=--btf".into(),
        "-Cdebuginfo=2".into(),
        // Atomic operations that return a value.
        "-Ctarget-cpu=v3".into(),
        format!("--remap-path-prefix={}=.", root.display()),
        format!("--remap-path-prefix={}=cargo", home.display()),
        format!("--remap-path-prefix={}=rust", toolchain.sysroot),
    ];
    sh::run(
        toolchain
            .cargo
            .current_dir(root.join("slim-ebpf/program"))
            .args([
                "build",
                "--release",
                "--locked",
                "--target",
                TARGET,
                "--target-dir",
            ])
            .arg(&target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    let object = target.join("slim.bpf.o");
    // DWARF is ten times the program; BTF stays.
    sh::run(
        Command::new(&toolchain.strip)
            .arg("--strip-debug")
            .arg(target.join(TARGET).join("release/slim"))
            .arg(&object),
    )?;
    Ok(object)
}

/// Returns whether this machine can compile for BPF.
pub(crate) fn is_possible() -> bool {
    toolchain().is_ok()
}

/// Finds Debian's compiler with its core for BPF, or rustup's nightly with the sources of core.
fn toolchain() -> Result<Toolchain> {
    let linker = sh::which("bpf-linker")
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cargo/bin/bpf-linker")).filter(|path| path.is_file())
        })
        .context(MISSING)?;
    let linker_version = sh::output(Command::new(&linker).arg("--version"))?;
    let strip = strip().context("llvm-objcopy is missing: apt-get install llvm-22")?;

    let debian = Path::new("/usr/bin/rustc");
    if debian.is_file() && Path::new("/usr/lib/rustlib").join(TARGET).is_dir() {
        let mut cargo = Command::new("/usr/bin/cargo");
        clean(&mut cargo);
        cargo.env("RUSTC", debian).env("RUSTC_BOOTSTRAP", "1");
        return Ok(Toolchain {
            cargo,
            rustc: sh::output(Command::new(debian).arg("-vV"))?,
            sysroot: sh::output(Command::new(debian).args(["--print", "sysroot"]))?,
            linker,
            linker_version,
            strip,
        });
    }
    let nightly = |arguments: &[&str]| {
        let mut command = Command::new("rustc");
        clean(&mut command);
        sh::output(command.arg("+nightly").args(arguments))
    };
    let sysroot = nightly(&["--print", "sysroot"]).ok().context(MISSING)?;
    if !Path::new(&sysroot)
        .join("lib/rustlib/src/rust/library/core")
        .is_dir()
    {
        bail!(MISSING);
    }
    let mut cargo = Command::new("cargo");
    clean(&mut cargo);
    cargo.args(["+nightly", "-Zbuild-std=core"]);
    Ok(Toolchain {
        cargo,
        rustc: nightly(&["-vV"])?,
        sysroot,
        linker,
        linker_version,
        strip,
    })
}

const MISSING: &str = "no toolchain for BPF. On Debian: cargo xtask setup --tests. With rustup: rustup toolchain install \
                       nightly --component rust-src && cargo install bpf-linker";

/// Removes the variables that the cargo around this process set, which name another toolchain.
fn clean(command: &mut Command) {
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "CARGO", "RUSTC_WRAPPER"] {
        command.env_remove(name);
    }
}

fn strip() -> Option<PathBuf> {
    sh::which("llvm-objcopy").or_else(|| {
        (14..40)
            .rev()
            .map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin/llvm-objcopy")))
            .find(|path| path.is_file())
    })
}

/// A digest of the sources: names and contents, sorted.
fn digest(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    let mut paths: Vec<PathBuf> = SOURCES.iter().map(|source| root.join(source)).collect();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            for entry in path.read_dir().with_context(|| path.display().to_string())? {
                paths.push(entry?.path());
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    let mut text = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).display();
        let content = std::fs::read(&file).with_context(|| file.display().to_string())?;
        writeln!(text, "{name} {}", content.len())?;
        text.extend(content);
    }
    Ok(format!("sha256:{}", sh::digest(&text)?))
}
