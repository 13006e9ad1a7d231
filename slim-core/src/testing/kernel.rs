//! A tracer and an AppArmor without a kernel.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{FakeEngine, nothing_observed};
use crate::path::RootPath;
use crate::pipeline::{ActiveTracer, AppArmor, LoadedProfile, LoadedTracer, Loading, NotEnforced, Tracer};
use crate::recording::{ContainerFacts, Observed, Phase, SocketUse};
use crate::trace::{Error, Options, Scope, Traced};

/// A tracer that sees what the script of an engine says.
#[derive(Clone)]
pub struct FakeTracer(FakeEngine);

impl FakeTracer {
    pub(super) fn new(engine: FakeEngine) -> Self {
        Self(engine)
    }
}

impl Tracer for FakeTracer {
    fn load(&self, _: Options) -> Loading {
        let loaded: Box<dyn LoadedTracer> = Box::new(self.clone());
        tokio::spawn(async { Ok(loaded) })
    }

    fn cgroup_of(&self, container: &str, _: u32) -> Option<PathBuf> {
        Some(Path::new("/sys/fs/cgroup").join(container))
    }

    fn container_facts(&self, _: &Path) -> Option<ContainerFacts> {
        None
    }

    fn programs(&self, _: &Path) -> BTreeSet<RootPath> {
        BTreeSet::new()
    }
}

impl LoadedTracer for FakeTracer {
    fn watch(self: Box<Self>, scope: Scope) -> Result<Box<dyn ActiveTracer>, Error> {
        let id = match scope {
            Scope::Container(id) => id,
            Scope::Cgroup(path) => {
                let name = path.file_name().unwrap_or_default();
                name.to_string_lossy().into_owned()
            }
        };
        Ok(Box::new(Watching {
            engine: self.0,
            id,
            observed: std::sync::Mutex::new(None),
        }))
    }
}

struct Watching {
    engine: FakeEngine,
    id: String,
    /// The observation before the container was removed.
    observed: std::sync::Mutex<Option<Observed>>,
}

impl Watching {
    fn observed(&self) -> Observed {
        let now = self
            .engine
            .inspect(&self.id, |behaviour| behaviour.observed.clone());
        let mut known = self
            .observed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.is_some() {
            known.clone_from(&now);
        }
        known.clone().unwrap_or_else(nothing_observed)
    }
}

impl ActiveTracer for Watching {
    fn scoped(&self) -> bool {
        self.engine
            .inspect(&self.id, |behaviour| behaviour.scoped)
            .unwrap_or_default()
    }

    fn app_started(&self) -> bool {
        !self.observed().programs.is_empty()
    }

    fn populated(&self) -> bool {
        self.engine
            .inspect(&self.id, |behaviour| behaviour.ended.is_none())
            .unwrap_or_default()
    }

    fn mark(&self, _: Phase) -> Result<(), Error> {
        Ok(())
    }

    fn listening(&self) -> Vec<SocketUse> {
        self.observed().sockets
    }

    fn finish(self: Box<Self>) -> Result<Traced, Error> {
        Ok(Traced {
            observed: self.observed(),
            unprivileged_port_start: None,
        })
    }
}

/// An AppArmor that enforces profiles the first so many times.
#[derive(Debug)]
pub struct FakeAppArmor {
    loads: usize,
    loaded: AtomicUsize,
}

impl FakeAppArmor {
    /// The name under which profiles are loaded.
    pub const NAME: &str = "fake-profile";

    /// Returns one that loads `loads` profiles and refuses the others.
    pub fn new(loads: usize) -> Self {
        Self {
            loads,
            loaded: AtomicUsize::new(0),
        }
    }
}

struct Named;

impl LoadedProfile for Named {
    fn name(&self) -> &str {
        FakeAppArmor::NAME
    }
}

impl AppArmor for FakeAppArmor {
    fn load(&self, _: &str, _: &str) -> Result<Box<dyn LoadedProfile>, NotEnforced> {
        if self.loaded.fetch_add(1, Ordering::Relaxed) < self.loads {
            Ok(Box::new(Named))
        } else {
            Err(NotEnforced("it loads no more".to_owned()))
        }
    }
}
