//! Runs a product, and says how it behaved.
//!
//! A [`Trial`] is one container: the product under its profiles, or a second original. Trials are watched by the tracer
//! where that is possible, and end in what was answered and what was missed; judging them is [`crate::verify`]'s.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::{Loading, cancellable, load};
use super::target::Watched;
use super::{Error, LOG_LIMIT, Observer, Stage, Stop};
use crate::engine::{Container, Engine};
use crate::image::Image;
use crate::plan::filter::Filter;
use crate::plan::privileges::{self, Privilege, Words};
use crate::plan::{self, Changes, InMemory, Plan};
use crate::probe::{self, Patience, Questions, Replayed, Unrecorded};
use crate::profile::{APPARMOR_FILE, SECCOMP_FILE, apparmor_renamed, profile_name};
use crate::recording::{ContainerFacts, Exchange, Phase, Purpose, Recording, Run, SocketUse};
use crate::spec::{ContainerSpec, LaunchSpec};
use crate::trace::{self, Observed, Scope, Tracer};
use crate::verify::{self, Answers, Aspect, Difference, Missed, Outcome, Verdict, Verification, differences};

/// The plan's name in an output directory.
const PLAN_FILE: &str = "plan.json";

/// As many of the application's last lines are shown where it failed.
const LAST_LINES: usize = 10;

/// How a product is verified.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How many times what was missed is added and the product built anew (`--heal`).
    pub heal: u32,
    /// Questions besides the recorded ones (`--verify-file`).
    pub file: Option<PathBuf>,
    /// A user id to run the product under, too (`--verify-user`).
    pub user: Option<u32>,
    /// How often the product is started (`--verify-times`).
    pub times: u32,
    /// What must pass besides image, seccomp and capabilities (`--require`).
    pub require: BTreeSet<Aspect>,
    /// Whether a product that did not pass gets its tags all the same (`--tag-unverified`).
    pub tag_unverified: bool,
    /// The tracer's sizes; none to do without it.
    pub trace: Option<trace::Options>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            heal: 3,
            file: None,
            user: None,
            times: 1,
            require: BTreeSet::new(),
            tag_unverified: false,
            trace: Some(trace::Options::default()),
        }
    }
}

/// The user id that OpenShift might give a container.
pub const ARBITRARY_USER: u32 = 1_000_660_000;

/// One recorded run, as a product is to repeat it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The run.
    pub original: Run,
    /// What the original's container was given.
    pub container: ContainerSpec,
    /// What it answered.
    pub expected: Answers,
    /// What the recording leaves out.
    pub unrecorded: Unrecorded,
    /// How long the product may take.
    pub patience: Patience,
}

impl Scenario {
    /// The scenarios of a recording that was read from a file: values that it leaves out are not at hand but for those that
    /// `words` give, options come from their recorded words. Whether the user allows what they ask of the host is to be
    /// checked before ([`privileges::of_recording`]).
    pub fn of(recording: &Recording, bodies: &super::Bodies, image: &Image, words: &Words) -> Vec<Self> {
        let mut runs: Vec<&Run> = recording
            .runs
            .values()
            .filter(|run| run.purpose == Purpose::Recorded)
            .collect();
        runs.sort_by_key(|run| (run.started, run.id()));
        let scenario = |run: &Run| {
            let readiness = run.phases.iter().find(|mark| mark.phase == Phase::Serving);
            let took = Duration::from_millis(readiness.map_or(0, |mark| mark.at_ms));
            // Whether a recorded name may have a value of slim's own environment was checked with the rest.
            let value = |name: &str| words.value(name).or_else(|| std::env::var(name).ok());
            let container = plan::recorded_container(&run.container, &image.config).with_values(value);
            Self {
                container,
                expected: Answers {
                    exchanges: run.exchanges.clone(),
                    bodies: bodies.clone(),
                },
                unrecorded: Unrecorded::default(),
                patience: Patience::after(took, Duration::from_millis(run.duration_ms)),
                original: run.clone(),
            }
        };
        runs.into_iter().map(scenario).collect()
    }
}

/// A product that was made before, perhaps on another machine.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// What the plan follows from.
    pub recording: &'a Recording,
    /// Bodies of its exchanges, as far as they are at hand.
    pub bodies: &'a super::Bodies,
    /// The product as the engine has it.
    pub product: &'a Image,
    /// What it was made from, if the engine has it.
    pub original: Option<&'a Image>,
    /// The directory with its profiles.
    pub directory: &'a Path,
    /// The name that its profiles carry: its first tag, or the original's where only profiles were made.
    pub tagged: &'a str,
}

impl Finished<'_> {
    /// What its containers are given beyond what every container has: by its recording unless somebody vouches for it
    /// (`signed`), and by the plan and the profile beside it beyond that.
    ///
    /// # Errors
    /// [`Error::NotOfRecording`] for files that are not of the recording, or a profile that slim did not write;
    /// [`Error::Engine`], [`Error::Output`].
    pub fn privileges(&self, engine: &dyn Engine, signed: bool) -> Result<BTreeSet<Privilege>, Error> {
        let foreign = |name: &str, problem: String| Error::NotOfRecording {
            path: self.directory.join(name),
            problem,
        };
        let runs: Vec<_> = self.recording.runs.keys().cloned().collect();
        if self.plan.image != self.recording.image || self.plan.runs != runs {
            let problem = "not the plan of the recording beside it; slim generate makes it anew";
            return Err(foreign(PLAN_FILE, problem.to_owned()));
        }
        let apparmor = self.directory.join(APPARMOR_FILE);
        let text = std::fs::read_to_string(&apparmor).map_err(|source| Error::Output {
            path: apparmor,
            source,
        })?;
        let name = profile_name(self.tagged);
        apparmor_renamed(&text, &name, &name).map_err(|error| foreign(APPARMOR_FILE, error.to_string()))?;

        let recorded = privileges::of_recording(self.recording, engine.facts());
        let granted: Vec<String> = self.plan.capabilities.iter().map(|c| c.name.clone()).collect();
        let filter = read_seccomp(&self.directory.join(SECCOMP_FILE))?.filter;
        let mut beside = privileges::of_capabilities(&granted);
        beside.extend(privileges::of_filter(
            &filter,
            &privileges::defaults(engine.facts(), &granted),
        ));
        Ok(if signed {
            beside.difference(&recorded).cloned().collect()
        } else {
            beside.union(&recorded).cloned().collect()
        })
    }

    /// Runs it again, without mending anything; and says what could not be checked, a sentence each.
    ///
    /// # Errors
    /// [`Error::Engine`], [`Error::Output`] for a profile that cannot be read, [`Error::Interrupted`].
    pub async fn verify(
        &self,
        engine: &dyn Engine,
        options: &VerifyOptions,
        stop: &Stop,
        observer: &dyn Observer,
    ) -> Result<(Verification, Vec<String>), Error> {
        let mut options = options.clone();
        let mut unchecked = Vec::new();
        if let Some(sizes) = options.trace
            && let Some(why) = tokio::task::spawn_blocking(move || cannot_trace(sizes)).await?
        {
            options.trace = None;
            unchecked.push(format!("what the product misses, and what it listens on: {why}"));
        }
        if self.original.is_none() {
            unchecked.push(format!(
                "what differs between two originals: the image {} is not in this engine, so every difference counts",
                self.plan.reference
            ));
        }
        let scenarios = Scenario::of(self.recording, self.bodies, self.product, &Words::default());
        for exchange in scenarios.iter().flat_map(|scenario| &scenario.expected.exchanges) {
            let gone = exchange
                .bodies()
                .into_iter()
                .any(|body| body.kept && !self.bodies.contains_key(&body.digest));
            if gone {
                let question = verify::question(exchange);
                unchecked.push(format!(
                    "where {question} differs: its bodies are not beside the recording"
                ));
            }
        }
        observer.begin(Stage::Verify, "running the product");
        let mut verifier = Verifier::new(engine, &scenarios, &options, stop, observer)?;
        verifier.load_ahead();
        let subject = Subject {
            product: self.product,
            original: self.original,
            plan: self.plan,
            recording: self.recording,
            seccomp: &std::path::absolute(self.directory.join(SECCOMP_FILE)).map_err(|source| {
                Error::Output {
                    path: self.directory.to_owned(),
                    source,
                }
            })?,
            apparmor: (&self.directory.join(APPARMOR_FILE), &profile_name(self.tagged)),
        };
        let round = verifier.round(subject, 1).await?;
        observer.end(Stage::Verify, &round.verification.in_short());
        Ok((round.verification, unchecked))
    }
}

/// Why this machine cannot watch a container; none if it can.
fn cannot_trace(sizes: trace::Options) -> Option<String> {
    // No container has this id, so nothing is watched.
    match Tracer::start(Scope::Container("0".repeat(64)), sizes) {
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// What is verified.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The product as the engine has it.
    pub(super) product: &'a Image,
    /// What it was built from; none where it is not at hand.
    pub(super) original: Option<&'a Image>,
    /// What it keeps and may do.
    pub(super) plan: &'a Plan,
    /// What that follows from.
    pub(super) recording: &'a Recording,
    /// Its seccomp profile.
    pub(super) seccomp: &'a Path,
    /// Its AppArmor profile: where it is, and what it calls itself.
    pub(super) apparmor: (&'a Path, &'a str),
}

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) verification: Verification,
    /// What was missed, for the next round.
    pub(super) missed: Missed,
}

/// Repeats the scenarios of one recording, with products that change and an original that does not.
pub(super) struct Verifier<'a> {
    engine: &'a dyn Engine,
    options: &'a VerifyOptions,
    stop: &'a Stop,
    observer: &'a dyn Observer,
    scenarios: Vec<Repeated<'a>>,
    /// The tracer of the first trial, which loads while the product is made.
    loading: Option<Loading>,
}

struct Repeated<'a> {
    scenario: &'a Scenario,
    /// Questions of the user's, asked after the recorded ones.
    questions: Questions,
    /// Answers of further originals, as far as they were needed.
    again: Vec<Answers>,
}

/// A container that was run to see how it behaves.
#[derive(Debug, Default)]
struct Tried {
    answers: Answers,
    /// Why it did not come to answer.
    error: Option<String>,
    log: String,
    /// Where it was watched: what it did, and what its container was given.
    watched: Option<(Observed, ContainerFacts)>,
    listening: Option<Vec<SocketUse>>,
    took: Duration,
}

/// What a trial came to.
#[derive(Debug, Default)]
struct Judged {
    tried: Tried,
    differences: Vec<Difference>,
    missed: Missed,
    alike: u64,
    asked: u64,
}

impl Judged {
    fn failed(&self) -> bool {
        self.tried.error.is_some() || !self.differences.is_empty()
    }
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        engine: &'a dyn Engine,
        scenarios: &'a [Scenario],
        options: &'a VerifyOptions,
        stop: &'a Stop,
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let mut repeated: Vec<Repeated<'a>> = scenarios
            .iter()
            .map(|scenario| Repeated {
                scenario,
                questions: Questions::default(),
                again: Vec::new(),
            })
            .collect();
        if let (Some(file), Some(last)) = (&options.file, repeated.last_mut()) {
            last.questions =
                Questions::load(file, &last.scenario.expected.exchanges).map_err(|source| Error::Probe {
                    source,
                    log: String::new(),
                })?;
        }
        Ok(Self {
            engine,
            options,
            stop,
            observer,
            scenarios: repeated,
            loading: None,
        })
    }

    /// Begins to load the tracer of the first trial. It takes most of its memory while it is loaded, as a closure does
    /// while it is made, so one is to follow the other.
    pub(super) fn load_ahead(&mut self) {
        self.loading = self.options.trace.map(load);
    }

    /// Runs the product through everything once.
    pub(super) async fn round(&mut self, subject: Subject<'_>, number: u32) -> Result<Round, Error> {
        let mut round = Round::default();
        let seccomp = read_seccomp(subject.seccomp)?;
        let memory: Option<InMemory> = subject.original.map(|image| {
            Changes::of(subject.recording, &image.rootfs).in_memory(subject.plan, &image.rootfs)
        });
        let mut main = Tally::default();
        if self.scenarios.is_empty() {
            // Nothing that was run passed.
            let what = "no recorded run can be repeated: record one, or do without with --no-verify";
            main.error = Some(what.to_owned());
        }
        let mut read_only = match &memory {
            Some(_) => Ok(()),
            None => {
                let why = "the original image is not here to tell what its directories are like";
                Err((Outcome::NotChecked, why.to_owned()))
            }
        };
        let mut arbitrary: Option<Tally> = None;
        let mut arbitrary_note = None;
        let mut apparmor: Option<Result<Tally, String>> = None;

        for index in 0..self.scenarios.len() {
            let base = plan::confine(
                &self.scenarios[index].scenario.container,
                subject.plan,
                subject.recording,
            );
            let mut times = self.options.times.max(1);
            if let (Some(memory), Ok(())) = (&memory, &read_only) {
                let launch = base.with_read_only(&memory.tmpfs);
                let judged = self.judge(index, subject, &launch, &seccomp, number).await?;
                // What was missed is added first: it may be all that is wrong.
                let heals = judged.missed.run.is_some() && number <= self.options.heal;
                if judged.failed() && !heals {
                    let obstacles = memory.obstacles.iter().map(ToString::to_string);
                    let reason: Vec<String> = obstacles.chain([judged.reason()]).collect();
                    read_only = Err((Outcome::Failed, reason.join("; ")));
                } else {
                    main.add(judged);
                    times -= 1;
                }
            }
            for _ in 0..times {
                if main.failed() {
                    break;
                }
                let launch = match (&memory, &read_only) {
                    (Some(memory), Ok(())) => base.with_read_only(&memory.tmpfs),
                    _ => base.clone(),
                };
                main.add(self.judge(index, subject, &launch, &seccomp, number).await?);
            }
            if main.failed() {
                break;
            }
            let launch = match (&memory, &read_only) {
                (Some(memory), Ok(())) => base.with_read_only(&memory.tmpfs),
                _ => base.clone(),
            };
            match (apparmor.take(), load_apparmor(subject.apparmor)?) {
                (Some(Err(reason)), _) | (_, Err(reason)) => apparmor = Some(Err(reason)),
                (before, Ok(loaded)) => {
                    let mut tally = before.and_then(Result::ok).unwrap_or_default();
                    let launch = launch.under_apparmor(loaded.name());
                    tally.add(self.judge(index, subject, &launch, &seccomp, number).await?);
                    apparmor = Some(Ok(tally));
                }
            }
            let user = self.options.user.or_else(|| {
                let required = self.options.require.contains(&Aspect::ArbitraryUid);
                required.then_some(ARBITRARY_USER)
            });
            if let Some(user) = user {
                match self
                    .under_user(index, subject, &base, &seccomp, user, number)
                    .await?
                {
                    Ok(judged) => arbitrary.get_or_insert_default().add(judged),
                    Err(reason) => arbitrary_note = Some(reason),
                }
            }
        }

        let verdicts = &mut round.verification.verdicts;
        let said = |what| main.misses(what);
        for (aspect, kind) in [
            (Aspect::Image, None),
            (Aspect::Seccomp, Some(verify::MissKind::Syscall)),
            (Aspect::Capabilities, Some(verify::MissKind::Capability)),
        ] {
            let blamed = match kind {
                Some(kind) => said(kind),
                None => main.unexplained(),
            };
            verdicts.push(match blamed {
                Some(detail) if main.failed() => main.verdict(aspect, Outcome::Failed, detail),
                _ if main.failed() => main.verdict(
                    aspect,
                    Outcome::NotChecked,
                    "it did not come to that: see what failed".to_owned(),
                ),
                _ => main.verdict(aspect, Outcome::Passed, String::new()),
            });
        }
        verdicts.push(match apparmor {
            Some(Ok(tally)) if tally.failed() => {
                let detail = tally.reason();
                tally.verdict(Aspect::AppArmor, Outcome::Failed, detail)
            }
            Some(Ok(tally)) => tally.verdict(Aspect::AppArmor, Outcome::Passed, String::new()),
            Some(Err(reason)) => Verdict::not_checked(Aspect::AppArmor, reason),
            None => Verdict::not_checked(Aspect::AppArmor, "the product fails otherwise".to_owned()),
        });
        verdicts.push(match read_only {
            Ok(()) if !main.failed() => {
                let tmpfs = memory.iter().flat_map(|memory| &memory.tmpfs);
                let options = tmpfs.map(|value| format!(" --tmpfs {value}"));
                let detail = format!("--read-only{}", options.collect::<String>());
                main.verdict(Aspect::ReadOnly, Outcome::Passed, detail)
            }
            Ok(()) => Verdict::not_checked(Aspect::ReadOnly, "the product fails otherwise".to_owned()),
            Err((outcome, reason)) => Verdict {
                outcome,
                ..Verdict::not_checked(Aspect::ReadOnly, reason)
            },
        });
        if let Some(tally) = arbitrary {
            let user = self.options.user.unwrap_or(ARBITRARY_USER);
            verdicts.push(if tally.failed() {
                let detail = tally.reason();
                tally.verdict(Aspect::ArbitraryUid, Outcome::Failed, detail)
            } else {
                tally.verdict(
                    Aspect::ArbitraryUid,
                    Outcome::Passed,
                    format!("--user {}", arbitrary_user(user)),
                )
            });
            main.missed.extend(tally.missed);
            main.differences.extend(tally.differences);
            main.error = main.error.or(tally.error);
        } else {
            let reason = arbitrary_note.unwrap_or_else(|| "ask for it with --verify-user UID".to_owned());
            verdicts.push(Verdict::not_checked(Aspect::ArbitraryUid, reason));
        }
        round.verification.differences = main.differences;
        round.verification.error = main.error;
        round.verification.log = main.log;
        round.missed = unite(main.missed);
        round.verification.missed = round.missed.list.clone();
        Ok(round)
    }

    /// The product under an arbitrary user; why not, where the original does not work so either.
    async fn under_user(
        &mut self,
        index: usize,
        subject: Subject<'_>,
        base: &LaunchSpec,
        seccomp: &SeccompFilter,
        user: u32,
        number: u32,
    ) -> Result<Result<Judged, String>, Error> {
        let Some(original) = subject.original else {
            return Ok(Err("the original image is not here to compare with".to_owned()));
        };
        let scenario = self.scenarios[index].scenario;
        let container = ContainerSpec {
            user: Some(arbitrary_user(user)),
            ..scenario.container.clone()
        };
        let tried = self.attempt(index, original, &container, None).await?;
        if let Some(error) = tried.error {
            return Ok(Err(format!(
                "the original does not run under user {user}: {error}"
            )));
        }
        let differing = self.differing(index, original, &tried).await?;
        if let Some(difference) = differing.first() {
            return Ok(Err(format!(
                "the original answers otherwise under user {user}: {}",
                describe(difference)
            )));
        }
        let launch = base.under_user(&arbitrary_user(user));
        self.judge(index, subject, &launch, seccomp, number).await.map(Ok)
    }

    /// Tries the product and judges what it did.
    async fn judge(
        &mut self,
        index: usize,
        subject: Subject<'_>,
        launch: &LaunchSpec,
        seccomp: &SeccompFilter,
        number: u32,
    ) -> Result<Judged, Error> {
        let container = launch.confined(&seccomp.profile);
        let tried = self
            .attempt(index, subject.product, &container, self.options.trace)
            .await?;
        let mut differences = match (&tried.error, subject.original) {
            (Some(_), _) => Vec::new(),
            (None, Some(original)) => self.differing(index, original, &tried).await?,
            (None, None) => differences(&self.scenarios[index].scenario.expected, &[], &tried.answers),
        };
        let original = &self.scenarios[index].scenario.original;
        if let (Some(listening), None) = (&tried.listening, &tried.error) {
            for port in verify::not_listening(&original.sockets, listening) {
                differences.push(Difference {
                    sequence: u32::MAX,
                    request: format!("port {port}"),
                    part: "listening".to_owned(),
                    expected: "listened on".to_owned(),
                    got: "not listened on".to_owned(),
                });
            }
        }
        let missed = match (&tried.watched, subject.original) {
            (Some((observed, container)), Some(image)) => verify::missed(
                verify::Watched {
                    observed,
                    container,
                    filter: &seccomp.filter,
                    started: !observed.programs.is_empty(),
                },
                image,
                subject.plan,
                subject.recording,
                original,
                number,
            ),
            _ => Missed::default(),
        };
        let (alike, asked) = verify::alike(&self.expected(index), &tried.answers, &differences);
        Ok(Judged {
            tried,
            differences,
            missed,
            alike,
            asked,
        })
    }

    /// What is expected: the recorded answers, and to the user's own questions those of the first further original.
    fn expected(&self, index: usize) -> Answers {
        let repeated = &self.scenarios[index];
        let mut expected = repeated.scenario.expected.clone();
        if let Some(again) = repeated.again.first() {
            let own = |exchange: &&Exchange| {
                repeated
                    .questions
                    .exchanges
                    .iter()
                    .any(|question| question.sequence == exchange.sequence)
            };
            expected
                .exchanges
                .extend(again.exchanges.iter().filter(own).cloned());
            expected.bodies.extend(again.bodies.clone());
        }
        expected
    }

    /// Where the answers are not the original's. Further originals are started as far as they are needed: the first
    /// where something differs or the user has questions of his own, the second where his differ still.
    async fn differing(
        &mut self,
        index: usize,
        original: &Image,
        tried: &Tried,
    ) -> Result<Vec<Difference>, Error> {
        loop {
            let own = !self.scenarios[index].questions.exchanges.is_empty();
            let count = self.scenarios[index].again.len();
            let expected = self.expected(index);
            let found = differences(&expected, &self.scenarios[index].again, &tried.answers);
            let enough = if own { 2 } else { 1 };
            if count >= enough || (found.is_empty() && (!own || count > 0)) {
                return Ok(found);
            }
            self.observer
                .waiting("a second original, to see what differs by itself");
            let container = self.scenarios[index].scenario.container.clone();
            let second = self.attempt(index, original, &container, None).await?;
            if let Some(error) = second.error {
                self.observer
                    .warn(&format!("a second original did not answer as the first: {error}"));
                return Ok(found);
            }
            self.scenarios[index].again.push(second.answers);
        }
    }

    /// Runs one container and asks it everything.
    async fn attempt(
        &mut self,
        index: usize,
        image: &Image,
        spec: &ContainerSpec,
        tracing: Option<trace::Options>,
    ) -> Result<Tried, Error> {
        let loading = tracing.map(|sizes| self.loading.take().unwrap_or_else(|| load(sizes)));
        let container = cancellable(self.stop, 1, self.engine.create(image, spec)).await?;
        let trial = Trial {
            engine: self.engine,
            image,
            spec,
            stop: self.stop,
            observer: self.observer,
            container: &container,
            repeated: &self.scenarios[index],
        };
        let ran = cancellable(self.stop, 1, trial.run(loading)).await;
        let removed = self.engine.remove(&container).await;
        let (mut tried, facts, tracer) = ran?;
        removed?;
        if let Some(tracer) = tracer {
            let observed = tokio::task::spawn_blocking(move || tracer.finish()).await??;
            if observed.losses.total() > 0 {
                return Err(Error::Losses(observed.losses));
            }
            tried.watched = Some((observed, facts));
        }
        Ok(tried)
    }
}

/// One container that is run.
struct Trial<'a> {
    engine: &'a dyn Engine,
    image: &'a Image,
    spec: &'a ContainerSpec,
    stop: &'a Stop,
    observer: &'a dyn Observer,
    container: &'a Container,
    repeated: &'a Repeated<'a>,
}

impl Trial<'_> {
    /// Starts it, asks, and leaves it running; the tracer is handed out, since it is to see the end.
    async fn run(&self, loading: Option<Loading>) -> Result<(Tried, ContainerFacts, Option<Tracer>), Error> {
        let clock = Instant::now();
        let mut tracer = None;
        if let Some(loading) = loading {
            let scope = Scope::Container(self.container.id.clone());
            let loaded = loading.await??;
            let watching = tokio::task::spawn_blocking(move || loaded.watch(scope)).await??;
            tracer = Some(Arc::new(watching));
        }
        let mut tried = Tried::default();
        let mut facts = ContainerFacts::default();
        match self.engine.start(self.container).await {
            Ok(()) => {
                if let Some(watching) = &tracer {
                    if watching.scoped() {
                        watching.mark(Phase::Verification)?;
                    } else {
                        self.observer.warn(
                            "the engine runs on another kernel, so what the product misses is not seen",
                        );
                        tracer = None;
                    }
                }
                if let Ok((found, _)) = self.engine.container_facts(self.container).await {
                    facts = found;
                }
                let target = Watched {
                    engine: self.engine,
                    container: self.container,
                    image: self.image,
                    published: super::record::published_ports(self.spec),
                    tracer: tracer.clone(),
                    serving: false,
                    observer: self.observer,
                    stop: self.stop,
                };
                match self.ask(&target).await {
                    Ok(replayed) => {
                        tried.answers = Answers {
                            exchanges: replayed.exchanges,
                            bodies: replayed.bodies,
                        };
                    }
                    Err(error) if tracer.as_ref().is_some_and(|tracer| !tracer.app_started()) => {
                        tried.error = Some(format!("the container's program did not start: {error}"));
                    }
                    Err(error) => tried.error = Some(error.to_string()),
                }
            }
            Err(error @ (crate::engine::Error::Start { .. } | crate::engine::Error::Refused { .. })) => {
                tried.error = Some(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
        tried.listening = tracer.as_ref().map(|tracer| tracer.listening());
        let log = self.engine.logs(self.container, LOG_LIMIT).await;
        tried.log = super::record::text_of(&log.unwrap_or_default());
        tried.took = clock.elapsed();
        Ok((tried, facts, tracer.and_then(Arc::into_inner)))
    }

    /// Asks what the original was asked; one that was asked nothing must come to listen as the original did.
    async fn ask(&self, target: &Watched<'_>) -> Result<Replayed, probe::ProbeError> {
        let Repeated {
            scenario, questions, ..
        } = self.repeated;
        let exchanges = [scenario.expected.exchanges.as_slice(), &questions.exchanges].concat();
        let mut bodies = scenario.expected.bodies.clone();
        bodies.extend(questions.bodies.clone());
        let unrecorded = scenario.unrecorded.clone().and(&questions.unrecorded);
        if exchanges.is_empty() {
            probe::comes_up(target, &scenario.original.sockets, scenario.patience).await?;
            return Ok(Replayed::default());
        }
        probe::replay_within(target, &exchanges, &bodies, &unrecorded, scenario.patience).await
    }
}

/// What several trials came to.
#[derive(Debug, Default)]
struct Tally {
    differences: Vec<Difference>,
    missed: Vec<Missed>,
    error: Option<String>,
    log: Vec<String>,
    alike: u64,
    asked: u64,
    starts: u32,
    took: Duration,
}

impl Tally {
    fn add(&mut self, judged: Judged) {
        if judged.failed() {
            let lines: Vec<&str> = judged.tried.log.trim_end().lines().collect();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            self.log = last.iter().map(|line| (*line).to_owned()).collect();
        }
        self.error = self.error.take().or(judged.tried.error);
        self.differences.extend(judged.differences);
        self.missed.push(judged.missed);
        self.alike += judged.alike;
        self.asked += judged.asked;
        self.starts += 1;
        self.took += judged.tried.took;
    }

    fn failed(&self) -> bool {
        self.error.is_some() || !self.differences.is_empty()
    }

    /// What of this kind was missed, in words.
    fn misses(&self, kind: verify::MissKind) -> Option<String> {
        let of_kind: BTreeSet<String> = self
            .missed
            .iter()
            .flat_map(|missed| &missed.list)
            .filter(|miss| miss.kind == kind)
            .map(ToString::to_string)
            .collect();
        (!of_kind.is_empty()).then(|| of_kind.into_iter().collect::<Vec<_>>().join("; "))
    }

    /// What is wrong with the image, where it is to blame: files are missing, or nothing else explains the failure.
    fn unexplained(&self) -> Option<String> {
        use verify::MissKind::{Capability, File, Listing, Syscall};
        let files = self.misses(File).or_else(|| self.misses(Listing));
        match files {
            Some(files) => Some(files),
            None if self.misses(Syscall).is_some() || self.misses(Capability).is_some() => None,
            None => Some(self.reason()),
        }
    }

    fn reason(&self) -> String {
        reason(self.error.as_deref(), &self.differences)
    }

    fn verdict(&self, aspect: Aspect, outcome: Outcome, detail: String) -> Verdict {
        Verdict {
            aspect,
            outcome,
            detail,
            asked: self.asked,
            alike: self.alike,
            starts: self.starts,
            ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Judged {
    /// Why it failed.
    fn reason(&self) -> String {
        reason(self.tried.error.as_deref(), &self.differences)
    }
}

/// Why something failed, in one line.
fn reason(error: Option<&str>, differences: &[Difference]) -> String {
    match (error, differences.first()) {
        (Some(error), _) => error.lines().next().unwrap_or_default().to_owned(),
        (None, Some(difference)) => describe(difference),
        (None, None) => String::new(),
    }
}

fn describe(difference: &Difference) -> String {
    format!(
        "{}: {} was {:?}, not {:?}",
        difference.request, difference.part, difference.got, difference.expected
    )
}

/// All that was missed in a round, as one Run.
fn unite(all: Vec<Missed>) -> Missed {
    let mut list = BTreeSet::new();
    let mut united: Option<Run> = None;
    for missed in all {
        list.extend(missed.list);
        united = match (united, missed.run) {
            (Some(mut run), Some(more)) => {
                run.files.extend(more.files);
                run.syscalls.extend(more.syscalls);
                run.capabilities.extend(more.capabilities);
                run.normalise();
                Some(run)
            }
            (before, after) => before.or(after),
        };
    }
    Missed {
        list: list.into_iter().collect(),
        run: united,
    }
}

/// The product's AppArmor profile in the kernel, or why not.
fn load_apparmor((path, name): (&Path, &str)) -> Result<Result<super::apparmor::Loaded, String>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Output {
        path: path.to_owned(),
        source,
    })?;
    Ok(super::apparmor::Loaded::load(&text, name))
}

/// A user id with group 0, as OpenShift runs containers.
fn arbitrary_user(user: u32) -> String {
    format!("{user}:0")
}

/// The product's seccomp profile: its JSON for the engine, and what it answers.
struct SeccompFilter {
    profile: serde_json::Value,
    filter: Filter,
}

fn read_seccomp(path: &Path) -> Result<SeccompFilter, Error> {
    let failed = |source| Error::Output {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(path).map_err(failed)?;
    let profile = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
    let filter = Filter::from_oci(&profile).map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(SeccompFilter { profile, filter })
}
