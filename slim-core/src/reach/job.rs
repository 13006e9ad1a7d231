//! Jobs, whose containers end by themselves: the next one is started with other words.
//!
//! A service does what its image says, and strangers speak to it. A job does what its caller says, and nobody else does.
//! So in the image of a job the program that the image starts may run a shell, where it is one that can, and the programs
//! that its constants name; and a starting script that runs its arguments (`exec "$@"`) may be given any program that is
//! packaged with those to which it hands them, and with those of the image's words. Constants are known where they end in
//! NUL, as in C; those of Go's and Rust's programs do not.

use std::collections::BTreeSet;

use super::command;
use super::environment::Environment;
use super::tables::Tables;
use crate::image::{Config, LastLink, Outcome, Rootfs};
use crate::path::RootPath;
use crate::recording::{Purpose, Recording, Run, SocketUse};

/// What a job starts.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// The programs and scripts that the image's words start, links followed.
    started: BTreeSet<RootPath>,
    /// Those of them that are no shell or other interpreter and read no file which the words name: such a source says
    /// itself what it runs.
    running: BTreeSet<RootPath>,
}

impl Job {
    /// Reads what `config` starts where `recording` is of a job; none of a service.
    pub(super) fn of(
        rootfs: &Rootfs,
        config: &Config,
        environment: &Environment,
        recording: &Recording,
    ) -> Option<Self> {
        // What a product missed when it was verified says nothing of what it is.
        let started = recording.runs.values();
        let started = started.filter(|run| run.purpose != Purpose::Verification);
        let is_job = started.clone().next().is_some() && started.clone().all(|run| ended_by_itself(run));
        if !is_job {
            return None;
        }
        let mut job = Self::default();
        for run in started {
            let spec = &run.container.spec;
            let command = match spec.command.as_slice() {
                [] => config.cmd(),
                words => words.to_vec(),
            };
            job.add(rootfs, environment, &[config.entrypoint(), command].concat());
        }
        Some(job)
    }

    /// Adds what the words of a container start.
    fn add(&mut self, rootfs: &Rootfs, environment: &Environment, words: &[String]) {
        let programs = command::programs_of_argv(words);
        let is_file = |word: &&String| {
            let found = rootfs.resolve_from(&environment.workdir, word.as_bytes(), LastLink::Follow);
            found.outcome == Outcome::Found && rootfs.get(&found.path).is_some_and(|entry| entry.is_file())
        };
        let is_argument = |word: &&String| !programs.iter().any(|program| program == word.as_bytes());
        let names_file = words.iter().filter(is_argument).any(|word| is_file(&word));
        for program in &programs {
            if let Some(found) = environment.find_program(rootfs, program, None) {
                if !names_file
                    && !Tables::built_in()
                        .programs
                        .is_language(found.path.name().unwrap_or_default())
                {
                    self.running.insert(found.path.clone());
                }
                self.started.insert(found.path);
            }
        }
    }

    /// Returns whether the image's words start `file`.
    pub(super) fn starts(&self, file: &RootPath) -> bool {
        self.started.contains(file)
    }

    /// The programs and scripts that the image's words start.
    pub(super) fn programs(&self) -> impl Iterator<Item = &RootPath> {
        self.started.iter()
    }

    /// Returns whether the image's words start `program` and leave it to the caller what it does.
    pub(super) fn is_told(&self, program: &RootPath) -> bool {
        self.running.contains(program)
    }
}

/// Returns whether a container that slim started did its work and ended, without listening for anybody.
fn ended_by_itself(run: &Run) -> bool {
    let outcome = &run.outcome;
    run.purpose == Purpose::Recorded
        && outcome.exit_code.is_some()
        && !outcome.stopped_by_slim
        && !outcome.killed
        && !run.sockets.iter().any(SocketUse::is_awaiting)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cancel::Cancel;
    use crate::image::memory::tree;
    use crate::image::packages;
    use crate::reach::elf::parse::{Elf, tests::write_with};
    use crate::reach::options::Options;
    use crate::reach::tests::{image, names, recording, run, used};

    /// The paths that are kept of an image with `config`, whose container ended by itself or was stopped.
    fn kept(items: &[(&str, &[u8])], config: serde_json::Value, is_job: bool) -> Vec<String> {
        let image = image(tree(items), json!(config));
        let packages = packages::owners(&image.rootfs);
        let mut run = run(vec![used("/data")]);
        run.sockets = Vec::new();
        run.outcome.exit_code = Some(0);
        run.outcome.stopped_by_slim = !is_job;
        run.outcome.killed = false;
        let reached = crate::reach::close(
            &image,
            &packages,
            &recording(run),
            &Options::default(),
            &Cancel::default(),
        );
        names(&reached.unwrap())
    }

    #[test]
    fn the_program_of_a_job_may_run_a_shell_and_what_it_names_and_what_is_called_after_it() {
        let tool = write_with(
            &Elf::default(),
            b"\0/bin/sh\0/usr/lib/tool\0pager\0no-pager\0builtin\0",
        );
        let items: &[(&str, &[u8])] = &[
            ("/data", b""),
            ("/usr/bin/tool", &tool),
            ("/usr/bin/python3.11", &tool),
            ("/usr/bin/builtin", b"\x7fELF"),
            ("/bin/sh", b"\x7fELF"),
            ("/bin/sed", b"\x7fELF"),
            ("/usr/bin/pager", b"\x7fELF"),
            ("/usr/bin/tool-more", b"\x7fELF"),
            ("/usr/bin/page", b"\x7fELF"),
            ("/usr/lib/tool/tool-part", b"#!/bin/sh\nsed p\n"),
            (
                "/var/lib/dpkg/status",
                b"Package: tool\nStatus: install ok installed\n\n",
            ),
            (
                "/var/lib/dpkg/info/tool.list",
                b"/usr/bin/tool\n/usr/bin/builtin\n/usr/lib/tool\n/usr/lib/tool/tool-part\n",
            ),
        ];
        let brings = |config: serde_json::Value, is_job: bool| {
            let kept = kept(items, config, is_job);
            for other in ["/usr/bin/page", "/usr/bin/builtin"] {
                assert!(!kept.contains(&other.to_owned()), "{kept:?}");
            }
            [
                "/bin/sh",
                "/usr/lib/tool/tool-part",
                "/bin/sed",
                "/usr/bin/pager",
                "/usr/bin/tool-more",
            ]
            .map(|path| kept.contains(&path.to_owned()))
        };
        let started = json!({ "Entrypoint": ["tool"], "Cmd": ["list"] });
        assert_eq!(brings(started.clone(), true), [true; 5]);
        assert_eq!(brings(started, false), [false; 5]);
        // A file that it reads says what it runs, and so does the source of an interpreter.
        let python = json!({ "Cmd": ["python3.11", "-m", "pages"] });
        assert_eq!(brings(python, true), [false; 5]);
        let reads = json!({ "Entrypoint": ["tool"], "Cmd": ["/data"] });
        assert_eq!(brings(reads, true), [false; 5]);
    }

    #[test]
    fn a_script_that_runs_its_arguments_may_be_given_the_programs_beside_those_that_it_runs() {
        let script =
            |last: &str| format!("#!/bin/sh\nif [ \"$1\" = x ]; then exec one -v \"$@\"; fi\n{last}\n");
        for (last, is_job, expected) in [
            ("exec \"$@\"", true, true),
            ("\"$@\"", true, true),
            ("exec gosu app \"$@\"", true, true),
            ("exec \"$@\"", false, false),
            ("exec one", true, false),
        ] {
            let script = script(last);
            let items: &[(&str, &[u8])] = &[
                ("/data", b""),
                ("/start.sh", script.as_bytes()),
                ("/bin/sh", b"\x7fELF"),
                ("/usr/bin/one", b"\x7fELF"),
                ("/usr/bin/two", b"\x7fELF"),
                ("/usr/bin/other", b"\x7fELF"),
                ("/usr/lib/two/data", b""),
                (
                    "/var/lib/dpkg/status",
                    b"Package: p\nStatus: install ok installed\n\nPackage: q\nStatus: install ok installed\n\n",
                ),
                (
                    "/var/lib/dpkg/info/p.list",
                    b"/usr/bin/one\n/usr/bin/two\n/usr/lib/two/data\n",
                ),
                ("/var/lib/dpkg/info/q.list", b"/usr/bin/other\n"),
            ];
            let kept = kept(items, json!({ "Entrypoint": ["/start.sh"] }), is_job);
            let has = |path: &str| kept.contains(&path.to_owned());
            assert!(has("/usr/bin/one"), "{kept:?}");
            assert_eq!(has("/usr/bin/two"), expected, "{last}: {kept:?}");
            assert!(!has("/usr/bin/other") && !has("/usr/lib/two/data"), "{kept:?}");
        }
    }
}
