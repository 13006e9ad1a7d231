//! `slim record`.

use std::path::Path;

use anyhow::Context as _;
use slim_core::engine::{Engine, Pull};
use slim_core::image::ImageName;
use slim_core::pipeline::{self, Bodies, Running, Session};
use slim_core::recording::signature::SigningKey;
use slim_core::recording::{Purpose, Recording, Run};
use slim_core::report;

use super::{connect, json, open_output, recorded, stop_on_signals};
use crate::args::{Attachment, Global, Observe, Record, Results, attach_options, record_options};
use crate::progress::Progress;
use crate::streams::{out, outln};

pub(crate) async fn run(global: &Global, args: Record) -> anyhow::Result<()> {
    match args.attach_to() {
        Some(to) => attach(global, &args.observe, to, args.sign.key()?).await,
        None => record(global, &args.observe, args.sign.key()?).await,
    }
}

async fn record(global: &Global, args: &Observe, key: Option<SigningKey>) -> anyhow::Result<()> {
    let options = record_options(args)?;
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let name = args.subject.image().parse()?;
    let output = open_output(global, args.subject.output.as_ref(), &name)?.signing(key);
    let loading = pipeline::load(options.trace);
    let engine = connect(global).await?;
    let session = Session::new(engine.as_ref(), &stop, &progress);

    let image = pipeline::image_to_start(session, &name, args.subject.pull).await?;
    let recorded = recorded(session, &image, &options, loading, &output).await?;
    let path = output.write_recording(&recorded.recording, &recorded.bodies)?;
    drop(progress);
    print(global, &path, &recorded.run, &recorded.summary)
}

async fn attach(
    global: &Global,
    args: &Observe,
    to: Attachment<'_>,
    key: Option<SigningKey>,
) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let engine = connect(global).await?;
    let session = Session::new(engine.as_ref(), &stop, &progress);
    let (running, name) = find(engine.as_ref(), to).await?;
    let output = open_output(global, args.subject.output.as_ref(), &name)?.signing(key);
    let image = pipeline::image(session, &name, Pull::Never).await?;
    let options = attach_options(args);
    let run = pipeline::attach(session, &image, &running, &options).await?;
    let mut recording = Recording::new(run.image.clone());
    recording
        .insert(run.clone())
        .context("the run is of its own image")?;
    // The log of an earlier run is not of this one, whose container keeps its own.
    output.remove("container.log")?;
    let path = output.write_recording(&recording, &Bodies::new())?;
    drop(progress);
    print(global, &path, &run, &[])
}

/// Returns the subject to attach to, and the name of its image.
async fn find(engine: &dyn Engine, to: Attachment<'_>) -> anyhow::Result<(Running, ImageName)> {
    match to {
        Attachment::Container(name) => {
            let found = async {
                engine.same_kernel()?;
                let container = engine.find(name).await?;
                let image = engine.image_of(&container).await?;
                Ok::<_, slim_core::engine::Error>((container, image))
            };
            let (container, image) = found.await.map_err(pipeline::Error::from)?;
            Ok((Running::Container(container), image.parse()?))
        }
        Attachment::Cgroup(path, image) => Ok((Running::Cgroup(path.to_owned()), image.parse()?)),
    }
}

fn print(global: &Global, path: &Path, run: &Run, summary: &[String]) -> anyhow::Result<()> {
    match global.results() {
        Results::Json => out!(
            "{}",
            json(&serde_json::json!({
                "recording": path,
                "run": run.id(),
                "image": run.image,
                "purpose": run.purpose,
                "files": run.files.len(),
                "syscalls": run.syscalls.len(),
                "exchanges": run.exchanges.len(),
                "losses": run.losses,
            }))?
        ),
        Results::Text => {
            outln!("  recording     {}", path.display());
            outln!("  run           {}", run.id());
            for line in summary {
                outln!("  probed        {}", report::printable(line));
            }
            if run.purpose == Purpose::Attached {
                outln!(
                    "  attached      {} files, {} kinds of call in {:.1} s of {}",
                    run.files.len(),
                    run.syscalls.len(),
                    run.duration_ms as f64 / 1000.0,
                    report::printable(&run.reference)
                );
                outln!(
                    "  note          its start was not seen: unite this with a recording that begins with it (slim merge)"
                );
            }
        }
    }
    Ok(())
}
