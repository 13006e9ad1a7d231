//! The first version of the recording format.
//!
//! It held the container's options as words of a shell (`options`, and the names of variables once more in `env_names`)
//! where the second has a [`ContainerSpec`].

use std::path::Path;

use serde_json::Value;

use super::{Error, Recording, Run, VERSION};
use crate::digest::Digest;
use crate::spec::{ContainerSpec, group};

/// The version that this reads.
pub(super) const VERSION_1: u32 = 1;

/// Reads a recording of version 1, and checks each run against its key.
///
/// # Errors
/// [`Error::Json`], [`Error::Damaged`], [`Error::Options`], [`Error::DifferentImages`].
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Recording, Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Old {
        #[serde(rename = "version")]
        _version: u32,
        image: Digest,
        runs: std::collections::BTreeMap<Digest, Value>,
    }
    let json = |source| Error::Json {
        path: path.to_owned(),
        source,
    };
    let old: Old = serde_json::from_slice(bytes).map_err(json)?;
    let mut recording = Recording::new(old.image);
    for (key, mut run) in old.runs {
        // Members keep their order, so the compact form is the one whose digest is the key.
        if Digest::of(run.to_string().as_bytes()) != key {
            return Err(Error::Damaged {
                path: path.to_owned(),
                key,
            });
        }
        convert(&mut run).map_err(|reason| Error::Options {
            path: path.to_owned(),
            key,
            reason,
        })?;
        let run: Run = serde_json::from_value(run).map_err(json)?;
        recording.insert(run)?;
    }
    debug_assert_eq!(recording.version, VERSION);
    Ok(recording)
}

/// Replaces the words of the container's options by the description that they give.
///
/// # Errors
/// The reason why they give none. Options that slim does not take are in the description, as not carried.
fn convert(run: &mut Value) -> Result<(), String> {
    let Some(container) = run.get_mut("container").and_then(Value::as_object_mut) else {
        // Parsing the run names what it lacks.
        return Ok(());
    };
    container.remove("env_names");
    let words: Vec<String> = match container.remove("options") {
        None => Vec::new(),
        Some(options) => serde_json::from_value(options).map_err(|error| error.to_string())?,
    };
    let words: Vec<String> = words.iter().map(|word| unquote(word)).collect();
    // The command is in `command`, as it ran: which of it the image's entrypoint is, the image says.
    let spec = ContainerSpec::try_from_words(&group(&words)).map_err(|error| error.to_string())?;
    let spec = serde_json::to_value(spec).map_err(|error| error.to_string())?;
    container.insert("spec".to_owned(), spec);
    Ok(())
}

/// Returns the text that slim quoted for a shell: parts in single quotes, and quotes behind backslashes. Any other text is
/// returned as it is.
fn unquote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        if let Some((inside, after)) = quoted {
            out.push_str(inside);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(r"\'") {
            out.push('\'');
            rest = after;
        } else {
            return text.to_owned();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn converted(options: Value) -> Result<Value, String> {
        let mut run = serde_json::json!({"container": {"options": options}});
        convert(&mut run).map(|()| run["container"]["spec"].take())
    }

    #[test]
    fn options_that_give_no_description_are_an_error() {
        assert!(converted(serde_json::json!(["--read-only"])).is_ok_and(|spec| spec.is_object()));
        for options in [
            serde_json::json!("--read-only"),
            serde_json::json!(["--user", 7]),
            serde_json::json!({}),
        ] {
            assert!(converted(options.clone()).is_err(), "{options}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_word_is_read_again(text in any::<String>()) {
            prop_assert_eq!(unquote(&crate::profile::shell_word(&text)), text);
        }
    }
}
