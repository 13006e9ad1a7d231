//! A container's resource peaks, from its cgroup's files.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cgroup;
use crate::mountinfo::{self, Mount};
use crate::recording::Peaks;

/// Time between two readings of the files while the container runs.
const PERIOD: Duration = Duration::from_millis(200);

/// The files of one container, in whichever hierarchies there are.
///
/// Source: kernel documentation, `admin-guide/cgroup-v2.rst` and `admin-guide/cgroup-v1/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    memory_peak: Option<PathBuf>,
    memory_now: Option<PathBuf>,
    pids_peak: Option<PathBuf>,
    pids_now: Option<PathBuf>,
    /// Nanoseconds (v1) or `usage_usec` (v2).
    cpu: Option<(PathBuf, bool)>,
}

impl Files {
    /// Returns the files of the container `id` whose PID 1 is `pid`, if that is known.
    pub(super) fn find(id: &str, pid: Option<u32>) -> Option<Self> {
        let mounts = mountinfo::of_self()?;
        let memberships = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok());
        let memberships = memberships.unwrap_or_default();
        let files = Self::locate(id, &mounts, &memberships);
        (files != Self::default()).then_some(files)
    }

    fn locate(id: &str, mounts: &[Mount], memberships: &str) -> Self {
        let mut files = Self::default();
        for membership in cgroup::memberships(id, mounts, memberships) {
            let unified = membership.unified;
            let directory = &membership.directory;
            let file = |name: &str| Some(directory.join(name)).filter(|f| f.exists());
            let has = |name: &str| membership.has(name);
            if has("memory") {
                files.memory_peak = files
                    .memory_peak
                    .or_else(|| file("memory.peak"))
                    .or_else(|| file("memory.max_usage_in_bytes"));
                files.memory_now = files
                    .memory_now
                    .or_else(|| file("memory.current"))
                    .or_else(|| file("memory.usage_in_bytes"));
            }
            if has("pids") {
                files.pids_peak = files.pids_peak.or_else(|| file("pids.peak"));
                files.pids_now = files.pids_now.or_else(|| file("pids.current"));
            }
            if has("cpuacct") {
                let own = file("cpuacct.usage").map(|f| (f, false));
                let stat = file("cpu.stat").filter(|_| unified).map(|f| (f, true));
                // The v1 controller counts where it is mounted; the unified file counts everywhere.
                files.cpu = own.or(files.cpu).or(stat);
            }
        }
        files
    }

    /// The peaks that the kernel keeps, or the present values where it keeps none.
    pub(super) fn peaks(&self) -> Peaks {
        let number = |file: &Option<PathBuf>| fs::read_to_string(file.as_ref()?).ok()?.trim().parse().ok();
        Peaks {
            memory: number(&self.memory_peak).or_else(|| number(&self.memory_now)),
            pids: number(&self.pids_peak).or_else(|| number(&self.pids_now)),
            cpu_milli: None,
        }
    }

    /// CPU time used so far, in microseconds.
    fn cpu_time(&self) -> Option<u64> {
        let (file, unified) = self.cpu.as_ref()?;
        let text = fs::read_to_string(file).ok()?;
        if *unified {
            text.lines()
                .find_map(|l| l.strip_prefix("usage_usec "))?
                .trim()
                .parse()
                .ok()
        } else {
            Some(text.trim().parse::<u64>().ok()? / 1000)
        }
    }
}

/// Reads the files every so often until they are gone, as they go with the container.
#[derive(Debug)]
pub(super) struct Sampler {
    peaks: Arc<Mutex<Peaks>>,
    task: tokio::task::JoinHandle<()>,
}

impl Sampler {
    /// Starts to watch; none if the container's cgroup is out of reach.
    pub(super) fn start(id: &str, pid: Option<u32>) -> Option<Self> {
        let files = Files::find(id, pid)?;
        let peaks = Arc::new(Mutex::new(files.peaks()));
        let shared = Arc::clone(&peaks);
        let task = tokio::spawn(async move {
            let mut before = (Instant::now(), files.cpu_time());
            let mut timer = tokio::time::interval(PERIOD);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            timer.tick().await;
            loop {
                timer.tick().await;
                let mut sample = files.peaks();
                if sample == Peaks::default() {
                    return;
                }
                let now = (Instant::now(), files.cpu_time());
                if let (Some(then), Some(used)) = (before.1, now.1) {
                    sample.cpu_milli = milli(used.saturating_sub(then), now.0 - before.0);
                }
                before = now;
                let mut peaks = shared.lock().unwrap_or_else(PoisonError::into_inner);
                *peaks = peaks.max(&sample);
            }
        });
        Some(Self { peaks, task })
    }

    /// The peaks up to the last reading.
    pub(super) fn peaks(&self) -> Peaks {
        *self.peaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Thousandths of a core: microseconds used, over the time that passed.
fn milli(used: u64, passed: Duration) -> Option<u64> {
    let passed = u64::try_from(passed.as_micros()).ok()?;
    used.saturating_mul(1000).checked_div(passed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn locate(id: &str, mounts: &str, memberships: &str) -> Files {
        Files::locate(id, &mountinfo::parse(mounts.as_bytes()), memberships)
    }

    fn hierarchy(root: &Path, path: &str, files: &[(&str, &str)]) {
        let directory = root.join(path);
        fs::create_dir_all(&directory).expect("a directory");
        for (name, text) in files {
            fs::write(directory.join(name), text).expect("a file");
        }
    }

    #[test]
    fn unified() {
        let root = tempfile::tempdir().expect("a directory");
        let files = [
            ("memory.peak", "4096\n"),
            ("memory.current", "1\n"),
            ("pids.peak", "7\n"),
            ("cpu.stat", "usage_usec 1500\nuser_usec 1\n"),
        ];
        hierarchy(root.path(), "system.slice/docker-abc.scope", &files);
        let mounts = format!(
            "1 2 0:3 / {} rw - cgroup2 cgroup2 rw,nsdelegate\n",
            root.path().display()
        );
        let found = locate("abc", &mounts, "0::/system.slice/docker-abc.scope\n");
        assert_eq!(
            found.peaks(),
            Peaks {
                memory: Some(4096),
                pids: Some(7),
                cpu_milli: None
            }
        );
        assert_eq!(found.cpu_time(), Some(1500));
        // The path is found without a process too, and nothing is found of another container.
        assert_eq!(locate("abc", &mounts, ""), found);
        assert_eq!(locate("xyz", &mounts, ""), Files::default());
    }

    #[test]
    fn hybrid() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        hierarchy(
            &at("memory"),
            "docker/abc",
            &[("memory.max_usage_in_bytes", "8192\n")],
        );
        hierarchy(&at("pids"), "docker/abc", &[("pids.current", "3\n")]);
        hierarchy(&at("cpuacct"), "docker/abc", &[("cpuacct.usage", "2500000\n")]);
        hierarchy(
            &at("unified"),
            "docker/abc",
            &[("cgroup.procs", "1\n"), ("cpu.stat", "usage_usec 9\n")],
        );
        let line = |kind: &str, name: &str| {
            format!("1 2 0:3 / {} rw - {kind} cgroup rw,{name}\n", at(name).display())
        };
        let v2 = format!("1 2 0:3 / {} rw - cgroup2 cgroup2 rw\n", at("unified").display());
        let mounts = v2 + &line("cgroup", "memory") + &line("cgroup", "pids") + &line("cgroup", "cpuacct");
        let found = locate(
            "abc",
            &mounts,
            "3:memory:/docker/abc\n2:pids:/docker/abc\n0::/docker/abc\n",
        );
        assert_eq!(
            found.peaks(),
            Peaks {
                memory: Some(8192),
                pids: Some(3),
                cpu_milli: None
            }
        );
        assert_eq!(found.cpu_time(), Some(2500));
    }

    #[test]
    fn cpu_in_thousandths() {
        assert_eq!(milli(100_000, Duration::from_millis(200)), Some(500));
        assert_eq!(milli(1, Duration::ZERO), None);
    }
}
