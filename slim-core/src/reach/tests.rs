use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cancel::Cancel;
use crate::digest::Digest;
use crate::image::memory::tree;
use crate::image::{Config, Kind, LastLink, Outcome, Rootfs, packages};
use crate::path::{RawPath, RootPath};
use crate::plan::{Cause, EdgeKind, Plan, Totals};
use crate::reach::elf::parse::{
    Elf,
    tests::{write, write_with},
};
use crate::recording::{Access, Actor, FileUse, MountFact, MountKind, Phase, Program, Run};

/// One file's use; the rest as for an application that reads it through a descriptor.
pub(super) fn used(path: &str) -> FileUse {
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

/// A path that was only looked up.
fn asked(asked: &str) -> FileUse {
    FileUse {
        is_resolved: false,
        requested_path: Some(RawPath::from(asked.as_bytes())),
        access: BTreeSet::from([Access::Stat]),
        ..used(asked)
    }
}

fn absent(path: &str) -> FileUse {
    FileUse {
        access: BTreeSet::new(),
        errors: BTreeSet::from([2]),
        ..asked(path)
    }
}

pub(super) fn image(rootfs: Rootfs, config: serde_json::Value) -> Image {
    let document = json!({ "config": config });
    Image {
        id: Digest::of(b"image"),
        reference: "app:1".into(),
        config: Config(document.as_object().unwrap().clone()),
        rootfs,
    }
}

pub(super) fn run(files: Vec<FileUse>) -> Run {
    let mut run = crate::recording::tests::run(1);
    run.files = files;
    run
}

pub(super) fn recording(run: Run) -> Recording {
    let mut recording = Recording::new(Digest::of(b"image"));
    recording.insert(run).unwrap();
    recording
}

pub(super) fn reached(image: &Image, files: Vec<FileUse>) -> Reached {
    reached_with(image, files, &Options::default())
}

pub(super) fn reached_with(image: &Image, files: Vec<FileUse>, options: &Options) -> Reached {
    let packages = packages::owners(&image.rootfs);
    let recording = recording(run(files));
    close(image, &packages, &recording, options, &Cancel::default()).unwrap()
}

fn at_level(image: &Image, files: Vec<FileUse>, keep: Keep) -> Reached {
    let options = Options {
        keep,
        ..Options::default()
    };
    reached_with(image, files, &options)
}

/// The kept paths but the root.
pub(super) fn kept(items: &[(&str, &[u8])], files: Vec<FileUse>) -> Vec<String> {
    names(&reached(&image(tree(items), json!({})), files))
}

pub(super) fn names(reached: &Reached) -> Vec<String> {
    let paths = reached.files.keys().filter(|path| !path.is_root());
    paths.map(ToString::to_string).collect()
}

fn library(needed: &[&str]) -> Elf {
    Elf {
        is_64: true,
        machine: 62,
        needed: needed.iter().map(|name| name.as_bytes().to_vec()).collect(),
        ..Elf::default()
    }
}

fn program(needed: &[&str]) -> Elf {
    Elf {
        interpreter: Some(b"/lib64/ld-linux-x86-64.so.2".to_vec()),
        ..library(needed)
    }
}

#[test]
fn a_file_brings_its_directories_and_nothing_beside_it() {
    let items: &[(&str, &[u8])] = &[
        ("/etc/app/a.conf", b"a"),
        ("/etc/app/b.conf", b"b"),
        ("/etc/app.d/c", b"c"),
    ];
    assert_eq!(
        kept(items, vec![used("/etc/app/a.conf")]),
        ["/etc", "/etc/app", "/etc/app/a.conf"]
    );
    assert_eq!(kept(items, vec![used("/etc/app")]), ["/etc", "/etc/app"]);
    assert_eq!(kept(items, vec![]), Vec::<String>::new());
}

#[test]
fn an_entrypoint_that_runs_its_arguments_names_programs() {
    let items: &[(&str, &[u8])] = &[
        ("/usr/bin/tini", b""),
        ("/usr/bin/gosu", b""),
        ("/usr/bin/server", b""),
        ("/usr/bin/timeout", b""),
        ("/usr/bin/check", b""),
        ("/usr/bin/other", b""),
    ];
    let config = json!({
        "Entrypoint": ["tini", "--"],
        "Cmd": ["gosu", "app", "server", "other"],
        "Healthcheck": { "Test": ["CMD-SHELL", "timeout 3 check || exit 1"] },
    });
    assert_eq!(
        names(&reached(&image(tree(items), config), vec![])),
        [
            "/usr",
            "/usr/bin",
            "/usr/bin/check",
            "/usr/bin/gosu",
            "/usr/bin/server",
            "/usr/bin/timeout",
            "/usr/bin/tini"
        ]
    );
}

#[test]
fn links_on_the_way_come_from_the_asked_path() {
    let items: &[(&str, &[u8])] = &[
        ("/lib", b"-> usr/lib"),
        ("/usr/lib/libx.so.1", b"-> libx.so.1.2"),
        ("/usr/lib/libx.so.1.2", b"bytes"),
    ];
    let all = [
        "/lib",
        "/usr",
        "/usr/lib",
        "/usr/lib/libx.so.1",
        "/usr/lib/libx.so.1.2",
    ];
    let known = FileUse {
        requested_path: Some(RawPath::from(&b"/lib/libx.so.1"[..])),
        ..used("/usr/lib/libx.so.1.2")
    };
    assert_eq!(kept(items, vec![known]), all);
    assert_eq!(kept(items, vec![asked("/lib/libx.so.1")]), all);
    let lstat = FileUse {
        no_follow: true,
        ..asked("/usr/lib/libx.so.1")
    };
    assert_eq!(kept(items, vec![lstat]), all[1..], "a kept link keeps its target");
    let relative = FileUse {
        base: Some("/usr".into()),
        ..asked("../lib/libx.so.1.2")
    };
    assert_eq!(
        kept(items, vec![relative]),
        ["/lib", "/usr", "/usr/lib", "/usr/lib/libx.so.1.2"]
    );
}

#[test]
fn the_evidence_leads_back_to_an_observation() {
    let items: &[(&str, &[u8])] = &[
        ("/lib", b"-> usr/lib"),
        ("/lib64/ld-linux-x86-64.so.2", b""),
        ("/usr/bin/app", &write(&program(&["liba.so"]))),
        ("/usr/lib/liba.so", b"-> liba.so.1"),
        ("/usr/lib/liba.so.1", &write(&library(&["libb.so"]))),
        ("/usr/lib/libb.so", &write(&library(&[]))),
    ];
    let reached = reached(&image(tree(items), json!({})), vec![used("/usr/bin/app")]);
    let plan = Plan {
        version: 1,
        image: Digest::of(b"image"),
        reference: String::new(),
        runs: vec![],
        rounds: BTreeMap::new(),
        left_out: Vec::new(),
        removed: Vec::new(),
        kept_by: Vec::new(),
        files: reached.files,
        machine: None,
        syscalls: vec![],
        capabilities: vec![],
        refused_capabilities: vec![],
        privilege_gain: vec![],
        told: Vec::new(),
        privileged: vec![],
        notes: vec![],
        before: Totals::default(),
        after: Totals::default(),
    };
    let chain: Vec<String> = plan
        .chain(&"/usr/lib/libb.so".into())
        .into_iter()
        .map(|(path, cause)| match cause {
            cause @ Cause::Edge { edge, .. } => {
                format!("{path}: {edge:?} {}", cause.detail().unwrap_or_default())
            }
            Cause::Observed { .. } => format!("{path}: observed"),
            other => format!("{path}: {other:?}"),
        })
        .collect();
    assert_eq!(
        chain,
        [
            "/usr/lib/libb.so: Library NEEDED libb.so",
            "/usr/lib/liba.so.1: Library NEEDED liba.so",
            "/usr/bin/app: observed"
        ]
    );
    for path in plan.files.keys() {
        let (_, cause) = plan.chain(path).pop().unwrap();
        assert!(!matches!(cause, Cause::Edge { .. }), "{path} ends at {cause:?}");
    }
}

#[test]
fn what_the_run_made_keeps_the_directory_it_was_made_in() {
    let items: &[(&str, &[u8])] = &[
        ("/var/lib/app/", b""),
        ("/var/lib/other/", b""),
        ("/var/box", b"-> ../box"),
        ("/box/", b""),
    ];
    let made = |path: &str| FileUse {
        access: BTreeSet::from([Access::Create, Access::Write]),
        ..used(path)
    };
    assert_eq!(
        kept(items, vec![made("/var/lib/app/deep/er/db")]),
        ["/var", "/var/lib", "/var/lib/app"]
    );
    let pid = FileUse {
        is_resolved: false,
        requested_path: Some(RawPath::from(&b"/var/box/app.pid"[..])),
        ..made("/var/box/app.pid")
    };
    assert_eq!(kept(items, vec![pid]), ["/box", "/var", "/var/box"]);
}

#[test]
fn what_failed_fails_again() {
    let items: &[(&str, &[u8])] = &[
        ("/etc/foo/", b""),
        ("/etc/shadow", b"secret"),
        ("/etc/file", b""),
        ("/etc/loop", b"-> loop2"),
        ("/etc/loop2", b"-> loop"),
    ];
    let with = |errno: u16, path: &str| FileUse {
        errors: BTreeSet::from([errno]),
        ..absent(path)
    };
    assert_eq!(
        kept(items, vec![with(13, "/etc/shadow")]),
        ["/etc", "/etc/shadow"]
    );
    assert_eq!(
        kept(items, vec![with(2, "/etc/foo/bar/baz.conf")]),
        ["/etc", "/etc/foo"]
    );
    assert_eq!(kept(items, vec![with(20, "/etc/file/x")]), ["/etc", "/etc/file"]);
    assert_eq!(
        kept(items, vec![with(40, "/etc/loop")]),
        ["/etc", "/etc/loop", "/etc/loop2"]
    );
    assert_eq!(kept(items, vec![with(2, "/nowhere")]), Vec::<String>::new());
}

#[test]
fn what_the_run_removed_is_still_there() {
    let items: &[(&str, &[u8])] = &[("/var/cache/stamp", b"")];
    let removed = FileUse {
        access: BTreeSet::from([Access::Remove]),
        no_follow: true,
        ..asked("/var/cache/stamp")
    };
    assert_eq!(
        kept(items, vec![removed]),
        ["/var", "/var/cache", "/var/cache/stamp"]
    );
}

#[test]
fn mounts_hide_the_image_and_volumes_show_it() {
    let items: &[(&str, &[u8])] = &[
        ("/data/seed", b""),
        ("/data/other", b""),
        ("/bind/seed", b""),
        ("/proc/fake", b""),
        ("/etc/resolv.conf", b""),
        ("/var/log/app.log", b"-> /dev/stdout"),
        ("/dev/stdout", b"-> /proc/self/fd/1"),
    ];
    let with = |files| {
        let mut run = run(files);
        run.container.mounts = vec![
            MountFact {
                target: "/data".into(),
                kind: MountKind::Volume,
            },
            MountFact {
                target: "/bind".into(),
                kind: MountKind::Bind,
            },
        ];
        let image = image(tree(items), json!({}));
        names(
            &close(
                &image,
                &packages::owners(&image.rootfs),
                &recording(run),
                &Options::default(),
                &Cancel::default(),
            )
            .unwrap(),
        )
    };
    let always = ["/dev", "/etc", "/etc/resolv.conf", "/proc"];
    let off = |path: &str| FileUse {
        on_root: false,
        ..used(path)
    };
    let extra = |files| -> Vec<String> {
        with(files)
            .into_iter()
            .filter(|p| !always.contains(&p.as_str()))
            .collect()
    };
    assert_eq!(with(vec![]), always);
    assert_eq!(
        extra(vec![off("/data/seed"), off("/data/made")]),
        ["/data", "/data/seed"]
    );
    assert_eq!(extra(vec![off("/bind/seed"), asked("/bind/seed")]), ["/bind"]);
    assert_eq!(
        extra(vec![off("/proc/fake"), asked("/proc/fake")]),
        Vec::<String>::new()
    );
    assert_eq!(extra(vec![off("/nobody/knows")]), Vec::<String>::new());
    // The kept link's target is kept although the mount hid it: a link never dangles that didn't.
    assert_eq!(
        extra(vec![asked("/var/log/app.log")]),
        ["/dev/stdout", "/var", "/var/log", "/var/log/app.log"]
    );
}

#[test]
fn a_changed_root_is_where_absolute_paths_start() {
    let items: &[(&str, &[u8])] = &[
        ("/jail/etc/conf", b"-> /etc/real"),
        ("/jail/etc/real", b""),
        ("/etc/real", b""),
    ];
    let inside = FileUse {
        base: Some("/jail".into()),
        path: "/jail/etc/conf".into(),
        ..asked("/etc/conf")
    };
    let paths = kept(items, vec![inside]);
    assert!(
        paths.contains(&"/jail/etc/conf".into()) && paths.contains(&"/jail/etc/real".into()),
        "{paths:?}"
    );
}

#[test]
fn a_relative_path_from_a_directory_that_the_run_made() {
    let items: &[(&str, &[u8])] = &[("/etc/conf", b""), ("/tmp/", b"")];
    let from = FileUse {
        base: Some("/tmp/made".into()),
        ..asked("../../etc/conf")
    };
    assert!(kept(items, vec![from]).contains(&"/etc/conf".into()));
}

#[test]
fn scripts_bring_interpreters_and_what_those_need() {
    let app = write(&program(&[]));
    let items: &[(&str, &[u8])] = &[
        ("/app/run", b"#!/usr/bin/env -S tool --flag\n"),
        ("/opt/bin/tool", b"#!/bin/sh -e\n"),
        ("/bin", b"-> usr/bin"),
        ("/usr/bin/env", &app),
        ("/usr/bin/sh", b"-> dash"),
        ("/usr/bin/dash", &app),
        ("/usr/bin/tool", b"never: it stands later in PATH"),
        ("/lib64/ld-linux-x86-64.so.2", b"loader"),
    ];
    let image = image(tree(items), json!({ "Env": ["PATH=/opt/bin:/usr/bin"] }));
    let reached = reached(&image, vec![used("/app/run")]);
    let expected: Vec<&str> = items
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| *path != "/usr/bin/tool")
        .collect();
    for path in &expected {
        assert!(
            reached.files.contains_key(&RootPath::new(path)),
            "{path} of {:?}",
            names(&reached)
        );
    }
    assert!(!reached.files.contains_key(&RootPath::new("/usr/bin/tool")));
    assert_eq!(reached.notes, Vec::<String>::new());
}

#[test]
fn an_interpreter_that_is_not_there_is_noted_of_what_may_be_executed() {
    let script: &[u8] = b"#!/usr/local/bin/python\n";
    let items: &[(&str, &[u8])] = &[("/app/run", script), ("/usr/lib/python3.11/cgi.py", script)];
    let note = |path| reached(&image(tree(items), json!({})), vec![used(path)]).notes;
    assert_eq!(
        note("/app/run"),
        ["/app/run: its interpreter is not in the image (#!/usr/local/bin/python)"]
    );
    // A module is loaded.
    assert_eq!(note("/usr/lib/python3.11/cgi.py"), Vec::<String>::new());
}

#[test]
fn libraries_are_found_as_the_loader_finds_them() {
    let needs = |needed: &[&str]| write(&library(needed));
    let rpath = |elf: Elf, path: &str| Elf {
        rpath: Some(path.into()),
        ..elf
    };
    let runpath = |elf: Elf, path: &str| Elf {
        runpath: Some(path.into()),
        ..elf
    };
    let other_class = write(&Elf {
        is_64: false,
        machine: 3,
        ..library(&[])
    });
    let items: &[(&str, &[u8])] = &[
        // RPATH is inherited, RUNPATH is not.
        ("/r/app", &write(&rpath(library(&["libmid.so"]), "$ORIGIN/lib"))),
        ("/r/lib/libmid.so", &needs(&["libdeep.so"])),
        ("/r/lib/libdeep.so", &needs(&[])),
        ("/u/app", &write(&runpath(library(&["libmid2.so"]), "/u/lib"))),
        ("/u/lib/libmid2.so", &needs(&["libhidden.so"])),
        ("/u/lib/libhidden.so", &needs(&[])),
        // A wrong class is passed over; the configured directory comes before the default ones.
        ("/c/app", &needs(&["libconf.so"])),
        ("/etc/ld.so.conf", b"/wrong\n/conf\n"),
        ("/wrong/libconf.so", &other_class),
        ("/conf/libconf.so", &needs(&[])),
        ("/usr/lib/libconf.so", &needs(&[])),
        // Every CPU level's variant, and the one for all.
        ("/h/app", &needs(&["libfast.so"])),
        ("/usr/lib/glibc-hwcaps/x86-64-v3/libfast.so", &needs(&[])),
        ("/usr/lib/glibc-hwcaps/x86-64-v4/libfast.so", &needs(&[])),
        ("/usr/lib/libfast.so", &needs(&[])),
        // By LD_LIBRARY_PATH, by a path, and not where the default directories are refused.
        ("/l/app", &needs(&["libenv.so"])),
        ("/env/libenv.so", &needs(&[])),
        ("/p/app", &needs(&["$ORIGIN/sub/libpath.so"])),
        ("/p/sub/libpath.so", &needs(&[])),
        (
            "/n/app",
            &write(&Elf {
                no_default: true,
                ..library(&["libfast.so"])
            }),
        ),
        // Found through a link, $ORIGIN is where the link is.
        ("/o/app", &write(&runpath(library(&["libsym.so"]), "/o/lib"))),
        ("/o/lib/libsym.so", b"-> /o/real/libsym.so"),
        (
            "/o/real/libsym.so",
            &write(&runpath(library(&["libbeside.so"]), "${ORIGIN}/deps")),
        ),
        ("/o/lib/deps/libbeside.so", &needs(&[])),
    ];
    let image = image(tree(items), json!({ "Env": ["LD_LIBRARY_PATH=/env"] }));
    let libraries = |app: &str| -> (Vec<String>, Vec<String>) {
        let reached = reached(&image, vec![used(app)]);
        let files = reached
            .files
            .keys()
            .filter(|path| path.as_bytes() != app.as_bytes() && !image.rootfs.get(path).unwrap().is_dir());
        (files.map(ToString::to_string).collect(), reached.notes)
    };
    let only = |app: &str| {
        let (files, notes) = libraries(app);
        assert_eq!(notes, Vec::<String>::new(), "{app}");
        files
    };
    assert_eq!(only("/r/app"), ["/r/lib/libdeep.so", "/r/lib/libmid.so"]);
    let (files, notes) = libraries("/u/app");
    assert_eq!(files, ["/u/lib/libmid2.so"]);
    assert_eq!(
        notes,
        ["/u/lib/libmid2.so: its library libhidden.so is not in the image where a loader looks for it"]
    );
    assert_eq!(only("/c/app"), ["/conf/libconf.so"]);
    assert_eq!(
        only("/h/app"),
        [
            "/usr/lib/glibc-hwcaps/x86-64-v3/libfast.so",
            "/usr/lib/glibc-hwcaps/x86-64-v4/libfast.so",
            "/usr/lib/libfast.so"
        ]
    );
    assert_eq!(only("/l/app"), ["/env/libenv.so"]);
    assert_eq!(only("/p/app"), ["/p/sub/libpath.so"]);
    assert_eq!(libraries("/n/app").0, Vec::<String>::new());
    assert_eq!(
        only("/o/app"),
        [
            "/o/lib/deps/libbeside.so",
            "/o/lib/libsym.so",
            "/o/real/libsym.so"
        ]
    );
}

#[test]
fn a_library_that_is_loaded_by_name_is_not_missed() {
    let items: &[(&str, &[u8])] = &[
        (
            "/app",
            &write(&Elf {
                runpath: Some(b"/own".to_vec()),
                ..library(&["libmain.so.1"])
            }),
        ),
        ("/own/libmain.so.1", &write(&library(&[]))),
        ("/plugin.so", &write(&library(&["libmain.so.1"]))),
    ];
    let image = image(tree(items), json!({}));
    assert_eq!(
        reached(&image, vec![used("/app"), used("/plugin.so")]).notes,
        Vec::<String>::new()
    );
    assert_eq!(reached(&image, vec![used("/plugin.so")]).notes.len(), 1);
}

#[test]
fn the_config_names_roots() {
    let items: &[(&str, &[u8])] = &[
        (
            "/etc/passwd",
            b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
        ),
        ("/etc/group", b""),
        ("/etc/nsswitch.conf", b""),
        ("/home/app/private", b""),
        ("/root/", b""),
        ("/srv/app/check.js", b""),
        ("/srv/app/server.js", b""),
        ("/usr/bin/node", b""),
        ("/usr/bin/curl", b""),
        ("/usr/bin/other", b""),
        ("/usr/local/bin/entry", b""),
        ("/bin/bash", b""),
        ("/bin/sh", b""),
        ("/data/", b""),
        ("/tmp/left", b""),
    ];
    let names = |config| names(&at_level(&image(tree(items), config), vec![], Keep::Observed));
    let always = ["/etc", "/etc/group", "/etc/passwd", "/root", "/tmp"];
    assert_eq!(names(json!({})), always);
    let added = |config| -> Vec<String> {
        names(config)
            .into_iter()
            .filter(|p| !always.contains(&p.as_str()))
            .collect()
    };
    assert_eq!(
        added(json!({ "User": "app:app" })),
        ["/etc/nsswitch.conf", "/home", "/home/app"]
    );
    assert_eq!(
        added(json!({ "User": "4711", "Env": ["HOME=/data"] })),
        ["/data", "/etc/nsswitch.conf"]
    );
    assert_eq!(
        added(json!({ "WorkingDir": "/srv/app", "Volumes": { "/data": {}, "/made": {} } })),
        ["/data", "/srv", "/srv/app"]
    );
    assert_eq!(
        added(json!({ "Entrypoint": ["entry"], "Cmd": ["node", "server.js"] })),
        [
            "/usr",
            "/usr/bin",
            "/usr/bin/node",
            "/usr/local",
            "/usr/local/bin",
            "/usr/local/bin/entry"
        ]
    );
    assert_eq!(
        added(json!({ "WorkingDir": "/srv/app", "Healthcheck": { "Test": ["CMD", "node", "check.js"] } })),
        [
            "/srv",
            "/srv/app",
            "/srv/app/check.js",
            "/usr",
            "/usr/bin",
            "/usr/bin/node"
        ]
    );
    assert_eq!(
        added(json!({ "Healthcheck": { "Test": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"] } })),
        ["/bin", "/bin/sh", "/usr", "/usr/bin", "/usr/bin/curl"]
    );
    assert_eq!(
        added(json!({ "Shell": ["/bin/bash", "-c"], "Healthcheck": { "Test": ["CMD-SHELL", "true"] } })),
        ["/bin", "/bin/bash"]
    );
    assert_eq!(
        added(json!({ "Healthcheck": { "Test": ["NONE"] } })),
        Vec::<String>::new()
    );
}

#[test]
fn includes_are_files_directories_links_and_patterns() {
    let items: &[(&str, &[u8])] = &[
        ("/etc/ssl", b"-> /usr/share/ssl"),
        ("/usr/share/ssl/certs/a.pem", b""),
        ("/usr/share/ssl/certs/b.pem", b""),
        ("/usr/share/ssl/c.txt", b""),
        ("/gone", b"-> nowhere"),
        ("/weird[1].txt", b""),
    ];
    let image = image(tree(items), json!({}));
    let include = |path: &str| {
        let options = Options {
            include: vec![path.into()],
            ..Options::default()
        };
        close(
            &image,
            &packages::owners(&image.rootfs),
            &recording(run(vec![])),
            &options,
            &Cancel::default(),
        )
        .map(|reached| names(&reached).len())
    };
    assert_eq!(include("/etc/ssl"), Ok(9));
    assert_eq!(include("/usr/share/ssl/certs/*.pem"), Ok(6));
    assert_eq!(include("/usr/**/a.pem"), Ok(5));
    assert_eq!(include("/etc/ssl/certs/a.*"), Ok(7));
    assert_eq!(include("/gone"), Ok(1));
    assert_eq!(include("/weird[1].txt"), Ok(1));
    let message = |path: &str| include(path).unwrap_err().to_string();
    insta::assert_snapshot!(message("etc"), @"--include etc: paths in the image are absolute; write /etc");
    insta::assert_snapshot!(message("/etc/nothing"), @"--include /etc/nothing: not in the image");
    insta::assert_snapshot!(message("/etc/ssl/nothing"), @"--include /etc/ssl/nothing: not in the image (it leads to /usr/share/ssl/nothing, which is not there)");
    insta::assert_snapshot!(message("/etc/[z-a]"), @r"--include /etc/[z-a]: invalid range; 'z' > 'a'; write \ before a character that is meant as it is");
}

#[test]
fn executed_programs_are_kept_by_any_name() {
    let items: &[(&str, &[u8])] = &[
        ("/bin", b"-> usr/bin"),
        ("/usr/bin/run", b"#!/bin/sh\n"),
        ("/usr/bin/sh", b""),
        ("/usr/bin/other", b""),
    ];
    let mut executed = run(vec![]);
    executed.programs = vec![Program {
        path: "/bin/run".into(),
        interpreter: Some("/usr/bin/sh".into()),
        privilege_gain: false,
        phase: Phase::StartUp,
        count: 1,
    }];
    let image = image(tree(items), json!({}));
    let reached = close(
        &image,
        &packages::owners(&image.rootfs),
        &recording(executed),
        &Options::default(),
        &Cancel::default(),
    )
    .unwrap();
    assert_eq!(
        names(&reached),
        ["/bin", "/usr", "/usr/bin", "/usr/bin/run", "/usr/bin/sh"]
    );
}

#[test]
fn something_ran_only_if_a_program_used_files() {
    let program = Program {
        path: "/app".into(),
        interpreter: None,
        privilege_gain: false,
        phase: Phase::StartUp,
        count: 1,
    };
    let with = |files, programs| {
        let mut run = run(files);
        run.programs = programs;
        observed_anything(&recording(run))
    };
    assert!(with(vec![used("/app")], vec![program.clone()]));
    assert!(!with(vec![used("/app")], vec![]));
    assert!(!with(vec![absent("/x")], vec![program.clone()]));
    assert!(!with(
        vec![FileUse {
            actor: Actor::Runtime,
            ..used("/x")
        }],
        vec![program]
    ));
}

/// Sources that name what may be in [`any_tree`], each for the language whose file it happens to be.
const SOURCES: [&str; 9] = [
    "import x, sub.y\ndef f():\n    open('/lib/x')\n",
    "require('./y'); import('../x.js'); require('/a/b')",
    "require_relative 'x'\nautoload :Y, 'y'\nsystem('x')\n",
    "package y;\nuse x; require y; my $c = \"sub::$x\"; do '/a/x.pl';\n",
    "require('x'); dofile('/a/y.lua')",
    "package require x; source y.tcl; source /lib/x.tcl",
    "#!/a/x\n. /lib/env\nexec y /usr/lib/sub\n",
    "/a/b\n/lib/*\n",
    "plain",
];

/// Trees with everything that an edge can start from, ends in the wrong places included.
fn any_tree() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    const DIRECTORIES: [&str; 6] = [
        "/",
        "/a/",
        "/a/b/",
        "/lib/",
        "/usr/lib/",
        "/usr/lib/glibc-hwcaps/x86-64-v3/",
    ];
    const NAMES: [&str; 12] = [
        "x", "y", "libx.so", "liby.so", "sub", "env", "x.py", "y.js", "x.rb", "y.pm", "x.lua", "y.tcl",
    ];
    let path = (
        prop::sample::select(&DIRECTORIES[..]),
        prop::sample::select(&NAMES[..]),
    )
        .prop_map(|(d, n)| format!("{d}{n}"));
    let path_of = path.clone();
    let names = prop::collection::vec(
        prop::sample::select(&["libx.so", "liby.so", "libz.so", "/a/x"][..]),
        0..3,
    );
    let content = prop_oneof![
        path.clone()
            .prop_map(|target| format!("-> {target}").into_bytes()),
        prop::sample::select(&["x", "../y", "../../lib", ".", "sub/x"][..])
            .prop_map(|target| format!("-> {target}").into_bytes()),
        path.clone()
            .prop_map(|interpreter| format!("#!{interpreter} -x\n").into_bytes()),
        Just(b"#!/lib/env -S x\n".to_vec()),
        (
            names,
            prop::option::of(path.clone()),
            prop::option::of(prop::sample::select(&["/a", "$ORIGIN", "$ORIGIN/../a:/a/b"][..]))
        )
            .prop_map(|(needed, interpreter, path)| {
                write(&Elf {
                    interpreter: interpreter.map(String::into_bytes),
                    rpath: path.map(|path| path.as_bytes().to_vec()),
                    ..library(&needed)
                })
            }),
        prop::sample::select(&SOURCES[..]).prop_map(|source| source.as_bytes().to_vec()),
        path.prop_map(|named| write_with(&library(&[]), format!("\0{named}\0dlopen\0liby.so\0").as_bytes())),
    ];
    prop::collection::vec((path_of, content), 1..14).prop_map(|mut items| {
        items.sort();
        items.dedup_by(|a, b| a.0 == b.0);
        // Nothing stands below what is no directory.
        let all = items.clone();
        items.retain(|(path, _)| {
            !all.iter()
                .any(|(other, _)| path.starts_with(&format!("{other}/")))
        });
        items
    })
}

fn build(items: &[(String, Vec<u8>)]) -> Image {
    let items: Vec<(&str, &[u8])> = items.iter().map(|(p, c)| (p.as_str(), c.as_slice())).collect();
    image(
        tree(&items),
        json!({ "Env": ["PATH=/a:/a/b:/lib"], "WorkingDir": "/a/sub", "Cmd": ["x", "/a/b/y"] }),
    )
}

fn any_uses() -> impl Strategy<Value = Vec<FileUse>> {
    let path = prop::sample::select(
        &[
            "/a/x",
            "/a/b/y",
            "/lib/libx.so",
            "/usr/lib/liby.so",
            "/x",
            "/sub",
            "/a/sub/none",
            "/a/../lib/x",
            "/a",
        ][..],
    );
    let file = (
        path,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::option::of(Just("/a/b")),
        prop::sample::select(&[Access::Stat, Access::List][..]),
    )
        .prop_map(|(path, is_resolved, on_root, no_follow, base, access)| FileUse {
            access: BTreeSet::from([access]),
            is_resolved,
            on_root,
            no_follow,
            base: base.map(RootPath::from),
            ..asked(path)
        });
    prop::collection::vec(file, 0..5)
}

proptest! {
    #[test]
    fn only_what_is_in_the_image_is_kept_and_with_all_it_needs(items in any_tree(), files in any_uses()) {
        let image = build(&items);
        let rootfs = &image.rootfs;
        let reached = reached(&image, files);
        let is_kept = |path: &RootPath| reached.files.contains_key(path);
        for (path, kept) in &reached.files {
            prop_assert!(!kept.causes.is_empty() && kept.causes.len() <= 8);
            let entry = rootfs.get(path).expect("kept paths are in the image");
            if let Some(parent) = path.parent() {
                prop_assert!(is_kept(&parent), "{path}: no directory");
            }
            if let Kind::Symlink { .. } = entry.kind {
                let resolved = rootfs.resolve(path, LastLink::Follow);
                prop_assert!(resolved.outcome != Outcome::Found || is_kept(&resolved.path), "{path}: no target");
                prop_assert!(resolved.links.iter().all(is_kept), "{path}: no link");
            }
            for cause in &kept.causes {
                if let Cause::Edge { from, .. } = cause {
                    prop_assert!(is_kept(from) && from != path, "{path}: from {from}");
                }
            }
            let Kind::File { .. } = entry.kind else { continue };
            let bytes = rootfs.read(path, 1 << 20).unwrap();
            if let Some(line) = bytes.strip_prefix(b"#!") {
                let interpreter = line.split(u8::is_ascii_whitespace).next().unwrap();
                let resolved = rootfs.resolve_from(&RootPath::root(), interpreter, LastLink::Follow);
                prop_assert!(resolved.outcome != Outcome::Found || is_kept(&resolved.path), "{path}: no interpreter");
            }
            if let Some(elf) = elf_parse::parse(&elf_parse::slice(&bytes)).unwrap() {
                for name in elf.needed.iter().filter(|name| !name.contains(&b'/')) {
                    let default = [&b"/lib/"[..], b"/usr/lib/"].map(|d| rootfs.resolve(&RootPath::new([d, name].concat()), LastLink::Follow));
                    let fits = |path: &RootPath| rootfs.read(path, 4).is_ok_and(|b| b == b"\x7fELF");
                    if default.iter().any(|r| r.outcome == Outcome::Found && fits(&r.path)) {
                        let named = |path: &RootPath| {
                            rootfs.iter().any(|(link, _)| link.name() == Some(name) && is_kept(link) && rootfs.resolve(link, LastLink::Follow).path == *path)
                        };
                        prop_assert!(reached.files.keys().any(|path| fits(path) && named(path)), "{path}: no {}", String::from_utf8_lossy(name));
                    }
                }
            }
        }
    }

    #[test]
    fn closing_twice_changes_nothing(items in any_tree(), files in any_uses()) {
        let image = build(&items);
        let once = reached(&image, files);
        let again = once.files.keys().map(|path| FileUse { path: path.clone(), ..used("/") }).collect();
        let twice = reached(&image, again);
        prop_assert_eq!(names(&once), names(&twice));
    }

    #[test]
    fn more_observations_never_keep_less(items in any_tree(), few in any_uses(), more in any_uses()) {
        let image = build(&items);
        let before = reached(&image, few.clone());
        let after = reached(&image, [few, more].concat());
        for path in before.files.keys() {
            prop_assert!(after.files.contains_key(path), "{path} was lost");
        }
    }

    #[test]
    fn each_level_keeps_what_the_one_before_does(items in any_tree(), files in any_uses()) {
        let mut items = items;
        items.push(("/lib/apk/db/installed".into(), b"P:p\nF:a\nR:x\nR:y\nF:lib\nR:libx.so\n".to_vec()));
        items.retain(|(path, _)| !matches!(path.as_str(), "/lib" | "/lib/apk"));
        let image = build(&items);
        let levels = [Keep::Observed, Keep::Closure, Keep::Package];
        let levels = levels.map(|keep| at_level(&image, files.clone(), keep));
        for (less, more) in levels.iter().zip(&levels[1..]) {
            for path in less.files.keys() {
                prop_assert!(more.files.contains_key(path), "{path} was lost");
            }
        }
    }

    #[test]
    fn the_bare_minimum_has_no_other_reasons(items in any_tree(), files in any_uses()) {
        use EdgeKind::{Directory, Interpreter, Library, Link, Loader, Target, User};
        let reached = at_level(&build(&items), files, Keep::Observed);
        for (path, kept) in &reached.files {
            for cause in &kept.causes {
                let minimal = match cause {
                    Cause::Edge { edge, .. } => {
                        matches!(edge, Directory | Interpreter | Library | Link | Loader | Target | User)
                    }
                    Cause::Observed { .. } | Cause::Config { .. } | Cause::Always { .. } => true,
                    Cause::Option { .. } => false,
                };
                prop_assert!(minimal, "{path}: {cause:?}");
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_result(items in any_tree(), files in any_uses()) {
        let image = build(&items);
        let plan = |reached: Reached| (serde_json::to_string(&reached.files).unwrap(), reached.notes);
        prop_assert_eq!(plan(reached(&image, files.clone())), plan(reached(&image, files)));
    }
}

#[test]
fn edges_have_their_kinds() {
    let items: &[(&str, &[u8])] = &[("/a", b"-> b/c"), ("/b/c", b"")];
    let reached = reached(
        &image(tree(items), json!({})),
        vec![FileUse {
            no_follow: true,
            ..asked("/a")
        }],
    );
    let edge = |path: &str| match &reached.files[&RootPath::new(path)].causes[0] {
        Cause::Edge { edge, from, .. } => (*edge, from.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(edge("/b/c"), (EdgeKind::Target, "/a".into()));
    assert_eq!(edge("/b"), (EdgeKind::Directory, "/b/c".into()));
}

#[test]
fn a_named_script_of_the_applications_brings_its_shell() {
    let items: &[(&str, &[u8])] = &[
        ("/etc/server/server.conf", b"helper /usr/local/libexec/group.sh\n"),
        ("/etc/server/owned.conf", b"helper /usr/lib/server/group.sh\n"),
        ("/usr/local/libexec/group.sh", b"#!/bin/sh\n"),
        ("/usr/lib/server/group.sh", b"#!/bin/sh\n"),
        ("/app/build.sh", b"#!/bin/sh\n"),
        ("/app/run", b"elf"),
        ("/usr/bin/sh", b"elf"),
        ("/bin", b"-> usr/bin"),
        (
            "/lib/apk/db/installed",
            b"P:server\nF:usr/lib/server\nR:group.sh\n",
        ),
    ];
    let shell = |path| kept(items, vec![used(path)]).contains(&"/usr/bin/sh".to_owned());
    assert!(shell("/etc/server/server.conf"));
    assert!(!shell("/etc/server/owned.conf"));
    let image = image(tree(items), json!({ "WorkingDir": "/app" }));
    let kept = names(&reached(&image, vec![used("/app/run")]));
    assert!(kept.contains(&"/app/build.sh".to_owned()) && !kept.contains(&"/usr/bin/sh".to_owned()));
}
