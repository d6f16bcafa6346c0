//! Decides in which wave each node has its *turn*: the wave in which its process is
//! started, restarted, waited for or stopped.
//!
//! The bootstrap nodes come first, whatever else their shape runs, because every other node
//! dials them when it starts. They also dial each other, so no order among them would let
//! each find the others up. The bootstrap nodes that are down are therefore started
//! together. The ones that are up are restarted one at a time, so that the others can be
//! dialled meanwhile; the unhealthy ones go first, because restarting them costs nothing.
//!
//! The remaining nodes that are down are started next, all together. The remaining nodes
//! that are up are updated last. First one node of each shape, the canary, is updated, so
//! that a new version or configuration that doesn't work takes down one node of a shape at
//! most; then the others follow in batches. Neither the canaries of a wave nor a batch are
//! ever all the running nodes that offer the same service, unless only one node offers it.
//!
//! A node that is removed is stopped in the last wave. But if a new node is started on its
//! host, the removed node may hold a port or other resource that the new one needs, so it
//! is stopped right before the new node is started. Such a new node is ordered like a node
//! that is restarted, because in both cases a node that works until then goes down for a
//! moment.
//!
//! The order is different if a secret changes that all nodes must have at the same time (a
//! *rotation*). A node with the new secret can't communicate with a node that has the old
//! one, so an orderly update would split the network for as long as it takes. Instead, all
//! nodes with the old secret are restarted in two waves, the bootstrap nodes first, and the
//! remaining changes follow.

use super::{NodePlan, node_of};
use crate::desired::Spellings;
use crate::diff::{Change, Reason, Verb};
use crate::resource::{
    Activity, ByHost, Edge, Effect, Graph, HostName, Inputs, Node, NodeName, Resource, ResourceId,
    ResourceKey, staged_path,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a wave is for. Waves are carried out in the order of their ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Changes that need no restart of a node.
    Settle,
    /// The bootstrap nodes of a rotation are restarted together, and bootstrap nodes that
    /// are down are started with them. Once begun, a rotation isn't stopped half-way.
    RotateBootstrap,
    /// The other nodes of a rotation are restarted together.
    Rotate,
    /// Bootstrap nodes that are down are started together.
    StartBootstrap,
    /// A bootstrap node that is up is restarted, or replaced by another.
    UpdateBootstrap,
    /// Other nodes that are down are started together.
    Start,
    /// The first node of each shape that is up is restarted, or replaced by another.
    Canary,
    /// A batch of the other nodes that are up is restarted, or replaced by others.
    Update,
    /// Resources that are no longer wanted are removed.
    Remove,
}

impl Rank {
    /// Whether the wave is part of a rotation, so that it follows the wave before it even
    /// if nodes failed there.
    pub fn is_rotation(self) -> bool {
        matches!(self, Self::RotateBootstrap | Self::Rotate)
    }

    /// Whether only nodes that are down have their turn in the wave, so that nothing that works
    /// is at risk.
    pub fn is_start(self) -> bool {
        matches!(self, Self::StartBootstrap | Self::Start)
    }

    /// Whether bootstrap nodes have their turn in the wave.
    pub fn is_elders(self) -> bool {
        matches!(self, Self::RotateBootstrap | Self::StartBootstrap | Self::UpdateBootstrap)
    }

    /// Whether the wave's nodes need a bootstrap node to dial when they start. In a
    /// rotation they dial one as well, but don't wait for it.
    pub fn dials(self) -> bool {
        matches!(self, Self::Start | Self::Canary | Self::Update)
    }
}

/// The waves and their nodes.
#[derive(Debug)]
pub(super) struct Order {
    /// The rank of each wave. The first wave (`Settle`) and the last (`Remove`) exist even
    /// if no node has its turn there.
    pub(super) ranks: Vec<Rank>,
    /// The wave, counted from zero, in which each node has its turn.
    pub(super) nodes: BTreeMap<NodeName, usize>,
    /// The nodes whose turn takes down a process that is up until then: their own, or that
    /// of a node that they replace.
    pub(super) interrupts: BTreeSet<NodeName>,
}

impl Order {
    fn push(&mut self, rank: Rank, nodes: impl IntoIterator<Item = NodeName>) {
        let wave = self.ranks.len();
        let before = self.nodes.len();
        self.nodes.extend(nodes.into_iter().map(|node| (node, wave)));
        if self.nodes.len() > before {
            self.ranks.push(rank);
        }
    }
}

/// A node that is to be started, restarted or waited for.
struct Turn<'a> {
    node: &'a Node,
    /// The node isn't up yet, so nodes that are removed from its host make room for it.
    is_down: bool,
    /// The node isn't known to have a problem, so that its restart is an interruption.
    healthy: bool,
    /// The services of each process that its turn takes down: its own process, if it is up,
    /// and the processes of the nodes that it replaces.
    interrupts: Vec<&'a BTreeSet<String>>,
}

pub(super) fn order(
    changes: &ByHost<Change>,
    desired: &ByHost<Resource>,
    current: &ByHost<Resource>,
    nodes: &BTreeMap<NodeName, NodePlan>,
    batch: Option<usize>,
) -> Order {
    let name = |turn: &&Turn<'_>| turn.node.name.clone();
    let mut order = Order { ranks: vec![Rank::Settle], nodes: BTreeMap::new(), interrupts: BTreeSet::new() };
    let together: BTreeSet<NodeName> = changes
        .hosts()
        .filter_map(|(host, changes)| Some((changes, desired.of(host)?)))
        .flat_map(|(changes, desired)| together(changes, desired))
        .collect();
    let turns = turns(changes, desired, current, !together.is_empty());
    let interrupting = turns.iter().filter(|turn| !turn.interrupts.is_empty());
    order.interrupts = interrupting.map(|turn| turn.node.name.clone()).collect();
    let (rotated, others): (Vec<&Turn<'_>>, Vec<_>) =
        turns.iter().partition(|turn| together.contains(&turn.node.name));
    let (first, rest): (Vec<&Turn<'_>>, Vec<_>) = rotated.iter().partition(|turn| turn.node.bootstrap);
    let (bootstrap, others): (Vec<&Turn<'_>>, Vec<_>) = others.iter().partition(|turn| turn.node.bootstrap);
    let (updated, started): (Vec<&Turn<'_>>, Vec<_>) =
        bootstrap.iter().partition(|turn| !turn.interrupts.is_empty());
    // In a rotation, the bootstrap nodes that are down are started together with the other
    // bootstrap nodes, because the nodes that are rotated next dial all of them.
    let (with_rotated, alone) =
        if rotated.is_empty() { (Vec::new(), started) } else { (started, Vec::new()) };
    order.push(Rank::RotateBootstrap, first.iter().chain(&with_rotated).map(name));
    order.push(Rank::Rotate, rest.iter().map(name));
    order.push(Rank::StartBootstrap, alone.iter().map(name));
    // The healthy bootstrap nodes go last, so that they are up while the others, which
    // don't work properly anyway, are restarted.
    let (healthy, others_up): (Vec<&Turn<'_>>, Vec<_>) = updated.into_iter().partition(|turn| turn.healthy);
    for turn in others_up.into_iter().chain(healthy) {
        order.push(Rank::UpdateBootstrap, [turn.node.name.clone()]);
    }
    let (updated, started): (Vec<&Turn<'_>>, Vec<_>) =
        others.iter().partition(|turn| !turn.interrupts.is_empty());
    order.push(Rank::Start, started.iter().map(name));

    // Which nodes will be up when the updates begin? The bootstrap nodes that had a turn
    // will be, because the scheduler ends the apply if one of them fails. The other nodes
    // that were started may have failed, so they aren't counted.
    let mut up = up(desired, current, nodes);
    bootstrap.iter().for_each(|turn| had_its_turn(turn, &mut up));
    let size = batch.unwrap_or_else(|| updated.len().div_ceil(4)).max(1);
    let (waves, canaries) = batches(updated, size, up);
    for (i, wave) in waves.into_iter().enumerate() {
        let rank = if i < canaries { Rank::Canary } else { Rank::Update };
        order.push(rank, wave);
    }
    order.ranks.push(Rank::Remove);
    make_room(changes, &turns, &mut order);
    order
}

fn turns<'a>(
    changes: &'a ByHost<Change>,
    desired: &'a ByHost<Resource>,
    current: &'a ByHost<Resource>,
    rotates: bool,
) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (id, change) in changes.iter() {
        let (Change::Service(service), Some(node)) = (change, node_of(change)) else { continue };
        let interrupts = match service.verb {
            None => continue,
            Some(Verb::Restart) => served(id, desired, current).into_iter().collect(),
            Some(Verb::Start | Verb::Await) => Vec::new(),
        };
        let found = service.before.as_ref().map(|found| &found.activity);
        let healthy = !matches!(found, Some(Activity::Failing { .. }));
        let is_down = served(id, desired, current).is_none();
        turns.push(Turn { node, is_down, healthy, interrupts });
    }
    // In a rotation, the nodes to be removed have the old secret, so no other node can
    // communicate with them anyway, and to stop them interrupts nothing.
    if rotates {
        return turns;
    }
    let elders: BTreeSet<&HostName> = turns
        .iter()
        .filter(|turn| turn.is_down && turn.node.bootstrap)
        .map(|turn| &turn.node.name.host)
        .collect();
    let mut gone: BTreeMap<&HostName, Vec<&BTreeSet<String>>> = BTreeMap::new();
    for (id, _) in going(changes) {
        gone.entry(&id.host).or_default().extend(served(id, desired, current));
    }
    for turn in turns.iter_mut().filter(|turn| turn.is_down) {
        let host = &turn.node.name.host;
        if turn.node.bootstrap || !elders.contains(host) {
            turn.interrupts.extend(gone.get(host).into_iter().flatten());
        }
    }
    turns
}

/// The nodes that are removed, with the ids of their units.
pub(super) fn going(changes: &ByHost<Change>) -> impl Iterator<Item = (&ResourceId, &NodeName)> {
    changes
        .iter()
        .filter(|(_, change)| matches!(change, Change::Remove(_)))
        .filter_map(|(id, change)| Some((id, &node_of(change)?.name)))
}

/// Sets the turns of the nodes that are removed. They may hold a port or another resource
/// that a new node of their host needs. So they are stopped right before the first node
/// there that is down; if there is no such node, they are stopped in the last wave.
fn make_room(changes: &ByHost<Change>, turns: &[Turn<'_>], order: &mut Order) {
    let mut first: BTreeMap<&HostName, usize> = BTreeMap::new();
    for turn in turns.iter().filter(|turn| turn.is_down) {
        if let Some(&wave) = order.nodes.get(&turn.node.name) {
            first.entry(&turn.node.name.host).and_modify(|first| *first = wave.min(*first)).or_insert(wave);
        }
    }
    let last = order.ranks.len() - 1;
    for (id, node) in going(changes) {
        order.nodes.insert(node.clone(), first.get(&id.host).copied().unwrap_or(last));
    }
}

/// The services of a node that is up, healthy or not; `None` if the node isn't up. If the
/// services that it runs aren't known, they are assumed to be the desired ones.
pub(super) fn served<'a>(
    id: &ResourceId,
    desired: &'a ByHost<Resource>,
    current: &'a ByHost<Resource>,
) -> Option<&'a BTreeSet<String>> {
    let node = |resource: Option<&'a Resource>| match resource {
        Some(Resource::Service(service)) => {
            service.node.as_ref().map(|node| (&service.activity, &node.serves))
        }
        _ => None,
    };
    let (activity, serves) = node(current.get(id))?;
    if !activity.is_up() {
        return None;
    }
    let wanted = node(desired.get(id)).filter(|_| serves.is_empty());
    Some(wanted.map_or(serves, |(_, wanted)| wanted))
}

/// The nodes whose process runs with another version of a secret that all nodes must have
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

/// Whether an earlier apply has begun the rotation, so that it has to be finished.
///
/// A node that runs with the new secret isn't enough evidence: it may have been started on
/// its own, before the other nodes, and may never have had another secret. But an apply
/// stages the new secret on every host before it restarts any node. So a rotation has begun
/// if one node runs with the new secret, and the new secret is staged or in place on the
/// host of another node, which still runs with an old one.
pub(super) fn has_begun(
    desired: &ByHost<Resource>,
    current: &ByHost<Resource>,
    spellings: &Spellings,
) -> bool {
    let (mut has_new, mut will_have) = (false, false);
    for (id, found) in current.iter() {
        let Resource::Service(service) = found else { continue };
        // Whether the node is healthy doesn't matter: with the new secret it may be
        // unhealthy only because it can't reach the nodes that still have the old one.
        let Some(Inputs::Known(inputs)) = service.activity.started().map(|started| &started.inputs) else {
            continue;
        };
        for (file, edge) in desired.before(id) {
            if let (Edge::Reads(Effect::RestartTogether), Some(Resource::File(wanted)), Some(path)) =
                (edge, desired.get(file), file.key.path())
            {
                let is_wanted = |path: String| {
                    let id = ResourceId { host: id.host.clone(), key: ResourceKey::File(path) };
                    matches!(current.get(&id), Some(Resource::File(found)) if spellings.are_equal(&found.sha256, &wanted.sha256))
                };
                let read = inputs.get(path).and_then(|read| read.sha256);
                if read.is_some_and(|read| spellings.are_equal(&read, &wanted.sha256)) {
                    has_new = true;
                } else if is_wanted(path.to_owned()) || is_wanted(staged_path(path, &wanted.sha256)) {
                    will_have = true;
                }
            }
        }
    }
    has_new && will_have
}

fn reads_together(desired: &Graph<Resource>, service: &ResourceId, path: &str) -> bool {
    desired
        .before(service)
        .iter()
        .any(|(file, edge)| **edge == Edge::Reads(Effect::RestartTogether) && file.key.path() == Some(path))
}

/// The number of nodes in the plan that are up, by service.
fn up<'a>(
    desired: &'a ByHost<Resource>,
    current: &'a ByHost<Resource>,
    nodes: &BTreeMap<NodeName, NodePlan>,
) -> BTreeMap<&'a str, usize> {
    let mut up = BTreeMap::new();
    for (id, found) in current.iter() {
        if let Resource::Service(service) = found
            && let Some(node) = &service.node
            && nodes.contains_key(&node.name)
        {
            for service in served(id, desired, current).into_iter().flatten() {
                *up.entry(service.as_str()).or_default() += 1;
            }
        }
    }
    up
}

/// Updates the numbers after a turn: the services that it has interrupted are gone, and the
/// node offers its desired ones.
fn had_its_turn<'a>(turn: &Turn<'a>, up: &mut BTreeMap<&'a str, usize>) {
    for service in turn.interrupts.iter().copied().flatten() {
        let up = up.entry(service).or_default();
        *up = up.saturating_sub(1);
    }
    for service in &turn.node.serves {
        *up.entry(service).or_default() += 1;
    }
}

/// The waves of an update, and how many of them, at the beginning, are for canaries. The
/// canaries are the first node of each shape, preferably an unhealthy one. The others
/// follow, up to `size` at a time.
///
/// `up` has the number of nodes that are up, by service. A wave is filled greedily, but
/// never with all nodes that are up and offer the same service, unless only one node offers
/// it. Therefore there may be several waves of canaries, if canaries of different shapes
/// offer the same service.
fn batches<'a>(
    mut turns: Vec<&Turn<'a>>,
    size: usize,
    mut up: BTreeMap<&'a str, usize>,
) -> (Vec<Vec<NodeName>>, usize) {
    let mut waves: Vec<Vec<NodeName>> = Vec::new();
    let mut seen = BTreeSet::new();
    turns.sort_by_key(|turn| (turn.healthy, turn.node.name.clone()));
    let (first, rest): (Vec<&Turn<'a>>, Vec<_>) =
        turns.into_iter().partition(|turn| seen.insert(&turn.node.name.shape));
    let mut canaries = 0;
    for (mut left, size) in [(first, usize::MAX), (rest, size)] {
        while !left.is_empty() {
            let mut wave: Vec<&Turn<'a>> = Vec::new();
            let mut down: BTreeMap<&str, usize> = BTreeMap::new();
            left.retain(|turn| {
                let serves: BTreeSet<&str> =
                    turn.interrupts.iter().copied().flatten().map(String::as_str).collect();
                let fits = wave.len() < size
                    && serves.iter().all(|service| match down.get(service) {
                        None => true,
                        Some(down) => down + 1 < up.get(service).copied().unwrap_or(0),
                    });
                if fits {
                    wave.push(*turn);
                    for service in serves {
                        *down.entry(service).or_default() += 1;
                    }
                }
                !fits
            });
            wave.iter().for_each(|turn| had_its_turn(turn, &mut up));
            waves.push(wave.iter().map(|turn| turn.node.name.clone()).collect());
        }
        if canaries == 0 {
            canaries = waves.len();
        }
    }
    (waves, canaries)
}
