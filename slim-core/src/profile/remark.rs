//! Remarks on the options of a launch that a format cannot say, as comments of the artifact.

use crate::spec::ContainerSpec;

/// Returns the remark on an option that is left out.
pub(crate) fn not_carried(option: &str) -> String {
    format!("not carried over: {option}")
}

/// Returns the remark on an option that another one stands for.
pub(crate) fn replaced(option: &str, by: &str) -> String {
    format!("in place of {option}: {by}")
}

/// Returns a remark on each option of `rest`, which a format has no words for, and on its command.
pub(crate) fn rest(rest: &ContainerSpec) -> Vec<String> {
    let options = rest.to_words().into_iter().map(|option| option.join(" "));
    let command = (!rest.command.is_empty()).then(|| format!("the command {}", rest.command.join(" ")));
    let foreign = rest.not_carried.iter().cloned();
    let all = options.chain(command).chain(foreign);
    all.map(|option| not_carried(&option)).collect()
}
