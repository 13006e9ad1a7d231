//! Comparison of a product's answers with the original's.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::mask;
use crate::digest::Digest;
use crate::recording::{Bodies, Body, Exchange, ExchangeKind, HttpExchange, Run, SocketAction, SocketUse};

/// Answers, and the bytes of their bodies by digest where they are at hand.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Questions and answers.
    pub exchanges: Vec<Exchange>,
    /// Bodies.
    pub bodies: Bodies,
}

/// One part of one answer that is not what the original gave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// The place of the question in the order of asking; none where nothing was asked (a port that is not listened on).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    /// The question (`GET :8080/path`).
    pub request: String,
    /// The part of the answer (`status`, `header content-type`, `body`, `exit code`).
    pub part: String,
    /// The original's part, shortened to where they differ.
    pub expected: String,
    /// The product's part, shortened likewise.
    pub got: String,
}

/// Header fields that the connection and the clock decide; the length is the body's.
const NOT_COMPARED: [&str; 7] = [
    "age",
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server-timing",
    "transfer-encoding",
];

/// The part that says which version of a body an answer has.
const ENTITY_TAG: &str = "header etag";

/// Number of characters of a value that are shown.
const SHOWN: usize = 160;

/// Returns where `got` is not what `expected` says. Parts that differ between `expected` and `others`, answers of the same original
/// to the same questions, are masked.
///
/// A question that only one side has is not compared.
pub fn differences(expected: &Answers, others: &[Answers], got: &Answers) -> Vec<Difference> {
    let bodies = &got.bodies;
    let find = |answers: &Answers, sequence: u32| {
        let mut all = answers.exchanges.iter();
        all.find(|exchange| exchange.sequence == sequence).cloned()
    };
    let mut found = Vec::new();
    for exchange in &expected.exchanges {
        let Some(answer) = find(got, exchange.sequence) else {
            continue;
        };
        let original = parts(exchange, &expected.bodies);
        let product = parts(&answer, &got.bodies);
        let again: Vec<(Exchange, &Answers)> = others
            .iter()
            .filter_map(|other| Some((find(other, exchange.sequence)?, other)))
            .collect();
        let again: Vec<BTreeMap<String, Value<'_>>> = again
            .iter()
            .map(|(exchange, answers)| parts(exchange, &answers.bodies))
            .collect();
        let names: BTreeSet<&String> = original.keys().chain(product.keys()).collect();
        for name in names {
            let values: Vec<Option<&Value<'_>>> = again.iter().map(|parts| parts.get(name)).collect();
            let (before, after) = (original.get(name), product.get(name));
            // A server may make a tag from the number of the file's inode, which no copy of the file has.
            let tag = || {
                name == ENTITY_TAG && alike_bodies(&original, &again, &product) && same_shape(before, after)
            };
            if !same(before, &values, after) && !tag() {
                let (expected, mut got) = shown(before, after);
                got.push_str(&output(&answer, bodies));
                found.push(Difference {
                    sequence: Some(exchange.sequence),
                    request: question(exchange),
                    part: name.clone(),
                    expected,
                    got,
                });
            }
        }
    }
    found
}

/// Returns the numbers of requests answered alike and of all that both answered.
pub fn alike(expected: &Answers, got: &Answers, differences: &[Difference]) -> (u64, u64) {
    let asked: BTreeSet<u32> = got.exchanges.iter().map(|exchange| exchange.sequence).collect();
    let compared = expected
        .exchanges
        .iter()
        .filter(|exchange| asked.contains(&exchange.sequence))
        .count() as u64;
    let differing: BTreeSet<u32> = differences.iter().filter_map(|d| d.sequence).collect();
    (compared - (differing.len() as u64).min(compared), compared)
}

/// A question in a few words.
pub fn question(exchange: &Exchange) -> String {
    match &exchange.kind {
        ExchangeKind::Http(HttpExchange {
            method, port, path, ..
        }) => format!("{method} :{port}{path}"),
        ExchangeKind::Tcp(tcp) => format!("port {}", tcp.port),
        ExchangeKind::Udp(udp) => format!("port {}/udp", udp.port),
        ExchangeKind::Host(host) => format!("{:?} on the host", host.command),
        ExchangeKind::Exec(exec) if exec.command.is_empty() => "the container's own command".to_owned(),
        ExchangeKind::Exec(exec) => format!("{:?} in the container", exec.command.join(" ")),
    }
}

/// Returns what the original listened on and the product does not: sockets that another can reach by their port. Ports that the
/// kernel chooses (`ip_local_port_range` starts at 32768) are left alone, and so are UDP ports that nothing was said to: whoever asks
/// others may bind one at random, as resolvers do from 1024 on. A port that answered is listened on, whatever was seen by then.
pub fn not_listening(original: &Run, product: &[SocketUse], answers: &Answers) -> Vec<String> {
    let spoken_to = |port: u16| {
        let mut exchanges = original.exchanges.iter();
        exchanges.any(|exchange| matches!(&exchange.kind, ExchangeKind::Udp(udp) if udp.port == port))
    };
    let listened = |sockets: &[SocketUse]| -> BTreeSet<String> {
        sockets
            .iter()
            .filter(|socket| matches!(socket.family.as_str(), "inet" | "inet6"))
            .filter(|socket| (1..32768).contains(&socket.port))
            .filter_map(|socket| match (socket.action, socket.kind.as_str()) {
                (SocketAction::Listen, _) => Some(format!("{}/tcp", socket.port)),
                (SocketAction::Bind, "dgram") if socket.port < 1024 || spoken_to(socket.port) => {
                    Some(format!("{}/udp", socket.port))
                }
                _ => None,
            })
            .collect()
    };
    let answered = |port: &String| {
        let mut exchanges = answers.exchanges.iter();
        exchanges.any(|exchange| match &exchange.kind {
            ExchangeKind::Http(http) => http.response.is_some() && *port == format!("{}/tcp", http.port),
            ExchangeKind::Tcp(tcp) => tcp.received.size > 0 && *port == format!("{}/tcp", tcp.port),
            ExchangeKind::Udp(udp) => udp.received.size > 0 && *port == format!("{}/udp", udp.port),
            ExchangeKind::Exec(_) | ExchangeKind::Host(_) => false,
        })
    };
    let product = listened(product);
    listened(&original.sockets)
        .into_iter()
        .filter(|port| !product.contains(port) && !answered(port))
        .collect()
}

/// A part's value.
enum Value<'a> {
    /// One of few words: a masked one must be one that an original gave.
    Word(String),
    /// Text or bytes.
    Bytes(Cow<'a, [u8]>),
    /// Bytes that are not at hand.
    Digest(&'a Digest, u64),
}

fn parts<'a>(exchange: &'a Exchange, bodies: &'a Bodies) -> BTreeMap<String, Value<'a>> {
    let content = |body: &'a Body| match bodies.get(&body.digest) {
        Some(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        None => Value::Digest(&body.digest, body.size),
    };
    let mut parts = BTreeMap::new();
    let mut part = |name: &str, value| {
        parts.insert(name.to_owned(), value);
    };
    match &exchange.kind {
        ExchangeKind::Http(http) => {
            let Some(response) = &http.response else {
                part("status", Value::Word("no answer".into()));
                return parts;
            };
            part("status", Value::Word(response.status.to_string()));
            // A stream that goes on was cut where the clock said.
            if response.complete {
                part("body", content(&response.body));
            }
            let mut headers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for header in &response.headers {
                if !NOT_COMPARED.contains(&header.name.as_str()) {
                    let value = header.value.as_deref().unwrap_or("(not recorded)");
                    headers.entry(&header.name).or_default().push(value);
                }
            }
            for (name, mut values) in headers {
                values.sort_unstable();
                let text = values.join("\n").into_bytes();
                part(&format!("header {name}"), Value::Bytes(Cow::Owned(text)));
            }
        }
        ExchangeKind::Tcp(tcp) => part("answer", content(&tcp.received)),
        ExchangeKind::Udp(udp) => part("answer", content(&udp.received)),
        // A test says with its exit code what it found; its output holds times and addresses.
        ExchangeKind::Host(host) => part("exit code", Value::Word(host.exit_code.to_string())),
        ExchangeKind::Exec(exec) => {
            part("exit code", Value::Word(exec.exit_code.to_string()));
            part("standard output", content(&exec.stdout));
            part("standard error", content(&exec.stderr));
        }
    }
    parts
}

fn same(original: Option<&Value<'_>>, others: &[Option<&Value<'_>>], product: Option<&Value<'_>>) -> bool {
    match (original, product) {
        (Some(Value::Bytes(original)), Some(Value::Bytes(product))) => {
            let bytes = others.iter().filter_map(|other| match other {
                Some(Value::Bytes(bytes)) => Some(bytes.as_ref()),
                _ => None,
            });
            mask::matches(original, &bytes.collect::<Vec<_>>(), product)
        }
        _ => equal(original, product) || others.iter().any(|other| equal(*other, product)),
    }
}

/// Returns whether two answers have bodies, and the same as far as two originals have.
fn alike_bodies(
    original: &BTreeMap<String, Value<'_>>,
    others: &[BTreeMap<String, Value<'_>>],
    product: &BTreeMap<String, Value<'_>>,
) -> bool {
    let body = |parts: &'_ BTreeMap<String, Value<'_>>| match parts.get("body") {
        Some(Value::Bytes(bytes)) => !bytes.is_empty(),
        Some(Value::Digest(_, size)) => *size > 0,
        _ => false,
    };
    let others: Vec<Option<&Value<'_>>> = others.iter().map(|parts| parts.get("body")).collect();
    body(original) && same(original.get("body"), &others, product.get("body"))
}

/// Returns whether both are entity tags (RFC 9110, 8.8.3) of one strength and with as many parts (`"inode-size-time"`).
fn same_shape(a: Option<&Value<'_>>, b: Option<&Value<'_>>) -> bool {
    let shape = |value: Option<&Value<'_>>| match value {
        Some(Value::Bytes(bytes)) => {
            let (weak, tag) = match bytes.strip_prefix(b"W/") {
                Some(tag) => (true, tag),
                None => (false, bytes.as_ref()),
            };
            let tag = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
            let parts = tag.split(|&byte| byte == b'-').count();
            (!tag.is_empty() && !tag.contains(&b'"')).then_some((weak, parts))
        }
        _ => None,
    };
    shape(a).is_some_and(|a| shape(b) == Some(a))
}

fn equal(a: Option<&Value<'_>>, b: Option<&Value<'_>>) -> bool {
    let digest = |value: &Value<'_>| match value {
        Value::Word(word) => Digest::of(word.as_bytes()),
        Value::Bytes(bytes) => Digest::of(bytes),
        Value::Digest(digest, _) => (*digest).clone(),
    };
    a.map(digest) == b.map(digest)
}

/// The last lines that a test on the host wrote, for people.
fn output(exchange: &Exchange, bodies: &Bodies) -> String {
    let ExchangeKind::Host(host) = &exchange.kind else {
        return String::new();
    };
    let wrote = [&host.stderr, &host.stdout];
    let mut texts = wrote.into_iter().filter_map(|body| bodies.get(&body.digest));
    let Some(text) = texts.find(|text| !text.trim_ascii().is_empty()) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(text.trim_ascii_end());
    let skip = text.chars().count().saturating_sub(SHOWN * 4);
    format!(": {}", text.chars().skip(skip).collect::<String>())
}

/// Both values for people, around the place where they begin to differ.
fn shown(original: Option<&Value<'_>>, product: Option<&Value<'_>>) -> (String, String) {
    let text = |value: Option<&Value<'_>>| match value {
        None => "nothing".to_owned(),
        Some(Value::Word(word)) => word.clone(),
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Value::Digest(digest, size)) => format!("{size} bytes, {digest}"),
    };
    let (a, b) = (text(original), text(product));
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let skip = common.saturating_sub(SHOWN / 4);
    let part = |text: &str| {
        let mut part: String = text.chars().skip(skip).take(SHOWN).collect();
        if skip > 0 {
            part.insert(0, '…');
        }
        if text.chars().count() > skip + SHOWN {
            part.push('…');
        }
        part
    };
    (part(&a), part(&b))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::recording::{ExecExchange, Header, HostExchange, HttpResponse, Origin, UdpExchange};

    fn body(bytes: &[u8]) -> Body {
        Body {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            kept: true,
        }
    }

    fn http(sequence: u32, status: u16, headers: &[(&str, &str)], text: &str) -> Answers {
        let exchange = Exchange {
            sequence,
            origin: Origin::Default,
            kind: ExchangeKind::Http(HttpExchange {
                tls: false,
                port: 80,
                method: "GET".into(),
                path: "/".into(),
                headers: Vec::new(),
                body: None,
                response: Some(HttpResponse {
                    status,
                    version: "HTTP/1.1".into(),
                    headers: headers
                        .iter()
                        .map(|(name, value)| Header {
                            name: (*name).into(),
                            value: Some((*value).into()),
                        })
                        .collect(),
                    body: body(text.as_bytes()),
                    complete: true,
                }),
                required: true,
            }),
        };
        Answers {
            bodies: BTreeMap::from([(
                Digest::of(text.as_bytes()),
                Bytes::copy_from_slice(text.as_bytes()),
            )]),
            exchanges: vec![exchange],
        }
    }

    fn requests(differences: &[Difference]) -> Vec<&str> {
        differences.iter().map(|d| d.part.as_str()).collect()
    }

    #[test]
    fn status_headers_and_body_count_and_the_date_does_not() {
        let original = http(0, 200, &[("date", "now"), ("content-type", "text/html")], "hello");
        let later = http(
            0,
            200,
            &[("date", "later"), ("content-type", "text/html")],
            "hello",
        );
        assert_eq!(differences(&original, &[], &later), []);
        let other = http(0, 500, &[("content-type", "text/plain")], "oops");
        let found = differences(&original, &[], &other);
        assert_eq!(requests(&found), ["body", "header content-type", "status"]);
        assert_eq!(
            (found[2].expected.as_str(), found[2].got.as_str()),
            ("200", "500")
        );
        assert_eq!(found[0].request, "GET :80/");
        assert_eq!(alike(&original, &other, &found), (0, 1));
        assert_eq!(alike(&original, &later, &[]), (1, 1));
    }

    #[test]
    fn a_second_original_masks_what_it_answers_otherwise() {
        let original = http(0, 200, &[("x-id", "a1")], "at 10:00:01");
        let second = http(0, 200, &[("x-id", "b2")], "at 10:00:02");
        let product = http(0, 200, &[("x-id", "c3")], "at 10:00:59");
        assert_eq!(
            requests(&differences(&original, &[], &product)),
            ["body", "header x-id"]
        );
        assert_eq!(
            differences(&original, std::slice::from_ref(&second), &product),
            []
        );
        let wrong = http(0, 404, &[("x-id", "c3")], "no such page");
        assert_eq!(
            requests(&differences(&original, &[second], &wrong)),
            ["body", "status"]
        );
    }

    #[test]
    fn an_entity_tag_may_differ_where_the_body_does_not() {
        let parts = |original: (&str, &str), product: (&str, &str)| {
            let answer = |(tag, text): (&str, &str)| http(0, 200, &[("etag", tag)], text);
            let found = differences(&answer(original), &[], &answer(product));
            found.into_iter().map(|d| d.part).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(parts(("\"337\"", "page"), ("\"15887\"", "page")), "");
        assert_eq!(parts(("W/\"1-2-3\"", "page"), ("W/\"4-2-3\"", "page")), "");
        for got in ["W/\"337\"", "\"3-37\"", "337", "\"\"", "\"1\", \"2\""] {
            assert_eq!(parts(("\"337\"", "page"), (got, "page")), "header etag", "{got}");
        }
        assert_eq!(parts(("\"337\"", ""), ("\"338\"", "")), "header etag");
        assert_eq!(
            parts(("\"337\"", "page"), ("\"338\"", "other")),
            "body, header etag"
        );
        let none = http(0, 200, &[], "page");
        let found = differences(&http(0, 200, &[("etag", "\"1\"")], "page"), &[], &none);
        assert_eq!(requests(&found), ["header etag"]);
    }

    #[test]
    fn a_status_is_one_that_an_original_gave() {
        let (original, busy) = (http(0, 200, &[], "x"), http(0, 503, &[], "x"));
        assert_eq!(differences(&original, std::slice::from_ref(&busy), &busy), []);
        assert_eq!(differences(&original, &[busy], &http(0, 500, &[], "x")).len(), 1);
    }

    #[test]
    fn bodies_that_are_not_at_hand_are_compared_by_digest() {
        let mut original = http(0, 200, &[], "long");
        original.bodies.clear();
        assert_eq!(differences(&original, &[], &http(0, 200, &[], "long")), []);
        let found = differences(&original, &[], &http(0, 200, &[], "other"));
        assert_eq!(requests(&found), ["body"]);
    }

    #[test]
    fn a_job_is_its_exit_code_and_output() {
        let job = |code, out: &str| Answers {
            bodies: BTreeMap::from([(Digest::of(out.as_bytes()), Bytes::copy_from_slice(out.as_bytes()))]),
            exchanges: vec![Exchange {
                sequence: 0,
                origin: Origin::Default,
                kind: ExchangeKind::Exec(ExecExchange {
                    command: Vec::new(),
                    exit_code: code,
                    stdout: body(out.as_bytes()),
                    stderr: body(b""),
                }),
            }],
        };
        assert_eq!(differences(&job(0, "3 files"), &[], &job(0, "3 files")), []);
        let found = differences(&job(0, "3 files"), &[], &job(1, "2 files"));
        assert_eq!(requests(&found), ["exit code", "standard output"]);
    }

    #[test]
    fn a_test_on_the_host_is_its_exit_code_and_shows_what_it_wrote() {
        let test = |code, wrote: &str| Answers {
            bodies: BTreeMap::from([(
                Digest::of(wrote.as_bytes()),
                Bytes::copy_from_slice(wrote.as_bytes()),
            )]),
            exchanges: vec![Exchange {
                sequence: 0,
                origin: Origin::Flag,
                kind: ExchangeKind::Host(HostExchange {
                    command: "pytest".into(),
                    exit_code: code,
                    stdout: body(wrote.as_bytes()),
                    stderr: body(b""),
                }),
            }],
        };
        assert_eq!(differences(&test(0, "in 3 s"), &[], &test(0, "in 4 s")), []);
        let found = differences(&test(0, "in 3 s"), &[], &test(1, "1 failed\n"));
        assert_eq!(requests(&found), ["exit code"]);
        assert_eq!(found[0].request, "\"pytest\" on the host");
        assert_eq!(
            (found[0].expected.as_str(), found[0].got.as_str()),
            ("0", "1: 1 failed")
        );
    }

    #[test]
    fn a_udp_port_that_a_client_chose_need_not_come_again() {
        let bound = |port| SocketUse {
            action: SocketAction::Bind,
            family: "inet".into(),
            kind: "dgram".into(),
            protocol: 17,
            address: "0.0.0.0".into(),
            port,
            phase: crate::recording::Phase::StartUp,
            actor: crate::recording::Actor::App,
            program: None,
        };
        let mut original = Run::new(Digest::of(b""), "app");
        original.sockets = vec![bound(53), bound(8125), bound(10_007)];
        original.exchanges = vec![Exchange {
            sequence: 0,
            origin: Origin::Default,
            kind: ExchangeKind::Udp(UdpExchange {
                port: 8125,
                sent: body(b"slim"),
                received: body(b""),
            }),
        }];
        let none = Answers::default();
        assert_eq!(not_listening(&original, &[], &none), ["53/udp", "8125/udp"]);
        assert_eq!(
            not_listening(&original, &[bound(53), bound(8125)], &none),
            [""; 0]
        );
        // What answered is there, though the tracer's records of it may still be on their way.
        let answered = http(0, 200, &[], "x");
        original.sockets = vec![SocketUse {
            action: SocketAction::Listen,
            kind: "stream".into(),
            ..bound(80)
        }];
        assert_eq!(not_listening(&original, &[], &none), ["80/tcp"]);
        assert_eq!(not_listening(&original, &[], &answered), [""; 0]);
    }

    #[test]
    fn the_shown_part_is_where_they_differ() {
        let (a, b) = ("x".repeat(500) + "left", "x".repeat(500) + "right");
        let found = differences(&http(0, 200, &[], &a), &[], &http(0, 200, &[], &b));
        assert!(found[0].expected.starts_with("…xx") && found[0].expected.ends_with("left"));
        assert!(found[0].got.ends_with("right"));
    }
}
