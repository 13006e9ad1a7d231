//! PHP: what a kept source includes.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// PHP: what a kept source includes.
pub(super) struct Php<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Php<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Php<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
