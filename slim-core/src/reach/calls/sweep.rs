//! One file's part of the graph: its functions, its data, what each leads to, and the system calls that functions make.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::binary::{Binary, Pointer, find};
use super::isa::{Flow, Isa, Reference};
use super::numbers::{self, Argument, Numbers, Wrappers};
use super::x86_64::X86_64;

/// The largest number of addresses that are mentioned in a file, and of blocks that are visited for the numbers of its
/// calls: tens of times what the largest programs have.
const MOST_MENTIONS: usize = 12_000_000;
const MOST_VISITS: usize = 1_000_000;

/// The rounds in which starts of functions are looked for in a file that lists none.
const ROUNDS: usize = 4;

/// Functions that others call with a number, and the argument that holds it: `syscall` of the C libraries.
const GENERIC: [&str; 1] = ["syscall"];

/// Functions that return an address by a name.
const LOOKUPS: [&str; 4] = ["dlsym", "dlvsym", "__libc_dlsym", "lt_dlsym"];

/// Functions of C libraries that have every thread change its identity: the number reaches the system call through a
/// structure (glibc's `nptl/setxid.h`, musl's `src/unistd/setxid.c`). Numbers of `arch/x86/entry/syscalls/syscall_64.tbl`.
const SETXID: [(&str, u32); 9] = [
    ("setuid", 105),
    ("setgid", 106),
    ("setreuid", 113),
    ("setregid", 114),
    ("setgroups", 116),
    ("setresuid", 117),
    ("seteuid", 117),
    ("setresgid", 119),
    ("setegid", 119),
];

/// An edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Edge {
    /// To a function or data of the same file.
    Local(u32),
    /// To a name: an index into [`Part::names`].
    Import(u32),
    /// To a function of the same file whose address stands behind a name in a table: the name, the function.
    Named(u32, u32),
}

/// A file's part of the graph. Nodes are functions first, then data.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Names of imports, exports and of tables.
    pub(super) names: Vec<String>,
    /// The address of each node.
    pub(super) addresses: Vec<u64>,
    /// Number of functions among the nodes.
    pub(super) functions: usize,
    /// The edges of each node: the end of its part of [`Part::edges`].
    ends: Vec<u32>,
    edges: Vec<Edge>,
    /// Exported names and their nodes.
    pub(super) exports: Vec<(u32, u32)>,
    /// Names of functions that symbols give, by node.
    pub(super) labels: BTreeMap<u32, u32>,
    /// Where execution begins once the file is loaded.
    pub(super) entries: Vec<u32>,
    /// The numbers of system calls, by function.
    pub(super) numbers: BTreeMap<u32, BTreeSet<u32>>,
    /// Number of system calls, by function, whose number is not known.
    pub(super) unresolved: BTreeMap<u32, u32>,
    /// Names that stand near a look-up by name.
    pub(super) looked_up: BTreeSet<String>,
    /// True for a program, as against a library.
    pub(super) is_program: bool,
}

impl Part {
    /// Returns the edges of a node.
    pub(super) fn edges(&self, node: u32) -> &[Edge] {
        let node = node as usize;
        let end = self.ends.get(node).copied().unwrap_or(0) as usize;
        let start = node.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or(0) as usize;
        self.edges.get(start..end).unwrap_or_default()
    }

    /// Returns whether the file is a C library or its loader.
    fn is_c_library(&self) -> bool {
        let mut names = self
            .exports
            .iter()
            .filter_map(|(name, _)| self.names.get(*name as usize));
        names.any(|name| matches!(name.as_str(), "__libc_start_main" | "__tls_get_addr"))
    }

    /// Returns the names that stand before functions in tables.
    pub(super) fn names_in_tables(&self) -> impl Iterator<Item = &str> {
        let names = self.edges.iter().filter_map(|edge| match edge {
            Edge::Named(name, _) => self.names.get(*name as usize),
            Edge::Local(_) | Edge::Import(_) => None,
        });
        names.map(String::as_str)
    }

    /// Returns the name of a node, or its address.
    pub(super) fn label(&self, node: u32) -> String {
        let name = self
            .labels
            .get(&node)
            .and_then(|name| self.names.get(*name as usize));
        match name {
            Some(name) => name.clone(),
            None => format!("{:#x}", self.addresses.get(node as usize).copied().unwrap_or(0)),
        }
    }
}

/// A place that an instruction mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mention {
    Code(u64),
    Data(u64),
    Slot(u64),
}

/// What one function mentions.
type Mentions = Vec<(u64, Mention)>;

/// Reads a file's part of the graph; none if it is no x86-64 ELF file, or holds more than any program.
pub(crate) fn part(bytes: &[u8]) -> Option<Part> {
    sweep::<X86_64>(&mut Binary::parse(bytes)?)
}

/// Reads a file's part of the graph.
///
/// None if it holds more than any program.
fn sweep<I: Isa>(binary: &mut Binary<'_>) -> Option<Part>
where
    I::Instruction: Clone,
{
    let mut systems: BTreeSet<u64> = BTreeSet::new();
    let mut mentions: Mentions = Vec::new();
    for round in 0..ROUNDS {
        systems.clear();
        mentions.clear();
        for function in functions(binary) {
            if mentions.len() > MOST_MENTIONS {
                return None;
            }
            if !find(&binary.code, function.start).is_some_and(|section| section.is_plt) {
                read::<I>(binary, function, &mut mentions, &mut systems);
            }
        }
        if binary.has_starts || round + 1 == ROUNDS {
            break;
        }
        let before = binary.starts.len();
        add_starts(binary, &mentions, |_| true);
        if binary.starts.len() == before {
            break;
        }
    }
    // A table of jumps has one start: each place that is called in it is a function.
    let is_plt =
        |binary: &Binary<'_>, address| find(&binary.code, address).is_some_and(|section| section.is_plt);
    let called: BTreeSet<u64> = mentions
        .iter()
        .filter_map(|(_, mention)| match mention {
            Mention::Code(address) if is_plt(binary, *address) => Some(*address),
            _ => None,
        })
        .collect();
    add_starts(binary, &mentions, |address| called.contains(&address));
    for function in functions(binary) {
        if is_plt(binary, function.start) {
            read::<I>(binary, function, &mut mentions, &mut systems);
        }
    }
    mentions.sort_unstable();
    let mut part = graph(binary, &mentions);
    let numbers = all_numbers::<I>(binary, &mentions, &systems);
    for (start, found) in numbers {
        let Some(node) = function_at(&binary.starts, start) else {
            continue;
        };
        if !found.numbers.is_empty() {
            part.numbers.insert(node, found.numbers);
        }
        if found.unresolved > 0 {
            part.unresolved.insert(node, found.unresolved);
        }
    }
    if part.is_c_library() {
        for &(export, node) in &part.exports {
            let name = part.names.get(export as usize).map(String::as_str);
            let number = SETXID.iter().find(|(function, _)| Some(*function) == name);
            if let Some((_, number)) = number {
                part.numbers.entry(node).or_default().insert(*number);
            }
        }
        // What is left there is the handler that does it in each thread, and the loader's own start.
        part.unresolved.clear();
    }
    part.looked_up = looked_up(binary, &mentions);
    part.is_program = binary.is_program;
    Some(part)
}

fn add_starts(binary: &mut Binary<'_>, mentions: &Mentions, wanted: impl Fn(u64) -> bool) {
    for (_, mention) in mentions {
        if let Mention::Code(address) = mention
            && wanted(*address)
        {
            binary.starts.push(*address);
        }
    }
    binary.starts.sort_unstable();
    binary.starts.dedup();
}

/// Returns the addresses of each function: up to the next one's start or its section's end.
fn functions(binary: &Binary<'_>) -> Vec<Range<u64>> {
    let starts = &binary.starts;
    let all = starts.iter().enumerate().filter_map(|(index, &start)| {
        let section = find(&binary.code, start)?;
        let next = starts.get(index + 1).copied().unwrap_or(u64::MAX);
        Some(start..next.min(section.range.end))
    });
    all.collect()
}

/// Returns the bytes of a function.
fn code<'a>(binary: &Binary<'a>, function: &Range<u64>) -> &'a [u8] {
    let Some(section) = find(&binary.code, function.start) else {
        return &[];
    };
    let offset = |address: u64| usize::try_from(address - section.range.start).unwrap_or(usize::MAX);
    let bytes = section.bytes;
    bytes
        .get(offset(function.start)..offset(function.end).min(bytes.len()))
        .unwrap_or_default()
}

/// Returns the index of the function that holds `address`.
fn function_at(starts: &[u64], address: u64) -> Option<u32> {
    let index = starts.partition_point(|start| *start <= address).checked_sub(1)?;
    u32::try_from(index).ok()
}

/// Adds what a function mentions.
fn read<I: Isa>(
    binary: &Binary<'_>,
    function: Range<u64>,
    mentions: &mut Mentions,
    systems: &mut BTreeSet<u64>,
) {
    let start = function.start;
    let mut own: Vec<Mention> = Vec::new();
    let mut mention = |what| own.push(what);
    // A function that ends in anything but a jump, a return or a call goes on with the next.
    let mut goes_on = false;
    I::decode(code(binary, &function), start, |instruction| {
        let flow = I::flow(instruction);
        match flow {
            Flow::Call(target) | Flow::Jump(target) | Flow::Branch(target) => {
                if !function.contains(&target) && binary.is_code(target) {
                    mention(Mention::Code(target));
                }
            }
            Flow::System => {
                systems.insert(start);
            }
            Flow::Next | Flow::CallIndirect | Flow::JumpIndirect | Flow::Stop => {}
        }
        if !I::is_padding(instruction) {
            goes_on = matches!(flow, Flow::Next | Flow::Branch(_) | Flow::System);
        }
        I::references(instruction, binary.is_fixed, |reference| match reference {
            Reference::Taken(address) if function.contains(&address) => {}
            Reference::Taken(address) if binary.is_code(address) => mention(Mention::Code(address)),
            Reference::Taken(address) if binary.is_data(address) => mention(Mention::Data(address)),
            Reference::Loaded(address) if binary.is_data(address) => mention(Mention::Slot(address)),
            Reference::Taken(_) | Reference::Loaded(_) => {}
        });
        true
    });
    if goes_on && binary.is_code(function.end) {
        mention(Mention::Code(function.end));
    }
    own.sort_unstable();
    own.dedup();
    mentions.extend(own.into_iter().map(|what| (start, what)));
}

/// Puts a file's nodes and edges together.
fn graph(binary: &Binary<'_>, mentions: &Mentions) -> Part {
    let mut cuts: Vec<u64> = binary.data.iter().map(|section| section.range.start).collect();
    cuts.extend(
        binary
            .symbols
            .iter()
            .filter(|symbol| symbol.is_data)
            .map(|symbol| symbol.address),
    );
    cuts.extend(mentions.iter().filter_map(|(_, mention)| match mention {
        Mention::Data(address) => Some(*address),
        Mention::Code(_) | Mention::Slot(_) => None,
    }));
    cuts.extend(binary.pointers.iter().filter_map(|(_, pointer)| match pointer {
        Pointer::Local(address) => Some(*address),
        Pointer::Import(_) => None,
    }));
    cuts.extend(binary.arrays.iter().map(|array| array.start));
    cuts.retain(|&address| binary.is_data(address));
    cuts.sort_unstable();
    cuts.dedup();

    let functions = binary.starts.len();
    let node = |address: u64| -> Option<u32> {
        if binary.is_code(address) {
            function_at(&binary.starts, address)
        } else if binary.is_data(address) {
            let index = function_at(&cuts, address)? as usize;
            u32::try_from(functions + index).ok()
        } else {
            None
        }
    };
    let mut part = Part {
        names: binary.imports.clone(),
        functions,
        ..Part::default()
    };
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut name = |names: &mut Vec<String>, text: &str| -> u32 {
        *known.entry(text.to_owned()).or_insert_with(|| {
            names.push(text.to_owned());
            u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
        })
    };
    let edge = |pointer: Pointer| match pointer {
        Pointer::Local(address) => node(address).map(Edge::Local),
        Pointer::Import(name) => Some(Edge::Import(name)),
    };
    let mut rest = mentions.as_slice();
    for &start in &binary.starts {
        let (here, after) = rest.split_at(rest.partition_point(|(of, _)| *of <= start));
        rest = after;
        let from = part.edges.len();
        for (_, mention) in here {
            match mention {
                Mention::Code(address) | Mention::Data(address) => {
                    part.edges.extend(node(*address).map(Edge::Local));
                }
                Mention::Slot(slot) => {
                    let pointers = if binary.is_fixed {
                        binary.pointers_in(*slot..slot.saturating_add(8))
                    } else {
                        binary
                            .pointer(*slot)
                            .map(|pointer| (*slot, pointer))
                            .into_iter()
                            .collect()
                    };
                    part.edges
                        .extend(pointers.into_iter().filter_map(|(_, pointer)| edge(pointer)));
                }
            }
        }
        finish(&mut part, from);
    }
    for (index, &cut) in cuts.iter().enumerate() {
        let from = part.edges.len();
        let section = find(&binary.data, cut).map_or(cut, |section| section.range.end);
        let end = cuts.get(index + 1).copied().unwrap_or(u64::MAX).min(section);
        let mut before: Option<(u64, &str)> = None;
        for (slot, pointer) in binary.pointers_in(cut..end) {
            let text = match pointer {
                Pointer::Local(address) if !binary.is_code(address) => binary.text(address),
                _ => None,
            };
            let named = before
                .filter(|(at, _)| at.saturating_add(8) == slot)
                .map(|(_, text)| text);
            match (named, edge(pointer)) {
                (Some(text), Some(Edge::Local(to))) if (to as usize) < functions => {
                    let text = name(&mut part.names, text);
                    part.edges.push(Edge::Named(text, to));
                }
                (_, found) => part.edges.extend(found),
            }
            before = text.filter(|text| is_identifier(text)).map(|text| (slot, text));
        }
        finish(&mut part, from);
    }
    part.addresses = binary.starts.iter().chain(&cuts).copied().collect();
    for symbol in &binary.symbols {
        let Some(node) = node(symbol.address) else {
            continue;
        };
        let text = name(&mut part.names, &symbol.name);
        if part.addresses.get(node as usize) == Some(&symbol.address) {
            part.labels.entry(node).or_insert(text);
        }
        if symbol.exported {
            part.exports.push((text, node));
        }
    }
    part.entries
        .extend(binary.entries.iter().filter_map(|&address| node(address)));
    part.entries
        .extend(binary.arrays.iter().filter_map(|array| node(array.start)));
    part
}

/// Ends the edges of a node, which begin at `from`.
fn finish(part: &mut Part, from: usize) {
    let mut own = part.edges.split_off(from);
    own.sort_unstable();
    own.dedup();
    part.edges.extend(own);
    part.ends
        .push(u32::try_from(part.edges.len()).unwrap_or(u32::MAX));
}

/// Returns whether a text could be a name in a program's source.
fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Follows every function that makes system calls, then callers of wrappers, until nothing changes.
fn all_numbers<I: Isa>(
    binary: &Binary<'_>,
    mentions: &Mentions,
    systems: &BTreeSet<u64>,
) -> BTreeMap<u64, Numbers>
where
    I::Instruction: Clone,
{
    let ranges: HashMap<u64, Range<u64>> = functions(binary)
        .into_iter()
        .map(|range| (range.start, range))
        .collect();
    let import = |slot: u64| match binary.pointer(slot) {
        Some(Pointer::Import(name)) => binary.imports.get(name as usize).map(String::as_str),
        _ => None,
    };
    // An address that no function has stands for the import that is called through a slot.
    const OUTSIDE: u64 = u64::MAX;
    let mut known: HashMap<u64, BTreeSet<Argument>> = HashMap::new();
    let first = BTreeSet::from([Argument::Register(7)]);
    known.insert(OUTSIDE, first.clone());
    let mut callers: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut todo: BTreeSet<u64> = systems.clone();
    for (function, mention) in mentions {
        match mention {
            Mention::Code(target) => callers.entry(*target).or_default().push(*function),
            Mention::Slot(slot) if import(*slot).is_some_and(|name| GENERIC.contains(&name)) => {
                if find(&binary.code, *function).is_some_and(|section| section.is_plt) {
                    known.insert(*function, first.clone());
                } else {
                    todo.insert(*function);
                }
            }
            Mention::Slot(_) | Mention::Data(_) => {}
        }
    }
    let stubs: Vec<u64> = known.keys().copied().collect();
    todo.extend(stubs.iter().filter_map(|stub| callers.get(stub)).flatten());
    let mut all: BTreeMap<u64, Numbers> = BTreeMap::new();
    let mut visits = 0;
    let slot = |slot: u64| {
        import(slot)
            .filter(|name| GENERIC.contains(name))
            .map(|_| OUTSIDE)
    };
    while let Some(start) = todo.pop_first() {
        let Some(range) = ranges.get(&start) else { continue };
        let bytes = code(binary, range);
        let found = if bytes.len() > numbers::LONGEST || visits > MOST_VISITS {
            Numbers {
                unresolved: 1,
                ..Numbers::default()
            }
        } else {
            let wrappers = Wrappers {
                known: &known,
                slot: &slot,
            };
            numbers::follow::<I>(bytes, start, &wrappers)
        };
        visits += found.visits;
        let before = known.get(&start);
        if !found.arguments.is_empty() && before.is_none_or(|before| !found.arguments.is_subset(before)) {
            known.entry(start).or_default().extend(&found.arguments);
            todo.extend(callers.get(&start).into_iter().flatten());
        }
        all.insert(start, found);
    }
    all
}

/// Returns the texts that functions mention which look up a name, and their callers.
fn looked_up(binary: &Binary<'_>, mentions: &Mentions) -> BTreeSet<String> {
    let import = |slot: u64| match binary.pointer(slot) {
        Some(Pointer::Import(name)) => binary.imports.get(name as usize).map(String::as_str),
        _ => None,
    };
    let mut near: BTreeSet<u64> = BTreeSet::new();
    for (function, mention) in mentions {
        if let Mention::Slot(slot) = mention
            && import(*slot).is_some_and(|name| LOOKUPS.contains(&name))
        {
            near.insert(*function);
        }
    }
    // Through the table of jumps, the function, and one call above it.
    for _ in 0..3 {
        let more: Vec<u64> = mentions
            .iter()
            .filter_map(|(function, mention)| match mention {
                Mention::Code(target) if near.contains(target) => Some(*function),
                _ => None,
            })
            .collect();
        if more.is_empty() {
            break;
        }
        near.extend(more);
    }
    let texts = mentions.iter().filter_map(|(function, mention)| match mention {
        Mention::Data(address) if near.contains(function) => binary.text(*address),
        _ => None,
    });
    texts
        .filter(|text| is_identifier(text))
        .map(str::to_owned)
        .collect()
}
