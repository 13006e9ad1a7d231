//! Starts a container of an image, exercises it as `slim record` does, and writes what was seen. Needs root and Docker.
//!
//! ```text
//! cargo run --example record_container -- nginx:1.27 recording.json
//! ```

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use slim_core::engine::{self, Pull};
use slim_core::pipeline::{self, Progress, RecordOptions, Session, Stage, Stop};
use slim_core::{probe, spec, trace};

/// Prints a line for each stage that ends.
struct Lines;

impl Progress for Lines {
    fn begin(&self, _: Stage, _: &str) {}
    fn waiting(&self, _: &str) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}
    fn end(&self, stage: Stage, result: &str) {
        eprintln!("{}: {result}", stage.name());
    }
    fn warn(&self, text: &str) {
        eprintln!("warning: {text}");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, recording] = arguments.as_slice() else {
        eprintln!("usage: record_container IMAGE RECORDING");
        return ExitCode::from(2);
    };
    match record(image, Path::new(recording)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("record_container: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn record(image: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let options = RecordOptions {
        container: spec::ContainerSpec::default(),
        probe: probe::Options::default(),
        trace: trace::Options::default(),
    };
    // Loading the tracer and finding the image take about as long: begin both.
    let loading = pipeline::load(options.trace);
    let engine = engine::connect(None).await?;
    let stop = Stop::default();
    let session = Session::new(engine.as_ref(), &stop, &Lines);
    let image = pipeline::image_to_start(session, &image.parse()?, Pull::Missing).await?;
    let recorded = pipeline::record(session, &image, &options, loading).await?;
    std::fs::write(path, recorded.recording.to_json())?;
    println!(
        "{}: {} files, {} kinds of calls, {} exchanges",
        path.display(),
        recorded.run.files.len(),
        recorded.run.syscalls.len(),
        recorded.run.exchanges.len()
    );
    Ok(())
}
