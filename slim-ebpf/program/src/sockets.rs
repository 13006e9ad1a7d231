//! Sockets: what is listened on, and what is connected to.

use core::mem::offset_of;

use aya_ebpf::helpers::{bpf_probe_read_user, generated};

use crate::files::argument;
use crate::kernel::{bound, current, follow, off, read, task_file};
use crate::record::{self, Record};
use crate::shared::{SocketEvent, call, event};
use crate::types::Says;

const AF_UNIX: u16 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// The call at hand is about a socket; 1 if its address is a path.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn used() -> u32 {
    look().unwrap_or(0)
}

#[inline(always)]
fn look() -> Option<u32> {
    // The address stands where the asked path of a file does.
    let mut record = Record::with_head(offset_of!(SocketEvent, address))?;
    let call = unsafe { &*record.call() };
    let row = &call.row;
    let event = unsafe { &mut *record.head::<SocketEvent>() };
    event.kind = event::SOCKET;
    event.number = call.number();
    event.abi = call.abi();
    event.slot = call.slot();
    event.errno = call.errno();
    event.family = 0;
    event.socket = 0;
    event.protocol = 0;
    event.port = 0;
    event.length = 0;
    event.local = [0; 4];
    event.unused = [0; 2];
    if row.kind == call::SOCKET {
        event.family = call.args[1] as u32;
        // Without SOCK_NONBLOCK and SOCK_CLOEXEC.
        event.socket = call.args[2] as u32 & 0xf;
        event.protocol = call.args[3] as u32;
    } else {
        let mut from = argument(call, row.path);
        let mut length = argument(call, row.dir) as u32;
        if row.kind == call::MESSAGE {
            // struct msghdr begins with the name and its length, in the caller's word size.
            if call.abi() == crate::shared::abi::NATIVE {
                length = unsafe { bpf_probe_read_user((from + 8) as *const u32) }.ok()?;
                from = unsafe { bpf_probe_read_user(from as *const u64) }.ok()?;
            } else {
                length = unsafe { bpf_probe_read_user((from + 4) as *const u32) }.ok()?;
                from = u64::from(unsafe { bpf_probe_read_user(from as *const u32) }.ok()?);
            }
        }
        if row.path != 0 {
            if from == 0 || length == 0 {
                return None;
            }
            let length = bound(length.min(110), 0x7f);
            let failed = unsafe {
                generated::bpf_probe_read_user(event.address.as_mut_ptr().cast(), length, from as *const _)
            };
            if failed != 0 {
                return None;
            }
            event.length = length;
        }
        let file = task_file(current(), call.args[1] as u32)?;
        let socket = follow(file + off!(file_private))?;
        let sock = follow(socket + off!(socket_sock))?;
        event.family = u32::from(read::<u16>(sock + off!(sock_family))?);
        event.socket = u32::from(read::<u16>(sock + off!(sock_type))?);
        event.protocol = u32::from(read::<u16>(sock + off!(sock_protocol))?);
        if call.errno() == 0 && row.flags != 0 {
            // Bound or listening: the kernel knows where.
            match event.family {
                AF_INET => {
                    event.port = u32::from(read::<u16>(sock + off!(sock_port))?);
                    event.local[0] = read(sock + off!(sock_local))?;
                }
                AF_INET6 => {
                    event.port = u32::from(read::<u16>(sock + off!(sock_port))?);
                    event.local = read(sock + off!(sock_local6))?;
                }
                _ => {}
            }
        }
    }
    let path = u32::from(u16::from_ne_bytes([event.address[0], event.address[1]]) == AF_UNIX && event.length > 2);
    let length = event.length;
    let says = unsafe { *record.head::<Says>() };
    if record.reserve(&says, length) && !record::send_plain(record.head::<SocketEvent>()) {
        record.release();
    }
    Some(path)
}

const _: () = assert!(size_of::<Says>() == offset_of!(SocketEvent, address));
