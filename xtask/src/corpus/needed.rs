//! What an application needs for all of its checks: one recording of each container that they ask, kept at the bare minimum.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::checks::Application;
use super::run::Launch;
use crate::sh;

/// The measure that what slim keeps and allows is held against.
pub(super) struct Needed {
    /// Bytes of the image with the files that the checks touched.
    pub(super) bytes: u64,
    /// Calls of the `observed` profile.
    pub(super) calls: BTreeSet<String>,
}

/// Records every check of an application below `scratch`, and returns what the recordings keep. `before` are the answers of the
/// original; jobs that read standard input are not repeated, which can only make the result smaller.
///
/// # Errors
///
/// When a container cannot be recorded or nothing can be made from its recording.
pub(super) fn of(
    launch: &Launch,
    application: &Application,
    before: &[Vec<u8>],
    slim: &Path,
    scratch: &Path,
) -> Result<Needed> {
    let mut recordings = Vec::new();
    if application.is_service() {
        let output = scratch.join("service");
        record_service(launch, application, slim, &output, scratch)?;
        recordings.push(output);
    }
    for (index, (check, answer)) in application.checks.iter().zip(before).enumerate() {
        let (Some(words), None) = (&check.arguments, &check.stdin) else {
            continue;
        };
        let output = scratch.join(format!("job-{index}"));
        let mut command = recorder(launch, slim, &output);
        let answer = String::from_utf8_lossy(answer);
        if let Some(code) = answer.lines().next().and_then(|line| line.strip_prefix("exit ")) {
            command.args(["--expect-exit", code]);
        }
        sh::run_quietly(command.args(["--until-exit", "--"]).args(words))
            .with_context(|| format!("could not record {:?}", check.name))?;
        recordings.push(output);
    }
    let output = scratch.join("needed");
    let tag = format!("{}-needed:corpus", launch.image);
    let mut command = launch.docker.reached_by(sh::root(slim));
    command
        .args(["generate", "--quiet", "--format", "json", "--keep", "observed"])
        .args(["--seccomp-reach", "observed", "--tag", &tag, "--output"])
        .arg(&output)
        .args(&recordings);
    let report = sh::output(&mut command);
    // It serves no other purpose than its size; that it was not made is said by the line above.
    let _ = launch.docker.command().args(["image", "rm", &tag]).output();
    let report: Value = serde_json::from_str(&report?).context("slim generate printed no JSON")?;
    Ok(Needed {
        bytes: report["after"]["bytes"].as_u64().context("a report has bytes")?,
        calls: allowed(&output.join("seccomp.json"))?,
    })
}

/// Returns the calls that a seccomp profile allows, with whatever arguments.
///
/// # Errors
///
/// When the file is no profile.
pub(super) fn allowed(profile: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read(profile).with_context(|| format!("could not read {}", profile.display()))?;
    let profile: Value = serde_json::from_slice(&text)?;
    let rules = profile["syscalls"].as_array().into_iter().flatten();
    Ok(rules
        .filter(|rule| rule["action"] == "SCMP_ACT_ALLOW")
        .flat_map(|rule| rule["names"].as_array().into_iter().flatten())
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect())
}

fn recorder(launch: &Launch, slim: &Path, output: &Path) -> Command {
    let mut command = launch.docker.reached_by(sh::root(slim));
    command
        .args(["record", "--quiet", launch.image, "--output"])
        .arg(output)
        .args(&launch.options);
    command
}

/// Records a service while all checks but those with containers of their own are asked. slim runs a command beside the recorded
/// container, which writes the place of it and waits for the end of the checks.
fn record_service(
    launch: &Launch,
    application: &Application,
    slim: &Path,
    output: &Path,
    scratch: &Path,
) -> Result<()> {
    let (place, done) = (scratch.join("place"), scratch.join("done"));
    let line = format!(
        "printf '%s %s' \"$SLIM_HOST\" \"$SLIM_CONTAINER\" > {place}.part && mv {place}.part {place}\n\
         until test -e {done}; do sleep 0.1; done",
        place = place.display(),
        done = done.display()
    );
    let mut command = recorder(launch, slim, output);
    command.args(["--run", &line]);
    if !application.command.is_empty() {
        command.arg("--").args(&application.command);
    }
    let mut recording = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not start slim")?;
    while !place.exists() && recording.try_wait().context("could not wait for slim")?.is_none() {
        std::thread::sleep(Duration::from_millis(100));
    }
    if let Ok(text) = std::fs::read_to_string(&place) {
        let (address, id) = text.split_once(' ').context("a place has two words")?;
        let address: IpAddr = address.parse().with_context(|| format!("{address:?}"))?;
        for check in application
            .checks
            .iter()
            // The recording ends with the signal that stops the container, and not before.
            .filter(|check| check.arguments.is_none() && check.signal.as_deref() != Some("TERM"))
        {
            // The answers are those of the original, which are known.
            let _ = launch.ask(check, Some((id, address)));
        }
        std::fs::write(&done, "")?;
    }
    let output = recording.wait_with_output().context("could not wait for slim")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "slim record ended with {}: {}",
        output.status,
        text.lines().last().unwrap_or_default()
    );
    ensure!(place.exists(), "slim record did not run the checks: {text}");
    Ok(())
}
