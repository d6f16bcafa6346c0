//! Ports that two listeners want, and hosts with more nodes than can run.

use super::on;
use crate::network::{Diagnostic, Draft, HostDraft, Place, ShapeDraft};
use crate::resource::ShapeName;
use crate::tau::{self, SENSORS_PORT};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let mut problems: Vec<_> = draft.shapes.values().flat_map(within).collect();
    problems.extend(with_sshd(draft));
    // What is wrong with two shapes is so on every host that has both.
    let mut together: BTreeMap<Vec<&ShapeName>, Vec<&HostDraft>> = BTreeMap::new();
    for host in draft.hosts.values().filter(|host| host.nodes.len() > 1) {
        together.entry(host.nodes.keys().collect()).or_default().push(host);
    }
    let mut compared = BTreeSet::new();
    for hosts in together.values() {
        let Some(first) = hosts.first() else { continue };
        problems.push(crowded(first, hosts));
        let shapes: Vec<_> = on(first, draft).map(|(_, shape)| shape).collect();
        for (i, one) in shapes.iter().enumerate() {
            for other in &shapes[i + 1..] {
                if compared.insert((&*one.name, &*other.name)) {
                    problems.extend(between(one, other, first));
                }
            }
        }
    }
    problems
}

/// Something that a node listens on.
struct Listener<'s> {
    port: u16,
    /// What for; continues "the port of".
    what: &'static str,
    place: &'s Place,
}

/// What the folder says itself.
fn own(shape: &ShapeDraft) -> Vec<Listener<'_>> {
    let ports = [("`main`", &shape.main), ("`lite`", &shape.lite), ("`ipfs`", &shape.ipfs)];
    let known = ports.into_iter().filter_map(|(what, port)| Some((what, port.as_ref()?)));
    known.map(|(what, port)| Listener { port: **port, what, place: &port.place }).collect()
}

/// What comes with its services.
fn of_services(shape: &ShapeDraft) -> Vec<Listener<'_>> {
    let mut listeners: BTreeMap<u16, Listener<'_>> = BTreeMap::new();
    for service in &shape.services {
        let Some(traits) = tau::service(service) else { continue };
        let http = [(80, "HTTP"), (443, "HTTPS")];
        let dns = [(53, "DNS"), (953, "DNS")];
        let ports = http.iter().filter(|_| traits.http).chain(dns.iter().filter(|_| traits.dns));
        for &(port, what) in ports {
            listeners.entry(port).or_insert(Listener { port, what, place: &service.place });
        }
    }
    listeners.into_values().collect()
}

/// One node's listeners among themselves. tau starts with two of its own on
/// one port (seen with `main` and each of the others); what is dialled there
/// finds one of the two. Only its sensors service insists on its port.
fn within(shape: &ShapeDraft) -> Vec<Diagnostic> {
    let own = own(shape);
    let mut problems = Vec::new();
    for (i, listener) in own.iter().enumerate() {
        let Listener { port, what, place } = listener;
        if *port == SENSORS_PORT && *what != "`ipfs`" {
            problems.push(
                Diagnostic::error(format!("{what} of shape `{}` is tau's own port {port}", *shape.name))
                    .at(place, "tau's sensors service listens here, on loopback, and tau refuses to start")
                    .help("choose another port"),
            );
        }
        let services = of_services(shape);
        for other in own[..i].iter().chain(services.iter()).filter(|other| other.port == *port) {
            problems.push(
                Diagnostic::warning(format!(
                    "{what} and {} of shape `{}` are both port {port}",
                    other.what, *shape.name
                ))
                .at(place, "who dials this finds either")
                .at(other.place, "and this")
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
        for (_, shape) in on(host, draft) {
            for Listener { port, what, place } in own(shape) {
                if port != ssh.port || !seen.insert((&*shape.name, port)) {
                    continue;
                }
                let message =
                    format!("{what} of shape `{}` is the port of sshd on `{}`", *shape.name, *host.name);
                // What is reached elsewhere may be forwarded from another port.
                let reached_here = ssh.address.parse::<IpAddr>();
                let is_sshd =
                    reached_here.is_ok_and(|ip| host.addresses.iter().any(|address| address.ip == ip));
                let problem = if is_sshd { Diagnostic::error(message) } else { Diagnostic::warning(message) };
                problems.push(
                    problem
                        .at(place, format!("sshd has port {port}, and tau refuses to start"))
                        .at(&host.name.place, "this host")
                        .help("choose another port"),
                );
            }
        }
    }
    problems
}

/// Since its sensors service, of several nodes on a host one starts.
fn crowded(host: &HostDraft, hosts: &[&HostDraft]) -> Diagnostic {
    let count = host.nodes.len();
    let mut problem = Diagnostic::warning(format!("{} has {count} nodes", named(hosts)));
    let mut places: Vec<_> = host.nodes.values().map(|node| &node.shape.place).collect();
    places.sort_by_key(|place| (place.file(), place.span().start));
    for (i, place) in places.into_iter().enumerate() {
        let label = if i == 0 { "of these only one starts" } else { "" };
        problem = problem.at(place, label);
    }
    problem.help(format!(
        "give each a host of its own: every tau since November 2025 listens on 127.0.0.1:{SENSORS_PORT}; \
         an older one is not concerned"
    ))
}

/// The listeners of two nodes on one host.
fn between(one: &ShapeDraft, other: &ShapeDraft, host: &HostDraft) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let services = [of_services(one), of_services(other)];
    let both_http = services.iter().all(|listeners| listeners.iter().any(|listener| listener.port == 443));
    if let ([first, ..], [second, ..], true) = (&*services[0], &*services[1], both_http) {
        problems.push(
            Diagnostic::error(format!("`{}` and `{}` both answer HTTPS", *one.name, *other.name))
                .at(first.place, "this service")
                .at(second.place, "and this")
                .at(&host.name.place, "both are on this host, which has one port 443")
                .help("give one of the two a host of its own"),
        );
    }
    let [mine, theirs] = [(one, &services[0]), (other, &services[1])].map(|(shape, services)| {
        own(shape)
            .into_iter()
            .map(|listener| (true, listener))
            .chain(services.iter().map(|l| (false, Listener { port: l.port, what: l.what, place: l.place })))
    });
    let theirs: Vec<_> = theirs.collect();
    for (is_own, listener) in mine {
        for (is_own_too, taken) in &theirs {
            // Two services of the same kind have been dealt with.
            if taken.port != listener.port || !(is_own || *is_own_too) {
                continue;
            }
            let message = format!(
                "{} of `{}` and {} of `{}` are both port {}",
                listener.what, *one.name, taken.what, *other.name, taken.port
            );
            problems.push(
                Diagnostic::error(message)
                    .at(listener.place, "this port")
                    .at(taken.place, "and this")
                    .at(&host.name.place, "both are on this host")
                    .help("choose another port for one of the two"),
            );
        }
    }
    problems
}

/// `h1`, or `h1` and how many others.
fn named(hosts: &[&HostDraft]) -> String {
    match hosts {
        [] => String::new(),
        [host] => format!("the host `{}`", *host.name),
        [first, second] => format!("each of `{}` and `{}`", *first.name, *second.name),
        [first, others @ ..] => format!("each of `{}` and {} other hosts", *first.name, others.len()),
    }
}
