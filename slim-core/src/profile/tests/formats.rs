//! One recording in every further format, and each format's own reader on it.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::path::RawPath;
use crate::recording::{Access, FileUse, MountFact, MountKind, Peaks, Program, SocketAction, SocketUse};
use crate::test_tools::{missing, tool};

fn used(path: &[u8], access: &[Access]) -> FileUse {
    apparmor_profile::used(path, access)
}

fn socket(action: SocketAction, kind: &str, address: &str, port: u16) -> SocketUse {
    SocketUse {
        action,
        address: address.into(),
        port,
        ..apparmor_profile::socket(if address.contains(':') { "inet6" } else { "inet" }, kind)
    }
}

/// A web server that writes to a cache, looks names up and talks to a database.
fn server() -> (Plan, Recording, Image) {
    let calls = ["read", "clone", "socketpair", "kill"].map(|name| (Abi::Native, name));
    let recording = recorded(&calls, |run| {
        run.host.unprivileged_port_start = Some(0);
        run.container.user = "app".into();
        run.container.mounts = vec![
            MountFact {
                target: "/data".into(),
                kind: MountKind::Volume,
            },
            MountFact {
                target: "/proc".into(),
                kind: MountKind::System,
            },
        ];
        run.container.spec = ContainerSpec::from_words(
            &[
                ["--env", "TOKEN"],
                ["--volume", "data:/data"],
                ["--publish", "8080:80"],
                ["--label", "cost=$5"],
                ["--user", "app"],
                ["--ulimit", "nofile=1024:4096"],
                ["--shm-size", "128m"],
                ["--stop-signal", "SIGQUIT"],
                ["--dns", "10.0.0.2"],
            ]
            .map(|words| words.map(String::from).to_vec()),
            &[],
        );
        run.container.command = ["/usr/bin/server", "--serve", "100%"].map(String::from).to_vec();
        run.peaks = Peaks {
            memory: Some(50 << 20),
            pids: Some(9),
            cpu_milli: Some(130),
        };
        run.files = vec![
            used(b"/usr/bin/server", &[Access::Execute]),
            used(b"/usr/lib/libc.so.6", &[Access::Map]),
            used(b"/etc/server.conf", &[Access::Read]),
            used(b"/etc/a, \"b\" {c}", &[Access::Read]),
            used(b"/var/cache/server/0000000001", &[Access::Create, Access::Write]),
            used(b"/data/db", &[Access::Read, Access::Write]),
            used(b"/proc/7/status", &[Access::Read]),
        ];
        run.programs = vec![Program {
            path: "/usr/bin/server".into(),
            interpreter: None,
            privilege_gain: false,
            phase: Phase::StartUp,
            count: 1,
        }];
        run.sockets = vec![
            socket(SocketAction::Bind, "stream", "0.0.0.0", 80),
            socket(SocketAction::Listen, "stream", "0.0.0.0", 80),
            socket(SocketAction::Listen, "stream", "::1", 9000),
            socket(SocketAction::Bind, "dgram", "0.0.0.0", 514),
            socket(SocketAction::Bind, "dgram", "0.0.0.0", 40000),
            socket(SocketAction::Connect, "dgram", "127.0.0.11", 53),
            socket(SocketAction::Connect, "dgram", "10.0.0.7", 5432),
            socket(SocketAction::Connect, "stream", "10.0.0.7", 5432),
            socket(SocketAction::Connect, "stream", "127.0.0.1", 9000),
        ];
    });
    let plan = plan(&recording);
    let mut image = image(json!({"Entrypoint": ["/usr/bin/server"], "Cmd": ["--serve"]}));
    image.rootfs = crate::image::memory::tree(&[
        ("/etc/passwd", b"root:x:0:0::/:\napp:x:1000:100::/:\n"),
        ("/etc/server.conf", b""),
        ("/usr/bin/server", b""),
        ("/usr/lib/libc.so.6", b""),
        ("/var/cache/server/", b""),
    ]);
    (plan, recording, image)
}

fn rendered(artifact: &dyn Artifact, (plan, recording, image): &(Plan, Recording, Image)) -> String {
    String::from_utf8(artifact.render(&context(plan, recording, image)).unwrap()).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// Returns the errors of a document by a schema: none if it is valid.
fn problems(schema: &str, definition: Option<&str>, document: &Value) -> Vec<String> {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    if let Some(definition) = definition {
        schema["$ref"] = json!(format!("#/$defs/{definition}"));
        // In draft 7 nothing beside a $ref counts, in later ones all of it does.
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

const KUBERNETES: &str = include_str!("../../../testdata/schemas/kubernetes.json");
const OPERATOR: &str = include_str!("../../../testdata/schemas/security-profiles-operator.json");
const COMPOSE: &str = include_str!("../../../testdata/schemas/compose.json");

fn assert_valid(artifact: &dyn Artifact, text: &str) {
    let document = yaml(text);
    let core = |name: &str| format!("io.k8s.api.core.v1.{name}");
    let template = &document["spec"]["template"]["spec"];
    let parts: Vec<(&str, Option<String>, &Value)> = match artifact.format() {
        "k8s-network-policy" => vec![(
            KUBERNETES,
            Some("io.k8s.api.networking.v1.NetworkPolicy".into()),
            &document,
        )],
        "k8s-security-context" => vec![
            (
                KUBERNETES,
                Some(core("PodSecurityContext")),
                &template["securityContext"],
            ),
            (
                KUBERNETES,
                Some(core("SecurityContext")),
                &template["containers"][0]["securityContext"],
            ),
        ],
        "k8s-resources" => vec![(
            KUBERNETES,
            Some(core("ResourceRequirements")),
            &template["containers"][0]["resources"],
        )],
        "spo-seccomp" => vec![(OPERATOR, Some("SeccompProfile".into()), &document)],
        "spo-apparmor" => vec![(OPERATOR, Some("AppArmorProfile".into()), &document)],
        "compose" => vec![(COMPOSE, None, &document)],
        other => panic!("{other} has no schema"),
    };
    for (schema, definition, part) in parts {
        assert!(part.is_object(), "{text}");
        assert_eq!(
            problems(schema, definition.as_deref(), part),
            Vec::<String>::new(),
            "{text}"
        );
    }
}

const YAML: [&dyn Artifact; 6] = [
    &OperatorSeccomp,
    &OperatorAppArmor,
    &SecurityContext,
    &Resources,
    &NetworkPolicy,
    &Compose,
];

#[test]
fn every_yaml_format_is_valid_and_as_before() {
    let made = server();
    for artifact in YAML {
        let text = rendered(artifact, &made);
        assert_valid(artifact, &text);
        insta::assert_snapshot!(artifact.format(), text);
    }
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    for (schema, definition, document) in [
        (
            KUBERNETES,
            Some("io.k8s.api.core.v1.SecurityContext"),
            json!({"allowEscalation": true}),
        ),
        (
            KUBERNETES,
            Some("io.k8s.api.core.v1.SecurityContext"),
            json!({"capabilities": {"add": [1]}}),
        ),
        (
            OPERATOR,
            Some("SeccompProfile"),
            json!({"apiVersion": "v1", "kind": "SeccompProfile"}),
        ),
        (COMPOSE, None, json!({"services": {"a": {"cap_ad": []}}})),
    ] {
        assert!(!problems(schema, definition, &document).is_empty(), "{document}");
    }
}

#[test]
fn the_podman_unit_is_as_before() {
    insta::assert_snapshot!(rendered(&Podman, &server()));
}

#[test]
fn the_systemd_drop_in_is_as_before_and_systemd_takes_it() {
    let text = rendered(&Systemd, &server());
    insta::assert_snapshot!(text);
    let Some(result) = verified(&text) else {
        return;
    };
    assert_eq!(result, Ok(()));
    // What is wrong is noticed.
    assert!(
        verified("[Service]\nReadOnlyPaths=etc\n").is_some_and(|result| result.is_err()),
        "a path that is not absolute"
    );
}

/// Returns whether systemd takes every line of a drop-in, with its message if not; none where systemd is missing.
fn verified(drop_in: &str) -> Option<Result<(), String>> {
    let mut analyze = tool("systemd-analyze", "systemd")?;
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("slim-test.service");
    std::fs::write(&unit, format!("{drop_in}\n[Service]\nExecStart=/bin/true\n")).unwrap();
    let out = analyze
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    // Calls that this systemd's libseccomp does not know are no fault of the unit.
    let wrong: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("slim-test.service:") && !line.contains("System call"))
        .collect();
    Some(if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    })
}

#[test]
fn what_cannot_be_read_only_is_said() {
    let (mut plan, recording, mut image) = server();
    image.rootfs = crate::image::memory::tree(&[
        ("/var/cache/server/", b""),
        ("/var/cache/server/index", b""),
        ("/usr/bin/server", b""),
    ]);
    let kept = crate::plan::Kept { causes: Vec::new() };
    plan.files.insert("/var/cache/server/index".into(), kept);
    let made = (plan, recording, image);
    let text = rendered(&SecurityContext, &made);
    assert!(
        text.contains("# The root is writable: the application changes /var/cache/server\n"),
        "{text}"
    );
    assert!(text.contains("readOnlyRootFilesystem: false"), "{text}");
    assert!(
        text.contains("# The user \"app\" is not in the image's /etc/passwd"),
        "{text}"
    );
    assert!(!rendered(&Compose, &made).contains("read_only"));
}

#[test]
fn what_was_not_measured_is_said() {
    let recording = recorded(&[], |_| {});
    let made = (plan(&recording), recording, image(json!({})));
    let text = rendered(&Resources, &made);
    assert!(
        text.contains("# cpu was not measured.\n# memory was not measured.\n"),
        "{text}"
    );
    assert_valid(&Resources, &text);
    // Nothing was seen on the network: nothing is let through.
    let policy = yaml(&rendered(&NetworkPolicy, &made));
    assert_eq!(policy["spec"]["ingress"], json!([]));
    assert_eq!(policy["spec"]["egress"], json!([]));
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
}

#[test]
fn the_formats_are_as_before() {
    let list: Vec<String> = ARTIFACTS
        .iter()
        .map(|a| {
            format!(
                "{} {} {}: {}",
                if a.always() { "*" } else { " " },
                a.format(),
                a.file_name(),
                a.description()
            )
        })
        .collect();
    insta::assert_snapshot!(list.join("\n"));
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(
            prop::sample::select(b" \"',\n\t{}[]*?%$\\#:=;()@\xc3\xa9\xff~!".to_vec()),
            1..12
        ),
        prop::collection::vec(1u8..=255, 1..12),
    ]
}

/// Recordings in which every text is hostile.
fn hostile() -> impl Strategy<Value = (Plan, Recording, Image)> {
    let text = || prop_oneof!["[^\\x00]{0,16}", "[ \"',\n{}\\[\\]*?%$\\\\#:=;-]{0,8}"];
    (
        prop::collection::vec(
            (
                any_name(),
                prop::sample::subsequence(
                    vec![
                        Access::Read,
                        Access::Write,
                        Access::Create,
                        Access::Execute,
                        Access::Map,
                        Access::List,
                    ],
                    1..4,
                ),
            ),
            0..8,
        ),
        prop::collection::vec(text(), 0..5),
        prop::collection::vec(
            (
                prop::sample::select(vec![
                    "--label",
                    "--volume",
                    "--env",
                    "--mount",
                    "--network",
                    "--entrypoint",
                    "--tmpfs",
                    "--user",
                    "--add-host",
                    "--hostname",
                    "--health-cmd",
                    "--sysctl",
                ]),
                text(),
            ),
            0..5,
        ),
        text(),
        (text(), any::<u16>()),
    )
        .prop_map(|(files, command, options, reference, (address, port))| {
            let recording = recorded(&[(Abi::Native, "read"), (Abi::Native, "clone")], |run| {
                run.files = files
                    .iter()
                    .map(|(name, access)| used(&[b"/srv/", name.as_slice()].concat(), access))
                    .collect();
                run.container.command = command;
                run.container.user = reference.clone();
                let words: Vec<Vec<String>> = options
                    .iter()
                    .map(|(option, value)| vec![(*option).to_owned(), value.clone()])
                    .collect();
                run.container.spec = ContainerSpec::from_words(&words, &[]);
                run.sockets = vec![socket(SocketAction::Connect, "stream", &address, port)];
                run.peaks.memory = Some(u64::from(port) << 20);
            });
            let mut plan = plan(&recording);
            plan.reference = reference;
            plan.privilege_gain = files
                .iter()
                .map(|(name, _)| RootPath::new(name))
                .take(1)
                .collect();
            let mut image = image(json!({}));
            image.rootfs = crate::image::memory::tree(&[("/srv/", b"")]);
            (plan, recording, image)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_text_stays_text_in_yaml(made in hostile()) {
        for artifact in YAML {
            let text = rendered(artifact, &made);
            assert_valid(artifact, &text);
        }
        let (plan, recording, image) = &made;
        let context = context(plan, recording, image);
        let compose = yaml(&rendered(&Compose, &made));
        let services = compose["services"].as_object().unwrap();
        prop_assert_eq!(services.len(), 1);
        let service = services.values().next().unwrap();
        let strings = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.map(|item| item.as_str().unwrap().replace("$$", "$")).collect()
        };
        let container = &context.launch.container;
        prop_assert_eq!(strings(&service["command"]), container.command.clone());
        let labels: Vec<String> = container.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        prop_assert_eq!(strings(&service["labels"]), labels);
        // One $ is a variable.
        let text = serde_json::to_string(service).unwrap().replace("$$", "");
        prop_assert!(!text.contains('$'), "{}", text);
    }

    /// No line of a unit comes from recorded text, and each word reads as it was.
    #[test]
    fn hostile_text_stays_text_in_units(made in hostile()) {
        for artifact in [&Podman as &dyn Artifact, &Systemd] {
            let text = rendered(artifact, &made);
            for line in text.lines() {
                let known = line.is_empty()
                    || line.starts_with('#')
                    || ["[Container]", "[Install]", "[Service]"].contains(&line)
                    || line.split_once('=').is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_alphabetic()));
                prop_assert!(known, "{}", line);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn systemd_takes_any_recording(made in hostile()) {
        if let Some(result) = verified(&rendered(&Systemd, &made)) {
            prop_assert_eq!(result, Ok(()));
        }
    }
}

#[test]
fn links_are_followed_to_what_is_written() {
    let (plan, mut recording, mut image) = server();
    let mut run = std::sync::Arc::unwrap_or_clone(recording.runs.pop_first().unwrap().1);
    run.files = vec![FileUse {
        is_resolved: false,
        requested_path: Some(RawPath(b"/cache/x".to_vec())),
        ..used(b"/cache/x", &[Access::Create])
    }];
    recording.insert(run).unwrap();
    image.rootfs =
        crate::image::memory::tree(&[("/cache", b"-> /var/cache/server"), ("/var/cache/server/", b"")]);
    let made = (plan, recording, image);
    let text = rendered(&Systemd, &made);
    assert!(
        text.contains("\nTemporaryFileSystem=\"/var/cache/server:nosuid,nodev,noexec,size=50%%,mode=755\"\n"),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// Compose reads words and labels as they were recorded.
    #[test]
    fn compose_takes_any_words(words in prop::collection::vec("[^\\x00-\\x1f\\x7f-\\u{9f}\u{fffe}\u{ffff}]{0,16}", 1..5), label in "[ -~]{0,16}") {
        let Some(mut compose) = tool("docker-compose", "docker-compose") else {
            return Ok(());
        };
        let (plan, mut recording, image) = server();
        let mut run = std::sync::Arc::unwrap_or_clone(recording.runs.pop_first().unwrap().1);
        run.container.command = [vec!["/usr/bin/server".to_owned()], words.clone()].concat();
        run.container.spec.labels.insert("x".into(), label.clone());
        recording.insert(run).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let text = rendered(&Compose, &(plan, recording, image));
        std::fs::write(dir.path().join("compose.yaml"), &text).unwrap();
        std::fs::write(dir.path().join("seccomp.json"), "{}").unwrap();
        let out = compose
            .args(["--file", "compose.yaml", "config"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        prop_assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), text);
        let read = yaml(&String::from_utf8(out.stdout).unwrap().replace("$$", "$"));
        let service = &read["services"]["app"];
        if words != ["--serve"] {
            let read: Vec<&str> = service["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
            prop_assert_eq!(read.join("\0").replace("$$", "$"), words.join("\0").replace("$$", "$"));
        }
        prop_assert_eq!(service["labels"]["x"].as_str().unwrap().replace("$$", "$"), label.replace("$$", "$"));
        prop_assert_eq!(&service["cap_drop"], &json!(["ALL"]));
    }
}

/// The modules of the reference policy that a policy cannot do without, in CIL, where Debian's is installed.
///
/// The base module has all that ours names but for `unconfined_t`.
const MODULES: [&str; 2] = ["base", "unconfined"];

fn reference_modules() -> Option<Vec<(&'static str, Vec<u8>)>> {
    let read = |module: &'static str| {
        let path = format!("/var/lib/selinux/default/active/modules/100/{module}/cil");
        // The store compresses what it keeps.
        let mut bzip2 = tool("bzip2", "bzip2")?;
        let out = bzip2.args(["--decompress", "--stdout", &path]).output().unwrap();
        if !out.status.success() {
            missing("the reference policy is not installed (package selinux-policy-default)");
        }
        out.status.success().then_some((module, out.stdout))
    };
    MODULES.into_iter().map(read).collect()
}

/// The base module of the reference policy, in CIL.
pub(in crate::profile) fn reference_policy() -> Option<String> {
    let modules = reference_modules()?;
    Some(String::from_utf8_lossy(&modules[0].1).into_owned())
}

/// Compiles a module with the reference policy.
fn compiled(dir: &std::path::Path, module: &str) -> Option<Result<(), String>> {
    let modules = reference_modules()?;
    let mut secilc = tool("secilc", "secilc")?;
    let mut files = Vec::new();
    for (name, bytes) in &modules {
        let file = dir.join(format!("{name}.cil"));
        // Who may log in how needs every module.
        let lines = bytes
            .split_inclusive(|&b| b == b'\n')
            .filter(|line| !line.starts_with(b"(selinuxuser "));
        std::fs::write(&file, lines.collect::<Vec<_>>().concat()).unwrap();
        files.push(file);
    }
    let own = dir.join("selinux.cil");
    std::fs::write(&own, module).unwrap();
    let out = secilc
        .args(["--output", "policy", "--filecontext", "contexts"])
        .args(&files)
        .arg(&own)
        .current_dir(dir)
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    Some(if out.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&said).into_owned())
    })
}

/// The rules for the container's processes in a compiled policy.
fn rules_of(mut sesearch: Command, dir: &std::path::Path, source: &str) -> String {
    let out = sesearch
        .args(["--allow", "--source", source, "policy"])
        .current_dir(dir)
        .output();
    String::from_utf8(out.unwrap().stdout).unwrap()
}

#[test]
fn the_selinux_module_is_as_before_and_compiles_with_the_reference_policy() {
    let text = rendered(&Selinux, &server());
    insta::assert_snapshot!(text);
    let dir = tempfile::tempdir().unwrap();
    let Some(result) = compiled(dir.path(), &text) else {
        return;
    };
    result.unwrap();
    if let Some(sesearch) = tool("sesearch", "setools") {
        let rules = rules_of(sesearch, dir.path(), "slim_app_slim_1_710f83a851ae.process");
        assert!(
            rules.contains("allow slim_app_slim_1_710f83a851ae.process http_port_t:tcp_socket name_bind;"),
            "{rules}"
        );
        assert!(
            rules.contains(
                "allow slim_app_slim_1_710f83a851ae.process postgresql_port_t:tcp_socket name_connect;"
            ),
            "{rules}"
        );
        assert!(
            !rules.contains("etc_t:file"),
            "the host's files are not the container's: {rules}"
        );
        assert!(!rules.contains("net_raw"), "{rules}");
    }
    // What is wrong is noticed.
    let wrong = text.replace("(typeattributeset domain", "(typeattributeset no_such_attribute");
    assert!(compiled(dir.path(), &wrong).unwrap().is_err());
}

/// A program that aborts does so, and nginx's processes wake each other by SIGIO, which nobody sends by a call.
#[test]
fn a_process_may_signal_itself_under_every_module() {
    let recording = recorded(&[(Abi::Native, "read")], |_| {});
    let all = (plan(&recording), recording, image(json!({})));
    let module = rendered(&Selinux, &all);
    assert!(module.contains("sigchld signal)))\n    (optional"), "{module}");
    let profile = rendered(&AppArmor, &all);
    let own = profile
        .lines()
        .any(|line| line.starts_with("  signal (send, receive) peer=slim-"));
    assert!(own, "{profile}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn any_recording_compiles(made in hostile()) {
        let dir = tempfile::tempdir().unwrap();
        if let Some(result) = compiled(dir.path(), &rendered(&Selinux, &made)) {
            prop_assert_eq!(result, Ok(()));
        }
    }
}
