//! Docker, and what speaks its API, through that API.

mod address;
mod answer;
mod bundle;
mod cgroup;
mod cleanup;
mod connect;
mod credentials;
mod describe;
mod exec;
mod facts;
mod image;
mod lifecycle;
mod start;
mod translate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

pub use address::{Address, ClientEnv, Tls};
pub use cleanup::{KIND_LABEL, OWNER_LABEL, TOKEN_LABEL};

use super::{ArchiveStream, ByteCounts, Container, Engine, Error, ExecResult, LoadedImage, Pull, State};
use crate::digest::Digest;
use crate::image::{Image, ImageRef};
use crate::owned::{Fate, Place, Thing};
use crate::recording::{ContainerFacts, EngineFacts, Outcome, Peaks, RuntimeFacts};
use crate::spec::ContainerSpec;
use cleanup::Created;
use connect::Description;

#[derive(Debug)]
struct Inner {
    client: bollard::Docker,
    address: Address,
    facts: EngineFacts,
    description: Description,
    created: Mutex<Created>,
    /// Images by the digest of their config, where the engine knows them by another name.
    names: Mutex<BTreeMap<Digest, String>>,
}

/// A Docker engine. Cloning is cheap; clones share everything. When the last one is dropped, what they created and did
/// not remove is removed: an interrupted task leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Docker(
    Arc<Inner>,
    #[expect(dead_code, reason = "it is there to be dropped")] Option<Arc<DropGuard>>,
);

/// Dropped with the last clone.
#[derive(Debug)]
struct DropGuard(Arc<Inner>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        remove_in_destructor(Docker(Arc::clone(&self.0), None));
    }
}

impl Docker {
    /// Returns its address.
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// Removes what this engine object created when it is dropped, so that no way out of a function leaves anything
    /// behind, panics included.
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    fn client(&self) -> &bollard::Docker {
        &self.0.client
    }
}

/// Removes what an engine object created when it is dropped: [`Docker::guard`].
#[derive(Debug)]
pub struct Guard(Docker);

impl Drop for Guard {
    fn drop(&mut self) {
        remove_in_destructor(self.0.clone());
    }
}

/// Removes what is left. A destructor may run inside an async task, where it cannot wait: another thread can.
fn remove_in_destructor(docker: Docker) {
    if docker.created().is_empty() {
        return;
    }
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let work = async { tokio::time::timeout(Duration::from_secs(30), docker.remove_all_created()).await };
        match runtime.block_on(work) {
            Ok(Err(error)) => tracing::warn!("{error}"),
            Ok(Ok(())) => {}
            Err(_) => {
                tracing::warn!(
                    "the engine did not remove what slim created in time; the watchdog, or the next run, will"
                )
            }
        }
        Ok::<(), std::io::Error>(())
    });
    let _ = thread.join();
}

#[async_trait]
impl Engine for Docker {
    fn facts(&self) -> &EngineFacts {
        &self.0.facts
    }

    fn same_kernel(&self) -> Result<(), Error> {
        self.check_kernel()
    }

    async fn image(&self, reference: &str, pull: Pull, progress: Option<ByteCounts>) -> Result<Image, Error> {
        self.read_image(reference, pull, progress).await
    }

    async fn has_image(&self, id: &Digest) -> Result<bool, Error> {
        self.knows_image(id).await
    }

    async fn image_id(&self, reference: &str) -> Result<Digest, Error> {
        self.id_of_image(reference).await
    }

    async fn find(&self, name_or_id: &str) -> Result<Container, Error> {
        self.find_container(name_or_id).await
    }

    async fn image_of(&self, container: &Container) -> Result<String, Error> {
        self.image_of_container(container).await
    }

    async fn create(&self, image: &ImageRef, spec: &ContainerSpec) -> Result<Container, Error> {
        self.create_container(image, spec).await
    }

    async fn start(&self, container: &Container) -> Result<(), Error> {
        self.start_container(container).await
    }

    async fn state(&self, container: &Container) -> Result<State, Error> {
        self.container_state(container).await
    }

    async fn container_facts(&self, container: &Container) -> Result<(ContainerFacts, RuntimeFacts), Error> {
        self.facts_of(container).await
    }

    async fn wait(&self, container: &Container) -> Result<Outcome, Error> {
        self.wait_for_end(container).await
    }

    async fn stop(&self, container: &Container, seconds: u32) -> Result<Outcome, Error> {
        self.stop_container(container, seconds).await
    }

    async fn logs(&self, container: &Container, limit: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
        self.read_logs(container, limit).await
    }

    async fn exec(&self, container: &Container, command: &[String]) -> Result<ExecResult, Error> {
        self.exec_command(container, command).await
    }

    async fn peaks(&self, container: &Container) -> Result<Peaks, Error> {
        self.peaks_of(container).await
    }

    async fn remove(&self, container: &Container) -> Result<(), Error> {
        self.remove_created(container).await
    }

    async fn load(
        &self,
        archive: ArchiveStream,
        tags: &[String],
        progress: Option<ByteCounts>,
    ) -> Result<LoadedImage, Error> {
        self.load_archive(archive, tags, progress).await
    }

    fn temporary_tag(&self) -> Result<String, Error> {
        self.claim_tag()
    }

    async fn tag(&self, reference: &str, tag: &str) -> Result<(), Error> {
        // An id is the digest of the config, by which not every engine knows the image.
        let name = match reference.parse::<Digest>() {
            Ok(id) => self.name_of(&id),
            Err(_) => reference.to_owned(),
        };
        self.add_tag(&name, tag).await
    }

    async fn untag(&self, reference: &str) -> Result<(), Error> {
        self.remove_tag(reference).await
    }

    fn place(&self) -> Place {
        self.own_place()
    }

    async fn remove_left(&self, thing: &Thing) -> Result<Fate, Error> {
        self.remove_thing(thing).await
    }
}
