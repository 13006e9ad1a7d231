//! A process's mounts (proc_pid_mountinfo(5)).
//!
//! The `procfs` crate reads these files too, but it leaves the kernel's escapes in the paths, and refuses a whole file for
//! one mount point that is not UTF-8, which a container can make.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The directory of the file system that is mounted.
    pub(crate) root: PathBuf,
    /// The mount point, below the process's root directory.
    pub(crate) point: PathBuf,
    /// The options of this mount.
    pub(crate) options: String,
    /// The file system's type.
    pub(crate) kind: String,
    /// The file system's options; for a cgroup hierarchy of version 1, its controllers among them.
    pub(crate) super_options: String,
}

impl Mount {
    /// Returns whether `option` is among the options of this mount.
    pub(crate) fn has_option(&self, option: &str) -> bool {
        self.options.split(',').any(|present| present == option)
    }
}

/// Returns the mounts that this process sees; none where `/proc` is not readable.
pub(crate) fn of_self() -> Option<Vec<Mount>> {
    Some(parse(&std::fs::read("/proc/self/mountinfo").ok()?))
}

/// Returns the mounts that a process sees; none if it has ended.
pub(crate) fn of_process(pid: u32) -> Option<Vec<Mount>> {
    Some(parse(&std::fs::read(format!("/proc/{pid}/mountinfo")).ok()?))
}

/// Returns the mounts in the text of a mountinfo file; lines of another form are left out.
pub(crate) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|&b| b == b'\n').filter_map(line).collect()
}

/// Parses `ID PARENT DEVICE ROOT POINT OPTIONS [TAG…] - TYPE SOURCE SUPER-OPTIONS`.
fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&b| b == b' ');
    let path = |field: &[u8]| PathBuf::from(OsString::from_vec(unescape(field)));
    let text = |field: &[u8]| String::from_utf8_lossy(&unescape(field)).into_owned();
    let root = path(fields.nth(3)?);
    let point = path(fields.next()?);
    let options = text(fields.next()?);
    fields.find(|field| *field == b"-")?;
    let kind = text(fields.next()?);
    let super_options = text(fields.nth(1).unwrap_or_default());
    Some(Mount {
        root,
        point,
        options,
        kind,
        super_options,
    })
}

/// Decodes `\040` and its like: the kernel writes space, tab, newline, backslash and `#` in its tables as a backslash and
/// three octal digits (`mangle_path` in fs/seq_file.c).
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) = (byte, tail) {
            out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = tail;
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_around_any_number_of_tags() {
        let text = "\
25 1 0:22 / /sys rw,nosuid - sysfs sysfs rw
30 25 0:26 / /sys/fs/cgroup rw shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate
31 25 0:27 /a/b /x ro,noexec unbindable - cgroup cgroup rw,cpu,cpuacct
not a mount
";
        let mounts = parse(text.as_bytes());
        let [sys, unified, first] = &mounts[..] else {
            panic!("three mounts: {mounts:?}")
        };
        assert_eq!(sys.point, Path::new("/sys"));
        assert_eq!(
            (unified.kind.as_str(), unified.point.as_path()),
            ("cgroup2", Path::new("/sys/fs/cgroup"))
        );
        assert_eq!(
            (first.root.as_path(), first.super_options.as_str()),
            (Path::new("/a/b"), "rw,cpu,cpuacct")
        );
        assert!(first.has_option("ro") && !first.has_option("r") && !sys.has_option("ro"));
    }

    #[test]
    fn space_tab_newline_and_backslash_are_decoded() {
        let [mount] = &parse(br"1 0 8:1 /r\043 /a\040b\011c\012d\134040e rw - ext4 /dev/sda1 rw")[..] else {
            panic!("one mount")
        };
        assert_eq!(mount.point, Path::new("/a b\tc\nd\\040e"));
        assert_eq!(mount.root, Path::new("/r#"));
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in [r"/a\04", r"/a\+12", r"/a\400", r"/a\089", "/a\\"] {
            assert_eq!(unescape(text.as_bytes()), text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn a_mount_point_of_any_bytes_is_read(point in proptest::collection::vec(1u8.., 0..64)) {
            let mut text = b"1 0 8:1 / ".to_vec();
            for byte in &point {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' | b'#' => text.extend(format!("\\{byte:03o}").bytes()),
                    _ => text.push(*byte),
                }
            }
            text.extend(b" rw - ext4 none rw\n");
            let [mount] = &parse(&text)[..] else { panic!("one mount") };
            prop_assert_eq!(mount.point.as_os_str().as_encoded_bytes(), point);
        }
    }
}
