//! Bytes over TCP: a greeting, and the hello that the protocol usual on a port understands.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a greeting is waited for.
const GREETING: Duration = Duration::from_millis(500);
/// How long an answer to what was sent is waited for.
const ANSWER: Duration = Duration::from_secs(2);
/// An answer that pauses for this long is over.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// At most this many bytes are received.
const MOST: usize = 64 << 10;

/// A protocol, the port it is usual on, and a first message that does no harm and needs no account.
pub(super) struct Hello {
    /// The port.
    port: u16,
    /// The protocol's name.
    pub(super) name: &'static str,
    /// What the client says.
    pub(super) say: &'static [u8],
    /// Whether the server speaks first.
    greets: bool,
    /// How an answer begins.
    begins: &'static [&'static [u8]],
    /// What an answer contains while the server is still starting.
    starting: &'static [&'static [u8]],
}

/// The known protocols.
#[rustfmt::skip]
const HELLOS: &[Hello] = &[
    Hello { port: 21, name: "FTP", say: b"FEAT\r\n", greets: true, begins: &[b"220"], starting: &[] },
    // The rest of the key exchange is random, so nothing is said.
    Hello { port: 22, name: "SSH", say: b"", greets: true, begins: &[b"SSH-"], starting: &[] },
    Hello { port: 25, name: "SMTP", say: b"EHLO localhost\r\n", greets: true, begins: &[b"220"], starting: &[b"421 "] },
    Hello { port: 587, name: "SMTP", say: b"EHLO localhost\r\n", greets: true, begins: &[b"220"], starting: &[b"421 "] },
    Hello { port: 110, name: "POP3", say: b"CAPA\r\n", greets: true, begins: &[b"+OK"], starting: &[] },
    Hello { port: 143, name: "IMAP", say: b"a CAPABILITY\r\n", greets: true, begins: &[b"* "], starting: &[] },
    // An anonymous bind (RFC 4511, section 4.2).
    Hello { port: 389, name: "LDAP", say: b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", greets: false, begins: &[b"\x30"], starting: &[] },
    // CONNECT of MQTT 3.1.1, clean session, client "slim".
    Hello { port: 1883, name: "MQTT", say: b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04slim", greets: false, begins: &[b"\x20\x02"], starting: &[] },
    Hello { port: 2181, name: "ZooKeeper", say: b"srvr", greets: false, begins: &[b"Zookeeper version", b"srvr is not executed"], starting: &[b"not currently serving"] },
    // The server's handshake packet: sequence 0, protocol 10 (or an error, 0xff).
    Hello { port: 3306, name: "MySQL", say: b"", greets: true, begins: &[], starting: &[] },
    Hello { port: 4222, name: "NATS", say: b"CONNECT {\"verbose\":false}\r\nPING\r\n", greets: true, begins: &[b"INFO {"], starting: &[] },
    // StartupMessage of protocol 3.0: user and database postgres. 57P03 is "the database system is starting up".
    Hello { port: 5432, name: "PostgreSQL", say: b"\x00\x00\x00\x29\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00", greets: false, begins: &[b"R\x00", b"E\x00"], starting: &[b"57P03"] },
    Hello { port: 5672, name: "AMQP", say: b"AMQP\x00\x00\x09\x01", greets: false, begins: &[b"\x01\x00\x00", b"AMQP"], starting: &[] },
    Hello { port: 6379, name: "Redis", say: b"PING\r\n", greets: false, begins: &[b"+PONG", b"-"], starting: &[b"-LOADING"] },
    // OPTIONS of the native protocol, version 4.
    Hello { port: 9042, name: "Cassandra", say: b"\x04\x00\x00\x00\x05\x00\x00\x00\x00", greets: false, begins: &[b"\x84\x00", b"\x83\x00"], starting: &[] },
    // ApiVersions, version 0, correlation 1, client "slim".
    Hello { port: 9092, name: "Kafka", say: b"\x00\x00\x00\x0e\x00\x12\x00\x00\x00\x00\x00\x01\x00\x04slim", greets: false, begins: &[b"\x00\x00"], starting: &[] },
    Hello { port: 11211, name: "memcached", say: b"version\r\n", greets: false, begins: &[b"VERSION ", b"ERROR"], starting: &[] },
    // OP_MSG {hello: 1, $db: "admin"}.
    Hello { port: 27017, name: "MongoDB", say: b"\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00", greets: false, begins: &[], starting: &[] },
];

impl Hello {
    /// The one usual on `port`.
    pub(super) fn of(port: u16) -> Option<&'static Self> {
        HELLOS.iter().find(|hello| hello.port == port)
    }

    /// Whether `answer` is this protocol's.
    pub(super) fn recognises(&self, answer: &[u8]) -> bool {
        match self.name {
            "MySQL" => answer.len() > 4 && answer[3] == 0 && matches!(answer[4], 10 | 0xff),
            // The length first, the opcode OP_MSG at offset 12.
            "MongoDB" => {
                answer.len() >= 16
                    && answer[..4] == (answer.len() as u32).to_le_bytes()
                    && answer[12..14] == [0xdd, 7]
            }
            _ => self.begins.iter().any(|prefix| answer.starts_with(prefix)),
        }
    }

    /// Whether `answer` says that the server is not ready yet.
    pub(super) fn is_starting(&self, answer: &[u8]) -> bool {
        let contains = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
        self.starting.iter().any(|part| contains(part))
    }
}

/// What a connection gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Talk {
    /// No connection.
    Refused(String),
    /// It was closed at once, without a byte.
    Closed(String),
    /// It stayed open or something came back: everything received, in order.
    Open(Vec<u8>),
}

/// Connects, waits half a second for a greeting, says `say`, and receives until the answer pauses.
pub(super) async fn talk(endpoint: SocketAddr, say: Option<&[u8]>, greets: bool) -> Talk {
    let mut stream = match timeout(CONNECT, TcpStream::connect(endpoint)).await {
        Err(_) => return Talk::Refused(format!("no connection within {} s", CONNECT.as_secs())),
        Ok(Err(error)) => return Talk::Refused(error.to_string()),
        Ok(Ok(stream)) => stream,
    };
    let mut received = Vec::new();
    if greets {
        match receive(&mut stream, &mut received, GREETING).await {
            Ok(true) => {}
            Ok(false) if received.is_empty() => return Talk::Closed("closed without a byte".into()),
            Ok(false) => return Talk::Open(received),
            Err(error) if received.is_empty() => return Talk::Closed(error.to_string()),
            Err(_) => return Talk::Open(received),
        }
    }
    let Some(say) = say.filter(|say| !say.is_empty()) else {
        return Talk::Open(received);
    };
    let sent = stream.write_all(say).await;
    let end = match sent {
        Ok(()) => receive(&mut stream, &mut received, ANSWER).await,
        Err(error) => Err(error),
    };
    match end {
        // It took the hello and hung up: a server that did not like it. It was open until then if it was asked to greet.
        Ok(false) if received.is_empty() && !greets => Talk::Closed("closed without a byte".into()),
        Err(error) if received.is_empty() && !greets => Talk::Closed(error.to_string()),
        _ => Talk::Open(received),
    }
}

/// The known hello of `hello`'s protocol, said as it is expected.
pub(super) async fn greet(endpoint: SocketAddr, hello: &Hello) -> Talk {
    talk(endpoint, Some(hello.say), hello.greets).await
}

/// Receives until a pause, the bound or the end; the first byte may take `first`. False at the end of the stream.
async fn receive(stream: &mut TcpStream, received: &mut Vec<u8>, first: Duration) -> std::io::Result<bool> {
    let mut until = Instant::now() + first;
    let mut buffer = [0; 4096];
    while received.len() < MOST {
        match timeout_at(until, stream.read(&mut buffer)).await {
            Err(_) => return Ok(true),
            Ok(Ok(0)) => return Ok(false),
            Ok(Ok(count)) => {
                received.extend_from_slice(&buffer[..count]);
                until = Instant::now() + PAUSE;
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
    fn the_hellos_have_the_lengths_they_name() {
        let say = |port| Hello::of(port).unwrap().say;
        let be = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(be(say(5432)), say(5432).len());
        assert_eq!(be(say(9092)), say(9092).len() - 4);
        assert_eq!(say(1883)[1] as usize, say(1883).len() - 2);
        assert_eq!(say(389)[1] as usize, say(389).len() - 2);
        let mongo = say(27017);
        let le = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(le(mongo), mongo.len());
        assert_eq!(le(&mongo[21..]), mongo.len() - 21, "the document");
    }

    #[test]
    fn answers_are_recognised() {
        let redis = Hello::of(6379).unwrap();
        assert!(redis.recognises(b"+PONG\r\n") && redis.recognises(b"-NOAUTH Authentication required.\r\n"));
        assert!(!redis.recognises(b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(redis.is_starting(b"-LOADING Redis is loading the dataset in memory\r\n"));
        let mysql = Hello::of(3306).unwrap();
        assert!(mysql.recognises(b"\x4a\x00\x00\x00\x0a8.0.36\x00"));
        assert!(!mysql.recognises(b"HTTP/1.1 400"));
        let postgres = Hello::of(5432).unwrap();
        assert!(postgres.is_starting(b"E\x00\x00\x00\x60SFATAL\x00C57P03\x00"));
    }
}
