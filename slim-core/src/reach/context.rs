//! The image as resolvers see it, and the places in its files that name something.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::application_content::ContentCache;
use super::command;
use super::environment::Environment;
use super::job::Job;
use super::options::{Limits, Options};
use super::package_directories::PackageDirectories;
use super::pattern::{as_path, glob, is_pattern};
use super::resolver::Needs;
use crate::cancel::Cancel;
use crate::image::packages::Packages;
use crate::image::{Config, Entry, LastLink, Outcome, PATH_MAX, Rootfs};
use crate::path::RootPath;
use crate::plan::{Cause, EdgeKind, LeftOutKind};
use crate::store::Store;

/// Verdicts on directories, each for a package: whether they hold files of its parts alone, and no more than may be kept.
pub(super) type Tops = Mutex<BTreeMap<(RootPath, String), bool>>;

/// The image as resolvers see it.
pub(super) struct Context<'a> {
    /// Its file system.
    pub(super) rootfs: &'a Rootfs,
    /// Its config.
    pub(super) config: &'a Config,
    /// The environment of its first process.
    pub(super) environment: &'a Environment,
    /// Which package owns a file.
    pub(super) packages: &'a Packages,
    /// Bounds for what is kept whole.
    pub(super) limits: &'a Limits,
    /// Directories in which languages keep packages.
    pub(super) package_directories: &'a PackageDirectories,
    /// The contents of directories that are kept whole.
    pub(super) contents: ContentCache,
    /// What the image starts, where its container is a job.
    pub(super) job: Option<&'a Job>,
    /// What is known of directories of packages' data.
    pub(super) tops: Tops,
    /// What was found in files before.
    pub(super) store: Option<&'a Store>,
    /// Says when planning is to end.
    pub(super) cancel: &'a Cancel,
}

/// The largest number of paths that one pattern may match, and as many names as are looked at for it.
const MAX_MATCHES: usize = 10_000;
const MAX_LOOKS: usize = 500_000;

/// A place where something is named: a kept file, and its line if that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The file.
    pub(super) file: &'a RootPath,
    /// The line, counted from 1.
    pub(super) line: Option<usize>,
}

impl<'a> Place<'a> {
    /// The place somewhere in `file`.
    pub(super) fn in_file(file: &'a RootPath) -> Self {
        Self { file, line: None }
    }

    /// The place on a line of `file`.
    pub(super) fn on_line(file: &'a RootPath, line: usize) -> Self {
        let line = Some(line);
        Self { file, line }
    }

    /// The cause for what `words` name here (`line 12: import yaml`).
    pub(super) fn cause(&self, edge: EdgeKind, words: &str) -> Cause {
        Cause::Edge {
            edge,
            from: self.file.clone(),
            line: self.line.and_then(|line| u32::try_from(line).ok()),
            quote: Some(words.to_owned()),
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
        package_directories: &'a PackageDirectories,
        cancel: &'a Cancel,
    ) -> Self {
        Self {
            rootfs,
            config,
            environment,
            packages,
            limits: &options.limits,
            job: None,
            tops: Tops::default(),
            store: options.store.as_deref(),
            package_directories,
            contents: ContentCache::default(),
            cancel,
        }
    }

    /// Keeps the program `name` (a name to be found along PATH, or a path), which a source runs.
    pub(super) fn keep_command(&self, needs: &mut Needs<'_>, name: &[u8], place: Place<'_>) {
        if name.len() < PATH_MAX
            && needs.may_look_up()
            && let Some(program) = self.environment.find_program(self.rootfs, name, None)
        {
            let words = crate::path::encode(name);
            needs.follow(&program, &place.cause(EdgeKind::Command, &words));
        }
    }

    /// Keeps the programs that the words of one command start.
    pub(super) fn keep_argv<W: AsRef<[u8]>>(&self, needs: &mut Needs<'_>, argv: &[W], place: Place<'_>) {
        for program in command::programs_of_argv(argv) {
            self.keep_command(needs, &program, place);
        }
    }

    /// Keeps the programs that a line of shell starts.
    pub(super) fn keep_line(&self, needs: &mut Needs<'_>, line: &[u8], place: Place<'_>) {
        for program in command::programs_of_line(line) {
            self.keep_command(needs, &program, place);
        }
    }

    /// Keeps `files` of `directory`, which `cause` needs in part; leaves them out and returns false where they are more
    /// than an application's own directory may hold.
    pub(super) fn keep_files(
        &self,
        needs: &mut Needs<'_>,
        directory: &RootPath,
        files: &[(&RootPath, &Entry)],
        cause: &Cause,
    ) -> bool {
        let bytes: u64 = files.iter().map(|(_, entry)| entry.size()).sum();
        if files.len() as u64 > self.limits.own_files || bytes > self.limits.own_bytes {
            let from = match cause {
                Cause::Edge { from, .. } => from,
                _ => directory,
            };
            let words = cause.detail().unwrap_or_default();
            let why = format!(
                "{from} names something in it that is known only when it runs ({words}), and {} files with {bytes} \
                 bytes are more than --own-files and --own-bytes allow",
                files.len()
            );
            needs.leave_out(directory, LeftOutKind::TooLarge, why);
            return false;
        }
        for (path, _) in files {
            needs.mark(path, cause.clone());
        }
        true
    }

    /// Returns what `path` leads to if it is a regular file, seen from `base`.
    pub(super) fn find_file(
        &self,
        base: &RootPath,
        path: impl AsRef<[u8]>,
    ) -> Option<crate::image::Resolved> {
        let found = self.rootfs.resolve_from(base, path.as_ref(), LastLink::Follow);
        let file = self.rootfs.get(&found.path).is_some_and(|entry| entry.is_file());
        (found.outcome == Outcome::Found && file).then_some(found)
    }

    /// Returns what `path` leads to if it is a directory, seen from `base`.
    pub(super) fn find_directory(
        &self,
        base: &RootPath,
        path: impl AsRef<[u8]>,
    ) -> Option<crate::image::Resolved> {
        let found = self.rootfs.resolve_from(base, path.as_ref(), LastLink::Follow);
        let directory = self.rootfs.get(&found.path).is_some_and(|entry| entry.is_dir());
        (found.outcome == Outcome::Found && directory).then_some(found)
    }

    /// The entries that the absolute path `pattern` matches, sorted, as `glob(3)` finds them: `*`, `?` and `[…]`
    /// stand for a part of one name, and only for a leading dot where the pattern has it. Links on the way are in the
    /// paths as they were followed. A pattern with `..` matches nothing.
    pub(super) fn find_matches(&self, pattern: &[u8]) -> Vec<RootPath> {
        if !pattern.starts_with(b"/") || pattern.len() > PATH_MAX {
            return Vec::new();
        }
        let mut found = vec![RootPath::root()];
        let mut looks = 0;
        for name in pattern
            .split(|&b| b == b'/')
            .filter(|n| !n.is_empty() && *n != b".")
        {
            if name == b".." || found.is_empty() {
                return Vec::new();
            }
            let glob = if is_pattern(name) {
                let Some(glob) = glob(name) else { return Vec::new() };
                Some(glob)
            } else {
                None
            };
            let mut next = Vec::new();
            for directory in &found {
                let real = self.rootfs.resolve(directory, LastLink::Follow);
                if real.outcome != Outcome::Found {
                    continue;
                }
                let Some(glob) = &glob else {
                    next.extend(
                        self.rootfs
                            .get(&real.path.child(name))
                            .map(|_| directory.child(name)),
                    );
                    continue;
                };
                for (path, _) in self.rootfs.children(&real.path) {
                    looks += 1;
                    if looks > MAX_LOOKS || next.len() >= MAX_MATCHES {
                        break;
                    }
                    let hidden = |name: &[u8]| name.starts_with(b".");
                    let matches = |n: &&[u8]| (hidden(name) || !hidden(n)) && glob.is_match(as_path(n));
                    next.extend(path.name().filter(matches).map(|name| directory.child(name)));
                }
            }
            found = next;
        }
        found.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::memory::tree;

    /// The matches of `pattern` in a tree with these items.
    fn matches(items: &[(&str, &[u8])], pattern: &str) -> Vec<String> {
        let rootfs = tree(items);
        let config = Config::default();
        let environment = Environment::from_config(&rootfs, &config);
        let packages = Packages::default();
        let (options, cancel) = (Options::default(), Cancel::default());
        let directories = PackageDirectories::new([], []);
        let context = Context::new(
            &rootfs,
            &config,
            &environment,
            &packages,
            &options,
            &directories,
            &cancel,
        );
        let found = context.find_matches(pattern.as_bytes());
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cause_keeps_line_and_words_apart() {
        let file = RootPath::new("/app/main.py");
        let cause = Place::on_line(&file, 12).cause(EdgeKind::Import, "import yaml");
        let json = serde_json::json!({
            "because": "edge", "edge": "import", "from": "/app/main.py", "line": 12, "quote": "import yaml",
        });
        assert_eq!(serde_json::to_value(&cause).unwrap(), json);
        assert_eq!(cause.detail().as_deref(), Some("line 12: import yaml"));
        // Plans of earlier versions had both in one text.
        let old = serde_json::json!({
            "because": "edge", "edge": "import", "from": "/app/main.py", "detail": "line 12: import yaml",
        });
        let old: Cause = serde_json::from_value(old).unwrap();
        assert_eq!(old.detail(), cause.detail());
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let items: &[(&str, &[u8])] = &[
            ("/etc/a.d/1.conf", b""),
            ("/etc/a.d/2.conf", b""),
            ("/etc/a.d/.3.conf", b""),
            ("/etc/a.d/{4}", b""),
            ("/etc/a.d/sub/5.conf", b""),
            ("/etc/b.d", b"-> a.d"),
        ];
        assert_eq!(
            matches(items, "/etc/a.d/*.conf"),
            ["/etc/a.d/1.conf", "/etc/a.d/2.conf"]
        );
        assert_eq!(matches(items, "/etc/a.d/.*"), ["/etc/a.d/.3.conf"]);
        assert_eq!(matches(items, "/etc/b.d/[!1].conf"), ["/etc/b.d/2.conf"]);
        assert_eq!(
            matches(items, "/etc/?.d/1.conf"),
            ["/etc/a.d/1.conf", "/etc/b.d/1.conf"]
        );
        assert_eq!(matches(items, "/etc/a.d/{*}"), ["/etc/a.d/{4}"]);
        assert_eq!(matches(items, "/etc/a.d/*/*.conf"), ["/etc/a.d/sub/5.conf"]);
        for nothing in ["/etc/../*", "etc/*", "/etc/[", "/gone/*", "/etc/a.d/1.conf/*"] {
            assert_eq!(matches(items, nothing), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn a_link_to_its_own_directory_ends() {
        let items: &[(&str, &[u8])] = &[("/a/b", b"-> ."), ("/a/c", b"-> ."), ("/a/d", b"")];
        let pattern = format!("/a{}", "/*".repeat(16));
        assert_eq!(matches(items, &pattern).len(), MAX_MATCHES);
    }
}
