//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/etc/nginx/nginx.conf",
    "/etc/nginx/conf.d/a.conf",
    "/etc/apache2/apache2.conf",
    "/etc/supervisor/supervisord.conf",
    "/etc/php/8.2/fpm/php.ini",
    "/etc/php/8.2/fpm/pool.d/www.conf",
    "/etc/cron.d/job",
    "/app/config.yml",
];
const FIXED: &[(&str, &str)] = &[
    ("/srv/site/index.html", ""),
    ("/usr/lib/nginx/modules/m.so", "elf"),
    ("/usr/bin/tool", "elf"),
    ("/usr/lib/php/20220829/x.so", "elf"),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
