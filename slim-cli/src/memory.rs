//! This process's memory, which glibc would keep after it was freed. Other C libraries keep little.

/// As large a block is mapped by itself, in bytes: glibc's default (`DEFAULT_MMAP_THRESHOLD` in `malloc/malloc.c`).
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// Has every large block mapped by itself, so that it is given back as soon as it is freed. glibc would raise the bound to
/// the size of each that is freed, and take the next one from the heap.
pub(crate) fn map_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and is called before there are threads, as mallopt(3) asks for.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Gives what was freed back to the system.
///
/// Loading the tracer reads all of the kernel's types, and closing over an image parses sources on every processor: what
/// was freed stays with the threads that had it, and the next stage would come on top of it.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, touches only what is free, and may be called from any thread (malloc_trim(3): MT-Safe).
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The peak of what was resident in bytes (`VmHWM` of proc_pid_status(5)); 0 where /proc does not tell.
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}
