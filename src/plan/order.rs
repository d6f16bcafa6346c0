//! In which wave each node's turn comes.
//!
//! The bootstrap nodes are the first rank, whatever else their shape runs: they
//! dial each other, so there is no order among them. Those that are down come
//! up together; those that are up are restarted one at a time. Then the others:
//! those that are down together, then of those that are up the first of each
//! shape alone, as the canary, then batches, never all that are up and serve the
//! same thing at once where there is more than one. A node that replaces a running one is
//! ordered like a restart, because that is how it looks to the other nodes.

use super::{NodePlan, node_of};
use crate::desired::Spellings;
use crate::diff::{Change, Reason, Verb};
use crate::resource::{
    Activity, ByHost, Edge, Effect, Graph, HostName, Inputs, Node, NodeName, Resource, ResourceId,
    ResourceKey, Service, staged_path,
};
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
    /// Resources that are no longer wanted are removed.
    Remove,
}

impl Rank {
    /// Whether the wave must follow the one before it, whatever happens there.
    pub fn is_rotation(self) -> bool {
        matches!(self, Self::RotateBootstrap | Self::Rotate)
    }

    /// Whether it is the bootstrap nodes' turn.
    pub fn is_elders(self) -> bool {
        matches!(self, Self::RotateBootstrap | Self::StartBootstrap | Self::UpdateBootstrap)
    }

    /// Whether its nodes dial the bootstrap nodes when they start, outside of a
    /// rotation.
    pub fn dials(self) -> bool {
        matches!(self, Self::Start | Self::Canary | Self::Update)
    }
}

/// The waves, and their nodes.
#[derive(Debug)]
pub(super) struct Order {
    /// The rank of each wave. The first and the last wave exist even if they contain no
    /// node.
    pub(super) ranks: Vec<Rank>,
    /// The wave, counted from zero, in which each node's process is touched.
    pub(super) nodes: BTreeMap<NodeName, usize>,
    /// Those of them whose turn takes something down that works until then.
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

/// A node whose process is to be touched.
struct Turn<'a> {
    node: &'a Node,
    /// It isn't up yet. On its host, nodes that are removed make room for it.
    is_down: bool,
    /// Nothing speaks against it, so taking it down costs the most.
    healthy: bool,
    /// The services of each process that is interrupted during its turn: its own, and
    /// those of the nodes that it replaces.
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
    // In a rotation, bootstrap nodes that are down start together with the other
    // bootstrap nodes, because the nodes that are rotated next dial them, too.
    let (with_rotated, alone) =
        if rotated.is_empty() { (Vec::new(), started) } else { (started, Vec::new()) };
    order.push(Rank::RotateBootstrap, first.iter().chain(&with_rotated).map(name));
    order.push(Rank::Rotate, rest.iter().map(name));
    order.push(Rank::StartBootstrap, alone.iter().map(name));
    // Healthy ones go last: until then one of them is up while another is replaced that
    // doesn't work anyway.
    let (healthy, others_up): (Vec<&Turn<'_>>, Vec<_>) = updated.into_iter().partition(|turn| turn.healthy);
    for turn in others_up.into_iter().chain(healthy) {
        order.push(Rank::UpdateBootstrap, [turn.node.name.clone()]);
    }
    let (updated, started): (Vec<&Turn<'_>>, Vec<_>) =
        others.iter().partition(|turn| !turn.interrupts.is_empty());
    order.push(Rank::Start, started.iter().map(name));

    // Where bootstrap nodes have failed, nothing follows; others that were to
    // come up may have failed all the same.
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
    // In a rotation, a node that goes has the old secret, so no other can talk to it anyway.
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

/// The nodes that go.
pub(super) fn going(changes: &ByHost<Change>) -> impl Iterator<Item = (&ResourceId, &NodeName)> {
    changes
        .iter()
        .filter(|(_, change)| matches!(change, Change::Remove(_)))
        .filter_map(|(id, change)| Some((id, &node_of(change)?.name)))
}

/// Removed nodes make room on their host for the first node there that is down: they may hold
/// what it needs. If none is, they are removed last.
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

/// The services of a node that is up, whether or not it is healthy. If its configuration
/// doesn't tell, they are those that it should have.
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

/// Whether a rotation has begun: a node runs with the secret that everyone should
/// have, and one that doesn't has it on its host. An apply stages it everywhere
/// before it restarts any; a node that was started on its own and has only ever run with
/// the new one proves nothing.
pub(super) fn has_begun(
    desired: &ByHost<Resource>,
    current: &ByHost<Resource>,
    spellings: &Spellings,
) -> bool {
    let (mut has_new, mut will_have) = (false, false);
    for (id, found) in current.iter() {
        let Resource::Service(service) = found else { continue };
        // A node that already has the new secret may be unhealthy just because the others
        // don't have it yet.
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
        .any(|(file, edge)| *edge == Edge::Reads(Effect::RestartTogether) && file.key.path() == Some(path))
}

/// How many nodes that are up serve each thing.
fn up<'a>(
    desired: &'a ByHost<Resource>,
    current: &'a ByHost<Resource>,
    nodes: &BTreeMap<NodeName, NodePlan>,
) -> BTreeMap<&'a str, usize> {
    let mut up = BTreeMap::new();
    for (id, found) in current.iter() {
        if let Resource::Service(Service { node: Some(node), .. }) = found
            && nodes.contains_key(&node.name)
        {
            for service in served(id, desired, current).into_iter().flatten() {
                *up.entry(service.as_str()).or_default() += 1;
            }
        }
    }
    up
}

/// The previous services end, and the node runs its desired ones.
fn had_its_turn<'a>(turn: &Turn<'a>, up: &mut BTreeMap<&'a str, usize>) {
    for service in turn.interrupts.iter().copied().flatten() {
        let up = up.entry(service).or_default();
        *up = up.saturating_sub(1);
    }
    for service in &turn.node.serves {
        *up.entry(service).or_default() += 1;
    }
}

/// First one of each shape, then `size` at a time; in none of them all that are
/// up and serve the same thing, unless that is one. How many waves of the first
/// kind there are comes second.
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
