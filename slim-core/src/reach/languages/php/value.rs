//! Values of PHP's expressions, as far as they are known without running them: strings and paths.
//!
//! An expression may have several values: the branches of a condition, the elements of an array that is indexed, all
//! that a source assigns to a variable. Between what is known of a string may stand parts that are not.

use std::collections::BTreeMap;

use tree_sitter::Node;

use crate::path::RootPath;
use crate::reach::languages::syntax_tree::text;

/// The depth up to which expressions are evaluated; deeper ones are generated.
const MAX_DEPTH: usize = 16;
/// Length of the longest string that names something.
const MAX_LENGTH: usize = 4096;
/// The largest number of parts of a string that are told apart.
const MAX_PIECES: usize = 8;
/// The largest number of values that one expression may have; an array with more is a table that is looked things up
/// in.
const MAX_VALUES: usize = 32;
/// The largest number of operands of one concatenation, and elements of one array that are looked at.
const MAX_OPERANDS: usize = 64;
/// The largest number of variables and constants of one source that are known.
const MAX_NAMES: usize = 4096;
/// The largest number of bytes that are put together for one source.
const MAX_WORK: usize = 32 << 20;

/// A string, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The known pieces, in order; between two of them stands an unknown one.
    pieces: Vec<Vec<u8>>,
    /// True if it starts at the place of the source itself.
    pub(super) placed: bool,
}

impl Words {
    pub(super) fn literal(text: &[u8]) -> Self {
        Self {
            pieces: vec![text.to_vec()],
            placed: false,
        }
    }

    fn unknown() -> Self {
        Self {
            pieces: vec![Vec::new(); 2],
            placed: false,
        }
    }

    fn path(path: &RootPath) -> Self {
        Self {
            placed: true,
            ..Self::literal(path.as_bytes())
        }
    }

    /// All of it, if nothing in it is unknown.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [all] => Some(all),
            _ => None,
        }
    }

    /// Returns its known beginning.
    pub(super) fn head(&self) -> &[u8] {
        self.pieces.first().map_or(&[], Vec::as_slice)
    }

    /// Returns its known end, behind the last unknown part.
    pub(super) fn tail(&self) -> &[u8] {
        self.pieces.last().map_or(&[], Vec::as_slice)
    }

    /// Returns the known pieces, in order.
    pub(super) fn pieces(&self) -> &[Vec<u8>] {
        &self.pieces
    }

    /// Number of its known bytes.
    fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }

    /// Returns this with `other` behind it.
    fn then(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.placed |= other.placed && self.pieces.iter().all(Vec::is_empty) && self.whole().is_some();
        if self.len() + other.len() > MAX_LENGTH || self.pieces.len() + other.pieces.len() > MAX_PIECES {
            joined.pieces.truncate(MAX_PIECES - 1);
            joined.pieces.push(Vec::new());
            return joined;
        }
        let mut rest = other.pieces.iter();
        if let (Some(last), Some(first)) = (joined.pieces.last_mut(), rest.next()) {
            last.extend_from_slice(first);
        }
        joined.pieces.extend(rest.cloned());
        joined
    }
}

/// The values that an expression may have; never none.
pub(super) type Values = Vec<Words>;

fn unknown() -> Values {
    vec![Words::unknown()]
}

/// Adds what is new of `more`; what is too much is unknown.
fn add(values: &mut Values, more: Values) {
    for words in more {
        if values.contains(&words) {
            continue;
        }
        if values.len() + 1 >= MAX_VALUES {
            let unknown = Words::unknown();
            if !values.contains(&unknown) {
                values.push(unknown);
            }
            return;
        }
        values.push(words);
    }
}

/// The names whose values are known where a source is read.
pub(super) struct Scope<'s> {
    /// The file.
    pub(super) file: &'s RootPath,
    /// Its directory.
    pub(super) directory: &'s RootPath,
    /// All of the source.
    pub(super) source: &'s [u8],
    /// The namespace at hand.
    pub(super) namespace: Vec<u8>,
    /// Values of variables (`$x`), properties of the class at hand (`->x`) and constants (`X`).
    known: BTreeMap<Vec<u8>, Values>,
    work: usize,
}

impl<'s> Scope<'s> {
    pub(super) fn new(file: &'s RootPath, directory: &'s RootPath, source: &'s [u8]) -> Self {
        Self {
            file,
            directory,
            source,
            namespace: Vec::new(),
            known: BTreeMap::new(),
            work: 0,
        }
    }

    /// The values of `node`. The nodes that are read completely for them are added to `read`.
    pub(super) fn values(&mut self, node: Node<'_>, read: &mut Vec<usize>) -> Values {
        let values = self.evaluate(node, MAX_DEPTH, read);
        self.work += values.iter().map(Words::len).sum::<usize>();
        values
    }

    /// Takes what `node` assigns to variables, properties and constants.
    pub(super) fn learn(&mut self, node: Node<'_>) {
        let field = |name| node.child_by_field_name(name);
        match node.kind() {
            "assignment_expression" => {
                let (Some(left), Some(right)) = (field("left"), field("right")) else {
                    return;
                };
                if left.kind() == "list_literal" {
                    self.learn_all(left, &unknown());
                    return;
                }
                let values = self.values(right, &mut Vec::new());
                self.learn_all(left, &values);
            }
            "augmented_assignment_expression" => {
                let (Some(left), Some(right)) = (field("left"), field("right")) else {
                    return;
                };
                if field("operator").is_some_and(|operator| text(operator, self.source) == b".=") {
                    let (before, behind) = (
                        self.values(left, &mut Vec::new()),
                        self.values(right, &mut Vec::new()),
                    );
                    let values = self.joined(before, &behind);
                    self.learn_all(left, &values);
                }
            }
            "property_element"
            | "simple_parameter"
            | "property_promotion_parameter"
            | "static_variable_declaration" => {
                let Some(name) = field("name") else { return };
                let given = field("default_value").or_else(|| field("value"));
                let mut values = given.map_or_else(Vec::new, |given| self.values(given, &mut Vec::new()));
                if node.kind().ends_with("parameter") {
                    add(&mut values, unknown());
                }
                if node.kind().starts_with("property") {
                    let key = [
                        b"->",
                        text(name, self.source).strip_prefix(b"$").unwrap_or_default(),
                    ]
                    .concat();
                    self.remember(key, &values);
                }
                self.learn_all(name, &values);
            }
            "const_element" => {
                let (Some(name), Some(value)) = (node.named_child(0), node.named_child(1)) else {
                    return;
                };
                let values = self.values(value, &mut Vec::new());
                self.remember(text(name, self.source).to_vec(), &values);
            }
            "foreach_statement" => {
                let (Some(all), Some(each)) = (node.named_child(0), node.named_child(1)) else {
                    return;
                };
                let values = self.values(all, &mut Vec::new());
                let key = each.named_child(0).filter(|_| each.kind() == "pair");
                if let Some(key) = key {
                    self.learn_all(key, &unknown());
                }
                let value = if key.is_some() {
                    each.named_child(1)
                } else {
                    Some(each)
                };
                if let Some(value) = value {
                    self.learn_all(value, &values);
                }
            }
            "function_call_expression" => {
                let defines = field("function").map(|function| function_name(function, self.source));
                let arguments = arguments(node);
                if defines == Some(b"define")
                    && let [name, value, ..] = arguments.as_slice()
                {
                    let names = self.values(*name, &mut Vec::new());
                    let values = self.values(*value, &mut Vec::new());
                    if let Some(name) = names.first().and_then(Words::whole) {
                        self.remember(name.to_vec(), &values);
                    }
                }
            }
            _ => {}
        }
    }

    /// Learns that `target` has one of `values`: a variable, a property, an element of one, or each in a list.
    fn learn_all(&mut self, target: Node<'_>, values: &Values) {
        let mut todo = vec![target];
        for _ in 0..MAX_OPERANDS {
            let Some(target) = todo.pop() else { return };
            match target.kind() {
                "list_literal" | "by_ref" => {
                    let mut cursor = target.walk();
                    todo.extend(target.named_children(&mut cursor).take(MAX_OPERANDS));
                }
                "subscript_expression" => todo.extend(target.named_child(0)),
                _ => {
                    if let Some(key) = self.key(target) {
                        self.remember(key, values);
                    }
                }
            }
        }
    }

    fn remember(&mut self, key: Vec<u8>, values: &Values) {
        self.work += values.iter().map(Words::len).sum::<usize>();
        if self.work < MAX_WORK && (self.known.len() < MAX_NAMES || self.known.contains_key(&key)) {
            add(self.known.entry(key).or_default(), values.clone());
        }
    }

    /// Returns the known values of a variable, a property of the class at hand or a constant.
    fn key(&self, node: Node<'_>) -> Option<Vec<u8>> {
        let source = self.source;
        let name = || node.child_by_field_name("name").map(|name| text(name, source));
        match node.kind() {
            "variable_name" => Some(text(node, source).to_vec()),
            "member_access_expression" => {
                let object = node.child_by_field_name("object")?;
                (text(object, source) == b"$this").then(|| [b"->", name().unwrap_or_default()].concat())
            }
            "scoped_property_access_expression" => {
                Some([b"->", name()?.strip_prefix(b"$").unwrap_or_default()].concat())
            }
            "name" | "qualified_name" => Some(last_name(text(node, source)).to_vec()),
            "class_constant_access_expression" => Some(text(last_child(node)?, source).to_vec()),
            _ => None,
        }
    }

    fn evaluate(&mut self, node: Node<'_>, depth: usize, read: &mut Vec<usize>) -> Values {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.work < MAX_WORK) else {
            return unknown();
        };
        let source = self.source;
        match node.kind() {
            "string" | "encapsed_string" | "shell_command_expression" => {
                read.push(node.id());
                self.string(node, depth, read)
            }
            "name" | "qualified_name" => {
                let constant = text(node, source);
                let words = match last_name(constant) {
                    b"__DIR__" => Words::path(self.directory),
                    b"__FILE__" => Words::path(self.file),
                    b"__NAMESPACE__" => Words::literal(&self.namespace),
                    b"DIRECTORY_SEPARATOR" => Words::literal(b"/"),
                    b"PATH_SEPARATOR" => Words::literal(b":"),
                    _ => return self.known(node),
                };
                read.push(node.id());
                vec![words]
            }
            "variable_name"
            | "member_access_expression"
            | "scoped_property_access_expression"
            | "class_constant_access_expression" => self.known(node),
            "subscript_expression" => match node.named_child(0) {
                Some(array) => self.evaluate(array, depth, read),
                None => unknown(),
            },
            "parenthesized_expression" => match node.named_child(0) {
                Some(inner) => self.evaluate(inner, depth, read),
                None => unknown(),
            },
            "array_creation_expression" => self.elements(node, depth, read),
            "conditional_expression" => {
                let branches = [
                    node.child_by_field_name("body"),
                    node.child_by_field_name("alternative"),
                ];
                let first = branches[0].or_else(|| node.child_by_field_name("condition"));
                self.any(first.into_iter().chain(branches[1]), depth, read)
            }
            "binary_expression" => match self.operator(node) {
                b"." => self.concatenation(node, depth, read),
                b"??" => {
                    let sides = ["left", "right"].map(|side| node.child_by_field_name(side));
                    self.any(sides.into_iter().flatten(), depth, read)
                }
                _ => unknown(),
            },
            "function_call_expression" => self.call(node, depth, read),
            _ => unknown(),
        }
    }

    fn operator(&self, node: Node<'_>) -> &'s [u8] {
        let operator = node.child_by_field_name("operator");
        operator.map_or(&[], |operator| text(operator, self.source))
    }

    fn known(&self, node: Node<'_>) -> Values {
        let known = self.key(node).and_then(|key| self.known.get(&key));
        known
            .filter(|values| !values.is_empty())
            .cloned()
            .unwrap_or_else(unknown)
    }

    /// The values of any of `nodes`.
    fn any<'t>(
        &mut self,
        nodes: impl Iterator<Item = Node<'t>>,
        depth: usize,
        read: &mut Vec<usize>,
    ) -> Values {
        let mut values = Vec::new();
        for node in nodes {
            let more = self.evaluate(node, depth, read);
            add(&mut values, more);
        }
        if values.is_empty() { unknown() } else { values }
    }

    /// The elements of an array, any of which an index may choose; unknown if they are many.
    fn elements(&mut self, array: Node<'_>, depth: usize, read: &mut Vec<usize>) -> Values {
        if array.named_child_count() >= MAX_VALUES {
            return unknown();
        }
        let mut cursor = array.walk();
        let values: Vec<Node<'_>> = array
            .named_children(&mut cursor)
            .filter(|element| element.kind() == "array_element_initializer")
            .filter_map(last_child)
            .collect();
        self.any(values.into_iter(), depth, read)
    }

    fn string(&mut self, node: Node<'_>, depth: usize, read: &mut Vec<usize>) -> Values {
        let quoted = node.kind() != "string";
        let mut values = vec![Words::literal(b"")];
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor).take(MAX_OPERANDS) {
            let part = match child.kind() {
                "string_content" => vec![Words::literal(text(child, self.source))],
                "escape_sequence" => vec![escape(text(child, self.source), quoted)],
                _ => self.evaluate(child, depth, read),
            };
            values = self.joined(values, &part);
        }
        if node.named_child_count() > MAX_OPERANDS {
            values = self.joined(values, &unknown());
        }
        values
    }

    /// Returns every one of `left` with every one of `right` behind it.
    fn joined(&mut self, left: Values, right: &Values) -> Values {
        let (mut left, mut right) = (left, right.clone());
        while left.len() * right.len() > MAX_VALUES {
            let larger = if left.len() > right.len() {
                &mut left
            } else {
                &mut right
            };
            *larger = unknown();
        }
        let mut joined = Vec::new();
        for left in &left {
            for right in &right {
                self.work += left.len() + right.len() + 1;
                add(&mut joined, vec![left.then(right)]);
            }
        }
        joined
    }

    /// Evaluates `a . b . c`, which is nested to the left as deep as it is long.
    fn concatenation(&mut self, node: Node<'_>, depth: usize, read: &mut Vec<usize>) -> Values {
        let mut operands = Vec::new();
        let mut left = Some(node);
        while let Some(node) = left {
            if node.kind() != "binary_expression" || self.operator(node) != b"." {
                operands.push(node);
                break;
            }
            read.push(node.id());
            operands.extend(node.child_by_field_name("right"));
            left = node.child_by_field_name("left");
        }
        let more = operands.len() > MAX_OPERANDS;
        let mut values = vec![Words::literal(b"")];
        for operand in operands.into_iter().rev().take(MAX_OPERANDS) {
            let part = self.evaluate(operand, depth, read);
            values = self.joined(values, &part);
        }
        if more {
            values = self.joined(values, &unknown());
        }
        values
    }

    /// Evaluates `dirname`, `realpath`, `rtrim`, `str_replace`, `sprintf` and `implode`, which make paths.
    fn call(&mut self, node: Node<'_>, depth: usize, read: &mut Vec<usize>) -> Values {
        let Some(function) = node.child_by_field_name("function") else {
            return unknown();
        };
        let arguments = arguments(node);
        let Some(&first) = arguments.first() else {
            return unknown();
        };
        let name = function_name(function, self.source);
        match name {
            b"dirname" => {
                let levels = arguments.get(1).map_or(Some(1), |levels| {
                    std::str::from_utf8(text(*levels, self.source)).ok()?.parse().ok()
                });
                let Some(levels) = levels.filter(|levels| (1..=MAX_DEPTH).contains(levels)) else {
                    return unknown();
                };
                read.push(node.id());
                let values = self.evaluate(first, depth, read);
                values.into_iter().map(|words| above(&words, levels)).collect()
            }
            b"realpath" | b"stream_resolve_include_path" | b"strval" => {
                read.push(node.id());
                self.evaluate(first, depth, read)
            }
            b"rtrim" => {
                read.push(node.id());
                let mut values = self.evaluate(first, depth, read);
                for last in values.iter_mut().filter_map(|words| words.pieces.last_mut()) {
                    let end = last.iter().rposition(|&b| b != b'/').map_or(0, |last| last + 1);
                    last.truncate(end);
                }
                values
            }
            b"str_replace" | b"strtr" => {
                let (by_bytes, [first, second, third, ..]) = (name == b"strtr", arguments.as_slice()) else {
                    return unknown();
                };
                let (text, from, to) = if by_bytes {
                    (*first, *second, *third)
                } else {
                    (*third, *first, *second)
                };
                let (searched, put) = (self.evaluate(from, depth, read), self.evaluate(to, depth, read));
                let [put] = put.as_slice() else { return unknown() };
                let mut values = self.evaluate(text, depth, read);
                for searched in &searched {
                    let (Some(searched), Some(put)) = (searched.whole(), put.whole()) else {
                        return unknown();
                    };
                    if searched.is_empty() || (by_bytes && searched.len().max(put.len()) > 1) {
                        return unknown();
                    }
                    for piece in values.iter_mut().flat_map(|words| &mut words.pieces) {
                        *piece = replaced(piece, searched, put);
                    }
                }
                if values.iter().any(|words| words.len() > MAX_LENGTH) {
                    return unknown();
                }
                read.push(node.id());
                values
            }
            b"sprintf" => {
                read.push(node.id());
                let formats = self.evaluate(first, depth, read);
                let mut values = Vec::new();
                for format in formats {
                    let formatted = self.formatted(&format, &arguments[1..], depth, read);
                    add(&mut values, formatted);
                }
                values
            }
            b"implode" | b"join" => {
                let Some(array) = arguments
                    .get(1)
                    .filter(|a| a.kind() == "array_creation_expression")
                else {
                    return unknown();
                };
                read.push(node.id());
                let separator = self.evaluate(first, depth, read);
                let mut values = vec![Words::literal(b"")];
                let mut cursor = array.walk();
                for (number, element) in array.named_children(&mut cursor).take(MAX_OPERANDS).enumerate() {
                    if number > 0 {
                        values = self.joined(values, &separator);
                    }
                    let part = match element.named_child(0) {
                        Some(value) if element.named_child_count() == 1 => self.evaluate(value, depth, read),
                        _ => unknown(),
                    };
                    values = self.joined(values, &part);
                }
                values
            }
            _ => unknown(),
        }
    }

    /// Returns what `sprintf` makes of `format`, for the conversions that take a whole argument.
    fn formatted(
        &mut self,
        format: &Words,
        arguments: &[Node<'_>],
        depth: usize,
        read: &mut Vec<usize>,
    ) -> Values {
        let Some(format) = format.whole() else {
            return unknown();
        };
        let mut values = vec![Words::literal(b"")];
        let mut rest = format;
        let mut next = 0;
        for _ in 0..MAX_OPERANDS {
            let Some(percent) = rest.iter().position(|&b| b == b'%') else {
                return self.joined(values, &vec![Words::literal(rest)]);
            };
            values = self.joined(values, &vec![Words::literal(&rest[..percent])]);
            rest = &rest[percent + 1..];
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let argument = if digits > 0 && rest.get(digits) == Some(&b'$') {
                let number = std::str::from_utf8(&rest[..digits])
                    .ok()
                    .and_then(|n| n.parse().ok());
                rest = &rest[digits + 1..];
                number.and_then(|number: usize| number.checked_sub(1))
            } else {
                Some(next)
            };
            let part = match rest.first() {
                Some(b'%') => vec![Words::literal(b"%")],
                Some(b's') => {
                    next += 1;
                    match argument.and_then(|number| arguments.get(number)) {
                        Some(argument) => self.evaluate(*argument, depth, read),
                        None => unknown(),
                    }
                }
                Some(b'd' | b'u' | b'x') => {
                    next += 1;
                    unknown()
                }
                _ => return self.joined(values, &unknown()),
            };
            rest = &rest[1..];
            values = self.joined(values, &part);
        }
        self.joined(values, &unknown())
    }
}

/// Returns `text` with `put` wherever `searched` stands, which is not empty.
fn replaced(text: &[u8], searched: &[u8], put: &[u8]) -> Vec<u8> {
    let (mut out, mut done) = (Vec::with_capacity(text.len()), 0);
    for at in memchr::memmem::find_iter(text, searched) {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(put);
        done = at + searched.len();
    }
    out.extend_from_slice(&text[done..]);
    out
}

/// The directory `levels` above a path, as `dirname` returns it.
fn above(words: &Words, levels: usize) -> Words {
    let Some(path) = words.whole().filter(|path| path.starts_with(b"/")) else {
        return Words::unknown();
    };
    let mut path = RootPath::new(path);
    for _ in 0..levels {
        path = path.parent().unwrap_or_else(RootPath::root);
    }
    Words {
        placed: words.placed,
        ..Words::literal(path.as_bytes())
    }
}

/// Returns what an escape in a string stands for: in single quotes only the quote and the backslash are.
fn escape(sequence: &[u8], quoted: bool) -> Words {
    match sequence {
        [b'\\', same @ (b'\\' | b'\'')] if !quoted => Words::literal(&[*same]),
        [b'\\', same @ (b'\\' | b'"' | b'$' | b'`')] if quoted => Words::literal(&[*same]),
        [b'\\', b'n'] if quoted => Words::literal(b"\n"),
        [b'\\', b't'] if quoted => Words::literal(b"\t"),
        _ if quoted => Words::unknown(),
        other => Words::literal(other),
    }
}

/// The last of a node's named children.
pub(super) fn last_child(node: Node<'_>) -> Option<Node<'_>> {
    node.named_child(u32::try_from(node.named_child_count()).ok()?.checked_sub(1)?)
}

/// The name behind the last backslash.
pub(super) fn last_name(name: &[u8]) -> &[u8] {
    name.rsplit(|&b| b == b'\\').next().unwrap_or_default()
}

/// The name of the function that is called, without its namespace: those of PHP are in none.
pub(super) fn function_name<'s>(function: Node<'_>, source: &'s [u8]) -> &'s [u8] {
    match function.kind() {
        "name" | "qualified_name" => last_name(text(function, source)),
        _ => &[],
    }
}

/// The expressions that a call hands over, as many as are looked at.
pub(super) fn arguments<'t>(call: Node<'t>) -> Vec<Node<'t>> {
    let list = call.child_by_field_name("arguments").or_else(|| {
        let mut cursor = call.walk();
        call.named_children(&mut cursor)
            .find(|child| child.kind() == "arguments")
    });
    let Some(list) = list else { return Vec::new() };
    let mut cursor = list.walk();
    let arguments = list
        .named_children(&mut cursor)
        .filter(|child| child.kind() == "argument");
    // The expression stands last, behind a name or a reference's mark.
    arguments.filter_map(last_child).take(MAX_OPERANDS).collect()
}
