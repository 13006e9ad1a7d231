//! No engine.

use async_trait::async_trait;

use super::{ArchiveStream, ByteCounts, Container, Engine, Error, ExecResult, LoadedImage, Pull, State};
use crate::digest::Digest;
use crate::image::{Image, ImageRef};
use crate::owned::{Fate, Place, Thing};
use crate::recording::{ContainerFacts, EngineFacts, Outcome, Peaks, RuntimeFacts};
use crate::spec::ContainerSpec;

/// Stands where an engine would, for work on images from files that starts and loads nothing. It refuses everything.
#[derive(Debug, Default)]
pub struct NoEngine(EngineFacts);

fn refuse<T>(action: &'static str) -> Result<T, Error> {
    Err(Error::Absent { action })
}

#[async_trait]
impl Engine for NoEngine {
    fn facts(&self) -> &EngineFacts {
        &self.0
    }

    fn is_present(&self) -> bool {
        false
    }

    fn same_kernel(&self) -> Result<(), Error> {
        refuse("run a container")
    }

    async fn image(&self, _: &str, _: Pull, _: Option<ByteCounts>) -> Result<Image, Error> {
        refuse("find an image by name")
    }

    async fn has_image(&self, _: &Digest) -> Result<bool, Error> {
        Ok(false)
    }

    async fn find(&self, _: &str) -> Result<Container, Error> {
        refuse("find a container")
    }

    async fn image_of(&self, _: &Container) -> Result<String, Error> {
        refuse("find a container's image")
    }

    async fn create(&self, _: &ImageRef, _: &ContainerSpec) -> Result<Container, Error> {
        refuse("create a container")
    }

    async fn start(&self, _: &Container) -> Result<(), Error> {
        refuse("start a container")
    }

    async fn state(&self, _: &Container) -> Result<State, Error> {
        refuse("inspect a container")
    }

    async fn container_facts(&self, _: &Container) -> Result<(ContainerFacts, RuntimeFacts), Error> {
        refuse("inspect a container")
    }

    async fn wait(&self, _: &Container) -> Result<Outcome, Error> {
        refuse("wait for a container")
    }

    async fn stop(&self, _: &Container, _: u32) -> Result<Outcome, Error> {
        refuse("stop a container")
    }

    async fn logs(&self, _: &Container, _: usize) -> Result<(Vec<u8>, Vec<u8>), Error> {
        refuse("read a container's log")
    }

    async fn exec(&self, _: &Container, _: &[String]) -> Result<ExecResult, Error> {
        refuse("execute a command in a container")
    }

    async fn peaks(&self, _: &Container) -> Result<Peaks, Error> {
        refuse("measure a container")
    }

    async fn remove(&self, _: &Container) -> Result<(), Error> {
        refuse("remove a container")
    }

    async fn load(
        &self,
        _: ArchiveStream,
        _: &[String],
        _: Option<ByteCounts>,
    ) -> Result<LoadedImage, Error> {
        refuse("load an image")
    }

    fn temporary_tag(&self) -> Result<String, Error> {
        refuse("load an image")
    }

    async fn tag(&self, _: &str, _: &str) -> Result<(), Error> {
        refuse("tag an image")
    }

    async fn untag(&self, _: &str) -> Result<(), Error> {
        refuse("remove an image's name")
    }

    fn place(&self) -> Place {
        Place(serde_json::Value::Null)
    }

    async fn remove_left(&self, _: &Thing) -> Result<Fate, Error> {
        refuse("remove what was left behind")
    }
}
