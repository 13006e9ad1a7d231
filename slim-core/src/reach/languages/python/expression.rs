//! Expressions of a Python source that make names of modules and paths of files: what of them is constant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use crate::reach::bytes::is_word;
use crate::reach::languages::syntax_tree::text;

/// The largest number of expressions inside each other, and of parts of one, that are looked at.
const MAX_DEPTH: usize = 24;
const MAX_PIECES: usize = 64;

/// A package, as the source means it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Base {
    /// So many directories above the source: 1 is the one that it stands in.
    Own(usize),
    /// By its full name.
    Named(String),
    /// The outermost package that the source stands in.
    Top,
}

/// Modules whose names are known in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Computed {
    /// The package that they stand in.
    pub(super) base: Base,
    /// Names of packages below it, between dots.
    pub(super) below: String,
    /// The beginning of their names.
    pub(super) stem: String,
    /// Names between dots that stand between those that are not constant.
    pub(super) through: String,
    /// The last of their names, where that is constant and others are not.
    pub(super) last: String,
    /// True if more names than one are not known.
    pub(super) is_deep: bool,
    /// The expression.
    pub(super) words: String,
}

/// A path that begins where a package or the source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DataPath {
    /// The directory that it begins in; `Own(0)` is the source itself.
    pub(super) base: Base,
    /// The constant names behind that.
    pub(super) names: Vec<String>,
    /// True if others follow that are not constant.
    pub(super) is_open: bool,
    /// True if everything below is meant, and not what stands there directly.
    pub(super) is_tree: bool,
}

/// The names that a source gave to modules and paths.
#[derive(Debug, Default)]
pub(super) struct Constants {
    /// Modules by the names that they were imported as.
    pub(super) modules: BTreeMap<String, Base>,
    /// Packages by the variables that hold their names.
    pub(super) packages: BTreeMap<String, Base>,
    /// Paths by the variables that hold them.
    pub(super) paths: BTreeMap<String, DataPath>,
    /// Words of commands by what holds them.
    pub(super) commands: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

/// The value of an expression that gives a module's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ModuleName {
    /// The name of one module.
    Constant(Base, String),
    /// Names of modules that stand somewhere.
    Computed(Computed),
    /// Not known from its first letter on.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Package(Base),
    Unknown,
}

/// Returns a string's bytes, if it is written without escapes and replacement fields.
pub(super) fn literal(node: Node<'_>, source: &[u8]) -> Option<Vec<u8>> {
    if node.kind() != "string" || node.named_child_count() != 3 {
        return None;
    }
    let content = node.named_child(1).filter(|c| c.kind() == "string_content")?;
    (content.named_child_count() == 0).then(|| text(content, source).to_vec())
}

/// Returns the text of a literal.
fn literal_text(node: Node<'_>, source: &[u8]) -> Option<String> {
    String::from_utf8(literal(node, source)?).ok()
}

/// Returns the positional arguments of a call.
pub(super) fn arguments<'t>(call: Node<'t>) -> Vec<Node<'t>> {
    let Some(arguments) = call.child_by_field_name("arguments") else {
        return Vec::new();
    };
    let mut cursor = arguments.walk();
    let all = arguments.named_children(&mut cursor).take(32);
    all.filter(|node| !matches!(node.kind(), "keyword_argument" | "comment"))
        .collect()
}

/// Returns the value of a call's keyword argument.
pub(super) fn named_argument<'t>(call: Node<'t>, name: &str, source: &[u8]) -> Option<Node<'t>> {
    let arguments = call.child_by_field_name("arguments")?;
    let mut cursor = arguments.walk();
    let mut all = arguments.named_children(&mut cursor).take(32);
    let found = all.find(|node| {
        let named = node.child_by_field_name("name").map(|named| text(named, source));
        node.kind() == "keyword_argument" && named == Some(name.as_bytes())
    })?;
    found.child_by_field_name("value")
}

/// Returns the last name of the function that a call calls.
pub(super) fn function_name<'s>(call: Node<'_>, source: &'s [u8]) -> &'s [u8] {
    let Some(function) = call.child_by_field_name("function") else {
        return b"";
    };
    match function.kind() {
        "attribute" => function
            .child_by_field_name("attribute")
            .map_or(b"", |name| text(name, source)),
        "identifier" => text(function, source),
        _ => b"",
    }
}

/// Returns whether a node is `__name__`, `__package__` or a part of `__spec__`: the name of the source's own package.
pub(super) fn is_own_name(node: Node<'_>, source: &[u8]) -> bool {
    matches!(
        text(node, source),
        b"__name__" | b"__package__" | b"__spec__.name" | b"__spec__.parent" | b"__spec__"
    )
}

/// Returns the package whose name `node` takes from the source's own: `__package__`, `__name__.rpartition(".")[0]`, or
/// with `split` the outermost.
pub(super) fn own_package(node: Node<'_>, source: &[u8]) -> Option<Base> {
    if is_own_name(node, source) {
        return Some(Base::Own(1));
    }
    let call = node
        .child_by_field_name("value")
        .filter(|_| node.kind() == "subscript")?;
    let function = call.child_by_field_name("function")?;
    let is_own = function
        .child_by_field_name("object")
        .is_some_and(|object| is_own_name(object, source));
    let index = node.child_by_field_name("subscript")?;
    match function_name(call, source) {
        _ if !is_own || text(index, source) != b"0" => None,
        b"rpartition" | b"rsplit" => Some(Base::Own(1)),
        b"partition" | b"split" => Some(Base::Top),
        _ => None,
    }
}

/// Returns the expressions that one may have the value of: those of a condition, and the sides of `or` and `and`.
pub(super) fn alternatives(node: Node<'_>) -> Vec<Node<'_>> {
    let mut next = vec![node];
    let mut found = Vec::new();
    while let Some(node) = next.pop() {
        // `value if condition else value`
        let values: &[usize] = match node.kind() {
            _ if next.len() + found.len() >= MAX_DEPTH => &[],
            "conditional_expression" => &[2, 0],
            "boolean_operator" => &[1, 0],
            "parenthesized_expression" => &[0],
            _ => &[],
        };
        if values.is_empty() {
            found.push(node);
        }
        let mut cursor = node.walk();
        let parts: Vec<Node<'_>> = node
            .named_children(&mut cursor)
            .filter(|part| !part.is_extra())
            .take(MAX_PIECES)
            .collect();
        next.extend(values.iter().filter_map(|at| parts.get(*at)));
    }
    found
}

/// Returns `text` as names between dots, if it is that.
pub(super) fn is_dotted(text: &str) -> bool {
    let identifier = |part: &str| {
        part.bytes().all(is_word) && part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    };
    text.len() < 200 && text.split('.').all(identifier)
}

impl Constants {
    /// Returns the package that `node` names: a literal, `__name__`, or something imported with or without `__name__`
    /// or `__path__` behind it.
    pub(super) fn package(&self, node: Node<'_>, source: &[u8]) -> Option<Base> {
        if is_own_name(node, source) || text(node, source) == b"__path__" {
            return Some(Base::Own(1));
        }
        match node.kind() {
            "string" => literal_text(node, source)
                .filter(|name| is_dotted(name))
                .map(Base::Named),
            "identifier" => {
                let name = std::str::from_utf8(text(node, source)).ok()?;
                self.modules.get(name).cloned()
            }
            "attribute" => {
                let attribute = text(node.child_by_field_name("attribute")?, source);
                let object = node.child_by_field_name("object")?;
                if matches!(attribute, b"__name__" | b"__package__" | b"__path__") {
                    return self.package(object, source);
                }
                let name = std::str::from_utf8(text(node, source)).ok()?;
                let (top, _) = name.split_once('.')?;
                (is_dotted(name) && self.modules.get(top) == Some(&Base::Named(top.to_owned())))
                    .then(|| Base::Named(name.to_owned()))
            }
            _ => None,
        }
    }

    /// Returns the module name that `node` gives, seen from `package` if it is relative.
    pub(super) fn module_name(&self, node: Node<'_>, package: Option<Base>, source: &[u8]) -> ModuleName {
        let mut pieces = Vec::new();
        self.pieces(node, source, MAX_DEPTH, &mut pieces);
        let words = String::from_utf8_lossy(text(node, source)).into_owned();
        module_name(pieces, package, words)
    }

    fn pieces(&self, node: Node<'_>, source: &[u8], depth: usize, found: &mut Vec<Piece>) {
        if depth == 0 || found.len() >= MAX_PIECES {
            return found.push(Piece::Unknown);
        }
        let unknown = |found: &mut Vec<Piece>| found.push(Piece::Unknown);
        match node.kind() {
            "string" => {
                let mut cursor = node.walk();
                for child in node.named_children(&mut cursor).take(MAX_PIECES) {
                    match child.kind() {
                        "string_content" => {
                            found.push(Piece::Text(
                                String::from_utf8_lossy(text(child, source)).into_owned(),
                            ));
                        }
                        "interpolation" => match child.child_by_field_name("expression") {
                            Some(value) => self.pieces(value, source, depth - 1, found),
                            None => unknown(found),
                        },
                        _ => {}
                    }
                }
            }
            "concatenated_string" | "parenthesized_expression" => {
                let mut cursor = node.walk();
                for child in node.named_children(&mut cursor).take(MAX_PIECES) {
                    self.pieces(child, source, depth - 1, found);
                }
            }
            "binary_operator" => {
                let field = |name| node.child_by_field_name(name);
                let operator = field("operator").map(|operator| text(operator, source));
                match (operator, field("left"), field("right")) {
                    (Some(b"+"), Some(left), Some(right)) => {
                        self.pieces(left, source, depth - 1, found);
                        self.pieces(right, source, depth - 1, found);
                    }
                    (Some(b"%"), Some(left), Some(right)) => match literal_text(left, source) {
                        Some(template) => {
                            let mut cursor = right.walk();
                            let values = match right.kind() {
                                "tuple" => right.named_children(&mut cursor).take(MAX_PIECES).collect(),
                                _ => vec![right],
                            };
                            self.fill(&template, &values, source, depth - 1, found);
                        }
                        None => unknown(found),
                    },
                    _ => unknown(found),
                }
            }
            "call" => {
                let object = node
                    .child_by_field_name("function")
                    .and_then(|function| function.child_by_field_name("object"));
                let template = object.and_then(|object| literal_text(object, source));
                let values = arguments(node);
                match (function_name(node, source), template) {
                    (b"format", Some(template)) => self.fill(&template, &values, source, depth - 1, found),
                    (b"join", Some(separator)) => {
                        let list = values.first().filter(|n| matches!(n.kind(), "list" | "tuple"));
                        let Some(list) = list else { return unknown(found) };
                        let mut cursor = list.walk();
                        for (at, item) in list.named_children(&mut cursor).take(MAX_PIECES).enumerate() {
                            if at > 0 {
                                found.push(Piece::Text(separator.clone()));
                            }
                            self.pieces(item, source, depth - 1, found);
                        }
                    }
                    _ => unknown(found),
                }
            }
            "subscript" => match own_package(node, source) {
                Some(base) => found.push(Piece::Package(base)),
                None => unknown(found),
            },
            "identifier" | "attribute" => match self.package(node, source) {
                None if let Some(base) = str::from_utf8(text(node, source))
                    .ok()
                    .and_then(|name| self.packages.get(name)) =>
                {
                    found.push(Piece::Package(base.clone()));
                }
                // An imported module is no name of one, but what has `__name__` behind it is.
                Some(base) if is_own_name(node, source) || text(node, source).ends_with(b"__") => {
                    found.push(Piece::Package(base));
                }
                _ => unknown(found),
            },
            _ => unknown(found),
        }
    }

    /// Adds the pieces of a template whose fields take `values` in order.
    fn fill(&self, template: &str, values: &[Node<'_>], source: &[u8], depth: usize, found: &mut Vec<Piece>) {
        let mut values = values.iter();
        for part in fields(template) {
            match part {
                Some(constant) => found.push(Piece::Text(constant)),
                None => match values.next() {
                    Some(value) => self.pieces(*value, source, depth, found),
                    None => found.push(Piece::Unknown),
                },
            }
        }
    }

    /// Returns the path that `node` gives, if it begins at the source or at a package.
    pub(super) fn path(&self, node: Node<'_>, source: &[u8]) -> Option<DataPath> {
        self.path_within(node, source, MAX_DEPTH)
    }

    fn path_within(&self, node: Node<'_>, source: &[u8], depth: usize) -> Option<DataPath> {
        let depth = depth.checked_sub(1)?;
        match node.kind() {
            "identifier" if text(node, source) == b"__file__" => Some(DataPath::at(Base::Own(0))),
            "identifier" => {
                let name = std::str::from_utf8(text(node, source)).ok()?;
                self.paths.get(name).cloned()
            }
            "parenthesized_expression" => self.path_within(node.named_child(0)?, source, depth),
            "attribute" if text(node.child_by_field_name("attribute")?, source) == b"parent" => {
                let object = self.path_within(node.child_by_field_name("object")?, source, depth)?;
                Some(object.parent())
            }
            // The file of a package is its first module.
            "attribute" if text(node.child_by_field_name("attribute")?, source) == b"__file__" => {
                let object = node.child_by_field_name("object")?;
                if text(object, source) == b"sys.modules[__name__]" {
                    return Some(DataPath::at(Base::Own(0)));
                }
                let package = DataPath::at(self.package(object, source)?);
                Some(package.join(Some("__init__.py".to_owned())))
            }
            "subscript" => {
                let parents = node.child_by_field_name("value")?;
                if text(node.child_by_field_name("subscript")?, source) == b"0" {
                    if parents.kind() == "call" && function_name(parents, source) == b"split" {
                        let path = *arguments(parents).first()?;
                        return Some(self.path_within(path, source, depth)?.parent());
                    }
                    if text(parents, source).ends_with(b"__path__") {
                        return Some(DataPath::at(self.package(parents, source)?));
                    }
                }
                if parents.kind() != "attribute"
                    || text(parents.child_by_field_name("attribute")?, source) != b"parents"
                {
                    return None;
                }
                let levels = node.child_by_field_name("subscript")?;
                let levels: usize = std::str::from_utf8(text(levels, source)).ok()?.parse().ok()?;
                let mut path = self.path_within(parents.child_by_field_name("object")?, source, depth)?;
                for _ in 0..=levels.min(MAX_DEPTH) {
                    path = path.parent();
                }
                Some(path)
            }
            "binary_operator" => {
                let operator = text(node.child_by_field_name("operator")?, source);
                let left = self.path_within(node.child_by_field_name("left")?, source, depth)?;
                let right = node.child_by_field_name("right")?;
                matches!(operator, b"/" | b"+").then(|| left.join(literal_text(right, source)))
            }
            "call" => {
                let values = arguments(node);
                let function = node.child_by_field_name("function")?;
                let object = function.child_by_field_name("object");
                let first = || self.path_within(*values.first()?, source, depth);
                let joined = |path: DataPath, values: &[Node<'_>]| {
                    let all = values.iter().map(|value| literal_text(*value, source));
                    all.fold(path, DataPath::join)
                };
                match function_name(node, source) {
                    b"dirname" => first().map(DataPath::parent),
                    b"abspath" | b"realpath" | b"normpath" | b"fspath" | b"str" | b"Path" | b"PurePath"
                        if values.len() == 1 =>
                    {
                        first()
                    }
                    b"resolve" | b"absolute" | b"as_posix" | b"expanduser" if values.is_empty() => {
                        self.path_within(object?, source, depth)
                    }
                    b"join" | b"safe_join" | b"Path" if values.len() > 1 => {
                        Some(joined(first()?, &values[1..]))
                    }
                    b"with_name" => {
                        let directory = self.path_within(object?, source, depth)?.parent();
                        Some(joined(directory, &values))
                    }
                    b"joinpath" => Some(joined(self.path_within(object?, source, depth)?, &values)),
                    b"files" => {
                        let mut path = DataPath::at(self.package(*values.first()?, source)?);
                        path.is_tree = true;
                        Some(path)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl DataPath {
    /// Returns the path of a package or of the source.
    pub(super) fn at(base: Base) -> Self {
        Self {
            base,
            names: Vec::new(),
            is_open: false,
            is_tree: false,
        }
    }

    fn parent(mut self) -> Self {
        if self.is_open {
            return self;
        }
        match &mut self.base {
            _ if self.names.pop().is_some() => {}
            Base::Own(levels) => *levels += 1,
            Base::Named(name) => name.truncate(name.rfind('.').unwrap_or(0)),
            Base::Top => {}
        }
        self
    }

    /// Returns the path with `text` behind it; without, with something that is not constant.
    pub(super) fn join(mut self, text: Option<String>) -> Self {
        let Some(text) = text.filter(|_| !self.is_open) else {
            self.is_open = true;
            return self;
        };
        for name in text.split('/').filter(|name| !matches!(*name, "" | ".")) {
            if name == ".." {
                self = self.parent();
            } else if self.names.len() < MAX_PIECES {
                self.names.push(name.to_owned());
            }
        }
        self
    }

    /// Returns whether this is the source itself or a directory around it, and nothing more.
    pub(super) fn is_bare(&self) -> bool {
        self.names.is_empty() && !self.is_open && !self.is_tree
    }
}

/// Returns the constant parts of a template and its fields, as `%` and `str.format` have them.
fn fields(template: &str) -> Vec<Option<String>> {
    let mut parts = Vec::new();
    let mut constant = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['%', '{']) {
        constant.push_str(&rest[..at]);
        let behind = &rest[at..];
        let end = if behind.starts_with('{') {
            behind.find('}').map(|end| end + 1)
        } else if behind.starts_with("%(") {
            behind.find(")s").map(|end| end + 2)
        } else {
            ["%s", "%d", "%r"]
                .iter()
                .any(|field| behind.starts_with(field))
                .then_some(2)
        };
        let Some(end) = end else {
            constant.push_str(behind);
            rest = "";
            break;
        };
        if !constant.is_empty() {
            parts.push(Some(std::mem::take(&mut constant)));
        }
        parts.push(None);
        rest = &behind[end..];
        if parts.len() >= MAX_PIECES {
            break;
        }
    }
    constant.push_str(rest);
    if !constant.is_empty() {
        parts.push(Some(constant));
    }
    parts
}

/// Returns the module names of a text that is a template of them (`"app.locale.%s"`): of at least two constant names.
pub(super) fn template(text: &str) -> Option<Computed> {
    if !text.contains(['%', '{']) || text.len() > 200 {
        return None;
    }
    let pieces: Vec<Piece> = fields(text)
        .into_iter()
        .map(|part| part.map_or(Piece::Unknown, Piece::Text))
        .collect();
    let word = |text: &String| text.bytes().all(|b| is_word(b) || b == b'.');
    let plain = pieces
        .iter()
        .all(|piece| matches!(piece, Piece::Unknown) || matches!(piece, Piece::Text(t) if word(t)));
    let ModuleName::Computed(mut computed) = module_name(pieces, None, text.to_owned()) else {
        return None;
    };
    // What is made of it may be a part of a name.
    computed.is_deep = true;
    let named = matches!(&computed.base, Base::Named(name) if name.contains('.'));
    (plain && named && computed.stem.is_empty()).then_some(computed)
}

fn module_name(pieces: Vec<Piece>, package: Option<Base>, words: String) -> ModuleName {
    let mut pieces = pieces
        .into_iter()
        .filter(|piece| *piece != Piece::Text(String::new()));
    let mut constant = String::new();
    let mut base = None;
    let mut rest = Vec::new();
    match pieces.next() {
        Some(Piece::Text(text)) => constant = text,
        Some(Piece::Package(package)) => base = Some(package),
        Some(Piece::Unknown) => rest.push(Piece::Unknown),
        None => return ModuleName::Unknown,
    }
    for piece in pieces {
        match piece {
            Piece::Text(text) if rest.is_empty() => constant.push_str(&text),
            piece => rest.push(piece),
        }
    }
    let last = match rest.last() {
        Some(Piece::Text(text)) => text.rsplit_once('.').map(|(_, last)| last.to_owned()),
        _ => None,
    };
    let through = rest.iter().skip(1).find_map(|piece| match piece {
        Piece::Text(text) => text
            .strip_prefix('.')?
            .strip_suffix('.')
            .filter(|text| is_dotted(text)),
        _ => None,
    });
    let through = through.unwrap_or_default().to_owned();
    if base.is_none() && constant.is_empty() {
        // All of it comes from elsewhere; a package to be relative to says that it is one of that package's, and a
        // constant end which of the distribution's it may be.
        let tail = last.as_deref().unwrap_or_default();
        base = Some(match package.clone() {
            Some(package) => package,
            None if is_dotted(tail) || !through.is_empty() => Base::Top,
            None => return ModuleName::Unknown,
        });
    }
    let mut name = constant.as_str();
    if base.is_some() {
        name = name.strip_prefix('.').unwrap_or(name);
    } else {
        let bare = name.trim_start_matches('.');
        let level = name.len() - bare.len();
        name = bare;
        base = match (level, package) {
            (0, _) => None,
            (1, Some(package)) => Some(package),
            (level, _) => Some(Base::Own(level)),
        };
    }
    let (below, stem) = match name.rsplit_once('.') {
        Some((below, stem)) => (below, stem),
        None if rest.is_empty() => (name, ""),
        None => ("", name),
    };
    if !(below.is_empty() || is_dotted(below)) || !stem.bytes().all(is_word) {
        return ModuleName::Unknown;
    }
    if rest.is_empty() {
        return ModuleName::Constant(base.unwrap_or(Base::Named(String::new())), name.to_owned());
    }
    let base = match base {
        Some(base) => (base, below.to_owned()),
        // A part of a top-level name says nothing.
        None if below.is_empty() => return ModuleName::Unknown,
        None => (Base::Named(below.to_owned()), String::new()),
    };
    let is_deep = rest
        .iter()
        .any(|piece| matches!(piece, Piece::Text(text) if text.contains('.')));
    ModuleName::Computed(Computed {
        base: base.0,
        below: base.1,
        stem: stem.to_owned(),
        through,
        last: last.unwrap_or_default(),
        is_deep,
        words,
    })
}
