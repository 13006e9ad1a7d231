//! gRPC over HTTP/2: what a server says of itself by reflection, its health, and its methods that read.

use std::collections::BTreeSet;

use super::ProbeError;
use super::http::{Answer, Protocol, Request};
use super::session::Session;
use super::site::{OPTIONAL_TIMEOUT, Site};
use super::transcript::{Requirement, Transcript};
use crate::recording::Origin;

/// The methods of the reflection service in its two versions; both speak alike.
const REFLECTION: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// The standard health check, which many servers have without reflection.
const HEALTH: &str = "grpc.health.v1.Health/Check";
/// ServerReflectionRequest with an empty `list_services`, field 7.
const LIST: &[u8] = &[0x3a, 0];
/// Number of services that are described.
const SERVICES: usize = 50;
/// Number of methods that are called.
const METHODS: usize = 200;
/// The first words of methods that change nothing, by convention.
const READING: [&str; 9] = [
    "Check", "Describe", "Find", "Get", "List", "Lookup", "Query", "Read", "Search",
];

impl Session<'_> {
    /// Calls what a gRPC server on this site says that it has. Nothing is recorded where none answers.
    pub(super) async fn grpc(&self, transcript: &mut Transcript, site: Site) -> Result<(), ProbeError> {
        if site.protocol != Protocol::Http2 && !site.grpc {
            return Ok(());
        }
        let health = self.call(transcript, site, HEALTH, &[]).await?;
        let mut listed = None;
        for method in REFLECTION {
            if let Some(answer) = self.call(transcript, site, method, LIST).await?
                && let Some(message) = message(&answer.bytes)
            {
                listed = Some((method, message.to_vec()));
                break;
            }
        }
        let Some((method, list)) = listed else {
            if health.is_some() {
                transcript.summary.push(format!(
                    "port {} speaks gRPC without reflection: asked for its health only",
                    site.port
                ));
            }
            return Ok(());
        };
        let mut called = 0;
        let mut names = services(&list);
        names.retain(|name| !name.starts_with("grpc."));
        for name in names.iter().take(SERVICES) {
            let mut question = vec![0x22];
            varint(name.len() as u64, &mut question);
            question.extend_from_slice(name.as_bytes());
            let Some(answer) = self.call(transcript, site, method, &question).await? else {
                continue;
            };
            let description = message(&answer.bytes).unwrap_or_default();
            for reading in methods(description, name) {
                if called < METHODS {
                    called += 1;
                    self.call(transcript, site, &format!("{name}/{reading}"), &[])
                        .await?;
                }
            }
        }
        transcript.summary.push(format!(
            "port {} speaks gRPC: services by reflection {}, their methods called with an empty message {called}",
            site.port,
            names.len()
        ));
        Ok(())
    }

    /// Calls a method with a message, and records it if a gRPC server answered.
    async fn call(
        &self,
        transcript: &mut Transcript,
        site: Site,
        method: &str,
        message: &[u8],
    ) -> Result<Option<Answer>, ProbeError> {
        let mut body = vec![0];
        body.extend_from_slice(&(message.len() as u32).to_be_bytes());
        body.extend_from_slice(message);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = Request {
            protocol: site.protocol,
            method: "POST".into(),
            path: format!("/{method}"),
            headers: vec![
                header("content-type", "application/grpc"),
                header("te", "trailers"),
            ],
            body: Some(body),
            timeout: OPTIONAL_TIMEOUT,
        };
        let Ok(answer) = self.send(site.endpoint, site.port, &request).await? else {
            return Ok(None);
        };
        if !speaks(&answer) {
            return Ok(None);
        }
        let optional = Requirement::Optional;
        transcript.http(Origin::Default, site.port, &request, &[], Some(&answer), optional);
        Ok(Some(answer))
    }
}

/// Returns whether an answer is one of gRPC, good or not.
pub(super) fn speaks(answer: &Answer) -> bool {
    answer.response.version == "HTTP/2.0"
        && answer.response.headers.iter().any(|header| {
            let value = header.value.as_deref().unwrap_or_default();
            header.name == "content-type" && value.starts_with("application/grpc")
        })
}

/// Returns the first message of a body: a byte that says whether it is compressed, its length, its bytes.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (head, rest) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    rest.get(..usize::try_from(length).ok()?).filter(|_| head[0] == 0)
}

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Takes a variable-length number off the front.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes so many bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(count).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// A field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Takes the fields of a protobuf message one after the other, until its end or the first that is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = take_varint(&mut self.0)?;
        let field = match key & 7 {
            0 => Field::Number(take_varint(&mut self.0)?),
            1 => Field::Bytes(take(&mut self.0, 8)?),
            2 => {
                let count = take_varint(&mut self.0)?;
                Field::Bytes(take(&mut self.0, count)?)
            }
            5 => Field::Bytes(take(&mut self.0, 4)?),
            _ => return None,
        };
        Some((key >> 3, field))
    }
}

/// Returns the messages or strings of a field.
fn all(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    Fields(message).filter_map(move |(found, field)| match field {
        Field::Bytes(bytes) if found == number => Some(bytes),
        _ => None,
    })
}

fn text(message: &[u8], number: u64) -> &str {
    let bytes = all(message, number).next().unwrap_or_default();
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Returns whether a name is one of gRPC's: letters, digits, `_` and `.`.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

/// Returns the names in a ServerReflectionResponse: `list_services_response` (6), its `service` (1), their `name` (1).
fn services(response: &[u8]) -> Vec<String> {
    let found: BTreeSet<&str> = all(response, 6)
        .flat_map(|list| all(list, 1))
        .map(|service| text(service, 1))
        .filter(|name| is_name(name))
        .collect();
    found.into_iter().map(str::to_owned).collect()
}

/// Returns the methods of a service that read, and stream nothing: `file_descriptor_response` (4) of a
/// ServerReflectionResponse, its `file_descriptor_proto` (1); of that `package` (2) and `service` (6), of those `name` (1) and
/// `method` (2), of those `name` (1), `client_streaming` (5) and `server_streaming` (6).
fn methods(response: &[u8], service: &str) -> Vec<String> {
    let files = all(response, 4).flat_map(|answer| all(answer, 1));
    let services = files.flat_map(|file| {
        let package = text(file, 2);
        all(file, 6).filter(move |described| {
            let name = text(described, 1);
            match service.strip_suffix(name) {
                Some("") => package.is_empty(),
                Some(before) => before.strip_suffix('.') == Some(package),
                None => false,
            }
        })
    });
    let streams = |method: &[u8]| {
        Fields(method).any(|(number, field)| matches!((number, field), (5 | 6, Field::Number(1..))))
    };
    services
        .flat_map(|service| all(service, 2))
        .filter(|method| !streams(method))
        .map(|method| text(method, 1))
        .filter(|name| is_name(name) && READING.iter().any(|verb| name.starts_with(verb)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A field of bytes.
    pub(in super::super) fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        varint(content.len() as u64, &mut bytes);
        bytes.extend_from_slice(content);
        bytes
    }

    /// The description of `shop.Orders` with methods; the second streams.
    pub(in super::super) fn description() -> Vec<u8> {
        let list = field(1, b"ListOrders");
        let watch = [field(1, b"GetChanges"), vec![6 << 3, 1]].concat();
        let delete = field(1, b"DeleteOrder");
        let methods = [field(2, &list), field(2, &watch), field(2, &delete)].concat();
        let service = [field(1, b"Orders"), methods].concat();
        let file = [field(1, b"shop.proto"), field(2, b"shop"), field(6, &service)].concat();
        field(4, &field(1, &file))
    }

    /// The list of services.
    pub(in super::super) fn list() -> Vec<u8> {
        let service = |name: &[u8]| field(1, &field(1, name));
        field(
            6,
            &[service(b"shop.Orders"), service(b"grpc.health.v1.Health")].concat(),
        )
    }

    #[test]
    fn services_and_their_reading_methods() {
        assert_eq!(services(&list()), ["grpc.health.v1.Health", "shop.Orders"]);
        assert_eq!(methods(&description(), "shop.Orders"), ["ListOrders"]);
        assert_eq!(methods(&description(), "other.Orders"), [""; 0]);
        assert_eq!(methods(&description(), "workshop.Orders"), [""; 0]);
        assert_eq!(services(&field(6, &field(1, &field(1, b"../etc\r\n")))), [""; 0]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_it(bytes: Vec<u8>) {
            let _ = (message(&bytes), services(&bytes), methods(&bytes, "a"));
            let _ = (services(&field(6, &bytes)), methods(&field(4, &field(1, &bytes)), "a"));
        }

        #[test]
        fn numbers_come_back(number: u64) {
            let mut bytes = Vec::new();
            varint(number, &mut bytes);
            proptest::prop_assert_eq!(take_varint(&mut &bytes[..]), Some(number));
        }
    }
}
