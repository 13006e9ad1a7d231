//! Roots: `--include`.

use globset::{GlobBuilder, GlobMatcher};

use crate::image::{LastLink, Outcome, Rootfs};
use crate::path::RootPath;
use crate::plan::Cause;
use crate::reach::error::Error;
use crate::reach::pattern::as_path;
use crate::reach::resolver::Needs;

/// Roots for every path or pattern in `include`.
pub(crate) fn roots<'a>(rootfs: &'a Rootfs, include: &[String]) -> Result<Needs<'a>, Error> {
    let mut needs = Needs::new(rootfs);
    for asked in include {
        let cause = Cause::Option {
            flag: format!("--include {asked}"),
        };
        if !asked.starts_with('/') {
            return Err(Error::RelativeInclude { path: asked.clone() });
        }
        let resolved = rootfs.resolve_from(&RootPath::root(), asked.as_bytes(), LastLink::Follow);
        if resolved.outcome == Outcome::Found {
            needs.follow(&resolved, &cause);
            mark_below(&mut needs, &resolved.path, &cause);
            continue;
        }
        // A link that leads nowhere is there all the same.
        let itself = rootfs.resolve_from(&RootPath::root(), asked.as_bytes(), LastLink::Keep);
        if itself.outcome == Outcome::Found && rootfs.get(&itself.path).is_some_and(|e| e.is_symlink()) {
            needs.follow(&itself, &cause);
            continue;
        }
        let mut found = false;
        if let Some((directory, names)) = split_pattern(asked) {
            let directory = rootfs.resolve(&RootPath::new(directory), LastLink::Follow);
            let glob = parse_pattern(asked, &directory.path, names)?;
            for (path, _) in rootfs
                .below(&directory.path)
                .filter(|(path, _)| glob.is_match(as_path(path.as_bytes())))
            {
                found = true;
                needs.follow(&directory, &cause);
                needs.mark(path, cause.clone());
                mark_below(&mut needs, path, &cause);
            }
        }
        if !found {
            let link = (!resolved.links.is_empty()).then_some(resolved.path);
            let path = asked.clone();
            return Err(Error::MissingInclude { path, link });
        }
    }
    Ok(needs)
}

/// Marks everything in a directory, whatever its names.
fn mark_below(needs: &mut Needs<'_>, directory: &RootPath, cause: &Cause) {
    let rootfs = needs.rootfs();
    if rootfs.get(directory).is_some_and(|entry| entry.is_dir()) {
        for (path, _) in rootfs.below(directory) {
            needs.mark(path, cause.clone());
        }
    }
}

/// The directory before the first name with a character that patterns use, and the rest; none without such a name.
fn split_pattern(asked: &str) -> Option<(&str, &str)> {
    let special = asked.find(['*', '?', '[', '{'])?;
    let slash = asked[..special].rfind('/')?;
    Some((&asked[..slash], &asked[slash + 1..]))
}

fn parse_pattern(asked: &str, directory: &RootPath, names: &str) -> Result<GlobMatcher, Error> {
    let directory = directory.display();
    let glob = format!("{}/{names}", globset::escape(directory.trim_end_matches('/')));
    let glob = GlobBuilder::new(&glob).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| Error::InvalidInclude {
            pattern: asked.to_owned(),
            reason: error.kind().to_string(),
        })
}
