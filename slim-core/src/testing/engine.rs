//! An engine without containers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Behaviour, FakeTracer, Start};
use crate::digest::Digest;
use crate::engine::{
    ArchiveStream, ByteCounts, Container, Engine, Error, ExecResult, LoadedImage, Pull, State,
};
use crate::image::{Image, ImageRef};
use crate::owned::{Fate, Place, Thing};
use crate::pipeline::Stop;
use crate::recording::{ContainerFacts, EngineFacts, Outcome, Peaks, RuntimeFacts};
use crate::spec::ContainerSpec;

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are those of the trait `Engine`")]
pub enum Call {
    Create,
    Start,
    State,
    Facts,
    Wait,
    Stop,
    Logs,
    Exec,
    Peaks,
    Remove,
    Load,
    Tag,
    Untag,
}

/// A fault at a call.
#[derive(Clone)]
pub enum Fault {
    /// The engine is restarted: the call breaks, and every container has ended.
    Restart,
    /// The user ends the work meanwhile, and the call takes for ever.
    Interrupt(Stop),
}

type Script = dyn Fn(&Start) -> Behaviour + Send + Sync;

/// An engine without containers; clones are the same engine.
#[derive(Clone)]
pub struct FakeEngine(Arc<Shared>);

struct Shared {
    facts: EngineFacts,
    script: Box<Script>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    containers: BTreeMap<String, Fake>,
    created: usize,
    started: usize,
    /// Digests of the images that were loaded.
    loaded: Vec<Digest>,
    /// Names that were handed out and are not yet those of an image.
    promised: Vec<String>,
    /// Names of loaded images.
    names: Vec<String>,
    calls: BTreeMap<Call, usize>,
    faults: Vec<(Call, usize, Fault)>,
}

struct Fake {
    image: Digest,
    spec: ContainerSpec,
    behaviour: Option<Behaviour>,
    outcome: Option<Outcome>,
}

impl FakeEngine {
    /// Returns an engine whose containers behave as `script` says.
    pub fn new(script: impl Fn(&Start) -> Behaviour + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            facts: EngineFacts {
                name: "docker".to_owned(),
                ..EngineFacts::default()
            },
            script: Box::new(script),
            inner: Mutex::default(),
        }))
    }

    /// Lets `fault` happen at the `number`th `call`, from 1.
    #[must_use]
    pub fn at(self, call: Call, number: usize, fault: Fault) -> Self {
        self.inner().faults.push((call, number, fault));
        self
    }

    /// Returns the tracer that sees its containers.
    pub fn tracer(&self) -> FakeTracer {
        FakeTracer::new(self.clone())
    }

    /// Returns the number of containers that were started.
    pub fn started(&self) -> usize {
        self.inner().started
    }

    /// Returns how often `call` was made.
    pub fn calls(&self, call: Call) -> usize {
        self.inner().calls.get(&call).copied().unwrap_or_default()
    }

    /// Returns the number of images that were loaded.
    pub fn loaded(&self) -> usize {
        self.inner().loaded.len()
    }

    /// Returns the names of loaded images that are left, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.inner().names.clone();
        names.sort();
        names
    }

    /// Returns the names of containers that are left.
    pub fn containers(&self) -> Vec<String> {
        self.inner().containers.keys().cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the behaviour of a started container to `inspect`; none if there is no such container or it was not started.
    pub(super) fn inspect<T>(&self, id: &str, inspect: impl FnOnce(&Behaviour) -> T) -> Option<T> {
        let inner = self.inner();
        inner.containers.get(id)?.behaviour.as_ref().map(inspect)
    }

    async fn call(&self, call: Call) -> Result<(), Error> {
        let fault = {
            let mut inner = self.inner();
            let number = inner.calls.entry(call).or_default();
            *number += 1;
            let number = *number;
            let mut faults = inner.faults.iter();
            faults
                .find(|fault| (fault.0, fault.1) == (call, number))
                .map(|fault| fault.2.clone())
        };
        match fault {
            None => Ok(()),
            Some(Fault::Restart) => {
                for fake in self.inner().containers.values_mut() {
                    fake.outcome = Some(Outcome {
                        exit_code: Some(137),
                        ..Outcome::default()
                    });
                }
                Err(Error::Broken {
                    action: format!("{call:?}"),
                    reason: "connection reset".to_owned(),
                })
            }
            Some(Fault::Interrupt(stop)) => {
                stop.signal();
                std::future::pending().await
            }
        }
    }

    fn with<T>(&self, container: &Container, look: impl FnOnce(&Fake) -> T) -> Result<T, Error> {
        let inner = self.inner();
        inner
            .containers
            .get(&container.id)
            .map(look)
            .ok_or_else(|| Error::Gone {
                container: container.name.clone(),
            })
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn facts(&self) -> &EngineFacts {
        &self.0.facts
    }

    async fn image(&self, reference: &str, _: Pull, _: Option<ByteCounts>) -> Result<Image, Error> {
        Err(Error::NoImage {
            reference: reference.to_owned(),
        })
    }

    async fn has_image(&self, id: &Digest) -> Result<bool, Error> {
        Ok(self.inner().loaded.contains(id))
    }

    fn same_kernel(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn find(&self, name_or_id: &str) -> Result<Container, Error> {
        let id = name_or_id.to_owned();
        match self.inner().containers.contains_key(name_or_id) {
            true => Ok(Container { name: id.clone(), id }),
            false => Err(Error::NoContainer { name: id }),
        }
    }

    async fn image_of(&self, container: &Container) -> Result<String, Error> {
        self.with(container, |fake| fake.image.to_string())
    }

    async fn create(&self, image: &ImageRef, spec: &ContainerSpec) -> Result<Container, Error> {
        self.call(Call::Create).await?;
        let mut inner = self.inner();
        inner.created += 1;
        let container = Container {
            id: format!("{:064x}", inner.created),
            name: format!("fake-{}", inner.created),
        };
        let fake = Fake {
            image: image.id.clone(),
            spec: spec.clone(),
            behaviour: None,
            outcome: None,
        };
        inner.containers.insert(container.id.clone(), fake);
        Ok(container)
    }

    async fn start(&self, container: &Container) -> Result<(), Error> {
        self.call(Call::Start).await?;
        let start = {
            let mut inner = self.inner();
            let number = inner.started;
            inner.started += 1;
            let fake = inner.containers.get(&container.id).ok_or_else(|| Error::Gone {
                container: container.name.clone(),
            })?;
            let loaded = inner.loaded.iter().position(|id| *id == fake.image);
            Start {
                product: loaded.map(|index| index + 1),
                spec: fake.spec.clone(),
                number,
            }
        };
        let mut behaviour = (self.0.script)(&start);
        let refuses = behaviour.refuses.take();
        if let Some(fake) = self.inner().containers.get_mut(&container.id) {
            fake.outcome.clone_from(&behaviour.ended);
            fake.behaviour = Some(behaviour);
        }
        refuses.map_or(Ok(()), Err)
    }

    async fn state(&self, container: &Container) -> Result<State, Error> {
        self.call(Call::State).await?;
        self.with(container, |fake| {
            let running = fake.behaviour.is_some() && fake.outcome.is_none();
            State {
                running,
                outcome: fake.outcome.clone().unwrap_or_default(),
                pid: running.then_some(1),
                ..State::default()
            }
        })
    }

    async fn container_facts(&self, container: &Container) -> Result<(ContainerFacts, RuntimeFacts), Error> {
        self.call(Call::Facts).await?;
        self.with(container, |_| Default::default())
    }

    async fn wait(&self, container: &Container) -> Result<Outcome, Error> {
        self.call(Call::Wait).await?;
        match self.with(container, |fake| fake.outcome.clone())? {
            Some(outcome) => Ok(outcome),
            None => std::future::pending().await,
        }
    }

    async fn stop(&self, container: &Container, _: u32) -> Result<Outcome, Error> {
        self.call(Call::Stop).await?;
        self.with(container, |fake| fake.outcome.clone().unwrap_or_default())
    }

    async fn logs(&self, container: &Container, _: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
        self.call(Call::Logs).await?;
        self.with(container, |fake| {
            let behaviour = fake.behaviour.as_ref();
            let output = behaviour.map(|behaviour| behaviour.output.clone());
            (output.unwrap_or_default(), Vec::new())
        })
    }

    async fn exec(&self, container: &Container, command: &[String]) -> Result<ExecResult, Error> {
        self.call(Call::Exec).await?;
        if self.with(container, |fake| fake.outcome.is_some())? {
            return Err(Error::Exec {
                command: command.join(" "),
                reason: "the container is not running".to_owned(),
            });
        }
        self.with(container, |fake| {
            let behaviour = fake.behaviour.as_ref();
            let known = behaviour.and_then(|behaviour| behaviour.commands.get(command).cloned());
            known.unwrap_or(ExecResult {
                exit_code: 127,
                ..ExecResult::default()
            })
        })
    }

    async fn peaks(&self, container: &Container) -> Result<Peaks, Error> {
        self.call(Call::Peaks).await?;
        self.with(container, |_| Peaks::default())
    }

    async fn remove(&self, container: &Container) -> Result<(), Error> {
        self.call(Call::Remove).await?;
        self.inner().containers.remove(&container.id);
        Ok(())
    }

    async fn load(
        &self,
        archive: ArchiveStream,
        tags: &[String],
        _: Option<ByteCounts>,
    ) -> Result<LoadedImage, Error> {
        // It is there before anybody hears of it.
        {
            let mut inner = self.inner();
            inner.loaded.push(archive.id.clone());
            let promised = std::mem::take(&mut inner.promised);
            inner.names.extend(promised);
            inner.names.extend(tags.iter().cloned());
        }
        self.call(Call::Load).await?;
        Ok(LoadedImage { id: archive.id })
    }

    fn temporary_tag(&self) -> Result<String, Error> {
        let mut inner = self.inner();
        let name = format!("slim-temporary:{}", inner.loaded.len() + 1);
        inner.promised.push(name.clone());
        Ok(name)
    }

    async fn tag(&self, _: &str, tag: &str) -> Result<(), Error> {
        self.call(Call::Tag).await?;
        self.inner().names.push(tag.to_owned());
        Ok(())
    }

    async fn untag(&self, reference: &str) -> Result<(), Error> {
        self.call(Call::Untag).await?;
        self.inner().names.retain(|name| name != reference);
        Ok(())
    }

    fn place(&self) -> Place {
        Place("fake".into())
    }

    async fn remove_left(&self, _: &Thing) -> Result<Fate, Error> {
        Ok(Fate::Absent)
    }
}
