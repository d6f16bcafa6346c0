//! Port conflicts, and hosts with more nodes than can run.

use super::{MOST_ON_A_HOST, on, used};
use crate::network::{Diagnostic, Draft, HostDraft, Place, ShapeDraft};
use crate::resource::ShapeName;
use crate::tau::{self, SENSORS_PORT};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
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
    /// Its name in the folder, or its protocol.
    what: &'static str,
    place: &'s Place,
    /// Whether the folder sets the port; otherwise it belongs to a service.
    chosen: bool,
}

/// All ports that a node of the shape listens on.
fn listeners(shape: &ShapeDraft) -> Vec<Listener<'_>> {
    let ports = [("`main`", &shape.main), ("`lite`", &shape.lite), ("`ipfs`", &shape.ipfs)];
    let chosen = ports.into_iter().filter_map(|(what, port)| Some((what, port.as_ref()?)));
    let mut listeners: Vec<_> = chosen
        .map(|(what, port)| Listener { port: **port, what, place: &port.place, chosen: true })
        .collect();
    for (port, what, serves) in [
        (80, "HTTP", (|traits| traits.http) as fn(&tau::ServiceTraits) -> bool),
        (443, "HTTPS", |traits| traits.http),
        (53, "DNS", |traits| traits.dns),
        (953, "DNS", |traits| traits.dns),
    ] {
        let service = shape.services.iter().find(|service| tau::service(service).is_some_and(serves));
        listeners.extend(service.map(|service| Listener {
            port,
            what,
            place: &service.place,
            chosen: false,
        }));
    }
    listeners
}

/// Conflicts within one node. tau starts with two listeners on the same port
/// (tested with `main` and each of the others); a connection reaches either.
/// Only its sensors service fails without its port.
fn within(shape: &ShapeDraft, runs: bool) -> Vec<Diagnostic> {
    let all = listeners(shape);
    let mut problems = Vec::new();
    for (i, listener) in all.iter().enumerate().filter(|(_, listener)| listener.chosen) {
        let Listener { port, what, place, .. } = listener;
        if runs && *port == SENSORS_PORT && *what != "`ipfs`" {
            problems.push(
                Diagnostic::error(format!(
                    "{what} of shape `{}` is port {port}, which tau uses itself",
                    *shape.name
                ))
                .at(place, "tau's sensors service listens there, so tau refuses to start")
                .help("choose another port"),
            );
        }
        for other in all[i + 1..].iter().filter(|other| other.port == *port) {
            let message =
                format!("{what} and {} of shape `{}` are both port {port}", other.what, *shape.name);
            problems.push(
                Diagnostic::warning(message)
                    .at(place, "a connection to this port")
                    .at(other.place, "may reach this instead")
                    .help("choose another port"),
            );
        }
    }
    problems
}

/// `main-port-taken-by-ssh`
fn with_sshd(draft: &Draft) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        let Some(ssh) = &host.ssh else { continue };
        // Behind another address, the port may be forwarded from another one.
        let reached = ssh.address.parse::<IpAddr>();
        let is_sshd = reached.is_ok_and(|ip| host.addresses.iter().any(|address| address.ip == ip));
        // One of the addresses that couldn't be read may be this one.
        if !is_sshd && !host.all_addresses {
            continue;
        }
        for (_, shape) in on(host, draft) {
            let taken = |listener: &Listener<'_>| listener.chosen && listener.port == ssh.port;
            for Listener { port, what, place, .. } in listeners(shape).into_iter().filter(taken) {
                if !seen.insert((&*shape.name, port, is_sshd)) {
                    continue;
                }
                let (shape, name) = (&shape.name, &host.name);
                let problem = match is_sshd {
                    true => Diagnostic::error(format!(
                        "{what} of shape `{}` is sshd's port on `{}`",
                        **shape, **name
                    ))
                    .at(place, format!("sshd listens on port {port}, so tau refuses to start")),
                    false => Diagnostic::warning(format!(
                        "{what} of shape `{}` may be sshd's port on `{}`",
                        **shape, **name
                    ))
                    .at(place, format!("if sshd listens on port {port}, tau refuses to start")),
                };
                problems.push(problem.at(&name.place, "this host").help("choose another port"));
            }
        }
    }
    problems
}

/// Since tau has its sensors service, only one of the nodes on a host starts.
fn crowded(host: &HostDraft, hosts: &[&HostDraft]) -> Diagnostic {
    let mut problem = Diagnostic::warning(format!("{} has {} nodes", named(hosts), host.nodes.len()));
    let mut places: Vec<_> = host.nodes.values().map(|node| &node.shape.place).collect();
    places.sort_by_key(|place| (place.file(), place.span().start));
    for (i, place) in places.into_iter().take(MOST_ON_A_HOST).enumerate() {
        problem = problem.at(place, if i == 0 { "only one of these starts" } else { "" });
    }
    problem.help(format!(
        "run each on its own host: every tau since November 2025 listens on 127.0.0.1:{SENSORS_PORT}; older \
         ones are not affected"
    ))
}

/// Nodes of one host that use the same port. A conflict between the same shapes
/// is reported on one host only.
fn between<'d>(
    host: &'d HostDraft,
    draft: &'d Draft,
    said: &mut BTreeSet<(u16, Vec<&'d ShapeName>)>,
) -> Vec<Diagnostic> {
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
    let mut clash = |port, all: &[(&'d ShapeDraft, Listener<'_>)], message: String, help| {
        let shapes: Vec<_> = all.iter().map(|(shape, _)| &*shape.name).collect();
        if !said.insert((port, shapes)) {
            return;
        }
        let mut problem = Diagnostic::error(message);
        for (i, (_, listener)) in all.iter().take(MOST_ON_A_HOST).enumerate() {
            problem = problem.at(listener.place, if i == 0 { "this port" } else { "and this one" });
        }
        problems.push(problem.at(&host.name.place, "on this host, where only one can listen").help(help));
    };
    match &https[..] {
        [] | [_] => {}
        [one, other] => {
            let message = format!("`{}` and `{}` both listen on port 443", *one.0.name, *other.0.name);
            clash(0, &https, message, "run each on its own host");
        }
        [one, others @ ..] => {
            let message = format!("`{}` and {} others all listen on port 443", *one.0.name, others.len());
            clash(0, &https, message, "run each on its own host");
        }
    }
    for (port, all) in &wanted {
        // Ports that belong to services always come together, so one finding is enough.
        if all.iter().all(|(_, listener)| !listener.chosen) {
            continue;
        }
        let whose = |at: usize| format!("{} of `{}`", all[at].1.what, *all[at].0.name);
        let message = match all.len() {
            0 | 1 => continue,
            2 => format!("{} and {} are both port {port}", whose(0), whose(1)),
            count => format!("{} and {} others are all port {port}", whose(0), count - 1),
        };
        clash(*port, all, message, "choose another port for all but one of them");
    }
    problems
}

/// `h1`, or `h1` and how many others.
fn named(hosts: &[&HostDraft]) -> String {
    match hosts {
        [] => String::new(),
        [host] => format!("host `{}`", *host.name),
        [first, second] => format!("each of `{}` and `{}`", *first.name, *second.name),
        [first, others @ ..] => format!("each of `{}` and {} other hosts", *first.name, others.len()),
    }
}
