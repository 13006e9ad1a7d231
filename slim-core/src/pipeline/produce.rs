//! From an Image and a Recording to a Plan, and from the Plan to profiles and an image; the loop that runs a product, heals it
//! and runs it again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::findings::{Healing, VerificationRound};
use super::observe::{cancellable, interruptible};
use super::record::show_bytes;
use super::verify::{Scenario, Subject, Verifier, VerifyOptions};
use super::{Bodies, Error, Output, PLAN_FILE, Session, Stage};
use crate::build;
use crate::cancel::Cancel;
use crate::digest::Digest;
use crate::engine::ArchiveStream;
use crate::image::{Image, ImageRef, config_from, packages};
use crate::path::RootPath;
use crate::plan::tables::{RuntimeTable, Tables};
use crate::plan::{self, Changes, Plan};
use crate::profile;
use crate::reach;
use crate::recording::{Purpose, Recording};
use crate::report::{ProductImage, Report};
use crate::spec::LaunchSpec;
use crate::verify::{Healed, Miss, MissKind, Verification};

/// Options of making a product from a recording.
#[derive(Clone, Debug, Default)]
pub struct ProductOptions {
    /// Options of the files that are kept beyond the observed.
    pub reach: reach::Options,
    /// `--seccomp-reach`.
    pub seccomp_reach: reach::SeccompReach,
    /// `docker commit`'s edits of the config.
    pub changes: Vec<String>,
    /// The time that images carry, in seconds since 1970-01-01 UTC (`SOURCE_DATE_EPOCH`).
    pub source_date_epoch: Option<u64>,
    /// The image's tags; no image is made if there are none.
    pub tags: Vec<String>,
    /// The machine that the profiles are for (as `uname -m` names it), if not the recorded one.
    pub machine: Option<String>,
    /// Options of profiles.
    pub profiles: profile::Options,
    /// The calls of container runtimes after they have loaded a filter, in place of the built-in tables.
    pub runtimes: Option<Vec<RuntimeTable>>,
}

/// A product that was made.
#[derive(Clone, Debug)]
pub struct Product {
    /// The plan.
    pub plan: Plan,
    /// The report.
    pub report: Report,
    /// Every file written.
    pub files: Vec<PathBuf>,
}

/// Returns the plan: a pure function of its arguments.
///
/// # Errors
/// [`Error::OtherImage`] if the recording is of another image; [`Error::Reach`] if an option names what is not there,
/// and where `cancel` says so before the end.
pub fn plan(
    image: &Image,
    recording: &Recording,
    options: &ProductOptions,
    cancel: &Cancel,
) -> Result<Plan, Error> {
    let closure = close(image, recording, options, cancel)?;
    plan_of(image, recording, options, closure, cancel)
}

/// The files that a recording keeps, and the packages of all.
struct Closure {
    owners: packages::Packages,
    reached: reach::Reached,
}

fn close(
    image: &Image,
    recording: &Recording,
    options: &ProductOptions,
    cancel: &Cancel,
) -> Result<Closure, Error> {
    if recording.image != image.id {
        return Err(Error::OtherImage {
            recorded: recording.image.to_string(),
            reference: image.reference.clone(),
            found: image.id.to_string(),
        });
    }
    let owners = packages::owners(&image.rootfs);
    let reached = reach::close(image, &owners, recording, &options.reach, cancel)?;
    Ok(Closure { owners, reached })
}

/// Returns the plan that keeps a closure's files.
fn plan_of(
    image: &Image,
    recording: &Recording,
    options: &ProductOptions,
    closure: Closure,
    cancel: &Cancel,
) -> Result<Plan, Error> {
    let Closure { owners, reached } = closure;
    let reachable = reach::calls::of_kept(
        image,
        &reached,
        options.seccomp_reach,
        options.reach.store.as_deref(),
        cancel,
    )?;
    let mut tables = Cow::Borrowed(Tables::built_in());
    if let Some(runtimes) = &options.runtimes {
        tables.to_mut().runtimes.clone_from(runtimes);
    }
    let (syscalls, syscall_notes) =
        plan::syscalls::allowed_on(recording, &tables, options.machine.as_deref(), reachable.as_ref());
    let capabilities = plan::capabilities::granted(recording, &image.rootfs);
    let mut notes: Vec<String> = reached.notes.into_iter().chain(syscall_notes).collect();
    notes.extend(plan::capabilities::notes(recording, &capabilities));
    notes.extend(alarms(recording));
    notes.extend(start_up_unseen(recording));
    notes.extend(other_launches(recording));
    notes.extend(killed(recording));
    let before = build::totals(&image.rootfs, &owners, image.rootfs.iter().map(|(path, _)| path));
    let after = build::totals(&image.rootfs, &owners, reached.files.keys());
    Ok(Plan {
        version: plan::VERSION,
        image: image.id.clone(),
        reference: image.reference.clone(),
        runs: recording.runs.keys().cloned().collect(),
        rounds: recording
            .runs
            .iter()
            .filter_map(|(id, run)| Some((id.clone(), run.round?)))
            .collect(),
        machine: options.machine.clone().filter(|machine| {
            let mut runs = recording.runs.values();
            runs.any(|run| run.host.machine != *machine)
        }),
        syscalls,
        capabilities,
        refused_capabilities: plan::capabilities::refused(recording, &image.rootfs),
        privilege_gain: plan::capabilities::privilege_gain(recording),
        told: reached.told,
        privileged: plan::capabilities::privileged(&image.rootfs, reached.files.keys()),
        notes,
        before,
        after,
        left_out: reached.left_out,
        removed: plan::removed(&image.rootfs, &owners, &reached.files),
        kept_by: plan::kept_by(&image.rootfs, &reached.files),
        files: reached.files,
    })
}

/// A builder of products: the things that every step needs.
#[derive(Clone, Copy)]
pub struct ProductBuilder<'a> {
    /// The engine and tracer in which products are loaded and run.
    pub session: Session<'a>,
    /// The image that they are made of.
    pub image: &'a Image,
    /// The user's choices.
    pub options: &'a ProductOptions,
    /// The output directory.
    pub output: &'a Output,
}

impl ProductBuilder<'_> {
    /// Writes plan, profiles and, if it has tags, the image that follow from `recording`, and loads the image.
    ///
    /// # Errors
    /// [`Error::Profile`], [`Error::Build`], [`Error::Engine`], [`Error::Output`], [`Error::Interrupted`].
    pub async fn produce(&self, recording: &Recording, bodies: &Bodies) -> Result<Product, Error> {
        let plan = self.plan(recording).await?;
        self.write(&plan, recording, bodies)?;
        let made = self.make(&plan).await?;
        let product = match made {
            Some(made) => Some(self.publish(made, true).await?),
            None => None,
        };
        self.finish(plan, recording, product, None)
    }

    /// As [`ProductBuilder::produce`], but runs the product before it gets its tags: repeats the `scenarios`, and adds what was
    /// missed. The output directory holds the recording with what verification added.
    ///
    /// A product that did not pass is no error: [`Report::verification`] says what happened.
    ///
    /// # Errors
    /// As [`ProductBuilder::produce`]; [`Error::Losses`] if watching a product lost something.
    pub async fn produce_verified(
        &self,
        recording: &Recording,
        bodies: &Bodies,
        scenarios: &[Scenario],
        verify: &VerifyOptions,
    ) -> Result<Product, Error> {
        let mut recording = recording.clone();
        let mut verifier = Verifier::new(self.session, scenarios, verify)?;
        let original = self.image.to_ref();
        let mut healed = Vec::new();
        let mut number = 1;
        let mut plan = self.plan(&recording).await?;
        verifier.load_ahead();
        loop {
            self.write(&plan, &recording, bodies)?;
            let seccomp = self.output.absolute(profile::SECCOMP_FILE)?;
            let made = self.make(&plan).await?;
            self.session.progress.begin(Stage::Verify, "running the product");
            let subject = Subject {
                product: made.as_ref().map_or(&original, |made| &made.image),
                original: Some(self.image),
                plan: &plan,
                recording: &recording,
                seccomp: &seccomp,
                apparmor: (&self.output.path(profile::APPARMOR_FILE), &self.profile_name()),
            };
            let evaluated = self.evaluate(&mut verifier, subject, verify, number).await;
            let (round, better) = match evaluated {
                Ok(evaluated) => evaluated,
                Err(error) => {
                    self.discard(made).await?;
                    return Err(error);
                }
            };
            if let Some(Amendment {
                recording: next,
                plan: better,
                added,
            }) = better
            {
                self.session.progress.end(
                    Stage::Verify,
                    &format!(
                        "round {number}: {} things were missed, and are added",
                        added.len()
                    ),
                );
                healed.extend(added.into_iter().map(|miss| Healed { round: number, miss }));
                self.discard(made).await?;
                (recording, plan) = (next, better);
                number += 1;
                continue;
            }
            let verification = Verification {
                healed,
                ..round.verification
            };
            let passed = verification.passed(&verify.require);
            self.session.progress.end(Stage::Verify, &verification.in_short());
            let product = match made {
                Some(made) => Some(self.publish(made, passed || verify.tag_unverified).await?),
                None => None,
            };
            return self.finish(plan, &recording, product, Some(verification));
        }
    }

    /// Runs one round; and where what it missed makes another plan, returns that.
    async fn evaluate(
        &self,
        verifier: &mut Verifier<'_>,
        subject: Subject<'_>,
        verify: &VerifyOptions,
        number: u32,
    ) -> Result<(VerificationRound, Option<Amendment>), Error> {
        if number > verify.heal {
            return Ok((verifier.round(subject, number, Healing::Off).await?, None));
        }
        let round = verifier.round(subject, number, Healing::On).await?;
        let Some(run) = round.missed.run.clone() else {
            return Ok((round, None));
        };
        let mut next = subject.recording.clone();
        next.insert(run)?;
        let better = self.plan(&next).await?;
        if better.allows_as_much_as(subject.plan) {
            // Excluded, or out of bounds: the product is what it is, and is judged as that.
            return Ok((verifier.round(subject, number, Healing::Off).await?, None));
        }
        let added = round
            .missed
            .list
            .iter()
            .filter(|miss| {
                miss.kind != MissKind::File || better.files.contains_key(&RootPath::new(&miss.what))
            })
            .cloned()
            .collect();
        let better = Amendment {
            recording: next,
            plan: better,
            added,
        };
        Ok((round, Some(better)))
    }

    /// Returns the plan that follows from `recording`.
    async fn plan(&self, recording: &Recording) -> Result<Arc<Plan>, Error> {
        self.session
            .progress
            .begin(Stage::Plan, "closing over what the observed files need");
        // Clones share the file system and the runs.
        let inputs = || (self.image.clone(), recording.clone(), self.options.clone());
        let (image, runs, options) = inputs();
        let closure = interruptible(self.session.stop, move |cancel| {
            close(&image, &runs, &options, cancel)
        })
        .await?;
        let progress = self.session.progress;
        progress.freed();
        progress.waiting("following the system calls of what is kept");
        let (image, runs, options) = inputs();
        let plan = interruptible(self.session.stop, move |cancel| {
            plan_of(&image, &runs, &options, closure, cancel)
        })
        .await?;
        let all = self.image.rootfs.len();
        self.session
            .progress
            .end(Stage::Plan, &format!("{} of {all} paths kept", plan.files.len()));
        Ok(Arc::new(plan))
    }

    /// The name that the product's profiles carry.
    fn profile_name(&self) -> String {
        profile::profile_name(self.options.tags.first().unwrap_or(&self.image.reference))
    }

    /// Returns the launch of the product of `plan` before anything is known of the confinement that it works under.
    fn base_launch(&self, plan: &Plan, recording: &Recording) -> LaunchSpec {
        let facts = recording.container();
        let container = facts.map(|facts| plan::recorded_container(facts, &self.image.config));
        plan::confine(&container.unwrap_or_default(), plan, recording)
    }

    /// Writes the recording, the plan, and the profiles that the product is verified under.
    fn write(&self, plan: &Plan, recording: &Recording, bodies: &Bodies) -> Result<(), Error> {
        self.session
            .progress
            .begin(Stage::Profiles, "seccomp, AppArmor, capabilities");
        self.output.write_recording(recording, bodies)?;
        self.output.write(PLAN_FILE, &json(plan))?;
        let launch = self.base_launch(plan, recording);
        self.output
            .write_confinement(&self.context(plan, recording, &launch, &self.image.id))?;
        self.session.progress.end(
            Stage::Profiles,
            &format!(
                "{} calls, {} capabilities",
                plan.syscalls.len(),
                plan.capabilities.len()
            ),
        );
        Ok(())
    }

    fn context<'c>(
        &'c self,
        plan: &'c Plan,
        recording: &'c Recording,
        launch: &'c LaunchSpec,
        digest: &'c Digest,
    ) -> profile::Context<'c> {
        profile::Context {
            plan,
            recording,
            image: self.image,
            launch,
            digest,
            tags: &self.options.tags,
            options: &self.options.profiles,
        }
    }

    /// Builds the image of `plan` and loads it under a name that is not to stay; none if it has no tags.
    async fn make(&self, plan: &Arc<Plan>) -> Result<Option<Made>, Error> {
        let Self {
            session,
            image,
            options,
            output,
        } = *self;
        let Session {
            engine,
            stop,
            progress,
            ..
        } = session;
        if options.tags.is_empty() {
            output.remove("Dockerfile")?;
            output.remove("files.tar")?;
            output.remove(build::ARCHIVE)?;
            return Ok(None);
        }
        if plan.after.bytes >= plan.before.bytes {
            progress.warn(
                "nothing is gained: every byte of the image was used or is needed by what was used; the profiles hold",
            );
        }
        progress.begin(Stage::Layer, "writing the layer");
        let loads = engine.is_present();
        let tags = if loads {
            vec![engine.temporary_tag()?]
        } else {
            options.tags.clone()
        };
        let name = tags.first().cloned().unwrap_or_default();
        let build_options = build::Options {
            changes: options.changes.clone(),
            source_date_epoch: options.source_date_epoch,
            tags,
        };
        let mut layer_file = output.create(build::LAYER)?;
        let path = output.path(build::LAYER);
        let mut file = layer_file.file().try_clone().map_err(|source| Error::Output {
            path: path.clone(),
            source,
        })?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let building = interruptible(stop, {
            let (image, plan) = (image.clone(), Arc::clone(plan));
            move |cancel| {
                let told = |done, total| {
                    // Nobody listens any more where the work is to end.
                    let _ = sender.send((done, Some(total)));
                    if cancel.is_cancelled() {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                };
                Ok(build::build(
                    &image,
                    &plan,
                    &build_options,
                    &mut file,
                    &path,
                    &told,
                )?)
            }
        });
        let (built, ()) = tokio::join!(building, show_bytes(receiver, progress));
        let built = built?;
        layer_file.commit()?;
        output.write("Dockerfile", built.dockerfile.as_bytes())?;
        progress.end(Stage::Layer, &crate::report::bytes(built.layer.size));
        let made = Made {
            image: ImageRef {
                id: built.id.clone(),
                reference: name,
                config: config_from(&built.config)?,
            },
            layer_bytes: built.layer.size,
            loaded: loads,
        };
        if !loads {
            self.write_archive(&built)?;
            return Ok(Some(made));
        }
        progress.begin(Stage::Load, &options.tags.join(", "));
        let (sender, receiver) = mpsc::unbounded_channel();
        let reader = built.archive()?;
        let archive = ArchiveStream {
            id: built.id.clone(),
            size: reader.size(),
            bytes: Box::new(reader),
        };
        let loading = cancellable(stop, 1, engine.load(archive, &[], Some(sender)));
        let (loaded, ()) = tokio::join!(loading, show_bytes(receiver, progress));
        match loaded {
            Ok(loaded) => progress.end(Stage::Load, loaded.id.short()),
            Err(error) => {
                // It may have been loaded before the interrupt.
                self.discard(Some(made)).await?;
                return Err(error);
            }
        }
        Ok(Some(made))
    }

    /// Writes the image's archive, which holds its tags.
    fn write_archive(&self, built: &build::Built) -> Result<(), Error> {
        let mut archive = self.output.create(build::ARCHIVE)?;
        std::io::copy(&mut built.archive()?, archive.file()).map_err(|source| Error::Output {
            path: self.output.path(build::ARCHIVE),
            source,
        })?;
        archive.commit()?;
        Ok(())
    }

    /// Gives a loaded image its tags, if it is good, and takes its temporary name away.
    async fn publish(&self, made: Made, good: bool) -> Result<ProductImage, Error> {
        let tags = if good { self.options.tags.as_slice() } else { &[] };
        let product = ProductImage {
            digest: made.image.id.clone(),
            tags: tags.to_vec(),
            layer_bytes: made.layer_bytes,
        };
        if !made.loaded {
            return Ok(product);
        }
        let tagged = self.tag(&made, tags).await;
        self.discard(Some(made)).await?;
        tagged?;
        Ok(product)
    }

    async fn tag(&self, made: &Made, tags: &[String]) -> Result<(), Error> {
        for tag in tags {
            self.session.engine.tag(&made.image.reference, tag).await?;
        }
        Ok(())
    }

    async fn discard(&self, made: Option<Made>) -> Result<(), Error> {
        if let Some(made) = made {
            self.session.engine.untag(&made.image.reference).await?;
        }
        Ok(())
    }

    /// Writes every artifact as the product was verified, and makes the report.
    fn finish(
        &self,
        plan: Arc<Plan>,
        recording: &Recording,
        product: Option<ProductImage>,
        verification: Option<Verification>,
    ) -> Result<Product, Error> {
        let rootfs = &self.image.rootfs;
        let base = self.base_launch(&plan, recording);
        let memory = Changes::new(recording, rootfs).in_memory(&plan, rootfs);
        let launch = match &verification {
            Some(verification) => verification.launch(&base, &memory.tmpfs, &self.profile_name()),
            None => plan::unverified(&base, &memory, &self.profile_name()),
        };
        let digest = product.as_ref().map_or(&self.image.id, |product| &product.digest);
        let mut files = vec![self.output.path("recording.json"), self.output.path(PLAN_FILE)];
        files.extend(
            self.output
                .write_profiles(&self.context(&plan, recording, &launch, digest))?,
        );
        if product.is_some() {
            files.extend([self.output.path("Dockerfile"), self.output.path("files.tar")]);
            if !self.session.engine.is_present() {
                files.push(self.output.path(build::ARCHIVE));
            }
        }
        let mut report = Report::new(&plan, recording);
        report.product = product;
        report.verification = verification;
        report.launch = launch;
        report.output = self.output.directory().to_owned();
        let plan = Arc::unwrap_or_clone(plan);
        Ok(Product { plan, report, files })
    }
}

/// The recording and the plan after missed things are added.
struct Amendment {
    recording: Recording,
    plan: Arc<Plan>,
    added: Vec<Miss>,
}

/// An image that is loaded under a name that is not to stay.
struct Made {
    image: ImageRef,
    layer_bytes: u64,
    /// The engine has it; else its archive is in the output directory.
    loaded: bool,
}

/// Returns a note where every run was attached to when it ran already.
fn start_up_unseen(recording: &Recording) -> Option<String> {
    let mut runs = recording.runs.values();
    let attached = runs.clone().any(|run| run.purpose == Purpose::Attached);
    (attached && !runs.any(|run| run.purpose == Purpose::Recorded)).then(|| {
        "no recorded run begins with the container's start (slim attached to one that ran), so what start-up needs is \
         missing, and this alone does not start a container: add a run that does, with slim record IMAGE and slim merge"
            .to_owned()
    })
}

/// Returns a note where a recorded container did not end at its stop signal in time.
fn killed(recording: &Recording) -> Option<String> {
    let late = recording
        .runs
        .values()
        .any(|run| run.purpose != Purpose::Verification && run.outcome.killed && !run.outcome.ignores_signal);
    late.then(|| {
        "the app did not end in time after its stop signal and was killed, so that what it does at its end is not all seen: \
         give it longer with --stop-timeout"
            .to_owned()
    })
}

/// Returns a note where the recorded containers were started in several ways: the product is started in one of them, the
/// earliest, and the others' options are not in what starts it.
fn other_launches(recording: &Recording) -> Option<String> {
    const MAX_NAMED: usize = 8;
    let chosen = recording.container()?.spec.to_words();
    let started = recording
        .runs
        .values()
        .filter(|run| run.purpose != Purpose::Verification);
    let others: BTreeSet<Vec<String>> = started
        .flat_map(|run| run.container.spec.to_words())
        .filter(|words| !chosen.contains(words))
        .collect();
    if others.is_empty() {
        return None;
    }
    let named: Vec<String> = others
        .iter()
        .take(MAX_NAMED)
        .map(|words| words.join(" "))
        .collect();
    let more = match others.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "the recorded containers were started in several ways: the product is started as the earliest was, without the \
         others' {}{more}",
        named.join(", ")
    ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ContainerSpec;

    #[test]
    fn launches_that_are_not_the_products_are_named() {
        let image = Digest::of(b"image");
        let run = |started: u64, words: &[&[&str]]| {
            let words: Vec<Vec<String>> = words
                .iter()
                .map(|words| words.iter().map(|&word| word.to_owned()).collect())
                .collect();
            let mut run = crate::recording::tests::run(started);
            run.image = image.clone();
            run.purpose = Purpose::Recorded;
            run.started = started;
            run.container.spec = ContainerSpec::from_words(&words, &[]);
            run
        };
        let mut recording = Recording::new(image.clone());
        recording.insert(run(1, &[&["--network", "none"]])).unwrap();
        assert_eq!(other_launches(&recording), None);
        recording
            .insert(run(2, &[&["--init"], &["--sysctl", "net.core.somaxconn=55"]]))
            .unwrap();
        let note = other_launches(&recording).unwrap();
        assert!(
            note.ends_with("without the others' --init, --sysctl net.core.somaxconn=55"),
            "{note}"
        );
    }

    #[test]
    fn an_application_that_was_killed_is_noted() {
        let recorded = |is_killed: bool, ignores_signal: bool, purpose: Purpose| {
            let mut run = crate::recording::tests::run(1);
            run.purpose = purpose;
            run.outcome.killed = is_killed;
            run.outcome.ignores_signal = ignores_signal;
            let mut recording = Recording::new(run.image.clone());
            recording.insert(run).unwrap();
            killed(&recording).is_some()
        };
        assert!(recorded(true, false, Purpose::Recorded));
        assert!(!recorded(false, false, Purpose::Recorded));
        // Production kills it as well.
        assert!(!recorded(true, true, Purpose::Recorded));
        assert!(!recorded(true, false, Purpose::Verification));
    }
}
