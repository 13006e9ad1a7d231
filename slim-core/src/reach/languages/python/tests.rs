use serde_json::json;

use crate::cancel::Cancel;
use crate::image::memory::tree;
use crate::reach::languages::python::references::{Origin, Target, references};
use crate::reach::tests::{image, names, reached, used};

const PYTHON: &[(&str, &[u8])] = &[
    ("/usr/lib/python3.11/os.py", b""),
    (
        "/usr/lib/python3.11/json/__init__.py",
        b"from .decoder import JSONDecoder\ndef f():\n  import pydoc\ndef main():\n  import late\n",
    ),
    (
        "/usr/lib/python3.11/json/decoder.py",
        b"import _json\nimport re\nif __name__ == '__main__':\n  import late\n",
    ),
    (
        "/usr/lib/python3.11/json/__pycache__/decoder.cpython-311.pyc",
        b"c",
    ),
    (
        "/usr/lib/python3.11/json/__pycache__/decoder.cpython-311.opt-1.pyc",
        b"c",
    ),
    ("/usr/lib/python3.11/json/tool.py", b""),
    ("/usr/lib/python3.11/late.py", b""),
    ("/usr/lib/python3.11/pydoc.py", b""),
    ("/usr/lib/python3.11/re.py", b""),
    (
        "/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so",
        b"x",
    ),
    (
        "/usr/lib/python3.11/lib-dynload/_json.cpython-310-x86_64-linux-gnu.so",
        b"x",
    ),
];

/// Kept files by their paths, of a tree with a standard library in which `/srv/app.py` is used.
fn files(items: &[(&str, &[u8])]) -> Vec<String> {
    files_of(items, json!({ "WorkingDir": "/srv" }))
}

fn files_of(items: &[(&str, &[u8])], config: serde_json::Value) -> Vec<String> {
    let mut all = PYTHON.to_vec();
    all.extend(items);
    let image = image(tree(&all), config);
    let kept = reached(&image, vec![used("/srv/app.py")]);
    let file = |path: &String| !image.rootfs.get(&path.as_str().into()).unwrap().is_dir();
    names(&kept).into_iter().filter(file).collect()
}

fn keeps(kept: &[String], path: &str) -> bool {
    kept.iter().any(|kept| kept == path)
}

#[test]
fn imports_are_followed_with_packages_extensions_and_compiled_modules() {
    let kept = files(&[("/srv/app.py", b"def f():\n    import json\n")]);
    assert_eq!(
        kept,
        [
            "/srv/app.py",
            "/usr/lib/python3.11/json/__init__.py",
            "/usr/lib/python3.11/json/__pycache__/decoder.cpython-311.pyc",
            "/usr/lib/python3.11/json/decoder.py",
            "/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so",
            "/usr/lib/python3.11/re.py",
        ]
    );
    let tool = files(&[("/srv/app.py", b"import pydoc\nfrom json import tool\n")]);
    assert!(keeps(&tool, "/usr/lib/python3.11/pydoc.py"));
    assert!(keeps(&tool, "/usr/lib/python3.11/json/tool.py"));
}

#[test]
fn relative_and_namespace_and_dynamic_imports() {
    let items: &[(&str, &[u8])] = &[
        ("/srv/app.py", b"import pkg.sub.mod\nimport ns.one, importlib\nimportlib.import_module('dyn')\nimportlib.import_module('.b', 'pkg')\nif TYPE_CHECKING:\n    import typed\n"),
        ("/srv/pkg/__init__.py", b""),
        ("/srv/pkg/a.py", b""),
        ("/srv/pkg/b.py", b""),
        ("/srv/pkg/sub/__init__.py", b""),
        ("/srv/pkg/sub/mod.py", b"from .. import a\nfrom . import sibling, missing\n"),
        ("/srv/pkg/sub/sibling.py", b""),
        ("/srv/pkg/sub/other.py", b""),
        ("/srv/ns/zero.py", b""),
        ("/opt/more/ns/one.pyc", b""),
        ("/srv/dyn.py", b""),
        ("/srv/typed.py", b""),
        ("/usr/lib/python3/dist-packages/more.pth", b"# a comment\n/opt/more\n/nowhere\n\xff\0\n"),
    ];
    // WORKDIR would be the application's own directory, which is kept whole.
    let kept = files_of(items, json!({}));
    for path in [
        "pkg/__init__",
        "pkg/a",
        "pkg/b",
        "pkg/sub/__init__",
        "pkg/sub/mod",
        "pkg/sub/sibling",
        "dyn",
    ] {
        assert!(keeps(&kept, &format!("/srv/{path}.py")), "{path}: {kept:?}");
    }
    assert!(keeps(&kept, "/opt/more/ns/one.pyc"), "{kept:?}");
    for path in ["typed", "pkg/sub/other", "ns/zero"] {
        assert!(!keeps(&kept, &format!("/srv/{path}.py")), "{path}: {kept:?}");
    }
}

#[test]
fn a_virtual_environment_is_its_own_world_and_brings_distributions() {
    let items: &[(&str, &[u8])] = &[
        ("/srv/app.py", b"import web\n"),
        ("/venv/pyvenv.cfg", b"home = /usr/bin\n"),
        (
            "/venv/lib/python3.11/site-packages/web/__init__.py",
            b"import dep, json\n",
        ),
        ("/venv/lib/python3.11/site-packages/web/page.html", b"<p>"),
        ("/venv/lib/python3.11/site-packages/web/tests/data.html", b"<p>"),
        ("/venv/lib/python3.11/site-packages/web/fast.pyx", b""),
        ("/venv/lib/python3.11/site-packages/web/plug.py", b""),
        ("/venv/lib/python3.11/site-packages/web/cli.py", b""),
        ("/venv/lib/python3.11/site-packages/dep.py", b""),
        (
            "/venv/lib/python3.11/site-packages/web-1.dist-info/RECORD",
            b"web/__init__.py,,\nweb-1.dist-info/METADATA,,\n../../../../../../../etc/shadow,,\n",
        ),
        (
            "/venv/lib/python3.11/site-packages/web-1.dist-info/METADATA",
            b"Name: web",
        ),
        (
            "/venv/lib/python3.11/site-packages/web-1.dist-info/entry_points.txt",
            b"[console_scripts]\nweb = web.cli:main\n[web.plugins]\np = web.plug:P [x]\n",
        ),
        ("/usr/lib/python3/dist-packages/dep.py", b""),
    ];
    let kept = files(items);
    let site = "/venv/lib/python3.11/site-packages";
    for path in [
        "web/__init__.py",
        "web/page.html",
        "web/plug.py",
        "dep.py",
        "web-1.dist-info/METADATA",
    ] {
        assert!(keeps(&kept, &format!("{site}/{path}")), "{path}: {kept:?}");
    }
    for path in ["web/tests/data.html", "web/fast.pyx", "web/cli.py"] {
        assert!(!keeps(&kept, &format!("{site}/{path}")), "{path}");
    }
    assert!(!keeps(&kept, "/usr/lib/python3/dist-packages/dep.py"));
    assert!(keeps(&kept, "/usr/lib/python3.11/json/decoder.py"));
}

#[test]
fn modules_bring_what_they_look_for() {
    let kept = files(&[
        ("/srv/app.py", b"import zoneinfo, encodings\n"),
        ("/usr/lib/python3.11/zoneinfo/__init__.py", b""),
        ("/usr/lib/python3.11/encodings/__init__.py", b""),
        ("/usr/lib/python3.11/encodings/cp437.py", b""),
        ("/usr/share/zoneinfo/Europe/Paris", b"TZif"),
        ("/usr/lib/python3/dist-packages/tzdata/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/tzdata/zoneinfo/UTC", b"TZif"),
        ("/etc/mime.types", b""),
    ]);
    for path in [
        "/usr/share/zoneinfo/Europe/Paris",
        "/usr/lib/python3.11/encodings/cp437.py",
        "/usr/lib/python3/dist-packages/tzdata/zoneinfo/UTC",
    ] {
        assert!(keeps(&kept, path), "{path}: {kept:?}");
    }
    assert!(!keeps(&kept, "/etc/mime.types"));
}

#[test]
fn applications_name_paths_programs_resources_and_settings() {
    let kept = files(&[
        ("/srv/app.py", b"import subprocess, os, pkgutil\nsubprocess.run(['convert', 'x'])\nos.system('A=1 dot -T')\nopen('/etc/app.conf')\npkgutil.get_data('pkg', 'data/a.bin')\nAPPS = ['plug.ready.Config']\n"),
        ("/usr/bin/convert", b"\x7fELF"),
        ("/usr/bin/dot", b"\x7fELF"),
        ("/bin/sh", b"\x7fELF"),
        ("/etc/app.conf", b""),
        ("/srv/pkg/data/a.bin", b""),
        ("/srv/plug/ready.py", b""),
    ]);
    for path in [
        "/usr/bin/convert",
        "/usr/bin/dot",
        "/etc/app.conf",
        "/srv/pkg/data/a.bin",
        "/srv/plug/ready.py",
    ] {
        assert!(keeps(&kept, path), "{path}: {kept:?}");
    }
    assert!(!keeps(&kept, "/bin/sh"));
}

#[test]
fn scripts_use_the_interpreter_that_they_name_and_pythonpath_is_searched() {
    let items: &[(&str, &[u8])] = &[
        ("/srv/app.py", b"#!/a/bin/python3\nimport dep, extra\n"),
        ("/a/pyvenv.cfg", b"home = /usr/bin"),
        ("/a/lib/python3.11/site-packages/dep.py", b""),
        ("/b/pyvenv.cfg", b"home = /usr/bin"),
        ("/b/lib/python3.11/site-packages/dep.py", b""),
        ("/lib/extra.py", b""),
    ];
    let kept = files_of(items, json!({ "Env": ["PYTHONPATH=/nowhere:/lib"] }));
    assert!(keeps(&kept, "/a/lib/python3.11/site-packages/dep.py"), "{kept:?}");
    assert!(!keeps(&kept, "/b/lib/python3.11/site-packages/dep.py"));
    assert!(keeps(&kept, "/lib/extra.py"));
}

#[test]
fn hostile_trees_end() {
    let deep = format!("import {}\n", vec!["a"; 5000].join("."));
    let nested = format!("x = {}1\n", "(".repeat(20_000));
    let kept = files(&[
        ("/srv/app.py", deep.as_bytes()),
        (
            "/srv/a/__init__.py",
            b"from . import b\nfrom ............................ import c\nimport_module('....')\n",
        ),
        ("/srv/a/b.py", b"import a, a.b\nfrom a import *\n"),
        ("/srv/a/a", b"-> ../a"),
        ("/srv/nested.py", nested.as_bytes()),
        ("/loop", b"-> loop"),
        ("/v/pyvenv.cfg", b"home\n=\nhome = \xff\0/../../..\n"),
        (
            "/v/lib/python3.11/site-packages/x.pth",
            b"../../../../../../..\n\0\nimport\nimport )(\n/loop\n",
        ),
        (
            "/v/lib/python3.11/site-packages/x-1.dist-info/RECORD",
            b"\xff,,\n,,,\n\n",
        ),
        ("/v/lib/python3.11/site-packages/y.egg-info", b"\xff"),
        ("/v/lib/python99999.1/site-packages/", b""),
    ]);
    assert!(keeps(&kept, "/srv/a/b.py"), "{kept:?}");
}

#[test]
fn imports_of_every_form_are_read() {
    let source = b"import a.b as c, d\nfrom ..e import (f as g,\n h)\nfrom . import *\n__import__('i')\nprint(f'{x}/y')\n";
    let imports: Vec<_> = references(source, Origin::Library, &Cancel::default())
        .1
        .into_iter()
        .map(|named| named.what)
        .collect();
    let import = |level, module: &str, names: &[&str]| Target::Import {
        level,
        module: module.to_owned(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
    };
    assert_eq!(
        imports,
        [
            import(0, "a.b", &[]),
            import(0, "d", &[]),
            import(2, "e", &["f", "h"]),
            import(1, "", &[]),
            import(0, "i", &[]),
        ]
    );
}
