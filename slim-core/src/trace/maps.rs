//! The maps of the loaded program, by name.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{HashMap, MapData};

use super::Error;

/// The program's variables, as maps of one value.
pub(super) const CONTROL: &str = ".data.control";
/// See [`CONTROL`].
pub(super) const STATE: &str = ".data.state";
/// See [`CONTROL`].
pub(super) const CALLS: &str = ".data.calls";

pub(super) fn map_error<E: std::fmt::Display>(map: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::Map {
        map,
        reason: error.to_string(),
    }
}

pub(super) fn take<T: TryFrom<aya::maps::Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, Error> {
    ebpf.take_map(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or_else(|| Error::Map {
            map: name,
            reason: "the object has no such map".into(),
        })
}

pub(super) fn borrow_mut<'a, T: TryFrom<&'a mut aya::maps::Map>>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<T, Error> {
    ebpf.map_mut(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or_else(|| Error::Map {
            map: name,
            reason: "the object has no such map".into(),
        })
}

pub(super) fn borrow<'a, T: TryFrom<&'a aya::maps::Map>>(
    ebpf: &'a Ebpf,
    name: &'static str,
) -> Result<T, Error> {
    ebpf.map(name)
        .and_then(|map| T::try_from(map).ok())
        .ok_or_else(|| Error::Map {
            map: name,
            reason: "the object has no such map".into(),
        })
}

pub(super) fn entries<K: aya::Pod, V: aya::Pod>(
    map: &HashMap<&MapData, K, V>,
    name: &'static str,
) -> Result<Vec<(K, V)>, Error> {
    map.iter().collect::<Result<_, _>>().map_err(map_error(name))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A reader that panicked left whole records only.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
