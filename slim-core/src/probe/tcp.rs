//! Bytes over TCP: the server's banner, and the greeting of the protocol that is usual on a port.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::session::Session;

/// The idle time after which a server sends no banner, and the same by the clock, where nobody can tell.
const BANNER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));
/// The idle time after which a server does not answer what was sent, and the same by the clock.
const ANSWER: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(2));
/// An answer that pauses for this long is over.
const PAUSE: Duration = Duration::from_millis(200);
/// The time that a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The time that one side may send, however little at a time.
const WHOLE: Duration = Duration::from_secs(10);
/// Number of bytes that are received at most.
const MAX_RECEIVED: usize = 64 << 10;

/// A protocol, the port it is usual on, and first messages that do no harm and need no account.
pub(super) struct Greeting {
    /// The port.
    port: u16,
    /// The protocol's name.
    pub(super) name: &'static str,
    /// The client's messages, each sent when the one before was answered.
    pub(super) messages: &'static [&'static [u8]],
    /// The side that sends first.
    pub(super) first: Banner,
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
    Greeting { port: 21, name: "FTP", messages: &[b"FEAT\r\n", b"SYST\r\n", b"QUIT\r\n"], first: Banner::Await, prefixes: &[b"220"], starting: &[] },
    // The key exchange goes no further than the server's first message: what follows needs the mathematics.
    Greeting { port: 22, name: "SSH", messages: &[b"SSH-2.0-slim\r\n"], first: Banner::Await, prefixes: &[b"SSH-"], starting: &[] },
    Greeting { port: 25, name: "SMTP", messages: SMTP, first: Banner::Await, prefixes: &[b"220"], starting: &[b"421 "] },
    Greeting { port: 587, name: "SMTP", messages: SMTP, first: Banner::Await, prefixes: &[b"220"], starting: &[b"421 "] },
    // The question for localhost that is sent over UDP, with its length.
    Greeting { port: 53, name: "DNS", messages: &[b"\x00\x1bsl\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01"], first: Banner::Skip, prefixes: &[], starting: &[] },
    Greeting { port: 110, name: "POP3", messages: &[b"CAPA\r\n", b"QUIT\r\n"], first: Banner::Await, prefixes: &[b"+OK"], starting: &[] },
    Greeting { port: 143, name: "IMAP", messages: &[b"a CAPABILITY\r\n", b"b NOOP\r\nc LOGOUT\r\n"], first: Banner::Await, prefixes: &[b"* "], starting: &[] },
    // An anonymous bind (RFC 4511, section 4.2), and a search for the root entry.
    Greeting { port: 389, name: "LDAP", messages: &[b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", b"\x30\x25\x02\x01\x02\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x00"], first: Banner::Skip, prefixes: &[b"\x30"], starting: &[] },
    // CONNECT of MQTT 3.1.1, clean session, client "slim"; SUBSCRIBE to "slim", PUBLISH to it, PINGREQ; DISCONNECT.
    Greeting { port: 1883, name: "MQTT", messages: &[b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04slim", b"\x82\x09\x00\x01\x00\x04slim\x00", b"\x30\x0b\x00\x04slimhello\xc0\x00", b"\xe0\x00"], first: Banner::Skip, prefixes: &[b"\x20\x02"], starting: &[] },
    Greeting { port: 2181, name: "ZooKeeper", messages: &[b"srvr"], first: Banner::Skip, prefixes: &[b"Zookeeper version", b"srvr is not executed"], starting: &[b"not currently serving"] },
    // The server's handshake packet: sequence 0, protocol 10 (or an error, 0xff). A login of root without a password, which
    // is usually refused; where it is not, a query.
    Greeting { port: 3306, name: "MySQL", messages: &[b"\x3c\x00\x00\x01\x01\x82\x08\x00\x00\x00\x00\x01\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00root\x00\x00mysql_native_password\x00", b"\x09\x00\x00\x00\x03select 1"], first: Banner::Await, prefixes: &[], starting: &[] },
    Greeting { port: 4222, name: "NATS", messages: &[b"CONNECT {\"verbose\":false}\r\nPING\r\n"], first: Banner::Await, prefixes: &[b"INFO {"], starting: &[] },
    // The request for all names (port 4369 is that of Erlang's port mapper).
    Greeting { port: 4369, name: "EPMD", messages: &[b"\x00\x01n"], first: Banner::Skip, prefixes: &[b"\x00\x00\x11\x11"], starting: &[] },
    // StartupMessage of protocol 3.0: user and database postgres. 57P03 is "the database system is starting up". Where no password
    // is asked for, a query follows, and Terminate.
    Greeting { port: 5432, name: "PostgreSQL", messages: &[b"\x00\x00\x00\x29\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00", b"Q\x00\x00\x00\x15select version()\x00", b"X\x00\x00\x00\x04"], first: Banner::Skip, prefixes: &[b"R\x00", b"E\x00"], starting: &[b"57P03"] },
    Greeting { port: 5672, name: "AMQP", messages: &[b"AMQP\x00\x00\x09\x01"], first: Banner::Skip, prefixes: &[b"\x01\x00\x00", b"AMQP"], starting: &[] },
    Greeting { port: 6379, name: "Redis", messages: &[b"PING\r\n", b"ECHO slim\r\nEXISTS slim\r\nEVAL \"return 1\" 0\r\nQUIT\r\n"], first: Banner::Skip, prefixes: &[b"+PONG", b"-"], starting: &[b"-LOADING"] },
    // OPTIONS of the native protocol, version 4.
    Greeting { port: 9042, name: "Cassandra", messages: &[b"\x04\x00\x00\x00\x05\x00\x00\x00\x00"], first: Banner::Skip, prefixes: &[b"\x84\x00", b"\x83\x00"], starting: &[] },
    // ApiVersions, version 0, correlation 1, client "slim".
    Greeting { port: 9092, name: "Kafka", messages: &[b"\x00\x00\x00\x0e\x00\x12\x00\x00\x00\x00\x00\x01\x00\x04slim"], first: Banner::Skip, prefixes: &[b"\x00\x00"], starting: &[] },
    Greeting { port: 11211, name: "memcached", messages: &[b"version\r\n", b"get slim\r\nquit\r\n"], first: Banner::Skip, prefixes: &[b"VERSION ", b"ERROR"], starting: &[] },
    // OP_MSG {hello: 1, $db: "admin"}.
    Greeting { port: 27017, name: "MongoDB", messages: &[b"\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"], first: Banner::Skip, prefixes: &[], starting: &[] },
];

/// A greeting, a sender that is taken back, and the end.
const SMTP: &[&[u8]] = &[b"EHLO localhost\r\n", b"NOOP\r\n", b"QUIT\r\n"];

impl Greeting {
    /// The greeting of the protocol that is usual on `port`.
    pub(super) fn for_port(port: u16) -> Option<&'static Self> {
        GREETINGS.iter().find(|greeting| greeting.port == port)
    }

    /// Returns true if `answer` is one of this protocol.
    pub(super) fn recognises(&self, answer: &[u8]) -> bool {
        match self.name {
            // The length, the identifier, and that it is an answer.
            "DNS" => answer.len() > 4 && answer[2..4] == *b"sl" && answer[4] & 0x80 != 0,
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
    pub(super) async fn send(&self, session: &Session<'_>, endpoint: SocketAddr) -> TcpProbe {
        session.converse(endpoint, self.messages, self.first).await
    }
}

/// No message: only the connection is made.
pub(super) const NOTHING: &[&[u8]] = &[];

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

impl Session<'_> {
    /// Connects, waits for a banner if `banner` says so, and sends the messages, each when the answer to the one before
    /// pauses, until the last answer does.
    pub(super) async fn converse(
        &self,
        endpoint: SocketAddr,
        messages: &[impl AsRef<[u8]>],
        banner: Banner,
    ) -> TcpProbe {
        let mut stream = match timeout(CONNECT, TcpStream::connect(endpoint)).await {
            Err(_) => return TcpProbe::Refused(format!("no connection within {} s", CONNECT.as_secs())),
            Ok(Err(error)) => return TcpProbe::Refused(error.to_string()),
            Ok(Ok(stream)) => stream,
        };
        let mut received = Vec::new();
        if banner == Banner::Await {
            let silence = self.quiet(BANNER.0, BANNER.1);
            match receive(&mut stream, &mut received, silence, WHOLE).await {
                Ok(true) => {}
                Ok(false) if received.is_empty() => return TcpProbe::Closed("closed without a byte".into()),
                Ok(false) => return TcpProbe::Open(received),
                Err(error) if received.is_empty() => return TcpProbe::Closed(error.to_string()),
                Err(_) => return TcpProbe::Open(received),
            }
        }
        let messages = messages.iter().map(AsRef::as_ref);
        for message in messages.filter(|message| !message.is_empty()) {
            let sent = timeout(WHOLE, stream.write_all(message)).await;
            let silence = self.quiet(ANSWER.0, ANSWER.1);
            let end = match sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
                Ok(()) => receive(&mut stream, &mut received, silence, WHOLE).await,
                Err(error) => Err(error),
            };
            match end {
                // The server took the message and hung up: it did not like it. After a wait for a banner it was open until then.
                Ok(false) if received.is_empty() && banner == Banner::Skip => {
                    return TcpProbe::Closed("closed without a byte".into());
                }
                Err(error) if received.is_empty() && banner == Banner::Skip => {
                    return TcpProbe::Closed(error.to_string());
                }
                Ok(true) if !received.is_empty() => {}
                // What does not answer the first message has nothing to say to the next.
                _ => break,
            }
        }
        TcpProbe::Open(received)
    }
}

/// Receives until a pause, a bound or the end; the first byte may take until `silence`, all of them `whole`. Returns false at
/// the end of the stream.
async fn receive(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    silence: impl Future<Output = ()>,
    whole: Duration,
) -> std::io::Result<bool> {
    let deadline = Instant::now() + whole;
    let mut silence = std::pin::pin!(silence);
    let mut pause = None;
    let mut buffer = [0; 4096];
    while received.len() < MAX_RECEIVED {
        let count = tokio::select! {
            count = stream.read(&mut buffer) => count?,
            () = &mut silence, if pause.is_none() => return Ok(true),
            () = sleep_until(pause.unwrap_or(deadline)) => return Ok(true),
        };
        if count == 0 {
            return Ok(false);
        }
        received.extend_from_slice(&buffer[..count]);
        pause = Some(deadline.min(Instant::now() + PAUSE));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greetings_have_the_lengths_they_name() {
        let all = |port| Greeting::for_port(port).unwrap().messages;
        let message = |port| all(port)[0];
        let be = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(be(message(5432)), message(5432).len());
        assert_eq!(be(message(9092)), message(9092).len() - 4);
        assert_eq!(message(1883)[1] as usize, message(1883).len() - 2);
        assert_eq!(message(389)[1] as usize, message(389).len() - 2);
        assert_eq!(message(53)[1] as usize, message(53).len() - 2);
        assert_eq!(all(389)[1][1] as usize, all(389)[1].len() - 2);
        assert_eq!(all(389)[1][6] as usize, all(389)[1].len() - 7, "the search");
        assert_eq!(all(1883)[1][1] as usize, all(1883)[1].len() - 2);
        assert_eq!(all(1883)[2][1] as usize, all(1883)[2].len() - 4, "before PINGREQ");
        assert_eq!(be(&all(5432)[1][1..]), all(5432)[1].len() - 1);
        assert_eq!(message(3306)[0] as usize, message(3306).len() - 4);
        assert_eq!(all(3306)[1][0] as usize, all(3306)[1].len() - 4);
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
        let receiving = receive(&mut stream, &mut received, std::future::pending(), PAUSE * 3);
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
