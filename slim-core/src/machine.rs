//! The machine architectures that slim knows, by each of their names.

/// A machine architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Machine {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// Returns the name that `uname -m` and Rust give it.
    pub const fn uname(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Returns the name that Go and images give it (OCI image specification, `architecture`: a value of `GOARCH`).
    pub const fn go(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Returns the one that `uname -m` calls `name`; none if slim does not know it.
    pub fn from_uname(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|machine| machine.uname() == name)
    }
}

/// Returns Go's name of what `uname -m` calls `name`, which is taken to be the same for what slim does not know.
pub fn go_name(name: &str) -> &str {
    match Machine::from_uname(name) {
        Some(machine) => machine.go(),
        None => name,
    }
}

/// Returns Go's name of the machine that slim was built for.
pub fn here() -> &'static str {
    go_name(std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for machine in Machine::ALL {
            assert_eq!(Machine::from_uname(machine.uname()), Some(machine));
            assert_eq!(Machine::from_uname(machine.go()), None);
        }
        assert_eq!(go_name("riscv64"), "riscv64");
        assert!(Machine::ALL.iter().any(|machine| machine.go() == here()));
    }
}
