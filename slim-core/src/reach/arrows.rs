//! The modules of this folder use each other in one direction: a test computes the arrows from their sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The modules that each module uses, by their paths below `reach`.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Returns the sources below `directory` by the paths of their modules, without tests and comments.
fn sources(directory: &Path, module: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let inner = if module.is_empty() {
            stem.to_owned()
        } else {
            format!("{module}::{stem}")
        };
        if path.is_dir() {
            sources(&path, &inner, found);
        } else if !matches!(stem, "arrows" | "hostile" | "tests") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code: Vec<&str> = code.collect();
            let tests = code
                .windows(2)
                .position(|lines| lines[0] == "#[cfg(test)]" && lines[1].ends_with("mod tests {"));
            let code = code[..tests.unwrap_or(code.len())].join("\n");
            found.insert(if stem == "mod" { module.to_owned() } else { inner }, code);
        }
    }
}

/// Adds the paths that the use tree `tree` stands for, each behind `base`.
fn paths(base: &[&str], tree: &str, found: &mut Vec<Vec<String>>) {
    let mut path: Vec<&str> = base.to_vec();
    let mut rest = tree;
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (0, 0);
            for (at, byte) in group.bytes().enumerate() {
                match byte {
                    b',' | b'}' if depth == 0 => {
                        paths(&path, group[start..at].trim_start(), found);
                        start = at + 1;
                        if byte == b'}' {
                            return;
                        }
                    }
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    _ => {}
                }
            }
            return;
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        match &rest[..end] {
            "super" => drop(path.pop()),
            "" | "self" => {}
            name => path.push(name),
        }
        match rest[end..].strip_prefix("::") {
            Some(more) => rest = more,
            None => break,
        }
    }
    found.push(path.iter().map(|name| (*name).to_owned()).collect());
}

/// Returns the modules that the code of `module` uses.
fn used(module: &str, code: &str, modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let here: Vec<&str> = module.split("::").filter(|name| !name.is_empty()).collect();
    let mut all = Vec::new();
    let begins = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    for (at, start) in code.match_indices("crate::reach::") {
        paths(&[], &code[at + start.len()..], &mut all);
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| begins(*at)) {
        paths(&here, &code[at..], &mut all);
    }
    for line in code.lines().map(str::trim) {
        let Some((_, child)) = line.strip_suffix(';').and_then(|line| line.split_once("mod ")) else {
            continue;
        };
        let named = format!("{child}::");
        for (at, _) in code.match_indices(&named).filter(|(at, _)| begins(*at)) {
            paths(&here, &code[at..], &mut all);
        }
    }
    let modules = all.iter().map(|path| {
        let prefixes = (0..=path.len()).rev().map(|length| path[..length].join("::"));
        prefixes
            .into_iter()
            .find(|path| modules.contains_key(path))
            .unwrap()
    });
    modules.filter(|used| used != module).collect()
}

/// Returns a path of arrows that ends where it began, if there is one.
fn circle(arrows: &Arrows) -> Option<Vec<String>> {
    fn visit(module: &str, arrows: &Arrows, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let again = way.iter().position(|above| above == module);
        way.push(module.to_owned());
        if let Some(first) = again {
            way.drain(..first);
            return true;
        }
        if done.insert(module.to_owned()) {
            let used = arrows.get(module).into_iter().flatten();
            if used.into_iter().any(|used| visit(used, arrows, way, done)) {
                return true;
            }
        }
        way.pop();
        false
    }
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|module| {
        let mut way = Vec::new();
        visit(module, arrows, &mut way, &mut done).then_some(way)
    })
}

/// Returns the arrows among files, and among what stands directly in this folder.
fn arrows() -> (Arrows, Arrows) {
    let mut modules = BTreeMap::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reach");
    sources(&directory, "", &mut modules);
    let files: Arrows = modules
        .iter()
        .map(|(module, code)| (module.clone(), used(module, code, &modules)))
        .collect();
    let mut folders = Arrows::new();
    let top = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    for (module, used) in &files {
        let used = used
            .iter()
            .map(|used| top(used))
            .filter(|used| *used != top(module));
        folders.entry(top(module)).or_default().extend(used);
    }
    (files, folders)
}

#[test]
fn no_module_uses_one_that_uses_it() {
    let (files, folders) = arrows();
    assert_eq!(circle(&files), None);
    assert_eq!(circle(&folders), None);
    assert!(files[""].contains("languages"), "the root uses the languages");
    assert!(files["languages"].contains("languages::php"));
    assert!(files["languages::php"].contains("configuration::php_settings"));
    assert!(files["graph"].contains("resolver"));
}

#[test]
fn use_trees_and_circles_are_found() {
    let mut found = Vec::new();
    paths(&["a", "b"], "super::{c, d::{self, e}};", &mut found);
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::c", "a::d", "a::d::e"]);
    let arrows = |pairs: &[(&str, &str)]| {
        let mut arrows = Arrows::new();
        for (from, to) in pairs {
            arrows
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        circle(&arrows)
    };
    assert_eq!(arrows(&[("a", "b"), ("a", "c"), ("b", "c")]), None);
    let found = arrows(&[("a", "b"), ("b", "c"), ("c", "b")]);
    assert_eq!(found, Some(["b", "c", "b"].map(str::to_owned).to_vec()));
}
