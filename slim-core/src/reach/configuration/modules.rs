//! Configuration that names libraries by a word: name services (`nsswitch.conf(5)`) and PAM (`pam.d(5)`).

use super::directive::MAX_DIRECTIVES;
use crate::image::{LastLink, Outcome};
use crate::path::{RootPath, encode};
use crate::plan::EdgeKind;
use crate::reach::absolute_path;
use crate::reach::context::{Context, Place};
use crate::reach::resolver::Needs;

/// The default directories of the C library's loader, in which PAM's directory of modules is too.
const LIBRARIES: [&str; 7] = [
    "/usr/lib/*-linux-*",
    "/lib/*-linux-*",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
    "/usr/local/lib",
];

/// Returns whether `path` is the configuration of name services, or of PAM.
pub(super) fn matches_path(path: &RootPath) -> bool {
    path.as_bytes() == b"/etc/nsswitch.conf" || is_pam(path)
}

fn is_pam(path: &RootPath) -> bool {
    ["/etc/pam.d", "/usr/lib/pam.d", "/etc/pam.conf"]
        .iter()
        .any(|above| path.starts_with(&RootPath::new(above)))
}

/// Follows the services of `nsswitch.conf`, or the modules and includes of PAM.
pub(super) fn follow_directives(
    context: &Context<'_>,
    needs: &mut Needs<'_>,
    path: &RootPath,
    source: &[u8],
) {
    let pam = is_pam(path);
    for (index, line) in source.split(|&b| b == b'\n').enumerate().take(MAX_DIRECTIVES) {
        let line = line.split(|&b| b == b'#').next().unwrap_or_default();
        let place = Place::on_line(path, index + 1);
        let words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        if pam {
            follow_pam_line(context, needs, words.collect(), place);
        } else {
            // The first is the database; actions stand in brackets.
            for service in words.skip(1).filter(|word| is_name(word)) {
                keep_library(
                    context,
                    needs,
                    b"",
                    &[b"libnss_", service, b".so.2"].concat(),
                    place,
                );
            }
        }
    }
}

/// Keeps what a line of PAM includes, or its module.
fn follow_pam_line(context: &Context<'_>, needs: &mut Needs<'_>, words: Vec<&[u8]>, place: Place<'_>) {
    for pair in words.windows(2) {
        if matches!(pair[0], b"include" | b"substack" | b"@include")
            && let Some(file) = context.find_file(&RootPath::new("/etc/pam.d"), pair[1])
        {
            needs.follow(&file, &place.cause(EdgeKind::Literal, &encode(pair[1])));
        }
    }
    // What is behind the module is its own.
    match words.iter().find(|word| word.ends_with(b".so")) {
        Some(module) if module.starts_with(b"/") => absolute_path::keep(context, needs, module, place),
        Some(module) if is_name(&module[..module.len() - 3]) => {
            keep_library(context, needs, b"/security", module, place);
        }
        _ => {}
    }
}

/// Keeps the library `name` in every directory for libraries, or in the directory `below` there.
fn keep_library(context: &Context<'_>, needs: &mut Needs<'_>, below: &[u8], name: &[u8], place: Place<'_>) {
    for directory in LIBRARIES {
        for path in context.find_matches(&[directory.as_bytes(), below, b"/", name].concat()) {
            let found = context.rootfs.resolve(&path, LastLink::Follow);
            if found.outcome == Outcome::Found {
                needs.follow(&found, &place.cause(EdgeKind::Dlopen, &encode(name)));
            }
        }
    }
}

/// Returns whether `word` is a name, and no pattern, path or action.
fn is_name(word: &[u8]) -> bool {
    word.iter()
        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(b))
}
