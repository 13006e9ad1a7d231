//! The sum of the program's records.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};

use slim_ebpf::{ExecEvent, FileEvent, ForkEvent, HEADED, LOADER, SlotKey, SocketEvent, actor, event, mark};

use super::attached::{self, Existing};
use super::table::{self, SyscallSpec};
use super::{arch, raw, sockets};
use crate::path::{RawPath, RootPath, encode};
use crate::recording::{Abi, Access, Actor, FileUse, Phase, Process, Program, SocketAction, SocketUse};
use crate::spec::system_mounts;

/// A call of one program in one phase: ABI, number, phase, actor and program.
pub(super) type CallKey = (Abi, u32, Phase, Actor, Option<RootPath>);

/// Returns the position of a call's row in the program's tables.
pub(super) fn row_of(abi: u32, number: u32) -> usize {
    number as usize
        + if abi == slim_ebpf::abi::COMPAT {
            slim_ebpf::NUMBERS
        } else {
            0
        }
}

/// Everything that came through the ring so far.
#[derive(Default)]
pub(super) struct Gathered {
    /// Programs by id.
    pub(super) programs: HashMap<u32, RootPath>,
    files: BTreeSet<(u32, FileUse)>,
    /// The first path of each call, by slot, ABI and number.
    first: HashMap<(u32, Abi, u32), RootPath>,
    sockets: BTreeSet<(u32, Socket)>,
    executed: BTreeMap<(RootPath, Option<RootPath>), (bool, Phase, u64)>,
    processes: BTreeMap<u32, Lineage>,
    mounts: Option<Vec<RootPath>>,
    /// Ids of programs that ran before.
    seeded: BTreeMap<RootPath, u32>,
    /// Set once all of these ids are given.
    closed: bool,
    /// The files in use before.
    before: BTreeSet<FileUse>,
    open_before: BTreeSet<SocketUse>,
    /// Records that could not be understood: program and user side differ.
    pub(super) unknown: u64,
}

#[derive(Default)]
struct Lineage {
    parent: Option<u32>,
    programs: Vec<RootPath>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    action: SocketAction,
    family: u32,
    kind: u32,
    protocol: u16,
    address: String,
    port: u16,
}

/// The phase, actor and program that a slot stands for.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) phase: Phase,
    pub(super) actor: Actor,
    pub(super) program: Option<RootPath>,
}

/// Returns the phase that a number stands for.
pub(super) fn phase_of(number: u32) -> Phase {
    match number {
        1 => Phase::Serving,
        2 => Phase::Shutdown,
        3 => Phase::Verification,
        _ => Phase::StartUp,
    }
}

/// Returns the number that stands for a phase.
pub(super) fn phase_number(phase: Phase) -> u32 {
    match phase {
        Phase::StartUp => 0,
        Phase::Serving => 1,
        Phase::Shutdown => 2,
        Phase::Verification => 3,
    }
}

pub(super) fn actor_of(number: u32) -> Actor {
    if number == slim_ebpf::actor::APP {
        Actor::App
    } else {
        Actor::Runtime
    }
}

/// A record's head, and the strings around it.
struct Parts<'a, T> {
    head: T,
    base: &'a [u8],
    kernel_path: &'a [u8],
    requested: &'a [u8],
}

/// A head with strings around it.
trait Head: zerocopy::FromBytes {
    /// Returns the lengths of base, kernel path and requested path.
    fn lengths(&self) -> (usize, usize, usize);
}

impl Head for FileEvent {
    fn lengths(&self) -> (usize, usize, usize) {
        (
            self.base as usize,
            self.kernel_path as usize,
            self.requested as usize,
        )
    }
}

impl Head for ExecEvent {
    fn lengths(&self) -> (usize, usize, usize) {
        (
            self.base as usize,
            self.kernel_path as usize,
            self.requested as usize,
        )
    }
}

impl Gathered {
    /// Takes in processes that run already, and returns the ids of their programs, from 1.
    pub(super) fn seed(&mut self, existing: &[Existing]) -> BTreeMap<RootPath, u32> {
        let mut ids: BTreeMap<RootPath, u32> = self.seeded.clone();
        for process in existing {
            let lineage = self.processes.entry(process.pid).or_default();
            if let Some(path) = &process.program {
                // The first call gives ids: from then on the program does.
                if !self.closed {
                    let next = ids.len() as u32 + 1;
                    let id = *ids.entry(path.clone()).or_insert(next);
                    self.programs.insert(id, path.clone());
                }
                if lineage.programs.is_empty() {
                    lineage.programs.push(path.clone());
                }
                self.executed
                    .entry((path.clone(), None))
                    .or_insert((false, Phase::StartUp, 0));
            }
            self.before.extend(process.files.iter().cloned());
            self.open_before.extend(process.sockets.iter().cloned());
            if self.mounts.is_none() {
                self.learn_mounts(process.pid);
            }
        }
        self.closed = true;
        self.seeded.clone_from(&ids);
        ids
    }

    /// Reads what is mounted in a process's root, if it is still there.
    fn learn_mounts(&mut self, pid: u32) {
        let points = attached::mount_points(pid).filter(|points| !points.is_empty());
        self.mounts = points.or(self.mounts.take());
    }

    /// Takes one record in. `rows` is the table by number.
    pub(super) fn take(&mut self, record: &[u8], rows: &[Option<&'static SyscallSpec>]) {
        if self.understand(record, rows).is_none() {
            self.unknown += 1;
        }
    }

    fn understand(&mut self, record: &[u8], rows: &[Option<&'static SyscallSpec>]) -> Option<()> {
        let word = |at: usize| Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
        if word(4)? == HEADED {
            let at = 8usize.checked_add(word(0)? as usize)?;
            match word(at)? {
                event::FILE => self.file(&parts::<FileEvent>(record, at)?, rows)?,
                event::EXEC => self.exec(&parts::<ExecEvent>(record, at)?),
                _ => return None,
            }
        } else {
            match word(0)? {
                event::FORK => self.fork(raw::read(record, 0)?),
                event::SOCKET => self.socket(&raw::read(record, 0)?),
                _ => return None,
            }
        }
        Some(())
    }

    fn fork(&mut self, event: ForkEvent) {
        self.processes.entry(event.parent).or_default();
        // A process id may be used again: what it was before stays with it.
        self.processes
            .entry(event.pid)
            .or_default()
            .parent
            .get_or_insert(event.parent);
    }

    fn exec(&mut self, parts: &Parts<'_, ExecEvent>) {
        let head = &parts.head;
        let inside = head.marks & mark::RESOLVED != 0 && head.marks & mark::OUTSIDE == 0;
        // Until the container's root is known, a path ends at the task's own, which is the host's still.
        if !inside || head.actor == actor::RUNTIME {
            // The runtime executes itself: from memory or from the host.
            self.processes.entry(head.pid).or_default();
            return;
        }
        let kernel_path = RootPath::new(parts.kernel_path);
        let base = base_of(head.marks, parts.base);
        let script = head.marks & mark::SCRIPT != 0;
        let requested = (head.marks & mark::REQUESTED != 0).then(|| RawPath::from(parts.requested));
        let phase = phase_of(head.phase);
        let actor = actor_of(head.actor);
        let path = match &requested {
            Some(requested) if script => joined(requested, base.as_ref()),
            _ => kernel_path.clone(),
        };
        self.programs.insert(head.program, path.clone());
        if let Some(execve) = table::number("execve", arch::NATIVE) {
            self.first
                .entry((head.slot, Abi::Native, execve as u32))
                .or_insert_with(|| path.clone());
        }
        let on_root = head.marks & mark::ON_ROOT != 0;
        let file =
            |path: RootPath, is_resolved: bool, requested_path: Option<RawPath>, access: Access| FileUse {
                path,
                is_resolved,
                base: base.clone().filter(|_| requested_path.is_some()),
                requested_path,
                access: BTreeSet::from([access]),
                errors: BTreeSet::new(),
                on_root,
                no_follow: false,
                phase,
                actor,
                program: None,
            };
        if script {
            let interpreter = head.interpreter.split(|&b| b == 0).next().unwrap_or_default();
            let interpreter = (!interpreter.is_empty()).then(|| RawPath::from(interpreter));
            self.files
                .insert((head.slot, file(path.clone(), false, requested, Access::Execute)));
            self.files.insert((
                head.slot,
                file(kernel_path.clone(), true, interpreter, Access::Interpret),
            ));
        } else {
            self.files.insert((
                head.slot,
                file(kernel_path.clone(), true, requested, Access::Execute),
            ));
        }
        let gain = head.marks & mark::GAIN != 0;
        let entry = self
            .executed
            .entry((path.clone(), script.then_some(kernel_path)))
            .or_insert((gain, phase, 0));
        entry.0 |= gain;
        entry.1 = entry.1.min(phase);
        entry.2 += 1;
        self.processes.entry(head.pid).or_default().programs.push(path);
        if self.mounts.is_none() && actor == Actor::App {
            self.learn_mounts(head.pid);
        }
    }

    fn file(&mut self, parts: &Parts<'_, FileEvent>, rows: &[Option<&'static SyscallSpec>]) -> Option<()> {
        let head = &parts.head;
        if head.number == LOADER {
            if head.marks & mark::RESOLVED != 0 && head.marks & mark::OUTSIDE == 0 {
                self.files.insert((
                    head.slot,
                    FileUse {
                        path: RootPath::new(parts.kernel_path),
                        is_resolved: true,
                        requested_path: None,
                        base: None,
                        access: BTreeSet::from([Access::Interpret]),
                        errors: BTreeSet::new(),
                        on_root: head.marks & mark::ON_ROOT != 0,
                        no_follow: false,
                        phase: Phase::StartUp,
                        actor: Actor::App,
                        program: None,
                    },
                ));
            }
            return Some(());
        }
        let row = (*rows.get(row_of(head.abi.into(), head.number))?)?;
        let base = base_of(head.marks, parts.base);
        let requested = (head.marks & mark::REQUESTED != 0).then(|| RawPath::from(parts.requested));
        let is_resolved = head.marks & mark::RESOLVED != 0 && head.marks & mark::OUTSIDE == 0;
        let path = if is_resolved {
            RootPath::new(parts.kernel_path)
        } else if let Some(requested) = &requested {
            if head.marks & mark::BASE_OUTSIDE != 0 {
                // Starts at a directory that is not the container's.
                return Some(());
            }
            joined(requested, base.as_ref())
        } else {
            // A pipe, a memfd, or too deep (which is counted).
            return Some(());
        };
        self.first
            .entry((head.slot, table::abi_of(head.abi.into()), head.number))
            .or_insert_with(|| path.clone());
        let mut access = BTreeSet::new();
        let mut errors = BTreeSet::new();
        if head.errno == 0 {
            access = row.access(head.side.into(), head.flags, head.marks & mark::CREATED != 0);
        } else {
            errors.insert(head.errno);
        }
        self.files.insert((
            head.slot,
            FileUse {
                path,
                is_resolved,
                no_follow: row.stops_at_link(head.side.into(), head.flags),
                requested_path: requested,
                base,
                access,
                errors,
                on_root: is_resolved && head.marks & mark::ON_ROOT != 0,
                phase: Phase::StartUp,
                actor: Actor::App,
                program: None,
            },
        ));
        Some(())
    }

    fn socket(&mut self, event: &SocketEvent) {
        let abi = table::abi_of(event.abi);
        let action = match table::name(abi, event.number).as_str() {
            "socket" => SocketAction::Create,
            "bind" => SocketAction::Bind,
            "listen" => SocketAction::Listen,
            "connect" => SocketAction::Connect,
            _ => SocketAction::Send,
        };
        const UNREACHED: [u32; 7] = [
            115, // EINPROGRESS
            111, // ECONNREFUSED
            110, // ETIMEDOUT
            113, // EHOSTUNREACH
            101, // ENETUNREACH
            104, // ECONNRESET
            4,   // EINTR: a blocking connect goes on
        ];
        if event.errno != 0 && !(action == SocketAction::Connect && UNREACHED.contains(&event.errno)) {
            return;
        }
        let bytes = &event.address[..(event.length as usize).min(event.address.len())];
        let (address, port) = match (action, event.family) {
            (SocketAction::Create, _) => (String::new(), 0),
            (SocketAction::Listen, 2) => (
                Ipv4Addr::from(event.local[0].to_ne_bytes()).to_string(),
                event.port as u16,
            ),
            (SocketAction::Listen, 10) => (
                ipv6(event.local.map(u32::to_ne_bytes).as_flattened()),
                event.port as u16,
            ),
            _ => address(bytes),
        };
        self.sockets.insert((
            event.slot,
            Socket {
                action,
                family: event.family,
                kind: event.socket,
                protocol: event.protocol as u16,
                address,
                port,
            },
        ));
    }

    /// Returns the files, each with the phase, actor and program of its slot. `on_root` decides of a path that is not the
    /// kernel's whether it lies on the root file system.
    pub(super) fn files(
        &self,
        slots: &HashMap<u32, Slot>,
        on_root: impl Fn(&RootPath) -> bool,
    ) -> Vec<FileUse> {
        let mut merged = BTreeMap::<_, (BTreeSet<Access>, BTreeSet<u16>)>::new();
        for file in &self.before {
            let mut file = file.clone();
            let access = std::mem::take(&mut file.access);
            merged.entry(file).or_default().0.extend(access);
        }
        for (slot, file) in &self.files {
            let slot = slots.get(slot);
            let mut file = file.clone();
            let executed = file.access.contains(&Access::Execute) || file.access.contains(&Access::Interpret);
            if let Some(slot) = slot {
                file.phase = slot.phase;
                file.program = slot.program.clone();
                if !executed {
                    file.actor = slot.actor;
                }
            }
            if !file.is_resolved {
                file.on_root = on_root(&file.path);
            }
            let (access, errors) = (std::mem::take(&mut file.access), std::mem::take(&mut file.errors));
            let entry = merged.entry(file).or_default();
            entry.0.extend(access);
            entry.1.extend(errors);
        }
        merged
            .into_iter()
            .map(|(file, (access, errors))| FileUse {
                access,
                errors,
                ..file
            })
            .collect()
    }

    /// Returns the mount points in the container; those of every container if it ended before they could be read.
    pub(super) fn mounts(&self) -> Vec<RootPath> {
        match &self.mounts {
            Some(mounts) => mounts.clone(),
            None => system_mounts::outermost().map(RootPath::new).collect(),
        }
    }

    /// Returns the first path of each call that names one.
    pub(super) fn first_paths(&self, slots: &HashMap<u32, Slot>) -> BTreeMap<CallKey, RootPath> {
        let mut all = BTreeMap::new();
        for ((slot, abi, number), path) in &self.first {
            let Some(slot) = slots.get(slot) else { continue };
            let key = (*abi, *number, slot.phase, slot.actor, slot.program.clone());
            // Slots may stand for the same once they are resolved.
            let least = all.entry(key).or_insert_with(|| path.clone());
            if path < least {
                least.clone_from(path);
            }
        }
        all
    }

    /// Returns the sockets.
    pub(super) fn sockets(&self, slots: &HashMap<u32, Slot>) -> Vec<SocketUse> {
        let mut out: Vec<_> = self
            .sockets
            .iter()
            .filter_map(|(slot, socket)| Some(socket.to_use(slots.get(slot)?)))
            .chain(self.open_before.iter().cloned())
            .collect();
        out.sort();
        out.dedup();
        out
    }

    /// Returns the programs.
    pub(super) fn executed(&self) -> Vec<Program> {
        self.executed
            .iter()
            .map(|((path, interpreter), (privilege_gain, phase, count))| Program {
                path: path.clone(),
                interpreter: interpreter.clone(),
                privilege_gain: *privilege_gain,
                phase: *phase,
                count: *count,
            })
            .collect()
    }

    /// Returns the process tree.
    pub(super) fn processes(&self) -> Vec<Process> {
        self.processes
            .iter()
            .map(|(&pid, lineage)| Process {
                pid,
                parent: lineage.parent,
                programs: lineage.programs.clone(),
            })
            .collect()
    }

    /// Returns the phase, actor and program of each slot.
    pub(super) fn slots(&self, keys: &[(SlotKey, u32)]) -> HashMap<u32, Slot> {
        keys.iter()
            .map(|(key, slot)| (*slot, self.slot(key.program, phase_of(key.phase), key.actor)))
            .collect()
    }

    /// Returns what a program's id and an actor's number stand for, in a phase.
    pub(super) fn slot(&self, program: u32, phase: Phase, actor: u32) -> Slot {
        Slot {
            phase,
            actor: actor_of(actor),
            program: self.programs.get(&program).cloned(),
        }
    }
}

impl Socket {
    fn to_use(&self, slot: &Slot) -> SocketUse {
        SocketUse {
            action: self.action,
            family: match self.family {
                1 => "unix".into(),
                2 => "inet".into(),
                10 => "inet6".into(),
                16 => "netlink".into(),
                17 => "packet".into(),
                other => other.to_string(),
            },
            kind: sockets::kind(self.kind),
            protocol: self.protocol,
            address: self.address.clone(),
            port: self.port,
            phase: slot.phase,
            actor: slot.actor,
            program: slot.program.clone(),
        }
    }
}

/// Returns the base directory that a record names, if it is the container's.
fn base_of(marks: u32, base: &[u8]) -> Option<RootPath> {
    (marks & mark::BASE != 0 && marks & mark::BASE_OUTSIDE == 0).then(|| RootPath::new(base))
}

/// Returns a requested path from where it starts: an absolute one below the base too, which then is a changed root.
fn joined(requested: &RawPath, base: Option<&RootPath>) -> RootPath {
    match base {
        None => RootPath::new(requested.as_bytes()),
        Some(base) if requested.as_bytes().starts_with(b"/") => {
            // `..` does not climb above a changed root.
            base.join(RootPath::new(requested.as_bytes()).relative())
        }
        Some(base) => base.join(requested.as_bytes()),
    }
}

/// Returns a `struct sockaddr` as text, and its port.
fn address(bytes: &[u8]) -> (String, u16) {
    let Some(family) = bytes
        .get(..2)
        .and_then(|b| b.try_into().ok())
        .map(u16::from_ne_bytes)
    else {
        return (String::new(), 0);
    };
    let port = || {
        bytes
            .get(2..4)
            .and_then(|b| b.try_into().ok())
            .map_or(0, u16::from_be_bytes)
    };
    match family {
        1 => {
            let path = unix_path(bytes).unwrap_or_default();
            match path.split_first() {
                Some((0, name)) => (format!("@{}", encode(name)), 0),
                _ => (encode(path).into_owned(), 0),
            }
        }
        2 => {
            let ip = bytes.get(4..8).and_then(|b| <[u8; 4]>::try_from(b).ok());
            (
                ip.map(|ip| Ipv4Addr::from(ip).to_string()).unwrap_or_default(),
                port(),
            )
        }
        10 => (bytes.get(8..24).map(ipv6).unwrap_or_default(), port()),
        _ => (String::new(), 0),
    }
}

fn ipv6(bytes: &[u8]) -> String {
    <[u8; 16]>::try_from(bytes)
        .map(|ip| Ipv6Addr::from(ip).to_string())
        .unwrap_or_default()
}

/// Returns the path of a unix address; an abstract one begins with NUL.
fn unix_path(bytes: &[u8]) -> Option<&[u8]> {
    let family = bytes
        .get(..2)
        .and_then(|b| b.try_into().ok())
        .map(u16::from_ne_bytes)?;
    if family != 1 {
        return None;
    }
    let path = &bytes[2..];
    Some(match path.first() {
        Some(0) => path,
        _ => path.split(|&b| b == 0).next().unwrap_or_default(),
    })
}

fn parts<T: Head>(record: &[u8], at: usize) -> Option<Parts<'_, T>> {
    let head: T = raw::read(record, at)?;
    let (base, kernel_path, requested) = head.lengths();
    let behind = at + size_of::<T>();
    let before = at.checked_sub(kernel_path)?;
    let first = before.checked_sub(base)?;
    Some(Parts {
        head,
        base: record.get(first..before)?,
        kernel_path: record.get(before..at)?,
        requested: record.get(behind..behind.checked_add(requested)?)?,
    })
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_changed_root_is_not_left() {
        let jail = RootPath::new("/jail");
        let requested = |text: &str| RawPath::from(text.as_bytes());
        assert_eq!(joined(&requested("/../../etc"), Some(&jail)), "/jail/etc".into());
        assert_eq!(joined(&requested("../etc"), Some(&jail)), "/etc".into());
        assert_eq!(joined(&requested("/etc"), None), "/etc".into());
    }

    #[test]
    fn addresses_are_text() {
        let inet6 = [&[10, 0, 0x1f, 0x91, 0, 0, 0, 0][..], &[0; 15], &[1], &[0; 4]].concat();
        for (bytes, address_port) in [
            (&[2, 0, 0x1f, 0x91, 127, 0, 0, 1][..], ("127.0.0.1", 8081)),
            (&inet6, ("::1", 8081)),
            (b"\x01\x00/run/a\0junk", ("/run/a", 0)),
            (b"\x01\x00\0name", ("@name", 0)),
            (b"\x01\x00", ("", 0)),
            (b"\x02", ("", 0)),
            (b"", ("", 0)),
        ] {
            let (text, port) = address(bytes);
            assert_eq!((text.as_str(), port), address_port);
        }
    }

    #[test]
    fn what_the_runtime_executes_is_not_the_applications() {
        let executed = |by: u32, path: &str| {
            let mut head = [0; size_of::<ExecEvent>()];
            for (at, value) in [
                (offset_of!(ExecEvent, kind), event::EXEC),
                (offset_of!(ExecEvent, pid), 7),
                (offset_of!(ExecEvent, program), 1),
                (offset_of!(ExecEvent, actor), by),
                (offset_of!(ExecEvent, marks), mark::RESOLVED | mark::ON_ROOT),
                (offset_of!(ExecEvent, kernel_path), path.len() as u32),
            ] {
                head[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            }
            let record = [
                &(path.len() as u32).to_ne_bytes()[..],
                &HEADED.to_ne_bytes(),
                path.as_bytes(),
                &head,
                b"\0",
            ];
            let mut gathered = Gathered::default();
            gathered.take(&record.concat(), &table::by_number());
            gathered.executed()
        };
        let [nginx] = &executed(actor::APP, "/usr/sbin/nginx")[..] else {
            panic!("one program")
        };
        assert_eq!(nginx.path, "/usr/sbin/nginx".into());
        assert_eq!(executed(actor::RUNTIME, "/usr/sbin/runc"), []);
    }

    proptest! {
        #[test]
        fn a_damaged_record_is_counted_and_no_more(
            mut record in proptest::collection::vec(any::<u8>(), 0..512),
            distance in 0u32..400,
            kind in 0u32..6,
            headed: bool,
        ) {
            if headed && record.len() >= 8 {
                record[..4].copy_from_slice(&distance.to_ne_bytes());
                record[4..8].copy_from_slice(&HEADED.to_ne_bytes());
                let at = 8 + distance as usize;
                if let Some(place) = record.get_mut(at..at + 4) {
                    place.copy_from_slice(&kind.to_ne_bytes());
                }
            }
            let mut gathered = Gathered::default();
            gathered.take(&record, &table::by_number());
        }
    }
}
