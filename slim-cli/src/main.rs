//! `slim`: the smallest image that still works, with the profiles it runs under.
//!
//! Flags, progress and exit codes; what they mean is the library's.

mod args;
mod commands;
mod memory;
mod progress;
mod settings;
mod streams;
mod watchdog;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Cli, Command, Global};
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _};

/// The exit codes of the command line, beside clap's own 2 for a wrong one.
mod exit {
    /// Failed; the message says what, why and what to do.
    pub(crate) const FAILED: u8 = 1;
    /// The command line, or what it names, is wrong.
    pub(crate) const USAGE: u8 = 2;
    /// The product did not behave as the original.
    pub(crate) const DIFFERS: u8 = 3;
    /// A gate found what it is there to find.
    pub(crate) const GATE: u8 = 4;
    /// This machine cannot trace.
    pub(crate) const CANNOT_TRACE: u8 = 5;
}

fn main() -> ExitCode {
    if let Some(record) = watchdog::asked() {
        return watchdog::run(&record);
    }
    watchdog::arrange();
    memory::map_large_blocks();
    let command = match settings::apply(Cli::command()) {
        Ok(command) => command,
        Err(error) => {
            progress::say(&format!("error: {error:#}"));
            return ExitCode::from(exit::USAGE);
        }
    };
    let words: Vec<OsString> = std::env::args_os().collect();
    let (global, command) = match parse(command, &words) {
        Ok(parsed) => parsed,
        Err(error) => {
            if let Some(refusal) = refusal(&error) {
                progress::say(&format!("error: {refusal}"));
                return ExitCode::from(exit::USAGE);
            }
            error.exit()
        }
    };
    let colour = progress::colour(&global);
    let Some(command) = command else {
        return ended(colour, commands::list_formats(&global));
    };
    let level = match global.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SLIM_LOG").unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // A terminal that is gone takes no words, which is no reason to panic.
        .log_internal_errors(false)
        .init();

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            progress::say(&format!("error: cannot start worker threads: {error}"));
            return ExitCode::from(exit::FAILED);
        }
    };
    let result = runtime.block_on(commands::run(global, command));
    // Reads of standard input or of a stuck socket must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    slim_core::owned::end();
    ended(colour, result)
}

/// The command line; no command where the formats are to be listed, whatever else is missing.
fn parse(command: clap::Command, words: &[OsString]) -> Result<(Global, Option<Command>), clap::Error> {
    let mut own = words.iter().take_while(|word| *word != "--");
    if own.any(|word| word == "--list-formats") {
        let optional = command
            .subcommand_required(false)
            .arg_required_else_help(false)
            .mut_subcommands(|command| {
                command.mut_args(|arg| arg.required(false).required_unless_present(Resettable::Reset))
            });
        let matches = optional.try_get_matches_from(words)?;
        return Ok((Global::from_arg_matches(&matches)?, None));
    }
    let matches = command.try_get_matches_from(words)?;
    let Cli { global, command } = Cli::from_arg_matches(&matches)?;
    let given = matches.value_source("format") == Some(ValueSource::CommandLine);
    if let Some(profile) = global.profiles().first()
        && given
        && !command.makes_profiles()
    {
        let what = format!("--format {profile}: this command makes no profiles, so it is text or json");
        return Err(Cli::command().error(ErrorKind::InvalidValue, what));
    }
    if let Some(record) = matches.subcommand_matches("record")
        && record.value_source("of") == Some(ValueSource::CommandLine)
        && !record.contains_id("cgroup")
    {
        let what = "--image says what the processes of --cgroup run from; elsewhere the image is an argument, or the \
                    container's own";
        return Err(Cli::command().error(ErrorKind::ArgumentConflict, what));
    }
    if global.sarif() && !matches!(command, Command::Diff(_)) {
        let what = "--format sarif: only diff writes it, so it is text or json";
        return Err(Cli::command().error(ErrorKind::InvalidValue, what));
    }
    Ok((global, Some(command)))
}

/// Why an option of `docker run` is not taken, where that is what is wrong.
fn refusal(error: &clap::Error) -> Option<String> {
    let ContextValue::String(word) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let name = word.strip_prefix("--")?.split('=').next()?;
    let why = slim_core::spec::refused(name).filter(|_| error.kind() == ErrorKind::UnknownArgument)?;
    Some(format!("--{name}: {why}"))
}

fn ended(colour: bool, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let word = progress::paint(colour, "1;31", "error");
            progress::say(&format!("{word}: {}", message(&error)));
            ExitCode::from(code(&error))
        }
    }
}

/// An error and its causes, without those whose text stands there already.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The exit code for an error.
fn code(error: &anyhow::Error) -> u8 {
    use slim_core::{pipeline, spec};
    if let Some(outcome) = error.downcast_ref::<commands::Outcome>() {
        outcome.exit_code()
    } else if error.downcast_ref().is_some_and(pipeline::Error::cannot_trace) {
        exit::CANNOT_TRACE
    } else if let Some(spec::Error::Option { .. }) = error.downcast_ref() {
        exit::USAGE
    } else {
        exit::FAILED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_printed_once() {
        let error = anyhow::anyhow!("no such file")
            .context("a.json: no such file")
            .context("--key");
        assert_eq!(message(&error), "--key: a.json: no such file");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn parsed(line: &[&str]) -> Result<(Global, Option<Command>), ErrorKind> {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        parse(Cli::command(), &words).map_err(|error| error.kind())
    }

    #[test]
    fn an_option_of_docker_run_is_taken_or_refused_by_name() {
        let line = |option: &str| {
            let words = ["slim", "record", option, "app"].map(OsString::from);
            parse(Cli::command(), &words)
                .map(|_| ())
                .map_err(|error| refusal(&error))
        };
        let refused = line("--privileged").unwrap_err().unwrap();
        assert!(refused.starts_with("--privileged: slim never runs"), "{refused}");
        assert_eq!(
            line("--volumes-from=other")
                .unwrap_err()
                .map(|text| text.len() > 20),
            Some(true)
        );
        assert_eq!(line("--frobnicate"), Err(None));
        assert_eq!(line("--init"), Ok(()));
    }

    #[test]
    fn a_format_is_of_results_or_of_profiles() {
        let (global, _) = parsed(&[
            "slim",
            "generate",
            "a",
            "--format",
            "json,apparmor",
            "--format",
            "run.sh",
        ])
        .unwrap();
        assert_eq!(global.results(), args::Results::Json);
        assert_eq!(global.profiles(), ["apparmor", "run.sh"]);
        let (global, _) = parsed(&["slim", "--format", "apparmor", "profile", "a"]).unwrap();
        assert_eq!(
            (global.results(), global.profiles().len()),
            (args::Results::Text, 1)
        );
        assert_eq!(
            parsed(&["slim", "build", "a", "--format", "tar"]).unwrap_err(),
            ErrorKind::InvalidValue
        );
        assert_eq!(
            parsed(&["slim", "record", "a", "--format", "apparmor"]).unwrap_err(),
            ErrorKind::InvalidValue
        );
    }

    #[test]
    fn what_runs_already_is_not_started() {
        for line in [
            &["--container", "web"][..],
            &[
                "--container",
                "web",
                "--for",
                "30s",
                "--output",
                "out",
                "--map-size",
                "4096",
            ],
            &["--cgroup", "/sys/fs/cgroup/web", "--image", "nginx"],
        ] {
            assert!(parsed(&[&["slim", "record"], line].concat()).is_ok(), "{line:?}");
        }
        for line in [
            &["nginx", "--container", "web"][..],
            &["nginx", "--cgroup", "/sys/fs/cgroup/web", "--image", "nginx"],
            &[
                "--container",
                "web",
                "--cgroup",
                "/sys/fs/cgroup/web",
                "--image",
                "nginx",
            ],
            &["--container", "web", "--image", "nginx"],
            &["nginx", "--image", "nginx"],
            &["--container", "web", "--port", "80"],
            &["--container", "web", "--probe", "none"],
            &["--container", "web", "--until-exit"],
            &["--container", "web", "--stop-timeout", "5"],
            &["--container", "web", "--env", "A=b"],
            &["--container", "web", "--read-only"],
            &["--container", "web", "--pull", "never"],
            &["--container", "web", "--", "true"],
        ] {
            let error = parsed(&[&["slim", "record"], line].concat()).unwrap_err();
            assert_eq!(error, ErrorKind::ArgumentConflict, "{line:?}");
        }
        for line in [&[][..], &["--cgroup", "/sys/fs/cgroup/web"]] {
            let error = parsed(&[&["slim", "record"], line].concat()).unwrap_err();
            assert_eq!(error, ErrorKind::MissingRequiredArgument, "{line:?}");
        }
        for command in ["build", "profile"] {
            let error = parsed(&["slim", command, "--container", "web"]).unwrap_err();
            assert_eq!(error, ErrorKind::UnknownArgument);
        }
    }

    #[test]
    fn listing_formats_needs_nothing_else() {
        for line in [
            &["slim", "--list-formats"][..],
            &["slim", "build", "--list-formats"],
            &["slim", "profile", "--list-formats", "--format", "json"],
            &["slim", "generate", "--list-formats"],
            &["slim", "record", "--list-formats"],
        ] {
            assert!(parsed(line).unwrap().1.is_none(), "{line:?}");
        }
        assert_eq!(
            parsed(&["slim", "build"]).unwrap_err(),
            ErrorKind::MissingRequiredArgument
        );
    }
}
