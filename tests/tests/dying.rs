//! How a program gives itself up under the profile of a run in which it did not.

use std::process::Command;

use slim_tests::{Container, Image, assert_exit, require_root, run, slim, workspace};

#[test]
fn a_program_gives_itself_up_under_its_profile_as_before() {
    require_root();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let program = folder.path().join("dying");
    run(Command::new("gcc")
        .args(["-O1", "-fstack-protector-all", "-o"])
        .arg(&program)
        .arg(workspace().join("tests/fixtures/dying.c")));
    let program = std::fs::read(&program).expect("it was compiled");
    let image = Image::from_dockerfile(
        "dying",
        // The first process of a container dies of no signal that it sends itself.
        "FROM debian:bookworm\nCOPY dying /dying\nRUN chmod 0755 /dying\nCMD /dying; exit $?\n",
        &[("dying", &program)],
    );
    let product = Image::to_be("dying");
    let output = tempfile::tempdir().expect("a temporary directory");
    let built = slim()
        .args(["build", image.tag(), "--tag", product.tag()])
        // What the code can call would bring these, too.
        .args(["--seccomp-reach", "observed", "--output"])
        .arg(output.path())
        .output()
        .expect("it is a program");
    assert_exit(&built, 0);

    // The number of the signal above 128.
    for (how, code) in [
        ("abort", 134),
        ("assert", 134),
        ("smash", 134),
        ("free", 134),
        ("raise", 138),
    ] {
        let how = format!("--env=DYING={how}");
        let original = Container::run(&[&how, image.tag()]);
        assert_eq!(original.wait(), code, "{how}: {}", original.logs());
        let slim = Container::by_script(&output.path().join("run.sh"), std::slice::from_ref(&how));
        assert_eq!(slim.wait(), code, "{how}: {}", slim.logs());
        assert_eq!(slim.logs(), original.logs(), "{how}");
    }
}
