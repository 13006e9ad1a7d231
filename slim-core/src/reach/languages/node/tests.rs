use serde_json::json;

use crate::image::memory::tree;
use crate::plan::LeftOutKind;
use crate::reach::graph::Reached;
use crate::reach::options::{Limits, Options};
use crate::reach::tests::{image, kept, names, reached, reached_with, used};

/// The files that are kept beside `/app/a.js` when that was used, with WORKDIR `/app`.
fn from(items: &[(&str, &[u8])]) -> Vec<String> {
    let found = run(items);
    let entries = tree(items);
    names(&found)
        .into_iter()
        .filter(|path| path != "/app/a.js" && !entries.get(&path.as_str().into()).is_some_and(|e| e.is_dir()))
        .collect()
}

fn run(items: &[(&str, &[u8])]) -> Reached {
    // The working directory is too large to be kept whole, so that only names keep what is in it.
    let large: (&str, &[u8]) = ("/app/assets/large.bin", &[0; 10_001]);
    let image = image(tree(&[items, &[large]].concat()), json!({ "WorkingDir": "/app" }));
    let options = Options {
        limits: Limits {
            own_bytes: 10_000,
            ..Limits::default()
        },
        ..Options::default()
    };
    let mut reached = reached_with(&image, vec![used("/app/a.js")], &options);
    reached.left_out.retain(|left_out| left_out.path != "/app".into());
    reached
}

#[test]
fn names_are_read_wherever_they_stand_and_found_with_their_extensions() {
    let source = b"
        const a = require('./one'); export * from './two.mjs'; import x, { y } from \"./three.cjs\";
        function later() { return import(`./four`); }
        () => require.resolve('./five.json');
        const r = module.createRequire(import.meta.url)('./six');
        new Worker(new URL('./seven.js', import.meta.url));
        import('./eight.js' /* why */); import(/* webpackChunkName: 'x' */ './nine.js');
        // require('./comment')
        \"require('./text')\"; require('fs'); require('node:fs'); require(); require('');
        require('./ten/');
    ";
    let found = from(&[
        ("/app/a.js", source),
        ("/app/one.js", b""),
        ("/app/one.json", b""),
        ("/app/two.mjs", b""),
        ("/app/three.cjs", b""),
        ("/app/four.js", b""),
        ("/app/five.json", b""),
        ("/app/six.node", b""),
        ("/app/seven.js", b""),
        ("/app/eight.js", b""),
        ("/app/nine.js", b""),
        ("/app/ten.js", b""),
        ("/app/ten/index.js", b""),
        ("/app/comment.js", b""),
        ("/app/text.js", b""),
        ("/app/node_modules/fs/index.js", b""),
    ]);
    let expected = [
        "eight.js",
        "five.json",
        "four.js",
        "nine.js",
        "one.js",
        "seven.js",
        "six.node",
        "ten/index.js",
        "three.cjs",
        "two.mjs",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/{name}")));
}

#[test]
fn packages_are_looked_for_upwards_with_main_and_index() {
    let found = from(&[
        ("/app/a.js", b"require('./lib/b')"),
        (
            "/app/lib/b.js",
            b"require('one'); require('@s/two/inner'); require('three'); require('gone')",
        ),
        ("/app/node_modules/one/package.json", br#"{"main": "dist/"}"#),
        ("/app/node_modules/one/dist/index.js", b"require('three')"),
        ("/app/node_modules/one/readme.md", b""),
        ("/app/node_modules/one/node_modules/three/index.js", b""),
        ("/app/node_modules/@s/two/inner.js", b"require('two-of-it')"),
        ("/app/node_modules/@s/two/package.json", b"{}"),
        ("/app/node_modules/@s/two/index.js", b""),
        ("/node_modules/three/index.js", b""),
        ("/node_modules/three/other.js", b""),
    ]);
    assert_eq!(
        found,
        [
            "/app/lib/b.js",
            "/app/node_modules/@s/two/inner.js",
            "/app/node_modules/@s/two/package.json",
            "/app/node_modules/one/dist/index.js",
            "/app/node_modules/one/node_modules/three/index.js",
            "/app/node_modules/one/package.json",
            "/node_modules/three/index.js",
        ]
    );
}

#[test]
fn names_of_the_system_and_of_node_path_are_found() {
    let items: &[(&str, &[u8])] = &[
        ("/app/a.js", b"require('one'); require('two'); require('three/x')"),
        ("/extra/one/index.js", b""),
        ("/usr/share/nodejs/one/index.js", b""),
        ("/usr/share/nodejs/two.js", b""),
        ("/usr/local/lib/node_modules/three/x.js", b""),
    ];
    let image = image(tree(items), json!({ "Env": ["NODE_PATH=/none:/extra"] }));
    let found = names(&reached(&image, vec![used("/app/a.js")]));
    for path in [
        "/extra/one/index.js",
        "/usr/share/nodejs/two.js",
        "/usr/local/lib/node_modules/three/x.js",
    ] {
        assert!(found.contains(&path.to_owned()), "{path}: {found:?}");
    }
    assert!(!found.contains(&"/usr/share/nodejs/one/index.js".to_owned()));
}

#[test]
fn exports_and_imports_give_what_a_condition_can_select() {
    let found = from(&[
        ("/app/a.js", b"require('one'); require('one/sub/x/y'); require('one/old/z.js'); require('one/no'); import '#db'; import 'me/self'; require('#dep')"),
        ("/app/package.json", br##"{"name": "me", "exports": {"./self": "./lib/self.js"}, "imports": {"#db": {"node": "./db.js", "default": "./no.js"}, "#dep": "dep"}}"##),
        ("/app/lib/self.js", b""),
        ("/app/db.js", b""),
        ("/app/no.js", b""),
        ("/app/node_modules/dep/index.js", b""),
        ("/app/node_modules/one/package.json", br#"{"main": "main.js", "exports": {
            ".": [{"types": "./t.js", "browser": "./b.js", "node": {"import": "./i.mjs", "require": "./r.cjs"}, "default": "./d.js"}],
            "./sub/*": "./src/*.js", "./sub/x/*": "./deep/*.js", "./old/": "./o/", "./no": null}}"#),
        ("/app/node_modules/one/main.js", b""),
        ("/app/node_modules/one/t.js", b""),
        ("/app/node_modules/one/b.js", b""),
        ("/app/node_modules/one/i.mjs", b""),
        ("/app/node_modules/one/r.cjs", b""),
        ("/app/node_modules/one/d.js", b""),
        ("/app/node_modules/one/src/x/y.js", b""),
        ("/app/node_modules/one/deep/y.js", b""),
        ("/app/node_modules/one/o/z.js", b""),
    ]);
    let expected = [
        "db.js",
        "lib/self.js",
        "no.js",
        "node_modules/dep/index.js",
        "node_modules/one/d.js",
        "node_modules/one/deep/y.js",
        "node_modules/one/i.mjs",
        "node_modules/one/o/z.js",
        "node_modules/one/package.json",
        "node_modules/one/r.cjs",
        "package.json",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/{name}")));
}

#[test]
fn linked_packages_keep_their_links_and_find_their_own() {
    let found = from(&[
        ("/app/a.js", b"require('one')"),
        ("/app/node_modules/one", b"-> .pnpm/one@1/node_modules/one"),
        (
            "/app/node_modules/.pnpm/one@1/node_modules/one/index.js",
            b"require('two')",
        ),
        (
            "/app/node_modules/.pnpm/one@1/node_modules/two",
            b"-> ../../two@1/node_modules/two",
        ),
        ("/app/node_modules/.pnpm/two@1/node_modules/two/index.js", b""),
    ]);
    let expected = [
        ".pnpm/one@1/node_modules/one/index.js",
        ".pnpm/one@1/node_modules/two",
        ".pnpm/two@1/node_modules/two/index.js",
        "one",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/node_modules/{name}")));
}

#[test]
fn a_kept_package_keeps_what_it_depends_on_and_its_add_ons_for_this_machine() {
    let elf = |machine: u8| {
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(18, 0);
        head.extend([machine, 0, 0, 0]);
        head
    };
    let found = from(&[
        ("/app/a.js", b"require('one')"),
        ("/app/package.json", br#"{"dependencies": {"one": "1", "unused": "1"}}"#),
        ("/app/node_modules/unused/index.js", b""),
        ("/app/node_modules/one/package.json", br#"{"dependencies": {"two": "1", "@types/x": "1", "../../x": "1"}, "optionalDependencies": {"three": "1", "none": "1"}, "devDependencies": {"four": "1"}}"#),
        ("/app/node_modules/one/index.js", b""),
        ("/app/node_modules/one/prebuilds/linux-x64/x.node", &elf(62)),
        ("/app/node_modules/one/prebuilds/linux-x64/x.musl.node", &elf(62)),
        ("/app/node_modules/one/prebuilds/linux-arm64/x.node", &elf(183)),
        ("/app/node_modules/one/prebuilds/darwin-x64/x.node", b"\xcf\xfa\xed\xfe"),
        ("/app/node_modules/two/index.js", b""),
        ("/app/node_modules/three/package.json", br#"{"exports": "./x.js"}"#),
        ("/app/node_modules/three/x.js", b""),
        ("/app/node_modules/four/index.js", b""),
        ("/app/node_modules/@types/x/index.js", b""),
    ]);
    let expected = [
        "node_modules/one/index.js",
        "node_modules/one/package.json",
        "node_modules/one/prebuilds/linux-x64/x.node",
        "node_modules/three/package.json",
        "node_modules/three/x.js",
        "node_modules/two/index.js",
        "package.json",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/{name}")));
}

#[test]
fn computed_names_bring_all_that_they_may_mean() {
    let items: &[(&str, &[u8])] = &[
        (
            "/app/a.js",
            b"require('one'); const p = (n) => require('./plugins/p-' + n); require('two')",
        ),
        ("/app/plugins/p-x.js", b"require('../y')"),
        ("/app/plugins/p-d/index.js", b""),
        ("/app/plugins/other.js", b""),
        ("/app/plugins/p-x.md", b""),
        ("/app/y.js", b""),
        (
            "/app/node_modules/one/index.js",
            b"module.exports = (n) => require(n)",
        ),
        (
            "/app/node_modules/one/package.json",
            br#"{"peerDependenciesMeta": {"peer": {"optional": true}}}"#,
        ),
        ("/app/node_modules/one/lib/x.js", b""),
        ("/app/node_modules/one/lib/x.d.ts", b""),
        ("/app/node_modules/one/test/x.js", b""),
        ("/app/node_modules/one/node_modules/inner/x.js", b""),
        ("/app/node_modules/peer/index.js", b""),
        (
            "/app/node_modules/two/index.js",
            b"const l = (n) => import(`./locale/${n}.js`); read(path.join(__dirname, 'data', n))",
        ),
        (
            "/app/node_modules/two/package.json",
            br#"{"peerDependencies": {"peer2": "1"}}"#,
        ),
        ("/app/node_modules/two/other.js", b""),
        ("/app/node_modules/two/locale/de.js", b""),
        ("/app/node_modules/two/data/x.bin", b""),
        ("/app/node_modules/peer2/index.js", b""),
    ];
    let expected = [
        "node_modules/one/index.js",
        "node_modules/one/lib/x.js",
        "node_modules/one/package.json",
        "node_modules/peer/index.js",
        "node_modules/two/data/x.bin",
        "node_modules/two/index.js",
        "node_modules/two/locale/de.js",
        "node_modules/two/package.json",
        "plugins/p-d/index.js",
        "plugins/p-x.js",
        "y.js",
    ];
    assert_eq!(from(items), expected.map(|name| format!("/app/{name}")));
}

#[test]
fn an_application_that_computes_names_keeps_its_dependencies() {
    let found = from(&[
        ("/app/a.js", b"for (const name of plugins) require(name)"),
        (
            "/app/package.json",
            br#"{"dependencies": {"one": "1"}, "devDependencies": {"two": "1"}}"#,
        ),
        ("/app/node_modules/one/index.js", b""),
        ("/app/node_modules/two/index.js", b""),
    ]);
    assert_eq!(found, ["/app/node_modules/one/index.js", "/app/package.json"]);
}

#[test]
fn a_package_too_large_to_be_kept_whole_is_left_out() {
    let names: Vec<String> = (0..2001)
        .map(|n| format!("/app/node_modules/one/lib/{n}.js"))
        .collect();
    let mut items: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    items.push(("/app/a.js", b"require('one')"));
    items.push(("/app/node_modules/one/index.js", b"require(x)"));
    let found = run(&items);
    assert!(found.files.len() < 10);
    let [left_out] = &found.left_out[..] else {
        panic!("{:?}", found.left_out)
    };
    assert_eq!(left_out.remedy, "--include /app/node_modules/one");
    assert!(left_out.why.contains("line 1: require(x)"), "{}", left_out.why);
}

#[test]
fn paths_from_the_source_and_strings_of_the_application() {
    let found = from(&[
        ("/app/a.js", b"
            const here = path.dirname(fileURLToPath(import.meta.url));
            f(path.join(__dirname, '..', 'data', 'x.txt')); f(__dirname + '/y.txt'); f(`${__dirname}/z.txt`);
            f(path.resolve(__dirname, './w.txt')); f(path.resolve('v.txt')); f(path.join(process.cwd(), 'u.txt'));
            f(path.join(path.dirname(__filename), 't.txt')); f('conf/s.json'); f('/etc/r.conf'); f('nothing');
            f('.hidden'); require(path.join(__dirname, 'q'));
            require('one');
        "),
        ("/data/x.txt", b""),
        ("/app/y.txt", b""),
        ("/app/z.txt", b""),
        ("/app/w.txt", b""),
        ("/app/v.txt", b""),
        ("/app/u.txt", b""),
        ("/app/t.txt", b""),
        ("/app/conf/s.json", b""),
        ("/etc/r.conf", b""),
        ("/etc/no.conf", b""),
        ("/app/.hidden", b""),
        ("/app/nothing", b""),
        ("/app/q.js", b""),
        ("/app/node_modules/one/index.js", b"f('/etc/no.conf'); f('y.txt'); f(__dirname + '/own.txt')"),
        ("/app/node_modules/one/own.txt", b""),
    ]);
    let expected = [
        "/app/conf/s.json",
        "/app/node_modules/one/index.js",
        "/app/node_modules/one/own.txt",
        "/app/q.js",
        "/app/t.txt",
        "/app/u.txt",
        "/app/v.txt",
        "/app/w.txt",
        "/app/y.txt",
        "/app/z.txt",
        "/data/x.txt",
        "/etc/r.conf",
    ];
    assert_eq!(found, expected);
}

#[test]
fn plug_ins_go_by_the_names_of_dependencies() {
    let found = from(&[
        (
            "/app/a.js",
            b"app.set('view engine', '.ejs'); pino({ target: 'pretty' }); use('other')",
        ),
        ("/app/package.json", br#"{"dependencies": {"pretty": "1"}}"#),
        ("/app/node_modules/ejs/index.js", b""),
        ("/app/node_modules/pretty/index.js", b""),
        ("/app/node_modules/other/index.js", b""),
    ]);
    assert_eq!(
        found,
        [
            "/app/node_modules/ejs/index.js",
            "/app/node_modules/pretty/index.js",
            "/app/package.json"
        ]
    );
}

#[test]
fn programs_are_kept_and_shells_reported() {
    let items: &[(&str, &[u8])] = &[
        (
            "/app/a.js",
            b"
            const cp = require('child_process');
            const { execFile: go, fork } = require('node:child_process');
            const run = promisify(cp.exec);
            cp.spawn('one', []); go('two'); go('nice', ['-n', level, 'six', name]); fork('./worker'); run('three -x | four');
            /x/.exec('five'); new Worker('./thread.js'); spawn(name);
        ",
        ),
        ("/app/worker.js", b""),
        ("/app/thread.js", b""),
        ("/bin/sh", b"elf"),
        ("/usr/bin/one", b"elf"),
        ("/usr/bin/two", b"elf"),
        ("/usr/bin/three", b"elf"),
        ("/usr/bin/four", b"elf"),
        ("/usr/bin/five", b"elf"),
        ("/usr/bin/six", b"elf"),
        ("/usr/bin/nice", b"elf"),
    ];
    let expected = [
        "/app/thread.js",
        "/app/worker.js",
        "/usr/bin/four",
        "/usr/bin/nice",
        "/usr/bin/one",
        "/usr/bin/six",
        "/usr/bin/three",
        "/usr/bin/two",
    ];
    assert_eq!(from(items), expected);
    let left_out = run(items).left_out;
    assert_eq!(left_out.len(), 1);
    assert!(
        left_out[0].why.starts_with("/app/a.js:5 would run a shell ("),
        "{left_out:?}"
    );
    assert_eq!(left_out[0].kind, LeftOutKind::Shell);
    assert_eq!(
        (left_out[0].from.clone(), left_out[0].line),
        (Some("/app/a.js".into()), Some(5))
    );
}

#[test]
fn a_program_that_node_runs_is_a_source_whatever_its_name() {
    let items: &[(&str, &[u8])] = &[
        ("/usr/bin/env", b"elf"),
        ("/app/bin/www", b"#!/usr/bin/env node\nrequire('../b')"),
        ("/app/b.js", b""),
    ];
    assert!(kept(items, vec![used("/app/bin/www")]).contains(&"/app/b.js".to_owned()));
}

#[test]
fn cycles_and_malformed_things_end() {
    let deep = format!(
        "{{\"exports\": {}1{}}}",
        "{\"node\":".repeat(10_000),
        "}".repeat(10_000)
    );
    let sum = format!("require({}'')", "'a' + ".repeat(50_000));
    let calls = format!("{}require('./b'){}", "f(".repeat(20_000), ")".repeat(20_000));
    let found = from(&[
        ("/app/a.js", b"require('./b'); require('./loop'); require('bad'); require('deep'); require('../../../../etc/x'); require('\\0'); require('@'); require('@/'); require('./c'); require('./d'); require('sly')"),
        ("/app/b.js", b"require('./a'); require('./b'); require(')("),
        ("/app/c.js", sum.as_bytes()),
        ("/app/d.js", calls.as_bytes()),
        ("/app/loop", b"-> loop"),
        ("/app/loop.js", b"-> loop.js"),
        ("/app/node_modules/bad/package.json", b"{\"main\": 7, \"exports\": [[[]]], \"dependencies\": [1]"),
        ("/app/node_modules/bad/index.js", b"require('bad')"),
        ("/app/node_modules/deep/package.json", deep.as_bytes()),
        ("/app/node_modules/deep/index.js", b""),
        ("/app/node_modules/sly/package.json", br#"{"exports": "./../../../etc/y", "main": "/../../../etc/z", "dependencies": {"sly": "1"}}"#),
        ("/app/node_modules/self", b"-> ."),
        ("/etc/x", b""),
        ("/etc/y", b""),
    ]);
    let expected = [
        "/app/b.js",
        "/app/c.js",
        "/app/d.js",
        "/app/node_modules/bad/index.js",
        "/app/node_modules/bad/package.json",
        "/app/node_modules/deep/index.js",
        "/app/node_modules/deep/package.json",
        "/app/node_modules/sly/package.json",
        "/etc/x",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_computed_module_of_a_package_keeps_the_directory_that_its_beginning_names() {
    let found = from(&[
        (
            "/app/a.js",
            b"const load = name => require('dates/plugin/' + name); require(`@s/p/lang/l-${x}`)",
        ),
        ("/app/node_modules/dates/package.json", b"{}"),
        ("/app/node_modules/dates/index.js", b""),
        ("/app/node_modules/dates/plugin/utc.js", b""),
        ("/app/node_modules/dates/plugin/zone/index.js", b""),
        ("/app/node_modules/dates/plugin/zone/test/t.js", b""),
        ("/app/node_modules/dates/locale/de.js", b""),
        ("/app/node_modules/@s/p/package.json", b"{}"),
        ("/app/node_modules/@s/p/lang/l-de.json", b"{}"),
        ("/app/node_modules/@s/p/lang/other.json", b"{}"),
        ("/app/node_modules/@s/q/index.js", b""),
    ]);
    assert_eq!(
        found,
        [
            "/app/node_modules/@s/p/lang/l-de.json",
            "/app/node_modules/@s/p/package.json",
            "/app/node_modules/dates/package.json",
            "/app/node_modules/dates/plugin/utc.js",
            "/app/node_modules/dates/plugin/zone/index.js",
        ]
    );
}

#[test]
fn a_computed_module_of_a_package_is_one_that_the_package_exports() {
    let exports = br#"{"exports": {
        "./lib/*": {"require": "./lib/*.js", "import": "./es/*.js"},
        "./one/de": "./single/de.js", "./one/fr": {"default": "./single/fr.js"}, "./two/x": "./single/x.js",
        "./up/*": "../*.js"
    }}"#;
    let found = from(&[
        ("/app/a.js", b"await import(`names/lib/languages/${x}`); await import(`names/one/${x}`); import(`names/up/${x}`)"),
        ("/app/node_modules/names", b"-> .store/names@1/node_modules/names"),
        ("/app/node_modules/.store/names@1/node_modules/names/package.json", exports),
        ("/app/node_modules/.store/names@1/node_modules/names/es/languages/c.js", b""),
        ("/app/node_modules/.store/names@1/node_modules/names/es/core.js", b""),
        ("/app/node_modules/.store/names@1/node_modules/names/lib/languages/c.js", b""),
        ("/app/node_modules/.store/names@1/node_modules/names/single/de.js", b""),
        ("/app/node_modules/.store/names@1/node_modules/names/single/fr.js", b""),
        ("/app/node_modules/.store/names@1/node_modules/names/single/x.js", b""),
        ("/app/node_modules/.store/names@1/node_modules/up.js", b""),
    ]);
    let found: Vec<&str> = found
        .iter()
        .map(|path| path.trim_start_matches("/app/node_modules/.store/names@1/node_modules/names/"))
        .collect();
    assert_eq!(
        found,
        [
            "es/languages/c.js",
            "lib/languages/c.js",
            "package.json",
            "single/de.js",
            "single/fr.js",
            "/app/node_modules/names",
        ]
    );
}

#[test]
fn a_bundle_that_is_too_large_to_be_parsed_is_looked_through_for_names() {
    let source = [
        b"require(\"outside\");import('./late.js');new URL('./data.wasm', import.meta.url);/*".to_vec(),
        vec![b'x'; 9_000_000],
        b"*/".to_vec(),
    ]
    .concat();
    let found = from(&[
        ("/app/a.js", &source),
        ("/app/late.js", b""),
        ("/app/data.wasm", b""),
        ("/app/other.js", b""),
        ("/app/node_modules/outside/index.js", b""),
        ("/app/node_modules/inside/index.js", b""),
    ]);
    assert_eq!(
        found,
        [
            "/app/data.wasm",
            "/app/late.js",
            "/app/node_modules/outside/index.js"
        ]
    );
}

#[test]
fn calls_as_compilers_write_them_are_followed() {
    let source = b"
        const worker = new node_worker_threads_1.Worker((0, node_path_1.resolve)(__dirname, 'worker.js'), {});
        (0, helper.require)('./one'); (0, fs.readFileSync)((0, path.join)(__dirname, 'data.txt'));
    ";
    let found = from(&[
        ("/app/a.js", source),
        ("/app/worker.js", b""),
        ("/app/one.js", b""),
        ("/app/data.txt", b""),
    ]);
    assert_eq!(found, ["/app/data.txt", "/app/one.js", "/app/worker.js"]);
}

#[test]
fn a_package_that_hands_its_directory_to_others_is_kept_with_its_data() {
    for source in [
        "module.exports = require('path').resolve(__dirname)",
        "exports.path = __dirname;",
        "exports.absolutePath = function () { return __dirname }",
        "export default path.join(__dirname, '.')",
        "const where = () => path.dirname(__filename)",
    ] {
        let found = from(&[
            ("/app/a.js", b"serve(require('site').path)"),
            ("/app/node_modules/site/index.js", source.as_bytes()),
            ("/app/node_modules/site/style.css", b""),
            ("/app/node_modules/site/page.html", b""),
            ("/app/node_modules/site/bundle.js", b""),
            ("/app/node_modules/site/bundle.js.map", b""),
            ("/app/node_modules/site/test/page.html", b""),
            ("/app/node_modules/other/style.css", b""),
        ]);
        let expected = ["bundle.js", "index.js", "page.html", "style.css"];
        let expected = expected.map(|name| format!("/app/node_modules/site/{name}"));
        assert_eq!(found, expected, "{source}");
    }
    for source in [
        "const x = path.join(__dirname); f(__dirname)",
        "return path.join(__dirname, '..', '..', 'x')",
    ] {
        let found = from(&[
            ("/app/a.js", b"require('site')"),
            ("/app/node_modules/site/index.js", source.as_bytes()),
            ("/app/node_modules/site/style.css", b""),
        ]);
        assert_eq!(found, ["/app/node_modules/site/index.js"], "{source}");
    }
}

#[test]
fn what_is_kept_whole_for_a_computed_name_is_noted() {
    let found = run(&[
        ("/app/a.js", b"require('one')"),
        (
            "/app/node_modules/one/index.js",
            b"\nmodule.exports = (n) => require(n)",
        ),
        ("/app/node_modules/one/lib/x.js", b"123"),
    ]);
    assert_eq!(
        found.notes,
        [
            "/app/node_modules/one: kept wide (1 files, 3 bytes), since /app/node_modules/one/index.js:2 names what it \
             loads only when it runs: require(n)"
        ]
    );
}

#[test]
fn archives_of_packages_are_those_that_the_project_needs() {
    let state = br#"{"packageRegistryData": [
        [null, [[null, {"packageLocation": "./", "packageDependencies": [["one", "npm:1"], ["native", "npm:1"], ["dev", "npm:1"]], "linkType": "SOFT"}]]],
        ["one", [["npm:1", {"packageLocation": "./.yarn/cache/one.zip/node_modules/one/", "packageDependencies": [["two", "npm:2"]], "linkType": "HARD"}]]],
        ["two", [["npm:2", {"packageLocation": "./.yarn/__virtual__/two-x/1/outside/two.zip/node_modules/two/", "packageDependencies": [], "linkType": "HARD"}]]],
        ["native", [["npm:1", {"packageLocation": "./.yarn/unplugged/native/node_modules/native/", "packageDependencies": [], "linkType": "HARD"}]]],
        ["dev", [["npm:1", {"packageLocation": "./.yarn/cache/dev.zip/node_modules/dev/", "packageDependencies": [], "linkType": "HARD"}]]]]}"#;
    let found = from(&[
        ("/app/a.js", b"f(__dirname + '/.pnp.data.json')"),
        ("/app/.pnp.data.json", state),
        (
            "/app/package.json",
            br#"{"dependencies": {"one": "1"}, "devDependencies": {"dev": "1"}}"#,
        ),
        ("/app/.yarn/cache/one.zip", b""),
        ("/app/.yarn/cache/dev.zip", b""),
        ("/app/outside/two.zip", b""),
        ("/app/outside/other.zip", b""),
        (
            "/app/.yarn/unplugged/native/node_modules/native/build/x.node",
            b"",
        ),
    ]);
    let expected = [
        ".pnp.data.json",
        ".yarn/cache/one.zip",
        ".yarn/unplugged/native/node_modules/native/build/x.node",
        "outside/two.zip",
        "package.json",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/{name}")));
}

#[test]
fn places_beside_a_module_are_named_by_its_url() {
    let source = b"
        const one = readFileSync(fileURLToPath(join(import.meta.url, '../one.ttf')));
        const two = readFileSync(fileURLToPath(new URL('./data/two.wasm', import.meta.url)));
        const base = new URL('./deep/', import.meta.url), three = new URL('three.bin', new URL('./deep/', import.meta.url));
        const four = new URL('four.bin', location);
    ";
    let found = from(&[
        ("/app/a.js", b"import 'one'"),
        ("/app/node_modules/one/index.js", source),
        ("/app/node_modules/one/one.ttf", b""),
        ("/app/node_modules/one/data/two.wasm", b""),
        ("/app/node_modules/one/data/other.wasm", b""),
        ("/app/node_modules/one/deep/three.bin", b""),
        ("/app/node_modules/one/four.bin", b""),
    ]);
    let expected = ["data/two.wasm", "deep/three.bin", "index.js", "one.ttf"];
    assert_eq!(
        found,
        expected.map(|name| format!("/app/node_modules/one/{name}"))
    );
}

#[test]
fn what_a_build_tool_lists_comes_with_what_it_built() {
    let found = from(&[
        ("/app/a.js", b"require('./out/server/page.js')"),
        ("/app/out/required-server-files.json", br#"{"files": ["out/routes.json", "out/gone.json", 7]}"#),
        ("/app/out/routes.json", b""),
        ("/app/out/other.json", b""),
        ("/app/out/server/page.js", b""),
        (
            "/app/out/server/page.js.nft.json",
            br#"{"version": 1, "files": ["../../node_modules/one/lazy.wasm", "./chunk.js", "../../node_modules/two"]}"#,
        ),
        ("/app/out/server/chunk.js", b"require('../../late')"),
        ("/app/out/server/late.js.nft.json", br#"{"files": ["../other.json"]}"#),
        ("/app/late.js", b""),
        ("/app/node_modules/one/lazy.wasm", b""),
        ("/app/node_modules/one/other.wasm", b""),
        ("/app/node_modules/two", b"-> one"),
    ]);
    let expected = [
        "late.js",
        "node_modules/one/lazy.wasm",
        "node_modules/two",
        "out/routes.json",
        "out/server/chunk.js",
        "out/server/page.js",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/{name}")));
}

#[test]
fn either_value_of_a_condition_may_be_loaded() {
    let found = from(&[
        ("/app/a.js", b"require('one')"),
        (
            "/app/node_modules/one/index.js",
            b"import(edge ? './edge.js' : (/* why */ old ? './old.js' : 'two')); require(process.env.X && './late.js'); \
              require(null ?? './three.js')",
        ),
        ("/app/node_modules/one/edge.js", b""),
        ("/app/node_modules/one/late.js", b""),
        ("/app/node_modules/one/old.js", b""),
        ("/app/node_modules/one/other.js", b""),
        ("/app/node_modules/one/three.js", b""),
        ("/app/node_modules/two/index.js", b""),
    ]);
    let expected = [
        "one/edge.js",
        "one/index.js",
        "one/late.js",
        "one/old.js",
        "one/three.js",
        "two/index.js",
    ];
    assert_eq!(found, expected.map(|name| format!("/app/node_modules/{name}")));
}
