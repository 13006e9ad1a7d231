//! `--volume`, `--mount`, `--tmpfs` and `--device`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Error, bytes, wrong};
use crate::spec::{BindRecursive, Device, Mount, MountSource, Relabel, Tmpfs};

/// Kinds of propagation of mounts between name spaces (mount_namespaces(7)).
const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// Parses `[SOURCE:]TARGET[:OPTIONS]`; a source that starts with `.` is relative to `directory`.
///
/// Source: docker/cli `cli/compose/loader.ParseVolume` and `cli/command/container/opts.go`.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn volume(text: &str, directory: &Path) -> Result<Mount, Error> {
    const EXPECTED: &str = "expected [SOURCE:]TARGET[:OPTIONS] with an absolute TARGET";
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => (None, target, None),
        [source, target] => (Some(source), target, None),
        [source, target, options] => (Some(source), target, Some(options)),
        _ => return Err(wrong("volume", text, EXPECTED)),
    };
    check_target("volume", text, target)?;
    let mut read_only = false;
    let (mut relabel, mut propagation, mut consistency) = (None, None, None);
    let mut no_copy = false;
    for option in options.into_iter().flat_map(|o| o.split(',')) {
        match option {
            "ro" => read_only = true,
            "rw" => read_only = false,
            "z" => relabel = Some(Relabel::Shared),
            "Z" => relabel = Some(Relabel::Private),
            "nocopy" => no_copy = true,
            "consistent" | "cached" | "delegated" => consistency = Some(option.to_owned()),
            _ if PROPAGATIONS.contains(&option) => propagation = Some(option.to_owned()),
            _ => {
                let known = "ro, rw, z, Z, nocopy, shared, rshared, slave, rslave, private, rprivate, consistent, cached, \
                             delegated";
                let problem = format!("unknown option {option:?}; expected one of {known}");
                return Err(wrong("volume", text, problem));
            }
        }
    }
    let source = match source {
        None => MountSource::Volume {
            name: None,
            no_copy,
            subpath: None,
            labels: BTreeMap::new(),
            driver: None,
            driver_options: BTreeMap::new(),
            relabel,
        },
        Some(source) => {
            let path = if source.starts_with('/') {
                Some(source.to_owned())
            } else if source == "." || source == ".." || source.starts_with("./") || source.starts_with("../")
            {
                Some(absolute("volume", text, source, directory)?)
            } else {
                None
            };
            match path {
                Some(source) => MountSource::Bind {
                    source,
                    create: true,
                    propagation,
                    recursive: None,
                    relabel,
                },
                None if is_volume_name(source) => MountSource::Volume {
                    name: Some(source.to_owned()),
                    no_copy,
                    subpath: None,
                    labels: BTreeMap::new(),
                    driver: None,
                    driver_options: BTreeMap::new(),
                    relabel,
                },
                None => {
                    return Err(wrong(
                        "volume",
                        text,
                        "SOURCE is neither a path (absolute, or starting with ./) nor a volume's name",
                    ));
                }
            }
        }
    };
    Ok(Mount {
        target: target.to_owned(),
        source,
        read_only,
        consistency,
    })
}

/// Letters, digits, `_`, `.` and `-`, at least two, the first a letter or digit.
///
/// Source: moby `daemon/names.RestrictedNameChars`.
fn is_volume_name(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

fn absolute(flag: &'static str, text: &str, source: &str, directory: &Path) -> Result<String, Error> {
    let joined = directory.join(source);
    // Lexically, as Go's filepath.Abs.
    let mut clean = std::path::PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    let path = clean
        .into_os_string()
        .into_string()
        .map_err(|_| wrong(flag, text, "the path of the current directory is not UTF-8"))?;
    if path.contains(':') && flag == "volume" {
        return Err(wrong(
            flag,
            text,
            format!("{path} has a colon in it; use --mount"),
        ));
    }
    Ok(path)
}

fn check_target(flag: &'static str, text: &str, target: &str) -> Result<(), Error> {
    if !target.starts_with('/') || target.contains('\0') {
        return Err(wrong(
            flag,
            text,
            format!("the target {target:?} is not an absolute path"),
        ));
    }
    if target.bytes().all(|b| b == b'/') {
        return Err(wrong(flag, text, "the target must not be the root directory"));
    }
    Ok(())
}

/// Parses `TARGET[:OPTIONS]`: the mount point and the kernel's options for tmpfs.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn tmpfs(text: &str) -> Result<Tmpfs, Error> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    check_target("tmpfs", text, target)?;
    let mut tmpfs = Tmpfs {
        target: target.to_owned(),
        ..Tmpfs::default()
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let bad = || wrong("tmpfs", text, format!("{option}: expected a number"));
        match option.split_once('=') {
            Some(("uid", value)) => tmpfs.uid = Some(value.parse().map_err(|_| bad())?),
            Some(("gid", value)) => tmpfs.gid = Some(value.parse().map_err(|_| bad())?),
            Some(("mode", value)) => {
                let mode = u32::from_str_radix(value, 8).ok();
                let mode = mode.filter(|mode| *mode <= 0o7777);
                tmpfs.mode = Some(mode.ok_or_else(|| {
                    wrong(
                        "tmpfs",
                        text,
                        format!("{option}: expected an octal mode, as 1777"),
                    )
                })?);
            }
            None if option == "exec" => tmpfs.exec = true,
            None if option == "noexec" => tmpfs.exec = false,
            _ => tmpfs.options.push(option.to_owned()),
        }
    }
    Ok(tmpfs)
}

/// Parses `HOST[:CONTAINER][:PERMISSIONS]`, or a CDI name (`vendor.com/class=name`).
///
/// Source: docker/cli `cli/command/container/opts.go`, `parseLinuxDevice` and `validateLinuxPath`.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn device(text: &str) -> Result<Device, Error> {
    const EXPECTED: &str =
        "expected HOST[:CONTAINER][:PERMISSIONS] with absolute paths and permissions of r, w and m";
    let permissions = |text: &str| !text.is_empty() && text.bytes().all(|b| b"rwm".contains(&b));
    let is_path = |text: &str| text.starts_with('/') && !text.contains('\0');
    if !text.starts_with('/') && text.contains('/') && text.contains('=') && !text.contains(':') {
        return Ok(Device {
            host: text.to_owned(),
            container: String::new(),
            permissions: String::new(),
        });
    }
    let parts: Vec<&str> = text.split(':').collect();
    let (host, container, allowed) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, allowed] if permissions(allowed) => (host, host, allowed),
        [host, container] => (host, container, "rwm"),
        [host, container, allowed] if permissions(allowed) => (host, container, allowed),
        _ => return Err(wrong("device", text, EXPECTED)),
    };
    if !is_path(host) || !is_path(container) {
        return Err(wrong("device", text, EXPECTED));
    }
    Ok(Device {
        host: host.to_owned(),
        container: container.to_owned(),
        permissions: allowed.to_owned(),
    })
}

/// Parses `type=bind|volume|tmpfs,source=…,target=…,…`: fields are comma-separated and may be quoted as in CSV.
///
/// Source: docker/cli `opts/mount.go`.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn mount(text: &str, directory: &Path) -> Result<Mount, Error> {
    let fields = csv(text).ok_or_else(|| wrong("mount", text, "a quoted field does not end"))?;
    let mut builder = MountBuilder::new(text);
    for field in &fields {
        builder.set(field)?;
    }
    builder.finish(directory)
}

/// The fields of `--mount`, of any type until the end.
struct MountBuilder<'a> {
    text: &'a str,
    kind: String,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    consistency: Option<String>,
    propagation: Option<String>,
    recursive: Option<BindRecursive>,
    no_copy: bool,
    subpath: Option<String>,
    labels: BTreeMap<String, String>,
    driver: Option<String>,
    driver_options: BTreeMap<String, String>,
    size: Option<u64>,
    mode: Option<u32>,
    /// Keys that were set and go with one type alone.
    keys: Vec<String>,
}

/// One field of `--mount`.
struct Field<'a> {
    text: &'a str,
    key: String,
    value: Option<&'a str>,
}

impl<'a> Field<'a> {
    fn wrong(&self, problem: impl Into<String>) -> Error {
        wrong("mount", self.text, problem)
    }

    fn flag(&self) -> Result<bool, Error> {
        match self.value {
            None | Some("1" | "true") => Ok(true),
            Some("0" | "false") => Ok(false),
            Some(other) => Err(self.wrong(format!("{}={other}: expected true or false", self.key))),
        }
    }

    fn value(&self) -> Result<&'a str, Error> {
        let value = self.value.filter(|value| !value.is_empty());
        value.ok_or_else(|| self.wrong(format!("{0} needs a value: {0}=…", self.key)))
    }

    fn text(&self) -> Result<String, Error> {
        self.value().map(str::to_owned)
    }

    fn propagation(&self) -> Result<String, Error> {
        let value = self.value()?;
        if PROPAGATIONS.contains(&value) {
            return Ok(value.to_owned());
        }
        Err(self.wrong(format!(
            "bind-propagation={value}: expected private, rprivate, shared, rshared, slave or rslave"
        )))
    }

    fn recursive(&self) -> Result<Option<BindRecursive>, Error> {
        Ok(match self.value()? {
            "enabled" => None,
            "disabled" => Some(BindRecursive::Disabled),
            "writable" => Some(BindRecursive::Writable),
            "readonly" => Some(BindRecursive::Readonly),
            other => {
                return Err(self.wrong(format!(
                    "bind-recursive={other}: expected enabled, disabled, writable or readonly"
                )));
            }
        })
    }

    fn driver_option(&self) -> Result<(String, String), Error> {
        let (name, value) = self
            .value()?
            .split_once('=')
            .ok_or_else(|| self.wrong("volume-opt: expected volume-opt=NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    }

    fn size(&self) -> Result<u64, Error> {
        let value = self.value()?;
        let size = bytes(value).and_then(|size| u64::try_from(size).ok());
        size.ok_or_else(|| self.wrong(format!("tmpfs-size={value}: expected a size, as 64m")))
    }

    fn mode(&self) -> Result<u32, Error> {
        let value = self.value()?;
        let mode = u32::from_str_radix(value, 8).ok();
        let mode = mode.filter(|mode| *mode <= 0o7777);
        mode.ok_or_else(|| self.wrong(format!("tmpfs-mode={value}: expected an octal mode, as 1777")))
    }
}

impl<'a> MountBuilder<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            kind: "volume".to_owned(),
            source: None,
            target: None,
            read_only: false,
            consistency: None,
            propagation: None,
            recursive: None,
            no_copy: false,
            subpath: None,
            labels: BTreeMap::new(),
            driver: None,
            driver_options: BTreeMap::new(),
            size: None,
            mode: None,
            keys: Vec::new(),
        }
    }

    fn set(&mut self, field: &str) -> Result<(), Error> {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field, None),
        };
        let field = Field {
            text: self.text,
            key: key.to_ascii_lowercase(),
            value,
        };
        match field.key.as_str() {
            "type" => self.kind = field.text()?,
            "source" | "src" => self.source = Some(field.text()?),
            "target" | "dst" | "destination" => self.target = Some(field.text()?),
            "readonly" | "ro" => self.read_only = field.flag()?,
            "consistency" => self.consistency = Some(field.text()?),
            "bind-propagation" => self.propagation = Some(field.propagation()?),
            "bind-nonrecursive" => self.recursive = field.flag()?.then_some(BindRecursive::Disabled),
            "bind-recursive" => self.recursive = field.recursive()?,
            "volume-nocopy" => self.no_copy = field.flag()?,
            "volume-subpath" => self.subpath = Some(field.text()?),
            "volume-label" => self.labels.extend([super::env::label(field.value()?)?]),
            "volume-driver" => self.driver = Some(field.text()?),
            "volume-opt" => self.driver_options.extend([field.driver_option()?]),
            "tmpfs-size" => self.size = Some(field.size()?),
            "tmpfs-mode" => self.mode = Some(field.mode()?),
            key => {
                return Err(field.wrong(format!(
                    "unknown key {key:?}; expected type, source, target, readonly, bind-propagation, bind-recursive, \
                     volume-nocopy, volume-subpath, volume-label, volume-driver, volume-opt, tmpfs-size or tmpfs-mode"
                )));
            }
        }
        if field.key.contains('-') {
            self.keys.push(field.key);
        }
        Ok(())
    }

    fn finish(self, directory: &Path) -> Result<Mount, Error> {
        let text = self.text;
        let bad = |problem: String| wrong("mount", text, problem);
        for key in &self.keys {
            // Such a key begins with its type.
            if let Some((of, _)) = key.split_once('-').filter(|(of, _)| *of != self.kind) {
                return Err(bad(format!("{key} goes with type={of}, not type={}", self.kind)));
            }
        }
        let target = self.target.ok_or_else(|| bad("target=… is missing".to_owned()))?;
        check_target("mount", text, &target)?;
        let source = match self.kind.as_str() {
            "bind" => {
                let source = self
                    .source
                    .ok_or_else(|| bad("type=bind needs source=…".to_owned()))?;
                let source = if source.starts_with('.') {
                    absolute("mount", text, &source, directory)?
                } else {
                    source
                };
                if !source.starts_with('/') {
                    return Err(bad(format!(
                        "source={source}: expected a path, absolute or starting with ./"
                    )));
                }
                MountSource::Bind {
                    source,
                    create: false,
                    propagation: self.propagation,
                    recursive: self.recursive,
                    relabel: None,
                }
            }
            "volume" => {
                if let Some(name) = self.source.as_deref().filter(|name| !is_volume_name(name)) {
                    return Err(bad(format!(
                        "source={name} is not a volume's name; a path needs type=bind"
                    )));
                }
                MountSource::Volume {
                    name: self.source,
                    no_copy: self.no_copy,
                    subpath: self.subpath,
                    labels: self.labels,
                    driver: self.driver,
                    driver_options: self.driver_options,
                    relabel: None,
                }
            }
            "tmpfs" => {
                if self.source.is_some() {
                    return Err(bad("type=tmpfs has no source".to_owned()));
                }
                MountSource::Tmpfs {
                    size: self.size,
                    mode: self.mode,
                }
            }
            other => {
                return Err(bad(format!("type={other}: expected bind, volume or tmpfs")));
            }
        };
        Ok(Mount {
            target,
            read_only: self.read_only,
            consistency: self.consistency,
            source,
        })
    }
}

/// The field as CSV writes it: in quotes if it holds a comma or a quote.
pub(crate) fn csv_field(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// One CSV record: fields split at commas; one in double quotes may hold commas, and a quote as two. None if a quote
/// does not end.
pub(crate) fn csv(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let field = fields
            .last_mut()
            .expect("the list starts with one field and only grows");
        match c {
            ',' => fields.push(String::new()),
            '"' if field.is_empty() => loop {
                match characters.next()? {
                    '"' if characters.peek() == Some(&'"') => {
                        characters.next();
                        field.push('"');
                    }
                    '"' => break,
                    other => field.push(other),
                }
            },
            other => field.push(other),
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn here() -> &'static Path {
        Path::new("/here/it")
    }

    fn bind(source: &str) -> MountSource {
        MountSource::Bind {
            source: source.to_owned(),
            create: true,
            propagation: None,
            recursive: None,
            relabel: None,
        }
    }

    #[test]
    fn volumes() {
        let parse = |text| volume(text, here()).ok();
        let source = |text| parse(text).map(|mount| mount.source);
        assert!(matches!(
            source("/data"),
            Some(MountSource::Volume { name: None, .. })
        ));
        let mount = parse("/src:/dst:ro,z").expect("a mount");
        assert!(mount.read_only && mount.target == "/dst");
        assert!(matches!(
            mount.source,
            MountSource::Bind {
                relabel: Some(Relabel::Shared),
                create: true,
                ..
            }
        ));
        assert_eq!(source(".:/dst"), Some(bind("/here/it")));
        assert_eq!(source("../a:/dst:ro"), Some(bind("/here/a")));
        let Some(MountSource::Volume { name, no_copy, .. }) = source("db:/var/lib/db:nocopy") else {
            panic!("a volume");
        };
        assert_eq!((name.as_deref(), no_copy), (Some("db"), true));
        for bad in [
            "",
            "data",
            "/a:b",
            "/a:/",
            "//",
            "a/b:/x",
            "/a:/b:rx",
            "/a:/b:ro:x",
            "/a:/b:",
            ":/a",
            "/a:",
        ] {
            assert!(volume(bad, here()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mounts() {
        let m = mount(
            "type=bind,src=./conf,\"dst=/etc/a,b\",readonly,bind-propagation=rslave",
            here(),
        )
        .expect("a mount");
        assert!(m.read_only && m.target == "/etc/a,b");
        let MountSource::Bind {
            source,
            create,
            propagation,
            ..
        } = m.source
        else {
            panic!("a bind mount");
        };
        assert_eq!((source.as_str(), create), ("/here/it/conf", false));
        assert_eq!(propagation.as_deref(), Some("rslave"));
        let m = mount(
            "source=db,target=/db,volume-opt=type=nfs,volume-driver=local,volume-label=a=b",
            here(),
        )
        .expect("a mount");
        let MountSource::Volume {
            labels,
            driver,
            driver_options,
            ..
        } = m.source
        else {
            panic!("a volume");
        };
        assert_eq!(labels.get("a").map(String::as_str), Some("b"));
        assert_eq!(driver.as_deref(), Some("local"));
        assert_eq!(driver_options.get("type").map(String::as_str), Some("nfs"));
        let m = mount("type=tmpfs,destination=/t,tmpfs-size=64m,tmpfs-mode=1770", here()).expect("a mount");
        assert_eq!(
            m.source,
            MountSource::Tmpfs {
                size: Some(64 << 20),
                mode: Some(0o1770)
            }
        );
    }

    #[test]
    fn devices() {
        let parse = |text| {
            device(text)
                .ok()
                .map(|d| format!("{} {} {}", d.host, d.container, d.permissions))
        };
        assert_eq!(parse("/dev/fuse").as_deref(), Some("/dev/fuse /dev/fuse rwm"));
        assert_eq!(
            parse("/dev/sda:/dev/xvdc:r").as_deref(),
            Some("/dev/sda /dev/xvdc r")
        );
        assert_eq!(parse("/dev/sda:rw").as_deref(), Some("/dev/sda /dev/sda rw"));
        assert_eq!(
            parse("vendor.com/class=name").as_deref(),
            Some("vendor.com/class=name  ")
        );
        for bad in ["", "fuse", "/a:b:rwm", "/a:/b:x", "/a:/b:r:w"] {
            assert!(device(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn wrong_mounts_say_why() {
        for (text, says) in [
            ("type=bind,src=/a", "target=… is missing"),
            ("type=bind,target=/a", "needs source"),
            ("type=bind,src=a,target=/a", "starting with ./"),
            ("type=tmpfs,source=x,target=/a", "has no source"),
            ("type=tmpfs,target=/a,volume-nocopy", "goes with type=volume"),
            ("type=npipe,source=x,target=/a", "expected bind, volume or tmpfs"),
            ("type=volume,target=a", "not an absolute path"),
            ("type=volume,target=/a,ro=yes", "expected true or false"),
            ("target=/a,frob=1", "unknown key \"frob\""),
            ("target=/a,source=/b", "needs type=bind"),
            ("type=tmpfs,target=/a,tmpfs-mode=9", "octal"),
            ("type=tmpfs,target=/a,tmpfs-size=big", "expected a size"),
            ("\"target=/a", "does not end"),
        ] {
            let error = mount(text, here()).expect_err(text).to_string();
            assert!(error.contains(says) && error.starts_with("--mount"), "{error}");
        }
    }

    #[test]
    fn tmpfs_options_are_the_kernels() {
        let text = |text| tmpfs(text).ok().map(|tmpfs| tmpfs.to_string());
        assert_eq!(text("/run").as_deref(), Some("/run"));
        assert_eq!(
            text("/run:size=1m,mode=755,exec,gid=5,uid=4").as_deref(),
            Some("/run:uid=4,gid=5,mode=755,exec,size=1m")
        );
        assert_eq!(text("/run:noexec,nosuid").as_deref(), Some("/run:nosuid"));
        for bad in ["run", "/", "/a:mode=9", "/a:uid=root"] {
            assert!(tmpfs(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn quoted_fields_come_back(fields in proptest::collection::vec("[a-z\",= ]{0,12}", 1..6)) {
            let text: Vec<String> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            prop_assert_eq!(csv(&text.join(",")), Some(fields));
        }

        #[test]
        fn anything_parses_or_not(text in ".*") {
            let _ = mount(&text, here());
            let _ = tmpfs(&text);
            let _ = device(&text);
            if let Ok(Mount { source: MountSource::Bind { source, .. }, .. }) = volume(&text, here()) {
                prop_assert!(source.starts_with('/'));
            }
        }
    }
}
