//! The directories that a kept path stands in.

use std::io;

use crate::plan::EdgeKind;
use crate::reach::resolver::{Needs, Node, Resolver};

/// Keeps parents: the directory alone, with its owner and mode.
pub(super) struct ParentDirectories;

impl Resolver for ParentDirectories {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if let Some(parent) = node.path.parent() {
            needs.mark_edge(&parent, EdgeKind::Directory, node.path, None);
        }
        Ok(())
    }
}
