//! Mount points of the user's data.

use std::collections::BTreeSet;

use super::Context;
use crate::path::RootPath;
use crate::recording::MountKind;

/// Mount points that hold the user's data.
pub(super) fn data_mounts(context: &Context<'_>) -> BTreeSet<RootPath> {
    let runs = context.recording.runs.values();
    let mounts = runs.flat_map(|run| &run.container.mounts);
    mounts
        .filter(|mount| matches!(mount.kind, MountKind::Bind | MountKind::Volume | MountKind::Tmpfs))
        .map(|mount| mount.target.clone())
        .collect()
}
