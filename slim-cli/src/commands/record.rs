//! `slim record`.

use slim_core::engine::Engine as _;
use slim_core::pipeline::{self, Observer as _, Stage};
use slim_core::report;

use super::{connect, json, open_output, stop_on_signals};
use crate::args::{Format, Global, Record, record_options};
use crate::progress::Progress;

pub(crate) async fn run(global: &Global, args: Record) -> anyhow::Result<()> {
    let options = record_options(&args.container, &args.probe, &args.tracer, &args.subject.command)?;
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let output = open_output(args.subject.output.as_ref(), &args.subject.image)?;
    let engine = connect(global).await?;

    progress.begin(Stage::Image, &args.subject.image);
    let image = engine
        .image(&args.subject.image, args.subject.pull.into(), None)
        .await
        .map_err(pipeline::Error::from)?;
    progress.end(Stage::Image, &format!("{} {}", image.reference, image.id.short()));

    let recorded = pipeline::record(&engine, &image, &options, &stop, &progress).await?;
    output.write(
        "container.log",
        &[recorded.log.0.as_slice(), recorded.log.1.as_slice()].concat(),
    )?;
    let path = output.write_recording(&recorded.recording()?, &recorded.bodies)?;
    drop(progress);
    let run = &recorded.run;
    match global.format {
        Format::Json => print!(
            "{}",
            json(&serde_json::json!({
                "recording": path,
                "run": run.id(),
                "image": run.image,
                "files": run.files.len(),
                "syscalls": run.syscalls.len(),
                "exchanges": run.exchanges.len(),
                "losses": run.losses,
            }))?
        ),
        Format::Text => {
            println!("  recording     {}", path.display());
            println!("  run           {}", run.id());
            for line in &recorded.summary {
                println!("  probed        {}", report::printable(line));
            }
        }
    }
    Ok(())
}
