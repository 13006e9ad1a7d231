//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &["/app/main.pl", "/usr/share/perl5/A.pm"];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/perl", "elf"),
    ("/usr/share/perl5/B.pm", "package B; use A;"),
    ("/usr/share/perl/5.36/strict.pm", "1"),
    ("/usr/lib/x86_64-linux-gnu/perl/5.36/auto/A/A.so", "elf"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
