//! `--publish`.

use std::net::IpAddr;

use super::{Error, wrong};
use crate::spec::PublishedPort;

/// Parses `[IP:][HOST:]PORT[/PROTOCOL]` with ranges `FIRST-LAST` for both ports, or
/// `target=PORT,published=HOST,protocol=PROTOCOL`.
///
/// Source: docker/go-connections `nat.ParsePortSpec`.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn publish(text: &str) -> Result<Vec<PublishedPort>, Error> {
    let bad = |problem: &str| wrong("publish", text, problem);
    if text.contains('=') {
        let (mut target, mut published, mut protocol) = ("", "", "tcp");
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("target", value)) => target = value,
                Some(("published", value)) => published = value,
                Some(("protocol", value)) => protocol = value,
                _ => return Err(bad("expected target=PORT,published=PORT,protocol=PROTOCOL")),
            }
        }
        return parse(text, &format!("{published}:{target}/{protocol}"));
    }
    parse(text, text)
}

fn parse(given: &str, text: &str) -> Result<Vec<PublishedPort>, Error> {
    let bad = |problem: &str| wrong("publish", given, problem);
    const EXPECTED: &str = "expected [IP:][HOST:]PORT[/PROTOCOL]";
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, protocol)) => (ports, protocol.to_ascii_lowercase()),
        None => (text, "tcp".to_owned()),
    };
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(bad("the protocol is none of tcp, udp and sctp"));
    }
    let (address, ports) = if let Some(rest) = ports.strip_prefix('[') {
        let (address, rest) = rest.split_once("]:").ok_or_else(|| bad(EXPECTED))?;
        (Some(address), rest)
    } else {
        // The last two fields are ports; what is before them is an address, even one with colons.
        match ports.rmatch_indices(':').nth(1) {
            Some((at, _)) => (Some(&ports[..at]), &ports[at + 1..]),
            None => (None, ports),
        }
    };
    let address = address.filter(|a| !a.is_empty());
    let address = address
        .map(|address| {
            address
                .parse::<IpAddr>()
                .map_err(|_| bad("what is before the ports is not an IP address"))
        })
        .transpose()?;
    let (host, container) = match ports.split_once(':') {
        Some((host, container)) => (host, container),
        None => ("", ports),
    };
    let (first, last) = range(container).ok_or_else(|| bad(EXPECTED))?;
    let host_range = if host.is_empty() {
        None
    } else {
        Some(range(host).ok_or_else(|| bad(EXPECTED))?)
    };
    let count = last - first + 1;
    if let Some((host_first, host_last)) = host_range
        && host_last - host_first + 1 != count
        && count != 1
    {
        return Err(bad(
            "the ranges of host and container ports have different lengths",
        ));
    }
    Ok((0..count)
        .map(|i| PublishedPort {
            container: first + i,
            protocol: protocol.clone(),
            address,
            host: host_range.map(|(from, to)| {
                // One container port and a range: the engine takes a free one of it.
                if count == 1 {
                    (from, to)
                } else {
                    (from + i, from + i)
                }
            }),
        })
        .collect())
}

/// Parses `PORT[-LAST][/PROTOCOL]` into `PORT/PROTOCOL`, one for each.
///
/// # Errors
/// [`Error::Option`].
pub(super) fn expose(text: &str) -> Result<Vec<String>, Error> {
    let bad = || wrong("expose", text, "expected PORT[-LAST][/PROTOCOL]");
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(bad());
    }
    let (first, last) = range(ports).ok_or_else(bad)?;
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// `PORT` or `FIRST-LAST`, each 1 to 65535.
fn range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let port: u16 = if digits { text.parse().ok()? } else { return None };
        (port > 0).then_some(port)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &str) -> String {
        match publish(text) {
            Ok(list) => list
                .iter()
                .map(|p| {
                    format!(
                        "{}|{}>{}/{}",
                        p.address.map_or("*".to_owned(), |address| address.to_string()),
                        match p.host {
                            None => String::new(),
                            Some((first, last)) if first == last => first.to_string(),
                            Some((first, last)) => format!("{first}-{last}"),
                        },
                        p.container,
                        p.protocol
                    )
                })
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn forms() {
        assert_eq!(line("80"), "*|>80/tcp");
        assert_eq!(line("8080:80/UDP"), "*|8080>80/udp");
        assert_eq!(line("127.0.0.1:8080:80"), "127.0.0.1|8080>80/tcp");
        assert_eq!(line("127.0.0.1::80"), "127.0.0.1|>80/tcp");
        assert_eq!(line("[::1]:8080:80"), "::1|8080>80/tcp");
        assert_eq!(line("::1:8080:80"), "::1|8080>80/tcp");
        assert_eq!(line("8000-8001:90-91/sctp"), "*|8000>90/sctp *|8001>91/sctp");
        assert_eq!(line("8000-8010:80"), "*|8000-8010>80/tcp");
        assert_eq!(line("90-91"), "*|>90/tcp *|>91/tcp");
        assert_eq!(line("target=80,published=8080,protocol=udp"), "*|8080>80/udp");
        for bad in [
            "",
            "0",
            "65536",
            "a:80",
            "80:",
            "80/icmp",
            "1-2:1-3",
            "3-2",
            "localhost:80:80",
            "[::1]80",
            "+80",
            "1:2:3:4:5",
        ] {
            assert!(publish(bad).is_err(), "{bad:?}: {}", line(bad));
        }
    }

    proptest! {
        #[test]
        fn ranges_pair_up(host in 1u16..60_000, container in 1u16..60_000, length in 0u16..50) {
            let text = format!("{host}-{}:{container}-{}", host + length, container + length);
            let list = publish(&text).expect("a range");
            prop_assert_eq!(list.len(), usize::from(length) + 1);
            for (i, p) in (0u16..).zip(&list) {
                prop_assert_eq!(p.container, container + i);
                prop_assert_eq!(p.host, Some((host + i, host + i)));
            }
        }

        #[test]
        fn anything_parses_or_not(text in ".*") {
            let _ = publish(&text);
            let _ = expose(&text);
        }
    }
}
