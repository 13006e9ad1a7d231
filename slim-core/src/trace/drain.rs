//! Reading what the program gathered, and adding it up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aya::maps::{self, Array, MapData, RingBuf};
use slim_ebpf::{ArgumentKey, CapabilityKey, Counts, Rare, RareKey, SlotKey, Task};

use super::gather::{CallKey, Gathered, Slot, row_of};
use super::load::detach_all;
use super::maps::{STATE, borrow, entries, lock, map_error};
use super::table::{self, SyscallSpec};
use super::{Error, Traced, Tracer};
use crate::cgroup;
use crate::path::RootPath;
use crate::recording::{
    Abi, Actor, Alarm, ArgumentUse, ArgumentValue, CapabilityUse, Failure, Losses, Observed, Peaks, Phase,
    SyscallUse, deciding_arguments,
};
use crate::spec::capability_name;

impl Tracer {
    /// Detaches, drains everything, and adds it up. Call it after the container has ended; of one that goes on running,
    /// the calls that its threads are blocked in are read from `/proc`.
    ///
    /// # Errors
    /// [`Error::Map`], [`Error::Reader`], [`Error::UnknownRecords`].
    pub fn finish(mut self) -> Result<Traced, Error> {
        if let (Some(cgroup), None) = (self.cgroup(), &self.attached) {
            // The engine says that a container has ended when its first process has; the others are on their way.
            let deadline = Instant::now() + Duration::from_secs(1);
            while cgroup::populated(&cgroup) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let blocked = self.blocked_calls()?;
        let recursion = detach_all(&mut self.ebpf)?;
        self.reader.finish()?;
        let state = self.state.get(&0, 0).map_err(map_error(STATE))?;
        let gathered = std::mem::take(&mut *lock(&self.gathered));
        if gathered.unknown != 0 {
            return Err(Error::UnknownRecords(gathered.unknown));
        }
        let slots = gathered.slots(&self.slot_keys()?);
        let phases = std::mem::take(&mut *lock(&self.phases));
        let phase = phases.last().map_or(Phase::StartUp, |mark| mark.phase);
        let blocked: Vec<_> = blocked
            .into_iter()
            .map(|(task, number)| (gathered.slot(task.program, phase, task.actor), number))
            .collect();
        let syscalls = self.syscalls(&slots, &blocked, gathered.first_paths(&slots))?;
        let mounts = gathered.mounts();
        let observed = Observed {
            alarms: alarms(&syscalls),
            arguments: Some(self.arguments(&slots)?),
            capabilities: self.capabilities(&slots)?,
            capabilities_measured: self.capabilities,
            files: gathered.files(&slots, |path| !mounts.iter().any(|mount| path.starts_with(mount))),
            sockets: gathered.sockets(&slots),
            programs: gathered.executed(),
            processes: gathered.processes(),
            syscalls,
            losses: Losses {
                ring: state.lost.ring,
                map: state.lost.map,
                string: state.lost.string,
                deep_path: state.lost.deep,
                recursion,
            },
            phases,
            peaks: Peaks::default(),
        };
        Ok(Traced {
            observed,
            unprivileged_port_start: state
                .unprivileged_port_start
                .checked_sub(1)
                .and_then(|port| u16::try_from(port).ok()),
        })
    }

    /// Returns the calls that threads of the container are blocked in.
    fn blocked_calls(&self) -> Result<Vec<(Task, u32)>, Error> {
        let map: maps::HashMap<&MapData, u32, Task> = borrow(&self.ebpf, "TASKS")?;
        let tasks: HashMap<u32, Task> = entries(&map, "TASKS")?.into_iter().collect();
        let threads = self.cgroup().map(|path| cgroup::threads(&path));
        Ok(threads
            .into_iter()
            .flatten()
            .filter_map(|(pid, thread)| Some((*tasks.get(&thread)?, cgroup::blocked(pid, thread)?)))
            .collect())
    }

    fn syscalls(
        &self,
        slots: &HashMap<u32, Slot>,
        blocked: &[(Slot, u32)],
        mut first_paths: BTreeMap<CallKey, RootPath>,
    ) -> Result<Vec<SyscallUse>, Error> {
        let mut uses = BTreeMap::<CallKey, (u64, u64, Option<Failure>)>::new();
        let unknown = Slot {
            phase: Phase::StartUp,
            actor: Actor::App,
            program: None,
        };
        let key = |slot: u32, abi: Abi, number: u32| -> CallKey {
            let slot = slots.get(&slot).unwrap_or(&unknown);
            (abi, number, slot.phase, slot.actor, slot.program.clone())
        };
        let counts: Array<&MapData, Counts> = borrow(&self.ebpf, "COUNTS")?;
        let used = self
            .state
            .get(&0, 0)
            .map_err(map_error(STATE))?
            .slots
            .min(self.slots);
        for slot in 0..used {
            for shard in 0..self.shards {
                let row = counts
                    .get(&(slot * self.shards + shard), 0)
                    .map_err(map_error("COUNTS"))?;
                for (number, &count) in (0u32..).zip(&row) {
                    if count != 0 {
                        uses.entry(key(slot, Abi::Native, number)).or_default().0 += count;
                    }
                }
            }
        }
        let rare: maps::HashMap<&MapData, RareKey, Rare> = borrow(&self.ebpf, "RARE")?;
        let mut rare = entries(&rare, "RARE")?;
        rare.sort_by_key(|(key, _)| *key);
        for (rare_key, rare) in rare {
            let abi = table::abi_of(rare_key.abi);
            let entry = uses.entry(key(rare_key.slot, abi, rare_key.number)).or_default();
            entry.0 += rare.count;
            entry.1 += rare.failed;
            if rare.failed != 0 && entry.2.is_none() {
                entry.2 = Some(Failure {
                    errno: u16::try_from(rare.errno).unwrap_or(u16::MAX),
                    args: rare.args,
                });
            }
        }
        for (slot, number) in blocked {
            let key = (Abi::Native, *number, slot.phase, slot.actor, slot.program.clone());
            uses.entry(key).or_default().0 += 1;
        }
        Ok(uses
            .into_iter()
            .map(|(key, (count, failed, first_failure))| {
                let first_path = first_paths.remove(&key);
                let (abi, number, phase, actor, program) = key;
                SyscallUse {
                    abi,
                    number,
                    name: table::name(abi, number),
                    phase,
                    actor,
                    program,
                    count,
                    failed,
                    first_failure,
                    first_path,
                }
            })
            .collect())
    }

    fn arguments(&self, slots: &HashMap<u32, Slot>) -> Result<Vec<ArgumentUse>, Error> {
        let rows = table::by_number();
        let unbounded: Array<&MapData, u32> = borrow(&self.ebpf, "UNBOUNDED")?;
        let map: maps::HashMap<&MapData, ArgumentKey, u64> = borrow(&self.ebpf, "ARGUMENTS")?;
        let mut uses = BTreeMap::<_, u64>::new();
        for (key, count) in entries(&map, "ARGUMENTS")? {
            let (Some(slot), Some(Some(row))) = (slots.get(&key.slot), rows.get(row_of(key.abi, key.number)))
            else {
                continue;
            };
            let all_kept = unbounded
                .get(&(row_of(key.abi, key.number) as u32), 0)
                .map_err(map_error("UNBOUNDED"))?
                == 0;
            let values: Vec<ArgumentValue> = deciding_arguments(row.name)
                .iter()
                .zip([key.value, key.value2])
                .filter(|_| all_kept)
                .map(|(&(index, mask), value)| ArgumentValue { index, mask, value })
                .collect();
            let use_of = (
                table::abi_of(key.abi),
                key.number,
                values,
                slot.phase,
                slot.actor,
                slot.program.clone(),
            );
            *uses.entry(use_of).or_default() += count;
        }
        Ok(uses
            .into_iter()
            .map(
                |((abi, number, values, phase, actor, program), count)| ArgumentUse {
                    abi,
                    name: table::name(abi, number),
                    values,
                    phase,
                    actor,
                    program,
                    count,
                },
            )
            .collect())
    }

    fn capabilities(&self, slots: &HashMap<u32, Slot>) -> Result<Vec<CapabilityUse>, Error> {
        let map: maps::HashMap<&MapData, CapabilityKey, u64> = borrow(&self.ebpf, "CAPABILITIES")?;
        let mut uses = BTreeMap::<_, u64>::new();
        for (key, count) in entries(&map, "CAPABILITIES")? {
            let Some(slot) = slots.get(&key.slot) else {
                continue;
            };
            let syscall = (key.number != u32::MAX).then(|| table::name(table::abi_of(key.abi), key.number));
            *uses
                .entry((
                    capability_name(key.capability).into_owned(),
                    key.granted != 0,
                    slot.phase,
                    slot.actor,
                    slot.program.clone(),
                    syscall,
                ))
                .or_default() += count;
        }
        Ok(uses
            .into_iter()
            .map(
                |((capability, granted, phase, actor, program, syscall), count)| CapabilityUse {
                    capability,
                    granted,
                    phase,
                    actor,
                    program,
                    syscall,
                    count,
                },
            )
            .collect())
    }

    pub(super) fn slot_keys(&self) -> Result<Vec<(SlotKey, u32)>, Error> {
        let map: maps::HashMap<&MapData, SlotKey, u32> = borrow(&self.ebpf, "SLOTS")?;
        entries(&map, "SLOTS")
    }
}

/// The thread that reads the ring buffer.
pub(super) struct Reader {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Reader {
    /// Starts to take records from `ring` into `gathered`; `rows` is the table of calls by number.
    pub(super) fn start(
        ring: RingBuf<MapData>,
        rows: Vec<Option<&'static SyscallSpec>>,
        gathered: Arc<Mutex<Gathered>>,
    ) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("slim-ring".into())
            .spawn({
                let stop = stop.clone();
                move || read_ring(ring, &rows, &gathered, &stop)
            })
            .map_err(|error| Error::Reader(error.to_string()))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Takes what is left in the ring, and ends.
    fn finish(&mut self) -> Result<(), Error> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(reason))) => Err(Error::Reader(reason)),
            Some(Err(_)) => Err(Error::Reader("it panicked".into())),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Nobody is left to take what was gathered, or an error.
        let _ = self.finish();
    }
}

/// Takes records until `stop` is set, and then what is left.
fn read_ring(
    mut ring: RingBuf<MapData>,
    rows: &[Option<&'static SyscallSpec>],
    gathered: &Mutex<Gathered>,
    stop: &AtomicBool,
) -> Result<(), String> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    loop {
        // Read before draining: what was sent before the stop is still taken.
        let last = stop.load(Ordering::Acquire);
        {
            let mut gathered = lock(gathered);
            while let Some(record) = ring.next() {
                gathered.take(&record, rows);
            }
        }
        if last {
            return Ok(());
        }
        let mut fds = [PollFd::new(ring.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(50u8)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Returns the calls that reach files in ways that a recording cannot see into.
fn alarms(syscalls: &[SyscallUse]) -> BTreeSet<Alarm> {
    syscalls
        .iter()
        .filter(|call| call.actor == Actor::App && call.count > call.failed)
        .filter_map(|call| match call.name.as_str() {
            "io_uring_setup" => Some(Alarm::IoUring {
                program: call.program.clone(),
            }),
            "open_by_handle_at" => Some(Alarm::FileHandle {
                program: call.program.clone(),
            }),
            _ => None,
        })
        .collect()
}
