//! SELinux modules of hostile recordings: one block, of statements that are known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::profile::Selinux;
use slim_fuzz::{profile, read};

fuzz_target!(|data: &[u8]| {
    let Some(made) = profile::made(data) else { return };
    let Some(text) = made.render(&Selinux) else { return };
    let all = read::cil(&text);
    assert_eq!(all.len(), 1, "one block");
    assert_eq!(all[0].head(), "block");
    for statement in &all[0].rest()[1..] {
        let inside = match statement.head() {
            "optional" => &statement.rest()[1..],
            "type" | "roletype" | "typeattributeset" | "allow" => continue,
            other => panic!("{other}"),
        };
        for statement in inside {
            assert!(
                ["allow", "typeattributeset"].contains(&statement.head()),
                "{statement:?}"
            );
        }
    }
});
