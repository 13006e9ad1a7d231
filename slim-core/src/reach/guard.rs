//! Shells and package managers, which are never kept because of a name alone.
//!
//! A program that names a shell usually runs it only in cases that production never meets, and an image
//! with a shell serves whoever breaks in. So a shell stays where the recording saw it used, where the image's config
//! or the user names it, where a server of log-in sessions starts it, where the program that a job starts runs it, and where a script of the application's that
//! configuration or a source names is run by it; elsewhere its place is reported, and `--include-shell` keeps it.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::packages::Packages;
use crate::image::{LastLink, Outcome, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, Kept, LeftOut, LeftOutKind};
use crate::reach::environment::Environment;
use crate::reach::job::Job;
use crate::reach::pattern::is_version_of;
use crate::reach::resolver::Needs;
use crate::reach::tables::Tables;

/// Shells and package managers of an image.
pub(super) struct Guard<'a> {
    packages: &'a Packages,
    /// Their files, links followed.
    programs: BTreeSet<RootPath>,
    shells: Vec<RootPath>,
    job: Option<&'a Job>,
    include_shell: bool,
}

impl<'a> Guard<'a> {
    /// Finds the image's shells and package managers where programs are looked for.
    pub(super) fn new(
        rootfs: &Rootfs,
        environment: &Environment,
        packages: &'a Packages,
        job: Option<&'a Job>,
        include_shell: bool,
    ) -> Self {
        let tables = Tables::built_in();
        let all: Vec<RootPath> = environment
            .program_directories(rootfs)
            .iter()
            .flat_map(|directory| rootfs.children(directory))
            .map(|(path, _)| path.clone())
            .collect();
        let find = |names: &[String]| -> Vec<RootPath> {
            let named = all.iter().filter(|path| {
                names
                    .iter()
                    .any(|name| is_version_of(path.name().unwrap_or_default(), name))
            });
            let found = named.map(|path| rootfs.resolve(path, LastLink::Follow));
            let found = found.filter(|found| rootfs.get(&found.path).is_some_and(|entry| entry.is_file()));
            found.map(|found| found.path).collect()
        };
        let shells = find(&tables.programs.shells);
        let mut programs: BTreeSet<RootPath> = find(&tables.programs.package_managers).into_iter().collect();
        if !include_shell {
            programs.extend(shells.iter().cloned());
        }
        Self {
            packages,
            programs,
            shells,
            job,
            include_shell,
        }
    }

    /// Roots for `--include-shell`.
    pub(super) fn roots<'r>(&self, rootfs: &'r Rootfs) -> Needs<'r> {
        let mut needs = Needs::new(rootfs);
        if self.include_shell {
            let flag = "--include-shell".to_owned();
            let shell = rootfs.resolve(&RootPath::new("/bin/sh"), LastLink::Follow);
            if shell.outcome == Outcome::Found {
                needs.follow(&shell, &Cause::Option { flag: flag.clone() });
            }
            for shell in &self.shells {
                needs.mark(shell, Cause::Option { flag: flag.clone() });
            }
        }
        needs
    }

    /// Returns why `path` is not kept for `cause`, if it isn't.
    pub(super) fn refuse(
        &self,
        rootfs: &Rootfs,
        kept: &BTreeMap<RootPath, Kept>,
        path: &RootPath,
        cause: &Cause,
    ) -> Option<LeftOut> {
        let Cause::Edge {
            edge,
            from,
            line,
            quote,
        } = cause
        else {
            return None;
        };
        // A link to a shell is as good as the shell.
        let end = match rootfs.get(path) {
            Some(entry) if entry.is_symlink() => &rootfs.resolve(path, LastLink::Follow).path,
            _ => path,
        };
        if !self.programs.contains(end)
            || kept.contains_key(end)
            || (*edge == EdgeKind::User && self.shells.contains(end))
            || (*edge == EdgeKind::Command
                && quote.as_deref() == Some("sh")
                && self.job.is_some_and(|job| job.is_told(from))
                && self.shells.contains(end))
            || self.is_named_script(kept, *edge, from)
            || self.is_reached_from_use(kept, *edge, from)
        {
            return None;
        }
        let shell = self.shells.contains(end);
        // A line stands behind the file's name, as compilers write it.
        let place = line.map_or_else(|| from.to_string(), |line| format!("{from}:{line}"));
        let named = quote
            .as_ref()
            .map(|words| format!(" ({words})"))
            .unwrap_or_default();
        let (kind, what, remedy) = if shell {
            (LeftOutKind::Shell, "a shell", "--include-shell".to_owned())
        } else {
            (
                LeftOutKind::PackageManager,
                "a package manager",
                format!("--include {path}"),
            )
        };
        Some(LeftOut {
            path: path.clone(),
            kind,
            from: Some(from.clone()),
            line: *line,
            why: format!("{place} would run {what}{named}"),
            remedy,
        })
    }

    /// Returns whether the kernel leads there from a script of the application's that something names to run it: one
    /// that only stands in a directory that is kept may be anything.
    fn is_named_script(&self, kept: &BTreeMap<RootPath, Kept>, edge: EdgeKind, script: &RootPath) -> bool {
        let names = |cause: &Cause| {
            matches!(
                cause,
                Cause::Edge {
                    edge: EdgeKind::Literal | EdgeKind::Command,
                    ..
                }
            )
        };
        edge == EdgeKind::Interpreter
            && self.packages.owner(script).is_none()
            && kept.get(script).is_some_and(|kept| kept.causes.iter().any(names))
    }

    /// Returns whether the kernel or a link leads there from something that was seen, or that the config or the user
    /// named.
    fn is_reached_from_use(&self, kept: &BTreeMap<RootPath, Kept>, edge: EdgeKind, from: &RootPath) -> bool {
        let structural = |edge: EdgeKind| matches!(edge, EdgeKind::Interpreter | EdgeKind::Target);
        if !structural(edge) {
            return false;
        }
        let mut seen = BTreeSet::from([from]);
        let mut todo = vec![from];
        while let Some(path) = todo.pop() {
            for cause in kept.get(path).map_or(&[][..], |kept| &kept.causes) {
                match cause {
                    Cause::Edge { edge, from, .. } if structural(*edge) => {
                        if seen.insert(from) {
                            todo.push(from);
                        }
                    }
                    Cause::Edge { .. } => {}
                    _ => return true,
                }
            }
        }
        false
    }
}
