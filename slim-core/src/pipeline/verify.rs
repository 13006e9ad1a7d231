//! Runs a product, and says how it behaved.
//!
//! A trial is one container: the product under its profiles, or a second original. Trials are watched by the tracer where
//! that is possible, and end in what was answered and what was missed; what they come to is said by [`super::findings`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::findings::{CHECKS, Check, Counts, Findings, Healing, VerificationRound, describe, reason};
use super::observe::{Exercise, Live, Observer, Unwatched, Watched, text_of};
use super::target::ProbeTarget;
use super::tracer::Loading;
use super::{Error, NotEnforced, PLAN_FILE, Session, Stage};
use crate::engine::{self, Container, Engine};
use crate::image::{Image, ImageRef};
use crate::plan::filter::Filter;
use crate::plan::privileges::{self, Privilege, Words};
use crate::plan::{self, Changes, Plan};
use crate::probe::{self, Questions, Replayed, Timeouts, Unrecorded};
use crate::profile::{APPARMOR_FILE, SECCOMP_FILE, apparmor_renamed, profile_name};
use crate::recording::{Exchange, Phase, Purpose, Recording, Run, SocketUse};
use crate::spec::{ContainerSpec, LaunchSpec};
use crate::trace::{self, Scope};
use crate::verify::{self, Answers, Aspect, Difference, Missed, Verification, differences};

/// Options of verification.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Number of times that missed things are added and the product is built anew (`--heal`).
    pub heal: u32,
    /// Questions besides the recorded ones (`--verify-file`).
    pub file: Option<PathBuf>,
    /// A user id to run the product under, too (`--verify-user`).
    pub user: Option<u32>,
    /// Number of starts of the product (`--verify-times`).
    pub times: u32,
    /// Aspects that must pass besides image, seccomp and capabilities (`--require`).
    pub require: BTreeSet<Aspect>,
    /// True if a product that did not pass gets its tags all the same (`--tag-unverified`).
    pub tag_unverified: bool,
    /// The tracer's sizes; none to do without it.
    pub trace: Option<trace::Options>,
}

impl VerifyOptions {
    /// The default of [`VerifyOptions::heal`]: so many repairs, so one more round of runs.
    pub const HEAL: u32 = 3;
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            heal: Self::HEAL,
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
    pub original: Arc<Run>,
    /// The description of the original's container.
    pub container: ContainerSpec,
    /// Its answers.
    pub expected: Answers,
    /// Parts of requests that the recording leaves out.
    pub unrecorded: Unrecorded,
    /// Time limits of the product.
    pub patience: Timeouts,
}

impl Scenario {
    /// Returns the scenarios of a recording that was read from a file: values that it leaves out are not at hand but for those that
    /// `words` give, options come from their recorded words. Whether the user allows what they ask of the host is to be
    /// checked before ([`privileges::of_recording`]).
    pub fn from_recording(
        recording: &Recording,
        bodies: &super::Bodies,
        image: &ImageRef,
        words: &Words,
    ) -> Vec<Self> {
        let mut runs: Vec<&Arc<Run>> = recording
            .runs
            .values()
            .filter(|run| run.purpose == Purpose::Recorded)
            .collect();
        runs.sort_by_key(|run| (run.started, run.id()));
        let scenario = |run: &Arc<Run>| {
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
                patience: Timeouts::after(took, Duration::from_millis(run.duration_ms)),
                original: run.clone(),
            }
        };
        runs.into_iter().map(scenario).collect()
    }
}

/// A product that was made before, perhaps on another machine.
#[derive(Clone, Copy, Debug)]
pub struct ExistingProduct<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// The recording that the plan follows from.
    pub recording: &'a Recording,
    /// Bodies of its exchanges, as far as they are at hand.
    pub bodies: &'a super::Bodies,
    /// The product as the engine has it.
    pub product: &'a ImageRef,
    /// The image that it was made from, if the engine has it.
    pub original: Option<&'a Image>,
    /// The directory with its profiles.
    pub directory: &'a Path,
    /// The name that its profiles carry: its first tag, or the original's where only profiles were made.
    pub tagged: &'a str,
}

impl ExistingProduct<'_> {
    /// Returns the privileges of its containers beyond those of every container: by its recording unless somebody vouches for it
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
        let (_, filter) = read_seccomp(&self.directory.join(SECCOMP_FILE))?;
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
        session: Session<'_>,
        options: &VerifyOptions,
    ) -> Result<(Verification, Vec<String>), Error> {
        let mut options = options.clone();
        let mut unchecked = Vec::new();
        if let Some(sizes) = options.trace
            && let Some(why) = cannot_trace(session, sizes).await?
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
        let scenarios =
            Scenario::from_recording(self.recording, self.bodies, self.product, &Words::default());
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
        session.progress.begin(Stage::Verify, "running the product");
        let mut verifier = Verifier::new(session, &scenarios, &options)?;
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
        let round = verifier.round(subject, 1, Healing::Off).await?;
        session
            .progress
            .end(Stage::Verify, &round.verification.in_short());
        Ok((round.verification, unchecked))
    }
}

/// Returns why this machine cannot watch a container; none if it can.
async fn cannot_trace(session: Session<'_>, sizes: trace::Options) -> Result<Option<String>, Error> {
    let loaded = match session.tracer.load(sizes).await? {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Some(error.to_string())),
    };
    // No container has this id, so nothing is watched.
    let nothing = Scope::Container("0".repeat(64));
    let watched = tokio::task::spawn_blocking(move || loaded.watch(nothing).map(drop)).await?;
    Ok(watched.err().map(|error| error.to_string()))
}

/// The subject of verification.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The product as the engine has it.
    pub(super) product: &'a ImageRef,
    /// The image that it was built from; none where it is not at hand.
    pub(super) original: Option<&'a Image>,
    /// Its plan.
    pub(super) plan: &'a Plan,
    /// The recording that the plan follows from.
    pub(super) recording: &'a Recording,
    /// Its seccomp profile.
    pub(super) seccomp: &'a Path,
    /// Its AppArmor profile: where it is, and what it calls itself.
    pub(super) apparmor: (&'a Path, &'a str),
}

/// Repeats the scenarios of one recording, with products that change and an original that does not.
pub(super) struct Verifier<'a> {
    session: Session<'a>,
    options: &'a VerifyOptions,
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
pub(super) struct TrialRun {
    pub(super) answers: Answers,
    /// Why it did not come to answer.
    pub(super) error: Option<String>,
    pub(super) log: String,
    /// The observation and the facts of its container; none if it was not watched.
    pub(super) watched: Option<Watched>,
    pub(super) listening: Option<Vec<SocketUse>>,
    pub(super) took: Duration,
}

/// The verdict on a trial.
#[derive(Debug, Default)]
pub(super) struct TrialVerdict {
    pub(super) run: TrialRun,
    pub(super) differences: Vec<Difference>,
    pub(super) missed: Missed,
    pub(super) alike: u64,
    pub(super) asked: u64,
}

impl TrialVerdict {
    pub(super) fn failed(&self) -> bool {
        self.run.error.is_some() || !self.differences.is_empty()
    }

    /// Returns why it failed; none if it did not.
    pub(super) fn reason(&self) -> Option<String> {
        reason(self.run.error.as_deref(), &self.differences)
    }
}

/// The common part of the trials of one scenario in one round.
#[derive(Clone, Copy)]
struct Trial<'a> {
    /// The index of the repeated scenario.
    index: usize,
    subject: Subject<'a>,
    profiles: &'a Profiles,
    /// The number of the round, from 1.
    round: u32,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        session: Session<'a>,
        scenarios: &'a [Scenario],
        options: &'a VerifyOptions,
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
            session,
            options,
            scenarios: repeated,
            loading: None,
        })
    }

    /// Begins to load the tracer of the first trial. It takes most of its memory while it is loaded, as a closure does
    /// while it is made, so one is to follow the other.
    pub(super) fn load_ahead(&mut self) {
        let tracer = self.session.tracer;
        self.loading = self.options.trace.map(|sizes| tracer.load(sizes));
    }

    /// Returns the user of `arbitrary-uid`, with group 0 as OpenShift runs containers; none if it was not asked for.
    fn user(&self) -> Option<String> {
        let required = self.options.require.contains(&Aspect::ArbitraryUid);
        let user = self.options.user.or(required.then_some(ARBITRARY_USER));
        user.map(|user| format!("{user}:0"))
    }

    /// Runs the product through everything once, for the `number`th time from 1.
    pub(super) async fn round(
        &mut self,
        subject: Subject<'_>,
        number: u32,
        healing: Healing,
    ) -> Result<VerificationRound, Error> {
        let profiles = Profiles::read(subject)?;
        let memory = subject.original.map(|image| {
            Changes::new(subject.recording, &image.rootfs).in_memory(subject.plan, &image.rootfs)
        });
        let mut findings = Findings::new(healing, memory.as_ref(), self.user());
        if self.scenarios.is_empty() {
            findings.nothing_to_run();
        }
        for index in 0..self.scenarios.len() {
            let container = &self.scenarios[index].scenario.container;
            let base = plan::confine(container, subject.plan, subject.recording);
            let trial = Trial {
                index,
                subject,
                profiles: &profiles,
                round: number,
            };
            let mut times = self.options.times.max(1);
            for check in CHECKS {
                let starts = if check == Check::Plain { times } else { 1 };
                for _ in 0..starts {
                    let Some(launch) = findings.launch(check, &base) else {
                        break;
                    };
                    let counts = self.check(check, trial, launch, &mut findings).await?;
                    if check == Check::ReadOnly && counts == Counts::Yes {
                        times -= 1;
                    }
                }
            }
        }
        Ok(findings.into_round())
    }

    /// Starts the product as `check` is to start it, and adds what came of it.
    async fn check(
        &mut self,
        check: Check,
        trial: Trial<'_>,
        mut launch: LaunchSpec,
        findings: &mut Findings<'_>,
    ) -> Result<Counts, Error> {
        let mut loaded = None;
        if check == Check::AppArmor {
            let profiles = trial.profiles;
            match self
                .session
                .apparmor
                .load(&profiles.apparmor, trial.subject.apparmor.1)
            {
                Ok(profile) => {
                    launch = launch.under_apparmor(profile.name());
                    loaded = Some(profile);
                }
                Err(NotEnforced(reason)) => {
                    findings.not_checked(check, reason);
                    return Ok(Counts::No);
                }
            }
        }
        if let (Check::ArbitraryUser, Some(user)) = (check, findings.user())
            && let Some(reason) = self.fails_itself(trial, user).await?
        {
            findings.not_checked(check, reason);
            return Ok(Counts::No);
        }
        let verdict = self.evaluate(trial, &launch).await?;
        drop(loaded);
        Ok(findings.add(check, verdict))
    }

    /// Returns why nothing can be told of the product under `user`: the original does not work so either.
    async fn fails_itself(&mut self, trial: Trial<'_>, user: &str) -> Result<Option<String>, Error> {
        let Some(original) = trial.subject.original else {
            return Ok(Some("the original image is not here to compare with".to_owned()));
        };
        let container = ContainerSpec {
            user: Some(user.to_owned()),
            ..self.scenarios[trial.index].scenario.container.clone()
        };
        let uid = user.split(':').next().unwrap_or(user);
        let run = self
            .attempt(trial.index, &original.to_ref(), &container, None)
            .await?;
        if let Some(error) = run.error {
            return Ok(Some(format!(
                "the original does not run under user {uid}: {error}"
            )));
        }
        let differing = self.differing(trial.index, original, &run).await?;
        Ok(differing.first().map(|difference| {
            format!(
                "the original answers otherwise under user {uid}: {}",
                describe(difference)
            )
        }))
    }

    /// Tries the product and evaluates what it did.
    async fn evaluate(&mut self, trial: Trial<'_>, launch: &LaunchSpec) -> Result<TrialVerdict, Error> {
        let Trial {
            index,
            subject,
            profiles,
            round,
        } = trial;
        let container = launch.confined(&profiles.seccomp);
        let run = self
            .attempt(index, subject.product, &container, self.options.trace)
            .await?;
        let mut differences = match (&run.error, subject.original) {
            (Some(_), _) => Vec::new(),
            (None, Some(original)) => self.differing(index, original, &run).await?,
            (None, None) => differences(&self.scenarios[index].scenario.expected, &[], &run.answers),
        };
        let original = &self.scenarios[index].scenario.original;
        if let (Some(listening), None) = (&run.listening, &run.error) {
            for port in verify::not_listening(&original.sockets, listening) {
                differences.push(Difference {
                    sequence: None,
                    request: format!("port {port}"),
                    part: "listening".to_owned(),
                    expected: "listened on".to_owned(),
                    got: "not listened on".to_owned(),
                });
            }
        }
        let missed = match (&run.watched, subject.original) {
            (Some(watched), Some(image)) => verify::missed(
                verify::Watched {
                    observed: &watched.traced.observed,
                    container: &watched.container,
                    filter: &profiles.filter,
                    started: !watched.traced.observed.programs.is_empty(),
                },
                image,
                subject.plan,
                subject.recording,
                original,
                round,
            ),
            _ => Missed::default(),
        };
        let (alike, asked) = verify::alike(&self.expected(index), &run.answers, &differences);
        Ok(TrialVerdict {
            run,
            differences,
            missed,
            alike,
            asked,
        })
    }

    /// Returns the expected answers: the recorded ones, and to the user's own questions those of the first further original.
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

    /// Returns where the answers are not the original's. Further originals are started as far as they are needed: the first
    /// where something differs or the user has questions of his own, the second where his differ still.
    async fn differing(
        &mut self,
        index: usize,
        original: &Image,
        run: &TrialRun,
    ) -> Result<Vec<Difference>, Error> {
        loop {
            let own = !self.scenarios[index].questions.exchanges.is_empty();
            let count = self.scenarios[index].again.len();
            let expected = self.expected(index);
            let found = differences(&expected, &self.scenarios[index].again, &run.answers);
            let enough = if own { 2 } else { 1 };
            if count >= enough || (found.is_empty() && (!own || count > 0)) {
                return Ok(found);
            }
            let progress = self.session.progress;
            progress.waiting("a second original, to see what differs by itself");
            let container = self.scenarios[index].scenario.container.clone();
            let second = self.attempt(index, &original.to_ref(), &container, None).await?;
            if let Some(error) = second.error {
                progress.warn(&format!("a second original did not answer as the first: {error}"));
                return Ok(found);
            }
            self.scenarios[index].again.push(second.answers);
        }
    }

    /// Runs one container and asks it everything.
    async fn attempt(
        &mut self,
        index: usize,
        image: &ImageRef,
        spec: &ContainerSpec,
        tracing: Option<trace::Options>,
    ) -> Result<TrialRun, Error> {
        let session = self.session;
        let observer = Observer {
            session,
            loading: tracing.map(|sizes| {
                let ahead = self.loading.take();
                ahead.unwrap_or_else(|| session.tracer.load(sizes))
            }),
            unwatched: Unwatched::GoOn,
            cancelling: 1,
        };
        let replay = Replay {
            image,
            spec,
            repeated: &self.scenarios[index],
        };
        let observation = observer.start(image, spec, &replay).await?;
        let (reply, observation) = observation.split();
        let (answers, error) = match reply {
            Reply::Answers(answers) => (answers, None),
            Reply::Failed(error) => (Answers::default(), Some(error)),
        };
        Ok(TrialRun {
            answers,
            error,
            log: text_of(&observation.log),
            watched: observation.watched,
            listening: observation.listening,
            took: observation.duration,
        })
    }
}

/// Asks what the original was asked, and leaves the container running.
struct Replay<'a> {
    image: &'a ImageRef,
    spec: &'a ContainerSpec,
    repeated: &'a Repeated<'a>,
}

/// The answers of a container that was asked again.
#[derive(Debug)]
enum Reply {
    Answers(Answers),
    /// It did not come to answer, and why.
    Failed(String),
}

#[async_trait]
impl Exercise<Container> for Replay<'_> {
    type Answers = Reply;

    async fn exercise(&self, live: &Live<'_, Container>) -> Result<Reply, Error> {
        if let Some(tracer) = live.tracer() {
            tracer.mark(Phase::Verification)?;
        }
        let target = ProbeTarget {
            live,
            image: self.image,
            spec: self.spec,
            answering: None,
        };
        match self.ask(&target).await {
            Ok(replayed) => Ok(Reply::Answers(Answers {
                exchanges: replayed.exchanges,
                bodies: replayed.bodies,
            })),
            // It is not the product's fault where the engine went away.
            Err(source) if lost_engine(&source) => Err(Error::Probe {
                source,
                log: String::new(),
            }),
            Err(error) if live.tracer().is_some_and(|tracer| !tracer.app_started()) => Ok(Reply::Failed(
                format!("the container's program did not start: {error}"),
            )),
            Err(error) => Ok(Reply::Failed(error.to_string())),
        }
    }

    fn not_started(&self, error: engine::Error, _log: String) -> Result<Reply, Error> {
        match error {
            engine::Error::Start { .. } | engine::Error::Refused { .. } => {
                Ok(Reply::Failed(error.to_string()))
            }
            error => Err(error.into()),
        }
    }
}

/// Returns whether the engine did not answer any more.
fn lost_engine(error: &probe::ProbeError) -> bool {
    match error {
        probe::ProbeError::Target(_) => true,
        probe::ProbeError::Exec { source, .. } => matches!(
            source.downcast_ref(),
            Some(
                engine::Error::Broken { .. } | engine::Error::Unreachable { .. } | engine::Error::Gone { .. }
            )
        ),
        _ => false,
    }
}

impl Replay<'_> {
    /// Asks what the original was asked; one that was asked nothing must come to listen as the original did.
    async fn ask(&self, target: &ProbeTarget<'_>) -> Result<Replayed, probe::ProbeError> {
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

/// The profiles that a product is verified under.
struct Profiles {
    /// The seccomp profile's JSON, for the engine.
    seccomp: serde_json::Value,
    /// The same as a filter.
    filter: Filter,
    /// The AppArmor profile.
    apparmor: String,
}

impl Profiles {
    fn read(subject: Subject<'_>) -> Result<Self, Error> {
        let (seccomp, filter) = read_seccomp(subject.seccomp)?;
        let path = subject.apparmor.0;
        let apparmor = std::fs::read_to_string(path).map_err(unreadable(path))?;
        Ok(Self {
            seccomp,
            filter,
            apparmor,
        })
    }
}

/// A seccomp profile's JSON, for the engine, and what it answers.
fn read_seccomp(path: &Path) -> Result<(serde_json::Value, Filter), Error> {
    let bytes = std::fs::read(path).map_err(unreadable(path))?;
    let seccomp = serde_json::from_slice(&bytes)
        .map_err(std::io::Error::from)
        .map_err(unreadable(path))?;
    let filter = Filter::from_oci(&seccomp)
        .map_err(std::io::Error::other)
        .map_err(unreadable(path))?;
    Ok((seccomp, filter))
}

/// Says of which file an error of the system's is.
fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Output { path, source }
}
