//! In which wave each node's turn comes.
//!
//! The bootstrap nodes are the first rank, whatever else their shape runs: they
//! dial each other, so there is no order among them. Those that are down come
//! up together; those that are up are restarted one at a time. Then the others:
//! those that are down together, then of those that are up the first of each
//! shape alone, as the canary, then batches, never all that serve the same
//! thing at once where there is more than one.

use super::{NodePlan, node_of};
use crate::diff::{Change, Reason, Verb};
use crate::resource::{Activity, Edge, Effect, Graph, Node, NodeName, Resource, ResourceId};
use std::collections::{BTreeMap, BTreeSet};

/// What a wave is for, in the order of waves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What needs no restart.
    Settle,
    /// Everything is restarted in one go, bootstrap nodes first, and it is
    /// never stopped half-way.
    RotateBootstrap,
    /// See [`Rank::RotateBootstrap`].
    Rotate,
    /// Bootstrap nodes that are down come up.
    StartBootstrap,
    /// Bootstrap nodes that are up are restarted.
    UpdateBootstrap,
    /// Other nodes that are down come up.
    Start,
    /// Other nodes that are up are restarted: the first of each shape.
    Canary,
    /// The rest of them.
    Update,
    /// What should not be there goes.
    Remove,
}

impl Rank {
    /// Whether the wave must follow the one before it, whatever happens there.
    pub fn is_rotation(self) -> bool {
        matches!(self, Self::RotateBootstrap | Self::Rotate)
    }

    /// Whether a failure in the wave ends everything, however many are allowed:
    /// the others dial these nodes, or go by what becomes of them.
    pub fn is_decisive(self) -> bool {
        matches!(self, Self::StartBootstrap | Self::UpdateBootstrap | Self::Canary)
    }
}

/// The waves, and who is in them.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// What each wave is for.
    pub(super) ranks: Vec<Rank>,
    /// Each node's wave, counted from zero.
    pub(super) nodes: BTreeMap<NodeName, usize>,
}

impl Order {
    /// The wave of that rank, of which there is one at most; made where it
    /// isn't there. Only for the first and the last rank.
    pub(super) fn wave_of(&mut self, rank: Rank) -> usize {
        if let Some(at) = self.ranks.iter().position(|have| *have == rank) {
            return at;
        }
        let at = self.ranks.iter().position(|have| *have > rank).unwrap_or(self.ranks.len());
        self.ranks.insert(at, rank);
        for wave in self.nodes.values_mut().filter(|wave| **wave >= at) {
            *wave += 1;
        }
        at
    }

    fn push(&mut self, rank: Rank, nodes: impl IntoIterator<Item = NodeName>) {
        let wave = self.ranks.len();
        let before = self.nodes.len();
        self.nodes.extend(nodes.into_iter().map(|node| (node, wave)));
        if self.nodes.len() > before {
            self.ranks.push(rank);
        }
    }
}

/// A node whose process is to be touched.
struct Turn<'a> {
    node: &'a Node,
    /// Whether that interrupts something that works.
    interrupts: bool,
}

pub(super) fn order(
    changes: &Graph<Change>,
    desired: &Graph<Resource>,
    nodes: &BTreeMap<NodeName, NodePlan>,
    batch: Option<usize>,
) -> Order {
    let name = |turn: &&Turn<'_>| turn.node.name.clone();
    let mut order = Order::default();
    let together = together(changes, desired);
    let (rotated, turns): (Vec<Turn<'_>>, Vec<Turn<'_>>) = changes
        .iter()
        .filter_map(|(_, change)| turn(change))
        .partition(|turn| together.contains(&turn.node.name));
    let (first, rest): (Vec<_>, Vec<_>) = rotated.iter().partition(|turn| turn.node.bootstrap);
    let (bootstrap, others): (Vec<_>, Vec<_>) = turns.iter().partition(|turn| turn.node.bootstrap);
    // In a rotation, bootstrap nodes that are down come up with the others of
    // their kind, for those that are rotated next dial them too.
    let (with_rotated, alone): (Vec<_>, Vec<_>) =
        bootstrap.iter().filter(|turn| !turn.interrupts).partition(|_| !rotated.is_empty());
    order.push(Rank::RotateBootstrap, first.iter().map(name).chain(with_rotated.into_iter().map(name)));
    order.push(Rank::Rotate, rest.iter().map(name));
    order.push(Rank::StartBootstrap, alone.into_iter().map(name));
    for turn in bootstrap.iter().filter(|turn| turn.interrupts) {
        order.push(Rank::UpdateBootstrap, [turn.node.name.clone()]);
    }
    order.push(Rank::Start, others.iter().filter(|turn| !turn.interrupts).map(name));

    let updates: Vec<&Node> = others.iter().filter(|turn| turn.interrupts).map(|turn| turn.node).collect();
    let size = batch.unwrap_or_else(|| updates.len().div_ceil(4)).max(1);
    let servers = servers(desired, nodes);
    let (waves, canaries) = batches(updates, size, &servers);
    for (i, wave) in waves.into_iter().enumerate() {
        let rank = if i < canaries { Rank::Canary } else { Rank::Update };
        order.push(rank, wave);
    }
    order
}

fn turn(change: &Change) -> Option<Turn<'_>> {
    let Change::Service(service) = change else { return None };
    let verb = service.verb?;
    let up = service.before.as_ref().is_some_and(|before| matches!(before.activity, Activity::Running(_)));
    Some(Turn { node: node_of(change)?, interrupts: verb == Verb::Restart && up })
}

/// The nodes whose process runs with another secret than everyone should have
/// at the same time.
pub(super) fn together(changes: &Graph<Change>, desired: &Graph<Resource>) -> BTreeSet<NodeName> {
    let nodes = changes.iter().filter_map(|(id, change)| {
        let Change::Service(service) = change else { return None };
        let stale = service.reasons.iter().any(|reason| match reason {
            Reason::Input { path, .. } => reads_together(desired, id, path),
            Reason::Unknown(_) | Reason::Failing(_) => false,
        });
        node_of(change).filter(|_| stale).map(|node| node.name.clone())
    });
    nodes.collect()
}

fn reads_together(desired: &Graph<Resource>, service: &ResourceId, path: &str) -> bool {
    desired
        .before(service)
        .iter()
        .any(|(file, edge)| *edge == Edge::Reads(Effect::RestartTogether) && file.key.path() == Some(path))
}

/// How many nodes serve each thing.
fn servers<'a>(
    desired: &'a Graph<Resource>,
    nodes: &BTreeMap<NodeName, NodePlan>,
) -> BTreeMap<&'a str, usize> {
    let mut servers = BTreeMap::new();
    for (_, resource) in desired.iter() {
        if let Resource::Service(service) = resource
            && let Some(node) = service.node.as_ref().filter(|node| nodes.contains_key(&node.name))
        {
            for service in &node.serves {
                *servers.entry(service.as_str()).or_default() += 1;
            }
        }
    }
    servers
}

/// First one of each shape, then `size` at a time; in none of them all that
/// serve the same thing, where there is more than one. How many waves of the
/// first kind there are comes second.
fn batches(
    mut nodes: Vec<&Node>,
    size: usize,
    servers: &BTreeMap<&str, usize>,
) -> (Vec<Vec<NodeName>>, usize) {
    let mut waves: Vec<Vec<NodeName>> = Vec::new();
    let mut seen = BTreeSet::new();
    let (mut first, mut rest): (Vec<&Node>, Vec<&Node>) = (Vec::new(), Vec::new());
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    for node in nodes {
        if seen.insert(&node.name.shape) { first.push(node) } else { rest.push(node) }
    }
    let mut canaries = 0;
    for (mut left, size) in [(first, usize::MAX), (rest, size)] {
        while !left.is_empty() {
            let mut wave: Vec<&Node> = Vec::new();
            let mut down: BTreeMap<&str, usize> = BTreeMap::new();
            left.retain(|node| {
                let fits = wave.len() < size
                    && node.serves.iter().all(|service| {
                        let all = servers.get(service.as_str()).copied().unwrap_or(1);
                        all == 1 || down.get(service.as_str()).copied().unwrap_or(0) + 1 < all
                    });
                if fits {
                    wave.push(node);
                    for service in &node.serves {
                        *down.entry(service).or_default() += 1;
                    }
                }
                !fits
            });
            waves.push(wave.iter().map(|node| node.name.clone()).collect());
        }
        if canaries == 0 {
            canaries = waves.len();
        }
    }
    (waves, canaries)
}
