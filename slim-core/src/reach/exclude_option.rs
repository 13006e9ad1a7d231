//! `--exclude`: paths that are left out, whatever needs them.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::path::RootPath;
use crate::reach::error::Error;
use crate::reach::pattern::as_path;

/// The excluded paths.
pub(super) struct Excluded(GlobSet);

impl Excluded {
    /// Reads `--exclude`s: absolute paths and patterns; each stands for what it matches and everything below.
    pub(super) fn parse(patterns: &[String]) -> Result<Self, Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            if !pattern.starts_with('/') {
                let path = pattern.clone();
                return Err(Error::RelativeExclude { path });
            }
            let trimmed = pattern.trim_end_matches('/');
            for pattern in [trimmed.to_owned(), format!("{trimmed}/**")] {
                let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
                set.add(glob.map_err(|error| Error::InvalidExclude {
                    pattern: pattern.clone(),
                    reason: error.kind().to_string(),
                })?);
            }
        }
        let set = set.build().map_err(|error| Error::InvalidExclude {
            pattern: patterns.join(" "),
            reason: error.to_string(),
        })?;
        Ok(Self(set))
    }

    /// Returns whether `path` is excluded.
    pub(super) fn contains(&self, path: &RootPath) -> bool {
        self.0.is_match(as_path(path.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_what_it_matches_and_everything_below() {
        let excluded = Excluded::parse(&["/app/docs/".into(), "/usr/share/**/*.gz".into()]).unwrap();
        for (path, expected) in [
            ("/app/docs", true),
            ("/app/docs/a/b", true),
            ("/app/docs2", false),
            ("/app", false),
            ("/usr/share/man/x.gz", true),
            ("/usr/share/x.gz", true),
            ("/usr/share/x", false),
        ] {
            assert_eq!(excluded.contains(&RootPath::new(path)), expected, "{path}");
        }
        assert!(!Excluded::parse(&[]).unwrap().contains(&RootPath::new("/a")));
        assert!(Excluded::parse(&["app".into()]).is_err());
        assert!(Excluded::parse(&["/a[".into()]).is_err());
    }
}
