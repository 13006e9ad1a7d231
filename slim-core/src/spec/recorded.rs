//! Options that come from elsewhere than a command line: from a recording, or from a container that somebody else created.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::{ContainerOptions, ContainerSpec, Error, ParseContext};

impl ContainerSpec {
    /// Returns the description that `words` give, each an option's name and, unless it is a flag, its value. What slim does
    /// not take, or cannot read, is in [`ContainerSpec::not_carried`].
    ///
    /// The words may come from anywhere: no file that they name is read, and no value of a variable is looked up.
    pub fn from_words(words: &[Vec<String>], command: &[String]) -> Self {
        let (parsed, not_carried) = Self::read_words(words, command);
        // Each of them was read alone; together none has another meaning.
        let mut spec = parsed.unwrap_or_else(|error| Self {
            not_carried: [error.to_string()].into(),
            ..Self::default()
        });
        spec.not_carried.extend(not_carried);
        spec
    }

    /// As [`ContainerSpec::from_words`], but an error where words that can be read one by one contradict each other.
    pub(crate) fn try_from_words(words: &[Vec<String>]) -> Result<Self, Error> {
        let (parsed, not_carried) = Self::read_words(words, &[]);
        let mut spec = parsed?;
        spec.not_carried.extend(not_carried);
        Ok(spec)
    }

    /// Returns the description that the readable words give together, and the others.
    fn read_words(words: &[Vec<String>], command: &[String]) -> (Result<Self, Error>, Vec<String>) {
        let context = ParseContext {
            directory: Path::new("/"),
            lookup: &|_| None,
        };
        let mut options = ContainerOptions::default();
        let mut not_carried = Vec::new();
        for words in words {
            let mut alone = ContainerOptions::default();
            let name = words.first().map_or("", String::as_str);
            let value = words.get(1).map(String::as_str);
            let is_file = name == "--security-opt"
                && value
                    .and_then(|value| {
                        value
                            .strip_prefix("seccomp")
                            .map(|file| &file[file.len().min(1)..])
                    })
                    .is_some_and(|file| !matches!(file, "unconfined" | "builtin"));
            let readable = !is_file && set(&mut alone, name, value) && Self::parse(&alone, &context).is_ok();
            if !readable || !set(&mut options, name, value) {
                not_carried.push(words.join(" "));
            }
        }
        options.command = command.to_vec();
        (Self::parse(&options, &context), not_carried)
    }
}

/// Groups plain words into options, each a name followed by its value or `NAME=VALUE` in one word.
pub(crate) fn group(words: &[String]) -> Vec<Vec<String>> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = match word.split_once('=') {
            Some((name, "true")) if is_flag(name) => vec![name.to_owned()],
            Some((name, value)) => vec![name.to_owned(), value.to_owned()],
            None if is_flag(word) => vec![word.clone()],
            None => [Some(word), words.next()]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        };
        options.push(option);
    }
    options
}

/// The options of a command line and their values, which say of what type each is.
fn defaults() -> &'static Map<String, Value> {
    static DEFAULTS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
        let Ok(Value::Object(mut options)) = serde_json::to_value(ContainerOptions::default()) else {
            unreachable!("options are a structure of words, numbers and flags");
        };
        options.remove("command");
        options
    });
    &DEFAULTS
}

/// Returns the names of the options of `docker run` that slim takes, without hyphens before them.
pub fn carried() -> impl Iterator<Item = &'static str> {
    defaults().keys().map(String::as_str)
}

/// Returns true for an option without a value: a word behind it would be taken for the image.
pub(crate) fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--");
    name.is_some_and(|name| defaults().get(name).is_some_and(Value::is_boolean))
}

/// Sets the option `name`; false where slim takes none of that name from elsewhere, or its number is none.
fn set(options: &mut ContainerOptions, name: &str, value: Option<&str>) -> bool {
    let Some(name) = name.strip_prefix("--").filter(|name| !name.ends_with("-file")) else {
        return false;
    };
    let Ok(Value::Object(mut all)) = serde_json::to_value(&*options) else {
        return false;
    };
    let candidates = match (defaults().get(name), value) {
        (Some(Value::Bool(_)), None) => vec![true.into()],
        (Some(Value::Array(_)), Some(value)) => {
            let mut list = all[name].as_array().cloned().unwrap_or_default();
            list.push(value.into());
            vec![list.into()]
        }
        // A text or a number, as the field takes it.
        (Some(Value::Null), Some(value)) => {
            let number = value.parse::<i64>().ok().map(Value::from);
            [Value::from(value)].into_iter().chain(number).collect()
        }
        _ => return false,
    };
    for candidate in candidates {
        all.insert(name.to_owned(), candidate);
        if let Ok(read) = serde_json::from_value(Value::Object(all.clone())) {
            *options = read;
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(words: &[&str]) -> ContainerSpec {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        ContainerSpec::from_words(&group(&words), &[])
    }

    #[test]
    fn what_slim_does_not_take_is_named() {
        let spec = from(&[
            "--privileged=true",
            "--read-only",
            "--label",
            "a=b",
            "--user",
            "a:b:c",
            "--network=host",
            "--volumes-from",
            "other",
        ]);
        assert!(spec.read_only);
        assert_eq!(spec.labels["a"], "b");
        assert_eq!(spec.network.mode, crate::spec::NetworkMode::Host);
        assert_eq!(spec.user, None);
        let names: Vec<&str> = spec.not_carried.iter().map(String::as_str).collect();
        assert_eq!(
            names,
            ["--privileged true", "--user a:b:c", "--volumes-from other"]
        );
    }

    #[test]
    fn no_file_is_read_for_words_from_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let profile = directory.path().join("p.json");
        std::fs::write(&profile, "{}").unwrap();
        for option in [
            format!("seccomp={}", profile.display()),
            format!("seccomp:{}", profile.display()),
        ] {
            let spec = from(&["--security-opt", &option]);
            assert!(spec.security.is_default(), "{option}");
            assert_eq!(spec.not_carried.len(), 1);
        }
        let env_file = format!("--env-file={}", profile.display());
        assert_eq!(from(&[&env_file]).not_carried.len(), 1);
        let unconfined = from(&["--security-opt", "seccomp=unconfined"]);
        assert_eq!(
            unconfined.security.seccomp,
            crate::spec::SeccompChoice::Unconfined
        );
    }

    #[test]
    fn every_option_is_set_by_its_name() {
        let takes: Vec<&str> = carried().filter(|name| !name.ends_with("-file")).collect();
        assert!(takes.len() > 50, "{takes:?}");
        for name in takes {
            let mut options = ContainerOptions::default();
            let word = format!("--{name}");
            let value = (!is_flag(&word)).then_some("7");
            assert!(set(&mut options, &word, value), "{name}");
            assert_ne!(options, ContainerOptions::default(), "{name}");
            let other = value.map_or(Some("7"), |_| None);
            assert!(!set(&mut options, &word, other), "{name}");
        }
        let mut options = ContainerOptions::default();
        for (name, value) in [
            ("--cpu-shares", "many"),
            ("--command", "x"),
            ("--env-file", "x"),
            ("env", "A"),
        ] {
            assert!(!set(&mut options, name, Some(value)), "{name}");
        }
        assert_eq!(options, ContainerOptions::default());
        assert!(set(&mut options, "--dns", Some("1.1.1.1")) && set(&mut options, "--dns", Some("2.2.2.2")));
        assert_eq!(options.dns, ["1.1.1.1", "2.2.2.2"]);
        assert!(set(&mut options, "--memory", Some("64")));
        assert_eq!(options.memory.as_deref(), Some("64"));
    }

    #[test]
    fn an_option_is_taken_or_refused() {
        for (name, _) in crate::spec::REFUSED {
            assert!(!carried().any(|carried| carried == *name), "{name}");
        }
    }

    #[test]
    fn a_value_is_never_taken_for_an_option() {
        let spec = from(&["--label", "--privileged", "--hostname", "-x"]);
        assert_eq!(spec.labels["--privileged"], "");
        assert_eq!(spec.not_carried.len(), 1);
    }
}
