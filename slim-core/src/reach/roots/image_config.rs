//! Roots: paths that the image's config names, and that engines expect of every image.

use crate::image::{Config, LastLink, Outcome, Rootfs};
use crate::path::RootPath;
use crate::plan::Cause;
use crate::reach::command;
use crate::reach::environment::Environment;
use crate::reach::resolver::Needs;
use crate::spec::system_mounts;

/// The largest number of bytes of a passwd file that are looked at.
const MAX_PASSWD: u64 = 1024 * 1024;

/// Paths that engines and programs expect of any image that has them.
const ALWAYS: [(&str, &str); 7] = [
    ("/tmp", "programs expect a temporary directory"),
    ("/var/tmp", "programs expect a temporary directory"),
    ("/etc/mtab", "the engine makes it if it is not there"),
    ("/run", "programs expect a directory for run-time state"),
    ("/var/run", "programs expect a directory for run-time state"),
    ("/etc/passwd", "engines look up users there"),
    ("/etc/group", "engines look up groups there"),
];

/// Roots for what `config` names.
pub(crate) fn roots<'a>(rootfs: &'a Rootfs, config: &Config, environment: &Environment) -> Needs<'a> {
    let mut roots = Roots {
        rootfs,
        environment,
        needs: Needs::new(rootfs),
    };
    if !config.workdir().is_empty() {
        roots.keep_path("WORKDIR", &RootPath::new(config.workdir()));
    }
    for volume in config.volumes() {
        roots.keep_path("VOLUME", &RootPath::new(volume));
    }
    if !config.user().is_empty() {
        for file in ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"] {
            roots.keep_path("USER", &RootPath::new(file));
        }
    }
    if let Some(home) = find_home(rootfs, config, environment) {
        roots.keep_path("USER", &home);
    }
    // An entrypoint that runs its arguments is given CMD's words.
    roots.keep_programs("ENTRYPOINT", &[config.entrypoint(), config.cmd()].concat());
    roots.keep_programs("CMD", &config.cmd());
    roots.keep_healthcheck(config);
    let file_systems = system_mounts::FILE_SYSTEMS.map(|path| (path, "the runtime mounts there"));
    let files = system_mounts::FILES.map(|path| (path, "the engine mounts there"));
    for (path, why) in ALWAYS.into_iter().chain(file_systems).chain(files) {
        let why = why.to_owned();
        roots.keep_existing(&RootPath::new(path), &Cause::Always { why });
    }
    roots.needs
}

struct Roots<'a, 'e> {
    rootfs: &'a Rootfs,
    environment: &'e Environment,
    needs: Needs<'a>,
}

impl Roots<'_, '_> {
    /// The entry at `path`, and the links on the way; nothing if it isn't there (engines make WORKDIR and VOLUME).
    fn keep_existing(&mut self, path: &RootPath, cause: &Cause) {
        let resolved = self.rootfs.resolve(path, LastLink::Follow);
        if resolved.outcome == Outcome::Found {
            self.needs.follow(&resolved, cause);
        } else {
            for link in &resolved.links {
                self.needs.mark(link, cause.clone());
            }
        }
    }

    fn keep_path(&mut self, instruction: &str, path: &RootPath) {
        self.keep_existing(path, &config_cause(instruction));
    }

    /// The programs that an exec form starts, those of the line in `["/bin/sh", "-c", LINE]` among them.
    fn keep_programs(&mut self, instruction: &str, argv: &[String]) {
        for program in command::programs_of_argv(argv) {
            if let Some(found) = self.environment.find_program(self.rootfs, &program, None) {
                self.needs.follow(&found, &config_cause(instruction));
            }
        }
    }

    /// Keeps what HEALTHCHECK runs. It starts half a minute after the container by default, so a recording may not have
    /// it; files that its words name are kept too.
    fn keep_healthcheck(&mut self, config: &Config) {
        let test = config.healthcheck().map(|check| check.test).unwrap_or_default();
        let argv = match test.split_first() {
            Some((kind, argv)) if kind == "CMD" => argv.to_vec(),
            Some((kind, line)) if kind == "CMD-SHELL" => {
                let shell = config.shell();
                let shell = if shell.is_empty() {
                    vec!["/bin/sh".into(), "-c".into()]
                } else {
                    shell
                };
                [&shell, line].concat()
            }
            _ => return,
        };
        self.keep_programs("HEALTHCHECK", &argv);
        for word in argv
            .iter()
            .flat_map(|word| word.split(|c: char| c.is_whitespace() || ";|&()<>'\"`".contains(c)))
        {
            if word.is_empty() || word.starts_with('-') {
                continue;
            }
            let resolved =
                self.rootfs
                    .resolve_from(&self.environment.workdir, word.as_bytes(), LastLink::Follow);
            let file = self
                .rootfs
                .get(&resolved.path)
                .is_some_and(|entry| entry.is_file());
            if resolved.outcome == Outcome::Found && file {
                self.needs.follow(&resolved, &config_cause("HEALTHCHECK"));
            }
        }
    }
}

fn config_cause(instruction: &str) -> Cause {
    Cause::Config {
        instruction: instruction.to_owned(),
    }
}

/// The home directory of the image's user: HOME, or what passwd says of the user's name or number (0 if none).
fn find_home(rootfs: &Rootfs, config: &Config, environment: &Environment) -> Option<RootPath> {
    if let Some(home) = environment.get("HOME") {
        return Some(RootPath::new(home));
    }
    let user = config
        .user()
        .split(':')
        .next()
        .filter(|user| !user.is_empty())
        .unwrap_or("0");
    let passwd = rootfs
        .resolve(&RootPath::new("/etc/passwd"), LastLink::Follow)
        .path;
    let passwd = rootfs.read(&passwd, MAX_PASSWD).ok()?;
    passwd.split(|&b| b == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
        match fields.as_slice() {
            [name, _, uid, _, _, home, ..]
                if (*name == user.as_bytes() || *uid == user.as_bytes()) && home.starts_with(b"/") =>
            {
                Some(RootPath::new(home))
            }
            _ => None,
        }
    })
}
