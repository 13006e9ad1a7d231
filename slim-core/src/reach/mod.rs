//! What an image must keep: mark and sweep over its file system.
//!
//! Roots are what the recording observed, what the image's config names and what the user includes. From there edges
//! lead to what the kept things need but the run didn't happen to touch: a directory for what stands in it, a link's
//! target, a script's interpreter, an ELF file's loader and libraries. Every kind of edge is one `Resolver`, in a file
//! of its own, and every language one of [`LANGUAGES`]; a work-list applies all of them to every newly kept path, level
//! by level, until nothing new comes. Whatever is kept works as it did, however it was used, so all resolvers see all
//! kept paths.
//!
//! [`close`] is a function of its arguments: it reads the index and bytes of the image, and nothing else.

// Tables and helpers of languages stand unused in a library without them.
#![cfg_attr(not(feature = "languages"), allow(dead_code))]

mod absolute_path;
mod application_content;
mod application_directory;
#[cfg(test)]
mod arrows;
mod bytes;
pub mod calls;
mod command;
mod commands;
mod configuration;
mod context;
mod elf;
mod environment;
mod error;
mod exclude_option;
mod file_family;
mod graph;
mod guard;
mod hash_bang;
#[cfg(test)]
mod hostile;
mod job;
mod languages;
mod log_in;
mod options;
mod package_data;
mod package_directories;
mod parent_directory;
mod pattern;
mod repository;
mod resolver;
mod roots;
mod served_directory;
mod symbolic_link;
mod tables;
#[cfg(test)]
mod tests;
mod walk;
mod whole_package;
mod widening;

pub use elf::parse as elf_parse;
pub use error::Error;
pub use graph::Reached;
pub use languages::{LANGUAGES, Language, Sample};
pub use options::{Keep, Limits, Options, SeccompReach};
pub use roots::observed::{MissedLook, missed, observed_anything};

use crate::cancel::Cancel;
use crate::image::Image;
use crate::image::packages::Packages;
use crate::recording::Recording;

use context::Context;
use environment::Environment;
use exclude_option::Excluded;
use graph::Graph;
use guard::Guard;
use job::Job;
use resolver::Resolver;
use roots::{image_config, include_option, listed_directory, observed};

/// The files of `image` that a container needs to go on doing what `recording` saw, each with its causes.
///
/// Pure but for reading bytes of the image; deterministic, whatever the number of threads.
///
/// # Errors
/// Invalid options, [`Error::Cancelled`] soon after `cancel` says so, and [`Error::TooSlow`]. A file whose bytes cannot
/// be read is a note, since the image can be built without knowing what it needs.
pub fn close(
    image: &Image,
    packages: &Packages,
    recording: &Recording,
    options: &Options,
    cancel: &Cancel,
) -> Result<Reached, Error> {
    let rootfs = &image.rootfs;
    let environment = Environment::from_config(rootfs, &image.config);
    let excluded = Excluded::parse(&options.exclude)?;
    let job = Job::of(rootfs, &image.config, &environment, recording);
    let guard = Guard::new(
        rootfs,
        &environment,
        packages,
        job.as_ref(),
        options.include_shell,
    );
    let mut context = Context::new(
        rootfs,
        &image.config,
        &environment,
        packages,
        options,
        languages::package_directories(),
        cancel,
    );
    context.job = job.as_ref();
    let mut graph = Graph::new(rootfs, &guard, &excluded, cancel);
    graph.mark_all(observed::roots(rootfs, recording));
    graph.mark_all(image_config::roots(rootfs, &image.config, &environment));
    graph.mark_all(include_option::roots(rootfs, &options.include)?);
    graph.mark_all(guard.roots(rootfs));
    graph.mark_all(whole_package::roots(&context, &options.keep_package)?);
    graph.mark_all(whole_package::notes(&context));
    let libraries = elf::Libraries::new(rootfs, &environment);
    let mut resolvers: Vec<Box<dyn Resolver + '_>> = vec![
        Box::new(parent_directory::ParentDirectories),
        Box::new(symbolic_link::SymbolicLinks),
        Box::new(hash_bang::Interpreters::new(
            &environment,
            context.package_directories,
        )),
        Box::new(&libraries),
    ];
    if options.keep >= Keep::Closure {
        graph.mark_all(application_directory::roots(&context));
        graph.mark_all(listed_directory::roots(
            &context,
            &observed::listed(rootfs, recording),
        ));
        resolvers.push(Box::new(file_family::Families::new(&context)));
        resolvers.push(Box::new(elf::data::Data::new(&context, &libraries)));
        resolvers.push(Box::new(log_in::LogIn::new(&context)));
        resolvers.push(Box::new(repository::Repositories::new(&context)));
        resolvers.push(Box::new(configuration::Configuration::new(&context)));
        resolvers.extend(LANGUAGES.iter().map(|language| (language.resolver)(&context)));
    }
    if options.keep >= Keep::Package {
        resolvers.push(Box::new(whole_package::WholePackages::new(&context)));
    }
    let mut reached = graph.close(&resolvers)?;
    drop(resolvers);
    reached.objects = libraries.objects(&reached.files);
    Ok(reached)
}
