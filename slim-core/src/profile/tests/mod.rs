//! One plan through every artifact.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::LazyLock;

use libseccomp::{ScmpArch, ScmpSyscall};
use serde_json::{Map, Value, json};

use super::simulate::Simulator;
use super::*;
use crate::image::{Config, Entry, Rootfs, Store};
use crate::path::RootPath;
use crate::plan::filter::{Answer, Filter};
use crate::plan::tables::Tables;
use crate::plan::{
    AllowedCapability, Changes, Reason, Totals, confine, recorded_container, syscalls, unverified,
};
use crate::recording::{Abi, Actor, Phase, Run, SyscallUse, tests::run};
use crate::spec::ContainerSpec;

struct Nothing;

impl Store for Nothing {
    fn open(&self, _: &RootPath, _: &Entry) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn image(config: Value) -> Image {
    let config = Config(Map::from_iter([("config".to_owned(), config)]));
    Image {
        id: crate::digest::Digest::of(b"image"),
        reference: "app:1".into(),
        config,
        rootfs: Rootfs::new(std::collections::BTreeMap::new(), std::sync::Arc::new(Nothing)),
    }
}

fn call(abi: Abi, name: &str) -> SyscallUse {
    let arch = match abi {
        Abi::Native => ScmpArch::X8664,
        Abi::Compat => ScmpArch::X86,
        Abi::X32 => ScmpArch::X32,
    };
    let number = ScmpSyscall::from_name_by_arch(name, arch).map(ScmpSyscall::as_raw_syscall);
    SyscallUse {
        abi,
        ..SyscallUse::once(name, u32::try_from(number.unwrap()).unwrap_or_default())
    }
}

/// A recording of one run under Docker 20.10's default filter.
fn recorded(calls: &[(Abi, &str)], change: impl FnOnce(&mut Run)) -> Recording {
    let mut run = run(1);
    run.host.machine = "x86_64".into();
    run.host.kernel = "6.18".into();
    run.engine.name = "docker".into();
    run.engine.version = "20.10.24".into();
    run.runtime.name = "runc".into();
    run.syscalls = calls.iter().map(|(abi, name)| call(*abi, name)).collect();
    change(&mut run);
    let mut recording = Recording::new(run.image.clone());
    recording.insert(run).unwrap();
    recording
}

fn plan(recording: &Recording) -> Plan {
    let reasons = vec![Reason::Assumed { why: "a test".into() }];
    Plan {
        version: crate::plan::VERSION,
        image: recording.image.clone(),
        reference: "app:1".into(),
        runs: recording.runs.keys().cloned().collect(),
        rounds: Default::default(),
        left_out: Vec::new(),
        removed: Vec::new(),
        kept_by: Vec::new(),
        files: std::collections::BTreeMap::new(),
        machine: None,
        syscalls: syscalls::allowed(recording, Tables::built_in()).0,
        capabilities: vec![AllowedCapability {
            name: "CAP_CHOWN".into(),
            reasons,
        }],
        refused_capabilities: vec![],
        privilege_gain: vec![],
        told: Vec::new(),
        privileged: vec![],
        notes: vec![],
        before: Totals::default(),
        after: Totals::default(),
    }
}

/// The context of a slim image with one tag.
fn context<'a>(plan: &'a Plan, recording: &'a Recording, image: &'a Image) -> Context<'a> {
    static TAGS: LazyLock<[String; 1]> = LazyLock::new(|| ["app-slim:1".to_owned()]);
    static OPTIONS: LazyLock<Options> = LazyLock::new(Options::default);
    let facts = recording.container();
    let container = facts.map(|facts| recorded_container(facts, &image.config));
    let base = confine(&container.unwrap_or_default(), plan, recording);
    let memory = Changes::new(recording, &image.rootfs).in_memory(plan, &image.rootfs);
    let launch = unverified(&base, &memory, &profile_name(&TAGS[0]));
    Context {
        plan,
        recording,
        image,
        // A test's contexts live as long as the test.
        launch: Box::leak(Box::new(launch)),
        digest: &image.id,
        tags: &*TAGS,
        options: &OPTIONS,
    }
}

fn render(artifact: &dyn Artifact, plan: &Plan, recording: &Recording, config: Value) -> Vec<u8> {
    artifact
        .render(&context(plan, recording, &image(config)))
        .unwrap()
}

fn text(artifact: &dyn Artifact, plan: &Plan, recording: &Recording, config: Value) -> String {
    String::from_utf8(render(artifact, plan, recording, config)).unwrap()
}

pub(super) mod formats;
mod launches;

mod seccomp_profile {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::check::check;
    use super::seccomp::Mode;
    use super::*;
    use crate::recording::{ArgumentUse, ArgumentValue, deciding_arguments};

    const MACHINE: &str = "x86_64";

    fn profile(recording: &Recording) -> Vec<u8> {
        render(&Seccomp, &plan(recording), recording, json!({}))
    }

    /// The profile as the options have it, for another machine if one is named.
    fn with(recording: &Recording, seccomp: seccomp::Options, machine: Option<&str>) -> Vec<u8> {
        let mut plan = plan(recording);
        plan.syscalls = syscalls::allowed_on(recording, Tables::built_in(), machine, None).0;
        plan.machine = machine.map(str::to_owned);
        let options = Options {
            seccomp,
            ..Options::default()
        };
        let image = image(json!({}));
        let context = Context {
            options: &options,
            ..context(&plan, recording, &image)
        };
        Seccomp.render(&context).unwrap()
    }

    /// Returns the names that the tables let in beside those in `of`: the runtimes' own calls, and the families of all.
    fn brought_by_tables(of: &[&str]) -> BTreeSet<String> {
        let tables = Tables::built_in();
        let runtimes = tables.runtimes.iter().flat_map(|table| &table.sets);
        let mut all: BTreeSet<String> = runtimes.flat_map(|set| set.names.iter().cloned()).collect();
        all.extend(of.iter().map(|name| (*name).to_owned()));
        loop {
            let families = tables.families.iter();
            let more: Vec<String> = families
                .filter(|family| family.of.iter().any(|name| all.contains(name)))
                .flat_map(|family| family.allow.iter().chain(&family.of).cloned().collect::<Vec<_>>())
                .collect();
            // A family that names what it allows does not allow what it is of.
            let more: Vec<String> = more
                .into_iter()
                .filter(|name| {
                    tables.families.iter().any(|family| {
                        family.of.iter().any(|of| all.contains(of) && of != name)
                            && (family.allow.contains(name)
                                || family.allow.is_empty() && family.of.contains(name))
                    })
                })
                .filter(|name| !all.contains(name))
                .collect();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// Every call that libseccomp knows on x86-64: number and name.
    fn known() -> Vec<(u32, String)> {
        (0..1024)
            .filter_map(|number: i32| {
                let name = ScmpSyscall::from_raw_syscall(number)
                    .get_name_by_arch(ScmpArch::X8664)
                    .ok()?;
                Some((u32::try_from(number).ok()?, name))
            })
            .collect()
    }

    #[test]
    fn it_is_sorted_grouped_and_commented() {
        let recording = recorded(
            &[
                (Abi::Native, "read"),
                (Abi::Native, "clone"),
                (Abi::Native, "accept4"),
            ],
            |_| {},
        );
        insta::assert_snapshot!(String::from_utf8(profile(&recording)).unwrap());
    }

    #[test]
    fn clone3_keeps_its_errno_and_clone_its_condition() {
        let simulator = Simulator::new(&profile(&recorded(&[(Abi::Native, "clone")], |_| {}))).unwrap();
        let answer = |number, first| {
            simulator
                .answer(MACHINE, Abi::Native, number, &[first, 0, 0, 0, 0, 0])
                .unwrap()
        };
        let (clone, clone3, mount) = (56, 435, 165);
        assert_eq!(answer(clone, 0x0120_0011), Answer::Allow);
        assert_eq!(answer(clone, 0x1000_0000), Answer::Errno(1), "CLONE_NEWUSER");
        assert_eq!(answer(clone3, 0), Answer::Errno(38));
        assert_eq!(answer(mount, 0), Answer::Errno(1));
    }

    #[test]
    fn compat_and_x32_are_refused_unless_recorded() {
        let native = Simulator::new(&profile(&recorded(&[(Abi::Native, "read")], |_| {}))).unwrap();
        let (read, compat_read) = (0, 3);
        assert_eq!(
            native.answer(MACHINE, Abi::Native, read, &[0; 6]).unwrap(),
            Answer::Allow
        );
        assert_eq!(
            native.answer(MACHINE, Abi::Compat, compat_read, &[0; 6]).unwrap(),
            Answer::Refuse
        );
        assert_ne!(
            native.answer(MACHINE, Abi::X32, read, &[0; 6]).unwrap(),
            Answer::Allow
        );

        let compat = Simulator::new(&profile(&recorded(&[(Abi::Compat, "read")], |_| {}))).unwrap();
        assert_eq!(
            compat.answer(MACHINE, Abi::Compat, compat_read, &[0; 6]).unwrap(),
            Answer::Allow
        );
        assert_ne!(
            compat.answer(MACHINE, Abi::X32, read, &[0; 6]).unwrap(),
            Answer::Allow
        );
    }

    #[test]
    fn equal_plans_give_equal_bytes() {
        let calls = [(Abi::Native, "read"), (Abi::Native, "socket")];
        assert_eq!(
            profile(&recorded(&calls, |_| {})),
            profile(&recorded(&calls, |_| {}))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Through the compiled program: what the plan allows is allowed, every other call is not, and nothing is
        /// that the container's own filter denied.
        #[test]
        fn just_the_allowed_calls_pass(
            picked in proptest::sample::subsequence(known(), 0..120),
            arg in prop_oneof![Just(0u64), Just(8), Just(0x1000_0000), any::<u64>()],
        ) {
            let calls: Vec<_> = picked.iter().map(|(_, name)| (Abi::Native, name.as_str())).collect();
            let recording = recorded(&calls, |_| {});
            let plan = plan(&recording);
            let simulator = Simulator::new(&render(&Seccomp, &plan, &recording, json!({}))).unwrap();
            let own = Tables::built_in().default_filter(recording.runs.values().next().unwrap()).unwrap();
            let args = [arg, 0, 0, 0, 0, 0];
            let names: Vec<&str> = picked.iter().map(|(_, name)| name.as_str()).collect();
            let brought = brought_by_tables(&names);
            for (number, name) in known() {
                let answer = simulator.answer(MACHINE, Abi::Native, number, &args).unwrap();
                if !brought.contains(&name) {
                    // In neither the recording nor a table: it looks forbidden, or as the container saw it.
                    let errno = if name == "clone3" { 38 } else { 1 };
                    prop_assert_eq!(answer, Answer::Errno(errno), "{}", name);
                }
                let allowed = plan.syscalls.iter().find(|c| c.name == name);
                let expected = allowed.is_some_and(|c| {
                    c.only.is_empty() || c.only.iter().any(|all| all.iter().all(|c| c.holds(&args)))
                });
                prop_assert_eq!(answer == Answer::Allow, expected, "{}", name);
                if answer == Answer::Allow {
                    prop_assert_eq!(own.answer(&name, &args), Answer::Allow, "{}", name);
                }
                if picked.iter().any(|(n, _)| *n == number) {
                    // Recorded as having succeeded: it goes through as far as the container's filter let it.
                    prop_assert_eq!(answer == Answer::Allow, own.answer(&name, &args) == Answer::Allow, "{}", name);
                }
            }
            // A number that nobody knows looks absent.
            prop_assert_eq!(simulator.answer(MACHINE, Abi::Native, 1000, &args).unwrap(), Answer::Errno(38));
        }

        /// For another machine: what C libraries call there in the place of what was recorded is allowed, and no name
        /// that the container's filter denied.
        #[test]
        fn another_machines_calls_pass(picked in proptest::sample::subsequence(known(), 0..120)) {
            let calls: Vec<_> = picked.iter().map(|(_, name)| (Abi::Native, name.as_str())).collect();
            let recording = recorded(&calls, |_| {});
            let own = Tables::built_in().default_filter(recording.runs.values().next().unwrap()).unwrap();
            let profile = with(&recording, seccomp::Options::default(), Some("aarch64"));
            let simulator = Simulator::new(&profile).unwrap();
            let lacks = &Tables::built_in().architectures.calls;
            for (_, name) in &picked {
                if own.answer(name, &[0; 6]) != Answer::Allow {
                    continue;
                }
                let there: Vec<&String> = match lacks.get(name) {
                    Some(instead) => instead.iter().collect(),
                    None => vec![name],
                };
                for name in there {
                    let Ok(answer) = simulator.call("aarch64", Abi::Native, name, &[0; 6]) else { continue };
                    prop_assert_eq!(answer == Answer::Allow, own.answer(name, &[0; 6]) == Answer::Allow, "{}", name);
                }
            }
            prop_assert_eq!(simulator.answer(MACHINE, Abi::Native, 0, &[0; 6]).unwrap(), Answer::Refuse);
        }

        /// A profile that logs lets through what the recorded container's filter did, and no more.
        #[test]
        fn to_log_is_to_allow_what_the_container_might(
            picked in proptest::sample::subsequence(known(), 0..120),
            arg in prop_oneof![Just(0u64), Just(8), Just(0x1000_0000), any::<u64>()],
        ) {
            let calls: Vec<_> = picked.iter().map(|(_, name)| (Abi::Native, name.as_str())).collect();
            let recording = recorded(&calls, |_| {});
            let own = Tables::built_in().default_filter(recording.runs.values().next().unwrap()).unwrap();
            let log = seccomp::Options { mode: Mode::Log, ..seccomp::Options::default() };
            let simulator = Simulator::new(&with(&recording, log, None)).unwrap();
            let args = [arg, 0, 0, 0, 0, 0];
            for (number, name) in known() {
                let answer = simulator.answer(MACHINE, Abi::Native, number, &args).unwrap();
                prop_assert_eq!(answer == Answer::Allow, own.answer(&name, &args) == Answer::Allow, "{}", name);
            }
        }

        /// Every recorded call is allowed, argument by argument; and of calls whose arguments are all known, no other.
        #[test]
        fn seen_arguments_pass_and_no_others(
            seen in proptest::collection::btree_set(
                (
                    proptest::sample::select(vec!["clone", "ioctl", "mprotect", "personality", "prctl", "socket"]),
                    prop_oneof![0u32..48, Just(0x0120_0011), Just(0x1000_0011), Just(0x8004_5430), any::<u32>()],
                    1u32..6,
                ),
                1..20,
            ),
            tried in prop_oneof![0u64..48, Just(0x1000_0011), any::<u64>()],
        ) {
            let names: BTreeSet<&str> = seen.iter().map(|(name, ..)| *name).collect();
            let mut uses: Vec<ArgumentUse> = seen.iter().map(|(name, first, second)| argument(name, &[*first, *second])).collect();
            uses.dedup();
            let calls: Vec<_> = names.iter().map(|name| (Abi::Native, *name)).collect();
            let recording = recorded(&calls, |run| {
                for call in &mut run.syscalls {
                    call.count = uses.iter().filter(|used| used.name == call.name).count() as u64;
                }
                run.arguments = Some(uses.clone());
            });
            let profile = with(&recording, seccomp::Options { arguments: true, mode: Mode::Enforce }, None);
            let checked = check(&profile, &recording).unwrap();
            let own = Tables::built_in().default_filter(recording.runs.values().next().unwrap()).unwrap();
            // Nothing is denied but what the container's own filter denied.
            for denied in &checked.denied {
                let of_name = |used: &&ArgumentUse| used.name == denied.name;
                let refused = uses.iter().filter(of_name).any(|used| own.answer(&denied.name, &registers(used)) != Answer::Allow);
                prop_assert!(refused, "{:?}", denied);
            }
            prop_assert!(checked.open.is_empty());

            let plan = plan(&recording);
            let simulator = Simulator::new(&profile).unwrap();
            for name in names {
                let call = plan.syscalls.iter().find(|call| call.name == name);
                let narrowed = call.is_some_and(|call| !call.arguments.is_empty());
                let args = registers(&argument(name, &[tried as u32, 1]));
                let known = uses.iter().any(|used| used.name == name && registers(used) == args);
                let writable_code = |args: &[u64; 6]| args[2] & 6 == 6;
                let expected = match name {
                    _ if !narrowed => continue,
                    "mprotect" => {
                        let any = uses.iter().any(|used| used.name == name && writable_code(&registers(used)));
                        any || !writable_code(&args)
                    }
                    _ => known && own.answer(name, &args) == Answer::Allow,
                };
                // All values that the container refused leave nothing to narrow to.
                let passes = simulator.call(MACHINE, Abi::Native, name, &args).unwrap() == Answer::Allow;
                let alone = uses.iter().filter(|used| used.name == name).all(|used| own.answer(name, &registers(used)) != Answer::Allow);
                if !alone {
                    prop_assert_eq!(passes, expected, "{} {:?}", name, args);
                }
                prop_assert!(!passes || own.answer(name, &args) == Answer::Allow, "{} {:?}", name, args);
            }
        }
    }

    fn argument(name: &str, values: &[u32]) -> ArgumentUse {
        let deciding = deciding_arguments(name).iter();
        ArgumentUse {
            abi: Abi::Native,
            name: name.into(),
            values: deciding
                .zip(values)
                .map(|(&(index, mask), value)| ArgumentValue {
                    index,
                    mask,
                    value: value & mask,
                })
                .collect(),
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
            count: 1,
        }
    }

    fn registers(used: &ArgumentUse) -> [u64; 6] {
        let mut args = [0; 6];
        for value in &used.values {
            args[value.index as usize] = value.value.into();
        }
        args
    }

    #[test]
    fn narrowed_rules_carry_their_evidence() {
        let recording = recorded(&[(Abi::Native, "socket"), (Abi::Native, "mprotect")], |run| {
            let by = Some(RootPath::new("/usr/sbin/nginx"));
            for call in &mut run.syscalls {
                call.program.clone_from(&by);
            }
            let uses = [argument("mprotect", &[1]), argument("socket", &[2, 1])];
            run.arguments = Some(
                uses.into_iter()
                    .map(|used| ArgumentUse {
                        program: by.clone(),
                        ..used
                    })
                    .collect(),
            );
        });
        let options = seccomp::Options {
            arguments: true,
            mode: Mode::Enforce,
        };
        let profile: Value = serde_json::from_slice(&with(&recording, options, None)).unwrap();
        let rules = profile["syscalls"].as_array().unwrap();
        let narrowed: Vec<_> = rules
            .iter()
            .filter(|rule| {
                ["socket", "mprotect"]
                    .iter()
                    .any(|name| rule["names"] == json!([name]))
            })
            .map(|rule| format!("{} {}: {}", rule["action"], rule["args"], rule["comment"]))
            .collect();
        insta::assert_snapshot!(narrowed.join("\n"));
    }

    #[test]
    fn an_oci_runtime_gets_the_same_without_words() {
        let recording = recorded(&[(Abi::Native, "read"), (Abi::Native, "clone")], |_| {});
        let given = render(&OciSeccomp, &plan(&recording), &recording, json!({}));
        let oci: Value = serde_json::from_slice(&given).unwrap();
        assert!(!oci.to_string().contains("comment"));
        let docker: Value = serde_json::from_slice(&profile(&recording)).unwrap();
        assert_eq!(
            Filter::from_oci(&oci).unwrap(),
            Filter::from_oci(&docker).unwrap()
        );
        // The specification's own types hold all of it.
        let typed: oci_spec::runtime::LinuxSeccomp = serde_json::from_slice(&given).unwrap();
        let again = serde_json::to_value(typed).unwrap();
        assert_eq!(Filter::from_oci(&again).unwrap(), Filter::from_oci(&oci).unwrap());
    }

    #[test]
    fn a_profile_is_checked_against_what_was_recorded() {
        let recording = recorded(
            &[
                (Abi::Native, "read"),
                (Abi::Native, "mkdir"),
                (Abi::Native, "keyctl"),
                (Abi::Native, "socket"),
                (Abi::Native, "uname"),
                (Abi::Compat, "read"),
            ],
            |run| {
                run.arguments = Some(vec![argument("socket", &[2, 1]), argument("socket", &[17, 3])]);
                for call in &mut run.syscalls {
                    call.count = 2;
                    call.program = None;
                    if call.name == "keyctl" {
                        call.failed = 2;
                    }
                }
            },
        );
        let given = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X32"]}],
            "syscalls": [
                {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                {"names": ["uname"], "action": "SCMP_ACT_ALLOW", "args": [
                    {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]},
                {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                    {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]},
            ],
        });
        let checked = check(given.to_string().as_bytes(), &recording).unwrap();
        let told: Vec<_> = checked
            .denied
            .iter()
            .map(|call| (call.name.as_str(), call.arguments.as_deref(), call.errno))
            .collect();
        assert_eq!(
            told,
            [
                ("mkdir", None, Some(1)),
                ("read", None, None),
                ("socket", Some("AF_PACKET, SOCK_RAW"), Some(1)),
            ]
        );
        // The container's own filter had refused it already.
        assert!(told.iter().all(|(name, ..)| *name != "keyctl"));
        let open: Vec<_> = checked.open.iter().map(|call| call.name.as_str()).collect();
        assert_eq!((open, checked.calls), (vec!["uname"], 6));
        assert!(checked.runtimes.iter().any(|missing| {
            missing.table.starts_with("runc") && missing.names.contains(&"fstatfs".to_owned())
        }));
        insta::assert_snapshot!(crate::report::checked(&checked));
        assert!(check(b"{}", &recording).is_err());
    }

    #[test]
    fn engines_default_profiles_compile() {
        for filter in &Tables::built_in().filters {
            let run = recorded(&[], |_| {}).runs.pop_first().unwrap().1;
            let container = crate::plan::filter::Container {
                machine: &run.host.machine,
                kernel: "6.18",
                capabilities: &[],
            };
            let resolved = Filter::from_engine(&filter.profile, container).unwrap();
            assert_eq!(
                resolved.answer("openat", &[0; 6]),
                Answer::Allow,
                "{} {:?}",
                filter.engine,
                filter.since
            );
            assert_ne!(
                resolved.answer("bpf", &[0; 6]),
                Answer::Allow,
                "{} {:?}",
                filter.engine,
                filter.since
            );
        }
    }
}

mod command_line {
    use super::*;

    #[test]
    fn it_holds_everything() {
        let recording = recorded(&[(Abi::Native, "read")], |run| {
            run.container.spec = ContainerSpec::from_words(
                &[
                    ["--env", "TOKEN"].as_slice(),
                    &["--volume", "/data:/it's here"],
                    &["--cap-add", "SYS_ADMIN"],
                    &["--security-opt", "seccomp=unconfined"],
                    &["--security-opt", "label=disable"],
                    &["--privileged"],
                    &["--label", "$(reboot)"],
                    &["--read-only"],
                    &["--cap-drop", "ALL"],
                    &["--init"],
                    &["--ulimit", "nofile=1024"],
                ]
                .map(|words| words.iter().map(|&word| word.to_owned()).collect()),
                &[],
            );
            run.container.command = ["/entry", "serve", "$(reboot)"].map(String::from).to_vec();
        });
        let config = json!({"Entrypoint": ["/entry"], "Cmd": ["serve"]});
        insta::assert_snapshot!(text(&RunSh, &plan(&recording), &recording, config));
    }

    #[test]
    fn a_program_that_gains_privilege_is_named_and_keeps_it() {
        let recording = recorded(&[], |_| {});
        let mut plan = plan(&recording);
        plan.privilege_gain = vec![RootPath::new("/bin/su\nrm -rf")];
        let script = text(&RunSh, &plan, &recording, json!({}));
        assert!(
            script.contains("# needs privilege gain: /bin/su\\nrm -rf\n"),
            "{script}"
        );
        assert!(!script.contains("no-new-privileges"), "{script}");
    }

    #[test]
    fn the_images_own_command_is_not_repeated() {
        let config = json!({"Entrypoint": ["/entry"], "Cmd": ["serve"]});
        for (command, entrypoint, end) in [
            (vec!["/entry", "serve"], None, "\"$image\"\n"),
            (vec!["/entry", "check", "-v"], None, "\"$image\" check -v\n"),
            (
                vec!["/bin/sh", "-c", "true"],
                Some("/bin/sh"),
                "\"$image\" -c true\n",
            ),
            (vec![], None, "\"$image\"\n"),
        ] {
            let recording = recorded(&[], |run| {
                run.container.command = command.into_iter().map(String::from).collect();
                run.container.spec.entrypoint = entrypoint.map(str::to_owned);
            });
            let script = text(&RunSh, &plan(&recording), &recording, config.clone());
            assert!(script.ends_with(end), "{script}");
        }
    }

    /// The script as a shell runs it, with a `docker` that prints its arguments.
    #[test]
    fn the_words_arrive_as_they_were_given() {
        let dir = tempfile::tempdir().unwrap();
        let nasty = "a 'b' \"c\" $d `e` \\ \n *";
        let recording = recorded(&[], |run| {
            run.container.spec.labels.insert("x".into(), nasty.into());
            run.container.command = vec![nasty.into()];
        });
        let script = render(&RunSh, &plan(&recording), &recording, json!({}));
        std::fs::write(dir.path().join("run.sh"), script).unwrap();
        let docker = dir.path().join("docker");
        std::fs::write(&docker, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
        std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).unwrap();
        let out = std::process::Command::new("sh")
            .arg(dir.path().join("run.sh"))
            .arg("--name=a b")
            .env("DOCKER", &docker)
            .output()
            .unwrap();
        let words: Vec<_> = out
            .stdout
            .split(|b| *b == 0)
            .map(|w| String::from_utf8_lossy(w))
            .collect();
        let seccomp = format!("seccomp={}/seccomp.json", dir.path().display());
        let label = format!("x={nasty}");
        let image = crate::digest::Digest::of(b"image").to_string();
        assert_eq!(
            words,
            [
                "run",
                "--security-opt",
                &seccomp,
                "--cap-drop",
                "ALL",
                "--cap-add",
                "CHOWN",
                "--security-opt",
                "no-new-privileges",
                "--read-only",
                "--label",
                &label,
                "--name=a b",
                &image,
                nasty,
                ""
            ],
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    #[test]
    fn a_nul_is_refused() {
        let recording = recorded(&[], |run| {
            run.container.spec.hostname = Some("a\0b".into());
        });
        let (image, plan) = (image(json!({})), plan(&recording));
        assert!(matches!(
            RunSh.render(&context(&plan, &recording, &image)),
            Err(Error::Nul { .. })
        ));
    }
}

/// The AppArmor profile of a recording of these paths, made and read, and of a unix socket.
pub(super) fn recorded_profile(paths: &[RootPath], address: &str, kind: &str) -> String {
    use crate::recording::{Access, SocketAction, SocketUse};
    use apparmor_profile::{socket, used};
    let recording = recorded(&[(Abi::Native, "read")], |run| {
        run.files = paths
            .iter()
            .map(|path| used(path.as_bytes(), &[Access::Read, Access::Lock]))
            .collect();
        run.sockets = vec![SocketUse {
            action: SocketAction::Connect,
            address: address.to_owned(),
            ..socket("unix", kind)
        }];
    });
    text(&AppArmor, &plan(&recording), &recording, json!({}))
}

mod apparmor_profile {
    use std::collections::BTreeSet;

    use super::*;
    use crate::path::RawPath;
    use crate::plan::{Cause, EdgeKind, Kept};
    use crate::recording::{Access, FileUse, MountFact, MountKind, Program, SocketAction, SocketUse};

    pub(super) fn used(path: &[u8], access: &[Access]) -> FileUse {
        FileUse {
            path: RootPath::new(path),
            is_resolved: true,
            requested_path: None,
            base: None,
            access: access.iter().copied().collect(),
            errors: BTreeSet::new(),
            on_root: true,
            no_follow: false,
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
        }
    }

    pub(super) fn socket(family: &str, kind: &str) -> SocketUse {
        SocketUse {
            action: SocketAction::Create,
            family: family.into(),
            kind: kind.into(),
            protocol: 0,
            address: String::new(),
            port: 0,
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
        }
    }

    fn example() -> (Plan, Recording, Image) {
        let calls = ["read", "kill", "rename", "mount", "mkdir"].map(|name| (Abi::Native, name));
        let recording = recorded(&calls, |run| {
            let mount = |target: &str, kind| MountFact {
                target: target.into(),
                kind,
            };
            run.container.mounts = vec![
                mount("/data", MountKind::Volume),
                mount("/dev", MountKind::System),
                mount("/dev/shm", MountKind::System),
                mount("/proc", MountKind::System),
            ];
            let mut asked = used(b"/bin/sh", &[Access::Execute]);
            asked.is_resolved = false;
            asked.requested_path = Some(RawPath(b"/bin/sh".to_vec()));
            let mut runtime = used(b"/etc/passwd", &[Access::Read]);
            runtime.actor = Actor::Runtime;
            run.files = vec![
                asked,
                runtime,
                used(b"/usr/lib/libc.so.6", &[Access::Map]),
                used(b"/usr/share", &[Access::List]),
                used(b"/etc/hosts", &[Access::Stat, Access::Permission]),
                used(b"/etc/app \"x\", {a,b}*.conf", &[Access::Read]),
                used(b"/caf\xff\n", &[Access::Read]),
                used(b"/proc/7/maps", &[Access::Read]),
                used(b"/dev/urandom", &[Access::Read]),
                used(b"/dev/shm/sem.1", &[Access::Create]),
                used(b"/data/db/1.dat", &[Access::Write]),
                used(b"/tmp/app.Xy12", &[Access::Create]),
                used(b"/etc/generated.conf", &[Access::Create]),
                used(b"/var/log/app/access.log", &[Access::Append]),
                used(b"/srv/uploads/a.txt", &[Access::Create, Access::Write]),
                used(b"/srv/uploads/sub", &[Access::Create]),
                used(b"/srv/uploads/sub/b.txt", &[Access::Create, Access::Lock]),
                used(b"/app/cache/b7", &[Access::Create]),
                used(
                    b"/app/cache/b7/b7f54b2df7773722d382f4809d65029c",
                    &[Access::Create],
                ),
                used(
                    b"/app/state.json.1a2b3c",
                    &[Access::Create, Access::Write, Access::Remove],
                ),
                used(b"/app/state.json", &[Access::Create]),
                used(b"/run/app.pid", &[Access::Create]),
                used(b"/app/main.py", &[Access::Read]),
            ];
            run.programs = vec![Program {
                path: "/entry.sh".into(),
                interpreter: Some("/bin/sh".into()),
                privilege_gain: false,
                phase: Phase::StartUp,
                count: 1,
            }];
            run.sockets = vec![
                socket("inet", "stream"),
                socket("netlink", "raw"),
                socket("unix", "dgram"),
                SocketUse {
                    action: SocketAction::Connect,
                    address: "@bus, \"x\"".into(),
                    ..socket("unix", "stream")
                },
                SocketUse {
                    action: SocketAction::Listen,
                    address: "/run/app.sock".into(),
                    ..socket("unix", "stream")
                },
                socket("77", ""),
            ];
        });
        let mut plan = plan(&recording);
        let library = Cause::Edge {
            edge: EdgeKind::Library,
            from: "/usr/bin/dash".into(),
            line: None,
            quote: None,
        };
        let always = Cause::Always { why: "a test".into() };
        for (path, cause) in [
            ("/usr/lib/libm.so.6", library),
            ("/bin", always.clone()),
            ("/etc/ssl/cert.pem", always),
        ] {
            plan.files.insert(path.into(), Kept { causes: vec![cause] });
        }
        let mut image = image(json!({}));
        image.rootfs = crate::image::memory::tree(&[
            ("/bin", b"-> usr/bin"),
            ("/usr/bin/sh", b"-> dash"),
            ("/usr/bin/dash", b""),
            ("/usr/lib/libc.so.6", b""),
            ("/usr/lib/libm.so.6", b""),
            ("/usr/share/", b""),
            ("/entry.sh", b""),
            ("/etc/ssl/cert.pem", b""),
            ("/tmp/", b""),
            ("/app/main.py", b""),
            ("/app/cache/.keep", b""),
            ("/srv/uploads/", b""),
            ("/run/", b""),
            ("/var/log/app/access.log", b""),
        ]);
        (plan, recording, image)
    }

    #[test]
    fn it_allows_what_was_used_and_what_that_needs() {
        let (plan, recording, image) = example();
        let profile =
            String::from_utf8(AppArmor.render(&context(&plan, &recording, &image)).unwrap()).unwrap();
        insta::assert_snapshot!(profile);
        let complaining = Options {
            apparmor_mode: AppArmorMode::Complain,
            ..Options::default()
        };
        let context = Context {
            options: &complaining,
            ..context(&plan, &recording, &image)
        };
        assert_eq!(
            String::from_utf8(AppArmor.render(&context).unwrap()).unwrap(),
            profile.replacen("flags=(", "flags=(complain,", 1)
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("apparmor.profile");
        std::fs::write(&file, profile).unwrap();
        if let Some(mut parser) = crate::test_tools::tool("apparmor_parser", "apparmor") {
            let out = parser.args(["-Q", "-K"]).arg(&file).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
    }

    #[test]
    fn a_profiles_name_means_just_itself() {
        assert_eq!(profile_name("nginx"), "slim-nginx");
        for (reference, start) in [
            ("host:5000/a b/c:1", "slim-host-5000-a-b-c-1-"),
            ("x\nprofile y {/**", "slim-x-profile-y-"),
            ("Host:5000/App_1.2", "slim-host-5000-app-1-2-"),
            ("::", "slim-image-"),
        ] {
            let name = profile_name(reference);
            let digest = name.strip_prefix(start).expect(&name);
            assert!(
                digest.len() == 12 && digest.bytes().all(|b| b.is_ascii_hexdigit()),
                "{name}"
            );
        }
        let long = profile_name(&"a".repeat(100));
        assert!(
            long.len() <= 63 && long != profile_name(&"a".repeat(101)),
            "{long}"
        );
    }

    #[test]
    fn different_images_have_different_names() {
        let names = [
            "web_a",
            "web.a",
            "web-a",
            "WEB-A",
            "team/web-a:1.0",
            "team-web:a-1.0",
            "::",
            "image",
        ];
        let all: std::collections::BTreeSet<String> = names.map(profile_name).into();
        assert_eq!(all.len(), names.len(), "{all:?}");
        // A name that imitates another one's digest is not that one's.
        let imitated = profile_name("web_a");
        let imitation = imitated.strip_prefix("slim-").unwrap();
        assert_ne!(profile_name(imitation), imitated);
    }
}

#[test]
fn formats_and_files_have_one_name_each() {
    let formats: std::collections::BTreeSet<_> = ARTIFACTS.iter().map(|a| a.format()).collect();
    let files: std::collections::BTreeSet<_> = ARTIFACTS.iter().map(|a| a.file_name()).collect();
    assert_eq!((formats.len(), files.len()), (ARTIFACTS.len(), ARTIFACTS.len()));
    assert!(ARTIFACTS.iter().is_sorted_by_key(|a| !a.always()));
}

#[test]
fn an_unknown_format_is_named() {
    let recording = recorded(&[], |_| {});
    let (image, plan) = (image(json!({})), plan(&recording));
    let options = Options {
        formats: vec!["apparmor".into(), "tar".into()],
        ..Options::default()
    };
    let context = Context {
        options: &options,
        ..context(&plan, &recording, &image)
    };
    assert!(matches!(super::render(&context), Err(Error::Format(name)) if name == "tar"));
}

#[test]
fn files_are_written_whole_and_with_their_mode() {
    let dir = tempfile::tempdir().unwrap();
    let output = crate::pipeline::Output::open(dir.path(), Default::default()).unwrap();
    let recording = recorded(&[(Abi::Native, "read")], |_| {});
    let (image, plan) = (image(json!({})), plan(&recording));
    for _ in 0..2 {
        let paths = output
            .write_profiles(&context(&plan, &recording, &image))
            .unwrap();
        let modes: Vec<_> = paths
            .iter()
            .map(|p| {
                (
                    p.file_name().unwrap().to_str().unwrap(),
                    p.metadata().unwrap().permissions().mode() & 0o777,
                )
            })
            .collect();
        assert_eq!(
            modes,
            [
                ("seccomp.json", 0o600),
                ("apparmor.profile", 0o600),
                ("run.sh", 0o700)
            ]
        );
        // And the list of them.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
    }
}
