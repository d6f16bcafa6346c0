//! The roster that an apply leaves, and the hosts that only a roster still knows.

use super::{Forgotten, Options, Plan, PlanError, Planner, Probed};
use crate::desired::Supplies;
use crate::facts::Facts;
use crate::facts::receipt::Receipt;
use crate::facts::roster::{Roster, RosterHost};
use crate::network::{At, Host, Identity, Login, Network, Ssh};
use crate::resource::{Cycle, HostName, Printable};
use std::collections::BTreeMap;
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
            let ssh = Ssh {
                address: At { value: host.address.to_string(), place: place.clone() },
                port: host.port,
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
        let mut all = self.planner.plan(probed)?;
        let prune = folder.options().prune;
        let mut forgotten = Vec::new();
        for (host, roster) in &self.hosts {
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
        plan.asked -= if prune { self.hosts.len() } else { 0 };
        plan.forgotten = forgotten;
        folder.set_roster(&mut plan);
        Ok(plan)
    }
}

/// All hosts of a network, and how to reach them.
pub(super) fn of(network: &Network) -> BTreeMap<String, RosterHost> {
    let line = |text: &dyn ToString| Printable::line(&text.to_string());
    let id = |node: &Identity| node.id.as_ref().map(|id| line(&**id)).unwrap_or_default();
    let hosts = network.hosts.iter().map(|(name, host)| {
        let host = RosterHost {
            address: line(&*host.ssh.address),
            port: host.ssh.port,
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
    // A host that isn't trusted could claim to have the newest receipt, so one from the future
    // doesn't count.
    let is_past = |facts: &Facts, receipt: &Receipt| {
        facts
            .surroundings
            .received
            .is_none_or(|received| receipt.seconds().is_some_and(|at| at <= received + FAST))
    };
    let receipts = probed.values().filter_map(|probed| match probed {
        Probed::Facts(facts) => facts
            .receipt()
            .filter(|receipt| receipt.is_of(network) && is_past(facts, receipt))
            .map(|receipt| (facts, receipt)),
        Probed::Nothing(_) => None,
    });
    let mut receipts: Vec<_> = receipts.collect();
    receipts.sort_by_key(|(_, receipt)| std::cmp::Reverse(receipt.seconds()));
    // A host that doesn't send its roster must not hide what the others know.
    let roster = receipts.into_iter().find_map(|(facts, receipt)| {
        if receipt.roster == known.file_name() { Some(known.clone()) } else { facts.roster(&receipt.roster) }
    });
    let Some(roster) = roster else { return BTreeMap::new() };
    let is_renamed = |host: &RosterHost| {
        folder.values().any(|other| (&other.address, other.port) == (&host.address, host.port))
    };
    let gone =
        roster.hosts.into_iter().filter(|(name, host)| !folder.contains_key(name) && !is_renamed(host));
    gone.filter_map(|(name, host)| Some((name.parse().ok()?, host))).collect()
}
