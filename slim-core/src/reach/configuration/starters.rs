//! Files that say which programs a supervisor starts: a Procfile, systemd's units, execline's scripts (s6).

use std::io;

use super::directive::MAX_DIRECTIVES;
use crate::reach::bytes::contains;
use crate::reach::command;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::{Needs, Node};

/// Keeps the programs that a file of a supervisor starts; false if `node` is none.
pub(super) fn follow(context: &Context<'_>, needs: &mut Needs<'_>, node: &Node<'_>) -> io::Result<bool> {
    let path = node.path;
    let procfile = path.name() == Some(b"Procfile");
    let unit = path.extension() == Some(b"service") && path.components().any(|name| name == b"systemd");
    let execline = !procfile && !unit && is_execline(node.head()?);
    if !(procfile || unit || execline) {
        return Ok(false);
    }
    for (index, line) in node
        .source()?
        .split(|&b| b == b'\n')
        .enumerate()
        .take(MAX_DIRECTIVES)
    {
        let place = Place::on_line(path, index + 1);
        let line = line.trim_ascii();
        if line.starts_with(b"#") {
            continue;
        }
        let Some(at) = line.iter().position(|&b| b == if procfile { b':' } else { b'=' }) else {
            if execline {
                context.keep_line(needs, line, place);
            }
            continue;
        };
        let (key, value) = (&line[..at], &line[at + 1..]);
        if execline {
            context.keep_line(needs, line, place);
        } else if procfile {
            context.keep_line(needs, value, place);
        } else if key.starts_with(b"Exec") {
            // Marks before the program change how it is run (systemd.service(5)).
            let value = value.trim_ascii_start();
            let marks = value.iter().take_while(|b| b"-@:+!|".contains(b)).count();
            context.keep_argv(needs, &command::split_words(&value[marks..]), place);
        }
    }
    Ok(true)
}

/// Returns whether a first line names execline's interpreter.
fn is_execline(head: &[u8]) -> bool {
    let first = head.split(|&b| b == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && contains(first, b"execlineb")
}
