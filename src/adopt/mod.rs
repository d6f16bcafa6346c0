//! Adopts hosts that something else has deployed: what their facts say about the network
//! ([`survey`]), which of its keys spore needs from them ([`keys`]), and the files of a folder that
//! describes them ([`Adopted::files`]). Everything here is a function of values; nothing is asked or
//! written.
//!
//! What hosts say of one thing has to agree, because the folder has one place for it. What is
//! missing on a host contradicts nothing: the plan for the folder adds it there. The private keys of
//! nodes stay where they are; the folder gets their ids.

pub mod keys;

use crate::author::{self, AdoptedNetwork, FileChange, Impossible, NewHost, NewLogin, NewNode, NewShape};
use crate::daemon::tau::described::{Described, describe, is_key};
use crate::daemon::{Daemon, tau};
use crate::facts::{Facts, PathFact};
use crate::resource::{HostName, NodeName, Printable, Sha256, ShapeName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use thiserror::Error;

/// A network, as its hosts describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// The nodes, in the order of their names.
    pub nodes: BTreeMap<NodeName, Described>,
    /// The root domain.
    pub root: String,
    /// The nodes that others dial.
    pub elders: BTreeSet<NodeName>,
    /// What the user should know.
    pub notes: Vec<Note>,
    generated: String,
    custom: BTreeMap<String, String>,
    tenancy: [Option<String>; 3],
    /// The digests of the keys' files, by host and path.
    digests: BTreeMap<(HostName, String), Sha256>,
}

/// Something that the folder doesn't express, so that the plan for it changes the hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// The node has a configuration, but doesn't run.
    Stopped(NodeName),
    /// Settings that the folder has no field for.
    Inexpressible(NodeName, Vec<String>),
    /// A node that these nodes dial isn't on any of the hosts.
    Stranger {
        /// The peer id.
        id: String,
        /// One of its addresses.
        address: String,
        /// The nodes that dial it.
        by: Vec<NodeName>,
    },
    /// The nodes of a shape load plugins, whose files are on this host.
    Plugins {
        /// The shape.
        shape: ShapeName,
        /// A host that has them.
        host: HostName,
        /// Their paths there.
        paths: Vec<String>,
    },
    /// No node dials another one, so that nothing tells which nodes are the elders.
    NoElders,
}

/// Why a folder can't describe the hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Refusal {
    /// The user isn't root there.
    #[error("{0}: the login has no root privileges there, so nothing certain can be read")]
    NotRoot(HostName),
    /// There is nothing to adopt.
    #[error("{host}: there is no configuration of a node in {}", directory.as_str())]
    NoNodes {
        /// The host.
        host: HostName,
        /// Where configurations would be.
        directory: Printable,
    },
    /// Two of the hosts are the same machine.
    #[error("{0} and {1} are the same machine")]
    Same(HostName, HostName),
    /// A configuration can't be read.
    #[error("{0}: {path} {why}", path = .1.as_str(), why = .2)]
    Unreadable(HostName, Printable, &'static str),
    /// A node lacks something that every node needs.
    #[error("{0}: its configuration has no {1}")]
    Lacks(NodeName, &'static str),
    /// A key isn't in the directory of the keys.
    #[error("{node}: its {what}, {path}, isn't a readable file in {directory}; move it there, and run the node with it", path = .path.as_str())]
    KeyElsewhere {
        /// The node.
        node: NodeName,
        /// Which key.
        what: &'static str,
        /// Its path.
        path: Printable,
        /// Where it should be.
        directory: &'static str,
    },
    /// The hosts say different things of something that the folder has once.
    #[error("{what} differs: {}", all(.values))]
    Differs {
        /// What it is.
        what: String,
        /// Each value, and who says so.
        values: Vec<(Printable, Vec<String>)>,
    },
    /// A value can't be in a folder.
    #[error("{0}: {1}")]
    Unusable(String, Printable),
}

fn all(values: &[(Printable, Vec<String>)]) -> String {
    let mut text = String::new();
    for (i, (value, by)) in values.iter().enumerate() {
        let gap = if i == 0 { "" } else { "; " };
        let _ = write!(text, "{gap}{value} on {}", some_of(by));
    }
    text
}

/// The first names of a list.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 4;
    match names.len() {
        0..=MOST => names.join(", "),
        count => format!("{} and {} more", names[..MOST].join(", "), count - MOST),
    }
}

/// Finds out what network hosts belong to.
///
/// # Errors
/// All reasons why a folder can't describe them.
pub fn survey(hosts: &BTreeMap<HostName, Facts>) -> Result<Adopted, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut adopted = Adopted::default();
    let mut machines: BTreeMap<Sha256, &HostName> = BTreeMap::new();
    for (host, facts) in hosts {
        if !facts.root {
            refusals.push(Refusal::NotRoot(host.clone()));
            continue;
        }
        if let Some(other) = facts.machine.and_then(|machine| machines.insert(machine, host)) {
            refusals.push(Refusal::Same(other.clone(), host.clone()));
            continue;
        }
        adopted.add(host, facts, &mut refusals);
    }
    adopted.agree(&mut refusals);
    if !refusals.is_empty() {
        refusals.sort();
        refusals.dedup();
        return Err(refusals);
    }
    adopted.find_elders(hosts.len());
    adopted.find_plugins();
    Ok(adopted)
}

impl Adopted {
    /// Adds the nodes of a host.
    fn add(&mut self, host: &HostName, facts: &Facts, refusals: &mut Vec<Refusal>) {
        let before = (self.nodes.len(), refusals.len());
        for (path, fact) in &facts.paths {
            if let PathFact::File(file) = fact
                && let Some(sha256) = file.sha256
                && is_key(path)
            {
                self.digests.insert((host.clone(), path.clone()), sha256);
            }
            let Some((daemon, shape)) = Daemon::of_config(path) else { continue };
            let node = NodeName { shape, host: host.clone(), daemon };
            let config = facts.texts.get(path).and_then(|text| daemon.config(text));
            let why = match (fact, &config) {
                (PathFact::File(_), Some(_)) => None,
                (PathFact::File(_), None) if facts.opaque.contains(path) => {
                    Some("is written in a style that spore can't read without the node's private key")
                }
                (PathFact::File(_), None) => Some("isn't a configuration of a node"),
                _ => Some("isn't a readable file"),
            };
            if let Some(why) = why {
                refusals.push(Refusal::Unreadable(host.clone(), Printable::line(path), why));
            }
            let Some(config) = config else { continue };
            let described = describe(&config);
            for (what, is_missing) in [
                ("root domain (network-fqdn)", described.root.is_none()),
                ("parent of generated domains (domains.generated)", described.generated.is_none()),
                ("private key of a known kind", described.id.is_none()),
                ("main port (ports.main)", described.main.is_none()),
                (
                    "IP address that it announces at its main port (p2p-announce)",
                    described.addresses.is_empty(),
                ),
                ("swarm key, so anyone can join its network", described.swarm_key.is_none()),
                ("public validation key (domains.key.public)", described.public.is_none()),
            ] {
                if is_missing {
                    refusals.push(Refusal::Lacks(node.clone(), what));
                }
            }
            if facts.units.get(&node.unit()).is_none_or(|unit| unit.active != "active") {
                self.notes.push(Note::Stopped(node.clone()));
            }
            if !described.inexpressible.is_empty() {
                let paths = described.inexpressible.iter().cloned().collect();
                self.notes.push(Note::Inexpressible(node.clone(), paths));
            }
            self.nodes.insert(node, described);
        }
        if before == (self.nodes.len(), refusals.len()) {
            let directory = Printable::line(Daemon::Tau.config_directory());
            refusals.push(Refusal::NoNodes { host: host.clone(), directory });
        }
    }

    /// Finds the values on which all have to agree.
    fn agree(&mut self, refusals: &mut Vec<Refusal>) {
        let nodes: Vec<(&NodeName, &Described)> = self.nodes.iter().collect();
        let mut one = |what: &str, value: fn(&Described) -> Option<String>| {
            let found = nodes.iter().filter_map(|(node, described)| Some((*node, value(described)?)));
            agreed(what, found, refusals)
        };
        self.root = one("the root domain", |node| node.root.clone()).unwrap_or_default();
        self.generated =
            one("the parent of generated domains", |node| node.generated.clone()).unwrap_or_default();
        self.tenancy = [
            one("the tenancy's provider", |node| node.tenancy.provider.clone()),
            one("the tenancy's owner", |node| node.tenancy.owner.clone()),
            one("the tenancy's app", |node| node.tenancy.client_id.clone()),
        ];
        // Only the digests are known of these, and they say nothing to a reader.
        let _ = one("the key of the tenancy's app (by its digest)", |node| {
            node.tenancy.key.filter(|_| node.trusted).map(short)
        });
        let _ = one("the configuration of accounts (by its digest)", |node| {
            let values = node.accounts.iter().map(|(path, digest)| format!("{path} {digest}\n"));
            let all: String = values.collect();
            (node.needs_accounts && !all.is_empty()).then(|| short(Sha256::of(all.as_bytes())))
        });
        for name in nodes.iter().flat_map(|(_, node)| node.custom.keys()).collect::<BTreeSet<_>>() {
            let found = nodes.iter().filter_map(|(by, node)| Some((*by, node.custom.get(name)?.clone())));
            let service = agreed(&format!("the service of {}", Printable::line(name)), found, refusals);
            self.custom.extend(service.map(|service| (name.clone(), service)));
        }
        let mut shapes: BTreeMap<&ShapeName, Vec<(&NodeName, &Described)>> = BTreeMap::new();
        let mut hosts: BTreeMap<&HostName, Vec<(&NodeName, &Described)>> = BTreeMap::new();
        for (name, node) in &nodes {
            shapes.entry(&name.shape).or_default().push((name, node));
            hosts.entry(&name.host).or_default().push((name, node));
        }
        type Show = fn(&Described) -> Option<String>;
        let of_shapes: [(&str, Show); 5] = [
            ("the services", |node| Some(listed(&node.services))),
            ("the port ports.main", |node| Some(shown(node.main))),
            ("the port ports.lite", |node| Some(shown(node.lite))),
            ("the port ports.ipfs", |node| Some(shown(node.ipfs))),
            ("the plugins", |node| Some(listed(&node.plugins))),
        ];
        let of_hosts: [(&str, Show); 2] = [
            ("the announced addresses", |node| Some(listed(&node.addresses))),
            ("the location", |node| Some(node.location.clone()?.join(", "))),
        ];
        let groups = shapes.iter().map(|(shape, nodes)| (format!("shape {shape}"), nodes, &of_shapes[..]));
        let groups =
            groups.chain(hosts.iter().map(|(host, nodes)| (format!("host {host}"), nodes, &of_hosts[..])));
        for (group, nodes, things) in groups {
            for (what, value) in things {
                let found = nodes.iter().filter_map(|(name, node)| Some((*name, value(node)?)));
                let _ = agreed(&format!("{what} of {group}"), found, refusals);
            }
        }
        self.find_keys(refusals);
    }

    /// Every key has to be where the probe tells its digest.
    fn find_keys(&self, refusals: &mut Vec<Refusal>) {
        for (node, described) in &self.nodes {
            let keys = [("swarm key", &described.swarm_key), ("public validation key", &described.public)];
            for (what, path) in keys {
                let Some(path) = path else { continue };
                if self.digest(&node.host, path).is_none() {
                    let path = Printable::line(path);
                    let directory = tau::KEYS;
                    refusals.push(Refusal::KeyElsewhere { node: node.clone(), what, path, directory });
                }
            }
        }
    }

    fn digest(&self, host: &HostName, path: &str) -> Option<Sha256> {
        self.digests.get(&(host.clone(), path.to_owned())).copied()
    }

    /// Nodes that others dial are elders. On a single host no node dials another, and those without
    /// services can be nothing else.
    fn find_elders(&mut self, hosts: usize) {
        let mut strangers: BTreeMap<(String, String), Vec<NodeName>> = BTreeMap::new();
        for (by, described) in &self.nodes {
            for dialled in &described.dials {
                let is_dialled = |(_, node): &(&NodeName, &Described)| {
                    node.id.as_ref() == Some(&dialled.id)
                        || node.main == Some(dialled.port) && node.addresses.contains(&dialled.address)
                };
                match self.nodes.iter().find(is_dialled) {
                    Some((elder, _)) => drop(self.elders.insert(elder.clone())),
                    None => {
                        let address = format!("{}, port {}", dialled.address, dialled.port);
                        strangers.entry((dialled.id.clone(), address)).or_default().push(by.clone());
                    }
                }
            }
        }
        let mut named = BTreeSet::new();
        for ((id, address), by) in strangers {
            if named.insert(id.clone()) {
                self.notes.push(Note::Stranger { id, address, by });
            }
        }
        if self.elders.is_empty() {
            if hosts == 1 {
                let relays = self.nodes.iter().filter(|(_, node)| node.services.is_empty());
                self.elders = relays.map(|(name, _)| name.clone()).collect();
            }
            if self.elders.is_empty() {
                self.notes.push(Note::NoElders);
            }
        }
    }

    fn find_plugins(&mut self) {
        let mut seen = BTreeSet::new();
        for (name, node) in &self.nodes {
            if !node.plugins.is_empty() && seen.insert(&name.shape) {
                let paths = node.plugins.iter().map(|plugin| tau::plugin_path(plugin)).collect();
                let (shape, host) = (name.shape.clone(), name.host.clone());
                self.notes.push(Note::Plugins { shape, host, paths });
            }
        }
    }

    /// The files of a folder that describes the hosts, with the logins of each.
    ///
    /// # Errors
    /// A value can't be written.
    pub fn files(
        &self,
        ways: &BTreeMap<HostName, Way>,
        keys: &keys::Pieces,
    ) -> Result<Vec<FileChange>, Impossible> {
        let mut logins: Vec<&NewLogin> = Vec::new();
        for login in ways.values().map(|way| &way.login) {
            if !logins.iter().any(|other| other.name == login.name) {
                logins.push(login);
            }
        }
        let mut shapes: BTreeMap<&ShapeName, NewShape> = BTreeMap::new();
        let mut hosts: BTreeMap<&HostName, NewHost> = BTreeMap::new();
        let mut ids = Vec::new();
        for (name, node) in &self.nodes {
            shapes.entry(&name.shape).or_insert_with(|| shape(&name.shape, node));
            if let Some(way) = ways.get(&name.host) {
                take(hosts.entry(&name.host).or_insert_with(|| host(&name.host, way)), name, node);
            }
            ids.extend(node.id.as_ref().map(|id| (name, id.as_str())));
        }
        let [provider, owner, client_id] = &self.tenancy;
        author::adopt(&AdoptedNetwork {
            root: &self.root,
            generated: &self.generated,
            custom: &self.custom,
            logins: &logins,
            shapes: &shapes.into_values().collect::<Vec<_>>(),
            hosts: &hosts.into_values().collect::<Vec<_>>(),
            ids: &ids,
            elders: &self.elders,
            swarm_key: keys.swarm.as_deref().unwrap_or_default(),
            private: keys.private.as_deref(),
            public: keys.public.as_deref().unwrap_or_default(),
            tenancy: provider.as_deref().zip(owner.as_deref()),
            app: client_id.as_deref().zip(keys.app_key.as_deref()),
            accounts: keys.accounts.as_deref(),
        })
    }
}

/// How a host is reached.
#[derive(Clone, Debug)]
pub struct Way {
    /// The address of its sshd.
    pub address: String,
    /// The port of its sshd, if it isn't 22.
    pub port: Option<u16>,
    /// The jump hosts on the way.
    pub jumps: Vec<String>,
    /// The login.
    pub login: NewLogin,
}

fn shape(name: &ShapeName, node: &Described) -> NewShape {
    let list = |items: &BTreeSet<String>| Some(items.iter().cloned().collect());
    NewShape {
        name: name.clone(),
        main: node.main.unwrap_or_default(),
        more: author::ShapeChange {
            services: list(&node.services),
            main: None,
            lite: node.lite,
            ipfs: node.ipfs,
            plugins: list(&node.plugins),
        },
    }
}

fn host(name: &HostName, way: &Way) -> NewHost {
    NewHost {
        name: name.clone(),
        addresses: Vec::new(),
        ssh_address: way.address.clone(),
        ssh_port: way.port,
        jumps: way.jumps.clone(),
        logins: vec![way.login.name.clone()],
        location: None,
        nodes: Vec::new(),
    }
}

/// Adds a node to its host. All nodes of a host say the same of it.
fn take(host: &mut NewHost, name: &NodeName, node: &Described) {
    host.addresses = node.addresses.iter().map(ToString::to_string).collect();
    host.location = host.location.take().or_else(|| node.location.clone());
    host.nodes.push(NewNode { shape: name.shape.clone(), key: None });
}

/// The value on which all agree. What is missing contradicts nothing.
fn agreed<'n>(
    what: &str,
    found: impl Iterator<Item = (&'n NodeName, String)>,
    refusals: &mut Vec<Refusal>,
) -> Option<String> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (node, value) in found {
        values.entry(value).or_default().push(node.to_string());
    }
    if values.len() > 1 {
        let values = values.into_iter().map(|(value, by)| (Printable::line(&value), by)).collect();
        refusals.push(Refusal::Differs { what: what.to_owned(), values });
        return None;
    }
    values.into_keys().next()
}

/// The beginning of a digest.
fn short(digest: Sha256) -> String {
    format!("{:.8}", digest.to_string())
}

fn shown(port: Option<u16>) -> String {
    port.map_or_else(|| "none".to_owned(), |port| port.to_string())
}

fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
