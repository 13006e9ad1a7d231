//! References of a Python source: imports, resources, programs and paths.

use tree_sitter::Node;

use crate::cancel::Cancel;
use crate::reach::bytes::{contains, is_word};
use crate::reach::languages::syntax_tree::{Extent, line, text, visit};

/// The largest number of things that one source may name: more is generated.
const MAX_NAMED: usize = 20_000;
/// Functions of standard modules that are their own demonstration or command line (`python -m calendar`).
const STANDALONE: [&[u8]; 5] = [b"main", b"_main", b"test", b"_test", b"_demo"];

/// The owner of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The application's.
    Application,
    /// A distribution's in a site directory, or an operating system package's.
    Library,
    /// The standard library's.
    Standard,
}

/// Something that a source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The line, from 1.
    pub(super) line: usize,
    /// The target.
    pub(super) what: Target,
    /// True if it is named in a function's body.
    pub(super) inner: bool,
}

/// The kinds of things that a source names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `import module`, or `from module import names`.
    Import {
        /// Leading dots.
        level: usize,
        /// Names between dots; empty in `from . import x`.
        module: String,
        /// The names that are imported from it.
        names: Vec<String>,
    },
    /// A file beside a package's modules (`importlib.resources`, `pkgutil.get_data`).
    Resource {
        /// The package.
        package: String,
        /// The file's name in the package.
        file: String,
    },
    /// A text that is a dotted name, as frameworks' settings name modules and what is in them.
    Dotted(String),
    /// A program that is run.
    Command(Vec<u8>),
    /// A line that a shell runs.
    Shell(String),
    /// An absolute path.
    Path(Vec<u8>),
}

/// Returns everything that `source` names, and how far it was read. Blocks that are for type checkers only are not
/// read, nor, in libraries, those that are for running the module as a program.
pub(super) fn references(source: &[u8], origin: Origin, cancel: &Cancel) -> (Extent, Vec<Reference>) {
    let mut found: Vec<Reference> = Vec::new();
    let (mut skipped, mut function) = (0, 0);
    let extent = visit(tree_sitter_python::LANGUAGE, source, cancel, |node| {
        if node.start_byte() < skipped || found.len() >= MAX_NAMED {
            return;
        }
        let inner = node.start_byte() < function;
        let mut add = |what| {
            found.push(Reference {
                line: line(node),
                what,
                inner,
            });
        };
        match node.kind() {
            "if_statement" => {
                let condition = node.child_by_field_name("condition");
                let condition = condition.map(|c| text(c, source)).unwrap_or_default();
                let types = condition.rsplit(|&b| b == b'.').next() == Some(b"TYPE_CHECKING".as_slice());
                let main = origin != Origin::Application
                    && condition.starts_with(b"__name__")
                    && contains(condition, b"__main__");
                if (types || main)
                    && let Some(block) = node.child_by_field_name("consequence")
                {
                    // Children are visited after this, the condition among them: it names nothing.
                    skipped = skipped.max(block.end_byte());
                }
            }
            "function_definition" => {
                let name = node.child_by_field_name("name").map(|name| text(name, source));
                let module_level = !inner && node.start_position().column == 0;
                if origin == Origin::Standard
                    && module_level
                    && name.is_some_and(|name| STANDALONE.contains(&name))
                {
                    skipped = skipped.max(node.end_byte());
                }
                function = function.max(node.end_byte());
            }
            "import_statement" => {
                for module in imported(node, source) {
                    add(Target::Import {
                        level: 0,
                        module,
                        names: Vec::new(),
                    });
                }
            }
            "import_from_statement" => {
                let Some(module) = node.child_by_field_name("module_name") else {
                    return;
                };
                let module = squeezed(text(module, source));
                let name = module.trim_start_matches('.');
                add(Target::Import {
                    level: module.len() - name.len(),
                    module: name.to_owned(),
                    names: imported(node, source),
                });
            }
            "call" => call(node, source, origin, &mut add),
            "string" if origin == Origin::Application => {
                let Some(bytes) = literal(node, source) else {
                    return;
                };
                if bytes.len() > 1 && bytes.starts_with(b"/") && !bytes.contains(&b'\n') {
                    add(Target::Path(bytes));
                } else if let Some(name) = dotted(&bytes) {
                    add(Target::Dotted(name));
                }
            }
            _ => {}
        }
    });
    (extent, found)
}

/// The names of an import statement, without those that they are given here.
fn imported(node: Node<'_>, source: &[u8]) -> Vec<String> {
    let mut cursor = node.walk();
    let names = node.children_by_field_name("name", &mut cursor);
    names
        .filter_map(|name| match name.kind() {
            "aliased_import" => name.child_by_field_name("name"),
            _ => Some(name),
        })
        .map(|name| squeezed(text(name, source)))
        .collect()
}

/// Returns a name without the white space that may stand around its dots.
fn squeezed(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.split_whitespace().collect()
}

/// Returns a text that is names between dots, and has a dot.
fn dotted(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok().filter(|name| name.len() < 200)?;
    let identifier = |part: &str| {
        part.bytes().all(is_word) && part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    };
    (name.contains('.') && name.split('.').all(identifier)).then(|| name.to_owned())
}

/// Returns a string's bytes, if it is written without escapes and replacement fields.
fn literal(node: Node<'_>, source: &[u8]) -> Option<Vec<u8>> {
    if node.kind() != "string" || node.named_child_count() != 3 {
        return None;
    }
    let content = node.named_child(1).filter(|c| c.kind() == "string_content")?;
    (content.named_child_count() == 0).then(|| text(content, source).to_vec())
}

/// Returns what a call names in its arguments.
fn call(node: Node<'_>, source: &[u8], origin: Origin, add: &mut impl FnMut(Target)) {
    let (Some(function), Some(arguments)) = (
        node.child_by_field_name("function"),
        node.child_by_field_name("arguments"),
    ) else {
        return;
    };
    let function = squeezed(text(function, source).get(..80).unwrap_or(text(function, source)));
    let (owner, name) = function.rsplit_once('.').unwrap_or(("", &function));
    let mut cursor = arguments.walk();
    let arguments: Vec<Node<'_>> = arguments.named_children(&mut cursor).take(32).collect();
    let string = |index: usize| {
        let bytes = literal(*arguments.get(index)?, source)?;
        String::from_utf8(bytes).ok()
    };
    let owner = owner.rsplit('.').next().unwrap_or_default();
    match (owner, name) {
        ("", "__import__") | ("" | "importlib", "import_module") | ("" | "runpy", "run_module") => {
            let Some(module) = string(0) else { return };
            let name = module.trim_start_matches('.');
            let level = module.len() - name.len();
            // With a package by name, the import is of that package's submodule.
            match string(1).filter(|_| level == 1) {
                Some(package) => add(Target::Import {
                    level: 0,
                    module: format!("{package}.{name}"),
                    names: Vec::new(),
                }),
                None => add(Target::Import {
                    level,
                    module: name.to_owned(),
                    names: Vec::new(),
                }),
            }
        }
        ("" | "runpy", "run_path") => {
            if let Some(path) = string(0).filter(|path| path.starts_with('/')) {
                add(Target::Path(path.into_bytes()));
            }
        }
        ("pkgutil", "get_data")
        | (
            "resources" | "importlib_resources" | "pkg_resources",
            "files" | "path" | "open_text" | "open_binary" | "read_text" | "read_binary" | "contents"
            | "resource_filename" | "resource_string" | "resource_stream",
        ) => {
            if let Some(package) = string(0) {
                add(Target::Resource {
                    package,
                    file: string(1).unwrap_or_default(),
                });
            }
        }
        // The standard library runs programs of the system where it has no better source (gcc in ctypes.util).
        _ if origin == Origin::Standard => {}
        ("os", "system" | "popen")
        | ("subprocess", "getoutput" | "getstatusoutput")
        | ("" | "asyncio" | "subprocess", "create_subprocess_shell") => {
            if let Some(line) = string(0) {
                add(Target::Shell(line));
            }
        }
        ("subprocess", "run" | "call" | "check_output" | "Popen" | "check_call")
        | ("", "check_output" | "Popen" | "check_call")
        | ("shutil", "which")
        | ("" | "asyncio", "create_subprocess_exec")
        | ("os", "execl" | "execle" | "execlp" | "execlpe" | "execv" | "execve" | "execvp" | "execvpe") => {
            let first = match arguments.first() {
                Some(list) if matches!(list.kind(), "list" | "tuple") => {
                    list.named_child(0).and_then(|word| literal(word, source))
                }
                Some(word) => literal(*word, source),
                None => None,
            };
            let Some(first) = first else { return };
            let shell = arguments.iter().any(|argument| {
                argument.kind() == "keyword_argument" && squeezed(text(*argument, source)) == "shell=True"
            });
            match String::from_utf8(first) {
                Ok(line) if shell => add(Target::Shell(line)),
                Ok(word) => add(Target::Command(word.into_bytes())),
                Err(_) => {}
            }
        }
        _ => {}
    }
}
