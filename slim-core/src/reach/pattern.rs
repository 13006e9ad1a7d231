//! Patterns of names and paths.

/// Returns whether `path` has a character that stands for others.
pub(super) fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|b| b"*?[".contains(b))
}

/// Returns a matcher of one name; none if the pattern is malformed or not text.
pub(super) fn glob(name: &[u8]) -> Option<globset::GlobMatcher> {
    // Braces are ordinary characters to glob(3).
    let name = std::str::from_utf8(name)
        .ok()?
        .replace('{', "[{]")
        .replace('}', "[}]");
    Some(globset::GlobBuilder::new(&name).build().ok()?.compile_matcher())
}

/// Returns a matcher of the names that a table's `patterns` stand for.
pub(super) fn name_set(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> globset::GlobSet {
    let mut set = globset::GlobSetBuilder::new();
    for pattern in patterns {
        set.add(
            globset::Glob::new(pattern.as_ref()).expect("a table's patterns are read by its module's tests"),
        );
    }
    set.build().unwrap_or_else(|_| globset::GlobSet::empty())
}

/// Returns a matcher of the paths that a table's `patterns` stand for: `*` is a part of one name, `**` any names.
pub(super) fn path_set<'p>(patterns: impl IntoIterator<Item = &'p str>) -> globset::GlobSet {
    let mut set = globset::GlobSetBuilder::new();
    for pattern in patterns {
        let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.expect("a table's patterns are read by its module's tests"));
    }
    set.build().unwrap_or_else(|_| globset::GlobSet::empty())
}

/// Returns a name or path as matchers take it.
pub(super) fn as_path(name: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt;
    std::path::Path::new(std::ffi::OsStr::from_bytes(name))
}

/// Returns whether `file` is `name`, perhaps with a version behind it (`pip3.11`, `bash-5.2`).
pub(super) fn is_version_of(file: &[u8], name: &str) -> bool {
    let version = |rest: &[u8]| {
        rest.iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'))
    };
    file.strip_prefix(name.as_bytes()).is_some_and(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_behind_a_name_hides_nothing() {
        for file in ["pip", "pip3", "pip3.11", "pip-3.11"] {
            assert!(is_version_of(file.as_bytes(), "pip"), "{file}");
        }
        for file in ["pipe", "pipx", "xpip", "pip3.11-config"] {
            assert!(!is_version_of(file.as_bytes(), "pip"), "{file}");
        }
    }
}
