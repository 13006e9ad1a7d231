//! The closure over hostile files of one language: the one that `SLIM_FUZZ_LANGUAGE` names, or all of them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slim_core::reach::{LANGUAGES, Language};

static CHOSEN: LazyLock<Vec<&Language>> = LazyLock::new(|| {
    let name = std::env::var("SLIM_FUZZ_LANGUAGE").ok();
    let is_chosen = |language: &&Language| name.as_ref().is_none_or(|name| *name == language.name.to_lowercase());
    let chosen: Vec<&Language> = LANGUAGES.iter().filter(is_chosen).collect();
    assert!(!chosen.is_empty(), "SLIM_FUZZ_LANGUAGE={name:?}: there is no such language");
    chosen
});

fuzz_target!(|data: &[u8]| {
    for language in CHOSEN.iter() {
        slim_fuzz::close_over(language.sample.hostile, language.sample.fixed, data);
    }
});
