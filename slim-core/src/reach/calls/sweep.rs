//! One file's part of the graph: its functions, its data, what each leads to, and the system calls that functions make.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::binary::{Binary, Code, Data, Names, Pointer, find, number};
use super::isa::{Flow, Isa, Reference};
use super::numbers::{self, Argument, Numbers, Wrappers};
use super::x86_64::X86_64;
use crate::reach::elf::parse::{ReadAt, slice};

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

/// The largest number of nodes of a file: an edge is two bits of its kind, and a node.
const MOST_NODES: usize = 1 << 30;

/// An edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// To a function or data of the same file.
    Local(u32),
    /// To a name: an index into [`Part::names`].
    Import(u32),
    /// To a function of the same file whose address stands behind a name in a table: the name, the function.
    Named(u32, u32),
}

/// Kinds of an edge, in the two highest bits of [`Part::edges`].
const LOCAL: u32 = 0;
const IMPORT: u32 = 1 << 30;
const NAMED: u32 = 2 << 30;

/// A file's part of the graph. Nodes are functions first, then data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Names of imports, exports and of tables.
    pub(super) names: Names,
    /// The address of each node.
    pub(super) addresses: Vec<u64>,
    /// Number of functions among the nodes.
    pub(super) functions: usize,
    /// The edges of each node: the end of its part of [`Part::edges`].
    ends: Vec<u32>,
    /// A kind, and a node, a name or an index into [`Part::named`].
    edges: Vec<u32>,
    /// Names in tables, and the functions behind them.
    named: Vec<(u32, u32)>,
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
    pub(super) fn edges(&self, node: u32) -> impl Iterator<Item = Edge> {
        let node = node as usize;
        let end = self.ends.get(node).copied().unwrap_or(0) as usize;
        let start = node.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or(0) as usize;
        let packed = self.edges.get(start..end).unwrap_or_default();
        packed.iter().map(|packed| self.edge(*packed))
    }

    fn edge(&self, packed: u32) -> Edge {
        let index = packed & !(IMPORT | NAMED);
        match packed & (IMPORT | NAMED) {
            IMPORT => Edge::Import(index),
            NAMED => {
                let (name, to) = self.named.get(index as usize).copied().unwrap_or_default();
                Edge::Named(name, to)
            }
            _ => Edge::Local(index),
        }
    }

    /// Returns the names of symbols of other files that this one uses.
    pub(super) fn imports(&self) -> impl Iterator<Item = &str> {
        self.edges.iter().filter_map(|packed| match self.edge(*packed) {
            Edge::Import(name) => Some(self.names.get(name)),
            Edge::Local(_) | Edge::Named(..) => None,
        })
    }

    /// Returns whether the file is a C library or its loader.
    fn is_c_library(&self) -> bool {
        let mut names = self.exports.iter().map(|(name, _)| self.names.get(*name));
        names.any(|name| matches!(name, "__libc_start_main" | "__tls_get_addr"))
    }

    /// Returns the names that stand before functions in tables.
    pub(super) fn names_in_tables(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, _)| self.names.get(*name))
    }

    /// Returns the name of a node, or its address.
    pub(super) fn label(&self, node: u32) -> String {
        match self.labels.get(&node) {
            Some(name) => self.names.get(*name).to_owned(),
            None => format!("{:#x}", self.addresses.get(node as usize).copied().unwrap_or(0)),
        }
    }
}

/// A place that an instruction mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mention {
    Code(u64),
    Data(u64),
    Slot(u64),
}

/// A [`Mention`] in eight bytes: its kind in the two highest bits, above every address of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packed(u64);

impl Packed {
    const DATA: u64 = 1 << 62;
    const SLOT: u64 = 2 << 62;

    fn mention(self) -> Mention {
        let address = self.0 & !(Self::DATA | Self::SLOT);
        match self.0 & (Self::DATA | Self::SLOT) {
            Self::DATA => Mention::Data(address),
            Self::SLOT => Mention::Slot(address),
            _ => Mention::Code(address),
        }
    }
}

impl From<Mention> for Packed {
    fn from(mention: Mention) -> Self {
        match mention {
            Mention::Code(address) => Self(address),
            Mention::Data(address) => Self(address | Self::DATA),
            Mention::Slot(address) => Self(address | Self::SLOT),
        }
    }
}

/// The places that functions mention.
#[derive(Default)]
struct Mentions {
    /// The start of each function that mentions any, and the range of its places.
    functions: Vec<(u64, u32, u32)>,
    places: Vec<Packed>,
}

impl Mentions {
    fn clear(&mut self) {
        self.functions.clear();
        self.places.clear();
    }

    /// Adds what one function mentions.
    fn add(&mut self, start: u64, mut own: Vec<Packed>) {
        own.sort_unstable();
        own.dedup();
        if !own.is_empty() {
            let from = number(self.places.len());
            self.places.extend(own);
            self.functions.push((start, from, number(self.places.len())));
        }
    }

    /// Returns what functions mention, with their starts.
    fn by_function(&self) -> impl Iterator<Item = (u64, impl Iterator<Item = Mention>)> {
        self.functions.iter().map(|&(start, from, to)| {
            let places = self.places.get(from as usize..to as usize).unwrap_or_default();
            (start, places.iter().map(|packed| packed.mention()))
        })
    }

    /// Returns each mention, with its function's start.
    fn iter(&self) -> impl Iterator<Item = (u64, Mention)> {
        self.by_function()
            .flat_map(|(start, mentions)| mentions.map(move |mention| (start, mention)))
    }
}

/// Reads the part of the graph of a file of `size` bytes; none if it is no x86-64 ELF file, or holds more than any
/// program.
pub(crate) fn part(read: &ReadAt<'_>, size: u64) -> Option<Part> {
    sweep::<X86_64>(Binary::parse(read, size)?, read)
}

/// Reads the part of the graph of a file in memory.
pub(crate) fn part_of(bytes: &[u8]) -> Option<Part> {
    part(&slice(bytes), bytes.len() as u64)
}

/// Reads a file's part of the graph.
///
/// None if it holds more than any program.
fn sweep<I: Isa>(mut binary: Binary, read: &ReadAt<'_>) -> Option<Part>
where
    I::Instruction: Clone,
{
    let mut code = Code::new(read);
    let mut systems: BTreeSet<u64> = BTreeSet::new();
    let mut mentions = Mentions::default();
    for round in 0..ROUNDS {
        systems.clear();
        mentions.clear();
        for function in functions(&binary) {
            if mentions.places.len() > MOST_MENTIONS {
                return None;
            }
            if !is_plt(&binary, function.start) {
                read_function::<I>(&binary, &mut code, function, &mut mentions, &mut systems);
            }
        }
        if binary.has_starts || round + 1 == ROUNDS {
            break;
        }
        let before = binary.starts.len();
        add_starts(&mut binary, &mentions, |_| true);
        if binary.starts.len() == before {
            break;
        }
    }
    // A table of jumps has one start: each place that is called in it is a function.
    let called: BTreeSet<u64> = mentions
        .iter()
        .filter_map(|(_, mention)| match mention {
            Mention::Code(address) if is_plt(&binary, address) => Some(address),
            _ => None,
        })
        .collect();
    add_starts(&mut binary, &mentions, |address| called.contains(&address));
    for function in functions(&binary) {
        if is_plt(&binary, function.start) {
            read_function::<I>(&binary, &mut code, function, &mut mentions, &mut systems);
        }
    }
    mentions.functions.sort_unstable();
    let numbers = all_numbers::<I>(&binary, &mut code, &mentions, systems);
    drop(code);
    let mut data = Data::new(read);
    let looked_up = looked_up(&binary, &mut data, &mentions);
    let starts = std::mem::take(&mut binary.starts);
    let mut part = graph(binary, &mut data, &starts, mentions)?;
    for (start, found) in numbers {
        let Some(node) = function_at(&starts, start) else {
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
            let name = part.names.get(export);
            let number = SETXID.iter().find(|(function, _)| *function == name);
            if let Some((_, number)) = number {
                part.numbers.entry(node).or_default().insert(*number);
            }
        }
        // What is left there is the handler that does it in each thread, and the loader's own start.
        part.unresolved.clear();
    }
    part.looked_up = looked_up;
    Some(part)
}

fn add_starts(binary: &mut Binary, mentions: &Mentions, wanted: impl Fn(u64) -> bool) {
    let more = mentions.iter().filter_map(|(_, mention)| match mention {
        Mention::Code(address) if wanted(address) => Some(address),
        _ => None,
    });
    binary.starts.extend(more);
    binary.starts.sort_unstable();
    binary.starts.dedup();
}

/// Returns whether an address is in a table of jumps to imports.
fn is_plt(binary: &Binary, address: u64) -> bool {
    find(&binary.code, address).is_some_and(|section| section.is_plt)
}

/// Returns the addresses of each function.
fn functions(binary: &Binary) -> impl Iterator<Item = Range<u64>> {
    (0..binary.starts.len()).filter_map(|index| function(binary, index))
}

/// Returns the addresses of the function with an index: up to the next one's start or its section's end.
fn function(binary: &Binary, index: usize) -> Option<Range<u64>> {
    let start = *binary.starts.get(index)?;
    let section = find(&binary.code, start)?;
    let next = binary.starts.get(index + 1).copied().unwrap_or(u64::MAX);
    Some(start..next.min(section.range.end))
}

/// Returns the bytes of a function.
fn bytes<'c>(binary: &Binary, code: &'c mut Code<'_>, function: &Range<u64>) -> &'c [u8] {
    match find(&binary.code, function.start) {
        Some(section) => code.bytes(section, function),
        None => &[],
    }
}

/// Returns the index of the function that holds `address`.
fn function_at(starts: &[u64], address: u64) -> Option<u32> {
    let index = starts.partition_point(|start| *start <= address).checked_sub(1)?;
    u32::try_from(index).ok()
}

/// Adds what a function mentions.
fn read_function<I: Isa>(
    binary: &Binary,
    code: &mut Code<'_>,
    function: Range<u64>,
    mentions: &mut Mentions,
    systems: &mut BTreeSet<u64>,
) {
    let start = function.start;
    let mut own: Vec<Packed> = Vec::new();
    let mut mention = |what: Mention| own.push(what.into());
    // A function that ends in anything but a jump, a return or a call goes on with the next.
    let mut goes_on = false;
    I::decode(bytes(binary, code, &function), start, |instruction| {
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
    mentions.add(start, own);
}

/// Puts a file's nodes and edges together; none if there are more than of any program.
fn graph(mut binary: Binary, data: &mut Data<'_>, starts: &[u64], mentions: Mentions) -> Option<Part> {
    let mut cuts: Vec<u64> = binary.data.iter().map(|section| section.range.start).collect();
    cuts.extend(
        binary
            .symbols
            .iter()
            .filter(|symbol| symbol.is_data)
            .map(|symbol| symbol.address),
    );
    cuts.extend(mentions.iter().filter_map(|(_, mention)| match mention {
        Mention::Data(address) => Some(address),
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

    cuts.shrink_to_fit();

    let functions = starts.len();
    if functions + cuts.len() > MOST_NODES {
        return None;
    }
    let mut names = std::mem::take(&mut binary.names);
    let node = |address: u64| -> Option<u32> {
        if binary.is_code(address) {
            function_at(starts, address)
        } else if binary.is_data(address) {
            Some(number(functions) + function_at(&cuts, address)?)
        } else {
            None
        }
    };
    let edge = |pointer: Pointer| match pointer {
        Pointer::Local(address) => node(address).map(|node| LOCAL | node),
        Pointer::Import(name) => Some(IMPORT | name),
    };
    let mut part = Part {
        functions,
        is_program: binary.is_program,
        ..Part::default()
    };
    let mut own: Vec<u32> = Vec::new();
    let mut by_function = mentions.by_function().peekable();
    for &start in starts {
        if let Some((_, mentioned)) = by_function.next_if(|(of, _)| *of == start) {
            for mention in mentioned {
                match mention {
                    Mention::Code(address) | Mention::Data(address) => {
                        own.extend(node(address).map(|node| LOCAL | node));
                    }
                    Mention::Slot(slot) if binary.is_fixed => {
                        let pointers = binary.pointers_in(data, slot..slot.saturating_add(8), starts);
                        own.extend(pointers.into_iter().filter_map(|(_, pointer)| edge(pointer)));
                    }
                    Mention::Slot(slot) => own.extend(binary.pointer(slot).and_then(edge)),
                }
            }
        }
        part.finish(&mut own);
    }
    drop(by_function);
    drop(mentions);
    let mut known: HashMap<String, u32> = HashMap::new();
    for (index, &cut) in cuts.iter().enumerate() {
        let section = find(&binary.data, cut).map_or(cut, |section| section.range.end);
        let end = cuts.get(index + 1).copied().unwrap_or(u64::MAX).min(section);
        let mut before: Option<(u64, String)> = None;
        for (slot, pointer) in binary.pointers_in(data, cut..end, starts) {
            let text = match pointer {
                Pointer::Local(address) if !binary.is_code(address) => binary.text(data, address),
                _ => None,
            };
            let named = before
                .take()
                .filter(|(at, _)| at.saturating_add(8) == slot)
                .map(|(_, text)| text);
            match (named, edge(pointer)) {
                (Some(text), Some(to)) if (to as usize) < functions => {
                    let name = match known.get(&text) {
                        Some(name) => *name,
                        None => {
                            let name = names.push(&text);
                            *known.entry(text).or_insert(name)
                        }
                    };
                    own.push(NAMED | number(part.named.len()));
                    part.named.push((name, to));
                }
                (_, found) => own.extend(found),
            }
            before = text.filter(|text| is_identifier(text)).map(|text| (slot, text));
        }
        part.finish(&mut own);
    }
    part.addresses = starts.iter().chain(&cuts).copied().collect();
    for symbol in &binary.symbols {
        let Some(node) = node(symbol.address) else {
            continue;
        };
        if part.addresses.get(node as usize) == Some(&symbol.address) {
            part.labels.entry(node).or_insert(symbol.name);
        }
        if symbol.exported {
            part.exports.push((symbol.name, node));
        }
    }
    part.entries
        .extend(binary.entries.iter().filter_map(|&address| node(address)));
    part.entries
        .extend(binary.arrays.iter().filter_map(|array| node(array.start)));
    part.names = names;
    part.edges.shrink_to_fit();
    (part.names.len() <= MOST_NODES && part.named.len() <= MOST_NODES).then_some(part)
}

impl Part {
    /// Ends the edges of a node.
    fn finish(&mut self, own: &mut Vec<u32>) {
        own.sort_unstable();
        own.dedup();
        self.edges.append(own);
        self.ends.push(number(self.edges.len()));
    }
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
    binary: &Binary,
    code: &mut Code<'_>,
    mentions: &Mentions,
    systems: BTreeSet<u64>,
) -> BTreeMap<u64, Numbers>
where
    I::Instruction: Clone,
{
    let import = |slot: u64| match binary.pointer(slot) {
        Some(Pointer::Import(name)) => Some(binary.names.get(name)),
        _ => None,
    };
    // An address that no function has stands for the import that is called through a slot.
    const OUTSIDE: u64 = u64::MAX;
    let mut known: HashMap<u64, BTreeSet<Argument>> = HashMap::new();
    let first = BTreeSet::from([Argument::Register(7)]);
    known.insert(OUTSIDE, first.clone());
    // Most files have no wrapper, and need no list of who calls whom: pairs of indices of functions.
    let index = |start: u64| binary.starts.binary_search(&start).ok().map(number);
    let calls = LazyCell::new(|| {
        let mut calls: Vec<(u32, u32)> = Vec::new();
        for (caller, mentions) in mentions.by_function() {
            let Some(caller) = index(caller) else { continue };
            calls.extend(mentions.filter_map(|mention| match mention {
                Mention::Code(target) => Some((index(target)?, caller)),
                Mention::Slot(_) | Mention::Data(_) => None,
            }));
        }
        calls.sort_unstable();
        calls
    });
    let callers = |start: u64| {
        let start = index(start);
        let from = calls.partition_point(|(target, _)| Some(*target) < start);
        let to = calls.partition_point(|(target, _)| Some(*target) <= start);
        let callers = calls.get(from..to).unwrap_or_default().iter();
        callers.filter_map(|(_, caller)| binary.starts.get(*caller as usize).copied())
    };
    let mut todo = systems;
    for (function, mention) in mentions.iter() {
        if let Mention::Slot(slot) = mention
            && import(slot).is_some_and(|name| GENERIC.contains(&name))
        {
            if is_plt(binary, function) {
                known.insert(function, first.clone());
                todo.extend(callers(function));
            } else {
                todo.insert(function);
            }
        }
    }
    let mut all: BTreeMap<u64, Numbers> = BTreeMap::new();
    let mut visits = 0;
    let slot = |slot: u64| {
        import(slot)
            .filter(|name| GENERIC.contains(name))
            .map(|_| OUTSIDE)
    };
    while let Some(start) = todo.pop_first() {
        let index = binary.starts.binary_search(&start).ok();
        let Some(range) = index.and_then(|index| function(binary, index)) else {
            continue;
        };
        let bytes = bytes(binary, code, &range);
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
            todo.extend(callers(start));
        }
        all.insert(start, found);
    }
    all
}

/// Returns the texts that functions mention which look up a name, and their callers.
fn looked_up(binary: &Binary, data: &mut Data<'_>, mentions: &Mentions) -> BTreeSet<String> {
    let import = |slot: u64| match binary.pointer(slot) {
        Some(Pointer::Import(name)) => Some(binary.names.get(name)),
        _ => None,
    };
    let mut near: BTreeSet<u64> = BTreeSet::new();
    for (function, mention) in mentions.iter() {
        if let Mention::Slot(slot) = mention
            && import(slot).is_some_and(|name| LOOKUPS.contains(&name))
        {
            near.insert(function);
        }
    }
    // Through the table of jumps, the function, and one call above it.
    for _ in 0..3 {
        let more: Vec<u64> = mentions
            .iter()
            .filter_map(|(function, mention)| match mention {
                Mention::Code(target) if near.contains(&target) => Some(function),
                _ => None,
            })
            .collect();
        if more.is_empty() {
            break;
        }
        near.extend(more);
    }
    let texts = mentions.iter().filter_map(|(function, mention)| match mention {
        Mention::Data(address) if near.contains(&function) => binary.text(data, address),
        _ => None,
    });
    texts.filter(|text| is_identifier(text)).collect()
}
