//! The directories that a kept path stands in.

use std::io;

use super::graph::{Needs, Node, Resolver};
use crate::plan::EdgeKind;

/// Keeps parents: the directory alone, with its owner and mode.
pub(super) struct Directories;

impl Resolver for Directories {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if let Some(parent) = node.path.parent() {
            needs.edge(&parent, EdgeKind::Directory, node.path, None);
        }
        Ok(())
    }
}
