use super::*;
use crate::cancel::Cancel;
use crate::image::memory::tree;
use crate::reach::languages::source_file::tests::{beside, reached};
use crate::reach::options::{Limits, Options};
use crate::reach::tests::{image, kept as closed, names, reached_with, used};

type Items<'t> = &'t [(&'t str, &'t [u8])];

/// The files that PHP alone keeps beside `from`.
fn kept(items: Items<'_>, from: &[&str]) -> Vec<String> {
    let reached = reached(items, &[], from, |context| Box::new(Php::new(context)));
    let files = beside(&reached, from);
    let file = |path: &String| items.iter().any(|(name, _)| name == path);
    files.into_iter().filter(file).collect()
}

#[test]
fn includes_of_literals_constants_and_variables() {
    let items: Items<'_> = &[
        (
            "/app/public/index.php",
            b"<?php
            require_once __DIR__ . '/../src/a.php';
            function lazy() { include(dirname(__FILE__, 2) . \"/src/b.php\"); }
            define('SRC', dirname(__DIR__) . DIRECTORY_SEPARATOR . 'src');
            class X { const FILE = 'd.php'; private static $e = '/e.php';
                      function f() { require SRC . '/' . self::FILE; require SRC . self::$e; } }
            $file = SRC . '/c'; $file .= '.php'; @include $file;
            foreach (['f', 'g'] as $one) { require sprintf('%s/%s.php', SRC, $one); }
            require $x ? SRC . '/h.php' : realpath(implode('/', [SRC, 'i.php']));
            require ROOT . '/src/far.php'; require 'phar://x.phar/src/no.php'; require \"no\\n.php\";",
        ),
        ("/app/src/a.php", b"<?php"),
        ("/app/src/b.php", b"<?php"),
        ("/app/src/c.php", b"<?php"),
        ("/app/src/d.php", b"<?php"),
        ("/app/src/e.php", b"<?php"),
        ("/app/src/f.php", b"<?php"),
        ("/app/src/far.php", b"<?php"),
        ("/app/src/g.php", b"<?php"),
        ("/app/src/h.php", b"<?php"),
        ("/app/src/i.php", b"<?php"),
        ("/app/src/no.php", b"<?php"),
    ];
    let mut expected: Vec<&str> = items[1..11].iter().map(|(path, _)| *path).collect();
    expected.sort_unstable();
    // SRC alone names the application's own directory: what is asked here is that no other rule is needed.
    let literal = reached(items, &[], &["/app/public/index.php"], |context| {
        Box::new(Php::new(context))
    });
    for path in expected {
        let causes = &literal.files[&RootPath::new(path)].causes;
        let import = |cause: &Cause| {
            matches!(
                cause,
                Cause::Edge {
                    edge: EdgeKind::Import,
                    ..
                }
            )
        };
        assert!(causes.iter().any(import), "{path}: {causes:?}");
    }
}

#[test]
fn paths_in_which_separators_are_replaced() {
    let items: Items<'_> = &[
        (
            "/usr/share/php/Lib/Util/Check.php",
            b"<?php $schema = file_get_contents(str_replace('\\\\', '/', __DIR__).'/../schemas/core.xsd');
            $to = strtr(__DIR__, '\\\\', '/') . '/data.bin'; $more = str_replace(['\\\\', '//'], '/', __DIR__ . '//more.bin');
            $not = str_replace($x, '/', __DIR__) . '/not.bin'; $none = strtr(__DIR__, 'ab', 'cd') . '/not.bin';",
        ),
        ("/usr/share/php/Lib/schemas/core.xsd", b"x"),
        ("/usr/share/php/Lib/Util/data.bin", b"x"),
        ("/usr/share/php/Lib/Util/more.bin", b"x"),
        ("/usr/share/php/Lib/Util/not.bin", b"x"),
    ];
    let mut kept = kept(items, &["/usr/share/php/Lib/Util/Check.php"]);
    kept.sort();
    assert_eq!(
        kept,
        [
            "/usr/share/php/Lib/Util/data.bin",
            "/usr/share/php/Lib/Util/more.bin",
            "/usr/share/php/Lib/schemas/core.xsd"
        ]
    );
}

#[test]
fn relative_includes_along_the_include_path_and_above() {
    let items: Items<'_> = &[
        (
            "/srv/www/index.php",
            b"<?php require 'Mail/mime.php'; require 'inc/db.inc'; require './here.php'; \
              set_include_path(get_include_path() . PATH_SEPARATOR . __DIR__ . '/more'); require 'late.php';",
        ),
        (
            "/etc/php/8.2/fpm/php.ini",
            b"include_path = \".:/opt/pear\"\n;include_path = \"/opt/no\"\n",
        ),
        ("/opt/no/Mail/mime.php", b"<?php"),
        ("/opt/pear/Mail/mime.php", b"<?php require 'Mail/part.php';"),
        ("/usr/share/php/Mail/mime.php", b"<?php"),
        (
            "/usr/share/php/Mail/part.php",
            b"<?php exec('ls'); require_once __DIR__ . '/data/x.inc'; readfile('/etc/no');",
        ),
        ("/usr/share/php/Mail/data/x.inc", b"<?php"),
        ("/srv/www/inc/db.inc", b"<?php"),
        ("/srv/www/here.php", b"<?php"),
        ("/srv/www/more/late.php", b"<?php"),
        ("/usr/bin/ls", b""),
        ("/etc/no", b""),
    ];
    assert_eq!(
        kept(items, &["/srv/www/index.php"]),
        [
            "/opt/pear/Mail/mime.php",
            "/srv/www/here.php",
            "/srv/www/inc/db.inc",
            "/srv/www/more/late.php",
            "/usr/share/php/Mail/data/x.inc",
            "/usr/share/php/Mail/part.php",
        ]
    );
}

#[test]
fn a_computed_name_keeps_the_applications_directory_and_what_matches_of_a_librarys() {
    let items: Items<'_> = &[
        ("/app/public/page.php", b"<?php include __DIR__ . \"/../templates/$name.php\"; require 'Lib/a.php';"),
        ("/app/templates/one.php", b"<?php"),
        ("/app/templates/sub/two.html", b"2"),
        ("/app/other/no.php", b"<?php"),
        ("/usr/share/php/Lib/a.php", b"<?php include __DIR__ . '/Lang/' . $x . '.php'; include __DIR__ . \"/Of$y.php\"; include __DIR__ . $z;"),
        ("/usr/share/php/Lib/Lang/de.php", b"<?php"),
        ("/usr/share/php/Lib/Lang/de.txt", b""),
        ("/usr/share/php/Lib/Lang/sub/at.php", b"<?php"),
        ("/usr/share/php/Lib/OfA.php", b"<?php"),
        ("/usr/share/php/Lib/Sub/OfB.php", b"<?php"),
    ];
    assert_eq!(
        kept(items, &["/app/public/page.php"]),
        [
            "/app/templates/one.php",
            "/app/templates/sub/two.html",
            "/usr/share/php/Lib/Lang/de.php",
            "/usr/share/php/Lib/Lang/sub/at.php",
            "/usr/share/php/Lib/OfA.php",
            "/usr/share/php/Lib/a.php",
        ]
    );
    let from = ["/usr/share/php/Lib/a.php"];
    let notes = reached(items, &[], &from, |context| Box::new(Php::new(context))).notes;
    let wide = notes
        .iter()
        .filter(|note| note.starts_with("/usr/share/php/Lib/Lang: kept wide (2 files"));
    assert_eq!(wide.count(), 1, "{notes:?}");
}

#[test]
fn either_value_of_a_variable_may_be_included() {
    let items: Items<'_> = &[
        (
            "/usr/share/php/A/a.php",
            b"<?php $f = 'one'; if ($x) { $f = 'two'; } require __DIR__ . '/t/' . $f . '.php'; \
              $map = ['k' => 'three', 'l' => 'four']; require __DIR__ . \"/t/{$map[$k]}.php\"; \
              function g($p = 'five') { require __DIR__ . '/u/' . $p . '.php'; }",
        ),
        ("/usr/share/php/A/t/one.php", b""),
        ("/usr/share/php/A/t/two.php", b""),
        ("/usr/share/php/A/t/three.php", b""),
        ("/usr/share/php/A/t/four.php", b""),
        ("/usr/share/php/A/t/no.php", b""),
        ("/usr/share/php/A/u/five.php", b""),
        ("/usr/share/php/A/u/six.php", b"a parameter may be anything"),
    ];
    assert_eq!(
        kept(items, &["/usr/share/php/A/a.php"]),
        [
            "/usr/share/php/A/t/four.php",
            "/usr/share/php/A/t/one.php",
            "/usr/share/php/A/t/three.php",
            "/usr/share/php/A/t/two.php",
            "/usr/share/php/A/u/five.php",
            "/usr/share/php/A/u/six.php",
        ]
    );
}

/// A project as Composer 2 installs it.
const PROJECT: Items<'static> = &[
    ("/app/public/index.php", b"<?php require dirname(__DIR__).'/vendor/autoload.php'; (new App\\Kernel)->run();"),
    ("/app/composer.json", b"{}"),
    ("/app/src/Kernel.php", b"<?php namespace App; use Log\\{Logger, Handler\\Stream as S}; class Kernel { function run() { new S; $c = 'Plug\\\\Of' . $x; } }"),
    ("/app/src/Lazy.php", b"<?php"),
    ("/app/config/services.yaml", b"a:\n  class: Log\\Format\\Json\n"),
    ("/app/vendor/autoload.php", b"<?php require_once __DIR__ . '/composer/autoload_real.php';"),
    ("/app/vendor/composer/autoload_real.php", b"<?php require __DIR__ . '/platform_check.php'; require __DIR__ . '/ClassLoader.php'; require __DIR__ . '/autoload_static.php';"),
    ("/app/vendor/composer/ClassLoader.php", b"<?php namespace Composer\\Autoload; class ClassLoader { function f($file) { include $file; } }"),
    ("/app/vendor/composer/platform_check.php", b"<?php"),
    (
        "/app/vendor/composer/autoload_static.php",
        b"<?php namespace Composer\\Autoload; class ComposerStaticInit0 {
        public static $files = array ('0e' => __DIR__ . '/..' . '/poly/fill/bootstrap.php',);
        public static $prefixLengthsPsr4 = array ('L' => array ('Log\\\\' => 4,),);
        public static $prefixDirsPsr4 = array (
            'Log\\\\' => array (0 => __DIR__ . '/..' . '/log/log/src',),
            'Plug\\\\' => array (0 => __DIR__ . '/..' . '/plug/plug',),
            'App\\\\' => array (0 => __DIR__ . '/../..' . '/src',),);
        public static $prefixesPsr0 = array ('O' => array ('Old_' => array (0 => __DIR__ . '/..' . '/old/old/lib',),),);
        public static $classMap = array ('Mapped' => __DIR__ . '/..' . '/log/log/map/m.inc',);
        public static function getInitializer(ClassLoader $loader) {} }",
    ),
    ("/app/vendor/composer/autoload_classmap.php", b"<?php $vendorDir = dirname(__DIR__); return array('Log\\\\Gone' => $vendorDir . '/log/log/src/Gone.php');"),
    ("/app/vendor/composer/installed.php", b"<?php return array('install_path' => __DIR__ . '/../../');"),
    ("/app/vendor/composer/installed.json", b"{\"packages\":[{\"name\":\"log/log\",\"install-path\":\"../log/log\"},{\"name\":\"dev/dev\"},{\"name\":\"css/css\"}],\"dev\":true,\"dev-package-names\":[\"dev/dev\"]}"),
    ("/app/vendor/log/log/composer.json", b"{\"extra\":{\"laravel\":{\"providers\":[\"Log\\\\Provider\"]}}}"),
    ("/app/vendor/log/log/src/Logger.php", b"<?php namespace Log; class Logger extends Base implements \\Old_Thing { const H = Handler\\Gone::class, M = \\Mapped::class; }"),
    ("/app/vendor/log/log/src/Base.php", b"<?php namespace Log; exec(\"gzip -c $f\");"),
    ("/app/vendor/log/log/src/Provider.php", b"<?php"),
    ("/app/vendor/log/log/src/Unused.php", b"<?php"),
    ("/app/vendor/log/log/src/Format/Json.php", b"<?php"),
    ("/app/vendor/log/log/src/Handler/Stream.php", b"<?php"),
    ("/app/vendor/log/log/map/m.inc", b"<?php"),
    ("/app/vendor/log/log/res/schema.xsd", b""),
    ("/app/vendor/log/log/tests/data.txt", b""),
    ("/app/vendor/log/log/README.md", b""),
    ("/app/vendor/old/old/lib/Old/Thing.php", b"<?php"),
    ("/app/vendor/plug/plug/OfOne.php", b"<?php"),
    ("/app/vendor/plug/plug/Other.php", b"<?php"),
    ("/app/vendor/poly/fill/bootstrap.php", b"<?php return require __DIR__.'/p80.php';"),
    ("/app/vendor/poly/fill/p80.php", b"<?php"),
    ("/app/vendor/css/css/composer.json", b"{}"),
    ("/app/vendor/css/css/all.css", b""),
    ("/app/vendor/dev/dev/composer.json", b"{}"),
    ("/app/vendor/dev/dev/x.css", b""),
    ("/usr/bin/gzip", b""),
    ("/bin/sh", b""),
];

#[test]
fn composers_tables_packages_and_their_data() {
    let from = ["/app/public/index.php", "/app/config/services.yaml"];
    let reached = reached(PROJECT, &[], &from, |context| Box::new(Php::new(context)));
    let left: Vec<&str> = PROJECT
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| !reached.files.contains_key(&RootPath::new(path)))
        .collect();
    assert_eq!(
        left,
        [
            "/app/vendor/composer/autoload_classmap.php",
            "/app/vendor/log/log/src/Unused.php",
            "/app/vendor/log/log/tests/data.txt",
            "/app/vendor/log/log/README.md",
            "/app/vendor/plug/plug/Other.php",
            "/app/vendor/dev/dev/composer.json",
            "/app/vendor/dev/dev/x.css",
            "/bin/sh",
        ]
    );
    assert_eq!(
        reached.left_out[0].why,
        "/app/vendor/log/log/src/Base.php:1 would run a shell (sh)"
    );
}

#[test]
fn an_applications_own_directory_leaves_what_composer_installed_to_this_resolver() {
    let config = serde_json::json!({ "WorkingDir": "/app" });
    let reached = reached_with(&image(tree(PROJECT), config), vec![], &Options::default());
    let kept = names(&reached);
    assert!(
        kept.contains(&"/app/vendor/log/log/src/Logger.php".to_owned()),
        "{kept:?}"
    );
    assert!(kept.contains(&"/app/src/Lazy.php".to_owned()), "{kept:?}");
    assert!(
        !kept.contains(&"/app/vendor/log/log/src/Unused.php".to_owned()),
        "{kept:?}"
    );
}

#[test]
fn tables_of_older_autoloaders() {
    let read = |name: &str, source: &str| {
        let mut tables = Tables::default();
        let _ = tables.read(
            &RootPath::new(format!("/a/vendor/composer/{name}")),
            source.as_bytes(),
            &Cancel::default(),
        );
        tables
    };
    let start = "<?php $vendorDir = dirname(__DIR__); $baseDir = dirname($vendorDir); return array(";
    let psr4 = read(
        "autoload_psr4.php",
        &format!(
            "{start} 'A\\\\B\\\\' => array($vendorDir . '/ab/src', $baseDir . '/more'), '' => array($baseDir . '/any'));"
        ),
    );
    let paths = |found: Vec<RootPath>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        paths(psr4.class(b"A\\B\\C\\D")),
        [
            "/a/vendor/ab/src/C/D.php",
            "/a/more/C/D.php",
            "/a/any/A/B/C/D.php"
        ]
    );
    let psr0 = read(
        "autoload_namespaces.php",
        &format!("{start} 'Twig_' => array($vendorDir . '/twig/lib'));"),
    );
    assert_eq!(
        paths(psr0.class(b"Twig_Node_Expression")),
        ["/a/vendor/twig/lib/Twig/Node/Expression.php"]
    );
    let files = read(
        "autoload_files.php",
        &format!("{start} '0a' => $vendorDir . '/f/f.php');"),
    );
    assert_eq!(files.files, [(1, RootPath::new("/a/vendor/f/f.php"))]);
    assert_eq!(
        composer::packages(
            &"/a/vendor/composer/installed.json".into(),
            b"[{\"name\":\"x/y\"}]"
        ),
        ["/a/vendor/x/y".into()]
    );
}

#[test]
fn classes_along_the_include_path_and_beside_the_source() {
    let items: Items<'_> = &[
        ("/srv/a/app.php", b"<?php namespace Shop\\Web; new Page; \\Twig\\Environment::x(); class Y extends \\Old_Base {} $c = '\\\\Shop\\\\Db\\\\Row::find';"),
        ("/srv/a/Page.php", b"<?php"),
        ("/srv/Shop/Web/View.php", b"<?php namespace Shop\\Web; function f(?Page $p): \\Shop\\Db\\Row { return namespace\\Sub\\Z::y(); }"),
        ("/srv/Shop/Db/Row.php", b"<?php"),
        ("/srv/Shop/Web/Page.php", b"<?php"),
        ("/srv/Shop/Web/Sub/Z.php", b"<?php"),
        ("/usr/share/php/Twig/Environment.php", b"<?php"),
        ("/usr/share/php/Old/Base.php", b"<?php"),
        ("/usr/share/php/Other.php", b"<?php"),
    ];
    assert_eq!(
        kept(items, &["/srv/a/app.php"]),
        [
            "/srv/Shop/Db/Row.php",
            "/srv/a/Page.php",
            "/usr/share/php/Old/Base.php",
            "/usr/share/php/Twig/Environment.php",
        ]
    );
    assert_eq!(
        kept(items, &["/srv/Shop/Web/View.php"]),
        [
            "/srv/Shop/Db/Row.php",
            "/srv/Shop/Web/Page.php",
            "/srv/Shop/Web/Sub/Z.php"
        ]
    );
}

#[test]
fn literals_commands_and_directories_that_are_handed_over() {
    let items: Items<'_> = &[
        (
            "/srv/a/app.php",
            b"<p><?= file_get_contents('data/x.txt') ?></p><?php
              readfile('/srv/pages/' . basename($x) . '.html'); new FilesystemLoader('views'); $s->setTemplateDir('smarty');
              glob('plug/*.php'); glob(__DIR__ . '/set/*.ini'); $o = `du -s $d | sort`; proc_open(['tac'], [], $p);
              proc_open('nice wc', [], $p); pcntl_exec('/opt/bin/tool'); $db->exec('create table x');
              mime_content_type(__DIR__ . '/logo.svg'); new Process(['cat', $f]);",
        ),
        ("/srv/a/data/x.txt", b""),
        ("/srv/a/logo.svg", b""),
        ("/srv/a/no.txt", b""),
        ("/srv/a/plug/p.php", b""),
        ("/srv/a/set/s.ini", b""),
        ("/srv/a/smarty/t.tpl", b""),
        ("/srv/a/views/v.twig", b""),
        ("/srv/pages/hours.html", b""),
        ("/opt/bin/tool", b""),
        ("/usr/bin/cat", b""),
        ("/usr/bin/create", b""),
        ("/usr/bin/du", b""),
        ("/usr/bin/sh", b""),
        ("/usr/bin/sort", b""),
        ("/usr/bin/tac", b""),
        ("/usr/bin/wc", b""),
    ];
    let from = ["/srv/a/app.php"];
    assert_eq!(
        kept(items, &from),
        [
            "/opt/bin/tool",
            "/srv/a/data/x.txt",
            "/srv/a/logo.svg",
            "/srv/a/plug/p.php",
            "/srv/a/set/s.ini",
            "/srv/a/smarty/t.tpl",
            "/srv/a/views/v.twig",
            "/srv/pages/hours.html",
            "/usr/bin/cat",
            "/usr/bin/du",
            "/usr/bin/sort",
            "/usr/bin/tac",
            "/usr/bin/wc",
        ]
    );
    let reached = reached(items, &[], &from, |context| Box::new(Php::new(context)));
    let shells: Vec<String> = reached
        .left_out
        .iter()
        .map(|left| left.path.to_string())
        .collect();
    assert_eq!(
        shells,
        ["/usr/bin/sh", "/usr/bin/sh"],
        "for backticks and for proc_open"
    );
}

#[test]
fn enabled_extensions_are_resolved_in_their_directory() {
    let items: Items<'_> = &[
        ("/usr/sbin/php-fpm8.2", b"x"),
        ("/etc/php/8.2/fpm/php.ini", b"extension_dir = \"/usr/lib/own\"\n"),
        (
            "/etc/php/8.2/fpm/conf.d/20-own.ini",
            b"-> /etc/php/8.2/mods-available/own.ini",
        ),
        (
            "/etc/php/8.2/mods-available/own.ini",
            b"; priority=20\nextension=own.so\nzend_extension=zend\n",
        ),
        ("/etc/php/8.2/mods-available/off.ini", b"extension=off.so\n"),
        ("/usr/lib/own/own.so", b"so"),
        ("/usr/lib/own/off.so", b"so"),
        ("/usr/lib/php/20220829/zend.so", b"so"),
        ("/usr/lib/php/20220829/off.so", b"so"),
    ];
    let kept = closed(items, vec![used("/etc/php/8.2/fpm/php.ini")]);
    let files: Vec<&str> = items
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| kept.iter().any(|k| k == path))
        .collect();
    assert_eq!(
        files,
        [
            "/etc/php/8.2/fpm/php.ini",
            "/etc/php/8.2/fpm/conf.d/20-own.ini",
            "/etc/php/8.2/mods-available/own.ini",
            "/usr/lib/own/own.so",
            "/usr/lib/php/20220829/zend.so",
        ]
    );
}

#[test]
fn sessions_need_the_directory_that_they_are_written_to() {
    let items: Items<'_> = &[
        ("/srv/a/app.php", b"<?php function f() { session_start(); }"),
        ("/srv/a/other.php", b"<?php session_id();"),
        (
            "/etc/php/8.2/fpm/php.ini",
            b"session.save_path = \"2;0600;/srv/sessions\"\n",
        ),
        ("/srv/sessions/", b""),
        ("/var/lib/php/sessions/", b""),
    ];
    let kept = |from: &str| {
        let reached = reached(items, &[], &[from], |context| Box::new(Php::new(context)));
        beside(&reached, &[from])
    };
    assert_eq!(kept("/srv/a/app.php"), ["/srv/sessions", "/var/lib/php/sessions"]);
    assert_eq!(kept("/srv/a/other.php"), Vec::<String>::new());
}

#[test]
fn what_is_too_much_is_named_and_left_out() {
    let items: Items<'_> = &[
        ("/usr/share/php/L/a.php", b"<?php include __DIR__ . '/d/' . $x;"),
        ("/usr/share/php/L/d/1", b"12345"),
        ("/usr/share/php/L/d/2", b"12345"),
    ];
    let options = Options {
        limits: Limits {
            own_files: 1,
            ..Limits::default()
        },
        ..Options::default()
    };
    let files = vec![used("/usr/share/php/L/a.php")];
    let reached = reached_with(&image(tree(items), serde_json::json!({})), files, &options);
    assert!(!reached.files.contains_key(&RootPath::new("/usr/share/php/L/d/1")));
    assert_eq!(reached.left_out[0].remedy, "--include /usr/share/php/L/d");
}

#[test]
fn texts_that_name_classes() {
    let name = |text: &str| class_name(text.as_bytes()).map(|class| String::from_utf8(class).unwrap());
    assert_eq!(name("A\\B").as_deref(), Some("A\\B"));
    assert_eq!(name("\\A\\\\B_1::go").as_deref(), Some("A\\B_1"));
    assert_eq!(name("App\\C@index").as_deref(), Some("App\\C"));
    for nothing in ["A", "A\\", "\\A", "\\", "A\\1", "A\\B C", ""] {
        assert_eq!(name(nothing), None, "{nothing}");
    }
}

#[test]
fn hostile_sources_end() {
    let deep = [&b"<?php "[..], &b"f([('a'.".repeat(5_000)].concat();
    let long = [
        &b"<?php $x = "[..],
        &b"$x.'aaaaaaaaaaaaaaaa'.".repeat(20_000),
        b"1; include $x;",
    ]
    .concat();
    let doubled = [
        &b"<?php $x = 'a';"[..],
        &b"$x = $x . $x . ($y ? $x : 'b'); include $x;".repeat(2_000),
    ]
    .concat();
    let items: Items<'_> = &[
        ("/a/a.php", b"<?php include 'b.php'; include __DIR__ . '/../../../..' . $x; include ''; include \"\\x41\";"),
        ("/a/b.php", b"<?php require 'a.php'; define('A', A . A); namespace \xff\xfe; use ; new \\; new namespace\\; include __DIR__"),
        ("/a/missing.php", b"<?new*."),
        ("/a/deep.php", &deep),
        ("/a/long.php", &long),
        ("/a/doubled.php", &doubled),
        ("/a/vendor/composer/autoload_real.php", b""),
        ("/a/vendor/composer/autoload_static.php", b"<?php class X { public static $classMap = array('a' => array('b' => array(array(1 => '/")
        ,
        ("/a/vendor/composer/installed.json", b"{\"packages\":[{\"name\":\"../../..\",\"install-path\":\"/\"},1]}"),
        ("/etc/php.ini", b"include_path = /a/../../..:\nextension_dir="),
    ];
    let all: Vec<&str> = items.iter().map(|(path, _)| *path).collect();
    assert_eq!(kept(items, &all), Vec::<String>::new());
    assert_eq!(kept(items, &["/a/a.php"]), ["/a/b.php"]);
}
