//! Addresses that nobody can reach, that tau can't announce, or that are
//! another host's, too.

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

/// tau starts with no announced address as little as with one whose first is
/// not IPv4: `announce-empty`, `announce-ip6`, `announce-ip6-then-ip4`.
fn announced(host: &HostDraft) -> Option<Diagnostic> {
    if host.nodes.is_empty() || !host.all_addresses {
        return None;
    }
    let name = &host.name;
    match host.addresses.first() {
        None => Some(
            Diagnostic::error(format!("the host `{}` has nodes and no address", **name))
                .at(&name.place, "tau doesn't start without one to announce")
                .help("add `addr: [192.0.2.1]`, with the address at which other nodes reach it"),
        ),
        Some(first) if first.ip.is_ipv6() => Some(
            Diagnostic::error(format!("the first address of host `{}` is not IPv4", **name))
                .at(&first.place, "tau starts only where the first that it announces is")
                .help(match host.addresses.iter().find(|address| address.ip.is_ipv4()) {
                    Some(other) => format!("put `{}` first", other.ip),
                    None => "put an IPv4 address first".to_owned(),
                }),
        ),
        Some(_) => None,
    }
}

/// Nobody else can dial it.
fn unreachable(address: &At<Address>) -> Option<Diagnostic> {
    let ip = address.ip.to_canonical();
    let what = match address.prefix.map(|prefix| IpNet::new(ip, prefix)) {
        _ if ip.is_unspecified() => "every address of whoever uses it",
        _ if ip.is_loopback() => "a loopback address: only the host itself reaches it",
        _ if ip.is_multicast() => "a multicast address",
        _ if ip == Ipv4Addr::BROADCAST => "the broadcast address",
        _ if is_link_local(ip) => "a link-local address: it means nothing beyond one link",
        // Of /31 and /32 every address is a host's.
        Some(Ok(IpNet::V4(net))) if net.prefix_len() < 31 && net.network() == ip => {
            "the address of a network, not of a host in it"
        }
        Some(Ok(IpNet::V4(net))) if net.prefix_len() < 31 && net.broadcast() == ip => {
            "the broadcast address of its network"
        }
        Some(Ok(IpNet::V6(net))) if net.prefix_len() < 127 && net.network() == ip => {
            "the address of a network, not of a host in it"
        }
        _ => return None,
    };
    let problem = Diagnostic::warning(format!("`{ip}` is {what}")).at(&address.place, "others can't dial it");
    Some(problem.help("write the address at which other nodes reach the host"))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Two hosts that are one machine: each would be cleared of the other's nodes.
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
                    .at(&ssh.address.place, "reached here")
                    .at(&other.address.place, "and here")
                    .help("correct one of the two, or make them one host with the nodes of both"),
            ),
        }
    }
    problems
}

/// One address for two hosts is fine for who forwards ports, and else a slip.
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
                true => format!("the address `{}` is there twice", address.ip),
                false => format!("`{owner}` and `{}` have the same address `{}`", *host.name, address.ip),
            };
            problems.push(
                Diagnostic::warning(message)
                    .at(&address.place, "again here")
                    .at(&first.place, "first here")
                    .help("correct one of the two; behind one address, nodes need ports of their own"),
            );
        }
    }
    problems
}
