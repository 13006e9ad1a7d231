//! Tcl: what a kept source requires.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Tcl: what a kept source requires.
pub(super) struct Tcl<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Tcl<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Tcl<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
