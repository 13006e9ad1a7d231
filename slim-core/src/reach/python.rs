//! Python: what a kept source imports.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Python: what a kept source imports.
pub(super) struct Python<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Python<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Python<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
