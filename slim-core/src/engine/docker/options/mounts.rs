//! `--volume`, `--mount` and `--tmpfs`.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum as Propagation, MountTmpfsOptions, MountType,
    MountVolumeOptions, MountVolumeOptionsDriverConfig,
};

use super::{bytes, wrong};
use crate::engine::Error;

/// A `--volume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Volume {
    /// `TARGET`: an anonymous volume.
    Anonymous(String),
    /// `SOURCE:TARGET[:OPTIONS]` with a named volume, as the engine takes it.
    Named {
        /// The volume's name.
        name: String,
        /// The whole option.
        bind: String,
    },
    /// `SOURCE:TARGET[:OPTIONS]` with a path, made absolute, as the engine takes it.
    Bind(String),
}

/// Parses `[SOURCE:]TARGET[:OPTIONS]`; a source that starts with `.` is relative to `directory`.
///
/// Source: docker/cli `cli/compose/loader.ParseVolume` and `cli/command/container/opts.go`.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn volume(text: &str, directory: &Path) -> Result<Volume, Error> {
    const EXPECTED: &str = "expected [SOURCE:]TARGET[:OPTIONS] with an absolute TARGET";
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => (None, target, None),
        [source, target] => (Some(source), target, None),
        [source, target, options] => (Some(source), target, Some(options)),
        _ => return Err(wrong("volume", text, EXPECTED)),
    };
    check_target("volume", text, target)?;
    for option in options.into_iter().flat_map(|o| o.split(',')) {
        let known = [
            "ro",
            "rw",
            "z",
            "Z",
            "nocopy",
            "shared",
            "rshared",
            "slave",
            "rslave",
            "private",
            "rprivate",
            "consistent",
            "cached",
            "delegated",
        ];
        if !known.contains(&option) {
            let problem = format!("unknown option {option:?}; expected one of {}", known.join(", "));
            return Err(wrong("volume", text, problem));
        }
    }
    let Some(source) = source else {
        return Ok(Volume::Anonymous(target.to_owned()));
    };
    let rest = &text[source.len()..];
    if source.starts_with('/') {
        return Ok(Volume::Bind(text.to_owned()));
    }
    if source == "." || source == ".." || source.starts_with("./") || source.starts_with("../") {
        let absolute = absolute("volume", text, source, directory)?;
        return Ok(Volume::Bind(format!("{absolute}{rest}")));
    }
    if !is_volume_name(source) {
        return Err(wrong(
            "volume",
            text,
            "SOURCE is neither a path (absolute, or starting with ./) nor a volume's name",
        ));
    }
    Ok(Volume::Named {
        name: source.to_owned(),
        bind: text.to_owned(),
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
pub(super) fn tmpfs(text: &str) -> Result<(String, String), Error> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    check_target("tmpfs", text, target)?;
    Ok((target.to_owned(), options.to_owned()))
}

/// Parses `type=bind|volume|tmpfs,source=…,target=…,…`: fields are comma-separated and may be quoted as in CSV.
///
/// Source: docker/cli `opts/mount.go`.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn mount(text: &str, directory: &Path) -> Result<Mount, Error> {
    let bad = |problem: String| wrong("mount", text, problem);
    let fields = csv(text).ok_or_else(|| bad("a quoted field does not end".to_owned()))?;
    let mut kind = "volume";
    let (mut source, mut target) = (None, None);
    let mut read_only = false;
    let mut consistency = None;
    let mut bind = MountBindOptions::default();
    let mut tmpfs = MountTmpfsOptions::default();
    let mut no_copy = None;
    let mut subpath = None;
    let mut labels = HashMap::new();
    let mut driver = None;
    let mut driver_options = HashMap::new();
    let mut for_kinds: Vec<(&str, &str)> = Vec::new();
    for field in &fields {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field.as_str(), None),
        };
        let key = key.to_ascii_lowercase();
        let flag = || match value {
            None | Some("1" | "true") => Ok(true),
            Some("0" | "false") => Ok(false),
            Some(other) => Err(bad(format!("{key}={other}: expected true or false"))),
        };
        let needed = || {
            value
                .filter(|v| !v.is_empty())
                .ok_or_else(|| bad(format!("{key} needs a value: {key}=…")))
        };
        match key.as_str() {
            "type" => kind = needed()?,
            "source" | "src" => source = Some(needed()?.to_owned()),
            "target" | "dst" | "destination" => target = Some(needed()?.to_owned()),
            "readonly" | "ro" => read_only = flag()?,
            "consistency" => consistency = Some(needed()?.to_owned()),
            "bind-propagation" => {
                for_kinds.push(("bind", "bind-propagation"));
                bind.propagation = Some(match needed()? {
                    "private" => Propagation::PRIVATE,
                    "rprivate" => Propagation::RPRIVATE,
                    "shared" => Propagation::SHARED,
                    "rshared" => Propagation::RSHARED,
                    "slave" => Propagation::SLAVE,
                    "rslave" => Propagation::RSLAVE,
                    other => {
                        return Err(bad(format!(
                            "bind-propagation={other}: expected private, rprivate, shared, rshared, slave or rslave"
                        )));
                    }
                });
            }
            "bind-nonrecursive" => {
                for_kinds.push(("bind", "bind-nonrecursive"));
                bind.non_recursive = Some(flag()?);
            }
            "bind-recursive" => {
                for_kinds.push(("bind", "bind-recursive"));
                match needed()? {
                    "enabled" => {}
                    "disabled" => bind.non_recursive = Some(true),
                    "writable" => bind.read_only_non_recursive = Some(true),
                    "readonly" => bind.read_only_force_recursive = Some(true),
                    other => {
                        return Err(bad(format!(
                            "bind-recursive={other}: expected enabled, disabled, writable or readonly"
                        )));
                    }
                }
            }
            "volume-nocopy" => {
                for_kinds.push(("volume", "volume-nocopy"));
                no_copy = Some(flag()?);
            }
            "volume-subpath" => {
                for_kinds.push(("volume", "volume-subpath"));
                subpath = Some(needed()?.to_owned());
            }
            "volume-label" => {
                for_kinds.push(("volume", "volume-label"));
                let (name, value) = super::env::label(needed()?)?;
                labels.insert(name, value);
            }
            "volume-driver" => {
                for_kinds.push(("volume", "volume-driver"));
                driver = Some(needed()?.to_owned());
            }
            "volume-opt" => {
                for_kinds.push(("volume", "volume-opt"));
                let (name, value) = needed()?
                    .split_once('=')
                    .ok_or_else(|| bad("volume-opt: expected volume-opt=NAME=VALUE".to_owned()))?;
                driver_options.insert(name.to_owned(), value.to_owned());
            }
            "tmpfs-size" => {
                for_kinds.push(("tmpfs", "tmpfs-size"));
                let value = needed()?;
                tmpfs.size_bytes = Some(
                    bytes(value)
                        .ok_or_else(|| bad(format!("tmpfs-size={value}: expected a size, as 64m")))?,
                );
            }
            "tmpfs-mode" => {
                for_kinds.push(("tmpfs", "tmpfs-mode"));
                let value = needed()?;
                let mode = i64::from_str_radix(value, 8)
                    .ok()
                    .filter(|mode| (0..=0o7777).contains(mode))
                    .ok_or_else(|| bad(format!("tmpfs-mode={value}: expected an octal mode, as 1777")))?;
                tmpfs.mode = Some(mode);
            }
            _ => {
                return Err(bad(format!(
                    "unknown key {key:?}; expected type, source, target, readonly, bind-propagation, bind-recursive, \
                     volume-nocopy, volume-subpath, volume-label, volume-driver, volume-opt, tmpfs-size or tmpfs-mode"
                )));
            }
        }
    }
    for (of, key) in for_kinds {
        if of != kind {
            return Err(bad(format!("{key} goes with type={of}, not type={kind}")));
        }
    }
    let target = target.ok_or_else(|| bad("target=… is missing".to_owned()))?;
    check_target("mount", text, &target)?;
    let mut mount = Mount {
        target: Some(target),
        read_only: Some(read_only),
        consistency,
        ..Mount::default()
    };
    match kind {
        "bind" => {
            let source = source.ok_or_else(|| bad("type=bind needs source=…".to_owned()))?;
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
            mount.typ = Some(MountType::BIND);
            mount.source = Some(source);
            mount.bind_options = (bind != MountBindOptions::default()).then_some(bind);
        }
        "volume" => {
            if let Some(name) = source.as_deref().filter(|name| !is_volume_name(name)) {
                return Err(bad(format!(
                    "source={name} is not a volume's name; a path needs type=bind"
                )));
            }
            mount.typ = Some(MountType::VOLUME);
            mount.source = source;
            let driver_config =
                (driver.is_some() || !driver_options.is_empty()).then_some(MountVolumeOptionsDriverConfig {
                    name: driver,
                    options: Some(driver_options),
                });
            mount.volume_options = Some(MountVolumeOptions {
                no_copy,
                labels: Some(labels),
                driver_config,
                subpath,
            });
        }
        "tmpfs" => {
            if source.is_some() {
                return Err(bad("type=tmpfs has no source".to_owned()));
            }
            mount.typ = Some(MountType::TMPFS);
            mount.tmpfs_options = Some(tmpfs);
        }
        other => {
            return Err(bad(format!("type={other}: expected bind, volume or tmpfs")));
        }
    }
    Ok(mount)
}

/// The option `text` with the source that it was found to mean, which no longer depends on the current directory.
pub(super) fn with_source(text: &str, source: Option<&str>) -> String {
    let fields = csv(text).unwrap_or_default().into_iter().map(|field| {
        let key = field.split('=').next().unwrap_or_default().to_ascii_lowercase();
        let field = match source {
            Some(source) if key == "source" || key == "src" => format!("source={source}"),
            _ => field,
        };
        csv_field(&field)
    });
    fields.collect::<Vec<_>>().join(",")
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
pub(super) fn csv(text: &str) -> Option<Vec<String>> {
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

    #[test]
    fn volumes() {
        let parse = |text| volume(text, here()).ok();
        assert_eq!(parse("/data"), Some(Volume::Anonymous("/data".into())));
        assert_eq!(
            parse("/src:/dst:ro,z"),
            Some(Volume::Bind("/src:/dst:ro,z".into()))
        );
        assert_eq!(parse(".:/dst"), Some(Volume::Bind("/here/it:/dst".into())));
        assert_eq!(
            parse("../a:/dst:ro"),
            Some(Volume::Bind("/here/a:/dst:ro".into()))
        );
        let bind = "db:/var/lib/db:nocopy".to_owned();
        assert_eq!(
            parse("db:/var/lib/db:nocopy"),
            Some(Volume::Named {
                name: "db".into(),
                bind
            })
        );
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
        assert_eq!(m.typ, Some(MountType::BIND));
        assert_eq!(
            (m.source.as_deref(), m.target.as_deref()),
            (Some("/here/it/conf"), Some("/etc/a,b"))
        );
        assert_eq!(m.read_only, Some(true));
        assert_eq!(
            m.bind_options.and_then(|o| o.propagation),
            Some(Propagation::RSLAVE)
        );
        let m = mount(
            "source=db,target=/db,volume-opt=type=nfs,volume-driver=local,volume-label=a=b",
            here(),
        )
        .expect("a mount");
        let options = m.volume_options.expect("options");
        assert_eq!(m.typ, Some(MountType::VOLUME));
        assert_eq!(
            options.labels.and_then(|l| l.get("a").cloned()).as_deref(),
            Some("b")
        );
        assert_eq!(
            options.driver_config.and_then(|d| d.name).as_deref(),
            Some("local")
        );
        let m = mount("type=tmpfs,destination=/t,tmpfs-size=64m,tmpfs-mode=1770", here()).expect("a mount");
        let options = m.tmpfs_options.expect("options");
        assert_eq!((options.size_bytes, options.mode), (Some(64 << 20), Some(0o1770)));
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
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(tmpfs("/run").ok(), pair("/run", ""));
        assert_eq!(
            tmpfs("/run:size=1m,mode=755").ok(),
            pair("/run", "size=1m,mode=755")
        );
        assert!(tmpfs("run").is_err() && tmpfs("/").is_err());
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
            if let Ok(Volume::Bind(bind)) = volume(&text, here()) {
                prop_assert!(bind.starts_with('/'));
            }
        }
    }
}
