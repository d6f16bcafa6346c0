//! The roster that an apply leaves, and the hosts that only a roster still knows.

use super::{Forgotten, Options, Plan, PlanError, Planner, Probed};
use crate::desired::Supplies;
use crate::facts::Facts;
use crate::facts::receipt::Receipt;
use crate::facts::roster::{Roster, RosterHost};
use crate::network::{At, Host, Identity, Jump, Login, Network, Place, Ssh};
use crate::resource::{Cycle, HostName, Printable, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far the clock of another controller may be ahead of this one's, in seconds.
const FAST: u64 = 3_600;

/// A planner for the network with the hosts that were deleted from the folder without having
/// been retired. They have no nodes, so whatever they still have of the network is removed.
#[derive(Debug)]
pub struct WithForgotten {
    planner: Planner,
    /// The network with these hosts.
    network: Network,
    hosts: BTreeMap<HostName, RosterHost>,
}

impl WithForgotten {
    /// Adds the forgotten hosts to a network.
    ///
    /// # Errors
    /// The network can't be compiled.
    pub fn new(
        network: &Network,
        supplies: &Supplies,
        options: Options,
        hosts: BTreeMap<HostName, RosterHost>,
    ) -> Result<Self, PlanError> {
        let mut network = network.clone();
        for (name, host) in &hosts {
            // The roster isn't part of the folder, so there is no better place.
            let place = network.bootstrap.place.clone();
            // A host that lies could name itself in the roster, so nobody is sent a password
            // because of one.
            let logins = host.logins.iter().filter_map(|name| network.logins.get(name.as_str()));
            let logins = logins.map(|login| Arc::new(Login { password: None, ..(**login).clone() }));
            let (jumps, unreadable_jump) = jumps(&host.jumps);
            let ssh = Ssh {
                address: At { value: host.address.to_string(), place: place.clone() },
                more: host.more.iter().map(ToString::to_string).map(at(&place)).collect(),
                port: host.port,
                // The folder may not have named the usual port.
                names_port: host.port != 22,
                jumps: jumps.into_iter().map(at(&place)).collect(),
                unreadable_jump,
                logins: logins.collect(),
            };
            let name = At { value: name.clone(), place };
            let host = Host { name, addresses: Vec::new(), ssh, location: None, nodes: BTreeMap::new() };
            network.hosts.insert(host.name.value.clone(), host);
        }
        // A target says nothing about these hosts: leaving their changes out would make them look
        // clean, and drop them from the roster. `--prune` has no targets.
        let options = Options { targets: Vec::new(), ..options };
        let planner = Planner::new(&network, supplies, options)?;
        Ok(Self { planner, network, hosts })
    }

    /// The planner for the network with these hosts.
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// The network with these hosts.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The names of these hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> {
        self.hosts.keys()
    }

    /// Plans the network of `folder`, and retires these hosts if the options say so. The plan
    /// names them in any case, unless nothing of the network is left on them.
    ///
    /// # Errors
    /// Resources depend on each other in a cycle, which would be a defect of spore.
    pub fn plan(&self, folder: &Planner, probed: &BTreeMap<HostName, Probed>) -> Result<Plan, Cycle> {
        let in_folder = in_folder(&self.hosts, probed);
        let others = probed.iter().filter(|(host, _)| !in_folder.contains(host));
        let mut all =
            self.planner.plan(&others.map(|(host, probed)| (host.clone(), probed.clone())).collect())?;
        let prune = folder.options().prune;
        let mut forgotten = Vec::new();
        for (host, roster) in self.hosts.iter().filter(|(host, _)| !in_folder.contains(host)) {
            let unreachable = all.unplanned.remove(host);
            let has_changes = all.changes.of(host).is_some_and(|changes| !changes.is_empty());
            if unreachable.is_some() || has_changes {
                let (host, roster) = (host.clone(), roster.clone());
                forgotten.push(Forgotten { host, roster, unreachable, pruned: prune });
            }
        }
        let mut plan = match prune {
            true => all,
            false => {
                let of_folder = probed.iter().filter(|(host, _)| !self.hosts.contains_key(*host));
                folder.plan(&of_folder.map(|(host, probed)| (host.clone(), probed.clone())).collect())?
            }
        };
        plan.asked -= if prune { self.hosts.len() - in_folder.len() } else { 0 };
        plan.forgotten = forgotten;
        folder.set_roster(&mut plan);
        Ok(plan)
    }
}

/// The jump hosts of a roster, and one that can't be read: without it, the host mustn't be dialled.
fn jumps(texts: &[Printable]) -> (Vec<Jump>, Option<Printable>) {
    let mut jumps = Vec::new();
    for text in texts {
        match Jump::parse(text) {
            Some(jump) => jumps.push(jump),
            None => return (Vec::new(), Some(text.clone())),
        }
    }
    (jumps, None)
}

/// Values at a place.
fn at<T>(place: &Place) -> impl Fn(T) -> At<T> {
    |value| At { value, place: place.clone() }
}

/// All hosts of a network, and how to reach them.
pub(super) fn of(network: &Network) -> BTreeMap<String, RosterHost> {
    let line = |text: &dyn ToString| Printable::line(&text.to_string());
    let id = |node: &Identity| node.id.as_ref().map(|id| line(&**id)).unwrap_or_default();
    let hosts = network.hosts.iter().map(|(name, host)| {
        let host = RosterHost {
            address: line(&*host.ssh.address),
            more: host.ssh.more.iter().map(|address| line(&**address)).collect(),
            port: host.ssh.port,
            jumps: host.ssh.jumps.iter().map(|jump| line(&jump.value)).collect(),
            logins: host.ssh.logins.iter().map(|login| line(&*login.name)).collect(),
            nodes: host.nodes.values().map(|node| (line(&*node.shape), id(node))).collect(),
        };
        (name.to_string(), host)
    });
    hosts.collect()
}

/// The roster of the hosts that have nodes.
pub(super) fn with_nodes(hosts: &BTreeMap<String, RosterHost>) -> Roster {
    let hosts = hosts.iter().filter(|(_, host)| !host.nodes.is_empty());
    Roster::new(hosts.map(|(name, host)| (name.clone(), host.clone())).collect())
}

/// See [`Planner::forgotten`](super::Planner::forgotten).
pub(super) fn forgotten(
    network: &str,
    folder: &BTreeMap<String, RosterHost>,
    known: &Roster,
    probed: &BTreeMap<HostName, Probed>,
) -> BTreeMap<HostName, RosterHost> {
    let receipts = receipts(network, folder, probed);
    let Some(roster) = newest(&receipts, known) else { return BTreeMap::new() };
    // A machine has another address now, or another name, if its receipt has the name that the
    // roster has.
    let found: BTreeSet<&str> =
        receipts.iter().filter_map(|(_, receipt)| Some(receipt.host.as_ref()?.as_str())).collect();
    let is_in_folder = |name: &str, host: &RosterHost| {
        let has_address = |other: &RosterHost| {
            let mut addresses = std::iter::once(&other.address).chain(&other.more);
            other.port == host.port && addresses.any(|address| *address == host.address)
        };
        found.contains(name) || folder.values().any(has_address)
    };
    let gone = roster.hosts.iter().filter(|(name, host)| !is_in_folder(name, host));
    let is_free = |name: &String| !folder.contains_key(name) && !roster.hosts.contains_key(name);
    let named = gone.filter_map(|(name, host)| {
        let name = match folder.contains_key(name) {
            // The folder has another machine under this name.
            true => named_by_address(name, host, is_free),
            false => name.clone(),
        };
        Some((name.parse().ok()?, host.clone()))
    });
    named.collect()
}

/// The roster of the newest receipt on the folder's hosts.
pub(super) fn last(
    network: &str,
    folder: &BTreeMap<String, RosterHost>,
    known: &Roster,
    probed: &BTreeMap<HostName, Probed>,
) -> Option<Roster> {
    newest(&receipts(network, folder, probed), known)
}

/// The receipts of this network on the folder's hosts.
fn receipts<'a>(
    network: &str,
    folder: &BTreeMap<String, RosterHost>,
    probed: &'a BTreeMap<HostName, Probed>,
) -> Vec<(&'a Facts, Receipt)> {
    let of_folder = probed.iter().filter(|(name, _)| folder.contains_key(name.as_str()));
    let receipts = of_folder.filter_map(|(_, probed)| match probed {
        Probed::Facts(facts) => facts.receipt().map(|receipt| (&**facts, receipt)),
        Probed::Nothing(_) => None,
    });
    receipts.filter(|(_, receipt)| receipt.is_of(network)).collect()
}

/// The roster of the newest receipt. `known` is one that hosts didn't send, because it was known.
fn newest(receipts: &[(&Facts, Receipt)], known: &Roster) -> Option<Roster> {
    let mut receipts: Vec<_> = receipts.iter().collect();
    // A host that isn't trusted could claim to have the newest receipt, so one from the future
    // counts only where there is no other. After the controller's clock was set back, all may be.
    receipts.sort_by_key(|(facts, receipt)| (!is_past(facts, receipt), std::cmp::Reverse(receipt.seconds())));
    // A host that doesn't send its roster must not hide what the others know.
    receipts.into_iter().find_map(|(facts, receipt)| match receipt.roster == known.file_name() {
        true => Some(known.clone()),
        false => facts.roster(&receipt.roster),
    })
}

/// Whether a receipt was written before the facts were received, as far as the clocks agree. If it
/// isn't known when that was, the host's own clock has to do.
fn is_past(facts: &Facts, receipt: &Receipt) -> bool {
    let own = || u64::try_from(facts.asked.at_ns? / 1_000_000_000).ok();
    let now = facts.surroundings.received.or_else(own);
    matches!((now, receipt.seconds()), (Some(now), Some(at)) if at <= now.saturating_add(FAST))
}

/// A name such as `h1-at-192.0.2.1`, for a host whose name the folder has given to another.
fn named_by_address(name: &str, host: &RosterHost, is_free: impl Fn(&String) -> bool) -> String {
    let RosterHost { address, port, .. } = host;
    let port = if *port == 22 { String::new() } else { format!("-{port}") };
    let address = address.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
    let mut named = format!("{name}-at-{address}{port}");
    while !is_free(&named) {
        named.push('-');
    }
    named
}

/// Which of these hosts is a machine that the folder has, too, and that has answered at both
/// addresses.
fn in_folder<'a>(
    forgotten: &'a BTreeMap<HostName, RosterHost>,
    probed: &BTreeMap<HostName, Probed>,
) -> BTreeSet<&'a HostName> {
    let machine = |name: &HostName| match probed.get(name) {
        Some(Probed::Facts(facts)) => facts.machine,
        Some(Probed::Nothing(_)) | None => None,
    };
    let others = probed.keys().filter(|name| !forgotten.contains_key(*name));
    let machines: BTreeSet<Sha256> = others.filter_map(machine).collect();
    forgotten.keys().filter(|name| machine(name).is_some_and(|machine| machines.contains(&machine))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_host_that_cannot_be_read_is_not_left_out() {
        let line = Printable::line;
        let (found, unreadable) = jumps(&[line("a"), line("b:2")]);
        assert_eq!((found.len(), unreadable), (2, None));
        let hidden = jumps(&[line("a"), line("***@b")]);
        assert_eq!(hidden, (Vec::new(), Some(line("***@b"))));
    }
}
