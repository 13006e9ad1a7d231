//! Values of JavaScript's expressions, as far as they are known without running them: strings and paths.

use tree_sitter::Node;

use crate::path::RootPath;
use crate::reach::languages::syntax_tree::text;

/// The depth up to which expressions are evaluated; deeper ones are generated.
const MAX_DEPTH: usize = 16;
/// Length of the longest string that names something.
const MAX_LENGTH: usize = 4096;

/// A string, or its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// The bytes.
    pub(super) text: Vec<u8>,
    /// True if that is all of it.
    pub(super) whole: bool,
    /// True if it starts at the place of the source itself.
    pub(super) placed: bool,
}

impl Words {
    fn literal(text: &[u8]) -> Self {
        Self {
            text: text.to_vec(),
            whole: true,
            placed: false,
        }
    }

    fn path(path: &RootPath) -> Self {
        Self {
            placed: true,
            ..Self::literal(path.as_bytes())
        }
    }

    /// Returns this with `other` behind it.
    fn then(mut self, other: &Self) -> Self {
        if self.whole {
            self.text.extend_from_slice(&other.text);
            self.whole = other.whole && self.text.len() <= MAX_LENGTH;
            self.text.truncate(MAX_LENGTH);
        }
        self
    }

    /// The path that these words are or begin with; none if they are too short for one.
    fn below(&self) -> RootPath {
        RootPath::new(&self.text)
    }
}

/// The place of a source.
pub(super) struct Here<'a> {
    /// The file.
    pub(super) file: &'a RootPath,
    /// Its directory.
    pub(super) directory: &'a RootPath,
    /// The directory in which the program runs.
    pub(super) workdir: &'a RootPath,
    /// All of the source.
    pub(super) source: &'a [u8],
}

impl Here<'_> {
    /// Returns the value of `node`; nothing known is the empty beginning of a string.
    pub(super) fn words(&self, node: Node<'_>) -> Words {
        self.evaluate(node, MAX_DEPTH)
    }

    fn evaluate(&self, node: Node<'_>, depth: usize) -> Words {
        let Some(depth) = depth.checked_sub(1) else {
            return Words::default();
        };
        let source = self.source;
        match node.kind() {
            "string" | "template_string" => self.string(node, depth),
            "identifier" => match text(node, source) {
                b"__dirname" => Words::path(self.directory),
                b"__filename" => Words::path(self.file),
                _ => Words::default(),
            },
            "member_expression" => match text(node, source) {
                b"import.meta.dirname" => Words::path(self.directory),
                // A URL is taken for the path in it.
                b"import.meta.filename" | b"import.meta.url" => Words::path(self.file),
                _ => Words::default(),
            },
            "new_expression" => self.url(node, depth),
            "parenthesized_expression" => node
                .named_child(0)
                .map_or_else(Words::default, |inner| self.evaluate(inner, depth)),
            "binary_expression" => {
                let side = |name| node.child_by_field_name(name);
                let (Some(left), Some(right)) = (side("left"), side("right")) else {
                    return Words::default();
                };
                if side("operator").is_none_or(|operator| text(operator, source) != b"+") {
                    return Words::default();
                }
                self.evaluate(left, depth).then(&self.evaluate(right, depth))
            }
            "call_expression" => self.call(node, depth),
            _ => Words::default(),
        }
    }

    fn string(&self, node: Node<'_>, depth: usize) -> Words {
        let mut words = Words::literal(b"");
        let mut cursor = node.walk();
        for (number, child) in node.named_children(&mut cursor).enumerate() {
            let part = match child.kind() {
                "string_fragment" => Words::literal(text(child, self.source)),
                "escape_sequence" => match text(child, self.source) {
                    [b'\\', same @ (b'\\' | b'\'' | b'"' | b'/' | b'`' | b'$')] => Words::literal(&[*same]),
                    [b'\\', b'n'] => Words::literal(b"\n"),
                    _ => Words::default(),
                },
                "template_substitution" => child
                    .named_child(0)
                    .map_or_else(Words::default, |inner| self.evaluate(inner, depth)),
                _ => Words::default(),
            };
            words.placed |= number == 0 && part.placed;
            words = words.then(&part);
            if !words.whole {
                break;
            }
        }
        words
    }

    /// Evaluates `path.join`, `path.resolve`, `path.dirname`, `fileURLToPath`, `process.cwd` and `require.resolve`'s
    /// relatives.
    fn call(&self, node: Node<'_>, depth: usize) -> Words {
        let Some(function) = callee(node) else {
            return Words::default();
        };
        let Some(arguments) = node.child_by_field_name("arguments") else {
            return Words::default();
        };
        let name = text(function, self.source);
        let last = name.rsplit(|&b| b == b'.').next().unwrap_or_default();
        let first = || arguments.named_child(0);
        match last {
            b"cwd" if name == b"process.cwd" => Words::path(self.workdir),
            b"dirname" => {
                let inner = first().map_or_else(Words::default, |inner| self.evaluate(inner, depth));
                match inner.below().parent() {
                    Some(parent) if inner.whole && inner.placed => Words::path(&parent),
                    _ => Words::default(),
                }
            }
            b"fileURLToPath" | b"normalize" | b"pathToFileURL" => {
                first().map_or_else(Words::default, |inner| self.evaluate(inner, depth))
            }
            b"join" | b"resolve" if name != b"require.resolve" => {
                self.join(arguments, last == b"resolve", depth)
            }
            _ => Words::default(),
        }
    }

    /// Evaluates `new URL(…, import.meta.url)`: a path seen from the directory of another.
    fn url(&self, node: Node<'_>, depth: usize) -> Words {
        let field = |name| node.child_by_field_name(name);
        let (Some(constructor), Some(arguments)) = (field("constructor"), field("arguments")) else {
            return Words::default();
        };
        let argument = |at| arguments.named_child(at).map(|inner| self.evaluate(inner, depth));
        match (text(constructor, self.source), argument(0), argument(1)) {
            (b"URL", Some(path), Some(base)) if base.placed && base.whole => {
                let directory = match base.text.iter().rposition(|&b| b == b'/') {
                    Some(slash) => &base.text[..slash],
                    None => b"",
                };
                let mut text = RootPath::new(directory).join(&path.text).as_bytes().to_vec();
                if path.text.ends_with(b"/") && !text.ends_with(b"/") {
                    text.push(b'/');
                }
                Words {
                    text,
                    whole: path.whole && !path.text.is_empty(),
                    placed: true,
                }
            }
            _ => Words::default(),
        }
    }

    /// The arguments of `path.join`, or those of `path.resolve`, which starts at the working directory.
    fn join(&self, arguments: Node<'_>, resolve: bool, depth: usize) -> Words {
        let mut cursor = arguments.walk();
        let mut path: Option<Words> = None;
        for argument in arguments.named_children(&mut cursor).take(MAX_DEPTH) {
            if argument.kind() == "comment" {
                continue;
            }
            let part = self.evaluate(argument, depth);
            let here = match path {
                None if part.text.starts_with(b"/") => Words {
                    placed: part.placed,
                    ..Words::literal(b"/")
                },
                None if resolve => Words::path(self.workdir),
                None => return Words::default(),
                Some(here) => here,
            };
            if resolve && part.text.starts_with(b"/") {
                path = Some(part);
                continue;
            }
            if !part.whole {
                // What follows is below this directory, unless it climbs.
                let mut text = here.below().join(&part.text).as_bytes().to_vec();
                if (part.text.is_empty() || part.text.ends_with(b"/")) && !text.ends_with(b"/") {
                    text.push(b'/');
                }
                return Words {
                    text,
                    whole: false,
                    placed: here.placed,
                };
            }
            path = Some(Words {
                placed: here.placed,
                ..Words::literal(here.below().join(lexical(&part.text)).as_bytes())
            });
        }
        path.unwrap_or_default()
    }
}

/// Returns the expressions that one may have the value of: the branches of a condition, the sides of `||` and `??`, the end of `&&`.
pub(super) fn alternatives(node: Node<'_>) -> Vec<Node<'_>> {
    let mut next = vec![node];
    let mut found = Vec::new();
    while let Some(node) = next.pop() {
        let operator = node
            .child_by_field_name("operator")
            .map(|operator| operator.kind());
        let branches: &[&str] = match (node.kind(), operator) {
            ("ternary_expression", _) => &["alternative", "consequence"],
            ("binary_expression", Some("||" | "??")) => &["right", "left"],
            ("binary_expression", Some("&&")) => &["right"],
            _ => &[],
        };
        if next.len() + found.len() >= MAX_DEPTH {
            found.push(node);
        } else if node.kind() == "parenthesized_expression" {
            let mut cursor = node.walk();
            next.extend(node.named_children(&mut cursor).find(|part| !part.is_extra()));
        } else if branches.is_empty() {
            found.push(node);
        } else {
            next.extend(
                branches
                    .iter()
                    .filter_map(|branch| node.child_by_field_name(branch)),
            );
        }
    }
    found.retain(|node| !matches!(node.kind(), "null" | "undefined" | "true" | "false"));
    found
}

/// Returns what a call calls. Compilers write `(0, module.function)(…)`, so that the module isn't `this` in it.
pub(super) fn callee(call: Node<'_>) -> Option<Node<'_>> {
    let function = call.child_by_field_name("function")?;
    if function.kind() != "parenthesized_expression" {
        return Some(function);
    }
    let inner = function.named_child(0)?;
    if inner.kind() != "sequence_expression" {
        return Some(inner);
    }
    let mut cursor = inner.walk();
    inner.named_children(&mut cursor).last()
}

/// Returns a path as `path.join` takes it: one with a leading slash is relative too.
fn lexical(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&b| b != b'/').unwrap_or(path.len());
    &path[start..]
}
