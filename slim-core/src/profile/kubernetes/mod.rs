//! Resources for a cluster: patches for a pod's template, a network policy, and the security-profiles-operator's resources.
//!
//! Sources: the Kubernetes API reference (`core/v1`, `networking.k8s.io/v1`); the security-profiles-operator's API,
//! `security-profiles-operator.x-k8s.io/v1`.

mod network_policy;
mod operator;
mod resources;
mod security_context;

pub use network_policy::NetworkPolicy;
pub use operator::{OperatorAppArmor, OperatorSeccomp};
pub use resources::Resources;
pub(super) use resources::suggestion;
pub use security_context::SecurityContext;

use serde_json::{Value, json};

use super::Context;
use crate::image::ImageName;

/// A strategic merge patch for a workload's pod template, with one container.
fn patch(context: &Context<'_>, pod: Value, container: Value) -> Value {
    let mut container_fields = json!({"name": container_name(context)});
    merge(&mut container_fields, container);
    let mut spec = pod;
    merge(&mut spec, json!({"containers": [container_fields]}));
    json!({"spec": {"template": {"spec": spec}}})
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Returns instructions for a patch.
fn usage(context: &Context<'_>, file: &str) -> Vec<String> {
    vec![
        format!("What {} was seen to need, and no more.", context.plan.reference),
        format!("kubectl patch deployment NAME --patch-file {file}"),
        format!(
            "The container is taken to be named {}: write its own name there.",
            container_name(context)
        ),
    ]
}

/// A container's name from its image's: the last part of it, as a DNS label.
pub(super) fn container_name(context: &Context<'_>) -> String {
    let image = context.plan.reference.parse::<ImageName>();
    let path = image
        .map(|image| image.reference().path().to_owned())
        .unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = super::label(name);
    if name.is_empty() { "app".to_owned() } else { name }
}
