//! The tracer as the pipeline sees it: the kernel's tracer, or a scripted one in tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::path::RootPath;
use crate::recording::{ContainerFacts, Phase, SocketUse};
use crate::trace::{self, Error, Options, Scope, Traced, Work};

/// A tracer on its way into the kernel, which takes a while that other things can fill.
pub type Loading = JoinHandle<Result<Box<dyn LoadedTracer>, Error>>;

/// Watches containers, and knows the control groups that they run in.
pub trait Tracer: Send + Sync {
    /// Begins to load a tracer of these sizes.
    fn load(&self, sizes: Options) -> Loading;

    /// Returns the cgroup2 directory of the container with this full id, whose first process is `pid`; none if it is not
    /// on this kernel.
    fn cgroup_of(&self, container: &str, pid: u32) -> Option<PathBuf>;

    /// Returns what can be told of the container in a cgroup2 directory without its engine; none if nothing runs there.
    fn container_facts(&self, cgroup: &Path) -> Option<ContainerFacts>;

    /// Returns the programs that run in a cgroup2 directory and below it.
    fn programs(&self, cgroup: &Path) -> BTreeSet<RootPath>;
}

/// A tracer that is loaded and watches nothing yet.
pub trait LoadedTracer: Send {
    /// Begins to watch; blocks for a while. For [`Scope::Container`], call it before the engine's `start`.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::cannot_trace`] tells a machine that cannot.
    fn watch(self: Box<Self>, scope: Scope) -> Result<Box<dyn ActiveTracer>, Error>;
}

/// A tracer that watches one container.
pub trait ActiveTracer: Send + Sync {
    /// Returns whether the container's cgroup was seen. If not, after the engine's `start`: the engine runs on another
    /// kernel.
    fn scoped(&self) -> bool;

    /// Returns whether a program of the application was executed.
    fn app_started(&self) -> bool;

    /// Returns whether a process is left in the container's cgroup.
    fn populated(&self) -> bool;

    /// Returns the work of the container's processes; none where that is not known.
    fn work(&self) -> Option<Work> {
        None
    }

    /// Begins a phase.
    ///
    /// # Errors
    /// [`Error::Map`].
    fn mark(&self, phase: Phase) -> Result<(), Error>;

    /// Returns what the application listens on by now (UDP: is bound to).
    fn listening(&self) -> Vec<SocketUse>;

    /// Detaches, drains everything, and adds it up; blocks for a while. Call it after the container has ended.
    ///
    /// # Errors
    /// [`Error::Map`], [`Error::Reader`], [`Error::UnknownRecords`].
    fn finish(self: Box<Self>) -> Result<Traced, Error>;
}

/// The tracer of this machine's kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelTracer;

impl Tracer for KernelTracer {
    fn load(&self, sizes: Options) -> Loading {
        tokio::task::spawn_blocking(move || {
            let loaded = trace::Loaded::new(sizes)?;
            Ok(Box::new(loaded) as Box<dyn LoadedTracer>)
        })
    }

    fn cgroup_of(&self, container: &str, pid: u32) -> Option<PathBuf> {
        trace::cgroup_of(container, pid)
    }

    fn container_facts(&self, cgroup: &Path) -> Option<ContainerFacts> {
        trace::container_facts(cgroup)
    }

    fn programs(&self, cgroup: &Path) -> BTreeSet<RootPath> {
        trace::programs(cgroup)
    }
}

impl LoadedTracer for trace::Loaded {
    fn watch(self: Box<Self>, scope: Scope) -> Result<Box<dyn ActiveTracer>, Error> {
        Ok(Box::new((*self).watch(scope)?))
    }
}

impl ActiveTracer for trace::Tracer {
    fn scoped(&self) -> bool {
        self.scoped()
    }

    fn app_started(&self) -> bool {
        self.app_started()
    }

    fn populated(&self) -> bool {
        self.populated()
    }

    fn work(&self) -> Option<Work> {
        self.work()
    }

    fn mark(&self, phase: Phase) -> Result<(), Error> {
        self.mark(phase)
    }

    fn listening(&self) -> Vec<SocketUse> {
        self.listening()
    }

    fn finish(self: Box<Self>) -> Result<Traced, Error> {
        (*self).finish()
    }
}

/// Begins to load the tracer of this machine's kernel.
pub fn load(sizes: Options) -> Loading {
    KernelTracer.load(sizes)
}
