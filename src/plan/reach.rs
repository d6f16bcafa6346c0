//! Whether nodes dial elders where these can be dialled.
//!
//! A node dials the addresses in the configuration that its process was started with, and
//! an elder answers at those of the configuration that *its* process was started with. If
//! an elder changes its address, port or identity, a node that was started before can't
//! reach it any more, and a node that is started too early can't reach it yet.
//!
//! So a plan is judged by the configurations in force before it and after it. Where one
//! isn't known, nothing is claimed.

use super::notes::is_touched;
use crate::diff::Change;
use crate::resource::{Content, Document, Graph, Inputs, Key, Node, NodeName, Resource, ResourceId};
use crate::tau::{self, config};
use std::collections::BTreeSet;

/// Which nodes reach an elder, before a plan and after it.
pub(super) struct Reach<'a> {
    desired: &'a Graph<Resource>,
    current: &'a Graph<Resource>,
    changes: &'a Graph<Change>,
}

/// A moment at which a configuration is in force.
#[derive(Clone, Copy)]
enum At {
    Before,
    After,
}

impl<'a> Reach<'a> {
    pub(super) fn new(
        desired: &'a Graph<Resource>,
        current: &'a Graph<Resource>,
        changes: &'a Graph<Change>,
    ) -> Self {
        Self { desired, current, changes }
    }

    /// The elders that are up, and at whose present address no node that is started from
    /// now on dials them: they can't be reached by it until they have been restarted.
    pub(super) fn moving(&self) -> BTreeSet<NodeName> {
        let moves = |node: &&Node| {
            self.is_up(node)
                && match (self.in_force(node, At::Before), self.wanted(node)) {
                    (Some(before), Some(wanted)) => {
                        config::dialled_at(before).is_disjoint(&config::dialled_at(wanted))
                    }
                    _ => false,
                }
        };
        self.elders().filter(moves).map(|node| node.name.clone()).collect()
    }

    /// The nodes that are up and reach an elder now, but don't any more once this plan has
    /// restarted its elders.
    pub(super) fn cut_off(&self) -> BTreeSet<NodeName> {
        let is_cut_off = |node: &&Node| {
            self.is_up(node)
                && self.in_force(node, At::Before).is_some_and(|dials| {
                    !self.misses_all(node, dials, At::Before) && self.misses_all(node, dials, At::After)
                })
        };
        self.members().filter(is_cut_off).map(|node| node.name.clone()).collect()
    }

    /// The nodes that this plan starts or restarts, and that won't reach an elder then.
    pub(super) fn stranded(&self) -> BTreeSet<NodeName> {
        let is_stranded = |node: &&Node| {
            is_touched(&node.name, self.changes)
                && self.wanted(node).is_some_and(|dials| self.misses_all(node, dials, At::After))
        };
        self.members().filter(is_stranded).map(|node| node.name.clone()).collect()
    }

    /// Whether it is known of some elders where they can be dialled, and that isn't where
    /// this node dials.
    fn misses_all(&self, node: &Node, dials: &Document, at: At) -> bool {
        let dials = config::dials(dials);
        let elders = self.elders().filter(|elder| elder.name != node.name);
        let mut known =
            elders.filter_map(|elder| self.in_force(elder, at)).map(config::dialled_at).peekable();
        known.peek().is_some() && known.all(|answers| answers.is_disjoint(&dials))
    }

    /// The configuration that a node runs with. For one that is down: the one on the disk,
    /// with which it would be started.
    fn in_force(&self, node: &Node, at: At) -> Option<&'a Document> {
        if matches!(at, At::After) && is_touched(&node.name, self.changes) {
            return self.wanted(node);
        }
        let path = tau::config_path(&node.name.shape);
        let service = match self.current.get(&unit(&node.name)) {
            Some(Resource::Service(service)) => service.activity.started(),
            _ => None,
        };
        let content = match service.map(|started| &started.inputs) {
            Some(Inputs::Known(inputs)) => &inputs.get(&path)?.content,
            Some(Inputs::Unknown(_)) => return None,
            None => file(self.current, &node.name, path)?,
        };
        document(content)
    }

    fn wanted(&self, node: &Node) -> Option<&'a Document> {
        document(file(self.desired, &node.name, tau::config_path(&node.name.shape))?)
    }

    fn is_up(&self, node: &Node) -> bool {
        let found = self.current.get(&unit(&node.name));
        matches!(found, Some(Resource::Service(service)) if service.activity.is_up())
    }

    fn nodes(&self) -> impl Iterator<Item = &'a Node> {
        self.desired.iter().filter_map(|(_, resource)| match resource {
            Resource::Service(service) => service.node.as_ref(),
            _ => None,
        })
    }

    fn elders(&self) -> impl Iterator<Item = &'a Node> {
        self.nodes().filter(|node| node.bootstrap)
    }

    fn members(&self) -> impl Iterator<Item = &'a Node> {
        self.nodes().filter(|node| !node.bootstrap)
    }
}

fn unit(node: &NodeName) -> ResourceId {
    ResourceId { host: node.host.clone(), key: Key::Service(tau::unit_name(&node.shape)) }
}

fn file<'a>(graph: &'a Graph<Resource>, node: &NodeName, path: String) -> Option<&'a Content> {
    match graph.get(&ResourceId { host: node.host.clone(), key: Key::File(path) }) {
        Some(Resource::File(file)) => Some(&file.content),
        _ => None,
    }
}

fn document(content: &Content) -> Option<&Document> {
    match content {
        Content::Document(document) => Some(document),
        _ => None,
    }
}
