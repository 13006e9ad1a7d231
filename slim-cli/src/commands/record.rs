//! `slim record`.

use slim_core::pipeline;
use slim_core::report;

use super::{connect, json, open_output, recorded, stop_on_signals};
use crate::args::{Global, Observe, Results, record_options};
use crate::progress::Progress;

pub(crate) async fn run(global: &Global, args: Observe) -> anyhow::Result<()> {
    let options = record_options(&args)?;
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let output = open_output(args.subject.output.as_ref(), args.subject.image())?;
    let engine = connect(global).await?;

    let image = pipeline::image(
        &engine,
        args.subject.image(),
        args.subject.pull.into(),
        &stop,
        &progress,
    )
    .await?;
    let recorded = recorded(&engine, &image, &options, &output, &stop, &progress).await?;
    let path = output.write_recording(&recorded.recording()?, &recorded.bodies)?;
    drop(progress);
    let run = &recorded.run;
    match global.results() {
        Results::Json => print!(
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
        Results::Text => {
            println!("  recording     {}", path.display());
            println!("  run           {}", run.id());
            for line in &recorded.summary {
                println!("  probed        {}", report::printable(line));
            }
        }
    }
    Ok(())
}
