//! The sockets that a process has which ran before the tracer was there, from `/proc`.
//!
//! The calls that made them are not known any more: each counts as the fewest that such a socket takes.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use procfs::net::{TcpState, UnixState};
use procfs::process::{FDTarget, Process};

use crate::path::{RootPath, encode};
use crate::recording::{Actor, Phase, SocketAction, SocketUse};

/// The numbers of protocols and types (`IPPROTO_*`, `SOCK_*`).
const TCP: u16 = 6;
const UDP: u16 = 17;
const DGRAM: u16 = 2;

/// Returns the sockets that a process listens on, that are bound and that are connected; empty once it has ended.
pub(super) fn process_sockets(pid: u32, program: Option<&RootPath>) -> BTreeSet<SocketUse> {
    let sockets = Sockets {
        program,
        found: BTreeSet::new(),
    };
    i32::try_from(pid)
        .ok()
        .and_then(|pid| sockets.read(&Process::new(pid).ok()?))
        .unwrap_or_default()
}

struct Sockets<'a> {
    program: Option<&'a RootPath>,
    found: BTreeSet<SocketUse>,
}

impl Sockets<'_> {
    fn read(mut self, process: &Process) -> Option<BTreeSet<SocketUse>> {
        let inodes: BTreeSet<u64> = process
            .fd()
            .ok()?
            .flatten()
            .filter_map(|descriptor| match descriptor.target {
                FDTarget::Socket(inode) => Some(inode),
                _ => None,
            })
            .collect();
        let tcp = [process.tcp(), process.tcp6()];
        let tcp: Vec<_> = tcp.into_iter().flatten().flatten().collect();
        let listening: BTreeSet<u16> = tcp
            .iter()
            .filter(|entry| entry.state == TcpState::Listen)
            .map(|entry| entry.local_address.port())
            .collect();
        for entry in tcp.iter().filter(|entry| inodes.contains(&entry.inode)) {
            if entry.state == TcpState::Listen {
                self.internet(SocketAction::Bind, TCP, entry.local_address);
                self.internet(SocketAction::Listen, TCP, entry.local_address);
            } else if !listening.contains(&entry.local_address.port()) && entry.remote_address.port() != 0 {
                // Whatever came in came to a port that is listened on.
                self.internet(SocketAction::Connect, TCP, entry.remote_address);
            }
        }
        let udp = [process.udp(), process.udp6()];
        for entry in udp.into_iter().flatten().flatten() {
            if !inodes.contains(&entry.inode) {
                continue;
            }
            if entry.remote_address.port() != 0 {
                self.internet(SocketAction::Connect, UDP, entry.remote_address);
            } else if entry.local_address.port() != 0 {
                self.internet(SocketAction::Bind, UDP, entry.local_address);
            }
        }
        for entry in process.unix().ok().into_iter().flatten() {
            // Of a connected one, the path is its listener's.
            if let Some(path) = &entry.path
                && inodes.contains(&entry.inode)
                && entry.state == UnixState::UNCONNECTED
            {
                let address = encode(path.as_os_str().as_bytes());
                self.add(
                    SocketAction::Bind,
                    "unix",
                    kind(entry.socket_type.into()),
                    0,
                    &address,
                    0,
                );
                if entry.socket_type != DGRAM {
                    self.add(
                        SocketAction::Listen,
                        "unix",
                        kind(entry.socket_type.into()),
                        0,
                        &address,
                        0,
                    );
                }
            }
        }
        Some(self.found)
    }

    fn internet(&mut self, action: SocketAction, protocol: u16, at: SocketAddr) {
        let family = match at.ip() {
            IpAddr::V4(_) => "inet",
            IpAddr::V6(_) => "inet6",
        };
        let kind = if protocol == TCP { "stream" } else { "dgram" };
        self.add(
            action,
            family,
            kind.to_owned(),
            protocol,
            &at.ip().to_string(),
            at.port(),
        );
    }

    fn add(
        &mut self,
        action: SocketAction,
        family: &str,
        kind: String,
        protocol: u16,
        address: &str,
        port: u16,
    ) {
        self.found.insert(SocketUse {
            action,
            family: family.to_owned(),
            kind,
            protocol,
            address: address.to_owned(),
            port,
            phase: Phase::StartUp,
            actor: Actor::App,
            program: self.program.cloned(),
        });
    }
}

/// Returns the name of a socket's type, as a [`SocketUse`] has it.
pub(super) fn kind(number: u32) -> String {
    match number {
        1 => "stream".into(),
        2 => "dgram".into(),
        3 => "raw".into(),
        5 => "seqpacket".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    #[test]
    fn a_process_has_the_sockets_that_it_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let (stream, datagram) = (directory.path().join("stream"), directory.path().join("datagram"));
        let _stream = UnixListener::bind(&stream).expect("it binds");
        let _datagram = UnixDatagram::bind(&datagram).expect("it binds");
        let tcp = TcpListener::bind("[::1]:0").expect("it binds");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("it binds");
        let client = TcpStream::connect(tcp.local_addr().expect("an address")).expect("it connects");
        let (_server, _) = tcp.accept().expect("it accepts");
        let here = std::process::id();
        let mut found = process_sockets(here, None);
        let ports = [&tcp.local_addr(), &udp.local_addr()].map(|at| at.as_ref().map_or(0, SocketAddr::port));
        let paths = [&stream, &datagram].map(|path| path.to_string_lossy().into_owned());
        // Other tests are in the same process.
        found.retain(|socket| ports.contains(&socket.port) || paths.contains(&socket.address));
        let seen: Vec<_> = found
            .iter()
            .map(|socket| {
                (
                    socket.action,
                    socket.family.as_str(),
                    socket.kind.as_str(),
                    socket.protocol,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (SocketAction::Bind, "inet", "dgram", UDP),
                (SocketAction::Bind, "inet6", "stream", TCP),
                (SocketAction::Bind, "unix", "dgram", 0),
                (SocketAction::Bind, "unix", "stream", 0),
                (SocketAction::Listen, "inet6", "stream", TCP),
                (SocketAction::Listen, "unix", "stream", 0),
                // The client; what was accepted is not connected to anything.
                (SocketAction::Connect, "inet6", "stream", TCP),
            ]
        );
        drop(client);
    }
}
