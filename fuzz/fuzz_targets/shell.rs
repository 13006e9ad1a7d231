//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &["/app/run.sh", "/app/env"];
const FIXED: &[(&str, &str)] = &[
    ("/bin/sh", "elf"),
    ("/usr/bin/tool", "elf"),
    ("/app/lib.sh", ". ./run.sh"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
