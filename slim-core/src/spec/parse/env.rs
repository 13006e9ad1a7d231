//! `--env`, `--env-file` and `--label`.

use std::fs;

use super::{Error, wrong};
use crate::spec::{EnvVar, SLIM_LABELS};

/// An environment file may be this long.
const MAX_ENV_FILE: u64 = 16 << 20;

/// Returns the environment that the files and then the options add; a variable without a value unsets what the image
/// sets. `lookup` is slim's own environment.
///
/// Source: docker/cli `opts.ReadKVEnvStrings`.
///
/// # Errors
/// [`Error::Option`] and [`Error::File`].
pub(super) fn environment(
    files: &[String],
    options: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<EnvVar>, Error> {
    let mut all = Vec::new();
    for file in files {
        all.extend(env_file(file, lookup)?);
    }
    for option in options {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option.as_str(), None),
        };
        if name.is_empty() || option.contains('\0') {
            return Err(wrong(
                "env",
                option,
                "expected NAME=VALUE, or NAME to pass on slim's own",
            ));
        }
        let value = value.map(str::to_owned).or_else(|| lookup(name));
        all.push(match value {
            Some(value) => EnvVar::new(name, value),
            None => EnvVar::named(name),
        });
    }
    // The last one wins.
    let mut seen = std::collections::HashSet::new();
    let mut last: Vec<EnvVar> = all
        .into_iter()
        .rev()
        .filter(|variable| seen.insert(variable.name.clone()))
        .collect();
    last.reverse();
    Ok(last)
}

/// Lines of `NAME=VALUE` or `NAME`; empty lines and those that start with `#` are skipped, spaces before a name too;
/// everything behind `=` is the value, quotes and spaces included. A `NAME` that slim does not have is skipped.
///
/// Source: docker/cli `opts.parseKeyValueFile`.
fn env_file(path: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Vec<EnvVar>, Error> {
    let text = read("env-file", path)?;
    parse_env_file(text.trim_start_matches('\u{feff}'), lookup)
        .map_err(|(line, problem)| wrong("env-file", path, format!("line {line}: {problem}")))
}

/// Reads a file of bounded length that an option names.
fn read(flag: &'static str, path: &str) -> Result<String, Error> {
    use std::io::Read;
    let fail = |source| Error::File {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(fail)?;
    file.take(MAX_ENV_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_ENV_FILE {
        return Err(wrong(flag, path, "the file is longer than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| wrong(flag, path, "the file is not UTF-8"))
}

fn parse_env_file(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<EnvVar>, (usize, &'static str)> {
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.contains([' ', '\t']) {
            return Err((number + 1, "there is a space in the variable's name"));
        }
        if name.is_empty() {
            return Err((number + 1, "there is no variable's name before ="));
        }
        if line.contains('\0') {
            return Err((number + 1, "there is a NUL byte"));
        }
        match value {
            Some(value) => all.push(EnvVar::new(name, value)),
            None => all.extend(lookup(name).map(|value| EnvVar::new(name, value))),
        }
    }
    Ok(all)
}

/// `NAME=VALUE` or `NAME` for an empty value.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn label(text: &str) -> Result<(String, String), Error> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(wrong("label", text, "expected NAME=VALUE"));
    }
    if name.starts_with(SLIM_LABELS) {
        return Err(wrong("label", text, "labels of this name are slim's own"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Labels of files, one a line as [`label`] takes them; empty lines and those that start with `#` are skipped.
///
/// # Errors
/// [`Error::Option`] and [`Error::File`].
pub(super) fn label_files(files: &[String]) -> Result<Vec<(String, String)>, Error> {
    let mut labels = Vec::new();
    for path in files {
        let text = read("label-file", path)?;
        let lines = text.lines().map(str::trim_start);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            labels.push(label(line)?);
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mine(name: &str) -> Option<String> {
        (name == "MINE").then(|| "from slim".to_owned())
    }

    #[test]
    fn files_come_first_and_names_alone_are_looked_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("env");
        fs::write(
            &path,
            "\u{feff}# comment\n\n  A=1 \nB=\"x = y\"\r\nMINE\nOTHER\nE=\n",
        )
        .expect("a file");
        let path = path.to_str().expect("UTF-8").to_owned();
        let options = ["A=2".to_owned(), "MINE".to_owned(), "GONE".to_owned()];
        let all = environment(&[path], &options, &mine).expect("an environment");
        let all: Vec<String> = all.iter().map(EnvVar::assignment).collect();
        assert_eq!(all, ["B=\"x = y\"", "E=", "A=2", "MINE=from slim", "GONE"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let none = |_: &str| None;
        let error = environment(&[], &["=x".to_owned()], &none).expect_err("no name");
        assert!(
            error.to_string().starts_with("--env \"=x\": expected NAME=VALUE"),
            "{error}"
        );
        assert_eq!(parse_env_file("A=1\nA B=2\n", &none).expect_err("a space").0, 2);
        assert_eq!(parse_env_file("=1", &none).expect_err("no name").0, 1);
        assert!(matches!(
            environment(&["/nonexistent".to_owned()], &[], &none),
            Err(Error::File { .. })
        ));
        assert!(label("=x").is_err() && label("").is_err());
        assert!(label("io.github.slim.owner=x").is_err());
        assert_eq!(label("a").ok(), Some(("a".to_owned(), String::new())));
        assert_eq!(label("a=b=c").ok(), Some(("a".to_owned(), "b=c".to_owned())));
    }

    proptest! {
        #[test]
        fn values_pass_unchanged(name in "[A-Za-z_][A-Za-z0-9_]{0,8}", value in "[^\\r\\n\0]{0,40}") {
            let line = format!("{name}={value}");
            let none = |_: &str| None;
            prop_assert_eq!(&parse_env_file(&line, &none).expect("a line")[0].assignment(), &line);
            prop_assert_eq!(&environment(&[], std::slice::from_ref(&line), &none).expect("an option")[0].assignment(), &line);
        }

        #[test]
        fn any_file_parses_or_not(text in ".*") {
            let _ = parse_env_file(&text, &|_| None);
        }
    }
}
