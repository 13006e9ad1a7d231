//! Users of an image by number.

use super::remark;
use crate::image::{Image, LastLink, Rootfs};
use crate::path::RootPath;
use crate::spec::ContainerSpec;

/// Number of bytes of `/etc/passwd` and `/etc/group` that are read.
const LIMIT: u64 = 1 << 20;

/// The user's and group's numbers of a `USER` as an engine takes it (`1000`, `app`, `app:web`, `1000:1000`; root where
/// it is empty). None where the image does not say.
pub(super) fn ids(user: &str, rootfs: &Rootfs) -> (Option<u32>, Option<u32>) {
    let (user, group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (user, None),
    };
    let user = if user.is_empty() { "root" } else { user };
    let entry = find(rootfs, "/etc/passwd", user);
    let uid = match user.parse() {
        Ok(uid) => Some(uid),
        // Every image has it, also one without the file.
        Err(_) if user == "root" => Some(0),
        Err(_) => entry.as_ref().and_then(|(id, _)| *id),
    };
    let gid = match group {
        Some(name) => self::group(name, rootfs),
        None => entry.and_then(|(_, gid)| gid),
    };
    (uid, gid)
}

/// Returns a group's number, by name or number; none where the image does not say.
pub(super) fn group(group: &str, rootfs: &Rootfs) -> Option<u32> {
    match group.parse() {
        Ok(gid) => Some(gid),
        Err(_) => find(rootfs, "/etc/group", group).and_then(|(id, _)| id),
    }
}

/// The user and the groups of a launch, for formats that know no names.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// The user's number, and the group's where it is known; none where the image does not say, or where nobody names a
    /// user.
    pub(super) user: Option<(u32, Option<u32>)>,
    /// Supplementary groups.
    pub(super) groups: Vec<u32>,
    /// Remarks on the names that they stand for.
    pub(super) remarks: Vec<String>,
}

/// Takes the user, the image's where `rest` names none, and the groups out of `rest`, as far as they have numbers.
pub(super) fn take_numbers(rest: &mut ContainerSpec, image: &Image) -> Numbers {
    let mut numbers = Numbers::default();
    let user = rest.user.take().unwrap_or_else(|| image.config.user().to_owned());
    match ids(&user, &image.rootfs) {
        _ if user.is_empty() => {}
        (Some(uid), gid) => {
            let number = gid.map_or(uid.to_string(), |gid| format!("{uid}:{gid}"));
            if number != user {
                numbers.remarks.push(remark::replaced(
                    &format!("--user {user}"),
                    &format!("--user {number}"),
                ));
            }
            numbers.user = Some((uid, gid));
        }
        (None, _) => rest.user = Some(user),
    }
    rest.groups.retain(|name| {
        let number = group(name, &image.rootfs);
        if let Some(number) = number {
            if number.to_string() != *name {
                numbers.remarks.push(remark::replaced(
                    &format!("--group-add {name}"),
                    &format!("--group-add {number}"),
                ));
            }
            numbers.groups.push(number);
        }
        number.is_none()
    });
    numbers
}

/// The third and fourth field of the line whose first or third field is `key`.
fn find(rootfs: &Rootfs, path: &str, key: &str) -> Option<(Option<u32>, Option<u32>)> {
    let path = rootfs.resolve(&RootPath::new(path), LastLink::Follow).path;
    let bytes = rootfs.read(&path, LIMIT).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let id = fields.get(2)?;
        let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
        (fields[0] == key || *id == key).then(|| (number(2), number(3)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let rootfs = crate::image::memory::tree(&[
            ("/etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:1000:50::/:\nbad\n"),
            ("/etc/group", b"web:x:33:\n"),
        ]);
        for (user, expected) in [
            ("", (Some(0), Some(0))),
            ("app", (Some(1000), Some(50))),
            ("1000", (Some(1000), Some(50))),
            ("app:web", (Some(1000), Some(33))),
            ("7:8", (Some(7), Some(8))),
            ("nobody", (None, None)),
        ] {
            assert_eq!(ids(user, &rootfs), expected, "{user:?}");
        }
        assert_eq!(ids("", &crate::image::memory::tree(&[])), (Some(0), None));
    }
}
