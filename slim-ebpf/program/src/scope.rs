//! The scope: tasks in the container's cgroup and below it.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::kernel::{config, current, follow, load, off, read, task_root};
use crate::maps::{self, control, state};
use crate::shared::{ID, State};
use crate::value::{Value, field};

/// Returns the state, if the running task belongs to the container.
#[inline(always)]
pub(crate) fn inside(current: u64) -> Option<Value<State>> {
    let state = state();
    let wanted = field!(state, cgroup).get();
    if wanted == 0 {
        return None;
    }
    let level = field!(state, level).get();
    let cgroup = load!(load!(current, task_cgroups), cgroups_default);
    let depth = load!(cgroup, cgroup_level: u32);
    let here = if depth < level {
        return None;
    } else if depth == level {
        load!(load!(cgroup, cgroup_node), node_id)
    } else {
        // SAFETY: the helper takes a number.
        unsafe { generated::bpf_get_current_ancestor_cgroup_id(level as i32) }
    };
    (here == wanted).then_some(state)
}

/// Returns the thread id of the running task.
#[inline(always)]
pub(crate) fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}

/// Returns the process id of the running task.
#[inline(always)]
pub(crate) fn process() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// The container's cgroup is made: it is named after the container's id (`ID`, `docker-ID.scope`, `libpod-ID.scope`;
/// `libpod-conmon-ID.scope` is podman's monitor). Fires once per hierarchy; cgroup2's is number 0.
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub(crate) fn cgroup_mkdir(ctx: RawTracePointContext) -> i32 {
    let _ = made(ctx.arg(0), ctx.arg(1));
    0
}

#[inline(always)]
fn made(cgroup: u64, path: u64) -> Option<()> {
    if control!(wanted) == 0 {
        return None;
    }
    let hierarchy = follow(cgroup + off!(cgroup_root))? + off!(hierarchy);
    if read::<i32>(hierarchy)? != 0 {
        return None;
    }
    let node = follow(cgroup + off!(cgroup_node))?;
    let name = follow(node + off!(node_name))?;
    if !is_named_after(name, field!(maps::settings(), id)) {
        return None;
    }
    let state = state();
    let to = field!(state, path).pointer();
    // SAFETY: the field has 512 bytes; the helper fails where nothing is mapped at `path`.
    unsafe { generated::bpf_probe_read_kernel_str(to.cast(), 512, path as *const _) };
    field!(state, level).set(read(cgroup + off!(cgroup_level))?);
    field!(state, cgroup).set(read(node + off!(node_id))?);
    Some(())
}

/// Returns whether a cgroup's name ends with the container's `id`, perhaps with `.scope`.
#[inline(always)]
fn is_named_after(name: u64, id: Value<[u8; ID]>) -> bool {
    let mut text = [0u8; 128];
    // SAFETY: the text has as many bytes; the helper fails where nothing is mapped at `name`.
    let length = unsafe {
        generated::bpf_probe_read_kernel_str(text.as_mut_ptr().cast(), text.len() as u32, name as *const _)
    };
    let length = length as u64;
    // With the NUL.
    if length < ID as u64 + 1 || length > 128 {
        return false;
    }
    let mut end = length - 1;
    let Some(tail) = read::<[u8; 6]>(name + end - 6) else {
        return false;
    };
    if tail == *b".scope" {
        end -= 6;
    }
    if end < ID as u64 {
        return false;
    }
    let begin = end - ID as u64;
    if begin >= 7 {
        match read::<[u8; 7]>(name + begin - 7) {
            None => return false,
            Some(before) if before == *b"conmon-" => return false,
            Some(_) => {}
        }
    }
    let mut i = 0;
    while i < ID / 8 {
        let Some(word) = read::<u64>(name + begin + i as u64 * 8) else {
            return false;
        };
        // SAFETY: the id has as many words, and begins at a multiple of eight.
        let wanted = unsafe { core::ptr::read_volatile(id.pointer().cast::<u64>().add(i)) };
        if word != wanted {
            return false;
        }
        i += 1;
    }
    true
}

/// Run once by the user side in its own process, before anything is watched: finds the host's root directory, which
/// is that of process 1.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub(crate) fn find_host(_: RawTracePointContext) -> i32 {
    let _ = find_root();
    0
}

#[inline(always)]
fn find_root() -> Option<()> {
    let state = state();
    if field!(state, host).get() != 0 || process() != config!(loader) {
        return None;
    }
    let mut task = current();
    let mut i = 0;
    while i < 64 {
        if load!(task, task_tgid: u32) <= 1 {
            break;
        }
        task = load!(task, task_parent);
        i += 1;
    }
    field!(state, host).set(task_root(task).dentry);
    Some(())
}

/// Returns the dentry where walks end: at the container's root, and before that is known at the task's own.
#[inline(always)]
pub(crate) fn container_root(state: Value<State>, root: u64) -> u64 {
    match field!(state, root).get() {
        0 => root,
        known => known,
    }
}
