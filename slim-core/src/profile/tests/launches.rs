//! Every format that starts something says exactly the launch that was verified, or remarks on what it cannot say.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::spec::{ContainerSpec, EnvVar, LaunchSpec, Tmpfs, Ulimit, any_spec, full_spec};
use crate::testing::artifacts::{Documented, STARTING, documented, name_of, problems, read};

/// The user of the image, by name.
const IMAGE_USER: &str = "app";

fn table() -> BTreeMap<String, Documented> {
    documented(include_str!("../../../../docs/formats.md"))
}

/// The text of each format for a launch; none for one that refuses it.
fn artifacts(launch: &LaunchSpec) -> Vec<(&'static str, Option<String>)> {
    let recording = recorded(&[(Abi::Native, "read")], |run| run.peaks.memory = Some(50 << 20));
    let plan = plan(&recording);
    let mut image = image(json!({"User": IMAGE_USER}));
    image.rootfs = crate::image::memory::tree(&[
        ("/etc/passwd", b"root:x:0:0::/:\napp:x:1000:100::/:\n"),
        ("/etc/group", b"web:x:33:\n"),
    ]);
    let context = Context {
        launch,
        ..context(&plan, &recording, &image)
    };
    let starting = STARTING.iter().map(|format| {
        let artifact = ARTIFACTS
            .iter()
            .find(|artifact| artifact.format() == *format)
            .unwrap();
        let rendered = artifact.render(&context).ok();
        (*format, rendered.map(|bytes| String::from_utf8(bytes).unwrap()))
    });
    starting.collect()
}

fn all_problems(launch: &LaunchSpec) -> Vec<String> {
    let table = table();
    let mut all = Vec::new();
    for (format, text) in artifacts(launch) {
        let Some(text) = text else { continue };
        let found = problems(format, &text, launch, IMAGE_USER, &table[format]);
        if !found.is_empty() {
            all.extend(found);
            all.push(text);
        }
    }
    all
}

/// A launch with everything that a format may have trouble with.
fn odd() -> ContainerSpec {
    let words = [
        ["--env", "TOKEN"],
        ["--env", "2x"],
        ["--gpus", "2"],
        ["--network-alias", "db"],
        ["--ip", "10.0.0.9"],
        ["--ip6", "fd00::9"],
        ["--mac-address", "02:42:ac:11:00:02"],
        ["--volume", "1data:/data"],
        ["--volume", "data:/more:z"],
        [
            "--mount",
            "type=volume,source=2data,target=/last,volume-driver=local",
        ],
        [
            "--mount",
            "type=volume,source=good,target=/good,volume-driver=local",
        ],
        ["--mount", "type=bind,source=/srv,target=/srv,readonly"],
        ["--mount", "type=tmpfs,target=/small,tmpfs-size=1024"],
        ["--publish", "127.0.0.1:8080:80"],
        ["--label", "cost=$5"],
        ["--user", "nobody-knows"],
        ["--group-add", "web"],
        ["--group-add", "unknown"],
        ["--workdir", "/a b"],
        ["--hostname", "Not.A.Label"],
        ["--stop-signal", "SIGQUIT"],
        ["--tmpfs", "/mine:size=64m,uid=1000,exec"],
        ["--tmpfs", "/a%b"],
        ["--cpus", "0.123456789"],
        ["--entrypoint", ""],
        ["--network", "none"],
    ];
    let words = words.map(|words| words.map(String::from).to_vec());
    let mut spec = ContainerSpec::from_words(&words, &["run".into(), "100%".into(), "$HOME".into()]);
    assert_eq!(spec.not_carried, BTreeSet::new());
    spec.not_carried.insert("--volumes-from other".into());
    spec.ulimits.push(Ulimit {
        name: "strange".into(),
        soft: 1,
        hard: -1,
    });
    spec.limits.cpuset_cpus = Some("0 1".into());
    spec.limits.cpuset_mems = Some("0 1".into());
    spec.stop_signal = Some("SIG QUIT".into());
    spec
}

fn launch(container: ContainerSpec) -> LaunchSpec {
    LaunchSpec {
        container,
        capabilities: BTreeSet::from(["CAP_CHOWN".to_owned()]),
        seccomp: true,
        apparmor: Some("slim-app".to_owned()),
        read_only: Some(vec![Tmpfs {
            target: "/run".to_owned(),
            uid: Some(33),
            mode: Some(0o755),
            ..Tmpfs::default()
        }]),
        sysctls: BTreeMap::from([("net.ipv4.ip_unprivileged_port_start".to_owned(), "80".to_owned())]),
        ..LaunchSpec::default()
    }
}

#[test]
fn a_launch_with_every_option_is_said_or_remarked_on() {
    for container in [ContainerSpec::default(), full_spec(), odd()] {
        assert_eq!(all_problems(&launch(container)).join("\n"), "");
    }
}

/// A row of docs/formats.md lists no option that the format does say.
#[test]
fn the_table_names_no_option_in_vain() {
    let launches = [
        launch(full_spec()),
        launch(odd()),
        launch(ContainerSpec {
            entrypoint: Some("/entry".into()),
            tty: true,
            init: true,
            dns: crate::spec::Dns {
                search: vec!["example.org".into()],
                options: vec!["ndots:2".into()],
                ..Default::default()
            },
            extra_hosts: vec![crate::spec::HostEntry {
                name: "host".into(),
                address: "host-gateway".into(),
            }],
            ipc: Some("private".into()),
            pid: Some("container:other".into()),
            network: crate::spec::Network {
                mode: crate::spec::NetworkMode::Named("net".into()),
                ..Default::default()
            },
            ..ContainerSpec::default()
        }),
    ];
    let table = table();
    assert_eq!(table.len(), STARTING.len());
    let mut unused: BTreeSet<(&str, &String)> = STARTING
        .into_iter()
        .flat_map(|format| {
            table[format]
                .not_carried
                .iter()
                .map(move |option| (format, option))
        })
        .collect();
    for launch in &launches {
        for (format, text) in artifacts(launch) {
            let read = read(format, &text.unwrap()).unwrap();
            let expected = crate::testing::artifacts::expected(format, launch, IMAGE_USER);
            for option in expected {
                if read.remarks.contains(&remark::not_carried(&option.join(" "))) {
                    unused.retain(|(of, name)| (*of, *name) != (format, &name_of(&option)));
                }
            }
        }
    }
    assert_eq!(unused, BTreeSet::new());
}

/// A user of the image is started as that user where the format does not start the image.
#[test]
fn the_images_own_user_is_named_by_number() {
    let artifacts = artifacts(&LaunchSpec::default());
    for (format, text) in artifacts {
        let read = read(format, &text.unwrap()).unwrap();
        let user = vec!["--user".to_owned(), "1000:100".to_owned()];
        let expected = matches!(format, "k8s-security-context" | "systemd");
        assert_eq!(read.options.contains(&user), expected, "{format}");
    }
}

fn tmpfs() -> impl Strategy<Value = Tmpfs> {
    (
        "/[a-z]{1,8}( [%$a-z]{1,3})?",
        prop::option::of(1u32..70000),
        prop::option::of(1u32..70000),
        prop::option::of(0u32..0o10000),
        any::<bool>(),
        prop::sample::subsequence(vec!["size=64m", "nr_inodes=1k", "ro"], 0..3),
    )
        .prop_map(|(target, uid, gid, mode, exec, options)| Tmpfs {
            target,
            uid,
            gid,
            mode,
            exec,
            options: options.into_iter().map(str::to_owned).collect(),
        })
}

/// Any description, with some fields of the one that has them all.
fn any_container() -> impl Strategy<Value = ContainerSpec> {
    let Value::Object(full) = serde_json::to_value(full_spec()).unwrap() else {
        panic!("a description is a map");
    };
    let fields: Vec<(String, Value)> = full.into_iter().collect();
    (
        any_spec(),
        prop::sample::subsequence(fields.clone(), 0..=fields.len()),
        prop::collection::vec("[A-Z0-9][A-Z_]{0,5}", 0..3),
    )
        .prop_map(|(spec, fields, env)| {
            let Value::Object(mut all) = serde_json::to_value(spec).unwrap() else {
                panic!("a description is a map");
            };
            all.extend(fields);
            let mut spec: ContainerSpec = serde_json::from_value(Value::Object(all)).unwrap();
            spec.env.extend(env.into_iter().map(EnvVar::named));
            spec
        })
}

fn any_launch() -> impl Strategy<Value = LaunchSpec> {
    (
        any_container(),
        prop::collection::btree_set(prop::sample::select(crate::spec::CAPABILITIES.to_vec()), 0..3),
        any::<bool>(),
        prop::option::of("slim-[a-z]{1,8}"),
        any::<bool>(),
        prop::option::of(prop::collection::vec(tmpfs(), 0..3)),
        prop::collection::btree_map("[a-z]{1,5}\\.[a-z]{1,5}", "[0-9 ]{1,5}", 0..2),
    )
        .prop_map(
            |(container, capabilities, seccomp, apparmor, gains, read_only, sysctls)| LaunchSpec {
                container,
                capabilities: capabilities.into_iter().map(str::to_owned).collect(),
                seccomp,
                apparmor,
                privilege_gain: gains.then(|| RootPath::new("/bin/su")).into_iter().collect(),
                read_only,
                sysctls,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_format_says_the_launch(launch in any_launch()) {
        let problems = all_problems(&launch);
        prop_assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
