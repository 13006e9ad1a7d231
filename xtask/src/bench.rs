//! `cargo xtask bench`: what tracing costs, measured in containers that are traced for one run and not for the next.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::engine::Docker;
use crate::packages::For;
use crate::{docs, samples, setup, sh};

/// One figure: how it is measured, and what is asked of it.
struct Measure {
    title: &'static str,
    unit: &'static str,
    /// Traced over native: at most this for times, at least this for rates.
    bound: Bound,
    native: Vec<f64>,
    traced: Vec<f64>,
    strace: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// Measures, and prints a Markdown table on stdout.
///
/// # Errors
///
/// When something cannot be run, when the tracer lost something, or when a figure misses its bound.
pub(crate) fn run(runs: usize, profile: &str) -> Result<()> {
    ensure!(runs > 0, "--runs must be at least 1");
    let docker = setup::run(For::Tests)?;
    samples::build(&docker, &["nginx".to_owned()])?;
    let tracer = build_tracer(profile)?;
    let program = build_loop()?;

    let measures = [
        getppid(&docker, &tracer, &program, runs)?,
        file(&docker, &tracer, &program, runs)?,
        nginx(&docker, &tracer, runs)?,
    ];
    print!("{}", table(&measures, runs)?);
    let missed: Vec<&str> = measures
        .iter()
        .filter(|measure| !measure.is_met())
        .map(|measure| measure.title)
        .collect();
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}

fn build_tracer(profile: &str) -> Result<PathBuf> {
    sh::run(sh::cargo().args([
        "build",
        "--package",
        "slim-core",
        "--example",
        "trace_cgroup",
        "--profile",
        profile,
    ]))?;
    Ok(docs::built(profile)?.join("examples/trace_cgroup"))
}

fn build_loop() -> Result<PathBuf> {
    let folder = sh::target_directory()?.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    let program = folder.join("loop");
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-O2", "-static", "-o"])
        .arg(&program)
        .arg(sh::workspace().join("xtask/bench/loop.c"));
    sh::run(&mut compiler)?;
    Ok(program)
}

fn getppid(docker: &Docker, tracer: &Path, program: &Path, runs: usize) -> Result<Measure> {
    syscall_loop(
        docker,
        tracer,
        program,
        runs,
        ("getppid", "getppid", Bound::AtMost(1.8), 2_000_000),
    )
}

fn file(docker: &Docker, tracer: &Path, program: &Path, runs: usize) -> Result<Measure> {
    syscall_loop(
        docker,
        tracer,
        program,
        runs,
        ("file", "open + read + close + stat", Bound::AtMost(1.25), 200_000),
    )
}

/// Number of pairs of processes whose median is a run of a loop: a native one and then one under a tracer that was
/// loaded for it: where the pages of a process and of a tracer come to lie shifts the times by several percent, and
/// so does within a second what the machine's neighbours do.
const PAIRS: usize = 9;

/// A loop in one container that goes on running: `docker exec` starts each process.
fn syscall_loop(
    docker: &Docker,
    tracer: &Path,
    program: &Path,
    runs: usize,
    (kind, title, bound, count): (&str, &'static str, Bound, u32),
) -> Result<Measure> {
    let container = Container::start(
        docker,
        &[
            "--volume",
            &format!("{}:/loop:ro", program.display()),
            setup::BASE,
            "sleep",
            "infinity",
        ],
    )?;
    let exec = |count: u32, how: &[&str]| {
        let mut command = docker.command();
        command
            .args([
                "exec",
                "--interactive",
                &container.id,
                "/loop",
                kind,
                &count.to_string(),
            ])
            .args(how);
        command
    };
    let turn = |command: &mut Command| -> Result<f64> {
        sh::output(command)?
            .parse()
            .context("the loop did not print a number")
    };
    let mut measure = Measure::new(title, "ns", bound);
    for round in 0..runs {
        eprintln!("{title}: round {} of {runs}", round + 1);
        let (mut native, mut traced) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            native.push(turn(&mut exec(count, &[]))?);
            let tracing = Tracing::attach(tracer, &container)?;
            traced.push(turn(&mut exec(count, &[]))?);
            tracing.finish()?;
        }
        measure.native.push(median(&native));
        measure.traced.push(median(&traced));

        // A hundredth of the turns: strace is that much slower. The loop begins when strace is there.
        let mut looping = exec(count / 100, &["wait"]);
        let mut looping = looping
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start the loop")?;
        let strace = Strace::attach(&[container.pid_of("/loop")?])?;
        let mut stdin = looping.stdin.take().context("the loop's input is a pipe")?;
        stdin
            .write_all(b"\n")
            .context("could not tell the loop to begin")?;
        drop(stdin);
        let mut answer = String::new();
        let stdout = looping.stdout.as_mut().context("the loop's output is a pipe")?;
        stdout
            .read_to_string(&mut answer)
            .context("could not read what the loop printed")?;
        ensure!(looping.wait()?.success(), "the loop failed under strace");
        measure
            .strace
            .push(answer.trim().parse().context("the loop did not print a number")?);
        strace.finish()?;
    }
    Ok(measure)
}

/// nginx under wrk, from this machine over the bridge, with connections kept. A native run is half before and half after
/// the traced one.
fn nginx(docker: &Docker, tracer: &Path, runs: usize) -> Result<Measure> {
    let container = Container::start(docker, &["--log-driver", "none", &samples::image("nginx")])?;
    let address = container.inspect("{{.NetworkSettings.IPAddress}}")?;
    let url = format!("http://{address}/");
    wait_for("nginx to listen", || {
        TcpStream::connect((address.as_str(), 80)).ok()
    })?;
    let load = |seconds: u32| -> Result<f64> {
        let text = sh::output(Command::new("wrk").args(["-t1", "-c16", &format!("-d{seconds}s"), &url]))?;
        ensure!(
            !text.contains("Socket errors") && !text.contains("Non-2xx"),
            "wrk had errors:\n{text}"
        );
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"))
            .context("wrk printed no rate")?;
        rate.trim().parse().context("wrk printed no rate")
    };
    load(1)?;
    let mut measure = Measure::new("nginx under wrk", "requests/s", Bound::AtLeast(0.9));
    for round in 0..runs {
        eprintln!("nginx: round {} of {runs}", round + 1);
        // Before and after, since the rate drifts by more than what is asked for.
        let before = load(3)?;
        let traced = Tracing::attach(tracer, &container)?;
        measure.traced.push(load(6)?);
        traced.finish()?;
        measure.native.push((before + load(3)?) / 2.0);
        let strace = Strace::attach(&container.pids()?)?;
        measure.strace.push(load(2)?);
        strace.finish()?;
    }
    Ok(measure)
}

/// A container that is removed at the end.
struct Container<'a> {
    docker: &'a Docker,
    id: String,
}

impl<'a> Container<'a> {
    fn start(docker: &'a Docker, args: &[&str]) -> Result<Self> {
        let id = docker.output(&[&["run", "--detach", "--rm", "--init=false"], args].concat())?;
        Ok(Container { docker, id })
    }

    fn inspect(&self, format: &str) -> Result<String> {
        self.docker.output(&["inspect", "--format", format, &self.id])
    }

    /// Its directory below the cgroup2 mount.
    fn cgroup(&self) -> Result<PathBuf> {
        let pid = self.inspect("{{.State.Pid}}")?;
        let groups =
            std::fs::read_to_string(format!("/proc/{pid}/cgroup")).context("could not read its cgroups")?;
        let path = groups
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .context("it is in no cgroup2")?;
        let mounts = std::fs::read_to_string("/proc/mounts").context("could not read the mounts")?;
        let mut fields = mounts.lines().map(|line| line.split(' '));
        let mount = fields.find_map(|mut fields| {
            let target = fields.nth(1)?;
            (fields.next()? == "cgroup2").then_some(target)
        });
        Ok(Path::new(mount.context("no cgroup2 file system is mounted")?).join(path))
    }

    /// The processes in it, by their ids out here.
    fn pids(&self) -> Result<Vec<u32>> {
        let processes = self.cgroup()?.join("cgroup.procs");
        let text = std::fs::read_to_string(&processes)
            .with_context(|| format!("could not read {}", processes.display()))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// The process in it whose command line begins so, as soon as there is one.
    fn pid_of(&self, program: &str) -> Result<u32> {
        wait_for(&format!("{program} in the container"), || {
            let pids = self.pids().ok()?;
            pids.into_iter().find(|pid| {
                let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                command_line.split(|byte| *byte == 0).next() == Some(program.as_bytes())
            })
        })
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.docker.output(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// The tracer, attached to a container's cgroup by the example `trace_cgroup` until its stdin ends.
struct Tracing {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Tracing {
    fn attach(tracer: &Path, container: &Container<'_>) -> Result<Self> {
        let mut command = sh::root(tracer);
        command
            .arg(container.cgroup()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().context("could not start the tracer")?;
        let stdin = process.stdin.take().context("the tracer's input is a pipe")?;
        let mut stdout = BufReader::new(process.stdout.take().context("the tracer's output is a pipe")?);
        let mut line = String::new();
        stdout
            .read_line(&mut line)
            .context("could not read what the tracer said")?;
        ensure!(line.trim() == "attached", "the tracer did not attach");
        Ok(Tracing {
            process,
            stdin,
            stdout,
        })
    }

    /// Detaches; fails if something was lost.
    fn finish(mut self) -> Result<()> {
        drop(self.stdin);
        let mut said = String::new();
        self.stdout
            .read_to_string(&mut said)
            .context("could not read what the tracer said")?;
        ensure!(self.process.wait()?.success(), "the tracer failed");
        let losses = said
            .lines()
            .find_map(|line| line.strip_prefix("losses: "))
            .context("the tracer named no losses")?;
        ensure!(
            !losses.contains(|c: char| ('1'..='9').contains(&c)),
            "the tracer lost something: {losses}"
        );
        eprintln!("  {}", said.lines().next().unwrap_or_default());
        Ok(())
    }
}

/// strace on running processes, writing nowhere.
struct Strace {
    process: Child,
}

impl Strace {
    fn attach(pids: &[u32]) -> Result<Self> {
        let mut command = sh::root("strace");
        command.args(["--follow-forks", "--output=/dev/null", "--quiet=all"]);
        command.args(pids.iter().map(|pid| format!("--attach={pid}")));
        let process = command
            .stdin(Stdio::null())
            .spawn()
            .context("could not start strace")?;
        for pid in pids {
            wait_for("strace to attach", || {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
                tracer.is_some_and(|tracer| tracer.trim() != "0").then_some(())
            })?;
        }
        Ok(Strace { process })
    }

    fn finish(mut self) -> Result<()> {
        // It may have ended with what it watched.
        if self.process.try_wait()?.is_none() {
            sh::kill(self.process.id())?;
        }
        self.process.wait()?;
        Ok(())
    }
}

fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = value() {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("waited for {what}, in vain");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Measure {
    fn new(title: &'static str, unit: &'static str, bound: Bound) -> Self {
        Measure {
            title,
            unit,
            bound,
            native: Vec::new(),
            traced: Vec::new(),
            strace: Vec::new(),
        }
    }

    /// Traced over native.
    fn ratio(&self) -> f64 {
        median(&self.traced) / median(&self.native)
    }

    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.ratio() <= bound,
            Bound::AtLeast(bound) => self.ratio() >= bound,
        }
    }
}

/// The middle value; of an even number of values, the mean of the middle two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

fn table(measures: &[Measure], runs: usize) -> Result<String> {
    let kernel = sh::output(Command::new("uname").args(["--kernel-release", "--machine"]))?;
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "Linux {kernel}, {processors} processors; medians of {runs} alternated runs.\n\n\
         | in one container | native | traced | traced / native | asked | strace | strace / native |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for measure in measures {
        let [native, traced, strace] =
            [&measure.native, &measure.traced, &measure.strace].map(|values| median(values));
        let asked = match measure.bound {
            Bound::AtMost(bound) => format!("≤ {bound}"),
            Bound::AtLeast(bound) => format!("≥ {bound}"),
        };
        let unit = measure.unit;
        text += &format!(
            "| {} | {native:.0} {unit} | {traced:.0} {unit} | {:.2} | {asked} | {strace:.0} {unit} | {} |\n",
            measure.title,
            measure.ratio(),
            significant(strace / native),
        );
    }
    Ok(text)
}

/// A ratio with as many decimals as it deserves.
fn significant(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.0}")
    } else {
        format!("{ratio:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Measure, median};

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_bound_is_on_the_ratio_of_medians() {
        let mut measure = Measure::new("x", "ns", Bound::AtMost(1.5));
        measure.native = vec![100.0, 100.0, 1000.0];
        measure.traced = vec![149.0];
        assert!(measure.is_met());
        measure.traced = vec![151.0];
        assert!(!measure.is_met());
    }
}
