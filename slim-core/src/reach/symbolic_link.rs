//! Symbolic links: the target of a kept one, over all links on the way.
//!
//! The other names of a hard-linked file are not kept with it: each is an entry like any other, and those that are kept
//! are links to one file again in the layer.

use std::io;

use crate::image::{Kind, LastLink};
use crate::plan::EdgeKind;
use crate::reach::context::Place;
use crate::reach::resolver::{Needs, Node, Resolver};

/// Keeps targets; a dangling link stays dangling, next to the directory in which its target may come to be.
pub(super) struct SymbolicLinks;

impl Resolver for SymbolicLinks {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        if let Kind::Symlink { target } = &node.entry.kind {
            let resolved = needs.rootfs().resolve(node.path, LastLink::Follow);
            needs.follow(
                &resolved,
                &Place::in_file(node.path).cause(EdgeKind::Target, &target.to_string()),
            );
        }
        Ok(())
    }
}
