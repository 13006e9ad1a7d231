//! From an Image and a Recording to a Plan, and from the Plan to profiles and an image.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::record::{cancellable, show_bytes};
use super::{Error, Observer, Output, Stage, Stop};
use crate::build;
use crate::digest::Digest;
use crate::engine::{Archive, Engine};
use crate::image::{Image, packages};
use crate::path::RootPath;
use crate::plan::tables::Tables;
use crate::plan::{self, Plan};
use crate::profile;
use crate::reach;
use crate::recording::Recording;
use crate::report::{ProductImage, Report};

/// What is made from a recording.
#[derive(Clone, Debug, Default)]
pub struct ProductOptions {
    /// What is kept beyond the observed.
    pub reach: reach::Options,
    /// `docker commit`'s edits of the config.
    pub changes: Vec<String>,
    /// The time that images carry, in seconds since 1970-01-01 UTC (`SOURCE_DATE_EPOCH`).
    pub source_date_epoch: Option<u64>,
    /// The image's tags; no image is made if there are none.
    pub tags: Vec<String>,
    /// How the profiles are written.
    pub profiles: profile::Options,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Product {
    /// The plan.
    pub plan: Plan,
    /// What to tell.
    pub report: Report,
    /// Every file written.
    pub files: Vec<PathBuf>,
}

/// What is kept and allowed: a pure function of its arguments.
///
/// # Errors
/// [`Error::OtherImage`] if the recording is of another image; [`Error::Reach`] if an option names what is not there.
pub fn plan(image: &Image, recording: &Recording, options: &ProductOptions) -> Result<Plan, Error> {
    if recording.image != image.id {
        return Err(Error::OtherImage {
            recorded: recording.image.to_string(),
            reference: image.reference.clone(),
            found: image.id.to_string(),
        });
    }
    let owners = packages::owners(&image.rootfs);
    let reached = reach::close(image, &owners, recording, &options.reach)?;
    let (syscalls, syscall_notes) = plan::syscalls::allowed(recording, Tables::built_in());
    let capabilities = plan::capabilities::granted(recording, &image.rootfs);
    let mut notes: Vec<String> = reached.notes.into_iter().chain(syscall_notes).collect();
    notes.extend(plan::capabilities::notes(recording, &capabilities));
    notes.extend(alarms(recording));
    let before = build::totals(&image.rootfs, &owners, image.rootfs.iter().map(|(path, _)| path));
    let after = build::totals(&image.rootfs, &owners, reached.files.keys());
    Ok(Plan {
        version: plan::VERSION,
        image: image.id.clone(),
        reference: image.reference.clone(),
        runs: recording.runs.keys().cloned().collect(),
        syscalls,
        capabilities,
        refused_capabilities: plan::capabilities::refused(recording, &image.rootfs),
        privilege_gain: plan::capabilities::privilege_gain(recording),
        notes,
        before,
        after,
        left_out: reached.left_out,
        removed: plan::removed(&image.rootfs, &owners, &reached.files),
        kept_by: plan::kept_by(&image.rootfs, &reached.files),
        files: reached.files,
    })
}

/// Writes the profiles, and the image if it has tags, for `plan`; loads the image into `engine`.
///
/// # Errors
/// [`Error::Profile`], [`Error::Build`], [`Error::Engine`], [`Error::Output`], [`Error::Interrupted`].
#[expect(clippy::too_many_arguments, reason = "the sources of a product, each named")]
pub async fn produce(
    engine: Option<&dyn Engine>,
    image: &Image,
    recording: &Recording,
    bodies: &BTreeMap<Digest, Vec<u8>>,
    options: &ProductOptions,
    output: &Output,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Product, Error> {
    observer.begin(Stage::Plan, "closing over what the observed files need");
    let plan = plan(image, recording, options)?;
    observer.end(
        Stage::Plan,
        &format!("{} of {} paths kept", plan.files.len(), image.rootfs.len()),
    );

    observer.begin(Stage::Profiles, "seccomp, AppArmor, capabilities");
    let mut files = vec![output.write_recording(recording, bodies)?];
    files.push(output.write("plan.json", &json(&plan))?);
    files.extend(output.write_profiles(&profile::Context {
        plan: &plan,
        recording,
        image,
        tags: &options.tags,
        options: &options.profiles,
    })?);
    observer.end(
        Stage::Profiles,
        &format!(
            "{} calls, {} capabilities",
            plan.syscalls.len(),
            plan.capabilities.len()
        ),
    );

    let mut product = None;
    if options.tags.is_empty() {
        output.remove("Dockerfile")?;
        output.remove("files.tar")?;
    } else {
        if plan.after.bytes >= plan.before.bytes {
            observer.warn(
                "nothing is gained: every byte of the image was used or is needed by what was used; the profiles hold",
            );
        }
        product = Some(make_image(engine, image, &plan, options, output, stop, observer).await?);
        files.extend([output.path("Dockerfile"), output.path("files.tar")]);
    }
    let mut report = Report::new(&plan, recording);
    report.product = product;
    report.output = output.directory().to_owned();
    Ok(Product { plan, report, files })
}

async fn make_image(
    engine: Option<&dyn Engine>,
    image: &Image,
    plan: &Plan,
    options: &ProductOptions,
    output: &Output,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<ProductImage, Error> {
    observer.begin(Stage::Layer, "writing the layer");
    let build_options = build::Options {
        changes: options.changes.clone(),
        source_date_epoch: options.source_date_epoch,
        tags: options.tags.clone(),
    };
    let built = build::build(image, plan, &build_options, output.directory(), &|done, total| {
        observer.bytes(done, Some(total));
    })?;
    output.write("Dockerfile", built.dockerfile.as_bytes())?;
    observer.end(Stage::Layer, &crate::report::bytes(built.layer.size));
    if let Some(engine) = engine {
        observer.begin(Stage::Load, &options.tags.join(", "));
        let (sender, receiver) = mpsc::unbounded_channel();
        let reader = built.archive()?;
        let archive = Archive {
            id: built.id.clone(),
            size: reader.size(),
            bytes: Box::new(reader),
        };
        let loading = cancellable(stop, 1, engine.load(archive, &options.tags, Some(sender)));
        let (loaded, ()) = tokio::join!(loading, show_bytes(receiver, observer));
        let loaded = loaded?;
        observer.end(Stage::Load, loaded.id.short());
    }
    Ok(ProductImage {
        digest: built.id,
        tags: options.tags.clone(),
        layer_bytes: built.layer.size,
    })
}

fn alarms(recording: &Recording) -> Vec<String> {
    use crate::recording::Alarm;
    let said = |program: &Option<RootPath>| {
        program
            .as_ref()
            .map_or("a program".to_owned(), ToString::to_string)
    };
    let mut notes: Vec<String> = recording
        .runs
        .values()
        .flat_map(|run| &run.alarms)
        .map(|alarm| match alarm {
            Alarm::IoUring { program } => format!(
                "{} used io_uring, whose file operations no system call shows: name the files it needs with --include",
                said(program)
            ),
            Alarm::FileHandle { program } => format!(
                "{} opened files by handle, which shows no path: name the files it needs with --include",
                said(program)
            ),
        })
        .collect();
    notes.sort();
    notes.dedup();
    notes
}

/// Indented JSON and a newline.
pub(super) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("plans and reports have string keys");
    bytes.push(b'\n');
    bytes
}
