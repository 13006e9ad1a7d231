//! The graph over all files: from where execution begins to every system call that can follow.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::sweep::{Edge, Part};
use crate::path::RootPath;

/// A file and its part of the graph.
#[derive(Debug)]
pub(crate) struct File {
    /// The path.
    pub(crate) path: RootPath,
    /// Its functions and data.
    pub(crate) part: Part,
    /// True if another file names it as a library that it needs.
    pub(crate) is_needed: bool,
}

/// One step of a chain: a function or data of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The file.
    pub file: RootPath,
    /// The function's name where a symbol gives it, its address otherwise.
    pub function: String,
    /// The name in a table through which it is called (`fork` of `posix`).
    pub by_name: Option<String>,
}

/// The system calls that files can make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// The shortest chain to each call's number, from the function that makes it to where execution begins.
    pub numbers: BTreeMap<u32, Vec<Step>>,
    /// Reached functions that make a system call whose number is not known.
    pub unresolved: BTreeSet<(RootPath, String)>,
}

/// A node: a file, and a function or data of it.
type Node = (u32, u32);

/// Languages whose interpreters keep tables of functions by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// `PyMethodDef` and its like.
    Python,
    /// `zend_function_entry`.
    Php,
}

/// Names that programs in a language use, by language: where one is known, a function that a table of that language names
/// is reached by its name alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Identifiers in kept Python sources.
    pub(crate) python: Option<HashSet<String>>,
    /// Identifiers in kept PHP sources.
    pub(crate) php: Option<HashSet<String>>,
}

impl Names {
    /// Sets the names that are used in a language.
    pub(super) fn set(&mut self, gate: Gate, names: HashSet<String>) {
        match gate {
            Gate::Python => self.python = Some(names),
            Gate::Php => self.php = Some(names),
        }
    }

    /// Returns whether a table of `gate` is followed for `name`.
    fn uses(&self, gate: Gate, name: &str) -> bool {
        let names = match gate {
            Gate::Python => &self.python,
            Gate::Php => &self.php,
        };
        // Names with underscores around them are called by the interpreter itself.
        names
            .as_ref()
            .is_none_or(|names| name.starts_with("__") || names.contains(name))
    }
}

impl Part {
    /// Returns the language whose tables the file has.
    pub(super) fn gate(&self) -> Option<Gate> {
        let part = self;
        part.exports.iter().find_map(|(name, _)| {
            let name = part.names.get(*name as usize)?;
            if name.starts_with("PyInit_") || name == "PyImport_AppendInittab" {
                Some(Gate::Python)
            } else if name == "get_module" || name == "zend_startup_modules" {
                Some(Gate::Php)
            } else {
                None
            }
        })
    }
}

/// Follows `files` from where execution begins: entry points of programs, what the loader calls in a library, and all that
/// a module exports which nobody needs and which is therefore loaded by name.
pub(crate) fn reach(files: &[File], names: &Names) -> Calls {
    let mut exports: HashMap<&str, Vec<Node>> = HashMap::new();
    for (file, index) in files.iter().zip(0_u32..) {
        for (name, node) in &file.part.exports {
            if let Some(name) = file.part.names.get(*name as usize) {
                exports.entry(name).or_default().push((index, *node));
            }
        }
    }
    // Libraries are loaded by programs that have a loader, or by nobody.
    let mut before: HashMap<Node, Option<(Node, Option<u32>)>> = HashMap::new();
    let mut todo: VecDeque<Node> = VecDeque::new();
    for (file, index) in files.iter().zip(0_u32..) {
        let part = &file.part;
        let exported = part.exports.iter().map(|(_, node)| *node);
        let modules = exported.filter(|_| !file.is_needed && !part.is_program);
        for node in part.entries.iter().copied().chain(modules) {
            if before.insert((index, node), None).is_none() {
                todo.push_back((index, node));
            }
        }
        for name in &part.looked_up {
            for &node in exports.get(name.as_str()).into_iter().flatten() {
                if before.insert(node, None).is_none() {
                    todo.push_back(node);
                }
            }
        }
    }
    let gates: Vec<Option<Gate>> = files.iter().map(|file| file.part.gate()).collect();
    let mut calls = Calls::default();
    while let Some(node) = todo.pop_front() {
        let (index, inner) = node;
        let Some(file) = files.get(index as usize) else {
            continue;
        };
        for number in file.part.numbers.get(&inner).into_iter().flatten() {
            if !calls.numbers.contains_key(number) {
                calls.numbers.insert(*number, chain(files, &before, node));
            }
        }
        if file.part.unresolved.contains_key(&inner) {
            calls
                .unresolved
                .insert((file.path.clone(), file.part.label(inner)));
        }
        let mut visit = |to: Node, name: Option<u32>| {
            before.entry(to).or_insert_with(|| {
                todo.push_back(to);
                Some((node, name))
            });
        };
        for edge in file.part.edges(inner) {
            match *edge {
                Edge::Local(to) => visit((index, to), None),
                Edge::Import(name) => {
                    let name = file.part.names.get(name as usize).map(String::as_str);
                    for &to in name.and_then(|name| exports.get(name)).into_iter().flatten() {
                        visit(to, None);
                    }
                }
                Edge::Named(name, to) => {
                    let text = file.part.names.get(name as usize).map_or("", String::as_str);
                    let gate = gates.get(index as usize).copied().flatten();
                    if gate.is_none_or(|gate| names.uses(gate, text)) {
                        visit((index, to), Some(name));
                    }
                }
            }
        }
    }
    calls
}

/// Returns the chain from a node back to where execution begins; data is left out.
fn chain(files: &[File], before: &HashMap<Node, Option<(Node, Option<u32>)>>, from: Node) -> Vec<Step> {
    let mut chain = Vec::new();
    let mut next = Some((from, None));
    while let Some(((index, node), name)) = next {
        let Some(file) = files.get(index as usize) else {
            break;
        };
        let by_name = name.and_then(|name: u32| file.part.names.get(name as usize).cloned());
        if (node as usize) < file.part.functions {
            chain.push(Step {
                file: file.path.clone(),
                function: file.part.label(node),
                by_name: None,
            });
        } else if let (Some(last), Some(name)) = (chain.last_mut(), &by_name) {
            last.by_name = Some(name.clone());
        }
        next = match before.get(&(index, node)) {
            Some(Some((node, name))) => {
                if let (Some(last), Some(name)) = (chain.last_mut(), name) {
                    last.by_name = files
                        .get(node.0 as usize)
                        .and_then(|file| file.part.names.get(*name as usize).cloned());
                }
                Some((*node, None))
            }
            _ => None,
        };
    }
    chain
}
