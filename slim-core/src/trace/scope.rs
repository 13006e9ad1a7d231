//! Setting the loaded program on one container.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData};
use slim_ebpf::{Call, Calls, Control, ID, NUMBERS, State, Task, actor};

use super::drain::Reader;
use super::gather::{self, Gathered};
use super::load::{Loaded, attach_all, find_host};
use super::maps::{CALLS, CONTROL, STATE, borrow_mut, lock, map_error, take};
use super::table::{self, SyscallSpec};
use super::{Error, Scope, Tracer, attached};
use crate::path::RootPath;
use crate::recording::PhaseMark;

impl Loaded {
    /// Attaches it. For [`Scope::Container`], call it before the engine's `start`.
    ///
    /// # Errors
    /// As [`Tracer::start`].
    pub fn watch(self, scope: Scope) -> Result<Tracer, Error> {
        let Self {
            mut ebpf,
            mount,
            shards,
            slots,
        } = self;
        let id = match &scope {
            Scope::Container(id) => container_id(id)?,
            Scope::Cgroup(_) => [0; ID],
        };
        let mut initial = State::nothing();
        let attached = match &scope {
            Scope::Container(_) => None,
            Scope::Cgroup(path) => {
                let directory;
                (directory, initial.cgroup, initial.level) = existing(path, &mount)?;
                Some(directory)
            }
        };
        let rows = table::by_number();
        write_calls(&mut ebpf, &rows)?;
        let mut control: Array<MapData, Control> = take(&mut ebpf, CONTROL)?;
        let mut state: Array<MapData, State> = take(&mut ebpf, STATE)?;
        state.set(0, initial, 0).map_err(map_error(STATE))?;
        find_host(&mut ebpf, &state)?;
        let phase = scope.first_phase();
        let first = Control {
            phase: gather::phase_number(phase),
            wanted: u32::from(attached.is_none()),
            id,
            epoch: 0,
            unused: 0,
        };
        control.set(0, first, 0).map_err(map_error(CONTROL))?;

        let gathered = Arc::new(Mutex::new(Gathered::default()));
        if let Some(cgroup) = &attached {
            let programs = enter_existing(&mut ebpf, cgroup, &gathered)?;
            let mut seeded = state.get(&0, 0).map_err(map_error(STATE))?;
            seeded.programs += programs;
            state.set(0, seeded, 0).map_err(map_error(STATE))?;
        }
        let reader = Reader::start(take(&mut ebpf, "RING")?, rows, gathered.clone())?;
        let capabilities = attach_all(&mut ebpf)?.measured();
        if let Some(cgroup) = &attached {
            // Threads that were made between the first look and the attaching.
            enter_existing(&mut ebpf, cgroup, &gathered)?;
            new_epoch(&mut control, |_| {})?;
        }
        Ok(Tracer {
            ebpf,
            control: Mutex::new(control),
            state,
            shards,
            slots,
            capabilities,
            attached,
            mount,
            started: Instant::now(),
            phases: Mutex::new(vec![PhaseMark { phase, at_ms: 0 }]),
            gathered,
            reader,
        })
    }
}

/// Writes the table of calls that the program follows.
fn write_calls(ebpf: &mut Ebpf, rows: &[Option<&'static SyscallSpec>]) -> Result<(), Error> {
    let mut calls = [Call::nothing(); 2 * NUMBERS];
    for (call, row) in calls.iter_mut().zip(rows) {
        if let Some(row) = row {
            *call = row.call;
        }
    }
    let mut map: Array<&mut MapData, Calls> = borrow_mut(ebpf, CALLS)?;
    map.set(0, calls, 0).map_err(map_error(CALLS))
}

/// Enters the processes of a cgroup that exists into the program's maps, and returns how many programs they run.
fn enter_existing(ebpf: &mut Ebpf, cgroup: &Path, gathered: &Mutex<Gathered>) -> Result<u32, Error> {
    let existing = attached::existing(cgroup);
    let programs = lock(gathered).seed(&existing);
    enter(ebpf, &existing, &programs)?;
    Ok(programs.len() as u32)
}

/// Enters the threads of processes that exist: they are the application's.
fn enter(
    ebpf: &mut Ebpf,
    existing: &[attached::Existing],
    programs: &BTreeMap<RootPath, u32>,
) -> Result<(), Error> {
    // Borrowed: a map taken out is closed at the end of its scope, and programs that are loaded later name it.
    let mut tasks: HashMap<&mut MapData, u32, Task> = borrow_mut(ebpf, "TASKS")?;
    for process in existing {
        let program = process.program.as_ref().and_then(|path| programs.get(path));
        for thread in &process.threads {
            if tasks.get(thread, 0).is_ok_and(|task| task.actor == actor::APP) {
                continue;
            }
            let task = Task {
                slot: 0,
                phase: slim_ebpf::NO_PHASE,
                actor: actor::APP,
                program: program.copied().unwrap_or(0),
            };
            tasks.insert(thread, task, 0).map_err(map_error("TASKS"))?;
        }
    }
    Ok(())
}

/// Returns the bytes of a container's full id.
fn container_id(id: &str) -> Result<[u8; ID], Error> {
    id.as_bytes()
        .try_into()
        .ok()
        .filter(|id: &[u8; ID]| id.iter().all(u8::is_ascii_hexdigit))
        .ok_or_else(|| Error::NotAnId(id.to_owned()))
}

/// Returns the directory, number and depth of a cgroup that exists.
fn existing(path: &Path, mount: &Path) -> Result<(PathBuf, u64, u32), Error> {
    let not = || Error::NotACgroup {
        path: path.to_owned(),
        mount: mount.to_owned(),
    };
    let path = path.canonicalize().map_err(|_| not())?;
    let inner = path.strip_prefix(mount).map_err(|_| not())?;
    let metadata = path.metadata().map_err(|_| not())?;
    let level = u32::try_from(inner.components().count()).map_err(|_| not())?;
    // The root holds whatever is in no other, slim among it.
    if level == 0 || !path.join("cgroup.procs").exists() {
        return Err(not());
    }
    Ok((path.clone(), metadata.ino(), level))
}

/// Changes what the program reads while it runs, and makes it look tasks up anew.
pub(super) fn new_epoch(
    map: &mut Array<MapData, Control>,
    change: impl FnOnce(&mut Control),
) -> Result<(), Error> {
    let mut control = map.get(&0, 0).map_err(map_error(CONTROL))?;
    change(&mut control);
    control.epoch = control.epoch.wrapping_add(1);
    map.set(0, control, 0).map_err(map_error(CONTROL))
}
