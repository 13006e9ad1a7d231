//! The applications in `tests/apps`, which nobody consulted when the closure's rules were written: each is built with no
//! flag but the tag, and the slim image must answer every route as the original does, although the probe saw only `/`.
//!
//! `routes.txt` in an application's folder has one `GET /path` a line. What a route needs is not linked from `/`: a lazy
//! import, a plug-in by name, a time zone, a user, a charset, the CA store, a template, a second page, an error page.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use slim_core::plan::{Cause, EdgeKind, Plan};
use slim_core::recording::Recording;
use slim_core::report::explain;
use slim_tests::{
    Container, Image, assert_exact, confined, docker, http_get, plan, run, size, slim, try_http_get,
    workspace,
};

/// The applications; the probe and the routes ask port 8080 of each.
const APPS: [&str; 12] = [
    "apache-php",
    "go",
    "java",
    "lua",
    "nginx",
    "node",
    "perl",
    "php-fpm",
    "python",
    "ruby",
    "rust",
    "tcl",
];

/// The samples, whose answers other tests compare; here their sizes count.
const SAMPLES: [&str; 5] = ["batch", "multi", "nginx", "node-express", "python-flask"];

/// The sizes of an image, and of what slim makes of it at two levels, in bytes.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    fat: u64,
    closure: u64,
    observed: u64,
}

/// The result of an application.
#[derive(Debug)]
struct Outcome {
    sizes: Sizes,
    evidence: Evidence,
    routes: usize,
    /// One line for each route that the slim image answers otherwise.
    differing: Vec<String>,
    /// The same under the profiles of a recording that saw `/` alone: a call that only another route makes is refused
    /// there, which is what a profile is for.
    confined: Vec<String>,
    /// The output of the slim container.
    log: String,
}

/// Where the evidence of a plan is not what it should be.
#[derive(Debug, Default)]
struct Evidence {
    /// Paths at either level whose chain ends at another kept path, or that `slim explain` does not explain.
    unexplained: Vec<String>,
    /// Paths at the level `observed` that are there for another reason than the level's.
    surplus: Vec<String>,
}

impl Evidence {
    fn of(closure: &Plan, observed: &Plan) -> Self {
        let unexplained = [closure, observed].map(|plan| {
            let paths = plan.files.keys().filter(|path| {
                let chain = plan.chain(path);
                let ends = chain
                    .last()
                    .is_some_and(|(_, cause)| !matches!(cause, Cause::Edge { .. }));
                let explained = explain(plan, &path.to_string());
                !(ends && explained.allowed && explained.evidence.len() >= chain.len())
            });
            paths.map(ToString::to_string).collect::<Vec<_>>()
        });
        let surplus = observed
            .files
            .iter()
            .filter(|(_, kept)| !kept.causes.iter().all(is_bare));
        Self {
            unexplained: unexplained.concat(),
            surplus: surplus
                .map(|(path, kept)| format!("{path}: {:?}", kept.causes))
                .collect(),
        }
    }
}

/// Returns whether a path is kept for what was seen, for what that needs to start, or for the image's config and user.
fn is_bare(cause: &Cause) -> bool {
    use EdgeKind::{Directory, Interpreter, Library, Link, Loader, Target, User};
    match cause {
        Cause::Edge { edge, .. } => {
            matches!(
                edge,
                Directory | Interpreter | Library | Link | Loader | Target | User
            )
        }
        Cause::Observed { .. } | Cause::Config { .. } | Cause::Always { .. } => true,
        Cause::Option { .. } => false,
    }
}

/// Megabytes as the tables print them.
fn mb(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// Builds the image at both levels from one recording, and hands over the directory and the tag of the closure.
fn slimmed<T>(image: &str, then: impl FnOnce(&Path, &str) -> T) -> (Sizes, Evidence, T) {
    slim_tests::require_root();
    let output = tempfile::tempdir().expect("the temporary directory is writable");
    let (closure, observed) = (Image::to_be("closure"), Image::to_be("observed"));
    let directory = output.path().join("closure");
    run(slim()
        .args(["build", image, "--tag", closure.tag(), "--output"])
        .arg(&directory));
    let bare = output.path().join("observed");
    run(slim()
        .arg("generate")
        .arg(directory.join("recording.json"))
        .args(["--keep", "observed", "--tag", observed.tag(), "--output"])
        .arg(&bare));
    let sizes = Sizes {
        fat: size(image),
        closure: size(closure.tag()),
        observed: size(observed.tag()),
    };
    let evidence = Evidence::of(&plan(&directory), &plan(&bare));
    (sizes, evidence, then(&directory, closure.tag()))
}

/// The application's image, which stays: the engine's cache makes the next build of it cheap. `cargo xtask matrix` names
/// it alike.
fn application(app: &str) -> String {
    let tag = format!("slim-test-app-{app}");
    let folder = workspace().join("tests/apps").join(app);
    docker(&[
        "build",
        "--quiet",
        "--network",
        "host",
        "--tag",
        &tag,
        &folder.to_string_lossy(),
    ]);
    tag
}

/// Returns the container's answers to the routes, in order.
fn answers(container: &Container, routes: &[String]) -> Vec<(u16, Vec<u8>)> {
    let address = container.address(8080);
    http_get(address, "/");
    // Once the server listens, no answer is an answer too, and differs from the original's.
    let answer = |path: &String| match try_http_get(address, path) {
        Ok(answer) => (answer.status, answer.body),
        Err(error) => (0, error.to_string().into_bytes()),
    };
    routes.iter().map(answer).collect()
}

/// The paths of `routes.txt`.
fn routes(app: &str) -> Vec<String> {
    let file = workspace().join("tests/apps").join(app).join("routes.txt");
    let text = std::fs::read_to_string(file).expect("an application has routes.txt");
    let path = |line: &str| {
        line.strip_prefix("GET ")
            .expect("a route is `GET /path`")
            .to_owned()
    };
    text.lines().map(path).collect()
}

/// A line of a table of differences: what was answered, shortened.
fn shown((status, body): &(u16, Vec<u8>)) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(60).collect();
    format!("{status} {text:?}")
}

fn measure(app: &str) -> Outcome {
    let image = application(app);
    let routes = routes(app);
    let (sizes, evidence, (differing, confined, log)) = slimmed(&image, |directory, tag| {
        let seccomp = std::fs::read(directory.join("seccomp.json")).expect("slim wrote a profile");
        let recording = Recording::load(directory).expect("slim wrote a recording");
        assert_exact(&seccomp, &recording, None);
        let original = answers(&Container::run(&[&image]), &routes);
        let mut log = String::new();
        let mut compare = |arguments: &[&str]| -> Vec<String> {
            let container = Container::run(arguments);
            let answered = answers(&container, &routes);
            log += &container.logs();
            let all = routes.iter().zip(&original).zip(&answered);
            all.filter(|((_, expected), given)| expected != given)
                .map(|((path, expected), given)| format!("{path}: {}, not {}", shown(given), shown(expected)))
                .collect()
        };
        let differing = compare(&[tag]);
        let options = confined(directory);
        let arguments: Vec<&str> = options.iter().map(String::as_str).chain([tag]).collect();
        let confined = compare(&arguments);
        (differing, confined, log)
    });
    Outcome {
        sizes,
        evidence,
        routes: routes.len(),
        differing,
        confined,
        log,
    }
}

/// The outcome of an application, measured once by whichever test asks first.
fn outcome(app: &str) -> &'static Outcome {
    static OUTCOMES: [OnceLock<Outcome>; APPS.len()] = [const { OnceLock::new() }; APPS.len()];
    let index = APPS
        .iter()
        .position(|name| *name == app)
        .expect("an application of the list");
    OUTCOMES[index].get_or_init(|| measure(app))
}

/// Asserts that the slim image answered as the original did, after a line of the table.
fn answers_as_the_original(app: &str) {
    let outcome = outcome(app);
    println!(
        "| {app} | {} MB | {} MB | {} of {} | {} under its profiles |",
        mb(outcome.sizes.fat),
        mb(outcome.sizes.closure),
        outcome.routes - outcome.differing.len(),
        outcome.routes,
        outcome.routes - outcome.confined.len(),
    );
    assert!(
        outcome.differing.is_empty(),
        "{app} answers otherwise:\n{}\nits log:\n{}",
        outcome.differing.join("\n"),
        outcome.log
    );
}

macro_rules! applications {
    ($($test:ident: $app:literal,)*) => { $(
        #[test]
        fn $test() {
            answers_as_the_original($app);
        }
    )* };
}

applications! {
    apache_with_php: "apache-php",
    go: "go",
    java: "java",
    lua: "lua",
    nginx: "nginx",
    node: "node",
    perl: "perl",
    php_fpm_behind_nginx: "php-fpm",
    python: "python",
    ruby: "ruby",
    rust: "rust",
    tcl: "tcl",
}

#[test]
fn every_application_is_tested() {
    let folders = std::fs::read_dir(workspace().join("tests/apps")).expect("the folder is there");
    let mut names: Vec<String> = folders
        .map(|entry| {
            entry
                .expect("as above")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, APPS);
}

#[test]
fn every_kept_path_is_explained() {
    for app in APPS {
        let unexplained = &outcome(app).evidence.unexplained;
        assert!(unexplained.is_empty(), "{app}: {unexplained:#?}");
    }
}

#[test]
fn what_is_kept_as_observed_was_seen_or_is_needed_to_start() {
    for app in APPS {
        let surplus = &outcome(app).evidence.surplus;
        assert!(surplus.is_empty(), "{app}: {surplus:#?}");
    }
}

#[test]
fn the_closure_is_at_most_half_as_much_again_as_what_was_observed() {
    let mut table = String::from("| image | before | closure | observed | answered as before |\n");
    let mut line = |name: &str, sizes: Sizes, answered: &str| {
        let sizes = [sizes.fat, sizes.closure, sizes.observed].map(mb);
        writeln!(table, "| {name} | {} | {answered} |", sizes.join(" | ")).expect("a String takes it");
    };
    let (mut closure, mut observed) = (0, 0);
    for app in APPS {
        let outcome = outcome(app);
        let answered = format!(
            "{} of {}",
            outcome.routes - outcome.differing.len(),
            outcome.routes
        );
        line(app, outcome.sizes, &answered);
        closure += outcome.sizes.closure;
        observed += outcome.sizes.observed;
    }
    for sample in SAMPLES {
        let (sizes, _, ()) = slimmed(&Image::sample(sample), |_, _| ());
        line(&format!("samples/{sample}"), sizes, "");
        closure += sizes.closure;
        observed += sizes.observed;
    }
    println!("{table}together {} MB and {} MB", mb(closure), mb(observed));
    assert!(
        closure * 2 <= observed * 3,
        "the closure is {} MB, more than 1.5 times the {} MB observed",
        mb(closure),
        mb(observed)
    );
}
