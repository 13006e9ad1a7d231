//! The description of one language.

use crate::reach::context::Context;
use crate::reach::resolver::Resolver;

/// A language whose sources name what they need, as its file describes it.
#[derive(Debug)]
pub struct Language {
    /// The name that documents use.
    pub name: &'static str,
    /// An image for tests with hostile input.
    pub sample: Sample,
    /// Makes the resolver of its sources.
    pub(in crate::reach) resolver: for<'a> fn(&'a Context<'a>) -> Box<dyn Resolver + 'a>,
    /// Names and patterns of directories that hold installed packages; one with a slash stands for the path's last two
    /// names.
    pub(in crate::reach) package_directories: &'static [&'static str],
    /// Files, seen from a directory, that mark it as one of installed packages.
    pub(in crate::reach) package_markers: &'static [&'static str],
}

/// The files of an image in which sources of a language are found.
#[derive(Debug)]
pub struct Sample {
    /// Files whose content is the tester's choice; all of them are kept.
    pub hostile: &'static [&'static str],
    /// Files with their content; `-> ` begins a link's target.
    pub fixed: &'static [(&'static str, &'static str)],
}
