//! Options that come from elsewhere than a command line: from a recording, or from a container that somebody else created.

use std::path::Path;

use super::{ContainerOptions, ContainerSpec, Error, ParseContext};

/// Flags: a word behind one of them would be taken for the image.
const FLAGS: [&str; 4] = ["--read-only", "--init", "--tty", "--no-healthcheck"];

impl ContainerSpec {
    /// Returns the description that `words` give, each an option's name and, unless it is a flag, its value. What slim does
    /// not take, or cannot read, is in [`ContainerSpec::not_carried`].
    ///
    /// The words may come from anywhere: no file that they name is read, and no value of a variable is looked up.
    pub fn from_words(words: &[Vec<String>], command: &[String]) -> Self {
        let (parsed, not_carried) = Self::read_words(words, command);
        // Each of them was read alone; together none has another meaning.
        let mut spec = parsed.unwrap_or_else(|error| Self {
            not_carried: [error.to_string()].into(),
            ..Self::default()
        });
        spec.not_carried.extend(not_carried);
        spec
    }

    /// As [`ContainerSpec::from_words`], but an error where words that can be read one by one contradict each other.
    pub(crate) fn try_from_words(words: &[Vec<String>]) -> Result<Self, Error> {
        let (parsed, not_carried) = Self::read_words(words, &[]);
        let mut spec = parsed?;
        spec.not_carried.extend(not_carried);
        Ok(spec)
    }

    /// Returns the description that the readable words give together, and the others.
    fn read_words(words: &[Vec<String>], command: &[String]) -> (Result<Self, Error>, Vec<String>) {
        let context = ParseContext {
            directory: Path::new("/"),
            lookup: &|_| None,
        };
        let mut options = ContainerOptions::default();
        let mut not_carried = Vec::new();
        for words in words {
            let mut alone = ContainerOptions::default();
            let name = words.first().map_or("", String::as_str);
            let value = words.get(1).map(String::as_str);
            let is_file = name == "--security-opt"
                && value
                    .and_then(|value| {
                        value
                            .strip_prefix("seccomp")
                            .map(|file| &file[file.len().min(1)..])
                    })
                    .is_some_and(|file| !matches!(file, "unconfined" | "builtin"));
            let readable = !is_file && set(&mut alone, name, value) && Self::parse(&alone, &context).is_ok();
            if !readable || !set(&mut options, name, value) {
                not_carried.push(words.join(" "));
            }
        }
        options.command = command.to_vec();
        (Self::parse(&options, &context), not_carried)
    }
}

/// Groups plain words into options, each a name followed by its value or `NAME=VALUE` in one word.
pub(crate) fn group(words: &[String]) -> Vec<Vec<String>> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = match word.split_once('=') {
            Some((name, "true")) if FLAGS.contains(&name) => vec![name.to_owned()],
            Some((name, value)) => vec![name.to_owned(), value.to_owned()],
            None if FLAGS.contains(&word.as_str()) => vec![word.clone()],
            None => [Some(word), words.next()]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        };
        options.push(option);
    }
    options
}

/// Sets the option `name`; false where slim takes none of that name, or its number is none.
fn set(options: &mut ContainerOptions, name: &str, value: Option<&str>) -> bool {
    let flag = match name {
        "--read-only" => Some(&mut options.read_only),
        "--init" => Some(&mut options.init),
        "--tty" => Some(&mut options.tty),
        "--no-healthcheck" => Some(&mut options.no_healthcheck),
        _ => None,
    };
    let value = match (flag, value) {
        (Some(flag), None) => {
            *flag = true;
            return true;
        }
        (None, Some(value)) => value,
        _ => return false,
    };
    let text = value.to_owned();
    let list = match name {
        "--env" => Some(&mut options.env),
        "--volume" => Some(&mut options.volume),
        "--mount" => Some(&mut options.mount),
        "--network-alias" => Some(&mut options.network_alias),
        "--publish" => Some(&mut options.publish),
        "--expose" => Some(&mut options.expose),
        "--group-add" => Some(&mut options.group_add),
        "--tmpfs" => Some(&mut options.tmpfs),
        "--ulimit" => Some(&mut options.ulimit),
        "--cap-add" => Some(&mut options.cap_add),
        "--cap-drop" => Some(&mut options.cap_drop),
        "--security-opt" => Some(&mut options.security_opt),
        "--sysctl" => Some(&mut options.sysctl),
        "--device" => Some(&mut options.device),
        "--device-cgroup-rule" => Some(&mut options.device_cgroup_rule),
        "--dns" => Some(&mut options.dns),
        "--dns-search" => Some(&mut options.dns_search),
        "--dns-option" => Some(&mut options.dns_option),
        "--add-host" => Some(&mut options.add_host),
        "--label" => Some(&mut options.label),
        _ => None,
    };
    if let Some(list) = list {
        list.push(text);
        return true;
    }
    let number = match name {
        "--cpu-shares" => Some(&mut options.cpu_shares),
        "--pids-limit" => Some(&mut options.pids_limit),
        "--oom-score-adj" => Some(&mut options.oom_score_adj),
        "--health-retries" => Some(&mut options.health_retries),
        _ => None,
    };
    if let Some(number) = number {
        *number = value.parse().ok();
        return number.is_some();
    }
    if name == "--stop-timeout" {
        options.stop_timeout = value.parse().ok();
        return options.stop_timeout.is_some();
    }
    let one = match name {
        "--network" => &mut options.network,
        "--ip" => &mut options.ip,
        "--ip6" => &mut options.ip6,
        "--mac-address" => &mut options.mac_address,
        "--user" => &mut options.user,
        "--entrypoint" => &mut options.entrypoint,
        "--workdir" => &mut options.workdir,
        "--hostname" => &mut options.hostname,
        "--domainname" => &mut options.domainname,
        "--shm-size" => &mut options.shm_size,
        "--memory" => &mut options.memory,
        "--memory-swap" => &mut options.memory_swap,
        "--memory-reservation" => &mut options.memory_reservation,
        "--cpus" => &mut options.cpus,
        "--cpuset-cpus" => &mut options.cpuset_cpus,
        "--cpuset-mems" => &mut options.cpuset_mems,
        "--gpus" => &mut options.gpus,
        "--stop-signal" => &mut options.stop_signal,
        "--ipc" => &mut options.ipc,
        "--pid" => &mut options.pid,
        "--uts" => &mut options.uts,
        "--userns" => &mut options.userns,
        "--cgroupns" => &mut options.cgroupns,
        "--runtime" => &mut options.runtime,
        "--platform" => &mut options.platform,
        "--health-cmd" => &mut options.health_cmd,
        "--health-interval" => &mut options.health_interval,
        "--health-timeout" => &mut options.health_timeout,
        "--health-start-period" => &mut options.health_start_period,
        _ => return false,
    };
    *one = Some(text);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(words: &[&str]) -> ContainerSpec {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        ContainerSpec::from_words(&group(&words), &[])
    }

    #[test]
    fn what_slim_does_not_take_is_named() {
        let spec = from(&[
            "--privileged=true",
            "--read-only",
            "--label",
            "a=b",
            "--user",
            "a:b:c",
            "--network=host",
            "--volumes-from",
            "other",
        ]);
        assert!(spec.read_only);
        assert_eq!(spec.labels["a"], "b");
        assert_eq!(spec.network.mode, crate::spec::NetworkMode::Host);
        assert_eq!(spec.user, None);
        let names: Vec<&str> = spec.not_carried.iter().map(String::as_str).collect();
        assert_eq!(
            names,
            ["--privileged true", "--user a:b:c", "--volumes-from other"]
        );
    }

    #[test]
    fn no_file_is_read_for_words_from_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let profile = directory.path().join("p.json");
        std::fs::write(&profile, "{}").unwrap();
        for option in [
            format!("seccomp={}", profile.display()),
            format!("seccomp:{}", profile.display()),
        ] {
            let spec = from(&["--security-opt", &option]);
            assert!(spec.security.is_default(), "{option}");
            assert_eq!(spec.not_carried.len(), 1);
        }
        let env_file = format!("--env-file={}", profile.display());
        assert_eq!(from(&[&env_file]).not_carried.len(), 1);
        let unconfined = from(&["--security-opt", "seccomp=unconfined"]);
        assert_eq!(
            unconfined.security.seccomp,
            crate::spec::SeccompChoice::Unconfined
        );
    }

    #[test]
    fn a_value_is_never_taken_for_an_option() {
        let spec = from(&["--label", "--privileged", "--hostname", "-x"]);
        assert_eq!(spec.labels["--privileged"], "");
        assert_eq!(spec.not_carried.len(), 1);
    }
}
