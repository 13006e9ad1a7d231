//! Records of what this process made in the engine, and the removal of that and of what dead processes made.
//!
//! The engine's labels inform people. What is removed is known from what was written down ([`crate::owned`]), and is looked
//! at before: a container by the id that the engine gave, an image's name by the id of its image, and where no id was
//! written down any more, by a token that nobody else knew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters as query;

use super::answer::{check_name, reason, refused, status};
use super::cgroup::Sampler;
use super::{Address, Docker};
use crate::engine::{Container, Error};
use crate::image::ImageRef;
use crate::owned::{self, Claim, Fate, Kind, Owner, Place, Thing};
use crate::spec::{ContainerSpec, SLIM_LABELS};

/// The label with the owner, for people.
pub const OWNER_LABEL: &str = "io.github.slim.owner";

/// The label with what the object is for (`container`, `volume`), for people.
pub const KIND_LABEL: &str = "io.github.slim.kind";

/// The label with the random token that is written down before the object is made.
pub const TOKEN_LABEL: &str = "io.github.slim.token";

/// The repository of names that are not to stay; their tag is a token.
const TEMPORARY: &str = "slim-unverified";

/// The things that this process created and has not removed yet, by name, which is known before the engine answers.
#[derive(Debug, Default)]
pub(super) struct Created {
    pub(super) containers: BTreeMap<String, OwnedContainer>,
    /// Named volumes that did not exist.
    volumes: BTreeMap<String, Claim>,
    /// Temporary names of images.
    images: BTreeMap<String, Claim>,
}

impl Created {
    pub(super) fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty() && self.images.is_empty()
    }
}

/// A container of this process.
#[derive(Debug)]
pub(super) struct OwnedContainer {
    pub(super) claim: Claim,
    /// The engine has not answered yet: if nobody waits for the answer any more, it may come into being later.
    pub(super) creating: bool,
    /// The named volumes that it mounts.
    pub(super) volumes: Vec<String>,
    /// The description that it was created from.
    pub(super) spec: ContainerSpec,
    /// Watches its resources while it runs.
    pub(super) sampler: Option<Sampler>,
}

impl Docker {
    pub(super) fn created(&self) -> MutexGuard<'_, Created> {
        // Nothing is done under the lock that could leave it half-changed.
        self.0.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`crate::engine::Engine::place`].
    pub(super) fn own_place(&self) -> Place {
        let mut address = self.0.address.clone();
        match &mut address {
            // The default socket has two paths.
            Address::Unix(path) => *path = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone()),
            Address::Tcp { tls, .. } => {
                for file in tls.iter_mut().flat_map(|t| [&mut t.ca, &mut t.cert, &mut t.key]) {
                    *file = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
                }
            }
        }
        Place(serde_json::json!({ "docker": address }))
    }

    /// The engine at `place`; none if it is of another kind, or does not answer.
    pub(crate) async fn at(place: &Place) -> Option<Self> {
        let address = serde_json::from_value(place.0.get("docker")?.clone()).ok()?;
        Self::connect_to(address).await.ok()
    }

    /// Writes down that something is about to be made, under a name made from its token.
    pub(super) fn claim(&self, kind: Kind, name: impl FnOnce(&str) -> String) -> Result<Claim, Error> {
        Ok(owned::ledger()?.claim(kind, self.own_place(), name)?)
    }

    /// The labels of what is claimed.
    pub(super) fn labels(&self, claim: &Claim) -> HashMap<String, String> {
        let thing = claim.thing();
        HashMap::from([
            (OWNER_LABEL.to_owned(), Owner::current().to_string()),
            (KIND_LABEL.to_owned(), thing.kind.to_string()),
            (TOKEN_LABEL.to_owned(), thing.token.clone()),
        ])
    }

    /// The labels of a container: those that the image brings in slim's name, emptied, and slim's own.
    pub(super) fn container_labels(&self, image: &ImageRef, claim: &Claim) -> HashMap<String, String> {
        let brought = image.config.label_names().into_iter();
        let mut labels: HashMap<_, _> = brought
            .filter(|name| name.starts_with(SLIM_LABELS))
            .map(|name| (name, String::new()))
            .collect();
        labels.extend(self.labels(claim));
        labels
    }

    /// Makes the named volumes that do not exist yet.
    pub(super) async fn make_volumes(&self, volumes: Vec<VolumeCreateRequest>) -> Result<(), Error> {
        for mut volume in volumes {
            let name = volume.name.clone().unwrap_or_default();
            match self.client().inspect_volume(&name).await {
                Ok(_) => continue,
                Err(error) if status(&error) == Some(404) => {}
                Err(error) => return Err(refused(&format!("inspect the volume {name}"), error)),
            }
            let claim = self.claim(Kind::Volume, |_| name.clone())?;
            volume.labels.get_or_insert_default().extend(self.labels(&claim));
            let token = claim.thing().token.clone();
            self.created().volumes.insert(name.clone(), claim);
            let made = self
                .client()
                .create_volume(volume)
                .await
                .map_err(|e| refused(&format!("create the volume {name}"), e))?;
            // The engine answers with the one that somebody else made meanwhile.
            if made.labels.get(TOKEN_LABEL) != Some(&token) {
                self.forget_volume(&name);
            } else if let Some(claim) = self.created().volumes.get_mut(&name) {
                // It has no other id.
                claim.made(&name);
            }
        }
        Ok(())
    }

    fn forget_volume(&self, name: &str) {
        let claim = self.created().volumes.remove(name);
        claim.into_iter().for_each(Claim::gone);
    }

    /// [`crate::engine::Engine::temporary_tag`].
    pub(super) fn claim_tag(&self) -> Result<String, Error> {
        let claim = self.claim(Kind::Image, temporary)?;
        let name = claim.thing().name.clone();
        self.created().images.insert(name.clone(), claim);
        Ok(name)
    }

    /// An archive was loaded: writes down which image its temporary name means.
    pub(super) async fn note_loaded(&self) {
        let unknown: Vec<String> = self
            .created()
            .images
            .iter()
            .filter(|(_, claim)| claim.thing().id.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for name in unknown {
            if let Ok(found) = self.inspect_image(&name).await
                && let Some(id) = found.id
                && let Some(claim) = self.created().images.get_mut(&name)
            {
                claim.made(&id);
            }
        }
    }

    /// [`crate::engine::Engine::untag`].
    pub(super) async fn remove_tag(&self, name: &str) -> Result<(), Error> {
        let thing = self.created().images.get(name).map(|c| c.thing().clone());
        if let Some(thing) = thing {
            match self.remove_thing(&thing).await? {
                Fate::Removed | Fate::Absent => {}
                Fate::InUse => {
                    tracing::warn!("the image {name} is in use by what slim did not create, and stays")
                }
                Fate::Another(why) => tracing::warn!("{thing} stays: {why}"),
            }
            let claim = self.created().images.remove(name);
            claim.into_iter().for_each(Claim::gone);
        }
        Ok(())
    }

    /// [`crate::engine::Engine::remove`]: a container of this process's, and the volumes that no other of them uses.
    pub(super) async fn remove_created(&self, container: &Container) -> Result<(), Error> {
        let name = &container.name;
        let mut attempt = 0;
        let may_come = loop {
            let known = self
                .created()
                .containers
                .get(name)
                .map(|owned| (owned.claim.thing().clone(), owned.creating));
            let Some((thing, creating)) = known else {
                // It is gone already, or was never this process's.
                return Ok(());
            };
            if let Some(id) = &thing.id {
                // A user who renamed it meanwhile has not made it his.
                self.remove_container(id, name).await?;
                break false;
            }
            match self.remove_thing(&thing).await? {
                Fate::Absent if creating && attempt < 6 => {}
                Fate::Absent => break creating,
                Fate::Removed | Fate::InUse => break false,
                Fate::Another(why) => {
                    tracing::warn!("{thing} stays: {why}");
                    break false;
                }
            }
            attempt += 1;
            tokio::time::sleep(Duration::from_millis(50 * attempt)).await;
        };
        let owned = self.created().containers.remove(name);
        if let Some(owned) = owned {
            // What the engine may yet make stays written down.
            if !may_come {
                owned.claim.gone();
            }
            for volume in owned.volumes {
                self.remove_created_volume(&volume).await?;
            }
        }
        Ok(())
    }

    /// Removes a volume that this process made, unless it is in use.
    async fn remove_created_volume(&self, name: &str) -> Result<(), Error> {
        let thing = self.created().volumes.get(name).map(|c| c.thing().clone());
        let Some(thing) = thing else { return Ok(()) };
        match self.remove_thing(&thing).await? {
            // By a container that is removed later.
            Fate::InUse => {}
            // The engine has not answered, and may yet make it: what is written down stays written.
            Fate::Absent if thing.id.is_none() => drop(self.created().volumes.remove(name)),
            Fate::Removed | Fate::Absent => self.forget_volume(name),
            Fate::Another(why) => {
                tracing::warn!("{thing} stays: {why}");
                self.forget_volume(name);
            }
        }
        Ok(())
    }

    /// Removes everything that this engine object created. Goes on after a failure and gives the first one.
    ///
    /// # Errors
    /// The engine's message.
    pub async fn remove_all_created(&self) -> Result<(), Error> {
        let mut result = Ok(());
        let containers: Vec<String> = self.created().containers.keys().cloned().collect();
        for name in containers {
            let container = Container {
                id: name.clone(),
                name,
            };
            result = result.and(self.remove_created(&container).await);
        }
        let volumes: Vec<String> = self.created().volumes.keys().cloned().collect();
        for name in volumes {
            result = result.and(self.remove_created_volume(&name).await);
            if result.is_ok() && self.created().volumes.contains_key(&name) {
                tracing::warn!("the volume {name} is in use by what slim did not create, and stays");
                self.forget_volume(&name);
            }
        }
        let images: Vec<String> = self.created().images.keys().cloned().collect();
        for name in images {
            result = result.and(self.remove_tag(&name).await);
        }
        result
    }

    /// Removes what was written down, if what the engine has is still that.
    pub(super) async fn remove_thing(&self, thing: &Thing) -> Result<Fate, Error> {
        match thing.kind {
            Kind::Container => self.remove_thing_container(thing).await,
            Kind::Volume => self.remove_thing_volume(thing).await,
            Kind::Image => self.remove_thing_image(thing).await,
            kind => Ok(Fate::Another(format!("slim makes no {kind} in an engine"))),
        }
    }

    async fn remove_thing_container(&self, thing: &Thing) -> Result<Fate, Error> {
        let asked = thing.id.as_ref().unwrap_or(&thing.name);
        check_name("remove a container", asked)?;
        let found = match self.inspect(asked).await {
            Err(Error::Gone { .. }) => return Ok(Fate::Absent),
            other => other?,
        };
        let id = found.id.unwrap_or_default();
        let name = found.name.unwrap_or_default();
        if name.trim_start_matches('/') != thing.name {
            return Ok(Fate::Another(
                "the container that slim created has another name now".to_owned(),
            ));
        }
        let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
        let ours = match &thing.id {
            Some(made) => id == *made,
            None => labels.get(TOKEN_LABEL) == Some(&thing.token),
        };
        if !ours {
            return Ok(Fate::Another(another()));
        }
        self.remove_container(&id, &thing.name).await?;
        Ok(Fate::Removed)
    }

    /// Removes a container by the engine's id and its anonymous volumes, running or not.
    async fn remove_container(&self, id: &str, name: &str) -> Result<(), Error> {
        let options = query::RemoveContainerOptionsBuilder::default()
            .v(true)
            .force(true)
            .build();
        let mut attempt = 0;
        loop {
            match self.client().remove_container(id, Some(options.clone())).await {
                Ok(()) => return Ok(()),
                Err(error) if status(&error) == Some(404) => return Ok(()),
                // Somebody else removes it at this moment; or the engine still unmounts it.
                Err(error) if matches!(status(&error), Some(409 | 500)) && attempt < 20 => {
                    tracing::debug!("{}", reason(&error));
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(50 * attempt)).await;
                }
                Err(error) => return Err(refused(&format!("remove the container {name}"), error)),
            }
        }
    }

    async fn remove_thing_volume(&self, thing: &Thing) -> Result<Fate, Error> {
        let name = &thing.name;
        let action = format!("remove the volume {name}");
        check_name(&action, name)?;
        let found = match self.client().inspect_volume(name).await {
            Err(error) if status(&error) == Some(404) => return Ok(Fate::Absent),
            other => other.map_err(|e| refused(&action, e))?,
        };
        // A volume has no id.
        if found.labels.get(TOKEN_LABEL) != Some(&thing.token) {
            return Ok(Fate::Another(another()));
        }
        let removed = self
            .client()
            .remove_volume(name, None::<query::RemoveVolumeOptions>)
            .await;
        removal(&action, removed)
    }

    async fn remove_thing_image(&self, thing: &Thing) -> Result<Fate, Error> {
        if thing.name != temporary(&thing.token) {
            return Ok(Fate::Another("slim gives its images other names".to_owned()));
        }
        let found = match self.inspect_image(&thing.name).await {
            Err(Error::NoImage { .. }) => return Ok(Fate::Absent),
            other => other?,
        };
        // Without an id, the random name itself is what nobody else knew.
        if thing.id.is_some() && found.id != thing.id {
            return Ok(Fate::Another(another()));
        }
        let removed = self
            .client()
            .remove_image(&thing.name, None::<query::RemoveImageOptions>, None)
            .await;
        removal(&format!("remove the image {}", thing.name), removed.map(drop))
    }
}

/// The temporary name of an image.
fn temporary(token: &str) -> String {
    format!("{TEMPORARY}:{token}")
}

fn another() -> String {
    "what has this name now is not what slim created".to_owned()
}

fn removal(action: &str, result: Result<(), bollard::errors::Error>) -> Result<Fate, Error> {
    match result {
        Ok(()) => Ok(Fate::Removed),
        Err(error) if status(&error) == Some(404) => Ok(Fate::Absent),
        Err(error) if status(&error) == Some(409) => Ok(Fate::InUse),
        Err(error) => Err(refused(action, error)),
    }
}
