//! `slim`: the smallest image that still works, with the profiles it runs under.
//!
//! Flags, progress and exit codes; what they mean is the library's.

mod args;
mod commands;
mod progress;
mod settings;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

/// The exit codes of the command line, beside clap's own 2 for a wrong one.
mod exit {
    /// Failed; the message says what, why and what to do.
    pub(crate) const FAILED: u8 = 1;
    /// The command line, or what it names, is wrong.
    pub(crate) const USAGE: u8 = 2;
    /// This machine cannot trace.
    pub(crate) const CANNOT_TRACE: u8 = 5;
}

fn main() -> ExitCode {
    let command = match settings::apply(args::Cli::command()) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(exit::USAGE);
        }
    };
    let matches = command.get_matches();
    let cli = match args::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let colour = progress::colour(&cli.global);
    let level = match cli.global.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SLIM_LOG").unwrap_or_else(|_| level.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .init();

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start worker threads: {error}");
            return ExitCode::from(exit::FAILED);
        }
    };
    let result = runtime.block_on(commands::run(cli));
    // Reads of standard input or of a stuck socket must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", progress::paint(colour, "1;31", "error"));
            ExitCode::from(code(&error))
        }
    }
}

fn code(error: &anyhow::Error) -> u8 {
    use slim_core::pipeline::Error;
    if error.downcast_ref::<commands::CannotTrace>().is_some() {
        return exit::CANNOT_TRACE;
    }
    match error.downcast_ref::<Error>() {
        Some(error) if error.cannot_trace() => exit::CANNOT_TRACE,
        Some(_) | None => exit::FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        args::Cli::command().debug_assert();
    }
}
