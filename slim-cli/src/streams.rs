//! Standard output, without panics: a reader that went away wants no more, and any other failure is an error.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;

/// Writes results to standard output. A closed pipe (`slim … | head`) is no error: the exit code stays the command's.
///
/// # Errors
/// Any other failure, such as a full disk.
pub(crate) fn write(text: Arguments<'_>) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let done = stdout.write_fmt(text).and_then(|()| stdout.flush());
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the results cannot be written to standard output"),
    }
}

/// `print!` that returns its error ([`write()`]).
macro_rules! out {
    ($($text:tt)*) => {
        $crate::streams::write(format_args!($($text)*))?
    };
}

/// `println!` that returns its error ([`write()`]).
macro_rules! outln {
    ($($text:tt)*) => {
        $crate::streams::write(format_args!("{}\n", format_args!($($text)*)))?
    };
}

pub(crate) use {out, outln};
