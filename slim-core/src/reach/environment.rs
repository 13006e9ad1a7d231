//! How a name becomes an executable file: the environment that the image's config sets.

use crate::image::{Config, LastLink, Outcome, Resolved, Rootfs};
use crate::path::RootPath;
use crate::reach::command;

/// The PATH of Docker and Podman for an image that sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment that the image gives to a container's first process.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    variables: Vec<String>,
    /// WORKDIR, with links followed.
    pub(super) workdir: RootPath,
}

impl Environment {
    /// The environment that `config` gives.
    pub(super) fn from_config(rootfs: &Rootfs, config: &Config) -> Self {
        Self {
            variables: config.env(),
            workdir: rootfs
                .resolve(&RootPath::new(config.workdir()), LastLink::Follow)
                .path,
        }
    }

    /// The value of a variable; the last one where it is set twice, as the kernel's readers see it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let set = |variable: &'_ String| variable.strip_prefix(name)?.strip_prefix('=').map(str::len);
        let variable = self.variables.iter().rev().find(|v| set(v).is_some())?;
        Some(&variable[name.len() + 1..])
    }

    /// The directories in which programs are looked for, links followed: those of PATH and, as an image may set one
    /// without them, the system's.
    pub(super) fn program_directories(&self, rootfs: &Rootfs) -> Vec<RootPath> {
        let mut found: Vec<RootPath> = Vec::new();
        let path = self.get("PATH").unwrap_or(DEFAULT_PATH);
        for directory in path.split(':').chain(DEFAULT_PATH.split(':')) {
            let resolved = rootfs.resolve_from(&self.workdir, directory.as_bytes(), LastLink::Follow);
            if resolved.outcome == Outcome::Found && !found.contains(&resolved.path) {
                found.push(resolved.path);
            }
        }
        found
    }

    /// The executable file that `name` runs: looked for along `path` (or else PATH) unless it has a slash.
    pub(super) fn find_program(&self, rootfs: &Rootfs, name: &[u8], path: Option<&[u8]>) -> Option<Resolved> {
        let executable = |resolved: &Resolved| {
            resolved.outcome == Outcome::Found
                && rootfs
                    .get(&resolved.path)
                    .is_some_and(|entry| entry.is_file() && entry.mode & 0o111 != 0)
        };
        if name.is_empty() {
            return None;
        }
        if name.contains(&b'/') {
            return Some(rootfs.resolve_from(&self.workdir, name, LastLink::Follow)).filter(executable);
        }
        let path = path.unwrap_or_else(|| self.get("PATH").unwrap_or(DEFAULT_PATH).as_bytes());
        path.split(|&b| b == b':')
            .map(|directory| {
                let mut file = directory.to_vec();
                if !file.is_empty() {
                    file.push(b'/');
                }
                file.extend_from_slice(name);
                rootfs.resolve_from(&self.workdir, &file, LastLink::Follow)
            })
            .find(executable)
    }
}

/// The programs that a line of shell starts, as text.
pub(super) fn shell_commands(line: &str) -> Vec<String> {
    let programs = command::programs_of_line(line.as_bytes()).into_iter();
    programs
        .map(|program| String::from_utf8_lossy(&program).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_shell_line() {
        let commands =
            shell_commands("if A=1 curl -f 'http://x/' | grep -q ok; then exec \"/bin/true\"; fi || exit 1");
        assert_eq!(commands, ["curl", "grep", "/bin/true", "fi", "exit"]);
        assert_eq!(
            shell_commands("X=$(redis-cli ping) && [ \"$X\" = PONG ]"),
            ["[", "redis-cli"]
        );
    }
}
