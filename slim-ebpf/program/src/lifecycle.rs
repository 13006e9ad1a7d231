//! Tasks are made, execute programs and end: who is runtime and who is application, and which program runs.

use aya_ebpf::helpers::generated;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::kernel::{
    config, current, file_identity, file_place, follow, loaded_identity, off, read, task_pwd, task_root,
};
use crate::maps::{self, PROGRAMS, TASKS, control};
use crate::record::{self, Record};
use crate::shared::{ABSENT, ExecEvent, ForkEvent, NO_PHASE, State, Unique, actor, event, mark};
use crate::siphash::Hash;
use crate::tasks::{NOEXIST, entry, slot};
use crate::{buffer, calls, counters, files, scope, walk};

/// A task makes another: the new one is what its maker is.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn sched_process_fork(ctx: RawTracePointContext) -> i32 {
    let _ = forked(ctx.arg(1));
    0
}

#[inline(always)]
fn forked(child: u64) -> Option<()> {
    scope::inside(current())?;
    let parent = unsafe { *entry(scope::thread())? };
    let thread: u32 = read(child + off!(task_pid))?;
    let process: u32 = read(child + off!(task_tgid))?;
    if TASKS.insert(thread, parent, 0).is_err() {
        counters::lost(|lost| &raw mut lost.map);
    }
    if process != scope::process() {
        record::send_plain(&ForkEvent {
            kind: event::FORK,
            parent: scope::process(),
            pid: process,
            program: parent.program,
        });
    }
    Some(())
}

/// A task ends: it may be inside `exit`, which never returns.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn sched_process_exit(_: RawTracePointContext) -> i32 {
    let _ = exited();
    0
}

#[inline(always)]
fn exited() -> Option<()> {
    let current = current();
    scope::inside(current)?;
    let thread = scope::thread();
    let task = entry(thread)?;
    let slot = slot(task);
    calls::never_returned(slot, current);
    let _ = TASKS.remove(thread);
    forget();
    Some(())
}

/// Makes what [`calls`] remembers of tasks stale.
#[inline(always)]
fn forget() {
    counters::fetch_add(unsafe { &raw mut (*maps::state()).generation });
}

/// A program was executed.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn sched_process_exec(ctx: RawTracePointContext) -> i32 {
    let _ = executed(ctx.arg(1), ctx.arg(2));
    0
}

#[inline(always)]
fn executed(old: u32, binary: u64) -> Option<()> {
    let current = current();
    let state = scope::inside(current)?;
    let thread = scope::thread();
    // The executing thread takes the process's id over.
    if old != thread {
        if let Some(task) = TASKS.get_ptr(old) {
            let task = unsafe { *task };
            let _ = TASKS.insert(thread, task, 0);
            let _ = TASKS.remove(old);
        }
    }
    let task = entry(thread)?;
    let before = slot(task);
    calls::executed(before, current);

    let root = task_root(current).dentry;
    let place = file_place(follow(binary + off!(exec_file))?)?;
    let inside = enters(state, root);
    if inside && unsafe { (*state).root } == 0 {
        unsafe { (*state).root = root };
        ports(state, current);
    }

    let name = read::<u64>(binary + off!(exec_name))?;
    let interpreter = read::<u64>(binary + off!(exec_interpreter))?;
    let script = name != interpreter;

    let mut record = Record::new::<ExecEvent>()?;
    let head = record.head::<ExecEvent>();
    let pwd = task_pwd(current);
    let start = loaded_identity(pwd.dentry);
    let mut marks = 0;
    let asked = match record.ask_kernel(name) {
        Ok(length) => {
            marks |= mark::ASKED;
            length
        }
        Err(()) => {
            counters::lost(|lost| &raw mut lost.string);
            0
        }
    };
    if gained(binary) {
        marks |= mark::GAIN;
    }
    let file = file_identity(place.dentry);
    unsafe {
        (*head).kind = event::EXEC;
        (*head).script = u32::from(script);
        (*head).file = file;
        (*head).start = [0; 2];
        (*head).interpreter[0] = 0;
        if script {
            marks |= mark::SCRIPT;
            (*head).start = start;
            generated::bpf_probe_read_kernel_str(
                (&raw mut (*head).interpreter).cast(),
                256,
                interpreter as *const _,
            );
        }
    }
    // What tells it from other programs: for a script, whose own file is not known any more, the path to it.
    let mut hash = Hash::new();
    hash.add(u64::from(event::EXEC) | u64::from(script) << 8);
    hash.add(file[0]);
    hash.add(file[1]);
    if script {
        hash.add(u64::from(asked));
        hash.add(buffer::number(start[0]));
        hash.add(start[1]);
        hash.add_bytes(size_of::<ExecEvent>() as u32, asked);
    }
    let program = program_of(state, &hash.finish());

    let end = scope::container_root(state, root);
    let truth = record.walk(place, end);
    marks |= walk::truth_marks(&truth);
    // A memfd, or a file of the host: still the runtime.
    let application = inside && truth.inside;
    let mut base = 0;
    if asked == 0 || record.first() != b'/' {
        let walked = record.walk(pwd, end);
        marks |= walk::base_marks(&walked);
        base = walked.length;
    }

    unsafe {
        if application {
            (*task).actor = actor::APP;
            (*state).app = 1;
        }
        (*task).program = program;
        (*task).phase = NO_PHASE;
        forget();
        (*head).pid = scope::process();
        (*head).program = program;
        (*head).slot = before;
        (*head).actor = (*task).actor;
        (*head).marks = marks;
        (*head).asked = asked;
        (*head).truth = truth.length;
        (*head).base = base;
        (*head).phase = control!(phase);
    }
    record.send(asked);
    if application {
        files::loader(current, place.dentry, slot(task), end);
    }
    Some(())
}

/// Whether a task with this root is in the container: its root is not the host's.
#[inline(always)]
fn enters(state: *mut State, root: u64) -> bool {
    let host = unsafe { (*state).host };
    host != 0 && root != host
}

/// Whether the execution gained privilege.
#[inline(always)]
fn gained(binary: u64) -> bool {
    let bit = config!(secureexec);
    if bit == ABSENT {
        return false;
    }
    match read::<u8>(binary + u64::from(bit / 8)) {
        Some(byte) => byte >> (bit & 7) & 1 == 1,
        None => false,
    }
}

/// The first port that every user may bind, in the task's network.
#[inline(always)]
fn ports(state: *mut State, task: u64) {
    if off!(net_ports) == u64::from(ABSENT) {
        return;
    }
    let port = follow(task + off!(task_nsproxy))
        .and_then(|proxy| follow(proxy + off!(nsproxy_net)))
        .and_then(|net| read::<u32>(net + off!(net_ports)));
    if let Some(first) = port {
        unsafe { (*state).unprivileged_port_start = first.wrapping_add(1) };
    }
}

/// The id of a program: the one it has, or a new one.
#[inline(always)]
fn program_of(state: *mut State, key: &Unique) -> u32 {
    if let Some(program) = PROGRAMS.get_ptr(key) {
        return unsafe { *program };
    }
    let next = counters::fetch_add(unsafe { &raw mut (*state).programs });
    if PROGRAMS.insert(key, next, NOEXIST) == Ok(()) {
        return next;
    }
    match PROGRAMS.get_ptr(key) {
        Some(program) => unsafe { *program },
        None => {
            counters::lost(|lost| &raw mut lost.map);
            0
        }
    }
}
