//! Snapshots of what the built program prints: exit code, standard output and standard error, with what differs between
//! runs and machines replaced.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{require_docker, require_root, slim};

/// A working directory of its own, and the filters of its snapshots.
#[derive(Debug)]
pub struct Context {
    directory: TempDir,
    filters: Vec<(String, String)>,
}

/// Differences between runs and machines: pattern, replacement.
const FILTERS: [(&str, &str); 5] = [
    (r"sha256:[0-9a-f]{64}", "sha256:[DIGEST]"),
    (r"\b[0-9a-f]{64}\b", "[ID]"),
    (r"\b[0-9a-f]{12}\b", "[ID]"),
    (r"slim-test-([a-z-]+)-\d+-\d+", "slim-test-$1"),
    (r"\d{4}-\d{2}-\d{2}T[0-9:.]+Z", "[DATE]"),
];

/// Further differences where containers run: figures, engine and host.
const ENGINE: [(&str, &str); 7] = [
    (r"\b\d[\d,.]* (?:bytes|[kMG]?B)\b", "[SIZE]"),
    (r"\b\d[\d,.]* ?(?:ms|s)\b", "[TIME]"),
    (
        r"(?m)^(  (?:size|files|packages|kept as|syscalls|kept out|time) +)\S.*$",
        "$1[FIGURES]",
    ),
    (r"(?m)^  note +the filter of the recorded container .*\n", ""),
    (r"\d+ of \d+ recorded calls", "[FIGURES] recorded calls"),
    (r"(?m)^(  apparmor +)(?:passed|not checked).*$", "$1[HOST]"),
    (r"(?m)^(  (?:ok     |missing|without) .{20}) .*$", "$1 [HOST]"),
];

impl Context {
    /// Returns a context for commands that need no engine.
    ///
    /// # Panics
    ///
    /// When no temporary directory can be made.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let path = directory.path().display().to_string();
        let context = Self {
            directory,
            filters: Vec::new(),
        };
        let context = context
            .replacing(&path, "[DIR]")
            .replacing(env!("CARGO_PKG_VERSION"), "[VERSION]");
        context.with(&FILTERS)
    }

    /// Returns a context for commands that record: figures, and what the host is, are replaced too.
    ///
    /// # Panics
    ///
    /// When no engine answers, or the test does not run as root.
    pub fn with_engine() -> Self {
        require_root();
        require_docker();
        Self::new().with(&ENGINE)
    }

    fn with(self, filters: &[(&str, &str)]) -> Self {
        filters
            .iter()
            .fold(self, |context, (pattern, with)| context.filtering(pattern, with))
    }

    /// Adds a filter that replaces a text.
    #[must_use]
    pub fn replacing(self, text: &str, with: &str) -> Self {
        let special = |c: char| !c.is_alphanumeric() && c.is_ascii_graphic();
        let literal = |c: char| {
            if special(c) {
                format!("\\{c}")
            } else {
                c.to_string()
            }
        };
        self.filtering(&text.chars().map(literal).collect::<String>(), with)
    }

    /// Adds a filter that replaces what a regular expression matches. Filters apply in the order in which they were added,
    /// after the default ones.
    #[must_use]
    pub fn filtering(mut self, pattern: &str, with: &str) -> Self {
        self.filters.push((pattern.to_owned(), with.to_owned()));
        self
    }

    /// Returns the filters, as insta takes them.
    pub fn filters(&self) -> Vec<(&str, &str)> {
        self.filters
            .iter()
            .map(|(pattern, with)| (pattern.as_str(), with.as_str()))
            .collect()
    }

    /// Returns the path of a file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file in the directory.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).expect("a temporary directory is writable");
        std::fs::write(&path, content).expect("a temporary directory is writable");
        self
    }

    /// Returns the program with arguments, to be run in the directory.
    pub fn slim(&self, arguments: &[&str]) -> Command {
        let mut slim = slim();
        slim.current_dir(self.directory.path()).args(arguments);
        slim
    }
}

/// Returns the text of a snapshot.
pub fn shown(output: &Output) -> String {
    let mut text = match output.status.code() {
        Some(code) => format!("exit code: {code}\n"),
        None => format!("{}\n", output.status),
    };
    for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let _ = write!(text, "----- {name} -----\n{}", String::from_utf8_lossy(stream));
    }
    text
}

/// Compares what a command of a [`Context`] prints with a snapshot:
///
/// ```ignore
/// slim_snapshot!(context, ["diff", "a.json", "b.json"]);
/// ```
///
/// The snapshot is a file named after the test, or after the name that precedes the arguments. `INSTA_UPDATE=always`
/// writes it, and `cargo insta review` shows what changed. It returns the output.
#[macro_export]
macro_rules! slim_snapshot {
    (@ $context:expr, $arguments:expr $(, $name:expr)?) => {{
        let arguments = $arguments;
        let output = $context.slim(&arguments).output().expect("slim can be started");
        let shown = $crate::shown(&output);
        let mut settings = ::insta::Settings::clone_current();
        settings.set_filters($context.filters());
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(true);
        settings.bind(|| {
            ::insta::assert_snapshot!($($name,)? format!("$ slim {}\n{shown}", arguments.join(" ")));
        });
        output
    }};
    ($context:expr, $name:expr, $arguments:expr) => {
        $crate::slim_snapshot!(@ $context, $arguments, $name)
    };
    ($context:expr, $arguments:expr) => {
        $crate::slim_snapshot!(@ $context, $arguments)
    };
}
