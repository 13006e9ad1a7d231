//! A seccomp filter as a runtime is given it, evaluated in user space.
//!
//! A profile never grants more than the recorded container had, so every granted call passes through the container's
//! own filter: what it denied is not granted, what it allowed under conditions keeps them.
//!
//! Sources: OCI runtime specification, "Seccomp"; `libcontainer/seccomp` of runc for how rules combine.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::machine::{Machine, go_name};
use crate::recording::Abi;

/// A filter: a default answer and rules for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The answer where no rule matches.
    pub default: Answer,
    /// The architectures it knows (`SCMP_ARCH_X86_64`); empty for the machine's own alone.
    pub architectures: Vec<String>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// The action of a filter on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// The kernel runs it.
    Allow,
    /// It fails with this error number.
    Errno(u16),
    /// The caller is killed, trapped or handed to a tracer.
    Refuse,
}

/// An answer for some calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The calls.
    pub names: Vec<String>,
    /// The answer.
    pub answer: Answer,
    /// Conditions that must all hold; empty for none.
    pub when: Vec<Condition>,
}

/// A comparison of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The argument's index, from 0.
    pub index: u32,
    /// The value that it is compared with; for [`Compare::MaskedEq`] the mask.
    pub value: u64,
    /// For [`Compare::MaskedEq`] what the masked argument is compared with; 0 otherwise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub value_two: u64,
    /// The comparison.
    pub op: Compare,
}

/// The comparison of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Compare {
    /// Not equal.
    #[serde(rename = "SCMP_CMP_NE")]
    Ne,
    /// Less.
    #[serde(rename = "SCMP_CMP_LT")]
    Lt,
    /// Less or equal.
    #[serde(rename = "SCMP_CMP_LE")]
    Le,
    /// Equal.
    #[serde(rename = "SCMP_CMP_EQ")]
    Eq,
    /// Greater or equal.
    #[serde(rename = "SCMP_CMP_GE")]
    Ge,
    /// Greater.
    #[serde(rename = "SCMP_CMP_GT")]
    Gt,
    /// Equal after masking.
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// The part of one call that a filter lets through, over all values of its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// All of it.
    Always,
    /// Calls that meet all conditions of one of these alternatives.
    When(Vec<Vec<Condition>>),
    /// Nothing.
    Never,
}

/// Why a filter could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not a seccomp filter.
    #[error("not a seccomp filter of the OCI runtime specification: {0}")]
    Json(#[from] serde_json::Error),
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with a defaultAction")]
struct Document {
    default_action: String,
    default_errno_ret: Option<u16>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    arch_map: Option<Vec<ArchMap>>,
    #[serde(default)]
    syscalls: Option<Vec<DocumentRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentRule {
    #[serde(default)]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u16>,
    #[serde(default)]
    args: Option<Vec<Condition>>,
    #[serde(default)]
    includes: Option<Limits>,
    #[serde(default)]
    excludes: Option<Limits>,
}

/// When a rule of an engine's default profile applies: Docker's `includes` and `excludes`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
    #[serde(default)]
    min_kernel: Option<String>,
}

impl Limits {
    fn caps(&self) -> &[String] {
        self.caps.as_deref().unwrap_or_default()
    }

    fn arches(&self) -> &[String] {
        self.arches.as_deref().unwrap_or_default()
    }
}

/// The facts of a container that an engine knows when it resolves its default profile.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    /// The machine, as `uname -m` names it.
    pub machine: &'a str,
    /// The kernel's release.
    pub kernel: &'a str,
    /// The names of its capabilities (`CAP_SYS_ADMIN`).
    pub capabilities: &'a [String],
}

impl Filter {
    /// Reads `linux.seccomp` of an OCI runtime configuration.
    ///
    /// # Errors
    /// [`Error::Json`].
    pub fn from_oci(filter: &Value) -> Result<Self, Error> {
        Self::build(Document::deserialize(filter)?, |_| true)
    }

    /// Reads an engine's profile (Docker's JSON, with `archMap`, `includes` and `excludes`) as the engine resolves it
    /// for `container`.
    ///
    /// # Errors
    /// [`Error::Json`].
    pub fn from_engine(profile: &Value, container: Container<'_>) -> Result<Self, Error> {
        let mut document = Document::deserialize(profile)?;
        let own = architecture(container.machine, Abi::Native);
        for map in document.arch_map.take().unwrap_or_default() {
            if Some(map.architecture.as_str()) == own {
                let list = document.architectures.get_or_insert_default();
                list.push(map.architecture);
                list.extend(map.sub_architectures.unwrap_or_default());
            }
        }
        let arch = go_name(container.machine);
        let has = |cap: &String| container.capabilities.contains(cap);
        Self::build(document, |rule| {
            let includes = rule.includes.as_ref().is_none_or(|limits| {
                limits.caps().iter().all(has)
                    && (limits.arches().is_empty() || limits.arches().iter().any(|a| a == arch))
                    && limits
                        .min_kernel
                        .as_deref()
                        .is_none_or(|min| release(container.kernel) >= release(min))
            });
            let excludes = rule.excludes.as_ref().is_some_and(|limits| {
                limits.caps().iter().any(has) || limits.arches().iter().any(|a| a == arch)
            });
            includes && !excludes
        })
    }

    fn build(document: Document, applies: impl Fn(&DocumentRule) -> bool) -> Result<Self, Error> {
        // runc answers EPERM where a rule or the default names no error number.
        let answer = |action: &str, errno: Option<u16>| match action {
            "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" => Answer::Allow,
            "SCMP_ACT_ERRNO" => Answer::Errno(errno.unwrap_or(1)),
            _ => Answer::Refuse,
        };
        let mut rules = Vec::new();
        for rule in document.syscalls.unwrap_or_default() {
            if !applies(&rule) {
                continue;
            }
            let answer = answer(&rule.action, rule.errno_ret);
            let args = rule.args.unwrap_or_default();
            // runc: conditions on different arguments must all hold; as soon as one argument is named twice, each
            // condition is a rule of its own.
            let repeated = args
                .iter()
                .enumerate()
                .any(|(i, a)| args[..i].iter().any(|b| b.index == a.index));
            let alternatives = if repeated {
                args.into_iter().map(|a| vec![a]).collect()
            } else {
                vec![args]
            };
            rules.extend(alternatives.into_iter().map(|when| Rule {
                names: rule.names.clone(),
                answer,
                when,
            }));
        }
        Ok(Self {
            default: answer(&document.default_action, document.default_errno_ret),
            architectures: document.architectures.unwrap_or_default(),
            rules,
        })
    }

    fn rules<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules
            .iter()
            .filter(move |rule| rule.names.iter().any(|n| n == name))
    }

    /// Every condition on the arguments of the call `name`.
    pub fn conditions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Condition> {
        self.rules(name).flat_map(|rule| &rule.when)
    }

    /// Returns whether calls of `abi` on `machine` reach the rules at all; the others are killed or fail.
    pub fn knows(&self, machine: &str, abi: Abi) -> bool {
        abi == Abi::Native
            || architecture(machine, abi).is_some_and(|name| self.architectures.iter().any(|a| a == name))
    }

    /// The answer to the call `name` with these arguments.
    ///
    /// As in libseccomp a rule without conditions outweighs those with; of the others the strictest that matches.
    pub fn answer(&self, name: &str, args: &[u64; 6]) -> Answer {
        if let Some(rule) = self.rules(name).find(|rule| rule.when.is_empty()) {
            return rule.answer;
        }
        let matching = self
            .rules(name)
            .filter(|rule| rule.when.iter().all(|c| c.holds(args)));
        matching.map(|rule| rule.answer).max().unwrap_or(self.default)
    }

    /// Returns what is let through of the call `name`.
    pub fn bound(&self, name: &str) -> Bound {
        if let Some(rule) = self.rules(name).find(|rule| rule.when.is_empty()) {
            return if rule.answer == Answer::Allow {
                Bound::Always
            } else {
                Bound::Never
            };
        }
        let (allowing, refusing): (Vec<_>, Vec<_>) =
            self.rules(name).partition(|rule| rule.answer == Answer::Allow);
        match (self.default, refusing.as_slice()) {
            (Answer::Allow, []) => Bound::Always,
            // One refusal turned round: any one of its conditions does not hold.
            (Answer::Allow, [rule]) => rule
                .when
                .iter()
                .map(|c| c.negated().map(|c| vec![c]))
                .collect::<Option<_>>()
                .map_or(Bound::Never, Bound::When),
            // Several of them cannot be turned into alternatives that libseccomp can express.
            (Answer::Allow, _) => Bound::Never,
            _ if allowing.is_empty() => Bound::Never,
            _ => Bound::When(allowing.iter().map(|rule| rule.when.clone()).collect()),
        }
    }

    /// Rules that answer with an error number other than the default's, which callers may depend on (`clone3` with
    /// ENOSYS makes a C library fall back to `clone`): name, error number, conditions; sorted.
    pub fn chosen_errors(&self) -> Vec<(String, u16, Vec<Condition>)> {
        let mut all = Vec::new();
        for rule in &self.rules {
            if let Answer::Errno(errno) = rule.answer
                && rule.answer != self.default
            {
                all.extend(
                    rule.names
                        .iter()
                        .map(|name| (name.clone(), errno, rule.when.clone())),
                );
            }
        }
        all.sort();
        all.dedup();
        all
    }
}

impl Condition {
    /// Returns whether it holds for these arguments.
    pub fn holds(&self, args: &[u64; 6]) -> bool {
        let Some(&arg) = usize::try_from(self.index).ok().and_then(|i| args.get(i)) else {
            return false;
        };
        match self.op {
            Compare::Ne => arg != self.value,
            Compare::Lt => arg < self.value,
            Compare::Le => arg <= self.value,
            Compare::Eq => arg == self.value,
            Compare::Ge => arg >= self.value,
            Compare::Gt => arg > self.value,
            Compare::MaskedEq => arg & self.value == self.value_two,
        }
    }

    /// Conditions of which at least one holds exactly where this one does not; empty if they would be too many.
    pub fn opposites(&self) -> Vec<Self> {
        const MOST: u32 = 16;
        match self.op {
            // A bit of the mask is another one.
            Compare::MaskedEq if self.value.count_ones() <= MOST => (0..u64::BITS)
                .map(|bit| 1 << bit)
                .filter(|bit| self.value & bit != 0)
                .map(|bit| Self {
                    value: bit,
                    value_two: !self.value_two & bit,
                    ..*self
                })
                .collect(),
            _ => self.negated().into_iter().collect(),
        }
    }

    /// The condition that holds exactly where this one does not; a masked comparison has none.
    fn negated(&self) -> Option<Self> {
        let op = match self.op {
            Compare::Ne => Compare::Eq,
            Compare::Lt => Compare::Ge,
            Compare::Le => Compare::Gt,
            Compare::Eq => Compare::Ne,
            Compare::Ge => Compare::Lt,
            Compare::Gt => Compare::Le,
            Compare::MaskedEq => return None,
        };
        Some(Self { op, ..*self })
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let operator = match self.op {
            Compare::Ne => "!=",
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Eq => "==",
            Compare::Ge => ">=",
            Compare::Gt => ">",
            Compare::MaskedEq => {
                let Self {
                    index,
                    value,
                    value_two,
                    ..
                } = self;
                return write!(f, "argument {index} & {value:#x} == {value_two:#x}");
            }
        };
        write!(f, "argument {} {operator} {:#x}", self.index, self.value)
    }
}

impl Bound {
    /// Returns what at least one of both lets through.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, bound) | (bound, Self::Never) => bound,
            (Self::When(mut a), Self::When(b)) => {
                a.extend(b);
                a.sort();
                a.dedup();
                Self::When(a)
            }
        }
    }
}

/// The name in seccomp profiles of the architecture of calls of `abi` on `machine` (as `uname -m` names it).
pub fn architecture(machine: &str, abi: Abi) -> Option<&'static str> {
    Some(match (Machine::from_uname(machine)?, abi) {
        (Machine::X86_64, Abi::Native) => "SCMP_ARCH_X86_64",
        (Machine::X86_64, Abi::Compat) => "SCMP_ARCH_X86",
        (Machine::X86_64, Abi::X32) => "SCMP_ARCH_X32",
        (Machine::Aarch64, Abi::Native) => "SCMP_ARCH_AARCH64",
        (Machine::Aarch64, Abi::Compat) => "SCMP_ARCH_ARM",
        (Machine::Aarch64, Abi::X32) => return None,
    })
}

/// The first two numbers of a kernel's release.
fn release(text: &str) -> (u32, u32) {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DOCKER: &str = include_str!("../../../profiles/seccomp/docker-20.10.json");

    fn docker(capabilities: &[&str]) -> Filter {
        let capabilities: Vec<String> = capabilities.iter().map(ToString::to_string).collect();
        let container = Container {
            machine: "x86_64",
            kernel: "6.18.44-x",
            capabilities: &capabilities,
        };
        Filter::from_engine(&serde_json::from_str(DOCKER).unwrap(), container).unwrap()
    }

    #[test]
    fn the_default_profile_of_docker_is_resolved_as_docker_does() {
        let filter = docker(&["CAP_CHOWN"]);
        assert_eq!(
            filter.architectures,
            ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        );
        assert_eq!(filter.bound("openat"), Bound::Always);
        assert_eq!(filter.bound("ptrace"), Bound::Always, "minKernel 4.8");
        assert_eq!(filter.bound("mount"), Bound::Never);
        assert_eq!(filter.bound("riscv_flush_icache"), Bound::Never);
        assert_eq!(filter.answer("clone3", &[0; 6]), Answer::Errno(38));
        assert_eq!(filter.answer("clone", &[0x11, 0, 0, 0, 0, 0]), Answer::Allow);
        assert_eq!(
            filter.answer("clone", &[0x1000_0000, 0, 0, 0, 0, 0]),
            Answer::Errno(1)
        );
        assert_eq!(filter.chosen_errors(), [("clone3".into(), 38, vec![])]);
        let Bound::When(personality) = filter.bound("personality") else {
            panic!()
        };
        assert_eq!(personality.len(), 5);

        let admin = docker(&["CAP_SYS_ADMIN"]);
        assert_eq!(admin.bound("clone"), Bound::Always);
        assert_eq!(admin.bound("mount"), Bound::Always);
        assert!(admin.chosen_errors().is_empty());
    }

    #[test]
    fn one_argument_named_twice_means_alternatives() {
        let filter = Filter::from_oci(&json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]
        }))
        .unwrap();
        assert_eq!(filter.answer("prctl", &[2, 0, 0, 0, 0, 0]), Answer::Allow);
        assert_eq!(filter.answer("prctl", &[3, 0, 0, 0, 0, 0]), Answer::Errno(1));
    }

    #[test]
    fn a_filter_that_refuses_by_name_is_turned_round() {
        let filter = Filter::from_oci(&json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                {"names": ["mount"], "action": "SCMP_ACT_ERRNO"},
                {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [
                    {"index": 0, "value": 40, "op": "SCMP_CMP_EQ"}]},
                {"names": ["clone"], "action": "SCMP_ACT_KILL", "args": [
                    {"index": 0, "value": 1, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}]
        }))
        .unwrap();
        assert_eq!(filter.bound("read"), Bound::Always);
        assert_eq!(filter.bound("mount"), Bound::Never);
        assert_eq!(filter.bound("clone"), Bound::Never);
        let not_vsock = Condition {
            index: 0,
            value: 40,
            value_two: 0,
            op: Compare::Ne,
        };
        assert_eq!(filter.bound("socket"), Bound::When(vec![vec![not_vsock]]));
    }

    #[test]
    fn what_is_no_filter_is_an_error() {
        assert!(Filter::from_oci(&json!({"syscalls": []})).is_err());
        assert!(Filter::from_oci(&json!([1])).is_err());
    }

    proptest! {
        /// Exactly where a condition does not hold, one of its opposites does.
        #[test]
        fn opposites_are_what_is_left(
            op in proptest::sample::select(vec![
                Compare::Ne, Compare::Lt, Compare::Le, Compare::Eq, Compare::Ge, Compare::Gt, Compare::MaskedEq,
            ]),
            value in prop_oneof![0u64..16, Just(0x7e02_0000), any::<u64>()],
            value_two in prop_oneof![0u64..16, Just(0)],
            arg in prop_oneof![0u64..16, Just(0x1000_0000), any::<u64>()],
        ) {
            let masked = op == Compare::MaskedEq;
            let value_two = if masked { value_two & value } else { 0 };
            let condition = Condition { index: 2, value, value_two, op };
            let opposites = condition.opposites();
            prop_assume!(!masked || value.count_ones() <= 16);
            let args = [0, 0, arg, 0, 0, 0];
            prop_assert_eq!(!condition.holds(&args), opposites.iter().any(|c| c.holds(&args)));
        }

        /// A bound lets through exactly the calls that the filter allows.
        #[test]
        fn a_bound_allows_what_its_filter_allows(
            name in proptest::sample::select(vec!["clone", "clone3", "personality", "read", "mount"]),
            arg in prop_oneof![any::<u64>(), Just(0), Just(8), Just(131_072), Just(0x7e02_0000), 0u64..0x100],
        ) {
            let filter = docker(&[]);
            let args = [arg, 0, 0, 0, 0, 0];
            let through = match filter.bound(name) {
                Bound::Always => true,
                Bound::Never => false,
                Bound::When(any) => any.iter().any(|all| all.iter().all(|c| c.holds(&args))),
            };
            prop_assert_eq!(through, filter.answer(name, &args) == Answer::Allow);
        }
    }
}
