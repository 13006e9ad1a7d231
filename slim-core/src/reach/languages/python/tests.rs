use serde_json::json;

use crate::cancel::Cancel;
use crate::image::memory::tree;
use crate::reach::elf::parse::Elf;
use crate::reach::elf::parse::tests::write_with;
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

const SITE: &str = "/usr/lib/python3/dist-packages";

/// Kept names below the site directory, of a tree with these sources there and an application.
fn in_site(app: &str, items: &[(&str, &str)]) -> Vec<String> {
    let items: Vec<(String, &[u8])> = items
        .iter()
        .map(|(path, text)| (format!("{SITE}/{path}"), text.as_bytes()))
        .chain([("/srv/app.py".to_owned(), app.as_bytes())])
        .collect();
    let items: Vec<(&str, &[u8])> = items.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let kept = files_of(&items, json!({}));
    let inside = kept
        .iter()
        .filter_map(|path| path.strip_prefix(SITE)?.strip_prefix('/'));
    inside.map(str::to_owned).collect()
}

#[test]
fn what_is_asked_of_the_compiler_is_a_module_when_it_runs() {
    let kept = files(&[
        ("/srv/app.py", b"from __future__ import annotations\n"),
        ("/usr/lib/python3.11/__future__.py", b""),
    ]);
    assert!(keeps(&kept, "/usr/lib/python3.11/__future__.py"), "{kept:?}");
}

#[test]
fn either_value_of_a_condition_is_imported() {
    let package = |name: &str| format!("/usr/lib/python3/dist-packages/{name}.py");
    let names = ["fresh", "old", "oldest", "other"].map(package);
    let source = package("dist/__init__");
    let mut items: Vec<(&str, &[u8])> = vec![
        ("/srv/app.py", b"import dist\n"),
        (
            &source,
            b"from importlib import import_module\n\
              import_module('fresh' if fast else ('old' if slow else  # why\n name or 'oldest'))\n",
        ),
    ];
    items.extend(names.iter().map(|name| (name.as_str(), &b""[..])));
    let kept = files(&items);
    assert_eq!(names.map(|name| keeps(&kept, &name)), [true, true, true, false]);
}

#[test]
fn statements_in_texts_that_are_handed_on_import() {
    let app = "run('from settings import *', names)\nrun(\"import one, two.sub as x; import three\")\n\
               '''from four import x'''\nsay('from five to six')\n";
    let items: Vec<(&str, &[u8])> = vec![
        ("/srv/app.py", app.as_bytes()),
        ("/srv/settings.py", b""),
        ("/srv/one.py", b""),
        ("/srv/two/__init__.py", b""),
        ("/srv/two/sub.py", b""),
        ("/srv/three.py", b""),
        ("/opt/four.py", b""),
    ];
    let (_, found) = references(app.as_bytes(), Origin::Library, &Cancel::default());
    let modules: Vec<&str> = found
        .iter()
        .filter_map(|reference| match &reference.what {
            Target::Import { module, .. } => Some(module.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(modules, ["settings", "one", "two.sub", "three"]);
    let kept = files(&items);
    for path in ["/srv/settings.py", "/srv/two/sub.py", "/srv/three.py"] {
        assert!(keeps(&kept, path), "{path}");
    }
}

#[test]
fn extension_modules_import_by_names_among_their_constants() {
    let elf = Elf {
        is_64: true,
        machine: 62,
        ..Elf::default()
    };
    let constants =
        b"\0PyInit_fast\0dist.errors\0dist.Missing\0helper\0datetime\0pydoc\0other.part\0a text of late\0";
    let fast = write_with(&elf, constants);
    let library = write_with(&elf, b"\0dist.alone\0");
    let kept = files(&[
        ("/srv/app.py", b"import dist.fast\n"),
        ("/usr/lib/python3.11/datetime.py", b""),
        ("/usr/lib/python3/dist-packages/dist/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/dist/fast.so", &fast),
        ("/usr/lib/python3/dist-packages/dist/libz.so", &library),
        (
            "/usr/lib/python3/dist-packages/dist/errors.py",
            b"from . import libz\n",
        ),
        ("/usr/lib/python3/dist-packages/dist/helper.py", b""),
        ("/usr/lib/python3/dist-packages/dist/alone.py", b""),
        ("/usr/lib/python3/dist-packages/other/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/other/part.py", b""),
    ]);
    let mut expected = vec![
        "/srv/app.py".to_owned(),
        "/usr/lib/python3.11/datetime.py".to_owned(),
    ];
    let dist = ["__init__.py", "errors.py", "fast.so", "helper.py", "libz.so"];
    expected.extend(dist.map(|name| format!("{SITE}/dist/{name}")));
    assert_eq!(kept, expected);
}

#[test]
fn the_interpreter_imports_private_modules() {
    let elf = Elf {
        is_64: true,
        machine: 62,
        ..Elf::default()
    };
    let python = write_with(&elf, b"\0_strptime\0late\0");
    let image = image(
        tree(&[
            ("/usr/bin/python3.11", &python),
            ("/usr/lib/python3.11/os.py", b""),
            ("/usr/lib/python3.11/_strptime.py", b""),
            ("/usr/lib/python3.11/late.py", b""),
        ]),
        json!({}),
    );
    let kept = names(&reached(&image, vec![used("/usr/bin/python3.11")]));
    assert!(keeps(&kept, "/usr/lib/python3.11/_strptime.py"), "{kept:?}");
    assert!(!keeps(&kept, "/usr/lib/python3.11/late.py"), "{kept:?}");
}

#[test]
fn dotted_texts_of_libraries_are_imports_where_their_distribution_is_kept() {
    let kept = in_site(
        "import one\n",
        &[
            (
                "one/__init__.py",
                "A = 'one.loaders.Loader'\nB = {'c': 'one.registry:main'}\nC = 'two.part'\nD = 'three.part'\nE = 'one.gone'\nimport three\n",
            ),
            ("one/loaders.py", ""),
            ("one/registry.py", ""),
            ("one/other.py", ""),
            ("two/__init__.py", ""),
            ("two/part.py", ""),
            ("three/__init__.py", ""),
            ("three/part.py", ""),
        ],
    );
    assert_eq!(
        kept,
        [
            "one/__init__.py",
            "one/loaders.py",
            "one/registry.py",
            "three/__init__.py",
            "three/part.py"
        ]
    );
}

#[test]
fn an_application_names_packages_that_frameworks_load_by_convention() {
    let kept = in_site(
        "import os\nAPPS = ['fw.admin', 'cors', 'plain']\nENGINE = 'fw.db.lite'\n",
        &[
            ("fw/__init__.py", ""),
            ("fw/admin/__init__.py", ""),
            ("fw/admin/models.py", ""),
            ("fw/admin/tests/test.py", ""),
            ("fw/admin/migrations/0001.py", ""),
            ("fw/db/__init__.py", ""),
            ("fw/db/lite/__init__.py", ""),
            ("fw/db/lite/base.py", ""),
            ("fw/db/big/base.py", ""),
            ("cors/__init__.py", ""),
            ("cors/apps.py", ""),
            ("cors/checks.py", ""),
            ("plain/__init__.py", ""),
            ("plain/part.py", ""),
        ],
    );
    assert_eq!(
        kept,
        [
            "cors/__init__.py",
            "cors/apps.py",
            "cors/checks.py",
            "fw/__init__.py",
            "fw/admin/__init__.py",
            "fw/admin/migrations/0001.py",
            "fw/admin/models.py",
            "fw/db/__init__.py",
            "fw/db/lite/__init__.py",
            "fw/db/lite/base.py",
        ]
    );
}

#[test]
fn computed_imports_widen_to_the_narrowest_package_that_they_name() {
    let direct = &[
        "p/__init__.py",
        "p/a.py",
        "p/load.py",
        "p/sub/__init__.py",
        "p/x_b.py",
    ][..];
    let all = &[
        "p/__init__.py",
        "p/a.py",
        "p/load.py",
        "p/sub/__init__.py",
        "p/sub/c.py",
        "p/x_b.py",
    ][..];
    let beginning = &["p/__init__.py", "p/load.py", "p/x_b.py"][..];
    let inner = &["p/__init__.py", "p/load.py", "p/sub/__init__.py", "p/sub/c.py"][..];
    let none = &["p/__init__.py", "p/load.py"][..];
    for (source, expected) in [
        ("__import__(f'p.{x}')", direct),
        (
            "__import__(f'{__spec__.parent}.{x}', globals(), locals(), [])",
            direct,
        ),
        (
            "def load():\n    parent = __name__.rpartition('.')[0]\n    __import__(f'{parent}.{x}', globals(), locals(), [])",
            direct,
        ),
        (
            "top = __name__.split('.')[0]\nimport_module(top + '.sub.' + x)",
            inner,
        ),
        ("import_module(__name__.rsplit('.', 1)[0] + '.' + x)", direct),
        (
            "parent = name.rpartition('.')[0]\nimport_module(parent + '.' + x)",
            none,
        ),
        ("__import__(x, globals(), locals(), [], 1)", direct),
        ("import_module('p.%s' % x)", direct),
        ("import_module('p.%s' % (x,))", direct),
        ("import_module('p.{}'.format(x))", direct),
        ("import_module('.'.join(('p', x)))", direct),
        ("import_module('p.x_' + x)", beginning),
        ("import_module('.' + x, __package__)", direct),
        ("import_module(x, package=__name__)", direct),
        ("import_module('.sub.' + x, 'p')", inner),
        ("import_module(f'{__name__}.{x}.c')", inner),
        ("import_module('%s.c' % x)", inner),
        ("import_module('%s.sub.%s' % (x, y))", inner),
        ("import_module(__package__ + '.sub.c')", inner),
        ("import_module(x)", none),
        ("import_module(x + 'y')", none),
        ("import pkgutil\npkgutil.iter_modules(__path__)", direct),
        ("pkgutil.walk_packages(__path__, __name__ + '.')", all),
        ("import p.sub as s\npkgutil.iter_modules(s.__path__)", inner),
        ("from p import sub\npkgutil.iter_modules(sub.__path__)", inner),
        (
            "import os\npkgutil.iter_modules([os.path.join(os.path.dirname(__file__), 'sub')])",
            inner,
        ),
        ("find_modules('p.sub')", inner),
        (
            "__getattr__, __dir__, __all__ = lazy.attach(__name__, submodules=t)",
            direct,
        ),
        (
            "sys.modules[__name__] = _LazyModule(__name__, globals()['__file__'], _import_structure)",
            direct,
        ),
        ("F = 'p.sub.%s'", inner),
        ("F = 'p.%s of it'", none),
    ] {
        let kept = in_site(
            "import p\n",
            &[
                ("p/__init__.py", "from . import load\n"),
                ("p/load.py", source),
                ("p/a.py", ""),
                ("p/x_b.py", ""),
                ("p/a.pyi", ""),
                ("p/test_a.py", ""),
                ("p/sub/__init__.py", ""),
                ("p/sub/c.py", ""),
                ("p/tests/d.py", ""),
            ],
        );
        let kept: Vec<&str> = kept
            .iter()
            .map(String::as_str)
            .filter(|path| path.ends_with(".py"))
            .collect();
        // The files beside the module that loads are data of it, where they are no modules.
        assert_eq!(kept, expected, "{source}");
    }
}

#[test]
fn data_that_is_too_much_to_be_kept_whole_is_kept_where_it_is_read() {
    let big = "x".repeat(12_000_000);
    for (source, reads) in [
        (
            "import os\nD = os.path.join(os.path.dirname(__file__), 'data')\nopen(os.path.join(D, x))",
            true,
        ),
        (
            "from pathlib import Path\nopen(Path(__file__).resolve().parent / 'data' / x)",
            true,
        ),
        (
            "HERE = os.path.dirname(os.path.abspath(__file__))\nopen(HERE + '/data/' + x)",
            true,
        ),
        ("importlib.resources.files(__package__).joinpath('data', x)", true),
        ("from importlib.resources import files\nfiles('p') / 'data'", true),
        ("pkg_resources.resource_filename(__name__, 'data')", true),
        ("pkgutil.get_data('p', 'data/' + x)", true),
        ("pkgutil.get_data('p', 'data/1')", false),
        ("jinja2.PackageLoader('p', 'data')", true),
        ("open(x)", false),
    ] {
        let kept = in_site(
            "import p\n",
            &[
                ("p/__init__.py", source),
                ("p/data/1", &big),
                ("p/data/2", ""),
                ("p/more/3", &big),
            ],
        );
        assert_eq!(keeps(&kept, "p/data/2"), reads, "{source}: {kept:?}");
        assert_eq!(
            keeps(&kept, "p/data/1"),
            reads || source.contains("/1"),
            "{source}: {kept:?}"
        );
        let all = source.contains("get_data('p', 'data/' + x)");
        assert_eq!(keeps(&kept, "p/more/3"), all, "{source}: {kept:?}");
    }
}

#[test]
fn pickled_objects_bring_their_classes() {
    let kept = files(&[
        ("/srv/app.py", b"import p\n"),
        ("/usr/lib/python3/dist-packages/p/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/p/old.py", b""),
        ("/usr/lib/python3/dist-packages/p/new.py", b""),
        (
            "/usr/lib/python3/dist-packages/p/1.dat",
            b"\x80\x02cp.old\nClass\n.",
        ),
        (
            "/usr/lib/python3/dist-packages/p/2.dat",
            b"\x80\x04\x8c\x05p.new\x94\x8c\x05Class\x94\x93.",
        ),
    ]);
    assert!(
        keeps(&kept, "/usr/lib/python3/dist-packages/p/old.py"),
        "{kept:?}"
    );
    assert!(
        keeps(&kept, "/usr/lib/python3/dist-packages/p/new.py"),
        "{kept:?}"
    );
}

#[test]
fn modules_are_run_as_programs() {
    let kept = files(&[(
        "/srv/app.py",
        b"subprocess.run([sys.executable, '-m', 'json.tool', '-'])\n",
    )]);
    assert!(keeps(&kept, "/usr/lib/python3.11/json/tool.py"), "{kept:?}");
    let kept = files(&[
        ("/srv/app.py", b"runpy.run_module('tool')\n"),
        ("/usr/lib/python3/dist-packages/tool/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/tool/__main__.py", b""),
    ]);
    assert!(
        keeps(&kept, "/usr/lib/python3/dist-packages/tool/__main__.py"),
        "{kept:?}"
    );
}

#[test]
fn what_only_another_system_runs_names_nothing() {
    let view = "class View:\n    def show(self):\n        subprocess.call(['open', '-a', 'x'])\n";
    for (source, expected) in [
        (
            format!("{view}if sys.platform == 'darwin':\n    register(View)\n"),
            false,
        ),
        (
            format!("{view}if sys.platform == 'darwin':\n    register(View)\nView()\n"),
            true,
        ),
        (view.to_owned(), true),
        (
            "if os.name == \"nt\":\n    subprocess.call(['open'])\n".to_owned(),
            false,
        ),
        (
            "if sys.platform.startswith('win'):\n    pass\nelse:\n    subprocess.call(['open'])\n".to_owned(),
            true,
        ),
        (
            "if x:\n    pass\nelif sys.platform == 'darwin':\n    subprocess.call(['open'])\n".to_owned(),
            false,
        ),
        (
            "if sys.platform != 'darwin':\n    subprocess.call(['open'])\n".to_owned(),
            true,
        ),
    ] {
        let kept = files(&[("/srv/app.py", source.as_bytes()), ("/usr/bin/open", b"\x7fELF")]);
        assert_eq!(keeps(&kept, "/usr/bin/open"), expected, "{source}");
    }
}

#[test]
fn cythons_compressed_table_of_texts_names_modules() {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let table = "an error_siblingnextdist.sub.partyes, itxdatetimex".repeat(20);
    encoder.write_all(table.as_bytes()).unwrap();
    let mut constants = b"\0PyInit_fast\0__pyx_capi__\0x\x9c\0".to_vec();
    constants.extend(encoder.finish().unwrap());
    let elf = Elf {
        is_64: true,
        machine: 62,
        ..Elf::default()
    };
    let fast = write_with(&elf, &constants);
    let kept = files(&[
        ("/srv/app.py", b"import dist.fast\n"),
        ("/usr/lib/python3.11/datetime.py", b""),
        ("/usr/lib/python3/dist-packages/dist/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/dist/fast.so", &fast),
        ("/usr/lib/python3/dist-packages/dist/_sibling.py", b""),
        ("/usr/lib/python3/dist-packages/dist/other.py", b""),
        ("/usr/lib/python3/dist-packages/dist/sub/__init__.py", b""),
        ("/usr/lib/python3/dist-packages/dist/sub/part.py", b""),
    ]);
    for path in ["dist/_sibling.py", "dist/sub/part.py"] {
        assert!(keeps(&kept, &format!("{SITE}/{path}")), "{path}: {kept:?}");
    }
    assert!(keeps(&kept, "/usr/lib/python3.11/datetime.py"), "{kept:?}");
    assert!(!keeps(&kept, &format!("{SITE}/dist/other.py")), "{kept:?}");
}

#[test]
fn commands_are_lists_of_words_wherever_they_are_made() {
    let programs = [
        "nice", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    let paths: Vec<String> = programs.iter().map(|name| format!("/usr/bin/{name}")).collect();
    let source = b"
subprocess.run(['nice', '-n', level, 'one', name])
class Tool:
    command = ['two', '-x']
    def start(self):
        subprocess.Popen(self.command + [self.name])
def convert(name):
    words = [
        'three',  # the converter
        *options,
    ] + [name]
    check(run_quietly(words))
os.execvp('four', ['four', name])
os.spawnlp(os.P_WAIT, 'five', 'five')
await asyncio.create_subprocess_exec('nice', 'six', name)
run(shlex.split('nice -n 5 seven'))
print(['eight', 'x'])
subprocess.run([name, 'nine'])
tool = self.module.get_bin_path('ten', True)
find_executable('eleven') or get_name('twelve') or bin('twelve')
";
    let mut items: Vec<(&str, &[u8])> = paths
        .iter()
        .map(|path| (path.as_str(), &b"\x7fELF"[..]))
        .collect();
    items.push(("/srv/app.py", source));
    let kept = files(&items);
    let kept: Vec<&str> = kept
        .iter()
        .filter_map(|path| path.strip_prefix("/usr/bin/"))
        .collect();
    assert_eq!(
        kept,
        [
            "eleven", "five", "four", "nice", "one", "seven", "six", "ten", "three", "two"
        ]
    );
}

#[test]
fn a_distribution_has_data_elsewhere_and_documents_name_modules_to_run() {
    let site = "/opt/venv/lib/python3.11/site-packages";
    let record = "kern/__init__.py,,\nkern-1.dist-info/RECORD,,\n../../../bin/kern,,\n\
                  ../../../share/kern/one/kernel.json,sha256=x,5\n../../../share/man/man1/kern.1,,\n../../../etc/kern/c.json,,\n";
    let kernel = br#"{"argv": ["/opt/venv/bin/python", "-m", "launch.it", "-f", "{file}"], "x": [1, {"y": ["-m", "no such"]}]}"#;
    let at = |path: &str| format!("{site}/{path}");
    let names = [
        "kern/__init__.py",
        "kern-1.dist-info/RECORD",
        "launch/__init__.py",
        "launch/it.py",
        "launch/other.py",
    ]
    .map(at);
    let items: Vec<(&str, &[u8])> = vec![
        ("/opt/venv/pyvenv.cfg", b"home = /usr/bin\n"),
        (&names[0], b""),
        (&names[1], record.as_bytes()),
        (&names[2], b""),
        (&names[3], b""),
        (&names[4], b""),
        ("/opt/venv/bin/kern", b"#!/bin/sh\n"),
        ("/opt/venv/share/kern/one/kernel.json", kernel),
        ("/opt/venv/share/man/man1/kern.1", b""),
        ("/opt/venv/etc/kern/c.json", b"{}"),
        ("/srv/app.py", b"import kern"),
    ];
    let kept = crate::reach::tests::kept(&items, vec![crate::reach::tests::used(&names[0])]);
    for path in [
        "/opt/venv/share/kern/one/kernel.json",
        "/opt/venv/etc/kern/c.json",
        &names[3],
    ] {
        assert!(kept.iter().any(|kept| kept == path), "{path} is not in {kept:?}");
    }
    for path in ["/opt/venv/bin/kern", "/opt/venv/share/man/man1/kern.1", &names[4]] {
        assert!(!kept.iter().any(|kept| kept == path), "{path} is in {kept:?}");
    }
}

#[test]
fn a_program_that_is_looked_for_by_a_computed_name_is_one_that_the_source_lists() {
    let table = "TOOLS = [('one', 'path'), ('two', 'way')]\nNAME = 'three'\n";
    for (search, expected) in [
        (
            "for tool in TOOLS:\n    get_bin_path(tool[0])",
            &["one", "two"][..],
        ),
        ("for tool in TOOLS:\n    shutil.which(tool[0])", &["one", "two"]),
        ("for tool in TOOLS:\n    print(tool[0])", &[]),
        ("get_bin_path('four')", &["four"]),
    ] {
        let source = format!("{table}{search}\n");
        let items: &[(&str, &[u8])] = &[
            ("/usr/bin/one", b"\x7fELF"),
            ("/usr/bin/two", b"\x7fELF"),
            ("/usr/bin/three", b"\x7fELF"),
            ("/usr/bin/four", b"\x7fELF"),
            ("/srv/app.py", source.as_bytes()),
        ];
        let kept = files(items);
        let kept: Vec<&str> = kept
            .iter()
            .filter_map(|path| path.strip_prefix("/usr/bin/"))
            .collect();
        assert_eq!(kept, expected, "{search}");
    }
}

#[test]
fn data_stands_beside_the_file_of_a_module_however_that_is_named() {
    // The package's data are too large to be kept whole.
    let large = vec![0; 20_000_001];
    for (source, file) in [
        (
            "import pkg\nopen(os.path.join(os.path.dirname(pkg.__file__), 'd', 'x.bin'))",
            "d/x.bin",
        ),
        (
            "import pkg\nopen(Path(pkg.__file__).parent / 'd' / 'x.bin')",
            "d/x.bin",
        ),
        (
            "import pkg\nopen(os.path.join(pkg.__path__[0], 'd/x.bin'))",
            "d/x.bin",
        ),
        ("import pkg.own", "own.bin"),
    ] {
        let kept = files(&[
            ("/srv/app.py", source.as_bytes()),
            ("/usr/lib/python3/dist-packages/pkg/__init__.py", b""),
            (
                "/usr/lib/python3/dist-packages/pkg/own.py",
                b"open(Path(__file__).with_name('own.bin'))\n",
            ),
            ("/usr/lib/python3/dist-packages/pkg/own.bin", b""),
            ("/usr/lib/python3/dist-packages/pkg/large.bin", &large),
            ("/usr/lib/python3/dist-packages/pkg/d/x.bin", b""),
            ("/usr/lib/python3/dist-packages/pkg/d/y.bin", b""),
        ]);
        let kept: Vec<&str> = kept
            .iter()
            .filter_map(|path| path.strip_prefix("/usr/lib/python3/dist-packages/pkg/"))
            .filter(|path| path.ends_with(".bin"))
            .collect();
        assert_eq!(kept, [file], "{source}");
    }
    for source in [
        "open(os.path.join(__path__[0], 'd', 'x.bin'))",
        "open(os.path.join(os.path.split(__file__)[0], 'd', 'x.bin'))",
        "open(os.path.join(os.path.dirname(sys.modules[__name__].__file__), 'd', 'x.bin'))",
    ] {
        let kept = files(&[
            ("/srv/app.py", b"import pkg\n"),
            (
                "/usr/lib/python3/dist-packages/pkg/__init__.py",
                source.as_bytes(),
            ),
            ("/usr/lib/python3/dist-packages/pkg/large.bin", &large),
            ("/usr/lib/python3/dist-packages/pkg/d/x.bin", b""),
        ]);
        assert!(
            keeps(&kept, "/usr/lib/python3/dist-packages/pkg/d/x.bin"),
            "{source}"
        );
        assert!(
            !keeps(&kept, "/usr/lib/python3/dist-packages/pkg/large.bin"),
            "{source}"
        );
    }
}
