//! What an image must keep: mark and sweep over its file system.
//!
//! Roots are what the recording observed, what the image's config names and what the user includes. From there edges
//! lead to what the kept things need but the run didn't happen to touch: a directory for what stands in it, a
//! link's target, a script's interpreter, an ELF file's loader and libraries. Every kind of edge is one `Resolver`,
//! in a file of its own; a work-list applies all of them to every newly kept path, level by level, until nothing new
//! comes. Whatever is kept works as it did, however it was used, so all resolvers see all kept paths.
//!
//! [`close`] is a function of its arguments: it reads the index and bytes of the image, and nothing else.

mod config;
mod directory;
mod elf;
mod graph;
mod include;
mod link;
mod observed;
mod programs;
mod script;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use elf::parse as elf_parse;
pub use observed::observed_anything;

use crate::image::Image;
use crate::path::RootPath;
use crate::plan::Kept;
use crate::recording::Recording;

use graph::{Graph, Resolver};
use programs::Environment;

/// What the user asks for beyond what was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--include`: absolute paths in the image; a directory means everything below it, and `*`, `?`, `[…]`, `{…}`
    /// match as in a shell (`**` over directories too).
    pub include: Vec<String>,
}

/// What is kept of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Every kept path with its causes, nearest to an observation first. All of them are entries of the image.
    pub files: BTreeMap<RootPath, Kept>,
    /// What the user should know, sorted.
    pub notes: Vec<String>,
}

/// Why the kept set could not be computed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An included path is not absolute.
    #[error("--include {path}: paths in the image are absolute; write /{path}")]
    RelativeInclude {
        /// The path.
        path: String,
    },
    /// An included pattern has a syntax error.
    #[error("--include {pattern}: {reason}; write \\ before a character that is meant as it is")]
    InvalidInclude {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An included path is not in the image.
    #[error("--include {path}: not in the image{}", link.as_ref().map(|l| format!(" (it leads to {l}, which is not there)")).unwrap_or_default())]
    MissingInclude {
        /// The path or pattern.
        path: String,
        /// Where links lead, if that is elsewhere.
        link: Option<RootPath>,
    },
}

/// The files of `image` that a container needs to go on doing what `recording` saw, each with its causes.
///
/// Pure but for reading bytes of the image; deterministic, whatever the number of threads.
///
/// # Errors
/// Invalid `--include`s. A file whose bytes cannot be read is a note, since the image can be built without knowing
/// what it needs.
pub fn close(image: &Image, recording: &Recording, options: &Options) -> Result<Reached, Error> {
    let rootfs = &image.rootfs;
    let environment = Environment::of(rootfs, &image.config);
    let mut graph = Graph::new(rootfs);
    graph.mark_all(observed::roots(rootfs, recording));
    graph.mark_all(config::roots(rootfs, &image.config, &environment));
    graph.mark_all(include::roots(rootfs, &options.include)?);
    let resolvers: [&dyn Resolver; 4] = [
        &directory::Directories,
        &link::Links,
        &script::Scripts::new(&environment),
        &elf::Libraries::new(rootfs, &environment),
    ];
    Ok(graph.close(&resolvers))
}
