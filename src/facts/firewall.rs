//! What ufw lets in, as its files say it.

use super::Facts;
use crate::resource::{Port, Transport};
use std::collections::BTreeMap;

/// Whether it is switched on.
pub(super) fn is_on(facts: &Facts) -> bool {
    says_yes(facts, "/etc/ufw/ufw.conf", "ENABLED")
}

/// As ufw reads its settings.
fn says_yes(facts: &Facts, path: &str, name: &str) -> bool {
    facts.texts.get(path).is_some_and(|text| {
        text.lines().filter_map(|line| line.trim().split_once('=')).any(|(found, value)| {
            found.eq_ignore_ascii_case(name) && value.trim_matches(['"', '\'']).eq_ignore_ascii_case("yes")
        })
    })
}

/// Whose rule lets a port in from anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Owners,
    Ours,
    /// One of ours for IPv4 or for IPv6 only: ufw was cut off when it made it, or
    /// removed it.
    Half,
}

/// Ports that are let in from anywhere.
pub(super) fn allowed_ports(facts: &Facts) -> BTreeMap<Port, Rule> {
    let ours = |ours| if ours { Rule::Ours } else { Rule::Owners };
    let mut ports: BTreeMap<Port, Rule> = tuples(facts, "/etc/ufw/user.rules", "0.0.0.0/0")
        .into_iter()
        .map(|(port, is_ours)| (port, ours(is_ours)))
        .collect();
    // ufw leaves the other file alone unless both say so.
    let ipv6 = says_yes(facts, "/etc/default/ufw", "IPV6") && facts.paths.contains_key("/proc/sys/net/ipv6");
    if ipv6 {
        let also = tuples(facts, "/etc/ufw/user6.rules", "::/0");
        for (port, rule) in &mut ports {
            if *rule == Rule::Ours && !also.contains_key(port) {
                *rule = Rule::Half;
            }
        }
        // What the owner lets in by one of them is the owner's choice.
        for (port, _) in also.into_iter().filter(|(_, ours)| *ours) {
            ports.entry(port).or_insert(Rule::Half);
        }
    }
    ports
}

/// Ports that a file of ufw's lets in from `any` address, and whether by a rule
/// of ours.
///
/// It has a line for each rule: `### tuple ### allow tcp 4242 0.0.0.0/0 any
/// 0.0.0.0/0 in comment=73706f7265`, the comment in hexadecimal.
fn tuples(facts: &Facts, path: &str, any: &str) -> BTreeMap<Port, bool> {
    let mut ports = BTreeMap::new();
    let rules = facts.texts.get(path).map_or("", String::as_str);
    for rule in rules.lines().filter_map(|line| line.strip_prefix("### tuple ### ")) {
        let words: Vec<&str> = rule.split_whitespace().collect();
        let ["allow", protocol, port, to, "any", from, "in", rest @ ..] = words.as_slice() else {
            continue;
        };
        if [*to, *from] != [any; 2] {
            continue;
        }
        let ours = rest.contains(&"comment=73706f7265");
        let transports: &[Transport] = match *protocol {
            "tcp" => &[Transport::Tcp],
            "udp" => &[Transport::Udp],
            _ => &[Transport::Tcp, Transport::Udp],
        };
        for (transport, range) in transports.iter().flat_map(|t| port.split(',').map(move |p| (*t, p))) {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else { continue };
            for number in from..=to {
                let owned = ports.entry(Port { number, transport }).or_insert(ours);
                *owned = *owned && ours;
            }
        }
    }
    ports
}
