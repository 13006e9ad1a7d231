//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/index.php",
    "/app/vendor/composer/autoload_psr4.php",
    "/app/composer.json",
    "/app/vendor/composer/autoload_classmap.php",
];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/php", "elf"),
    ("/app/vendor/autoload.php", "<?php"),
    ("/app/src/A.php", "<?php use B;"),
    ("/app/vendor/v/p/src/B.php", "<?php"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
