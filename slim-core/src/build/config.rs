//! The product's config: the image's own, with one layer, a history that reads like the Dockerfile, and labels that
//! say what it was made from.
//!
//! Source: OCI image specification, "Image Configuration" and "Annotations".

use serde_json::{Map, Value, json};

use super::context::Instruction;
use super::{BuildError, Options, change};
use crate::digest::Digest;
use crate::image::{Config, Image};
use crate::plan::Plan;

/// The digest of the image's config.
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// The image as the user named it.
const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The digests of the runs that the plan follows from.
const RECORDING: &str = "io.github.slim.recording";
/// The version of this program.
const VERSION: &str = "io.github.slim.version";

/// The fields in which Docker's classic builder describes the container that made the last layer: not true of this image.
const BUILDERS_NOTES: [&str; 5] = ["container", "container_config", "docker_version", "id", "parent"];

/// The config with the labels and the user's changes, but still without its layer.
pub(super) fn edited(image: &Image, plan: &Plan, options: &Options) -> Result<Config, BuildError> {
    let mut config = image.config.0.clone();
    for key in BUILDERS_NOTES {
        config.remove(key);
    }
    let section = object(&mut config, "config");
    section.remove("Image");
    let labels = object(section, "Labels");
    let runs: Vec<&str> = plan.runs.iter().map(Digest::as_str).collect();
    for (key, value) in [
        (BASE_DIGEST, image.id.to_string()),
        (BASE_NAME, image.reference.clone()),
        (RECORDING, runs.join(",")),
        (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
    ] {
        if !value.is_empty() {
            labels.insert(key.to_owned(), value.into());
        }
    }
    change::apply(section, &options.changes)?;
    Ok(Config(config))
}

/// The member `key` as an object, which replaces what else it was.
pub(super) fn object<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(key.to_owned()).or_insert(Value::Null);
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was just made one")
}

/// The document for the layer `diff_id`.
pub(super) fn finish(
    config: Config,
    diff_id: &Digest,
    instructions: &[Instruction],
    options: &Options,
) -> Vec<u8> {
    let mut map = config.0;
    let created = match options.source_date_epoch {
        Some(epoch) => timestamp(epoch),
        None => match map.get("created").and_then(Value::as_str) {
            Some(created) => created.to_owned(),
            None => timestamp(0),
        },
    };
    let history: Vec<Value> = instructions
        .iter()
        .filter_map(|instruction| {
            let text = instruction.text.as_ref().ok()?;
            let mut step = json!({"created": created, "created_by": text});
            if !instruction.adds_layer {
                step["empty_layer"] = true.into();
            }
            Some(step)
        })
        .collect();
    map.insert("created".to_owned(), created.into());
    map.insert("history".to_owned(), history.into());
    map.insert(
        "rootfs".to_owned(),
        json!({"type": "layers", "diff_ids": [diff_id]}),
    );
    let mut value = Value::Object(map);
    value.sort_all_objects();
    value.to_string().into_bytes()
}

/// Returns a time as RFC 3339 has it, in UTC.
fn timestamp(epoch: u64) -> String {
    let (days, second) = (epoch / 86_400, epoch % 86_400);
    // Civil from days, for the proleptic Gregorian calendar, in years that begin in March: eras of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (epoch, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(epoch), text);
        }
    }
}
