//! Directories that are the application's own: kept whole, within bounds.

use super::context::Context;
use super::graph::Needs;
use crate::path::RootPath;
use crate::plan::Cause;

/// Keeps what is in `directory`, if that is an application's own.
pub(super) fn directory(_: &Context<'_>, _: &mut Needs<'_>, _: &RootPath, _: &Cause) {}
