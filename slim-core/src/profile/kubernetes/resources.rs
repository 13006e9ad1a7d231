//! Resource requests and limits, from the measured peaks.

use serde_json::{Map, Value, json};

use super::{patch, usage};
use crate::profile::{Artifact, Context, Error, yaml};

/// The artifact `k8s-resources.yaml`.
#[derive(Clone, Copy, Debug)]
pub struct Resources;

impl Artifact for Resources {
    fn format(&self) -> &'static str {
        "k8s-resources"
    }

    fn description(&self) -> &'static str {
        "patch of a Kubernetes pod template: requests and limits from the measured peaks"
    }

    fn file_name(&self) -> &'static str {
        "k8s-resources.yaml"
    }

    fn render(&self, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let peaks = context.recording.peaks();
        let headroom = context.options.headroom;
        let mut comments = usage(context, self.file_name());
        let runs = context.recording.runs.len();
        comments.push(format!(
            "Requests are the highest peaks of {runs} recorded runs; limits leave {headroom} percent above them."
        ));
        comments.push("A probe is not production's load: compare with what you measure there.".to_owned());
        let (mut requests, mut limits) = (Map::new(), Map::new());
        let mut set = |name: &str, peak: Option<u64>, write: fn(u64) -> String| match peak {
            Some(peak) => {
                requests.insert(name.into(), Value::String(write(peak)));
                limits.insert(name.into(), Value::String(write(with_headroom(peak, headroom))));
            }
            None => comments.push(format!("{name} was not measured.")),
        };
        set("cpu", peaks.cpu_milli, |milli| format!("{}m", milli.max(1)));
        set("memory", peaks.memory, |bytes| {
            format!("{}Mi", bytes.div_ceil(1 << 20).max(1))
        });
        let resources = json!({"resources": {"requests": requests, "limits": limits}});
        Ok(yaml::document(&comments, &patch(context, json!({}), resources)))
    }
}

/// Returns a comment with the limits that the recorded peaks and `--headroom` give where the launch has none, as the
/// settings of a format: `memory` of bytes, a multiple of a mebibyte, and `pids`. Nothing was run under them, and a probe
/// is not production's load, so no format that starts the product sets them.
pub(crate) fn suggestion(
    context: &Context<'_>,
    memory: impl Fn(u64) -> String,
    pids: impl Fn(u64) -> String,
) -> Option<String> {
    let own = &context.launch.container.limits;
    let peaks = context.recording.peaks();
    let headroom = context.options.headroom;
    let bytes = peaks.memory.filter(|_| own.memory.is_none());
    // Six mebibytes are the least that Docker takes.
    let bytes = bytes.map(|peak| with_headroom(peak, headroom).div_ceil(1 << 20).max(6) << 20);
    let tasks = peaks.pids.filter(|_| own.pids.is_none());
    let tasks = tasks.map(|peak| with_headroom(peak.max(1), headroom));
    let settings: Vec<String> = bytes.map(memory).into_iter().chain(tasks.map(pids)).collect();
    (!settings.is_empty()).then(|| {
        format!(
            "Not verified, the highest recorded peaks and {headroom} percent: {}",
            settings.join(", ")
        )
    })
}

/// Returns a peak and so many percent of it.
fn with_headroom(peak: u64, percent: u32) -> u64 {
    peak.saturating_add((peak / 100).saturating_mul(u64::from(percent)))
        .saturating_add((peak % 100 * u64::from(percent)).div_ceil(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headroom_is_above_the_peak_and_does_not_overflow() {
        assert_eq!(with_headroom(100, 50), 150);
        assert_eq!(with_headroom(3, 50), 5);
        assert_eq!(with_headroom(7, 0), 7);
        assert_eq!(with_headroom(u64::MAX, 1000), u64::MAX);
    }
}
