//! Shell scripts: what a kept one sources and runs.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Shell scripts: what a kept one sources and runs.
pub(super) struct Shell<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Shell<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Shell<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
