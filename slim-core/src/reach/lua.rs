//! Lua: what a kept source requires.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Lua: what a kept source requires.
pub(super) struct Lua<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Lua<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Lua<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
