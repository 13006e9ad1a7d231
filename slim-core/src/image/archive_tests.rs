use std::io::Write as _;

use super::super::ArchiveFile;
use super::*;

/// A tar of `(name, type, link or content, PAX records)`.
fn layer_tar(members: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, data) in members {
        builder.get_mut().extend(raw(name.as_bytes(), *kind, data));
    }
    builder.into_inner().unwrap()
}

fn raw(name: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o640);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(9);
    header.set_size(0);
    let is_link = matches!(kind, b'1' | b'2');
    if is_link {
        header.as_old_mut().linkname[..data.len()].copy_from_slice(data);
    } else {
        header.set_size(data.len() as u64);
    }
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    if !is_link {
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    raw(name.as_bytes(), b'0', data)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A `docker save` archive of plain layers, stored as `pack` makes them.
fn archive(layers: &[Vec<u8>], pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let config = serde_json::json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}});
    let names: Vec<_> = (0..layers.len()).map(|n| format!("{n}/layer.tar")).collect();
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": ["a:b"], "Layers": names}]);
    let mut out = file("config.json", config.to_string().as_bytes());
    for (name, layer) in names.iter().zip(layers) {
        out.extend(file(name, &pack(layer)));
    }
    out.extend(file("manifest.json", manifest.to_string().as_bytes()));
    out.extend([0; 1024]);
    out
}

fn read(layers: &[Vec<u8>]) -> Result<Rootfs, ImageError> {
    Ok(Archive::read(archive(layers, <[u8]>::to_vec).as_slice())?.rootfs)
}

fn names(rootfs: &Rootfs) -> Vec<String> {
    rootfs
        .iter()
        .map(|(path, entry)| format!("{path}@{}", entry.layer))
        .collect()
}

fn error(layers: &[Vec<u8>]) -> String {
    read(layers).unwrap_err().to_string()
}

#[test]
fn layers_are_found_whatever_packs_them() {
    let low = layer_tar(&[("a", b'0', b"low"), ("b", b'0', b"B")]);
    let high = layer_tar(&[("a", b'0', b"high")]);
    let plain = archive(&[low.clone(), high.clone()], <[u8]>::to_vec);
    let zipped = archive(&[low.clone(), high.clone()], gzip);
    let zstd = archive(&[low, high], |bytes| zstd::encode_all(bytes, 1).unwrap());
    let outer = gzip(&plain);
    for bytes in [plain, zipped, zstd, outer] {
        let image = Archive::read(bytes.as_slice()).unwrap();
        assert_eq!(image.tags, ["a:b"]);
        assert_eq!(names(&image.rootfs), ["/@0", "/a@1", "/b@0"]);
        assert_eq!(image.rootfs.read(&"/a".into(), 99).unwrap(), b"high");
        assert_eq!(image.rootfs.read(&"/b".into(), 99).unwrap(), b"B");
        let entry = image.rootfs.get(&"/b".into()).unwrap();
        assert_eq!((entry.mode, entry.uid, entry.gid, entry.mtime), (0o640, 7, 8, 9));
    }
}

#[test]
fn whiteouts_hide_what_is_below_and_not_what_is_beside() {
    let low = layer_tar(&[
        ("a/", b'5', b""),
        ("a/x", b'0', b""),
        ("b/y", b'0', b""),
        ("c", b'0', b""),
    ]);
    let high = layer_tar(&[
        ("a/new", b'0', b""),
        ("a/.wh..wh..opq", b'0', b""),
        (".wh.c", b'0', b""),
        ("b/.wh.y", b'0', b""),
        (".wh..wh.plnk", b'0', b""),
    ]);
    assert_eq!(
        names(&read(&[low, high]).unwrap()),
        ["/@0", "/a@0", "/a/new@1", "/b@0"]
    );
    for bad in [".wh.", ".wh...", "a/.wh.."] {
        assert!(
            error(&[layer_tar(&[(bad, b'0', b"")])]).contains("a whiteout of nothing"),
            "{bad}"
        );
    }
}

#[test]
fn no_name_leaves_the_root() {
    let layer = layer_tar(&[
        ("../../etc/passwd", b'0', b"1"),
        ("/abs", b'0', b"2"),
        ("up", b'2', b"../../../.."),
        ("up/through", b'0', b"3"),
        ("away", b'2', b"/dir"),
        ("away/file", b'0', b"4"),
    ]);
    let rootfs = read(&[layer]).unwrap();
    assert_eq!(
        names(&rootfs),
        [
            "/@0",
            "/abs@0",
            "/away@0",
            "/dir@0",
            "/dir/file@0",
            "/etc@0",
            "/etc/passwd@0",
            "/through@0",
            "/up@0"
        ]
    );
    assert_eq!(rootfs.read(&"/dir/file".into(), 9).unwrap(), b"4");
}

#[test]
fn hostile_structure_is_refused() {
    type Members<'a> = &'a [(&'a str, u8, &'a [u8])];
    let cases: [(Members<'_>, &str); 6] = [
        (
            &[("l", b'2', b"l"), ("l/x", b'0', b"")],
            "too many symbolic links",
        ),
        (&[("f", b'0', b""), ("f/x", b'0', b"")], "not a directory"),
        (&[("h", b'1', b"missing")], "not before it"),
        (&[("d/", b'5', b""), ("h", b'1', b"d")], "to a directory"),
        (&[("h", b'1', b"h")], "to itself"),
        (&[("x", b'Q', b"")], "unknown type"),
    ];
    for (members, reason) in cases {
        let error = error(&[layer_tar(members)]);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_file_replaces_a_directory_and_what_was_in_it() {
    let layer = layer_tar(&[("d/x", b'0', b"1"), ("d", b'0', b"2"), ("d", b'0', b"three")]);
    let rootfs = read(&[layer]).unwrap();
    assert_eq!(names(&rootfs), ["/@0", "/d@0"]);
    assert_eq!(rootfs.read(&"/d".into(), 9).unwrap(), b"three");
}

#[test]
fn hard_links_share_a_number_and_their_bytes() {
    let layer = layer_tar(&[("z", b'0', b"bytes"), ("a", b'1', b"z"), ("m", b'0', b"bytes")]);
    let rootfs = read(&[layer]).unwrap();
    let inode = |path: &str| rootfs.get(&path.into()).unwrap().inode;
    assert_eq!(inode("/a"), inode("/z"));
    assert_ne!(inode("/a"), inode("/m"));
    assert_eq!(rootfs.read(&"/a".into(), 99).unwrap(), b"bytes");
}

#[test]
fn pax_records_may_hold_any_bytes() {
    let long = "n".repeat(200) + "/" + &"m".repeat(250);
    let mut records = Vec::new();
    let capability = b"\x01\x00\x00\x02\n=\n\x00";
    for (key, value) in [
        ("SCHILY.xattr.security.capability", capability.as_slice()),
        ("SCHILY.xattr.security.selinux", b"host"),
        ("path", long.as_bytes()),
        ("uid", b"4000000000"),
        ("mtime", b"-1.5"),
    ] {
        let rest = key.len() + value.len() + 3;
        let len = (rest + 1..).find(|n| *n == rest + n.to_string().len()).unwrap();
        records.extend(
            [
                len.to_string().as_bytes(),
                b" ",
                key.as_bytes(),
                b"=",
                value,
                b"\n",
            ]
            .concat(),
        );
    }
    let mut layer = raw(b"PaxHeader", b'x', &records);
    layer.extend(file("short", b"!"));
    let rootfs = read(&[layer]).unwrap();
    let path = RootPath::new(&long);
    let entry = rootfs.get(&path).unwrap();
    assert_eq!((entry.uid, entry.mtime), (4_000_000_000, -2));
    assert_eq!(entry.xattrs.len(), 1);
    assert_eq!(entry.xattrs[b"security.capability".as_slice()], capability);
    assert_eq!(rootfs.read(&path, 9).unwrap(), b"!");
}

#[test]
fn every_format_of_sparse_files_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse");
    let mut expected = vec![0; 3_000_000];
    // Enough pieces for GNU's extension headers.
    for n in 0..40 {
        expected[n * 70_000..n * 70_000 + 5000].fill(n as u8 + 1);
    }
    let mut sparse = File::create(&path).unwrap();
    sparse.set_len(expected.len() as u64).unwrap();
    for n in 0..40_usize {
        std::os::unix::fs::FileExt::write_all_at(&sparse, &expected[n * 70_000..][..5000], n as u64 * 70_000)
            .unwrap();
    }
    sparse.flush().unwrap();
    for format in [
        "--format=gnu",
        "--format=pax --sparse-version=0.0",
        "--format=pax --sparse-version=0.1",
        "--format=pax --sparse-version=1.0",
    ] {
        let output = std::process::Command::new("tar")
            .arg("-cSf-")
            .args(format.split(' '))
            .arg("-C")
            .arg(directory.path())
            .arg("sparse")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.len() < 1_000_000, "{format}: the file is sparse");
        let rootfs = read(&[output.stdout]).unwrap();
        assert!(
            rootfs.read(&"/sparse".into(), u64::MAX).unwrap() == expected,
            "{format}"
        );
        for at in [0, 69_990, 74_990, 2_735_000, 2_999_990, 3_000_000] {
            let end = expected.len().min(at + 100);
            assert!(
                rootfs.read_at(&"/sparse".into(), at as u64, 100).unwrap() == expected[at..end],
                "{format} at {at}"
            );
        }
    }
}

#[test]
fn a_layer_must_be_what_the_config_promises() {
    let mut bytes = archive(&[layer_tar(&[("a", b'0', b"content")])], <[u8]>::to_vec);
    let at = bytes.windows(7).position(|w| w == b"content").unwrap();
    bytes[at] = b'K';
    let error = Archive::read(bytes.as_slice()).unwrap_err().to_string();
    assert!(error.contains("but the config promises"), "{error}");
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let layer = layer_tar(&[("a/b", b'0', b"content"), ("l", b'2', b"a"), ("h", b'1', b"a/b")]);
    let whole = archive(&[layer], <[u8]>::to_vec);
    for len in (0..whole.len() - 1536).step_by(97) {
        assert!(Archive::read(&whole[..len]).is_err(), "cut at {len}");
    }
    for at in (0..whole.len()).step_by(5) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let _ = Archive::read(damaged.as_slice());
    }
}

/// A file of `bytes`, named as an archive of `format`.
fn on_disk(bytes: &[u8], format: ArchiveFormat) -> (tempfile::NamedTempFile, ArchiveFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let path = file.path().to_owned();
    (file, ArchiveFile { format, path })
}

#[test]
fn an_archive_that_is_written_reads_as_either_format() {
    let layers = [
        layer_tar(&[("a/b", b'0', b"content"), ("c", b'0', b"other")]),
        layer_tar(&[("a/.wh.b", b'0', b"")]),
        // Of no whole number of blocks.
        layer_tar(&[("d", b'0', b"last")])[..1024 - 508].to_vec(),
        layer_tar(&[("a/.wh.b", b'0', b"")]),
    ];
    let read = Archive::read(archive(&layers, gzip).as_slice()).unwrap();
    let name = "host:5000/app".parse().unwrap();
    let mut reader = read.rootfs.blobs().unwrap().archive(&[name]).unwrap();
    let mut written = Vec::new();
    reader.read_to_end(&mut written).unwrap();
    assert_eq!(written.len() as u64, reader.size());
    let entries = |archive: &Archive| {
        let entries = archive.rootfs.iter();
        entries
            .map(|(path, entry)| (path.clone(), entry.clone()))
            .collect::<Vec<_>>()
    };
    for (format, tag) in [
        (ArchiveFormat::Docker, "host:5000/app:latest"),
        (ArchiveFormat::Oci, "host:5000/app:latest"),
    ] {
        let (_file, named) = on_disk(&written, format);
        let again = named.read().unwrap();
        assert_eq!(again.id, read.id);
        assert_eq!(again.tags, [tag]);
        assert_eq!(entries(&again), entries(&read));
        assert_eq!(again.rootfs.read_at(&"/d".into(), 0, 9).unwrap(), b"last");
    }
}

#[test]
fn an_error_names_the_users_file() {
    let docker = archive(&[layer_tar(&[("a", b'0', b"content")])], <[u8]>::to_vec);
    for (bytes, format, reason) in [
        (&docker[..], ArchiveFormat::Oci, "it is not an OCI layout"),
        (&docker[..700], ArchiveFormat::Docker, ""),
        (&gzip(&docker)[..60], ArchiveFormat::Docker, ""),
        (b"no archive", ArchiveFormat::Docker, ""),
        (b"", ArchiveFormat::Docker, "it is not docker save"),
    ] {
        let (file, named) = on_disk(bytes, format);
        let error = named.read().unwrap_err();
        assert!(
            matches!(&error, ImageError::File { path, .. } if path == file.path()),
            "{error}"
        );
        assert!(error.to_string().contains(reason), "{error}");
    }
    let (file, named) = on_disk(&docker, ArchiveFormat::Docker);
    assert!(named.read().is_ok());
    drop(file);
    let error = named.read().unwrap_err().to_string();
    assert!(error.contains(&named.path.display().to_string()), "{error}");
}
