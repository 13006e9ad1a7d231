//! `slim generate`.

use std::time::Instant;

use slim_core::engine::Pull;
use slim_core::pipeline::{self, ProductBuilder, ProductOptions, Session};

use super::{connect, finish, load_recordings, open_output, source_date_epoch, stop_on_signals};
use crate::args::{Generate, Global};
use crate::progress::Progress;

pub(crate) async fn run(global: &Global, args: Generate) -> anyhow::Result<()> {
    let began = Instant::now();
    let (recording, bodies) = load_recordings(&args.recordings)?;
    let reference = match args.image {
        Some(reference) => reference,
        None => pipeline::recorded_reference(&recording),
    };
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let output = open_output(global, args.output.as_ref(), &reference)?;
    let engine = connect(global).await?;
    let session = Session::new(&engine, &stop, &progress);
    let image = pipeline::image(session, &reference, Pull::Never).await?;
    let options = ProductOptions {
        reach: args.product.reach()?,
        changes: args.product.changes(),
        source_date_epoch: source_date_epoch()?,
        tags: args.tag,
        machine: args.profiles.machine(),
        profiles: args.profiles.options(global),
        runtimes: args.profiles.runtimes()?,
    };
    let builder = ProductBuilder {
        session,
        image: &image,
        options: &options,
        output: &output,
    };
    let product = builder.produce(&recording, &bodies).await?;
    finish(global, product, Vec::new(), None, &output, progress, began)
}
