//! Yarn's Plug'n'Play: a file (`.pnp.cjs`, `.pnp.data.json`) that says where each package is, mostly an archive, and what it
//! depends on. Yarn documents the form in "PnP Specification", and paths with `__virtual__` there too.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem::find;
use serde_json::Value;

/// The largest number of packages.
const MAX_PACKAGES: usize = 50_000;
/// The directory that stands for several instances of one package.
const VIRTUAL: &str = "/__virtual__/";

/// A package by its name and its version; the project itself has neither.
type Locator<'s> = (&'s str, &'s str);

/// Returns where the packages are that the project's own need when they run, seen from the directory of the file `source`.
/// `development` gives what the project's package in a directory needs at other times.
pub(super) fn locations(source: &[u8], development: impl Fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let state = match find(source, b"RAW_RUNTIME_STATE") {
        Some(at) => serde_json::from_slice(&unquoted(&source[at..])),
        None => serde_json::from_slice(source),
    };
    let state: Value = state.unwrap_or_default();
    let mut packages: BTreeMap<Locator<'_>, (&str, bool, &Value)> = BTreeMap::new();
    for (name, versions) in pairs(&state["packageRegistryData"]).take(MAX_PACKAGES) {
        for (version, package) in pairs(versions).take(MAX_PACKAGES) {
            let location = package["packageLocation"].as_str().unwrap_or_default();
            let own = package["linkType"] == "SOFT";
            let locator = (
                name.as_str().unwrap_or_default(),
                version.as_str().unwrap_or_default(),
            );
            packages.insert(locator, (location, own, &package["packageDependencies"]));
        }
    }
    let own = packages.iter().filter(|(_, (_, own, _))| *own);
    let mut next: Vec<Locator<'_>> = own.map(|(locator, _)| *locator).collect();
    let mut seen: BTreeSet<Locator<'_>> = next.iter().copied().collect();
    let mut found = BTreeSet::new();
    while let Some(locator) = next.pop() {
        let Some((location, own, dependencies)) = packages.get(&locator) else {
            continue;
        };
        let unneeded = if *own { development(location) } else { Vec::new() };
        if !own {
            found.insert(real(location));
        }
        for (name, target) in pairs(dependencies) {
            let name = name.as_str().unwrap_or_default();
            // One under another name is a pair, and a peer that nobody provides is null.
            let target = match target {
                Value::String(version) => (name, version.as_str()),
                Value::Array(pair) => match pair.as_slice() {
                    [Value::String(name), Value::String(version)] => (name.as_str(), version.as_str()),
                    _ => continue,
                },
                _ => continue,
            };
            if !unneeded.iter().any(|unneeded| unneeded == name) && seen.insert(target) {
                next.push(target);
            }
        }
    }
    found
}

/// The pairs of a list of pairs.
fn pairs(list: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| match item.as_array()?.as_slice() {
        [key, value] => Some((key, value)),
        _ => None,
    })
}

/// The text of the first string in single quotation marks, whose lines end in backslashes.
fn unquoted(source: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let start = memchr::memchr(b'\'', source).map_or(source.len(), |quote| quote + 1);
    let mut bytes = source[start..].iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\'' => break,
            b'\\' => text.extend(bytes.next().filter(|byte| **byte != b'\n')),
            _ => text.push(byte),
        }
    }
    text
}

/// Returns the location without the part that only tells instances apart.
fn real(location: &str) -> String {
    let Some((before, rest)) = location.split_once(VIRTUAL) else {
        return location.to_owned();
    };
    let mut parts = rest.splitn(3, '/').skip(1);
    let up: usize = parts.next().and_then(|up| up.parse().ok()).unwrap_or_default();
    format!(
        "{before}/{}{}",
        "../".repeat(up.min(64)),
        parts.next().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_where_the_file_says_and_without_those_for_development() {
        let source = br#"#!/usr/bin/env node
const RAW_RUNTIME_STATE =
'{\
  "packageRegistryData": [\
    [null, [[null, {"packageLocation": "./", "packageDependencies": [["one", "npm:1"], ["dev", "npm:1"]], "linkType": "SOFT"}]]],\
    ["one", [["npm:1", {"packageLocation": "./.yarn/cache/one.zip/node_modules/one/", "packageDependencies": [["one", "npm:1"], ["alias", ["two", "npm:2"]], ["peer", null]], "linkType": "HARD"}]]],\
    ["two", [["npm:2", {"packageLocation": "./.yarn/__virtual__/two-x/1/outer/two\'s.zip/node_modules/two/", "packageDependencies": [["one", "npm:1"]], "linkType": "HARD"}]]],\
    ["dev", [["npm:1", {"packageLocation": "./.yarn/cache/dev.zip/node_modules/dev/", "packageDependencies": [], "linkType": "HARD"}]]]\
  ]\
}';
'other'"#;
        let development = |location: &str| match location {
            "./" => vec!["dev".to_owned()],
            _ => Vec::new(),
        };
        let found: Vec<_> = locations(source, development).into_iter().collect();
        assert_eq!(
            found,
            [
                "./.yarn/../outer/two's.zip/node_modules/two/",
                "./.yarn/cache/one.zip/node_modules/one/"
            ]
        );
        for nothing in [
            &b"RAW_RUNTIME_STATE"[..],
            b"RAW_RUNTIME_STATE='{",
            b"[]",
            b"{\"packageRegistryData\":[[1,[[2,3]]]]}",
        ] {
            assert_eq!(locations(nothing, development), BTreeSet::new());
        }
    }
}
