//! YAML of hostile recordings: it has the keys that it should, and texts come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use slim_core::plan::recorded_container;
use slim_core::profile::ARTIFACTS;
use slim_fuzz::profile;

fuzz_target!(|data: &[u8]| {
    let Some(made) = profile::made(data) else { return };
    for artifact in ARTIFACTS
        .iter()
        .filter(|artifact| artifact.file_name().ends_with(".yaml"))
    {
        let Some(text) = made.render(*artifact) else {
            continue;
        };
        let document: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let keys: Vec<&str> = document
            .as_object()
            .expect("a map")
            .keys()
            .map(String::as_str)
            .collect();
        match artifact.format() {
            "compose" => compose(&made, &document),
            "k8s-security-context" | "k8s-resources" => assert_eq!(keys, ["spec"]),
            _ => assert_eq!(keys, ["apiVersion", "kind", "metadata", "spec"], "{text}"),
        }
    }
});

fn compose(made: &profile::Made, document: &Value) {
    let services = document["services"].as_object().expect("services");
    assert_eq!(services.len(), 1);
    let service = services.values().next().expect("a service");
    let read = |key: &str| -> Vec<String> {
        let items = service[key].as_array().into_iter().flatten();
        let texts = items.map(|item| item.as_str().expect("a text"));
        texts
            .map(|text| {
                assert!(!text.replace("$$", "").contains('$'), "a variable in {text:?}");
                text.replace("$$", "$")
            })
            .collect()
    };
    let container = recorded_container(&made.run().container, &made.image.config);
    let labels: Vec<String> = container
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(read("labels"), labels);
    assert_eq!(read("command"), container.command);
    assert_eq!(read("cap_drop"), ["ALL"]);
}
