//! Addresses that other nodes can't reach, that tau can't announce, or that two
//! hosts share.

use super::MOST;
use crate::network::{Address, At, Diagnostic, Draft, HostDraft};
use crate::resource::HostName;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    problems.extend(draft.hosts.values().filter_map(announced).take(MOST));
    let addresses = draft.hosts.values().flat_map(|host| &host.addresses);
    problems.extend(addresses.filter_map(unreachable).take(MOST));
    problems.extend(one_machine_twice(draft));
    problems.extend(shared(draft));
    problems
}

/// tau refuses to start without an announced address, and if the first one isn't
/// IPv4: `announce-empty`, `announce-ip6`, `announce-ip6-then-ip4`.
fn announced(host: &HostDraft) -> Option<Diagnostic> {
    if host.nodes.is_empty() || !host.all_addresses {
        return None;
    }
    let name = &host.name;
    match host.addresses.first() {
        None => Some(
            Diagnostic::error(format!("host `{}` has nodes but no address", **name))
                .at(&name.place, "tau refuses to start without an address to announce")
                .help("add `addr: [192.0.2.1]`, with the address that other nodes dial"),
        ),
        Some(first) if first.ip.is_ipv6() => Some(
            Diagnostic::error(format!("the first address of host `{}` is not IPv4", **name))
                .at(&first.place, "tau refuses to start unless the first one is IPv4")
                .help(match host.addresses.iter().find(|address| address.ip.is_ipv4()) {
                    Some(other) => format!("put `{}` first", other.ip),
                    None => "put an IPv4 address first".to_owned(),
                }),
        ),
        Some(_) => None,
    }
}

/// An address that no other host can dial.
fn unreachable(address: &At<Address>) -> Option<Diagnostic> {
    let ip = address.ip.to_canonical();
    let what = match address.prefix.map(|prefix| IpNet::new(ip, prefix)) {
        _ if ip.is_unspecified() => "the unspecified address",
        _ if ip.is_loopback() => "a loopback address, which only the host itself can reach",
        _ if ip.is_multicast() => "a multicast address",
        _ if ip == Ipv4Addr::BROADCAST => "the broadcast address",
        _ if is_link_local(ip) => "a link-local address, which is valid on one link only",
        // In a /31 or /32 every address belongs to a host.
        Some(Ok(IpNet::V4(net))) if net.prefix_len() < 31 && net.network() == ip => {
            "the address of a network, not of a host"
        }
        Some(Ok(IpNet::V4(net))) if net.prefix_len() < 31 && net.broadcast() == ip => {
            "the broadcast address of its network"
        }
        Some(Ok(IpNet::V6(net))) if net.prefix_len() < 127 && net.network() == ip => {
            "the address of a network, not of a host"
        }
        _ => return None,
    };
    let problem =
        Diagnostic::warning(format!("`{ip}` is {what}")).at(&address.place, "other nodes can't dial it");
    Some(problem.help("write the address that other nodes dial"))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Two hosts that are the same machine: nodes of each would be removed on behalf
/// of the other.
fn one_machine_twice(draft: &Draft) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<(String, u16), &HostDraft> = BTreeMap::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        let Some(ssh) = &host.ssh else { continue };
        let endpoint = (ssh.address.to_ascii_lowercase(), ssh.port);
        match seen.get(&endpoint).and_then(|first| Some((first, first.ssh.as_ref()?))) {
            None => {
                seen.insert(endpoint, host);
            }
            Some((first, other)) => problems.push(
                Diagnostic::error(format!("`{}` and `{}` are the same machine", *first.name, *host.name))
                    .at(&ssh.address.place, "this address and port")
                    .at(&other.address.place, "is used here, too")
                    .help("correct one of the two, or merge them into one host with the nodes of both"),
            ),
        }
    }
    problems
}

/// Two hosts may share an address if it forwards ports; otherwise it is a slip.
fn shared(draft: &Draft) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<IpAddr, (&HostName, &At<Address>)> = BTreeMap::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        for address in &host.addresses {
            if problems.len() == MOST {
                return problems;
            }
            let Some((owner, first)) = seen.insert(address.ip.to_canonical(), (&host.name, address)) else {
                continue;
            };
            let message = match *owner == *host.name {
                true => format!("address `{}` is listed twice", address.ip),
                false => format!("`{owner}` and `{}` have the same address `{}`", *host.name, address.ip),
            };
            problems.push(
                Diagnostic::warning(message)
                    .at(&address.place, "again here")
                    .at(&first.place, "first here")
                    .help("correct one of the two; nodes behind one address need different ports"),
            );
        }
    }
    problems
}
