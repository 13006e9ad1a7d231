//! Unit files of hostile recordings: every line is a setting, and words come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::profile::{Podman, Systemd};
use slim_fuzz::{profile, read};

fuzz_target!(|data: &[u8]| {
    let Some(made) = profile::made(data) else { return };
    let paths = made.paths();
    if let Some(text) = made.render(&Systemd) {
        for (key, value) in read::unit(&text) {
            if ["ReadOnlyPaths", "ReadWritePaths", "ExecPaths", "NoExecPaths"].contains(&key) {
                let words = read::words(value, false);
                assert_eq!(words.len(), 1, "{key}={value}");
                assert!(
                    words[0] == b"/" || read::is_of(&words[0], &paths),
                    "{key}={value} was not recorded"
                );
            }
        }
    }
    if let Some(text) = made.render(&Podman) {
        let settings = read::unit(&text);
        let container = made.launch().to_container();
        let given: Vec<Vec<Vec<u8>>> = settings
            .iter()
            .filter(|(key, _)| *key == "PodmanArgs")
            .map(|(_, value)| read::words(value, true))
            .collect();
        for option in container.to_words().iter().filter(|option| option[0] == "--label") {
            let words: Vec<Vec<u8>> = option.iter().map(|word| word.clone().into_bytes()).collect();
            assert!(given.contains(&words), "{option:?} in {text}");
        }
        let command = settings.iter().find(|(key, _)| *key == "Exec");
        let read: Vec<Vec<u8>> = command
            .map(|(_, value)| read::words(value, true))
            .unwrap_or_default();
        let expected: Vec<Vec<u8>> = container.command.into_iter().map(String::into_bytes).collect();
        assert_eq!(read, expected);
    }
});
