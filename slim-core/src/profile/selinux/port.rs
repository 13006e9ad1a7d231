//! Labels of ports.
//!
//! Those of well-known servers, by the reference policy's names; the others have that of their range. A host may have
//! others: `semanage port --list` tells.

/// Ports of protocols and the labels of both TCP and UDP, or of the one that is named.
const KNOWN: [(&str, u16, &str); 59] = [
    ("tcp", 21, "ftp_port_t"),
    ("tcp", 22, "ssh_port_t"),
    ("tcp", 23, "telnetd_port_t"),
    ("tcp", 25, "smtp_port_t"),
    ("", 53, "dns_port_t"),
    ("udp", 69, "tftp_port_t"),
    ("tcp", 79, "fingerd_port_t"),
    ("tcp", 80, "http_port_t"),
    ("", 88, "kerberos_port_t"),
    ("tcp", 110, "pop_port_t"),
    ("", 111, "portmap_port_t"),
    ("tcp", 113, "auth_port_t"),
    ("tcp", 119, "innd_port_t"),
    ("udp", 123, "ntp_port_t"),
    ("tcp", 143, "pop_port_t"),
    ("udp", 161, "snmp_port_t"),
    ("", 179, "bgp_port_t"),
    ("", 389, "ldap_port_t"),
    ("tcp", 443, "http_port_t"),
    ("tcp", 465, "smtp_port_t"),
    ("tcp", 512, "inetd_child_port_t"),
    ("udp", 512, "comsat_port_t"),
    ("tcp", 514, "rsh_port_t"),
    ("udp", 514, "syslogd_port_t"),
    ("tcp", 587, "smtp_port_t"),
    ("", 631, "ipp_port_t"),
    ("", 636, "ldap_port_t"),
    ("", 873, "rsync_port_t"),
    ("tcp", 993, "pop_port_t"),
    ("tcp", 995, "pop_port_t"),
    ("", 1521, "oracledb_port_t"),
    ("udp", 1812, "radius_port_t"),
    ("", 2049, "nfs_port_t"),
    ("tcp", 2181, "zookeeper_client_port_t"),
    ("tcp", 3128, "http_cache_port_t"),
    ("tcp", 3260, "iscsi_port_t"),
    ("tcp", 3306, "mysqld_port_t"),
    ("", 4369, "epmd_port_t"),
    ("", 5000, "commplex_main_port_t"),
    ("", 5060, "sip_port_t"),
    ("tcp", 5222, "jabber_client_port_t"),
    ("udp", 5353, "howl_port_t"),
    ("tcp", 5432, "postgresql_port_t"),
    ("", 5984, "couchdb_port_t"),
    ("tcp", 6379, "redis_port_t"),
    ("tcp", 6667, "ircd_port_t"),
    ("tcp", 8000, "soundd_port_t"),
    ("tcp", 8008, "http_port_t"),
    ("tcp", 8009, "http_port_t"),
    ("tcp", 8080, "http_cache_port_t"),
    ("tcp", 8081, "transproxy_port_t"),
    ("tcp", 8443, "http_port_t"),
    ("", 8953, "rndc_port_t"),
    ("", 9000, "cslistener_port_t"),
    ("", 9090, "websm_port_t"),
    ("tcp", 10050, "zabbix_agent_port_t"),
    ("tcp", 10051, "zabbix_port_t"),
    ("", 11211, "memcache_port_t"),
    ("", 9418, "git_port_t"),
];

/// Ports of a range, first and last, with one label.
const RANGES: [(u16, u16, &str); 2] = [(5671, 5672, "amqp_port_t"), (6081, 6082, "varnishd_port_t")];

/// The labels that a port may have for a class of sockets: one, but for those that the kernel gives out, which some
/// policies tell from other high ones.
pub(super) fn labels(class: &str, port: u16) -> &'static [&'static str] {
    const EPHEMERAL: (u16, u16) = (32768, 60999);
    if let Some(index) = known(class, port) {
        return std::slice::from_ref(index);
    }
    match port {
        0..=511 => &["reserved_port_t"],
        512..=1023 => &["hi_reserved_port_t"],
        port if (EPHEMERAL.0..=EPHEMERAL.1).contains(&port) => &["ephemeral_port_t", "unreserved_port_t"],
        _ => &["unreserved_port_t"],
    }
}

/// The label of a well-known port.
pub(super) fn known(class: &str, port: u16) -> Option<&'static &'static str> {
    if class == "sctp_socket" {
        return None;
    }
    let one = KNOWN
        .iter()
        .find(|(protocol, number, _)| *number == port && class.starts_with(protocol))
        .map(|(_, _, label)| label);
    let range = || {
        RANGES
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&port))
    };
    one.or_else(|| range().map(|(_, _, label)| label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_the_label_of_their_protocol_or_range() {
        assert_eq!(labels("tcp_socket", 80), ["http_port_t"]);
        assert_eq!(labels("udp_socket", 80), ["reserved_port_t"]);
        assert_eq!(labels("tcp_socket", 514), ["rsh_port_t"]);
        assert_eq!(labels("udp_socket", 514), ["syslogd_port_t"]);
        assert_eq!(labels("tcp_socket", 3000), ["unreserved_port_t"]);
        assert_eq!(
            labels("tcp_socket", 40000),
            ["ephemeral_port_t", "unreserved_port_t"]
        );
        assert_eq!(labels("tcp_socket", 5672), ["amqp_port_t"]);
    }

    #[test]
    fn the_table_agrees_with_the_reference_policy() {
        let Some(policy) = crate::profile::tests::formats::reference_policy() else {
            return;
        };
        let wrong: Vec<String> = KNOWN
            .iter()
            .flat_map(|(protocol, port, label)| {
                let protocols = if protocol.is_empty() {
                    vec!["tcp", "udp"]
                } else {
                    vec![*protocol]
                };
                protocols
                    .into_iter()
                    .map(move |protocol| format!("(portcon {protocol} {port} (system_u object_r {label} "))
            })
            .chain(RANGES.iter().map(|(first, last, label)| {
                format!("(portcon tcp ({first} {last}) (system_u object_r {label} ")
            }))
            .chain([
                "(portcon tcp (512 1023) (system_u object_r hi_reserved_port_t ".to_owned(),
                // All the others, where no narrower statement says otherwise.
                "(portcon tcp (1024 65535) (system_u object_r unreserved_port_t ".to_owned(),
            ])
            .filter(|line| !policy.contains(line))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
