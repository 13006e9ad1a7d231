//! The errors of the tracer.

use std::path::PathBuf;

use super::btf::{self, BtfError};

/// Why tracing is not possible or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel publishes no type information.
    #[error(
        "{}: {source}; a kernel built with CONFIG_DEBUG_INFO_BTF is needed",
        btf::VMLINUX
    )]
    NoBtf {
        /// The error of the system.
        source: std::io::Error,
    },
    /// The kernel's structures lack a member.
    #[error("{0}; slim supports Linux 6.1 and later")]
    Btf(#[from] BtfError),
    /// No cgroup2 file system is mounted.
    #[error("no cgroup2 file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified")]
    NoCgroup2,
    /// This process is in a pid namespace, whose process ids are not those that the kernel's events carry.
    #[error(
        "slim runs in a pid namespace (a container, or unshare --pid), where process ids are not those of the kernel's \
         events; run it in the host's: on the host itself, or in a container with --pid=host"
    )]
    PidNamespace,
    /// The object of `SLIM_EBPF_OBJECT` could not be read.
    #[error("{}: {source} (named by SLIM_EBPF_OBJECT)", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The kernel rejected a map or a program.
    #[error(
        "the kernel refused the eBPF program ({what}): {reason}; run as root (or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE) on Linux 6.1 or later"
    )]
    Rejected {
        /// The part of the object that was rejected.
        what: String,
        /// The kernel's reason.
        reason: String,
    },
    /// The program is loaded, but a system call of this process did not run it.
    #[error(
        "the eBPF program was loaded, but a system call of slim itself did not run it: `slim doctor` lists what this machine lacks"
    )]
    ProgramDidNotRun,
    /// The id is not an engine's full id.
    #[error("{0:?} is not a full container id (64 hexadecimal digits)")]
    NotAnId(String),
    /// The directory is not a cgroup2 directory.
    #[error("{}: not a directory below the cgroup2 mount {}", path.display(), mount.display())]
    NotACgroup {
        /// The directory.
        path: PathBuf,
        /// The mount.
        mount: PathBuf,
    },
    /// A map could not be read or written.
    #[error("reading the eBPF map {map}: {reason}")]
    Map {
        /// Its name.
        map: &'static str,
        /// The reason.
        reason: String,
    },
    /// The program sent records of another layout than this library's.
    #[error("{0} records of the eBPF program were not understood: the loaded object is not of this version")]
    UnknownRecords(u64),
    /// The thread that reads the ring buffer failed.
    #[error("the reader of the ring buffer failed: {0}")]
    Reader(String),
}

impl Error {
    /// Returns whether this machine cannot trace at all (exit code 5), rather than something having gone wrong this time.
    pub fn cannot_trace(&self) -> bool {
        matches!(
            self,
            Self::NoBtf { .. }
                | Self::Btf(_)
                | Self::NoCgroup2
                | Self::PidNamespace
                | Self::Rejected { .. }
                | Self::ProgramDidNotRun
        )
    }
}
