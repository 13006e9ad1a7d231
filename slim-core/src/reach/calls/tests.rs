use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use libseccomp::{ScmpArch, ScmpSyscall};

use super::graph::{Calls, File, Names, reach};
use super::of_kept;
use super::sweep::part_of;
use crate::cancel::Cancel;
use crate::image::memory::tree;
use crate::path::RootPath;
use crate::reach::elf::parse;
use crate::reach::tests::{image, reached_with, used};
use crate::reach::{Options, SeccompReach};

/// The file at `path` of this machine, and the libraries that it needs.
fn with_libraries(programs: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut todo: Vec<String> = programs.iter().map(ToString::to_string).collect();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    while let Some(path) = todo.pop() {
        let Ok(real) = std::fs::canonicalize(&path) else {
            continue;
        };
        let real = real.to_string_lossy().into_owned();
        if files.iter().any(|(known, _)| *known == real) {
            continue;
        }
        let bytes = std::fs::read(&real).expect("a program of this machine is readable");
        let elf = elf(&bytes).expect("a program of this machine is an ELF file");
        todo.extend(
            elf.interpreter
                .iter()
                .map(|loader| String::from_utf8_lossy(loader).into_owned()),
        );
        todo.extend(elf.needed.iter().map(|name| {
            let name = String::from_utf8_lossy(name);
            let directories = [
                "/lib/x86_64-linux-gnu",
                "/usr/lib/x86_64-linux-gnu",
                "/lib64",
                "/lib",
            ];
            let found = directories.iter().map(|directory| format!("{directory}/{name}"));
            found
                .into_iter()
                .find(|path| Path::new(path).exists())
                .unwrap_or_default()
        }));
        files.push((real, bytes));
    }
    files
}

fn elf(bytes: &[u8]) -> Option<parse::Elf> {
    parse::parse(&parse::slice(bytes)).expect("reading memory does not fail")
}

/// The calls that `files` can make, with the names of tables that are used.
fn calls(files: &[(String, Vec<u8>)], names: &Names) -> Calls {
    let needed: BTreeSet<Vec<u8>> = files
        .iter()
        .filter_map(|(_, bytes)| elf(bytes))
        .flat_map(|elf| elf.needed)
        .collect();
    let parts: Vec<File> = files
        .iter()
        .map(|(path, bytes)| File {
            path: RootPath::new(path.as_bytes()),
            part: part_of(bytes).expect("it is an x86-64 ELF file"),
            is_needed: path
                .rsplit('/')
                .next()
                .is_some_and(|name| needed.contains(name.as_bytes())),
        })
        .collect();
    reach(&parts, names)
}

fn names(calls: &Calls) -> BTreeSet<String> {
    let name = |number: &u32| {
        let number = i32::try_from(*number).expect("numbers are small");
        ScmpSyscall::from(number).get_name_by_arch(ScmpArch::X8664).ok()
    };
    calls.numbers.keys().filter_map(name).collect()
}

/// A program of this machine that every Debian has.
const PROGRAM: &str = "/usr/bin/cat";

#[test]
fn a_program_reaches_what_it_calls_and_no_more_than_half_of_all() {
    let files = with_libraries(&[PROGRAM]);
    let found = calls(&files, &Names::default());
    let names = names(&found);
    for name in [
        "read",
        "write",
        "openat",
        "close",
        "mmap",
        "exit_group",
        "rt_sigreturn",
    ] {
        assert!(names.contains(name), "{name} is not reached: {names:?}");
    }
    for name in ["mount", "ptrace", "reboot", "listen", "init_module"] {
        assert!(!names.contains(name), "{name} is reached: {names:?}");
    }
    assert!(names.len() < 100, "{}", names.len());
    for (number, chain) in &found.numbers {
        assert!(!chain.is_empty(), "call {number} has no chain");
    }
}

/// The oracle: whatever programs call under strace, they reach.
#[test]
fn whatever_strace_sees_is_reached() {
    let programs: &[&[&str]] = &[
        &["/usr/bin/ls", "-la", "/usr"],
        &["/usr/bin/sort", "-u", "/etc/passwd"],
        &["/usr/bin/stat", "/etc/passwd"],
        &["/usr/bin/id", "root"],
        &["/usr/bin/find", "/etc", "-maxdepth", "1"],
        &["/usr/bin/dd", "if=/dev/zero", "of=/dev/null", "count=2"],
        &["/usr/bin/date"],
        &["/usr/bin/timeout", "5", "/usr/bin/true"],
    ];
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let log = directory.path().join("log");
    let mut pairs = 0;
    for program in programs {
        let status = std::process::Command::new("strace")
            .args(["-qq", "-o"])
            .arg(&log)
            .arg("--")
            .args(*program)
            .stdout(std::process::Stdio::null())
            .status();
        let Ok(status) = status else {
            assert!(std::env::var_os("CI").is_none(), "strace is not installed");
            eprintln!("not run: strace is not installed");
            return;
        };
        assert!(status.success(), "{program:?}");
        let text = std::fs::read_to_string(&log).expect("strace wrote its log");
        let mut loaded: Vec<String> = vec![program[0].to_owned()];
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once('(') else {
                continue;
            };
            seen.insert(name.to_owned());
            if name == "openat"
                && rest.contains(".so")
                && !rest.contains("ld.so.cache")
                && !rest.contains("= -1")
            {
                loaded.extend(rest.split('"').nth(1).map(str::to_owned));
            }
        }
        let loaded: Vec<&str> = loaded.iter().map(String::as_str).collect();
        let reached = names(&calls(&with_libraries(&loaded), &Names::default()));
        // The program itself was executed by strace.
        seen.remove("execve");
        let missed: Vec<&String> = seen.difference(&reached).collect();
        assert!(
            missed.is_empty(),
            "{program:?} called {missed:?}, which it does not reach"
        );
        pairs += seen.len();
    }
    assert!(pairs > 100, "strace saw {pairs} calls");
}

#[test]
fn more_files_never_reach_less() {
    let mut files = with_libraries(&[PROGRAM]);
    let few = names(&calls(&files, &Names::default()));
    files.extend(with_libraries(&["/usr/bin/find"]));
    files.sort();
    files.dedup();
    let more = names(&calls(&files, &Names::default()));
    assert!(few.is_subset(&more), "{:?}", few.difference(&more));
    assert!(few.len() < more.len());
}

#[test]
fn a_table_of_python_is_followed_by_names_that_sources_use() {
    let python = [
        "/usr/bin/python3.11",
        "/usr/bin/python3.12",
        "/usr/bin/python3.13",
    ];
    let Some(python) = python.iter().find(|path| Path::new(path).exists()) else {
        assert!(std::env::var_os("CI").is_none(), "python3 is not installed");
        eprintln!("not run: python3 is not installed");
        return;
    };
    let files = with_libraries(&[python]);
    let with = |names: &[&str]| Names {
        python: Some(names.iter().map(ToString::to_string).collect::<HashSet<_>>()),
        php: None,
    };
    let none = names(&calls(&files, &with(&[])));
    let chroot = calls(&files, &with(&["posix", "chroot"]));
    assert!(!none.contains("chroot"), "{none:?}");
    assert!(names(&chroot).contains("chroot"));
    let number = u32::try_from(i32::from(
        ScmpSyscall::from_name_by_arch("chroot", ScmpArch::X8664).expect("chroot has a number"),
    ));
    let chain = &chroot.numbers[&number.expect("it is positive")];
    assert!(
        chain.iter().any(|step| step.by_name.as_deref() == Some("chroot")),
        "{chain:?}"
    );
}

#[test]
fn damaged_files_are_none_or_ended() {
    let bytes = std::fs::read("/usr/bin/cat").expect("it is readable");
    for length in [0, 4, 63, 64, 200, 1000, bytes.len() / 2] {
        let _ = part_of(&bytes[..length]);
    }
    let mut seed = 1_u32;
    for _ in 0..40 {
        let mut damaged = bytes.clone();
        for _ in 0..200 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (seed as usize) % damaged.len();
            damaged[at] = (seed >> 24) as u8;
        }
        let _ = part_of(&damaged);
    }
}

#[test]
fn sections_beyond_the_file_are_not_read() {
    let bytes = std::fs::read(PROGRAM).expect("a program of this machine is readable");
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let half = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    // Source: System V ABI, "Object Files": e_shoff, e_shnum; sh_size and sh_offset of each header of 64 bytes.
    let headers = usize::try_from(word(0x28)).expect("an offset");
    for section in 1..half(0x3c) {
        for member in [0x18, 0x20] {
            for value in [u64::MAX, u64::MAX / 2, bytes.len() as u64 + 1] {
                let mut damaged = bytes.clone();
                let at = headers + 64 * section + member;
                damaged[at..at + 8].copy_from_slice(&value.to_le_bytes());
                let _ = part_of(&damaged);
            }
        }
    }
}

#[test]
fn a_program_that_cannot_be_followed_is_named() {
    let bytes = std::fs::read(PROGRAM).expect("a program of this machine is readable");
    let mut other = bytes.clone();
    // Source: System V ABI, "ELF Header": e_machine; 40 is ARM.
    other[18..20].copy_from_slice(&40u16.to_le_bytes());
    let rootfs = tree(&[("/bin/this", &bytes), ("/bin/other", &other)]);
    let mut image = image(rootfs, serde_json::json!({}));
    image.config.0.insert("architecture".to_owned(), "amd64".into());
    let reached = reached_with(
        &image,
        vec![used("/bin/this"), used("/bin/other")],
        &Options::default(),
    );
    let calls = of_kept(&image, &reached, SeccompReach::Static, None, &Cancel::default());
    let calls = calls
        .expect("nothing cancels it")
        .expect("the image is for x86-64");
    let unread: Vec<String> = calls.unread.iter().map(ToString::to_string).collect();
    assert_eq!(unread, ["/bin/other"]);
}

#[test]
fn a_part_is_the_same_when_it_was_kept() {
    let files = with_libraries(&[PROGRAM]);
    let kept: Vec<File> = files
        .iter()
        .map(|(path, bytes)| {
            let part = part_of(bytes).expect("it is an x86-64 ELF file");
            let bytes = postcard::to_stdvec(&part).expect("it can be written");
            File {
                path: RootPath::new(path.as_bytes()),
                part: postcard::from_bytes(&bytes).expect("it can be read"),
                is_needed: false,
            }
        })
        .collect();
    let found: Vec<File> = files
        .iter()
        .map(|(path, bytes)| File {
            path: RootPath::new(path.as_bytes()),
            part: part_of(bytes).expect("it is an x86-64 ELF file"),
            is_needed: false,
        })
        .collect();
    assert_eq!(reach(&kept, &Names::default()), reach(&found, &Names::default()));
}
