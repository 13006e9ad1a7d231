//! `run.sh` of hostile recordings: the words of its command come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::profile::{RunSh, recorded_command, recorded_options};
use slim_fuzz::{profile, read};

fuzz_target!(|data: &[u8]| {
    let Some(made) = profile::made(data) else { return };
    let Some(text) = made.render(&RunSh) else { return };
    let words = read::shell(&text);
    let facts = &made.run().container;
    let options = recorded_options(facts);
    let mut end: Vec<String> = options.concat();
    end.push(made.image.reference.clone());
    end.extend(recorded_command(facts, &options, &made.image.config));
    assert!(words.ends_with(&end), "{words:?} do not end in {end:?}");
});
