//! `run.sh` of hostile recordings: the words of its command come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::profile::RunSh;
use slim_fuzz::{profile, read};

fuzz_target!(|data: &[u8]| {
    let Some(made) = profile::made(data) else { return };
    let Some(text) = made.render(&RunSh) else { return };
    let words = read::shell(&text);
    let container = made.launch().to_container();
    let mut end: Vec<String> = container.to_words().concat();
    end.extend(container.command);
    assert!(words.ends_with(&end), "{words:?} do not end in {end:?}");
});
