//! References of a Python source: imports, resources, programs and paths.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use crate::cancel::Cancel;
use crate::reach::bytes::contains;
use crate::reach::command;
use crate::reach::languages::python::expression::{
    Base, Computed, Constants, DataPath, ModuleName, alternatives, arguments, is_dotted, is_own_name,
    literal, named_argument, own_package, template,
};
use crate::reach::languages::syntax_tree::{Extent, line, text, visit};

/// The largest number of things that one source may name: more is generated.
const MAX_NAMED: usize = 20_000;
/// The largest number of words of a command.
const MAX_WORDS: usize = 64;
/// Parts of the names of functions that run the command which they are handed as a list.
const RUNS: [&str; 8] = [
    "run", "call", "exec", "popen", "spawn", "cmd", "command", "output",
];
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

impl Origin {
    /// The kind of what a [`crate::store::Store`] holds for a source of this owner.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Application => "python-application",
            Self::Library => "python-library",
            Self::Standard => "python-standard",
        }
    }
}

/// Something that a source names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reference {
    /// The line, from 1.
    pub(super) line: usize,
    /// The target.
    pub(super) what: Target,
    /// True if it is named in a function's body.
    pub(super) inner: bool,
}

/// The kinds of things that a source names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Modules that are loaded by names that are known only when the source runs.
    Computed(Computed),
    /// A text from which such names may be made.
    Template(Computed),
    /// A file or directory beside modules (`importlib.resources`, `pkgutil.get_data`, what is joined to `__file__`).
    Data(DataPath),
    /// A text that is a dotted name, as settings, registries and tables name modules and what is in them.
    Dotted(String),
    /// A name in a list, as settings name packages.
    Name(String),
    /// The words of a command that is run; one that is not constant is `$`.
    Command(Vec<Vec<u8>>),
    /// A line that a shell runs.
    Shell(String),
    /// An absolute path.
    Path(Vec<u8>),
}

/// Returns everything that `source` names, and how far it was read. Blocks that are for type checkers or for other
/// operating systems only are not read, with the classes and functions that nothing but such a block uses; nor, in
/// libraries, those that are for running the module as a program.
pub(super) fn references(source: &[u8], origin: Origin, cancel: &Cancel) -> (Extent, Vec<Reference>) {
    let mut found: Vec<Reference> = Vec::new();
    let mut places: Vec<usize> = Vec::new();
    let mut constants = Constants::default();
    let mut definitions = Definitions::default();
    let (mut skipped, mut foreign, mut function, mut path_end) = (0, 0, 0, 0);
    let (mut finds_computed, mut listed) = (false, Vec::new());
    let extent = visit(tree_sitter_python::LANGUAGE, source, cancel, |node| {
        if node.kind() == "identifier" {
            definitions.count(text(node, source), node.start_byte() < foreign);
        }
        if node.start_byte() < skipped || found.len() >= MAX_NAMED {
            return;
        }
        let inner = node.start_byte() < function;
        let mut add = |what| {
            places.push(node.start_byte());
            found.push(Reference {
                line: line(node),
                what,
                inner,
            });
        };
        match node.kind() {
            "if_statement" | "elif_clause" => {
                let condition = node.child_by_field_name("condition");
                let condition = condition.map(|c| text(c, source)).unwrap_or_default();
                let types = condition.rsplit(|&b| b == b'.').next() == Some(b"TYPE_CHECKING".as_slice());
                let main = origin != Origin::Application
                    && condition.starts_with(b"__name__")
                    && contains(condition, b"__main__");
                let elsewhere = is_other_system(condition);
                if (types || main || elsewhere)
                    && let Some(block) = node.child_by_field_name("consequence")
                {
                    // Children are visited after this, the condition among them: it names nothing.
                    skipped = skipped.max(block.end_byte());
                    if elsewhere {
                        foreign = foreign.max(block.end_byte());
                    }
                }
            }
            "function_definition" | "class_definition" => {
                let name = node.child_by_field_name("name").map(|name| text(name, source));
                let module_level = !inner && node.start_position().column == 0;
                if module_level && let Some(name) = name {
                    definitions.add(name, node.byte_range());
                }
                if node.kind() == "class_definition" {
                    return;
                }
                if origin == Origin::Standard
                    && module_level
                    && name.is_some_and(|name| STANDALONE.contains(&name))
                {
                    skipped = skipped.max(node.end_byte());
                }
                function = function.max(node.end_byte());
            }
            "import_statement" => {
                for (module, alias) in imported(node, source) {
                    match alias {
                        Some(alias) => constants.modules.insert(alias, Base::Named(module.clone())),
                        None => {
                            let top = module.split('.').next().unwrap_or_default().to_owned();
                            constants.modules.insert(top.clone(), Base::Named(top))
                        }
                    };
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
                let level = module.len() - name.len();
                let names = imported(node, source);
                for (imported, alias) in names.iter().filter(|_| level == 0) {
                    let alias = alias.as_ref().unwrap_or(imported).clone();
                    let module = Base::Named(format!("{name}.{imported}"));
                    constants.modules.insert(alias, module);
                }
                add(Target::Import {
                    level,
                    module: name.to_owned(),
                    names: names.into_iter().map(|(name, _)| name).collect(),
                });
            }
            // What it asks of the compiler is a module when it runs.
            "future_import_statement" => add(Target::Import {
                level: 0,
                module: "__future__".to_owned(),
                names: Vec::new(),
            }),
            "assignment" => {
                let (left, right) = (
                    node.child_by_field_name("left"),
                    node.child_by_field_name("right"),
                );
                let (Some(left), Some(right)) = (left, right) else {
                    return;
                };
                if left.kind() == "identifier"
                    && let Some(package) = own_package(right, source)
                {
                    let name = String::from_utf8_lossy(text(left, source)).into_owned();
                    constants.packages.insert(name, package);
                }
                let path = constants.path(right, source);
                let command = argv(right, source);
                if command.len() > 1 && constants.commands.len() < MAX_NAMED {
                    constants.commands.insert(held(left, source).to_vec(), command);
                }
                if left.kind() == "identifier"
                    && let Some(path) = path
                {
                    if path.is_bare() {
                        path_end = path_end.max(right.end_byte());
                    }
                    let name = String::from_utf8_lossy(text(left, source)).into_owned();
                    constants.paths.insert(name, path);
                }
            }
            "call" | "binary_operator" | "attribute" | "subscript" | "identifier" => {
                if node.start_byte() >= path_end
                    && !(node.kind() == "identifier" && text(node, source) == b"__file__")
                    && let Some(path) = constants.path(node, source)
                    // Looking for the parent costs more than the rest.
                    && (node.kind() != "identifier" || is_argument(node))
                {
                    path_end = node.end_byte();
                    add(Target::Data(path));
                } else if node.kind() == "call" {
                    finds_computed |= origin != Origin::Standard && finds_computed_program(node, source);
                    call(node, source, origin, &constants, &mut add);
                }
            }
            "list" | "tuple" => {
                let mut cursor = node.walk();
                let items: Vec<_> = node.named_children(&mut cursor).take(64).collect();
                let words = items.iter().filter_map(|item| literal(*item, source));
                let words = words.filter(|word| !word.is_empty() && !word.contains(&b'/'));
                listed.extend(
                    words
                        .take(MAX_NAMED - listed.len())
                        .map(|word| (line(node), word)),
                );
                let option = items
                    .iter()
                    .position(|item| literal(*item, source).as_deref() == Some(b"-m"));
                if let Some(module) = option.and_then(|at| literal(*items.get(at + 1)?, source))
                    && let Ok(module) = String::from_utf8(module)
                    && is_dotted(&module)
                {
                    add(run_module(module));
                }
            }
            "string" => {
                let Some(bytes) = literal(node, source) else {
                    return;
                };
                let path = bytes.len() > 1 && bytes.starts_with(b"/") && !bytes.contains(&b'\n');
                let Ok(name) = std::str::from_utf8(&bytes) else {
                    return;
                };
                if is_statement(name) && is_argument(node) {
                    for (module, names) in statements(name) {
                        add(Target::Import {
                            level: 0,
                            module,
                            names,
                        });
                    }
                } else if path {
                    if origin == Origin::Application {
                        add(Target::Path(bytes));
                    }
                } else if let Some(name) = dotted(name) {
                    add(Target::Dotted(name));
                } else if let Some(computed) = template(name) {
                    add(Target::Template(computed));
                } else if origin == Origin::Application
                    && is_dotted(name)
                    && node
                        .parent()
                        .is_some_and(|list| matches!(list.kind(), "list" | "tuple"))
                {
                    add(Target::Name(name.to_owned()));
                }
            }
            _ => {}
        }
    });
    let unused = definitions.unused();
    let mut places = places.into_iter();
    found.retain(|_| {
        places
            .next()
            .is_none_or(|at| !unused.iter().any(|range| range.contains(&at)))
    });
    // A program that is looked for by a computed name is one of those that the source lists.
    let listed = listed.into_iter().filter(|_| finds_computed);
    found.extend(listed.map(|(line, word)| Reference {
        line,
        what: Target::Command(vec![word]),
        inner: true,
    }));
    (extent, found)
}

/// The classes and functions of a module, and how often their names stand in it.
#[derive(Default)]
struct Definitions<'s> {
    ranges: Vec<(&'s [u8], Range<usize>)>,
    /// Numbers of times that a name stands in code for this system, and for others.
    uses: BTreeMap<&'s [u8], (usize, usize)>,
}

impl<'s> Definitions<'s> {
    fn add(&mut self, name: &'s [u8], range: Range<usize>) {
        if self.ranges.len() < MAX_NAMED {
            self.ranges.push((name, range));
        }
    }

    fn count(&mut self, name: &'s [u8], is_foreign: bool) {
        let (here, elsewhere) = self.uses.entry(name).or_default();
        *(if is_foreign { elsewhere } else { here }) += 1;
    }

    /// Returns the ranges of those that are used for other systems, and for this one nowhere but where they begin.
    fn unused(self) -> Vec<Range<usize>> {
        let Self { ranges, uses } = self;
        let unused = |name: &[u8]| {
            uses.get(name)
                .is_some_and(|(here, other)| *here <= 1 && *other > 0)
        };
        let unused = ranges.into_iter().filter(|(name, _)| unused(name));
        unused.map(|(_, range)| range).collect()
    }
}

/// Returns whether a condition holds on another operating system alone.
fn is_other_system(condition: &[u8]) -> bool {
    let condition: String = String::from_utf8_lossy(condition).split_whitespace().collect();
    let condition = condition.replace('\'', "\"");
    let (asked, other) = match condition.split_once("==") {
        Some((asked, other)) => (asked, other),
        None => match condition.split_once(".startswith(") {
            Some((asked, other)) => (asked, other.trim_end_matches(')')),
            None => return false,
        },
    };
    matches!(
        asked,
        "sys.platform" | "os.name" | "platform.system()" | "_sys.platform" | "_os.name"
    ) && matches!(
        other.to_ascii_lowercase().as_str(),
        "\"darwin\"" | "\"win32\"" | "\"win\"" | "\"nt\"" | "\"windows\"" | "\"cygwin\"" | "\"java\""
    )
}

/// Returns whether an expression is an argument of a call, and not of one that only makes a path of it.
fn is_argument(node: Node<'_>) -> bool {
    node.parent()
        .is_some_and(|parent| parent.kind() == "argument_list")
}

/// Returns whether a text begins as an import does: it may be executed (`exec("from settings import *", names)`).
fn is_statement(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("from ") || text.starts_with("import ")
}

/// Returns the modules that the imports in a text of statements name, each with the names that are imported from it.
fn statements(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for statement in text.split(['\n', ';']).take(MAX_WORDS) {
        let statement = statement.trim();
        let (modules, names) = if let Some(rest) = statement.strip_prefix("import ") {
            (rest, "")
        } else if let Some((module, names)) = statement
            .strip_prefix("from ")
            .and_then(|rest| rest.split_once(" import "))
        {
            (module, names)
        } else {
            continue;
        };
        let words = |text: &str| -> Vec<String> {
            let words = text.split(',').filter_map(|part| part.split_whitespace().next());
            words.filter(|word| is_dotted(word)).map(str::to_owned).collect()
        };
        found.extend(words(modules).into_iter().map(|module| (module, words(names))));
    }
    found
}

/// Returns the import of a module that is run as a program.
fn run_module(module: String) -> Target {
    Target::Import {
        level: 0,
        module,
        names: vec!["__main__".to_owned()],
    }
}

/// The names of an import statement, with those that they are given here.
fn imported(node: Node<'_>, source: &[u8]) -> Vec<(String, Option<String>)> {
    let mut cursor = node.walk();
    let names = node.children_by_field_name("name", &mut cursor);
    let squeezed = |node: Node<'_>| squeezed(text(node, source));
    names
        .filter_map(|name| match name.kind() {
            "aliased_import" => {
                let alias = name.child_by_field_name("alias").map(squeezed);
                Some((squeezed(name.child_by_field_name("name")?), alias))
            }
            _ => Some((squeezed(name), None)),
        })
        .collect()
}

/// Returns a name without the white space that may stand around its dots.
fn squeezed(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.split_whitespace().collect()
}

/// Returns a text that is names between dots, and has a dot or, as entry points write it, a colon before the last.
fn dotted(text: &str) -> Option<String> {
    let name = text.replacen(':', ".", 1);
    let colon = text.find(':').is_none_or(|at| is_dotted(&text[..at]));
    (name.contains('.') && colon && is_dotted(&name)).then_some(name)
}

/// Returns what a call names in its arguments.
fn call(node: Node<'_>, source: &[u8], origin: Origin, constants: &Constants, add: &mut impl FnMut(Target)) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let function = squeezed(text(function, source).get(..80).unwrap_or(text(function, source)));
    let (owner, name) = function.rsplit_once('.').unwrap_or(("", &function));
    let arguments = arguments(node);
    let string = |index: usize| {
        let bytes = literal(*arguments.get(index)?, source)?;
        String::from_utf8(bytes).ok()
    };
    let package = |index: usize| constants.package(*arguments.get(index)?, source);
    let own = || arguments.first().is_some_and(|node| is_own_name(*node, source));
    let owner = owner.rsplit('.').next().unwrap_or_default();
    match (owner, name) {
        ("", "__import__") | (_, "import_module" | "_import_module") => {
            let relative = match name {
                "__import__" => {
                    let level = arguments.get(4).copied();
                    let level = level.or_else(|| named_argument(node, "level", source));
                    let level = level.and_then(|level| std::str::from_utf8(text(level, source)).ok());
                    level
                        .and_then(|level| level.parse().ok())
                        .filter(|l| *l > 0)
                        .map(Base::Own)
                }
                _ => {
                    let package = arguments.get(1).copied();
                    let package = package.or_else(|| named_argument(node, "package", source));
                    // A package that is known only when it runs is most often the source's.
                    package.map(|node| constants.package(node, source).unwrap_or(Base::Own(1)))
                }
            };
            for name in arguments.first().into_iter().flat_map(|name| alternatives(*name)) {
                add_module(constants.module_name(name, relative.clone(), source), add);
            }
        }
        ("" | "runpy", "run_module" | "_run_module_as_main") => {
            if let Some(module) = string(0) {
                add(run_module(module));
            }
        }
        ("" | "pkgutil", "iter_modules" | "walk_packages") => {
            let Some(path) = arguments.first() else { return };
            let listed = match path.kind() {
                "list" => path.named_child(0).unwrap_or(*path),
                _ => *path,
            };
            let is_deep = name == "walk_packages";
            let (base, below) = match (constants.package(listed, source), constants.path(listed, source)) {
                (Some(base), _) => (base, String::new()),
                (None, Some(path)) => (path.base, path.names.join(".")),
                // A directory that is known only when it runs is most often the source's.
                (None, None) => (Base::Own(1), String::new()),
            };
            add(whole_package(base, below, is_deep, &function));
        }
        (_, "find_modules") => {
            if let Some(base) = package(0) {
                let all = named_argument(node, "recursive", source).or(arguments.get(2).copied());
                let all = all.is_some_and(|all| text(all, source) == b"True");
                add(whole_package(base, String::new(), all, &function));
            }
        }
        // Tables of names for a module's `__getattr__`.
        (_, "attach" | "attach_stub" | "initpkg" | "recreate_module" | "_LazyModule" | "LazyModule")
            if own() =>
        {
            add(whole_package(
                Base::Own(1),
                String::new(),
                name == "initpkg",
                &function,
            ));
            if name == "attach_stub" {
                add(Target::Data(
                    DataPath::at(Base::Own(1)).join(Some("__init__.pyi".to_owned())),
                ));
            }
        }
        ("" | "runpy", "run_path") => {
            if let Some(path) = string(0).filter(|path| path.starts_with('/')) {
                add(Target::Path(path.into_bytes()));
            }
        }
        (_, "PackageLoader") => {
            if let Some(base) = package(0) {
                let path = arguments.get(1).copied();
                let path = path.or_else(|| named_argument(node, "package_path", source));
                let path = path.map_or(Some("templates".to_owned()), |path| {
                    String::from_utf8(literal(path, source)?).ok()
                });
                add(Target::Data(DataPath::at(base).join(path)));
            }
        }
        ("" | "pkgutil", "get_data")
        | (
            "resources" | "importlib_resources" | "pkg_resources" | "",
            "open_text" | "open_binary" | "read_text" | "read_binary" | "resource_filename"
            | "resource_string" | "resource_stream" | "resource_listdir" | "resource_exists"
            | "resource_isdir" | "is_resource",
        )
        | ("resources" | "importlib_resources", "path" | "contents") => {
            if let Some(base) = package(0) {
                let mut path = DataPath::at(base);
                path.is_tree = true;
                add(Target::Data(match arguments.get(1) {
                    Some(_) => path.join(string(1)),
                    None => path,
                }));
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
        ("shlex", "split") => {
            if let Some(line) = string(0) {
                add(Target::Command(command::split_words(line.as_bytes())));
            }
        }
        ("os", "execl" | "execle" | "execlp" | "execlpe" | "execv" | "execve" | "execvp" | "execvpe")
        | ("os", "posix_spawn" | "posix_spawnp") => {
            add(Target::Command(program_and_words(&arguments, source)));
        }
        ("os", function) if function.starts_with("spawn") => {
            add(Target::Command(program_and_words(
                arguments.get(1..).unwrap_or_default(),
                source,
            )));
        }
        ("" | "asyncio", "create_subprocess_exec") => {
            add(Target::Command(
                arguments.iter().map(|node| word(*node, source)).collect(),
            ));
        }
        (_, function) if finds_program(function) => {
            add(Target::Command(
                arguments.iter().take(1).map(|node| word(*node, source)).collect(),
            ));
        }
        // Whatever the function is called that hands a command on.
        (_, function) => {
            let Some(first) = arguments.first() else { return };
            let known = matches!(
                (owner, function),
                ("subprocess", "run" | "call") | ("" | "subprocess", "check_output" | "Popen" | "check_call")
            );
            if !known
                && !RUNS
                    .iter()
                    .any(|runs| function.to_ascii_lowercase().contains(runs))
            {
                return;
            }
            let words = match literal(*first, source) {
                Some(line) if known => vec![line],
                _ => match constants.commands.get(held(leftmost(*first), source)) {
                    Some(words) => words.clone(),
                    None => argv(*first, source),
                },
            };
            match words.as_slice() {
                [] => {}
                [line] if has_shell(node, source) => {
                    add(Target::Shell(String::from_utf8_lossy(line).into_owned()))
                }
                _ => add(Target::Command(words)),
            }
        }
    }
}

/// Returns whether a call looks for a program whose name is known only when it runs.
fn finds_computed_program(call: Node<'_>, source: &[u8]) -> bool {
    let function = call
        .child_by_field_name("function")
        .map(|node| text(node, source));
    let name = function.and_then(|function| str::from_utf8(function.rsplit(|&b| b == b'.').next()?).ok());
    name.is_some_and(finds_program)
        && arguments(call)
            .first()
            .is_some_and(|name| literal(*name, source).is_none())
}

/// Returns whether a function of this name looks for the program that it is given (`shutil.which`, `find_executable`,
/// `get_bin_path`).
fn finds_program(function: &str) -> bool {
    let mut words = function.split('_');
    let looks = words
        .next()
        .is_some_and(|word| matches!(word, "find" | "get" | "locate" | "search"));
    function == "which" || (looks && words.any(|word| matches!(word, "bin" | "executable" | "program")))
}

/// Returns whether a call has the argument `shell=True`.
fn has_shell(call: Node<'_>, source: &[u8]) -> bool {
    named_argument(call, "shell", source).is_some_and(|shell| text(shell, source) == b"True")
}

/// Returns the constant word that an expression is, or `$`.
fn word(node: Node<'_>, source: &[u8]) -> Vec<u8> {
    literal(node, source).unwrap_or_else(|| b"$".to_vec())
}

/// Returns what other things are added to.
fn leftmost(mut node: Node<'_>) -> Node<'_> {
    while node.kind() == "binary_operator"
        && let Some(left) = node.child_by_field_name("left")
    {
        node = left;
    }
    node
}

/// Returns the name that holds a value, in an object or not.
fn held<'s>(node: Node<'_>, source: &'s [u8]) -> &'s [u8] {
    let name = text(node, source);
    let name = name.strip_prefix(b"self.").unwrap_or(name);
    name.strip_prefix(b"cls.").unwrap_or(name)
}

/// Returns the words of a list, or of one to which others are added, if its first is constant.
fn argv(node: Node<'_>, source: &[u8]) -> Vec<Vec<u8>> {
    let node = leftmost(node);
    if !matches!(node.kind(), "list" | "tuple") {
        return Vec::new();
    }
    let mut cursor = node.walk();
    let items = node
        .named_children(&mut cursor)
        .filter(|item| item.kind() != "comment");
    let words: Vec<_> = items.take(MAX_WORDS).map(|item| word(item, source)).collect();
    match words.first() {
        Some(first) if first != b"$" => words,
        _ => Vec::new(),
    }
}

/// Returns the words of a command whose first argument is its program, and the others its words from the first on.
fn program_and_words(arguments: &[Node<'_>], source: &[u8]) -> Vec<Vec<u8>> {
    let [program, rest @ ..] = arguments else {
        return Vec::new();
    };
    let mut words = vec![word(*program, source)];
    match rest {
        [list, ..] if matches!(list.kind(), "list" | "tuple" | "binary_operator") => {
            words.extend(argv(*list, source).into_iter().skip(1));
        }
        _ => words.extend(rest.iter().skip(1).map(|node| word(*node, source))),
    }
    words
}

/// Adds what a module's name leads to.
fn add_module(name: ModuleName, add: &mut impl FnMut(Target)) {
    match name {
        ModuleName::Constant(base, module) => {
            let (level, module) = match base {
                Base::Own(level) => (level, module),
                Base::Named(package) if package.is_empty() => (0, module),
                Base::Top => return,
                Base::Named(package) => (0, format!("{package}.{module}")),
            };
            add(Target::Import {
                level,
                module,
                names: Vec::new(),
            });
        }
        ModuleName::Computed(computed) => add(Target::Computed(computed)),
        ModuleName::Unknown => {}
    }
}

/// Returns all modules of the package `below` of another, also those of packages in it if it `is_deep`.
fn whole_package(base: Base, below: String, is_deep: bool, function: &str) -> Target {
    Target::Computed(Computed {
        base,
        below,
        stem: String::new(),
        through: String::new(),
        last: String::new(),
        is_deep,
        words: format!("{function}(…)"),
    })
}
