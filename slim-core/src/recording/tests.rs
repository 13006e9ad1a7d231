use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::path::RootPath;

fn image() -> Digest {
    Digest::of(b"image")
}

pub(crate) fn run(seed: u64) -> Run {
    Run {
        started: seed,
        duration_ms: 1,
        observed: Observed {
            phases: vec![PhaseMark {
                phase: Phase::StartUp,
                at_ms: 0,
            }],
            arguments: Some(vec![]),
            files: vec![FileUse {
                path: RootPath::new(b"/caf\xff\\"),
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
            }],
            ..Observed::default()
        },
        ..Run::new(image(), "app:1")
    }
}

fn recording(seeds: &BTreeSet<u64>) -> Recording {
    let mut recording = Recording::new(image());
    for seed in seeds {
        recording.insert(run(*seed)).unwrap();
    }
    recording
}

fn any_recording() -> impl Strategy<Value = Recording> {
    proptest::collection::btree_set(0u64..8, 0..5).prop_map(|seeds| recording(&seeds))
}

proptest! {
    #[test]
    fn merge_is_associative(a in any_recording(), b in any_recording(), c in any_recording()) {
        let left = a.clone().merge(b.clone()).unwrap().merge(c.clone()).unwrap();
        let right = a.merge(b.merge(c).unwrap()).unwrap();
        prop_assert_eq!(left.to_json(), right.to_json());
    }

    #[test]
    fn merge_is_commutative(a in any_recording(), b in any_recording()) {
        prop_assert_eq!(a.clone().merge(b.clone()).unwrap().to_json(), b.merge(a).unwrap().to_json());
    }

    #[test]
    fn merge_is_idempotent(a in any_recording()) {
        prop_assert_eq!(a.clone().merge(a.clone()).unwrap().to_json(), a.to_json());
    }
}

/// A run in which every list holds something.
fn full_run() -> Run {
    let program = Some(RootPath::new("/bin/app"));
    let (phase, actor) = (Phase::Serving, Actor::App);
    let body = Body {
        digest: Digest::of(b"hello"),
        size: 5,
        kept: true,
    };
    let header = Header {
        name: "authorization".into(),
        value: None,
    };
    let response = HttpResponse {
        status: 200,
        version: "HTTP/1.1".into(),
        headers: vec![],
        body: body.clone(),
        complete: true,
    };
    let http = HttpExchange {
        tls: false,
        port: 80,
        method: "GET".into(),
        path: "/".into(),
        headers: vec![header],
        body: None,
        response: Some(response),
        required: true,
    };
    let tcp = TcpExchange {
        port: 6379,
        sent: Some(body.clone()),
        then: vec![body.clone()],
        received: body.clone(),
    };
    let udp = UdpExchange {
        port: 53,
        sent: body.clone(),
        received: body.clone(),
    };
    let host = HostExchange {
        command: "true".into(),
        exit_code: 0,
        stdout: body.clone(),
        stderr: body.clone(),
    };
    let exec = ExecExchange {
        command: vec!["true".into()],
        exit_code: 0,
        stdout: body.clone(),
        stderr: body,
    };
    let kinds = [
        ExchangeKind::Http(http),
        ExchangeKind::Tcp(tcp),
        ExchangeKind::Udp(udp),
        ExchangeKind::Exec(exec),
        ExchangeKind::Host(host),
    ];
    let origins = [
        Origin::Default,
        Origin::Crawl { from: "/".into() },
        Origin::OpenApi {
            operation: "x".into(),
        },
        Origin::Flag,
        Origin::Flag,
    ];
    let exchanges = kinds.into_iter().zip(origins).zip(0..);
    Run {
        observed: Observed {
            syscalls: vec![SyscallUse {
                abi: Abi::Compat,
                number: 4,
                name: "write".into(),
                phase,
                actor,
                program: program.clone(),
                count: 2,
                failed: 1,
                first_failure: Some(Failure {
                    errno: 1,
                    args: [u64::MAX; 6],
                }),
                first_path: Some(RootPath::new("/var/log/app")),
            }],
            arguments: Some(vec![ArgumentUse {
                abi: Abi::Native,
                name: "socket".into(),
                values: vec![ArgumentValue {
                    index: 0,
                    mask: u32::MAX,
                    value: 2,
                }],
                phase,
                actor,
                program: program.clone(),
                count: 3,
            }]),
            capabilities: vec![CapabilityUse {
                capability: "CAP_CHOWN".into(),
                granted: true,
                phase,
                actor,
                program: program.clone(),
                syscall: Some("chown".into()),
                count: 1,
            }],
            sockets: vec![SocketUse {
                action: SocketAction::Listen,
                family: "inet".into(),
                kind: "stream".into(),
                protocol: 6,
                address: "0.0.0.0".into(),
                port: 80,
                phase,
                actor,
                program: program.clone(),
            }],
            programs: vec![Program {
                path: RootPath::new("/bin/app"),
                interpreter: None,
                privilege_gain: false,
                phase,
                count: 1,
            }],
            processes: vec![Process {
                pid: 7,
                parent: None,
                programs: vec![RootPath::new("/bin/app")],
            }],
            alarms: BTreeSet::from([Alarm::IoUring { program }]),
            ..run(1).observed
        },
        exchanges: exchanges
            .map(|((kind, origin), sequence)| Exchange {
                sequence,
                origin,
                kind,
            })
            .collect(),
        ..run(1)
    }
}

#[test]
fn everything_that_a_run_holds_loads_again() {
    let mut recording = Recording::new(image());
    recording.insert(full_run()).unwrap();
    let again = Recording::parse(&recording.to_json(), Path::new("r")).unwrap();
    assert_eq!(again, recording);
}

#[test]
fn a_recording_loads_again() {
    let recording = recording(&BTreeSet::from([1, 2]));
    let again = Recording::parse(&recording.to_json(), Path::new("r")).unwrap();
    assert_eq!(again, recording);
}

#[test]
fn runs_of_different_images_do_not_merge() {
    let other = Recording::new(Digest::of(b"other"));
    assert!(matches!(
        Recording::new(image()).merge(other.clone()),
        Err(Error::DifferentImages { .. })
    ));
    let mut other = other;
    assert!(matches!(other.insert(run(1)), Err(Error::DifferentImages { .. })));
}

#[test]
fn an_edited_run_is_refused() {
    let json = String::from_utf8(recording(&BTreeSet::from([1])).to_json()).unwrap();
    let edited = json.replace("\"duration_ms\": 1", "\"duration_ms\": 2");
    assert_ne!(json, edited);
    assert!(matches!(
        Recording::parse(edited.as_bytes(), Path::new("r")),
        Err(Error::Damaged { .. })
    ));
}

#[test]
fn a_member_that_a_run_does_not_have_is_refused() {
    let mut recording = Recording::new(image());
    recording.insert(full_run()).unwrap();
    for place in ["\"outcome\": {", "\"losses\": {"] {
        let json = String::from_utf8(recording.to_json()).unwrap();
        let (before, after) = json.split_once(place).unwrap();
        let more = format!("{before}\"surprise\": 1, {place}{after}");
        let error = Recording::parse(more.as_bytes(), Path::new("r")).unwrap_err();
        assert!(matches!(error, Error::Json { .. }), "{error}");
    }
}

#[test]
fn a_recording_from_before_arguments_were_noted_keeps_its_digest() {
    let mut recording = Recording::new(image());
    let mut run = run(1);
    run.arguments = None;
    recording.insert(run).unwrap();
    let json = recording.to_json();
    assert!(!String::from_utf8_lossy(&json).contains("arguments"));
    assert_eq!(
        Recording::parse(&json, "recording.json".as_ref()).unwrap(),
        recording
    );
}

#[test]
fn another_version_is_named() {
    let error = Recording::parse(br#"{"version": 9, "future": true}"#, Path::new("r.json")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "r.json: format version 9, but this slim reads versions 1 to 2: record again, or use the slim that wrote it"
    );
}

/// Recordings that the last slim of format version 1 wrote: one of a container that it started, with many options, and
/// one that it attached to.
const V1: [&[u8]; 2] = [
    include_bytes!("../../testdata/recordings/v1-started.json"),
    include_bytes!("../../testdata/recordings/v1-attached.json"),
];

fn only_run(bytes: &[u8]) -> Run {
    let recording = Recording::parse(bytes, Path::new("v1.json")).unwrap();
    assert_eq!(recording.version, VERSION);
    let again = Recording::parse(&recording.to_json(), Path::new("v2.json")).unwrap();
    assert_eq!(again, recording);
    let (id, run) = recording.runs.into_iter().next().unwrap();
    assert_eq!(run.id(), id);
    Arc::unwrap_or_clone(run)
}

#[test]
fn recordings_of_the_first_version_still_load() {
    let run = only_run(V1[0]);
    assert!(run.syscalls.len() > 10 && !run.files.is_empty());
    assert_eq!(run.container.command, ["/bin/sh", "-c", "echo hello"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&run.container.spec).unwrap());
    let run = only_run(V1[1]);
    assert_eq!(run.purpose, Purpose::Attached);
    insta::assert_snapshot!(serde_json::to_string_pretty(&run.container.spec).unwrap());
}

/// A recording in which every list holds something, as it was first written in format version 2.
const V2: &[u8] = include_bytes!("../../testdata/recordings/v2-full.json");

#[test]
fn recordings_of_the_second_version_still_load() {
    let run = only_run(V2);
    assert_eq!(run.exchanges.len(), full_run().exchanges.len());
}

#[test]
fn an_edited_recording_of_the_first_version_is_noticed() {
    let edited = String::from_utf8(V1[0].to_vec()).unwrap().replace("box", "fox");
    let error = Recording::parse(edited.as_bytes(), Path::new("v1.json")).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
