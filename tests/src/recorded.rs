//! Recordings that nobody made: what is tested is what follows from one.

use slim_core::digest::Digest;
use slim_core::recording::{EngineFacts, Observed, Recording, Run, RuntimeFacts, SyscallUse};

/// A recording of one run, in which a container under the default filter of Docker 20.10 made these calls; `change` says
/// what else is known.
///
/// # Panics
///
/// Never: the run is of the recording's image.
pub fn recorded(calls: Vec<SyscallUse>, change: impl FnOnce(&mut Run)) -> Recording {
    let image = Digest::of(b"image");
    let mut run = Run {
        engine: EngineFacts {
            name: "docker".into(),
            version: "20.10".into(),
            api: String::new(),
        },
        runtime: RuntimeFacts {
            name: "runc".into(),
            version: String::new(),
        },
        observed: Observed {
            syscalls: calls,
            ..Observed::default()
        },
        ..Run::new(image.clone(), "app:1")
    };
    change(&mut run);
    let mut recording = Recording::new(image);
    recording.insert(run).expect("the run is of this image");
    recording
}
