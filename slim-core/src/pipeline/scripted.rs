//! The heal loop and the verdicts, with an engine, a tracer and an AppArmor that follow a script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::findings::{Check, Counts, Findings, Healing, VerificationRound};
use super::verify::{TrialRun, TrialVerdict};
use super::*;
use crate::digest::Digest;
use crate::image::memory::tree;
use crate::image::{Config, Image};
use crate::path::{RawPath, RootPath};
use crate::plan::{InMemory, Obstacle};
use crate::probe::{Timeouts, Unrecorded};
use crate::recording::{
    Access, Actor, Body, Exchange, ExchangeKind, ExecExchange, FileUse, HostFacts, Observed, Origin, Phase,
    Program, Recording, Run, SyscallUse,
};
use crate::recording::{ContainerFacts, Failure, Outcome as End, Purpose, SocketAction, SocketUse};
use crate::spec::{ContainerSpec, LaunchSpec, SeccompChoice};
use crate::testing::{Behaviour, Call, FakeAppArmor, FakeEngine, Fault, Start};
use crate::verify::{Answers, Aspect, Difference, Miss, MissKind, Missed, Outcome, Verification};

struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: Stage, _: &str) {}
    fn waiting(&self, _: &str) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}
    fn end(&self, _: Stage, _: &str) {}
    fn warn(&self, _: &str) {}
}

fn used(path: &str) -> FileUse {
    FileUse {
        path: RootPath::new(path),
        is_resolved: true,
        requested_path: None,
        base: None,
        access: BTreeSet::from([Access::Read]),
        errors: BTreeSet::new(),
        on_root: true,
        no_follow: false,
        phase: Phase::StartUp,
        actor: Actor::App,
        program: None,
    }
}

/// A path that was looked for in vain.
fn absent(path: &str) -> FileUse {
    FileUse {
        is_resolved: false,
        requested_path: Some(RawPath::from(path.as_bytes())),
        access: BTreeSet::new(),
        errors: BTreeSet::from([2]),
        ..used(path)
    }
}

fn image() -> Image {
    let config = serde_json::json!({ "config": { "Cmd": ["/bin/app"] } });
    Image {
        id: Digest::of(b"image"),
        reference: "app:1".to_owned(),
        config: Config(config.as_object().unwrap().clone()),
        rootfs: tree(&[
            ("/bin/", b""),
            ("/bin/app", b"app"),
            ("/data/", b""),
            ("/data/1", b"one"),
            ("/data/2", b"two"),
            ("/data/3", b"three"),
            ("/data/4", b"four"),
            ("/data/5", b"five"),
        ]),
    }
}

fn body(text: &str) -> Body {
    Body {
        digest: Digest::of(text.as_bytes()),
        size: text.len() as u64,
        kept: true,
    }
}

fn program() -> Program {
    Program {
        path: RootPath::new("/bin/app"),
        interpreter: None,
        privilege_gain: false,
        phase: Phase::StartUp,
        count: 1,
    }
}

/// The answer to the command `check` in every container that works.
const ANSWER: &str = "ok";

fn run() -> Run {
    let exchange = Exchange {
        sequence: 0,
        origin: Origin::Flag,
        kind: ExchangeKind::Exec(ExecExchange {
            command: vec!["check".to_owned()],
            exit_code: 0,
            stdout: body(ANSWER),
            stderr: body(""),
        }),
    };
    Run {
        host: HostFacts {
            machine: "x86_64".to_owned(),
            ..HostFacts::default()
        },
        container: ContainerFacts {
            seccomp_unconfined: true,
            ..ContainerFacts::default()
        },
        observed: Observed {
            syscalls: vec![SyscallUse::once("read", 0)],
            files: vec![used("/bin/app")],
            programs: vec![program()],
            ..Observed::default()
        },
        exchanges: vec![exchange],
        ..Run::new(Digest::of(b"image"), "app:1")
    }
}

/// Has the file as soon as it is there: what a container of the `product`th image looks for in vain.
fn works() -> Behaviour {
    let mut behaviour = Behaviour::default().answering("check", ANSWER);
    behaviour.observed.programs.push(program());
    behaviour
}

fn misses(paths: &[&str]) -> Behaviour {
    let mut behaviour = works();
    behaviour
        .observed
        .files
        .extend(paths.iter().map(|path| absent(path)));
    behaviour
}

/// A machine on which products are made and verified.
struct Bench {
    engine: FakeEngine,
    apparmor: FakeAppArmor,
    stop: Stop,
    options: ProductOptions,
    verify: VerifyOptions,
    scenarios: usize,
}

impl Bench {
    fn new(script: impl Fn(&Start) -> Behaviour + Send + Sync + 'static) -> Self {
        Self {
            engine: FakeEngine::new(script),
            apparmor: FakeAppArmor::new(usize::MAX),
            stop: Stop::default(),
            options: ProductOptions {
                tags: vec!["app-slim:1".to_owned()],
                source_date_epoch: Some(0),
                ..ProductOptions::default()
            },
            verify: VerifyOptions::default(),
            scenarios: 1,
        }
    }

    /// Returns the recording and the runs that are repeated.
    fn scenarios(&self) -> (Recording, Bodies, Vec<Scenario>) {
        let mut recording = Recording::new(Digest::of(b"image"));
        let bodies: Bodies = [ANSWER, ""]
            .into_iter()
            .map(|text| (Digest::of(text.as_bytes()), text.as_bytes().into()))
            .collect();
        let scenarios: Vec<Scenario> = (0..self.scenarios)
            .map(|number| Scenario {
                original: Arc::new(Run {
                    started: number as u64,
                    ..run()
                }),
                container: ContainerSpec::default(),
                expected: Answers {
                    exchanges: run().exchanges,
                    bodies: bodies.clone(),
                },
                unrecorded: Unrecorded::default(),
                patience: Timeouts {
                    readiness: Duration::ZERO,
                    job: Duration::ZERO,
                },
            })
            .collect();
        recording.insert(run()).unwrap();
        for scenario in &scenarios {
            recording.insert(Run::clone(&scenario.original)).unwrap();
        }
        (recording, bodies, scenarios)
    }

    async fn produce(&self) -> Result<Product, Error> {
        self.produce_in(tempfile::tempdir().unwrap().path()).await
    }

    async fn produce_in(&self, directory: &std::path::Path) -> Result<Product, Error> {
        let (recording, bodies, scenarios) = self.scenarios();
        let image = image();
        let output = Output::open(directory, OutputMode::default())?;
        let tracer = self.engine.tracer();
        let builder = ProductBuilder {
            session: Session {
                engine: &self.engine,
                tracer: &tracer,
                apparmor: &self.apparmor,
                stop: &self.stop,
                progress: &Quiet,
            },
            image: &image,
            options: &self.options,
            output: &output,
        };
        let limit = Duration::from_secs(60);
        let product = builder.produce_verified(&recording, &bodies, &scenarios, &self.verify);
        let product = tokio::time::timeout(limit, product).await.expect("it ends");
        output.complete();
        product
    }

    async fn verification(&self) -> Verification {
        let product = self.produce().await.unwrap();
        self.nothing_is_left();
        product.report.verification.unwrap()
    }

    fn nothing_is_left(&self) {
        assert_eq!(self.engine.containers(), Vec::<String>::new());
        let temporary: Vec<String> = self.engine.names();
        let temporary = temporary.iter().filter(|name| name.starts_with("slim-temporary"));
        assert_eq!(temporary.count(), 0, "a temporary name is left");
    }

    fn tagged(&self) -> bool {
        self.engine.names() == ["app-slim:1"]
    }
}

fn outcome(verification: &Verification, aspect: Aspect) -> Outcome {
    let mut verdicts = verification.verdicts.iter();
    verdicts.find(|verdict| verdict.aspect == aspect).unwrap().outcome
}

fn healed(verification: &Verification) -> Vec<(u32, String)> {
    let healed = verification.healed.iter();
    healed
        .map(|healed| (healed.round, healed.miss.what.clone()))
        .collect()
}

#[tokio::test]
async fn what_works_passes_in_one_round_and_gets_its_tags() {
    let bench = Bench::new(|_| works());
    let verification = bench.verification().await;
    for aspect in [
        Aspect::Image,
        Aspect::Seccomp,
        Aspect::Capabilities,
        Aspect::AppArmor,
        Aspect::ReadOnly,
    ] {
        assert_eq!(outcome(&verification, aspect), Outcome::Passed, "{aspect:?}");
    }
    assert_eq!(outcome(&verification, Aspect::ArbitraryUid), Outcome::NotChecked);
    assert_eq!(healed(&verification), []);
    // Once read-only, once under AppArmor; no original was needed.
    assert_eq!((bench.engine.started(), bench.engine.loaded()), (2, 1));
    assert!(bench.tagged());
}

#[tokio::test]
async fn what_is_missed_is_added_and_the_product_made_anew() {
    let one = (1, "/data/1".to_owned());
    let two = (2, "/data/2".to_owned());
    for (missing, expected) in [
        (&["/data/1"][..], vec![one.clone()]),
        (&["/data/1", "/data/2"], vec![one, two]),
    ] {
        let bench = Bench::new(move |start| match start.product {
            Some(product) => misses(missing.get(product - 1..product).unwrap_or_default()),
            None => works(),
        });
        let verification = bench.verification().await;
        assert_eq!(healed(&verification), expected);
        assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
        assert_eq!(verification.missed, []);
        assert_eq!(bench.engine.loaded(), missing.len() + 1);
        assert!(bench.tagged());
    }
}

#[tokio::test]
async fn healing_ends_at_its_limit() {
    for heal in [0, 1, 2] {
        let mut bench = Bench::new(|start| match start.product {
            Some(product) => {
                let mut behaviour = misses(&[&format!("/data/{product}")]);
                behaviour.commands.clear();
                behaviour
            }
            None => works(),
        });
        bench.verify.heal = heal;
        let verification = bench.verification().await;
        assert_eq!(verification.healed.len(), heal as usize);
        assert_eq!(bench.engine.loaded(), heal as usize + 1);
        assert_eq!(outcome(&verification, Aspect::Image), Outcome::Failed);
        assert_eq!(verification.missed[0].what, format!("/data/{}", heal + 1));
        assert!(!bench.tagged(), "it did not pass");
    }
}

#[tokio::test]
async fn what_is_excluded_is_not_added() {
    let mut bench = Bench::new(|start| match start.product {
        Some(_) => misses(&["/data/1"]),
        None => works(),
    });
    bench.options.reach.exclude = vec!["/data/1".to_owned()];
    let verification = bench.verification().await;
    // A second round that changes nothing is the last one, and judges the product as it is.
    assert_eq!(healed(&verification), []);
    assert_eq!(bench.engine.loaded(), 1);
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
    assert_eq!(verification.missed[0].what, "/data/1");
    assert!(bench.tagged());
}

#[tokio::test]
async fn what_fails_read_only_and_cannot_be_mended_is_tried_without() {
    let mut bench = Bench::new(|start| match (start.product, start.spec.read_only) {
        (Some(_), true) => Behaviour {
            commands: BTreeMap::new(),
            ..misses(&["/data/1"])
        },
        (Some(_), false) => misses(&["/data/1"]),
        (None, _) => works(),
    });
    bench.options.reach.exclude = vec!["/data/1".to_owned()];
    let verification = bench.verification().await;
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
    assert_eq!(outcome(&verification, Aspect::ReadOnly), Outcome::Failed);
}

#[tokio::test]
async fn what_differs_fails_and_what_differs_by_itself_does_not() {
    // (answer of the product, answer of further originals, outcome)
    for (product, original, expected) in [
        ("other", ANSWER, Outcome::Failed),
        ("at 12:31", "at 12:32", Outcome::Passed),
    ] {
        let bench = Bench::new(move |start| {
            let mut behaviour = works();
            let answer = match start.product {
                Some(_) => product,
                None => original,
            };
            behaviour.commands.clear();
            behaviour.answering("check", answer)
        });
        let verification = bench.verification().await;
        assert_eq!(outcome(&verification, Aspect::Image), expected, "{product}");
        assert_eq!(bench.tagged(), expected == Outcome::Passed);
        assert_eq!(verification.differences.is_empty(), expected == Outcome::Passed);
    }
}

#[tokio::test]
async fn an_original_that_fails_too_masks_nothing() {
    let bench = Bench::new(|start| match start.product {
        Some(_) => Behaviour {
            commands: BTreeMap::new(),
            ..works()
        },
        None => Behaviour {
            refuses: Some(engine::Error::Refused {
                action: "start".to_owned(),
                message: "no".to_owned(),
            }),
            ..works()
        },
    });
    let verification = bench.verification().await;
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Failed);
    assert!(!bench.tagged());
}

#[tokio::test]
async fn what_ends_at_once_fails_with_its_log() {
    for end in [
        End {
            exit_code: Some(1),
            ..End::default()
        },
        End {
            exit_code: Some(137),
            oom_killed: true,
            ..End::default()
        },
    ] {
        let bench = Bench::new(move |start| match start.product {
            Some(_) => Behaviour {
                ended: Some(end.clone()),
                output: b"first\nlast\n".to_vec(),
                ..works()
            },
            None => works(),
        });
        let verification = bench.verification().await;
        let error = verification.error.clone().unwrap_or_default();
        assert!(error.contains("not running"), "{error:?}");
        assert_eq!(verification.log, ["first", "last"]);
        assert_eq!(outcome(&verification, Aspect::Image), Outcome::Failed);
        assert_eq!(outcome(&verification, Aspect::AppArmor), Outcome::NotChecked);
        assert!(!bench.tagged());
    }
}

#[tokio::test]
async fn without_anything_to_repeat_nothing_passed() {
    let mut bench = Bench::new(|_| works());
    bench.scenarios = 0;
    let verification = bench.verification().await;
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Failed);
    assert!(
        verification
            .verdicts
            .iter()
            .all(|verdict| verdict.outcome != Outcome::Passed)
    );
    assert_eq!(bench.engine.started(), 0);
    assert!(!bench.tagged());
}

#[tokio::test]
async fn a_loss_in_a_later_round_is_an_error_and_nothing_is_left() {
    let bench = Bench::new(|start| match start.product {
        Some(1) => misses(&["/data/1"]),
        Some(_) => {
            let mut behaviour = works();
            behaviour.observed.losses.ring = 1;
            behaviour
        }
        None => works(),
    });
    let error = bench.produce().await.unwrap_err();
    assert!(matches!(error, Error::Losses(_)), "{error}");
    assert_eq!(bench.engine.loaded(), 2);
    bench.nothing_is_left();
    assert!(!bench.tagged());
}

#[tokio::test]
async fn an_engine_that_restarts_is_not_the_products_fault() {
    for call in [Call::Create, Call::Start, Call::Facts, Call::Exec] {
        for number in [1, 2] {
            let mut bench = Bench::new(|_| works());
            bench.engine = bench.engine.at(call, number, Fault::Restart);
            let error = bench.produce().await.unwrap_err();
            assert!(
                matches!(error, Error::Engine(_) | Error::Probe { .. }),
                "{call:?}: {error}"
            );
            bench.nothing_is_left();
            assert!(!bench.tagged());
        }
    }
}

#[tokio::test]
async fn a_tag_that_is_refused_leaves_no_temporary_name() {
    let mut bench = Bench::new(|_| works());
    bench.engine = bench.engine.at(Call::Tag, 1, Fault::Restart);
    let error = bench.produce().await.unwrap_err();
    assert!(matches!(error, Error::Engine(_)), "{error}");
    bench.nothing_is_left();
}

#[tokio::test]
async fn a_profile_that_loads_once_is_not_checked() {
    for (loads, expected) in [
        (0, Outcome::NotChecked),
        (1, Outcome::NotChecked),
        (2, Outcome::Passed),
    ] {
        let mut bench = Bench::new(|_| works());
        bench.scenarios = 2;
        bench.apparmor = FakeAppArmor::new(loads);
        let verification = bench.verification().await;
        assert_eq!(outcome(&verification, Aspect::AppArmor), expected, "{loads}");
        assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
    }
}

#[tokio::test]
async fn what_failed_under_a_profile_stays_failed() {
    let mut bench = Bench::new(|start| match start.spec.security.apparmor.as_deref() {
        Some(FakeAppArmor::NAME) => Behaviour {
            commands: BTreeMap::new(),
            ..works()
        },
        _ => works(),
    });
    bench.scenarios = 2;
    bench.apparmor = FakeAppArmor::new(1);
    let verification = bench.verification().await;
    assert_eq!(outcome(&verification, Aspect::AppArmor), Outcome::Failed);
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
    assert!(bench.tagged(), "it is not required");
}

#[tokio::test]
async fn a_required_aspect_must_pass() {
    for (works_anyhow, expected) in [(true, Outcome::Failed), (false, Outcome::NotChecked)] {
        let mut bench = Bench::new(move |start| {
            let arbitrary = start.spec.user.as_deref() == Some("1000660000:0");
            if arbitrary && (start.product.is_some() || !works_anyhow) {
                return Behaviour {
                    commands: BTreeMap::new(),
                    ..works()
                };
            }
            works()
        });
        bench.verify.require = BTreeSet::from([Aspect::ArbitraryUid]);
        let verification = bench.verification().await;
        assert_eq!(outcome(&verification, Aspect::ArbitraryUid), expected);
        assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
        // What differs under that user is in the report.
        assert_eq!(verification.differences.is_empty(), expected != Outcome::Failed);
        assert!(!bench.tagged());
    }
}

#[tokio::test]
async fn what_fails_under_apparmor_in_a_later_scenario_fails() {
    let starts = std::sync::atomic::AtomicUsize::new(0);
    let mut bench = Bench::new(move |start| {
        let confined = start.spec.security.apparmor.as_deref() == Some(FakeAppArmor::NAME);
        let mut behaviour = works();
        if confined && starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            behaviour.commands.clear();
        }
        behaviour
    });
    bench.scenarios = 2;
    let verification = bench.verification().await;
    assert_eq!(outcome(&verification, Aspect::AppArmor), Outcome::Failed);
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
}

#[tokio::test]
async fn the_launch_that_passed_is_the_one_that_is_written() {
    for fails_read_only in [false, true] {
        let bench = Bench::new(move |start| {
            let mut behaviour = works();
            if start.product.is_some() && start.spec.read_only && fails_read_only {
                behaviour.commands.clear();
            }
            behaviour
        });
        let directory = tempfile::tempdir().unwrap();
        let product = bench.produce_in(directory.path()).await.unwrap();
        let launch = &product.report.launch;
        assert_eq!(launch.is_read_only(), !fails_read_only);
        assert!(launch.seccomp && launch.apparmor.is_some());
        let script = std::fs::read_to_string(directory.path().join("run.sh")).unwrap();
        assert_eq!(script.contains("--read-only"), !fails_read_only, "{script}");
        let digest = product.report.product.unwrap().digest.to_string();
        assert!(script.contains(&digest), "{script}");
    }
}

/// Asks for a call that the product's filter refuses, as long as it does.
fn refused_sync() -> SyscallUse {
    SyscallUse {
        failed: 1,
        first_failure: Some(Failure {
            errno: 1,
            args: [0; 6],
        }),
        ..SyscallUse::once("sync", 162)
    }
}

#[tokio::test]
async fn the_next_round_is_run_under_the_next_profile() {
    let bench = Bench::new(|start| {
        let mut behaviour = works();
        let allows_sync = match &start.spec.security.seccomp {
            SeccompChoice::Profile(profile) => {
                let rules = profile["syscalls"].as_array().cloned().unwrap_or_default();
                rules.iter().any(|rule| {
                    let mut names = rule["names"].as_array().into_iter().flatten();
                    rule["action"] == "SCMP_ACT_ALLOW" && names.any(|name| name == "sync")
                })
            }
            _ => start.product.is_none(),
        };
        if !allows_sync {
            behaviour.commands.clear();
            behaviour.observed.syscalls.push(refused_sync());
        }
        behaviour
    });
    let directory = tempfile::tempdir().unwrap();
    let product = bench.produce_in(directory.path()).await.unwrap();
    let verification = product.report.verification.unwrap();
    assert_eq!(healed(&verification), [(1, "sync".to_owned())]);
    for aspect in [Aspect::Image, Aspect::Seccomp] {
        assert_eq!(outcome(&verification, aspect), Outcome::Passed, "{aspect:?}");
    }
    // The recording that is written has what verification added.
    let recording = Recording::load(directory.path()).unwrap();
    let added = recording
        .runs
        .values()
        .filter(|run| run.purpose == Purpose::Verification);
    assert_eq!(added.count(), 1);
    assert!(bench.tagged());
}

#[tokio::test]
async fn what_stays_out_is_not_said_to_be_added() {
    let mut bench = Bench::new(|start| match start.product {
        Some(1) => misses(&["/data/1", "/data/2"]),
        Some(_) => misses(&["/data/1"]),
        None => works(),
    });
    bench.options.reach.exclude = vec!["/data/1".to_owned()];
    let verification = bench.verification().await;
    assert_eq!(healed(&verification), [(1, "/data/2".to_owned())]);
    assert_eq!(verification.missed[0].what, "/data/1");
}

#[tokio::test]
async fn what_several_scenarios_miss_is_added_in_one_round() {
    let mut bench = Bench::new(|start| match (start.product, start.number) {
        // The first scenario: read-only, and under AppArmor.
        (Some(1), 0 | 1) => misses(&["/data/1"]),
        (Some(1), _) => misses(&["/data/2"]),
        _ => works(),
    });
    bench.scenarios = 2;
    let verification = bench.verification().await;
    let both = ["/data/1", "/data/2"].map(|path| (1, path.to_owned()));
    assert_eq!(healed(&verification), both);
    assert_eq!(bench.engine.loaded(), 2);
}

#[tokio::test]
async fn a_port_that_is_not_listened_on_differs() {
    let socket = SocketUse {
        action: SocketAction::Listen,
        family: "inet".to_owned(),
        kind: "stream".to_owned(),
        protocol: 6,
        address: "0.0.0.0".to_owned(),
        port: 8080,
        phase: Phase::StartUp,
        actor: Actor::App,
        program: None,
    };
    for listens in [true, false] {
        let listening = socket.clone();
        let bench = Bench::new(move |_| {
            let mut behaviour = works();
            behaviour
                .observed
                .sockets
                .extend(listens.then(|| listening.clone()));
            behaviour
        });
        let (recording, bodies, mut scenarios) = bench.scenarios();
        Arc::make_mut(&mut scenarios[0].original)
            .sockets
            .push(socket.clone());
        let image = image();
        let tracer = bench.engine.tracer();
        let session = Session {
            engine: &bench.engine,
            tracer: &tracer,
            apparmor: &bench.apparmor,
            stop: &bench.stop,
            progress: &Quiet,
        };
        let directory = tempfile::tempdir().unwrap();
        let output = Output::open(directory.path(), OutputMode::default()).unwrap();
        let builder = ProductBuilder {
            session,
            image: &image,
            options: &bench.options,
            output: &output,
        };
        let product = builder.produce_verified(&recording, &bodies, &scenarios, &bench.verify);
        let verification = product.await.unwrap().report.verification.unwrap();
        let expected = if listens { Outcome::Passed } else { Outcome::Failed };
        assert_eq!(outcome(&verification, Aspect::Image), expected);
        assert!(
            verification
                .differences
                .iter()
                .all(|difference| difference.sequence.is_none())
        );
    }
}

#[tokio::test]
async fn an_interrupt_anywhere_leaves_nothing() {
    for (call, numbers) in [
        (Call::Load, 1..=2),
        (Call::Create, 1..=3),
        (Call::Start, 1..=3),
        (Call::Facts, 1..=3),
        (Call::Exec, 1..=3),
        (Call::Logs, 1..=3),
    ] {
        for number in numbers {
            let mut bench = Bench::new(|start| match start.product {
                Some(1) => misses(&["/data/1"]),
                _ => works(),
            });
            bench.engine = bench
                .engine
                .at(call, number, Fault::Interrupt(bench.stop.clone()));
            let error = bench.produce().await.unwrap_err();
            assert!(matches!(error, Error::Interrupted), "{call:?} {number}: {error}");
            bench.nothing_is_left();
            assert!(!bench.tagged());
        }
    }
}

#[tokio::test]
async fn an_engine_on_another_kernel_verifies_and_does_not_record() {
    let behaviour = || Behaviour {
        scoped: false,
        ..misses(&["/data/1"])
    };
    let bench = Bench::new(move |_| behaviour());
    let verification = bench.verification().await;
    assert_eq!(outcome(&verification, Aspect::Image), Outcome::Passed);
    // Nobody saw it.
    assert_eq!(verification.missed, []);

    let image = image();
    let tracer = bench.engine.tracer();
    let session = Session {
        engine: &bench.engine,
        tracer: &tracer,
        apparmor: &bench.apparmor,
        stop: &bench.stop,
        progress: &Quiet,
    };
    let options = RecordOptions::default();
    let loading = tracer.load(options.trace);
    let recorded = record(session, &image, &options, loading);
    let recorded = tokio::time::timeout(Duration::from_secs(10), recorded).await;
    let error = recorded.expect("it ends").unwrap_err();
    assert!(matches!(error, Error::AnotherKernel { .. }), "{error}");
    bench.nothing_is_left();
}

#[tokio::test]
async fn what_is_recorded_is_what_was_watched() {
    for (fault, expected) in [(None, true), (Some(Call::Facts), false)] {
        let mut bench = Bench::new(|_| {
            let mut behaviour = works();
            behaviour.observed.files.push(used("/bin/app"));
            behaviour
        });
        if let Some(call) = fault {
            bench.engine = bench.engine.at(call, 1, Fault::Restart);
        }
        let image = image();
        let tracer = bench.engine.tracer();
        let session = Session {
            engine: &bench.engine,
            tracer: &tracer,
            apparmor: &bench.apparmor,
            stop: &bench.stop,
            progress: &Quiet,
        };
        let options = RecordOptions {
            probe: crate::probe::Options {
                mode: crate::probe::Mode::Exec,
                exec: Some(vec!["check".to_owned()]),
                ..Default::default()
            },
            ..RecordOptions::default()
        };
        let loading = tracer.load(options.trace);
        let recorded = record(session, &image, &options, loading).await;
        bench.nothing_is_left();
        assert_eq!(recorded.is_ok(), expected, "{recorded:?}");
        if let Ok(recorded) = recorded {
            assert_eq!(recorded.run.exchanges.len(), 1);
            assert_eq!(recorded.run.files, [used("/bin/app")]);
            assert!(recorded.run.outcome.stopped_by_slim);
        }
    }
}

/// The end of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    Differing,
    NotStarted,
    /// It failed, and this was missed.
    Missing(MissKind),
}

fn trial(ended: Ended) -> TrialVerdict {
    let mut verdict = TrialVerdict {
        alike: 1,
        asked: 1,
        ..TrialVerdict::default()
    };
    match ended {
        Ended::Well => {}
        Ended::Differing => {
            verdict.alike = 0;
            verdict.differences.push(Difference {
                sequence: Some(0),
                request: "GET :80/".to_owned(),
                part: "status".to_owned(),
                expected: "200".to_owned(),
                got: "500".to_owned(),
            });
        }
        Ended::NotStarted | Ended::Missing(_) => {
            verdict.run = TrialRun {
                error: Some("it did not start".to_owned()),
                ..TrialRun::default()
            };
        }
    }
    if let Ended::Missing(kind) = ended {
        verdict.missed = Missed {
            list: vec![Miss {
                kind,
                what: "thing".to_owned(),
                program: None,
            }],
            run: Some(run()),
        };
    }
    verdict
}

fn verdicts(findings: Findings<'_>) -> Vec<(Aspect, Outcome)> {
    let VerificationRound { verification, .. } = findings.into_round();
    let verdicts = verification.verdicts.iter();
    verdicts
        .map(|verdict| (verdict.aspect, verdict.outcome))
        .collect()
}

#[test]
fn every_aspect_has_its_verdict() {
    use Aspect::{AppArmor, ArbitraryUid, Capabilities, ReadOnly, Seccomp};
    use Ended::{Differing, Missing, NotStarted, Well};
    use Outcome::{Failed, NotChecked, Passed};
    let none = NotChecked;
    // The check that ends so (the others pass): image, seccomp, capabilities, AppArmor, read-only, arbitrary user.
    for (check, ended, expected) in [
        (
            Check::Plain,
            Well,
            [Passed, Passed, Passed, Passed, Passed, Passed],
        ),
        (Check::Plain, Differing, [Failed, none, none, none, none, none]),
        (Check::Plain, NotStarted, [Failed, none, none, none, none, none]),
        (
            Check::Plain,
            Missing(MissKind::File),
            [Failed, none, none, none, none, none],
        ),
        (
            Check::Plain,
            Missing(MissKind::Listing),
            [Failed, none, none, none, none, none],
        ),
        (
            Check::Plain,
            Missing(MissKind::Syscall),
            [none, Failed, none, none, none, none],
        ),
        (
            Check::Plain,
            Missing(MissKind::Capability),
            [none, none, Failed, none, none, none],
        ),
        (
            Check::ReadOnly,
            Differing,
            [Passed, Passed, Passed, Passed, Failed, Passed],
        ),
        (
            Check::ReadOnly,
            NotStarted,
            [Passed, Passed, Passed, Passed, Failed, Passed],
        ),
        (
            Check::AppArmor,
            Differing,
            [Passed, Passed, Passed, Failed, Passed, Passed],
        ),
        (
            Check::AppArmor,
            NotStarted,
            [Passed, Passed, Passed, Failed, Passed, Passed],
        ),
        (
            Check::ArbitraryUser,
            Differing,
            [Passed, Passed, Passed, Passed, Passed, Failed],
        ),
        (
            Check::ArbitraryUser,
            NotStarted,
            [Passed, Passed, Passed, Passed, Passed, Failed],
        ),
    ] {
        let memory = InMemory::default();
        let mut findings = Findings::new(Healing::Off, Some(&memory), Some("1:0".to_owned()));
        let base = LaunchSpec::default();
        for next in super::findings::CHECKS {
            let Some(launch) = findings.launch(next, &base) else {
                continue;
            };
            let reads_only = next != Check::ArbitraryUser && (check, next) != (Check::ReadOnly, Check::Plain);
            if check != Check::ReadOnly || next == Check::ReadOnly {
                assert_eq!(launch.read_only.is_some(), reads_only, "{check:?} {next:?}");
            }
            findings.add(next, trial(if next == check { ended } else { Well }));
        }
        let aspects = [
            Aspect::Image,
            Seccomp,
            Capabilities,
            AppArmor,
            ReadOnly,
            ArbitraryUid,
        ];
        let expected: Vec<(Aspect, Outcome)> = aspects.into_iter().zip(expected).collect();
        assert_eq!(verdicts(findings), expected, "{check:?} {ended:?}");
    }
}

#[test]
fn what_cannot_be_tried_is_not_checked() {
    for check in [Check::ReadOnly, Check::AppArmor, Check::ArbitraryUser] {
        let memory = InMemory::default();
        let mut findings = Findings::new(Healing::Off, Some(&memory), Some("1:0".to_owned()));
        findings.add(Check::Plain, trial(Ended::Well));
        findings.not_checked(check, "why not".to_owned());
        assert!(check == Check::ReadOnly || findings.launch(check, &LaunchSpec::default()).is_none());
        // What is tried all the same changes nothing.
        if check != Check::ReadOnly {
            findings.add(check, trial(Ended::Well));
        }
        let round = findings.into_round();
        let mut verdicts = round.verification.verdicts.iter();
        let verdict = verdicts.find(|verdict| verdict.detail == "why not").unwrap();
        assert_eq!(verdict.outcome, Outcome::NotChecked);
    }
    // Without the original nobody knows what its directories are like.
    let mut findings = Findings::new(Healing::Off, None, None);
    assert!(findings.launch(Check::ReadOnly, &LaunchSpec::default()).is_none());
    assert!(
        findings
            .launch(Check::ArbitraryUser, &LaunchSpec::default())
            .is_none()
    );
    findings.add(Check::Plain, trial(Ended::Well));
    let found = verdicts(findings);
    assert!(found.contains(&(Aspect::ReadOnly, Outcome::NotChecked)));
    assert!(found.contains(&(Aspect::ArbitraryUid, Outcome::NotChecked)));
}

#[test]
fn what_a_read_only_root_refuses_is_named_where_it_passes() {
    let obstacle = |written: &str| Obstacle::BesideKept {
        written: written.into(),
        kept: "/b/seed".into(),
    };
    let memory = InMemory {
        obstacles: ["/b/log", "/b/other", "/b/third", "/c"].map(obstacle).into(),
        ..InMemory::default()
    };
    let mut findings = Findings::new(Healing::Off, Some(&memory), None);
    findings.add(Check::ReadOnly, trial(Ended::Well));
    let round = findings.into_round();
    let mut verdicts = round.verification.verdicts.iter();
    let verdict = verdicts
        .find(|verdict| verdict.aspect == Aspect::ReadOnly)
        .unwrap();
    assert_eq!(verdict.outcome, Outcome::Passed);
    assert_eq!(verdict.refused.len(), 4);
    assert_eq!(
        verdict.detail,
        "--read-only; refused, though the answers are alike: it writes /b/log, where /b/seed is kept, \
         it writes /b/other, where /b/seed is kept, it writes /b/third, where /b/seed is kept, and 1 more"
    );
}

#[test]
fn a_job_whose_caller_says_what_it_does_is_not_tried_read_only() {
    let memory = InMemory {
        obstacles: vec![Obstacle::Told("/usr/bin/tool".into())],
        ..InMemory::default()
    };
    let mut findings = Findings::new(Healing::Off, Some(&memory), None);
    assert_eq!(findings.launch(Check::ReadOnly, &LaunchSpec::default()), None);
    assert_eq!(
        findings.launch(Check::Plain, &LaunchSpec::default()),
        Some(LaunchSpec::default())
    );
    findings.add(Check::Plain, trial(Ended::Well));
    let round = findings.into_round();
    let mut verdicts = round.verification.verdicts.iter();
    let verdict = verdicts
        .find(|verdict| verdict.aspect == Aspect::ReadOnly)
        .unwrap();
    assert_eq!(verdict.outcome, Outcome::NotChecked);
    insta::assert_snapshot!(verdict.detail, @"another command of /usr/bin/tool may write where this one did not; build with --read-only if none does");
}

#[test]
fn what_is_missed_read_only_is_added_before_it_counts() {
    let missing = Ended::Missing(MissKind::File);
    for (healing, counts) in [(Healing::On, Counts::Yes), (Healing::Off, Counts::No)] {
        let memory = InMemory::default();
        let mut findings = Findings::new(healing, Some(&memory), None);
        assert_eq!(findings.add(Check::ReadOnly, trial(missing)), counts);
        assert_eq!(findings.failed(), counts == Counts::Yes);
    }
    // Nothing is to be added where nothing was missed.
    let memory = InMemory::default();
    let mut findings = Findings::new(Healing::On, Some(&memory), None);
    assert_eq!(findings.add(Check::ReadOnly, trial(Ended::Differing)), Counts::No);
}
