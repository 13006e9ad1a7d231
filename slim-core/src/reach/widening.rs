//! Names that are known only when a source runs: they widen to the directory that they stand for.
//!
//! The reader of a language knows how far a computed name can lead: `import_module(f"app.plugins.{name}")` to the
//! modules directly in one package, an autoloader to everything below a directory. All that it can lead to is kept,
//! without tests, documentation, stubs and sources of extensions (`profiles/reach/widened.json`), without what is left
//! out of an application's own directory and within the bounds of one. A note names each such directory with the file
//! and line that it was kept for.

use std::sync::LazyLock;

use globset::GlobSet;

use super::application_directory;
use super::context::{Context, Place};
use super::pattern::{as_path, name_set};
use super::resolver::{Needs, Widened};
use super::tables::Tables;
use super::walk::{MAX_ENTRIES, walk};
use crate::image::Entry;
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;

/// The depth of everything below a directory.
pub(super) const TREE: usize = usize::MAX;
/// The longest quotation of a computed name.
const MAX_WORDS: usize = 80;

static DIRECTORIES: LazyLock<GlobSet> = LazyLock::new(|| name_set(&Tables::built_in().widened.directories));
static FILES: LazyLock<GlobSet> = LazyLock::new(|| name_set(&Tables::built_in().widened.files));

/// Keeps the files of `directory` that a computed name at `place` may lead to; `words` are how it is written there.
///
/// Those are the files at most `depth` levels below the directory (1: directly in it, [`TREE`]: all) that `accept`.
/// Directories of tests and documentation and of other packages (`node_modules`) are not entered.
pub(super) fn widen(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    directory: &RootPath,
    depth: usize,
    place: Place<'_>,
    words: &str,
    accept: impl Fn(&RootPath, &Entry) -> bool,
) {
    if directory.is_root() || !needs.may_look_up() {
        return;
    }
    let above = directory.components().count();
    let entries = walk(context.rootfs, directory, MAX_ENTRIES, |path, entry| {
        let name = path.name().unwrap_or_default();
        if application_directory::left_out(name).is_some() || !application_directory::may_be_kept(entry) {
            return false;
        }
        if entry.is_dir() {
            let packages = context.package_directories;
            return path.components().count() - above < depth
                && !DIRECTORIES.is_match(as_path(name))
                && !packages.is_named(path)
                && !packages.is_marked(context.rootfs, path);
        }
        path != place.file && !FILES.is_match(as_path(name)) && accept(path, entry)
    });
    let files: Vec<_> = entries.into_iter().filter(|(_, entry)| !entry.is_dir()).collect();
    let first = words.split('\n').next().unwrap_or_default();
    let words: String = encode(first.as_bytes()).chars().take(MAX_WORDS).collect();
    if !files.is_empty()
        && context.keep_files(needs, directory, &files, &place.cause(EdgeKind::Computed, &words))
    {
        needs.widened.push(Widened {
            directory: directory.clone(),
            from: place.file.clone(),
            line: place.line,
            words,
            files: files.len(),
            bytes: files.iter().map(|(_, entry)| entry.size()).sum(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::json;

    use super::*;
    use crate::cancel::Cancel;
    use crate::image::{Config, memory::tree, packages};
    use crate::plan::Cause;
    use crate::reach::environment::Environment;
    use crate::reach::exclude_option::Excluded;
    use crate::reach::graph::{Graph, Reached};
    use crate::reach::guard::Guard;
    use crate::reach::options::{Limits, Options};
    use crate::reach::resolver::{Node, Resolver};

    const ITEMS: &[(&str, &[u8])] = &[
        ("/p/load.py", b""),
        ("/p/a.py", b"12345"),
        ("/p/b.txt", b""),
        ("/p/a.pyi", b""),
        ("/p/fast.c", b""),
        ("/p/test_a.py", b""),
        ("/p/.git/x.py", b""),
        ("/p/tests/x.py", b""),
        ("/p/node_modules/x/x.py", b""),
        ("/p/sub/c.py", b"123"),
        ("/p/sub/docs/x.py", b""),
        ("/q/d.py", b""),
    ];

    /// A source at `/p/load.py` that computes a name.
    struct Loads<'a>(&'a Context<'a>, usize);

    impl Resolver for Loads<'_> {
        fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
            if node.path.name() == Some(b"load.py") {
                let place = Place::on_line(node.path, 3);
                let source = |path: &RootPath, _: &Entry| path.extension() == Some(b"py");
                widen(self.0, needs, &"/p".into(), self.1, place, "load(x)\ny", source);
            }
            Ok(())
        }
    }

    fn widened(depth: usize, limits: Limits) -> Reached {
        let rootfs = tree(ITEMS);
        let config = Config(json!({}).as_object().unwrap().clone());
        let environment = Environment::from_config(&rootfs, &config);
        let packages = packages::owners(&rootfs);
        let options = Options {
            limits,
            ..Options::default()
        };
        let cancel = Cancel::default();
        let directories = crate::reach::languages::package_directories();
        let context = Context::new(
            &rootfs,
            &config,
            &environment,
            &packages,
            &options,
            directories,
            &cancel,
        );
        let guard = Guard::new(&rootfs, &environment, &packages, None, false);
        let excluded = Excluded::parse(&[]).unwrap();
        let mut graph = Graph::new(&rootfs, &guard, &excluded, &cancel);
        let mut roots = Needs::new(&rootfs);
        let flag = "--include".to_owned();
        roots.mark(&"/p/load.py".into(), Cause::Option { flag });
        graph.mark_all(roots);
        graph.close(&[Box::new(Loads(&context, depth))]).unwrap()
    }

    fn files(reached: &Reached) -> Vec<String> {
        let paths = reached.files.keys().filter(|path| !path.is_root());
        paths.map(ToString::to_string).collect()
    }

    #[test]
    fn a_computed_name_keeps_what_it_can_lead_to_and_a_note_says_so() {
        let direct = widened(1, Limits::default());
        assert_eq!(files(&direct), ["/p/a.py", "/p/load.py"]);
        assert_eq!(
            direct.notes,
            [
                "/p: kept wide (1 files, 5 bytes), since /p/load.py:3 names what it loads only when it runs: load(x)"
            ]
        );
        let cause = &direct.files[&RootPath::new("/p/a.py")].causes[0];
        let Cause::Edge { edge, from, line, .. } = cause else {
            panic!("{cause:?}");
        };
        let from = from.to_string();
        assert_eq!(
            (*edge, from.as_str(), *line),
            (EdgeKind::Computed, "/p/load.py", Some(3))
        );
        let whole = widened(TREE, Limits::default());
        assert_eq!(files(&whole), ["/p/a.py", "/p/load.py", "/p/sub/c.py"]);
    }

    #[test]
    fn what_exceeds_the_bounds_of_a_directory_is_left_out_and_reported() {
        let limits = Limits {
            own_bytes: 7,
            ..Limits::default()
        };
        let reached = widened(TREE, limits);
        assert_eq!(files(&reached), ["/p/load.py"]);
        assert_eq!(reached.left_out.len(), 1);
        assert_eq!(reached.left_out[0].path, RootPath::new("/p"));
        assert_eq!(reached.notes, Vec::<String>::new());
    }
}
