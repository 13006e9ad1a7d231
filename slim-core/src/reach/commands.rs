//! Commands that a shell's user may type: what a log-in session, or the shell of a job, may run.

use std::collections::BTreeSet;

use super::context::Context;
use super::resolver::Needs;
use super::tables::Tables;
use crate::image::{LastLink, Outcome};
use crate::plan::Cause;

/// Keeps the utilities that a line for a shell counts on.
pub(super) fn keep_utilities(context: &Context<'_>, needs: &mut Needs<'_>, cause: &Cause) {
    for name in &Tables::built_in().programs.utilities {
        if let Some(found) = context
            .environment
            .find_program(context.rootfs, name.as_bytes(), None)
        {
            needs.follow(&found, cause);
        }
    }
}

/// Keeps the commands of the packages that a distribution calls essential, and of `further` packages.
pub(super) fn keep_of_packages<'p>(
    context: &'p Context<'_>,
    needs: &mut Needs<'_>,
    further: impl IntoIterator<Item = &'p str>,
    cause: &Cause,
) {
    let programs = context.environment.program_directories(context.rootfs);
    let packages: BTreeSet<&str> = context.packages.essential().chain(further).collect();
    let files = packages
        .into_iter()
        .filter_map(|name| context.packages.files(name));
    for file in files.flatten() {
        let found = context.rootfs.resolve(file, LastLink::Follow);
        let is_program = file.parent().is_some_and(|parent| programs.contains(&parent));
        if found.outcome == Outcome::Found && is_program {
            needs.mark(file, cause.clone());
            needs.follow(&found, cause);
        }
    }
}
