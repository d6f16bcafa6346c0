//! Finds port conflicts, and hosts with more nodes than can run.

use super::{MOST_ON_A_HOST, on, used};
use crate::daemon::tau::{self, SENSORS_PORT};
use crate::finding::{Excerpt, Finding, Place, PortName, Ports};
use crate::network::{Draft, HostDraft, ShapeDraft};
use crate::resource::ShapeName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let used = used(draft);
    let shapes = draft.shapes.values();
    let mut problems: Vec<_> = shapes.flat_map(|shape| within(shape, used.contains(&*shape.name))).collect();
    problems.extend(with_sshd(draft));
    // A conflict between shapes is the same on every host that has all of them.
    let mut together: BTreeMap<Vec<&ShapeName>, Vec<&HostDraft>> = BTreeMap::new();
    for host in draft.hosts.values().filter(|host| host.nodes.len() > 1) {
        together.entry(host.nodes.keys().collect()).or_default().push(host);
    }
    let mut said = BTreeSet::new();
    for hosts in together.values() {
        let Some(first) = hosts.first() else { continue };
        problems.push(crowded(first, hosts));
        problems.extend(between(first, draft, &mut said));
    }
    problems
}

/// A port that a node listens on.
#[derive(Clone, Copy)]
struct Listener<'s> {
    port: u16,
    name: PortName,
    place: &'s Place,
    /// Whether the folder sets the port. Otherwise the port belongs to a service.
    chosen: bool,
}

/// All ports that a node of the shape listens on.
fn listeners(shape: &ShapeDraft) -> Vec<Listener<'_>> {
    let ports = [(PortName::Main, &shape.main), (PortName::Lite, &shape.lite), (PortName::Ipfs, &shape.ipfs)];
    let chosen = ports.into_iter().filter_map(|(name, port)| Some((name, port.as_ref()?)));
    let mut listeners: Vec<_> = chosen
        .map(|(name, port)| Listener { port: **port, name, place: &port.place, chosen: true })
        .collect();
    for (port, name, serves) in [
        (80, PortName::Http, (|traits| traits.http) as fn(&tau::ServiceTraits) -> bool),
        (443, PortName::Https, |traits| traits.http),
        (53, PortName::Dns, |traits| traits.dns),
        (953, PortName::Dns, |traits| traits.dns),
    ] {
        let service = shape.services.iter().find(|service| tau::service(service).is_some_and(serves));
        listeners.extend(service.map(|service| Listener {
            port,
            name,
            place: &service.place,
            chosen: false,
        }));
    }
    listeners
}

/// Finds conflicts within one node. tau starts even if two of its listeners have the same
/// port (tested with `main` and each of the others), and a connection reaches either of
/// them. Only tau's sensors service fails without its port.
fn within(shape: &ShapeDraft, runs: bool) -> Vec<Finding> {
    let all = listeners(shape);
    let mut problems = Vec::new();
    for (i, listener) in all.iter().enumerate().filter(|(_, listener)| listener.chosen) {
        let Listener { port, name, place, .. } = *listener;
        let owner = || Excerpt::of(&*shape.name);
        if runs && port == SENSORS_PORT && name != PortName::Ipfs {
            problems.push(Finding::new(Ports::Sensors { name, shape: owner(), port }).at(place));
        }
        for other in all[i + 1..].iter().filter(|other| other.port == port) {
            let what = Ports::Same { names: [name, other.name], shape: owner(), port };
            problems.push(Finding::new(what).at(place).at(other.place));
        }
    }
    problems
}

/// Finds ports that sshd occupies, with which tau can't start (the case
/// `main-port-taken-by-ssh` in `fixtures/tau-cases`).
fn with_sshd(draft: &Draft) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        let Some(ssh) = &host.ssh else { continue };
        // If sshd is reached at another address, its port may be forwarded from another
        // port.
        let reached = ssh.address.parse::<IpAddr>();
        let is_sshd = reached.is_ok_and(|ip| host.addresses.iter().any(|address| address.ip == ip));
        // An address that couldn't be read may be the one at which sshd is reached.
        if !is_sshd && !host.all_addresses {
            continue;
        }
        for (_, shape) in on(host, draft) {
            let taken = |listener: &Listener<'_>| listener.chosen && listener.port == ssh.port;
            for Listener { port, name, place, .. } in listeners(shape).into_iter().filter(taken) {
                if !seen.insert((&*shape.name, port, is_sshd)) {
                    continue;
                }
                let (shape, on) = (Excerpt::of(&*shape.name), Excerpt::of(&*host.name));
                let what = match is_sshd {
                    true => Ports::Sshd { name, shape, host: on, port },
                    false => Ports::MayBeSshd { name, shape, host: on, port },
                };
                problems.push(Finding::new(what).at(place).at(&host.name.place));
            }
        }
    }
    problems
}

/// Reports hosts with several nodes. Only one of them starts, because each node's sensors
/// service listens on the same port.
fn crowded(host: &HostDraft, hosts: &[&HostDraft]) -> Finding {
    let problem = Finding::new(Ports::Crowded {
        first: Excerpt::of(&*host.name),
        second: hosts.get(1).map(|second| Excerpt::of(&*second.name)),
        others: hosts.len() - 1,
        nodes: host.nodes.len(),
        port: SENSORS_PORT,
    });
    let mut places: Vec<_> = host.nodes.values().map(|node| &node.shape.place).collect();
    places.sort_by_key(|place| (place.file(), place.span().start));
    places.into_iter().take(MOST_ON_A_HOST).fold(problem, Finding::at)
}

/// Finds nodes of one host that use the same port. A conflict between the same shapes is
/// reported on one host only.
fn between<'d>(
    host: &'d HostDraft,
    draft: &'d Draft,
    said: &mut BTreeSet<(u16, Vec<&'d ShapeName>)>,
) -> Vec<Finding> {
    let mut wanted: BTreeMap<u16, Vec<(&ShapeDraft, Listener<'_>)>> = BTreeMap::new();
    let mut https = Vec::new();
    for (_, shape) in on(host, draft) {
        let mut ports = BTreeSet::new();
        for listener in listeners(shape) {
            if listener.port == 443 && !listener.chosen {
                https.push((shape, listener));
            }
            // Conflicts within one node are reported by `within`.
            if ports.insert(listener.port) {
                wanted.entry(listener.port).or_default().push((shape, listener));
            }
        }
    }
    let mut problems = Vec::new();
    let mut clash = |port, all: &[(&'d ShapeDraft, Listener<'_>)], what: Ports| {
        let shapes: Vec<_> = all.iter().map(|(shape, _)| &*shape.name).collect();
        if said.insert((port, shapes)) {
            let places = all.iter().take(MOST_ON_A_HOST).map(|(_, listener)| listener.place);
            problems.push(places.chain([&host.name.place]).fold(Finding::new(what), Finding::at));
        }
    };
    let shape = |(shape, _): &(&ShapeDraft, Listener<'_>)| Excerpt::of(&*shape.name);
    if let [first, second, ..] = https.as_slice() {
        let others = https.len() - 1;
        clash(0, &https, Ports::Https { first: shape(first), second: shape(second), others });
    }
    for (port, all) in &wanted {
        // The ports that belong to services always conflict together, so one finding is
        // enough.
        if all.iter().all(|(_, listener)| !listener.chosen) {
            continue;
        }
        if let [first, second, ..] = all.as_slice() {
            let [first, second] = [first, second].map(|one| (one.1.name, shape(one)));
            clash(*port, all, Ports::Clash { port: *port, first, second, others: all.len() - 1 });
        }
    }
    problems
}
