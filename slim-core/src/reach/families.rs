//! Families of files that kept libraries load by name when they are used.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Families of files that kept libraries load by name when they are used.
pub(super) struct Families<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Families<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Families<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
