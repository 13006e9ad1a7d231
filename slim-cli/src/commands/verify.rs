//! `slim verify`.

use std::collections::BTreeSet;

use anyhow::Context as _;
use slim_core::engine::{self, Pull};
use slim_core::pipeline::{self, ExistingProduct, Session};
use slim_core::recording::Recording;
use slim_core::report::{self, Report};
use slim_core::spec::ContainerSpec;

use super::{Outcome, connect, json, load_recordings, stop_on_signals};
use crate::args::{Global, Results, VerifyAgain};
use crate::progress::Progress;
use crate::streams::{out, outln};

/// Returns a sentence on the variables that the recorded containers had and that are not set here, so that the product
/// was started without them; none where there are none.
fn unset_variables(recording: &Recording) -> Option<String> {
    let names: BTreeSet<&str> = recording
        .runs
        .values()
        .flat_map(|run| &run.container.spec.env)
        .map(|variable| variable.name.as_str())
        .filter(|name| std::env::var_os(name).is_none())
        .collect();
    let names = Vec::from_iter(names).join(", ");
    (!names.is_empty())
        .then(|| format!("what depends on {names}: not set here, and a recording holds no values"))
}

pub(crate) async fn run(global: &Global, args: &VerifyAgain) -> anyhow::Result<()> {
    let directory = &args.directory;
    let key = args.trust.signed.key()?;
    let words = args.trust.words(&ContainerSpec::default());
    let (recording, bodies) = load_recordings(std::slice::from_ref(directory), key.as_ref())?;
    let plan = super::load_plan(directory)?;
    let path = directory.join("report.json");
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let report: Report =
        serde_json::from_slice(&bytes).with_context(|| format!("{}: not a report", path.display()))?;
    let tag = report.product.as_ref().and_then(|product| product.tags.first());

    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let engine = connect(global).await?;
    let session = Session::new(engine.as_ref(), &stop, &progress);
    let named = args.product.as_deref();
    let digest = report
        .product
        .as_ref()
        .map_or(&report.image, |product| &product.digest);
    // A tag may be somebody else's by now: without the user's word only the digest counts.
    let by_digest = digest.to_string();
    let candidates = match named {
        Some(named) => vec![named],
        None => [Some(by_digest.as_str()), tag.map(String::as_str)]
            .into_iter()
            .flatten()
            .collect(),
    };
    let mut product = None;
    for reference in candidates {
        match pipeline::image_to_start(session, &reference.parse()?, Pull::Never).await {
            Ok(image) if named.is_some() || image.id == *digest => {
                product = Some(image);
                break;
            }
            Ok(_) | Err(pipeline::Error::Engine(engine::Error::NoImage { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let product = product.with_context(|| {
        let wanted = named.unwrap_or(&by_digest);
        format!(
            "{}: its image {wanted} is not in this engine; load it, or build it with \
             docker build --tag NAME {} and name it with --product NAME",
            directory.display(),
            directory.display()
        )
    })?;
    let original = match &args.image {
        Some(image) => Some(pipeline::image_to_start(session, &image.parse()?, Pull::Never).await?),
        None => match pipeline::recorded_name(&recording) {
            Ok(name) => pipeline::image(session, &name, Pull::Never).await.ok(),
            Err(_) => None,
        },
    };
    let original = original.filter(|image| image.id == recording.image);
    let tagged = tag.unwrap_or(&report.reference);
    let existing = ExistingProduct {
        plan: &plan,
        recording: &recording,
        bodies: &bodies,
        product: &product.to_ref(),
        original: original.as_ref(),
        directory,
        tagged,
    };
    words
        .check(existing.privileges(engine.as_ref(), key.is_some())?)
        .map_err(pipeline::Error::from)?;
    let options = args.checks.options(Some(args.tracer.sizes()));
    let (verification, mut unchecked) = existing.verify(session, &options).await?;
    unchecked.extend(unset_variables(&recording));
    for tag in report.product.iter().flat_map(|product| &product.tags) {
        match engine.image_id(tag).await {
            Ok(id) if id != *digest => unchecked.push(format!(
                "{tag}, which compose.yaml and other formats name: it is another image by now, {id}"
            )),
            // No such tag is nothing to start by mistake.
            Ok(_) | Err(_) => {}
        }
    }
    drop(progress);
    match global.results() {
        Results::Json => out!("{}", json(&verification)?),
        Results::Text => {
            out!("{}", report::verdicts(&verification));
            for what in &unchecked {
                outln!("  not checked   {}", report::printable(what));
            }
        }
    }
    Ok(Outcome::check(Some(&verification), &options.require)?)
}
