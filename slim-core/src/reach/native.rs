//! Programs in machine code: libraries loaded by name, paths in read-only data, and the data that the standard libraries of Go and Rust look for.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Programs in machine code: libraries loaded by name, paths in read-only data, and the data that the standard libraries of Go and Rust look for.
pub(super) struct Native<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Native<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Native<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
