//! Rules of the closure are about languages, formats and libraries, never about one application: no text in `reach/` and
//! `profiles/reach/` is the name of a package or an application that tests install.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};

use crate::sh;

/// Names that rules may have, with the reason.
const ALLOWED: [(&str, &[&str]); 4] = [
    (
        "an interpreter or a compiler is its language",
        &[
            "bash", "gcc", "go", "java", "lua", "lua5.4", "node", "nodejs", "perl", "php", "python",
            "python3", "r", "ruby", "rustc", "tcl", "tcl8.6",
        ],
    ),
    (
        "a server's configuration is a format",
        &["apache", "apache2", "haproxy", "lighttpd", "nginx"],
    ),
    (
        "a program that runs the program which its arguments name",
        &[
            "busybox",
            "composer",
            "dumb-init",
            "gosu",
            "npm",
            "openssh",
            "pnpm",
            "supervisor",
            "tini",
        ],
    ),
    (
        "data that libraries of many languages read, and words that are also a package's name",
        &["fontconfig", "locales", "tzdata", "next", "git"],
    ),
];

/// Names of the applications that tests have, and of the packages that they install.
fn names() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in ["tests/corpus", "tests/apps", "samples"] {
        for application in files(&sh::workspace().join(folder))? {
            let Ok(dockerfile) = std::fs::read_to_string(application.join("Dockerfile")) else {
                continue;
            };
            names.extend(
                application
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
            names.extend(installed(&dockerfile));
            if let Ok(text) = std::fs::read(application.join("package.json")) {
                let package: serde_json::Value = serde_json::from_slice(&text)?;
                let of = package["dependencies"].as_object().into_iter().flatten();
                names.extend(of.map(|(name, _)| name.clone()));
            }
        }
    }
    // The name without the version: postgresql-15.
    let stems: Vec<String> = names
        .iter()
        .map(|name| {
            name.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.')
                .trim_end_matches('-')
                .to_owned()
        })
        .collect();
    names.extend(stems.into_iter().filter(|stem| stem.len() > 1));
    Ok(names)
}

/// Returns the packages that the lines of a Dockerfile install.
fn installed(dockerfile: &str) -> BTreeSet<String> {
    let text = dockerfile.replace("\\\n", " ");
    let mut names = BTreeSet::new();
    for command in text.split(['\n', '&', ';', '|']) {
        let mut words = command.split_whitespace();
        let managers = ["apt", "apt-get", "gem", "npm", "pip", "pip3"];
        let manager = words.by_ref().map(|word| word.rsplit('/').next().unwrap_or(word));
        if !manager.into_iter().any(|word| managers.contains(&word))
            || !words.by_ref().any(|word| matches!(word, "install" | "i" | "ci"))
        {
            continue;
        }
        for word in words {
            let name = word.trim_matches(['"', '\'']);
            let end = name.find(['=', '<', '>', '~', '[']).unwrap_or(name.len());
            let end = name[..end].rfind('@').filter(|at| *at > 0).unwrap_or(end);
            if !name.starts_with(['-', '/', '.', '$']) {
                names.insert(name[..end].to_owned());
            }
        }
    }
    names
}

/// Returns the entries of a directory, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

/// Returns the texts of the rules, with the file of each: string literals of `reach/` outside tests, and its tables.
fn texts() -> Result<Vec<(PathBuf, String)>> {
    let mut texts = Vec::new();
    let mut left = vec![sh::workspace().join("slim-core/src/reach")];
    while let Some(directory) = left.pop() {
        for path in files(&directory)? {
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
                && !path
                    .components()
                    .any(|component| component.as_os_str() == "tests")
            {
                let source = std::fs::read_to_string(&path)?;
                let program = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
                let tokens: TokenStream = program
                    .parse()
                    .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
                literals(tokens, &mut |text| texts.push((path.clone(), text)));
            }
        }
    }
    for path in files(&sh::workspace().join("profiles/reach"))? {
        let table: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        strings(&table, &mut |text| texts.push((path.clone(), text)));
    }
    Ok(texts)
}

/// Calls `found` with each string literal, those of doc comments left out.
fn literals(tokens: TokenStream, found: &mut impl FnMut(String)) {
    let mut attribute = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let first = group.stream().into_iter().next();
                if !(attribute && first.is_some_and(|first| first.to_string() == "doc")) {
                    literals(group.stream(), found);
                }
                attribute = false;
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if text.contains('"') {
                    found(text);
                }
            }
            TokenTree::Punct(sign) => attribute = matches!(sign.as_char(), '#' | '!'),
            TokenTree::Ident(_) => attribute = false,
        }
    }
}

/// Calls `found` with each text of a table but its comments.
fn strings(value: &serde_json::Value, found: &mut impl FnMut(String)) {
    match value {
        serde_json::Value::String(text) => found(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        serde_json::Value::Object(values) => {
            for (key, value) in values {
                if !matches!(key.as_str(), "source" | "why" | "reason" | "comment" | "about") {
                    found(key.clone());
                    strings(value, found);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_rule_names_an_application() {
    let mut names = names().unwrap();
    assert!(names.len() > 150, "{}", names.len());
    for (_, allowed) in ALLOWED {
        for name in allowed {
            names.remove(*name);
        }
    }
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in texts().unwrap() {
        let words = text.split(|sign: char| !(sign.is_alphanumeric() || "@.+-_".contains(sign)));
        for word in words.filter(|word| names.contains(*word)) {
            let file = path.strip_prefix(sh::workspace()).unwrap_or(&path);
            named
                .entry(word.to_owned())
                .or_default()
                .insert(file.display().to_string());
        }
    }
    assert!(named.is_empty(), "{named:#?}");
}

#[test]
fn installed_packages_are_named_without_versions() {
    let names = installed(
        "RUN apt-get install -y \\\n a b=1 && pip install 'c[x]>=2' d==3; npm install @e/f@4\nRUN g h",
    );
    let expected = ["@e/f", "a", "b", "c", "d"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(expected));
}
