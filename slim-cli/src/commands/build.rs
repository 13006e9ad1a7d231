//! `slim build` and `slim profile`.

use std::time::Instant;

use slim_core::pipeline::{self, ProductOptions, RecordOptions};

use super::{connect, default_tag, finish, open_output, recorded, source_date_epoch, stop_on_signals};
use crate::args::{Build, Global, Profile, Subject, record_options};
use crate::progress::Progress;

pub(crate) async fn build(global: &Global, args: Build) -> anyhow::Result<()> {
    let record = record_options(&args.observe)?;
    let tags = if args.tag.is_empty() {
        vec![default_tag(&args.observe.subject.image)]
    } else {
        args.tag
    };
    let product = ProductOptions {
        reach: args.product.reach()?,
        changes: args.product.changes(),
        source_date_epoch: source_date_epoch()?,
        tags,
        profiles: args.profiles.options(global),
    };
    run(global, &args.observe.subject, &record, &product).await
}

pub(crate) async fn profile(global: &Global, args: Profile) -> anyhow::Result<()> {
    let record = record_options(&args.observe)?;
    let product = ProductOptions {
        profiles: args.profiles.options(global),
        ..ProductOptions::default()
    };
    run(global, &args.observe.subject, &record, &product).await
}

async fn run(
    global: &Global,
    subject: &Subject,
    record: &RecordOptions,
    options: &ProductOptions,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let output = open_output(subject.output.as_ref(), &subject.image)?;
    let engine = connect(global).await?;

    let image = pipeline::image(&engine, &subject.image, subject.pull.into(), &stop, &progress).await?;
    let recorded = recorded(&engine, &image, record, &output, &stop, &progress).await?;
    let recording = recorded.recording()?;
    let product = pipeline::produce(
        Some(&engine),
        &image,
        &recording,
        &recorded.bodies,
        options,
        &output,
        &stop,
        &progress,
    )
    .await?;
    finish(global, product, recorded.summary, &output, progress, began)
}
