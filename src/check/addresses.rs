//! Finds addresses that other nodes can't reach, that tau can't announce, or that two hosts
//! share.

use super::MOST;
use crate::finding::{Addresses, Excerpt, Finding, Unreachable};
use crate::network::{At, Draft, HostAddress, HostDraft};
use crate::resource::HostName;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let mut problems = Vec::new();
    problems.extend(draft.hosts.values().filter_map(announced).take(MOST));
    let addresses = draft.hosts.values().flat_map(|host| &host.addresses);
    problems.extend(addresses.filter_map(unreachable).take(MOST));
    problems.extend(one_machine_twice(draft));
    problems.extend(shared(draft));
    problems
}

/// Reports a host with nodes that has no address, or whose first address is IPv6. tau
/// announces the host's addresses, and exits in both situations (the cases
/// `announce-empty`, `announce-ip6` and `announce-ip6-then-ip4` in `fixtures/tau-cases`).
fn announced(host: &HostDraft) -> Option<Finding> {
    if host.nodes.is_empty() || !host.all_addresses {
        return None;
    }
    let name = &host.name;
    match host.addresses.first() {
        None => Some(Finding::new(Addresses::None(Excerpt::of(&**name))).at(&name.place)),
        Some(first) if first.ip.is_ipv6() => {
            let ipv4 = host.addresses.iter().find(|address| address.ip.is_ipv4());
            let what =
                Addresses::Ipv6First { host: Excerpt::of(&**name), ipv4: ipv4.map(|address| address.ip) };
            Some(Finding::new(what).at(&first.place))
        }
        Some(_) => None,
    }
}

/// Reports an address that no other host can dial.
fn unreachable(address: &At<HostAddress>) -> Option<Finding> {
    let ip = address.ip.to_canonical();
    let why = match address.prefix.map(|prefix| IpNet::new(ip, prefix)) {
        _ if ip.is_unspecified() => Unreachable::Unspecified,
        _ if ip.is_loopback() => Unreachable::Loopback,
        _ if ip.is_multicast() => Unreachable::Multicast,
        _ if ip == Ipv4Addr::BROADCAST => Unreachable::Broadcast,
        _ if is_link_local(ip) => Unreachable::LinkLocal,
        // In a /31 or /32, every address belongs to a host.
        Some(Ok(IpNet::V4(net))) if net.prefix_len() < 31 && net.network() == ip => Unreachable::OfANetwork,
        Some(Ok(IpNet::V4(net))) if net.prefix_len() < 31 && net.broadcast() == ip => {
            Unreachable::BroadcastOfItsNetwork
        }
        Some(Ok(IpNet::V6(net))) if net.prefix_len() < 127 && net.network() == ip => Unreachable::OfANetwork,
        _ => return None,
    };
    Some(Finding::new(Addresses::Unreachable { ip, why }).at(&address.place))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Reports two hosts that are the same machine. The nodes of each would be removed on
/// behalf of the other.
fn one_machine_twice(draft: &Draft) -> Vec<Finding> {
    let mut seen: BTreeMap<(String, u16), &HostDraft> = BTreeMap::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        let Some(ssh) = &host.ssh else { continue };
        let endpoint = (ssh.address.to_ascii_lowercase(), ssh.port);
        match seen.get(&endpoint).and_then(|first| Some((first, first.ssh.as_ref()?))) {
            None => {
                seen.insert(endpoint, host);
            }
            Some((first, other)) => {
                let (first, second) = (Excerpt::of(&*first.name), Excerpt::of(&*host.name));
                let problem = Finding::new(Addresses::SameMachine { first, second });
                problems.push(problem.at(&ssh.address.place).at(&other.address.place));
            }
        }
    }
    problems
}

/// Reports an address that two hosts share. They may do so if it forwards ports; otherwise
/// it is a mistake.
fn shared(draft: &Draft) -> Vec<Finding> {
    let mut seen: BTreeMap<IpAddr, (&HostName, &At<HostAddress>)> = BTreeMap::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        for address in &host.addresses {
            if problems.len() == MOST {
                return problems;
            }
            let Some((owner, first)) = seen.insert(address.ip.to_canonical(), (&host.name, address)) else {
                continue;
            };
            let ip = address.ip;
            let what = match *owner == *host.name {
                true => Addresses::Twice(ip),
                false => {
                    Addresses::Shared { first: Excerpt::of(owner), second: Excerpt::of(&*host.name), ip }
                }
            };
            problems.push(Finding::new(what).at(&address.place).at(&first.place));
        }
    }
    problems
}
