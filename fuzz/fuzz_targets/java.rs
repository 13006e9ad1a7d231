//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &["/app/app.jar", "/app/lib/b.jar"];
const FIXED: &[(&str, &str)] = &[
    ("/usr/lib/jvm/j/lib/server/libjvm.so", "elf"),
    ("/usr/lib/jvm/j/lib/modules", ""),
    ("/usr/lib/jvm/j/bin/java", "elf"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
