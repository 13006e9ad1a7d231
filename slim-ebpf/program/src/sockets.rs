//! Sockets: the addresses that are listened on and connected to.

use core::mem::offset_of;

use aya_ebpf::helpers::generated;

use crate::kernel::{bound, current, follow, off, read, read_user, task_file};
use crate::record::{self, Record};
use crate::shared::{SocketEvent, call, event};
use crate::types::Identity;
use crate::value::field;

const AF_UNIX: u16 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// Records the call at hand, which is about a socket. Returns 1 if its address is a path.
///
/// Not static, so that the verifier looks at it once and on its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn record_socket() -> u32 {
    record_address().unwrap_or(0)
}

#[inline(always)]
fn record_address() -> Option<u32> {
    // The address stands where the requested path of a file does.
    let mut record = Record::with_head(offset_of!(SocketEvent, address))?;
    let call = record.call();
    let row = field!(call, row);
    let event = record.head::<SocketEvent>();
    field!(event, kind).set(event::SOCKET);
    field!(event, number).set(call.number());
    field!(event, abi).set(call.abi());
    field!(event, slot).set(call.slot());
    field!(event, errno).set(call.errno());
    field!(event, family).set(0);
    field!(event, socket).set(0);
    field!(event, protocol).set(0);
    field!(event, port).set(0);
    field!(event, length).set(0);
    field!(event, local).set([0; 4]);
    field!(event, unused).set([0; 2]);
    if field!(row, kind).get() == call::SOCKET {
        field!(event, family).set(field!(call, args).element(1).get() as u32);
        // Without SOCK_NONBLOCK and SOCK_CLOEXEC.
        field!(event, socket).set(field!(call, args).element(2).get() as u32 & 0xf);
        field!(event, protocol).set(field!(call, args).element(3).get() as u32);
    } else {
        let mut from = call.argument(field!(row, path).get());
        let mut length = call.argument(field!(row, dir).get()) as u32;
        if field!(row, kind).get() == call::MESSAGE {
            // struct msghdr begins with the name and its length, in the caller's word size.
            if call.abi() == crate::shared::abi::NATIVE {
                length = read_user(from + 8)?;
                from = read_user(from)?;
            } else {
                length = read_user(from + 4)?;
                from = u64::from(read_user::<u32>(from)?);
            }
        }
        if field!(row, path).get() != 0 {
            if from == 0 || length == 0 {
                return None;
            }
            let length = bound(length.min(110), 0x7f);
            let to = field!(event, address).pointer();
            // SAFETY: the field has 112 bytes and more follow it in the buffer, 127 of them at least; the helper fails where
            // nothing is mapped at `from`.
            let failed = unsafe { generated::bpf_probe_read_user(to.cast(), length, from as *const _) };
            if failed != 0 {
                return None;
            }
            field!(event, length).set(length);
        }
        let file = task_file(current(), field!(call, args).element(1).get() as u32)?;
        let socket = follow(file + off!(file_private))?;
        let sock = follow(socket + off!(socket_sock))?;
        field!(event, family).set(u32::from(read::<u16>(sock + off!(sock_family))?));
        field!(event, socket).set(u32::from(read::<u16>(sock + off!(sock_type))?));
        field!(event, protocol).set(u32::from(read::<u16>(sock + off!(sock_protocol))?));
        if call.errno() == 0 && field!(row, flags).get() != 0 {
            // Bound or listening: the kernel knows where.
            match field!(event, family).get() {
                AF_INET => {
                    field!(event, port).set(u32::from(read::<u16>(sock + off!(sock_port))?));
                    field!(event, local).element(0).set(read(sock + off!(sock_local))?);
                }
                AF_INET6 => {
                    field!(event, port).set(u32::from(read::<u16>(sock + off!(sock_port))?));
                    field!(event, local).set(read(sock + off!(sock_local6))?);
                }
                _ => {}
            }
        }
    }
    let address = field!(event, address);
    let family = u16::from_ne_bytes([address.element(0).get(), address.element(1).get()]);
    let length = field!(event, length).get();
    let path = u32::from(family == AF_UNIX && length > 2);
    let identity = record.head::<Identity>().get();
    if record.reserve(&identity, length) && !record::send_plain(event.pointer()) {
        record.release();
    }
    Some(path)
}

const _: () = assert!(size_of::<Identity>() == offset_of!(SocketEvent, address));
