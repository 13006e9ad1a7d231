//! Bytes over TCP: the server's banner, and the greeting of the protocol that is usual on a port.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// The time to wait for the server's banner.
const BANNER: Duration = Duration::from_millis(500);
/// The time to wait for an answer to what was sent.
const ANSWER: Duration = Duration::from_secs(2);
/// An answer that pauses for this long is over.
const PAUSE: Duration = Duration::from_millis(200);
/// The time that a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The time that one side may send, however little at a time.
const WHOLE: Duration = Duration::from_secs(10);
/// Number of bytes that are received at most.
const MAX_RECEIVED: usize = 64 << 10;

/// A protocol, the port it is usual on, and a first message that does no harm and needs no account.
pub(super) struct Greeting {
    /// The port.
    port: u16,
    /// The protocol's name.
    pub(super) name: &'static str,
    /// The client's first message.
    pub(super) message: &'static [u8],
    /// The side that sends first.
    first: Banner,
    /// The beginnings of an answer.
    prefixes: &'static [&'static [u8]],
    /// Parts of an answer of a server that is still starting.
    starting: &'static [&'static [u8]],
}

/// The server's first words, before the client has sent anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Banner {
    /// The client waits for them.
    Await,
    /// The client sends at once.
    Skip,
}

/// The known protocols.
#[rustfmt::skip]
const GREETINGS: &[Greeting] = &[
    Greeting { port: 21, name: "FTP", message: b"FEAT\r\n", first: Banner::Await, prefixes: &[b"220"], starting: &[] },
    // The rest of the key exchange is random, so nothing is said.
    Greeting { port: 22, name: "SSH", message: b"", first: Banner::Await, prefixes: &[b"SSH-"], starting: &[] },
    Greeting { port: 25, name: "SMTP", message: b"EHLO localhost\r\n", first: Banner::Await, prefixes: &[b"220"], starting: &[b"421 "] },
    Greeting { port: 587, name: "SMTP", message: b"EHLO localhost\r\n", first: Banner::Await, prefixes: &[b"220"], starting: &[b"421 "] },
    Greeting { port: 110, name: "POP3", message: b"CAPA\r\n", first: Banner::Await, prefixes: &[b"+OK"], starting: &[] },
    Greeting { port: 143, name: "IMAP", message: b"a CAPABILITY\r\n", first: Banner::Await, prefixes: &[b"* "], starting: &[] },
    // An anonymous bind (RFC 4511, section 4.2).
    Greeting { port: 389, name: "LDAP", message: b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", first: Banner::Skip, prefixes: &[b"\x30"], starting: &[] },
    // CONNECT of MQTT 3.1.1, clean session, client "slim".
    Greeting { port: 1883, name: "MQTT", message: b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04slim", first: Banner::Skip, prefixes: &[b"\x20\x02"], starting: &[] },
    Greeting { port: 2181, name: "ZooKeeper", message: b"srvr", first: Banner::Skip, prefixes: &[b"Zookeeper version", b"srvr is not executed"], starting: &[b"not currently serving"] },
    // The server's handshake packet: sequence 0, protocol 10 (or an error, 0xff).
    Greeting { port: 3306, name: "MySQL", message: b"", first: Banner::Await, prefixes: &[], starting: &[] },
    Greeting { port: 4222, name: "NATS", message: b"CONNECT {\"verbose\":false}\r\nPING\r\n", first: Banner::Await, prefixes: &[b"INFO {"], starting: &[] },
    // StartupMessage of protocol 3.0: user and database postgres. 57P03 is "the database system is starting up".
    Greeting { port: 5432, name: "PostgreSQL", message: b"\x00\x00\x00\x29\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00", first: Banner::Skip, prefixes: &[b"R\x00", b"E\x00"], starting: &[b"57P03"] },
    Greeting { port: 5672, name: "AMQP", message: b"AMQP\x00\x00\x09\x01", first: Banner::Skip, prefixes: &[b"\x01\x00\x00", b"AMQP"], starting: &[] },
    Greeting { port: 6379, name: "Redis", message: b"PING\r\n", first: Banner::Skip, prefixes: &[b"+PONG", b"-"], starting: &[b"-LOADING"] },
    // OPTIONS of the native protocol, version 4.
    Greeting { port: 9042, name: "Cassandra", message: b"\x04\x00\x00\x00\x05\x00\x00\x00\x00", first: Banner::Skip, prefixes: &[b"\x84\x00", b"\x83\x00"], starting: &[] },
    // ApiVersions, version 0, correlation 1, client "slim".
    Greeting { port: 9092, name: "Kafka", message: b"\x00\x00\x00\x0e\x00\x12\x00\x00\x00\x00\x00\x01\x00\x04slim", first: Banner::Skip, prefixes: &[b"\x00\x00"], starting: &[] },
    Greeting { port: 11211, name: "memcached", message: b"version\r\n", first: Banner::Skip, prefixes: &[b"VERSION ", b"ERROR"], starting: &[] },
    // OP_MSG {hello: 1, $db: "admin"}.
    Greeting { port: 27017, name: "MongoDB", message: b"\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00", first: Banner::Skip, prefixes: &[], starting: &[] },
];

impl Greeting {
    /// The greeting of the protocol that is usual on `port`.
    pub(super) fn for_port(port: u16) -> Option<&'static Self> {
        GREETINGS.iter().find(|greeting| greeting.port == port)
    }

    /// Returns true if `answer` is one of this protocol.
    pub(super) fn recognises(&self, answer: &[u8]) -> bool {
        match self.name {
            "MySQL" => answer.len() > 4 && answer[3] == 0 && matches!(answer[4], 10 | 0xff),
            // The length first, the opcode OP_MSG at offset 12.
            "MongoDB" => {
                answer.len() >= 16
                    && answer[..4] == (answer.len() as u32).to_le_bytes()
                    && answer[12..14] == [0xdd, 7]
            }
            _ => self.prefixes.iter().any(|prefix| answer.starts_with(prefix)),
        }
    }

    /// Returns true if `answer` says that the server is not ready yet.
    pub(super) fn is_starting(&self, answer: &[u8]) -> bool {
        let contains = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
        self.starting.iter().any(|part| contains(part))
    }

    /// Sends the greeting in the order of the protocol.
    pub(super) async fn send(&self, endpoint: SocketAddr) -> TcpProbe {
        probe(endpoint, Some(self.message), self.first).await
    }
}

/// The outcome of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TcpProbe {
    /// No connection.
    Refused(String),
    /// The server closed it at once, without a byte.
    Closed(String),
    /// The connection stayed open, or the server sent these bytes.
    Open(Vec<u8>),
}

/// Connects, waits for a banner if `banner` says so, sends `message`, and receives until the answer pauses.
pub(super) async fn probe(endpoint: SocketAddr, message: Option<&[u8]>, banner: Banner) -> TcpProbe {
    let mut stream = match timeout(CONNECT, TcpStream::connect(endpoint)).await {
        Err(_) => return TcpProbe::Refused(format!("no connection within {} s", CONNECT.as_secs())),
        Ok(Err(error)) => return TcpProbe::Refused(error.to_string()),
        Ok(Ok(stream)) => stream,
    };
    let mut received = Vec::new();
    if banner == Banner::Await {
        match receive(&mut stream, &mut received, BANNER, WHOLE).await {
            Ok(true) => {}
            Ok(false) if received.is_empty() => return TcpProbe::Closed("closed without a byte".into()),
            Ok(false) => return TcpProbe::Open(received),
            Err(error) if received.is_empty() => return TcpProbe::Closed(error.to_string()),
            Err(_) => return TcpProbe::Open(received),
        }
    }
    let Some(message) = message.filter(|message| !message.is_empty()) else {
        return TcpProbe::Open(received);
    };
    let sent = timeout(WHOLE, stream.write_all(message)).await;
    let end = match sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
        Ok(()) => receive(&mut stream, &mut received, ANSWER, WHOLE).await,
        Err(error) => Err(error),
    };
    match end {
        // The server took the message and hung up: it did not like it. After a wait for a banner it was open until then.
        Ok(false) if received.is_empty() && banner == Banner::Skip => {
            TcpProbe::Closed("closed without a byte".into())
        }
        Err(error) if received.is_empty() && banner == Banner::Skip => TcpProbe::Closed(error.to_string()),
        _ => TcpProbe::Open(received),
    }
}

/// Receives until a pause, a bound or the end; the first byte may take `first`, all of them `whole`. Returns false at the
/// end of the stream.
async fn receive(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    first: Duration,
    whole: Duration,
) -> std::io::Result<bool> {
    let deadline = Instant::now() + whole;
    let mut until = Instant::now() + first;
    let mut buffer = [0; 4096];
    while received.len() < MAX_RECEIVED {
        match timeout_at(until, stream.read(&mut buffer)).await {
            Err(_) => return Ok(true),
            Ok(Ok(0)) => return Ok(false),
            Ok(Ok(count)) => {
                received.extend_from_slice(&buffer[..count]);
                until = deadline.min(Instant::now() + PAUSE);
            }
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greetings_have_the_lengths_they_name() {
        let message = |port| Greeting::for_port(port).unwrap().message;
        let be = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(be(message(5432)), message(5432).len());
        assert_eq!(be(message(9092)), message(9092).len() - 4);
        assert_eq!(message(1883)[1] as usize, message(1883).len() - 2);
        assert_eq!(message(389)[1] as usize, message(389).len() - 2);
        let mongo = message(27017);
        let le = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(le(mongo), mongo.len());
        assert_eq!(le(&mongo[21..]), mongo.len() - 21, "the document");
    }

    #[tokio::test]
    async fn a_server_that_sends_without_an_end_is_cut() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(PAUSE / 4).await;
            }
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut received = Vec::new();
        let receiving = receive(&mut stream, &mut received, ANSWER, PAUSE * 3);
        let open = timeout(Duration::from_secs(5), receiving).await.unwrap().unwrap();
        assert!(open && received.len() > 1);
    }

    #[test]
    fn answers_are_recognised() {
        let redis = Greeting::for_port(6379).unwrap();
        assert!(redis.recognises(b"+PONG\r\n") && redis.recognises(b"-NOAUTH Authentication required.\r\n"));
        assert!(!redis.recognises(b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(redis.is_starting(b"-LOADING Redis is loading the dataset in memory\r\n"));
        let mysql = Greeting::for_port(3306).unwrap();
        assert!(mysql.recognises(b"\x4a\x00\x00\x00\x0a8.0.36\x00"));
        assert!(!mysql.recognises(b"HTTP/1.1 400"));
        let postgres = Greeting::for_port(5432).unwrap();
        assert!(postgres.is_starting(b"E\x00\x00\x00\x60SFATAL\x00C57P03\x00"));
    }
}
