//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/server.js",
    "/app/package.json",
    "/app/node_modules/m/package.json",
    "/app/node_modules/m/index.js",
];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/node", "elf"),
    ("/app/lib/a.js", "require(\"./b\")"),
    ("/app/lib/b.js", "require(\"./a\")"),
    ("/app/node_modules/m/lib/x.js", ""),
    (
        "/app/node_modules/@s/p/package.json",
        "{\"exports\":{\"./*\":\"./*.js\"}}",
    ),
    ("/app/node_modules/@s/p/a.js", ""),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
