//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/main.py",
    "/usr/lib/python3/dist-packages/x.pth",
    "/usr/lib/python3/dist-packages/d-1.dist-info/entry_points.txt",
    "/usr/lib/python3/dist-packages/d-1.dist-info/RECORD",
    "/app/pyvenv.cfg",
];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/python3", "-> python3.11"),
    ("/usr/bin/python3.11", "elf"),
    ("/usr/lib/python3.11/os.py", "import a"),
    ("/usr/lib/python3.11/a/__init__.py", "from . import b"),
    ("/usr/lib/python3.11/a/b.py", "import os, main"),
    ("/usr/lib/python3/dist-packages/d.py", "import os"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
