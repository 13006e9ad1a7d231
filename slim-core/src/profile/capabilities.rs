//! Capabilities as options of `docker run`.

use crate::plan::Plan;

/// `--cap-drop ALL` and a `--cap-add` for each granted capability, in the order of their names.
pub fn options(plan: &Plan) -> Vec<String> {
    let mut words = vec!["--cap-drop".to_owned(), "ALL".to_owned()];
    for capability in &plan.capabilities {
        let name = capability.name.strip_prefix("CAP_").unwrap_or(&capability.name);
        words.extend(["--cap-add".to_owned(), name.to_owned()]);
    }
    words
}
