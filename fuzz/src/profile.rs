//! A recording whose texts are an input's, for the renderers of profiles.
//!
//! An input is a list of parts. A part is a letter, a blank, for some a word and a blank, and text:
//!
//! ```text
//! p rwc /srv/a b      a path, and what was done to it: r(ead), w(rite), a(ppend), c(reate), x (executed), m(apped),
//!                     l(isted), k (locked), d (removed), b (bound as a socket), g (attributes changed)
//! e /srv/a            a file of the image
//! o --label x=y       an option that the container was given
//! c word              a word of its command
//! s tcp80 10.0.0.1    a socket: t(cp), u(dp) or (uni)x, connected to, and its port
//! r reference         the image's name
//! ```

use std::collections::{BTreeMap, BTreeSet};

use slim_core::digest::Digest;
use slim_core::image::{Config, Image};
use slim_core::path::RootPath;
use slim_core::pipeline::{ProductOptions, plan};
use slim_core::plan::{Changes, Plan, confine, recorded_container, unverified};
use slim_core::profile::{Artifact, Context, Options};
use slim_core::recording::{
    Access, Actor, ContainerFacts, EngineFacts, FileUse, HostFacts, Observed, Phase, Recording, Run, RuntimeFacts, SocketAction,
    SocketUse, SyscallUse,
};
use slim_core::spec::{ContainerSpec, LaunchSpec};

use crate::{rootfs, split};

/// What profiles are rendered from.
pub struct Made {
    /// What is allowed.
    pub plan: Plan,
    /// What was seen.
    pub recording: Recording,
    /// The image.
    pub image: Image,
}

/// What `data` describes; none if it cannot be a recording.
pub fn made(data: &[u8]) -> Option<Made> {
    let mut files = Vec::new();
    let mut sockets = Vec::new();
    let mut container = ContainerFacts::default();
    let mut options = Vec::new();
    let mut reference = "app:1".to_owned();
    let mut tree = vec![(RootPath::new("/usr/bin/app"), b"elf".to_vec())];
    for part in split(data) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match part {
            [b'p', b' ', rest @ ..] => {
                let (access, path) = word(rest);
                files.push(used(path, access));
            }
            [b'e', b' ', path @ ..] => tree.push((RootPath::new(path), Vec::new())),
            [b'o', b' ', rest @ ..] => {
                let (name, value) = word(rest);
                options.push(vec![text(name), text(value)]);
            }
            [b'c', b' ', rest @ ..] => container.command.push(text(rest)),
            [b's', b' ', rest @ ..] => {
                let (kind, address) = word(rest);
                sockets.push(socket(kind, text(address)));
            }
            [b'r', b' ', rest @ ..] => reference = text(rest),
            _ => {}
        }
    }
    container.spec = ContainerSpec::from_words(&options, &[]);
    let image = Image {
        id: Digest::of(b"image"),
        reference,
        config: Config::default(),
        rootfs: rootfs(tree),
    };
    let run = Run {
        host: HostFacts {
            machine: "x86_64".into(),
            kernel: "6.18".into(),
            ..HostFacts::default()
        },
        engine: EngineFacts {
            name: "docker".into(),
            version: "20.10".into(),
            api: String::new(),
        },
        runtime: RuntimeFacts {
            name: "runc".into(),
            version: String::new(),
        },
        container,
        observed: Observed {
            syscalls: ["read", "rename", "link", "mkdir", "unlink", "kill", "socketpair"]
                .map(|name| SyscallUse::once(name, 0))
                .to_vec(),
            files,
            sockets,
            ..Observed::default()
        },
        ..Run::new(image.id.clone(), &image.reference)
    };
    let mut recording = Recording::new(image.id.clone());
    recording.insert(run).ok()?;
    let plan = plan(&image, &recording, &ProductOptions::default(), &slim_core::cancel::Cancel::default()).ok()?;
    Some(Made {
        plan,
        recording,
        image,
    })
}

impl Made {
    /// A format's text; none if it refuses what it is given.
    pub fn render(&self, artifact: &dyn Artifact) -> Option<String> {
        let context = Context {
            plan: &self.plan,
            recording: &self.recording,
            image: &self.image,
            launch: &self.launch(),
            digest: &self.image.id,
            tags: &[],
            options: &Options::default(),
        };
        let bytes = artifact.render(&context).ok()?;
        Some(String::from_utf8(bytes).expect("every format is UTF-8"))
    }

    /// What the product is started with, as nobody has run it.
    pub fn launch(&self) -> LaunchSpec {
        let container = self.recording.container();
        let container = container.map(|facts| recorded_container(facts, &self.image.config));
        let base = confine(&container.unwrap_or_default(), &self.plan, &self.recording);
        let rootfs = &self.image.rootfs;
        let memory = Changes::new(&self.recording, rootfs).in_memory(&self.plan, rootfs);
        let name = slim_core::profile::profile_name(&self.plan.reference);
        unverified(&base, &memory, &name)
    }

    /// The one run.
    pub fn run(&self) -> &Run {
        self.recording.runs.values().next().expect("a run was inserted")
    }

    /// Every path that may be named: recorded or in the image, with what is above it.
    pub fn paths(&self) -> BTreeSet<RootPath> {
        let recorded = self.run().files.iter().map(|used| used.path.clone());
        let kept = self.image.rootfs.iter().map(|(path, _)| path.clone());
        let all: BTreeSet<RootPath> = recorded.chain(kept).collect();
        all.iter()
            .flat_map(RootPath::ancestors)
            .chain(all.iter().cloned())
            .collect()
    }
}

/// The first word, and what follows its blank.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == b' ') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, b""),
    }
}

fn used(path: &[u8], access: &[u8]) -> FileUse {
    let letters = BTreeMap::from([
        (b'r', Access::Read),
        (b'w', Access::Write),
        (b'a', Access::Append),
        (b'c', Access::Create),
        (b'x', Access::Execute),
        (b'm', Access::Map),
        (b'l', Access::List),
        (b'k', Access::Lock),
        (b'd', Access::Remove),
        (b'b', Access::BindSocket),
        (b'g', Access::Attributes),
    ]);
    let path: Vec<u8> = path.iter().copied().filter(|&b| b != 0).collect();
    FileUse {
        path: RootPath::new(&path),
        is_resolved: true,
        requested_path: None,
        base: None,
        access: access
            .iter()
            .filter_map(|letter| letters.get(letter).copied())
            .collect(),
        errors: BTreeSet::new(),
        on_root: true,
        no_follow: false,
        phase: Phase::StartUp,
        actor: Actor::App,
        program: None,
    }
}

fn socket(kind: &[u8], address: String) -> SocketUse {
    let port = String::from_utf8_lossy(kind);
    let port = port.trim_start_matches(|c: char| !c.is_ascii_digit());
    let (family, kind) = match kind.first() {
        Some(b'x') => ("unix", "stream"),
        Some(b'u') => ("inet", "dgram"),
        _ => ("inet", "stream"),
    };
    SocketUse {
        action: SocketAction::Connect,
        family: family.into(),
        kind: kind.into(),
        protocol: 0,
        address,
        port: port.parse().unwrap_or(0),
        phase: Phase::StartUp,
        actor: Actor::App,
        program: None,
    }
}
