//! `slim generate`.

use std::collections::BTreeSet;
use std::time::Instant;

use slim_core::engine::Pull;
use slim_core::pipeline::{self, ProductBuilder, ProductOptions, Progress as _, Session};
use slim_core::plan::privileges;

use super::{connect_for, finish, load_recordings, open_output, source_date_epoch, stop_on_signals};
use crate::args::{Generate, Global};
use crate::progress::Progress;

pub(crate) async fn run(global: &Global, args: Generate) -> anyhow::Result<()> {
    let began = Instant::now();
    let key = args.signed.key()?;
    let (recording, bodies) = load_recordings(&args.recordings, key.as_ref())?;
    let name = match &args.image {
        Some(image) => image.parse()?,
        None => pipeline::recorded_name(&recording)?,
    };
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let output = open_output(global, args.output.as_ref(), &name)?;
    let engine = connect_for(global, &name, !args.tag.is_empty()).await?;
    let asked = if key.is_some() {
        BTreeSet::new()
    } else {
        let mut asked = privileges::of_recording(&recording, engine.facts());
        asked.retain(|privilege| privilege.kind != privileges::Kind::Run);
        asked
    };
    if !asked.is_empty() {
        // Nothing is started here: who runs what is written decides.
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        progress.warn(&format!(
            "what is written follows the recording, which asks for {}: read run.sh before you run it, if the recording \
             is not yours",
            asked.join(", ")
        ));
    }
    let session = Session::new(engine.as_ref(), &stop, &progress);
    let image = pipeline::image(session, &name, Pull::Never).await?;
    let options = ProductOptions {
        reach: args.product.reach(super::store())?,
        changes: args.product.changes(),
        source_date_epoch: source_date_epoch()?,
        tags: args.tag.iter().map(ToString::to_string).collect(),
        seccomp_reach: args.profiles.seccomp_reach,
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
