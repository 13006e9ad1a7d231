//! Languages: what kept sources name, by one resolver for each language.
//!
//! A language is one file (or folder) here with its `LANGUAGE`, its grammar in `Cargo.toml`, seeds in
//! `fuzz/seeds/language/`, and an application in `tests/`.

mod erlang;
#[cfg(feature = "languages")]
mod java;
mod language;
#[cfg(feature = "languages")]
mod lua;
#[cfg(feature = "languages")]
mod node;
#[cfg(feature = "languages")]
mod perl;
#[cfg(feature = "languages")]
mod php;
#[cfg(feature = "languages")]
mod python;
mod r;
#[cfg(feature = "languages")]
mod ruby;
#[cfg(feature = "languages")]
mod shell;
pub(super) mod source_file;
#[cfg(feature = "languages")]
mod syntax_tree;
mod tcl;

use std::sync::LazyLock;

pub use language::{Language, Sample};

use super::package_directories::PackageDirectories;

/// All languages that are built in (feature `languages`), in the order in which their resolvers see a file.
pub const LANGUAGES: &[Language] = &[
    #[cfg(feature = "languages")]
    shell::LANGUAGE,
    #[cfg(feature = "languages")]
    python::LANGUAGE,
    #[cfg(feature = "languages")]
    node::LANGUAGE,
    #[cfg(feature = "languages")]
    ruby::LANGUAGE,
    #[cfg(feature = "languages")]
    perl::LANGUAGE,
    #[cfg(feature = "languages")]
    php::LANGUAGE,
    #[cfg(feature = "languages")]
    java::LANGUAGE,
    #[cfg(feature = "languages")]
    lua::LANGUAGE,
    tcl::LANGUAGE,
    erlang::LANGUAGE,
    r::LANGUAGE,
];

/// Returns the directories in which languages keep installed packages.
pub(super) fn package_directories() -> &'static PackageDirectories {
    static ALL: LazyLock<PackageDirectories> = LazyLock::new(|| {
        PackageDirectories::new(
            LANGUAGES
                .iter()
                .flat_map(|language| language.package_directories.iter().copied()),
            LANGUAGES
                .iter()
                .flat_map(|language| language.package_markers.iter().copied()),
        )
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_language_is_named_in_the_readme_and_has_seeds() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
        let words: Vec<&str> = readme.split(|c: char| !c.is_alphanumeric()).collect();
        for Language { name, .. } in LANGUAGES {
            assert!(words.contains(name), "README.md does not name {name}");
            let seeds = root.join("fuzz/seeds/language").join(name.to_lowercase());
            assert!(seeds.is_dir(), "{} is missing", seeds.display());
        }
    }

    #[test]
    fn directories_of_packages_go_by_names_and_markers() {
        let rootfs = crate::image::memory::tree(&[("/app/vendor/composer/autoload_real.php", b"")]);
        let directories = package_directories();
        for path in ["/a/node_modules", "/a/python3.11", "/a/vendor/bundle"] {
            assert!(directories.is_named(&path.into()), "{path}");
        }
        assert!(!directories.is_named(&"/a/vendor".into()));
        assert!(directories.contains(&"/a/node_modules/b/c".into()));
        assert!(directories.is_marked(&rootfs, &"/app/vendor".into()));
        assert!(!directories.is_marked(&rootfs, &"/app".into()));
    }
}
