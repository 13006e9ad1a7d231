//! Perl: what a kept source uses.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Perl: what a kept source uses.
pub(super) struct Perl<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Perl<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Perl<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
