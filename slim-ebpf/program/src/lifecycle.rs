//! The lives of tasks: forks, executions and ends, by which a task is the runtime's or the application's and runs a program.

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
use crate::value::{Lookup, Value, field};
use crate::{buffer, calls, counters, files, scope, walk};

/// A task makes another, which belongs to whom its maker belongs to.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub(crate) fn sched_process_fork(ctx: RawTracePointContext) -> i32 {
    let _ = forked(ctx.arg(1));
    0
}

#[inline(always)]
fn forked(child: u64) -> Option<()> {
    scope::inside(current())?;
    let parent = entry(scope::thread())?.get();
    let thread: u32 = read(child + off!(task_pid))?;
    let process: u32 = read(child + off!(task_tgid))?;
    if TASKS.insert(thread, parent, 0).is_err() {
        counters::lost(|lost| field!(lost, map));
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
pub(crate) fn sched_process_exit(_: RawTracePointContext) -> i32 {
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

/// Makes the tasks that [`calls`] remembers stale.
#[inline(always)]
fn forget() {
    counters::fetch_add(maps::generation());
}

/// A program was executed.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub(crate) fn sched_process_exec(ctx: RawTracePointContext) -> i32 {
    let _ = executed(ctx.arg(1), ctx.arg(2));
    0
}

#[inline(always)]
fn executed(old: u32, binary: u64) -> Option<()> {
    let current = current();
    let state = scope::inside(current)?;
    let thread = scope::thread();
    // The executing thread takes the process's id over.
    if old != thread
        && let Some(task) = TASKS.value(old)
    {
        let _ = TASKS.insert(thread, task.get(), 0);
        let _ = TASKS.remove(old);
    }
    let task = entry(thread)?;
    let before = slot(task);
    calls::executed(before, current);

    let root = task_root(current).dentry;
    let place = file_place(follow(binary + off!(exec_file))?)?;
    let inside = enters(state, root);
    if inside && field!(state, root).get() == 0 {
        field!(state, root).set(root);
        read_unprivileged_ports(state, current);
    }

    let name = read::<u64>(binary + off!(exec_name))?;
    let interpreter = read::<u64>(binary + off!(exec_interpreter))?;
    let script = name != interpreter;

    let mut record = Record::new::<ExecEvent>()?;
    let head = record.head::<ExecEvent>();
    let pwd = task_pwd(current);
    let start = loaded_identity(pwd.dentry);
    let mut marks = 0;
    let requested = match record.read_kernel(name) {
        Ok(length) => {
            marks |= mark::REQUESTED;
            length
        }
        Err(()) => {
            counters::lost(|lost| field!(lost, string));
            0
        }
    };
    if gained(binary) {
        marks |= mark::GAIN;
    }
    let file = file_identity(place.dentry);
    field!(head, kind).set(event::EXEC);
    field!(head, script).set(u32::from(script));
    field!(head, file).set(file);
    field!(head, start).set([0; 2]);
    let to = field!(head, interpreter);
    to.element(0).set(0);
    if script {
        marks |= mark::SCRIPT;
        field!(head, start).set(start);
        // SAFETY: the field has 256 bytes; the helper fails where nothing is mapped at `interpreter`.
        unsafe { generated::bpf_probe_read_kernel_str(to.pointer().cast(), 256, interpreter as *const _) };
    }
    // The identity of a program: for a script, whose own file is not known any more, the path to it.
    let mut hash = Hash::new();
    hash.add(u64::from(event::EXEC) | u64::from(script) << 8);
    hash.add(file[0]);
    hash.add(file[1]);
    if script {
        hash.add(u64::from(requested));
        hash.add(buffer::number(start[0]));
        hash.add(start[1]);
        hash.add_bytes(size_of::<ExecEvent>() as u32, requested);
    }
    let program = program_of(state, &hash.finish());

    let end = scope::container_root(state, root);
    let walked = record.walk(place, end);
    marks |= walk::file_marks(&walked);
    // A memfd, or a file of the host: still the runtime.
    let application = inside && walked.inside;
    let kernel_path = walked.length;
    let mut base = 0;
    if requested == 0 || record.first() != b'/' {
        let walked = record.walk(pwd, end);
        marks |= walk::base_marks(&walked);
        base = walked.length;
    }

    if application {
        field!(task, actor).set(actor::APP);
        field!(state, app).set(1);
    }
    field!(task, program).set(program);
    field!(task, phase).set(NO_PHASE);
    forget();
    field!(head, pid).set(scope::process());
    field!(head, program).set(program);
    field!(head, slot).set(before);
    field!(head, actor).set(field!(task, actor).get());
    field!(head, marks).set(marks);
    field!(head, requested).set(requested);
    field!(head, kernel_path).set(kernel_path);
    field!(head, base).set(base);
    field!(head, phase).set(control!(phase));
    record.send(requested);
    if application {
        files::record_loader(current, place.dentry, slot(task), end);
    }
    Some(())
}

/// Returns whether a task with this root is in the container: its root is not the host's.
#[inline(always)]
fn enters(state: Value<State>, root: u64) -> bool {
    let host = field!(state, host).get();
    host != 0 && root != host
}

/// Returns whether the execution gained privilege.
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

/// Reads the first port that every user may bind, in the task's network.
#[inline(always)]
fn read_unprivileged_ports(state: Value<State>, task: u64) {
    if off!(net_ports) == u64::from(ABSENT) {
        return;
    }
    let port = follow(task + off!(task_nsproxy))
        .and_then(|proxy| follow(proxy + off!(nsproxy_net)))
        .and_then(|net| read::<u32>(net + off!(net_ports)));
    if let Some(first) = port {
        field!(state, unprivileged_port_start).set(first.wrapping_add(1));
    }
}

/// Returns the id of a program: the one it has, or a new one.
#[inline(always)]
fn program_of(state: Value<State>, key: &Unique) -> u32 {
    if let Some(program) = PROGRAMS.value(key) {
        return program.get();
    }
    let next = counters::fetch_add(field!(state, programs));
    if PROGRAMS.insert(key, next, NOEXIST) == Ok(()) {
        return next;
    }
    match PROGRAMS.value(key) {
        Some(program) => program.get(),
        None => {
            counters::lost(|lost| field!(lost, map));
            0
        }
    }
}
