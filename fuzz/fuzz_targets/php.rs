//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/index.php",
    "/app/src/Kernel.php",
    "/app/vendor/composer/autoload_static.php",
    "/app/vendor/composer/installed.json",
    "/app/config/services.yaml",
    "/etc/php/8.2/cli/php.ini",
];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/php", "elf"),
    ("/app/templates/page.php", "<?= $page ?>"),
    ("/app/vendor/autoload.php", "<?php require __DIR__ . '/composer/autoload_real.php';"),
    ("/app/vendor/composer/autoload_real.php", "<?php require __DIR__ . '/autoload_static.php';"),
    ("/app/vendor/a/a/composer.json", "{}"),
    ("/app/vendor/a/a/src/A.php", "<?php namespace A; class A extends B {}"),
    ("/app/vendor/a/a/src/B.php", "<?php namespace A; class B extends A {}"),
    ("/usr/lib/php/20220829/own.so", "elf"),
    ("/usr/share/php/Mail.php", "<?php require_once 'Mail/' . $driver . '.php';"),
    ("/usr/share/php/Mail/smtp.php", "<?php require_once 'Mail.php';"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
