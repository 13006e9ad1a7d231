//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/program",
    "/usr/lib/x86_64-linux-gnu/libx.so.1",
    "/etc/ld.so.conf",
    "/etc/nsswitch.conf",
];
const FIXED: &[(&str, &str)] = &[
    ("/lib64/ld-linux-x86-64.so.2", "elf"),
    ("/usr/lib/x86_64-linux-gnu/libc.so.6", "elf"),
    ("/usr/lib/x86_64-linux-gnu/libnss_files.so.2", "elf"),
    ("/usr/share/zoneinfo/UTC", "tz"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
