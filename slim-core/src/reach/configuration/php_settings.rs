//! What `php.ini` sets: where files are looked for, where extensions are, and where sessions are written.

use std::collections::BTreeSet;

use crate::path::RootPath;
use crate::reach::context::Context;
use crate::reach::tables::Tables;

/// The largest number of files of settings that are read, and as much of each.
const MAX_FILES: usize = 256;
const MAX_SETTINGS: u64 = 256 * 1024;

/// The settings of the image's `php.ini` files, and of those beside them.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// `include_path`, and what PHP is built with where it is not set; without what is relative.
    pub(crate) include_path: Vec<RootPath>,
    /// `extension_dir`; where PHP is built to look stands in a table.
    pub(crate) extensions: Vec<RootPath>,
    /// `session.save_path`, and what distributions build PHP with.
    pub(crate) sessions: Vec<RootPath>,
}

impl Settings {
    /// Reads what stands where PHP looks for its settings (a table; PHPRC and PHP_INI_SCAN_DIR).
    pub(crate) fn read(context: &Context<'_>) -> Self {
        let table = &Tables::built_in().configuration;
        let mut patterns: Vec<String> = table.php_ini.clone();
        let variable = |name| context.environment.get(name).unwrap_or_default();
        for directory in variable("PHP_INI_SCAN_DIR")
            .split(':')
            .filter(|path| path.starts_with('/'))
        {
            patterns.push(format!("{directory}/*.ini"));
        }
        let own = variable("PHPRC");
        if own.starts_with('/') {
            patterns.extend([own.to_owned(), format!("{own}/php.ini")]);
        }
        let mut settings = Self::default();
        let paths = patterns
            .iter()
            .flat_map(|pattern| context.find_matches(pattern.as_bytes()));
        for path in paths.take(MAX_FILES) {
            let found = context.find_file(&RootPath::root(), path.as_bytes());
            let read = found.and_then(|found| context.rootfs.read(&found.path, MAX_SETTINGS).ok());
            for (key, value) in read.iter().flat_map(|source| parse_settings(source)) {
                // `include_path` has colons; `session.save_path` may be `DEPTH;MODE;PATH`.
                let members = value.split(|b| b":;".contains(b));
                let directories = members.filter(|path| path.starts_with(b"/"));
                let to = match key {
                    b"include_path" => &mut settings.include_path,
                    b"extension_dir" => &mut settings.extensions,
                    b"session.save_path" => &mut settings.sessions,
                    _ => continue,
                };
                to.extend(directories.map(RootPath::new));
            }
        }
        settings
            .include_path
            .extend(table.php_include_path.iter().map(RootPath::new));
        settings
            .sessions
            .extend(table.php_sessions.iter().map(RootPath::new));
        for paths in [
            &mut settings.include_path,
            &mut settings.extensions,
            &mut settings.sessions,
        ] {
            let mut seen = BTreeSet::new();
            paths.retain(|path| seen.insert(path.clone()));
        }
        settings
    }
}

/// The settings of a file, without their quotes.
fn parse_settings(source: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    source
        .split(|&b| b == b'\n')
        .filter_map(|line| parse_setting(line.trim_ascii()))
}

/// Reads `KEY = VALUE`, as `php.ini` and its like have it; none for comments and sections.
pub(crate) fn parse_setting(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.starts_with(b";") || line.starts_with(b"#") {
        return None;
    }
    let equals = line.iter().position(|&b| b == b'=')?;
    let value = line[equals + 1..].trim_ascii();
    let value = match value.first() {
        Some(quote @ (b'"' | b'\'')) => value[1..].split(|b| b == quote).next(),
        _ => value.split(|&b| b == b';').next(),
    };
    Some((
        line[..equals].trim_ascii(),
        value.unwrap_or_default().trim_ascii(),
    ))
}
