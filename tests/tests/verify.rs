//! The product is run before it is called good: what it missed is mended, what cannot be is said, and nothing else gets a
//! tag.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use slim_core::plan::{Plan, Reason};
use slim_core::recording::Abi;
use slim_tests::{Image, assert_exit, docker, plan, report, run, slim, try_docker};

/// A server that does more when a header asks for it, in words that no reader of its source can put together.
const SERVER: &str = r#"
use IO::Socket::INET;
my $own = "/srv/own.txt";
chown 0, 0, $own;
my $data = join "", reverse split //, "txt.atad/vrs/";
my $extra = join "", reverse split //, "txt.artxe/vrs/";
my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die "listen: $!";
sub content { open my $f, "<", $_[0] or return "no $_[0]: $!"; local $/; <$f> }
while (my $c = $s->accept) {
    my %headers; my $request = <$c>;
    while (<$c>) { last if /^\s*$/; $headers{lc $1} = $2 if /^([\w-]+):\s*(\S+)/ }
    my $status = "200 OK";
    my $body = content($data);
    $status = "500 Internal Server Error" if $body =~ /^no /;
    $body .= content($extra) if $headers{"x-extra"};
    $body .= "sync " . syscall(162) . "\n" if $headers{"x-sync"};
    $body .= "chown " . (chown(1, 1, $own) ? "done" : "refused") . "\n" if $headers{"x-chown"};
    $body .= "at " . localtime() . ", " . time() . ", id " . int(rand(1e9)) . ", host $ENV{HOSTNAME}\n"
        if $request =~ m{^GET /now };
    $body = "<a href=/now>now</a> $body" if $request =~ m{^GET / };
    print $c "HTTP/1.0 $status\r\nContent-Type: text/html\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    close $c;
}
"#;

const DOCKERFILE: &str = "FROM debian:bookworm\nCOPY server.pl /usr/local/lib/server.pl\nCOPY data.txt extra.txt own.txt /srv/\n\
    EXPOSE 8000\nSTOPSIGNAL SIGKILL\nCMD [\"perl\", \"/usr/local/lib/server.pl\"]\n";

fn server(name: &str) -> Image {
    let files: [(&str, &[u8]); 4] = [
        ("server.pl", SERVER.as_bytes()),
        ("data.txt", b"data\n"),
        ("extra.txt", b"extra\n"),
        ("own.txt", b"own\n"),
    ];
    Image::from_dockerfile(name, DOCKERFILE, &files)
}

/// `slim build` of what was observed alone, so that nothing is kept by foresight.
fn build(image: &Image, product: &Image, directory: &Path, words: &[&str]) -> Output {
    slim_tests::require_root();
    slim()
        .args([
            "build",
            image.tag(),
            "--keep",
            "observed",
            "--tag",
            product.tag(),
            "--output",
        ])
        .arg(directory)
        .args(words)
        .output()
        .expect("slim was built")
}

/// `slim build` with questions of the user's own.
fn asked(name: &str, questions: &str, words: &[&str]) -> (Output, serde_json::Value) {
    let (image, product) = (server(name), Image::to_be(name));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("questions.yaml");
    std::fs::write(&file, questions).unwrap();
    let words = [&["--verify-file", file.to_str().unwrap()], words].concat();
    let output = build(&image, &product, &directory.path().join("out"), &words);
    let report = report(&directory.path().join("out"));
    (output, report)
}

/// The mended things, each with its round.
fn healed(report: &serde_json::Value) -> Vec<(String, u64)> {
    let all = report["verification"]["healed"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    all.iter()
        .map(|healed| {
            let what = healed["miss"]["what"].as_str().unwrap_or_default().to_owned();
            (what, healed["round"].as_u64().unwrap_or_default())
        })
        .collect()
}

/// The outcome of an aspect.
fn outcome<'a>(report: &'a serde_json::Value, aspect: &str) -> &'a str {
    report["verification"]["verdicts"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|verdict| verdict["aspect"] == aspect)
        .and_then(|verdict| verdict["outcome"].as_str())
        .unwrap_or("no verdict")
}

#[test]
fn a_file_that_only_a_header_asks_for_is_added_in_one_round() {
    let questions = "- path: /page\n  headers: {x-extra: \"1\"}\n";
    let (output, report) = asked("verify-file", questions, &[]);
    assert_exit(&output, 0);
    assert_eq!(healed(&report), [("/srv/extra.txt".to_owned(), 1)]);
    assert_eq!(outcome(&report, "image"), "passed");
}

#[test]
fn a_system_call_that_the_first_run_did_not_make_is_added_in_one_round() {
    let questions = "- path: /page\n  headers: {x-sync: \"1\"}\n";
    let (output, report) = asked("verify-call", questions, &[]);
    assert_exit(&output, 0);
    assert_eq!(healed(&report), [("sync".to_owned(), 1)]);
    assert_eq!(outcome(&report, "seccomp"), "passed");
}

#[test]
fn a_capability_that_the_first_run_did_not_use_is_added_in_one_round() {
    let questions = "- path: /page\n  headers: {x-chown: \"1\"}\n";
    let (output, report) = asked("verify-capability", questions, &[]);
    assert_exit(&output, 0);
    assert_eq!(healed(&report), [("CAP_CHOWN".to_owned(), 1)]);
    assert_eq!(outcome(&report, "capabilities"), "passed");
    // It changes the owner of a file that is kept.
    assert_eq!(outcome(&report, "read-only"), "failed");
}

#[test]
fn what_is_not_mended_is_said_and_gets_no_tag() {
    let questions = "- path: /page\n  headers: {x-extra: \"1\"}\n";
    let (image, product) = (server("verify-heal"), Image::to_be("verify-heal"));
    docker(&["tag", "debian:bookworm", product.tag()]);
    let before = product.id();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("questions.yaml");
    std::fs::write(&file, questions).unwrap();
    let words = ["--verify-file", file.to_str().unwrap(), "--heal", "0"];
    let output = build(&image, &product, directory.path(), &words);
    assert_exit(&output, 3);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("/srv/extra.txt is missing, asked for by /usr/bin/perl"),
        "{text}"
    );
    assert!(text.contains("GET :8000/page, body"), "{text}");
    assert_eq!(product.id(), before, "the tag moved");
    let digest = report(directory.path())["product"]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        try_docker(&["image", "inspect", &digest]).is_err(),
        "the image stayed"
    );

    let words = [&words[..], &["--tag-unverified"]].concat();
    let output = build(&image, &product, directory.path(), &words);
    assert_exit(&output, 3);
    assert_eq!(report(directory.path())["product"]["digest"], product.id());
}

#[test]
fn answers_that_carry_times_and_random_ids_are_alike() {
    let (image, product) = (server("verify-random"), Image::to_be("verify-random"));
    let directory = tempfile::tempdir().unwrap();
    let output = build(&image, &product, directory.path(), &["--verify-times", "3"]);
    assert_exit(&output, 0);
    let report = report(directory.path());
    assert_eq!(outcome(&report, "image"), "passed");
    let image = &report["verification"]["verdicts"][0];
    assert_eq!(
        (image["asked"].as_u64(), image["starts"].as_u64()),
        (Some(6), Some(3)),
        "{image}"
    );
}

#[test]
fn what_was_removed_on_purpose_is_named_and_not_added() {
    let (image, product) = (server("verify-exclude"), Image::to_be("verify-exclude"));
    let directory = tempfile::tempdir().unwrap();
    let output = build(
        &image,
        &product,
        directory.path(),
        &["--exclude", "/srv/data.txt"],
    );
    assert_exit(&output, 3);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("/srv/data.txt is missing, asked for by /usr/bin/perl"),
        "{text}"
    );
    assert!(text.contains("expected \"200\", got \"500\""), "{text}");
    assert_eq!(healed(&report(directory.path())), []);
}

#[test]
fn a_runtime_that_is_refused_a_call_is_named_and_mended() {
    let (image, product) = (server("verify-runtime"), Image::to_be("verify-runtime"));
    let directory = tempfile::tempdir().unwrap();
    let table = std::fs::read(slim_tests::workspace().join("profiles/runtime/runc.json")).unwrap();
    let mut table: serde_json::Value = serde_json::from_slice(&table).unwrap();
    for set in table["sets"].as_array_mut().unwrap() {
        set["names"]
            .as_array_mut()
            .unwrap()
            .retain(|name| name != "fstatfs");
    }
    let file = directory.path().join("runc.json");
    std::fs::write(&file, table.to_string()).unwrap();
    let calls = ["--runtime-calls", file.to_str().unwrap()];

    let output = build(
        &image,
        &product,
        directory.path(),
        &[&calls[..], &["--heal", "0"]].concat(),
    );
    assert_exit(&output, 3);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the system call fstatfs was denied"), "{text}");
    assert!(text.contains("the container's program did not start"), "{text}");

    let output = build(&image, &product, directory.path(), &calls);
    assert_exit(&output, 0);
    assert_eq!(healed(&report(directory.path())), [("fstatfs".to_owned(), 1)]);
    let explained = slim()
        .arg("explain")
        .arg(directory.path())
        .arg("fstatfs")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(text.contains("refused in verification round 1"), "{text}");
}

#[test]
fn a_finished_product_is_verified_again() {
    let (image, product) = (server("verify-again"), Image::to_be("verify-again"));
    let directory = tempfile::tempdir().unwrap();
    assert_exit(&build(&image, &product, directory.path(), &["--no-verify"]), 0);
    let again = |words: &[&str]| {
        slim()
            .arg("verify")
            .arg(directory.path())
            .args(words)
            .output()
            .unwrap()
    };
    let output = again(&[]);
    assert_exit(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("image         passed, 2 of 2 answers alike"),
        "{text}"
    );
    // An image in which what is asked for was never there.
    let output = again(&["--product", "debian:bookworm"]);
    assert_exit(&output, 3);

    // Elsewhere the original may not be at hand: a difference that it would explain counts, and it says so.
    docker(&["rmi", "--force", image.tag()]);
    let output = again(&[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("not checked"), "{text}");
    assert!(text.contains("is not in this engine"), "{text}");
    assert_exit(&output, 3);
}

#[test]
fn recordings_add_up_with_and_without_a_new_run() {
    let (image, product) = (server("verify-add"), Image::to_be("verify-add"));
    let directory = tempfile::tempdir().unwrap();
    let record = |name: &str, header: &str| {
        let file = directory.path().join("probe.yaml");
        std::fs::write(&file, format!("- path: /page\n  headers: {{{header}: \"1\"}}\n")).unwrap();
        let output = slim()
            .args(["record", image.tag(), "--probe-file"])
            .arg(&file)
            .arg("--output")
            .arg(directory.path().join(name))
            .output()
            .unwrap();
        assert_exit(&output, 0);
        directory.path().join(name).join("recording.json")
    };
    let (a, b) = (record("a", "x-extra"), record("b", "x-sync"));
    let paths = [a.to_str().unwrap(), b.to_str().unwrap()];
    let words = ["--recording", paths[0], "--recording", paths[1]];
    for (more, runs) in [(&["--no-record"][..], 2), (&[], 3)] {
        let out = directory.path().join(format!("out-{runs}"));
        let output = build(&image, &product, &out, &[&words[..], more].concat());
        assert_exit(&output, 0);
        let report = report(&out);
        assert_eq!(report["runs"].as_array().unwrap().len(), runs, "{report}");
        assert_eq!(healed(&report), []);
    }

    // Both ways to unite them give one plan, with the evidence of each.
    let generate = |name: &str, recordings: &[&Path]| {
        let out = directory.path().join(name);
        let keep = ["generate", "--keep", "observed"];
        run(slim().args(keep).args(recordings).arg("--output").arg(&out));
        out
    };
    let merged = directory.path().join("merged");
    run(slim()
        .args(["merge", paths[0], paths[1], "--output"])
        .arg(&merged));
    let both = generate("both", &[&a, &b]);
    let [one, other, united, again] = [
        generate("one", &[&a]),
        generate("other", &[&b]),
        both.clone(),
        generate("again", &[&merged]),
    ]
    .map(|out| plan(&out));
    assert_eq!(again, united);
    assert_eq!(
        plan(&directory.path().join("out-2")).syscalls,
        united.syscalls,
        "slim build --no-record"
    );
    let evidence = [&one, &other].map(observed);
    assert_ne!(evidence[0], evidence[1]);
    assert_eq!(observed(&united), &evidence[0] | &evidence[1]);
    let explained = run(slim().arg("explain").arg(&both).arg("accept4"));
    assert!(explained.contains("in 2 of 2 runs"), "{explained}");
    let started = |directory: &Path| -> serde_json::Value {
        let words = ["explain", "--phases", "--format", "json"];
        let phases: serde_json::Value =
            serde_json::from_str(&run(slim().args(words).arg(directory))).unwrap();
        phases["start_up"].clone()
    };
    assert!(
        started(&both).as_array().is_some_and(|names| !names.is_empty()),
        "start-up needs nothing"
    );
    assert_eq!(started(&directory.path().join("again")), started(&both));
}

/// The calls of a plan with what each run told of them.
fn observed(plan: &Plan) -> BTreeSet<(Abi, &str, &Reason)> {
    let calls = plan.syscalls.iter();
    calls
        .flat_map(|call| {
            call.reasons
                .iter()
                .map(|reason| (call.abi, call.name.as_str(), reason))
        })
        .filter(|(_, _, reason)| matches!(reason, Reason::Observed { .. }))
        .collect()
}

/// A user id that no image knows, as OpenShift gives one.
const ARBITRARY: &str = "1000660000";

#[test]
fn every_sample_is_verified() {
    slim_tests::require_root();
    let mut table = String::from(
        "| sample | image | seccomp | capabilities | read-only | arbitrary uid |\n|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for sample in ["batch", "multi", "nginx", "node-express", "python-flask"] {
        let product = Image::to_be(&format!("verified-{sample}"));
        let directory = tempfile::tempdir().unwrap();
        let output = slim()
            .args([
                "build",
                &Image::sample(sample),
                "--verify-user",
                ARBITRARY,
                "--tag",
                product.tag(),
                "--output",
            ])
            .arg(directory.path())
            .output()
            .unwrap();
        assert_exit(&output, 0);
        let report = report(directory.path());
        let verdicts = report["verification"]["verdicts"].as_array().unwrap();
        table += &format!("| {sample}");
        for aspect in ["image", "seccomp", "capabilities", "read-only", "arbitrary-uid"] {
            let verdict = verdicts
                .iter()
                .find(|verdict| verdict["aspect"] == aspect)
                .unwrap();
            let detail = verdict["detail"].as_str().unwrap();
            let outcome = verdict["outcome"].as_str().unwrap();
            // Where the original cannot, the product need not.
            if outcome != "passed" && !(aspect == "arbitrary-uid" && detail.starts_with("the original ")) {
                wrong.push(format!("{sample}, {aspect}: {outcome}: {detail}"));
            }
            table += &format!(" | {outcome}");
            if outcome != "passed" {
                table += &format!(" ({})", detail.lines().next().unwrap_or_default());
            }
        }
        table += " |\n";
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
