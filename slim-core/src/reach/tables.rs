//! Tables that are data: which programs are shells, what is left out of an application's directory, which files
//! libraries load by name. They are files in `profiles/reach/`, built in.

use std::sync::LazyLock;

use serde::Deserialize;

use super::pattern::is_version_of;
use crate::plan::LeftOutKind;

/// All tables.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// Shells and package managers.
    pub(super) programs: Programs,
    /// Programs that run a program of their arguments.
    pub(super) runners: Runners,
    /// The directories of the system, and names that are left out of an application's own.
    pub(super) application: Application,
    /// Files that Java runtimes load by name.
    pub(super) java: Java,
    /// Files that are loaded by name when something is used.
    pub(super) families: FamilyTable,
    /// Files that Python's modules need beside modules.
    pub(super) python: Python,
    /// Directives of configuration files that name paths.
    pub(super) configuration: Configuration,
    /// Marks of machine code by which its constants are read.
    pub(super) constants: Constants,
    /// Names that are left out where a computed name widens to a directory.
    pub(super) widened: WidenedNames,
}

/// `widened.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WidenedNames {
    /// The source of the facts.
    #[serde(rename = "source")]
    _source: String,
    /// Patterns of names of directories that nothing in production is loaded from.
    pub(super) directories: Vec<String>,
    /// Patterns of names of files that are tests, documentation, stubs or sources of extensions.
    pub(super) files: Vec<String>,
}

/// `constants.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Constants {
    /// The source of the facts.
    #[serde(rename = "source")]
    _source: String,
    /// Texts that mark a file whose constants stand one behind the other, without an end.
    pub(super) joined: Vec<String>,
    /// Names of libraries whose constants are not followed.
    pub(super) silent: Vec<String>,
    /// Paths of directories in which interpreters look for the modules that sources and settings name.
    pub(super) languages: Vec<String>,
}

/// `python.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Python {
    /// The source of the facts.
    #[serde(rename = "source")]
    _source: String,
    /// Standard modules for developers at work: other standard modules' functions don't bring them.
    pub(super) tools: Vec<String>,
    /// Packages that install and build distributions: no library's function and no entry point of theirs brings it.
    pub(super) build_tools: Vec<String>,
    /// Files that modules look for at run time.
    pub(super) data: Vec<ModuleData>,
    /// Packages that load their modules and data by name, kept whole.
    pub(super) whole: Vec<String>,
    /// Files in a package that make it one that a framework is handed by its name, and loads modules of by convention.
    pub(super) application_markers: Vec<String>,
}

/// Files that some modules look for at run time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModuleData {
    /// The modules.
    pub(super) modules: Vec<String>,
    /// Files, and directories with all that is in them.
    pub(super) paths: Vec<String>,
    /// Modules that are imported by name if they are there.
    pub(super) imports: Vec<String>,
}

/// `configuration.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Configuration {
    /// nginx's directives whose values name files and directories.
    pub(super) nginx: Vec<String>,
    /// Directories that nginx's relative paths start at, by how it was built.
    pub(super) nginx_prefixes: Vec<String>,
    /// Apache's directives whose values name files and directories, in lower case.
    pub(super) apache: Vec<String>,
    /// Settings of `php.ini` and PHP-FPM that name files and directories.
    pub(super) php: Vec<String>,
    /// Directories with PHP's extensions, or with directories of them.
    pub(super) php_extensions: Vec<String>,
    /// Directories of `include_path`, as PHP is built where it is not set.
    pub(super) php_include_path: Vec<String>,
    /// Directories that PHP is built to write sessions to.
    pub(super) php_sessions: Vec<String>,
    /// Patterns of the files that PHP reads its settings from.
    pub(super) php_ini: Vec<String>,
    /// supervisord's settings that name files and directories.
    pub(super) supervisord: Vec<String>,
    /// Extensions of configuration files.
    pub(super) extensions: Vec<String>,
    /// Extensions of files below `/etc` that are no configuration: sources, certificates, copies, texts for people.
    pub(super) other_extensions: Vec<String>,
    /// Files and directories of the system that name paths that are not needed for being named there.
    pub(super) ignored: Vec<String>,
    /// Directories in which no application's own configuration and source stand.
    pub(super) not_an_application: Vec<String>,
}

/// `families.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FamilyTable {
    /// The source of the facts.
    #[serde(rename = "source")]
    _source: String,
    /// The families.
    pub(super) families: Vec<FamilyFiles>,
}

/// Files that are loaded by name when something is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FamilyFiles {
    /// Why they are loaded, for the evidence.
    pub(super) why: String,
    /// Names of the libraries that bring them, with patterns.
    pub(super) of: Vec<String>,
    /// Names of files in machine code that do not bring them, whatever they hold.
    #[serde(default)]
    pub(super) not: Vec<String>,
    /// Texts one of which a file in machine code holds that brings them.
    #[serde(default)]
    pub(super) contains: Vec<String>,
    /// True if static programs bring them.
    #[serde(default, rename = "static")]
    pub(super) is_static: bool,
    /// Patterns of their absolute paths; `/**` at the end is everything below.
    pub(super) brings: Vec<String>,
}

/// `programs.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Programs {
    /// Names of shells.
    pub(super) shells: Vec<String>,
    /// Names of package managers.
    pub(super) package_managers: Vec<String>,
    /// Names of programs that a program may hold for another reason: functions of the C library, and words.
    pub(super) functions: Vec<String>,
    /// Names of the utilities on which a line for a shell counts: those of POSIX.1-2017 ("Shell and Utilities", chapter 4)
    /// but for editors, mail, printing, batches, accounts of others and what compiles.
    pub(super) utilities: Vec<String>,
    /// Names of the interpreters of other languages: what they run is said by sources.
    pub(super) interpreters: Vec<String>,
}

impl Programs {
    /// Returns whether `name` is that of a shell or another interpreter, with a version or without.
    pub(super) fn is_language(&self, name: &[u8]) -> bool {
        let mut names = self.shells.iter().chain(&self.interpreters);
        names.any(|language| is_version_of(name, language))
    }
}

/// `runners.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Runners {
    /// The source of the facts.
    #[serde(rename = "source")]
    _source: String,
    /// Names that the shell runs itself.
    pub(super) builtins: Vec<String>,
    /// The programs.
    runners: Vec<Runner>,
    /// The arguments of shells (`programs.json`).
    shell: Runner,
}

/// Programs that run a program of their arguments, and how those are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Runner {
    /// Their names.
    names: Vec<String>,
    /// Number of arguments before the program that they run, options apart.
    #[serde(default)]
    pub(super) operands: usize,
    /// Options whose value is the next word.
    #[serde(default)]
    pub(super) values: Vec<String>,
    /// Options whose value is a line for a shell.
    #[serde(default)]
    pub(super) lines: Vec<String>,
    /// Options behind which a program stands.
    #[serde(default)]
    pub(super) programs: Vec<String>,
    /// True if the first argument is a line for the shell.
    #[serde(default)]
    pub(super) line_operand: bool,
}

impl Runners {
    /// Returns how the arguments of the program `name` are read, if it runs one of them.
    pub(super) fn find(&self, name: &str) -> Option<&Runner> {
        let is = |names: &[String]| names.iter().any(|known| known == name);
        let runner = self.runners.iter().find(|runner| is(&runner.names));
        runner.or_else(|| is(&Tables::built_in().programs.shells).then_some(&self.shell))
    }
}

/// `application.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    /// Directories of the system, which are no application's own; what is below them may be.
    pub(super) system: Vec<String>,
    /// Those of them in which distributions put nothing: an application's own where an image's config names one.
    pub(super) places: Vec<String>,
    /// Directories of the system below which nothing is an application's own either.
    pub(super) not_below: Vec<String>,
    /// Directories whose files are not kept because something names them: documentation, caches, databases of package
    /// managers, and what the runtime mounts.
    pub(super) not_named: Vec<String>,
    /// Names and patterns (`*`, `?`) that are left out, by why.
    pub(super) left_out: Vec<LeftOutNames>,
}

/// Names that are left out for one reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeftOutNames {
    /// The kind of the reason.
    pub(super) kind: LeftOutKind,
    /// The reason, for the report.
    pub(super) why: String,
    /// The names.
    pub(super) names: Vec<String>,
}

/// `java.json`; directories are seen from the runtime's home.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Java {
    /// Files that any program may need.
    pub(super) runtime: Vec<JavaFiles>,
    /// Files that images and fonts need.
    pub(super) desktop: JavaDesktop,
}

/// Files of a Java runtime that need each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JavaDesktop {
    /// Beginnings of the names of classes that load the libraries.
    pub(super) packages: Vec<String>,
    /// Beginnings of names among those of classes that run without.
    pub(super) alone: Vec<String>,
    /// Names of libraries; one may have a `*`.
    pub(super) libraries: Vec<String>,
    /// The data that they read.
    pub(super) data: Vec<JavaFiles>,
}

/// Files of one directory of a Java runtime.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JavaFiles {
    /// The directory.
    pub(super) directory: String,
    /// Names in it; one may have a `*`, and `**` is everything below.
    pub(super) names: Vec<String>,
}

static BUILT_IN: LazyLock<Tables> = LazyLock::new(|| {
    let checked = "a table in profiles/ is read by a test of this module";
    Tables {
        programs: serde_json::from_str(include_str!("../../../profiles/reach/programs.json")).expect(checked),
        runners: serde_json::from_str(include_str!("../../../profiles/reach/runners.json")).expect(checked),
        application: serde_json::from_str(include_str!("../../../profiles/reach/application.json"))
            .expect(checked),
        families: serde_json::from_str(include_str!("../../../profiles/reach/families.json")).expect(checked),
        java: serde_json::from_str(include_str!("../../../profiles/reach/java.json")).expect(checked),
        python: serde_json::from_str(include_str!("../../../profiles/reach/python.json")).expect(checked),
        configuration: serde_json::from_str(include_str!("../../../profiles/reach/configuration.json"))
            .expect(checked),
        constants: serde_json::from_str(include_str!("../../../profiles/reach/constants.json"))
            .expect(checked),
        widened: serde_json::from_str(include_str!("../../../profiles/reach/widened.json")).expect(checked),
    }
});

impl Tables {
    /// The tables of `profiles/reach/`.
    pub(super) fn built_in() -> &'static Self {
        &BUILT_IN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_well_formed() {
        let tables = Tables::built_in();
        assert!(tables.programs.shells.contains(&"bash".to_owned()));
        assert!(!tables.java.desktop.libraries.is_empty());
        assert!(tables.application.system.iter().all(|path| path.starts_with('/')));
    }
}
