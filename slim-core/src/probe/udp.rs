//! Datagrams over UDP: the hello of the protocol that is usual on a port, or what the user gives.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::UdpSocket;

use super::session::Session;

/// The idle time after which a datagram is not answered.
const SILENT: Duration = Duration::from_millis(250);
/// The same by the clock, where nobody can tell that the container is idle.
const BLIND: Duration = Duration::from_millis(700);
/// Number of times that a datagram is sent that should be answered: one may be lost, or come before the server is whole.
pub(super) const SENDS: usize = 3;
/// Number of bytes that are received at most.
const MAX_RECEIVED: usize = 64 << 10;

/// A protocol, the ports it is usual on, and a first message that does no harm and needs no account.
pub(super) struct Hello {
    /// The ports.
    ports: &'static [u16],
    /// The protocol's name.
    pub(super) name: &'static str,
    /// The message.
    message: &'static [u8],
    /// Tells an answer by what was sent and what came; none where the protocol has no answers.
    recognises: Option<Recognises>,
}

/// Returns whether the second message is an answer to the first.
type Recognises = fn(&[u8], &[u8]) -> bool;

/// Returns whether both messages begin alike: their identifier is at the start.
fn same_start<const N: usize>(sent: &[u8], received: &[u8]) -> bool {
    received.len() > N && received[..N] == sent[..N]
}

/// The known protocols.
#[rustfmt::skip]
static HELLOS: &[Hello] = &[
    // A question for localhost, type A, recursion desired: resolvers and servers know it or refuse it without asking others.
    Hello { ports: &[53, 5335, 5353, 8053, 1053], name: "DNS", message: b"sl\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01", recognises: Some(|sent, got| same_start::<2>(sent, got) && got.len() >= 12 && got[2] & 0x80 != 0) },
    // A read request for the file "slim"; the answer comes from another port.
    Hello { ports: &[69], name: "TFTP", message: b"\x00\x01slim\x00octet\x00", recognises: Some(|_, got| matches!(got, [0, 3 | 5, ..])) },
    // The null call of the port mapper (RFC 1833), version 2.
    Hello { ports: &[111], name: "rpcbind", message: b"slim\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86\xa0\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", recognises: Some(same_start::<4>) },
    // A client's packet, version 4, with a transmit time to be sent back.
    Hello { ports: &[123], name: "NTP", message: b"\x23\x00\x06\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00slimslim", recognises: Some(|_, got| got.len() >= 48 && got[0] & 7 == 4) },
    // The status of every name ("*").
    Hello { ports: &[137], name: "NetBIOS", message: b"sl\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00\x00\x21\x00\x01", recognises: Some(same_start::<2>) },
    // GET of sysDescr.0, version 2c, community public.
    Hello { ports: &[161], name: "SNMP", message: b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00", recognises: Some(|_, got| got.first() == Some(&0x30) && got.contains(&0xa2)) },
    // A long header of a version that nobody has: the answer lists those that the server has (RFC 9000, section 6).
    Hello { ports: &[443, 784, 853, 8443], name: "QUIC", message: &QUIC, recognises: Some(|_, got| got.len() > 6 && got[0] & 0x80 != 0 && got[1..5] == [0; 4]) },
    // RFC 5424, facility user, severity info.
    Hello { ports: &[514, 1514, 5140, 5514], name: "syslog", message: b"<14>1 - localhost slim - - - hello", recognises: None },
    // Access-Request for the user "slim".
    Hello { ports: &[1645, 1812], name: "RADIUS", message: b"\x01\x01\x00\x1aslimslimslimslim\x01\x06slim", recognises: Some(|_, got| matches!(got, [2 | 3 | 11, 1, ..])) },
    Hello { ports: &[1900], name: "SSDP", message: b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n", recognises: Some(same_start::<0>) },
    // A binding request (RFC 8489).
    Hello { ports: &[3478], name: "STUN", message: b"\x00\x01\x00\x00\x21\x12\xa4\x42slimslimslim", recognises: Some(|sent, got| got.len() >= 20 && got[..2] != sent[..2] && got[4..20] == sent[4..20]) },
    Hello { ports: &[5060], name: "SIP", message: b"OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/UDP localhost;branch=z9hG4bKslim;rport\r\nFrom: <sip:slim@localhost>;tag=slim\r\nTo: <sip:slim@localhost>\r\nCall-ID: slim@localhost\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", recognises: Some(|_, got| got.starts_with(b"SIP/2.0 ")) },
    // A confirmable GET of /.well-known/core.
    Hello { ports: &[5683], name: "CoAP", message: b"\x41\x01sls\xbb.well-known\x04core", recognises: Some(|sent, got| got.len() >= 4 && got[0] >> 6 == 1 && got[2..4] == sent[2..4]) },
    Hello { ports: &[8125], name: "StatsD", message: b"slim.hello:1|c", recognises: None },
];

/// An Initial packet of version 0x0a0a0a0a, with a connection id of eight bytes, filled up to the least size (1200 bytes).
const QUIC: [u8; 1200] = {
    let start = *b"\xc0\x0a\x0a\x0a\x0a\x08slimslim\x00\x00";
    let mut packet = [0; 1200];
    let mut at = 0;
    while at < start.len() {
        packet[at] = start[at];
        at += 1;
    }
    packet
};

impl Hello {
    /// The hello of the protocol that is usual on `port`.
    pub(super) fn for_port(port: u16) -> Option<&'static Self> {
        HELLOS.iter().find(|hello| hello.ports.contains(&port))
    }
}

/// The outcome of speaking to a port.
#[derive(Debug)]
pub(super) enum UdpAttempt {
    /// It answered the last of these messages, or did not and need not.
    Spoken(UdpSpoken),
    /// Nobody is there.
    Refused,
    /// It is bound, and does not answer.
    Silent,
}

/// The messages and the answers of a port.
#[derive(Debug)]
pub(super) struct UdpSpoken {
    /// The protocol's name, if it is a known one.
    pub(super) name: Option<&'static str>,
    /// Each message with its answer; empty where none came.
    pub(super) exchanges: Vec<(Vec<u8>, Vec<u8>)>,
}

impl UdpSpoken {
    /// Returns whether an answer came.
    pub(super) fn answered(&self) -> bool {
        self.exchanges.iter().any(|(_, received)| !received.is_empty())
    }
}

impl Session<'_> {
    /// Speaks to a UDP port once: what the user gives, the hello of the usual protocol, or that of each known one.
    pub(super) async fn speak_udp(&self, endpoint: SocketAddr, port: u16) -> UdpAttempt {
        let given = self.options.udp_send.iter();
        let given: Vec<&[u8]> = given
            .filter(|datagram| datagram.port == port)
            .map(|datagram| datagram.bytes.as_slice())
            .collect();
        let spoken = |name, exchanges| UdpAttempt::Spoken(UdpSpoken { name, exchanges });
        if !given.is_empty() {
            let mut exchanges = Vec::new();
            for message in given {
                match self.datagram(endpoint, message, SENDS).await {
                    Ok(received) => exchanges.push((message.to_vec(), received)),
                    Err(_) => return UdpAttempt::Refused,
                }
            }
            return spoken(None, exchanges);
        }
        let known = Hello::for_port(port);
        let hellos = HELLOS.iter().filter(|hello| match known {
            Some(known) => std::ptr::eq(*hello, known),
            None => hello.recognises.is_some(),
        });
        let mut asking: FuturesUnordered<_> = hellos
            .map(async |hello| {
                let sends = if hello.recognises.is_some() { SENDS } else { 1 };
                (hello, self.datagram(endpoint, hello.message, sends).await)
            })
            .collect();
        let mut refused = false;
        while let Some((hello, answer)) = asking.next().await {
            match (answer, hello.recognises) {
                (Err(_), _) => refused = true,
                (Ok(received), None) => {
                    return spoken(Some(hello.name), vec![(hello.message.to_vec(), received)]);
                }
                (Ok(received), Some(recognises)) if !received.is_empty() => {
                    let name = recognises(hello.message, &received).then_some(hello.name);
                    return spoken(name, vec![(hello.message.to_vec(), received)]);
                }
                (Ok(_), Some(_)) => {}
            }
        }
        match refused {
            true => UdpAttempt::Refused,
            false => UdpAttempt::Silent,
        }
    }

    /// Sends a datagram up to so many times, until one comes back from the same host, which is returned; empty if none does while
    /// the container is idle.
    ///
    /// # Errors
    /// Nobody is bound to the port, as the other side says.
    pub(super) async fn datagram(
        &self,
        endpoint: SocketAddr,
        message: &[u8],
        sends: usize,
    ) -> std::io::Result<Vec<u8>> {
        let any: SocketAddr = if endpoint.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).await?;
        // A transfer goes on between new ports; who is connected to one is told that nobody is there.
        let moves = Hello::for_port(endpoint.port()).is_some_and(|hello| hello.name == "TFTP");
        if !moves {
            socket.connect(endpoint).await?;
        }
        let mut buffer = vec![0; MAX_RECEIVED];
        for _ in 0..sends {
            if moves {
                socket.send_to(message, endpoint).await?;
            } else {
                socket.send(message).await?;
            }
            let answer = async {
                loop {
                    let (count, from) = socket.recv_from(&mut buffer).await?;
                    if from.ip() == endpoint.ip() {
                        return std::io::Result::Ok(count);
                    }
                }
            };
            let count = tokio::select! {
                biased;
                count = answer => count?,
                () = self.quiet(SILENT, BLIND) => 0,
            };
            if count > 0 {
                buffer.truncate(count);
                return Ok(buffer);
            }
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hellos_have_the_lengths_they_name() {
        let message = |port| Hello::for_port(port).unwrap().message;
        assert_eq!(message(161)[1] as usize, message(161).len() - 2);
        assert_eq!(message(161)[14] as usize, message(161).len() - 15, "the request");
        assert_eq!(message(1812)[3] as usize, message(1812).len());
        assert_eq!(message(123).len(), 48);
        assert_eq!(message(3478).len(), 20);
        assert_eq!(message(111).len(), 40);
        assert_eq!(message(137)[12] as usize, 32);
        assert_eq!(message(137).len(), 12 + 34 + 4);
        assert_eq!(message(443).len(), 1200);
    }

    #[test]
    fn answers_are_recognised() {
        let recognises = |port, answer: &[u8]| {
            let hello = Hello::for_port(port).unwrap();
            hello.recognises.unwrap()(hello.message, answer)
        };
        assert!(recognises(53, b"sl\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"));
        assert!(
            !recognises(53, b"sl\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00"),
            "a question"
        );
        assert!(
            !recognises(53, b"xx\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"),
            "another's"
        );
        assert!(!recognises(53, b"sl"));
        assert!(recognises(123, &[0x24; 48]) && !recognises(123, &[0x23; 48]));
        assert!(recognises(69, b"\x00\x05\x00\x01File not found\x00"));
        assert!(recognises(3478, b"\x01\x01\x00\x00\x21\x12\xa4\x42slimslimslim"));
        assert!(
            !recognises(3478, b"\x00\x01\x00\x00\x21\x12\xa4\x42slimslimslim"),
            "an echo"
        );
        assert!(recognises(5683, b"\x61\x45lss\xffx") == (b"ls" == b"sl"));
        assert!(recognises(5683, b"\x61\x45sls\xff</x>"));
        assert!(recognises(
            443,
            b"\xc0\x00\x00\x00\x00\x00\x08slimslim\x00\x00\x00\x01"
        ));
    }
}
