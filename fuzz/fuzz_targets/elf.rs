//! What a loader reads of an ELF file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::reach::elf_parse::parse;

fuzz_target!(|data: &[u8]| {
    let read = |offset: u64, length: usize| {
        let rest = usize::try_from(offset).ok().and_then(|start| data.get(start..));
        Ok(rest.map_or(Vec::new(), |rest| rest[..rest.len().min(length)].to_vec()))
    };
    let _ = parse(&read);
});
