//! Images that hold what was made to end slim or to keep it for ever: they are slimmed like others, and a signal ends
//! planning.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use slim_tests::{Image, docker, report, run, slim, wait_until};

/// A script that nests so deeply, and prints what a file beside it holds.
fn attack(levels: usize) -> String {
    format!(
        "#!/bin/sh\nif false; then {}a{}; fi\ncat /app/data.txt\n",
        "$(".repeat(levels),
        ")".repeat(levels)
    )
}

#[test]
fn an_image_with_hostile_scripts_is_slimmed_and_works() {
    let dockerfile = "FROM debian:bookworm\nCOPY small.sh large.sh data.txt main.lua main.rb main.pl /app/\n\
        CMD [\"/bin/sh\", \"-c\", \"tail -n 1 /app/large.sh >/dev/null; tail -n 1 /app/main.* >/dev/null; sh /app/small.sh\"]\n";
    // The shell itself recurses for each level.
    let files: [(&str, String); 6] = [
        ("small.sh", attack(2000)),
        ("large.sh", attack(34_000)),
        ("data.txt", "it works\n".to_owned()),
        ("main.lua", format!("require('{}')", "x.".repeat(50_000))),
        ("main.rb", format!("require '{}'", "x.".repeat(50_000))),
        ("main.pl", format!("q{}", "{".repeat(1_000_000))),
    ];
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    let image = Image::from_dockerfile("hostile", dockerfile, &files);
    let product = Image::to_be("hostile-product");
    let output = tempfile::tempdir().unwrap();
    run(slim()
        .args([
            "build",
            image.tag(),
            "--probe",
            "none",
            "--until-exit",
            "--tag",
            product.tag(),
            "--output",
        ])
        .arg(output.path()));
    assert_eq!(docker(&["run", "--rm", product.tag()]).trim(), "it works");
    let notes = report(output.path())["notes"].to_string();
    assert!(
        notes.contains("/app/large.sh: takes too many steps to parse"),
        "{notes}"
    );
}

#[test]
fn a_signal_ends_planning_within_a_second_or_so() {
    let mut dockerfile = "FROM debian:bookworm\nCOPY app /app\n".to_owned();
    writeln!(
        dockerfile,
        "CMD [\"tail\", \"-q\", \"-n\", \"1\", \"/app/main.js\"]"
    )
    .unwrap();
    // Each takes a parser seconds, within its bounds.
    let slow = "a:b ".repeat(15_000);
    let files: Vec<(String, &[u8])> = (0..40)
        .map(|number| (format!("app/{number}.js"), slow.as_bytes()))
        .chain([("app/main.js".to_owned(), &b"require('./1')"[..])])
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), *bytes))
        .collect();
    let image = Image::from_dockerfile("planning", &dockerfile, &files);
    let product = Image::to_be("planning-product");
    for signal in ["-INT", "-TERM"] {
        let output = tempfile::tempdir().unwrap();
        let child = slim()
            .args([
                "build",
                image.tag(),
                "--probe",
                "none",
                "--until-exit",
                "--include",
                "/app",
            ])
            .args(["--tag", product.tag(), "--output"])
            .arg(output.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Planning is at work where a parser is.
        let tasks = format!("/proc/{}/task", child.id());
        wait_until("planning", Duration::from_secs(120), || {
            let threads = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
            let mut names =
                threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
            names.any(|name| name.trim() == "parser")
        });
        let clock = Instant::now();
        run(Command::new("kill").args([signal, &child.id().to_string()]));
        let ended = child.wait_with_output().unwrap();
        let (took, said) = (
            clock.elapsed(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        );
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(
            said.contains("interrupted; what was created is removed"),
            "{said}"
        );
        let left: Vec<_> = std::fs::read_dir(output.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name.to_string_lossy().contains("files.tar"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
