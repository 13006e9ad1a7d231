//! Syntax trees of source code out of an image, through tree-sitter's grammars, within bounds.
//!
//! A grammar recovers from errors, so half a file is read where the other half is of a newer version of the language.
//! A source is hostile input to a library and to scanners in C, so every parse is bounded in
//! * bytes: [`MAX_SOURCE`];
//! * depth: the library recurses at most once for a byte (where it merges stacks, and in Perl's scanner of nested
//!   quotes), so the parse runs on a stack with [`FRAME`] bytes for each; trees are walked without recursion;
//! * steps: reports of progress by the parser ([`MAX_PROGRESS`]), bytes that its scanners ask for ([`MAX_LEXED`]), and
//!   the sizes of the visited nodes taken together ([`MAX_WEIGHT`]), which bound what readers of their text can cost;
//! * time: [`MAX_PARSE_TIME`], a last resort. What no step count foresees ends slim with an error that names the file.
//!
//! All but the last depend on the source alone: the same file gives the same result on any machine.

use std::cell::Cell;
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tree_sitter::{Language, Node, ParseOptions, Parser, Tree, TreeCursor};
use tree_sitter_language::LanguageFn;

use crate::cancel::Cancel;
use crate::path::RootPath;
use crate::reach::context::Context;
use crate::reach::resolver::MAX_SOURCE;
use crate::reach::resolver::Needs;
use crate::reach::{absolute_path, application_directory};

/// Bytes of stack for each byte of a source. The frames that recur take 144 at most (x86-64, any optimisation).
const FRAME: usize = 256;
/// Bytes of stack for everything else, and the size of a source that any thread's stack carries.
const STACK: usize = 512 << 10;
const SMALL_SOURCE: usize = 2048;
/// Bytes of the stack on which one source after the other is parsed, if it is enough: that of 62 kB.
const COMMON_STACK: usize = 16 << 20;
/// The size from which a source waits for others, and the bytes of such sources that have trees at once, unless one alone is
/// larger: a tree takes some 40 times the memory of its source.
const LARGE_SOURCE: usize = 64 << 10;
const MAX_TOGETHER: usize = 640 << 10;
/// Reports of progress that a parser may make for any source, and for each byte of it one in so many. Each stands for
/// a hundred steps; of 6,700 real sources one made more than one for 22 bytes, and none more than one for 14.
const MAX_PROGRESS: (usize, usize) = (500, 8);
/// Bytes that scanners may ask for in any source, and for each byte of it. Real sources: up to 23.
const MAX_LEXED: (usize, usize) = (16 << 20, 32);
/// Bytes handed out at once, so that a scanner that runs on and on is seen to.
const CHUNK: usize = 1024;
/// The sum of the sizes of all visited nodes. Real sources: up to 77 times their own size, large ones up to 27 times.
const MAX_WEIGHT: u64 = 512 << 20;
/// The longest that one parse may take.
const MAX_PARSE_TIME: Duration = Duration::from_secs(30);
/// The time that a parser has to report that it takes too long.
const MAX_REPORT_TIME: Duration = Duration::from_secs(5);
/// The interval at which cancellation is checked while a parser runs.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// The part of a source that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Not, or not to its end: it is larger than [`MAX_SOURCE`].
    TooLarge,
    /// Not, or not to its end: it would take too many steps.
    TooComplex,
    /// The parser took longer than [`MAX_PARSE_TIME`].
    TooSlow,
    /// Not, as planning is to end.
    Cancelled,
}

impl Extent {
    /// Reports what could not be read of `file`; the absolute paths in an application's source are followed as words.
    pub(super) fn report_limits(
        self,
        context: &Context<'_>,
        needs: &mut Needs<'_>,
        file: &RootPath,
        source: &[u8],
    ) {
        let why = match self {
            Self::Whole | Self::Cancelled => return,
            Self::TooSlow => return needs.is_slow = true,
            Self::TooLarge => "too large to be parsed",
            Self::TooComplex => "takes too many steps to parse",
        };
        needs.add_note(format!(
            "{file}: {why}, so of what it names only absolute paths are followed"
        ));
        if application_directory::may_be_own_file(context, file) {
            absolute_path::keep_words(context, needs, file, source);
        }
    }
}

/// Calls `visit` for every node of the source, parents before children, in the order of the text, as far as the bounds
/// allow.
///
/// `visit` waits for nothing that another thread parses: that may wait for the room which this source takes.
pub(super) fn visit(
    language: LanguageFn,
    source: &[u8],
    cancel: &Cancel,
    mut visit: impl FnMut(Node<'_>),
) -> Extent {
    if source.len() as u64 > MAX_SOURCE {
        return Extent::TooLarge;
    }
    let _room = Room::wait_for(source.len());
    let language = Language::from(language);
    let parsed = if source.len() <= SMALL_SOURCE {
        parse(&language, source, cancel)
    } else {
        parse_apart(language, source, cancel)
    };
    let tree = match parsed {
        Ok(tree) => tree,
        Err(extent) => return extent,
    };
    let mut weight = 0;
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        weight += node.byte_range().len() as u64;
        if weight > MAX_WEIGHT {
            return Extent::TooComplex;
        }
        visit(node);
        if !cursor.goto_first_child() && !advance(&mut cursor) {
            return Extent::Whole;
        }
    }
}

/// The room that the tree of a large source takes among those of others, for as long as it lives.
struct Room(usize);

/// The bytes of large sources that have trees.
static LARGE: Mutex<usize> = Mutex::new(0);
static LESS: Condvar = Condvar::new();

thread_local! {
    /// True while this thread has room: a source that is read inside another does not wait for it.
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

impl Room {
    /// Waits until there is room for the tree of a source with so many bytes; none is needed for a small one.
    fn wait_for(bytes: usize) -> Option<Self> {
        if bytes < LARGE_SOURCE || HAS_ROOM.replace(true) {
            return None;
        }
        let large = LARGE.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |large: &mut usize| *large > 0 && *large + bytes > MAX_TOGETHER;
        let mut large = LESS
            .wait_while(large, is_full)
            .unwrap_or_else(PoisonError::into_inner);
        *large += bytes;
        Some(Self(bytes))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *LARGE.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        HAS_ROOM.set(false);
        LESS.notify_all();
    }
}

/// A thread that parses.
struct Worker {
    jobs: mpsc::Sender<Job>,
}

/// A source to parse.
struct Job {
    language: Language,
    source: Vec<u8>,
    cancel: Cancel,
    parsed: mpsc::Sender<Result<Tree, Extent>>,
}

thread_local! {
    /// The worker of this thread, with a stack of [`COMMON_STACK`]. One for each source would cost more time than most
    /// sources, and memory, which the allocator keeps apart for each.
    static WORKER: Cell<Option<Worker>> = const { Cell::new(None) };
}

impl Worker {
    fn start(stack: usize) -> io::Result<Self> {
        let (jobs, todo) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("parser".to_owned())
            .stack_size(stack)
            .spawn(move || {
                for job in todo {
                    // Nobody listens any more where it took too long.
                    let _ = job.parsed.send(parse(&job.language, &job.source, &job.cancel));
                }
            })?;
        Ok(Self { jobs })
    }
}

/// Parses on a thread with a stack that no nesting of `source` exhausts. It is left to itself where it neither ends nor
/// reports progress in time.
fn parse_apart(language: Language, source: &[u8], cancel: &Cancel) -> Result<Tree, Extent> {
    let stack = STACK + source.len() * FRAME;
    let is_common = stack <= COMMON_STACK;
    let worker = match is_common.then(|| WORKER.take()).flatten() {
        Some(worker) => worker,
        // No memory for the stack: another machine has it, so this may not make another plan.
        None => Worker::start(stack.max(COMMON_STACK)).map_err(|_| Extent::TooSlow)?,
    };
    let (parsed, receiver) = mpsc::channel();
    let job = Job {
        language,
        source: source.to_vec(),
        cancel: cancel.clone(),
        parsed,
    };
    worker.jobs.send(job).map_err(|_| Extent::TooComplex)?;
    let began = Instant::now();
    loop {
        match receiver.recv_timeout(CANCEL_INTERVAL) {
            Ok(parsed) => {
                // The pages of a larger stack may all have been used.
                if is_common {
                    WORKER.set(Some(worker));
                }
                return parsed;
            }
            // It panicked.
            Err(RecvTimeoutError::Disconnected) => return Err(Extent::TooComplex),
            Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => return Err(Extent::Cancelled),
            Err(RecvTimeoutError::Timeout) if began.elapsed() > MAX_PARSE_TIME + MAX_REPORT_TIME => {
                return Err(Extent::TooSlow);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn parse(language: &Language, source: &[u8], cancel: &Cancel) -> Result<Tree, Extent> {
    let mut parser = Parser::new();
    if parser.set_language(language).is_err() {
        return Err(Extent::TooComplex);
    }
    let within = |(always, each): (usize, usize)| always + source.len() * each;
    let (max_progress, max_lexed) = (MAX_PROGRESS.0 + source.len() / MAX_PROGRESS.1, within(MAX_LEXED));
    let began = Instant::now();
    let (mut progress, mut lexed) = (0, 0);
    let mut why = Extent::TooComplex;
    let mut bounded = |_: &tree_sitter::ParseState| {
        progress += 1;
        if cancel.is_cancelled() {
            why = Extent::Cancelled;
        } else if progress <= max_progress {
            if began.elapsed() < MAX_PARSE_TIME {
                return ControlFlow::Continue(());
            }
            why = Extent::TooSlow;
        }
        ControlFlow::Break(())
    };
    let options = ParseOptions::new().progress_callback(&mut bounded);
    let mut read = |at: usize, _| {
        let rest = source.get(at..).unwrap_or_default();
        let chunk = &rest[..rest.len().min(CHUNK)];
        lexed += chunk.len();
        // Where a scanner asks for too much, the source seems to end, and so does any scanner.
        if lexed > max_lexed { &[] } else { chunk }
    };
    let tree = parser.parse_with_options(&mut read, None, Some(options));
    match tree {
        Some(_) if lexed > max_lexed => Err(Extent::TooComplex),
        Some(tree) => Ok(tree),
        None => Err(why),
    }
}

/// Moves behind the subtree at hand; false at the end.
fn advance(cursor: &mut TreeCursor<'_>) -> bool {
    while !cursor.goto_next_sibling() {
        if !cursor.goto_parent() {
            return false;
        }
    }
    true
}

/// The text of a node.
pub(super) fn text<'s>(node: Node<'_>, source: &'s [u8]) -> &'s [u8] {
    source.get(node.byte_range()).unwrap_or_default()
}

/// The line of a node, counted from 1.
pub(super) fn line(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_visited_once_and_in_order() {
        let source = b"def f():\n    import json, os.path\nf()\n";
        let mut names = Vec::new();
        let extent = visit(tree_sitter_python::LANGUAGE, source, &Cancel::default(), |node| {
            if node.kind() == "dotted_name" {
                names.push((
                    String::from_utf8_lossy(text(node, source)).into_owned(),
                    line(node),
                ));
            }
        });
        assert_eq!(extent, Extent::Whole);
        assert_eq!(names, [("json".to_owned(), 2), ("os.path".to_owned(), 2)]);
    }

    #[test]
    fn broken_source_is_read_as_far_as_it_goes() {
        let mut imports = 0;
        let count = |node: Node<'_>| imports += usize::from(node.kind() == "import_statement");
        let source = b"import a\n)(]\nimport b\n";
        let extent = visit(tree_sitter_python::LANGUAGE, source, &Cancel::default(), count);
        assert_eq!(extent, Extent::Whole);
        assert!(imports >= 1);
    }

    #[test]
    fn a_large_source_inside_another_does_not_wait_for_it() {
        let cancel = Cancel::default();
        let large = b"a = 1\n".repeat(MAX_TOGETHER / 6);
        let mut inner = None;
        let outer = visit(tree_sitter_python::LANGUAGE, &large, &cancel, |node| {
            if node.kind() == "module" {
                inner = Some(visit(tree_sitter_python::LANGUAGE, &large, &cancel, |_| ()));
            }
        });
        assert_eq!((outer, inner), (Extent::Whole, Some(Extent::Whole)));
        assert!(!HAS_ROOM.get());
    }

    #[test]
    fn bounds_say_which_of_them_was_met() {
        let cancel = Cancel::default();
        let of = |language: LanguageFn, source: &[u8]| visit(language, source, &cancel, |_| ());
        let long = vec![b'a'; usize::try_from(MAX_SOURCE).unwrap() + 1];
        assert_eq!(of(tree_sitter_python::LANGUAGE, &long), Extent::TooLarge);
        // The grammar tries six ways for each of these operators.
        assert_eq!(
            of(tree_sitter_javascript::LANGUAGE, &b"->".repeat(2000)),
            Extent::TooComplex
        );
        // Every opening quote is searched for its end.
        assert_eq!(
            of(tree_sitter_lua::LANGUAGE, &b"[==[ ".repeat(20_000)),
            Extent::TooComplex
        );
        // A node for each level holds all deeper ones.
        let nested = [&b"$(".repeat(30_000)[..], b"a", &b")".repeat(30_000)].concat();
        assert_eq!(of(tree_sitter_bash::LANGUAGE, &nested), Extent::TooComplex);
        cancel.cancel();
        let many = b"a = 1\n".repeat(10_000);
        assert_eq!(of(tree_sitter_python::LANGUAGE, &many), Extent::Cancelled);
    }
}
