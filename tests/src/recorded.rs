//! Recordings that nobody made: what is tested is what follows from one.

use slim_core::digest::Digest;
use slim_core::recording::{
    Abi, Actor, ContainerFacts, EngineFacts, HostFacts, Losses, Measured, Outcome, Peaks, Phase, Purpose,
    Recording, Run, RuntimeFacts, SyscallUse,
};

/// A call that the application made once, while starting.
pub fn called(name: &str, number: u32) -> SyscallUse {
    SyscallUse {
        abi: Abi::Native,
        number,
        name: name.to_owned(),
        phase: Phase::StartUp,
        actor: Actor::App,
        program: None,
        count: 1,
        failed: 0,
        first_failure: None,
        first_path: None,
    }
}

/// A recording of one run, in which a container under the default filter of Docker 20.10 made these calls; `change` says
/// what else is known.
///
/// # Panics
///
/// Never: the run is of the recording's image.
pub fn recorded(calls: Vec<SyscallUse>, change: impl FnOnce(&mut Run)) -> Recording {
    let image = Digest::of(b"image");
    let engine = EngineFacts {
        name: "docker".into(),
        version: "20.10".into(),
        api: String::new(),
    };
    let runtime = RuntimeFacts {
        name: "runc".into(),
        version: String::new(),
    };
    let mut run = Run {
        image: image.clone(),
        reference: "app:1".into(),
        purpose: Purpose::Recorded,
        round: None,
        started: 0,
        duration_ms: 0,
        host: HostFacts::default(),
        engine,
        runtime,
        container: ContainerFacts::default(),
        phases: vec![],
        syscalls: calls,
        arguments: None,
        files: vec![],
        capabilities: vec![],
        capabilities_measured: Measured::Measured,
        sockets: vec![],
        programs: vec![],
        processes: vec![],
        alarms: Default::default(),
        losses: Losses::default(),
        peaks: Peaks::default(),
        exchanges: vec![],
        outcome: Outcome::default(),
    };
    change(&mut run);
    let mut recording = Recording::new(image);
    recording.insert(run).expect("the run is of this image");
    recording
}
