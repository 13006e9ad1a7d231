//! The database of rpm, as `image/packages/` reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slim_core::image::packages;
use slim_core::path::RootPath;

fuzz_target!(|data: &[u8]| {
    let files = [
        (RootPath::new("/usr/bin/tool1"), Vec::new()),
        (RootPath::new("/var/lib/rpm/rpmdb.sqlite"), data.to_vec()),
    ];
    let rootfs = slim_fuzz::rootfs(files);
    let owners = packages::owners(&rootfs);
    let owned = owners.names().filter_map(|name| owners.files(name)).flatten();
    assert!(owned.into_iter().all(|path| rootfs.get(path).is_some()));
});
