//! `slim merge`.

use super::{json, load_recordings, open_output};
use crate::args::{Global, Merge, Results};
use crate::streams::{out, outln};

pub(crate) fn run(global: &Global, args: &Merge) -> anyhow::Result<()> {
    let (recording, bodies) = load_recordings(&args.recordings, args.signed.key()?.as_ref())?;
    let reference = slim_core::pipeline::recorded_reference(&recording);
    let name = reference.parse()?;
    let key = args.sign.key()?;
    let output = open_output(global, args.output.as_ref(), &name)?.signing(key);
    let path = output.write_recording(&recording, &bodies)?;
    match global.results() {
        Results::Json => out!(
            "{}",
            json(&serde_json::json!({
                "recording": path,
                "image": recording.image,
                "runs": recording.runs.keys().collect::<Vec<_>>(),
            }))?
        ),
        Results::Text => {
            outln!("  recording     {}", path.display());
            outln!("  runs          {} of {reference}", recording.runs.len());
        }
    }
    Ok(())
}
