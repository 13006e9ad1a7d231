//! What every resolver may ask about the image, and the needs that several of them name in the same way.

use super::graph::Needs;
use super::programs::Environment;
use super::{Limits, Options, literal, own};
use crate::image::packages::Packages;
use crate::image::{Config, Outcome, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind};

/// The image as resolvers see it.
pub(super) struct Context<'a> {
    /// Its file system.
    pub(super) rootfs: &'a Rootfs,
    /// Its config.
    pub(super) config: &'a Config,
    /// What its first process is given.
    pub(super) environment: &'a Environment,
    /// Which package owns a file.
    pub(super) packages: &'a Packages,
    /// Bounds for what is kept whole.
    pub(super) limits: &'a Limits,
}

/// Where something is named: a kept file, and its line if that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The file.
    pub(super) file: &'a RootPath,
    /// The line, counted from 1.
    pub(super) line: Option<usize>,
}

impl<'a> Place<'a> {
    /// Somewhere in `file`.
    pub(super) fn of(file: &'a RootPath) -> Self {
        Self { file, line: None }
    }

    /// On a line of `file`.
    pub(super) fn at(file: &'a RootPath, line: usize) -> Self {
        let line = Some(line);
        Self { file, line }
    }

    /// The cause for what `words` name here (`line 12: import yaml`).
    pub(super) fn cause(&self, edge: EdgeKind, words: &str) -> Cause {
        let detail = match self.line {
            Some(line) => format!("line {line}: {words}"),
            None => words.to_owned(),
        };
        Cause::Edge {
            edge,
            from: self.file.clone(),
            detail: Some(detail),
        }
    }
}

impl<'a> Context<'a> {
    /// The image as resolvers see it with `options`.
    pub(super) fn new(
        rootfs: &'a Rootfs,
        config: &'a Config,
        environment: &'a Environment,
        packages: &'a Packages,
        options: &'a Options,
    ) -> Self {
        Self {
            rootfs,
            config,
            environment,
            packages,
            limits: &options.limits,
        }
    }

    /// A source or configuration names the absolute path `path`: what stands there is needed, if it is in the image.
    ///
    /// A file is kept; a directory only if it is the application's own ([`Context::own_directory`]).
    pub(super) fn literal(&self, needs: &mut Needs<'_>, path: &[u8], place: Place<'_>) {
        literal::named(self, needs, path, place);
    }

    /// `directory` is named as the application's own: what is in it is kept, within bounds.
    pub(super) fn own_directory(&self, needs: &mut Needs<'_>, directory: &RootPath, cause: &Cause) {
        own::directory(self, needs, directory, cause);
    }

    /// A source names the program `name` (a name to be found along PATH, or a path) to run it.
    pub(super) fn command(&self, needs: &mut Needs<'_>, name: &[u8], place: Place<'_>) {
        if let Some(program) = self.environment.program(self.rootfs, name, None) {
            let words = crate::path::encode(name);
            needs.follow(&program, &place.cause(EdgeKind::Command, &words));
        }
    }

    /// What `path` leads to if it is a regular file, seen from `base`.
    pub(super) fn file(&self, base: &RootPath, path: impl AsRef<[u8]>) -> Option<crate::image::Resolved> {
        let found = self.rootfs.resolve_from(base, path.as_ref(), true);
        let file = self.rootfs.get(&found.path).is_some_and(|entry| entry.is_file());
        (found.outcome == Outcome::Found && file).then_some(found)
    }

    /// What `path` leads to if it is a directory, seen from `base`.
    pub(super) fn directory(
        &self,
        base: &RootPath,
        path: impl AsRef<[u8]>,
    ) -> Option<crate::image::Resolved> {
        let found = self.rootfs.resolve_from(base, path.as_ref(), true);
        let directory = self.rootfs.get(&found.path).is_some_and(|entry| entry.is_dir());
        (found.outcome == Outcome::Found && directory).then_some(found)
    }
}
