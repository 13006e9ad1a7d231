//! `slim build` and `slim profile`.

use std::time::Instant;

use slim_core::image::{Image, ImageName};
use slim_core::pipeline::{
    self, Bodies, ProductBuilder, ProductOptions, RecordOptions, Recorded, Scenario, Session, VerifyOptions,
};
use slim_core::plan::privileges::Words;
use slim_core::reach;
use slim_core::recording::Recording;
use slim_core::recording::signature::SigningKey;

use super::{
    check, check_recorded, connect, connect_for, finish, load_recordings, open_output, recorded,
    source_date_epoch, stop_on_signals,
};
use crate::args::{Build, Global, Profile, ProfileCommand, Subject, record_options};
use crate::progress::Progress;

/// The sources and the options of a product.
struct Order<'a> {
    image: ImageName,
    subject: &'a Subject,
    /// The options of a new recording; none to do without one.
    record: Option<&'a RecordOptions>,
    earlier: Option<Earlier>,
    /// The key that signs the recording.
    key: Option<SigningKey>,
    product: &'a ProductOptions,
    verify: Option<&'a VerifyOptions>,
}

/// Earlier recordings, united.
struct Earlier {
    recording: Recording,
    bodies: Bodies,
    /// The privileges that they may have.
    words: Words,
    /// True if a key signed them.
    signed: bool,
}

pub(crate) async fn build(global: &Global, args: Build) -> anyhow::Result<()> {
    let record = record_options(&args.observe)?;
    let key = args.trust.signed.key()?;
    let earlier = match args.recording.as_slice() {
        [] => None,
        paths => {
            let (recording, bodies) = load_recordings(paths, key.as_ref())?;
            Some(Earlier {
                recording,
                bodies,
                words: args
                    .trust
                    .words(&record.container)
                    .and_commands(&record.probe.run),
                signed: key.is_some(),
            })
        }
    };
    let image: ImageName = args.observe.subject.image().parse()?;
    let tags = match args.tag.as_slice() {
        [] => vec![image.reference().slim().to_string()],
        tags => tags.iter().map(ToString::to_string).collect(),
    };
    let product = ProductOptions {
        reach: args.product.reach(super::store())?,
        changes: args.product.changes(),
        source_date_epoch: source_date_epoch()?,
        tags,
        seccomp_reach: args.profiles.seccomp_reach,
        machine: args.profiles.machine(),
        profiles: args.profiles.options(global),
        runtimes: args.profiles.runtimes()?,
    };
    let verify = args.verify.options(record.trace, args.tag_unverified);
    let order = Order {
        image,
        subject: &args.observe.subject,
        record: (!args.no_record).then_some(&record),
        earlier,
        key: args.sign.key()?,
        product: &product,
        verify: verify.as_ref(),
    };
    run(global, order).await
}

pub(crate) async fn profile(global: &Global, args: Profile) -> anyhow::Result<()> {
    if let Some(ProfileCommand::Check(args)) = args.command {
        return check::run(global, &args);
    }
    let record = record_options(&args.observe)?;
    let product = ProductOptions {
        seccomp_reach: args.profiles.seccomp_reach,
        machine: args.profiles.machine(),
        profiles: args.profiles.options(global),
        runtimes: args.profiles.runtimes()?,
        reach: reach::Options {
            store: super::store(),
            ..reach::Options::default()
        },
        ..ProductOptions::default()
    };
    let verify = args.verify.options(record.trace, false);
    let order = Order {
        image: args.observe.subject.image().parse()?,
        subject: &args.observe.subject,
        record: Some(&record),
        earlier: None,
        key: None,
        product: &product,
        verify: verify.as_ref(),
    };
    run(global, order).await
}

async fn run(global: &Global, mut order: Order<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    let stop = stop_on_signals()?;
    let progress = Progress::new(global);
    let subject = order.subject;
    let starts = order.record.is_some() || order.verify.is_some();
    let engine = if starts {
        connect(global).await?
    } else {
        connect_for(global, &order.image, true).await?
    };
    if let Some(earlier) = &order.earlier {
        check_recorded(
            &earlier.recording,
            engine.as_ref(),
            &earlier.words,
            earlier.signed,
        )?;
    }
    let output = open_output(global, subject.output.as_ref(), &order.image)?.signing(order.key.take());
    // To load the tracer takes longer than to index an image.
    let record = order
        .record
        .map(|options| (options, pipeline::load(options.trace)));
    let session = Session::new(engine.as_ref(), &stop, &progress);

    let pull = subject.pull;
    let image = if starts {
        pipeline::image_to_start(session, &order.image, pull).await?
    } else {
        pipeline::image(session, &order.image, pull).await?
    };
    let mut seen = Seen::before(&image, &order)?;
    if let Some((options, loading)) = record {
        let recorded = recorded(session, &image, options, loading, &output).await?;
        seen = seen.with(recorded, options)?;
    }
    let builder = ProductBuilder {
        session,
        image: &image,
        options: order.product,
        output: &output,
    };
    let product = match order.verify {
        Some(verify) => {
            builder
                .produce_verified(&seen.recording, &seen.bodies, &seen.scenarios, verify)
                .await?
        }
        None => builder.produce(&seen.recording, &seen.bodies).await?,
    };
    let required = order.verify.map(|verify| &verify.require);
    finish(global, product, seen.summary, required, &output, progress, began)
}

/// Everything that was seen of an image, now and before.
struct Seen {
    recording: Recording,
    bodies: Bodies,
    scenarios: Vec<Scenario>,
    summary: Vec<String>,
}

impl Seen {
    /// The earlier recordings.
    fn before(image: &Image, order: &Order<'_>) -> anyhow::Result<Self> {
        let mut seen = Self {
            recording: Recording::new(image.id.clone()),
            bodies: Bodies::new(),
            scenarios: Vec::new(),
            summary: Vec::new(),
        };
        if let Some(earlier) = &order.earlier {
            seen.recording = seen.recording.merge(earlier.recording.clone())?;
            seen.bodies.extend(earlier.bodies.clone());
            seen.scenarios = Scenario::from_recording(
                &earlier.recording,
                &earlier.bodies,
                &image.to_ref(),
                &earlier.words,
            );
        }
        Ok(seen)
    }

    /// And what was recorded now.
    fn with(mut self, recorded: Recorded, options: &RecordOptions) -> anyhow::Result<Self> {
        self.scenarios.push(recorded.scenario(&options.container));
        self.recording = self.recording.merge(recorded.recording)?;
        self.bodies.extend(recorded.bodies);
        self.summary = recorded.summary;
        Ok(self)
    }
}
