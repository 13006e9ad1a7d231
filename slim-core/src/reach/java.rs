//! Java: the class path of kept jars, and the data of the runtime.

use std::io;

use super::context::Context;
use super::graph::{Needs, Node, Resolver};

/// Java: the class path of kept jars, and the data of the runtime.
pub(super) struct Java<'a> {
    _context: &'a Context<'a>,
}

impl<'a> Java<'a> {
    /// Resolves in `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self { _context: context }
    }
}

impl Resolver for Java<'_> {
    fn resolve(&self, _: &Node<'_>, _: &mut Needs<'_>) -> io::Result<()> {
        Ok(())
    }
}
