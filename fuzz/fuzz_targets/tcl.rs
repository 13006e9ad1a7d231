//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/main.tcl",
    "/usr/share/tcltk/tcl8.6/init.tcl",
    "/usr/share/tcltk/p/pkgIndex.tcl",
    "/usr/share/tcltk/p/tclIndex",
];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/tclsh", "elf"),
    ("/usr/share/tcltk/p/p.tcl", "package require p"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
