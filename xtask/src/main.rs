//! The tasks of this workspace, each one command: `cargo xtask setup | samples | demo | check | test | vm | bench | docs | ebpf | fuzz | runtime-calls | matrix | corpus | stop`.
//!
//! xtask builds on a machine that has Rust and a linker and nothing else, because installing the rest is its first task.

mod bench;
mod bench_build;
mod bench_closure;
mod check;
mod corpus;
mod demo;
mod docs;
mod ebpf;
mod engine;
mod fuzz;
mod matrix;
mod modules;
mod packages;
mod runtime;
mod runtime_calls;
mod samples;
mod scratch_engine;
mod setup;
mod sh;
mod steps;
mod test;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tasks of this workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing, start a Docker engine if none answers, and make the base image
    Setup {
        /// Also what the tests need: the eBPF toolchain and the tools that tests compare with
        #[arg(long)]
        tests: bool,
    },
    /// Build the images in samples/ as slim-sample-NAME
    Samples {
        /// Only these
        names: Vec<String>,
    },
    /// Set up, build a sample, run `slim build` on it and show the result
    Demo,
    /// Run every check that needs neither root nor an engine: format, lints, unit tests, documentation
    Check,
    /// Set up and run every check and every test, end-to-end tests included
    Test {
        /// Only `cargo test` with these arguments, after the same set-up (for example `-- -p slim-tests trace`)
        #[arg(last = true)]
        cargo_test: Vec<String>,
    },
    /// Measure what tracing, the closure or whole builds cost; the result is Markdown on stdout
    Bench {
        /// The subject
        #[arg(value_enum, default_value_t = Measured::Tracing)]
        what: Measured,
        /// Runs of each kind; the figures are their medians
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// The cargo profile of what is measured
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Write the generated documents in docs/
    Docs {
        /// Write nothing; fail if a document is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Build the eBPF object that slim-core embeds
    Ebpf {
        /// Write nothing; fail if source and committed object do not agree
        #[arg(long)]
        check: bool,
    },
    /// Run every fuzz target
    Fuzz {
        /// Seconds that each runs
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Measure what runc and crun call under a container's filter before its program starts; writes profiles/runtime
    RuntimeCalls {
        /// These programs instead of the installed ones, for example out of another release's packages
        programs: Vec<std::path::PathBuf>,
        /// Number of starts of each in each circumstance
        #[arg(long, default_value_t = 4)]
        runs: usize,
    },
    /// Slim real applications with no flag beyond what `docker run` needs, and ask each what the probe did not ask
    Corpus(corpus::Options),
    /// Run products under their profiles with runc and crun, with and without no-new-privileges; prints a table
    Matrix {
        /// Only these samples
        names: Vec<String>,
        /// Not the samples but what `slim build` wrote here; may be repeated
        #[arg(long, conflicts_with_all = ["names", "fixtures"], value_name = "DIR")]
        product: Vec<std::path::PathBuf>,
        /// The applications in tests/apps too
        #[arg(long)]
        fixtures: bool,
    },
    /// Boot other kernels in virtual machines, and test there
    Vm {
        #[command(subcommand)]
        task: VmTask,
    },
    /// End the Docker engine that `setup` started
    Stop,
}

#[derive(Subcommand)]
enum VmTask {
    /// Run the tracer's tests, and products under enforced profiles, in each; the results of all tests go into docs/kernels.md
    Test {
        /// Only these
        names: Vec<String>,
        /// A selection of the tests, which fits into a quarter of an hour or so
        #[arg(long)]
        short: bool,
    },
    /// Run a line of shell in one; the program and its tests as built now are in /payload
    Run {
        /// The virtual machine
        name: String,
        /// The command
        command: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Measured {
    /// The cost of tracing to the application
    Tracing,
    /// The closure in an image of 1 GB and 30,000 files
    Closure,
    /// Whole builds, beside what their originals take to answer
    Build,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup { tests } => setup::run(if tests {
            packages::For::Tests
        } else {
            packages::For::Demo
        })
        .map(drop),
        Task::Samples { names } => {
            setup::run(packages::For::Demo).and_then(|docker| samples::build(&docker, &names))
        }
        Task::Demo => demo::run(),
        Task::Check => check::run(),
        Task::Test { cargo_test } => test::run(&cargo_test),
        Task::Bench { what, runs, profile } => match what {
            Measured::Tracing => bench::run(runs, &profile),
            Measured::Closure => bench_closure::run(runs, &profile),
            Measured::Build => bench_build::run(runs, &profile),
        },
        Task::Docs { check } => docs::run(check),
        Task::Ebpf { check } => ebpf::run(check),
        Task::Fuzz { seconds } => fuzz::run(fuzz::Limit::Each(seconds)),
        Task::RuntimeCalls { programs, runs } => runtime_calls::run(&programs, runs),
        Task::Corpus(options) => corpus::run(options),
        Task::Matrix {
            names,
            product,
            fixtures,
        } => matrix::run(&names, fixtures, &product),
        Task::Vm { task } => match task {
            VmTask::Test { names, short } => vm::test(&names, short),
            VmTask::Run { name, command } => vm::run(&name, &command),
        },
        Task::Stop => engine::stop(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
