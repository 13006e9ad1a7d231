//! Sources that were written to end slim or to keep it for ever: whatever the language, planning ends soon, and the
//! rest of the image is planned as if they were not there.

use std::time::{Duration, Instant};

use super::*;
use crate::image::memory::tree;
use crate::reach::tests::{image, names, reached, recording, run, used};

/// The longest that one source may take in a build without optimisation, on a machine with other work.
const LONG: Duration = Duration::from_secs(40);

/// Plans an image with a hostile source at `path`.
fn planned(path: &str, source: &[u8], what: &str) -> Result<Reached, Error> {
    let items: &[(&str, &[u8])] = &[
        (path, source),
        ("/app/data.txt", b""),
        ("/opt/app/sub/kept.txt", b""),
    ];
    let image = image(tree(items), serde_json::json!({}));
    let packages = crate::image::packages::owners(&image.rootfs);
    let recording = recording(run(vec![used(path), used("/app/data.txt")]));
    let began = Instant::now();
    let reached = close(
        &image,
        &packages,
        &recording,
        &Options::default(),
        &Cancel::default(),
    );
    let took = began.elapsed();
    assert!(took < LONG, "{path}: {what}: {took:?}");
    reached
}

/// The notes of a plan in which a source at `path` is read, or named in a note.
fn survives(path: &str, source: &[u8], what: &str) -> Vec<String> {
    let reached = planned(path, source, what).unwrap();
    assert!(
        names(&reached).contains(&"/app/data.txt".to_owned()),
        "{path}: {what}"
    );
    reached.notes
}

/// The beginnings and ends of what nests in each language; without an end, a chain of beginnings.
const NESTS: &[(&str, &[(&str, &str)])] = &[
    (
        "/app/run.sh",
        &[
            ("$(", ")"),
            ("\"$(", ")\""),
            ("echo \"$(", ")\" \n"),
            ("`", "`"),
            ("${a:-", "}"),
            ("x=$((", "))"),
            ("( ", " )"),
            ("{ ", "; }"),
            ("if ", "; then a; fi"),
            ("if a; then b; el", ""),
            ("while ", "; do a; done"),
            ("case a in a) ", ";; esac"),
            ("f() { ", "; }"),
            ("[[ ( ", " ) ]]"),
            ("a=(", ")"),
            ("<(", ")"),
            ("! ", ""),
            ("a | ", ""),
            ("a && ", ""),
            ("cat <<E\n", ""),
            ("cat <<E\n$(", "\n)\nE\n"),
            ("\"", ""),
            ("'", ""),
            ("a\\\n", ""),
        ],
    ),
    (
        "/app/main.js",
        &[
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("`${", "}`"),
            ("f(", ")"),
            ("require(", ")"),
            ("function(){", "}"),
            ("if(a){", "}"),
            ("if(a);else ", ""),
            ("a?b:", ""),
            ("a=>", ""),
            ("!", ""),
            ("- ", ""),
            ("'a'+", ""),
            ("a.b.", ""),
            ("a()", ""),
            ("require('a'),", ""),
            ("new ", ""),
            ("class{a(){", "}}"),
            ("<a>", "</a>"),
            ("/a", ""),
            ("->", ""),
            ("a:b ", ""),
            ("\"", ""),
        ],
    ),
    (
        "/app/main.lua",
        &[
            ("(", ")"),
            ("{", "}"),
            ("f(", ")"),
            ("function() ", " end"),
            ("if a then ", " end"),
            ("if a then b() else", ""),
            ("not ", ""),
            ("- ", ""),
            ("'a'..", ""),
            ("a^", ""),
            ("do ", " end"),
            ("[[", "]]"),
            ("[==[ ", ""),
            ("require'a' ", ""),
            ("\"", ""),
        ],
    ),
    (
        "/app/main.pl",
        &[
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("q{", "}"),
            ("q((((((((", "))))))))"),
            ("qq{", "}"),
            ("\"@{[", "]}\""),
            ("sub {", "}"),
            ("if(a){", "}"),
            ("if(a){}els", ""),
            ("$a->{", "}"),
            ("$a->", ""),
            ("a?b:", ""),
            ("! ", ""),
            ("- ", ""),
            ("x=", ""),
            ("<<A\n", ""),
            ("s{", "}"),
            ("use a;\n", ""),
            ("\"", ""),
        ],
    ),
    (
        "/app/index.php",
        &[
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("\"{$a[", "]}\""),
            ("function(){", "}"),
            ("if($a){", "}"),
            ("if($a){}else", " "),
            ("array(", ")"),
            ("$a?$b:", ""),
            ("!", ""),
            ("- ", ""),
            ("'a'.", ""),
            ("$a->", ""),
            ("a\\", ""),
            ("<$", ""),
            ("include 'a';", ""),
            ("<<<A\n{$a(", ""),
            ("\"", ""),
        ],
    ),
    (
        "/app/main.py",
        &[
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("f'{", "}'"),
            ("f(", ")"),
            ("lambda:", ""),
            ("not ", ""),
            ("- ", ""),
            ("a.", ""),
            ("a if b else ", ""),
            ("'a'+", ""),
            ("'a' ", ""),
            ("a[", "]"),
            ("=~", ""),
            ("<!--", ""),
            ("import a\n", ""),
            ("if a:\n ", ""),
            ("\"\"\"", ""),
        ],
    ),
    (
        "/app/main.rb",
        &[
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("\"#{", "}\""),
            ("->{", "}"),
            ("a do ", " end "),
            ("if a\n", "\nend\n"),
            ("if a\nels", ""),
            ("def f\n", "\nend\n"),
            ("a ? b : ", ""),
            ("!", ""),
            ("- ", ""),
            ("a.", ""),
            ("'a'+", ""),
            ("'a' ", ""),
            ("%w(", ")"),
            ("%(#{", "})"),
            ("<<A\n#{", "}\nA\n"),
            ("<!--", ""),
            ("=pod\n", ""),
            ("require 'a'\n", ""),
            ("\"", ""),
        ],
    ),
    (
        "/app/main.tcl",
        &[
            ("[", "]"),
            ("{", "}"),
            ("\"", "\""),
            ("exec a;", ""),
            ("source a;", ""),
            ("/a", ""),
        ],
    ),
    (
        "/etc/nginx/nginx.conf",
        &[
            ("a {", "}"),
            ("{", "}"),
            ("include /a;", ""),
            ("\"", ""),
            ("/a", ""),
        ],
    ),
    (
        "/etc/apache2/apache2.conf",
        &[
            ("<a>\n", "</a>\n"),
            ("Include /a\n", ""),
            ("<", ">"),
            ("\\\n", ""),
        ],
    ),
    ("/etc/app.ini", &[("[", "]\n"), ("a=/a\n", ""), ("/a", "")]),
    (
        "/app/package.json",
        &[("[", "]"), ("{\"a\":", "}"), ("{\"dependencies\":", "}")],
    ),
    ("/app/composer.json", &[("[", "]"), ("{\"extra\":", "}")]),
    (
        "/app/vendor/composer/installed.json",
        &[("[", "]"), ("{\"packages\":", "}")],
    ),
    (
        "/app/vendor/composer/autoload_static.php",
        &[("array(", ")"), ("'a' => 'b',", "")],
    ),
    ("/app/Gemfile.lock", &[("    a (1)\n", ""), ("(", ")")]),
];

/// A source of `count` beginnings, closed or not.
fn nest(path: &str, (open, close): (&str, &str), count: usize, closed: bool) -> Vec<u8> {
    let start = if path.ends_with(".php") { "<?php " } else { "" };
    let close = if closed {
        close.repeat(count)
    } else {
        String::new()
    };
    format!("{start}{}a{close}\n", open.repeat(count)).into_bytes()
}

/// Every construct, so many times.
fn every_construct(count: usize) {
    for &(path, nests) in NESTS {
        for &pair in nests {
            for closed in [true, false] {
                if closed && pair.1.is_empty() {
                    continue;
                }
                let what = format!("{:?} × {count}, closed: {closed}", pair.0);
                let planned = planned(path, &nest(path, pair, count, closed), &what);
                let named = Error::TooSlow { path: path.into() };
                assert!(
                    planned.as_ref().is_ok_and(|reached| reached.files.len() > 2)
                        || (count > 2000 && planned == Err(named)),
                    "{path}: {what}"
                );
            }
        }
    }
}

#[test]
fn two_thousand_of_every_construct_end() {
    every_construct(2000);
}

#[test]
#[ignore = "takes minutes without optimisation: cargo test --release -p slim-core --lib hostile -- --ignored"]
fn a_hundred_thousand_of_every_construct_end() {
    every_construct(100_000);
}

#[test]
fn a_script_that_nests_deeply_is_followed_by_its_words_and_named() {
    // 6 kB are read, 100 kB are not.
    let attack = |levels: usize| [&b"$(".repeat(levels)[..], b"a", &b")".repeat(levels)].concat();
    let source = [&attack(2000)[..], b"\n. /app/data.txt\n"].concat();
    assert_eq!(
        survives("/app/run.sh", &source, "2000 levels"),
        Vec::<String>::new()
    );
    let source = [&attack(35_000)[..], b"\ncat /opt/app/sub/kept.txt\n"].concat();
    let items: &[(&str, &[u8])] = &[("/app/run.sh", &source), ("/opt/app/sub/kept.txt", b"")];
    let reached = reached(
        &image(tree(items), serde_json::json!({})),
        vec![used("/app/run.sh")],
    );
    assert!(names(&reached).contains(&"/opt/app/sub/kept.txt".to_owned()));
    assert_eq!(
        reached.notes,
        ["/app/run.sh: takes too many steps to parse, so of what it names only absolute paths are followed"]
    );
}

#[test]
fn quotes_that_nest_do_not_overflow_the_stack() {
    for source in [
        b"q{".repeat(1 << 20),
        [b"q".to_vec(), b"{".repeat(1 << 20)].concat(),
    ] {
        survives("/app/main.pl", &source, "nested quotes");
    }
}

#[test]
fn names_that_no_path_can_have_are_not_looked_for() {
    for (path, start, dot, end) in [
        ("/app/main.lua", "require('", "x.", "')"),
        ("/app/main.lua", "require('", "x/", "')"),
        ("/app/main.rb", "require '", "x.", "'"),
        ("/app/main.rb", "require '", "x/", "'"),
        ("/app/main.py", "import x", ".x", ""),
        ("/app/main.py", "from .", "x.", "x import y"),
        ("/app/main.js", "require('./", "x/", "')"),
        ("/app/main.js", "require('", "x/", "')"),
        ("/app/main.js", "require('", "../", "')"),
        ("/app/main.pl", "use x", "::x", ";"),
        ("/app/main.pl", "require '", "x/", "';"),
        ("/app/index.php", "<?php include '", "x/", "';"),
        ("/app/index.php", "<?php new x", "\\x", ";"),
        ("/app/index.php", "<?php include __DIR__ . '/", "x/", "';"),
        ("/app/run.sh", ". ./", "x/", ""),
        ("/app/run.sh", "/", "x/", ""),
        ("/app/main.tcl", "source ", "x/", ""),
        ("/app/main.tcl", "package require x", "::x", ""),
        ("/etc/nginx/nginx.conf", "include ", "x/", ";"),
        ("/etc/nginx/nginx.conf", "include ", "*/", ";"),
        ("/etc/app.ini", "a=/", "x/", ""),
        ("/app/package.json", "{\"main\":\"", "x/", "\"}"),
    ] {
        let source = format!("{start}{}{end}\n", dot.repeat(300_000 / dot.len()));
        survives(path, source.as_bytes(), start);
        // Many that are as long as a path may be, and no two the same.
        let most = 4000 / dot.len();
        let many: String = (0..50)
            .map(|number| format!("{start}x{number}{dot}{}{end}\n", dot.repeat(most)))
            .collect();
        survives(path, many.as_bytes(), start);
    }
}

#[test]
fn planning_ends_when_it_is_told_to() {
    let cancel = Cancel::default();
    cancel.cancel();
    let image = image(tree(&[("/app/main.py", b"import a")]), serde_json::json!({}));
    let packages = crate::image::packages::owners(&image.rootfs);
    let recording = recording(run(vec![used("/app/main.py")]));
    let ended = close(&image, &packages, &recording, &Options::default(), &cancel);
    assert_eq!(ended, Err(Error::Cancelled));
}

#[test]
fn a_file_too_large_to_be_parsed_is_named_whatever_its_language() {
    let large = vec![b' '; (4 << 20) + 1];
    for path in [
        "/app/main.js",
        "/app/main.py",
        "/app/main.rb",
        "/app/run.sh",
        "/app/index.php",
    ] {
        assert_eq!(
            survives(path, &large, "too large"),
            [format!(
                "{path}: too large to be parsed, so what it names is not known"
            )]
        );
    }
}
