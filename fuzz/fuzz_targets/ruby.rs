//! The closure over hostile files, as `reach/` and `image/packages.rs` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

const HOSTILE: &[&str] = &[
    "/app/main.rb",
    "/app/Gemfile",
    "/app/Gemfile.lock",
    "/var/lib/gems/3.1.0/specifications/g-1.0.gemspec",
];
const FIXED: &[(&str, &str)] = &[
    ("/usr/bin/ruby", "elf"),
    ("/usr/lib/ruby/3.1.0/set.rb", "require \"json\""),
    ("/usr/lib/ruby/3.1.0/json.rb", "require \"set\""),
    ("/var/lib/gems/3.1.0/gems/g-1.0/lib/g.rb", ""),
];

fuzz_target!(|data: &[u8]| slim_fuzz::close_over(HOSTILE, FIXED, data));
