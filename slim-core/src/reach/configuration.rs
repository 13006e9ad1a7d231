//! Configuration files: what nginx, Apache and others include and serve.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Configuration files: what nginx, Apache and others include and serve.
pub(super) struct Configuration<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Configuration<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Configuration<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
