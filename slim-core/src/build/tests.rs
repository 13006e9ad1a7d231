use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::image::{Archive, Config, Entry, Kind, Rootfs, Store, config_from};
use crate::path::RawPath;
use crate::plan::{Cause, Kept, Totals};

/// Every file's content is its inode number and then zeros.
struct Numbered;

fn content(entry: &Entry) -> Vec<u8> {
    let mut bytes = entry.inode.to_string().into_bytes();
    bytes.resize(usize::try_from(entry.size()).unwrap(), 0);
    bytes
}

impl Store for Numbered {
    fn open(&self, path: &RootPath, entry: &Entry) -> io::Result<Box<dyn Read + Send>> {
        if path.name() == Some(b"unreadable") {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut bytes = content(entry);
        if path.name() == Some(b"shrunk") {
            bytes.pop();
        }
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

fn entry(kind: Kind, inode: u64) -> Entry {
    Entry {
        kind,
        uid: 0,
        gid: 0,
        mode: 0o644,
        mtime: 1_700_000_000,
        xattrs: BTreeMap::new(),
        inode,
        layer: 0,
    }
}

fn file(size: u64, inode: u64) -> Entry {
    entry(Kind::File { size }, inode)
}

fn image(entries: BTreeMap<RootPath, Entry>, config: serde_json::Value) -> Image {
    let bytes = config.to_string();
    Image {
        id: Digest::of(bytes.as_bytes()),
        reference: "sample:1".into(),
        config: config_from(bytes.as_bytes()).unwrap(),
        rootfs: Rootfs::new(entries, Arc::new(Numbered)),
    }
}

fn plan<'a>(image: &Image, paths: impl IntoIterator<Item = &'a RootPath>) -> Plan {
    let kept = Kept {
        causes: vec![Cause::Always { why: "test".into() }],
    };
    Plan {
        version: crate::plan::VERSION,
        image: image.id.clone(),
        reference: image.reference.clone(),
        runs: vec![Digest::of(b"run")],
        rounds: Default::default(),
        left_out: Vec::new(),
        removed: Vec::new(),
        kept_by: Vec::new(),
        files: paths
            .into_iter()
            .map(|path| (path.clone(), kept.clone()))
            .collect(),
        machine: None,
        syscalls: Vec::new(),
        capabilities: Vec::new(),
        refused_capabilities: Vec::new(),
        privilege_gain: Vec::new(),
        told: Vec::new(),
        privileged: Vec::new(),
        notes: Vec::new(),
        before: Totals::default(),
        after: Totals::default(),
    }
}

fn tree(items: impl IntoIterator<Item = (&'static str, Entry)>) -> BTreeMap<RootPath, Entry> {
    items
        .into_iter()
        .map(|(path, entry)| (RootPath::new(path), entry))
        .collect()
}

fn build_in(directory: &Path, image: &Image, options: &Options) -> Result<Built, BuildError> {
    let paths: Vec<RootPath> = image.rootfs.iter().map(|(path, _)| path.clone()).collect();
    build_plan(directory, image, &plan(image, &paths), options)
}

fn build_plan(directory: &Path, image: &Image, plan: &Plan, options: &Options) -> Result<Built, BuildError> {
    let path = directory.join(LAYER);
    let mut file = File::create(&path).unwrap();
    build(image, plan, options, &mut file, &path, &|_, _| {
        ControlFlow::Continue(())
    })
}

fn build_all(image: &Image, options: &Options) -> (tempfile::TempDir, Built) {
    let directory = tempfile::tempdir().unwrap();
    let built = build_in(directory.path(), image, options).unwrap();
    (directory, built)
}

fn small_config() -> serde_json::Value {
    json!({
        "architecture": "amd64",
        "created": "2024-05-06T07:08:09.123Z",
        "config": {"Cmd": ["/app"]},
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []},
    })
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no separator", |b| *b != 0 && *b != b'/');
    let name = prop_oneof![
        8 => prop::sample::select(vec![b"a".to_vec(), b"b".to_vec(), b"a-".to_vec(), b"usr".to_vec()]),
        2 => prop::collection::vec(byte.clone(), 1..20),
        1 => prop::collection::vec(byte, 90..255),
    ];
    name.prop_filter("a name", |name| {
        name != b"." && name != b".." && !name.starts_with(b".wh.")
    })
}

fn entries() -> impl Strategy<Value = BTreeMap<RootPath, Entry>> {
    let kind = prop_oneof![
        4 => (0_u64..2000).prop_map(|size| Kind::File { size }),
        2 => Just(Kind::Directory),
        2 => prop::collection::vec(1_u8.., 1..300).prop_map(|target| Kind::Symlink { target: RawPath(target) }),
        1 => (0_u32..4096, 0_u32..1 << 20).prop_map(|(major, minor)| Kind::CharDevice { major, minor }),
        1 => (0_u32..4096, 0_u32..1 << 20).prop_map(|(major, minor)| Kind::BlockDevice { major, minor }),
        1 => Just(Kind::Fifo),
    ];
    let xattrs = prop::collection::btree_map(
        prop::sample::select(vec![b"security.capability".to_vec(), b"user.x\n".to_vec()]),
        prop::collection::vec(any::<u8>(), 1..40),
        0..2,
    );
    let one = (
        prop::collection::vec(names(), 1..6),
        kind,
        (any::<u32>(), any::<u32>(), 0_u32..0o10000, any::<i32>()),
        xattrs,
        0_u64..6,
    );
    prop::collection::vec(one, 0..30).prop_map(|items| {
        let mut out: BTreeMap<RootPath, Entry> = BTreeMap::new();
        let mut inodes: BTreeMap<u64, Entry> = BTreeMap::new();
        for (number, (names, kind, (uid, gid, mode, mtime), xattrs, group)) in items.into_iter().enumerate() {
            let path = names.iter().fold(RootPath::root(), |path, name| path.join(name));
            // Nothing may stand below what is no directory.
            let blocked = path
                .ancestors()
                .any(|above| out.get(&above).is_some_and(|entry| !entry.is_dir()))
                || out
                    .keys()
                    .any(|other| other.starts_with(&path) && kind != Kind::Directory);
            if blocked {
                continue;
            }
            let mut new = Entry {
                kind,
                uid,
                gid,
                mode,
                mtime: mtime.into(),
                xattrs,
                inode: 100 + number as u64,
                layer: 0,
            };
            // Files of a group are hard links to one.
            if new.is_file() && group > 0 {
                new.inode = group;
                new = inodes.entry(group).or_insert(new).clone();
            }
            out.insert(path, new);
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_built_reads_back_as_it_was(entries in entries()) {
        let image = image(entries, small_config());
        let options = Options { tags: vec!["product".into()], ..Options::default() };
        let (directory, built) = build_all(&image, &options);
        let read = Archive::read(built.archive().unwrap()).unwrap();
        prop_assert_eq!(&read.id, &built.id);
        prop_assert_eq!(read.tags, ["product:latest"]);
        prop_assert_eq!(read.rootfs.len(), image.rootfs.len());
        let mut links: BTreeMap<u64, u64> = BTreeMap::new();
        for ((path, old), (read_path, new)) in image.rootfs.iter().zip(read.rootfs.iter()) {
            prop_assert_eq!(path, read_path);
            prop_assert_eq!(&old.kind, &new.kind);
            prop_assert_eq!((old.uid, old.gid, old.mode), (new.uid, new.gid, new.mode));
            prop_assert_eq!(&old.xattrs, &new.xattrs);
            prop_assert!(path.is_root() || old.mtime == new.mtime);
            if old.is_file() {
                prop_assert_eq!(*links.entry(old.inode).or_insert(new.inode), new.inode);
                prop_assert_eq!(read.rootfs.read(path, u64::MAX).unwrap(), content(old));
            }
        }
        // The same input gives the same bytes.
        let again = build_in(directory.path(), &image, &options).unwrap();
        prop_assert_eq!(again.id, built.id);
        prop_assert_eq!(again.layer, built.layer);
    }
}

#[test]
fn the_system_s_tar_reads_the_layer_as_well() {
    let long = Box::leak(format!("/{}/{}", "d".repeat(120), "f".repeat(180)).into_boxed_str());
    let mut big_owner = file(3, 1);
    big_owner.uid = 4_000_000_000;
    let image = image(
        tree([
            (&*long, big_owner.clone()),
            ("/hard", big_owner),
            (
                "/link",
                entry(
                    Kind::Symlink {
                        target: RawPath(b"x".repeat(150)),
                    },
                    9,
                ),
            ),
        ]),
        small_config(),
    );
    let (_directory, built) = build_all(&image, &Options::default());
    let output = std::process::Command::new("tar")
        .args(["--numeric-owner", "--full-time", "--utc", "-tvf"])
        .arg(&built.layer_file)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let listing = String::from_utf8(output.stdout)
        .unwrap()
        .replace(&"d".repeat(120), "d…")
        .replace(&"f".repeat(180), "f…")
        .replace(&"x".repeat(150), "x…");
    insta::assert_snapshot!(listing, @r"
    drwxr-xr-x 0/0               0 1970-01-01 00:00:00 d…/
    -rw-r--r-- 4000000000/0      3 2023-11-14 22:13:20 d…/f…
    hrw-r--r-- 4000000000/0      0 2023-11-14 22:13:20 hard link to d…/f…
    lrw-r--r-- 0/0               0 2023-11-14 22:13:20 link -> x…
    ");
}

#[test]
fn holes_take_no_space_on_the_disk() {
    let size = 64 << 20;
    let image = image(
        tree([("/sparse", file(size, 1)), ("/z", file(5, 2))]),
        small_config(),
    );
    let (_directory, built) = build_all(&image, &Options::default());
    let on_disk = std::fs::metadata(&built.layer_file).unwrap().blocks() * 512;
    assert!(
        built.layer.size > size && on_disk < 2 << 20,
        "{on_disk} bytes on the disk"
    );
    let mut file = File::open(&built.layer_file).unwrap();
    file.rewind().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(Digest::of(&bytes), built.layer.diff_id);
}

#[test]
fn only_what_is_kept_and_its_directories_are_written() {
    let mut tmp = entry(Kind::Directory, 1);
    tmp.mode = 0o1777;
    let image = image(
        tree([
            ("/tmp", tmp),
            ("/a/b/kept", file(1, 2)),
            ("/a/b/gone", file(1, 3)),
            ("/a/link-to-gone", file(1, 3)),
            ("/a/link-to-gone-2", file(1, 3)),
        ]),
        small_config(),
    );
    let directory = tempfile::tempdir().unwrap();
    let kept = [
        "/tmp".into(),
        "/a/b/kept".into(),
        "/a/link-to-gone".into(),
        "/a/link-to-gone-2".into(),
    ];
    let built = build_plan(
        directory.path(),
        &image,
        &plan(&image, &kept),
        &Options::default(),
    )
    .unwrap();
    let read = Archive::read(built.archive().unwrap()).unwrap();
    let names: Vec<_> = read.rootfs.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(
        names,
        [
            "/",
            "/a",
            "/a/b",
            "/a/b/kept",
            "/a/link-to-gone",
            "/a/link-to-gone-2",
            "/tmp"
        ]
    );
    let get = |path: &str| read.rootfs.get(&path.into()).unwrap();
    assert_eq!(get("/tmp").mode, 0o1777);
    assert_eq!(get("/a/link-to-gone").inode, get("/a/link-to-gone-2").inode);
}

#[test]
fn source_date_epoch_bounds_every_time() {
    let mut old = file(0, 1);
    old.mtime = 5;
    let image = image(tree([("/old", old), ("/new", file(0, 2))]), small_config());
    let options = Options {
        source_date_epoch: Some(1_000_000_000),
        ..Options::default()
    };
    let (_directory, built) = build_all(&image, &options);
    let read = Archive::read(built.archive().unwrap()).unwrap();
    assert_eq!(read.rootfs.get(&"/old".into()).unwrap().mtime, 5);
    assert_eq!(read.rootfs.get(&"/new".into()).unwrap().mtime, 1_000_000_000);
    assert_eq!(read.config.0["created"], "2001-09-09T01:46:40Z");
}

#[test]
fn what_cannot_be_built_is_named() {
    let cases = [
        ("/d/unreadable", "/d/unreadable: cannot be read"),
        ("/d/shrunk", "/d/shrunk: changed"),
        ("/d/.wh.x", "is a whiteout"),
    ];
    for (path, expected) in cases {
        let image = image(tree([(path, file(4, 1))]), small_config());
        let directory = tempfile::tempdir().unwrap();
        let error = build_in(directory.path(), &image, &Options::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let image = image(tree([]), small_config());
    let directory = tempfile::tempdir().unwrap();
    let missing = plan(&image, [&"/none".into()]);
    let error = build_plan(directory.path(), &image, &missing, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("/none is to be kept"), "{error}");
}

#[test]
fn an_archive_of_a_changed_layer_is_refused() {
    let (_directory, built) = build_all(
        &image(tree([("/x", file(1, 1))]), small_config()),
        &Options::default(),
    );
    let mut file = File::options().append(true).open(&built.layer_file).unwrap();
    file.write_all(b"more").unwrap();
    assert!(built.archive().is_err());
}

fn full_config() -> serde_json::Value {
    json!({
        "architecture": "amd64",
        "author": "someone",
        "container": "0123",
        "container_config": {"Cmd": ["x"]},
        "created": "2024-05-06T07:08:09.123Z",
        "x-unknown": {"z": 1, "a": [true]},
        "config": {
            "User": "1000:1000",
            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
            "Env": ["PATH=/usr/bin:/bin", "EMPTY=", "QUOTED=a \"b\" 'c' $D \\ e", "LINES=one\nRUN evil", "bare"],
            "Entrypoint": ["/entry point", "-c", "a\nb"],
            "Cmd": ["serve"],
            "Volumes": {"/data": {}, "/with $space": {}},
            "WorkingDir": "/srv/my app",
            "Image": "sha256:old",
            "Labels": {"z": "1", "a b": "x=\"$y\""},
            "Healthcheck": {
                "Test": ["CMD-SHELL", "curl -f localhost || exit 1"],
                "Interval": 90_000_000_000_u64, "Timeout": 1_500_000_000, "Retries": 3,
            },
            "Shell": ["/bin/bash", "-c"],
            "StopSignal": "SIGQUIT",
            "OnBuild": ["RUN echo x", "RUN a\nRUN evil"],
            "StopTimeout": 7,
        },
        "os": "linux",
        "history": [{"created_by": "old"}],
        "rootfs": {"type": "layers", "diff_ids": []},
    })
}

#[test]
fn the_dockerfile_quotes_everything() {
    let (_directory, built) = build_all(&image(tree([]), full_config()), &Options::default());
    let text = built
        .dockerfile
        .replace(built_from().id.as_str(), "sha256:BASE")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(text, @r#"
    FROM scratch
    ADD files.tar /
    ENV PATH=/usr/bin:/bin
    ENV EMPTY=""
    ENV QUOTED="a \"b\" 'c' \$D \\ e"
    # Not here, because a Dockerfile cannot say it: ENV LINES: it holds a line break
    # Not here, because a Dockerfile cannot say it: ENV bare: it has no value
    LABEL "a b"="x=\"\$y\""
    LABEL io.github.slim.recording=sha256:acba25512100f80b56fc3ccd14c65be55d94800cda77585c5f41a887e398f9be
    LABEL io.github.slim.version=VERSION
    LABEL org.opencontainers.image.base.digest=sha256:BASE
    LABEL org.opencontainers.image.base.name=sample:1
    LABEL z=1
    EXPOSE 53/udp
    EXPOSE 8080/tcp
    VOLUME ["/data"]
    VOLUME ["/with \\$space"]
    USER 1000:1000
    WORKDIR "/srv/my app"
    SHELL ["/bin/bash","-c"]
    HEALTHCHECK --interval=90s --timeout=1500ms --retries=3 CMD curl -f localhost || exit 1
    STOPSIGNAL SIGQUIT
    ENTRYPOINT ["/entry point","-c","a\nb"]
    CMD ["serve"]
    ONBUILD RUN echo x
    # Not here, because a Dockerfile cannot say it: ONBUILD RUN a\nRUN evil: it is more than a line
    "#);
}

fn built_from() -> Image {
    image(tree([]), full_config())
}

#[test]
fn the_config_keeps_what_it_had() {
    let (_directory, built) = build_all(&built_from(), &Options::default());
    let mut config: serde_json::Value = serde_json::from_slice(&built.config).unwrap();
    let history = config["history"].take();
    let steps: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["created_by"].as_str().unwrap())
        .collect();
    let lines: Vec<_> = built
        .dockerfile
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(steps, lines);
    assert_eq!(
        history[0],
        json!({"created": "2024-05-06T07:08:09.123Z", "created_by": "ADD files.tar /"})
    );
    assert_eq!(history[1]["empty_layer"], true);

    let mut expected = full_config();
    for gone in ["container", "container_config"] {
        expected.as_object_mut().unwrap().remove(gone);
    }
    expected["history"] = json!(null);
    expected["rootfs"]["diff_ids"] = json!([built.layer.diff_id]);
    let section = expected["config"].as_object_mut().unwrap();
    section.remove("Image");
    let labels = section["Labels"].as_object_mut().unwrap();
    labels.insert("io.github.slim.recording".into(), json!(Digest::of(b"run")));
    labels.insert("io.github.slim.version".into(), env!("CARGO_PKG_VERSION").into());
    labels.insert(
        "org.opencontainers.image.base.digest".into(),
        json!(built_from().id),
    );
    labels.insert("org.opencontainers.image.base.name".into(), "sample:1".into());
    assert_eq!(config, expected);
}

#[test]
fn changes_are_made_before_the_dockerfile_is_written() {
    let options = Options {
        changes: vec![
            "CMD [\"other\"]".into(),
            "LABEL io.github.slim.version=mine".into(),
        ],
        ..Options::default()
    };
    let (_directory, built) = build_all(&image(tree([]), small_config()), &options);
    assert!(
        built.dockerfile.contains("CMD [\"other\"]\n"),
        "{}",
        built.dockerfile
    );
    let config: Config = config_from(&built.config).unwrap();
    assert_eq!(config.cmd(), ["other"]);
    assert_eq!(config.0["config"]["Labels"]["io.github.slim.version"], "mine");
}

#[test]
fn totals_count_a_hard_link_once() {
    let image = image(
        tree([
            ("/a", file(10, 1)),
            ("/b", file(10, 1)),
            ("/c", file(5, 2)),
            ("/d", entry(Kind::Fifo, 3)),
        ]),
        small_config(),
    );
    let packages = crate::image::packages::owners(&image.rootfs);
    let all = totals(
        &image.rootfs,
        &packages,
        image.rootfs.iter().map(|(path, _)| path),
    );
    assert_eq!(
        all,
        Totals {
            bytes: 15,
            files: 4,
            packages: 0
        }
    );
}
