//! Resolution of recorded paths in the image.

use crate::image::{LastLink, Outcome, Resolved, Rootfs};
use crate::path::RootPath;
use crate::recording::FileUse;

/// Returns the path in the image of the file that was used: the kernel's own where the recording has it, otherwise where
/// the requested path leads in the index, as far as it can be followed.
pub fn recorded_path(used: &FileUse, rootfs: &Rootfs) -> RootPath {
    if used.is_resolved {
        return used.path.clone();
    }
    let resolve = || rootfs.resolve(&used.path, last_link(used));
    let resolved = requested_path(used, rootfs).unwrap_or_else(resolve);
    match resolved.outcome {
        Outcome::Found | Outcome::Missing => resolved.path,
        Outcome::NotADirectory | Outcome::TooManyLinks => used.path.clone(),
    }
}

/// Returns the treatment of a link at the end of the path by the call that named it.
pub(crate) fn last_link(used: &FileUse) -> LastLink {
    if used.no_follow {
        LastLink::Keep
    } else {
        LastLink::Follow
    }
}

/// Returns where the path that the program wrote leads in the image, with the links on the way; none where there is no
/// such path or where it started is not known.
pub fn requested_path(used: &FileUse, rootfs: &Rootfs) -> Option<Resolved> {
    let root = RootPath::root();
    let last = last_link(used);
    let requested = used.requested_path.as_ref()?.as_bytes();
    let resolved = match (&used.base, requested.starts_with(b"/")) {
        (base, true) => {
            let root = base.as_ref().unwrap_or(&root);
            rootfs.resolve_within(root, root, requested, last)
        }
        (Some(base), false) => rootfs.resolve_from(base, requested, last),
        // Where it started is not known: all there is is the joined path, or the kernel's word.
        (None, false) => return None,
    };
    if resolved.outcome == Outcome::Missing {
        // The run may have made the directory that it started in, and have left it again by "..": what is left of
        // the name is lexically normal by now.
        let again = rootfs.resolve(&resolved.path, last);
        if again.outcome == Outcome::Found {
            let links = [resolved.links, again.links].concat();
            return Some(Resolved { links, ..again });
        }
    }
    Some(resolved)
}
