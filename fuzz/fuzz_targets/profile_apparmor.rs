//! AppArmor profiles of hostile recordings: every line is a rule, and rules name only what was recorded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::path::RootPath;
use slim_core::profile::AppArmor;
use slim_core::recording::Access;
use slim_fuzz::{profile, read};

const DEVICES: [&str; 2] = ["/dev/console", "/dev/null"];

fuzz_target!(|data: &[u8]| {
    let Some(made) = profile::made(data) else { return };
    let Some(text) = made.render(&AppArmor) else {
        return;
    };
    let rules = read::apparmor(&text);
    let paths = made.paths();
    for rule in rules.iter().filter(|rule| rule.exact) {
        let device = DEVICES.iter().any(|device| rule.start == device.as_bytes());
        assert!(
            device || read::is_of(&rule.start, &paths),
            "{rule:?} was not recorded"
        );
    }
    for rule in rules.iter().filter(|rule| !rule.exact) {
        let slash = rule
            .start
            .iter()
            .rposition(|&b| b == b'/')
            .expect("a pattern is absolute");
        let directory = RootPath::new(&rule.start[..slash]);
        let proc = directory.starts_with(&RootPath::new("/proc")) || directory == RootPath::new("/dev/pts");
        assert!(
            proc || paths.contains(&directory),
            "{rule:?} leaves the recorded directories"
        );
    }
    // What was only read is named as it is, or lies below a directory that was joined or made.
    for used in &made.run().files {
        if used.access.contains(&Access::Read) && !used.path.starts_with(&RootPath::new("/proc")) {
            let path = used.path.as_bytes();
            let covered = rules.iter().any(|rule| {
                let start = rule.start.strip_suffix(b"/").unwrap_or(&rule.start);
                rule.letters.contains('r')
                    && if rule.exact {
                        start == path || path == b"/"
                    } else {
                        path.starts_with(start)
                    }
            });
            assert!(covered, "{} has no rule", used.path);
        }
    }
});
