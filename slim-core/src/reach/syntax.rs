//! Syntax trees of source code out of an image, through tree-sitter's grammars.
//!
//! A grammar recovers from errors, so half a file is read where the other half is of a newer version of the language.
//! The work for one file is bounded by its size and by the parser's own steps, never by a clock: the same file gives
//! the same tree on any machine.

use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, TreeCursor};
use tree_sitter_language::LanguageFn;

/// As much source as is parsed: more is generated or data.
pub(super) const MAX_SOURCE: u64 = 4 << 20;
/// As many reports of progress as a parser may make; each is some hundred steps, a byte takes a few.
const MAX_PROGRESS: u32 = 400_000;

/// Calls `visit` for every node of the source, parents before children, in the order of the text.
///
/// Nothing is called for source that is too large or takes too long; then this is false.
pub(super) fn visit(language: LanguageFn, source: &[u8], mut visit: impl FnMut(Node<'_>)) -> bool {
    if source.len() as u64 > MAX_SOURCE {
        return false;
    }
    let mut parser = Parser::new();
    if parser.set_language(&language.into()).is_err() {
        return false;
    }
    let mut progress = 0;
    let mut bounded = |_: &tree_sitter::ParseState| {
        progress += 1;
        if progress > MAX_PROGRESS {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut bounded);
    let read = |at: usize, _| source.get(at..).unwrap_or_default();
    let Some(tree) = parser.parse_with_options(&mut { read }, None, Some(options)) else {
        return false;
    };
    let mut cursor = tree.walk();
    loop {
        visit(cursor.node());
        if !cursor.goto_first_child() && !advance(&mut cursor) {
            return true;
        }
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
        assert!(visit(tree_sitter_python::LANGUAGE, source, |node| {
            if node.kind() == "dotted_name" {
                names.push((
                    String::from_utf8_lossy(text(node, source)).into_owned(),
                    line(node),
                ));
            }
        }));
        assert_eq!(names, [("json".to_owned(), 2), ("os.path".to_owned(), 2)]);
    }

    #[test]
    fn broken_source_is_read_as_far_as_it_goes_and_too_much_is_not() {
        let mut imports = 0;
        let count = |node: Node<'_>| imports += usize::from(node.kind() == "import_statement");
        assert!(visit(
            tree_sitter_python::LANGUAGE,
            b"import a\n)(]\nimport b\n",
            count
        ));
        assert!(imports >= 1);
        let long = vec![b'('; usize::try_from(MAX_SOURCE).unwrap() + 1];
        assert!(!visit(tree_sitter_python::LANGUAGE, &long, |_| ()));
        visit(tree_sitter_python::LANGUAGE, &[b'('; 200_000], |_| ());
    }
}
