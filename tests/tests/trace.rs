//! The tracer on real containers.
//!
//! Needs root, BPF and a Docker engine on this kernel; says so and fails where they are missing.

use std::process::{Command, Output};

use slim_core::recording::Access;
use slim_core::trace::{self, Observed, Options, Scope, Tracer};

/// Runs the docker command line; its standard output, trimmed.
fn docker(arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("docker")
        .args(arguments)
        .output()
        .expect("these tests need the docker command line");
    assert!(
        status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8_lossy(&stdout).trim().to_owned()
}

/// A container that is removed at the end.
struct Container(String);

impl Container {
    fn create(arguments: &[&str]) -> Self {
        let mut all = vec!["create"];
        all.extend(arguments);
        Self(docker(&all))
    }

    /// Starts it, waits for its end, and says what it did.
    fn observe(&self, options: Options) -> Observed {
        let tracer = Tracer::start(Scope::Container(self.0.clone()), options).expect("the tracer starts");
        docker(&["start", &self.0]);
        assert!(tracer.scoped());
        docker(&["wait", &self.0]);
        tracer.finish().expect("the tracer finishes")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "--force", "--volumes", &self.0])
            .output();
    }
}

#[test]
fn this_machine_traces() {
    for check in trace::check() {
        println!("{} {} {}", check.name, check.ok, check.found);
        assert!(check.ok || check.optional, "{}: {}", check.name, check.found);
    }
}

#[test]
fn a_shell_is_observed() {
    let container = Container::create(&[
        "debian:bookworm",
        "sh",
        "-c",
        "ls /etc; cat /absent; cd /usr; ls bin",
    ]);
    let seen = container.observe(Options::default());
    assert_eq!(seen.losses.total(), 0);
    let programs: Vec<_> = seen
        .programs
        .iter()
        .map(|program| program.path.to_string())
        .collect();
    assert_eq!(programs, ["/usr/bin/cat", "/usr/bin/dash", "/usr/bin/ls"]);
    let listed = |path: &str| {
        seen.files.iter().any(|file| {
            file.path == path.into() && file.truth && file.on_root && file.access.contains(&Access::List)
        })
    };
    assert!(listed("/etc") && listed("/usr/bin"));
    let absent = seen
        .files
        .iter()
        .find(|file| file.path == "/absent".into())
        .unwrap();
    assert_eq!((absent.access.len(), absent.errors.contains(&2)), (0, true));
    assert_eq!(absent.program, Some("/usr/bin/cat".into()));
    let bin = seen
        .files
        .iter()
        .find(|file| file.asked == Some((&b"bin"[..]).into()) && file.truth)
        .unwrap();
    assert_eq!((&bin.path, &bin.base), (&"/usr/bin".into(), &Some("/usr".into())));
}
