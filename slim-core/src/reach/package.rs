//! Packages of the distribution.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Packages of the distribution.
pub(super) struct Package<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Package<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Package<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
