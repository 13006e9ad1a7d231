//! The folders of slim-core and which of them each imports: the last column of the table in docs/architecture.md.
//!
//! The table's order is the order of the layers. A folder imports only from rows above its own, so there are no circles.
//! Tests are left out: they may import anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The document with the table, below the root of the workspace.
pub(crate) const DOCUMENT: &str = "docs/architecture.md";

/// Returns the document with its column computed from the sources.
///
/// # Errors
///
/// When a source cannot be read or parsed, when a folder has no row, or when one imports from a row below its own.
pub(crate) fn document(workspace: &Path) -> Result<String> {
    let text = std::fs::read_to_string(workspace.join(DOCUMENT)).context(DOCUMENT)?;
    with_imports(&text, &imports(workspace)?)
}

/// The imports of each folder, by the names that rows have.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn with_imports(document: &str, imports: &Imports) -> Result<String> {
    let mut above: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for line in document.lines() {
        let Some((name, start)) = row(line) else {
            lines.push(line.to_owned());
            continue;
        };
        let imported = imports
            .get(name)
            .with_context(|| format!("{DOCUMENT}: there is no folder {name}"))?;
        if let Some(below) = imported
            .iter()
            .find(|imported| !above.contains(&imported.as_str()))
        {
            bail!(
                "{name} imports {below}, whose row in {DOCUMENT} is not above its own: move what both need to a folder \
                 above them"
            );
        }
        // In the order of the rows.
        let known: Vec<&str> = above
            .iter()
            .copied()
            .filter(|name| imported.contains(*name))
            .collect();
        let known = if known.is_empty() {
            "nobody".to_owned()
        } else {
            known.join(", ")
        };
        lines.push(format!("{start}| {known} |"));
        above.push(name);
    }
    if let Some(absent) = imports.keys().find(|name| !above.contains(&name.as_str())) {
        bail!("{DOCUMENT}: {absent} has no row");
    }
    Ok(lines.join("\n") + "\n")
}

/// The folder of a row, and the row without its last cell.
fn row(line: &str) -> Option<(&str, &str)> {
    let folder = line.strip_prefix("| `")?.split_once("/` |")?.0;
    let name = folder.strip_prefix("slim-core/src/").unwrap_or(folder);
    let is_known = name != folder || CRATES.contains(&folder);
    let start = line.strip_suffix(" |")?.rfind("| ")?;
    is_known.then(|| (name, &line[..start]))
}

/// The crates that have a row of their own.
const CRATES: [&str; 2] = ["slim-ebpf", "slim-cli"];

fn imports(workspace: &Path) -> Result<Imports> {
    let library = workspace.join("slim-core/src");
    let entries = entries(&library)?;
    let folders: BTreeSet<String> = entries
        .iter()
        .filter(|entry| entry.is_dir())
        .filter_map(|entry| Some(entry.file_name()?.to_str()?.to_owned()))
        .collect();
    let mut imports = Imports::new();
    for folder in &folders {
        imports.insert(folder.clone(), read(&library.join(folder), &folders)?);
    }
    for name in CRATES {
        imports.insert(
            name.to_owned(),
            read(&workspace.join(name).join("src"), &folders)?,
        );
    }
    for (name, imported) in &mut imports {
        imported.remove(name);
    }
    // What stands beside the folders is for all of them.
    for file in entries
        .iter()
        .filter(|entry| entry.is_file() && !entry.ends_with("lib.rs"))
    {
        let mut found = Found {
            folders: &folders,
            imported: BTreeSet::new(),
            tests: BTreeSet::new(),
        };
        found.file(file)?;
        ensure!(
            found.imported.is_empty(),
            "{} imports {:?}: the files beside the folders import none of them",
            file.display(),
            found.imported
        );
    }
    Ok(imports)
}

/// The folders that the sources below `root` import.
fn read(root: &Path, folders: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut found = Found {
        folders,
        imported: BTreeSet::new(),
        tests: BTreeSet::new(),
    };
    found.folder(root)?;
    Ok(found.imported)
}

/// The findings of a walk over sources.
struct Found<'a> {
    folders: &'a BTreeSet<String>,
    imported: BTreeSet<String>,
    /// Modules in files of their own that are built for tests alone.
    tests: BTreeSet<String>,
}

impl Found<'_> {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let mut entries = entries(folder)?;
        // The file that declares the others first: it says which of them are for tests.
        entries.sort_by_key(|entry| !(entry.ends_with("mod.rs") || entry.ends_with("lib.rs")));
        let outer = std::mem::take(&mut self.tests);
        for entry in entries {
            let stem = entry
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if self.tests.contains(&stem) {
                continue;
            }
            if entry.is_dir() {
                self.folder(&entry)?;
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                self.file(&entry)?;
            }
        }
        self.tests = outer;
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let file = syn::parse_file(&text).with_context(|| path.display().to_string())?;
        self.visit_file(&file);
        Ok(())
    }

    /// Notes a path of two words, if its first is the library.
    fn note(&mut self, first: &str, second: &str) {
        if first == "slim_ebpf" {
            self.imported.insert("slim-ebpf".to_owned());
        } else if matches!(first, "crate" | "slim_core") && self.folders.contains(second) {
            self.imported.insert(second.to_owned());
        }
    }

    fn note_tree(&mut self, first: &str, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.note(first, &path.ident.to_string()),
            syn::UseTree::Name(name) => self.note(first, &name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.note(first, &rename.ident.to_string()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(first, tree)),
            syn::UseTree::Glob(_) => {}
        }
    }

    /// Notes the paths in what a macro takes, which is not parsed.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.note_tokens(group.stream()),
                TokenTree::Ident(first) => {
                    if let [
                        TokenTree::Punct(a),
                        TokenTree::Punct(b),
                        TokenTree::Ident(second),
                        ..,
                    ] = &tokens[index + 1..]
                        && (a.as_char(), b.as_char()) == (':', ':')
                    {
                        self.note(&first.to_string(), &second.to_string());
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Found<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if attributes.iter().any(is_test) {
            if let syn::Item::Mod(module) = item {
                self.tests.insert(module.ident.to_string());
            }
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        match &item.tree {
            syn::UseTree::Path(path) => self.note_tree(&path.ident.to_string(), &path.tree),
            tree => self.note_tree("", tree),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if let (Some(first), Some(second)) = (segments.next(), segments.next()) {
            self.note(&first.ident.to_string(), &second.ident.to_string());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.note_tokens(item.tokens.clone());
    }
}

/// Returns whether an attribute is `#[cfg(test)]`.
fn is_test(attribute: &syn::Attribute) -> bool {
    let list = attribute.meta.require_list();
    attribute.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
}

/// The sorted paths of what a folder holds.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<std::io::Result<Vec<_>>>()
    });
    let mut entries = entries.with_context(|| folder.display().to_string())?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# Text\n\n| folder | what it does | knows |\n|---|---|---|\n| `slim-core/src/image/` | files | old |\n\
                         | `slim-core/src/plan/` | keeps; `|` | nobody |\n| `profiles/` | tables | |\n";

    fn imported(pairs: &[(&str, &[&str])]) -> Imports {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        pairs
            .iter()
            .map(|(name, names)| ((*name).to_owned(), own(names)))
            .collect()
    }

    #[test]
    fn the_column_is_computed_and_the_rest_stays() {
        let imports = imported(&[("image", &[]), ("plan", &["image"])]);
        let text = with_imports(TABLE, &imports).unwrap();
        assert_eq!(
            text,
            TABLE
                .replace("| old |", "| nobody |")
                .replace("; `|` | nobody |", "; `|` | image |")
        );
        assert_eq!(with_imports(&text, &imports).unwrap(), text);
    }

    #[test]
    fn an_import_from_a_row_below_fails() {
        let error = with_imports(TABLE, &imported(&[("image", &["plan"]), ("plan", &[])])).unwrap_err();
        assert!(error.to_string().starts_with("image imports plan,"), "{error}");
    }

    #[test]
    fn a_folder_needs_a_row_and_a_row_a_folder() {
        let all = imported(&[("image", &[]), ("plan", &[]), ("trace", &[])]);
        assert!(with_imports(TABLE, &all).is_err());
        assert!(with_imports(TABLE, &imported(&[("image", &[])])).is_err());
    }

    #[test]
    fn imports_are_found_wherever_they_stand_except_in_tests() {
        let source = r#"
            use crate::{image::Path, plan as p};
            use slim_core::reach::Level;
            #[cfg(test)]
            use crate::testing;
            fn f(x: crate::spec::User) { println!("{}", crate::digest::of(slim_ebpf::X)) }
            #[cfg(test)]
            mod tests { use crate::build; }
        "#;
        let folders = ["image", "plan", "reach", "testing", "spec", "build"]
            .map(str::to_owned)
            .into();
        let mut found = Found {
            folders: &folders,
            imported: BTreeSet::new(),
            tests: BTreeSet::new(),
        };
        found.visit_file(&syn::parse_file(source).unwrap());
        let expected = ["image", "plan", "reach", "slim-ebpf", "spec"].map(str::to_owned);
        assert_eq!(found.imported, expected.into());
        assert_eq!(found.tests, ["tests".to_owned()].into());
    }
}
