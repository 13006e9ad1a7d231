//! Directories that the application listed.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Directories that the application listed.
pub(super) struct Listed<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Listed<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Listed<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
