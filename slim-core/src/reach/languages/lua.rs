//! Lua: modules that a kept source requires, files that it runs, and commands.
//!
//! A module is looked for as `package.searchpath` of the reference manual (§6.3) does: through the templates of
//! LUA_PATH and LUA_CPATH and those written in the source itself, in the directories above the source, and in the
//! directories that upstream (`luaconf.h`), Debian, Alpine, LuaJIT and OpenResty compile in. Which version of Lua runs
//! a source is decided by the directories that have an installed module alone; for others a module is kept for each
//! version that has it.
//!
//! A source that loads modules by computed names keeps the directories that constant beginnings of texts name
//! (`require("x." .. y)`, `"x.%s"`) wide; a name without one is not followed, nor is `package.path` as another file sets
//! it.

use std::collections::BTreeSet;
use std::io;

use tree_sitter::Node as Syntax;

use crate::image::Entry;
use crate::path::{RootPath, encode};
use crate::plan::{Cause, EdgeKind};
use crate::reach::absolute_path;
use crate::reach::context::{Context, Place};
use crate::reach::languages::language::{Language, Sample};
use crate::reach::languages::source_file::{self, SourceKind};
use crate::reach::languages::syntax_tree;
use crate::reach::resolver::{Needs, Node, Resolver};
use crate::reach::widening::widen;

const LUA: SourceKind = SourceKind {
    extensions: &[b"lua"],
    interpreters: &[b"lua", b"luajit", b"resty"],
};
const VERSIONS: [&str; 5] = ["5.1", "5.2", "5.3", "5.4", "5.5"];
/// The largest number of templates that are taken from one source or variable.
const MAX_TEMPLATES: usize = 64;

/// Lua, as the closure follows it.
pub(super) const LANGUAGE: Language = Language {
    name: "Lua",
    sample: Sample {
        hostile: &["/app/main.lua", "/usr/share/lua/5.4/a.lua"],
        fixed: &[
            ("/usr/bin/lua5.4", "elf"),
            ("/usr/share/lua/5.4/b/init.lua", "require \"a\""),
        ],
    },
    resolver: |context| Box::new(Lua::new(context)),
    package_directories: &[],
    package_markers: &[],
};

/// The resolver of Lua.
pub(super) struct Lua<'a> {
    context: &'a Context<'a>,
    /// Templates of the environment, `?` standing for the module.
    templates: Vec<Vec<u8>>,
    /// The directories that each version searches.
    installed: Vec<(&'static str, Vec<RootPath>)>,
}

impl<'a> Lua<'a> {
    /// Returns the resolver for the image of `context`.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let mut variables = vec!["LUA_PATH".to_owned(), "LUA_CPATH".to_owned()];
        for version in VERSIONS {
            let suffix = version.replace('.', "_");
            variables.extend([format!("LUA_PATH_{suffix}"), format!("LUA_CPATH_{suffix}")]);
        }
        let values = variables.iter().filter_map(|name| context.environment.get(name));
        Self {
            context,
            templates: values
                .flat_map(|value| parse_templates(value.as_bytes()))
                .collect(),
            installed: VERSIONS.map(|v| (v, installed_directories(context, v))).into(),
        }
    }

    /// Keeps what `require` finds for `module`.
    fn keep_module(
        &self,
        needs: &mut Needs<'_>,
        file: &RootPath,
        source_templates: &[Vec<u8>],
        module: &[u8],
        cause: &Cause,
    ) {
        let path = module_path(module);
        let from = file.parent().unwrap_or_else(RootPath::root);
        let bases = [&self.context.environment.workdir, &from];
        for template in self.templates.iter().chain(source_templates) {
            let name = fill_template(template, &path);
            if source_file::keep_first(self.context, needs, bases, &[name], cause) {
                return;
            }
        }
        let names = module_files(&path);
        let mut above = source_file::directories_above(self.context, file);
        above.push(self.context.environment.workdir.clone());
        source_file::keep_first(self.context, needs, &above, &names, cause);
        for (version, directories) in &self.installed {
            if self.may_run(file, directories) {
                let local = above.iter().flat_map(|directory| {
                    let tree = |kind: &str| directory.join(format!("lua_modules/{kind}/lua/{version}"));
                    [tree("share"), tree("lib")]
                });
                let local: Vec<RootPath> = local.collect();
                source_file::keep_first(
                    self.context,
                    needs,
                    local.iter().chain(directories),
                    &names,
                    cause,
                );
            }
        }
    }

    /// Keeps the modules directly in the directory that the beginning of a computed name names.
    fn keep_computed(
        &self,
        needs: &mut Needs<'_>,
        file: &RootPath,
        source_templates: &[Vec<u8>],
        beginning: &Beginning<'_>,
    ) {
        let path = module_path(beginning.directory);
        let workdir = &self.context.environment.workdir;
        let mut directories = source_file::directories_above(self.context, file);
        directories.push(workdir.clone());
        for template in self.templates.iter().chain(source_templates) {
            let above = template.split(|&b| b == b'?').next().unwrap_or_default();
            directories.push(workdir.join(above));
        }
        let installed = self
            .installed
            .iter()
            .filter(|(_, directories)| self.may_run(file, directories));
        directories.extend(installed.flat_map(|(_, directories)| directories.iter().cloned()));
        let place = Place::on_line(file, beginning.line);
        let words = String::from_utf8_lossy(beginning.words);
        let mut seen = BTreeSet::new();
        for directory in directories {
            if let Some(found) = self.context.find_directory(&directory, &path)
                && seen.insert(found.path.clone())
            {
                let module =
                    |path: &RootPath, _: &Entry| matches!(path.extension(), Some(b"lua" | b"ljbc" | b"so"));
                // A module may be the `init.lua` of a directory.
                widen(self.context, needs, &found.path, 2, place, &words, module);
            }
        }
    }

    /// Returns whether the Lua that searches `directories` may run `file`: any does, unless it is installed for some.
    /// One that is installed for one version may be linked to from the directories of others.
    fn may_run(&self, file: &RootPath, directories: &[RootPath]) -> bool {
        let Some(name) = installed_name(file) else {
            return true;
        };
        directories.iter().any(|directory| {
            let found = self.context.find_file(directory, &name);
            found.is_some_and(|found| found.path == *file)
        })
    }

    fn follow_call(
        &self,
        needs: &mut Needs<'_>,
        file: &RootPath,
        source_templates: &[Vec<u8>],
        call: &Call<'_>,
    ) {
        let Call { name, word, line } = *call;
        let place = Place::on_line(file, line);
        let cause = place.cause(EdgeKind::Import, &format!("{} {}", encode(name), encode(word)));
        match name {
            b"require" => self.keep_module(needs, file, source_templates, word, &cause),
            b"dofile" | b"loadfile" => {
                let from = file.parent().unwrap_or_else(RootPath::root);
                let bases = [&self.context.environment.workdir, &from];
                source_file::keep_first(self.context, needs, bases, &[word.to_vec()], &cause);
            }
            b"os.execute" | b"io.popen" => {
                self.context.keep_command(needs, b"sh", place);
                source_file::keep_command_line(self.context, needs, word, place);
            }
            _ => {}
        }
    }
}

impl Resolver for Lua<'_> {
    fn resolve(&self, node: &Node<'_>, needs: &mut Needs<'_>) -> io::Result<()> {
        let Some(source) = LUA.read(node)? else {
            return Ok(());
        };
        let bytes = source.bytes;
        let libraries = self.installed.iter().flat_map(|(_, directories)| directories);
        let application = source_file::is_application(self.context, node.path, libraries);
        let mut source_templates = Vec::new();
        let mut absolute = Vec::new();
        let mut calls = Vec::new();
        let mut beginnings = Vec::new();
        let mut computes = false;
        let extent = syntax_tree::visit(tree_sitter_lua::LANGUAGE, bytes, self.context.cancel, |syntax| {
            let call = parse_call(syntax, bytes);
            computes |= call.is_none() && loads(syntax, bytes);
            calls.extend(call);
            beginnings.extend(parse_beginning(syntax, bytes));
            if let Some(word) = string_literal(syntax, bytes) {
                if word.contains(&b'?') && source_templates.len() < MAX_TEMPLATES {
                    source_templates.extend(parse_templates(word));
                } else if application && word.starts_with(b"/") {
                    absolute.push((syntax_tree::line(syntax), word));
                }
            }
        });
        extent.report_limits(self.context, needs, node.path, bytes);
        for (line, word) in absolute {
            absolute_path::keep(self.context, needs, word, Place::on_line(node.path, line));
        }
        let mut seen = source_file::SeenNames::default();
        for call in calls.iter().filter(|call| seen.insert(call.name, call.word)) {
            self.follow_call(needs, node.path, &source_templates, call);
        }
        for beginning in beginnings
            .iter()
            .filter(|beginning| computes && seen.insert(b"..", beginning.directory))
        {
            self.keep_computed(needs, node.path, &source_templates, beginning);
        }
        Ok(())
    }
}

/// A function's call with a literal.
struct Call<'s> {
    name: &'s [u8],
    word: &'s [u8],
    line: usize,
}

/// Returns the call that `node` is, also through `pcall`.
fn parse_call<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<Call<'s>> {
    if node.kind() != "function_call" {
        return None;
    }
    let arguments = node.child_by_field_name("arguments")?;
    let mut name = syntax_tree::text(node.child_by_field_name("name")?, bytes);
    let mut index = 0;
    if matches!(name, b"pcall" | b"xpcall") {
        name = syntax_tree::text(arguments.named_child(0)?, bytes);
        index = 1;
    }
    let word = string_literal(arguments.named_child(index)?, bytes)?;
    let line = syntax_tree::line(node);
    Some(Call { name, word, line })
}

/// Returns whether `node` calls a function that loads a source, itself or through `pcall`.
fn loads(node: Syntax<'_>, bytes: &[u8]) -> bool {
    let loader = |node: Option<Syntax<'_>>| {
        node.is_some_and(|node| {
            matches!(
                syntax_tree::text(node, bytes),
                b"require" | b"dofile" | b"loadfile"
            )
        })
    };
    node.kind() == "function_call"
        && (loader(node.child_by_field_name("name"))
            || loader(
                node.child_by_field_name("arguments")
                    .and_then(|all| all.named_child(0)),
            ))
}

/// The constant beginning of a computed text that may name a module.
struct Beginning<'s> {
    /// The directory that it names, with points or slashes.
    directory: &'s [u8],
    line: usize,
    words: &'s [u8],
}

/// Returns the beginning that `node` is: a text that another is put behind, or one that is formatted.
fn parse_beginning<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<Beginning<'s>> {
    let text = string_literal(node, bytes)?;
    let rest = bytes.get(node.end_byte()..)?;
    let goes_on = rest.trim_ascii_start().starts_with(b"..");
    let constant = match text.iter().position(|&b| b == b'%') {
        Some(at) => &text[..at],
        None => goes_on.then_some(text)?,
    };
    let end = constant.iter().rposition(|b| matches!(b, b'.' | b'/'))?;
    let directory = &constant[..end];
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_' | b'-');
    (directory.first()?.is_ascii_alphanumeric() && directory.iter().all(name)).then(|| Beginning {
        directory,
        line: syntax_tree::line(node),
        words: &bytes[node.start_byte()..(node.end_byte() + 40).min(bytes.len())],
    })
}

/// Returns a string's content, if nothing in it is escaped.
fn string_literal<'s>(node: Syntax<'_>, bytes: &'s [u8]) -> Option<&'s [u8]> {
    let content = (node.kind() == "string").then(|| node.child_by_field_name("content"))??;
    (content.named_child_count() == 0).then(|| syntax_tree::text(content, bytes))
}

/// The templates of a `package.path`; `;;`, the default, is searched anyway.
fn parse_templates(path: &[u8]) -> Vec<Vec<u8>> {
    let code = |template: &[u8]| template.ends_with(b".lua") || template.ends_with(b".so");
    path.split(|&b| b == b';')
        .filter(|template| template.contains(&b'?') && code(template))
        .take(MAX_TEMPLATES)
        .map(<[u8]>::to_vec)
        .collect()
}

/// Returns `template` with the module's path for every `?`.
fn fill_template(template: &[u8], path: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = template.split(|&b| b == b'?').collect();
    parts.join(path)
}

/// Returns the path of a module's name (`a/b` of `a.b`).
fn module_path(module: &[u8]) -> Vec<u8> {
    module.iter().map(|&b| if b == b'.' { b'/' } else { b }).collect()
}

/// The files that may be the module, in the order of the searchers; the last is a library of many modules, named for
/// the first component.
fn module_files(path: &[u8]) -> Vec<Vec<u8>> {
    let first = path.split(|&b| b == b'/').next().unwrap_or_default();
    vec![
        [path, b".lua"].concat(),
        [path, b"/init.lua"].concat(),
        [path, b".ljbc"].concat(),
        [path, b"/init.ljbc"].concat(),
        [path, b".so"].concat(),
        [first, b".so"].concat(),
    ]
}

/// Returns the name of `file` in the directory of the version of Lua that it is installed for.
fn installed_name(file: &RootPath) -> Option<Vec<u8>> {
    let components: Vec<&[u8]> = file.components().collect();
    let version = |pair: &[&[u8]]| pair[0] == b"lua" && VERSIONS.iter().any(|v| v.as_bytes() == pair[1]);
    let at = components.windows(2).position(version)?;
    Some(components[at + 2..].join(&b'/')).filter(|name| !name.is_empty())
}

/// The directories that an interpreter of `version` has compiled in.
fn installed_directories(context: &Context<'_>, version: &str) -> Vec<RootPath> {
    let mut directories: Vec<RootPath> = ["/usr/local/share", "/usr/local/lib", "/usr/share", "/usr/lib"]
        .iter()
        .map(|parent| RootPath::new(format!("{parent}/lua/{version}")))
        .collect();
    let architectures =
        ["/usr/lib", "/usr/local/lib"].map(|lib| source_file::library_architectures(context, lib));
    directories.extend(
        architectures
            .iter()
            .flatten()
            .map(|d| d.join(format!("lua/{version}"))),
    );
    directories.push(RootPath::new("/usr/share/lua/common"));
    if version == "5.1" {
        directories.extend(
            [
                "site/lualib",
                "lualib",
                "luajit/share/lua/5.1",
                "luajit/lib/lua/5.1",
            ]
            .map(|name| RootPath::new(format!("/usr/local/openresty/{name}"))),
        );
        let parents = [
            "/usr/share",
            "/usr/local/share",
            "/usr/local/openresty/luajit/share",
        ];
        directories.extend(source_file::child_directories(context, &parents, |name| {
            name.starts_with(b"luajit-")
        }));
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::languages::source_file::tests::{beside, reached};

    fn kept(items: &[(&str, &[u8])], env: &[&str], from: &[&str]) -> Vec<String> {
        let reached = reached(items, env, from, |context| Box::new(Lua::new(context)));
        beside(&reached, from)
    }

    #[test]
    fn modules_by_the_compiled_in_directories() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main.lua",
                b"local a = require 'a.b'\nfunction f() return require('lazy').x end\n\
                  local ok, c = pcall(require, 'cjson')\nrequire(a .. 'x')",
            ),
            ("/app/lazy.lua", b""),
            ("/usr/share/lua/5.4/a/b/init.lua", b"require 'a.c'"),
            ("/usr/share/lua/5.4/a/c.lua", b"require 'main'"),
            ("/usr/share/lua/5.1/a/c.lua", b""),
            (
                "/usr/lib/x86_64-linux-gnu/lua/5.4/cjson.so",
                b"-> liblua-cjson.so.0",
            ),
            ("/usr/lib/x86_64-linux-gnu/lua/5.4/liblua-cjson.so.0", b""),
            ("/usr/share/lua/5.4/unused.lua", b""),
        ];
        assert_eq!(
            kept(items, &[], &["/app/main.lua"]),
            [
                "/app/lazy.lua",
                "/usr/lib/x86_64-linux-gnu/lua/5.4/cjson.so",
                "/usr/lib/x86_64-linux-gnu/lua/5.4/liblua-cjson.so.0",
                "/usr/share/lua/5.4/a/b/init.lua",
                "/usr/share/lua/5.4/a/c.lua",
            ]
        );
    }

    #[test]
    fn a_module_that_versions_share_brings_what_it_requires_for_each() {
        let items: &[(&str, &[u8])] = &[
            ("/app/main.lua", b"require 'mime'"),
            ("/usr/share/lua/5.1/mime.lua", b"require 'ltn12'"),
            ("/usr/share/lua/5.1/ltn12.lua", b""),
            ("/usr/share/lua/5.4/mime.lua", b"-> ../5.1/mime.lua"),
            ("/usr/share/lua/5.4/ltn12.lua", b"-> ../5.1/ltn12.lua"),
            ("/usr/share/lua/5.3/ltn12.lua", b"not for mime, which 5.3 has not"),
        ];
        let kept = kept(items, &[], &["/app/main.lua"]);
        assert!(
            kept.contains(&"/usr/share/lua/5.4/ltn12.lua".to_owned()),
            "{kept:?}"
        );
        assert!(
            !kept.contains(&"/usr/share/lua/5.3/ltn12.lua".to_owned()),
            "{kept:?}"
        );
    }

    #[test]
    fn beginnings_of_computed_names_widen() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main.lua",
                b"for _, y in ipairs(z) do local ok, m = pcall(require, 'a.plugins.' .. y) end\n\
                  local n = ('a.parts.%s'):format(z) print('a.data.' .. z) require 'a.words'",
            ),
            ("/app/conf/one.lua", b""),
            ("/usr/share/lua/5.4/a/words.lua", b"return 'a.more.' .. x"),
            ("/usr/share/lua/5.4/a/plugins/b.lua", b""),
            (
                "/usr/share/lua/5.4/a/plugins/c/init.lua",
                b"dofile('conf/' .. x .. '.lua')",
            ),
            ("/usr/share/lua/5.4/a/plugins/notes.txt", b""),
            ("/usr/lib/x86_64-linux-gnu/lua/5.4/a/parts/d.so", b""),
            ("/usr/share/lua/5.4/a/more/e.lua", b""),
            ("/usr/share/lua/5.4/a/other/f.lua", b""),
        ];
        assert_eq!(
            kept(items, &[], &["/app/main.lua"]),
            [
                "/usr/lib/x86_64-linux-gnu/lua/5.4/a/parts/d.so",
                "/usr/share/lua/5.4/a/plugins/b.lua",
                "/usr/share/lua/5.4/a/plugins/c/init.lua",
                "/usr/share/lua/5.4/a/words.lua",
            ]
        );
    }

    #[test]
    fn templates_of_the_environment_and_of_the_source() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/run",
                b"#!/usr/bin/env luajit\npackage.path = '/srv/?/main.lua;' .. package.path\nrequire 'x'; require 'y.z'",
            ),
            ("/srv/x/main.lua", b""),
            ("/opt/lua/y/z.lua", b""),
            ("/usr/share/lua/5.1/y/z.lua", b""),
        ];
        assert_eq!(
            kept(items, &["LUA_PATH_5_1=/opt/lua/?.lua;;"], &["/app/run"]),
            ["/opt/lua/y/z.lua", "/srv/x/main.lua"]
        );
    }

    #[test]
    fn files_literals_and_commands() {
        let items: &[(&str, &[u8])] = &[
            (
                "/app/main.lua",
                b"dofile('sub/x.lua')\nlocal f = io.open('/etc/app.conf')\nio.popen('gzip -c | wc')\nos.execute[[date]]",
            ),
            ("/app/sub/x.lua", b""),
            ("/etc/app.conf", b""),
            ("/usr/bin/gzip", b""),
            ("/usr/bin/wc", b""),
            ("/usr/bin/date", b""),
            ("/bin/sh", b""),
        ];
        let from = ["/app/main.lua"];
        let reached = reached(items, &[], &from, |context| Box::new(Lua::new(context)));
        assert_eq!(
            beside(&reached, &from),
            [
                "/app/sub/x.lua",
                "/etc/app.conf",
                "/usr/bin/date",
                "/usr/bin/gzip",
                "/usr/bin/wc"
            ]
        );
        assert_eq!(reached.left_out.len(), 2, "the shell, on two lines");
    }

    #[test]
    fn hostile_sources_end() {
        let deep = [&b"require '../../../../etc/x' "[..], &b"f(".repeat(100_000)].concat();
        let items: &[(&str, &[u8])] = &[
            ("/a/one.lua", b"require 'two' require ''"),
            ("/a/two.lua", b"require 'one' require '?' x = '?.lua;?.lua'"),
            ("/a/deep.lua", &deep),
            ("/a/bad.lua", b"\xff\0require 'one'\\"),
        ];
        let from = ["/a/one.lua", "/a/deep.lua", "/a/bad.lua"];
        assert_eq!(kept(items, &[], &from), ["/a/two.lua"]);
    }
}
