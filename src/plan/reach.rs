//! Determines which nodes can reach other nodes, before a plan and after it: [`Reach`].
//!
//! A node dials the addresses in the configuration that its process was started with, and
//! answers at the addresses that this configuration announces. So if an elder changes its
//! address, port or identity, or is removed, a node that was started before can no longer
//! reach it, and a node that is started too early can't reach it yet.
//!
//! The nodes' reach is computed from two sets of configurations: those that are in force
//! before the plan, and those that will be in force after it. If a node's configuration
//! isn't known, or depends on secrets that aren't available, nothing is reported about that node.

use super::notes::is_touched;
use super::order;
use crate::diff::Change;
use crate::resource::{
    ByHost, Content, Daemon, Document, Inputs, Node, NodeName, Resource, ResourceId, ResourceKey,
};
use std::collections::{BTreeMap, BTreeSet};

/// The addresses at which nodes answer and those that they dial, before a plan and after
/// it.
pub(super) struct Reach<'a> {
    nodes: BTreeMap<&'a NodeName, Part<'a>>,
    before: Answered,
    after: Answered,
}

/// A node that is desired, or was found on its host, or both.
struct Part<'a> {
    daemon: Daemon,
    is_elder: bool,
    is_up: bool,
    /// Whether the plan starts or restarts the node.
    is_touched: bool,
    /// Whether the plan removes the node.
    is_going: bool,
    /// The configuration that the node runs with. For a node that is down, the
    /// configuration on the disk, because the node would be started with it.
    in_force: Option<&'a Document>,
    /// `None` if the configuration depends on secrets that aren't available.
    wanted: Option<&'a Document>,
    is_withheld: bool,
}

/// The addresses at which nodes answer.
#[derive(Default)]
struct Answered {
    addresses: BTreeSet<String>,
    /// Whether the addresses of at least one elder are known.
    of_an_elder: bool,
    /// Whether a node's addresses depend on secrets that aren't available.
    is_incomplete: bool,
}

impl<'a> Reach<'a> {
    pub(super) fn new(
        desired: &'a ByHost<Resource>,
        current: &'a ByHost<Resource>,
        changes: &'a ByHost<Change>,
    ) -> Self {
        let going: BTreeSet<&NodeName> = order::going(changes).map(|(_, node)| node).collect();
        let mut nodes = BTreeMap::new();
        for node in services(current).chain(services(desired)) {
            let is_elder = node.bootstrap;
            let part = nodes.entry(&node.name).or_insert_with(|| {
                let found = current.get(&unit(&node.name));
                let wanted = file(desired, &node.name).and_then(document);
                Part {
                    daemon: node.name.daemon,
                    is_elder: false,
                    is_up: matches!(found, Some(Resource::Service(found)) if found.activity.is_up()),
                    is_touched: is_touched(&node.name, changes),
                    is_going: going.contains(&node.name),
                    in_force: in_force(current, &node.name),
                    wanted: wanted.filter(is_available),
                    is_withheld: wanted.is_some_and(|config| !is_available(&config)),
                }
            });
            part.is_elder |= is_elder;
        }
        let mut reach = Self { nodes, before: Answered::default(), after: Answered::default() };
        for part in reach.nodes.values() {
            reach.before.add(part, part.in_force);
            if !part.is_going {
                reach.after.add(part, part.after());
                reach.after.is_incomplete |= part.is_withheld && part.is_touched;
            }
        }
        reach
    }

    /// The elders that are up and none of whose present addresses is an address in their
    /// desired configuration; see [`Plan::moving`](super::Plan::moving).
    pub(super) fn moving(&self) -> BTreeSet<NodeName> {
        self.names(|part| {
            part.is_elder
                && part.is_up
                && match (part.in_force, part.wanted) {
                    (Some(before), Some(wanted)) => {
                        part.daemon.dialled_at(before).is_disjoint(&part.daemon.dialled_at(wanted))
                    }
                    _ => false,
                }
        })
    }

    /// The nodes, except elders, that are up and can reach another node now, but can't
    /// reach any once the plan has been applied to the other nodes and not yet to
    /// themselves.
    pub(super) fn cut_off(&self) -> BTreeSet<NodeName> {
        self.names(|part| {
            !part.is_elder
                && !part.is_going
                && part.is_up
                && part.in_force.is_some_and(|config| {
                    !self.before.misses(part, config) && self.after.misses(part, config)
                })
        })
    }

    /// The nodes, except elders, that are up and can't reach any node, although the
    /// addresses of an elder are known.
    pub(super) fn lost(&self) -> BTreeSet<NodeName> {
        self.names(|part| {
            !part.is_elder
                && !part.is_going
                && part.is_up
                && self.before.of_an_elder
                && part.in_force.is_some_and(|config| self.before.misses(part, config))
        })
    }

    /// The nodes that the plan starts or restarts and that can't reach any node after that:
    /// first the elders, then the other nodes.
    pub(super) fn stranded(&self) -> (BTreeSet<NodeName>, BTreeSet<NodeName>) {
        let is_stranded = |part: &Part<'_>| {
            part.is_touched
                && self.after.of_an_elder
                && part.wanted.is_some_and(|config| self.after.misses(part, config))
        };
        (
            self.names(|part| part.is_elder && is_stranded(part)),
            self.names(|part| !part.is_elder && is_stranded(part)),
        )
    }

    /// The nodes that the plan would start with the identity of another node that is up and
    /// isn't stopped before, each with that other node.
    pub(super) fn twins(&self) -> Vec<(NodeName, NodeName)> {
        let mut bearers: BTreeMap<&str, Vec<&NodeName>> = BTreeMap::new();
        for (name, part) in self.nodes.iter().filter(|(_, part)| part.is_up) {
            if let Some(identity) = part.in_force.and_then(Document::identity) {
                bearers.entry(identity).or_default().push(name);
            }
        }
        let mut twins = Vec::new();
        for (name, part) in self.nodes.iter().filter(|(_, part)| part.is_touched) {
            let Some(identity) = part.wanted.and_then(Document::identity) else { continue };
            let others = bearers.get(identity).into_iter().flatten().filter(|other| *other != name);
            // A node that is removed from the same host is stopped before the new node
            // starts.
            let stays = |other: &&&NodeName| {
                other.host != name.host || self.nodes.get(**other).is_none_or(|other| !other.is_going)
            };
            twins.extend(others.filter(stays).map(|other| ((*name).clone(), (*other).clone())));
        }
        twins
    }

    fn names(&self, is: impl Fn(&Part<'_>) -> bool) -> BTreeSet<NodeName> {
        self.nodes.iter().filter(|(_, part)| is(part)).map(|(name, _)| (*name).clone()).collect()
    }
}

impl<'a> Part<'a> {
    /// The configuration that is in force after the plan.
    fn after(&self) -> Option<&'a Document> {
        if self.is_touched { self.wanted } else { self.in_force }
    }
}

impl Answered {
    fn add(&mut self, part: &Part<'_>, config: Option<&Document>) {
        if let Some(config) = config {
            self.addresses.extend(part.daemon.dialled_at(config));
            self.of_an_elder |= part.is_elder;
        }
    }

    /// Whether a node with this configuration dials addresses, but no node answers at any.
    fn misses(&self, part: &Part<'_>, config: &Document) -> bool {
        let dials = part.daemon.dials(config);
        !self.is_incomplete && !dials.is_empty() && dials.is_disjoint(&self.addresses)
    }
}

fn services(graph: &ByHost<Resource>) -> impl Iterator<Item = &Node> {
    graph.iter().filter_map(|(_, resource)| match resource {
        Resource::Service(service) => service.node.as_ref(),
        _ => None,
    })
}

fn in_force<'a>(current: &'a ByHost<Resource>, node: &NodeName) -> Option<&'a Document> {
    let service = match current.get(&unit(node)) {
        Some(Resource::Service(service)) => service.activity.started(),
        _ => None,
    };
    match service.map(|started| &started.inputs) {
        Some(Inputs::Known(inputs)) => document(&inputs.get(&node.config())?.content),
        Some(Inputs::Unknown(_)) => None,
        None => document(file(current, node)?),
    }
}

fn unit(node: &NodeName) -> ResourceId {
    ResourceId { host: node.host.clone(), key: ResourceKey::Service(node.unit()) }
}

fn file<'a>(graph: &'a ByHost<Resource>, node: &NodeName) -> Option<&'a Content> {
    let key = ResourceKey::File(node.config());
    match graph.get(&ResourceId { host: node.host.clone(), key }) {
        Some(Resource::File(file)) => Some(&file.content),
        _ => None,
    }
}

/// Whether the node's id and the addresses that it dials are available.
fn is_available(config: &&Document) -> bool {
    config.withheld().next().is_none()
}

fn document(content: &Content) -> Option<&Document> {
    match content {
        Content::Document(document) => Some(document),
        _ => None,
    }
}
