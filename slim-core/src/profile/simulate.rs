//! The answer of a seccomp profile to a call, without a kernel: the profile compiled by libseccomp as a container
//! runtime compiles it, and its classic BPF program interpreted.
//!
//! Sources: `include/uapi/linux/{bpf_common,filter,seccomp}.h`.

use std::io::{Read, Seek};

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

use super::Error;
use crate::plan::filter::{Answer, Compare, Condition, Filter, architecture};
use crate::recording::Abi;

/// A compiled profile.
#[derive(Clone, Debug)]
pub struct Simulator {
    program: Vec<Instruction>,
}

/// `struct sock_filter`.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `AUDIT_ARCH_…` of `include/uapi/linux/audit.h`.
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;
const AUDIT_ARCH_ARM: u32 = 0x4000_0028;

/// `__X32_SYSCALL_BIT`.
const X32_BIT: u32 = 0x4000_0000;

fn failed(what: &str) -> impl Fn(libseccomp::error::SeccompError) -> Error + '_ {
    move |error| Error::Simulate(format!("{what}: {error}"))
}

impl Simulator {
    /// Compiles a profile's JSON: Docker's or an OCI `linux.seccomp`, without `includes` and `excludes`.
    ///
    /// # Errors
    /// [`Error::Simulate`] if it is no profile or libseccomp refuses it.
    pub fn new(profile: &[u8]) -> Result<Self, Error> {
        let value = serde_json::from_slice(profile).map_err(|e| Error::Simulate(e.to_string()))?;
        Self::compile(&Filter::from_oci(&value).map_err(|e| Error::Simulate(e.to_string()))?)
    }

    /// Compiles a filter.
    ///
    /// # Errors
    /// [`Error::Simulate`] if libseccomp refuses it.
    pub fn compile(filter: &Filter) -> Result<Self, Error> {
        let mut context =
            ScmpFilterContext::new(action(filter.default)).map_err(failed("the default action"))?;
        if !filter.architectures.is_empty() {
            let native = ScmpArch::native();
            context.remove_arch(native).map_err(failed("architecture"))?;
        }
        for name in &filter.architectures {
            let arch: ScmpArch = name.parse().map_err(failed(name))?;
            context.add_arch(arch).map_err(failed(name))?;
        }
        for rule in filter.rules.iter().filter(|rule| rule.answer != filter.default) {
            let comparators: Vec<ScmpArgCompare> = rule.when.iter().map(comparator).collect();
            for name in &rule.names {
                // runc passes over names that its libseccomp does not know.
                if let Ok(call) = ScmpSyscall::from_name(name) {
                    context
                        .add_rule_conditional(action(rule.answer), call, &comparators)
                        .map_err(failed(name))?;
                }
            }
        }
        let io = |e: std::io::Error| Error::Simulate(e.to_string());
        let mut file = tempfile::tempfile().map_err(io)?;
        context.export_bpf(&file).map_err(failed("export"))?;
        let mut bytes = Vec::new();
        file.rewind().map_err(io)?;
        file.read_to_end(&mut bytes).map_err(io)?;
        let (instructions, _) = bytes.as_chunks::<8>();
        let program = instructions
            .iter()
            .map(|&[c0, c1, jt, jf, k0, k1, k2, k3]| Instruction {
                code: u16::from_ne_bytes([c0, c1]),
                jt,
                jf,
                k: u32::from_ne_bytes([k0, k1, k2, k3]),
            })
            .collect();
        Ok(Self { program })
    }

    /// Returns the answer on `machine` (as `uname -m` names it) to the call `name` of `abi` with these arguments.
    ///
    /// # Errors
    /// [`Error::Simulate`] if that machine has no such call.
    pub fn call(&self, machine: &str, abi: Abi, name: &str, args: &[u64; 6]) -> Result<Answer, Error> {
        let none = || Error::Simulate(format!("{name} is no call of {machine}"));
        let arch: ScmpArch = architecture(machine, abi)
            .and_then(|arch| arch.parse().ok())
            .ok_or_else(none)?;
        let call = ScmpSyscall::from_name_by_arch(name, arch).map_err(|_| none())?;
        let number = u32::try_from(call.as_raw_syscall()).map_err(|_| none())?;
        self.answer(machine, abi, number & !X32_BIT, args)
    }

    /// Returns the answer on `machine` to the call `number` of `abi` (without the x32 bit) with these arguments.
    ///
    /// # Errors
    /// [`Error::Simulate`] on an instruction that seccomp does not have.
    pub fn answer(&self, machine: &str, abi: Abi, number: u32, args: &[u64; 6]) -> Result<Answer, Error> {
        let (arch, number) = match (machine, abi) {
            ("aarch64", Abi::Native) => (AUDIT_ARCH_AARCH64, number),
            ("aarch64", _) => (AUDIT_ARCH_ARM, number),
            (_, Abi::Native) => (AUDIT_ARCH_X86_64, number),
            (_, Abi::X32) => (AUDIT_ARCH_X86_64, number | X32_BIT),
            (_, Abi::Compat) => (AUDIT_ARCH_I386, number),
        };
        // struct seccomp_data: nr, arch, instruction pointer, arguments; as 32-bit words in the machine's order.
        let mut data = vec![number, arch, 0, 0];
        for arg in args {
            let bytes = arg.to_ne_bytes();
            data.extend(
                bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|&word| u32::from_ne_bytes(word)),
            );
        }

        let broken = |at: usize| Error::Simulate(format!("instruction {at} is not one of seccomp's"));
        let (mut a, mut at) = (0u32, 0usize);
        // Jumps only go forward, so it ends.
        loop {
            let i = self.program.get(at).ok_or_else(|| broken(at))?;
            at += 1;
            let mut jump = |taken: bool| at += usize::from(if taken { i.jt } else { i.jf });
            match i.code {
                // BPF_LD | BPF_W | BPF_ABS
                0x20 => a = *data.get(i.k as usize / 4).ok_or_else(|| broken(at))?,
                // BPF_JMP | BPF_JA
                0x05 => at += i.k as usize,
                // BPF_JMP | BPF_{JEQ,JGT,JGE,JSET} | BPF_K
                0x15 => jump(a == i.k),
                0x25 => jump(a > i.k),
                0x35 => jump(a >= i.k),
                0x45 => jump(a & i.k != 0),
                // BPF_ALU | BPF_AND | BPF_K
                0x54 => a &= i.k,
                // BPF_RET | BPF_K
                0x06 => return Ok(verdict(i.k)),
                _ => return Err(broken(at - 1)),
            }
        }
    }
}

/// `SECCOMP_RET_ALLOW`, `_LOG`, `_ERRNO` and the rest.
fn verdict(value: u32) -> Answer {
    match value & 0xffff_0000 {
        0x7fff_0000 | 0x7ffc_0000 => Answer::Allow,
        0x0005_0000 => Answer::Errno((value & 0xffff) as u16),
        _ => Answer::Refuse,
    }
}

fn action(answer: Answer) -> ScmpAction {
    match answer {
        Answer::Allow => ScmpAction::Allow,
        Answer::Errno(errno) => ScmpAction::Errno(i32::from(errno)),
        Answer::Refuse => ScmpAction::KillProcess,
    }
}

fn comparator(condition: &Condition) -> ScmpArgCompare {
    let (op, value) = match condition.op {
        Compare::Ne => (ScmpCompareOp::NotEqual, condition.value),
        Compare::Lt => (ScmpCompareOp::Less, condition.value),
        Compare::Le => (ScmpCompareOp::LessOrEqual, condition.value),
        Compare::Eq => (ScmpCompareOp::Equal, condition.value),
        Compare::Ge => (ScmpCompareOp::GreaterEqual, condition.value),
        Compare::Gt => (ScmpCompareOp::Greater, condition.value),
        Compare::MaskedEq => (ScmpCompareOp::MaskedEqual(condition.value), condition.value_two),
    };
    ScmpArgCompare::new(condition.index, op, value)
}
