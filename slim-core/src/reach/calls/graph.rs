//! The graph over all files: from where execution begins to every system call that can follow.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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
            let name = part.names.get(*name);
            if name.starts_with("PyInit_") || name == "PyImport_AppendInittab" {
                Some(Gate::Python)
            } else if matches!(name, "get_module" | "zend_startup_modules") {
                Some(Gate::Php)
            } else {
                None
            }
        })
    }
}

/// A node that is reached.
struct Visit {
    node: Node,
    /// The visit that leads here; none where execution begins.
    from: Option<u32>,
    /// The name in a table through which it is reached.
    name: Option<u32>,
}

/// The nodes that are reached, in the order in which they are.
struct Visits {
    all: Vec<Visit>,
    /// True for the nodes of each file that are among them.
    seen: Vec<Vec<bool>>,
}

impl Visits {
    fn add(&mut self, node: Node, from: Option<u32>, name: Option<u32>) {
        let seen = self.seen.get_mut(node.0 as usize);
        if let Some(seen) = seen.and_then(|seen| seen.get_mut(node.1 as usize))
            && !std::mem::replace(seen, true)
        {
            self.all.push(Visit { node, from, name });
        }
    }
}

/// Follows `files` from where execution begins: entry points of programs, what the loader calls in a library, and all that
/// a module exports which nobody needs and which is therefore loaded by name.
pub(crate) fn reach(files: &[File], names: &Names) -> Calls {
    let looked_up = files
        .iter()
        .flat_map(|file| file.part.looked_up.iter().map(String::as_str));
    let wanted: HashSet<&str> = files
        .iter()
        .flat_map(|file| file.part.imports())
        .chain(looked_up)
        .collect();
    let mut exports: HashMap<&str, Vec<Node>> = HashMap::new();
    for (file, index) in files.iter().zip(0_u32..) {
        for (name, node) in &file.part.exports {
            let name = file.part.names.get(*name);
            if wanted.contains(name) {
                exports.entry(name).or_default().push((index, *node));
            }
        }
    }
    let exported = |name: &str| exports.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut visits = Visits {
        all: Vec::new(),
        seen: files
            .iter()
            .map(|file| vec![false; file.part.addresses.len()])
            .collect(),
    };
    // Libraries are loaded by programs that have a loader, or by nobody.
    for (file, index) in files.iter().zip(0_u32..) {
        let part = &file.part;
        let exported_here = part.exports.iter().map(|(_, node)| *node);
        let modules = exported_here.filter(|_| !file.is_needed && !part.is_program);
        for node in part.entries.iter().copied().chain(modules) {
            visits.add((index, node), None, None);
        }
        for &node in part.looked_up.iter().flat_map(|name| exported(name)) {
            visits.add(node, None, None);
        }
    }
    let gates: Vec<Option<Gate>> = files.iter().map(|file| file.part.gate()).collect();
    let mut calls = Calls::default();
    let mut next = 0;
    while let Some(&Visit {
        node: (index, inner), ..
    }) = visits.all.get(next)
    {
        let this = u32::try_from(next).ok();
        next += 1;
        let Some(file) = files.get(index as usize) else {
            continue;
        };
        let part = &file.part;
        for number in part.numbers.get(&inner).into_iter().flatten() {
            if !calls.numbers.contains_key(number) {
                calls.numbers.insert(*number, chain(files, &visits.all, next - 1));
            }
        }
        if part.unresolved.contains_key(&inner) {
            calls.unresolved.insert((file.path.clone(), part.label(inner)));
        }
        for edge in part.edges(inner) {
            match edge {
                Edge::Local(to) => visits.add((index, to), this, None),
                Edge::Import(name) => {
                    for &to in exported(part.names.get(name)) {
                        visits.add(to, this, None);
                    }
                }
                Edge::Named(name, to) => {
                    let gate = gates.get(index as usize).copied().flatten();
                    if gate.is_none_or(|gate| names.uses(gate, part.names.get(name))) {
                        visits.add((index, to), this, Some(name));
                    }
                }
            }
        }
    }
    calls
}

/// Returns the chain from a visit back to where execution begins; data is left out.
fn chain(files: &[File], visits: &[Visit], from: usize) -> Vec<Step> {
    let mut chain: Vec<Step> = Vec::new();
    let mut next = visits.get(from);
    while let Some(visit) = next {
        let (index, node) = visit.node;
        let Some(file) = files.get(index as usize) else {
            break;
        };
        if (node as usize) < file.part.functions {
            chain.push(Step {
                file: file.path.clone(),
                function: file.part.label(node),
                by_name: None,
            });
        }
        if let (Some(last), Some(name)) = (chain.last_mut(), visit.name) {
            // A table's name leads to a function of its file.
            last.by_name = Some(file.part.names.get(name).to_owned());
        }
        next = visit.from.and_then(|from| visits.get(from as usize));
    }
    chain
}
