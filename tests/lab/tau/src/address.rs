//! Multiaddresses. Invalid addresses are rejected with go-multiaddr's messages.

use std::net::{Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::refusal::Refusal;

/// Parses an address.
pub(crate) fn parse(text: &str) -> Result<Multiaddr, Refusal> {
    let wrong = |why: String| Refusal::new(format!("failed to parse multiaddr {text:?}: {why}"));
    if text.is_empty() {
        return Err(wrong("empty multiaddr".into()));
    }
    if !text.starts_with('/') {
        return Err(wrong("must begin with /".into()));
    }
    if let Some((protocol, value, why)) = first_wrong(text) {
        return Err(wrong(format!("invalid value {value:?} for protocol {protocol}: failed to parse {why}")));
    }
    text.parse().map_err(|e: libp2p::multiaddr::Error| wrong(e.to_string()))
}

/// Parses the address of a bootstrap peer, which has to end with the peer's id.
pub(crate) fn parse_peer(text: &str) -> Result<(PeerId, Multiaddr), Refusal> {
    let mut address = parse(text).map_err(|e| {
        e.within(format_args!("converting `{text}` to a multi address failed with"))
            .within(format_args!("converting `{text}` to multi addr failed with"))
    })?;
    match address.pop() {
        Some(Protocol::P2p(peer)) => Ok((peer, address)),
        _ => Err(Refusal::new("invalid p2p multiaddr")
            .within("getting addr from p2p addr failed with")
            .within(format_args!("converting `{text}` to multi addr failed with"))),
    }
}

/// The TCP port, if the address has one.
pub(crate) fn tcp_port(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None })
}

/// Whether the address has an IPv4 part.
pub(crate) fn has_ip4(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Ip4(_)))
}

/// The name of a socket in go-libp2p's messages: `tcp4 0.0.0.0:22`.
pub(crate) fn socket_name(address: &Multiaddr) -> String {
    let port = tcp_port(address).unwrap_or_default();
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => format!("tcp4 {ip}:{port}"),
        Some(Protocol::Ip6(ip)) => format!("tcp6 [{ip}]:{port}"),
        _ => address.to_string(),
    }
}

/// The first component with an invalid value: its protocol, its value, and the rest of Go's
/// message.
fn first_wrong(text: &str) -> Option<(&str, &str, String)> {
    let mut parts = text.split('/').skip(1);
    while let Some(protocol) = parts.next() {
        let value = match protocol {
            "ip4" | "ip6" | "tcp" | "udp" | "p2p" | "ipfs" => parts.next()?,
            "dns" | "dns4" | "dns6" | "dnsaddr" => {
                parts.next()?;
                continue;
            }
            _ => continue,
        };
        let why = match protocol {
            "ip4" if value.parse::<Ipv4Addr>().is_err() => format!("ip4 addr: {value}"),
            "ip6" if value.parse::<Ipv6Addr>().is_err() => format!("ip6 addr: {value}"),
            "tcp" | "udp" if value.parse::<u16>().is_err() => {
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                let why = if digits { "value out of range" } else { "invalid syntax" };
                format!("port addr: strconv.ParseUint: parsing {value:?}: {why}")
            }
            "p2p" | "ipfs" if value.parse::<PeerId>().is_err() => {
                format!("p2p addr: {value} invalid cid: selected encoding not supported")
            }
            _ => continue,
        };
        return Some((protocol, value, why));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).map_or_else(|e| e.to_string(), |a| format!("accepted: {a}"))
    }

    #[test]
    fn refusals_are_gos() {
        assert!(
            refused("/ip4/::1/tcp/5242").contains(r#"invalid value "::1" for protocol ip4: failed to parse"#)
        );
        assert!(refused("/ip4/0.0.0.0/tcp/99999").contains(r#"parsing "99999": value out of range"#));
        assert!(
            refused("/ip4/127.0.0.1/tcp/9/p2p/nonsense")
                .contains(r#"invalid value "nonsense" for protocol p2p"#)
        );
        assert!(refused("garbage").ends_with("must begin with /"));
        assert!(refused("").ends_with("empty multiaddr"));
        assert_eq!(refused("/ip6/::1/tcp/1"), "accepted: /ip6/::1/tcp/1");
    }
}
