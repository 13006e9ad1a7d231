//! Traces the tasks of a cgroup2 directory, from `attached` on stdout until stdin ends, then says what was seen.
//!
//! ```text
//! cargo run --example trace_cgroup -- /sys/fs/cgroup/docker/ID
//! ```

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use slim_core::trace::{Options, Scope, Tracer};

fn main() -> ExitCode {
    let Some(cgroup) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: trace_cgroup CGROUP-DIRECTORY");
        return ExitCode::from(2);
    };
    match trace(cgroup) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trace_cgroup: {error}");
            ExitCode::FAILURE
        }
    }
}

fn trace(cgroup: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let tracer = Tracer::start(Scope::Cgroup(cgroup), Options::default())?;
    println!("attached");
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let observed = tracer.finish()?.observed;
    let calls: u64 = observed.syscalls.iter().map(|syscall| syscall.count).sum();
    println!("{calls} calls of {} kinds", observed.syscalls.len());
    println!("{} files", observed.files.len());
    println!("losses: {:?}", observed.losses);
    Ok(())
}
