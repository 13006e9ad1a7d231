//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &["/app/main.lua", "/usr/share/lua/5.4/a.lua"];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/lua5.4", "elf"),
    ("/usr/share/lua/5.4/b/init.lua", "require \"a\""),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
