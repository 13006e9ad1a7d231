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
mod configuration;
mod context;
mod directory;
mod elf;
mod exclude;
mod families;
mod graph;
mod guard;
#[cfg(test)]
mod hostile;
mod include;
mod java;
mod link;
mod listed;
mod literal;
mod lua;
mod node;
mod observed;
mod own;
mod package;
mod perl;
mod php;
mod programs;
mod python;
mod ruby;
mod script;
mod shell;
mod source;
mod syntax;
mod tables;
mod tcl;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use elf::parse as elf_parse;
pub use observed::{MissedLook, missed, observed_anything};

use crate::cancel::Cancel;
use crate::image::Image;
use crate::image::packages::Packages;
use crate::path::RootPath;
use crate::plan::{Kept, LeftOut};
use crate::recording::Recording;

use context::Context;
use exclude::Excluded;
use graph::{Graph, Resolver};
use guard::Guard;
use programs::Environment;

/// How much is kept beyond what was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Keep {
    /// What was observed, and what that needs to start: links, loaders, libraries, interpreters.
    Observed,
    /// That, and what the kept things may come to need: modules, plug-ins, data, the application's own directories.
    #[default]
    Closure,
    /// That, and the whole of every package that something kept belongs to.
    Package,
}

/// Bounds for what is kept whole because of where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `--own-files`: files in one directory of the application's own.
    pub own_files: u64,
    /// `--own-bytes`: bytes in it.
    pub own_bytes: u64,
    /// `--listed-files`: entries of a directory that was listed and is not the application's own.
    pub listed_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            own_files: 2000,
            own_bytes: 20_000_000,
            listed_files: 50,
        }
    }
}

/// What the user asks for beyond what was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--keep`.
    pub keep: Keep,
    /// `--exclude`: absolute paths and patterns in the image; each stands for everything below it too, and wins over
    /// every reason to keep.
    pub exclude: Vec<String>,
    /// `--include-shell`: shells are kept, also where they are only named.
    pub include_shell: bool,
    /// `--keep-package`: packages of the distribution that are kept whole.
    pub keep_package: Vec<String>,
    /// Bounds for what is kept whole.
    pub limits: Limits,
    /// `--include`: absolute paths in the image; a directory means everything below it, and `*`, `?`, `[…]`, `{…}`
    /// match as in a shell (`**` over directories too).
    pub include: Vec<String>,
}

/// What is kept of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Every kept path with its causes, nearest to an observation first. All of them are entries of the image.
    pub files: BTreeMap<RootPath, Kept>,
    /// What was named and is left out, sorted.
    pub left_out: Vec<LeftOut>,
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
    /// An excluded path is not absolute.
    #[error(
        "--exclude {path}: paths in the image are absolute; write /{path}, or /**/{path} for any directory"
    )]
    RelativeExclude {
        /// The path.
        path: String,
    },
    /// An excluded pattern has a syntax error.
    #[error("--exclude {pattern}: {reason}; write \\ before a character that is meant as it is")]
    InvalidExclude {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A package to keep is not in the image's databases.
    #[error("--keep-package {name}: the image has no package of that name{}", similar.as_ref().map(|s| format!("; did you mean {s}?")).unwrap_or_default())]
    MissingPackage {
        /// The name.
        name: String,
        /// One that is there and looks like it.
        similar: Option<String>,
    },
    /// A file that no bound on steps ended in time.
    #[error(
        "{path}: it would take longer than anybody waits for to find out what it names; leave it out of the image, or \
         of what is kept (--exclude {path})"
    )]
    TooSlow {
        /// The file.
        path: RootPath,
    },
    /// The work was told to end.
    #[error("interrupted")]
    Cancelled,
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
/// Invalid options, [`Error::Cancelled`] soon after `cancel` says so, and [`Error::TooSlow`]. A file whose bytes cannot be read is a note, since the image can be built without knowing
/// what it needs.
pub fn close(
    image: &Image,
    packages: &Packages,
    recording: &Recording,
    options: &Options,
    cancel: &Cancel,
) -> Result<Reached, Error> {
    let rootfs = &image.rootfs;
    let environment = Environment::of(rootfs, &image.config);
    let excluded = Excluded::of(&options.exclude)?;
    let guard = Guard::of(rootfs, &environment, options.include_shell);
    let context = Context::new(rootfs, &image.config, &environment, packages, options, cancel);
    let mut graph = Graph::new(rootfs, &guard, &excluded, cancel);
    graph.mark_all(observed::roots(rootfs, recording));
    graph.mark_all(config::roots(rootfs, &image.config, &environment));
    graph.mark_all(include::roots(rootfs, &options.include)?);
    graph.mark_all(guard.roots(rootfs));
    graph.mark_all(package::roots(&context, &options.keep_package)?);
    graph.mark_all(package::notes(&context));
    let scripts = script::Scripts::new(&environment);
    let libraries = elf::Libraries::new(rootfs, &environment);
    let structure: [&dyn Resolver; 4] = [&directory::Directories, &link::Links, &scripts, &libraries];
    if options.keep == Keep::Observed {
        return graph.close(&structure);
    }
    graph.mark_all(own::roots(&context));
    graph.mark_all(listed::roots(&context, &observed::listed(rootfs, recording)));
    let needed: [&dyn Resolver; 12] = [
        &families::Families::new(&context),
        &elf::data::Data::new(&context, &libraries),
        &configuration::Configuration::new(&context),
        &shell::Shell::new(&context),
        &python::Python::new(&context),
        &node::NodeJs::new(&context),
        &ruby::Ruby::new(&context),
        &perl::Perl::new(&context),
        &php::Php::new(&context),
        &java::Java::new(&context),
        &lua::Lua::new(&context),
        &tcl::Tcl::new(&context),
    ];
    let whole = package::Package::new(&context);
    let mut resolvers = structure.to_vec();
    resolvers.extend(needed);
    if options.keep == Keep::Package {
        resolvers.push(&whole);
    }
    graph.close(&resolvers)
}
