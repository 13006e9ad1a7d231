//! Node.js: what a kept source requires and imports.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Node.js: what a kept source requires and imports.
pub(super) struct NodeJs<'a> {
    _context: &'a Context<'a>,
}

impl<'a> NodeJs<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for NodeJs<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
